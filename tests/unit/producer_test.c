#include "store/producer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/bounds.h"
#include "base/buf.h"
#include "base/crc32c.h"
#include "base/io.h"
#include "base/status.h"
#include "store/segment.h"
#include "tap.h"

static int dirfd;
static struct producer_table *table;
static int64_t end; /* of the log that table has seen */

/* A batch of count records at the end of the log. */
static struct batch
data_batch(int64_t id, int16_t epoch, int32_t sequence, int32_t count)
{
	return (struct batch){.base_offset = end,
	    .last_offset = end + count - 1,
	    .size = 100,
	    .max_timestamp = 1000 + end,
	    .producer_id = id,
	    .producer_epoch = epoch,
	    .base_sequence = sequence,
	    .record_count = count};
}

/* What check() was told of the time of a duplicate. */
static int64_t stored_ms;

static int
check(int64_t id, int16_t epoch, int32_t sequence, int32_t count, int64_t *at)
{
	struct batch b = data_batch(id, epoch, sequence, count);

	*at = -7;
	stored_ms = -7;
	return producer_check(table, &b, at, &stored_ms);
}

static void
check_is(int64_t id, int16_t epoch, int32_t sequence, int32_t count, int want)
{
	int64_t at;

	tap_int(check(id, epoch, sequence, count, &at), want,
	    "producer %" PRId64 "/%d, sequence %d, %d records", id, epoch,
	    sequence, count);
}

static void
check_duplicate(int64_t id, int16_t epoch, int32_t sequence, int32_t count,
    int64_t want)
{
	int64_t at;

	tap(check(id, epoch, sequence, count, &at) == STATUS_DUPLICATE &&
		at == want && stored_ms == 1000 + want,
	    "sequence %d of %d is a duplicate, at %" PRId64, sequence, count,
	    want);
}

static void
apply(struct batch b)
{
	struct aborted aborted;
	bool has = true;

	if (producer_apply(table, NULL, &b, &aborted, &has) != 0 || has)
		abort();
	end = b.last_offset + 1;
}

static void
append(int64_t id, int16_t epoch, int32_t sequence, int32_t count)
{
	apply(data_batch(id, epoch, sequence, count));
}

static void
append_transactional(int64_t id, int16_t epoch, int32_t sequence)
{
	struct batch b = data_batch(id, epoch, sequence, 2);

	b.attributes = BATCH_TRANSACTIONAL;
	apply(b);
}

/* Did the marker abort a transaction?  Then its first offset, else -1. */
static int64_t
mark(int64_t id, int16_t epoch, enum batch_control type)
{
	uint8_t p[BATCH_MARKER_LEN];
	struct aborted aborted = {-9, -9, -9, -9};
	struct batch b;
	bool has = false;

	batch_encode_marker(p, id, epoch, type, 3, 5000);
	batch_assign(p, end, 0);
	if (batch_decode(p, sizeof(p), &b, NULL) != 0 ||
	    producer_apply(table, p, &b, &aborted, &has) != 0)
		abort();
	end = b.last_offset + 1;
	if (has &&
	    (aborted.producer_id != id || aborted.last_offset != end - 1))
		abort();
	return has ? aborted.first_offset : -1;
}

static void
restart(void)
{
	producer_clear(table);
	end = 0;
}

static void
test_sequences(void)
{
	restart();
	tap(producer_count(table) == 0 && producer_next_offset(table) == 0 &&
		producer_unstable_offset(table) == -1,
	    "a new table");
	check_is(-1, -1, -1, 5, 0);
	check_is(1, 0, 77, 5, 0);
	check_is(1, 0, -1, 5, STATUS_SEQUENCE);
	append(1, 0, 77, 5);
	tap_int(producer_next_offset(table), 5, "the next offset");
	check_duplicate(1, 0, 77, 5, 0);
	check_is(1, 0, 77, 4, STATUS_SEQUENCE);
	check_is(1, 0, 78, 4, STATUS_SEQUENCE);
	check_is(1, 0, 81, 1, STATUS_SEQUENCE);
	check_is(1, 0, 83, 1, STATUS_SEQUENCE);
	check_is(1, 0, 0, 1, STATUS_SEQUENCE);
	check_is(1, 0, 82, 1, 0);
	check_is(2, 0, 9, 1, 0);
	append(-1, -1, -1, 10);
	tap(producer_count(table) == 1 && producer_next_offset(table) == 15,
	    "a batch without producer is passed over");
}

