#include "store/record.h"

#include "base/bounds.h"
#include "base/buf.h"
#include "base/status.h"
#include "base/varint.h"
#include "tap.h"

/* Bytes from hex digits; returns their number. */
static size_t
unhex(const char *s, uint8_t *out)
{
	size_t len = 0;
	unsigned byte;

	for (; sscanf(s, "%2x", &byte) == 1; s += 2)
		out[len++] = (uint8_t)byte;
	return len;
}

static void
test_known(void)
{
	/* Key "k", value "v"; then null key, "hello", header h=x. */
	static const char plain[] = "10000000026b027600";
	static const char with_header[] = "1e000a02010a68656c6c6f0202680278";
	uint8_t want[64], got[64];
	struct record r = {.key = bytes_of("k"), .value = bytes_of("v")};
	struct buf headers;
	size_t len;

	len = unhex(plain, want);
	tap_int(record_size(&r, 0, 0), len, "size of a small record");
	tap(record_encode(got, &r, 0, 0) == got + len &&
		memcmp(got, want, len) == 0,
	    "its bytes");
	buf_init(&headers, 100);
	tap_int(record_headers_add(&headers, bytes_of("h"), bytes_of("x")), 0,
	    "add a header");
	r = (struct record){.key = BYTES_NULL,
	    .value = bytes_of("hello"),
	    .header_count = 1,
	    .headers = headers.data,
	    .headers_len = headers.len};
	len = unhex(with_header, want);
	tap_int(record_size(&r, 5, 1), len, "size of one with a header");
	tap(record_encode(got, &r, 5, 1) == got + len &&
		memcmp(got, want, len) == 0,
	    "its bytes");
	buf_release(&headers);
}

static struct bytes
random_bytes(const uint8_t *pool, int32_t max)
{
	struct bytes b = {pool, (int32_t)(tap_random() % (uint64_t)max)};

	return tap_random() % 4 == 0 ? BYTES_NULL : b;
}

/* One of many lengths, extreme ones among them. */
static int64_t
random_timestamp(void)
{
	int64_t v = (int64_t)(tap_random() >> (tap_random() % 64));

	switch (tap_random() % 8) {
	case 0:
		return INT64_MAX;
	case 1:
		return INT64_MIN;
	case 2:
		return -v;
	default:
		return v;
	}
}

static bool
same_record(const struct record *a, const struct record *b)
{
	return a->offset == b->offset && a->timestamp == b->timestamp &&
	    bytes_equal(a->key, b->key) && bytes_equal(a->value, b->value) &&
	    a->header_count == b->header_count &&
	    a->headers_len == b->headers_len &&
	    (a->headers_len == 0 ||
		memcmp(a->headers, b->headers, a->headers_len) == 0);
}

/*
 * Encode, decode, and cut everywhere.  The copy is as long as the record, so
 * that a read behind it is noticed by a checker of memory.
 */
static int
round_trip(const struct record *r, int64_t base_timestamp, int64_t base_offset)
{
	int64_t delta = 0;
	int32_t offset_delta = (int32_t)(r->offset - base_offset);
	const uint8_t *next = NULL;
	struct record back;
	uint8_t *p;
	size_t len;
	int bad = 0;

	if (__builtin_sub_overflow(r->timestamp, base_timestamp, &delta))
		return 0;
	len = record_size(r, delta, offset_delta);
	bad += len > record_size_max(r);
	p = malloc(len);
	if (p == NULL)
		abort();
	bad += record_encode(p, r, delta, offset_delta) != p + len;
	bad += record_decode(p, p + len, base_timestamp, base_offset, &back,
		   &next) != 0;
	bad += next != p + len || !same_record(r, &back);
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *q = malloc(cut + 1);

		if (q == NULL)
			abort();
		memcpy(q + 1, p, cut);
		bad += record_decode(q + 1, q + 1 + cut, base_timestamp,
			   base_offset, &back, &next) != STATUS_CORRUPT;
		free(q);
	}
	free(p);
	return bad;
}

