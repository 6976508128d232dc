#include "store/partition.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bounds.h"
#include "base/io.h"
#include "base/now.h"
#include "base/status.h"
#include "store/access.h"
#include "store/epoch.h"
#include "store/partition_impl.h"
#include "store/properties.h"
#include "store/sum.h"
#include "store/tail.h"

const struct partition_settings partition_defaults = {
    .segment_bytes = 1 << 30,
    .segment_ms = 7LL * 24 * 3600 * 1000,
    .index_bytes = 10 << 20,
    .index_interval_bytes = 4096,
    .message_bytes = MESSAGE_BYTES_DEFAULT,
    .append_time = false,
};

void
partition_settings_of(const struct properties *props,
    struct partition_settings *out)
{
	*out = (struct partition_settings){
	    .segment_bytes = properties_int(props, PROPERTIES_SEGMENT_BYTES),
	    .segment_ms = properties_int(props, PROPERTIES_SEGMENT_MS),
	    .index_bytes =
		properties_int(props, PROPERTIES_SEGMENT_INDEX_BYTES),
	    .index_interval_bytes =
		properties_int(props, PROPERTIES_INDEX_INTERVAL_BYTES),
	    .message_bytes =
		properties_int(props, PROPERTIES_MAX_MESSAGE_BYTES),
	    .append_time = properties_int(props, PROPERTIES_TIMESTAMP_TYPE) ==
		PROPERTIES_LOG_APPEND_TIME,
	};
}

static int
open_writable(struct partition *p)
{
	int rc = lock_open(&p->lock, p->dirfd, p->lock_mode, p->gid);

	p->lock.path = p->path;
	rc = roll_blame(p, rc, LOCK_FILE);
	if (rc == 0)
		rc = roll_blame(p,
		    state_open(p->dirfd, true, p->file_mode, p->gid,
			&p->state_fd),
		    STATE_FILE);
	if (rc == 0)
		rc = state_boot_id(p->boot_id);
	return rc;
}

bool
partition_is_same_life(const struct partition *p, const struct state *s)
{
	return memcmp(s->boot_id, p->boot_id, sizeof(p->boot_id)) == 0 &&
	    s->mount_id == p->mount_id;
}

static int
open_files(struct partition *p, const char *path)
{
	struct stat st;
	int rc = io_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &p->dirfd);

	if (rc != 0)
		return rc;
	if (fstat(p->dirfd, &st) != 0)
		return errno;
	p->file_mode = access_file_mode(st.st_mode);
	p->lock_mode = access_lock_mode(st.st_mode);
	p->gid = st.st_gid;
	p->mount_id = state_mount_id(p->dirfd);
	if (p->mode != PARTITION_READ)
		return open_writable(p);
	rc = state_boot_id(p->boot_id);
	if (rc == 0)
		rc = state_open(p->dirfd, false, 0, 0, &p->state_fd);
	return rc == ENOENT ? 0 : roll_blame(p, rc, STATE_FILE);
}

/* If a file could not be opened it is what f names. */
static int
name_file(struct partition *p, int rc, struct fault *f)
{
	char path[512];

	if (rc == 0 || p->bad_file[0] == '\0')
		return rc;
	snprintf(path, sizeof(path), "%s/%s", p->path, p->bad_file);
	p->bad_file[0] = '\0';
	return status_fault(f, rc, path, -1, -1, NULL);
}

int
partition_open(const char *path, enum partition_mode mode,
    const struct partition_settings *settings, struct partition **out,
    struct fault *f)
{
	struct partition *p = calloc(1, sizeof(*p));
	int rc;

	if (p == NULL)
		return ENOMEM;
	p->dirfd = p->state_fd = -1;
	p->log_fd = p->index_fd = p->timeindex_fd = -1;
	p->log_base = p->own_end = p->tail_base = -1;
	p->tail_unstable = -1;
	lock_init(&p->lock);
	p->mode = mode;
	p->settings = *settings;
	p->path = strdup(path);
	rc = p->path == NULL ? ENOMEM : open_files(p, path);
	if (rc != 0) {
		status_fault(f, rc, path, -1, -1, NULL);
		(void)name_file(p, rc, f);
		partition_close(p);
		return rc;
	}
	*out = p;
	return 0;
}

