#include "store/repair.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/now.h"
#include "base/status.h"
#include "store/cleaned.h"
#include "store/partition_impl.h"
#include "store/salvage.h"
#include "store/sum.h"
#include "store/txnindex.h"

enum { BLOCK = 1 << 20 };

struct repair {
	struct partition *p;
	struct check *c;
	struct segment_list segments;
	struct epoch_list epochs;	/* of the checkpoint; or empty */
	int64_t active;		/* segment that the state stands for */
	int64_t old_active;	/* had no .sum when it was closed; -1 */
	bool has_old;		/* but the state knew what was in it */
	bool old_dense;		/* and that no offset is missing */
	struct sum old;
	int64_t earlier;	/* largest timestamp of the segments before */
	bool rewritten;		/* a segment file */
};

static bool
has(const struct repair *r, enum check_part part, int64_t base)
{
	for (size_t i = 0; i < r->c->count; i++) {
		const struct check_finding *x = &r->c->findings[i];

		if (x->part == part && (base < 0 || x->base == base))
			return true;
	}
	return false;
}

/* Anything about that segment and the files beside it. */
static bool
concerns(const struct repair *r, int64_t base)
{
	for (size_t i = 0; i < r->c->count; i++) {
		const struct check_finding *x = &r->c->findings[i];

		if (x->base == base && x->part != CHECK_SNAPSHOT)
			return true;
	}
	return false;
}

static void
mark(struct repair *r, enum check_part part, int64_t base)
{
	for (size_t i = 0; i < r->c->count; i++) {
		struct check_finding *x = &r->c->findings[i];

		if (x->part == part && (base < 0 || x->base == base))
			x->repaired = true;
	}
}

static int
list_again(struct repair *r)
{
	segment_list_release(&r->segments);
	return segment_list_read(r->p->dirfd, ".log", &r->segments);
}

/* Move the file of a finding to lost+found/. */
static int
put_aside(struct repair *r, struct check_finding *x)
{
	char name[CHECK_NAME_LEN];
	int rc;

	check_name(x, name);
	rc = lost_move(r->p, name, x->saved);
	if (rc == ENOENT) {
		x->saved[0] = '\0';
		rc = 0;
	}
	return rc;
}

/* --- the end of the log --------------------------------------------------- */

/* The file of an active segment in which nothing is whole: out of the way. */
static int
clear_place(struct repair *r, int64_t base)
{
	char name[SEGMENT_NAME_LEN], saved[LOST_NAME_LEN];
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

	if (has(r, CHECK_EPOCHS, -1)) {
		for (size_t i = 0; i < r->c->count; i++)
			if (r->c->findings[i].part == CHECK_EPOCHS)
				(void)put_aside(r, &r->c->findings[i]);
	}
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
	s.flags &= STATE_PRODUCERS;
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
	if (p->st.end_pos > 0 && concerns(r, p->st.active_base))
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
static void
find_active(struct repair *r)
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
	for (size_t i = 0; i < r->segments.count; i++)
		if (r->segments.bases[i] == s.active_base)
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

static int
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
		mark(r, CHECK_STATE, -1);
		rc = list_again(r);
	}
	if (p->lock.log)
		(void)lock_unlock_log(&p->lock);
	(void)lock_unlock_sync(&p->lock);
	return rc;
}

/* --- a closed segment ---------------------------------------------------- */

struct rewrite {
	struct repair *r;
	int64_t base;
	int64_t next;		/* where the segment behind begins */
	int fd;
	int64_t size;
	bool mend_epochs;	/* a header has changed: see the checkpoint */
	bool changed;		/* the log file has to be written anew */
	struct salvage salvage;
	struct sum old;		/* if old_rc is 0 */
	int old_rc;
};

/* Keep the bytes of each flaw. */
static int
save_flaws(struct rewrite *w)
{
	struct check *c = w->r->c;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < w->salvage.flaw_count; i++) {
		const struct salvage_flaw *flaw = &w->salvage.flaws[i];
		char saved[LOST_NAME_LEN] = "";

		if (flaw->len > 0)
			rc = lost_save(w->r->p, w->fd, w->base, flaw->pos,
			    flaw->len, saved);
		for (size_t k = 0; rc == 0 && k < c->count; k++) {
			struct check_finding *x = &c->findings[k];

			if (x->base == w->base && x->part <= CHECK_TAIL &&
			    x->pos == flaw->pos && x->len == flaw->len)
				strlcpy(x->saved, saved, sizeof(x->saved));
		}
	}
	return rc;
}

