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
logcreate --if-not-exists --compact "$topic"

case $verb in
set)
	printf '%s' "${4?$usage}" | logappend --whole -k "${3:?$usage}" "$topic"
	;;
unset)
	# An event without a value, a tombstone, takes the name away.
	printf 'NULL' | logappend --whole -Z -k "${3:?$usage}" "$topic"
	;;
get)
	# The last event of that key; 4 if there never was one.
	logtail -n 1 -k "${3:?$usage}" --fail-empty "$topic"
	;;
list)
	logcat -Z -K = "$topic" | awk -F = '
		{ name = $1; sub(/^[^=]*=/, ""); value[name] = $0 }
		END { for (n in value) if (value[n] != "NULL") print n "=" value[n] }
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
