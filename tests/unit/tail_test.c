/*
 * A directory that is listed while segments begin: of two, the listing may have
 * the later one alone.  Nobody may take the other for lost, or pass over it.
 */

#include "store/tail.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "append.h"
#include "base/status.h"
#include "store/batch.h"
#include "store/count.h"
#include "store/partition.h"
#include "store/reader.h"
#include "store/segment.h"
#include "tap.h"

static char dir[300];
static struct partition *writer;
static int64_t end;		/* of what is written */

/* While a directory is being read, begin segments, and hide one of them. */
static int to_begin;
static char hidden[SEGMENT_NAME_LEN];

static void
append(void)
{
	append_one(writer, "a value");
	if (partition_sync(writer, NULL) != 0)
		abort();
	end++;
}

static void
begin_segment(void)
{
	if (partition_roll(writer, NULL) != 0)
		abort();
	append();
	append();
}

struct dirent *
readdir(DIR *d)
{
	static struct dirent *(*next)(DIR *);
	struct dirent *e;

	if (next == NULL)
		*(void **)&next = dlsym(RTLD_NEXT, "readdir");
	if (to_begin > 0) {
		/* Made behind where the reading is: not seen by it. */
		segment_name(hidden, end, ".log");
		while (to_begin > 0) {
			to_begin--;
			begin_segment();
		}
		rewinddir(d);
	}
	e = next(d);
	if (e != NULL && strcmp(e->d_name, hidden) == 0)
		e = next(d);
	if (e == NULL)
		hidden[0] = '\0';
	return e;
}

/* Where reading on from there leads, -1 behind the end. */
static int64_t
read_to_end(struct reader *r, int64_t from)
{
	const uint8_t *data;
	struct batch b;
	int rc;

	while ((rc = reader_next(r, &b, &data, NULL)) == 0) {
		if (b.base_offset != from)
			return b.base_offset;
		from = b.last_offset + 1;
	}
	return rc == STATUS_END && from == end ? -1 : from;
}

/* A follower that has come to the end, with a listing that is due. */
static void
check_reader(void)
{
	struct partition *p = NULL;
	struct reader *r = NULL;

	if (partition_open(dir, PARTITION_READ, &partition_defaults, &p,
		NULL) != 0 ||
	    reader_open(p, 0, 0, &r, NULL) != 0)
		abort();
	tap_int(read_to_end(r, 0), -1, "read to the end");
	for (int n = 1; n <= 4; n++) {
		int64_t from = end;

		/* The listing is made because there is more to read. */
		begin_segment();
		if (reader_refresh(r, NULL) != 0)
			abort();
		to_begin = n;
		tap(read_to_end(r, from) >= -1 && reader_offset(r) > from,
		    "%d segments begun while one is looked for", n);
		if (reader_refresh(r, NULL) != 0)
			abort();
		tap_int(read_to_end(r, reader_offset(r)), -1,
		    "and on to the end");
	}
	reader_close(r);
	partition_close(p);
}

static void
check_list(void)
{
	struct partition *p = NULL;
	struct segment_list l, all;
	struct count c;

	if (partition_open(dir, PARTITION_READ, &partition_defaults, &p,
		NULL) != 0)
		abort();
	for (int n = 1; n <= 4; n++) {
		to_begin = n;
		if (tail_list(p, &l) != 0 ||
		    segment_list_read(partition_dirfd(p), ".log", &all) != 0)
			abort();
		tap(l.count > 0 && l.count <= all.count &&
			memcmp(l.bases, all.bases,
			    l.count * sizeof(*l.bases)) == 0,
		    "a listing beside %d new segments has no gap", n);
		segment_list_release(&l);
		segment_list_release(&all);
		to_begin = n;
		tap_int(count_partition(p, &c, NULL, NULL), 0, "counted");
	}
	partition_close(p);
}

int
main(void)
{
	struct partition_settings settings = partition_defaults;

	snprintf(dir, sizeof(dir), "%s/p", tap_dir());
	if (mkdir(dir, 0777) != 0 ||
	    partition_open(dir, PARTITION_WRITE, &settings, &writer, NULL) != 0)
		abort();
	append();
	check_reader();
	check_list();
	partition_close(writer);
	return tap_done();
}
