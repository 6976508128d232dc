#include "store/stream_impl.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bounds.h"
#include "store/keymap.h"
#include "store/lookup.h"

enum {
	BLOCK_MAX = 512 << 10,
	BLOCK_MIN = 64 << 10,
	BLOCKS_TOTAL = 8 << 20,	/* of all sources together */
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
	    filter->newest != INT64_MAX || filter->has_key ||
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
		    s->filter.since, s->filter.newest};

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

static int
any_of(struct stream *s, struct source *src, struct record *out,
    struct fault *f)
{
	int rc;

	if (s->reverse) {
		rc = stream_reverse_prev(s, src, out, f);
	} else {
		rc = stream_source_next(s, src, out, f);
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

int
stream_skip(struct stream *s, int64_t *from, int64_t *to)
{
	struct source *src = s->failed;
	int rc;

	if (src == NULL)
		return EINVAL;
	if (stream_source_is_fed(src)) {
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
		if (!s->sources[i].removed &&
		    !stream_source_is_fed(&s->sources[i]))
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
