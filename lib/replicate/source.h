#ifndef REPLICATE_SOURCE_H
#define REPLICATE_SOURCE_H

/*
 * Where batches come from: what a sender (sender.h) asks of a directory
 * (disk_source.h), and of whatever else may hold the same log.
 *
 * Topics have numbers from 0 on, as long as the source lives, and partitions
 * theirs.  Errors are those of lib/store, and f says where.
 *
 * A directory's calls block on its disk alone.  A source on another host may
 * wait for an answer to any of them but next() and turn(): what next() has not
 * got yet (EAGAIN) is asked for and taken in by turn().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replicate/frame.h"
#include "replicate/imprints.h"
#include "store/lineage.h"
#include "store/raw.h"

struct fault;
struct position;
struct properties;

/* What may have changed, of what is followed. */
struct source_changed {
	enum {
		SOURCE_TOPICS,	/* which there are, their settings: refresh() */
		SOURCE_GROUPS,	/* positions of groups of a topic */
		SOURCE_PARTITION, /* bounds of a partition */
	} what;
	size_t topic;
	int32_t partition;
};

struct source_topic {
	/* In a root; "" if the one topic is what the source is. */
	const char *name;
	int32_t partitions;	/* 0 to this - 1 exist */
	const struct properties *settings;
	uint8_t identity[FRAME_IDENTITY_LEN];
	struct lineage lineage;	/* as far as it is known */
};

/* How far a group has come. */
struct source_position {
	const char *group;
	int32_t partition;
	int64_t offset;
	int32_t leader_epoch;
	int64_t commit_ms;
	struct view metadata;
};

struct source {
	const struct source_ops *ops;
};

struct source_ops {
	/*
	 * Look again at which topics and partitions there are.  *count: topics,
	 * of which those known before keep their numbers.
	 */
	int (*refresh)(struct source *s, size_t *count, struct fault *f);
	/* A topic; what it points to is valid until the next refresh. */
	int (*topic)(struct source *s, size_t topic, struct source_topic *out,
	    struct fault *f);
	/* Is a partition among those asked for? */
	bool (*has)(struct source *s, size_t topic, int32_t partition);
	/* Its start, and the end of what may be sent, as of now. */
	int (*bounds)(struct source *s, size_t topic, int32_t partition,
	    int64_t *start, int64_t *end, struct fault *f);
	/*
	 * The next run at or behind offset (-1: the first there is), up to the
	 * end as bounds() told it; see raw_next().  Called with the offset that
	 * the last run ended at it goes on.
	 * EAGAIN: it is not here yet; turn() will tell.
	 */
	int (*next)(struct source *s, size_t topic, int32_t partition,
	    int64_t offset, size_t max, struct raw_run *out, struct fault *f);
	/* See raw_batch_at(). */
	int (*batch_at)(struct source *s, size_t topic, int32_t partition,
	    int64_t offset, struct frame_batch *out, bool *cleaned,
	    struct fault *f);
	/*
	 * Is a batch that next() gave still what stands there?  See
	 * raw_is_kept().  NULL: what was given does not change.
	 */
	int (*is_kept)(struct source *s, size_t topic, int32_t partition,
	    const struct frame_batch *was, bool *kept, struct fault *f);
	/*
	 * Add the records from one offset to another (included), as
	 * imprints_read().  NULL: they cannot be told.
	 */
	int (*records)(struct source *s, size_t topic, int32_t partition,
	    int64_t from, int64_t last, struct imprints *out, struct fault *f);
	/*
	 * Positions of groups, one after the other; from i = 0 on they are
	 * looked at anew.  STATUS_END behind the last.
	 */
	int (*position)(struct source *s, size_t topic, size_t i,
	    struct source_position *out, struct fault *f);
	/*
	 * A descriptor to be polled (POLLIN: call turn), or -1: look now and
	 * then.
	 */
	int (*wait_fd)(struct source *s);
	/*
	 * To be called before each wait: take in what has come, and ask for
	 * what is wanted, without waiting.  *woken: other calls may have more
	 * to say than they had.  Its errors concern all.
	 */
	int (*turn)(struct source *s, bool *woken, struct fault *f);
	/*
	 * To follow: the next of what may have changed since it was told here.
	 * Asked after turn() has said that it woke, and each second, so that a
	 * source may tell each partition now and then, in turn, for what
	 * it may have missed.  False: there is nothing.  NULL: all of them are
	 * looked at each second.
	 */
	bool (*changed)(struct source *s, struct source_changed *out);
	/*
	 * Where a copy that is new shall begin: the offset that pos stands for,
	 * between the bounds as bounds() told them.  Never POSITION_STORED.
	 * NULL: it cannot be said.
	 */
	int (*find)(struct source *s, size_t topic, int32_t partition,
	    const struct position *pos, int64_t *offset, struct fault *f);
	void (*close)(struct source *s);
};

#endif
