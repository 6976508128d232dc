#ifndef BASE_BUF_H
#define BASE_BUF_H

/*
 * Bounded bytes, big-endian.
 *
 * struct buf grows up to a maximum given at init; a put that would pass it,
 * or that finds no memory, fails and leaves the contents as they were.
 *
 * buf_get_N and buf_put_N below work on plain pointers, for layouts with fixed
 * positions whose size has been checked as a whole.
 */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
	uint8_t *data;		/* owned; NULL while nothing was put */
	size_t len;		/* bytes in use */
	size_t cap;		/* bytes allocated */
	size_t max;		/* never more than this */
};

/* An empty buffer that may grow to max bytes.  Allocates nothing. */
void buf_init(struct buf *b, size_t max);
/* Free the contents; b is as after buf_init(). */
void buf_release(struct buf *b);
/*
 * Make room for len more bytes.
 * ENOMEM, or STATUS_TOO_BIG if that would pass the maximum.
 */
int buf_reserve(struct buf *b, size_t len);
/* Append bytes.  Errors as buf_reserve(). */
int buf_add(struct buf *b, const void *data, size_t len);
int buf_add_str(struct buf *b, const char *s);
int buf_add_8(struct buf *b, uint8_t v);
int buf_add_16(struct buf *b, uint16_t v);
int buf_add_32(struct buf *b, uint32_t v);
int buf_add_64(struct buf *b, uint64_t v);
/* printf to the end.  EINVAL if the format fails. */
int buf_addf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static inline uint16_t
buf_get_16(const uint8_t *p)
{
	return (uint16_t)((p[0] << 8) | p[1]);
}

static inline uint32_t
buf_get_32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return __builtin_bswap32(v);
}

static inline uint64_t
buf_get_64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return __builtin_bswap64(v);
}

static inline void
buf_put_16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void
buf_put_32(uint8_t *p, uint32_t v)
{
	v = __builtin_bswap32(v);
	memcpy(p, &v, 4);
}

static inline void
buf_put_64(uint8_t *p, uint64_t v)
{
	v = __builtin_bswap64(v);
	memcpy(p, &v, 8);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
    "the get and put functions swap bytes");

#endif
