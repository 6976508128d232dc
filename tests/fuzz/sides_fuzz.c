/*
 * A sender and a receiver that are told anything by the other side, and a
 * receiving end as a server has it: the first byte chooses one, the others are
 * frames in short form, of which the CRC is right.  What stands behind them
 * says yes or no, as the input goes on.
 */

#include <errno.h>
#include <string.h>

#include "base/status.h"
#include "fuzz.h"
#include "replicate/inlet.h"
#include "replicate/receiver.h"
#include "replicate/sender.h"
#include "store/properties.h"

static struct fuzz_input in;
static struct properties settings;

/* 0, mostly; else an error that a store may have. */
static int
outcome(void)
{
	static const int errors[] = {EIO, ENOSPC, STATUS_CORRUPT, STATUS_ROLE,
	    STATUS_OFFSET, STATUS_END, ENOENT, STATUS_NO_TOPIC};
	uint8_t b = fuzz_byte(&in);

	return b < 240 ? 0 : errors[b % 8];
}

static void
take_batch(struct frame_batch *b)
{
	b->base_offset = (int8_t)fuzz_byte(&in);
	b->last_offset = b->base_offset + fuzz_byte(&in) % 4;
	b->leader_epoch = fuzz_byte(&in) % 4;
	b->crc = fuzz_byte(&in) % 4;
	if (b->base_offset < 0)
		b->base_offset = b->last_offset = -1;
}

/* --- what a sender reads from --------------------------------------------- */

static int
src_refresh(struct source *s, size_t *count, struct fault *f)
{
	(void)s;
	(void)f;
	*count = 2;
	return outcome();
}

static int
src_topic(struct source *s, size_t topic, struct source_topic *out,
    struct fault *f)
{
	(void)s;
	(void)f;
	*out = (struct source_topic){.name = topic == 0 ? "a" : "b",
	    .partitions = 1 + fuzz_byte(&in) % 3,
	    .settings = &settings};
	return 0;
}

static bool
src_has(struct source *s, size_t topic, int32_t partition)
{
	(void)s;
	return topic == 0 || partition != 1;
}

static int
src_bounds(struct source *s, size_t topic, int32_t partition, int64_t *start,
    int64_t *end, struct fault *f)
{
	(void)s;
	(void)f;
	fuzz_must(topic < 2 && partition >= 0 && partition < 3);
	*start = fuzz_byte(&in);
	*end = *start + fuzz_byte(&in);
	return outcome();
}

static int
src_next(struct source *s, size_t topic, int32_t partition, int64_t offset,
    size_t max, struct raw_run *out, struct fault *f)
{
	static const uint8_t bytes[256];

	(void)s;
	(void)f;
	fuzz_must(topic < 2 && partition >= 0 && partition < 3);
	fuzz_must(offset >= -1 && max >= sizeof(bytes));
	*out = (struct raw_run){.data = bytes, .len = fuzz_byte(&in)};
	if (fuzz_byte(&in) % 4 == 0)
		return fuzz_byte(&in) % 2 == 0 ? STATUS_END : EAGAIN;
	out->base_offset = offset < 0 ? 0 : offset;
	out->next_offset = out->base_offset + fuzz_byte(&in);
	return outcome();
}

static int
src_batch_at(struct source *s, size_t topic, int32_t partition, int64_t offset,
    struct frame_batch *out, bool *cleaned, struct fault *f)
{
	(void)s;
	(void)topic;
	(void)partition;
	(void)f;
	fuzz_must(offset >= 0);
	take_batch(out);
	*cleaned = fuzz_byte(&in) % 2;
	return out->base_offset < 0 ? STATUS_END : outcome();
}

static int
src_position(struct source *s, size_t topic, size_t i,
    struct source_position *out, struct fault *f)
{
	(void)s;
	(void)f;
	fuzz_must(topic < 2);
	*out = (struct source_position){.group = "g",
	    .partition = fuzz_byte(&in) % 4,
	    .offset = fuzz_byte(&in)};
	return i == 3 ? STATUS_END : outcome();
}

static int
src_wait_fd(struct source *s)
{
	(void)s;
	return -1;
}

static int
src_turn(struct source *s, bool *woken, struct fault *f)
{
	(void)s;
	(void)f;
	*woken = true;
	return outcome();
}

static const struct source_ops src_ops = {
    .refresh = src_refresh,
    .topic = src_topic,
    .has = src_has,
    .bounds = src_bounds,
    .next = src_next,
    .batch_at = src_batch_at,
    .position = src_position,
    .wait_fd = src_wait_fd,
    .turn = src_turn,
};

/* --- what a receiver writes to -------------------------------------------- */

static size_t topics;
static int32_t partitions[256];

