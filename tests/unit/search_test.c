/*
 * Where two logs part, with compaction on either side: a sender over a log in
 * memory, and answers of a receiver out of another one.  Both were the same
 * below some offset; then each may have gone its own way, and lost records.
 */

#include <errno.h>

#include "base/status.h"
#include "replicate/imprints.h"
#include "replicate/sender.h"
#include "store/batch.h"
#include "store/properties.h"
#include "tap.h"

enum { OFFSETS = 48, ROUNDS = 20000 };

struct log {
	int64_t end;
	bool cleaned;
	bool gone[OFFSETS];	/* taken by compaction */
	uint64_t value[OFFSETS];
	int64_t first[OFFSETS];	/* of the batch */
	int64_t last[OFFSETS];
	bool empty[OFFSETS];	/* by first: the batch is not there any more */
	int32_t epoch[OFFSETS];
};

static struct log here, there;
static int64_t parted;

/* --- the source ----------------------------------------------------------- */

static int
src_refresh(struct source *s, size_t *count, struct fault *f)
{
	(void)s;
	(void)f;
	*count = 1;
	return 0;
}

static int
src_topic(struct source *s, size_t topic, struct source_topic *out,
    struct fault *f)
{
	static struct properties settings;

	(void)s;
	(void)topic;
	(void)f;
	properties_init(&settings);
	*out = (struct source_topic){.name = "",
	    .partitions = 1,
	    .settings = &settings};
	return 0;
}

static bool
src_has(struct source *s, size_t topic, int32_t partition)
{
	(void)s;
	return topic == 0 && partition == 0;
}

static int
src_bounds(struct source *s, size_t topic, int32_t partition, int64_t *start,
    int64_t *end, struct fault *f)
{
	(void)s;
	(void)topic;
	(void)partition;
	(void)f;
	*start = 0;
	*end = here.end;
	return 0;
}

/* A batch as it stands in a file, with what compaction has left of it. */
static void
make_batch(const struct log *l, int64_t first, struct buf *out)
{
	struct batch like = {.base_offset = first,
	    .last_offset = l->last[first],
	    .leader_epoch = l->epoch[first],
	    .base_timestamp = 1,
	    .max_timestamp = 1,
	    .producer_id = -1,
	    .producer_epoch = -1,
	    .base_sequence = -1};
	uint8_t empty[BATCH_HEADER_LEN];
	struct batch_builder bb;
	const uint8_t *data = empty;
	size_t size = sizeof(empty);
	int rc = 0;

	batch_builder_init(&bb, CODEC_NONE, 0, 1 << 16);
	for (int64_t i = first; rc == 0 && i <= l->last[first]; i++) {
		struct record r = {.timestamp = 1,
		    .key = BYTES_NULL,
		    .value = {(const uint8_t *)&l->value[i], 8}};

		if (!l->gone[i])
			rc =
			    batch_builder_add_at(&bb, &r, (int32_t)(i - first));
	}
	if (bb.count == 0)
		batch_encode_empty(empty, &like);
	else if (rc == 0)
		rc = batch_builder_finish(&bb, &data, &size);
	if (rc == 0)
		rc = buf_add(out, data, size);
	if (rc != 0)
		abort();
	if (data != empty)
		batch_assume(out->data + out->len - size, size, &like, -1);
	batch_builder_release(&bb);
}

/* Its header's part that tells it from others. */
static int
batch_at(const struct log *l, int64_t offset, struct frame_batch *out)
{
	int64_t at = offset < l->end ? offset : l->end - 1;
	struct batch b;
	struct buf bytes;

	while (at >= 0 && l->empty[l->first[at]])
		at = l->first[at] - 1;
	out->base_offset = -1;
	if (at < 0)
		return STATUS_END;
	buf_init(&bytes, 1 << 16);
	make_batch(l, l->first[at], &bytes);
	if (batch_decode(bytes.data, bytes.len, &b, NULL) != 0)
		abort();
	*out = (struct frame_batch){b.base_offset, b.last_offset,
	    b.leader_epoch, b.crc};
	buf_release(&bytes);
	return 0;
}

static int
src_batch_at(struct source *s, size_t topic, int32_t partition, int64_t offset,
    struct frame_batch *out, bool *cleaned, struct fault *f)
{
	(void)s;
	(void)topic;
	(void)partition;
	(void)f;
	*cleaned = here.cleaned;
	return batch_at(&here, offset, out);
}

static struct buf run_bytes;

