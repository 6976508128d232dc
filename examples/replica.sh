#!/bin/sh
# replica.sh TOPIC... DEST: a copy of topics for as long as this runs, and what
# to do when this host is lost.
#
#	replica.sh /srv/log/orders /srv/log/payments dr:/srv/log
#
# or, where a logserve with --replica-secret has the copies:
#
#	OPTIONS='--replica-secret /etc/logkit/secret' \
#	    replica.sh /srv/log/orders kafka://dr:9092
#
# On the other host, the copies can be read at any time.  To go on there:
#
#	logadmin topic promote /srv/log/orders
#
# and, when this host is back, to make it the copy, and later the first again:
#
#	logadmin topic demote /srv/log/orders
#	logreplicate --on-diverge truncate dr:/srv/log/orders /srv/log/orders
#
# FOLLOW= makes one copy and ends; OPTIONS are more options of logreplicate.
set -eu

for dest; do :; done
[ $# -gt 1 ]
pids=
trap 'kill $pids 2>/dev/null || true' EXIT
trap 'exit 1' HUP INT TERM
while [ $# -gt 1 ]; do
	# shellcheck disable=SC2086 # options, or none
	logreplicate ${FOLLOW--f} ${OPTIONS-} --groups "$1" \
	    "$dest/$(basename "$1")" &
	pids="$pids $!"
	shift
done
status=0
for pid in $pids; do
	wait "$pid" || status=$?
done
exit "$status"
