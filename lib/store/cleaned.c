#include "store/cleaned.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/buf.h"
#include "base/crc32c.h"
#include "base/dir.h"
#include "base/io.h"
#include "base/status.h"
#include "store/offindex.h"
#include "store/partition_impl.h"
#include "store/segment.h"
#include "store/timeindex.h"

enum {
	WRITE_BYTES = 1 << 20,
	/* One entry of each index for every few KiB of at most 2 GiB. */
	INDEX_BYTES_MAX = 256 << 20,
	TXNINDEX_BYTES_MAX = 512 << 20,
};

struct cleaned {
	struct partition *p;
	int64_t base;
	int64_t interval;
	int fd;
	struct buf out;		/* not yet written */
	struct buf index;
	struct buf timeindex;
	struct buf txnindex;
	int64_t index_pos;	/* of the last entry's batch */
	int64_t last_timestamp;	/* of the last time index entry */
	int64_t max_offset;	/* of the batch with the largest timestamp */
	struct sum sum;
	bool keep_log;		/* only what stands beside it is made */
	bool in_place;
};

/* Suffixes of what replaces, in the order of the steps. */
static const char *const suffixes[] = {".log", ".index", ".timeindex",
    ".txnindex", ".sum"};
enum { SUFFIXES = 5, LOG = 0, INDEX, TIMEINDEX, TXNINDEX, SUM };

static void
name_of(char out[SEGMENT_NAME_LEN], int64_t base, int which, bool cleaned)
{
	char suffix[24];

	strlcpy(suffix, suffixes[which], sizeof(suffix));
	if (cleaned)
		strlcat(suffix, ".cleaned", sizeof(suffix));
	segment_name(out, base, suffix);
}

static int
remove_file(struct partition *p, int64_t base, int which, bool cleaned)
{
	char name[SEGMENT_NAME_LEN];
	int rc;

	name_of(name, base, which, cleaned);
	rc = io_unlink(p->dirfd, name);
	return rc == ENOENT ? 0 : rc;
}

static int
put_in_place(struct partition *p, int64_t base, int which)
{
	char from[SEGMENT_NAME_LEN], to[SEGMENT_NAME_LEN];

	name_of(from, base, which, true);
	name_of(to, base, which, false);
	return io_rename(p->dirfd, from, to);
}

/*
 * Remove files of the segments that went into the one at base: those from
 * first to last, durably.
 */
static int
remove_merged(struct partition *p, const struct segment_list *l, int64_t base,
    int64_t end, int first, int last)
{
	bool removed = false;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < l->count; i++) {
		if (l->bases[i] <= base || l->bases[i] >= end)
			continue;
		removed = true;
		for (int k = first; rc == 0 && k <= last; k++)
			rc = remove_file(p, l->bases[i], k, false);
	}
	return rc == 0 && removed ? io_sync_dir(p->dirfd) : rc;
}

/* Steps 3 to 5; those that were done before are passed over. */
static int
finish(struct partition *p, int64_t base, const struct sum *sum)
{
	struct segment_list l;
	int rc = 0;

	for (int i = INDEX; rc == 0 && i <= TXNINDEX; i++) {
		if (i == TXNINDEX && sum->aborted_count == 0)
			rc = remove_file(p, base, i, false);
		else
			rc = put_in_place(p, base, i);
		if (rc == ENOENT)
			rc = 0;
	}
	if (rc == 0)
		rc = io_sync_dir(p->dirfd);
	if (rc == 0)
		rc = segment_list_read(p->dirfd, ".log", &l);
	if (rc != 0)
		return rc;
	/* First what says that others follow: then any of these may go. */
	rc = remove_merged(p, &l, base, sum->next_offset, SUM, SUM);
	if (rc == 0)
		rc =
		    remove_merged(p, &l, base, sum->next_offset, LOG, TXNINDEX);
	segment_list_release(&l);
	if (rc == 0)
		rc = put_in_place(p, base, SUM);
	return rc == 0 ? io_sync_dir(p->dirfd) : rc;
}

/* Is the segment file the one that sum describes? */
static int
is_described(struct partition *p, int64_t base, const struct sum *sum,
    bool *same)
{
	char name[SEGMENT_NAME_LEN];
	uint8_t *block = malloc(WRITE_BYTES);
	uint32_t crc = 0;
	int64_t pos = 0;
	size_t got = 0;
	int fd = -1, rc = block == NULL ? ENOMEM : 0;

	name_of(name, base, LOG, false);
	if (rc == 0)
		rc = io_open(p->dirfd, name, O_RDONLY, 0, &fd);
	while (rc == 0) {
		rc = io_pread(fd, block, WRITE_BYTES, pos, &got);
		if (got == 0)
			break;
		crc = crc32c_update(crc, block, got);
		pos += (int64_t)got;
	}
	*same = rc == 0 && pos == sum->size && crc == sum->crc;
	(void)io_close(&fd);
	free(block);
	return rc == ENOENT ? 0 : rc;
}

