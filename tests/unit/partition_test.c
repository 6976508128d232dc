/*
 * Partitions: appending, syncing, rolling, reading back, recovery.
 */

#include <sys/stat.h>
#include <sys/wait.h>

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
#include "store/ahead.h"
#include "store/batch.h"
#include "store/epoch.h"
#include "store/lookup.h"
#include "store/partition.h"
#include "store/producer.h"
#include "store/reader.h"
#include "store/state.h"
#include "store/segment.h"
#include "store/sum.h"
#include "tap.h"

static const char *root;
static char dir[256];
static int dir_count;

/* A fresh empty partition directory. */
static void
fresh(void)
{
	snprintf(dir, sizeof(dir), "%s/%d", root, dir_count++);
	if (mkdir(dir, 0777) != 0)
		abort();
}

static struct partition *
open_with(enum partition_mode mode, int64_t segment_bytes)
{
	struct partition_settings s = partition_defaults;
	struct partition *p = NULL;

	if (segment_bytes > 0)
		s.segment_bytes = segment_bytes;
	if (partition_open(dir, mode, &s, &p, NULL) != 0)
		abort();
	return p;
}

/* One batch of count records "text N" with timestamps ts, ts + 1, ... */
static void
encode(struct batch_builder *bb, const char *text, int count, int64_t ts,
    const uint8_t **data, size_t *size)
{
	for (int i = 0; i < count; i++) {
		char value[64];
		struct record r = {.timestamp = ts + i, .key = BYTES_NULL};

		snprintf(value, sizeof(value), "%s %d", text, i);
		r.value = bytes_of(value);
		if (batch_builder_add(bb, &r) != 0)
			abort();
	}
	if (batch_builder_finish(bb, data, size) != 0)
		abort();
}

static int
append_n(struct partition *p, const char *text, int count, int64_t ts,
    struct partition_append *a)
{
	struct batch_builder bb;
	const uint8_t *data;
	size_t size;
	int rc;

	batch_builder_init(&bb, CODEC_NONE, 0, BATCH_BYTES_MAX);
	encode(&bb, text, count, ts, &data, &size);
	*a = (struct partition_append){.data = bb.raw.data,
	    .len = size,
	    .expect = -1};
	rc = partition_append(p, a, NULL);
	batch_builder_release(&bb);
	return rc;
}

static void
append(struct partition *p, const char *text, int count, int64_t ts)
{
	struct partition_append a;
	int rc = append_n(p, text, count, ts, &a);

	if (rc != 0) {
		printf("# append: %s\n", status_text(rc));
		abort();
	}
}

/* Number of records from offset on that a reader sees; last offset + 1. */
static int
count_from(int64_t offset, int64_t *next, int *result)
{
	struct partition *p = open_with(PARTITION_READ, 0);
	struct reader *r = NULL;
	struct batch b;
	const uint8_t *data;
	int n = 0, rc;

	rc = reader_open(p, 0, 0, &r, NULL);
	if (rc == 0)
		rc = reader_seek(r, offset, NULL, NULL);
	while (rc == 0 && (rc = reader_next(r, &b, &data, NULL)) == 0)
		n += b.record_count;
	*next = r == NULL ? -1 : reader_offset(r);
	reader_close(r);
	partition_close(p);
	*result = rc;
	return n;
}

static void
test_append_and_read(void)
{
	struct partition *p;
	struct partition_offsets o;
	int64_t next;
	int rc;

	fresh();
	p = open_with(PARTITION_WRITE, 0);
	append(p, "a", 3, 1000);
	partition_offsets(p, &o, NULL);
	tap_int(o.log_end, 3, "three records are in the log");
	tap_int(o.high_watermark, 0, "and not visible before they are synced");
	tap_int(count_from(0, &next, &rc), 0, "a reader sees none of them");
	tap_int(partition_sync(p, NULL), 0, "sync");
	partition_offsets(p, &o, NULL);
	tap_int(o.high_watermark, 3, "they are visible");
	tap_int(o.synced, 3, "and synced");
	tap_int(count_from(0, &next, &rc), 3, "a reader sees all");
	tap_int(rc, STATUS_END, "then the end");
	tap_int(next, 3, "at offset 3");
	partition_close(p);

	p = open_with(PARTITION_WRITE_RELAXED, 0);
	append(p, "b", 2, 2000);
	tap_int(count_from(3, &next, &rc), 2,
	    "relaxed appends are visible at once");
	partition_close(p);
}

