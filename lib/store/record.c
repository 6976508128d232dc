#include "store/record.h"

#include "base/bounds.h"
#include "base/buf.h"
#include "base/status.h"
#include "base/varint.h"

static size_t
bytes_size(struct bytes b)
{
	return varint_len(b.len) + (b.len > 0 ? (size_t)b.len : 0);
}

static uint8_t *
put_bytes(uint8_t *p, struct bytes b)
{
	p = varint_put(p, b.len);
	if (b.len > 0) {
		memcpy(p, b.data, (size_t)b.len);
		p += b.len;
	}
	return p;
}

/* Bytes behind the length field. */
static size_t
body_size(const struct record *r, int64_t timestamp_delta, int32_t offset_delta)
{
	return 1 + varint_len(timestamp_delta) + varint_len(offset_delta) +
	    bytes_size(r->key) + bytes_size(r->value) +
	    varint_len(r->header_count) + r->headers_len;
}

size_t
record_size(const struct record *r, int64_t timestamp_delta,
    int32_t offset_delta)
{
	size_t body = body_size(r, timestamp_delta, offset_delta);

	return varint_len((int64_t)body) + body;
}

uint8_t *
record_encode(uint8_t *p, const struct record *r, int64_t timestamp_delta,
    int32_t offset_delta)
{
	size_t body = body_size(r, timestamp_delta, offset_delta);

	p = varint_put(p, (int64_t)body);
	*p++ = 0; /* attributes */
	p = varint_put(p, timestamp_delta);
	p = varint_put(p, offset_delta);
	p = put_bytes(p, r->key);
	p = put_bytes(p, r->value);
	p = varint_put(p, r->header_count);
	if (r->headers_len > 0)
		memcpy(p, r->headers, r->headers_len);
	return p + r->headers_len;
}

/* Nullable bytes at p into *out; returns the byte after them, or NULL. */
static inline const uint8_t *
get_bytes(const uint8_t *p, const uint8_t *end, struct bytes *out)
{
	int32_t len;

	p = varint_get_32(p, end, &len);
	if (p == NULL || len < -1 || len > end - p)
		return NULL;
	out->data = len < 0 ? NULL : p;
	out->len = len;
	return len < 0 ? p : p + len;
}

/* Check the encoding of count headers that must end exactly at end. */
static int
check_headers(const uint8_t *p, const uint8_t *end, int32_t count)
{
	struct record_headers it = {p, end, count};
	struct record_header h;
	int rc;

	while ((rc = record_headers_next(&it, &h)) == 0)
		continue;
	if (rc != STATUS_END || it.pos != end)
		return STATUS_CORRUPT;
	return 0;
}

int
record_decode(const uint8_t *p, const uint8_t *end, int64_t base_timestamp,
    int64_t base_offset, struct record *out, const uint8_t **next)
{
	int32_t len, offset_delta;
	int64_t timestamp_delta;

	if (record_decode_small(p, end, base_timestamp, base_offset, out, next))
		return 0;
	p = varint_get_32(p, end, &len);
	if (p == NULL || len < 1 || len > end - p)
		return STATUS_CORRUPT;
	end = p + len;
	p++; /* attributes: none is defined */
	p = varint_get(p, end, &timestamp_delta);
	if (p == NULL)
		return STATUS_CORRUPT;
	p = varint_get_32(p, end, &offset_delta);
	if (p == NULL || offset_delta < 0)
		return STATUS_CORRUPT;
	p = get_bytes(p, end, &out->key);
	if (p == NULL)
		return STATUS_CORRUPT;
	p = get_bytes(p, end, &out->value);
	if (p == NULL)
		return STATUS_CORRUPT;
	p = varint_get_32(p, end, &out->header_count);
	if (p == NULL || out->header_count < 0 ||
	    out->header_count > RECORD_HEADERS_MAX)
		return STATUS_CORRUPT;
	out->headers = p;
	out->headers_len = (size_t)(end - p);
	if (p != end || out->header_count != 0)
		if (check_headers(p, end, out->header_count) != 0)
			return STATUS_CORRUPT;
	if (__builtin_add_overflow(base_timestamp, timestamp_delta,
		&out->timestamp))
		return STATUS_CORRUPT;
	if (__builtin_add_overflow(base_offset, offset_delta, &out->offset))
		return STATUS_CORRUPT;
	*next = end;
	return 0;
}

void
record_headers_init(struct record_headers *h, const struct record *r)
{
	h->pos = r->headers;
	h->end = r->headers_len == 0 ? h->pos : h->pos + r->headers_len;
	h->left = r->header_count;
}

int
record_headers_next(struct record_headers *h, struct record_header *out)
{
	const uint8_t *p = h->pos;

	if (h->left == 0)
		return STATUS_END;
	p = get_bytes(p, h->end, &out->name);
	if (p == NULL || bytes_is_null(out->name))
		return STATUS_CORRUPT;
	p = get_bytes(p, h->end, &out->value);
	if (p == NULL)
		return STATUS_CORRUPT;
	h->pos = p;
	h->left--;
	return 0;
}

int
record_headers_add(struct buf *b, struct bytes name, struct bytes value)
{
	size_t len = bytes_size(name) + bytes_size(value);
	int rc = buf_reserve(b, len);

	if (rc != 0)
		return rc;
	put_bytes(put_bytes(b->data + b->len, name), value);
	b->len += len;
	return 0;
}
