#ifndef NET_TASK_H
#define NET_TASK_H

/*
 * Something to be done on another thread: on a loop (loop.h) or in a pool
 * (pool.h).
 *
 * A task is a part of the thing that it is about, so that handing it over
 * allocates nothing and cannot fail, and so that no queue is longer than there
 * are things.  From the hand-over until call begins it is the queue's: it must
 * not be freed or handed to another queue.  When call begins it is the
 * owner's again, which may free it, or hand it over once more.
 */

#include <sys/queue.h>

#include <stdbool.h>

struct task {
	void (*call)(void *arg);
	void *arg;
	TAILQ_ENTRY(task) entry;	/* the queue's */
	bool queued;			/* the queue's */
};

TAILQ_HEAD(task_queue, task);

static inline void
task_init(struct task *t, void (*call)(void *arg), void *arg)
{
	t->call = call;
	t->arg = arg;
	t->queued = false;
}

#endif
