/*
 * logcompact: apply a topic's cleanup.policy now.
 */

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cli.h"
#include "base/now.h"
#include "base/parse.h"
#include "base/status.h"
#include "client/remote_admin.h"
#include "client/remote.h"
#include "store/compact.h"
#include "store/keymap.h"
#include "store/partition.h"
#include "store/properties.h"
#include "store/reader.h"
#include "store/retain.h"
#include "store/stream.h"
#include "store/topic.h"
#include "tool/message.h"
#include "tool/places.h"

enum {
	OPT_POLICY = 256,
	OPT_RETENTION,
	OPT_RETENTION_BYTES,
	OPT_BEFORE,
	OPT_INCLUDE_ACTIVE,
	OPT_DROP_KEY,
	OPT_MEMORY,
	OPT_STATS,
};

static const struct cli_option options[] = {
    {'p', "partition", "LIST", "these partitions only: 0,2,5-7"},
    {'n', "dry-run", NULL, "change nothing, print what would be done"},
    {'J', "json", NULL, "with --stats: a JSON object for each partition"},
    {OPT_BEFORE, "before", "POS", "delete the records before a position"},
    {OPT_DROP_KEY, "drop-key", "KEY", "erase all records of a key"},
    {OPT_INCLUDE_ACTIVE, "include-active", NULL,
	"close the active segment first, so that it is compacted too"},
    {OPT_MEMORY, "memory", "SIZE", "memory for keys (128M)"},
    {OPT_POLICY, "policy", "POLICY",
	"delete, compact or both, not what the topic says"},
    {OPT_RETENTION, "retention", "DUR", "not the topic's retention.ms"},
    {OPT_RETENTION_BYTES, "retention-bytes", "SIZE",
	"not the topic's retention.bytes"},
    {OPT_STATS, "stats", NULL, "print what was done"},
    {0, NULL, NULL, NULL},
};

static const struct cli_option *const tables[] = {options, places_options,
    places_options_client, NULL};

static const struct cli_program program = {
    "[OPTION]... TOPIC...",
    "Delete and compact what the topics' settings say, now.",
    tables,
};

static struct {
	struct partition_list partitions;
	bool dry_run;
	bool json;
	bool stats;
	bool include_active;
	bool has_before;
	struct position before;
	const char *drop_key;
	int64_t memory;
	int64_t policy;		/* bits of properties_cleanup; 0: the topic's */
	int64_t retention_ms;	/* INT64_MIN: the topic's */
	int64_t retention_bytes;
	struct places places;
} opt = {
    .memory = 128 << 20,
    .retention_ms = INT64_MIN,
    .retention_bytes = INT64_MIN,
};

/* What became of one partition. */
struct outcome {
	struct retain_stats before;
	struct retain_stats retained;
	struct compact_stats compacted;
	struct compact_stats dropped;
};

static void
set_policy(const char *value)
{
	if (strcmp(value, "delete") == 0)
		opt.policy = PROPERTIES_DELETE;
	else if (strcmp(value, "compact") == 0)
		opt.policy = PROPERTIES_COMPACT;
	else if (strcmp(value, "both") == 0)
		opt.policy = PROPERTIES_DELETE | PROPERTIES_COMPACT;
	else
		cli_usage("--policy %s: not delete, compact or both", value);
}

static void
set_option(int id)
{
	switch (id) {
	case 'p':
		if (parse_partitions(cli_arg, &opt.partitions) != 0)
			cli_usage("-p %s: not a list of partitions", cli_arg);
		break;
	case 'n':
		opt.dry_run = opt.stats = true;
		break;
	case 'J':
		opt.json = opt.stats = true;
		break;
	case OPT_STATS:
		opt.stats = true;
		break;
	case OPT_POLICY:
		set_policy(cli_arg);
		break;
	case OPT_RETENTION:
		if (parse_duration(cli_arg, &opt.retention_ms) != 0)
			cli_usage("--retention %s: not a duration", cli_arg);
		break;
	case OPT_RETENTION_BYTES:
		if (parse_size(cli_arg, &opt.retention_bytes) != 0)
			cli_usage("--retention-bytes %s: not a size", cli_arg);
		break;
	case OPT_BEFORE:
		if (parse_position(cli_arg, now_wall_ms(), cli_utc,
			&opt.before) != 0 ||
		    opt.before.kind == POSITION_STORED)
			cli_usage("--before %s: not a position", cli_arg);
		opt.has_before = true;
		break;
	case OPT_INCLUDE_ACTIVE:
		opt.include_active = true;
		break;
	case OPT_DROP_KEY:
		if (opt.drop_key != NULL)
			cli_usage("--drop-key is given twice");
		opt.drop_key = cli_arg;
		break;
	case OPT_MEMORY:
		if (parse_size(cli_arg, &opt.memory) != 0 ||
		    opt.memory < KEYMAP_BYTES_MIN)
			cli_usage("--memory %s: not a size of 64K or more",
			    cli_arg);
		break;
	default:
		(void)places_set(&opt.places, id);
		break;
	}
}

