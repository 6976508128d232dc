#!/bin/sh
# upkeep.sh ROOT...: what topics should have done to them each night.
#
#	# m h dom mon dow command
#	17 3 * * * upkeep.sh /srv/log
#	17 4 * * 0 CHECK=1 upkeep.sh /srv/log
#
# Retention and compaction, by each topic's own settings.  A topic is never
# closed for that: others read and write it meanwhile.  With CHECK=1 every byte is
# read and checked as well; nothing is repaired without you.  cron mails what is
# printed, and nothing is if all is well.
set -eu

worst=0

# Run it, and note the greatest status of all.
run() {
	status=0
	"$@" || status=$?
	[ "$status" -le "$worst" ] || worst=$status
}

for root; do
	for topic in "$root"/*/; do
		[ -f "$topic/topic.properties" ] || continue
		run logcompact -q "${topic%/}"
		if [ -n "${CHECK:-}" ]; then
			run logfsck -q "${topic%/}"
		fi
	done
done
exit "$worst"
