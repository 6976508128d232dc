# logreplicate killed with -9 at random moments, at either end, while a writer
# appends to the source and a reader follows the copy: in the end both have the
# same files, and the reader has seen what the writer wrote.
#	REPLICATE_KILLS=300	kills
#	SEED=N			repeats a run

load ../helpers

# The process that process $1 has started.
child_of() {
	local children
	read -r children <"/proc/$1/task/$1/children"
	echo "${children%% *}"
}

has_child() {
	[ -n "$(child_of "$1")" ]
}

# Kill one end; the other one ends by itself, or waits to try again.
kill_one() {
	local pid=$1 other
	other=$(child_of "$pid" 2>/dev/null) || true
	if [ -n "$other" ] && [ $((RANDOM % 2)) -eq 0 ]; then
		kill -9 "$other" 2>/dev/null || true
		[ $((RANDOM % 4)) -ne 0 ] || wait_for has_child "$pid"
		other=$(child_of "$pid" 2>/dev/null) || true
	fi
	kill -9 "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	[ -z "$other" ] || wait_for process_gone "$other"
}

# Both are the same, and sound.
same_log() {
	local file
	same "$(cd "$1/0" && echo *.log)" "$(cd "$2/0" && echo *.log)" ||
		return 1
	for file in "$1"/0/*.log; do
		cmp "$file" "$2/0/${file##*/}" || return 1
	done
	run_tool 0 logfsck "$2"
}

# What was killed is told, and nothing else.
expected() {
	grep -vE 'connection was closed|once more' "$1" >unexpected || return 0
	cat unexpected
	return 1
}

events() {
	local i=0
	while i=$((i + 1)); do
		echo "event $i of many, with some text behind it"
	done
}

@test 'either end, under a writer and a reader' {
	TOOL_TIMEOUT=120
	seed=${SEED:-$((SRANDOM % 32768))}
	RANDOM=$seed
	echo "# SEED=$seed" >&3
	logcreate --segment-bytes 256K a
	echo 'event 0 of many' | logappend a
	run_tool 0 logreplicate a b
	start seen logtail -f -o start b
	events 3>&- | logappend --fsync 20ms --batch-bytes 2000 a 3>&- &
	writer=$!
	for ((kills = 0; kills < ${REPLICATE_KILLS:-300}; kills++)); do
		start rep logreplicate -f a b
		# How long it may live is what is random here.
		sleep "0.0$((RANDOM % 90 + 10))"
		kill_one "$rep_pid"
		expected rep.err
	done
	kill "$writer"
	wait "$writer" || true
	run_tool 0 logreplicate a b
	same_log a b
	logcat a >wrote
	wait_for has_lines seen.out "$(lines wrote)"
	cmp seen.out wrote
	[ ! -s seen.err ]
	echo "# $kills kills, $(lines wrote) events" >&3
}