static void
test_round_trip(void)
{
	uint8_t pool[300];
	struct buf headers;
	int bad = 0;

	for (size_t i = 0; i < sizeof(pool); i++)
		pool[i] = (uint8_t)tap_random();
	buf_init(&headers, 100000);
	for (int i = 0; i < 2000; i++) {
		int32_t max = i % 10 == 0 ? 300 : 12;
		struct record r = {.offset = 1000000000000 +
			(int64_t)(tap_random() >> (33 + tap_random() % 31)),
		    .timestamp = random_timestamp(),
		    .key = random_bytes(pool, max),
		    .value = random_bytes(pool, max)};

		headers.len = 0;
		r.header_count = (int32_t)(tap_random() % 4);
		for (int32_t h = 0; h < r.header_count; h++) {
			struct bytes name = {pool, (int32_t)(tap_random() % 9)};

			if (record_headers_add(&headers, name,
				random_bytes(pool, max)) != 0)
				abort();
		}
		r.headers = headers.data;
		r.headers_len = headers.len;
		bad += round_trip(&r, random_timestamp(), 1000000000000);
	}
	tap_int(bad, 0, "random records come back; cut ones are refused");
	buf_release(&headers);
}

static void
test_headers(void)
{
	struct record_headers it;
	struct record_header h;
	struct record r = {.key = BYTES_NULL, .value = BYTES_NULL};
	struct buf b;

	buf_init(&b, 40);
	tap(record_headers_add(&b, bytes_of("a"), bytes_of("1")) == 0 &&
		record_headers_add(&b, bytes_of(""), BYTES_NULL) == 0 &&
		record_headers_add(&b, bytes_of("a"), bytes_of("")) == 0,
	    "the same name twice, an empty one, a null value");
	r.header_count = 3;
	r.headers = b.data;
	r.headers_len = b.len;
	record_headers_init(&it, &r);
	tap(record_headers_next(&it, &h) == 0 &&
		bytes_equal(h.name, bytes_of("a")) &&
		bytes_equal(h.value, bytes_of("1")),
	    "the first");
	tap(record_headers_next(&it, &h) == 0 &&
		bytes_equal(h.name, bytes_of("")) && bytes_is_null(h.value),
	    "the second");
	tap(record_headers_next(&it, &h) == 0 &&
		bytes_equal(h.name, bytes_of("a")) && h.value.len == 0,
	    "the third");
	tap_int(record_headers_next(&it, &h), STATUS_END, "the end");
	tap_int(record_headers_next(&it, &h), STATUS_END, "still the end");
	r.header_count = 0;
	r.headers = NULL;
	r.headers_len = 0;
	record_headers_init(&it, &r);
	tap_int(record_headers_next(&it, &h), STATUS_END, "no headers");
	size_t len = b.len;
	tap_int(record_headers_add(&b,
		    bytes_of("a name of thirty-five bytes,"
			     " at most"),
		    BYTES_NULL),
	    STATUS_TOO_BIG, "one that does not fit");
	tap_int(b.len, len, "changes nothing");
	buf_release(&b);
}

/* A record, in hex behind its length, at base timestamp and offset. */
static void
check_at(const char *hex, int64_t timestamp, int64_t offset, int want,
    const char *what)
{
	uint8_t p[64];
	size_t len = unhex(hex, p + 1);
	const uint8_t *next = NULL;
	struct record r;

	p[0] = (uint8_t)(len * 2);
	tap_int(record_decode(p, p + 1 + len, timestamp, offset, &r, &next),
	    want, "%s", what);
	if (want == 0)
		tap(next == p + 1 + len, "up to its end");
}

static void
check(const char *hex, int want, const char *what)
{
	check_at(hex, 1000, 1000, want, what);
}

static void
test_refused(void)
{
	check("000000010100", 0, "no key, no value");
	check("ff0000010100", 0, "attributes are not looked at");
	check("000000010180808000", 0, "a longer varint than needed");
	check("", STATUS_CORRUPT, "nothing");
	check("00", STATUS_CORRUPT, "attributes alone");
	check("000001010100", STATUS_CORRUPT, "offset delta -1");
	check("000000030100", STATUS_CORRUPT, "key length -2");
	check("000000010300", STATUS_CORRUPT, "value length -2");
	check("000000046b0100", STATUS_CORRUPT, "a key over the end");
	check("00000001010061", STATUS_CORRUPT, "a byte left over");
	check("000000010101", STATUS_CORRUPT, "-1 headers");
	check("000000010102", STATUS_CORRUPT, "a header that is not there");
	check("0000000101020101", STATUS_CORRUPT, "a header without name");
	check("000000010102026801", 0, "a header with null value");
	check("000000010102026803", STATUS_CORRUPT, "header value length -2");
	check("0000000101020268027800", STATUS_CORRUPT,
	    "a byte after the headers");
	check("0000feffffff0f010100", 0, "the greatest offset delta");
	check("00008080808010010100", STATUS_CORRUPT, "one more");
	check_at("000200010100", INT64_MAX, 0, STATUS_CORRUPT,
	    "a timestamp over the top");
	check_at("000100010100", INT64_MIN, 0, STATUS_CORRUPT,
	    "a timestamp below the bottom");
	check_at("000002010100", 0, INT64_MAX, STATUS_CORRUPT,
	    "an offset over the top");
	check_at("00feffffffffffffffff0100010100", 0, 0, 0,
	    "the greatest timestamp");
}

