#include "store/batch.h"

#include <assert.h>
#include <errno.h>

#include "base/bounds.h"
#include "base/crc32c.h"
#include "base/status.h"

enum { SUM_BYTES_MIN = 4096 };

_Static_assert(BATCH_RECORD_COUNT + 4 == BATCH_RECORDS, "header layout");

static int
refuse(const char **what, const char *why)
{
	if (what != NULL)
		*what = why;
	return STATUS_CORRUPT;
}

/* The checks on the fields that need no record: why not, or NULL. */
static const char *
header_flaw(const struct batch *b, int32_t length, int32_t delta)
{
	if (length < BATCH_HEADER_LEN - BATCH_OVERHEAD ||
	    length > BATCH_BYTES_MAX - BATCH_OVERHEAD)
		return "batch length is out of range";
	if (b->base_offset < 0)
		return "base offset is negative";
	/* There is to be an offset behind it. */
	if (delta < 0 || b->base_offset >= INT64_MAX - delta)
		return "last offset delta is out of range";
	if (b->record_count < 0 || b->record_count > delta + (int64_t)1)
		return "record count is out of range";
	if ((b->attributes & BATCH_CODEC_MASK) >= CODEC_COUNT)
		return "unknown codec";
	return NULL;
}

int
batch_decode(const uint8_t *p, size_t len, struct batch *out, const char **what)
{
	struct batch b;
	int32_t length, delta;
	const char *flaw;

	if (len <= BATCH_MAGIC)
		return STATUS_SHORT;
	if (p[BATCH_MAGIC] < 2) {
		/* A zeroed page has magic 0 too; it has no length. */
		length = (int32_t)buf_get_32(p + BATCH_LENGTH);
		if (length < 14 || length > BATCH_BYTES_MAX)
			return refuse(what, "not a record batch");
		return STATUS_UNSUPPORTED;
	}
	if (p[BATCH_MAGIC] != 2)
		return refuse(what, "unknown batch version");
	if (len < BATCH_HEADER_LEN)
		return STATUS_SHORT;
	b.base_offset = (int64_t)buf_get_64(p + BATCH_BASE_OFFSET);
	length = (int32_t)buf_get_32(p + BATCH_LENGTH);
	b.leader_epoch = (int32_t)buf_get_32(p + BATCH_LEADER_EPOCH);
	b.crc = buf_get_32(p + BATCH_CRC);
	b.attributes = buf_get_16(p + BATCH_ATTRIBUTES);
	delta = (int32_t)buf_get_32(p + BATCH_LAST_OFFSET_DELTA);
	b.base_timestamp = (int64_t)buf_get_64(p + BATCH_BASE_TIMESTAMP);
	b.max_timestamp = (int64_t)buf_get_64(p + BATCH_MAX_TIMESTAMP);
	b.producer_id = (int64_t)buf_get_64(p + BATCH_PRODUCER_ID);
	b.producer_epoch = (int16_t)buf_get_16(p + BATCH_PRODUCER_EPOCH);
	b.base_sequence = (int32_t)buf_get_32(p + BATCH_BASE_SEQUENCE);
	b.record_count = (int32_t)buf_get_32(p + BATCH_RECORD_COUNT);
	flaw = header_flaw(&b, length, delta);
	if (flaw != NULL)
		return refuse(what, flaw);
	b.size = (size_t)length + BATCH_OVERHEAD;
	b.last_offset = b.base_offset + delta;
	*out = b;
	return 0;
}

int
batch_verify(const uint8_t *p, const struct batch *b)
{
	uint32_t crc = crc32c(p + BATCH_ATTRIBUTES, b->size - BATCH_ATTRIBUTES);

	return crc == b->crc ? 0 : STATUS_CORRUPT;
}

uint32_t
batch_sum(uint32_t before, const uint8_t *p, const struct batch *b)
{
	/* What is short is read faster than it is reckoned. */
	if (b->size < SUM_BYTES_MIN)
		return crc32c_update(before, p, b->size);
	before = crc32c_update(before, p, BATCH_ATTRIBUTES);
	return crc32c_append(before, b->crc, b->size - BATCH_ATTRIBUTES);
}

enum codec
batch_codec(const struct batch *b)
{
	return (enum codec)(b->attributes & BATCH_CODEC_MASK);
}

void
batch_assign(uint8_t *p, int64_t base_offset, int32_t leader_epoch)
{
	buf_put_64(p + BATCH_BASE_OFFSET, (uint64_t)base_offset);
	buf_put_32(p + BATCH_LEADER_EPOCH, (uint32_t)leader_epoch);
}

static void
put_crc(uint8_t *p, size_t size)
{
	buf_put_32(p + BATCH_CRC,
	    crc32c(p + BATCH_ATTRIBUTES, size - BATCH_ATTRIBUTES));
}

