/*
 * The active segment: opened, noted into, closed, followed by the next.
 *
 * A roll, in this order (each step survives a crash after it):
 *	1. sync the log file
 *	2. last time index entry; sync both indexes
 *	3. .sum; producer snapshot
 *	4. state: the new segment is active, inode 0, nothing in it
 *	5. make the new log file; sync the directory; sync the state
 *	6. state with its inode
 * A writer that finds a state of step 4 does 5 and 6.  So nothing is written
 * to a segment that the state on the device does not know.
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/crc32c.h"
#include "base/io.h"
#include "base/now.h"
#include "base/status.h"
#include "store/epoch.h"
#include "store/offindex.h"
#include "store/partition_impl.h"
#include "store/sum.h"
#include "store/timeindex.h"

int
roll_blame(struct partition *p, int rc, const char *name)
{
	if (rc != 0)
		strlcpy(p->bad_file, name, sizeof(p->bad_file));
	return rc;
}

/* Open a file of the active segment; make it if missing. */
static int
open_file(struct partition *p, const char *suffix, int flags, int *fd)
{
	char name[SEGMENT_NAME_LEN];

	segment_name(name, p->st.active_base, suffix);
	return roll_blame(p,
	    io_open_made(p->dirfd, name, flags, p->file_mode, p->gid, fd),
	    name);
}

void
roll_close_files(struct partition *p)
{
	(void)io_close(&p->log_fd);
	(void)io_close(&p->index_fd);
	(void)io_close(&p->timeindex_fd);
	p->log_base = -1;
	p->started_pos = 0;
	p->ahead = (struct ahead){0};
}

/* Entries since the last checkpoint, whoever has written them. */
static int
sync_indexes(struct partition *p)
{
	const struct state *s = &p->st;
	int rc = 0;

	if (s->index_pos < s->persisted_pos || s->active_base != p->log_base)
		return 0;
	if (s->index_count > 0 && p->index_fd < 0)
		rc = open_file(p, ".index", 0, &p->index_fd);
	if (rc == 0 && s->index_count > 0)
		rc = io_sync(p->index_fd);
	if (rc == 0 && s->timeindex_count > 0 && p->timeindex_fd < 0)
		rc = open_file(p, ".timeindex", 0, &p->timeindex_fd);
	if (rc == 0 && s->timeindex_count > 0)
		rc = io_sync(p->timeindex_fd);
	return rc;
}

int
roll_checkpoint(struct partition *p)
{
	int rc = sync_indexes(p);

	if (rc != 0)
		return rc;
	p->st.persisted_pos = p->st.synced_pos;
	rc = state_write(p->state_fd, &p->st);
	if (rc != 0)
		return rc;
	rc = io_sync(p->state_fd);
	if (rc != 0) {
		/* What others read now is not on the device: not to be used. */
		p->st.flags |= STATE_FAILED;
		(void)state_write(p->state_fd, &p->st);
	}
	return rc;
}

/* Of the log file that the state announces; 0 if it is not there yet. */
static int
announced_size(const struct partition *p, int64_t *size)
{
	char name[SEGMENT_NAME_LEN];
	struct stat st = {.st_size = 0};

	segment_name(name, p->st.active_base, ".log");
	if (fstatat(p->dirfd, name, &st, 0) != 0 && errno != ENOENT)
		return errno;
	*size = st.st_size;
	return 0;
}

/*
 * Step 5 and 6.  The log file comes last, so that one without its indexes is
 * always damage.
 */
static int
make_active(struct partition *p)
{
	struct stat st = {.st_size = 0};
	int64_t size = 0;
	int rc, flags;

	rc = announced_size(p, &size);
	/*
	 * A stale index of that name would be taken for this segment's.  After
	 * a crash it may have been in use for long, and closed, too.
	 */
	flags = size == 0 ? O_TRUNC : 0;
	if (rc == 0)
		rc = open_file(p, ".index", flags, &p->index_fd);
	if (rc == 0)
		rc = open_file(p, ".timeindex", flags, &p->timeindex_fd);
	if (rc == 0)
		rc = open_file(p, ".log", 0, &p->log_fd);
	if (rc == 0 && fstat(p->log_fd, &st) != 0)
		rc = errno;
	if (rc == 0)
		rc = io_sync_dir(p->dirfd);
	if (rc == 0)
		rc = roll_checkpoint(p);
	if (rc != 0) {
		roll_close_files(p);
		return rc;
	}
	p->st.inode = st.st_ino;
	p->log_base = p->st.active_base;
	return state_write(p->state_fd, &p->st);
}

