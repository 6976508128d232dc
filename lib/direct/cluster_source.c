#include "direct/cluster_source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/now.h"
#include "base/status.h"
#include "direct/chart.h"
#include "direct/committed.h"
#include "direct/configs.h"
#include "direct/fetcher.h"
#include "direct/lister.h"
#include "direct/trouble.h"
#include "kafka/error.h"

_Static_assert((int)CHART_IDENTITY_LEN == (int)FRAME_IDENTITY_LEN,
    "an identity is an identity");

/* Positions are not asked for again within this. */
enum { POSITIONS_MS = 500 };

struct cluster_source {
	struct source source;
	const struct cluster_source_options *o;
	struct chart *chart;
	struct fetcher *fetcher;
	struct configs *configs; /* of each topic that was taken in */
	size_t count;
	int32_t *parts;		/* of each, that were taken in */
	struct committed positions;
	int64_t positions_ms;	/* when read; 0 never */
	struct lister_patience patience;
};

static const struct source_ops ops;

static struct cluster_source *
self(struct source *s)
{
	return (struct cluster_source *)s;
}

static bool
takes(const char *name, void *arg)
{
	const struct cluster_source *s = arg;

	return disk_source_takes(&s->o->patterns, name);
}

static bool
source_has(struct source *s, size_t topic, int32_t partition)
{
	const struct cluster_source_options *o = self(s)->o;

	return partition < chart_topic(self(s)->chart, topic)->count &&
	    (o->place->partition < 0 || o->place->partition == partition) &&
	    (o->partitions == NULL ||
		parse_partitions_has(o->partitions, partition));
}

/* Settings of topics that are new. */
static int
take_topics(struct cluster_source *s, struct fault *f)
{
	size_t count = chart_count(s->chart);
	struct configs *configs;
	int32_t *parts;
	int rc;

	if (count == s->count)
		return 0;
	configs = recallocarray(s->configs, s->count, count, sizeof(*configs));
	if (configs != NULL)
		s->configs = configs;
	parts = recallocarray(s->parts, s->count, count, sizeof(*parts));
	if (parts != NULL)
		s->parts = parts;
	if (configs == NULL || parts == NULL)
		return ENOMEM;
	rc = configs_read(s->chart, s->count, count, configs + s->count, f);
	for (size_t i = s->count; rc == 0 && i < count; i++)
		if (configs[i].error != 0 && s->o->warn != NULL)
			s->o->warn(chart_topic(s->chart, i)->name,
			    error_text(configs[i].error));
	if (rc == 0)
		s->count = count;
	return rc;
}

/* Settings of topics that are known; as they were, if they cannot be had. */
static int
look_at_settings(struct cluster_source *s, struct fault *f)
{
	struct configs *now = calloc(s->count + 1, sizeof(*now));
	int rc;

	if (now == NULL)
		return ENOMEM;
	rc = configs_read(s->chart, 0, s->count, now, f);
	for (size_t i = 0; rc == 0 && i < s->count; i++)
		if (now[i].error == 0)
			s->configs[i] = now[i];
	free(now);
	return rc == STATUS_CLUSTER ? 0 : rc;
}

static int
take_parts(struct cluster_source *s)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < s->count; i++)
		for (; rc == 0 && s->parts[i] < chart_topic(s->chart, i)->count;
		     s->parts[i]++)
			if (source_has(&s->source, i, s->parts[i]))
				rc = fetcher_add(s->fetcher, i, s->parts[i]);
	return rc;
}

static int
source_refresh(struct source *source, size_t *count, struct fault *f)
{
	struct cluster_source *s = self(source);
	bool looked;
	int rc = fetcher_refresh(s->fetcher, &looked, f);

	if (rc == 0 && looked)
		rc = look_at_settings(s, f);
	if (rc == 0)
		rc = take_topics(s, f);
	if (rc == 0)
		rc = take_parts(s);
	*count = s->count;
	return rc;
}

static int
source_topic(struct source *source, size_t topic, struct source_topic *out,
    struct fault *f)
{
	struct cluster_source *s = self(source);
	const struct chart_topic *t = chart_topic(s->chart, topic);

	(void)f;
	*out = (struct source_topic){.name = s->o->place->topic[0] != '\0'
		? ""
		: t->name,
	    .partitions = s->parts[topic],
	    .settings = &s->configs[topic].settings};
	chart_identity(s->chart, topic, out->identity);
	memcpy(out->lineage.ids[0], out->identity, LINEAGE_ID_LEN);
	out->lineage.count = 1;
	return 0;
}

/*
 * Following, a topic is another one by its name: nothing that was asked of it
 * counts, so all begins anew.
 */
static int
check_anew(const struct cluster_source *s, size_t topic, int rc,
    struct fault *f)
{
	if (rc != STATUS_REMOVED || !s->o->follow ||
	    !chart_topic(s->chart, topic)->gone)
		return rc;
	return trouble(f, STATUS_CLUSTER, chart_name(s->chart, topic),
	    "the topic was removed and made anew");
}

