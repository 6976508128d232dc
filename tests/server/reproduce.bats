# logreplicate --reproduce to a logserve: records are sent again, each once, of
# one source for each topic there, and never in a ring.

load server

# id_of TOPIC: its topic id, as in the headers of what is sent from it.
id_of() {
	sed -n 's/^logkit.topic.id=//p' "$1/topic.properties"
}

# reproduce CODE ARG...: logreplicate --reproduce.
reproduce() {
	local code=$1
	shift
	run_tool "$code" logreplicate --reproduce "$@"
}

# ends TOPIC: the end of each of its partitions.
ends() {
	logstat -J "$1" | jq -r .end_offset | tr '\n' ' '
}

@test 'records sent again, each once' {
	local at=kafka://$address/b
	logcreate -P 2 a
	seq 1 1000 | logappend -z zstd a
	run_tool 0 logreplicate -n --reproduce a "$at"
	same "${out//[01]:/N:}" \
	    "$(printf 'a: made, 2 partitions\na/N: offsets 0 to 999')"
	same "$(ls root)" ''
	run_tool 0 logreplicate --reproduce a "$at"
	run_tool 0 logreplicate -v --reproduce a "$at"
	same "$out" ''
	echo more | logappend -p 1 a
	echo theirs | logappend -p 0 "$at"
	run_tool 0 logreplicate --reproduce a "$at"
	echo last | logappend -p 0 a
	run_tool 0 logreplicate --reproduce a "$at"
	same "$(logcat -p 0 root/b | grep -v theirs)" "$(logcat -p 0 a)"
	same "$(logcat -p 1 root/b)" "$(logcat -p 1 a)"
	same "$(logcat -J -p 1 -o -1 root/b | jq -c .headers)" \
	    "$(logcat -J -p 1 -o -1 a | jq -c --arg id "$(id_of a)" '[
		{key: "logkit.offset", value: (.offset | tostring)},
		{key: "logkit.source", value: $id}]')"
	local option
	for option in --groups --checksum '--cleanup mirror' \
	    '--on-diverge truncate' '--replica-secret secret'; do
		# shellcheck disable=SC2086 # an option and its value
		run_tool 2 logreplicate --reproduce $option a "$at"
		has "$err" "${option% *}"
	done
	run_tool 2 logreplicate --reproduce a c
	run_tool 2 logreplicate --replica-secret secret a c
}

@test 'nothing from before the log start, or what -o says' {
	logcreate a
	seq 0 999 | logappend --batch-bytes 1000 a
	logcompact -q --before 505 a
	run_tool 0 logreplicate --reproduce a "kafka://$address/whole"
	cmp <(logcat root/whole) <(seq 505 999)
	run_tool 0 logreplicate --reproduce -o 705 a "kafka://$address/part"
	cmp <(logcat root/part) <(seq 705 999)
	# Where nothing came it goes on all the same.
	run_tool 0 logreplicate --reproduce -o end a "kafka://$address/new"
	seq 1000 1004 | logappend a
	for place in whole part new; do
		run_tool 0 logreplicate --reproduce -o end a "kafka://$address/$place"
	done
	cmp <(logcat root/whole) <(seq 505 1004)
	cmp <(logcat root/part) <(seq 705 1004)
	cmp <(logcat root/new) <(seq 1000 1004)
}

@test '-v names what is sent, and not what else is in its batch' {
	local at=kafka://$address
	seq 0 4 | logappend --create a
	reproduce 0 -n -o 2 a "$at/m"
	has "$out" 'a/0: offsets 2 to 4'
	reproduce 0 -v -o 2 a "$at/m"
	has "$out" 'a/0: offsets 2 to 4, '
	same "$(logcat root/m)" "$(seq 2 4)"
	echo 5 | logappend a
	reproduce 0 -v a "$at/m"
	has "$out" 'a/0: offsets 5 to 5, '
	# So it is where the log begins within a batch.
	logcompact -q --before 3 a
	reproduce 0 -v a "$at/n"
	has "$out" 'a/0: offsets 3 to 5, '
	same "$(logcat root/n)" "$(seq 3 5)"
	# A copy has all of the batch.
	run_tool 0 logreplicate -v -o 4 a copy
	has "$out" 'a/0: offsets 0 to 5, '
}

