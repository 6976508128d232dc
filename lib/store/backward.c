/*
 * Blocks, from the end on.  A block begins at a rung: an offset where a batch
 * begins, found by the index, or met while reading a block that turned out to
 * be too large.  The rungs below are kept for the blocks to come.
 */
#include "store/backward.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/bounds.h"
#include "base/io.h"
#include "base/status.h"
#include "store/seek.h"
#include "store/segment.h"
#include "store/tail.h"

enum {
	STEP_FIRST = 64 << 10,	/* of a few records nothing more is read */
	STEP_MAX = 512 << 10,
	BLOCK_BYTES = 2 << 20,
};

struct rung {
	int64_t offset;
	int64_t max;		/* largest timestamp before it */
};

struct entry {
	struct batch batch;
	size_t at;		/* in the block */
	int64_t max;
};

struct backward {
	struct partition *p;	/* not owned */
	struct reader *r;	/* not owned */
	int64_t from;
	int64_t upper;		/* what is below is still to come */
	int64_t step;
	backward_measure *measure;
	void *arg;
	struct rung *rungs;	/* ascending */
	size_t rung_count;
	size_t rung_cap;
	struct entry *entries;	/* of the block, ascending */
	size_t count;
	size_t cap;
	struct buf block;
	int64_t lower;		/* where the block begins */
	int why;		/* what ends the block below, 0 nothing */
	struct fault fault;
	int64_t lost_from;
	int64_t lost_to;
};

int
backward_open(struct partition *p, struct reader *r, int64_t from, int64_t to,
    backward_measure *measure, void *arg, struct backward **out)
{
	struct backward *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return ENOMEM;
	*w = (struct backward){.p = p,
	    .r = r,
	    .from = from,
	    .upper = to,
	    .lower = to,
	    .step = STEP_FIRST,
	    .measure = measure,
	    .arg = arg};
	buf_init(&w->block, BLOCK_BYTES + (size_t)BATCH_BYTES_MAX);
	*out = w;
	return 0;
}

void
backward_close(struct backward *w)
{
	if (w == NULL)
		return;
	buf_release(&w->block);
	free(w->entries);
	free(w->rungs);
	free(w);
}

/* --- rungs ---------------------------------------------------------------- */

static int
push_rung(struct backward *w, int64_t offset, int64_t max)
{
	if (w->rung_count == w->rung_cap) {
		size_t cap = w->rung_cap == 0 ? 16 : w->rung_cap * 2;
		struct rung *rungs =
		    reallocarray(w->rungs, cap, sizeof(*rungs));

		if (rungs == NULL)
			return ENOMEM;
		w->rungs = rungs;
		w->rung_cap = cap;
	}
	w->rungs[w->rung_count++] = (struct rung){offset, max};
	return 0;
}

/* Where the index of its segment says that a block before upper may begin. */
static int
find_start(struct backward *w, bool again, int64_t *start)
{
	const struct segment_list *l;
	char name[SEGMENT_NAME_LEN];
	int dirfd = partition_dirfd(w->p), fd = -1;
	int rc = tail_segments(w->p, again, &l);

	*start = w->from;
	if (rc != 0 || l->count == 0 || w->upper - 1 < l->bases[0])
		return rc;
	*start = l->bases[segment_list_find(l, w->upper - 1)];
	segment_name(name, *start, ".log");
	rc = io_open(dirfd, name, O_RDONLY, 0, &fd);
	if (rc == 0)
		rc = seek_before(dirfd, *start, fd, w->upper, w->step, start);
	(void)io_close(&fd);
	if (w->step < STEP_MAX)
		w->step *= 2;
	return rc;
}

/* The rung below upper. */
static int
choose_rung(struct backward *w, struct rung *out)
{
	int64_t start = w->from;
	int rc = 0;

	while (w->rung_count > 0) {
		if (w->rungs[w->rung_count - 1].offset < w->upper)
			break;
		w->rung_count--;
	}
	if (w->rung_count == 0 && w->measure == NULL) {
		rc = find_start(w, false, &start);
		/* The listing was old. */
		if (rc == ENOENT)
			rc = find_start(w, true, &start);
		/* Whatever it is, the reader will find it, too. */
		if (rc == ENOENT)
			rc = 0;
	}
	if (rc == 0 && w->rung_count == 0)
		rc = push_rung(w, start > w->from ? start : w->from, INT64_MIN);
	if (rc == 0)
		*out = w->rungs[w->rung_count - 1];
	return rc;
}

