# Retention and compaction while topics are served, and what the server says.

load server

# start_of TOPIC: the first offset that its partition 0 keeps.
start_of() {
	logstat -J "root/$1" | jq .first_offset
}

starts_after() {
	[ "$(start_of "$1")" -gt "$2" ]
}

# told N TEXT: so many of the server's lines have it, or more.
told() {
	[ "$(grep -cF -- "$2" server.err)" -ge "$1" ]
}

# numbers FROM TO: values of 100 bytes that say which offset they are to have.
numbers() {
	seq "$1" "$2" | awk '{ printf "%d %0100d\n", $1, $1 }'
}

# mismatches FILE: lines "OFFSET VALUE" whose value is another offset's.
mismatches() {
	awk '$1 != $2 || $3 + 0 != $1 { print; exit }' "$1"
}

look() {
	kill -HUP "$server_pid"
}

@test 'what is said: start, ready, stop' {
	local at=$address
	logcreate root/one root/two
	mkdir root/none
	stop_serving
	same "$(sed 's/threads=[0-9]*$/threads=N/' server.err)" \
"logserve: start: root=root topics=0 threads=N
logserve: ready: address=$at
logserve: stop: signal=TERM"
	serve
	stop_serving
	grep -q '^logserve: start: root=root topics=2 ' server.err
	serve -q
	stop_serving
	same "$(cat server.err)" ''
	mkdir 'a "root"'
	start server logserve --ready-fd 7 -l localhost:0 'a "root"' 7>ready
	wait_for serving
	stop_serving
	grep -qF 'root="a \"root\"" topics=0' server.err
	# A command's messages are its own.
	run_tool 0 logserve --ephemeral -- true
	same "$err" ''
	run_tool 0 logserve --ephemeral -v -- true
	has "$err" 'logserve: ready: address='
}

# Nothing of the topic t is to go any more: without its first segment it would
# be less than N bytes.
is_trimmed() {
	find root/t/0 -name '*.log' -printf '%f %s\n' | sort |
		awk -v n="$1" '{ sum += $2 } NR == 1 { first = $2 }
		    END { exit sum - first >= n }'
}

@test 'retention by size goes with the appends; consumers get what is there' {
	local i
	logcreate --segment-bytes 64K --retention-bytes 128K root/t
	# Retention may pass it where it is slow.
	start reader kcat -C -q -u -b "$address" -t t -o beginning \
		-X topic.auto.offset.reset=earliest -f '%o %s\n'
	for ((i = 0; i < 6; i++)); do
		numbers $((i * 500)) $((i * 500 + 499)) |
			run_tool 0 kcat -P -b "$address" -t t
	done
	# Nobody has asked for it.
	wait_for is_trimmed $((128 * 1024))
	starts_after t 1000
	wait_for grep -q '^2999 ' reader.out
	same "$(mismatches reader.out)" ''
	call Fetch 4 replica_id=-1 max_wait_ms=0 max_bytes=1000000 \
		topics.0.topic=t topics.0.partitions.0.fetch_offset=0 \
		topics.0.partitions.0.partition_max_bytes=100000
	is responses.0.partitions.0.error_code 1
	# From the beginning is from what is kept.
	run_tool 0 kcat -C -q -e -b "$address" -t t -o beginning -f '%o %s\n'
	cp "$tool_out" kept
	same "$(mismatches kept)" ''
	same "$(head -n 1 kept | cut -d ' ' -f 1)" "$(start_of t)"
	same "$(tail -n 1 kept | cut -d ' ' -f 1)" 2999
	[ "$(cat root/t/0/*.log | wc -c)" -lt 260000 ]
}

@test 'retention by time: at once with HUP, the active segment too' {
	stop_serving
	serve -v
	logcreate --retention 1h root/old root/young root/mixed root/ever \
		root/late
	logadmin topic set root/ever retention.ms=-1
	numbers 0 99 | logappend --timestamp -2h root/old
	numbers 0 99 | logappend --timestamp -2h root/ever
	numbers 0 99 | logappend root/young
	# One that is young is enough, wherever it stands.
	numbers 0 99 | logappend --timestamp -2h root/mixed
	numbers 100 100 | logappend root/mixed
	numbers 101 199 | logappend --timestamp -2h root/mixed
	# No index knows of this one.
	numbers 0 9 | logappend --timestamp -2h root/late
	numbers 10 10 | logappend root/late
	look
	wait_for told 1 'logserve: retention: partition=old/0 segments=1'
	same "$(start_of old)" 100
	# The topics behind it have their turn, too.
	logadmin topic set root/young retention.ms=1
	look
	wait_for told 1 'logserve: retention: partition=young/0 '
	same "$(start_of young) $(start_of mixed) $(start_of ever)" '100 0 0'
	same "$(start_of late)" 0
	run_tool 0 kcat -P -b "$address" -t old <<<'100 later'
	run_tool 0 kcat -C -q -e -b "$address" -t old -o beginning -f '%o %s\n'
	same "$out" '100 100 later'
}

@test 'a compacted topic is compacted under a producer and a reader' {
	local i j
	stop_serving
	serve -v
	logcreate --compact --segment-bytes 64K root/t
	start reader kcat -C -q -u -b "$address" -t t -o beginning \
		-f '%o %s\n'
	for ((i = 0; i < 8; i++)); do
		numbers $((i * 500)) $((i * 500 + 499)) |
			awk '{ print "k" $1 % 50 "=" $0 }' |
			run_tool 0 kcat -P -K = -b "$address" -t t
		# It is there before the first is compacted.
		wait_for grep -q '^499 ' reader.out
		look
	done
	wait_for told 1 'logserve: compaction: partition=t/0 '
	wait_for grep -q '^3999 ' reader.out
	same "$(mismatches reader.out)" ''
	# It has seen some that are gone by now.
	run_tool 0 kcat -C -q -e -b "$address" -t t -o beginning -f '%o %s\n'
	cp "$tool_out" kept
	same "$(mismatches kept)" ''
	[ "$(lines kept)" -lt "$(lines reader.out)" ]
	logcat --latest -F '%o %v\n' root/t | cmp - <(tail -n 50 kept)
	same "$(tail -n 50 kept | head -n 1 | cut -d ' ' -f 1)" 3950
	run_tool 0 logfsck root/t
}

