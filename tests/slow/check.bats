# What logfsck finds and repairs; and killed while it repairs.
#	CHECK_ROUNDS=500	damages of each kind
#	CHECK_KILLS=40		repairs that are killed three times
#	SEED=N			repeats a run

load ../helpers

# check_test [VARIABLE=VALUE]...
check_test() {
	run env TMPDIR="$BATS_TEST_TMPDIR" "$@" \
		"$ROOT/build/tests/unit/check_test"
	printf '# %s\n' "${lines[@]}"
	[ "$status" -eq 0 ]
}

@test 'thousands of damages, found and repaired' {
	check_test CHECK_ROUNDS="${CHECK_ROUNDS:-500}"
}

# spoil FILE POS LEN: random bytes in it.
spoil() {
	head -c "$3" /dev/urandom |
		dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# killed TOPIC US: repair it, for so many microseconds.  In a shell of its own,
# which keeps to itself who was killed.
killed() (
	exec 2>/dev/null
	logfsck -y "$1" >/dev/null &
	sleep "$(printf '%d.%06d' $(($2 / 1000000)) $(($2 % 1000000)))"
	kill -9 $! || true
	wait $! || true
)

@test 'killed at any moment while it repairs, it ends its work the next time' {
	seed=${SEED:-$RANDOM}
	echo "# SEED=$seed" >&3
	RANDOM=$seed
	seq 40000 >input
	logcreate --segment-bytes 16K t
	logappend -q --batch-bytes 1000 t input
	for round in $(seq "${CHECK_KILLS:-40}"); do
		rm -rf u
		cp -a t u
		logs=(u/0/*.log)
		for _ in 1 2 3; do
			spoil "${logs[RANDOM % ${#logs[@]}]}" \
			    $((RANDOM % 12000)) 20
		done
		rm -f "u/0/$(basename "${logs[RANDOM % ${#logs[@]}]}" .log).sum"
		cp -a u v
		begin=${EPOCHREALTIME/./}
		run_tool 1 logfsck -y v
		took=$((${EPOCHREALTIME/./} - begin))
		logcat v >want
		# The same, killed up to three times on the way.
		killed u $((RANDOM * took / 32768))
		killed u $((RANDOM * took / 32768))
		killed u $((RANDOM * took / 32768))
		status=0
		logfsck -y u >/dev/null || status=$?
		[ "$status" -le 1 ]
		run_tool 0 logfsck u
		logcat u | cmp - want
		logappend u <<<"more $round"
		[ "$(logtail -n 1 u)" = "more $round" ]
		rm -rf v
	done
	echo "# $((3 * round)) kills" >&3
}
