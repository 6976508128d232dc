/*
 * Raw reading and replicas: the same files in the same segments, whatever the
 * source went through.
 */

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/crc32c.h"
#include "base/io.h"
#include "base/now.h"
#include "base/status.h"
#include "store/batch.h"
#include "store/check.h"
#include "store/compact.h"
#include "store/epoch.h"
#include "store/partition.h"
#include "store/raw.h"
#include "store/reader.h"
#include "store/replica.h"
#include "store/segment.h"
#include "store/state.h"
#include "tap.h"

static const char *root;
static char source_dir[256], copy_dir[256];

static struct partition *
open_dir(const char *path, enum partition_mode mode)
{
	struct partition_settings s = partition_defaults;
	struct partition *p = NULL;

	s.segment_bytes = 2000;
	if (partition_open(path, mode, &s, &p, NULL) != 0)
		abort();
	return p;
}

/* Two fresh empty directories. */
static void
fresh(void)
{
	static int count;

	snprintf(source_dir, sizeof(source_dir), "%s/source%d", root, count);
	snprintf(copy_dir, sizeof(copy_dir), "%s/copy%d", root, count++);
	if (mkdir(source_dir, 0777) != 0 || mkdir(copy_dir, 0777) != 0)
		abort();
}

/* Append batches of a few records each; keys repeat, but for some. */
static void
append(struct partition *p, int batches, int64_t producer)
{
	static int32_t sequence;
	struct partition_append a;
	struct batch_builder bb;
	const uint8_t *data;
	size_t size;

	batch_builder_init(&bb, CODEC_NONE, 0, BATCH_BYTES_MAX);
	for (int i = 0; i < batches; i++) {
		int count = 1 + (int)(tap_random() % 5);

		for (int k = 0; k < count; k++) {
			char value[200], key[16];
			struct record r = {.timestamp = 1000 + i};

			snprintf(value, sizeof(value), "%0*d",
			    1 + (int)(tap_random() % 150), i);
			snprintf(key, sizeof(key), "%d", i < 9 ? i : k % 2);
			r.key = bytes_of(key);
			r.value = bytes_of(value);
			if (batch_builder_add(&bb, &r) != 0)
				abort();
		}
		if (batch_builder_finish(&bb, &data, &size) != 0)
			abort();
		if (producer >= 0) {
			uint8_t *at = bb.raw.data;

			buf_put_64(at + BATCH_PRODUCER_ID, (uint64_t)producer);
			buf_put_16(at + BATCH_PRODUCER_EPOCH, 0);
			buf_put_32(at + BATCH_BASE_SEQUENCE,
			    (uint32_t)sequence);
			buf_put_32(at + BATCH_CRC,
			    crc32c(at + BATCH_ATTRIBUTES,
				size - BATCH_ATTRIBUTES));
			sequence += count;
		}
		a = (struct partition_append){.data = bb.raw.data,
		    .len = size,
		    .expect = -1};
		if (partition_append(p, &a, NULL) != 0)
			abort();
	}
	batch_builder_release(&bb);
	if (partition_sync(p, NULL) != 0)
		abort();
}

/*
 * Copy from offset (-1: the first) on; 0 or an error.  own: the source does not
 * tell its segments.
 */
static int
copy_how(int64_t offset, size_t max, bool own)
{
	struct partition *from = open_dir(source_dir, PARTITION_READ);
	struct partition *to = open_dir(copy_dir, PARTITION_WRITE);
	struct raw *raw = NULL;
	struct raw_run run;
	int rc = replica_adopt(to, NULL);

	if (rc == 0)
		rc = raw_open(from, &raw, NULL);
	if (rc == 0)
		raw_seek(raw, offset);
	while (rc == 0 && (rc = raw_next(raw, max, &run, NULL)) == 0)
		rc =
		    replica_append(to, own ? REPLICA_OWN_SEGMENTS : run.segment,
			(uint8_t *)run.data, run.len, NULL);
	if (rc == STATUS_END)
		rc = partition_sync(to, NULL);
	raw_close(raw);
	partition_close(from);
	partition_close(to);
	return rc;
}

static int
copy(int64_t offset, size_t max)
{
	return copy_how(offset, max, false);
}

