#include "store/lookup.h"

#include <errno.h>
#include <stdlib.h>

#include "base/io.h"
#include "base/status.h"
#include "store/batch.h"
#include "store/partition_impl.h"
#include "store/seek.h"
#include "store/segment.h"
#include "store/tail.h"

enum { BLOCK = 1 << 16, SMALL = BLOCK / 8 };

/* Who may not wait is not to be long at it, either: blocks of small batches. */
enum { CACHED_BLOCKS = 16 };

/*
 * Headers of a file, one behind the other: of small batches many at a time.
 */
struct headers {
	int fd;
	bool cached;		/* only what is in memory */
	int64_t pos;		/* of what is in the block */
	size_t len;
	uint8_t *block;		/* BLOCK bytes, or NULL: not needed yet */
	int blocks;		/* that were read */
};

static int
read_at(const struct headers *h, void *data, size_t len, int64_t pos,
    size_t *got)
{
	int rc;

	if (!h->cached)
		return io_pread(h->fd, data, len, pos, got);
	rc = io_pread_cached(h->fd, data, len, pos, got);
	/* The rest of a header may be on the device, or not written. */
	return rc == 0 && *got > 0 && *got < BATCH_HEADER_LEN ? EAGAIN : rc;
}

static int
header_at(const struct headers *h, int64_t pos, struct batch *b)
{
	uint8_t header[BATCH_HEADER_LEN];
	size_t got;
	int rc = read_at(h, header, sizeof(header), pos, &got);

	if (rc != 0)
		return rc;
	if (got == 0)
		return STATUS_END;
	return batch_decode(header, got, b, NULL);
}

static int
next_header(struct headers *h, int64_t pos, bool small, struct batch *b)
{
	size_t at = (size_t)(pos - h->pos);
	int rc;

	if (h->block == NULL && small) {
		h->block = malloc(BLOCK);
		h->len = 0;
	}
	if (h->block == NULL)
		return header_at(h, pos, b);
	if (pos < h->pos || at + BATCH_HEADER_LEN > h->len) {
		if (h->cached && h->blocks++ == CACHED_BLOCKS)
			return EAGAIN;
		rc = read_at(h, h->block, BLOCK, pos, &h->len);
		if (rc != 0)
			return rc;
		h->pos = pos;
		at = 0;
	}
	if (h->len == at)
		return STATUS_END;
	return batch_decode(h->block + at, h->len - at, b, NULL);
}

/* Count whole batches from out->pos on. */
static int
measure(struct lookup_range *out, bool cached, int64_t end, int64_t max)
{
	struct headers h = {.fd = out->fd, .cached = cached};
	struct batch b = {.size = BLOCK};
	int rc;

	for (;;) {
		rc = next_header(&h, out->pos + out->len, b.size < SMALL, &b);
		if (rc != 0 || b.base_offset >= end ||
		    (out->len > 0 && out->len + (int64_t)b.size > max))
			break;
		if (out->len == 0)
			out->base_offset = b.base_offset;
		out->len += (int64_t)b.size;
		out->next_offset = b.last_offset + 1;
	}
	free(h.block);
	if (rc != 0 && rc != STATUS_END && out->len == 0)
		return rc > 0 ? rc : STATUS_CORRUPT;
	return out->len > 0 ? 0 : STATUS_END;
}

/* Where a range ended at that offset; NULL: none did. */
static struct range_end *
find_end(struct partition *p, int64_t offset)
{
	for (int i = 0; i < PARTITION_RANGE_ENDS; i++)
		if (p->range_ends[i].pos > 0 &&
		    p->range_ends[i].offset == offset)
			return &p->range_ends[i];
	return NULL;
}

/* One that was gone on from, or else the one that was made first. */
static struct range_end *
room_for_end(struct partition *p)
{
	unsigned first = p->range_turn++;
	struct range_end *e;

	for (unsigned i = 0; i < PARTITION_RANGE_ENDS; i++) {
		e = &p->range_ends[(first + i) % PARTITION_RANGE_ENDS];
		if (e->pos == 0 || e->used)
			return e;
	}
	return &p->range_ends[first % PARTITION_RANGE_ENDS];
}

/* Others may yet go on from where this range began. */
static void
note_end(struct partition *p, int64_t base, int64_t offset,
    const struct lookup_range *range)
{
	struct range_end *e = find_end(p, range->next_offset);

	if (e == NULL)
		e = room_for_end(p);
	*e = (struct range_end){.base = base,
	    .offset = range->next_offset,
	    .pos = range->pos + range->len};
	e = find_end(p, offset);
	if (e != NULL)
		e->used = true;
}

