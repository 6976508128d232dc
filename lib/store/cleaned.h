#ifndef STORE_CLEANED_H
#define STORE_CLEANED_H

/*
 * A segment written anew by compaction, and put in the place of those that it
 * was made of, so that a crash or a reader at any moment finds a whole log.
 *
 * It is written beside them with ".cleaned" behind the names, and synced, the
 * .sum last.  Then, each step leaving what can be read:
 *
 *	1. BASE.sum is removed: it does not speak of the new file
 *	2. BASE.log.cleaned becomes BASE.log; it overlaps the segments behind,
 *	   and readers pass over what they have had
 *	3. the indexes follow; the directory is synced
 *	4. the other segments it was made of are removed
 *	5. BASE.sum.cleaned becomes BASE.sum
 *
 * After a crash a BASE.sum.cleaned that describes BASE.log says that step 2
 * was done: the rest is done then.  Else all that is ".cleaned" is removed.
 *
 * All with the right to clean (partition_clean_begin()).
 */

#include <stdbool.h>
#include <stdint.h>

#include "store/batch.h"
#include "store/partition.h"
#include "store/sum.h"
#include "store/txnindex.h"

struct cleaned;

/* Finish or undo what a crash has left. */
int cleaned_recover(struct partition *p);

/* Begin the segment of that base offset.  p is not owned. */
int cleaned_new(struct partition *p, int64_t base, struct cleaned **out);
/*
 * The same for a log file that stays: what is added is what it holds, and only
 * the files beside it are replaced.
 */
int cleaned_new_beside(struct partition *p, int64_t base, struct cleaned **out);
/* Its files are removed unless they were put in place. */
void cleaned_free(struct cleaned *c);
/* The next batch, offsets ascending. */
int cleaned_add(struct cleaned *c, const uint8_t *data, const struct batch *b);
/* The next entry of its .txnindex. */
int cleaned_add_aborted(struct cleaned *c, const struct aborted *a);
/* What is in it so far; prefix_timestamp and next_offset are not set. */
const struct sum *cleaned_sum(const struct cleaned *c);
/*
 * Put it in the place of the segments from its base to below next_base.
 * flags (SUM_COMPACTED or 0) and the largest timestamp of all earlier segments
 * go into its .sum.
 */
int cleaned_replace(struct cleaned *c, int64_t next_base, uint16_t flags,
    int64_t earlier_timestamp);

#endif
