# logtail --exec: a work queue.
# shellcheck disable=SC2016 # the jobs expand what is quoted

load ../helpers

# have N FILE
have() {
	[ -e "$2" ] && [ "$(wc -l <"$2")" -ge "$1" ]
}

# queue TOPIC N KEYS: N events of KEYS keys in three partitions.
queue() {
	logcreate -P 3 "$1"
	awk -v n="$2" -v keys="$3" 'BEGIN {
		for (i = 1; i <= n; i++)
			printf "k%d:%d\n", i * 7 % keys, i
	}' | logappend -K : "$1"
}

# in_order FILE: of lines "KEY N" the N of each key ascend.
in_order() {
	awk '$2 <= last[$1] { print "order:", $0; bad = 1 }
	    { last[$1] = $2 } END { exit bad }' "$1"
}

@test 'a job for each event, in order per key, and only once' {
	queue q 60 7
	run_tool 0 logtail -g g --jobs 4 \
		--exec 'read -r v; echo "$LOGKIT_KEY $v" >>jobs.out' q
	[ -z "$out$err" ]
	[ "$(wc -l <jobs.out)" -eq 60 ]
	in_order jobs.out
	run_tool 0 logtail -g g --exec 'echo again' q
	[ -z "$out" ]
	# Events that come later.
	echo k1:61 | logappend -K : q
	run_tool 0 logtail -g g --exec 'cat; echo' q
	same "$out" 61
	run_tool 0 logtail -g other -c 5 --exec 'echo x' q
	[ "$(wc -l <<<"$out")" -eq 5 ]
	run_tool 0 logtail -g other --exec 'echo x' q
	[ "$(wc -l <<<"$out")" -eq 56 ]
}

@test 'what a job gets' {
	logcreate t
	cat >input <<-'END'
		{"key":"a","value":"one","timestamp":5}
		{"key":null,"value":null,"timestamp":6}
		{"key":"","value":"","timestamp":7}
		{"key":"x\u0000y","value":"a\nb","timestamp":8}
	END
	logappend -J t input
	run_tool 0 logtail -g g --exec '
		printf "%s %s %s %s [%s] [%s] %s " "$LOGKIT_TOPIC" \
		    "$LOGKIT_PARTITION" "$LOGKIT_OFFSET" "$LOGKIT_TIMESTAMP" \
		    "${LOGKIT_KEY-unset}" "${LOGKIT_KEY_BASE64-unset}" \
		    "${LOGKIT_NULL-0}"; wc -c' t
	same "$out" "$(printf '%s\n' \
		't 0 0 5 [a] [unset] 0 3' \
		't 0 1 6 [unset] [unset] 1 0' \
		't 0 2 7 [] [unset] 0 0' \
		't 0 3 8 [unset] [eAB5] 0 3')"
}

@test 'a failure stops it, before that event' {
	queue q 30 3
	run_tool 1 logtail -g g --exec '
		read -r v
		[ "$v" -ne 20 ] || exit 7
		echo "$LOGKIT_KEY $v" >>jobs.out' q
	[[ $err == 'logtail: q/'*': offset '*': exit status 7' ]]
	run_tool 0 logtail -g g --exec 'read -r v; echo "$LOGKIT_KEY $v" >>jobs.out' q
	sort -u jobs.out | cut -d ' ' -f 2 | sort -n | cmp - <(seq 30)
}

