#include "tool/lag.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "client/remote_admin.h"
#include "store/groups.h"
#include "store/member.h"
#include "store/partition.h"

const struct listing_column lag_columns[] = {
    {"GROUP", "group"},
    {"TOPIC", "topic"},
    {"PARTITION", "partition"},
    {"OFFSET", "offset"},
    {"END", "end_offset"},
    {"LAG", "lag"},
    {"COMMITTED", "committed"},
    {"IN-USE", "in_use"},
    {NULL, NULL},
};

static int
offsets_of(const char *path, int32_t n, struct partition_offsets *out,
    struct fault *f)
{
	struct partition *p = NULL;
	char name[PATH_MAX];
	int rc;

	snprintf(name, sizeof(name), "%s/%d", path, (int)n);
	rc = partition_open(name, PARTITION_READ, &partition_defaults, &p, f);
	if (rc == 0)
		rc = partition_offsets(p, out, f);
	partition_close(p);
	return rc;
}

static void
note_worst(struct lag_worst *worst, int64_t lag, const char *group,
    const char *path, int32_t partition)
{
	if (worst == NULL || lag <= worst->lag)
		return;
	worst->lag = lag;
	snprintf(worst->where, sizeof(worst->where), "group %s at %s/%d", group,
	    path, (int)partition);
}

void
lag_use(struct listing *l, bool known, bool in_use)
{
	if (known)
		listing_text(l, in_use ? "yes" : "no");
	else
		listing_none(l);
}

/* Who uses a group. */
struct use {
	bool known;
	bool any;
};

/* One row; commit_ms -1: nobody knows. */
static void
print_row(struct listing *l, const char *topic, const struct groups_entry *e,
    int64_t end, int64_t lag, const struct use *use)
{
	if (l == NULL)
		return;
	listing_text(l, e->group);
	listing_text(l, topic);
	listing_number(l, e->partition);
	listing_number(l, e->offset);
	listing_number(l, end);
	listing_number(l, lag);
	listing_time(l, e->commit_ms);
	lag_use(l, use->known, use->any);
}

/* How many offsets are left of [start, end) for who is at offset. */
static int64_t
lag_of(int64_t offset, int64_t start, int64_t end)
{
	if (offset < start)
		offset = start;
	return offset > end ? 0 : end - offset;
}

static int
add_row(struct listing *l, const char *path, const struct topic_place *place,
    const struct groups_entry *e, const struct use *use,
    struct lag_worst *worst, struct fault *f)
{
	struct partition_offsets o;
	int64_t lag;
	int rc = offsets_of(path, e->partition, &o, f);

	if (rc != 0)
		return rc;
	lag = lag_of(e->offset, o.log_start, o.last_stable);
	note_worst(worst, lag, e->group, path, e->partition);
	print_row(l, place->name, e, o.last_stable, lag, use);
	return 0;
}

static bool
is_wanted(const struct lag_wanted *wanted, const struct groups_entry *e)
{
	if (wanted->group != NULL && strcmp(wanted->group, e->group) != 0)
		return false;
	return e->partition >= 0 &&
	    (wanted->partitions == NULL ||
		parse_partitions_has(wanted->partitions, e->partition));
}

int
lag_add(struct listing *l, const char *path, struct topic_place *place,
    const struct lag_wanted *wanted, struct lag_worst *worst, size_t *rows,
    struct fault *f)
{
	const struct groups_entry *e;
	struct groups *g = NULL;
	char last[GROUPS_NAME_MAX + 1] = "";
	struct use use = {.known = false};
	int rc = groups_open(path, &place->topic, false, &g, f);

	for (size_t i = 0; rc == 0 && (e = groups_at(g, i)) != NULL; i++) {
		if (!is_wanted(wanted, e) || e->partition >= place->count)
			continue;
		if (strcmp(last, e->group) != 0) {
			strlcpy(last, e->group, sizeof(last));
			rc = member_any(groups_dirfd(g), e->group, &use.any);
			use.known = rc == 0;
			if (rc == EACCES)
				rc = 0;
		}
		if (rc == 0)
			rc = add_row(l, path, place, e, &use, worst, f);
		if (rc == 0)
			(*rows)++;
	}
	groups_close(g);
	return rc;
}

/* --- in a cluster --------------------------------------------------------- */

struct asked {
	struct listing *l;
	struct cluster *c;
	const char *topic;	/* NULL: all */
	const char *group;
	struct use use;
	struct lag_worst *worst;
	size_t *rows;
	struct fault *f;
};

static int
add_position(const char *topic, int32_t partition, int64_t offset, void *arg)
{
	struct asked *a = arg;
	struct groups_entry e = {.group = a->group,
	    .partition = partition,
	    .offset = offset,
	    .commit_ms = -1};
	int64_t start, end, lag;
	int rc;

	if (a->topic != NULL && strcmp(a->topic, topic) != 0)
		return 0;
	rc = cluster_offsets(a->c, topic, partition, &start, &end, a->f);
	/* A topic may go and leave positions behind. */
	if (rc != 0)
		return rc == STATUS_NO_TOPIC ? 0 : rc;
	lag = lag_of(offset, start, end);
	note_worst(a->worst, lag, a->group, topic, partition);
	print_row(a->l, topic, &e, end, lag, &a->use);
	(*a->rows)++;
	return 0;
}

static int
add_group(const char *group, void *arg)
{
	struct asked *a = arg;
	int members, rc = remote_admin_members(a->c, group, &members, a->f);

	a->group = group;
	a->use = (struct use){.known = true, .any = members > 0};
	if (rc == 0)
		rc = remote_admin_positions(a->c, group, add_position, a, a->f);
	return rc;
}

int
lag_add_remote(struct listing *l, struct cluster *c, const char *topic,
    const char *group, struct lag_worst *worst, size_t *rows, struct fault *f)
{
	struct asked a = {.l = l,
	    .c = c,
	    .topic = topic,
	    .worst = worst,
	    .rows = rows,
	    .f = f};

	if (group != NULL)
		return add_group(group, &a);
	return remote_admin_groups(c, add_group, &a, f);
}
