/*
 * Groups by id, those with something to wait for by when, those that are idle
 * by since when, and so those that wait only for clients to come back with
 * their id.  A group is among these three after each call as settle() finds it.
 */

#include "broker/coordinator.h"

#include <sys/queue.h>
#include <sys/tree.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "broker/roster.h"
#include "kafka/error.h"

#define TYPE_CLASSIC "classic"
#define TYPE_CONSUMER "consumer"

struct entry {
	RB_ENTRY(entry) by_id;
	RB_ENTRY(entry) by_wake;	/* unless idle */
	TAILQ_ENTRY(entry) idle;
	TAILQ_ENTRY(entry) hollow;
	struct group *group;		/* owned */
	struct bytes id;		/* the group's */
	int64_t wake_ms;
	int64_t idle_ms;		/* since when; -1: is not idle */
	bool is_hollow;			/* no members, but not idle */
};

RB_HEAD(ids, entry);
RB_HEAD(wakes, entry);
TAILQ_HEAD(idles, entry);

struct coordinator {
	struct coordinator_settings settings;
	struct group_common common;
	struct ids ids;
	struct wakes wakes;
	struct idles idles;	/* the longest idle one first */
	struct idles hollows;	/* those that have been so longest first */
	size_t count;
	bool stopped;
};

const struct coordinator_settings coordinator_defaults = {
    .session_ms_min = 6000,
    .session_ms_max = 1800000,
    .initial_delay_ms = 0,
    .empty_ms = 600000,
    .groups_max = 10000,
    .members_max = 1000,
    .group_bytes_max = 4 << 20,
    .bytes_max = 32 << 20,
};

static int
compare_ids(const struct entry *a, const struct entry *b)
{
	int32_t len = a->id.len < b->id.len ? a->id.len : b->id.len;
	int order = memcmp(a->id.data, b->id.data, (size_t)len);

	return order != 0 ? order : a->id.len - b->id.len;
}

static int
compare_wakes(const struct entry *a, const struct entry *b)
{
	if (a->wake_ms != b->wake_ms)
		return a->wake_ms < b->wake_ms ? -1 : 1;
	return compare_ids(a, b);
}

RB_GENERATE_INTERNAL(ids, entry, by_id, compare_ids,
    __attribute__((unused)) static)
RB_GENERATE_INTERNAL(wakes, entry, by_wake, compare_wakes,
    __attribute__((unused)) static)

struct coordinator *
coordinator_new(const struct coordinator_settings *settings,
    const struct group_events *events)
{
	struct coordinator *c = calloc(1, sizeof(*c));

	assert(settings->session_ms_min > 0);
	if (c == NULL)
		return NULL;
	c->settings = *settings;
	c->common = (struct group_common){
	    .events = *events,
	    .initial_delay_ms = settings->initial_delay_ms,
	    .members_max = settings->members_max,
	    .group_bytes_max = settings->group_bytes_max,
	    .bytes_max = settings->bytes_max,
	};
	RB_INIT(&c->ids);
	RB_INIT(&c->wakes);
	TAILQ_INIT(&c->idles);
	TAILQ_INIT(&c->hollows);
	return c;
}

/* Take it out of the order of time. */
static void
unsettle(struct coordinator *c, struct entry *e)
{
	if (e->idle_ms >= 0)
		TAILQ_REMOVE(&c->idles, e, idle);
	else
		RB_REMOVE(wakes, &c->wakes, e);
}

static void
place(struct coordinator *c, struct entry *e)
{
	if (e->idle_ms >= 0)
		TAILQ_INSERT_TAIL(&c->idles, e, idle);
	else
		RB_INSERT(wakes, &c->wakes, e);
}

/* For those who were told an id and have not come back alone? */
static void
note_hollow(struct coordinator *c, struct entry *e)
{
	bool hollow =
	    !group_is_idle(e->group) && group_state(e->group) == GROUP_EMPTY;

	if (hollow == e->is_hollow)
		return;
	e->is_hollow = hollow;
	if (hollow)
		TAILQ_INSERT_TAIL(&c->hollows, e, hollow);
	else
		TAILQ_REMOVE(&c->hollows, e, hollow);
}

