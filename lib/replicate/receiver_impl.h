#ifndef REPLICATE_RECEIVER_IMPL_H
#define REPLICATE_RECEIVER_IMPL_H

/*
 * The inside of struct receiver.  receiver.c has its life, and what it refuses;
 * receiver_topics.c takes topics, and keeps where the source is;
 * receiver_parts.c takes what is about a partition, and receiver_search.c, of
 * that, questions where the two sides part; receiver_groups.c takes positions
 * of groups.  Nobody else includes it.
 */

#include "replicate/receiver.h"
#include "store/groups.h"
#include "store/topic.h"

enum { RECEIVER_REASON_LEN = 700 };

struct receiver_part {
	bool offered;
	bool refused;
	bool open;		/* there is to be a DONE */
	bool fresh;		/* there was nothing when it was offered */
	bool is_damaged;	/* at damaged, as CHECKED has told */
	int64_t damaged;
	/* As of the last SYNCED, or where the first batch since begins. */
	int64_t from;
	int64_t end;		/* where the copy ends, by what we know */
	int64_t came;		/* the same, or where a segment is to begin */
	int64_t bytes;
	int64_t source_end;	/* as last heard */
	int64_t at;		/* come over to here, about */
};

struct receiver_topic {
	char name[TOPIC_NAME_MAX + 1];
	bool refused;
	struct receiver_part *parts;
	int32_t count;
	bool heard;		/* of ends that were not kept */
	int64_t kept_ms;	/* when they were; 0 never */
};

struct receiver {
	struct sink *sink;
	struct receiver_options o;
	struct receiver_topic *topics;
	size_t count;
	int64_t parts;		/* topics and partitions */

	/* What was appended and not synced: of one partition at a time. */
	bool dirty;
	uint32_t dirty_topic;
	int32_t dirty_part;
	int64_t dirty_bytes;
	int64_t dirty_ms;

	/* Positions of groups of one topic, with names and metadata. */
	struct sink_position *positions;
	size_t position_count;
	size_t position_cap;
	size_t position_bytes;
	uint32_t group_topic;
	int64_t gathered_ms;	/* since when */

	int64_t ticked_ms;
	struct receiver_totals totals;
	char why[RECEIVER_REASON_LEN]; /* of the last STATUS_CORRUPT, or "" */
};

/* Both sides are told, and nothing more of it is taken (partition -1: all). */
int receiver_refuse(struct receiver *r, uint32_t topic, int32_t partition,
    int rc, const struct fault *f, struct buf *out);
int receiver_refuse_text(struct receiver *r, uint32_t topic, int32_t partition,
    int status, const char *text, struct buf *out);
/* Of what was offered up to end not all has come: STATUS_CORRUPT, and why. */
int receiver_say_short(struct receiver *r, uint32_t topic, int32_t partition,
    int64_t end);
/* Errors after which nothing can be done for any partition. */
bool receiver_concerns_all(int rc);

/*
 * Lines, for both sides' users: of what was done to a topic (REPORT_DONE), or
 * of what they should know (REPORT_WARNED).  A NUL is added behind them.
 */
int receiver_tell(struct receiver *r, uint32_t topic, enum report_kind kind,
    struct buf *lines, struct buf *out);

/* receiver_topics.c: TOPIC has come. */
int receiver_take_topic(struct receiver *r, const struct frame *f,
    struct buf *out, const char **what);
/* Keep what was heard of ends; also what was not for idle_ms. */
void receiver_keep_all(struct receiver *r, int64_t idle_ms);

/* receiver_parts.c: a frame that is about a partition has come. */
int receiver_take_part_frame(struct receiver *r, const struct frame *f,
    struct buf *out);
/* HAVE: what is there, at offset (-1: the last batch). */
int receiver_answer_have(struct receiver *r, const struct frame *f,
    int64_t offset, struct receiver_part *p, struct buf *out);
/* What was appended is made durable. */
int receiver_sync_dirty(struct receiver *r, struct buf *out);

/*
 * receiver_search.c: EXAMINE has come: what is in a batch?  CHECK: what is
 * between two offsets?  DIVERGED: it is cut, or refused.
 */
int receiver_take_examine(struct receiver *r, const struct frame *f,
    struct buf *out);
int receiver_take_check(struct receiver *r, const struct frame *f,
    struct receiver_part *p, struct buf *out);
int receiver_take_diverged(struct receiver *r, const struct frame *f,
    struct receiver_part *p, struct buf *out);

/* receiver_groups.c: GROUP has come. */
int receiver_take_group(struct receiver *r, const struct frame *f,
    struct buf *out);
/* Those that have come are committed, or are not. */
int receiver_commit_positions(struct receiver *r, struct buf *out);
void receiver_forget_positions(struct receiver *r);
/* Have some come, to which more may be added before they are committed? */
bool receiver_waits_for_positions(const struct receiver *r);

#endif
