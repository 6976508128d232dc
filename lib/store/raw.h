#ifndef STORE_RAW_H
#define STORE_RAW_H

/*
 * A partition's batches as they stand in its files, for who copies them
 * elsewhere: the same bytes, cut into the same segments.
 *
 * Nothing is hidden, neither aborted nor control batches, nor what a segment
 * has below the log start.  Each CRC is checked before bytes are given away.
 * No byte is given that is not on the device of its partition: a copy is never
 * ahead of what it is copied from, whatever happens to that one.  So what a
 * relaxed writer has made visible is synced first.
 *
 * As with a reader no lock is taken, and rolls, retention and compaction may
 * happen meanwhile: batches come with offsets that ascend, and a segment whose
 * base is not above the one before says that those were made one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/batch.h"
#include "store/partition.h"

struct fault;
struct raw;

/* Of p (not owned; one thread with it); stands at the log start. */
int raw_open(struct partition *p, struct raw **out, struct fault *f);
void raw_close(struct raw *r);

/*
 * Look at start and end again.  Errors as partition_offsets(), and of a sync.
 */
int raw_refresh(struct raw *r, struct fault *f);
int64_t raw_start(const struct raw *r);
/* Up to here all is on the device, and visible. */
int64_t raw_end(const struct raw *r);

/*
 * Go on with the batch that holds offset, or the first behind it.  -1: from the
 * beginning of the first segment that has something at or above the log start.
 */
void raw_seek(struct raw *r, int64_t offset);
/* What comes next, -1 while that is not known. */
int64_t raw_offset(const struct raw *r);

/* Whole batches of one segment, one behind the other. */
struct raw_run {
	int64_t segment;	/* base offset of the segment; -1 not known */
	const uint8_t *data;	/* valid until the next call */
	size_t len;		/* 0: this segment begins, or is the one */
	int64_t base_offset;	/* of the first of them */
	int64_t next_offset;	/* after the last of them */
	int32_t batches;
};
/*
 * The next batches, of at most max bytes in all, but one at least.  A run of no
 * bytes comes first of every segment.
 * STATUS_END		the end as last looked at
 * STATUS_OFFSET	what comes next was deleted; raw_seek() goes on
 * STATUS_CORRUPT	damage; f has file, position, offset
 * STATUS_UNSUPPORTED	a message set of version 0 or 1
 */
int raw_next(struct raw *r, size_t max, struct raw_run *out, struct fault *f);

/*
 * The header of the batch that holds offset, or of the last one before it if
 * there is a gap.  *cleaned: compaction may have been at it, or have taken what
 * stood there; if not, it has not.  Also of those that may not be on the device
 * yet.
 * STATUS_END: there is none.  The reading is not disturbed.
 */
int raw_batch_at(struct raw *r, int64_t offset, struct batch *out,
    bool *cleaned, struct fault *f);

/*
 * Is a batch that was given before (what tells it from others counts: offsets,
 * epoch, CRC) still what stands there, as far as it can be known?  If not, the
 * log was cut there since, or is another one.  What retention has deleted, and
 * what compaction may have taken, counts as kept.
 */
int raw_is_kept(struct raw *r, const struct batch *was, bool *kept,
    struct fault *f);

#endif
