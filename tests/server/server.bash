# What tests of the server share, beside helpers.bash:
#
#	load server
#
# A server of the directory root runs from setup to teardown, on a port of
# loopback that the system chose.  Tests with other options stop it first.

# shellcheck source=tests/helpers.bash
source "${BASH_SOURCE[0]%/*}/../helpers.bash"

CALL=$ROOT/build/tests/server/call

setup() {
	helpers_setup
	mkdir root
	# shellcheck disable=SC2119
	serve
}

teardown() {
	stop_serving
	helpers_teardown
}

# serve [OPTION]...: start it; $address is where.
# shellcheck disable=SC2119,SC2120 # no option is fine
serve() {
	rm -f ready
	start server logserve --ready-fd 7 -l localhost:0 "$@" root 7>ready
	wait_for serving
	text_of ready address
	[ -n "$address" ] || {
		cat server.err
		return 1
	}
}

# It listens, or is gone.
serving() {
	has_lines ready 1 || process_gone "$server_pid"
}

# End it as its user would, and see that it has ended well.
stop_serving() {
	[ -n "$server_pid" ] || return 0
	kill "$server_pid" 2>/dev/null || true
	wait_exit 0 "$server_pid" || {
		cat server.err
		return 1
	}
	server_pid=
}

# call API VERSION [FIELD=VALUE]...: the response, a line per field, in $out.
call() {
	run_tool 0 "$CALL" "$address" "$@"
}

# field NAME: its value in the response.
field() {
	sed -n "s/^$1=//p" <<<"$out"
}

# is NAME VALUE [NAME VALUE]...: fields of the response are these.
is() {
	local lines=$'\n'$out value
	while [ $# -gt 0 ]; do
		value=${lines#*$'\n'"$1="}
		value=${value%%$'\n'*}
		[ "$value" = "$2" ] || {
			printf '%s is %q, not %q, in\n%s\n' "$1" "$value" \
				"$2" "$out"
			return 1
		}
		shift 2
	done
}
