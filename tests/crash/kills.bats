# One to eight writers at a time, killed with -9 at random moments, judged by
# the oracle; also killed while they recover from the kill before.
#	CRASH_KILLS=10000	kills
#	SEED=N			repeats a run

load ../helpers

setup_file() {
	cc -O2 -D_GNU_SOURCE -o "$BATS_FILE_TMPDIR/oracle" \
	    "${BATS_TEST_FILENAME%/*}/../oracle/oracle.c"
}

# judge PLACE JOURNAL...: what is there is what was acknowledged, and a few
# that were not yet.
judge() {
	logcat -F '%p %o %s\n' "$1" >there 2>judge.err || true
	cat judge.err
	[ ! -s judge.err ]
	"$BATS_FILE_TMPDIR/oracle" judge -d "${@:2}" <there
}

# Without indexes the answers are the same; who opens it to write after that,
# twice, finds nothing to change.
reopened() {
	find "$1" \( -name '*.index' -o -name '*.timeindex' \
	    -o -name '*.txnindex' \) -delete
	logcat -F '%p %o %s\n' "$1" | cmp - there
	logappend "$1" </dev/null
	find "$1" -name '*.log' -exec cksum {} + >sums
	logappend "$1" </dev/null
	find "$1" -name '*.log' -exec cksum {} + | cmp - sums
	logcat -F '%p %o %s\n' "$1" | cmp - there
}

@test 'writers' {
	seed=${SEED:-$((SRANDOM % 32768))}
	RANDOM=$seed
	echo "# SEED=$seed" >&3
	kills=0
	phase=0
	sizes=(300 300 6000 70000)
	segments=(16K 64K 1M)
	syncs=(batch batch always none)
	until [ "$kills" -ge "${CRASH_KILLS:-10000}" ]; do
		: $((phase += 1)) $((kills += 500))
		segment=${segments[RANDOM % 3]}
		writers=$((RANDOM % 8 + 1))
		sync=${syncs[RANDOM % 4]}
		size=${sizes[RANDOM % 4]}
		echo "phase $phase: $writers writers, $sync, $segment, $size"
		logcreate --segment-bytes "$segment" t
		"$BATS_FILE_TMPDIR/oracle" write -w "$writers" -k 500 \
		    -m $((RANDOM % 30000 + 1000)) -b "$size" -s "$RANDOM" \
		    -t "$phase" journal logappend --report --fsync "$sync" \
		    --batch-bytes $((RANDOM % 4000 + 100)) t 2>errors
		# A writer that finds a torn tail says so, or that the machine
		# stood still for seconds, and no more.
		run ! grep -vE \
		    "lost\+found|waiting for another process's lock" errors
		judge t journal
		reopened t
		rm -rf t journal
	done
	echo "# $kills kills" >&3
}
