/* Finding bytes: the same answers as memmem(3). */

#include "base/find.h"

#include <string.h>

#include "tap.h"

int
main(void)
{
	uint8_t data[200], needle[40];
	int wrong = 0, found = 0;

	for (int i = 0; i < 200000; i++) {
		size_t len = tap_random() % sizeof(data);
		size_t needle_len = tap_random() % sizeof(needle);
		bool want;

		/* Few letters, so that needles are often there. */
		for (size_t k = 0; k < len; k++)
			data[k] = (uint8_t)(tap_random() % 3);
		for (size_t k = 0; k < needle_len; k++)
			needle[k] = (uint8_t)(tap_random() % 3);
		if (needle_len <= len && tap_random() % 2 == 0)
			memcpy(needle,
			    data + tap_random() % (len - needle_len + 1),
			    needle_len);
		want = memmem(data, len, needle, needle_len) != NULL;
		wrong += find_bytes(data, len, needle, needle_len) != want;
		found += want;
	}
	tap_int(wrong, 0, "as memmem");
	tap(found > 50000 && found < 199000, "often there, often not");
	return tap_done();
}
