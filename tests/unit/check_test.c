/*
 * Damage of every kind, found and repaired.
 *
 * A log is made by a random history; then again and again one of its files is
 * damaged, checked, repaired, read, appended to and put back as it was.
 * CHECK_ROUNDS (10) is how often, 0 never; CHECK_FLIPS=0 and =1 flip each bit
 * of a log of 64 KiB, and cut it to each length: the even and the odd ones.
 */

#include <sys/stat.h>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/crc32c.h"
#include "base/now.h"
#include "base/status.h"
#include "store/batch.h"
#include "store/check.h"
#include "store/compact.h"
#include "store/reader.h"
#include "store/repair.h"
#include "tap.h"

enum { FILES_MAX = 400, PRODUCERS = 3, RECORDS_MAX = 20000, PAGE = 512 };

/* It grows by a record with each damage; then another one is taken. */
enum { LOG_ROUNDS = 1000 };

static char dir[300];
static int dir_count;
static int32_t sequence[PRODUCERS + 1];

/* The directory's files as they were. */
static struct {
	char name[256];
	uint8_t *data;
	size_t len;
} saved[FILES_MAX];
static int saved_count;

/* By offset: a hash of the record; 0 none. */
static uint32_t original[RECORDS_MAX], current[RECORDS_MAX];
static int64_t original_end;

static void
must(bool ok)
{
	if (!ok)
		abort();
}

static void
fresh(void)
{
	snprintf(dir, sizeof(dir), "%s/%d", tap_dir(), dir_count++);
	must(mkdir(dir, 0777) == 0);
	memset(sequence, 0, sizeof(sequence));
}

static struct partition *
open_partition(enum partition_mode mode, int64_t segment_bytes)
{
	struct partition_settings s = partition_defaults;
	struct partition *p = NULL;

	s.segment_bytes = segment_bytes;
	s.index_interval_bytes = 300;
	must(partition_open(dir, mode, &s, &p, NULL) == 0);
	return p;
}

static void
append_as(struct partition *p, int records, int64_t id, uint16_t attributes)
{
	struct partition_append a = {.expect = -1};
	struct batch_builder bb;
	const uint8_t *data;
	uint8_t *b;
	enum codec codec = CODEC_NONE;
	int64_t now = now_wall_ms();
	int level = 0;

	if (tap_random() % 4 == 0)
		must(codec_parse("gzip", &codec, &level) == 0);
	batch_builder_init(&bb, codec, level, BATCH_BYTES_MAX);
	for (int i = 0; i < records; i++) {
		char key[16], value[64];
		struct record r = {
		    .timestamp = now - (int64_t)(tap_random() % 100000)};

		snprintf(key, sizeof(key), "%d", (int)(tap_random() % 20));
		snprintf(value, sizeof(value), "%ju of %d",
		    (uintmax_t)tap_random(), i);
		r.key = bytes_of(key);
		r.value = bytes_of(value);
		must(batch_builder_add(&bb, &r) == 0);
	}
	must(batch_builder_finish(&bb, &data, &a.len) == 0);
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
	must(partition_append(p, &a, NULL) == 0);
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

	batch_encode_marker(marker, id, 0, type, 0, now_wall_ms());
	must(partition_append(p, &a, NULL) == 0);
}

static int
random_below(int n)
{
	return (int)(tap_random() % (uint64_t)n);
}

/* One thing that may happen to a log. */
static void
step(struct partition *p, bool producers)
{
	int what = random_below(20), id = 1 + random_below(PRODUCERS);
	int32_t epoch;

	if (what == 0) {
		must(partition_sync(p, NULL) == 0);
		must(partition_roll(p, NULL) == 0);
	} else if (what == 1) {
		must(partition_new_epoch(p, 0, &epoch, NULL) == 0);
	} else if (producers && what < 8) {
		append_as(p, 1 + random_below(5), id, BATCH_TRANSACTIONAL);
		append_as(p, 1 + random_below(5), id, BATCH_TRANSACTIONAL);
		append_marker(p, id,
		    what % 2 == 0 ? BATCH_CONTROL_ABORT : BATCH_CONTROL_COMMIT);
	} else {
		append_as(p, 1 + random_below(20), 0, 0);
	}
	must(partition_sync(p, NULL) == 0);
}

