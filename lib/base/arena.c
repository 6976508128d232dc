#include "base/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>

enum { BLOCK = 8192 };

struct arena_block {
	struct arena_block *next;
	size_t size;
	alignas(max_align_t) unsigned char data[];
};

void
arena_init(struct arena *a, size_t max)
{
	*a = (struct arena){.max = max};
}

void
arena_release(struct arena *a)
{
	struct arena_block *b = a->blocks, *next;

	for (; b != NULL; b = next) {
		next = b->next;
		free(b);
	}
	arena_init(a, a->max);
}

static struct arena_block *
add_block(struct arena *a, size_t size)
{
	struct arena_block *b;

	if (size > a->max - a->total)
		return NULL;
	b = calloc(1, sizeof(*b) + size);
	if (b == NULL)
		return NULL;
	b->size = size;
	b->next = a->blocks;
	a->blocks = b;
	a->total += size;
	a->used = 0;
	return b;
}

void *
arena_alloc(struct arena *a, size_t count, size_t size)
{
	const size_t align = alignof(max_align_t);
	struct arena_block *b = a->blocks;
	void *p;

	if (size == 0)
		size = 1;
	if (count > (SIZE_MAX - align) / size)
		return NULL;
	size = (count * size + align - 1) / align * align;
	if (b == NULL || b->size - a->used < size)
		b = add_block(a, size > BLOCK ? size : BLOCK);
	if (b == NULL)
		return NULL;
	p = b->data + a->used;
	a->used += size;
	return p;
}
