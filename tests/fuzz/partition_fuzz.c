/*
 * A partition whose files have any content: it is read, appended to, read
 * again, checked and repaired.  An append that succeeds can be read, if there
 * is no damage.
 *
 * The input: a byte that says what is put right; the files' contents; their
 * lengths, two bytes each, the first file's at the end.
 */

#include "store/partition.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/status.h"
#include "fuzz.h"
#include "store/batch.h"
#include "store/check.h"
#include "store/epoch.h"
#include "store/reader.h"
#include "store/repair.h"
#include "store/state.h"
#include "store/sum.h"

enum how {
	SIGN_BATCHES = 1,	/* their CRCs */
	SIGN_STATE = 2,		/* its CRC */
	OWN_STATE = 4,		/* it is of this file, of this boot */
	SIGN_SUM = 8,
	REPAIR = 16,
	RELAXED = 32,
};

#define FIRST "00000000000000000000"
#define SECOND "00000000000000000040"

static const char *const names[] = {FIRST ".log", STATE_FILE, FIRST ".index",
    SECOND ".log", FIRST ".timeindex", FIRST ".sum", EPOCH_FILE,
    FIRST ".txnindex", SECOND ".snapshot", SECOND ".index"};

enum { FILES = sizeof(names) / sizeof(names[0]) };

static struct buf copy;

/* Nobody else is at work here: to wait for them would be for nothing. */
int
nanosleep(const struct timespec *time, struct timespec *left)
{
	(void)time;
	(void)left;
	return 0;
}

/* The first slot, at least. */
static void
sign_state(uint8_t *p, size_t len)
{
	if (len >= STATE_SLOT_LEN)
		buf_put_32(p + 4, crc32c(p + 8, STATE_SLOT_LEN - 8));
}

/* Say in partition.state that it is of this boot, mount, file and segment. */
static void
own_state(void)
{
	uint8_t slot[STATE_SLOT_LEN];
	struct stat st, log;
	struct state s;
	int fd = openat(fuzz_dirfd(), STATE_FILE, O_RDWR);

	if (fd >= 0 && pread(fd, slot, sizeof(slot), 0) == sizeof(slot) &&
	    state_decode(slot, &s) == 0 && fstat(fd, &st) == 0) {
		fuzz_must(state_boot_id(s.boot_id) == 0);
		s.mount_id = state_mount_id(fuzz_dirfd());
		s.state_inode = (int64_t)st.st_ino;
		if (fstatat(fuzz_dirfd(),
			s.active_base == 40 ? SECOND ".log" : FIRST ".log",
			&log, 0) == 0)
			s.inode = log.st_ino;
		state_encode(&s, slot);
		fuzz_must(pwrite(fd, slot, sizeof(slot), 0) == sizeof(slot));
		fuzz_must(ftruncate(fd, STATE_PAGE_LEN) == 0);
	}
	if (fd >= 0)
		close(fd);
}

static void
write_files(uint8_t how, struct fuzz_input in)
{
	fuzz_empty();
	for (int i = 0; i < FILES; i++) {
		struct fuzz_input part = fuzz_part(&in);

		if (part.len == 0 && i > 0)
			continue;
		copy.len = 0;
		fuzz_must(buf_add(&copy, part.data, part.len) == 0);
		if (how & SIGN_BATCHES && strstr(names[i], ".log") != NULL)
			fuzz_sign(copy.data, copy.len);
		if (how & SIGN_STATE && strcmp(names[i], STATE_FILE) == 0)
			sign_state(copy.data, copy.len);
		if (how & SIGN_SUM && strstr(names[i], ".sum") != NULL &&
		    copy.len == SUM_LEN)
			buf_put_32(copy.data + 4,
			    crc32c(copy.data + 8, SUM_LEN - 8));
		fuzz_write(names[i], copy.data, copy.len);
	}
	if (how & OWN_STATE)
		own_state();
}

static struct partition *
open_partition(enum partition_mode mode)
{
	struct partition_settings settings = partition_defaults;
	struct partition *p;

	settings.segment_bytes = 1 << 20;
	settings.index_interval_bytes = 100;
	return partition_open(fuzz_dir(), mode, &settings, &p, NULL) == 0
	    ? p
	    : NULL;
}

/*
 * Read all that can be read.  Is the record at that offset there, or was
 * damage told?
 */
static bool
read_all(struct partition *p, int flags, int64_t offset)
{
	struct batch_records it;
	struct reader *r = NULL;
	const uint8_t *data;
	int64_t last = -1, from, to;
	bool found = false;
	struct record rec;
	struct buf scratch;
	struct fault f;
	struct batch b;
	int rc;

	buf_init(&scratch, 1 << 20);
	rc = reader_open(p, flags, 0, &r, &f);
	for (int steps = 0; rc == 0 && steps < 10000; steps++) {
		rc = reader_next(r, &b, &data, &f);
		if (rc == STATUS_CORRUPT || rc == STATUS_UNSUPPORTED) {
			found = true;
			rc = reader_skip(r, &from, &to);
			fuzz_must(rc != 0 || from <= to || to < 0);
			continue;
		}
		if (rc == STATUS_OFFSET) {
			rc = 0;
			continue;
		}
		if (rc != 0)
			break;
		fuzz_must(b.last_offset > last);
		last = b.last_offset;
		if (batch_records_init(&it, data, &b, &scratch) != 0)
			continue;
		while (batch_records_next(&it, &rec) == 0)
			found = found || rec.offset == offset;
	}
	reader_close(r);
	buf_release(&scratch);
	return found;
}

static void
append(struct partition *p)
{
	struct partition_append a = {.expect = -1};
	struct record rec = {.timestamp = 1700000000000,
	    .key = BYTES_NULL,
	    .value = bytes_of("v")};
	struct batch_builder bb;
	const uint8_t *data;
	struct fault f;
	size_t size;

	batch_builder_init(&bb, CODEC_NONE, INT32_MIN, 1 << 16);
	fuzz_must(batch_builder_add(&bb, &rec) == 0);
	fuzz_must(batch_builder_finish(&bb, &data, &size) == 0);
	a.data = (uint8_t *)(uintptr_t)data;
	a.len = size;
	if (partition_append(p, &a, &f) == 0 && partition_sync(p, &f) == 0)
		fuzz_must(read_all(p, READER_UNCOMMITTED, a.base_offset));
	batch_builder_release(&bb);
}

static void
check(struct partition *p, bool repair)
{
	struct fault f;
	struct check c;

	check_init(&c);
	(void)(repair ? repair_run(p, &c, &f) : check_run(p, true, &c, &f));
	check_release(&c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	uint8_t how = fuzz_byte(&in);
	struct partition *p;

	if (copy.max == 0)
		buf_init(&copy, 1 << 24);
	write_files(how, in);
	p = open_partition(PARTITION_READ);
	if (p != NULL) {
		(void)read_all(p, 0, -1);
		check(p, false);
		partition_close(p);
	}
	p = open_partition(
	    how & RELAXED ? PARTITION_WRITE_RELAXED : PARTITION_WRITE);
	if (p != NULL) {
		if (how & REPAIR)
			check(p, true);
		append(p);
		partition_close(p);
	}
	return 0;
}
