# The helpers themselves: a helper that cannot fail would hide everything.
load ../helpers

@test "run_tool takes the exit status asked for, and no other" {
	run_tool 0 true
	run_tool 3 sh -c 'exit 3'
	run ! run_tool 0 false
	run ! run_tool 1 true
}

@test "run_tool keeps stdout and stderr apart" {
	run_tool 0 sh -c 'echo one; echo two >&2; printf "a\0b"'
	same "$out" $'one\nab'
	same "$err" two
	same "$(wc -c <"$tool_out")" 7
}

@test "run_tool gives an empty stdin, or the one redirected" {
	run_tool 0 cat
	same "$out" ""
	echo text >in
	run_tool 0 cat <in
	same "$out" text
}

@test "run_tool stops what takes too long" {
	TOOL_TIMEOUT=0.2 run_tool 124 sleep 60
}

@test "same and has" {
	same "a b" "a b"
	run ! same "a b" "a  b"
	has "some text" "me te"
	run ! has "some text" "text."
	run ! has "a.c" "a?c"
}

@test "wait_for succeeds late, or fails" {
	start late sh -c 'sleep 0.1; echo ready; exit 5'
	wait_for grep -q ready late.out
	wait_exit 5 "$late_pid"
	TOOL_TIMEOUT=1
	run ! wait_for false
}

@test "has_lines" {
	run ! has_lines none 1
	printf 'a\nb\n' >two
	has_lines two 2
	run ! has_lines two 3
}

@test "the programs tested are those of this tree" {
	same "${PATH%%:*}" "$LOGKIT_BIN"
	[ -d "$LOGKIT_BIN" ]
}