int
roll_open_active(struct partition *p)
{
	char name[SEGMENT_NAME_LEN];
	int rc;

	if (p->log_fd >= 0 && p->log_base == p->st.active_base)
		return 0;
	roll_close_files(p);
	if (p->st.inode == 0 && p->st.end_pos == 0)
		return make_active(p);
	segment_name(name, p->st.active_base, ".log");
	rc = io_open(p->dirfd, name, O_RDWR, 0, &p->log_fd);
	if (rc == 0)
		p->log_base = p->st.active_base;
	return roll_blame(p, rc, name);
}

bool
roll_is_due(const struct partition *p, size_t len, int64_t last_offset,
    int64_t max_timestamp)
{
	const struct state *s = &p->st;
	int64_t age_ms;

	if (s->end_pos == 0)
		return false;
	if (s->end_pos + (int64_t)len > p->settings.segment_bytes ||
	    s->end_pos + (int64_t)len > INT32_MAX)
		return true;
	if (last_offset - s->active_base > INT32_MAX)
		return true;
	if ((int64_t)(s->index_count + 1) * OFFINDEX_ENTRY_LEN >
		p->settings.index_bytes ||
	    (int64_t)(s->timeindex_count + 2) * TIMEINDEX_ENTRY_LEN >
		p->settings.index_bytes)
		return true;
	if (s->first_timestamp >= 0)
		age_ms = max_timestamp < s->first_timestamp
		    ? 0
		    : max_timestamp - s->first_timestamp;
	else
		age_ms = now_wall_ms() - s->created_ms;
	return age_ms > p->settings.segment_ms;
}

/* Add an entry for the batch at pos to both indexes. */
static int
note_index(struct partition *p, const struct batch *b, int64_t pos)
{
	struct state *s = &p->st;
	int rc = 0;

	if (p->index_fd < 0)
		rc = open_file(p, ".index", 0, &p->index_fd);
	if (rc == 0)
		rc = offindex_append(p->index_fd, s->active_base,
		    s->index_count, b->last_offset, pos);
	if (rc != 0)
		return rc;
	s->index_count++;
	s->index_pos = pos;
	if (s->max_timestamp <= s->timeindex_last)
		return 0;
	if (p->timeindex_fd < 0)
		rc = open_file(p, ".timeindex", 0, &p->timeindex_fd);
	if (rc == 0)
		rc = timeindex_append(p->timeindex_fd, s->active_base,
		    s->timeindex_count, s->max_timestamp,
		    s->max_timestamp_offset);
	if (rc != 0)
		return rc;
	s->timeindex_count++;
	s->timeindex_last = s->max_timestamp;
	return 0;
}

static void
note_counts(struct state *s, const struct batch *b)
{
	s->batches++;
	if ((b->attributes & BATCH_CONTROL) == 0) {
		s->records += b->record_count;
		s->data_bytes += (int64_t)b->size;
	}
	if (s->min_timestamp < 0 || b->base_timestamp < s->min_timestamp)
		s->min_timestamp = b->base_timestamp;
}

/*
 * Transactions and sequence numbers.  A table that is behind (others have
 * appended since) is left behind: recover_producers() catches it up.
 */
static int
note_producer(struct partition *p, const uint8_t *data, const struct batch *b)
{
	struct aborted aborted;
	bool has_aborted = false;
	int rc;

	if (p->producers == NULL ||
	    producer_next_offset(p->producers) != b->base_offset)
		return 0;
	rc = producer_apply(p->producers, data, b, &aborted, &has_aborted);
	if (rc != 0 || b->producer_id < 0)
		return rc;
	p->st.flags |= STATE_PRODUCERS;
	p->st.unstable_offset = producer_unstable_offset(p->producers);
	if (!has_aborted)
		return 0;
	aborted.last_stable = p->st.unstable_offset >= 0 ? p->st.unstable_offset
							 : b->last_offset + 1;
	rc = txnindex_append(p->dirfd, p->st.active_base, p->st.aborted_count,
	    &aborted, p->file_mode, p->gid);
	if (rc == 0)
		p->st.aborted_count++;
	return rc;
}

