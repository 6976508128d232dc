#ifndef STORE_BACKWARD_H
#define STORE_BACKWARD_H

/*
 * Reading a partition batch by batch, from an end towards the start.
 *
 * The offset index tells of a batch some way before; from there a reader goes
 * forward, and what it gives is handed out the other way round.  So the last
 * few records cost the same however long the log is.
 *
 * MEMORY.  One block of batches: what would be more is read again when its turn
 * comes, as where there is no index.
 */

#include <stdbool.h>
#include <stdint.h>

#include "store/reader.h"

struct fault;
struct backward;

/*
 * Raise *max by the timestamps of what counts in a batch: so each batch comes
 * with the largest timestamp of all that is before it.
 */
typedef int backward_measure(void *arg, const struct batch *b,
    const uint8_t *data, int64_t *max, struct fault *f);

/*
 * The batches of [from, to), by a reader of p; both are not owned.  The reader
 * is moved by each call.  With measure, which may be NULL, all of the
 * range is read first.
 */
int backward_open(struct partition *p, struct reader *r, int64_t from,
    int64_t to, backward_measure *measure, void *arg, struct backward **out);
void backward_close(struct backward *w);
/*
 * The batch before.  *data is valid until the next call; *max is the largest
 * timestamp before it, INT64_MIN if there is none or nothing measures.
 * STATUS_END at the start.  Damage as reader_next(), where it is met from
 * behind: only backward_skip() goes on from there.  STATUS_OFFSET: retention
 * has taken what is left, up to the reader's offset.  Offsets outside of the
 * range may be in the first batch and the last.
 */
int backward_next(struct backward *w, struct batch *b, const uint8_t **data,
    int64_t *max, struct fault *f);
/* After damage: [*from, *to) is what cannot be read. */
int backward_skip(struct backward *w, int64_t *from, int64_t *to);

#endif
