# Compaction of a large log killed at random moments, while others append,
# follow and read it all: after each kill the latest record of every key is
# there, at its offset and in order.
#	COMPACT_EVENTS=1000000	records at first, of a tenth as many keys
#	COMPACT_KILLS=20	kills
#	SEED=N			repeats a run

load ../helpers

# check UPTO [LATER]: what logcat prints of t is right; records up to LATER may
# come while it reads, after it has chosen its end.
check() {
	logcat -F '%o %k %s\n' t 2>>errors | ./keys check "$1" "$keys" \
	    "${@:2}"
}

# The follower has had all.
followed() {
	[ "$(tail -n 1 follower.out)" = $((upto - 1)) ]
}

@test 'killed at random moments of a long run' {
	seed=${SEED:-$((SRANDOM % 32768))}
	RANDOM=$seed
	echo "# SEED=$seed" >&3
	local events=${COMPACT_EVENTS:-1000000} kills=0 finished=0 t0 us options
	keys=$((events / 10))
	cc -O2 -Wall -o keys "${BATS_TEST_FILENAME%/*}/keys.c"
	logcreate --compact --segment-bytes 8M first
	./keys gen 0 "$events" "$keys" | logappend --fsync none -K : first
	cp -r first t
	# How long a whole run takes: kills are within that.
	t0=${EPOCHREALTIME/./}
	logcompact --include-active t
	length=$((${EPOCHREALTIME/./} - t0))
	check "$events" >after
	[ "$(cat after)" -le "$keys" ]
	[ "$(cat after)" -gt $((keys * 9 / 10)) ]
	while [ "$kills" -lt "${COMPACT_KILLS:-20}" ]; do
		if [ "$finished" -ge 0 ]; then
			# It is compacted now: begin with another copy.
			[ -z "${follower_pid:-}" ] || {
				kill "$follower_pid"
				wait_for process_gone "$follower_pid"
			}
			rm -r t
			cp -r first t
			upto=$events
			finished=-1
			start follower logtail -f -o "$events" -F '%o\n' t
		fi
		options=
		((RANDOM % 4)) || options='--include-active'
		((RANDOM % 3)) || options="$options --memory $((events / 100))K"
		# shellcheck disable=SC2086 # several options, or none
		logcompact $options t 2>compact.err &
		pid=$!
		check "$upto" $((upto + 1000)) >during &
		reader=$!
		./keys gen "$upto" $((upto + 1000)) "$keys" |
			logappend -K : --batch-bytes 2000 t
		upto=$((upto + 1000))
		us=$((RANDOM * 32768 + RANDOM))
		us=$((us % (length * 2)))
		read -r -t "$((us / 1000000)).$(printf %06d $((us % 1000000)))" \
		    <><(:) || true
		if kill -9 "$pid" 2>/dev/null; then
			kills=$((kills + 1))
		else
			finished=1
		fi
		wait "$pid" 2>/dev/null || true
		wait "$reader"
		check "$upto" >after
		[ ! -s errors ]
		[ ! -s follower.err ]
		wait_for followed
	done
	kill "$follower_pid"
	run_tool 0 logcompact --include-active t
	[ -z "$(find t -name '*.cleaned')" ]
	check "$upto" >after
	[ "$(cat after)" -le "$keys" ]
	run_tool 0 logfsck t
}
