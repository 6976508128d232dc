/*
 * Messages as bytes that are known, and random ones there and back, cut short
 * and changed, in each version.
 * WIRE_ROUNDS (10) is how many random ones.
 */

#include "kafka/wire.h"

#include <stdlib.h>

#include "base/status.h"
#include "kafka/api.h"
#include "kafka/messages.h"
#include "tap.h"

enum { ARENA_MAX = 1 << 20 };

static int rounds = 10;

static const char text[] = "0123456789abcdefghijklmnopqrstuvwxyz";

/* --- known bytes ---------------------------------------------------------- */

static bool
is_hex(const struct buf *b, const char *hex)
{
	char byte[3];

	if (strlen(hex) != b->len * 2)
		return false;
	for (size_t i = 0; i < b->len; i++) {
		snprintf(byte, sizeof(byte), "%02x", b->data[i]);
		if (memcmp(byte, hex + 2 * i, 2) != 0)
			return false;
	}
	return true;
}

static void
test_request(void)
{
	struct wire_request header = {API_VERSIONS, 3, 7, bytes_of("c")}, back;
	struct api_versions_request r, got;
	struct arena arena;
	struct view v;
	struct buf b;

	buf_init(&b, 1000);
	arena_init(&arena, ARENA_MAX);
	wire_defaults(&messages_api_versions_request, &r);
	r.client_software_name = bytes_of("t");
	r.client_software_version = bytes_of("1");
	tap(wire_request_encode(&b, true, &header) == 0 &&
		wire_encode(&messages_api_versions_request, 3, &r, &b, NULL) ==
		    0 &&
		is_hex(&b,
		    "00120003000000070001630002740231"
		    "00"),
	    "ApiVersions request, version 3");
	v = (struct view){b.data, b.len};
	tap(wire_request_decode(&v, true, &back) == 0 &&
		back.key == API_VERSIONS && back.version == 3 &&
		back.correlation == 7 &&
		bytes_equal(back.client_id, header.client_id),
	    "its header read back");
	tap(wire_decode(&messages_api_versions_request, 3, &v, &arena, &got) ==
		    0 &&
		v.len == 0 &&
		bytes_equal(got.client_software_name, bytes_of("t")),
	    "and the rest");
	arena_release(&arena);
	buf_release(&b);
}

static void
test_response(void)
{
	struct api_versions_response_api_keys key = {API_VERSIONS, 0, 3};
	struct api_versions_response r;
	struct buf b;

	buf_init(&b, 1000);
	wire_defaults(&messages_api_versions_response, &r);
	r.api_keys = &key;
	r.api_keys_count = 1;
	tap(wire_response_encode(&b, false, 7) == 0 &&
		wire_encode(&messages_api_versions_response, 3, &r, &b, NULL) ==
		    0 &&
		is_hex(&b, "00000007000002001200000003000000000000"),
	    "its answer");
	b.len = 0;
	tap(api_versions_refusal(&b, 7) == 0 &&
		is_hex(&b, "00000007002300000001001200000004"),
	    "the answer to a version that is not known");
	b.len = 0;
	tap_int(wire_encode(&messages_api_versions_response, 5, &r, &b, NULL),
	    STATUS_UNSUPPORTED, "no such version");
	buf_release(&b);
}

static void
test_cuts(void)
{
	struct fetch_response_responses_partitions p[2];
	struct fetch_response_responses t;
	struct wire_cuts cuts = {NULL, 0, 0};
	struct fetch_response r;
	struct buf b;

	buf_init(&b, 1000);
	wire_defaults(&messages_fetch_response, &r);
	memset(&t, 0, sizeof(t));
	memset(p, 0, sizeof(p));
	t.topic = bytes_of("t");
	t.partitions = p;
	t.partitions_count = 2;
	r.responses = &t;
	r.responses_count = 1;
	p[0].records = (struct wire_records){.len = 1000, .fd = 5, .pos = 7};
	p[1].records.data = (const uint8_t *)text;
	p[1].records.len = 3;
	tap(wire_encode(&messages_fetch_response, 11, &r, &b, NULL) ==
		STATUS_TOO_BIG,
	    "records in a file, and nobody to send them");
	b.len = 0;
	tap(wire_encode(&messages_fetch_response, 11, &r, &b, &cuts) == 0 &&
		cuts.count == 1 && cuts.cuts[0].records == &p[0].records &&
		wire_cuts_bytes(&cuts) == 1000,
	    "they are cut out");
	tap(buf_get_32(b.data + cuts.cuts[0].at - 4) == 1000 &&
		memcmp(b.data + b.len - 3, "012", 3) == 0,
	    "and their length is there");
	wire_cuts_release(&cuts);
	buf_release(&b);
}

