#ifndef STORE_TOPIC_H
#define STORE_TOPIC_H

/*
 * A topic: a directory with the file topic.properties, the partitions 0/ 1/ ...
 * and the file topic.lock.
 *
 * topic.properties is in Java's properties format:
 *
 *	logkit.version=1	of the format; a greater one is refused
 *	logkit.topic=orders	the name it was made with; a copy keeps it
 *	logkit.topic.id=...	16 random bytes as 22 characters of base64url
 *				(Kafka's topic id); never begins with -
 *	logkit.partitions=3	0 to 2 exist
 *	retention.ms=-1		settings that were given, by Kafka's names; the
 *				others are at their defaults (properties.h)
 *
 * It is only ever replaced as a whole, under an exclusive lock on byte 0 of
 * topic.lock, and its partitions exist before it names them.  Files and
 * directories take the topic directory's mode bits and group (access.h).
 */

#include <sys/types.h>

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bounds.h"
#include "store/properties.h"

struct fault;

#define TOPIC_FILE "topic.properties"
#define TOPIC_LOCK_FILE "topic.lock"

enum {
	TOPIC_VERSION = 1,
	TOPIC_ID_LEN = 22,
};

/* Offsets are to be had behind it, whatever is appended. */
#define TOPIC_FIRST_OFFSET_MAX (INT64_C(1) << 62)

struct topic {
	int dirfd; /* owned; -1 closed */
	char name[TOPIC_NAME_MAX + 1]; /* last part of its real path */
	char made_as[TOPIC_NAME_MAX + 1]; /* differs in a copy */
	char id[TOPIC_ID_LEN + 1];
	int32_t partitions;
	struct properties settings;
};

/* The 16 bytes of an id; false: it is none. */
bool topic_id_bytes(const char *id, uint8_t out[16]);

/* 1 to 249 of A-Z a-z 0-9 . _ -, but not . or .. */
bool topic_is_name(const char *s);

/*
 * Make a topic with empty partitions.  It appears whole or not at all, and is
 * on the device when 0 is returned.  mode is the directory's, before the
 * umask.
 * ENOENT: no parent directory.  STATUS_REMOTE: path is not local.
 * STATUS_SYNTAX: its last part is no name for a topic.  STATUS_EXISTS: a topic
 * is there; of several that make it at once all but one get this.
 * STATUS_NOT_TOPIC: something else is there.  STATUS_INSIDE: it would be in a
 * topic.
 * ERANGE: partitions below 1 or above PARTITIONS_MAX.
 */
int topic_create(const char *path, const struct properties *settings,
    int32_t partitions, mode_t mode);
/*
 * The same, with partitions whose log begins at first_offset.  ERANGE, too, if
 * that is below 0 or above TOPIC_FIRST_OFFSET_MAX.
 */
int topic_create_at(const char *path, const struct properties *settings,
    int32_t partitions, int64_t first_offset, mode_t mode);
/* What stands in the way of that, as far as looking tells; nothing is made. */
int topic_may_create(const char *path);

/*
 * Open a topic: a handful of system calls, however many partitions.
 * STATUS_REMOTE: path is not local.  STATUS_NO_TOPIC: nothing there.
 * STATUS_NOT_TOPIC: something else, or a directory whose real name is no name
 * for a topic.  STATUS_NEWER: a later format.  STATUS_SYNTAX: topic.properties
 * does not say what it must, or says what is unknown.  The last two fill *fault
 * (or NULL), its pos being where the line begins.
 */
int topic_open(const char *path, struct topic *t, struct fault *fault);
void topic_close(struct topic *t);

/*
 * Have count partitions in all; *t is read anew.
 * ERANGE: fewer than there are, or above PARTITIONS_MAX.  Else as topic_open().
 */
int topic_grow(struct topic *t, int32_t count, struct fault *fault);

/*
 * Change the settings: change() gets those of now, alone; *t is read anew.
 * Its error is returned, and nothing is changed.  Else as topic_open().
 */
int topic_change(struct topic *t,
    int (*change)(struct properties *p, void *arg), void *arg,
    struct fault *fault);
/*
 * A copy of a topic becomes one of its own: it gets a new id, and the name that
 * it has now as that which it was made with; *t is read anew.  Nothing happens
 * to one that has that name already.  Else as topic_open().
 */
int topic_adopt(struct topic *t, struct fault *fault);
/*
 * Remove the topic's directory with all that is in it: first from sight, at
 * once, then from the disk.  Who writes to it gets STATUS_REMOVED.
 */
int topic_remove(const char *path);

/* Open a partition's directory.  STATUS_NO_TOPIC if there is none. */
int topic_open_partition(const struct topic *t, int32_t partition, int *fd);

/*
 * What an operand of a program names.
 */
enum topic_place_kind {
	TOPIC_PLACE_TOPIC, /* all partitions of a topic */
	TOPIC_PLACE_PARTITION, /* one partition of a topic: TOPIC/N */
	TOPIC_PLACE_FOREIGN, /* a directory with segments, of no topic */
	TOPIC_PLACE_SEGMENT, /* one segment file, of a topic or foreign */
};

struct topic_place {
	enum topic_place_kind kind;
	bool has_topic; /* topic is open */
	struct topic topic;
	int dirfd; /* owned: the partition; -1 for all of them */
	/*
	 * The topic's.  Foreign: NAME of a directory NAME-N, else its own;
	 * with _ for what no topic's name may contain.
	 */
	char name[NAME_MAX + 1];
	int32_t first; /* partitions first to first + count - 1 */
	int32_t count;
	int64_t segment; /* base offset of the segment, or -1 */
	bool writable; /* a topic or TOPIC/N that we may write */
};

/*
 * Find out what path names and open it.
 * STATUS_REMOTE: a place that is not local (a : before the first /).
 * STATUS_NO_TOPIC: nothing there, or a partition that the topic has not.
 * STATUS_NOT_TOPIC: something else.  Else as topic_open().
 */
int topic_locate(const char *path, struct topic_place *place,
    struct fault *fault);
void topic_place_close(struct topic_place *place);
/* Open the directory of one of its partitions; *fd is the caller's. */
int topic_place_open(const struct topic_place *place, int32_t partition,
    int *fd);

#endif
