#include "store/salvage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/buf.h"
#include "base/crc32c.h"
#include "base/io.h"
#include "base/status.h"
#include "store/batch.h"
#include "store/segment.h"

enum { BLOCK = 1 << 20 };

/*
 * A stretch of the file: valid batches in a row of offsets, or bytes that are
 * none.
 */
struct run {
	int64_t pos;
	int64_t len;
	int64_t base;
	int64_t last;
	int64_t batches;
	int64_t weight;		/* of the heaviest chain that ends here */
	ptrdiff_t before;	/* the run before in that chain, -1 none */
	const char *what;	/* not valid, and why; NULL valid */
	bool chosen;
	bool mended;		/* it is to have another base offset: */
	int64_t old_base;	/* as in the file */
	uint8_t header[SALVAGE_HEADER_LEN];
};

struct finder {
	const struct salvage_range *range;
	struct run *runs;
	size_t count;
	size_t cap;
	struct buf scratch;
};

int
salvage_check_records(const uint8_t *data, const struct batch *b,
    struct buf *scratch, const char **what)
{
	struct batch_records it;
	struct record r;
	int rc = batch_records_init(&it, data, b, scratch);

	while (rc == 0)
		rc = batch_records_next(&it, &r);
	if (rc == STATUS_END)
		return 0;
	*what = "records do not add up";
	return rc == STATUS_CODEC || rc > 0 ? rc : STATUS_CORRUPT;
}

static struct run *
add_run(struct finder *f)
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
static const char *
judge_offsets(const struct finder *f, int64_t base, int64_t last)
{
	return base < f->range->first || last >= f->range->end
	    ? "offsets are not of this segment"
	    : NULL;
}

static int
add_batch(struct finder *f, const struct batch *b, int64_t pos)
{
	const char *what = judge_offsets(f, b->base_offset, b->last_offset);
	struct run *r = f->count > 0 ? &f->runs[f->count - 1] : NULL;

	if (r == NULL || r->what != what || what != NULL ||
	    r->last + 1 != b->base_offset) {
		r = add_run(f);
		if (r == NULL)
			return ENOMEM;
		*r = (struct run){.pos = pos,
		    .base = b->base_offset,
		    .what = what,
		    .before = -1};
	}
	r->len = pos + (int64_t)b->size - r->pos;
	r->last = b->last_offset;
	r->batches++;
	return 0;
}