/* A group has been used: put it where it belongs now. */
static void
settle(struct coordinator *c, struct entry *e, int64_t now)
{
	int64_t wake = group_wake_ms(e->group);
	bool idle = group_is_idle(e->group), was = e->idle_ms >= 0;

	note_hollow(c, e);
	if (idle == was && (idle || wake == e->wake_ms))
		return;
	unsettle(c, e);
	e->wake_ms = wake;
	e->idle_ms = idle ? now : -1;
	place(c, e);
}

static void
drop(struct coordinator *c, struct entry *e)
{
	unsettle(c, e);
	if (e->is_hollow)
		TAILQ_REMOVE(&c->hollows, e, hollow);
	RB_REMOVE(ids, &c->ids, e);
	c->count--;
	group_free(e->group);
	free(e);
}

void
coordinator_stop(struct coordinator *c)
{
	struct entry *e;

	c->stopped = true;
	RB_FOREACH(e, ids, &c->ids)
	group_refuse(e->group, KAFKA_COORDINATOR_NOT_AVAILABLE);
}

void
coordinator_free(struct coordinator *c)
{
	struct entry *e;

	if (c == NULL)
		return;
	while ((e = RB_ROOT(&c->ids)) != NULL)
		drop(c, e);
	assert(c->count == 0 && c->common.bytes == 0);
	free(c);
}

static struct entry *
find(const struct coordinator *c, struct bytes id)
{
	struct entry key = {.id = id};
	struct ids *ids = (struct ids *)&c->ids;

	return id.len > 0 ? RB_FIND(ids, ids, &key) : NULL;
}

/* Who is given up for a new one: NULL, if all have members. */
static struct entry *
find_spare(const struct coordinator *c)
{
	struct entry *e = TAILQ_FIRST(&c->idles);

	return e != NULL ? e : TAILQ_FIRST(&c->hollows);
}

/* A group without members makes room for a new one. */
static struct entry *
add(struct coordinator *c, struct bytes id, int64_t now)
{
	struct entry *e;

	if (c->count >= c->settings.groups_max && (e = find_spare(c)) != NULL)
		drop(c, e);
	if (c->count >= c->settings.groups_max ||
	    (e = calloc(1, sizeof(*e))) == NULL)
		return NULL;
	if ((e->group = group_new(&c->common, id)) == NULL) {
		free(e);
		return NULL;
	}
	e->id = group_id(e->group);
	e->idle_ms = now;
	RB_INSERT(ids, &c->ids, e);
	c->count++;
	place(c, e);
	return e;
}

/* --- members -------------------------------------------------------------- */

static int
check_id(const struct coordinator *c, struct bytes group)
{
	if (group.len <= 0 || group.len > COORDINATOR_ID_MAX)
		return KAFKA_INVALID_GROUP_ID;
	return c->stopped ? KAFKA_COORDINATOR_NOT_AVAILABLE : 0;
}

/* The group; of one that is not there the error is unknown. */
static int
lookup(const struct coordinator *c, struct bytes group, int unknown,
    struct entry **out)
{
	int error = check_id(c, group);

	if (error != 0)
		return error;
	*out = find(c, group);
	return *out == NULL ? unknown : 0;
}

static int
check_join(const struct coordinator *c, struct bytes group,
    const struct group_join *r)
{
	int error = check_id(c, group);

	if (error != 0)
		return error;
	if (r->session_ms < c->settings.session_ms_min ||
	    r->session_ms > c->settings.session_ms_max)
		return KAFKA_INVALID_SESSION_TIMEOUT;
	return 0;
}

/* May it make a group? */
static int
check_first(const struct group_join *r)
{
	return r->member_id.len != 0 ? KAFKA_UNKNOWN_MEMBER_ID
				     : group_join_check(r);
}

int
coordinator_may_join(const struct coordinator *c, struct bytes group,
    const struct group_join *r)
{
	int error = check_join(c, group, r);
	struct group_common common = c->common;
	struct roster none;
	struct entry *e;

	if (error != 0)
		return error;
	if ((e = find(c, group)) != NULL)
		return group_may_join(e->group, r);
	roster_init(&none, &common);
	error = check_first(r);
	return error != 0 ? error : roster_check(&none, NULL, r, r->member_id);
}

