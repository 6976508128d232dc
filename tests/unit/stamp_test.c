/* Records that are sent again: marks, and the batches that tell them. */

#include "replicate/stamp.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "replicate/imprints.h"
#include "store/record.h"
#include "tap.h"

static struct buf scratch;

static bool
is(const struct stamp_mark *m, int64_t next, int64_t id, int32_t sequence)
{
	if (m->next == next && m->producer_id == id && m->sequence == sequence)
		return true;
	printf("# next %lld, producer %lld, sequence %d\n", (long long)m->next,
	    (long long)m->producer_id, (int)m->sequence);
	return false;
}

/* The id whose bytes are all n. */
static void
id_of(int n, uint8_t out[STAMP_SOURCE_LEN])
{
	memset(out, n, STAMP_SOURCE_LEN);
}

static void
test_text(void)
{
#define ID "AQEBAQEBAQEBAQEBAQEBAQ"
#define HASH "0123456789abcdef"
	static const char *const bad[] = {"", "2", "1 " ID " 1 1 1 1 1 " HASH,
	    "3 " ID " 1 1 1 1 1 " HASH, "2 " ID " 1 1 1 1 1",
	    "2 " ID " 1 1 1 1 1 " HASH " 1", "2 " ID " 1 1 1 1 1 " HASH "0",
	    "2 " ID " 1 1 1 1 1 0123456789ABCDEF", "2 " ID " 1 1 1 1 1 0x1",
	    "2 " ID "A 1 1 1 1 1 " HASH, "2 x 1 1 1 1 1 " HASH,
	    "2 " ID " -1 0 0 0 0 " HASH, "2 " ID " 1 40000 0 0 0 " HASH,
	    "2 " ID " 1 1 2147483648 0 0 " HASH, "2 " ID " 1 1 0 x 0 " HASH,
	    "2  " ID " 1 1 0 0 0 " HASH, "2 " ID " 1 1 0 0 -2 " HASH,
	    "2 " ID " 1 1 0 9223372036854775808 0 " HASH};
	struct stamp_mark m = {.next = INT64_MAX,
	    .producer_id = INT64_MAX,
	    .producer_epoch = INT16_MAX,
	    .sequence = INT32_MAX,
	    .last = INT64_MAX,
	    .hash = UINT64_MAX};
	struct stamp_mark back;
	char text[STAMP_TEXT_LEN];

	id_of(0xfb, m.source);
	stamp_init(&back);
	stamp_print(&m, text);
	tap(stamp_parse(bytes_of(text), &back) &&
		is(&back, INT64_MAX, INT64_MAX, INT32_MAX) &&
		back.producer_epoch == INT16_MAX && back.last == INT64_MAX &&
		back.hash == UINT64_MAX &&
		memcmp(back.source, m.source, sizeof(m.source)) == 0,
	    "the largest, there and back: %s", text);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		tap(!stamp_parse(bytes_of(bad[i]), &back) &&
			is(&back, INT64_MAX, INT64_MAX, INT32_MAX),
		    "not \"%s\"", bad[i]);
	tap(!stamp_parse(BYTES_NULL, &back), "not null");
	m = (struct stamp_mark){.next = 5, .last = -1, .hash = 7};
	stamp_print(&m, text);
	tap(stamp_parse(bytes_of(text), &back) && back.last == -1 &&
		back.hash == 7 && back.next == 5,
	    "without a last one: %s", text);
}

/* Records first to last - 1 of the source, as a batch at base of another. */
static void
build(struct stamp_mark *m, int64_t first, int64_t last, int64_t base,
    uint8_t **out, struct batch *b)
{
	struct stamp_builder s;
	struct record r = {.timestamp = 5,
	    .key = bytes_of("k"),
	    .value = bytes_of("v")};
	const uint8_t *data;
	size_t size;

	stamp_builder_init(&s);
	id_of(1, s.source);
	for (r.offset = first; r.offset < last; r.offset++)
		if (stamp_builder_add(&s, CODEC_GZIP, &r, 100000) != 0)
			abort();
	if (stamp_builder_finish(&s, m, &data, &size) != 0)
		abort();
	*out = malloc(size);
	memcpy(*out, data, size);
	batch_assign(*out, base, 0);
	if (batch_decode(*out, size, b, NULL) != 0 ||
	    batch_verify(*out, b) != 0)
		abort();
	stamp_builder_release(&s);
}

