# Consumer groups on a directory: sharing, taking over, going on.

load ../helpers

# fill TOPIC PREFIX N: that many events in each partition of four.
fill() {
	local i
	for i in 0 1 2 3; do
		seq -f "$2$i-%g" "$3" | logappend -p "$i" "$1"
	done
}

# have N FILE...: do the files have that many different lines?
have() {
	local n=$1
	shift
	[ "$(cat "$@" | sort -u | wc -l)" -ge "$n" ]
}

# both_read FILE FILE: has each at least one line?
both_read() {
	[ -s "$1" ] && [ -s "$2" ]
}

@test 'a group goes on where it stopped; each group reads all' {
	logcreate -P 4 t
	fill t a 5
	run_tool 0 logcat -g one t
	[ "$(wc -l <<<"$out")" -eq 20 ]
	run_tool 4 logcat -g one --fail-empty t
	fill t b 5
	run_tool 0 logcat -g one -c 7 t
	first=$out
	[ "$(wc -l <<<"$first")" -eq 7 ]
	run_tool 0 logcat -g one t
	[ "$(wc -l <<<"$out")" -eq 13 ]
	printf '%s\n' "$first" "$out" | sort | cmp - <(logcat t | grep b | sort)
	run_tool 0 logcat -g two t
	[ "$(wc -l <<<"$out")" -eq 40 ]
	# A new one can begin elsewhere, one that is known does not.
	run_tool 0 logcat -g three -o -2 t
	[ "$(wc -l <<<"$out")" -eq 8 ]
	run_tool 0 logcat -g three -o 0 t
	[ -z "$out" ]
	# It is kept under another name as well.
	mv t u
	fill u c 1
	run_tool 0 logcat -g one u
	[ "$(wc -l <<<"$out")" -eq 4 ]
}

@test 'filters pass over what they hide' {
	logcreate -P 4 t
	fill t a 5
	run_tool 0 logcat -g g --grep -3 t
	[ "$(wc -l <<<"$out")" -eq 4 ]
	run_tool 0 logcat -g g t
	[ -z "$out" ]
}

@test 'two followers share, one dies, a third comes' {
	logcreate -P 4 t
	start a logtail -f -g g t
	start b logtail -f -g g t
	# Both are at work when both print what comes in.
	i=0
	until both_read a.out b.out; do
		i=$((i + 1))
		fill t "warm$i-" 1
	done
	before=$((i * 4))
	wait_for have "$before" a.out b.out
	kill -9 "$a_pid"
	fill t after 10
	wait_for have $((before + 40)) a.out b.out
	same "$(grep -c after b.out)" 40
	start c logtail -f -g g t
	i=0
	until [ -s c.out ]; do
		i=$((i + 1))
		fill t "again$i-" 1
	done
	kill "$b_pid"
	wait_for have $((before + 40 + i * 4)) a.out b.out c.out
	fill t last 3
	wait_for have $((before + 52 + i * 4)) a.out b.out c.out
	kill "$c_pid"
	wait "$c_pid" || true
	cat a.out b.out c.out | sort -u | cmp - <(logcat t | sort)
	# Nothing is left for the next one.
	run_tool 0 logcat -g g t
	[ -z "$out" ]
}

@test 'killed at any moment: some come twice, none is missing' {
	logcreate -P 4 t
	fill t x 5000
	: >seen
	for i in 1 2 3 4 5 6 7 8; do
		timeout -s KILL "0.00$i" logcat -g g -F '%s;\n' t >>seen || true
		# A line that was cut by the kill is not one, nor is the next.
		echo >>seen
	done
	logcat -g g -F '%s;\n' t >>seen
	sed -nE 's/^(x[0-3]-[0-9]+);$/\1/p' seen | sort -u |
		cmp - <(logcat t | sort)
}

@test 'the order in a partition holds over members' {
	logcreate -P 4 t
	start a logtail -f -g g -F '%p %o\n' t
	start b logtail -f -g g -F '%p %o\n' t
	fill t x 300
	wait_for have 1200 a.out b.out
	kill "$a_pid" "$b_pid"
	for file in a.out b.out; do
		for i in 0 1 2 3; do
			awk -v p="$i" '$1 == p { print $2 }' "$file" |
				sort -n -c
		done
	done
}

