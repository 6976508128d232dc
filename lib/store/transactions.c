#include "store/transactions.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

/* A producer that has a transaction open at this point of the walk. */
struct ongoing {
	int64_t producer_id;
	bool committed;		/* batches met that are not aborted */
	bool aborted;		/* entry holds */
	bool met;		/* and a batch of it was met */
	struct aborted entry;
};

struct transactions {
	struct aborted *items;	/* owned, by first offset */
	size_t count;
	size_t next;		/* begun up to here */
	void *root;		/* tsearch(3), of struct ongoing */
};

static int
compare_first(const void *a, const void *b)
{
	const struct aborted *x = a, *y = b;

	return (x->first_offset > y->first_offset) -
	    (x->first_offset < y->first_offset);
}

static int
compare_producer(const void *a, const void *b)
{
	const struct ongoing *x = a, *y = b;

	return (x->producer_id > y->producer_id) -
	    (x->producer_id < y->producer_id);
}

int
transactions_new(const struct aborted_list *aborted, struct transactions **out)
{
	struct transactions *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return ENOMEM;
	t->count = aborted->count;
	t->items = reallocarray(NULL, t->count + 1, sizeof(*t->items));
	if (t->items == NULL) {
		free(t);
		return ENOMEM;
	}
	if (t->count > 0)
		memcpy(t->items, aborted->items, t->count * sizeof(*t->items));
	qsort(t->items, t->count, sizeof(*t->items), compare_first);
	*out = t;
	return 0;
}

void
transactions_free(struct transactions *t)
{
	if (t == NULL)
		return;
	tdestroy(t->root, free);
	free(t->items);
	free(t);
}

static struct ongoing *
find(const struct transactions *t, int64_t producer_id)
{
	struct ongoing key = {.producer_id = producer_id};
	struct ongoing **node = tfind(&key, &t->root, compare_producer);

	return node == NULL ? NULL : *node;
}

/* The producer's entry, made if there is none; NULL: no memory. */
static struct ongoing *
make(struct transactions *t, int64_t producer_id)
{
	struct ongoing *o = find(t, producer_id);

	if (o != NULL)
		return o;
	o = calloc(1, sizeof(*o));
	if (o == NULL)
		return NULL;
	o->producer_id = producer_id;
	if (tsearch(o, &t->root, compare_producer) == NULL) {
		free(o);
		return NULL;
	}
	return o;
}

static void
forget(struct transactions *t, struct ongoing *o)
{
	tdelete(o, &t->root, compare_producer);
	free(o);
}

/* Transactions that begin at or before offset have begun. */
static int
begin_up_to(struct transactions *t, int64_t offset)
{
	while (t->next < t->count && t->items[t->next].first_offset <= offset) {
		const struct aborted *a = &t->items[t->next++];
		struct ongoing *o = make(t, a->producer_id);

		if (o == NULL)
			return ENOMEM;
		if (o->aborted)
			continue;
		o->aborted = true;
		o->met = false;
		o->entry = *a;
	}
	return 0;
}

int
transactions_data(struct transactions *t, const struct batch *b, bool *aborted)
{
	struct ongoing *o;
	int rc = begin_up_to(t, b->last_offset);

	*aborted = false;
	if (rc != 0 || (b->attributes & BATCH_TRANSACTIONAL) == 0)
		return rc;
	o = make(t, b->producer_id);
	if (o == NULL)
		return ENOMEM;
	if (o->aborted)
		*aborted = o->met = true;
	else
		o->committed = true;
	return 0;
}

int
transactions_control(struct transactions *t, const uint8_t *p,
    const struct batch *b, bool *empty, struct aborted *entry, bool *has_entry)
{
	enum batch_control type;
	struct ongoing *o;
	int32_t epoch;
	int rc = begin_up_to(t, b->last_offset);

	*empty = *has_entry = false;
	if (rc != 0)
		return rc;
	/* What compaction has emptied is there for its producer alone. */
	if (b->record_count == 0) {
		*empty = true;
		return 0;
	}
	rc = batch_control_type(p, b, &type, &epoch);
	if (rc != 0 || type == BATCH_CONTROL_OTHER)
		return rc;
	o = find(t, b->producer_id);
	if (type == BATCH_CONTROL_ABORT) {
		*has_entry = o != NULL && o->aborted && o->met;
		*empty = !*has_entry;
		if (*has_entry)
			*entry = o->entry;
		if (o != NULL)
			o->aborted = false;
	} else {
		*empty = o == NULL || !o->committed;
		if (o != NULL)
			o->committed = false;
	}
	if (o != NULL && !o->aborted && !o->committed)
		forget(t, o);
	return 0;
}
