/*
 * Finding the end of the log again.
 *
 * A writer that has just taken the log lock compares the state with the
 * active segment (recover_check).  As long as both say the same nothing is
 * read.  Otherwise one of these is the case:
 *
 *	TAIL	same boot, mount and files; the file is longer: a writer died
 *		between writing and noting it.  Scan from the end position.
 *	CRASH	another boot or mount, or a failed write or sync.  Bytes above
 *		the synced position may be anything.  Scan from there, or from
 *		the index entry before it, where the counts are known.
 *	COPY	the directory was copied, or has no usable state.  Scan the
 *		last segment from its beginning.
 *
 * In each, valid batches are taken in, the first invalid one ends the log,
 * and what is behind goes to lost+found/.  An invalid batch below the synced
 * position is damage and nothing is changed.
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/now.h"
#include "base/status.h"
#include "store/epoch.h"
#include "store/lost.h"
#include "store/offindex.h"
#include "store/partition_impl.h"
#include "store/seek.h"
#include "store/sum.h"
#include "store/tail.h"
#include "store/timeindex.h"

enum cause { CAUSE_TAIL, CAUSE_CRASH, CAUSE_COPY };

static int
fault_in(struct partition *p, struct fault *f, int64_t pos, int64_t offset,
    const char *what)
{
	char name[SEGMENT_NAME_LEN], path[512];

	segment_name(name, p->st.active_base, ".log");
	snprintf(path, sizeof(path), "%s/%s", p->path, name);
	p->bad_file[0] = '\0';
	return status_fault(f, STATUS_CORRUPT, path, pos, offset, what);
}

static int
fault_at(struct partition *p, struct fault *f, int64_t pos, const char *what)
{
	return fault_in(p, f, pos, p->st.end_offset, what);
}

/* Nothing to do: the file is what the state says. */
static bool
is_current(struct partition *p, const struct stat *st)
{
	return partition_is_same_life(p, &p->st) &&
	    (p->st.flags & STATE_FAILED) == 0 && st->st_ino == p->st.inode &&
	    st->st_size == p->st.end_pos;
}

/* The directory's state file is not the one that wrote what is in it. */
static bool
is_copied(struct partition *p)
{
	struct stat st;

	return fstat(p->state_fd, &st) == 0 &&
	    (int64_t)st.st_ino != p->st.state_inode;
}

/* Put what is behind the end of the log aside, durably. */
static int
save_tail(struct partition *p, int64_t size)
{
	struct partition_cut *cut = &p->cut;
	int64_t pos = p->st.end_pos;

	*cut = (struct partition_cut){p->st.active_base, pos, size - pos,
	    p->st.end_offset, ""};
	return lost_save(p, p->log_fd, cut->base, pos, cut->len, cut->saved);
}

/*
 * Take in valid batches from the state's end position on.  floor is the
 * synced position: an invalid batch below it is damage, and so is an offset
 * that has come to lie at floor_end or above.  Local writers leave no gaps
 * between offsets (contiguous); a replication has those of its source.
 */
static int
scan_tail(struct partition *p, int64_t floor, int64_t floor_end,
    bool contiguous, bool short_ok, struct fault *f)
{
	struct state *s = &p->st;
	struct segment_scan scan;
	const uint8_t *data;
	struct batch b;
	int rc;

	segment_scan_init(&scan, PARTITION_SCAN_BLOCK);
	segment_scan_start(&scan, p->log_fd, s->end_pos, -1);
	while ((rc = segment_scan_next(&scan, &b, &data)) == 0) {
		if (b.base_offset < s->end_offset ||
		    (contiguous && b.base_offset != s->end_offset) ||
		    (s->end_pos < floor && b.last_offset >= floor_end) ||
		    b.last_offset - s->active_base > INT32_MAX) {
			scan.what = "offset is out of order";
			rc = STATUS_CORRUPT;
			break;
		}
		if (b.producer_id >= 0 && p->producers == NULL) {
			s->flags |= STATE_PRODUCERS;
			rc = recover_producers(p, f);
		}
		if (rc == 0 && b.leader_epoch > s->leader_epoch)
			rc = roll_note_epoch(p, b.leader_epoch, b.base_offset);
		if (rc == 0)
			rc = roll_note_batch(p, data, &b, s->end_pos);
		if (rc != 0)
			break;
	}
	if (rc == STATUS_CORRUPT || rc == STATUS_SHORT ||
	    rc == STATUS_UNSUPPORTED) {
		if (s->end_pos < floor && !(short_ok && rc == STATUS_SHORT))
			rc = fault_at(p, f, s->end_pos, scan.what);
		else
			rc = 0;
	}
	segment_scan_release(&scan);
	return rc == STATUS_END ? 0 : rc;
}

