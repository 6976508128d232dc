/* The small grammars: numbers, sizes, durations, times, places, lists. */

#include "base/parse.h"

#include <errno.h>
#include <string.h>

#include "base/base64.h"
#include "base/bounds.h"
#include "base/buf.h"
#include "base/status.h"
#include "fuzz.h"

enum { LENGTH_MAX = 1 << 12 };

static const int64_t now = 1700000000000;

static bool
known(int rc)
{
	return rc == 0 || rc == STATUS_SYNTAX || rc == ERANGE;
}

static void
times(const char *s)
{
	char text[PARSE_TIME_TEXT];
	int64_t ms = 7, again;
	int rc;

	rc = parse_time(s, now, true, &ms);
	fuzz_must(known(rc) && (rc == 0 || ms == 7));
	rc = parse_time(s, now, false, &ms);
	fuzz_must(known(rc));
	ms = 7;
	rc = parse_rfc3339(s, strlen(s), &ms);
	fuzz_must(known(rc) && (rc == 0 || ms == 7));
	if (rc == 0) {
		fuzz_must(parse_time_text(ms, text) == strlen(text));
		fuzz_must(parse_rfc3339(text, strlen(text), &again) == 0);
		fuzz_must(again == ms);
	}
}

static void
numbers(const char *s)
{
	int64_t n = 7;

	fuzz_must(known(parse_int(s, INT64_MIN, INT64_MAX, &n)));
	if (parse_int(s, 0, 1000, &n) == 0)
		fuzz_must(n >= 0 && n <= 1000);
	if (parse_size(s, &n) == 0)
		fuzz_must(n >= 0);
	if (parse_duration(s, &n) == 0)
		fuzz_must(n >= 0);
}

static void
places(const char *s)
{
	struct partition_list list = {.count = 0};
	struct position pos;
	struct range range;

	fuzz_must(known(parse_position(s, now, true, &pos)));
	fuzz_must(known(parse_range(s, now, true, &range)));
	if (parse_partitions(s, &list) == 0) {
		fuzz_must(list.count > 0);
		for (size_t i = 0; i < list.count; i++)
			fuzz_must(list.spans[i].first <= list.spans[i].last &&
			    list.spans[i].last < PARTITIONS_MAX &&
			    parse_partitions_has(&list, list.spans[i].first));
	}
}

static void
bytes(const char *s)
{
	struct buf out, again;

	buf_init(&out, 1 << 20);
	buf_init(&again, 1 << 20);
	fuzz_must(known(parse_escapes(s, &out)));
	fuzz_must(out.len <= strlen(s));
	out.len = 0;
	if (base64_decode((const uint8_t *)s, strlen(s), &out) == 0) {
		fuzz_must(base64_encode(&again, out.data, out.len) == 0);
		fuzz_must(again.len >= strlen(s));
	}
	buf_release(&out);
	buf_release(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size < LENGTH_MAX ? size : LENGTH_MAX};
	const char *s = fuzz_string(&in);

	numbers(s);
	times(s);
	places(s);
	bytes(s);
	return 0;
}
