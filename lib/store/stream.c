#include "store/stream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/bounds.h"
#include "base/find.h"
#include "base/status.h"
#include "store/lookup.h"

enum {
	BLOCK_MAX = 512 << 10,
	BLOCK_MIN = 64 << 10,
	BLOCKS_TOTAL = 8 << 20,	/* of all sources together */
};

struct source {
	struct partition *p;
	struct reader *r;
	const char *topic;
	int32_t number;
	int64_t from;
	int64_t to;		/* INT64_MAX: open */
	int64_t next;		/* after the last record given */
	bool removed;
	struct batch batch;
	const uint8_t *data;
	struct batch_records it;
	bool in_batch;		/* it is in use */
	bool has_head;		/* head is the next record (merge) */
	struct record head;
	struct buf scratch;
};

struct stream {
	int flags;
	size_t block;
	struct stream_filter filter;
	bool filtering;		/* the filter hides something */
	struct source *sources;
	size_t count;
	size_t cap;
	size_t current;		/* without merge */
	struct source *failed;	/* who met the damage last reported */
	struct batch_builder rewrite;
};

int
stream_open(int flags, const struct stream_filter *filter, size_t expected,
    struct stream **out)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return ENOMEM;
	s->flags = flags;
	s->filter = *filter;
	s->filtering = filter->since != INT64_MIN ||
	    filter->until != INT64_MAX || filter->has_key ||
	    filter->grep != NULL || filter->key_grep != NULL ||
	    filter->has_header;
	s->block = BLOCKS_TOTAL / (expected == 0 ? 1 : expected);
	if (s->block > BLOCK_MAX)
		s->block = BLOCK_MAX;
	if (s->block < BLOCK_MIN)
		s->block = BLOCK_MIN;
	batch_builder_init(&s->rewrite, CODEC_NONE, 0, RECORDS_BYTES_MAX);
	*out = s;
	return 0;
}

void
stream_close(struct stream *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->count; i++) {
		reader_close(s->sources[i].r);
		partition_close(s->sources[i].p);
		buf_release(&s->sources[i].scratch);
	}
	batch_builder_release(&s->rewrite);
	free(s->sources);
	free(s);
}

size_t
stream_count(const struct stream *s)
{
	return s->count;
}

static int
make_room(struct stream *s)
{
	size_t cap = s->cap == 0 ? 8 : s->cap * 2;
	struct source *sources;

	if (s->count < s->cap)
		return 0;
	sources = reallocarray(s->sources, cap, sizeof(*sources));
	if (sources == NULL)
		return ENOMEM;
	s->sources = sources;
	s->cap = cap;
	return 0;
}

int
stream_add(struct stream *s, struct partition *p, const char *topic,
    int32_t number, int64_t from, int64_t to, struct fault *f)
{
	struct source *src;
	struct reader *r = NULL;
	int rc = make_room(s);

	if (rc == 0)
		rc = reader_open(p, s->flags, s->block, &r, f);
	if (rc != 0) {
		partition_close(p);
		return rc;
	}
	src = &s->sources[s->count++];
	*src = (struct source){.p = p,
	    .r = r,
	    .topic = topic,
	    .number = number,
	    .from = from,
	    .to = to};
	buf_init(&src->scratch, RECORDS_BYTES_MAX);
	rc = reader_seek(r, from, NULL, f);
	src->next = reader_offset(r);
	return rc;
}

/* An offset into the log, and how it had to be moved for that. */
static int64_t
clamp(int64_t offset, int64_t start, int64_t end, int *clamped)
{
	if (clamped != NULL)
		*clamped = offset < start ? -1 : offset > end ? 1 : 0;
	if (offset < start)
		return start;
	return offset > end ? end : offset;
}

int
stream_resolve(struct partition *p, int flags, const struct position *pos,
    int64_t stored, int64_t *offset, int *clamped, struct fault *f)
{
	struct reader *r = NULL;
	int64_t start, end, want = 0, found;
	int rc = reader_open(p, flags, 0, &r, f);

	if (rc != 0)
		return rc;
	start = reader_offsets(r)->log_start;
	end = reader_end(r);
	if (clamped != NULL)
		*clamped = 0;
	switch (pos->kind) {
	case POSITION_START:
		*offset = start;
		break;
	case POSITION_END:
		*offset = end;
		break;
	case POSITION_TIME:
		rc = lookup_time(p, r, pos->n, &want, &found, f);
		if (rc == STATUS_END)
			rc = 0;
		if (rc == 0)
			*offset = want;
		break;
	case POSITION_BACK:
		*offset = clamp(end - pos->n, start, end, NULL);
		break;
	case POSITION_OFFSET:
		*offset = clamp(pos->n, start, end, clamped);
		break;
	case POSITION_STORED:
		*offset = clamp(stored, start, end, clamped);
		break;
	}
	reader_close(r);
	return rc;
}

