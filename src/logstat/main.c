/*
 * logstat: what is in topics.
 *
 * All partitions of the operands are visited in their order.  Each adds rows
 * to a listing, or its part to a verdict (check.h).
 */

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cli.h"
#include "base/parse.h"
#include "base/status.h"
#include "check.h"
#include "client/remote_admin.h"
#include "copies.h"
#include "remote.h"
#include "store/count.h"
#include "store/root.h"
#include "store/segment.h"
#include "store/topic.h"
#include "tool/lag.h"
#include "tool/listing.h"
#include "tool/message.h"

enum {
	OPT_SEGMENTS = 256,
	OPT_CHECK,
	OPT_MAX_AGE,
	OPT_GROUPS,
	OPT_REPLICAS,
	OPT_MAX_LAG,
	OPT_MAX_SILENCE,
};

static const struct cli_option options[] = {
    {'p', "partition", "LIST", "only these partitions (0,2,5-7)"},
    {OPT_SEGMENTS, "segments", NULL, "a line per segment"},
    {OPT_GROUPS, "groups", NULL, "a line per partition of each group: its lag"},
    {'g', "group", "GROUP", "the same of one group"},
    {OPT_REPLICAS, "replicas", NULL,
	"a line per partition that is a copy: how far it is behind"},
    {'J', "json", NULL, "print a line of JSON each"},
    {OPT_CHECK, "check", NULL, "one verdict for monitoring: exit 0, 1, 2 or 3"},
    {OPT_MAX_AGE, "max-age", "DUR",
	"with --check: a newest event that is older is critical"},
    {OPT_MAX_LAG, "max-lag", "N",
	"with --check: a group or copy that is further behind is critical"},
    {OPT_MAX_SILENCE, "max-silence", "DUR",
	"with --check: a copy's news of its source that are older are "
	"critical"},
    {0, NULL, NULL, NULL},
};

static const struct cli_option *const tables[] = {options, places_options,
    places_options_client, NULL};

static const struct cli_program program = {
    "[OPTION]... [TOPIC|ROOT|kafka://...]...",
    "Show what is in topics: offsets, exact counts, sizes, times.",
    tables,
};

static const struct listing_column partition_columns[] = {
    {"TOPIC", "topic"},
    {"PARTITION", "partition"},
    {"FIRST", "first_offset"},
    {"END", "end_offset"},
    {"RECORDS", "records"},
    {"BYTES", "bytes"},
    {"OLDEST", "oldest"},
    {"NEWEST", "newest"},
    {NULL, "segments"},
    {NULL, "last_stable_offset"},
    {NULL, NULL},
};

static const struct listing_column segment_columns[] = {
    {"TOPIC", "topic"},
    {"PARTITION", "partition"},
    {"FIRST", "first_offset"},
    {"END", "end_offset"},
    {"RECORDS", "records"},
    {"BYTES", "bytes"},
    {"OLDEST", "oldest"},
    {"NEWEST", "newest"},
    {"SEGMENT", "segment"},
    {NULL, NULL},
};

static struct partition_list chosen;
static bool by_segment;
static bool checking;
static bool json;
static bool by_group;
static bool by_copy;
static const char *group;	/* NULL: all */
static struct check_limits limits = {-1, -1, -1};
static size_t group_rows;

static struct places places;

static struct listing listing;
static int worst = CLI_DONE;

static void
set_duration(int id, int64_t *out)
{
	if (parse_duration(cli_arg, out) != 0)
		cli_usage("%s %s: not a duration (5m)",
		    cli_option_name(&program, id), cli_arg);
}

static void
set_option(int id)
{
	switch (id) {
	case 'p':
		if (parse_partitions(cli_arg, &chosen) != 0)
			cli_usage("%s %s: not a list of partitions",
			    cli_option_name(&program, id), cli_arg);
		break;
	case 'J':
		json = true;
		break;
	case OPT_SEGMENTS:
		by_segment = true;
		break;
	case OPT_GROUPS:
		by_group = true;
		break;
	case OPT_REPLICAS:
		by_copy = true;
		break;
	case 'g':
		by_group = true;
		group = cli_arg;
		break;
	case OPT_MAX_LAG:
		if (parse_int(cli_arg, 0, INT64_MAX, &limits.lag) != 0)
			cli_usage("--max-lag %s: not a number", cli_arg);
		break;
	case OPT_CHECK:
		checking = true;
		cli_usage_status = CHECK_UNKNOWN;
		break;
	case OPT_MAX_AGE:
		set_duration(id, &limits.age_ms);
		break;
	case OPT_MAX_SILENCE:
		set_duration(id, &limits.silence_ms);
		break;
	default:
		(void)places_set(&places, id);
		break;
	}
}

