#include "remote.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/status.h"
#include "client/remote_admin.h"
#include "tool/message.h"

static int
connect_to(const char *path, struct places *places, struct place *place,
    struct cluster **c)
{
	struct cluster_options o;
	struct fault f = {.file = ""};
	int rc;

	places_parse_topic(path, place);
	if (place->partition >= 0)
		cli_usage("%s: a partition is not made alone", path);
	places_cluster_options(places, NULL, &o);
	rc = remote_admin_open(place, &o, c, &f);
	return rc == 0 ? CLI_DONE : message_warn(path, rc, &f);
}

/* What was said, as text. */
struct said {
	struct remote_admin_setting settings[PROPERTIES_COUNT];
	size_t count;
	struct buf texts[PROPERTIES_COUNT];
};

static void
collect(const struct remote_wish *w, struct said *out)
{
	out->count = 0;
	for (int i = 0; i < PROPERTIES_COUNT; i++) {
		enum properties_id id = (enum properties_id)i;
		struct buf *text = &out->texts[out->count];

		/* PROP= is the default, which the cluster knows. */
		if (!w->said[i] || !w->settings->values[i].is_set)
			continue;
		buf_init(text, 256);
		if (properties_text(w->settings, id, text) != 0 ||
		    buf_add_8(text, 0) != 0)
			err(CLI_FAIL, NULL);
		out->settings[out->count++] =
		    (struct remote_admin_setting){properties_info(id)->name,
			(const char *)text->data};
	}
}

static void
release(struct said *s)
{
	for (size_t i = 0; i < s->count; i++)
		buf_release(&s->texts[i]);
}

struct comparison {
	const struct remote_wish *wish;
	bool same;
};

static int
compare_setting(const char *topic, const char *name, const char *value,
    bool is_set, void *arg)
{
	struct comparison *c = arg;
	struct properties theirs;
	enum properties_id id;

	(void)topic;
	properties_init(&theirs);
	if (properties_find(name, &id) != 0 || !c->wish->said[id])
		return 0;
	if (!c->wish->settings->values[id].is_set)
		c->same = c->same && !is_set;
	else if (properties_set(&theirs, id, value, NULL) != 0 ||
	    theirs.values[id].number != c->wish->settings->values[id].number)
		c->same = false;
	return 0;
}

/* Is the topic that is there the one that was asked for, as far as was said? */
static int
compare(struct cluster *c, const char *path, const char *topic,
    const struct remote_wish *w)
{
	struct comparison it = {w, true};
	struct fault f = {.file = ""};
	int32_t count = 0;
	int rc = cluster_partitions(c, topic, &count, &f);

	if (rc == 0)
		rc = remote_admin_settings(c, &topic, 1, compare_setting, &it,
		    &f);
	if (rc != 0)
		return message_warn(path, rc, &f);
	if (it.same && (!w->partitions_given || count == w->partitions))
		return CLI_DONE;
	warnx("%s: topic exists with other settings", path);
	return CLI_CONDITION;
}

int
remote_create(const char *path, const struct remote_wish *w)
{
	struct remote_admin_topic t = {.partitions = w->partitions,
	    .replicas = w->replicas};
	struct fault f = {.file = ""};
	struct cluster *c = NULL;
	struct place place;
	struct said said;
	int rc, status = connect_to(path, w->places, &place, &c);

	if (status != CLI_DONE)
		return status;
	collect(w, &said);
	t.settings = said.settings;
	t.count = said.count;
	rc = remote_admin_create(c, place.topic, &t, w->dry_run, &f);
	release(&said);
	if (rc == STATUS_EXISTS && w->if_not_exists)
		status = compare(c, path, place.topic, w);
	else if (rc != 0)
		status = message_warn(path, rc, &f);
	else if (w->dry_run || cli_verbose > 0)
		warnx("%s: %s%d partition%s", path,
		    w->dry_run ? "would make a topic of " : "made, ",
		    (int)w->partitions, w->partitions == 1 ? "" : "s");
	cluster_close(c);
	return status;
}

int
remote_grow(const char *path, int32_t partitions, const struct remote_wish *w)
{
	struct fault f = {.file = ""};
	struct cluster *c = NULL;
	struct place place;
	int32_t before;
	int rc, status = connect_to(path, w->places, &place, &c);

	if (status != CLI_DONE)
		return status;
	rc = cluster_partitions(c, place.topic, &before, &f);
	if (rc == 0 && before != partitions)
		rc = remote_admin_grow(c, place.topic, partitions, w->dry_run,
		    &f);
	if (rc != 0)
		status = message_warn(path, rc, &f);
	else if (w->dry_run)
		warnx("%s: would grow from %d to %d partitions", path,
		    (int)before, (int)partitions);
	cluster_close(c);
	return status;
}

int32_t
remote_count(const char *path, struct places *places)
{
	struct fault f = {.file = ""};
	struct cluster *c = NULL;
	struct place place;
	int32_t count = -1;

	if (connect_to(path, places, &place, &c) != CLI_DONE)
		exit(CLI_FAIL);
	if (cluster_partitions(c, place.topic, &count, &f) != 0)
		count = -1;
	cluster_close(c);
	return count;
}

struct like {
	struct properties *settings;
	bool *said;
};

static int
take_setting(const char *topic, const char *name, const char *value,
    bool is_set, void *arg)
{
	struct like *like = arg;
	enum properties_id id;

	(void)topic;
	if (!is_set || properties_find(name, &id) != 0 || like->said[id])
		return 0;
	if (properties_set(like->settings, id, value, NULL) == 0)
		like->said[id] = true;
	return 0;
}

int
remote_like(const char *path, struct places *places,
    struct properties *settings, bool *said, int32_t *partitions)
{
	struct like like = {settings, said};
	struct fault f = {.file = ""};
	struct cluster *c = NULL;
	struct place place;
	const char *topic = place.topic;
	int rc, status = connect_to(path, places, &place, &c);

	if (status != CLI_DONE)
		return status;
	rc = cluster_partitions(c, topic, partitions, &f);
	if (rc == 0)
		rc = remote_admin_settings(c, &topic, 1, take_setting, &like,
		    &f);
	cluster_close(c);
	return rc == 0 ? CLI_DONE : message_warn(path, rc, &f);
}
