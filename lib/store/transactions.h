#ifndef STORE_TRANSACTIONS_H
#define STORE_TRANSACTIONS_H

/*
 * Which transaction a batch belongs to, for a walk over a log from its start
 * in the order of offsets, as compaction does it (Kafka protocol guide,
 * "Control Batches"; KIP-98, KIP-534).
 *
 * Batches of aborted transactions can go at once.  A marker can go when
 * nothing of its transaction was met any more on the walk.
 */

#include <stdbool.h>
#include <stdint.h>

#include "store/batch.h"
#include "store/txnindex.h"

struct transactions;

/* aborted: those of the range that is walked; it is copied. */
int transactions_new(const struct aborted_list *aborted,
    struct transactions **out);
void transactions_free(struct transactions *t);

/* A data batch: is it of an aborted transaction?  ENOMEM. */
int transactions_data(struct transactions *t, const struct batch *b,
    bool *aborted);
/*
 * A control batch at p.  *empty: nothing of its transaction was met.  If it is
 * an abort marker of one of which something was, *has_entry is set and *entry
 * is its line in the .txnindex.  STATUS_CORRUPT: not to be read; ENOMEM.
 */
int transactions_control(struct transactions *t, const uint8_t *p,
    const struct batch *b, bool *empty, struct aborted *entry, bool *has_entry);

#endif
