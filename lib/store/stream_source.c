#include "store/stream_impl.h"

bool
stream_source_is_fed(const struct source *src)
{
	return src->feed.next != NULL;
}

int64_t
stream_source_end(const struct source *src)
{
	return stream_source_is_fed(src) ? src->feed.end(src->feed.arg)
					 : reader_end(src->r);
}

int
stream_source_seek(struct source *src, int64_t offset, struct fault *f)
{
	if (stream_source_is_fed(src))
		return src->feed.seek(src->feed.arg, offset, f);
	return reader_seek(src->r, offset, NULL, f);
}

/* Damage here was told before: it is passed over. */
bool
stream_source_is_told(const struct source *src, int rc, int64_t offset)
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
		if (!stream_source_is_told(src, rc, reader_offset(src->r)))
			return rc;
		if (reader_skip(src->r, &from, &to) != 0)
			return rc;
		src->next = to;
	}
}

/* The next batch of src that may hold something wanted. */
int
stream_source_batch(struct stream *s, struct source *src, struct fault *f)
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
		if (!stream_choose_batch(s, src))
			src->next = src->batch.last_offset + 1;
	} while (!stream_choose_batch(s, src));
	return 0;
}

int
stream_source_damaged(struct source *src, int rc, struct fault *f)
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
			return stream_source_damaged(src, rc, f);
		if (out->offset < src->from)
			continue;
		rc = stream_choose_record(s, src, out, &wanted, f);
		if (rc != 0) {
			src->it = before;
			return rc;
		}
	}
	return 0;
}

/* The next wanted record of a feed. */
int
stream_source_of_feed(struct stream *s, struct source *src, struct record *out,
    struct fault *f)
{
	int64_t offset;
	int rc;

	if (src->removed || src->next >= src->to)
		return STATUS_END;
	do {
		rc = src->feed.next(src->feed.arg, src->to, out, f);
	} while (rc == 0 &&
	    (out->offset < src->from ||
		(s->filtering && !stream_choose_wants(s, out))));
	src->removed = rc == STATUS_REMOVED;
	offset = src->feed.offset(src->feed.arg);
	if (rc != 0 && offset > src->next)
		src->next = offset < src->to ? offset : src->to;
	return rc;
}

/* The next wanted record of one source. */
int
stream_source_next(struct stream *s, struct source *src, struct record *out,
    struct fault *f)
{
	int rc = 0;

	if (stream_source_is_fed(src))
		return stream_source_of_feed(s, src, out, f);
	for (;;) {
		if (!src->in_batch) {
			rc = stream_source_batch(s, src, f);
			if (rc != 0)
				return rc;
			rc = batch_records_init(&src->it, src->data,
			    &src->batch, &src->scratch);
			src->in_batch = rc == 0;
			if (rc != 0)
				rc = stream_source_damaged(src, rc, f);
		}
		if (src->in_batch)
			rc = next_in_batch(s, src, out, f);
		if (rc == STATUS_END ||
		    (!src->in_batch &&
			stream_source_is_told(src, rc, src->batch.base_offset)))
			continue;
		return rc;
	}
}
