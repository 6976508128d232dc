#include "replicate/changes.h"

#include <errno.h>
#include <stdlib.h>

#include "store/watch.h"

struct entry {
	struct source_changed what;
	bool known;
	bool waits;		/* in the queue */
};

struct changes {
	struct watch *watch;
	struct entry *entries;	/* by the watch's number */
	int *queue;		/* of those numbers; a ring of count */
	int count;
	int first, waiting;
};

int
changes_open(struct changes **out)
{
	struct changes *c = calloc(1, sizeof(*c));
	int rc = c == NULL ? ENOMEM : watch_open(&c->watch);

	if (rc != 0) {
		free(c);
		return rc;
	}
	*out = c;
	return 0;
}

void
changes_close(struct changes *c)
{
	if (c == NULL)
		return;
	watch_close(c->watch);
	free(c->entries);
	free(c->queue);
	free(c);
}

/* Room for a number.  What waits is put in a row from the queue's front on. */
static int
grow(struct changes *c, int number)
{
	int count = number + number / 2 + 64;
	struct entry *entries;
	int *queue;

	if (number < c->count)
		return 0;
	queue = calloc((size_t)count, sizeof(*queue));
	entries = recallocarray(c->entries, (size_t)c->count, (size_t)count,
	    sizeof(*entries));
	if (entries != NULL)
		c->entries = entries;
	if (queue == NULL || entries == NULL) {
		free(queue);
		return ENOMEM;
	}
	for (int i = 0; i < c->waiting; i++)
		queue[i] = c->queue[(c->first + i) % c->count];
	free(c->queue);
	c->queue = queue;
	c->first = 0;
	c->count = count;
	return 0;
}

int
changes_add(struct changes *c, const char *path,
    const struct source_changed *what)
{
	int number, rc = watch_add_numbered(c->watch, path, &number);

	if (rc != 0 || number < 0)
		return rc;
	rc = grow(c, number);
	if (rc != 0)
		return rc;
	c->entries[number].what = *what;
	c->entries[number].known = true;
	return 0;
}

int
changes_fd(const struct changes *c)
{
	return watch_is_polling(c->watch) ? -1 : watch_fd(c->watch);
}

void
changes_take(struct changes *c, bool *any, bool *lost)
{
	int number;

	*lost = false;
	while (watch_take(c->watch, &number)) {
		if (number < 0) {
			*lost = true;
			continue;
		}
		if (number >= c->count || !c->entries[number].known ||
		    c->entries[number].waits)
			continue;
		c->entries[number].waits = true;
		c->queue[(c->first + c->waiting++) % c->count] = number;
	}
	*any = c->waiting > 0;
}

bool
changes_next(struct changes *c, struct source_changed *out)
{
	int number;

	if (c->waiting == 0)
		return false;
	number = c->queue[c->first];
	c->first = (c->first + 1) % c->count;
	c->waiting--;
	c->entries[number].waits = false;
	*out = c->entries[number].what;
	return true;
}
