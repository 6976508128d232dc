/* What adds up over all batches: epochs, producers and their snapshots. */

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/status.h"
#include "store/check_impl.h"
#include "store/txnindex.h"

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
		rc = check_note(c, CHECK_SNAPSHOT, offset, what, -1, -1);
	return rc;
}

/* Those up to offset. */
int
check_snapshots(struct checker *c, int64_t offset)
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

int
check_batch(const uint8_t *data, const struct batch *b, void *arg)
{
	struct checker *c = arg;
	struct aborted aborted;
	bool has_aborted, changed;
	int rc;

	/* Compaction, or a repair: some may have known more than is left. */
	if (b->base_offset != c->expected)
		c->sure = false;
	c->expected = b->last_offset + 1;
	rc = check_snapshots(c, b->base_offset);
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
