#include "store/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/io.h"
#include "base/status.h"
#include "store/inspect.h"
#include "store/partition_impl.h"
#include "store/producer.h"
#include "store/sum.h"
#include "store/tail.h"
#include "store/txnindex.h"

enum {
	TRIES = 50,		/* while files change under our feet */
	STATE_TRIES = 100,	/* while it is written all the time */
	WRITER_WAIT_MS = 200,	/* for a writer to note what it wrote */
};

struct checker {
	struct partition *p;
	bool own;
	struct check *out;
	struct state st;
	bool has_state;		/* a slot of partition.state is whole */
	bool is_ours;		/* the state was written with these files */
	bool live;		/* and its end is where the log ends */
	struct segment_list segments;
	uint64_t *identities;	/* of the segments, as they were read */
	struct segment_list snapshots;
	size_t snapshot;	/* the next one to be compared */
	struct epoch_list epochs;	/* of the checkpoint */
	bool has_epochs;
	struct producer_table *producers;
	bool sure;		/* of the producers: no offset is missing */
	int64_t expected;	/* the next offset, then */
	struct aborted_list derived;	/* of the segment being read */
	/* Of the batches of one segment. */
	bool epoch_differs;
	bool epoch_descends;
	int32_t last_epoch;
	bool last_try;
	int64_t log_start;
	int64_t done;		/* after the last offset so far */
};

void
check_init(struct check *c)
{
	*c = (struct check){.findings = NULL};
	epoch_list_init(&c->epochs);
}

void
check_release(struct check *c)
{
	free(c->findings);
	c->findings = NULL;
	c->count = c->cap = 0;
	epoch_list_release(&c->epochs);
}

int
check_add(struct check *c, const struct check_finding *finding)
{
	if (c->count == CHECK_FINDINGS_MAX)
		return STATUS_TOO_BIG;
	if (c->count == c->cap) {
		size_t cap = c->cap == 0 ? 16 : c->cap * 2;
		void *items =
		    reallocarray(c->findings, cap, sizeof(*c->findings));

		if (items == NULL)
			return ENOMEM;
		c->findings = items;
		c->cap = cap;
	}
	c->findings[c->count++] = *finding;
	return 0;
}

void
check_name(const struct check_finding *finding, char out[CHECK_NAME_LEN])
{
	static const char *const suffixes[] = {
	    [CHECK_LOG] = ".log",
	    [CHECK_MISSING] = ".log",
	    [CHECK_TAIL] = ".log",
	    [CHECK_INDEX] = ".index",
	    [CHECK_TIMEINDEX] = ".timeindex",
	    [CHECK_TXNINDEX] = ".txnindex",
	    [CHECK_SUM] = ".sum",
	    [CHECK_SNAPSHOT] = ".snapshot",
	};

	if (finding->part == CHECK_EPOCHS)
		strlcpy(out, EPOCH_FILE, CHECK_NAME_LEN);
	else if (finding->part == CHECK_STATE || finding->base < 0)
		strlcpy(out, STATE_FILE, CHECK_NAME_LEN);
	else
		snprintf(out, CHECK_NAME_LEN, "%020lld%s",
		    (long long)finding->base, suffixes[finding->part]);
}

static int
add(struct checker *c, enum check_part part, int64_t base, const char *what,
    int64_t offset, int64_t offset_end)
{
	struct check_finding finding = {.part = part,
	    .base = base,
	    .pos = -1,
	    .len = -1,
	    .offset = offset,
	    .offset_end = offset_end,
	    .what = what};

	return check_add(c->out, &finding);
}

/* --- the state ----------------------------------------------------------- */

static void
sleep_ms(void)
{
	const struct timespec ms = {0, 1000000};

	(void)nanosleep(&ms, NULL);
}

static int
look_at_state(struct checker *c, bool *doubt)
{
	int rc = STATUS_CORRUPT;

	for (int i = 0; i < STATE_TRIES; i++) {
		rc = state_look(c->p->state_fd, &c->st, doubt);
		if (rc != STATUS_CORRUPT && !(rc == 0 && *doubt))
			break;
		sleep_ms();
	}
	return rc;
}

