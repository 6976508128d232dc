#include "base/view.h"

#include "base/status.h"
#include "tap.h"

static const uint8_t bytes[] = {1, 0x12, 0x34, 0xde, 0xad, 0xbe, 0xef, 0x80, 0,
    0, 0, 0, 0, 0, 2, 9};

static void
test_get(void)
{
	struct view v = {bytes, sizeof(bytes)}, part;
	uint8_t a;
	uint16_t b;
	uint32_t c;
	uint64_t d;

	tap(view_get_8(&v, &a) == 0 && a == 1, "8 bits");
	tap(view_get_16(&v, &b) == 0 && b == 0x1234, "16 bits");
	tap(view_get_32(&v, &c) == 0 && c == 0xdeadbeef, "32 bits");
	tap(view_get_64(&v, &d) == 0 && d == UINT64_C(0x8000000000000002),
	    "64 bits");
	tap(view_get(&v, 0, &part) == 0 && part.len == 0, "nothing");
	tap_int(v.len, 1, "what is left");
	tap(view_get(&v, 1, &part) == 0 && part.len == 1 && part.data[0] == 9,
	    "a part");
	tap_int(view_get_8(&v, &a), STATUS_SHORT, "the end");
	tap_int(view_get(&v, 0, &part), 0, "nothing, at the end");
}

/* Each get on each length that is too short: nothing moves, no byte is read */
static void
test_short(void)
{
	struct view part = {NULL, 0};
	uint8_t a = 7;
	uint16_t b = 7;
	uint32_t c = 7;
	uint64_t d = 7;
	int bad = 0;

	for (size_t len = 0; len < 8; len++) {
		/* of its own, so that a checker sees a byte read after it */
		uint8_t *own = malloc(len + (len == 0));
		struct view v = {own, len};

		if (own == NULL)
			abort();
		memcpy(own, bytes, len);
		bad += view_get_64(&v, &d) != STATUS_SHORT;
		bad += len < 4 && view_get_32(&v, &c) != STATUS_SHORT;
		bad += len < 2 && view_get_16(&v, &b) != STATUS_SHORT;
		bad += len < 1 && view_get_8(&v, &a) != STATUS_SHORT;
		bad += view_get(&v, len + 1, &part) != STATUS_SHORT;
		bad += view_get(&v, SIZE_MAX, &part) != STATUS_SHORT;
		bad += v.data != own || v.len != len;
		free(own);
	}
	tap_int(bad, 0, "too short: STATUS_SHORT and nothing moves");
	tap(a == 7 && b == 7 && c == 7 && d == 7 && part.data == NULL,
	    "nor is anything set");
}

int
main(void)
{
	test_get();
	test_short();
	return tap_done();
}
