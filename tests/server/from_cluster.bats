# logreplicate from a logserve: the same batches as from its directory.

load server

# copy CODE ARG...: logreplicate, which says no more than it is to.
copy() {
	local code=$1
	shift
	run_tool "$code" logreplicate "$@"
}

# same_batches A B: the same bytes in each partition, in whatever segments.
same_batches() {
	local dir
	for dir in "$1"/[0-9]*; do
		cmp <(cat "$dir"/*.log) <(cat "$2/${dir##*/}"/*.log) || return 1
	done
	run_tool 0 logfsck "$2"
}

@test 'a topic, nothing, what is new, and partitions that are new' {
	logcreate -P 3 --segment-bytes 10000 --retention 7d root/a
	seq 1 3000 | sed 's/.*/k&=&/' | logappend -K = root/a
	seq 1 3000 | sed 's/.*/k&=&/' |
		logappend -z zstd --batch-bytes 1K -K = root/a
	copy 0 -v "kafka://$address/a" b
	has "$out" 'a/2: offsets 0 to '
	same_batches root/a b
	# Its segments are as its own settings say.
	[ "$(echo b/0/*.log | wc -w)" -gt 1 ]
	same "$(cd b && echo ?/*.log)" "$(cd root/a && echo ?/*.log)"
	same "$(grep -v '#\|logkit' b/topic.properties | sort)" \
	    "$(grep -v '#\|logkit' root/a/topic.properties | sort)"
	copy 0 -v "kafka://$address/a" b
	same "$out" ''
	echo more | logappend -p 1 root/a
	logcreate --grow-to 4 root/a
	echo new | logappend -p 3 root/a
	copy 0 -n "kafka://$address/a" b
	copy 0 -v "kafka://$address/a" b
	same "$(grep -c offsets <<<"$out")" 2
	same_batches root/a b
	copy 0 --checksum -v "kafka://$address/a" b
	has "$out" ' compared'
	# One partition, and some.
	copy 0 "kafka://$address/a/3" c
	same "$(logcat c)" new
	copy 0 -p 1,3 "kafka://$address/a" d
	same "$(logcat -p 0,2 d)" ''
	same "$(logcat -p 1 d)" "$(logcat -p 1 root/a)"
}

@test 'a batch larger than others, and a log that begins late' {
	logcreate --set max.message.bytes=100000000 root/a
	seq 100 | logappend root/a
	head -c 30000000 /dev/zero | tr '\0' x | logappend --whole root/a
	seq 100 | logappend root/a
	copy 0 "kafka://$address/a" b
	same_batches root/a b
	logcompact -q --before 150 root/a
	copy 0 "kafka://$address/a" c
	same "$(logstat -J c | jq .first_offset)" 150
	same "$(logcat c)" "$(logcat root/a)"
	copy 0 --cleanup mirror "kafka://$address/a" b
	same "$(logstat -J b | jq .first_offset)" 150
	# Nothing is left.
	logcompact -q --before end root/a
	copy 0 "kafka://$address/a" d
	echo next | logappend root/a
	copy 0 "kafka://$address/a" d
	same "$(logcat -F '%o %v\n' d)" '201 next'
}

has_records() {
	[ "$(logcat "$1" 2>/dev/null | wc -l)" -ge "$2" ]
}

@test 'a root is followed: records, partitions, topics, groups' {
	logcreate root/a root/no
	mkdir copy
	start copying logreplicate -f --groups --exclude no \
	    "kafka://$address/" copy
	seq 10 | logappend root/a
	wait_for has_records copy/a 10
	logcreate -P 2 root/b
	seq 20 | logappend root/b
	logcreate --grow-to 2 root/a
	seq 5 | logappend -p 1 root/a
	logcat -g g root/a >/dev/null
	wait_for has_records copy/b 20
	wait_for has_records copy/a 15
	wait_for position_there copy/a g 1 5
	logadmin topic set root/a retention.ms=3d >/dev/null
	wait_for setting_there
	# The server goes away, and another is there in its place.
	kill "$server_pid"
	wait_exit 0 "$server_pid"
	start server logserve --ready-fd 7 -l "$address" root 7>ready
	seq 11 20 | logappend -p 0 root/a
	wait_for has_records copy/a 25
	kill "$copying_pid"
	wait_exit 143 "$copying_pid"
	[ ! -e copy/no ]
	same_batches root/a copy/a
	same_batches root/b copy/b
}

setting_there() {
	grep -q '^retention.ms=259200000$' copy/a/topic.properties
}

position_there() {
	logadmin -J group describe "$1" "$2" 2>/dev/null |
		grep -q "\"partition\":$3,\"offset\":$4,"
}

@test 'a copy that differs, and one that went its own way' {
	logcreate root/a
	seq 100 | logappend --batch-bytes 200 root/a
	copy 0 "kafka://$address/a" b
	logadmin topic promote b >/dev/null
	seq 5 | logappend b
	logadmin topic demote b >/dev/null
	seq 101 200 | logappend --batch-bytes 200 root/a
	copy 4 "kafka://$address/a" b
	has "$err" 'a/0: diverged: from offset 100 on'
	copy 0 --on-diverge truncate "kafka://$address/a" b
	same_batches root/a b
	[ -n "$(ls b/0/lost+found)" ]
}

