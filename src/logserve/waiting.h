#ifndef LOGSERVE_WAITING_H
#define LOGSERVE_WAITING_H

/*
 * Fetches that wait for logs to grow.
 *
 * A log counts its changes.  Who wants to wait notes the count, looks at the
 * log, and then waits only if the count is still the same; so no change is
 * missed between the look and the wait.  Changes come from appends of the
 * server (waiting_wake), and from those of other programs, which inotify(7)
 * tells by their write to partition.state.  It tells of the server's own
 * writes, too, and of those that show readers nothing new yet: who waits is
 * woken only if the state has more to show.  Where inotify has run out, and
 * against whatever it may miss, all who wait look again each second.
 *
 * A waiter is woken once: by a change, by its time, or by waiting_stop().
 */

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/task.h"

struct log;
struct loop;
struct pool;
struct waiter;
struct waiting;

/* What readers are shown of a log, by its partition.state as last looked at. */
struct waiting_sight {
	bool known;
	bool failed;
	int32_t role;
	int32_t epoch;
	int64_t start, stable, visible;
};

/* That a waiter waits for a log; it lives with the waiter. */
struct waiting_on {
	struct log *log;
	uint64_t changes;	/* as noted before the look */
	struct waiter *waiter;
	TAILQ_ENTRY(waiting_on) entry;
};

struct waiter {
	struct waiting_on *on;
	size_t count;
	int64_t until_ms;	/* monotonic */
	struct task *task;	/* run when it is woken: */
	struct loop *loop;	/* there; NULL, or over: on the pool */
	/* Set when it is run: it cannot wait again, for an end or no room. */
	bool over;
	/* The rest is waiting.c's. */
	bool waits;
	size_t place;
};

enum { WAITING_MAX = 1000000, WAITING_LOOK_MS = 1000 };

/* The loop has the timer and the events. */
int waiting_open(struct loop *l, struct pool *p, struct waiting **out);
/* Wake everybody, who then have over set; nobody waits from now on. */
void waiting_stop(struct waiting *w);
/* Nobody waits, and the loop is still there. */
void waiting_close(struct waiting *w);

/* Note a log's changes before looking at it; from now on they are counted. */
uint64_t waiting_note(struct waiting *w, struct log *l);
/* The same without a wait; false: it is to be noted as above. */
bool waiting_note_now(struct waiting *w, struct log *l, uint64_t *changes);
/*
 * Wait for one of the waiter's logs to change, or for its time: the task then
 * runs, perhaps before this returns.
 */
void waiting_add(struct waiting *w, struct waiter *a);
/* The log has changed. */
void waiting_wake(struct waiting *w, struct log *l);
/* The log goes; nobody waits for it. */
void waiting_forget(struct waiting *w, struct log *l);

#endif
