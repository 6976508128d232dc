/*
 * What partition.state says, held against the files.  It tells of the end of
 * the log, and of the segment that is written to, as a .sum does of others.
 */

#include <errno.h>
#include <sys/stat.h>

#include "base/status.h"
#include "store/check_impl.h"

enum {
	STATE_TRIES = 100,	/* while it is written all the time */
	WRITER_WAIT_MS = 200,	/* for a writer to note what it wrote */
};

static int
look_at_state(struct checker *c, bool *doubt)
{
	int rc = STATUS_CORRUPT;

	for (int i = 0; i < STATE_TRIES; i++) {
		rc = state_look(c->p->state_fd, &c->st, doubt);
		if (rc != STATUS_CORRUPT && !(rc == 0 && *doubt))
			break;
		check_wait();
	}
	return rc;
}

int
check_state_read(struct checker *c)
{
	struct partition *p = c->p;
	struct stat st;
	bool doubt = false;
	int rc;

	c->has_state = c->is_latest = c->is_ours = c->live = false;
	state_init(&c->st);
	if (!c->own)
		return 0;
	if (p->state_fd < 0)
		(void)state_open(p->dirfd, false, 0, 0, &p->state_fd);
	if (p->state_fd < 0)
		return c->segments.count == 0
		    ? 0
		    : check_note(c, CHECK_STATE, -1, "missing", -1, -1);
	if (fstat(p->state_fd, &st) != 0)
		return errno;
	/* Made, and not written yet. */
	if (st.st_size == 0 && c->segments.count == 0)
		return 0;
	rc = look_at_state(c, &doubt);
	if (rc == STATUS_CORRUPT)
		return c->segments.count == 0 && st.st_size == STATE_PAGE_LEN
		    ? 0
		    : check_note(c, CHECK_STATE, -1, "not to be read", -1, -1);
	if (rc != 0)
		return rc;
	c->has_state = true;
	c->is_latest = !doubt;
	c->is_ours = (int64_t)st.st_ino == c->st.state_inode && !doubt;
	c->live = c->is_ours && (c->st.flags & STATE_FAILED) == 0 &&
	    partition_is_same_life(p, &c->st);
	return doubt ? check_note(c, CHECK_STATE, -1,
			   "one of its two slots is damaged", -1, -1)
		     : 0;
}

/* What the state says of the active segment, as a .sum would. */
static void
sum_of_state(const struct state *s, struct sum *sum)
{
	*sum = (struct sum){.size = s->end_pos,
	    .crc = s->segment_crc,
	    .next_offset = s->end_offset,
	    .batches = s->batches,
	    .records = s->records,
	    .data_bytes = s->data_bytes,
	    .max_timestamp = s->max_timestamp,
	    .aborted_count = s->aborted_count};
}

/*
 * After a crash or in a copy: was all that the state tells of on the device?
 * Then it is true of a file of that length, though one of the two may be older
 * than the other: nothing below the synced position is ever another one.  But
 * in a replica, which may have been cut, and have grown again, while it was
 * copied.
 */
static bool
is_all_synced(const struct checker *c)
{
	const struct state *s = &c->st;

	return c->is_latest && s->end_pos == s->synced_pos &&
	    (s->flags & (STATE_SUMS | STATE_FAILED)) == STATE_SUMS &&
	    (c->is_ours || s->role == STATE_ROLE_OPEN);
}

void
check_state_expect(struct checker *c, struct inspect *in)
{
	const struct state *s = &c->st;

	if (in->base != s->active_base)
		return;
	if (c->is_ours)
		in->floor = s->synced_pos;
	if (!c->live && !is_all_synced(c))
		return;
	in->end = s->end_offset;
	in->has_sum = true;
	in->has_crc = (s->flags & STATE_SUMS) != 0;
	in->dense = in->has_crc && s->role == STATE_ROLE_OPEN;
	sum_of_state(s, &in->sum);
	if (!c->live) {
		/* What is beside it was not synced with it. */
		in->told_size = s->end_pos;
		in->sum.aborted_count = -1;
		return;
	}
	in->floor = in->limit = s->end_pos;
	in->index_count = s->index_count;
	in->timeindex_count = s->timeindex_count;
}

