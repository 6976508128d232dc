#include "base/siphash.h"

#include <string.h>

#include "tap.h"

/*
 * The key 00 01 .. 0f and the inputs "", 00, 00 01, ...: the first two outputs
 * as the authors' test vectors have them (bytes of low, then of high).
 */
static const struct {
	size_t len;
	uint8_t want[16];
} vectors[] = {
    {0,
	{0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14,
	    0xc7, 0x55, 0x02, 0x93}},
    {1,
	{0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11,
	    0x9b, 0x22, 0xfc, 0x45}},
};

int
main(void)
{
	static const uint64_t key[2] = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
	uint8_t input[64];
	struct siphash h, other;

	for (size_t i = 0; i < sizeof(input); i++)
		input[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		h = siphash_128(key, input, vectors[i].len);
		tap(memcmp(&h.low, vectors[i].want, 8) == 0 &&
			memcmp(&h.high, vectors[i].want + 8, 8) == 0,
		    "the authors' vector of %zu bytes", vectors[i].len);
	}
	/* Every length and every byte counts. */
	for (size_t len = 0; len < sizeof(input); len++) {
		bool differ = true;

		h = siphash_128(key, input, len);
		other = siphash_128(key, input, len + 1);
		differ = h.low != other.low && h.high != other.high;
		for (size_t i = 0; i < len; i++) {
			input[i] ^= 0x40;
			other = siphash_128(key, input, len);
			input[i] ^= 0x40;
			differ = differ && h.low != other.low;
		}
		tap(differ, "%zu bytes", len);
	}
	return tap_done();
}
