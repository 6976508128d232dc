#include "store/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/dir.h"
#include "base/io.h"
#include "base/status.h"

enum { NAME_DIGITS = 20 };

/* By hand: it is on the path of every one-shot append. */
void
segment_name(char out[SEGMENT_NAME_LEN], int64_t base, const char *suffix)
{
	for (int i = NAME_DIGITS - 1; i >= 0; i--) {
		out[i] = (char)('0' + base % 10);
		base /= 10;
	}
	strlcpy(out + NAME_DIGITS, suffix, SEGMENT_NAME_LEN - NAME_DIGITS);
}

bool
segment_parse_name(const char *name, const char *suffix, int64_t *base)
{
	int64_t v = 0;

	for (int i = 0; i < NAME_DIGITS; i++) {
		if (name[i] < '0' || name[i] > '9')
			return false;
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, name[i] - '0', &v))
			return false;
	}
	if (strcmp(name + NAME_DIGITS, suffix) != 0)
		return false;
	*base = v;
	return true;
}

int
segment_remove(int dirfd, int64_t base)
{
	static const char *const suffixes[] = {".index", ".timeindex",
	    ".txnindex", ".snapshot", ".sum", ".log"};
	int rc = 0;

	for (size_t i = 0; i < 6 && rc == 0; i++) {
		char name[SEGMENT_NAME_LEN];

		segment_name(name, base, suffixes[i]);
		rc = io_unlink(dirfd, name);
		if (rc == ENOENT)
			rc = 0;
	}
	return rc;
}

static int
compare_bases(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int
list_add(struct segment_list *l, size_t *cap, int64_t base)
{
	if (l->count == SEGMENTS_MAX)
		return STATUS_TOO_BIG;
	if (l->count == *cap) {
		size_t more = *cap == 0 ? 64 : *cap * 2;
		int64_t *bases = reallocarray(l->bases, more, sizeof(*bases));

		if (bases == NULL)
			return ENOMEM;
		l->bases = bases;
		*cap = more;
	}
	l->bases[l->count++] = base;
	return 0;
}

bool
segment_is_replaced(int dirfd, int64_t base, int fd)
{
	char name[SEGMENT_NAME_LEN];
	struct stat was, is;

	segment_name(name, base, ".log");
	return fstat(fd, &was) == 0 && fstatat(dirfd, name, &is, 0) == 0 &&
	    (was.st_ino != is.st_ino || was.st_dev != is.st_dev);
}

int
segment_list_read(int dirfd, const char *suffix, struct segment_list *l)
{
	struct dirent *d;
	size_t cap = 0;
	int64_t base;
	DIR *dir;
	int rc;

	*l = (struct segment_list){NULL, 0};
	rc = dir_open(dirfd, ".", &dir);
	if (rc != 0)
		return rc;
	while (errno = 0, rc == 0 && (d = readdir(dir)) != NULL)
		if (segment_parse_name(d->d_name, suffix, &base))
			rc = list_add(l, &cap, base);
	if (rc == 0)
		rc = errno;
	closedir(dir);
	if (rc != 0)
		segment_list_release(l);
	else if (l->count > 1)
		qsort(l->bases, l->count, sizeof(*l->bases), compare_bases);
	return rc;
}

void
segment_list_release(struct segment_list *l)
{
	free(l->bases);
	*l = (struct segment_list){NULL, 0};
}

void
segment_list_skip(struct segment_list *l, int64_t offset)
{
	size_t gone = 0;

	while (gone + 1 < l->count && l->bases[gone + 1] <= offset)
		gone++;
	if (gone == 0)
		return;
	l->count -= gone;
	memmove(l->bases, l->bases + gone, l->count * sizeof(*l->bases));
}

size_t
segment_list_find(const struct segment_list *l, int64_t offset)
{
	size_t low = 0, high = l->count;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (l->bases[mid] <= offset)
			low = mid;
		else
			high = mid;
	}
	return low;
}

void
segment_scan_init(struct segment_scan *s, size_t block_bytes)
{
	*s = (struct segment_scan){.fd = -1,
	    .limit = -1,
	    .verify = true,
	    .block_bytes = block_bytes};
	buf_init(&s->block, BATCH_BYTES_MAX + block_bytes);
}

