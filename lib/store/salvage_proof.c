#include "store/salvage_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/io.h"
#include "store/batch.h"

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
	int rc =
	    block == NULL ? ENOMEM : salvage_chain_sort(f, false, &order, &n);

	*crc = 0;
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = add_to_crc(order[i], fd, block, crc);
	free(order);
	free(block);
	return rc;
}

/* Is the order of offsets that in which all was written? */
int
salvage_proof_order(struct finder *f, int fd, bool *proven)
{
	uint32_t crc;
	int rc = salvage_chain_place(f, true);

	if (rc == 0)
		rc = compute_crc(f, fd, &crc);
	*proven = rc == 0 && crc == f->range->crc;
	for (size_t i = 0; i < f->count && !*proven; i++)
		if (f->runs[i].what == salvage_chain_moved)
			f->runs[i].what = NULL;
	return rc;
}

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
	r->what = salvage_runs_judge(f, r->base, r->last);
	r->chosen = r->mended = false;
}

/* Base offsets, guessed, and given up again if the CRC says no. */
int
salvage_proof_mend(struct finder *f, int fd)
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

	if (salvage_runs_add(f) == NULL || salvage_runs_add(f) == NULL)
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
int
salvage_proof_bit(struct finder *f, int fd, bool *proven)
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
int
salvage_proof_rest(struct finder *f, int fd, bool *proven)
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
