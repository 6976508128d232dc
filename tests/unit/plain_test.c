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
	tap_str(plain("\xc2", 1), "?");
	/* CSI in eight bits, letters that are none, or are cut. */
	tap_str(plain("a\x9b"
		      "2J",
		    4),
	    "a?2J");
	tap_str(plain("\xc0\x9b\xe0\x82\x9b\xed\xa0\x80", 8), "????????");
	tap_str(plain("\xf4\x90\x80\x80\xf5\xff", 6), "??????");
	tap_str(plain("\xe2\x82\xac\xf0\x9f\x98\x80", 7),
	    "\xe2\x82\xac\xf0\x9f\x98\x80");
	tap_str(plain("\xe2\x82", 2), "??");
	/* No width; from right to left; a mark of byte order; and next to them. */
	tap_str(plain("a\xe2\x80\x8b.\xd8\x9c.\xef\xbb\xbf.", 12),
	    "a???.??.???.");
	tap_str(plain("\xe2\x80\xaegpj.\xe2\x81\xa6", 10), "???gpj.???");
	tap_str(plain("\xe2\x80\x8f\xe2\x80\xa8\xe2\x81\xa0\xe2\x81\xaf", 12),
	    "????????????");
	tap_str(plain("\xe2\x80\x90\xe2\x80\xaf\xe2\x80\x8a\xd8\x9b", 11),
	    "\xe2\x80\x90\xe2\x80\xaf\xe2\x80\x8a\xd8\x9b");
	tap_str(plain("0123456789abcd\xc3\xbc", 16), "0123456789abcd?");
	tap_str(plain("0123456789abcdefg", 17), "0123456789abcde");
	tap_str(plain(NULL, 0), "");
	return tap_done();
}
