#!/bin/sh
# archive.sh BROKERS DIR [GLOB]...: keep the topics of a Kafka cluster whose
# names match, or all of them, in a directory, offset for offset, for as long
# as this runs.
#
#	archive.sh kafka1:9092,kafka2:9092 /srv/archive 'orders*' payments
#
# The copies are read as any topic, also while this runs, and served to Kafka's
# clients with the offsets and the groups that they know:
#
#	logcat -S yesterday /srv/archive/orders
#	logserve --read-only /srv/archive
#
# They keep what the cluster deletes, for as long as their own settings say:
#
#	logadmin topic set /srv/archive/orders retention.ms=1095d
#
# CONFIG names a file with the properties of the client (certificates, a name
# and a password); FOLLOW= makes one copy and ends.
set -eu

brokers=$1
dir=$2
shift 2
mkdir -p "$dir"
for glob; do
	set -- "$@" --include "$glob"
	shift
done
# shellcheck disable=SC2086 # an option, or none
exec logreplicate ${FOLLOW--f} --groups ${CONFIG:+--config "$CONFIG"} "$@" \
    "kafka://$brokers/" "$dir"