void
partition_close(struct partition *p)
{
	if (p == NULL)
		return;
	roll_close_files(p);
	(void)io_close(&p->state_fd);
	lock_close(&p->lock);
	(void)io_close(&p->dirfd);
	producer_free(p->producers);
	producer_free(p->tail_producers);
	segment_list_release(&p->segments);
	free(p->path);
	free(p);
}

const char *
partition_path(const struct partition *p)
{
	return p->path;
}

int
partition_dirfd(const struct partition *p)
{
	return p->dirfd;
}

int
partition_offsets(struct partition *p, struct partition_offsets *out,
    struct fault *f)
{
	return tail_offsets(p, out, f);
}

void
partition_take_cut(struct partition *p, struct partition_cut *out)
{
	*out = p->cut;
	p->cut = (struct partition_cut){0};
}

/* A lock and a state that were removed are no longer everybody's. */
static int
check_linked(const struct partition *p)
{
	struct stat lock, state;

	if (fstat(p->lock.fd, &lock) != 0 || fstat(p->state_fd, &state) != 0)
		return errno;
	return lock.st_nlink == 0 || state.st_nlink == 0 ? STATUS_REMOVED : 0;
}

int
partition_begin(struct partition *p, struct fault *f)
{
	int rc;

	assert(p->mode != PARTITION_READ);
	rc = lock_log(&p->lock);
	if (rc != 0)
		return rc;
	rc = check_linked(p);
	if (rc == 0)
		rc = recover_check(p, f);
	if (rc != 0)
		(void)lock_unlock_log(&p->lock);
	return name_file(p, rc, f);
}

int
partition_begin_sync(struct partition *p, struct fault *f)
{
	int rc = lock_sync(&p->lock);

	if (rc != 0)
		return rc;
	rc = partition_begin(p, f);
	if (rc != 0)
		(void)lock_unlock_sync(&p->lock);
	return rc;
}

void
partition_end(struct partition *p)
{
	if (p->lock.log)
		(void)lock_unlock_log(&p->lock);
	if (p->lock.sync)
		(void)lock_unlock_sync(&p->lock);
}

/* The whole data must be well-formed before any of it is written. */
static int
check_batches(const struct partition *p, const struct partition_append *a)
{
	const uint8_t *at = a->data, *stop;
	struct batch b;
	int rc;

	if (a->len == 0)
		return STATUS_CORRUPT;
	stop = at + a->len;
	for (; at < stop; at += b.size) {
		rc = batch_decode(at, (size_t)(stop - at), &b, NULL);
		if (rc == STATUS_SHORT)
			return STATUS_CORRUPT;
		if (rc != 0)
			return rc;
		if (b.size > (size_t)(stop - at) || b.record_count == 0)
			return STATUS_CORRUPT;
		if ((int64_t)b.size > p->settings.message_bytes)
			return STATUS_TOO_BIG;
		/* Its sequence is checked against what is in the log. */
		if (b.producer_id >= 0 && b.size != a->len)
			return EINVAL;
		if (!a->checked && batch_verify(at, &b) != 0)
			return STATUS_CORRUPT;
	}
	return 0;
}

/* Undo what a failed write has left, if nothing worse has happened. */
static int
undo_write(struct partition *p, int rc)
{
	bool full = rc == ENOSPC || rc == EDQUOT || rc == EFBIG;

	if (full && io_truncate(p->log_fd, p->st.end_pos) == 0)
		return rc;
	p->st.flags |= STATE_FAILED;
	(void)state_write(p->state_fd, &p->st);
	return rc;
}

/* Assign offsets, epoch and append time to one batch. */
static void
assign(struct partition *p, uint8_t *data, struct batch *b, int64_t offset)
{
	int32_t delta = (int32_t)(b->last_offset - b->base_offset);

	batch_assign(data, offset, p->st.leader_epoch);
	b->base_offset = offset;
	b->last_offset = offset + delta;
	b->leader_epoch = p->st.leader_epoch;
	if (p->settings.append_time && (b->attributes & BATCH_CONTROL) == 0) {
		b->max_timestamp = now_wall_ms();
		batch_set_append_time(data, b->size, b->max_timestamp);
	}
}