static int
judge_state(struct checker *c, const struct inspect *in)
{
	const struct state *s = &c->st;
	bool sums = (s->flags & STATE_SUMS) != 0;
	const char *what = NULL;

	if (in->damaged || in->crc_bad)
		return 0;
	if (s->end_offset != in->next || s->end_pos != in->size ||
	    (sums &&
		(s->batches != in->seen.batches ||
		    s->records != in->seen.records ||
		    s->segment_crc != in->seen.crc)) ||
	    s->max_timestamp != in->seen.max_timestamp ||
	    s->max_timestamp_offset != in->max_timestamp_offset)
		what = "it does not agree with the log";
	return what == NULL ? 0 : check_note(c, CHECK_STATE, -1, what, -1, -1);
}

/* After a crash or in a copy: how far it should reach at least. */
static int
judge_end(struct checker *c, struct inspect *in)
{
	const struct state *s = &c->st;
	bool same = in->base == s->active_base ||
	    (!c->is_ours && in->base <= s->synced_offset);

	if (c->live || !c->has_state || !same || in->next >= s->synced_offset)
		return 0;
	in->damaged = true;
	if (in->base < s->active_base)
		return check_note(c, CHECK_MISSING, s->active_base,
		    "the active segment is missing", in->next,
		    s->synced_offset);
	return check_note(c, CHECK_LOG, in->base,
	    "it ends before what its state knew to be there", in->next,
	    s->synced_offset);
}

int
check_state_judge(struct checker *c, struct inspect *in)
{
	bool is_live = c->live && in->base == c->st.active_base;
	int rc = 0;

	if (is_live)
		rc = judge_state(c, in);
	else if (c->own)
		rc = judge_end(c, in);
	return rc;
}

static bool
is_told_missing(const struct checker *c, int64_t base)
{
	for (size_t i = 0; i < c->out->count; i++)
		if (c->out->findings[i].part == CHECK_MISSING &&
		    c->out->findings[i].base == base)
			return true;
	return false;
}

/* A repair that was cut short has made the next one already. */
static bool
has_active(const struct checker *c)
{
	for (size_t i = 0; i < c->segments.count; i++)
		if (c->segments.bases[i] == c->st.active_base)
			return true;
	return false;
}

/* The end of the log, as the state of these files says. */
int
check_state_end(struct checker *c)
{
	const struct state *s = &c->st;

	if (!c->own || !c->is_ours || s->inode == 0 || has_active(c) ||
	    is_told_missing(c, s->active_base))
		return 0;
	return check_note(c, CHECK_MISSING, s->active_base,
	    "the active segment is missing", c->done,
	    s->end_offset > c->done ? s->end_offset : c->done);
}

static bool
is_state_written(struct checker *c)
{
	struct state s;

	return state_read(c->p->state_fd, &s) != 0 ||
	    s.sequence != c->st.sequence;
}

/* Bytes that a writer has not noted in the state: give it time to. */
static bool
is_writer_at_work(struct checker *c)
{
	for (int i = 0; i < WRITER_WAIT_MS; i++) {
		if (is_state_written(c))
			return true;
		check_wait();
	}
	/* One that was slow notes it before it gives up the lock. */
	return lock_is_held(c->p->dirfd) || is_state_written(c);
}

int
check_state_tail(struct checker *c)
{
	char name[SEGMENT_NAME_LEN];
	struct check_finding finding = {.part = CHECK_TAIL,
	    .base = c->st.active_base,
	    .pos = c->st.end_pos,
	    .offset = -1,
	    .offset_end = -1,
	    .what = "bytes behind the end of the log"};
	struct stat st;

	segment_name(name, c->st.active_base, ".log");
	if (!c->live || fstatat(c->p->dirfd, name, &st, 0) != 0 ||
	    st.st_size <= c->st.end_pos || is_writer_at_work(c))
		return 0;
	finding.len = st.st_size - c->st.end_pos;
	return check_add(c->out, &finding);
}
