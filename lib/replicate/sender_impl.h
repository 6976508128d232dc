#ifndef REPLICATE_SENDER_IMPL_H
#define REPLICATE_SENDER_IMPL_H

/*
 * The inside of struct sender.  sender.c has its states, and what is to be
 * done; sender_topics.c tells of topics; sender_data.c sends a partition's
 * records; sender_frames.c takes what the other side says, and refuses;
 * sender_look.c looks at what has changed.  search.c (where to go on),
 * checking.c (is all of it the same) and positions.c (of groups) do the rest.
 * Nobody else includes it.
 */

#include <sys/queue.h>

#include "base/bounds.h"
#include "base/status.h"
#include "replicate/halving.h"
#include "replicate/sender.h"

enum { SENDER_REASON_LEN = 700 };

enum sender_state {
	SENDER_NEW,
	SENDER_OFFERED,
	SENDER_CHECKING,
	SENDER_AWAITING,
	SENDER_NARROWING,
	SENDER_SEARCHING,
	SENDER_EXAMINING,
	SENDER_CUTTING,
	SENDER_SENDING,
	SENDER_WAITING,
	SENDER_CLOSING,
	SENDER_CURRENT,
	SENDER_REFUSED,
};

struct sender_part {
	TAILQ_ENTRY(sender_part) link; /* of its state's list, if it has one */
	size_t topic;
	int32_t number;
	enum sender_state state;
	int64_t start, end; /* the source's, as last looked at */
	int64_t next; /* what is sent next; -1 the first there is */
	int64_t from; /* where sending began this time */
	int64_t floor;		/* no segment begins below it */
	int64_t begin;		/* of a copy that is new; start if less */
	bool stale;		/* it may have grown since */
	bool late;		/* come while following: all of it is wanted */
	int64_t bytes;
	int64_t their_end;	/* the receiver's, when it was offered */
	bool is_foreign;	/* theirs is of another topic, it seems */
	bool renewed;		/* the topic is another one, by its name */
	int64_t missed;		/* from here on was deleted too early; or -1 */
	/* The source's, where both have the same last; base_offset -1: none. */
	struct frame_batch last;
	struct halving halving;	/* for where both part */
	int64_t asked;		/* what ASK or DIVERGED said */
	struct frame_batch theirs; /* what is compared */
	struct frame_batch ours; /* where that begins; base_offset -1: none */
	int64_t looked_ms;	/* when start and end were looked at */
	int64_t again_ms;	/* refused: it is tried again then; 0 never */
	int64_t pause_ms;	/* it was waited for that; 0 not */
	struct checking *checking; /* owned; NULL: not at it */
};

TAILQ_HEAD(sender_parts, sender_part);

/* A position, as it was sent last. */
struct sender_position {
	uint64_t key;		/* a hash of group and partition; 0: none */
	int64_t offset;
	int32_t leader_epoch;
};

struct sender_topic {
	char name[TOPIC_NAME_MAX + 1];
	struct sender_part **parts; /* by number; NULL: not asked for */
	int32_t count;
	bool refused;
	bool removed;		/* at the source, and it was told */
	int64_t again_ms;	/* as of a partition */
	int64_t pause_ms;
	bool stale;		/* settings or partitions may have changed */
	bool groups_due;	/* positions that were not told yet */
	uint64_t *beyond;	/* hashes of those that cannot be; owned */
	size_t beyond_count;
	/*
	 * Following: those that were sent, by key, so that they are not sent
	 * again unless something was lost over there; owned.
	 */
	struct sender_position *positions;
	size_t position_slots;	/* a power of 2, or 0 */
	size_t position_count;
	bool is_told;
	uint64_t told;		/* a hash of name and settings, as told */
	uint8_t identity[FRAME_IDENTITY_LEN]; /* the same */
};

struct sender {
	struct source *src;
	struct sender_options o;
	struct sender_topic *topics;
	size_t count;
	struct sender_parts fresh; /* NEW */
	struct sender_parts checking; /* CHECKING */
	struct sender_parts ready; /* SENDING */
	struct sender_parts waiting; /* WAITING */
	size_t unsettled; /* neither CURRENT nor REFUSED */
	size_t offered; /* OFFERED */
	size_t lost;		/* REFUSED for ever */
	bool failed;		/* some are, or were, for a while */
	size_t waits; /* WAITING */
	int64_t credit;
	bool begun;
	bool looked;		/* the first topics are known */
	bool stopping;
	bool end_sent;
	bool end_come;
	int64_t topics_ms;	/* when they were looked at */
	int64_t groups_ms; /* when last sent; 0 never */
	struct sender_totals totals;
	struct fault fault;	/* of STATUS_CLUSTER */
};

