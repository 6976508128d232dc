#include "remote.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cli.h"
#include "base/now.h"
#include "base/status.h"
#include "client/remote_admin.h"
#include "client/remote.h"
#include "store/groups.h"
#include "tool/lag.h"
#include "tool/message.h"

enum { SETTLE_MS = 100 };

static int
connect_to(const struct admin_options *o, const char *path, struct place *place,
    struct cluster **c)
{
	struct cluster_options options;
	struct fault f = {.file = ""};
	int rc;

	places_parse(path, place);
	if (place->partition >= 0) {
		warnx("%s: not a whole topic", path);
		return CLI_FAIL;
	}
	places_cluster_options(o->places, NULL, &options);
	rc = remote_admin_open(place, &options, c, &f);
	return rc == 0 ? CLI_DONE : message_warn(path, rc, &f);
}

static int
finish(const char *path, struct cluster *c, int rc, const struct fault *f)
{
	cluster_close(c);
	return rc == 0 ? CLI_DONE : message_warn(path, rc, f);
}

/* --- topics --------------------------------------------------------------- */

struct row {
	char *topic;
	int32_t partitions;
	char *policy;
};

struct rows {
	struct row *rows;
	size_t count;
	const char *only;	/* NULL: all topics */
};

static int
add_topic(const char *topic, int32_t partitions, void *arg)
{
	struct rows *r = arg;

	if (r->only != NULL && strcmp(r->only, topic) != 0)
		return 0;
	r->rows = reallocarray(r->rows, r->count + 1, sizeof(*r->rows));
	if (r->rows == NULL)
		err(CLI_FAIL, NULL);
	r->rows[r->count++] = (struct row){strdup(topic), partitions, NULL};
	return 0;
}

static int
compare_rows(const void *a, const void *b)
{
	return strcmp(((const struct row *)a)->topic,
	    ((const struct row *)b)->topic);
}

static int
add_policy(const char *topic, const char *name, const char *value, bool is_set,
    void *arg)
{
	struct rows *r = arg;

	(void)is_set;
	if (strcmp(name, "cleanup.policy") != 0)
		return 0;
	for (size_t i = 0; i < r->count; i++)
		if (r->rows[i].policy == NULL &&
		    strcmp(r->rows[i].topic, topic) == 0)
			r->rows[i].policy = strdup(value);
	return 0;
}

static int
ask_policies(struct cluster *c, struct rows *r, struct fault *f)
{
	const char **names = calloc(r->count + 1, sizeof(char *));
	int rc;

	if (names == NULL)
		err(CLI_FAIL, NULL);
	for (size_t i = 0; i < r->count; i++)
		names[i] = r->rows[i].topic;
	rc = remote_admin_settings(c, names, r->count, add_policy, r, f);
	free(names);
	return rc;
}

int
remote_topic_ls(const struct admin_options *o, const char *path,
    struct listing *l)
{
	struct fault f = {.file = ""};
	struct cluster *c = NULL;
	struct rows r = {NULL, 0, NULL};
	struct place place;
	int rc, status = connect_to(o, path, &place, &c);

	if (status != CLI_DONE)
		return status;
	r.only = place.topic[0] == '\0' ? NULL : place.topic;
	rc = cluster_each_topic(c, add_topic, &r, &f);
	if (rc == 0 && r.only != NULL && r.count == 0)
		rc = STATUS_NO_TOPIC;
	if (r.count > 0)
		qsort(r.rows, r.count, sizeof(*r.rows), compare_rows);
	if (rc == 0)
		rc = ask_policies(c, &r, &f);
	for (size_t i = 0; i < r.count; i++) {
		if (rc == 0) {
			listing_text(l, r.rows[i].topic);
			listing_number(l, r.rows[i].partitions);
			listing_text(l,
			    r.rows[i].policy == NULL ? "" : r.rows[i].policy);
			listing_none(l);
		}
		free(r.rows[i].topic);
		free(r.rows[i].policy);
	}
	free(r.rows);
	return finish(path, c, rc, &f);
}