static void
check_options(void)
{
	if (opt.drop_key != NULL && opt.has_before)
		cli_usage("--drop-key and --before exclude each other");
	/* The others only matter where the policy is applied. */
	if ((opt.drop_key != NULL || opt.has_before) && opt.policy == 0 &&
	    (opt.retention_ms != INT64_MIN || opt.retention_bytes != INT64_MIN))
		cli_usage("--retention: not with --before or --drop-key "
			  "(--policy delete applies it too)");
}

/* --- one partition ------------------------------------------------------- */

static int
delete_before(struct partition *p, struct outcome *out, struct fault *f)
{
	int64_t start;
	int rc = stream_resolve(p, READER_UNCOMMITTED, &opt.before, -1, &start,
	    NULL, f);

	return rc != 0 ? rc
		       : retain_before(p, start, opt.dry_run, &out->before, f);
}

static int
retain(struct partition *p, const struct topic *t, struct outcome *out,
    struct fault *f)
{
	struct retain_options o;

	retain_options_of(&t->settings, now_wall_ms(), &o);
	if (opt.retention_ms != INT64_MIN)
		o.retention_ms = opt.retention_ms;
	if (opt.retention_bytes != INT64_MIN)
		o.retention_bytes = opt.retention_bytes;
	o.dry_run = opt.dry_run;
	o.log_start = out->before.log_start;
	return retain_run(p, &o, &out->retained, f);
}

/* Where the partition begins by what was deleted, or would have been. */
static int64_t
log_start(const struct outcome *out)
{
	return out->before.log_start > out->retained.log_start
	    ? out->before.log_start
	    : out->retained.log_start;
}

static int
compact(struct partition *p, const struct topic *t, bool drop,
    struct outcome *out, struct fault *f)
{
	struct compact_options o;

	compact_options_of(&t->settings, now_wall_ms(), &o);
	o.memory = (size_t)opt.memory;
	o.dry_run = opt.dry_run;
	o.include_active = opt.include_active || opt.drop_key != NULL;
	o.log_start = log_start(out);
	if (!drop)
		return compact_run(p, &o, &out->compacted, f);
	o.keep_last_only = false;
	o.drop = (struct bytes){(const uint8_t *)opt.drop_key,
	    (int32_t)strlen(opt.drop_key)};
	return compact_run(p, &o, &out->dropped, f);
}

static int
apply(struct partition *p, const struct topic *t, struct outcome *out,
    struct fault *f)
{
	int64_t policy = opt.policy;
	int rc = 0;

	if (policy == 0 && opt.drop_key == NULL && !opt.has_before)
		policy =
		    properties_int(&t->settings, PROPERTIES_CLEANUP_POLICY);
	if (opt.has_before)
		rc = delete_before(p, out, f);
	if (rc == 0 && (policy & PROPERTIES_DELETE) != 0)
		rc = retain(p, t, out, f);
	if (rc == 0 && !opt.dry_run &&
	    (opt.include_active || opt.drop_key != NULL))
		rc = partition_roll(p, f);
	if (rc == 0 && opt.drop_key != NULL)
		rc = compact(p, t, true, out, f);
	if (rc == 0 && (policy & PROPERTIES_COMPACT) != 0)
		rc = compact(p, t, false, out, f);
	return rc;
}

