/* replica.properties; what is read is written and read as the same. */

#include "store/origin.h"

#include <string.h>

#include "base/bounds.h"
#include "base/status.h"
#include "fuzz.h"

static int64_t
offset_at(const int64_t *offsets, int32_t count, int32_t n)
{
	return n < count ? offsets[n] : -1;
}

static void
compare(const struct origin *a, const struct origin *b)
{
	fuzz_must(strcmp(a->source, b->source) == 0);
	fuzz_must(a->seen_ms == b->seen_ms);
	fuzz_must(properties_equal(&a->settings, &b->settings));
	fuzz_must(lineage_equal(&a->lineage, &b->lineage));
	fuzz_must(a->count >= b->count && a->count <= PARTITIONS_MAX);
	for (int32_t n = 0; n < a->count; n++) {
		fuzz_must(a->ends[n] >= -1 && a->begins[n] >= -1);
		fuzz_must(a->ends[n] == offset_at(b->ends, b->count, n));
		fuzz_must(a->begins[n] == offset_at(b->begins, b->count, n));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct origin o, again;
	int rc;

	fuzz_write(ORIGIN_FILE, data, size);
	origin_init(&o);
	origin_init(&again);
	rc = origin_read(fuzz_dirfd(), &o);
	fuzz_must(rc == 0 || rc == STATUS_SYNTAX || rc == STATUS_NEWER);
	if (rc == 0) {
		fuzz_must(origin_write(fuzz_dirfd(), &o, false) == 0);
		fuzz_must(origin_read(fuzz_dirfd(), &again) == 0);
		compare(&o, &again);
	}
	origin_release(&o);
	origin_release(&again);
	return 0;
}