static void
test_batches(void)
{
	struct stamp_mark m = {.producer_id = 7, .sequence = INT32_MAX - 1};
	struct stamp_mark read;
	struct batch b, other;
	uint8_t *data, *more;

	build(&m, 100, 105, 3, &data, &b);
	tap(is(&m, 105, 7, 3), "five records, and the numbers wrap");
	tap(b.producer_id == 7 && b.base_sequence == INT32_MAX - 1 &&
		b.record_count == 5,
	    "as the batch says");
	stamp_init(&read);
	tap_int(stamp_read(&read, data, &b, &scratch), 0, "read back");
	tap(is(&read, 105, 7, 3), "the same");
	m.producer_id = 8;
	build(&m, 200, 201, 8, &more, &other);
	tap_int(stamp_read(&read, more, &other, &scratch), 0,
	    "of another producer");
	tap(is(&read, 105, 7, 3), "it is not looked at");
	batch_set_producer(more, other.size, 7, 0, 3);
	if (batch_decode(more, other.size, &other, NULL) != 0)
		abort();
	tap_int(stamp_read(&read, more, &other, &scratch), 0, "the next");
	tap(is(&read, 201, 7, 4), "goes on");
	/* What was read from further back does not go back. */
	tap_int(stamp_read(&read, data, &b, &scratch), 0, "an earlier one");
	tap(read.next == 201, "does not go back");
	free(data);
	free(more);
}

/* What a record's hash is at the source. */
static uint64_t
hash_of(const struct record *r)
{
	uint64_t hash = 0;
	struct buf bytes;

	buf_init(&bytes, 1000);
	if (imprints_hash(r, &bytes, &hash) != 0)
		abort();
	buf_release(&bytes);
	return hash;
}

/* Both who sends and who reads it again know what the last record was. */
static void
test_last(void)
{
	struct record r = {.timestamp = 5,
	    .key = bytes_of("k"),
	    .value = bytes_of("v")};
	struct stamp_mark m = {.producer_id = 7, .last = -1}, read;
	struct batch b;
	uint8_t *data;

	build(&m, 100, 103, 0, &data, &b);
	tap(m.last == 102 && m.hash == hash_of(&r), "as it was sent");
	stamp_init(&read);
	tap_int(stamp_read(&read, data, &b, &scratch), 0, "read back");
	tap(read.last == 102 && read.hash == m.hash &&
		memcmp(read.source, m.source, sizeof(m.source)) == 0,
	    "the same");
	/* A topic that sets timestamps itself does not tell. */
	b.attributes |= BATCH_LOG_APPEND_TIME;
	stamp_init(&read);
	tap_int(stamp_read(&read, data, &b, &scratch), 0, "with another time");
	tap(read.next == 103 && read.last == -1, "it is not known");
	free(data);
}

/* What another source has sent begins anew. */
static void
test_sources(void)
{
	struct stamp_mark m = {.producer_id = 7}, read;
	struct batch b;
	uint8_t *data;

	stamp_init(&read);
	read.producer_id = 7;
	read.next = 500;
	id_of(2, read.source);
	build(&m, 100, 103, 0, &data, &b);
	tap_int(stamp_read(&read, data, &b, &scratch), 0, "of source 1");
	tap(read.next == 103 && read.source[0] == 1, "by its offsets");
	free(data);
}