/*
 * The source's next run, waited for where it is not here yet: for what is not
 * to be sent.
 */
int sender_read(struct sender *s, const struct sender_part *p, int64_t offset,
    size_t max, struct raw_run *out, struct fault *f);

/* Is it being found out where to go on?  Each of these states is open. */
bool sender_is_in_question(enum sender_state state);
/* The only place where a partition's state changes. */
void sender_enter(struct sender *s, struct sender_part *p,
    enum sender_state state);
/*
 * An error of our own, which concerns this partition alone; but for one of the
 * way to the source, which is returned.
 */
int sender_refuse(struct sender *s, struct sender_part *p, int rc,
    const struct fault *f, struct buf *out);
void sender_report(struct sender *s, const struct sender_part *p,
    enum report_kind kind);
/* Something of a topic that the users of both sides should know. */
int sender_warn(struct sender *s, size_t topic, const char *text,
    struct buf *out);

/* sender_topics.c: topics and partitions that are new, or have changed. */
int sender_look_at_topics(struct sender *s, struct buf *out, struct fault *f);
/* What it is, unless that was told: its name, settings, what it comes from. */
int sender_announce(struct sender *s, size_t topic,
    const struct source_topic *t, struct buf *out);
/* One that was removed: what it is by now, and then that it is there. */
int sender_tell_anew(struct sender *s, size_t topic, struct buf *out,
    struct fault *f);
int sender_tell_return(struct sender *s, size_t topic, struct buf *out);
/* It is found out again where to go on. */
void sender_begin_anew(struct sender *s, struct sender_part *p);

/* sender_data.c: begin with a partition; some of its records. */
int sender_offer(struct sender *s, struct sender_part *p, struct buf *out);
int sender_send(struct sender *s, struct sender_part *p, struct buf *out);
/*
 * What both have last must stand there still: else the source was cut, or is
 * another one, and what stands behind does not belong behind what was sent.
 */
int sender_look_back(struct sender *s, struct sender_part *p, bool *kept,
    struct fault *f);

/* sender_look.c: has a partition grown, or all of a topic's? */
int sender_look_at_part(struct sender *s, struct sender_part *p,
    struct buf *out);
int sender_look_at_parts(struct sender *s, struct sender_topic *t,
    struct buf *out);

/* So far the source goes now, and here it begins: nobody answers. */
int sender_tell_extent(const struct sender_part *p, int64_t start,
    struct buf *out);

/* search.c: the answer to OFFER, ASK, EXAMINE, and DIVERGED has come. */
int search_take_offer(struct sender *s, struct sender_part *p,
    const struct frame *f, struct buf *out);
int search_take_found(struct sender *s, struct sender_part *p,
    const struct frame *f, struct buf *out);
int search_take_records(struct sender *s, struct sender_part *p,
    const struct frame *f, struct buf *out);
int search_take_cut(struct sender *s, struct sender_part *p,
    const struct frame *f, struct buf *out);
/* Their batch (theirs): is it ours, too?  If not, where do both part? */
int search_judge(struct sender *s, struct sender_part *p, struct buf *out);
/* All that ends above offset is to be cut over there. */
int search_cut(struct sender *s, struct sender_part *p, int64_t offset,
    struct buf *out);
/* Send from next on. */
void search_go_on(struct sender *s, struct sender_part *p, int64_t next);

/*
 * checking.c: compare all that both have, up to end, by digests of ranges; then
 * the last batches.  Errors as sender_frame().
 */
int checking_begin(struct sender *s, struct sender_part *p,
    const struct frame *have, struct buf *out);
/* Read some more of it. */
int checking_step(struct sender *s, struct sender_part *p, struct buf *out);
int checking_take(struct sender *s, struct sender_part *p,
    const struct frame *f, struct buf *out);

/*
 * positions.c: those of all groups, as far as the records are over there, that
 * were not sent; and all of them again, if any has to be.
 */
int positions_send(struct sender *s, struct buf *out, struct fault *f);
void positions_forget(struct sender_topic *t);

#endif
