#!/bin/sh
# config.sh TOPIC set NAME VALUE | unset NAME | get NAME | list | log NAME
#
# Settings as a log: who set what when is there to be read, and every process
# can follow the changes ("logtail -f TOPIC").  The topic is compacted, so it
# keeps the last value of each name for ever and forgets what it replaced.
set -eu

usage='usage: config.sh TOPIC set NAME VALUE | unset NAME | get NAME | list | log NAME'
topic=${1:?$usage}
verb=${2:?$usage}
newline='
'
logcreate --if-not-exists --compact "$topic"

# So that a line of the list is a name and its value.
one_line() {
	case $1 in
	*"$newline"*)
		echo "config.sh: not in one line: $1" >&2
		exit 2
		;;
	esac
}

check_name() {
	case $1 in
	'' | *=*)
		echo "config.sh: not a name: $1" >&2
		exit 2
		;;
	esac
	one_line "$1"
}

case $verb in
set)
	check_name "${3?$usage}"
	one_line "${4?$usage}"
	printf '%s' "$4" | logappend --whole -k "$3" "$topic"
	;;
unset)
	# An event without a value, a tombstone, takes the name away.
	check_name "${3?$usage}"
	printf '%s\n' "$3" | logappend --delete "$topic"
	;;
get)
	# The last event of that key; 4 if there is none, or it is a tombstone,
	# which alone has the length -1.
	last=$(logtail -n 1 -k "${3:?$usage}" --fail-empty -F '%V %v\n' "$topic")
	[ "${last%% *}" != -1 ] || exit 4
	printf '%s\n' "${last#* }"
	;;
list)
	logcat -F '%V %k=%v\n' "$topic" | awk '
		{ gone = $1 == -1; sub(/^[^ ]* /, ""); name = $0; sub(/=.*/, "", name) }
		gone { delete line[name]; next }
		{ line[name] = $0 }
		END { for (n in line) print line[n] }
	' | sort
	;;
log)
	logcat -k "${3:?$usage}" -F '%T %v\n' "$topic"
	;;
*)
	echo "$usage" >&2
	exit 2
	;;
esac
