#include "store/stream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/bounds.h"
#include "base/find.h"
#include "base/status.h"
#include "store/backward.h"
#include "store/keymap.h"
#include "store/latest.h"
#include "store/lookup.h"

enum {
	BLOCK_MAX = 512 << 10,
	BLOCK_MIN = 64 << 10,
	BLOCKS_TOTAL = 8 << 20,	/* of all sources together */
	/* Of batches that are built of a feed's records. */
	BUILT_BATCH_BYTES = 256 << 10,
	BUILT_BATCH_SPAN = 1 << 20,
};

/* A wanted record of the batch at hand, for who goes back. */
struct place {
	size_t pos;		/* from the first record */
	int64_t time;		/* the largest timestamp up to it */
};

struct source {
	struct stream *stream;
	struct partition *p;
	struct reader *r;
	struct stream_feed feed; /* next NULL: it is p, read by r */
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
	int64_t head_time;	/* what it is merged by */
	struct buf scratch;
	struct latest *latest;	/* NULL: not only those */
	struct backward *back;	/* NULL: forward */
	int64_t limit;		/* going back: all at or above is given */
	int64_t batch_max;	/* largest timestamp before the batch */
	struct place *places;	/* owned */
	size_t place_count;	/* still to be given */
	size_t place_cap;
};

