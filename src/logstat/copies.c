#include "copies.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "store/origin.h"
#include "store/partition.h"

const struct listing_column copies_columns[] = {
    {"TOPIC", "topic"},
    {"PARTITION", "partition"},
    {"END", "end_offset"},
    {"SOURCE-END", "source_end_offset"},
    {"LAG", "lag"},
    {"SEEN", "seen"},
    {"SOURCE", "source"},
    {NULL, NULL},
};

static int
look(const char *path, int32_t n, bool *is_copy, int64_t *end, struct fault *f)
{
	struct partition *p = NULL;
	struct partition_offsets o;
	enum state_role role;
	char name[PATH_MAX];
	int rc;

	snprintf(name, sizeof(name), "%s/%d", path, (int)n);
	rc = partition_open(name, PARTITION_READ, &partition_defaults, &p, f);
	if (rc == 0)
		rc = partition_role(p, &role);
	if (rc == 0)
		rc = partition_offsets(p, &o, f);
	partition_close(p);
	if (rc != 0)
		return rc;
	*is_copy = role == STATE_ROLE_REPLICA;
	*end = o.log_end;
	return 0;
}

static void
add_row(struct listing *l, const char *topic, int32_t n, int64_t end,
    int64_t source_end, const struct origin *o)
{
	listing_text(l, topic);
	listing_number(l, n);
	listing_number(l, end);
	if (source_end < 0) {
		listing_none(l);
		listing_none(l);
	} else {
		listing_number(l, source_end);
		listing_number(l, source_end > end ? source_end - end : 0);
	}
	listing_time(l, o->seen_ms);
	if (o->source[0] != '\0')
		listing_text(l, o->source);
	else
		listing_none(l);
}

static int
add(struct listing *l, const char *path, const struct topic_place *place,
    int32_t n, const struct origin *o, struct copies_worst *worst,
    struct fault *f)
{
	int64_t end, lag, source_end = n < o->count ? o->ends[n] : -1;
	bool is_copy;
	int rc = look(path, n, &is_copy, &end, f);

	if (rc != 0 || !is_copy)
		return rc;
	lag = source_end > end ? source_end - end : 0;
	if (lag > worst->lag) {
		worst->lag = lag;
		worst->seen_ms = o->seen_ms;
		snprintf(worst->where, sizeof(worst->where), "copy %s/%d", path,
		    (int)n);
	}
	if (l != NULL)
		add_row(l, place->name, n, end, source_end, o);
	return 0;
}

int
copies_add(struct listing *l, const char *path, const struct topic_place *place,
    const struct partition_list *wanted, struct copies_worst *worst,
    struct fault *f)
{
	struct origin o;
	int rc = 0;

	origin_init(&o);
	/* What cannot be read was not kept: nothing is known. */
	if (place->has_topic)
		(void)origin_read(place->topic.dirfd, &o);
	for (int32_t n = place->first;
	     rc == 0 && n < place->first + place->count; n++)
		if (parse_partitions_has(wanted, n))
			rc = add(l, path, place, n, &o, worst, f);
	origin_release(&o);
	return rc;
}
