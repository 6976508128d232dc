#include "store/salvage_impl.h"

#include <errno.h>
#include <stdlib.h>

#include "base/io.h"
#include "base/status.h"
#include "store/batch.h"

struct run *
salvage_runs_add(struct finder *f)
{
	if (f->count == f->cap) {
		size_t cap = f->cap == 0 ? 64 : f->cap * 2;
		void *runs = reallocarray(f->runs, cap, sizeof(*f->runs));

		if (runs == NULL)
			return NULL;
		f->runs = runs;
		f->cap = cap;
	}
	return &f->runs[f->count++];
}

/* Is it in the range?  NULL, or what is wrong. */
const char *
salvage_runs_judge(const struct finder *f, int64_t base, int64_t last)
{
	return base < f->range->first || last >= f->range->end
	    ? "offsets are not of this segment"
	    : NULL;
}

static int
add_batch(struct finder *f, const struct batch *b, int64_t pos)
{
	const char *what =
	    salvage_runs_judge(f, b->base_offset, b->last_offset);
	struct run *r = f->count > 0 ? &f->runs[f->count - 1] : NULL;

	if (r == NULL || r->batches == 0 || r->what != what || what != NULL ||
	    r->last + 1 != b->base_offset) {
		r = salvage_runs_add(f);
		if (r == NULL)
			return ENOMEM;
		*r = (struct run){.pos = pos,
		    .base = b->base_offset,
		    .what = what,
		    .before = -1};
	}
	r->len = pos + (int64_t)b->size - r->pos;
	r->last = b->last_offset;
	r->last_pos = pos;
	r->last_base = b->base_offset;
	r->batches++;
	return 0;
}

static int
add_junk(struct finder *f, int64_t pos, int64_t end, const char *what)
{
	struct run *r = salvage_runs_add(f);

	if (r == NULL)
		return ENOMEM;
	*r = (struct run){.pos = pos,
	    .len = end - pos,
	    .base = -1,
	    .last = -1,
	    .what = what,
	    .before = -1};
	return 0;
}

/* Would another batch follow if one bit of the length were another one? */
static bool
is_too_long(struct segment_scan *scan, const struct batch *b)
{
	uint32_t len = (uint32_t)(b->size - BATCH_OVERHEAD);
	struct batch after;

	for (uint32_t bit = 1; bit != 0 && bit <= len; bit <<= 1) {
		int64_t next =
		    scan->pos + (int64_t)(len ^ bit) + BATCH_OVERHEAD;

		if ((len & bit) != 0 &&
		    segment_header_at(scan->fd, next, &after) == 0 &&
		    after.base_offset > b->last_offset)
			return true;
	}
	return false;
}

/* Does the damaged batch's length lead to the batch that comes next? */
static bool
is_followed(struct segment_scan *scan, const struct batch *b)
{
	int64_t next = scan->pos + (int64_t)b->size;
	struct batch after;
	int rc;

	/* To the end, perhaps beyond others. */
	if (next == scan->limit)
		return !is_too_long(scan, b);
	if (next > scan->limit)
		return false;
	rc = segment_header_at(scan->fd, next, &after);
	return rc == 0 && after.base_offset == b->last_offset + 1;
}

/* Go behind the damage at scan->pos. */
static int
pass_over(struct finder *f, struct segment_scan *scan, bool is_short)
{
	const struct salvage_range *range = f->range;
	const char *what = scan->what;
	int64_t pos = scan->pos;
	struct batch b;
	int rc = segment_header_at(scan->fd, pos, &b);

	if (rc > 0)
		return rc;
	if (rc == 0 && is_followed(scan, &b)) {
		segment_scan_start(scan, scan->fd, pos + (int64_t)b.size,
		    scan->limit);
		return add_junk(f, pos, scan->pos, what);
	}
	rc = segment_scan_resync(scan, range->first, range->end);
	is_short =
	    is_short && rc == STATUS_END && range->size < range->full_size;
	if (rc == 0 || rc == STATUS_END)
		rc = add_junk(f, pos, scan->pos, what);
	if (rc == 0)
		f->runs[f->count - 1].cut = is_short;
	return rc;
}

