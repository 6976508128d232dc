#!/bin/sh
# kcat.sh: a session of kcat with a broker that is there for as long as it lasts.
#
# logserve makes a directory of topics, runs this script again with the address
# in LOGKIT_BROKER, and removes everything at its end.  With LOGKIT_BROKER set
# by you it uses that broker; any of Kafka's protocol will do.
set -eu

[ -n "${LOGKIT_BROKER:-}" ] || exec logserve --ephemeral -- "$0"
broker=$LOGKIT_BROKER
topic=prices-$$

echo '# three records with keys, compressed; the topic is made by that'
printf '%s\n' tea=3 milk=1 tea=4 |
	kcat -P -b "$broker" -t "$topic" -K = -z gzip

echo '# all that is there, with offsets'
kcat -C -b "$broker" -t "$topic" -o beginning -e -q -f '%o %k %s\n'

echo '# from offset 1 on, one of them'
kcat -C -b "$broker" -t "$topic" -p 0 -o 1 -c 1 -q

echo '# a group: the second time it goes on where the first has stopped'
for count in 2 1; do
	kcat -b "$broker" -G "readers-$$" -X auto.offset.reset=earliest \
		-c "$count" -q "$topic"
	echo --
done

echo '# what would be the next offset'
kcat -Q -b "$broker" -t "$topic:0:-1" | sed 's/.*offset //'
