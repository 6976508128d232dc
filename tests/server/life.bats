# From start to end: signals, sockets, who is told, commands, roots.

# Each test has an address of its own; what is in quotes is for other shells.
# shellcheck disable=SC2016,SC2030,SC2031
load server

# holder FILE PROGRAM [ARG]...: run it with a listening socket as descriptor 3,
# as a service manager does; its address is in FILE.
holder() {
	# shellcheck disable=SC2016 # perl's
	exec perl -e 'use Socket; use Fcntl; use POSIX ();
	    $^F = 9;
	    my $file = shift;
	    socket(my $s, PF_INET, SOCK_STREAM, 0) or die $!;
	    bind($s, sockaddr_in(0, INADDR_LOOPBACK)) or die $!;
	    listen($s, 16) or die $!;
	    my ($port) = sockaddr_in(getsockname($s));
	    open(my $f, ">", $file) or die $!;
	    print $f "127.0.0.1:$port\n";
	    close($f);
	    fileno($s) == 3 or POSIX::dup2(fileno($s), 3) or die $!;
	    ($ENV{LISTEN_PID}, $ENV{LISTEN_FDS}) = ($$, 1);
	    exec(@ARGV) or die $!' "$@"
}

# A connection that says nothing, until the other end closes it.
idle() {
	# shellcheck disable=SC2016
	exec perl -e 'use Socket;
	    my ($host, $port) = split ":", shift;
	    socket(my $s, PF_INET, SOCK_STREAM, 0) or die $!;
	    connect($s, sockaddr_in($port, inet_aton($host))) or die $!;
	    $| = 1;
	    print "there\n";
	    sysread($s, my $b, 1)' "$@"
}

# The server looks at a partition: it watches what it looks at.
watches() {
	grep -q '^inotify ' "/proc/$server_pid/fdinfo/"*
}

# has_ended: with success, and within much less than a fetch may wait.
has_ended() {
	local end=$SECONDS
	wait_exit 0 "$server_pid" || return 1
	server_pid=
	[ $((SECONDS - end)) -lt 25 ]
}

fetch=(Fetch 11 max_wait_ms=60000 min_bytes=1 max_bytes=1000
	topics.0.topic=t topics.0.partitions.0.partition_max_bytes=1000)

@test 'TERM and INT: who waits is answered, who is idle is let go' {
	local signal
	logcreate root/t
	for signal in TERM INT; do
		start waiting "$CALL" "$address" "${fetch[@]}"
		start quiet idle "$address"
		wait_for has_lines quiet.out 1
		wait_for watches
		kill "-$signal" "$server_pid"
		has_ended
		wait_exit 0 "$waiting_pid"
		grep -qx 'responses.0.partitions.0.error_code=0' waiting.out
		wait_exit 0 "$quiet_pid"
		serve
	done
}

@test 'HUP ends nothing' {
	kill -HUP "$server_pid"
	run_tool 0 kcat -P -b "$address" -t t <<<one
	same "$(logcat root/t)" one
}

# hold: a local writer is stopped while it holds the lock of root/t/0.
hold() {
	local preload=$ROOT/build/tests/fault/fault_preload.so
	[ -e "$preload" ] || skip "fault_preload.so is not built"
	logcreate root/t
	echo before | logappend root/t
	echo held >held
	# It does not go with sanitizers.
	start holder env LD_PRELOAD="$preload" FAULT=write:1:stop \
	    FAULT_LOG="$PWD/log" "$ROOT/bin/logappend" root/t held
	wait_for test -s log
}

# send: a client's batch, which waits for that lock.
send() {
	logcreate u
	echo one | logappend u
	start producer "$CALL" "$address" Produce 8 acks=-1 \
	    topic_data.0.name=t \
	    topic_data.0.partition_data.0.records=@"$(echo u/0/*.log)"
	wait_for grep -q "root/t/0: waiting for another process's lock" \
	    server.err
}

@test 'a batch that waits for its log for too long' {
	# On a disk that others write to, a sync may take seconds.
	local patience=5000
	! is_san || patience=10000
	hold
	logcreate u root/other
	echo one | logappend u
	# What can be done is; the other one may be, later.
	call Produce 8 acks=-1 timeout_ms=$patience topic_data.0.name=t \
	    topic_data.0.partition_data.0.records=@"$(echo u/0/*.log)" \
	    topic_data.1.name=other \
	    topic_data.1.partition_data.0.records=@"$(echo u/0/*.log)"
	is responses.0.partition_responses.0.error_code 7 \
	    responses.0.partition_responses.0.base_offset -1 \
	    responses.1.partition_responses.0.error_code 0 \
	    responses.1.partition_responses.0.base_offset 0
	kill -CONT "$holder_pid"
	wait_for served_line one
	same "$(logcat root/t)" $'before\nheld\none'
	stop_serving
}

