#ifndef STORE_CHECK_IMPL_H
#define STORE_CHECK_IMPL_H

/*
 * The inside of check_run(), shared by check.c (what is read when, and again),
 * check_state.c (partition.state, and the segment that it tells of),
 * check_segment.c (one segment) and check_batch.c (what adds up over all of
 * them).  Nobody else includes it.
 */

#include "store/check.h"
#include "store/inspect.h"
#include "store/partition_impl.h"
#include "store/producer.h"

struct checker {
	struct partition *p;
	bool own;
	struct check *out;
	struct state st;
	bool has_state;		/* a slot of partition.state is whole */
	bool is_latest;		/* and it is the last one written */
	bool is_ours;		/* the state was written with these files */
	bool live;		/* and its end is where the log ends */
	struct segment_list segments;
	uint64_t *identities;	/* of the segments, as they were read */
	struct segment_list snapshots;
	size_t snapshot;	/* the next one to be compared */
	struct epoch_list epochs;	/* of the checkpoint */
	bool has_epochs;
	struct producer_table *producers;
	bool sure;		/* of the producers: no offset is missing */
	int64_t expected;	/* the next offset, then */
	struct aborted_list derived;	/* of the segment being read */
	/* Of the batches of one segment. */
	bool epoch_differs;
	bool epoch_descends;
	int32_t last_epoch;
	bool last_try;
	int64_t log_start;
	int64_t done;		/* after the last offset so far */
};

/* A finding without bytes.  Errors of check_add(). */
int check_note(struct checker *c, enum check_part part, int64_t base,
    const char *what, int64_t offset, int64_t offset_end);
/* Is there a finding of that part already? */
bool check_has(const struct checker *c, enum check_part part);
/* For a moment, while somebody writes. */
void check_wait(void);

/* Fills st, has_state, is_latest, is_ours and live. */
int check_state_read(struct checker *c);
/* What the state says of the last segment, if it tells of it. */
void check_state_expect(struct checker *c, struct inspect *in);
/* Does it agree with what was seen of that? */
int check_state_judge(struct checker *c, struct inspect *in);
/* Is the segment there that it tells of? */
int check_state_end(struct checker *c);
/* Are there bytes behind the end? */
int check_state_tail(struct checker *c);

/* An inspect's on_batch: epochs, producers, aborted transactions. */
int check_batch(const uint8_t *data, const struct batch *b, void *arg);
/* Compare the snapshots up to offset with the producers of all before. */
int check_snapshots(struct checker *c, int64_t offset);

/* Segment i.  EAGAIN: its files are just being replaced. */
int check_segment(struct checker *c, size_t i, struct fault *f);

#endif
