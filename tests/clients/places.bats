# kafka:// places do what directories do.  The broker is $LOGKIT_BROKER if that
# is set, else an Apache Kafka that is started for it.

broker_given=${broker_given:-${LOGKIT_BROKER:-}}
load ../helpers
# shellcheck source=tests/clients/kafka.bash
. "$ROOT/tests/clients/kafka.bash"
# The first run may fetch Kafka's jars.
TOOL_TIMEOUT=120

setup_file() {
	export broker=$broker_given broker_given kafka_pid=
	[ -z "$broker" ] || return 0
	command -v java >/dev/null || return 0
	[ -n "${KAFKA_JARS:-}" ] || command -v mvn >/dev/null || return 0
	kafka_start "$BATS_FILE_TMPDIR/kafka" || return 1
	broker=$KAFKA_BROKER
}

teardown_file() {
	[ -n "$broker_given" ] || kafka_stop
}

setup() {
	[ -n "$broker" ] || kafka_need
	helpers_setup
	# A name of its own for each test and each run.
	topic=places-$BATS_TEST_NUMBER-$$-$RANDOM
	at=kafka://$broker/$topic
}

teardown() {
	helpers_teardown
	logadmin topic rm "$at" >/dev/null 2>&1 || true
}

# Records with keys, nulls, empties, headers, bytes that are no text, and
# timestamps that do not ascend.
envelopes() {
	local i t=1700000000000
	for ((i = 0; i < 200; i++)); do
		printf '{"timestamp":%d,"key":"k%d","value":"event %d"' \
		    $((t + (i * 7919) % 1000)) $((i % 17)) "$i"
		printf ',"headers":[{"key":"h","value":"%d"},' $((i % 3))
		printf '{"key":"n","value":null},{"key":"e","value":""}]}\n'
	done
	printf '{"timestamp":%d,"key":"a","value":null}\n' $((t + 1))
	printf '{"timestamp":%d,"key":"b","value":""}\n' $((t + 2))
	printf '{"timestamp":%d,"key":"","value":"empty key"}\n' $((t + 3))
	printf '{"timestamp":%d,"key_base64":"AP8=","value_base64":"gIGC/w=="}\n' \
	    $((t + 4))
}

# The same records in a directory and in the cluster, under one name.  They are
# of long ago: the broker would delete them, when it looks.
both() {
	envelopes >in
	logcreate -P 3 "$topic"
	logcreate -P 3 -X retention.ms=-1 "$at"
	logappend -J "$topic" in
	logappend -J "$at" in
}

@test 'what is printed is what a directory prints' {
	both
	for options in '' -m '-n 7' '-n 7 --per-partition' '-c 5' '-o -5' '-o 3:9' \
	    '-o end' '-o :@1700000000500' '-p 1' '-p 0,2 -o 10' '-m -c 20' \
	    '-S 1700000000100 -U 1700000000700' '-k k3' '--key-regex ^k1' \
	    '--grep 99$' '--match-header h=2 -n 4' '-k k3 --invert -c 9' \
	    '-k k3 --key-partition' '--fail-empty -n 1' '-n 0'; do
		# shellcheck disable=SC2086 # a list of options
		logcat -J $options "$topic" >want
		# shellcheck disable=SC2086
		run_tool 0 logcat -J $options "$at"
		diff want "$tool_out" || {
			echo "with $options"
			return 1
		}
	done
	run_tool 0 logcat -F '%p %o %k %v\n' "$at/1"
	logcat -F '%p %o %k %v\n' "$topic/1" | diff - "$tool_out"
	run_tool 4 logcat --fail-empty --grep nothing "$at"
	# Operands of both kinds.
	run_tool 0 logcat -J "$topic/0" "$at/0"
	same "$(lines "$tool_out")" "$(($(logcat -p 0 "$topic" | wc -l) * 2))"
	# And kcat's way to say it.
	run_tool 0 logtail -b "$broker" -n 3 "$topic"
	logtail -n 3 "$topic" | diff - "$tool_out"
}

@test 'codecs' {
	seq 20000 >in
	logcreate "$at"
	for codec in none gzip snappy lz4 zstd; do
		run_tool 0 logappend -z "$codec" "$at" in
	done
	run_tool 0 logcat "$at"
	cat in in in in in | cmp - "$tool_out"
}

