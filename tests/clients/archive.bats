# A topic of an Apache Kafka, copied by logreplicate: the same batches at the
# same offsets, and served by logserve the same records for a consumer.

load ../helpers
# shellcheck source=tests/clients/kafka.bash
. "$ROOT/tests/clients/kafka.bash"
TOOL_TIMEOUT=120

setup_file() {
	export kafka_pid=
	command -v java >/dev/null || return 0
	[ -n "${KAFKA_JARS:-}" ] || command -v mvn >/dev/null || return 0
	kafka_start "$BATS_FILE_TMPDIR/kafka" log.cleaner.backoff.ms=100 \
	    log.retention.check.interval.ms=200 log.initial.task.delay.ms=100 \
	    log.segment.delete.delay.ms=100 || return 1
	export broker=$KAFKA_BROKER data=$BATS_FILE_TMPDIR/kafka/data kafka_jars
	echo "$kafka_pid" >"$BATS_FILE_TMPDIR/pid"
}

teardown_file() {
	[ ! -e "$BATS_FILE_TMPDIR/pid" ] ||
		kafka_pid=$(cat "$BATS_FILE_TMPDIR/pid")
	kafka_stop || true
}

setup() {
	[ -n "${broker:-}" ] || kafka_need
	helpers_setup
	transact=$BATS_FILE_TMPDIR/transact
	topic=archive-$BATS_TEST_NUMBER
	at=kafka://$broker/$topic
}

teardown() {
	[ -z "${server_pid:-}" ] || kill "$server_pid" 2>/dev/null || true
	helpers_teardown
	logadmin topic rm "$at" >/dev/null 2>&1 || true
}

transact() {
	[ -x "$transact" ] ||
		cc -o "$transact" "$ROOT/tests/clients/transact.c" -lrdkafka
	"$transact" "$broker" "$topic" "$@"
}

# Segments of a partition of the broker, and of a copy, one behind the other.
batches_of() {
	cat "$1"/*.log
}

# same_batches COPY PARTITION...: byte for byte what the broker has.
same_batches() {
	local copy=$1 p
	shift
	for p; do
		cmp <(batches_of "$data/$topic-$p") \
		    <(batches_of "$copy/$p") || return 1
	done
	run_tool 0 logfsck "$copy"
}

# same_records COPY: what consumers are told, of each isolation level.
same_records() {
	local option
	for option in -q --uncommitted; do
		logcat "$option" -F '%p %o %T %k %v %h\n' "$at" >want
		run_tool 0 logcat "$option" -F '%p %o %T %k %v %h\n' "$1"
		cmp want "$tool_out"
	done
}

# Keys repeat; each value is long enough to be worth compressing.
records() {
	awk -v from="$1" -v to="$2" -v keys="${3:-100}" 'BEGIN {
		for (i = from; i <= to; i++)
			printf "k%d=value %d of something that repeats\n", i % keys, i
	}'
}

# Every codec, transactions that were committed, aborted, and left open.
fill() {
	local codec
	for codec in none gzip snappy lz4 zstd; do
		records 1 2000 | logappend -z "$codec" -K = "$at"
	done
	transact 0 a b commit c d abort e commit
	transact 1 f abort g commit
	records 1 100 | logappend -K = "$at"
}

@test 'the same batches, and the same records' {
	need cc
	logcreate -P 3 -X segment.bytes=100000 -X retention.ms=2d "$at"
	fill
	run_tool 0 logreplicate -v "$at" copy
	has "$out" "$topic/0: offsets 0 to "
	same_batches copy 0 1 2
	same_records copy
	# Only what was set for the topic comes with it.
	same "$(grep -v '^#\|logkit' copy/topic.properties | sort)" \
	    "$(printf 'retention.ms=172800000\nsegment.bytes=100000')"
	# Nothing new, then something.
	run_tool 0 logreplicate -v "$at" copy
	same "$out" ''
	fill
	run_tool 0 logreplicate -v "$at" copy
	has "$out" "$topic/2: offsets "
	same_batches copy 0 1 2
	same_records copy
}

# serve: the directory root, for reading.
serve() {
	start server logserve -q --read-only --ready-fd 7 -l localhost:0 root \
	    7>ready
	wait_for has_lines ready 1
	address=$(cat ready)
}

# consumed ADDRESS ISOLATION: what a client of another library reads.
consumed() {
	local p
	for p in 0 1 2; do
		kcat -C -b "$1" -t "$topic" -p "$p" -o beginning -e -q \
		    -X isolation.level="$2" -f '%p %o %T %k %s\n' || return 1
	done
}

@test 'served, it is the same to a consumer, transactions too' {
	need cc
	need kcat
	logcreate -P 3 "$at"
	fill
	# Of a transaction that is not over, nothing is told yet.
	transact 2 x y commit
	# The program, for a function is a shell around it, which dies alone.
	start open "$transact" "$broker" "$topic" 2 z open
	wait_for grep -q open open.out
	mkdir root
	run_tool 0 logreplicate "$at" "root/$topic"
	same_batches "root/$topic" 0 1 2
	serve
	for isolation in read_committed read_uncommitted; do
		consumed "$broker" "$isolation" >want
		consumed "$address" "$isolation" >got
		cmp want got
	done
	grep -q ' z$' got
	kill "$server_pid"
	wait_exit 0 "$server_pid"
	server_pid=
	[ "/proc/$open_pid/exe" -ef "$transact" ]
	kill "$open_pid"
	wait_exit 143 "$open_pid"
}

# Is the broker's cleaner done?  It notes where in a log it is to go on: where
# the last segment begins, which it leaves alone.  Before that it may go on at any
# moment, also between a copy and the look at it.
cleaned() {
	local last
	last=$(printf '%s\n' "$data/$topic-0"/*.log | tail -n 1)
	last=${last##*/}
	grep -qx "$topic 0 $((10#${last%.log}))" \
	    "$data/cleaner-offset-checkpoint"
}

