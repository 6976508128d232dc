/*
 * Open addressing with linear probing.  A slot's place follows from the upper
 * bits of the hash, so that growing goes through the old table and the new one
 * in the same order: the old one's pages are given back as they are done with.
 */
#include "store/keymap.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "base/siphash.h"
#include "base/status.h"

enum {
	CAPACITY_FIRST = 1024,
	GIVE_BACK_BYTES = 2 << 20,
	RADIX_BITS = 11,
	RADIX = 1 << RADIX_BITS,
};

/* In place of an offset: the key was taken out. */
static const uint32_t dropped = UINT32_MAX;

struct slot {
	uint64_t high;
	uint32_t low;
	uint32_t offset;	/* from the base, plus 1; 0: empty */
};

struct keymap {
	struct slot *slots;	/* mmap */
	size_t cap;
	size_t cap_max;
	size_t count;
	size_t live;		/* of them, not dropped */
	int64_t base;
	uint64_t key[2];
};

static struct slot *
map_slots(size_t cap)
{
	size_t len = cap * sizeof(struct slot);
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	/* Places are random: large pages save a walk of page tables each. */
	if (len >= 4 * GIVE_BACK_BYTES)
		(void)madvise(p, len, MADV_HUGEPAGE);
	return p;
}

int
keymap_new(size_t memory_max, struct keymap **out)
{
	struct keymap *m;

	if (memory_max < KEYMAP_BYTES_MIN)
		return EINVAL;
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return ENOMEM;
	m->cap = CAPACITY_FIRST;
	m->cap_max = memory_max / sizeof(struct slot);
	m->slots = map_slots(m->cap);
	if (m->slots == NULL ||
	    getrandom(m->key, sizeof(m->key), 0) != sizeof(m->key)) {
		keymap_free(m);
		return ENOMEM;
	}
	*out = m;
	return 0;
}

void
keymap_free(struct keymap *m)
{
	if (m == NULL)
		return;
	if (m->slots != NULL)
		(void)munmap(m->slots, m->cap * sizeof(struct slot));
	free(m);
}

void
keymap_clear(struct keymap *m, int64_t base)
{
	/* Private anonymous pages are zero after this. */
	(void)madvise(m->slots, m->cap * sizeof(struct slot), MADV_DONTNEED);
	m->count = m->live = 0;
	m->base = base;
}

/* Where a hash would be: its share of the table. */
static size_t
place_of(uint64_t high, size_t cap)
{
	return (size_t)(((unsigned __int128)high * cap) >> 64);
}

/* The slot that has the key, or the empty one where it belongs. */
static struct slot *
slot_of(const struct keymap *m, struct keymap_key key)
{
	size_t i = place_of(key.high, m->cap);

	while (m->slots[i].offset != 0 &&
	    (m->slots[i].high != key.high || m->slots[i].low != key.low))
		i = i + 1 < m->cap ? i + 1 : 0;
	return &m->slots[i];
}

struct keymap_key
keymap_key_of(const struct keymap *m, struct bytes key)
{
	struct siphash h =
	    siphash_128(m->key, key.data, key.len > 0 ? (size_t)key.len : 0);

	__builtin_prefetch(&m->slots[place_of(h.high, m->cap)]);
	return (struct keymap_key){h.high, (uint32_t)h.low};
}

/* One more key fits; the last table may be fuller. */
static bool
has_room(const struct keymap *m)
{
	size_t limit = m->cap < m->cap_max ? m->cap / 5 * 4 : m->cap / 10 * 9;

	return m->count < limit;
}

static int
grow(struct keymap *m)
{
	struct slot *old = m->slots;
	size_t old_cap = m->cap, cap = old_cap + old_cap / 3;
	size_t step = GIVE_BACK_BYTES / sizeof(struct slot);

	if (cap > m->cap_max)
		cap = m->cap_max;
	if (cap <= old_cap)
		return STATUS_TOO_BIG;
	m->slots = map_slots(cap);
	if (m->slots == NULL) {
		m->slots = old;
		return ENOMEM;
	}
	m->cap = cap;
	for (size_t i = 0; i < old_cap; i++) {
		if (old[i].offset != 0)
			*slot_of(m,
			    (struct keymap_key){old[i].high, old[i].low}) =
			    old[i];
		if ((i + 1) % step == 0)
			(void)madvise(&old[i + 1 - step], GIVE_BACK_BYTES,
			    MADV_DONTNEED);
	}
	(void)munmap(old, old_cap * sizeof(struct slot));
	return 0;
}

int
keymap_put(struct keymap *m, struct keymap_key key, int64_t offset)
{
	struct slot *s = slot_of(m, key);
	int rc;

	if (offset - m->base >= dropped - 1)
		return STATUS_TOO_BIG;
	if (s->offset == 0 && !has_room(m)) {
		rc = grow(m);
		if (rc != 0)
			return rc;
		s = slot_of(m, key);
	}
	if (s->offset == 0) {
		s->high = key.high;
		s->low = key.low;
		m->count++;
	}
	m->live += s->offset == 0 || s->offset == dropped;
	s->offset = (uint32_t)(offset - m->base) + 1;
	return 0;
}

int64_t
keymap_find(const struct keymap *m, struct keymap_key key)
{
	const struct slot *s = slot_of(m, key);

	if (s->offset == 0 || s->offset == dropped)
		return -1;
	return m->base + s->offset - 1;
}

void
keymap_drop(struct keymap *m, struct keymap_key key)
{
	struct slot *s = slot_of(m, key);

	if (s->offset == 0 || s->offset == dropped)
		return;
	s->offset = dropped;
	m->live--;
}

/* By radix from the lowest digit on, to and fro; where the result is. */
static const uint32_t *
sort_offsets(uint32_t *from, uint32_t *to, size_t n)
{
	for (int shift = 0; shift < 32; shift += RADIX_BITS) {
		size_t place[RADIX] = {0}, sum = 0, count;
		uint32_t *done = to;

		for (size_t i = 0; i < n; i++)
			place[from[i] >> shift & (RADIX - 1)]++;
		for (size_t i = 0; i < RADIX; i++) {
			count = place[i];
			place[i] = sum;
			sum += count;
		}
		for (size_t i = 0; i < n; i++)
			to[place[from[i] >> shift & (RADIX - 1)]++] = from[i];
		to = from;
		from = done;
	}
	return from;
}

/* A slot has room for four offsets: two lists fit where the slots were. */
size_t
keymap_take_offsets(struct keymap *m, const uint32_t **out)
{
	uint32_t *list = (uint32_t *)m->slots;
	size_t n = 0;

	for (size_t i = 0; i < m->cap; i++) {
		uint32_t offset = m->slots[i].offset;

		if (offset != 0 && offset != dropped)
			list[n++] = offset - 1;
	}
	*out = sort_offsets(list, list + n, n);
	return n;
}

size_t
keymap_count(const struct keymap *m)
{
	return m->count;
}

size_t
keymap_live(const struct keymap *m)
{
	return m->live;
}

size_t
keymap_bytes(const struct keymap *m)
{
	return m->cap * sizeof(struct slot);
}
