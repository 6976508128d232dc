#include "broker/group_impl.h"

#include "kafka/error.h"

void
group_waiter_refuse_join(struct group *g, void *waiter, int error,
    struct bytes member_id)
{
	const struct group_events *e = &g->common->events;
	struct group_joined answer = {
	    .error = error,
	    .generation = -1,
	    .protocol_type = BYTES_NULL,
	    .protocol = BYTES_NULL,
	    .leader = EMPTY,
	    .member_id = member_id,
	};

	e->joined(e->arg, waiter, &answer);
}

void
group_waiter_refuse_sync(struct group *g, void *waiter, int error)
{
	const struct group_events *e = &g->common->events;
	struct group_synced answer = {
	    .error = error,
	    .protocol_type = BYTES_NULL,
	    .protocol = BYTES_NULL,
	    .assignment = EMPTY,
	};

	e->synced(e->arg, waiter, &answer);
}

/* The waiter of m's join, which is none from now on; NULL: it has none. */
void *
group_waiter_take_join(struct group *g, struct roster_member *m)
{
	void *waiter = m->join_waiter;

	if (waiter != NULL)
		g->joining--;
	m->join_waiter = NULL;
	return waiter;
}

void *
group_waiter_take_sync(struct roster_member *m)
{
	void *waiter = m->sync_waiter;

	m->sync_waiter = NULL;
	return waiter;
}

/* Refuse whatever m waits for. */
void
group_waiter_refuse_both(struct group *g, struct roster_member *m, int error,
    struct bytes member_id)
{
	void *join = group_waiter_take_join(g, m),
	     *sync = group_waiter_take_sync(m);

	if (join != NULL)
		group_waiter_refuse_join(g, join, error, member_id);
	if (sync != NULL)
		group_waiter_refuse_sync(g, sync, error);
}

/* Tell m of the current generation; members and skip are for the leader. */
void
group_waiter_answer_join(struct group *g, struct roster_member *m, void *waiter,
    struct bytes leader, bool list, bool skip)
{
	const struct group_events *e = &g->common->events;
	struct group_joined answer = {
	    .generation = g->generation,
	    .protocol_type = g->protocol_type,
	    .protocol = g->protocol,
	    .leader = leader,
	    .member_id = m->id,
	    .skip_assignment = skip,
	};

	if (list) {
		answer.members = roster_list(&g->roster, g->protocol);
		answer.member_count = g->roster.count;
	}
	m->id_told = true;
	e->joined(e->arg, waiter, &answer);
}

void
group_waiter_answer_sync(struct group *g, struct roster_member *m, void *waiter)
{
	const struct group_events *e = &g->common->events;
	struct group_synced answer = {
	    .protocol_type = g->protocol_type,
	    .protocol = g->protocol,
	    .assignment = m->assignment,
	};

	e->synced(e->arg, waiter, &answer);
}

/* Let m wait in a join; an older one of its is given up. */
void
group_waiter_park_join(struct group *g, struct roster_member *m, void *waiter,
    int64_t now)
{
	void *older = group_waiter_take_join(g, m);

	m->join_waiter = waiter;
	g->joining++;
	if (m->fresh) {
		m->deadline_ms = now + GROUP_NEW_MEMBER_MS;
		group_wake_at(g, m->deadline_ms);
	}
	if (older != NULL)
		group_waiter_refuse_join(g, older, KAFKA_REBALANCE_IN_PROGRESS,
		    m->id);
}

void
group_waiter_park_sync(struct group *g, struct roster_member *m, void *waiter)
{
	void *older = group_waiter_take_sync(m);

	m->sync_waiter = waiter;
	m->must_sync = false;
	if (older != NULL)
		group_waiter_refuse_sync(g, older, KAFKA_REBALANCE_IN_PROGRESS);
}
