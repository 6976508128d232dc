# Kafka's own DumpLogSegments reads what logkit wrote: every batch and record,
# every index entry, every snapshot.

load ../helpers
# The first run may fetch Kafka's jars.
TOOL_TIMEOUT=600

setup() {
	command -v java >/dev/null || skip 'java is not installed'
	[ -n "${KAFKA_JARS:-}" ] || command -v mvn >/dev/null ||
		skip 'maven is not installed'
	helpers_setup
}

# Read every partition of a topic, segments and what stands beside them.
dump() {
	"$ROOT/tests/slow/dump_log.sh" "$1"/[0-9]* >dump.tap || {
		cat dump.tap
		return 1
	}
	grep -q '^ok' dump.tap
}

# Records with keys, nulls, empties, headers and bytes that are no text.
envelopes() {
	local i
	for ((i = 0; i < 2000; i++)); do
		printf '{"key":"k%d","value":"event %d of many","headers":' \
		    $((i % 7)) "$i"
		printf '[{"key":"h","value":"a"},{"key":"h","value":null}]}\n'
		printf '{"key":null,"value":""}\n{"key":"","value":null}\n'
		printf '{"key_base64":"AP8=","value_base64":"gIGC/w=="}\n'
	done
}

@test 'each codec, in several segments' {
	envelopes >in
	for codec in none gzip snappy lz4 zstd; do
		logcreate --segment-bytes 32K -X index.interval.bytes=512 \
		    "$codec"
		logappend -J -z "$codec" --batch-bytes 2K "$codec" in
		dump "$codec"
	done
	set -- none/0/*.log
	[ $# -gt 3 ]
}

@test 'several partitions, by key' {
	envelopes >in
	logcreate -P 3 topic
	logappend -J topic in
	dump topic
}

@test 'after a torn tail was cut, with a new epoch' {
	seq 10000 | logappend --create --batch-bytes 1K t
	printf 'torn' >>t/0/00000000000000000000.log
	seq 10000 | logappend -q --batch-bytes 1K t
	dump t
	cp -a t u
	seq 100 | logappend u
	[ "$(wc -l <u/0/leader-epoch-checkpoint)" -eq 4 ]
	dump u
}

@test 'log append time' {
	logcreate -X message.timestamp.type=LogAppendTime t
	seq 5000 | logappend --timestamp 2001-01-01 --batch-bytes 1K t
	dump t
}

@test 'what a broker wrote passes, a flipped bit does not' {
	cp -rL "$ROOT/tests/golden/segments/segments-0" t
	run_tool 0 "$ROOT/tests/slow/dump_log.sh" t
	printf '\377' | dd of=t/00000000000000000000.log bs=1 seek=200 \
	    conv=notrunc status=none
	run_tool 1 "$ROOT/tests/slow/dump_log.sh" t
}
