#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/now.h"
#include "base/status.h"
#include "store/partition_impl.h"

/* The whole data must be well-formed before any of it is written. */
static int
check_batches(const struct partition *p, const struct partition_append *a)
{
	const uint8_t *at = a->data, *stop;
	struct batch b;
	int rc;

	if (a->len == 0)
		return STATUS_CORRUPT;
	stop = at + a->len;
	for (; at < stop; at += b.size) {
		rc = batch_decode(at, (size_t)(stop - at), &b, NULL);
		if (rc == STATUS_SHORT)
			return STATUS_CORRUPT;
		if (rc != 0)
			return rc;
		if (b.size > (size_t)(stop - at) || b.record_count == 0)
			return STATUS_CORRUPT;
		if ((int64_t)b.size > p->settings.message_bytes)
			return STATUS_TOO_BIG;
		/* Its sequence is checked against what is in the log. */
		if (b.producer_id >= 0 && b.size != a->len)
			return EINVAL;
		if (!a->checked && batch_verify(at, &b) != 0)
			return STATUS_CORRUPT;
	}
	return 0;
}

/* Undo what a failed write has left, if nothing worse has happened. */
static int
undo_write(struct partition *p, int rc)
{
	bool full = rc == ENOSPC || rc == EDQUOT || rc == EFBIG;

	if (full && io_truncate(p->log_fd, p->st.end_pos) == 0)
		return rc;
	p->st.flags |= STATE_FAILED;
	(void)state_write(p->state_fd, &p->st);
	return rc;
}

/* Assign offsets, epoch and append time to one batch. */
static void
assign(struct partition *p, uint8_t *data, struct batch *b, int64_t offset)
{
	int32_t delta = (int32_t)(b->last_offset - b->base_offset);

	batch_assign(data, offset, p->st.leader_epoch);
	b->base_offset = offset;
	b->last_offset = offset + delta;
	b->leader_epoch = p->st.leader_epoch;
	if (p->settings.append_time && (b->attributes & BATCH_CONTROL) == 0) {
		b->max_timestamp = now_wall_ms();
		batch_set_append_time(data, b->size, b->max_timestamp);
	}
}

int
partition_put(struct partition *p, uint8_t *data, size_t len)
{
	struct state before = p->st;
	struct iovec iov = {data, len};
	int64_t pos = p->st.end_pos;
	struct batch b;
	int rc;

	ahead_prepare(&p->ahead, p->log_fd, pos, (int64_t)len,
	    p->settings.segment_bytes);
	rc = io_pwritev_full(p->log_fd, &iov, 1, pos);
	if (rc != 0)
		return undo_write(p, rc);
	for (size_t at = 0; at < len && rc == 0; at += b.size) {
		(void)batch_decode(data + at, len - at, &b, NULL);
		rc = roll_note_batch(p, data + at, &b, pos + (int64_t)at);
	}
	if (rc == 0)
		return 0;
	/* An index could not be written: the batches go, too. */
	p->st = before;
	producer_free(p->producers);
	p->producers = NULL;
	return undo_write(p, rc);
}

/*
 * Write a run of batches that fits the active segment: as many as will.
 * *len is what was written; 0 means that a roll is due first.
 */
static int
write_run(struct partition *p, uint8_t *data, size_t left, size_t *len)
{
	int64_t offset = p->st.end_offset;
	struct batch b;
	size_t run = 0;
	int rc;

	*len = 0;
	while (run < left) {
		(void)batch_decode(data + run, left - run, &b, NULL);
		if (run > 0 &&
		    p->st.end_pos + (int64_t)(run + b.size) >
			p->settings.segment_bytes)
			break;
		if (run == 0 &&
		    roll_is_due(p, b.size,
			offset + (b.last_offset - b.base_offset),
			b.max_timestamp))
			return 0;
		if (offset + (b.last_offset - b.base_offset) -
			p->st.active_base >
		    INT32_MAX)
			break;
		assign(p, data + run, &b, offset);
		offset = b.last_offset + 1;
		run += b.size;
	}
	rc = partition_put(p, data, run);
	if (rc == 0)
		*len = run;
	return rc;
}

/* Idempotence: a batch with a producer id stands alone in a call. */
static int
check_producer(struct partition *p, struct partition_append *a, struct fault *f)
{
	struct batch b;
	int rc;

	(void)batch_decode(a->data, a->len, &b, NULL);
	if (b.producer_id < 0)
		return 0;
	rc = recover_producers(p, f);
	if (rc != 0)
		return rc;
	return producer_check(p->producers, &b, &a->base_offset,
	    &a->stored_timestamp);
}

