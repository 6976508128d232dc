/*
 * A check: the state and the checkpoint, then all segments in their order, then
 * what lies beyond them; and all of it again if the files changed meanwhile.
 */
#include "store/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/status.h"
#include "store/check_impl.h"
#include "store/tail.h"
#include "store/txnindex.h"

enum { TRIES = 50 };	/* while files change under our feet */

/* --- findings ------------------------------------------------------------ */

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

int
check_note(struct checker *c, enum check_part part, int64_t base,
    const char *what, int64_t offset, int64_t offset_end)
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

bool
check_has(const struct checker *c, enum check_part part)
{
	for (size_t i = 0; i < c->out->count; i++)
		if (c->out->findings[i].part == part)
			return true;
	return false;
}

/* --- the whole ----------------------------------------------------------- */

void
check_wait(void)
{
	const struct timespec ms = {0, 1000000};

	(void)nanosleep(&ms, NULL);
}

static int
check_segments(struct checker *c, struct fault *f)
{
	int64_t first = c->segments.count > 0 ? c->segments.bases[0] : 0;
	int rc = 0;

	c->log_start = c->has_state ? c->st.log_start : first;
	c->done = c->log_start < first ? c->log_start : first;
	if (c->segments.count > 0 && c->has_state && c->log_start < first)
		rc = check_note(c, CHECK_MISSING, c->log_start,
		    "a segment is missing", c->log_start, first);
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

static int
check_rest(struct checker *c)
{
	int rc = check_state_end(c);
	int64_t end = c->done;

	if (c->live && c->st.end_offset > end)
		end = c->st.end_offset;
	if (rc == 0)
		rc = check_snapshots(c, end);
	while (rc == 0 && c->own && c->snapshot < c->snapshots.count)
		rc = check_note(c, CHECK_SNAPSHOT,
		    c->snapshots.bases[c->snapshot++],
		    "it lies beyond the end of the log", -1, -1);
	if (rc == 0 && c->has_epochs && c->epochs.count > 0 &&
	    c->epochs.entries[c->epochs.count - 1].start > end &&
	    !check_has(c, CHECK_EPOCHS))
		rc = check_note(c, CHECK_EPOCHS, -1,
		    "an epoch begins beyond the end of the log", -1, -1);
	return rc == 0 ? check_state_tail(c) : rc;
}

static int
read_epochs(struct checker *c)
{
	int rc = epoch_read(c->p->dirfd, &c->epochs, NULL);

	c->has_epochs = rc == 0;
	if (rc == ENOENT)
		return 0;
	if (rc == STATUS_CORRUPT || rc == STATUS_NOT_FILE)
		return check_note(c, CHECK_EPOCHS, -1, "not to be read", -1,
		    -1);
	/* A later Kafka may have another; ours would say so elsewhere, too. */
	if (rc == STATUS_NEWER && c->own)
		return check_note(c, CHECK_EPOCHS, -1, "of another version", -1,
		    -1);
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
		rc = check_state_read(c);
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
			check_wait();
	}
	return rc;
}
