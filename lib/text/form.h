#ifndef TEXT_FORM_H
#define TEXT_FORM_H

/*
 * The form in which records are text: one of lines, NDJSON envelopes, or a
 * format string, the same for reading and for writing (logkit-spec(7)).  The
 * programs deal with this interface alone; the work is in line.h, envelope.h
 * and format.h.
 *
 * Set up: form_init(), then set the fields.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/record.h"
#include "text/envelope.h"
#include "text/format.h"
#include "text/line.h"

enum form_kind {
	FORM_LINE,
	FORM_ENVELOPE,		/* -J */
	FORM_FORMAT,		/* -F */
};

struct form {
	enum form_kind kind;
	struct line line;	/* delimiter, key separator, null handling */
	enum envelope_value value_mode;	/* --value */
	struct format format;	/* -F, compiled by format_compile() */
	size_t record_max;	/* longest record read, in bytes of input */
	struct envelope_reader envelope;	/* scratch for reading */
	int64_t blank_lines;	/* passed over by the last form_read() */
};

/* Lines ended by \n, no key, nulls printed as nothing. */
void form_init(struct form *f);
void form_release(struct form *f);

/* A record as it was read. */
struct form_record {
	struct record rec;	/* timestamp: -1 if the input has none */
	int32_t partition;	/* -1 if the input has none */
	bool has_timestamp;
};

/*
 * Read the next record from in[0..len).
 *
 * 0: *out is filled (pointing into in, or into f's scratch until the next
 * call) and *used bytes are done with.
 * STATUS_SHORT: it needs more input (not at eof); *used bytes are done with.
 * STATUS_END: at eof and nothing is left.
 * STATUS_SYNTAX, STATUS_TOO_BIG: a bad record; *why is a constant phrase, and
 * *used bytes lead to the next one.
 * ENOMEM.
 */
int form_read(struct form *f, const uint8_t *in, size_t len, bool eof,
    struct form_record *out, size_t *used, const char **why);

/* Append rec as text to out.  Errors as buf_reserve(). */
int form_write(const struct form *f, const char *topic, int32_t partition,
    const struct record *rec, struct buf *out);

#endif
