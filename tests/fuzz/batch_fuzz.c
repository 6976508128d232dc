/*
 * A record batch: its header, its CRC, its records in any codec.  The CRC is
 * put right, since no fuzzer finds one.
 */

#include "store/batch.h"

#include <string.h>

#include "base/crc32c.h"
#include "base/status.h"
#include "fuzz.h"

static struct buf copy, scratch, other;

/* What is read of it can be put into a batch of ours, and read from that. */
static void
rebuild(const uint8_t *p, const struct batch *b)
{
	struct batch_records it, again;
	struct batch_builder bb;
	const uint8_t *data;
	struct record r, s;
	struct batch c;
	size_t size;
	bool all = true;

	batch_builder_init(&bb, CODEC_NONE, INT32_MIN, 1 << 24);
	fuzz_must(batch_records_init(&it, p, b, &scratch) == 0);
	while (all && batch_records_next(&it, &r) == 0)
		all = batch_builder_fits(&bb, &r, 1 << 24) &&
		    batch_builder_add(&bb, &r) == 0;
	if (all && bb.count > 0) {
		fuzz_must(batch_builder_finish(&bb, &data, &size) == 0);
		fuzz_must(batch_decode(data, size, &c, NULL) == 0);
		fuzz_must(c.size == size && batch_verify(data, &c) == 0);
		fuzz_must(batch_records_init(&it, p, b, &scratch) == 0);
		fuzz_must(batch_records_init(&again, data, &c, &other) == 0);
		while (batch_records_next(&again, &s) == 0) {
			fuzz_must(batch_records_next(&it, &r) == 0);
			fuzz_must(bytes_equal(r.key, s.key) &&
			    bytes_equal(r.value, s.value) &&
			    r.timestamp == s.timestamp);
		}
		fuzz_must(batch_records_next(&it, &r) == STATUS_END);
	}
	batch_builder_release(&bb);
}

/* It ends as a walk ends that came so far; max_ms is of that. */
static void
survey(uint8_t *p, const struct batch *b, int end, int64_t max_ms)
{
	struct batch_records it;
	struct batch_survey s;
	int rc;

	fuzz_must(batch_records_init(&it, p, b, &scratch) == 0);
	rc = batch_records_survey(&it, &s);
	fuzz_must(rc == (end == STATUS_END ? 0 : end));
	fuzz_must(s.max_ms == max_ms);
}

static void
read_batch(uint8_t *p, const struct batch *b)
{
	struct batch_records it;
	enum batch_control type;
	int64_t last = b->base_offset - 1, max_ms = -1;
	int32_t epoch, count = 0;
	struct record r;
	int rc;

	fuzz_must(batch_verify(p, b) == 0);
	if ((b->attributes & BATCH_CONTROL) != 0)
		(void)batch_control_type(p, b, &type, &epoch);
	rc = batch_records_init(&it, p, b, &scratch);
	if (rc != 0)
		return;
	while ((rc = batch_records_next(&it, &r)) == 0) {
		fuzz_must(r.offset > last && r.offset <= b->last_offset);
		last = r.offset;
		max_ms = r.timestamp > max_ms ? r.timestamp : max_ms;
		count++;
	}
	survey(p, b, rc, max_ms);
	if (rc != STATUS_END)
		return;
	fuzz_must(count == b->record_count);
	rebuild(p, b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *what = NULL;
	struct batch b, c;

	if (copy.max == 0) {
		buf_init(&copy, 1 << 26);
		buf_init(&scratch, 1 << 20);
		buf_init(&other, 1 << 20);
	}
	if (batch_decode(data, size, &b, &what) != 0)
		return 0;
	fuzz_must(b.base_offset >= 0 && b.last_offset >= b.base_offset);
	fuzz_must(b.size >= BATCH_HEADER_LEN);
	if (b.size > size)
		return 0;
	(void)batch_verify(data, &b);
	copy.len = 0;
	fuzz_must(buf_add(&copy, data, b.size) == 0);
	buf_put_32(copy.data + BATCH_CRC,
	    crc32c(copy.data + BATCH_ATTRIBUTES, b.size - BATCH_ATTRIBUTES));
	fuzz_must(batch_decode(copy.data, b.size, &b, &what) == 0);
	read_batch(copy.data, &b);
	batch_assign(copy.data, 1234, 5);
	batch_set_append_time(copy.data, b.size, 1700000000000);
	batch_clear_producer(copy.data, b.size);
	if (batch_decode(copy.data, b.size, &c, NULL) == 0) {
		fuzz_must(c.base_offset == 1234 && c.producer_id == -1);
		fuzz_must(batch_verify(copy.data, &c) == 0);
	}
	return 0;
}
