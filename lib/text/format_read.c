/* Records read as a format says. */

#include <string.h>

#include "base/base64.h"
#include "base/bounds.h"
#include "base/parse.h"
#include "base/status.h"
#include "text/format_impl.h"
#include "text/json.h"
#include "text/line.h"

/* Bytes of text that a number and a date may have. */
enum {
	NUMBER_TEXT_MAX = 20,
	DATE_TEXT_MAX = 64,
};

/* A field as read: in the input, or in f->scratch, whose memory may move. */
struct slot {
	struct bytes bytes;
	size_t at; /* in_scratch: its place */
	bool in_scratch;
};

/* A field and what is known of it before. */
struct part {
	struct slot slot;
	bool has_len;
	int64_t len;
};

/* One record being taken apart. */
struct parse {
	const uint8_t *pos; /* after an error: where to go on */
	const uint8_t *end;
	size_t max;
	struct part value;
	struct part key;
	const char *why;
};

static int
refuse(struct parse *p, int rc, const char *why)
{
	p->why = why;
	return rc;
}

/*
 * Bytes up to the literal behind token i, which stays.  STATUS_TOO_BIG: there
 * are more than max.  That is so however much of the input is there.
 *
 * A record that is not finished is read from its beginning again; what was
 * searched for the literal is not searched twice.
 */
static int
until_literal(struct format *f, size_t i, struct parse *p, size_t max,
    const uint8_t **data, size_t *len)
{
	const struct format_token *next = &f->tokens[i + 1];
	size_t left = (size_t)(p->end - p->pos);
	size_t reach = max + next->len, part = left < reach ? left : reach;
	size_t *from = &f->tokens[i].searched;
	const uint8_t *at;

	if (*from > part)
		*from = 0;
	at = memmem(p->pos + *from, part - *from, f->text.data + next->at,
	    next->len);
	if (at == NULL) {
		*from = part < next->len ? 0 : part - next->len + 1;
		return left < reach ? STATUS_SHORT : STATUS_TOO_BIG;
	}
	*from = (size_t)(at - p->pos);
	*data = p->pos;
	*len = (size_t)(at - p->pos);
	p->pos = at;
	return 0;
}

static int
read_binary_length(enum format_modifier m, struct parse *p, int64_t *out)
{
	size_t n = format_binary_len(m);
	uint64_t v = 0;

	if ((size_t)(p->end - p->pos) < n)
		return STATUS_SHORT;
	for (size_t i = 0; i < n; i++) {
		size_t at = m >= FORMAT_LITTLE16 ? n - 1 - i : i;

		v = v << 8 | p->pos[at];
	}
	/* The sign reaches from the top bit of n bytes to that of 8. */
	if (n < 8 && (v >> (n * 8 - 1)) != 0)
		v |= ~UINT64_C(0) << n * 8;
	*out = (int64_t)v;
	p->pos += n;
	return 0;
}

static int
read_number(struct format *f, size_t i, struct parse *p, int64_t *out)
{
	char text[NUMBER_TEXT_MAX + 1];
	const uint8_t *data;
	size_t len;
	int rc = until_literal(f, i, p, NUMBER_TEXT_MAX, &data, &len);

	if (rc == STATUS_SHORT)
		return rc;
	if (rc == 0) {
		memcpy(text, data, len);
		text[len] = '\0';
		rc = parse_int(text, INT64_MIN, INT64_MAX, out);
	}
	return rc == 0 ? 0 : refuse(p, STATUS_SYNTAX, "not a number");
}

static int
read_length(struct format *f, size_t i, struct parse *p, struct part *out)
{
	enum format_modifier m = f->tokens[i].modifier;
	int rc = format_binary_len(m) > 0 ? read_binary_length(m, p, &out->len)
					  : read_number(f, i, p, &out->len);

	out->has_len = true;
	if (rc == 0 && out->len < -1)
		return refuse(p, STATUS_SYNTAX, "a negative length");
	if (rc == 0 && out->len > (int64_t)p->max)
		return refuse(p, STATUS_TOO_BIG, line_over_limit);
	return rc;
}

static int
hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int
read_hex(const uint8_t *data, size_t len, struct buf *out)
{
	int rc = len % 2 != 0 ? STATUS_SYNTAX : buf_reserve(out, len / 2);

	for (size_t i = 0; rc == 0 && i < len; i += 2) {
		int high = hex_digit(data[i]), low = hex_digit(data[i + 1]);

		if (high < 0 || low < 0)
			return STATUS_SYNTAX;
		out->data[out->len++] = (uint8_t)(high << 4 | low);
	}
	return rc;
}

static bool
is_null_text(const struct format *f, const uint8_t *data, size_t len)
{
	return f->null_in != NULL && strlen(f->null_in) == len &&
	    (len == 0 || memcmp(f->null_in, data, len) == 0);
}

