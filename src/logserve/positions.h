#ifndef LOGSERVE_POSITIONS_H
#define LOGSERVE_POSITIONS_H

/*
 * How far groups have come in one topic (store/groups.h), for all threads.
 *
 * A commit is durable when it returns.  Those that come while another is being
 * synced wait, and are then written as one batch, by one of them: many groups
 * that commit at once share a sync.
 */

#include <sys/queue.h>

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct groups;
struct groups_entry;

struct positions {
	pthread_mutex_t lock;		/* of the next two; taken first */
	struct groups *groups;		/* NULL: not open */
	bool writes;			/* it is open to write */
	pthread_mutex_t queue_lock;	/* of the rest */
	pthread_cond_t changed;
	STAILQ_HEAD(, positions_commit) queue;
	bool busy;			/* somebody writes */
};

/* What a group commits; the caller's, until positions_commit() returns. */
struct positions_commit {
	const char *group;
	const struct groups_entry *entries;
	size_t count;
	/*
	 * May it, just before it is written?  0 or what is returned; under the
	 * lock.
	 */
	int (*may)(void *arg, struct groups *g, const char *group);
	void *arg;
	int rc;			/* out */
	bool done;
	STAILQ_ENTRY(positions_commit) entry;
};

void positions_init(struct positions *p);
void positions_release(struct positions *p);

/*
 * Those of the topic in directory path, locked and as of now; until
 * positions_leave().  STATUS_NO_TOPIC: nobody has committed anything, and
 * writes is not set.  Else errors as groups_open() and groups_refresh().
 */
int positions_enter(struct positions *p, const char *path, bool writes,
    struct groups **out);
void positions_leave(struct positions *p);

/*
 * Errors as positions_enter(), groups_commit(), and of may().  STATUS_TOO_BIG
 * also if positions that were not there before come to a topic that has
 * CONFIG_POSITIONS_BYTES of them.
 */
int positions_commit(struct positions *p, const char *path,
    struct positions_commit *c);

#endif
