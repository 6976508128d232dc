/* A segment that is closed: written anew without what is no batch. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/status.h"
#include "store/cleaned.h"
#include "store/repair_impl.h"
#include "store/salvage.h"
#include "store/txnindex.h"

enum { BLOCK = 1 << 20 };

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
			rc = repair_put_aside(r, x);
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
	    .mend_epochs = repair_has(r, CHECK_LOG, base),
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
		repair_mark(r, parts[k], base);
}

int
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
	    !repair_concerns(r, base)) {
		if (sum.max_timestamp > r->earlier)
			r->earlier = sum.max_timestamp;
		return 0;
	}
	rc = rewrite_segment(r, base, next, &sum, sum_rc, &done);
	if (rc == 0 && done)
		mark_segment(r, base);
	return rc;
}
