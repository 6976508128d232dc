#ifndef STORE_STREAM_IMPL_H
#define STORE_STREAM_IMPL_H

/*
 * The inside of struct stream, shared by stream.c (sources, their order),
 * stream_source.c (one source, forward), stream_choose.c (what is wanted of
 * it), stream_reverse.c (backward), stream_last.c (the last n) and
 * stream_batch.c (whole batches).  Nobody else includes it.
 */

#include "base/status.h"
#include "store/backward.h"
#include "store/latest.h"
#include "store/stream.h"

/* A wanted record of the batch at hand, for who goes back. */
struct place {
	size_t pos;		/* from the first record */
	int64_t time;		/* the largest timestamp up to it */
};

struct source {
	struct stream *stream;
	struct partition *p;
	struct reader *r;
	struct stream_feed feed; /* next NULL: it is p, read by r */
	const char *topic;
	int32_t number;
	int64_t from;
	int64_t to;		/* INT64_MAX: open */
	int64_t next;		/* after the last record given */
	bool removed;
	struct batch batch;
	const uint8_t *data;
	struct batch_records it;
	bool in_batch;		/* it is in use */
	bool has_head;		/* head is the next record (merge) */
	struct record head;
	int64_t head_time;	/* what it is merged by */
	struct buf scratch;
	struct latest *latest;	/* NULL: not only those */
	struct backward *back;	/* NULL: forward */
	int64_t limit;		/* going back: all at or above is given */
	int64_t batch_max;	/* largest timestamp before the batch */
	struct place *places;	/* owned */
	size_t place_count;	/* still to be given */
	size_t place_cap;
};

struct stream {
	int flags;
	size_t block;
	struct stream_filter filter;
	bool filtering;		/* the filter hides something */
	struct source *sources;
	size_t count;
	size_t cap;
	size_t current;		/* without merge; going back from the end */
	bool reverse;
	struct source *failed;	/* who met the damage last reported */
	struct batch_builder rewrite;
	int held_rc;		/* to be told after a batch that it ended */
	struct fault held;
};

/* Is it a feed, no partition? */
bool stream_source_is_fed(const struct source *src);
/* The offset after the last record, as last looked at. */
int64_t stream_source_end(const struct source *src);
int stream_source_seek(struct source *src, int64_t offset, struct fault *f);
/* Damage here was told before: it is passed over. */
bool stream_source_is_told(const struct source *src, int rc, int64_t offset);
/* What batch_records_next() has met is damage, here. */
int stream_source_damaged(struct source *src, int rc, struct fault *f);
/* The next batch that may hold something wanted. */
int stream_source_batch(struct stream *s, struct source *src, struct fault *f);
/* The next wanted record, and that of a feed. */
int stream_source_next(struct stream *s, struct source *src, struct record *out,
    struct fault *f);
int stream_source_of_feed(struct stream *s, struct source *src,
    struct record *out, struct fault *f);

/* Could the batch at hand hold a wanted record? */
bool stream_choose_batch(const struct stream *s, const struct source *src);
/* Does the filter let it through? */
bool stream_choose_wants(const struct stream *s, const struct record *rec);
/* The same where it takes a look at other records, too. */
int stream_choose_record(struct stream *s, struct source *src,
    const struct record *rec, bool *wanted, struct fault *f);

/* The wanted record before those that the source has given. */
int stream_reverse_prev(struct stream *s, struct source *src,
    struct record *out, struct fault *f);

#endif
