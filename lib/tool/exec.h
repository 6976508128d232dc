#ifndef TOOL_EXEC_H
#define TOOL_EXEC_H

/*
 * logtail --exec: a durable work queue.  Each event of a group's partitions is
 * a job, /bin/sh -c CMD with the value on its standard input.
 *
 *  1. An event is done when its job ended with status 0, or when it was put
 *     into the dead-letter topic, durably, after the last try.
 *  2. What is committed never passes an event that is not done.  So whatever is
 *     killed whenever, each event's job runs at least once.
 *  3. Events of one key are done one after the other, in order; those of other
 *     keys, and those without a key, meanwhile.
 *  4. A job holds its partition's lock until it ends, and is killed with us: so
 *     3. holds over members that die, too.
 *  5. If the shell of a job is killed, the job has ended when all that it had
 *     started has: they hold the other end of a pipe.
 */

#include "tool/sources.h"

/* What was said; see logtail(1). */
struct exec_options {
	const char *command;
	const char *dead_letter;	/* topic, or NULL */
	int64_t jobs;
	int64_t retries;
};

/*
 * Work until it is over (or for ever, when following), or until a signal has
 * set sources_stop.  *done: how many events were.  The exit status.
 */
int exec_run(struct sources *s, const struct exec_options *o, int64_t *done);

#endif
