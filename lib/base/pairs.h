#ifndef BASE_PAIRS_H
#define BASE_PAIRS_H

/*
 * Java's properties text format (java.util.Properties, "load"): key and value
 * on a line, apart by =, : or blanks; # or ! begins a comment line; a backslash
 * at the end continues a line, and escapes \t \n \r \f \uXXXX or any single
 * character elsewhere.  Bytes above 0x7f are UTF-8 and passed as they are; a \u
 * escape becomes UTF-8.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct pairs {
	const char *start; /* not owned */
	const char *pos;
	const char *end;
	struct buf key;
	struct buf value;
	int line; /* of the pair last given, from 1 */
	int64_t line_pos; /* where it begins, in bytes */
	int next_line;
};

/* Begin reading text[0..len), which stays the caller's. */
void pairs_init(struct pairs *p, const void *text, size_t len);
void pairs_release(struct pairs *p);
/*
 * The next pair, as strings valid until the next call: 0, or STATUS_END after
 * the last.  STATUS_SYNTAX: a NUL byte, a bad \u escape, or half a surrogate
 * pair.  ENOMEM.
 */
int pairs_next(struct pairs *p, const char **key, const char **value);

/* Append "key=value\n" with what escapes it needs.  Errors as buf_reserve(). */
int pairs_add(struct buf *out, const char *key, const char *value);

#endif