static int
list_setting(const char *topic, const char *name, const char *value,
    bool is_set, void *arg)
{
	struct listing *l = arg;

	listing_text(l, topic);
	listing_text(l, name);
	listing_text(l, value);
	listing_text(l, is_set ? "topic" : "default");
	return 0;
}

int
remote_topic_describe(const struct admin_options *o, const char *path,
    struct listing *l)
{
	struct fault f = {.file = ""};
	struct cluster *c = NULL;
	struct place place;
	const char *topic = place.topic;
	char text[24];
	int32_t count;
	int rc, status;

	places_parse_topic(path, &place);
	status = connect_to(o, path, &place, &c);
	if (status != CLI_DONE)
		return status;
	rc = cluster_partitions(c, topic, &count, &f);
	if (rc == 0) {
		snprintf(text, sizeof(text), "%d", (int)count);
		(void)list_setting(topic, "logkit.partitions", text, true, l);
		rc = remote_admin_settings(c, &topic, 1, list_setting, l, &f);
	}
	return finish(path, c, rc, &f);
}

static int
take_setting(const char *topic, const char *name, const char *value,
    bool is_set, void *arg)
{
	struct properties *p = arg;
	enum properties_id id;

	(void)topic;
	if (properties_find(name, &id) != 0)
		return 0;
	(void)properties_set(p, id, value, NULL);
	p->values[id].is_set = is_set;
	return 0;
}

static int
ask_settings(struct cluster *c, const char *topic, struct properties *out,
    struct fault *f)
{
	properties_init(out);
	return remote_admin_settings(c, &topic, 1, take_setting, out, f);
}

/* NAME=VALUE... as the cluster wants them: plain numbers.  Owned by *texts. */
static struct remote_admin_setting *
make_settings(char **pairs, size_t *count, struct buf **texts)
{
	struct remote_admin_setting *settings;
	struct properties p;
	enum properties_id id;
	size_t n = 0;

	while (pairs[n] != NULL)
		n++;
	settings = calloc(n + 1, sizeof(*settings));
	*texts = calloc(n + 1, sizeof(**texts));
	if (settings == NULL || *texts == NULL)
		err(CLI_FAIL, NULL);
	for (size_t i = 0; i < n; i++) {
		char name[64];

		properties_init(&p);
		snprintf(name, sizeof(name), "%.*s",
		    (int)strcspn(pairs[i], "="), pairs[i]);
		buf_init(&(*texts)[i], 256);
		if (properties_find(name, &id) != 0 ||
		    properties_set_pair(&p, pairs[i], NULL) != 0 ||
		    properties_text(&p, id, &(*texts)[i]) != 0 ||
		    buf_add_8(&(*texts)[i], 0) != 0)
			err(CLI_FAIL, "%s", pairs[i]);
		settings[i].name = properties_info(id)->name;
		settings[i].value =
		    p.values[id].is_set ? (const char *)(*texts)[i].data : NULL;
	}
	*count = n;
	return settings;
}

/* Does the cluster say by now what it was told? */
static bool
has_settled(const struct properties *is,
    const struct remote_admin_setting *settings, size_t count)
{
	struct properties want;
	enum properties_id id;

	properties_init(&want);
	for (size_t i = 0; i < count; i++) {
		if (properties_find(settings[i].name, &id) != 0)
			return true;
		if (is->values[id].is_set != (settings[i].value != NULL))
			return false;
		if (settings[i].value != NULL &&
		    (properties_set(&want, id, settings[i].value, NULL) != 0 ||
			want.values[id].number != is->values[id].number))
			return false;
	}
	return true;
}

