#ifndef REPLICATE_DIGEST_H
#define REPLICATE_DIGEST_H

/*
 * A number that stands for the batches of a range of offsets: two sides that
 * have the same batches there get the same one, and two that do not get the
 * same with a chance of 2^-64.
 *
 * Over each batch in order: base offset, last offset, leader epoch, CRC, as in
 * the frame field "batch"; chained with SipHash-2-4, key 0, of which the low 64
 * bits count.  No batch at all: 0.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"

struct digest {
	int64_t start;		/* batches that begin at or behind it */
	int64_t end;		/* and below it */
	uint64_t value;
	int32_t batches;
	int64_t next;		/* behind the last of them, or start */
	/* Compaction has been there: a gap, or a batch that it has marked. */
	bool cleaned;
};

/* Nothing yet, of that range. */
void digest_begin(struct digest *d, int64_t start, int64_t end);
/*
 * The next batches, whole; those outside of the range do not count.
 * STATUS_CORRUPT: they are none.  Their CRC is not checked.
 */
int digest_add(struct digest *d, struct view batches);

#endif
