/*
 * Which segments become one, and what is said of it.  One that would be as it
 * was is not put in place; only its .sum says that it was looked at.
 */

#include <sys/stat.h>

#include "store/compact_impl.h"
#include "store/sum.h"

int64_t
compact_file_size(const struct compaction *c, int64_t base, const char *suffix)
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
choose_group(const struct compaction *c, size_t first, struct compact_group *g)
{
	const int64_t *bases = c->segments.bases;
	int64_t index = 0, timeindex = 0;

	*g = (struct compact_group){.first = first};
	for (size_t i = first; i + 1 < c->segments.count && bases[i] < c->end;
	     i++) {
		int64_t size = bases[i] == c->active
		    ? c->active_size
		    : compact_file_size(c, bases[i], ".log");

		index += compact_file_size(c, bases[i], ".index");
		timeindex += compact_file_size(c, bases[i], ".timeindex");
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

/* The .sum of a segment that stays as it is says that it was looked at. */
static int
mark_compacted(struct compaction *c, const struct compact_group *g,
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
finish_group(struct compaction *c, struct compact_group *g)
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
clean_group(struct compaction *c, struct compact_group *g)
{
	int rc = 0;

	g->base = c->segments.bases[g->first];
	g->next_base = c->segments.bases[g->first + g->count];
	if (!c->o->dry_run)
		rc = cleaned_new(c->p, g->base, &g->cleaned);
	for (size_t i = 0; rc == 0 && i < g->count; i++)
		rc = compact_walk(c, c->segments.bases[g->first + i], 0,
		    compact_batch, g);
	if (rc == 0 && g->cleaned != NULL)
		rc = finish_group(c, g);
	c->stats->segments += (int64_t)g->count;
	c->stats->segments_left++;
	c->stats->bytes += g->size;
	c->stats->bytes_left += g->size_left;
	cleaned_free(g->cleaned);
	return rc;
}

int
compact_segments(struct compaction *c)
{
	struct compact_stats *s = c->stats;
	struct compact_group g;
	int rc = compact_begin_transactions(c, 0, 0);

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