/* Tell that rc happened to path. */
static void
fail(const char *path, int rc, const struct fault *f)
{
	int status;

	if (checking) {
		check_error(path, rc, f);
		return;
	}
	status = message_warn(path, rc, f);
	if (worst == CLI_DONE)
		worst = status;
}

static void
list_partition(const char *name, int32_t number, const struct count *c)
{
	listing_text(&listing, name);
	listing_number(&listing, number);
	listing_number(&listing, c->offsets.log_start);
	listing_number(&listing, c->offsets.high_watermark);
	listing_number(&listing, c->records);
	listing_number(&listing, c->bytes);
	listing_time(&listing, c->oldest);
	listing_time(&listing, c->newest);
	listing_number(&listing, c->segments);
	listing_number(&listing, c->offsets.last_stable);
}

static void
list_segments(const char *name, int32_t number, const struct count_segments *l)
{
	char file[SEGMENT_NAME_LEN];

	for (size_t i = 0; i < l->count; i++) {
		const struct count_segment *s = &l->items[i];

		listing_text(&listing, name);
		listing_number(&listing, number);
		listing_number(&listing, s->first);
		listing_number(&listing, s->end);
		listing_number(&listing, s->records);
		listing_number(&listing, s->bytes);
		listing_time(&listing, s->oldest);
		listing_time(&listing, s->newest);
		segment_name(file, s->base, ".log");
		listing_text(&listing, file);
	}
}

static void
visit_partition(const char *path, const char *name, int32_t number)
{
	struct partition *p = NULL;
	struct count_segments segments = {NULL, 0, 0};
	struct count_health health;
	struct count count;
	struct fault f = {.file = ""};
	int rc =
	    partition_open(path, PARTITION_READ, &partition_defaults, &p, &f);

	if (rc == 0)
		rc = count_partition(p, &count, by_segment ? &segments : NULL,
		    &f);
	if (rc == 0 && checking)
		rc = count_health(p, &health);
	if (rc != 0)
		fail(path, rc, &f);
	else if (checking)
		check_partition(path, &count, &health);
	else if (by_segment)
		list_segments(name, number, &segments);
	else
		list_partition(name, number, &count);
	count_segments_release(&segments);
	partition_close(p);
}

/* A partition that was asked for must be there. */
static void
check_chosen(const char *path, const struct topic_place *place)
{
	struct fault f = {.file = ""};
	char missing[PATH_MAX];

	for (size_t i = 0; i < chosen.count; i++) {
		int32_t last = chosen.spans[i].last;

		if (last < place->count)
			continue;
		snprintf(missing, sizeof(missing), "%s/%d", path, (int)last);
		if (checking)
			check_error(missing, STATUS_NO_TOPIC, &f);
		else
			warnx("%s: no partition %d (it has %d)", path,
			    (int)last, (int)place->count);
		if (worst == CLI_DONE)
			worst = CLI_FAIL;
	}
}

/* Groups have positions in whole topics. */
static void
visit_groups(const char *path, struct topic_place *place)
{
	const struct lag_wanted wanted = {group, &chosen};
	struct fault f = {.file = ""};
	struct lag_worst lag = {.lag = -1};
	int rc;

	if (place->kind != TOPIC_PLACE_TOPIC)
		return;
	rc = lag_add(checking ? NULL : &listing, path, place, &wanted, &lag,
	    &group_rows, &f);
	if (rc != 0)
		fail(path, rc, &f);
	else if (checking && lag.lag >= 0)
		check_lag(lag.where, lag.lag);
}

