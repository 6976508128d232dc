#ifndef STORE_COMPACT_IMPL_H
#define STORE_COMPACT_IMPL_H

/*
 * The inside of compact.h, shared by compact.c (from where to where, in how
 * many passes), compact_walk.c (reading), compact_map.c (which record is the
 * last of its key), compact_batch.c (what stays of a batch) and
 * compact_segments.c (which segments become one).  Nobody else includes it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/batch.h"
#include "store/cleaned.h"
#include "store/compact.h"
#include "store/handful.h"
#include "store/keymap.h"
#include "store/partition.h"
#include "store/segment.h"
#include "store/transactions.h"

struct compaction {
	struct partition *p;
	const struct compact_options *o;
	struct compact_stats *stats;
	struct fault *f;
	struct segment_list segments;	/* the last is not touched */
	int64_t active;		/* the one that is written; -1: untouched */
	int64_t active_size;	/* bytes of it up to the log's end */
	struct keymap *map;
	int64_t upper;		/* nothing at or above is touched */
	int64_t dirty;		/* of this pass */
	int64_t end;		/* the map holds [dirty, end) */
	struct transactions *txns;
	struct segment_scan scan;
	struct buf scratch;	/* records unpacked */
	struct buf kept;	/* a byte for each record of a batch */
	struct batch_builder builder;
	int64_t earlier_timestamp;	/* largest of the segments done */
};

/* What is done with each batch of a segment; non-zero ends the walk. */
typedef int compact_visit(struct compaction *c, const uint8_t *data,
    const struct batch *b, void *arg);
/*
 * The batches of a segment from offset from on.  STATUS_CORRUPT fills c->f;
 * so does a segment, read as a whole, that is not what its .sum says.
 */
int compact_walk(struct compaction *c, int64_t base, int64_t from,
    compact_visit *fn, void *arg);
/*
 * The aborted transactions of segments from i on, for a walk from offset from:
 * those that end at or after it.  Of one that ended before, the walk would not
 * meet the marker, and take for aborted what its producer did later.
 */
int compact_begin_transactions(struct compaction *c, size_t i, int64_t from);
/* The next records of a batch; their keys only where the map is asked. */
int compact_take(const struct compaction *c, struct batch_records *it,
    struct handful *h);

/* Map the keys from c->dirty on.  c->end: how far there was memory for it. */
int compact_map(struct compaction *c);

/* Segments that become one. */
struct compact_group {
	size_t first, count;	/* in the list */
	int64_t base, next_base;
	struct cleaned *cleaned;	/* NULL: dry run */
	bool changed;
	int64_t size, size_left;
};
/* A compact_visit: arg is the group that gets what stays. */
int compact_batch(struct compaction *c, const uint8_t *data,
    const struct batch *b, void *arg);

/* Write all segments below c->end anew, in groups, and count them. */
int compact_segments(struct compaction *c);
/* Bytes; 0 if there is none. */
int64_t compact_file_size(const struct compaction *c, int64_t base,
    const char *suffix);

#endif