@test 'of each record it is told through which topics it has come' {
	logcreate -P 2 a
	logcreate b
	echo '{"key":null,"value":"v","headers":[{"key":"h","value":"1"}]}' |
		logappend -J -p 0 a
	reproduce 0 a "kafka://$address/m"
	reproduce 0 root/m "kafka://$address/n"
	same "$(logcat -J root/n | jq -r '.headers[] | .key + "=" + .value' |
		tr '\n' ' ')" \
	    "h=1 logkit.offset=0 logkit.source=$(id_of a) logkit.offset=0$(
	    ) logkit.source=$(id_of root/m) "
}

# refused_source A B: what was said of b, where a has sent before.
refused_source() {
	has "$err" "of another source, topic id $1, and this one is $2"
}

@test 'a topic there has one source' {
	local m=kafka://$address/m x
	logcreate x
	logcreate -P 2 y
	seq 1 6 | logappend x
	seq 11 16 | logappend -p 0 y
	seq 21 26 | logappend -p 1 y
	x=$(id_of x)
	reproduce 0 x "$m"
	reproduce 4 -n y "$m"
	reproduce 4 y "$m"
	refused_source "$x" "$(id_of y)"
	same "$(wc -l <<<"$err")" 1
	# Not one partition of it, and none is made for it.
	same "$(ends root/m)" '6 '
	# By what stands in the log alone.
	logadmin -q group rm "$m" logkit.reproduce
	reproduce 4 -p 0 y "$m"
	refused_source "$x" "$(id_of y)"
	# What x has sent is known still.
	echo 7 | logappend x
	reproduce 0 x "$m"
	same "$(logcat root/m)" "$(seq 1 7)"
	# By the position alone.
	logcompact -q --before end root/m
	same "$(logcat root/m)" ''
	reproduce 4 y "$m"
	refused_source "$x" "$(id_of y)"
	# Another one by the name of the first.
	logadmin -q topic rm x
	logcreate x
	seq 1 20 | logappend x
	reproduce 4 x "$m"
	refused_source "$x" "$(id_of x)"
	reproduce 4 -f x "$m"
	same "$(logcat root/m)" ''
	reproduce 0 x "kafka://$address/other"
	same "$(logcat root/other)" "$(seq 1 20)"
}

# There are N records or more.
sent() {
	[ "$(logcat "$1" | wc -l)" -ge "$2" ]
}

@test 'a source that is made anew while it is followed' {
	local first
	logcreate x
	seq 1 6 | logappend x
	first=$(id_of x)
	reproduce 0 x "kafka://$address/m"
	seq 7 9 | logappend x
	start rep logreplicate -f --reproduce x "kafka://$address/m"
	wait_for sent root/m 9
	echo 10 | logappend x
	wait_for sent root/m 10
	logcreate z
	seq 11 30 | logappend z
	# At once: between the two it would be a topic that was removed.
	perl -e 'rename("x", "x.was") && rename("z", "x") or die'
	wait_exit 4 "$rep_pid"
	grep "another source, topic id $first\|diverged" rep.err
	same "$(logcat root/m)" "$(seq 1 10)"
}

# sources TOPIC: those that its records name, each once.
sources() {
	logcat -J "$1" | jq -r '.headers[] | select(.key == "logkit.source").value' |
		sort -u
}

@test 'a partition of a broker: its topic is known by its id, or its place' {
	local from=$ROOT/tests/golden/txn/txn-0 n
	reproduce 0 "$from" "kafka://$address/m"
	same "$(sources root/m)" \
	    "$(sed -n 's/^topic_id: *//p' "$from/partition.metadata")"
	cp -a "$from" txn-1
	reproduce 0 txn-1 "kafka://$address/m"
	same "$(wc -l <<<"$(sources root/m)")" 1
	mkdir one other
	for n in one/t-0 one/t-1 one/u-0 other/t-0; do
		cp -a "$from" "$n"
		rm "$n/partition.metadata"
	done
	reproduce 0 one/t-0 "kafka://$address/n"
	reproduce 0 one/t-1 "kafka://$address/n"
	for n in one/u-0 other/t-0 "$from"; do
		reproduce 4 "$n" "kafka://$address/n"
		has "$err" 'of another source'
	done
	same "$(wc -l <<<"$(sources root/n)")" 1
}