@test 'batches, there and back' {
	both
	logcat -B -p 0 "$at" >batches
	logcreate copy
	logappend -B copy batches
	logcat -J -p 0 "$topic" | jq -c 'del(.topic, .partition, .offset)' >want
	logcat -J copy | jq -c 'del(.topic, .partition, .offset)' | diff want -
	logcat -B -p 0 "$topic" | logappend -B -p 2 "$at"
	run_tool 0 logcat -J -p 2 -o "-$(lines want)" "$at"
	jq -c 'del(.topic, .partition, .offset)' "$tool_out" | diff want -
}

@test 'reports, bad records, tee' {
	logcreate -P 2 "$at"
	seq 5 >in
	run_tool 0 logappend --report -p 1 "$at" in
	same "$out" "$(printf "$topic\t1\t%d\n" 0 1 2 3 4)"
	run_tool 0 logappend -T "$at/1" in
	cmp in "$tool_out"
	printf 'a=1\nbad\nb=2\n' >in
	run_tool 1 logappend -K = "$at" in
	has "$err" 'in:2: '
	run_tool 0 logcat -K = "$at"
	has "$out" a=1
	run ! grep -q b=2 "$tool_out"
	run_tool 1 logappend -K = --on-bad skip --report "$at" in
	same "$(lines "$tool_out")" 2
}

@test 'a topic that is not there' {
	run_tool 1 logcat "$at"
	same "$err" "logcat: $at: no such topic"
	run_tool 1 logappend "$at" <<<x
	same "$err" \
	    "logappend: $at: no such topic (logcreate $at, or --create)"
	run_tool 0 logappend --create "$at" <<<x
	run_tool 1 logcat "$at/1"
	same "$err" "logcat: $at/1: no such topic"
	run_tool 1 logcat -p 0,3 "$at"
	has "$err" 'no partition 3 (it has 1)'
	run_tool 0 logcat "$at"
	same "$out" x
}

@test 'empty partitions, and logs that begin later' {
	logcreate -P 3 "$at"
	run_tool 0 logcat -m "$at"
	same "$out" ''
	run_tool 0 logtail "$at"
	seq 100 | logappend -p 1 "$at"
	run_tool 0 logcompact --before 90 -p 1 --stats "$at"
	has "$out" "$topic/1: start 90;"
	run_tool 0 logcat -o 5 -p 1 "$at"
	has "$err" "$topic/1: offset 5 is gone, starting at 90"
	same "$out" "$(seq 91 100)"
	run_tool 0 logstat -J "$at"
	has "$out" '"partition":1,"first_offset":90,"end_offset":100'
	# All of it may go.
	run_tool 0 logcompact --before end "$at"
	run_tool 0 logcat "$at"
	same "$out" ''
	run_tool 0 logtail -n 5 "$at"
	same "$out" ''
}

@test 'following' {
	logcreate -P 2 "$at"
	seq 3 | logappend -p 0 "$at"
	start follower logtail -f -n 2 -c 5 "$at"
	wait_for has_lines follower.out 2
	printf 'x\ny\n' | logappend -p 1 "$at"
	wait_for has_lines follower.out 4
	echo z | logappend -p 0 "$at"
	wait_exit 0 "$follower_pid"
	same "$(cat follower.out)" "$(printf '2\n3\nx\ny\nz')"
	# To an end that is still to come, and until it was quiet.
	start other logcat -f -o 2:5 -p 1 "$at"
	seq 4 | logappend -p 1 "$at"
	wait_exit 0 "$other_pid"
	same "$(cat other.out)" "$(seq 3)"
	run_tool 0 logtail -f --idle 500ms "$at"
}

@test 'a cursor file' {
	logcreate "$at"
	seq 5 | logappend "$at"
	run_tool 0 logcat --cursor-file c -c 3 "$at"
	same "$out" "$(seq 3)"
	run_tool 0 logcat --cursor-file c "$at"
	same "$out" "$(seq 4 5)"
	run_tool 0 logcat --cursor-file c "$at"
	same "$out" ''
	# A directory of that name is another topic.
	seq 5 | logappend --create "$topic"
	run_tool 0 logcat --cursor-file c "$topic"
	same "$out" "$(seq 5)"
}

