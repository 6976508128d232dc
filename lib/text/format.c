#include "text/format.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/base64.h"
#include "base/bounds.h"
#include "base/parse.h"
#include "base/status.h"
#include "text/json.h"
#include "text/line.h"

enum { FORMAT_TEXT_MAX = 4096 };

void
format_init(struct format *f)
{
	memset(f, 0, sizeof(*f));
	buf_init(&f->text, FORMAT_TEXT_MAX);
	buf_init(&f->scratch, RECORDS_BYTES_MAX);
}

void
format_release(struct format *f)
{
	buf_release(&f->text);
	buf_release(&f->scratch);
	f->count = 0;
}

/* --- compiling --- */

static int
add_token(struct format *f, enum format_kind kind)
{
	if (f->count == FORMAT_TOKENS_MAX)
		return STATUS_TOO_BIG;
	f->tokens[f->count++] = (struct format_token){.kind = kind};
	return 0;
}

/* Literal text: lengthen the last token if it is literal, too. */
static int
add_literal(struct format *f, const char *s)
{
	size_t at = f->text.len;
	int rc = parse_escapes(s, &f->text);

	if (rc != 0)
		return rc;
	if (f->count == 0 || f->tokens[f->count - 1].kind != FORMAT_LITERAL) {
		rc = add_token(f, FORMAT_LITERAL);
		if (rc != 0)
			return rc;
		f->tokens[f->count - 1].at = at;
	}
	f->tokens[f->count - 1].len += f->text.len - at;
	return 0;
}

static const struct {
	char letter;
	enum format_kind kind;
} letters[] = {
    {'v', FORMAT_VALUE},
    {'s', FORMAT_VALUE},
    {'V', FORMAT_VALUE_LEN},
    {'S', FORMAT_VALUE_LEN},
    {'k', FORMAT_KEY},
    {'K', FORMAT_KEY_LEN},
    {'T', FORMAT_TIMESTAMP},
    {'d', FORMAT_DATE},
    {'o', FORMAT_OFFSET},
    {'p', FORMAT_PARTITION},
    {'t', FORMAT_TOPIC},
    {'h', FORMAT_HEADERS},
};

static bool
is_field(enum format_kind kind)
{
	return kind == FORMAT_VALUE || kind == FORMAT_KEY;
}

static bool
is_length(enum format_kind kind)
{
	return kind == FORMAT_VALUE_LEN || kind == FORMAT_KEY_LEN;
}

/* The {modifier} at s, if there is one; *used its length. */
static int
modifier(const char *s, enum format_kind kind, enum format_modifier *out,
    size_t *used)
{
	static const char *const names[] = {"", "{base64}", "{hex}", "{json}",
	    "{big8}", "{big16}", "{big32}", "{big64}", "{little16}",
	    "{little32}", "{little64}"};

	*out = FORMAT_PLAIN;
	*used = 0;
	if (*s != '{')
		return 0;
	for (size_t i = 1; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strncmp(s, names[i], strlen(names[i])) != 0)
			continue;
		if (i <= FORMAT_JSON ? !is_field(kind) : !is_length(kind))
			return STATUS_SYNTAX;
		*out = (enum format_modifier)i;
		*used = strlen(names[i]);
		return 0;
	}
	/* Behind a field that takes none a brace is a brace. */
	return is_field(kind) || is_length(kind) ? STATUS_SYNTAX : 0;
}

/* A % at s; *used bytes of the format. */
static int
compile_field(struct format *f, const char *s, size_t *used, const char **why)
{
	size_t extra;
	int rc;

	*used = 2;
	if (s[1] == '%')
		return add_literal(f, "%");
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
		if (letters[i].letter != s[1])
			continue;
		rc = add_token(f, letters[i].kind);
		if (rc != 0)
			return rc;
		rc = modifier(s + 2, letters[i].kind,
		    &f->tokens[f->count - 1].modifier, &extra);
		if (rc != 0)
			*why = "a modifier that this field does not take";
		*used += extra;
		return rc;
	}
	*why = "a % that no field follows";
	return STATUS_SYNTAX;
}

