#include "store/ahead.h"

#include <sys/stat.h>

#include "base/io.h"

void
ahead_prepare(struct ahead *a, int fd, int64_t pos, int64_t len,
    int64_t size_max)
{
	int64_t more = pos / 8, end = pos + len;

	a->written += len;
	if (a->is_off || a->written <= AHEAD_AFTER_BYTES || end <= a->end)
		return;
	if (a->end < pos)
		a->end = pos;
	end += more < AHEAD_BYTES_MAX ? more : AHEAD_BYTES_MAX;
	if (end > size_max)
		end = size_max;
	if (end <= a->end)
		return;
	/* A hint: the write itself will say what is wrong. */
	a->is_off = io_allocate(fd, a->end, end - a->end) != 0;
	a->end = end;
}

void
ahead_give_back(int fd, int64_t size)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && st.st_size == size &&
	    (int64_t)st.st_blocks * 512 > size + (1 << 20))
		(void)io_truncate(fd, size);
}