static void
test_window(void)
{
	restart();
	for (int32_t i = 0; i < 8; i++)
		append(1, 0, i * 10, 10);
	for (int32_t i = 0; i < 8; i++) {
		if (i < 3)
			check_is(1, 0, i * 10, 10, STATUS_SEQUENCE);
		else
			check_duplicate(1, 0, i * 10, 10, i * 10);
	}
	check_is(1, 0, 70, 5, STATUS_SEQUENCE);
	check_is(1, 0, 80, 1, 0);
}

static void
test_wrap(void)
{
	restart();
	append(1, 0, INT32_MAX - 2, 3);
	check_duplicate(1, 0, INT32_MAX - 2, 3, 0);
	check_is(1, 0, 0, 5, 0);
	check_is(1, 0, 1, 5, STATUS_SEQUENCE);
	append(2, 0, INT32_MAX - 1, 5);
	check_duplicate(2, 0, INT32_MAX - 1, 5, 3);
	check_is(2, 0, INT32_MAX - 1, 4, STATUS_SEQUENCE);
	check_is(2, 0, 3, 1, 0);
	check_is(2, 0, 2, 1, STATUS_SEQUENCE);
	append(2, 0, 3, 1);
	check_is(2, 0, 4, 1, 0);
}

static void
test_epochs(void)
{
	restart();
	append(1, 3, 0, 2);
	check_is(1, 2, 2, 1, STATUS_FENCED);
	check_is(1, 2, 0, 2, STATUS_FENCED);
	check_is(1, 4, 2, 1, STATUS_SEQUENCE);
	check_is(1, 4, 0, 2, 0);
	append(1, 4, 0, 2);
	check_duplicate(1, 4, 0, 2, 2);
	check_is(1, 4, 2, 2, 0);
	check_is(1, 3, 2, 1, STATUS_FENCED);
	tap_int(producer_count(table), 1, "one producer");
}

static void
test_transactions(void)
{
	restart();
	append(9, 0, 0, 10);
	append_transactional(1, 0, 0);
	append_transactional(2, 0, 0);
	append_transactional(3, 0, 0);
	append_transactional(1, 0, 2);
	tap_int(producer_unstable_offset(table), 10, "the oldest is open");
	tap_int(mark(2, 0, BATCH_CONTROL_ABORT), 12, "abort of the second");
	tap_int(producer_unstable_offset(table), 10, "the oldest still is");
	tap_int(mark(1, 0, BATCH_CONTROL_COMMIT), -1, "commit of the oldest");
	tap_int(producer_unstable_offset(table), 14, "now the third is it");
	tap_int(mark(2, 0, BATCH_CONTROL_ABORT), -1, "abort of nothing");
	check_is(2, 0, 2, 1, 0);
	check_duplicate(2, 0, 0, 2, 12);
	tap_int(mark(3, 1, BATCH_CONTROL_ABORT), 14, "abort with a new epoch");
	tap_int(producer_unstable_offset(table), -1, "none is open");
	check_is(3, 0, 2, 1, STATUS_FENCED);
	check_is(3, 1, 2, 1, STATUS_SEQUENCE);
	check_is(3, 1, 0, 1, 0);
	append_transactional(3, 1, 0);
	tap_int(producer_unstable_offset(table), end - 2, "open again");
	producer_clear(table);
	tap_int(producer_unstable_offset(table), -1, "cleared");
}

