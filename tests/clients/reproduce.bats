# logreplicate --reproduce: what is in a directory is sent to a broker again,
# each record once, whatever is killed when.  The broker is $LOGKIT_BROKER if
# that is set, else an Apache Kafka that is started for it.
#	REPRODUCE_KILLS=40	kills
#	SEED=N			repeats a run

broker_given=${broker_given:-${LOGKIT_BROKER:-}}
load ../helpers
# shellcheck source=tests/clients/kafka.bash
. "$ROOT/tests/clients/kafka.bash"
# The first run may fetch Kafka's jars.
TOOL_TIMEOUT=120

setup_file() {
	export broker=$broker_given broker_given kafka_pid=
	[ -z "$broker" ] || return 0
	command -v java >/dev/null || return 0
	[ -n "${KAFKA_JARS:-}" ] || command -v mvn >/dev/null || return 0
	kafka_start "$BATS_FILE_TMPDIR/kafka" || return 1
	broker=$KAFKA_BROKER
}

teardown_file() {
	[ -n "$broker_given" ] || kafka_stop
}

setup() {
	[ -n "$broker" ] || kafka_need
	helpers_setup
	# A name of its own for each test and each run.
	topic=reproduce-$BATS_TEST_NUMBER-$$-$RANDOM
	at=kafka://$broker/$topic
}

teardown() {
	helpers_teardown
	logadmin topic rm "$at" >/dev/null 2>&1 || true
}

# Records of a place but for what is another one there: a line each.
records_of() {
	logcat -J "$1" | jq -c 'del(.topic, .offset) |
	    .headers = [(.headers // [])[] |
		select(.key != "logkit.offset" and .key != "logkit.source")]' |
	    sort -s -t , -k 1,1
}

same_records() {
	records_of "$1" >one
	records_of "$2" >other
	diff one other
}

# What is kept of how far it has come.
forget_positions() {
	logadmin group rm "kafka://$broker" logkit.reproduce ||
		logadmin group rm "$at" logkit.reproduce
}

@test 'keys, nulls, headers, timestamps, codecs; then what is new' {
	local codec
	logcreate -P 3 "$topic"
	for codec in none gzip snappy lz4 zstd; do
		printf '{"partition":%d,"timestamp":%d,"key":"k","value":%s}\n' \
		    0 1700000000000 '"a"' 0 1600000000000 null \
		    1 1700000000001 '""' 2 1700000000002 '{"a":1}' |
			logappend -J --keep-partition -z "$codec" "$topic"
		echo '{"timestamp":5,"key":null,"value":"h","headers":[
		    {"key":"a","value":"1"},{"key":"a","value":null}]}' |
			tr -d '\n\t' | logappend -J -p 1 "$topic"
	done
	run_tool 0 logreplicate -v --reproduce "$topic" "$at"
	has "$out" "$topic/1: offsets 0 to "
	same_records "$topic" "$at"
	run_tool 0 logreplicate -v --reproduce "$topic" "$at"
	same "$out" ''
	echo more | logappend -p 2 "$topic"
	logcreate --grow-to 4 "$topic"
	echo new | logappend -p 3 "$topic"
	run_tool 0 logreplicate --reproduce "$topic" "$at"
	same_records "$topic" "$at"
	# Where each was is told with it.
	same "$(logcat -J -p 3 "$at" | jq -r '.headers[] | .key + " " + .value')" \
	    "$(printf 'logkit.offset 0\nlogkit.source %s' "$(
		sed -n 's/^logkit.topic.id=//p' "$topic/topic.properties")")"
}

