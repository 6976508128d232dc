#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/now.h"
#include "base/status.h"
#include "store/epoch.h"
#include "store/partition_impl.h"
#include "store/tail.h"

int
partition_remove_below(struct partition *p)
{
	struct segment_list l;
	int rc = segment_list_read(p->dirfd, ".log", &l);

	if (rc != 0)
		return rc;
	for (size_t i = 0;
	     rc == 0 && i + 1 < l.count && l.bases[i + 1] <= p->st.log_start;
	     i++)
		rc = segment_remove(p->dirfd, l.bases[i]);
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
		rc = partition_remove_below(p);
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
	} else {
		if (offset > p->st.log_start) {
			p->st.log_start = offset;
			rc = roll_checkpoint(p);
		}
		/* Or what is left by one that was killed here. */
		if (rc == 0)
			rc = remove_if_free(p);
		if (rc == 0)
			rc = partition_trim_epochs(p, epoch_truncate_to_start,
			    p->st.log_start, NULL);
	}
	partition_end(p);
	return rc;
}

/* Kafka forgets them after a while, and so does who cleans. */
static void
expire_producers(struct partition *p)
{
	if (p->producers != NULL)
		recover_producers_expire(p);
}

int
partition_clean_look(struct partition *p, struct fault *f)
{
	struct partition_offsets offsets;
	struct tail_hint hint;
	int rc = tail_look(p, &offsets, &hint, f);

	assert(p->mode == PARTITION_READ);
	if (rc != 0 || !hint.has_producers)
		return rc;
	/* All that is asked of the state. */
	p->st.end_offset = offsets.log_end;
	p->st.active_base = hint.active_base >= 0 ? hint.active_base : 0;
	rc = recover_producers(p, f);
	expire_producers(p);
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
		if (rc == 0)
			expire_producers(p);
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
		rc = partition_remove_below(p);
		partition_end(p);
	}
	(void)lock_unlock_clean(&p->lock);
	return rc;
}
