/* A transaction index: entries that make sense, in an order that finds them. */

#include "store/txnindex.h"

#include <string.h>

#include "base/status.h"
#include "fuzz.h"
#include "store/segment.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	int64_t from = (int64_t)fuzz_number(&in, 8);
	char name[SEGMENT_NAME_LEN];
	struct aborted_list l;
	int32_t count = -1;
	int rc;

	segment_name(name, 7, ".txnindex");
	fuzz_write(name, in.data, in.len);
	txnindex_list_init(&l);
	rc = txnindex_read(fuzz_dirfd(), 7, from, &l, &count);
	fuzz_must(rc == 0 || rc == STATUS_CORRUPT);
	if (rc == 0)
		fuzz_must(in.len == (size_t)count * TXNINDEX_ENTRY_LEN);
	for (size_t i = 0; i < l.count; i++) {
		uint8_t again[TXNINDEX_ENTRY_LEN];
		struct aborted a;

		fuzz_must(l.items[i].last_offset >= from);
		fuzz_must(l.items[i].last_offset >= l.items[i].first_offset);
		txnindex_encode(&l.items[i], again);
		fuzz_must(txnindex_decode(again, &a) == 0 &&
		    memcmp(&a, &l.items[i], sizeof(a)) == 0);
	}
	txnindex_list_sort(&l);
	if (l.count == 1)
		fuzz_must(txnindex_list_has(&l, l.items[0].producer_id,
		    l.items[0].first_offset));
	txnindex_list_release(&l);
	return 0;
}
