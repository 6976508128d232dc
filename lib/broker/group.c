/* In the order of a rebalance: join, sync, then the rest. */

#include "broker/group.h"

#include <sys/random.h>

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/roster.h"
#include "broker/subscription.h"
#include "base/status.h"
#include "kafka/error.h"
#include "kafka/messages.h"

enum {
	UUID_TEXT_LEN = 36,
	/* Bytes of a group's or a protocol type's name. */
	NAME_MAX_LEN = 249,
	/* Nobody has joined in time: at least so long until the next look. */
	RETRY_MS = 1000,
};

struct group {
	struct group_common *common;	/* not owned */
	struct roster roster;
	struct bytes id;		/* owned */
	struct bytes protocol_type;	/* owned; null: never had one */
	struct bytes protocol;		/* in its text; null until chosen */
	uint8_t protocol_text[NAME_MAX_LEN];
	struct roster_member *leader;	/* NULL: no members */
	enum group_state state;
	int32_t generation;
	size_t joining;			/* members that wait in a join */
	bool initial;			/* the first rebalance since EMPTY */
	bool grown;			/* somebody new came meanwhile */
	int64_t delay_left_ms;		/* of what it may be put off */
	int64_t join_deadline_ms;	/* in PREPARING */
	int64_t sync_deadline_ms;
	int64_t wake_ms;		/* no deadline is before it */
};

static const struct bytes EMPTY = {(const uint8_t *)"", 0};

static void rebalance(struct group *g, int64_t now);
static void advance(struct group *g, int64_t now);

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
static void
set_protocol(struct group *g, struct bytes name)
{
	assert(name.len >= 0 && name.len <= NAME_MAX_LEN);
	if (name.len > 0)
		memcpy(g->protocol_text, name.data, (size_t)name.len);
	g->protocol = (struct bytes){g->protocol_text, name.len};
}

