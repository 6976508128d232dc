#include "proven.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/io.h"
#include "base/status.h"
#include "store/batch.h"
#include "store/segment.h"

enum { BLOCK = 256 << 10 };

void
proven_init(struct proven *p)
{
	*p = (struct proven){.turn = 0};
	pthread_mutex_init(&p->lock, NULL);
}

void
proven_release(struct proven *p)
{
	pthread_mutex_destroy(&p->lock);
}

/* --- what is known -------------------------------------------------------- */

static bool
is_same(const struct proven_file *a, const struct proven_file *b)
{
	return a->inode == b->inode && a->made_ns == b->made_ns;
}

static int
look(int fd, struct proven_file *out)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_BTIME, &st) != 0)
		return errno;
	*out = (struct proven_file){.inode = st.stx_ino};
	if ((st.stx_mask & STATX_BTIME) != 0)
		out->made_ns =
		    st.stx_btime.tv_sec * 1000000000 + st.stx_btime.tv_nsec;
	return 0;
}

/* The stretch of that file that begins at or before from, and reaches it. */
static struct proven_stretch *
find(struct proven *p, const struct proven_file *file, int64_t from)
{
	struct proven_stretch *s;

	for (int i = 0; i < PROVEN_STRETCHES; i++) {
		s = &p->stretches[i];
		if (s->to > 0 && is_same(&s->file, file) && s->from <= from &&
		    from <= s->to)
			return s;
	}
	return NULL;
}

/* How far from there on all is known to be good. */
static int64_t
known_to(struct proven *p, const struct proven_file *file, int64_t from)
{
	struct proven_stretch *s;
	int64_t to = from;

	pthread_mutex_lock(&p->lock);
	s = find(p, file, from);
	if (s != NULL)
		to = s->to;
	pthread_mutex_unlock(&p->lock);
	return to;
}

static void
note(struct proven *p, const struct proven_file *file, int64_t from, int64_t to)
{
	struct proven_stretch *s;

	pthread_mutex_lock(&p->lock);
	s = find(p, file, from);
	if (s == NULL) {
		s = &p->stretches[p->turn++ % PROVEN_STRETCHES];
		*s = (struct proven_stretch){*file, from, to};
	} else if (to > s->to) {
		s->to = to;
	}
	pthread_mutex_unlock(&p->lock);
}

/* --- looking -------------------------------------------------------------- */

/* What was checked may have left memory since. */
static void
bring(int fd, int64_t pos, int64_t end)
{
	uint8_t block[64 << 10];
	ssize_t n;

	if (io_is_cached(fd, pos) && io_is_cached(fd, end - 1))
		return;
	(void)posix_fadvise(fd, pos, end - pos, POSIX_FADV_WILLNEED);
	for (; pos < end; pos += n) {
		n = pread(fd, block, sizeof(block), pos);
		if (n <= 0)
			return;
	}
}

/* How far it is good. */
static int
check(int fd, int64_t pos, int64_t end, int64_t *good, const char **what)
{
	struct segment_scan scan;
	const uint8_t *data;
	struct batch b;
	int rc = 0;

	segment_scan_init(&scan, BLOCK);
	segment_scan_start(&scan, fd, pos, end);
	while (rc == 0 && scan.pos < end)
		rc = segment_scan_next(&scan, &b, &data);
	*what = scan.what;
	*good = scan.pos;
	segment_scan_release(&scan);
	return rc;
}

int
proven_check(struct proven *p, int fd, int64_t pos, int64_t *len,
    const char **what)
{
	int64_t end = pos + *len, good;
	struct proven_file file;
	int rc = look(fd, &file);

	if (rc != 0)
		return rc;
	good = known_to(p, &file, pos);
	if (good >= end) {
		bring(fd, pos, end);
		return 0;
	}
	rc = check(fd, good, end, &good, what);
	/* Where files have no times, it may be another one. */
	if (rc != 0 && good > pos && file.made_ns == 0)
		rc = check(fd, pos, end, &good, what);
	if (good > pos)
		note(p, &file, pos, good);
	*len = good - pos;
	return *len > 0 ? 0 : rc;
}

bool
proven_is_known(struct proven *p, int fd, int64_t pos, int64_t len)
{
	struct proven_file file;

	return look(fd, &file) == 0 && known_to(p, &file, pos) >= pos + len &&
	    io_is_cached(fd, pos) && io_is_cached(fd, pos + len - 1);
}

static bool
is_good(const uint8_t *data, size_t len)
{
	struct batch b;

	for (; len > 0; data += b.size, len -= b.size)
		if (batch_decode(data, len, &b, NULL) != 0 || b.size > len ||
		    batch_verify(data, &b) != 0)
			return false;
	return true;
}

bool
proven_is_good(struct proven *p, int fd, int64_t pos, const uint8_t *data,
    size_t len)
{
	int64_t end = pos + (int64_t)len;
	struct proven_file file;

	if (look(fd, &file) != 0)
		return false;
	if (known_to(p, &file, pos) >= end)
		return true;
	if (!is_good(data, len))
		return false;
	note(p, &file, pos, end);
	return true;
}
