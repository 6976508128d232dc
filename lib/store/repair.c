#include "store/repair.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/status.h"
#include "store/cleaned.h"
#include "store/repair_impl.h"

bool
repair_has(const struct repair *r, enum check_part part, int64_t base)
{
	for (size_t i = 0; i < r->c->count; i++) {
		const struct check_finding *x = &r->c->findings[i];

		if (x->part == part && (base < 0 || x->base == base))
			return true;
	}
	return false;
}

/* Anything about that segment and the files beside it. */
bool
repair_concerns(const struct repair *r, int64_t base)
{
	for (size_t i = 0; i < r->c->count; i++) {
		const struct check_finding *x = &r->c->findings[i];

		if (x->base == base && x->part != CHECK_SNAPSHOT)
			return true;
	}
	return false;
}

void
repair_mark(struct repair *r, enum check_part part, int64_t base)
{
	for (size_t i = 0; i < r->c->count; i++) {
		struct check_finding *x = &r->c->findings[i];

		if (x->part == part && (base < 0 || x->base == base))
			x->repaired = true;
	}
}

int
repair_list_again(struct repair *r)
{
	segment_list_release(&r->segments);
	return segment_list_read(r->p->dirfd, ".log", &r->segments);
}

/* Move the file of a finding to lost+found/. */
int
repair_put_aside(struct repair *r, struct check_finding *x)
{
	char name[CHECK_NAME_LEN];
	int rc;

	check_name(x, name);
	rc = lost_move(r->p, name, x->saved);
	if (rc == ENOENT) {
		x->saved[0] = '\0';
		rc = 0;
	}
	return rc;
}

int
repair_put_epochs_aside(struct repair *r)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < r->c->count; i++) {
		struct check_finding *x = &r->c->findings[i];

		if (x->part == CHECK_EPOCHS && x->saved[0] == '\0')
			rc = repair_put_aside(r, x);
	}
	return rc;
}

/*
 * The epochs of the checkpoint.  One that cannot be read is in the way of who
 * begins an epoch.
 */
static int
read_epochs(struct repair *r)
{
	int rc = epoch_read(r->p->dirfd, &r->epochs, NULL);

	if (rc == STATUS_CORRUPT || rc == STATUS_NEWER || rc == STATUS_NOT_FILE)
		rc = repair_put_epochs_aside(r);
	if (repair_has(r, CHECK_EPOCHS, -1))
		epoch_list_release(&r->epochs);
	return rc == ENOENT ? 0 : rc;
}

/* Something else under the name of a segment. */
static int
clear_others(struct repair *r)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < r->c->count; i++) {
		struct check_finding *x = &r->c->findings[i];
		char name[CHECK_NAME_LEN];
		struct stat st;

		check_name(x, name);
		if (x->part == CHECK_MISSING &&
		    fstatat(r->p->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    !S_ISREG(st.st_mode))
			rc = repair_put_aside(r, x);
	}
	return rc == 0 ? repair_list_again(r) : rc;
}

static int
repair_snapshots(struct repair *r, struct fault *f)
{
	struct partition *p = r->p;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < r->c->count; i++) {
		struct check_finding *x = &r->c->findings[i];

		if (x->part != CHECK_SNAPSHOT)
			continue;
		rc = repair_put_aside(r, x);
		x->repaired = rc == 0;
	}
	producer_free(p->producers);
	p->producers = NULL;
	if (rc == 0 && (p->st.flags & STATE_PRODUCERS) != 0)
		rc = roll_snapshot(p, f);
	return rc;
}

/* The log start may lie where nothing is any more. */
static void
raise_start(struct repair *r)
{
	struct partition *p = r->p;
	int64_t first = r->segments.bases[0];

	if (p->st.log_start < first)
		p->st.log_start = first;
	repair_mark(r, CHECK_MISSING, -1);
}

static int
finish(struct repair *r, struct fault *f)
{
	struct partition *p = r->p;
	int rc = lock_log(&p->lock);

	if (rc != 0)
		return rc;
	rc = recover_check(p, f);
	if (rc == 0)
		rc = repair_list_again(r);
	if (rc == 0 &&
	    (repair_has(r, CHECK_TXNINDEX, -1) ||
		repair_has(r, CHECK_EPOCHS, -1) ||
		(r->c->has_producers && r->rewritten)))
		rc = repair_walk(r);
	if (rc == 0 &&
	    (r->c->has_producers || repair_has(r, CHECK_SNAPSHOT, -1)))
		rc = repair_snapshots(r, f);
	if (rc == 0) {
		raise_start(r);
		rc = roll_checkpoint(p);
	}
	(void)lock_unlock_log(&p->lock);
	return rc;
}

static bool
is_end_concerned(const struct repair *r)
{
	for (size_t i = 0; i < r->c->count; i++)
		if (r->c->findings[i].part == CHECK_STATE ||
		    (r->c->findings[i].base >= r->active &&
			r->c->findings[i].part != CHECK_SNAPSHOT))
			return true;
	return false;
}

static int
repair_all(struct repair *r, struct fault *f)
{
	int rc = clear_others(r);

	if (rc == 0)
		rc = read_epochs(r);
	repair_find_active(r);
	if (rc == 0 && is_end_concerned(r))
		rc = repair_end(r, f);
	for (size_t i = 0; rc == 0 && i + 1 < r->segments.count; i++)
		rc = repair_segment(r, i);
	return rc == 0 ? finish(r, f) : rc;
}

int
repair_run(struct partition *p, struct check *c, struct fault *f)
{
	struct repair r = {.p = p, .c = c, .old_active = -1, .earlier = -1};
	int rc = lock_clean(&p->lock);

	if (rc != 0)
		return rc;
	epoch_list_init(&r.epochs);
	rc = cleaned_recover(p);
	if (rc == 0)
		rc = check_run(p, true, c, f);
	if (rc == 0 && c->count > 0)
		rc = repair_all(&r, f);
	segment_list_release(&r.segments);
	epoch_list_release(&r.epochs);
	(void)lock_unlock_clean(&p->lock);
	return rc;
}