static void
test_roll(void)
{
	struct partition *p;
	struct segment_list l;
	struct sum sum;
	struct stat st;
	char path[512];
	int64_t next;
	int rc;

	fresh();
	p = open_with(PARTITION_WRITE, 1000);
	for (int i = 0; i < 50; i++) {
		append(p, "some text", 4, 1000 + i * 10);
		if (i % 7 == 0)
			partition_sync(p, NULL);
	}
	partition_sync(p, NULL);
	tap_int(segment_list_read(partition_dirfd(p), ".log", &l), 0, "list");
	tap(l.count > 5, "small segments: %zu of them", l.count);
	tap_int(count_from(0, &next, &rc), 200, "all records in all segments");
	tap_int(count_from(101, &next, &rc), 100,
	    "from inside a batch: its batch and the rest");
	tap_int(sum_read(partition_dirfd(p), l.bases[0], &sum), 0,
	    "a sealed segment has a sum");
	snprintf(path, sizeof(path), "%s/%020lld.log", dir,
	    (long long)l.bases[0]);
	stat(path, &st);
	tap_int(sum.size, st.st_size, "with its size");
	tap_int(sum.records, l.bases[1] - l.bases[0], "its records");
	tap_int(sum.prefix_timestamp, sum.max_timestamp, "its times");
	segment_list_release(&l);
	partition_close(p);
}

static void
test_torn_tail(void)
{
	struct partition *p;
	struct partition_cut cut;
	struct partition_append a;
	char path[512];
	int64_t next;
	int fd, rc;

	fresh();
	p = open_with(PARTITION_WRITE, 0);
	append(p, "a", 3, 1000);
	partition_sync(p, NULL);
	partition_close(p);
	snprintf(path, sizeof(path), "%s/%020d.log", dir, 0);
	fd = open(path, O_WRONLY | O_APPEND);
	if (write(fd, "torn by a kill in the middle", 28) != 28)
		abort();
	close(fd);
	tap_int(count_from(0, &next, &rc), 3,
	    "a reader does not see a torn tail");
	tap_int(rc, STATUS_END, "and has no complaint");
	p = open_with(PARTITION_WRITE, 0);
	rc = append_n(p, "b", 2, 2000, &a);
	tap_int(rc, 0, "a writer goes on");
	tap_int(a.base_offset, 3, "at the next offset");
	partition_take_cut(p, &cut);
	tap_int(cut.len, 28, "having moved the torn bytes");
	snprintf(path, sizeof(path), "%s/lost+found/%s", dir, cut.saved);
	tap_int(access(path, R_OK), 0, "to lost+found");
	partition_sync(p, NULL);
	tap_int(count_from(0, &next, &rc), 5, "all records are there");
	partition_close(p);
}

/*
 * A file system that went down and was mounted again in the life of the kernel:
 * the log is there, the state that knew of it is not.
 */
static void
test_remounted(void)
{
	uint8_t page[STATE_PAGE_LEN];
	char path[400];
	struct state s;
	struct partition *p;
	int64_t next;
	int fd, rc;

	fresh();
	p = open_with(PARTITION_WRITE, 0);
	append(p, "one", 10, 1000);
	tap_int(partition_sync(p, NULL), 0, "synced");
	snprintf(path, sizeof(path), "%s/" STATE_FILE, dir);
	fd = open(path, O_RDWR);
	tap(pread(fd, page, sizeof(page), 0) == sizeof(page), "a state");
	append(p, "two", 10, 2000);
	tap_int(partition_sync(p, NULL), 0, "synced again");
	partition_close(p);
	if (pwrite(fd, page, sizeof(page), 0) != sizeof(page))
		abort();
	tap_int(count_from(0, &next, &rc), 10,
	    "what a dead writer left is not seen");
	if (state_read(fd, &s) != 0)
		abort();
	s.mount_id++;
	if (state_write(fd, &s) != 0)
		abort();
	close(fd);
	tap_int(count_from(0, &next, &rc), 20,
	    "what was there before the mount is seen");
	p = open_with(PARTITION_WRITE, 0);
	append(p, "three", 10, 3000);
	tap_int(partition_sync(p, NULL), 0, "a writer goes on behind it");
	partition_close(p);
	tap_int(count_from(0, &next, &rc), 30, "all of it is seen");
}

static int32_t
epoch_of(struct partition *p)
{
	struct epoch_list l;
	int32_t latest;

	epoch_list_init(&l);
	if (epoch_read(partition_dirfd(p), &l, NULL) != 0)
		abort();
	latest = epoch_latest(&l);
	epoch_list_release(&l);
	return latest;
}

/* Another mount namespace: nothing was lost for who has had it open. */
static void
test_other_mount(void)
{
	struct partition *p, *other;
	struct state s;
	char path[400];
	int fd;

	fresh();
	p = open_with(PARTITION_WRITE_RELAXED, 0);
	append(p, "one", 10, 1000);
	snprintf(path, sizeof(path), "%s/" STATE_FILE, dir);
	fd = open(path, O_RDWR);
	if (fd < 0 || state_read(fd, &s) != 0)
		abort();
	s.mount_id++;
	if (state_write(fd, &s) != 0)
		abort();
	append(p, "two", 10, 2000);
	tap_int(epoch_of(p), 0, "who was there all the time goes on");
	other = open_with(PARTITION_WRITE, 0);
	append(other, "three", 10, 3000);
	tap_int(epoch_of(p), 1, "who comes later cannot know that");
	partition_close(other);
	partition_close(p);
	close(fd);
}

/*
 * Batches, and a roll.  With a crash the state is that of the middle, where not
 * all was synced, and from before another mount; out is the .sum.
 */