@test 'records that are to be deleted behind a lock, for too long' {
	hold
	logcreate root/other
	echo one | logappend root/other
	call DeleteRecords 1 timeout_ms=1000 topics.0.name=t \
	    topics.0.partitions.0.offset=1 topics.1.name=other \
	    topics.1.partitions.0.offset=1
	is topics.0.partitions.0.error_code 7 \
	    topics.0.partitions.0.low_watermark -1 \
	    topics.1.partitions.0.low_watermark 1
	kill -CONT "$holder_pid"
	wait_for served_line held
	# Yet it is done.
	wait_for begins_at 1
	stop_serving
}

# begins_at OFFSET: the records of root/t are from there on.
begins_at() {
	same "$(logcat -F '%o\n' root/t | head -n 1)" "$1"
}

@test 'a topic that goes while a batch waits for its log' {
	hold
	send
	mv root/t elsewhere
	call Metadata 9 topics.0.name=t allow_auto_topic_creation=false
	is topics.0.error_code 3
	kill -CONT "$holder_pid"
	# Written or not, it is answered, and the server goes on.
	wait_exit 0 "$producer_pid"
	logcreate root/t
	run_tool 0 kcat -P -b "$address" -t t <<<two
	same "$(logcat root/t)" two
	stop_serving
}

# The drain is not over while a batch waits for a lock that another holds.
@test 'TERM: an append in work is answered, and nobody else comes in' {
	hold
	send
	kill "$server_pid"
	wait_for refused
	kill -CONT "$holder_pid"
	has_ended
	wait_exit 0 "$producer_pid"
	grep -q '^responses.*\.error_code=0' producer.out
	grep -q '^responses.*\.base_offset=2' producer.out
	same "$(logcat root/t)" $'before\nheld\none'
}

# There is no end to wait for: a program that is stopped is no reason to stay.
@test 'TERM: what waits for a lock for too long is given up' {
	hold
	logcreate root/other
	send
	# Another is stored, and stays so.
	call Produce 8 acks=-1 topic_data.0.name=other \
	    topic_data.0.partition_data.0.records=@"$(echo u/0/*.log)"
	is responses.0.partition_responses.0.error_code 0
	kill "$server_pid"
	has_ended
	grep -q 'given up: path=[^ ]*root/t/0$' server.err
	wait "$producer_pid" || true
	! grep -q '^responses' producer.out || return 1
	same "$(logcat root/other)" one
	kill -CONT "$holder_pid"
	wait_exit 0 "$holder_pid"
	same "$(logcat root/t)" $'before\nheld'
	serve
}

# served_line LINE: it is in root/t.
served_line() {
	grep -qx "$1" <<<"$(logcat root/t)"
}

refused() {
	run -111 idle "$address"
}

@test 'after kill -9 it is there again, at the same port' {
	run_tool 0 kcat -P -b "$address" -t t <<<one
	kill -9 "$server_pid"
	wait_exit 137 "$server_pid"
	serve -l "$address"
	run_tool 0 kcat -P -b "$address" -t t <<<two
	run_tool 0 kcat -C -e -q -b "$address" -t t -f '%o %s\n'
	same "$out" $'0 one\n1 two'
}

@test 'sockets of a service manager' {
	stop_serving
	start server holder where logserve --ready-fd 7 root 7>ready
	wait_for serving
	address=$(cat ready)
	same "$address" "$(cat where)"
	run_tool 0 kcat -P -b "$address" -t t <<<one
	same "$(logcat root/t)" one
	stop_serving
	# One that does not listen, or is none.
	run_tool 1 env LISTEN_FDS=1 bash -c \
	    'LISTEN_PID=$$ exec logserve root' 3</dev/null
	has "$err" 'inherited sockets: '
	# Meant for another process: it listens by itself.
	start server env LISTEN_FDS=1 LISTEN_PID=1 logserve -l localhost:0 \
	    --ready-fd 7 root 7>ready
	wait_for serving
	has_lines ready 1
}

@test 'a service manager is told' {
	local name
	stop_serving
	for name in notify "@logkit-$$-$BATS_TEST_NUMBER"; do
		start manager told "$name"
		wait_for has_lines manager.out 1
		NOTIFY_SOCKET=$name serve
		wait_for has_lines manager.out 2
		same "$(tail -n 1 manager.out)" READY=1
		stop_serving
		wait_for has_lines manager.out 3
		same "$(tail -n 1 manager.out)" STOPPING=1
		kill "$manager_pid"
	done
	# One that is not there is told of, and no more.
	NOTIFY_SOCKET=nowhere serve
	has "$(cat server.err)" 'nowhere: '
}

