#include "store/retain.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/status.h"
#include "store/partition.h"
#include "store/properties.h"
#include "store/reader.h"
#include "store/seek.h"
#include "store/segment.h"
#include "store/tail.h"

void
retain_options_of(const struct properties *props, int64_t now_ms,
    struct retain_options *out)
{
	*out = (struct retain_options){
	    .now_ms = now_ms,
	    .retention_ms = properties_int(props, PROPERTIES_RETENTION_MS),
	    .retention_bytes =
		properties_int(props, PROPERTIES_RETENTION_BYTES),
	};
}

struct file {
	int64_t size;
	int64_t written_ms;	/* when it was last written to */
};

struct retention {
	struct partition *p;
	const struct retain_options *o;
	struct partition_offsets offsets;
	struct segment_list segments;
	struct file *files;	/* of each segment */
	size_t gone;		/* so many go */
	bool all;		/* the active one's records, too */
	/* One that was killed has not removed all that is deleted. */
	bool left;
};

/* The segments of what is not deleted. */
static int
measure(struct retention *r, int64_t *total)
{
	int rc = tail_list(r->p, &r->segments);
	size_t count;

	*total = 0;
	if (rc != 0)
		return rc;
	count = r->segments.count;
	segment_list_skip(&r->segments, r->offsets.log_start);
	r->left = r->segments.count < count;
	r->files = calloc(r->segments.count + 1, sizeof(*r->files));
	if (r->files == NULL)
		return ENOMEM;
	for (size_t i = 0; i < r->segments.count; i++) {
		char name[SEGMENT_NAME_LEN];
		struct stat st;

		segment_name(name, r->segments.bases[i], ".log");
		/* A name that is gone counts as nothing. */
		if (fstatat(partition_dirfd(r->p), name, &st, 0) == 0)
			r->files[i] = (struct file){.size = st.st_size,
			    .written_ms = (int64_t)st.st_mtim.tv_sec * 1000 +
				st.st_mtim.tv_nsec / 1000000};
		*total += r->files[i].size;
	}
	return 0;
}

static void
choose_by_size(struct retention *r, int64_t total)
{
	int64_t excess = total - r->o->retention_bytes;

	if (r->o->retention_bytes < 0)
		return;
	while (r->gone + 1 < r->segments.count &&
	    excess - r->files[r->gone].size >= 0)
		excess -= r->files[r->gone++].size;
}

/*
 * newest: the largest timestamp in a segment, INT64_MAX if that is not known.
 * Where no record has one, or all are of before 1970, it is as old as its file.
 */
static bool
is_old(const struct retention *r, size_t segment, int64_t newest)
{
	if (newest < 0)
		newest = r->files[segment].written_ms;
	return newest != INT64_MAX &&
	    r->o->now_ms - newest > r->o->retention_ms;
}

/*
 * Is all of the last segment old?  It has no .sum yet, so it is read, up to
 * the first batch that is not; most often its time index knows of one.
 */
static int
look_at_active(struct retention *r, struct fault *f)
{
	size_t last = r->segments.count - 1;
	int64_t base = r->segments.bases[last], newest;
	struct reader *rd = NULL;
	const uint8_t *data;
	struct batch b;
	int rc = seek_max_timestamp(partition_dirfd(r->p), base, &newest);

	if (rc != 0 || (newest != INT64_MAX && !is_old(r, last, newest)))
		return rc;
	newest = -1;
	rc = reader_open(r->p, READER_UNCOMMITTED | READER_CONTROL, 0, &rd, f);
	if (rc == 0)
		rc = reader_seek(rd,
		    base > r->offsets.log_start ? base : r->offsets.log_start,
		    NULL, f);
	while (rc == 0 && (newest < 0 || is_old(r, last, newest)) &&
	    (rc = reader_next(rd, &b, &data, f)) == 0) {
		if (b.max_timestamp > newest)
			newest = b.max_timestamp;
		if (r->o->pace != NULL)
			rc = r->o->pace(r->o->pace_arg, b.size);
	}
	reader_close(rd);
	rc = rc == STATUS_END ? 0 : rc;
	r->all = rc == 0 && is_old(r, last, newest);
	if (r->all)
		r->gone = last;
	return rc;
}

static int
choose_by_age(struct retention *r, struct fault *f)
{
	size_t last = r->segments.count - 1;
	int64_t newest;
	int rc;

	if (r->o->retention_ms < 0)
		return 0;
	for (size_t i = r->gone; i < last; i++) {
		/* Nothing is in it: it goes with the next one. */
		if (r->files[i].size == 0)
			continue;
		rc = seek_max_timestamp(partition_dirfd(r->p),
		    r->segments.bases[i], &newest);
		if (rc != 0 || !is_old(r, i, newest))
			return rc;
		r->gone = i + 1;
	}
	if (r->o->sealed_only || r->files[last].size == 0)
		return 0;
	return look_at_active(r, f);
}

int
retain_run(struct partition *p, const struct retain_options *o,
    struct retain_stats *stats, struct fault *f)
{
	struct retention r = {.p = p, .o = o};
	int64_t total, start;
	int rc = partition_offsets(p, &r.offsets, f);

	if (rc == 0 && o->log_start > r.offsets.log_start)
		r.offsets.log_start = o->log_start;
	if (rc == 0)
		rc = measure(&r, &total);
	if (rc == 0 && r.segments.count > 0) {
		choose_by_size(&r, total);
		rc = choose_by_age(&r, f);
	}
	*stats = (struct retain_stats){.log_start = r.offsets.log_start};
	start = r.gone > 0 ? r.segments.bases[r.gone] : r.offsets.log_start;
	if (r.all)
		start = r.offsets.log_end;
	if (start > r.offsets.high_watermark)
		start = r.offsets.high_watermark;
	if (rc == 0 && start > r.offsets.log_start) {
		stats->log_start = start;
		for (size_t i = 0; i < r.gone + r.all; i++) {
			stats->segments++;
			stats->bytes += r.files[i].size;
		}
		if (!o->dry_run && r.all)
			rc = partition_roll(p, f);
		if (rc == 0 && !o->dry_run)
			rc = partition_delete_before(p, start, f);
	} else if (rc == 0 && r.left && !o->dry_run) {
		rc = partition_delete_before(p, r.offsets.log_start, f);
	}
	free(r.files);
	segment_list_release(&r.segments);
	return rc;
}

int
retain_before(struct partition *p, int64_t offset, bool dry_run,
    struct retain_stats *stats, struct fault *f)
{
	struct retention r = {.p = p};
	int64_t total;
	int rc = partition_offsets(p, &r.offsets, f);

	if (rc == 0)
		rc = measure(&r, &total);
	*stats = (struct retain_stats){.log_start = r.offsets.log_start};
	if (rc == 0 && offset > r.offsets.log_start) {
		stats->log_start = offset;
		for (size_t i = 0; i + 1 < r.segments.count &&
		     r.segments.bases[i + 1] <= offset;
		     i++) {
			stats->segments++;
			stats->bytes += r.files[i].size;
		}
		if (!dry_run)
			rc = partition_delete_before(p, offset, f);
	} else if (rc == 0 && r.left && !dry_run) {
		rc = partition_delete_before(p, r.offsets.log_start, f);
	}
	free(r.files);
	segment_list_release(&r.segments);
	return rc;
}
