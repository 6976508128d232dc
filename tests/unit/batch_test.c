#include "store/batch.h"

#include <errno.h>
#include <limits.h>

#include "base/bounds.h"
#include "base/crc32c.h"
#include "base/status.h"
#include "tap.h"

static size_t
unhex(const char *s, uint8_t *out)
{
	size_t len = 0;
	unsigned byte;

	for (; sscanf(s, "%2x", &byte) == 1; s += 2)
		out[len++] = (uint8_t)byte;
	return len;
}

/* A batch that kafka-python's reader takes as what test_known() says. */
static const char known[] = "00000000000000000000004a0000000002a94f3d63000000"
			    "0000010000018bcfe568000000018bcfe56805ffffffffff"
			    "ffffffffffffffffff0000000210000000026b0276001e00"
			    "0a02010a68656c6c6f0202680278";
/* A COMMIT marker: offset 2, producer 1000 epoch 0, coordinator epoch 0. */
static const char known_marker[] =
    "0000000000000002000000420000000002a1ac499f0030000000000000018bcfe56800"
    "0000018bcfe5680000000000000003e80000ffffffff000000012000000008000000010c"
    "00000000000000";

static const int64_t known_time = 1700000000000;

/* Add key, value (NULL: null) and one header (NULL: none) to the builder. */
static int
add(struct batch_builder *bb, int64_t timestamp, const char *key,
    const char *value, const char *header)
{
	struct record r = {.timestamp = timestamp,
	    .key = bytes_of(key),
	    .value = bytes_of(value)};
	struct buf headers;
	int rc = 0;

	buf_init(&headers, 1000);
	if (header != NULL) {
		rc = record_headers_add(&headers, bytes_of(header),
		    bytes_of("x"));
		r.header_count = 1;
		r.headers = headers.data;
		r.headers_len = headers.len;
	}
	if (rc == 0)
		rc = batch_builder_add(bb, &r);
	buf_release(&headers);
	return rc;
}

/* What a reader does with bytes: decode, all there, CRC. */
static int
accept(const uint8_t *p, size_t len, struct batch *b)
{
	int rc = batch_decode(p, len, b, NULL);

	if (rc != 0)
		return rc;
	if (b->size > len)
		return STATUS_SHORT;
	return batch_verify(p, b);
}

static void
test_known(void)
{
	uint8_t want[100], got[100];
	struct batch_builder bb;
	const uint8_t *data = NULL;
	struct batch b;
	size_t size = 0;

	batch_builder_init(&bb, CODEC_NONE, INT_MIN, 1000);
	tap(add(&bb, known_time, "k", "v", NULL) == 0 &&
		add(&bb, known_time + 5, NULL, "hello", "h") == 0,
	    "build a known batch");
	tap(batch_builder_size(&bb) == 86 &&
		batch_builder_finish(&bb, &data, &size) == 0 && size == 86,
	    "its size");
	if (size != 86)
		abort();
	memcpy(got, data, size);
	tap(accept(got, size, &b) == 0 && b.base_offset == 0 &&
		b.leader_epoch == -1,
	    "no offset, no epoch");
	batch_assign(got, 0, 0);
	tap(unhex(known, want) == 86 && memcmp(got, want, 86) == 0,
	    "its bytes");
	batch_assign(got, 0x0102030405060708, 0x0a0b0c0d);
	tap(accept(got, size, &b) == 0 && b.base_offset == 0x0102030405060708 &&
		b.last_offset == b.base_offset + 1 &&
		b.leader_epoch == 0x0a0b0c0d && b.size == 86,
	    "assigned another offset and epoch");
	tap(memcmp(got + 16, want + 16, 70) == 0, "nothing else changes");
	tap(b.attributes == 0 && b.base_timestamp == known_time &&
		b.max_timestamp == known_time + 5 && b.producer_id == -1 &&
		b.producer_epoch == -1 && b.base_sequence == -1 &&
		b.record_count == 2 && b.crc == 0xa94f3d63,
	    "the header decoded");
	batch_builder_release(&bb);
}

