#ifndef STORE_COMPACT_H
#define STORE_COMPACT_H

/*
 * Compaction: of each key the last record is kept, for ever (cleanup.policy
 * compact).  What survives is what Apache Kafka's cleaner keeps:
 *
 *  1. Offsets never change, order never changes.  The active segment, what is
 *     at or above the last stable offset, and from the first segment on that
 *     has a record younger than min.compaction.lag.ms, is not touched (but for
 *     a key that is to go: all but the active segment).
 *  2. A record with a key goes if the key has a later one in the range that
 *     was looked at; a record without key goes.
 *  3. A tombstone (null value) stays for delete.retention.ms after the first
 *     pass that saw it as the last of its key: the pass writes that horizon
 *     into its batch (KIP-534).
 *  4. Batches of aborted transactions go at once; a marker when nothing of its
 *     transaction is left, and then after delete.retention.ms.
 *  5. A batch keeps its place, producer, sequence, epoch and codec.  Without
 *     records left it stays, empty, if it is a live producer's last one, or
 *     ends where the range ends.
 *  6. Neighbouring segments are merged while they fit segment.bytes.
 *
 * Memory is bounded: the keys of one pass take compact_options.memory bytes at
 * most; if they do not fit the range is done in several passes.
 *
 * It can be slowed down, and stopped (compact_options.pace).  A crash at any
 * moment leaves a whole log (cleaned.h).  Readers and writers go
 * on undisturbed.  Where it has been is told by SUM_COMPACTED in the .sum of a
 * segment: it was compacted together with all that is before it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "store/partition.h"

struct fault;
struct properties;

struct compact_options {
	int64_t now_ms;
	int64_t delete_retention_ms;
	int64_t min_lag_ms;
	int64_t max_lag_ms;	/* for compact_is_due() */
	double dirty_ratio;	/* the same */
	int64_t segment_bytes;
	int64_t index_bytes;
	size_t memory;		/* bytes; at least KEYMAP_BYTES_MIN */
	bool keep_last_only;	/* rules 2 to 4; else only drop is done */
	struct bytes drop;	/* a key all records of which go; null none */
	bool dry_run;		/* count only */
	bool include_active;	/* dry run: as if the log had been rolled */
	int64_t log_start;	/* dry run: as if it began there, or later */
	/*
	 * NULL, or called after every so many bytes of the log were read (a
	 * batch, each time that it is read).  It may take its time; what it
	 * returns, if not 0, ends the run.
	 */
	int (*pace)(void *arg, size_t bytes);
	void *pace_arg;
};

/* Those of a topic, as of now, with 128 MiB of memory. */
void compact_options_of(const struct properties *props, int64_t now_ms,
    struct compact_options *out);

struct compact_stats {
	int passes;
	int64_t end;		/* all below is compacted */
	int64_t keys;		/* in the largest pass */
	int64_t segments;	/* looked at */
	int64_t segments_left;
	int64_t bytes;
	int64_t bytes_left;
	int64_t records;
	int64_t records_left;
	int64_t tombstones_left;
	bool partial;		/* dry run: one pass did not hold all keys */
};

/*
 * Compact the sealed segments of p, which is open to write; for a dry run, to
 * read.
 * EAGAIN: another is cleaning it.  STATUS_CORRUPT: there is damage in it (f);
 * what was done before stands, and so it does after an error of o->pace.
 * Else errno; a full disk changes nothing.
 */
int compact_run(struct partition *p, const struct compact_options *o,
    struct compact_stats *stats, struct fault *f);

/*
 * Is it time, by min.cleanable.dirty.ratio and max.compaction.lag.ms?
 */
int compact_is_due(struct partition *p, const struct compact_options *o,
    bool *due);

#endif
