# CreateTopics, DeleteTopics, CreatePartitions, DeleteRecords.

load server

# create VERSION NAME [FIELD=VALUE]...: of topic 0, with 1 partition if not said.
create() {
	local version=$1 name=$2 fields=() f
	shift 2
	for f; do
		fields+=("topics.0.$f")
	done
	call CreateTopics "$version" "topics.0.name=$name" \
		topics.0.num_partitions=1 topics.0.replication_factor=1 \
		"${fields[@]}"
}

@test 'a topic is made, and usable when the client is told' {
	create 2 old num_partitions=3
	is topics.0.name old topics.0.error_code 0 topics.0.error_message NULL
	[ -d root/old/2 ]
	create 7 new num_partitions=-1 replication_factor=-1
	is topics.0.error_code 0 topics.0.num_partitions 1 \
		topics.0.replication_factor 1
	same "$(field topics.0.topic_id)" \
		"$(sed -n 's/^logkit.topic.id=//p' root/new/topic.properties)"
	# Of 7 days, if nothing is said.
	grep -qx retention.ms=604800000 root/new/topic.properties
	run_tool 0 kcat -P -b "$address" -t old -p 2 <<<one
	run_tool 0 kcat -C -e -q -b "$address" -t old -p 2
	same "$out" one
	same "$(logcat root/old/2)" one
}

@test 'the default number of partitions is that of --auto-create' {
	stop_serving
	serve --auto-create 4
	create 4 four num_partitions=-1
	[ -d root/four/3 ] && [ ! -e root/four/4 ]
	stop_serving
	serve --auto-create no
	create 5 one num_partitions=-1
	is topics.0.num_partitions 1
}

@test 'settings are those given, and shown from version 5 on' {
	create 4 t configs.0.name=retention.ms configs.0.value=1000
	is topics.0.configs ''
	create 5 u configs.0.name=cleanup.policy configs.0.value=compact \
		configs.1.name=retention.ms configs.1.value=-1
	grep -qx cleanup.policy=compact root/u/topic.properties
	grep -qx retention.ms=-1 root/u/topic.properties
	is topics.0.configs.0.name cleanup.policy \
		topics.0.configs.0.value compact \
		topics.0.configs.0.config_source 1 \
		topics.0.configs.3.name compression.type \
		topics.0.configs.3.value producer \
		topics.0.configs.3.config_source 5
	create 7 v configs.0.name=no.such configs.0.value=1
	is topics.0.error_code 40 topics.0.error_message \
		'no.such: no such setting'
	create 7 v configs.0.name=retention.ms configs.0.value=soon
	is topics.0.error_code 40
	create 7 v configs.0.name=retention.ms configs.0.value=NULL
	is topics.0.error_code 40
	[ ! -e root/v ]
}

@test 'what cannot be made is refused, by code' {
	mkdir root/directory
	create 2 t
	create 2 t
	is topics.0.error_code 36
	create 7 directory
	is topics.0.error_code 36
	for name in '' . .. a/b 'a b' "$(printf %0250d 0)" \
		__consumer_offsets __transaction_state; do
		create 7 "$name"
		is topics.0.error_code 17
	done
	create 7 "$(printf %0249d 0)"
	is topics.0.error_code 0
	for n in 0 -2 100001; do
		create 7 u num_partitions=$n
		is topics.0.error_code 37
	done
	for n in 0 2 -2; do
		create 7 u replication_factor=$n
		is topics.0.error_code 38
	done
	[ ! -e root/u ]
}

@test 'names that differ by . and _ only are one' {
	create 7 a.b_c
	create 7 a_b.c
	is topics.0.error_code 17
	create 7 a.b-c
	is topics.0.error_code 0
	# A directory that is no topic does not count, and local ones do.
	mkdir root/d.e
	create 7 d_e
	is topics.0.error_code 0
	logcreate root/f.g
	create 7 f_g
	is topics.0.error_code 17
	# Not by asking for metadata either.
	run ! kcat -C -e -q -b "$address" -t f_g
	[ ! -e root/f_g ]
}