@test 'what Kafka wrote: transactions, aborted ones, compacted logs' {
	local dir n=0
	for dir in "$ROOT"/tests/golden/{txn,compacted,compacted-txn,codec-zstd}/*-0; do
		run_tool 0 logreplicate --reproduce "$dir" "$at.$n"
		same_records "$dir" "$at.$n"
		[ "$(wc -l <other)" -gt 0 ]
		run_tool 0 logreplicate --reproduce "$dir" "$at.$n"
		same_records "$dir" "$at.$n"
		logadmin topic rm "$at.$n"
		n=$((n + 1))
	done
	[ "$n" -ge 4 ]
}

@test 'somebody else writes there, too' {
	logcreate "$topic" "$at"
	seq 1 100 | logappend "$topic"
	echo before | logappend "$at"
	run_tool 0 logreplicate --reproduce "$topic" "$at"
	seq 1 3000 | sed 's/^/behind /' | logappend "$at"
	seq 101 200 | logappend "$topic"
	run_tool 0 logreplicate --reproduce "$topic" "$at"
	same "$(logcat "$at" | grep -v e)" "$(seq 1 200)"
	# Without its position: from what stands in the log.
	forget_positions
	run_tool 0 logreplicate --reproduce "$topic" "$at"
	echo 201 | logappend "$topic"
	run_tool 0 logreplicate --reproduce "$topic" "$at"
	same "$(logcat "$at" | grep -v e)" "$(seq 1 201)"
}

@test 'what the cluster does not take, in its words' {
	logcreate "$topic"
	logcreate --set max.message.bytes=10000 "$at"
	head -c 20000 /dev/urandom | base64 -w 0 | logappend "$topic"
	run_tool 1 logreplicate --reproduce "$topic" "$at"
	has "$err" "logreplicate: $topic/0: "
	has "$err" 'max.message.bytes'
}

@test 'of one source, which is told by its id and its records' {
	logcreate x y
	seq 1 6 | logappend x
	seq 11 30 | logappend y
	run_tool 0 logreplicate --reproduce x "$at"
	run_tool 4 logreplicate --reproduce y "$at"
	has "$err" 'it has records of another source'
	# A copy may take its place, unless it lacks something.
	logreplicate x z
	logadmin -q topic promote z
	echo 7 | logappend z
	run_tool 0 logreplicate --reproduce z "$at"
	same "$(logcat "$at")" "$(seq 1 7)"
	seq 7 9 | logappend x
	run_tool 4 logreplicate --reproduce x "$at"
	forget_positions
	run_tool 4 logreplicate --reproduce y "$at"
	has "$err" 'it has records of another source'
}

@test 'never in a ring' {
	local back=$at.back
	logcreate "$at"
	seq 1 6 | logappend "$at"
	# To itself, and to what it is a copy of.
	run_tool 4 logreplicate -f --reproduce "$at" "$at"
	has "$err" 'source and destination are the same topic'
	logreplicate "$at" copy
	run_tool 4 logreplicate -f --reproduce copy "$at"
	has "$err" 'the source is a copy of it'
	# To another one, and back.
	run_tool 0 logreplicate --reproduce "$at" "$back"
	run_tool 4 logreplicate -f --reproduce "$back" "$at"
	has "$err" 'offset 0 has come from there: a loop'
	same "$(logcat "$at")" "$(seq 1 6)"
	same "$(logcat "$back")" "$(seq 1 6)"
	logadmin topic rm "$back"
}

@test 'a cluster that takes no copies' {
	logcreate "$topic"
	(umask 077 && echo '0123456789abcdefghij' >secret)
	run_tool 1 logreplicate --replica-secret secret "$topic" "$at"
	has "$err" 'it is to be a logserve with --replica-secret (another'
}

events() {
	local i=0
	while i=$((i + 1)); do
		echo "event $i of many, with some text behind it"
	done
}

child_of() {
	local children
	read -r children <"/proc/$1/task/$1/children"
	echo "${children%% *}"
}

# What it says of one that was killed and is at work still, and no more.
expected() {
	grep -vE 'another run writes|closed|once more|refused$' "$1" \
	    >unexpected || return 0
	cat unexpected
	return 1
}

# Ends of the partitions there, together; 0 while there are none.
ends() {
	logstat -J "$at" 2>/dev/null | jq -s 'map(.end_offset) | add // 0'
}

has_sent() {
	[ "$(ends)" -gt "$1" ]
}

# live NUMBER: how long it may live is what is random here.  Each eighth lives
# until it has sent something, however slow the machine is.
live() {
	local before
	if (($1 % 8 == 7)); then
		before=$(ends)
		wait_for has_sent "$before"
	else
		sleep "0.$((RANDOM % 4))$((RANDOM % 90 + 10))"
	fi
}

@test 'each record once, though it is killed again and again' {
	seed=${SEED:-$((SRANDOM % 32768))}
	RANDOM=$seed
	echo "# SEED=$seed" >&3
	logcreate -P 2 a
	events 3>&- | logappend --fsync 20ms --batch-bytes 2000 a 3>&- &
	writer=$!
	for ((kills = 0; kills < ${REPRODUCE_KILLS:-40}; kills++)); do
		start rep logreplicate -f --reproduce a "$at"
		live "$kills"
		carrier=$(child_of "$rep_pid" 2>/dev/null) || true
		[ -z "$carrier" ] || kill -9 "$carrier" 2>/dev/null || true
		kill -9 "$rep_pid"
		wait "$rep_pid" 2>/dev/null || true
		expected rep.err
	done
	kill "$writer"
	wait "$writer" || true
	sent=$(logcat "$at" | wc -l)
	# What was under way when the last was killed may come in still.
	wait_for logreplicate --reproduce a "$at"
	same_records a "$at"
	echo "# $kills kills, $sent of $(wc -l <one) events before the end" >&3
	[ "$sent" -gt 0 ]
}
