# Clients that are broken or mean no good: they get an error or are closed, and
# others are served all the time, in bounded memory.

# shellcheck disable=SC2016 # what is in quotes is for perl
load server

CROWD=$ROOT/build/tests/server/crowd

# rss NAME: kibibytes of the server, VmRSS or VmHWM.
rss() {
	sed -n "s/^$1:[^0-9]*\([0-9]*\) kB/\1/p" "/proc/$server_pid/status"
}

# below KIB: of memory, unless a sanitizer has the most of it.
below() {
	is_san || [ "$(rss VmRSS)" -lt "$1" ] || {
		grep ^Vm "/proc/$server_pid/status"
		return 1
	}
}

# Is another client served?
good() {
	call Metadata 9 topics.0.name=t allow_auto_topic_creation=false
	call ListOffsets 5 topics.0.name=t topics.0.partitions.0.timestamp=-1
}

# raw HEX [end|some]: send these bytes (and close our side); print what comes
# until the other end closes (or the first of it).
raw() {
	run_tool 0 perl -e 'use Socket;
	    my ($address, $hex, $end) = @ARGV;
	    my ($host, $port) = split ":", $address;
	    socket(my $s, PF_INET, SOCK_STREAM, 0) or die $!;
	    connect($s, sockaddr_in($port, inet_aton($host))) or die $!;
	    syswrite($s, pack("H*", $hex));
	    shutdown($s, 1) if $end eq "end";
	    while (sysread($s, $_, 4096)) {
		print unpack("H*", $_);
		last if $end eq "some";
	    }' "$address" "$@"
}

@test 'frames that are none are closed' {
	logcreate root/t
	local header=00000001 hex
	for hex in ffffffff 80000000 00000000 00000007 01000001 7fffffff \
	    "$(printf 'GET / HTTP/1.0\r\n\r\n' | od -An -tx1 | tr -d ' \n')" \
	    160301020001000001fc; do
		raw "$hex"
		same "$out" ''
		good
	done
	# Cut short: in the size, in the header, in the message.
	for hex in 00 000000ff 000000ff0003 00000020000300090000; do
		raw "$hex" end
		same "$out" ''
	done
	# Unknown APIs, versions; lengths within that lie.
	for hex in 0000000a03e70000"$header"ffff 0000000affff0000"$header"ffff \
	    0000000a00010063"$header"ffff 0000000a0001ffff"$header"ffff \
	    0000000a00030001"$header"7fff 0000000a00030001"$header"8000 \
	    0000000e00030001"${header}"ffff7fffffff \
	    0000000e00030001"${header}"ffffffff0000; do
		raw "$hex"
		same "$out" ''
		good
	done
	# A version of ApiVersions to come is told what there is.
	raw 0000000a00120063"$header"ffff some
	has "$out" "$header"0023
}

# refused CODE PERL: such a batch is.
refused() {
	batch "$2"
	call Produce 8 acks=-1 topic_data.0.name=t \
		topic_data.0.partition_data.0.records=@batch.bin
	is responses.0.partition_responses.0.error_code "$1" \
		responses.0.partition_responses.0.base_offset -1
}

# What is worth sending again, and what is not, as Kafka has it: clients go on
# for minutes with the former.
@test 'batches that lie are refused, and nothing is stored' {
	logcreate root/t
	local set='sub set { substr($_, $_[0], length $_[1]) = $_[1] }'
	refused 87 "$set set(57, pack('N', 0))"
	refused 87 "$set set(57, pack('N', 0xffffffff))"
	refused 87 "$set set(57, pack('N', 2))"
	refused 87 "$set set(57, pack('N', 2)); set(23, pack('N', 1))"
	refused 87 "$set set(57, pack('N', 0x7fffffff));
	    set(23, pack('N', 0x7ffffffe))"
	refused 87 "$set set(23, pack('N', 1))"
	refused 87 "$set set(21, pack('n', 0x20))"
	refused 48 "$set set(21, pack('n', 0x10))"
	refused 87 "$set set(21, pack('n', 0x30))"
	refused 87 "$set set(21, pack('n', 1))"
	refused 87 "$set set(21, pack('n', 7))"
	refused 43 "$set set(16, pack('C', 1))"
	refused 2 "$set set(16, pack('C', 9))"
	refused 2 "$set set(8, pack('N', 0x7fffffff))"
	refused 2 "$set set(8, pack('N', 0xffffffff))"
	refused 2 "$set set(8, pack('N', 10))"
	refused 87 '$_ .= $_'
	refused 87 'substr($_, -1) = ""'
	refused 87 '$_ = substr($_, 0, 20)'
	refused 2 '# nosum
	    substr($_, 64, 1) = "x"'
	refused 2 "# nosum
	    $set set(57, pack('N', 2))"
	[ -z "$(logcat root/t)" ]
	# It is what was changed that was refused.
	batch ''
	call Produce 8 acks=-1 topic_data.0.name=t \
		topic_data.0.partition_data.0.records=@batch.bin
	is responses.0.partition_responses.0.error_code 0
	same "$(logcat root/t)" 'some text'
}