/* The group, made if the join may do that. */
static int
find_or_add(struct coordinator *c, struct bytes group,
    const struct group_join *r, int64_t now, struct entry **out)
{
	int error;

	if ((*out = find(c, group)) != NULL)
		return 0;
	if ((error = check_first(r)) != 0)
		return error;
	*out = add(c, group, now);
	return *out == NULL ? KAFKA_COORDINATOR_NOT_AVAILABLE : 0;
}

void
coordinator_join(struct coordinator *c, struct bytes group,
    const struct group_join *r, int64_t now)
{
	const struct group_events *events = &c->common.events;
	struct group_joined refusal = {
	    .generation = -1,
	    .protocol_type = BYTES_NULL,
	    .protocol = BYTES_NULL,
	    .leader = bytes_of(""),
	    .member_id = r->member_id,
	};
	struct entry *e = NULL;

	assert(r->waiter != NULL);
	refusal.error = check_join(c, group, r);
	if (refusal.error == 0)
		refusal.error = find_or_add(c, group, r, now, &e);
	if (refusal.error != 0) {
		events->joined(events->arg, r->waiter, &refusal);
		return;
	}
	group_join(e->group, r, now);
	settle(c, e, now);
}

void
coordinator_sync(struct coordinator *c, struct bytes group,
    const struct group_sync *r, int64_t now)
{
	const struct group_events *events = &c->common.events;
	struct group_synced refusal = {
	    .protocol_type = BYTES_NULL,
	    .protocol = BYTES_NULL,
	    .assignment = bytes_of(""),
	};
	struct entry *e;

	assert(r->waiter != NULL);
	refusal.error = lookup(c, group, KAFKA_UNKNOWN_MEMBER_ID, &e);
	if (refusal.error != 0) {
		events->synced(events->arg, r->waiter, &refusal);
		return;
	}
	group_sync(e->group, r, now);
	settle(c, e, now);
}

int
coordinator_heartbeat(struct coordinator *c, struct bytes group,
    struct bytes member_id, struct bytes instance_id, int32_t generation,
    int64_t now)
{
	struct entry *e;
	int error = lookup(c, group, KAFKA_UNKNOWN_MEMBER_ID, &e);

	if (error != 0)
		return error;
	error =
	    group_heartbeat(e->group, member_id, instance_id, generation, now);
	settle(c, e, now);
	return error;
}

int
coordinator_leave(struct coordinator *c, struct bytes group,
    struct coordinator_leaving *leaving, size_t count, int64_t now)
{
	struct entry *e = NULL;
	int error = lookup(c, group, 0, &e);

	if (error != 0)
		return error;
	for (size_t i = 0; i < count; i++)
		leaving[i].error = e == NULL
		    ? KAFKA_UNKNOWN_MEMBER_ID
		    : group_leave(e->group, leaving[i].member_id,
			  leaving[i].instance_id, now);
	if (e != NULL)
		settle(c, e, now);
	return 0;
}

int
coordinator_may_commit(struct coordinator *c, struct bytes group,
    struct bytes member_id, struct bytes instance_id, int32_t generation,
    int64_t now)
{
	struct entry *e;
	int error =
	    lookup(c, group, generation < 0 ? 0 : KAFKA_ILLEGAL_GENERATION, &e);

	if (error != 0 || e == NULL)
		return error;
	error =
	    group_may_commit(e->group, member_id, instance_id, generation, now);
	settle(c, e, now);
	return error;
}

bool
coordinator_cancel(struct coordinator *c, struct bytes group,
    const void *waiter, int64_t now)
{
	struct entry *e = find(c, group);
	bool waited;

	if (e == NULL)
		return false;
	waited = group_cancel(e->group, waiter, now);
	settle(c, e, now);
	return waited;
}

/* --- administrators ------------------------------------------------------- */

void
coordinator_describe(struct coordinator *c, struct bytes group,
    struct group_summary *out)
{
	struct entry *e = find(c, group);

	if (e != NULL) {
		group_describe(e->group, out);
		return;
	}
	*out = (struct group_summary){
	    .state = GROUP_DEAD,
	    .protocol_type = bytes_of(""),
	    .protocol = bytes_of(""),
	    .generation = -1,
	};
}

/* Is the word among them, in any case, or are there none? */
static bool
is_among(const struct bytes *words, size_t count, const char *word)
{
	size_t len = strlen(word);

	for (size_t i = 0; i < count; i++)
		if (words[i].len >= 0 && (size_t)words[i].len == len &&
		    strncasecmp((const char *)words[i].data, word, len) == 0)
			return true;
	return count == 0;
}

