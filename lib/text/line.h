#ifndef TEXT_LINE_H
#define TEXT_LINE_H

/*
 * Delimited records: VALUE DELIMITER, or KEY SEPARATOR VALUE DELIMITER.
 *
 * Reading splits at the first separator; a record without it is bad.  The end
 * of the input ends a record, too.  Null is printed as nothing, or as a string
 * chosen for it; the same string on input (whole field) is null.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/record.h"

enum { LINE_MARK_MAX = 64 };	/* bytes of a delimiter or separator */

struct line {
	uint8_t delimiter[LINE_MARK_MAX];
	size_t delimiter_len;	/* > 0 */
	uint8_t separator[LINE_MARK_MAX];
	size_t separator_len;	/* 0: no key */
	const char *null_in;	/* field that is null on input; NULL: none */
	const char *null_out;	/* printed for null; NULL: nothing */
	bool is_delete;		/* input: each record is a key to delete */

	/* Reading: how far an unfinished record has been searched. */
	size_t searched;
	bool skipping;		/* inside a record that was too big */
};

/* *why of a record that is longer than it may be: this very pointer. */
extern const char line_over_limit[];

/* Ended by \n, no key, null is nothing. */
void line_init(struct line *l);
/* From the option's argument, with escapes; STATUS_SYNTAX, STATUS_TOO_BIG. */
int line_set_delimiter(struct line *l, const char *arg);
int line_set_separator(struct line *l, const char *arg);

/*
 * The next record of in[0..len): key and value point into it.  Results as
 * form_read() (form.h).  max: bytes of one record.
 */
int line_read(struct line *l, const uint8_t *in, size_t len, bool eof,
    size_t max, struct record *out, size_t *used, const char **why);

/* Append the record's text to out. */
int line_write(const struct line *l, const struct record *rec, struct buf *out);

#endif
