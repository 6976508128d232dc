/*
 * Two ways to the same sum: the processor's own CRC-32C instruction where it
 * has one, else eight tables, eight bytes a step.
 *
 * The instruction takes 8 bytes a cycle but each needs the result of the one
 * before, three cycles earlier, so three streams of equal length are summed
 * side by side.  The sum of A and then B is the sum of A followed by len(B)
 * zeros, xor the sum of B (begun with 0).  To append N zeros is to multiply by
 * x^(8N) modulo the polynomial: one carry-less product with x^(8N-33), whose 64
 * bits the instruction reduces, itself multiplying by x^33 (32 as every CRC
 * does, 1 because the product of reflected numbers is a bit short).
 */

#include "base/crc32c.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

static uint64_t
load_64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* tables[k][b]: the sum of byte b and k zeros after it. */
static uint32_t tables[8][256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void
make_tables(void)
{
	for (uint32_t b = 0; b < 256; b++) {
		uint32_t crc = b;

		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
		tables[0][b] = crc;
	}
	for (int k = 1; k < 8; k++)
		for (uint32_t b = 0; b < 256; b++) {
			uint32_t crc = tables[k - 1][b];

			tables[k][b] = (crc >> 8) ^ tables[0][crc & 0xff];
		}
}

static uint32_t
update_by_table(uint32_t crc, const uint8_t *p, size_t len)
{
	(void)pthread_once(&tables_once, make_tables);
	for (; len >= 8; p += 8, len -= 8) {
		uint64_t v = load_64(p) ^ crc;

		crc = 0;
		for (int i = 0; i < 8; i++)
			crc ^= tables[7 - i][v >> (8 * i) & 0xff];
	}
	for (; len > 0; p++, len--)
		crc = (crc >> 8) ^ tables[0][(crc ^ *p) & 0xff];
	return crc;
}

/* Polynomials modulo the CRC's, x^0 being the highest bit. */
static uint32_t
multiply(uint32_t a, uint32_t b)
{
	uint32_t product = 0;

	for (uint32_t bit = 1U << 31; bit != 0; bit >>= 1) {
		if (a & bit)
			product ^= b;
		b = crc32c_before(b);
	}
	return product;
}

/* a times b^n. */
static uint32_t
multiply_by_power(uint32_t a, uint32_t b, uint64_t n)
{
	for (; n != 0; n >>= 1) {
		if (n & 1)
			a = multiply(a, b);
		b = multiply(b, b);
	}
	return a;
}

/* The sum crc followed by len zeros. */
static uint32_t
zeros_by_table(uint32_t crc, uint64_t len)
{
	return multiply_by_power(crc, 1U << 23, len); /* x^8 */
}

#ifdef __x86_64__
#include <immintrin.h>

#define HARDWARE __attribute__((target("sse4.2,pclmul")))

/* Bytes of a stream, long and short, and x^(8N-33) for each. */
enum {
	LONG = 1024,
	SHORT = 128,
};
static const uint32_t long_zeros = 0x170076fa;
static const uint32_t short_zeros = 0x0d3b6092;

/* The sum crc followed by the zeros that factor stands for. */
HARDWARE static uint64_t
append_zeros(uint64_t crc, uint32_t factor)
{
	__m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)crc),
	    _mm_cvtsi32_si128((int)factor), 0);

	return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(product));
}

/*
 * Three streams of stream_len bytes each, one after the other at p.  What
 * comes behind them is fetched meanwhile, once a cache line: streams as short
 * as these end before the processor has seen that they are some.
 */
HARDWARE static uint64_t
update_three(uint64_t crc, const uint8_t *p, size_t stream_len, uint32_t factor)
{
	const uint8_t *end = p + stream_len;
	uint64_t second = 0, third = 0;

	for (; p < end; p += 8) {
		if (((uintptr_t)p & 56) == 0)
			for (size_t i = 3; i < 6; i++)
				__builtin_prefetch(p + i * stream_len);
		crc = _mm_crc32_u64(crc, load_64(p));
		second = _mm_crc32_u64(second, load_64(p + stream_len));
		third = _mm_crc32_u64(third, load_64(p + 2 * stream_len));
	}
	crc = append_zeros(crc, factor) ^ second;
	return append_zeros(crc, factor) ^ third;
}

HARDWARE static uint32_t
update_by_hardware(uint32_t start, const uint8_t *p, size_t len)
{
	uint64_t crc = start;

	for (; len >= 3 * LONG; p += 3 * LONG, len -= 3 * LONG)
		crc = update_three(crc, p, LONG, long_zeros);
	for (; len >= 3 * SHORT; p += 3 * SHORT, len -= 3 * SHORT)
		crc = update_three(crc, p, SHORT, short_zeros);
	for (; len >= 8; p += 8, len -= 8)
		crc = _mm_crc32_u64(crc, load_64(p));
	for (; len > 0; p++, len--)
		crc = _mm_crc32_u8((uint32_t)crc, *p);
	return (uint32_t)crc;
}

/* Of 8 zeros the factor is x^31; of twice as many, itself appended to it. */
HARDWARE static uint32_t
zeros_by_hardware(uint32_t start, uint64_t len)
{
	uint64_t crc = start, factor = 1;

	for (; len % 8 != 0; len--)
		crc = _mm_crc32_u8((uint32_t)crc, 0);
	for (len /= 8; len != 0; len >>= 1) {
		if (len & 1)
			crc = append_zeros(crc, (uint32_t)factor);
		factor = append_zeros(factor, (uint32_t)factor);
	}
	return (uint32_t)crc;
}

static bool
has_hardware(void)
{
	return __builtin_cpu_supports("sse4.2") &&
	    __builtin_cpu_supports("pclmul");
}
#else
static uint32_t
update_by_hardware(uint32_t crc, const uint8_t *p, size_t len)
{
	return update_by_table(crc, p, len);
}

static uint32_t
zeros_by_hardware(uint32_t crc, uint64_t len)
{
	return zeros_by_table(crc, len);
}

static bool
has_hardware(void)
{
	return false;
}
#endif

static bool portable_only;

void
crc32c_portable(bool only)
{
	portable_only = only;
}

uint32_t
crc32c_update(uint32_t crc, const void *data, size_t len)
{
	if (has_hardware() && !portable_only)
		return ~update_by_hardware(~crc, data, len);
	return ~update_by_table(~crc, data, len);
}

uint32_t
crc32c(const void *data, size_t len)
{
	return crc32c_update(0, data, len);
}

uint32_t
crc32c_before(uint32_t change)
{
	return (change >> 1) ^ ((change & 1) != 0 ? 0x82f63b78 : 0);
}

uint32_t
crc32c_change(uint64_t behind)
{
	return multiply_by_power(1U << 31, 1U << 30, behind + 32);
}

uint32_t
crc32c_append(uint32_t first, uint32_t second, uint64_t second_len)
{
	if (has_hardware() && !portable_only)
		return zeros_by_hardware(first, second_len) ^ second;
	return zeros_by_table(first, second_len) ^ second;
}
