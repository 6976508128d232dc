#ifndef STORE_REPAIR_IMPL_H
#define STORE_REPAIR_IMPL_H

/*
 * The inside of repair.h, shared by repair.c (what is done when), repair_end.c
 * (the active segment and the state), repair_segment.c (a closed one) and
 * repair_walk.c (what is made of all batches).  Nobody else includes it.
 */

#include "store/partition_impl.h"
#include "store/repair.h"
#include "store/sum.h"

struct repair {
	struct partition *p;
	struct check *c;
	struct segment_list segments;
	struct epoch_list epochs;	/* of the checkpoint; or empty */
	int64_t active;		/* segment that the state stands for */
	int64_t old_active;	/* had no .sum when it was closed; -1 */
	bool has_old;		/* but the state knew what was in it */
	bool old_dense;		/* and that no offset is missing */
	struct sum old;
	int64_t earlier;	/* largest timestamp of the segments before */
	bool rewritten;		/* a segment file */
};
/* Is there a finding of that part, of any segment (base -1) or of one? */
bool repair_has(const struct repair *r, enum check_part part, int64_t base);
/* Anything about that segment and the files beside it. */
bool repair_concerns(const struct repair *r, int64_t base);
/* All of these are repaired. */
void repair_mark(struct repair *r, enum check_part part, int64_t base);
/* Move the file of a finding to lost+found/. */
int repair_put_aside(struct repair *r, struct check_finding *x);
/* The checkpoint of epochs, if it is wrong. */
int repair_put_epochs_aside(struct repair *r);
/* Which segments are there now? */
int repair_list_again(struct repair *r);

/*
 * The active segment is the last one, or one before: of a roll, or of a repair,
 * that was cut short.
 */
void repair_find_active(struct repair *r);
/* The end of the log, and the state that tells of it.  Locks writers out. */
int repair_end(struct repair *r, struct fault *f);
/* Segment i, which is closed. */
int repair_segment(struct repair *r, size_t i);
/* The checkpoint of epochs, and each .txnindex that was wrong. */
int repair_walk(struct repair *r);

#endif
