# Compaction killed at random moments, while a writer appends and a follower
# reads: the latest value of every key is right after each, offsets are what
# they were, and no reader meets an error.
#	COMPACT_KILLS=200	kills
#	SEED=N			repeats a run

load ../helpers

# latest FILE: of lines "OFFSET KEY VALUE" the last of each key, by offset.
latest() {
	awk '{ line[$2] = $0 } END { for (k in line) print line[k] }' "$1" |
		sort -n
}

# It has printed all, or is gone.
has_followed() {
	[ "$(tail -n 1 follower.out)" = "$(tail -n 1 all)" ] ||
		process_gone "$follower_pid"
}

@test 'killed at random moments' {
	seed=${SEED:-$((SRANDOM % 32768))}
	RANDOM=$seed
	echo "# SEED=$seed" >&3
	logcreate --compact --segment-bytes 32K t
	awk -v seed="$seed" 'BEGIN {
		srand(seed)
		for (i = 0; i < 30000; i++)
			printf "k%d:%d\n", rand() * 400, i
	}' >input
	# All that was ever appended, with its offset.
	head -n 5000 input | logappend -K : --batch-bytes 2000 t
	logcat -F '%o %k %s\n' t >all
	start follower logtail -f -o start -F '%o %k %s\n' t
	line=5000
	kills=0
	finished=0
	while [ "$kills" -lt "${COMPACT_KILLS:-200}" ]; do
		options=
		((RANDOM % 2)) || options='--include-active'
		((RANDOM % 3)) || options="$options --memory 64K"
		sed -n "$((line + 1)),$((line + 60))p" input >part
		logappend -K : --batch-bytes 500 --report t part >report &
		writer=$!
		# shellcheck disable=SC2086 # several options, or none
		logcompact $options t 2>err &
		pid=$!
		line=$((line + 60))
		[ "$line" -lt 29900 ] || line=5000
		us=$((RANDOM % 8000))
		read -r -t "0.$(printf %06d $us)" <><(:) || true
		if kill -9 "$pid" 2>/dev/null; then
			kills=$((kills + 1))
		else
			finished=$((finished + 1))
		fi
		wait "$pid" 2>/dev/null || true
		wait "$writer"
		paste -d ' ' <(cut -f 3 report) <(tr : ' ' <part) >>all
		[ "$(wc -l <report)" -eq 60 ]
		run_tool 0 logcat -F '%o %k %s\n' t
		[ -z "$err" ]
		# What is there was there before, in order; the latest are there.
		sort -n -c "$tool_out"
		[ "$(awk 'NR == FNR { was[$0]; next } !($0 in was)' all \
		    "$tool_out" | wc -l)" -eq 0 ]
		latest "$tool_out" >got
		latest all | cmp - got
	done
	echo "# $kills kills, $finished runs were faster" >&3
	run_tool 0 logcompact --include-active t
	[ -z "$(find t -name '*.cleaned')" ]
	logcat -F '%o %k %s\n' t >got
	latest all | cmp - got
	# The follower has had every record once, whatever went on.
	TOOL_TIMEOUT=300 wait_for has_followed
	kill "$follower_pid"
	[ ! -s follower.err ]
	sort -n -u -c <(cut -d ' ' -f 1 follower.out)
	latest follower.out | cmp - <(latest all)
}
