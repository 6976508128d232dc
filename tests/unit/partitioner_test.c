#include "store/partitioner.h"

#include "base/status.h"
#include "tap.h"

/* As Kafka's Java client and librdkafka hash them; -1: not looked at. */
static const struct {
	const char *key;
	int32_t murmur2;
	int32_t murmur2_of_12;
	int32_t crc32_of_12;
} vectors[] = {
    {"", 275646681, 9, 0},
    {"a", -1563381124, 4, 3},
    {"ab", 316155434, 2, -1},
    {"abc", 479470107, 3, -1},
    {"21", -973932308, 0, -1},
    {"foobar", -790332482, 6, -1},
    {"kafka", -798503068, 4, 11},
    {"a-little-bit-long-string", -985981536, 8, -1},
    {"a-little-bit-longer-string", -1486304829, 11, -1},
};

static void
test_vectors(void)
{
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct bytes key = bytes_of(vectors[i].key);

		tap_int((int32_t)partitioner_murmur2(key), vectors[i].murmur2,
		    "murmur2 of '%s'", vectors[i].key);
		tap_int(partitioner_partition(PARTITIONER_MURMUR2, key, 12),
		    vectors[i].murmur2_of_12, "its partition of 12");
		if (vectors[i].crc32_of_12 >= 0)
			tap_int(partitioner_partition(PARTITIONER_CRC32, key,
				    12),
			    vectors[i].crc32_of_12, "by crc32");
	}
	/* The check value of the CRC-32 catalogue; bytes above 0x7f. */
	tap_int(partitioner_crc32(bytes_of("123456789")), 0xcbf43926,
	    "crc32 check value");
	tap_int(partitioner_crc32(
		    (struct bytes){(const uint8_t *)"\xff\xff\xff\xff", 4}),
	    0xffffffff, "crc32 of four ff");
}

static void
test_parse(void)
{
	enum partitioner_kind kind;

	tap(partitioner_parse("crc32", &kind) == 0 && kind == PARTITIONER_CRC32,
	    "crc32");
	tap(partitioner_parse("murmur2", &kind) == 0 &&
		kind == PARTITIONER_MURMUR2,
	    "murmur2");
	tap_int(partitioner_parse("fnv1a", &kind), STATUS_SYNTAX, "fnv1a");
}

/* Null keys stay for 16 KiB, then move, and all partitions get some. */
static void
test_sticky(void)
{
	struct partitioner p;
	int32_t now, before = -1, hits[5] = {0};
	size_t run = 0;
	int early = 0, late = 0, failed = 0;

	partitioner_init(&p, PARTITIONER_MURMUR2, 5);
	for (int i = 0; i < 40000; i++) {
		failed += partitioner_next(&p, BYTES_NULL, 1000, &now) != 0;
		hits[now]++;
		if (now == before) {
			run += 1000;
			late += run >= PARTITIONER_STICKY_BYTES + 1000;
			continue;
		}
		early += before >= 0 && run < PARTITIONER_STICKY_BYTES;
		run = 1000;
		before = now;
	}
	tap_int(failed, 0, "all got a partition");
	tap_int(early, 0, "none left before 16 KiB");
	tap_int(late, 0, "none stayed after 16 KiB");
	/* 8000 expected; the deviation is some 600. */
	for (int i = 0; i < 5; i++)
		tap(hits[i] > 4000 && hits[i] < 12000,
		    "partition %d gets its share", i);
}

static void
test_next(void)
{
	struct partitioner p;
	int32_t partition = -1;

	partitioner_init(&p, PARTITIONER_CRC32, 12);
	tap(partitioner_next(&p, bytes_of("kafka"), 5, &partition) == 0 &&
		partition == 11,
	    "a key goes by its hash");
	tap(partitioner_next(&p, bytes_of(""), 5, &partition) == 0 &&
		partition == 0,
	    "an empty key too");
	partitioner_init(&p, PARTITIONER_MURMUR2, 1);
	tap(partitioner_next(&p, BYTES_NULL, 1 << 20, &partition) == 0 &&
		partition == 0 &&
		partitioner_next(&p, BYTES_NULL, 1 << 20, &partition) == 0 &&
		partition == 0,
	    "of one partition it is that");
}

int
main(void)
{
	test_vectors();
	test_parse();
	test_sticky();
	test_next();
	return tap_done();
}
