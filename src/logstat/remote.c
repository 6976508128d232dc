#include "remote.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "client/remote_admin.h"
#include "client/remote.h"
#include "store/stream.h"

/* The timestamp of the record that a stream gives next; -1: there is none. */
static int
next_time(struct stream *s, int64_t *time_ms, struct fault *f)
{
	struct stream_record rec;
	int rc = stream_next(s, &rec, f);

	*time_ms = rc == 0 ? rec.rec.timestamp : -1;
	return rc == STATUS_END ? 0 : rc;
}

static int
ask_times(struct remote_topic *t, struct remote_partition_stat *s,
    struct fault *f)
{
	const struct stream_filter all = STREAM_FILTER_NONE;
	struct remote_partition *p = NULL;
	struct stream *stream = NULL;
	struct stream_feed feed;
	int rc = remote_partition_open(t, s->number, &p, f);

	if (rc != 0)
		return rc;
	remote_partition_bounds(p, &s->start, &s->end);
	s->oldest = s->newest = -1;
	rc = stream_open(0, &all, 1, &stream);
	if (rc != 0) {
		remote_partition_close(p);
		return rc;
	}
	remote_partition_feed(p, &feed);
	rc = stream_add_feed(stream, &feed, s->topic, s->number, s->start,
	    s->end);
	if (rc == 0 && s->start < s->end)
		rc = next_time(stream, &s->oldest, f);
	if (rc == 0 && s->start < s->end)
		rc = stream_last(stream, 1, true, f);
	if (rc == 0 && s->start < s->end)
		rc = next_time(stream, &s->newest, f);
	stream_close(stream);
	return rc;
}

static int
visit_partition(struct cluster *c, struct remote_topic *t, const char *place,
    int32_t number, const struct remote_visitor *v, struct fault *f)
{
	char name[PATH_MAX + 16];
	struct remote_partition_stat s = {.place = name,
	    .topic = remote_topic_name(t),
	    .number = number};
	int64_t start;
	int rc = ask_times(t, &s, f);

	snprintf(name, sizeof(name), "%s/%d", place, (int)number);
	if (rc == 0)
		rc = cluster_offsets(c, s.topic, number, &start, &s.last_stable,
		    f);
	if (rc == 0)
		v->partition(&s);
	return rc;
}

static int
visit_topic(struct cluster *c, const struct place *place,
    const struct cluster_options *o, const struct remote_visitor *v,
    struct fault *f)
{
	struct remote_topic *t;
	char name[PATH_MAX];
	int32_t first = 0, last;
	int rc = remote_topic_open(place, o, true, -1, &t, f);

	if (rc != 0)
		return rc;
	snprintf(name, sizeof(name), "kafka%s://%.2000s/%s",
	    place->tls ? "+tls" : "", place->brokers, place->topic);
	last = remote_topic_count(t) - 1;
	if (place->partition > last)
		rc = STATUS_NO_TOPIC;
	else
		v->topic(name, last + 1);
	if (place->partition >= 0)
		first = last = place->partition;
	for (int32_t n = first; rc == 0 && n <= last; n++)
		if (parse_partitions_has(v->chosen, n))
			rc = visit_partition(c, t, name, n, v, f);
	remote_topic_close(t);
	return rc;
}

struct names {
	char **names;
	size_t count;
};

static int
add_name(const char *topic, int32_t partitions, void *arg)
{
	struct names *l = arg;
	char **names = reallocarray(l->names, l->count + 1, sizeof(char *));

	(void)partitions;
	if (names == NULL)
		return ENOMEM;
	l->names = names;
	l->names[l->count] = strdup(topic);
	return l->names[l->count++] == NULL ? ENOMEM : 0;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int
visit_cluster(struct cluster *c, struct place *place,
    const struct cluster_options *o, const struct remote_visitor *v,
    struct fault *f)
{
	struct names l = {NULL, 0};
	int rc = cluster_each_topic(c, add_name, &l, f);

	if (l.count > 0)
		qsort(l.names, l.count, sizeof(char *), compare);
	for (size_t i = 0; i < l.count; i++) {
		strlcpy(place->topic, l.names[i], sizeof(place->topic));
		if (rc == 0)
			rc = visit_topic(c, place, o, v, f);
		/* It may have gone since it was listed. */
		if (rc == STATUS_NO_TOPIC)
			rc = 0;
		free(l.names[i]);
	}
	free(l.names);
	return rc;
}

int
remote_visit(const char *path, struct places *places,
    const struct remote_visitor *v, struct fault *f)
{
	struct cluster_options o;
	struct cluster *c = NULL;
	struct place place;
	int rc;

	places_parse(path, &place);
	places_cluster_options(places, NULL, &o);
	rc = remote_admin_open(&place, &o, &c, f);
	if (rc == 0)
		rc = place.topic[0] == '\0' ? visit_cluster(c, &place, &o, v, f)
					    : visit_topic(c, &place, &o, v, f);
	cluster_close(c);
	return rc;
}
