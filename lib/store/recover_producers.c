/*
 * The table of producers as of the end of the log: from the newest snapshot,
 * and the batches since.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/now.h"
#include "base/status.h"
#include "store/partition_impl.h"
#include "store/producer.h"
#include "store/seek.h"
#include "store/segment.h"
#include "store/sum.h"

/* So far back of a snapshot lie the batches that a client may repeat. */
enum { WINDOW_BYTES = 16 << 20, WINDOW_SEGMENTS = 256 };

/* The newest readable snapshot at or below the log end. */
static int
load_snapshot(struct partition *p)
{
	struct segment_list l;
	int rc;

	producer_clear(p->producers);
	rc = segment_list_read(p->dirfd, ".snapshot", &l);
	if (rc != 0)
		return rc;
	rc = ENOENT;
	for (size_t i = l.count; i > 0 && rc != 0; i--)
		if (l.bases[i - 1] <= p->st.end_offset)
			rc = producer_read_snapshot(p->producers, p->dirfd,
			    l.bases[i - 1], NULL);
	if (rc != 0)
		producer_clear(p->producers);
	segment_list_release(&l);
	return 0;
}

/* Apply the batches of one segment from the table's next offset on. */
static int
replay_segment(struct partition *p, int64_t base, int64_t end, struct fault *f)
{
	struct segment_scan scan;
	struct aborted aborted;
	const uint8_t *data;
	struct batch b;
	bool has_aborted;
	int64_t pos;
	char name[SEGMENT_NAME_LEN];
	int fd = -1, rc;

	segment_name(name, base, ".log");
	rc = io_open(p->dirfd, name, O_RDONLY, 0, &fd);
	if (rc != 0)
		return rc;
	rc = seek_offset(p->dirfd, base, fd, producer_next_offset(p->producers),
	    -1, &pos);
	segment_scan_init(&scan, PARTITION_SCAN_BLOCK);
	scan.verify = false;
	segment_scan_start(&scan, fd, pos, -1);
	/* What stands behind the end may be no batch. */
	while (rc == 0 && producer_next_offset(p->producers) < end &&
	    (rc = segment_scan_next(&scan, &b, &data)) == 0) {
		if (b.base_offset >= end)
			break;
		if (b.base_offset >= producer_next_offset(p->producers))
			rc = producer_apply(p->producers, data, &b, &aborted,
			    &has_aborted);
	}
	if (rc == STATUS_END || rc == STATUS_SHORT)
		rc = 0;
	if (rc == STATUS_CORRUPT || rc == STATUS_UNSUPPORTED)
		rc = status_fault(f, STATUS_CORRUPT, p->path, scan.pos,
		    producer_next_offset(p->producers), scan.what);
	segment_scan_release(&scan);
	(void)io_close(&fd);
	return rc;
}

/* Apply what is in the log from the table's next offset on, below end. */
static int
replay(struct partition *p, int64_t end, struct fault *f)
{
	struct segment_list l;
	struct sum sum;
	int rc = segment_list_read(p->dirfd, ".log", &l);

	if (rc != 0)
		return rc;
	for (size_t i = 0; i < l.count && l.bases[i] < end && rc == 0; i++) {
		bool sealed = i + 1 < l.count;

		if (sealed &&
		    l.bases[i + 1] <= producer_next_offset(p->producers))
			continue;
		if (sealed && sum_read(p->dirfd, l.bases[i], &sum) == 0 &&
		    (sum.flags & SUM_PRODUCERS) == 0)
			continue;
		rc = replay_segment(p, l.bases[i], end, f);
	}
	segment_list_release(&l);
	return rc;
}

/* *start: an offset in a segment so many bytes before end, or its base. */
static int
find_before_in(struct partition *p, int64_t base, int64_t end, int64_t bytes,
    int64_t *start, int64_t *size)
{
	char name[SEGMENT_NAME_LEN];
	struct stat st;
	int fd = -1, rc;

	segment_name(name, base, ".log");
	rc = io_open(p->dirfd, name, O_RDONLY, 0, &fd);
	if (rc == 0 && fstat(fd, &st) != 0)
		rc = errno;
	if (rc == 0)
		*size = st.st_size;
	if (rc == 0)
		rc = seek_before(p->dirfd, base, fd, end, bytes, start);
	(void)io_close(&fd);
	return rc;
}

/* An offset some way before end, in as many segments as that takes. */
static int
find_before(struct partition *p, int64_t end, int64_t *start)
{
	int64_t left = WINDOW_BYTES, at, size;
	struct segment_list l;
	int rc = segment_list_read(p->dirfd, ".log", &l);
	size_t i = 0;

	if (rc != 0)
		return rc;
	rc = ENOENT;
	if (l.count > 0 && l.bases[0] < end)
		i = segment_list_find(&l, end - 1) + 1;
	for (size_t n = 0; i > 0 && left > 0 && n < WINDOW_SEGMENTS; n++) {
		int64_t base = l.bases[--i];

		if (find_before_in(p, base, end, left, &at, &size) != 0)
			break;
		rc = 0;
		*start = at;
		/* It begins inside this one: that is far enough. */
		left = at > base ? 0 : left - size;
	}
	segment_list_release(&l);
	return rc;
}

/*
 * A snapshot has the last batch of each producer alone, but a client may repeat
 * any of its last five, so look at what is just before it.  It is an extra:
 * what cannot be read here is told where it is needed.
 */
static void
see_windows(struct partition *p)
{
	struct producer_table *full = p->producers, *seen = NULL;
	int64_t end = producer_next_offset(full), start;

	if (producer_count(full) == 0 || find_before(p, end, &start) != 0 ||
	    producer_new(&seen) != 0)
		return;
	producer_skip(seen, start);
	p->producers = seen;
	if (replay(p, end, NULL) == 0)
		producer_take_windows(full, seen);
	p->producers = full;
	producer_free(seen);
}

int
recover_producers(struct partition *p, struct fault *f)
{
	int rc = 0;

	if (p->producers == NULL) {
		p->producers_cuts = p->st.cuts;
		p->heard[0] = p->heard[1] =
		    (struct partition_heard){now_wall_ms(), p->st.end_offset};
		rc = producer_new(&p->producers);
		if (rc == 0)
			rc = load_snapshot(p);
		if (rc == 0)
			see_windows(p);
	}
	if (rc != 0 || producer_next_offset(p->producers) == p->st.end_offset)
		return rc;
	rc = replay(p, p->st.end_offset, f);
	if (rc == 0) {
		producer_skip(p->producers, p->st.end_offset);
		p->st.unstable_offset = producer_unstable_offset(p->producers);
	}
	return rc;
}

void
recover_producers_expire(struct partition *p)
{
	struct partition_heard now = {now_wall_ms(),
	    producer_next_offset(p->producers)};
	int64_t from = p->st.active_base;

	if (now.time_ms - p->heard[1].time_ms >=
	    PARTITION_PRODUCER_EXPIRATION_MS) {
		p->heard[0] = p->heard[1];
		p->heard[1] = now;
	}
	if (p->heard[0].end < from)
		from = p->heard[0].end;
	producer_expire(p->producers,
	    now.time_ms - PARTITION_PRODUCER_EXPIRATION_MS, from);
}