@test 'replicas by hand are this node' {
	local hand=(num_partitions=-1 replication_factor=-1)
	create 2 t "${hand[@]}" assignments.0.partition_index=1 \
		assignments.0.broker_ids.0=1 assignments.1.partition_index=0 \
		assignments.1.broker_ids.0=1
	is topics.0.error_code 0
	[ -d root/t/1 ] && [ ! -e root/t/2 ]
	create 7 u assignments.0.partition_index=0 \
		assignments.0.broker_ids.0=1
	is topics.0.error_code 42
	create 7 u num_partitions=-1 assignments.0.broker_ids.0=1
	is topics.0.error_code 42
	create 7 u "${hand[@]}" assignments.0.broker_ids.0=2
	is topics.0.error_code 39
	create 7 u "${hand[@]}" assignments.0.broker_ids.0=1 \
		assignments.0.broker_ids.1=1
	is topics.0.error_code 39
	create 7 u "${hand[@]}" 'assignments.0.broker_ids=[]'
	is topics.0.error_code 39
	create 7 u "${hand[@]}" assignments.0.broker_ids.0=1 \
		assignments.1.broker_ids.0=1
	is topics.0.error_code 39
	create 7 u "${hand[@]}" assignments.0.broker_ids.0=1 \
		assignments.0.partition_index=1
	is topics.0.error_code 39
	[ ! -e root/u ]
}

@test 'validating makes nothing' {
	call CreateTopics 7 validate_only=true topics.0.name=t \
		topics.0.num_partitions=3 topics.0.replication_factor=-1
	is topics.0.error_code 0 topics.0.num_partitions 3 \
		topics.0.configs.0.name cleanup.policy \
		topics.0.topic_id AAAAAAAAAAAAAAAAAAAAAA
	[ ! -e root/t ]
	create 2 t
	call CreateTopics 2 validate_only=true topics.0.name=t \
		topics.0.num_partitions=3 topics.0.replication_factor=1
	is topics.0.error_code 36
}

@test 'a name twice in a request is refused both times, others are made' {
	call CreateTopics 7 topics.{0,1,2}.{num_partitions,replication_factor}=1 \
		topics.0.name=a topics.1.name=b topics.2.name=a
	is topics.0.error_code 42 topics.1.error_code 0 topics.2.error_code 42
	[ -d root/b ] && [ ! -e root/a ]
	call DeleteTopics 5 timeout_ms=60000 topic_names.0=b topic_names.1=c \
		topic_names.2=b
	is responses.0.error_code 42 responses.1.error_code 3 \
		responses.2.error_code 42
	[ -d root/b ]
	call CreatePartitions 3 timeout_ms=60000 topics.{0,1}.name=b \
		topics.{0,1}.count=2 \
		topics.{0,1}.assignments=NULL
	is results.0.error_code 42 results.1.error_code 42
	[ ! -e root/b/1 ]
	call CreateTopics 7 'topics=[]'
	is topics '[]'
}

# As Apache Kafka 3.9 does: a time-out of 0 has always run out.
@test 'what its client no longer waits for is not begun' {
	local timeout
	logcreate root/t
	for timeout in 0 -1 -2147483648; do
		call CreateTopics 7 "timeout_ms=$timeout" topics.0.name=new \
			topics.0.{num_partitions,replication_factor}=1
		is topics.0.error_code 7
		[ ! -e root/new ]
		call DeleteTopics 6 "timeout_ms=$timeout" topics.0.name=t
		is responses.0.error_code 7
		call CreatePartitions 3 "timeout_ms=$timeout" topics.0.name=t \
			topics.0.count=2
		is results.0.error_code 7
		[ -e root/t/0 ] && [ ! -e root/t/1 ]
	done
}

