/* An offset index: whatever is in the file, an entry is what was asked for. */

#include "store/offindex.h"

#include "base/status.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	struct offindex_entry e, one;
	int64_t base, offset, pos;
	int32_t i;
	int fd;

	base = (int64_t)(fuzz_number(&in, 8) & INT64_MAX);
	offset = (int64_t)(fuzz_number(&in, 8) & INT64_MAX);
	pos = (int64_t)fuzz_number(&in, 4);
	i = (int32_t)fuzz_number(&in, 4);
	fd = fuzz_file(in.data, in.len);
	if (offindex_find(fd, base, offset, &e) == 0)
		fuzz_must(e.offset <= offset && e.offset >= base && e.pos >= 0);
	if (offindex_find_pos(fd, base, pos, &e) == 0)
		fuzz_must(e.pos <= pos && e.offset >= base);
	if (i >= 0 && offindex_get(fd, base, i, &e) == 0)
		fuzz_must((size_t)i < in.len / OFFINDEX_ENTRY_LEN);
	/* What is written behind any of that is what is read there. */
	i = (int32_t)(in.len / OFFINDEX_ENTRY_LEN);
	if (offindex_append(fd, base, i, offset, pos) == 0)
		fuzz_must(offindex_get(fd, base, i, &one) == 0 &&
		    one.offset == offset && one.pos == pos);
	return 0;
}
