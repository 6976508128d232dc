# logtail: the last records, and those to come.

load ../helpers

lines_in() {
	[ "$(wc -l <"$1")" -ge "$2" ]
}

@test 'the last ten, or what was asked for' {
	seq 50 | logappend --create t
	[ "$(logtail t | tr '\n' ' ')" = '41 42 43 44 45 46 47 48 49 50 ' ]
	[ "$(logtail -n 2 t)" = $'49\n50' ]
	[ "$(logtail -n 0 t | wc -l)" -eq 0 ]
	[ "$(logtail -c 2 t)" = $'1\n2' ]
	[ "$(logtail -o 48: t)" = $'49\n50' ]
	run_tool 1 logtail nope
	run_tool 2 logtail -n 5 --cursor-file c t
}

@test 'more than there are: all' {
	logcreate -P 3 t
	for p in 0 1 2; do
		seq -f "$p %g" 300 | logappend -p "$p" t
	done
	for n in 300 301 1000000000000 9223372036854775807; do
		[ "$(logtail -n "$n" -p 1 t | sum)" = "$(seq -f '1 %g' 300 | sum)" ]
		run_tool 0 logtail -n "$((n < 900 ? 900 : n))" t
		[ "$(wc -l <<<"$out")" -eq 900 ]
	done
	[ "$(logtail -n 899 t | wc -l)" -eq 899 ]
	[ "$(logtail -n 200 -p 2 t | head -n 1)" = '2 101' ]
}

@test '-f: what is there, then as it comes, over rolls and new partitions' {
	logcreate --segment-bytes 1K t
	seq 5 | logappend t
	start follower logtail -n 2 -f t
	wait_for lines_in follower.out 2
	seq 6 300 | logappend --batch-bytes 100 t
	wait_for lines_in follower.out 297
	logcreate --grow-to 2 t
	echo new | logappend -p 1 t
	wait_for lines_in follower.out 298
	{ seq 4 300; echo new; } | cmp - follower.out
	kill "$follower_pid"
}

@test '-f ends by count, by an end, by idleness' {
	seq 5 | logappend --create t
	start a logtail -f -c 7 t
	start b logtail -f -o :8 t
	start c logtail -n 0 -f --idle 300ms t
	seq 6 9 | logappend t
	wait "$a_pid"
	wait "$b_pid"
	wait "$c_pid"
	seq 7 | cmp - a.out
	seq 8 | cmp - b.out
	run_tool 0 logtail -f -o 2:end t
	[ "$(wc -l <<<"$out")" -eq 7 ]
}

@test 'a topic removed under a follower; --retry waits for a new one' {
	logcreate t
	start a logtail -f t
	start b logtail -o start -f --retry -c 1 t
	start c logtail -f --retry -c 1 later
	echo x | logappend t
	wait_for lines_in a.out 1
	wait "$b_pid"
	start d logtail -f --retry -c 2 t
	wait_for lines_in d.out 1
	rm -r t
	status=0
	wait "$a_pid" || status=$?
	[ "$status" -eq 1 ]
	grep -q 'removed' a.err
	echo y | logappend --create t
	echo z | logappend --create later
	wait "$c_pid"
	[ "$(cat c.out)" = z ]
	wait "$d_pid"
	same "$(cat d.out)" $'x\ny'
}

@test '--idle ends the wait of --retry for a topic, too' {
	logcreate there
	for options in '' '-g g' '-g g --exec cat' '--cursor-file c'; do
		# shellcheck disable=SC2086
		run_tool 0 logtail -f --retry --idle 50ms $options there nope
		[ -z "$out$err" ]
	done
	run_tool 4 logtail -f --retry --idle 50ms --fail-empty nope
	# One that was there, and does not come back.
	echo x | logappend --create t
	start a logtail -f --retry --idle 5s --cursor-file c t
	wait_for has_lines a.out 1
	rm -r t
	wait_exit 0 "$a_pid"
	grep -q 'removed; waiting' a.err
}

@test '-f -o 0:2 waits for the second of each partition' {
	logcreate -P 2 t
	start a logtail -f -o 0:2 t
	start b logtail -f -o 0:end t
	wait_exit 0 "$b_pid"
	seq 3 | logappend -p 0 t
	wait_for has_lines a.out 2
	logappend -p 1 t <<<11
	wait_for has_lines a.out 3
	logappend -p 1 t <<<12
	wait_exit 0 "$a_pid"
	same "$(sort a.out | paste -sd ' ')" '1 11 12 2'
	[ ! -s b.out ]
	# More than there are, as in tail(1).
	run_tool 0 logtail -o -100 t
	same "$(lines "$tool_out")$err" 5
}

@test 'options that would do nothing' {
	logcreate t
	for options in '--idle 1s' --retry '--value json' '-Z -J' \
	    '--per-partition -c 1'; do
		# shellcheck disable=SC2086
		run_tool 2 logtail $options t
		[ "$(lines "$tool_err")" -eq 1 ]
	done
	run_tool 0 logtail --per-partition t
}

@test 'a cursor file follows what was written' {
	seq 5 | logappend --create t
	start a logtail -f --cursor-file c t
	wait_for lines_in a.out 5
	kill -TERM "$a_pid"
	status=0
	wait "$a_pid" || status=$?
	[ "$status" -eq 143 ]
	[ "$(cut -d ' ' -f 1-3 c)" = 't 0 5' ]
	echo 6 | logappend t
	[ "$(logtail --cursor-file c t)" = 6 ]
}

@test 'a reader that has gone ends a follower' {
	logcreate t
	mkfifo pipe
	logtail -f t >pipe &
	pid=$!
	exec 9<pipe
	exec 9<&-
	status=0
	wait "$pid" || status=$?
	[ "$status" -eq 141 ]
}

@test 'eight writers, three followers: one order, nothing lost or twice' {
	logcreate --segment-bytes 64K t
	for f in 1 2 3; do
		start "f$f" logtail -o start: -f -c 4000 -F '%o %v\n' t
	done
	for w in 1 2 3 4 5 6 7 8; do
		seq -f "$w-%g" 500 | logappend --batch-bytes 300 t &
		pids+=" $!"
	done
	for pid in $pids "$f1_pid" "$f2_pid" "$f3_pid"; do
		wait "$pid"
	done
	logcat -F '%o %v\n' t >all
	for f in 1 2 3; do
		cmp all "f$f.out"
	done
	[ "$(cut -d' ' -f1 all | sort -nu | wc -l)" -eq 4000 ]
	[ "$(cut -d' ' -f2 all | sort -u | wc -l)" -eq 4000 ]
	for w in 1 2 3 4 5 6 7 8; do
		grep " $w-" all | cut -d- -f2 | cmp - <(seq 500)
	done
}