/* Begin the counts of the active segment anew, at its beginning. */
static void
restart_at_base(struct partition *p)
{
	struct state *s = &p->st;
	uint64_t inode = s->inode;
	int64_t created_ms = s->created_ms;

	state_begin_segment(s, s->active_base, created_ms);
	s->inode = inode;
}

/* What of the indexes the log confirms. */
struct confirmed {
	int32_t count;		/* of the offset index */
	struct offindex_entry last, before; /* pos 0: there is none */
	int64_t synced_offset;	/* entries up to here were synced */
	int32_t times;
	struct timeindex_entry last_time; /* offset -1: there is none */
};

/* Does a batch stand where the entry says, with its last offset? */
static bool
is_confirmed(struct partition *p, const struct offindex_entry *e)
{
	struct batch b;

	return segment_header_at(p->log_fd, e->pos, &b) == 0 &&
	    b.base_offset >= p->st.active_base && b.last_offset == e->offset;
}

/*
 * Entries of the offset index, below position pos, up to the first that cannot
 * be.  Those below the last checkpoint were synced with it; of the others any
 * may be gone.
 */
static void
confirm_entries(struct partition *p, int64_t pos, struct confirmed *c)
{
	const struct state *s = &p->st;
	struct offindex_entry e;

	while (p->index_fd >= 0 && c->count < s->index_count &&
	    offindex_get(p->index_fd, s->active_base, c->count, &e) == 0) {
		if (e.pos <= c->last.pos || e.pos >= pos ||
		    (c->count > 0 && e.offset <= c->last.offset) ||
		    (e.pos >= s->persisted_pos && !is_confirmed(p, &e)))
			break;
		if (e.pos < s->persisted_pos)
			c->synced_offset = e.offset;
		c->before = c->last;
		c->last = e;
		c->count++;
	}
}

/* Is the entry's timestamp that of the batch that it leads to? */
static bool
is_time_confirmed(struct partition *p, const struct timeindex_entry *e)
{
	struct batch b;
	int64_t pos;

	return seek_offset(p->dirfd, p->st.active_base, p->log_fd, e->offset,
		   -1, &pos) == 0 &&
	    segment_header_at(p->log_fd, pos, &b) == 0 &&
	    b.last_offset == e->offset && b.max_timestamp == e->timestamp;
}

/* The same of the time index, below an offset. */
static void
confirm_times(struct partition *p, int64_t offset, struct confirmed *c)
{
	const struct state *s = &p->st;
	struct timeindex_entry t;

	c->last_time = (struct timeindex_entry){-1, -1};
	while (p->timeindex_fd >= 0 && c->times < s->timeindex_count &&
	    timeindex_get(p->timeindex_fd, s->active_base, c->times, &t) == 0) {
		if (t.timestamp <= c->last_time.timestamp ||
		    t.offset <= c->last_time.offset || t.offset >= offset ||
		    (t.offset > c->synced_offset && !is_time_confirmed(p, &t)))
			break;
		c->last_time = t;
		c->times++;
	}
}

/*
 * Begin again at the last entry of the offset index below pos that the log
 * confirms.  False: there is none.
 */