static void
print_stats(const char *topic, int32_t number, const struct outcome *out)
{
	const struct compact_stats *c =
	    opt.drop_key != NULL ? &out->dropped : &out->compacted;
	const struct retain_stats *a = &out->before, *b = &out->retained;
	static const char json[] =
	    "{\"topic\":\"%s\",\"partition\":%d,\"log_start\":%lld,"
	    "\"deleted_segments\":%lld,\"deleted_bytes\":%lld,"
	    "\"segments\":%lld,\"segments_left\":%lld,\"bytes\":%lld,"
	    "\"bytes_left\":%lld,\"records\":%lld,\"records_left\":%lld,"
	    "\"tombstones_left\":%lld,\"keys\":%lld,\"passes\":%d,"
	    "\"partial\":%s}\n";
	static const char text[] =
	    "%s/%d: start %lld; deleted %lld segments of %lld bytes; "
	    "compacted %lld segments to %lld, %lld bytes to %lld, %lld records "
	    "to %lld, %lld of them tombstones; %lld keys, %d passes%s\n";

	printf(opt.json ? json : text, topic, (int)number,
	    (long long)log_start(out), (long long)(a->segments + b->segments),
	    (long long)(a->bytes + b->bytes), (long long)c->segments,
	    (long long)c->segments_left, (long long)c->bytes,
	    (long long)c->bytes_left, (long long)c->records,
	    (long long)c->records_left, (long long)c->tombstones_left,
	    (long long)c->keys, c->passes,
	    opt.json         ? c->partial ? "true" : "false"
		: c->partial ? " (of more: the keys do not fit the memory)"
			     : "");
}

static int
refuse(const char *path, int rc, const struct fault *f)
{
	if (rc == EAGAIN) {
		warnx("%s: another is cleaning it", path);
		return CLI_FAIL;
	}
	return message_warn(path, rc, f);
}

static int
do_partition(const char *path, const struct topic_place *place, int32_t number)
{
	struct outcome out = {.retained = {.segments = 0}};
	struct partition_settings settings;
	struct partition_offsets offsets;
	struct partition *p = NULL;
	struct fault f = {.file = ""};
	enum state_role role;
	char name[PATH_MAX + 16];
	int rc;

	if (place->kind == TOPIC_PLACE_TOPIC)
		snprintf(name, sizeof(name), "%s/%d", path, (int)number);
	else
		strlcpy(name, path, sizeof(name));
	partition_settings_of(&place->topic.settings, &settings);
	rc = partition_open(name,
	    opt.dry_run ? PARTITION_READ : PARTITION_WRITE, &settings, &p, &f);
	if (rc == 0)
		rc = partition_role(p, &role);
	if (rc == 0 && role != STATE_ROLE_OPEN)
		rc = STATUS_ROLE;
	if (rc == 0)
		rc = apply(p, &place->topic, &out, &f);
	if (rc == 0)
		rc = partition_offsets(p, &offsets, &f);
	partition_close(p);
	if (rc != 0)
		return refuse(name, rc, &f);
	if (offsets.log_start > log_start(&out))
		out.retained.log_start = offsets.log_start;
	if (opt.stats)
		print_stats(place->name, number, &out);
	return CLI_DONE;
}

/* Are the partitions that were chosen there? */
static int
check_partitions(const char *path, const struct topic_place *place)
{
	for (size_t i = 0; i < opt.partitions.count; i++) {
		int32_t last = opt.partitions.spans[i].last;

		if (place->kind == TOPIC_PLACE_TOPIC && last >= place->count) {
			warnx("%s: no partition %d (it has %d)", path,
			    (int)last, (int)place->count);
			return CLI_FAIL;
		}
	}
	if (place->kind == TOPIC_PLACE_PARTITION &&
	    !parse_partitions_has(&opt.partitions, place->first)) {
		warnx("%s is partition %d, which -p does not choose", path,
		    (int)place->first);
		return CLI_FAIL;
	}
	return CLI_DONE;
}

/* Offsets are of one partition. */
static void
check_before(int32_t partitions)
{
	if (opt.has_before && opt.before.kind == POSITION_OFFSET &&
	    partitions > 1 && opt.partitions.count == 0)
		cli_usage("--before %lld: offsets are of one partition; choose "
			  "it with -p",
		    (long long)opt.before.n);
}

/* --- a cluster ------------------------------------------------------------ */

static void
check_remote(void)
{
	static const char why[] = "a cluster cleans up by itself";

	if (opt.drop_key != NULL)
		places_refuse("--drop-key", "append a tombstone of the key");
	if (opt.policy != 0)
		places_refuse("--policy", why);
	if (opt.include_active)
		places_refuse("--include-active", why);
	if (!opt.has_before)
		cli_usage("of a kafka:// place only --before can be deleted: "
			  "%s",
		    why);
}

