/*
 * logcreate: make topics.
 */

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/cli.h"
#include "base/parse.h"
#include "base/status.h"
#include "remote.h"
#include "store/topic.h"
#include "tool/message.h"
#include "tool/places.h"

enum {
	OPT_REPLICAS = 256,
	OPT_RETENTION,
	OPT_RETENTION_BYTES,
	OPT_SEGMENT_BYTES,
	OPT_COMPACT,
	OPT_COMPRESSION,
	OPT_IF_NOT_EXISTS,
	OPT_GROW_TO,
	OPT_DRY_RUN,
	OPT_LIKE,
	OPT_FIRST_OFFSET,
};

static const struct cli_option options[] = {
    {'P', "partitions", "N", "partitions of the topic (1)"},
    {'X', "set", "PROP=VALUE", "a topic setting, by Kafka's name"},
    {OPT_COMPACT, "compact", NULL, "keep the latest record of each key"},
    {OPT_COMPRESSION, "compression", "CODEC",
	"none, gzip, snappy, lz4, zstd or producer"},
    {OPT_RETENTION, "retention", "DUR", "keep records that long (for ever)"},
    {OPT_RETENTION_BYTES, "retention-bytes", "SIZE",
	"keep about that much in each partition"},
    {OPT_SEGMENT_BYTES, "segment-bytes", "SIZE", "size of a segment (1G)"},
    {OPT_REPLICAS, "replicas", "N",
	"copies in a cluster (as it does); 1 in a directory"},
    {OPT_IF_NOT_EXISTS, "if-not-exists", NULL,
	"fine if it is there with the same settings"},
    {OPT_GROW_TO, "grow-to", "N", "add partitions to a topic, up to N"},
    {OPT_LIKE, "like", "TOPIC", "settings and partitions of another topic"},
    {OPT_FIRST_OFFSET, "first-offset", "N", "the first record's offset (0)"},
    {OPT_DRY_RUN, "dry-run", NULL, "say what would be done"},
    {0, NULL, NULL, NULL},
};

static const struct cli_option *const tables[] = {options, places_options,
    NULL};

static const struct cli_program program = {
    "[OPTION]... TOPIC...",
    "Make topics: directories that hold ordered, durable logs of events.",
    tables,
};

static struct properties settings;
static bool said[PROPERTIES_COUNT];	/* which of them were said */
static const char *like;
static int64_t partitions = 1;
static int64_t grow_to;
static int64_t first_offset = -1;
static int32_t replicas = -1;
static bool partitions_given;
static bool if_not_exists;
static bool dry_run;
static struct places places;

static void
set_pair(const char *pair)
{
	const char *why = "not a setting";
	char name[64];
	enum properties_id id;

	if (properties_set_pair(&settings, pair, &why) != 0)
		cli_usage("%s: %s", pair, why);
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(pair, "="), pair);
	if (properties_find(name, &id) == 0)
		said[id] = true;
}

static void
set_value(int id, enum properties_id property, const char *value)
{
	const char *why = "not a value";

	if (properties_set(&settings, property, value, &why) != 0)
		cli_usage("%s %s: %s", cli_option_name(&program, id), value,
		    why);
	said[property] = true;
}

/* What was not said is as in another topic. */
static int
take_like(void)
{
	struct topic t;
	struct fault fault = {.file = ""};
	int32_t count = 0;
	int rc;

	if (place_is_remote(like)) {
		rc = remote_like(like, &places, &settings, said, &count);
		if (!partitions_given)
			partitions = count;
		partitions_given = true;
		return rc;
	}
	rc = topic_open(like, &t, &fault);
	if (rc != 0)
		return message_warn(like, rc, &fault);
	for (int i = 0; i < PROPERTIES_COUNT; i++)
		if (!said[i]) {
			settings.values[i] = t.settings.values[i];
			said[i] = settings.values[i].is_set;
		}
	if (!partitions_given)
		partitions = t.partitions;
	partitions_given = true;
	topic_close(&t);
	return CLI_DONE;
}

