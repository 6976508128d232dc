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

/* The smallest piece that a disk gets wrong as a whole, and the largest. */
enum { SECTOR = 512, PIECE_MAX = 64 << 10 };

/*
 * A stretch of the file: valid batches in a row of offsets, or bytes that are
 * none.
 */
struct run {
	int64_t pos;
	int64_t len;
	int64_t base;
	int64_t last;
	int64_t batches;	/* 0: bytes that are none */
	int64_t last_pos;	/* of the last batch */
	int64_t last_base;
	int64_t weight;		/* of the heaviest chain that ends here */
	ptrdiff_t before;	/* the run before in that chain, -1 none */
	const char *what;	/* not valid, and why; NULL valid */
	bool cut;		/* a batch that the file's end cuts short */
	bool chosen;		/* it is right, and to be kept */
	bool in_chain;		/* it was, before any was put in doubt */
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

	if (r == NULL || r->batches == 0 || r->what != what || what != NULL ||
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
	r->last_pos = pos;
	r->last_base = b->base_offset;
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

/* --- headers torn in two -------------------------------------------------- */

static const char torn[] = "its offset may be of another batch";

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
	last.what = torn;
	if (run->batches > 1) {
		r = add_run(to);
		if (r == NULL)
			return ENOMEM;
		*r = *run;
		r->len -= last.len;
		r->last = last.base - 1;
		r->batches--;
	}
	r = add_run(to);
	if (r == NULL)
		return ENOMEM;
	*r = last;
	return 0;
}

/*
 * The others of a run are confirmed by the one behind; a header in one sector
 * is of one batch.
 */
static int
find_torn(struct finder *f, int fd)
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
			struct run *same = add_run(&to);

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
	for (size_t i = 0; i < f->count; i++) {
		f->runs[i].chosen = false;
		if (f->runs[i].what == NULL)
			order[n++] = &f->runs[i];
	}
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

/* Do the bytes of b begin where those of a end? */
static bool
touches(const struct run *a, const struct run *b)
{
	return a->pos + a->len == b->pos;
}

/*
 * Do two valid runs, a before b in the file, contradict each other?  In a dense
 * segment nothing is missing between bytes that touch.
 */
static bool
contradict(const struct finder *f, const struct run *a, const struct run *b)
{
	return b->base <= a->last ||
	    (f->range->dense && touches(a, b) && b->base != a->last + 1);
}

/*
 * Is the run i worth as much as those of the chain that contradict it?  step:
 * which way to look for them.  None are put in doubt before that is known.
 */
static int64_t
weigh_against(const struct finder *f, size_t i, int step, int64_t most)
{
	const struct run *r = &f->runs[i], *other;
	int64_t weight = 0;

	for (size_t k = i + (size_t)step; k < f->count && weight <= most;
	     k += (size_t)step) {
		other = &f->runs[k];
		if (!other->in_chain)
			continue;
		if (!(step > 0 ? contradict(f, r, other)
			       : contradict(f, other, r)))
			break;
		weight += weigh(f, other);
	}
	return weight;
}

/* Those of the chain that contradict the run i are no longer chosen. */
static void
put_in_doubt(struct finder *f, size_t i, int step)
{
	const struct run *r = &f->runs[i];
	struct run *other;

	for (size_t k = i + (size_t)step; k < f->count; k += (size_t)step) {
		other = &f->runs[k];
		if (!other->in_chain)
			continue;
		if (!(step > 0 ? contradict(f, r, other)
			       : contradict(f, other, r)))
			break;
		other->chosen = false;
	}
}

/*
 * In a dense segment: a batch that does not begin it, though it is the first,
 * or does not go on behind one that is in doubt itself.
 */
static bool
is_without_support(const struct finder *f, size_t i)
{
	return i == 0 ? f->runs[0].base != f->range->first
		      : f->runs[i - 1].what == torn;
}

/* The chain is right only where no other one is as good. */
static void
doubt(struct finder *f)
{
	for (size_t i = 0; i < f->count; i++)
		f->runs[i].in_chain = f->runs[i].chosen;
	for (size_t i = 0; i < f->count; i++) {
		const struct run *r = &f->runs[i];
		int64_t weight = weigh(f, r);

		if (r->what != NULL)
			continue;
		if (weigh_against(f, i, -1, weight) +
			weigh_against(f, i, 1, weight) >
		    weight)
			continue;
		put_in_doubt(f, i, -1);
		put_in_doubt(f, i, 1);
	}
	for (size_t i = 0; f->range->dense && i < f->count; i++)
		if (f->runs[i].batches == 1 && is_without_support(f, i))
			f->runs[i].chosen = false;
}

/* --- those that are not in the chain ------------------------------------- */

static int
compare_base(const void *a, const void *b)
{
	const struct run *x = *(const struct run *const *)a;
	const struct run *y = *(const struct run *const *)b;

	return (x->base > y->base) - (x->base < y->base);
}

static const char out_of_place[] = "not in its place";

/* Those that are chosen, or all that are valid, by their offsets. */
static int
sort_runs(struct finder *f, bool valid, struct run ***out, size_t *count)
{
	struct run **order = calloc(f->count + 1, sizeof(struct run *));
	size_t n = 0;

	if (order == NULL)
		return ENOMEM;
	for (size_t i = 0; i < f->count; i++)
		if (f->runs[i].chosen || (valid && f->runs[i].what == NULL))
			order[n++] = &f->runs[i];
	qsort(order, n, sizeof(struct run *), compare_base);
	*out = order;
	*count = n;
	return 0;
}

/*
 * Does the run i lie between bytes that are no batches?  Pages that changed
 * places begin and end inside batches; one that stands among others with an
 * offset of elsewhere has a wrong offset.
 */
static bool
is_set_apart(const struct finder *f, size_t i)
{
	size_t low = i, high = i;

	do {
		if (low == 0 || f->runs[low - 1].chosen)
			return false;
		low--;
	} while (f->runs[low].what == NULL &&
	    !contradict(f, &f->runs[low], &f->runs[low + 1]));
	do {
		if (high + 1 == f->count || f->runs[high + 1].chosen)
			return false;
		high++;
	} while (f->runs[high].what == NULL &&
	    !contradict(f, &f->runs[high - 1], &f->runs[high]));
	return f->runs[low].what != NULL && f->runs[high].what != NULL;
}

/* Are there bytes between the two?  NULL: where the file begins, ends. */
static bool
is_between(const struct finder *f, const struct run *a, const struct run *b)
{
	int64_t from = a == NULL ? 0 : a->pos + a->len;

	return from != (b == NULL ? f->range->size : b->pos);
}

/*
 * Those that fit by their offsets between the chosen ones.  all: whatever
 * stands around them.
 */
static int
place_strays(struct finder *f, bool all)
{
	struct run **order, *before = NULL, *behind;
	int64_t done = f->range->first;
	size_t n, next;
	int rc = sort_runs(f, true, &order, &n);

	for (size_t i = 0; rc == 0 && i < n; i++) {
		struct run *r = order[i];

		for (next = i + 1; next < n && !order[next]->chosen;)
			next++;
		behind = next < n ? order[next] : NULL;
		if (!r->chosen) {
			if (r->base < done ||
			    (behind != NULL && r->last >= behind->base) ||
			    !(all ||
				(is_set_apart(f, (size_t)(r - f->runs)) &&
				    is_between(f, before, behind))))
				continue;
			r->chosen = true;
			r->what = out_of_place;
		}
		before = r;
		done = r->last + 1;
	}
	if (rc == 0)
		free(order);
	return rc;
}

static int
add_to_crc(const struct run *r, int fd, uint8_t *block, uint32_t *crc)
{
	int rc = 0;

	for (int64_t at = 0; rc == 0 && at < r->len;) {
		int64_t want = r->len - at < BLOCK ? r->len - at : BLOCK;

		rc = io_pread_full(fd, block, (size_t)want, r->pos + at);
		if (at == 0 && r->mended)
			memcpy(block, r->header, sizeof(r->header));
		if (rc == 0)
			*crc = crc32c_update(*crc, block, (size_t)want);
		at += want;
	}
	return rc;
}

/* The CRC of what is chosen, in the order of offsets. */
static int
compute_crc(struct finder *f, int fd, uint32_t *crc)
{
	uint8_t *block = malloc(BLOCK);
	struct run **order = NULL;
	size_t n = 0;
	int rc = block == NULL ? ENOMEM : sort_runs(f, false, &order, &n);

	*crc = 0;
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = add_to_crc(order[i], fd, block, crc);
	free(order);
	free(block);
	return rc;
}

/* Is the order of offsets that in which all was written? */
static int
prove_order(struct finder *f, int fd, bool *proven)
{
	uint32_t crc;
	int rc = place_strays(f, true);

	if (rc == 0)
		rc = compute_crc(f, fd, &crc);
	*proven = rc == 0 && crc == f->range->crc;
	for (size_t i = 0; i < f->count && !*proven; i++)
		if (f->runs[i].what == out_of_place)
			f->runs[i].what = NULL;
	return rc;
}

/* --- a wrong base offset ------------------------------------------------- */

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
	r[1] = (struct run){.pos = pos,
	    .len = (int64_t)b->size,
	    .base = base,
	    .last = base + (b->last_offset - b->base_offset),
	    .batches = 1,
	    .before = -1,
	    .mended = true};
	memcpy(r[1].header, header, SALVAGE_HEADER_LEN);
	r[2] = old;
	r[2].pos = pos + (int64_t)b->size;
	r[2].len = old.pos + old.len - r[2].pos;
	r[2].base = b->last_offset + 1;
	return 0;
}

