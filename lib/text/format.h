#ifndef TEXT_FORMAT_H
#define TEXT_FORMAT_H

/*
 * Format strings (-F), kcat's with modifiers:
 *
 *	%v %s	value			%k	key
 *	%V %S	its length, -1 null	%K	its length
 *	%T	timestamp, ms		%d	the same as a date, RFC 3339
 *	%o	offset			%p	partition
 *	%t	topic			%h	headers, name=value,name=value
 *	%%	a percent sign		\n \t \r \0 \\ \xHH
 *
 * Modifiers: %v and %k take {base64}, {hex} (lower case) and {json} (a JSON
 * string); %V and %K take {big8} {big16} {big32} {big64} {little16}
 * {little32} {little64}: that many bits of two's complement.
 *
 * On input a length before its field makes it exactly that many bytes, as %V
 * and %K count them: before the modifier.  -1 is null, for which nothing need
 * stand there.  A field without a length ends at the next literal, which it
 * cannot contain.  Two fields need a literal or a length between them, and a
 * last field a literal behind it or a length.  A number in decimal ends at a
 * literal that does not begin with a digit.  %h %t %p %o cannot be read.
 *
 * Behind a bad record reading goes on where the format's last token, if it is
 * a literal, next occurs and ends; else the rest of the input is bad.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/record.h"

enum format_kind {
	FORMAT_LITERAL,
	FORMAT_VALUE,
	FORMAT_VALUE_LEN,
	FORMAT_KEY,
	FORMAT_KEY_LEN,
	FORMAT_TIMESTAMP,
	FORMAT_DATE,
	FORMAT_OFFSET,
	FORMAT_PARTITION,
	FORMAT_TOPIC,
	FORMAT_HEADERS,
};

enum format_modifier {
	FORMAT_PLAIN,		/* bytes, or a decimal number */
	FORMAT_BASE64,
	FORMAT_HEX,
	FORMAT_JSON,
	FORMAT_BIG8,
	FORMAT_BIG16,
	FORMAT_BIG32,
	FORMAT_BIG64,
	FORMAT_LITTLE16,
	FORMAT_LITTLE32,
	FORMAT_LITTLE64,
};

struct format_token {
	enum format_kind kind;
	enum format_modifier modifier;
	size_t at;		/* literal: place in text */
	size_t len;
	size_t searched;	/* reading: from here, no end of it before */
};

enum { FORMAT_TOKENS_MAX = 128 };

struct format {
	struct format_token tokens[FORMAT_TOKENS_MAX];
	size_t count;
	struct buf text;	/* all literals */
	struct buf scratch;	/* decoded fields of the last record read */
	const char *null_out;	/* printed for null; NULL: nothing */
	const char *null_in;	/* field that is null; NULL: none */
	bool skipping;		/* reading: inside a bad record */
};

void format_init(struct format *f);
void format_release(struct format *f);
/* STATUS_SYNTAX with *why, a constant phrase; STATUS_TOO_BIG. */
int format_compile(struct format *f, const char *s, bool for_input,
    const char **why);

/* Append rec to out. */
int format_write(const struct format *f, const char *topic, int32_t partition,
    const struct record *rec, struct buf *out);
/* The next record of in[0..len); results as form_read() (form.h). */
int format_read(struct format *f, const uint8_t *in, size_t len, bool eof,
    size_t max, struct record *out, bool *has_timestamp, size_t *used,
    const char **why);

#endif
