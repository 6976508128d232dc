#include "broker/group_impl.h"

#include <sys/random.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kafka/error.h"

static bool
are_names(const struct group_join *r)
{
	for (size_t i = 0; i < r->protocol_count; i++)
		if (r->protocols[i].name.len < 0 ||
		    r->protocols[i].name.len > NAME_MAX_LEN)
			return false;
	return r->member_id.len >= 0;
}

int
group_join_check(const struct group_join *r)
{
	if (r->protocol_count > GROUP_PROTOCOLS_MAX || !are_names(r))
		return KAFKA_INVALID_REQUEST;
	if (r->protocol_type.len <= 0 || r->protocol_type.len > NAME_MAX_LEN ||
	    r->protocol_count == 0)
		return KAFKA_INCONSISTENT_GROUP_PROTOCOL;
	return 0;
}

/* But for one member, which may be NULL. */
static int
check_protocols(const struct group *g, const struct roster_member *but,
    const struct group_join *r)
{
	int error = group_join_check(r);

	if (error != 0 || g->roster.count == 0)
		return error;
	if (!bytes_equal(g->protocol_type, r->protocol_type) ||
	    !roster_accepts(&g->roster, but, r))
		return KAFKA_INCONSISTENT_GROUP_PROTOCOL;
	return 0;
}

/* The first bytes of a name, no more than an id may have; UTF-8 stays whole. */
static int
name_len(struct bytes name)
{
	int len = name.len;

	if (len <= GROUP_ID_NAME_MAX)
		return len < 0 ? 0 : len;
	len = GROUP_ID_NAME_MAX;
	while (len > 0 && (name.data[len] & 0xc0) == 0x80)
		len--;
	return len;
}

static int
random_bytes(const struct group *g, uint8_t *out, size_t len)
{
	const struct group_events *e = &g->common->events;

	if (e->random != NULL)
		return e->random(e->arg, out, len);
	return getrandom(out, len, 0) == (ssize_t)len ? 0 : EIO;
}

/* A member id: what it calls itself, and a UUID of version 4 (RFC 9562). */
static int
make_id(const struct group *g, const struct group_join *r, char *text,
    size_t size, struct bytes *id)
{
	struct bytes name =
	    bytes_is_null(r->instance_id) ? r->client_id : r->instance_id;
	int len = name_len(name);
	uint8_t u[16];

	if (random_bytes(g, u, sizeof(u)) != 0)
		return KAFKA_COORDINATOR_NOT_AVAILABLE;
	u[6] = (uint8_t)((u[6] & 0x0f) | 0x40);
	u[8] = (uint8_t)((u[8] & 0x3f) | 0x80);
	if (len > 0)
		memcpy(text, name.data, (size_t)len);
	len += snprintf(text + len, size - (size_t)len,
	    "-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
	    "%02x%02x%02x%02x%02x%02x",
	    u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7], u[8], u[9], u[10],
	    u[11], u[12], u[13], u[14], u[15]);
	*id = (struct bytes){(const uint8_t *)text, len};
	return 0;
}

static bool
is_full(const struct group *g)
{
	return g->roster.count + g->roster.pending_count >=
	    g->common->members_max;
}

/*
 * What a join would be refused with, and by whom it is made: NULL if the group
 * does not have that member yet.
 */
static int
check(const struct group *g, const struct group_join *r,
    struct roster_member **out)
{
	bool is_new = r->member_id.len == 0, is_static;
	int error = 0;

	*out = NULL;
	is_static = !bytes_is_null(r->instance_id);
	if (g->state == GROUP_DEAD)
		return KAFKA_COORDINATOR_NOT_AVAILABLE;
	if (is_new)
		*out = roster_find_instance(&g->roster, r->instance_id);
	else if (is_static || !roster_has_pending(&g->roster, r->member_id))
		error = group_find_member(g, r->member_id, r->instance_id, out);
	if (error != 0 || (error = check_protocols(g, *out, r)) != 0)
		return error;
	return is_new && *out == NULL && is_full(g)
	    ? KAFKA_GROUP_MAX_SIZE_REACHED
	    : 0;
}

int
group_may_join(const struct group *g, const struct group_join *r)
{
	struct roster_member *m;
	int error = check(g, r, &m);

	return error != 0 ? error
			  : roster_check(&g->roster, m, r, r->member_id);
}

