# DescribeLogDirs.

load server

# size PARTITION: bytes of its segments.
size() {
	cat root/"$1"/*.log | wc -c
}

@test 'the sizes of all partitions' {
	logcreate -X segment.bytes=1000 root/a
	logcreate -P 2 root/b
	seq 500 | logappend root/a
	seq 10 | logappend -p 1 root/b
	[ "$(find root/a/0 -name '*.log' | wc -l)" -gt 1 ]
	for v in 1 4; do
		call DescribeLogDirs $v topics=NULL
		is results.0.error_code 0 results.0.log_dir "$(realpath root)" \
			results.0.topics.0.name a \
			results.0.topics.0.partitions.0.partition_size \
			"$(size a/0)" \
			results.0.topics.0.partitions.0.offset_lag 0 \
			results.0.topics.0.partitions.0.is_future_key false \
			results.0.topics.1.name b \
			results.0.topics.1.partitions.0.partition_size 0 \
			results.0.topics.1.partitions.1.partition_size \
			"$(size b/1)"
	done
	is error_code 0
	[ "$(field results.0.total_bytes)" -gt 0 ]
	[ "$(field results.0.usable_bytes)" -gt 0 ]
	call DescribeLogDirs 2 topics=NULL
	is error_code '' results.0.total_bytes ''
}

@test 'the sizes of those asked for, without those that are not there' {
	logcreate -P 2 root/a
	logcreate root/b
	seq 10 | logappend -p 1 root/a
	call DescribeLogDirs 1 topics.0.topic=nope topics.0.partitions.0=0 \
		topics.1.topic=a topics.1.partitions.0=5 \
		topics.1.partitions.1=1
	is results.0.topics.0.name a \
		results.0.topics.0.partitions.0.partition_index 1 \
		results.0.topics.0.partitions.0.partition_size "$(size a/1)" \
		results.0.topics.0.partitions.1.partition_index '' \
		results.0.topics.1.name ''
	call DescribeLogDirs 4 'topics=[]'
	is results.0.topics '[]'
}

@test 'more topics than one block of the list holds' {
	logcreate root/t{100..249}
	call DescribeLogDirs 4 topics=NULL
	same "$(grep -c 'topics.[0-9]*.name=t' <<<"$out")" 150
	is results.0.topics.149.name t249
}

# used: processor time of the server, in ticks.
used() {
	perl -ne 's/.*\) //; my @f = split; print $f[11] + $f[12]' \
		"/proc/$server_pid/stat"
}

# quiet: no thread of it works.
quiet() {
	! grep -h '^State:' "/proc/$server_pid"/task/*/status | grep -q -v sleeping
}

# Forty requests, whose clients reset the connection when they are worked on: one
# before it in the same packet has been answered.
ask_and_go() {
	perl -MSocket -e 'my ($host, $port) = split ":", shift;
	    for (1 .. 40) {
		socket my $s, PF_INET, SOCK_STREAM, 0 or die;
		connect $s, sockaddr_in($port, inet_aton($host)) or die;
		syswrite $s, pack "H*", "0000000b0012000000000006000178" .
		    "0000000f0023000100000007000178ffffffff";
		sysread $s, my $answer, 10000;
		setsockopt $s, SOL_SOCKET, SO_LINGER, pack "ii", 1, 0;
	    }' "$address"
}

@test 'nobody works on for clients that have gone' {
	local before one
	logcreate -P 3000 root/t
	# Once for what is only done the first time.
	call DescribeLogDirs 1 topics=NULL
	before=$(used)
	call DescribeLogDirs 1 topics=NULL
	one=$(($(used) - before))
	before=$(used)
	ask_and_go
	wait_for quiet
	# What had begun when its client went is part of it: a few, or more where
	# clients wait for a processor.
	echo "$one ticks for one, $(($(used) - before)) for forty"
	[ $(($(used) - before)) -le $((one * 20)) ]
}
