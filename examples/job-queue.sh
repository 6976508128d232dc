#!/bin/sh
# job-queue.sh QUEUE COMMAND: three workers run COMMAND for each job in QUEUE.
#
# A job is an event; its value is the command's standard input, its key the
# thing that it is about: jobs of one key run one at a time and in order.
#
#	echo 'alice:welcome.txt' | logappend -K : mails
#	job-queue.sh mails ./send-mail
#
# What fails three times goes to QUEUE-failed, with the reason in its headers.
# Start it again, here or in another terminal, whenever you like: the workers
# share what is left.  Nothing is lost if one dies, or all of them; at most a job
# that was running is run again.  With IDLE=5s they end after five seconds
# without work; without it they wait for more.
set -eu

queue=${1:?usage: job-queue.sh QUEUE COMMAND}
command=${2:?usage: job-queue.sh QUEUE COMMAND}
# As many partitions as workers there may ever be.
logcreate --if-not-exists --partitions 6 "$queue"
logcreate --if-not-exists "$queue-failed"

trap 'kill $workers 2>/dev/null' INT TERM
workers=
for _ in 1 2 3; do
	logtail -f -g workers -o start ${IDLE:+--idle "$IDLE"} --jobs 2 \
	    --retries 2 --dead-letter "$queue-failed" --exec "$command" \
	    "$queue" &
	workers="$workers $!"
done
status=0
for worker in $workers; do
	# A signal ends wait, too, while the worker still waits for its jobs.
	while code=0; wait "$worker" || code=$?; kill -0 "$worker" 2>/dev/null; do
		:
	done
	[ "$code" -eq 0 ] || status=$code
done
exit "$status"
