/*
 * Batches from the end on against those from the start on, turned round: random
 * logs in small segments, with transactions that span them.
 */

#include "store/backward.h"

#include <sys/stat.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/bounds.h"
#include "base/crc32c.h"
#include "base/status.h"
#include "store/batch.h"
#include "tap.h"

enum { BATCHES = 3000, PRODUCERS = 4 };

static char dir[300];
static struct partition_settings settings;
static struct batch forward[BATCHES * 2];	/* as the reader gives them */
static int64_t before[BATCHES * 2];	/* largest timestamp before each */
static size_t forward_count;

static int64_t
pick(int64_t n)
{
	return (int64_t)(tap_random() % (uint64_t)n);
}

static void
append(struct partition *p, uint8_t *data, size_t len)
{
	struct partition_append a = {.data = data, .len = len, .expect = -1};

	if (partition_append(p, &a, NULL) != 0)
		abort();
}

/* Some records; of a transaction of the producer, if it is not 0. */
static void
append_batch(struct partition *p, int producer, int32_t *sequence)
{
	static uint8_t value[3000];
	struct batch_builder bb;
	const uint8_t *data;
	int count = (int)pick(5) + 1;
	size_t len;
	uint8_t *b;

	batch_builder_init(&bb, CODEC_NONE, INT32_MIN, BATCH_BYTES_MAX);
	for (int i = 0; i < count; i++) {
		struct record r = {.timestamp = 1000 + pick(100000),
		    .key = {NULL, -1},
		    .value = {value, (int32_t)pick(sizeof(value))}};

		if (batch_builder_add(&bb, &r) != 0)
			abort();
	}
	if (batch_builder_finish(&bb, &data, &len) != 0)
		abort();
	b = (uint8_t *)(uintptr_t)data;
	if (producer > 0) {
		buf_put_64(b + BATCH_PRODUCER_ID, (uint64_t)producer);
		buf_put_16(b + BATCH_PRODUCER_EPOCH, 0);
		buf_put_32(b + BATCH_BASE_SEQUENCE, (uint32_t)*sequence);
		buf_put_16(b + BATCH_ATTRIBUTES, BATCH_TRANSACTIONAL);
		buf_put_32(b + BATCH_CRC,
		    crc32c(b + BATCH_ATTRIBUTES, len - BATCH_ATTRIBUTES));
		*sequence += count;
	}
	append(p, b, len);
	batch_builder_release(&bb);
}

static void
make_log(void)
{
	int32_t sequence[PRODUCERS] = {0};
	bool is_open[PRODUCERS] = {false};
	struct partition *p = NULL;

	snprintf(dir, sizeof(dir), "%s/p", tap_dir());
	settings = partition_defaults;
	settings.segment_bytes = 100000;
	if (mkdir(dir, 0777) != 0 ||
	    partition_open(dir, PARTITION_WRITE_RELAXED, &settings, &p, NULL) !=
		0)
		abort();
	for (int i = 0; i < BATCHES; i++) {
		int producer = (int)pick(PRODUCERS);

		if (producer > 0 && is_open[producer] && pick(20) == 0) {
			uint8_t marker[BATCH_MARKER_LEN];

			batch_encode_marker(marker, producer, 0,
			    pick(2) == 0 ? BATCH_CONTROL_ABORT
					 : BATCH_CONTROL_COMMIT,
			    0, 1000);
			append(p, marker, sizeof(marker));
			is_open[producer] = false;
			continue;
		}
		is_open[producer] = true;
		append_batch(p, producer, &sequence[producer]);
	}
	if (partition_sync(p, NULL) != 0)
		abort();
	partition_close(p);
}

/* The batches of [from, to), and what is before each. */
static void
read_forward(struct reader *r, int64_t from, int64_t to)
{
	const uint8_t *data;
	int64_t max = INT64_MIN;
	struct batch b;

	forward_count = 0;
	if (reader_seek(r, from, NULL, NULL) != 0)
		abort();
	while (reader_next(r, &b, &data, NULL) == 0 && b.base_offset < to) {
		before[forward_count] = max;
		forward[forward_count++] = b;
		if (b.max_timestamp > max)
			max = b.max_timestamp;
	}
}

static int
raise_max(void *arg, const struct batch *b, const uint8_t *data, int64_t *max,
    struct fault *f)
{
	(void)arg, (void)data, (void)f;
	if (b->max_timestamp > *max)
		*max = b->max_timestamp;
	return 0;
}

/* Is the way back the way there? */
static bool
is_reverse(struct partition *p, int flags, int64_t from, int64_t to,
    backward_measure *measure)
{
	struct fault f = {.file = ""};
	struct backward *w = NULL;
	struct reader *r = NULL;
	const uint8_t *data;
	struct batch b;
	size_t left = forward_count;
	bool same = true;
	int64_t max;
	int rc;

	/* One that knows nothing of what is before. */
	if (reader_open(p, flags, 0, &r, NULL) != 0 ||
	    backward_open(p, r, from, to, measure, NULL, &w) != 0)
		abort();
	while (same && (rc = backward_next(w, &b, &data, &max, &f)) == 0) {
		same = left > 0 && b.base_offset == forward[--left].base_offset;
		same = same && b.size == forward[left].size &&
		    b.crc == forward[left].crc && batch_verify(data, &b) == 0;
		same =
		    same && max == (measure != NULL ? before[left] : INT64_MIN);
	}
	backward_close(w);
	reader_close(r);
	if (same && (rc != STATUS_END || left != 0)) {
		fprintf(stderr, "# result %d, %zu left\n", rc, left);
		same = false;
	}
	return same;
}

static void
test_flags(int flags, const char *what)
{
	struct partition *p = NULL;
	struct reader *r = NULL;
	bool same = true;
	int64_t end;

	if (partition_open(dir, PARTITION_READ, &settings, &p, NULL) != 0 ||
	    reader_open(p, flags, 0, &r, NULL) != 0)
		abort();
	end = reader_end(r);
	for (int i = 0; same && i < 12; i++) {
		int64_t from = i == 0 ? 0 : pick(end);
		int64_t to = i < 6 ? end : from + pick(end - from) + 1;

		read_forward(r, from, to);
		same = is_reverse(p, flags, from, to, NULL) &&
		    is_reverse(p, flags, from, to, raise_max);
		if (!same)
			fprintf(stderr, "# from %lld to %lld\n",
			    (long long)from, (long long)to);
		/* A range of gone transactions may be empty. */
		tap(i > 0 || forward_count > 100, "%zu batches", forward_count);
	}
	tap(same, "%s: the way back is the way there", what);
	reader_close(r);
	partition_close(p);
}

static void
test_all(const char *what)
{
	test_flags(0, what);
	test_flags(READER_UNCOMMITTED, what);
	test_flags(READER_UNCOMMITTED | READER_CONTROL, what);
}

int
main(void)
{
	char command[400];

	make_log();
	test_all("as written");
	snprintf(command, sizeof(command), "rm %s/*.index", dir);
	if (system(command) != 0)
		abort();
	test_all("without indexes");
	snprintf(command, sizeof(command), "rm %s/partition.state", dir);
	if (system(command) != 0)
		abort();
	test_all("without state");
	return tap_done();
}
