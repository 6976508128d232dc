#ifndef REPLICATE_SENDER_H
#define REPLICATE_SENDER_H

/*
 * The side that reads: a state machine that is given the receiver's frames and
 * makes its own.  No descriptors, no clock; it blocks on its source alone.
 *
 * A partition, from NEW on:
 *
 *	NEW -> OFFERED		OFFER, with the source's bounds
 *	OFFERED -> SENDING	HAVE: the last batch there is ours, too
 *	OFFERED -> CHECKING	all is to be compared: CHECK, range by range
 *	CHECKING -> AWAITING	enough was asked; CHECKED is to come
 *	AWAITING -> NARROWING	a range differs: CHECK halves of it
 *	NARROWING -> CUTTING	DIVERGED: the first that differs begins here
 *	AWAITING -> SENDING	all is the same, the last batch, too
 *	OFFERED -> SEARCHING	the last batch is not: ASK (halving.h)
 *	OFFERED -> EXAMINING	it may have been compacted: what is in it?
 *	SEARCHING -> EXAMINING	the same
 *	EXAMINING -> SENDING	RECORDS: it is ours, too; or SEARCHING
 *	AWAITING -> SEARCHING	the same, behind what was compared
 *	SEARCHING -> CUTTING	DIVERGED: the last that is common ends here
 *	CUTTING -> SENDING	HAVE: it was cut
 *	SENDING -> WAITING	the source has not got more yet
 *	WAITING -> SENDING	it may have (sender_resume)
 *	SENDING -> CLOSING	DATA until the end, then DONE
 *	CLOSING -> CURRENT	SYNCED: it is on the disk over there
 *	CURRENT -> SENDING	there is more (sender_look)
 *	CURRENT -> NEW		following: the source was cut, or is another
 *	SENDING -> NEW		the same
 *	any -> REFUSED		REFUSE, from either side
 *	REFUSED -> NEW		following, after a while, if its status was 1
 *
 * Batches are the same if offsets, leader epoch and CRC are, or, where
 * compaction was on either side, leader epoch and all records that both have
 * (imprints.h).  If they have none there what is before it decides.  Where all
 * is compared, a range in which compaction has been on our side is not, but for
 * damage.
 *
 * STATUS_CLUSTER of a source is an error that concerns all: the way to it is
 * lost, or it is not what it was.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/parse.h"
#include "replicate/frame.h"
#include "replicate/report.h"
#include "replicate/source.h"

struct sender;

struct sender_options {
	bool follow;		/* do not end while something can come */
	bool groups;		/* positions of groups, too */
	bool dry_run;		/* no data */
	bool checksum;		/* compare all that both have */
	bool examines;		/* the receiver does (FRAME_EXAMINES) */
	/* It takes the records of a log, not all that is in its batches. */
	bool records;
	/* Where a copy that is new begins; kind POSITION_START: with all. */
	struct position from;
	uint32_t window;	/* of the receiver's HELLO */
	struct reporter reporter;
	struct report_place place; /* for what the receiver is told */
};

struct sender_totals {
	int64_t partitions;
	int64_t batches;
	int64_t bytes;
	int64_t cut;		/* partitions that had diverged */
	int64_t done, wanted;	/* offsets: compared or sent, and to be */
	int64_t compared;	/* bytes of batches */
	int64_t skipped;	/* of these that compaction kept from being */
	int status;		/* worst exit status of a partition */
};

/* src is the caller's. */
int sender_new(struct source *src, const struct sender_options *o,
    struct sender **out);
void sender_free(struct sender *s);

/*
 * A frame has come.  STATUS_CORRUPT: not now, or not one of a receiver; *what
 * says why.  Else an error that concerns all.
 */
int sender_frame(struct sender *s, const struct frame *f, struct buf *out,
    const char **what);
/*
 * Do a piece of what is to be done: some frames into out.  EAGAIN: nothing is
 * to be done before a frame comes, or sender_look() finds something.
 * STATUS_END: the receiver's END has come.  Else an error that concerns all.
 */
int sender_step(struct sender *s, struct buf *out, struct fault *f);
/*
 * Follow: is there more, and are there more topics?  To be called when the
 * source has been woken, and each second.  Errors of partitions are theirs.
 */
int sender_look(struct sender *s, struct buf *out, struct fault *f);
/*
 * How many offsets are not sent that are known to be there; *partitions: in how
 * many.
 */
int64_t sender_behind(const struct sender *s, size_t *partitions);
/* Where an error of STATUS_CLUSTER was met. */
const struct fault *sender_fault(const struct sender *s);
/* The source may have what next() had not. */
void sender_resume(struct sender *s);
/* Begin nothing more: END is said, and nothing but its answer waited for. */
void sender_stop(struct sender *s);
/* Is everything that was there over there? */
bool sender_is_current(const struct sender *s);
/* The same, but for what the source has not got yet. */
bool sender_is_idle(const struct sender *s);
const struct sender_totals *sender_totals(const struct sender *s);

#endif
