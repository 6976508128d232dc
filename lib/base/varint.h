#ifndef BASE_VARINT_H
#define BASE_VARINT_H

/*
 * Variable-length integers of the record format: zig-zag, then 7 bits per
 * byte, least significant group first (Kafka protocol guide, "VARINT" and
 * "VARLONG"; the encoding is that of Protocol Buffers).
 *
 * Inline because the record loops live on them.
 */

#include <stddef.h>
#include <stdint.h>

enum {
	VARINT_LEN_MAX = 10	/* bytes of the longest 64-bit value */
};

/* Bytes that v takes. */
static inline size_t
varint_len(int64_t v)
{
	uint64_t u = ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);

	/* Nearly all are this small. */
	if (u < 0x80)
		return 1;
	if (u < 0x4000)
		return 2;
	return (64 - (size_t)__builtin_clzll(u) + 6) / 7;
}

/* Write v at p, which has room; returns the byte after it. */
static inline uint8_t *
varint_put(uint8_t *p, int64_t v)
{
	uint64_t u = ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);

	while (u >= 0x80) {
		*p++ = (uint8_t)(u | 0x80);
		u >>= 7;
	}
	*p++ = (uint8_t)u;
	return p;
}

/*
 * Read a value of up to 64 bits from [p, end) into *out.
 * Returns the byte after it, or NULL if it is cut short or too long.
 */
static inline const uint8_t *
varint_get(const uint8_t *p, const uint8_t *end, int64_t *out)
{
	uint64_t u = 0;

	for (unsigned shift = 0; p < end && shift < 64; shift += 7) {
		uint64_t b = *p++;

		if (shift == 63 && b > 1)
			return NULL;
		u |= (b & 0x7f) << shift;
		if (b < 0x80) {
			*out = (int64_t)(u >> 1) ^ -(int64_t)(u & 1);
			return p;
		}
	}
	return NULL;
}

/* The same for a value that must fit 32 bits. */
static inline const uint8_t *
varint_get_32(const uint8_t *p, const uint8_t *end, int32_t *out)
{
	int64_t v;

	/* Nearly all are this small. */
	if (p < end && *p < 0x80) {
		*out = (int32_t)(*p >> 1) ^ -(int32_t)(*p & 1);
		return p + 1;
	}
	if (end - p > 1 && p[1] < 0x80) {
		uint32_t u = (*p & 0x7fU) | (uint32_t)p[1] << 7;

		*out = (int32_t)(u >> 1) ^ -(int32_t)(u & 1);
		return p + 2;
	}
	p = varint_get(p, end, &v);
	if (p == NULL || v < INT32_MIN || v > INT32_MAX)
		return NULL;
	*out = (int32_t)v;
	return p;
}

#endif
