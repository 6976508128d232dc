#include "replicate/stamp.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/bounds.h"
#include "base/parse.h"
#include "base/status.h"
#include "replicate/imprints.h"
#include "store/record.h"

enum { VERSION = 2, WORD_LEN = 24, HASH_DIGITS = 16 };

/* --- marks ---------------------------------------------------------------- */

void
stamp_init(struct stamp_mark *m)
{
	*m = (struct stamp_mark){.producer_id = -1, .last = -1};
}

void
stamp_print(const struct stamp_mark *m, char out[STAMP_TEXT_LEN])
{
	char source[BASE64_ID_LEN + 1];

	base64_id_encode(m->source, source);
	snprintf(out, STAMP_TEXT_LEN,
	    "2 %s %" PRId64 " %d %" PRId32 " %" PRId64 " %" PRId64
	    " %016" PRIx64,
	    source, m->producer_id, m->producer_epoch, m->sequence, m->next,
	    m->last, m->hash);
}

/* A word, and the blank behind it. */
static bool
take_word(const char **at, char out[WORD_LEN])
{
	size_t len = strcspn(*at, " ");

	if (len == 0 || len >= WORD_LEN)
		return false;
	memcpy(out, *at, len);
	out[len] = '\0';
	*at += len;
	if (**at == ' ')
		(*at)++;
	return true;
}

static bool
take_number(const char **at, int64_t min, int64_t max, int64_t *out)
{
	char text[WORD_LEN];

	return take_word(at, text) && parse_int(text, min, max, out) == 0;
}

static bool
take_source(const char **at, uint8_t out[STAMP_SOURCE_LEN])
{
	char text[WORD_LEN];

	return take_word(at, text) && base64_id_decode(text, out);
}

static bool
take_hash(const char **at, uint64_t *out)
{
	char text[WORD_LEN];

	if (!take_word(at, text) || strlen(text) != HASH_DIGITS ||
	    strspn(text, "0123456789abcdef") != HASH_DIGITS)
		return false;
	*out = strtoull(text, NULL, 16);
	return true;
}

bool
stamp_parse(struct bytes text, struct stamp_mark *m)
{
	int64_t version, id, epoch, sequence;
	struct stamp_mark got = *m;
	char copy[STAMP_TEXT_LEN];
	const char *at = copy;

	if (text.len <= 0 || text.len >= STAMP_TEXT_LEN)
		return false;
	memcpy(copy, text.data, (size_t)text.len);
	copy[text.len] = '\0';
	if (!take_number(&at, VERSION, VERSION, &version) ||
	    !take_source(&at, got.source) ||
	    !take_number(&at, 0, INT64_MAX, &id) ||
	    !take_number(&at, 0, INT16_MAX, &epoch) ||
	    !take_number(&at, 0, INT32_MAX, &sequence) ||
	    !take_number(&at, 0, INT64_MAX, &got.next) ||
	    !take_number(&at, -1, INT64_MAX, &got.last) ||
	    !take_hash(&at, &got.hash) || *at != '\0')
		return false;
	got.producer_id = id;
	got.producer_epoch = (int16_t)epoch;
	got.sequence = (int32_t)sequence;
	*m = got;
	return true;
}

/* Sequence numbers go from 2^31-1 to 0. */
static int32_t
sequence_after(int32_t sequence, int32_t count)
{
	return (int32_t)(((int64_t)sequence + count) & INT32_MAX);
}

/* --- headers -------------------------------------------------------------- */

/* What a record was before it was sent: its last two headers say so. */
struct stamped {
	struct record was;
	uint8_t source[STAMP_SOURCE_LEN];
};

static bool
is_name(const struct record_header *h, const char *name)
{
	return h->name.len == (int32_t)strlen(name) &&
	    memcmp(h->name.data, name, strlen(name)) == 0;
}

static bool
copy_value(const struct record_header *h, char out[WORD_LEN])
{
	if (h->value.len <= 0 || h->value.len >= WORD_LEN)
		return false;
	memcpy(out, h->value.data, (size_t)h->value.len);
	out[h->value.len] = '\0';
	return true;
}

static bool
has_source(const struct record_header *h, uint8_t out[STAMP_SOURCE_LEN])
{
	char text[WORD_LEN];

	return is_name(h, STAMP_SOURCE) && copy_value(h, text) &&
	    base64_id_decode(text, out);
}

static bool
has_offset(const struct record_header *h, int64_t *out)
{
	char text[WORD_LEN];

	return is_name(h, STAMP_OFFSET) && copy_value(h, text) &&
	    parse_int(text, 0, INT64_MAX - 1, out) == 0;
}

/* False: it was not sent by one of us. */
static bool
read_stamp(const struct record *r, struct stamped *out)
{
	struct record_header offset = {.name = BYTES_NULL}, source = offset;
	struct record_headers it;
	const uint8_t *pos;

	if (r->header_count < 2)
		return false;
	out->was = *r;
	out->was.header_count -= 2;
	record_headers_init(&it, r);
	for (pos = it.pos; record_headers_next(&it, &source) == 0;
	     pos = it.pos) {
		if (it.left != 1)
			continue;
		offset = source;
		out->was.headers_len = (size_t)(pos - r->headers);
	}
	return has_offset(&offset, &out->was.offset) &&
	    has_source(&source, out->source);
}