@test 'topics are deleted by name and by id' {
	local id
	logcreate root/a root/b root/c root/d
	call DeleteTopics 1 timeout_ms=60000 topic_names.0=a topic_names.1=nope
	is responses.0.name a responses.0.error_code 0 responses.1.name nope \
		responses.1.error_code 3
	[ ! -e root/a ]
	# A link is its maker's to remove.
	logcreate elsewhere
	ln -s ../elsewhere root/link
	call DeleteTopics 5 timeout_ms=60000 topic_names.0=link
	is responses.0.error_code 42 responses.0.error_message 'a link to a topic'
	rm root/link
	call DeleteTopics 6 timeout_ms=60000 topics.0.name=b topics.1.name=no/name
	is responses.0.error_code 0 responses.0.name b \
		responses.1.error_code 3
	[ ! -e root/b ]
	# One that the server has not been asked about.
	id=$(sed -n 's/^logkit.topic.id=//p' root/c/topic.properties)
	call DeleteTopics 6 timeout_ms=60000 topics.0.name=NULL "topics.0.topic_id=$id"
	is responses.0.error_code 0 responses.0.name c \
		responses.0.topic_id "$id"
	[ ! -e root/c ]
	call DeleteTopics 6 timeout_ms=60000 topics.0.name=NULL "topics.0.topic_id=$id"
	is responses.0.error_code 100 responses.0.name NULL \
		responses.0.topic_id "$id"
	id=$(sed -n 's/^logkit.topic.id=//p' root/d/topic.properties)
	call DeleteTopics 6 timeout_ms=60000 topics.0.name=d "topics.0.topic_id=$id" \
		topics.1.name=NULL
	is responses.0.error_code 42 responses.1.error_code 42
	[ -d root/d ]
}

@test 'what removals that were interrupted have left goes at the start' {
	stop_serving
	logcreate root/t root/u
	mv root/t root/.t.1.removed
	mv root/u root/.u.AAAAAAAAQACAAAAAAAAAAA.removed
	serve --read-only
	stop_serving
	[ -d root/.t.1.removed ]
	serve
	wait_for test ! -e root/.t.1.removed
	wait_for test ! -e root/.u.AAAAAAAAQACAAAAAAAAAAA.removed
}

@test 'a topic of the name of one that is gone is another one' {
	create 7 t
	local id
	id=$(field topics.0.topic_id)
	run_tool 0 kcat -P -b "$address" -t t <<<before
	call DeleteTopics 1 timeout_ms=60000 topic_names.0=t
	create 7 t
	[ "$(field topics.0.topic_id)" != "$id" ]
	run_tool 0 kcat -P -b "$address" -t t <<<after
	run_tool 0 kcat -C -e -q -b "$address" -t t -f '%o %s\n'
	same "$out" '0 after'
}

@test 'partitions are added' {
	logcreate -P 2 root/t
	call CreatePartitions 0 timeout_ms=60000 topics.0.name=t topics.0.count=3 \
		topics.0.assignments=NULL
	is results.0.name t results.0.error_code 0
	[ -d root/t/2 ]
	run_tool 0 kcat -P -b "$address" -t t -p 2 <<<there
	same "$(logcat root/t/2)" there
	call CreatePartitions 3 timeout_ms=60000 topics.0.name=t topics.0.count=5 \
		topics.0.assignments.{0,1}.broker_ids.0=1 validate_only=true
	is results.0.error_code 0
	[ ! -e root/t/3 ]
	call CreatePartitions 3 timeout_ms=60000 topics.0.name=t topics.0.count=5 \
		topics.0.assignments.{0,1}.broker_ids.0=1
	is results.0.error_code 0
	[ -d root/t/4 ]
	for n in 5 4 0 -1 100001; do
		call CreatePartitions 3 timeout_ms=60000 topics.0.name=t topics.0.count=$n \
			topics.0.assignments=NULL
		is results.0.error_code 37
	done
	call CreatePartitions 3 timeout_ms=60000 topics.0.name=t topics.0.count=6 \
		topics.0.assignments.0.broker_ids.0=2
	is results.0.error_code 39
	call CreatePartitions 3 timeout_ms=60000 topics.0.name=t topics.0.count=7 \
		topics.0.assignments.0.broker_ids.0=1
	is results.0.error_code 39
	call CreatePartitions 0 timeout_ms=60000 topics.0.name=nope topics.0.count=7 \
		topics.0.assignments=NULL
	is results.0.error_code 3
	[ ! -e root/t/5 ]
}