static void
sum_of_many(bool crash, uint8_t out[SUM_LEN])
{
	uint8_t page[STATE_PAGE_LEN];
	struct partition *p;
	struct state state;
	struct sum sum;
	char path[400];
	int fd = -1;

	fresh();
	snprintf(path, sizeof(path), "%s/" STATE_FILE, dir);
	p = open_with(PARTITION_WRITE, 0);
	for (int i = 0; i < 60; i++) {
		append(p, "many", 100, 1000 + 50 * (i * 7 % 60));
		if (i == 30) {
			fd = open(path, O_RDWR);
			if (pread(fd, page, sizeof(page), 0) != sizeof(page))
				abort();
		} else if (partition_sync(p, NULL) != 0) {
			abort();
		}
	}
	if (crash) {
		partition_close(p);
		if (pwrite(fd, page, sizeof(page), 0) != sizeof(page) ||
		    state_read(fd, &state) != 0)
			abort();
		tap(state.synced_pos < state.end_pos && state.index_count > 5,
		    "not all is synced, and there are entries");
		state.mount_id++;
		if (state_write(fd, &state) != 0)
			abort();
		p = open_with(PARTITION_WRITE, 0);
	}
	close(fd);
	tap_int(partition_roll(p, NULL), 0, "rolled");
	tap_int(sum_read(partition_dirfd(p), 0, &sum), 0, "a sum");
	tap_int(sum.records, 6000, "of all records");
	sum_encode(&sum, out);
	partition_close(p);
}

/* What the state counted is counted again after a crash. */
static void
test_sum_after_crash(void)
{
	uint8_t one[SUM_LEN], two[SUM_LEN];

	sum_of_many(false, one);
	sum_of_many(true, two);
	tap(memcmp(one, two, SUM_LEN) == 0, "the same sum as without a crash");
}

/*
 * A base offset is under no CRC: what was not synced may be torn in it.  A
 * reader comes before anybody has recovered the end.
 */
static void
test_torn_offset(uint64_t base, const char *what)
{
	struct partition_offsets o;
	struct partition *p;
	struct state state;
	uint8_t page[STATE_PAGE_LEN], torn[8];
	int64_t end_pos, end = base == 2 ? 3 : 2;
	char path[400];
	int fd;

	fresh();
	p = open_with(PARTITION_WRITE, 0);
	append(p, "one", 1, 1000);
	append(p, "two", 1, 1000);
	if (partition_sync(p, NULL) != 0)
		abort();
	fd = openat(partition_dirfd(p), STATE_FILE, O_RDWR);
	if (pread(fd, page, sizeof(page), 0) != sizeof(page) ||
	    state_read(fd, &state) != 0)
		abort();
	end_pos = state.end_pos;
	append(p, "three", 1, 1000);
	partition_close(p);
	if (pwrite(fd, page, sizeof(page), 0) != sizeof(page) ||
	    state_read(fd, &state) != 0)
		abort();
	state.mount_id++;
	if (state_write(fd, &state) != 0)
		abort();
	close(fd);
	buf_put_64(torn, base);
	snprintf(path, sizeof(path), "%s/%020d.log", dir, 0);
	fd = open(path, O_WRONLY);
	if (pwrite(fd, torn, sizeof(torn), end_pos) != sizeof(torn))
		abort();
	close(fd);
	p = open_with(PARTITION_READ, 0);
	if (partition_offsets(p, &o, NULL) != 0)
		abort();
	tap_int(o.log_end, end, "%s: so far a reader goes", what);
	partition_close(p);
	p = open_with(PARTITION_WRITE, 0);
	if (partition_offsets(p, &o, NULL) != 0)
		abort();
	tap_int(o.log_end, end, "there a writer goes on");
	partition_close(p);
}

/* It is made of the sums of batches, short ones and long ones. */
static void
test_sum_of_file(void)
{
	static uint8_t file[1 << 20];
	struct partition *p;
	struct sum sum;
	char path[400];
	ssize_t len;
	int fd;

	fresh();
	p = open_with(PARTITION_WRITE, 0);
	for (int i = 1; i < 500; i = i * 3 / 2 + 1)
		append(p, "a value that is not too short", i, 1000 + i);
	tap_int(partition_roll(p, NULL), 0, "rolled");
	tap_int(sum_read(partition_dirfd(p), 0, &sum), 0, "a sum");
	partition_close(p);
	snprintf(path, sizeof(path), "%s/%020d.log", dir, 0);
	fd = open(path, O_RDONLY);
	len = read(fd, file, sizeof(file));
	close(fd);
	tap_int(len, sum.size, "of all of the file");
	tap(len > 4 * 8192, "which is long enough");
	tap_int(sum.crc, crc32c(file, (size_t)len), "its checksum");
}

static int64_t
blocks_bytes(int64_t base, int64_t *size)
{
	struct stat st;
	char path[400];

	snprintf(path, sizeof(path), "%s/%020" PRId64 ".log", dir, base);
	if (stat(path, &st) != 0)
		abort();
	*size = st.st_size;
	return (int64_t)st.st_blocks * 512;
}

