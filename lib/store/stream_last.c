#include "store/stream_impl.h"

#include <errno.h>
#include <stdlib.h>

/* The last matches of a source: offsets and timestamps, oldest first. */
struct ring {
	struct {
		int64_t offset;
		int64_t timestamp;
	} * items;
	int64_t max;		/* so many of them */
	int64_t cap;		/* room for them, made as they are met */
	int64_t count;		/* of all matches seen */
	int64_t left;		/* not yet given up (choose) */
	int64_t damage;		/* first offset that cannot be read, or -1 */
};

static int
note(struct ring *ring, const struct record *rec)
{
	if (ring->count == ring->cap && ring->cap < ring->max) {
		int64_t cap = ring->cap == 0 ? 64 : ring->cap * 2;
		void *items;

		if (cap > ring->max)
			cap = ring->max;
		items = reallocarray(ring->items, (size_t)cap,
		    sizeof(*ring->items));
		if (items == NULL)
			return ENOMEM;
		ring->items = items;
		ring->cap = cap;
	}
	ring->items[ring->count % ring->cap].offset = rec->offset;
	ring->items[ring->count % ring->cap].timestamp = rec->timestamp;
	ring->count++;
	return 0;
}

/* Note the wanted records of [start, end) of src. */
static int
fill_ring(struct stream *s, struct source *src, int64_t start,
    struct ring *ring, struct fault *f)
{
	struct record rec;
	int64_t lost_from, lost_to;
	int rc = stream_source_seek(src, start, f);

	ring->count = 0;
	ring->damage = -1;
	src->in_batch = false;
	src->next = stream_source_is_fed(src) ? start : reader_offset(src->r);
	src->from = src->next;
	while (rc == 0) {
		rc = stream_source_next(s, src, &rec, f);
		if (rc == STATUS_CORRUPT || rc == STATUS_OFFSET) {
			/* It is told when it is read for printing. */
			s->failed = src;
			if (rc == STATUS_OFFSET) {
				rc = 0;
				continue;
			}
			rc = stream_skip(s, &lost_from, &lost_to);
			if (rc == 0 && ring->damage < 0)
				ring->damage = lost_from;
			continue;
		}
		if (rc == 0)
			rc = note(ring, &rec);
		if (rc != 0)
			break;
		src->next = rec.offset + 1;
	}
	return rc == STATUS_END ? 0 : rc;
}

/* Look further and further back until n matches are found. */
static int
find_last(struct stream *s, struct source *src, int64_t n, struct ring *ring,
    struct fault *f)
{
	int64_t from = src->next, end = stream_source_end(src), start;
	int64_t window = n < INT64_MAX / 8 ? n : INT64_MAX / 8;
	int rc;

	if (end > src->to)
		end = src->to;
	for (;;) {
		start = end - window > from ? end - window : from;
		rc = fill_ring(s, src, start, ring, f);
		if (rc != 0 || ring->count >= n || start == from)
			return rc;
		window = window > INT64_MAX / 16 ? window : window * 8 + 1024;
	}
}

/* The timestamp of match number i from the end (0: the last). */
static int64_t
ring_timestamp(const struct ring *ring, int64_t i)
{
	return ring->items[(ring->count - 1 - i) % ring->cap].timestamp;
}

/* Of all matches, the n that STREAM_MERGE would print last. */
static void
choose(struct stream *s, struct ring *rings, int64_t n)
{
	for (; n > 0; n--) {
		struct ring *best = NULL;

		for (size_t i = 0; i < s->count; i++) {
			struct ring *ring = &rings[i];

			if (ring->left == ring->count ||
			    ring->left == ring->max)
				continue;
			if (best == NULL ||
			    ring_timestamp(ring, ring->left) >=
				ring_timestamp(best, best->left))
				best = ring;
		}
		if (best == NULL)
			return;
		best->left++;
	}
}

/* Begin at the chosen matches, and at damage if it may hide some. */
static int
begin_at(struct source *src, const struct ring *ring, struct fault *f)
{
	int64_t start = stream_source_end(src);
	int rc;

	if (ring->left > 0)
		start =
		    ring->items[(ring->count - ring->left) % ring->cap].offset;
	else if (start > src->to)
		start = src->to;
	/* There were no more: perhaps for what could not be read. */
	if (ring->left == ring->count && ring->count < ring->max &&
	    ring->damage >= 0 && ring->damage < start)
		start = ring->damage;
	rc = stream_source_seek(src, start, f);
	src->in_batch = false;
	src->from = src->next = start;
	return rc;
}

int
stream_last(struct stream *s, int64_t n, bool per_partition, struct fault *f)
{
	struct ring *rings =
	    calloc(s->count == 0 ? 1 : s->count, sizeof(*rings));
	int rc = rings == NULL ? ENOMEM : 0;

	for (size_t i = 0; rc == 0 && i < s->count; i++) {
		rings[i].max = n;
		rings[i].damage = -1;
		if (n > 0)
			rc = find_last(s, &s->sources[i], n, &rings[i], f);
		latest_rest(s->sources[i].latest);
		if (rc == 0 && per_partition)
			rings[i].left = rings[i].count < n ? rings[i].count : n;
	}
	if (rc == 0 && !per_partition)
		choose(s, rings, n);
	for (size_t i = 0; rc == 0 && i < s->count; i++)
		rc = begin_at(&s->sources[i], &rings[i], f);
	if (rings != NULL)
		for (size_t i = 0; i < s->count; i++)
			free(rings[i].items);
	free(rings);
	return rc;
}