static int64_t
log_bytes(void)
{
	struct dirent *d;
	struct stat st;
	int64_t bytes = 0;
	DIR *dp = opendir(dir);

	while ((d = readdir(dp)) != NULL)
		if (strstr(d->d_name, ".log") != NULL &&
		    fstatat(dirfd(dp), d->d_name, &st, 0) == 0)
			bytes += st.st_size;
	closedir(dp);
	return bytes;
}

static void
make_log(int64_t bytes, int64_t segment_bytes, bool producers)
{
	struct partition *p;

	fresh();
	p = open_partition(PARTITION_WRITE, segment_bytes);
	do
		step(p, producers);
	while (log_bytes() < bytes);
	append_as(p, 3, 0, 0);
	append_as(p, 3, 0, 0);
	must(partition_sync(p, NULL) == 0);
	partition_close(p);
}

static void
compact_log(void)
{
	struct partition *p = open_partition(PARTITION_WRITE, 4000);
	struct compact_options o = {.now_ms = now_wall_ms(),
	    .delete_retention_ms = (int64_t)1 << 40,
	    .segment_bytes = 4000,
	    .index_bytes = 10 << 20,
	    .memory = 1 << 20,
	    .keep_last_only = true};
	struct compact_stats stats;

	must(compact_run(p, &o, &stats, NULL) == 0);
	partition_close(p);
}

/* --- the files as they were ----------------------------------------------- */

static void
path_of(char out[600], const char *name)
{
	snprintf(out, 600, "%s/%.250s", dir, name);
}

static void
save_files(void)
{
	struct dirent *d;
	struct stat st;
	DIR *dp = opendir(dir);
	char path[600];

	for (int i = 0; i < saved_count; i++)
		free(saved[i].data);
	saved_count = 0;
	while ((d = readdir(dp)) != NULL) {
		int fd;

		path_of(path, d->d_name);
		if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
			continue;
		must(saved_count < FILES_MAX);
		snprintf(saved[saved_count].name, 256, "%s", d->d_name);
		saved[saved_count].len = (size_t)st.st_size;
		saved[saved_count].data = malloc((size_t)st.st_size + 1);
		fd = open(path, O_RDONLY);
		must(read(fd, saved[saved_count].data, (size_t)st.st_size) ==
		    st.st_size);
		close(fd);
		saved_count++;
	}
	closedir(dp);
}

static int
find_saved(const char *name)
{
	for (int i = 0; i < saved_count; i++)
		if (strcmp(saved[i].name, name) == 0)
			return i;
	return -1;
}

static void
write_file(const char *name, const uint8_t *data, size_t len)
{
	char path[600];
	int fd;

	path_of(path, name);
	fd = open(path, O_WRONLY | O_CREAT, 0666);
	must(fd >= 0 && pwrite(fd, data, len, 0) == (ssize_t)len &&
	    ftruncate(fd, (off_t)len) == 0);
	close(fd);
}

/* Put all back; inodes stay where the files are still there. */
static void
restore_files(void)
{
	struct dirent *d;
	DIR *dp = opendir(dir);
	char path[600];

	while ((d = readdir(dp)) != NULL) {
		path_of(path, d->d_name);
		if (find_saved(d->d_name) < 0)
			(void)unlink(path);
	}
	closedir(dp);
	snprintf(path, sizeof(path), "rm -rf '%s/lost+found'", dir);
	must(system(path) == 0);
	for (int i = 0; i < saved_count; i++)
		write_file(saved[i].name, saved[i].data, saved[i].len);
}

/*
 * The repaired directory has other inodes, so its state would be a copy's: let
 * a writer sign it, and take that as the original.
 */
static void
settle(void)
{
	struct partition *p = open_partition(PARTITION_WRITE, 4000);
	struct partition_append a = {.len = 0};

	(void)partition_append(p, &a, NULL);
	append_as(p, 1, 0, 0);
	must(partition_sync(p, NULL) == 0);
	partition_close(p);
}

/* --- what a reader gets --------------------------------------------------- */

