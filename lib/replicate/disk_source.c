#include "replicate/disk_source.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "replicate/changes.h"
#include "replicate/disk_source_impl.h"
#include "replicate/opened.h"
#include "store/groups.h"
#include "store/partition.h"
#include "store/topic.h"

static const struct source_ops ops;

static bool
source_has(struct source *s, size_t topic, int32_t partition)
{
	struct disk_source *d = disk_source_self(s);
	const struct disk_topic *t = &d->topics[topic];

	return partition >= t->first && partition < t->count &&
	    (d->o->partitions == NULL ||
		parse_partitions_has(d->o->partitions, partition));
}

/* --- groups -------------------------------------------------------------- */

static int
open_groups(struct disk_topic *t, struct fault *f)
{
	struct topic topic;
	int rc = topic_open(t->path, &topic, f);

	if (rc != 0)
		return rc;
	rc = groups_open(t->path, &topic, false, &t->groups, f);
	topic_close(&topic);
	return rc;
}

static int
source_position(struct source *s, size_t topic, size_t i,
    struct source_position *out, struct fault *f)
{
	struct disk_source *d = disk_source_self(s);
	struct disk_topic *t = &d->topics[topic];
	const struct groups_entry *e;
	int rc = 0;

	if (t->kind != TOPIC_PLACE_TOPIC)
		return STATUS_END;
	if (t->groups == NULL)
		rc = open_groups(t, f);
	if (rc == 0 && i == 0)
		rc = groups_refresh(t->groups, f);
	/* That it is removed is told of its partitions. */
	if (rc != 0 && disk_source_is_gone(d, rc)) {
		groups_close(t->groups);
		t->groups = NULL;
		return STATUS_END;
	}
	if (rc != 0)
		return rc;
	e = groups_at(t->groups, i);
	if (e == NULL)
		return STATUS_END;
	*out = (struct source_position){.group = e->group,
	    .partition = e->partition,
	    .offset = e->offset,
	    .leader_epoch = e->leader_epoch,
	    .commit_ms = e->commit_ms};
	if (e->metadata.len > 0)
		out->metadata =
		    (struct view){e->metadata.data, (size_t)e->metadata.len};
	return 0;
}

/* --- its life ------------------------------------------------------------ */

static void
source_close(struct source *s)
{
	struct disk_source *d = disk_source_self(s);

	changes_close(d->changes);
	opened_close(&d->opened);
	for (size_t i = 0; i < d->count; i++) {
		groups_close(d->topics[i].groups);
		free(d->topics[i].path);
	}
	free(d->topics);
	free(d->path);
	free(d);
}

/* Is each partition there that was named? */
static int
check_partitions(const struct disk_source *d, struct fault *f)
{
	const struct partition_list *l = d->o->partitions;

	for (size_t i = 0; l != NULL && i < l->count; i++)
		if (l->spans[i].last >= d->topics[0].count)
			return status_fault(f, STATUS_NO_TOPIC, d->path, -1, -1,
			    "it lacks a partition that -p names");
	return 0;
}

bool
disk_source_is_root(const struct source *s)
{
	return ((const struct disk_source *)s)->is_root;
}

int
disk_source_open(const char *path, const struct disk_source_options *o,
    struct source **out, struct fault *f)
{
	struct disk_source *d = calloc(1, sizeof(*d));
	int rc;

	if (d == NULL)
		return ENOMEM;
	d->source.ops = &ops;
	d->opened.open = disk_source_open_part;
	d->opened.arg = d;
	d->o = o;
	d->path = strdup(path);
	rc = d->path == NULL ? ENOMEM : 0;
	if (rc == 0 && o->follow)
		rc = changes_open(&d->changes);
	if (rc == 0)
		rc = disk_source_add_topic(d, path, false, f);
	if (rc == 0)
		rc = check_partitions(d, f);
	if (rc == STATUS_NOT_TOPIC)
		rc = disk_source_open_root(d, f);
	if (rc != 0) {
		source_close(&d->source);
		return rc;
	}
	*out = &d->source;
	return 0;
}

static const struct source_ops ops = {
    .refresh = disk_source_refresh,
    .topic = disk_source_topic,
    .has = source_has,
    .bounds = disk_source_bounds,
    .next = disk_source_next,
    .batch_at = disk_source_batch_at,
    .is_kept = disk_source_is_kept,
    .position = source_position,
    .changed = disk_source_changed,
    .find = disk_source_find,
    .wait_fd = disk_source_wait_fd,
    .turn = disk_source_turn,
    .close = source_close,
};
