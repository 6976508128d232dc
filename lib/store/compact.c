/*
 * A pass: the keys of [dirty, end) and their last offsets go into the map; then
 * all segments from the first to end are written anew, in groups.
 */
#include "store/compact.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bounds.h"
#include "base/crc32c.h"
#include "base/io.h"
#include "base/status.h"
#include "store/cleaned.h"
#include "store/handful.h"
#include "store/keymap.h"
#include "store/properties.h"
#include "store/seek.h"
#include "store/segment.h"
#include "store/sum.h"
#include "store/tail.h"
#include "store/transactions.h"

enum {
	SCAN_BLOCK = 1 << 20,
	MEMORY_DEFAULT = 128 << 20,
};

struct compaction {
	struct partition *p;
	const struct compact_options *o;
	struct compact_stats *stats;
	struct fault *f;
	struct segment_list segments;	/* the last is not touched */
	int64_t active;		/* the one that is written; -1: untouched */
	struct keymap *map;
	int64_t upper;		/* nothing at or above is touched */
	int64_t dirty;		/* of this pass */
	int64_t end;		/* the map holds [dirty, end) */
	struct transactions *txns;
	struct segment_scan scan;
	struct buf scratch;	/* records unpacked */
	struct buf kept;	/* a byte for each record of a batch */
	struct batch_builder builder;
	int64_t earlier_timestamp;	/* largest of the segments done */
};

void
compact_options_of(const struct properties *props, int64_t now_ms,
    struct compact_options *out)
{
	*out = (struct compact_options){
	    .now_ms = now_ms,
	    .delete_retention_ms =
		properties_int(props, PROPERTIES_DELETE_RETENTION_MS),
	    .min_lag_ms =
		properties_int(props, PROPERTIES_MIN_COMPACTION_LAG_MS),
	    .max_lag_ms =
		properties_int(props, PROPERTIES_MAX_COMPACTION_LAG_MS),
	    .dirty_ratio =
		properties_ratio(props, PROPERTIES_MIN_CLEANABLE_DIRTY_RATIO),
	    .segment_bytes = properties_int(props, PROPERTIES_SEGMENT_BYTES),
	    .index_bytes =
		properties_int(props, PROPERTIES_SEGMENT_INDEX_BYTES),
	    .memory = MEMORY_DEFAULT,
	    .keep_last_only = true,
	    .drop = {NULL, -1},
	};
}

/* --- reading ------------------------------------------------------------- */

static int
damaged(struct compaction *c, int64_t base, int64_t pos, int64_t offset,
    const char *what)
{
	char name[SEGMENT_NAME_LEN], path[512];

	segment_name(name, base, ".log");
	snprintf(path, sizeof(path), "%s/%s", partition_path(c->p), name);
	return status_fault(c->f, STATUS_CORRUPT, path, pos, offset, what);
}

static int
open_segment(struct compaction *c, int64_t base, int *fd, int64_t *size)
{
	char name[SEGMENT_NAME_LEN];
	struct stat st;
	int rc;

	segment_name(name, base, ".log");
	rc = io_open(partition_dirfd(c->p), name, O_RDONLY, 0, fd);
	if (rc == 0 && fstat(*fd, &st) != 0)
		rc = errno;
	if (rc == 0)
		*size = st.st_size;
	return rc;
}

/* What is done with each batch of a segment; non-zero ends the walk. */
typedef int visit(struct compaction *c, const uint8_t *data,
    const struct batch *b, void *arg);

/*
 * All of a segment was read: is it what its .sum says?  That alone tells of a
 * header that has changed.
 */
static int
check_sum(struct compaction *c, int64_t base, int64_t size, uint32_t crc)
{
	struct sum sum;

	if (sum_read(partition_dirfd(c->p), base, &sum) != 0 ||
	    sum.size != size || sum.crc == crc)
		return 0;
	return damaged(c, base, 0, base,
	    "the segment's crc does not match, see logfsck(1)");
}

