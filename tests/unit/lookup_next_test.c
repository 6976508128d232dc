/*
 * The next stretch of a log without a wait for the device.  What is in memory
 * is said by preadv2() here; pread(), which may wait, is counted where it reads
 * a log.
 */

#include "store/lookup.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "append.h"
#include "base/status.h"
#include "store/partition.h"
#include "tap.h"

enum { BATCHES = 40, SEGMENT = 1000, SEGMENTS = 4, MANY = 15000 };

#define VALUE "a value of some length"

static char dir[300];

/* Of logs what is below is in memory; of the state all, or nothing. */
static int64_t cached_to = INT64_MAX;
static bool state_is_cached = true;
static int cannot_tell;			/* an errno of preadv2() */
static int waits;

static bool
is_log(int fd)
{
	char link[40], name[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, name, sizeof(name));
	return n > 4 && memcmp(name + n - 4, ".log", 4) == 0;
}

ssize_t
preadv2(int fd, const struct iovec *v, int count, off_t pos, int flags)
{
	bool log = is_log(fd);
	int64_t left = cached_to - pos;
	size_t len = v[0].iov_len;

	if (count != 1 || flags != RWF_NOWAIT)
		abort();
	errno = cannot_tell != 0 ? cannot_tell : EAGAIN;
	if (cannot_tell != 0 || (log ? left <= 0 : !state_is_cached))
		return -1;
	if (log && left < (int64_t)len)
		len = (size_t)left;
	return (ssize_t)syscall(SYS_pread64, fd, v[0].iov_base, len, pos);
}

ssize_t
pread(int fd, void *data, size_t len, off_t pos)
{
	waits += is_log(fd);
	return (ssize_t)syscall(SYS_pread64, fd, data, len, pos);
}

static void
append(struct partition *p)
{
	append_one(p, VALUE);
	if (partition_sync(p, NULL) != 0)
		abort();
}

/*
 * The next stretch from there; its end, or -1: it is to be asked for, -5: there
 * is none.
 */
static int64_t
next(struct partition *p, int64_t offset, bool take)
{
	struct partition_offsets o;
	struct lookup_range r;
	int rc;

	waits = 0;
	rc = lookup_next(p, offset, false, 250, &o, &r);
	if (waits != 0)
		return -2;
	if (rc != 0)
		return rc == EAGAIN ? -1 : rc == STATUS_END ? -5 : -3;
	close(r.fd);
	if (r.base_offset != offset || r.len > 250)
		return -4;
	if (take)
		lookup_took(p, offset, &r);
	return r.next_offset;
}

/* In the ordinary way, which may wait. */
static int64_t
ask(struct partition *p, int64_t offset)
{
	struct lookup_range r;

	if (lookup_range(p, offset, BATCHES, 250, &r, NULL) != 0)
		return -1;
	close(r.fd);
	return r.next_offset;
}

/* Asked for where that is needed; how often it was. */
static int
walk(struct partition *p)
{
	int64_t at = 0, to;
	int asked = 0;

	while (at < BATCHES) {
		to = next(p, at, true);
		if (to == -1) {
			asked++;
			to = ask(p, at);
		}
		if (to <= at)
			abort();
		at = to;
	}
	return asked;
}

/* Of very many small batches no more than can be measured at once. */
static void
test_many(void)
{
	struct partition_settings s = partition_defaults;
	struct partition_offsets o;
	struct partition *w, *p;
	struct lookup_range r, all;

	snprintf(dir, sizeof(dir), "%s/1", tap_dir());
	if (mkdir(dir, 0777) != 0 ||
	    partition_open(dir, PARTITION_WRITE, &s, &w, NULL) != 0 ||
	    partition_open(dir, PARTITION_READ, &s, &p, NULL) != 0)
		abort();
	for (int i = 0; i < MANY; i++)
		append_one(w, VALUE);
	if (partition_sync(w, NULL) != 0 || ask(p, 0) < 0 ||
	    lookup_range(p, 2, MANY, INT32_MAX, &all, NULL) != 0 ||
	    ask(p, 0) != 2)
		abort();
	close(all.fd);
	tap(all.next_offset == MANY && all.len > 1 << 20, "there is more");
	tap_int(lookup_next(p, 2, false, INT32_MAX, &o, &r), 0, "many");
	close(r.fd);
	tap(r.len > (1 << 20) - (64 << 10) && r.len <= 1 << 20,
	    "but a megabyte at once");
	partition_close(w);
	partition_close(p);
}

/*
 * Two that are always where the other was, and one that reads much faster: all
 * go on where they were.
 */
static bool
follow_each_other(struct partition *p)
{
	int64_t slow = ask(p, 0), fast = slow, to = slow;

	for (int i = 0; i < 3; i++) {
		to = next(p, slow, true);
		if (to < 0 || next(p, slow, true) != to)
			return false;
		for (int j = 0; j < 10; j++) {
			fast = next(p, fast, true);
			if (fast < 0)
				fast = ask(p, 0);
		}
		slow = to;
	}
	return true;
}

int
main(void)
{
	struct partition_settings s = partition_defaults;
	struct partition_offsets o;
	struct partition *w, *p;
	struct lookup_range r;
	int64_t at;

	snprintf(dir, sizeof(dir), "%s/0", tap_dir());
	if (mkdir(dir, 0777) != 0)
		abort();
	s.segment_bytes = SEGMENT;
	if (partition_open(dir, PARTITION_WRITE, &s, &w, NULL) != 0 ||
	    partition_open(dir, PARTITION_READ, &s, &p, NULL) != 0)
		abort();
	for (int i = 0; i < BATCHES; i++)
		append(w);
	tap_int(next(p, 0, true), -1, "nothing was read yet");
	at = ask(p, 0);
	tap(next(p, at, false) > at, "what comes next is told");
	tap(next(p, at, false) > at, "again, as it was not taken");
	tap_int(next(p, at + 1, false), -1, "nothing from elsewhere");
	tap_int(lookup_next(p, at + 1, false, 0, &o, &r), STATUS_END,
	    "no bytes are wanted");
	tap_int(o.high_watermark, BATCHES, "but the offsets");

	state_is_cached = false;
	tap_int(next(p, at, false), -1, "the state is not in memory");
	state_is_cached = true;
	cannot_tell = EOPNOTSUPP;
	tap_int(next(p, at, false), -1, "the file system cannot tell");
	cannot_tell = 0;
	cached_to = 0;
	tap_int(next(p, at, false), -1, "the log is not in memory");
	cached_to = 300;
	tap_int(next(p, at, false), at + 1,
	    "less is told where the rest is not in memory");
	cached_to = INT64_MAX;

	tap_int(walk(p), SEGMENTS, "each segment is asked for once");
	tap(follow_each_other(p), "two that read side by side, and a third");
	tap_int(next(p, BATCHES, true), -5, "nothing at the end");
	tap_int(next(p, BATCHES + 1, true), -1, "nor behind it");
	append(w);
	tap_int(next(p, BATCHES, true), BATCHES + 1, "what was appended since");
	append(w);
	if (partition_delete_before(w, BATCHES + 2, NULL) != 0)
		abort();
	tap_int(next(p, BATCHES + 1, true), -1, "nothing that was deleted");
	tap_int(next(p, BATCHES + 2, true), -5, "it ends where it begins");
	partition_close(w);
	partition_close(p);
	test_many();
	return tap_done();
}
