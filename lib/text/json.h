#ifndef TEXT_JSON_H
#define TEXT_JSON_H

/*
 * A strict JSON scanner (RFC 8259): it checks, slices and unescapes, and
 * builds no tree.
 *
 * Stricter than the grammar where the RFC leaves room: text is valid UTF-8
 * without byte order mark, a \u escape of a surrogate must be half of a pair,
 * nesting ends at JSON_DEPTH_MAX, counted from the value that a call reads.
 * Numbers stay text, of any size; names may be given twice.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum json_type {
	JSON_NULL,
	JSON_BOOL,
	JSON_NUMBER,
	JSON_STRING,
	JSON_ARRAY,
	JSON_OBJECT,
};

/* A checked value: a slice of the text, quotes and brackets included. */
struct json_value {
	enum json_type type;
	const uint8_t *text;	/* not owned */
	size_t len;
	bool has_escape;	/* strings: a backslash occurs */
};

/* Where a walk stands; after a failure: at what is wrong. */
struct json_cursor {
	const uint8_t *pos;
	const uint8_t *end;
	const char *why;	/* why the last call failed; a constant */
};

/*
 * Read and check one value, blanks before it skipped.
 * STATUS_SYNTAX: not JSON (why, pos); STATUS_TOO_BIG: nested too deeply.
 */
int json_next(struct json_cursor *c, struct json_value *out);
/* Only blanks are left? */
bool json_at_end(struct json_cursor *c);
/* Is all of text one value?  *why (or NULL) is set if it is not. */
int json_check(const uint8_t *text, size_t len, struct json_value *out,
    const char **why);

/*
 * Walking over the members of an object, or the elements of an array:
 * json_enter() once, then json_member() or json_element() until STATUS_END.
 * They work on text not checked before, too.
 */
int json_enter(struct json_cursor *c, uint8_t bracket);
int json_member(struct json_cursor *c, bool *first, struct json_value *name,
    struct json_value *value);
int json_element(struct json_cursor *c, bool *first, struct json_value *value);

/* The characters of a string value, appended to out. */
int json_unescape(const struct json_value *v, struct buf *out);
/* Is a string value (a member's name) this one? */
bool json_is(const struct json_value *v, const char *s);

/*
 * The member that a path like .user.id leads to, in an object.  A part may be
 * quoted: ."a.b".  STATUS_END: no such member.  STATUS_SYNTAX: not JSON, or
 * not a path.  Of a name given twice the last counts.  *why is set only if
 * text is not JSON.
 */
int json_find(const uint8_t *text, size_t len, const char *path,
    struct json_value *out, const char **why);
/* Is it a path?  STATUS_SYNTAX if not. */
int json_check_path(const char *path);

/* Is it valid UTF-8 (RFC 3629)? */
bool json_is_utf8(const uint8_t *data, size_t len);
/*
 * Append data, valid UTF-8, as a string with quotes: \" \\ \b \f \n \r \t,
 * other bytes below 0x20 as \u00xx, everything else as it is.
 */
int json_write_string(struct buf *out, const uint8_t *data, size_t len);

#endif
