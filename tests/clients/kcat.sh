#!/bin/bash
# The driver of kcat; its commands are in README.md.  kcat has no admin calls.
# A record with headers, or one with a null, is sent by a run of its own.
set -o pipefail
kcat=(kcat -b "$BROKER_ADDRESS")
command=$1
shift
options=()

cannot() {
	echo "$1" >&2
	exit 77
}

# What kcat said of a failed delivery, as Kafka's number of it.
failed() {
	case $1 in
	*'Message size too large'*) echo 'error 10' ;;
	*) echo "error unknown" ;;
	esac
	echo "$1" >&2
	exit 1
}

# option NAME OTHERWISE
option() {
	local word
	for word in "${options[@]}"; do
		[ "${word%%=*}" != "$1" ] || {
			echo "${word#*=}"
			return
		}
	done
	echo "$2"
}

# send PARTITION [OPTION]...: produce stdin; says "PARTITION OFFSET" each.
send() {
	local partition=$1 said
	shift
	said=$("${kcat[@]}" -P -vvv -t "$topic" -p "$partition" \
	    "${settings[@]}" "$@" 2>&1 >/dev/null) || failed "$said"
	case $said in *'elivery failed'*) failed "$said" ;; esac
	sed -n 's/.*delivered to partition \([0-9]*\) (offset \([0-9]*\)).*/\1 \2/p' \
	    <<<"$said"
}

# One line, in a run of its own.
send_line() {
	local partition time key value headers pair args=()
	# read would take two tabs for one.
	IFS=$'\x1f' read -r partition time key value headers \
	    <<<"${1//$'\t'/$'\x1f'}"
	[ "$time" = - ] || cannot 'no timestamps of its own'
	while [ -n "$headers" ]; do
		pair=${headers%%,*}
		headers=${headers#"$pair"}
		headers=${headers#,}
		args+=(-H "${pair%=\~}")
	done
	# With -Z what is empty is sent as null.
	case $key,$value in
	'~,'* | *',~') args+=(-Z) ;;
	esac
	printf '%s\t%s\n' "${key#\~}" "${value#\~}" |
		send "$partition" -K '\t' "${args[@]}"
}

produce() {
	local line file
	topic=$1
	settings=(-z "$(option codec none)"
		-X "enable.idempotence=$([ "$(option idempotent no)" = yes ] &&
		echo true || echo false)"
		-X "message.max.bytes=$(option max 1000000)")
	if [ "$(option each no)" = no ]; then
		file=$(mktemp)
		cat >"$file"
		exec <"$file"
		rm "$file"
		! cut -f 3,4 /dev/stdin | grep -qE $'^\t|\t$' ||
			cannot 'does not tell empty from null'
		# Lines of one kind go in one run.
		if awk -F '\t' '$1 != 0 || $2 != "-" || $3 == "~" ||
		    $4 == "~" || $5 != "" { exit 1 }' /dev/stdin; then
			cut -f 3,4 /dev/stdin |
				send 0 -K '\t' -X linger.ms=100
			exit
		fi
		exec </dev/stdin
	fi
	while IFS= read -r line; do
		send_line "$line" || exit
	done
}

# Null is printed as NULL, here ~.
consume() {
	"${kcat[@]}" -q -C -t "$1" -p "$2" -o "$3" -c "$4" -u -Z \
	    -X "fetch.wait.max.ms=$(option wait 500)" \
	    -f '%o\t%T\t%k\t%s\t%h\n' |
		sed -u -E -e 's/\tNULL\t/\t~\t/g' -e 's/\tNULL\t/\t~\t/g' \
		    -e 's/=NULL(,|$)/=~\1/g' -e 's/=NULL(,|$)/=~\1/g'
}

offset() {
	local time=$3
	case $time in
	earliest) time=-2 ;;
	latest) time=-1 ;;
	esac
	"${kcat[@]}" -Q -t "$1:$2:$time" | sed -n 's/.*offset //p'
}

# It is this process that is killed.
member() {
	local instance
	instance=$(option instance '')
	exec "${kcat[@]}" -X auto.offset.reset=earliest -u \
	    -X "session.timeout.ms=$(option session 6000)" \
	    -X heartbeat.interval.ms=500 -X auto.commit.interval.ms=500 \
	    ${instance:+-X "group.instance.id=$instance"} \
	    -f '%p\t%o\t%s\n' -G "$1" "$2" \
	    2> >(assigned >&1)
}

# % Group g rebalanced (memberid m): assigned: t [0], t [1]
assigned() {
	sed -u -n -e 's/.*: assigned: /assigned /' -e '/^assigned /{
	    s/, / /g
	    s/ [^ ]* \[\([0-9]*\)\]/ \1/g
	    p
	}'
}

topics() {
	"${kcat[@]}" -L | sed -n 's/^  topic "\(.*\)" with .*/\1/p'
}

count() {
	"${kcat[@]}" -L -t "$1" |
		sed -n 's/^  topic ".*" with \([0-9]*\) partitions:$/\1/p'
}

cluster() {
	"${kcat[@]}" -L | awk '$1 == "broker" && $3 == "at" {
	    print "node", $2, $4
	    if ($5 == "(controller)")
		print "controller", $2
	}'
}

for word; do
	case $word in *=*) options+=("$word") ;; esac
done
case $command in
produce | consume | offset | member | topics | count | cluster)
	"$command" "$@"
	;;
*) cannot 'no admin calls' ;;
esac
