#ifndef REPLICATE_SINK_H
#define REPLICATE_SINK_H

/*
 * Where batches go: what a receiver (receiver.h) asks of a directory
 * (disk_sink.h), and of whatever else may hold the same log.
 *
 * Topics have the numbers that the sender gave them, from 0 on.  All calls may
 * block on a disk, and those of a cluster on its answers; errors are those of
 * lib/store, and f says where.  STATUS_ROLE: it is no replica.  STATUS_CLUSTER:
 * a cluster cannot be asked any more, which ends all; other errors concern a
 * partition.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replicate/frame.h"
#include "replicate/imprints.h"

struct buf;
struct fault;
struct lineage;
struct properties;

struct sink_topic {
	const char *name;	/* "": what the sink is itself */
	int32_t partitions;	/* that many at least are to be */
	/*
	 * The source's.  One that is made has them; one that is there takes
	 * over what the source has changed since it told them last.
	 */
	const struct properties *settings;
	const uint8_t *identity; /* of the source, which it must not be */
	/* Nor one that the source is a copy of.  NULL: not known. */
	const struct lineage *lineage;
	const char *source;	/* where that is, in words; NULL: not known */
	/*
	 * What was done to it, or in a dry run would be, is appended, a line
	 * each: "made, 3 partitions", "becomes a copy",
	 * "set retention.ms=1000".  NULL: nobody asks.
	 */
	struct buf *done;
};

/*
 * For sinks: what ("made,", "grown to") and the partitions, to done.  As
 * buf_reserve().
 */
int sink_tell_made(const struct sink_topic *from, const char *what);

/* What a partition has. */
struct sink_state {
	int64_t start;
	int64_t end;		/* on the disk or not */
	struct frame_batch batch; /* the one asked for */
	/*
	 * It is of another topic than the source is, by what is known: where
	 * no batch can be compared, nothing goes on from it.
	 */
	bool is_foreign;
};

/*
 * Of batches that begin at or behind start and below end: what two sides that
 * hold the same say alike (digest.h).
 */
struct sink_digest {
	int64_t start;		/* the log's, if that is above the one asked */
	uint64_t value;
	int32_t batches;
	int64_t damaged;	/* a batch is, with this offset; -1: none */
};

/* How far the source has come, by partition; -1 where that is not known. */
struct sink_ends {
	const int64_t *ends;
	int32_t count;
	int64_t seen_ms;	/* when it said so last */
};

struct sink_position {
	const char *group;
	int32_t partition;
	int64_t offset;
	int32_t leader_epoch;
	int64_t commit_ms;
	struct view metadata;
};

struct sink {
	const struct sink_ops *ops;
};

struct sink_ops {
	/* The next number, or one known, which may have grown. */
	int (*topic)(struct sink *s, size_t topic, const struct sink_topic *t,
	    struct fault *f);
	/*
	 * Its bounds, and the last batch that begins at or below offset (-1: of
	 * all).  In a dry run what is not there is empty.
	 */
	int (*state)(struct sink *s, size_t topic, int32_t partition,
	    int64_t offset, struct sink_state *out, struct fault *f);
	/*
	 * Add the records of the last batch that begins at or below offset, and
	 * say whether compaction has been at it.  NULL: they cannot be told.
	 */
	int (*records)(struct sink *s, size_t topic, int32_t partition,
	    int64_t offset, struct imprints *out, struct fault *f);
	/*
	 * One that has nothing is to begin at start, within what comes first:
	 * once it has that, in this run or in another one.  NULL: it cannot.
	 */
	int (*begin)(struct sink *s, size_t topic, int32_t partition,
	    int64_t start, struct fault *f);
	/*
	 * Cut all behind offset, which is kept elsewhere.  What else changes
	 * with it, such as "group g: position 9 in partition 0 is set back to
	 * 5, ...", is appended to told, a line each, as far as there is room;
	 * that has happened even if the rest fails.
	 */
	int (*cut)(struct sink *s, size_t topic, int32_t partition,
	    int64_t offset, struct buf *told, struct fault *f);
	/*
	 * Append whole batches of one segment; not durable yet.  segment -1:
	 * that of the source is not known.  STATUS_MISMATCH: the log does not
	 * end where it did, so another one is at work.
	 */
	int (*append)(struct sink *s, size_t topic, int32_t partition,
	    int64_t segment, uint8_t *data, size_t len, struct fault *f);
	/* Make durable and visible all that was appended to a partition. */
	int (*sync)(struct sink *s, size_t topic, int32_t partition,
	    struct fault *f);
	/*
	 * Delete what is before start; -1: what this side's own settings say.
	 */
	int (*clean)(struct sink *s, size_t topic, int32_t partition,
	    int64_t start, struct fault *f);
	/* Positions of groups, those of each one behind the other: together. */
	int (*commit)(struct sink *s, size_t topic,
	    const struct sink_position *positions, size_t count,
	    struct fault *f);
	/*
	 * Read, check and digest.  What is damaged is told in out and is no
	 * error.  NULL: it cannot be (--checksum).
	 */
	int (*digest)(struct sink *s, size_t topic, int32_t partition,
	    int64_t start, int64_t end, struct sink_digest *out,
	    struct fault *f);
	/*
	 * Keep where the source is, for who asks how far this side is behind:
	 * at most once a second for a topic.  NULL: nobody can ask.
	 */
	int (*keep_ends)(struct sink *s, size_t topic,
	    const struct sink_ends *e, struct fault *f);
	void (*close)(struct sink *s);
};

#endif
