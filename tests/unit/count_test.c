/*
 * Counting: what sums and states say is what reading says, on partitions that
 * random histories have made, as they are and without the files beside them.
 */

#include <sys/stat.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/crc32c.h"
#include "base/now.h"
#include "base/status.h"
#include "store/batch.h"
#include "store/compact.h"
#include "store/count.h"
#include "store/partition.h"
#include "store/reader.h"
#include "tap.h"

enum { PRODUCERS = 4, HISTORIES = 10, STEPS = 120 };

static char dir[256];
static int dir_count;
static int32_t sequence[PRODUCERS];

static void
fresh(void)
{
	snprintf(dir, sizeof(dir), "%s/%d", tap_dir(), dir_count++);
	if (mkdir(dir, 0777) != 0)
		abort();
	memset(sequence, 0, sizeof(sequence));
}

static struct partition *
open_partition(enum partition_mode mode, int64_t segment_bytes)
{
	struct partition_settings s = partition_defaults;
	struct partition *p = NULL;

	s.segment_bytes = segment_bytes;
	if (partition_open(dir, mode, &s, &p, NULL) != 0)
		abort();
	return p;
}

/* A batch of records with some keys; id > 0: of that producer. */
static void
append(struct partition *p, int records, int64_t id, uint16_t attributes)
{
	struct partition_append a = {.expect = -1};
	struct batch_builder bb;
	const uint8_t *data;
	int rc;
	uint8_t *b;
	enum codec codec = CODEC_NONE;
	int level = 0;

	if (tap_random() % 3 == 0 && codec_parse("gzip", &codec, &level) != 0)
		abort();
	batch_builder_init(&bb, codec, level, BATCH_BYTES_MAX);
	for (int i = 0; i < records; i++) {
		char key[16];
		struct record r = {
		    .timestamp = 1000 + (int64_t)(tap_random() % 100000)};

		snprintf(key, sizeof(key), "%d", (int)(tap_random() % 20));
		r.key = bytes_of(key);
		r.value =
		    tap_random() % 5 == 0 ? BYTES_NULL : bytes_of("a value");
		if (batch_builder_add(&bb, &r) != 0)
			abort();
	}
	if (batch_builder_finish(&bb, &data, &a.len) != 0)
		abort();
	a.data = b = malloc(a.len);
	memcpy(b, data, a.len);
	if (id > 0) {
		buf_put_64(b + BATCH_PRODUCER_ID, (uint64_t)id);
		buf_put_16(b + BATCH_PRODUCER_EPOCH, 0);
		buf_put_32(b + BATCH_BASE_SEQUENCE, (uint32_t)sequence[id]);
		sequence[id] += records;
		buf_put_16(b + BATCH_ATTRIBUTES,
		    (uint16_t)(buf_get_16(b + BATCH_ATTRIBUTES) | attributes));
		buf_put_32(b + BATCH_CRC,
		    crc32c(b + BATCH_ATTRIBUTES, a.len - BATCH_ATTRIBUTES));
	}
	rc = partition_append(p, &a, NULL);
	if (rc != 0) {
		fprintf(stderr, "# append: %s\n", status_text(rc));
		abort();
	}
	free(b);
	batch_builder_release(&bb);
}

static void
append_marker(struct partition *p, int64_t id, enum batch_control type)
{
	uint8_t marker[BATCH_MARKER_LEN];
	struct partition_append a = {.data = marker,
	    .len = sizeof(marker),
	    .expect = -1};

	batch_encode_marker(marker, id, 0, type, 0, 150000);
	if (partition_append(p, &a, NULL) != 0)
		abort();
}

static void
compact(struct partition *p)
{
	struct compact_options o = {.now_ms = 200000,
	    .delete_retention_ms = tap_random() % 2 == 0 ? 0 : (int64_t)1 << 40,
	    .segment_bytes = 3000,
	    .index_bytes = 10 << 20,
	    .memory = 1 << 20,
	    .keep_last_only = true};
	struct compact_stats stats;

	if (compact_run(p, &o, &stats, NULL) != 0)
		abort();
}