/* A JSON string; null is null. */
static int
decode_json(struct format *f, const uint8_t *data, size_t len, struct slot *out)
{
	struct json_value v;
	int rc = json_check(data, len, &v, NULL);

	if (rc == 0 && v.type == JSON_NULL) {
		*out = (struct slot){.bytes = BYTES_NULL};
		return 0;
	}
	if (rc != 0 || v.type != JSON_STRING)
		return STATUS_SYNTAX;
	return json_unescape(&v, &f->scratch);
}

/* The bytes that the text of a field stands for. */
static int
decode(struct format *f, enum format_modifier m, const uint8_t *data,
    size_t len, struct slot *out, struct parse *p)
{
	const char *why = NULL;
	int rc = 0;

	*out = (struct slot){.bytes = {data, (int32_t)len}};
	if (is_null_text(f, data, len))
		*out = (struct slot){.bytes = BYTES_NULL};
	if (bytes_is_null(out->bytes) || m == FORMAT_PLAIN)
		return 0;
	*out = (struct slot){.at = f->scratch.len, .in_scratch = true};
	if (m == FORMAT_BASE64) {
		rc = base64_decode(data, len, &f->scratch);
		why = "not base64";
	} else if (m == FORMAT_HEX) {
		rc = read_hex(data, len, &f->scratch);
		why = "not hexadecimal";
	} else {
		rc = decode_json(f, data, len, out);
		why = "not a JSON string";
	}
	if (out->in_scratch)
		out->bytes.len = (int32_t)(f->scratch.len - out->at);
	return rc == STATUS_SYNTAX ? refuse(p, rc, why) : rc;
}

/*
 * Length -1: null, for which nothing need stand there, but what is printed for
 * it may.
 */
static int
read_null(const struct format *f, enum format_modifier m, struct parse *p,
    struct slot *out)
{
	const char *text = m == FORMAT_JSON ? "null" : f->null_in;
	size_t len = text == NULL ? 0 : strlen(text);
	size_t left = (size_t)(p->end - p->pos);

	*out = (struct slot){.bytes = BYTES_NULL};
	if (memcmp(p->pos, text == NULL ? "" : text, left < len ? left : len) !=
	    0)
		return 0;
	if (left < len)
		return STATUS_SHORT;
	p->pos += len;
	return 0;
}

/* Bytes of text of the JSON string at p->pos, of want bytes without escapes. */
static int
json_text_len(struct parse *p, size_t want, size_t *len)
{
	size_t left = (size_t)(p->end - p->pos), longest = want * 6 + 2;
	struct json_cursor c = {p->pos, p->end, NULL};
	struct json_value v;
	int rc;

	if (left == 0)
		return STATUS_SHORT;
	/* Look no further, lest it matters how much of the input is there. */
	if (left > longest)
		c.end = p->pos + longest;
	rc = *p->pos == '"' ? json_next(&c, &v) : STATUS_SYNTAX;
	if (rc == 0) {
		*len = v.len;
		return 0;
	}
	/* It may have been cut, in a pair of escapes at the latest. */
	if (*p->pos == '"' && left < longest && c.end - c.pos < 12)
		return STATUS_SHORT;
	return refuse(p, STATUS_SYNTAX, "not a JSON string");
}

/* A field whose length came before it. */
static int
read_sized(struct format *f, enum format_modifier m, struct parse *p,
    struct part *part)
{
	size_t want = (size_t)part->len, len = want;
	const uint8_t *data = p->pos;
	int rc = 0;

	if (part->len < 0)
		return read_null(f, m, p, &part->slot);
	if (m == FORMAT_HEX)
		len = want * 2;
	if (m == FORMAT_BASE64)
		len = (want + 2) / 3 * 4;
	if (m == FORMAT_JSON)
		rc = json_text_len(p, want, &len);
	if (rc != 0)
		return rc;
	if ((size_t)(p->end - p->pos) < len)
		return STATUS_SHORT;
	p->pos += len;
	rc = decode(f, m, data, len, &part->slot, p);
	if (rc == 0 && !bytes_is_null(part->slot.bytes) &&
	    (size_t)part->slot.bytes.len != want)
		rc = refuse(p, STATUS_SYNTAX, "not as long as it says");
	return rc;
}

static int
read_field(struct format *f, size_t i, struct parse *p, struct part *part)
{
	/* Bytes of text for one byte of the field, and quotes, at most. */
	static const size_t grows[] = {[FORMAT_PLAIN] = 1,
	    [FORMAT_BASE64] = 2,
	    [FORMAT_HEX] = 2,
	    [FORMAT_JSON] = 6};
	enum format_modifier m = f->tokens[i].modifier;
	const uint8_t *data;
	size_t len;
	int rc;

	if (part->has_len)
		return read_sized(f, m, p, part);
	rc = until_literal(f, i, p, grows[m] * p->max + 4, &data, &len);
	if (rc == STATUS_TOO_BIG)
		return refuse(p, rc, line_over_limit);
	return rc != 0 ? rc : decode(f, m, data, len, &part->slot, p);
}