static int
snk_topic(struct sink *s, size_t topic, const struct sink_topic *t,
    struct fault *f)
{
	(void)s;
	(void)f;
	fuzz_must(topic <= topics && topic < 256 && t->partitions >= 0);
	if (topic == topics)
		partitions[topics++] = t->partitions;
	else if (t->partitions > partitions[topic])
		partitions[topic] = t->partitions;
	return outcome();
}

static int
known(size_t topic, int32_t partition)
{
	fuzz_must(topic < topics);
	fuzz_must(partition >= 0 && partition < partitions[topic]);
	return outcome();
}

static int
snk_state(struct sink *s, size_t topic, int32_t partition, int64_t offset,
    struct sink_state *out, struct fault *f)
{
	(void)s;
	(void)f;
	fuzz_must(offset >= -1);
	*out = (struct sink_state){.end = fuzz_byte(&in)};
	take_batch(&out->batch);
	return known(topic, partition);
}

/* Up to three of them. */
static int
take_imprints(struct imprints *out)
{
	uint8_t bytes[3 * 16] = {0};
	struct view v = {bytes, (size_t)(fuzz_byte(&in) % 4) * 16};

	for (size_t i = 0; i < v.len; i += 16) {
		bytes[i + 7] = fuzz_byte(&in);
		bytes[i + 15] = fuzz_byte(&in) % 4;
	}
	out->cleaned = fuzz_byte(&in) % 2;
	/* Those that do not ascend are left out. */
	(void)imprints_decode(v, out);
	return outcome();
}

static int
snk_records(struct sink *s, size_t topic, int32_t partition, int64_t offset,
    struct imprints *out, struct fault *f)
{
	int rc = take_imprints(out);

	(void)s;
	(void)f;
	fuzz_must(offset >= 0);
	return rc == 0 ? known(topic, partition) : rc;
}

static int
snk_begin(struct sink *s, size_t topic, int32_t partition, int64_t start,
    struct fault *f)
{
	(void)s;
	(void)f;
	fuzz_must(start > 0);
	return known(topic, partition);
}

static int
snk_cut(struct sink *s, size_t topic, int32_t partition, int64_t offset,
    struct buf *told, struct fault *f)
{
	(void)s;
	(void)f;
	if (offset % 2 != 0)
		fuzz_must(buf_add_str(told, "group g: cut\n") == 0);
	return known(topic, partition);
}

static int
snk_append(struct sink *s, size_t topic, int32_t partition, int64_t segment,
    uint8_t *data, size_t len, struct fault *f)
{
	(void)s;
	(void)segment;
	(void)f;
	if (len > 0)
		data[len - 1] ^= 1;
	return known(topic, partition);
}

static int
snk_sync(struct sink *s, size_t topic, int32_t partition, struct fault *f)
{
	(void)s;
	(void)f;
	return known(topic, partition);
}

static int
snk_clean(struct sink *s, size_t topic, int32_t partition, int64_t start,
    struct fault *f)
{
	(void)s;
	(void)start;
	(void)f;
	return known(topic, partition);
}

static int
snk_commit(struct sink *s, size_t topic, const struct sink_position *positions,
    size_t count, struct fault *f)
{
	(void)s;
	(void)f;
	fuzz_must(topic < topics && count > 0);
	for (size_t i = 0; i < count; i++)
		fuzz_must(
		    positions[i].group[0] != '\0' && positions[i].offset >= 0);
	return outcome();
}

static int
snk_digest(struct sink *s, size_t topic, int32_t partition, int64_t start,
    int64_t end, struct sink_digest *out, struct fault *f)
{
	(void)s;
	(void)f;
	fuzz_must(start >= 0 && end >= start);
	*out = (struct sink_digest){.start = start,
	    .value = fuzz_byte(&in) % 2,
	    .batches = fuzz_byte(&in) % 4,
	    .damaged = (int8_t)fuzz_byte(&in) < 0 ? -1 : start};
	return known(topic, partition);
}

static const struct sink_ops snk_ops = {
    .topic = snk_topic,
    .state = snk_state,
    .records = snk_records,
    .begin = snk_begin,
    .cut = snk_cut,
    .append = snk_append,
    .sync = snk_sync,
    .clean = snk_clean,
    .commit = snk_commit,
    .digest = snk_digest,
};

/* --- frames --------------------------------------------------------------- */

static void
take_frame(struct frame *f, uint8_t data[64])
{
	size_t len = fuzz_byte(&in) % 64;

	*f = (struct frame){.type = (enum frame_type)(
				1 + fuzz_byte(&in) % (FRAME_TYPES - 1)),
	    .topic = fuzz_byte(&in) % 4,
	    .partition = (int32_t)(fuzz_byte(&in) % 5) - 1,
	    .count = (int32_t)(fuzz_byte(&in) % 5) - 1,
	    .start = fuzz_byte(&in),
	    .end = fuzz_byte(&in),
	    .offset = (int8_t)fuzz_byte(&in),
	    .digest = fuzz_byte(&in) % 2,
	    .status = fuzz_byte(&in) % 5};
	take_batch(&f->batch);
	for (size_t i = 0; i < len; i++)
		data[i] = fuzz_byte(&in);
	f->data = (struct view){data, len};
}

