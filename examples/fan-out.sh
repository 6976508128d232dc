#!/bin/sh
# fan-out.sh EVENTS DIRECTORY: one topic, three readers that know nothing of
# each other.
#
# Each group has its own position.  A new one begins at the first event that is
# kept; one that was away for a week goes on where it stopped.  So run this as
# often as you like, from cron for example: each time only what is new is read.
# --fail-empty's exit status, 4, tells that there was nothing.
set -eu

events=${1:?usage: fan-out.sh EVENTS DIRECTORY}
to=${2:?usage: fan-out.sh EVENTS DIRECTORY}
mkdir -p "$to"

# The archive: all of it, with keys, headers and times, in a file per run.
file=$to/archive-$(date +%s)-$$.json
status=0
logcat -g archive -J --fail-empty "$events" >"$file" || status=$?
[ "$status" -ne 4 ] || rm "$file"
[ "$status" -eq 0 ] || [ "$status" -eq 4 ] || exit "$status"

# Those who are woken: errors alone.
logcat -g alerts --grep 'ERROR|FATAL' "$events" >>"$to/alerts"

# The statistics: how many of each key.
logcat -g statistics -F '%k\n' "$events" | sort | uniq -c >>"$to/counts"