static int
walk(struct compaction *c, int64_t base, int64_t from, visit *fn, void *arg)
{
	const uint8_t *data;
	struct batch b;
	int64_t pos = 0, size, last = base - 1;
	uint32_t crc = 0;
	int fd = -1;
	int rc = open_segment(c, base, &fd, &size);

	if (rc == 0 && from > base)
		rc = seek_offset(partition_dirfd(c->p), base, fd, from, -1,
		    &pos);
	segment_scan_start(&c->scan, fd, pos, -1);
	while (rc == 0) {
		rc = segment_scan_next(&c->scan, &b, &data);
		if (rc == STATUS_END)
			break;
		if (rc == 0 && b.base_offset <= last)
			rc = STATUS_CORRUPT;
		/* What is behind the log's end is being written. */
		if (base == c->active && (rc < 0 || b.base_offset >= c->upper))
			break;
		if (rc < 0) {
			rc = damaged(c, base, c->scan.pos, last + 1,
			    c->scan.what);
			break;
		}
		last = b.last_offset;
		crc = crc32c_update(crc, data, rc == 0 ? b.size : 0);
		rc = rc == 0 ? fn(c, data, &b, arg) : rc;
		if (rc == STATUS_CORRUPT)
			rc = damaged(c, base, c->scan.pos - (int64_t)b.size,
			    b.base_offset, "records do not add up");
		if (rc == 0 && c->o->pace != NULL)
			rc = c->o->pace(c->o->pace_arg, b.size);
	}
	(void)io_close(&fd);
	if (rc == STATUS_END)
		rc = pos == 0 ? check_sum(c, base, c->scan.pos, crc) : 0;
	return rc;
}

/* The aborted transactions from segment i on, for a walk from there. */
static int
begin_transactions(struct compaction *c, size_t i)
{
	struct aborted_list all;
	int32_t count;
	int rc = 0;

	transactions_free(c->txns);
	c->txns = NULL;
	txnindex_list_init(&all);
	for (; rc == 0 && i < c->segments.count; i++)
		rc = txnindex_read(partition_dirfd(c->p), c->segments.bases[i],
		    0, &all, &count);
	if (rc == 0)
		rc = transactions_new(&all, &c->txns);
	txnindex_list_release(&all);
	return rc;
}

/* The next records of a batch; their keys only where the map is asked. */
static int
take_handful(const struct compaction *c, struct batch_records *it,
    struct handful *h)
{
	return handful_take(h, it, c->o->keep_last_only ? c->map : NULL,
	    c->o->drop);
}

/* --- the map ------------------------------------------------------------- */

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
			rc = take_handful(c, &it, &h);
		if (rc == 0)
			rc = map_handful(c, &h);
	} while (rc == 0 && h.count > 0);
	return rc;
}

static int
build_map(struct compaction *c)
{
	const struct segment_list *l = &c->segments;
	size_t i = segment_list_find(l, c->dirty);
	int rc = begin_transactions(c, i);

	keymap_clear(c->map, c->dirty);
	c->end = c->upper;
	for (; rc == 0 && i + 1 < l->count && l->bases[i] < c->upper; i++)
		rc = walk(c, l->bases[i], c->dirty, map_batch, NULL);
	if ((int64_t)keymap_count(c->map) > c->stats->keys)
		c->stats->keys = (int64_t)keymap_count(c->map);
	if (rc == STATUS_TOO_BIG && c->dirty < c->end && c->end < c->upper)
		return 0;
	return rc;
}

/* --- what stays ---------------------------------------------------------- */

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

/* What is to be done with a batch. */
struct verdict {
	bool stays_empty;	/* though no record of it is left */
	bool all_gone;		/* its records need no look */
	bool is_bare_marker;	/* of a transaction that is not there */
	int32_t kept;
	int32_t tombstones;	/* of those */
};

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
			rc = take_handful(c, &it, &h);
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

/* The batch with the records that stay. */
static int
rebuild(struct compaction *c, const uint8_t *data, const struct batch *b,
    int64_t horizon, const uint8_t **out, size_t *size)
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

/* --- a group of segments ------------------------------------------------- */

struct group {
	size_t first, count;	/* in the list */
	int64_t base, next_base;
	struct cleaned *cleaned;	/* NULL: dry run */
	bool changed;
	int64_t size, size_left;
};