static int
read_all(uint32_t *into, int64_t *end)
{
	struct partition *p = open_partition(PARTITION_READ, 4000);
	struct batch_records it;
	struct reader *r = NULL;
	const uint8_t *data;
	struct record record;
	struct buf scratch;
	struct batch b;
	int rc;

	memset(into, 0, RECORDS_MAX * sizeof(*into));
	buf_init(&scratch, RECORDS_BYTES_MAX);
	rc = reader_open(p, READER_UNCOMMITTED | READER_CONTROL, 0, &r, NULL);
	while (rc == 0 && (rc = reader_next(r, &b, &data, NULL)) == 0) {
		must(batch_records_init(&it, data, &b, &scratch) == 0);
		while (batch_records_next(&it, &record) == 0) {
			must(record.offset < RECORDS_MAX);
			into[record.offset] = 1 |
			    crc32c(record.value.data,
				record.value.len > 0 ? (size_t)record.value.len
						     : 0);
		}
	}
	if (rc == STATUS_END)
		rc = 0;
	if (r != NULL)
		*end = reader_end(r);
	reader_close(r);
	partition_close(p);
	buf_release(&scratch);
	return rc;
}

/* Is offset one of those that a finding about the log speaks of? */
static bool
is_told(const struct check *c, int64_t offset)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct check_finding *x = &c->findings[i];
		int64_t end = x->offset_end < 0 ? INT64_MAX : x->offset_end;

		if (x->part <= CHECK_TAIL && offset >= x->offset &&
		    offset < end)
			return true;
	}
	return false;
}

static void
show(const char *damage, const struct check *c)
{
	fprintf(stderr, "# %s in %s\n", damage, dir);
	for (size_t i = 0; i < c->count; i++) {
		const struct check_finding *x = &c->findings[i];
		char name[CHECK_NAME_LEN];

		check_name(x, name);
		fprintf(stderr,
		    "#   %s pos %lld len %lld offsets %lld to %lld: %s%s\n",
		    name, (long long)x->pos, (long long)x->len,
		    (long long)x->offset, (long long)x->offset_end, x->what,
		    x->repaired ? " (repaired)" : "");
	}
}

/* --- one round ------------------------------------------------------------ */

static size_t
count_findings(struct check *c)
{
	struct partition *p = open_partition(PARTITION_READ, 4000);
	struct fault f = {.file = ""};
	int rc = check_run(p, true, c, &f);

	if (rc != 0)
		fprintf(stderr, "# check: %s %s\n", status_text(rc), f.file);
	partition_close(p);
	return rc == 0 ? c->count : 0;
}

/* Repair, and see that all that was not told is there. */
static const char *
repair_and_read(struct check *c, int64_t *missing)
{
	struct partition *p = open_partition(PARTITION_WRITE, 4000);
	struct fault f = {.file = ""};
	struct check after;
	int64_t end;
	size_t left;
	int rc = repair_run(p, c, &f);

	partition_close(p);
	*missing = 0;
	if (rc != 0) {
		fprintf(stderr, "# repair: %s %s\n", status_text(rc), f.file);
		return "repair fails";
	}
	for (size_t i = 0; i < c->count; i++)
		if (!c->findings[i].repaired)
			return "a finding is not repaired";
	check_init(&after);
	left = count_findings(&after);
	if (left > 0)
		show("after the repair", &after);
	check_release(&after);
	if (left > 0)
		return "not well after the repair";
	if (read_all(current, &end) != 0)
		return "cannot be read after the repair";
	if (end < original_end)
		return "offsets would be used again";
	for (int64_t i = 0; i < RECORDS_MAX; i++) {
		if (current[i] == original[i])
			continue;
		if (current[i] != 0)
			return "a record is another one";
		if (!is_told(c, i))
			return "a record is missing that was not told";
		++*missing;
	}
	return NULL;
}

/* What was damaged is found and repaired.  most: records that may be lost. */
static bool
round_ok(const char *damage, bool must_find, int64_t most)
{
	struct check c, again;
	const char *what = NULL;
	int64_t missing = 0;
	size_t found;

	check_init(&c);
	check_init(&again);
	found = count_findings(&c);
	if (found == 0 && must_find)
		what = "not found";
	if (what == NULL)
		what = repair_and_read(&c, &missing);
	if (what == NULL && missing > most)
		what = "more is lost than was damaged";
	if (what == NULL) {
		settle();
		if (count_findings(&again) > 0)
			what = "not well after an append";
	}
	if (what != NULL) {
		fprintf(stderr, "# %s (%lld missing)\n", what,
		    (long long)missing);
		show(damage, &c);
		if (what[0] == 'n')
			show("left", &again);
	}
	check_release(&c);
	check_release(&again);
	return what == NULL;
}

/* --- damage --------------------------------------------------------------- */

