#ifndef LOGREPLICATE_PROVENANCE_H
#define LOGREPLICATE_PROVENANCE_H

/*
 * Which topic records are sent from, and to which, for what must not be: that
 * they come round in a ring, or that two sources are taken for one.
 *
 *  1. What is sent to a topic that it comes from would come again, and again:
 *     the topic itself, one that the source is a copy of, or one that is named
 *     in a record's headers.
 *  2. Offsets that were sent are those of one topic, and of a copy that has
 *     taken its place.  Those of another one say nothing.
 *
 * Topics are told by their ids (16 bytes): a directory that a logserve serves
 * has that of its topic.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/bounds.h"
#include "replicate/stamp.h"
#include "store/batch.h"
#include "store/lineage.h"

struct fault;

struct provenance {
	struct lineage from;	/* the source's */
	uint8_t to[STAMP_SOURCE_LEN];
	bool has_to;		/* it is there */
	char name[TOPIC_NAME_MAX + 1]; /* of the destination */
};

/* The id that stamps have. */
const uint8_t *provenance_source(const struct provenance *p);
/* May it be sent there at all?  ELOOP; f says why. */
int provenance_check(const struct provenance *p, struct fault *f);
/* Are these its own offsets?  STATUS_DIFFERS; f says more. */
int provenance_check_mark(const struct provenance *p,
    const struct stamp_mark *m, struct fault *f);
/*
 * Has no record of a batch been there, or here, before?  ELOOP, or
 * STATUS_CORRUPT.
 */
int provenance_check_batch(const struct provenance *p, const uint8_t *data,
    const struct batch *b, struct buf *scratch, struct fault *f);

#endif
