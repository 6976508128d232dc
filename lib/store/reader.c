#include "store/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/status.h"
#include "store/seek.h"
#include "store/segment.h"
#include "store/sum.h"
#include "store/tail.h"
#include "store/txnindex.h"

enum { BLOCK_DEFAULT = 512 << 10 };

struct reader {
	struct partition *p;	/* not owned */
	int flags;
	struct partition_offsets offsets;
	struct tail_hint hint;
	int64_t offset;		/* read next */
	int64_t base;		/* segment that fd is of, -1 none */
	int64_t next;		/* base of the one after it, -1 not known */
	int64_t last;		/* last offset scanned in it, -1 none */
	int fd;
	struct segment_scan scan;
	int64_t missing_end;	/* what is before is known to be lost */
	const struct segment_list *list; /* partition's, may be stale */
	struct aborted_list aborted;
	bool has_aborted;	/* aborted is loaded */
	int64_t aborted_end;	/* for this end */
	int64_t aborted_base;	/* from this segment on */
};

int
reader_open(struct partition *p, int flags, size_t block, struct reader **out,
    struct fault *f)
{
	struct reader *r = calloc(1, sizeof(*r));
	int rc;

	if (r == NULL)
		return ENOMEM;
	r->p = p;
	r->flags = flags;
	r->fd = -1;
	r->base = -1;
	segment_scan_init(&r->scan, block == 0 ? BLOCK_DEFAULT : block);
	txnindex_list_init(&r->aborted);
	rc = reader_refresh(r, f);
	if (rc != 0) {
		reader_close(r);
		return rc;
	}
	r->offset = r->offsets.log_start;
	*out = r;
	return 0;
}

void
reader_close(struct reader *r)
{
	if (r == NULL)
		return;
	(void)io_close(&r->fd);
	segment_scan_release(&r->scan);
	txnindex_list_release(&r->aborted);
	free(r);
}

static void
leave_segment(struct reader *r)
{
	(void)io_close(&r->fd);
	r->base = -1;
}

int
reader_refresh(struct reader *r, struct fault *f)
{
	int64_t end = r->fd >= 0 ? reader_end(r) : 0;
	int rc = tail_look(r->p, &r->offsets, &r->hint, f);

	/* What was read ahead past the old end may be stale. */
	if (rc == 0 && r->fd >= 0 && reader_end(r) != end)
		segment_scan_start(&r->scan, r->fd, r->scan.pos, -1);
	return rc;
}

const struct partition_offsets *
reader_offsets(const struct reader *r)
{
	return &r->offsets;
}

int64_t
reader_end(const struct reader *r)
{
	return r->flags & READER_UNCOMMITTED ? r->offsets.high_watermark
					     : r->offsets.last_stable;
}

int64_t
reader_offset(const struct reader *r)
{
	return r->offset;
}

int
reader_seek(struct reader *r, int64_t offset, bool *moved, struct fault *f)
{
	(void)f;
	if (moved != NULL)
		*moved = offset < r->offsets.log_start;
	if (offset < r->offsets.log_start)
		offset = r->offsets.log_start;
	r->offset = offset;
	r->missing_end = 0;
	leave_segment(r);
	return 0;
}

static int
fault_here(const struct reader *r, struct fault *f, int rc, int64_t pos,
    const char *what)
{
	char name[SEGMENT_NAME_LEN], path[512];

	segment_name(name, r->base, ".log");
	snprintf(path, sizeof(path), "%s/%s", partition_path(r->p), name);
	return status_fault(f, rc, path, pos, r->offset, what);
}

int
reader_fault(const struct reader *r, const struct batch *b, const char *what,
    struct fault *f)
{
	fault_here(r, f, STATUS_CORRUPT, r->scan.pos - (int64_t)b->size, what);
	if (f != NULL) {
		f->offset = b->base_offset;
		f->offset_end = b->last_offset + 1;
	}
	return STATUS_CORRUPT;
}