void
batch_set_append_time(uint8_t *p, size_t size, int64_t timestamp)
{
	uint16_t attributes = buf_get_16(p + BATCH_ATTRIBUTES);

	buf_put_16(p + BATCH_ATTRIBUTES, attributes | BATCH_LOG_APPEND_TIME);
	buf_put_64(p + BATCH_MAX_TIMESTAMP, (uint64_t)timestamp);
	put_crc(p, size);
}

void
batch_set_max_timestamp(uint8_t *p, size_t size, int64_t timestamp)
{
	buf_put_64(p + BATCH_MAX_TIMESTAMP, (uint64_t)timestamp);
	put_crc(p, size);
}

void
batch_clear_producer(uint8_t *p, size_t size)
{
	uint16_t attributes = buf_get_16(p + BATCH_ATTRIBUTES);

	attributes &= (uint16_t)~BATCH_TRANSACTIONAL;
	buf_put_16(p + BATCH_ATTRIBUTES, attributes);
	buf_put_64(p + BATCH_PRODUCER_ID, UINT64_MAX);
	buf_put_16(p + BATCH_PRODUCER_EPOCH, UINT16_MAX);
	buf_put_32(p + BATCH_BASE_SEQUENCE, UINT32_MAX);
	put_crc(p, size);
}

void
batch_set_producer(uint8_t *p, size_t size, int64_t producer_id,
    int16_t producer_epoch, int32_t base_sequence)
{
	buf_put_64(p + BATCH_PRODUCER_ID, (uint64_t)producer_id);
	buf_put_16(p + BATCH_PRODUCER_EPOCH, (uint16_t)producer_epoch);
	buf_put_32(p + BATCH_BASE_SEQUENCE, (uint32_t)base_sequence);
	put_crc(p, size);
}

void
batch_assume(uint8_t *p, size_t size, const struct batch *from, int64_t horizon)
{
	uint16_t keep =
	    BATCH_LOG_APPEND_TIME | BATCH_TRANSACTIONAL | BATCH_CONTROL;
	uint16_t attributes = buf_get_16(p + BATCH_ATTRIBUTES);

	attributes |= from->attributes & keep;
	if (horizon >= 0)
		attributes |= BATCH_DELETE_HORIZON;
	buf_put_16(p + BATCH_ATTRIBUTES, attributes);
	buf_put_32(p + BATCH_LAST_OFFSET_DELTA,
	    (uint32_t)(from->last_offset - from->base_offset));
	if (from->attributes & BATCH_LOG_APPEND_TIME)
		buf_put_64(p + BATCH_MAX_TIMESTAMP,
		    (uint64_t)from->max_timestamp);
	buf_put_64(p + BATCH_PRODUCER_ID, (uint64_t)from->producer_id);
	buf_put_16(p + BATCH_PRODUCER_EPOCH, (uint16_t)from->producer_epoch);
	buf_put_32(p + BATCH_BASE_SEQUENCE, (uint32_t)from->base_sequence);
	put_crc(p, size);
	batch_assign(p, from->base_offset, from->leader_epoch);
}

int64_t
batch_delete_horizon(const struct batch *b)
{
	return b->attributes & BATCH_DELETE_HORIZON ? b->base_timestamp : -1;
}

int
batch_control_type(const uint8_t *p, const struct batch *b,
    enum batch_control *type, int32_t *coordinator_epoch)
{
	const uint8_t *next;
	struct record r;
	uint16_t kind;
	int rc;

	if (batch_codec(b) != CODEC_NONE || b->record_count < 1)
		return STATUS_CORRUPT;
	rc = record_decode(p + BATCH_RECORDS, p + b->size, b->base_timestamp,
	    b->base_offset, &r, &next);
	if (rc != 0)
		return rc;
	if (r.key.len < 4)
		return STATUS_CORRUPT;
	kind = buf_get_16(r.key.data + 2);
	if (kind > BATCH_CONTROL_COMMIT) {
		*type = BATCH_CONTROL_OTHER;
		return 0;
	}
	if (r.value.len < 6)
		return STATUS_CORRUPT;
	*type = (enum batch_control)kind;
	*coordinator_epoch = (int32_t)buf_get_32(r.value.data + 2);
	return 0;
}