struct stream {
	int flags;
	size_t block;
	struct stream_filter filter;
	bool filtering;		/* the filter hides something */
	struct source *sources;
	size_t count;
	size_t cap;
	size_t current;		/* without merge; going back from the end */
	bool reverse;
	struct source *failed;	/* who met the damage last reported */
	struct batch_builder rewrite;
	int held_rc;		/* to be told after a batch that it ended */
	struct fault held;
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
		latest_free(s->sources[i].latest);
		backward_close(s->sources[i].back);
		free(s->sources[i].places);
		if (s->sources[i].feed.next != NULL)
			s->sources[i].feed.close(s->sources[i].feed.arg);
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
	*src = (struct source){.stream = s,
	    .p = p,
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

int
stream_add_feed(struct stream *s, const struct stream_feed *feed,
    const char *topic, int32_t number, int64_t from, int64_t to)
{
	struct source *src;
	int rc = make_room(s);

	if (rc != 0) {
		feed->close(feed->arg);
		return rc;
	}
	src = &s->sources[s->count++];
	*src = (struct source){.stream = s,
	    .feed = *feed,
	    .topic = topic,
	    .number = number,
	    .from = from,
	    .to = to,
	    .next = from};
	buf_init(&src->scratch, RECORDS_BYTES_MAX);
	return feed->seek(feed->arg, from, NULL);
}

static bool
is_fed(const struct source *src)
{
	return src->feed.next != NULL;
}

/* The offset after the last record, as last looked at. */
static int64_t
end_of(const struct source *src)
{
	return is_fed(src) ? src->feed.end(src->feed.arg) : reader_end(src->r);
}

static int
seek(struct source *src, int64_t offset, struct fault *f)
{
	if (is_fed(src))
		return src->feed.seek(src->feed.arg, offset, f);
	return reader_seek(src->r, offset, NULL, f);
}

int
stream_latest(struct stream *s, size_t memory)
{
	int rc = 0;

	if ((s->flags & STREAM_MERGE) != 0 && s->count > 0)
		memory /= s->count;
	if (memory < KEYMAP_BYTES_MIN)
		memory = KEYMAP_BYTES_MIN;
	for (size_t i = 0; rc == 0 && i < s->count; i++) {
		struct source *src = &s->sources[i];
		const struct latest_range range = {src->from, src->to,
		    s->filter.since, s->filter.until};

		rc = latest_new(src->p, s->flags, &range, memory, &src->latest);
	}
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

/* Is none of the batch's records the last of its key, as far as is known? */
static bool
is_overtaken(const struct source *src)
{
	return src->latest != NULL &&
	    latest_is_covered(src->latest, src->batch.base_offset,
		src->batch.last_offset) &&
	    latest_next(src->latest, src->batch.base_offset) >
	    src->batch.last_offset;
}

/* Could this batch hold a wanted record? */
static bool
is_batch_wanted(const struct stream *s, const struct source *src)
{
	return src->batch.max_timestamp >= s->filter.since &&
	    !is_overtaken(src) && may_hold_key(s, src);
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

/* As is_wanted(), where it takes a look at other records, too. */
static int
choose_record(struct stream *s, struct source *src, const struct record *rec,
    bool *wanted, struct fault *f)
{
	int rc;

	*wanted = !s->filtering || is_wanted(s, rec);
	if (src->latest == NULL || !*wanted)
		return 0;
	*wanted = false;
	if (bytes_is_null(rec->key) || bytes_is_null(rec->value))
		return 0;
	rc = latest_cover(src->latest, rec->offset, f);
	if (rc == 0)
		*wanted = latest_next(src->latest, rec->offset) == rec->offset;
	return rc;
}

/* Damage here was told before: it is passed over. */
static bool
is_told(const struct source *src, int rc, int64_t offset)
{
	return (rc == STATUS_CORRUPT || rc == STATUS_UNSUPPORTED) &&
	    src->latest != NULL && latest_is_told(src->latest, offset);
}

/* The reader's next batch, but for damage that was told. */
static int
read_batch(struct source *src, struct fault *f)
{
	int64_t from, to;
	int rc;

	for (;;) {
		rc = reader_next(src->r, &src->batch, &src->data, f);
		if (!is_told(src, rc, reader_offset(src->r)))
			return rc;
		if (reader_skip(src->r, &from, &to) != 0)
			return rc;
		src->next = to;
	}
}

/* The next batch of src that may hold something wanted. */
static int
next_batch(struct stream *s, struct source *src, struct fault *f)
{
	int rc;

	if (src->removed || src->next >= src->to)
		return STATUS_END;
	do {
		rc = read_batch(src, f);
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

/*
 * The next wanted record of the batch at hand.  STATUS_END: there is none.
 * Otherwise, while in_batch holds, this one can be asked for again.
 */
static int
next_in_batch(struct stream *s, struct source *src, struct record *out,
    struct fault *f)
{
	struct batch_records before;
	bool wanted = false;
	int rc;

	while (!wanted) {
		before = src->it;
		rc = batch_records_next(&src->it, out);
		if (rc == 0 && out->offset >= src->to)
			rc = STATUS_END;
		if (rc != 0)
			src->in_batch = false;
		if (rc == STATUS_END) {
			src->next = src->batch.last_offset + 1;
			if (src->next > src->to)
				src->next = src->to;
			return rc;
		}
		if (rc != 0)
			return damaged_inside(src, rc, f);
		if (out->offset < src->from)
			continue;
		rc = choose_record(s, src, out, &wanted, f);
		if (rc != 0) {
			src->it = before;
			return rc;
		}
	}
	return 0;
}

/* The next wanted record of a feed. */
static int
next_of_feed(struct stream *s, struct source *src, struct record *out,
    struct fault *f)
{
	int64_t offset;
	int rc;

	if (src->removed || src->next >= src->to)
		return STATUS_END;
	do {
		rc = src->feed.next(src->feed.arg, src->to, out, f);
	} while (rc == 0 &&
	    (out->offset < src->from || (s->filtering && !is_wanted(s, out))));
	src->removed = rc == STATUS_REMOVED;
	offset = src->feed.offset(src->feed.arg);
	if (rc != 0 && offset > src->next)
		src->next = offset < src->to ? offset : src->to;
	return rc;
}

/* The next wanted record of one source. */
static int
next_of(struct stream *s, struct source *src, struct record *out,
    struct fault *f)
{
	int rc = 0;

	if (is_fed(src))
		return next_of_feed(s, src, out, f);
	for (;;) {
		if (!src->in_batch) {
			rc = next_batch(s, src, f);
			if (rc != 0)
				return rc;
			rc = batch_records_init(&src->it, src->data,
			    &src->batch, &src->scratch);
			src->in_batch = rc == 0;
			if (rc != 0)
				rc = damaged_inside(src, rc, f);
		}
		if (src->in_batch)
			rc = next_in_batch(s, src, out, f);
		if (rc == STATUS_END ||
		    (!src->in_batch &&
			is_told(src, rc, src->batch.base_offset)))
			continue;
		return rc;
	}
}

/* --- going back ----------------------------------------------------------- */

/* As damaged_inside(), where the reader is elsewhere by now. */
static int
damaged_behind(struct source *src, int rc, struct fault *f)
{
	const uint8_t *data;
	struct batch b;

	if (reader_seek(src->r, src->batch.base_offset, NULL, f) == 0)
		(void)reader_next(src->r, &b, &data, f);
	return damaged_inside(src, rc, f);
}

static int
add_place(struct source *src, size_t pos, int64_t time)
{
	if (src->place_count == src->place_cap) {
		size_t cap = src->place_cap * 2 + 64;
		struct place *places =
		    reallocarray(src->places, cap, sizeof(*places));

		if (places == NULL)
			return ENOMEM;
		src->places = places;
		src->place_cap = cap;
	}
	src->places[src->place_count++] = (struct place){pos, time};
	return 0;
}

/*
 * Go through the wanted records of the batch at hand that are still to be
 * given: *max is raised by their timestamps, and they are noted if note says
 * so.  STATUS_END: done.
 */
static int
go_through(struct stream *s, struct source *src, bool note, int64_t *max,
    struct fault *f)
{
	struct batch_records it;
	const uint8_t *first, *pos;
	struct record rec;
	bool wanted;
	int rc;

	rc =
	    batch_records_init(&src->it, src->data, &src->batch, &src->scratch);
	it = src->it;
	first = it.pos;
	while (rc == 0) {
		pos = it.pos;
		rc = batch_records_next(&it, &rec);
		if (rc == 0 && rec.offset >= src->limit)
			return STATUS_END;
		if (rc != 0 || rec.offset < src->from)
			continue;
		rc = choose_record(s, src, &rec, &wanted, f);
		if (rc != 0 || !wanted)
			continue;
		if (rec.timestamp > *max)
			*max = rec.timestamp;
		if (note)
			rc = add_place(src, (size_t)(pos - first), *max);
	}
	return rc;
}

/* Is rc damage of the batch at hand, not what latest.h has met? */
static bool
is_inside(const struct source *src, int rc)
{
	return (rc == STATUS_CORRUPT || rc == STATUS_TOO_BIG) &&
	    (src->latest == NULL || !latest_has_lost(src->latest));
}

/* backward_measure() of a source, whose current batch is done with. */
static int
measure(void *arg, const struct batch *b, const uint8_t *data, int64_t *max,
    struct fault *f)
{
	struct source *src = arg;
	int rc;

	src->batch = *b;
	src->data = data;
	if (!is_batch_wanted(src->stream, src))
		return 0;
	rc = go_through(src->stream, src, false, max, f);
	/* Damage inside is told when it is met from behind. */
	return rc == STATUS_END || is_inside(src, rc) ? 0 : rc;
}

/* Note the records of the batch at hand; one that fails is tried again. */
static int
note_places(struct stream *s, struct source *src, struct fault *f)
{
	int64_t last = src->batch.last_offset, max = src->batch_max;
	int rc = 0;

	if (last >= src->limit)
		last = src->limit - 1;
	if (src->latest != NULL)
		rc = latest_cover_back(src->latest, last, f);
	src->place_count = 0;
	if (rc == 0)
		rc = go_through(s, src, true, &max, f);
	if (rc != STATUS_END) {
		src->place_count = 0;
		if (is_inside(src, rc))
			rc = damaged_behind(src, rc, f);
		if (!is_told(src, rc, src->batch.base_offset))
			return rc;
	}
	src->in_batch = false;
	return 0;
}

/* The last of the places that are left. */
static int
take_place(struct source *src, struct record *out, struct fault *f)
{
	const struct place *place = &src->places[--src->place_count];
	struct batch_records it = src->it;
	int rc;

	it.pos += place->pos;
	/* Whatever is behind it. */
	it.left = 2;
	rc = batch_records_next(&it, out);
	if (rc != 0)
		return damaged_behind(src, rc, f);
	src->limit = out->offset;
	src->head_time = place->time;
	return 0;
}

/* The wanted record of a source before those that it has given. */
static int
prev_of(struct stream *s, struct source *src, struct record *out,
    struct fault *f)
{
	int64_t from, to;
	int rc;

	while (src->place_count == 0) {
		if (!src->in_batch) {
			rc = backward_next(src->back, &src->batch, &src->data,
			    &src->batch_max, f);
			if (is_told(src, rc, f->offset) &&
			    backward_skip(src->back, &from, &to) == 0)
				continue;
			if (rc == STATUS_REMOVED)
				status_fault(f, rc, partition_path(src->p), -1,
				    src->limit, "removed");
			if (rc != 0)
				return rc;
			src->in_batch = is_batch_wanted(s, src);
		}
		rc = src->in_batch ? note_places(s, src, f) : 0;
		if (rc != 0)
			return rc;
	}
	return take_place(src, out, f);
}

int
stream_reverse(struct stream *s)
{
	bool merge = (s->flags & STREAM_MERGE) != 0 && s->count > 1;
	int rc = 0;

	s->reverse = true;
	for (size_t i = 0; rc == 0 && i < s->count; i++) {
		struct source *src = &s->sources[i];

		src->limit = reader_end(src->r);
		if (src->limit > src->to)
			src->limit = src->to;
		if (src->limit < src->from)
			src->limit = src->from;
		rc = backward_open(src->p, src->r, src->from, src->limit,
		    merge ? measure : NULL, src, &src->back);
	}
	return rc;
}

static int
any_of(struct stream *s, struct source *src, struct record *out,
    struct fault *f)
{
	int rc;

	if (s->reverse) {
		rc = prev_of(s, src, out, f);
	} else {
		rc = next_of(s, src, out, f);
		src->head_time = out->timestamp;
	}
	if (rc == STATUS_END)
		latest_rest(src->latest);
	else if (rc != 0)
		s->failed = src;
	return rc;
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
		size_t i = s->reverse ? s->count - 1 - s->current : s->current;

		rc = any_of(s, &s->sources[i], &out->rec, f);
		if (rc == 0)
			give(&s->sources[i], out);
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
			rc = any_of(s, src, &src->head, f);
			if (rc == STATUS_END)
				continue;
			if (rc != 0)
				return rc;
			src->has_head = true;
		}
		if (best == NULL ||
		    (s->reverse ? src->head_time >= best->head_time
				: src->head_time < best->head_time))
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

/* A batch of the records that a feed has now, at their distances. */
static int
build_batch(struct stream *s, struct source *src, int64_t max,
    const uint8_t **data, size_t *len, int64_t *count, struct fault *f)
{
	int64_t base = -1;
	int rc = 0;

	s->rewrite.count = 0;
	*count = 0;
	if (s->held_rc != 0) {
		rc = s->held_rc;
		*f = s->held;
		s->held_rc = 0;
		return rc;
	}
	while (*count < max &&
	    batch_builder_size(&s->rewrite) < BUILT_BATCH_BYTES) {
		if (!src->has_head) {
			rc = next_of_feed(s, src, &src->head, f);
			if (rc != 0)
				break;
			src->has_head = true;
		}
		if (base < 0)
			base = src->head.offset;
		if (src->head.offset - base > BUILT_BATCH_SPAN)
			break;
		rc = batch_builder_add_at(&s->rewrite, &src->head,
		    (int32_t)(src->head.offset - base));
		if (rc == ERANGE && *count > 0)
			break;
		if (rc != 0)
			return rc;
		src->has_head = false;
		src->next = src->head.offset + 1;
		(*count)++;
	}
	if (*count == 0)
		return rc;
	if (rc != 0 && rc != STATUS_END && rc != ERANGE) {
		s->held_rc = rc;
		s->held = *f;
	}
	rc = batch_builder_finish(&s->rewrite, data, len);
	if (rc == 0)
		batch_assign((uint8_t *)(uintptr_t)*data, base, -1);
	return rc;
}

int
stream_next_batch(struct stream *s, int64_t max, const uint8_t **data,
    size_t *len, int64_t *count, struct fault *f)
{
	struct source *src = &s->sources[0];
	int rc;

	assert(s->count == 1);
	if (is_fed(src))
		return build_batch(s, src, max, data, len, count, f);
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
	if (is_fed(src)) {
		/* It is past the damage already. */
		*from = src->next;
		*to = src->feed.offset(src->feed.arg);
		src->next = *to > src->next ? *to : src->next;
		return 0;
	}
	if (src->latest != NULL && latest_skip(src->latest, from, to))
		return 0;
	if (src->back != NULL && src->in_batch) {
		*from = src->batch.base_offset;
		*to = src->batch.last_offset + 1;
		src->in_batch = false;
		return 0;
	}
	if (src->back != NULL)
		return backward_skip(src->back, from, to);
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
		if (!s->sources[i].removed && !is_fed(&s->sources[i]))
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
	int rc = seek(src, start, f);

	ring->count = 0;
	ring->damage = -1;
	src->in_batch = false;
	src->next = is_fed(src) ? start : reader_offset(src->r);
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
	int64_t from = src->next, end = end_of(src), start;
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
	int64_t start = end_of(src);
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
	rc = seek(src, start, f);
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