/* The batch that stands at pos is not what it should be: keep the old one. */
static int
mend_batch(struct rewrite *w, uint8_t *data, struct batch *b, int64_t pos,
    const struct salvage_piece *piece)
{
	int32_t epoch = b->leader_epoch;
	int64_t base = b->base_offset;
	char saved[LOST_NAME_LEN];
	int rc;

	if (piece->mended) {
		base = piece->base;
		epoch = (int32_t)buf_get_32(piece->header + BATCH_LEADER_EPOCH);
	}
	if (w->mend_epochs && !piece->mended && w->r->epochs.count > 0)
		epoch = epoch_at(&w->r->epochs, base);
	/* The checkpoint need not know of what lies below the log start. */
	if (epoch < 0)
		epoch = b->leader_epoch;
	if (epoch == b->leader_epoch && base == b->base_offset)
		return 0;
	if (!piece->mended) {
		rc = lost_save(w->r->p, w->fd, w->base, pos, (int64_t)b->size,
		    saved);
		if (rc != 0)
			return rc;
	}
	w->changed = true;
	batch_assign(data, base, epoch);
	b->last_offset += base - b->base_offset;
	b->base_offset = base;
	b->leader_epoch = epoch;
	return 0;
}

/* Feed all that is whole to add(). */
static int
copy_pieces(struct rewrite *w, struct cleaned *out)
{
	struct segment_scan scan;
	const uint8_t *data;
	struct batch b;
	int rc = 0;

	segment_scan_init(&scan, BLOCK);
	for (size_t i = 0; rc == 0 && i < w->salvage.piece_count; i++) {
		const struct salvage_piece *piece = &w->salvage.pieces[i];
		int64_t pos = piece->pos;

		segment_scan_start(&scan, w->fd, pos, pos + piece->len);
		while ((rc = segment_scan_next(&scan, &b, &data)) == 0) {
			/* The scan's own buffer, passed once. */
			rc = mend_batch(w, (uint8_t *)(uintptr_t)data, &b, pos,
			    piece);
			if (rc == 0 && out != NULL)
				rc = cleaned_add(out, data, &b);
			if (rc != 0)
				break;
			pos = scan.pos;
		}
		if (rc == STATUS_END)
			rc = 0;
	}
	segment_scan_release(&scan);
	return rc;
}

/* Entries of the old .txnindex that can be. */
static int
copy_aborted(struct rewrite *w, struct cleaned *out)
{
	struct aborted_list l;
	int rc;

	txnindex_list_init(&l);
	rc = txnindex_read(w->r->p->dirfd, w->base, 0, &l, NULL);
	if (rc == STATUS_CORRUPT || rc == STATUS_NOT_FILE)
		rc = 0;
	for (size_t i = 0; rc == 0 && i < l.count; i++)
		if (l.items[i].last_offset >= w->base &&
		    l.items[i].last_offset < w->next)
			rc = cleaned_add_aborted(out, &l.items[i]);
	txnindex_list_release(&l);
	return rc;
}

/* Does the checkpoint of epochs say that headers have changed? */
static int
would_change(struct rewrite *w, bool *known)
{
	int rc = copy_pieces(w, NULL);

	*known = w->changed;
	return rc;
}

static int
write_anew(struct rewrite *w)
{
	struct repair *r = w->r;
	uint16_t flags = w->old_rc == 0 ? w->old.flags & SUM_COMPACTED : 0;
	struct cleaned *out = NULL;
	bool beside = w->salvage.flaw_count == 0 && !w->mend_epochs;
	int rc;

	rc = beside ? cleaned_new_beside(r->p, w->base, &out)
		    : cleaned_new(r->p, w->base, &out);
	if (rc == 0)
		rc = copy_pieces(w, out);
	if (rc == 0)
		rc = copy_aborted(w, out);
	if (rc == 0)
		rc = cleaned_replace(out, w->next, flags, r->earlier);
	if (rc == 0 && cleaned_sum(out)->max_timestamp > r->earlier)
		r->earlier = cleaned_sum(out)->max_timestamp;
	cleaned_free(out);
	r->rewritten = r->rewritten || !beside;
	return rc;
}

