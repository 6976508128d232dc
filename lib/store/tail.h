#ifndef STORE_TAIL_H
#define STORE_TAIL_H

/*
 * How far a reader may go.
 *
 * Where a writer of this boot keeps the state, it says so.  After a reboot,
 * until the first writer comes, the log ends at its last valid batch above
 * the synced position.  A directory without a usable state, or a copied one,
 * ends at the last valid batch of its last segment; its transactions are
 * followed from the newest producer snapshot on, and its log start is the
 * first segment's base or, for a Kafka broker's directory, what the file
 * log-start-offset-checkpoint beside it says.
 *
 * Only the store and those who list its files call this.
 */

#include <stdbool.h>
#include <stdint.h>

#include "store/sum.h"

struct fault;
struct partition;
struct partition_offsets;

int tail_offsets(struct partition *p, struct partition_offsets *out,
    struct fault *f);

/* What else a reader wants to know of the state. */
struct tail_hint {
	int64_t active_base;	/* -1 not known: list the directory */
	int64_t active_max_timestamp;	/* INT64_MAX not known */
	bool has_producers;	/* there may be transactions */
	int32_t aborted_count;	/* noted in the active segment, at least */
	bool contiguous;	/* no gaps in the active segment */
	bool failed;		/* what is not synced may be gone */
	/*
	 * What the .sum of the active segment would say of its first sums.size
	 * bytes; sums.next_offset is that of the next record there.
	 */
	bool has_sums;
	struct sum sums;
};
int tail_look(struct partition *p, struct partition_offsets *out,
    struct tail_hint *hint, struct fault *f);
/*
 * The same of a partition that was looked at before, without a wait for the
 * device.  EAGAIN: the state is not in memory, or does not say all.
 */
int tail_look_cached(struct partition *p, struct partition_offsets *out,
    struct tail_hint *hint);

/* The file of a segment, to read. */
int tail_open_log(struct partition *p, int64_t base, int *fd);

/*
 * The log start of a directory without state: for a Kafka broker's partition
 * DIR/NAME-N what DIR/log-start-offset-checkpoint says, else first_base.
 */
int64_t tail_log_start(struct partition *p, int64_t first_base);

/*
 * The partition's segments as last listed: a listing of many thousands costs
 * more than all the rest of a short read.  again: list them anew.  What is
 * stale shows when a segment is not there, or has no successor.
 */
struct segment_list;
int tail_segments(struct partition *p, bool again,
    const struct segment_list **out);

/*
 * The partition's segments now, to be released by the caller, with no gap: a
 * directory is not read at one moment, and of two segments begun meanwhile
 * segment_list_read() may have the later one alone.
 */
int tail_list(struct partition *p, struct segment_list *out);

#endif
