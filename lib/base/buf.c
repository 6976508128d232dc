#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/status.h"

void
buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){.max = max};
}

void
buf_release(struct buf *b)
{
	free(b->data);
	buf_init(b, b->max);
}

int
buf_reserve(struct buf *b, size_t len)
{
	size_t cap;
	uint8_t *data;

	if (len > b->max || b->len > b->max - len)
		return STATUS_TOO_BIG;
	if (b->len + len <= b->cap)
		return 0;
	cap = b->cap < 256 ? 256 : b->cap;
	while (cap < b->len + len)
		cap *= 2;
	if (cap > b->max)
		cap = b->max;
	data = realloc(b->data, cap);
	if (data == NULL)
		return ENOMEM;
	b->data = data;
	b->cap = cap;
	return 0;
}

int
buf_add(struct buf *b, const void *data, size_t len)
{
	int rc = buf_reserve(b, len);

	if (rc != 0 || len == 0)
		return rc;
	memcpy(b->data + b->len, data, len);
	b->len += len;
	return 0;
}

int
buf_add_str(struct buf *b, const char *s)
{
	return buf_add(b, s, strlen(s));
}

int
buf_add_8(struct buf *b, uint8_t v)
{
	return buf_add(b, &v, 1);
}

int
buf_add_16(struct buf *b, uint16_t v)
{
	uint8_t p[2];

	buf_put_16(p, v);
	return buf_add(b, p, sizeof(p));
}

int
buf_add_32(struct buf *b, uint32_t v)
{
	uint8_t p[4];

	buf_put_32(p, v);
	return buf_add(b, p, sizeof(p));
}

int
buf_add_64(struct buf *b, uint64_t v)
{
	uint8_t p[8];

	buf_put_64(p, v);
	return buf_add(b, p, sizeof(p));
}

int
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int len, rc;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len < 0)
		return EINVAL;
	rc = buf_reserve(b, (size_t)len + 1);
	if (rc != 0)
		return rc;
	va_start(ap, fmt);
	vsnprintf((char *)b->data + b->len, (size_t)len + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)len;
	return 0;
}
