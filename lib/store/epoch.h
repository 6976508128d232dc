#ifndef STORE_EPOCH_H
#define STORE_EPOCH_H

/*
 * Leader epochs of a partition: which epoch began at which offset (KIP-101,
 * KIP-279), kept in the file leader-epoch-checkpoint in Kafka's text form:
 *
 *	0		version
 *	2		number of entries
 *	0 0		epoch, start offset
 *	3 1500
 *
 * 1. Epochs and start offsets both strictly ascend.
 * 2. The first entry covers everything from the log's start.
 *
 * Nothing here locks: the holder of the partition's log lock changes the file,
 * and io_replace_file() lets readers see the old or the new one.
 */

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fault;

#define EPOCH_FILE "leader-epoch-checkpoint"

struct epoch_entry {
	int32_t epoch; /* >= 0 */
	int64_t start; /* first offset written in it, >= 0 */
};

struct epoch_list {
	struct epoch_entry *entries; /* owned; ascending */
	size_t count;
	size_t cap;
};

void epoch_list_init(struct epoch_list *list);
void epoch_list_release(struct epoch_list *list);

/*
 * Read the file in the directory dirfd into list, in place of what it held; on
 * an error list is empty.  As in Kafka, a file that ends before its entries
 * were announced is an empty list, lines may end in CR LF, and fields may be
 * apart by several blanks.
 * ENOENT: no such file.  STATUS_CORRUPT: anything else that Kafka would not
 * write.  STATUS_NEWER: a version above 0.  Both fill *fault (or NULL).
 */
int epoch_read(int dirfd, struct epoch_list *list, struct fault *fault);
/* Put the list in place of the file; mode and gid as io_set_access(). */
int epoch_write(int dirfd, const struct epoch_list *list, mode_t mode,
    gid_t gid);

/* The latest epoch, -1 if there is none. */
int32_t epoch_latest(const struct epoch_list *list);
/* The epoch of the record at offset, -1 if the list begins behind it. */
int32_t epoch_at(const struct epoch_list *list, int64_t offset);
/*
 * Epoch begins at start.  Nothing happens if it is the latest already and did
 * not begin later; else entries at the end that conflict (an epoch or a start
 * at or above the new ones) go.  *changed tells whether list has changed.
 * EINVAL: a negative number.  ENOMEM.  STATUS_TOO_BIG: over EPOCHS_MAX.
 */
int epoch_assign(struct epoch_list *list, int32_t epoch, int64_t start,
    bool *changed);
/* The log now ends at end: entries that begin there or later go. */
bool epoch_truncate_from(struct epoch_list *list, int64_t end);
/*
 * The log now starts at start: of the entries that begin there or earlier the
 * last stays, beginning at start.
 */
bool epoch_truncate_to_start(struct epoch_list *list, int64_t start);

/*
 * Where did an epoch end?  (Kafka's OffsetForLeaderEpoch.)
 *
 *	epoch asked for		*found			*end
 *	the latest		it			log_end
 *	between known ones	the largest one not	start of the next
 *				above it		larger one
 *	below the first		the one asked for	start of the first
 *	above the latest, -1	-1			-1
 */
void epoch_end_offset(const struct epoch_list *list, int32_t epoch,
    int64_t log_end, int32_t *found, int64_t *end);

#endif