@test 'a compacted topic' {
	logcreate -X cleanup.policy=compact -X segment.bytes=20000 \
	    -X min.cleanable.dirty.ratio=0.01 -X segment.ms=1d "$at"
	records 1 1000 10 | logappend --batch-bytes 1K -K = "$at"
	run_tool 0 logreplicate "$at" early
	records 1001 2000 10 | logappend --batch-bytes 1K -K = "$at"
	wait_for cleaned
	[ "$(logcat "$at" | wc -l)" -lt 1500 ]
	run_tool 0 logreplicate "$at" copy
	same "$(logcat -F '%o %k %v\n' copy)" "$(logcat -F '%o %k %v\n' "$at")"
	run_tool 0 logfsck copy
	# A copy from before has what was taken since, and goes on.
	run_tool 0 logreplicate "$at" early
	logcat -F '%o %k %v\n' "$at" >want
	logcat -F '%o %k %v\n' early | grep -Fxf want | cmp want -
	has "$(cat copy/topic.properties)" cleanup.policy=compact
}

@test 'what retention takes meanwhile' {
	logcreate -X segment.bytes=20000 "$at"
	records 1 2000 | logappend --batch-bytes 1K -K = "$at"
	run_tool 0 logcompact --before 500 "$at"
	run_tool 0 logreplicate "$at" copy
	same "$(logstat -J copy | jq .first_offset)" 500
	same "$(logcat copy)" "$(logcat "$at")"
	records 2001 3000 | logappend --batch-bytes 1K -K = "$at"
	run_tool 0 logcompact --before 2500 "$at"
	run_tool 0 logreplicate --cleanup mirror "$at" copy
	same "$(logstat -J copy | jq .first_offset)" 2500
	same "$(logcat -F '%o %v\n' copy)" "$(logcat -F '%o %v\n' "$at")"
	# All of it is gone.
	run_tool 0 logcompact --before end "$at"
	run_tool 0 logreplicate "$at" empty
	records 1 10 | logappend -K = "$at"
	run_tool 0 logreplicate "$at" empty
	same "$(logcat -F '%o %v\n' empty)" "$(logcat -F '%o %v\n' "$at")"
}

# in_copy N: has the copy so many records, and the copying not ended?
in_copy() {
	[ "$(logcat copy 2>/dev/null | wc -l)" -ge "$1" ] ||
		process_gone "$archive_pid"
}

@test 'following, under load, with a broker that goes away' {
	logcreate -P 2 "$at"
	start archive logreplicate -f --groups "$at" copy
	for w in 1 2 3; do
		start "w$w" sh -c "seq -f $w:%g 10000 |
		    logappend --batch-bytes 4K '$at'"
	done
	for w in w1_pid w2_pid w3_pid; do
		wait_exit 0 "${!w}"
	done
	wait_for in_copy 30000
	# The broker goes, and comes back at its port.
	kill "$kafka_pid"
	kafka_until kafka_gone
	kafka_again
	seq -f 4:%g 1000 | logappend "$at"
	wait_for in_copy 31000
	# And the topic grows.
	logcreate --grow-to 3 "$at"
	wait_for partition_there
	seq -f 5:%g 1000 | logappend -p 2 "$at"
	logcat -g "$topic-g" "$at" >/dev/null
	wait_for in_copy 32000
	wait_for position_there
	kill "$archive_pid"
	wait_exit 143 "$archive_pid"
	same_batches copy 0 1 2
	same_records copy
}

partition_there() {
	logstat -q "$at/2" >/dev/null 2>&1
}

position_there() {
	logadmin -J group describe copy "$topic-g" 2>/dev/null |
		grep -q '"partition":2,"offset":1000,'
}

