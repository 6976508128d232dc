# logreplicate -f: what happens at the source while it follows.
load ../helpers

has_records() {
	[ "$(logcat "$1" | wc -l)" -eq "$2" ]
}

is_at() {
	[ "$(logadmin -J group describe "$1" "$2" | jq -s '.[0].offset')" = "$3" ]
}

stop() {
	kill "$1"
	wait_for process_gone "$1"
}

@test "topics, partitions and records that come, in a root" {
	mkdir root copy
	logcreate root/one
	start rep logreplicate -f root copy
	wait_for test -e copy/one
	seq 5 | logappend root/one
	wait_for has_records copy/one 5
	logcreate -P 2 root/two
	seq 3 | logappend -p 1 root/two
	wait_for has_records copy/two 3
	logcreate --grow-to 3 root/one
	seq 4 | logappend -p 2 root/one
	wait_for has_records copy/one 9
	# One that came later is followed as well.
	seq 3 | logappend -p 1 root/two
	wait_for has_records copy/two 6
	stop "$rep_pid"
}

@test "positions of groups, as soon as the records are there" {
	logcreate a
	seq 100 | logappend a
	start rep logreplicate -f --groups a b
	wait_for has_records b 100
	logcat -g one -c 60 a >/dev/null
	wait_for is_at b one 60
	logcat -g one -c 10 a >/dev/null
	wait_for is_at b one 70
	# Committed with the records that it is behind.
	seq 50 | logappend a
	logcat -g one a >/dev/null
	wait_for is_at b one 150
	stop "$rep_pid"
}

@test "a partition that never rests does not keep the others waiting" {
	logcreate -P 2 a
	start rep logreplicate -f --bwlimit 500K a b
	seq 1 8000000 | logappend -p 0 --fsync none a
	wait_for is_behind b
	echo here | logappend -p 1 a
	wait_for has_line b
	wait_for is_behind b
	stop "$rep_pid"
}

is_behind() {
	[ "$(logstat -J --replicas "$1" | jq -s '.[0].lag')" -gt 100000 ]
}

has_line() {
	logcat -p 1 "$1" | grep -qx here
}

# one_by_one TOPIC LINE...: a batch each.
one_by_one() {
	local topic=$1 line
	shift
	for line in "$@"; do
		echo "$line" | logappend --create "$topic"
	done
}

@test "a source that is cut, and goes on otherwise, has diverged" {
	one_by_one a 1 2 3 4 5
	cp -a a restored
	one_by_one a old6 old7 old8
	logreplicate a b
	start rep logreplicate -f b c
	wait_for has_records c 8
	rm -r a
	mv restored a
	one_by_one a new6 new7 new8 new9 new10
	run_tool 0 logreplicate --on-diverge truncate a b
	wait_exit 4 "$rep_pid"
	has "$(<rep.err)" 'diverged: from offset 5 on'
	same "$(logcat c | tail -n 1)" old8
	# Or it is cut where the source was.
	start rep logreplicate -f --on-diverge truncate b c
	wait_for has_records c 10
	rm -r a
	one_by_one a other1 other2
	run_tool 0 logreplicate --on-diverge truncate a b
	wait_for has_records c 2
	stop "$rep_pid"
	logcat b >of_b
	logcat c | cmp - of_b
}

has_last() {
	[ "$(logtail -n 1 "$1")" = "$2" ]
}

@test "what compaction has taken, on either side, stops no follower" {
	logcreate --compact a
	printf '%s\n' k=1 k=2 | logappend -K = a
	run_tool 0 logreplicate a b
	# What both have last is gone at the source, and all before it.
	echo k=3 | logappend -K = a
	logcompact --include-active a
	start rep logreplicate -f a b
	wait_for has_last b 3
	echo k=4 | logappend -K = a
	logcompact --include-active a
	wait_for has_last b 4
	stop "$rep_pid"
	run_tool 0 logfsck b
	# The copy has it in a batch of its own making.
	printf '%s\n' k=5 l=5 k=6 | logappend -K = a
	run_tool 0 logreplicate a b
	logadmin topic promote b
	logcompact --include-active b
	logadmin topic demote b
	start rep logreplicate -f a b
	echo k=7 | logappend -K = a
	wait_for has_last b 7
	stop "$rep_pid"
	same "$(<rep.err)" ''
	cmp <(logcat --latest -K = a | sort) <(logcat --latest -K = b | sort)
	run_tool 0 logfsck b
}

@test "a topic that is removed, and another one made, has diverged" {
	mkdir root copy
	one_by_one root/t 1 2 3
	start rep logreplicate -f root copy
	wait_for has_records copy/t 3
	rm -r root/t
	one_by_one root/t one two three four five
	wait_exit 4 "$rep_pid"
	has "$(<rep.err)" 't/0: diverged: from offset 0 on'
	same "$(logcat copy/t | tail -n 1)" 3
}

# other_behind TOPIC OFFSET: one that begins there, where another one ended.
other_behind() {
	logcreate "$1"
	seq "$2" | logappend "$1"
	logcompact --before end "$1"
	seq 3 | logappend "$1"
}

