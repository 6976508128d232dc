#ifndef STORE_LOOKUP_H
#define STORE_LOOKUP_H

/*
 * Questions to a partition: where is a time, an epoch, a range of bytes.
 * What a server answers ListOffsets, OffsetForLeaderEpoch and Fetch with.
 * No locks; one thread per struct partition.
 */

#include <stdbool.h>
#include <stdint.h>

#include "store/partition.h"
#include "store/reader.h"

struct fault;

/*
 * The first record, at or after the log start and below the reader's end,
 * with a timestamp >= timestamp: its offset and timestamp (ListOffsets by
 * time, KIP-79).  STATUS_END if there is none: *offset is then that end.
 * r is used for the walk and stands anywhere afterwards.
 */
int lookup_time(struct partition *p, struct reader *r, int64_t timestamp,
    int64_t *offset, int64_t *found, struct fault *f);

/*
 * The first record with the largest timestamp, in the same range (ListOffsets,
 * KIP-734).  STATUS_END if there is none, or none has a timestamp.  The rest is
 * as above.
 */
int lookup_max_timestamp(struct partition *p, struct reader *r, int64_t *offset,
    int64_t *found, struct fault *f);

/* The leader epoch of the record at offset; -1: not known. */
int lookup_epoch_at(struct partition *p, int64_t offset, int32_t *epoch,
    struct fault *f);

/*
 * Where a leader epoch ended (OffsetForLeaderEpoch, KIP-101 and KIP-279); see
 * epoch_end_offset().  Without a leader-epoch-checkpoint the epochs are read
 * from the batches.
 */
int lookup_epoch(struct partition *p, int32_t epoch, int32_t *found,
    int64_t *end, struct fault *f);

/*
 * Whole batches as a stretch of a file, to be sent as they are (sendfile).
 * The first one holds offset, or is the first behind it; its earlier records
 * may lie below.  The stretch ends before a batch that would pass max bytes
 * (but has at least one batch), at end, or at the segment's end.
 */
struct lookup_range {
	int fd;			/* the caller closes it */
	int64_t pos;		/* in the file */
	int64_t len;		/* bytes */
	int64_t base_offset;	/* of the first batch */
	int64_t next_offset;	/* after the last one */
	bool may_abort;		/* the partition has, or had, transactions */
};

/*
 * end is the offset to stop at (partition_offsets: high watermark or last
 * stable).  STATUS_END: nothing at or after offset below end (no fd).
 * STATUS_OFFSET: offset is below the log start or above the log end.
 * STATUS_CORRUPT: the headers do not add up.  CRCs are not checked.
 */
int lookup_range(struct partition *p, int64_t offset, int64_t end, int64_t max,
    struct lookup_range *out, struct fault *f);

/*
 * The same for who may not wait for the device: the stretch behind one of the
 * last ones, of the same segment, up to what readers see (committed: those that
 * read what is committed).  Of many small batches it is about a megabyte at
 * most.  offsets is set, too.  STATUS_END as above, or no bytes are wanted.
 * EAGAIN: ask as above; it is not in memory, or not that simple, as where what
 * is committed is asked for and something may be aborted.
 */
int lookup_next(struct partition *p, int64_t offset, bool committed,
    int64_t max, struct partition_offsets *offsets, struct lookup_range *out);
/* That one is used, and the next one will be asked for. */
void lookup_took(struct partition *p, int64_t offset,
    const struct lookup_range *r);

struct aborted_list;
/*
 * The aborted transactions that have records in [from, upto), for a consumer
 * that is to hide them (KIP-98): added to l, in the order of their markers.
 * There are none where lookup_range() says that there may not be.
 * upto is at most the last stable offset.  Errors as txnindex_read().
 */
int lookup_aborted(struct partition *p, int64_t from, int64_t upto,
    struct aborted_list *l, struct fault *f);

#endif
