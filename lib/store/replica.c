#include "store/replica.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/now.h"
#include "base/status.h"
#include "store/epoch.h"
#include "store/lost.h"
#include "store/partition_impl.h"
#include "store/seek.h"
#include "store/segment.h"

static bool
is_empty(const struct partition *p)
{
	return p->st.end_pos == 0 && p->st.log_start >= p->st.end_offset;
}

/* Epochs that began where the log does not reach have no batches. */
static int
trim_epochs(struct partition *p)
{
	return partition_trim_epochs(p, epoch_truncate_from, p->st.end_offset,
	    &p->st.leader_epoch);
}

/* With the locks: be a replica from now on. */
static int
take_role(struct partition *p)
{
	int rc = trim_epochs(p);

	if (rc != 0)
		return rc;
	p->st.role = STATE_ROLE_REPLICA;
	p->st.flags &= ~(uint32_t)STATE_PROMOTED;
	return roll_checkpoint(p);
}

int
replica_remove_left(struct partition *p)
{
	int64_t active = p->st.active_base;
	char name[SEGMENT_NAME_LEN];
	struct segment_list l;
	struct stat st;
	int rc = segment_list_read(p->dirfd, ".log", &l);

	for (size_t i = 0; rc == 0 && i < l.count; i++) {
		if (l.bases[i] == active ||
		    (l.bases[i] < active && !is_empty(p)))
			continue;
		segment_name(name, l.bases[i], ".log");
		if (fstatat(p->dirfd, name, &st, 0) == 0 && st.st_size == 0)
			rc = segment_remove(p->dirfd, l.bases[i]);
	}
	segment_list_release(&l);
	return rc;
}

static enum replica_stand
stand_of(const struct state *s, int64_t end)
{
	if (s->role == STATE_ROLE_REPLICA)
		return REPLICA_IS;
	if (s->role != STATE_ROLE_OPEN)
		return REPLICA_OTHER;
	if ((s->flags & STATE_PROMOTED) != 0)
		return REPLICA_PROMOTED;
	return end == 0 ? REPLICA_CAN_BE : REPLICA_OTHER;
}

int
replica_look(struct partition *p, enum replica_stand *out, struct fault *f)
{
	struct partition_offsets o;
	struct state s;
	int rc = p->state_fd < 0 ? STATUS_CORRUPT : state_read(p->state_fd, &s);

	if (rc == STATUS_CORRUPT) {
		state_init(&s);
		rc = 0;
	}
	if (rc == 0)
		*out = stand_of(&s, 0);
	/* Only of an open one does its end matter. */
	if (rc != 0 || *out != REPLICA_CAN_BE)
		return rc;
	rc = partition_offsets(p, &o, f);
	if (rc == 0)
		*out = stand_of(&s, o.log_end);
	return rc;
}

int
replica_adopt(struct partition *p, struct fault *f)
{
	int rc = partition_begin(p, f);

	if (rc != 0)
		return rc;
	if (stand_of(&p->st, p->st.end_offset) == REPLICA_CAN_BE)
		rc = take_role(p);
	else if (p->st.role != STATE_ROLE_REPLICA)
		rc = STATUS_ROLE;
	else
		rc = replica_remove_left(p);
	/* What one that died has left is for the next sync. */
	if (rc == 0 && p->st.synced_offset < p->st.end_offset)
		partition_own(p);
	partition_end(p);
	return rc;
}

int
replica_demote(struct partition *p, struct fault *f)
{
	int rc = partition_begin_sync(p, f);

	if (rc != 0)
		return rc;
	if (p->st.role == STATE_ROLE_OPEN)
		rc = take_role(p);
	else if (p->st.role != STATE_ROLE_REPLICA)
		rc = STATUS_ROLE;
	partition_end(p);
	return rc;
}

/*
 * There is nothing in the log, which is to begin elsewhere: the new segment is
 * announced before the old one's files go.
 */