static void
undo_split(struct finder *f, size_t i, const struct run *old)
{
	struct run *r = &f->runs[i];

	r[0] = *old;
	f->count -= 2;
	memmove(r + 1, r + 3, (f->count - i - 1) * sizeof(*r));
}

/* Do the batches follow each other as they stand? */
static bool
is_in_order(const struct finder *f)
{
	int64_t done = f->range->first;

	for (size_t i = 0; i < f->count; i++) {
		if (f->runs[i].len == 0 || f->runs[i].batches == 0)
			continue;
		if (f->runs[i].base < done)
			return false;
		done = f->runs[i].last + 1;
	}
	return done <= f->range->end;
}

/* All batches are right as they stand, but for the bit that was found. */
static void
accept_all(struct finder *f)
{
	for (size_t i = 0; i < f->count; i++) {
		struct run *r = &f->runs[i];

		r->chosen = r->len > 0 && r->batches > 0;
		if (r->batches > 0)
			r->what = r->mended ? "a bit of its header has changed"
					    : NULL;
	}
}

/* Look through the batches of one run. */
static int
search_run(struct finder *f, size_t i, int fd, uint32_t change, bool *found)
{
	uint8_t header[SALVAGE_HEADER_LEN], mask;
	struct run old = f->runs[i];
	int64_t pos = old.pos, end = pos + old.len;
	struct batch b;
	size_t at;
	int rc = 0;

	while (rc == 0 && pos < end && !*found) {
		rc = segment_header_at(fd, pos, &b);
		if (rc == 0 && find_bit(f, pos, change, &at, &mask)) {
			rc = io_pread_full(fd, header, sizeof(header), pos);
			header[at] ^= mask;
			if (rc == 0)
				rc = split_run(f, i, pos, &b, header);
			*found = rc == 0 && is_in_order(f);
			if (rc == 0 && !*found)
				undo_split(f, i, &old);
		}
		pos += (int64_t)b.size;
	}
	return rc;
}