# The same broker once more, on the ports that it had.
kafka_again() {
	(kafka_java kafka.Kafka "$BATS_FILE_TMPDIR/kafka/server.properties") \
	    >"$BATS_FILE_TMPDIR/kafka/again.out" 2>&1 3>&- &
	kafka_pid=$!
	echo "$kafka_pid" >"$BATS_FILE_TMPDIR/pid"
	disown
	KAFKA_BROKER=$broker
	kafka_until kafka_listens_or_gone
}

# second_broker DIR: one more in the same cluster; $second is its pid.
second_broker() {
	local first=$BATS_FILE_TMPDIR/kafka port controller id
	port=$(kafka_free_ports 1)
	controller=$(sed -n 's/.*CONTROLLER:.*:\([0-9]*\)$/\1/p' \
	    "$first/server.properties" | head -n 1)
	id=$(sed -n 's/^cluster.id=//p' "$first/data/meta.properties")
	mkdir "$1"
	kafka_config "$1" "$port" "$controller" process.roles=broker node.id=2 \
	    "listeners=PLAINTEXT://127.0.0.1:$port" >"$1/server.properties"
	(kafka_java kafka.tools.StorageTool format "--cluster-id=$id" \
	    -c "$1/server.properties") >/dev/null
	(kafka_java kafka.Kafka "$1/server.properties") >"$1/out" 2>&1 3>&- &
	second=$!
	kafka_until listens "$port"
}

listens() {
	(: <"/dev/tcp/127.0.0.1/$1")
}

# Do both lead some of the partitions, and is each one on both?
is_shared() {
	local file
	kcat -L -b "$broker" -t "$topic" >listing
	grep -q 'leader 1, .*isrs: .,.' listing &&
		grep -q 'leader 2, .*isrs: .,.' listing &&
		run ! grep -q 'isrs: .$' listing
}

# Does the first one lead all six?
leads_all() {
	[ "$(kcat -L -b "$broker" -t "$topic" | grep -c ' leader 1, ')" -eq 6 ]
}

# Not before the second broker is known to the first.
six_made() {
	logcreate -P 6 --replicas 2 "$at"
}

@test 'leaders that move' {
	need kcat
	second_broker "$PWD/second"
	wait_for six_made
	wait_for is_shared
	start archive logreplicate -f "$at" copy
	records 1 2000 | logappend -K = "$at"
	wait_for in_copy 2000
	kill -9 "$second"
	wait_for leads_all
	records 2001 4000 | logappend -K = "$at"
	wait_for in_copy 4000
	kill "$archive_pid"
	wait_exit 143 "$archive_pid"
	same_batches copy 0 1 2 3 4 5
	same_records copy
	# It said nothing, for nothing was lost; but brokers that get no processor
	# for seconds lose their partitions, and it says so after one.
	same "$(grep -v '^logreplicate: [^:]*: kafka:.*: it has no leader$' \
	    archive.err)" ''
}

@test 'a cluster, with what is to be in and what not' {
	logcreate "$at-a" "$at-b" "$at-c"
	for t in a b c; do
		seq 10 | logappend "$at-$t"
	done
	mkdir root
	run_tool 0 logreplicate --exclude '*-b' --include "$topic-*" \
	    "kafka://$broker/" root
	same "$(ls root)" "$(printf "$topic-%s\n" a c)"
	same "$(logcat "root/$topic-a")" "$(seq 10)"
	logadmin topic rm "$at-a"
	logadmin topic rm "$at-b"
	logadmin topic rm "$at-c"
}

@test 'what cannot be' {
	run_tool 1 logreplicate "$at" copy
	same "$err" "logreplicate: $at: no such topic"
	logcreate -P 2 "$at"
	run_tool 1 logreplicate "$at/5" copy
	has "$err" 'no such topic'
	run_tool 1 logreplicate --timeout 1s kafka://127.0.0.1:1/t copy
	same "$err" 'logreplicate: 127.0.0.1:1: Connection refused'
	run_tool 1 logreplicate "kafka+tls://$broker/$topic" copy
	same "$(wc -l <<<"$err")" 1
	[ ! -e copy ]
	# Made anew, it is another.
	seq 10 | logappend -p 0 "$at"
	run_tool 0 logreplicate "$at" copy
	logadmin topic rm "$at"
	wait_for topic_made
	seq 11 30 | logappend -p 0 "$at"
	run_tool 4 logreplicate "$at" copy
	has "$err" "$topic/0: diverged: from offset 0 on"
	run_tool 0 logreplicate --on-diverge truncate "$at" copy
	same "$(logcat copy)" "$(seq 11 30)"
	[ -n "$(ls copy/0/lost+found)" ]
}

topic_made() {
	logcreate -P 2 "$at" 2>/dev/null
}