static bool
takes_blocks(void)
{
	char path[400];
	int fd = -1, rc;

	snprintf(path, sizeof(path), "%s/other", dir);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	rc = io_allocate(fd, 0, 1);
	close(fd);
	return rc == 0;
}

/* Who appends much has blocks ahead, where that is of use, until the roll. */
static void
test_ahead(void)
{
	struct partition *p;
	int64_t size = 0, blocks = 0, next;
	int rc;

	fresh();
	p = open_with(PARTITION_WRITE, 0);
	/* Until more is left over than may be. */
	for (int i = 0; size < AHEAD_AFTER_BYTES ||
	     (takes_blocks() && blocks < size + (3 << 20) &&
		 size < 6 * AHEAD_AFTER_BYTES);
	     i++) {
		append(p, "text that is appended", 5000, 1000 + i);
		partition_sync(p, NULL);
		blocks = blocks_bytes(0, &size);
	}
	if (takes_blocks())
		tap(blocks >= size + (3 << 20), "some blocks ahead");
	tap(blocks <= size + size / 8 + (1 << 20), "not too many");
	tap_int(partition_roll(p, NULL), 0, "rolled");
	tap(blocks_bytes(0, &size) <= size + (1 << 20), "none are left");
	append(p, "more", 1, 10000);
	partition_sync(p, NULL);
	partition_close(p);
	tap_int(count_from(0, &next, &rc) % 5000, 1, "all is there");
}

static void
test_copy(void)
{
	struct partition *p;
	struct partition_append a;
	char command[700];
	int64_t next;
	int rc;

	fresh();
	p = open_with(PARTITION_WRITE, 2000);
	for (int i = 0; i < 40; i++)
		append(p, "some text", 4, 1000 + i * 10);
	partition_sync(p, NULL);
	snprintf(command, sizeof(command), "cp -a %s %s.copy", dir, dir);
	if (system(command) != 0)
		abort();
	partition_close(p);
	strcat(dir, ".copy");
	tap_int(count_from(0, &next, &rc), 160, "a copy reads the same");
	p = open_with(PARTITION_WRITE, 2000);
	tap_int(append_n(p, "more", 1, 9000, &a), 0, "a copy takes appends");
	tap_int(a.base_offset, 160, "at its end");
	partition_sync(p, NULL);
	partition_close(p);
	tap_int(count_from(0, &next, &rc), 161, "and reads them");

	snprintf(command, sizeof(command), "rm %s/partition.state", dir);
	if (system(command) != 0)
		abort();
	tap_int(count_from(0, &next, &rc), 161, "without state: the same");
	p = open_with(PARTITION_WRITE, 2000);
	tap_int(append_n(p, "more", 1, 9000, &a), 0, "it takes appends");
	tap_int(a.base_offset, 161, "at its end");
	partition_sync(p, NULL);
	partition_close(p);
	snprintf(command, sizeof(command), "rm %s/*.index %s/*.timeindex", dir,
	    dir);
	if (system(command) != 0)
		abort();
	tap_int(count_from(100, &next, &rc), 62, "without indexes: the same");
}

static void
test_damage(void)
{
	struct partition *p;
	struct partition_append a;
	struct fault f = {.what = NULL};
	char path[512];
	int64_t next;
	int rc;

	fresh();
	p = open_with(PARTITION_WRITE, 0);
	append(p, "a", 300, 1000);
	append(p, "b", 300, 1000);
	partition_sync(p, NULL);
	partition_close(p);
	snprintf(path, sizeof(path), "%s/%020d.log", dir, 0);
	if (truncate(path, 5000) != 0)
		abort();
	p = open_with(PARTITION_WRITE, 0);
	tap_int(append_n(p, "c", 1, 1, &a), STATUS_CORRUPT,
	    "a log shorter than synced is damage");
	partition_close(p);
	count_from(0, &next, &rc);
	tap_int(rc, STATUS_CORRUPT, "for readers too");
	(void)f;
}

/* Another log in place of this one: as large batches of more records. */
static void
replace_log(const char *other)
{
	const char *names[] = {"00000000000000000000.log",
	    "00000000000000000000.index"};
	char from[300], to[300];

	for (size_t i = 0; i < 2; i++) {
		snprintf(from, sizeof(from), "%s/%s", other, names[i]);
		snprintf(to, sizeof(to), "%s/%s", dir, names[i]);
		if (rename(from, to) != 0)
			abort();
	}
}

/* It is only remembered where a range has ended: the headers decide. */
static void
test_range_replaced(void)
{
	struct partition *p;
	struct lookup_range range;
	char other[256];
	int64_t at;

	fresh();
	p = open_with(PARTITION_WRITE, 0);
	for (int i = 0; i < 20; i++)
		append(p, "text", 2, 1000 + i * 10);
	partition_close(p);
	snprintf(other, sizeof(other), "%s", dir);
	fresh();
	p = open_with(PARTITION_WRITE, 0);
	for (int i = 0; i < 40; i++)
		append(p, "a text as long as", 1, 1000 + i * 10);
	partition_close(p);
	p = open_with(PARTITION_READ, 0);
	tap_int(lookup_range(p, 0, 40, 1000, &range, NULL), 0, "a range");
	at = range.next_offset;
	close(range.fd);
	replace_log(other);
	tap_int(lookup_range(p, at, 40, 1000, &range, NULL), 0,
	    "another one, when the file has been replaced");
	tap(range.base_offset <= at && range.base_offset + 2 > at,
	    "has its offset");
	close(range.fd);
	partition_close(p);
}

