# A server with the sanitizers, and clients that send it anything; a good one
# is served all the time.
#	SOCKET_SECONDS=30	how long
#	SEED=N			repeats a run

load ../server/server

setup() {
	helpers_setup
	local bin
	for bin in "$ROOT/build/clang-san/bin" "$ROOT/bin/san"; do
		[ ! -x "$bin/logserve" ] || LOGKIT_BIN=$bin
	done
	is_sanitized || skip 'no programs with sanitizers are built'
	PATH=$LOGKIT_BIN:$PATH
	mkdir root
	logcreate root/good root/t root/u
	logcreate --compact root/v
	(umask 077 && echo '0123456789abcdefghij' >secret)
	serve --replica-secret secret
}

is_sanitized() {
	[ "$LOGKIT_BIN" != "$ROOT/bin" ]
}

@test 'anything from a socket' {
	local seconds=${SOCKET_SECONDS:-30} seed=${SEED:-$SRANDOM}
	echo "SEED=$seed"
	TOOL_TIMEOUT=$((seconds + 300)) run_tool 0 \
	    "$ROOT/build/tests/server/fuzz" "$address" "$seconds" "$seed" secret
	echo "$out"
	# It is none of the server's affairs how the others' topics look.
	run_tool 0 logfsck root/good
	[ "$(logcat root/good | sort | uniq -c | wc -l)" -eq 1 ]
	# It ends well, and has nothing to report.
	kill "$server_pid"
	TOOL_TIMEOUT=120 wait_exit 0 "$server_pid" || {
		cat server.err
		return 1
	}
	server_pid=
}