static int
copy_bytes(struct bytes *to, struct bytes from)
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
	if (copy_bytes(&g->id, id) != 0) {
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

static void
set_state(struct group *g, enum group_state to)
{
	const struct group_events *e = &g->common->events;
	enum group_state from = g->state;

	assert(is_legal(from, to));
	g->state = to;
	if (e->changed != NULL)
		e->changed(e->arg, g->id, from, to);
}

/* --- what outlasts the broker --------------------------------------------- */

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

static void
keep(struct group *g)
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

/* --- time ----------------------------------------------------------------- */

static void
wake_at(struct group *g, int64_t when)
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
static void
heard(struct group *g, struct roster_member *m, int64_t now)
{
	if (m->fresh && m->join_waiter != NULL)
		return;
	m->deadline_ms = now + m->session_ms;
	wake_at(g, m->deadline_ms);
}

/* The longest rebalance timeout. */
static int64_t
rebalance_ms(const struct group *g)
{
	int32_t longest = 0;

	for (size_t i = 0; i < g->roster.count; i++)
		if (g->roster.members[i]->rebalance_ms > longest)
			longest = g->roster.members[i]->rebalance_ms;
	return longest;
}

/* --- answers -------------------------------------------------------------- */

static void
refuse_join(struct group *g, void *waiter, int error, struct bytes member_id)
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

static void
refuse_sync(struct group *g, void *waiter, int error)
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
static void *
take_join(struct group *g, struct roster_member *m)
{
	void *waiter = m->join_waiter;

	if (waiter != NULL)
		g->joining--;
	m->join_waiter = NULL;
	return waiter;
}

static void *
take_sync(struct roster_member *m)
{
	void *waiter = m->sync_waiter;

	m->sync_waiter = NULL;
	return waiter;
}

/* Refuse whatever m waits for. */
static void
refuse_both(struct group *g, struct roster_member *m, int error,
    struct bytes member_id)
{
	void *join = take_join(g, m), *sync = take_sync(m);

	if (join != NULL)
		refuse_join(g, join, error, member_id);
	if (sync != NULL)
		refuse_sync(g, sync, error);
}

/* Tell m of the current generation; members and skip are for the leader. */
static void
answer_join(struct group *g, struct roster_member *m, void *waiter,
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

static void
answer_sync(struct group *g, struct roster_member *m, void *waiter)
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
static void
park_join(struct group *g, struct roster_member *m, void *waiter, int64_t now)
{
	void *older = take_join(g, m);

	m->join_waiter = waiter;
	g->joining++;
	if (m->fresh) {
		m->deadline_ms = now + GROUP_NEW_MEMBER_MS;
		wake_at(g, m->deadline_ms);
	}
	if (older != NULL)
		refuse_join(g, older, KAFKA_REBALANCE_IN_PROGRESS, m->id);
}

static void
park_sync(struct group *g, struct roster_member *m, void *waiter)
{
	void *older = take_sync(m);

	m->sync_waiter = waiter;
	m->must_sync = false;
	if (older != NULL)
		refuse_sync(g, older, KAFKA_REBALANCE_IN_PROGRESS);
}

/* --- joining -------------------------------------------------------------- */

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
group_check_first(const struct group_join *r)
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
	int error = group_check_first(r);

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

static int
add_member(struct group *g, const struct group_join *r, struct bytes id,
    bool id_told, int64_t now)
{
	struct roster_member *m;
	int error;

	if (g->roster.count == 0 &&
	    copy_bytes(&g->protocol_type, r->protocol_type) != 0)
		return KAFKA_COORDINATOR_NOT_AVAILABLE;
	if ((error = roster_add(&g->roster, r, id, &m)) != 0)
		return error;
	roster_remove_pending(&g->roster, id);
	m->fresh = true;
	m->id_told = id_told;
	if (g->leader == NULL)
		g->leader = m;
	g->grown = true;
	park_join(g, m, r->waiter, now);
	rebalance(g, now);
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
	wake_at(g, until);
	refuse_join(g, r->waiter, KAFKA_MEMBER_ID_REQUIRED, id);
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
	refuse_both(g, m, KAFKA_FENCED_INSTANCE_ID, old_id);
	heard(g, m, now);
	if (g->state == GROUP_STABLE &&
	    bytes_equal(roster_choose(&g->roster), g->protocol)) {
		keep(g);
		answer_join(g, m, r->waiter,
		    leads && !skips ? old_id : g->leader->id, skips, skips);
		return 0;
	}
	park_join(g, m, r->waiter, now);
	rebalance(g, now);
	return 0;
}

static int
join_new(struct group *g, const struct group_join *r, int64_t now)
{
	struct roster_member *old =
	    roster_find_instance(&g->roster, r->instance_id);
	char text[GROUP_ID_NAME_MAX + UUID_TEXT_LEN + 2];
	struct bytes id;
	int error;

	if ((error = check_protocols(g, old, r)) != 0)
		return error;
	if (old == NULL && is_full(g))
		return KAFKA_GROUP_MAX_SIZE_REACHED;
	if ((error = make_id(g, r, text, sizeof(text), &id)) != 0)
		return error;
	if (old != NULL)
		return replace_static(g, old, r, id, now);
	if (r->id_required && bytes_is_null(r->instance_id))
		return add_pending(g, r, id, now);
	return add_member(g, r, id, false, now);
}

/* The member of that id; with an instance id it must be that one's. */
static int
find_member(const struct group *g, struct bytes member_id,
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

/* A member whose answer may have been lost asks again. */
static void
join_again(struct group *g, struct roster_member *m, void *waiter, int64_t now)
{
	heard(g, m, now);
	answer_join(g, m, waiter, g->leader->id, m == g->leader, false);
}

static int
join_known(struct group *g, const struct group_join *r, int64_t now)
{
	struct roster_member *m;
	bool same;
	int error;

	if (bytes_is_null(r->instance_id) &&
	    roster_has_pending(&g->roster, r->member_id)) {
		error = check_protocols(g, NULL, r);
		return error != 0 ? error
				  : add_member(g, r, r->member_id, true, now);
	}
	error = find_member(g, r->member_id, r->instance_id, &m);
	if (error != 0 || (error = check_protocols(g, m, r)) != 0)
		return error;
	same = roster_is_same(m, r);
	if (same &&
	    (g->state == GROUP_COMPLETING ||
		(g->state == GROUP_STABLE && m != g->leader))) {
		join_again(g, m, r->waiter, now);
		return 0;
	}
	if ((error = roster_update(&g->roster, m, r, r->member_id)) != 0)
		return error;
	park_join(g, m, r->waiter, now);
	rebalance(g, now);
	return 0;
}

void
group_join(struct group *g, const struct group_join *r, int64_t now)
{
	int error = g->state == GROUP_DEAD ? KAFKA_COORDINATOR_NOT_AVAILABLE
	    : r->member_id.len == 0        ? join_new(g, r, now)
					   : join_known(g, r, now);

	if (error != 0)
		refuse_join(g, r->waiter, error, r->member_id);
}

/* --- rebalance ------------------------------------------------------------ */

/* Members have to join again. */
static void
prepare(struct group *g, int64_t now)
{
	int64_t wait = rebalance_ms(g);

	for (size_t i = 0; i < g->roster.count; i++) {
		struct roster_member *m = g->roster.members[i];
		void *waiter = take_sync(m);

		m->must_sync = false;
		if (waiter == NULL)
			continue;
		heard(g, m, now);
		refuse_sync(g, waiter, KAFKA_REBALANCE_IN_PROGRESS);
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
	wake_at(g, g->join_deadline_ms);
	set_state(g, GROUP_PREPARING);
}

static void
rebalance(struct group *g, int64_t now)
{
	if (g->state != GROUP_PREPARING)
		prepare(g, now);
	advance(g, now);
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
	wake_at(g, g->join_deadline_ms);
	return true;
}

static void
remove_member(struct group *g, struct roster_member *m)
{
	refuse_both(g, m, KAFKA_UNKNOWN_MEMBER_ID, EMPTY);
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
			remove_member(g, m);
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
		void *waiter = take_join(g, m);

		m->must_sync = waiter != NULL;
		if (waiter == NULL)
			continue;
		m->fresh = false;
		heard(g, m, now);
		answer_join(g, m, waiter, g->leader->id, m == g->leader, false);
	}
}

static void
begin_generation(struct group *g, int64_t now)
{
	drop_absent(g);
	if (g->roster.count > 0 && !elect(g)) {
		g->join_deadline_ms = now + rebalance_ms(g) + RETRY_MS;
		wake_at(g, g->join_deadline_ms);
		return;
	}
	g->generation = g->generation == INT32_MAX ? 1 : g->generation + 1;
	g->join_deadline_ms = GROUP_NEVER;
	if (g->roster.count == 0) {
		set_state(g, GROUP_EMPTY);
		keep(g);
		return;
	}
	set_protocol(g, roster_choose(&g->roster));
	g->sync_deadline_ms = now + rebalance_ms(g);
	wake_at(g, g->sync_deadline_ms);
	set_state(g, GROUP_COMPLETING);
	keep(g);
	answer_joins(g, now);
}

/* Go on with a rebalance, if it can. */
static void
advance(struct group *g, int64_t now)
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

/* --- syncing -------------------------------------------------------------- */

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
		void *waiter = take_sync(m);

		if (waiter == NULL)
			continue;
		heard(g, m, now);
		answer_sync(g, m, waiter);
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
	park_sync(g, m, r->waiter);
	if (m == g->leader) {
		set_state(g, GROUP_STABLE);
		keep(g);
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
	int error = find_member(g, r->member_id, r->instance_id, out);

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
		heard(g, m, now);
		forget_sync_deadline(g);
		answer_sync(g, m, r->waiter);
	}
	if (error != 0)
		refuse_sync(g, r->waiter, error);
}

/* --- a new life ----------------------------------------------------------- */

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
	heard(g, m, now);
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
		set_protocol(g, r->protocol);
		g->state = GROUP_STABLE;
		return;
	}
	roster_clear_assignments(&g->roster);
	g->leader = g->roster.members[0];
	g->initial = false;
	g->join_deadline_ms = now + rebalance_ms(g);
	wake_at(g, g->join_deadline_ms);
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
	    copy_bytes(&g->protocol_type, r->protocol_type) != 0)
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

