/*
 * logadmin: topics and groups, listed and changed.
 */

#include <err.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "admin.h"
#include "base/cli.h"
#include "base/status.h"
#include "store/root.h"
#include "tool/message.h"

enum { OPT_DRY_RUN = 256 };

static const struct cli_option options[] = {
    {'J', "json", NULL, "listings as lines of JSON"},
    {'o', "offset", "POS", "with group seek: where to go on"},
    {'p', "partition", "LIST", "with group seek: these partitions only"},
    {OPT_DRY_RUN, "dry-run", NULL, "say what would be changed"},
    {0, NULL, NULL, NULL},
};

static const struct cli_option *const tables[] = {options, places_options,
    NULL};

static const struct cli_program program = {
    "[OPTION]... OBJECT VERB PLACE [ARG]...",
    "List and change topics and groups: topic ls, describe, set, rm, promote,\n"
    "demote; group ls, describe, seek, rm.",
    tables,
};

/* What may be said, with how many words behind it. */
static const struct verb {
	const char *object;
	const char *name;
	int words_min;
	int words_max;
	const char *words;
	admin_verb *fn;
} verbs[] = {
    {"topic", "ls", 1, INT_MAX, "ROOT|kafka://HOST...", topics_ls},
    {"topic", "describe", 1, INT_MAX, "TOPIC...", topics_describe},
    {"topic", "set", 2, INT_MAX, "TOPIC PROP=VALUE...", topics_set},
    {"topic", "rm", 1, INT_MAX, "TOPIC...", topics_rm},
    {"topic", "promote", 1, INT_MAX, "TOPIC|ROOT...", topics_promote},
    {"topic", "demote", 1, INT_MAX, "TOPIC|ROOT...", topics_demote},
    {"group", "ls", 1, INT_MAX, "TOPIC|ROOT...", groups_ls},
    {"group", "describe", 2, 2, "TOPIC|ROOT GROUP", groups_describe},
    {"group", "seek", 2, 2, "TOPIC GROUP -o POS", groups_seek},
    {"group", "rm", 2, 2, "TOPIC GROUP", groups_rm},
};

static struct places places;
static struct admin_options opt = {.places = &places};

static void
set_option(int id)
{
	switch (id) {
	case 'J':
		opt.json = true;
		break;
	case 'o':
		opt.position = cli_arg;
		break;
	case 'p':
		if (parse_partitions(cli_arg, &opt.partitions) != 0)
			cli_usage("-p %s: not a list of partitions", cli_arg);
		break;
	case OPT_DRY_RUN:
		opt.dry_run = true;
		break;
	default:
		(void)places_set(&places, id);
		break;
	}
}

int
admin_locate(const char *path, struct topic_place *place)
{
	struct fault f = {.file = ""};
	int rc = topic_locate(path, place, &f);

	if (rc != 0)
		return message_warn(path, rc, &f);
	if (place->kind == TOPIC_PLACE_TOPIC)
		return CLI_DONE;
	topic_place_close(place);
	warnx("%s: not a whole topic", path);
	return CLI_FAIL;
}

/* All topics of a root; what is none is passed over. */
static int
each_in_root(const char *root,
    int (*fn)(const char *path, struct topic_place *place, void *arg),
    void *arg)
{
	struct topic_place place;
	struct root_list l;
	char path[PATH_MAX];
	struct fault f = {.file = ""};
	int worst = CLI_DONE, rc = root_read(root, &l);

	if (rc != 0)
		return message_warn(root, rc, &f);
	for (size_t i = 0; i < l.count; i++) {
		int status;

		snprintf(path, sizeof(path), "%s/%s", root, l.names[i]);
		rc = topic_locate(path, &place, &f);
		if (rc == STATUS_NOT_TOPIC || rc == STATUS_NO_TOPIC)
			continue;
		if (rc == 0 && place.kind != TOPIC_PLACE_TOPIC) {
			topic_place_close(&place);
			continue;
		}
		status = rc != 0 ? message_warn(path, rc, &f)
				 : fn(path, &place, arg);
		if (rc == 0)
			topic_place_close(&place);
		worst = status > worst ? status : worst;
	}
	root_list_release(&l);
	return worst;
}

int
admin_each(const char *path,
    int (*fn)(const char *path, struct topic_place *place, void *arg),
    void *arg)
{
	struct topic_place place;
	struct fault f = {.file = ""};
	int status, rc = topic_locate(path, &place, &f);

	if (rc == STATUS_NOT_TOPIC)
		return each_in_root(path, fn, arg);
	if (rc == 0)
		topic_place_close(&place);
	status = admin_locate(path, &place);
	if (status != CLI_DONE)
		return status;
	status = fn(path, &place, arg);
	topic_place_close(&place);
	return status;
}

static const struct verb *
find_verb(const char *object, const char *name)
{
	bool known = false;

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verbs[i].object, object) != 0)
			continue;
		known = true;
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	}
	if (!known)
		cli_usage("%s: not topic or group", object);
	cli_usage("%s %s: no such verb", object, name);
}

/* With -b the first word is a topic of the cluster, or missing it is that. */
static void
take_place(const struct verb *verb, int *words, char **word)
{
	static char whole[PLACE_BROKERS_MAX + 16];
	bool many = verb->words_max == INT_MAX && verb->fn != topics_set;

	if (places.brokers == NULL)
		return;
	if (*words < verb->words_min && verb->words_min == 1) {
		snprintf(whole, sizeof(whole), "kafka://%s", places.brokers);
		word[0] = whole;
		*words = 1;
		return;
	}
	places_take(&places, many ? *words : *words > 0 ? 1 : 0, word);
}

int
main(int argc, char **argv)
{
	static char *whole[2];
	const struct verb *verb;
	char **word;
	int id, words, status;

	cli_start(argv);
	places_init(&places);
	while ((id = cli_next(&program, argc, argv)) != -1)
		set_option(id);
	if (argc - cli_operand < 2)
		cli_usage("no object and verb named");
	verb = find_verb(argv[cli_operand], argv[cli_operand + 1]);
	words = argc - cli_operand - 2;
	/* There is room for one where there was none. */
	word = words > 0 ? argv + cli_operand + 2 : whole;
	take_place(verb, &words, word);
	if (words < verb->words_min || words > verb->words_max)
		cli_usage("%s %s wants %s", verb->object, verb->name,
		    verb->words);
	if (verb->fn != groups_seek &&
	    (opt.position != NULL || opt.partitions.count > 0))
		cli_usage("-o and -p are for group seek");
	status = verb->fn(&opt, word);
	places_release(&places);
	cli_close_stdout();
	return status;
}
