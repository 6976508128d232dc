#include "replicate/digest.h"

#include "base/buf.h"
#include "base/siphash.h"
#include "base/status.h"
#include "store/batch.h"

void
digest_begin(struct digest *d, int64_t start, int64_t end)
{
	*d = (struct digest){.start = start, .end = end, .next = start};
}

static void
add(struct digest *d, const struct batch *b)
{
	static const uint64_t key[2] = {0, 0};
	uint8_t bytes[32];

	buf_put_64(bytes, d->value);
	buf_put_64(bytes + 8, (uint64_t)b->base_offset);
	buf_put_64(bytes + 16, (uint64_t)b->last_offset);
	buf_put_32(bytes + 24, (uint32_t)b->leader_epoch);
	buf_put_32(bytes + 28, b->crc);
	d->value = siphash_128(key, bytes, sizeof(bytes)).low;
	d->batches++;
	d->cleaned = d->cleaned || b->base_offset != d->next ||
	    b->last_offset - b->base_offset + 1 != b->record_count ||
	    (b->attributes & BATCH_DELETE_HORIZON) != 0;
	d->next = b->last_offset + 1;
}

int
digest_add(struct digest *d, struct view batches)
{
	struct batch b;

	while (batches.len > 0) {
		if (batch_decode(batches.data, batches.len, &b, NULL) != 0 ||
		    b.size > batches.len)
			return STATUS_CORRUPT;
		if (b.base_offset >= d->start && b.base_offset < d->end)
			add(d, &b);
		batches =
		    (struct view){batches.data + b.size, batches.len - b.size};
	}
	return 0;
}