static void
test_marker(void)
{
	uint8_t want[100], got[BATCH_MARKER_LEN];
	enum batch_control type = BATCH_CONTROL_OTHER;
	int32_t epoch = -5;
	struct batch b;

	batch_encode_marker(got, 1000, 0, BATCH_CONTROL_COMMIT, 0, known_time);
	tap(accept(got, sizeof(got), &b) == 0 && b.base_offset == 0 &&
		b.leader_epoch == -1,
	    "a marker, nothing assigned");
	batch_assign(got, 2, 0);
	tap(unhex(known_marker, want) == BATCH_MARKER_LEN &&
		memcmp(got, want, sizeof(got)) == 0,
	    "the bytes of a known COMMIT");
	tap(accept(got, sizeof(got), &b) == 0 &&
		batch_control_type(got, &b, &type, &epoch) == 0 &&
		type == BATCH_CONTROL_COMMIT && epoch == 0,
	    "it is read as one");
	batch_encode_marker(got, INT64_MAX, INT16_MAX, BATCH_CONTROL_ABORT,
	    INT32_MAX, 0);
	tap(accept(got, sizeof(got), &b) == 0 &&
		batch_control_type(got, &b, &type, &epoch) == 0 &&
		type == BATCH_CONTROL_ABORT && epoch == INT32_MAX &&
		b.producer_id == INT64_MAX && b.producer_epoch == INT16_MAX,
	    "an ABORT");
	batch_encode_marker(got, 1, 1, BATCH_CONTROL_OTHER, 8, 0);
	epoch = -5;
	tap(accept(got, sizeof(got), &b) == 0 &&
		batch_control_type(got, &b, &type, &epoch) == 0 &&
		type == BATCH_CONTROL_OTHER && epoch == -5,
	    "another type, of which nothing more is read");
	b.record_count = 0;
	tap_int(batch_control_type(got, &b, &type, &epoch), STATUS_CORRUPT,
	    "a marker without record");
}

/* A control record with key and value in hex; both may be null. */
static void
check_control(struct bytes key, struct bytes value, int want, const char *what)
{
	struct record r = {.key = key, .value = value};
	enum batch_control type;
	struct batch_builder bb;
	const uint8_t *data;
	int32_t epoch;
	struct batch b;
	size_t size;

	batch_builder_init(&bb, CODEC_NONE, INT_MIN, 1000);
	if (batch_builder_add(&bb, &r) != 0 ||
	    batch_builder_finish(&bb, &data, &size) != 0 ||
	    batch_decode(data, size, &b, NULL) != 0)
		abort();
	tap_int(batch_control_type(data, &b, &type, &epoch), want, "%s", what);
	batch_builder_release(&bb);
}

static void
test_control_refused(void)
{
	static const uint8_t key[] = {0, 0, 0, 0}, value[6] = {0};
	const struct bytes k = {key, 4}, v = {value, 6};

	check_control(k, v, 0, "an ABORT by hand");
	check_control(BYTES_NULL, v, STATUS_CORRUPT, "no key");
	check_control((struct bytes){key, 3}, v, STATUS_CORRUPT, "a short key");
	check_control(k, BYTES_NULL, STATUS_CORRUPT, "no value");
	check_control(k, (struct bytes){value, 5}, STATUS_CORRUPT,
	    "a short value");
}

/* --- random batches ------------------------------------------------------ */

enum {
	RECORDS_MAX = 60,
	POOL_LEN = 20000,
	BYTES_MAX = 4 << 20,
};

static uint8_t pool[POOL_LEN]; /* half of it random, half text */

struct sample {
	struct record records[RECORDS_MAX];
	struct buf headers[RECORDS_MAX];
	int count;
};

static void
fill_pool(void)
{
	for (size_t i = 0; i < POOL_LEN; i++)
		pool[i] = (uint8_t)(i < POOL_LEN / 2 ? tap_random() >> 8
						     : i % 10 + 'a');
}

static struct bytes
random_bytes(void)
{
	uint64_t kind = tap_random() % 20;
	size_t len = tap_random() % (kind == 0 ? POOL_LEN / 2 : 40);

	if (kind < 5 && kind > 0)
		return BYTES_NULL;
	if (kind == 5)
		len = 0;
	return (
	    struct bytes){pool + tap_random() % (POOL_LEN - len), (int32_t)len};
}

