#ifndef STORE_STREAM_H
#define STORE_STREAM_H

/*
 * One ordered stream of records out of many partitions: what logcat and
 * logtail print, and what later programs consume.
 *
 *	stream_open, stream_add for each partition,
 *	stream_next until STATUS_END,
 *	and to follow: watch_wait, stream_refresh, stream_next ...
 *
 * ORDER.  Without STREAM_MERGE: sources as added, each to its end.  With it:
 * by timestamp, ties by source as added.  The order inside a partition never
 * changes.
 *
 * BOUNDS.  A source gives the records of [from, to); to is cut to the end as
 * last looked at.  The filter hides records; it does not move bounds.
 *
 * With stream_reverse() all of that is turned round: the last record comes
 * first.  To turn STREAM_MERGE round, of several sources, each is read from its
 * beginning first, since a record that is older than one before it comes right
 * behind that one.
 *
 * MEMORY.  A block and a batch for each source that has something to read; with
 * stream_latest() what it is given besides.
 */

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/parse.h"
#include "store/partition.h"
#include "store/reader.h"

struct fault;
struct stream;

enum stream_flag {
	/* READER_UNCOMMITTED and READER_CONTROL mean the same here. */
	STREAM_MERGE = 16,
};

/* Which records are wanted; all conditions must hold. */
struct stream_filter {
	int64_t since;		/* timestamp >= since; INT64_MIN: any */
	int64_t newest;		/* timestamp <= newest; INT64_MAX: any */
	bool invert;		/* those below must not all hold */
	bool has_key;
	struct bytes key;	/* not owned */
	const regex_t *grep;	/* on the value; null never matches; or NULL */
	const regex_t *key_grep;	/* on the key, the same */
	bool has_header;	/* one of that name, and that value if it is */
	struct bytes header_name;	/* not owned */
	bool has_header_value;	/* to be compared */
	struct bytes header_value;
};
#define STREAM_FILTER_NONE                                                     \
	((struct stream_filter){.since = INT64_MIN, .newest = INT64_MAX})

struct stream_record {
	struct record rec;	/* valid until the next call */
	const char *topic;
	int32_t partition;
	bool is_control;
};

/* *filter is copied.  expected: how many sources, for the size of blocks. */
int stream_open(int flags, const struct stream_filter *filter, size_t expected,
    struct stream **out);
void stream_close(struct stream *s);

/*
 * Add a partition: p is the stream's from now on, also on failure; topic is
 * not.  from and to as resolved (stream_resolve); to INT64_MAX is open.
 */
int stream_add(struct stream *s, struct partition *p, const char *topic,
    int32_t number, int64_t from, int64_t to, struct fault *f);
size_t stream_count(const struct stream *s);

/*
 * A source that is no partition of ours, such as one of a cluster: records
 * come from these functions, and all else is as with partitions.  The stream
 * owns arg from stream_add_feed() on.
 */
struct stream_feed {
	void *arg;
	/*
	 * The next record below to, valid until the next call; may wait for
	 * it.  STATUS_END: none before to, or none now; offset() then tells
	 * how far the source was looked through.  Others: as stream_next().
	 */
	int (*next)(void *arg, int64_t to, struct record *out, struct fault *f);
	/* Go on at an offset. */
	int (*seek)(void *arg, int64_t offset, struct fault *f);
	/* After all that was given or passed over. */
	int64_t (*offset)(void *arg);
	/* Where it ended when it was last looked at. */
	int64_t (*end)(void *arg);
	void (*close)(void *arg);
};

/*
 * Add it.  Not for stream_latest() and stream_reverse(); what
 * stream_batch() gives is built of its records.
 */
int stream_add_feed(struct stream *s, const struct stream_feed *feed,
    const char *topic, int32_t number, int64_t from, int64_t to);

/*
 * What a position means in a partition now.  stored is what POSITION_STORED
 * stands for.  Outside the log: the nearest offset in it, and *clamped (may
 * be NULL) is -1 (was below the start) or 1 (past the end).
 */
int stream_resolve(struct partition *p, int flags, const struct position *pos,
    int64_t stored, int64_t *offset, int *clamped, struct fault *f);

/*
 * Of each source only the last record of each key, in [from, to) and within
 * the filter's times, that is not a tombstone; the filter's other conditions
 * choose among those.  memory is for keys, see latest.h: of one source after
 * the other, or with STREAM_MERGE of all together (at least KEYMAP_BYTES_MIN
 * each).  After all stream_add(); not with READER_CONTROL, nor for
 * stream_batch().
 */
int stream_latest(struct stream *s, size_t memory);
/*
 * From the end to the beginning.  After stream_add() and stream_last(), before
 * stream_next(); not for stream_batch(), stream_refresh() and
 * stream_position().
 */
int stream_reverse(struct stream *s);
/*
 * Let it begin where the last n wanted records begin: n of each source, or n
 * of all by timestamp (in the order of STREAM_MERGE).  Before stream_next().
 */
int stream_last(struct stream *s, int64_t n, bool per_partition,
    struct fault *f);

/*
 * The next record.  STATUS_END: every source is at its end as last looked at.
 * STATUS_CORRUPT, STATUS_UNSUPPORTED: damage (f); stream_skip() goes on.
 * STATUS_OFFSET: retention has overtaken a source, which goes on at the first
 * record left; f has its path and that offset.
 * STATUS_REMOVED: a partition's directory is gone (f); that source has ended.
 */
int stream_next(struct stream *s, struct stream_record *out, struct fault *f);
/*
 * The next batch of the only source, as it is if all its records are wanted
 * (and at most max), else rewritten with those that are, codec and offsets
 * kept.  *count is the number of its records.  No STREAM_MERGE, no key or
 * regex.  Results as stream_next().
 */
int stream_batch(struct stream *s, int64_t max, const uint8_t **data,
    size_t *len, int64_t *count, struct fault *f);
/* Go on behind damage.  [*from, *to) is what cannot be read. */
int stream_skip(struct stream *s, int64_t *from, int64_t *to);

/* Look at all ends again. */
int stream_refresh(struct stream *s, struct fault *f);
/* Have all sources with an end of their own reached it? */
bool stream_is_over(const struct stream *s);

/* Source i: its partition, and the offset after all it has given. */
void stream_position(const struct stream *s, size_t i, const char **topic,
    int32_t *number, int64_t *offset);

#endif
