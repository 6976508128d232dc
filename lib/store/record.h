#ifndef STORE_RECORD_H
#define STORE_RECORD_H

/*
 * A record: the event inside a batch (Kafka protocol guide, "Record").
 *
 *	varint  length of what follows
 *	int8    attributes, 0
 *	varlong timestamp minus the batch's base timestamp
 *	varint  offset minus the batch's base offset
 *	varint  key length, -1 null; key
 *	varint  value length, -1 null; value
 *	varint  number of headers; each: varint length, name; varint length
 *	        (-1 null), value
 *
 * The headers stay in their encoded form from one end to the other: they are
 * copied as they are, and taken apart only by who wants to look at them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct buf;

struct record {
	int64_t offset;
	int64_t timestamp;	/* ms since 1970; -1 none */
	struct bytes key;
	struct bytes value;
	int32_t header_count;
	const uint8_t *headers;	/* encoded, without the count */
	size_t headers_len;
};

/* One header of a record.  Names may repeat; their order is kept. */
struct record_header {
	struct bytes name;	/* never null */
	struct bytes value;
};

/* Walks over a record's headers. */
struct record_headers {
	const uint8_t *pos;
	const uint8_t *end;
	int32_t left;
};

/*
 * Bytes that r takes inside a batch when encoded with these deltas, the
 * leading length included; and a bound on it that costs nothing.
 */
size_t record_size(const struct record *r, int64_t timestamp_delta,
    int32_t offset_delta);
/* Length, attributes, two deltas, two lengths, count. */
enum { RECORD_OVERHEAD_MAX = 41 };
static inline size_t
record_size_max(const struct record *r)
{
	return RECORD_OVERHEAD_MAX + (r->key.len > 0 ? (size_t)r->key.len : 0) +
	    (r->value.len > 0 ? (size_t)r->value.len : 0) + r->headers_len;
}
/* Write r at p, which has record_size() bytes; returns the byte after it. */
uint8_t *record_encode(uint8_t *p, const struct record *r,
    int64_t timestamp_delta, int32_t offset_delta);
/*
 * Read the record at p into *out (key, value and headers point into the
 * bytes; header encodings are checked).  *next is the byte after it.
 * STATUS_CORRUPT if it does not fit [p, end) or does not add up.
 */
int record_decode(const uint8_t *p, const uint8_t *end, int64_t base_timestamp,
    int64_t base_offset, struct record *out, const uint8_t **next);

/* Inline because the record loops live on it; what it is made of: */
enum {
	RECORD_SMALL_BYTES = 3,	/* of a varint that is small */
	RECORD_SMALL_END = 1 << 21,	/* one that is not is read as more */
	RECORD_SMALL_ROOM = 16,	/* for all before the value */
};

/* A varint without its zig-zag undone; RECORD_SMALL_BYTES can be read at p. */
static inline const uint8_t *
record_get_small(const uint8_t *p, uint32_t *out)
{
	uint32_t u = *p++;

	if (u >= 0x80)
		u = (u & 0x7f) | (uint32_t)*p++ << 7;
	if (u >= 0x4000)
		u = (u & 0x3fff) | (uint32_t)*p++ << 14;
	*out = u;
	return p;
}

/* Bytes at *p whose length, as read, is u; false: they are not within end. */
static inline bool
record_take_small(const uint8_t **p, const uint8_t *end, uint32_t u,
    struct bytes *out)
{
	int32_t len = (int32_t)(u >> 1);

	if (u & 1) {
		*out = BYTES_NULL;
		return u == 1;
	}
	if (len > end - *p)
		return false;
	*out = (struct bytes){*p, len};
	*p += len;
	return true;
}

/*
 * What record_decode() does, for a record as nearly all are: with small numbers
 * and without headers.  False: it is not one, or does not add up, and *out and
 * *next are anything.
 */
static inline bool
record_decode_small(const uint8_t *p, const uint8_t *stop,
    int64_t base_timestamp, int64_t base_offset, struct record *out,
    const uint8_t **next)
{
	uint32_t len, timestamp, offset, key, value;
	const uint8_t *end;

	if (stop - p < RECORD_SMALL_ROOM)
		return false;
	p = record_get_small(p, &len);
	if ((len & 1) != 0 || (int32_t)(len >> 1) > stop - p)
		return false;
	end = p + (len >> 1);
	p++; /* attributes */
	p = record_get_small(p, &timestamp);
	p = record_get_small(p, &offset);
	p = record_get_small(p, &key);
	if (!record_take_small(&p, stop - RECORD_SMALL_BYTES, key, &out->key))
		return false;
	p = record_get_small(p, &value);
	if (!record_take_small(&p, end - 1, value, &out->value) ||
	    end - p != 1 || *p != 0 || (offset & 1) != 0 ||
	    (len | timestamp | offset | key | value) >= RECORD_SMALL_END)
		return false;
	out->header_count = 0;
	out->headers = end;
	out->headers_len = 0;
	*next = end;
	return !__builtin_add_overflow(base_timestamp,
		   (int32_t)(timestamp >> 1) ^ -(int32_t)(timestamp & 1),
		   &out->timestamp) &&
	    !__builtin_add_overflow(base_offset, offset >> 1, &out->offset);
}

void record_headers_init(struct record_headers *h, const struct record *r);
/* The next header: 0, or STATUS_END after the last. */
int record_headers_next(struct record_headers *h, struct record_header *out);
/* Append one header in encoded form to b.  Errors as buf_reserve(). */
int record_headers_add(struct buf *b, struct bytes name, struct bytes value);

#endif
