# An access log that 20 processes write through the broker, read by a group of
# kafka-python, kafkajs and logtail whose members are killed and replaced while
# it is written; and, where the broker is ours, followed in its directory.

load ../helpers
load broker
TOOL_TIMEOUT=${CLIENT_TIMEOUT:-90}

WRITERS=20
# Of each writer in each of four parts.
PART_LINES=${ACCESS_LOG_LINES:-500}
PARTITIONS=6

setup_file() {
	[ -z "${BROKER_ADDRESS:-}" ] || return 0
	broker_start "$BATS_FILE_TMPDIR/broker" && own_broker=yes
}

teardown_file() {
	[ "${own_broker:-no}" = no ] || broker_stop
}

setup() {
	helpers_setup
	export BROKER_ADDRESS
	topic=access-log-$$
	at=kafka://$BROKER_ADDRESS/$topic
	group=$topic-group
	# The newest of the list.
	driver_of python kafka-python
	driver_of node kafkajs
	driver_of admin librdkafka
}

# driver_of VARIABLE CLIENT: set it to the driver of the last version in the list.
driver_of() {
	local name
	name=$(awk -v c="$2" 'index($1, c) == 1 { n = $1 } END { print n }' \
		"$ROOT/tests/clients/list")
	printf -v "$1" %s "$ROOT/build/clients/$name/driver"
	[ -x "${!1}" ] || skip "$name is not installed"
}

# access_log NUMBER: the lines of one writer, each part when the test unlocks it.
access_log() {
	local part fd
	for fd in "${locks[@]}"; do
		exec {fd}>&-
	done
	for part in 1 2 3 4; do
		flock -s "part$part" true
		awk -v w="$1" -v n="$PART_LINES" -v part="$part" 'BEGIN {
		    for (i = (part - 1) * n; i < part * n; i++)
			printf "10.0.%d.%d - - [01/Mar/2026:10:00:00 +0000] " \
			    "\"GET /w/%d/%d HTTP/1.1\" 200 %d\n",
			    w, i % 250, w, i, i * 7919 % 10000 }'
	done
}

writer() {
	exec logappend "$at" < <(access_log "$1")
}

# line_each: one more line in each partition, by one more writer.
line_each() {
	local p
	for ((p = 0; p < PARTITIONS; p++)); do
		echo "10.0.0.1 - - [01/Mar/2026:10:00:00 +0000]" \
		    "\"GET /w/$WRITERS/$p HTTP/1.1\" 200 0" |
			logappend -p "$p" "$at"
	done
}

# lock PART..., unlock PART...: so many descriptors keep the writers from it.
lock() {
	local part
	for part; do
		exec {fd}>"part$part"
		flock "$fd"
		locks[part]=$fd
	done
}

# Others may have the descriptor, too.
unlock() {
	flock -u "${locks[$1]}"
}

# Members print the partition, the offset and the value of what they read.
python_member() {
	start "$1" "$python" member "$group" "$topic"
}

node_member() {
	start "$1" "$node" member "$group" "$topic"
}

shell_member() {
	start "$1" logtail -f -g "$group" -F '%p\t%o\t%v\n' \
	    -X session.timeout.ms=6000 -X heartbeat.interval.ms=500 "$at"
}

# members N: has the group so many, and is it done with giving them partitions?
members() {
	[ "$("$admin" group "$group")" = "Stable $1" ]
}

# Whole lines of records in these files; a member that was killed may have
# written part of one.
read_by() {
	local name
	for name; do
		perl -ne 'print if /^\d+\t\d+\t.*\n/' "$name.out"
	done
}

# more_than COUNT NAME...: has each member read more than that?
more_than() {
	local name count=$1
	shift
	for name; do
		[ "$(read_by "$name" | wc -l)" -gt "$count" ] || return 1
	done
}

has_values() {
	[ "$(read_by "${all[@]}" | cut -f 3 | sort -u | wc -l)" -eq "$1" ]
}

# committed COUNT: is that where the group stands, in all?
committed() {
	[ "$("$admin" committed "$group" "$topic" |
		awk '{ n += $2 } END { print n }')" = "$1" ]
}

# The order of each partition, in one stream.
by_partition() {
	sort -s -n -k 1,1 "$1"
}

# Each writer's lines of a partition are in the order in which it wrote them.
writers_in_order() {
	awk -F '\t' '{
	    split($3, word, "[ /]")
	    # ... "GET /w/W/I HTTP": W and I follow the w.
	    for (i = 1; word[i] != "w"; i++)
		;
	    at = $1 " " word[i + 1]
	    if (at in last && word[i + 2] <= last[at]) {
		print "out of order: " $0
		exit 1
	    }
	    last[at] = word[i + 2] + 0 }' "$1"
}

@test 'an access log of 20 processes, a group whose members are killed and join' {
	local i pid reads count=$((WRITERS * PART_LINES * 4 + PARTITIONS))
	logcreate -P "$PARTITIONS" "$at"
	if [ "$BROKER" = logserve ]; then
		start one logtail -f -o 0: -F '%p\t%o\t%v\n' \
		    "$BROKER_DATA/$topic"
		start two logtail -f -o 0: -F '%p\t%o\t%v\n' \
		    "$BROKER_DATA/$topic"
	fi
	lock 1 2 3 4
	python_member py1
	node_member js1
	shell_member sh1
	wait_for members 3
	for ((i = 0; i < WRITERS; i++)); do
		start "w$i" writer "$i"
	done

	unlock 1
	wait_for more_than 0 py1 js1 sh1
	kill -9 "$py1_pid"
	# What is written while two join.
	unlock 2
	shell_member sh2
	node_member js2
	wait_for members 4
	unlock 3
	# Chance may have left their partitions out.
	line_each
	wait_for more_than 0 sh2 js2
	kill -9 "$sh1_pid" "$js1_pid"
	unlock 4
	python_member py2
	for ((i = 0; i < WRITERS; i++)); do
		pid=w${i}_pid
		wait_exit 0 "${!pid}"
	done
	all=(py1 js1 sh1 sh2 js2 py2)
	wait_for has_values "$count"
	wait_for members 3
	# What a member prints it commits after that, unless it is told to end.
	wait_for committed "$count"
	for i in py2 js2 sh2; do
		pid=${i}_pid
		kill "${!pid}"
		wait_for process_gone "${!pid}"
	done

	# Nothing is lost, nothing is there that was not written.
	logcat -F '%p\t%o\t%v\n' "$at" >log
	same "$(lines log)" "$count"
	same "$(cut -f 3 log | sort -u | wc -l)" "$count"
	writers_in_order log
	# Each was read at least once, as it is in the log.
	read_by "${all[@]}" >reads
	sort -u reads | diff -q - <(sort log)
	reads=$(lines reads)
	[ "$reads" -ge "$count" ]
	echo "# $count records, $reads reads" >&3
	# The group stands at the end.
	committed "$count"
	# Who follows the directory sees the same, in the same order.
	if [ "$BROKER" = logserve ]; then
		for i in one two; do
			wait_for has_lines "$i.out" "$count"
			by_partition "$i.out" | diff -q - <(by_partition log)
			writers_in_order "$i.out"
		done
	fi
}