int
partition_put(struct partition *p, uint8_t *data, size_t len)
{
	struct state before = p->st;
	struct iovec iov = {data, len};
	int64_t pos = p->st.end_pos;
	struct batch b;
	int rc;

	ahead_prepare(&p->ahead, p->log_fd, pos, (int64_t)len,
	    p->settings.segment_bytes);
	rc = io_pwritev_full(p->log_fd, &iov, 1, pos);
	if (rc != 0)
		return undo_write(p, rc);
	for (size_t at = 0; at < len && rc == 0; at += b.size) {
		(void)batch_decode(data + at, len - at, &b, NULL);
		rc = roll_note_batch(p, data + at, &b, pos + (int64_t)at);
	}
	if (rc == 0)
		return 0;
	/* An index could not be written: the batches go, too. */
	p->st = before;
	producer_free(p->producers);
	p->producers = NULL;
	return undo_write(p, rc);
}

/*
 * Write a run of batches that fits the active segment: as many as will.
 * *len is what was written; 0 means that a roll is due first.
 */
static int
write_run(struct partition *p, uint8_t *data, size_t left, size_t *len)
{
	int64_t offset = p->st.end_offset;
	struct batch b;
	size_t run = 0;
	int rc;

	*len = 0;
	while (run < left) {
		(void)batch_decode(data + run, left - run, &b, NULL);
		if (run > 0 &&
		    p->st.end_pos + (int64_t)(run + b.size) >
			p->settings.segment_bytes)
			break;
		if (run == 0 &&
		    roll_is_due(p, b.size,
			offset + (b.last_offset - b.base_offset),
			b.max_timestamp))
			return 0;
		if (offset + (b.last_offset - b.base_offset) -
			p->st.active_base >
		    INT32_MAX)
			break;
		assign(p, data + run, &b, offset);
		offset = b.last_offset + 1;
		run += b.size;
	}
	rc = partition_put(p, data, run);
	if (rc == 0)
		*len = run;
	return rc;
}

/* Idempotence: a batch with a producer id stands alone in a call. */
static int
check_producer(struct partition *p, struct partition_append *a, struct fault *f)
{
	struct batch b;
	int rc;

	(void)batch_decode(a->data, a->len, &b, NULL);
	if (b.producer_id < 0)
		return 0;
	rc = recover_producers(p, f);
	if (rc != 0)
		return rc;
	return producer_check(p->producers, &b, &a->base_offset);
}

static int
check_may_append(struct partition *p, struct partition_append *a,
    struct fault *f)
{
	if (p->st.role != STATE_ROLE_OPEN && p->st.role != STATE_ROLE_LEADER)
		return STATUS_ROLE;
	if (a->expect >= 0 && p->st.end_offset != a->expect)
		return STATUS_MISMATCH;
	if (p->st.leader_epoch < 0) {
		int rc = roll_note_epoch(p, 0, p->st.end_offset);

		if (rc != 0)
			return rc;
	}
	return check_producer(p, a, f);
}

/* Relaxed: whoever reads the state after a crash must know. */
static int
note_relaxed(struct partition *p)
{
	if (p->mode != PARTITION_WRITE_RELAXED ||
	    (p->st.flags & STATE_RELAXED) != 0)
		return 0;
	p->st.flags |= STATE_RELAXED;
	return roll_checkpoint(p);
}

/*
 * What a producer's batch was measured against may be of a writer that died: it
 * counts, so the next sync is for it, too, or readers would not come to see
 * what keeps the batch out.
 */
static int
take_over(struct partition *p)
{
	if (p->mode == PARTITION_WRITE_RELAXED &&
	    p->st.visible_offset < p->st.end_offset) {
		p->st.visible_offset = p->st.end_offset;
		return state_write(p->state_fd, &p->st);
	}
	if (p->st.synced_offset < p->st.end_offset)
		p->own_end = p->st.end_offset;
	return 0;
}