/* As seek_offset(): the headers decide here, too. */
static int
seek_start(struct partition *p, int64_t base, int fd, int64_t offset,
    int64_t *pos)
{
	const struct range_end *e = find_end(p, offset);
	struct batch b;

	if (e != NULL && e->base == base &&
	    segment_header_at(fd, e->pos, &b) == 0 && b.base_offset == offset) {
		*pos = e->pos;
		return 0;
	}
	return seek_offset(partition_dirfd(p), base, fd, offset, -1, pos);
}

/* Look in one segment. */
static int
range_in(struct partition *p, int64_t base, int64_t offset, int64_t end,
    int64_t max, struct lookup_range *out, struct fault *f)
{
	int rc;

	*out = (struct lookup_range){.fd = -1};
	rc = tail_open_log(p, base, &out->fd);
	if (rc == 0)
		rc = seek_start(p, base, out->fd, offset, &out->pos);
	if (rc == 0)
		rc = measure(out, false, end, max);
	if (rc == STATUS_CORRUPT)
		status_fault(f, rc, partition_path(p), out->pos, offset,
		    "batch headers do not add up");
	if (rc != 0) {
		(void)io_close(&out->fd);
		return rc;
	}
	note_end(p, base, offset, out);
	return 0;
}

/*
 * The segment that would hold offset, and those behind it while they hold
 * nothing there.  ENOENT: what was listed is gone.
 */
static int
range_listed(struct partition *p, bool again, int64_t offset, int64_t end,
    int64_t max, struct lookup_range *out, struct fault *f)
{
	const struct segment_list *l;
	int rc = tail_segments(p, again, &l);

	if (rc != 0)
		return rc;
	rc = STATUS_END;
	for (size_t i = l->count == 0 ? 0 : segment_list_find(l, offset);
	     rc == STATUS_END && i < l->count; i++)
		rc = range_in(p, l->bases[i], offset, end, max, out, f);
	return rc;
}

/* The same; what was listed before mostly still holds. */
static int
range_anywhere(struct partition *p, int64_t offset, int64_t end, int64_t max,
    struct lookup_range *out, struct fault *f)
{
	int rc = range_listed(p, false, offset, end, max, out, f);

	if (rc == ENOENT || rc == STATUS_END)
		rc = range_listed(p, true, offset, end, max, out, f);
	return rc;
}

int
lookup_range(struct partition *p, int64_t offset, int64_t end, int64_t max,
    struct lookup_range *out, struct fault *f)
{
	struct partition_offsets offsets;
	struct tail_hint hint;
	int rc = tail_look(p, &offsets, &hint, f);

	if (rc != 0)
		return rc;
	if (offset < offsets.log_start || offset > offsets.log_end)
		return STATUS_OFFSET;
	if (offset >= end)
		return STATUS_END;
	/* Nearly always it is the active segment, and nothing is listed. */
	if (hint.active_base >= 0 && offset >= hint.active_base)
		rc = range_in(p, hint.active_base, offset, end, max, out, f);
	else
		rc = range_anywhere(p, offset, end, max, out, f);
	out->may_abort = hint.has_producers;
	return rc;
}

int
lookup_next(struct partition *p, int64_t offset, bool committed, int64_t max,
    struct partition_offsets *offsets, struct lookup_range *out)
{
	const struct range_end *from = find_end(p, offset);
	struct tail_hint hint;
	int64_t end;
	int rc;

	if (tail_look_cached(p, offsets, &hint) != 0 ||
	    offset < offsets->log_start || offset > offsets->log_end)
		return EAGAIN;
	end = committed ? offsets->last_stable : offsets->high_watermark;
	if (offset >= end || max <= 0)
		return STATUS_END;
	/* What is aborted is in files of its own. */
	if (from == NULL || (committed && hint.has_producers))
		return EAGAIN;
	*out = (struct lookup_range){.fd = -1,
	    .pos = from->pos,
	    .may_abort = hint.has_producers};
	rc = tail_open_log(p, from->base, &out->fd);
	if (rc == 0)
		rc = measure(out, true, end, max);
	/* The file may be another one by now. */
	if (rc == 0 && out->base_offset == offset)
		return 0;
	(void)io_close(&out->fd);
	return EAGAIN;
}

void
lookup_took(struct partition *p, int64_t offset, const struct lookup_range *r)
{
	const struct range_end *from = find_end(p, offset);

	if (from != NULL)
		note_end(p, from->base, offset, r);
}
