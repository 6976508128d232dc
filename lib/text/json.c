#include "text/json.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/bounds.h"
#include "base/status.h"

static int
refuse(struct json_cursor *c, const char *why)
{
	c->why = why;
	return STATUS_SYNTAX;
}

/* The same, for what stands at p. */
static int
refuse_at(struct json_cursor *c, const uint8_t *p, const char *why)
{
	c->pos = p;
	return refuse(c, why);
}

/*
 * Skip bytes that need no look inside a string: from 0x20 to 0x7f, but quote
 * and backslash.
 */
static const uint8_t *
skip_plain(const uint8_t *p, const uint8_t *end)
{
#ifdef __SSE2__
	const __m128i quote = _mm_set1_epi8('"');
	const __m128i backslash = _mm_set1_epi8('\\');
	const __m128i limit = _mm_set1_epi8(0x20);

	while (end - p >= 16) {
		__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
		/* Signed: bytes from 0x80 on are below 0x20, too. */
		__m128i hit = _mm_or_si128(_mm_cmplt_epi8(v, limit),
		    _mm_or_si128(_mm_cmpeq_epi8(v, quote),
			_mm_cmpeq_epi8(v, backslash)));
		int mask = _mm_movemask_epi8(hit);

		if (mask != 0)
			return p + __builtin_ctz((unsigned)mask);
		p += 16;
	}
#endif
	while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
		p++;
	return p;
}

/* Length of the UTF-8 sequence at p, 0 if it is none. */
static size_t
utf8_len(const uint8_t *p, const uint8_t *end)
{
	size_t left = (size_t)(end - p);
	uint32_t c;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf && left >= 2 && (p[1] & 0xc0) == 0x80)
		return 2;
	if ((p[0] & 0xf0) == 0xe0 && left >= 3 && (p[1] & 0xc0) == 0x80 &&
	    (p[2] & 0xc0) == 0x80) {
		c = (uint32_t)(p[0] & 15) << 12 | (uint32_t)(p[1] & 63) << 6 |
		    (uint32_t)(p[2] & 63);
		return c >= 0x800 && (c < 0xd800 || c > 0xdfff) ? 3 : 0;
	}
	if ((p[0] & 0xf8) == 0xf0 && left >= 4 && (p[1] & 0xc0) == 0x80 &&
	    (p[2] & 0xc0) == 0x80 && (p[3] & 0xc0) == 0x80) {
		c = (uint32_t)(p[0] & 7) << 18 | (uint32_t)(p[1] & 63) << 12 |
		    (uint32_t)(p[2] & 63) << 6 | (uint32_t)(p[3] & 63);
		return c >= 0x10000 && c <= 0x10ffff ? 4 : 0;
	}
	return 0;
}

bool
json_is_utf8(const uint8_t *data, size_t len)
{
	const uint8_t *p = data, *end;
	uint64_t word;

	if (len == 0)
		return true; /* data may be NULL */
	end = data + len;
	while (p < end) {
		size_t n;

		while (end - p >= 8) {
			memcpy(&word, p, 8);
			if ((word & 0x8080808080808080U) != 0)
				break;
			p += 8;
		}
		if (p == end)
			break;
		n = utf8_len(p, end);
		if (n == 0)
			return false;
		p += n;
	}
	return true;
}

/* Four hex digits; -1 if they are not. */
static int32_t
hex4(const uint8_t *p, const uint8_t *end)
{
	int32_t v = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		uint8_t c = p[i] | 0x20;

		if (p[i] >= '0' && p[i] <= '9')
			v = v << 4 | (p[i] - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (c - 'a' + 10);
		else
			return -1;
	}
	return v;
}

/*
 * The character of the escape at p (a backslash), and *next behind it; -1 if
 * it is none.
 */
static int32_t
escaped(const uint8_t *p, const uint8_t *end, const uint8_t **next)
{
	static const uint8_t meant[256] = {['"'] = '"',
	    ['\\'] = '\\',
	    ['/'] = '/',
	    ['b'] = '\b',
	    ['f'] = '\f',
	    ['n'] = '\n',
	    ['r'] = '\r',
	    ['t'] = '\t'};
	int32_t c, low;

	if (end - p < 2)
		return -1;
	*next = p + 2;
	if (p[1] != 'u')
		return meant[p[1]] == 0 ? -1 : meant[p[1]];
	c = hex4(p + 2, end);
	if (c < 0)
		return -1;
	*next = p + 6;
	if (c < 0xd800 || c > 0xdfff)
		return c;
	if (c > 0xdbff || end - p < 12 || p[6] != '\\' || p[7] != 'u')
		return -1;
	low = hex4(p + 8, end);
	*next = p + 12;
	if (low < 0xdc00 || low > 0xdfff)
		return -1;
	return 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
}

