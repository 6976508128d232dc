#include "base/find.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#ifdef __SSE2__
/* Places of p[0..16) where a needle with these ends may begin, as bits. */
static unsigned
candidates(const uint8_t *p, size_t last_at, __m128i first, __m128i last)
{
	__m128i a = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i b =
	    _mm_loadu_si128((const __m128i *)(const void *)(p + last_at));

	return (unsigned)_mm_movemask_epi8(
	    _mm_and_si128(_mm_cmpeq_epi8(a, first), _mm_cmpeq_epi8(b, last)));
}
#endif

bool
find_bytes(const uint8_t *data, size_t len, const uint8_t *needle,
    size_t needle_len)
{
	if (needle_len == 0)
		return true;
#ifdef __SSE2__
	const __m128i first = _mm_set1_epi8((char)needle[0]);
	const __m128i last = _mm_set1_epi8((char)needle[needle_len - 1]);

	while (len >= needle_len + 15) {
		unsigned bits = candidates(data, needle_len - 1, first, last);

		for (; bits != 0; bits &= bits - 1)
			if (memcmp(data + __builtin_ctz(bits), needle,
				needle_len) == 0)
				return true;
		data += 16;
		len -= 16;
	}
#endif
	return memmem(data, len, needle, needle_len) != NULL;
}