static void
delete_some(struct partition *p)
{
	struct partition_offsets o;
	int64_t span;

	if (partition_offsets(p, &o, NULL) != 0)
		abort();
	span = o.last_stable - o.log_start;
	if (span > 0 &&
	    partition_delete_before(p,
		o.log_start + (int64_t)(tap_random() % (uint64_t)span) / 2,
		NULL) != 0)
		abort();
}

/* One more thing that happens to a partition. */
static void
step(struct partition *p)
{
	uint64_t what = tap_random() % 100;
	int64_t id = 1 + (int64_t)(tap_random() % (PRODUCERS - 1));
	int n = 1 + (int)(tap_random() % 9);

	if (what < 40)
		append(p, n, 0, 0);
	else if (what < 70)
		append(p, n, id, id == 1 ? 0 : BATCH_TRANSACTIONAL);
	else if (what < 85)
		append_marker(p, 2 + id % 2,
		    what % 2 == 0 ? BATCH_CONTROL_ABORT : BATCH_CONTROL_COMMIT);
	else if (what < 92 && partition_sync(p, NULL) != 0)
		abort();
	else if (what == 92 && partition_roll(p, NULL) != 0)
		abort();
	else if (what == 93 || what == 94)
		compact(p);
	else if (what >= 95)
		delete_some(p);
}

static void
make_history(bool sync)
{
	struct partition *p;

	fresh();
	p = open_partition(PARTITION_WRITE, 1500);
	for (int i = 0; i < STEPS; i++)
		step(p);
	if (sync && partition_sync(p, NULL) != 0)
		abort();
	partition_close(p);
}

/* The same, by reading everything. */
static void
read_all(struct partition *p, int flags, struct count *out)
{
	struct reader *r = NULL;
	struct batch_records it;
	struct record rec;
	struct batch b;
	struct buf scratch;
	const uint8_t *data;
	int rc;

	*out = (struct count){.oldest = -1, .newest = -1};
	buf_init(&scratch, RECORDS_BYTES_MAX);
	if (reader_open(p, flags, 0, &r, NULL) != 0)
		abort();
	out->offsets = *reader_offsets(r);
	while ((rc = reader_next(r, &b, &data, NULL)) == 0) {
		if (b.max_timestamp > out->newest)
			out->newest = b.max_timestamp;
		if ((b.attributes & BATCH_DELETE_HORIZON) == 0 &&
		    b.base_timestamp >= 0 &&
		    (out->oldest < 0 || b.base_timestamp < out->oldest))
			out->oldest = b.base_timestamp;
		if (batch_records_init(&it, data, &b, &scratch) != 0)
			abort();
		while (batch_records_next(&it, &rec) == 0)
			out->records += rec.offset >= out->offsets.log_start;
	}
	if (rc != STATUS_END)
		abort();
	reader_close(r);
	buf_release(&scratch);
}

/* Segment files: how many and how long; those of suffix are removed. */
static int64_t
files(const char *suffix, int64_t *count, bool remove_them)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	struct stat st;
	int64_t bytes = 0;

	*count = 0;
	while ((e = readdir(d)) != NULL) {
		size_t len = strlen(e->d_name), tail = strlen(suffix);

		if (len < tail || strcmp(e->d_name + len - tail, suffix) != 0 ||
		    fstatat(dirfd(d), e->d_name, &st, 0) != 0)
			continue;
		bytes += st.st_size;
		++*count;
		if (remove_them && unlinkat(dirfd(d), e->d_name, 0) != 0)
			abort();
	}
	closedir(d);
	return bytes;
}

static bool
is_same(const char *what, int64_t got, int64_t want)
{
	if (got != want)
		fprintf(stderr, "# %s: %s is %" PRId64 ", not %" PRId64 "\n",
		    dir, what, got, want);
	return got == want;
}

