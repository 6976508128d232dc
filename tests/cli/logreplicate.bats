# logreplicate: the same batches in the same segments, whatever happened.
load ../helpers

# same_log A B: the same segment files with the same bytes, and sound.
same_log() {
	local file dir
	for dir in "$1"/[0-9]*; do
		dir=${dir##*/}
		# Nobody has written to it.
		compgen -G "$1/$dir/*.log" >/dev/null || continue
		same "$(cd "$1/$dir" && echo *.log)" \
		    "$(cd "$2/$dir" && echo *.log)" || return 1
		for file in "$1/$dir"/*.log; do
			cmp "$file" "$2/$dir/${file##*/}" || return 1
		done
	done
	run_tool 0 logfsck "$2"
}

# What ssh would do, without it: the words behind the host, by a shell.
fake_ssh() {
	cat >ssh <<'END'
#!/bin/sh
[ "$1" != -p ] || { echo "$2" >port; shift 2; }
echo "$1" >host
shift
exec sh -c "$*"
END
	chmod +x ssh
}

@test "a topic, all of it, then nothing, then what is new" {
	logcreate -P 3 --segment-bytes 4096 a
	seq 1 3000 | logappend a
	seq 1 3000 | logappend -z zstd a
	run_tool 0 logreplicate -v a b
	has "$out" 'offsets 0 to '
	same_log a b
	run_tool 0 logreplicate -v a b
	same "$out" ''
	echo more | logappend -p 1 a
	run_tool 0 logreplicate -v a b
	same "$(wc -l <<<"$out")" 1
	has "$out" 'a/1: offsets '
	same_log a b
	same "$(logcat a | sort)" "$(logcat b | sort)"
}

@test "what was not synced by its writer" {
	logcreate a
	seq 1 100 | logappend --fsync none a
	need strace
	export ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0
	run_tool 0 strace -f -y -e trace=fdatasync -o calls logreplicate a b
	grep -q 'fdatasync([0-9]*<.*/a/0/0*\.log>) *= 0' calls
	same "$(logcat b)" "$(seq 1 100)"
	same_log a b
}

@test "settings are taken over, and new partitions" {
	logcreate --retention 7d --segment-bytes 64K a
	echo 1 | logappend a
	run_tool 0 logreplicate a b
	has "$(logadmin topic describe b)" '604800000'
	logcreate --grow-to 3 a
	echo 2 | logappend -p 2 a
	run_tool 0 logreplicate a b
	same "$(logcat b | sort | tr '\n' ' ')" '1 2 '
}

@test "a replica takes no appends until it is promoted" {
	logcreate a
	echo 1 | logappend a
	run_tool 0 logreplicate a b
	run_tool 4 logappend b <<<2
	has "$err" role
	run_tool 0 logadmin topic promote b
	run_tool 0 logappend b <<<2
	run_tool 4 logreplicate a b
	has "$err" 'a: b/0: it was promoted'
	same "$(logcat b | tr '\n' ' ')" '1 2 '
}

@test "fail-over and fail-back" {
	logcreate --segment-bytes 1024 a
	seq 1 100 | logappend a
	run_tool 0 logreplicate a b
	# The first one has what it never gave away, and the other goes on.
	echo lost | logappend a
	run_tool 0 logadmin topic promote b
	seq 101 200 | logappend b
	# Back: the first one becomes a copy, when it is said so.
	run_tool 4 logreplicate b a
	run_tool 0 logadmin topic demote a
	run_tool 4 logappend a <<<no
	run_tool 4 logreplicate b a
	has "$err" 'diverged: from offset 100 on'
	run_tool 0 logreplicate --on-diverge truncate b a
	has "$err" 'cut from offset 100 on'
	same "$(logcat a)" "$(seq 1 200)"
	run_tool 0 logfsck a
	same "$(cat a/0/lost+found/* | strings | grep -c lost)" 1
	# And the roles as they were, without anything to be cut.
	run_tool 0 logadmin topic promote a
	run_tool 0 logadmin topic demote b
	seq 201 300 | logappend a
	run_tool 0 logreplicate a b
	same "$err" ''
	same_log a b
	same "$(logcat b)" "$(seq 1 300)"
	run_tool 4 logappend b <<<no
}

