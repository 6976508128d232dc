/* One record of a batch, and its headers. */

#include "store/record.h"

#include <stdlib.h>

#include "base/buf.h"
#include "fuzz.h"

enum { TIME = 1000, BASE = 100 };

/* Headers, walked over, and put together again. */
static void
walk(const struct record *r)
{
	struct record_header h;
	struct record_headers it;
	struct buf again;
	int32_t count = 0;

	buf_init(&again, 1 << 26);
	record_headers_init(&it, r);
	while (record_headers_next(&it, &h) == 0) {
		fuzz_must(h.name.len >= 0);
		fuzz_must(record_headers_add(&again, h.name, h.value) == 0);
		count++;
	}
	fuzz_must(count == r->header_count);
	/* Numbers may have been longer than they need. */
	fuzz_must(again.len <= r->headers_len);
	buf_release(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *p = data, *end = data + size, *next, *after;
	struct record r, s;
	uint8_t *again;
	size_t len;

	while (record_decode(p, end, TIME, BASE, &r, &next) == 0) {
		int64_t delta = (int64_t)((uint64_t)r.timestamp - TIME);
		int32_t distance = (int32_t)(r.offset - BASE);

		fuzz_must(next > p && next <= end);
		walk(&r);
		len = record_size(&r, delta, distance);
		fuzz_must(len <= (size_t)(next - p));
		fuzz_must(len <= record_size_max(&r));
		again = malloc(len);
		fuzz_must(
		    record_encode(again, &r, delta, distance) == again + len);
		fuzz_must(record_decode(again, again + len, TIME, BASE, &s,
			      &after) == 0 &&
		    after == again + len);
		fuzz_must(bytes_equal(r.key, s.key) &&
		    bytes_equal(r.value, s.value) && r.offset == s.offset &&
		    r.timestamp == s.timestamp &&
		    r.header_count == s.header_count);
		free(again);
		p = next;
	}
	return 0;
}
