#include "replicate/hold.h"

#include <sys/queue.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

enum fate {
	OPEN,
	STAYS,
	GOES,
};

struct held {
	TAILQ_ENTRY(held) entry;
	struct batch batch;
	enum fate fate;
	uint8_t data[];
};

struct hold {
	TAILQ_HEAD(, held) list;
	struct held *given;	/* by hold_next() */
	size_t bytes;
	size_t bytes_max;
};

int
hold_new(size_t bytes_max, struct hold **out)
{
	struct hold *h = calloc(1, sizeof(*h));

	if (h == NULL)
		return ENOMEM;
	TAILQ_INIT(&h->list);
	h->bytes_max = bytes_max;
	*out = h;
	return 0;
}

static void
drop_given(struct hold *h)
{
	free(h->given);
	h->given = NULL;
}

void
hold_free(struct hold *h)
{
	struct held *e;

	if (h == NULL)
		return;
	drop_given(h);
	while ((e = TAILQ_FIRST(&h->list)) != NULL) {
		TAILQ_REMOVE(&h->list, e, entry);
		free(e);
	}
	free(h);
}

/* The transaction of that producer has ended. */
static int
decide(struct hold *h, const uint8_t *data, const struct batch *marker)
{
	enum batch_control type;
	int32_t coordinator_epoch;
	struct held *e;
	int rc = batch_control_type(data, marker, &type, &coordinator_epoch);

	if (rc != 0 || type == BATCH_CONTROL_OTHER)
		return rc;
	TAILQ_FOREACH(e, &h->list, entry)
		if (e->fate == OPEN &&
		    e->batch.producer_id == marker->producer_id)
			e->fate = type == BATCH_CONTROL_COMMIT ? STAYS : GOES;
	return 0;
}

int
hold_add(struct hold *h, const uint8_t *data, const struct batch *b)
{
	struct held *e;

	if ((b->attributes & BATCH_CONTROL) != 0)
		return decide(h, data, b);
	if (h->bytes + b->size > h->bytes_max && !TAILQ_EMPTY(&h->list))
		return STATUS_TOO_BIG;
	e = malloc(sizeof(*e) + b->size);
	if (e == NULL)
		return ENOMEM;
	e->batch = *b;
	e->fate = (b->attributes & BATCH_TRANSACTIONAL) != 0 ? OPEN : STAYS;
	memcpy(e->data, data, b->size);
	TAILQ_INSERT_TAIL(&h->list, e, entry);
	h->bytes += b->size;
	return 0;
}

int
hold_next(struct hold *h, const uint8_t **data, struct batch *b)
{
	struct held *e;

	drop_given(h);
	while ((e = TAILQ_FIRST(&h->list)) != NULL && e->fate != OPEN) {
		TAILQ_REMOVE(&h->list, e, entry);
		h->bytes -= e->batch.size;
		h->given = e;
		if (e->fate == STAYS) {
			*data = e->data;
			*b = e->batch;
			return 0;
		}
		drop_given(h);
	}
	return STATUS_END;
}

size_t
hold_bytes(const struct hold *h)
{
	return h->bytes;
}