int
roll_note_batch(struct partition *p, const uint8_t *data, const struct batch *b,
    int64_t pos)
{
	struct state *s = &p->st;
	int rc;

	/* A gap that compaction left elsewhere concerns no producer. */
	if (p->producers != NULL && b->base_offset > s->end_offset &&
	    producer_next_offset(p->producers) == s->end_offset)
		producer_skip(p->producers, b->base_offset);
	if (s->end_pos == 0)
		s->first_timestamp = b->max_timestamp;
	if (b->max_timestamp > s->max_timestamp) {
		s->max_timestamp = b->max_timestamp;
		s->max_timestamp_offset = b->last_offset;
	}
	note_counts(s, b);
	if (s->flags & STATE_SUMS)
		s->segment_crc = batch_sum(s->segment_crc, data, b);
	s->end_offset = b->last_offset + 1;
	s->end_pos = pos + (int64_t)b->size;
	s->snapshot_bytes += (int64_t)b->size;
	rc = note_producer(p, data, b);
	if (rc == 0 &&
	    s->end_pos - s->index_pos > p->settings.index_interval_bytes &&
	    pos > 0)
		rc = note_index(p, b, pos);
	return rc;
}

int
roll_note_epoch(struct partition *p, int32_t epoch, int64_t start)
{
	struct epoch_list list;
	bool changed = false;
	int rc;

	epoch_list_init(&list);
	rc = epoch_read(p->dirfd, &list, NULL);
	/* A bad one is rebuilt from the epochs of batches by recovery. */
	if (rc == ENOENT || rc == STATUS_CORRUPT)
		rc = 0;
	if (rc == 0)
		rc = epoch_assign(&list, epoch, start, &changed);
	if (rc == 0 && changed)
		rc = epoch_write(p->dirfd, &list, p->file_mode, p->gid);
	epoch_list_release(&list);
	rc = roll_blame(p, rc, EPOCH_FILE);
	if (rc == 0)
		p->st.leader_epoch = epoch;
	return rc;
}

/* The file's CRC where the state does not have it any more. */
static int
compute_sums(struct partition *p, struct fault *f)
{
	struct state *s = &p->st;
	struct segment_scan scan;
	const uint8_t *data;
	struct batch b;
	int rc;

	s->batches = s->records = s->data_bytes = 0;
	s->segment_crc = 0;
	s->min_timestamp = -1;
	s->flags |= STATE_SUMS;
	segment_scan_init(&scan, PARTITION_SCAN_BLOCK);
	scan.verify = false;
	segment_scan_start(&scan, p->log_fd, 0, s->end_pos);
	while ((rc = segment_scan_next(&scan, &b, &data)) == 0) {
		note_counts(s, &b);
		s->segment_crc = crc32c_update(s->segment_crc, data, b.size);
	}
	if (rc == STATUS_END)
		rc = 0;
	else if (rc < 0)
		rc = status_fault(f, STATUS_CORRUPT, p->path, scan.pos,
		    s->synced_offset, scan.what);
	segment_scan_release(&scan);
	return rc;
}

/* Of the whole file, which is a small one. */
static int
file_crc(int fd, uint32_t *crc)
{
	uint8_t block[16384];
	int64_t pos = 0;
	size_t got;
	int rc;

	*crc = 0;
	do {
		rc = io_pread(fd, block, sizeof(block), pos, &got);
		*crc = crc32c_update(*crc, block, got);
		pos += (int64_t)got;
	} while (rc == 0 && got > 0);
	return rc;
}

static int
write_sum(struct partition *p, struct fault *f)
{
	const struct state *s = &p->st;
	uint16_t flags = SUM_INDEXED;
	uint32_t index_crc, timeindex_crc;
	struct sum sum;
	int rc = 0;

	if ((s->flags & STATE_SUMS) == 0)
		rc = compute_sums(p, f);
	if (rc == 0)
		rc = file_crc(p->index_fd, &index_crc);
	if (rc == 0)
		rc = file_crc(p->timeindex_fd, &timeindex_crc);
	if (rc != 0)
		return rc;
	if (s->flags & STATE_PRODUCERS)
		flags |= SUM_PRODUCERS;
	sum = (struct sum){
	    .flags = flags,
	    .index_crc = index_crc,
	    .timeindex_crc = timeindex_crc,
	    .crc = s->segment_crc,
	    .size = s->end_pos,
	    .next_offset = s->end_offset,
	    .batches = s->batches,
	    .records = s->records,
	    .data_bytes = s->data_bytes,
	    .min_timestamp = s->min_timestamp,
	    .max_timestamp = s->max_timestamp,
	    .aborted_count = s->aborted_count,
	    .prefix_timestamp = s->max_timestamp > s->earlier_timestamp
		? s->max_timestamp
		: s->earlier_timestamp,
	    .delete_horizon = -1,
	};
	return sum_write(p->dirfd, s->active_base, &sum, p->file_mode, p->gid);
}