/*
 * From range to range: whole batches, which go on where the last ones ended,
 * through all segments; and from each offset the batch that has it.
 */
static bool
ranges_cover(struct partition *p, int64_t max)
{
	struct lookup_range range;
	struct batch b;
	int64_t at = 0;

	while (at < 200) {
		int64_t pos = 0;

		if (lookup_range(p, at, 200, max, &range, NULL) != 0 ||
		    range.base_offset != at)
			return false;
		for (; pos < range.len; pos += (int64_t)b.size) {
			if (segment_header_at(range.fd, range.pos + pos, &b) !=
				0 ||
			    b.base_offset != at)
				return false;
			at = b.last_offset + 1;
		}
		close(range.fd);
		if (pos != range.len || at != range.next_offset)
			return false;
	}
	for (at = 0; at < 200; at++) {
		if (lookup_range(p, at, 200, max, &range, NULL) != 0)
			return false;
		close(range.fd);
		if (range.base_offset > at || range.base_offset + 4 <= at)
			return false;
	}
	return at == 200;
}

static void
test_lookup(void)
{
	struct partition *p;
	struct reader *r;
	struct lookup_range range;
	int64_t offset, found;
	int32_t epoch;

	fresh();
	p = open_with(PARTITION_WRITE, 1000);
	for (int i = 0; i < 50; i++)
		append(p, "some text", 4, 1000 + i * 10);
	partition_sync(p, NULL);
	if (reader_open(p, 0, 0, &r, NULL) != 0)
		abort();
	tap_int(lookup_time(p, r, 0, &offset, &found, NULL), 0, "time 0");
	tap_int(offset, 0, "is the first record");
	tap_int(lookup_time(p, r, 1203, &offset, &found, NULL), 0, "a time");
	tap_int(offset, 83, "is its record");
	tap_int(lookup_time(p, r, 1204, &offset, &found, NULL), 0,
	    "a time between two");
	tap_int(offset, 84, "is the later one");
	tap_int(found, 1210, "with its timestamp");
	tap_int(lookup_time(p, r, 5000, &offset, &found, NULL), STATUS_END,
	    "a time after all");
	tap_int(offset, 200, "is the end");
	reader_close(r);
	tap_int(lookup_range(p, 50, 200, 300, &range, NULL), 0, "a range");
	tap(range.base_offset <= 50 && range.next_offset > 50 &&
		range.len <= 300,
	    "of whole batches around its offset");
	close(range.fd);
	tap_int(lookup_range(p, 200, 200, 300, &range, NULL), STATUS_END,
	    "nothing at the end");
	for (int64_t max = 1; max < 3000; max += 500)
		tap(ranges_cover(p, max), "ranges of %d bytes cover all",
		    (int)max);
	tap_int(lookup_range(p, 201, 300, 300, &range, NULL), STATUS_OFFSET,
	    "nothing past it");
	tap_int(lookup_epoch(p, 0, &epoch, &offset, NULL), 0, "epoch 0");
	tap_int(offset, 200, "ends at the log end");
	tap_int(partition_delete_before(p, 101, NULL), 0, "delete before 101");
	partition_close(p);
}

/* The largest timestamp that can be read, and the first record with it. */
static void
is_max(struct partition *p, int flags, int want, int64_t offset, int64_t time,
    const char *name)
{
	struct reader *r = NULL;
	int64_t at = -1, found = -1;

	if (reader_open(p, flags, 0, &r, NULL) != 0)
		abort();
	tap_int(lookup_max_timestamp(p, r, &at, &found, NULL), want, "%s",
	    name);
	tap_int(at, offset, "its offset");
	tap_int(found, time, "its time");
	reader_close(r);
}

static void
test_max_timestamp(void)
{
	struct partition *p, *reader;
	int32_t epoch;

	fresh();
	p = open_with(PARTITION_WRITE, 1000);
	reader = open_with(PARTITION_READ, 0);
	is_max(reader, 0, STATUS_END, -1, -1, "an empty log");
	/* 4000 to 4003 stand in the middle, twice; segments hold some 30. */
	for (int i = 0; i < 50; i++)
		append(p, "some text", 4,
		    i == 25 || i == 30 ? 4000 : 1000 + i * 10);
	partition_sync(p, NULL);
	is_max(reader, 0, 0, 103, 4003, "the first of two in sealed segments");
	append(p, "last", 1, 5000);
	is_max(reader, 0, 0, 103, 4003, "what is not visible does not count");
	partition_sync(p, NULL);
	is_max(reader, 0, 0, 200, 5000, "one in the active segment");
	partition_roll(p, NULL);
	append(p, "later", 1, 4999);
	partition_sync(p, NULL);
	partition_delete_before(p, 201, NULL);
	is_max(reader, 0, 0, 201, 4999,
	    "what lies below the log start neither");
	tap_int(lookup_epoch_at(reader, 201, &epoch, NULL), 0,
	    "the epoch of a record");
	tap_int(epoch, 0, "is the log's");
	partition_close(reader);
	partition_close(p);
	fresh();
	p = open_with(PARTITION_WRITE, 0);
	append(p, "whole batch", 4, 7000);
	append(p, "next", 1, 6000);
	partition_sync(p, NULL);
	partition_delete_before(p, 2, NULL);
	is_max(p, READER_UNCOMMITTED, 0, 3, 7003, "inside a batch");
	partition_delete_before(p, 4, NULL);
	is_max(p, READER_UNCOMMITTED, 0, 4, 6000, "behind a batch");
	partition_close(p);
}