/* What batches without any special case have in their header. */
static void
put_header(uint8_t *p, size_t size, uint16_t attributes, int32_t last_delta,
    int64_t base_timestamp, int64_t max_timestamp, int32_t count)
{
	buf_put_64(p + BATCH_BASE_OFFSET, 0);
	buf_put_32(p + BATCH_LENGTH, (uint32_t)(size - BATCH_OVERHEAD));
	buf_put_32(p + BATCH_LEADER_EPOCH, UINT32_MAX);
	p[BATCH_MAGIC] = 2;
	buf_put_16(p + BATCH_ATTRIBUTES, attributes);
	buf_put_32(p + BATCH_LAST_OFFSET_DELTA, (uint32_t)last_delta);
	buf_put_64(p + BATCH_BASE_TIMESTAMP, (uint64_t)base_timestamp);
	buf_put_64(p + BATCH_MAX_TIMESTAMP, (uint64_t)max_timestamp);
	buf_put_64(p + BATCH_PRODUCER_ID, UINT64_MAX);
	buf_put_16(p + BATCH_PRODUCER_EPOCH, UINT16_MAX);
	buf_put_32(p + BATCH_BASE_SEQUENCE, UINT32_MAX);
	buf_put_32(p + BATCH_RECORD_COUNT, (uint32_t)count);
}

void
batch_encode_empty(uint8_t p[BATCH_HEADER_LEN], const struct batch *from)
{
	put_header(p, BATCH_HEADER_LEN, 0, 0, -1, from->max_timestamp, 0);
	batch_assume(p, BATCH_HEADER_LEN, from, -1);
}

void
batch_encode_marker(uint8_t p[BATCH_MARKER_LEN], int64_t producer_id,
    int16_t producer_epoch, enum batch_control type, int32_t coordinator_epoch,
    int64_t timestamp)
{
	uint8_t key[4] = {0}, value[6] = {0};
	struct record r = {.key = {key, sizeof(key)},
	    .value = {value, sizeof(value)}};

	buf_put_16(key + 2, (uint16_t)type);
	buf_put_32(value + 2, (uint32_t)coordinator_epoch);
	put_header(p, BATCH_MARKER_LEN, BATCH_CONTROL | BATCH_TRANSACTIONAL, 0,
	    timestamp, timestamp, 1);
	buf_put_64(p + BATCH_PRODUCER_ID, (uint64_t)producer_id);
	buf_put_16(p + BATCH_PRODUCER_EPOCH, (uint16_t)producer_epoch);
	record_encode(p + BATCH_RECORDS, &r, 0, 0);
	put_crc(p, BATCH_MARKER_LEN);
}

int
batch_records_init(struct batch_records *it, const uint8_t *p,
    const struct batch *b, struct buf *scratch)
{
	const uint8_t *records = p + BATCH_RECORDS;
	size_t len = b->size - BATCH_RECORDS;

	if (batch_codec(b) != CODEC_NONE && len > 0) {
		int rc;

		scratch->len = 0;
		rc = codec_decompress(batch_codec(b), records, len, scratch);
		if (rc != 0)
			return rc;
		records = scratch->data;
		len = scratch->len;
	}
	it->pos = records;
	it->end = len > 0 ? records + len : records;
	it->base_offset = b->base_offset;
	it->base_timestamp = b->base_timestamp;
	it->last_offset = b->last_offset;
	it->append_time = -1;
	if (b->attributes & BATCH_LOG_APPEND_TIME)
		it->append_time = b->max_timestamp;
	it->left = b->record_count;
	it->offset_min = b->base_offset;
	return 0;
}

int
batch_records_next(struct batch_records *it, struct record *out)
{
	int rc;

	if (it->left == 0)
		return it->pos == it->end ? STATUS_END : STATUS_CORRUPT;
	rc = record_decode(it->pos, it->end, it->base_timestamp,
	    it->base_offset, out, &it->pos);
	if (rc != 0)
		return rc;
	if (out->offset < it->offset_min || out->offset > it->last_offset)
		return STATUS_CORRUPT;
	if (it->append_time >= 0)
		out->timestamp = it->append_time;
	it->offset_min = out->offset + 1;
	it->left--;
	return 0;
}

static inline void
note(struct batch_survey *s, const struct record *r)
{
	if (r->timestamp >= 0 && r->timestamp < s->min_ms)
		s->min_ms = r->timestamp;
	if (r->timestamp > s->max_ms)
		s->max_ms = r->timestamp;
	s->has_null_key |= bytes_is_null(r->key);
}

/* As batch_records_next(); false: that has to be asked. */
static inline bool
next_small(struct batch_records *it, struct record *out)
{
	const uint8_t *next;

	if (it->left == 0 ||
	    !record_decode_small(it->pos, it->end, it->base_timestamp,
		it->base_offset, out, &next) ||
	    out->offset < it->offset_min || out->offset > it->last_offset)
		return false;
	if (it->append_time >= 0)
		out->timestamp = it->append_time;
	it->pos = next;
	it->offset_min = out->offset + 1;
	it->left--;
	return true;
}

