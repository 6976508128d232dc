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

void record_headers_init(struct record_headers *h, const struct record *r);
/* The next header: 0, or STATUS_END after the last. */
int record_headers_next(struct record_headers *h, struct record_header *out);
/* Append one header in encoded form to b.  Errors as buf_reserve(). */
int record_headers_add(struct buf *b, struct bytes name, struct bytes value);

#endif
