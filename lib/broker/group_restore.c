#include "broker/group_impl.h"

#include <assert.h>
#include <stdlib.h>

#include "base/status.h"
#include "kafka/error.h"
#include "kafka/messages.h"

typedef struct group_metadata_record_members kept_member;

static kept_member
kept_of(const struct group_member *m, const struct roster_member *r)
{
	return (kept_member){.member_id = m->id,
	    .group_instance_id = m->instance_id,
	    .client_id = bytes_is_null(m->client_id) ? EMPTY : m->client_id,
	    .client_host = m->client_host,
	    .rebalance_timeout = r->rebalance_ms,
	    .session_timeout = r->session_ms,
	    .subscription = bytes_is_null(m->metadata) ? EMPTY : m->metadata,
	    .assignment = bytes_is_null(m->assignment) ? EMPTY : m->assignment};
}

void
group_restore_keep(struct group *g)
{
	const struct group_events *e = &g->common->events;
	bool assigned = g->state == GROUP_STABLE;
	struct group_metadata_record r = {.protocol_type =
					      group_protocol_type(g),
	    .generation = g->generation,
	    .protocol = g->roster.count > 0 ? g->protocol : BYTES_NULL,
	    .leader = assigned ? g->leader->id : BYTES_NULL,
	    .current_state_timestamp = -1,
	    .members_count = (int32_t)g->roster.count};
	const struct group_member *list = roster_list(&g->roster, g->protocol);

	if (e->kept == NULL)
		return;
	r.members = calloc(g->roster.count + 1, sizeof(*r.members));
	if (r.members == NULL)
		return;
	for (size_t i = 0; i < g->roster.count; i++)
		r.members[i] = kept_of(&list[i], g->roster.members[i]);
	e->kept(e->arg, g->id, &r);
	free(r.members);
}

static bool
is_sound(const struct group *g, const struct group_metadata_record *r,
    const kept_member *m)
{
	return r->protocol.len >= 0 && r->protocol.len <= NAME_MAX_LEN &&
	    r->protocol_type.len > 0 && r->protocol_type.len <= NAME_MAX_LEN &&
	    m->member_id.len > 0 &&
	    m->member_id.len <= GROUP_ID_NAME_MAX + UUID_TEXT_LEN + 2 &&
	    m->session_timeout > 0 && m->subscription.len >= 0 &&
	    m->assignment.len >= 0 &&
	    roster_find(&g->roster, m->member_id) == NULL &&
	    roster_find_instance(&g->roster, m->group_instance_id) == NULL;
}

static int
restore_member(struct group *g, const struct group_metadata_record *r,
    const kept_member *kept, int64_t now)
{
	struct group_protocol protocol = {r->protocol, kept->subscription};
	struct group_join join = {.instance_id = kept->group_instance_id,
	    .client_id = kept->client_id,
	    .client_host = kept->client_host,
	    .protocols = &protocol,
	    .protocol_count = 1,
	    .session_ms = kept->session_timeout,
	    .rebalance_ms = kept->rebalance_timeout};
	struct roster_member *m;
	int error;

	if (!is_sound(g, r, kept))
		return STATUS_SYNTAX;
	error = roster_add(&g->roster, &join, kept->member_id, &m);
	if (error != 0)
		return error;
	m->id_told = true;
	group_heard(g, m, now);
	return bytes_is_null(r->leader)
	    ? 0
	    : roster_assign(&g->roster, m, kept->assignment);
}

/* All members are there: go on. */
static void
resume(struct group *g, const struct group_metadata_record *r, int64_t now)
{
	if (g->roster.count == 0)
		return;
	g->leader = bytes_is_null(r->leader)
	    ? NULL
	    : roster_find(&g->roster, r->leader);
	if (g->leader != NULL) {
		group_set_protocol(g, r->protocol);
		g->state = GROUP_STABLE;
		return;
	}
	roster_clear_assignments(&g->roster);
	g->leader = g->roster.members[0];
	g->initial = false;
	g->join_deadline_ms = now + group_patience_ms(g);
	group_wake_at(g, g->join_deadline_ms);
	g->state = GROUP_PREPARING;
}

int
group_restore(struct group *g, const struct group_metadata_record *r,
    int64_t now)
{
	int error = 0;

	assert(group_is_idle(g));
	if (r->generation > g->generation)
		g->generation = r->generation;
	if (r->protocol_type.len > 0 && r->protocol_type.len <= NAME_MAX_LEN &&
	    group_copy_bytes(&g->protocol_type, r->protocol_type) != 0)
		return KAFKA_COORDINATOR_NOT_AVAILABLE;
	for (int32_t i = 0; error == 0 && i < r->members_count; i++)
		error = (size_t)i >= g->common->members_max
		    ? KAFKA_GROUP_MAX_SIZE_REACHED
		    : restore_member(g, r, &r->members[i], now);
	while (error != 0 && g->roster.count > 0)
		roster_remove(&g->roster, g->roster.members[0]);
	resume(g, r, now);
	return error;
}