static int
scan_string(struct json_cursor *c, struct json_value *out)
{
	const uint8_t *p = c->pos + 1, *next;
	size_t n;

	out->has_escape = false;
	for (;;) {
		p = skip_plain(p, c->end);
		if (p == c->end)
			return refuse_at(c, p, "a string is not closed");
		if (*p == '"')
			break;
		if (*p == '\\') {
			out->has_escape = true;
			if (escaped(p, c->end, &next) < 0)
				return refuse_at(c, p,
				    "an escape is no character");
			p = next;
			continue;
		}
		if (*p < 0x20)
			return refuse_at(c, p,
			    "a control character in a string");
		n = utf8_len(p, c->end);
		if (n == 0)
			return refuse_at(c, p, "not UTF-8");
		p += n;
	}
	c->pos = p + 1;
	return 0;
}

static bool
is_digit(const uint8_t *p, const uint8_t *end)
{
	return p < end && *p >= '0' && *p <= '9';
}

static int
scan_number(struct json_cursor *c)
{
	const uint8_t *p = c->pos;

	if (*p == '-')
		p++;
	if (!is_digit(p, c->end))
		return refuse_at(c, p, "not a value");
	if (*p == '0' && is_digit(p + 1, c->end))
		return refuse_at(c, p, "a number begins with 0");
	while (is_digit(p, c->end))
		p++;
	if (p < c->end && *p == '.') {
		p++;
		if (!is_digit(p, c->end))
			return refuse_at(c, p, "no digit behind a point");
		while (is_digit(p, c->end))
			p++;
	}
	if (p < c->end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < c->end && (*p == '+' || *p == '-'))
			p++;
		if (!is_digit(p, c->end))
			return refuse_at(c, p, "no digit in an exponent");
		while (is_digit(p, c->end))
			p++;
	}
	c->pos = p;
	return 0;
}

static int
scan_word(struct json_cursor *c, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(c->end - c->pos) < len || memcmp(c->pos, word, len) != 0)
		return refuse(c, "not a value");
	c->pos += len;
	return 0;
}

static void
skip_blanks(struct json_cursor *c)
{
	while (c->pos < c->end &&
	    (*c->pos == ' ' || *c->pos == '\t' || *c->pos == '\n' ||
		*c->pos == '\r'))
		c->pos++;
}

static int next_at(struct json_cursor *c, struct json_value *out, int depth);

/* The members or elements of a container, up to its closing bracket. */
static int
scan_container(struct json_cursor *c, bool is_object, int depth)
{
	struct json_value name, value;
	bool first = true;
	uint8_t closer = is_object ? '}' : ']';
	int rc;

	if (depth > JSON_DEPTH_MAX) {
		c->why = "nested too deeply";
		return STATUS_TOO_BIG;
	}
	c->pos++;
	for (;; first = false) {
		skip_blanks(c);
		if (c->pos == c->end)
			return refuse(c, "ends inside an array or object");
		if (*c->pos == closer && first)
			break;
		if (!first) {
			if (*c->pos == closer)
				break;
			if (*c->pos != ',')
				return refuse(c, "a comma is missing");
			c->pos++;
			skip_blanks(c);
		}
		if (is_object) {
			if (c->pos == c->end || *c->pos != '"')
				return refuse(c, "a name is missing");
			rc = scan_string(c, &name);
			if (rc != 0)
				return rc;
			skip_blanks(c);
			if (c->pos == c->end || *c->pos != ':')
				return refuse(c, "a colon is missing");
			c->pos++;
		}
		rc = next_at(c, &value, depth);
		if (rc != 0)
			return rc;
	}
	c->pos++;
	return 0;
}

static int
next_at(struct json_cursor *c, struct json_value *out, int depth)
{
	int rc;

	skip_blanks(c);
	if (c->pos == c->end)
		return refuse(c, "a value is missing");
	out->text = c->pos;
	out->has_escape = false;
	switch (*c->pos) {
	case '"':
		out->type = JSON_STRING;
		rc = scan_string(c, out);
		break;
	case '{':
		out->type = JSON_OBJECT;
		rc = scan_container(c, true, depth + 1);
		break;
	case '[':
		out->type = JSON_ARRAY;
		rc = scan_container(c, false, depth + 1);
		break;
	case 't':
		out->type = JSON_BOOL;
		rc = scan_word(c, "true");
		break;
	case 'f':
		out->type = JSON_BOOL;
		rc = scan_word(c, "false");
		break;
	case 'n':
		out->type = JSON_NULL;
		rc = scan_word(c, "null");
		break;
	default:
		out->type = JSON_NUMBER;
		rc = scan_number(c);
		break;
	}
	out->len = (size_t)(c->pos - out->text);
	return rc;
}

