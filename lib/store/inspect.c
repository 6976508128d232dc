#include "store/inspect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bounds.h"
#include "base/crc32c.h"
#include "base/io.h"
#include "base/status.h"
#include "store/offindex.h"
#include "store/partition_impl.h"
#include "store/salvage.h"
#include "store/segment.h"
#include "store/timeindex.h"

enum {
	BLOCK = 1 << 20,
	INDEX_BYTES_MAX = 512 << 20,
	PROGRESS_BYTES = 16 << 20,
};

/* An index held against the batches as they pass. */
struct cursor {
	struct buf file;
	size_t entries;
	size_t at;		/* entries that the batches have confirmed */
	bool placed;		/* a batch begins at the position of the next */
	int64_t last;		/* position or time of the last, or -1 */
	const char *what;	/* what is wrong with it; NULL nothing */
};

struct walk {
	struct inspect *in;
	struct cursor index;
	struct cursor timeindex;
	struct buf scratch;
	struct segment_scan scan;
	int64_t told;		/* bytes told as progress */
};

static int
add(struct inspect *in, enum check_part part, const char *what)
{
	struct check_finding finding = {.part = part,
	    .base = in->base,
	    .pos = -1,
	    .len = -1,
	    .offset = -1,
	    .offset_end = -1,
	    .what = what};

	return check_add(in->out, &finding);
}

static int
add_stretch(struct inspect *in, enum check_part part, const char *what,
    int64_t pos, int64_t len, int64_t offset, int64_t offset_end)
{
	struct check_finding finding = {.part = part,
	    .base = in->base,
	    .pos = pos,
	    .len = len,
	    .offset = offset,
	    .offset_end = offset_end == INT64_MAX ? -1 : offset_end,
	    .what = what};

	return check_add(in->out, &finding);
}

/* --- the two indexes ----------------------------------------------------- */

static int
load_index(struct inspect *in, const char *suffix, size_t entry_len,
    int32_t count, struct cursor *c)
{
	char name[SEGMENT_NAME_LEN];
	int rc;

	*c = (struct cursor){.last = -1};
	buf_init(&c->file, INDEX_BYTES_MAX + 1);
	segment_name(name, in->base, suffix);
	rc = io_read_file(in->p->dirfd, name, INDEX_BYTES_MAX, &c->file);
	c->entries = c->file.len / entry_len;
	if (rc == ENOENT) {
		c->what = "missing";
		rc = 0;
	} else if (rc == STATUS_NOT_FILE || rc == STATUS_TOO_BIG) {
		c->what = rc == STATUS_NOT_FILE ? "not a file" : "too long";
		rc = 0;
	} else if (rc == 0 && count >= 0 && c->entries < (size_t)count) {
		c->what = "cut short";
	} else if (rc == 0 && count >= 0) {
		c->entries = (size_t)count;
	} else if (rc == 0 && in->own && c->file.len % entry_len != 0) {
		c->what = "its length is not one of whole entries";
	}
	/* The active one has no index before there is an entry. */
	if (c->what != NULL && count == 0)
		c->what = NULL;
	return rc;
}

/* Ours never have an entry for the first batch. */
static void
pass_index(struct cursor *c, int64_t base, int64_t pos, bool own,
    const struct batch *b)
{
	while (c->what == NULL && c->at < c->entries) {
		const uint8_t *e = c->file.data + c->at * OFFINDEX_ENTRY_LEN;
		int64_t offset = base + buf_get_32(e);
		int64_t at = buf_get_32(e + 4);

		if (!c->placed &&
		    (at < pos + (own && pos == 0) || at <= c->last))
			c->what = "an entry points between batches";
		c->placed = c->placed || at == pos;
		if (!c->placed || (offset > b->last_offset && !own))
			return;
		if (offset != b->last_offset)
			c->what = "an entry's offset is not at its place";
		c->placed = false;
		c->last = at;
		c->at++;
	}
}

