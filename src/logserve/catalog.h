#ifndef LOGSERVE_CATALOG_H
#define LOGSERVE_CATALOG_H

/*
 * The topics of a root, as the server has them.
 *
 * The directory is the truth: each look-up asks it (one stat) whether the
 * topic is there and still the same, so that what other programs make, change
 * or remove is seen at once.  A topic that was removed, or replaced by another
 * of its name, is gone: who holds it finds its logs refusing.
 *
 * Each topic is served once: a link to one that is served under its own name
 * is left out, and so is what has the id of another one; links come last.  A
 * copy, which has another name than its file says, gets an id of its own, in
 * the file if that may be written.  Who runs the server is told, once, of these
 * and of topics whose files cannot be read.
 *
 * All calls but catalog_known(), catalog_retain() and catalog_release_aside()
 * may wait for the disk: from threads of the pool only.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/tree.h>

#include "base/bytes.h"
#include "kafka/wire.h"
#include "net/task.h"
#include "positions.h"
#include "store/topic.h"

struct catalog;
struct log;
struct pool;
struct waiting;

struct served {
	char name[TOPIC_NAME_MAX + 1];
	struct wire_uuid id;
	atomic_bool wants_replicas;	/* min.insync.replicas is above 1 */
	/* Under the catalog's lock; see catalog_look(). */
	int32_t partitions;
	struct properties settings;
	struct log **logs;	/* owned; NULL: not used yet */
	int32_t log_count;
	struct positions positions;	/* how far groups have come */
	/* What is to be looked at; of upkeep.c, under its lock. */
	struct {
		bool waits;
		int32_t first, last;	/* partitions */
		int failed;	/* how it went; of who looks */
		TAILQ_ENTRY(served) entry;
	} upkeep;
	/* The rest is catalog.c's. */
	struct stat file;	/* topic.properties, as last read */
	atomic_int references;
	struct task freeing;	/* on the pool */
	RB_ENTRY(served) by_name;
	RB_ENTRY(served) by_id;
};

/* A topic's name as a string; false: it is none. */
bool catalog_name(struct bytes name, char out[TOPIC_NAME_MAX + 1]);

/*
 * At most open_logs partitions and positions of topics have files open; see
 * handles.h.  read_only: no file is written but by catalog_create().
 */
int catalog_open(const char *root, bool read_only, size_t open_logs,
    struct pool *pool, struct waiting *waiting, struct catalog **out);
void catalog_close(struct catalog *c);
const char *catalog_root(const struct catalog *c);

/*
 * Find a topic; the caller gets a reference.  STATUS_SYNTAX: not a name;
 * STATUS_NO_TOPIC; STATUS_CORRUPT: its file; and as topic_open().
 */
int catalog_find(struct catalog *c, struct bytes name, struct served **out);
/* The same by id, of those that were there at the start or found by name. */
int catalog_find_id(struct catalog *c, const struct wire_uuid *id,
    struct served **out);
/*
 * For who may not wait: a topic by its name, or if that is null by its id (NULL
 * is none), which was found before and is still the same, and the log of a
 * partition that was asked for before.  EAGAIN: ask in the ordinary way.
 */
int catalog_known(struct catalog *c, struct bytes name,
    const struct wire_uuid *id, int32_t number, struct served **out,
    struct log **log);
struct served *catalog_retain(struct served *t);
void catalog_release(struct catalog *c, struct served *t);
/*
 * The same for who may not wait: where it is the last reference of a topic that
 * is gone, the pool closes its files, which may free all that was in them.
 */
void catalog_release_aside(struct catalog *c, struct served *t);

/* What may change, as of now; either may be NULL. */
void catalog_look(struct catalog *c, struct served *t, int32_t *partitions,
    struct properties *settings);
/* One of its partitions.  STATUS_NO_TOPIC: it has none of that number. */
int catalog_log(struct catalog *c, struct served *t, int32_t number,
    struct log **out);

/*
 * All topics: each is found, and given to fn, which may keep it with
 * catalog_retain().  Those that cannot be opened are left out.  Stops at the
 * first error of fn.
 */
int catalog_each(struct catalog *c, int (*fn)(struct served *t, void *arg),
    void *arg);

/*
 * The directories of all logs and positions that somebody writes to at this
 * moment.  Waits for nobody; what others have locked is left out.
 */
void catalog_each_busy(struct catalog *c, void (*fn)(const char *path));

/*
 * Make a topic.  As topic_create(), with the mode that the root has.
 */
int catalog_create(struct catalog *c, const char *name,
    const struct properties *settings, int32_t partitions, struct served **out);
/* Remove one.  Errors of topic_remove(). */
int catalog_remove(struct catalog *c, struct served *t);
/* TOPIC's path; len of out is PATH_MAX. */
void catalog_path(const struct catalog *c, const char *name, char *out);

/* The id as the 22 characters that files and tools have, and back. */
bool catalog_id_of_text(const char *text, struct wire_uuid *out);

#endif
