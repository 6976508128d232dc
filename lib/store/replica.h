#ifndef STORE_REPLICA_H
#define STORE_REPLICA_H

/*
 * A replica: a partition that holds what another one holds, byte for byte, at
 * the same offsets, in segments that begin at the same ones.  It is filled here
 * and nowhere else: to local writers its role says no (STATUS_ROLE).
 *
 *  1. Batches are written as they come; offset and leader epoch stay.  Gaps
 *     are legal: compaction leaves them where the batches come from.
 *  2. A segment ends where the source says so, and not by this topic's
 *     settings.  Only what a segment cannot hold (2^31-1 bytes, offsets within
 *     2^31 of its base) ends it earlier.  Of a source that does not show its
 *     segments (a Kafka cluster) they end by this topic's settings, as the age
 *     and size of local appends would have it, by the records' timestamps.
 *     One that was promoted, and demoted again, keeps the segment that began
 *     there, also if it is empty: to open the one before again would mean to
 *     recover it, and so to cut it at any damage.
 *  3. What was appended is visible once it is synced (partition_sync()), as
 *     with a durable writer, and recovery is the same.
 *
 * A partition becomes a replica if it never had a record (replica_adopt) or
 * because somebody says so (replica_demote), and an open one again by
 * partition_set_role(), with a new epoch: the failover.  One that was promoted
 * is its writers' own, whatever is in it, until somebody says so.
 *
 * All but replica_look() on a partition opened with PARTITION_WRITE.
 */

#include <stdint.h>

#include "store/partition.h"

struct fault;

enum { REPLICA_OWN_SEGMENTS = -1 };

enum replica_stand {
	REPLICA_IS,
	REPLICA_CAN_BE,		/* open, never promoted, never had a record */
	REPLICA_PROMOTED,	/* was one */
	REPLICA_OTHER,		/* its writers' own, or a server's */
};

/* What it is now, for who would copy to it. */
int replica_look(struct partition *p, enum replica_stand *out, struct fault *f);
/*
 * Be a replica: nothing happens to one that is; one that can be becomes one.
 * STATUS_ROLE: it is something else.
 */
int replica_adopt(struct partition *p, struct fault *f);
/* An open partition becomes a replica, whatever is in it (fail-back). */
int replica_demote(struct partition *p, struct fault *f);

/*
 * Append whole batches, all of the source's segment with that base.  If that is
 * above our active one's, the active segment ends first, at that offset.  A len
 * of 0 does this alone.  segment is REPLICA_OWN_SEGMENTS: the source's are not
 * known.
 * STATUS_CORRUPT	malformed, a CRC does not match, or nothing could come
 *			behind it (PARTITION_OFFSET_MAX, PARTITION_EPOCH_MAX):
 *			nothing is written
 * STATUS_DIFFERS	an offset or leader epoch is below the last one, or an
 *			offset below the segment's base: nor then
 * STATUS_ROLE		not a replica (any more)
 * Else as partition_append().  data is not changed.
 */
int replica_append(struct partition *p, int64_t segment, uint8_t *data,
    size_t len, struct fault *f);

/*
 * The same if the log ends at *end, which then is where it ends.
 * STATUS_MISMATCH: it does not, for another one has appended to it meanwhile.
 */
int replica_append_at(struct partition *p, int64_t *end, int64_t segment,
    uint8_t *data, size_t len, struct fault *f);

/*
 * Cut the log: all batches that end above offset go to lost+found/, the last
 * segment first.  A crash between leaves a log that is cut in part, and the
 * next call goes on.
 */
int replica_truncate(struct partition *p, int64_t offset, struct fault *f);

#endif