@test 'a group goes on where it stopped' {
	logcreate "$at"
	seq 10 | logappend "$at"
	run_tool 0 logcat -g "$topic-g" -c 3 "$at"
	same "$out" "$(seq 3)"
	run_tool 0 logstat -g "$topic-g" -J "$at"
	has "$out" '"offset":3,"end_offset":10,"lag":7,'
	run_tool 0 logcat -g "$topic-g" "$at"
	same "$out" "$(seq 4 10)"
	run_tool 0 logcat -g "$topic-g" "$at"
	same "$out" ''
	# A new one begins where it is told to.
	run_tool 0 logcat -g "$topic-h" -o -2 "$at"
	same "$out" "$(seq 9 10)"
	# Where that is is noted, though nothing was printed.
	run_tool 0 logcat -g "$topic-i" -o end "$at"
	same "$out" ''
	seq 11 12 | logappend "$at"
	run_tool 0 logcat -g "$topic-i" "$at"
	same "$out" "$(seq 11 12)"
	# Output that nobody took is not committed.
	run_tool 0 logadmin group seek "$at" "$topic-g" -o 5
	same "$(logcat -g "$topic-g" -F '%v\n' "$at" 2>err >/dev/full || echo $?)" 1
	run_tool 0 logcat -g "$topic-g" "$at"
	same "$out" "$(seq 6 12)"
	# Nor does who was killed by its reader stand in the way of others.
	logadmin group seek "$at" "$topic-g" -o start >/dev/null
	seq 100000 | logappend "$at"
	logcat -g "$topic-g" "$at" | head -n 1 >first || true
	run_tool 0 logadmin -J group describe "$at" "$topic-g"
	has "$out" '"in_use":"no"'
}

# Has the group that many members with partitions?
in_use() {
	[ "$(logadmin -J group describe "$at" "$topic-g" |
		jq -s 'map(select(.in_use == "yes")) | length')" -ge "$1" ]
}

@test 'members of a group share, and take over from one that is killed' {
	logcreate -P 4 "$at"
	for ((i = 0; i < 400; i++)); do
		echo "k$i=$i"
	done >in
	start one logtail -f -g "$topic-g" -F '%p %o %v\n' "$at"
	start two logtail -f -g "$topic-g" -F '%p %o %v\n' \
	    -X session.timeout.ms=6000 "$at"
	logappend -K = "$at" in
	wait_for has_lines_of 400 one.out two.out
	kill -9 "$two_pid"
	logappend -K = "$at" in
	wait_for has_lines_of 800 one.out two.out
	kill "$one_pid"
	wait_exit 143 "$one_pid"
	# At least once: none is missing.
	cut -d ' ' -f 3 one.out two.out | sort -nu | diff - <(seq 0 399)
	run_tool 0 logcat -g "$topic-g" "$at"
	same "$out" ''
}

# has_lines_of N FILE...: have they so many lines together?  What was read twice
# counts once.
has_lines_of() {
	local n=$1
	shift
	[ "$(cat "$@" | sort -u | wc -l)" -ge "$n" ]
}

has_partitions() {
	logadmin -J topic ls "kafka://$broker" |
		grep -q "\"topic\":\"$topic\",\"partitions\":$1,"
}

has_records() {
	[ "$(logcat "$at" | wc -l)" -eq "$1" ]
}

gone() {
	run ! logcat "$1"
}

@test 'topics are made, changed, listed and removed' {
	run_tool 0 logcreate -P 2 --retention 2d "$at"
	run_tool 1 logcreate "$at"
	same "$err" "logcreate: $at: topic exists"
	run_tool 0 logcreate --if-not-exists --retention 2d "$at"
	run_tool 4 logcreate --if-not-exists --retention 3d "$at"
	run_tool 0 logcreate --grow-to 5 "$at"
	run_tool 2 logcreate --grow-to 2 "$at"
	wait_for has_partitions 5
	run_tool 0 logadmin -b "$broker" topic ls
	has "$out" "$topic"
	run_tool 0 logadmin topic set "$at" retention.ms=1h segment.bytes=1M
	has "$out" 172800000
	run_tool 0 logadmin -J topic describe "$at"
	has "$out" '"name":"retention.ms","value":"3600000","source":"topic"'
	has "$out" '"name":"segment.bytes","value":"1048576","source":"topic"'
	run_tool 0 logadmin topic set "$at" retention.ms=
	run_tool 0 logadmin -J topic describe "$at"
	has "$out" '"name":"segment.bytes","value":"1048576","source":"topic"'
	run ! grep -q '"retention.ms".*"source":"topic"' "$tool_out"
	run_tool 0 logcreate --like "$at" "$at-2"
	run_tool 0 logadmin -J topic describe "$at-2"
	has "$out" '"name":"logkit.partitions","value":"5"'
	run_tool 0 logadmin topic rm --dry-run "$at-2"
	run_tool 0 logadmin topic rm "$at-2"
	wait_for gone "$at-2"
	run_tool 1 logadmin topic rm "$at-2"
	same "$err" "logadmin: $at-2: no such topic"
}

