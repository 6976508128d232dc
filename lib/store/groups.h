#ifndef STORE_GROUPS_H
#define STORE_GROUPS_H

/*
 * How far each consumer group has come in a topic: TOPIC/groups, a partition
 * like any other, in the records of Kafka's __consumer_offsets (see commit.h).
 * The last record of a key counts.
 * Since the directory is the topic's, the topic in the key is not looked at: a
 * topic that was renamed keeps its groups.  Records of other kinds (what a
 * server keeps of a group's members) are passed over.
 *
 * Segments are small, and whoever commits compacts them now and then, so that
 * to find a position costs a megabyte or two of reading.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct fault;
struct topic;
struct groups;

enum {
	GROUPS_NAME_MAX = 249,	/* bytes of a group's name */
	GROUPS_ENTRIES_MAX = 10000000,
};

#define GROUPS_DIR "groups"

struct groups_entry {
	const char *group;
	int32_t partition;
	int64_t offset;		/* of the next record to be read */
	int32_t leader_epoch;	/* -1: not known */
	int64_t commit_ms;	/* when; wall clock; 0: now */
	struct bytes metadata;	/* of the client's own; null is empty */
};

/* Is it a name that a group may have?  Not empty, no control characters. */
bool groups_is_name(const char *s);

/*
 * The groups of the topic in directory path, t its opened self.  To write, the
 * directory is made if there is none; to read, none is an empty one.
 * EACCES, EROFS: no permission.  Else errors as partition_open(), and as
 * groups_refresh().
 */
int groups_open(const char *path, const struct topic *t, bool write,
    struct groups **out, struct fault *f);
/*
 * The same to write, but to commit alone: what there is is not read, and not
 * known.
 */
int groups_open_writer(const char *path, const struct topic *t,
    struct groups **out, struct fault *f);
/*
 * Commits wait for others until then (monotonic), and fail with EAGAIN; what
 * was to be committed may be so later.  0: for as long as it takes.
 */
void groups_wait_until(struct groups *g, int64_t until_ms);
void groups_close(struct groups *g);
/* TOPIC/groups; and its directory, -1 if there is none. */
const char *groups_path(const struct groups *g);
int groups_dirfd(const struct groups *g);
/*
 * That directory of the topic in directory path alone, for members (member.h);
 * ENOENT, unless it is to be made.
 */
int groups_open_dir(const char *path, bool make, int *fd);

/* Take in what others have committed since.  Errors as reader_next(). */
int groups_refresh(struct groups *g, struct fault *f);
/* What is known of a group's partition, as last refreshed; NULL: nothing. */
const struct groups_entry *groups_find(const struct groups *g,
    const char *group, int32_t partition);
/* Memory that all of it takes, about. */
size_t groups_bytes(const struct groups *g);
/* All entries, by group and partition; call with i = 0, 1, ... */
const struct groups_entry *groups_at(struct groups *g, size_t i);
/* Where a group begins there, or what comes behind it if it is not there. */
size_t groups_first(struct groups *g, const char *group);

/*
 * Commit: all of them or, when something fails, none; durable when 0 is
 * returned.  Those with an offset of -1 are forgotten.  Errors as
 * partition_append() and partition_sync().
 */
int groups_commit(struct groups *g, const char *group,
    const struct groups_entry *entries, size_t count, struct fault *f);
/*
 * The same of several groups at once: add each one's, and write what was added,
 * or, when one cannot be added, drop it.
 */
int groups_add(struct groups *g, const char *group,
    const struct groups_entry *entries, size_t count);
int groups_write(struct groups *g, struct fault *f);
void groups_drop(struct groups *g);

#endif
