#!/bin/sh
# access-log.sh TOPIC [FILE]: an access log into a topic, then how often each
# status occurs, counted from the log.
#
# The topic keeps every line as it was; counting again, tomorrow or in another
# way, needs the topic alone.  Standard input is read if no FILE is named, so
#	tail -F /var/log/nginx/access.log | access-log.sh hits
# counts when the pipe ends, while "logtail -f hits" shows lines as they come.
set -eu

topic=${1:?usage: access-log.sh TOPIC [FILE]}
shift
logcreate --if-not-exists "$topic"
logappend "$topic" "$@"

# The combined log format has the status in field 9.
logcat "$topic" | awk '{ n[$9]++ } END { for (s in n) print n[s], s }' |
	sort -k1,1nr -k2