static bool
restart_at_index(struct partition *p, int64_t pos)
{
	struct confirmed c = {.synced_offset = -1};
	struct state *s = &p->st;
	struct batch b;

	confirm_entries(p, pos, &c);
	if (c.count == 0 || p->timeindex_fd < 0 || !is_confirmed(p, &c.last) ||
	    segment_header_at(p->log_fd, c.last.pos, &b) != 0)
		return false;
	s->end_pos = c.last.pos;
	s->end_offset = b.base_offset;
	s->index_count = c.count - 1;
	s->index_pos = c.before.pos;
	confirm_times(p, b.base_offset, &c);
	s->timeindex_count = c.times;
	s->timeindex_last = c.last_time.timestamp;
	s->max_timestamp = c.last_time.timestamp;
	s->max_timestamp_offset = c.last_time.offset;
	s->flags &= ~(uint32_t)STATE_SUMS;
	return true;
}

/* Did all survive that the state counts? */
static bool
has_indexes(struct partition *p)
{
	const struct state *s = &p->st;
	struct confirmed c = {.synced_offset = -1};

	confirm_entries(p, s->end_pos, &c);
	confirm_times(p, s->end_offset, &c);
	return c.count == s->index_count && c.times == s->timeindex_count &&
	    c.last.pos == s->index_pos &&
	    c.last_time.timestamp == s->timeindex_last;
}

/*
 * Nothing of the segment is to be scanned; but a base offset is under no CRC.
 * Do the last batches, from the last entry of the index on, still have offsets
 * below the end?
 */
static int
check_last(struct partition *p, struct fault *f)
{
	const struct state *s = &p->st;
	int64_t next = s->active_base, pos = s->index_pos;
	struct segment_scan scan;
	const uint8_t *data;
	struct batch b;
	int rc;

	segment_scan_init(&scan, PARTITION_SCAN_BLOCK);
	scan.verify = false;
	segment_scan_start(&scan, p->log_fd, pos, s->end_pos);
	while ((rc = segment_scan_next(&scan, &b, &data)) == 0) {
		scan.what = "offset is out of order";
		if (b.base_offset < next || b.last_offset >= s->end_offset)
			break;
		next = b.last_offset + 1;
		pos = scan.pos;
	}
	if (rc <= 0 && rc != STATUS_END)
		rc = fault_in(p, f, pos, next, scan.what);
	segment_scan_release(&scan);
	return rc == STATUS_END ? 0 : rc;
}

/* Drop the noted aborts at or behind the end of the log. */
static int
restart_txnindex(struct partition *p)
{
	struct aborted_list all;
	int32_t keep = 0;
	int rc;

	txnindex_list_init(&all);
	rc = txnindex_read(p->dirfd, p->st.active_base, 0, &all, NULL);
	if (rc == STATUS_CORRUPT)
		rc = 0;
	while (rc == 0 && (size_t)keep < all.count &&
	    all.items[keep].last_offset < p->st.end_offset)
		keep++;
	if (rc == 0 && (all.count > 0 || p->st.aborted_count > 0))
		rc = txnindex_truncate(p->dirfd, p->st.active_base, keep);
	p->st.aborted_count = keep;
	txnindex_list_release(&all);
	return rc;
}

/* Do producers occur?  Asked where no state tells. */
static int
find_producers(struct partition *p, const struct segment_list *segments)
{
	struct segment_list snapshots;
	struct sum sum;
	int rc;

	rc = segment_list_read(p->dirfd, ".snapshot", &snapshots);
	if (rc != 0)
		return rc;
	if (snapshots.count > 0)
		p->st.flags |= STATE_PRODUCERS;
	segment_list_release(&snapshots);
	for (size_t i = 0; i + 1 < segments->count; i++)
		if (sum_read(p->dirfd, segments->bases[i], &sum) != 0 ||
		    (sum.flags & SUM_PRODUCERS) != 0)
			p->st.flags |= STATE_PRODUCERS;
	return 0;
}

/*
 * The largest timestamp in the sealed segments, by what stands beside them:
 * INT64_MAX if one would have to be read, which only makes lookups slower.
 */
