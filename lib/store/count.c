/*
 * Segments are visited in the order of their bases.  Invariants:
 *
 *  1. c->done is an offset below which all is counted, or deleted.  Nothing
 *     below it is counted again: during a compaction's swap a segment may hold
 *     what the ones behind it have.
 *  2. A segment counted by its sum lies at or above c->done, and holds no
 *     record of an aborted transaction.
 */

#include "store/count.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/dir.h"
#include "base/io.h"
#include "base/status.h"
#include "store/batch.h"
#include "store/seek.h"
#include "store/segment.h"
#include "store/state.h"
#include "store/sum.h"
#include "store/tail.h"
#include "store/txnindex.h"

enum {
	TRIES = 10,		/* while segments go */
	TRIES_DAMAGED = 2,	/* it may have been a roll or a removal */
	WALK_BLOCK = 64 << 10,	/* read at a time where batches are small */
	WALK_HEADER = 512,	/* and where they are large */
};

struct counter {
	struct partition *p;
	struct partition_offsets offsets;
	struct tail_hint hint;
	const struct segment_list *list;
	struct aborted_list aborted;
	int32_t *depth;		/* per segment: aborted transactions; or NULL */
	int64_t done;		/* invariant 1 */
	struct count *out;
	struct count_segments *segments;
};

/* Batch headers of a file, one after another. */
struct walk {
	int fd;			/* not owned */
	int64_t pos;		/* of the next batch */
	int64_t size;		/* of the file */
	const char *what;	/* why walk_next() failed */
	int64_t block_pos;
	size_t block_len;
	size_t last_size;
	uint8_t block[WALK_BLOCK];
};

/* What a stretch of a segment holds. */
struct tally {
	int64_t records;
	int64_t oldest;
	int64_t newest;
	int64_t pos;		/* where the walk ended */
	int64_t next;		/* after the last offset */
};

static int
fault_in(const struct counter *c, struct fault *f, int rc, int64_t base,
    int64_t pos, const char *what)
{
	char name[SEGMENT_NAME_LEN], path[512];

	segment_name(name, base, ".log");
	snprintf(path, sizeof(path), "%s/%s", partition_path(c->p), name);
	return status_fault(f, rc, path, pos, c->done, what);
}

/* Offsets up to next should be there, and are not. */
static int
fault_missing(const struct counter *c, struct fault *f, int64_t next)
{
	int rc = status_fault(f, STATUS_CORRUPT, partition_path(c->p), -1,
	    c->done, "a segment file is missing or cut short");

	if (f != NULL)
		f->offset_end = next;
	return rc;
}

static int
walk_start(struct walk *w, int fd, int64_t pos)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return errno;
	w->fd = fd;
	w->pos = pos;
	w->size = st.st_size;
	w->what = NULL;
	w->block_pos = pos;
	w->block_len = 0;
	w->last_size = 0;
	return 0;
}

/* STATUS_END, STATUS_CORRUPT, STATUS_UNSUPPORTED: pos stays. */
static int
walk_next(struct walk *w, struct batch *b)
{
	size_t at = (size_t)(w->pos - w->block_pos), want;
	int rc;

	if (w->pos >= w->size)
		return STATUS_END;
	if (at + BATCH_HEADER_LEN > w->block_len) {
		want = w->last_size < WALK_BLOCK ? WALK_BLOCK : WALK_HEADER;
		rc = io_pread(w->fd, w->block, want, w->pos, &w->block_len);
		if (rc != 0)
			return rc;
		w->block_pos = w->pos;
		at = 0;
	}
	rc = batch_decode(w->block + at, w->block_len - at, b, &w->what);
	if (rc == STATUS_UNSUPPORTED)
		w->what = "message format version 0 or 1";
	if (rc == STATUS_SHORT ||
	    (rc == 0 && (int64_t)b->size > w->size - w->pos)) {
		w->what = "ends inside a batch";
		rc = STATUS_CORRUPT;
	}
	if (rc != 0)
		return rc;
	w->last_size = b->size;
	w->pos += (int64_t)b->size;
	return 0;
}

/* Records of the batch that ends at w->pos, with offsets in [low, high). */
static int
count_in_batch(const struct walk *w, const struct batch *b, int64_t low,
    int64_t high, int64_t *records)
{
	struct batch_records it;
	struct buf data, scratch;
	struct record r;
	int rc;

	buf_init(&data, BATCH_BYTES_MAX);
	buf_init(&scratch, RECORDS_BYTES_MAX);
	rc = buf_reserve(&data, b->size);
	if (rc == 0)
		rc = io_pread_full(w->fd, data.data, b->size,
		    w->pos - (int64_t)b->size);
	if (rc == 0)
		rc = batch_verify(data.data, b);
	if (rc == 0)
		rc = batch_records_init(&it, data.data, b, &scratch);
	while (rc == 0 && (rc = batch_records_next(&it, &r)) == 0)
		*records += r.offset >= low && r.offset < high;
	buf_release(&data);
	buf_release(&scratch);
	return rc == STATUS_END ? 0 : rc;
}