static int
read_date(struct format *f, size_t i, struct parse *p, int64_t *out)
{
	const uint8_t *data;
	size_t len;
	int rc = until_literal(f, i, p, DATE_TEXT_MAX, &data, &len);

	if (rc == STATUS_SHORT)
		return rc;
	if (rc == 0)
		rc = parse_rfc3339((const char *)data, len, out);
	return rc == 0 ? 0 : refuse(p, STATUS_SYNTAX, "not a date");
}

static int
read_literal(const struct format *f, const struct format_token *t,
    struct parse *p)
{
	size_t left = (size_t)(p->end - p->pos);
	size_t len = left < t->len ? left : t->len;

	if (memcmp(p->pos, f->text.data + t->at, len) != 0)
		return refuse(p, STATUS_SYNTAX, "does not follow the format");
	if (left < t->len)
		return STATUS_SHORT;
	p->pos += t->len;
	return 0;
}

static int
read_token(struct format *f, size_t i, struct parse *p, struct record *out,
    bool *has_timestamp)
{
	const struct format_token *t = &f->tokens[i];

	switch (t->kind) {
	case FORMAT_LITERAL:
		return read_literal(f, t, p);
	case FORMAT_VALUE_LEN:
		return read_length(f, i, p, &p->value);
	case FORMAT_KEY_LEN:
		return read_length(f, i, p, &p->key);
	case FORMAT_VALUE:
		return read_field(f, i, p, &p->value);
	case FORMAT_KEY:
		return read_field(f, i, p, &p->key);
	case FORMAT_TIMESTAMP:
		*has_timestamp = true;
		return read_number(f, i, p, &out->timestamp);
	case FORMAT_DATE:
		*has_timestamp = true;
		return read_date(f, i, p, &out->timestamp);
	default:
		return STATUS_SYNTAX;
	}
}

/*
 * Behind a bad record: to the end of the next last literal, or of the input.
 * 0, or as form_read().
 */
static int
skip(struct format *f, const uint8_t *in, size_t len, bool eof, size_t *used)
{
	const struct format_token *last = &f->tokens[f->count - 1];
	const uint8_t *at = NULL;
	size_t tail = 0;

	if (last->kind == FORMAT_LITERAL) {
		if (len > 0)
			at =
			    memmem(in, len, f->text.data + last->at, last->len);
		tail = last->len - 1 < len ? last->len - 1 : len;
	}
	if (at == NULL && !eof) {
		*used = len - tail;
		return STATUS_SHORT;
	}
	f->skipping = false;
	*used = at == NULL ? len : (size_t)(at - in) + last->len;
	return 0;
}

static struct bytes
settle(const struct format *f, const struct slot *s)
{
	struct bytes b = s->bytes;

	if (s->in_scratch)
		b.data =
		    b.len > 0 ? f->scratch.data + s->at : (const uint8_t *)"";
	return b;
}

/* All tokens of one record; STATUS_SHORT if it ends before. */
static int
read_record(struct format *f, struct parse *p, struct record *out,
    bool *has_timestamp)
{
	int rc = 0;

	*has_timestamp = false;
	*out = (struct record){.timestamp = -1};
	f->scratch.len = 0;
	for (size_t i = 0; rc == 0 && i < f->count; i++)
		rc = read_token(f, i, p, out, has_timestamp);
	out->key = settle(f, &p->key.slot);
	out->value = settle(f, &p->value.slot);
	return rc;
}

int
format_read(struct format *f, const uint8_t *in, size_t len, bool eof,
    size_t max, struct record *out, bool *has_timestamp, size_t *used,
    const char **why)
{
	struct parse p = {.max = max,
	    .value.slot.bytes = BYTES_NULL,
	    .key.slot.bytes = BYTES_NULL};
	int rc;

	*used = 0;
	if (f->skipping) {
		rc = skip(f, in, len, eof, used);
		if (rc != 0)
			return rc;
	}
	if (*used == len)
		return eof ? STATUS_END : STATUS_SHORT;
	p.pos = in + *used;
	p.end = in + len;
	rc = read_record(f, &p, out, has_timestamp);
	if (rc == STATUS_SHORT && !eof)
		return rc;
	for (size_t i = 0; i < f->count; i++)
		f->tokens[i].searched = 0;
	if (rc == STATUS_SHORT)
		rc =
		    refuse(&p, STATUS_SYNTAX, "ends in the middle of a record");
	if (rc == STATUS_SYNTAX || rc == STATUS_TOO_BIG) {
		f->skipping = true;
		*why = p.why != NULL ? p.why : line_over_limit;
	}
	*used = (size_t)(p.pos - in);
	return rc;
}
