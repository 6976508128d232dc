#include "store/raw.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/bounds.h"
#include "base/io.h"
#include "base/status.h"
#include "store/seek.h"
#include "store/segment.h"
#include "store/sum.h"
#include "store/tail.h"

enum { BLOCK = 256 << 10 };

/* A batch that was given, and where it stands. */
struct given {
	struct batch batch;	/* size 0: none */
	int64_t pos;
};

struct raw {
	struct partition *p;
	struct partition_offsets offsets;
	struct tail_hint hint;
	int64_t next;		/* offset; -1: the first there is */
	int64_t base;		/* segment that fd is of */
	int fd;			/* -1: to be found by next */
	bool placed;		/* scan stands at next */
	bool inside;		/* what comes next may begin before it */
	/* Of fd: the last one given, and that of the run before. */
	struct given last;
	struct given before;
	struct segment_scan scan;
	struct buf run;
};

static int
fault_here(struct raw *r, int rc, const char *what, struct fault *f)
{
	char name[SEGMENT_NAME_LEN], path[512];

	segment_name(name, r->base, ".log");
	snprintf(path, sizeof(path), "%s/%s", partition_path(r->p), name);
	return status_fault(f, rc, path, r->scan.pos, r->next, what);
}

static void
leave(struct raw *r)
{
	(void)io_close(&r->fd);
	r->placed = false;
	r->last.batch.size = r->before.batch.size = 0;
}

int
raw_open(struct partition *p, struct raw **out, struct fault *f)
{
	struct raw *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		return ENOMEM;
	*r = (struct raw){.p = p, .fd = -1, .next = -1, .base = -1};
	segment_scan_init(&r->scan, BLOCK);
	buf_init(&r->run, 2 * (size_t)BATCH_BYTES_MAX);
	rc = raw_refresh(r, f);
	if (rc != 0) {
		raw_close(r);
		return rc;
	}
	*out = r;
	return 0;
}

void
raw_close(struct raw *r)
{
	if (r == NULL)
		return;
	leave(r);
	segment_scan_release(&r->scan);
	buf_release(&r->run);
	free(r);
}

/*
 * A relaxed writer has made visible what nobody may have synced.  Segments that
 * are closed are, so the active one's file is what has to be.
 */
static int
make_durable(struct raw *r)
{
	struct partition_offsets *o = &r->offsets;
	int fd = -1, rc;

	if (o->synced >= o->high_watermark || r->hint.active_base < 0 ||
	    r->hint.failed)
		return 0;
	rc = tail_open_log(r->p, r->hint.active_base, &fd);
	if (rc == 0)
		rc = io_sync(fd);
	if (rc == 0)
		o->synced = o->high_watermark;
	(void)io_close(&fd);
	return rc == ENOENT ? 0 : rc;
}

int
raw_refresh(struct raw *r, struct fault *f)
{
	int rc = tail_look(r->p, &r->offsets, &r->hint, f);

	return rc == 0 ? make_durable(r) : rc;
}

int64_t
raw_start(const struct raw *r)
{
	return r->offsets.log_start;
}

int64_t
raw_end(const struct raw *r)
{
	return r->offsets.synced < r->offsets.high_watermark
	    ? r->offsets.synced
	    : r->offsets.high_watermark;
}

void
raw_seek(struct raw *r, int64_t offset)
{
	leave(r);
	r->base = -1;
	r->next = offset;
}

int64_t
raw_offset(const struct raw *r)
{
	return r->next;
}

/* Is what was read to its end not what stands there now? */
static bool
is_replaced(const struct raw *r)
{
	return r->fd >= 0 &&
	    segment_is_replaced(partition_dirfd(r->p), r->base, r->fd);
}

/*
 * The segment that has what comes next, or begins behind it: its base, -1 if
 * there is none.  Most often it is the active one, and nothing is listed.
 */
static int
find_segment(struct raw *r, int64_t offset, int64_t *base)
{
	const struct segment_list *l;
	size_t i;
	int rc;

	*base = r->hint.active_base;
	if (r->hint.active_base >= 0 && offset >= r->hint.active_base)
		return 0;
	rc = tail_segments(r->p, true, &l);
	if (rc != 0 || l->count == 0)
		return rc;
	i = segment_list_find(l, offset);
	*base = l->bases[i];
	/* What is read to its end does not have it: a gap, then the next. */
	if (*base == r->base && i + 1 < l->count && !is_replaced(r))
		*base = l->bases[i + 1];
	return 0;
}

/*
 * Enter the segment that has what comes next.  STATUS_END: there is none yet,
 * and the reading stays where it is.
 */
