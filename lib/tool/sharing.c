#include "tool/sharing_impl.h"

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cli.h"
#include "base/now.h"
#include "base/status.h"
#include "tool/message.h"

enum {
	COMMIT_MS = 1000,
	GOING_MS = 10000,	/* that rm(1) may take with a topic */
	QUICK_MS = 1,
	IDLE_MS = 20,		/* for what a cluster's group does */
};

int
sharing_fail(const struct sharing_topic *t, int rc, const struct fault *f)
{
	return message_warn(groups_path(t->groups), rc, f);
}

static int
make_shares(struct sharing_topic *t, int32_t count)
{
	struct share *shares =
	    reallocarray(t->shares, (size_t)count, sizeof(*shares));

	if (shares == NULL)
		return ENOMEM;
	t->shares = shares;
	while (t->count < count)
		t->shares[t->count++] =
		    (struct share){.committed = -1, .end = -1};
	return member_grow(t->member, count);
}

static int
join(struct sharing *sh, size_t i)
{
	struct sharing_topic *t = &sh->topics[i];
	const char *path = sh->s->paths[i];
	struct topic_place *place = &sh->s->places[i];
	struct fault f = {.file = ""};
	int rc;

	if (place->kind != TOPIC_PLACE_TOPIC) {
		warnx("%s: not a topic: only a whole one can be shared", path);
		return CLI_FAIL;
	}
	rc = groups_open(path, &place->topic, true, &t->groups, &f);
	if (rc == STATUS_CORRUPT)
		return message_warn(path, rc, &f);
	if (rc != 0) {
		warnx("%s: group positions cannot be kept in it: %s", path,
		    status_text(rc));
		return CLI_FAIL;
	}
	rc = member_join(groups_dirfd(t->groups), sh->group, place->count,
	    &t->member);
	if (rc == EBUSY) {
		warnx("%s: group %s is in use by a server; end its members "
		      "there first",
		    path, sh->group);
		return CLI_FAIL;
	}
	if (rc == 0)
		rc = make_shares(t, place->count);
	if (rc == 0 && sh->s->watch != NULL)
		rc = watch_add_closing(sh->s->watch, groups_path(t->groups));
	return rc == 0 ? CLI_DONE : sharing_fail(t, rc, NULL);
}

/* --- a cluster's group ---------------------------------------------------- */

static int
grow_shares(struct sharing_topic *t, int32_t count)
{
	struct share *shares =
	    reallocarray(t->shares, (size_t)count, sizeof(*shares));

	if (shares == NULL)
		return ENOMEM;
	t->shares = shares;
	while (t->count < count)
		t->shares[t->count++] = (struct share){.committed = -1};
	return 0;
}

static size_t
find_topic(const struct sharing *sh, const char *topic)
{
	size_t i = 0;

	while (i + 1 < sh->count && strcmp(sh->s->places[i].name, topic) != 0)
		i++;
	return i;
}

static int
on_taken(void *arg, const char *topic, int32_t number, int64_t stored,
    rd_kafka_queue_t *queue, int64_t *offset)
{
	struct sharing *sh = arg;
	size_t i = find_topic(sh, topic);
	struct sharing_topic *t = &sh->topics[i];
	struct share *share;
	bool over;
	int status;

	if (number >= t->count && grow_shares(t, number + 1) != 0) {
		rdkafka.queue_destroy(queue);
		sh->status = message_warn(topic, ENOMEM, NULL);
		return ENOMEM;
	}
	share = &t->shares[number];
	over = share->over;
	*share = (struct share){.committed = stored};
	status = sources_open_member(sh->s, i, number, stored,
	    remote_group_cluster(sh->remote), queue, &share->stream);
	if (status != CLI_DONE) {
		sh->status = status;
		return EIO;
	}
	/* Where a new group begins is committed, too. */
	sharing_note(share);
	sh->anew = sh->anew || stored < 0;
	*offset = share->next;
	/* What was read to the end as of the start stays so. */
	share->over = over || stream_is_over(share->stream);
	return 0;
}

static void
on_leaving(void *arg)
{
	(void)sharing_commit(arg, true);
}

static void
on_given(void *arg, const char *topic, int32_t number)
{
	struct sharing *sh = arg;
	struct share *share = &sh->topics[find_topic(sh, topic)].shares[number];

	stream_close(share->stream);
	share->stream = NULL;
}