static bool
ends_with(const char *s, const char *suffix)
{
	size_t len = strlen(s), n = strlen(suffix);

	return len > n && strcmp(s + len - n, suffix) == 0;
}

/* A file of that suffix that is not empty; -1 none. */
static int
pick_file(const char *suffix)
{
	int n = 0, chosen = -1;

	for (int i = 0; i < saved_count; i++)
		if (saved[i].len > 0 && ends_with(saved[i].name, suffix) &&
		    random_below(++n) == 0)
			chosen = i;
	return chosen;
}

static int
pick_other(int file, const char *suffix)
{
	for (int tries = 0; tries < 20; tries++) {
		int other = pick_file(suffix);

		if (other != file &&
		    (saved[other].len != saved[file].len ||
			memcmp(saved[other].data, saved[file].data,
			    saved[file].len) != 0))
			return other;
	}
	return -1;
}

static uint8_t *
copy_of(int file, size_t more)
{
	uint8_t *data = calloc(1, saved[file].len + more + 1);

	memcpy(data, saved[file].data, saved[file].len);
	return data;
}

enum damage {
	FLIP,
	TRUNCATE,
	ZERO,
	SWAP,
	JUNK,
	REMOVE,
	FOREIGN,
	DAMAGES,
};

static const char *const damage_names[] = {"flip", "truncate", "zero", "swap",
    "junk", "remove", "foreign"};

static void
swap_pages(int file, size_t a, size_t b, char *text)
{
	uint8_t *data = copy_of(file, 0);

	snprintf(text, 200, "swap of %.30s at %zu, %zu", saved[file].name, a,
	    b);
	memcpy(data + a, saved[file].data + b, PAGE);
	memcpy(data + b, saved[file].data + a, PAGE);
	write_file(saved[file].name, data, saved[file].len);
	free(data);
}

/*
 * Damage one file.  False: nothing has changed.
 */
static bool
harm(int file, const char *suffix, enum damage damage, char *text)
{
	size_t len = saved[file].len, a, b, n = PAGE;
	uint8_t *data = copy_of(file, 1000);
	char path[600];
	bool changed;
	int other = -1;

	a = (size_t)random_below((int)len);
	b = (size_t)random_below((int)len);
	snprintf(text, 200, "%s of %s at %zu, %zu (%zu bytes)",
	    damage_names[damage], saved[file].name, a, b, saved[file].len);
	if (damage == FLIP)
		data[a] ^= (uint8_t)(1 << random_below(8));
	if (damage == TRUNCATE)
		len = a;
	if (damage == ZERO)
		memset(data + a / PAGE * PAGE, 0, PAGE);
	a = a / PAGE * PAGE;
	b = b / PAGE * PAGE;
	if (damage == SWAP && a + n <= len && b + n <= len) {
		memcpy(data + a, saved[file].data + b, n);
		memcpy(data + b, saved[file].data + a, n);
	}
	if (damage == JUNK)
		for (int i = 1 + random_below(200); i > 0; i--)
			data[len++] = (uint8_t)tap_random();
	if (damage == FOREIGN)
		other = pick_other(file, suffix);
	if (other >= 0) {
		free(data);
		len = saved[other].len;
		data = copy_of(other, 0);
	}
	changed =
	    len != saved[file].len || memcmp(data, saved[file].data, len) != 0;
	if (damage == REMOVE) {
		path_of(path, saved[file].name);
		must(unlink(path) == 0);
		changed = true;
	} else if (changed) {
		write_file(saved[file].name, data, len);
	}
	free(data);
	return changed;
}

/* Is it a file of the last segment? */
static bool
is_active(int file)
{
	for (int i = 0; i < saved_count; i++)
		if (ends_with(saved[i].name, ".log") &&
		    strncmp(saved[i].name, saved[file].name, 20) > 0)
			return false;
	return true;
}

/* What in a file of that suffix need not be found. */
static bool
is_harmless(const char *suffix, int file, enum damage damage, bool compacted)
{
	/* Two slots of 512 bytes are all that is read. */
	if (strcmp(suffix, "partition.state") == 0)
		return damage != REMOVE && damage != TRUNCATE;
	/*
	 * Those before the last are of no use; batches that compaction took
	 * may have been what another one knows of.
	 */
	if (strcmp(suffix, ".snapshot") == 0)
		return damage == REMOVE || (damage == FOREIGN && compacted);
	if (strcmp(suffix, "leader-epoch-checkpoint") == 0)
		return damage != REMOVE;
	/*
	 * Those of the active segment have what counts at the front; and what
	 * another one's say may be true of it.
	 */
	return strstr(suffix, "index") != NULL &&
	    (damage == JUNK || (damage == FOREIGN && is_active(file)) ||
		strcmp(saved[file].name + 20, ".txnindex") == 0);
}

