#ifndef REPLICATE_HOLD_H
#define REPLICATE_HOLD_H

/*
 * What of a log is committed: batches as they stand in it go in, with those of
 * transactions and their markers; out come those that stay, in the same order.
 * A batch of a transaction that has not ended holds up all behind it, as it
 * does a reader of committed records.
 */

#include <stddef.h>
#include <stdint.h>

#include "store/batch.h"

struct hold;

/* Batches that wait are at most bytes_max bytes. */
int hold_new(size_t bytes_max, struct hold **out);
void hold_free(struct hold *h);

/*
 * The next batch of the log, whole; it is copied if it has to wait.
 * STATUS_TOO_BIG: a transaction is open over too much.  STATUS_CORRUPT: a
 * marker that cannot be read.  ENOMEM.
 */
int hold_add(struct hold *h, const uint8_t *data, const struct batch *b);
/*
 * The next that is committed, valid until the next call; STATUS_END: none is
 * known to be.
 */
int hold_next(struct hold *h, const uint8_t **data, struct batch *b);
/* Bytes that wait. */
size_t hold_bytes(const struct hold *h);

#endif
