/*
 * What changes in a source's directories: told once each, and nothing else.
 */

#include <sys/stat.h>

#include <stdio.h>
#include <stdlib.h>

#include "replicate/changes.h"
#include "tap.h"

enum { DIRS = 500 };

static const char *root;

static void
path_of(int n, char path[256])
{
	snprintf(path, 256, "%s/%d", root, n);
}

static void
add(struct changes *c, int n)
{
	struct source_changed what = {SOURCE_PARTITION, 7, n};
	char path[256];

	path_of(n, path);
	if (changes_add(c, path, &what) != 0)
		abort();
}

static void
touch(int n, const char *name)
{
	char path[256], file[300];
	FILE *f;

	path_of(n, path);
	snprintf(file, sizeof(file), "%s/%s", path, name);
	f = fopen(file, "w");
	if (f == NULL || fputs("x", f) == EOF || fclose(f) != 0)
		abort();
}

/* How often each was told. */
static int
told(struct changes *c, int counts[DIRS])
{
	struct source_changed out;
	int all = 0;

	memset(counts, 0, DIRS * sizeof(*counts));
	for (; changes_next(c, &out); all++) {
		if (out.what != SOURCE_PARTITION || out.topic != 7)
			abort();
		counts[out.partition]++;
	}
	return all;
}

int
main(void)
{
	struct changes *c;
	int counts[DIRS];
	char path[256];
	bool any, lost, once = true;

	root = tap_dir();
	for (int n = 0; n < DIRS; n++) {
		path_of(n, path);
		if (mkdir(path, 0777) != 0)
			abort();
	}
	if (changes_open(&c) != 0)
		abort();
	if (changes_fd(c) < 0)
		abort();
	for (int n = 0; n < 10; n++)
		add(c, n);
	changes_take(c, &any, &lost);
	tap(!any, "nothing waits");
	tap_int(told(c, counts), 0, "nothing has happened");
	touch(3, "a");
	touch(3, "b");
	touch(5, "a");
	changes_take(c, &any, &lost);
	tap(!lost, "nothing is lost");
	tap_int(told(c, counts), 2, "two have changed");
	tap(counts[3] == 1 && counts[5] == 1, "each is told once");
	/* More are watched while some wait. */
	touch(9, "a");
	touch(1, "a");
	changes_take(c, &any, &lost);
	for (int n = 10; n < DIRS; n++)
		add(c, n);
	add(c, 9);
	for (int n = 0; n < DIRS; n++)
		touch(n, "c");
	changes_take(c, &any, &lost);
	tap_int(told(c, counts), DIRS, "all have changed");
	for (int n = 0; n < DIRS; n++)
		once = once && counts[n] == 1;
	tap(once, "each is told once");
	changes_take(c, &any, &lost);
	tap_int(told(c, counts), 0, "and then no more");
	changes_close(c);
	return tap_done();
}