/* The answer to a change comes before all brokers know it. */
static int
await_settings(struct cluster *c, const char *topic,
    const struct remote_admin_setting *settings, size_t count,
    struct properties *is, struct fault *f)
{
	int64_t deadline_ms = cluster_deadline_ms(c);
	int rc = ask_settings(c, topic, is, f);

	while (rc == 0 && !has_settled(is, settings, count) &&
	    now_mono_ms() < deadline_ms) {
		rdkafka.poll(c->rk, SETTLE_MS);
		rc = ask_settings(c, topic, is, f);
	}
	return rc;
}

static int
apply(struct properties *p, char **pairs)
{
	int rc = 0;

	for (; rc == 0 && *pairs != NULL; pairs++)
		rc = properties_set_pair(p, *pairs, NULL);
	return rc;
}

int
remote_topic_set(const struct admin_options *o, char **words,
    struct properties *was, struct properties *is,
    char name[TOPIC_NAME_MAX + 1])
{
	struct remote_admin_setting *settings;
	struct fault f = {.file = ""};
	struct cluster *c = NULL;
	struct buf *texts;
	struct place place;
	size_t count;
	int rc, status;

	places_parse_topic(words[0], &place);
	status = connect_to(o, words[0], &place, &c);
	if (status != CLI_DONE)
		return status;
	strlcpy(name, place.topic, TOPIC_NAME_MAX + 1);
	settings = make_settings(words + 1, &count, &texts);
	rc = ask_settings(c, name, was, &f);
	*is = *was;
	if (rc == 0)
		rc = remote_admin_change(c, name, settings, count, o->dry_run,
		    &f);
	if (rc == 0 && o->dry_run)
		rc = apply(is, words + 1);
	else if (rc == 0)
		rc = await_settings(c, name, settings, count, is, &f);
	for (size_t i = 0; i < count; i++)
		buf_release(&texts[i]);
	free(texts);
	free(settings);
	return finish(words[0], c, rc, &f);
}

int
remote_topic_rm(const struct admin_options *o, const char *path)
{
	struct fault f = {.file = ""};
	struct cluster *c = NULL;
	struct place place;
	int32_t count;
	int rc, status;

	places_parse_topic(path, &place);
	status = connect_to(o, path, &place, &c);
	if (status != CLI_DONE)
		return status;
	rc = o->dry_run ? cluster_partitions(c, place.topic, &count, &f)
			: remote_admin_remove(c, place.topic, &f);
	if (rc == 0)
		printf("%s\n", path);
	return finish(path, c, rc, &f);
}

/* --- groups --------------------------------------------------------------- */

/* Positions of one group, topic by topic. */
struct group_rows {
	struct cluster *c;
	const char *only;	/* topic, or NULL */
	struct listing *l;
	struct fault *f;
	const char *group;
	char topic[TOPIC_NAME_MAX + 1];
	int64_t count;
	bool in_use;
};

/* The topic that was counted is complete. */
static void
end_topic(struct group_rows *r)
{
	if (r->count == 0)
		return;
	listing_text(r->l, r->group);
	listing_text(r->l, r->topic);
	listing_number(r->l, r->count);
	listing_none(r->l);
	listing_text(r->l, r->in_use ? "yes" : "no");
	r->count = 0;
}

static int
count_position(const char *topic, int32_t partition, int64_t offset, void *arg)
{
	struct group_rows *r = arg;

	(void)partition;
	(void)offset;
	if (r->only != NULL && strcmp(r->only, topic) != 0)
		return 0;
	if (r->count > 0 && strcmp(r->topic, topic) != 0)
		end_topic(r);
	strlcpy(r->topic, topic, sizeof(r->topic));
	r->count++;
	return 0;
}

static int
list_group(const char *group, void *arg)
{
	struct group_rows *r = arg;
	int members, rc = remote_admin_members(r->c, group, &members, r->f);

	r->group = group;
	r->in_use = members > 0;
	if (rc == 0)
		rc = remote_admin_positions(r->c, group, count_position, r,
		    r->f);
	end_topic(r);
	return rc;
}

