#include "store/tail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/io.h"
#include "base/status.h"
#include "store/partition_impl.h"

/* The state belongs to this directory's files, though one may be lost. */
static bool
is_own(struct partition *p, const struct state *s)
{
	char name[SEGMENT_NAME_LEN];
	struct stat st;

	if (fstat(p->state_fd, &st) != 0 ||
	    (int64_t)st.st_ino != s->state_inode)
		return false;
	if (s->inode == 0)
		return true;
	segment_name(name, s->active_base, ".log");
	if (fstatat(p->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno == ENOENT;
	return st.st_ino == s->inode;
}

/*
 * A message of version 0 or 1 is not read, but it has a place: its offset
 * (int64) and size (int32) come first.  Who reads it is told.
 */
static bool
skip_old_message(struct partition *p, int fd, struct segment_scan *scan)
{
	uint8_t head[BATCH_OVERHEAD];
	int64_t offset, next;
	struct stat st;

	if (fstat(fd, &st) != 0 ||
	    io_pread_full(fd, head, sizeof(head), scan->pos) != 0)
		return false;
	offset = (int64_t)buf_get_64(head);
	next = scan->pos + BATCH_OVERHEAD +
	    (int32_t)buf_get_32(head + BATCH_LENGTH);
	if (offset < p->tail_offset || next > st.st_size || offset == INT64_MAX)
		return false;
	p->tail_offset = offset + 1;
	p->tail_pos = next;
	segment_scan_start(scan, fd, next, -1);
	return true;
}

/*
 * May the batch that comes next be that one?  As when the end is recovered: a
 * base offset is under no CRC.  What was not synced may be torn in it, and what
 * was may have changed since.  s: as far as it says synced all is true, also in
 * a copy; NULL, nothing is known.
 */
static bool
is_in_order(const struct partition *p, const struct state *s, bool own,
    const struct batch *b)
{
	if (b->last_offset - p->tail_base > INT32_MAX)
		return false;
	if (s == NULL || p->tail_base != s->active_base)
		return true;
	if (p->tail_pos < s->synced_pos)
		return s->role != STATE_ROLE_OPEN ||
		    b->last_offset < s->synced_offset;
	return !own || s->role == STATE_ROLE_REPLICA ||
	    b->base_offset == p->tail_offset;
}

/*
 * Should there be more, though the file ends inside the batch?  A copy may have
 * been made before that was written; but not if it is longer.
 */
static bool
is_length_wrong(const struct partition *p, const struct state *s, int fd)
{
	struct stat st;

	return s != NULL && p->tail_base == s->active_base &&
	    p->tail_pos < s->synced_pos && fstat(fd, &st) == 0 &&
	    st.st_size >= s->synced_pos;
}

/*
 * Scan on from where the last scan of this segment ended.  What is invalid
 * ends the log there.  A directory with a state of ours has no old messages:
 * what looks like one has not been written whole.
 */
static int
scan_segment(struct partition *p, int64_t base, const struct state *s, bool own)
{
	struct segment_scan scan;
	struct aborted aborted;
	const uint8_t *data;
	struct batch b;
	bool has_aborted;
	int fd = -1, rc;

	if (p->tail_base != base) {
		p->tail_base = base;
		p->tail_pos = 0;
		if (p->tail_offset < base)
			p->tail_offset = base;
	}
	rc = tail_open_log(p, base, &fd);
	if (rc != 0)
		return rc == ENOENT ? 0 : rc;
	segment_scan_init(&scan, PARTITION_SCAN_BLOCK);
	segment_scan_start(&scan, fd, p->tail_pos, -1);
	for (;;) {
		rc = segment_scan_next(&scan, &b, &data);
		if (rc == STATUS_UNSUPPORTED && s == NULL &&
		    skip_old_message(p, fd, &scan))
			continue;
		if (rc == 0 && b.base_offset < p->tail_offset)
			rc = STATUS_OFFSET;
		else if (rc == 0 && !is_in_order(p, s, own, &b))
			rc = STATUS_CORRUPT;
		else if ((rc == STATUS_UNSUPPORTED && s != NULL) ||
		    (rc == STATUS_SHORT && is_length_wrong(p, s, fd)))
			rc = STATUS_CORRUPT;
		if (rc != 0)
			break;
		if (p->tail_producers != NULL)
			rc = producer_apply(p->tail_producers, data, &b,
			    &aborted, &has_aborted);
		if (rc > 0)
			break;
		p->tail_pos = scan.pos;
		p->tail_offset = b.last_offset + 1;
	}
	p->tail_reason = rc;
	segment_scan_release(&scan);
	(void)io_close(&fd);
	return rc > 0 ? rc : 0;
}

/* The newest readable snapshot not past the last segment's base, if any. */
static int
load_producers(struct partition *p, int64_t last_base)
{
	struct segment_list l;
	int rc = segment_list_read(p->dirfd, ".snapshot", &l);
	int found = ENOENT;

	if (rc == 0)
		rc = producer_new(&p->tail_producers);
	for (size_t i = l.count; rc == 0 && i > 0 && found != 0; i--)
		if (l.bases[i - 1] <= last_base)
			found = producer_read_snapshot(p->tail_producers,
			    p->dirfd, l.bases[i - 1], NULL);
	if (rc == 0 && found != 0)
		producer_clear(p->tail_producers);
	segment_list_release(&l);
	return rc;
}

/*
 * A directory without state: walk from the segment of the newest snapshot (or
 * the last one) to the end; later calls go on from there.
 */
static int
scan_tail(struct partition *p, const struct state *s, bool own,
    int64_t *first_base)
{
	struct segment_list l;
	int64_t from;
	int rc = tail_list(p, &l);

	*first_base = 0;
	if (rc != 0 || l.count == 0)
		goto out;
	*first_base = l.bases[0];
	from = p->tail_base;
	if (from < 0) {
		from = l.bases[l.count - 1];
		rc = load_producers(p, from);
		if (rc == 0 && producer_count(p->tail_producers) > 0 &&
		    producer_next_offset(p->tail_producers) < from) {
			from = producer_next_offset(p->tail_producers);
			from = l.bases[segment_list_find(&l, from)];
		}
		p->tail_offset = from;
	}
	for (size_t i = 0; rc == 0 && i < l.count; i++)
		if (l.bases[i] >= from)
			rc = scan_segment(p, l.bases[i], s, own);
out:
	segment_list_release(&l);
	return rc;
}

/* A line "NAME N OFFSET" of the file beside DIR/NAME-N. */
int64_t
tail_log_start(struct partition *p, int64_t first_base)
{
	char *real = realpath(p->path, NULL), *name, *dash, *line, *rest;
	long long offset, n;
	struct buf b;
	int64_t start = first_base;

	if (real == NULL)
		return start;
	name = strrchr(real, '/') + 1;
	dash = strrchr(name, '-');
	buf_init(&b, TEXT_FILE_BYTES_MAX);
	if (dash == NULL ||
	    io_read_file(p->dirfd, "../log-start-offset-checkpoint",
		TEXT_FILE_BYTES_MAX - 1, &b) != 0 ||
	    buf_add_8(&b, 0) != 0)
		goto out;
	*dash = ' ';
	rest = (char *)b.data;
	while ((line = strsep(&rest, "\n")) != NULL) {
		size_t len = strlen(name);

		if (strncmp(line, name, len) == 0 && line[len] == ' ' &&
		    sscanf(line + len, "%lld%lln", &offset, &n) == 1 &&
		    offset > start)
			start = offset;
	}
out:
	buf_release(&b);
	free(real);
	return start;
}

/* left: the state is not a copy's, but that of another life. */
static int
look_without_state(struct partition *p, const struct state *copied, bool left,
    struct partition_offsets *out, struct tail_hint *hint)
{
	int64_t first_base, unstable = -1;
	int rc = scan_tail(p, copied, left, &first_base);

	if (rc != 0)
		return rc;
	if (p->tail_producers != NULL)
		unstable = producer_unstable_offset(p->tail_producers);
	out->log_end = p->tail_base < 0 ? first_base : p->tail_offset;
	/*
	 * The bytes of a copy are true as far as its state says synced, though
	 * they may end inside a batch.  Else it is damage: the reader meets it.
	 */
	if (copied != NULL && p->tail_base == copied->active_base &&
	    p->tail_pos < copied->synced_pos &&
	    (p->tail_reason == 0 || p->tail_reason == STATUS_CORRUPT))
		out->log_end = copied->synced_offset;
	/* A whole batch of an offset that has been: the reader meets it. */
	if (p->tail_reason == STATUS_OFFSET)
		out->log_end++;
	out->high_watermark = out->synced = out->log_end;
	out->last_stable = unstable >= 0 ? unstable : out->log_end;
	out->leader_epoch = copied != NULL ? copied->leader_epoch : -1;
	out->log_start =
	    copied != NULL ? copied->log_start : tail_log_start(p, first_base);
	if (out->log_start > out->log_end || out->log_start < first_base)
		out->log_start = first_base;
	*hint = (struct tail_hint){.active_base = -1,
	    .active_max_timestamp = INT64_MAX,
	    .has_producers = true};
	return 0;
}

static void
hint_sums(struct tail_hint *hint, const struct state *s)
{
	hint->has_sums = (s->flags & STATE_SUMS) != 0;
	hint->sums = (struct sum){.size = s->end_pos,
	    .next_offset = s->end_offset,
	    .batches = s->batches,
	    .records = s->records,
	    .data_bytes = s->data_bytes,
	    .min_timestamp = s->min_timestamp,
	    .max_timestamp = s->max_timestamp,
	    .aborted_count = s->aborted_count};
}

/* After a reboot: the state is true as far as it was synced. */
static int
look_after_crash(struct partition *p, const struct state *s,
    struct partition_offsets *out, struct tail_hint *hint, struct fault *f)
{
	char name[SEGMENT_NAME_LEN];
	struct stat st;
	int rc;

	segment_name(name, s->active_base, ".log");
	if (s->inode != 0 && fstatat(p->dirfd, name, &st, 0) == 0 &&
	    st.st_size < s->synced_pos)
		return status_fault(f, STATUS_CORRUPT, p->path, st.st_size,
		    s->synced_offset, "shorter than its synced position");
	if (p->tail_base != s->active_base || p->tail_pos < s->synced_pos) {
		p->tail_base = s->active_base;
		p->tail_pos = s->synced_pos;
		p->tail_offset = s->synced_offset;
	}
	rc = scan_segment(p, s->active_base, s, true);
	if (rc != 0)
		return rc;
	out->log_start = s->log_start;
	out->log_end = out->high_watermark = p->tail_offset;
	out->last_stable = p->tail_offset;
	out->synced = s->synced_offset;
	out->leader_epoch = s->leader_epoch;
	*hint = (struct tail_hint){.active_base = s->active_base,
	    .active_max_timestamp = INT64_MAX,
	    .contiguous = s->role == STATE_ROLE_OPEN};
	/* What it counted beyond may be gone. */
	if (s->end_pos == s->synced_pos)
		hint_sums(hint, s);
	return 0;
}

/*
 * The state is of another boot, or another mount.  That is how a reader in a
 * container sees what is being written outside; or the file system has been
 * mounted again since, without the last states if it went down.  Then the log
 * goes on behind the end that the state tells, though nobody is appending.
 * EAGAIN: somebody is.
 */
static int
is_left_behind(struct partition *p, const struct state *s, bool *left)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	const struct segment_list *segments;
	char name[SEGMENT_NAME_LEN];
	struct state again;
	struct stat st;
	bool more;
	int rc;

	*left = memcmp(s->boot_id, p->boot_id, sizeof(s->boot_id)) != 0;
	if (*left)
		return 0;
	segment_name(name, s->active_base, ".log");
	more = fstatat(p->dirfd, name, &st, 0) == 0 && st.st_size > s->end_pos;
	rc = tail_segments(p, true, &segments);
	if (rc != 0)
		return rc;
	if (segments->count > 0 &&
	    segments->bases[segments->count - 1] > s->active_base)
		more = true;
	if (!more || lock_is_held(p->dirfd))
		return 0;
	/* Who may not ask for the lock sees that nothing comes. */
	(void)nanosleep(&pause, NULL);
	rc = state_read(p->state_fd, &again);
	if (rc == 0 && again.sequence != s->sequence)
		return EAGAIN;
	*left = true;
	return 0;
}

/* What a state says that is this directory's, and true. */
static void
tell(const struct state *s, struct partition_offsets *out,
    struct tail_hint *hint)
{
	out->log_start = s->log_start;
	out->last_stable = state_last_stable(s);
	out->high_watermark = s->visible_offset;
	out->log_end = s->end_offset;
	out->synced = s->synced_offset;
	out->leader_epoch = s->leader_epoch;
	*hint = (struct tail_hint){.active_base = s->active_base,
	    .active_max_timestamp = s->max_timestamp,
	    .has_producers = (s->flags & STATE_PRODUCERS) != 0,
	    .aborted_count = s->aborted_count,
	    .contiguous = s->role == STATE_ROLE_OPEN,
	    .failed = (s->flags & STATE_FAILED) != 0};
	hint_sums(hint, s);
}

static int
look(struct partition *p, struct partition_offsets *out, struct tail_hint *hint,
    struct fault *f)
{
	struct state s;
	bool doubt = false, left = false;
	int rc = STATUS_CORRUPT;

	if (p->state_fd < 0)
		(void)state_open(p->dirfd, false, 0, 0, &p->state_fd);
	if (p->state_fd >= 0)
		rc = state_look(p->state_fd, &s, &doubt);
	if (rc == STATUS_CORRUPT)
		return look_without_state(p, NULL, false, out, hint);
	if (rc != 0)
		return rc;
	if (doubt)
		return look_without_state(p, &s, false, out, hint);
	if (!is_own(p, &s)) {
		/* A roll between the two looks makes it differ, too. */
		struct state again;

		rc = state_read(p->state_fd, &again);
		if (rc == 0 && again.sequence != s.sequence)
			return EAGAIN;
		return rc != 0 ? rc
			       : look_without_state(p, &s, false, out, hint);
	}
	if (!partition_is_same_life(p, &s)) {
		rc = is_left_behind(p, &s, &left);
		if (rc != 0)
			return rc;
	}
	if (left) {
		if (s.flags & STATE_PRODUCERS)
			return look_without_state(p, &s, true, out, hint);
		return look_after_crash(p, &s, out, hint, f);
	}
	tell(&s, out, hint);
	return 0;
}

int
tail_look(struct partition *p, struct partition_offsets *out,
    struct tail_hint *hint, struct fault *f)
{
	int rc = EAGAIN;

	for (int tries = 0; rc == EAGAIN && tries < 1000; tries++)
		rc = look(p, out, hint, f);
	return rc;
}

int
tail_look_cached(struct partition *p, struct partition_offsets *out,
    struct tail_hint *hint)
{
	struct state s;
	uint8_t byte;
	size_t got;
	bool doubt;

	if (p->state_fd < 0 ||
	    io_pread_cached(p->state_fd, &byte, 1, 0, &got) != 0 ||
	    state_look(p->state_fd, &s, &doubt) != 0 || doubt ||
	    !is_own(p, &s) || !partition_is_same_life(p, &s))
		return EAGAIN;
	tell(&s, out, hint);
	return 0;
}

int
tail_offsets(struct partition *p, struct partition_offsets *out,
    struct fault *f)
{
	struct tail_hint hint;

	return tail_look(p, out, &hint, f);
}

int
tail_open_log(struct partition *p, int64_t base, int *fd)
{
	char name[SEGMENT_NAME_LEN];

	segment_name(name, base, ".log");
	return io_open(p->dirfd, name, O_RDONLY, 0, fd);
}

/* The active segment as the state says, -1 if it says nothing. */
static int64_t
active_base(struct partition *p)
{
	struct state s;

	if (p->state_fd < 0)
		(void)state_open(p->dirfd, false, 0, 0, &p->state_fd);
	return p->state_fd >= 0 && state_read(p->state_fd, &s) == 0
	    ? s.active_base
	    : -1;
}

int
tail_list(struct partition *p, struct segment_list *out)
{
	int64_t before = active_base(p), last;
	int rc = segment_list_read(p->dirfd, ".log", out);

	if (rc != 0 || out->count == 0 ||
	    (before >= 0 && active_base(p) == before))
		return rc;
	/* A second one has all that was there when the first one ended. */
	last = out->bases[out->count - 1];
	segment_list_release(out);
	rc = segment_list_read(p->dirfd, ".log", out);
	while (rc == 0 && out->count > 0 && out->bases[out->count - 1] > last)
		out->count--;
	return rc;
}

int
tail_segments(struct partition *p, bool again, const struct segment_list **out)
{
	int rc = 0;

	if (again || !p->has_segments) {
		segment_list_release(&p->segments);
		rc = tail_list(p, &p->segments);
		p->has_segments = rc == 0;
	}
	*out = &p->segments;
	return rc;
}
