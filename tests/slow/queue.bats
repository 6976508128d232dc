# A durable work queue with five workers, one of which is killed every second:
# every job runs at least once, in order per key, no key's jobs overlap, and the
# dead letters are the failing jobs.
#	QUEUE_JOBS=20000	jobs

# shellcheck disable=SC2016 # the jobs expand what is quoted

load ../helpers
TOOL_TIMEOUT=600

worker() {
	exec logtail -q -f -g g --jobs 2 --retries 0 --dead-letter dead --exec '
		read -r v
		echo "S $LOGKIT_KEY $v $$" >>log
		case $v in
		*000) exit 1 ;;
		esac
		echo "E $LOGKIT_KEY $v $$" >>log' q
}

# How many events have been worked off.
finished() {
	{
		awk '$1 == "E" { print $3 }' log
		logcat dead
	} | sort -u | wc -l
}

@test 'workers killed every second' {
	n=${QUEUE_JOBS:-20000}
	logcreate -P 8 q
	logcreate dead
	awk -v n="$n" 'BEGIN {
		for (i = 1; i <= n; i++)
			printf "k%d:%d\n", i % 97, i
	}' | logappend -K : q
	: >log
	for i in 0 1 2 3 4; do
		worker &
		pids[i]=$!
	done
	kills=0
	until [ "$(finished)" -eq "$n" ]; do
		sleep 1
		victim=$((kills % 5))
		kill -9 "${pids[victim]}"
		wait "${pids[victim]}" || true
		kills=$((kills + 1))
		worker &
		pids[victim]=$!
		[ "$kills" -lt 500 ]
	done
	for i in 0 1 2 3 4; do
		kill "${pids[i]}"
		wait "${pids[i]}" || true
	done
	echo "# $kills kills, $(grep -c ^S log) starts of $n jobs" >&3
	[ "$kills" -gt 3 ]
	# Each job was run; those that cannot work are dead letters.
	awk '$1 == "E" { print $3 }' log | sort -nu |
		cmp - <(seq "$n" | grep -v '000$')
	logcat dead | sort -nu | cmp - <(seq "$n" | grep '000$')
	# Per key: in order, but for what is repeated; and nothing is heard of a
	# job after another of its key has begun.
	awk '$1 == "S" { pid[$2] = $4 }
	    $1 == "E" {
		if (pid[$2] != $4) { print "overlap", $0; bad = 1 }
		if (!seen[$3]++) {
			if ($3 < last[$2]) { print "order", $0; bad = 1 }
			last[$2] = $3
		}
	    }
	    END { exit bad }' log
}
