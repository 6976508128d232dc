/* A time index: whatever is in the file, an entry is what was asked for. */

#include "store/timeindex.h"

#include "base/status.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	int64_t base, timestamp, offset;
	struct timeindex_entry e, one;
	int32_t i;
	int fd;

	base = (int64_t)(fuzz_number(&in, 8) & INT64_MAX);
	timestamp = (int64_t)fuzz_number(&in, 8);
	offset = (int64_t)(fuzz_number(&in, 8) & INT64_MAX);
	i = (int32_t)fuzz_number(&in, 4);
	fd = fuzz_file(in.data, in.len);
	if (timeindex_find(fd, base, timestamp, &e) == 0)
		fuzz_must(e.timestamp < timestamp && e.offset >= base);
	if (i >= 0 && timeindex_get(fd, base, i, &e) == 0)
		fuzz_must((size_t)i < in.len / TIMEINDEX_ENTRY_LEN);
	/* What is written behind any of that is what is read there. */
	i = (int32_t)(in.len / TIMEINDEX_ENTRY_LEN);
	if (timeindex_append(fd, base, i, timestamp, offset) == 0)
		fuzz_must(timeindex_get(fd, base, i, &one) == 0 &&
		    one.timestamp == timestamp && one.offset == offset);
	return 0;
}
