# logreplicate: what is a copy, what can become one, and what is not touched.
load ../helpers

# settings TOPIC: those that were given, and how many partitions it has.
settings() {
	grep -E '^(retention\.ms|logkit\.partitions)=' "$1/topic.properties"
}

is_at() {
	[ "$(logadmin -J group describe "$1" "$2" | jq -s '.[0].offset')" = "$3" ]
}

@test "a topic that was promoted gets nothing: no settings, no partitions" {
	seq 10 | logappend --create a
	run_tool 0 logreplicate a c
	logadmin topic promote c
	logadmin topic set a retention.ms=1000
	logcreate --grow-to 3 a
	run_tool 4 logreplicate -v a c
	same "$out" ''
	same "$err" 'logreplicate: a: c/0: it was promoted, and is no copy any more (logadmin topic demote)'
	same "$(settings c)" 'logkit.partitions=1'
	run_tool 4 logreplicate -n a c
	has "$err" 'it was promoted'
	logadmin topic demote c
	run_tool 0 logreplicate a c
	same "$(settings c | sort)" $'logkit.partitions=3\nretention.ms=1000'
}

@test "promoted while it was empty" {
	logcreate -P 2 a
	run_tool 0 logreplicate a c
	logadmin topic promote c
	seq 5 | logappend -p 0 a
	run_tool 4 logreplicate a c
	has "$err" 'c/0: it was promoted'
	run_tool 0 logappend -p 1 c <<<mine
	# Recovery forgets it no more than it does the role.
	logadmin topic promote c
	cp -a c moved
	run_tool 4 logreplicate a moved
	has "$err" 'moved/0: it was promoted'
}

@test "promoted in part: a crash came between two partitions" {
	logcreate -P 2 a
	run_tool 0 logreplicate a c
	cp -a c/0 kept
	logadmin topic promote c
	rm -r c/0
	mv kept c/0
	logadmin topic set a retention.ms=1000
	echo new | logappend -p 0 a
	run_tool 4 logreplicate a c
	has "$err" 'c/1: it was promoted'
	same "$(settings c)" 'logkit.partitions=2'
	same "$(logcat c)" ''
	run_tool 0 logadmin topic promote c
	same "$out" c/0
}

@test "positions of groups of a copy that is promoted meanwhile" {
	logcreate a
	seq 9 | logappend a
	logcat -g g -c 2 a >/dev/null
	start rep logreplicate -f --groups a c
	wait_for is_at c g 2
	logadmin topic promote c
	logcat -g g c >/dev/null
	logcat -g g -c 2 a >/dev/null
	wait_for grep -q 'c/0: it was promoted' rep.err
	is_at c g 9
	kill "$rep_pid"
	wait_for process_gone "$rep_pid"
}

@test "a topic that had records is no copy, and an empty one says that it is" {
	logcreate a
	echo 1 | logappend a
	logcreate c
	echo mine | logappend c
	logcompact --before end c
	run_tool 4 logreplicate a c
	has "$err" 'c/0: not a replica'
	logcreate d
	run_tool 0 logreplicate -n -v a d
	has "$out" 'a: becomes a copy'
	run_tool 0 logreplicate --itemize a d
	has "$out" 'a: becomes a copy'
	run_tool 0 logreplicate -v a d
	same "$out" ''
	run_tool 0 logreplicate -v a e
	same "$(grep -c becomes <<<"$out")" 0
}

@test "rings: what a topic comes from is no copy of it, not even empty" {
	logcreate a
	run_tool 0 logreplicate a b
	run_tool 4 logreplicate b a
	same "$err" 'logreplicate: b: a: the source is a copy of it'
	run_tool 0 logreplicate b c
	run_tool 4 logreplicate -f c a
	has "$err" 'the source is a copy of it'
	run_tool 0 logappend a <<<1
	# The directory is what counts, not where it is, nor what is in it.
	mkdir root
	mv a root/x
	run_tool 4 logreplicate c root/x
	has "$err" 'the source is a copy of it'
	# From a promoted one on it goes the other way.
	logadmin topic promote c
	logadmin topic demote root/x
	run_tool 4 logreplicate c root/x
	has "$err" diverged
	run_tool 0 logreplicate --on-diverge truncate c root/x
	run_tool 4 logreplicate root/x c
	has "$err" 'the source is a copy of it'
}

@test "one line that says what it is about" {
	logcreate a
	run_tool 0 logreplicate a c
	rm c/replica.properties
	mkdir c/replica.properties
	run_tool 1 logreplicate a c
	same "$err" 'logreplicate: a: c/replica.properties: Is a directory'
	run_tool 1 logreplicate a 'b%d'
	same "$err" 'logreplicate: a: b%d: not a name of a topic'
	mkdir root
	cp -a a root/a
	cp -a a root/b
	run_tool 1 logreplicate root none/root
	same "$err" 'logreplicate: none/root: No such file or directory'
	run_tool 1 logreplicate root c
	same "$err" 'logreplicate: c: is no directory of topics, as the source is'
}

@test "an emptied copy of a topic that was made anew has diverged" {
	seq 10 | logappend --create a
	run_tool 0 logreplicate a c
	logadmin topic promote c
	logcompact --before end c
	logadmin topic demote c
	rm -r a
	seq 20 | logappend --create a
	run_tool 4 logreplicate a c
	has "$err" diverged
	run_tool 4 logreplicate a c
	run_tool 0 logreplicate --on-diverge truncate a c
	same "$err" 'logreplicate: a/0: cut from offset 0 on, kept in lost+found/'
	run_tool 0 logfsck c
	logcat a >want
	logcat c | cmp - want
}