static int
src_next(struct source *s, size_t topic, int32_t partition, int64_t offset,
    size_t max, struct raw_run *out, struct fault *f)
{
	int64_t at = offset < 0 ? 0 : offset;

	(void)s;
	(void)topic;
	(void)partition;
	(void)max;
	(void)f;
	while (at < here.end && here.empty[here.first[at]])
		at = here.last[at] + 1;
	if (at >= here.end)
		return STATUS_END;
	run_bytes.len = 0;
	make_batch(&here, here.first[at], &run_bytes);
	*out = (struct raw_run){.data = run_bytes.data,
	    .len = run_bytes.len,
	    .base_offset = here.first[at],
	    .next_offset = here.last[at] + 1,
	    .batches = 1};
	return 0;
}

static int
src_wait_fd(struct source *s)
{
	(void)s;
	return -1;
}

static const struct source_ops ops = {
    .wait_fd = src_wait_fd,
    .refresh = src_refresh,
    .topic = src_topic,
    .has = src_has,
    .bounds = src_bounds,
    .next = src_next,
    .batch_at = src_batch_at,
};

/* --- the receiver --------------------------------------------------------- */

static int64_t cut;		/* DIVERGED said so; -1 not */
static int64_t went_on;		/* from there; -1 not */
static int questions;

static void
put_records(int64_t first, struct buf *out, int32_t *cleaned)
{
	struct imprints l;
	struct buf bytes;

	imprints_init(&l);
	buf_init(&bytes, 1 << 16);
	make_batch(&there, first, &bytes);
	if (imprints_add(&l, (struct view){bytes.data, bytes.len}, first,
		there.last[first]) != 0 ||
	    imprints_encode(&l, out) != 0)
		abort();
	*cleaned = l.cleaned;
	imprints_release(&l);
	buf_release(&bytes);
}

static void
answer(struct sender *s, const struct frame *f, struct buf *out)
{
	struct frame a = {.type = FRAME_HAVE, .end = there.end};
	const char *what;
	struct buf b;

	buf_init(&b, 1 << 16);
	switch (f->type) {
	case FRAME_OFFER:
		(void)batch_at(&there, there.end - 1, &a.batch);
		break;
	case FRAME_ASK:
		questions++;
		(void)batch_at(&there, f->offset, &a.batch);
		break;
	case FRAME_EXAMINE:
		questions++;
		a.type = FRAME_RECORDS;
		put_records(f->offset, &b, &a.count);
		a.data = (struct view){b.data, b.len};
		break;
	case FRAME_DIVERGED:
		cut = f->offset;
		buf_release(&b);
		return;
	case FRAME_DATA:
	case FRAME_DONE:
		went_on = there.end;
		/* FALLTHROUGH */
	default:
		buf_release(&b);
		return;
	}
	if (sender_frame(s, &a, out, &what) != 0)
		abort();
	buf_release(&b);
}

static void
run(void)
{
	struct source src = {&ops};
	struct sender_options o = {.window = FRAME_WINDOW, .examines = true};
	struct fault fault = {.file = ""};
	struct buf to, from;
	struct sender *s;
	struct frame f;

	cut = went_on = -1;
	questions = 0;
	buf_init(&to, 1 << 20);
	buf_init(&from, 1 << 20);
	if (sender_new(&src, &o, &s) != 0)
		abort();
	while (cut < 0 && went_on < 0 && questions < 1000) {
		struct view v;

		while (sender_step(s, &to, &fault) == 0)
			continue;
		/* What is answered may ask again. */
		v = (struct view){to.data, to.len};
		while (v.len > 0 && frame_decode(&v, &f, NULL, NULL) == 0)
			answer(s, &f, &from);
		to.len = 0;
		if (from.len > 0 && buf_add(&to, from.data, from.len) != 0)
			abort();
		from.len = 0;
	}
	sender_free(s);
	buf_release(&to);
	buf_release(&from);
}

/* --- logs ----------------------------------------------------------------- */

static int64_t
random_below(int64_t n)
{
	return (int64_t)(tap_random() % (uint64_t)n);
}

/* Offsets from on, in batches of their own; to is their end. */
static void
write_log(struct log *l, int64_t from, int64_t to, uint64_t salt, int32_t epoch)
{
	while (from < to) {
		int64_t last = from + random_below(4);

		last = last < to ? last : to - 1;
		for (int64_t i = from; i <= last; i++) {
			l->first[i] = from;
			l->last[i] = last;
			l->value[i] = salt + (uint64_t)i;
			l->epoch[i] = epoch;
		}
		from = last + 1;
	}
	l->end = to;
}

static void
compact(struct log *l, int64_t of_100)
{
	for (int64_t i = 0; i < l->end; i++)
		if (random_below(100) < of_100)
			l->gone[i] = l->cleaned = true;
	for (int64_t i = 0; i < l->end; i = l->last[i] + 1) {
		bool left = random_below(4) == 0;

		for (int64_t k = i; k <= l->last[i]; k++)
			left = left || !l->gone[k];
		l->empty[i] = !left;
	}
}