static bool
same_file(const char *name)
{
	struct buf a, b;
	char path[600];
	bool same;

	buf_init(&a, 1 << 24);
	buf_init(&b, 1 << 24);
	snprintf(path, sizeof(path), "%s/%s", source_dir, name);
	if (io_read_file(AT_FDCWD, path, 1 << 24, &a) != 0)
		abort();
	snprintf(path, sizeof(path), "%s/%s", copy_dir, name);
	same = io_read_file(AT_FDCWD, path, 1 << 24, &b) == 0 &&
	    a.len == b.len &&
	    (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
	buf_release(&a);
	buf_release(&b);
	return same;
}

/* Same segments with the same bytes? */
static bool
same_segments(const char *suffix)
{
	struct segment_list a = {NULL, 0}, b = {NULL, 0};
	int from = open(source_dir, O_RDONLY), to = open(copy_dir, O_RDONLY);
	bool same;

	if (segment_list_read(from, suffix, &a) != 0 ||
	    segment_list_read(to, suffix, &b) != 0)
		abort();
	same = a.count == b.count;
	for (size_t i = 0; same && i < a.count; i++) {
		char name[SEGMENT_NAME_LEN];

		segment_name(name, a.bases[i], suffix);
		same = same_file(name);
		if (!same)
			fprintf(stderr, "# %s differs\n", name);
	}
	segment_list_release(&a);
	segment_list_release(&b);
	close(from);
	close(to);
	return same;
}

/* What logfsck would find in the copy. */
static size_t
findings(void)
{
	struct partition *p = open_dir(copy_dir, PARTITION_READ);
	struct check c;
	size_t count;

	check_init(&c);
	if (check_run(p, true, &c, NULL) != 0)
		abort();
	count = c.count;
	for (size_t i = 0; i < count; i++)
		fprintf(stderr, "# base %lld: %s\n",
		    (long long)c.findings[i].base, c.findings[i].what);
	check_release(&c);
	partition_close(p);
	return count;
}

static int64_t
end_of(const char *dir)
{
	struct partition *p = open_dir(dir, PARTITION_READ);
	struct partition_offsets o;

	if (partition_offsets(p, &o, NULL) != 0)
		abort();
	partition_close(p);
	return o.high_watermark;
}

static void
expect_same(const char *what)
{
	tap(same_segments(".log"), "%s: the same segments", what);
	tap(same_segments(".index"), "%s: the same indexes", what);
	tap_int(findings(), 0, "%s: nothing is wrong with them", what);
	tap_int(end_of(copy_dir), end_of(source_dir), "%s: the same end", what);
}

static void
test_copy(void)
{
	struct partition *p;
	int64_t end;

	fresh();
	p = open_dir(source_dir, PARTITION_WRITE);
	append(p, 100, -1);
	tap_int(copy(-1, 700), 0, "copied");
	expect_same("a copy");
	tap(same_segments(".sum"), "and the same sums");
	append(p, 100, 77);
	tap_int(copy(end_of(copy_dir), 1 << 20), 0, "what is new");
	expect_same("grown, with a producer");
	tap(same_segments(".snapshot"), "and the same snapshots");
	if (partition_roll(p, NULL) != 0)
		abort();
	tap_int(copy(end_of(copy_dir), 1 << 20), 0,
	    "nothing new but a segment");
	expect_same("rolled");
	partition_close(p);
	p = open_dir(copy_dir, PARTITION_WRITE);
	end = end_of(copy_dir) - 1;
	tap_int(replica_append_at(p, &end, 0, NULL, 0, NULL), STATUS_MISMATCH,
	    "a copy that another one has appended to");
	partition_close(p);
}

/* The same settings make the same segments, whatever came at once. */
static void
test_own_segments(void)
{
	struct partition *p;

	fresh();
	p = open_dir(source_dir, PARTITION_WRITE);
	append(p, 60, -1);
	if (partition_delete_before(p, 100, NULL) != 0)
		abort();
	tap_int(copy_how(-1, 700, true), 0, "copied");
	expect_same("segments of its own");
	append(p, 100, 78);
	tap_int(copy_how(end_of(copy_dir), 1 << 20, true), 0, "what is new");
	expect_same("segments of its own, grown");
	partition_close(p);
}

static void
test_durable_end(void)
{
	struct partition *p, *reader;
	struct partition_append a;
	struct batch_builder bb;
	struct record r = {.timestamp = 1, .key = BYTES_NULL};
	struct raw *raw;
	struct raw_run run;
	const uint8_t *data;
	size_t size;

	fresh();
	p = open_dir(source_dir, PARTITION_WRITE);
	r.value = bytes_of("x");
	batch_builder_init(&bb, CODEC_NONE, 0, BATCH_BYTES_MAX);
	if (batch_builder_add(&bb, &r) != 0 ||
	    batch_builder_finish(&bb, &data, &size) != 0)
		abort();
	a = (struct partition_append){.data = bb.raw.data,
	    .len = size,
	    .expect = -1};
	if (partition_append(p, &a, NULL) != 0)
		abort();
	tap_int(end_of(source_dir), 0, "not on the device, and not visible");
	reader = open_dir(source_dir, PARTITION_READ);
	if (raw_open(reader, &raw, NULL) != 0)
		abort();
	tap_int(raw_next(raw, 1 << 20, &run, NULL), 0, "a segment begins");
	tap_int(run.len, 0, "without bytes");
	tap_int(raw_next(raw, 1 << 20, &run, NULL), STATUS_END,
	    "that is not given away");
	if (partition_sync(p, NULL) != 0 || raw_refresh(raw, NULL) != 0)
		abort();
	tap_int(raw_next(raw, 1 << 20, &run, NULL), 0, "when synced it is");
	tap_int(run.next_offset, 1, "one record");
	partition_close(p);
	p = open_dir(source_dir, PARTITION_WRITE_RELAXED);
	if (partition_append(p, &a, NULL) != 0 || raw_refresh(raw, NULL) != 0)
		abort();
	tap_int(raw_next(raw, 1 << 20, &run, NULL), 0,
	    "what is visible is synced by who wants it");
	tap_int(run.next_offset, 2, "one more record");
	raw_close(raw);
	partition_close(reader);
	partition_close(p);
	batch_builder_release(&bb);
}

/* Compaction leaves gaps, at the ends of segments too; so has the copy. */
static void
test_gaps(void)
{
	struct compact_options o = {.now_ms = 1 << 30,
	    .memory = 1 << 20,
	    .keep_last_only = true,
	    .segment_bytes = 2000,
	    .index_bytes = 1 << 20,
	    .delete_retention_ms = 1 << 20};
	struct compact_stats stats;
	struct partition *p;
	struct raw *raw;
	struct batch b;
	bool cleaned = false, kept = false;

	fresh();
	p = open_dir(source_dir, PARTITION_WRITE);
	append(p, 100, -1);
	if (partition_roll(p, NULL) != 0 ||
	    compact_run(p, &o, &stats, NULL) != 0)
		abort();
	tap(stats.records_left < stats.records, "compaction took records");
	append(p, 30, -1);
	tap_int(copy(-1, 1 << 20), 0, "copied");
	tap(same_segments(".log"), "with gaps: the same segments");
	tap_int(findings(), 0, "with gaps: nothing is wrong with them");
	tap_int(raw_open(p, &raw, NULL), 0, "looked at");
	tap_int(raw_batch_at(raw, 50, &b, &cleaned, NULL), 0,
	    "a batch that is gone");
	tap(b.base_offset <= 50 && cleaned, "is said to be cleaned");
	tap_int(raw_batch_at(raw, end_of(source_dir) - 1, &b, &cleaned, NULL),
	    0, "the last one");
	tap(b.last_offset == end_of(source_dir) - 1 && !cleaned, "is not");
	tap_int(raw_batch_at(raw, 0, &b, &cleaned, NULL), STATUS_END,
	    "nothing is left of the beginning");
	b = (struct batch){.base_offset = 0, .crc = 1};
	tap(raw_is_kept(raw, &b, &kept, NULL) == 0 && kept,
	    "which may have been as it is said");
	raw_close(raw);
	partition_close(p);
}

/* Retention was there first, and goes on. */
static void
test_retention(void)
{
	struct partition *p, *c;
	int64_t end;

	fresh();
	p = open_dir(source_dir, PARTITION_WRITE);
	append(p, 60, -1);
	if (partition_delete_before(p, 100, NULL) != 0)
		abort();
	tap_int(copy(-1, 1 << 20), 0, "copied from where it begins");
	expect_same("a log that begins late");
	end = end_of(copy_dir);
	append(p, 60, -1);
	if (partition_delete_before(p, end + 50, NULL) != 0)
		abort();
	tap_int(copy(end, 1 << 20), STATUS_OFFSET, "deleted meanwhile");
	tap_int(copy(-1, 1 << 20), 0, "copied from where it begins now");
	tap_int(findings(), 0, "nothing is wrong with it");
	c = open_dir(copy_dir, PARTITION_WRITE);
	tap_int(partition_delete_before(c, end + 50, NULL), 0, "deleted, too");
	partition_close(c);
	expect_same("deleted on both sides");
	partition_close(p);
}

static void
test_refused(void)
{
	struct partition *p, *c;
	struct raw *raw;
	struct raw_run run;
	uint8_t *data;

	fresh();
	p = open_dir(source_dir, PARTITION_WRITE);
	append(p, 10, -1);
	c = open_dir(copy_dir, PARTITION_WRITE);
	append(c, 1, -1);
	tap_int(replica_adopt(c, NULL), STATUS_ROLE, "open with records");
	tap_int(raw_open(p, &raw, NULL), 0, "a source");
	if (raw_next(raw, 1, &run, NULL) != 0 ||
	    raw_next(raw, 1, &run, NULL) != 0)
		abort();
	data = malloc(run.len);
	memcpy(data, run.data, run.len);
	tap_int(replica_append(c, 0, data, run.len, NULL), STATUS_ROLE,
	    "is written by local writers alone");
	tap_int(replica_demote(c, NULL), 0, "unless somebody says so");
	tap_int(replica_append(c, 0, data, run.len, NULL), STATUS_DIFFERS,
	    "an offset that is there");
	tap_int(replica_truncate(c, 0, NULL), 0, "cut to nothing");
	data[run.len - 1] ^= 1;
	tap_int(replica_append(c, 0, data, run.len, NULL), STATUS_CORRUPT,
	    "a bit that has changed");
	data[run.len - 1] ^= 1;
	tap_int(replica_append(c, 0, data, run.len - 1, NULL), STATUS_CORRUPT,
	    "a batch that is cut");
	buf_put_64(data, (uint64_t)INT64_MAX - 8);
	tap_int(replica_append(c, 0, data, run.len, NULL), STATUS_CORRUPT,
	    "an offset that leaves no room");
	buf_put_64(data, 0);
	buf_put_32(data + 12, INT32_MAX);
	tap_int(replica_append(c, 0, data, run.len, NULL), STATUS_CORRUPT,
	    "a leader epoch that leaves none for a promotion");
	buf_put_32(data + 12, 0);
	tap_int(replica_append(c, PARTITION_OFFSET_MAX + 1, data, 0, NULL),
	    STATUS_CORRUPT, "a segment that leaves no room");
	tap_int(end_of(copy_dir), 0, "nothing has moved");
	tap_int(replica_append(c, 0, data, run.len, NULL), 0, "what is right");
	free(data);
	raw_close(raw);
	partition_close(p);
	partition_close(c);
}

/* Where offsets end nothing is appended, and nothing is lost. */
static void
test_end_of_offsets(void)
{
	const int64_t last = PARTITION_OFFSET_MAX - 1;
	struct partition_append a = {.expect = -1};
	struct record r = {.value = bytes_of("x")};
	struct batch_builder bb;
	struct partition *c;
	const uint8_t *data;
	uint8_t copied[200];
	size_t size;

	fresh();
	batch_builder_init(&bb, CODEC_NONE, 0, BATCH_BYTES_MAX);
	if (batch_builder_add(&bb, &r) != 0 ||
	    batch_builder_finish(&bb, &data, &size) != 0 ||
	    size > sizeof(copied))
		abort();
	memcpy(copied, data, size);
	buf_put_64(copied, (uint64_t)last);
	c = open_dir(copy_dir, PARTITION_WRITE);
	tap_int(replica_adopt(c, NULL), 0, "a replica");
	tap_int(replica_append(c, last, copied, size, NULL), 0,
	    "the last record that can be");
	tap_int(partition_set_role(c, STATE_ROLE_OPEN, NULL), 0, "promoted");
	a.data = copied;
	a.len = size;
	tap_int(partition_append(c, &a, NULL), EOVERFLOW, "none is behind it");
	partition_close(c);
	tap_int(end_of(copy_dir), last + 1, "it is there");
	batch_builder_release(&bb);
}

/* Cut anywhere and filled again it is the same as before. */
static void
test_truncate(void)
{
	struct partition *p, *c;
	struct stat st;
	char path[600];
	int64_t end;

	fresh();
	p = open_dir(source_dir, PARTITION_WRITE);
	append(p, 50, 5);
	append(p, 50, -1);
	end = end_of(source_dir);
	tap_int(copy(-1, 1 << 20), 0, "copied");
	for (int i = 0; i < 20; i++) {
		int64_t to =
		    i == 0 ? 0 : (int64_t)(tap_random() % (uint64_t)(end + 1));

		c = open_dir(copy_dir, PARTITION_WRITE);
		if (replica_truncate(c, to, NULL) != 0)
			tap(false, "cut at %lld", (long long)to);
		partition_close(c);
		if (end_of(copy_dir) > to || end_of(copy_dir) < to - 5)
			tap(false, "cut to %lld", (long long)to);
		if (findings() != 0)
			tap(false, "sound when cut at %lld", (long long)to);
		if (copy(end_of(copy_dir), 1 << 20) != 0)
			tap(false, "filled from %lld", (long long)to);
		if (!same_segments(".log") || findings() != 0)
			tap(false, "the same after %lld", (long long)to);
	}
	expect_same("cut and filled again");
	snprintf(path, sizeof(path), "%s/lost+found", copy_dir);
	tap(stat(path, &st) == 0, "what was cut is kept");
	partition_close(p);
}

/* A crash in the middle of a batch, and one behind a batch not synced. */
static void
test_torn(void)
{
	struct segment_list l;
	struct partition *p;
	char name[SEGMENT_NAME_LEN], path[600];
	int64_t end;
	int fd;

	fresh();
	p = open_dir(source_dir, PARTITION_WRITE);
	append(p, 7, -1);
	tap_int(copy(-1, 1 << 20), 0, "copied");
	end = end_of(copy_dir);
	fd = open(copy_dir, O_RDONLY);
	if (segment_list_read(fd, ".log", &l) != 0)
		abort();
	close(fd);
	segment_name(name, l.bases[l.count - 1], ".log");
	segment_list_release(&l);
	snprintf(path, sizeof(path), "%s/%s", copy_dir, name);
	fd = open(path, O_WRONLY | O_APPEND);
	if (fd < 0 || write(fd, "torn", 4) != 4 || close(fd) != 0)
		abort();
	append(p, 7, -1);
	tap_int(copy(end, 1 << 20), 0, "goes on behind a torn tail");
	expect_same("after a torn tail");
	partition_close(p);
}

/*
 * A replica whose active segment has gaps, from a compacted source; the last
 * is not synced.
 */
static struct partition *
make_gaps(int64_t *end)
{
	struct compact_options o = {.now_ms = 1 << 30,
	    .memory = 1 << 20,
	    .keep_last_only = true,
	    .segment_bytes = 1 << 20,
	    .index_bytes = 1 << 20,
	    .delete_retention_ms = 1 << 20};
	struct compact_stats stats;
	struct partition *p, *c;
	struct raw *raw;
	struct raw_run run;
	int64_t last = -1;
	bool gap = false;

	fresh();
	p = open_dir(source_dir, PARTITION_WRITE);
	append(p, 100, -1);
	if (partition_roll(p, NULL) != 0 ||
	    compact_run(p, &o, &stats, NULL) != 0)
		abort();
	c = open_dir(copy_dir, PARTITION_WRITE);
	if (replica_adopt(c, NULL) != 0 || raw_open(p, &raw, NULL) != 0 ||
	    raw_next(raw, 1, &run, NULL) != 0)
		abort();
	/* Batch by batch, and without the segment that comes next. */
	while (raw_next(raw, 1, &run, NULL) == 0 && run.segment == 0) {
		if (replica_append(c, 0, (uint8_t *)run.data, run.len, NULL) !=
			0 ||
		    (last < 0 && partition_sync(c, NULL) != 0))
			abort();
		gap = gap || run.base_offset > last + 1;
		last = run.next_offset - 1;
	}
	tap(gap, "there are gaps");
	*end = last + 1;
	raw_close(raw);
	partition_close(p);
	return c;
}

/* The copy's state as after a reboot; what it was before, if not NULL. */
static void
reboot(const uint8_t *page)
{
	struct state s;
	int dirfd = open(copy_dir, O_RDONLY), fd;

	if (state_open(dirfd, true, 0600, getgid(), &fd) != 0 ||
	    (page != NULL && pwrite(fd, page, STATE_PAGE_LEN, 0) < 0) ||
	    state_read(fd, &s) != 0)
		abort();
	s.boot_id[0] ^= 1;
	if (state_write(fd, &s) != 0)
		abort();
	close(fd);
	close(dirfd);
}

/* The next segment was begun behind a gap, and the state is older than that. */
static void
test_roll_cut_short(void)
{
	uint8_t page[STATE_PAGE_LEN];
	char path[600];
	struct partition *c;
	int64_t end;
	int fd;

	c = make_gaps(&end);
	if (partition_sync(c, NULL) != 0)
		abort();
	snprintf(path, sizeof(path), "%s/%s", copy_dir, STATE_FILE);
	fd = open(path, O_RDONLY);
	if (read(fd, page, sizeof(page)) != sizeof(page))
		abort();
	close(fd);
	tap_int(replica_append(c, end + 10, NULL, 0, NULL), 0, "a segment");
	partition_close(c);
	reboot(page);
	c = open_dir(copy_dir, PARTITION_WRITE);
	tap_int(replica_adopt(c, NULL), 0, "after a crash");
	partition_close(c);
	tap_int(end_of(copy_dir), end + 10, "the segment is the active one");
	tap_int(findings(), 0, "nothing is wrong with it");
}

/* What was written and not synced stays, as far as it is whole. */
static void
test_gaps_recovered(void)
{
	struct partition_offsets o;
	struct partition *c;
	int64_t end;

	c = make_gaps(&end);
	if (partition_offsets(c, &o, NULL) != 0)
		abort();
	tap(o.high_watermark < end, "not all is visible");
	partition_close(c);
	reboot(NULL);
	c = open_dir(copy_dir, PARTITION_WRITE);
	tap_int(replica_adopt(c, NULL), 0, "after a crash");
	partition_close(c);
	tap_int(end_of(copy_dir), end, "all is there, behind gaps, too");
	tap_int(findings(), 0, "nothing is wrong with it");
}

/* One that died between writing and syncing: the next sync is for that. */
static void
test_left_unsynced(void)
{
	struct partition *c;
	int64_t end;

	c = make_gaps(&end);
	partition_close(c);
	tap(end_of(copy_dir) < end, "not all is visible");
	c = open_dir(copy_dir, PARTITION_WRITE);
	tap_int(replica_adopt(c, NULL), 0, "taken up again");
	tap_int(partition_sync(c, NULL), 0, "synced");
	tap_int(end_of(copy_dir), end, "all is visible");
	partition_close(c);
}

/* Local writers leave no gaps, and an open partition is read so. */
static void
test_gaps_promoted(void)
{
	struct partition *c;
	struct reader *r;
	const uint8_t *data;
	struct batch b;
	int64_t end;
	int rc;

	c = make_gaps(&end);
	tap_int(partition_set_role(c, STATE_ROLE_OPEN, NULL), 0, "promoted");
	append(c, 2, -1);
	tap_int(findings(), 0, "nothing is wrong with it");
	rc = reader_open(c, 0, 0, &r, NULL);
	while (rc == 0)
		rc = reader_next(r, &b, &data, NULL);
	tap_int(rc, STATUS_END, "it is read to its end");
	reader_close(r);
	partition_close(c);
}

static void
test_promote(void)
{
	struct partition *p, *c;
	struct epoch_list l;
	int64_t end;

	fresh();
	p = open_dir(source_dir, PARTITION_WRITE);
	append(p, 7, -1);
	tap_int(copy(-1, 1 << 20), 0, "copied");
	end = end_of(copy_dir);
	c = open_dir(copy_dir, PARTITION_WRITE);
	tap_int(partition_set_role(c, STATE_ROLE_OPEN, NULL), 0, "promoted");
	append(c, 3, -1);
	epoch_list_init(&l);
	tap_int(epoch_read(partition_dirfd(c), &l, NULL), 0, "its epochs");
	tap_int(epoch_latest(&l), 1, "a new one");
	tap_int(l.entries[l.count - 1].start, end, "began where it was");
	tap_int(findings(), 0, "nothing is wrong with it");
	tap_int(copy(end, 1 << 20), STATUS_ROLE, "it takes no copies any more");
	epoch_list_release(&l);
	partition_close(p);
	partition_close(c);
}

static enum replica_stand
stand_of(struct partition *p)
{
	enum replica_stand stand = REPLICA_OTHER;

	tap_int(replica_look(p, &stand, NULL), 0, "looked at");
	return stand;
}

/* Empty, it can be a copy; promoted, only if somebody says so. */
static void
test_stand(void)
{
	struct partition *c, *p;

	fresh();
	c = open_dir(copy_dir, PARTITION_WRITE);
	tap_int(stand_of(c), REPLICA_CAN_BE, "a new one can be a copy");
	tap_int(replica_adopt(c, NULL), 0, "and is one");
	tap_int(stand_of(c), REPLICA_IS, "it is");
	tap_int(partition_set_role(c, STATE_ROLE_OPEN, NULL), 0, "promoted");
	tap_int(stand_of(c), REPLICA_PROMOTED, "that is remembered");
	tap_int(replica_adopt(c, NULL), STATUS_ROLE, "it is not taken back");
	partition_close(c);
	c = open_dir(copy_dir, PARTITION_READ);
	tap_int(stand_of(c), REPLICA_PROMOTED, "also when opened to read");
	partition_close(c);
	c = open_dir(copy_dir, PARTITION_WRITE);
	tap_int(replica_demote(c, NULL), 0, "demoted");
	tap_int(stand_of(c), REPLICA_IS, "it is a copy again");
	partition_close(c);
	p = open_dir(source_dir, PARTITION_WRITE);
	append(p, 2, -1);
	tap_int(partition_delete_before(p, end_of(source_dir), NULL), 0,
	    "one whose records were deleted");
	tap_int(stand_of(p), REPLICA_OTHER, "is no copy");
	tap_int(replica_adopt(p, NULL), STATUS_ROLE, "and does not become one");
	partition_close(p);
}

/* Nothing is changed for a segment that cannot be. */
static void
test_segment(void)
{
	struct partition *p, *c;
	uint8_t batch[1000];
	struct raw_run run;
	struct raw *raw;
	int64_t end;

	fresh();
	p = open_dir(source_dir, PARTITION_WRITE);
	append(p, 1, -1);
	if (raw_open(p, &raw, NULL) != 0)
		abort();
	run.len = 0;
	while (run.len == 0)
		if (raw_next(raw, sizeof(batch), &run, NULL) != 0)
			abort();
	if (run.len > sizeof(batch))
		abort();
	memcpy(batch, run.data, run.len);
	c = open_dir(copy_dir, PARTITION_WRITE);
	tap_int(replica_adopt(c, NULL), 0, "a copy");
	tap_int(replica_append(c, INT64_MAX, batch, 0, NULL), STATUS_CORRUPT,
	    "a segment with nothing behind its base");
	tap_int(replica_append(c, 77, batch, run.len, NULL), STATUS_DIFFERS,
	    "one that begins behind its batches");
	tap_int(end_of(copy_dir), 0, "nothing has begun");
	end = end_of(source_dir);
	tap_int(replica_append(c, 0, batch, run.len, NULL), 0, "the right one");
	tap_int(replica_append(c, end + 5, batch, run.len, NULL),
	    STATUS_DIFFERS, "again, with batches before it");
	tap_int(replica_append(c, end, batch, 0, NULL), 0, "the next");
	tap_int(partition_sync(c, NULL), 0, "synced");
	tap_int(end_of(copy_dir), end, "it ends where it did");
	raw_close(raw);
	partition_close(p);
	partition_close(c);
}

/*
 * A roll says in the state which segment comes next before it makes it, and what
 * ends in a copy may end in a gap: to a reader that comes between, no file is
 * missing.
 */
static void
test_announced(void)
{
	struct partition *p;
	struct reader *r;
	const uint8_t *data;
	char name[SEGMENT_NAME_LEN];
	struct batch b;
	int64_t next = 0;
	int rc;

	fresh();
	p = open_dir(source_dir, PARTITION_WRITE);
	append(p, 10, -1);
	partition_close(p);
	if (copy(-1, 1 << 20) != 0)
		abort();
	p = open_dir(copy_dir, PARTITION_WRITE);
	if (replica_append(p, end_of(copy_dir) + 20, NULL, 0, NULL) != 0)
		abort();
	segment_name(name, end_of(copy_dir), ".log");
	if (unlinkat(partition_dirfd(p), name, 0) != 0)
		abort();
	partition_close(p);
	p = open_dir(copy_dir, PARTITION_READ);
	if (reader_open(p, 0, 0, &r, NULL) != 0)
		abort();
	while ((rc = reader_next(r, &b, &data, NULL)) == 0)
		next = b.last_offset + 1;
	tap_int(rc, STATUS_END, "a segment that is announced is not missing");
	tap_int(next, end_of(source_dir), "all before it was read");
	reader_close(r);
	partition_close(p);
}

/* Two segments are made one, as compaction does, of which all is kept. */
static void
merge(int64_t first, int64_t second)
{
	char text[1000], a[SEGMENT_NAME_LEN], b[SEGMENT_NAME_LEN];

	segment_name(a, first, "");
	segment_name(b, second, "");
	snprintf(text, sizeof(text),
	    "cd %s && cat %s.log %s.log >new && mv new %s.log && rm -f %s.* "
	    "%s.[ist]*",
	    source_dir, a, b, a, b, a);
	if (system(text) != 0)
		abort();
}

/*
 * Who has read a segment to its end meets another file in its place, which has
 * what came behind it, too.
 */
static void
test_merged(void)
{
	struct partition *p, *q;
	struct raw_run run = {.len = 0};
	struct raw *raw;
	struct reader *r;
	const uint8_t *data;
	char name[SEGMENT_NAME_LEN];
	struct batch b;
	int64_t end, last = -1;

	fresh();
	p = open_dir(source_dir, PARTITION_WRITE);
	append(p, 1, -1);
	end = end_of(source_dir);
	q = open_dir(source_dir, PARTITION_READ);
	if (raw_open(q, &raw, NULL) != 0 || reader_open(q, 0, 0, &r, NULL) != 0)
		abort();
	while (reader_next(r, &b, &data, NULL) == 0)
		continue;
	/* The next segment is announced, and not yet there. */
	if (partition_roll(p, NULL) != 0)
		abort();
	segment_name(name, end, ".log");
	if (renameat(partition_dirfd(p), name, partition_dirfd(p), "x") != 0 ||
	    raw_refresh(raw, NULL) != 0)
		abort();
	while (raw_next(raw, 1 << 20, &run, NULL) == 0)
		continue;
	if (renameat(partition_dirfd(p), "x", partition_dirfd(p), name) != 0)
		abort();
	append(p, 1, -1);
	if (partition_roll(p, NULL) != 0)
		abort();
	merge(0, end);
	if (raw_refresh(raw, NULL) != 0 || reader_refresh(r, NULL) != 0)
		abort();
	run.len = 0;
	for (int i = 0; i < 3 && run.len == 0; i++)
		if (raw_next(raw, 1 << 20, &run, NULL) != 0)
			break;
	tap_int(run.base_offset, end, "raw: the batch behind the last one");
	tap_int(reader_next(r, &b, &data, NULL), 0, "reader: a batch");
	tap_int(b.base_offset, end, "that is behind the last one");
	do
		last = b.last_offset;
	while (reader_next(r, &b, &data, NULL) == 0);
	tap_int(last + 1, end_of(source_dir), "and to the end");
	raw_close(raw);
	reader_close(r);
	partition_close(q);
	partition_close(p);
}

int
main(void)
{
	root = tap_dir();
	test_copy();
	test_own_segments();
	test_durable_end();
	test_gaps();
	test_retention();
	test_refused();
	test_end_of_offsets();
	test_truncate();
	test_torn();
	test_promote();
	test_stand();
	test_segment();
	test_gaps_recovered();
	test_roll_cut_short();
	test_left_unsynced();
	test_gaps_promoted();
	test_announced();
	test_merged();
	return tap_done();
}
