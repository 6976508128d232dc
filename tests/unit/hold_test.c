/* What of a log is committed: batches and markers in, what stays out. */

#include "replicate/hold.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "tap.h"

static struct hold *hold;
static int64_t next_offset;

/* A batch of one record of a producer (-1: none), at the next offset. */
static int
data_batch(int64_t producer, bool transactional, size_t len)
{
	struct record r = {.timestamp = 1, .key = BYTES_NULL};
	struct batch_builder bb;
	const uint8_t *data;
	uint8_t *copy, *value = calloc(1, len + 1);
	struct batch b;
	size_t size;
	int rc;

	r.value = (struct bytes){value, (int32_t)len};
	batch_builder_init(&bb, CODEC_NONE, 0, 1 << 24);
	if (value == NULL || batch_builder_add(&bb, &r) != 0 ||
	    batch_builder_finish(&bb, &data, &size) != 0)
		abort();
	copy = malloc(size);
	memcpy(copy, data, size);
	batch_assign(copy, next_offset++, 0);
	batch_set_producer(copy, size, producer, 0, 0);
	if (transactional)
		copy[BATCH_ATTRIBUTES + 1] |= BATCH_TRANSACTIONAL;
	if (batch_decode(copy, size, &b, NULL) != 0)
		abort();
	rc = hold_add(hold, copy, &b);
	batch_builder_release(&bb);
	free(copy);
	free(value);
	return rc;
}

static int
marker(int64_t producer, enum batch_control type)
{
	uint8_t p[BATCH_MARKER_LEN];
	struct batch b;

	batch_encode_marker(p, producer, 0, type, 0, 1);
	batch_assign(p, next_offset++, 0);
	if (batch_decode(p, sizeof(p), &b, NULL) != 0)
		abort();
	return hold_add(hold, p, &b);
}

/* The offsets that come out, a digit each. */
static const char *
taken(void)
{
	static char text[64];
	const uint8_t *data;
	struct batch b;
	size_t n = 0;

	while (hold_next(hold, &data, &b) == 0 && n + 1 < sizeof(text)) {
		if (batch_verify(data, &b) != 0 &&
		    (b.attributes & BATCH_TRANSACTIONAL) == 0)
			abort();
		text[n++] = (char)('0' + b.base_offset);
	}
	text[n] = '\0';
	return text;
}

static void
fresh(size_t bytes_max)
{
	hold_free(hold);
	next_offset = 0;
	if (hold_new(bytes_max, &hold) != 0)
		abort();
}

static void
test_order(void)
{
	fresh(1 << 20);
	tap_int(data_batch(-1, false, 1), 0, "0: no producer");
	tap_int(data_batch(1, false, 1), 0, "1: an idempotent one");
	tap(strcmp(taken(), "01") == 0, "come at once");
	tap_int(data_batch(1, true, 1), 0, "2: a transaction");
	tap_int(data_batch(-1, false, 1), 0, "3: none behind it");
	tap_int(data_batch(2, true, 1), 0, "4: another one");
	tap_int(data_batch(1, true, 1), 0, "5: the first");
	tap(strcmp(taken(), "") == 0, "wait");
	tap(hold_bytes(hold) > 200, "in memory");
	tap_int(marker(2, BATCH_CONTROL_ABORT), 0, "6: the second is aborted");
	tap(strcmp(taken(), "") == 0, "but stands behind the first");
	tap_int(marker(1, BATCH_CONTROL_COMMIT), 0, "7: that is committed");
	tap(strcmp(taken(), "235") == 0, "so all comes but what was aborted");
	tap_int(hold_bytes(hold), 0, "and nothing is left");
	tap_int(data_batch(1, true, 1), 0, "8: the next one of the first");
	tap_int(marker(3, BATCH_CONTROL_ABORT), 0, "9: of one not known");
	tap(strcmp(taken(), "") == 0, "waits");
	next_offset = 0;
	tap_int(marker(1, BATCH_CONTROL_ABORT), 0, "until it is aborted");
	tap(strcmp(taken(), "") == 0, "and goes");
	tap_int(hold_bytes(hold), 0, "from memory, too");
}

static void
test_bounds(void)
{
	fresh(3000);
	tap_int(data_batch(-1, false, 10000), 0, "a large batch by itself");
	tap(strcmp(taken(), "0") == 0, "is taken");
	tap_int(data_batch(1, true, 2000), 0, "a transaction");
	tap_int(data_batch(-1, false, 2000), STATUS_TOO_BIG,
	    "with too much behind it");
	tap_int(marker(1, BATCH_CONTROL_COMMIT), 0, "ends");
	tap(strcmp(taken(), "1") == 0, "and comes");
	tap_int(data_batch(1, true, 10), 0, "one that is left open");
}

int
main(void)
{
	test_order();
	test_bounds();
	hold_free(hold);
	return tap_done();
}
