/* Numbers of one to ten bytes. */

#include "base/varint.h"

#include <string.h>

#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = data + size, *p = data, *next, *narrow;
	uint8_t again[VARINT_LEN_MAX];
	int32_t n;
	int64_t v, w;

	while (p < end) {
		next = varint_get(p, end, &v);
		narrow = varint_get_32(p, end, &n);
		if (next != NULL && v >= INT32_MIN && v <= INT32_MAX)
			fuzz_must(narrow == next && n == v);
		else
			fuzz_must(narrow == NULL);
		if (next == NULL) {
			p++;
			continue;
		}
		fuzz_must(next > p && next - p <= VARINT_LEN_MAX);
		/* The shortest form of it is read as the same. */
		fuzz_must(varint_put(again, v) == again + varint_len(v));
		fuzz_must(varint_len(v) <= (size_t)(next - p));
		fuzz_must(varint_get(again, again + varint_len(v), &w) ==
		    again + varint_len(v));
		fuzz_must(v == w);
		p = next;
	}
	return 0;
}
