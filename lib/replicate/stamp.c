#include "replicate/stamp.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/bounds.h"
#include "base/parse.h"
#include "base/status.h"
#include "store/record.h"

enum { NUMBER_LEN = 24 };

/* --- marks ---------------------------------------------------------------- */

void
stamp_init(struct stamp_mark *m)
{
	*m = (struct stamp_mark){.producer_id = -1};
}

void
stamp_print(const struct stamp_mark *m, char out[STAMP_TEXT_LEN])
{
	snprintf(out, STAMP_TEXT_LEN, "1 %" PRId64 " %d %" PRId32 " %" PRId64,
	    m->producer_id, m->producer_epoch, m->sequence, m->next);
}

/* A number of at most max, and the blank behind it. */
static bool
take_number(const char **at, int64_t max, int64_t *out)
{
	char text[NUMBER_LEN];
	size_t len = strcspn(*at, " ");

	if (len == 0 || len >= sizeof(text))
		return false;
	memcpy(text, *at, len);
	text[len] = '\0';
	*at += len;
	if (**at == ' ')
		(*at)++;
	return parse_int(text, 0, max, out) == 0;
}

bool
stamp_parse(struct bytes text, struct stamp_mark *m)
{
	int64_t version, id, epoch, sequence, next;
	char copy[STAMP_TEXT_LEN];
	const char *at = copy;

	if (text.len <= 0 || text.len >= STAMP_TEXT_LEN)
		return false;
	memcpy(copy, text.data, (size_t)text.len);
	copy[text.len] = '\0';
	if (!take_number(&at, 1, &version) || version != 1 ||
	    !take_number(&at, INT64_MAX, &id) ||
	    !take_number(&at, INT16_MAX, &epoch) ||
	    !take_number(&at, INT32_MAX, &sequence) ||
	    !take_number(&at, INT64_MAX, &next) || *at != '\0')
		return false;
	m->producer_id = id;
	m->producer_epoch = (int16_t)epoch;
	m->sequence = (int32_t)sequence;
	m->next = next;
	return true;
}

/* Sequence numbers go from 2^31-1 to 0. */
static int32_t
sequence_after(int32_t sequence, int32_t count)
{
	return (int32_t)(((int64_t)sequence + count) & INT32_MAX);
}

/* The last header of that name; false: it has none. */
static bool
find_offset(const struct record *r, int64_t *offset)
{
	struct record_header header;
	struct record_headers it;
	char text[NUMBER_LEN];
	bool found = false;

	record_headers_init(&it, r);
	while (record_headers_next(&it, &header) == 0) {
		if (header.name.len != (int32_t)strlen(STAMP_HEADER) ||
		    memcmp(header.name.data, STAMP_HEADER,
			strlen(STAMP_HEADER)) != 0 ||
		    header.value.len <= 0 || header.value.len >= NUMBER_LEN)
			continue;
		memcpy(text, header.value.data, (size_t)header.value.len);
		text[header.value.len] = '\0';
		found = parse_int(text, 0, INT64_MAX - 1, offset) == 0;
	}
	return found;
}

int
stamp_read(struct stamp_mark *m, const uint8_t *data, const struct batch *b,
    struct buf *scratch)
{
	struct batch_records it;
	struct record r;
	int64_t offset = -1;
	bool found = false;
	int rc;

	if ((b->attributes & BATCH_CONTROL) != 0 || b->producer_id < 0 ||
	    (m->producer_id >= 0 && m->producer_id != b->producer_id))
		return 0;
	rc = batch_records_init(&it, data, b, scratch);
	while (rc == 0 && (rc = batch_records_next(&it, &r)) == 0)
		found = find_offset(&r, &offset) || found;
	if (rc != STATUS_END)
		return rc;
	if (!found && m->producer_id < 0)
		return 0;
	m->producer_id = b->producer_id;
	m->producer_epoch = b->producer_epoch;
	m->sequence = sequence_after(b->base_sequence,
	    (int32_t)(b->last_offset - b->base_offset + 1));
	if (offset >= m->next)
		m->next = offset + 1;
	return 0;
}

/* --- batches -------------------------------------------------------------- */

void
stamp_builder_init(struct stamp_builder *s)
{
	*s = (struct stamp_builder){.begun = false};
	batch_builder_init(&s->builder, CODEC_NONE, INT_MIN, BATCH_BYTES_MAX);
	buf_init(&s->headers, BATCH_BYTES_MAX);
}

void
stamp_builder_release(struct stamp_builder *s)
{
	batch_builder_release(&s->builder);
	buf_release(&s->headers);
}

/* Its headers, and one more. */
static int
put_headers(struct stamp_builder *s, const struct record *r)
{
	char number[NUMBER_LEN];
	int rc;

	s->headers.len = 0;
	snprintf(number, sizeof(number), "%" PRId64, r->offset);
	rc = r->headers_len > 0
	    ? buf_add(&s->headers, r->headers, r->headers_len)
	    : 0;
	if (rc == 0)
		rc = record_headers_add(&s->headers, bytes_of(STAMP_HEADER),
		    bytes_of(number));
	return rc;
}

int
stamp_builder_add(struct stamp_builder *s, enum codec codec,
    const struct record *r, size_t limit)
{
	struct record more = *r;
	int rc;

	if (s->begun && s->builder.codec != codec)
		return STATUS_TOO_BIG;
	rc = put_headers(s, r);
	if (rc != 0)
		return rc;
	more.headers = s->headers.data;
	more.headers_len = s->headers.len;
	more.header_count = r->header_count + 1;
	if (s->begun && !batch_builder_fits(&s->builder, &more, limit))
		return STATUS_TOO_BIG;
	s->builder.codec = codec;
	rc = batch_builder_add(&s->builder, &more);
	if (rc != 0)
		return rc;
	s->begun = true;
	s->next = r->offset + 1;
	return 0;
}

int
stamp_builder_finish(struct stamp_builder *s, struct stamp_mark *m,
    const uint8_t **data, size_t *size)
{
	int32_t count = s->builder.count;
	int rc = batch_builder_finish(&s->builder, data, size);

	if (rc != 0)
		return rc;
	s->begun = false;
	/* It is in the builder, which is ours. */
	batch_set_producer((uint8_t *)(uintptr_t)*data, *size, m->producer_id,
	    m->producer_epoch, m->sequence);
	m->sequence = sequence_after(m->sequence, count);
	m->next = s->next;
	return 0;
}