/* Several processes append at once; each syncs now and then. */
static void
test_many(enum partition_mode mode, int64_t segment_bytes, const char *name)
{
	enum { WRITERS = 6, APPENDS = 60 };
	struct partition *p;
	struct reader *r = NULL;
	struct batch b;
	const uint8_t *data;
	int64_t next, expected = 0;
	int rc, status, bad = 0;

	fresh();
	for (int w = 0; w < WRITERS; w++) {
		if (fork() == 0) {
			p = open_with(mode, segment_bytes);
			/* The first only rolls, as retention by age does. */
			for (int i = 0; w == 0 && i < 5 * APPENDS; i++)
				if (partition_roll(p, NULL) != 0)
					_exit(1);
			if (w == 0)
				_exit(0);
			for (int i = 0; i < APPENDS; i++) {
				append(p, "x", 1 + i % 5, 1000 + i);
				if (partition_sync(p, NULL) != 0)
					_exit(1);
			}
			partition_close(p);
			_exit(0);
		}
	}
	for (int w = 0; w < WRITERS; w++) {
		wait(&status);
		bad += status != 0;
	}
	tap_int(bad, 0, "%s: all writers are done", name);
	tap_int(count_from(0, &next, &rc), (WRITERS - 1) * APPENDS * 3,
	    "%s: nothing is lost", name);
	p = open_with(PARTITION_READ, 0);
	rc = reader_open(p, 0, 0, &r, NULL);
	while (rc == 0 && (rc = reader_next(r, &b, &data, NULL)) == 0) {
		bad += b.base_offset != expected;
		expected = b.last_offset + 1;
	}
	tap_int(bad, 0, "%s: offsets without gaps", name);
	reader_close(r);
	partition_close(p);
}

static void
test_roles(void)
{
	struct partition *p;
	struct partition_append a;
	enum state_role role;
	struct epoch_list l;

	fresh();
	p = open_with(PARTITION_WRITE, 0);
	append(p, "a", 1, 1);
	tap_int(partition_set_role(p, STATE_ROLE_REPLICA, NULL), 0,
	    "a replica");
	tap_int(append_n(p, "b", 1, 1, &a), STATUS_ROLE, "takes no appends");
	tap_int(partition_role(p, &role), 0, "its role");
	tap_int(role, STATE_ROLE_REPLICA, "is told");
	tap_int(partition_set_role(p, STATE_ROLE_OPEN, NULL), 0, "promoted");
	tap_int(append_n(p, "b", 1, 1, &a), 0, "takes appends");
	epoch_list_init(&l);
	tap_int(epoch_read(partition_dirfd(p), &l, NULL), 0, "epochs");
	tap_int(epoch_latest(&l), 1, "a new one began");
	epoch_list_release(&l);
	a.expect = 7;
	a = (struct partition_append){0};
	partition_close(p);
}

/* Give a batch a sequence, and the time of now: who is silent is forgotten. */
static void
set_sequence(uint8_t *batch, size_t size, uint32_t sequence)
{
	buf_put_64(batch + BATCH_PRODUCER_ID, 77);
	buf_put_16(batch + BATCH_PRODUCER_EPOCH, 0);
	buf_put_32(batch + BATCH_BASE_SEQUENCE, sequence);
	batch_set_append_time(batch, size, now_wall_ms()); /* CRC anew */
}

/* Each of a producer's last five batches in a segment of its own. */
static void
test_window(void)
{
	struct partition *p;
	struct batch_builder bb;
	const uint8_t *data;
	uint8_t *copy;
	size_t size;
	struct partition_append a;
	int bad = 0;

	fresh();
	p = open_with(PARTITION_WRITE, 0);
	batch_builder_init(&bb, CODEC_NONE, 0, BATCH_BYTES_MAX);
	encode(&bb, "x", 1, 1000, &data, &size);
	copy = malloc(size);
	memcpy(copy, data, size);
	a = (struct partition_append){.data = copy, .len = size, .expect = -1};
	for (uint32_t i = 0; i < PRODUCER_WINDOW + 1; i++) {
		set_sequence(copy, size, i);
		bad += partition_append(p, &a, NULL) != 0;
		bad += partition_sync(p, NULL) != 0;
		bad += partition_roll(p, NULL) != 0;
	}
	partition_close(p);
	tap_int(bad, 0, "a segment for each batch of a producer");
	p = open_with(PARTITION_WRITE, 0);
	for (uint32_t i = 1; i < PRODUCER_WINDOW + 1; i++) {
		set_sequence(copy, size, i);
		bad += partition_append(p, &a, NULL) != STATUS_DUPLICATE ||
		    a.base_offset != i;
	}
	tap_int(bad, 0, "the last five are known to the next process");
	set_sequence(copy, size, 0);
	tap_int(partition_append(p, &a, NULL), STATUS_SEQUENCE,
	    "the one before them is not");
	partition_close(p);
	batch_builder_release(&bb);
	free(copy);
}

