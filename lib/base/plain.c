#include "base/plain.h"

#include <stdbool.h>
#include <stdint.h>

static bool
is_control(const uint8_t *p, size_t left)
{
	return p[0] < ' ' || p[0] == 0x7f ||
	    (p[0] == 0xc2 && left > 1 && p[1] >= 0x80 && p[1] < 0xa0);
}

void
plain_copy(const void *text, size_t len, char *out, size_t size)
{
	const uint8_t *p = text;

	if (len > size - 1)
		len = size - 1;
	for (size_t i = 0; i < len; i++) {
		bool control = is_control(p + i, len - i);

		out[i] = control ? '?' : (char)p[i];
		/* The second byte goes with it. */
		if (control && p[i] == 0xc2)
			out[++i] = '?';
	}
	out[len] = '\0';
}
