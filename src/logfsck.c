/*
 * logfsck: find what is damaged in topics' files, and repair it.
 */

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/parse.h"
#include "base/status.h"
#include "store/check.h"
#include "store/groups.h"
#include "store/partition.h"
#include "store/repair.h"
#include "store/topic.h"
#include "tool/message.h"

/* As fsck(8). */
enum {
	FSCK_CLEAN = 0,
	FSCK_REPAIRED = 1,
	FSCK_DAMAGE = 4,
	FSCK_FAIL = 8,
	FSCK_USAGE = 16,
};

static const struct cli_option options[] = {
    {'p', "partition", "LIST", "these partitions only: 0,2,5-7"},
    {'n', "dry-run", NULL, "check only (the default)"},
    {'y', "yes", NULL, "repair"},
    {'J', "json", NULL, "print a JSON object for each finding"},
    {0, NULL, NULL, NULL},
};

static const struct cli_option *const tables[] = {options, NULL};

static const struct cli_program program = {
    "[OPTION]... TOPIC...",
    "Find what is damaged in topics' files, and repair it.",
    tables,
};

static struct {
	struct partition_list partitions;
	bool dry_run;
	bool repair;
	bool json;
} opt;

/* Bytes read so far, of all operands. */
static int64_t bytes_read;

static void
set_option(int id)
{
	switch (id) {
	case 'p':
		if (parse_partitions(cli_arg, &opt.partitions) != 0)
			cli_usage("-p %s: not a list of partitions", cli_arg);
		break;
	case 'n':
		opt.dry_run = true;
		break;
	case 'y':
		opt.repair = true;
		break;
	case 'J':
		opt.json = true;
		break;
	}
}

static void
on_progress(int64_t bytes, void *arg)
{
	(void)arg;
	bytes_read += bytes;
	cli_progress(bytes_read, -1, "B");
}

/* --- what was found ------------------------------------------------------ */

static void
print_number(const char *name, int64_t n)
{
	if (n < 0)
		printf(",\"%s\":null", name);
	else
		printf(",\"%s\":%lld", name, (long long)n);
}

/* Names of topics and files have nothing to escape. */
static void
print_json(const char *topic, const char *part, const struct check_finding *x,
    const char *file)
{
	printf("{\"topic\":\"%s\",\"partition\":\"%s\",\"file\":\"%s\"", topic,
	    part, file);
	print_number("position", x->pos);
	print_number("bytes", x->len);
	print_number("offset", x->offset);
	print_number("offset_end", x->offset_end);
	printf(",\"what\":\"%s\",\"repaired\":%s,\"saved\":", x->what,
	    x->repaired ? "true" : "false");
	if (x->saved[0] != '\0')
		printf("\"" LOST_DIR "/%s\"}\n", x->saved);
	else
		printf("null}\n");
}

static void
print_text(const char *path, const struct check_finding *x, const char *file)
{
	printf("%s/%s: ", path, file);
	if (x->pos >= 0 && x->len >= 0)
		printf("byte %lld, %lld bytes", (long long)x->pos,
		    (long long)x->len);
	if (x->pos >= 0 && x->offset_end > x->offset)
		printf(", ");
	if (x->offset >= 0 && x->offset_end > x->offset)
		printf("offsets %lld to %lld", (long long)x->offset,
		    (long long)x->offset_end - 1);
	if (x->pos >= 0 || x->offset_end > x->offset)
		printf(": ");
	printf("%s", x->what);
	if (x->saved[0] != '\0')
		printf("%s kept in " LOST_DIR "/%s", x->repaired ? ";" : ",",
		    x->saved);
	printf("%s\n", x->repaired ? " (repaired)" : "");
}

/* Print them; the exit status that goes with them. */
static int
tell(const char *path, const char *topic, const char *part,
    const struct check *c)
{
	int status = FSCK_CLEAN;

	cli_progress_end();
	for (size_t i = 0; i < c->count; i++) {
		const struct check_finding *x = &c->findings[i];
		char file[CHECK_NAME_LEN];

		check_name(x, file);
		if (opt.json)
			print_json(topic, part, x, file);
		else
			print_text(path, x, file);
		status |= x->repaired ? FSCK_REPAIRED : FSCK_DAMAGE;
	}
	return status;
}

/* --- partitions ---------------------------------------------------------- */

static int
fail(const char *path, int rc, const struct fault *f)
{
	cli_progress_end();
	if (rc == EAGAIN)
		warnx("%s: another is cleaning it", path);
	else
		(void)message_warn(path, rc, f);
	return FSCK_FAIL;
}

static bool
has_repaired(const struct check *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->findings[i].repaired)
			return true;
	return false;
}

