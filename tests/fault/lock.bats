# A writer that is stopped while it holds a partition's lock: the others say
# that they wait, once, and go on when it has died or goes on itself.

load ../helpers

PRELOAD=$ROOT/build/tests/fault/fault_preload.so

# hold CALL: start a writer that is stopped before its first such call in t.
hold() {
	[ -e "$PRELOAD" ] || skip "fault_preload.so is not built"
	! is_san || skip "a library to load does not go with sanitizers"
	logcreate t
	echo before | logappend t
	echo held >held
	start holder env LD_PRELOAD="$PRELOAD" FAULT="$1:1:stop" \
	    FAULT_LOG="$PWD/log" logappend t held
	wait_for test -s log
	[[ $(<log) == *"$2" ]]
	wait_for is_stopped "$holder_pid"
}

is_stopped() {
	[[ $(sed 's/.*) //' "/proc/$1/stat") == T* ]]
}

# Two who wait, and what each says.
waiters() {
	echo one >one
	echo two >two
	start one logappend --report t one
	start two logappend --report t/0 two
	wait_for has_lines one.err 1
	wait_for has_lines two.err 1
	same "$(<one.err)" "logappend: t/0: waiting for another process's lock"
	same "$(<two.err)" "$(<one.err)"
}

# Both have appended, and have said nothing more.
both_done() {
	wait_exit 0 "$one_pid"
	wait_exit 0 "$two_pid"
	[ "$(lines one.err)" -eq 1 ]
	[ "$(lines two.err)" -eq 1 ]
	logcat -F '%o %v\n' t >all
	grep -qx "$(cut -f3 one.out) one" all
	grep -qx "$(cut -f3 two.out) two" all
}

@test 'a holder of the log that dies' {
	hold write .log
	waiters
	kill -9 "$holder_pid"
	both_done
	same "$(logcat t | sort)" "$(printf '%s\n' before one two)"
	run_tool 0 logfsck t
}

@test 'a holder of the log that goes on' {
	hold write .log
	waiters
	kill -CONT "$holder_pid"
	wait_exit 0 "$holder_pid"
	both_done
	same "$(logcat t | sort)" "$(printf '%s\n' before held one two)"
}

@test 'a holder that is stopped in its sync' {
	hold sync .log
	waiters
	# Readers do not wait for it, nor do the writers of others.
	same "$(logcat t)" before
	logcreate u
	echo other | logappend u
	kill -9 "$holder_pid"
	both_done
	# It had written: the next one takes that over.
	same "$(logcat t | sort)" "$(printf '%s\n' before held one two)"
	run_tool 0 logfsck t
}

@test 'a follower waits for none' {
	hold write .log
	start tail logtail -f -n 1 t
	wait_for has_lines tail.out 1
	kill -9 "$holder_pid"
	echo after | logappend t
	wait_for has_lines tail.out 2
	[ ! -s tail.err ]
}

@test '--quiet waits without a word' {
	hold write .log
	echo one >one
	echo two >two
	start one logappend -q t one
	start two logappend t two
	wait_for has_lines two.err 1
	kill -9 "$holder_pid"
	wait_exit 0 "$one_pid"
	wait_exit 0 "$two_pid"
	[ ! -s one.err ]
}