static int
move_active(struct partition *p, int64_t base)
{
	struct state *s = &p->st;
	int64_t was = s->active_base;
	int rc;

	roll_close_files(p);
	state_begin_segment(s, base, now_wall_ms());
	s->visible_offset = s->log_start = base;
	rc = roll_open_active(p);
	return rc == 0 ? segment_remove(p->dirfd, was) : rc;
}

/* End the active segment, and begin the one with that base. */
static int
begin_segment(struct partition *p, int64_t base, struct fault *f)
{
	if (is_empty(p))
		return move_active(p, base);
	/* No offset below base will be: the gap belongs to what ends here. */
	p->st.end_offset = base;
	return roll_segment(p, f);
}

/* Must another segment begin before the source's next batches? */
static bool
is_next(const struct partition *p, int64_t segment)
{
	if (segment == REPLICA_OWN_SEGMENTS)
		return false;
	if (segment > p->st.active_base)
		return segment >= p->st.end_offset;
	return segment < p->st.active_base && is_empty(p);
}

/* The batches in order, at next or behind, and fit for what is there. */
static int
check(const struct partition *p, const uint8_t *data, size_t len, int64_t next,
    bool *producers, struct fault *f)
{
	int32_t epoch = p->st.leader_epoch;
	const char *what = NULL;
	struct batch b;
	int rc = 0;

	for (size_t at = 0; rc == 0 && at < len; at += b.size) {
		rc = batch_decode(data + at, len - at, &b, &what);
		if (rc == STATUS_SHORT || (rc == 0 && b.size > len - at))
			what = "a batch is cut";
		else if (rc == 0 && batch_verify(data + at, &b) != 0)
			what = "crc does not match";
		else if (rc == 0 &&
		    (b.last_offset >= PARTITION_OFFSET_MAX ||
			b.leader_epoch > PARTITION_EPOCH_MAX))
			what = "offset or leader epoch leaves none behind it";
		else if (rc == 0 &&
		    (b.base_offset < next || b.leader_epoch < epoch)) {
			/* Nothing is damaged: it is another history. */
			rc = STATUS_DIFFERS;
			what = b.base_offset < next
			    ? "diverged: offset is out of order"
			    : "diverged: leader epoch is out of order";
		}
		if (rc == 0 && what != NULL)
			rc = STATUS_CORRUPT;
		if (rc != 0)
			break;
		*producers = *producers || b.producer_id >= 0;
		next = b.last_offset + 1;
		epoch = b.leader_epoch;
	}
	if (rc == STATUS_SHORT)
		rc = STATUS_CORRUPT;
	return rc == 0 ? 0
		       : status_fault(f, rc, p->path, -1, next,
			     what != NULL ? what : status_text(rc));
}

/* Can the active segment hold it? */
static bool
is_room(const struct partition *p, const struct batch *b, size_t before)
{
	return p->st.end_pos + (int64_t)(before + b->size) <= INT32_MAX &&
	    b->last_offset - p->st.active_base <= INT32_MAX;
}

/* Does our own topic want another segment before this batch? */
static bool
is_due(const struct partition *p, const struct batch *b, size_t before)
{
	if (is_empty(p) && before == 0)
		return b->base_offset > p->st.active_base;
	/* What a segment has counts once it is there. */
	if (p->st.end_pos == 0)
		return before > 0;
	return roll_is_due(p, before + b->size, b->last_offset,
	    b->max_timestamp);
}

/*
 * How many bytes go in one write: those of one epoch that have room in the
 * active segment.
 */
static size_t
run_length(const struct partition *p, const uint8_t *data, size_t len, bool own)
{
	struct batch b;
	size_t run = 0;
	int32_t epoch = -1;

	while (run < len) {
		(void)batch_decode(data + run, len - run, &b, NULL);
		if (run == 0)
			epoch = b.leader_epoch;
		if (b.leader_epoch != epoch || !is_room(p, &b, run) ||
		    (own && is_due(p, &b, run)))
			break;
		run += b.size;
	}
	return run;
}