static int64_t
random_timestamp(uint64_t kind)
{
	static const int64_t edges[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1,
	    INT64_MAX - 1, INT64_MAX};

	if (kind == 0)
		return edges[tap_random() % 7];
	if (kind == 1)
		return -1;
	return known_time + (int64_t)(tap_random() % 1000000) - 500000;
}

static void
random_record(struct record *r, struct buf *headers, uint64_t kind)
{
	*r = (struct record){.timestamp = random_timestamp(kind),
	    .key = random_bytes(),
	    .value = random_bytes()};
	buf_init(headers, BYTES_MAX);
	if (tap_random() % 3 == 0)
		r->header_count = (int32_t)(tap_random() % 6);
	for (int32_t h = 0; h < r->header_count; h++) {
		struct bytes name = random_bytes();

		if (bytes_is_null(name))
			name.len = 0;
		if (record_headers_add(headers, name, random_bytes()) != 0)
			abort();
	}
	r->headers = headers->data;
	r->headers_len = headers->len;
}

/*
 * Fill the builder with random records, gaps between their offsets; those
 * too far in time are refused and left out.  Returns what went wrong.
 */
static int
fill_builder(struct batch_builder *bb, struct sample *s)
{
	uint64_t kind = tap_random() % 4;
	int wanted = 1 + (int)(tap_random() % RECORDS_MAX), bad = 0;
	bool gaps = tap_random() % 2 == 0;
	int32_t place = 0;
	int64_t apart;

	s->count = 0;
	while (s->count < wanted) {
		struct record *r = &s->records[s->count];
		size_t before = batch_builder_size(bb), limit;
		int rc;

		random_record(r, &s->headers[s->count], kind);
		if (gaps && s->count > 0)
			place += (int32_t)(tap_random() % 1000000);
		if (s->count > 0 &&
		    __builtin_sub_overflow(r->timestamp,
			s->records[0].timestamp, &apart)) {
			bad += batch_builder_fits(bb, r, SIZE_MAX);
			bad += batch_builder_add(bb, r) != ERANGE;
			bad += batch_builder_size(bb) != before;
			buf_release(&s->headers[s->count]);
			wanted--;
			continue;
		}
		limit = before;
		while (!gaps && !batch_builder_fits(bb, r, limit))
			limit++;
		rc = gaps ? batch_builder_add_at(bb, r, place)
			  : batch_builder_add(bb, r);
		bad += rc != 0;
		bad += !gaps && batch_builder_size(bb) != limit;
		r->offset = place++;
		s->count++;
	}
	return bad;
}

static void
release_sample(struct sample *s)
{
	for (int i = 0; i < s->count; i++)
		buf_release(&s->headers[i]);
}

static bool
same_record(const struct record *a, const struct record *b, int64_t base)
{
	return a->offset + base == b->offset && a->timestamp == b->timestamp &&
	    bytes_equal(a->key, b->key) && bytes_equal(a->value, b->value) &&
	    a->header_count == b->header_count &&
	    a->headers_len == b->headers_len &&
	    (a->headers_len == 0 ||
		memcmp(a->headers, b->headers, a->headers_len) == 0);
}

/* The batch holds the sample's records, all of them and nothing else. */
static int
compare(const uint8_t *p, const struct batch *b, const struct sample *s,
    int64_t timestamp)
{
	struct batch_records it;
	struct buf scratch;
	struct record r, want;
	int bad = 0;

	buf_init(&scratch, BYTES_MAX);
	bad += batch_records_init(&it, p, b, &scratch) != 0;
	for (int i = 0; i < s->count && bad == 0; i++) {
		want = s->records[i];
		if (timestamp >= 0)
			want.timestamp = timestamp;
		bad += batch_records_next(&it, &r) != 0;
		bad += bad == 0 && !same_record(&want, &r, b->base_offset);
	}
	bad += bad == 0 && batch_records_next(&it, &r) != STATUS_END;
	buf_release(&scratch);
	return bad;
}

