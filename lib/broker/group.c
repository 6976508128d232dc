#include "broker/group_impl.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/subscription.h"
#include "kafka/error.h"

static const char *const state_texts[] = {
    [GROUP_EMPTY] = "Empty",
    [GROUP_PREPARING] = "PreparingRebalance",
    [GROUP_COMPLETING] = "CompletingRebalance",
    [GROUP_STABLE] = "Stable",
    [GROUP_DEAD] = "Dead",
};

const char *
group_state_text(enum group_state state)
{
	return state_texts[state];
}

/* A copy, since the member that it was taken from may change. */
void
group_set_protocol(struct group *g, struct bytes name)
{
	assert(name.len >= 0 && name.len <= NAME_MAX_LEN);
	if (name.len > 0)
		memcpy(g->protocol_text, name.data, (size_t)name.len);
	g->protocol = (struct bytes){g->protocol_text, name.len};
}

int
group_copy_bytes(struct bytes *to, struct bytes from)
{
	uint8_t *copy = malloc((size_t)from.len + 1);

	if (copy == NULL)
		return ENOMEM;
	if (from.len > 0)
		memcpy(copy, from.data, (size_t)from.len);
	free((void *)to->data);
	*to = (struct bytes){copy, from.len};
	return 0;
}

struct group *
group_new(struct group_common *common, struct bytes id)
{
	struct group *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return NULL;
	g->common = common;
	g->protocol_type = g->protocol = g->id = BYTES_NULL;
	roster_init(&g->roster, common);
	g->state = GROUP_EMPTY;
	g->join_deadline_ms = g->sync_deadline_ms = GROUP_NEVER;
	g->wake_ms = GROUP_NEVER;
	if (group_copy_bytes(&g->id, id) != 0) {
		free(g);
		return NULL;
	}
	return g;
}

void
group_free(struct group *g)
{
	roster_release(&g->roster);
	free((void *)g->protocol_type.data);
	free((void *)g->id.data);
	free(g);
}

static bool
is_legal(enum group_state from, enum group_state to)
{
	switch (to) {
	case GROUP_EMPTY:
	case GROUP_COMPLETING:
		return from == GROUP_PREPARING;
	case GROUP_PREPARING:
		return from != GROUP_PREPARING && from != GROUP_DEAD;
	case GROUP_STABLE:
		return from == GROUP_COMPLETING;
	case GROUP_DEAD:
		return true;
	}
	return false;
}

void
group_set_state(struct group *g, enum group_state to)
{
	const struct group_events *e = &g->common->events;
	enum group_state from = g->state;

	assert(is_legal(from, to));
	g->state = to;
	if (e->changed != NULL)
		e->changed(e->arg, g->id, from, to);
}

void
group_wake_at(struct group *g, int64_t when)
{
	if (when < g->wake_ms)
		g->wake_ms = when;
}

/*
 * Who waits for us is not expected to send heartbeats; but a new member, of
 * whom nobody knows yet, waits for so long only.
 */
static int64_t
deadline(const struct roster_member *m)
{
	bool waits = m->join_waiter != NULL || m->sync_waiter != NULL;

	return waits && !m->fresh ? GROUP_NEVER : m->deadline_ms;
}

/* Its session begins anew. */
void
group_heard(struct group *g, struct roster_member *m, int64_t now)
{
	if (m->fresh && m->join_waiter != NULL)
		return;
	m->deadline_ms = now + m->session_ms;
	group_wake_at(g, m->deadline_ms);
}

/* The longest rebalance timeout. */
int64_t
group_patience_ms(const struct group *g)
{
	int32_t longest = 0;

	for (size_t i = 0; i < g->roster.count; i++)
		if (g->roster.members[i]->rebalance_ms > longest)
			longest = g->roster.members[i]->rebalance_ms;
	return longest;
}

/* The member of that id; with an instance id it must be that one's. */
int
group_find_member(const struct group *g, struct bytes member_id,
    struct bytes instance_id, struct roster_member **out)
{
	struct roster_member *m = bytes_is_null(instance_id)
	    ? roster_find(&g->roster, member_id)
	    : roster_find_instance(&g->roster, instance_id);

	if (g->state == GROUP_DEAD)
		return KAFKA_COORDINATOR_NOT_AVAILABLE;
	if (m == NULL)
		return KAFKA_UNKNOWN_MEMBER_ID;
	if (!bytes_equal(m->id, member_id))
		return KAFKA_FENCED_INSTANCE_ID;
	*out = m;
	return 0;
}

int
group_heartbeat(struct group *g, struct bytes member_id,
    struct bytes instance_id, int32_t generation, int64_t now)
{
	struct roster_member *m;
	int error = group_find_member(g, member_id, instance_id, &m);

	if (error != 0)
		return error;
	if (generation != g->generation)
		return KAFKA_ILLEGAL_GENERATION;
	group_heard(g, m, now);
	return g->state == GROUP_PREPARING ? KAFKA_REBALANCE_IN_PROGRESS : 0;
}

/* Members have been removed. */
static void
shrink(struct group *g, int64_t now)
{
	if (g->state == GROUP_COMPLETING || g->state == GROUP_STABLE)
		group_rebalance(g, now);
	else
		group_rebalance_advance(g, now);
}

int
group_leave(struct group *g, struct bytes member_id, struct bytes instance_id,
    int64_t now)
{
	struct roster_member *m;
	int error;

	if (g->state == GROUP_DEAD)
		return KAFKA_COORDINATOR_NOT_AVAILABLE;
	if (member_id.len <= 0) {
		m = roster_find_instance(&g->roster, instance_id);
		if (m == NULL)
			return KAFKA_UNKNOWN_MEMBER_ID;
	} else if (roster_remove_pending(&g->roster, member_id)) {
		group_rebalance_advance(g, now);
		return 0;
	} else if ((error = group_find_member(g, member_id, instance_id, &m)) !=
	    0) {
		return error;
	}
	group_rebalance_remove(g, m);
	shrink(g, now);
	return 0;
}

