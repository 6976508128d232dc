#include "store/salvage_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/status.h"
#include "store/batch.h"

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
		if (r->chosen && r->what != salvage_chain_moved)
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
		rc = salvage_proof_rest(f, fd, &proven);
	if (rc == 0 && range->has_crc && !proven)
		rc = salvage_proof_bit(f, fd, &proven);
	if (rc == 0 && range->has_crc && !proven)
		rc = salvage_chain_choose(f);
	if (rc == 0 && range->has_crc && !proven)
		rc = salvage_proof_order(f, fd, &proven);
	if (rc != 0 || proven)
		return rc;
	rc = salvage_runs_tear(f, fd);
	if (rc == 0)
		rc = salvage_chain_choose(f);
	if (rc != 0)
		return rc;
	salvage_chain_doubt(f);
	rc = salvage_chain_place(f, false);
	if (rc == 0 && range->has_crc)
		rc = salvage_proof_mend(f, fd);
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
	rc = salvage_runs_find(&f, &scan);
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
