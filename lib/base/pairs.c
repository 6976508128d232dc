#include "base/pairs.h"

#include <stdbool.h>

#include "base/status.h"

enum {
	SURROGATE_HIGH = 0xd800,
	SURROGATE_LOW = 0xdc00,
	SURROGATE_END = 0xe000,
};

static bool skip_to_pair(struct pairs *p);
static int take(struct pairs *p, bool in_key, struct buf *out);

void
pairs_init(struct pairs *p, const void *text, size_t len)
{
	if (len == 0)
		text = "";
	*p = (struct pairs){.start = text, .pos = text, .next_line = 1};
	p->end = p->start + len;
	/* What an escape stands for is never longer than the escape. */
	buf_init(&p->key, len + 1);
	buf_init(&p->value, len + 1);
}

void
pairs_release(struct pairs *p)
{
	buf_release(&p->key);
	buf_release(&p->value);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\f';
}

static bool
is_eol(char c)
{
	return c == '\n' || c == '\r';
}

static void
skip_blanks(struct pairs *p)
{
	while (p->pos < p->end && is_blank(*p->pos))
		p->pos++;
}

/* Over one line end: LF, CR, or CR LF. */
static void
skip_eol(struct pairs *p)
{
	if (p->pos == p->end)
		return;
	if (*p->pos == '\r' && p->end - p->pos > 1 && p->pos[1] == '\n')
		p->pos++;
	p->pos++;
	p->next_line++;
}

/* Backslash and line end: the line goes on behind the next one's blanks. */
static bool
skip_continuation(struct pairs *p)
{
	if (*p->pos != '\\')
		return false;
	if (p->end - p->pos > 1 && !is_eol(p->pos[1]))
		return false;
	p->pos++;
	skip_eol(p);
	skip_blanks(p);
	return true;
}

int
pairs_next(struct pairs *p, const char **key, const char **value)
{
	int rc;

	if (!skip_to_pair(p))
		return STATUS_END;
	rc = take(p, true, &p->key);
	if (rc != 0)
		return rc;
	/* Blanks, at most one separator, blanks. */
	for (bool separated = false; p->pos < p->end;) {
		if (is_blank(*p->pos)) {
			p->pos++;
		} else if (!separated && (*p->pos == '=' || *p->pos == ':')) {
			separated = true;
			p->pos++;
		} else if (!skip_continuation(p)) {
			break;
		}
	}
	rc = take(p, false, &p->value);
	if (rc != 0)
		return rc;
	skip_eol(p);
	*key = (const char *)p->key.data;
	*value = (const char *)p->value.data;
	return 0;
}

/* To the first byte of a key, past empty lines and comments. */
static bool
skip_to_pair(struct pairs *p)
{
	while (p->pos < p->end) {
		p->line = p->next_line;
		p->line_pos = p->pos - p->start;
		skip_blanks(p);
		if (p->pos == p->end)
			break;
		if (*p->pos == '#' || *p->pos == '!') {
			while (p->pos < p->end && !is_eol(*p->pos))
				p->pos++;
		}
		if (p->pos < p->end && !is_eol(*p->pos))
			return true;
		skip_eol(p);
	}
	return false;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* \uXXXX at pos. */
static int
take_unit(struct pairs *p, uint32_t *out)
{
	uint32_t unit = 0;

	if (p->end - p->pos < 6 || p->pos[0] != '\\' || p->pos[1] != 'u')
		return STATUS_SYNTAX;
	for (int i = 2; i < 6; i++) {
		int digit = hex_digit(p->pos[i]);

		if (digit < 0)
			return STATUS_SYNTAX;
		unit = unit << 4 | (uint32_t)digit;
	}
	p->pos += 6;
	*out = unit;
	return 0;
}

static int
add_utf8(struct buf *out, uint32_t c)
{
	uint8_t b[4];
	size_t len = 0;

	if (c < 0x80) {
		b[len++] = (uint8_t)c;
	} else if (c < 0x800) {
		b[len++] = (uint8_t)(0xc0 | c >> 6);
		b[len++] = (uint8_t)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		b[len++] = (uint8_t)(0xe0 | c >> 12);
		b[len++] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		b[len++] = (uint8_t)(0x80 | (c & 0x3f));
	} else {
		b[len++] = (uint8_t)(0xf0 | c >> 18);
		b[len++] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
		b[len++] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		b[len++] = (uint8_t)(0x80 | (c & 0x3f));
	}
	return buf_add(out, b, len);
}

/* A character from one \u escape, or from two that are a surrogate pair. */
static int
take_unicode(struct pairs *p, struct buf *out)
{
	uint32_t c, low;
	int rc = take_unit(p, &c);

	if (rc != 0)
		return rc;
	if (c == 0 || (c >= SURROGATE_LOW && c < SURROGATE_END))
		return STATUS_SYNTAX;
	if (c >= SURROGATE_HIGH && c < SURROGATE_LOW) {
		rc = take_unit(p, &low);
		if (rc != 0)
			return rc;
		if (low < SURROGATE_LOW || low >= SURROGATE_END)
			return STATUS_SYNTAX;
		c = 0x10000 + ((c - SURROGATE_HIGH) << 10) +
		    (low - SURROGATE_LOW);
	}
	return add_utf8(out, c);
}

/* Backslash and what follows it; not at the end of a line. */
static int
take_escape(struct pairs *p, struct buf *out)
{
	static const char names[] = "tnrf", meant[] = "\t\n\r\f";
	char c = p->pos[1];
	const char *found;

	if (c == 'u')
		return take_unicode(p, out);
	if (c == '\0')
		return STATUS_SYNTAX;
	p->pos += 2;
	found = strchr(names, c);
	if (found != NULL)
		c = meant[found - names];
	return buf_add_8(out, (uint8_t)c);
}

/* A key or a value into out, with a NUL behind it. */
static int
take(struct pairs *p, bool in_key, struct buf *out)
{
	int rc = 0;

	out->len = 0;
	while (rc == 0 && p->pos < p->end && !is_eol(*p->pos)) {
		char c = *p->pos;

		if (in_key && (is_blank(c) || c == '=' || c == ':'))
			break;
		if (skip_continuation(p))
			continue;
		if (c == '\\') {
			rc = take_escape(p, out);
			continue;
		}
		if (c == '\0')
			return STATUS_SYNTAX;
		p->pos++;
		rc = buf_add_8(out, (uint8_t)c);
	}
	if (rc == 0)
		rc = buf_add_8(out, 0);
	return rc;
}

static int
add_escaped(struct buf *out, const char *s, bool in_key)
{
	int rc = 0;
	bool first = true;

	for (; rc == 0 && *s != '\0'; s++, first = false) {
		static const char plain[] = "\t\n\r\f", names[] = "tnrf";
		const char *found = strchr(plain, *s);
		char c = found != NULL ? names[found - plain] : *s;

		if (found != NULL || *s == '\\' || (first && *s == ' ') ||
		    (in_key && strchr(" =:", *s) != NULL) ||
		    (in_key && first && strchr("#!", *s) != NULL))
			rc = buf_add_8(out, '\\');
		if (rc == 0)
			rc = buf_add_8(out, (uint8_t)c);
	}
	return rc;
}

int
pairs_add(struct buf *out, const char *key, const char *value)
{
	size_t start = out->len;
	int rc = add_escaped(out, key, true);

	if (rc == 0)
		rc = buf_add_8(out, '=');
	if (rc == 0)
		rc = add_escaped(out, value, false);
	if (rc == 0)
		rc = buf_add_8(out, '\n');
	if (rc != 0)
		out->len = start;
	return rc;
}
