/*
 * A device that loses what was not synced, and says so to one of those who
 * sync: nobody else is told that what was cut off is there.
 */

#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "append.h"
#include "base/status.h"
#include "store/partition.h"
#include "store/reader.h"
#include "tap.h"

static char dir[256];
static bool fails;	/* the next sync does */
static bool lost;	/* what is behind lost_from, as a look will show */
static off_t lost_from;

/* In place of libc's: the error is told once, and pages count as clean. */
int
fdatasync(int fd)
{
	if (!fails)
		return (int)syscall(SYS_fdatasync, fd);
	fails = false;
	lost = true;
	errno = EIO;
	return -1;
}

/* Clean pages are dropped: what the device has is read from now on. */
int
posix_fadvise(int fd, off_t pos, off_t len, int advice)
{
	static const char nothing[4096];
	struct stat st;

	(void)pos;
	(void)len;
	(void)advice;
	if (lost && fstat(fd, &st) == 0 && st.st_size > lost_from &&
	    pwrite(fd, nothing, (size_t)(st.st_size - lost_from), lost_from) <
		0)
		abort();
	lost = false;
	return 0;
}

static void
fresh(const char *root)
{
	static int count;

	snprintf(dir, sizeof(dir), "%s/%d", root, count++);
	if (mkdir(dir, 0777) != 0)
		abort();
}

static struct partition *
open_dir(void)
{
	struct partition *p;

	if (partition_open(dir, PARTITION_WRITE, &partition_defaults, &p,
		NULL) != 0)
		abort();
	return p;
}

/* One record of producer 7. */
static int
put(struct partition *p, int32_t sequence)
{
	struct record r = {.timestamp = 1000,
	    .key = BYTES_NULL,
	    .value = bytes_of("p")};
	struct partition_append a = {.expect = -1};
	struct batch_builder bb;
	const uint8_t *data;
	int rc;

	batch_builder_init(&bb, CODEC_NONE, INT32_MIN, 1 << 20);
	if (batch_builder_add(&bb, &r) != 0 ||
	    batch_builder_finish(&bb, &data, &a.len) != 0)
		abort();
	a.data = (uint8_t *)(uintptr_t)data;
	batch_set_producer(a.data, a.len, 7, 0, sequence);
	rc = partition_append(p, &a, NULL);
	batch_builder_release(&bb);
	return rc;
}

/* How many bytes of the log are on the device. */
static void
lose_from_here(void)
{
	struct stat st;
	char path[300];

	snprintf(path, sizeof(path), "%s/00000000000000000000.log", dir);
	lost_from = stat(path, &st) == 0 ? st.st_size : 0;
}

/* Another's sync fails, and a third one writes where ours was. */
static void
lose(struct partition *other)
{
	struct partition *third;

	fails = true;
	tap_int(partition_sync(other, NULL), EIO, "another's sync fails");
	third = open_dir();
	append_one(third, "third");
	tap_int(partition_sync(third, NULL), 0, "a third one goes on");
	partition_close(third);
}

static void
test_sync(const char *root)
{
	struct partition *p, *other;

	fresh(root);
	lose_from_here();
	p = open_dir();
	other = open_dir();
	append_one(p, "ours");
	append_one(other, "other");
	lose(other);
	tap_int(partition_sync(p, NULL), STATUS_FAILED,
	    "what was cut is not said to be there");
	append_one(p, "ours");
	tap_int(partition_sync(p, NULL), 0, "once more");
	partition_close(other);
	partition_close(p);
}

/* A writer that goes on is told, too. */
static void
test_append(const char *root)
{
	struct partition *p, *other;

	fresh(root);
	lose_from_here();
	p = open_dir();
	other = open_dir();
	tap_int(put(p, 0), 0, "ours");
	append_one(other, "other");
	lose(other);
	tap_int(put(p, 1), STATUS_FAILED, "nothing is added to what is gone");
	partition_close(other);
	partition_close(p);
}

/* The one whose sync failed finds out itself what is gone. */
static void
test_again(const char *root)
{
	struct partition *p;

	fresh(root);
	lose_from_here();
	p = open_dir();
	append_one(p, "ours");
	fails = true;
	tap_int(partition_sync(p, NULL), EIO, "a sync fails");
	tap_int(partition_sync(p, NULL), STATUS_FAILED, "asked again");
	partition_close(p);
}

static void
test_producer(const char *root)
{
	struct partition *p, *other;

	fresh(root);
	p = open_dir();
	other = open_dir();
	tap_int(put(p, 0), 0, "sequence 0");
	tap_int(partition_sync(p, NULL), 0, "is durable");
	lose_from_here();
	tap_int(put(p, 1), 0, "sequence 1");
	append_one(other, "other");
	lose(other);
	tap_int(partition_sync(p, NULL), STATUS_FAILED, "is cut");
	tap_int(put(p, 1), 0, "and is no duplicate when it comes again");
	tap_int(partition_sync(p, NULL), 0, "is durable");
	tap_int(put(p, 1), STATUS_DUPLICATE, "then it is");
	partition_close(other);
	partition_close(p);
}

int
main(void)
{
	const char *root = tap_dir();

	test_sync(root);
	test_append(root);
	test_again(root);
	test_producer(root);
	return tap_done();
}