static int
recover_one(struct partition *p, int64_t base)
{
	char name[SEGMENT_NAME_LEN];
	uint8_t bytes[SUM_LEN];
	struct sum sum;
	bool same;
	int fd = -1, rc;

	name_of(name, base, SUM, true);
	rc = io_open(p->dirfd, name, O_RDONLY, 0, &fd);
	if (rc != 0)
		return rc;
	rc = io_pread_full(fd, bytes, sizeof(bytes), 0);
	(void)io_close(&fd);
	if (rc == 0)
		rc = sum_decode(bytes, &sum);
	/* Not whole: nothing was replaced yet. */
	if (rc < 0)
		return 0;
	if (rc == 0)
		rc = is_described(p, base, &sum, &same);
	return rc == 0 && same ? finish(p, base, &sum) : rc;
}

/* Remove all files whose names end with ".cleaned". */
static int
remove_cleaned(struct partition *p)
{
	static const char end[] = ".cleaned";
	struct dirent *e;
	DIR *dir;
	int rc = dir_open(p->dirfd, ".", &dir);

	if (rc != 0)
		return rc;
	while (rc == 0 && (e = readdir(dir)) != NULL) {
		size_t len = strlen(e->d_name);

		if (len > sizeof(end) - 1 &&
		    strcmp(e->d_name + len - (sizeof(end) - 1), end) == 0)
			rc = io_unlink(p->dirfd, e->d_name);
	}
	closedir(dir);
	return rc;
}

int
cleaned_recover(struct partition *p)
{
	struct segment_list l;
	int rc = segment_list_read(p->dirfd, ".sum.cleaned", &l);

	if (rc != 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < l.count; i++)
		rc = recover_one(p, l.bases[i]);
	segment_list_release(&l);
	return rc == 0 ? remove_cleaned(p) : rc;
}

static int
make_file(struct partition *p, int64_t base, int which, int *fd)
{
	char name[SEGMENT_NAME_LEN];
	int rc;

	name_of(name, base, which, true);
	rc = io_open(p->dirfd, name, O_RDWR | O_CREAT | O_TRUNC, 0600, fd);
	if (rc == 0)
		rc = io_set_access(*fd, p->file_mode, p->gid);
	return roll_blame(p, rc, name);
}

static int
begin(struct partition *p, int64_t base, bool keep_log, struct cleaned **out)
{
	struct cleaned *c = calloc(1, sizeof(*c));
	int rc = 0;

	if (c == NULL)
		return ENOMEM;
	*c = (struct cleaned){.p = p,
	    .base = base,
	    .fd = -1,
	    .interval = p->settings.index_interval_bytes,
	    .keep_log = keep_log,
	    .last_timestamp = -1};
	c->sum = (struct sum){.min_timestamp = -1,
	    .max_timestamp = -1,
	    .delete_horizon = -1};
	buf_init(&c->out, (size_t)BATCH_BYTES_MAX + 2 * WRITE_BYTES);
	buf_init(&c->index, INDEX_BYTES_MAX);
	buf_init(&c->timeindex, INDEX_BYTES_MAX);
	buf_init(&c->txnindex, TXNINDEX_BYTES_MAX);
	if (!keep_log)
		rc = make_file(p, base, LOG, &c->fd);
	if (rc != 0)
		cleaned_free(c);
	else
		*out = c;
	return rc;
}

int
cleaned_new(struct partition *p, int64_t base, struct cleaned **out)
{
	return begin(p, base, false, out);
}

int
cleaned_new_beside(struct partition *p, int64_t base, struct cleaned **out)
{
	return begin(p, base, true, out);
}

void
cleaned_free(struct cleaned *c)
{
	if (c == NULL)
		return;
	(void)io_close(&c->fd);
	for (int i = 0; !c->in_place && i < SUFFIXES; i++)
		(void)remove_file(c->p, c->base, i, true);
	buf_release(&c->out);
	buf_release(&c->index);
	buf_release(&c->timeindex);
	buf_release(&c->txnindex);
	free(c);
}

static int
flush(struct cleaned *c)
{
	int64_t pos = c->sum.size - (int64_t)c->out.len;
	int rc = 0;

	if (!c->keep_log)
		rc = io_pwrite_full(c->fd, c->out.data, c->out.len, pos);
	if (rc == 0 && !c->keep_log)
		io_sync_start(c->fd, pos, (int64_t)c->out.len);
	c->out.len = 0;
	return rc;
}

static int
add_time(struct cleaned *c)
{
	int rc;

	if (c->sum.max_timestamp <= c->last_timestamp)
		return 0;
	c->last_timestamp = c->sum.max_timestamp;
	rc = buf_add_64(&c->timeindex, (uint64_t)c->sum.max_timestamp);
	if (rc == 0)
		rc = buf_add_32(&c->timeindex,
		    (uint32_t)(c->max_offset - c->base));
	return rc;
}

