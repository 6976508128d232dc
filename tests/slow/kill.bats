# Writers killed with -9 at any moment: what was acknowledged is there, once,
# where it was said to be, and nobody has to help the next writer.

load ../helpers

# Events PREFIX-1, PREFIX-2, ... a write each, so that input pauses often and
# much is acknowledged.
events() {
	local i=0
	while echo "$1-$((++i))"; do :; done
}

# round N: three writers, killed after a moment that $RANDOM says.  In a shell
# of its own, which keeps to itself who was killed.
round() (
	exec 2>/dev/null
	pids=
	for w in a b c; do
		events "$w$1" >"pipe.$w" &
		gens+=" $!"
		logappend --batch-bytes 400 --report t <"pipe.$w" \
		    >"ack.$w.$1" 2>>errors &
		pids+=" $!"
	done
	sleep "0.0$2"
	# shellcheck disable=SC2086 # lists
	kill -9 $pids
	# shellcheck disable=SC2086
	kill $gens
	wait
)

@test 'acknowledged events survive rounds of kills' {
	seed=${SEED:-$((SRANDOM % 32768))}
	RANDOM=$seed
	echo "# SEED=$seed" >&3
	logcreate --segment-bytes 32K t
	mkfifo pipe.a pipe.b pipe.c
	for ((n = 0; n < ${KILL_ROUNDS:-200}; n++)); do
		round "$n" $((RANDOM % 90 + 10)) || :
	done
	kills=$((3 * n))
	echo last | logappend t 2>>errors
	logcat -F '%o %v\n' t >all
	[ "$(tail -n 1 all | cut -d' ' -f2)" = last ]
	# Offsets without gap or repeat, no event twice.
	cut -d' ' -f1 all | cmp - <(seq 0 $(($(wc -l <all) - 1)))
	[ "$(cut -d' ' -f2 all | sort -u | wc -l)" -eq "$(wc -l <all)" ]
	# Line n of a report is event n of its writer, at that offset.  The
	# last line may be cut short by the kill.
	for f in ack.*; do
		IFS=. read -r _ w n <<<"$f"
		awk -v p="$w$n-" 'NF == 3 { line[NR] = $3 " " p NR }
		    END { for (i = 1; i < NR; i++) print line[i] }' "$f"
	done | sort >acked
	[ "$(wc -l <acked)" -gt 1000 ]
	[ -z "$(comm -23 acked <(sort all))" ]
	# A writer that finds a torn tail says so, or that the machine stood
	# still for seconds; nothing else is said.
	run ! grep -vE "lost\+found|waiting for another process's lock" errors
	echo "# $kills kills, $(wc -l <acked) events acknowledged" >&3
}