static int
list_segments(struct reader *r, bool again)
{
	struct stat st;

	if (again && stat(partition_path(r->p), &st) != 0 && errno == ENOENT)
		return STATUS_REMOVED;
	return tail_segments(r->p, again, &r->list);
}

/* The base of the listed segment after the current one, -1 none. */
static int64_t
listed_next(const struct reader *r)
{
	if (r->list == NULL || r->list->count == 0)
		return -1;
	for (size_t i = segment_list_find(r->list, r->base); i < r->list->count;
	     i++)
		if (r->list->bases[i] > r->base)
			return r->list->bases[i];
	return -1;
}

/* Open the segment of that base and stand at the reader's offset. */
static int
enter(struct reader *r, int64_t base, struct fault *f)
{
	char name[SEGMENT_NAME_LEN];
	int64_t pos;
	int rc;

	leave_segment(r);
	segment_name(name, base, ".log");
	r->base = base;
	r->next = listed_next(r);
	rc = io_open(partition_dirfd(r->p), name, O_RDONLY, 0, &r->fd);
	if (rc != 0) {
		fault_here(r, f, rc, -1, NULL);
		leave_segment(r);
		return rc;
	}
	r->last = -1;
	rc = seek_offset(partition_dirfd(r->p), base, r->fd, r->offset, -1,
	    &pos);
	segment_scan_start(&r->scan, r->fd, pos, -1);
	if (rc > 0)
		return fault_here(r, f, rc, pos, NULL);
	/* Damage on the way is met again, and told, by who reads on. */
	return 0;
}

/* The segment that should hold the offsets up to next is lost. */
static int
tell_missing(struct reader *r, int64_t next, struct fault *f)
{
	int rc = status_fault(f, STATUS_CORRUPT, partition_path(r->p), -1,
	    r->offset, "a segment file is missing");

	if (f != NULL)
		f->offset_end = next;
	r->missing_end = next;
	return rc;
}

/* The current segment ends before its last batches do, up to next. */
static int
tell_short(struct reader *r, int64_t next, struct fault *f)
{
	fault_here(r, f, STATUS_CORRUPT, r->scan.pos, "cut short");
	if (f != NULL)
		f->offset_end = next;
	r->missing_end = next;
	return STATUS_CORRUPT;
}

/*
 * The log begins at first, above the reader's offset: its start was raised,
 * or the file is lost.
 */
static int
enter_behind_start(struct reader *r, int64_t first, struct fault *f)
{
	int rc = reader_refresh(r, f);

	if (rc != 0)
		return rc;
	if (r->offsets.log_start <= r->offset)
		return tell_missing(r, first, f);
	r->offset = first;
	return STATUS_OFFSET;
}

/*
 * A roll tells of the next segment before it makes it.  Does the current one
 * end, whole, where that begins, with what it lacks being a gap?
 */
static bool
ends_in_gap(const struct reader *r, int64_t end)
{
	struct stat st;
	struct sum sum;

	return r->fd >= 0 && r->base < r->hint.active_base &&
	    r->hint.active_base >= end &&
	    sum_read(partition_dirfd(r->p), r->base, &sum) == 0 &&
	    sum.next_offset >= end && fstat(r->fd, &st) == 0 &&
	    st.st_size == sum.size && r->scan.pos >= sum.size;
}

/*
 * There are no more files.  The log's end is told only after the bytes up to
 * it are there, so what is left up to it is lost.
 */
static int
end_files(struct reader *r, struct fault *f)
{
	int64_t end = reader_end(r);
	int rc = reader_refresh(r, f);

	if (rc != 0)
		return rc;
	if (r->offset >= reader_end(r))
		return STATUS_END;
	/* It has moved, and with it what can be read. */
	if (reader_end(r) != end)
		return EAGAIN;
	if (ends_in_gap(r, end))
		return STATUS_END;
	return r->fd < 0 || r->base < r->hint.active_base
	    ? tell_missing(r, end, f)
	    : tell_short(r, end, f);
}