static void
make_well(void)
{
	restore_files();
	settle();
	must(read_all(original, &original_end) == 0);
	save_files();
}

static void
rounds(const char *name, int count, bool compacted)
{
	static const char *const suffixes[] = {".log", ".log", ".log", ".log",
	    ".index", ".timeindex", ".txnindex", ".sum", ".snapshot",
	    "partition.state", "leader-epoch-checkpoint"};
	int failed = 0, done = 0;
	char text[200];

	while (done < count && failed < 5) {
		const char *suffix = suffixes[random_below(11)];
		enum damage damage = (enum damage)random_below(DAMAGES);
		int file = pick_file(suffix);

		if (file < 0 || !harm(file, suffix, damage, text))
			continue;
		done++;
		if (!round_ok(text,
			!is_harmless(suffix, file, damage, compacted),
			strcmp(suffix, ".log") == 0 ? RECORDS_MAX : 0))
			failed++;
		make_well();
	}
	tap(failed == 0, "%s: %d kinds of damage", name, done);
}

/*
 * Two pages of a segment swapped, each step-th pair of them; what `rounds' may
 * not meet.  n counts pairs.
 */
static int
swap_in(const char *name, int step, int *n)
{
	size_t len = saved[find_saved(name)].len;
	int failed = 0;
	char text[200];

	for (size_t a = 0; a + PAGE <= len; a += PAGE) {
		for (size_t b = a + PAGE; b + PAGE <= len; b += PAGE) {
			if ((*n)++ % step != 0)
				continue;
			swap_pages(find_saved(name), a, b, text);
			if (!round_ok(text, true, RECORDS_MAX))
				failed++;
			make_well();
		}
	}
	return failed;
}

/* The segments, as they were saved; how many. */
static int
list_logs(char names[FILES_MAX][sizeof(saved[0].name)])
{
	int count = 0;

	for (int i = 0; i < saved_count; i++)
		if (ends_with(saved[i].name, ".log"))
			memcpy(names[count++], saved[i].name, sizeof(names[0]));
	return count;
}

static void
swap_all(const char *name, int step)
{
	char names[FILES_MAX][sizeof(saved[0].name)];
	int failed = 0, first = random_below(step), n = first;
	int count = list_logs(names);

	for (int i = 0; i < count; i++)
		failed += swap_in(names[i], step, &n);
	tap(failed == 0 && n > first + step, "%s: of %d, two pages swapped",
	    name, n - first);
}

static void
begin_rounds(int64_t bytes, bool producers, bool compacted)
{
	struct check c;

	make_log(bytes, 4000, producers);
	if (compacted)
		compact_log();
	settle();
	check_init(&c);
	if (!tap(count_findings(&c) == 0, "a log without damage is clean"))
		show("clean", &c);
	check_release(&c);
	must(read_all(original, &original_end) == 0);
	save_files();
}

struct flips {
	struct partition *p;
	struct check c;
	int64_t count, missed, silent, written;
	bool write;		/* a writer has to refuse, too */
};

static bool
is_refused(void)
{
	struct partition *p = open_partition(PARTITION_WRITE, 4000);
	struct partition_append a = {.expect = original_end};
	int rc = partition_append(p, &a, NULL);

	partition_close(p);
	return rc == STATUS_CORRUPT;
}

/* Is it found?  A reader gets what there was, or is told. */
static void
flip_bit(struct flips *x, int fd, int file, size_t bit)
{
	uint8_t old = saved[file].data[bit / 8];
	uint8_t new = old ^ (uint8_t)(1 << bit % 8);
	int64_t end;

	must(pwrite(fd, &new, 1, (off_t)(bit / 8)) == 1);
	x->count++;
	if (check_run(x->p, true, &x->c, NULL) != 0 || x->c.count == 0) {
		x->missed++;
		fprintf(stderr, "# missed: %s bit %zu\n", saved[file].name,
		    bit);
	}
	if (read_all(current, &end) == 0 &&
	    memcmp(current, original, sizeof(current)) != 0) {
		x->silent++;
		fprintf(stderr, "# not told: %s bit %zu\n", saved[file].name,
		    bit);
	}
	if (x->write && !is_refused()) {
		x->written++;
		fprintf(stderr, "# appended to: %s bit %zu\n", saved[file].name,
		    bit);
	}
	must(pwrite(fd, &old, 1, (off_t)(bit / 8)) == 1);
}

