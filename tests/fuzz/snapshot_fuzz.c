/* A snapshot of producers; its CRC is put right. */

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/status.h"
#include "fuzz.h"
#include "store/producer.h"
#include "store/segment.h"

#include <unistd.h>

enum { CRC = 2, ENTRIES = 6, OFFSET = 1 << 20 };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct buf copy;
	struct producer_table *t, *u;
	char name[SEGMENT_NAME_LEN];
	int64_t next;
	int rc;

	if (copy.max == 0)
		buf_init(&copy, 1 << 24);
	copy.len = 0;
	fuzz_must(buf_add(&copy, data, size) == 0);
	if (size > ENTRIES)
		buf_put_32(copy.data + CRC,
		    crc32c(copy.data + ENTRIES, size - ENTRIES));
	segment_name(name, OFFSET, ".snapshot");
	fuzz_write(name, copy.data, copy.len);
	fuzz_must(producer_new(&t) == 0 && producer_new(&u) == 0);
	rc = producer_read_snapshot(t, fuzz_dirfd(), OFFSET, NULL);
	fuzz_must(rc == 0 || rc == STATUS_CORRUPT || rc == STATUS_NEWER ||
	    rc == STATUS_TOO_BIG);
	next = producer_next_offset(t);
	if (rc == 0) {
		fuzz_must(next == OFFSET);
		fuzz_must(producer_unstable_offset(t) < OFFSET);
		/* What we write of it says the same. */
		fuzz_must(producer_write_snapshot(t, fuzz_dirfd(), 0666,
			      getgid()) == 0);
		fuzz_must(
		    producer_read_snapshot(u, fuzz_dirfd(), OFFSET, NULL) == 0);
		fuzz_must(producer_count(t) == producer_count(u));
		fuzz_must(
		    producer_unstable_offset(t) == producer_unstable_offset(u));
		fuzz_must(producer_agrees(t, u, 0, true, 0));
		producer_expire(t, INT64_MAX, INT64_MAX);
	}
	producer_free(t);
	producer_free(u);
	return 0;
}