static int64_t
count_of(int id, const char *value)
{
	int64_t n;

	if (parse_int(value, 1, PARTITIONS_MAX, &n) != 0)
		cli_usage("%s %s: not a number from 1 to %d",
		    cli_option_name(&program, id), value, PARTITIONS_MAX);
	return n;
}

static void
set_option(int id)
{
	int64_t ms;

	switch (id) {
	case 'P':
		partitions = count_of(id, cli_arg);
		partitions_given = true;
		break;
	case 'X':
		set_pair(cli_arg);
		break;
	case OPT_REPLICAS:
		replicas = (int32_t)count_of(id, cli_arg);
		break;
	case OPT_RETENTION:
		if (parse_duration(cli_arg, &ms) != 0 &&
		    strcmp(cli_arg, "-1") != 0)
			cli_usage("--retention %s: not a duration, such as 7d",
			    cli_arg);
		set_value(id, PROPERTIES_RETENTION_MS, cli_arg);
		break;
	case OPT_RETENTION_BYTES:
		set_value(id, PROPERTIES_RETENTION_BYTES, cli_arg);
		break;
	case OPT_SEGMENT_BYTES:
		set_value(id, PROPERTIES_SEGMENT_BYTES, cli_arg);
		break;
	case OPT_COMPACT:
		set_pair("cleanup.policy=compact");
		break;
	case OPT_COMPRESSION:
		set_value(id, PROPERTIES_COMPRESSION_TYPE, cli_arg);
		break;
	case OPT_IF_NOT_EXISTS:
		if_not_exists = true;
		break;
	case OPT_GROW_TO:
		grow_to = count_of(id, cli_arg);
		break;
	case OPT_DRY_RUN:
		dry_run = true;
		break;
	case OPT_LIKE:
		like = cli_arg;
		break;
	case OPT_FIRST_OFFSET:
		if (parse_int(cli_arg, 0, TOPIC_FIRST_OFFSET_MAX,
			&first_offset) != 0)
			cli_usage("--first-offset %s: not a number from 0 to "
				  "%lld",
			    cli_arg, (long long)TOPIC_FIRST_OFFSET_MAX);
		break;
	default:
		(void)places_set(&places, id);
		break;
	}
}

/* Is the topic that stands there the one that was asked for? */
static int
compare(const char *path)
{
	struct topic t;
	struct fault fault = {.file = ""};
	bool same;
	int rc = topic_open(path, &t, &fault);

	if (rc != 0)
		return message_warn(path, rc, &fault);
	same = properties_equal(&t.settings, &settings) &&
	    (!partitions_given || t.partitions == partitions);
	topic_close(&t);
	if (same)
		return CLI_DONE;
	warnx("%s: topic exists with other settings", path);
	return CLI_CONDITION;
}

static int
refuse(const char *path, int rc)
{
	if (rc == STATUS_EXISTS && if_not_exists)
		return compare(path);
	if (rc == STATUS_NOT_TOPIC)
		warnx("%s: something else stands there", path);
	else
		warnx("%s: %s", path, status_text(rc));
	return CLI_FAIL;
}

static struct remote_wish
remote_wish(void)
{
	return (struct remote_wish){
	    .places = &places,
	    .settings = &settings,
	    .said = said,
	    .partitions = (int32_t)partitions,
	    .partitions_given = partitions_given,
	    .replicas = replicas,
	    .if_not_exists = if_not_exists,
	    .dry_run = dry_run,
	};
}

static void
check_remote(const char *path)
{
	struct place place;

	places_parse_topic(path, &place);
	if (first_offset >= 0)
		places_refuse("--first-offset", "a log begins at 0 there");
	if (grow_to == 0)
		return;
	if (grow_to < remote_count(path, &places))
		cli_usage("%s: has more partitions already; they cannot be "
			  "removed",
		    path);
}