@test 'what does not go together, and who may not' {
	logcreate -P 2 t
	run_tool 2 logcat -g g -n 3 t
	run_tool 2 logcat -g g -p 0 t
	run_tool 2 logcat -g g -m t
	run_tool 2 logcat -g g -B t
	run_tool 2 logcat -g g --cursor-file f t
	run_tool 2 logcat -g '' t
	run_tool 2 logcat -g $'a\nb' t
	run_tool 1 logcat -g g t/0
	run_tool 1 logcat -g g nope
	[ ! -e t/groups ]
	run_tool 0 logcat -g 'any name/at: all' t
	run_tool 1 logcat -g g "$ROOT"/tests/golden/codec-none/*-0
}

@test 'a group grows with its topic' {
	logcreate -P 1 t
	start a logtail -f -g g t
	echo one | logappend t
	wait_for have 1 a.out
	logcreate --grow-to 3 t
	echo two | logappend -p 2 t
	wait_for have 2 a.out
	kill "$a_pid"
}

@test 'damage: --skip-corrupt goes on behind it, and in the other partitions' {
	logcreate -P 2 t
	seq 5 | logappend -p 0 --batch-bytes 1 t
	echo other | logappend -p 1 t
	printf X | dd of=t/0/00000000000000000000.log bs=1 conv=notrunc \
		seek=$(($(stat -c %s t/0/00000000000000000000.log) / 5 + 50)) \
		status=none
	run_tool 3 logcat -g one t
	same "$out" 1
	run_tool 3 logcat -g one --skip-corrupt t
	same "$(sort <<<"$out")" $'3\n4\n5\nother'
	run_tool 0 logcat -g one t
	[ -z "$out" ]
}

@test 'a topic that is removed; --retry waits for another' {
	logcreate t
	echo old | logappend t
	start a logtail -f -g a t
	start b logtail -f --retry -g b t
	wait_for have 1 a.out
	wait_for have 1 b.out
	remove t
	wait_exit 1 "$a_pid"
	same "$(cat a.err)" 'logtail: t: removed'
	wait_for grep -q 'waiting for it to come back' b.err
	logcreate -P 2 new
	seq 5 | logappend new
	mv new t
	wait_for have 6 b.out
	kill "$b_pid"
	wait_exit 143 "$b_pid"
	[ "$(lines b.err)" -eq 1 ]
	run_tool 4 logcat -g b --fail-empty t
}

@test '--retry: a topic may go piece by piece, the groups first' {
	logcreate t
	echo old | logappend t
	start b logtail -f --retry -g b t
	wait_for have 1 b.out
	wait_for test -s t/groups/00000000000000000000.log
	remove t/groups
	echo more | logappend t
	wait_for have 2 b.out
	# It commits each second.
	run_tool 124 timeout 2.5 tail --pid="$b_pid" -f /dev/null
	[ ! -s b.err ]
	remove t
	wait_for grep -q 'waiting for it to come back' b.err
	logcreate new
	seq 3 | logappend new
	mv new t
	wait_for have 5 b.out
	kill "$b_pid"
	wait_exit 143 "$b_pid"
	run_tool 4 logcat -g b --fail-empty t
}

# switches PID: how often it has slept so far; and, as one that never sleeps is
# interrupted, a few of those.
switches() {
	awk '/^vol.*switches:/ { n += $2 }
	    /^nonvol.*switches:/ { n += int($2 / 20) }
	    END { print n }' "/proc/$1/status"
}

@test 'members that have nothing to do sleep' {
	logcreate t
	start a logtail -f -g a t
	start b logtail -f -g b --exec 'cat; echo' t
	echo one | logappend t
	wait_for have 1 a.out
	wait_for have 1 b.out
	# The others wait for a job, for the end or for a partition of its.
	logcreate -P 2 q
	echo one | logappend -p 0 q
	echo two | logappend -p 1 q
	mkfifo hold
	exec {fd}<>hold
	start job logtail -f -g g --jobs 2 --exec 'echo x; exec cat hold' q
	wait_for has_lines job.out 2
	start c logcat -g g q
	start d logtail -g g --exec 'cat; echo' q
	start e logtail -f -g g q
	logcreate other
	local begin=${EPOCHREALTIME/./} before=() most i
	# shellcheck disable=SC2154 # start sets them
	local pids=("$a_pid" "$b_pid" "$c_pid" "$d_pid" "$e_pid")
	for i in "${!pids[@]}"; do
		before[i]=$(switches "${pids[i]}")
	done
	run_tool 0 logtail -f --idle 2s other
	# Thirty a second, of which there are more on a slow machine.
	most=$(((${EPOCHREALTIME/./} - begin) * 30 / 1000000))
	for i in "${!pids[@]}"; do
		i=$(($(switches "${pids[i]}") - before[i]))
		echo "$i of $most"
		[ "$i" -lt "$most" ]
	done
	exec {fd}>&-
}

# blocked NAME: a member of g, in a write that does not end.
blocked() {
	mkfifo full
	exec {fd}<>full
	start "$1" sh -c 'exec logcat -g g t >full'
	wait_for logadmin group describe t g
}

@test 'a reader without -f takes over from one that is killed' {
	logcreate -P 2 t
	# More than a pipe takes, and nothing.
	seq 100000 | logappend -p 0 t
	blocked a
	start b logcat -g g t
	run_tool 0 logcat -g other -c 1 t
	run ! process_gone "$b_pid"
	kill -9 "$a_pid"
	wait_exit 0 "$b_pid"
	cmp b.out <(seq 100000)
	exec {fd}>&-
	# One that follows, and has done all, is not waited for.
	seq 3 | logappend -p 1 t
	start c logtail -f -g g t
	wait_for has_lines c.out 3
	run_tool 0 logcat -g g t
	[ -z "$out" ]
	kill "$c_pid"
}

@test 'where a new group begins is where it goes on' {
	logcreate -P 2 t
	fill_two() {
		seq -f "$1%g" 3 | logappend -p 0 t
		seq -f "$1%g" 3 | logappend -p 1 t
	}
	fill_two old
	run_tool 0 logcat -g g -o end t
	[ -z "$out" ]
	fill_two new
	run_tool 0 logcat -g g -o end t
	[ "$(grep -c new <<<"$out")" -eq 6 ]
	# What it has not come to yet is behind, too.
	run_tool 0 logcat -g late -c 1 t
	run_tool 0 logstat -q -g late t
	same "$(awk '{ print $3, $6 }' <<<"$out")" $'0 5\n1 6'
}

@test 'where a new group begins is noted before it reads' {
	logcreate t
	# More than a pipe takes: its first write does not end.
	seq 100000 | logappend t
	mkfifo full
	exec {fd}<>full
	start a sh -c 'exec logtail -f -g g -o -90000 t >full'
	wait_for logadmin group describe t g
	kill -9 "$a_pid"
	exec {fd}>&-
	seq 100001 200000 | logappend t
	run_tool 0 logcat -g g -o -90000 -c 1 t
	same "$out" 10001
}

@test 'damaged positions are told as damage, and can be repaired' {
	logcreate t
	seq 3 | logappend t
	run_tool 0 logadmin group seek t g -o end
	printf X | dd of=t/groups/00000000000000000000.log bs=1 seek=80 \
		conv=notrunc status=none
	run_tool 3 logcat -g g t
	has "$err" 't/groups/00000000000000000000.log: damaged at byte 0, '
	run_tool 4 logfsck t
	run_tool 1 logfsck -y t
	run_tool 0 logcat -g g t
	same "$out" "$(seq 3)"
}

@test 'any name, as long as may be' {
	logcreate t
	seq 3 | logappend t
	long=$(printf 'a%.0s' {1..248})
	run_tool 0 logcat -g "${long}1" t
	same "$out" "$(seq 3)"
	run_tool 0 logcat -g "${long}2" -c 1 t
	same "$out" 1
	[ "$(find t/groups -name '*.members' | wc -l)" -eq 2 ]
	run_tool 0 logcat -g "${long}2" t
	same "$out" $'2\n3'
	start a logtail -f -g "${long}1" t
	echo 4 | logappend t
	wait_for have 1 a.out
	run_tool 4 logadmin group rm t "${long}1"
	run_tool 0 logadmin group rm t "${long}2"
	kill "$a_pid"
	run_tool 2 logcat -g "${long}10" t
	# JSON is JSON whatever they are.
	run_tool 0 logcat -g $'\xffx"' t
	run_tool 0 logadmin -J group describe t $'\xffx"'
	has "$out" '{"group":"�x\"","topic":"t",'
}
