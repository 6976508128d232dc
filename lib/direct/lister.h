#ifndef DIRECT_LISTER_H
#define DIRECT_LISTER_H

/*
 * What there is of partitions, asked of their leaders: start and end (of what
 * is replicated: the high watermark), for as many as are to be looked at at
 * once; and single batches, for a comparison.
 */

#include "direct/chart.h"
#include "direct/shelf.h"
#include "replicate/frame.h"

struct fault;

/* How long is it tried? */
struct lister_patience {
	int64_t timeout_ms;	/* while brokers do not answer */
	int64_t leader_ms;	/* while they do, but there is no leader */
};

/*
 * Look at all partitions of the shelf with look set, which is cleared where an
 * answer came: start and end, or rc and what (STATUS_TIMEOUT: no leader).
 * Errors of chart.h, where nothing at all can be had.
 */
int lister_look(struct chart *c, struct shelf *s,
    const struct lister_patience *w, struct fault *f);

/*
 * The first offset of a record of that time or later; -1: there is none.
 * STATUS_TIMEOUT: the partition has no leader.
 */
int lister_offset_at(struct chart *c, size_t topic, int32_t partition,
    int64_t time_ms, const struct lister_patience *w, int64_t *offset,
    struct fault *f);

/*
 * The header of the batch that holds offset.  If that is in a gap, or behind
 * the end, base_offset is -1, and leader_epoch that of the offset, or of the
 * end INT32_MAX.  STATUS_END: it is before the start.  STATUS_TIMEOUT: the
 * partition has no leader.
 */
int lister_batch_at(struct chart *c, size_t topic, int32_t partition,
    int64_t offset, const struct lister_patience *w, struct frame_batch *out,
    struct fault *f);

#endif
