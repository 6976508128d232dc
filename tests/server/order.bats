# Requests that a client sends without waiting for answers.
# What is in single quotes is Perl.
# shellcheck disable=SC2016

load server

# pipeline PERL: send what the code puts into @sent, a list of requests without
# their size, at once, and wait for as many answers.  request(KEY, VERSION,
# BODY) is one, text(STRING) a field of it.
pipeline() {
	run_tool 0 perl -e 'use Socket;
	    my ($address, $code) = @ARGV;
	    my ($host, $port) = split ":", $address;
	    my @sent;
	    sub text { pack "n/a*", $_[0] }
	    sub request { push @sent, pack("nnNn", $_[0], $_[1], 7, 0) . $_[2] }
	    eval $code; die $@ if $@;
	    socket(my $s, PF_INET, SOCK_STREAM, 0) or die $!;
	    connect($s, sockaddr_in($port, inet_aton($host))) or die $!;
	    my $all = join "", map { pack "N/a*", $_ } @sent;
	    syswrite($s, $all) == length $all or die $!;
	    sub take {
		my ($n, $got) = ($_[0], "");
		while (length $got < $n) {
		    sysread($s, $got, $n - length $got, length $got)
			or die "closed";
		}
		return $got;
	    }
	    take(unpack "N", take(4)) for @sent;' "$address" "$1"
}

@test 'the last position that a client commits is the last' {
	logcreate root/t
	pipeline 'for my $g (1 .. 20) {
	    for my $offset (1 .. 40) {
		request(8, 2, text("g$g") . pack("N", -1) . text("") .
		    pack("q>N", -1, 1) . text("t") .
		    pack("NNq>", 1, 0, $offset) . text(""));
	    }
	}'
	for ((g = 1; g <= 20; g++)); do
		call OffsetFetch 1 "group_id=g$g" topics.0.name=t \
			topics.0.partition_indexes.0=0
		is topics.0.partitions.0.committed_offset 40
	done
}

@test 'batches of a client keep their order, wherever their place is found' {
	logcreate -P 17 root/t
	echo many | logappend --create many
	echo one | logappend --create one
	# 17 partitions are looked up on the pool, one of them on the loop.
	pipeline 'sub batch {
	    open my $f, "<", "$_[0]/0/" . "0" x 20 . ".log" or die $!;
	    local $/;
	    return <$f>;
	}
	sub produce {
	    my ($batch, @parts) = @_;
	    request(0, 3, pack("nnNN", 0xffff, 0xffff, 30000, 1) . text("t") .
		pack("N", scalar @parts) .
		join "", map { pack "NN/a*", $_, $batch } @parts);
	}
	my ($many, $one) = (batch("many"), batch("one"));
	for (1 .. 200) {
	    produce($many, 0 .. 16);
	    produce($one, 0);
	    produce($one, 0);
	}'
	logcat root/t/0 >got
	for ((i = 0; i < 200; i++)); do
		printf 'many\none\none\n'
	done | cmp - got
	same "$(logcat root/t/16 | sort | uniq -c)" '    200 many'
}