/* The segment that holds the reader's offset, by a listing. */
static int
enter_listed(struct reader *r, struct fault *f)
{
	int rc = ENOENT;

	/* Files may go between the listing and the opening. */
	for (int tries = 0; rc == ENOENT && tries < 10; tries++) {
		rc = list_segments(r, tries > 0);
		if (rc == 0 && tries == 0 &&
		    (r->list->count == 0 || r->offset < r->list->bases[0]))
			rc = list_segments(r, true);
		if (rc != 0)
			return rc;
		if (r->list->count == 0)
			return end_files(r, f);
		if (r->offset < r->list->bases[0])
			return enter_behind_start(r, r->list->bases[0], f);
		rc = enter(r,
		    r->list->bases[segment_list_find(r->list, r->offset)], f);
	}
	return rc;
}

static int
enter_first(struct reader *r, struct fault *f)
{
	int rc;

	/* At the end of a large topic there is no need of a listing. */
	if (r->hint.active_base >= 0 && r->offset >= r->hint.active_base) {
		rc = enter(r, r->hint.active_base, f);
		if (rc != ENOENT)
			return rc;
	}
	return enter_listed(r, f);
}

/* The base of the segment after the current one, -1 if there is none. */
static int
next_base(struct reader *r, int64_t *next)
{
	int rc = 0;

	*next = listed_next(r);
	if (*next < 0) {
		rc = list_segments(r, true);
		*next = listed_next(r);
	}
	return rc;
}

/*
 * The .sum of a sealed segment says how long it is and where the one after it
 * begins; segments are removed only from the start.
 */
static int
check_sealed(struct reader *r, int64_t next, struct fault *f)
{
	char name[SEGMENT_NAME_LEN];
	int dirfd = partition_dirfd(r->p);
	struct stat st, now;
	struct sum sum;

	if (r->offset >= next || r->fd < 0 ||
	    sum_read(dirfd, r->base, &sum) != 0)
		return 0;
	/* A file that another one has replaced is not what it speaks of. */
	segment_name(name, r->base, ".log");
	if (fstat(r->fd, &st) != 0 || fstatat(dirfd, name, &now, 0) != 0 ||
	    st.st_ino != now.st_ino)
		return 0;
	/* Nor one of a copy: it may have been compacted elsewhere. */
	if (st.st_size < sum.size && r->hint.active_base >= 0)
		return tell_short(r, next, f);
	if (st.st_size != sum.size || sum.next_offset >= next)
		return 0;
	/* Retention may have taken both meanwhile. */
	if (list_segments(r, true) != 0 || r->list->count == 0 ||
	    r->list->bases[0] > r->base)
		return 0;
	if (r->offset < sum.next_offset)
		r->offset = sum.next_offset;
	return tell_missing(r, next, f);
}

/* The current segment has been read to its end. */
static int
enter_next(struct reader *r, struct fault *f)
{
	int64_t next;
	int rc = next_base(r, &next);

	if (rc != 0)
		return rc;
	/* What comes next may be in the file that has taken its place. */
	if ((next < 0 || r->offset < next) && r->fd >= 0 &&
	    segment_is_replaced(partition_dirfd(r->p), r->base, r->fd)) {
		rc = enter(r, r->base, f);
		return rc == ENOENT ? enter_listed(r, f) : rc;
	}
	if (next < 0)
		return end_files(r, f);
	rc = check_sealed(r, next, f);
	if (rc != 0)
		return rc;
	if (r->offset < next)
		r->offset = next;
	/* Offsets of a gap between segments are nowhere. */
	if (r->offset >= reader_end(r))
		return STATUS_END;
	rc = enter(r, next, f);
	return rc == ENOENT ? enter_listed(r, f) : rc;
}

