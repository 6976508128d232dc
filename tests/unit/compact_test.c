/*
 * Compaction against a naive list: random logs with null keys, tombstones,
 * every codec, producers and transactions.
 */

#include "store/compact.h"

#include <sys/stat.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/crc32c.h"
#include "base/now.h"
#include "base/status.h"
#include "store/batch.h"
#include "store/keymap.h"
#include "store/partition.h"
#include "store/reader.h"
#include "tap.h"

enum { RECORDS_MAX = 16000, PRODUCERS = 4, NO_KEY = -1 };

/* What was appended, by offset. */
static struct {
	int key;		/* NO_KEY: null */
	bool tombstone;
	bool is_marker;
	int txn;		/* number of its transaction, 0 none */
	bool live;		/* expected to be there */
} model[RECORDS_MAX];
static int64_t model_end;
static bool aborted[RECORDS_MAX];	/* by transaction */
static int txn_count;
static int open_txn[PRODUCERS];		/* 0: none */
static int32_t sequence[PRODUCERS];
static int64_t first_ms = 1000;		/* of the first 100 ms */

static struct partition_settings settings;
static struct compact_options options;
static char dir[300];

static int64_t
pick(int64_t n)
{
	return (int64_t)(tap_random() % (uint64_t)n);
}

/* A batch of some records of a producer, 0 being none. */
static void
append_records(struct partition *p, int producer, int keys)
{
	static const char *const texts[] = {"v", "a longer value", ""};
	struct partition_append a = {.expect = -1};
	struct batch_builder bb;
	const uint8_t *data;
	int count = (int)pick(6) + 1;
	uint8_t *b;

	batch_builder_init(&bb, (enum codec)pick(5), INT32_MIN,
	    BATCH_BYTES_MAX);
	for (int i = 0; i < count; i++) {
		char key[16];
		struct record r = {.timestamp = first_ms + pick(100)};
		int k = pick(12) == 0 ? NO_KEY : (int)pick(keys);

		snprintf(key, sizeof(key), "k%d", k);
		r.key = k == NO_KEY ? BYTES_NULL : bytes_of(key);
		r.value = pick(5) == 0 ? BYTES_NULL : bytes_of(texts[pick(3)]);
		model[model_end].key = k;
		model[model_end].tombstone = bytes_is_null(r.value);
		model[model_end].is_marker = false;
		model[model_end].txn = open_txn[producer];
		model[model_end++].live = true;
		if (batch_builder_add(&bb, &r) != 0)
			abort();
	}
	if (batch_builder_finish(&bb, &data, &a.len) != 0)
		abort();
	b = (uint8_t *)(uintptr_t)data;
	if (producer > 0) {
		buf_put_64(b + BATCH_PRODUCER_ID, (uint64_t)producer);
		buf_put_16(b + BATCH_PRODUCER_EPOCH, 0);
		buf_put_32(b + BATCH_BASE_SEQUENCE,
		    (uint32_t)sequence[producer]);
		sequence[producer] += count;
		if (open_txn[producer] != 0)
			buf_put_16(b + BATCH_ATTRIBUTES,
			    buf_get_16(b + BATCH_ATTRIBUTES) |
				BATCH_TRANSACTIONAL);
		buf_put_32(b + BATCH_CRC,
		    crc32c(b + BATCH_ATTRIBUTES, a.len - BATCH_ATTRIBUTES));
	}
	a.data = b;
	if (partition_append(p, &a, NULL) != 0)
		abort();
	batch_builder_release(&bb);
}

static void
end_transaction(struct partition *p, int producer)
{
	uint8_t marker[BATCH_MARKER_LEN];
	struct partition_append a = {.data = marker,
	    .len = sizeof(marker),
	    .expect = -1};
	bool abort_it = pick(2) == 0;

	aborted[open_txn[producer]] = abort_it;
	batch_encode_marker(marker, producer, 0,
	    abort_it ? BATCH_CONTROL_ABORT : BATCH_CONTROL_COMMIT, 0, first_ms);
	if (partition_append(p, &a, NULL) != 0)
		abort();
	model[model_end].is_marker = true;
	model[model_end++].live = false;
	open_txn[producer] = 0;
}

/* Batches in random order; at the end all transactions are over, or not. */
static void
append_some(struct partition *p, int batches, int keys, bool leave_open)
{
	for (int i = 0; i < batches; i++) {
		int producer = (int)pick(PRODUCERS);

		if (producer >= 2 && open_txn[producer] != 0 && pick(3) == 0) {
			end_transaction(p, producer);
			continue;
		}
		if (producer >= 2 && open_txn[producer] == 0 && pick(2) == 0)
			open_txn[producer] = ++txn_count;
		append_records(p, producer, keys);
	}
	for (int k = 0; k < PRODUCERS && !leave_open; k++)
		if (open_txn[k] != 0)
			end_transaction(p, k);
	if (partition_sync(p, NULL) != 0)
		abort();
}

