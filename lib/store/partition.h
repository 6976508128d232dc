#ifndef STORE_PARTITION_H
#define STORE_PARTITION_H

/*
 * A partition: one ordered log in one directory, which many processes append
 * to and read at the same time, without a server.
 *
 * The segments are the truth.  Everything else can be rebuilt from them; two
 * small files beside them hold the writers together:
 *
 *	partition.lock   who may write now          (lock.h)
 *	partition.state  how far the log goes       (state.h)
 *
 * FOUR OFFSETS, in this order:
 *
 *	log start     the first record kept
 *	last stable   the first record of the oldest open transaction, or
 *	              visible; read_committed readers stop here
 *	visible       readers stop here (in a cluster: the high watermark)
 *	log end       the next record's offset
 *
 * and, between visible and log end for durable writers, the synced position:
 * all bytes below it are on the device.
 *
 * INVARIANTS
 *
 *  1. Bytes, indexes and state are written only under the log lock.  A batch
 *     is one pwritev(2) at the end position; the state is written after it.
 *  2. Offsets are handed out in the order of bytes.  An offset that was
 *     acknowledged is never used again.
 *  3. The synced position only moves after an fdatasync(2) that began when
 *     all bytes below it were written, and that succeeded.  partition.state
 *     is itself synced only at a roll and about every 64 MiB, so whatever
 *     synced position is found on the device is a true lower bound.
 *  4. A durable writer makes its bytes visible by syncing them: visible
 *     follows synced.  A relaxed writer makes them visible by writing them.
 *  5. One process syncs at a time (sync lock), and for all: those who waited
 *     find their bytes synced.  Before it begins it notes STATE_SYNCING; a
 *     note without a holder means that it died, perhaps having swallowed an
 *     error, so the next one reads the bytes back from the device first.
 *  6. A failed write or sync sets STATE_FAILED before anybody else can
 *     publish.  Nothing is retried on the same pages: who comes next verifies
 *     from the device what is there.  A full disk is not a failure: what was
 *     written in part is cut off, and appends go on when there is space.
 *  7. Below the synced position nothing is ever cut: damage there is damage
 *     (STATUS_CORRUPT).  At or above it the first invalid batch ends the log;
 *     everything from there goes to lost+found/ and the append goes on.
 *  8. A roll syncs the old segment before the new one is named in the state,
 *     and the directory and the state before anything is written to the new
 *     one.
 *  9. All batches of one segment carry leader epochs that do not descend.  The
 *     first writer after a crash in which visible may have been past synced
 *     begins a new epoch, so that records that are gone and their successors
 *     at the same offsets can be told apart.
 *
 * WHEN A WRITER FINDS THE STATE (first append of a handle, and each time it
 * takes the log lock):
 *
 *	same boot, mount, inode; file as long as said   go on, read nothing
 *	the same, file longer      a writer died: scan from the end position
 *	other boot or mount        scan, CRCs checked, from the synced position
 *	other mount, later         the same file system in another mount
 *	                           namespace: as if it were the same
 *	other inode: a copy        scan the last segment from its beginning
 *	no state, or a bad one     the same
 *	file shorter than synced   damage, as is one that was removed
 *	state or lock removed      STATUS_REMOVED; open the partition anew
 *
 * READERS take no lock (reader.h).  A directory without a usable state, such
 * as one that a Kafka broker wrote, ends at its last valid batch.
 *
 * THREADS: a struct partition is used by one thread at a time.  Several
 * handles on one directory, in one process or many, are fine: locks belong to
 * the open file, not to the process.
 *
 * LIMITS: no network file systems (locks and inotify are local); a segment
 * holds at most 2^31-1 bytes and offsets within 2^31 of its base.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/lost.h"
#include "store/state.h"

struct fault;
struct partition;

/* The topic settings that concern one partition's files. */
struct partition_settings {
	int64_t segment_bytes;		/* segment.bytes */
	int64_t segment_ms;		/* segment.ms */
	int64_t index_bytes;		/* segment.index.bytes */
	int64_t index_interval_bytes;	/* index.interval.bytes */
	int64_t message_bytes;		/* max.message.bytes */
	bool append_time;		/* message.timestamp.type */
};

/* Kafka's defaults. */
extern const struct partition_settings partition_defaults;

struct properties;
/* Those of a topic. */
void partition_settings_of(const struct properties *props,
    struct partition_settings *out);

enum partition_mode {
	PARTITION_READ,		/* never writes, needs no write permission */
	PARTITION_WRITE, /* durable: an append is not visible until
				   partition_sync() has returned 0 */
	PARTITION_WRITE_RELAXED, /* visible at once, durable when the
					   kernel writes it */
};

/*
 * Open the partition in directory path.  To write, partition.lock and
 * partition.state are made if they are missing; a foreign directory (one of a
 * Kafka broker) must not be opened to write.  *settings is copied.
 * ENOENT, EACCES, ENOTDIR...; STATUS_NEWER if a later version wrote the
 * state.
 */
int partition_open(const char *path, enum partition_mode mode,
    const struct partition_settings *settings, struct partition **out,
    struct fault *f);
/*
 * Close it.  What was appended and not synced stays as it is: written, not
 * visible (durable) or visible (relaxed).
 */
void partition_close(struct partition *p);

/*
 * Calls of this handle wait for the locks of others until then (monotonic), and
 * fail with EAGAIN: of an append nothing is done, of a sync nothing is known.
 * 0, as it is opened: they wait for as long as it takes.
 */
void partition_wait_until(struct partition *p, int64_t until_ms);

const char *partition_path(const struct partition *p);
int partition_dirfd(const struct partition *p);