@test "mirrors of each other, or in a ring, are refused" {
	logcreate a
	echo 1 | logappend a
	run_tool 0 logreplicate a b
	run_tool 0 logreplicate b c
	run_tool 4 logreplicate b a
	has "$err" 'a: the source is a copy of it'
	run_tool 4 logreplicate -f c a
	has "$err" 'a: the source is a copy of it'
	# A promoted copy takes nothing from where it came from, either.
	run_tool 0 logadmin topic promote c
	run_tool 4 logreplicate b c
	run_tool 4 logreplicate -f a c
	same "$(logcat a b c | tr '\n' ' ')" '1 1 1 '
	# What had no records yet is no other.
	logcreate d
	run_tool 0 logreplicate d e
	run_tool 4 logreplicate e d
	run_tool 0 logappend d <<<1
	run_tool 0 logreplicate d e
	run_tool 4 logreplicate e d
}

@test "what has diverged is found, and cut only if told" {
	logcreate --segment-bytes 2048 a
	seq 1 1000 | logappend --batch-bytes 100 a
	run_tool 0 logreplicate a b
	cp -r a c
	seq 1001 1100 | logappend --batch-bytes 100 a
	run_tool 0 logreplicate a b
	seq 2001 2200 | logappend --batch-bytes 100 c
	run_tool 4 logreplicate c b
	has "$err" 'diverged: from offset 1000 on'
	same "$(logcat b)" "$(seq 1 1100)"
	run_tool 4 logreplicate -n --on-diverge truncate c b
	same "$(logcat b)" "$(seq 1 1100)"
	run_tool 0 logreplicate --on-diverge truncate c b
	same "$(logcat b)" "$(logcat c)"
	run_tool 0 logfsck b
	# Told apart by their CRC alone.
	logcreate g
	cp -r g e
	echo one | logappend --timestamp 1 g
	echo two | logappend --timestamp 1 e
	run_tool 0 logreplicate g h
	run_tool 4 logreplicate e h
	has "$err" 'diverged: from offset 0 on'
	# A source that has lost everything takes nothing along.
	logcreate d
	run_tool 4 logreplicate d b
	has "$err" 'diverged: from offset 0 on'
}

@test "-n says what would be done" {
	logcreate a
	seq 1 10 | logappend a
	run_tool 0 logreplicate -n a b
	same "$out" "a: made, 1 partition
a/0: offsets 0 to 9"
	run ! test -e b
	run_tool 0 logreplicate a b
	echo 11 | logappend a
	run_tool 0 logreplicate -n a b
	same "$out" 'a/0: offsets 10 to 10'
	same "$(logcat -c 1 -o 10 b)" ''
}

@test "a topic is no copy of itself, nor of nothing" {
	logcreate a
	run_tool 4 logreplicate a a
	has "$err" 'the same'
	run_tool 0 logappend a <<<1
	run_tool 1 logreplicate nothing b
	has "$err" 'nothing: no such topic'
	run_tool 1 logreplicate a none/b
	same "$err" 'logreplicate: a: none/b: No such file or directory'
	echo file >file
	run_tool 1 logreplicate a file
	same "$err" 'logreplicate: a: file: not a topic'
	run_tool 2 logreplicate a
	run_tool 2 logreplicate h:a h:b
	run_tool 2 logreplicate http://h/a b
	run_tool 2 logreplicate -- a -oProxyCommand=x:b
}

