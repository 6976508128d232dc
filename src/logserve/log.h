#ifndef LOGSERVE_LOG_H
#define LOGSERVE_LOG_H

/*
 * One partition as the server has it: a handle to read, a handle to append,
 * and who waits for what.
 *
 * Appending is group commit: whoever comes first brings a thread of the pool,
 * which appends all that is queued, syncs once, and answers all; what comes
 * meanwhile waits for its next round.  So a slow disk, or a lock that another
 * process holds, keeps one thread per partition, and no loop.
 *
 * Local programs append to and read the same directory at any time.
 */

#include <sys/queue.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "handles.h"
#include "net/task.h"
#include "proven.h"
#include "store/lookup.h"
#include "store/partition.h"
#include "store/properties.h"
#include "waiting.h"

struct fault;
struct pool;

/*
 * What is to be appended: one batch, as a producer sent it.  Or something else
 * that is done with the handle to append, by act.
 */
struct log_append {
	uint8_t *data;		/* changed in place */
	int64_t len;
	/*
	 * NULL: append.  Else this is called when all that was queued before
	 * is durable; it returns an enum error_code.
	 */
	int (*act)(struct partition *writer, struct log_append *a);
	void (*done)(struct log_append *a);	/* from a thread of the pool */
	void *arg;
	TAILQ_ENTRY(log_append) entry;
	/* Out: */
	int code;		/* enum error_code */
	const char *why;	/* a constant phrase, or NULL */
	int64_t base_offset;
	int64_t append_time;	/* -1: the producer's times count */
	int64_t log_start;
	bool rolled;		/* a segment was closed by it */
};

TAILQ_HEAD(log_queue, log_append);

struct log {
	char *path;		/* owned */
	int32_t number;
	struct pool *pool;
	struct handles *handles;
	struct waiting *waiting;	/* who is told of growth */
	int watch;		/* for waiting.c: -1 none */
	/* Counts what may have changed; see waiting.h. */
	atomic_uint_fast64_t changes;
	/* For waiting.c, under its lock. */
	TAILQ_HEAD(, waiting_on) waiters;
	struct waiting_sight sight;

	struct handle handle;

	struct proven proven;
	atomic_int_fast64_t damage_told;	/* a position + 1; 0: none */

	pthread_mutex_t read_lock;
	struct partition *reader;	/* NULL: not opened */
	struct reader *walker;		/* for times; NULL: not opened */
	int32_t epoch;			/* see log_epoch(); -1: not known */

	pthread_mutex_t write_lock;	/* the next five */
	struct log_queue queue;
	bool busy;
	struct properties settings;
	bool changed_settings;
	bool gone;		/* the topic was removed */
	struct task task;
	struct partition *writer;	/* of who is busy */
	bool relaxed;			/* how it was opened */
	int told;		/* the error that was told last; 0: none */
};

struct log *log_new(const char *topic_path, int32_t number,
    const struct properties *settings, struct pool *pool,
    struct handles *handles, struct waiting *waiting);
/* Nobody uses it any more. */
void log_free(struct log *l);
/* The topic's settings are these from now on. */
void log_set(struct log *l, const struct properties *settings);
/* The topic is gone: what waits for this log is told. */
void log_remove(struct log *l);

/* Does somebody write to it? */
bool log_is_busy(struct log *l);

/* Append, or act; a->done is called when it is durable, or cannot be. */
void log_append(struct log *l, struct log_append *a);

/*
 * The handle to read, opened; the lock is held until log_put().  NULL: *rc.
 */
struct partition *log_get(struct log *l, int *rc);
/* The same if it is open and nobody has it: never waits.  NULL: otherwise. */
struct partition *log_try(struct log *l);
void log_put(struct log *l);
/*
 * The leader epoch of the last append; 0 if it cannot be read.  A log whose
 * files were closed since it was asked for is not opened again for it: who
 * fetches from it, and would be told of another epoch, opens it.
 */
int32_t log_epoch(struct log *l);
/*
 * Check the bytes of a stretch of it that are to be sent, as proven_check();
 * whoever runs the server is told of damage.  Not between get and put.
 */
int log_prove(struct log *l, int fd, int64_t pos, int64_t *len);
/* Nothing of that is left to be checked, or to be waited for. */
bool log_is_proven(struct log *l, int fd, int64_t pos, int64_t len);
/* What was read from there is good, or else log_prove() tells. */
bool log_is_good(struct log *l, int fd, int64_t pos, const uint8_t *data,
    size_t len);
/* Close the handle to read, as after STATUS_REMOVED; between get and put. */
void log_forget(struct log *l);
/*
 * A reader with that handle, between get and put: it stops at the high
 * watermark of now, and stands anywhere.
 */
int log_walker(struct log *l, struct reader **out);

#endif