int
json_next(struct json_cursor *c, struct json_value *out)
{
	return next_at(c, out, 0);
}

bool
json_at_end(struct json_cursor *c)
{
	skip_blanks(c);
	return c->pos == c->end;
}

int
json_check(const uint8_t *text, size_t len, struct json_value *out,
    const char **why)
{
	/* text may be NULL if there is none */
	struct json_cursor c = {text, len > 0 ? text + len : text, NULL};
	int rc = json_next(&c, out);

	if (rc == 0 && !json_at_end(&c))
		rc = refuse(&c, "something stands behind the value");
	if (rc != 0 && why != NULL)
		*why = c.why;
	return rc;
}

int
json_enter(struct json_cursor *c, uint8_t bracket)
{
	skip_blanks(c);
	if (c->pos == c->end || *c->pos != bracket)
		return refuse(c,
		    bracket == '{' ? "not an object" : "not an array");
	c->pos++;
	return 0;
}

/* To the next member or element: 0, or STATUS_END behind the closer. */
static int
step(struct json_cursor *c, bool *first, uint8_t closer)
{
	skip_blanks(c);
	if (c->pos == c->end)
		return refuse(c, "ends inside an array or object");
	if (*c->pos == closer) {
		c->pos++;
		return STATUS_END;
	}
	if (!*first) {
		if (*c->pos != ',')
			return refuse(c, "a comma is missing");
		c->pos++;
		skip_blanks(c);
	}
	*first = false;
	return 0;
}

int
json_member(struct json_cursor *c, bool *first, struct json_value *name,
    struct json_value *value)
{
	int rc = step(c, first, '}');

	if (rc != 0)
		return rc;
	if (c->pos == c->end || *c->pos != '"')
		return refuse(c, "a name is missing");
	name->type = JSON_STRING;
	name->text = c->pos;
	rc = scan_string(c, name);
	if (rc != 0)
		return rc;
	name->len = (size_t)(c->pos - name->text);
	skip_blanks(c);
	if (c->pos == c->end || *c->pos != ':')
		return refuse(c, "a colon is missing");
	c->pos++;
	return next_at(c, value, 0);
}

int
json_element(struct json_cursor *c, bool *first, struct json_value *value)
{
	int rc = step(c, first, ']');

	return rc != 0 ? rc : next_at(c, value, 0);
}

