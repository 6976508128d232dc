#include "store/stream_impl.h"

#include <errno.h>
#include <stdlib.h>

/* As stream_source_damaged(), where the reader is elsewhere by now. */
static int
damaged_behind(struct source *src, int rc, struct fault *f)
{
	const uint8_t *data;
	struct batch b;

	if (reader_seek(src->r, src->batch.base_offset, NULL, f) == 0)
		(void)reader_next(src->r, &b, &data, f);
	return stream_source_damaged(src, rc, f);
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
		rc = stream_choose_record(s, src, &rec, &wanted, f);
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
	if (!stream_choose_batch(src->stream, src))
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
		if (!stream_source_is_told(src, rc, src->batch.base_offset))
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
int
stream_reverse_prev(struct stream *s, struct source *src, struct record *out,
    struct fault *f)
{
	int64_t from, to;
	int rc;

	while (src->place_count == 0) {
		if (!src->in_batch) {
			rc = backward_next(src->back, &src->batch, &src->data,
			    &src->batch_max, f);
			if (stream_source_is_told(src, rc, f->offset) &&
			    backward_skip(src->back, &from, &to) == 0)
				continue;
			if (rc == STATUS_REMOVED)
				status_fault(f, rc, partition_path(src->p), -1,
				    src->limit, "removed");
			if (rc != 0)
				return rc;
			src->in_batch = stream_choose_batch(s, src);
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
