#ifndef BASE_ARENA_H
#define BASE_ARENA_H

/*
 * Memory that is given back as a whole: for what belongs to one request.
 */

#include <stddef.h>

struct arena_block;

struct arena {
	struct arena_block *blocks; /* owned; the newest first */
	size_t used;		/* of the newest */
	size_t total;		/* bytes allocated */
	size_t max;		/* never more than this */
};

/* Empty, and never more than max bytes.  Allocates nothing. */
void arena_init(struct arena *a, size_t max);
/* Give back everything; a is as after arena_init(). */
void arena_release(struct arena *a);
/*
 * count zeroed items of size bytes each, aligned for any type.  NULL: no
 * memory, or it would pass the maximum.
 */
void *arena_alloc(struct arena *a, size_t count, size_t size);

#endif