@test 'ephemeral: a root of its own, gone at the end' {
	stop_serving
	mkdir tmp
	TMPDIR=tmp start server logserve --ephemeral --ready-fd 7 7>ready
	wait_for serving
	address=$(cat ready)
	run_tool 0 kcat -P -b "$address" -t t <<<one
	same "$(logcat tmp/logserve.*/t)" one
	stop_serving
	[ -z "$(ls tmp)" ]
}

@test 'ephemeral with a command: its status, and nothing is left' {
	local TMPDIR=tmp
	export TMPDIR
	mkdir tmp
	run_tool 0 logserve --ephemeral -- sh -c 'echo one |
	    kcat -P -b "$LOGKIT_BROKER" -t t && logcat tmp/logserve.*/t'
	same "$out" one
	[ -z "$(ls tmp)" ]
	run_tool 7 logserve --ephemeral -- sh -c 'exit 7'
	run_tool 137 logserve --ephemeral -- sh -c 'kill -9 $$'
	run_tool 127 logserve --ephemeral -- ./missing
	has "$err" 'missing: '
	run_tool 126 logserve --ephemeral -- ./tmp
	run_tool 125 logserve --ephemeral -l "$address" -- true
	has "$err" "$address: "
	TMPDIR=nowhere run_tool 125 logserve --ephemeral -- true
	[ -z "$(ls tmp)" ]
	# It has our limits, not the server's.
	ulimit -Sn 300
	run_tool 0 logserve --ephemeral -- sh -c 'ulimit -n; sed -n "s/^Max open files *//p" "/proc/$PPID/limits"'
	has "$out" '300
'
	run ! grep -q '^300 ' <<<"$out"
	# A parent may have set children to be forgotten.
	# shellcheck disable=SC2016
	run_tool 3 perl -e '$SIG{CHLD} = "IGNORE"; exec @ARGV' \
	    logserve --ephemeral -- sh -c 'exit 3'
}

@test 'ephemeral with a command: signals go to it' {
	local signal
	mkdir tmp
	for signal in TERM INT; do
		rm -f there
		TMPDIR=tmp start command logserve --ephemeral -- sh -c \
		    "trap 'exit 9' $signal; : >there
		    while :; do sleep 0.01; done"
		wait_for [ -e there ]
		kill "-$signal" "$command_pid"
		wait_exit 9 "$command_pid"
		[ -z "$(ls tmp)" ]
	done
}

@test '--ready-fd that is not open' {
	run_tool 1 logserve --ready-fd 9 -l localhost:0 root 9>&-
	same "$err" 'logserve: --ready-fd 9: Bad file descriptor'
}

@test '--check-config' {
	run_tool 0 logserve --check-config -l "$address" root
	run_tool 1 logserve --check-config nowhere
	has "$err" 'nowhere: No such file'
	logcreate root/t
	run_tool 1 logserve --check-config root/t
	has "$err" 'root/t: a topic, not a directory of topics'
	: >file
	run_tool 1 logserve --check-config file
	has "$err" 'file: Not a directory'
	run_tool 2 logserve --check-config -l a:b root
	run_tool 2 logserve --check-config --advertise localhost:0 root
	run_tool 2 logserve --check-config --advertise 'a b:9092' root
	run_tool 2 logserve --check-config --advertise $'a\tb:9092' root
	run_tool 2 logserve --check-config
	run_tool 0 logserve --check-config --ephemeral
}

@test '--read-only: what is there is read, and stays as it is' {
	seq 9 | logappend root/t --create
	stop_serving
	find root -type f -exec cksum {} + | sort >before
	serve --read-only
	run_tool 0 kcat -C -e -q -b "$address" -t t
	same "$out" "$(seq 9)"
	call InitProducerId 1
	call Produce 8 acks=-1 topic_data.0.name=t \
	    topic_data.0.partition_data.0.records=x
	is responses.0.partition_responses.0.error_code 29
	run ! kcat -C -e -q -b "$address" -t new
	call OffsetCommit 7 group_id=g topics.0.name=t \
	    topics.0.partitions.0.committed_offset=3
	[ "$(field topics.0.partitions.0.error_code)" -ne 0 ]
	find root -type f -exec cksum {} + | sort | cmp before -
	[ ! -e root/new ]
}

@test 'unix sockets' {
	stop_serving
	serve -l unix:socket
	has_lines ready 1
	address=unix:socket
	logcreate root/t
	call ListOffsets 5 topics.0.name=t topics.0.partitions.0.timestamp=-1
	is topics.0.partitions.0.offset 0
	# Another server may not have it.
	run_tool 1 logserve -l unix:socket root
	has "$err" 'unix:socket: Address already in use'
	call ApiVersions 0
	stop_serving
	[ ! -e socket ]
	# One that a dead server has left stands in nobody's way.
	serve -l unix:socket
	kill -9 "$server_pid"
	wait_exit 137 "$server_pid"
	[ -S socket ]
	serve -l unix:socket
	address=unix:socket
	call ApiVersions 0
	# A file does.
	stop_serving
	: >socket
	run_tool 1 logserve -l unix:socket root
	[ -f socket ]
}