/*
 * One segment's aborted transactions.  Nothing else tells that a .txnindex is
 * lost, and what it lists must not be shown: the .sum of a sealed segment, and
 * the state for the active one, know how many there are.
 */
static int
load_aborted_of(struct reader *r, int64_t base, struct fault *f)
{
	char name[SEGMENT_NAME_LEN], path[512];
	struct sum sum = {.aborted_count = 0};
	int dirfd = partition_dirfd(r->p), rc;
	int32_t count;

	rc = txnindex_read(dirfd, base, 0, &r->aborted, &count);
	if (rc == 0 && base == r->hint.active_base)
		sum.aborted_count = r->hint.aborted_count;
	else if (rc == 0 && sum_read(dirfd, base, &sum) != 0)
		return 0;
	if (rc == 0 && count < sum.aborted_count)
		rc = STATUS_CORRUPT;
	if (rc == 0)
		return 0;
	segment_name(name, base, ".txnindex");
	snprintf(path, sizeof(path), "%s/%s", partition_path(r->p), name);
	return status_fault(f, rc, path, 0, r->offset,
	    rc == STATUS_CORRUPT ? "aborted transactions are missing in it"
				 : NULL);
}

/*
 * Aborted transactions from the reader's segment on.  Who goes back has those
 * of later segments already.
 */
static int
load_aborted(struct reader *r, struct fault *f)
{
	bool again = !r->has_aborted || r->aborted_end != reader_end(r);
	int64_t upto = again ? INT64_MAX : r->aborted_base;
	int rc;

	if (!again && r->base >= r->aborted_base)
		return 0;
	if (again)
		r->aborted.count = 0;
	r->has_aborted = false;
	if (!r->hint.has_producers)
		return 0;
	rc = list_segments(r, again);
	for (size_t i = 0; rc == 0 && i < r->list->count; i++)
		if (r->list->bases[i] >= r->base && r->list->bases[i] < upto)
			rc = load_aborted_of(r, r->list->bases[i], f);
	if (rc != 0)
		return rc;
	txnindex_list_sort(&r->aborted);
	r->aborted_end = reader_end(r);
	r->aborted_base = r->base;
	r->has_aborted = true;
	return 0;
}

/* Is this batch for the reader's eyes? */
static int
is_wanted(struct reader *r, const struct batch *b, bool *wanted,
    struct fault *f)
{
	int rc;

	*wanted = true;
	if (b->attributes & BATCH_CONTROL) {
		*wanted = (r->flags & READER_CONTROL) != 0;
		return 0;
	}
	if ((b->attributes & BATCH_TRANSACTIONAL) == 0 ||
	    (r->flags & READER_UNCOMMITTED) != 0)
		return 0;
	rc = load_aborted(r, f);
	if (rc == 0)
		*wanted = !txnindex_list_has(&r->aborted, b->producer_id,
		    b->base_offset);
	return rc;
}

/* Does the next segment really begin at or below that offset? */
static bool
next_begins_by(struct reader *r, int64_t offset)
{
	char name[SEGMENT_NAME_LEN];
	struct batch first;
	int fd = -1, rc;

	segment_name(name, r->next, ".log");
	rc = io_open(partition_dirfd(r->p), name, O_RDONLY, 0, &fd);
	if (rc == 0)
		rc = segment_header_at(fd, 0, &first);
	(void)io_close(&fd);
	/* It may have been removed since it was listed. */
	return rc != ENOENT && (rc != 0 || first.base_offset <= offset);
}

/*
 * A batch reaches into the next segment's range.  If it only does so because
 * that segment has a wrong name, it is that one's fault.  Compaction puts
 * several segments into the place of the first, and removes the others then:
 * until it is done there is a .sum.cleaned.
 */
