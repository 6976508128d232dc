#ifndef STORE_REPAIR_H
#define STORE_REPAIR_H

/*
 * What check.h finds, put right, so that what is left of the log reads well
 * and can be appended to again.
 *
 *	bytes that are no batch		copied to lost+found/, the segment is
 *					written anew without them (cleaned.h)
 *	batches in the wrong place	the same, and each put where it belongs
 *	or with a wrong base offset
 *	or epoch
 *	a missing segment		its neighbours are told that it is gone
 *	indexes, .sum			made again from the segment
 *	snapshots			moved to lost+found/; one is made at
 *					the end
 *	epochs, .txnindex		made again from the batches, and what
 *					is right in the old one
 *	partition.state			made again; a new epoch begins
 *
 * Offsets are never used again: a log whose end is damaged goes on, in a new
 * segment, where it is known to have been.  Nothing is destroyed: whatever is
 * taken out of a file is durable in lost+found/ before.
 *
 * It can be stopped at any moment and run again.
 */

#include "store/check.h"

/*
 * Check p, opened to write, and repair what is found: c has the findings, each
 * with what became of it.  Cleaning is locked out meanwhile, and writers for
 * as long as the end of the log is repaired.
 * EAGAIN: another is cleaning it.  Else as check_run().
 */
int repair_run(struct partition *p, struct check *c, struct fault *f);

#endif