static int
open_remote(struct sharing *sh)
{
	const struct remote_group_events events = {.taken = on_taken,
	    .leaving = on_leaving,
	    .given = on_given,
	    .arg = sh};
	struct sources *s = sh->s;
	const char **topics = calloc(s->count, sizeof(char *));
	struct fault f = {.file = ""};
	struct cluster_options o;
	struct place place;
	int rc = topics == NULL ? ENOMEM : 0;

	places_parse_topic(s->paths[0], &place);
	sources_cluster_options(s, &o);
	for (size_t i = 0; rc == 0 && i < s->count; i++) {
		topics[i] = s->places[i].name;
		rc = grow_shares(&sh->topics[i], s->places[i].count);
	}
	if (rc == 0)
		rc = remote_group_open(&place, &o, s->r->uncommitted, sh->group,
		    topics, s->count,
		    s->watch == NULL ? -1 : watch_wake_fd(s->watch), &events,
		    &sh->remote, &f);
	free(topics);
	return rc == 0 ? CLI_DONE : message_warn(s->paths[0], rc, &f);
}

static int
commit_remote(struct sharing *sh, size_t i)
{
	struct sharing_topic *t = &sh->topics[i];
	struct remote_group_position *positions =
	    calloc((size_t)t->count + 1, sizeof(*positions));
	struct fault f = {.file = ""};
	size_t count = 0;
	int rc = positions == NULL ? ENOMEM : 0;

	for (int32_t n = 0; rc == 0 && n < t->count; n++) {
		struct share *share = &t->shares[n];

		if (share->stream != NULL && share->next != share->committed)
			positions[count++] =
			    (struct remote_group_position){sh->s->places[i]
							       .name,
				n, share->next};
	}
	if (rc == 0)
		rc = remote_group_commit(sh->remote, positions, count, &f);
	for (size_t k = 0; rc == 0 && k < count; k++)
		t->shares[positions[k].partition].committed =
		    positions[k].offset;
	free(positions);
	if (rc == EAGAIN) {
		cli_warn("%s: group %s went on without us: what was read last "
			 "may be read again",
		    sh->s->paths[i], sh->group);
		return CLI_DONE;
	}
	return rc == 0 ? CLI_DONE : message_warn(sh->s->paths[i], rc, &f);
}

static int
balance_remote(struct sharing *sh)
{
	struct fault f = {.file = ""};
	int wait_ms = sh->idle && sh->s->watch == NULL ? IDLE_MS : 0;
	int rc = remote_group_poll(sh->remote, wait_ms, &f);
	int status = CLI_DONE;

	/* What went wrong with a partition was told then. */
	if (sh->status != CLI_DONE)
		return sh->status;
	if (rc != 0)
		return message_warn(sh->s->paths[0], rc, &f);
	for (size_t i = 0; sh->anew && status == CLI_DONE && i < sh->count; i++)
		status = commit_remote(sh, i);
	sh->anew = false;
	return status;
}

/* --- either ------------------------------------------------------------- */

int
sharing_open(struct sources *s, const char *group, struct sharing *out)
{
	int status = CLI_DONE;

	*out = (struct sharing){.s = s,
	    .group = group,
	    .count = s->count,
	    .commit_ms = now_mono_ms()};
	out->topics = calloc(s->count, sizeof(*out->topics));
	if (out->topics == NULL)
		return message_warn(group, ENOMEM, NULL);
	if (s->remotes[0] != NULL)
		return open_remote(out);
	for (size_t i = 0; status == CLI_DONE && i < s->count; i++)
		status = join(out, i);
	return status;
}

static bool
is_removed(struct sharing *sh, size_t i)
{
	struct sharing_topic *t = &sh->topics[i];

	if (t->removed || !sources_is_removed(sh->s, i))
		return t->removed;
	t->removed = sh->removed = true;
	if (sh->s->r->retry)
		cli_warn("%s: removed; waiting for it to come back",
		    sh->s->paths[i]);
	else
		warnx("%s: removed", sh->s->paths[i]);
	return true;
}

bool
sharing_is_removed(struct sharing *sh)
{
	bool any = false;

	for (size_t i = 0; i < sh->count; i++)
		any = is_removed(sh, i) || any;
	return any;
}

/*
 * Who removes a topic takes what is in it first, for a while: with --retry that
 * is no failure yet.
 */
static bool
is_going(const struct sharing *sh, struct sharing_topic *t, int rc)
{
	int64_t now = now_mono_ms();

	if (!sh->s->r->retry ||
	    (rc != STATUS_REMOVED && rc != STATUS_NO_TOPIC &&
		rc != STATUS_CORRUPT && rc != ENOENT))
		return false;
	if (t->going_ms == 0)
		t->going_ms = now;
	return now - t->going_ms < GOING_MS;
}

