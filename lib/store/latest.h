#ifndef STORE_LATEST_H
#define STORE_LATEST_H

/*
 * Which records of a partition are the last of their key: among those of
 * [from, to) with a timestamp in [since, newest] that a reader sees.  Records
 * without key are none; whether the last one is a tombstone is for who reads
 * it to say.
 *
 * PASSES.  The answer is known for one stretch of offsets at a time, as long
 * as the keys in it fit the memory given.  To find it, the stretch is read and
 * each key's last offset noted; from its end on, what occurs again is
 * forgotten, until nothing is left or to the end of all.  So m keys at a time
 * cost at most one reading of half the log each.  Asking in the order of
 * offsets, up or down, costs the least.
 *
 * DAMAGE is told once, by what asks next (f), and asking again after
 * latest_skip() goes on behind it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/partition.h"

struct fault;
struct latest;

struct latest_range {
	int64_t from;		/* offsets */
	int64_t to;
	int64_t since;		/* timestamps */
	int64_t newest;		/* this one, too */
};

/*
 * p is not owned.  flags are reader.h's, without READER_CONTROL.  memory is
 * for keys, in bytes: EINVAL below KEYMAP_BYTES_MIN.  Nothing is read yet.
 */
int latest_new(struct partition *p, int flags, const struct latest_range *range,
    size_t memory, struct latest **out);
void latest_free(struct latest *l);
/* Give the memory back; what is asked next begins anew, damage is told anew. */
void latest_rest(struct latest *l);

/*
 * Know the stretch that begins at offset, or ends behind it (back), if it is
 * not known.  Errors as reader_next(), and ENOMEM.
 */
int latest_cover(struct latest *l, int64_t offset, struct fault *f);
int latest_cover_back(struct latest *l, int64_t offset, struct fault *f);
/* Is it known for all of [first, last]? */
bool latest_is_covered(const struct latest *l, int64_t first, int64_t last);
/*
 * The first record at or after offset, in the stretch that is known, that is
 * the last of its key; INT64_MAX if there is none.
 */
int64_t latest_next(struct latest *l, int64_t offset);

/* Was damage told last, and is not yet skipped? */
bool latest_has_lost(const struct latest *l);
/*
 * After damage was told: [*from, *to) is what cannot be read.  False: none
 * was.
 */
bool latest_skip(struct latest *l, int64_t *from, int64_t *to);
/* Was it told that offset cannot be read? */
bool latest_is_told(const struct latest *l, int64_t offset);

#endif
