/*
 * What stays of a batch: by the map, by what became of its transaction, and for
 * the sake of its producer.  It goes on as it is, rebuilt, or empty.
 */

#include <errno.h>

#include "base/status.h"
#include "store/compact_impl.h"

/* For ever, but not so far that a record cannot be dated from there. */
#define HORIZON_MAX (INT64_MAX / 2)

/* What is to be done with a batch. */
struct verdict {
	bool stays_empty;	/* though no record of it is left */
	bool all_gone;		/* its records need no look */
	bool is_bare_marker;	/* of a transaction that is not there */
	int32_t kept;
	int32_t tombstones;	/* of those */
};

/* Is the last thing that is known of a live producer in this batch? */
static bool
is_producers_last(const struct compaction *c, const struct batch *b)
{
	int16_t epoch;
	int64_t last;

	if (b->producer_id < 0 ||
	    !partition_producer_last(c->p, b->producer_id, &epoch, &last))
		return false;
	if (last >= 0)
		return b->last_offset == last;
	return (b->attributes & BATCH_CONTROL) != 0 &&
	    b->producer_epoch == epoch;
}

static bool
is_horizon_past(const struct compaction *c, const struct batch *b)
{
	int64_t horizon = batch_delete_horizon(b);

	return horizon >= 0 && horizon <= c->o->now_ms;
}

static int
judge(struct compaction *c, struct compact_group *g, const uint8_t *data,
    const struct batch *b, struct verdict *v)
{
	bool is_control = (b->attributes & BATCH_CONTROL) != 0;
	struct aborted entry;
	bool gone = false, has_entry = false;
	int rc;

	*v = (struct verdict){.kept = 0};
	if (is_control)
		rc = transactions_control(c->txns, data, b, &gone, &entry,
		    &has_entry);
	else
		rc = transactions_data(c->txns, b, &gone);
	if (rc == 0 && has_entry && g->cleaned != NULL)
		rc = cleaned_add_aborted(g->cleaned, &entry);
	if (!c->o->keep_last_only)
		gone = false;
	v->stays_empty =
	    is_producers_last(c, b) || b->last_offset + 1 == c->upper;
	v->is_bare_marker = gone && is_control;
	v->all_gone = gone && (!is_control || is_horizon_past(c, b));
	return rc;
}

static bool
is_kept(const struct compaction *c, const struct batch *b,
    const struct handful *h, int i)
{
	int64_t offset = h->items[i].offset;

	if (h->items[i].is_drop)
		return false;
	if (!c->o->keep_last_only || offset >= c->end)
		return true;
	if (!h->items[i].has_key ||
	    offset < keymap_find(c->map, h->items[i].key))
		return false;
	return h->items[i].has_value || !is_horizon_past(c, b);
}

/* Mark the records that stay in c->kept. */
static int
choose_records(struct compaction *c, const uint8_t *data, const struct batch *b,
    struct verdict *v)
{
	bool is_control = (b->attributes & BATCH_CONTROL) != 0;
	struct batch_records it;
	struct handful h;
	int rc = batch_records_init(&it, data, b, &c->scratch);

	c->kept.len = 0;
	do {
		if (rc == 0)
			rc = compact_take(c, &it, &h);
		for (int i = 0; rc == 0 && i < h.count; i++) {
			bool keep = !v->all_gone &&
			    (is_control || is_kept(c, b, &h, i));

			rc = buf_add_8(&c->kept, keep);
			v->kept += keep;
			v->tombstones += keep && !h.items[i].has_value;
		}
	} while (rc == 0 && h.count > 0);
	return rc;
}

/* The batch with the records that stay; keep_base: dated as they were. */
static int
rebuild(struct compaction *c, const uint8_t *data, const struct batch *b,
    int64_t horizon, bool keep_base, const uint8_t **out, size_t *size)
{
	struct batch_records it;
	struct record rec;
	int rc = batch_records_init(&it, data, b, &c->scratch);

	c->builder.codec = batch_codec(b);
	c->builder.level = INT32_MIN;
	c->builder.count = 0;
	c->builder.next_delta = 0;
	c->builder.has_base = false;
	if (horizon >= 0)
		batch_builder_set_base(&c->builder, horizon);
	else if (keep_base)
		batch_builder_set_base(&c->builder, b->base_timestamp);
	for (size_t i = 0; rc == 0 && (rc = batch_records_next(&it, &rec)) == 0;
	     i++)
		if (c->kept.data[i])
			rc = batch_builder_add_at(&c->builder, &rec,
			    (int32_t)(rec.offset - b->base_offset));
	if (rc == STATUS_END)
		rc = batch_builder_finish(&c->builder, out, size);
	if (rc == 0)
		batch_assume((uint8_t *)(uintptr_t)*out, *size, b, horizon);
	return rc;
}

static int
emit(struct compaction *c, struct compact_group *g, const uint8_t *data,
    size_t size, const struct verdict *v)
{
	struct batch b;
	int rc = batch_decode(data, size, &b, NULL);

	g->size_left += (int64_t)size;
	if ((b.attributes & BATCH_CONTROL) == 0) {
		c->stats->records_left += v->kept;
		c->stats->tombstones_left += v->tombstones;
	}
	if (rc == 0 && g->cleaned != NULL)
		rc = cleaned_add(g->cleaned, data, &b);
	return rc;
}

static int64_t
new_horizon(const struct compaction *c)
{
	int64_t now_ms = c->o->now_ms, stay_ms = c->o->delete_retention_ms;

	return stay_ms > HORIZON_MAX - now_ms ? HORIZON_MAX : now_ms + stay_ms;
}

/* An emptied batch, where it has to stay. */
static int
emit_empty(struct compaction *c, struct compact_group *g, const struct batch *b,
    const struct verdict *v)
{
	uint8_t head[BATCH_HEADER_LEN];

	if (!v->stays_empty)
		return 0;
	batch_encode_empty(head, b);
	return emit(c, g, head, sizeof(head), v);
}

int
compact_batch(struct compaction *c, const uint8_t *data, const struct batch *b,
    void *arg)
{
	struct compact_group *g = arg;
	int64_t old_horizon = batch_delete_horizon(b), horizon = old_horizon;
	const uint8_t *out = data;
	size_t size = b->size;
	struct verdict v;
	int rc = judge(c, g, data, b, &v);

	if (rc == 0)
		rc = choose_records(c, data, b, &v);
	if (rc != 0)
		return rc;
	if ((b->attributes & BATCH_CONTROL) == 0)
		c->stats->records += b->record_count;
	if (v.kept == 0) {
		g->changed =
		    g->changed || !v.stays_empty || b->record_count > 0;
		return emit_empty(c, g, b, &v);
	}
	if (c->o->keep_last_only && horizon < 0 &&
	    (v.tombstones > 0 || v.is_bare_marker))
		horizon = new_horizon(c);
	if (v.kept != b->record_count || horizon != old_horizon)
		rc = rebuild(c, data, b, horizon, false, &out, &size);
	/* A record of a time too far from there: tombstones stay for good. */
	if (rc == ERANGE && v.kept != b->record_count)
		rc = rebuild(c, data, b, old_horizon, true, &out, &size);
	else if (rc == ERANGE)
		rc = 0;
	g->changed = g->changed || out != data;
	return rc == 0 ? emit(c, g, out, size, &v) : rc;
}