@test 'each part of a produce request has an answer of its own' {
	logcreate -P 2 root/t
	echo one | logappend --create b
	cp b/0/*.log batch.bin
	# parts TOPIC NAME PART...
	parts() {
		local topic=topic_data.$1 part=0 number
		args+=("$topic.name=$2")
		for number in "${@:3}"; do
			args+=("$topic.partition_data.$part.index=$number"
				"$topic.partition_data.$part.records=@batch.bin")
			part=$((part + 1))
		done
	}
	# answers TOPIC CODE...
	answers() {
		local code part=0
		for code in "${@:2}"; do
			is "responses.$1.partition_responses.$part.error_code" "$code"
			part=$((part + 1))
		done
	}
	args=()
	parts 0 t 0 9 1
	parts 1 nope 0 1
	parts 2 a/b 0
	parts 3 t 1
	call Produce 8 acks=-1 timeout_ms=30000 "${args[@]}"
	answers 0 0 3 0
	answers 1 3 3
	answers 2 17
	answers 3 0
	# All of it known by now.
	args=()
	parts 0 t 1 0
	call Produce 8 acks=-1 timeout_ms=30000 "${args[@]}"
	answers 0 0 0
	is responses.0.partition_responses.0.base_offset 2 \
		responses.0.partition_responses.1.base_offset 1
	same "$(logcat root/t | sort | uniq -c)" '      5 one'
}

@test 'without acks what is refused ends the connection, and blames no disk' {
	logcreate root/t
	echo one | logappend --create b
	cp b/0/*.log batch.bin
	printf x | dd of=batch.bin bs=1 seek=70 conv=notrunc status=none
	stop_serving
	serve -v
	run_tool 3 "$CALL" "$address" Produce 8 acks=0 topic_data.0.name=t \
		topic_data.0.partition_data.0.records=@batch.bin
	wait_for grep -q '^logserve: closed: client=' server.err
	grep -q ' why=refused what="produce without acks failed"$' server.err
	[ -z "$(logcat root/t)" ]
}

@test 'what only reads is not done for who has gone' {
	logcreate root/t
	# To grow takes longer than to go, and metadata would make a topic.
	run_tool 0 perl -e 'use Socket;
	    my ($host, $port) = split ":", shift;
	    sub text { pack "n/a*", $_[0] }
	    sub request { pack "N/a*", pack("nnNn", $_[0], $_[1], 7, 0) . $_[2] }
	    socket(my $s, PF_INET, SOCK_STREAM, 0) or die $!;
	    setsockopt($s, SOL_SOCKET, SO_LINGER, pack("ii", 1, 0)) or die $!;
	    connect($s, sockaddr_in($port, inet_aton($host))) or die $!;
	    syswrite $s, request(37, 0, pack("N", 1) . text("t") .
		pack("NNNC", 3000, 0xffffffff, 60000, 0)) .
		request(3, 4, pack("N", 1) . text("new") . pack("C", 1))
		or die $!;
	    select undef, undef, undef, 0.001 until -e "root/t/1";
	    close $s' "$address"
	wait_for test -e root/t/2999
	# What was in work is done then.
	stop_serving
	[ ! -e root/new ]
}

# send_numbered FILE: as the only batch; the time of the answer is left in $time.
send_numbered() {
	call Produce 8 acks=-1 timeout_ms=30000 topic_data.0.name=t \
		topic_data.0.partition_data.0.records=@"$1"
	time=$(field responses.0.partition_responses.0.log_append_time_ms)
}

# numbered SEQUENCE: the batch, as a producer of that id and epoch sent it.
numbered() {
	run_tool 0 perl -e 'my ($sequence) = @ARGV;
	    my @crc = map { my $c = $_;
		$c = $c & 1 ? $c >> 1 ^ 0x82f63b78 : $c >> 1 for 1 .. 8;
		$c } 0 .. 255;
	    my $body = pack "nNq>q>q>nNN", 0, 0, 1000, 1000, 7, 0, $sequence, 1;
	    $body .= pack "C*", 14, 0, 0, 0, 1, 2, 97, 0;
	    my $sum = 0xffffffff;
	    $sum = $crc[($sum ^ $_) & 255] ^ $sum >> 8 for unpack "C*", $body;
	    print pack("q>NNCN", 0, 9 + length $body, -1, 2, $sum ^ 0xffffffff),
		$body;' "$1"
	cp "$tool_out" "batch$1"
}

@test 'a batch that is sent again has the time that it was appended at' {
	local first
	logcreate -X message.timestamp.type=LogAppendTime root/t
	numbered 0
	numbered 9
	send_numbered batch0
	is responses.0.partition_responses.0.error_code 0
	first=$time
	[ "$first" -gt 1000 ]
	same "$(logcat -F '%T' root/t)" "$first"
	send_numbered batch0
	is responses.0.partition_responses.0.error_code 0 \
		responses.0.partition_responses.0.base_offset 0
	same "$time" "$first"
	send_numbered batch9
	is responses.0.partition_responses.0.error_code 45
	same "$time" -1
	# After a restart, too.
	stop_serving
	serve
	send_numbered batch0
	same "$time" "$first"
}
