/*
 * logadmin topic: ls, describe, set, rm, promote, demote.
 */

#include <err.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "admin.h"
#include "base/bounds.h"
#include "base/buf.h"
#include "base/cli.h"
#include "base/status.h"
#include "remote.h"
#include "store/partition.h"
#include "store/properties.h"
#include "store/replica.h"
#include "tool/listing.h"
#include "tool/message.h"

static const struct listing_column ls_columns[] = {
    {"TOPIC", "topic"},
    {"PARTITIONS", "partitions"},
    {"CLEANUP", "cleanup.policy"},
    {NULL, "id"},
    {NULL, NULL},
};

static const struct listing_column describe_columns[] = {
    {"TOPIC", "topic"},
    {"NAME", "name"},
    {"VALUE", "value"},
    {"SOURCE", "source"},
    {NULL, NULL},
};

static const struct listing_column change_columns[] = {
    {"TOPIC", "topic"},
    {"NAME", "name"},
    {"WAS", "was"},
    {"IS", "is"},
    {NULL, NULL},
};

/* The value as text; exits without memory. */
static void
text_of(const struct properties *p, enum properties_id id, char out[256])
{
	struct buf b;

	buf_init(&b, 255);
	if (properties_text(p, id, &b) != 0)
		err(CLI_FAIL, NULL);
	memcpy(out, b.data, b.len);
	out[b.len] = '\0';
	buf_release(&b);
}

static int
ls_one(const char *path, struct topic_place *place, void *arg)
{
	struct listing *l = arg;
	char policy[256];

	(void)path;
	text_of(&place->topic.settings, PROPERTIES_CLEANUP_POLICY, policy);
	listing_text(l, place->name);
	listing_number(l, place->topic.partitions);
	listing_text(l, policy);
	listing_text(l, place->topic.id);
	return CLI_DONE;
}

/* A verb that lists, over all of its places. */
static int
list_all(const struct listing_column *columns, const struct admin_options *o,
    char **words,
    int (*fn)(const char *path, struct topic_place *place, void *arg),
    int (*remote)(const struct admin_options *o, const char *path,
	struct listing *l))
{
	struct listing l;
	int worst = CLI_DONE;

	listing_init(&l, columns, o->json);
	for (; *words != NULL; words++) {
		int status = place_is_remote(*words)
		    ? remote(o, *words, &l)
		    : admin_each(*words, fn, &l);

		worst = status > worst ? status : worst;
	}
	listing_print(&l, !cli_quiet);
	listing_release(&l);
	return worst;
}

int
topics_ls(const struct admin_options *o, char **words)
{
	return list_all(ls_columns, o, words, ls_one, remote_topic_ls);
}

static void
describe_row(struct listing *l, const char *topic, const char *name,
    const char *value, const char *source)
{
	listing_text(l, topic);
	listing_text(l, name);
	listing_text(l, value);
	listing_text(l, source);
}

static int
describe_one(const char *path, struct topic_place *place, void *arg)
{
	const struct topic *t = &place->topic;
	struct listing *l = arg;
	char text[256];

	(void)path;
	snprintf(text, sizeof(text), "%d", (int)t->partitions);
	describe_row(l, place->name, "logkit.topic.id", t->id, "topic");
	describe_row(l, place->name, "logkit.partitions", text, "topic");
	for (int i = 0; i < PROPERTIES_COUNT; i++) {
		enum properties_id id = (enum properties_id)i;

		text_of(&t->settings, id, text);
		describe_row(l, place->name, properties_info(id)->name, text,
		    t->settings.values[i].is_set ? "topic" : "default");
	}
	return CLI_DONE;
}

int
topics_describe(const struct admin_options *o, char **words)
{
	return list_all(describe_columns, o, words, describe_one,
	    remote_topic_describe);
}

/* --- changes ------------------------------------------------------------- */

/* What was said, checked before anything is changed. */
static void
check_pairs(char **pairs)
{
	struct properties trial;
	const char *why = "not a setting";

	properties_init(&trial);
	for (; *pairs != NULL; pairs++)
		if (properties_set_pair(&trial, *pairs, &why) != 0)
			cli_usage("%s: %s", *pairs, why);
}

static int
apply_pairs(struct properties *p, void *arg)
{
	int rc = 0;

	for (char **pairs = arg; rc == 0 && *pairs != NULL; pairs++)
		rc = properties_set_pair(p, *pairs, NULL);
	return rc;
}

static void
print_changes(const char *topic, const struct properties *was,
    const struct properties *is, bool json)
{
	struct listing l;

	listing_init(&l, change_columns, json);
	for (int i = 0; i < PROPERTIES_COUNT; i++) {
		enum properties_id id = (enum properties_id)i;
		char before[256], after[256];

		text_of(was, id, before);
		text_of(is, id, after);
		if (strcmp(before, after) == 0 &&
		    was->values[i].is_set == is->values[i].is_set)
			continue;
		listing_text(&l, topic);
		listing_text(&l, properties_info(id)->name);
		listing_text(&l, before);
		listing_text(&l, after);
	}
	listing_print(&l, !cli_quiet);
	listing_release(&l);
}