int
salvage_runs_find(struct finder *f, struct segment_scan *scan)
{
	const uint8_t *data;
	const char *what;
	struct batch b;
	int64_t pos;
	int rc;

	for (;;) {
		pos = scan->pos;
		rc = segment_scan_next(scan, &b, &data);
		if (rc == STATUS_END)
			return 0;
		if (rc > 0)
			return rc;
		if (rc != 0) {
			rc = pass_over(f, scan, rc == STATUS_SHORT);
			if (rc != 0)
				return rc;
			continue;
		}
		rc = salvage_check_records(data, &b, &f->scratch, &what);
		if (rc == STATUS_CORRUPT)
			rc = add_junk(f, pos, scan->pos, what);
		else if (rc == 0)
			rc = add_batch(f, &b, pos);
		if (rc != 0)
			return rc;
	}
}

const char salvage_runs_torn[] = "its offset may be of another batch";

/*
 * A header that lies in two sectors may be put together of two batches', with
 * the base offset of one and all that the CRC covers of the other.
 */
static bool
is_in_two(int64_t pos)
{
	return pos / SECTOR != (pos + BATCH_ATTRIBUTES - 1) / SECTOR;
}

/* Does what is behind the run i go on with the offset behind it? */
static int
is_confirmed(const struct finder *f, size_t i, int fd, bool *confirmed)
{
	const struct run *r = &f->runs[i], *behind = r + 1;
	uint8_t base[sizeof(int64_t)];
	int rc;

	*confirmed = false;
	if (i + 1 == f->count) {
		*confirmed = r->last + 1 == f->range->end;
		return 0;
	}
	if (behind->batches > 0 || behind->len < (int64_t)sizeof(base))
		return 0;
	rc = io_pread_full(fd, base, sizeof(base), behind->pos);
	*confirmed = rc == 0 && (int64_t)buf_get_64(base) == r->last + 1;
	return rc;
}

/* Something is wrong between two runs, one behind the other. */
static bool
is_damage(const struct run *a, const struct run *b)
{
	return a->what != NULL || (b->what != NULL && !b->cut) ||
	    (b->what == NULL && b->base <= a->last);
}

/* Could the damage that is nearest to the end of the run i reach there? */
static bool
is_near_damage(const struct finder *f, size_t i)
{
	int64_t pos = f->runs[i].last_pos;

	for (size_t k = i; k > 0 && f->runs[k].pos > pos - PIECE_MAX; k--)
		if (is_damage(&f->runs[k - 1], &f->runs[k]))
			return true;
	for (size_t k = i;
	     k + 1 < f->count && f->runs[k + 1].pos < pos + PIECE_MAX; k++)
		if (is_damage(&f->runs[k], &f->runs[k + 1]))
			return true;
	return false;
}

/* The last batch of a run is taken off it: nothing confirms its offset. */
static int
tear_off(struct finder *to, const struct run *run)
{
	struct run *r, last = *run;

	last.pos = run->last_pos;
	last.len = run->pos + run->len - last.pos;
	last.base = run->last_base;
	last.batches = 1;
	last.what = salvage_runs_torn;
	if (run->batches > 1) {
		r = salvage_runs_add(to);
		if (r == NULL)
			return ENOMEM;
		*r = *run;
		r->len -= last.len;
		r->last = last.base - 1;
		r->batches--;
	}
	r = salvage_runs_add(to);
	if (r == NULL)
		return ENOMEM;
	*r = last;
	return 0;
}

/*
 * The others of a run are confirmed by the one behind; a header in one sector
 * is of one batch.
 */
int
salvage_runs_tear(struct finder *f, int fd)
{
	struct finder to = {.range = f->range};
	bool confirmed = true;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < f->count; i++) {
		const struct run *r = &f->runs[i];
		bool doubtful = r->what == NULL && is_in_two(r->last_pos) &&
		    is_near_damage(f, i);

		if (doubtful)
			rc = is_confirmed(f, i, fd, &confirmed);
		if (rc == 0 && doubtful && !confirmed) {
			rc = tear_off(&to, r);
		} else if (rc == 0) {
			struct run *same = salvage_runs_add(&to);

			if (same == NULL)
				rc = ENOMEM;
			else
				*same = *r;
		}
	}
	free(f->runs);
	f->runs = to.runs;
	f->count = to.count;
	f->cap = to.cap;
	return rc;
}