static int
find_earlier(struct partition *p, const struct segment_list *segments)
{
	int64_t max;
	int rc = 0;

	p->st.earlier_timestamp = -1;
	for (size_t i = 0; rc == 0 && i + 1 < segments->count; i++) {
		rc = seek_max_timestamp(p->dirfd, segments->bases[i], &max);
		if (rc == 0 && max > p->st.earlier_timestamp)
			p->st.earlier_timestamp = max;
	}
	return rc;
}

/* Open index files that are there; a missing one is made when needed. */
static void
open_indexes(struct partition *p)
{
	char name[SEGMENT_NAME_LEN];

	(void)io_close(&p->index_fd);
	(void)io_close(&p->timeindex_fd);
	segment_name(name, p->st.active_base, ".index");
	(void)io_open(p->dirfd, name, O_RDWR, 0, &p->index_fd);
	segment_name(name, p->st.active_base, ".timeindex");
	(void)io_open(p->dirfd, name, O_RDWR, 0, &p->timeindex_fd);
}

/* The state of a directory that has none of its own. */
static int
adopt(struct partition *p, bool have_state, struct fault *f)
{
	struct segment_list l;
	struct epoch_list epochs;
	struct state *s = &p->st;
	int64_t last = 0;
	int rc;

	(void)f;
	rc = segment_list_read(p->dirfd, ".log", &l);
	if (rc != 0)
		return rc;
	if (!have_state) {
		state_init(s);
		s->log_start = l.count > 0 ? tail_log_start(p, l.bases[0]) : 0;
	}
	if (l.count > 0)
		last = l.bases[l.count - 1];
	rc = find_producers(p, &l);
	if (rc == 0)
		rc = find_earlier(p, &l);
	epoch_list_init(&epochs);
	if (rc == 0 && epoch_read(p->dirfd, &epochs, NULL) == 0 &&
	    epoch_latest(&epochs) > s->leader_epoch)
		s->leader_epoch = epoch_latest(&epochs);
	epoch_list_release(&epochs);
	/* Positions of the copied state count only for the same segment. */
	if (l.count == 0 || last != s->active_base) {
		state_begin_segment(s, last, now_wall_ms());
		s->visible_offset = last;
	}
	if (l.count > 0)
		s->inode = 1; /* the file exists: do not make it */
	segment_list_release(&l);
	return rc;
}

/* A new epoch where offsets of lost records might be used again. */
static int
begin_epoch(struct partition *p)
{
	return roll_note_epoch(p, p->st.leader_epoch + 1, p->st.end_offset);
}

int
recover_sign(struct partition *p)
{
	struct stat st;

	if (fstat(p->log_fd, &st) != 0)
		return errno;
	p->st.inode = st.st_ino;
	if (fstat(p->state_fd, &st) != 0)
		return errno;
	p->st.state_inode = (int64_t)st.st_ino;
	memcpy(p->st.boot_id, p->boot_id, sizeof(p->boot_id));
	p->st.mount_id = p->mount_id;
	return 0;
}

/* All that is in the log now is durable, visible and said so on the disk. */
static int
settle(struct partition *p, bool new_epoch)
{
	struct state *s = &p->st;
	int rc = io_sync(p->log_fd);

	if (rc != 0)
		return rc;
	if (new_epoch && s->end_offset > 0 && s->role == STATE_ROLE_OPEN)
		rc = begin_epoch(p);
	if (rc == 0)
		rc = io_sync_dir(p->dirfd);
	if (rc == 0)
		rc = recover_sign(p);
	if (rc != 0)
		return rc;
	s->synced_offset = s->end_offset;
	s->synced_pos = s->end_pos;
	s->visible_offset = s->end_offset;
	s->flags &= ~(uint32_t)(STATE_FAILED | STATE_SYNCING | STATE_RELAXED);
	return roll_checkpoint(p);
}

/* Where to begin to scan, and the counts as of there. */
static int
choose_start(struct partition *p, enum cause cause, int64_t size,
    struct fault *f)
{
	struct state *s = &p->st;
	int rc = 0;

