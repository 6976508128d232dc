#include "broker/group_impl.h"

#include "kafka/error.h"

/* Nobody has joined in time: at least so long until the next look. */
enum { RETRY_MS = 1000 };

/* Members have to join again. */
static void
prepare(struct group *g, int64_t now)
{
	int64_t wait = group_patience_ms(g);

	for (size_t i = 0; i < g->roster.count; i++) {
		struct roster_member *m = g->roster.members[i];
		void *waiter = group_waiter_take_sync(m);

		m->must_sync = false;
		if (waiter == NULL)
			continue;
		group_heard(g, m, now);
		group_waiter_refuse_sync(g, waiter,
		    KAFKA_REBALANCE_IN_PROGRESS);
	}
	roster_clear_assignments(&g->roster);
	g->protocol = BYTES_NULL;
	g->sync_deadline_ms = GROUP_NEVER;
	g->initial = g->state == GROUP_EMPTY;
	g->grown = false;
	if (g->initial) {
		int64_t delay = g->common->initial_delay_ms;

		g->delay_left_ms = wait > delay ? wait - delay : 0;
		wait = delay;
	}
	g->join_deadline_ms = now + wait;
	group_wake_at(g, g->join_deadline_ms);
	group_set_state(g, GROUP_PREPARING);
}

void
group_rebalance(struct group *g, int64_t now)
{
	if (g->state != GROUP_PREPARING)
		prepare(g, now);
	group_rebalance_advance(g, now);
}

/* A first rebalance is put off again while somebody new comes. */
static bool
put_off(struct group *g, int64_t now)
{
	int64_t delay = g->common->initial_delay_ms;

	if (!g->initial || !g->grown || delay == 0 || g->delay_left_ms == 0)
		return false;
	if (delay > g->delay_left_ms)
		delay = g->delay_left_ms;
	g->grown = false;
	g->delay_left_ms -= delay;
	g->join_deadline_ms = now + delay;
	group_wake_at(g, g->join_deadline_ms);
	return true;
}

void
group_rebalance_remove(struct group *g, struct roster_member *m)
{
	group_waiter_refuse_both(g, m, KAFKA_UNKNOWN_MEMBER_ID, EMPTY);
	roster_remove(&g->roster, m);
	if (g->leader == m)
		g->leader = g->roster.count > 0 ? g->roster.members[0] : NULL;
}

/* Static ones may be away for a while; their session tells. */
static void
drop_absent(struct group *g)
{
	for (size_t i = g->roster.count; i-- > 0;) {
		struct roster_member *m = g->roster.members[i];

		if (m->join_waiter == NULL && bytes_is_null(m->instance_id))
			group_rebalance_remove(g, m);
	}
}

/* The leader must be one who has joined; false: nobody has. */
static bool
elect(struct group *g)
{
	if (g->leader->join_waiter != NULL)
		return true;
	for (size_t i = 0; i < g->roster.count; i++)
		if (g->roster.members[i]->join_waiter != NULL) {
			g->leader = g->roster.members[i];
			return true;
		}
	return false;
}

static void
answer_joins(struct group *g, int64_t now)
{
	for (size_t i = 0; i < g->roster.count; i++) {
		struct roster_member *m = g->roster.members[i];
		void *waiter = group_waiter_take_join(g, m);

		m->must_sync = waiter != NULL;
		if (waiter == NULL)
			continue;
		m->fresh = false;
		group_heard(g, m, now);
		group_waiter_answer_join(g, m, waiter, g->leader->id,
		    m == g->leader, false);
	}
}

static void
begin_generation(struct group *g, int64_t now)
{
	drop_absent(g);
	if (g->roster.count > 0 && !elect(g)) {
		g->join_deadline_ms = now + group_patience_ms(g) + RETRY_MS;
		group_wake_at(g, g->join_deadline_ms);
		return;
	}
	g->generation = g->generation == INT32_MAX ? 1 : g->generation + 1;
	g->join_deadline_ms = GROUP_NEVER;
	if (g->roster.count == 0) {
		group_set_state(g, GROUP_EMPTY);
		group_restore_keep(g);
		return;
	}
	group_set_protocol(g, roster_choose(&g->roster));
	g->sync_deadline_ms = now + group_patience_ms(g);
	group_wake_at(g, g->sync_deadline_ms);
	group_set_state(g, GROUP_COMPLETING);
	group_restore_keep(g);
	answer_joins(g, now);
}

/* Go on with a rebalance, if it can. */
void
group_rebalance_advance(struct group *g, int64_t now)
{
	bool all =
	    g->joining == g->roster.count && g->roster.pending_count == 0;

	if (g->state != GROUP_PREPARING)
		return;
	if (now >= g->join_deadline_ms) {
		if (!put_off(g, now))
			begin_generation(g, now);
	} else if (all && !g->initial) {
		begin_generation(g, now);
	}
}