int
remote_group_ls(const struct admin_options *o, const char *path,
    struct listing *l)
{
	struct fault f = {.file = ""};
	struct group_rows r = {.l = l, .f = &f};
	struct place place;
	int rc, status = connect_to(o, path, &place, &r.c);

	if (status != CLI_DONE)
		return status;
	r.only = place.topic[0] == '\0' ? NULL : place.topic;
	rc = remote_admin_groups(r.c, list_group, &r, &f);
	return finish(path, r.c, rc, &f);
}

int
remote_group_describe(const struct admin_options *o, const char *path,
    const char *group, struct listing *l, size_t *rows)
{
	struct fault f = {.file = ""};
	struct cluster *c = NULL;
	struct place place;
	int rc, status = connect_to(o, path, &place, &c);

	if (status != CLI_DONE)
		return status;
	rc = lag_add_remote(l, c, place.topic[0] == '\0' ? NULL : place.topic,
	    group, NULL, rows, &f);
	return finish(path, c, rc, &f);
}

/* Positions that will change, with those that they were. */
struct change {
	const char *topic;	/* NULL: all */
	const char *group;
	struct listing *l;
	struct remote_admin_position *positions;
	int64_t *was;		/* by partition; -1 none */
	int32_t partitions;
	size_t count;
};

static void
list_change(struct change *ch, const char *topic, int32_t partition,
    int64_t was, int64_t is)
{
	listing_text(ch->l, ch->group);
	listing_text(ch->l, topic);
	listing_number(ch->l, partition);
	if (was < 0)
		listing_none(ch->l);
	else
		listing_number(ch->l, was);
	if (is < 0)
		listing_none(ch->l);
	else
		listing_number(ch->l, is);
}

static int
check_unused(struct cluster *c, const char *path, const char *group)
{
	struct fault f = {.file = ""};
	int members, rc;

	if (!groups_is_name(group))
		cli_usage("%s: not a name for a group", group);
	rc = remote_admin_members(c, group, &members, &f);
	if (rc != 0)
		return message_warn(path, rc, &f);
	if (members == 0)
		return CLI_DONE;
	warnx("%s: group %s is in use; end its members first", path, group);
	return CLI_CONDITION;
}

/* What a change came to; a member may have joined meanwhile. */
static int
told(const char *path, const char *group, int rc, const struct fault *f)
{
	if (rc == 0)
		return CLI_DONE;
	if (rc != EBUSY)
		return message_warn(path, rc, f);
	warnx("%s: group %s is in use; end its members first", path, group);
	return CLI_CONDITION;
}

static int
note_was(const char *topic, int32_t partition, int64_t offset, void *arg)
{
	struct change *ch = arg;

	if (strcmp(topic, ch->topic) == 0 && partition < ch->partitions)
		ch->was[partition] = offset;
	return 0;
}

static int
resolve_all(const struct admin_options *o, const struct place *place,
    const struct position *at, struct change *ch, struct fault *f)
{
	struct cluster_options options;
	struct remote_partition *p;
	struct remote_topic *t;
	int rc;

	places_cluster_options(o->places, NULL, &options);
	rc = remote_topic_open(place, &options, false, -1, &t, f);
	if (rc != 0)
		return rc;
	for (int32_t n = 0; rc == 0 && n < ch->partitions; n++) {
		struct remote_admin_position *out = &ch->positions[ch->count];

		if (!parse_partitions_has(&o->partitions, n))
			continue;
		rc = remote_partition_open(t, n, &p, f);
		if (rc != 0)
			break;
		out->partition = n;
		rc = remote_partition_resolve(p, at, ch->was[n], &out->offset,
		    NULL, f);
		remote_partition_close(p);
		ch->count++;
	}
	remote_topic_close(t);
	return rc;
}

