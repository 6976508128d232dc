/*
 * A pass: the keys of [dirty, end) and their last offsets go into the map; then
 * all segments from the first to end are written anew, in groups.
 */
#include "store/compact.h"

#include <errno.h>
#include <stdlib.h>

#include "base/bounds.h"
#include "base/io.h"
#include "base/status.h"
#include "store/compact_impl.h"
#include "store/properties.h"
#include "store/seek.h"
#include "store/sum.h"
#include "store/tail.h"

enum {
	SCAN_BLOCK = 1 << 20,
	MEMORY_DEFAULT = 128 << 20,
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

/* --- from where to where ------------------------------------------------- */

/*
 * How much of the active segment is in the log: what a crash has left behind
 * that would be cut off.  Where its headers do not lead there it is damaged,
 * which is met in reading all of it.
 */
static int
measure_active(struct compaction *c, int64_t log_end)
{
	struct batch b;
	int64_t pos;
	int fd = -1;
	int rc = tail_open_log(c->p, c->active, &fd);

	if (rc != 0)
		return rc;
	c->active_size = compact_file_size(c, c->active, ".log");
	if (seek_offset(partition_dirfd(c->p), c->active, fd, log_end - 1, -1,
		&pos) == 0 &&
	    segment_header_at(fd, pos, &b) == 0 && b.last_offset + 1 == log_end)
		c->active_size = pos + (int64_t)b.size;
	(void)io_close(&fd);
	return 0;
}

/* As if another segment had been begun at the log's end. */
static int
add_end(struct compaction *c, int64_t log_end)
{
	struct segment_list *l = &c->segments;
	int64_t *bases;

	if (l->count == 0 || log_end <= l->bases[l->count - 1])
		return 0;
	bases = reallocarray(l->bases, l->count + 1, sizeof(*bases));
	if (bases == NULL)
		return ENOMEM;
	c->active = bases[l->count - 1];
	bases[l->count++] = log_end;
	l->bases = bases;
	return measure_active(c, log_end);
}

/* The segments of what is not deleted. */
static int
list(struct compaction *c)
{
	struct partition_offsets offsets;
	int64_t start = c->o->log_start;
	int rc;

	segment_list_release(&c->segments);
	rc = tail_list(c->p, &c->segments);
	if (rc == 0)
		rc = partition_offsets(c->p, &offsets, c->f);
	if (rc == 0 && c->o->dry_run && c->o->include_active)
		rc = add_end(c, offsets.log_end);
	if (rc == 0)
		segment_list_skip(&c->segments,
		    offsets.log_start > start ? offsets.log_start : start);
	return rc;
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

static int
see_timestamp(struct compaction *c, const uint8_t *data, const struct batch *b,
    void *arg)
{
	int64_t *newest = arg;

	(void)c;
	(void)data;
	if (b->max_timestamp > *newest)
		*newest = b->max_timestamp;
	return 0;
}

/* The largest timestamp in a segment; the active one has no .sum yet. */
static int
find_newest(struct compaction *c, int64_t base, int64_t *newest)
{
	if (base != c->active)
		return seek_max_timestamp(partition_dirfd(c->p), base, newest);
	*newest = -1;
	return compact_walk(c, base, base, see_timestamp, newest);
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
	/* With a roll all that is written becomes visible. */
	if (c->active >= 0 && offsets.last_stable == offsets.high_watermark)
		offsets.last_stable = offsets.log_end;
	if (offsets.last_stable < c->upper)
		c->upper = offsets.last_stable;
	if (c->o->min_lag_ms <= 0)
		return 0;
	for (size_t i = segment_list_find(l, c->dirty); i + 1 < l->count; i++) {
		rc = find_newest(c, l->bases[i], &newest);
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

/* --- passes -------------------------------------------------------------- */

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
	c->dirty = first_dirty(c);
	rc = find_upper(c);
	if (rc != 0)
		return rc;
	if (c->dirty > c->upper)
		c->dirty = c->upper;
	c->stats->end = c->upper;
	if (!c->o->keep_last_only) {
		c->end = c->upper;
		c->stats->passes = 1;
		return compact_segments(c);
	}
	if (c->dirty == c->upper && bytes_is_null(c->o->drop) &&
	    !has_due_horizon(c))
		return 0;
	do {
		rc = compact_map(c);
		if (rc == 0)
			rc = compact_segments(c);
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

/* A dry run has no lock: what was listed may be gone. */
static int
missed(const struct compact_options *o, int rc)
{
	return o->dry_run && rc == ENOENT ? EAGAIN : rc;
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
	int end_rc,
	    rc = o->dry_run ? partition_clean_look(p, f)
			    : partition_clean_begin(p, f);

	*stats = (struct compact_stats){.passes = 0};
	if (rc != 0)
		return missed(o, rc);
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
	if (o->dry_run)
		return missed(o, rc);
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
			clean += compact_file_size(&c, base, ".log");
			continue;
		}
		dirty += compact_file_size(&c, base, ".log");
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