@test '--advertise' {
	call Metadata 9
	same "$(field brokers.0.host):$(field brokers.0.port)" "$address"
	stop_serving
	serve --advertise logs.example:1234
	call Metadata 9
	is brokers.0.host logs.example brokers.0.port 1234
	call FindCoordinator 2 key=g
	is host logs.example port 1234
	call DescribeCluster 0
	is brokers.0.host logs.example brokers.0.port 1234
}

@test 'an address that is taken, or is none of ours' {
	run_tool 1 logserve -l "$address" root
	same "$(tail -n 1 <<<"$err")" \
	    "logserve: $address: Address already in use"
	run_tool 1 logserve -l 192.0.2.1:0 root
	has "$err" '192.0.2.1:0: '
	run_tool 1 logserve -l localhost:0 nowhere
	has "$err" 'nowhere: No such file'
}

# id: the cluster's.
id() {
	call DescribeCluster 0
	field cluster_id
}

@test 'the id of the cluster stays the same' {
	local first
	first=$(id)
	[[ $first =~ ^[A-Za-z0-9_-]{22}$ ]]
	call Metadata 9
	is cluster_id "$first"
	kill -9 "$server_pid"
	wait_exit 137 "$server_pid"
	serve
	same "$(id)" "$first"
	stop_serving
	# It is nothing of a topic.
	logcreate root/t
	same "$(logadmin topic ls root | tail -n +2 | cut -d ' ' -f 1)" t
	same "$(logstat root | tail -n +2 | cut -d ' ' -f 1)" t
	serve --read-only
	same "$(id)" "$first"
	stop_serving
	echo 'cluster.id=Mine-22' >root/.logserve/cluster.properties
	serve
	same "$(id)" Mine-22
	stop_serving
	echo 'cluster.id=not an id' >root/.logserve/cluster.properties
	run_tool 1 logserve -l localhost:0 root
	same "$(tail -n 1 <<<"$err")" \
	    'logserve: root/.logserve: cluster.properties has no cluster.id'
	# Without a place for it, it is that of the directory.
	rm -r root/.logserve
	serve --read-only
	first=$(id)
	stop_serving
	[ ! -e root/.logserve ]
	serve --read-only
	same "$(id)" "$first"
	[ "$first" != Mine-22 ]
}

# get PATH: over HTTP, from the address of the metrics.
get() {
	local where
	where=$(sed -n 's/^logserve: metrics: address=//p' server.err)
	run_tool 0 perl -e 'use Socket;
	    my ($host, $port) = split ":", $ARGV[0];
	    socket(my $s, PF_INET, SOCK_STREAM, 0) or die $!;
	    connect($s, sockaddr_in($port, inet_aton($host))) or die $!;
	    syswrite($s, "GET $ARGV[1] HTTP/1.0\r\n\r\n");
	    print while sysread($s, $_, 65536)' "$where" "$1"
}

# figure NAME: its value.
figure() {
	sed -n "s/^logserve_$1 //p" <<<"$out" | tr -d '\r'
}

@test '--metrics' {
	stop_serving
	serve --metrics 127.0.0.1:0
	call Metadata 9
	call Metadata 9
	run_tool 0 kcat -P -b "$address" -t t <<<one
	start quiet idle "$address"
	wait_for has_lines quiet.out 1
	get /metrics
	has "$out" $'HTTP/1.0 200 OK\r\n'
	has "$out" $'Content-Type: text/plain; version=0.0.4\r\n'
	[ "$(figure 'requests_total{api="Metadata"}')" -ge 2 ]
	same "$(figure 'requests_total{api="Produce"}')" 1
	[ "$(figure connections_accepted_total)" -ge 3 ]
	[ "$(figure connections)" -ge 1 ]
	[ "$(figure request_bytes_total)" -gt 100 ]
	[ "$(figure answer_bytes_total)" -gt 100 ]
	same "$(figure memory_max_bytes)" 268435456
	same "$(figure memory_waiting)" 0
	# Each has its help and its type.
	same "$(grep -c '^# HELP' <<<"$out")" "$(grep -c '^# TYPE' <<<"$out")"
	get /
	has "$out" ' 404 '
	get "/$(head -c 20000 /dev/zero | tr '\0' x)"
	run ! grep -q ' 200 ' <<<"$out"
	run_tool 1 logserve -l localhost:0 --metrics "$address" root
	has "$err" "$address: Address already in use"
	run_tool 2 logserve --metrics unix:x root
}
