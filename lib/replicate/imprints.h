#ifndef REPLICATE_IMPRINTS_H
#define REPLICATE_IMPRINTS_H

/*
 * Records by what tells them from others at the same offset: a hash of all that
 * is in them.  Compaction takes records out of batches, and writes these anew,
 * so that no batch of one side is one of the other; what it leaves are the same
 * records at the same offsets.
 *
 * Both sides tell theirs of a stretch of offsets.  Where both have a record it
 * has to be the same, or histories differ.  Where one side was never compacted
 * the other one can have nothing else; where neither was, batches that are not
 * the same are enough.
 *
 * Compaction is seen by what it leaves: batches of fewer records than offsets,
 * or with a delete horizon, and gaps between batches.  Nothing else does that,
 * and it changes no batch without.
 *
 * On the wire, big-endian: offset (8) and hash (8) of each, ascending.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/view.h"

struct imprint {
	int64_t offset;
	uint64_t hash;		/* timestamp, key, value, headers */
	int32_t epoch;		/* leader epoch; not on the wire */
};

struct record;

struct imprints {
	struct imprint *items;	/* owned; offsets ascend */
	size_t count;
	size_t cap;
	int64_t next;		/* behind the last batch */
	bool cleaned;		/* compaction was there, but for a gap behind */
};

enum imprint_verdict {
	IMPRINT_SAME,
	IMPRINT_DIFFERENT,
	IMPRINT_SILENT,		/* no offset is on both sides */
};

enum { IMPRINTS_MAX = 1 << 20 };

void imprints_init(struct imprints *l);
void imprints_release(struct imprints *l);
/*
 * Add all records of whole batches, control records too, from one offset to
 * another (included).  STATUS_TOO_BIG: over IMPRINTS_MAX.  STATUS_CORRUPT: they
 * do not add up.
 */
int imprints_add(struct imprints *l, struct view batches, int64_t from,
    int64_t last);
/* One, behind those that are in l. */
int imprints_add_one(struct imprints *l, const struct imprint *item);
/* The hash of a record; scratch is for its bytes. */
int imprints_hash(const struct record *r, struct buf *scratch, uint64_t *hash);
/* Errors as buf_reserve(). */
int imprints_encode(const struct imprints *l, struct buf *out);
/* STATUS_CORRUPT: no such list. */
int imprints_decode(struct view data, struct imprints *l);
/*
 * Theirs are those of one batch, of that epoch (or FRAME_EPOCH_ANY); ours of
 * the same stretch.
 */
enum imprint_verdict imprints_compare(const struct imprints *ours,
    const struct imprints *theirs, int32_t epoch);

#endif
