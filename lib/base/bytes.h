#ifndef BASE_BYTES_H
#define BASE_BYTES_H

/*
 * Bytes that may be null: keys, values, header values.  Null and empty are
 * different things everywhere in a log.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct bytes {
	const uint8_t *data;	/* not owned */
	int32_t len;		/* -1 is null */
};

#define BYTES_NULL ((struct bytes){NULL, -1})

static inline bool
bytes_is_null(struct bytes b)
{
	return b.len < 0;
}

static inline bool
bytes_equal(struct bytes a, struct bytes b)
{
	return a.len == b.len &&
	    (a.len <= 0 || memcmp(a.data, b.data, (size_t)a.len) == 0);
}

/* The bytes of a string, without its NUL; NULL is null. */
static inline struct bytes
bytes_of(const char *s)
{
	if (s == NULL)
		return BYTES_NULL;
	return (struct bytes){(const uint8_t *)s, (int32_t)strlen(s)};
}

#endif