/* Control batches that say nothing about a producer add none. */
static void
test_void_markers(void)
{
	uint8_t p[BATCH_MARKER_LEN];
	struct aborted aborted;
	struct batch b;
	bool has;

	restart();
	batch_encode_marker(p, 5, 0, BATCH_CONTROL_OTHER, 0, 0);
	(void)batch_decode(p, sizeof(p), &b, NULL);
	tap_int(producer_apply(table, p, &b, &aborted, &has), 0,
	    "an unknown control type");
	b.record_count = 0;
	b.base_offset = b.last_offset = 1;
	tap_int(producer_apply(table, p, &b, &aborted, &has), 0,
	    "an emptied marker");
	tap(producer_count(table) == 0 && producer_next_offset(table) == 2,
	    "both only move the offset");
	check_is(5, 0, 123, 1, 0);
	b.record_count = 1;
	b.base_offset = b.last_offset = 2;
	memset(p + BATCH_RECORDS, 0xff, 4);
	tap_int(producer_apply(table, p, &b, &aborted, &has), STATUS_CORRUPT,
	    "a marker that cannot be read");
	tap(producer_count(table) == 0 && producer_next_offset(table) == 2,
	    "changes nothing");
}

static void
test_skip(void)
{
	restart();
	producer_skip(table, 100);
	tap_int(producer_next_offset(table), 100, "skip");
	producer_skip(table, 50);
	tap_int(producer_next_offset(table), 100, "never back");
}

static void
test_expire(void)
{
	restart();
	append(1, 0, 0, 10);
	append(2, 0, 0, 10);
	append_transactional(0, 0, 0);
	append(3, 0, 0, 10);
	producer_expire(table, 1010, 9);
	tap_int(producer_count(table), 4, "what lies at or behind an offset");
	producer_expire(table, 1010, 100);
	tap_int(producer_count(table), 3, "one is too old");
	check_is(1, 0, 5, 1, 0);
	check_is(2, 0, 5, 1, STATUS_SEQUENCE);
	producer_expire(table, 5000, 100);
	tap_int(producer_count(table), 1, "one is in a transaction");
	tap_int(producer_unstable_offset(table), 20, "which is still open");
	tap_int(mark(0, 0, BATCH_CONTROL_ABORT), 20, "and can be aborted");
	producer_expire(table, 5001, 100);
	tap_int(producer_count(table), 0, "none is left");
}

/* What random producers do, against a model that keeps everything. */
enum { MODEL_IDS = 40 };
static struct {
	int64_t open;
	int32_t next;
	int16_t epoch;
	bool known;
} model[MODEL_IDS];

static int64_t
model_unstable(void)
{
	int64_t first = -1;

	for (int i = 0; i < MODEL_IDS; i++)
		if (model[i].open >= 0 && (first < 0 || model[i].open < first))
			first = model[i].open;
	return first;
}

static int
model_step(void)
{
	int id = (int)(tap_random() % MODEL_IDS);
	int32_t count = 1 + (int32_t)(tap_random() % 9);
	uint64_t what = tap_random() % 10;
	int64_t at;
	int bad = 0;

	if (what < 3) {
		bool abort_it = what < 2;
		int64_t got = mark(id, model[id].epoch,
		    abort_it ? BATCH_CONTROL_ABORT : BATCH_CONTROL_COMMIT);

		bad += got != (abort_it ? model[id].open : -1);
		if (!model[id].known)
			model[id].next = 0;
		model[id].known = true;
		model[id].open = -1;
		return bad;
	}
	if (what == 3 && model[id].open < 0) {
		model[id].epoch++;
		model[id].next = 0;
	}
	if (model[id].known && model[id].next != 5)
		bad += check(id, model[id].epoch, 5, count, &at) == 0;
	bad += check(id, model[id].epoch, model[id].next, count, &at) != 0;
	if (model[id].open < 0 && what > 6)
		model[id].open = end;
	struct batch b = data_batch(id, model[id].epoch, model[id].next, count);
	b.attributes = model[id].open >= 0 ? BATCH_TRANSACTIONAL : 0;
	apply(b);
	model[id].next += count;
	model[id].known = true;
	bad += check(id, model[id].epoch, b.base_sequence, count, &at) !=
	    STATUS_DUPLICATE;
	bad += at != b.base_offset;
	return bad;
}