/* Add what the batch has for a read_committed reader of [low, high). */
static int
tally_records(const struct counter *c, const struct walk *w,
    const struct batch *b, int64_t low, int64_t high, struct tally *t)
{
	if ((b->attributes & BATCH_CONTROL) != 0 || b->base_offset >= high)
		return 0;
	if ((b->attributes & BATCH_TRANSACTIONAL) != 0 &&
	    txnindex_list_has(&c->aborted, b->producer_id, b->base_offset))
		return 0;
	if (b->base_offset < low || b->last_offset >= high)
		return count_in_batch(w, b, low, high, &t->records);
	t->records += b->record_count;
	return 0;
}

/* Add timestamps; the base of a batch with a delete horizon is none. */
static void
tally_times(struct tally *t, const struct batch *b)
{
	int64_t first = b->base_timestamp;

	if (b->max_timestamp > t->newest)
		t->newest = b->max_timestamp;
	if ((b->attributes & BATCH_DELETE_HORIZON) == 0 && first >= 0 &&
	    (t->oldest < 0 || first < t->oldest))
		t->oldest = first;
}

/*
 * Add the batches from pos on, which is that of the batch that holds low or of
 * the one behind it: to limit (-1: the file's end) or the log end.  Records
 * count if they are in [low, high).
 */
static int
tally(const struct counter *c, int64_t base, int fd, int64_t pos, int64_t limit,
    int64_t low, int64_t high, struct tally *t, struct fault *f)
{
	struct walk w;
	struct batch b;
	int rc = walk_start(&w, fd, pos);

	t->next = low > base ? low : base;
	t->pos = pos;
	while (rc == 0 && (limit < 0 || t->pos < limit) &&
	    t->next < c->offsets.log_end) {
		rc = walk_next(&w, &b);
		if (rc == 0 && b.base_offset >= c->offsets.log_end)
			break;
		if (rc == 0 && b.last_offset < low) {
			t->pos = w.pos;
			continue;
		}
		if (rc == 0 && b.base_offset < t->next &&
		    (b.base_offset < base || t->next > low)) {
			w.what = "offset is out of order";
			rc = STATUS_CORRUPT;
		}
		if (rc != 0)
			break;
		rc = tally_records(c, &w, &b, low, high, t);
		tally_times(t, &b);
		t->pos = w.pos;
		t->next = b.last_offset + 1;
	}
	if (rc == STATUS_CORRUPT || rc == STATUS_UNSUPPORTED)
		return fault_in(c, f, rc, base, t->pos, w.what);
	return rc == STATUS_END ? 0 : rc;
}

/* By its headers, from c->done on. */
static int
count_by_walk(struct counter *c, struct count_segment *s, int64_t *next,
    struct fault *f)
{
	struct tally t = {.oldest = -1, .newest = -1};
	int64_t pos;
	int fd = -1, rc = tail_open_log(c->p, s->base, &fd);

	if (rc != 0)
		return rc;
	rc = seek_offset(partition_dirfd(c->p), s->base, fd, c->done, -1, &pos);
	if (rc == STATUS_CORRUPT)
		rc = fault_in(c, f, rc, s->base, pos, NULL);
	if (rc == 0)
		rc = tally(c, s->base, fd, pos, -1, c->done,
		    c->offsets.last_stable, &t, f);
	(void)io_close(&fd);
	if (rc != 0)
		return rc;
	s->records = t.records;
	s->bytes = t.pos;
	s->oldest = t.oldest;
	s->newest = t.newest;
	*next = t.next;
	return 0;
}

/*
 * What the sum has at or above the last stable offset does not count; what
 * stands behind the bytes that it speaks of does.
 */
static int
correct_end(struct counter *c, const struct sum *sum, struct count_segment *s,
    int64_t *next, struct fault *f)
{
	struct tally above = {.oldest = -1, .newest = -1};
	struct tally behind = {.oldest = s->oldest, .newest = s->newest};
	int64_t stable = c->offsets.last_stable, pos;
	bool behind_end =
	    s->base == c->hint.active_base && *next < c->offsets.log_end;
	int fd = -1, rc = tail_open_log(c->p, s->base, &fd);

	if (rc == 0 && stable < sum->next_offset) {
		rc = seek_offset(partition_dirfd(c->p), s->base, fd, stable,
		    sum->size, &pos);
		if (rc == STATUS_CORRUPT)
			rc = fault_in(c, f, rc, s->base, pos, NULL);
		if (rc == 0)
			rc = tally(c, s->base, fd, pos, sum->size, stable,
			    INT64_MAX, &above, f);
	}
	if (rc == 0 && behind_end)
		rc = tally(c, s->base, fd, sum->size, -1, *next, stable,
		    &behind, f);
	(void)io_close(&fd);
	if (rc != 0)
		return rc;
	s->records += behind.records - above.records;
	s->oldest = behind.oldest;
	s->newest = behind.newest;
	if (behind_end) {
		s->bytes = behind.pos;
		*next = behind.next;
	}
	return 0;
}