static int
check_batch(const uint8_t *data, size_t size, enum codec codec,
    const struct sample *s)
{
	const struct record *last = &s->records[s->count - 1];
	uint8_t *p = malloc(size);
	struct batch b;
	int64_t max = INT64_MIN;
	int bad = 0;

	for (int i = 0; i < s->count; i++)
		if (s->records[i].timestamp > max)
			max = s->records[i].timestamp;
	if (p == NULL)
		abort();
	memcpy(p, data, size);
	batch_assign(p, 5000000000, 7);
	bad += accept(p, size, &b) != 0;
	bad += b.size != size || batch_codec(&b) != codec ||
	    b.attributes != codec || b.record_count != s->count ||
	    b.max_timestamp != max ||
	    b.base_timestamp != s->records[0].timestamp ||
	    b.last_offset != 5000000000 + last->offset;
	bad += compare(p, &b, s, -1);
	batch_set_append_time(p, size, 123456789);
	bad += accept(p, size, &b) != 0 || b.max_timestamp != 123456789;
	bad += (b.attributes & BATCH_LOG_APPEND_TIME) == 0;
	bad += compare(p, &b, s, 123456789);
	free(p);
	return bad;
}

static void
test_round_trip(enum codec codec)
{
	static struct sample s;
	struct batch_builder bb;
	const uint8_t *data;
	size_t size;
	int bad = 0;

	batch_builder_init(&bb, codec, INT_MIN, BYTES_MAX);
	for (int i = 0; i < 150; i++) {
		bad += fill_builder(&bb, &s);
		bad += batch_builder_finish(&bb, &data, &size) != 0;
		if (bad != 0)
			break;
		bad += check_batch(data, size, codec, &s);
		release_sample(&s);
	}
	tap_int(bad, 0, "random batches come back, %s", codec_name(codec));
	batch_builder_release(&bb);
}

/* --- the builder's limits ------------------------------------------------ */

static void
test_builder(void)
{
	struct batch_builder bb;
	struct record r = {.timestamp = 5,
	    .key = BYTES_NULL,
	    .value = {pool, 100}};
	const uint8_t *data;
	struct batch b;
	size_t size, two;

	batch_builder_init(&bb, CODEC_NONE, INT_MIN, 10000);
	tap(batch_builder_size(&bb) == BATCH_HEADER_LEN &&
		batch_builder_finish(&bb, &data, &size) == STATUS_END,
	    "no records, no batch");
	tap(batch_builder_add(&bb, &r) == 0 && batch_builder_add(&bb, &r) == 0,
	    "two records");
	two = batch_builder_size(&bb);
	tap(batch_builder_finish(&bb, &data, &size) == 0 && size == two,
	    "a batch");
	tap_int(batch_builder_finish(&bb, &data, &size), STATUS_END,
	    "then it is empty");
	batch_builder_release(&bb);

	batch_builder_init(&bb, CODEC_NONE, INT_MIN, two);
	tap(batch_builder_add(&bb, &r) == 0 && batch_builder_add(&bb, &r) == 0,
	    "they fit a maximum of just their size");
	tap_int(batch_builder_add(&bb, &r), STATUS_TOO_BIG, "one more");
	tap(batch_builder_finish(&bb, &data, &size) == 0 &&
		accept(data, size, &b) == 0 && b.record_count == 2,
	    "the two are still there");
	batch_builder_release(&bb);
	batch_builder_init(&bb, CODEC_NONE, INT_MIN, two - 1);
	tap(batch_builder_add(&bb, &r) == 0 &&
		batch_builder_add(&bb, &r) == STATUS_TOO_BIG,
	    "a byte less is too small for both");
	batch_builder_release(&bb);
}

static void
test_builder_places(void)
{
	struct batch_builder bb;
	struct record r = {.key = BYTES_NULL, .value = BYTES_NULL};
	const uint8_t *data;
	struct batch b;
	size_t size;

	batch_builder_init(&bb, CODEC_NONE, INT_MIN, 10000);
	tap_int(batch_builder_add_at(&bb, &r, INT32_MAX), ERANGE,
	    "the last place of all is not given");
	tap(batch_builder_add_at(&bb, &r, 3) == 0 &&
		batch_builder_add_at(&bb, &r, INT32_MAX - 1) == 0,
	    "the one before is");
	tap_int(batch_builder_add(&bb, &r), ERANGE, "then no other");
	tap(batch_builder_finish(&bb, &data, &size) == 0 &&
		accept(data, size, &b) == 0 && b.record_count == 2 &&
		b.last_offset == INT32_MAX - 1,
	    "a batch with a gap");
	batch_builder_release(&bb);
}

