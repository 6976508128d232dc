#ifndef LOGSERVE_REPEATED_H
#define LOGSERVE_REPEATED_H

/*
 * Items that a request names more than once, which most answer with an error.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

/* An item's name: two are the same if text and number are. */
struct repeated {
	struct bytes text;
	int64_t number;
	bool *mark;		/* set if there is another like it */
};

/* Mark them; the order of the items is not kept. */
void repeated_mark(struct repeated *items, size_t count);

#endif
