#include "store/timeindex.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/status.h"

int
timeindex_get(int fd, int64_t base, int32_t i, struct timeindex_entry *out)
{
	uint8_t p[TIMEINDEX_ENTRY_LEN];
	int rc =
	    io_pread_full(fd, p, sizeof(p), (int64_t)i * TIMEINDEX_ENTRY_LEN);

	if (rc != 0)
		return rc == STATUS_SHORT ? STATUS_END : rc;
	out->timestamp = (int64_t)buf_get_64(p);
	/* As offindex_get(). */
	out->offset = (int64_t)((uint64_t)base +
	    (uint64_t)(int64_t)(int32_t)buf_get_32(p + 8));
	return 0;
}

/* A void entry is all zero behind the first; see offindex_find(). */
int
timeindex_find(int fd, int64_t base, int64_t timestamp,
    struct timeindex_entry *out)
{
	struct timeindex_entry e, best = {0, -1};
	int64_t low = 0, high;
	struct stat st;
	int rc;

	if (fstat(fd, &st) != 0)
		return errno;
	high = st.st_size / TIMEINDEX_ENTRY_LEN;
	if (high > INT32_MAX)
		high = INT32_MAX;
	while (low < high) {
		int64_t mid = low + (high - low) / 2;

		rc = timeindex_get(fd, base, (int32_t)mid, &e);
		if (rc != 0)
			return rc;
		if ((mid > 0 && e.timestamp == 0 && e.offset == base) ||
		    e.timestamp >= timestamp) {
			high = mid;
		} else {
			best = e;
			low = mid + 1;
		}
	}
	if (best.offset < base)
		return STATUS_END;
	*out = best;
	return 0;
}

int
timeindex_append(int fd, int64_t base, int32_t count, int64_t timestamp,
    int64_t offset)
{
	uint8_t p[TIMEINDEX_ENTRY_LEN];

	if (offset < base || offset - base > INT32_MAX)
		return ERANGE;
	buf_put_64(p, (uint64_t)timestamp);
	buf_put_32(p + 8, (uint32_t)(offset - base));
	return io_pwrite_full(fd, p, sizeof(p),
	    (int64_t)count * TIMEINDEX_ENTRY_LEN);
}