static void
test_model(void)
{
	int bad = 0, bad_unstable = 0, bad_snapshot = 0;

	restart();
	for (int i = 0; i < MODEL_IDS; i++)
		model[i].open = -1;
	for (int i = 0; i < 20000; i++) {
		bad += model_step();
		bad_unstable +=
		    producer_unstable_offset(table) != model_unstable();
		if (i % 1000 != 999)
			continue;
		bad_snapshot +=
		    producer_write_snapshot(table, dirfd, 0600, getegid()) != 0;
		bad_snapshot +=
		    producer_read_snapshot(table, dirfd, end, NULL) != 0;
	}
	tap_int(bad, 0, "sequences and aborts as the model says");
	tap_int(bad_unstable, 0, "the oldest open transaction, too");
	tap_int(bad_snapshot, 0, "snapshots in between change nothing");
}

static const char *
snapshot_name(int64_t offset)
{
	static char name[SEGMENT_NAME_LEN];

	segment_name(name, offset, ".snapshot");
	return name;
}

static void
test_snapshot_layout(void)
{
	static const uint8_t want[10 + 46] = {0, 1, 0, 0, 0, 0, 0, 0, 0, 1,
	    /* id, epoch */ 1, 2, 3, 4, 5, 6, 7, 8, 0, 9,
	    /* last sequence, last offset */ 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 6,
	    /* delta, timestamp */ 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 3, 0xec,
	    /* coordinator epoch, transaction */ 0xff, 0xff, 0xff, 0xff, 0, 0,
	    0, 0, 0, 0, 0, 4};
	struct stat st;
	struct buf b;

	restart();
	append(0x0102030405060708, 9, 0, 4);
	struct batch last = data_batch(0x0102030405060708, 9, 4, 3);
	last.attributes = BATCH_TRANSACTIONAL;
	apply(last);
	tap_int(producer_write_snapshot(table, dirfd, 0640, getegid()), 0,
	    "write a snapshot");
	tap(fstatat(dirfd, "00000000000000000007.snapshot", &st, 0) == 0 &&
		(st.st_mode & 07777) == 0640,
	    "its name and mode");
	buf_init(&b, 1000);
	tap(io_read_file(dirfd, snapshot_name(7), 1000, &b) == 0 &&
		b.len == sizeof(want) && memcmp(b.data, want, 2) == 0 &&
		memcmp(b.data + 6, want + 6, sizeof(want) - 6) == 0,
	    "its bytes");
	tap(b.len == sizeof(want) &&
		buf_get_32(b.data + 2) == crc32c(b.data + 6, b.len - 6),
	    "its crc");
	buf_release(&b);
}

static void
test_snapshot_read(void)
{
	restart();
	append(4, 1, 10, 5);
	append(4, 1, 15, 5);
	append_transactional(2, 0, 0);
	(void)mark(7, 3, BATCH_CONTROL_COMMIT);
	tap_int(producer_write_snapshot(table, dirfd, 0600, getegid()), 0,
	    "write a snapshot");
	append(9, 0, 0, 1);
	tap_int(producer_read_snapshot(table, dirfd, 13, NULL), 0, "read it");
	end = 13;
	tap(producer_count(table) == 3 && producer_next_offset(table) == 13,
	    "what came later is not there");
	tap_int(producer_unstable_offset(table), 10, "the open transaction");
	check_duplicate(4, 1, 15, 5, 5);
	check_is(4, 1, 10, 5, STATUS_SEQUENCE);
	check_is(4, 1, 20, 1, 0);
	check_is(7, 2, 0, 1, STATUS_FENCED);
	check_is(7, 3, 1, 1, STATUS_SEQUENCE);
	check_is(7, 3, 0, 1, 0);
	tap_int(mark(2, 0, BATCH_CONTROL_ABORT), 10, "it can be aborted");

	restart();
	producer_skip(table, 99);
	tap(producer_write_snapshot(table, dirfd, 0600, getegid()) == 0 &&
		producer_read_snapshot(table, dirfd, 99, NULL) == 0 &&
		producer_count(table) == 0 && producer_next_offset(table) == 99,
	    "a snapshot of no producers");
}