/* Rules 2 to 4 on the list; tombstones_too: their time has come. */
static void
compact_model(int64_t upper)
{
	for (int64_t i = 0; i < upper; i++) {
		if (model[i].txn != 0 && aborted[model[i].txn])
			model[i].live = false;
		if (model[i].key == NO_KEY)
			model[i].live = false;
		for (int64_t k = i + 1; k < upper && model[i].live; k++)
			if (!model[k].is_marker &&
			    model[k].key == model[i].key &&
			    !(model[k].txn != 0 && aborted[model[k].txn]))
				model[i].live = false;
	}
}

/* What a reader sees is what the list has; *end: up to here. */
static bool
is_like_model(bool show)
{
	struct partition *p = NULL;
	struct reader *r = NULL;
	struct batch_records it;
	const uint8_t *data;
	struct record rec;
	struct batch b;
	struct buf scratch;
	int64_t next = 0, end;
	bool same = true;
	int rc = partition_open(dir, PARTITION_READ, &settings, &p, NULL);

	if (rc != 0 || reader_open(p, 0, 0, &r, NULL) != 0)
		abort();
	end = reader_end(r);
	buf_init(&scratch, RECORDS_BYTES_MAX);
	while (same && (rc = reader_next(r, &b, &data, NULL)) == 0) {
		if (batch_records_init(&it, data, &b, &scratch) != 0)
			abort();
		while (batch_records_next(&it, &rec) == 0) {
			for (; next < rec.offset; next++)
				same = same &&
				    !(model[next].live &&
					!(model[next].txn != 0 &&
					    aborted[model[next].txn]));
			same = same && model[next].live &&
			    bytes_is_null(rec.value) == model[next].tombstone &&
			    (bytes_is_null(rec.key)
				    ? model[next].key == NO_KEY
				    : atoi((const char *)rec.key.data + 1) ==
					model[next].key);
			next++;
		}
	}
	for (; same && next < end; next++)
		same = !(model[next].live &&
		    !(model[next].txn != 0 && aborted[model[next].txn]));
	if (show && (!same || rc != STATUS_END))
		fprintf(stderr, "# offset %lld, result %d\n",
		    (long long)next - 1, rc);
	buf_release(&scratch);
	reader_close(r);
	partition_close(p);
	return same && rc == STATUS_END;
}

static struct partition *
open_new(void)
{
	static int number;
	struct partition *p = NULL;

	snprintf(dir, sizeof(dir), "%s/%d", tap_dir_path, number++);
	if (mkdir(dir, 0777) != 0 ||
	    partition_open(dir, PARTITION_WRITE, &settings, &p, NULL) != 0)
		abort();
	model_end = 0;
	txn_count = 0;
	memset(open_txn, 0, sizeof(open_txn));
	memset(sequence, 0, sizeof(sequence));
	memset(aborted, 0, sizeof(aborted));
	return p;
}

static int
run(struct partition *p, int64_t now_ms, struct compact_stats *stats)
{
	options.now_ms = now_ms;
	return compact_run(p, &options, stats, NULL);
}

/* Tombstones below this offset that were found to be their key's last go. */
static void
drop_tombstones(int64_t upper)
{
	for (int64_t i = 0; i < upper; i++)
		if (model[i].tombstone)
			model[i].live = false;
}

static void
test_round(int round)
{
	struct partition *p = open_new();
	struct compact_stats stats, again;
	int keys = (int)pick(60) + 1;
	int64_t upper;
	bool ok;

	append_some(p, 150, keys, pick(2) == 0);
	if (pick(2) == 0 && partition_roll(p, NULL) != 0)
		abort();
	ok = run(p, 5000, &stats) == 0;
	upper = stats.end;
	compact_model(upper);
	tap(ok && is_like_model(true), "round %d: %lld of %lld offsets", round,
	    (long long)upper, (long long)model_end);
	/* Up to an open transaction, a segment is not done with. */
	tap(run(p, 5001, &again) == 0 && again.passes <= 1 &&
		(again.passes == 1 || again.bytes == 0) && is_like_model(true),
	    "round %d: nothing changes", round);
	/* More, and the tombstones of the first pass are not due yet. */
	for (int k = 0; k < PRODUCERS; k++)
		if (open_txn[k] != 0)
			end_transaction(p, k);
	append_some(p, 60, keys, false);
	if (partition_roll(p, NULL) != 0)
		abort();
	ok = run(p, 5000 + options.delete_retention_ms - 1, &stats) == 0;
	compact_model(stats.end);
	tap(ok && stats.end == model_end && is_like_model(true),
	    "round %d: a second time", round);
	/* Now they are, all of them. */
	ok = run(p, 6000 + 2 * options.delete_retention_ms, &stats) == 0;
	drop_tombstones(stats.end);
	tap(ok && is_like_model(true), "round %d: tombstones are gone", round);
	/* The partition goes on as before. */
	append_some(p, 20, keys, false);
	tap(is_like_model(true), "round %d: and it goes on", round);
	partition_close(p);
}

