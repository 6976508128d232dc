#include "store/stream_impl.h"

#include <assert.h>
#include <errno.h>

enum {
	/* Of batches that are built of a feed's records. */
	BUILT_BATCH_BYTES = 256 << 10,
	BUILT_BATCH_SPAN = 1 << 20,
};

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
		if (rec.offset < src->from || !stream_choose_wants(s, &rec))
			continue;
		if (base < 0)
			base = rec.offset;
		rc = batch_builder_add_at(&s->rewrite, &rec,
		    (int32_t)(rec.offset - base));
		src->next = rec.offset + 1;
		(*count)++;
	}
	if (rc != 0 && rc != STATUS_END)
		return stream_source_damaged(src, rc, f);
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
	    s->filter.newest == INT64_MAX;
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
			rc = stream_source_of_feed(s, src, &src->head, f);
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
stream_batch(struct stream *s, int64_t max, const uint8_t **data, size_t *len,
    int64_t *count, struct fault *f)
{
	struct source *src = &s->sources[0];
	int rc;

	assert(s->count == 1);
	if (stream_source_is_fed(src))
		return build_batch(s, src, max, data, len, count, f);
	for (;;) {
		rc = stream_source_batch(s, src, f);
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