static int
source_bounds(struct source *source, size_t topic, int32_t partition,
    int64_t *start, int64_t *end, struct fault *f)
{
	struct cluster_source *s = self(source);

	return check_anew(s, topic,
	    fetcher_bounds(s->fetcher, topic, partition, start, end, f), f);
}

static int
source_next(struct source *s, size_t topic, int32_t partition, int64_t offset,
    size_t max, struct raw_run *out, struct fault *f)
{
	return check_anew(self(s), topic,
	    fetcher_next(self(s)->fetcher, topic, partition, offset, max, out,
		f),
	    f);
}

static int
source_batch_at(struct source *source, size_t topic, int32_t partition,
    int64_t offset, struct frame_batch *out, bool *cleaned, struct fault *f)
{
	struct cluster_source *s = self(source);
	int rc = lister_batch_at(s->chart, topic, partition, offset,
	    &s->patience, out, f);

	/* A gap was made by something. */
	*cleaned =
	    rc == 0 && (s->configs[topic].compacted || out->base_offset < 0);
	return rc;
}

static int
source_position(struct source *source, size_t topic, size_t i,
    struct source_position *out, struct fault *f)
{
	struct cluster_source *s = self(source);
	const struct committed_entry *e;
	int64_t now = now_mono_ms();
	int rc;

	if (i == 0 &&
	    (s->positions_ms == 0 || now - s->positions_ms >= POSITIONS_MS)) {
		rc = committed_read(s->chart, &s->positions, f);
		if (rc != 0)
			return rc;
		s->positions_ms = now_mono_ms();
	}
	e = committed_at(&s->positions, topic, i);
	if (e == NULL)
		return STATUS_END;
	fetcher_expect(s->fetcher, topic, e->partition, e->offset);
	*out = (struct source_position){.group = e->group,
	    .partition = e->partition,
	    .offset = e->offset,
	    .leader_epoch = e->leader_epoch,
	    .commit_ms = now_wall_ms(),
	    .metadata = e->metadata};
	return 0;
}

static int
source_find(struct source *source, size_t topic, int32_t partition,
    const struct position *pos, int64_t *offset, struct fault *f)
{
	struct cluster_source *s = self(source);
	int64_t start, end, at = -1;
	int rc = fetcher_bounds(s->fetcher, topic, partition, &start, &end, f);

	if (rc == 0 && pos->kind == POSITION_TIME)
		rc = lister_offset_at(s->chart, topic, partition,
		    pos->n < 0 ? 0 : pos->n, &s->patience, &at, f);
	if (rc != 0)
		return rc;
	if (pos->kind == POSITION_START)
		at = start;
	else if (pos->kind == POSITION_OFFSET)
		at = pos->n;
	else if (pos->kind == POSITION_BACK)
		at = pos->n < end - start ? end - pos->n : start;
	if (at < 0 || at > end)
		at = end;
	*offset = at < start ? start : at;
	return 0;
}

static int
source_wait_fd(struct source *s)
{
	return fetcher_fd(self(s)->fetcher);
}

static int
source_turn(struct source *s, bool *changed, struct fault *f)
{
	return fetcher_turn(self(s)->fetcher, changed, f);
}

static void
source_close(struct source *source)
{
	struct cluster_source *s = self(source);

	fetcher_free(s->fetcher);
	chart_close(s->chart);
	committed_release(&s->positions);
	free(s->configs);
	free(s->parts);
	free(s);
}

/* The one partition that was asked for must be there. */
static int
check_partition(const struct cluster_source *s, struct fault *f)
{
	const struct place *place = s->o->place;

	if (place->topic[0] == '\0' || place->partition < 0 ||
	    place->partition < chart_topic(s->chart, 0)->count)
		return 0;
	return chart_fail(s->chart, 0, KAFKA_UNKNOWN_TOPIC_OR_PARTITION, f);
}

int
cluster_source_open(const struct cluster_source_options *o, struct source **out,
    struct fault *f)
{
	struct cluster_source *s = calloc(1, sizeof(*s));
	struct chart_options chart = {.place = o->place,
	    .login = o->login,
	    .timeout_ms = o->timeout_ms,
	    .takes = takes,
	    .arg = s};
	int rc;

	if (s == NULL)
		return ENOMEM;
	s->source.ops = &ops;
	s->o = o;
	committed_init(&s->positions);
	s->patience.timeout_ms = o->timeout_ms;
	s->patience.leader_ms = o->follow ? FETCHER_LEADER_MS : o->timeout_ms;
	rc = chart_open(&chart, &s->chart, f);
	if (rc == 0)
		rc = check_partition(s, f);
	if (rc == 0)
		rc = fetcher_new(s->chart, o->timeout_ms, o->follow,
		    &s->fetcher, f);
	if (rc != 0) {
		source_close(&s->source);
		return rc;
	}
	*out = &s->source;
	return 0;
}

static const struct source_ops ops = {
    .refresh = source_refresh,
    .topic = source_topic,
    .has = source_has,
    .bounds = source_bounds,
    .next = source_next,
    .batch_at = source_batch_at,
    .position = source_position,
    .find = source_find,
    .wait_fd = source_wait_fd,
    .turn = source_turn,
    .close = source_close,
};