/*
 * Generation -1 is of those who use the group for its offsets alone, and may
 * do so while it has no members.  While members join, commits are taken: they
 * learn of the rebalance by their heartbeats.
 */
int
group_may_commit(struct group *g, struct bytes member_id,
    struct bytes instance_id, int32_t generation, int64_t now)
{
	struct roster_member *m;
	int error;

	if (generation < 0 && g->state == GROUP_EMPTY)
		return 0;
	if (generation < 0 && member_id.len <= 0 && bytes_is_null(instance_id))
		return g->state == GROUP_DEAD ? KAFKA_COORDINATOR_NOT_AVAILABLE
					      : KAFKA_UNKNOWN_MEMBER_ID;
	if ((error = group_find_member(g, member_id, instance_id, &m)) != 0)
		return error;
	if (generation != g->generation)
		return KAFKA_ILLEGAL_GENERATION;
	if (g->state == GROUP_COMPLETING)
		return KAFKA_REBALANCE_IN_PROGRESS;
	group_heard(g, m, now);
	return 0;
}

/* A new member whose client does not know its id yet will not come back. */
static void
cancel_join(struct group *g, struct roster_member *m, int64_t now)
{
	(void)group_waiter_take_join(g, m);
	group_heard(g, m, now);
	if (m->id_told || !bytes_is_null(m->instance_id))
		return;
	group_rebalance_remove(g, m);
	shrink(g, now);
}

bool
group_cancel(struct group *g, const void *waiter, int64_t now)
{
	for (size_t i = 0; i < g->roster.count; i++) {
		struct roster_member *m = g->roster.members[i];

		if (m->join_waiter == waiter) {
			cancel_join(g, m, now);
			return true;
		}
		if (m->sync_waiter == waiter) {
			(void)group_waiter_take_sync(m);
			m->must_sync = true;
			group_heard(g, m, now);
			return true;
		}
	}
	return false;
}

void
group_refuse(struct group *g, int error)
{
	for (size_t i = 0; i < g->roster.count; i++) {
		struct roster_member *m = g->roster.members[i];

		group_waiter_refuse_both(g, m, error, m->id);
	}
	group_set_state(g, GROUP_DEAD);
}

/* Remove whose session has ended, and who has not synced in time. */
static bool
expire_members(struct group *g, int64_t now)
{
	size_t before = g->roster.count;
	bool syncs_end = g->sync_deadline_ms <= now;

	for (size_t i = g->roster.count; i-- > 0;) {
		struct roster_member *m = g->roster.members[i];

		if (deadline(m) <= now || (syncs_end && m->must_sync))
			group_rebalance_remove(g, m);
	}
	if (syncs_end)
		g->sync_deadline_ms = GROUP_NEVER;
	return g->roster.count < before;
}

static void
find_wake(struct group *g)
{
	g->wake_ms = g->sync_deadline_ms;
	if (g->state == GROUP_PREPARING)
		group_wake_at(g, g->join_deadline_ms);
	for (size_t i = 0; i < g->roster.count; i++)
		group_wake_at(g, deadline(g->roster.members[i]));
	for (size_t i = 0; i < g->roster.pending_count; i++)
		group_wake_at(g, g->roster.pending[i].deadline_ms);
}

void
group_tick(struct group *g, int64_t now)
{
	roster_expire_pending(&g->roster, now);
	if (expire_members(g, now))
		shrink(g, now);
	else
		group_rebalance_advance(g, now);
	find_wake(g);
}

struct bytes
group_id(const struct group *g)
{
	return g->id;
}

enum group_state
group_state(const struct group *g)
{
	return g->state;
}

struct bytes
group_protocol_type(const struct group *g)
{
	return bytes_is_null(g->protocol_type) ? EMPTY : g->protocol_type;
}

int64_t
group_wake_ms(const struct group *g)
{
	return g->wake_ms;
}

bool
group_has_members(const struct group *g)
{
	return g->roster.count > 0;
}

void
group_each_offer(const struct group *g,
    bool (*each)(void *arg, struct bytes metadata), void *arg)
{
	bool more = true;

	for (size_t i = 0; more && i < g->roster.count; i++) {
		const struct roster_member *m = g->roster.members[i];

		for (size_t p = 0; more && p < m->protocol_count; p++)
			more = each(arg, m->protocols[p].metadata);
	}
}

bool
group_is_idle(const struct group *g)
{
	return g->state == GROUP_EMPTY && g->roster.pending_count == 0;
}

void
group_describe(struct group *g, struct group_summary *out)
{
	struct bytes protocol =
	    g->state == GROUP_STABLE ? g->protocol : BYTES_NULL;

	*out = (struct group_summary){
	    .state = g->state,
	    .protocol_type = group_protocol_type(g),
	    .protocol = bytes_is_null(protocol) ? EMPTY : protocol,
	    .generation = g->generation,
	    .members = roster_list(&g->roster, protocol),
	    .member_count = g->roster.count,
	};
}

bool
group_is_subscribed(const struct group *g, struct bytes topic)
{
	for (size_t i = 0; i < g->roster.count; i++) {
		const struct roster_member *m = g->roster.members[i];

		for (size_t p = 0; p < m->protocol_count; p++)
			if (subscription_has(m->protocols[p].metadata, topic))
				return true;
	}
	return false;
}
