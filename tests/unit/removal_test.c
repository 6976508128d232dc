/*
 * Calls that remove segments, killed at each removal of a file: the next call
 * does what was left.
 */

#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "append.h"
#include "base/now.h"
#include "base/status.h"
#include "store/check.h"
#include "store/partition.h"
#include "store/reader.h"
#include "store/replica.h"
#include "store/retain.h"
#include "store/segment.h"
#include "store/state.h"
#include "tap.h"

static char dir[256];
static int removals_left = -1;	/* the process dies at the one after */

/* In place of libc's: all removals of files go by it. */
int
unlinkat(int dirfd, const char *name, int flags)
{
	if (removals_left >= 0 && removals_left-- == 0)
		(void)kill(getpid(), SIGKILL);
	return (int)syscall(SYS_unlinkat, dirfd, name, flags);
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

/* Segments at 0, 4, 8 and 12, of four records each. */
static void
make(const char *root)
{
	static int count;
	struct partition *p;

	snprintf(dir, sizeof(dir), "%s/%d", root, count++);
	if (mkdir(dir, 0777) != 0)
		abort();
	p = open_dir();
	for (int i = 0; i < 16; i++) {
		if (i > 0 && i % 4 == 0 && partition_roll(p, NULL) != 0)
			abort();
		append_one(p, "some text");
	}
	if (partition_sync(p, NULL) != 0)
		abort();
	partition_close(p);
}

static int
cut(struct partition *p)
{
	return replica_truncate(p, 2, NULL);
}

static int
delete_some(struct partition *p)
{
	return partition_delete_before(p, 12, NULL);
}

static int
delete_by_offset(struct partition *p)
{
	struct retain_stats stats;

	return retain_before(p, 12, false, &stats, NULL);
}

/* All but the last segment, by their size. */
static int
delete_by_size(struct partition *p)
{
	const struct retain_options o = {.now_ms = now_wall_ms(),
	    .retention_ms = -1,
	    .retention_bytes = 1,
	    .sealed_only = true};
	struct retain_stats stats;

	return retain_run(p, &o, &stats, NULL);
}

/* Is it killed at that removal? */
static bool
is_killed_at(int removal, int (*call)(struct partition *p))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct partition *p = open_dir();

		removals_left = removal;
		_exit(call(p) == 0 ? 0 : 1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		abort();
	if (!WIFSIGNALED(status))
		tap_int(status, 0, "it is done");
	return WIFSIGNALED(status);
}

/* What logfsck would find, and files of a segment whose log is not there. */
static size_t
findings(void)
{
	struct partition *p = open_dir();
	DIR *d = opendir(dir);
	struct dirent *e;
	struct check c;
	size_t count;

	check_init(&c);
	if (check_run(p, true, &c, NULL) != 0 || d == NULL)
		abort();
	count = c.count;
	check_release(&c);
	partition_close(p);
	while ((e = readdir(d)) != NULL) {
		char log[512];

		if (strspn(e->d_name, "0123456789") != 20)
			continue;
		snprintf(log, sizeof(log), "%s/%.20s.log", dir, e->d_name);
		if (access(log, F_OK) != 0)
			count++;
	}
	closedir(d);
	return count;
}

/* The records from offset on are there, and so many segments. */
static void
expect(int removal, int64_t start, int64_t end, size_t segments)
{
	struct partition *p = open_dir();
	struct reader *r = NULL;
	struct segment_list l;
	const uint8_t *data;
	struct batch b;
	int64_t next = start;

	if (reader_open(p, 0, 0, &r, NULL) != 0 ||
	    segment_list_read(partition_dirfd(p), ".log", &l) != 0)
		abort();
	while (reader_next(r, &b, &data, NULL) == 0 && b.base_offset == next)
		next++;
	tap_int(next, end, "killed at removal %d, and again: to the end",
	    removal);
	tap_int(l.count, segments, "no segment is left over");
	tap_int(findings(), 0, "and nothing is wrong");
	segment_list_release(&l);
	reader_close(r);
	partition_close(p);
}

static void
test_cut(const char *root)
{
	for (int removal = 0, killed = 1; killed != 0; removal++) {
		struct partition *p;

		make(root);
		p = open_dir();
		if (replica_demote(p, NULL) != 0)
			abort();
		partition_close(p);
		killed = is_killed_at(removal, cut);
		p = open_dir();
		tap_int(replica_adopt(p, NULL), 0, "still a replica");
		tap_int(cut(p), 0, "the next call goes on");
		partition_close(p);
		expect(removal, 0, 2, 1);
	}
}

/* What was cut short is not cut further, but has another use. */
static void
test_promoted(const char *root)
{
	for (int removal = 0, killed = 1; killed != 0; removal++) {
		struct partition_offsets o;
		struct partition *p;

		make(root);
		p = open_dir();
		if (replica_demote(p, NULL) != 0)
			abort();
		partition_close(p);
		killed = is_killed_at(removal, cut);
		p = open_dir();
		tap_int(partition_set_role(p, STATE_ROLE_OPEN, NULL), 0,
		    "promoted");
		append_one(p, "more");
		tap_int(partition_sync(p, NULL), 0, "and appended to");
		if (partition_offsets(p, &o, NULL) != 0)
			abort();
		partition_close(p);
		expect(removal, 0, o.log_end, (size_t)(o.log_end + 6) / 4);
	}
}

static void
test_delete(const char *root, int (*call)(struct partition *p))
{
	for (int removal = 0, killed = 1; killed != 0; removal++) {
		struct partition *p;

		make(root);
		killed = is_killed_at(removal, call);
		p = open_dir();
		tap_int(call(p), 0, "the next call");
		partition_close(p);
		expect(removal, 12, 16, 1);
	}
}

int
main(void)
{
	const char *root = tap_dir();

	test_cut(root);
	test_promoted(root);
	test_delete(root, delete_some);
	test_delete(root, delete_by_offset);
	test_delete(root, delete_by_size);
	return tap_done();
}