/* The greatest offset of which both have a record; -1: none. */
static int64_t
last_common(void)
{
	int64_t end = here.end < there.end ? here.end : there.end;

	for (int64_t i = end - 1; i >= 0; i--)
		if (!here.gone[i] && !there.gone[i])
			return i;
	return -1;
}

static void
make_logs(bool prefix)
{
	int32_t epoch = (int32_t)random_below(2);

	here = there = (struct log){.end = 0};
	parted = random_below(OFFSETS / 2);
	write_log(&here, 0, parted, 0, 0);
	there = here;
	write_log(&here, parted, parted + random_below(OFFSETS / 2), 1000,
	    epoch);
	if (prefix)
		parted = there.end;
	else
		write_log(&there, parted, parted + 1 + random_below(20), 2000,
		    (int32_t)random_below(2));
	if (random_below(3) > 0)
		compact(&here, random_below(100));
	if (random_below(3) > 0)
		compact(&there, random_below(100));
}

/* Both may go on from offset: there is nothing that speaks against it. */
static bool
agree_below(int64_t offset)
{
	for (int64_t i = 0; i < offset; i++)
		if (!here.gone[i] && !there.gone[i] &&
		    here.value[i] != there.value[i])
			return false;
	return true;
}

static void
test_random(void)
{
	int false_alarms = 0, hidden = 0, wrong_cuts = 0, unasked = 0;

	for (int i = 0; i < ROUNDS; i++) {
		bool prefix = random_below(2) == 0;

		make_logs(prefix);
		run();
		unasked += questions >= 1000;
		if (prefix)
			false_alarms += cut >= 0;
		if (!prefix && last_common() >= parted)
			hidden += cut < 0;
		if (there.end > here.end)
			hidden += cut < 0;
		if (cut >= 0)
			wrong_cuts += cut > parted || !agree_below(cut);
		else
			hidden += !agree_below(went_on);
	}
	tap_int(unasked, 0, "every search ends");
	tap_int(false_alarms, 0, "what was copied is never called different");
	tap_int(hidden, 0, "what differs is never hidden");
	tap_int(wrong_cuts, 0, "a cut leaves nothing that differs");
}

/* Nothing was compacted: the cut is where they part. */
static void
test_exact(void)
{
	int wrong = 0;

	for (int i = 0; i < 2000; i++) {
		here = there = (struct log){.end = 0};
		parted = random_below(OFFSETS / 2);
		write_log(&here, 0, parted, 0, 0);
		there = here;
		write_log(&here, parted, parted + 1 + random_below(20), 1000,
		    0);
		write_log(&there, parted, parted + 1 + random_below(20), 2000,
		    0);
		run();
		wrong += cut != parted;
	}
	tap_int(wrong, 0, "uncompacted logs are cut where they part");
}

/* One side alone was: a batch of the other's is all there. */
static void
test_verdicts(void)
{
	struct imprint a[] = {{1, 10, 0}, {2, 20, 0}, {4, 40, 0}};
	struct imprint b[] = {{1, 10, -1}, {3, 30, -1}};
	struct imprints ours = {.items = a, .count = 3, .cleaned = true};
	struct imprints theirs = {.items = b, .count = 2, .cleaned = true};

	tap_int(imprints_compare(&ours, &theirs, 0), IMPRINT_SAME,
	    "one record of both, the same");
	tap_int(imprints_compare(&ours, &theirs, 1), IMPRINT_DIFFERENT,
	    "of another epoch");
	theirs.cleaned = false;
	tap_int(imprints_compare(&ours, &theirs, 0), IMPRINT_DIFFERENT,
	    "they lack one that they cannot have lost");
	theirs.cleaned = true;
	ours.cleaned = false;
	tap_int(imprints_compare(&ours, &theirs, 0), IMPRINT_DIFFERENT,
	    "we do");
	ours.cleaned = true;
	b[0].hash = 11;
	tap_int(imprints_compare(&ours, &theirs, 0), IMPRINT_DIFFERENT,
	    "another record");
	theirs.items = b + 1;
	theirs.count = 1;
	tap_int(imprints_compare(&ours, &theirs, 0), IMPRINT_SILENT,
	    "no offset in common");
	ours.cleaned = theirs.cleaned = false;
	theirs = ours;
	tap_int(imprints_compare(&ours, &theirs, 0), IMPRINT_DIFFERENT,
	    "the same records, but in other batches");
}

int
main(void)
{
	buf_init(&run_bytes, 1 << 16);
	test_verdicts();
	test_exact();
	test_random();
	buf_release(&run_bytes);
	return tap_done();
}
