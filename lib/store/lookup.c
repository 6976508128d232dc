#include "store/lookup.h"

#include <errno.h>
#include <fcntl.h>

#include "base/bounds.h"
#include "base/io.h"
#include "base/status.h"
#include "store/epoch.h"
#include "store/seek.h"
#include "store/segment.h"
#include "store/sum.h"
#include "store/tail.h"

static int
open_log(struct partition *p, int64_t base, int *fd)
{
	char name[SEGMENT_NAME_LEN];

	segment_name(name, base, ".log");
	return io_open(partition_dirfd(p), name, O_RDONLY, 0, fd);
}

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
			rc = open_log(p, l->bases[i], &fd);
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
	rc = epoch_read(partition_dirfd(p), &list, f);
	if (rc == ENOENT || rc == STATUS_CORRUPT ||
	    (rc == 0 && list.count == 0 && offsets.log_end > 0))
		rc = collect_epochs(p, &list, f);
	if (rc == 0)
		epoch_end_offset(&list, epoch, offsets.log_end, found, end);
	epoch_list_release(&list);
	return rc;
}

/* Count whole batches from out->pos on. */
static int
measure(struct lookup_range *out, int64_t end, int64_t max)
{
	struct batch b;
	int rc;

	for (;;) {
		rc = segment_header_at(out->fd, out->pos + out->len, &b);
		if (rc == STATUS_END || (rc == 0 && b.base_offset >= end))
			return 0;
		if (rc != 0)
			return out->len > 0 ? 0 : STATUS_CORRUPT;
		if (out->len > 0 && out->len + (int64_t)b.size > max)
			return 0;
		if (out->len == 0)
			out->base_offset = b.base_offset;
		out->len += (int64_t)b.size;
		out->next_offset = b.last_offset + 1;
	}
}

int
lookup_range(struct partition *p, int64_t offset, int64_t end, int64_t max,
    struct lookup_range *out, struct fault *f)
{
	struct partition_offsets offsets;
	struct segment_list l;
	int rc = partition_offsets(p, &offsets, f);

	if (rc != 0)
		return rc;
	if (offset < offsets.log_start || offset > offsets.log_end)
		return STATUS_OFFSET;
	if (offset >= end)
		return STATUS_END;
	*out = (struct lookup_range){.fd = -1};
	rc = tail_list(p, &l);
	if (rc != 0)
		return rc;
	/* A segment may hold nothing at or behind offset: then the next. */
	rc = STATUS_END;
	for (size_t i = l.count == 0 ? 0 : segment_list_find(&l, offset);
	     rc == STATUS_END && i < l.count; i++) {
		(void)io_close(&out->fd);
		out->len = 0;
		rc = open_log(p, l.bases[i], &out->fd);
		if (rc == 0)
			rc = seek_offset(partition_dirfd(p), l.bases[i],
			    out->fd, offset, -1, &out->pos);
		if (rc == 0)
			rc = measure(out, end, max);
		if (rc == STATUS_CORRUPT)
			status_fault(f, rc, partition_path(p), out->pos, offset,
			    "batch headers do not add up");
		if (rc == 0 && out->len == 0)
			rc = STATUS_END;
	}
	if (rc != 0)
		(void)io_close(&out->fd);
	segment_list_release(&l);
	return rc;
}