	if (cause == CAUSE_TAIL)
		return 0;
	open_indexes(p);
	if (cause == CAUSE_COPY) {
		restart_at_base(p);
	} else if (size < s->synced_pos) {
		return fault_at(p, f, size, "shorter than its synced position");
	} else if (s->end_pos != s->synced_pos || !has_indexes(p)) {
		/* Since the last checkpoint indexes were not synced. */
		if (!restart_at_index(p, s->synced_pos))
			restart_at_base(p);
	} else {
		rc = check_last(p, f);
	}
	producer_free(p->producers);
	p->producers = NULL;
	return rc == 0 ? restart_txnindex(p) : rc;
}

/*
 * Another mount, and nothing else: mounted again after a crash, when nothing of
 * before is in memory, or the same file system in two mount namespaces.
 */
static bool
is_other_mount(const struct partition *p)
{
	return memcmp(p->st.boot_id, p->boot_id, sizeof(p->boot_id)) == 0 &&
	    p->st.mount_id != p->mount_id && (p->st.flags & STATE_FAILED) == 0;
}

/* So that who tries again does not trust what is in memory. */
static int
note_failure(struct partition *p, int rc)
{
	p->st.flags |= STATE_FAILED;
	(void)state_write(p->state_fd, &p->st);
	return rc;
}

static int
recover(struct partition *p, enum cause cause, bool have_state, struct fault *f)
{
	struct state *s = &p->st;
	int64_t floor = have_state ? s->synced_pos : 0;
	int64_t floor_end =
	    s->role == STATE_ROLE_OPEN ? s->synced_offset : INT64_MAX;
	int64_t visible = s->visible_offset, base = s->active_base;
	int64_t end = s->end_offset;
	bool relaxed = (s->flags & STATE_RELAXED) != 0;
	bool other_mount = cause == CAUSE_CRASH && is_other_mount(p);
	struct stat st;
	int rc;

	if (fstat(p->log_fd, &st) != 0)
		return errno;
	if (cause != CAUSE_TAIL) {
		/*
		 * Pages in memory may never have reached the device: of a
		 * failed write, of a copy, and when this failed before.
		 */
		rc = io_sync(p->log_fd);
		if (rc != 0)
			return other_mount ? note_failure(p, rc) : rc;
		if (!other_mount)
			io_drop_cache(p->log_fd);
	}
	rc = choose_start(p, cause, st.st_size, f);
	if (rc == 0 && (s->flags & STATE_PRODUCERS) != 0 &&
	    (cause != CAUSE_TAIL || p->producers == NULL))
		rc = recover_producers(p, f);
	if (rc == 0)
		rc = scan_tail(p, s->active_base == base ? floor : 0, floor_end,
		    cause != CAUSE_COPY && s->role != STATE_ROLE_REPLICA,
		    cause == CAUSE_COPY && st.st_size < floor, f);
	if (rc == 0 && st.st_size > s->end_pos)
		rc = save_tail(p, st.st_size);
	if (rc == 0 && st.st_size > s->end_pos)
		rc = io_truncate(p->log_fd, s->end_pos);
	if (rc != 0)
		return rc;
	/* Of a copy the end was not known. */
	if (s->end_offset < end || cause == CAUSE_COPY) {
		state_cut(s, now_wall_ms());
		p->producers_cuts = s->cuts;
	}
	/* What was deleted stays so. */
	if (s->log_start > s->end_offset)
		s->log_start = s->end_offset;
	if (cause == CAUSE_TAIL) {
		rc = recover_sign(p);
		return rc != 0 ? rc : state_write(p->state_fd, s);
	}
	return settle(p,
	    cause == CAUSE_COPY || relaxed || s->end_offset < visible);
}

/*
 * A roll that a crash cut short has left an empty next segment.  If something
 * is in it the state is older than it should be: never written over.
 */
