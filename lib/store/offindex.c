#include "store/offindex.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/status.h"

int
offindex_get(int fd, int64_t base, int32_t i, struct offindex_entry *out)
{
	uint8_t p[OFFINDEX_ENTRY_LEN];
	int rc =
	    io_pread_full(fd, p, sizeof(p), (int64_t)i * OFFINDEX_ENTRY_LEN);

	if (rc != 0)
		return rc == STATUS_SHORT ? STATUS_END : rc;
	/* What is beyond all offsets becomes one below the base: void. */
	out->offset = (int64_t)((uint64_t)base +
	    (uint64_t)(int64_t)(int32_t)buf_get_32(p));
	out->pos = (int32_t)buf_get_32(p + 4);
	return 0;
}

/*
 * The last entry that is above neither.  Zeroes behind the last entry sort
 * below everything, which a binary search over "is void or above" takes as the
 * upper end.
 */
static int
find(int fd, int64_t base, int64_t offset, int64_t pos,
    struct offindex_entry *out)
{
	struct offindex_entry e, best = {0, -1};
	int64_t low = 0, high;
	struct stat st;
	int rc;

	if (fstat(fd, &st) != 0)
		return errno;
	high = st.st_size / OFFINDEX_ENTRY_LEN;
	if (high > INT32_MAX)
		high = INT32_MAX;
	while (low < high) {
		int64_t mid = low + (high - low) / 2;

		rc = offindex_get(fd, base, (int32_t)mid, &e);
		if (rc != 0)
			return rc;
		if ((mid > 0 && e.pos <= 0) || e.offset > offset ||
		    e.pos > pos) {
			high = mid;
		} else {
			best = e;
			low = mid + 1;
		}
	}
	if (best.pos < 0 || best.offset < base)
		return STATUS_END;
	*out = best;
	return 0;
}

int
offindex_find(int fd, int64_t base, int64_t offset, struct offindex_entry *out)
{
	return find(fd, base, offset, INT64_MAX, out);
}

int
offindex_find_pos(int fd, int64_t base, int64_t pos, struct offindex_entry *out)
{
	return find(fd, base, INT64_MAX, pos, out);
}

int
offindex_append(int fd, int64_t base, int32_t count, int64_t offset,
    int64_t pos)
{
	uint8_t p[OFFINDEX_ENTRY_LEN];

	if (offset < base || offset - base > INT32_MAX || pos > INT32_MAX)
		return ERANGE;
	buf_put_32(p, (uint32_t)(offset - base));
	buf_put_32(p + 4, (uint32_t)pos);
	return io_pwrite_full(fd, p, sizeof(p),
	    (int64_t)count * OFFINDEX_ENTRY_LEN);
}