static void
note(struct cleaned *c, const uint8_t *data, const struct batch *b)
{
	struct sum *s = &c->sum;
	int64_t horizon = batch_delete_horizon(b);

	s->batches++;
	s->crc = crc32c_update(s->crc, data, b->size);
	if ((b->attributes & BATCH_CONTROL) == 0) {
		s->records += b->record_count;
		s->data_bytes += (int64_t)b->size;
	}
	if (b->producer_id >= 0)
		s->flags |= SUM_PRODUCERS;
	if (b->max_timestamp > s->max_timestamp) {
		s->max_timestamp = b->max_timestamp;
		c->max_offset = b->last_offset;
	}
	if (horizon >= 0) {
		if (s->delete_horizon < 0 || horizon < s->delete_horizon)
			s->delete_horizon = horizon;
	} else if (b->base_timestamp >= 0 &&
	    (s->min_timestamp < 0 || b->base_timestamp < s->min_timestamp)) {
		s->min_timestamp = b->base_timestamp;
	}
}

int
cleaned_add(struct cleaned *c, const uint8_t *data, const struct batch *b)
{
	int64_t pos = c->sum.size;
	int rc = c->keep_log ? 0 : buf_add(&c->out, data, b->size);

	if (rc != 0)
		return rc;
	note(c, data, b);
	c->sum.size = pos + (int64_t)b->size;
	if (pos > 0 && c->sum.size - c->index_pos > c->interval) {
		rc =
		    buf_add_32(&c->index, (uint32_t)(b->last_offset - c->base));
		if (rc == 0)
			rc = buf_add_32(&c->index, (uint32_t)pos);
		if (rc == 0)
			rc = add_time(c);
		c->index_pos = pos;
	}
	if (rc == 0 && c->out.len >= WRITE_BYTES)
		rc = flush(c);
	return rc;
}

int
cleaned_add_aborted(struct cleaned *c, const struct aborted *a)
{
	uint8_t entry[TXNINDEX_ENTRY_LEN];

	txnindex_encode(a, entry);
	c->sum.aborted_count++;
	return buf_add(&c->txnindex, entry, sizeof(entry));
}

const struct sum *
cleaned_sum(const struct cleaned *c)
{
	return &c->sum;
}

static int
write_small(struct cleaned *c, int which, const void *data, size_t len)
{
	int fd = -1, close_rc;
	int rc = make_file(c->p, c->base, which, &fd);

	if (rc == 0)
		rc = io_pwrite_full(fd, data, len, 0);
	if (rc == 0)
		rc = io_sync(fd);
	close_rc = io_close(&fd);
	return rc != 0 ? rc : close_rc;
}

/* All files, durably, the .sum last; the old one goes. */
static int
write_files(struct cleaned *c)
{
	uint8_t sum[SUM_LEN];
	int rc = flush(c);

	if (rc == 0)
		rc = add_time(c);
	if (rc == 0 && !c->keep_log)
		rc = io_sync(c->fd);
	if (rc == 0)
		rc = write_small(c, INDEX, c->index.data, c->index.len);
	if (rc == 0)
		rc = write_small(c, TIMEINDEX, c->timeindex.data,
		    c->timeindex.len);
	if (rc == 0 && c->sum.aborted_count > 0)
		rc =
		    write_small(c, TXNINDEX, c->txnindex.data, c->txnindex.len);
	c->sum.flags |= SUM_INDEXED;
	c->sum.index_crc = crc32c(c->index.data, c->index.len);
	c->sum.timeindex_crc = crc32c(c->timeindex.data, c->timeindex.len);
	sum_encode(&c->sum, sum);
	if (rc == 0)
		rc = write_small(c, SUM, sum, sizeof(sum));
	/* Whoever finds no .sum finds the .sum.cleaned. */
	if (rc == 0)
		rc = io_sync_dir(c->p->dirfd);
	if (rc == 0)
		rc = remove_file(c->p, c->base, SUM, false);
	return rc == 0 ? io_sync_dir(c->p->dirfd) : rc;
}

int
cleaned_replace(struct cleaned *c, int64_t next_base, uint16_t flags,
    int64_t earlier_timestamp)
{
	int rc;

	c->sum.flags |= flags;
	c->sum.next_offset = next_base;
	c->sum.prefix_timestamp = c->sum.max_timestamp > earlier_timestamp
	    ? c->sum.max_timestamp
	    : earlier_timestamp;
	rc = write_files(c);
	if (rc != 0)
		return rc;
	c->in_place = true;
	if (!c->keep_log)
		rc = put_in_place(c->p, c->base, LOG);
	return rc == 0 ? finish(c->p, c->base, &c->sum) : rc;
}