/* The offsets as of now, in the order of the list above, and the synced one. */
struct partition_offsets {
	int64_t log_start;
	int64_t last_stable;
	int64_t high_watermark;	/* visible */
	int64_t log_end;
	int64_t synced;
	int32_t leader_epoch;	/* of what is appended; -1 not known */
};

/*
 * Look at the state (one pread), or where there is none at the segments: from
 * the first look on, at what has been added only.
 * STATUS_CORRUPT: the log is shorter than what was synced.
 */
int partition_offsets(struct partition *p, struct partition_offsets *out,
    struct fault *f);

/*
 * Offsets are below this, and a leader epoch is not above that, so that there
 * is always a next one.
 */
#define PARTITION_OFFSET_MAX ((int64_t)3 << 61)
#define PARTITION_EPOCH_MAX (INT32_MAX / 2)

/*
 * Appending.
 *
 * data is one or more whole encoded batches (batch.h), changed in place: base
 * offset and leader epoch are assigned in the header, without decoding; the
 * CRC does not cover them.  If the topic says so the batch becomes one of log
 * append time.  Batches may end up in several segments.  A batch with a
 * producer id stands alone in a call (EINVAL).  With a len of 0 only expect is
 * looked at.
 */
struct partition_append {
	uint8_t *data;		/* in: whole batches */
	size_t len;		/* in */
	bool checked;		/* in: CRCs are known to be right */
	int64_t expect;		/* in: log end must be this; -1 any */
	size_t done;		/* out: bytes of whole batches appended */
	int64_t base_offset; /* out: of the first of them; for a duplicate
				   the offset it already has */
	int64_t stored_timestamp; /* out: of a duplicate, the largest that it
				   has there; else -1 */
	int64_t end_offset;	/* out: after the last of them */
	bool rolled;		/* out: a segment was closed on the way */
};

/*
 * 0: all is appended (durable after partition_sync(); see enum
 * partition_mode).  Otherwise a->done bytes are, and nothing behind them:
 * STATUS_CORRUPT	a batch is malformed (nothing appended), or the log is
 *			damaged (f says where)
 * STATUS_TOO_BIG	a batch is over max.message.bytes
 * STATUS_MISMATCH	the log does not end at a->expect
 * STATUS_ROLE		the partition's role forbids it
 * STATUS_DUPLICATE, STATUS_SEQUENCE, STATUS_FENCED
 *			of an idempotent producer (producer.h).  After the
 *			first two partition_sync() makes durable what is there
 *			already: a duplicate may be that of a writer that died
 * ENOSPC, EDQUOT, EFBIG
 *			try again when there is space
 * EOVERFLOW		the log ends at PARTITION_OFFSET_MAX, or behind it
 * other errno, STATUS_FAILED
 *			the partition is failed; what was appended and not
 *			synced has an unknown outcome
 */
int partition_append(struct partition *p, struct partition_append *a,
    struct fault *f);
/*
 * Make durable and visible all that this handle has appended.  Waits while
 * another syncs, and uses that sync if it covers ours.  A failure leaves the
 * outcome unknown: the bytes may turn out to be there.  STATUS_FAILED, too, if
 * the log was cut meanwhile: once, from here or from the next append.
 */
int partition_sync(struct partition *p, struct fault *f);
/*
 * Hint: begin to write what was appended, so that the next sync has less to
 * wait for.
 */
void partition_sync_start(struct partition *p);

/*
 * What recovery had to cut off when this handle found a broken tail; len 0 if
 * nothing.  Told once: the call clears it.
 */
struct partition_cut {
	int64_t base;		/* segment */
	int64_t pos;		/* where the log ended in it */
	int64_t len;		/* bytes moved */
	int64_t offset;		/* of the next record */
	char saved[LOST_NAME_LEN]; /* name under lost+found/ */
};
void partition_take_cut(struct partition *p, struct partition_cut *out);

/*
 * The role (state.h), and changing it.  With a promotion the epoch rises, and
 * that it was one is remembered.
 */
int partition_role(struct partition *p, enum state_role *role);
int partition_set_role(struct partition *p, enum state_role role,
    struct fault *f);
/* Begin a new leader epoch (at least min) at the log end. */
int partition_new_epoch(struct partition *p, int32_t min, int32_t *epoch,
    struct fault *f);
/*
 * Close the active segment and begin the next one, if it holds anything.
 */
int partition_roll(struct partition *p, struct fault *f);
/*
 * Delete records before an offset: the log start rises to it (never falls),
 * durably; segments that lie wholly below are removed, those too that an
 * earlier call has left, unless another is cleaning: then by that one, at its
 * end, or by the next call.  STATUS_OFFSET beyond visible.
 */
int partition_delete_before(struct partition *p, int64_t offset,
    struct fault *f);

/*
 * Cleaning: between begin and end this handle alone rewrites or removes sealed
 * segments; appends and rolls go on meanwhile.  EAGAIN: another is at it.  The
 * producers are known from here on.
 */
int partition_clean_begin(struct partition *p, struct fault *f);
/* Removes, too, what has come to lie below the log start. */
int partition_clean_end(struct partition *p, struct fault *f);
/*
 * The same of a partition that is open to read, for who only looks: nothing is
 * locked or recovered, and there is no end.
 */
int partition_clean_look(struct partition *p, struct fault *f);
/* As producer_last(), while cleaning. */
bool partition_producer_last(const struct partition *p, int64_t producer_id,
    int16_t *epoch, int64_t *last_offset);

struct sum;
/* Write the .sum of a sealed segment, while cleaning. */
int partition_write_sum(struct partition *p, int64_t base,
    const struct sum *sum);

#endif
