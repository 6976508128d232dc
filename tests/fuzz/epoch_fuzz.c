/* leader-epoch-checkpoint; what is read is written and read as the same. */

#include "store/epoch.h"

#include <string.h>
#include <unistd.h>

#include "base/status.h"
#include "fuzz.h"

static void
ask(struct epoch_list *l, uint8_t a, uint8_t b)
{
	int64_t end = -2;
	int32_t epoch = -2;
	bool changed;

	epoch_end_offset(l, a, 1000, &epoch, &end);
	fuzz_must(epoch_at(l, b) <= epoch_latest(l));
	for (size_t i = 0; i < l->count; i++) {
		fuzz_must(
		    epoch_at(l, l->entries[i].start) == l->entries[i].epoch);
		if (i > 0)
			fuzz_must(
			    l->entries[i].epoch > l->entries[i - 1].epoch &&
			    l->entries[i].start > l->entries[i - 1].start);
	}
	(void)epoch_truncate_from(l, b);
	(void)epoch_truncate_to_start(l, a);
	(void)epoch_assign(l, a, b, &changed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_input in = {data, size};
	uint8_t a = fuzz_byte(&in), b = fuzz_byte(&in);
	struct epoch_list l, m;
	int rc;

	fuzz_write(EPOCH_FILE, in.data, in.len);
	epoch_list_init(&l);
	epoch_list_init(&m);
	rc = epoch_read(fuzz_dirfd(), &l, NULL);
	fuzz_must(rc == 0 || rc == STATUS_CORRUPT || rc == STATUS_NEWER);
	fuzz_must(rc == 0 || l.count == 0);
	if (rc == 0 && size % 8 == 0) {
		fuzz_must(epoch_write(fuzz_dirfd(), &l, 0666, getgid()) == 0);
		fuzz_must(epoch_read(fuzz_dirfd(), &m, NULL) == 0);
		fuzz_must(l.count == m.count);
		for (size_t i = 0; i < l.count; i++)
			fuzz_must(l.entries[i].epoch == m.entries[i].epoch &&
			    l.entries[i].start == m.entries[i].start);
	}
	ask(&l, a, b);
	epoch_list_release(&l);
	epoch_list_release(&m);
	return 0;
}
