#ifndef STORE_HANDFUL_H
#define STORE_HANDFUL_H

/*
 * Records of a batch, so many at a time, with their keys as a keymap keeps
 * them: the map's places for all of them are fetched together, where one after
 * the other would wait for memory.
 */

#include <stdbool.h>
#include <stdint.h>

#include "store/batch.h"
#include "store/keymap.h"

enum { HANDFUL_MAX = 32 };

struct handful {
	struct {
		struct keymap_key key;	/* if has_key, and a map is given */
		int64_t offset;
		int64_t timestamp;
		bool has_key;
		bool has_value;
		bool is_drop;	/* of the key that was asked for */
	} items[HANDFUL_MAX];
	int count;
};

/*
 * The next records of it; count 0 is the end.  m may be NULL; drop is a key to
 * look for, or null.  Errors as batch_records_next().
 */
int handful_take(struct handful *h, struct batch_records *it,
    const struct keymap *m, struct bytes drop);

#endif