# delete VERSION OFFSET: of partition 0 of t.
delete() {
	call DeleteRecords "$1" topics.0.name=t "topics.0.partitions.0.offset=$2"
}

@test 'records are deleted, up to the high watermark at most' {
	logcreate root/t
	seq 0 9 | logappend root/t
	delete 0 4
	is topics.0.partitions.0.error_code 0 \
		topics.0.partitions.0.low_watermark 4
	same "$(logcat root/t | head -1)" 4
	# What is deleted stays so, and is no error.
	delete 1 2
	is topics.0.partitions.0.error_code 0 \
		topics.0.partitions.0.low_watermark 4
	for n in 11 -2; do
		delete 2 $n
		is topics.0.partitions.0.error_code 1 \
			topics.0.partitions.0.low_watermark -1
	done
	run_tool 0 kcat -P -b "$address" -t t <<<ten
	delete 2 -1
	is topics.0.partitions.0.error_code 0 \
		topics.0.partitions.0.low_watermark 11
	[ -z "$(logcat root/t)" ]
	run_tool 0 kcat -P -b "$address" -t t <<<eleven
	run_tool 0 kcat -C -e -q -b "$address" -t t -o beginning -f '%o %s\n'
	same "$out" '11 eleven'
}

@test 'records are deleted of several partitions, or each is refused' {
	logcreate -P 2 root/t
	logcreate --compact root/compacted
	logcreate --compact -X cleanup.policy=compact,delete root/both
	seq 10 | logappend -p 0 root/t
	seq 10 | logappend -p 1 root/t
	call DeleteRecords 2 topics.0.name=t \
		topics.0.partitions.2.partition_index=2 \
		topics.0.partitions.1.partition_index=1 \
		topics.0.partitions.1.offset=5 \
		topics.0.partitions.0.offset=3 \
		topics.1.name=nope topics.1.partitions.0.offset=0 \
		topics.2.name=compacted topics.2.partitions.0.offset=0 \
		topics.3.name=both topics.3.partitions.0.offset=0
	is topics.0.partitions.0.low_watermark 3 \
		topics.0.partitions.1.low_watermark 5 \
		topics.0.partitions.2.error_code 3 \
		topics.1.partitions.0.error_code 3 \
		topics.2.partitions.0.error_code 44 \
		topics.3.partitions.0.error_code 0 \
		topics.3.partitions.0.low_watermark 0
}

@test 'a server that only reads changes nothing' {
	logcreate root/t
	seq 10 | logappend root/t
	stop_serving
	serve --read-only
	create 2 u
	is topics.0.error_code 29
	create 7 u
	is topics.0.error_code 29
	call DeleteTopics 6 timeout_ms=60000 topics.0.name=t
	is responses.0.error_code 29
	call CreatePartitions 3 timeout_ms=60000 topics.0.name=t topics.0.count=3
	is results.0.error_code 29
	delete 2 5
	is topics.0.partitions.0.error_code 29
	[ ! -e root/u ] && [ ! -e root/t/1 ]
	same "$(logcat root/t | head -1)" 1
}

@test 'a topic by its id, which nobody has named since the start' {
	logcreate root/t
	echo one | logappend root/t
	local id
	id=$(sed -n 's/^logkit.topic.id=//p' root/t/topic.properties)
	[ -n "$id" ]
	stop_serving
	serve
	call Metadata 12 topics.0.name=NULL "topics.0.topic_id=$id"
	is topics.0.error_code 0 topics.0.name t
	stop_serving
	serve
	call Fetch 13 session_epoch=-1 max_wait_ms=0 max_bytes=10000 \
		"topics.0.topic_id=$id" \
		topics.0.partitions.0.partition_max_bytes=10000
	is responses.0.partitions.0.error_code 0 \
		responses.0.partitions.0.high_watermark 1
	call Metadata 12 topics.0.name=NULL topics.0.topic_id=AAAAAAAAAAAAAAAAAAAAAQ
	is topics.0.error_code 100
}

