#ifndef STORE_READER_H
#define STORE_READER_H

/*
 * Reading a partition batch by batch, in the order of offsets.
 *
 * A reader takes no lock, disturbs no writer and survives what happens
 * meanwhile: rolls, retention, compaction.  It stops at the end as it was
 * when last looked at (reader_refresh); read_committed readers at the last
 * stable offset, others at visible.  Every CRC is checked.
 *
 * No batch's CRC covers its base offset and its leader epoch.  An offset has
 * to fit its place: above the batch before, below the next segment and the
 * end, and in the active segment of an open partition right behind the one
 * before.  So where offsets have no gaps one that has changed is told, at the
 * latest with the batch behind it.  In a closed segment one that moved inside
 * a gap that compaction left is not, nor is a changed epoch, which readers do
 * not use: they show against the segment's .sum, which check.h looks at.
 *
 * Memory is one block and one batch, whatever the size of the log.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/batch.h"
#include "store/partition.h"

struct fault;
struct reader;

enum reader_flag {
	READER_UNCOMMITTED = 1,	/* up to visible; aborted batches too */
	READER_CONTROL = 2,	/* control batches too */
};

/*
 * A reader on p (not owned; one thread with it), at the log start.  block is
 * the size of reads in bytes; 0 is a good one.
 */
int reader_open(struct partition *p, int flags, size_t block,
    struct reader **out, struct fault *f);
void reader_close(struct reader *r);

/* Look at the end again.  Errors as partition_offsets(). */
int reader_refresh(struct reader *r, struct fault *f);
/* The offsets as of the last look. */
const struct partition_offsets *reader_offsets(const struct reader *r);
/* Where this reader stops: last stable or visible. */
int64_t reader_end(const struct reader *r);

/*
 * Go to an offset.  Below the log start means the log start; *moved (may be
 * NULL) tells that.  Beyond the end is allowed: nothing is read until it is
 * reached.
 */
int reader_seek(struct reader *r, int64_t offset, bool *moved, struct fault *f);
/* The offset that is read next. */
int64_t reader_offset(const struct reader *r);

/*
 * The next batch that holds a record at or after reader_offset().  *data is
 * valid until the next call.  Its first records may lie before the offset
 * that was sought.
 * STATUS_END		the end as last looked at
 * STATUS_OFFSET	the log start has moved past the reader, which now
 *			stands at the first record that is left
 * STATUS_CORRUPT	damage; f has file, position and offsets.  Only
 *			reader_skip() goes on from here
 * STATUS_UNSUPPORTED	a message set of version 0 or 1
 * STATUS_REMOVED	the partition's directory is gone
 */
int reader_next(struct reader *r, struct batch *b, const uint8_t **data,
    struct fault *f);
/*
 * After STATUS_CORRUPT or STATUS_UNSUPPORTED: go on at the next valid batch,
 * or the next segment.  [*from, *to) are the offsets that cannot be read.
 */
int reader_skip(struct reader *r, int64_t *from, int64_t *to);
/*
 * The caller found the batch just returned to be damaged inside (its records
 * do not add up): its place, for a message.
 */
int reader_fault(const struct reader *r, const struct batch *b,
    const char *what, struct fault *f);

#endif