/* Do the segments add up to the whole, without gaps? */
static bool
adds_up(const struct count *c, const struct count_segments *l)
{
	int64_t records = 0, bytes = 0, end = c->offsets.log_start;
	bool good = is_same("segments", (int64_t)l->count, c->segments);

	for (size_t i = 0; i < l->count; i++) {
		records += l->items[i].records;
		bytes += l->items[i].bytes;
		good = good && is_same("first", l->items[i].first, end);
		end = l->items[i].end;
	}
	good = good && is_same("end", end, c->offsets.high_watermark);
	return good && is_same("records of segments", records, c->records) &&
	    is_same("bytes of segments", bytes, c->bytes);
}

/* synced: all that is stored is visible, so that reading sees it. */
static bool
counts_right(bool synced)
{
	struct partition *p = open_partition(PARTITION_READ, 1500);
	struct count got, want, all;
	struct count_segments l;
	int64_t count, bytes = files(".log", &count, false);
	int rc = count_partition(p, &got, &l, NULL);
	bool good = is_same("result", rc, 0);

	read_all(p, 0, &want);
	read_all(p, READER_UNCOMMITTED | READER_CONTROL, &all);
	good = good && is_same("records", got.records, want.records) &&
	    is_same("bytes", got.bytes, bytes) &&
	    is_same("files", got.segments, count) &&
	    is_same("end", got.offsets.high_watermark,
		want.offsets.high_watermark) &&
	    adds_up(&got, &l);
	if (synced)
		good = good && is_same("oldest", got.oldest, all.oldest) &&
		    is_same("newest", got.newest, all.newest);
	count_segments_release(&l);
	partition_close(p);
	return good;
}

static void
test_histories(void)
{
	bool live = true, unsynced = true, no_sums = true, foreign = true;
	int64_t n;

	for (int i = 0; i < HISTORIES; i++) {
		make_history(false);
		unsynced = counts_right(false) && unsynced;
		make_history(true);
		live = counts_right(true) && live;
		files(".sum", &n, true);
		no_sums = counts_right(true) && no_sums;
		files("partition.state", &n, true);
		foreign = counts_right(true) && foreign;
	}
	tap(live, "by sums and the state: what reading finds");
	tap(unsynced, "and while something is not yet visible");
	tap(no_sums, "the same without sums");
	tap(foreign, "the same without a state");
}

/* Nothing but sums and the state is looked at where they are enough. */
static void
test_no_scan(void)
{
	struct partition *p;
	struct count c;
	char path[300];
	int fd;

	fresh();
	p = open_partition(PARTITION_WRITE, 1500);
	for (int i = 0; i < 100; i++)
		append(p, 5, 0, 0);
	partition_sync(p, NULL);
	tap_int(count_partition(p, &c, NULL, NULL), 0, "by the writer, too");
	tap_int(c.records, 500, "all records");
	tap(c.segments > 5, "in several segments");
	partition_close(p);
	/* A header that no walk would pass. */
	snprintf(path, sizeof(path), "%s/%020d.log", dir, 0);
	fd = open(path, O_RDWR);
	if (pwrite(fd, "\xff\xff\xff\xff", 4, BATCH_LENGTH) != 4)
		abort();
	close(fd);
	p = open_partition(PARTITION_READ, 1500);
	tap_int(count_partition(p, &c, NULL, NULL), 0,
	    "a segment with a sum is not read");
	tap_int(c.records, 500, "its records count");
	partition_close(p);
}