@test 'retries, and then the dead letters' {
	queue q 12 3
	logcreate dead
	# Odd ones work the second time, 4 and 8 never.
	run_tool 0 logtail -g g --jobs 12 --retries 1 --dead-letter dead --exec '
		read -r v
		echo "$v" >>tries
		case $v in
		4 | 8) kill -9 $$ ;;
		*[13579]) [ "$(grep -cx "$v" tries)" -gt 1 ] || exit 3 ;;
		esac
		echo "$LOGKIT_KEY $v" >>jobs.out' q
	in_order jobs.out
	cut -d ' ' -f 2 jobs.out | sort -n | cmp - <(seq 12 | grep -vx '[48]')
	logcat dead | sort | cmp - <(printf '4\n8\n')
	logcat -J dead >letters
	grep -q '"key":"k1","value":"4","headers":\[{"key":"logkit.dead.topic","value":"q"}' letters
	grep -q '{"key":"logkit.dead.reason","value":"killed by signal 9"},{"key":"logkit.dead.tries","value":"2"}' letters
	run_tool 0 logtail -g g --exec 'echo again' q
	[ -z "$out" ]
	# Resubmitted, they are events like others.
	logcat -J dead | logappend -J q
	run_tool 0 logtail -g g --exec 'cat; echo' q
	same "$(sort <<<"$out")" $'4\n8'
}

@test 'a dead letter may be longer than an event' {
	logcreate q
	logcreate dead
	# The longest that the queue takes; the headers come on top.
	head -c 1048400 /dev/zero | tr '\0' z | logappend --whole q
	echo next | logappend q
	run_tool 0 logtail -g g --dead-letter dead --exec '
		[ "$LOGKIT_OFFSET" -eq 1 ] && cat' q
	same "$out" next
	logcat dead | cmp - <(logcat -c 1 q)
	run_tool 0 logfsck dead
}

@test 'TERM: what runs ends, and counts' {
	queue q 10 10
	mkfifo hold
	start a logtail -f -g g --jobs 2 --exec '
		echo $$ >>started
		read -r v
		read -r x <hold
		echo "$v" >>jobs.out' q
	# Open here, too: a job may come to it when the other has read.
	exec {fd}<>hold
	wait_for have 2 started
	kill "$a_pid"
	printf 'go\ngo\n' >&"$fd"
	status=0
	wait "$a_pid" || status=$?
	exec {fd}>&-
	[ "$status" -eq 143 ]
	[ "$(wc -l <jobs.out)" -eq 2 ]
	[ "$(wc -l <started)" -eq 2 ]
	run_tool 0 logtail -g g --exec 'read -r v; echo "$v" >>jobs.out' q
	sort -n jobs.out | cmp - <(seq 10)
}

@test 'a member killed: its jobs die, others go on, no key overlaps' {
	queue q 300 5
	start a logtail -f -g g --jobs 3 \
		--exec 'read -r v; echo "$LOGKIT_KEY $v" >>jobs.out' q
	start b logtail -f -g g --jobs 3 \
		--exec 'read -r v; echo "$LOGKIT_KEY $v" >>jobs.out' q
	wait_for have 50 jobs.out
	kill -9 "$a_pid"
	all_done() {
		[ "$(cut -d ' ' -f 2 jobs.out | sort -nu | wc -l)" -eq 300 ]
	}
	wait_for all_done
	kill "$b_pid"
	wait "$b_pid" || true
	run_tool 0 logcat -g g q
	[ -z "$out" ]
}

@test 'a job that lives on holds its partition' {
	logcreate q
	printf 'a:1\na:2\n' | logappend -K : q
	mkfifo hold
	# The shell dies with its member; what it has started does not.
	start a logtail -f -g g --exec '
		sh -c "echo started >>log; read -r x <hold; echo ended >>log" &
		wait' q
	wait_for have 1 log
	kill -9 "$a_pid"
	start b logtail -f -g g --exec 'echo next >>log' q
	run_tool 0 logtail -g other --exec 'true' q
	[ "$(cat log)" = started ]
	echo go >hold
	wait_for have 4 log
	same "$(cat log)" $'started\nended\nnext\nnext'
	kill "$b_pid"
}

