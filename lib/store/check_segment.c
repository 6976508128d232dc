/*
 * One segment of a check: what inspect.h sees in it, held against its .sum, the
 * checkpoint of epochs and the segments around it.  What a crash or a
 * compaction at work may leave is no damage.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/status.h"
#include "store/check_impl.h"
#include "store/sum.h"

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

/* Ready to inspect segment i; the error of reading its .sum is returned. */
static int
prepare(struct checker *c, size_t i, struct inspect *in, bool *is_cleaned)
{
	bool sealed = i + 1 < c->segments.count;

	*in = (struct inspect){.p = c->p,
	    .out = c->out,
	    .base = c->segments.bases[i],
	    .end = sealed ? c->segments.bases[i + 1] : INT64_MAX,
	    .limit = -1,
	    .floor = INT64_MAX,
	    .sealed = sealed,
	    .own = c->own,
	    .has_crc = true,
	    .told_size = -1,
	    .index_count = -1,
	    .timeindex_count = -1,
	    .on_batch = check_batch,
	    .arg = c};
	*is_cleaned = false;
	c->derived.count = 0;
	c->epoch_differs = c->epoch_descends = false;
	c->last_epoch = -1;
	if (sealed && c->own)
		return prepare_sealed(c, in, is_cleaned);
	if (!sealed && c->own)
		check_state_expect(c, in);
	return ENOENT;
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
	return what == NULL ? 0
			    : check_note(c, CHECK_SUM, in->base, what, -1, -1);
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
	    !check_has(c, CHECK_EPOCHS))
		rc = check_note(c, CHECK_EPOCHS, -1,
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
	return check_note(c, CHECK_MISSING,
	    in->sum.next_offset > in->next ? in->sum.next_offset : in->next,
	    "a segment is missing",
	    in->sum.next_offset > in->next ? in->sum.next_offset : in->next,
	    next);
}

/* What was seen of a segment, held against what tells of it. */
static int
judge(struct checker *c, struct inspect *in, int sum_rc, bool excused)
{
	int32_t aborted_count = in->has_sum ? in->sum.aborted_count : -1;
	int rc;

	if (in->damaged || in->crc_bad)
		c->sure = false;
	rc = judge_epochs(c, in);
	if (rc == 0 && in->sealed && c->own && !excused)
		rc = judge_sum(c, in, sum_rc);
	if (rc == 0 && !in->sealed)
		rc = check_state_judge(c, in);
	if (!c->sure)
		c->derived.count = 0;
	if (rc == 0)
		rc = inspect_txnindex(in, &c->derived, aborted_count,
		    c->log_start);
	if (in->next > c->out->end)
		c->out->end = in->next;
	if (rc == 0 && in->sealed)
		rc = judge_gap(c, in, in->end);
	else if (rc == 0)
		c->done = in->next;
	return rc;
}

int
check_segment(struct checker *c, size_t i, struct fault *f)
{
	size_t before = c->out->count;
	char name[SEGMENT_NAME_LEN], path[512];
	bool is_cleaned, excused;
	struct inspect in;
	struct stat st;
	int sum_rc, rc;

	segment_name(name, c->segments.bases[i], ".log");
	if (fstatat(c->p->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return errno;
	/* Its records are elsewhere: to be moved by who has put it there. */
	if (S_ISLNK(st.st_mode)) {
		snprintf(path, sizeof(path), "%s/%s", c->p->path, name);
		return status_fault(f, STATUS_NOT_FILE, path, -1, -1, NULL);
	}
	sum_rc = prepare(c, i, &in, &is_cleaned);
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
	if (in.identity != 0 && in.identity != inspect_identity(&st, in.sealed))
		return EAGAIN;
	return judge(c, &in, sum_rc, excused);
}
