#include "store/lookup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/bounds.h"
#include "base/io.h"
#include "base/status.h"
#include "store/batch.h"
#include "store/epoch.h"
#include "store/partition_impl.h"
#include "store/seek.h"
#include "store/segment.h"
#include "store/sum.h"
#include "store/tail.h"
#include "store/txnindex.h"

/*
 * The first segment that could hold such a timestamp.  A .sum has the largest
 * timestamp of its segment and all earlier ones, which ascends: half of the
 * rest is ruled out at each step.  Deleted segments may have held that
 * maximum, so the segments found are asked one by one, too.
 */
static int
first_candidate(struct partition *p, const struct segment_list *l,
    int64_t timestamp, size_t *out)
{
	size_t low = 0, high = l->count - 1;
	int64_t max;
	struct sum sum;
	int rc = 0;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (sum_read(partition_dirfd(p), l->bases[mid], &sum) != 0) {
			low = 0;
			break;
		}
		if (sum.prefix_timestamp >= timestamp)
			high = mid;
		else
			low = mid + 1;
	}
	for (; rc == 0 && low + 1 < l->count; low++) {
		rc =
		    seek_max_timestamp(partition_dirfd(p), l->bases[low], &max);
		if (max >= timestamp)
			break;
	}
	*out = low;
	return rc;
}

/* Walk from the reader's place to the first record that is late enough. */
static int
walk_to_time(struct reader *r, int64_t timestamp, int64_t *offset,
    int64_t *found, struct fault *f)
{
	struct batch_records it;
	struct record rec;
	struct batch b;
	const uint8_t *data;
	struct buf scratch;
	int64_t from = reader_offset(r);
	int rc;

	buf_init(&scratch, RECORDS_BYTES_MAX);
	while ((rc = reader_next(r, &b, &data, f)) == 0) {
		if (b.max_timestamp < timestamp)
			continue;
		rc = batch_records_init(&it, data, &b, &scratch);
		while (rc == 0 && (rc = batch_records_next(&it, &rec)) == 0)
			if (rec.offset >= from && rec.timestamp >= timestamp)
				break;
		if (rc == 0) {
			*offset = rec.offset;
			*found = rec.timestamp;
			break;
		}
		if (rc == STATUS_CORRUPT)
			reader_fault(r, &b, "records do not add up", f);
		if (rc != STATUS_END)
			break;
	}
	if (rc == STATUS_END)
		*offset = reader_end(r);
	buf_release(&scratch);
	return rc;
}

int
lookup_time(struct partition *p, struct reader *r, int64_t timestamp,
    int64_t *offset, int64_t *found, struct fault *f)
{
	const struct segment_list *l;
	int64_t pos, start = reader_offsets(r)->log_start;
	struct batch b;
	size_t i;
	int fd = -1, rc;

	rc = tail_segments(p, false, &l);
	if (rc != 0)
		return rc;
	if (l->count > 0) {
		rc = first_candidate(p, l, timestamp, &i);
		if (rc == 0 && l->bases[i] > start)
			start = l->bases[i];
		if (rc == 0)
			rc = tail_open_log(p, l->bases[i], &fd);
		if (rc == 0)
			rc = seek_time(partition_dirfd(p), l->bases[i], fd,
			    timestamp, -1, &pos);
		if (rc == 0 && segment_header_at(fd, pos, &b) == 0 &&
		    b.base_offset > start)
			start = b.base_offset;
		(void)io_close(&fd);
	}
	/* Gone meanwhile, or damaged: the walk from the start finds out. */
	if (rc == ENOENT || rc == STATUS_CORRUPT)
		rc = 0;
	if (rc == 0)
		rc = reader_seek(r, start, NULL, f);
	if (rc == 0)
		rc = walk_to_time(r, timestamp, offset, found, f);
	return rc;
}

/*
 * A bound for the timestamps of segment i: it has none above it.  INT64_MAX if
 * that is not known without reading it.
 */
static int64_t
bound_of(struct partition *p, const struct segment_list *l, size_t i,
    const struct tail_hint *hint)
{
	int64_t max;

	if (l->bases[i] == hint->active_base)
		return hint->active_max_timestamp;
	/* What was rolled meanwhile is read. */
	if (hint->active_base < 0 || l->bases[i] > hint->active_base ||
	    seek_max_timestamp(partition_dirfd(p), l->bases[i], &max) != 0)
		return INT64_MAX;
	return max;
}

/* Raise *max to the largest timestamp of a record in [from, to). */
static int
raise_max(struct reader *r, int64_t from, int64_t to, int64_t *max,
    struct fault *f)
{
	struct batch_records it;
	struct record rec;
	struct batch b;
	const uint8_t *data;
	struct buf scratch;
	int rc;

	buf_init(&scratch, RECORDS_BYTES_MAX);
	rc = reader_seek(r, from, NULL, f);
	from = reader_offset(r);
	while (rc == 0 && reader_offset(r) < to &&
	    (rc = reader_next(r, &b, &data, f)) == 0) {
		if (b.max_timestamp <= *max || b.base_offset >= to)
			continue;
		rc = batch_records_init(&it, data, &b, &scratch);
		while (rc == 0 && (rc = batch_records_next(&it, &rec)) == 0)
			if (rec.offset >= from && rec.timestamp > *max)
				*max = rec.timestamp;
		if (rc == STATUS_CORRUPT)
			reader_fault(r, &b, "records do not add up", f);
		rc = rc == STATUS_END ? 0 : rc;
	}
	buf_release(&scratch);
	return rc == STATUS_END ? 0 : rc;
}