/* Has a length of this field come before token i? */
static bool
has_length(const struct format *f, size_t i)
{
	enum format_kind want = f->tokens[i].kind == FORMAT_VALUE
	    ? FORMAT_VALUE_LEN
	    : FORMAT_KEY_LEN;

	for (size_t k = 0; k < i; k++)
		if (f->tokens[k].kind == want)
			return true;
	return false;
}

/* Where does token i end when it is read? */
static bool
has_end(const struct format *f, size_t i)
{
	const struct format_token *t = &f->tokens[i];

	if (t->kind == FORMAT_LITERAL)
		return true;
	if (is_field(t->kind) && has_length(f, i))
		return true;
	if (is_length(t->kind) && t->modifier != FORMAT_PLAIN)
		return true;
	return i + 1 < f->count && f->tokens[i + 1].kind == FORMAT_LITERAL;
}

/* A number in decimal, and what is behind it may be read as more of it? */
static bool
runs_on(const struct format *f, size_t i)
{
	const struct format_token *t = &f->tokens[i];
	uint8_t next;

	if (t->kind != FORMAT_TIMESTAMP &&
	    (!is_length(t->kind) || t->modifier != FORMAT_PLAIN))
		return false;
	next = f->text.data[t[1].at];
	return next >= '0' && next <= '9';
}

static int
check_input(const struct format *f, const char **why)
{
	unsigned seen = 0;

	for (size_t i = 0; i < f->count; i++) {
		enum format_kind kind = f->tokens[i].kind;

		if (kind >= FORMAT_OFFSET) {
			*why = "%h %t %p %o cannot be read";
			return STATUS_SYNTAX;
		}
		if (!has_end(f, i)) {
			*why = "a field with neither a length before it nor "
			       "a literal behind it";
			return STATUS_SYNTAX;
		}
		if (runs_on(f, i)) {
			*why = "a number with a digit behind it";
			return STATUS_SYNTAX;
		}
		if (kind != FORMAT_LITERAL && (seen & 1U << kind) != 0) {
			*why = "a field given twice";
			return STATUS_SYNTAX;
		}
		seen |= 1U << kind;
	}
	if (f->count == 0 || (seen & ~1U) == 0) {
		*why = "no field";
		return STATUS_SYNTAX;
	}
	return 0;
}

int
format_compile(struct format *f, const char *s, bool for_input,
    const char **why)
{
	char piece[8];
	size_t used;
	int rc = 0;

	f->count = 0;
	f->text.len = 0;
	f->skipping = false;
	*why = "too long";
	while (rc == 0 && *s != '\0') {
		if (*s == '%') {
			rc = compile_field(f, s, &used, why);
		} else {
			/* One escape or one byte at a time. */
			used = *s != '\\' ? 1 : s[1] == 'x' ? 4 : 2;
			used = strnlen(s, used);
			memcpy(piece, s, used);
			piece[used] = '\0';
			rc = add_literal(f, piece);
			if (rc == STATUS_SYNTAX)
				*why = "a backslash that no escape follows";
		}
		s += used;
	}
	if (rc == 0 && for_input)
		rc = check_input(f, why);
	return rc;
}

/* --- writing --- */

static int
write_hex(struct buf *out, const uint8_t *data, size_t len)
{
	static const char hex[] = "0123456789abcdef";
	int rc = buf_reserve(out, len * 2);

	for (size_t i = 0; rc == 0 && i < len; i++) {
		out->data[out->len++] = (uint8_t)hex[data[i] >> 4];
		out->data[out->len++] = (uint8_t)hex[data[i] & 15];
	}
	return rc;
}