static void
test_clear_producer(void)
{
	uint8_t p[BATCH_MARKER_LEN];
	struct batch b;

	batch_encode_marker(p, 9, 8, BATCH_CONTROL_ABORT, 7, 6);
	batch_clear_producer(p, sizeof(p));
	tap(accept(p, sizeof(p), &b) == 0 && b.producer_id == -1 &&
		b.producer_epoch == -1 && b.base_sequence == -1 &&
		(b.attributes & BATCH_TRANSACTIONAL) == 0,
	    "no producer, no transaction");
}

/* --- damage -------------------------------------------------------------- */

/* A batch of some records that compress, and its size. */
static uint8_t *
make_batch(enum codec codec, size_t *size)
{
	struct batch_builder bb;
	const uint8_t *data;
	uint8_t *p;

	batch_builder_init(&bb, codec, INT_MIN, BYTES_MAX);
	for (int i = 0; i < 8; i++)
		if (add(&bb, known_time + i, i % 3 == 0 ? NULL : "key",
			i == 5 ? NULL : "a value, a value, a value",
			i % 2 == 0 ? NULL : "header") != 0)
			abort();
	if (batch_builder_finish(&bb, &data, size) != 0)
		abort();
	p = malloc(*size);
	if (p == NULL)
		abort();
	memcpy(p, data, *size);
	batch_assign(p, 1000, 5);
	batch_builder_release(&bb);
	return p;
}

/* Copies of just their length, for checkers of memory. */
static void
test_truncated(enum codec codec)
{
	size_t size;
	uint8_t *p = make_batch(codec, &size);
	struct batch b;
	int bad = 0;

	for (size_t len = 0; len < size; len++) {
		uint8_t *q = malloc(len + 1);

		if (q == NULL)
			abort();
		memcpy(q + 1, p, len);
		bad += accept(q + 1, len, &b) != STATUS_SHORT;
		free(q);
	}
	tap_int(bad, 0, "cut anywhere it is short, %s", codec_name(codec));
	tap_int(accept(p, size, &b), 0, "whole it is not");
	free(p);
}

/*
 * The only bits that may flip unseen are those that the appender sets: the
 * base offset, but for its sign, and the leader epoch.
 */
static void
test_bits(enum codec codec)
{
	size_t size;
	uint8_t *p = make_batch(codec, &size);
	struct batch b;
	int bad = 0;

	for (size_t i = 0; i < size * 8; i++) {
		size_t at = i / 8;
		bool covered = i == 7 || (at >= 8 && at < 12) || at >= 16;

		p[at] ^= (uint8_t)(1 << i % 8);
		if ((accept(p, size, &b) != 0) != covered) {
			printf("# bit %zu of byte %zu\n", i % 8, at);
			bad++;
		}
		p[at] ^= (uint8_t)(1 << i % 8);
	}
	tap_int(bad, 0, "flipped bits are noticed, %s", codec_name(codec));
	free(p);
}

static bool
inside(struct bytes s, const uint8_t *p, size_t len)
{
	return s.len <= 0 ||
	    (s.data >= p && s.data + s.len <= p + len && s.len > 0);
}

/* Walk a batch whose CRC nobody has checked: what comes out is in it. */
static int
walk(const uint8_t *p, const struct batch *b, struct buf *scratch)
{
	const bool plain = batch_codec(b) == CODEC_NONE;
	struct batch_records it;
	struct record r;
	int64_t last = b->base_offset - 1;
	int bad = 0, rc = batch_records_init(&it, p, b, scratch);
	int32_t count = 0;

	if (rc != 0)
		return rc != STATUS_CORRUPT && rc != STATUS_TOO_BIG;
	while ((rc = batch_records_next(&it, &r)) == 0) {
		const uint8_t *from = plain ? p : scratch->data;
		size_t len = plain ? b->size : scratch->len;

		bad += !inside(r.key, from, len) || !inside(r.value, from, len);
		bad += r.offset <= last || r.offset > b->last_offset;
		last = r.offset;
		count++;
	}
	bad += rc != STATUS_END && rc != STATUS_CORRUPT;
	bad += rc == STATUS_END && count != b->record_count;
	return bad;
}

