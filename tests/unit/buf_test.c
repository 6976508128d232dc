#include "base/buf.h"

#include <errno.h>

#include "base/status.h"
#include "tap.h"

static void
test_values(void)
{
	static const uint8_t want[] = {1, 0x12, 0x34, 0xde, 0xad, 0xbe, 0xef,
	    0x80, 0, 0, 0, 0, 0, 0, 0x01, 'a', 'b', 0xff};
	struct buf b;

	buf_init(&b, 64);
	tap(b.data == NULL && b.len == 0, "nothing is allocated");
	tap(buf_add_8(&b, 1) == 0 && buf_add_16(&b, 0x1234) == 0 &&
		buf_add_32(&b, 0xdeadbeef) == 0 &&
		buf_add_64(&b, UINT64_C(0x8000000000000001)) == 0 &&
		buf_add_str(&b, "ab") == 0 && buf_add(&b, "\xff", 1) == 0,
	    "add one of each");
	tap_int(b.len, sizeof(want), "length");
	tap(memcmp(b.data, want, sizeof(want)) == 0, "big-endian");
	tap_int(buf_get_16(b.data + 1), 0x1234, "get 16");
	tap_int(buf_get_32(b.data + 3), 0xdeadbeef, "get 32");
	tap(buf_get_64(b.data + 7) == UINT64_C(0x8000000000000001), "get 64");
	buf_put_16(b.data, 0xfffe);
	tap_int(buf_get_16(b.data), 0xfffe, "put 16");
	buf_put_32(b.data, 0x01020304);
	tap(memcmp(b.data, "\1\2\3\4", 4) == 0, "put 32");
	buf_put_64(b.data, UINT64_C(0x0102030405060708));
	tap(memcmp(b.data, "\1\2\3\4\5\6\7\x08", 8) == 0, "put 64");
	buf_release(&b);
	tap(b.data == NULL && b.len == 0 && b.max == 64, "empty again");
}

static void
test_maximum(void)
{
	struct buf b;

	buf_init(&b, 1000);
	tap_int(buf_reserve(&b, 1001), STATUS_TOO_BIG, "over the maximum");
	tap_int(buf_reserve(&b, SIZE_MAX), STATUS_TOO_BIG, "far over it");
	tap_int(buf_reserve(&b, 1000), 0, "exactly");
	tap_int(b.cap, 1000, "no more is allocated");
	for (int i = 0; i < 999; i++)
		buf_add_8(&b, (uint8_t)i);
	tap_int(buf_add_16(&b, 7), STATUS_TOO_BIG, "two bytes where one fits");
	tap_int(b.len, 999, "nothing was added");
	tap_int(buf_add(&b, NULL, 0), 0, "nothing, from nowhere");
	tap_int(buf_add_8(&b, 7), 0, "the last one");
	tap_int(buf_reserve(&b, 0), 0, "room for nothing");
	tap_int(buf_reserve(&b, SIZE_MAX), STATUS_TOO_BIG, "no wrap around");
	tap_int(b.data[998], 998 & 0xff, "the contents stayed");
	buf_release(&b);
}

static void
test_format(void)
{
	struct buf b;

	buf_init(&b, 11);
	tap_int(buf_addf(&b, "%s-%d", "ab", 12), 0, "printf");
	tap_int(buf_addf(&b, "%s", ""), 0, "nothing");
	tap_int(b.len, 5, "without its NUL");
	tap(memcmp(b.data, "ab-12", 5) == 0, "text");
	tap_int(buf_addf(&b, "%d", 123456), STATUS_TOO_BIG, "no room");
	tap_int(b.len, 5, "as it was");
	tap_int(buf_addf(&b, "%d", 12345), 0, "to the end but one");
	buf_release(&b);
}

int
main(void)
{
	test_values();
	test_maximum();
	test_format();
	return tap_done();
}