/* Index files and the like that are not files stand in the way. */
static int
clear_beside(struct repair *r, int64_t base)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < r->c->count; i++) {
		struct check_finding *x = &r->c->findings[i];

		if (x->base == base &&
		    (x->part == CHECK_INDEX || x->part == CHECK_TIMEINDEX ||
			x->part == CHECK_SUM))
			rc = put_aside(r, x);
	}
	return rc;
}

static int
rewrite_segment(struct repair *r, int64_t base, int64_t next,
    const struct sum *old, int old_rc, bool *done)
{
	struct rewrite w = {.r = r,
	    .base = base,
	    .next = next,
	    .fd = -1,
	    .mend_epochs = has(r, CHECK_LOG, base),
	    .old_rc = old_rc};
	struct salvage_range range = {.first = base, .end = next};
	char name[SEGMENT_NAME_LEN];
	struct stat st;
	bool known = true;
	int rc;

	if (old_rc == 0) {
		w.old = *old;
		range.dense =
		    old->next_offset == next && next - base == old->records;
		range.full_size = old->size;
		range.has_crc = true;
		range.crc = old->crc;
		if (base == r->old_active)
			range.dense = r->old_dense;
	}
	segment_name(name, base, ".log");
	rc = io_open(r->p->dirfd, name, O_RDONLY, 0, &w.fd);
	if (rc == 0 && fstat(w.fd, &st) != 0)
		rc = errno;
	if (rc == 0) {
		w.size = range.size = st.st_size;
		rc = salvage_segment(w.fd, &range, &w.salvage);
	}
	if (rc == 0)
		rc = save_flaws(&w);
	/* What has changed in it cannot be told: better left as it is. */
	if (rc == 0 && w.mend_epochs && w.salvage.flaw_count == 0 &&
	    old_rc == 0 && old->size == w.size)
		rc = would_change(&w, &known);
	if (rc == 0 && known)
		rc = clear_beside(r, base);
	if (rc == 0 && known)
		rc = write_anew(&w);
	*done = known;
	salvage_release(&w.salvage);
	(void)io_close(&w.fd);
	return rc;
}

static void
mark_segment(struct repair *r, int64_t base)
{
	static const enum check_part parts[] = {CHECK_LOG, CHECK_TAIL,
	    CHECK_INDEX, CHECK_TIMEINDEX, CHECK_SUM};

	for (size_t k = 0; k < sizeof(parts) / sizeof(parts[0]); k++)
		mark(r, parts[k], base);
}

static int
repair_segment(struct repair *r, size_t i)
{
	int64_t base = r->segments.bases[i], next = r->segments.bases[i + 1];
	struct sum sum;
	bool done = false;
	int rc, sum_rc = sum_read(r->p->dirfd, base, &sum);

	if (sum_rc != 0 && base == r->old_active && r->has_old) {
		sum = r->old;
		sum_rc = 0;
	} else if (sum_rc == 0 && sum.next_offset == next &&
	    !concerns(r, base)) {
		if (sum.max_timestamp > r->earlier)
			r->earlier = sum.max_timestamp;
		return 0;
	}
	rc = rewrite_segment(r, base, next, &sum, sum_rc, &done);
	if (rc == 0 && done)
		mark_segment(r, base);
	return rc;
}

/* Something else under the name of a segment. */
static int
clear_others(struct repair *r)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < r->c->count; i++) {
		struct check_finding *x = &r->c->findings[i];
		char name[CHECK_NAME_LEN];
		struct stat st;

		check_name(x, name);
		if (x->part == CHECK_MISSING &&
		    fstatat(r->p->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    !S_ISREG(st.st_mode))
			rc = put_aside(r, x);
	}
	return rc == 0 ? list_again(r) : rc;
}

/* --- what is made of all batches ------------------------------------------ */

struct rewalk {
	struct repair *r;
	struct producer_table *producers;
	struct epoch_list epochs;
	struct aborted_list derived;	/* of one segment */
};