static int
check(struct partition *p, bool own, const char *path, const char *topic,
    const char *part)
{
	struct fault f = {.file = ""};
	struct check c;
	int status = FSCK_CLEAN, rc;

	check_init(&c);
	c.progress = on_progress;
	rc = opt.repair ? repair_run(p, &c, &f) : check_run(p, own, &c, &f);
	if (rc == 0 || c.count > 0)
		status = tell(path, topic, part, &c);
	if (rc != 0)
		status |= fail(path, rc, &f);
	/* Is it well now?  What was damaged may have hidden more. */
	for (int pass = 0; rc == 0 && pass < 2 && has_repaired(&c); pass++) {
		rc = check_run(p, own, &c, &f);
		if (rc == 0 && c.count > 0 && pass == 0)
			rc = repair_run(p, &c, &f);
		status |=
		    rc == 0 ? tell(path, topic, part, &c) : fail(path, rc, &f);
	}
	check_release(&c);
	return status;
}

static int
do_partition(const char *path, const struct topic_place *place,
    const char *part)
{
	struct partition_settings settings = partition_defaults;
	struct fault f = {.file = ""};
	struct partition *p = NULL;
	int status, rc;

	if (place->has_topic)
		partition_settings_of(&place->topic.settings, &settings);
	rc = partition_open(path, opt.repair ? PARTITION_WRITE : PARTITION_READ,
	    &settings, &p, &f);
	if (rc == ENOENT) {
		cli_progress_end();
		if (opt.json)
			printf("{\"topic\":\"%s\",\"partition\":\"%s\","
			       "\"file\":null,\"position\":null,\"bytes\":null,"
			       "\"offset\":null,\"offset_end\":null,"
			       "\"what\":\"missing\",\"repaired\":false,"
			       "\"saved\":null}\n",
			    place->name, part);
		else
			printf("%s: missing\n", path);
		return FSCK_DAMAGE;
	}
	if (rc != 0)
		return fail(path, rc, &f);
	status = check(p, place->has_topic, path, place->name, part);
	partition_close(p);
	if (status == FSCK_CLEAN && cli_verbose > 0)
		printf("%s: clean\n", path);
	return status;
}

/* One that was chosen and is not there is not clean. */
static int
check_chosen(const char *operand, const struct topic_place *place)
{
	int32_t end = place->first + place->count;
	int status = FSCK_CLEAN;

	for (size_t i = 0; i < opt.partitions.count; i++) {
		int32_t last = opt.partitions.spans[i].last;

		if (place->kind != TOPIC_PLACE_TOPIC || last < end)
			continue;
		warnx("%s: no partition %d (it has %d)", operand, (int)last,
		    (int)place->count);
		status = FSCK_FAIL;
	}
	return status;
}

static int
do_partitions(const char *operand, const struct topic_place *place)
{
	char path[PATH_MAX + 16], part[16];
	int status = check_chosen(operand, place);

	for (int32_t n = place->first; n < place->first + place->count; n++) {
		if (!parse_partitions_has(&opt.partitions, n))
			continue;
		snprintf(part, sizeof(part), "%d", (int)n);
		if (place->kind == TOPIC_PLACE_TOPIC)
			snprintf(path, sizeof(path), "%s/%s", operand, part);
		else
			strlcpy(path, operand, sizeof(path));
		status |= do_partition(path, place, part);
	}
	if (place->kind != TOPIC_PLACE_TOPIC || opt.partitions.count > 0)
		return status;
	snprintf(path, sizeof(path), "%s/" GROUPS_DIR, operand);
	if (access(path, F_OK) == 0)
		status |= do_partition(path, place, GROUPS_DIR);
	return status;
}

static int
do_operand(const char *operand)
{
	struct topic_place place;
	struct fault f = {.file = ""};
	int status = FSCK_FAIL, rc = topic_locate(operand, &place, &f);

	if (rc != 0)
		return fail(operand, rc, &f);
	if (place.kind == TOPIC_PLACE_SEGMENT)
		warnx("%s: a segment is checked with its partition", operand);
	else if (opt.repair && !place.has_topic)
		warnx("%s: not a topic's: what a Kafka broker wrote is not "
		      "changed",
		    operand);
	else
		status = do_partitions(operand, &place);
	topic_place_close(&place);
	return status;
}

int
main(int argc, char **argv)
{
	int id, status = FSCK_CLEAN;

	cli_start(argv);
	cli_usage_status = FSCK_USAGE;
	cli_fail_status = FSCK_FAIL;
	while ((id = cli_next(&program, argc, argv)) != -1)
		set_option(id);
	if (cli_operand == argc)
		cli_usage("no topic named");
	if (opt.repair && opt.dry_run)
		cli_usage("-n and -y exclude each other");
	for (int i = cli_operand; i < argc; i++)
		status |= do_operand(argv[i]);
	cli_close_stdout();
	return status;
}
