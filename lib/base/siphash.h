#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

/*
 * SipHash-2-4 with 128 bits of output: a hash that nobody can find collisions
 * of without its key (Aumasson, Bernstein: "SipHash: a fast short-input PRF",
 * INDOCRYPT 2012; the 128-bit variant of the authors' later revision).
 */

#include <stddef.h>
#include <stdint.h>

struct siphash {
	uint64_t low;
	uint64_t high;
};

/* key[0] is the key's first eight bytes, little-endian. */
struct siphash siphash_128(const uint64_t key[2], const void *data, size_t len);

#endif