static int
enter(struct raw *r)
{
	int64_t offset = r->next >= 0 ? r->next : r->offsets.log_start;
	int64_t base = -1;
	int fd = -1, rc = ENOENT;

	/* A segment of which nothing was left has been passed, too. */
	if (offset < r->base)
		offset = r->base;
	/* What was listed may be gone: list again. */
	for (int tries = 0; rc == ENOENT && tries < 100; tries++) {
		rc = find_segment(r, offset, &base);
		if (rc != 0)
			return rc;
		if (base < 0 || base > raw_end(r) ||
		    (base == r->base && !is_replaced(r)))
			return STATUS_END;
		rc = tail_open_log(r->p, base, &fd);
		if (rc == ENOENT && base == r->hint.active_base) {
			/* A roll names it in the state before it makes it. */
			if (offset >= raw_end(r))
				return STATUS_END;
			r->hint.active_base = -1;
		}
	}
	if (rc != 0)
		return rc;
	leave(r);
	r->fd = fd;
	r->base = base;
	if (r->next < 0)
		r->next = base;
	return 0;
}

/* Retention was faster. */
static bool
is_deleted(const struct raw *r)
{
	return r->next >= 0 && r->next < r->offsets.log_start &&
	    r->next < r->base;
}

static int
place(struct raw *r, struct fault *f)
{
	int64_t pos;
	int rc = seek_offset(partition_dirfd(r->p), r->base, r->fd, r->next, -1,
	    &pos);

	segment_scan_start(&r->scan, r->fd, pos, -1);
	if (rc == STATUS_CORRUPT)
		return fault_here(r, rc, "batch headers do not add up", f);
	r->placed = r->inside = rc == 0;
	return rc;
}

/* Add what stands at the scan's place; *full: it is for the next run. */
static int
add_batch(struct raw *r, size_t max, struct raw_run *out, bool *full,
    struct fault *f)
{
	const uint8_t *data;
	struct batch b;
	int rc = segment_scan_next(&r->scan, &b, &data);

	if (rc == STATUS_END)
		return rc;
	if (rc == STATUS_SHORT)
		rc = STATUS_CORRUPT;
	if (rc != 0)
		return fault_here(r, rc, r->scan.what, f);
	if (b.last_offset < r->next || b.base_offset < r->base ||
	    (b.base_offset < r->next && !r->inside)) {
		r->scan.pos -= (int64_t)b.size;
		return fault_here(r, STATUS_CORRUPT, "offset is out of order",
		    f);
	}
	*full = r->run.len > 0 && r->run.len + b.size > max;
	if (*full || b.base_offset >= raw_end(r)) {
		*full = true;
		r->scan.pos -= (int64_t)b.size;
		return 0;
	}
	rc = buf_add(&r->run, data, b.size);
	if (rc != 0)
		return rc;
	if (out->batches++ == 0)
		out->base_offset = b.base_offset;
	r->next = b.last_offset + 1;
	r->inside = false;
	r->last = (struct given){b, r->scan.pos - (int64_t)b.size};
	return 0;
}

/* A run of this segment.  STATUS_END: it has no more. */
static int
collect(struct raw *r, size_t max, struct raw_run *out, struct fault *f)
{
	bool full = false;
	int rc = r->placed ? 0 : place(r, f);

	r->run.len = 0;
	r->before = r->last;
	while (rc == 0 && !full && r->next < raw_end(r) && r->run.len < max)
		rc = add_batch(r, max, out, &full, f);
	/* What is wrong behind it is told the next time. */
	if (rc != 0 && r->run.len == 0)
		return rc;
	*out = (struct raw_run){.segment = r->base,
	    .data = r->run.data,
	    .len = r->run.len,
	    .base_offset = out->base_offset,
	    .next_offset = r->next,
	    .batches = out->batches};
	return out->len > 0 ? 0 : STATUS_END;
}

int
raw_next(struct raw *r, size_t max, struct raw_run *out, struct fault *f)
{
	int rc;

	*out = (struct raw_run){.base_offset = -1};
	if (r->fd >= 0 && r->next < raw_end(r)) {
		rc = collect(r, max, out, f);
		if (rc != STATUS_END)
			return rc;
	}
	rc = r->fd >= 0 && r->base == r->hint.active_base ? STATUS_END
							  : enter(r);
	if (rc != 0)
		return rc;
	if (is_deleted(r)) {
		raw_seek(r, r->next);
		return STATUS_OFFSET;
	}
	*out = (struct raw_run){.segment = r->base,
	    .base_offset = r->next,
	    .next_offset = r->next};
	return 0;
}

