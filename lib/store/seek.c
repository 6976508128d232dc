#include "store/seek.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/status.h"
#include "store/offindex.h"
#include "store/segment.h"
#include "store/sum.h"
#include "store/timeindex.h"

static int
open_suffix(int dirfd, int64_t base, const char *suffix, int *fd)
{
	char name[SEGMENT_NAME_LEN];

	segment_name(name, base, suffix);
	return io_open(dirfd, name, O_RDONLY, 0, fd);
}

/* A position at or before offset's batch that the headers confirm; else 0. */
static int64_t
index_hint(int dirfd, int64_t base, int log_fd, int64_t offset, int64_t limit)
{
	struct offindex_entry e;
	struct batch b;
	int64_t pos = 0;
	int fd = -1;

	if (open_suffix(dirfd, base, ".index", &fd) != 0)
		return 0;
	if (offindex_find(fd, base, offset, &e) == 0 && e.pos > 0 &&
	    (limit < 0 || e.pos < limit) &&
	    segment_header_at(log_fd, e.pos, &b) == 0 &&
	    b.base_offset >= base && b.base_offset <= e.offset)
		pos = e.pos;
	(void)io_close(&fd);
	return pos;
}

/*
 * Headers are read one by one where batches are large, a block at a time
 * where they are small.
 */
int
seek_offset(int dirfd, int64_t base, int log_fd, int64_t offset, int64_t limit,
    int64_t *pos)
{
	struct batch b;
	int rc;

	*pos = 0;
	if (offset <= base)
		return 0;
	*pos = index_hint(dirfd, base, log_fd, offset, limit);
	for (;;) {
		if (limit >= 0 && *pos >= limit)
			return 0;
		rc = segment_header_at(log_fd, *pos, &b);
		if (rc == STATUS_END || (rc == 0 && b.last_offset >= offset))
			return 0;
		if (rc == STATUS_SHORT || rc == STATUS_UNSUPPORTED)
			return 0;
		if (rc != 0)
			return rc;
		*pos += (int64_t)b.size;
	}
}

int
seek_before(int dirfd, int64_t base, int log_fd, int64_t offset, int64_t bytes,
    int64_t *start)
{
	struct offindex_entry e;
	struct batch b;
	int64_t pos;
	int fd = -1, rc;

	*start = base;
	/* Where headers do not add up it has come far enough. */
	rc = seek_offset(dirfd, base, log_fd, offset, -1, &pos);
	if (rc > 0)
		return rc;
	if (pos <= bytes || open_suffix(dirfd, base, ".index", &fd) != 0)
		return 0;
	if (offindex_find_pos(fd, base, pos - bytes, &e) == 0 && e.pos > 0 &&
	    segment_header_at(log_fd, e.pos, &b) == 0 &&
	    b.base_offset >= base && b.base_offset <= e.offset &&
	    b.base_offset < offset)
		*start = b.base_offset;
	(void)io_close(&fd);
	return 0;
}

int
seek_time(int dirfd, int64_t base, int log_fd, int64_t timestamp, int64_t limit,
    int64_t *pos)
{
	struct timeindex_entry e;
	struct batch b;
	int fd = -1, rc;

	*pos = 0;
	rc = open_suffix(dirfd, base, ".timeindex", &fd);
	if (rc != 0)
		return 0;
	rc = timeindex_find(fd, base, timestamp, &e);
	(void)io_close(&fd);
	if (rc != 0)
		return 0;
	/* Everything up to the entry's offset is older: begin behind it. */
	rc = seek_offset(dirfd, base, log_fd, e.offset, limit, pos);
	/* The batch has that very timestamp, or it is not this file's entry. */
	if (rc == 0 &&
	    (segment_header_at(log_fd, *pos, &b) != 0 ||
		b.max_timestamp != e.timestamp))
		*pos = 0;
	return rc;
}

/* The last entry of a closed time index is its largest timestamp. */
static int
last_timestamp(int dirfd, int64_t base, int64_t *timestamp)
{
	struct timeindex_entry e;
	struct stat st;
	int fd = -1, rc;

	rc = open_suffix(dirfd, base, ".timeindex", &fd);
	if (rc != 0)
		return rc;
	if (fstat(fd, &st) != 0)
		rc = errno;
	else if (st.st_size == 0 || st.st_size % TIMEINDEX_ENTRY_LEN != 0)
		rc = STATUS_CORRUPT;
	else
		rc = timeindex_get(fd, base,
		    (int32_t)(st.st_size / TIMEINDEX_ENTRY_LEN) - 1, &e);
	(void)io_close(&fd);
	if (rc == 0 && e.timestamp <= 0)
		rc = STATUS_CORRUPT;
	if (rc == 0)
		*timestamp = e.timestamp;
	return rc;
}

int
seek_max_timestamp(int dirfd, int64_t base, int64_t *timestamp)
{
	struct sum sum;

	if (sum_read(dirfd, base, &sum) == 0)
		*timestamp = sum.max_timestamp;
	else if (last_timestamp(dirfd, base, timestamp) != 0)
		*timestamp = INT64_MAX;
	return 0;
}
