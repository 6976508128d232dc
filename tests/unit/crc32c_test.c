#include "base/crc32c.h"

#include "tap.h"

/* RFC 3720 B.4: of 32 bytes, and the check value of the polynomial. */
static void
test_known(void)
{
	uint8_t p[32];

	tap_int(crc32c("", 0), 0, "nothing");
	tap_int(crc32c("123456789", 9), 0xe3069283, "the check value");
	memset(p, 0, sizeof(p));
	tap_int(crc32c(p, sizeof(p)), 0x8a9136aa, "zeros");
	memset(p, 0xff, sizeof(p));
	tap_int(crc32c(p, sizeof(p)), 0x62a8ab43, "ones");
	for (uint8_t i = 0; i < 32; i++)
		p[i] = i;
	tap_int(crc32c(p, sizeof(p)), 0x46dd794e, "ascending");
	for (uint8_t i = 0; i < 32; i++)
		p[i] = (uint8_t)(31 - i);
	tap_int(crc32c(p, sizeof(p)), 0x113fdb5c, "descending");
}

/* The definition, bit by bit. */
static uint32_t
plain(const uint8_t *p, size_t len)
{
	uint32_t crc = ~UINT32_C(0);

	for (; len > 0; p++, len--) {
		crc ^= *p;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

/* Every length around where the fast ways change, at every alignment. */
static void
test_plain(void)
{
	static uint8_t p[70000];
	int bad = 0, bad_parts = 0;

	for (size_t i = 0; i < sizeof(p); i++)
		p[i] = (uint8_t)tap_random();
	for (size_t len = 0; len < 900; len++)
		for (size_t at = 0; at < 8; at++)
			bad += crc32c(p + at, len) != plain(p + at, len);
	tap_int(bad, 0, "short ones are as defined");
	bad = 0;
	for (int i = 0; i < 100; i++) {
		size_t len = tap_random() % (sizeof(p) - 8);
		size_t at = tap_random() % 8, cut = tap_random() % (len + 1);
		uint32_t want = plain(p + at, len);

		bad += crc32c(p + at, len) != want;
		bad_parts += crc32c_update(crc32c(p + at, cut), p + at + cut,
				 len - cut) != want;
	}
	tap_int(bad, 0, "long ones are as defined");
	tap_int(bad_parts, 0, "and in two parts");
}

/* The check value of the polynomial, in every two parts, and behind zeros. */
static void
test_append(void)
{
	static uint8_t p[70000];
	static const struct {
		uint64_t zeros;
		uint32_t crc;
	} far[] = {
	    {1, 0x9145ce1e},
	    {7, 0x96853605},
	    {8, 0x3567912a},
	    {1000003, 0x96d609ed},
	    {INT32_MAX, 0xe3069283}, /* the order of x */
	    {(UINT64_C(1) << 40) + 5, 0x6a6f07f3},
	};
	const char *digits = "123456789";
	int bad = 0;

	for (size_t cut = 0; cut <= 9; cut++)
		bad +=
		    crc32c_append(crc32c(digits, cut),
			crc32c(digits + cut, 9 - cut), 9 - cut) != 0xe3069283;
	tap_int(bad, 0, "the check value, of any two parts");
	bad = 0;
	for (size_t i = 0; i < sizeof(p); i++)
		p[i] = (uint8_t)tap_random();
	for (int i = 0; i < 1000; i++) {
		size_t len = tap_random() % sizeof(p);
		size_t cut = tap_random() % (len + 1);

		bad += crc32c_append(crc32c(p, cut), crc32c(p + cut, len - cut),
			   len - cut) != crc32c(p, len);
	}
	tap_int(bad, 0, "long ones, of any two parts");
	tap_int(crc32c_append(crc32c(p, 0), 0x8a9136aa, 32), 0x8a9136aa,
	    "behind nothing");
	for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++)
		tap_int(crc32c_append(0xe3069283, 0, far[i].zeros), far[i].crc,
		    "with %" PRIu64 " bytes behind that sum to 0",
		    far[i].zeros);
}

/* Each bit of a message, changed. */
static void
test_change(void)
{
	uint8_t message[300];
	uint32_t before, change = crc32c_change(0);
	int wrong = 0;

	for (size_t i = 0; i < sizeof(message); i++)
		message[i] = (uint8_t)tap_random();
	before = crc32c(message, sizeof(message));
	for (size_t bit = sizeof(message) * 8; bit > 0; bit--) {
		uint64_t behind = sizeof(message) * 8 - bit;
		uint8_t *at = &message[(bit - 1) / 8];
		uint8_t mask = (uint8_t)(1 << (bit - 1) % 8);

		*at ^= mask;
		wrong +=
		    (before ^ crc32c(message, sizeof(message))) != change ||
		    change != crc32c_change(behind);
		*at ^= mask;
		change = crc32c_before(change);
	}
	tap_int(wrong, 0, "what a bit does to the checksum is known");
}

int
main(void)
{
	for (int portable = 0; portable < 2; portable++) {
		printf("# %s\n", portable ? "by table" : "as it comes");
		crc32c_portable(portable);
		test_known();
		test_plain();
		test_append();
	}
	test_change();
	return tap_done();
}