# ends_of N: sets times to what asks for the ends of that many partitions.
ends_of() {
	local i
	times=()
	for ((i = 0; i < $1; i++)); do
		times+=("topics.0.partitions.$i.partition_index=$i"
		    "topics.0.partitions.$i.timestamp=-1")
	done
}

@test 'more partitions than descriptors' {
	local times
	stop_serving
	logcreate -P 150 root/t
	ulimit -n 128
	serve
	ends_of 150
	# More of them to write than can be open, then to read.
	seq 0 149 >lines
	run_tool 0 kcat -P -X partitioner=random \
		-X sticky.partitioning.linger.ms=0 -b "$address" -t t -l lines
	call ListOffsets 5 topics.0.name=t "${times[@]}"
	same "$(grep -c 'error_code=0$' <<<"$out")" 150
	run_tool 0 kcat -C -e -q -b "$address" -t t
	same "$(sort -n <<<"$out")" "$(seq 0 149)"
	# Half are for connections.
	[ "$(find "/proc/$server_pid/fd" | wc -l)" -lt 100 ]
	good
	# The epoch of a log that was closed since may be an old one, until
	# who fetches is told so.
	echo old | logappend -p 7 root/t
	call Metadata 9 topics.0.name=t
	run_tool 0 logadmin topic demote root/t
	run_tool 0 logadmin topic promote root/t
	echo new | logappend -p 7 root/t
	call Fetch 9 max_bytes=1000 topics.0.topic=t \
		topics.0.partitions.0.partition=7 \
		topics.0.partitions.0.current_leader_epoch=0 \
		topics.0.partitions.0.partition_max_bytes=1000
	is responses.0.partitions.0.error_code 74
	# This closes it again.
	call ListOffsets 5 topics.0.name=t "${times[@]}"
	call Metadata 9 topics.0.name=t
	is topics.0.partitions.7.leader_epoch 1
}

@test 'positions of more topics than descriptors' {
	local i topics=() names=()
	stop_serving
	for i in {0..59}; do
		logcreate "root/t$i"
		topics+=("topics.$i.name=t$i"
			"topics.$i.partitions.0.committed_offset=$i")
		names+=("topics.$i.name=t$i"
			"topics.$i.partition_indexes.0=0")
	done
	ulimit -n 128
	serve
	for _ in 1 2; do
		call OffsetCommit 2 group_id=g \
			generation_id_or_member_epoch=-1 "${topics[@]}"
		same "$(grep -c 'error_code=0$' <<<"$out")" 60
	done
	call OffsetFetch 1 group_id=g "${names[@]}"
	same "$(sed -n 's/.*committed_offset=//p' <<<"$out")" "$(seq 0 59)"
	[ "$(find "/proc/$server_pid/fd" | wc -l)" -lt 100 ]
	good
}

# Times are found by the largest of each batch: Kafka computes it anew, too.
@test 'a batch that is wrong about its largest time is put right' {
	local max
	logcreate root/t
	logadmin topic set root/t retention.ms=-1
	logcreate b
	printf '{"timestamp":%d,"value":"v"}\n' 9000 20000 10000 |
		logappend -J b
	for max in 9000 20001 -1; do
		batch "substr(\$_, 35, 8) = pack('q>', $max)"
		call Produce 8 acks=-1 topic_data.0.name=t \
			topic_data.0.partition_data.0.records=@batch.bin
		is responses.0.partition_responses.0.error_code 0
	done
	call ListOffsets 7 topics.0.name=t topics.0.partitions.0.timestamp=20000
	is topics.0.partitions.0.offset 1 topics.0.partitions.0.timestamp 20000
	call ListOffsets 7 topics.0.name=t topics.0.partitions.0.timestamp=20001
	is topics.0.partitions.0.offset -1
	logcat root/t >out
	same "$(lines out)" 9
	run_tool 0 logfsck root/t
}

