#ifndef STORE_PRODUCER_H
#define STORE_PRODUCER_H

/*
 * What a partition remembers of idempotent and transactional producers
 * (KIP-98), and its file, %020d.snapshot.
 *
 * Per producer id: epoch, the last five batches (a retry of any of them is a
 * duplicate), and the first offset of its open transaction.  It is a function
 * of the log: apply every batch in order and you have it.  A snapshot saves
 * the beginning of that walk; it holds everything below the offset in its
 * name, but only the last batch of each producer.
 *
 *	pos size
 *	  0    2  version, 1
 *	  2    4  CRC-32C of all bytes from 6 on
 *	  6    4  number of entries
 *	 10       entries of 46 bytes:
 *	  0    8  producer id
 *	  8    2  producer epoch
 *	 10    4  last sequence, -1 none
 *	 14    8  last offset, -1 none
 *	 22    4  last offset - first offset of the last batch
 *	 26    8  timestamp of the last batch, ms
 *	 34    4  coordinator epoch, -1 none
 *	 38    8  first offset of the open transaction, -1 none
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "store/batch.h"
#include "store/txnindex.h"

struct fault;

enum { PRODUCER_WINDOW = 5 };

struct producer_table;		/* opaque; grows to PRODUCERS_MAX */

int producer_new(struct producer_table **out);
void producer_free(struct producer_table *t);
/* Forget everything; the next offset to apply is 0. */
void producer_clear(struct producer_table *t);
size_t producer_count(const struct producer_table *t);
/* All batches below this offset have been applied. */
int64_t producer_next_offset(const struct producer_table *t);

/*
 * May this batch of an idempotent producer be appended?
 * 0 yes.  STATUS_DUPLICATE: it is one of the last five; *base_offset is where
 * it is, and *max_timestamp the one there.  STATUS_SEQUENCE: a gap, or a first
 * sequence that is not 0 under a new epoch of a known producer, or none at all.
 * STATUS_FENCED: its epoch is below the producer's.  A producer not known may
 * begin with any sequence.
 * Sequences wrap from 2^31-1 to 0.  Control batches and batches without
 * producer id are always 0.
 */
int producer_check(const struct producer_table *t, const struct batch *b,
    int64_t *base_offset, int64_t *max_timestamp);
/*
 * Take note of a batch that is in the log, in the order of offsets.  p is its
 * bytes (only read for control batches; may be NULL for others).  If it is an
 * abort marker that ends an open transaction, *aborted is filled and
 * *has_aborted set.  ENOMEM, STATUS_TOO_BIG (PRODUCERS_MAX), STATUS_CORRUPT
 * (a control batch that cannot be read).
 */
int producer_apply(struct producer_table *t, const uint8_t *p,
    const struct batch *b, struct aborted *aborted, bool *has_aborted);
/* Everything below offset is known to concern no producer: go on there. */
void producer_skip(struct producer_table *t, int64_t offset);
/*
 * A producer's epoch and the last offset of its last data batch (-1: only
 * markers are known).  False: it is not known.
 */
bool producer_last(const struct producer_table *t, int64_t producer_id,
    int16_t *epoch, int64_t *last_offset);
/* First offset of the oldest open transaction, -1 if none is open. */
int64_t producer_unstable_offset(const struct producer_table *t);
/*
 * Forget producers whose last batch has an older timestamp and lies below
 * offset from, unless they are in a transaction.  Timestamps alone do not tell
 * that nothing is sent again: records may be of long ago, or have none, and
 * yet be appended just now.  So from is the base of the active segment, or
 * below it where the log ended about a day ago, as far as the partition's
 * handle can tell.  A handle that was opened since, or has recovered, knows of
 * the active segment alone, and what the snapshots have kept.
 */
void producer_expire(struct producer_table *t, int64_t before_ms, int64_t from);

/*
 * Replace the contents by the snapshot of that offset.  ENOENT,
 * STATUS_CORRUPT (f says what), STATUS_TOO_BIG.
 */
int producer_read_snapshot(struct producer_table *t, int dirfd, int64_t offset,
    struct fault *f);
/*
 * May saved have been written when the log had what t has taken from it?
 * Records below since are gone: t need not know of them; and producers whose
 * last batch is older than expired_ms may have been forgotten in saved.  If t
 * is not exact, since batches in between are gone, saved may know of later
 * ones.
 */
bool producer_agrees(const struct producer_table *t,
    const struct producer_table *saved, int64_t since, bool exact,
    int64_t expired_ms);
/*
 * A snapshot has but the last batch of each producer: where older, which has
 * seen the batches before it, knows that batch too, take its window.
 */
void producer_take_windows(struct producer_table *t,
    const struct producer_table *older);
/* Write the snapshot of producer_next_offset(), durably. */
int producer_write_snapshot(const struct producer_table *t, int dirfd,
    mode_t mode, gid_t gid);

#endif