static int
add_junk(struct finder *f, int64_t pos, int64_t end, const char *what)
{
	struct run *r = add_run(f);

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

/* Does the damaged batch's length lead to the batch that comes next? */
static bool
is_followed(struct segment_scan *scan, const struct batch *b)
{
	int64_t next = scan->pos + (int64_t)b->size;
	struct batch after;
	int rc;

	if (next == scan->limit)
		return true;
	if (next > scan->limit)
		return false;
	rc = segment_header_at(scan->fd, next, &after);
	return rc == 0 && after.base_offset == b->last_offset + 1;
}

/* Go behind the damage at scan->pos. */
static int
pass_over(struct finder *f, struct segment_scan *scan)
{
	const struct salvage_range *range = f->range;
	struct batch b;
	int rc = segment_header_at(scan->fd, scan->pos, &b);

	if (rc == 0 && is_followed(scan, &b)) {
		segment_scan_start(scan, scan->fd, scan->pos + (int64_t)b.size,
		    scan->limit);
		return 0;
	}
	if (rc > 0)
		return rc;
	rc = segment_scan_resync(scan, range->first, range->end);
	return rc == STATUS_END ? 0 : rc;
}

static int
find_runs(struct finder *f, struct segment_scan *scan)
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
		what = scan->what;
		if (rc != 0) {
			rc = pass_over(f, scan);
			if (rc == 0)
				rc = add_junk(f, pos, scan->pos, what);
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

/* --- the heaviest ascending chain ---------------------------------------- */

static int
compare_last(const void *a, const void *b)
{
	const struct run *x = *(const struct run *const *)a;
	const struct run *y = *(const struct run *const *)b;

	return (x->last > y->last) - (x->last < y->last);
}

/* How much a run counts; the range's ends speak for those that touch them. */
static int64_t
weigh(const struct finder *f, const struct run *r)
{
	return 2 * r->batches + (r->base == f->range->first) +
	    (r->last + 1 == f->range->end);
}

/* How many of the runs, ordered by their last offset, end below base? */
static size_t
count_below(struct run **order, size_t n, int64_t base)
{
	size_t low = 0, high = n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (order[mid]->last < base)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/*
 * best[] is a Fenwick tree over the runs ordered by their last offset: the
 * heaviest chain among those that were visited.
 */
static struct run *
best_before(struct run **best, size_t i)
{
	struct run *r = NULL;

	for (; i > 0; i -= i & -i)
		if (best[i] != NULL &&
		    (r == NULL || best[i]->weight > r->weight))
			r = best[i];
	return r;
}

static void
note_best(struct run **best, size_t n, size_t i, struct run *r)
{
	for (; i <= n; i += i & -i)
		if (best[i] == NULL || best[i]->weight < r->weight)
			best[i] = r;
}

static int
choose_chain(struct finder *f)
{
	struct run **order = calloc(f->count + 1, sizeof(struct run *));
	struct run **best = calloc(f->count + 2, sizeof(struct run *));
	struct run *heaviest = NULL, *before;
	size_t n = 0;

	if (order == NULL || best == NULL) {
		free(order);
		free(best);
		return ENOMEM;
	}
	for (size_t i = 0; i < f->count; i++)
		if (f->runs[i].what == NULL)
			order[n++] = &f->runs[i];
	qsort(order, n, sizeof(struct run *), compare_last);
	for (size_t i = 0; i < f->count; i++) {
		struct run *r = &f->runs[i];

		if (r->what != NULL)
			continue;
		before = best_before(best, count_below(order, n, r->base));
		r->before = before == NULL ? -1 : before - f->runs;
		r->weight = weigh(f, r) + (before == NULL ? 0 : before->weight);
		note_best(best, n, count_below(order, n, r->last) + 1, r);
		if (heaviest == NULL || r->weight > heaviest->weight)
			heaviest = r;
	}
	while (heaviest != NULL) {
		heaviest->chosen = true;
		heaviest =
		    heaviest->before < 0 ? NULL : &f->runs[heaviest->before];
	}
	free(order);
	free(best);
	return 0;
}

/* --- those that are not in the chain ------------------------------------- */

static bool
is_in_chain(const struct run *r)
{
	return r->chosen && (r->what == NULL || r->mended);
}

/*
 * One batch between two that are chosen, or the first or the last of the
 * range, that just fills the gap between them.
 */
static void
mend_base(struct finder *f, size_t i)
{
	const struct salvage_range *range = f->range;
	struct run *r = &f->runs[i];
	int64_t span = r->last - r->base, from = -1, to = -1;

	if (r->batches != 1)
		return;
	if (i == 0)
		from = range->first;
	else if (is_in_chain(&r[-1]))
		from = r[-1].last + 1;
	if (i + 1 == f->count)
		to = range->end;
	else if (is_in_chain(&r[1]))
		to = r[1].base;
	if (from < 0 || to < 0 || to - from != span + 1)
		return;
	r->old_base = r->base;
	r->base = from;
	r->last = to - 1;
	r->chosen = r->mended = true;
	r->what = "base offset is wrong";
	buf_put_64(r->header + BATCH_BASE_OFFSET, (uint64_t)from);
}

static int
read_headers(struct finder *f, int fd)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < f->count; i++)
		rc = io_pread_full(fd, f->runs[i].header,
		    f->runs[i].len < SALVAGE_HEADER_LEN ? (size_t)f->runs[i].len
							: SALVAGE_HEADER_LEN,
		    f->runs[i].pos);
	return rc;
}

static int
compare_base(const void *a, const void *b)
{
	const struct run *x = *(const struct run *const *)a;
	const struct run *y = *(const struct run *const *)b;

	return (x->base > y->base) - (x->base < y->base);
}

/* Those that fit by their offsets between the chosen ones. */
static int
place_strays(struct finder *f)
{
	struct run **order = calloc(f->count + 1, sizeof(struct run *));
	int64_t done = f->range->first;
	size_t n = 0;

	if (order == NULL)
		return ENOMEM;
	for (size_t i = 0; i < f->count; i++)
		if (f->runs[i].chosen || f->runs[i].what == NULL)
			order[n++] = &f->runs[i];
	qsort(order, n, sizeof(struct run *), compare_base);
	for (size_t i = 0; i < n; i++) {
		size_t next = i + 1;

		while (next < n && !order[next]->chosen)
			next++;
		if (!order[i]->chosen) {
			if (order[i]->base < done ||
			    (next < n && order[i]->last >= order[next]->base))
				continue;
			order[i]->chosen = true;
			order[i]->what = "not in its place";
		}
		done = order[i]->last + 1;
	}
	free(order);
	return 0;
}

/* The CRC of what is chosen, in the order of the file. */
static int
compute_crc(const struct finder *f, int fd, uint32_t *crc)
{
	uint8_t *block = malloc(BLOCK);
	int rc = block == NULL ? ENOMEM : 0;

	*crc = 0;
	for (size_t i = 0; rc == 0 && i < f->count; i++) {
		const struct run *r = &f->runs[i];
		size_t got = 0;

		for (int64_t at = 0; rc == 0 && r->chosen && at < r->len;
		     at += (int64_t)got) {
			int64_t want =
			    r->len - at < BLOCK ? r->len - at : BLOCK;

			rc = io_pread(fd, block, (size_t)want, r->pos + at,
			    &got);
			if (rc == 0 && got == 0)
				break;
			if (at == 0 && r->mended)
				memcpy(block, r->header, sizeof(r->header));
			*crc = crc32c_update(*crc, block, got);
		}
	}
	free(block);
	return rc;
}

static void
give_up(const struct finder *f, struct run *r)
{
	r->last += r->old_base - r->base;
	r->base = r->old_base;
	r->what = judge_offsets(f, r->base, r->last);
	r->chosen = r->mended = false;
}

/* Base offsets, guessed, and given up again if the CRC says no. */
static int
mend_bases(struct finder *f, int fd)
{
	uint32_t crc;
	bool any = false;
	int rc;

	rc = read_headers(f, fd);
	for (size_t i = 0; rc == 0 && i < f->count; i++) {
		if (!f->runs[i].chosen && f->runs[i].batches > 0)
			mend_base(f, i);
		any = any || f->runs[i].mended;
	}
	if (rc != 0 || !any)
		return rc;
	rc = compute_crc(f, fd, &crc);
	if (rc != 0 || crc == f->range->crc)
		return rc;
	for (size_t i = 0; i < f->count; i++)
		if (f->runs[i].mended)
			give_up(f, &f->runs[i]);
	return 0;
}

/* --- one bit of a header, found by the CRC of the whole ------------------- */

/* The bits that may have changed: of the base offset and the leader epoch. */
static bool
is_uncovered(size_t at)
{
	return at < BATCH_LENGTH || at >= BATCH_LEADER_EPOCH;
}

/* Which bit of the header at pos changes the CRC so?  False: none. */
static bool
find_bit(const struct finder *f, int64_t pos, uint32_t change, size_t *at,
    uint8_t *mask)
{
	uint64_t behind = (uint64_t)(f->range->size - pos) - SALVAGE_HEADER_LEN;
	/* Of the bits, the last one first. */
	uint32_t crc = crc32c_change(8 * behind);

	for (size_t i = SALVAGE_HEADER_LEN; i > 0; i--)
		for (int bit = 7; bit >= 0; bit--) {
			*at = i - 1;
			*mask = (uint8_t)(1 << bit);
			if (crc == change && is_uncovered(*at))
				return true;
			crc = crc32c_before(crc);
		}
	return false;
}

/* The batch at pos of run i is to have that header: it becomes a run. */
static int
split_run(struct finder *f, size_t i, int64_t pos, const struct batch *b,
    const uint8_t header[SALVAGE_HEADER_LEN])
{
	struct run old = f->runs[i], *r;
	int64_t base = (int64_t)buf_get_64(header + BATCH_BASE_OFFSET);

	if (add_run(f) == NULL || add_run(f) == NULL)
		return ENOMEM;
	r = &f->runs[i];
	memmove(r + 3, r + 1, (f->count - i - 3) * sizeof(*r));
	r[0].len = pos - old.pos;
	r[0].last = b->base_offset - 1;
	r[0].chosen = r[0].len > 0;
	r[1] = (struct run){.pos = pos,
	    .len = (int64_t)b->size,
	    .base = base,
	    .last = base + (b->last_offset - b->base_offset),
	    .batches = 1,
	    .what = "a bit of its header has changed",
	    .chosen = true,
	    .mended = true};
	memcpy(r[1].header, header, SALVAGE_HEADER_LEN);
	r[2] = old;
	r[2].pos = pos + (int64_t)b->size;
	r[2].len = old.pos + old.len - r[2].pos;
	r[2].base = b->last_offset + 1;
	r[2].chosen = r[2].len > 0;
	return 0;
}

/* Look through the batches of one run. */
static int
search_run(struct finder *f, size_t i, int fd, uint32_t change, bool *found)
{
	uint8_t header[SALVAGE_HEADER_LEN], mask;
	int64_t pos = f->runs[i].pos, end = pos + f->runs[i].len;
	struct batch b;
	size_t at;
	int rc = 0;

	while (rc == 0 && pos < end && !*found) {
		rc = segment_header_at(fd, pos, &b);
		if (rc == 0 && find_bit(f, pos, change, &at, &mask)) {
			*found = true;
			rc = io_pread_full(fd, header, sizeof(header), pos);
			header[at] ^= mask;
			if (rc == 0)
				rc = split_run(f, i, pos, &b, header);
		}
		pos += (int64_t)b.size;
	}
	return rc;
}

static int
search_bit(struct finder *f, int fd)
{
	bool found = false;
	uint32_t crc;
	int64_t covered = 0;
	int rc;

	for (size_t i = 0; i < f->count; i++)
		if (f->runs[i].chosen && f->runs[i].what == NULL)
			covered += f->runs[i].len;
	if (covered != f->range->size)
		return 0;
	rc = compute_crc(f, fd, &crc);
	if (rc != 0 || crc == f->range->crc)
		return rc;
	for (size_t i = 0; rc == 0 && !found && i < f->count; i++)
		rc = search_run(f, i, fd, crc ^ f->range->crc, &found);
	return rc;
}

/* --- the result ---------------------------------------------------------- */

static int
compare_piece(const void *a, const void *b)
{
	const struct salvage_piece *x = a, *y = b;

	return (x->base > y->base) - (x->base < y->base);
}

static void
add_piece(struct salvage *out, const struct run *r)
{
	struct salvage_piece *piece = &out->pieces[out->piece_count++];

	*piece = (struct salvage_piece){.pos = r->pos,
	    .len = r->len,
	    .base = r->base,
	    .last = r->last,
	    .mended = r->mended};
	memcpy(piece->header, r->header, sizeof(piece->header));
}

static void
collect_pieces(const struct finder *f, struct salvage *out)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->runs[i].chosen && f->runs[i].len > 0)
			add_piece(out, &f->runs[i]);
	qsort(out->pieces, out->piece_count, sizeof(*out->pieces),
	    compare_piece);
}

