#include "base/base64.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/status.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int
base64_encode(struct buf *out, const uint8_t *data, size_t len)
{
	size_t i, left = len % 3;
	uint8_t *p;
	int rc;

	if (len > SIZE_MAX / 2)
		return STATUS_TOO_BIG;
	rc = buf_reserve(out, (len + 2) / 3 * 4);
	if (rc != 0 || len == 0)
		return rc;
	p = out->data + out->len;
	for (i = 0; i + 3 <= len; i += 3) {
		*p++ = (uint8_t)alphabet[data[i] >> 2];
		*p++ = (uint8_t)alphabet[(data[i] & 3) << 4 | data[i + 1] >> 4];
		*p++ = (uint8_t)
		    alphabet[(data[i + 1] & 15) << 2 | data[i + 2] >> 6];
		*p++ = (uint8_t)alphabet[data[i + 2] & 63];
	}
	if (left > 0) {
		uint8_t second = left == 2 ? data[i + 1] : 0;

		*p++ = (uint8_t)alphabet[data[i] >> 2];
		*p++ = (uint8_t)alphabet[(data[i] & 3) << 4 | second >> 4];
		*p++ = left == 2 ? (uint8_t)alphabet[(second & 15) << 2] : '=';
		*p++ = '=';
	}
	out->len += (len + 2) / 3 * 4;
	return 0;
}

static int
digit(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

int
base64_decode(const uint8_t *text, size_t len, struct buf *out)
{
	size_t start = out->len, pad = 0;
	int rc;

	if (len % 4 != 0)
		return STATUS_SYNTAX;
	if (len > 0 && text[len - 1] == '=')
		pad = text[len - 2] == '=' ? 2 : 1;
	rc = buf_reserve(out, len / 4 * 3);
	if (rc != 0)
		return rc;
	for (size_t i = 0; i < len; i += 4) {
		uint32_t bits = 0;
		size_t digits = i + 4 == len ? 4 - pad : 4;

		for (size_t k = 0; k < 4; k++) {
			int d = k < digits ? digit(text[i + k]) : 0;

			if (d < 0)
				goto bad;
			bits = bits << 6 | (uint32_t)d;
		}
		/* Bits behind the last byte must be 0: one text per value. */
		if ((digits == 3 && (bits & 0xff) != 0) ||
		    (digits == 2 && (bits & 0xffff) != 0))
			goto bad;
		out->data[out->len++] = (uint8_t)(bits >> 16);
		if (digits > 2)
			out->data[out->len++] = (uint8_t)(bits >> 8);
		if (digits > 3)
			out->data[out->len++] = (uint8_t)bits;
	}
	return 0;
bad:
	out->len = start;
	return STATUS_SYNTAX;
}

void
base64_id_encode(const uint8_t id[16], char out[BASE64_ID_LEN + 1])
{
	uint32_t bits = 0;
	int have = 0, at = 0;

	for (int i = 0; i < BASE64_ID_LEN; i++) {
		if (have < 6) {
			bits = bits << 8 | (at < 16 ? id[at] : 0);
			at++;
			have += 8;
		}
		have -= 6;
		out[i] = BASE64_URL[bits >> have & 63];
	}
	out[BASE64_ID_LEN] = '\0';
}

/* Again until it does not look like an option, as Kafka's never do. */
int
base64_id_make(char out[BASE64_ID_LEN + 1])
{
	uint8_t b[16];

	do {
		if (getentropy(b, sizeof(b)) != 0)
			return errno;
		b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
		b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
		base64_id_encode(b, out);
	} while (out[0] == '-');
	return 0;
}

bool
base64_id_decode(const char *text, uint8_t out[16])
{
	uint8_t padded[BASE64_ID_LEN + 2];
	struct buf b;
	bool ok;

	if (strlen(text) != BASE64_ID_LEN ||
	    strspn(text, BASE64_URL) != BASE64_ID_LEN)
		return false;
	/* Into the common alphabet, with padding. */
	for (int i = 0; i < BASE64_ID_LEN; i++)
		padded[i] = (uint8_t)(text[i] == '-' ? '+'
			: text[i] == '_'             ? '/'
						     : text[i]);
	memset(padded + BASE64_ID_LEN, '=', 2);
	buf_init(&b, sizeof(padded));
	ok = base64_decode(padded, sizeof(padded), &b) == 0 && b.len == 16;
	if (ok)
		memcpy(out, b.data, 16);
	buf_release(&b);
	return ok;
}
