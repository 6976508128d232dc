#!/bin/sh
# audit-log.sh TOPIC USER RIGHT: grant a right once, however many ask at once.
#
# Reads the log to its end, decides, and appends only if the log still ends
# there (--expect-offset, exit status 4 if not): then somebody else was faster
# and the decision is made again on what the log says now.
set -eu

topic=${1:?usage: audit-log.sh TOPIC USER RIGHT}
user=${2:?user}
right=${3:?right}
logcreate --if-not-exists "$topic"

while :; do
	# Offsets of what was read; the next one is where the log ends.
	seen=$(logcat -F '%o %v\n' "$topic")
	end=$(printf '%s\n' "$seen" | awk 'NF { end = $1 + 1 } END { print end + 0 }')
	if printf '%s\n' "$seen" | grep -q " $user has $right\$"; then
		echo "$user has $right already"
		exit 0
	fi
	status=0
	echo "$user has $right" |
		logappend --expect-offset "$end" "$topic" 2>/dev/null || status=$?
	case $status in
	0) echo "$user granted $right at $end"; exit 0 ;;
	4) ;; # somebody was faster: look again
	*) exit "$status" ;;
	esac
done
