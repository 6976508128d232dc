# What a copy knows of its source: how far that is, and its settings.
load ../helpers

# lag TOPIC: offsets that its first partition is behind.
lag() {
	logstat -J --replicas "$1" | jq -s '.[0].lag'
}

is_behind() {
	[ "$(lag "$1")" -gt 0 ]
}

is_current() {
	[ "$(lag "$1")" -eq 0 ]
}

has_setting() {
	grep -qx "$2" "$1/topic.properties"
}

@test "logstat --replicas: where a copy and its source are" {
	logcreate -P 2 a
	seq 10 | logappend -p 0 a
	run_tool 0 logstat --replicas a
	same "$out" ''
	run_tool 0 logreplicate a b
	run_tool 0 logstat --replicas b
	has "$out" 'TOPIC PARTITION END SOURCE-END LAG SEEN'
	has "$out" "$PWD/a"
	same "$(logstat -J --replicas b | jq -c 'del(.seen)' | head -n 1)" \
	    "{\"topic\":\"b\",\"partition\":0,\"end_offset\":10,\"source_end_offset\":10,\"lag\":0,\"source\":\"$PWD/a\"}"
	run_tool 0 logstat --replicas -p 1 b
	same "$(wc -l <<<"$out")" 2
	# One that nobody fills any more is no copy.
	run_tool 0 logadmin topic promote b
	same "$(logstat --replicas b)" ''
}

@test "a copy that is behind: logstat tells while it is filled, and after" {
	logcreate a
	seq 100000 | logappend --batch-bytes 10000 a
	start rep logreplicate -f --bwlimit 16K a b
	wait_for is_behind b
	run_tool 2 logstat --check --max-lag 10 b
	has "$out" 'CRITICAL: copy b/0: '
	has "$out" ' behind (limit 10)'
	kill "$rep_pid"
	wait_for process_gone "$rep_pid"
	is_behind b
	run_tool 0 logstat --check --max-lag 100000 b
	run_tool 0 logreplicate a b
	same "$(lag b)" 0
	run_tool 0 logstat --check --max-lag 0 b
}

@test "a source that grows is heard of while following" {
	logcreate a
	start rep logreplicate -f a b
	wait_for test -e b/replica.properties
	seq 7 | logappend a
	wait_for grep -qx end.0=7 b/replica.properties
	wait_for is_current b
	kill "$rep_pid"
	wait_for process_gone "$rep_pid"
}

@test "a source that was not heard of for long" {
	logcreate a
	seq 10 | logappend a
	run_tool 0 logreplicate a b
	run_tool 0 logstat --check --max-age 1h b
	sed -i 's/^seen.ms=.*/seen.ms=1000/' b/replica.properties
	run_tool 2 logstat --check --max-age 1h b
	has "$out" 'copy b/0: its source heard of '
	# A clock was wrong: this would be fine for centuries.
	sed -i 's/^seen.ms=.*/seen.ms=32503680000000/' b/replica.properties
	run_tool 1 logstat --check --max-age 1h b
	has "$out" 'copy b/0: its source was heard of in the future'
	# Less is known, and nothing is wrong.
	: >b/replica.properties
	run_tool 0 logstat --replicas b
	has "$out" ' - '
	echo 'end.0=many' >b/replica.properties
	run_tool 0 logreplicate a b
	same "$(lag b)" 0
}

# Of its source b has heard that long ago, as date(1) says it.
heard() {
	sed -i "s/^seen.ms=.*/seen.ms=$(date -d "$1" +%s)000/" b/replica.properties
}

@test "a lag of long ago is none" {
	logcreate a
	seq 10 | logappend --timestamp 2026-01-31 a
	run_tool 0 logreplicate a b
	run_tool 0 logstat --check --max-lag 1 b
	heard '-3 hours'
	run_tool 3 logstat --check --max-lag 1 b
	same "${out%% |*}" 'LOGSTAT UNKNOWN: copy b/0: its source heard of 3h ago, so its lag is not known (--max-silence)'
	run_tool 3 logstat --check --max-lag 1 a b
	heard '+3 hours'
	run_tool 3 logstat --check --max-lag 1 b
	has "$out" 'its source was heard of in the future, so its lag is not known'
	heard '-3 minutes'
	run_tool 0 logstat --check --max-lag 1 b
	# Whoever says how old it may be is told no more than that.
	heard '-3 hours'
	run_tool 0 logstat --check --max-lag 1 --max-silence 1d b
	run_tool 2 logstat --check --max-lag 1 --max-silence 1h b
	has "$out" 'CRITICAL: copy b/0: its source heard of 3h ago (limit 1h)'
	run_tool 2 logstat --check --max-silence 1h b
	has "$out" 'lag=0;;;0'
	# How old events are is another matter, but where it is all that is said.
	run_tool 2 logstat --check --max-age 1h --max-silence 1d b
	same "$(grep -c 'its source' <<<"$out")" 0
	run_tool 0 logstat --check --max-age 5000d --max-silence 1d b
	run_tool 0 logstat --check --max-lag 1 --max-age 5000d b
	run_tool 2 logstat --check --max-age 5000d --max-silence 1h b
	run_tool 2 logstat --max-silence 1h b
	rm b/replica.properties
	run_tool 3 logstat --check --max-lag 1 b
	has "$out" 'its source was never heard of, so its lag is not known'
	run_tool 1 logstat --check --max-silence 1h b
	has "$out" 'WARNING: copy b/0: its source was never heard of'
}

@test "settings that the source changes are changed in the copy" {
	logcreate --retention 7d a
	echo 1 | logappend a
	run_tool 0 logreplicate a b
	# What the copy has of its own stays until then.
	logadmin topic set b retention.ms=1h segment.bytes=64K
	run_tool 0 logreplicate a b
	has_setting b retention.ms=3600000
	logadmin topic set a retention.ms=2d cleanup.policy=compact,delete
	run_tool 0 logreplicate -n a b
	has "$out" 'a: set retention.ms=172800000'
	has "$out" 'a: set cleanup.policy='
	has_setting b retention.ms=3600000
	run_tool 0 logreplicate a b
	has_setting b retention.ms=172800000
	has_setting b segment.bytes=65536
	grep -q '^cleanup.policy=' b/topic.properties
	run_tool 0 logreplicate -n a b
	same "$out" ''
	logadmin topic set a retention.ms=
	run_tool 0 logreplicate a b
	run ! grep -q retention.ms b/topic.properties
}

@test "settings that change while following" {
	mkdir root copy
	logcreate root/a
	start rep logreplicate -f root copy
	wait_for test -e copy/a/replica.properties
	logadmin topic set root/a retention.ms=2d
	wait_for has_setting copy/a retention.ms=172800000
	kill "$rep_pid"
	wait_for process_gone "$rep_pid"
}