/*
 * More keys than there is memory for, of which most come twice: passes end in
 * the middle of segments, batches and transactions.
 */
static void
test_passes(int round)
{
	struct partition *p = open_new();
	struct compact_stats stats;
	bool ok;

	settings.segment_bytes = pick(2) == 0 ? 20000 : 10 << 20;
	options.segment_bytes = settings.segment_bytes;
	options.memory = KEYMAP_BYTES_MIN;
	append_some(p, 3000, 8000, pick(2) == 0);
	if (partition_roll(p, NULL) != 0)
		abort();
	ok = run(p, 5000, &stats) == 0;
	compact_model(stats.end);
	tap(ok && stats.passes > 1 && is_like_model(true),
	    "little memory %d: %d passes, %lld of %lld offsets", round,
	    stats.passes, (long long)stats.end, (long long)model_end);
	ok = run(p, 6000 + options.delete_retention_ms, &stats) == 0;
	drop_tombstones(stats.end);
	tap(ok && is_like_model(true), "little memory %d: no tombstones",
	    round);
	partition_close(p);
}

/* A batch of tombstones of those times. */
static void
append_tombstones(struct partition *p, const int *keys, const int64_t *times,
    int count)
{
	struct partition_append a = {.expect = -1};
	struct batch_builder bb;
	const uint8_t *data;

	batch_builder_init(&bb, CODEC_NONE, INT32_MIN, BATCH_BYTES_MAX);
	for (int i = 0; i < count; i++) {
		char key[16];
		struct record r = {.timestamp = times[i], .value = BYTES_NULL};

		snprintf(key, sizeof(key), "k%d", keys[i]);
		r.key = bytes_of(key);
		model[model_end].key = keys[i];
		model[model_end].tombstone = true;
		model[model_end].is_marker = false;
		model[model_end].txn = 0;
		model[model_end++].live = true;
		if (batch_builder_add(&bb, &r) != 0)
			abort();
	}
	if (batch_builder_finish(&bb, &data, &a.len) != 0)
		abort();
	a.data = (uint8_t *)(uintptr_t)data;
	if (partition_append(p, &a, NULL) != 0)
		abort();
	batch_builder_release(&bb);
}

/* Times and settings at the ends of what there is. */
static void
test_extremes(int64_t retention_ms)
{
	static const int64_t times[] = {1000, -1, -2, INT64_MAX, INT64_MIN,
	    INT64_MIN + 1000};
	static const int64_t apart[] = {0, INT64_MIN / 10 * 9,
	    INT64_MAX / 10 * 9};
	static const int keys[] = {0, 1, 2};
	struct compact_options usual = options;
	struct partition *p = open_new();
	struct compact_stats stats;

	options.delete_retention_ms = retention_ms;
	for (int i = 0; i < 6; i++)
		append_tombstones(p, &(int){10 + i}, &times[i], 1);
	append_tombstones(p, keys, apart, 3);
	append_tombstones(p, keys, times, 1);
	if (partition_sync(p, NULL) != 0 || partition_roll(p, NULL) != 0)
		abort();
	for (int i = 0; i < 2; i++) {
		tap_int(run(p, 5000 + i, &stats), 0,
		    "extreme times, a retention of %lld",
		    (long long)retention_ms);
		compact_model(stats.end);
		tap(stats.end == model_end && is_like_model(true),
		    "all are there");
	}
	options = usual;
	partition_close(p);
}

static void
test_alone(void)
{
	struct partition *p = open_new(), *other = NULL;
	struct compact_stats stats;

	append_some(p, 50, 10, false);
	if (partition_open(dir, PARTITION_WRITE, &settings, &other, NULL) != 0)
		abort();
	tap(partition_clean_begin(other, NULL) == 0, "another cleans");
	tap_int(run(p, 5000, &stats), EAGAIN, "so we do not");
	tap(partition_clean_end(other, NULL) == 0 && run(p, 5000, &stats) == 0,
	    "but then");
	partition_close(other);
	partition_close(p);
}

static int
run_dry(int64_t now_ms, struct compact_stats *stats)
{
	struct partition *p = NULL;
	int rc;

	if (partition_open(dir, PARTITION_READ, &settings, &p, NULL) != 0)
		abort();
	options.dry_run = true;
	rc = run(p, now_ms, stats);
	options.dry_run = options.include_active = false;
	partition_close(p);
	return rc;
}

/*
 * Producers that are still known, transactions that are open, segments too
 * young: all that a real run finds, a dry one does.
 */