/* No record of an uncompressed batch can have the key if its bytes lack it. */
static bool
may_hold_key(const struct stream *s, const struct source *src)
{
	const struct bytes *key = &s->filter.key;

	if (!s->filter.has_key || s->filter.invert || key->len <= 0 ||
	    batch_codec(&src->batch) != CODEC_NONE)
		return true;
	return find_bytes(src->data + BATCH_RECORDS,
	    src->batch.size - BATCH_RECORDS, key->data, (size_t)key->len);
}

/* Could this batch hold a wanted record? */
static bool
is_batch_wanted(const struct stream *s, const struct source *src)
{
	return src->batch.max_timestamp >= s->filter.since &&
	    may_hold_key(s, src);
}

static bool
matches(const regex_t *re, struct bytes text)
{
	regmatch_t m = {.rm_so = 0, .rm_eo = text.len};

	if (bytes_is_null(text))
		return false;
	return regexec(re, text.len == 0 ? "" : (const char *)text.data, 1, &m,
		   REG_STARTEND) == 0;
}

static bool
has_header(const struct stream_filter *f, const struct record *rec)
{
	struct record_headers h;
	struct record_header header;

	record_headers_init(&h, rec);
	while (record_headers_next(&h, &header) == 0)
		if (bytes_equal(header.name, f->header_name) &&
		    (!f->has_header_value ||
			bytes_equal(header.value, f->header_value)))
			return true;
	return false;
}

/* All conditions but those of time. */
static bool
holds(const struct stream_filter *f, const struct record *rec)
{
	if (f->has_key && !bytes_equal(rec->key, f->key))
		return false;
	if (f->key_grep != NULL && !matches(f->key_grep, rec->key))
		return false;
	if (f->has_header && !has_header(f, rec))
		return false;
	return f->grep == NULL || matches(f->grep, rec->value);
}

static bool
is_wanted(const struct stream *s, const struct record *rec)
{
	const struct stream_filter *f = &s->filter;

	if (rec->timestamp < f->since || rec->timestamp >= f->until)
		return false;
	return holds(f, rec) != f->invert;
}

/* The next batch of src that may hold something wanted. */
static int
next_batch(struct stream *s, struct source *src, struct fault *f)
{
	int rc;

	if (src->removed || src->next >= src->to)
		return STATUS_END;
	do {
		rc = reader_next(src->r, &src->batch, &src->data, f);
		if (rc == STATUS_END) {
			/* Control and aborted batches count as given. */
			if (reader_offset(src->r) > src->next)
				src->next = reader_offset(src->r);
			return rc;
		}
		if (rc == STATUS_REMOVED) {
			src->removed = true;
			return status_fault(f, rc, partition_path(src->p), -1,
			    src->next, "removed");
		}
		if (rc == STATUS_OFFSET)
			return status_fault(f, rc, partition_path(src->p), -1,
			    reader_offset(src->r), "records are gone");
		if (rc != 0)
			return rc;
		if (src->batch.base_offset >= src->to) {
			src->next = src->to;
			return STATUS_END;
		}
		if (!is_batch_wanted(s, src))
			src->next = src->batch.last_offset + 1;
	} while (!is_batch_wanted(s, src));
	return 0;
}

static int
damaged_inside(struct source *src, int rc, struct fault *f)
{
	if (rc == STATUS_CORRUPT)
		return reader_fault(src->r, &src->batch,
		    "records do not add up", f);
	if (rc == STATUS_TOO_BIG) {
		reader_fault(src->r, &src->batch,
		    "unpacks to more than the limit", f);
		return STATUS_CORRUPT;
	}
	return rc;
}

/* The next wanted record of one source. */
static int
next_of(struct stream *s, struct source *src, struct record *out,
    struct fault *f)
{
	int rc;

