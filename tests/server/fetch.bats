# Fetch: what is in memory is answered where it came in.

load server

teardown() {
	stop_serving
	[ -z "$disk" ] || rm -rf "$disk"
	helpers_teardown
}

# Serve from a disk: one in memory does not tell what is.
serve_from_disk() {
	stop_serving
	disk=$(mktemp -d -p "${DISK_TMPDIR:-$BATS_TEST_TMPDIR}")
	mv root "$disk"
	ln -s "$disk/root" root
	serve
}

# trace CALLS: these of the server to the file calls, until untrace; the test is
# skipped where processes may not be looked at.
trace() {
	need strace
	start tracer strace -f -y -e "trace=$1" -o calls -p "$server_pid"
	wait_for is_traced
	! grep -q 'not permitted' tracer.err ||
		skip 'no process may be traced here'
	grep -q attached tracer.err
}

is_traced() {
	grep -q attached tracer.err || process_gone "$tracer_pid"
}

untrace() {
	kill "$tracer_pid"
	wait_for process_gone "$tracer_pid"
}

# can_tell CALLS: skip the test where it cannot, by the calls to preadv2.
can_tell() {
	! grep -q EOPNOTSUPP "$1" ||
		skip 'the file system does not tell what is in memory'
}

# read_all FILE: the values of partition 0 of t, a few batches at a time.
read_all() {
	kcat -C -e -q -b "$address" -t t -p 0 -o beginning \
		-X fetch.message.max.bytes=3000 >"$1"
}

@test 'what was checked is read again without waiting for a device' {
	need kcat
	serve_from_disk
	logcreate --segment-bytes 100K root/t
	seq -f 'event %0100g' 3000 >events
	logappend --batch-bytes 1000 root/t <events
	segments=$(find root/t/0 -name '*.log' | wc -l)
	[ "$segments" -ge 3 ]
	read_all first
	cmp first events
	trace pread64,preadv2
	read_all second
	untrace
	cmp second events
	can_tell calls
	# A read that may wait asks for headers, of 61 bytes, for each stretch:
	# now only where a segment begins.
	headers=$(grep -c 'pread64(.*\.log>.*, 61, ' calls) || true
	echo "$headers headers of $segments segments"
	[ "$headers" -le $((4 * segments)) ]
}

@test 'many batches of many partitions, by consumers at different places' {
	need kcat
	logcreate --partitions 20 --segment-bytes 20K root/t
	for p in {0..19}; do
		seq -f "$p %0200g" 300 >"events.$p"
		logappend -p "$p" --batch-bytes 2000 root/t <"events.$p"
	done
	for p in 0 7 19; do
		for round in 1 2; do
			kcat -C -e -q -b "$address" -t t -p "$p" \
				-X fetch.message.max.bytes=5000 >"read.$p.$round" &
			readers[round]=$!
		done
		wait "${readers[1]}"
		wait "${readers[2]}"
		cmp "read.$p.1" "events.$p"
		cmp "read.$p.2" "events.$p"
	done
	# All at once are too many for that.
	kcat -C -e -q -b "$address" -t t -f '%p %s\n' | sort >all
	for p in {0..19}; do sed "s/^/$p /" "events.$p"; done | sort |
		cmp - all
}

@test 'who waits is woken by what there is to read, and by nothing else' {
	need kcat
	serve_from_disk
	logcreate root/t
	seq 3 | logappend root/t
	start reader kcat -C -q -u -b "$address" -t t -p 0 -o beginning
	wait_for has_lines reader.out 3
	trace newfstatat,preadv2
	began=$SECONDS
	# Each writes to partition.state twice: before it syncs, and then.
	for n in {4..43}; do
		echo "$n" | logappend root/t
		wait_for has_lines reader.out "$n"
	done
	seconds=$((SECONDS - began + 1))
	untrace
	kill "$reader_pid"
	can_tell calls
	# For each a look that finds it, and one that finds nothing more; and
	# one in each second.
	looks=$(grep -c 'topic\.properties' calls)
	echo "$looks looks in $seconds s"
	[ "$looks" -ge 40 ]
	[ "$looks" -le $((100 + seconds)) ]
}

@test 'what may be aborted is told alike, wherever a fetch is looked at' {
	logcreate root/t
	seq 3 | logappend root/t
	read_committed() {
		call Fetch 11 session_epoch=-1 max_wait_ms=0 max_bytes=1000 \
			isolation_level=1 topics.0.topic=t \
			topics.0.partitions.0.current_leader_epoch=-1 \
			topics.0.partitions.0.partition_max_bytes=1000 \
			"topics.0.partitions.0.fetch_offset=$1"
	}
	# The first one opens the log.
	read_committed 0
	is responses.0.partitions.0.aborted_transactions '[]'
	read_committed 3
	is responses.0.partitions.0.aborted_transactions '[]'
	seq 4 | logappend root/t
	read_committed 3
	is responses.0.partitions.0.aborted_transactions '[]' \
		responses.0.partitions.0.high_watermark 7
}

@test 'the files of a topic that is gone are not closed where fetches come in' {
	need kcat
	logcreate root/t
	seq 3 | logappend root/t
	for n in {1..6}; do
		start "reader$n" kcat -C -q -u -b "$address" -t t -p 0 \
			-o beginning
		wait_for has_lines "reader$n.out" 3
	done
	trace epoll_wait,inotify_rm_watch
	mv root/t gone
	# That is where a log is freed.
	wait_for grep -q inotify_rm_watch calls
	wait_for grep -q epoll_wait calls
	untrace
	for n in {1..6}; do
		reader="reader${n}_pid"
		kill "${!reader}" || true
	done
	freed=$(awk '/ inotify_rm_watch\(/ { print $1; exit }' calls)
	[ "$(grep -c "^$freed *epoll_wait" calls)" = 0 ]
}

@test 'a fetch waits for as long as it says, whoever waits for longer' {
	local part=topics.0.partitions.0 began=$SECONDS
	local fetch=(Fetch 11 session_epoch=-1 min_bytes=1 max_bytes=1000
		topics.0.topic=t "$part.current_leader_epoch=-1"
		"$part.partition_max_bytes=1000")
	logcreate root/t
	start long "$CALL" "$address" "${fetch[@]}" max_wait_ms=600000
	for n in {1..30}; do
		call "${fetch[@]}" max_wait_ms=20
		is responses.0.partitions.0.records '0 bytes'
	done
	# Who waits is looked at each second in any case: then it takes 30.
	echo "$((SECONDS - began)) s"
	[ $((SECONDS - began)) -lt 15 ]
	kill "$long_pid"
}

@test 'damage is told, wherever a fetch is looked at' {
	serve_from_disk
	logcreate root/t
	for n in 1 2 3; do
		echo "event $n" | logappend root/t
	done
	one() {
		call Fetch 11 session_epoch=-1 max_wait_ms=0 max_bytes=1000 \
			topics.0.topic=t \
			topics.0.partitions.0.current_leader_epoch=-1 \
			topics.0.partitions.0.partition_max_bytes=1 \
			"topics.0.partitions.0.fetch_offset=$1"
	}
	one 0
	is responses.0.partitions.0.error_code 0
	# Behind what was read, so it would be read on there.
	log=root/t/0/00000000000000000000.log
	printf E | dd of="$log" bs=1 conv=notrunc status=none \
		seek="$(grep -abo 'event 2' "$log" | cut -d: -f1)"
	one 1
	is responses.0.partitions.0.error_code 2
	one 2
	is responses.0.partitions.0.error_code 0
}