static void
test_dry(int round)
{
	struct partition *p = open_new();
	struct compact_stats would, is;
	int keys = (int)pick(60) + 1;
	bool roll = pick(2) == 0;
	int64_t now;
	bool ok;

	first_ms = now_wall_ms();
	options.min_lag_ms = pick(2) == 0 ? 0 : 50;
	now = first_ms + 100 + pick(50);
	append_some(p, 150, keys, pick(2) == 0);
	/* Written, and not visible. */
	append_records(p, 0, keys);
	options.include_active = roll;
	ok = run_dry(now, &would) == 0;
	if (roll && partition_roll(p, NULL) != 0)
		abort();
	ok = ok && run(p, now, &is) == 0;
	tap(ok && would.end == is.end && would.passes == is.passes &&
		would.keys == is.keys && would.segments == is.segments &&
		would.segments_left == is.segments_left &&
		would.bytes == is.bytes && would.bytes_left == is.bytes_left &&
		would.records == is.records &&
		would.records_left == is.records_left &&
		would.tombstones_left == is.tombstones_left,
	    "round %d: a dry run tells what is done: %lld to %lld records",
	    round, (long long)is.records, (long long)is.records_left);
	first_ms = 1000;
	options.min_lag_ms = 0;
	partition_close(p);
}

/* Another cleans while a dry run reads. */
static int
compact_meanwhile(void *arg, size_t bytes)
{
	struct partition *p = *(struct partition **)arg;
	struct compact_options o = options;
	struct compact_stats stats;

	(void)bytes;
	if (p == NULL)
		return 0;
	*(struct partition **)arg = NULL;
	o.pace = NULL;
	o.dry_run = false;
	o.segment_bytes = 1 << 20;
	if (compact_run(p, &o, &stats, NULL) != 0)
		abort();
	return 0;
}

static void
test_dry_beside(void)
{
	struct partition *p = open_new(), *arg = p;
	struct compact_stats stats;

	append_some(p, 150, 10, false);
	options.pace = compact_meanwhile;
	options.pace_arg = &arg;
	tap_int(run_dry(5000, &stats), EAGAIN,
	    "a dry run says that another cleans");
	options.pace = NULL;
	partition_close(p);
}

/* Stops once so many bytes were read. */
static int64_t paced;

static int
stop_at(void *arg, size_t bytes)
{
	paced += (int64_t)bytes;
	return paced > *(const int64_t *)arg ? ECANCELED : 0;
}

static bool
has_unfinished_files(void)
{
	char command[400];

	snprintf(command, sizeof(command), "ls %s | grep -q cleaned", dir);
	return system(command) == 0;
}

/* Stopped anywhere the log is whole; and each run is told of what it reads. */
static void
test_pace(void)
{
	struct partition *p = open_new();
	struct compact_stats stats;
	int64_t limit = INT64_MAX, all;
	int i;

	settings.segment_bytes = options.segment_bytes = 1500;
	append_some(p, 400, 20, false);
	if (partition_roll(p, NULL) != 0)
		abort();
	options.pace = stop_at;
	options.pace_arg = &limit;
	paced = 0;
	tap_int(run_dry(5000, &stats), 0, "at its pace");
	all = paced;
	tap(all > stats.bytes && all <= 2 * stats.bytes,
	    "%lld bytes are read in %lld: once for keys, once for the rest",
	    (long long)all, (long long)stats.bytes);
	for (i = 0; i < 40; i++) {
		paced = 0;
		limit = i * all / 40;
		if (run(p, 5000, &stats) != ECANCELED || has_unfinished_files())
			break;
		if (i < 19 && !is_like_model(true))
			break;
	}
	tap(i >= 20, "it stops where it is told to, %d times", i);
	limit = INT64_MAX;
	tap(run(p, 5000, &stats) == 0 && stats.end == model_end, "it goes on");
	compact_model(stats.end);
	tap(is_like_model(true), "and keeps what it has to");
	options.pace = NULL;
	partition_close(p);
}

int
main(void)
{
	tap_dir();
	settings = partition_defaults;
	settings.segment_bytes = 1500;
	settings.index_interval_bytes = 300;
	options = (struct compact_options){.delete_retention_ms = 1000,
	    .segment_bytes = 1500,
	    .index_bytes = 10 << 20,
	    .memory = 1 << 20,
	    .keep_last_only = true,
	    .drop = BYTES_NULL};
	for (int i = 0; i < 12; i++)
		test_round(i);
	for (int i = 0; i < 24; i++)
		test_dry(i);
	test_dry_beside();
	test_extremes(INT64_MAX);
	test_extremes(INT64_MAX - 5000);
	test_extremes(1000);
	test_alone();
	test_pace();
	for (int i = 0; i < 4; i++)
		test_passes(i);
	return tap_done();
}
