#include "replicate/digest.h"

#include "base/buf.h"
#include "base/siphash.h"

uint64_t
digest_add(uint64_t digest, const struct frame_batch *b)
{
	static const uint64_t key[2] = {0, 0};
	uint8_t bytes[32];

	buf_put_64(bytes, digest);
	buf_put_64(bytes + 8, (uint64_t)b->base_offset);
	buf_put_64(bytes + 16, (uint64_t)b->last_offset);
	buf_put_32(bytes + 24, (uint32_t)b->leader_epoch);
	buf_put_32(bytes + 28, b->crc);
	return siphash_128(key, bytes, sizeof(bytes)).low;
}