/* With the log lock: append what fits now and write the state. */
static int
append_some(struct partition *p, struct partition_append *a, bool *roll,
    struct fault *f)
{
	size_t len = 0;
	int64_t first;
	int rc, state_rc;

	rc = check_may_append(p, a, f);
	if ((rc == STATUS_DUPLICATE || rc == STATUS_SEQUENCE) &&
	    take_over(p) != 0)
		return STATUS_FAILED;
	if (rc == 0)
		rc = note_relaxed(p);
	if (rc != 0)
		return rc;
	first = p->st.end_offset;
	rc = write_run(p, a->data + a->done, a->len - a->done, &len);
	if (rc != 0)
		return rc;
	if (len == 0) {
		*roll = true;
		return 0;
	}
	if (a->done == 0)
		a->base_offset = first;
	a->done += len;
	a->end_offset = p->st.end_offset;
	a->expect = -1;
	if (p->mode == PARTITION_WRITE_RELAXED)
		p->st.visible_offset = p->st.end_offset;
	state_rc = state_write(p->state_fd, &p->st);
	p->own_end = p->st.end_offset;
	return state_rc;
}

/* Nothing to append: does the log end where it should? */
static int
check_end(struct partition *p, const struct partition_append *a,
    struct fault *f)
{
	int rc = partition_begin(p, f);

	if (rc != 0)
		return rc;
	if (p->st.end_offset != a->expect)
		rc = STATUS_MISMATCH;
	partition_end(p);
	return rc;
}

int
partition_append(struct partition *p, struct partition_append *a,
    struct fault *f)
{
	bool roll = false;
	int rc;

	a->done = 0;
	a->base_offset = a->end_offset = -1;
	a->rolled = false;
	if (a->len == 0 && a->expect >= 0)
		return check_end(p, a, f);
	rc = check_batches(p, a);
	while (rc == 0 && a->done < a->len) {
		/* A roll syncs, and the right to sync comes first. */
		rc = roll ? partition_begin_sync(p, f) : partition_begin(p, f);
		if (rc != 0)
			break;
		if (roll && p->st.end_pos > 0)
			rc = roll_segment(p, f);
		else if (roll)
			/* Empty, and takes nothing: no writer made it. */
			rc = status_fault(f, STATUS_CORRUPT, p->path, -1,
			    p->st.end_offset,
			    "the active segment begins too far below the end");
		a->rolled = a->rolled || roll;
		roll = false;
		if (rc == 0 && p->st.end_offset >= PARTITION_OFFSET_MAX)
			rc = EOVERFLOW;
		if (rc == 0)
			rc = append_some(p, a, &roll, f);
		rc = name_file(p, rc, f);
		partition_end(p);
	}
	return rc;
}

/* Save the producers and the state now and then: bounds a recovery. */
static int
checkpoint_if_due(struct partition *p, struct fault *f)
{
	struct state *s = &p->st;
	int rc = 0;

	if ((s->flags & STATE_PRODUCERS) != 0 &&
	    s->snapshot_bytes >= PARTITION_CHECKPOINT_BYTES)
		rc = roll_snapshot(p, f);
	if (rc == 0 &&
	    s->synced_pos - s->persisted_pos >= PARTITION_CHECKPOINT_BYTES)
		rc = roll_checkpoint(p);
	return rc;
}

/* The sync is over with rc: say so, under the log lock. */
static int
publish(struct partition *p, const struct state *target, int rc,
    struct fault *f)
{
	struct state *s = &p->st;

	s->flags &= ~(uint32_t)STATE_SYNCING;
	if (rc != 0) {
		s->flags |= STATE_FAILED;
		(void)state_write(p->state_fd, s);
		return rc;
	}
	if (s->active_base == target->active_base &&
	    target->end_pos > s->synced_pos) {
		s->synced_offset = target->end_offset;
		s->synced_pos = target->end_pos;
	}
	if ((s->role == STATE_ROLE_OPEN || s->role == STATE_ROLE_REPLICA) &&
	    s->synced_offset > s->visible_offset)
		s->visible_offset = s->synced_offset;
	rc = state_write(p->state_fd, s);
	return rc != 0 ? rc : checkpoint_if_due(p, f);
}