int
sharing_commit_topic(struct sharing *sh, size_t topic, bool now)
{
	struct sharing_topic *t = &sh->topics[topic];
	struct groups_entry *entries =
	    calloc((size_t)t->count + 1, sizeof(*entries));
	struct fault f = {.file = ""};
	size_t count = 0;
	int rc = entries == NULL ? ENOMEM : 0;

	/* Told once; what it left is for the next program to look at. */
	if (t->failed) {
		free(entries);
		return CLI_FAIL;
	}
	for (int32_t n = 0; rc == 0 && n < t->count; n++) {
		struct share *share = &t->shares[n];

		if (share->stream == NULL || share->next == share->committed)
			continue;
		entries[count++] = (struct groups_entry){.partition = n,
		    .offset = share->next,
		    .leader_epoch = -1};
	}
	if (rc == 0)
		rc = groups_commit(t->groups, sh->group, entries, count, &f);
	for (size_t i = 0; rc == 0 && i < count; i++)
		t->shares[entries[i].partition].committed = entries[i].offset;
	free(entries);
	if (rc != 0 && is_removed(sh, topic))
		return sh->s->r->retry ? CLI_DONE : CLI_FAIL;
	if (rc != 0 && !now && is_going(sh, t, rc))
		return CLI_DONE;
	if (rc == 0) {
		t->going_ms = 0;
		return CLI_DONE;
	}
	t->failed = true;
	return sharing_fail(t, rc, &f);
}

int
sharing_commit(struct sharing *sh, bool now)
{
	int worst = CLI_DONE;

	if (!now && now_mono_ms() - sh->commit_ms < COMMIT_MS)
		return CLI_DONE;
	sh->commit_ms = now_mono_ms();
	for (size_t i = 0; i < sh->count; i++) {
		int status = CLI_DONE;

		if (sh->remote != NULL)
			status = commit_remote(sh, i);
		else if (sh->topics[i].member != NULL)
			status = sharing_commit_topic(sh, i, now);
		worst = status > worst ? status : worst;
	}
	return worst;
}

int
sharing_commit_round(struct sharing *sh, bool idle)
{
	return sharing_commit(sh,
	    idle && sh->remote == NULL && !sh->s->r->follow);
}

int
sharing_close(struct sharing *sh)
{
	int status = sh->topics == NULL ? CLI_DONE : sharing_commit(sh, true);

	if (sh->topics != NULL)
		remote_group_close(sh->remote);
	sh->remote = NULL;
	for (size_t i = 0; sh->topics != NULL && i < sh->count; i++) {
		struct sharing_topic *t = &sh->topics[i];

		for (int32_t n = 0; n < t->count; n++)
			stream_close(t->shares[n].stream);
		free(t->shares);
		member_leave(t->member);
		groups_close(t->groups);
	}
	free(sh->topics);
	sh->topics = NULL;
	watch_close(sh->watch);
	sh->watch = NULL;
	return status;
}

void
sharing_note(struct share *share)
{
	const char *topic;
	int32_t number;

	stream_position(share->stream, 0, &topic, &number, &share->next);
}

bool
sharing_is_finished(const struct share *share)
{
	const char *topic;
	int32_t number;
	int64_t position;

	stream_position(share->stream, 0, &topic, &number, &position);
	return share->over && !share->busy && share->next >= position;
}

static void
give(struct sharing_topic *t, int32_t n)
{
	/* Read, but not done: it may be ours again. */
	t->shares[n].over = sharing_is_finished(&t->shares[n]);
	stream_close(t->shares[n].stream);
	t->shares[n].stream = NULL;
	member_give(t->member, n);
}

/* Too many are ours: the last ones go, once they are not at work. */
static int
give_excess(struct sharing *sh, size_t i, int32_t share)
{
	struct sharing_topic *t = &sh->topics[i];
	int32_t left = member_count(t->member) - share;
	int status = sharing_commit_topic(sh, i, true);

	for (int32_t n = t->count; status == CLI_DONE && left > 0 && n-- > 0;) {
		if (t->shares[n].stream == NULL)
			continue;
		t->shares[n].draining = t->shares[n].busy;
		if (!t->shares[n].busy)
			give(t, n);
		left--;
	}
	return status;
}

static void
stop_draining(struct sharing_topic *t)
{
	for (int32_t n = 0; n < t->count; n++)
		t->shares[n].draining = false;
}