static int
write_field(const struct format *f, enum format_modifier m, struct bytes b,
    struct buf *out)
{
	if (bytes_is_null(b))
		return m == FORMAT_JSON   ? buf_add_str(out, "null")
		    : f->null_out == NULL ? 0
					  : buf_add_str(out, f->null_out);
	switch (m) {
	case FORMAT_BASE64:
		return base64_encode(out, b.data, (size_t)b.len);
	case FORMAT_HEX:
		return write_hex(out, b.data, (size_t)b.len);
	case FORMAT_JSON:
		if (!json_is_utf8(b.data, (size_t)b.len))
			return STATUS_SYNTAX;
		return json_write_string(out, b.data, (size_t)b.len);
	default:
		return buf_add(out, b.data, (size_t)b.len);
	}
}

/* Bytes of a binary length, 0 for decimal. */
static size_t
binary_len(enum format_modifier m)
{
	static const size_t lens[] = {1, 2, 4, 8, 2, 4, 8};

	return m < FORMAT_BIG8 ? 0 : lens[m - FORMAT_BIG8];
}

static int
write_length(enum format_modifier m, int64_t len, struct buf *out)
{
	size_t n = binary_len(m);
	uint8_t p[8];

	if (n == 0)
		return buf_addf(out, "%" PRId64, len);
	if (n < 8 && (len >> (n * 8 - 1)) > 0)
		return STATUS_TOO_BIG;
	for (size_t i = 0; i < n; i++) {
		size_t shift = m >= FORMAT_LITTLE16 ? i : n - 1 - i;

		p[i] = (uint8_t)((uint64_t)len >> shift * 8);
	}
	return buf_add(out, p, n);
}

static int
write_headers(const struct format *f, const struct record *rec, struct buf *out)
{
	struct record_headers it;
	struct record_header h;
	bool first = true;
	int rc = 0;

	record_headers_init(&it, rec);
	while (rc == 0 && record_headers_next(&it, &h) == 0) {
		if (!first)
			rc = buf_add_8(out, ',');
		first = false;
		if (rc == 0)
			rc = buf_add(out, h.name.data, (size_t)h.name.len);
		if (rc == 0)
			rc = buf_add_8(out, '=');
		if (rc == 0)
			rc = write_field(f, FORMAT_PLAIN, h.value, out);
	}
	return rc;
}

static int
write_token(const struct format *f, const struct format_token *t,
    const char *topic, int32_t partition, const struct record *rec,
    struct buf *out)
{
	char date[PARSE_TIME_TEXT];

	switch (t->kind) {
	case FORMAT_LITERAL:
		return buf_add(out, f->text.data + t->at, t->len);
	case FORMAT_VALUE:
		return write_field(f, t->modifier, rec->value, out);
	case FORMAT_KEY:
		return write_field(f, t->modifier, rec->key, out);
	case FORMAT_VALUE_LEN:
		return write_length(t->modifier, rec->value.len, out);
	case FORMAT_KEY_LEN:
		return write_length(t->modifier, rec->key.len, out);
	case FORMAT_TIMESTAMP:
		return buf_addf(out, "%" PRId64, rec->timestamp);
	case FORMAT_DATE:
		return buf_add(out, date,
		    parse_time_text(rec->timestamp, date));
	case FORMAT_OFFSET:
		return buf_addf(out, "%" PRId64, rec->offset);
	case FORMAT_PARTITION:
		return buf_addf(out, "%" PRId32, partition);
	case FORMAT_TOPIC:
		return buf_add_str(out, topic);
	case FORMAT_HEADERS:
		return write_headers(f, rec, out);
	}
	return 0;
}

int
format_write(const struct format *f, const char *topic, int32_t partition,
    const struct record *rec, struct buf *out)
{
	size_t start = out->len;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < f->count; i++)
		rc = write_token(f, &f->tokens[i], topic, partition, rec, out);
	if (rc != 0)
		out->len = start;
	return rc;
}

/* --- reading --- */

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
	size_t n = binary_len(m);
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
	int rc = binary_len(m) > 0 ? read_binary_length(m, p, &out->len)
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
