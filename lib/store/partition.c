#include "store/partition.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bounds.h"
#include "base/io.h"
#include "base/status.h"
#include "store/access.h"
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

/*
 * A file system that we have open is not unmounted meanwhile, whatever mount
 * others came by: each mount namespace has its own.
 */
bool
partition_is_same_life(const struct partition *p, const struct state *s)
{
	return memcmp(s->boot_id, p->boot_id, sizeof(p->boot_id)) == 0 &&
	    (s->mount_id == p->mount_id || p->is_alive);
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

int
partition_name_file(struct partition *p, int rc, struct fault *f)
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
		(void)partition_name_file(p, rc, f);
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

void
partition_wait_until(struct partition *p, int64_t until_ms)
{
	p->lock.until_ms = until_ms;
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
	return partition_name_file(p, rc, f);
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
	/* But for one that found a failed write. */
	if (rc == 0 && p->st.cuts != target.cuts)
		rc = STATUS_FAILED;
	if (rc != 0)
		return rc;
	return publish(p, &target, sync_rc, f);
}

void
partition_own(struct partition *p)
{
	p->own_end = p->st.end_offset;
	p->own_cuts = p->st.cuts;
}

int
partition_check_own(struct partition *p)
{
	if (p->own_end < 0 || p->own_cuts == p->st.cuts)
		return 0;
	p->own_end = -1;
	return STATUS_FAILED;
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
	rc = partition_check_own(p);
	if (rc == 0 && p->st.synced_offset < p->own_end)
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
	int rc = p->st.role == STATE_ROLE_REPLICA ? replica_remove_left(p) : 0;

	if (rc == 0 && p->st.end_pos > 0)
		rc = roll_segment(p, f);
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