static bool
is_in_next(struct reader *r, const struct batch *b)
{
	char name[SEGMENT_NAME_LEN];

	segment_name(name, r->base, ".sum.cleaned");
	if (faccessat(partition_dirfd(r->p), name, F_OK, 0) == 0)
		return false;
	if (list_segments(r, true) != 0)
		return false;
	r->next = listed_next(r);
	return r->next >= 0 && b->last_offset >= r->next &&
	    (b->base_offset >= r->next || next_begins_by(r, b->last_offset));
}

/*
 * Only compaction leaves gaps, and never in the active segment; which it may
 * not be any more.
 */
static bool
is_gap(struct reader *r, const struct batch *b)
{
	bool is_first = r->scan.pos == (int64_t)b->size;
	int64_t last = is_first ? r->base - 1 : r->last;
	struct partition_offsets offsets;
	struct tail_hint hint;

	if (!r->hint.contiguous || r->base != r->hint.active_base ||
	    (r->last < 0 && !is_first) || b->base_offset == last + 1)
		return false;
	return tail_look(r->p, &offsets, &hint, NULL) != 0 ||
	    hint.active_base == r->base;
}

/*
 * Why a batch cannot stand here, or NULL.  Its offset is not covered by the
 * CRC, so it has to fit its place.
 */
static const char *
misplaced(struct reader *r, const struct batch *b)
{
	if (r->next >= 0 && b->last_offset >= r->next && is_in_next(r, b))
		return "offset is above the next segment's base";
	if (b->base_offset < r->base)
		return "offset is below the segment's base";
	if (b->base_offset <= r->last)
		return "offset is out of order";
	if (b->last_offset >= r->offsets.log_end)
		return "offset is past the log end";
	return is_gap(r, b) ? "offsets are not continuous" : NULL;
}

int
reader_next(struct reader *r, struct batch *b, const uint8_t **data,
    struct fault *f)
{
	const char *what;
	bool wanted;
	int rc;

	for (;;) {
		if (r->offset >= reader_end(r))
			return STATUS_END;
		rc = r->fd < 0 ? enter_first(r, f) : 0;
		if (rc == EAGAIN)
			continue;
		if (rc != 0)
			return rc;
		rc = segment_scan_next(&r->scan, b, data);
		if (rc == STATUS_END) {
			rc = enter_next(r, f);
			if (rc != 0 && rc != EAGAIN)
				return rc;
			continue;
		}
		if (rc == STATUS_SHORT)
			rc = STATUS_CORRUPT;
		if (rc != 0)
			return fault_here(r, f, rc, r->scan.pos, r->scan.what);
		what = misplaced(r, b);
		if (what != NULL) {
			r->scan.pos -= (int64_t)b->size;
			return fault_here(r, f, STATUS_CORRUPT, r->scan.pos,
			    what);
		}
		r->last = b->last_offset;
		if (b->last_offset < r->offset)
			continue;
		rc = is_wanted(r, b, &wanted, f);
		if (rc != 0) {
			r->scan.pos -= (int64_t)b->size;
			return rc;
		}
		r->offset = b->last_offset + 1;
		if (wanted)
			return 0;
	}
}

int
reader_skip(struct reader *r, int64_t *from, int64_t *to)
{
	struct batch b;
	int64_t next, end;
	int rc;

	*from = r->offset;
	if (r->offset < r->missing_end) {
		*to = r->offset = r->missing_end;
		return 0;
	}
	if (r->fd < 0)
		return EINVAL;
	/* What is the next segment's is read there. */
	end = r->next >= 0 && r->next < reader_end(r) ? r->next : reader_end(r);
	rc = segment_scan_resync(&r->scan, r->offset, end);
	if (rc == 0)
		rc = segment_header_at(r->fd, r->scan.pos, &b);
	r->last = -1;
	if (rc == 0) {
		r->offset = b.base_offset;
	} else if (rc == STATUS_END) {
		rc = next_base(r, &next);
		if (rc == 0 && next < 0)
			next = reader_end(r);
		if (rc == 0 && r->offset < next)
			r->offset = next;
		leave_segment(r);
	}
	*to = r->offset;
	return rc;
}
