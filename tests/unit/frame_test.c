/*
 * Frames of a replication: written and read as the same, whole or not at all.
 */

#include "base/status.h"
#include "replicate/frame.h"
#include "tap.h"

static const struct frame full = {
    .magic = FRAME_MAGIC,
    .version_min = 1,
    .version_max = 3,
    .capabilities = 1ULL << 63,
    .window = FRAME_WINDOW,
    .topic = 4000000000,
    .partition = 7,
    .count = 12,
    .identity = {1, 2, 3},
    .start = 5,
    .end = INT64_MAX,
    .offset = -1,
    .batch = {100, 102, 9, 0xdeadbeef},
    .epoch = 3,
    .time = 1795414032471,
    .status = 4,
    .bytes = 10000000000,
    .digest = 0xfedcba9876543210,
    .data = {(const uint8_t *)"name\0rest", 9},
};

/* Each type: cut anywhere it is short, with any bit changed it is none. */
static void
test_type(enum frame_type type)
{
	struct frame f = full, got;
	struct buf one, two;
	struct view v;
	bool cut = true, bits = true;
	size_t need;

	f.type = type;
	buf_init(&one, 1 << 16);
	buf_init(&two, 1 << 16);
	if (frame_encode(&f, &one) != 0)
		abort();
	v = (struct view){one.data, one.len};
	tap_int(frame_decode(&v, &got, NULL, NULL), 0, "%s", frame_name(type));
	tap_int(v.len, 0, "nothing is left");
	if (frame_encode(&got, &two) != 0)
		abort();
	tap(one.len == two.len && memcmp(one.data, two.data, one.len) == 0,
	    "read and written it is the same");
	for (size_t len = 0; len < one.len; len++) {
		v = (struct view){one.data, len};
		cut = cut &&
		    frame_decode(&v, &got, &need, NULL) == STATUS_SHORT &&
		    need > len && need <= one.len;
	}
	tap(cut, "cut anywhere it is short");
	for (size_t bit = 0; bit < one.len * 8; bit++) {
		one.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		v = (struct view){one.data, one.len};
		/* At once: nobody waits for what a wrong length says. */
		bits = bits &&
		    frame_decode(&v, &got, NULL, NULL) == STATUS_CORRUPT;
		one.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	tap(bits, "with any bit changed it is none");
	buf_release(&one);
	buf_release(&two);
}

static void
test_limits(void)
{
	uint8_t header[FRAME_HEADER_LEN] = {0xff, 0xff, 0xff, 0xff, FRAME_DATA};
	struct view v = {header, sizeof(header)};
	const char *what = NULL;
	struct frame f;

	tap_int(frame_decode(&v, &f, NULL, &what), STATUS_CORRUPT,
	    "a frame of 4 GiB");
	tap_str(what, "a frame is too long");
	buf_put_32(header, FRAME_TEXT_MAX + 1);
	header[4] = FRAME_ERROR;
	tap_int(frame_decode(&v, &f, NULL, &what), STATUS_CORRUPT,
	    "a long line");
	memcpy(header, "Welcome to h", sizeof(header));
	tap_int(frame_decode(&v, &f, NULL, &what), STATUS_CORRUPT,
	    "what a shell may print");
	tap_str(what, "not a frame");
}

static void
tap_lie(const char *what, struct frame f)
{
	struct buf b;
	struct view v;
	struct frame got;

	buf_init(&b, 1 << 20);
	if (frame_encode(&f, &b) != 0)
		abort();
	v = (struct view){b.data, b.len};
	tap_int(frame_decode(&v, &got, NULL, NULL), STATUS_CORRUPT, "%s", what);
	buf_release(&b);
}

/* Numbers that nobody says. */
static void
test_lies(void)
{
	struct frame f = {.type = FRAME_HAVE, .batch = {.base_offset = -1}};

	f.start = -1;
	tap_lie("a start below 0", f);
	f.start = 0;
	f.end = -1;
	tap_lie("an end below 0", f);
	f.end = 9;
	f.batch = (struct frame_batch){.base_offset = INT64_MIN};
	tap_lie("a batch below -1", f);
	f.batch = (struct frame_batch){.base_offset = 5, .last_offset = 4};
	tap_lie("one that ends before it begins", f);
	f.batch = (struct frame_batch){.leader_epoch = -2};
	tap_lie("a leader epoch below -1", f);
}

static void
test_string(void)
{
	struct view v = full.data;
	char name[8];

	tap_int(frame_string(&v, name, 4), STATUS_SHORT, "too long a string");
	tap_int(frame_string(&v, name, sizeof(name)), 0, "a string");
	tap_str(name, "name");
	tap_int(frame_string(&v, name, sizeof(name)), STATUS_SHORT,
	    "one that does not end");
}

int
main(void)
{
	for (int type = FRAME_HELLO; type < FRAME_TYPES; type++)
		test_type((enum frame_type)type);
	test_limits();
	test_lies();
	test_string();
	return tap_done();
}
