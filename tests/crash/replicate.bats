# logreplicate killed with -9 at random moments, at either end, while a writer
# appends to the source and a reader follows the copy: in the end both have the
# same files, and the reader has seen what the writer wrote.
#	REPLICATE_KILLS=300	kills
# The same by way of a logserve, which is killed, too.
#	REPLICA_KILLS=100	kills
#	SEED=N			repeats a run

# shellcheck disable=SC2030,SC2031 # each test has its own numbers
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

# What was killed is told, and nothing else; its end may be at work yet when the
# next one comes.
expected() {
	grep -vE 'connection was closed|closed the connection|once more|refused$|somebody else writes|another process.s lock' "$1" >unexpected || return 0
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
	# Who was killed last may have a child at work yet.
	wait_for run_tool 0 logreplicate a b
	same_log a b
	logcat a >wrote
	wait_for has_lines seen.out "$(lines wrote)"
	cmp seen.out wrote
	[ ! -s seen.err ]
	echo "# $kills kills, $(lines wrote) events" >&3
}

# A logserve of root at the port that it had before, if it had one.
serve() {
	rm -f ready
	start server logserve -q --ready-fd 7 -l "${address:-localhost:0}" \
	    --replica-secret secret root 7>ready
	wait_for has_lines ready 1
	address=$(cat ready)
}

# Kill the server, what carries to it, or logreplicate itself.
kill_any() {
	local carrier
	carrier=$(child_of "$rep_pid" 2>/dev/null) || true
	case $((RANDOM % 4)) in
	0 | 1)
		kill -9 "$server_pid"
		wait "$server_pid" 2>/dev/null || true
		serve
		;;
	2)
		[ -z "$carrier" ] || kill -9 "$carrier" 2>/dev/null || true
		;;
	3)
		kill -9 "$rep_pid" 2>/dev/null || true
		wait "$rep_pid" 2>/dev/null || true
		[ -z "$carrier" ] || wait_for process_gone "$carrier"
		;;
	esac
}

@test 'logserve as the other end, or who carries to it' {
	TOOL_TIMEOUT=120
	seed=${SEED:-$((SRANDOM % 32768))}
	RANDOM=$seed
	echo "# SEED=$seed" >&3
	(umask 077 && echo '0123456789abcdefghij' >secret)
	mkdir root
	address=
	serve
	logcreate --segment-bytes 256K a
	echo 'event 0 of many' | logappend a
	run_tool 0 logreplicate --replica-secret secret a "kafka://$address/b"
	start seen logtail -f -o start root/b
	events 3>&- | logappend --fsync 20ms --batch-bytes 2000 a 3>&- &
	writer=$!
	for ((kills = 0; kills < ${REPLICA_KILLS:-100}; kills++)); do
		start rep logreplicate -f --replica-secret secret \
		    a "kafka://$address/b"
		# How long it may live is what is random here.
		sleep "0.0$((RANDOM % 90 + 10))"
		kill_any
		kill -9 "$rep_pid" 2>/dev/null || true
		wait "$rep_pid" 2>/dev/null || true
		expected rep.err
	done
	kill "$writer"
	wait "$writer" || true
	# Who was killed last may have a child at work yet, or the server is.
	wait_for run_tool 0 logreplicate --replica-secret secret a \
	    "kafka://$address/b"
	same_log a root/b
	logcat a >wrote
	wait_for has_lines seen.out "$(lines wrote)"
	cmp seen.out wrote
	[ ! -s seen.err ]
	echo "# $kills kills, $(lines wrote) events" >&3
}

has_records() {
	[ -n "$(logcat -c 1 "$1")" ]
}

# What a broker has of b, a line per record with its partition.
values_of() {
	logcat -F '%p %s\n' "$1" | sort -s -n -k 1,1
}

@test '--reproduce: each record once, in order' {
	TOOL_TIMEOUT=120
	seed=${SEED:-$((SRANDOM % 32768))}
	RANDOM=$seed
	echo "# SEED=$seed" >&3
	(umask 077 && echo '0123456789abcdefghij' >secret)
	mkdir root
	address=
	serve
	logcreate -P 2 --segment-bytes 256K a
	events 3>&- | logappend --fsync 20ms --batch-bytes 2000 a 3>&- &
	writer=$!
	for ((kills = 0; kills < ${REPRODUCE_KILLS:-60}; kills++)); do
		start rep logreplicate -f --reproduce a "kafka://$address/b"
		# The first one sends something, however slow the machine is.
		((kills > 0)) || wait_for has_records root/b
		# How long it may live is what is random here.
		sleep "0.$((RANDOM % 3))$((RANDOM % 90 + 10))"
		kill_any
		carrier=$(child_of "$rep_pid" 2>/dev/null) || true
		kill -9 "$rep_pid" 2>/dev/null || true
		wait "$rep_pid" 2>/dev/null || true
		expected_again rep.err
	done
	sent=$(logcat root/b | wc -l)
	[ -z "$carrier" ] || wait_for process_gone "$carrier"
	kill "$writer"
	wait "$writer" || true
	# What was under way when the last was killed may come in still.
	wait_for run_tool 0 logreplicate --reproduce a "kafka://$address/b"
	values_of a >wrote
	values_of root/b >got
	cmp wrote got
	echo "# $kills kills, $sent of $(lines wrote) events before the end" >&3
	[ "$sent" -gt 0 ]
}

# One that was killed may be at work when the next one looks already.
expected_again() {
	grep -v 'another run writes to partition' "$1" >others || true
	expected others
}