compacted() {
	told 1 'logserve: compaction: partition=t/0 '
}

# It is at it, or was.
cleaning() {
	compgen -G 'root/t/0/*.cleaned' || compacted
}

@test 'TERM ends a compaction in the middle' {
	local i
	# At its rate it takes two seconds; an end after that tells nothing.
	for ((i = 0; i < 5; i++)); do
		stop_serving
		rm -rf root/t
		logcreate --compact --segment-bytes 16M root/t
		yes "$(printf %09999d 0)" | head -n 5000 |
			awk '{ print NR % 7 "=" $0 }' |
			logappend -K = --fsync none root/t
		serve -v
		look
		wait_for cleaning
		stop_serving
		compacted || break
	done
	run ! compacted
	run ! compgen -G 'root/t/0/*.cleaned'
	run_tool 0 logfsck root/t
	logcat --latest -F '%o\n' root/t >latest
	same "$(tr '\n' ' ' <latest)" '4993 4994 4995 4996 4997 4998 4999 '
	# The next one begins again.
	serve -v
	look
	wait_for compacted
	logcat --latest -F '%o\n' root/t | cmp - latest
}

@test 'damage is told when it is new, and the other topics are done' {
	logcreate --compact --segment-bytes 64K root/a
	logcreate --retention 1h root/b root/c
	numbers 0 1999 | sed 's/^/k=/' | logappend -K = root/a
	numbers 0 9 | logappend --timestamp -2h root/b
	numbers 0 9 | logappend --timestamp -2h root/c
	printf X | dd of=root/a/0/00000000000000000000.log bs=1 seek=200 \
		conv=notrunc status=none
	look
	wait_for starts_after b 0
	grep -q '^logserve: upkeep failed: partition=a/0 file=.*crc' server.err
	wait_for starts_after c 0
	numbers 0 9 | logappend --timestamp -2h root/c
	look
	wait_for starts_after c 10
	same "$(grep -c 'upkeep failed' server.err)" 1
	# Removed, it is no more looked for.
	rm -r root/a
	numbers 0 9 | logappend --timestamp -2h root/c
	look
	wait_for starts_after c 20
	same "$(grep -c 'upkeep failed' server.err)" 1
}

@test 'what may not be written is not tidied' {
	stop_serving
	serve --read-only
	logcreate --retention 1h root/t
	numbers 0 9 | logappend --timestamp -2h root/t
	look
	call ListOffsets 1 replica_id=-1 topics.0.name=t \
		topics.0.partitions.0.timestamp=-2
	stop_serving
	same "$(start_of t)" 0
	serve
	look
	wait_for starts_after t 0
}

# change FILE POS: another byte there.
change() {
	perl -e 'open my $f, "+<", $ARGV[0] or die; seek $f, $ARGV[1], 0;
	    read $f, my $b, 1; seek $f, $ARGV[1], 0; print $f chr(ord($b) ^ 1)
	    ' "$1" "$2"
}

# metric NAME: its value.
metric() {
	perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(shift) or die;
	    print $s "GET /metrics HTTP/1.0\r\n\r\n"; print <$s>' "$(sed -n \
	    's/^logserve: metrics: address=//p' server.err)" |
		sed -n "s/^logserve_$1 //p"
}

rounds() {
	[ "$(metric scrub_rounds_total)" -ge 1 ]
}

@test 'what is stored is checked: damage is found before it is asked for' {
	logcreate --segment-bytes 64K -P 2 root/t
	logcreate root/whole
	numbers 0 2999 | logappend --batch-bytes 4K -p 1 root/t
	segments=(root/t/1/*.log)
	[ "${#segments[@]}" -ge 5 ]
	stop_serving
	# In records; in what no batch's CRC covers (an epoch); cut short.
	change "${segments[1]}" 5000
	change "${segments[2]}" 12
	truncate -s -10 "${segments[3]}"
	for option in '' --read-only; do
		# shellcheck disable=SC2086 # none, or one
		serve --scrub 1G --metrics 127.0.0.1:0 $option
		wait_for rounds
		same "$(grep -c damaged: server.err)" 3
		grep -q "damaged: path=.*${segments[1]} position=.* offset=.* what=\"crc does not match\"" server.err
		grep -q "damaged: path=.*${segments[2]} .*crc of the whole segment" \
			server.err
		grep -q "damaged: path=.*${segments[3]} .*ends inside a batch" \
			server.err
		[ "$(metric scrub_damaged_total)" -eq 3 ]
		[ "$(metric scrub_segments_total)" -eq $((${#segments[@]} - 1)) ]
		stop_serving
	done
	serve --scrub 0 --metrics 127.0.0.1:0
	[ "$(metric scrub_rounds_total)" -eq 0 ]
}

@test 'checking what is stored keeps to its rate, and ends with the server' {
	logcreate --segment-bytes 2M root/t
	numbers 0 49999 | logappend root/t
	stop_serving
	serve --scrub 1K --metrics 127.0.0.1:0
	begun() {
		[ "$(metric scrub_bytes_total)" -gt 0 ]
	}
	wait_for begun
	[ "$(metric scrub_segments_total)" -eq 0 ]
	stop_serving
}