/*
 * The flaw's bytes are whole batches that stand where they do not belong.
 * What is missing by their offsets, between the pieces below and above, is
 * missing as well, and they may have had torn neighbours.
 */
static void
widen(const struct finder *f, const struct salvage *out, const struct run *r,
    struct salvage_flaw *flaw)
{
	int64_t from = f->range->first, to = f->range->end;
	size_t low = 0, high = out->piece_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (out->pieces[mid].base <= r->base)
			low = mid + 1;
		else
			high = mid;
	}
	if (low > 0)
		from = out->pieces[low - 1].last + 1;
	if (low < out->piece_count)
		to = out->pieces[low].base;
	if (from >= to)
		return;
	if (from < flaw->offset || flaw->offset == flaw->offset_end)
		flaw->offset = from;
	if (to > flaw->offset_end)
		flaw->offset_end = to;
}

static void
tell(const struct finder *f, struct salvage *out)
{
	int64_t done = f->range->first;

	for (size_t i = 0; i < f->count; i++) {
		const struct run *r = &f->runs[i];
		struct salvage_flaw *flaw;
		size_t next = i + 1;

		if (r->len == 0)
			continue;
		if (r->chosen && r->what == NULL) {
			done = r->last + 1;
			continue;
		}
		while (next < f->count && !f->runs[next].chosen)
			next++;
		flaw = &out->flaws[out->flaw_count++];
		*flaw = (struct salvage_flaw){r->pos, r->len, done,
		    next < f->count ? f->runs[next].base : f->range->end,
		    r->what != NULL ? r->what : "offset is out of order",
		    !r->chosen};
		if (r->chosen) {
			flaw->offset = r->base;
			flaw->offset_end = r->last + 1;
			done = r->mended ? r->last + 1 : done;
		}
		if (flaw->offset_end < flaw->offset)
			flaw->offset_end = flaw->offset;
		if (!r->chosen && r->what == NULL)
			widen(f, out, r, flaw);
	}
}