/* --- any message ---------------------------------------------------------- */

static void fill(const struct wire_struct *s, int version, void *out,
    struct arena *arena, int depth);

static int32_t
random_len(const struct wire_field *f, int version, int max)
{
	int32_t len = (int32_t)(tap_random() % (uint64_t)(max + 2)) - 1;

	return len < 0 && version < f->null_from ? 0 : len;
}

static void
fill_number(const struct wire_field *f, char *at)
{
	uint64_t n = tap_random();

	if (f->type == WIRE_BOOL)
		*(bool *)at = n & 1;
	else if (f->type == WIRE_INT8)
		*(int8_t *)at = (int8_t)n;
	else if (f->type == WIRE_INT16)
		*(int16_t *)(void *)at = (int16_t)n;
	else if (f->type == WIRE_INT32)
		*(int32_t *)(void *)at = (int32_t)n;
	else if (f->type == WIRE_INT64)
		*(int64_t *)(void *)at = (int64_t)n;
	else
		memcpy(at, &n, sizeof(n));
}

static void
fill_one(const struct wire_field *f, int version, char *at, struct arena *arena,
    int depth)
{
	int32_t len;

	if (f->type == WIRE_STRUCT) {
		fill(f->of, version, at, arena, depth + 1);
	} else if (f->type == WIRE_RECORDS) {
		len = random_len(f, version, 30);
		*(struct wire_records *)(void *)at =
		    (struct wire_records){.data = (const uint8_t *)text,
			.len = len};
	} else if (f->type == WIRE_STRING || f->type == WIRE_BYTES) {
		len = random_len(f, version, 30);
		*(struct bytes *)(void *)at =
		    (struct bytes){(const uint8_t *)text, len};
	} else {
		fill_number(f, at);
	}
}

static void
fill_array(const struct wire_field *f, int version, char *out,
    struct arena *arena, int depth)
{
	int32_t count = random_len(f, version, depth > 2 ? 1 : 3);
	struct wire_field element = *f;
	char *items = NULL;

	element.null_from = WIRE_NEVER;
	if (count > 0)
		items = arena_alloc(arena, (size_t)count, wire_size_of(f));
	for (int32_t i = 0; i < count; i++)
		fill_one(&element, version, items + (size_t)i * wire_size_of(f),
		    arena, depth);
	*(void **)(void *)(out + f->at) = items;
	*(int32_t *)(void *)(out + f->count_at) = count;
}

static void
fill(const struct wire_struct *s, int version, void *out, struct arena *arena,
    int depth)
{
	wire_struct_defaults(s, out);
	for (size_t i = 0; i < s->count; i++) {
		const struct wire_field *f = &s->fields[i];

		if (version < f->from || version > f->to ||
		    (f->tag >= 0 && tap_random() % 2 == 0))
			continue;
		if (f->array)
			fill_array(f, version, out, arena, depth);
		else
			fill_one(f, version, (char *)out + f->at, arena, depth);
	}
}

/* Written, read and written again it is the same. */
static bool
round_trips(const struct wire_message *m, int version, struct buf *once)
{
	struct arena arena;
	struct buf twice;
	struct view v;
	void *in, *back;
	bool ok;

	arena_init(&arena, ARENA_MAX);
	buf_init(&twice, ARENA_MAX);
	in = arena_alloc(&arena, 1, m->body->size);
	back = arena_alloc(&arena, 1, m->body->size);
	fill(m->body, version, in, &arena, 0);
	ok = wire_encode(m, version, in, once, NULL) == 0;
	v = (struct view){once->data, once->len};
	ok = ok && wire_decode(m, version, &v, &arena, back) == 0 && v.len == 0;
	ok = ok && wire_encode(m, version, back, &twice, NULL) == 0 &&
	    twice.len == once->len &&
	    (once->len == 0 || memcmp(twice.data, once->data, once->len) == 0);
	arena_release(&arena);
	buf_release(&twice);
	return ok;
}

/* Cut short it is never taken for whole, whatever its last byte is. */
static bool
refuses_cut(const struct wire_message *m, int version, const struct buf *b)
{
	struct arena arena;
	bool ok = true;

	arena_init(&arena, ARENA_MAX);
	for (size_t len = 0; len < b->len; len++) {
		/* Of its own, so that reading past it is seen. */
		uint8_t *copy = malloc(len + 1);
		void *out = arena_alloc(&arena, 1, m->body->size);
		struct view v = {copy + 1, len};

		memcpy(copy + 1, b->data, len);
		ok = ok && wire_decode(m, version, &v, &arena, out) != 0;
		arena_release(&arena);
		free(copy);
	}
	return ok;
}