@test 'a shell holds the partition for what closes its lock' {
	need perl
	logcreate q
	echo one | logappend q
	mkfifo hold
	printf '%s\n' 'echo started >>log; read -r x <hold; echo ended >>log' \
		>work.sh
	start a logtail -f -g g --exec '(perl -MPOSIX -e "
		POSIX::close(\$_) for 3 .. 255;
		exec qw(sh work.sh)"; exit $?); exit $?' q
	wait_for have 1 log
	kill -9 "$a_pid"
	start b logtail -f -g g --exec 'echo next >>log' q
	run_tool 0 logtail -g other --exec 'true' q
	[ "$(cat log)" = started ]
	echo go >hold
	wait_for have 3 log
	same "$(cat log)" $'started\nended\nnext'
	kill "$b_pid"
}

# distinct N FILE: are so many of its lines different?
distinct() {
	[ "$(sort -u "$2" | wc -l)" -ge "$1" ]
}

@test 'workers without -f share, and end when all is done' {
	local i
	queue q 120 120
	mkfifo fifo
	ln fifo hold
	# None goes on before all three have a job.
	for i in a b c; do
		start "$i" logtail -g g --exec '
			echo "$PPID" >>began
			cat hold >/dev/null
			cat; echo' q
		[ "$i" != a ] || wait_for test -s began
	done
	wait_for distinct 3 began
	: >open
	mv open hold
	: >fifo
	# shellcheck disable=SC2154 # start sets them
	for i in "$a_pid" "$b_pid" "$c_pid"; do
		wait_exit 0 "$i"
	done
	cat a.out b.out c.out | sort -n | cmp - <(seq 120)
}

@test 'a worker without -f takes over from one that is killed' {
	logcreate q
	printf '1\n2\n' | logappend q
	mkfifo hold
	exec {fd}<>hold
	start a logtail -g g --exec 'echo begun; exec cat hold' q
	wait_for has_lines a.out 1
	start b logtail -g g --exec 'cat; echo' q
	start c logtail -f -g g --exec 'cat; echo' q
	run_tool 0 logtail -g other --exec true q
	run ! process_gone "$b_pid"
	kill "$c_pid"
	wait_exit 143 "$c_pid"
	kill -9 "$a_pid"
	wait_exit 0 "$b_pid"
	same "$(cat b.out)" $'1\n2'
	exec {fd}>&-
}

@test 'who waits for the end leaves its partitions to the others' {
	logcreate -P 2 q
	echo long | logappend -p 0 q
	mkfifo hold
	exec {fd}<>hold
	start a logtail -f -g g --jobs 2 --exec '
		read -r v; [ "$v" != long ] || read -r x <hold
		echo "a $v" >>log' q
	wait_for logadmin group describe q g
	echo short | logappend -p 1 q
	wait_for grep -qx 'a short' log
	start b logtail -g g --exec 'read -r v; echo "b $v" >>log' q
	# Its own is done: what comes in is for the one that goes on.
	for i in 1 2 3; do
		echo "later $i" | logappend -p 1 q
		wait_for grep -q "later $i" log
	done
	run_tool 0 logadmin -J group describe q g
	run ! process_gone "$b_pid"
	wait_for grep -q '^a later' log
	echo go >hold
	wait_exit 0 "$b_pid"
	grep -qx 'a long' log
	kill "$a_pid"
	wait_exit 143 "$a_pid"
	exec {fd}>&-
}

@test 'what does not go together' {
	logcreate q
	run_tool 2 logtail --exec true q
	run_tool 2 logtail -g g --exec '' q
	run_tool 2 logtail -g g --exec true -J q
	run_tool 2 logtail -g g --exec true --jobs 0 q
	run_tool 2 logtail -g g --dead-letter q q
	run_tool 2 logtail -g g --exec true --dead-letter ./q q
	run_tool 1 logtail -g g --exec true --dead-letter nope q
	[[ $err == 'logtail: nope: no such topic' ]]
}

@test 'nothing to do can be told' {
	logcreate q
	run_tool 4 logtail -g g --fail-empty --exec true q
	echo x | logappend q
	run_tool 0 logtail -g g --fail-empty --exec true q
	run_tool 4 logtail -g g --fail-empty --exec true q
}

