#include "base/siphash.h"

#include <endian.h>
#include <string.h>

struct lanes {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t
rotate(uint64_t x, int bits)
{
	return (x << bits) | (x >> (64 - bits));
}

static inline void
mix(struct lanes *v, int rounds)
{
	while (rounds-- > 0) {
		v->v0 += v->v1;
		v->v2 += v->v3;
		v->v1 = rotate(v->v1, 13) ^ v->v0;
		v->v3 = rotate(v->v3, 16) ^ v->v2;
		v->v0 = rotate(v->v0, 32);
		v->v2 += v->v1;
		v->v0 += v->v3;
		v->v1 = rotate(v->v1, 17) ^ v->v2;
		v->v3 = rotate(v->v3, 21) ^ v->v0;
		v->v2 = rotate(v->v2, 32);
	}
}

static inline void
take(struct lanes *v, uint64_t word)
{
	v->v3 ^= word;
	mix(v, 2);
	v->v0 ^= word;
}

struct siphash
siphash_128(const uint64_t key[2], const void *data, size_t len)
{
	/* The constants spell "somepseudorandomlygeneratedbytes". */
	struct lanes v = {
	    .v0 = 0x736f6d6570736575 ^ key[0],
	    .v1 = 0x646f72616e646f6d ^ key[1] ^ 0xee,
	    .v2 = 0x6c7967656e657261 ^ key[0],
	    .v3 = 0x7465646279746573 ^ key[1],
	};
	const uint8_t *p = data;
	struct siphash out;
	uint64_t word;

	for (size_t left = len; left >= 8; left -= 8, p += 8) {
		memcpy(&word, p, 8);
		take(&v, le64toh(word));
	}
	word = (uint64_t)len << 56;
	for (size_t i = 0; i < len % 8; i++)
		word |= (uint64_t)p[i] << (8 * i);
	take(&v, word);
	v.v2 ^= 0xee;
	mix(&v, 4);
	out.low = v.v0 ^ v.v1 ^ v.v2 ^ v.v3;
	v.v1 ^= 0xdd;
	mix(&v, 4);
	out.high = v.v0 ^ v.v1 ^ v.v2 ^ v.v3;
	return out;
}
