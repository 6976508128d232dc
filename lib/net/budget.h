#ifndef NET_BUDGET_H
#define NET_BUDGET_H

/*
 * How much memory all connections may take together: frames that are being
 * read, requests in work, answers that are not sent.
 *
 * Who can wait takes before there is anything (a frame that is announced), and
 * waits while too much is taken.  What cannot be put off (an answer) is added,
 * over the bound if it must be; then everybody waits until it is gone.
 *
 * Of those who wait, the first is served first.  The last quarter is for takes
 * of up to BUDGET_SMALL bytes, which wait in a queue of their own: large
 * requests do not keep out heartbeats.  Who holds some already and waits for
 * room (0 bytes) waits behind nobody, or all could wait for each other.
 *
 * From any thread, but where a loop is named.
 */

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>

#include "net/task.h"

struct budget;
struct loop;

enum { BUDGET_SMALL = 65536 };

/* Who waits; part of the waiter. */
struct budget_wait {
	struct loop *loop;
	struct task task;
	size_t len;
	bool is_queued;
	bool is_granted;	/* and not told yet */
	TAILQ_ENTRY(budget_wait) entry;
};

/* A take of more than three quarters of max waits until nothing is taken. */
int budget_open(size_t max, struct budget **out);
/* Nothing is taken, nobody waits; NULL is nothing. */
void budget_close(struct budget *b);

/* granted is run on the loop when what was waited for has been taken. */
void budget_wait_init(struct budget_wait *w, struct loop *l,
    void (*granted)(void *arg), void *arg);
/*
 * Take len bytes; 0: only wait until there is not too much taken.  False: it is
 * to be waited for.  On the loop.
 */
bool budget_take(struct budget *b, struct budget_wait *w, size_t len);
/* In granted: it has been told. */
void budget_wait_end(struct budget *b, struct budget_wait *w);
/* Wait no more, if it does; granted is not run.  On the loop. */
void budget_cancel(struct budget *b, struct budget_wait *w);

void budget_add(struct budget *b, size_t len);
void budget_give(struct budget *b, size_t len);

/* Does anybody wait? */
bool budget_is_short(struct budget *b);

struct budget_counters {
	size_t used;
	size_t waiting;		/* how many wait */
	size_t waits;		/* since the beginning */
};

void budget_counters(struct budget *b, struct budget_counters *out);

#endif