static int
read_state(struct checker *c)
{
	struct partition *p = c->p;
	struct stat st;
	bool doubt = false;
	int rc;

	c->has_state = c->is_ours = c->live = false;
	state_init(&c->st);
	if (!c->own)
		return 0;
	if (p->state_fd < 0)
		(void)state_open(p->dirfd, false, 0, 0, &p->state_fd);
	if (p->state_fd < 0)
		return c->segments.count == 0
		    ? 0
		    : add(c, CHECK_STATE, -1, "missing", -1, -1);
	if (fstat(p->state_fd, &st) != 0)
		return errno;
	/* Made, and not written yet. */
	if (st.st_size == 0 && c->segments.count == 0)
		return 0;
	rc = look_at_state(c, &doubt);
	if (rc == STATUS_CORRUPT)
		return c->segments.count == 0 && st.st_size == STATE_PAGE_LEN
		    ? 0
		    : add(c, CHECK_STATE, -1, "not to be read", -1, -1);
	if (rc != 0)
		return rc;
	c->has_state = true;
	c->is_ours = (int64_t)st.st_ino == c->st.state_inode && !doubt;
	c->live = c->is_ours && (c->st.flags & STATE_FAILED) == 0 &&
	    partition_is_same_life(p, &c->st);
	return doubt
	    ? add(c, CHECK_STATE, -1, "one of its two slots is damaged", -1, -1)
	    : 0;
}

/* Bytes that a writer has not noted in the state: give it time to. */
static bool
is_writer_at_work(struct checker *c)
{
	struct state s;

	for (int i = 0; i < WRITER_WAIT_MS; i++) {
		if (state_read(c->p->state_fd, &s) != 0 ||
		    s.sequence != c->st.sequence)
			return true;
		sleep_ms();
	}
	return lock_is_held(c->p->dirfd);
}

static int
check_tail(struct checker *c)
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

/* --- as batches pass ----------------------------------------------------- */

static int
compare_snapshot(struct checker *c, int64_t offset)
{
	struct producer_table *saved;
	char name[SEGMENT_NAME_LEN];
	const char *what = NULL;
	struct stat st = {.st_mtim = {0, 0}};
	int rc = producer_new(&saved);

	if (rc != 0)
		return rc;
	segment_name(name, offset, ".snapshot");
	(void)fstatat(c->p->dirfd, name, &st, AT_SYMLINK_NOFOLLOW);
	rc = producer_read_snapshot(saved, c->p->dirfd, offset, NULL);
	if (rc == ENOENT)
		rc = 0;
	else if (rc == STATUS_CORRUPT || rc == STATUS_NOT_FILE ||
	    rc == STATUS_TOO_BIG)
		what = "not to be read";
	else if (rc == 0 && c->own && offset >= c->log_start &&
	    !producer_agrees(c->producers, saved, c->log_start, c->sure,
		(int64_t)st.st_mtim.tv_sec * 1000 -
		    PARTITION_PRODUCER_EXPIRATION_MS))
		what = "its producers are not those of the log";
	producer_free(saved);
	if (what != NULL)
		rc = add(c, CHECK_SNAPSHOT, offset, what, -1, -1);
	return rc;
}

/* Those up to offset. */
static int
compare_snapshots(struct checker *c, int64_t offset)
{
	int rc = 0;

	while (rc == 0 && c->snapshot < c->snapshots.count &&
	    c->snapshots.bases[c->snapshot] <= offset)
		rc = compare_snapshot(c, c->snapshots.bases[c->snapshot++]);
	return rc;
}

/* What the checkpoint says; it need not know of what lies below the start. */
static int32_t
epoch_of(const struct checker *c, const struct batch *b)
{
	int64_t offset = b->base_offset;

	if (!c->has_epochs)
		return -1;
	if (b->last_offset < c->log_start)
		return b->leader_epoch;
	return epoch_at(&c->epochs,
	    offset < c->log_start ? c->log_start : offset);
}