/* Each step-th bit of a file, from one on to before another. */
static void
flip_bits(struct flips *x, int file, size_t bit, size_t end, int step)
{
	char path[600];
	int fd;

	path_of(path, saved[file].name);
	fd = open(path, O_WRONLY);
	for (; bit < end; bit += (size_t)step)
		flip_bit(x, fd, file, bit);
	close(fd);
}

static void
end_flips(struct flips *x, const char *name)
{
	tap(x->count > 0 && x->missed == 0,
	    "%s: %lld single bits flipped are found", name,
	    (long long)x->count);
	tap(x->silent == 0, "%s: and readers tell them", name);
	if (!tap(check_run(x->p, true, &x->c, NULL) == 0 && x->c.count == 0,
		"%s: and none is when all are back", name))
		show("flips undone", &x->c);
	x->count = x->missed = x->silent = 0;
}

/* What the state says of where it was written. */
static void
change_state(void (*change)(struct state *s))
{
	char path[600];
	struct state s;
	int fd;

	path_of(path, STATE_FILE);
	fd = open(path, O_RDWR);
	must(fd >= 0 && state_read(fd, &s) == 0);
	change(&s);
	must(state_write(fd, &s) == 0 && state_write(fd, &s) == 0);
	close(fd);
}

static void
be_of_other_boot(struct state *s)
{
	s->boot_id[0] ^= 1;
}

static void
be_of_other_file(struct state *s)
{
	s->state_inode++;
}

/* The same in the segment that the state tells of, all of the last offset. */
static void
flip_active(struct flips *x, const char *name, int step, int phase)
{
	int file = 0;
	size_t last = 0;
	struct batch b;

	while (!ends_with(saved[file].name, ".log") || !is_active(file))
		file++;
	for (size_t at = 0; at < saved[file].len; at += b.size) {
		must(batch_decode(saved[file].data + at, saved[file].len - at,
			 &b, NULL) == 0);
		last = at;
	}
	flip_bits(x, file, (size_t)phase, saved[file].len * 8, step);
	x->write = true;
	flip_bits(x, file, last * 8, last * 8 + 64, 1);
	x->write = false;
	tap(x->written == 0, "%s: and nothing is appended to a wrong offset",
	    name);
	end_flips(x, name);
}

static struct state
read_state(void)
{
	char path[600];
	struct state s = {0};
	int fd;

	path_of(path, STATE_FILE);
	fd = open(path, O_RDONLY);
	must(fd >= 0 && state_read(fd, &s) == 0);
	close(fd);
	return s;
}

/* The last batch is to be one that no index has. */
static void
append_last(void)
{
	struct partition *p = open_partition(PARTITION_WRITE, 1 << 20);
	struct state before, after;

	do {
		before = read_state();
		append_as(p, 1, 0, 0);
		must(partition_sync(p, NULL) == 0);
		after = read_state();
	} while (after.index_pos == before.end_pos);
	partition_close(p);
}

/* Each bit of each segment. */
static void
flip_all(int64_t bytes, int step_bits, int phase)
{
	struct flips x = {.count = 0};

	make_log(bytes, bytes / 3, false);
	append_last();
	must(read_all(original, &original_end) == 0);
	save_files();
	check_init(&x.c);
	x.p = open_partition(PARTITION_READ, 4000);
	for (int i = 0; i < saved_count; i++)
		if (ends_with(saved[i].name, ".log"))
			flip_bits(&x, i, (size_t)phase, saved[i].len * 8,
			    step_bits);
	end_flips(&x, "as written");
	change_state(be_of_other_boot);
	flip_active(&x, "after a reboot", step_bits, phase);
	change_state(be_of_other_file);
	flip_active(&x, "in a copy", step_bits, phase);
	partition_close(x.p);
	check_release(&x.c);
}

