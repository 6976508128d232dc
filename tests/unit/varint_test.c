#include "base/varint.h"

#include "tap.h"

static const struct {
	int64_t v;
	size_t len;
	const char *bytes;
} known[] = {
    {0, 1, "\x00"},
    {-1, 1, "\x01"},
    {1, 1, "\x02"},
    {-64, 1, "\x7f"},
    {64, 2, "\x80\x01"},
    {-65, 2, "\x81\x01"},
    {300, 2, "\xd8\x04"},
    {INT32_MAX, 5, "\xfe\xff\xff\xff\x0f"},
    {INT32_MIN, 5, "\xff\xff\xff\xff\x0f"},
    {INT64_MAX, 10, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
    {INT64_MIN, 10, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
};

static void
test_known(void)
{
	uint8_t p[VARINT_LEN_MAX];

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		size_t len = (size_t)(varint_put(p, known[i].v) - p);
		int64_t back = 5;

		tap_int(len, known[i].len, "length of %" PRId64, known[i].v);
		tap_int(varint_len(known[i].v), len, "as foretold");
		tap(memcmp(p, known[i].bytes, len) == 0, "bytes");
		tap(varint_get(p, p + len, &back) == p + len &&
			back == known[i].v,
		    "and back");
	}
}

/* A value of any number of bits, so that every length comes up. */
static int64_t
random_value(void)
{
	uint64_t u = tap_random() >> (tap_random() % 64);

	return tap_random() % 2 == 0 ? (int64_t)u : -(int64_t)(u >> 1);
}

static void
test_round_trip(void)
{
	int bad = 0, bad_short = 0, bad_32 = 0;

	for (int i = 0; i < 200000; i++) {
		int64_t v = random_value(), back = ~v;
		uint8_t p[VARINT_LEN_MAX];
		uint8_t *end = varint_put(p, v);
		int32_t small = 0;
		bool fits = v >= INT32_MIN && v <= INT32_MAX;

		bad += varint_get(p, end, &back) != end || back != v ||
		    (size_t)(end - p) != varint_len(v);
		for (const uint8_t *cut = p; cut < end; cut++)
			bad_short += varint_get(p, cut, &back) != NULL ||
			    varint_get_32(p, cut, &small) != NULL;
		bad_32 += varint_get_32(p, end, &small) != (fits ? end : NULL);
		bad_32 += fits && small != (int32_t)v;
	}
	tap_int(bad, 0, "what was put is got");
	tap_int(bad_short, 0, "cut short it is refused");
	tap_int(bad_32, 0, "as 32 bits if it fits them");
}

static void
test_refused(void)
{
	static const uint8_t over[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
	    0xff, 0xff, 0x02};
	static const uint8_t endless[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
	    0x80, 0x80, 0x80, 0x80, 0x00};
	static const uint8_t padded[] = {0x82, 0x80, 0x80, 0x00};
	static const uint8_t big[] = {0x80, 0x80, 0x80, 0x80, 0x10};
	int64_t v = 5;
	int32_t v32 = 5;

	tap(varint_get(over, over + sizeof(over), &v) == NULL, "a 65th bit");
	tap(varint_get(endless, endless + sizeof(endless), &v) == NULL,
	    "an eleventh byte");
	tap(varint_get_32(big, big + sizeof(big), &v32) == NULL,
	    "a 33rd bit, for 32");
	tap(v == 5 && v32 == 5, "the result is left as it was");
	/* Kafka's writer never makes one, its reader takes it. */
	tap(varint_get(padded, padded + 4, &v) == padded + 4 && v == 1,
	    "a longer form than needed is read");
}

int
main(void)
{
	test_known();
	test_round_trip();
	test_refused();
	return tap_done();
}
