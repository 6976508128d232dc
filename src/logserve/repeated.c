#include "repeated.h"

#include <stdlib.h>

static int
compare(const void *a, const void *b)
{
	const struct repeated *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	if (x->text.len != y->text.len)
		return x->text.len < y->text.len ? -1 : 1;
	if (x->text.len <= 0)
		return 0;
	return memcmp(x->text.data, y->text.data, (size_t)x->text.len);
}

void
repeated_mark(struct repeated *items, size_t count)
{
	qsort(items, count, sizeof(*items), compare);
	for (size_t i = 1; i < count; i++)
		if (compare(&items[i - 1], &items[i]) == 0)
			*items[i - 1].mark = *items[i].mark = true;
}