static void
test_wrong_records(enum codec codec)
{
	size_t size;
	uint8_t *p = make_batch(codec, &size);
	struct buf scratch;
	struct batch b;
	int bad = 0;

	buf_init(&scratch, 100000);
	for (size_t i = BATCH_ATTRIBUTES * 8; i < size * 8; i++) {
		p[i / 8] ^= (uint8_t)(1 << i % 8);
		if (batch_decode(p, size, &b, NULL) == 0)
			bad += walk(p, &b, &scratch);
		p[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	for (int i = 0; i < 3000; i++) {
		size_t at =
		    BATCH_RECORDS + tap_random() % (size - BATCH_RECORDS);
		uint8_t was = p[at];

		p[at] = (uint8_t)tap_random();
		if (batch_decode(p, size, &b, NULL) != 0)
			abort();
		bad += walk(p, &b, &scratch);
		/* Now and then the damage stays and adds up. */
		if (i % 50 != 0)
			p[at] = was;
	}
	tap_int(bad, 0, "wrong records under a right CRC, %s",
	    codec_name(codec));
	buf_release(&scratch);
	free(p);
}

/* A header with another value of size bytes at pos: what decode makes of it. */
static void
check_header(size_t pos, size_t size, int64_t value, int want, const char *text)
{
	uint8_t p[100];
	const char *what = NULL;
	struct batch b;
	size_t len = unhex(known, p);

	for (size_t i = 0; i < size; i++)
		p[pos + i] = (uint8_t)(value >> (size - 1 - i) * 8);
	tap_int(batch_decode(p, len, &b, &what), want, "%s", text);
	tap((what != NULL) == (want == STATUS_CORRUPT), "%s",
	    what == NULL ? "it has no flaw" : what);
}

static void
test_headers(void)
{
	uint8_t zero[100] = {0};
	struct batch b;

	check_header(BATCH_MAGIC, 1, 0, STATUS_UNSUPPORTED, "version 0");
	check_header(BATCH_MAGIC, 1, 1, STATUS_UNSUPPORTED, "version 1");
	check_header(BATCH_MAGIC, 1, 3, STATUS_CORRUPT, "version 3");
	check_header(BATCH_MAGIC, 1, -1, STATUS_CORRUPT, "version 255");
	check_header(BATCH_LENGTH, 4, 48, STATUS_CORRUPT, "length 48");
	check_header(BATCH_LENGTH, 4, 49, 0, "length 49");
	check_header(BATCH_LENGTH, 4, -1, STATUS_CORRUPT, "length -1");
	check_header(BATCH_LENGTH, 4, BATCH_BYTES_MAX - 12, 0, "the greatest");
	check_header(BATCH_LENGTH, 4, BATCH_BYTES_MAX - 11, STATUS_CORRUPT,
	    "one more");
	check_header(BATCH_BASE_OFFSET, 8, -1, STATUS_CORRUPT, "offset -1");
	check_header(BATCH_BASE_OFFSET, 8, INT64_MAX, STATUS_CORRUPT,
	    "a last offset over the top");
	check_header(BATCH_BASE_OFFSET, 8, INT64_MAX - 1, STATUS_CORRUPT,
	    "no offset left behind it");
	check_header(BATCH_BASE_OFFSET, 8, INT64_MAX - 2, 0, "at the top");
	check_header(BATCH_LAST_OFFSET_DELTA, 4, -1, STATUS_CORRUPT,
	    "an end before the start");
	check_header(BATCH_LAST_OFFSET_DELTA, 4, 0, STATUS_CORRUPT,
	    "more records than offsets");
	check_header(BATCH_LAST_OFFSET_DELTA, 4, INT32_MAX, 0, "fewer");
	check_header(BATCH_RECORD_COUNT, 4, 3, STATUS_CORRUPT, "three");
	check_header(BATCH_RECORD_COUNT, 4, -1, STATUS_CORRUPT, "count -1");
	check_header(BATCH_RECORD_COUNT, 4, 0, 0, "none");
	check_header(BATCH_ATTRIBUTES, 2, 4, 0, "zstd");
	check_header(BATCH_ATTRIBUTES, 2, 5, STATUS_CORRUPT, "codec 5");
	check_header(BATCH_ATTRIBUTES, 2, 7, STATUS_CORRUPT, "codec 7");
	check_header(BATCH_ATTRIBUTES, 2, 0x7f80, 0, "unknown attributes");
	tap_int(batch_decode(zero, sizeof(zero), &b, NULL), STATUS_CORRUPT,
	    "zeroes");
	tap_int(batch_decode(zero, 16, &b, NULL), STATUS_SHORT, "16 of them");
}

/* The known batch with some fields changed: what walking over it ends with. */
static void
check_walk(size_t pos, uint32_t value, int records, int want, const char *text)
{
	uint8_t p[100];
	struct batch_records it, again;
	struct batch_survey survey;
	struct record r;
	struct batch b;
	size_t len = unhex(known, p);
	int rc, count = 0;

	if (pos == BATCH_RECORD_COUNT || pos == BATCH_LENGTH)
		buf_put_32(p + pos, value);
	else
		p[pos] = (uint8_t)value;
	if (batch_decode(p, len, &b, NULL) != 0 ||
	    batch_records_init(&it, p, &b, NULL) != 0)
		abort();
	again = it;
	while ((rc = batch_records_next(&it, &r)) == 0)
		count++;
	tap(rc == want && count == records, "%s: %d records", text, count);
	tap_int(batch_records_survey(&again, &survey),
	    want == STATUS_END ? 0 : want, "a survey finds the same");
}

static void
test_walks(void)
{
	uint8_t p[100];
	struct batch_records it;
	struct record r;
	struct batch b;

	check_walk(BATCH_MAGIC, 2, 2, STATUS_END, "as it is");
	check_walk(BATCH_RECORD_COUNT, 1, 1, STATUS_CORRUPT, "one left over");
	check_walk(BATCH_RECORD_COUNT, 0, 0, STATUS_CORRUPT, "two left over");
	check_walk(BATCH_LENGTH, 73, 1, STATUS_CORRUPT, "a record cut");
	check_walk(BATCH_LENGTH, 58, 1, STATUS_CORRUPT, "a record missing");
	check_walk(73, 0, 1, STATUS_CORRUPT, "an offset twice");
	check_walk(73, 4, 1, STATUS_CORRUPT, "an offset behind the last");
	check_walk(64, 2, 1, STATUS_CORRUPT, "offsets that do not ascend");
	/* A batch that compaction has emptied. */
	(void)unhex(known, p);
	buf_put_32(p + BATCH_LENGTH, 49);
	buf_put_32(p + BATCH_RECORD_COUNT, 0);
	tap(batch_decode(p, BATCH_HEADER_LEN, &b, NULL) == 0 &&
		b.size == BATCH_HEADER_LEN &&
		batch_records_init(&it, p, &b, NULL) == 0 &&
		batch_records_next(&it, &r) == STATUS_END,
	    "a header alone is a batch without records");
	p[BATCH_ATTRIBUTES + 1] = CODEC_ZSTD;
	tap(batch_decode(p, BATCH_HEADER_LEN, &b, NULL) == 0 &&
		batch_records_init(&it, p, &b, NULL) == 0 &&
		batch_records_next(&it, &r) == STATUS_END,
	    "of whatever codec");
}

/* What a survey says is what a walk finds. */
static void
test_survey(void)
{
	static const int64_t times[] = {-1, 0, 1, 1000, 1700000000000,
	    INT64_MAX};
	static char text[10000];
	struct batch_records it;
	struct batch_survey s;
	struct batch_builder bb;
	const uint8_t *data;
	struct batch b;
	size_t size;
	int bad = 0, gaps = 0, nulls = 0;

	memset(text, 't', sizeof(text) - 1);
	for (int i = 0; i < 2000; i++) {
		struct batch_survey want = {.min_ms = INT64_MAX, .max_ms = -1};
		uint64_t kinds = (uint64_t)i % 6 + 1;
		int count = 1 + (int)(tap_random() % 20), delta = 0;

		batch_builder_init(&bb, CODEC_NONE, INT_MIN, 1 << 20);
		for (int k = 0; k < count; k++) {
			struct record r = {.timestamp =
					       times[tap_random() % kinds],
			    .key = bytes_of("k"),
			    .value = bytes_of(text + tap_random() % 10000)};
			int step = tap_random() % 40 == 0 ? 10000 : 0;

			if (tap_random() % 40 == 0)
				r.key = BYTES_NULL;
			delta += step;
			if (batch_builder_add_at(&bb, &r, delta) != 0) {
				delta -= step;
				continue;
			}
			delta++;
			want.has_null_key |= bytes_is_null(r.key);
			if (r.timestamp >= 0 && r.timestamp < want.min_ms)
				want.min_ms = r.timestamp;
			if (r.timestamp > want.max_ms)
				want.max_ms = r.timestamp;
		}
		if (batch_builder_finish(&bb, &data, &size) != 0 ||
		    batch_decode(data, size, &b, NULL) != 0 ||
		    batch_records_init(&it, data, &b, NULL) != 0 ||
		    batch_records_survey(&it, &s) != 0)
			abort();
		bad += s.min_ms != want.min_ms || s.max_ms != want.max_ms ||
		    s.has_null_key != want.has_null_key || it.left != 0;
		gaps += b.last_offset - b.base_offset >= b.record_count;
		nulls += s.has_null_key;
		batch_builder_release(&bb);
	}
	tap_int(bad, 0, "surveys are right");
	tap(gaps > 100 && gaps < 1900 && nulls > 100 && nulls < 1900,
	    "with gaps and without, with null keys and without");
}

/* The scratch buffer bounds what a small batch may unpack to. */
static void
test_bomb(enum codec codec)
{
	struct record r = {.key = BYTES_NULL};
	uint8_t *zeroes = calloc(1, 1000000);
	struct batch_builder bb;
	struct batch_records it;
	struct buf scratch;
	const uint8_t *data;
	struct batch b;
	size_t size;

	if (zeroes == NULL)
		abort();
	r.value = (struct bytes){zeroes, 1000000};
	batch_builder_init(&bb, codec, INT_MIN, 2000000);
	if (batch_builder_add(&bb, &r) != 0 ||
	    batch_builder_finish(&bb, &data, &size) != 0 ||
	    batch_decode(data, size, &b, NULL) != 0)
		abort();
	buf_init(&scratch, 100000);
	tap(size < 100000 &&
		batch_records_init(&it, data, &b, &scratch) == STATUS_TOO_BIG &&
		scratch.cap <= 100000,
	    "%zu bytes of %s are not unpacked over the maximum", size,
	    codec_name(codec));
	buf_release(&scratch);
	buf_init(&scratch, 2000000);
	tap(batch_records_init(&it, data, &b, &scratch) == 0 &&
		batch_records_next(&it, &r) == 0 && r.value.len == 1000000,
	    "below it they are");
	buf_release(&scratch);
	batch_builder_release(&bb);
	free(zeroes);
}

/* Batches of all sizes, one behind the other: the sum of all their bytes. */
static void
test_sum(void)
{
	static uint8_t all[1 << 20];
	static char value[20000];
	struct batch_builder bb;
	const uint8_t *data;
	struct batch b;
	size_t size, len = 0;
	uint32_t sum = 0;
	int wrong = 0;

	memset(value, 'v', sizeof(value) - 1);
	for (size_t n = 0; n < sizeof(value); n = n * 5 / 4 + 1) {
		batch_builder_init(&bb, CODEC_NONE, INT_MIN, 1 << 20);
		add(&bb, known_time, "k", value + sizeof(value) - 1 - n, NULL);
		if (batch_builder_finish(&bb, &data, &size) != 0)
			abort();
		memcpy(all + len, data, size);
		batch_builder_release(&bb);
		batch_assign(all + len, (int64_t)n << 33, 0x05060708);
		wrong += accept(all + len, size, &b);
		sum = batch_sum(sum, all + len, &b);
		len += size;
		wrong += sum != crc32c(all, len);
	}
	tap_int(wrong, 0, "the sum of batches is that of their bytes");
}

int
main(void)
{
	fill_pool();
	test_sum();
	test_known();
	test_marker();
	test_control_refused();
	test_builder();
	test_builder_places();
	test_clear_producer();
	test_headers();
	test_walks();
	test_survey();
	for (enum codec c = CODEC_NONE; c < CODEC_COUNT; c++) {
		test_round_trip(c);
		test_truncated(c);
		test_bits(c);
		test_wrong_records(c);
		if (c != CODEC_NONE)
			test_bomb(c);
	}
	return tap_done();
}