static int
emit(struct compaction *c, struct group *g, const uint8_t *data, size_t size,
    const struct verdict *v)
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

static int
judge(struct compaction *c, struct group *g, const uint8_t *data,
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

/* An emptied batch, where it has to stay. */
static int
emit_empty(struct compaction *c, struct group *g, const struct batch *b,
    const struct verdict *v)
{
	uint8_t head[BATCH_HEADER_LEN];

	if (!v->stays_empty)
		return 0;
	batch_encode_empty(head, b);
	return emit(c, g, head, sizeof(head), v);
}

static int
clean_batch(struct compaction *c, const uint8_t *data, const struct batch *b,
    void *arg)
{
	struct group *g = arg;
	int64_t horizon = batch_delete_horizon(b);
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
		horizon = c->o->now_ms + c->o->delete_retention_ms;
	if (v.kept != b->record_count || horizon != batch_delete_horizon(b)) {
		g->changed = true;
		rc = rebuild(c, data, b, horizon, &out, &size);
	}
	return rc == 0 ? emit(c, g, out, size, &v) : rc;
}

/* The .sum of a segment that stays as it is says that it was looked at. */
static int
mark_compacted(struct compaction *c, const struct group *g,
    const struct sum *written, uint16_t flags)
{
	struct sum sum = *written, old;

	/* Its indexes stay as well. */
	if (sum_read(partition_dirfd(c->p), g->base, &old) == 0) {
		flags |= old.flags & SUM_INDEXED;
		sum.index_crc = old.index_crc;
		sum.timeindex_crc = old.timeindex_crc;
	}
	sum.flags |= flags;
	sum.next_offset = g->next_base;
	sum.prefix_timestamp = sum.max_timestamp > c->earlier_timestamp
	    ? sum.max_timestamp
	    : c->earlier_timestamp;
	return partition_write_sum(c->p, g->base, &sum);
}

static int
finish_group(struct compaction *c, struct group *g)
{
	const struct sum *sum = cleaned_sum(g->cleaned);
	bool whole = c->o->keep_last_only && g->next_base <= c->end;
	uint16_t flags = whole ? SUM_COMPACTED : 0;
	int rc;

	if (g->changed || g->count > 1)
		rc = cleaned_replace(g->cleaned, g->next_base, flags,
		    c->earlier_timestamp);
	else
		rc = mark_compacted(c, g, sum, flags);
	if (sum->max_timestamp > c->earlier_timestamp)
		c->earlier_timestamp = sum->max_timestamp;
	return rc;
}

static int
clean_group(struct compaction *c, struct group *g)
{
	int rc = 0;

	g->base = c->segments.bases[g->first];
	g->next_base = c->segments.bases[g->first + g->count];
	if (!c->o->dry_run)
		rc = cleaned_new(c->p, g->base, &g->cleaned);
	for (size_t i = 0; rc == 0 && i < g->count; i++)
		rc =
		    walk(c, c->segments.bases[g->first + i], 0, clean_batch, g);
	if (rc == 0 && g->cleaned != NULL)
		rc = finish_group(c, g);
	c->stats->segments += (int64_t)g->count;
	c->stats->segments_left++;
	c->stats->bytes += g->size;
	c->stats->bytes_left += g->size_left;
	cleaned_free(g->cleaned);
	return rc;
}

static int64_t
file_size(const struct compaction *c, int64_t base, const char *suffix)
{
	char name[SEGMENT_NAME_LEN];
	struct stat st;

	segment_name(name, base, suffix);
	if (fstatat(partition_dirfd(c->p), name, &st, 0) != 0)
		return 0;
	return st.st_size;
}

/* From first on: as many segments as will be one. */
static void
choose_group(const struct compaction *c, size_t first, struct group *g)
{
	const int64_t *bases = c->segments.bases;
	int64_t index = 0, timeindex = 0;

	*g = (struct group){.first = first};
	for (size_t i = first; i + 1 < c->segments.count && bases[i] < c->end;
	     i++) {
		int64_t size = file_size(c, bases[i], ".log");

		index += file_size(c, bases[i], ".index");
		timeindex += file_size(c, bases[i], ".timeindex");
		if (g->count > 0 &&
		    (g->size + size > c->o->segment_bytes ||
			index > c->o->index_bytes ||
			timeindex > c->o->index_bytes ||
			bases[i + 1] - 1 - bases[first] > INT32_MAX))
			return;
		g->size += size;
		g->count++;
	}
}

static int
clean_segments(struct compaction *c)
{
	struct compact_stats *s = c->stats;
	struct group g;
	int rc = begin_transactions(c, 0);

	/* The last pass has seen all that is left. */
	s->segments = s->segments_left = s->bytes = s->bytes_left = 0;
	s->records = s->records_left = s->tombstones_left = 0;
	c->earlier_timestamp = -1;
	for (size_t i = 0; rc == 0 && i + 1 < c->segments.count &&
	     c->segments.bases[i] < c->end;
	     i += g.count) {
		choose_group(c, i, &g);
		rc = clean_group(c, &g);
	}
	return rc;
}

/* --- from where to where ------------------------------------------------- */

static int
list(struct compaction *c)
{
	segment_list_release(&c->segments);
	return tail_list(c->p, &c->segments);
}

/* As if another segment had been begun at the log's end. */
static int
add_end(struct compaction *c)
{
	struct segment_list *l = &c->segments;
	struct partition_offsets offsets;
	int64_t *bases;
	int rc = partition_offsets(c->p, &offsets, c->f);

	if (rc != 0 || offsets.log_end <= l->bases[l->count - 1])
		return rc;
	bases = reallocarray(l->bases, l->count + 1, sizeof(*bases));
	if (bases == NULL)
		return ENOMEM;
	c->active = bases[l->count - 1];
	bases[l->count++] = offsets.log_end;
	l->bases = bases;
	return 0;
}

/* The first segment that was not compacted with those before it. */
static int64_t
first_dirty(const struct compaction *c)
{
	const struct segment_list *l = &c->segments;
	struct sum sum;
	size_t i;

	for (i = 0; i + 1 < l->count; i++)
		if (sum_read(partition_dirfd(c->p), l->bases[i], &sum) != 0 ||
		    (sum.flags & SUM_COMPACTED) == 0)
			break;
	return l->count > 0 ? l->bases[i] : 0;
}

/* Nothing at or above this offset may be touched. */
static int
find_upper(struct compaction *c)
{
	const struct segment_list *l = &c->segments;
	struct partition_offsets offsets;
	int64_t newest;
	int rc = partition_offsets(c->p, &offsets, c->f);

	if (rc != 0)
		return rc;
	c->upper = l->count > 0 ? l->bases[l->count - 1] : 0;
	/* A key that is to go goes everywhere. */
	if (!c->o->keep_last_only)
		return 0;
	if (offsets.last_stable < c->upper)
		c->upper = offsets.last_stable;
	if (c->o->min_lag_ms <= 0)
		return 0;
	for (size_t i = segment_list_find(l, c->dirty); i + 1 < l->count; i++) {
		rc = seek_max_timestamp(partition_dirfd(c->p), l->bases[i],
		    &newest);
		if (rc != 0)
			return rc;
		if (newest <= c->o->now_ms - c->o->min_lag_ms)
			continue;
		if (l->bases[i] < c->upper)
			c->upper = l->bases[i];
		break;
	}
	return 0;
}

/* May tombstones or markers of what is compacted go by now? */
static bool
has_due_horizon(const struct compaction *c)
{
	const struct segment_list *l = &c->segments;
	struct sum sum;

	for (size_t i = 0; i + 1 < l->count && l->bases[i] < c->dirty; i++)
		if (sum_read(partition_dirfd(c->p), l->bases[i], &sum) != 0 ||
		    (sum.delete_horizon >= 0 &&
			sum.delete_horizon <= c->o->now_ms))
			return true;
	return false;
}

/* What a pass has taken away, added up. */
static void
add_gone(struct compact_stats *pass, struct compact_stats *gone)
{
	pass->passes++;
	gone->segments += pass->segments - pass->segments_left;
	gone->bytes += pass->bytes - pass->bytes_left;
	gone->records += pass->records - pass->records_left;
}

static int
run_passes(struct compaction *c)
{
	struct compact_stats gone = {.passes = 0};
	int rc = list(c);

	if (rc != 0 || c->segments.count == 0)
		return rc;
	if (c->o->dry_run && c->o->include_active)
		rc = add_end(c);
	c->dirty = first_dirty(c);
	if (rc == 0)
		rc = find_upper(c);
	if (rc != 0)
		return rc;
	if (c->dirty > c->upper)
		c->dirty = c->upper;
	c->stats->end = c->upper;
	if (!c->o->keep_last_only) {
		c->end = c->upper;
		c->stats->passes = 1;
		return clean_segments(c);
	}
	if (c->dirty == c->upper && bytes_is_null(c->o->drop) &&
	    !has_due_horizon(c))
		return 0;
	do {
		rc = build_map(c);
		if (rc == 0)
			rc = clean_segments(c);
		add_gone(c->stats, &gone);
		c->dirty = c->end;
		if (rc == 0)
			rc = list(c);
	} while (rc == 0 && c->dirty < c->upper && !c->o->dry_run);
	c->stats->partial = c->dirty < c->upper;
	c->stats->segments = c->stats->segments_left + gone.segments;
	c->stats->bytes = c->stats->bytes_left + gone.bytes;
	c->stats->records = c->stats->records_left + gone.records;
	return rc;
}

int
compact_run(struct partition *p, const struct compact_options *o,
    struct compact_stats *stats, struct fault *f)
{
	struct compaction c = {.p = p,
	    .o = o,
	    .stats = stats,
	    .f = f,
	    .active = -1};
	int end_rc, rc = partition_clean_begin(p, f);

	*stats = (struct compact_stats){.passes = 0};
	if (rc != 0)
		return rc;
	segment_scan_init(&c.scan, SCAN_BLOCK);
	buf_init(&c.scratch, RECORDS_BYTES_MAX);
	buf_init(&c.kept, RECORDS_BYTES_MAX);
	batch_builder_init(&c.builder, CODEC_NONE, INT32_MIN,
	    RECORDS_BYTES_MAX);
	rc = keymap_new(o->memory, &c.map);
	if (rc == 0 && !o->dry_run)
		rc = cleaned_recover(p);
	if (rc == 0)
		rc = run_passes(&c);
	keymap_free(c.map);
	transactions_free(c.txns);
	batch_builder_release(&c.builder);
	buf_release(&c.kept);
	buf_release(&c.scratch);
	segment_scan_release(&c.scan);
	segment_list_release(&c.segments);
	end_rc = partition_clean_end(p, f);
	return rc != 0 ? rc : end_rc;
}

int
compact_is_due(struct partition *p, const struct compact_options *o, bool *due)
{
	struct compaction c = {.p = p, .o = o, .active = -1};
	int64_t oldest = INT64_MAX, clean = 0, dirty = 0;
	struct sum sum;
	int rc = list(&c);

	*due = false;
	if (rc == 0)
		c.dirty = first_dirty(&c);
	if (rc == 0)
		rc = find_upper(&c);
	for (size_t i = 0; rc == 0 && i + 1 < c.segments.count; i++) {
		int64_t base = c.segments.bases[i];

		if (base >= c.upper)
			break;
		if (base < c.dirty) {
			clean += file_size(&c, base, ".log");
			continue;
		}
		dirty += file_size(&c, base, ".log");
		if (sum_read(partition_dirfd(p), base, &sum) == 0 &&
		    sum.min_timestamp >= 0 && sum.min_timestamp < oldest)
			oldest = sum.min_timestamp;
	}
	segment_list_release(&c.segments);
	if (rc == 0 && dirty > 0)
		*due =
		    (double)dirty > o->dirty_ratio * (double)(clean + dirty) ||
		    (oldest != INT64_MAX && oldest < o->now_ms - o->max_lag_ms);
	return rc;
}
