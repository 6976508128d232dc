#include "base/plain.h"

#include "tap.h"

static char out[16];

static const char *
plain(const char *text, size_t len)
{
	plain_copy(text, len, out, sizeof(out));
	return out;
}

int
main(void)
{
	tap_str(plain("gr\xc3\xbc\xc3\x9f", 6), "gr\xc3\xbc\xc3\x9f");
	/* A title, the end of a line, what ends a string. */
	tap_str(plain("\033]0;x\a\r\n\t\0\x7f.", 12), "?]0;x??????.");
	/* CSI of C1; and half a letter. */
	tap_str(plain("a\xc2\x9b"
		      "2J",
		    5),
	    "a??2J");
	tap_str(plain("\xc2", 1), "\xc2");
	tap_str(plain("0123456789abcdefg", 17), "0123456789abcde");
	tap_str(plain(NULL, 0), "");
	return tap_done();
}