@test 'more than is held at a time' {
	local p
	logcreate -P 6 --set max.message.bytes=20000000 root/a
	head -c 9000000 /dev/zero | tr '\0' x >large
	for p in 0 1 2 3 4 5; do
		logappend --fsync none --whole -p "$p" root/a large large
	done
	copy 0 "kafka://$address/a" b
	same_batches root/a b
	copy 0 --checksum --stats "kafka://$address/a" b
	has "$out" '108000888 bytes compared'
}

@test 'a group that is behind the end' {
	logcreate b
	seq 60 | logappend b
	logcat -g one b >/dev/null
	logcreate a
	seq 10 | logappend a
	cp -a b/groups a
	mv a root
	copy 0 --groups "kafka://$address/a" copy
	same "$err" 'logreplicate: a: group one: position 60 in partition 0 is '\
'left out, for the log ends at 10'
	seq 11 60 | logappend root/a
	copy 0 --groups "kafka://$address/a" copy
	same "$err" ''
	position_there copy/ one 0 60
}

@test 'where a copy begins' {
	logcreate root/a
	for i in $(seq 100); do
		printf '{"timestamp":%d,"value":"%d"}\n' $((1700000000000 + i)) "$i"
	done | logappend -J --batch-bytes 200 root/a
	copy 0 -o 42 "kafka://$address/a" b
	same "$(logcat -F '%o\n' b | head -n 1)" 42
	copy 0 -o -7 "kafka://$address/a" c
	same "$(logcat c)" "$(seq 94 100)"
	copy 0 -o @1700000000060 "kafka://$address/a" d
	same "$(logcat d)" "$(seq 60 100)"
	copy 0 -o end "kafka://$address/a" e
	same "$(logcat e)" ''
	echo 101 | logappend root/a
	for c in b c d e; do
		copy 0 "kafka://$address/a" "$c"
		same "$(logcat "$c" | tail -n 1)" 101
	done
	same "$(logcat -F '%o\n' e)" 100
}

ends_with() {
	[ "$(logcat "$1" 2>/dev/null | tail -n 1)" = "$2" ]
}

@test 'a topic is followed, removed, and made anew' {
	seq 5 | logappend --create root/t
	start rep logreplicate -f "kafka://$address/t" copy
	start all logreplicate -f "kafka://$address/" all
	wait_for has_records copy 5
	wait_for has_records all/t 5
	logadmin topic rm "kafka://$address/t"
	seq 31 40 | logappend --create "kafka://$address/t"
	wait_exit 4 "$rep_pid"
	has "$(<rep.err)" 'the topic was removed and made anew'
	has "$(<rep.err)" 'diverged: from offset 0 on'
	same "$(logcat copy | tail -n 1)" 5
	wait_exit 4 "$all_pid"
	has "$(<all.err)" 't/0: diverged: from offset 0 on'
	# Or it is taken instead.
	start rep logreplicate -f --on-diverge truncate "kafka://$address/t" copy
	wait_for ends_with copy 40
	logadmin topic rm "kafka://$address/t"
	seq 3 | logappend --create "kafka://$address/t"
	wait_for ends_with copy 3
	same "$(logcat copy)" $'1\n2\n3'
	kill "$rep_pid"
	wait_exit 143 "$rep_pid"
}

@test 'what cannot be' {
	copy 1 "kafka://$address/none" b
	same "$err" "logreplicate: kafka://$address/none: no such topic"
	logcreate -P 2 root/a
	copy 1 "kafka://$address/a/2" b
	same "$err" "logreplicate: kafka://$address/a: no such topic"
	copy 1 --timeout 1s kafka://127.0.0.1:1/a b
	same "$err" 'logreplicate: 127.0.0.1:1: Connection refused'
	copy 1 -X security.protocol=sasl_plaintext "kafka://$address/a" b
	has "$err" 'sasl.mechanism: not given'
	copy 1 -X ssl.no.such=1 "kafka://$address/a" b
	has "$err" 'ssl.no.such: not a property that is known here'
	copy 2 -X sasl.password=x "kafka://$address/a" b
	# Its own directory is no copy of it.
	copy 4 "kafka://$address/a" root/a
	has "$err" 'source and destination are the same'
	# A copy of it by other means is, though it has its id.
	seq 5 | logappend -p 0 root/a
	cp -a root/a seeded
	logadmin topic demote seeded >/dev/null
	seq 6 10 | logappend -p 0 root/a
	copy 0 -v "kafka://$address/a" seeded
	has "$out" 'a/0: offsets 5 to 9, '
	same_batches root/a seeded
	# Also where it stands beside it.
	cp -a root/a root/e
	copy 4 "kafka://$address/a" root/e
	has "$err" 'not a replica, and not empty'
	# One topic is no directory of topics.
	mkdir dir
	copy 1 "kafka://$address/" seeded
	same "$err" 'logreplicate: seeded: is no directory of topics, as the source is'
	copy 1 "kafka://$address/a" dir
	# It is made, if it is missing.
	copy 0 "kafka://$address/" copies
	same_batches root/a copies/a
}

@test 'examples/archive.sh' {
	for t in orders-a orders-b other; do
		seq 10 | logappend --create "root/$t"
	done
	FOLLOW='' run_tool 0 "$ROOT/examples/archive.sh" "$address" kept \
	    'orders*'
	same "$(ls kept)" "$(printf 'orders-a\norders-b')"
	FOLLOW='' run_tool 0 "$ROOT/examples/archive.sh" "$address" kept
	same "$(logcat kept/* | wc -l)" 30
	grep -qxF "source=kafka://$address/other" kept/other/replica.properties
}