@test 'what unpacks to very much is refused, many at once, in bounded memory' {
	# Each takes half a second of a processor: check-slow has time for more.
	local i count=4
	! is_san || count=8
	logcreate -P 8 root/t
	head -c 300M /dev/zero | gzip -1 >bomb.gz
	batch '$_ = substr($_, 0, 61); open(F, "bomb.gz"); $_ .= <F>;
	    substr($_, 21, 2) = pack("n", 1);
	    substr($_, 8, 4) = pack("N", length($_) - 12)'
	logadmin topic set root/t max.message.bytes=8000000
	for ((i = 0; i < count; i++)); do
		start "bomb$i" "$CALL" "$address" Produce 8 acks=-1 \
		    topic_data.0.name=t \
		    topic_data.0.partition_data.0.index=$i \
		    topic_data.0.partition_data.0.records=@batch.bin
	done
	good
	for ((i = 0; i < count; i++)); do
		local pid=bomb${i}_pid
		TOOL_TIMEOUT=60 wait_exit 0 "${!pid}"
		grep -q '\.error_code=10$' "bomb$i.out"
	done
	# One at a time takes up to 256 MiB, each partition 8 MiB.
	is_san || [ "$(rss VmHWM)" -lt $((420 * 1024)) ]
	below $((128 * 1024))
}

@test 'two thousand connections at once, of each bad kind' {
	local how
	logcreate root/t
	head -c 3000000 /dev/urandom | base64 -w 999 | logappend root/t
	ulimit -n "$(ulimit -Hn)"
	[ "$(ulimit -n)" -gt 4100 ] || skip 'too few descriptors'
	for how in idle drip slow large; do
		start crowd "$CROWD" "$address" 2000 "$how"
		wait_for has_lines crowd.out 1
		good
		run_tool 0 kcat -P -b "$address" -t t <<<good
		# 64 KiB each, and what the server has without them.
		echo "$how: $(rss VmRSS) KiB"
		below $((2000 * 64 + 32 * 1024))
		! process_gone "$crowd_pid" || {
			cat crowd.err
			return 1
		}
		kill "$crowd_pid"
		wait_exit 143 "$crowd_pid"
	done
	good
}

# A request of 2 MiB is answered.
large() {
	head -c 2097152 /dev/zero >large
	call Produce 8 acks=-1 topic_data.0.name=t \
		topic_data.0.partition_data.0.records=@large
	is responses.0.partition_responses.0.error_code 2
}

@test 'nine halves of large requests: bounded memory, others are served' {
	logcreate root/t
	stop_serving
	serve -v --memory 64M
	start crowd "$CROWD" "$address" 9 half
	wait_for has_lines crowd.out 1
	good
	run_tool 0 kcat -P -b "$address" -t t <<<good
	# Small ones have a part of their own; this one waits until those that
	# do not move are closed for it.
	TOOL_TIMEOUT=90 large
	grep -q 'what="too slow while memory is short"' server.err
	echo "$(rss VmHWM) KiB"
	is_san || [ "$(rss VmHWM)" -lt $((64 * 1024)) ]
	kill "$crowd_pid"
	wait_exit 143 "$crowd_pid"
	good
}

# consumed: what a consumer has of t that reads to its end, or to an error.
consumed() {
	timeout 10 kcat -C -e -q -b "$address" -t t -o beginning \
	    -X topic.auto.offset.reset=error -X check.crcs=false 2>consumer.err
}

@test 'damage on the device is an error, and no wrong record' {
	local file=root/t/0/00000000000000000000.log size
	stop_serving
	logcreate root/t root/other
	# A file is there at once: it is one batch.
	seq 1 1000 >lines
	logappend root/t lines
	size=$(stat -c %s "$file")
	seq 1001 2000 >lines
	logappend root/t lines
	seq 2001 3000 >lines
	logappend root/t lines
	seq 9 | logappend root/other
	# A bit of a record of the second batch.
	perl -e 'open my $f, "+<", $ARGV[0] or die; seek $f, $ARGV[1], 0;
	    read $f, my $b, 1; seek $f, $ARGV[1], 0;
	    print $f chr(ord($b) ^ 1)' "$file" $((size + 500))
	serve
	consumed >got || true
	seq 1 1000 | cmp - got
	consumed >got || true
	seq 1 1000 | cmp - got
	# What was seen to be good before is looked at no more, but for this.
	call Fetch 4 max_wait_ms=0 max_bytes=1000000 topics.0.topic=t \
	    topics.0.partitions.0.fetch_offset=1000 \
	    topics.0.partitions.0.partition_max_bytes=1000000
	is responses.0.partitions.0.error_code 2
	run_tool 0 kcat -C -e -q -b "$address" -t other
	same "$out" "$(seq 9)"
	same "$(grep -c '^logserve: damaged: ' server.err)" 1
	grep -q "^logserve: damaged: .*$file.* position=$size " server.err
	stop_serving
	run_tool 1 logfsck -y root/t
	serve
	consumed >got
	(seq 1 1000; seq 2001 3000) | cmp - got
}

