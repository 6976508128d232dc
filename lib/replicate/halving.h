#ifndef REPLICATE_HALVING_H
#define REPLICATE_HALVING_H

/*
 * Where two logs part: by halves, from what is known of single batches of the
 * other side.  Without questions of its own: it says what to ask.
 *
 * Of a batch it is known that it is the same on both sides, or different, or
 * nothing: of its offsets compaction has left none that both have.  Then the
 * next one below it is asked for, of which more may be known.  What is the same
 * below a place is so in all that is before it.  If nothing at all is known
 * nothing speaks against what the other side has.
 */

#include <stdbool.h>
#include <stdint.h>

struct halving {
	int64_t low, high;	/* common below low, not at high */
	int64_t probe;		/* between them: what is to be known */
	int64_t keep;		/* behind the last batch known to be the same */
	bool diverged;		/* a different one was seen */
};

enum halving_next {
	HALVING_NOTHING,		/* nothing speaks against what it has */
	HALVING_ASK, /* for the last batch at or below *offset */
	HALVING_CUT, /* what is at or above *offset differs */
};

/* start: both begin at or below it.  end: ours. */
void halving_init(struct halving *s, int64_t start, int64_t end);

/* What came of the last batch, which begins at base or ends with last. */
enum halving_next halving_same(struct halving *s, int64_t last,
    int64_t *offset);
enum halving_next halving_different(struct halving *s, int64_t base,
    int64_t *offset);
/* below: at or below it there is something of ours; -1: nothing. */
enum halving_next halving_silent(struct halving *s, int64_t below,
    int64_t *offset);

#endif
