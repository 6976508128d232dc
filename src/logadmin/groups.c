/*
 * logadmin group: ls, describe, seek, rm.
 */

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin.h"
#include "base/cli.h"
#include "base/io.h"
#include "base/now.h"
#include "base/status.h"
#include "remote.h"
#include "store/groups.h"
#include "store/member.h"
#include "store/partition.h"
#include "store/stream.h"
#include "tool/lag.h"
#include "tool/listing.h"
#include "tool/message.h"

static const struct listing_column ls_columns[] = {
    {"GROUP", "group"},
    {"TOPIC", "topic"},
    {"PARTITIONS", "partitions"},
    {"COMMITTED", "committed"},
    {"IN-USE", "in_use"},
    {NULL, NULL},
};

static const struct listing_column change_columns[] = {
    {"GROUP", "group"},
    {"TOPIC", "topic"},
    {"PARTITION", "partition"},
    {"WAS", "was"},
    {"IS", "is"},
    {NULL, NULL},
};

static int
ls_one(const char *path, struct topic_place *place, void *arg)
{
	struct listing *l = arg;
	struct fault f = {.file = ""};
	const struct groups_entry *e;
	struct groups *g = NULL;
	int rc = groups_open(path, &place->topic, false, &g, &f);
	size_t i = 0;
	bool in_use;

	if (rc != 0)
		return message_warn(path, rc, &f);
	while ((e = groups_at(g, i)) != NULL) {
		const char *group = e->group;
		int64_t count = 0, latest = -1;

		for (; e != NULL && strcmp(e->group, group) == 0;
		     e = groups_at(g, ++i)) {
			count++;
			if (e->commit_ms > latest)
				latest = e->commit_ms;
		}
		listing_text(l, group);
		listing_text(l, place->name);
		listing_number(l, count);
		listing_time(l, latest);
		rc = member_any(groups_dirfd(g), group, &in_use);
		lag_use(l, rc == 0, in_use);
		if (rc != 0 && rc != EACCES)
			break;
	}
	groups_close(g);
	return rc == 0 || rc == EACCES ? CLI_DONE
				       : message_warn(path, rc, NULL);
}

int
groups_ls(const struct admin_options *o, char **words)
{
	struct listing l;
	int worst = CLI_DONE;

	listing_init(&l, ls_columns, o->json);
	for (; *words != NULL; words++) {
		int status = place_is_remote(*words)
		    ? remote_group_ls(o, *words, &l)
		    : admin_each(*words, ls_one, &l);

		worst = status > worst ? status : worst;
	}
	listing_print(&l, !cli_quiet);
	listing_release(&l);
	return worst;
}

struct description {
	struct listing listing;
	const char *group;
	size_t rows;
};

static int
describe_one(const char *path, struct topic_place *place, void *arg)
{
	struct description *d = arg;
	const struct lag_wanted wanted = {.group = d->group};
	struct fault f = {.file = ""};
	int rc = lag_add(&d->listing, path, place, &wanted, NULL, &d->rows, &f);

	return rc == 0 ? CLI_DONE : message_warn(path, rc, &f);
}

int
groups_describe(const struct admin_options *o, char **words)
{
	struct description d = {.group = words[1]};
	int status;

	listing_init(&d.listing, lag_columns, o->json);
	status = place_is_remote(words[0])
	    ? remote_group_describe(o, words[0], words[1], &d.listing, &d.rows)
	    : admin_each(words[0], describe_one, &d);
	listing_print(&d.listing, !cli_quiet);
	listing_release(&d.listing);
	if (status == CLI_DONE && d.rows == 0) {
		warnx("%s: no group %s", words[0], words[1]);
		return CLI_FAIL;
	}
	return status;
}

/* --- changes ------------------------------------------------------------- */

/* A group of a topic, to be changed while nobody uses it. */
struct target {
	const char *path;
	const char *group;
	struct topic_place place;
	struct groups *groups;
	int claim;		/* -1: not ours */
};

static int
open_target(const struct admin_options *o, char **words, struct target *t)
{
	struct fault f = {.file = ""};
	int rc, status;

	*t = (struct target){.path = words[0], .group = words[1], .claim = -1};
	if (!groups_is_name(t->group))
		cli_usage("%s: not a name for a group", t->group);
	status = admin_locate(t->path, &t->place);
	if (status != CLI_DONE)
		return status;
	rc = groups_open(t->path, &t->place.topic, !o->dry_run, &t->groups, &f);
	if (rc == 0)
		return CLI_DONE;
	topic_place_close(&t->place);
	return message_warn(t->path, rc, &f);
}

static void
close_target(struct target *t)
{
	(void)io_close(&t->claim);
	groups_close(t->groups);
	topic_place_close(&t->place);
}

/* From now on nobody else uses it, and its positions are as of now. */
static int
claim(const struct admin_options *o, struct target *t)
{
	int dirfd = groups_dirfd(t->groups), rc = 0;
	struct fault f = {.file = ""};
	bool used = false;

	if (!o->dry_run)
		rc = member_claim(dirfd, t->group, &t->claim);
	else
		rc = member_is_used(dirfd, t->group, &used);
	if (o->dry_run && rc != 0) {
		warnx("%s: whether group %s is in use: %s", t->path, t->group,
		    status_text(rc));
		return CLI_FAIL;
	}
	if (rc == EBUSY || used) {
		warnx("%s: group %s is in use; end its members first", t->path,
		    t->group);
		return CLI_CONDITION;
	}
	if (rc == 0)
		rc = groups_refresh(t->groups, &f);
	return rc == 0 ? CLI_DONE : message_warn(t->path, rc, &f);
}

