#include "base/find.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#ifdef __SSE2__
enum { LANE = 16, STEP = 4 * LANE };

/* Three bytes of the needle: the first, one in the middle, the last. */
struct probe {
	__m128i first, middle, last;
	size_t middle_at, last_at;
};

static inline __m128i
equal(const uint8_t *p, __m128i byte)
{
	return _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)p),
	    byte);
}

/* Places of p[0..LANE) where a needle with these bytes may begin. */
static inline __m128i
candidates(const uint8_t *p, const struct probe *pr)
{
	return _mm_and_si128(_mm_and_si128(equal(p, pr->first),
				 equal(p + pr->middle_at, pr->middle)),
	    equal(p + pr->last_at, pr->last));
}

/* Does the needle begin in p[0..STEP)? */
static bool
is_in_step(const uint8_t *p, const struct probe *pr, const uint8_t *needle,
    size_t len)
{
	for (const uint8_t *end = p + STEP; p < end; p += LANE) {
		unsigned bits = (unsigned)_mm_movemask_epi8(candidates(p, pr));

		for (; bits != 0; bits &= bits - 1)
			if (memcmp(p + __builtin_ctz(bits), needle, len) == 0)
				return true;
	}
	return false;
}
#endif

bool
find_bytes(const uint8_t *data, size_t len, const uint8_t *needle,
    size_t needle_len)
{
	if (needle_len == 0)
		return true;
#ifdef __SSE2__
	const struct probe pr = {
	    .first = _mm_set1_epi8((char)needle[0]),
	    .middle = _mm_set1_epi8((char)needle[needle_len / 2]),
	    .last = _mm_set1_epi8((char)needle[needle_len - 1]),
	    .middle_at = needle_len / 2,
	    .last_at = needle_len - 1,
	};

	for (; len >= needle_len + STEP; data += STEP, len -= STEP) {
		__m128i any = candidates(data, &pr);

		any = _mm_or_si128(any, candidates(data + LANE, &pr));
		any = _mm_or_si128(any, candidates(data + 2 * LANE, &pr));
		any = _mm_or_si128(any, candidates(data + 3 * LANE, &pr));
		if (_mm_movemask_epi8(any) != 0 &&
		    is_in_step(data, &pr, needle, needle_len))
			return true;
	}
#endif
	return memmem(data, len, needle, needle_len) != NULL;
}