/* So have copies their sources. */
static void
visit_copies(const char *path, const struct topic_place *place)
{
	struct fault f = {.file = ""};
	struct copies_worst worst_copy = {.lag = -1};
	int rc;

	if (place->kind != TOPIC_PLACE_TOPIC)
		return;
	rc = copies_add(checking ? NULL : &listing, path, place, &chosen,
	    &worst_copy, &f);
	if (rc != 0)
		fail(path, rc, &f);
	else if (checking && worst_copy.lag >= 0)
		check_copy(worst_copy.where, worst_copy.lag,
		    worst_copy.seen_ms);
}

static void
visit_place(const char *path, struct topic_place *place)
{
	char partition[PATH_MAX];

	if (by_group || limits.lag >= 0)
		visit_groups(path, place);
	if (by_copy || limits.lag >= 0 || limits.age_ms >= 0 ||
	    limits.silence_ms >= 0)
		visit_copies(path, place);
	if ((by_group || by_copy) && !checking)
		return;
	for (int32_t n = place->first; n < place->first + place->count; n++) {
		if (!parse_partitions_has(&chosen, n))
			continue;
		if (place->kind == TOPIC_PLACE_TOPIC)
			snprintf(partition, sizeof(partition), "%s/%d", path,
			    (int)n);
		else
			strlcpy(partition, path, sizeof(partition));
		visit_partition(partition, place->name, n);
	}
}

/*
 * What may be a topic in a root: false if it is none, or is gone.  *last is
 * the name of the one before it: partitions of a Kafka broker's topic stand
 * side by side.
 */
static bool
visit_child(const char *path, char last[NAME_MAX + 1])
{
	struct topic_place place;
	struct fault f = {.file = ""};
	int rc = topic_locate(path, &place, &f);

	if (rc == STATUS_NOT_TOPIC || rc == STATUS_NO_TOPIC)
		return false;
	if (rc != 0) {
		fail(path, rc, &f);
		return true;
	}
	if (checking &&
	    (place.kind != TOPIC_PLACE_FOREIGN ||
		strcmp(place.name, last) != 0))
		check_topic(path);
	strlcpy(last, place.name, NAME_MAX + 1);
	visit_place(path, &place);
	topic_place_close(&place);
	return true;
}

static void
visit_root(const char *root)
{
	struct root_list l;
	struct fault f = {.file = ""};
	char path[PATH_MAX], last[NAME_MAX + 1] = "";
	bool any = false;
	int rc = root_read(root, &l);

	if (rc != 0) {
		fail(root, rc == ENOTDIR ? STATUS_NOT_TOPIC : rc, &f);
		return;
	}
	for (size_t i = 0; i < l.count; i++) {
		if (strcmp(root, ".") == 0)
			strlcpy(path, l.names[i], sizeof(path));
		else
			snprintf(path, sizeof(path), "%s/%s", root, l.names[i]);
		any = visit_child(path, last) || any;
	}
	if (!any && !checking)
		cli_warn("%s: no topics", root);
	root_list_release(&l);
}

/* --- a cluster ------------------------------------------------------------ */

static void
on_remote_topic(const char *place, int32_t count)
{
	const struct topic_place as = {.kind = TOPIC_PLACE_TOPIC,
	    .count = count};

	if (checking)
		check_topic(place);
	check_chosen(place, &as);
}

static void
on_remote_partition(const struct remote_partition_stat *s)
{
	/* How many of the offsets have a record is not known. */
	const struct count c = {.records = -1,
	    .bytes = -1,
	    .oldest = s->oldest,
	    .newest = s->newest};
	const struct count_health health = {.failed = false};

	if (checking) {
		check_partition(s->place, &c, &health);
		return;
	}
	listing_text(&listing, s->topic);
	listing_number(&listing, s->number);
	listing_number(&listing, s->start);
	listing_number(&listing, s->end);
	listing_none(&listing);
	listing_none(&listing);
	listing_time(&listing, s->oldest);
	listing_time(&listing, s->newest);
	listing_none(&listing);
	listing_number(&listing, s->last_stable);
}

static int
visit_remote_groups(const char *path, struct fault *f)
{
	struct lag_worst lag = {.lag = -1};
	struct cluster_options o;
	struct cluster *c = NULL;
	struct place place;
	int rc;

	places_parse(path, &place);
	places_cluster_options(&places, NULL, &o);
	rc = remote_admin_open(&place, &o, &c, f);
	if (rc == 0)
		rc = lag_add_remote(checking ? NULL : &listing, c,
		    place.topic[0] == '\0' ? NULL : place.topic, group, &lag,
		    &group_rows, f);
	cluster_close(c);
	if (rc == 0 && checking && lag.lag >= 0)
		check_lag(lag.where, lag.lag);
	return rc;
}