static void
pass_timeindex(struct cursor *c, const struct inspect *in,
    const struct batch *b)
{
	while (c->what == NULL && c->at < c->entries) {
		const uint8_t *e = c->file.data + c->at * TIMEINDEX_ENTRY_LEN;
		int64_t time = (int64_t)buf_get_64(e);
		int64_t offset = in->base + buf_get_32(e + 8);

		if (offset > b->last_offset)
			return;
		if (offset < b->base_offset ||
		    (in->own && offset != in->max_timestamp_offset))
			c->what = "an entry's offset is not that of its time";
		else if (time != in->seen.max_timestamp || time <= c->last)
			c->what = "an entry's timestamp is not the largest "
				  "up to its offset";
		c->last = time;
		c->at++;
	}
}

/* Kafka's own are as long as they may become while in use: zeroes behind. */
static bool
is_rest_void(const struct cursor *c, size_t entry_len)
{
	for (size_t i = c->at * entry_len; i < c->file.len; i++)
		if (c->file.data[i] != 0)
			return false;
	return true;
}

static int
judge_index(struct walk *w, enum check_part part, struct cursor *c,
    size_t entry_len)
{
	struct inspect *in = w->in;

	if (c->what == NULL && c->at < c->entries &&
	    (in->own || !is_rest_void(c, entry_len)))
		c->what = "an entry leads beyond the last batch";
	if (c->what == NULL && in->own && in->sealed && in->crc_good &&
	    (in->sum.flags & SUM_INDEXED) != 0 &&
	    crc32c(c->file.data, c->file.len) !=
		(part == CHECK_INDEX ? in->sum.index_crc
				     : in->sum.timeindex_crc))
		c->what = "not as it was when the segment was closed";
	if (c->what == NULL && part == CHECK_TIMEINDEX && in->own &&
	    in->sealed && c->last < in->seen.max_timestamp)
		c->what = "the entry at its end is missing";
	return c->what == NULL ? 0 : add(in, part, c->what);
}

/* --- the batches --------------------------------------------------------- */

static void
count_batch(struct inspect *in, const uint8_t *data, const struct batch *b)
{
	struct sum *s = &in->seen;

	s->batches++;
	if ((b->attributes & BATCH_CONTROL) == 0) {
		s->records += b->record_count;
		s->data_bytes += (int64_t)b->size;
	}
	if (b->producer_id >= 0)
		s->flags |= SUM_PRODUCERS;
	if (b->max_timestamp > s->max_timestamp) {
		s->max_timestamp = b->max_timestamp;
		in->max_timestamp_offset = b->last_offset;
	}
	s->crc = crc32c_update(s->crc, data, b->size);
	in->next = b->last_offset + 1;
	in->size += (int64_t)b->size;
}

static const char *
check_order(const struct inspect *in, const struct batch *b)
{
	if (b->base_offset < in->next ||
	    (in->dense && b->base_offset != in->next))
		return "offset is out of order";
	if (b->last_offset >= in->end || b->last_offset - in->base > UINT32_MAX)
		return "offsets are not of this segment";
	return NULL;
}

static void
tell_progress(struct walk *w)
{
	struct check *c = w->in->out;

	if (c->progress != NULL &&
	    (w->in->size - w->told >= PROGRESS_BYTES || w->in->damaged))
		c->progress(w->in->size - w->told, c->arg);
	else
		return;
	w->told = w->in->size;
}

/* One batch.  STATUS_CORRUPT: it is not valid, or not in its place. */
static int
pass_batch(struct walk *w)
{
	struct inspect *in = w->in;
	int64_t pos = w->scan.pos;
	const char *what = NULL;
	const uint8_t *data;
	struct batch b;
	int rc = segment_scan_next(&w->scan, &b, &data);

	if (rc != 0)
		return rc == STATUS_SHORT ||
			(rc == STATUS_UNSUPPORTED && in->own)
		    ? STATUS_CORRUPT
		    : rc;
	if (check_order(in, &b) != NULL)
		return STATUS_CORRUPT;
	rc = salvage_check_records(data, &b, &w->scratch, &what);
	if (rc != 0)
		return rc;
	count_batch(in, data, &b);
	pass_index(&w->index, in->base, pos, in->own, &b);
	pass_timeindex(&w->timeindex, in, &b);
	tell_progress(w);
	return in->on_batch(data, &b, in->arg);
}