static void
test_producer(void)
{
	struct partition *p;
	struct batch_builder bb;
	const uint8_t *data;
	uint8_t *copy;
	size_t size;
	struct partition_append a;
	int rc;

	fresh();
	p = open_with(PARTITION_WRITE, 0);
	batch_builder_init(&bb, CODEC_NONE, 0, BATCH_BYTES_MAX);
	encode(&bb, "x", 3, 1000, &data, &size);
	copy = malloc(size);
	memcpy(copy, data, size);
	set_sequence(copy, size, 0);
	a = (struct partition_append){.data = copy, .len = size, .expect = -1};
	tap_int(partition_append(p, &a, NULL), 0, "an idempotent batch");
	tap_int(a.base_offset, 0, "at 0");
	tap_int(a.stored_timestamp, -1, "without another's time");
	rc = partition_append(p, &a, NULL);
	tap_int(rc, STATUS_DUPLICATE, "sent again it is a duplicate");
	tap_int(a.base_offset, 0, "of offset 0");
	tap_int(a.stored_timestamp,
	    (int64_t)buf_get_64(copy + BATCH_MAX_TIMESTAMP),
	    "with the time that it has there");
	partition_sync(p, NULL);
	partition_close(p);
	p = open_with(PARTITION_WRITE, 0);
	tap_int(partition_append(p, &a, NULL), STATUS_DUPLICATE,
	    "for another process too");
	set_sequence(copy, size, 9);
	tap_int(partition_append(p, &a, NULL), STATUS_SEQUENCE, "a gap");
	set_sequence(copy, size, 3);
	tap_int(partition_append(p, &a, NULL), 0, "the next sequence");
	tap_int(a.base_offset, 3, "at 3");
	set_sequence(copy, size, 6);
	tap_int(partition_append(p, &a, NULL), 0, "and the next");
	partition_sync(p, NULL);
	tap_int(partition_roll(p, NULL), 0, "a roll, with a snapshot");
	partition_close(p);
	/* Which has the last batch alone. */
	p = open_with(PARTITION_WRITE, 0);
	set_sequence(copy, size, 3);
	tap_int(partition_append(p, &a, NULL), STATUS_DUPLICATE,
	    "one before the last, sent again behind it");
	tap_int(a.base_offset, 3, "is the one at 3");
	partition_close(p);
	batch_builder_release(&bb);
	free(copy);
}

/*
 * A writer died before its sync: its batch, sent again or not followed, is
 * durable and seen when the next one has synced.
 */
static void
test_producer_left(enum partition_mode mode, int32_t sequence, int want)
{
	struct partition *p;
	struct partition_offsets o;
	struct batch_builder bb;
	const uint8_t *data;
	uint8_t *copy;
	size_t size;
	struct partition_append a;

	fresh();
	batch_builder_init(&bb, CODEC_NONE, 0, BATCH_BYTES_MAX);
	encode(&bb, "x", 3, 1000, &data, &size);
	copy = malloc(size);
	memcpy(copy, data, size);
	batch_set_producer(copy, size, 77, 0, 0);
	a = (struct partition_append){.data = copy, .len = size, .expect = -1};
	p = open_with(PARTITION_WRITE, 0);
	tap_int(partition_append(p, &a, NULL), 0, "not synced");
	partition_close(p);
	p = open_with(mode, 0);
	batch_set_producer(copy, size, 77, 0, sequence);
	tap_int(partition_append(p, &a, NULL), want, "sequence %d",
	    (int)sequence);
	tap_int(partition_sync(p, NULL), 0, "synced");
	tap_int(partition_offsets(p, &o, NULL), 0, "offsets");
	tap_int(o.high_watermark, 3, "seen");
	if (mode == PARTITION_WRITE)
		tap_int(o.synced, 3, "durable");
	partition_close(p);
	batch_builder_release(&bb);
	free(copy);
}

/* A record of a producer. */
static int
send(struct partition *p, int64_t producer, int32_t sequence, int64_t ts)
{
	struct batch_builder bb;
	struct partition_append a = {.expect = -1};
	const uint8_t *data;
	int rc;

	batch_builder_init(&bb, CODEC_NONE, 0, BATCH_BYTES_MAX);
	encode(&bb, "x", 1, ts, &data, &a.len);
	a.data = bb.raw.data;
	batch_set_producer(a.data, a.len, producer, 0, sequence);
	rc = partition_append(p, &a, NULL);
	batch_builder_release(&bb);
	return rc;
}