/*
 * The bounds count what the reader does not see: records below the log start,
 * or not yet visible, markers.  So read, the newest segment first, which most
 * often settles it.
 */
static int
read_max(struct partition *p, struct reader *r, const struct segment_list *l,
    const struct tail_hint *hint, int64_t *max, struct fault *f)
{
	int rc = 0;

	*max = -1;
	for (size_t i = l->count; rc == 0 && i > 0; i--)
		if (bound_of(p, l, i - 1, hint) > *max)
			rc = raise_max(r, l->bases[i - 1],
			    i < l->count ? l->bases[i] : INT64_MAX, max, f);
	return rc;
}

static int
find_max(struct partition *p, struct reader *r, const struct segment_list *l,
    const struct tail_hint *hint, int64_t *offset, int64_t *found,
    struct fault *f)
{
	int64_t max = -1, bound;
	int rc = STATUS_END;

	for (size_t i = 0; i < l->count; i++) {
		bound = bound_of(p, l, i, hint);
		if (bound > max)
			max = bound;
	}
	/* Nothing is above it: who has it is the one. */
	if (max >= 0 && max < INT64_MAX)
		rc = lookup_time(p, r, max, offset, found, f);
	if (rc != STATUS_END || max < 0)
		return rc;
	rc = read_max(p, r, l, hint, &max, f);
	if (rc == 0)
		rc = max < 0 ? STATUS_END
			     : lookup_time(p, r, max, offset, found, f);
	return rc;
}

int
lookup_max_timestamp(struct partition *p, struct reader *r, int64_t *offset,
    int64_t *found, struct fault *f)
{
	struct segment_list l = {NULL, 0};
	struct partition_offsets offsets;
	struct tail_hint hint;
	int rc = tail_look(p, &offsets, &hint, f);

	/* A list of its own: the reader changes the partition's. */
	if (rc == 0)
		rc = tail_list(p, &l);
	if (rc == 0)
		rc = find_max(p, r, &l, &hint, offset, found, f);
	segment_list_release(&l);
	return rc;
}

/* The epochs as the batches have them. */
static int
collect_epochs(struct partition *p, struct epoch_list *list, struct fault *f)
{
	struct reader *r = NULL;
	const uint8_t *data;
	struct batch b;
	bool changed;
	int rc;

	rc = reader_open(p, READER_UNCOMMITTED | READER_CONTROL, 0, &r, f);
	while (rc == 0 && (rc = reader_next(r, &b, &data, f)) == 0)
		if (b.leader_epoch > epoch_latest(list))
			rc = epoch_assign(list, b.leader_epoch, b.base_offset,
			    &changed);
	reader_close(r);
	return rc == STATUS_END ? 0 : rc;
}

static int
read_epochs(struct partition *p, int64_t log_end, struct epoch_list *list,
    struct fault *f)
{
	int rc = epoch_read(partition_dirfd(p), list, f);

	if (rc == ENOENT || rc == STATUS_CORRUPT ||
	    (rc == 0 && list->count == 0 && log_end > 0))
		rc = collect_epochs(p, list, f);
	return rc;
}

int
lookup_epoch(struct partition *p, int32_t epoch, int32_t *found, int64_t *end,
    struct fault *f)
{
	struct partition_offsets offsets;
	struct epoch_list list;
	int rc = partition_offsets(p, &offsets, f);

	if (rc != 0)
		return rc;
	epoch_list_init(&list);
	rc = read_epochs(p, offsets.log_end, &list, f);
	if (rc == 0)
		epoch_end_offset(&list, epoch, offsets.log_end, found, end);
	epoch_list_release(&list);
	return rc;
}

int
lookup_epoch_at(struct partition *p, int64_t offset, int32_t *epoch,
    struct fault *f)
{
	struct epoch_list list;
	int rc;

	epoch_list_init(&list);
	rc = read_epochs(p, offset + 1, &list, f);
	if (rc == 0)
		*epoch = epoch_at(&list, offset);
	epoch_list_release(&list);
	return rc;
}

/* Those of one segment; *done: no later one concerns what is below upto. */
static int
aborted_in(struct partition *p, int64_t base, int64_t from, int64_t upto,
    struct aborted_list *l, bool *done)
{
	size_t kept = l->count;
	int rc = txnindex_read(partition_dirfd(p), base, from, l, NULL);

	for (size_t i = kept; rc == 0 && i < l->count; i++) {
		*done = *done || l->items[i].last_stable >= upto;
		if (l->items[i].first_offset < upto)
			l->items[kept++] = l->items[i];
	}
	if (rc == 0)
		l->count = kept;
	return rc;
}

int
lookup_aborted(struct partition *p, int64_t from, int64_t upto,
    struct aborted_list *l, struct fault *f)
{
	const struct segment_list *segments;
	struct partition_offsets offsets;
	struct tail_hint hint;
	bool done = false;
	int rc = tail_look(p, &offsets, &hint, f);

	if (rc != 0 || !hint.has_producers)
		return rc;
	rc = tail_segments(p, true, &segments);
	if (rc != 0 || segments->count == 0)
		return rc;
	for (size_t i = segment_list_find(segments, from);
	     rc == 0 && !done && i < segments->count; i++)
		rc = aborted_in(p, segments->bases[i], from, upto, l, &done);
	return rc;
}
