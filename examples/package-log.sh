#!/bin/sh
# package-log.sh TOPIC [FILE]: dpkg's log into a topic, with the time of each
# line as the record's timestamp and the package as its key; run again it
# takes only what is new.
#
# Then "logcat -k libc6:amd64 TOPIC" is the story of one package, and
# "logcat -S yesterday TOPIC" what happened since.
set -eu

topic=${1:?usage: package-log.sh TOPIC [FILE]}
file=${2:-/var/log/dpkg.log}
logcreate --if-not-exists "$topic"

# As many lines as the topic has records are in already.
have=$(logcat "$topic" | wc -l)
tail -n +"$((have + 1))" "$file" |
	# DATE TIME ACTION PACKAGE ... or DATE TIME status STATE PACKAGE ...
	awk '{
		key = $3 == "status" ? $5 : $3 == "startup" ? "" : $4
		gsub(/["\\]/, "\\\\&")
		printf "{\"timestamp\":\"%sT%sZ\",", $1, $2
		printf "\"key\":%s,", key == "" ? "null" : "\"" key "\""
		printf "\"value\":\"%s\"}\n", $0
	}' | logappend -J "$topic"
echo "$(logcat "$topic" | wc -l) lines in $topic, $have were there"
