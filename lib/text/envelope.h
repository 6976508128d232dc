#ifndef TEXT_ENVELOPE_H
#define TEXT_ENVELOPE_H

/*
 * The NDJSON envelope: a record as one line of JSON that carries everything
 * (logkit-spec(7)).  Fields in this order, no blanks:
 *
 *	{"topic":"orders","partition":0,"offset":8,
 *	 "timestamp":1795414032471,"key":"K","value":...,
 *	 "headers":[{"key":"h","value":"v"}]}
 *
 * Key, value and header values are strings or null; bytes that are not UTF-8
 * stand in a field NAME_base64 instead.  A value that is itself a JSON object
 * or array is embedded as it stands.  No headers, no field.
 *
 * Reading accepts the envelopes of other tools as well: value may be called
 * payload, timestamp ts; names may be capitalised; headers may be a flat list
 * of names and values, or an object.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/record.h"

/* How a value is written (--value). */
enum envelope_value {
	ENVELOPE_VALUE_AUTO,	/* embedded, string or base64, as it is */
	ENVELOPE_VALUE_STRING,	/* never embedded */
	ENVELOPE_VALUE_JSON,	/* always embedded: else an error */
	ENVELOPE_VALUE_BASE64,	/* always base64 */
	ENVELOPE_VALUE_NONE,	/* left out: metadata only */
};

/* auto, string, json, base64, none; else STATUS_SYNTAX. */
int envelope_parse_value(const char *s, enum envelope_value *out);

/*
 * Append the envelope of rec and a newline.  STATUS_SYNTAX:
 * ENVELOPE_VALUE_JSON and the value cannot be embedded (nothing is added).
 * Errors as buf_reserve().
 */
int envelope_write(struct buf *out, enum envelope_value mode, const char *topic,
    int32_t partition, const struct record *rec);

/* Scratch for reading; one per thread. */
struct envelope_reader {
	struct buf text;	/* unescaped key, value, names */
	struct buf headers;	/* encoded headers */
	struct buf name;	/* unescaped name of a field, or base64 */
	bool no_partition;	/* whatever the partition says: none */
};

void envelope_reader_init(struct envelope_reader *r);
void envelope_reader_release(struct envelope_reader *r);

struct envelope_record {
	struct record rec;	/* points into the line or the reader */
	bool has_timestamp;
	int32_t partition;	/* -1 none */
};

/*
 * Read one line, with or without its newline.  STATUS_SYNTAX or
 * STATUS_TOO_BIG (nesting, headers, size) with *why, a constant phrase; ENOMEM.
 */
int envelope_read(struct envelope_reader *r, const uint8_t *line, size_t len,
    struct envelope_record *out, const char **why);

#endif
