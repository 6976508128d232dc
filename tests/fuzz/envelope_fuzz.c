/* The NDJSON envelope; what is read is written and read as the same. */

#include "text/envelope.h"

#include <string.h>

#include "base/status.h"
#include "fuzz.h"

static bool
same_headers(const struct record *a, const struct record *b)
{
	return a->header_count == b->header_count &&
	    a->headers_len == b->headers_len &&
	    (a->headers_len == 0 ||
		memcmp(a->headers, b->headers, a->headers_len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum envelope_value modes[] = {ENVELOPE_VALUE_AUTO,
	    ENVELOPE_VALUE_STRING, ENVELOPE_VALUE_BASE64};
	static struct envelope_reader r, again;
	static struct buf text;
	struct envelope_record e, f;
	const char *why = NULL;
	int rc;

	if (text.max == 0) {
		buf_init(&text, 1 << 26);
		envelope_reader_init(&r);
		envelope_reader_init(&again);
	}
	rc = envelope_read(&r, data, size, &e, &why);
	fuzz_must(rc == 0 || rc == STATUS_SYNTAX || rc == STATUS_TOO_BIG);
	fuzz_must(rc == 0 || why != NULL);
	for (int i = 0; rc == 0 && i < 3; i++) {
		text.len = 0;
		e.rec.offset = 5;
		if (!e.has_timestamp)
			e.rec.timestamp = -1;
		fuzz_must(
		    envelope_write(&text, modes[i], "topic", 3, &e.rec) == 0);
		fuzz_must(memchr(text.data, '\n', text.len) ==
		    text.data + text.len - 1);
		fuzz_must(
		    envelope_read(&again, text.data, text.len, &f, &why) == 0);
		fuzz_must(bytes_equal(e.rec.key, f.rec.key));
		fuzz_must(bytes_equal(e.rec.value, f.rec.value));
		fuzz_must(same_headers(&e.rec, &f.rec));
		fuzz_must(f.partition == 3);
		fuzz_must(f.rec.timestamp == e.rec.timestamp);
	}
	return 0;
}
