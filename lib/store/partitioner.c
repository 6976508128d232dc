#include "store/partitioner.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

#include "base/status.h"

static const uint32_t murmur2_seed = 0x9747b28c;
static const uint32_t murmur2_m = 0x5bd1e995;

/*
 * CRC-32 of zlib and Ethernet (reflected 0x04c11db7), four bits at a time:
 * keys are short, and 16 entries stay in the cache.
 */
static const uint32_t crc32_nibbles[16] = {0x00000000, 0x1db71064, 0x3b6e20c8,
    0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c, 0xedb88320,
    0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278,
    0xbdbdf21c};

static int choose_sticky(struct partitioner *p);

int
partitioner_parse(const char *s, enum partitioner_kind *kind)
{
	if (strcmp(s, "murmur2") == 0)
		*kind = PARTITIONER_MURMUR2;
	else if (strcmp(s, "crc32") == 0)
		*kind = PARTITIONER_CRC32;
	else
		return STATUS_SYNTAX;
	return 0;
}

uint32_t
partitioner_murmur2(struct bytes key)
{
	const uint32_t m = murmur2_m;
	const uint8_t *p = key.data;
	uint32_t left = (uint32_t)key.len;
	uint32_t h = murmur2_seed ^ left;

	for (; left >= 4; left -= 4, p += 4) {
		uint32_t k;

		memcpy(&k, p, 4);
		k *= m;
		k ^= k >> 24;
		k *= m;
		h *= m;
		h ^= k;
	}
	if (left == 3)
		h ^= (uint32_t)p[2] << 16;
	if (left >= 2)
		h ^= (uint32_t)p[1] << 8;
	if (left >= 1) {
		h ^= p[0];
		h *= m;
	}
	h ^= h >> 13;
	h *= m;
	h ^= h >> 15;
	return h;
}

uint32_t
partitioner_crc32(struct bytes key)
{
	uint32_t crc = UINT32_MAX;

	for (int32_t i = 0; i < key.len; i++) {
		crc ^= key.data[i];
		crc = (crc >> 4) ^ crc32_nibbles[crc & 15];
		crc = (crc >> 4) ^ crc32_nibbles[crc & 15];
	}
	return ~crc;
}

int32_t
partitioner_partition(enum partitioner_kind kind, struct bytes key,
    int32_t count)
{
	assert(count > 0);
	assert(!bytes_is_null(key));
	if (kind == PARTITIONER_CRC32)
		return (int32_t)(partitioner_crc32(key) % (uint32_t)count);
	return (int32_t)(partitioner_murmur2(key) & INT32_MAX) % count;
}

void
partitioner_init(struct partitioner *p, enum partitioner_kind kind,
    int32_t count)
{
	assert(count > 0);
	*p = (struct partitioner){.kind = kind, .count = count, .sticky = -1};
}

int
partitioner_next(struct partitioner *p, struct bytes key, size_t len,
    int32_t *partition)
{
	int rc;

	if (p->count == 1) {
		*partition = 0;
		return 0;
	}
	if (!bytes_is_null(key)) {
		*partition = partitioner_partition(p->kind, key, p->count);
		return 0;
	}
	if (p->sticky < 0 || p->sticky_bytes >= PARTITIONER_STICKY_BYTES) {
		rc = choose_sticky(p);
		if (rc != 0)
			return rc;
	}
	p->sticky_bytes += len;
	*partition = p->sticky;
	return 0;
}

static int
next_random(struct partitioner *p, uint32_t *out)
{
	if (p->random_left == 0) {
		if (getentropy(p->random, sizeof(p->random)) != 0)
			return errno;
		p->random_left = PARTITIONER_RANDOM_COUNT;
	}
	*out = p->random[--p->random_left];
	return 0;
}

/* Any partition the first time, any but the current one later. */
static int
choose_sticky(struct partitioner *p)
{
	uint32_t choices = (uint32_t)p->count, r = 0;
	int rc = next_random(p, &r);

	if (rc != 0)
		return rc;
	if (p->sticky >= 0)
		choices--;
	/* Scaled, not modulo: no partition is likelier than another. */
	r = (uint32_t)(((uint64_t)r * choices) >> 32);
	if (p->sticky >= 0 && r >= (uint32_t)p->sticky)
		r++;
	p->sticky = (int32_t)r;
	p->sticky_bytes = 0;
	return 0;
}