# damaged TOPIC: events 1 to 5, of which the second is damaged.
damaged() {
	logcreate "$1"
	seq 5 | logappend --batch-bytes 1 "$1"
	printf X | dd of="$1/0/00000000000000000000.log" bs=1 \
		seek=$(($(stat -c %s "$1/0/00000000000000000000.log") / 5 + 50)) \
		conv=notrunc status=none
}

@test 'damage: what is before it is done; --skip-corrupt goes on behind it' {
	damaged q
	run_tool 3 logtail -g g --exec 'cat; echo' q
	same "$out" 1
	[[ $err == *'damaged at byte '*', from offset 1: '* ]]
	run_tool 3 logtail -g g --exec 'cat; echo' q
	[ -z "$out" ]
	run_tool 3 logtail -g g --skip-corrupt --exec 'cat; echo' q
	same "$out" $'3\n4\n5'
	[[ $err == *'skipped offsets 1 to 1' ]]
	run_tool 0 logtail -g g --exec 'cat; echo' q
	[ -z "$out" ]
}

@test 'a shell that is killed: its event waits for what it has started' {
	logcreate q
	logcreate dead
	printf 'a:1\na:2\n' | logappend -K : q
	mkfifo hold
	start a logtail -g g --dead-letter dead --exec '
		echo "begin $LOGKIT_OFFSET" >>log
		[ "$LOGKIT_OFFSET" -ne 0 ] && exit
		echo $$ >shell
		sh -c "echo started >>log; read -r x <hold; echo ended >>log"
		true' q
	wait_for have 2 log
	kill -9 "$(cat shell)"
	wait_for grep -q 'the shell was killed' a.err
	[ "$(lines log)" -eq 2 ]
	echo go >hold
	wait_exit 0 "$a_pid"
	same "$(cat log)" $'begin 0\nstarted\nended\nbegin 1'
	same "$(logcat dead)" 1
}

@test 'a topic that is removed: what runs ends, it is told once' {
	queue q 10 10
	mkfifo hold
	start a logtail -f -g g --exec '
		echo x >>started; read -r x <hold; echo x >>ended' q
	wait_for have 1 started
	remove q
	wait_for grep -q . a.err
	echo go >hold
	wait_exit 1 "$a_pid"
	same "$(cat a.err)" 'logtail: q: removed'
	[ "$(lines started)" -eq 1 ]
	[ "$(lines ended)" -eq 1 ]
}

@test '--retry: another topic of that name is worked off, too' {
	logcreate -P 3 q
	echo old | logappend q
	start a logtail -f --retry -g g --exec 'cat; echo' q
	wait_for have 1 a.out
	remove q
	wait_for grep -q 'waiting for it to come back' a.err
	logcreate -P 2 new
	seq 5 | logappend new
	mv new q
	wait_for have 6 a.out
	kill "$a_pid"
	wait_exit 143 "$a_pid"
	same "$(tail -n +2 a.out | sort)" "$(seq 5)"
	[ "$(lines a.err)" -eq 1 ]
	run_tool 4 logcat -g g --fail-empty q
}

@test 'whatever the one who starts it ignores, or allows' {
	need python3
	logcreate q
	seq 3 | logappend q
	# Children of who ignores SIGCHLD leave no status.
	run_tool 0 python3 -c 'import os, signal, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
os.execvp(sys.argv[1], sys.argv[1:])' logtail -g g --exec 'cat; echo' q
	same "$out" "$(seq 3)"
	# Many partitions need many files; jobs do not.
	logcreate -P 100 many
	for i in 0 50 99; do
		echo "$i" | logappend -p "$i" many
	done
	ulimit -Sn 64
	run_tool 0 logtail -g g --exec 'ulimit -n' many
	same "$out" $'64\n64\n64'
	run_tool 0 logcat many
	same "$out" $'0\n50\n99'
}