int
inspect_damage(struct inspect *in, int fd, int64_t size)
{
	struct salvage_range range = {.size = size,
	    .first = in->base,
	    .end = in->end,
	    .dense = in->dense};
	struct salvage s;
	int rc;

	if (in->has_sum)
		range.full_size = in->sum.size;
	range.has_crc = in->has_sum && in->has_crc;
	range.crc = in->sum.crc;
	rc = salvage_segment(fd, &range, &s);
	for (size_t i = 0; rc == 0 && i < s.flaw_count; i++) {
		const struct salvage_flaw *flaw = &s.flaws[i];
		bool tail = flaw->pos >= in->floor &&
		    (s.piece_count == 0 ||
			flaw->pos > s.pieces[s.piece_count - 1].pos);

		rc = add_stretch(in, tail ? CHECK_TAIL : CHECK_LOG,
		    tail ? "bytes behind the end of the log" : flaw->what,
		    flaw->pos, flaw->len, flaw->offset, flaw->offset_end);
	}
	if (rc == 0 && s.piece_count > 0)
		in->next = s.pieces[s.piece_count - 1].last + 1;
	salvage_release(&s);
	return rc;
}

/* Is the file as long, and has it the CRC, as was written down? */
static int
judge_log(struct inspect *in, int fd, int64_t size, int rc)
{
	const struct sum *sum = &in->sum;
	bool may_know = in->has_sum && sum->next_offset == in->end;
	size_t before = in->out->count;

	in->damaged = rc == STATUS_CORRUPT;
	in->crc_good = rc == 0 && in->has_sum && in->has_crc &&
	    sum->size == in->size && sum->crc == in->seen.crc;
	/* If it is this segment's. */
	in->crc_bad = rc == 0 && in->has_sum && in->has_crc &&
	    sum->next_offset >= in->next && sum->next_offset <= in->end &&
	    sum->size == in->size && sum->crc != in->seen.crc &&
	    sum->batches == in->seen.batches &&
	    sum->records == in->seen.records &&
	    sum->max_timestamp == in->seen.max_timestamp;
	if (rc == STATUS_CORRUPT || in->crc_bad)
		rc = inspect_damage(in, fd, size);
	in->located = in->out->count > before;
	if (rc == 0 && may_know && size < sum->size) {
		in->damaged = true;
		rc = add_stretch(in, CHECK_LOG, "cut short", size,
		    sum->size - size, in->next, in->end);
	}
	return rc;
}

static int
walk_log(struct walk *w, int fd, int64_t size, struct fault *f)
{
	struct inspect *in = w->in;
	char name[SEGMENT_NAME_LEN], path[512];
	int rc = 0;

	segment_scan_start(&w->scan, fd, 0, size);
	while (rc == 0)
		rc = pass_batch(w);
	if (rc == STATUS_END)
		rc = 0;
	if (rc == 0 || rc == STATUS_CORRUPT)
		rc = judge_log(in, fd, size, rc);
	if (in->out->progress != NULL)
		in->out->progress(size - w->told, in->out->arg);
	if (rc != 0 && rc != ENOENT) {
		segment_name(name, in->base, ".log");
		snprintf(path, sizeof(path), "%s/%s", in->p->path, name);
		return status_fault(f, rc, path, w->scan.pos, in->next,
		    w->scan.what);
	}
	return rc;
}

/* Of a damaged log, or one that is to be rewritten, no index is looked at. */
static int
judge_indexes(struct walk *w)
{
	int rc;

	if (w->in->damaged)
		return 0;
	rc = judge_index(w, CHECK_INDEX, &w->index, OFFINDEX_ENTRY_LEN);
	return rc != 0 ? rc
		       : judge_index(w, CHECK_TIMEINDEX, &w->timeindex,
			     TIMEINDEX_ENTRY_LEN);
}

static void
begin(struct inspect *in)
{
	in->next = in->base;
	in->size = 0;
	in->seen = (struct sum){.min_timestamp = -1, .max_timestamp = -1};
	in->max_timestamp_offset = -1;
	in->damaged = in->crc_good = in->crc_bad = false;
}

/* What was told is true of another length. */
static void
forget_told(struct inspect *in)
{
	in->end = INT64_MAX;
	in->dense = in->has_sum = false;
}