	for (;;) {
		if (!src->in_batch) {
			rc = next_batch(s, src, f);
			if (rc != 0)
				return rc;
			rc = batch_records_init(&src->it, src->data,
			    &src->batch, &src->scratch);
			if (rc != 0)
				return damaged_inside(src, rc, f);
			src->in_batch = true;
		}
		while ((rc = batch_records_next(&src->it, out)) == 0) {
			if (out->offset >= src->to) {
				src->in_batch = false;
				src->next = src->to;
				return STATUS_END;
			}
			if (out->offset < src->from)
				continue;
			if (!s->filtering || is_wanted(s, out))
				return 0;
		}
		src->in_batch = false;
		if (rc != STATUS_END)
			return damaged_inside(src, rc, f);
		src->next = src->batch.last_offset + 1;
	}
}

/* out->rec is a record of src: it goes out. */
static void
give(struct source *src, struct stream_record *out)
{
	out->topic = src->topic;
	out->partition = src->number;
	out->is_control = (src->batch.attributes & BATCH_CONTROL) != 0;
	src->next = out->rec.offset + 1;
}

static int
next_in_turn(struct stream *s, struct stream_record *out, struct fault *f)
{
	int rc;

	for (; s->current < s->count; s->current++) {
		struct source *src = &s->sources[s->current];

		rc = next_of(s, src, &out->rec, f);
		if (rc == 0)
			give(src, out);
		else if (rc != STATUS_END)
			s->failed = src;
		if (rc != STATUS_END)
			return rc;
	}
	return STATUS_END;
}

static int
next_merged(struct stream *s, struct stream_record *out, struct fault *f)
{
	struct source *best = NULL;
	int rc;

	for (size_t i = 0; i < s->count; i++) {
		struct source *src = &s->sources[i];

		if (!src->has_head) {
			rc = next_of(s, src, &src->head, f);
			if (rc == STATUS_END)
				continue;
			if (rc != 0) {
				s->failed = src;
				return rc;
			}
			src->has_head = true;
		}
		if (best == NULL || src->head.timestamp < best->head.timestamp)
			best = src;
	}
	if (best == NULL)
		return STATUS_END;
	best->has_head = false;
	out->rec = best->head;
	give(best, out);
	return 0;
}

int
stream_next(struct stream *s, struct stream_record *out, struct fault *f)
{
	if (s->flags & STREAM_MERGE)
		return next_merged(s, out, f);
	return next_in_turn(s, out, f);
}

/* The batch with only those of its records that are wanted, at most max. */
static int
rewrite_batch(struct stream *s, struct source *src, int64_t max,
    const uint8_t **data, size_t *len, int64_t *count, struct fault *f)
{
	struct record rec;
	int64_t base = -1;
	int rc;

	s->rewrite.count = 0;
	s->rewrite.codec = batch_codec(&src->batch);
	s->rewrite.level = INT32_MIN;
	*count = 0;
	rc =
	    batch_records_init(&src->it, src->data, &src->batch, &src->scratch);
	while (rc == 0 && *count < max &&
	    (rc = batch_records_next(&src->it, &rec)) == 0) {
		if (rec.offset >= src->to)
			break;
		if (rec.offset < src->from || !is_wanted(s, &rec))
			continue;
		if (base < 0)
			base = rec.offset;
		rc = batch_builder_add_at(&s->rewrite, &rec,
		    (int32_t)(rec.offset - base));
		src->next = rec.offset + 1;
		(*count)++;
	}
	if (rc != 0 && rc != STATUS_END)
		return damaged_inside(src, rc, f);
	if (*count < max)
		src->next = src->batch.last_offset + 1;
	if (*count == 0)
		return STATUS_END;
	rc = batch_builder_finish(&s->rewrite, data, len);
	if (rc == 0)
		batch_assign((uint8_t *)(uintptr_t)*data, base,
		    src->batch.leader_epoch);
	return rc;
}

/* Are all its records wanted, as far as the header tells? */
static bool
is_whole(const struct stream *s, const struct source *src, int64_t max)
{
	return src->batch.base_offset >= src->from &&
	    src->batch.last_offset < src->to &&
	    src->batch.record_count <= max && s->filter.since == INT64_MIN &&
	    s->filter.until == INT64_MAX;
}

