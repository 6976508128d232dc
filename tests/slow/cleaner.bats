# logcompact keeps what Kafka's own log cleaner keeps: a real broker cleans a
# partition, logcompact cleans a copy of it, and each batch and record is
# compared, as Kafka's DumpLogSegments shows them.

load ../helpers
# The first run may fetch Kafka's jars.
TOOL_TIMEOUT=600

setup() {
	for program in java javac; do
		command -v "$program" >/dev/null ||
			skip "$program is not installed"
	done
	[ -n "${KAFKA_JARS:-}" ] || command -v mvn >/dev/null ||
		skip 'maven is not installed'
	helpers_setup
	make=$ROOT/tests/golden/make
	jars=$("$make/jars")
}

# dump DIR: its batches and records, without what may differ: where in the file
# they are, how long they are compressed, the CRC, and when a tombstone may go.
dump() {
	local files
	files=$(printf '%s,' "$1"/*.log)
	java -Xmx256m -XX:TieredStopAtLevel=1 -cp "$jars/*" \
	    kafka.tools.DumpLogSegments --print-data-log --deep-iteration \
	    --files "${files%,}" 2>dump.err | grep -aE '^(baseOffset:|\| offset:)' |
		sed -E -e 's/ (position|size|crc): [0-9]+//g' \
		    -e 's/OptionalLong\[[0-9]+\]/a time/'
}

# compact FROM: what logcompact makes of a copy of that partition, in t/0.
compact() {
	rm -rf t
	logcreate --compact --segment-bytes 6000 -X delete.retention.ms=1 t
	rm -f t/0/*
	cp "$1"/0* "$1"/leader-epoch-checkpoint t/0
	logcompact t
	run_tool 0 logfsck t
}

@test 'plain, idempotent and transactional, twice' {
	seed=${SEED:-$RANDOM}
	echo "# SEED=$seed" >&3
	mkdir classes
	javac -d classes -cp "$jars/*" "$make"/{Broker,Writer,Shapes}.java \
	    "$ROOT"/tests/slow/cleaner/Cleaner.java
	java -Xmx512m -cp "classes:$jars/*" Cleaner broker out "$seed"
	for topic in plain idempotent txn; do
		for n in 1 2; do
			dump "out/$topic/$n" >before
			dump "out/$topic/$n-kafka" >want
			compact "out/$topic/$n"
			dump t/0 >got
			echo "$topic $n: $(wc -l <before) before, $(wc -l <want)" \
			    "after"
			# It has taken something, and not all.
			[ "$(wc -l <want)" -lt "$(wc -l <before)" ]
			[ "$(grep -c '^| ' want)" -gt 50 ]
			diff want got
		done
	done
}
