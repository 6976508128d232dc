# logserve killed with -9 at random moments under idempotent producers, while a
# local writer, which is killed too, appends to the same topic; judged by the
# oracle.  Some kills come before the server has come back from the one before.
#	SERVE_KILLS=60	kills
#	SEED=N		repeats a run

load ../server/server

setup_file() {
	local tests=${BATS_TEST_FILENAME%/*}/..
	[ -e /usr/include/librdkafka/rdkafka.h ] ||
		skip 'librdkafka-dev is not installed'
	cc -O2 -D_GNU_SOURCE -o "$BATS_FILE_TMPDIR/oracle" \
	    "$tests/oracle/oracle.c"
	cc -O2 -D_GNU_SOURCE -o "$BATS_FILE_TMPDIR/produce" \
	    "$tests/crash/produce.c" -lrdkafka
}

setup() {
	helpers_setup
	mkdir root
	address=localhost:0
}

# begin: start the server where it was before.
begin() {
	rm -f ready
	start server logserve --ready-fd 7 -l "$address" root 7>ready
}

begun() {
	[ -n "$server_pid" ] || begin
	wait_for serving
	has_lines ready 1 || {
		cat server.err
		return 1
	}
	address=$(cat ready)
}

# murder: kill it, and see that it was alive.
murder() {
	local status=0
	kill -9 "$server_pid"
	wait "$server_pid" 2>/dev/null || status=$?
	[ "$status" -eq 137 ] || {
		echo "exit status $status"
		cat server.err
		return 1
	}
	cat server.err >>errors
	server_pid=
}

# So many acknowledgements, or the producers have failed.
acknowledged() {
	process_gone "$producers_pid" || [ "$(grep -c ^k journal)" -ge "$1" ]
}

produced() {
	wait_for acknowledged "$1" || return 1
	process_gone "$producers_pid" || return 0
	cat producers.err server.err
	return 1
}

# kill_some N: random moments; one in four is not long after the start.
kill_some() {
	local i
	for ((i = 0; i < $1; i++)); do
		if [ $((RANDOM % 4)) -eq 0 ]; then
			: $((early += 1))
			sleep "0.0$((RANDOM % 100))"
		else
			produced $(($(grep -c ^k journal || true) + \
			    RANDOM % 300 + 1))
		fi
		murder
		begin
	done
	begun
}

# end NAME: end producers or local writers, and see that all went well.
end() {
	local pid=$1_pid
	kill "${!pid}"
	wait_exit 0 "${!pid}" || {
		cat "$1.err"
		return 1
	}
	cat "$1.out"
}

# What is there is what was acknowledged, and of local ones a few more.
judge() {
	run_tool 0 logfsck root/t
	logcat -F '%p %o %s\n' root/t >there
	"$BATS_FILE_TMPDIR/oracle" judge -d journal local_journal <there
	# What the server says is where it is, of torn tails, and that a disk
	# keeps who was killed from ending.
	grep -vE '^logserve: (start|ready): |lost\+found|another process.s lock' \
	    errors >unexpected || return 0
	cat unexpected
	return 1
}

@test 'kills' {
	local sizes=(300 300 3000 20000) segments=(64K 256K 4M)
	seed=${SEED:-$((SRANDOM % 32768))}
	RANDOM=$seed
	echo "SEED=$seed"
	TOOL_TIMEOUT=120
	kills=0
	early=0
	until [ "$kills" -ge "${SERVE_KILLS:-60}" ]; do
		segment=${segments[RANDOM % 3]}
		producers=$((RANDOM % 8 + 1))
		size=${sizes[RANDOM % 4]}
		: $((kills += 20))
		echo "to $kills kills: $producers producers, $segment, $size"
		logcreate -P 4 --segment-bytes "$segment" root/t
		: >journal
		begun
		start producers "$BATS_FILE_TMPDIR/produce" -w "$producers" \
		    -s "$RANDOM" -t remote -b "$size" journal "$address" t
		start local "$BATS_FILE_TMPDIR/oracle" write -k 1000000 \
		    -m 300000 -p 20000 -s "$RANDOM" -t local local_journal \
		    logappend --report root/t
		kill_some 20
		end producers
		end local
		stop_serving
		judge
		rm -rf root/t journal local_journal errors
	done
	echo "$kills kills, $early of them early"
}
