#ifndef NET_POOL_H
#define NET_POOL_H

/*
 * Threads for what may block.  A thread is started when a task comes and none
 * is free, up to a bound; one that has nothing to do for a while ends.  Tasks
 * begin in the order they came.  All signals are blocked in the threads.
 */

#include <stddef.h>
#include <stdint.h>

#include "net/task.h"

struct pool;

/*
 * At most threads_max threads; one is started now and stays, so that tasks are
 * done even if no other can be started.  ENOMEM, EAGAIN.
 */
int pool_open(size_t threads_max, int64_t idle_ms, struct pool **out);
/*
 * Wait until all tasks are done, those that they hand over too; then end the
 * threads and free all.  From none of its threads, and when no other is within
 * pool_run() any more; NULL is nothing.
 */
void pool_close(struct pool *p);

/* Run the task; from any thread.  One that waits already is not run twice. */
void pool_run(struct pool *p, struct task *t);

/* How many threads there are, and tasks that wait for one. */
size_t pool_threads(struct pool *p);
size_t pool_waiting(struct pool *p);

#endif
