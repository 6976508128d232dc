#include "base/plain.h"

#include <stdint.h>
#include <string.h>

/* The length of the letter in UTF-8 (RFC 3629) that begins there; 0: none. */
static size_t
letter(const uint8_t *p, size_t left)
{
	size_t len = p[0] < 0x80 ? 1
	    : p[0] < 0xc2        ? 0
	    : p[0] < 0xe0        ? 2
	    : p[0] < 0xf0        ? 3
	    : p[0] < 0xf5        ? 4
				 : 0;

	if (len > left)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* Longer than need be, half of a pair, behind the last one. */
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

/* Of C0, DEL, or (C2 80 to C2 9F) of C1. */
static int
is_control(const uint8_t *p)
{
	return p[0] < ' ' || p[0] == 0x7f || (p[0] == 0xc2 && p[1] < 0xa0);
}

/*
 * What is not seen, and changes what is (UAX #9 of Unicode): U+061C, U+200B to
 * U+200F, U+2028 to U+202E, U+2060 to U+206F, U+FEFF.
 */
static int
is_unseen(const uint8_t *p, size_t len)
{
	unsigned low = len == 3 ? (p[1] & 0x3fU) << 6 | (p[2] & 0x3f) : 0;

	if (len == 2)
		return p[0] == 0xd8 && p[1] == 0x9c;
	if (len == 3 && p[0] == 0xef)
		return low == 0xeff;
	return len == 3 && p[0] == 0xe2 &&
	    ((low >= 0x00b && low <= 0x00f) || (low >= 0x028 && low <= 0x02e) ||
		(low >= 0x060 && low <= 0x06f));
}

void
plain_copy(const void *text, size_t len, char *out, size_t size)
{
	const uint8_t *p = text;
	size_t n;

	if (len > size - 1)
		len = size - 1;
	for (size_t i = 0; i < len; i += n) {
		n = letter(p + i, len - i);
		if (n > 0 && !is_control(p + i) && !is_unseen(p + i, n)) {
			memcpy(out + i, p + i, n);
			continue;
		}
		n = n == 0 ? 1 : n;
		memset(out + i, '?', n);
	}
	out[len] = '\0';
}

void
plain_line(const char *text, char *out, size_t size)
{
	plain_copy(text, strlen(text), out, size);
	for (size_t i = 0; out[i] != '\0'; i++)
		if (text[i] == '\n')
			out[i] = ' ';
}