static int
count_by_sum(struct counter *c, const struct sum *sum, struct count_segment *s,
    int64_t *next, struct fault *f)
{
	s->records = sum->records;
	s->bytes = sum->size;
	s->oldest = sum->min_timestamp;
	s->newest = sum->max_timestamp;
	*next = sum->next_offset;
	if (sum->next_offset > c->offsets.last_stable ||
	    (s->base == c->hint.active_base && *next < c->offsets.log_end))
		return correct_end(c, sum, s, next, f);
	return 0;
}

/* What is known of a segment without reading it: its sum, if that is true. */
static bool
find_sum(const struct counter *c, int64_t base, bool sealed, struct sum *sum)
{
	char name[SEGMENT_NAME_LEN];
	struct stat st;
	int dirfd = partition_dirfd(c->p);

	if (base == c->hint.active_base && c->hint.has_sums) {
		*sum = c->hint.sums;
		return true;
	}
	if (!sealed || sum_read(dirfd, base, sum) != 0)
		return false;
	segment_name(name, base, ".log");
	return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_size == sum->size;
}

static int
keep_segment(struct counter *c, const struct count_segment *s)
{
	struct count *out = c->out;
	struct count_segments *l = c->segments;

	out->records += s->records;
	out->bytes += s->bytes;
	out->segments++;
	if (s->newest > out->newest)
		out->newest = s->newest;
	if (s->oldest >= 0 && (out->oldest < 0 || s->oldest < out->oldest))
		out->oldest = s->oldest;
	if (l == NULL)
		return 0;
	if (l->count == l->cap) {
		size_t cap = l->cap == 0 ? 16 : l->cap * 2;
		void *items = reallocarray(l->items, cap, sizeof(*s));

		if (items == NULL)
			return ENOMEM;
		l->items = items;
		l->cap = cap;
	}
	l->items[l->count++] = *s;
	return 0;
}

/* *next: the offset after all that the segment holds. */
static int
count_segment(struct counter *c, size_t i, bool sealed, struct count_segment *s,
    int64_t *next, struct fault *f)
{
	int64_t after = sealed ? c->list->bases[i + 1] : -1;
	struct sum sum;
	bool has_sum = find_sum(c, s->base, sealed, &sum);
	int rc;

	if (has_sum && s->base >= c->done &&
	    (c->depth == NULL || c->depth[i] == 0))
		rc = count_by_sum(c, &sum, s, next, f);
	else
		rc = count_by_walk(c, s, next, f);
	if (rc != 0 || !sealed || *next >= after)
		return rc;
	if (has_sum && sum.next_offset < after) {
		c->done = *next;
		return fault_missing(c, f, after);
	}
	/* A gap of compaction; nothing but a sum could tell otherwise. */
	*next = after;
	return 0;
}

static int
visit_segment(struct counter *c, size_t i, struct fault *f)
{
	int64_t base = c->list->bases[i], next;
	int64_t after =
	    i + 1 < c->list->count ? c->list->bases[i + 1] : INT64_MAX;
	bool sealed = after <= c->offsets.log_end;
	struct count_segment s = {.base = base, .first = base};
	int rc;

	/* Begun since, deleted, or what the one before it has as well. */
	if (base > c->offsets.log_end || (base < c->done && after <= c->done))
		return 0;
	if (s.first < c->done)
		s.first = c->done;
	rc = count_segment(c, i, sealed, &s, &next, f);
	if (rc != 0)
		return rc;
	if (c->done < next)
		c->done = next;
	s.end = sealed ? c->done : c->offsets.high_watermark;
	return keep_segment(c, &s);
}

/* The aborted transactions noted beside one segment. */
static int
load_aborted_of(struct counter *c, int64_t base, struct fault *f)
{
	struct sum sum = {.aborted_count = 0};
	int dirfd = partition_dirfd(c->p);
	int32_t count;
	int rc = txnindex_read(dirfd, base, c->offsets.log_start, &c->aborted,
	    &count);

	if (rc == 0 && base == c->hint.active_base)
		sum.aborted_count = c->hint.aborted_count;
	else if (rc == 0 && sum_read(dirfd, base, &sum) != 0)
		return 0;
	if (rc == 0 && count < sum.aborted_count)
		rc = STATUS_CORRUPT;
	if (rc != STATUS_CORRUPT)
		return rc;
	return fault_in(c, f, rc, base, 0,
	    "aborted transactions are missing in its .txnindex");
}

