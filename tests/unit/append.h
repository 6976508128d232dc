#ifndef APPEND_H
#define APPEND_H

/*
 * Records for tests that need a log and do not care what is in it.
 */

#include <stdlib.h>

#include "store/batch.h"
#include "store/partition.h"

/* A batch of one record, not synced. */
static inline void
append_one(struct partition *p, const char *value)
{
	struct record r = {.timestamp = 1000,
	    .key = BYTES_NULL,
	    .value = bytes_of(value)};
	struct partition_append a = {.expect = -1};
	struct batch_builder bb;
	const uint8_t *data;

	batch_builder_init(&bb, CODEC_NONE, INT32_MIN, 1 << 20);
	if (batch_builder_add(&bb, &r) != 0 ||
	    batch_builder_finish(&bb, &data, &a.len) != 0)
		abort();
	a.data = (uint8_t *)(uintptr_t)data;
	if (partition_append(p, &a, NULL) != 0)
		abort();
	batch_builder_release(&bb);
}

#endif