static int
resolve(const char *path, int32_t n, const struct position *at, int64_t stored,
    int64_t *offset)
{
	struct partition *p = NULL;
	struct fault f = {.file = ""};
	char name[PATH_MAX];
	int rc;

	snprintf(name, sizeof(name), "%s/%d", path, (int)n);
	rc = partition_open(name, PARTITION_READ, &partition_defaults, &p, &f);
	if (rc == 0)
		rc = stream_resolve(p, 0, at, stored, offset, NULL, &f);
	partition_close(p);
	return rc == 0 ? CLI_DONE : message_warn(name, rc, &f);
}

/* Commit the entries, or only say so. */
static int
change(const struct admin_options *o, const struct target *t,
    const struct groups_entry *entries, size_t count)
{
	struct fault f = {.file = ""};
	struct listing l;
	int rc = 0;

	listing_init(&l, change_columns, o->json);
	for (size_t i = 0; i < count; i++) {
		const struct groups_entry *was =
		    groups_find(t->groups, t->group, entries[i].partition);

		listing_text(&l, t->group);
		listing_text(&l, t->place.name);
		listing_number(&l, entries[i].partition);
		if (was == NULL)
			listing_none(&l);
		else
			listing_number(&l, was->offset);
		if (entries[i].offset < 0)
			listing_none(&l);
		else
			listing_number(&l, entries[i].offset);
	}
	if (!o->dry_run)
		rc = groups_commit(t->groups, t->group, entries, count, &f);
	if (rc == 0)
		listing_print(&l, !cli_quiet);
	listing_release(&l);
	return rc == 0 ? CLI_DONE : message_warn(t->path, rc, &f);
}

/* A partition that was asked for must be there. */
static int
check_partitions(const struct admin_options *o, const struct target *t)
{
	int status = CLI_DONE;

	for (size_t i = 0; i < o->partitions.count; i++)
		if (o->partitions.spans[i].last >= t->place.count) {
			warnx("%s: no partition %d (it has %d)", t->path,
			    (int)o->partitions.spans[i].last,
			    (int)t->place.count);
			status = CLI_FAIL;
		}
	return status;
}

static int
seek(const struct admin_options *o, const struct target *t,
    const struct position *at)
{
	struct groups_entry *entries =
	    calloc((size_t)t->place.count, sizeof(*entries));
	const struct groups_entry *was;
	int status = CLI_DONE;
	size_t count = 0;

	if (entries == NULL)
		err(CLI_FAIL, NULL);
	for (int32_t n = 0; status == CLI_DONE && n < t->place.count; n++) {
		if (!parse_partitions_has(&o->partitions, n))
			continue;
		was = groups_find(t->groups, t->group, n);
		entries[count] =
		    (struct groups_entry){.partition = n, .leader_epoch = -1};
		status = resolve(t->path, n, at, was == NULL ? -1 : was->offset,
		    &entries[count++].offset);
	}
	if (status == CLI_DONE)
		status = change(o, t, entries, count);
	free(entries);
	return status;
}

/* In a cluster: at NULL, forget the group. */
static int
change_remote(const struct admin_options *o, char **words,
    const struct position *at)
{
	struct listing l;
	int status;

	listing_init(&l, change_columns, o->json);
	status = at != NULL ? remote_group_seek(o, words[0], words[1], at, &l)
			    : remote_group_rm(o, words[0], words[1], &l);
	if (status == CLI_DONE)
		listing_print(&l, !cli_quiet);
	listing_release(&l);
	return status;
}

int
groups_seek(const struct admin_options *o, char **words)
{
	struct position at;
	struct target t;
	int status;

	if (o->position == NULL)
		cli_usage("group seek needs -o POS");
	if (parse_position(o->position, now_wall_ms(), cli_utc, &at) != 0 ||
	    at.kind == POSITION_STORED)
		cli_usage("-o %s: not a position", o->position);
	if (place_is_remote(words[0]))
		return change_remote(o, words, &at);
	status = open_target(o, words, &t);
	if (status != CLI_DONE)
		return status;
	status = check_partitions(o, &t);
	if (status == CLI_DONE)
		status = claim(o, &t);
	if (status == CLI_DONE)
		status = seek(o, &t, &at);
	close_target(&t);
	return status;
}

static bool
is_known(const struct target *t)
{
	const struct groups_entry *e =
	    groups_at(t->groups, groups_first(t->groups, t->group));

	return e != NULL && strcmp(e->group, t->group) == 0;
}

static int
forget(const struct admin_options *o, const struct target *t)
{
	struct groups_entry *entries = NULL;
	const struct groups_entry *e;
	size_t count = 0;
	int status;

	for (size_t i = groups_first(t->groups, t->group);
	     (e = groups_at(t->groups, i)) != NULL &&
	     strcmp(e->group, t->group) == 0;
	     i++) {
		entries = reallocarray(entries, count + 1, sizeof(*entries));
		if (entries == NULL)
			err(CLI_FAIL, NULL);
		entries[count++] =
		    (struct groups_entry){.partition = e->partition,
			.offset = -1,
			.leader_epoch = -1};
	}
	status = change(o, t, entries, count);
	free(entries);
	return status;
}

int
groups_rm(const struct admin_options *o, char **words)
{
	struct target t;
	int status;

	if (place_is_remote(words[0]))
		return change_remote(o, words, NULL);
	status = open_target(o, words, &t);
	if (status != CLI_DONE)
		return status;
	/* To claim one that is not there would leave a file. */
	if (is_known(&t))
		status = claim(o, &t);
	if (status == CLI_DONE && !is_known(&t)) {
		warnx("%s: no group %s", t.path, t.group);
		status = CLI_FAIL;
	}
	if (status == CLI_DONE)
		status = forget(o, &t);
	close_target(&t);
	return status;
}