@test "partitions, and one alone" {
	logcreate -P 4 a
	for p in 0 1 2 3; do echo "$p" | logappend -p $p a; done
	run_tool 0 logreplicate -p 1,3 a b
	same "$(logcat b | tr '\n' ' ')" '1 3 '
	run_tool 0 logreplicate a/2 b
	same "$(logcat b | tr '\n' ' ')" '1 2 3 '
}

@test "what a Kafka broker wrote" {
	local dir
	for dir in "$ROOT"/tests/golden/*/*-0; do
		[ -e "$dir/leader-epoch-checkpoint" ] || continue
		run timeout 20 logcat -B "$dir"
		[ "$status" -eq 0 ] || continue
		run_tool 0 logreplicate "$dir" copy
		cmp <(logcat -J "$dir" | jq -c 'del(.topic)') \
		    <(logcat -J copy | jq -c 'del(.topic)')
		rm -r copy
	done
	[ -n "$dir" ]
}

@test "a log that begins late, and mirrored deletion" {
	logcreate --segment-bytes 1024 a
	seq 1 1000 | logappend --batch-bytes 100 a
	logcompact --before 500 -p 0 a
	run_tool 0 logreplicate a b
	same "$(logcat b)" "$(seq 501 1000)"
	same_log a b
	logcompact --before 800 -p 0 a
	run_tool 0 logreplicate a b
	same "$(logcat b)" "$(seq 501 1000)"
	run_tool 0 logreplicate --cleanup mirror a b
	same "$(logcat b)" "$(seq 801 1000)"
	same_log a b
}

@test "a compacted log, and one compacted later" {
	logcreate --compact --segment-bytes 1024 a
	for i in 1 2 3 4 5 6 7 8 9; do
		for k in a b c d e f g h; do echo "$k=$i"; done
	done | logappend -K = --batch-bytes 100 a
	run_tool 0 logreplicate a early
	logcompact --include-active a
	echo a=10 | logappend -K = a
	run_tool 0 logreplicate a late
	same "$(logcat -J a | jq -c 'del(.topic)')" \
	    "$(logcat -J late | jq -c 'del(.topic)')"
	run_tool 0 logfsck late
	run_tool 0 logreplicate a early
	same "$(logcat --latest a)" "$(logcat --latest early)"
	run_tool 0 logfsck early
	run_tool 0 logadmin topic promote late
	echo a=11 | logappend -K = late
	run_tool 0 logfsck late
	same "$(logcat -n 1 late)" 11
}

@test "compaction hides no difference" {
	logcreate --compact a
	for i in 1 2 3; do echo "k$i=$i" | logappend -K = a; done
	cp -r a c
	# Two histories from offset 3 on; the one that is copied has the later
	# epoch, the other one is compacted.
	printf '%s\n' k1=c k2=c | logappend -K = c
	run_tool 0 logreplicate c b
	printf '%s\n' k1=a k2=a | logappend -K = a
	logcompact --include-active a
	printf '%s\n' k9=a | logappend -K = a
	run_tool 4 logreplicate a b
	has "$err" 'diverged: from offset '
	run_tool 0 logreplicate --on-diverge truncate a b
	has "$err" 'cut from offset 3 on'
	cmp <(logcat -K = --latest a) <(logcat -K = --latest b)
	run_tool 0 logfsck b
	# A copy that is ahead of a source that has lost its end.
	logcreate --compact d
	for i in 1 2 3; do echo "k$i=$i" | logappend -K = d; done
	logcompact --include-active d
	cp -r d e
	echo k1=d | logappend -K = d
	logcompact --include-active d
	run_tool 0 logreplicate d f
	run_tool 4 logreplicate e f
	has "$err" 'diverged: from offset '
}

@test "the same records in other batches are another log" {
	local which
	for which in a e; do
		logcreate $which
		seq 1 90 | logappend --timestamp 1 --batch-bytes 100 $which
	done
	seq 91 100 | logappend --timestamp 1 a
	seq 91 95 | logappend --timestamp 1 e
	seq 96 100 | logappend --timestamp 1 e
	cmp <(logcat -F '%o %k %v %T\n' a) <(logcat -F '%o %k %v %T\n' e)
	run_tool 0 logreplicate a b
	run_tool 4 logreplicate e b
	has "$err" 'e/0: diverged: from offset 90 on'
	# Also where it is not known whether compaction was there.
	rm -f e/0/*.sum b/0/*.sum
	run_tool 4 logreplicate e b
	has "$err" 'e/0: diverged: from offset 90 on'
}

@test "a copy that was compacted while it was no copy" {
	logcreate --compact a
	for i in 1 2 3 4; do echo "k$((i % 2))=$i" | logappend -K = a; done
	run_tool 0 logreplicate a b
	logadmin topic promote b
	logcompact --include-active b
	logadmin topic demote b
	printf '%s\n' k0=a k2=a | logappend -K = a
	run_tool 0 logreplicate a b
	cmp <(logcat -K = --latest a | sort) <(logcat -K = --latest b | sort)
	run_tool 0 logfsck b
}

@test "a root of topics" {
	mkdir root copy
	for t in orders orders-dlq metrics; do
		logcreate "root/$t"
		echo "$t" | logappend "root/$t"
	done
	run_tool 0 logreplicate --exclude '*-dlq' -v root copy
	has "$out" 'orders/0: offsets 0 to 0'
	same "$(cd copy && echo *)" 'metrics orders'
	rm -r copy
	mkdir copy
	run_tool 0 logreplicate --include 'orders*' root copy
	same "$(cd copy && echo *)" 'orders orders-dlq'
	# One that fails does not stop the others.
	rm -r copy
	mkdir copy
	logcreate copy/metrics
	echo mine | logappend copy/metrics
	run_tool 4 logreplicate root copy
	has "$err" 'metrics/0: not a replica'
	same "$(logcat copy/orders)" orders
	same "$(logcat copy/metrics)" mine
	fake_ssh
	run_tool 0 logreplicate --rsh ./ssh host:root/orders/ single/
	same "$(logcat single)" orders
}

@test "positions of groups" {
	logcreate -P 2 a
	seq 1 100 | logappend -p 0 a
	seq 1 50 | logappend -p 1 a
	logcat -g one -c 60 a >/dev/null
	logcat -g two -c 5 a >/dev/null
	run_tool 0 logreplicate a b
	same "$(logadmin group ls b)" ''
	run_tool 0 logreplicate --groups a b
	same "$(logadmin -J group describe b one | jq -c 'del(.topic)')" \
	    "$(logadmin -J group describe a one | jq -c 'del(.topic)')"
	run_tool 0 logcat -g two b
	same "$(wc -l <<<"$out")" 145
}

@test "positions that are behind the end" {
	local what='t: group one: position 60 in partition 0 is left out, for '\
'the log ends at 10'
	mkdir root
	logcreate b root/t
	seq 60 | logappend b
	logcat -g one b >/dev/null
	seq 10 | logappend root/t
	cp -a b/groups root/t
	run_tool 0 logreplicate --groups root/t copy
	same "$err" "logreplicate: $what"
	same "$(logadmin group ls copy)" ''
	fake_ssh
	run_tool 0 logreplicate --groups --rsh ./ssh host:root/t pulled
	same "$err" "logreplicate: $what"
	# Once in a run, and copied when it can be.
	start rep logreplicate -f --groups root/t copy
	wait_for grep -q 'left out' rep.err
	seq 11 40 | logappend root/t
	wait_for has_records copy 40
	seq 41 60 | logappend root/t
	wait_for knows_group copy one
	kill "$rep_pid"
	same "$(lines rep.err)" 1
	same "$(logadmin -J group describe copy one | jq .offset)" 60
}

knows_group() {
	logadmin group ls "$1" | grep -qw "$2"
}

@test "-f follows until it is stopped" {
	logcreate -P 2 a
	seq 1 10 | logappend a
	start rep logreplicate -f -v a b
	wait_for has_records b 10
	seq 11 20 | logappend a
	wait_for has_records b 20
	logcreate --grow-to 3 a
	echo x | logappend -p 2 a
	wait_for has_records b 21
	kill "$rep_pid"
	wait_for process_gone "$rep_pid"
	same "$(logcat a | sort)" "$(logcat b | sort)"
	same_log a b
}

has_records() {
	[ "$(logcat "$1" | wc -l)" -eq "$2" ]
}

@test "-f ends where nothing is left to follow" {
	logcreate a
	echo 1 | logappend a
	run_tool 0 logreplicate a b
	logadmin topic promote b
	run_tool 4 logreplicate -f a b
	has "$err" 'it was promoted'
	# One of several is left: it goes on with the others.
	mkdir root copy
	mv a b root
	run_tool 0 logreplicate root copy
	logadmin topic promote copy/b
	start rep logreplicate -f root copy
	wait_for grep -q 'b/0: it was promoted' rep.err
	echo 2 | logappend root/a
	wait_for has_records copy/a 2
	# Until that one goes, too.
	logadmin topic promote copy/a
	echo 3 | logappend root/a
	wait_exit 4 "$rep_pid"
}

# The one at work now: on a slow machine it may have been given up before.
know_server() {
	server=$(cat server.pid) && [ -n "$server" ] && kill -0 "$server"
}

stop_server() {
	know_server && kill -STOP "$server"
}

@test "a link that is silent is given up by both ends" {
	# What stops a link, or the other end, without a word.
	cat >ssh <<'END'
#!/bin/sh
shift
exec sh -c "echo \$\$ >server.pid; exec $*"
END
	chmod +x ssh
	logcreate a
	echo 1 | logappend a
	run_tool 2 logreplicate --io-timeout 10ms a host:b
	start rep logreplicate -f --io-timeout 1s --rsh ./ssh a "host:$PWD/b"
	wait_for has_records b 1
	wait_for stop_server
	# Another one takes its place, and the one that stands still is gone.
	wait_for grep -q 'nothing was heard for 1 s' rep.err
	echo 2 | logappend a
	wait_for has_records b 2
	wait_for process_gone "$server"
	# An end that hears nothing any more.
	wait_for know_server
	kill -STOP "$rep_pid"
	wait_for process_gone "$server"
	kill -CONT "$rep_pid"
	echo 3 | logappend a
	wait_for has_records b 3
	kill "$rep_pid"
}

@test "damage at the source is told and not copied" {
	logcreate -P 2 a
	seq 1 1000 | logappend -p 0 --batch-bytes 500 a
	seq 1 10 | logappend -p 1 a
	printf X | dd of=a/0/00000000000000000000.log bs=1 seek=3000 \
	    conv=notrunc status=none
	run_tool 3 logreplicate a b
	has "$err" 'a/0: '
	has "$err" 'damaged at byte'
	same "$(logcat -p 1 b)" "$(seq 1 10)"
	cmp <(logcat -p 0 b) <(logcat -p 0 a 2>/dev/null)
}

@test "a remote shell: push and pull" {
	fake_ssh
	logcreate a
	seq 1 1000 | logappend a
	run_tool 0 logreplicate --rsh ./ssh a "user@host:$PWD/b"
	same "$(cat host)" user@host
	same_log a b
	run_tool 0 logreplicate --rsh './ssh' "ssh://host:2222$PWD/b" c
	same "$(cat host) $(cat port)" 'host 2222'
	same_log b c
	echo more | logappend a
	run_tool 0 logreplicate --stats --rsh ./ssh a "host:b"
	has "$out" ' bytes in '
	same_log a b
	logadmin topic promote c
	run_tool 4 logreplicate --rsh ./ssh a host:c
	has "$err" 'a: host:c/0: it was promoted'
	run_tool 1 logreplicate --rsh ./ssh host:none d
	same "$err" 'logreplicate: host:none: no such topic'
}

@test "a remote shell: one line for what is wrong" {
	fake_ssh
	logcreate a
	run_tool 1 logreplicate --rsh ./ssh --remote-path no-such a host:b
	same "$err" 'logreplicate: host: no no-such there (--remote-path says where it is)'
	run_tool 1 logreplicate --rsh ./ssh --remote-path 'echo Welcome to the jungle;' a host:b
	same "$err" 'logreplicate: host: something else answers than logreplicate: "Welcome to the jungle"'
	run_tool 1 logreplicate --rsh ./no-ssh a host:b
	same "$err" 'logreplicate: host: ./no-ssh: No such file or directory'
	printf '#!/bin/sh\necho first >&2; echo "h: Permission denied (publickey)." >&2\nexit 255\n' >ssh
	run_tool 1 logreplicate --rsh ./ssh a host:b
	same "$err" 'logreplicate: host: h: Permission denied (publickey)'
	# HELLO of later versions, 7 to 9.
	cat >ssh <<'END'
#!/bin/sh
printf '\000\000\000\027\001\261\315\362\153\041\276\137\114\113\122'\
'\120\000\007\000\011\000\000\000\000\000\000\000\000\000\001'\
'\000\000\071\056\071'
cat >/dev/null
END
	run_tool 1 logreplicate --rsh ./ssh a host:b
	has "$err" 'speaks versions 7 to 9 of the protocol'
}

@test "a key that may only push, or only pull, below a directory" {
	cat >ssh <<'END'
#!/bin/sh
exec logreplicate --server $LIMITS
END
	chmod +x ssh
	mkdir in
	logcreate a
	echo 1 | logappend a
	export LIMITS="--only receive --under $PWD/in"
	run_tool 0 logreplicate --rsh ./ssh a host:b
	same "$(logcat in/b)" 1
	run_tool 0 logreplicate --rsh ./ssh a "host:$PWD/in/c"
	run_tool 1 logreplicate --rsh ./ssh a host:../d
	has "$err" 'outside of what this key may reach'
	run_tool 1 logreplicate --rsh ./ssh a "host:$PWD/d"
	has "$err" 'outside of what this key may reach'
	ln -s .. in/up
	run_tool 1 logreplicate --rsh ./ssh a host:up/d
	has "$err" 'outside of what this key may reach'
	run_tool 1 logreplicate --rsh ./ssh host:b e
	has "$err" 'this key may not pull'
	LIMITS='--only send' run_tool 1 logreplicate --rsh ./ssh a host:d
	has "$err" 'this key may not push'
}

@test "--bwlimit holds it back" {
	! is_san || skip "times say nothing"
	logcreate a
	head -c 300000 /dev/zero | tr '\0' x | fold -w 100 | logappend a
	run_tool 0 logreplicate --bwlimit 200K --stats a b
	awk '{ exit !($4 > 0.7) }' <<<"$out"
	same_log a b
}

@test "retention that was faster is told" {
	logcreate --segment-bytes 1K s
	seq 100 | logappend s
	run_tool 0 logreplicate s c
	for i in 2 3 4 5 6 7 8; do
		seq 100 | logappend s
	done
	run_tool 0 logcompact --before 600 s
	run_tool 0 logreplicate s c
	same "$err" 'logreplicate: s: partition 0 lacks offsets 100 to 599, '\
'deleted at the source before they came over'
	same "$(logcat c | wc -l)" 300
	run_tool 0 logreplicate s c
	same "$err" ''
}

@test "a partition that is named and not there" {
	logcreate s
	run_tool 1 logreplicate -p 0,7 s c
	same "$err" 'logreplicate: s: it lacks a partition that -p names'
	[ ! -e c ]
}