int
stream_next_batch(struct stream *s, int64_t max, const uint8_t **data,
    size_t *len, int64_t *count, struct fault *f)
{
	struct source *src = &s->sources[0];
	int rc;

	assert(s->count == 1);
	for (;;) {
		rc = next_batch(s, src, f);
		if (rc != 0) {
			s->failed = src;
			return rc;
		}
		if (src->batch.record_count == 0) {
			src->next = src->batch.last_offset + 1;
			continue;
		}
		if (is_whole(s, src, max)) {
			*data = src->data;
			*len = src->batch.size;
			*count = src->batch.record_count;
			src->next = src->batch.last_offset + 1;
			return 0;
		}
		rc = rewrite_batch(s, src, max, data, len, count, f);
		if (rc != STATUS_END) {
			s->failed = src;
			return rc;
		}
	}
}

int
stream_skip(struct stream *s, int64_t *from, int64_t *to)
{
	struct source *src = s->failed;
	int rc;

	if (src == NULL)
		return EINVAL;
	/* Damage behind a right CRC: the reader is past it already. */
	*from = src->next;
	*to = reader_offset(src->r);
	if (*to <= src->next) {
		rc = reader_skip(src->r, from, to);
		if (rc != 0)
			return rc;
	}
	src->next = *to;
	s->failed = NULL;
	return 0;
}

static int
refresh(struct source *src, struct fault *f)
{
	int rc = reader_refresh(src->r, f);

	if (rc > 0 && f != NULL && f->file[0] == '\0')
		status_fault(f, rc, partition_path(src->p), -1, -1, NULL);
	return rc;
}

int
stream_refresh(struct stream *s, struct fault *f)
{
	int rc = 0;

	s->current = 0;
	for (size_t i = 0; rc == 0 && i < s->count; i++)
		if (!s->sources[i].removed)
			rc = refresh(&s->sources[i], f);
	return rc;
}

bool
stream_is_over(const struct stream *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (!s->sources[i].removed &&
		    s->sources[i].next < s->sources[i].to)
			return false;
	return true;
}

void
stream_position(const struct stream *s, size_t i, const char **topic,
    int32_t *number, int64_t *offset)
{
	*topic = s->sources[i].topic;
	*number = s->sources[i].number;
	*offset = s->sources[i].next;
}

/* The last matches of a source: offsets and timestamps, oldest first. */
struct ring {
	struct {
		int64_t offset;
		int64_t timestamp;
	} * items;
	int64_t cap;
	int64_t count;		/* of all matches seen */
	int64_t left;		/* not yet given up (choose) */
	int64_t damage;		/* first offset that cannot be read, or -1 */
};

/* Note the wanted records of [start, end) of src. */
static int
fill_ring(struct stream *s, struct source *src, int64_t start,
    struct ring *ring, struct fault *f)
{
	struct record rec;
	int64_t lost_from, lost_to;
	int rc = reader_seek(src->r, start, NULL, f);

	ring->count = 0;
	ring->damage = -1;
	src->in_batch = false;
	src->next = reader_offset(src->r);
	src->from = src->next;
	while (rc == 0) {
		rc = next_of(s, src, &rec, f);
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
		if (rc != 0)
			break;
		ring->items[ring->count % ring->cap].offset = rec.offset;
		ring->items[ring->count % ring->cap].timestamp = rec.timestamp;
		ring->count++;
		src->next = rec.offset + 1;
	}
	return rc == STATUS_END ? 0 : rc;
}

/* Look further and further back until n matches are found. */
static int
find_last(struct stream *s, struct source *src, int64_t n, struct ring *ring,
    struct fault *f)
{
	int64_t from = src->next, end = reader_end(src->r), start;
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
			    ring->left == ring->cap)
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
	int64_t start = reader_end(src->r);
	int rc;

	if (ring->left > 0)
		start =
		    ring->items[(ring->count - ring->left) % ring->cap].offset;
	else if (start > src->to)
		start = src->to;
	/* There were no more: perhaps for what could not be read. */
	if (ring->left == ring->count && ring->count < ring->cap &&
	    ring->damage >= 0 && ring->damage < start)
		start = ring->damage;
	rc = reader_seek(src->r, start, NULL, f);
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
		rings[i].cap = n > 0 ? n : 1;
		rings[i].damage = -1;
		rings[i].items = reallocarray(NULL, (size_t)rings[i].cap,
		    sizeof(*rings[i].items));
		if (rings[i].items == NULL)
			rc = ENOMEM;
		else if (n > 0)
			rc = find_last(s, &s->sources[i], n, &rings[i], f);
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
