#ifndef LOGSERVE_DEADLINES_H
#define LOGSERVE_DEADLINES_H

/*
 * What is given up after some time, unless it is done before, as nearly all is:
 * to add and to remove is cheap, and the time is kept to DEADLINES_LOOK_MS.
 */

#include <sys/queue.h>

#include <stdbool.h>
#include <stdint.h>

#include "net/task.h"

struct deadlines;
struct loop;
struct pool;

enum { DEADLINES_LOOK_MS = 500 };

/* Lives with what it is about. */
struct deadline {
	struct task *task;	/* run on the pool when the time has come */
	int64_t until_ms;	/* monotonic */
	bool waits;
	TAILQ_ENTRY(deadline) entry;
};

/* The loop has the timer. */
int deadlines_open(struct loop *l, struct pool *p, struct deadlines **out);
/* No task is run from now on; NULL is nothing. */
void deadlines_stop(struct deadlines *d);
/* Nothing waits, and the loop is still there; NULL is nothing. */
void deadlines_close(struct deadlines *d);

void deadlines_add(struct deadlines *d, struct deadline *e);
/* False: the task runs, or has run. */
bool deadlines_remove(struct deadlines *d, struct deadline *e);

#endif
