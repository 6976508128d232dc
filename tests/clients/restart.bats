# A group of kafka-python goes on over the end of the server, killed or told to
# end: the members that were there need not join again, and nothing is missed.
# logserve alone is ended.

load ../helpers
TOOL_TIMEOUT=${CLIENT_TIMEOUT:-90}

setup() {
	helpers_setup
	[ "${BROKER:-logserve}" = logserve ] || skip "only logserve is ended"
	mkdir root
	logcreate -P 4 root/t
	serve localhost:0
}

teardown() {
	[ -z "${server_pid:-}" ] || kill "$server_pid" 2>/dev/null || true
	helpers_teardown
}

# serve ADDRESS: sets BROKER_ADDRESS; what it says is in server.err.
serve() {
	rm -f ready
	start server logserve -v --ready-fd 7 -l "$1" root 7>ready
	wait_for has_lines ready 1
	BROKER_ADDRESS=$(cat ready)
	export BROKER_ADDRESS
}

# member NAME: with the driver of that client, in the group g.
member() {
	start "$1" "$driver" member g t session=30000
}

# values NAME...: what these members have read.
values() {
	local name
	for name; do
		cut -f 3 "$name.out"
	done | grep -v assigned | sort -u
}

# append FROM TO: to all partitions, past the server.
append() {
	local i
	for ((i = $1; i <= $2; i++)); do
		printf '{"partition":%d,"value":"%d"}\n' $((i % 4)) "$i"
	done | logappend -J --keep-partition root/t
}

read_all() {
	[ "$(values one two | grep -cx '[0-9]*')" -eq "$1" ]
}

# Each has half of the partitions.
is_shared() {
	local name
	[ "$(for name in one two; do
		grep assigned "$name.out" | tail -n 1
	done | sort)" = $'assigned 0 1\nassigned 2 3' ]
}

# goes_on CLIENT: over kill -9, and over TERM.
goes_on() {
	driver=$ROOT/build/clients/$1/driver
	[ -x "$driver" ] || skip "$1 is not installed"
	member one
	member two
	wait_for is_shared
	append 1 100
	wait_for read_all 100
	local assigned
	assigned=$(grep -h assigned one.out two.out | sort)
	kill -9 "$server_pid"
	wait_exit 137 "$server_pid"
	# What is written while there is no server.
	append 101 200
	serve "$BROKER_ADDRESS"
	append 201 300
	wait_for read_all 300
	kill "$server_pid"
	wait_exit 0 "$server_pid"
	serve "$BROKER_ADDRESS"
	append 301 400
	wait_for read_all 400
	# Nobody was given anything anew.
	same "$(grep -h assigned one.out two.out | sort)" "$assigned"
	run ! grep -q PreparingRebalance server.err
	kill "$one_pid" "$two_pid"
	wait_for process_gone "$one_pid"
	wait_for process_gone "$two_pid"
}

@test 'a group of kafka-python 3 goes on when the server comes back' {
	goes_on kafka-python-3.0.12
}

@test 'a group of kafka-python 2 goes on when the server comes back' {
	goes_on kafka-python-2.0.2
}