/* Bytes that are no batches. */
static size_t
count_junk(const struct finder *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->count; i++)
		n += f->runs[i].batches == 0;
	return n;
}

static int
crc_as_it_stands(const struct finder *f, int fd, uint32_t *crc)
{
	const struct run all = {.len = f->range->size};
	uint8_t *block = malloc(BLOCK);
	int rc = block == NULL ? ENOMEM : 0;

	*crc = 0;
	if (rc == 0)
		rc = add_to_crc(&all, fd, block, crc);
	free(block);
	return rc;
}

/* Is it one bit of the run i that changes the CRC so? */
static bool
has_bit(const struct finder *f, size_t i, uint32_t change)
{
	const struct run *r = &f->runs[i];
	uint32_t crc =
	    crc32c_change(8 * (uint64_t)(f->range->size - r->pos - r->len));

	for (int64_t bits = 8 * r->len; bits > 0; bits--) {
		if (crc == change)
			return true;
		crc = crc32c_before(crc);
	}
	return false;
}

/* Has one bit changed and nothing else? */
static int
prove_bit(struct finder *f, int fd, bool *proven)
{
	size_t junk = count_junk(f);
	uint32_t crc;
	int rc = junk > 1 ? 0 : crc_as_it_stands(f, fd, &crc);

	if (rc != 0 || junk > 1)
		return rc;
	crc ^= f->range->crc;
	for (size_t i = 0; rc == 0 && junk == 0 && !*proven && i < f->count;
	     i++)
		rc = search_run(f, i, fd, crc, proven);
	for (size_t i = 0; junk == 1 && i < f->count; i++)
		if (f->runs[i].batches == 0)
			*proven = is_in_order(f) && has_bit(f, i, crc);
	if (*proven)
		accept_all(f);
	return rc;
}