bool
stamp_is_from(const struct record *r, const uint8_t source[STAMP_SOURCE_LEN])
{
	uint8_t id[STAMP_SOURCE_LEN];
	struct record_header header;
	struct record_headers it;

	record_headers_init(&it, r);
	while (record_headers_next(&it, &header) == 0)
		if (has_source(&header, id) &&
		    memcmp(id, source, STAMP_SOURCE_LEN) == 0)
			return true;
	return false;
}

/* m is behind that record. */
static int
note_last(struct stamp_mark *m, const struct record *was)
{
	struct buf bytes;
	int rc;

	buf_init(&bytes, (size_t)RECORDS_BYTES_MAX + 64);
	m->last = -1;
	rc = imprints_hash(was, &bytes, &m->hash);
	if (rc == 0)
		m->last = was->offset;
	buf_release(&bytes);
	return rc;
}

/* --- what was sent -------------------------------------------------------- */

/* The last of its records that has a stamp; STATUS_END: none has. */
static int
find_last(const uint8_t *data, const struct batch *b, struct buf *scratch,
    struct stamped *last)
{
	struct batch_records it;
	struct stamped one;
	struct record r;
	bool found = false;
	int rc = batch_records_init(&it, data, b, scratch);

	while (rc == 0 && (rc = batch_records_next(&it, &r)) == 0) {
		if (!read_stamp(&r, &one))
			continue;
		*last = one;
		found = true;
	}
	return rc == STATUS_END && found ? 0 : rc;
}

int
stamp_read(struct stamp_mark *m, const uint8_t *data, const struct batch *b,
    struct buf *scratch)
{
	struct stamped last;
	bool same;
	int rc;

	if ((b->attributes & BATCH_CONTROL) != 0 || b->producer_id < 0 ||
	    (m->producer_id >= 0 && m->producer_id != b->producer_id))
		return 0;
	rc = find_last(data, b, scratch, &last);
	if (rc != 0 && rc != STATUS_END)
		return rc;
	if (rc == STATUS_END && m->producer_id < 0)
		return 0;
	m->producer_id = b->producer_id;
	m->producer_epoch = b->producer_epoch;
	m->sequence = sequence_after(b->base_sequence,
	    (int32_t)(b->last_offset - b->base_offset + 1));
	if (rc == STATUS_END)
		return 0;
	same = memcmp(m->source, last.source, sizeof(m->source)) == 0;
	memcpy(m->source, last.source, sizeof(m->source));
	if (same && last.was.offset < m->next)
		return 0;
	m->next = last.was.offset + 1;
	/* Where it has another time than it had, its hash is another one. */
	return (b->attributes & BATCH_LOG_APPEND_TIME) != 0
	    ? 0
	    : note_last(m, &last.was);
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

/* Its headers, and two more. */
static int
put_headers(struct stamp_builder *s, const struct record *r)
{
	char number[WORD_LEN], source[BASE64_ID_LEN + 1];
	int rc;

	s->headers.len = 0;
	snprintf(number, sizeof(number), "%" PRId64, r->offset);
	base64_id_encode(s->source, source);
	rc = r->headers_len > 0
	    ? buf_add(&s->headers, r->headers, r->headers_len)
	    : 0;
	if (rc == 0)
		rc = record_headers_add(&s->headers, bytes_of(STAMP_OFFSET),
		    bytes_of(number));
	if (rc == 0)
		rc = record_headers_add(&s->headers, bytes_of(STAMP_SOURCE),
		    bytes_of(source));
	return rc;
}

int
stamp_builder_add(struct stamp_builder *s, enum codec codec,
    const struct record *r, size_t limit)
{
	struct record more = *r;
	size_t pos;
	int rc;

	if (s->begun && s->builder.codec != codec)
		return STATUS_TOO_BIG;
	rc = put_headers(s, r);
	if (rc != 0)
		return rc;
	more.headers = s->headers.data;
	more.headers_len = s->headers.len;
	more.header_count = r->header_count + 2;
	if (s->begun && !batch_builder_fits(&s->builder, &more, limit))
		return STATUS_TOO_BIG;
	s->builder.codec = codec;
	pos = s->begun ? s->builder.raw.len : BATCH_RECORDS;
	rc = batch_builder_add(&s->builder, &more);
	if (rc != 0)
		return rc;
	s->last_pos = pos;
	s->begun = true;
	s->next = r->offset + 1;
	return 0;
}

/* The last record of what is finished, as it was; that is there still. */
static int
note_sent(const struct stamp_builder *s, struct stamp_mark *m)
{
	const struct buf *raw = &s->builder.raw;
	const uint8_t *next;
	struct stamped last;
	struct record r;
	int rc = record_decode(raw->data + s->last_pos, raw->data + raw->len,
	    s->builder.base_timestamp, 0, &r, &next);

	if (rc == 0 && !read_stamp(&r, &last))
		rc = STATUS_CORRUPT;
	return rc == 0 ? note_last(m, &last.was) : rc;
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
	memcpy(m->source, s->source, sizeof(m->source));
	return note_sent(s, m);
}