@test 'a topic is not sent to itself' {
	local w=kafka://$address/w from
	logcreate -P 2 root/w
	seq 1 10 | logappend root/w
	for from in root/w root/w/0 "$w"; do
		reproduce 4 -f "$from" "$w"
		has "$err" 'w: source and destination are the same topic'
		reproduce 4 -n "$from" "$w"
	done
	# Of several, that one.
	mkdir src
	logcreate src/a
	seq 1 3 | logappend src/a
	cp -a root/w src/w
	reproduce 4 src "kafka://$address/"
	has "$err" 'w: source and destination are the same topic'
	same "$(logcat root/a)" "$(seq 1 3)"
	same "$(logcat root/w | sort -n)" "$(seq 1 10)"
}

@test 'a copy is not sent to what it is a copy of' {
	local at=kafka://$address/a
	logcreate root/a
	seq 1 10 | logappend root/a
	logreplicate root/a b
	logreplicate b c
	logreplicate "$at" d
	for from in b c d; do
		reproduce 4 -f "$from" "$at"
		same "$err" "logreplicate: $from: $at: the source is a copy of it"
	done
	same "$(ends root/a)" '10 '
	# A server does not tell of what its topics are copies.
	logreplicate b root/e
	reproduce 0 "kafka://$address/e" "$at"
	logreplicate root/a b
	logreplicate b root/e
	reproduce 4 "kafka://$address/e" "$at"
	has "$err" 'offset 10 was sent from this source before: a loop'
	same "$(ends root/a)" '20 '
}

# follow NAME SRC DST: in the background.
follow() {
	start "$1" logreplicate -f --reproduce "kafka://$address/$2" \
	    "kafka://$address/$3"
}

@test 'two topics that are sent to each other, and three in a ring' {
	local t
	for t in a b; do
		logcreate "root/$t"
	done
	follow ab a b
	follow ba b a
	seq 1 10 | logappend root/a
	wait_exit 4 "$ba_pid"
	has "$(cat ba.err)" \
	    "b/0: kafka://$address/a: offset 0 has come from there: a loop"
	wait_for sent root/b 10
	same "$(ends root/a)$(ends root/b)" '10 10 '
	# What b has before that is sent, and where it goes on it is said again.
	reproduce 4 root/b "kafka://$address/a"
	seq 1 5 | logappend root/b
	reproduce 0 -o end root/b "kafka://$address/c"
	seq 11 15 | logappend root/a
	wait_for sent root/b 20
	reproduce 0 root/b "kafka://$address/c"
	reproduce 4 root/c "kafka://$address/a"
	has "$err" \
	    "c/0: kafka://$address/a: offset 0 has come from there: a loop"
	same "$(ends root/a)$(ends root/c)" '15 5 '
}

@test 'what stands before the first that came round is sent' {
	logcreate root/a root/b
	seq 1 5 | logappend root/b
	seq 6 9 | logappend root/a
	reproduce 0 root/a "kafka://$address/b"
	reproduce 4 root/b "kafka://$address/a"
	has "$err" 'offset 5 has come from there'
	reproduce 4 root/b "kafka://$address/a"
	same "$(logcat root/a)" "$(seq 6 9; seq 1 5)"
}

@test 'a copy takes the place of its source' {
	local m=kafka://$address/m
	logcreate a
	seq 1 6 | logappend a
	reproduce 0 a "$m"
	logreplicate a b
	seq 7 8 | logappend a
	logreplicate a b
	# While it is a copy, ...
	reproduce 0 b "$m"
	same "$(logcat root/m)" "$(seq 1 8)"
	# ... when it was promoted, ...
	logadmin -q topic promote b
	seq 9 10 | logappend b
	reproduce 0 b "$m"
	same "$(logcat root/m)" "$(seq 1 10)"
	same "$(logcat -J -o -1 root/m | jq -r '.headers[1].value')" "$(id_of b)"
	# ... by what stands in the log alone, and through another copy.
	logadmin -q group rm "$m" logkit.reproduce
	logreplicate b c
	logadmin -q topic promote c
	echo 11 | logappend c
	reproduce 0 c "$m"
	same "$(logcat root/m)" "$(seq 1 11)"
	# One that was nobody's copy.
	cp -a c d
	logadmin -q topic rm c
	logcreate c
	reproduce 4 c "$m"
}

