# logreplicate under who runs it: signals, a service manager, a terminal.
load ../helpers

has_records() {
	[ "$(logcat "$1" | wc -l)" -ge "$2" ]
}

# was_told TEXT: such a line was said to the manager.
was_told() {
	grep -qxF "$1" manager.out
}

@test "a signal: what has come over stays, and the next run goes on" {
	logcreate a
	seq 1 500000 | logappend a
	for signal in TERM INT HUP; do
		rm -rf b
		start rep setsid env --default-signal="$signal" \
		    logreplicate --stats --bwlimit 1M a b
		wait_for test -s b/0/00000000000000000000.log
		# As a terminal does, its children as well.
		kill "-$signal" -- "-$rep_pid"
		wait_exit "$((128 + $(kill -l "$signal")))" "$rep_pid"
		same "$(cat rep.err)" ''
		has "$(cat rep.out)" ' records behind in 1 partition'
		# All that was sent is there, and can be read.
		same "$(logstat -J b | jq .bytes) bytes" \
		    "$(cut -d ' ' -f 1,2 rep.out)"
		run_tool 0 logfsck b
		run_tool 0 logreplicate -v a b
		has "$out" 'a/0: offsets '
		cmp a/0/00000000000000000000.log b/0/00000000000000000000.log
	done
}

@test "a signal while it pulls, and while it waits" {
	cat >ssh <<'END'
#!/bin/sh
shift
exec sh -c "$*"
END
	chmod +x ssh
	logcreate a
	seq 1 500000 | logappend a
	start rep logreplicate -f --bwlimit 1M --rsh ./ssh "host:$PWD/a" b
	wait_for test -s b/0/00000000000000000000.log
	kill "$rep_pid"
	wait_exit 143 "$rep_pid"
	same "$(cat rep.err)" ''
	run_tool 0 logfsck b
	start rep logreplicate -f --rsh false "host:$PWD/a" c
	wait_for grep -q 'once more' rep.err
	kill "$rep_pid"
	wait_exit 143 "$rep_pid"
}

@test "a signal while it makes many topics" {
	printf '#!/bin/sh\nshift\nexec sh -c "$*"\n' >ssh
	chmod +x ssh
	mkdir root
	logcreate root/t{1..400}
	start rep logreplicate --rsh ./ssh "host:$PWD/root" copy
	wait_for test -e copy/t10
	kill "$rep_pid"
	wait_exit 143 "$rep_pid"
	same "$(cat rep.err)" ''
	# Not all those of which it was told.
	made=(copy/*)
	[ "${#made[@]}" -lt 400 ]
	run_tool 0 logreplicate --rsh ./ssh "host:$PWD/root" copy
	made=(copy/*)
	same "${#made[@]}" 400
}

@test "a service manager is told" {
	logcreate a
	seq 1 100 | logappend a
	start manager told notify
	wait_for was_told bound
	export NOTIFY_SOCKET=notify WATCHDOG_USEC=2000
	start rep logreplicate -f a b
	wait_for was_told READY=1
	wait_for was_told STATUS=current
	wait_for was_told WATCHDOG=1
	seq 1 100 | logappend a
	wait_for has_records b 200
	kill "$rep_pid"
	wait_exit 143 "$rep_pid"
	wait_for was_told STOPPING=1
	# A run that ends is no service.
	: >manager.out
	run_tool 0 logreplicate a b
	same "$(cat manager.out)" ''
	# What is wrong, in words.
	start rep logreplicate -f --rsh false host:a b
	wait_for grep -q '^STATUS=not connected, once more in ' manager.out
	kill "$rep_pid"
	wait_exit 143 "$rep_pid"
	kill "$manager_pid"
}

@test "progress, if it is wanted" {
	logcreate a
	seq 1 500000 | logappend a
	run_tool 0 logreplicate --bwlimit 4M --progress always a b
	has "$err" ' of 500.0K records, '
	rm -r b
	run_tool 0 logreplicate --bwlimit 4M a b
	same "$err" ''
}

@test "--itemize: each change, as -n tells before" {
	logcreate a
	seq 1 10 | logappend a
	run_tool 0 logreplicate -n a b
	plan=$out
	run_tool 0 logreplicate --itemize a b
	same "$(cut -d , -f 1 <<<"$out")" "$(cut -d , -f 1 <<<"$plan")"
	run_tool 0 logreplicate --itemize a b
	same "$out" ''
	logadmin topic set a retention.ms=1d
	logcreate --grow-to 2 a
	run_tool 0 logreplicate --itemize a b
	same "$out" "$(printf 'a: grown to 2 partitions\na: set retention.ms=86400000')"
}

# The words of a unit's ExecStart, with places of ours.
command_of() {
	sed -n 's/^ExecStart=[^ ]* //p' "$ROOT/examples/$1" |
		sed "s,\$LOGREPLICATE_SRC,$PWD/a,; s,\$LOGREPLICATE_DST,$PWD/b,"
}

@test "the units have options that there are, and are units" {
	logcreate a
	seq 1 10 | logappend a
	read -ra words <<<"$(command_of logreplicate-nightly.service)"
	run_tool 0 logreplicate "${words[@]}"
	same "$(logcat b)" "$(seq 1 10)"
	read -ra words <<<"$(command_of logreplicate.service)"
	start rep logreplicate "${words[@]}"
	echo 11 | logappend a
	wait_for has_records b 11
	kill "$rep_pid"
	wait_exit 143 "$rep_pid"
	need systemd-analyze
	for unit in logreplicate.service logreplicate-nightly.service \
	    logreplicate-nightly.timer; do
		sed "s,^ExecStart=[^ ]*,ExecStart=$LOGKIT_BIN/logreplicate," \
		    "$ROOT/examples/$unit" >"$unit"
	done
	run_tool 0 systemd-analyze verify --man=no ./logreplicate.service \
	    ./logreplicate-nightly.service ./logreplicate-nightly.timer
	same "$err" ''
}