static int
on_batch(const uint8_t *data, const struct batch *b, void *arg)
{
	struct checker *c = arg;
	struct aborted aborted;
	bool has_aborted, changed;
	int rc;

	/* Compaction, or a repair: some may have known more than is left. */
	if (b->base_offset != c->expected)
		c->sure = false;
	c->expected = b->last_offset + 1;
	rc = compare_snapshots(c, b->base_offset);
	if (rc == 0)
		rc = producer_apply(c->producers, data, b, &aborted,
		    &has_aborted);
	if (rc == 0 && b->producer_id >= 0)
		c->out->has_producers = true;
	if (rc == 0 && has_aborted) {
		aborted.last_stable = 0;
		rc = txnindex_list_add(&c->derived, &aborted);
	}
	if (rc == 0 && b->leader_epoch >= 0)
		rc = epoch_assign(&c->out->epochs, b->leader_epoch,
		    b->base_offset, &changed);
	if (b->leader_epoch != epoch_of(c, b))
		c->epoch_differs = true;
	if (b->leader_epoch < c->last_epoch)
		c->epoch_descends = true;
	c->last_epoch = b->leader_epoch;
	if (b->max_timestamp > c->out->max_timestamp)
		c->out->max_timestamp = b->max_timestamp;
	return rc;
}

/* --- segments ------------------------------------------------------------ */

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

/* The .sum; while a compaction puts files in place, the one of the new ones. */
static int
find_sum(struct checker *c, int64_t base, struct sum *sum, bool *is_cleaned)
{
	char name[SEGMENT_NAME_LEN];
	uint8_t bytes[SUM_LEN];
	int fd = -1, rc = sum_read(c->p->dirfd, base, sum);

	*is_cleaned = false;
	if (rc != ENOENT)
		return rc;
	segment_name(name, base, ".sum.cleaned");
	rc = io_open(c->p->dirfd, name, O_RDONLY, 0, &fd);
	if (rc == 0)
		rc = io_pread_full(fd, bytes, sizeof(bytes), 0);
	(void)io_close(&fd);
	if (rc == 0)
		rc = sum_decode(bytes, sum);
	*is_cleaned = rc == 0;
	/* It may have been put in place between the two looks. */
	return rc == 0 ? 0 : sum_read(c->p->dirfd, base, sum);
}

/*
 * What a crash may leave of files that were to go is no damage.  True: the
 * .sum is not to be judged.
 */
static bool
excuse(struct checker *c, const struct inspect *in, bool is_cleaned,
    size_t before)
{
	struct check *out = c->out;
	size_t kept = before;

	/* Deleted: any may have gone. */
	if (in->sealed && c->has_state && in->end <= c->st.log_start) {
		out->count = before;
		return true;
	}
	if (!is_cleaned)
		return false;
	/* Between the renames of a compaction some indexes are old. */
	for (size_t i = before; i < out->count; i++)
		if (out->findings[i].part != CHECK_INDEX &&
		    out->findings[i].part != CHECK_TIMEINDEX)
			out->findings[kept++] = out->findings[i];
	out->count = kept;
	/* And just before them the old .sum has gone. */
	return !in->crc_good;
}

/* The log is as its .sum says; is the .sum right? */
static int
judge_sum(struct checker *c, const struct inspect *in, int sum_rc)
{
	char name[SEGMENT_NAME_LEN];
	const char *what = NULL;
	struct stat st;

	segment_name(name, in->base, ".sum");
	if (sum_rc == ENOENT)
		what = "missing";
	else if (sum_rc != 0)
		what =
		    sum_rc == STATUS_NOT_FILE ? "not a file" : "not to be read";
	else if (fstatat(c->p->dirfd, name, &st, 0) == 0 &&
	    st.st_size != SUM_LEN)
		what = "not of its length";
	else if (in->sum.next_offset > in->end ||
	    (!in->damaged && !in->crc_good && !in->crc_bad))
		what = "not of this segment";
	else if (in->crc_good &&
	    (in->sum.batches != in->seen.batches ||
		in->sum.records != in->seen.records ||
		in->sum.data_bytes != in->seen.data_bytes ||
		in->sum.max_timestamp != in->seen.max_timestamp))
		what = "it does not agree with the segment";
	return what == NULL ? 0 : add(c, CHECK_SUM, in->base, what, -1, -1);
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
	return what == NULL ? 0 : add(c, CHECK_STATE, -1, what, -1, -1);
}

