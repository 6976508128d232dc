#include "cluster_topic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "marks.h"
#include "nodes.h"

/* Those that are new to us: what is kept of them, of this source or none. */
static int
add_parts(struct nodes *n, struct cluster_topic *t, int32_t count,
    struct fault *f)
{
	int32_t known = t->count, more = count - known;
	struct stamp_mark *marks = calloc((size_t)more, sizeof(*marks));
	struct cluster_part *parts = recallocarray(t->parts, (size_t)known,
	    (size_t)count, sizeof(*parts));
	int rc = marks == NULL || parts == NULL ? ENOMEM : 0;

	if (parts != NULL)
		t->parts = parts;
	if (rc == 0)
		rc = marks_kept(n, t->name, known, more, marks, f);
	for (int32_t i = 0; rc == 0 && i < more; i++) {
		rc = provenance_check_mark(&t->way, &marks[i], f);
		t->parts[known + i].mark = marks[i];
	}
	free(marks);
	if (rc == 0)
		t->count = count;
	return rc;
}

/* As many partitions as there are leaders; those known before stay. */
static int
set_parts(struct nodes *n, struct cluster_topic *t,
    const struct nodes_topic *now, struct fault *f)
{
	int rc = 0;

	if (now->count > PARTITIONS_MAX)
		return STATUS_TOO_BIG;
	if (now->count > t->count)
		rc = add_parts(n, t, now->count, f);
	for (int32_t i = 0; rc == 0 && i < now->count; i++)
		t->parts[i].leader = now->leaders[i];
	return rc;
}

/* May records of that source go there? */
static int
set_way(struct cluster_topic *t, const struct sink_topic *from,
    const struct nodes_topic *now, struct fault *f)
{
	int rc;

	strlcpy(t->way.name, t->name, sizeof(t->way.name));
	t->way.from = *from->lineage;
	t->way.has_to = now != NULL;
	if (now != NULL)
		memcpy(t->way.to, now->identity, sizeof(t->way.to));
	rc = provenance_check(&t->way, f);
	for (int32_t i = 0; rc == 0 && i < t->count; i++)
		rc = provenance_check_mark(&t->way, &t->parts[i].mark, f);
	return rc;
}

/* It is not there, or has too few partitions. */
static int
make_or_grow(struct nodes *n, struct cluster_topic *t,
    const struct sink_topic *from, bool missing, struct fault *f)
{
	return missing
	    ? nodes_make(n, t->name, from->partitions, from->settings, f)
	    : nodes_grow(n, t->name, from->partitions, f);
}

int
cluster_topic_look(struct cluster_topic *t, struct nodes *n, bool dry_run,
    const struct sink_topic *from, struct fault *f)
{
	struct nodes_topic now = {.leaders = NULL};
	int rc = nodes_look(n, t->name, &now, f);
	bool missing = rc == STATUS_NO_TOPIC;

	if (rc == 0 || missing)
		rc = set_way(t, from, missing ? NULL : &now, f);
	if (rc == 0)
		rc = set_parts(n, t, &now, f);
	if (rc == 0 && (missing || now.count < from->partitions)) {
		free(now.leaders);
		now.leaders = NULL;
		rc = sink_tell_made(from, missing ? "made," : "grown to");
		if (rc != 0 || dry_run)
			return rc;
		rc = make_or_grow(n, t, from, missing, f);
		if (rc == 0)
			rc = nodes_look(n, t->name, &now, f);
		if (rc == 0)
			rc = set_way(t, from, &now, f);
		if (rc == 0)
			rc = set_parts(n, t, &now, f);
	}
	free(now.leaders);
	return rc;
}

void
cluster_topic_release(struct cluster_topic *t)
{
	for (int32_t i = 0; i < t->count; i++)
		hold_free(t->parts[i].hold);
	free(t->parts);
}