/* A snapshot of that many entries with a right CRC, read at offset 1000. */
static void
check_snapshot(uint8_t *p, size_t len, int want, const char *what)
{
	struct fault f = {.what = NULL};

	buf_put_32(p + 2, crc32c(p + 6, len - 6));
	if (io_replace_file(dirfd, snapshot_name(1000), p, len, 0600,
		getegid()) != 0)
		abort();
	restart();
	append(1, 0, 0, 1);
	tap_int(producer_read_snapshot(table, dirfd, 1000, &f), want, "%s",
	    what);
	if (want != 0)
		tap(f.what != NULL && producer_count(table) == 0 &&
			producer_next_offset(table) == 0,
		    "the table is empty: %s", f.what);
}

static void
put_entry(uint8_t *p, int64_t id, int32_t sequence, int64_t last, int32_t delta,
    int64_t txn)
{
	buf_put_64(p, (uint64_t)id);
	buf_put_16(p + 8, 0);
	buf_put_32(p + 10, (uint32_t)sequence);
	buf_put_64(p + 14, (uint64_t)last);
	buf_put_32(p + 22, (uint32_t)delta);
	buf_put_64(p + 26, 5000);
	buf_put_32(p + 34, UINT32_MAX);
	buf_put_64(p + 38, (uint64_t)txn);
}

/* Does the snapshot of that offset fit to the log so far? */
static bool
agrees(int64_t offset, int64_t since)
{
	struct producer_table *saved;
	bool agree;

	if (producer_new(&saved) != 0 ||
	    producer_read_snapshot(saved, dirfd, offset, NULL) != 0)
		abort();
	agree = producer_agrees(table, saved, since, true, 0);
	producer_free(saved);
	return agree;
}

/* A marker has no sequence: only the open transaction differs. */
static void
test_snapshot_agrees(void)
{
	int64_t open, closed;

	restart();
	append_transactional(5, 0, 0);
	open = end;
	if (producer_write_snapshot(table, dirfd, 0600, getegid()) != 0)
		abort();
	tap(agrees(open, 0), "a snapshot agrees with its log");
	mark(5, 0, BATCH_CONTROL_COMMIT);
	closed = end;
	if (producer_write_snapshot(table, dirfd, 0600, getegid()) != 0)
		abort();
	tap(agrees(closed, 0), "and the one behind the marker");
	tap(!agrees(open, 0), "an open transaction that the log has closed");
	restart();
	append_transactional(5, 0, 0);
	tap(!agrees(closed, 0), "a closed one that is open in the log");
}