static int
add_member(struct group *g, const struct group_join *r, struct bytes id,
    bool id_told, int64_t now)
{
	struct roster_member *m;
	int error;

	if (g->roster.count == 0 &&
	    group_copy_bytes(&g->protocol_type, r->protocol_type) != 0)
		return KAFKA_COORDINATOR_NOT_AVAILABLE;
	if ((error = roster_add(&g->roster, r, id, &m)) != 0)
		return error;
	roster_remove_pending(&g->roster, id);
	m->fresh = true;
	m->id_told = id_told;
	if (g->leader == NULL)
		g->leader = m;
	g->grown = true;
	group_waiter_park_join(g, m, r->waiter, now);
	group_rebalance(g, now);
	return 0;
}

/* The id is told, and its bearer has to come back with it (KIP-394). */
static int
add_pending(struct group *g, const struct group_join *r, struct bytes id,
    int64_t now)
{
	int64_t until = now + r->session_ms;
	int error = roster_add_pending(&g->roster, id, until);

	if (error != 0)
		return error;
	group_wake_at(g, until);
	group_waiter_refuse_join(g, r->waiter, KAFKA_MEMBER_ID_REQUIRED, id);
	return 0;
}

/*
 * A static member has come back without its id (KIP-345): it gets another one,
 * and who uses the old one is fenced.  In a stable group whose protocol stays
 * the same nobody else notices.  Its leader must not assign then: it is told
 * so (KIP-814), or, if it does not know that field, told its old id as the
 * leader's, which it does not take for itself.
 */
static int
replace_static(struct group *g, struct roster_member *m,
    const struct group_join *r, struct bytes id, int64_t now)
{
	uint8_t old[GROUP_ID_NAME_MAX + UUID_TEXT_LEN + 2];
	struct bytes old_id = {old, m->id.len};
	bool leads = g->leader == m, skips = leads && r->skip_assignment;
	int error;

	assert((size_t)m->id.len <= sizeof(old));
	memcpy(old, m->id.data, (size_t)m->id.len);
	if ((error = roster_update(&g->roster, m, r, id)) != 0)
		return error;
	group_waiter_refuse_both(g, m, KAFKA_FENCED_INSTANCE_ID, old_id);
	group_heard(g, m, now);
	if (g->state == GROUP_STABLE &&
	    bytes_equal(roster_choose(&g->roster), g->protocol)) {
		group_restore_keep(g);
		group_waiter_answer_join(g, m, r->waiter,
		    leads && !skips ? old_id : g->leader->id, skips, skips);
		return 0;
	}
	group_waiter_park_join(g, m, r->waiter, now);
	group_rebalance(g, now);
	return 0;
}

/* A client that was not told an id, or has forgotten it; m is who it was. */
static int
join_new(struct group *g, struct roster_member *m, const struct group_join *r,
    int64_t now)
{
	char text[GROUP_ID_NAME_MAX + UUID_TEXT_LEN + 2];
	struct bytes id;
	int error;

	if ((error = make_id(g, r, text, sizeof(text), &id)) != 0)
		return error;
	if (m != NULL)
		return replace_static(g, m, r, id, now);
	if (r->id_required && bytes_is_null(r->instance_id))
		return add_pending(g, r, id, now);
	return add_member(g, r, id, false, now);
}

/* A member whose answer may have been lost asks again. */
static void
join_again(struct group *g, struct roster_member *m, void *waiter, int64_t now)
{
	group_heard(g, m, now);
	group_waiter_answer_join(g, m, waiter, g->leader->id, m == g->leader,
	    false);
}

static int
join_known(struct group *g, struct roster_member *m, const struct group_join *r,
    int64_t now)
{
	bool same;
	int error;

	if (m == NULL)
		return add_member(g, r, r->member_id, true, now);
	same = roster_is_same(m, r);
	if (same &&
	    (g->state == GROUP_COMPLETING ||
		(g->state == GROUP_STABLE && m != g->leader))) {
		join_again(g, m, r->waiter, now);
		return 0;
	}
	if ((error = roster_update(&g->roster, m, r, r->member_id)) != 0)
		return error;
	group_waiter_park_join(g, m, r->waiter, now);
	group_rebalance(g, now);
	return 0;
}

void
group_join(struct group *g, const struct group_join *r, int64_t now)
{
	struct roster_member *m;
	int error = check(g, r, &m);

	if (error == 0)
		error = r->member_id.len == 0 ? join_new(g, m, r, now)
					      : join_known(g, m, r, now);
	if (error != 0)
		group_waiter_refuse_join(g, r->waiter, error, r->member_id);
}
