/* Reading what is to be compacted. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/crc32c.h"
#include "base/io.h"
#include "base/status.h"
#include "store/compact_impl.h"
#include "store/seek.h"
#include "store/sum.h"
#include "store/txnindex.h"

static int
damaged(struct compaction *c, int64_t base, int64_t pos, int64_t offset,
    const char *what)
{
	char name[SEGMENT_NAME_LEN], path[512];

	segment_name(name, base, ".log");
	snprintf(path, sizeof(path), "%s/%s", partition_path(c->p), name);
	return status_fault(c->f, STATUS_CORRUPT, path, pos, offset, what);
}

static int
open_segment(struct compaction *c, int64_t base, int *fd, int64_t *size)
{
	char name[SEGMENT_NAME_LEN];
	struct stat st;
	int rc;

	segment_name(name, base, ".log");
	rc = io_open(partition_dirfd(c->p), name, O_RDONLY, 0, fd);
	if (rc == 0 && fstat(*fd, &st) != 0)
		rc = errno;
	if (rc == 0)
		*size = st.st_size;
	return rc;
}

/*
 * All of a segment was read: is it what its .sum says?  That alone tells of a
 * header that has changed.  A dry run may find the .sum of another file.
 */
static int
check_sum(struct compaction *c, int64_t base, int fd, int64_t size,
    uint32_t crc)
{
	struct sum sum;

	if (sum_read(partition_dirfd(c->p), base, &sum) != 0 ||
	    sum.size != size || sum.crc == crc)
		return 0;
	if (c->o->dry_run &&
	    segment_is_replaced(partition_dirfd(c->p), base, fd))
		return EAGAIN;
	return damaged(c, base, 0, base,
	    "the segment's crc does not match, see logfsck(1)");
}

int
compact_walk(struct compaction *c, int64_t base, int64_t from,
    compact_visit *fn, void *arg)
{
	const uint8_t *data;
	struct batch b;
	int64_t pos = 0, size, last = base - 1;
	uint32_t crc = 0;
	int fd = -1;
	int rc = open_segment(c, base, &fd, &size);

	if (rc == 0 && from > base)
		rc = seek_offset(partition_dirfd(c->p), base, fd, from, -1,
		    &pos);
	segment_scan_start(&c->scan, fd, pos,
	    base == c->active ? c->active_size : -1);
	while (rc == 0) {
		rc = segment_scan_next(&c->scan, &b, &data);
		if (rc == STATUS_END)
			break;
		if (rc == 0 && b.base_offset <= last)
			rc = STATUS_CORRUPT;
		if (rc < 0) {
			rc = damaged(c, base, c->scan.pos, last + 1,
			    c->scan.what);
			break;
		}
		last = b.last_offset;
		crc = crc32c_update(crc, data, rc == 0 ? b.size : 0);
		rc = rc == 0 ? fn(c, data, &b, arg) : rc;
		if (rc == STATUS_CORRUPT)
			rc = damaged(c, base, c->scan.pos - (int64_t)b.size,
			    b.base_offset, "records do not add up");
		if (rc == 0 && c->o->pace != NULL)
			rc = c->o->pace(c->o->pace_arg, b.size);
	}
	if (rc == STATUS_END)
		rc = pos == 0 ? check_sum(c, base, fd, c->scan.pos, crc) : 0;
	(void)io_close(&fd);
	return rc;
}

int
compact_begin_transactions(struct compaction *c, size_t i, int64_t from)
{
	struct aborted_list all;
	int32_t count;
	int rc = 0;

	transactions_free(c->txns);
	c->txns = NULL;
	txnindex_list_init(&all);
	for (; rc == 0 && i < c->segments.count; i++)
		rc = txnindex_read(partition_dirfd(c->p), c->segments.bases[i],
		    from, &all, &count);
	if (rc == 0)
		rc = transactions_new(&all, &c->txns);
	txnindex_list_release(&all);
	return rc;
}

int
compact_take(const struct compaction *c, struct batch_records *it,
    struct handful *h)
{
	return handful_take(h, it, c->o->keep_last_only ? c->map : NULL,
	    c->o->drop);
}
