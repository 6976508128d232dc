#!/bin/sh
# check_topics.sh ROOT [MAX_AGE [MAX_LAG]]: a check for Nagios, Icinga and those
# who understand their plug-ins.
#
#	object CheckCommand "topics" {
#		command = [ "check_topics.sh", "$root$", "5m", "10000" ]
#	}
#
# Prints one line and ends with 0 (OK), 1 (WARNING), 2 (CRITICAL) or 3 (UNKNOWN).
# Critical are: a topic whose newest event is older than MAX_AGE, a group that is
# more than MAX_LAG events behind, damage, and a disk with less than 5 % left.
set -u

root=${1:?usage: check_topics.sh ROOT [MAX_AGE [MAX_LAG]]}
status=0
line=$(logstat --check ${2:+--max-age "$2"} ${3:+--max-lag "$3"} "$root" 2>&1) ||
	status=$?

used=$(df -P "$root" 2>/dev/null | awk 'NR == 2 { print $5 + 0 }')
if [ "${used:-0}" -gt 95 ] && [ "$status" -lt 2 ]; then
	status=2
	line="LOGSTAT CRITICAL: $root is on a disk that is $used% full"
fi
printf '%s\n' "$line"
exit "$status"
