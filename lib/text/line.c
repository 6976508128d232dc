#include "text/line.h"

#include <string.h>

#include "base/parse.h"
#include "base/status.h"

const char line_over_limit[] = "record is over the limit";

void
line_init(struct line *l)
{
	*l = (struct line){.delimiter = "\n", .delimiter_len = 1};
}

static int
set_mark(const char *arg, uint8_t mark[LINE_MARK_MAX], size_t *len)
{
	struct buf b;
	int rc;

	buf_init(&b, LINE_MARK_MAX);
	rc = parse_escapes(arg, &b);
	if (rc == 0 && b.len == 0)
		rc = STATUS_SYNTAX;
	if (rc == 0) {
		memcpy(mark, b.data, b.len);
		*len = b.len;
	}
	buf_release(&b);
	return rc;
}

int
line_set_delimiter(struct line *l, const char *arg)
{
	return set_mark(arg, l->delimiter, &l->delimiter_len);
}

int
line_set_separator(struct line *l, const char *arg)
{
	return set_mark(arg, l->separator, &l->separator_len);
}

static const uint8_t *
find(const uint8_t *in, size_t len, const uint8_t *mark, size_t mark_len)
{
	if (mark_len == 1)
		return memchr(in, mark[0], len);
	return memmem(in, len, mark, mark_len);
}

/* How much of in may be let go, if it has no delimiter: not a part of one. */
static size_t
without_tail(const struct line *l, size_t len)
{
	size_t tail = l->delimiter_len - 1;

	return len < tail ? 0 : len - tail;
}

/* The delimiter behind what was searched before, or NULL. */
static const uint8_t *
find_end(struct line *l, const uint8_t *in, size_t len)
{
	size_t from = l->searched <= len ? l->searched : 0;
	const uint8_t *end =
	    find(in + from, len - from, l->delimiter, l->delimiter_len);

	l->searched = end == NULL ? without_tail(l, len) : 0;
	return end;
}

static struct bytes
field(const struct line *l, const uint8_t *data, size_t len)
{
	if (l->null_in != NULL && strlen(l->null_in) == len &&
	    memcmp(l->null_in, data, len) == 0)
		return BYTES_NULL;
	return (struct bytes){data, (int32_t)len};
}

/* Key and value of one whole record. */
static int
split(const struct line *l, const uint8_t *in, size_t len, struct record *out,
    const char **why)
{
	const uint8_t *at;

	*out = (struct record){.timestamp = -1, .key = BYTES_NULL};
	if (l->is_delete) {
		out->key = (struct bytes){in, (int32_t)len};
		out->value = BYTES_NULL;
		return 0;
	}
	if (l->separator_len == 0) {
		out->value = field(l, in, len);
		return 0;
	}
	at = find(in, len, l->separator, l->separator_len);
	if (at == NULL) {
		*why = "no key separator";
		return STATUS_SYNTAX;
	}
	out->key = field(l, in, (size_t)(at - in));
	at += l->separator_len;
	out->value = field(l, at, len - (size_t)(at - in));
	return 0;
}

/* Go behind a record that was too big: 0, or as line_read(). */
static int
skip(struct line *l, const uint8_t *in, size_t len, bool eof, size_t *used)
{
	const uint8_t *end =
	    len == 0 ? NULL : find(in, len, l->delimiter, l->delimiter_len);

	if (end == NULL && !eof) {
		*used = without_tail(l, len);
		return STATUS_SHORT;
	}
	l->skipping = false;
	*used = end == NULL ? len : (size_t)(end - in) + l->delimiter_len;
	return 0;
}

int
line_read(struct line *l, const uint8_t *in, size_t len, bool eof, size_t max,
    struct record *out, size_t *used, const char **why)
{
	const uint8_t *end;
	size_t size;
	int rc;

	*used = 0;
	if (l->skipping) {
		rc = skip(l, in, len, eof, used);
		if (rc != 0)
			return rc;
		in += *used;
		len -= *used;
	}
	if (len == 0)
		return eof ? STATUS_END : STATUS_SHORT;
	end = find_end(l, in, len);
	size = end == NULL ? len : (size_t)(end - in);
	if (end == NULL && !eof) {
		/* What may begin a delimiter does not count. */
		if (without_tail(l, len) <= max)
			return STATUS_SHORT;
		l->skipping = true;
		l->searched = 0;
		*used += without_tail(l, len);
	} else {
		l->searched = 0;
		*used += size + (end == NULL ? 0 : l->delimiter_len);
		if (size <= max)
			return split(l, in, size, out, why);
	}
	*why = line_over_limit;
	return STATUS_TOO_BIG;
}

/* What stands for b in the output. */
static struct bytes
shown(const struct line *l, struct bytes b)
{
	if (!bytes_is_null(b))
		return b;
	return l->null_out != NULL ? bytes_of(l->null_out)
				   : (struct bytes){NULL, 0};
}

static inline uint8_t *
put(uint8_t *p, const void *data, size_t len)
{
	if (len > 0)
		memcpy(p, data, len);
	return p + len;
}

int
line_write(const struct line *l, const struct record *rec, struct buf *out)
{
	struct bytes value = shown(l, rec->value), key = {NULL, 0};
	size_t need = (size_t)value.len + l->delimiter_len;
	uint8_t *p;
	int rc;

	if (l->separator_len > 0) {
		key = shown(l, rec->key);
		need += (size_t)key.len + l->separator_len;
	}
	if (out->cap - out->len < need) {
		rc = buf_reserve(out, need);
		if (rc != 0)
			return rc;
	}
	p = out->data + out->len;
	if (l->separator_len > 0) {
		p = put(p, key.data, (size_t)key.len);
		p = put(p, l->separator, l->separator_len);
	}
	p = put(p, value.data, (size_t)value.len);
	if (l->delimiter_len == 1)
		*p = l->delimiter[0];
	else
		put(p, l->delimiter, l->delimiter_len);
	out->len += need;
	return 0;
}