/* What nobody can make or grow: told before anything is done. */
static void
check(const char *path)
{
	struct topic t;
	int32_t there;

	if (place_is_remote(path)) {
		check_remote(path);
		return;
	}
	if (replicas > 1)
		cli_usage("--replicas %d: a directory has one copy; more are "
			  "for kafka:// places",
		    (int)replicas);
	if (grow_to == 0 &&
	    (path[0] == '\0' || topic_may_create(path) == STATUS_SYNTAX))
		cli_usage("%s: not a name for a topic (1 to %d of A-Z a-z 0-9 "
			  ". _ -)",
		    path[0] == '\0' ? "''" : path, TOPIC_NAME_MAX);
	if (grow_to == 0 || topic_open(path, &t, NULL) != 0)
		return;
	there = t.partitions;
	topic_close(&t);
	if (grow_to < there)
		cli_usage("%s: has %d partitions already; they cannot be "
			  "removed",
		    path, (int)there);
}

/* --grow-to changes nothing else. */
static void
check_growing(void)
{
	if (first_offset >= 0)
		cli_usage("--first-offset is of a new topic: not with "
			  "--grow-to");
	if (partitions_given || like != NULL || if_not_exists)
		cli_usage("-P, --like and --if-not-exists do not go with "
			  "--grow-to");
	for (int i = 0; i < PROPERTIES_COUNT; i++)
		if (said[i])
			cli_usage("--grow-to changes no settings: logadmin "
				  "topic set TOPIC PROP=VALUE does");
}

static int
create(const char *path)
{
	const struct remote_wish wish = remote_wish();
	int rc;

	if (place_is_remote(path))
		return remote_create(path, &wish);
	if (dry_run) {
		rc = topic_may_create(path);
		if (rc != 0)
			return refuse(path, rc);
		warnx("%s: would make a topic of %lld partition%s", path,
		    (long long)partitions, partitions == 1 ? "" : "s");
		return CLI_DONE;
	}
	rc = topic_create_at(path, &settings, (int32_t)partitions,
	    first_offset < 0 ? 0 : first_offset, 0777);
	if (rc != 0)
		return refuse(path, rc);
	if (cli_verbose > 0)
		warnx("%s: made, %lld partition%s", path, (long long)partitions,
		    partitions == 1 ? "" : "s");
	return CLI_DONE;
}

static int
grow(const char *path)
{
	struct topic t;
	struct fault fault = {.file = ""};
	const struct remote_wish wish = remote_wish();
	int rc;

	if (place_is_remote(path))
		return remote_grow(path, (int32_t)grow_to, &wish);
	rc = topic_open(path, &t, &fault);
	if (rc != 0)
		return message_warn(path, rc, &fault);
	if (dry_run) {
		warnx("%s: would grow from %d to %lld partitions", path,
		    (int)t.partitions, (long long)grow_to);
	} else {
		rc = topic_grow(&t, (int32_t)grow_to, &fault);
		if (rc != 0)
			rc = message_warn(path, rc, &fault);
	}
	topic_close(&t);
	return rc;
}

int
main(int argc, char **argv)
{
	int id, worst = CLI_DONE;

	cli_start(argv);
	properties_init(&settings);
	places_init(&places);
	while ((id = cli_next(&program, argc, argv)) != -1)
		set_option(id);
	if (cli_operand == argc)
		cli_usage("no topic named");
	places_take(&places, argc - cli_operand, argv + cli_operand);
	if (grow_to > 0)
		check_growing();
	for (int i = cli_operand; i < argc; i++)
		check(argv[i]);
	if (like != NULL && take_like() != CLI_DONE)
		return CLI_FAIL;
	for (int i = cli_operand; i < argc; i++) {
		int rc = grow_to > 0 ? grow(argv[i]) : create(argv[i]);

		if (worst == CLI_DONE || rc == CLI_FAIL)
			worst = rc != CLI_DONE ? rc : worst;
	}
	places_release(&places);
	cli_close_stdout();
	return worst;
}
