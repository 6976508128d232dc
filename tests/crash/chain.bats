# Three hosts, which are network namespaces with links between: edge to centre
# to a third one for disasters, each kept current by logreplicate -f over ssh,
# while a writer appends at the edge and links go down, without a word to either
# end, and up again.  How far the copies were behind is printed; in the end all
# three are the same.
#	CHAIN_CUTS=50	how often a link goes down
#	SEED=N		repeats the choices of a run

load ../helpers

setup() {
	helpers_setup
	[ "$(id -u)" -eq 0 ] || skip 'only root can make network namespaces'
	need ip /usr/sbin/sshd ssh
	edge=lk$$e centre=lk$$c last=lk$$l
	ip netns add "$edge" 2>/dev/null || skip 'no network namespaces here'
	ip netns add "$centre"
	ip netns add "$last"
	connect "$edge" "$centre" 1
	connect "$centre" "$last" 2
	# shellcheck source=tests/sshd.sh
	. "$ROOT/tests/sshd.sh"
	mkdir hosts hosts/{edge,centre,last} keys keys/{centre,last}
	sshd_netns=$centre sshd_address=10.99.1.2
	sshd_start "$PWD/keys/centre"
	sshd_pids=$sshd_pid
	sshd_netns=$last sshd_address=10.99.2.2
	sshd_start "$PWD/keys/last"
	sshd_pids="$sshd_pids $sshd_pid"
	# shellcheck disable=SC2034 # of the helpers
	TOOL_TIMEOUT=120
	seed=${SEED:-$((SRANDOM % 32768))}
	RANDOM=$seed
	echo "# SEED=$seed" >&3
}

teardown() {
	helpers_teardown
	local ns
	for ns in $sshd_pids; do
		kill "$ns" || true
	done
	for ns in "$edge" "$centre" "$last"; do
		ip netns del "$ns" 2>/dev/null || true
	done
}

# connect A B N: 10.99.N.1 in one and 10.99.N.2 in the other.
connect() {
	ip -n "$1" link add "to$3" type veth peer name "from$3" netns "$2"
	ip -n "$1" addr add "10.99.$3.1/24" dev "to$3"
	ip -n "$2" addr add "10.99.$3.2/24" dev "from$3"
	ip -n "$1" link set "to$3" up
	ip -n "$2" link set "from$3" up
}

# Link N goes down, or up; what is on it is lost.
link() {
	case $1 in
	1) ip -n "$centre" link set from1 "$2" ;;
	2) ip -n "$last" link set from2 "$2" ;;
	esac
}

events() {
	local i=0 end
	while sleep 0.01; do
		for ((end = i + 20; i < end; i++)); do
			echo "event $i of many, with some text behind it"
		done
	done
}

end_of() {
	logstat -q "hosts/$1/orders" 2>/dev/null |
		awk '{ n = $4 } END { print n + 0 }'
}

# How far the copies are behind, in records, and when (s).
watch_lag() {
	local e c
	until [ -e stop ]; do
		e=$(end_of edge)
		c=$(end_of centre)
		echo "$(date +%s.%N) $((e - c)) $((e - $(end_of last)))" >>lag
	done
}

is_current() {
	[ "$(end_of edge)" -eq "$(end_of centre)" ] &&
		[ "$(end_of edge)" -eq "$(end_of last)" ]
}

same_log() {
	local file
	for file in "$1"/0/*.log; do
		cmp "$file" "$2/0/${file##*/}" || return 1
	done
	same "$(cd "$1/0" && echo *.log)" "$(cd "$2/0" && echo *.log)"
	run_tool 0 logfsck "$2"
}

# percentile P COLUMN
percentile() {
	cut -d' ' -f"$2" lag | sort -n |
		awk -v p="$1" '{ v[NR] = $1 } END { print v[int((NR - 1) * p / 100) + 1] }'
}

@test 'edge to centre to the last one, links going down and up' {
	local cut n began
	logcreate --segment-bytes 1M hosts/edge/orders
	start one ip netns exec "$edge" logreplicate -f --io-timeout 2s \
	    --rsh "ssh -F $PWD/keys/centre/ssh_config -o ConnectTimeout=2" \
	    hosts/edge/orders "there:$PWD/hosts/centre/orders"
	wait_for test -e hosts/centre/orders/0
	start two ip netns exec "$centre" logreplicate -f --io-timeout 2s \
	    --rsh "ssh -F $PWD/keys/last/ssh_config -o ConnectTimeout=2" \
	    hosts/centre/orders "there:$PWD/hosts/last/orders"
	events 3>&- | logappend --fsync 20ms hosts/edge/orders 3>&- &
	writer=$!
	wait_for test -e hosts/last/orders/0
	watch_lag 3>&- &
	for ((cut = 0; cut < ${CHAIN_CUTS:-3}; cut++)); do
		n=$((RANDOM % 2 + 1))
		link "$n" down
		# How long it is down is what is random here.
		sleep "$((RANDOM % 3)).$((RANDOM % 10))"
		link "$n" up
		wait_for is_near
	done
	began=$(date +%s.%N)
	kill "$writer"
	wait "$writer" || true
	wait_for is_current
	: >stop
	echo "# $cut cuts, $(end_of edge) events; behind, in records: centre" \
	    "$(percentile 50 2) (99 %: $(percentile 99 2)), last" \
	    "$(percentile 50 3) (99 %: $(percentile 99 3));" \
	    "all there $(echo "$began $(date +%s.%N)" |
		awk '{ printf "%.2f", $2 - $1 }') s after the last event" >&3
	kill "$one_pid" "$two_pid"
	wait_for process_gone "$one_pid"
	wait_for process_gone "$two_pid"
	same_log hosts/edge/orders hosts/centre/orders
	same_log hosts/centre/orders hosts/last/orders
	run ! grep -E 'diverged|damage|not a replica|out of order' one.err two.err
}

# What was behind while a link was down has come.
is_near() {
	local e
	e=$(end_of edge)
	[ "$e" -gt 0 ] && wait_until "$e" centre && wait_until "$e" last
}

wait_until() {
	[ "$(end_of "$2")" -ge "$1" ]
}