@test 'a copy that lacks what was sent does not take its place' {
	local m=kafka://$address/m
	logcreate a
	seq 1 6 | logappend a
	logreplicate a b
	seq 7 8 | logappend a
	reproduce 0 a "$m"
	logadmin -q topic promote b
	# As long as it is shorter, and when it is not.
	reproduce 4 b "$m"
	has "$err" 'diverged: what was sent is not what the source has'
	echo other | logappend b
	reproduce 4 b "$m"
	seq 9 20 | logappend b
	reproduce 4 b "$m"
	has "$err" 'diverged: what was sent is not what the source has'
	# By what stands in the log, too, and by the position.
	logadmin -q group rm "$m" logkit.reproduce
	reproduce 4 b "$m"
	reproduce 0 a "$m"
	echo 9 | logappend a
	reproduce 0 a "$m"
	logcompact -q --before end root/m
	reproduce 4 b "$m"
	same "$(ends root/m)" '9 '
	# A directory that was copied, and went its own way.
	cp -a a c
	echo 10 | logappend a
	seq 11 14 | logappend c
	reproduce 0 a "$m"
	reproduce 4 c "$m"
	has "$err" diverged
	same "$(ends root/m)" '10 '
}

@test 'what compaction and retention take at the source is not missed' {
	local m=kafka://$address/m
	logcreate --compact --segment-bytes 4096 a
	for i in 1 2 3; do
		seq -f "key%g=$i" 1 300 | logappend -K = a
	done
	reproduce 0 a "$m"
	logcompact --include-active a
	reproduce 0 a "$m"
	seq -f "key%g=4" 1 300 | logappend -K = a
	logcompact --include-active a
	reproduce 0 a "$m"
	same "$(logcat -o -300 root/m)" "$(yes 4 | head -n 300)"
	logcompact -q --before end a
	seq -f "key%g=5" 1 300 | logappend -K = a
	reproduce 0 a "$m"
	reproduce 0 a "$m"
	same "$(ends root/m)" '1500 '
	same "$(logcat -o -300 root/m)" "$(yes 5 | head -n 300)"
}

@test 'a destination that sets timestamps itself, and one without records' {
	local m=kafka://$address/m
	logcreate a
	seq 1 6 | logappend a
	logcreate --set message.timestamp.type=LogAppendTime root/m
	reproduce 0 a "$m"
	reproduce 0 a "$m"
	logadmin -q group rm "$m" logkit.reproduce
	reproduce 0 a "$m"
	echo 7 | logappend a
	reproduce 0 a "$m"
	same "$(logcat root/m)" "$(seq 1 7)"
	logcompact -q --before end root/m
	echo 8 | logappend a
	reproduce 0 a "$m"
	reproduce 0 a "$m"
	same "$(logcat root/m)" 8
}

@test 'what is wrong is told with the destination as it was written' {
	local at=kafka://$address
	mkdir dir
	for t in x y; do
		seq 5 | logappend --create "dir/$t"
	done
	reproduce 1 dir "$at/m"
	same "$err" "logreplicate: $at/m: many topics cannot be one"
	reproduce 1 dir/x "$at/"
	same "$err" "logreplicate: $at/: one topic cannot be a cluster"
	reproduce 1 dir/x kafka://127.0.0.1:1/m
	same "$err" 'logreplicate: kafka://127.0.0.1:1/m: Connection refused'
	# Which of several it was is told behind that.
	reproduce 1 dir/x kafka://127.0.0.1:1,127.0.0.1:2/m
	has "$err" \
	    'logreplicate: kafka://127.0.0.1:1,127.0.0.1:2/m: 127.0.0.1:'
	logcreate -X max.message.bytes=100 root/x
	reproduce 1 dir/x "$at/x"
	same "$err" "logreplicate: x/0: $at/x: batch over max.message.bytes"
	# One of many.
	reproduce 1 dir "$at/"
	same "$err" "logreplicate: x/0: $at/x: batch over max.message.bytes"
	same "$(logcat root/y)" "$(seq 5)"
}

@test '-n tells which topic would be made, and grown' {
	logcreate -P 3 a
	seq 1 9 | logappend -p 1 a
	reproduce 0 -n a "kafka://$address/m"
	same "$out" "$(printf 'a: made, 3 partitions\na/1: offsets 0 to 8')"
	same "$(ls root)" ''
	logcreate root/m
	reproduce 0 -n a "kafka://$address/m"
	same "$out" "$(printf 'a: grown to 3 partitions\na/1: offsets 0 to 8')"
	same "$(ends root/m)" '0 '
	reproduce 0 --itemize a "kafka://$address/m"
	has "$out" 'a: grown to 3 partitions'
	reproduce 0 -n a "kafka://$address/m"
	same "$out" ''
}
