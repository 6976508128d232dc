#ifndef STORE_PARTITIONER_H
#define STORE_PARTITIONER_H

/*
 * Which partition a record goes to.
 *
 *	murmur2	what Kafka's Java client does with keys, and so most others:
 *		(murmur2(key) & 0x7fffffff) % partitions
 *	crc32	librdkafka's "consistent": crc32(key) % partitions
 *
 * Both take an empty key for a key like any other.  A null key goes to a
 * partition taken at random, which stays for 16 KiB (KIP-480, KIP-794).
 */

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

enum partitioner_kind {
	PARTITIONER_MURMUR2,
	PARTITIONER_CRC32,
};

enum {
	/* Bytes after which null keys go to another partition. */
	PARTITIONER_STICKY_BYTES = 16 << 10,
	PARTITIONER_RANDOM_COUNT = 32,
};

/* Held by the caller; one per topic and thread. */
struct partitioner {
	enum partitioner_kind kind;
	int32_t count; /* partitions, > 0 */
	int32_t sticky; /* where null keys go; -1 not yet chosen */
	size_t sticky_bytes; /* that went there */
	uint32_t random[PARTITIONER_RANDOM_COUNT];
	size_t random_left; /* of random, unused */
};

/* "murmur2" or "crc32"; else STATUS_SYNTAX. */
int partitioner_parse(const char *s, enum partitioner_kind *kind);

/* The hashes, over keys that are not null. */
uint32_t partitioner_murmur2(struct bytes key);
uint32_t partitioner_crc32(struct bytes key);

/* The partition in [0, count) of a key that is not null. */
int32_t partitioner_partition(enum partitioner_kind kind, struct bytes key,
    int32_t count);

/* Begin with count partitions. */
void partitioner_init(struct partitioner *p, enum partitioner_kind kind,
    int32_t count);
/*
 * The partition of the next record; len is what it counts as, in bytes.
 * An errno value if getentropy(3) fails.
 */
int partitioner_next(struct partitioner *p, struct bytes key, size_t len,
    int32_t *partition);

#endif