int
batch_records_survey(struct batch_records *it, struct batch_survey *out)
{
	/* Nobody has their addresses: they are kept in registers. */
	struct batch_survey s = {.min_ms = INT64_MAX, .max_ms = -1};
	struct batch_records walk = *it;
	struct record small, other;
	int rc;

	for (;;) {
		if (next_small(&walk, &small)) {
			note(&s, &small);
			continue;
		}
		*it = walk;
		rc = batch_records_next(it, &other);
		if (rc != 0)
			break;
		walk = *it;
		note(&s, &other);
	}
	*out = s;
	return rc == STATUS_END ? 0 : rc;
}

void
batch_builder_init(struct batch_builder *bb, enum codec codec, int level,
    size_t bytes_max)
{
	*bb = (struct batch_builder){.codec = codec, .level = level};
	buf_init(&bb->raw, bytes_max);
	/* Data that does not compress grows by a little. */
	buf_init(&bb->packed, bytes_max + bytes_max / 8 + 4096);
}

void
batch_builder_release(struct batch_builder *bb)
{
	buf_release(&bb->raw);
	buf_release(&bb->packed);
	bb->count = 0;
}

size_t
batch_builder_size(const struct batch_builder *bb)
{
	return bb->count == 0 ? BATCH_HEADER_LEN : bb->raw.len;
}

bool
batch_builder_fits(const struct batch_builder *bb, const struct record *r,
    size_t limit)
{
	int64_t base = bb->count == 0 ? r->timestamp : bb->base_timestamp;
	int64_t delta;

	if (__builtin_sub_overflow(r->timestamp, base, &delta))
		return false;
	return batch_builder_size(bb) + record_size(r, delta, bb->next_delta) <=
	    limit;
}

int
batch_builder_add(struct batch_builder *bb, const struct record *r)
{
	return batch_builder_add_at(bb, r, bb->count == 0 ? 0 : bb->next_delta);
}

int
batch_builder_add_at(struct batch_builder *bb, const struct record *r,
    int32_t offset_delta)
{
	int64_t base =
	    bb->count == 0 && !bb->has_base ? r->timestamp : bb->base_timestamp;
	int64_t timestamp_delta;
	size_t head = bb->count == 0 ? BATCH_HEADER_LEN : 0;
	size_t size = record_size_max(r);
	uint8_t *at;
	int rc;

	/* The distance of two extreme timestamps does not fit the format. */
	if (__builtin_sub_overflow(r->timestamp, base, &timestamp_delta) ||
	    offset_delta == INT32_MAX)
		return ERANGE;
	assert(bb->count == 0 || offset_delta >= bb->next_delta);
	if (bb->count == 0)
		bb->raw.len = 0;
	/* Room by the bound; by the size itself only near the maximum. */
	if (head + size > bb->raw.max - bb->raw.len)
		size = record_size(r, timestamp_delta, offset_delta);
	rc = buf_reserve(&bb->raw, head + size);
	if (rc != 0)
		return rc;
	bb->raw.len += head;
	at = record_encode(bb->raw.data + bb->raw.len, r, timestamp_delta,
	    offset_delta);
	bb->raw.len = (size_t)(at - bb->raw.data);
	bb->base_timestamp = base;
	if (bb->count == 0 || r->timestamp > bb->max_timestamp)
		bb->max_timestamp = r->timestamp;
	bb->count++;
	bb->next_delta = offset_delta + 1;
	return 0;
}

void
batch_builder_set_base(struct batch_builder *bb, int64_t base_timestamp)
{
	assert(bb->count == 0);
	bb->has_base = true;
	bb->base_timestamp = base_timestamp;
}

int
batch_builder_finish(struct batch_builder *bb, const uint8_t **data,
    size_t *size)
{
	struct buf *b = &bb->raw;
	int rc;

	if (bb->count == 0)
		return STATUS_END;
	if (bb->codec != CODEC_NONE) {
		b = &bb->packed;
		b->len = 0;
		rc = buf_reserve(b, BATCH_HEADER_LEN);
		if (rc != 0)
			return rc;
		b->len = BATCH_HEADER_LEN;
		rc = codec_compress(bb->codec, bb->level,
		    bb->raw.data + BATCH_HEADER_LEN,
		    bb->raw.len - BATCH_HEADER_LEN, b);
		if (rc != 0)
			return rc;
	}
	put_header(b->data, b->len, (uint16_t)bb->codec, bb->next_delta - 1,
	    bb->base_timestamp, bb->max_timestamp, bb->count);
	put_crc(b->data, b->len);
	*data = b->data;
	*size = b->len;
	bb->count = 0;
	bb->next_delta = 0;
	bb->has_base = false;
	return 0;
}