static void
test_length(void)
{
	static const uint8_t zero[] = {0x00, 0x00};
	static const uint8_t negative[] = {0x01, 0x00};
	static const uint8_t huge[] = {0xfe, 0xff, 0xff, 0xff, 0x0f, 0x00};
	const uint8_t *next;
	struct record r;

	tap_int(record_decode(zero, zero + 2, 0, 0, &r, &next), STATUS_CORRUPT,
	    "length 0");
	tap_int(record_decode(negative, negative + 2, 0, 0, &r, &next),
	    STATUS_CORRUPT, "length -1");
	tap_int(record_decode(huge, huge + 6, 0, 0, &r, &next), STATUS_CORRUPT,
	    "length 2147483647");
}

/* A record without its length, damaged somewhere or not; returns its bytes. */
static size_t
damaged_record(uint8_t *at)
{
	static const int32_t lens[] = {0, 1, 62, 63, 64, 65, 300};
	static const uint8_t pool[400];
	struct record r = {.key = {pool, lens[tap_random() % 7]},
	    .value = {pool, lens[tap_random() % 7]}};
	int32_t delta = (int32_t)(tap_random() >> (33 + tap_random() % 31));
	uint8_t record[900];
	const uint8_t *body;
	int32_t len = 0;

	if (tap_random() % 4 == 0)
		r.key = BYTES_NULL;
	if (tap_random() % 4 == 0)
		r.value = BYTES_NULL;
	(void)record_encode(record, &r, delta / 3 - 1, delta);
	body = varint_get_32(record, record + sizeof(record), &len);
	memcpy(at, body, (size_t)len);
	if (tap_random() % 2 == 0)
		at[tap_random() % (len < 12 ? (uint64_t)len : 12)] ^=
		    (uint8_t)(1 << tap_random() % 8);
	if (tap_random() % 4 == 0)
		at[tap_random() % (uint64_t)len] ^=
		    (uint8_t)(1 << tap_random() % 8);
	return (size_t)len;
}

/* A varint in five bytes: what it is in front of is read the long way. */
static uint8_t *
put_long(uint8_t *p, int32_t v)
{
	uint32_t u = (uint32_t)v << 1 ^ (uint32_t)(v >> 31);

	for (int i = 0; i < 4; i++, u >>= 7)
		p[i] = (uint8_t)(u | 0x80);
	p[4] = (uint8_t)u;
	return p + 5;
}

/* Records of the usual form have a way of their own: to the same end. */
static void
test_small(void)
{
	uint8_t bytes[1000];
	const uint8_t *p, *next, *long_next;
	struct record r, s;
	int bad = 0, good = 0, small = 0;

	for (int i = 0; i < 200000; i++) {
		uint8_t *body = bytes + 5;
		size_t len = damaged_record(body), room = tap_random() % 40;
		int32_t said = (int32_t)len + (tap_random() % 16 == 0) -
		    (tap_random() % 16 == 0);
		int rc;

		p = body - varint_len(said);
		varint_put(bytes + (p - bytes), said);
		memset(body + len, 0, room);
		rc = record_decode(p, body + len + room, 5, 7, &r, &next);
		small += record_decode_small(p, body + len + room, 5, 7, &s,
		    &long_next);
		put_long(bytes, said);
		bad += record_decode(bytes, body + len + room, 5, 7, &s,
			   &long_next) != rc;
		good += rc == 0;
		bad += rc == 0 && (next != long_next || !same_record(&r, &s));
	}
	tap_int(bad, 0, "the quick way and the long one are one");
	tap(small > 20000 && good > small && good < 190000,
	    "both are taken, and both refuse: %d and %d of 200000", small,
	    good);
}

int
main(void)
{
	test_known();
	test_round_trip();
	test_small();
	test_headers();
	test_refused();
	test_length();
	return tap_done();
}
