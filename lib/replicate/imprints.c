#include "replicate/imprints.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bounds.h"
#include "base/siphash.h"
#include "base/status.h"
#include "replicate/frame.h"
#include "store/batch.h"

void
imprints_init(struct imprints *l)
{
	*l = (struct imprints){.items = NULL};
}

void
imprints_release(struct imprints *l)
{
	free(l->items);
	imprints_init(l);
}

int
imprints_add_one(struct imprints *l, const struct imprint *item)
{
	struct imprint *more;

	if (l->count == IMPRINTS_MAX)
		return STATUS_TOO_BIG;
	if (l->count == l->cap) {
		size_t cap = l->cap == 0 ? 64 : l->cap * 2;

		more = reallocarray(l->items, cap, sizeof(*more));
		if (more == NULL)
			return ENOMEM;
		l->items = more;
		l->cap = cap;
	}
	l->items[l->count++] = *item;
	return 0;
}

/* --- of batches ---------------------------------------------------------- */

static int
add_bytes(struct buf *b, struct bytes bytes)
{
	int rc = buf_add_32(b, (uint32_t)bytes.len);

	return rc == 0 && bytes.len > 0
	    ? buf_add(b, bytes.data, (size_t)bytes.len)
	    : rc;
}

/* A key that all know: nobody is kept from making two records of one hash. */
int
imprints_hash(const struct record *r, struct buf *scratch, uint64_t *hash)
{
	static const uint64_t key[2] = {0, 0};
	int rc;

	scratch->len = 0;
	rc = buf_add_64(scratch, (uint64_t)r->timestamp);
	if (rc == 0)
		rc = add_bytes(scratch, r->key);
	if (rc == 0)
		rc = add_bytes(scratch, r->value);
	if (rc == 0 && r->headers_len > 0)
		rc = buf_add(scratch, r->headers, r->headers_len);
	if (rc == 0)
		*hash = siphash_128(key, scratch->data, scratch->len).low;
	return rc;
}

struct reading {
	int64_t from, last;
	struct buf unpacked;
	struct buf scratch;
};

static int
add_batch(struct reading *g, const uint8_t *data, const struct batch *b,
    struct imprints *l)
{
	struct batch_records it;
	struct record r;
	int rc = batch_records_init(&it, data, b, &g->unpacked);

	while (rc == 0 && (rc = batch_records_next(&it, &r)) == 0) {
		struct imprint item = {.offset = r.offset,
		    .epoch = b->leader_epoch};

		if (r.offset < g->from || r.offset > g->last)
			continue;
		rc = imprints_hash(&r, &g->scratch, &item.hash);
		if (rc == 0)
			rc = imprints_add_one(l, &item);
	}
	return rc == STATUS_END ? 0 : rc;
}

/* Has compaction been at a batch, or taken those before it? */
static void
note_traces(struct imprints *l, const struct batch *b, int64_t from)
{
	int64_t next = l->next > from ? l->next : from;

	if (b->base_offset > next ||
	    b->last_offset - b->base_offset + 1 != b->record_count ||
	    (b->attributes & BATCH_DELETE_HORIZON) != 0)
		l->cleaned = true;
	l->next = b->last_offset + 1;
}

int
imprints_add(struct imprints *l, struct view batches, int64_t from,
    int64_t last)
{
	struct reading g = {.from = from, .last = last};
	struct batch b;
	int rc = 0;

	buf_init(&g.unpacked, RECORDS_BYTES_MAX);
	buf_init(&g.scratch, (size_t)RECORDS_BYTES_MAX + 64);
	for (size_t at = 0; rc == 0 && at < batches.len; at += b.size) {
		rc =
		    batch_decode(batches.data + at, batches.len - at, &b, NULL);
		if (rc == 0 && b.size > batches.len - at)
			rc = STATUS_CORRUPT;
		if (rc != 0 || b.last_offset < from || b.base_offset > last)
			continue;
		note_traces(l, &b, from);
		rc = add_batch(&g, batches.data + at, &b, l);
	}
	buf_release(&g.unpacked);
	buf_release(&g.scratch);
	return rc;
}

/* --- on the wire ---------------------------------------------------------- */

int
imprints_encode(const struct imprints *l, struct buf *out)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < l->count; i++) {
		rc = buf_add_64(out, (uint64_t)l->items[i].offset);
		if (rc == 0)
			rc = buf_add_64(out, l->items[i].hash);
	}
	return rc;
}

int
imprints_decode(struct view data, struct imprints *l)
{
	int64_t before = -1;
	int rc = 0;

	while (rc == 0 && data.len > 0) {
		struct imprint item = {.epoch = -1};
		uint64_t offset = 0;

		rc = view_get_64(&data, &offset);
		if (rc == 0)
			rc = view_get_64(&data, &item.hash);
		item.offset = (int64_t)offset;
		if (rc != 0 || item.offset <= before)
			return STATUS_CORRUPT;
		before = item.offset;
		rc = imprints_add_one(l, &item);
	}
	return rc;
}

/* Behind the last one there is none. */
static int64_t
offset_at(const struct imprints *l, size_t i)
{
	return i < l->count ? l->items[i].offset : INT64_MAX;
}

enum imprint_verdict
imprints_compare(const struct imprints *ours, const struct imprints *theirs,
    int32_t epoch)
{
	enum imprint_verdict verdict = IMPRINT_SILENT;
	size_t i = 0, k = 0;

	/* Their batch is none of ours, and nothing explains that. */
	if (!ours->cleaned && !theirs->cleaned)
		return IMPRINT_DIFFERENT;
	while (i < ours->count || k < theirs->count) {
		int64_t a = offset_at(ours, i), b = offset_at(theirs, k);

		if ((a < b && !theirs->cleaned) || (b < a && !ours->cleaned))
			return IMPRINT_DIFFERENT;
		if (a == b) {
			if (ours->items[i].hash != theirs->items[k].hash ||
			    (ours->items[i].epoch != epoch &&
				epoch != FRAME_EPOCH_ANY))
				return IMPRINT_DIFFERENT;
			verdict = IMPRINT_SAME;
		}
		i += (size_t)(a <= b);
		k += (size_t)(b <= a);
	}
	return verdict;
}
