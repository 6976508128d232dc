#ifndef REPLICATE_RECEIVER_H
#define REPLICATE_RECEIVER_H

/*
 * The side that writes: a state machine that is given the sender's frames and
 * answers each.  No descriptors; it blocks on its sink alone.
 *
 * It believes little: names of topics must be names, topics and partitions such
 * as it was told of, batches whole, their CRCs right, their offsets behind the
 * last; where the source begins and ends is what it says.  What it was sent is
 * durable when it says SYNCED, and visible not before.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "replicate/frame.h"
#include "replicate/report.h"
#include "replicate/sink.h"

struct receiver;

struct receiver_options {
	bool cut;		/* what differs from the source is cut */
	bool lasting;		/* it cannot be */
	bool mirror;		/* delete what the source has deleted */
	bool dry_run;
	bool named;		/* topics must have names: the sink is a root */
	bool either;		/* what the first one says: it is not there */
	/* The sender has no user to stop it: END comes when all is done. */
	bool pulls;
	const char *source;	/* where it is, in words; NULL: not known */
	int64_t parts_max;	/* topics and partitions; 0: no bound */
	struct reporter reporter;
	struct report_place place; /* for what the sender is told */
};

struct receiver_totals {
	int64_t partitions;
	int64_t bytes;
	int64_t cut;
	int64_t done, wanted;	/* offsets, about: come over, and to come */
	int status;		/* worst exit status of a partition */
};

enum {
	/* Bytes, and ms, after which what was appended is synced. */
	RECEIVER_SYNC_BYTES = 32 << 20,
	RECEIVER_SYNC_MS = 1000,
	RECEIVER_TOPICS_MAX = 1 << 20,
	/* Where the source is, is kept so often: if that changes, if not. */
	RECEIVER_KEEP_MS = 1000,
	RECEIVER_KEEP_IDLE_MS = 60000,
};

/* sink is the caller's; the text of o is copied. */
int receiver_new(struct sink *sink, const struct receiver_options *o,
    struct receiver **out);
void receiver_free(struct receiver *r);

/*
 * A frame has come; its data may be changed.  Answers go to out.  STATUS_END:
 * it was END, and is answered.  STATUS_CORRUPT: not now, or not one of a
 * sender, or DONE or END before all was sent that was offered (what has come
 * is durable); *what says why.  STATUS_NOT_TOPIC: one side is a topic, the
 * other a directory of them; *what says which.  STATUS_MISMATCH: somebody else
 * has written to a partition meanwhile, such as an earlier connection that was
 * given up here and not there: what it has is to be asked again.  Else an error
 * that concerns all.
 */
int receiver_frame(struct receiver *r, const struct frame *f, struct buf *out,
    const char **what);
/*
 * To be called when all frames that have come are taken, and each second.
 * alive: the sender was heard of lately.  Errors as receiver_frame().
 */
int receiver_tick(struct receiver *r, bool alive, struct buf *out);
/* It ends here: what has come is made durable.  Errors as receiver_frame(). */
int receiver_stop(struct receiver *r, struct buf *out);
/* As sender_behind(), of what is not durable here. */
int64_t receiver_behind(const struct receiver *r, size_t *partitions);
const struct receiver_totals *receiver_totals(const struct receiver *r);
/* Memory for what it was told of, in bytes. */
size_t receiver_memory(const struct receiver *r);

#endif