static int
check_may_append(struct partition *p, struct partition_append *a,
    struct fault *f)
{
	if (p->st.role != STATE_ROLE_OPEN && p->st.role != STATE_ROLE_LEADER)
		return STATUS_ROLE;
	if (a->expect >= 0 && p->st.end_offset != a->expect)
		return STATUS_MISMATCH;
	if (p->st.leader_epoch < 0) {
		int rc = roll_note_epoch(p, 0, p->st.end_offset);

		if (rc != 0)
			return rc;
	}
	return check_producer(p, a, f);
}

/* Relaxed: whoever reads the state after a crash must know. */
static int
note_relaxed(struct partition *p)
{
	if (p->mode != PARTITION_WRITE_RELAXED ||
	    (p->st.flags & STATE_RELAXED) != 0)
		return 0;
	p->st.flags |= STATE_RELAXED;
	return roll_checkpoint(p);
}

/*
 * What a producer's batch was measured against may be of a writer that died: it
 * counts, so the next sync is for it, too, or readers would not come to see
 * what keeps the batch out.
 */
static int
take_over(struct partition *p)
{
	if (p->mode == PARTITION_WRITE_RELAXED &&
	    p->st.visible_offset < p->st.end_offset) {
		p->st.visible_offset = p->st.end_offset;
		return state_write(p->state_fd, &p->st);
	}
	if (p->st.synced_offset < p->st.end_offset)
		partition_own(p);
	return 0;
}

/*
 * With the log lock: append what fits now and write the state.  Where nothing
 * does, *full is the base of the active segment; otherwise it stays.
 */
static int
append_some(struct partition *p, struct partition_append *a, int64_t *full,
    struct fault *f)
{
	size_t len = 0;
	int64_t first;
	int rc, state_rc;

	rc = check_may_append(p, a, f);
	if ((rc == STATUS_DUPLICATE || rc == STATUS_SEQUENCE) &&
	    take_over(p) != 0)
		return STATUS_FAILED;
	if (rc == 0)
		rc = note_relaxed(p);
	if (rc != 0)
		return rc;
	first = p->st.end_offset;
	rc = write_run(p, a->data + a->done, a->len - a->done, &len);
	if (rc != 0)
		return rc;
	if (len == 0 && p->st.end_pos == 0)
		/* Empty, and takes nothing: no writer made it. */
		return status_fault(f, STATUS_CORRUPT, p->path, -1,
		    p->st.end_offset,
		    "the active segment begins too far below the end");
	if (len == 0) {
		*full = p->st.active_base;
		return 0;
	}
	if (a->done == 0)
		a->base_offset = first;
	a->done += len;
	a->end_offset = p->st.end_offset;
	a->expect = -1;
	if (p->mode == PARTITION_WRITE_RELAXED)
		p->st.visible_offset = p->st.end_offset;
	state_rc = state_write(p->state_fd, &p->st);
	partition_own(p);
	return state_rc;
}

/* Nothing to append: does the log end where it should? */
static int
check_end(struct partition *p, const struct partition_append *a,
    struct fault *f)
{
	int rc = partition_begin(p, f);

	if (rc != 0)
		return rc;
	if (p->st.end_offset != a->expect)
		rc = STATUS_MISMATCH;
	partition_end(p);
	return rc;
}

int
partition_append(struct partition *p, struct partition_append *a,
    struct fault *f)
{
	int64_t full = -1;
	int rc;

	a->done = 0;
	a->base_offset = a->end_offset = a->stored_timestamp = -1;
	a->rolled = false;
	if (a->len == 0 && a->expect >= 0)
		return check_end(p, a, f);
	rc = check_batches(p, a);
	while (rc == 0 && a->done < a->len) {
		/* A roll syncs, and the right to sync comes first. */
		rc = full >= 0 ? partition_begin_sync(p, f)
			       : partition_begin(p, f);
		if (rc != 0)
			break;
		rc = partition_check_own(p);
		/* Another writer may have rolled it, or made it empty. */
		if (rc == 0 && full == p->st.active_base && p->st.end_pos > 0) {
			rc = roll_segment(p, f);
			a->rolled = true;
		}
		full = -1;
		if (rc == 0 && p->st.end_offset >= PARTITION_OFFSET_MAX)
			rc = EOVERFLOW;
		if (rc == 0)
			rc = append_some(p, a, &full, f);
		rc = partition_name_file(p, rc, f);
		partition_end(p);
	}
	return rc;
}