# left_alone [ARG...]: what is refused changes nothing in the copy c of o.
left_alone() {
	run_tool 4 logreplicate -v "$@" o c
	same "$out" ''
	has "$err" 'o/0: diverged: from offset 0 on'
	has "$err" 'o/1: c/1: diverged: the topic is a copy of another one'
	diff -r --exclude=replica.properties before c
	diff before/replica.properties c/replica.properties
}

@test "a topic that was made anew gives its settings to no copy of the old one" {
	logcreate -P 2 o
	seq 400 | logappend -p 0 o
	run_tool 0 logreplicate o c
	cp -a c before
	rm -r o
	logcreate -P 4 -X retention.ms=1000 o
	seq 900 902 | logappend -p 0 o
	seq 10 12 | logappend -p 1 o
	seq 20 22 | logappend -p 3 o
	left_alone
	left_alone -n
	left_alone -f
	has "$err" 'o/3: c/3: diverged: '
	# Where it may be cut it becomes a copy of that one, settings as well.
	run_tool 0 logreplicate -v --on-diverge truncate o c
	has "$out" 'o: grown to 4 partitions'
	has "$out" 'o: set retention.ms=1000'
	logcat o >want
	logcat c | cmp - want
	run_tool 0 logreplicate o c
}

@test "a topic with another id and the same records is taken for the source" {
	logcreate -P 2 a
	seq 4 | logappend -p 0 a
	run_tool 0 logreplicate a c
	run_tool 0 logreplicate a b
	logadmin -q topic promote b
	rm b/replica.properties
	logadmin -q topic set b retention.ms=10m
	# Whose the empty one's are is not known before all was looked at.
	run_tool 4 logreplicate -v b c
	has "$err" 'b/1: c/1: diverged: '
	run_tool 0 logreplicate -v b c
	has "$out" 'set retention.ms=600000'
	seq 5 | logappend -p 1 b
	run_tool 0 logreplicate b c
	same "$(logcat -p 1 c | wc -l)" 5
}

@test "groups that were behind a cut go on where it is" {
	seq 3 | logappend --create o
	run_tool 0 logreplicate o c
	seq 900 910 | logappend o
	run_tool 0 logcat -g G o
	run_tool 0 logcat -g early -c 2 o
	logadmin topic promote c
	seq 4 6 | logappend c
	logadmin topic demote o
	run_tool 0 logreplicate --on-diverge truncate c o
	same "$err" "$(printf 'logreplicate: %s\n' \
	    'c/0: cut from offset 3 on, kept in lost+found/' \
	    "c: group G: position 14 in partition 0 is set back to 3, $(
	    )where the copy was cut")"
	same "$(logadmin -J group describe o G | jq .offset)" 3
	same "$(logadmin -J group describe o early | jq .offset)" 2
	run_tool 0 logcat -g G o
	same "$out" $'4\n5\n6'
	# The same where it pulls, and not a word if that is wanted.
	printf '#!/bin/sh\nshift\nexec sh -c "$*"\n' >ssh
	chmod +x ssh
	for quiet in '' -q; do
		logadmin -q topic promote o
		seq 7 8 | logappend o
		logcat -g G o >/dev/null
		logadmin -q topic demote o
		echo other | logappend c
		# shellcheck disable=SC2086 # there may be none
		run_tool 0 logreplicate $quiet --on-diverge truncate \
		    --rsh ./ssh "host:$PWD/c" o
		[ -n "$quiet" ] ||
			has "$err" 'c: group G: position 8 in partition 0 is set back to 6, '
	done
	same "$err" ''
	# Where there are none nothing is made.
	logcreate x y
	seq 3 | logappend x
	logadmin topic demote c
	run_tool 4 logreplicate x c
	run_tool 0 logreplicate --on-diverge truncate x c
	[ ! -e c/groups ]
}

@test "all topics of a directory are promoted, and made copies again" {
	mkdir root
	logcreate -P 2 root/a
	logcreate root/b
	seq 10 | logappend -p 0 root/a
	run_tool 0 logreplicate root copy
	logcreate copy/own
	mkdir copy/.hidden copy/lost+found copy/other
	run_tool 0 logadmin --dry-run topic promote copy
	same "$out" $'copy/a/0\ncopy/a/1\ncopy/b/0'
	run_tool 4 logappend copy/b <<<x
	run_tool 0 logadmin topic promote copy
	same "$out" $'copy/a/0\ncopy/a/1\ncopy/b/0'
	run_tool 0 logappend copy/b <<<x
	run_tool 0 logadmin topic promote copy
	same "$out$err" ''
	# The others do not wait for one that fails.
	run_tool 0 logadmin topic demote copy
	same "$out" $'copy/a/0\ncopy/a/1\ncopy/b/0\ncopy/own/0'
	echo logkit.version=99 >copy/a/topic.properties
	run_tool 1 logadmin topic promote copy
	same "$out" $'copy/b/0\ncopy/own/0'
	has "$err" 'logadmin: copy/a'
	# Nothing was promoted: whoever asked for it has to know.
	mkdir none
	run_tool 1 logadmin topic promote none
	same "$err" 'logadmin: none: no topic in it'
	run_tool 1 logadmin topic promote copy/b/0
	run_tool 2 logadmin topic promote kafka://127.0.0.1:1/b
}

@test "an emptied copy goes on with what has taken the place of its source" {
	seq 10 | logappend --create a
	run_tool 0 logreplicate a b
	run_tool 0 logreplicate a c
	logadmin topic promote c
	logcompact --before end c
	logadmin topic demote c
	logadmin topic promote b
	echo 11 | logappend b
	run_tool 0 logreplicate b c
	same "$(logcat c)" 11
	same "$(grep -c '^origin' c/replica.properties)" 2
	grep -q '^origin.was.0=' c/replica.properties
}
