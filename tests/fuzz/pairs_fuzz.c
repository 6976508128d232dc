/* Java's properties text; what is read is written and read as the same. */

#include "base/pairs.h"

#include <string.h>

#include "base/status.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *key, *value, *key_again, *value_again;
	struct pairs p, q;
	struct buf text;
	int rc;

	buf_init(&text, 1 << 24);
	pairs_init(&p, data, size);
	while ((rc = pairs_next(&p, &key, &value)) == 0) {
		fuzz_must(p.line_pos >= 0 && (size_t)p.line_pos <= size);
		fuzz_must(p.pos >= p.start && p.pos <= p.end);
		text.len = 0;
		fuzz_must(pairs_add(&text, key, value) == 0);
		pairs_init(&q, text.data, text.len);
		fuzz_must(pairs_next(&q, &key_again, &value_again) == 0);
		fuzz_must(strcmp(key, key_again) == 0 &&
		    strcmp(value, value_again) == 0);
		fuzz_must(
		    pairs_next(&q, &key_again, &value_again) == STATUS_END);
		pairs_release(&q);
	}
	fuzz_must(rc == STATUS_END || rc == STATUS_SYNTAX);
	pairs_release(&p);
	buf_release(&text);
	return 0;
}