static void
visit_remote(const char *path)
{
	const struct remote_visitor v = {.topic = on_remote_topic,
	    .partition = on_remote_partition,
	    .chosen = &chosen};
	struct fault f = {.file = ""};
	int rc = 0;

	if (by_segment)
		places_refuse("--segments", "a cluster does not tell them");
	if (by_copy)
		places_refuse("--replicas", "a cluster does not tell them");
	if (by_group || limits.lag >= 0)
		rc = visit_remote_groups(path, &f);
	if (rc == 0 && (!by_group || checking))
		rc = remote_visit(path, &places, &v, &f);
	if (rc != 0)
		fail(path, rc, &f);
}

static void
visit(const char *path)
{
	struct topic_place place;
	struct fault f = {.file = ""};
	int rc;

	if (place_is_remote(path)) {
		visit_remote(path);
		return;
	}
	rc = topic_locate(path, &place, &f);
	if (rc == STATUS_NOT_TOPIC) {
		visit_root(path);
		return;
	}
	if (rc == 0 && place.kind == TOPIC_PLACE_SEGMENT) {
		topic_place_close(&place);
		rc = STATUS_NOT_TOPIC;
	}
	if (rc != 0) {
		fail(path, rc, &f);
		return;
	}
	if (checking)
		check_topic(path);
	if (place.kind == TOPIC_PLACE_TOPIC)
		check_chosen(path, &place);
	visit_place(path, &place);
	topic_place_close(&place);
}

/* -b without a topic: the cluster. */
static void
visit_all_of(const char *brokers)
{
	char path[PLACE_BROKERS_MAX + 16];

	snprintf(path, sizeof(path), "kafka://%s", brokers);
	visit(path);
}

static void
check_options(void)
{
	if (checking && json)
		cli_usage("--check prints a verdict, not JSON");
	if (checking && by_segment)
		cli_usage("--check and --segments exclude each other");
	if (!checking && limits.age_ms >= 0)
		cli_usage("--max-age needs --check");
	if (!checking && limits.lag >= 0)
		cli_usage("--max-lag needs --check");
	if (!checking && limits.silence_ms >= 0)
		cli_usage("--max-silence needs --check");
	if (by_group && by_segment)
		cli_usage("--segments does not go with --groups and -g");
	if (by_copy && (by_segment || by_group))
		cli_usage("--replicas stands alone");
	if (by_copy && checking)
		cli_usage(
		    "--check looks at copies with --max-lag, --max-silence");
	if (by_group && checking && limits.lag < 0)
		cli_usage("--check looks at groups with --max-lag");
}

/* Usage is 3 with --check, also where what is wrong comes before it. */
static void
look_for_check(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--check") == 0)
			cli_usage_status = CHECK_UNKNOWN;
}

int
main(int argc, char **argv)
{
	int id;

	cli_start(argv);
	look_for_check(argc, argv);
	places_init(&places);
	while ((id = cli_next(&program, argc, argv)) != -1)
		set_option(id);
	check_options();
	listing_init(&listing,
	    by_group         ? lag_columns
		: by_copy    ? copies_columns
		: by_segment ? segment_columns
			     : partition_columns,
	    json);
	if (checking)
		check_init(&limits);
	places_take(&places, argc - cli_operand, argv + cli_operand);
	if (cli_operand == argc && places.brokers != NULL)
		visit_all_of(places.brokers);
	else if (cli_operand == argc)
		visit(".");
	for (int i = cli_operand; i < argc; i++)
		visit(argv[i]);
	if (checking) {
		if (group != NULL && group_rows == 0)
			check_no_group(group);
		return check_end();
	}
	listing_print(&listing, !cli_quiet);
	listing_release(&listing);
	cli_close_stdout();
	if (worst == CLI_DONE && group != NULL && group_rows == 0) {
		warnx("no group %s", group);
		worst = CLI_FAIL;
	}
	return worst;
}