/* Headers that came with it stay, and of all of a name the last is ours. */
static void
test_headers(void)
{
	struct record r = {.offset = 9, .key = BYTES_NULL, .header_count = 3};
	uint8_t id[STAMP_SOURCE_LEN];
	struct stamp_mark m = {.producer_id = 1}, read;
	struct record_headers it;
	struct record_header h;
	struct batch_records records;
	struct stamp_builder s;
	struct record got;
	struct batch b;
	struct buf headers;
	const uint8_t *data;
	size_t size;

	buf_init(&headers, 1000);
	if (record_headers_add(&headers, bytes_of("a"), BYTES_NULL) != 0 ||
	    record_headers_add(&headers, bytes_of(STAMP_OFFSET),
		bytes_of("50")) != 0 ||
	    record_headers_add(&headers, bytes_of(STAMP_SOURCE),
		bytes_of(ID)) != 0)
		abort();
	r.headers = headers.data;
	r.headers_len = headers.len;
	r.value = BYTES_NULL;
	stamp_builder_init(&s);
	id_of(2, s.source);
	tap_int(stamp_builder_add(&s, CODEC_NONE, &r, 200), 0, "a record");
	r.offset = 10;
	tap_int(stamp_builder_add(&s, CODEC_ZSTD, &r, 10000), STATUS_TOO_BIG,
	    "not with another codec");
	tap_int(stamp_builder_add(&s, CODEC_NONE, &r, 200), STATUS_TOO_BIG,
	    "nor over the limit");
	tap_int(stamp_builder_finish(&s, &m, &data, &size), 0, "a batch");
	if (batch_decode(data, size, &b, NULL) != 0 ||
	    batch_records_init(&records, data, &b, &scratch) != 0 ||
	    batch_records_next(&records, &got) != 0)
		abort();
	tap(bytes_is_null(got.key) && bytes_is_null(got.value) &&
		got.header_count == 5,
	    "nulls stay, and headers");
	record_headers_init(&it, &got);
	(void)record_headers_next(&it, &h);
	tap(h.name.len == 1 && bytes_is_null(h.value), "the first");
	stamp_init(&read);
	tap_int(stamp_read(&read, data, &b, &scratch), 0, "read");
	tap(is(&read, 10, 1, 1) && read.source[0] == 2,
	    "by the last of the name");
	tap(read.last == 9 && read.hash == hash_of(&r), "as it came");
	id_of(1, id);
	tap(stamp_is_from(&got, id), "it has come through the first");
	id_of(2, id);
	tap(stamp_is_from(&got, id), "and through the second");
	id_of(3, id);
	tap(!stamp_is_from(&got, id), "but not through a third");
	stamp_builder_release(&s);
	buf_release(&headers);
}

/* Batches without a stamp are of others, unless the producer is ours. */
static void
test_foreign(void)
{
	struct record r = {.key = BYTES_NULL, .value = bytes_of("x")};
	struct batch_builder bb;
	struct stamp_mark m;
	const uint8_t *data;
	struct batch b;
	size_t size;

	batch_builder_init(&bb, CODEC_NONE, INT_MIN, 10000);
	if (batch_builder_add(&bb, &r) != 0 ||
	    batch_builder_finish(&bb, &data, &size) != 0)
		abort();
	batch_set_producer(bb.raw.data, size, 4, 0, 5);
	if (batch_decode(data, size, &b, NULL) != 0)
		abort();
	stamp_init(&m);
	tap_int(stamp_read(&m, data, &b, &scratch), 0, "somebody else's");
	tap(is(&m, 0, -1, 0), "tells nothing");
	m.producer_id = 4;
	tap_int(stamp_read(&m, data, &b, &scratch), 0, "our producer's");
	tap(is(&m, 0, 4, 6), "tells the sequence");
	bb.raw.data[size - 1] ^= 1;
	bb.raw.data[BATCH_RECORDS] ^= 0x40;
	tap_int(stamp_read(&m, data, &b, &scratch), STATUS_CORRUPT,
	    "a broken one");
	batch_builder_release(&bb);
}

int
main(void)
{
	buf_init(&scratch, 1 << 20);
	test_text();
	test_batches();
	test_last();
	test_sources();
	test_headers();
	test_foreign();
	buf_release(&scratch);
	return tap_done();
}
