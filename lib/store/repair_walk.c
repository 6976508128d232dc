/* What is made of all batches again: epochs, aborted transactions. */

#include <fcntl.h>
#include <stdlib.h>

#include "base/io.h"
#include "base/status.h"
#include "store/repair_impl.h"
#include "store/txnindex.h"

enum { BLOCK = 1 << 20 };

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
		rc = repair_put_aside(w->r, x);
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
	    (repair_has(r, CHECK_TXNINDEX, base) ||
		repair_has(r, CHECK_LOG, base)))
		rc = write_txnindex(w, base, r->segments.bases[i + 1]);
	return rc;
}

/* The checkpoint of epochs, and each .txnindex that was wrong. */
int
repair_walk(struct repair *r)
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
	if (rc == 0 && repair_has(r, CHECK_EPOCHS, -1)) {
		rc = repair_put_epochs_aside(r);
		if (rc == 0)
			rc = epoch_write(p->dirfd, &w.epochs, p->file_mode,
			    p->gid);
		if (rc == 0)
			repair_mark(r, CHECK_EPOCHS, -1);
	}
	epoch_list_release(&w.epochs);
	txnindex_list_release(&w.derived);
	producer_free(w.producers);
	return rc;
}