# names: of all topics, as Metadata tells them.
names() {
	call Metadata 12 topics=NULL
	sed -n 's/^topics\.[0-9]*\.name=//p' <<<"$out" | paste -sd' '
}

@test 'a link to a topic of the root takes nothing from it' {
	logcreate root/orders elsewhere
	ln -s orders root/alias
	ln -s ../elsewhere root/there
	# Asked for first, or not.
	call Metadata 12 topics.0.name=alias
	is topics.0.error_code 3
	same "$(names)" 'orders there'
	run_tool 0 kcat -P -b "$address" -t orders <<<one
	run_tool 0 kcat -P -b "$address" -t there <<<two
	call CreateTopics 7 topics.0.name=alias topics.0.num_partitions=1 \
		topics.0.replication_factor=1
	is topics.0.error_code 36
	same "$(logcat root/orders elsewhere)" $'one\ntwo'
	same "$(grep -c 'left out' server.err)" 1
	grep -q '^logserve: left out: topic=alias same_as=orders why=' server.err
	call DeleteTopics 5 timeout_ms=60000 topic_names.0=orders
	is responses.0.error_code 0
}

@test 'of a link and a topic with the same id the topic is served' {
	logcreate root/orders
	mkdir other
	cp -a root/orders other
	ln -s ../other/orders root/link
	call Metadata 12 topics.0.name=link
	is topics.0.error_code 0
	call Metadata 12 topics.0.name=orders
	is topics.0.error_code 0
	same "$(names)" orders
	grep -q '^logserve: left out: topic=link same_as=orders why=' server.err
	# What is gone has no id.
	rm -r root/orders
	call Metadata 12 topics.0.name=link
	is topics.0.error_code 0
	rm root/link
	mv other/orders root
	same "$(names)" orders
}

@test 'a copy of a topic is another one, also where nothing may be written' {
	local ids
	logcreate root/orders
	stop_serving
	cp -a root/orders root/copy
	serve --read-only
	call Metadata 12 topics=NULL
	is topics.0.name copy topics.1.name orders
	[ "$(field topics.0.topic_id)" != "$(field topics.1.topic_id)" ]
	cmp root/orders/topic.properties root/copy/topic.properties
	grep -qx 'logserve: copy: topic=copy made_as=orders' server.err
	# The same at each start.
	ids=$(grep topic_id <<<"$out")
	stop_serving
	serve --read-only
	call Metadata 12 topics=NULL
	same "$(grep topic_id <<<"$out")" "$ids"
	stop_serving
	serve
	call Metadata 12 topics=NULL
	is topics.0.name copy topics.1.name orders
	grep -qx logkit.topic=copy root/copy/topic.properties
	grep -qx 'logserve: copy: topic=copy made_as=orders' server.err
}

@test 'a topic whose settings cannot be read is told, and not as a bad name' {
	logcreate root/good root/broken
	call Metadata 12 topics.0.name=broken
	is topics.0.error_code 0
	echo no.such=1 >>root/broken/topic.properties
	for _ in 1 2; do
		call Metadata 12 topics.0.name=broken
		is topics.0.error_code 56
	done
	run ! kcat -P -b "$address" -t broken -X message.timeout.ms=500 <<<one
	call DeleteTopics 5 timeout_ms=60000 topic_names.0=broken
	is responses.0.error_code 56
	# Clients that ask for all would ask again until it is well.
	same "$(names)" good
	same "$(grep -c 'left out' server.err)" 1
	grep -q '^logserve: left out: topic=broken file=.*broken/topic.properties pos=[1-9][0-9]* what="no such setting" why=' \
		server.err
	sed -i '$ d' root/broken/topic.properties
	same "$(names)" 'broken good'
	echo no.such=1 >>root/broken/topic.properties
	same "$(names)" good
	same "$(grep -c 'left out' server.err)" 2
}