/* Write the first of the batches; *done says how many bytes. */
static int
append_run(struct partition *p, uint8_t *data, size_t len, bool own,
    size_t *done, struct fault *f)
{
	size_t run = run_length(p, data, len, own);
	struct batch b;
	int rc = 0;

	(void)batch_decode(data, len, &b, NULL);
	if (run == 0) {
		*done = 0;
		return begin_segment(p, b.base_offset, f);
	}
	if (b.leader_epoch > p->st.leader_epoch)
		rc = roll_note_epoch(p, b.leader_epoch, b.base_offset);
	if (rc == 0)
		rc = partition_put(p, data, run);
	if (rc == 0)
		*done = run;
	return rc;
}

static int
append_all(struct partition *p, uint8_t *data, size_t len, bool own,
    struct fault *f)
{
	size_t done;
	int rc = 0, state_rc;

	for (size_t at = 0; rc == 0 && at < len; at += done)
		rc = append_run(p, data + at, len - at, own, &done, f);
	partition_own(p);
	state_rc = state_write(p->state_fd, &p->st);
	return rc != 0 ? rc : state_rc;
}

/* Before anything is changed: the segment's base and its batches. */
static int
check_all(struct partition *p, int64_t segment, const uint8_t *data, size_t len,
    struct fault *f)
{
	int64_t next = p->st.end_offset;
	bool producers = false;
	int rc = 0;

	/* A log that is full may end with an empty one. */
	if (segment > PARTITION_OFFSET_MAX)
		return status_fault(f, STATUS_CORRUPT, p->path, -1, segment,
		    "a segment's base is out of range");
	if (is_next(p, segment))
		next = segment;
	if (len > 0)
		rc = check(p, data, len, next, &producers, f);
	return rc == 0 && producers ? recover_producers(p, f) : rc;
}

/* end: NULL, or as of replica_append_at(). */
static int
append(struct partition *p, int64_t *end, int64_t segment, uint8_t *data,
    size_t len, struct fault *f)
{
	int rc = partition_begin_sync(p, f);

	if (rc != 0)
		return rc;
	if (p->st.role != STATE_ROLE_REPLICA)
		rc = STATUS_ROLE;
	else
		rc = partition_check_own(p);
	if (rc == 0 && end != NULL && p->st.end_offset != *end)
		rc = STATUS_MISMATCH;
	if (rc == 0)
		rc = check_all(p, segment, data, len, f);
	if (rc == 0 && is_next(p, segment))
		rc = begin_segment(p, segment, f);
	if (rc == 0 && len > 0)
		rc = append_all(p, data, len, segment == REPLICA_OWN_SEGMENTS,
		    f);
	if (rc == 0 && end != NULL)
		*end = p->st.end_offset;
	partition_end(p);
	return rc;
}

int
replica_append(struct partition *p, int64_t segment, uint8_t *data, size_t len,
    struct fault *f)
{
	return append(p, NULL, segment, data, len, f);
}

int
replica_append_at(struct partition *p, int64_t *end, int64_t segment,
    uint8_t *data, size_t len, struct fault *f)
{
	return append(p, end, segment, data, len, f);
}

/* --- cutting ------------------------------------------------------------- */

/* Snapshots of producers that know what is to go. */
static int
remove_snapshots(struct partition *p, int64_t offset)
{
	char name[SEGMENT_NAME_LEN];
	struct segment_list l;
	int rc = segment_list_read(p->dirfd, ".snapshot", &l);

	for (size_t i = 0; rc == 0 && i < l.count; i++) {
		if (l.bases[i] <= offset)
			continue;
		segment_name(name, l.bases[i], ".snapshot");
		rc = io_unlink(p->dirfd, name);
	}
	segment_list_release(&l);
	return rc;
}

/*
 * Cut the active segment at a batch.  The state comes first: with a file that
 * is longer recovery takes in again what was to go; a shorter one is damage.
 */