/* Records in the batches of a segment that end by len. */
static int64_t
count_records(int file, size_t len)
{
	const uint8_t *data = saved[file].data;
	int64_t records = 0;
	struct batch b;

	for (size_t at = 0;
	     at < len && batch_decode(data + at, len - at, &b, NULL) == 0 &&
	     at + b.size <= len;
	     at += b.size)
		records += b.record_count;
	return records;
}

/* A segment of len bytes: it is found, and a reader is told. */
static bool
cut_ok(int file, size_t len)
{
	char path[600];
	struct check c;
	int64_t end;
	bool ok;

	path_of(path, saved[file].name);
	must(truncate(path, (off_t)len) == 0);
	check_init(&c);
	ok = count_findings(&c) > 0 && read_all(current, &end) != 0;
	if (!ok) {
		fprintf(stderr, "# not told: %s cut to %zu of %zu\n",
		    saved[file].name, len, saved[file].len);
		show("a reader", &c);
	}
	check_release(&c);
	write_file(saved[file].name, saved[file].data, saved[file].len);
	return ok;
}

/* The same repaired: the batches before are there. */
static bool
cut_is_repaired(int file, size_t len)
{
	char path[600], text[600];
	bool ok;

	path_of(path, saved[file].name);
	snprintf(text, sizeof(text), "cut of %.30s to %zu", saved[file].name,
	    len);
	must(truncate(path, (off_t)len) == 0);
	ok = round_ok(text, true,
	    count_records(file, saved[file].len) - count_records(file, len));
	make_well();
	return ok;
}

/*
 * Each segment cut to each step-th length; each repair-th of those repaired,
 * which changes the files.
 */
static void
cut_all(int64_t bytes, int step, int phase, int repair)
{
	char names[FILES_MAX][sizeof(saved[0].name)];
	int failed = 0, cuts = 0, count;

	make_log(bytes, bytes / 3, false);
	settle();
	must(read_all(original, &original_end) == 0);
	save_files();
	count = list_logs(names);
	for (int i = 0; i < count; i++) {
		size_t size = saved[find_saved(names[i])].len;

		for (size_t len = (size_t)phase; len < size && failed < 5;
		     len += (size_t)step) {
			failed += !cut_ok(find_saved(names[i]), len);
			if (cuts++ % repair == 0)
				failed +=
				    !cut_is_repaired(find_saved(names[i]), len);
		}
	}
	tap(failed == 0 && cuts > 0 && count > 2,
	    "segments cut to %d lengths are found, told, repaired", cuts);
}

/* The .sum of another segment of as many bytes, records, of the same time. */
static void
exchange_sum(void)
{
	struct partition *p;
	int other;

	fresh();
	now_set_wall_ms(1700000000000);
	p = open_partition(PARTITION_WRITE, 4000);
	for (int i = 0; i < 3; i++) {
		append_marker(p, 1, BATCH_CONTROL_COMMIT);
		must(partition_sync(p, NULL) == 0 &&
		    partition_roll(p, NULL) == 0);
	}
	partition_close(p);
	now_set_wall_ms(-1);
	must(read_all(original, &original_end) == 0);
	save_files();
	other = find_saved("00000000000000000001.sum");
	must(other >= 0);
	write_file("00000000000000000000.sum", saved[other].data,
	    saved[other].len);
	tap(round_ok("foreign .sum", true, 0),
	    "a .sum of a segment that looks the same");
}

int
main(void)
{
	const char *env = getenv("CHECK_ROUNDS"), *part = getenv("CHECK_FLIPS");
	int count = env == NULL ? 10 : atoi(env);
	int logs = 3 * ((count + LOG_ROUNDS - 1) / LOG_ROUNDS);
	int step = count < 100 ? 20 : 1;

	if (part != NULL) {
		flip_all(64 << 10, 2, atoi(part));
		cut_all(64 << 10, 2, atoi(part), 100);
	} else {
		flip_all(8 << 10, 301, random_below(301));
		cut_all(8 << 10, 97, random_below(97), 10);
	}
	if (count > LOG_ROUNDS)
		count = LOG_ROUNDS;
	exchange_sum();
	for (int i = 0; i < logs; i++) {
		begin_rounds(12 << 10, false, false);
		rounds("plain", count, false);
		swap_all("plain", step);
		begin_rounds(12 << 10, true, false);
		rounds("with transactions", count, false);
		begin_rounds(12 << 10, true, true);
		rounds("compacted", count, true);
	}
	return tap_done();
}
