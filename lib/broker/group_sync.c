#include "broker/group_impl.h"

#include "kafka/error.h"

static int
assign(struct group *g, const struct group_sync *r)
{
	int error = 0;

	if (r->assignment_count > g->common->members_max)
		return KAFKA_INVALID_REQUEST;
	for (size_t i = 0; error == 0 && i < r->assignment_count; i++) {
		const struct group_assignment *a = &r->assignments[i];
		struct roster_member *m = roster_find(&g->roster, a->member_id);

		if (m != NULL)
			error = roster_assign(&g->roster, m, a->assignment);
	}
	for (size_t i = 0; error == 0 && i < g->roster.count; i++) {
		struct roster_member *m = g->roster.members[i];

		if (bytes_is_null(m->assignment))
			error = roster_assign(&g->roster, m, EMPTY);
	}
	if (error != 0)
		roster_clear_assignments(&g->roster);
	return error;
}

static void
forget_sync_deadline(struct group *g)
{
	for (size_t i = 0; i < g->roster.count; i++)
		if (g->roster.members[i]->must_sync)
			return;
	g->sync_deadline_ms = GROUP_NEVER;
}

static void
answer_syncs(struct group *g, int64_t now)
{
	for (size_t i = 0; i < g->roster.count; i++) {
		struct roster_member *m = g->roster.members[i];
		void *waiter = group_waiter_take_sync(m);

		if (waiter == NULL)
			continue;
		group_heard(g, m, now);
		group_waiter_answer_sync(g, m, waiter);
	}
	forget_sync_deadline(g);
}

/* The leader's sync ends the rebalance, unless what it says is refused. */
static int
sync_completing(struct group *g, struct roster_member *m,
    const struct group_sync *r, int64_t now)
{
	int error;

	if (m == g->leader && (error = assign(g, r)) != 0)
		return error;
	group_waiter_park_sync(g, m, r->waiter);
	if (m == g->leader) {
		group_set_state(g, GROUP_STABLE);
		group_restore_keep(g);
		answer_syncs(g, now);
	}
	return 0;
}

static bool
differs(struct bytes said, struct bytes ours)
{
	return !bytes_is_null(said) && !bytes_is_null(ours) &&
	    !bytes_equal(said, ours);
}

static int
check_sync(const struct group *g, const struct group_sync *r,
    struct roster_member **out)
{
	int error = group_find_member(g, r->member_id, r->instance_id, out);

	if (error != 0)
		return error;
	if (r->generation != g->generation)
		return KAFKA_ILLEGAL_GENERATION;
	if (differs(r->protocol_type, g->protocol_type) ||
	    differs(r->protocol, g->protocol))
		return KAFKA_INCONSISTENT_GROUP_PROTOCOL;
	return 0;
}

void
group_sync(struct group *g, const struct group_sync *r, int64_t now)
{
	struct roster_member *m;
	int error = check_sync(g, r, &m);

	if (error == 0 && g->state == GROUP_PREPARING)
		error = KAFKA_REBALANCE_IN_PROGRESS;
	if (error == 0 && g->state == GROUP_COMPLETING)
		error = sync_completing(g, m, r, now);
	else if (error == 0) {
		m->must_sync = false;
		group_heard(g, m, now);
		forget_sync_deadline(g);
		group_waiter_answer_sync(g, m, r->waiter);
	}
	if (error != 0)
		group_waiter_refuse_sync(g, r->waiter, error);
}