/* Step 2. */
static int
end_indexes(struct partition *p)
{
	struct state *s = &p->st;
	int rc = 0;

	if (p->index_fd < 0)
		rc = open_file(p, ".index", 0, &p->index_fd);
	if (rc == 0 && p->timeindex_fd < 0)
		rc = open_file(p, ".timeindex", 0, &p->timeindex_fd);
	if (rc == 0 && s->max_timestamp > s->timeindex_last) {
		rc = timeindex_append(p->timeindex_fd, s->active_base,
		    s->timeindex_count, s->max_timestamp,
		    s->max_timestamp_offset);
		if (rc == 0) {
			s->timeindex_count++;
			s->timeindex_last = s->max_timestamp;
		}
	}
	/* What a dead writer left behind the entries that count. */
	if (rc == 0)
		rc = io_truncate(p->index_fd,
		    (int64_t)s->index_count * OFFINDEX_ENTRY_LEN);
	if (rc == 0)
		rc = io_truncate(p->timeindex_fd,
		    (int64_t)s->timeindex_count * TIMEINDEX_ENTRY_LEN);
	if (rc == 0)
		rc = io_sync(p->index_fd);
	if (rc == 0)
		rc = io_sync(p->timeindex_fd);
	return rc;
}

/* Step 3: the producers as of the end, where there are any. */
int
roll_snapshot(struct partition *p, struct fault *f)
{
	int rc;

	if ((p->st.flags & STATE_PRODUCERS) == 0)
		return 0;
	rc = recover_producers(p, f);
	if (rc != 0)
		return rc;
	recover_producers_expire(p);
	rc = producer_write_snapshot(p->producers, p->dirfd, p->file_mode,
	    p->gid);
	if (rc == 0) {
		p->st.snapshot_offset = p->st.end_offset;
		p->st.snapshot_bytes = 0;
	}
	return rc;
}

int
roll_verify(struct partition *p, int64_t from, int64_t to)
{
	struct segment_scan scan;
	const uint8_t *data;
	struct batch b;
	int rc;

	io_drop_cache(p->log_fd);
	segment_scan_init(&scan, PARTITION_SCAN_BLOCK);
	segment_scan_start(&scan, p->log_fd, from, to);
	while ((rc = segment_scan_next(&scan, &b, &data)) == 0)
		continue;
	segment_scan_release(&scan);
	return rc == STATUS_END ? 0 : STATUS_FAILED;
}

int
roll_segment(struct partition *p, struct fault *f)
{
	struct state *s = &p->st;
	bool orphaned = (s->flags & STATE_SYNCING) != 0;
	int64_t visible;
	int rc;

	assert(p->lock.log);
	assert(p->lock.sync);
	/* If we cannot say that the sync failed this note does. */
	s->flags |= STATE_SYNCING;
	rc = state_write(p->state_fd, s);
	if (rc != 0)
		return rc;
	rc = io_sync(p->log_fd);
	if (rc == 0 && orphaned)
		rc = roll_verify(p, s->synced_pos, s->end_pos);
	s->flags &= ~(uint32_t)STATE_SYNCING;
	if (rc != 0) {
		s->flags |= STATE_FAILED;
		(void)state_write(p->state_fd, s);
		return rc;
	}
	s->synced_offset = s->end_offset;
	s->synced_pos = s->end_pos;
	visible = s->end_offset;
	if (s->role == STATE_ROLE_OPEN || s->role == STATE_ROLE_REPLICA)
		s->visible_offset = visible;
	ahead_give_back(p->log_fd, s->end_pos);
	rc = end_indexes(p);
	if (rc == 0)
		rc = write_sum(p, f);
	if (rc == 0)
		rc = roll_snapshot(p, f);
	if (rc != 0)
		return rc;
	roll_close_files(p);
	state_begin_segment(s, s->end_offset, now_wall_ms());
	rc = state_write(p->state_fd, s);
	if (rc == 0)
		rc = roll_open_active(p);
	return rc;
}