/* --- the rest ------------------------------------------------------------- */

int
group_heartbeat(struct group *g, struct bytes member_id,
    struct bytes instance_id, int32_t generation, int64_t now)
{
	struct roster_member *m;
	int error = find_member(g, member_id, instance_id, &m);

	if (error != 0)
		return error;
	if (generation != g->generation)
		return KAFKA_ILLEGAL_GENERATION;
	heard(g, m, now);
	return g->state == GROUP_PREPARING ? KAFKA_REBALANCE_IN_PROGRESS : 0;
}

/* Members have been removed. */
static void
shrink(struct group *g, int64_t now)
{
	if (g->state == GROUP_COMPLETING || g->state == GROUP_STABLE)
		rebalance(g, now);
	else
		advance(g, now);
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
		advance(g, now);
		return 0;
	} else if ((error = find_member(g, member_id, instance_id, &m)) != 0) {
		return error;
	}
	remove_member(g, m);
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
	if ((error = find_member(g, member_id, instance_id, &m)) != 0)
		return error;
	if (generation != g->generation)
		return KAFKA_ILLEGAL_GENERATION;
	if (g->state == GROUP_COMPLETING)
		return KAFKA_REBALANCE_IN_PROGRESS;
	heard(g, m, now);
	return 0;
}

/* A new member whose client does not know its id yet will not come back. */
static void
cancel_join(struct group *g, struct roster_member *m, int64_t now)
{
	(void)take_join(g, m);
	heard(g, m, now);
	if (m->id_told || !bytes_is_null(m->instance_id))
		return;
	remove_member(g, m);
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
			(void)take_sync(m);
			m->must_sync = true;
			heard(g, m, now);
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

		refuse_both(g, m, error, m->id);
	}
	set_state(g, GROUP_DEAD);
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
			remove_member(g, m);
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
		wake_at(g, g->join_deadline_ms);
	for (size_t i = 0; i < g->roster.count; i++)
		wake_at(g, deadline(g->roster.members[i]));
	for (size_t i = 0; i < g->roster.pending_count; i++)
		wake_at(g, g->roster.pending[i].deadline_ms);
}

void
group_tick(struct group *g, int64_t now)
{
	roster_expire_pending(&g->roster, now);
	if (expire_members(g, now))
		shrink(g, now);
	else
		advance(g, now);
	find_wake(g);
}

/* --- what it is ----------------------------------------------------------- */

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