@test 'groups are listed, moved and forgotten' {
	logcreate -P 2 "$at"
	seq 10 | logappend -p 0 "$at"
	seq 10 | logappend -p 1 "$at"
	g=$topic-g
	run_tool 1 logadmin group describe "$at" "$g"
	logcat -g "$g" "$at" >/dev/null
	run_tool 0 logadmin -J group ls "$at"
	has "$out" "{\"group\":\"$g\",\"topic\":\"$topic\",\"partitions\":2,"
	run_tool 0 logadmin group seek "$at" "$g" -o -3 -p 1
	run_tool 0 logadmin -J group describe "$at" "$g"
	has "$out" '"partition":1,"offset":7,"end_offset":10,"lag":3'
	run_tool 2 logstat --check --max-lag 2 "$at"
	has "$out" 'CRITICAL'
	run_tool 0 logstat --check --max-lag 3 --max-age 1h "$at"
	has "$out" 'records=U bytes=U '
	start member logtail -f -g "$g" "$at"
	wait_for in_use 1
	run_tool 4 logadmin group seek "$at" "$g" -o start
	has "$err" "group $g is in use"
	kill "$member_pid"
	wait_exit 143 "$member_pid"
	run_tool 0 logadmin group rm "$at" "$g"
	run_tool 1 logadmin group rm "$at" "$g"
}

@test 'transactions' {
	[ -z "$broker_given" ] || [ "${BROKER:-}" = kafka ] ||
		skip 'logserve has no transactions'
	need cc
	cc -o transact "$ROOT/tests/clients/transact.c" -lrdkafka ||
		skip 'librdkafka-dev is not installed'
	logcreate -P 2 "$at"
	./transact "$broker" "$topic" 0 a b commit c d abort
	run_tool 0 logcat "$at"
	same "$out" "$(printf 'a\nb')"
	run_tool 0 logcat --uncommitted "$at"
	same "$out" "$(printf 'a\nb\nc\nd')"
	run_tool 0 logcat -n 1 "$at"
	same "$out" b
	# Markers at the end count as read.
	run_tool 0 logcat --cursor-file c "$at"
	has "$(cat c)" " 0 6 "
	run_tool 0 logcat -B -p 0 "$at"
	# Records of an open transaction, and those behind them, are not there yet.
	start open ./transact "$broker" "$topic" 1 x open
	wait_for grep -q open open.out
	echo y | logappend -p 1 "$at"
	run_tool 0 logcat -p 1 "$at"
	same "$out" ''
	run_tool 0 logcat -p 1 --uncommitted "$at"
	same "$out" "$(printf 'x\ny')"
	run_tool 0 logstat -J "$at/1"
	has "$out" '"end_offset":2,'
	has "$out" '"last_stable_offset":0'
}

@test 'TERM: whole lines that were read are appended' {
	logcreate "$at"
	mkfifo pipe
	start writer logappend "$at" pipe
	exec 9>pipe
	printf 'one\ntwo\nhalf' >&9
	wait_for has_records 2
	kill -TERM "$writer_pid"
	# Its end would make the last line a whole one.
	wait_exit 143 "$writer_pid"
	exec 9>&-
	has "$(cat writer.err)" '4 bytes of an unfinished record'
	run_tool 0 logcat "$at"
	same "$out" "$(printf 'one\ntwo')"
}

@test 'many writers, and nothing is lost' {
	logcreate -P 3 "$at"
	for w in 1 2 3 4; do
		start "w$w" sh -c "seq -f '$w:%g' 20000 | logappend --batch-bytes 4K '$at'"
	done
	for w in w1_pid w2_pid w3_pid w4_pid; do
		wait_exit 0 "${!w}"
	done
	run_tool 0 logcat "$at"
	sort "$tool_out" | diff -q - <(for w in 1 2 3 4; do
		seq -f "$w:%g" 20000
	done | sort)
	# Each writer's records of a partition are in order.
	for p in 0 1 2; do
		for w in 1 2 3 4; do
			logcat -p "$p" "$at" | sed -n "s/^$w://p" | sort -nc
		done
	done
}

@test 'a topic that is removed under a follower' {
	logcreate "$at"
	echo x | logappend "$at"
	start follower logtail -f "$at"
	wait_for has_lines follower.out 1
	logadmin topic rm "$at"
	wait_exit 1 "$follower_pid"
	has "$(cat follower.err)" removed
}
