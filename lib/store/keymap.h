#ifndef STORE_KEYMAP_H
#define STORE_KEYMAP_H

/*
 * From a key to the last offset it occurs at, in bounded memory: what
 * compaction and "the latest of each key" stand on.
 *
 * Kept of a key are 96 bits of a SipHash under a random key, so two keys that
 * fall together cannot be chosen by whoever writes events, and by chance they
 * do among 10^9 keys once in 10^11 maps.  A slot has 16 bytes; a map takes at
 * most 27 per key, also while it grows.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct keymap;

/* The least memory_max that keymap_new() takes. */
enum { KEYMAP_BYTES_MIN = 64 << 10 };

/*
 * A map that takes at most memory_max bytes.  EINVAL below the least one;
 * ENOMEM.
 */
int keymap_new(size_t memory_max, struct keymap **out);
void keymap_free(struct keymap *m);
/* Forget all; offsets are counted from base on now. */
void keymap_clear(struct keymap *m, int64_t base);

/*
 * What is kept of a key.  Who knows several keys ahead makes them all first:
 * their places in memory are fetched meanwhile, and waiting for these is most
 * of the time that a map takes.
 */
struct keymap_key {
	uint64_t high;
	uint32_t low;
};
struct keymap_key keymap_key_of(const struct keymap *m, struct bytes key);

/*
 * The key was seen at offset, which is not below those put before (of that
 * key), nor below the base.  STATUS_TOO_BIG: the map is full and the key is
 * not in it, or the offset is 2^32 - 2 or more above the base; ENOMEM.
 */
int keymap_put(struct keymap *m, struct keymap_key key, int64_t offset);
/* The last offset of a key, -1 if it is not in the map. */
int64_t keymap_find(const struct keymap *m, struct keymap_key key);
/* Forget a key, if it is there: keymap_find() says -1 from now on. */
void keymap_drop(struct keymap *m, struct keymap_key key);
/*
 * Turn the map into the list of the offsets of its keys: ascending, and counted
 * from the base.  It lies in the map's memory, which holds nothing else from
 * now on; keymap_clear() makes a map of it again.
 */
size_t keymap_take_offsets(struct keymap *m, const uint32_t **out);
/* Keys that were put. */
size_t keymap_count(const struct keymap *m);
/* Those of them that were not dropped since. */
size_t keymap_live(const struct keymap *m);
/* Bytes taken. */
size_t keymap_bytes(const struct keymap *m);

#endif