bool
coordinator_matches(const struct coordinator_filter *filter,
    enum group_state state)
{
	return is_among(filter->states, filter->state_count,
		   group_state_text(state)) &&
	    is_among(filter->types, filter->type_count, TYPE_CLASSIC);
}

void
coordinator_list(struct coordinator *c, const struct coordinator_filter *filter,
    void (*each)(void *arg, struct bytes group, struct bytes protocol_type,
	enum group_state state),
    void *arg)
{
	struct entry *e;

	RB_FOREACH(e, ids, &c->ids)
	if (coordinator_matches(filter, group_state(e->group)))
		each(arg, e->id, group_protocol_type(e->group),
		    group_state(e->group));
}

int
coordinator_delete(struct coordinator *c, struct bytes group)
{
	struct entry *e;
	int error = lookup(c, group, KAFKA_GROUP_ID_NOT_FOUND, &e);

	if (error != 0)
		return error;
	if (group_state(e->group) != GROUP_EMPTY)
		return KAFKA_NON_EMPTY_GROUP;
	drop(c, e);
	return 0;
}

int
coordinator_may_forget(struct coordinator *c, struct bytes group,
    struct bytes topic)
{
	struct entry *e;
	int error = lookup(c, group, 0, &e);

	if (error != 0 || e == NULL || group_state(e->group) == GROUP_EMPTY)
		return error;
	if (!bytes_equal(group_protocol_type(e->group),
		bytes_of(TYPE_CONSUMER)))
		return KAFKA_NON_EMPTY_GROUP;
	return group_is_subscribed(e->group, topic)
	    ? KAFKA_GROUP_SUBSCRIBED_TO_TOPIC
	    : 0;
}

/* --- lives of the broker -------------------------------------------------- */

bool
coordinator_has_members(const struct coordinator *c, struct bytes group)
{
	const struct entry *e = find(c, group);

	return e != NULL && group_has_members(e->group);
}

void
coordinator_each_offer(const struct coordinator *c, struct bytes group,
    bool (*each)(void *arg, struct bytes metadata), void *arg)
{
	const struct entry *e = find(c, group);

	if (e != NULL)
		group_each_offer(e->group, each, arg);
}

bool
coordinator_is_vacant(const struct coordinator *c, struct bytes group)
{
	const struct entry *e = find(c, group);

	return e == NULL || group_is_idle(e->group);
}

int
coordinator_restore(struct coordinator *c, struct bytes group,
    const struct group_metadata_record *record, int64_t now)
{
	struct entry *e;
	int error = check_id(c, group);

	if (error != 0)
		return error;
	if ((e = find(c, group)) == NULL && (e = add(c, group, now)) == NULL)
		return KAFKA_COORDINATOR_NOT_AVAILABLE;
	if (!group_is_idle(e->group))
		return 0;
	error = group_restore(e->group, record, now);
	settle(c, e, now);
	return error;
}

/* --- time ----------------------------------------------------------------- */

int64_t
coordinator_next_ms(const struct coordinator *c)
{
	struct wakes *wakes = (struct wakes *)&c->wakes;
	const struct entry *first = RB_MIN(wakes, wakes);
	const struct entry *idle = TAILQ_FIRST(&c->idles);
	int64_t next = first != NULL ? first->wake_ms : GROUP_NEVER;

	if (c->stopped)
		return GROUP_NEVER;
	if (idle != NULL && idle->idle_ms + c->settings.empty_ms < next)
		next = idle->idle_ms + c->settings.empty_ms;
	return next;
}

void
coordinator_tick(struct coordinator *c, int64_t now)
{
	struct entry *e;

	if (c->stopped)
		return;
	while ((e = RB_MIN(wakes, &c->wakes)) != NULL && e->wake_ms <= now) {
		group_tick(e->group, now);
		assert(group_wake_ms(e->group) > now);
		settle(c, e, now);
	}
	while ((e = TAILQ_FIRST(&c->idles)) != NULL &&
	    e->idle_ms + c->settings.empty_ms <= now)
		drop(c, e);
}

size_t
coordinator_groups(const struct coordinator *c)
{
	return c->count;
}

size_t
coordinator_bytes(const struct coordinator *c)
{
	return c->common.bytes;
}