/* A compaction's swap that a crash ended: a segment has what is behind it. */
static void
test_overlap(void)
{
	struct partition *p;
	struct count c;
	char command[700];

	fresh();
	p = open_partition(PARTITION_WRITE, 1500);
	for (int i = 0; i < 50; i++)
		append(p, 5, 0, 0);
	partition_sync(p, NULL);
	partition_close(p);
	snprintf(command, sizeof(command),
	    "cd '%s' && rm %020d.sum && ls *.log | sed -n 2,3p | xargs cat "
	    ">>%020d.log",
	    dir, 0, 0);
	if (system(command) != 0)
		abort();
	p = open_partition(PARTITION_READ, 1500);
	tap_int(count_partition(p, &c, NULL, NULL), 0, "segments overlap");
	tap_int(c.records, 250, "what two have counts once");
	partition_close(p);
}

static void
test_damage(void)
{
	struct partition *p;
	struct count c = {.records = -7};
	struct fault f;
	char path[300], sum[300];
	int64_t n;

	fresh();
	p = open_partition(PARTITION_WRITE, 1500);
	for (int i = 0; i < 50; i++)
		append(p, 5, 0, 0);
	partition_sync(p, NULL);
	partition_close(p);
	snprintf(path, sizeof(path), "%s/%020d.log", dir, 0);
	snprintf(sum, sizeof(sum), "%s/%020d.sum", dir, 0);
	p = open_partition(PARTITION_READ, 1500);
	if (truncate(path, 100) != 0)
		abort();
	tap_int(count_partition(p, &c, NULL, &f), STATUS_CORRUPT,
	    "a sum of a longer file is not trusted, and the file ends early");
	tap_str(f.file, path);
	tap_int(c.records, -7, "nothing is told then");
	if (unlink(path) != 0)
		abort();
	tap_int(count_partition(p, &c, NULL, &f), STATUS_CORRUPT,
	    "the first segment is missing");
	tap(f.offset == 0 && f.offset_end > 0, "its offsets are told");
	partition_close(p);
	files(".sum", &n, true);
}

static void
test_health(void)
{
	struct partition *p;
	struct count_health h;
	char path[300];

	fresh();
	p = open_partition(PARTITION_READ, 1500);
	tap_int(count_health(p, &h), 0, "a directory without anything");
	tap(!h.failed && h.lost == 0, "is well");
	snprintf(path, sizeof(path), "%s/lost+found", dir);
	mkdir(path, 0777);
	tap(count_health(p, &h) == 0 && h.lost == 0,
	    "and with an empty lost+found");
	snprintf(path, sizeof(path), "%s/lost+found/tail", dir);
	close(open(path, O_CREAT | O_WRONLY, 0666));
	tap(count_health(p, &h) == 0 && h.lost == 1, "not with a file in it");
	partition_close(p);
}

static void
test_failed(void)
{
	struct partition *p;
	struct count_health h;
	struct state s;
	char path[300];
	int fd;

	fresh();
	p = open_partition(PARTITION_WRITE, 1500);
	append(p, 5, 0, 0);
	partition_sync(p, NULL);
	partition_close(p);
	snprintf(path, sizeof(path), "%s/%s", dir, STATE_FILE);
	fd = open(path, O_RDWR);
	if (state_read(fd, &s) != 0)
		abort();
	s.flags |= STATE_FAILED;
	if (state_write(fd, &s) != 0)
		abort();
	close(fd);
	p = open_partition(PARTITION_READ, 1500);
	tap(count_health(p, &h) == 0 && h.failed, "a failed partition");
	partition_close(p);
}

static void
test_empty(void)
{
	struct partition *p;
	struct count c;

	fresh();
	p = open_partition(PARTITION_READ, 1500);
	tap_int(count_partition(p, &c, NULL, NULL), 0, "an empty directory");
	tap(c.records == 0 && c.bytes == 0 && c.segments == 0 &&
		c.oldest == -1 && c.newest == -1,
	    "has nothing in it");
	partition_close(p);
}

int
main(void)
{
	/* Producers are not forgotten. */
	now_set_wall_ms(200000);
	test_empty();
	test_no_scan();
	test_overlap();
	test_damage();
	test_health();
	test_failed();
	test_histories();
	return tap_done();
}
