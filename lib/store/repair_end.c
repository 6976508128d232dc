/* The end of the log: its active segment, and the state that tells of it. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/now.h"
#include "base/status.h"
#include "store/repair_impl.h"

/* The file of an active segment in which nothing is whole: out of the way. */
static int
clear_place(struct repair *r, int64_t base)
{
	char name[SEGMENT_NAME_LEN], saved[LOST_NAME_LEN] = "";
	struct stat st;
	int rc = 0;

	segment_name(name, base, ".log");
	if (fstatat(r->p->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (!S_ISREG(st.st_mode) || st.st_size > 0))
		rc = lost_move(r->p, name, saved);
	for (size_t i = 0; rc == 0 && i < r->c->count; i++) {
		struct check_finding *x = &r->c->findings[i];

		if (x->base != base || x->part > CHECK_TAIL)
			continue;
		x->repaired = true;
		strlcpy(x->saved, saved, sizeof(x->saved));
	}
	return rc;
}

/* The state, if it was written for these files; else one to begin with. */
static int
read_state(struct repair *r, struct state *s)
{
	struct partition *p = r->p;
	bool doubt, known;
	struct stat st;
	int rc = state_fill(p->state_fd);

	if (rc == 0 && fstat(p->state_fd, &st) != 0)
		rc = errno;
	if (rc == 0)
		rc = state_look(p->state_fd, s, &doubt);
	if (rc == STATUS_CORRUPT) {
		state_init(s);
		return 0;
	}
	if (rc != 0)
		return rc;
	known =
	    (int64_t)st.st_ino == s->state_inode || s->active_base >= r->c->end;
	for (size_t i = 0; i < r->segments.count; i++)
		known = known || r->segments.bases[i] == s->active_base;
	if (!known) {
		uint64_t sequence = s->sequence;

		state_init(s);
		s->sequence = sequence;
	}
	return 0;
}

static int
begin_epoch(struct repair *r)
{
	struct partition *p = r->p;

	int rc = repair_put_epochs_aside(r);

	if (rc != 0)
		return rc;
	return roll_note_epoch(p, p->st.leader_epoch + 1, p->st.end_offset);
}

static int32_t
latest_epoch(const struct repair *r, const struct state *s)
{
	int32_t epoch = s->leader_epoch;

	if (epoch_latest(&r->epochs) > epoch)
		epoch = epoch_latest(&r->epochs);
	if (epoch_latest(&r->c->epochs) > epoch)
		epoch = epoch_latest(&r->c->epochs);
	return epoch;
}

/*
 * The active segment cannot be gone on with: a new one begins where the log
 * ended, as far as anything knows.
 */
static int
force_end(struct repair *r)
{
	struct partition *p = r->p;
	struct state s;
	int64_t end, first;
	int rc = read_state(r, &s);

	if (rc != 0)
		return rc;
	end = s.end_offset > r->c->end ? s.end_offset : r->c->end;
	first = r->segments.count > 0 ? r->segments.bases[0] : end;
	if (r->segments.count > 0)
		r->old_active = r->active;
	r->has_old = s.active_base == r->old_active &&
	    (s.flags & STATE_SUMS) != 0 && s.end_offset == end;
	r->old_dense = r->has_old && s.role == STATE_ROLE_OPEN;
	r->old = (struct sum){.crc = s.segment_crc,
	    .size = s.end_pos,
	    .next_offset = s.end_offset,
	    .batches = s.batches,
	    .records = s.records,
	    .max_timestamp = s.max_timestamp};
	rc = clear_place(r, end);
	if (rc != 0)
		return rc;
	s.leader_epoch = latest_epoch(r, &s);
	if (r->c->max_timestamp > s.max_timestamp)
		s.max_timestamp = r->c->max_timestamp;
	s.flags &= STATE_PRODUCERS | STATE_PROMOTED;
	if (r->c->has_producers)
		s.flags |= STATE_PRODUCERS;
	if (s.log_start < first)
		s.log_start = first;
	if (s.log_start > end)
		s.log_start = end;
	state_begin_segment(&s, end, now_wall_ms());
	s.visible_offset = end;
	roll_close_files(p);
	producer_free(p->producers);
	p->producers = NULL;
	p->st = s;
	/* First: a state that names the segment has the new epoch, too. */
	rc = begin_epoch(r);
	if (rc == 0)
		rc = roll_open_active(p);
	if (rc == 0)
		rc = recover_sign(p);
	return rc == 0 ? roll_checkpoint(p) : rc;
}

/* What recovery has cut off by itself. */
static void
note_cut(struct repair *r)
{
	struct partition_cut cut;

	partition_take_cut(r->p, &cut);
	for (size_t i = 0; i < r->c->count; i++) {
		struct check_finding *x = &r->c->findings[i];

		if (x->part != CHECK_TAIL || x->base != cut.base)
			continue;
		x->repaired = true;
		strlcpy(x->saved, cut.saved, sizeof(x->saved));
	}
}

/* Recover as a writer would; close the segment if something is wrong in it. */
static int
recover_end(struct repair *r, struct fault *f)
{
	struct partition *p = r->p;
	int rc = recover_check(p, f);

	if (rc != 0)
		return rc;
	note_cut(r);
	if (p->st.end_pos > 0 && repair_concerns(r, p->st.active_base))
		rc = roll_segment(p, f);
	/* Both slots, and the checkpoint that a writer would miss. */
	if (rc == 0)
		rc = roll_checkpoint(p);
	if (rc == 0)
		rc = roll_checkpoint(p);
	return rc;
}

/*
 * The active segment is the last one, or one before: of a roll, or of a repair,
 * that was cut short.
 */
void
repair_find_active(struct repair *r)
{
	struct state s;
	struct stat st;
	bool doubt;

	r->active = 0;
	if (r->segments.count == 0)
		return;
	r->active = r->segments.bases[r->segments.count - 1];
	if (fstat(r->p->state_fd, &st) != 0 ||
	    state_look(r->p->state_fd, &s, &doubt) != 0 || doubt ||
	    (int64_t)st.st_ino != s.state_inode)
		return;
	/* Its file may be lost: a repair made those behind it. */
	if (s.active_base < r->active)
		r->active = s.active_base;
}

static bool
is_end_damaged(const struct repair *r)
{
	for (size_t i = 0; i < r->c->count; i++) {
		const struct check_finding *x = &r->c->findings[i];

		if (x->base >= r->active &&
		    (x->part == CHECK_LOG || x->part == CHECK_MISSING))
			return true;
	}
	return false;
}

int
repair_end(struct repair *r, struct fault *f)
{
	struct partition *p = r->p;
	bool damaged = is_end_damaged(r);
	int rc = lock_sync(&p->lock);

	if (rc != 0)
		return rc;
	rc = lock_log(&p->lock);
	if (rc == 0 && !damaged)
		rc = recover_end(r, f);
	if (damaged || (rc < 0 && rc != STATUS_NEWER) || rc == ENOENT)
		rc = force_end(r);
	if (rc == 0) {
		repair_mark(r, CHECK_STATE, -1);
		rc = repair_list_again(r);
	}
	if (p->lock.log)
		(void)lock_unlock_log(&p->lock);
	(void)lock_unlock_sync(&p->lock);
	return rc;
}
