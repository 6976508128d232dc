# A server whose disk is full: producers are told, readers go on, and so do
# producers once there is space, by themselves; and one whose disk is read-only.

load ../server/server

setup() {
	helpers_setup
	[ "$(id -u)" -eq 0 ] || skip "only root can mount"
	mkdir root
	mount -t tmpfs -o size=16m tmpfs root || skip "no tmpfs can be mounted"
	logcreate --segment-bytes 100K -P 2 root/t
	serve
}

teardown() {
	kill "${producers_pid:-}" 2>/dev/null || true
	stop_serving
	helpers_teardown
	cd /
	! mountpoint -q "$BATS_TEST_TMPDIR/root" ||
		umount -l "$BATS_TEST_TMPDIR/root"
}

fill() {
	cat /dev/zero >root/filler 2>/dev/null || true
}

# A batch of one record of 30 KB for a client to send.
make_batch() {
	logcreate b
	printf '%030000d' 0 | logappend b
	batch=$(echo b/0/*.log)
}

# produce: send it to partition 0; its error, and its offset.
produce() {
	call Produce 8 acks=-1 topic_data.0.name=t \
	    topic_data.0.partition_data.0.records="@$batch"
	code=$(field responses.0.partition_responses.0.error_code)
	offset=$(field responses.0.partition_responses.0.base_offset)
}

@test 'an error for producers, for readers all there was' {
	local next=0 round
	make_batch
	for round in 1 2 3; do
		fill
		# What was set aside for the segment still takes some.
		produce
		while [ "$code" -eq 0 ]; do
			same "$offset" "$next"
			: $((next += 1))
			[ "$next" -lt 1000 ]
			produce
		done
		same "$code $offset" '56 -1'
		# Others may say something of their own behind it.
		wait_for grep -q 'No space left on device' server.err
		run_tool 0 kcat -C -e -q -b "$address" -t t -p 0 -f '%o\n'
		same "$out" "$(seq 0 $((next - 1)))"
		# For these there may be room, or none: they are answered.
		call OffsetCommit 7 group_id=g topics.0.name=t \
			topics.0.partitions.0.committed_offset=1
		call CreateTopics 5 topics.0.name="u$round" \
			topics.0.num_partitions=1 topics.0.replication_factor=1
		rm root/filler
		produce
		same "$code $offset" "0 $next"
		: $((next += 1))
		call OffsetCommit 7 group_id=g topics.0.name=t \
			topics.0.partitions.0.committed_offset="$round"
		is topics.0.partitions.0.error_code 0
		call CreateTopics 5 topics.0.name="v$round" \
			topics.0.num_partitions=1 topics.0.replication_factor=1
		is topics.0.error_code 0
	done
	run_tool 0 logfsck root/t
	same "$(logcat root/t/0 | wc -l)" "$next"
}

has_acknowledged() {
	[ "$(grep -c ^k journal)" -ge "$1" ] || process_gone "$producers_pid"
}

@test 'idempotent producers wait it out' {
	local tests=${BATS_TEST_FILENAME%/*}/.. round
	[ -e /usr/include/librdkafka/rdkafka.h ] ||
		skip 'librdkafka-dev is not installed'
	cc -O2 -D_GNU_SOURCE -o oracle "$tests/oracle/oracle.c"
	cc -O2 -D_GNU_SOURCE -o produce "$tests/crash/produce.c" -lrdkafka
	: >journal
	start producers ./produce -w 3 -p 2 -s 1 journal "$address" t
	for round in 1 2 3; do
		wait_for has_acknowledged \
			$(($(grep -c ^k journal || true) + 200))
		: >server.err
		fill
		wait_for grep -q 'No space left on device' server.err
		rm root/filler
		# What was acknowledged may go by and by, but is looked at.
		wait_for has_acknowledged \
			$(($(grep -c ^k journal || true) + 200))
	done
	kill "$producers_pid"
	wait_exit 0 "$producers_pid" || {
		cat producers.err
		return 1
	}
	run_tool 0 logfsck root/t
	logcat -F '%p %o %s\n' root/t >there
	./oracle judge -d -a journal <there
}

@test 'where nothing may be written topics are read, and none are made' {
	stop_serving
	echo one | logappend -p 0 root/t
	cp -a root/t root/copy
	mount -o remount,ro "$PWD/root"
	serve
	call Metadata 9 topics.0.name=new allow_auto_topic_creation=true
	is topics.0.error_code 29
	call CreateTopics 7 topics.0.name=new topics.0.num_partitions=1 \
		topics.0.replication_factor=1
	is topics.0.error_code 29
	# A copy cannot be given an id of its own in its file.
	call Metadata 12 topics=NULL
	is topics.0.name copy topics.1.name t topics.1.topic_id \
		"$(sed -n 's/^logkit.topic.id=//p' root/t/topic.properties)"
	[ "$(field topics.0.topic_id)" != "$(field topics.1.topic_id)" ]
	grep -q '^logserve: copy: topic=copy made_as=t why="Read-only' server.err
	run_tool 0 kcat -C -e -q -b "$address" -t copy -p 0
	same "$out" one
}