/*
 * Under the sync lock: sync all that is written now.  The log lock is held on
 * entry and on return, not while the device works.
 */
static int
sync_now(struct partition *p, struct fault *f)
{
	struct state target;
	bool orphaned = (p->st.flags & STATE_SYNCING) != 0;
	int fd, rc, sync_rc;

	p->st.flags |= STATE_SYNCING;
	rc = state_write(p->state_fd, &p->st);
	if (rc != 0)
		return rc;
	target = p->st;
	fd = p->log_fd;
	(void)lock_unlock_log(&p->lock);
	sync_rc = io_sync(fd);
	if (sync_rc == 0 && orphaned)
		sync_rc = roll_verify(p, target.synced_pos, target.end_pos);
	rc = lock_log(&p->lock);
	if (rc != 0)
		return rc;
	/* Others may only have appended meanwhile: no roll without us. */
	rc = state_read(p->state_fd, &p->st);
	if (rc != 0)
		return rc;
	return publish(p, &target, sync_rc, f);
}

int
partition_sync(struct partition *p, struct fault *f)
{
	int rc;

	if (p->own_end < 0)
		return 0;
	rc = partition_begin_sync(p, f);
	if (rc != 0)
		return rc;
	if (p->st.synced_offset < p->own_end)
		rc = sync_now(p, f);
	if (rc == 0)
		p->own_end = -1;
	partition_end(p);
	return rc;
}

void
partition_sync_start(struct partition *p)
{
	if (p->log_fd < 0 || p->st.end_pos <= p->started_pos)
		return;
	io_sync_start(p->log_fd, p->started_pos,
	    p->st.end_pos - p->started_pos);
	p->started_pos = p->st.end_pos;
}

int
partition_role(struct partition *p, enum state_role *role)
{
	struct state s;
	int rc;

	*role = STATE_ROLE_OPEN;
	if (p->state_fd < 0)
		return 0;
	rc = state_read(p->state_fd, &s);
	if (rc == STATUS_CORRUPT)
		return 0;
	if (rc == 0)
		*role = s.role;
	return rc;
}

/*
 * Local writers leave no gaps, and readers rely on it where the role is open:
 * what a replication wrote, with the gaps of its source, is closed.
 */
static int
open_role(struct partition *p, struct fault *f)
{
	int rc = p->st.end_pos > 0 ? roll_segment(p, f) : 0;

	if (rc == 0 && p->st.end_offset > 0)
		rc = roll_note_epoch(p, p->st.leader_epoch + 1,
		    p->st.end_offset);
	return rc;
}

int
partition_set_role(struct partition *p, enum state_role role, struct fault *f)
{
	int rc = partition_begin_sync(p, f);

	if (rc != 0)
		return rc;
	if (p->st.role != STATE_ROLE_OPEN && role == STATE_ROLE_OPEN)
		rc = open_role(p, f);
	if (rc == 0) {
		if (role == STATE_ROLE_REPLICA)
			p->st.flags &= ~(uint32_t)STATE_PROMOTED;
		else if (p->st.role == STATE_ROLE_REPLICA)
			p->st.flags |= STATE_PROMOTED;
		p->st.role = role;
		rc = roll_checkpoint(p);
	}
	partition_end(p);
	return rc;
}

int
partition_new_epoch(struct partition *p, int32_t min, int32_t *epoch,
    struct fault *f)
{
	int32_t next;
	int rc = partition_begin(p, f);

	if (rc != 0)
		return rc;
	next = p->st.leader_epoch + 1;
	if (next < min)
		next = min;
	rc = roll_note_epoch(p, next, p->st.end_offset);
	if (rc == 0)
		rc = roll_checkpoint(p);
	if (rc == 0)
		*epoch = next;
	partition_end(p);
	return rc;
}

int
partition_roll(struct partition *p, struct fault *f)
{
	int rc = partition_begin_sync(p, f);

	if (rc != 0)
		return rc;
	if (p->st.end_pos > 0)
		rc = roll_segment(p, f);
	partition_end(p);
	return rc;
}