int
topics_set(const struct admin_options *o, char **words)
{
	struct topic_place place;
	struct fault f = {.file = ""};
	struct properties was, is;
	char name[TOPIC_NAME_MAX + 1];
	int rc, status;

	check_pairs(words + 1);
	if (place_is_remote(words[0])) {
		status = remote_topic_set(o, words, &was, &is, name);
		if (status == CLI_DONE)
			print_changes(name, &was, &is, o->json);
		return status;
	}
	status = admin_locate(words[0], &place);
	if (status != CLI_DONE)
		return status;
	was = place.topic.settings;
	if (o->dry_run)
		rc = apply_pairs(&place.topic.settings, words + 1);
	else
		rc = topic_change(&place.topic, apply_pairs, words + 1, &f);
	if (rc == 0)
		print_changes(place.name, &was, &place.topic.settings, o->json);
	else
		status = message_warn(words[0], rc, &f);
	topic_place_close(&place);
	return status;
}

static int
for_each_topic(const struct admin_options *o, char **words,
    int (*fn)(const struct admin_options *o, const char *path,
	struct topic_place *place),
    int (*remote)(const struct admin_options *o, const char *path))
{
	int worst = CLI_DONE;

	for (; *words != NULL; words++) {
		struct topic_place place;
		int status;

		if (place_is_remote(*words)) {
			status = remote(o, *words);
			worst = status > worst ? status : worst;
			continue;
		}
		status = admin_locate(*words, &place);
		if (status == CLI_DONE) {
			status = fn(o, *words, &place);
			topic_place_close(&place);
		}
		worst = status > worst ? status : worst;
	}
	return worst;
}

static bool
is_link(const char *path)
{
	char name[PATH_MAX];
	size_t len = strlcpy(name, path, sizeof(name));
	struct stat st;

	while (len > 1 && len < sizeof(name) && name[len - 1] == '/')
		name[--len] = '\0';
	return lstat(name, &st) == 0 && S_ISLNK(st.st_mode);
}

static int
rm_one(const struct admin_options *o, const char *path,
    struct topic_place *place)
{
	int rc;

	(void)place;
	if (is_link(path)) {
		warnx("%s: a symbolic link: give the topic's own path", path);
		return CLI_FAIL;
	}
	rc = o->dry_run ? 0 : topic_remove(path);
	if (rc != 0)
		return message_warn(path, rc, NULL);
	printf("%s\n", path);
	return CLI_DONE;
}

int
topics_rm(const struct admin_options *o, char **words)
{
	return for_each_topic(o, words, rm_one, remote_topic_rm);
}

static int
promote_partition(const struct admin_options *o, const char *path, int32_t n,
    const struct partition_settings *settings)
{
	struct partition *p = NULL;
	struct fault f = {.file = ""};
	enum state_role role;
	char name[PATH_MAX];
	int rc;

	snprintf(name, sizeof(name), "%s/%d", path, (int)n);
	rc = partition_open(name, o->dry_run ? PARTITION_READ : PARTITION_WRITE,
	    settings, &p, &f);
	if (rc == 0)
		rc = partition_role(p, &role);
	if (rc == 0 && role == STATE_ROLE_REPLICA) {
		if (!o->dry_run)
			rc = partition_set_role(p, STATE_ROLE_OPEN, &f);
		if (rc == 0)
			printf("%s\n", name);
	} else if (rc == 0 && role != STATE_ROLE_OPEN) {
		rc = STATUS_ROLE;
	}
	partition_close(p);
	return rc == 0 ? CLI_DONE : message_warn(name, rc, &f);
}

/* What is done to each partition of each topic. */
struct change {
	const struct admin_options *o;
	int (*partition)(const struct admin_options *o, const char *path,
	    int32_t n, const struct partition_settings *settings);
	size_t topics;		/* seen to */
};

static int
change_topic(const char *path, struct topic_place *place, void *arg)
{
	struct change *c = arg;
	struct partition_settings settings;
	int worst = CLI_DONE;

	c->topics++;
	partition_settings_of(&place->topic.settings, &settings);
	for (int32_t n = 0; n < place->topic.partitions; n++) {
		int status = c->partition(c->o, path, n, &settings);

		worst = status > worst ? status : worst;
	}
	return worst;
}

/* A word is a topic, or a root of some. */
static int
change_roles(struct change *c, const char *verb, char **words)
{
	int status, worst = CLI_DONE;

	for (; *words != NULL; words++) {
		if (place_is_remote(*words))
			places_refuse(verb, "a cluster chooses its leaders");
		c->topics = 0;
		status = admin_each(*words, change_topic, c);
		if (status == CLI_DONE && c->topics == 0) {
			warnx("%s: no topic in it", *words);
			status = CLI_FAIL;
		}
		worst = status > worst ? status : worst;
	}
	return worst;
}

int
topics_promote(const struct admin_options *o, char **words)
{
	struct change c = {.o = o, .partition = promote_partition};

	return change_roles(&c, "topic promote", words);
}

static int
demote_partition(const struct admin_options *o, const char *path, int32_t n,
    const struct partition_settings *settings)
{
	struct partition *p = NULL;
	struct fault f = {.file = ""};
	enum state_role role;
	char name[PATH_MAX];
	int rc;

	snprintf(name, sizeof(name), "%s/%d", path, (int)n);
	rc = partition_open(name, o->dry_run ? PARTITION_READ : PARTITION_WRITE,
	    settings, &p, &f);
	if (rc == 0)
		rc = partition_role(p, &role);
	if (rc == 0 && !o->dry_run)
		rc = replica_demote(p, &f);
	if (rc == 0 && role == STATE_ROLE_OPEN)
		printf("%s\n", name);
	partition_close(p);
	return rc == 0 ? CLI_DONE : message_warn(name, rc, &f);
}

int
topics_demote(const struct admin_options *o, char **words)
{
	struct change c = {.o = o, .partition = demote_partition};

	return change_roles(&c, "topic demote", words);
}
