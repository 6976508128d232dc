# ListOffsets and OffsetForLeaderEpoch.

load server

# list VERSION TIMESTAMP [FIELD=VALUE]...: of partition 0 of t.
list() {
	local version=$1 time=$2
	shift 2
	call ListOffsets "$version" replica_id=-1 topics.0.name=t \
		"topics.0.partitions.0.timestamp=$time" "$@"
}

# found OFFSET TIMESTAMP: the answer, without an error.
found() {
	is topics.0.partitions.0.error_code 0 topics.0.partitions.0.offset \
		"$1" topics.0.partitions.0.timestamp "$2"
}

# golden CASE: a partition that Kafka wrote, as a topic of that name.
golden() {
	logcreate "root/$1"
	cp "$ROOT/tests/golden/$1/$1-0"/* "root/$1/0/"
}

@test 'the start, the end, the largest time, and a time' {
	logcreate root/t
	printf '%s\n' '{"timestamp":100,"value":"a"}' \
		'{"timestamp":300,"value":"b"}' '{"timestamp":200,"value":"c"}' \
		'{"timestamp":300,"value":"d"}' | logappend -J root/t
	for v in 1 4 5 6 10; do
		list $v -1
		found 4 -1
		list $v -2
		found 0 -1
		list $v 101
		found 1 300
		list $v 301
		found -1 -1
	done
	list 7 -3
	found 1 300
	list 8 -4
	found 0 -1
	list 9 -5
	found -1 -1
	list 10 0 topics.0.partitions.0.current_leader_epoch=0
	found 0 100
	is topics.0.partitions.0.leader_epoch 0
	list 3 -1
	is topics.0.partitions.0.leader_epoch ''
	list 1 -1
	is throttle_time_ms ''
}

@test 'of an empty partition, and of one whose records were deleted' {
	logcreate root/t
	list 10 -1
	found 0 -1
	list 10 -2
	found 0 -1
	list 10 -3
	found -1 -1
	list 10 0
	found -1 -1
	seq 10 | logappend root/t
	call DeleteRecords 2 topics.0.name=t topics.0.partitions.0.offset=7
	list 10 -2
	found 7 -1
	list 10 -4
	found 7 -1
	list 10 0
	is topics.0.partitions.0.offset 7
}

@test 'what a version does not know is refused' {
	logcreate root/t
	while read -r version time; do
		list "$version" "$time"
		is topics.0.partitions.0.error_code 35 \
			topics.0.partitions.0.offset -1
	done <<-'END'
		6 -3
		7 -4
		8 -5
		10 -6
		10 -7
	END
}

@test 'partitions: unknown, twice, with an epoch that is not theirs' {
	logcreate root/t
	seq 3 | logappend root/t
	list 10 -1 topics.0.partitions.1.partition_index=1 \
		topics.1.name=nope topics.1.partitions.0.timestamp=-1 \
		topics.2.name=no/name topics.2.partitions.0.timestamp=-1
	is topics.0.partitions.0.error_code 0 \
		topics.0.partitions.1.error_code 3 \
		topics.1.partitions.0.error_code 3 \
		topics.2.partitions.0.error_code 17
	list 1 -1 topics.0.partitions.1.timestamp=-2
	is topics.0.partitions.0.error_code 42 \
		topics.0.partitions.1.error_code 42
	list 2 -1 topics.1.name=t topics.1.partitions.0.timestamp=-2
	is topics.0.partitions.0.error_code 42 \
		topics.1.partitions.0.error_code 42
	list 4 -1 topics.0.partitions.0.current_leader_epoch=1
	is topics.0.partitions.0.error_code 75
	call ListOffsets 10 'topics=[]'
	is topics '[]'
}

# times CASE [FIELD=VALUE]...: lines "TIME OFFSET", as Kafka answered.
times() {
	local case=$1 time offset
	shift
	while read -r time offset; do
		echo "$time $("$CALL" "$address" ListOffsets 10 \
			"topics.0.name=$case" \
			"topics.0.partitions.0.timestamp=$time" "$@" |
			sed -n 's/.*\.offset=//p')"
	done <"$ROOT/tests/golden/$case/expected.times"
}

@test 'Kafka finds the same times in what it wrote' {
	for case in appendtime codec-zstd compacted compacted-txn epochs \
		segments txn; do
		golden $case
		same "$(times $case)" \
			"$(cat "$ROOT/tests/golden/$case/expected.times")"
	done
}

@test 'a consumer of what is committed ends at the last stable offset' {
	golden txn
	read -r start high stable _ <"$ROOT/tests/golden/txn/expected.offsets"
	call ListOffsets 1 topics.0.name=txn topics.0.partitions.0.timestamp=-1
	is topics.0.partitions.0.offset "$high"
	call ListOffsets 2 isolation_level=1 topics.0.name=txn \
		topics.0.partitions.0.timestamp=-1
	is topics.0.partitions.0.offset "$stable"
	call ListOffsets 10 isolation_level=1 topics.0.name=txn \
		topics.0.partitions.0.timestamp=-2
	is topics.0.partitions.0.offset "$start"
	# A record behind it counts as none; the last marker is one.
	call ListOffsets 7 topics.0.name=txn topics.0.partitions.0.timestamp=-3
	[ "$(field topics.0.partitions.0.offset)" -ge "$stable" ]
	for time in -3 "$(field topics.0.partitions.0.timestamp)"; do
		call ListOffsets 7 isolation_level=1 topics.0.name=txn \
			"topics.0.partitions.0.timestamp=$time"
		found -1 -1
	done
	same "$(times txn isolation_level=1)" "$(awk -v s="$stable" \
		'{ print $1, ($2 >= s ? -1 : $2) }' \
		"$ROOT/tests/golden/txn/expected.times")"
}

# epoch VERSION ASKED [FIELD=VALUE]...: of partition 0 of t.
epoch() {
	local version=$1 asked=$2
	shift 2
	call OffsetForLeaderEpoch "$version" topics.0.topic=epochs \
		"topics.0.partitions.0.leader_epoch=$asked" "$@"
}

@test 'epochs end where Kafka says that they do' {
	golden epochs
	# Kafka had begun one more, without a record, to answer.
	while read -r asked found end; do
		[ "$asked" -le 8 ] || found=-1 end=-1
		for v in 2 4; do
			epoch $v "$asked"
			is topics.0.partitions.0.error_code 0 \
				topics.0.partitions.0.leader_epoch "$found" \
				topics.0.partitions.0.end_offset "$end"
		done
	done <"$ROOT/tests/golden/epochs/expected.epochs"
	epoch 3 -1 replica_id=-1
	is topics.0.partitions.0.leader_epoch -1 \
		topics.0.partitions.0.end_offset -1
	epoch 4 0 topics.0.partitions.1.partition=1 topics.1.topic=nope \
		topics.1.partitions.0.leader_epoch=0
	is topics.0.partitions.1.error_code 3 topics.1.partitions.0.error_code 3 \
		topics.1.partitions.0.end_offset -1
}

@test 'an epoch of which there is nothing yet' {
	logcreate root/epochs
	call Metadata 9 topics.0.name=epochs
	is topics.0.partitions.0.leader_epoch 0
	for v in 2 4; do
		epoch $v 0
		is topics.0.partitions.0.error_code 0 \
			topics.0.partitions.0.leader_epoch 0 \
			topics.0.partitions.0.end_offset 0
		epoch $v 1
		is topics.0.partitions.0.leader_epoch -1 \
			topics.0.partitions.0.end_offset -1
	done
	seq 3 | logappend root/epochs
	epoch 4 0
	is topics.0.partitions.0.leader_epoch 0 \
		topics.0.partitions.0.end_offset 3
}

@test 'the epoch of a record, and of a client that is behind or ahead' {
	local part=topics.0.partitions.0
	golden epochs
	mv root/epochs root/t
	# Who appends after Kafka begins a new one.
	echo more | logappend root/t
	list 4 -2
	is $part.leader_epoch 0
	list 4 -1
	is $part.leader_epoch 9
	list 10 "$(awk 'NR == 1 { print $1 }' \
		"$ROOT/tests/golden/epochs/expected.times")"
	is $part.leader_epoch 0
	list 10 -3
	is $part.leader_epoch 9
	for v in 4 10; do
		list $v -1 $part.current_leader_epoch=8
		is $part.error_code 74 $part.offset -1
		list $v -1 $part.current_leader_epoch=10
		is $part.error_code 75
		list $v -1 $part.current_leader_epoch=9
		is $part.error_code 0
	done
	mv root/t root/epochs
	epoch 2 0 $part.current_leader_epoch=8
	is $part.error_code 74 $part.end_offset -1
	epoch 4 0 $part.current_leader_epoch=10
	is $part.error_code 75
	epoch 4 0 $part.current_leader_epoch=9
	is $part.error_code 0 $part.end_offset 20
}

@test 'kcat begins at a time' {
	logcreate root/t
	printf '%s\n' '{"timestamp":1000,"value":"a"}' \
		'{"timestamp":2000,"value":"b"}' \
		'{"timestamp":3000,"value":"c"}' | logappend -J root/t
	run_tool 0 kcat -C -e -q -b "$address" -t t -p 0 -o s@1500
	same "$out" $'b\nc'
	run_tool 0 kcat -Q -b "$address" -t t:0:3000
	has "$out" 'offset 2'
}

@test 'what other programs append, and a topic that is replaced, is seen' {
	logcreate root/t
	seq 3 | logappend root/t
	list 10 -1
	found 3 -1
	list 10 -3
	is topics.0.partitions.0.error_code 0
	seq 2 | logappend root/t
	list 10 -1
	found 5 -1
	rm -r root/t
	list 10 -1
	is topics.0.partitions.0.error_code 3
	logcreate root/t
	echo '{"timestamp":7,"value":"x"}' | logappend -J root/t
	list 10 -3
	found 0 7
}