/* --- blocks --------------------------------------------------------------- */

/* Another batch; one too many begins a block of its own. */
static int
add(struct backward *w, const struct batch *b, const uint8_t *data, int64_t max)
{
	int rc = 0;

	if (w->count > 0 && w->block.len + b->size > BLOCK_BYTES) {
		rc = push_rung(w, b->base_offset, max);
		w->lower = b->base_offset;
		w->count = w->block.len = 0;
		/* It is met again, from behind. */
		w->why = 0;
	}
	if (rc == 0 && w->count == w->cap) {
		size_t cap = w->cap == 0 ? 64 : w->cap * 2;
		struct entry *entries =
		    reallocarray(w->entries, cap, sizeof(*entries));

		if (entries == NULL)
			return ENOMEM;
		w->entries = entries;
		w->cap = cap;
	}
	if (rc == 0)
		w->entries[w->count++] = (struct entry){*b, w->block.len, max};
	return rc == 0 ? buf_add(&w->block, data, b->size) : rc;
}

/* What the reader met ends the block: what is behind comes first. */
static int
meet(struct backward *w, int rc, struct fault *f)
{
	w->lost_from = w->lost_to = reader_offset(w->r);
	if (rc == STATUS_CORRUPT || rc == STATUS_UNSUPPORTED) {
		if (reader_skip(w->r, &w->lost_from, &w->lost_to) != 0)
			return rc;
	} else if (rc == STATUS_OFFSET) {
		w->from = reader_offset(w->r);
		status_fault(f, rc, partition_path(w->p), -1, w->from,
		    "records are gone");
	} else {
		return rc;
	}
	w->count = w->block.len = 0;
	w->why = rc;
	w->fault = *f;
	return 0;
}

/* Read the block before upper. */
static int
fill(struct backward *w)
{
	struct fault f = {.file = ""};
	const uint8_t *data;
	struct rung rung;
	struct batch b;
	int rc = choose_rung(w, &rung);

	w->count = w->block.len = 0;
	if (rc != 0)
		return rc;
	w->lower = rung.offset;
	rc = reader_seek(w->r, rung.offset, NULL, &f);
	while (rc == 0 && reader_offset(w->r) < w->upper) {
		int64_t max = rung.max;

		rc = reader_next(w->r, &b, &data, &f);
		if (rc == STATUS_END || (rc == 0 && b.base_offset >= w->upper))
			return 0;
		if (rc != 0) {
			rc = meet(w, rc, &f);
			continue;
		}
		if (w->measure != NULL)
			rc = w->measure(w->arg, &b, data, &rung.max, &f);
		if (rc == 0)
			rc = add(w, &b, data, max);
	}
	if (rc != 0)
		w->fault = f;
	return rc;
}

int
backward_next(struct backward *w, struct batch *b, const uint8_t **data,
    int64_t *max, struct fault *f)
{
	int rc;

	while (w->count == 0) {
		rc = w->why;
		if (rc != 0) {
			*f = w->fault;
			if (rc == STATUS_OFFSET)
				w->why = 0;
			return rc;
		}
		w->upper = w->lower;
		if (w->upper <= w->from)
			return STATUS_END;
		rc = fill(w);
		if (rc != 0) {
			/* To be tried again. */
			w->lower = w->upper;
			w->count = 0;
			*f = w->fault;
			return rc;
		}
	}
	w->count--;
	*b = w->entries[w->count].batch;
	*data = w->block.data + w->entries[w->count].at;
	*max = w->entries[w->count].max;
	return 0;
}

int
backward_skip(struct backward *w, int64_t *from, int64_t *to)
{
	if (w->why == 0)
		return EINVAL;
	*from = w->lost_from;
	*to = w->lost_to;
	w->lower = w->lost_from;
	w->why = 0;
	return 0;
}
