#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/status.h"
#include "replicate/disk_sink_impl.h"
#include "store/groups.h"
#include "store/topic.h"

/* Of those of one group, which are not there as they are? */
static size_t
choose(struct groups *g, const struct sink_position *from, size_t count,
    struct groups_entry *out)
{
	size_t chosen = 0;

	for (size_t i = 0; i < count; i++) {
		const struct groups_entry *e =
		    groups_find(g, from[i].group, from[i].partition);

		if (e != NULL && e->offset == from[i].offset &&
		    e->leader_epoch == from[i].leader_epoch)
			continue;
		out[chosen++] = (struct groups_entry){.group = from[i].group,
		    .partition = from[i].partition,
		    .offset = from[i].offset,
		    .leader_epoch = from[i].leader_epoch,
		    .commit_ms = from[i].commit_ms,
		    .metadata = {from[i].metadata.data,
			(int32_t)from[i].metadata.len}};
	}
	return chosen;
}

/* All of them, a group after the other; entries has room for as many. */
static int
add_positions(struct groups *g, const struct sink_position *positions,
    size_t count, struct groups_entry *entries)
{
	size_t same, chosen;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < count; i += same) {
		for (same = 1; i + same < count; same++)
			if (strcmp(positions[i].group,
				positions[i + same].group) != 0)
				break;
		chosen = choose(g, positions + i, same, entries);
		rc = groups_add(g, positions[i].group, entries, chosen);
	}
	return rc;
}

/* One partition. */
static int
check_position(struct sink *s, size_t topic, int32_t partition, struct fault *f)
{
	struct partition *p;
	int rc = disk_sink_find(s, topic, partition, &p, f);

	if (rc == 0)
		rc = disk_sink_check_role(p, f);
	return disk_sink_locate(disk_sink_self(s), topic, partition, rc, f);
}

/* Promoted meanwhile?  Then its groups go their own way. */
static int
check_positions(struct sink *s, size_t topic,
    const struct sink_position *positions, size_t count, struct fault *f)
{
	int32_t parts = disk_sink_self(s)->topics[topic].count;
	bool *seen = calloc((size_t)parts + 1, sizeof(*seen));
	int rc = seen == NULL ? ENOMEM : 0;

	for (size_t i = 0; rc == 0 && i < count; i++) {
		int32_t n = positions[i].partition;

		if (n >= 0 && n < parts && seen[n])
			continue;
		rc = check_position(s, topic, n, f);
		if (rc == 0)
			seen[n] = true;
	}
	free(seen);
	return rc;
}

static int
open_groups(struct disk_sink *d, size_t topic, bool write, struct groups **g,
    struct fault *f)
{
	const struct disk_topic *t = &d->topics[topic];
	struct topic opened;
	int rc = topic_open(t->path, &opened, f);

	*g = NULL;
	if (rc != 0)
		return rc;
	rc = groups_open(t->path, &opened, write, g, f);
	topic_close(&opened);
	return rc == 0 ? groups_refresh(*g, f) : rc;
}

int
disk_sink_commit(struct sink *s, size_t topic,
    const struct sink_position *positions, size_t count, struct fault *f)
{
	struct groups_entry *entries;
	struct groups *g;
	int rc;

	if (disk_sink_self(s)->o.dry_run || count == 0)
		return 0;
	entries = calloc(count, sizeof(*entries));
	if (entries == NULL)
		return ENOMEM;
	rc = open_groups(disk_sink_self(s), topic, true, &g, f);
	if (rc == 0)
		rc = check_positions(s, topic, positions, count, f);
	if (rc == 0)
		rc = add_positions(g, positions, count, entries);
	if (rc == 0)
		rc = groups_write(g, f);
	groups_close(g);
	free(entries);
	return rc;
}

/* A line; what there is no room for is not worth failing. */
static void
tell_pulled(const struct groups_entry *e, int64_t end, struct buf *told)
{
	char line[GROUPS_NAME_MAX + 200];
	int len = snprintf(line, sizeof(line),
	    "group %s: position %lld in partition %d is set back to %lld, "
	    "where the copy was cut\n",
	    e->group, (long long)e->offset, (int)e->partition, (long long)end);

	(void)buf_add(told, line, (size_t)len);
}

/* *count: of those that are behind it, which are added to the next write. */
static int
add_pulled(struct groups *g, int32_t partition, int64_t end, size_t *count,
    struct buf *told)
{
	const struct groups_entry *e;
	int rc = 0;

	for (size_t i = 0; rc == 0 && (e = groups_at(g, i)) != NULL; i++) {
		struct groups_entry pulled = *e;

		if (e->partition != partition || e->offset <= end)
			continue;
		pulled.offset = end;
		pulled.leader_epoch = -1;
		pulled.commit_ms = 0;
		rc = groups_add(g, e->group, &pulled, 1);
		if (rc == 0)
			tell_pulled(e, end, told);
		++*count;
	}
	return rc;
}

int
disk_sink_pull_groups(struct disk_sink *d, size_t topic, int32_t partition,
    int64_t end, struct buf *told, struct fault *f)
{
	struct groups *g;
	size_t count = 0, len = told->len;
	int rc = open_groups(d, topic, false, &g, f);

	/* Nobody has committed anything: no directory is made. */
	if (rc == 0 && groups_at(g, 0) == NULL) {
		groups_close(g);
		return 0;
	}
	groups_close(g);
	if (rc == 0)
		rc = open_groups(d, topic, true, &g, f);
	else
		g = NULL;
	if (rc == 0)
		rc = add_pulled(g, partition, end, &count, told);
	if (rc == 0 && count > 0)
		rc = groups_write(g, f);
	if (rc != 0)
		told->len = len;
	groups_close(g);
	return rc;
}