static int
inspect_file(struct inspect *in, int fd, int64_t size, struct fault *f)
{
	struct walk w = {.in = in};
	int rc;

	begin(in);
	buf_init(&w.scratch, RECORDS_BYTES_MAX);
	segment_scan_init(&w.scan, BLOCK);
	buf_init(&w.timeindex.file, 0);
	rc = load_index(in, ".index", OFFINDEX_ENTRY_LEN, in->index_count,
	    &w.index);
	if (rc == 0)
		rc = load_index(in, ".timeindex", TIMEINDEX_ENTRY_LEN,
		    in->timeindex_count, &w.timeindex);
	if (rc == 0)
		rc = walk_log(&w, fd, size, f);
	if (rc == 0)
		rc = judge_indexes(&w);
	segment_scan_release(&w.scan);
	buf_release(&w.scratch);
	buf_release(&w.index.file);
	buf_release(&w.timeindex.file);
	return rc;
}

uint64_t
inspect_identity(const struct stat *st, bool sealed)
{
	uint64_t id = (uint64_t)st->st_ino + 1;

	if (sealed)
		id = (id * 1000003 + (uint64_t)st->st_mtim.tv_sec) * 1000003 +
		    (uint64_t)st->st_mtim.tv_nsec * 31 + (uint64_t)st->st_size;
	return id == 0 ? 1 : id;
}

int
inspect_segment(struct inspect *in, struct fault *f)
{
	char name[SEGMENT_NAME_LEN];
	size_t before = in->out->count;
	struct stat st = {.st_size = 0};
	int fd = -1, rc;

	begin(in);
	segment_name(name, in->base, ".log");
	rc = io_open(in->p->dirfd, name, O_RDONLY, 0, &fd);
	if (rc == STATUS_NOT_FILE) {
		in->damaged = true;
		return add(in, CHECK_MISSING, "not a file");
	}
	if (rc == 0 && fstat(fd, &st) != 0)
		rc = errno;
	in->identity = inspect_identity(&st, in->sealed);
	if (in->limit >= 0 && st.st_size > in->limit)
		st.st_size = in->limit;
	if (in->told_size >= 0 && st.st_size != in->told_size)
		forget_told(in);
	if (rc == 0)
		rc = inspect_file(in, fd, st.st_size, f);
	/* It is not as dense as was thought, but all is well. */
	if (rc == 0 && in->damaged && in->out->count == before && in->dense) {
		in->dense = false;
		rc = inspect_file(in, fd, st.st_size, f);
	}
	(void)io_close(&fd);
	return rc;
}

/* --- aborted transactions ------------------------------------------------ */

static bool
has_entry(const struct aborted_list *l, const struct aborted *a, int64_t since)
{
	for (size_t i = 0; i < l->count; i++) {
		const struct aborted *e = &l->items[i];

		if (e->producer_id == a->producer_id &&
		    e->last_offset == a->last_offset)
			return e->first_offset == a->first_offset ||
			    e->first_offset < since;
	}
	return false;
}

int
inspect_txnindex(struct inspect *in, const struct aborted_list *derived,
    int32_t count, int64_t since)
{
	struct aborted_list l;
	const char *what = NULL;
	int rc;

	txnindex_list_init(&l);
	rc = txnindex_read(in->p->dirfd, in->base, 0, &l, NULL);
	if (rc == STATUS_CORRUPT || rc == STATUS_NOT_FILE) {
		what = rc == STATUS_CORRUPT ? "not to be read" : "not a file";
		rc = 0;
	}
	if (rc == 0 && what == NULL && count >= 0 && l.count < (size_t)count)
		what = l.count == 0 ? "missing" : "cut short";
	for (size_t i = 0; rc == 0 && what == NULL && i < l.count; i++)
		if (l.items[i].last_offset < in->base ||
		    l.items[i].last_offset >= in->end)
			what = "an entry is not of this segment";
	if (what == NULL && in->sealed && count >= 0 && l.count > (size_t)count)
		what = "it has more entries than there were";
	for (size_t i = 0; rc == 0 && what == NULL && i < derived->count; i++)
		if (!has_entry(&l, &derived->items[i], since))
			what = "an aborted transaction is not in it";
	txnindex_list_release(&l);
	return rc != 0 || what == NULL ? rc : add(in, CHECK_TXNINDEX, what);
}
