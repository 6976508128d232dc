#include "store/scrub.h"

#include <sys/stat.h>
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/crc32c.h"
#include "base/io.h"
#include "base/status.h"
#include "store/batch.h"
#include "store/segment.h"
#include "store/sum.h"

enum { BLOCK = 256 << 10, STEP = 1 << 20 };

/* A stretch of the file: in memory before it was read? */
struct stretch {
	int64_t from;
	bool was_cached;
};

struct walk {
	int fd;
	struct segment_scan scan;
	uint32_t crc;		/* of the file, so far */
	int64_t offset;		/* after the last batch; -1 none */
};

static void
begin(struct stretch *s, int fd, int64_t pos)
{
	*s = (struct stretch){pos, io_is_cached(fd, pos)};
}

/* It pushes nothing out of memory that somebody reads. */
static void
end(const struct stretch *s, int fd, int64_t pos)
{
	if (!s->was_cached)
		(void)posix_fadvise(fd, s->from, pos - s->from,
		    POSIX_FADV_DONTNEED);
}

/* All batches, one behind the other. */
static int
walk_on(const struct scrub *s, struct walk *w)
{
	struct stretch stretch;
	const uint8_t *data;
	struct batch b;
	int rc = 0;

	begin(&stretch, w->fd, 0);
	while (rc == 0 && (rc = segment_scan_next(&w->scan, &b, &data)) == 0) {
		w->crc = crc32c_update(w->crc, data, b.size);
		w->offset = b.last_offset + 1;
		if (w->scan.pos - stretch.from < STEP)
			continue;
		rc = s->pace(s->arg, (size_t)(w->scan.pos - stretch.from));
		end(&stretch, w->fd, w->scan.pos);
		begin(&stretch, w->fd, w->scan.pos);
	}
	end(&stretch, w->fd, w->scan.pos);
	if (rc != STATUS_END)
		return rc;
	return s->pace(s->arg, (size_t)(w->scan.pos - stretch.from));
}

/* Does its name still lead to the file that was read? */
static bool
is_there(const struct scrub *s, int fd)
{
	char name[SEGMENT_NAME_LEN];
	struct stat ours, now;

	segment_name(name, s->base, ".log");
	return fstat(fd, &ours) == 0 && fstatat(s->dirfd, name, &now, 0) == 0 &&
	    ours.st_ino == now.st_ino && ours.st_dev == now.st_dev;
}

/*
 * Bytes that no batch's CRC covers, and batches that are missing.  The .sum is
 * written before the file that it is of is put in place.
 */
static int
hold_against_sum(const struct scrub *s, const struct walk *w,
    const struct sum *sum, const char **what)
{
	struct sum now;

	if ((sum->size == w->scan.pos && sum->crc == w->crc) ||
	    !is_there(s, w->fd) || sum_read(s->dirfd, s->base, &now) != 0 ||
	    now.crc != sum->crc || now.size != sum->size)
		return 0;
	*what = sum->size == w->scan.pos
	    ? "crc of the whole segment does not match"
	    : "not as long as it was";
	return STATUS_CORRUPT;
}

static int
read_segment(const struct scrub *s, int fd, const struct sum *sum,
    struct fault *f)
{
	struct walk w = {.fd = fd, .offset = -1};
	char path[PATH_MAX], name[SEGMENT_NAME_LEN];
	const char *what;
	int rc;

	segment_scan_init(&w.scan, BLOCK);
	segment_scan_start(&w.scan, fd, 0, -1);
	rc = walk_on(s, &w);
	what = rc == STATUS_SHORT ? "ends inside a batch" : w.scan.what;
	if (rc == STATUS_SHORT)
		rc = STATUS_CORRUPT;
	if (rc == STATUS_UNSUPPORTED ||
	    (rc == STATUS_CORRUPT && !is_there(s, fd)))
		rc = 0;
	else if (rc == 0 && sum != NULL)
		rc = hold_against_sum(s, &w, sum, &what);
	segment_name(name, s->base, ".log");
	snprintf(path, sizeof(path), "%s/%s", s->path, name);
	if (rc == STATUS_CORRUPT)
		(void)status_fault(f, rc, path, w.scan.pos, w.offset, what);
	segment_scan_release(&w.scan);
	return rc;
}

int
scrub_segment(const struct scrub *s, struct fault *f)
{
	char name[SEGMENT_NAME_LEN];
	struct sum sum;
	bool has_sum = sum_read(s->dirfd, s->base, &sum) == 0;
	int fd = -1, rc;

	segment_name(name, s->base, ".log");
	rc = io_open(s->dirfd, name, O_RDONLY, 0, &fd);
	if (rc == 0)
		rc = read_segment(s, fd, has_sum ? &sum : NULL, f);
	(void)io_close(&fd);
	return rc == ENOENT ? 0 : rc;
}