static void
test_snapshot_refused(void)
{
	uint8_t p[10 + 2 * 46];
	const size_t len = sizeof(p);
	struct {
		const char *what;
		int64_t id, last, txn;
		int32_t sequence, delta;
		int want;
	} second[] = {
	    {"a good one", 2, 999, 998, 5, 4, 0},
	    {"no batch", 2, -1, -1, -1, 0, 0},
	    {"the same producer twice", 1, 999, -1, 5, 4, STATUS_CORRUPT},
	    {"a negative producer", -1, 999, -1, 5, 4, STATUS_CORRUPT},
	    {"a batch behind it", 2, 1000, -1, 5, 4, STATUS_CORRUPT},
	    {"a transaction behind it", 2, 999, 1000, 5, 4, STATUS_CORRUPT},
	    {"a batch before 0", 2, 3, -1, 5, 4, STATUS_CORRUPT},
	    {"a negative delta", 2, 999, -1, 5, -1, STATUS_CORRUPT},
	    {"a negative sequence", 2, 999, -1, -2, 4, STATUS_CORRUPT},
	    {"a negative offset", 2, -2, -1, 5, 4, STATUS_CORRUPT},
	    {"a negative transaction", 2, 999, -2, 5, 4, STATUS_CORRUPT},
	};

	tap_int(producer_read_snapshot(table, dirfd, 12345, NULL), ENOENT,
	    "no snapshot");
	memset(p, 0, len);
	buf_put_16(p, 1);
	buf_put_32(p + 6, 2);
	put_entry(p + 10, 1, 9, 9, 9, -1);
	for (size_t i = 0; i < sizeof(second) / sizeof(second[0]); i++) {
		put_entry(p + 56, second[i].id, second[i].sequence,
		    second[i].last, second[i].delta, second[i].txn);
		check_snapshot(p, len, second[i].want, second[i].what);
	}
	put_entry(p + 56, 2, 5, 999, 4, -1);
	check_snapshot(p, len - 1, STATUS_CORRUPT, "one byte too few");
	check_snapshot(p, len - 46, STATUS_CORRUPT, "one entry too few");
	buf_put_32(p + 6, PRODUCERS_MAX + 1);
	check_snapshot(p, len, STATUS_CORRUPT, "more entries than bytes");
	buf_put_32(p + 6, 2);
	buf_put_16(p, 2);
	check_snapshot(p, len, STATUS_CORRUPT, "version 2");
	buf_put_16(p, 1);
	check_snapshot(p, len, 0, "and whole again");
}

