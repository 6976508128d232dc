#ifndef DIRECT_SHELF_H
#define DIRECT_SHELF_H

/*
 * Partitions of a cluster, and of each what was fetched of it and not given
 * away yet.
 *
 * Of what a broker sends only whole batches are taken whose offsets ascend,
 * whose CRCs are right, and that end below the high watermark.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/view.h"
#include "direct/talk.h"
#include "store/raw.h"

struct fault;

enum { SHELF_PIECES = 2 };

/* The answer to a fetch, which the pieces of several partitions are in. */
struct shelf_answer {
	struct talk_answer a;
	size_t uses;
};

struct shelf_piece {
	struct shelf_answer *answer;
	struct view data;	/* what is left: whole batches */
};

struct shelf_part {
	size_t topic;
	int32_t number;
	int64_t start, end;	/* the broker's, as last told; -1 unknown */
	int64_t until;		/* nothing is given at or above this */
	bool look;		/* start and end are to be asked for */
	bool wanted;		/* it is to be fetched */
	bool asked;		/* by a request that is not answered: */
	int64_t asked_at;	/* what that is to begin with */
	int64_t at;		/* what is given next */
	int64_t ahead;		/* what is fetched next */
	int32_t epoch;		/* of the batch before ahead; -1 unknown */
	int32_t bytes_min;	/* of the batch at ahead, if it was cut */
	int32_t cuts;		/* answers in a row with that alone */
	int32_t empty;		/* answers in a row with nothing of anything */
	int64_t gap;		/* from at on there is nothing up to here */
	struct shelf_piece pieces[SHELF_PIECES];
	size_t count;
	int rc;			/* what stands behind the pieces; 0 more */
	const char *what;	/* a constant phrase */
	int64_t lost_ms;	/* no good answer since; 0: all is well */
};

struct shelf_topic {
	struct shelf_part **parts; /* by number; NULL: not added */
	int32_t count;
};

struct shelf {
	struct shelf_part **all; /* in the order of their topics, mostly */
	size_t count;
	size_t cap;
	struct shelf_topic *topics;
	size_t topic_count;
	size_t held;		/* bytes of answers in use */
	struct shelf_answer *spare;
};

void shelf_init(struct shelf *s);
void shelf_release(struct shelf *s);

/* A partition that was not added before. */
int shelf_add(struct shelf *s, size_t topic, int32_t number,
    struct shelf_part **out);
/* NULL: it was not added. */
struct shelf_part *shelf_find(const struct shelf *s, size_t topic,
    int32_t number);

/* An answer to be filled, used once; NULL: no memory. */
struct shelf_answer *shelf_answer(struct shelf *s);
/* It is filled. */
void shelf_filled(struct shelf *s, struct shelf_answer *a);
/* One use less; what nothing uses any more is given back. */
void shelf_drop_answer(struct shelf *s, struct shelf_answer *a);

/*
 * Records of a partition have come in an answer; end is the high watermark that
 * was told with them.  What is wrong with them is told by shelf_next(), behind
 * what is right.
 */
void shelf_put(struct shelf *s, struct shelf_part *p, struct shelf_answer *a,
    const uint8_t *data, size_t len, int64_t end);
/*
 * An answer had nothing of any partition, though end is above what was asked
 * for.  Twice in a row it is a gap, which compaction or a segment's end left.
 */
void shelf_put_nothing(struct shelf_part *p, int64_t end);
/* Forget what was fetched, and go on at offset. */
void shelf_seek(struct shelf *s, struct shelf_part *p, int64_t offset);
/*
 * The next batches, as raw_next(); it is what is at p->at.  EAGAIN: they are
 * not here yet.  STATUS_END: p->until.  A run of no bytes is a gap.
 */
int shelf_next(struct shelf *s, struct shelf_part *p, size_t max,
    struct raw_run *out);

#endif