static size_t
put_utf8(uint8_t *p, uint32_t c)
{
	if (c < 0x80) {
		p[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		p[0] = (uint8_t)(0xc0 | c >> 6);
		p[1] = (uint8_t)(0x80 | (c & 63));
		return 2;
	}
	if (c < 0x10000) {
		p[0] = (uint8_t)(0xe0 | c >> 12);
		p[1] = (uint8_t)(0x80 | (c >> 6 & 63));
		p[2] = (uint8_t)(0x80 | (c & 63));
		return 3;
	}
	p[0] = (uint8_t)(0xf0 | c >> 18);
	p[1] = (uint8_t)(0x80 | (c >> 12 & 63));
	p[2] = (uint8_t)(0x80 | (c >> 6 & 63));
	p[3] = (uint8_t)(0x80 | (c & 63));
	return 4;
}

/* The first backslash, or end. */
static const uint8_t *
find_backslash(const uint8_t *p, const uint8_t *end)
{
	p = skip_plain(p, end);
	while (p < end && *p != '\\')
		p = skip_plain(p + 1, end);
	return p;
}

int
json_unescape(const struct json_value *v, struct buf *out)
{
	const uint8_t *p = v->text + 1, *end = v->text + v->len - 1;
	/* Characters never take more bytes than their escapes. */
	int rc = buf_reserve(out, (size_t)(end - p));

	while (rc == 0 && p < end) {
		const uint8_t *at = find_backslash(p, end);
		size_t n = (size_t)(at - p);
		int32_t c;

		memcpy(out->data + out->len, p, n);
		out->len += n;
		if (at == end)
			break;
		c = escaped(at, end, &p);
		if (c < 0)
			return STATUS_SYNTAX;
		out->len += put_utf8(out->data + out->len, (uint32_t)c);
	}
	return rc;
}

bool
json_is(const struct json_value *v, const char *s)
{
	size_t len = strlen(s);
	struct buf b;
	bool same;

	if (!v->has_escape)
		return v->len == len + 2 && memcmp(v->text + 1, s, len) == 0;
	buf_init(&b, v->len);
	same = json_unescape(v, &b) == 0 && b.len == len &&
	    (len == 0 || memcmp(b.data, s, len) == 0);
	buf_release(&b);
	return same;
}

/* The next part of a path into name; its rest is returned, NULL if bad. */
static const char *
path_part(const char *path, char name[256])
{
	const char *end;
	size_t len;

	if (*path++ != '.')
		return NULL;
	if (*path == '"') {
		end = strchr(++path, '"');
		if (end == NULL)
			return NULL;
		len = (size_t)(end - path);
		end++;
	} else {
		len = strcspn(path, ".\"");
		end = path + len;
		if (len == 0)
			return NULL;
	}
	if (len > 255 || (*end != '\0' && *end != '.'))
		return NULL;
	memcpy(name, path, len);
	name[len] = '\0';
	return end;
}

int
json_check_path(const char *path)
{
	char name[256];

	do
		path = path_part(path, name);
	while (path != NULL && *path != '\0');
	return path == NULL ? STATUS_SYNTAX : 0;
}

int
json_find(const uint8_t *text, size_t len, const char *path,
    struct json_value *out, const char **why)
{
	struct json_value v, name, value, hit;
	char part[256];
	int rc = json_check(text, len, &v, why);

	while (rc == 0 && *path != '\0') {
		struct json_cursor c = {v.text, v.text + v.len, NULL};
		bool first = true, found = false;

		path = path_part(path, part);
		if (path == NULL)
			return STATUS_SYNTAX;
		if (v.type != JSON_OBJECT)
			return STATUS_END;
		rc = json_enter(&c, '{');
		while (rc == 0 &&
		    (rc = json_member(&c, &first, &name, &value)) == 0) {
			if (json_is(&name, part)) {
				hit = value;
				found = true;
			}
		}
		if (rc == STATUS_END)
			rc = found ? 0 : STATUS_END;
		if (rc == 0)
			v = hit;
	}
	if (rc == 0)
		*out = v;
	return rc;
}

/* Escape one byte below 0x20, a quote or a backslash; returns its length. */
static size_t
put_escape(uint8_t *p, uint8_t c)
{
	static const char hex[] = "0123456789abcdef";
	static const uint8_t letters[256] = {['"'] = '"',
	    ['\\'] = '\\',
	    ['\b'] = 'b',
	    ['\f'] = 'f',
	    ['\n'] = 'n',
	    ['\r'] = 'r',
	    ['\t'] = 't'};

	p[0] = '\\';
	if (letters[c] != 0) {
		p[1] = letters[c];
		return 2;
	}
	memcpy(p + 1, "u00", 3);
	p[4] = (uint8_t)hex[c >> 4];
	p[5] = (uint8_t)hex[c & 15];
	return 6;
}

/* The first byte to be escaped in valid UTF-8, or end. */
static const uint8_t *
find_escape(const uint8_t *p, const uint8_t *end)
{
	p = skip_plain(p, end);
	while (p < end && *p >= 0x80)
		p = skip_plain(p + 1, end);
	return p;
}

int
json_write_string(struct buf *out, const uint8_t *data, size_t len)
{
	const uint8_t *p = data, *end;
	int rc;

	if (len == 0)
		return buf_add_str(out, "\"\""); /* data may be NULL */
	rc = buf_reserve(out, len + 2);
	if (rc != 0)
		return rc;
	end = data + len;
	out->data[out->len++] = '"';
	while (p < end) {
		const uint8_t *stop = find_escape(p, end);
		size_t plain = (size_t)(stop - p), n = 0;
		uint8_t escape[6];

		if (stop < end)
			n = put_escape(escape, *stop);
		if (out->cap - out->len < plain + n) {
			rc = buf_reserve(out, plain + n);
			if (rc != 0)
				return rc;
		}
		memcpy(out->data + out->len, p, plain);
		memcpy(out->data + out->len + plain, escape, n);
		out->len += plain + n;
		p = n > 0 ? stop + 1 : end;
	}
	return buf_add_8(out, '"');
}
