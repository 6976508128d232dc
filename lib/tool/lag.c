#include "tool/lag.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
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
note_worst(struct lag_worst *worst, int64_t lag, const char *path,
    const struct groups_entry *e)
{
	if (worst == NULL || lag <= worst->lag)
		return;
	worst->lag = lag;
	snprintf(worst->where, sizeof(worst->where), "group %s at %s/%d",
	    e->group, path, (int)e->partition);
}

static int
add_row(struct listing *l, const char *path, const struct topic_place *place,
    const struct groups_entry *e, bool in_use, struct lag_worst *worst,
    struct fault *f)
{
	struct partition_offsets o;
	int64_t from = e->offset;
	int rc = offsets_of(path, e->partition, &o, f);

	if (rc != 0)
		return rc;
	if (from < o.log_start)
		from = o.log_start;
	if (from > o.last_stable)
		from = o.last_stable;
	note_worst(worst, o.last_stable - from, path, e);
	if (l == NULL)
		return 0;
	listing_text(l, e->group);
	listing_text(l, place->name);
	listing_number(l, e->partition);
	listing_number(l, e->offset);
	listing_number(l, o.last_stable);
	listing_number(l, o.last_stable - from);
	listing_time(l, e->commit_ms);
	listing_text(l, in_use ? "yes" : "no");
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
	bool in_use = false;
	int rc = groups_open(path, &place->topic, false, &g, f);

	for (size_t i = 0; rc == 0 && (e = groups_at(g, i)) != NULL; i++) {
		if (!is_wanted(wanted, e) || e->partition >= place->count)
			continue;
		if (strcmp(last, e->group) != 0) {
			strlcpy(last, e->group, sizeof(last));
			/* Who may not lock cannot know. */
			if (member_any(groups_dirfd(g), e->group, &in_use) != 0)
				in_use = false;
		}
		rc = add_row(l, path, place, e, in_use, worst, f);
		if (rc == 0)
			(*rows)++;
	}
	groups_close(g);
	return rc;
}