static int
seek(const struct admin_options *o, struct cluster *c,
    const struct place *place, const struct position *at, struct change *ch,
    struct fault *f)
{
	size_t room = (size_t)ch->partitions + 1;
	int rc;

	ch->was = calloc(room, sizeof(*ch->was));
	ch->positions = calloc(room, sizeof(*ch->positions));
	if (ch->was == NULL || ch->positions == NULL)
		err(CLI_FAIL, NULL);
	for (int32_t n = 0; n < ch->partitions; n++)
		ch->was[n] = -1;
	rc = remote_admin_positions(c, ch->group, note_was, ch, f);
	if (rc == 0)
		rc = resolve_all(o, place, at, ch, f);
	for (size_t i = 0; rc == 0 && i < ch->count; i++)
		list_change(ch, ch->topic, ch->positions[i].partition,
		    ch->was[ch->positions[i].partition],
		    ch->positions[i].offset);
	if (rc == 0 && !o->dry_run)
		rc = remote_admin_seek(c, ch->group, ch->topic, ch->positions,
		    ch->count, f);
	free(ch->was);
	free(ch->positions);
	return rc;
}

int
remote_group_seek(const struct admin_options *o, const char *path,
    const char *group, const struct position *at, struct listing *l)
{
	struct fault f = {.file = ""};
	struct cluster *c = NULL;
	struct place place;
	struct change ch = {.topic = place.topic, .group = group, .l = l};
	int rc, status;

	places_parse_topic(path, &place);
	status = connect_to(o, path, &place, &c);
	if (status == CLI_DONE)
		status = check_unused(c, path, group);
	if (status != CLI_DONE) {
		cluster_close(c);
		return status;
	}
	rc = cluster_partitions(c, place.topic, &ch.partitions, &f);
	for (size_t i = 0; rc == 0 && i < o->partitions.count; i++)
		if (o->partitions.spans[i].last >= ch.partitions) {
			warnx("%s: no partition %d (it has %d)", path,
			    (int)o->partitions.spans[i].last,
			    (int)ch.partitions);
			cluster_close(c);
			return CLI_FAIL;
		}
	if (rc == 0)
		rc = seek(o, c, &place, at, &ch, &f);
	cluster_close(c);
	return told(path, group, rc, &f);
}

static int
take_position(const char *topic, int32_t partition, int64_t offset, void *arg)
{
	struct change *ch = arg;

	if (ch->topic != NULL && strcmp(ch->topic, topic) != 0)
		return 0;
	list_change(ch, topic, partition, offset, -1);
	ch->positions =
	    reallocarray(ch->positions, ch->count + 1, sizeof(*ch->positions));
	if (ch->positions == NULL)
		err(CLI_FAIL, NULL);
	ch->positions[ch->count++] =
	    (struct remote_admin_position){partition, -1};
	return 0;
}

int
remote_group_rm(const struct admin_options *o, const char *path,
    const char *group, struct listing *l)
{
	struct fault f = {.file = ""};
	struct cluster *c = NULL;
	struct place place;
	struct change ch = {.group = group, .l = l};
	int rc, status = connect_to(o, path, &place, &c);

	if (status == CLI_DONE)
		status = check_unused(c, path, group);
	if (status != CLI_DONE) {
		cluster_close(c);
		return status;
	}
	ch.topic = place.topic[0] == '\0' ? NULL : place.topic;
	rc = remote_admin_positions(c, group, take_position, &ch, &f);
	if (rc == 0 && ch.count == 0) {
		warnx("%s: no group %s", path, group);
		cluster_close(c);
		return CLI_FAIL;
	}
	if (rc == 0 && !o->dry_run)
		rc = ch.topic == NULL ? remote_admin_forget(c, group, &f)
				      : remote_admin_seek(c, group, ch.topic,
					    ch.positions, ch.count, &f);
	free(ch.positions);
	cluster_close(c);
	return told(path, group, rc, &f);
}