static bool
has_finding(const struct checker *c, enum check_part part)
{
	for (size_t i = 0; i < c->out->count; i++)
		if (c->out->findings[i].part == part)
			return true;
	return false;
}

/*
 * Epochs that differ from the checkpoint are the log's fault if its CRC says
 * so, else the checkpoint's.
 */
static int
judge_epochs(struct checker *c, struct inspect *in)
{
	struct check_finding whole = {.part = CHECK_LOG,
	    .base = in->base,
	    .pos = 0,
	    .len = in->size,
	    .offset = in->base,
	    .offset_end = in->next,
	    .what = c->epoch_differs
		? "a leader epoch is not that of its offset"
		: "the headers of its batches have changed"};
	int rc = 0;

	if (in->crc_bad && !in->located)
		rc = check_add(c->out, &whole);
	else if (!in->crc_bad && !in->damaged && c->epoch_differs &&
	    !has_finding(c, CHECK_EPOCHS))
		rc = add(c, CHECK_EPOCHS, -1,
		    c->has_epochs ? "not the epochs of the log" : "missing",
		    in->base, in->next);
	return rc;
}

/* Offsets from the end of what was seen to next: should they be there? */
static int
judge_gap(struct checker *c, const struct inspect *in, int64_t next)
{
	bool told = in->has_sum && in->sum.next_offset >= next;

	c->done = next;
	if (!c->own || in->damaged || in->next >= next || told)
		return 0;
	c->sure = false;
	/* Without a .sum it may have been compaction. */
	if (!in->has_sum)
		return 0;
	return add(c, CHECK_MISSING,
	    in->sum.next_offset > in->next ? in->sum.next_offset : in->next,
	    "a segment is missing",
	    in->sum.next_offset > in->next ? in->sum.next_offset : in->next,
	    next);
}

/* The error of reading its .sum is returned. */
static int
prepare_sealed(struct checker *c, struct inspect *in, bool *is_cleaned)
{
	int sum_rc = find_sum(c, in->base, &in->sum, is_cleaned);

	in->has_sum = sum_rc == 0;
	/* The segments that it replaces are still there. */
	if (*is_cleaned && in->sum.next_offset > in->end)
		in->end = in->sum.next_offset;
	in->floor = in->has_sum ? in->sum.size : INT64_MAX;
	in->dense = in->has_sum && in->sum.next_offset == in->end &&
	    in->sum.next_offset - in->base == in->sum.records;
	return sum_rc;
}

static void
prepare_active(struct checker *c, struct inspect *in)
{
	const struct state *s = &c->st;

	if (!c->is_ours || in->base != s->active_base)
		return;
	in->floor = s->synced_pos;
	if (!c->live)
		return;
	in->floor = in->limit = s->end_pos;
	in->end = s->end_offset;
	in->has_sum = true;
	in->has_crc = (s->flags & STATE_SUMS) != 0;
	in->dense = in->has_crc && s->role == STATE_ROLE_OPEN;
	sum_of_state(s, &in->sum);
	in->index_count = s->index_count;
	in->timeindex_count = s->timeindex_count;
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
		return add(c, CHECK_MISSING, s->active_base,
		    "the active segment is missing", in->next,
		    s->synced_offset);
	return add(c, CHECK_LOG, in->base,
	    "it ends before what its state knew to be there", in->next,
	    s->synced_offset);
}

static int
check_active(struct checker *c, struct inspect *in)
{
	bool is_live = c->live && in->base == c->st.active_base;
	int rc = 0;

	if (is_live)
		rc = judge_state(c, in);
	else if (c->own)
		rc = judge_end(c, in);
	return rc;
}