/* c->depth: how many aborted transactions have records in a segment. */
static int
note_depths(struct counter *c)
{
	size_t count = c->list->count;
	int32_t depth = 0;

	c->depth = calloc(count + 1, sizeof(*c->depth));
	if (c->depth == NULL)
		return ENOMEM;
	for (size_t i = 0; i < c->aborted.count; i++) {
		const struct aborted *a = &c->aborted.items[i];

		/* The last one is the marker. */
		c->depth[segment_list_find(c->list, a->first_offset)]++;
		c->depth[segment_list_find(c->list, a->last_offset - 1) + 1]--;
	}
	for (size_t i = 0; i < count; i++) {
		depth += c->depth[i];
		c->depth[i] = depth;
	}
	return 0;
}

static int
load_aborted(struct counter *c, struct fault *f)
{
	int rc = 0;

	if (!c->hint.has_producers || c->list->count == 0)
		return 0;
	for (size_t i = 0; rc == 0 && i < c->list->count; i++)
		if (i + 1 == c->list->count ||
		    c->list->bases[i + 1] > c->offsets.log_start)
			rc = load_aborted_of(c, c->list->bases[i], f);
	if (rc != 0 || c->aborted.count == 0)
		return rc;
	txnindex_list_sort(&c->aborted);
	return note_depths(c);
}

/* Once, as the files are now. */
static int
count_now(struct counter *c, struct fault *f)
{
	int rc = tail_look(c->p, &c->offsets, &c->hint, f);

	if (rc == 0)
		rc = tail_segments(c->p, true, &c->list);
	if (rc != 0)
		return rc;
	c->done = c->offsets.log_start;
	*c->out =
	    (struct count){.offsets = c->offsets, .oldest = -1, .newest = -1};
	rc = load_aborted(c, f);
	if (rc == 0 && c->list->count > 0 && c->list->bases[0] > c->done)
		rc = fault_missing(c, f, c->list->bases[0]);
	for (size_t i = 0; rc == 0 && i < c->list->count; i++)
		rc = visit_segment(c, i, f);
	if (rc == 0 && c->done < c->offsets.log_end)
		rc = fault_missing(c, f, c->offsets.log_end);
	return rc;
}

int
count_partition(struct partition *p, struct count *out,
    struct count_segments *segments, struct fault *f)
{
	struct count result;
	struct counter c = {.p = p, .out = &result, .segments = segments};
	int rc = ENOENT;

	if (segments != NULL)
		*segments = (struct count_segments){NULL, 0, 0};
	txnindex_list_init(&c.aborted);
	for (int tries = 0; tries < TRIES; tries++) {
		c.aborted.count = 0;
		free(c.depth);
		c.depth = NULL;
		if (segments != NULL)
			segments->count = 0;
		rc = count_now(&c, f);
		if (rc != ENOENT &&
		    (rc != STATUS_CORRUPT || tries + 1 >= TRIES_DAMAGED))
			break;
	}
	free(c.depth);
	txnindex_list_release(&c.aborted);
	if (rc == 0)
		*out = result;
	return rc;
}

void
count_segments_release(struct count_segments *segments)
{
	free(segments->items);
	*segments = (struct count_segments){NULL, 0, 0};
}

static int
count_lost(struct partition *p, int64_t *lost)
{
	struct dirent *d;
	DIR *dir;
	int rc;

	*lost = 0;
	rc = dir_open(partition_dirfd(p), "lost+found", &dir);
	if (rc != 0)
		return rc == ENOENT ? 0 : rc;
	while (errno = 0, (d = readdir(dir)) != NULL)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			(*lost)++;
	rc = errno;
	closedir(dir);
	return rc;
}

int
count_health(struct partition *p, struct count_health *out)
{
	struct count_health h = {.failed = false};
	struct state s;
	int fd = -1, rc;

	rc = state_open(partition_dirfd(p), false, 0, 0, &fd);
	if (rc == 0)
		rc = state_read(fd, &s);
	if (rc == 0)
		h.failed = (s.flags & STATE_FAILED) != 0;
	(void)io_close(&fd);
	/* One that cannot be read is no state: the files say what is there. */
	if (rc == 0 || rc == ENOENT || rc == STATUS_CORRUPT)
		rc = count_lost(p, &h.lost);
	if (rc == 0)
		*out = h;
	return rc;
}
