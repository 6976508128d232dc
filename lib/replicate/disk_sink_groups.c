#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "replicate/disk_sink_impl.h"
#include "store/groups.h"
#include "store/topic.h"

/* Those that are not there already, as they are. */
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

/* Promoted meanwhile?  Then its groups go their own way. */
static int
check_positions(struct sink *s, size_t topic,
    const struct sink_position *positions, size_t count, struct fault *f)
{
	struct partition *p;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < count; i++) {
		rc = disk_sink_find(s, topic, positions[i].partition, &p, f);
		if (rc == 0)
			rc = disk_sink_check_role(p, f);
		rc = disk_sink_locate(disk_sink_self(s), topic,
		    positions[i].partition, rc, f);
	}
	return rc;
}

int
disk_sink_commit(struct sink *s, size_t topic,
    const struct sink_position *positions, size_t count, struct fault *f)
{
	const struct disk_topic *t = &disk_sink_self(s)->topics[topic];
	struct groups_entry *entries;
	struct groups *g = NULL;
	struct topic opened;
	size_t chosen;
	int rc;

	if (disk_sink_self(s)->o.dry_run || count == 0)
		return 0;
	entries = calloc(count, sizeof(*entries));
	if (entries == NULL)
		return ENOMEM;
	rc = topic_open(t->path, &opened, f);
	if (rc == 0) {
		rc = groups_open(t->path, &opened, true, &g, f);
		topic_close(&opened);
	}
	if (rc == 0)
		rc = groups_refresh(g, f);
	if (rc == 0)
		rc = check_positions(s, topic, positions, count, f);
	if (rc == 0) {
		chosen = choose(g, positions, count, entries);
		if (chosen > 0)
			rc = groups_commit(g, positions[0].group, entries,
			    chosen, f);
	}
	groups_close(g);
	free(entries);
	return rc;
}