/* Has compaction been at that segment?  The active one it leaves alone. */
static bool
is_cleaned(struct raw *r, int64_t base)
{
	struct sum sum;

	if (r->hint.active_base >= 0 && base >= r->hint.active_base)
		return false;
	return sum_read(partition_dirfd(r->p), base, &sum) != 0 ||
	    (sum.flags & SUM_COMPACTED) != 0 ||
	    sum.next_offset - base != sum.records;
}

/* The last batch at or before offset in one file. */
static int
last_before(struct raw *r, int64_t base, int fd, int64_t offset,
    struct batch *out)
{
	struct batch b;
	int64_t pos;
	int rc = seek_before(partition_dirfd(r->p), base, fd, offset, 0, &pos);

	if (rc == 0)
		rc =
		    seek_offset(partition_dirfd(r->p), base, fd, pos, -1, &pos);
	if (rc != 0)
		return rc;
	*out = (struct batch){.base_offset = -1};
	while ((rc = segment_header_at(fd, pos, &b)) == 0 &&
	    b.base_offset <= offset &&
	    b.base_offset < r->offsets.high_watermark) {
		*out = b;
		pos += (int64_t)b.size;
	}
	/* What cannot be read is no end. */
	if (rc == STATUS_CORRUPT || rc > 0)
		return rc;
	return out->base_offset >= 0 ? 0 : STATUS_END;
}

int
raw_batch_at(struct raw *r, int64_t offset, struct batch *out, bool *cleaned,
    struct fault *f)
{
	struct segment_list l = {NULL, 0};
	int fd = -1, rc = tail_list(r->p, &l);

	if (rc == 0 && l.count == 0)
		rc = STATUS_END;
	for (size_t i = rc == 0 ? segment_list_find(&l, offset) + 1 : 0; i > 0;
	     i--) {
		*cleaned = is_cleaned(r, l.bases[i - 1]);
		rc = tail_open_log(r->p, l.bases[i - 1], &fd);
		/* Gone since, or made one with the one before. */
		if (rc == ENOENT)
			rc = STATUS_END;
		else if (rc == 0)
			rc = last_before(r, l.bases[i - 1], fd, offset, out);
		/* Only compaction leaves holes, here or where it was copied. */
		if (rc == 0 &&
		    (out->last_offset < offset ||
			out->last_offset - out->base_offset + 1 !=
			    out->record_count))
			*cleaned = true;
		(void)io_close(&fd);
		if (rc != STATUS_END)
			break;
	}
	segment_list_release(&l);
	if (rc == STATUS_CORRUPT)
		status_fault(f, rc, partition_path(r->p), -1, offset,
		    "batch headers do not add up");
	return rc;
}

static bool
is_same(const struct batch *a, const struct batch *b)
{
	return a->base_offset == b->base_offset &&
	    a->last_offset == b->last_offset &&
	    a->leader_epoch == b->leader_epoch && a->crc == b->crc;
}

/* Is the file that is read from still there, under its name? */
static bool
is_there(const struct raw *r)
{
	char name[SEGMENT_NAME_LEN];
	struct stat open, named;

	segment_name(name, r->base, ".log");
	return fstat(r->fd, &open) == 0 &&
	    fstatat(partition_dirfd(r->p), name, &named, 0) == 0 &&
	    open.st_ino == named.st_ino && open.st_dev == named.st_dev;
}

static bool
stands(const struct raw *r, const struct given *g, const struct batch *was)
{
	struct batch b;

	return g->batch.size > 0 && is_same(&g->batch, was) &&
	    segment_header_at(r->fd, g->pos, &b) == 0 && is_same(&b, was) &&
	    is_there(r);
}

/* It was among the last that were given, and is still there: few calls tell. */
static bool
is_in_place(const struct raw *r, const struct batch *was)
{
	return r->fd >= 0 &&
	    (stands(r, &r->last, was) || stands(r, &r->before, was));
}

int
raw_is_kept(struct raw *r, const struct batch *was, bool *kept, struct fault *f)
{
	struct batch b;
	bool cleaned = false;
	int rc = 0;

	*kept = was->base_offset < raw_start(r) || is_in_place(r, was);
	if (*kept)
		return 0;
	rc = raw_batch_at(r, was->last_offset, &b, &cleaned, f);
	/* It may have taken all that stood there and before. */
	*kept = cleaned || (rc == 0 && is_same(&b, was));
	return rc == STATUS_END ? 0 : rc;
}
