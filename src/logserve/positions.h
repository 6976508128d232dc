#ifndef LOGSERVE_POSITIONS_H
#define LOGSERVE_POSITIONS_H

/*
 * How far groups have come in one topic (store/groups.h), for all threads.
 *
 * A commit is durable when it returns.  Those that come while another is being
 * synced wait, and are then written as one batch, by one of them: many groups
 * that commit at once share a sync.
 *
 * Whoever commits may have to wait for a local program that does so, and which
 * may be stopped: for CONFIG_COMMIT_MS at most, and nobody waits for who waits
 * already, once it was in vain.  Who reads does not wait.
 */

#include <sys/queue.h>

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "handles.h"

struct groups;
struct groups_entry;

struct positions {
	pthread_mutex_t lock;	/* of the next; not for waits for others */
	struct groups *groups;		/* to read; NULL: not open */
	struct groups *writer;		/* so; of who is busy */
	struct handles *handles;
	struct handle handle;
	pthread_mutex_t queue_lock;	/* of the rest */
	pthread_cond_t changed;
	STAILQ_HEAD(, positions_commit) queue;
	bool busy;			/* somebody writes */
	bool stuck;			/* or tried, in vain */
};

/* What a group commits; the caller's, until positions_commit() returns. */
struct positions_commit {
	const char *group;
	const struct groups_entry *entries;
	size_t count;
	/*
	 * May it, just before it is written?  0 or what is returned; between
	 * enter and leave.
	 */
	int (*may)(void *arg, struct groups *g, const char *group);
	void *arg;
	int rc;			/* out */
	bool done;
	STAILQ_ENTRY(positions_commit) entry;
};

void positions_init(struct positions *p, struct handles *handles);
void positions_release(struct positions *p);

/*
 * Those of the topic in directory path, locked and as of now; until
 * positions_leave().  STATUS_NO_TOPIC: nobody has committed anything.  Else
 * errors as groups_open() and groups_refresh().
 */
int positions_enter(struct positions *p, const char *path, struct groups **out);
void positions_leave(struct positions *p);

/* Does somebody write to them? */
bool positions_is_busy(struct positions *p);

/*
 * So many commits; how each went is its rc.  Errors as groups_open_writer(),
 * positions_enter(), groups_commit(), and of may().  STATUS_TOO_BIG also if
 * positions that were not there before come to a topic that has
 * CONFIG_POSITIONS_BYTES of them.  EAGAIN: a local program is in the way; it
 * may yet be committed.
 */
void positions_commit(struct positions *p, const char *path,
    struct positions_commit *commits, size_t count);

#endif