void
segment_scan_release(struct segment_scan *s)
{
	buf_release(&s->block);
}

void
segment_scan_start(struct segment_scan *s, int fd, int64_t pos, int64_t limit)
{
	s->fd = fd;
	s->pos = pos;
	s->limit = limit;
	s->block.len = 0;
	s->block_pos = pos;
	s->what = NULL;
}

/* Bytes of the block at pos. */
static size_t
block_left(const struct segment_scan *s)
{
	return s->block.len - (size_t)(s->pos - s->block_pos);
}

static const uint8_t *
block_at(const struct segment_scan *s)
{
	return s->block.data + (s->pos - s->block_pos);
}

/*
 * Have at least need bytes from pos on in the block, or all there are.  What
 * is left of the old block moves to the front; the rest is read behind it.
 */
static int
fill(struct segment_scan *s, size_t need)
{
	size_t left = block_left(s), want, got;
	int rc;

	if (left >= need)
		return 0;
	if (left > 0)
		memmove(s->block.data, block_at(s), left);
	s->block.len = left;
	s->block_pos = s->pos;
	want = need > s->block_bytes ? need : s->block_bytes;
	if (s->limit >= 0 && s->pos + (int64_t)want > s->limit)
		want = (size_t)(s->limit - s->pos);
	if (want <= left)
		return 0;
	rc = buf_reserve(&s->block, want - left);
	if (rc != 0)
		return rc;
	rc = io_pread(s->fd, s->block.data + left, want - left,
	    s->pos + (int64_t)left, &got);
	s->block.len += got;
	return rc;
}

int
segment_scan_next(struct segment_scan *s, struct batch *b, const uint8_t **data)
{
	int rc;

	s->what = NULL;
	rc = fill(s, BATCH_HEADER_LEN);
	if (rc != 0)
		return rc;
	if (block_left(s) == 0)
		return STATUS_END;
	rc = batch_decode(block_at(s), block_left(s), b, &s->what);
	if (rc == STATUS_SHORT)
		s->what = "ends inside a batch header";
	if (rc == STATUS_UNSUPPORTED)
		s->what = "message format version 0 or 1";
	if (rc != 0)
		return rc;
	rc = fill(s, b->size);
	if (rc != 0)
		return rc;
	if (block_left(s) < b->size) {
		s->what = "ends inside a batch";
		return STATUS_SHORT;
	}
	if (s->verify && batch_verify(block_at(s), b) != 0) {
		s->what = "crc does not match";
		return STATUS_CORRUPT;
	}
	*data = block_at(s);
	s->pos += (int64_t)b->size;
	return 0;
}

/*
 * Could a batch begin here?  Cheap enough for every byte of a file: only the
 * version byte and the upper length byte are looked at.
 */
static bool
is_candidate(const uint8_t *p)
{
	return p[BATCH_MAGIC] == 2 && p[BATCH_LENGTH] < 8 &&
	    p[BATCH_BASE_OFFSET] < 0x80;
}

int
segment_scan_resync(struct segment_scan *s, int64_t offset_min,
    int64_t offset_max)
{
	const uint8_t *data;
	struct batch b;
	int rc;

	for (;;) {
		s->pos++;
		rc = fill(s, BATCH_HEADER_LEN);
		if (rc != 0)
			return rc;
		if (block_left(s) < BATCH_HEADER_LEN) {
			s->pos += (int64_t)block_left(s);
			return STATUS_END;
		}
		if (!is_candidate(block_at(s)))
			continue;
		rc = batch_decode(block_at(s), block_left(s), &b, NULL);
		if (rc != 0 || b.base_offset < offset_min ||
		    b.base_offset >= offset_max)
			continue;
		rc = segment_scan_next(s, &b, &data);
		if (rc > 0)
			return rc;
		if (rc != 0)
			continue;
		s->pos -= (int64_t)b.size;
		return 0;
	}
}

int
segment_header_at(int fd, int64_t pos, struct batch *b)
{
	uint8_t header[BATCH_HEADER_LEN];
	size_t got;
	int rc = io_pread(fd, header, sizeof(header), pos, &got);

	if (rc != 0)
		return rc;
	if (got == 0)
		return STATUS_END;
	return batch_decode(header, got, b, NULL);
}