# produce CODE: a record into t is answered so.
produce() {
	batch ''
	call Produce 8 acks=-1 topic_data.0.name=t \
		topic_data.0.partition_data.0.records=@batch.bin
	is responses.0.partition_responses.0.error_code "$1"
}

@test 'nothing is acknowledged that went to files that were removed' {
	logcreate root/t
	produce 0
	# Another state is begun with the next one, and the reader follows.
	rm root/t/0/partition.state
	produce 3
	produce 0
	run_tool 0 kcat -C -e -q -b "$address" -t t
	same "$out" "$(printf 'some text\nsome text')"
	same "$(logcat root/t)" "$out"
	rm root/t/0/00000000000000000000.log
	produce 56
	rm -r root/t/0
	produce 3
}

# fetch_all TOPIC: from partitions 0 to 99 of it.
fetch_all() {
	local i args=()
	for i in {0..99}; do
		args+=("topics.0.partitions.$i.partition=$i"
		    "topics.0.partitions.$i.partition_max_bytes=1000000")
	done
	call Fetch 11 max_wait_ms=100 min_bytes=1 max_bytes=50000000 \
		replica_id=-1 session_epoch=-1 "topics.0.topic=$1" "${args[@]}"
	[[ $out != *error_code=[!0]* ]]
	given=$(grep -c 'records=[1-9]' <<<"$out")
}

@test 'a fetch of many partitions keeps few files open' {
	stop_serving
	logcreate -P 100 root/few root/many
	printf '{"partition":%d,"value":"x"}\n' {0..99} |
		logappend --fsync none -J --keep-partition root/few
	seq 0 99 | xargs -I N printf '{"partition":%d,"value":"%20000d"}\n' N N |
		logappend --fsync none -J --keep-partition root/many
	ulimit -n 256
	serve
	# What is short is copied, and of the rest there is more the next time.
	fetch_all few
	[ "$given" -eq 100 ]
	fetch_all many
	[ "$given" -eq 64 ]
}

# much_for N: sets commits to positions of that many partitions, with 4 KiB of
# metadata each.
much_for() {
	local i
	head -c 4096 /dev/zero | tr '\0' m >much
	commits=()
	for ((i = 0; i < $1; i++)); do
		commits+=("topics.0.partitions.$i.partition_index=$i"
		    "topics.0.partitions.$i.committed_offset=1"
		    "topics.0.partitions.$i.committed_metadata=@much")
	done
}

# commit_much GROUP: 8 MB of metadata, for 2000 partitions; sets codes.
commit_much() {
	call OffsetCommit 2 group_id="$1" generation_id_or_member_epoch=-1 \
		topics.0.name=t "${commits[@]}"
	codes=$(sed -n 's/.*error_code=//p' <<<"$out" | sort -u)
}

@test 'positions that clients make up do not fill the memory' {
	logcreate -P 2000 root/t
	local i=0 commits
	much_for 2000
	while
		commit_much "made-up-$((i += 1))"
		[ "$codes" = 0 ]
	do
		[ "$i" -le 9 ]
	done
	same "$codes" 28
	# Groups that are there already go on.
	commit_much made-up-1
	same "$codes" 0
	is_san || [ "$(rss VmHWM)" -lt $((160 * 1024)) ]
}

# send TOPIC CODE: the one batch of b is answered so.
send() {
	cat b/0/*.log >batch.bin
	call Produce 8 acks=-1 topic_data.0.name="$1" \
		topic_data.0.partition_data.0.records=@batch.bin
	is responses.0.partition_responses.0.error_code "$2"
}

@test 'records that a topic does not take' {
	logcreate root/t
	logcreate --compact root/c
	logcreate -X message.timestamp.before.max.ms=1h \
		-X message.timestamp.after.max.ms=1h root/now
	# With keys, and of now.
	logcreate --compact b
	printf 'a=1\nb=2\na=3\n' | logappend -K = b
	send t 0
	send c 0
	send now 0
	# INVALID_RECORD: what compaction has left has gaps.
	run_tool 0 logcompact --include-active b
	same "$(logcat -F '%o\n' b)" $'1\n2'
	send t 87
	# The same: no key where it has to be one.
	rm -r b
	logcreate b
	echo one | logappend b
	send t 0
	send c 87
	# INVALID_TIMESTAMP: too old, too new.
	for when in -2h "$((($(date +%s) + 7200) * 1000))"; do
		rm -r b
		logcreate b
		echo one | logappend --timestamp "$when" b
		send t 0
		send now 32
	done
	same "$(logcat root/c | wc -l)" 3
	same "$(logcat root/now | wc -l)" 3
}
