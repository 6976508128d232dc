#include "store/keymap.h"

#include <errno.h>

#include "base/status.h"
#include "tap.h"

static struct keymap *m;

static struct keymap_key
key_of(unsigned n)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%s%u",
	    n % 3 == 0 ? "customer-" : "", n);

	return keymap_key_of(m, (struct bytes){(const uint8_t *)text, len});
}

/* The list of offsets against the array. */
static void
check_offsets(const int64_t *want, unsigned keys, int64_t base)
{
	const uint32_t *list;
	size_t n = keymap_take_offsets(m, &list), known = 0;
	bool ascends = true, there = true;

	for (unsigned k = 0; k < keys; k++)
		known += want[k] != 0;
	tap_int(n, known, "so many offsets");
	for (size_t i = 1; i < n; i++)
		ascends = ascends && list[i - 1] < list[i];
	tap(ascends, "they ascend");
	for (unsigned k = 0; k < keys; k++) {
		size_t low = 0, high = n;

		while (want[k] != 0 && low < high) {
			size_t mid = low + (high - low) / 2;

			if (base + list[mid] < want[k])
				low = mid + 1;
			else
				high = mid;
		}
		there = there &&
		    (want[k] == 0 || (low < n && base + list[low] == want[k]));
	}
	tap(there, "each key's is in it");
}

/* Keys in any order against an array that has the answer. */
static void
test_random(void)
{
	enum { KEYS = 20000, PUTS = 100000 };
	static int64_t want[KEYS];
	const int64_t base = INT64_C(9000000000);
	bool same = true;
	size_t count = 0;

	tap(keymap_new(1 << 20, &m) == 0, "a new map");
	keymap_clear(m, base);
	for (int64_t i = 0; i < PUTS; i++) {
		/* Some are to be there for certain. */
		unsigned n =
		    (unsigned)(i < 10 ? (uint64_t)i : tap_random() % KEYS);

		count += want[n] == 0;
		want[n] = base + i;
		if (keymap_put(m, key_of(n), base + i) != 0)
			same = false;
	}
	tap(same, "every key is taken");
	for (unsigned n = 0; n < KEYS; n++)
		if (keymap_find(m, key_of(n)) != (want[n] == 0 ? -1 : want[n]))
			same = false;
	tap(same, "each key is found at its last offset");
	tap_int(keymap_count(m), count, "so many");
	tap(keymap_bytes(m) <= 27 * count, "at most 27 bytes a key: %zu of %zu",
	    keymap_bytes(m), count);
	keymap_drop(m, key_of(7));
	keymap_drop(m, key_of(7));
	keymap_drop(m, key_of(KEYS + 7));
	tap_int(keymap_find(m, key_of(7)), -1, "dropped");
	tap(keymap_live(m) == count - 1 && keymap_count(m) == count,
	    "one is not live");
	tap(keymap_find(m, key_of(8)) >= 0, "not the next");
	want[7] = 0;
	check_offsets(want, KEYS, base);
	keymap_clear(m, 0);
	tap(keymap_count(m) == 0 && keymap_find(m, key_of(8)) == -1, "cleared");
	keymap_free(m);
}

static void
test_limits(void)
{
	unsigned n = 0;
	int rc;

	tap(keymap_new(KEYMAP_BYTES_MIN - 1, &m) == EINVAL, "too small");
	if (!tap(keymap_new(KEYMAP_BYTES_MIN, &m) == 0, "the smallest"))
		return;
	while ((rc = keymap_put(m, key_of(n), n)) == 0 && n < 1000000)
		n++;
	tap_int(rc, STATUS_TOO_BIG, "full");
	tap(keymap_bytes(m) <= KEYMAP_BYTES_MIN && n == keymap_count(m) &&
		n > KEYMAP_BYTES_MIN / 20,
	    "and used: %u keys", n);
	tap(keymap_put(m, key_of(5), 5000000) == 0 &&
		keymap_find(m, key_of(5)) == 5000000,
	    "a key that is there can move on");
	tap(keymap_put(m, key_of(5), INT64_C(1) << 32) == STATUS_TOO_BIG,
	    "not by 2^32");
	keymap_free(m);
}

static void
test_empty_key(void)
{
	struct keymap_key empty;

	if (!tap(keymap_new(KEYMAP_BYTES_MIN, &m) == 0, "a map"))
		return;
	empty = keymap_key_of(m, (struct bytes){(const uint8_t *)"", 0});
	tap(keymap_find(m, empty) == -1 && keymap_put(m, empty, 3) == 0 &&
		keymap_find(m, empty) == 3,
	    "an empty key is a key");
	keymap_free(m);
}

int
main(void)
{
	test_random();
	test_limits();
	test_empty_key();
	return tap_done();
}