static int
rewalk_batch(struct rewalk *w, const uint8_t *data, const struct batch *b)
{
	struct aborted aborted;
	bool has_aborted, changed;
	int64_t unstable;
	int rc = producer_apply(w->producers, data, b, &aborted, &has_aborted);

	if (rc == 0 && has_aborted) {
		unstable = producer_unstable_offset(w->producers);
		aborted.last_stable =
		    unstable >= 0 ? unstable : b->last_offset + 1;
		rc = txnindex_list_add(&w->derived, &aborted);
	}
	if (rc == 0 && b->leader_epoch >= 0)
		rc = epoch_assign(&w->epochs, b->leader_epoch, b->base_offset,
		    &changed);
	return rc;
}

static bool
is_in(const struct aborted_list *l, const struct aborted *a)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->items[i].producer_id == a->producer_id &&
		    l->items[i].last_offset == a->last_offset)
			return true;
	return false;
}

static int
compare_aborted(const void *a, const void *b)
{
	const struct aborted *x = a, *y = b;

	return (x->last_offset > y->last_offset) -
	    (x->last_offset < y->last_offset);
}

/* The derived ones, and those of the file that may be. */
static int
write_txnindex(struct rewalk *w, int64_t base, int64_t next)
{
	struct partition *p = w->r->p;
	struct aborted_list old;
	struct check_finding *x = NULL;
	struct sum sum;
	int rc;

	txnindex_list_init(&old);
	rc = txnindex_read(p->dirfd, base, 0, &old, NULL);
	if (rc == STATUS_CORRUPT || rc == STATUS_NOT_FILE)
		rc = 0;
	for (size_t i = 0; rc == 0 && i < old.count; i++)
		if (old.items[i].last_offset >= base &&
		    old.items[i].last_offset < next &&
		    !is_in(&w->derived, &old.items[i]))
			rc = txnindex_list_add(&w->derived, &old.items[i]);
	txnindex_list_release(&old);
	if (w->derived.count > 0)
		qsort(w->derived.items, w->derived.count,
		    sizeof(struct aborted), compare_aborted);
	for (size_t i = 0; i < w->r->c->count; i++)
		if (w->r->c->findings[i].part == CHECK_TXNINDEX &&
		    w->r->c->findings[i].base == base)
			x = &w->r->c->findings[i];
	if (rc == 0 && x != NULL)
		rc = put_aside(w->r, x);
	if (rc == 0)
		rc = txnindex_truncate(p->dirfd, base, 0);
	for (size_t i = 0; rc == 0 && i < w->derived.count; i++)
		rc = txnindex_append(p->dirfd, base, (int32_t)i,
		    &w->derived.items[i], p->file_mode, p->gid);
	if (rc == 0)
		rc = sum_read(p->dirfd, base, &sum);
	if (rc != 0)
		return rc;
	sum.aborted_count = (int32_t)w->derived.count;
	rc = sum_write(p->dirfd, base, &sum, p->file_mode, p->gid);
	if (rc == 0 && x != NULL)
		x->repaired = true;
	return rc;
}

static int
rewalk_segment(struct rewalk *w, size_t i)
{
	struct repair *r = w->r;
	int64_t base = r->segments.bases[i];
	bool sealed = i + 1 < r->segments.count;
	struct segment_scan scan;
	char name[SEGMENT_NAME_LEN];
	const uint8_t *data;
	struct batch b;
	int fd = -1, rc;

	w->derived.count = 0;
	segment_name(name, base, ".log");
	rc = io_open(r->p->dirfd, name, O_RDONLY, 0, &fd);
	segment_scan_init(&scan, BLOCK);
	scan.verify = false;
	segment_scan_start(&scan, fd, 0, sealed ? -1 : r->p->st.end_pos);
	while (rc == 0 && (rc = segment_scan_next(&scan, &b, &data)) == 0)
		rc = rewalk_batch(w, data, &b);
	if (rc == STATUS_END)
		rc = 0;
	segment_scan_release(&scan);
	(void)io_close(&fd);
	if (rc == 0 && sealed &&
	    (has(r, CHECK_TXNINDEX, base) || has(r, CHECK_LOG, base)))
		rc = write_txnindex(w, base, r->segments.bases[i + 1]);
	return rc;
}