static void
send_and_roll(struct partition *p, int64_t producer, int32_t sequence,
    int64_t ts)
{
	if (send(p, producer, sequence, ts) != 0 ||
	    partition_sync(p, NULL) != 0 || partition_roll(p, NULL) != 0)
		abort();
}

/* Records that bear no time of today are sent again today all the same. */
static void
test_producer_of_old(int64_t ts)
{
	enum { DAY_MS = 24 * 3600 * 1000 };
	int64_t now = now_wall_ms();
	struct partition *p;

	fresh();
	p = open_with(PARTITION_WRITE, 0);
	tap_int(send(p, 7, 0, ts), 0, "records of %lld", (long long)ts);
	send_and_roll(p, 7, 1, ts);
	tap_int(send(p, 7, 1, ts), STATUS_DUPLICATE, "after a roll");
	tap_int(send(p, 7, 9, ts), STATUS_SEQUENCE, "a gap, too");
	send_and_roll(p, 8, 0, ts);
	tap_int(send(p, 7, 1, ts), STATUS_DUPLICATE, "after two");
	tap(partition_clean_begin(p, NULL) == 0 &&
		partition_clean_end(p, NULL) == 0 &&
		send(p, 7, 1, ts) == STATUS_DUPLICATE,
	    "after a cleaning");
	partition_close(p);
	p = open_with(PARTITION_WRITE, 0);
	tap_int(send(p, 7, 1, ts), STATUS_DUPLICATE, "after a restart");
	tap_int(send(p, 8, 0, ts), STATUS_DUPLICATE, "of another one");
	now_set_wall_ms(now + 2 * DAY_MS);
	send_and_roll(p, 8, 1, ts);
	tap_int(send(p, 8, 1, ts), STATUS_DUPLICATE, "who goes on is known");
	tap_int(send(p, 7, 9, ts), 0, "who is silent for a day is forgotten");
	now_set_wall_ms(-1);
	partition_close(p);
}

/* A time far before the segment's first does not make it old. */
static void
test_extreme_times(void)
{
	struct partition *p;
	struct stat st;
	char path[512];

	fresh();
	p = open_with(PARTITION_WRITE, 0);
	append(p, "first", 1, 1000);
	append(p, "long before", 1, INT64_MIN + 500);
	append(p, "just before", 1, -1);
	append(p, "a minute later", 1, 61000);
	snprintf(path, sizeof(path), "%s/%020d.log", dir, 0);
	partition_close(p);
	tap(stat(path, &st) == 0 && st.st_size > 4 * 61, "one segment");
	p = open_with(PARTITION_WRITE, 0);
	append(p, "the last time", 1, INT64_MAX);
	append(p, "the first time", 1, INT64_MIN);
	tap(partition_sync(p, NULL) == 0, "extreme times");
	partition_close(p);
}

/* A file that is removed under a writer: nothing more is acknowledged. */
static void
test_removed(const char *name, int want)
{
	struct partition_append a;
	struct partition *p;
	char path[512];

	fresh();
	p = open_with(PARTITION_WRITE, 0);
	tap_int(append_n(p, "a", 1, 1000, &a), 0, "appended");
	tap_int(partition_sync(p, NULL), 0, "synced");
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	tap_int(unlink(path), 0, "%s is removed", name);
	tap_int(append_n(p, "b", 1, 1000, &a), want, "told");
	partition_close(p);
}

int
main(void)
{
	root = tap_dir();
	test_append_and_read();
	test_roll();
	test_torn_tail();
	test_remounted();
	test_other_mount();
	test_sum_after_crash();
	test_torn_offset(2, "as written");
	test_torn_offset(0x7309f557e8c9fd02, "junk");
	test_torn_offset(5, "another one");
	test_sum_of_file();
	test_ahead();
	test_copy();
	test_damage();
	test_removed("partition.state", STATUS_REMOVED);
	test_removed("partition.lock", STATUS_REMOVED);
	test_removed("00000000000000000000.log", STATUS_CORRUPT);
	test_lookup();
	test_range_replaced();
	test_max_timestamp();
	test_many(PARTITION_WRITE, 3000, "durable");
	test_many(PARTITION_WRITE_RELAXED, 3000, "relaxed");
	/* All find at once that a roll is due; one of them does it. */
	test_many(PARTITION_WRITE, 300, "durable, small segments");
	test_many(PARTITION_WRITE_RELAXED, 300, "relaxed, small segments");
	test_roles();
	test_producer();
	test_window();
	test_producer_left(PARTITION_WRITE, 0, STATUS_DUPLICATE);
	test_producer_left(PARTITION_WRITE, 2, STATUS_SEQUENCE);
	test_producer_left(PARTITION_WRITE_RELAXED, 2, STATUS_SEQUENCE);
	test_producer_of_old(1000000000000);
	test_producer_of_old(-1);
	test_extreme_times();
	return tap_done();
}