/* Remove the files of the segments that lie wholly below the log start. */
static int
remove_below(struct partition *p)
{
	static const char *const suffixes[] = {".log", ".index", ".timeindex",
	    ".txnindex", ".snapshot", ".sum"};
	struct segment_list l;
	int rc = segment_list_read(p->dirfd, ".log", &l);

	if (rc != 0)
		return rc;
	for (size_t i = 0;
	     rc == 0 && i + 1 < l.count && l.bases[i + 1] <= p->st.log_start;
	     i++) {
		for (size_t k = 0; k < 6 && rc == 0; k++) {
			char name[SEGMENT_NAME_LEN];

			segment_name(name, l.bases[i], suffixes[k]);
			rc = io_unlink(p->dirfd, name);
			if (rc == ENOENT)
				rc = 0;
		}
	}
	segment_list_release(&l);
	return rc;
}

/* Nobody else may be at work on sealed segments. */
static int
remove_if_free(struct partition *p)
{
	bool held = p->lock.clean;
	int rc = held ? 0 : lock_clean(&p->lock);

	if (rc == EAGAIN)
		return 0;
	if (rc == 0)
		rc = remove_below(p);
	if (!held && p->lock.clean)
		(void)lock_unlock_clean(&p->lock);
	return rc;
}

int
partition_trim_epochs(struct partition *p,
    bool (*trim)(struct epoch_list *list, int64_t offset), int64_t offset,
    int32_t *latest)
{
	struct epoch_list list;
	int rc;

	epoch_list_init(&list);
	rc = epoch_read(p->dirfd, &list, NULL);
	if (rc == 0 && trim(&list, offset))
		rc = epoch_write(p->dirfd, &list, p->file_mode, p->gid);
	if (latest != NULL && (rc == 0 || rc == ENOENT))
		*latest = epoch_latest(&list);
	epoch_list_release(&list);
	return rc == ENOENT || rc == STATUS_CORRUPT ? 0 : rc;
}

int
partition_delete_before(struct partition *p, int64_t offset, struct fault *f)
{
	int rc = partition_begin(p, f);

	if (rc != 0)
		return rc;
	if (offset > p->st.visible_offset) {
		rc = STATUS_OFFSET;
	} else if (offset > p->st.log_start) {
		p->st.log_start = offset;
		rc = roll_checkpoint(p);
		if (rc == 0)
			rc = remove_if_free(p);
		if (rc == 0)
			rc = partition_trim_epochs(p, epoch_truncate_to_start,
			    offset, NULL);
	}
	partition_end(p);
	return rc;
}

int
partition_clean_begin(struct partition *p, struct fault *f)
{
	int rc;

	assert(p->mode != PARTITION_READ);
	rc = lock_clean(&p->lock);
	if (rc != 0)
		return rc;
	rc = partition_begin(p, f);
	if (rc == 0) {
		if (p->st.flags & STATE_PRODUCERS)
			rc = recover_producers(p, f);
		if (rc == 0 && p->producers != NULL)
			producer_expire(p->producers,
			    now_wall_ms() - PARTITION_PRODUCER_EXPIRATION_MS);
		partition_end(p);
	}
	if (rc != 0)
		(void)lock_unlock_clean(&p->lock);
	return rc;
}

int
partition_clean_end(struct partition *p, struct fault *f)
{
	int rc = partition_begin(p, f);

	if (rc == 0) {
		rc = remove_below(p);
		partition_end(p);
	}
	(void)lock_unlock_clean(&p->lock);
	return rc;
}

bool
partition_producer_last(const struct partition *p, int64_t producer_id,
    int16_t *epoch, int64_t *last_offset)
{
	return p->producers != NULL &&
	    producer_last(p->producers, producer_id, epoch, last_offset);
}

int
partition_write_sum(struct partition *p, int64_t base, const struct sum *sum)
{
	assert(p->lock.clean);
	return sum_write(p->dirfd, base, sum, p->file_mode, p->gid);
}