static int
finish_roll(struct partition *p, struct fault *f)
{
	struct segment_list l;
	struct stat st;
	int64_t last;
	int rc = segment_list_read(p->dirfd, ".log", &l);

	if (rc != 0)
		return rc;
	last = l.count > 0 ? l.bases[l.count - 1] : -1;
	segment_list_release(&l);
	if (last <= p->st.active_base)
		return 0;
	/*
	 * It was synced whole before the next one was made.  A replica's may
	 * end before that one's base.
	 */
	if (last < p->st.end_offset ||
	    (last > p->st.end_offset && p->st.role != STATE_ROLE_REPLICA))
		return fault_at(p, f, p->st.end_pos,
		    "does not reach up to the next segment");
	roll_close_files(p);
	state_begin_segment(&p->st, last, now_wall_ms());
	/* Nothing is in a gap. */
	if (p->st.role == STATE_ROLE_REPLICA)
		p->st.visible_offset = last;
	rc = roll_open_active(p);
	if (rc != 0)
		return rc;
	if (fstat(p->log_fd, &st) != 0)
		return errno;
	return st.st_size > 0 ? recover(p, CAUSE_CRASH, true, f)
			      : recover_sign(p);
}

int
recover_reopen(struct partition *p, int64_t base, struct fault *f)
{
	int rc;

	roll_close_files(p);
	state_begin_segment(&p->st, base, now_wall_ms());
	p->st.inode = 1; /* the file exists: do not make it */
	p->st.synced_offset = p->st.visible_offset = base;
	rc = roll_open_active(p);
	return rc != 0 ? rc : recover(p, CAUSE_COPY, false, f);
}

/* The state is not usable, or belongs to other files. */
static int
recover_copy(struct partition *p, bool have_state, struct fault *f)
{
	int rc = adopt(p, have_state, f);
	bool fresh = rc == 0 && p->st.inode == 0;

	roll_close_files(p);
	if (rc == 0)
		rc = state_fill(p->state_fd);
	if (rc == 0 && fresh) {
		rc = roll_open_active(p);
		return rc != 0 ? rc : settle(p, false);
	}
	if (rc == 0)
		rc = roll_open_active(p);
	return rc != 0 ? rc : recover(p, CAUSE_COPY, have_state, f);
}

/* The active segment, and not one that was removed while it was open. */
static int
open_active(struct partition *p, struct stat *st)
{
	int rc = roll_open_active(p);

	if (rc == 0 && fstat(p->log_fd, st) != 0)
		return errno;
	if (rc != 0 || st->st_nlink > 0)
		return rc;
	roll_close_files(p);
	rc = roll_open_active(p);
	return rc == 0 && fstat(p->log_fd, st) != 0 ? errno : rc;
}

static int
check(struct partition *p, struct fault *f)
{
	struct state s;
	struct stat st;
	bool doubt;
	int rc = state_look(p->state_fd, &s, &doubt);

	assert(p->lock.log);
	if (rc == STATUS_CORRUPT)
		return recover_copy(p, false, f);
	if (rc != 0)
		return rc;
	p->st = s;
	if (p->producers_cuts != s.cuts) {
		producer_free(p->producers);
		p->producers = NULL;
	}
	if (doubt || is_copied(p))
		return recover_copy(p, true, f);
	rc = open_active(p, &st);
	if (rc == ENOENT)
		return fault_at(p, f, 0, "the active segment is missing");
	if (rc != 0)
		return rc;
	if (is_current(p, &st))
		return 0;
	if (st.st_ino != p->st.inode) {
		if (st.st_size < p->st.synced_pos)
			return fault_at(p, f, st.st_size,
			    "shorter than its synced position");
		return recover(p, CAUSE_COPY, true, f);
	}
	if (partition_is_same_life(p, &p->st) &&
	    (p->st.flags & STATE_FAILED) == 0 && st.st_size > p->st.end_pos)
		return recover(p, CAUSE_TAIL, true, f);
	rc = recover(p, CAUSE_CRASH, true, f);
	return rc != 0 ? rc : finish_roll(p, f);
}

int
recover_check(struct partition *p, struct fault *f)
{
	int rc = check(p, f);

	if (rc == 0)
		p->is_alive = true;
	return rc;
}