/* The checkpoint of epochs, and each .txnindex that was wrong. */
static int
rewalk(struct repair *r)
{
	struct partition *p = r->p;
	struct rewalk w = {.r = r};
	bool changed;
	int rc = producer_new(&w.producers);

	epoch_list_init(&w.epochs);
	txnindex_list_init(&w.derived);
	for (size_t i = 0; rc == 0 && i < r->segments.count; i++)
		rc = rewalk_segment(&w, i);
	if (rc == 0 && p->st.leader_epoch > epoch_latest(&w.epochs))
		rc = epoch_assign(&w.epochs, p->st.leader_epoch,
		    p->st.end_offset, &changed);
	for (size_t i = 0; rc == 0 && i < r->c->count; i++) {
		struct check_finding *x = &r->c->findings[i];

		if (x->part == CHECK_EPOCHS && !x->repaired) {
			if (x->saved[0] == '\0')
				rc = put_aside(r, x);
			if (rc == 0)
				rc = epoch_write(p->dirfd, &w.epochs,
				    p->file_mode, p->gid);
			x->repaired = rc == 0;
		}
	}
	epoch_list_release(&w.epochs);
	txnindex_list_release(&w.derived);
	producer_free(w.producers);
	return rc;
}

static int
repair_snapshots(struct repair *r, struct fault *f)
{
	struct partition *p = r->p;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < r->c->count; i++) {
		struct check_finding *x = &r->c->findings[i];

		if (x->part != CHECK_SNAPSHOT)
			continue;
		rc = put_aside(r, x);
		x->repaired = rc == 0;
	}
	producer_free(p->producers);
	p->producers = NULL;
	if (rc == 0 && (p->st.flags & STATE_PRODUCERS) != 0)
		rc = roll_snapshot(p, f);
	return rc;
}

/* The log start may lie where nothing is any more. */
static void
raise_start(struct repair *r)
{
	struct partition *p = r->p;
	int64_t first = r->segments.bases[0];

	if (p->st.log_start < first)
		p->st.log_start = first;
	mark(r, CHECK_MISSING, -1);
}

static int
finish(struct repair *r, struct fault *f)
{
	struct partition *p = r->p;
	int rc = lock_log(&p->lock);

	if (rc != 0)
		return rc;
	rc = recover_check(p, f);
	if (rc == 0)
		rc = list_again(r);
	if (rc == 0 &&
	    (has(r, CHECK_TXNINDEX, -1) || has(r, CHECK_EPOCHS, -1) ||
		(r->c->has_producers && r->rewritten)))
		rc = rewalk(r);
	if (rc == 0 && (r->c->has_producers || has(r, CHECK_SNAPSHOT, -1)))
		rc = repair_snapshots(r, f);
	if (rc == 0) {
		raise_start(r);
		rc = roll_checkpoint(p);
	}
	(void)lock_unlock_log(&p->lock);
	return rc;
}

static bool
is_end_concerned(const struct repair *r)
{
	for (size_t i = 0; i < r->c->count; i++)
		if (r->c->findings[i].part == CHECK_STATE ||
		    (r->c->findings[i].base >= r->active &&
			r->c->findings[i].part != CHECK_SNAPSHOT))
			return true;
	return false;
}

static int
repair_all(struct repair *r, struct fault *f)
{
	int rc = clear_others(r);

	if (rc == 0) {
		rc = epoch_read(r->p->dirfd, &r->epochs, NULL);
		if (rc == ENOENT || rc == STATUS_CORRUPT ||
		    rc == STATUS_NOT_FILE)
			rc = 0;
	}
	if (rc == 0 && has(r, CHECK_EPOCHS, -1))
		epoch_list_release(&r->epochs);
	find_active(r);
	if (rc == 0 && is_end_concerned(r))
		rc = repair_end(r, f);
	for (size_t i = 0; rc == 0 && i + 1 < r->segments.count; i++)
		rc = repair_segment(r, i);
	return rc == 0 ? finish(r, f) : rc;
}

int
repair_run(struct partition *p, struct check *c, struct fault *f)
{
	struct repair r = {.p = p, .c = c, .old_active = -1, .earlier = -1};
	int rc = lock_clean(&p->lock);

	if (rc != 0)
		return rc;
	epoch_list_init(&r.epochs);
	rc = cleaned_recover(p);
	if (rc == 0)
		rc = check_run(p, true, c, f);
	if (rc == 0 && c->count > 0)
		rc = repair_all(&r, f);
	segment_list_release(&r.segments);
	epoch_list_release(&r.epochs);
	(void)lock_unlock_clean(&p->lock);
	return rc;
}