/* Every bit flipped, every truncation: refused, and nothing half read. */
static void
test_snapshot_damage(void)
{
	struct buf b;
	int bad = 0;

	restart();
	append(4, 1, 10, 5);
	append_transactional(2, 0, 0);
	if (producer_write_snapshot(table, dirfd, 0600, getegid()) != 0)
		abort();
	buf_init(&b, 1000);
	if (io_read_file(dirfd, snapshot_name(end), 1000, &b) != 0)
		abort();
	for (size_t i = 0; i < b.len * 9; i++) {
		size_t len = i < b.len * 8 ? b.len : i - b.len * 8;

		if (i < b.len * 8)
			b.data[i / 8] ^= (uint8_t)(1 << i % 8);
		int fd = -1;
		if (io_open(dirfd, "00000000000000000008.snapshot",
			O_WRONLY | O_CREAT | O_TRUNC, 0600, &fd) != 0 ||
		    io_pwrite_full(fd, b.data, len, 0) != 0 ||
		    io_close(&fd) != 0)
			abort();
		bad += producer_read_snapshot(table, dirfd, 8, NULL) !=
		    STATUS_CORRUPT;
		bad += producer_count(table) != 0;
		if (i < b.len * 8)
			b.data[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	tap_int(bad, 0, "damage is noticed");
	buf_release(&b);
}

/* --- what a Kafka broker wrote ------------------------------------------ */

#define GOLDEN "tests/golden/txn/txn-0"

/* The entries of two snapshots are the same; Kafka's are in no order. */
static bool
same_snapshot(const struct buf *a, const struct buf *b)
{
	if (a->len != b->len || a->len < 10)
		return false;
	for (size_t i = 10; i + 46 <= a->len; i += 46) {
		bool found = false;

		for (size_t j = 10; j + 46 <= b->len && !found; j += 46)
			found = memcmp(a->data + i, b->data + j, 46) == 0;
		if (!found)
			return false;
	}
	return true;
}

static void
check_golden_snapshot(int golden, int64_t offset)
{
	struct buf ours, theirs;

	buf_init(&ours, 100000);
	buf_init(&theirs, 100000);
	producer_skip(table, offset);
	tap(producer_write_snapshot(table, dirfd, 0600, getegid()) == 0 &&
		io_read_file(dirfd, snapshot_name(offset), 100000, &ours) ==
		    0 &&
		io_read_file(golden, snapshot_name(offset), 100000, &theirs) ==
		    0 &&
		same_snapshot(&ours, &theirs),
	    "the snapshot at %" PRId64 ", %zu producers", offset,
	    producer_count(table));
	tap_int(producer_read_snapshot(table, golden, offset, NULL), 0,
	    "theirs is read");
	buf_release(&ours);
	buf_release(&theirs);
}

static void
check_golden_index(int golden, int64_t base, const struct buf *ours)
{
	char name[SEGMENT_NAME_LEN];
	struct buf theirs;
	int rc;

	segment_name(name, base, ".txnindex");
	buf_init(&theirs, 100000);
	rc = io_read_file(golden, name, 100000, &theirs);
	tap((rc == 0 || rc == ENOENT) && theirs.len == ours->len &&
		(ours->len == 0 ||
		    memcmp(theirs.data, ours->data, ours->len) == 0),
	    "%s: %zu aborted transactions", name,
	    ours->len / TXNINDEX_ENTRY_LEN);
	buf_release(&theirs);
}

/* The segment's batches, applied; its aborts in encoded form. */
static void
apply_segment(int golden, int64_t base, struct segment_scan *scan,
    struct buf *aborts)
{
	char name[SEGMENT_NAME_LEN];
	uint8_t entry[TXNINDEX_ENTRY_LEN];
	struct aborted aborted;
	const uint8_t *data;
	struct batch b;
	bool has;
	int fd = -1, rc;

	segment_name(name, base, ".log");
	if (io_open(golden, name, O_RDONLY, 0, &fd) != 0)
		abort();
	segment_scan_start(scan, fd, 0, -1);
	while ((rc = segment_scan_next(scan, &b, &data)) == 0) {
		if (producer_apply(table, data, &b, &aborted, &has) != 0)
			abort();
		if (!has)
			continue;
		aborted.last_stable = producer_unstable_offset(table);
		if (aborted.last_stable < 0)
			aborted.last_stable = b.last_offset + 1;
		txnindex_encode(&aborted, entry);
		if (buf_add(aborts, entry, sizeof(entry)) != 0)
			abort();
	}
	tap_int(rc, STATUS_END, "%s is read", name);
	io_close(&fd);
}

static void
test_golden(void)
{
	struct segment_list logs, snapshots;
	struct segment_scan scan;
	struct buf aborts;
	size_t next = 0;
	int golden = -1;

	if (io_open(AT_FDCWD, GOLDEN, O_RDONLY | O_DIRECTORY, 0, &golden) !=
		0 ||
	    segment_list_read(golden, ".log", &logs) != 0 ||
	    segment_list_read(golden, ".snapshot", &snapshots) != 0) {
		tap(false, "%s can be read", GOLDEN);
		return;
	}
	restart();
	buf_init(&aborts, 100000);
	segment_scan_init(&scan, 65536);
	for (size_t i = 0; i < logs.count; i++) {
		aborts.len = 0;
		apply_segment(golden, logs.bases[i], &scan, &aborts);
		check_golden_index(golden, logs.bases[i], &aborts);
		if (next < snapshots.count &&
		    (i + 1 == logs.count ||
			snapshots.bases[next] == logs.bases[i + 1]))
			check_golden_snapshot(golden, snapshots.bases[next++]);
	}
	tap(next == snapshots.count && next > 0, "all %zu snapshots", next);
	segment_scan_release(&scan);
	buf_release(&aborts);
	segment_list_release(&logs);
	segment_list_release(&snapshots);
	io_close(&golden);
}

int
main(void)
{
	if (io_open(AT_FDCWD, tap_dir(), O_RDONLY | O_DIRECTORY, 0, &dirfd) !=
		0 ||
	    producer_new(&table) != 0)
		abort();
	test_sequences();
	test_window();
	test_wrap();
	test_epochs();
	test_transactions();
	test_void_markers();
	test_skip();
	test_expire();
	test_model();
	test_snapshot_layout();
	test_snapshot_read();
	test_snapshot_agrees();
	test_snapshot_refused();
	test_snapshot_damage();
	test_golden();
	producer_free(table);
	io_close(&dirfd);
	return tap_done();
}