static int
do_remote_partition(const char *path, struct remote_topic *t, struct cluster *c,
    int32_t number)
{
	struct outcome out = {.retained = {.segments = 0}};
	struct remote_partition *p = NULL;
	struct fault f = {.file = ""};
	int64_t first = 0, end;
	int rc = remote_partition_open(t, number, &p, &f);

	if (rc == 0) {
		remote_partition_bounds(p, &first, &end);
		rc = remote_partition_resolve(p, &opt.before, -1,
		    &out.retained.log_start, NULL, &f);
		remote_partition_close(p);
	}
	if (rc == 0 && !opt.dry_run && out.retained.log_start > first)
		rc = remote_admin_delete_before(c, remote_topic_name(t), number,
		    out.retained.log_start, &out.retained.log_start, &f);
	if (rc != 0)
		return message_warn(path, rc, &f);
	if (opt.stats)
		print_stats(remote_topic_name(t), number, &out);
	return CLI_DONE;
}

static int
do_remote_topic(const char *path)
{
	struct cluster_options o;
	struct fault f = {.file = ""};
	struct remote_topic *t = NULL;
	struct cluster *c = NULL;
	struct place place;
	int32_t count;
	int worst = CLI_DONE, rc;

	places_parse_topic(path, &place);
	places_cluster_options(&opt.places, NULL, &o);
	rc = remote_topic_open(&place, &o, true, -1, &t, &f);
	if (rc == 0)
		rc = remote_admin_open(&place, &o, &c, &f);
	if (rc == 0 && place.partition >= remote_topic_count(t))
		rc = STATUS_NO_TOPIC;
	if (rc == 0) {
		count = remote_topic_count(t);
		for (int32_t n = 0; n < count; n++) {
			int status;

			if (!parse_partitions_has(&opt.partitions, n) ||
			    (place.partition >= 0 && n != place.partition))
				continue;
			status = do_remote_partition(path, t, c, n);
			worst = status > worst ? status : worst;
		}
	}
	remote_topic_close(t);
	cluster_close(c);
	return rc == 0 ? worst : message_warn(path, rc, &f);
}

/* How many partitions a topic of a cluster has; 1 also if that is not known. */
static int32_t
count_remote(const char *path)
{
	struct cluster_options o;
	struct fault f = {.file = ""};
	struct remote_topic *t = NULL;
	struct place place;
	int32_t count = 1;

	places_parse_topic(path, &place);
	check_remote();
	if (place.partition >= 0 || opt.before.kind != POSITION_OFFSET ||
	    opt.partitions.count > 0)
		return 1;
	places_cluster_options(&opt.places, NULL, &o);
	if (remote_topic_open(&place, &o, true, -1, &t, &f) == 0)
		count = remote_topic_count(t);
	remote_topic_close(t);
	return count;
}

/*
 * Is the usage right with each of the operands?  Before anything is done: what
 * else is wrong with one is told when its turn comes.
 */
static void
check_operands(int count, char **paths)
{
	for (int i = 0; i < count; i++) {
		struct topic_place place;
		struct fault f = {.file = ""};

		if (place_is_remote(paths[i])) {
			check_before(count_remote(paths[i]));
		} else if (topic_locate(paths[i], &place, &f) == 0) {
			check_before(place.count);
			topic_place_close(&place);
		}
	}
}

static int
do_topic(const char *path)
{
	struct topic_place place;
	struct fault f = {.file = ""};
	int worst = CLI_DONE, rc;

	if (place_is_remote(path))
		return do_remote_topic(path);
	rc = topic_locate(path, &place, &f);
	if (rc != 0)
		return message_warn(path, rc, &f);
	if (!place.has_topic || place.kind > TOPIC_PLACE_PARTITION) {
		warnx("%s: not a topic, nor a partition of one", path);
		topic_place_close(&place);
		return CLI_FAIL;
	}
	if (check_partitions(path, &place) != CLI_DONE) {
		topic_place_close(&place);
		return CLI_FAIL;
	}
	for (int32_t n = place.first; n < place.first + place.count; n++) {
		if (!parse_partitions_has(&opt.partitions, n))
			continue;
		rc = do_partition(path, &place, n);
		worst = rc > worst ? rc : worst;
	}
	topic_place_close(&place);
	return worst;
}

int
main(int argc, char **argv)
{
	int id, worst = CLI_DONE;

	cli_start(argv);
	places_init(&opt.places);
	while ((id = cli_next(&program, argc, argv)) != -1)
		set_option(id);
	if (cli_operand == argc)
		cli_usage("no topic named");
	check_options();
	places_take(&opt.places, argc - cli_operand, argv + cli_operand);
	check_operands(argc - cli_operand, argv + cli_operand);
	for (int i = cli_operand; i < argc; i++) {
		int rc = do_topic(argv[i]);

		worst = rc > worst ? rc : worst;
	}
	places_release(&opt.places);
	cli_close_stdout();
	return worst;
}
