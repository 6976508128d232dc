#ifndef STORE_KEYED_H
#define STORE_KEYED_H

/*
 * A small partition of records by key, of which the last one counts: what
 * Kafka keeps in its compacted topics of its own.  Segments are small, and
 * whoever writes compacts them now and then, so that to know all of it costs a
 * megabyte or two of reading.
 *
 * What the records mean is the caller's: each is given to take, in order, once,
 * those of other processes and our own.
 */

#include <stdbool.h>

#include "store/partition.h"

struct fault;
struct keyed;
struct record;

/*
 * A record.  Not 0: reading stops with that, and is not gone on with.
 */
typedef int keyed_take(void *arg, const struct record *rec);

/*
 * The partition in directory path, read to its end; with take NULL nothing is
 * read: it is to be written only.  To write, the last name in
 * path is made in the directory parentfd if there is none, with its access; to
 * read, none is an empty one.  Errors as partition_open(), and as
 * keyed_refresh().
 */
int keyed_open(int parentfd, const char *path, enum partition_mode mode,
    keyed_take *take, void *arg, struct keyed **out, struct fault *f);
/*
 * Make the directory of one in the directory parentfd, with its access, if
 * there is none; of path the last name counts.
 */
int keyed_make_directory(int parentfd, const char *path);
/* NULL is nothing. */
void keyed_close(struct keyed *k);
const char *keyed_path(const struct keyed *k);
/* -1: there is none. */
int keyed_dirfd(const struct keyed *k);

/* As partition_wait_until(), of one that is open to write. */
void keyed_wait_until(struct keyed *k, int64_t until_ms);

/* Take in what has been written since.  Errors as reader_next(). */
int keyed_refresh(struct keyed *k, struct fault *f);

/* A record for the next write.  Errors as batch_builder_add(). */
int keyed_add(struct keyed *k, const struct record *rec);
/*
 * Write what was added, as one batch, and sync it unless the mode is relaxed:
 * all or, when something fails, none; what was added is gone in any case.
 * Errors as partition_append() and partition_sync().
 */
int keyed_write(struct keyed *k, struct fault *f);
/* Forget what was added. */
void keyed_drop(struct keyed *k);
/* Sync what a relaxed one has written. */
int keyed_sync(struct keyed *k, struct fault *f);

#endif