static int
check_segment(struct checker *c, size_t i, struct fault *f)
{
	int64_t base = c->segments.bases[i];
	bool sealed = i + 1 < c->segments.count;
	struct inspect in = {.p = c->p,
	    .out = c->out,
	    .base = base,
	    .end = sealed ? c->segments.bases[i + 1] : INT64_MAX,
	    .limit = -1,
	    .floor = INT64_MAX,
	    .sealed = sealed,
	    .own = c->own,
	    .has_crc = true,
	    .index_count = -1,
	    .timeindex_count = -1,
	    .on_batch = on_batch,
	    .arg = c};
	int sum_rc = ENOENT, rc;
	char name[SEGMENT_NAME_LEN];
	size_t before = c->out->count;
	bool is_cleaned = false, excused;
	struct stat st;
	int32_t aborted_count;

	segment_name(name, base, ".log");
	if (fstatat(c->p->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno;
	c->derived.count = 0;
	c->epoch_differs = c->epoch_descends = false;
	c->last_epoch = -1;
	if (sealed && c->own) {
		sum_rc = prepare_sealed(c, &in, &is_cleaned);
	} else if (!sealed && c->own) {
		prepare_active(c, &in);
	}
	rc = inspect_segment(&in, f);
	if (rc != 0)
		return rc;
	/* Its files are just being replaced; or a crash came before that. */
	if (is_cleaned && !c->last_try &&
	    (!in.crc_good || c->out->count > before))
		return EAGAIN;
	excused = excuse(c, &in, is_cleaned, before);
	if (c->epoch_descends && !in.crc_good)
		in.crc_bad = true;
	c->identities[i] = in.identity;
	/* Replaced while its .sum was read. */
	if (in.identity != 0 && in.identity != inspect_identity(&st, sealed))
		return EAGAIN;
	if (in.damaged || in.crc_bad)
		c->sure = false;
	rc = judge_epochs(c, &in);
	if (rc == 0 && sealed && c->own && !excused)
		rc = judge_sum(c, &in, sum_rc);
	if (rc == 0 && !sealed)
		rc = check_active(c, &in);
	aborted_count = in.has_sum ? in.sum.aborted_count : -1;
	if (!c->sure)
		c->derived.count = 0;
	if (rc == 0)
		rc = inspect_txnindex(&in, &c->derived, aborted_count,
		    c->log_start);
	if (in.next > c->out->end)
		c->out->end = in.next;
	if (rc == 0 && sealed)
		rc = judge_gap(c, &in, in.end);
	else if (rc == 0)
		c->done = in.next;
	return rc;
}

static int
check_segments(struct checker *c, struct fault *f)
{
	int64_t first = c->segments.count > 0 ? c->segments.bases[0] : 0;
	int rc = 0;

	c->log_start = c->has_state ? c->st.log_start : first;
	c->done = c->log_start < first ? c->log_start : first;
	if (c->segments.count > 0 && c->has_state && c->log_start < first)
		rc = add(c, CHECK_MISSING, c->log_start, "a segment is missing",
		    c->log_start, first);
	if (c->log_start < first)
		c->log_start = first;
	/* A broker keeps its log start elsewhere. */
	if (!c->own && c->epochs.count > 0 &&
	    c->log_start < c->epochs.entries[0].start)
		c->log_start = c->epochs.entries[0].start;
	c->sure = rc == 0 && c->out->count == 0;
	c->expected = first;
	for (size_t i = 0; rc == 0 && i < c->segments.count; i++) {
		/* The one before has it too: a compaction puts it in place. */
		if (c->segments.bases[i] < c->done && i > 0)
			continue;
		rc = check_segment(c, i, f);
	}
	return rc;
}

/* The end of the log, as the state of these files says. */
static int
check_end(struct checker *c)
{
	int64_t last = c->segments.count == 0
	    ? -1
	    : c->segments.bases[c->segments.count - 1];
	const struct state *s = &c->st;

	if (!c->own || !c->is_ours || s->inode == 0 || last >= s->active_base)
		return 0;
	return add(c, CHECK_MISSING, s->active_base,
	    "the active segment is missing", c->done,
	    s->end_offset > c->done ? s->end_offset : c->done);
}

static int
check_rest(struct checker *c)
{
	int rc = check_end(c);
	int64_t end = c->done;

	if (c->live && c->st.end_offset > end)
		end = c->st.end_offset;
	if (rc == 0)
		rc = compare_snapshots(c, end);
	while (rc == 0 && c->own && c->snapshot < c->snapshots.count)
		rc = add(c, CHECK_SNAPSHOT, c->snapshots.bases[c->snapshot++],
		    "it lies beyond the end of the log", -1, -1);
	if (rc == 0 && c->has_epochs && c->epochs.count > 0 &&
	    c->epochs.entries[c->epochs.count - 1].start > end &&
	    !has_finding(c, CHECK_EPOCHS))
		rc = add(c, CHECK_EPOCHS, -1,
		    "an epoch begins beyond the end of the log", -1, -1);
	return rc == 0 ? check_tail(c) : rc;
}

static int
read_epochs(struct checker *c)
{
	int rc = epoch_read(c->p->dirfd, &c->epochs, NULL);

	c->has_epochs = rc == 0;
	if (rc == ENOENT)
		return 0;
	if (rc == STATUS_CORRUPT || rc == STATUS_NOT_FILE)
		return add(c, CHECK_EPOCHS, -1, "not to be read", -1, -1);
	return rc;
}

/* Are the files still those that were read? */
static bool
have_changed(struct checker *c)
{
	struct segment_list now;
	struct stat st;
	bool same = true;

	if (tail_list(c->p, &now) != 0)
		return false;
	same = now.count == c->segments.count;
	for (size_t i = 0; same && i < now.count; i++) {
		char name[SEGMENT_NAME_LEN];

		segment_name(name, now.bases[i], ".log");
		same = now.bases[i] == c->segments.bases[i] &&
		    (c->identities[i] == 0 ||
			(fstatat(c->p->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) ==
				0 &&
			    inspect_identity(&st, i + 1 < now.count) ==
				c->identities[i]));
	}
	segment_list_release(&now);
	return !same;
}

static void
forget(struct checker *c)
{
	segment_list_release(&c->segments);
	segment_list_release(&c->snapshots);
	epoch_list_release(&c->epochs);
	producer_free(c->producers);
	txnindex_list_release(&c->derived);
	free(c->identities);
}

/* Once, as the files are now. */
static int
check_once(struct checker *c, struct fault *f)
{
	int rc = tail_list(c->p, &c->segments);

	c->out->count = 0;
	c->out->end = 0;
	c->out->max_timestamp = -1;
	c->out->has_producers = false;
	epoch_list_release(&c->out->epochs);
	epoch_list_init(&c->epochs);
	txnindex_list_init(&c->derived);
	if (rc == 0)
		rc = segment_list_read(c->p->dirfd, ".snapshot", &c->snapshots);
	c->identities = calloc(c->segments.count + 1, sizeof(*c->identities));
	if (rc == 0 && c->identities == NULL)
		rc = ENOMEM;
	if (rc == 0)
		rc = producer_new(&c->producers);
	if (rc == 0)
		rc = read_state(c);
	if (rc == 0)
		rc = read_epochs(c);
	if (rc == 0)
		rc = check_segments(c, f);
	return rc == 0 ? check_rest(c) : rc;
}

int
check_run(struct partition *p, bool own, struct check *out, struct fault *f)
{
	int rc = EAGAIN;

	for (int tries = 0; tries < TRIES && rc == EAGAIN; tries++) {
		struct checker c = {.p = p,
		    .own = own,
		    .out = out,
		    .last_try = tries + 1 == TRIES};

		rc = check_once(&c, f);
		if ((rc == ENOENT || (rc == 0 && out->count > 0)) &&
		    tries + 1 < TRIES && have_changed(&c))
			rc = EAGAIN;
		forget(&c);
		if (rc == EAGAIN)
			sleep_ms();
	}
	return rc;
}