static int
cut_active(struct partition *p, int64_t offset, int64_t pos, struct fault *f)
{
	struct state *s = &p->st;
	char saved[LOST_NAME_LEN];
	int rc = lost_save(p, p->log_fd, s->active_base, pos, s->end_pos - pos,
	    saved);

	if (rc == 0)
		rc = remove_snapshots(p, offset);
	if (rc != 0)
		return rc;
	s->end_offset = s->synced_offset = s->visible_offset = offset;
	s->end_pos = s->synced_pos = s->persisted_pos = pos;
	s->index_pos = s->index_count = s->timeindex_count = 0;
	s->timeindex_last = -1;
	s->snapshot_offset = -1;
	s->flags &= ~(uint32_t)STATE_SUMS;
	if (s->log_start > offset)
		s->log_start = offset;
	rc = roll_checkpoint(p);
	if (rc == 0)
		rc = io_truncate(p->log_fd, pos);
	if (rc == 0)
		rc = io_sync(p->log_fd);
	return rc == 0 ? recover_reopen(p, s->active_base, f) : rc;
}

/* The active segment has become empty: the one before takes its place. */
static int
step_back(struct partition *p, int64_t before, struct fault *f)
{
	int64_t was = p->st.active_base;
	char name[SEGMENT_NAME_LEN];
	int rc;

	segment_name(name, before, ".sum");
	rc = io_unlink(p->dirfd, name);
	if (rc == 0 || rc == ENOENT)
		rc = recover_reopen(p, before, f);
	return rc == 0 ? segment_remove(p->dirfd, was) : rc;
}

/* Where in the active segment the first batch is that ends above offset. */
static int
find_cut(struct partition *p, int64_t offset, int64_t *at, int64_t *pos)
{
	struct batch b;
	int rc = seek_offset(p->dirfd, p->st.active_base, p->log_fd, offset,
	    p->st.end_pos, pos);

	*at = p->st.end_offset;
	if (rc != 0 || *pos >= p->st.end_pos)
		return rc;
	rc = segment_header_at(p->log_fd, *pos, &b);
	/* It ends before its first batch, and so does a segment its name. */
	*at = *pos == 0 ? p->st.active_base : b.base_offset;
	if (*at > offset && *pos > 0)
		*at = offset;
	return rc;
}

/* Only a gap is behind offset. */
static void
shorten(struct partition *p, int64_t offset)
{
	struct state *s = &p->st;

	s->end_offset = s->synced_offset = s->visible_offset = offset;
	state_cut(s, now_wall_ms());
}

static int
truncate_to(struct partition *p, int64_t offset, struct fault *f)
{
	struct segment_list l = {NULL, 0};
	int64_t at, pos;
	size_t i;
	int rc = replica_remove_left(p);

	if (rc == 0)
		rc = segment_list_read(p->dirfd, ".log", &l);
	i = rc == 0 && l.count > 0 ? segment_list_find(&l, p->st.active_base)
				   : 0;
	while (rc == 0 && p->st.end_offset > offset) {
		rc = find_cut(p, offset, &at, &pos);
		if (rc == 0 && pos < p->st.end_pos)
			rc = cut_active(p, at, pos, f);
		else if (rc == 0 && p->st.end_pos > 0)
			shorten(p, offset);
		if (rc != 0 || p->st.end_offset <= offset || i == 0)
			break;
		rc = step_back(p, l.bases[--i], f);
	}
	segment_list_release(&l);
	return rc != 0 ? rc : trim_epochs(p);
}

int
replica_truncate(struct partition *p, int64_t offset, struct fault *f)
{
	int rc = lock_clean(&p->lock);

	if (rc != 0)
		return rc;
	rc = partition_begin_sync(p, f);
	if (rc == 0) {
		if (p->st.role != STATE_ROLE_REPLICA)
			rc = STATUS_ROLE;
		if (rc == 0)
			rc = truncate_to(p, offset, f);
		if (rc == 0)
			rc = roll_checkpoint(p);
		if (rc == 0)
			rc = partition_remove_below(p);
		p->own_end = -1;
		partition_end(p);
	}
	(void)lock_unlock_clean(&p->lock);
	return rc;
}