/* What is said in return must be frames. */
static void
check_output(struct buf *out)
{
	struct view v = {out->data, out->len};
	struct frame f;

	while (v.len > 0)
		fuzz_must(frame_decode(&v, &f, NULL, NULL) == 0);
	out->len = 0;
}

static void
fuzz_receiver(void)
{
	struct receiver_options o = {.cut = fuzz_byte(&in) % 2,
	    .named = fuzz_byte(&in) % 2};
	uint8_t bits = fuzz_byte(&in);
	struct sink snk = {&snk_ops};
	struct receiver *r;
	const char *what;
	uint8_t data[64];
	struct frame f;
	struct buf out;
	int rc;

	o.mirror = bits & 1;
	o.pulls = bits & 2;
	rc = receiver_new(&snk, &o, &r);
	topics = 0;
	buf_init(&out, 1 << 20);
	while (rc == 0 && in.len > 0) {
		take_frame(&f, data);
		rc = receiver_frame(r, &f, &out, &what);
		check_output(&out);
	}
	receiver_free(r);
	buf_release(&out);
}

static void
fuzz_sender(void)
{
	uint8_t bits = fuzz_byte(&in);
	struct sender_options o = {.window = FRAME_WINDOW_MIN,
	    .follow = bits & 1,
	    .groups = bits & 2,
	    .checksum = bits & 4,
	    .examines = (bits & 8) == 0};
	struct source src = {&src_ops};
	struct fault fault = {.file = ""};
	struct sender *s;
	const char *what;
	uint8_t data[64];
	struct frame f;
	struct buf out;
	int rc = sender_new(&src, &o, &s);

	properties_init(&settings);
	buf_init(&out, 1 << 20);
	while (rc == 0 && in.len > 0) {
		for (int i = 0; rc == 0 && i < 8; i++)
			rc = sender_step(s, &out, &fault);
		if (rc == EAGAIN)
			rc = 0;
		sender_resume(s);
		check_output(&out);
		take_frame(&f, data);
		if (rc == 0)
			rc = sender_frame(s, &f, &out, &what);
		if (rc == 0 && o.follow && sender_is_current(s))
			rc = sender_look(s, &out, &fault);
		check_output(&out);
	}
	sender_free(s);
	buf_release(&out);
}

/* The same as a server does it: a stream in pieces, below a root that is none. */
static void
begin_stream(struct buf *stream)
{
	static const char one[] = "mode=receive\0path=t";
	static const char all[] = "mode=receive\0path=/\0named=1\0dry-run=1";
	struct frame f = {.type = FRAME_HELLO,
	    .magic = FRAME_MAGIC,
	    .version_min = 1,
	    .version_max = 1};

	fuzz_must(frame_encode(&f, stream) == 0);
	f = (struct frame){.type = FRAME_REQUEST,
	    .data = {(const uint8_t *)one, sizeof(one)}};
	if (fuzz_byte(&in) % 2 == 0)
		f.data = (struct view){(const uint8_t *)all, sizeof(all)};
	fuzz_must(frame_encode(&f, stream) == 0);
}

static void
fuzz_inlet(void)
{
	struct inlet_options o = {.root = "/dev/null/none",
	    .version = "1",
	    .open_max = 1,
	    .parts_max = 6};
	struct buf stream, out;
	struct inlet *inlet;
	uint8_t data[64];
	struct frame f;
	int rc = inlet_new(&o, &inlet);

	buf_init(&stream, 1 << 20);
	buf_init(&out, 1 << 20);
	if (fuzz_byte(&in) % 8 != 0)
		begin_stream(&stream);
	while (in.len > 0) {
		take_frame(&f, data);
		fuzz_must(frame_encode(&f, &stream) == 0);
	}
	for (size_t at = 0, len; rc == 0 && at < stream.len; at += len) {
		len = 1 + (size_t)(stream.data[at] ^ stream.data[at / 2]);
		if (len > stream.len - at)
			len = stream.len - at;
		rc = inlet_take(inlet, (struct view){stream.data + at, len},
		    &out);
		fuzz_must(rc == 0 || rc == STATUS_END);
		check_output(&out);
	}
	fuzz_must(inlet_memory(inlet) < (4 << 20));
	inlet_free(inlet);
	buf_release(&stream);
	buf_release(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const sides[])(
	    void) = {fuzz_sender, fuzz_receiver, fuzz_inlet};

	in = (struct fuzz_input){data, size};
	sides[fuzz_byte(&in) % 3]();
	return 0;
}