/* It is ours: from where the group has come to. */
static int
begin(struct sharing *sh, size_t i, int32_t n)
{
	struct sharing_topic *t = &sh->topics[i];
	struct share *share = &t->shares[n];
	const struct groups_entry *e;
	struct fault f = {.file = ""};
	int status, rc = groups_refresh(t->groups, &f);

	if (rc != 0)
		return sharing_fail(t, rc, &f);
	e = groups_find(t->groups, sh->group, n);
	*share = (struct share){.committed = e == NULL ? -1 : e->offset,
	    .end = share->end};
	status = sources_open_partition(sh->s, i, n, share->committed,
	    &share->stream);
	/* Where a new group begins is committed, too. */
	if (status == CLI_DONE)
		sharing_note(share);
	return status;
}

static int
take_free(struct sharing *sh, size_t i, int32_t share)
{
	struct sharing_topic *t = &sh->topics[i];
	int status = CLI_DONE;
	bool anew = false;

	for (int32_t n = 0; status == CLI_DONE && n < t->count &&
	     member_count(t->member) < share;
	     n++) {
		int rc;

		if (t->shares[n].stream != NULL || t->shares[n].over)
			continue;
		rc = member_take(t->member, n);
		if (rc == EAGAIN)
			continue;
		if (rc != 0)
			return sharing_fail(t, rc, NULL);
		status = begin(sh, i, n);
		anew = anew || t->shares[n].committed < 0;
	}
	/* Before anything is read: it goes on from there, whoever dies. */
	return status == CLI_DONE && anew ? sharing_commit_topic(sh, i, false)
					  : status;
}

/* Partitions may have been added. */
static int
look_for_more(struct sharing *sh, size_t i)
{
	struct sharing_topic *t = &sh->topics[i];
	struct topic now;
	struct fault f;
	int rc = 0;

	if (sh->s->watch == NULL || topic_open(sh->s->paths[i], &now, &f) != 0)
		return CLI_DONE;
	if (now.partitions > t->count) {
		sh->s->places[i].count = now.partitions;
		rc = make_shares(t, now.partitions);
	}
	topic_close(&now);
	return rc == 0 ? CLI_DONE : sharing_fail(t, rc, NULL);
}

int
sharing_balance(struct sharing *sh)
{
	int status = CLI_DONE;
	bool again = false;

	if (sh->remote != NULL)
		return balance_remote(sh);

	for (size_t i = 0; status == CLI_DONE && i < sh->count; i++) {
		struct sharing_topic *t = &sh->topics[i];
		int32_t share;
		int rc;

		if (is_removed(sh, i))
			continue;
		status = look_for_more(sh, i);
		if (status != CLI_DONE)
			break;
		rc = member_share(t->member, &share);
		if (rc != 0)
			return sharing_fail(t, rc, NULL);
		stop_draining(t);
		if (member_count(t->member) > share)
			status = give_excess(sh, i, share);
		else if (member_count(t->member) < share)
			status = take_free(sh, i, share);
		if (status == CLI_DONE)
			status = sharing_mind_others(sh, i, share, &again);
	}
	return status == CLI_DONE && again ? sharing_balance(sh) : status;
}

bool
sharing_is_over(struct sharing *sh)
{
	if (sh->remote != NULL && !remote_group_is_settled(sh->remote))
		return false;
	for (size_t i = 0; i < sh->count; i++) {
		struct sharing_topic *t = &sh->topics[i];

		for (int32_t n = 0; n < t->count; n++) {
			const struct share *share = &t->shares[n];

			/* In a cluster we see what is ours only. */
			if (share->over ||
			    (share->stream == NULL &&
				(share->done || sh->remote != NULL)))
				continue;
			return false;
		}
	}
	return true;
}

struct watch *
sharing_watch(const struct sharing *sh)
{
	return sh->s->watch != NULL ? sh->s->watch : sh->watch;
}

int64_t
sharing_wait_ms(struct sharing *sh, int64_t wait_ms)
{
	int64_t due = sh->commit_ms + COMMIT_MS - now_mono_ms();

	if (sh->quick > 0) {
		sh->quick--;
		return QUICK_MS;
	}
	if (due < 1)
		due = 1;
	return wait_ms < 0 || wait_ms > due ? due : wait_ms;
}

void
sharing_look(struct sharing *sh)
{
	if (watch_closed(sharing_watch(sh)))
		sh->quick = SHARING_QUICK_LOOKS;
}