@test "another topic by that name that begins behind the copy has diverged" {
	mkdir root copy
	one_by_one root/t 1 2 3
	start rep logreplicate -f root copy
	wait_for has_records copy/t 3
	other_behind other 10
	mv root/t away
	mv other root/t
	wait_exit 4 "$rep_pid"
	has "$(<rep.err)" 't/0: diverged: from offset 0 on'
	same "$(logcat copy/t | tail -n 1)" 3
	# Also the next time, and as often as that is asked.
	run_tool 4 logreplicate root copy
	run_tool 4 logreplicate root copy
	has "$err" 't/0: diverged: from offset 0 on'
	run_tool 0 logreplicate --on-diverge truncate root copy
	same "$(logcat -o start copy/t | head -n 1)" 1
	logcat root/t >want
	logcat copy/t | cmp - want
	run_tool 0 logreplicate root copy
	# What was cut is not lost.
	[ -e copy/t/0/lost+found ]
}

@test "another topic by that name with fewer partitions is told once" {
	mkdir root copy
	logcreate -P 3 root/t
	logcreate root/other
	seq 9 | logappend -p 2 root/t
	start rep logreplicate -f root copy
	wait_for has_records copy/t 9
	rm -r root/t
	logcreate root/t
	wait_for grep -q 't/2: .*it has fewer partitions than it had' rep.err
	wait_for grep -q 't/1: .*it has fewer partitions than it had' rep.err
	seq 5 | logappend root/other
	wait_for has_records copy/other 5
	kill "$rep_pid"
	wait_exit 143 "$rep_pid"
	same "$(grep -o 't/[12]: ' rep.err | wc -l)" 2
}

# new_behind TOPIC: of partition 1 it has what begins behind offset 3.
new_behind() {
	logcreate -P 2 "$1"
	seq 5 | logappend -p 0 "$1"
	seq 10 | sed s/^/new/ | logappend -p 1 "$1"
	logcompact -p 1 --include-active "$1"
	seq 11 20 | sed s/^/new/ | logappend -p 1 "$1"
	logcompact -p 1 --before 10 "$1"
}

@test "partitions of another topic are refused as often as they are asked for" {
	logcreate -P 2 o
	printf '%s\n' old1 old2 old3 | logappend -p 1 o
	run_tool 0 logreplicate o c
	rm -r o
	new_behind o
	# One begins with it, so the copy is of that topic now.
	start rep logreplicate -f -p 0 --on-diverge truncate o c
	wait_for has_records c 8
	echo x | logappend -p 0 o
	wait_for has_records c 9
	stop "$rep_pid"
	grep -q '^other.1=3$' c/replica.properties
	run_tool 4 logreplicate o c
	has "$err" 'o/1: diverged: from offset 0 on'
	run_tool 4 logreplicate o c
	same "$(logcat -p 1 c | tail -n 1)" old3
	run_tool 0 logreplicate --on-diverge truncate o c
	logcat -p 1 o >want
	logcat -p 1 c | cmp - want
	[ "$(grep -c '^other' c/replica.properties)" -eq 0 ]
	run_tool 0 logreplicate o c
}

@test "a source that was taken by mistake leaves nothing behind" {
	one_by_one a 1 2 3
	run_tool 0 logreplicate a c
	one_by_one other 1 2 x y z
	run_tool 4 logreplicate other c
	seq 10 | logappend a
	logcompact --before end a
	seq 3 | logappend a
	run_tool 0 logreplicate a c
	same "$(logcat c | tail -n 1)" 3
}

@test "what was cut for another topic is a copy of that one" {
	one_by_one o 1 2 3
	run_tool 0 logreplicate o c
	rm -r o
	one_by_one o 100 101
	run_tool 0 logreplicate --on-diverge truncate o c
	[ "$(grep -c '^other' c/replica.properties)" -eq 0 ]
	# So it cannot be its source's source,
	logadmin topic demote o
	run_tool 4 logreplicate c o
	logadmin topic promote o
	# and goes on where retention was faster.
	seq 20 | logappend o
	logcompact --before end o
	seq 3 | logappend o
	run_tool 0 logreplicate o c
	same "$(logcat c | tail -n 1)" 3
}

@test "retention that was faster is no other topic" {
	one_by_one a 1 2 3
	logreplicate a b
	seq 10 | logappend a
	logcompact --before end a
	seq 3 | logappend a
	cp -a b c
	run_tool 0 logreplicate a b
	# Another copy of the same is its source now.
	logreplicate a d
	run_tool 0 logreplicate d c
	logcat a >want
	logcat b | tail -n 3 | cmp - want
	logcat c | tail -n 3 | cmp - want
}

@test "a topic that is removed is said once, and the others go on" {
	mkdir root copy
	logcreate -P 3 root/t
	logcreate root/other
	for i in 0 1 2; do
		echo "$i" | logappend -p "$i" root/t
	done
	start rep logreplicate -f root copy
	wait_for has_records copy/t 3
	mv root/t away
	wait_for grep -q removed rep.err
	seq 5 | logappend root/other
	wait_for has_records copy/other 5
	mv away root/t
	echo 3 | logappend -p 1 root/t
	wait_for has_records copy/t 4
	stop "$rep_pid"
	same "$(<rep.err)" 'logreplicate: t: was removed at the source; '\
$'the copy stays\nlogreplicate: t: is at the source again'
}

@test "positions of groups of a topic that was made anew" {
	mkdir root copy
	one_by_one root/t 1 2 3 4
	logcat -g one -c 3 root/t >/dev/null
	start rep logreplicate -f --groups --on-diverge truncate root copy
	wait_for is_at copy/t one 3
	rm -r root/t
	one_by_one root/t a b c d e f
	wait_for has_records copy/t 6
	logcat -g one -c 5 root/t >/dev/null
	wait_for is_at copy/t one 5
	stop "$rep_pid"
}