int
salvage_segment(int fd, const struct salvage_range *range, struct salvage *out)
{
	struct finder f = {.range = range};
	struct segment_scan scan;
	int rc;

	*out = (struct salvage){NULL, 0, NULL, 0};
	buf_init(&f.scratch, RECORDS_BYTES_MAX);
	segment_scan_init(&scan, BLOCK);
	segment_scan_start(&scan, fd, 0, range->size);
	rc = find_runs(&f, &scan);
	segment_scan_release(&scan);
	buf_release(&f.scratch);
	if (rc == 0)
		rc = choose_chain(&f);
	if (rc == 0 && range->dense)
		rc = place_strays(&f);
	if (rc == 0 && range->has_crc)
		rc = mend_bases(&f, fd);
	if (rc == 0 && range->has_crc)
		rc = search_bit(&f, fd);
	if (rc == 0) {
		out->pieces = calloc(f.count + 1, sizeof(*out->pieces));
		out->flaws = calloc(f.count + 1, sizeof(*out->flaws));
		if (out->pieces == NULL || out->flaws == NULL)
			rc = ENOMEM;
	}
	if (rc == 0) {
		collect_pieces(&f, out);
		tell(&f, out);
	}
	free(f.runs);
	return rc;
}

void
salvage_release(struct salvage *s)
{
	free(s->pieces);
	free(s->flaws);
	*s = (struct salvage){NULL, 0, NULL, 0};
}
