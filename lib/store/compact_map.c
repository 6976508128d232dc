/* The map of a pass: which record is the last of its key. */

#include "base/status.h"
#include "store/compact_impl.h"

/* STATUS_TOO_BIG: full, c->end is where.  STATUS_END: all is in it. */
static int
map_handful(struct compaction *c, const struct handful *h)
{
	for (int i = 0; i < h->count; i++) {
		int64_t offset = h->items[i].offset;
		int rc;

		if (offset >= c->upper)
			return STATUS_END;
		if (offset < c->dirty || !h->items[i].has_key)
			continue;
		rc = keymap_put(c->map, h->items[i].key, offset);
		if (rc == STATUS_TOO_BIG)
			c->end = offset;
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int
map_batch(struct compaction *c, const uint8_t *data, const struct batch *b,
    void *arg)
{
	struct batch_records it;
	struct handful h;
	struct aborted entry;
	bool gone, has_entry;
	int rc;

	(void)arg;
	if (b->base_offset >= c->upper)
		return STATUS_END;
	if (b->attributes & BATCH_CONTROL)
		return transactions_control(c->txns, data, b, &gone, &entry,
		    &has_entry);
	rc = transactions_data(c->txns, b, &gone);
	if (rc != 0 || gone)
		return rc;
	rc = batch_records_init(&it, data, b, &c->scratch);
	do {
		if (rc == 0)
			rc = compact_take(c, &it, &h);
		if (rc == 0)
			rc = map_handful(c, &h);
	} while (rc == 0 && h.count > 0);
	return rc;
}

int
compact_map(struct compaction *c)
{
	const struct segment_list *l = &c->segments;
	size_t i = segment_list_find(l, c->dirty);
	int rc = compact_begin_transactions(c, i, c->dirty);

	keymap_clear(c->map, c->dirty);
	c->end = c->upper;
	for (; rc == 0 && i + 1 < l->count && l->bases[i] < c->upper; i++)
		rc = compact_walk(c, l->bases[i], c->dirty, map_batch, NULL);
	if ((int64_t)keymap_count(c->map) > c->stats->keys)
		c->stats->keys = (int64_t)keymap_count(c->map);
	if (rc == STATUS_TOO_BIG && c->dirty < c->end && c->end < c->upper)
		return 0;
	return rc;
}