/* Is all that is valid as it was, with something put between? */
static int
prove_rest(struct finder *f, int fd, bool *proven)
{
	uint32_t crc;
	int rc;

	if (!is_in_order(f))
		return 0;
	for (size_t i = 0; i < f->count; i++)
		f->runs[i].chosen = f->runs[i].batches > 0;
	rc = compute_crc(f, fd, &crc);
	*proven = rc == 0 && crc == f->range->crc;
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

static void
collect_flaws(const struct finder *f, struct salvage *out)
{
	int64_t done = f->range->first;

	for (size_t i = 0; i < f->count; i++) {
		const struct run *r = &f->runs[i];
		struct salvage_flaw *flaw = &out->flaws[out->flaw_count];

		if (r->len == 0)
			continue;
		*flaw = (struct salvage_flaw){r->pos, r->len, done, done,
		    r->what != NULL ? r->what : "offset is out of order",
		    !r->chosen};
		if (r->chosen) {
			flaw->offset = r->base;
			flaw->offset_end = r->last + 1;
		}
		if (r->chosen && r->what != out_of_place)
			done = r->last + 1;
		if (!r->chosen || r->what != NULL)
			out->flaw_count++;
	}
}

/* The first of count flaws, which are in the order of the file, from pos on. */
static size_t
find_flaw(const struct salvage *out, size_t count, int64_t pos)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (out->flaws[mid].pos < pos)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* The lost bytes behind pos, or else those before until; NULL none. */
static struct salvage_flaw *
find_lost(struct salvage *out, size_t count, int64_t pos, int64_t until)
{
	size_t at = find_flaw(out, count, pos), end;

	if (at < count && out->flaws[at].pos == pos && out->flaws[at].lost)
		return &out->flaws[at];
	end = find_flaw(out, count, until);
	return end > 0 && out->flaws[end - 1].lost &&
		out->flaws[end - 1].pos + out->flaws[end - 1].len == until
	    ? &out->flaws[end - 1]
	    : NULL;
}

/*
 * May batches be missing at pos, where two pieces touch?  Where pages have
 * changed places one may have come that begins, by chance, with a batch.
 */
static bool
is_open(const struct finder *f, const struct salvage *out, size_t count,
    int64_t pos)
{
	size_t at = find_flaw(out, count, pos - PIECE_MAX);

	return count > 0 &&
	    (f->range->dense ||
		(pos % SECTOR == 0 && at < count &&
		    out->flaws[at].pos < pos + PIECE_MAX));
}

/*
 * Offsets that are in no piece are lost, if bytes are between those before and
 * behind.  It is said of these bytes, or of the place where they should be.
 */
static void
tell_gap(const struct finder *f, struct salvage *out, size_t lost, size_t i)
{
	const struct salvage_piece *next = &out->pieces[i], *before = next - 1;
	bool is_last = i == out->piece_count;
	int64_t pos = i == 0 ? 0 : before->pos + before->len;
	int64_t until = is_last ? f->range->size : next->pos;
	int64_t offset = i == 0 ? f->range->first : before->last + 1;
	int64_t offset_end = is_last ? f->range->end : next->base;
	struct salvage_flaw *flaw = find_lost(out, lost, pos, until);

	if (offset >= offset_end ||
	    (pos == until && !is_open(f, out, lost, pos)) ||
	    (flaw == NULL && offset_end == INT64_MAX))
		return;
	if (flaw == NULL || flaw->offset < flaw->offset_end) {
		flaw = &out->flaws[out->flaw_count++];
		*flaw = (struct salvage_flaw){.pos = pos,
		    .what = "batches may be missing"};
	}
	flaw->offset = offset;
	flaw->offset_end = offset_end;
}

static int
compare_flaw(const void *a, const void *b)
{
	const struct salvage_flaw *x = a, *y = b;

	if (x->pos != y->pos)
		return x->pos < y->pos ? -1 : 1;
	return (x->offset > y->offset) - (x->offset < y->offset);
}

static void
tell(const struct finder *f, struct salvage *out)
{
	size_t lost;

	collect_flaws(f, out);
	lost = out->flaw_count;
	for (size_t i = 0; i <= out->piece_count; i++)
		tell_gap(f, out, lost, i);
	if (out->flaw_count > 0)
		qsort(out->flaws, out->flaw_count, sizeof(*out->flaws),
		    compare_flaw);
}

/* Choose the runs that are right. */
static int
choose(struct finder *f, int fd)
{
	const struct salvage_range *range = f->range;
	bool proven = false;
	int rc = 0;

	if (range->has_crc)
		rc = prove_rest(f, fd, &proven);
	if (rc == 0 && range->has_crc && !proven)
		rc = prove_bit(f, fd, &proven);
	if (rc == 0 && range->has_crc && !proven)
		rc = choose_chain(f);
	if (rc == 0 && range->has_crc && !proven)
		rc = prove_order(f, fd, &proven);
	if (rc != 0 || proven)
		return rc;
	rc = find_torn(f, fd);
	if (rc == 0)
		rc = choose_chain(f);
	if (rc != 0)
		return rc;
	doubt(f);
	rc = place_strays(f, false);
	if (rc == 0 && range->has_crc)
		rc = mend_bases(f, fd);
	return rc;
}

static int
describe(const struct finder *f, struct salvage *out)
{
	out->pieces = calloc(f->count + 1, sizeof(*out->pieces));
	out->flaws = calloc(2 * f->count + 1, sizeof(*out->flaws));
	if (out->pieces == NULL || out->flaws == NULL)
		return ENOMEM;
	collect_pieces(f, out);
	tell(f, out);
	return 0;
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
		rc = choose(&f, fd);
	if (rc == 0)
		rc = describe(&f, out);
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
