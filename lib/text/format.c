#include "text/format.h"

#include <inttypes.h>
#include <string.h>

#include "base/base64.h"
#include "base/bounds.h"
#include "base/parse.h"
#include "base/status.h"
#include "text/format_impl.h"
#include "text/json.h"

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
size_t
format_binary_len(enum format_modifier m)
{
	static const size_t lens[] = {1, 2, 4, 8, 2, 4, 8};

	return m < FORMAT_BIG8 ? 0 : lens[m - FORMAT_BIG8];
}

static int
write_length(enum format_modifier m, int64_t len, struct buf *out)
{
	size_t n = format_binary_len(m);
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