/* Changed anywhere it is read or refused, and memory stays bounded. */
static void
survives_noise(const struct wire_message *m, int version, struct buf *b)
{
	struct arena arena;

	arena_init(&arena, ARENA_MAX);
	for (int i = 0; i < 20 && b->len > 0; i++) {
		struct view v = {b->data, b->len};
		void *out = arena_alloc(&arena, 1, m->body->size);

		b->data[tap_random() % b->len] = (uint8_t)tap_random();
		(void)wire_decode(m, version, &v, &arena, out);
		arena_release(&arena);
	}
}

static void
test_message(const struct wire_message *m)
{
	int failed = 0, accepted = 0;

	for (int version = m->min; version <= m->max; version++) {
		for (int i = 0; i < rounds; i++) {
			struct buf b;

			buf_init(&b, ARENA_MAX);
			if (!round_trips(m, version, &b))
				failed++;
			if (!refuses_cut(m, version, &b))
				accepted++;
			survives_noise(m, version, &b);
			buf_release(&b);
		}
	}
	tap(failed == 0 && accepted == 0, "%s, %d to %d", m->name, m->min,
	    m->max);
}

/* --- lengths that lie ----------------------------------------------------- */

static void
test_lies(void)
{
	static const uint8_t huge[] = {0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0};
	static const uint8_t negative[] = {0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 0};
	static const uint8_t null_array[] = {0xff, 0xff, 0xff, 0xff, 1};
	static const uint8_t varint[] = {0xff, 0xff, 0xff, 0xff, 0x7f, 0, 0};
	struct metadata_request r;
	struct arena arena;
	struct view v = {huge, sizeof(huge)};

	arena_init(&arena, ARENA_MAX);
	tap_int(wire_decode(&messages_metadata_request, 1, &v, &arena, &r),
	    STATUS_SHORT, "2^31-1 topics in four bytes");
	v = (struct view){negative, sizeof(negative)};
	tap_int(wire_decode(&messages_metadata_request, 1, &v, &arena, &r),
	    STATUS_CORRUPT, "-2 topics");
	v = (struct view){null_array, sizeof(null_array)};
	tap_int(wire_decode(&messages_metadata_request, 0, &v, &arena, &r),
	    STATUS_CORRUPT, "null where it is not legal yet");
	v = (struct view){null_array, sizeof(null_array)};
	tap(wire_decode(&messages_metadata_request, 4, &v, &arena, &r) == 0 &&
		r.topics_count == -1 && r.allow_auto_topic_creation,
	    "and where it is");
	v = (struct view){varint, sizeof(varint)};
	tap_int(wire_decode(&messages_metadata_request, 9, &v, &arena, &r),
	    STATUS_CORRUPT, "a length of 35 bits");
	arena_release(&arena);
}

static void
test_bounded(void)
{
	static uint8_t many[1 << 16];
	struct view v = {many, sizeof(many)};
	struct produce_request r;
	struct arena arena;

	/* Each topic is a few bytes here, and many times that as a struct. */
	memset(many, 0, sizeof(many));
	buf_put_16(many, 0xffff);
	buf_put_32(many + 8, 8000);
	arena_init(&arena, 4096);
	tap_int(wire_decode(&messages_produce_request, 3, &v, &arena, &r),
	    STATUS_TOO_BIG, "memory has a bound");
	arena_release(&arena);
}

static void
test_apis(void)
{
	const struct api *a;
	int16_t last = -1;
	bool ordered = true, known = true;

	for (size_t i = 0; (a = api_at(i)) != NULL; i++) {
		ordered = ordered && a->key > last;
		last = a->key;
		known = known && api_find(a->key) == a &&
		    a->max <= a->request->max &&
		    a->request->min == a->response->min &&
		    a->request->flexible == a->response->flexible;
	}
	tap(ordered && known && last == API_REPLICATE, "the table of APIs");
	tap(api_number(api_find(API_REPLICATE)) < API_COUNT_MAX,
	    "there is room for their numbers");
	a = api_find(API_PRODUCE);
	tap(a->min == 0 && !api_is_served(a, 2) && api_is_served(a, 3) &&
		!api_is_served(a, 12),
	    "versions of Produce");
	tap(api_find(4) == NULL && api_find(-1) == NULL, "no such key");
	tap(!api_find(API_SASL_HANDSHAKE)->served, "not offered");
}

int
main(void)
{
	const char *env = getenv("WIRE_ROUNDS");
	const struct api *a;

	if (env != NULL)
		rounds = atoi(env);
	test_request();
	test_response();
	test_cuts();
	test_lies();
	test_bounded();
	test_apis();
	for (size_t i = 0; (a = api_at(i)) != NULL; i++) {
		test_message(a->request);
		test_message(a->response);
	}
	return tap_done();
}
