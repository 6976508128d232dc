/*
 * The group coordinator under clients that join, sync, send heartbeats, commit,
 * leave, lose connections and die in any order, with a clock that jumps.  What
 * must hold whatever they do:
 *
 *  - each waiter is answered once, and not at all when it was cancelled;
 *  - generations ascend, and the leader of one, who alone is given the members,
 *    is among them;
 *  - an assignment that is given out is of the generation of who gets it;
 *  - in a stable group each member has an assignment;
 *  - nobody is a member who was not heard of for his session timeout;
 *  - bounds hold, and in the end, when nobody does anything any more, all
 *    have been answered and nothing is left.
 */

#include "clients.h"

enum {
	STEPS = 60000,
	GROUPS = 3,
	CLIENTS = 14,
	SESSION_MS = 6000,
	MEMBERS_MAX = 6,
};

/* One request that is to be answered; never used twice. */
struct wait {
	int client;
	bool is_sync;
	struct identity *identity;	/* NULL: a join without an id */
	bool open;
	bool cancelled;
	int answers;
};

/* A member id that was given out; its number is in its text. */
struct identity {
	int64_t heard_ms;
	int waits;		/* for so many answers */
};

static struct model {
	int group;
	const char *instance;
	char id[CLIENT_TEXT];
	int32_t generation;
	struct wait *wait;	/* the last request's, if it is open */
	bool must_sync;		/* it has joined, as far as it knows */
	bool must_join;
	bool dead;
} models[CLIENTS];

static struct wait waits[STEPS + 1];
static size_t wait_count;
static struct identity *identities;	/* by the number in the id */
static int32_t generations[GROUPS];	/* the last one seen */
static int32_t answered[GROUPS];	/* leaders of that were told */
static const char *wrong;
/* How often something was seen: a model that does nothing shows nothing. */
static int stables, assigned, lost;

static const char *const group_names[GROUPS] = {"f", "g", "h"};

static void
fail(const char *what)
{
	if (wrong == NULL)
		wrong = what;
}

static struct identity *
identity(struct bytes id)
{
	char text[CLIENT_TEXT];
	uint64_t number;

	client_text(text, id);
	if (strlen(text) < 12)
		return NULL;
	number = strtoull(text + strlen(text) - 12, NULL, 16);
	return number <= client_ids ? &identities[number] : NULL;
}

/* Who waits has been heard of; NULL: nobody knows it yet. */
static void
stop_waiting(struct wait *w)
{
	struct identity *i = w->identity;

	w->open = false;
	if (models[w->client].wait == w)
		models[w->client].wait = NULL;
	if (i == NULL)
		return;
	i->heard_ms = client_now;
	i->waits--;
}

/* The end of a wait; the client it belongs to. */
static struct model *
answer(struct wait *w)
{
	struct model *m = &models[w->client];

	w->answers++;
	if (w->answers > 1)
		fail("answered twice");
	if (w->cancelled)
		fail("answered though cancelled");
	stop_waiting(w);
	return m;
}

static void
model_joined(void *arg, void *waiter, const struct group_joined *a)
{
	struct wait *w = waiter;
	struct model *m = answer(w);
	bool leads = false;

	(void)arg;
	if (identity(a->member_id) != NULL && w->identity == NULL)
		identity(a->member_id)->heard_ms = client_now;
	if (a->error == KAFKA_MEMBER_ID_REQUIRED)
		client_text(m->id, a->member_id);
	lost += a->error == KAFKA_UNKNOWN_MEMBER_ID;
	if (a->error == KAFKA_UNKNOWN_MEMBER_ID ||
	    a->error == KAFKA_FENCED_INSTANCE_ID)
		m->id[0] = '\0';
	if (a->error != 0) {
		if (a->generation != -1 || a->member_count != 0)
			fail("an error with members");
		return;
	}
	for (size_t i = 0; i < a->member_count; i++)
		leads |= bytes_equal(a->members[i].id, a->leader);
	if (a->member_count > 0 &&
	    (!leads || !bytes_equal(a->leader, a->member_id)))
		fail("members for who does not lead them");
	if (a->member_count > 0 && !a->skip_assignment)
		answered[m->group] = a->generation;
	if (a->generation < generations[m->group])
		fail("an old generation");
	if (w->is_sync || a->generation < 1)
		fail("not a join's answer");
	client_text(m->id, a->member_id);
	m->generation = a->generation;
	m->must_sync = true;
	m->must_join = false;
}

static void
model_synced(void *arg, void *waiter, const struct group_synced *a)
{
	struct wait *w = waiter;
	struct model *m = answer(w);
	char text[CLIENT_TEXT];

	(void)arg;
	if (!w->is_sync)
		fail("not a sync's answer");
	m->must_sync = false;
	m->must_join = a->error != 0;
	client_text(text, a->assignment);
	assigned += text[0] != '\0';
	if (a->error == 0 && text[0] != '\0' &&
	    strtoll(text, NULL, 10) != m->generation)
		fail("an assignment of another generation");
	if (a->error != 0 && text[0] != '\0')
		fail("an error with an assignment");
}

static struct wait *
new_wait(struct model *m, bool is_sync)
{
	struct wait *w = &waits[wait_count++];

	*w = (struct wait){.client = (int)(m - models),
	    .is_sync = is_sync,
	    .identity = identity(bytes_of(m->id)),
	    .open = true};
	m->wait = w;
	if (w->identity != NULL)
		w->identity->waits++;
	return w;
}

static struct bytes
group_of(const struct model *m)
{
	return bytes_of(group_names[m->group]);
}

static void
do_join(struct model *m)
{
	static const char *const offers[] = {"range:1 sticky:2",
	    "sticky:3 range:4", "range:5", "range:1 sticky:2",
	    "mine:6 range:7"};
	struct group_protocol protocols[CLIENT_PROTOCOLS];
	struct group_join r = {
	    .member_id = bytes_of(m->id),
	    .instance_id = bytes_of(m->instance),
	    .client_id = bytes_of("c"),
	    .protocol_type = bytes_of("consumer"),
	    .protocols = protocols,
	    .session_ms = SESSION_MS,
	    .rebalance_ms = (int32_t)(tap_random() % 20000) - 1,
	    .id_required = tap_random() % 2 == 0,
	    .skip_assignment = tap_random() % 2 == 0,
	};
	char id[CLIENT_TEXT];

	memcpy(id, m->id, sizeof(id));
	r.member_id = bytes_of(id);
	r.protocol_count =
	    client_protocols(offers[tap_random() % 5], protocols);
	r.waiter = new_wait(m, false);
	coordinator_join(client_coordinator, group_of(m), &r, client_now);
}

static void
do_sync(struct model *m)
{
	struct group_assignment assignments[CLIENTS];
	char text[32], id[CLIENT_TEXT];
	struct group_sync r = {
	    .instance_id = bytes_of(m->instance),
	    .generation = m->generation,
	    .protocol_type = BYTES_NULL,
	    .protocol = BYTES_NULL,
	    .assignments = assignments,
	};

	memcpy(id, m->id, sizeof(id));
	r.member_id = bytes_of(id);
	snprintf(text, sizeof(text), "%d", m->generation);
	for (int i = 0; i < CLIENTS; i++)
		if (models[i].group == m->group && tap_random() % 4 != 0)
			assignments[r.assignment_count++] =
			    (struct group_assignment){bytes_of(models[i].id),
				bytes_of(text)};
	if (r.assignment_count > MEMBERS_MAX)
		r.assignment_count = MEMBERS_MAX;
	r.waiter = new_wait(m, true);
	coordinator_sync(client_coordinator, group_of(m), &r, client_now);
}

static void
do_heartbeat(struct model *m)
{
	int error = tap_random() % 2 == 0
	    ? coordinator_heartbeat(client_coordinator, group_of(m),
		  bytes_of(m->id), bytes_of(m->instance), m->generation,
		  client_now)
	    : coordinator_may_commit(client_coordinator, group_of(m),
		  bytes_of(m->id), bytes_of(m->instance), m->generation,
		  client_now);
	struct identity *i = identity(bytes_of(m->id));

	m->must_join |= error == KAFKA_REBALANCE_IN_PROGRESS ||
	    error == KAFKA_UNKNOWN_MEMBER_ID;
	if (i != NULL && i->waits == 0 &&
	    (error == 0 || error == KAFKA_REBALANCE_IN_PROGRESS))
		i->heard_ms = client_now;
}

static void
do_leave(struct model *m)
{
	bool by_instance = m->instance != NULL && tap_random() % 4 == 0;
	struct coordinator_leaving l = {
	    bytes_of(by_instance ? "" : m->id),
	    bytes_of(m->instance),
	    0,
	};

	if (coordinator_leave(client_coordinator, group_of(m), &l, 1,
		client_now) != 0)
		fail("leaving is refused");
	if (l.error == 0)
		m->id[0] = '\0';
}

/* The connection is lost. */
static void
do_cancel(struct model *m)
{
	struct wait *w = m->wait;

	if (w == NULL)
		return;
	w->cancelled = true;
	if (!coordinator_cancel(client_coordinator, group_of(m), w, client_now))
		fail("a waiter was not there");
	if (coordinator_cancel(client_coordinator, group_of(m), w, client_now))
		fail("a waiter was there twice");
	stop_waiting(w);
}

static void
do_tick(int64_t ms)
{
	client_tick(ms);
	if (coordinator_next_ms(client_coordinator) <= client_now)
		fail("something is still due");
}

/* What a client does that works as it should. */
static void
proceed(struct model *m)
{
	if (m->wait != NULL)
		return;
	if (m->must_join || m->id[0] == '\0')
		do_join(m);
	else if (m->must_sync)
		do_sync(m);
	else
		do_heartbeat(m);
}

/* A step of a client; many do not work as they should. */
static void
step(struct model *m)
{
	unsigned what = (unsigned)(tap_random() % 100);

	if (m->dead && what < 90)
		return;
	m->dead = false;
	if (tap_random() % 20 == 0)
		do_tick((int64_t)(tap_random() % 2000));
	else if (tap_random() % 4 != 0)
		proceed(m);
	else if (what < 10)
		do_tick((int64_t)(tap_random() % 1000));
	else if (what < 11)
		do_tick((int64_t)(tap_random() % 20000));
	else if (what < 40)
		do_heartbeat(m);
	else if (what < 65)
		do_sync(m);
	else if (what < 85)
		do_join(m);
	else if (what < 88)
		do_leave(m);
	else if (what < 92)
		do_cancel(m);
	else if (what < 95)
		m->id[0] = '\0';	/* started again */
	else
		m->dead = true;
}

static void
check_member(const struct group_member *member, enum group_state state,
    int64_t ticked_ms)
{
	const struct identity *i = identity(member->id);

	if (state == GROUP_STABLE && bytes_is_null(member->assignment))
		fail("stable, and a member without an assignment");
	if (state != GROUP_STABLE && !bytes_is_null(member->assignment))
		fail("an assignment that is out of date");
	if (i == NULL)
		fail("a member that nobody knows");
	/* One that waits anonymously is first heard of with its answer. */
	else if (i->heard_ms != 0 && i->waits == 0 &&
	    i->heard_ms + SESSION_MS <= ticked_ms)
		fail("a member that outlived its session");
}

static void
check_group(int g, int64_t ticked_ms)
{
	struct group_summary s;

	coordinator_describe(client_coordinator, bytes_of(group_names[g]), &s);
	if (s.state == GROUP_DEAD) {
		generations[g] = answered[g] = 0;
		return;
	}
	if (s.generation < generations[g])
		fail("the generation went back");
	if (s.state == GROUP_COMPLETING && answered[g] != s.generation)
		fail("a generation without a leader");
	if ((s.state == GROUP_EMPTY || s.state == GROUP_DEAD) &&
	    s.member_count > 0)
		fail("empty, with members");
	if ((s.state == GROUP_STABLE || s.state == GROUP_COMPLETING) &&
	    s.member_count == 0)
		fail("no members");
	if (s.member_count > MEMBERS_MAX)
		fail("too many members");
	stables += s.state == GROUP_STABLE && s.member_count > 1;
	generations[g] = s.generation;
	for (size_t i = 0; i < s.member_count; i++)
		check_member(&s.members[i], s.state, ticked_ms);
}

/* Nobody does anything any more. */
static void
wind_down(void)
{
	int64_t next;

	for (int i = 0; i < 10000; i++) {
		next = coordinator_next_ms(client_coordinator);
		if (next == GROUP_NEVER)
			break;
		do_tick(next - client_now);
	}
	tap_int(coordinator_next_ms(client_coordinator), GROUP_NEVER,
	    "it comes to an end");
	tap_int(coordinator_groups(client_coordinator), 0, "no groups");
	tap_int(coordinator_bytes(client_coordinator), 0, "no bytes");
}

static void
run(int32_t initial_delay_ms)
{
	static const char *const instances[] = {"one", "two", "three"};
	struct coordinator_settings s = coordinator_defaults;
	struct group_events events = {.joined = model_joined,
	    .synced = model_synced,
	    .random = client_random};
	size_t open = 0, once = 0;
	int64_t ticked_ms;
	int steps = 0;

	s.initial_delay_ms = initial_delay_ms;
	s.members_max = MEMBERS_MAX;
	s.groups_max = GROUPS - 1;
	s.empty_ms = 5000;
	s.group_bytes_max = 3000;
	s.bytes_max = 4000;
	client_coordinator = coordinator_new(&s, &events);
	client_ids = 0;
	wait_count = 0;
	stables = assigned = lost = 0;
	wrong = NULL;
	memset(identities, 0, (STEPS + 1) * sizeof(*identities));
	memset(generations, 0, sizeof(generations));
	for (int i = 0; i < CLIENTS; i++)
		models[i] = (struct model){.group = i % GROUPS,
		    .instance = i < 6 ? instances[i / GROUPS] : NULL};
	for (; steps < STEPS && wrong == NULL; steps++) {
		step(&models[tap_random() % CLIENTS]);
		coordinator_tick(client_coordinator, client_now);
		ticked_ms = client_now;
		for (int g = 0; g < GROUPS; g++)
			check_group(g, ticked_ms);
		if (coordinator_bytes(client_coordinator) > s.bytes_max)
			fail("too many bytes");
	}
	if (wrong != NULL)
		fprintf(stderr, "# step %d: %s\n", steps, wrong);
	tap(wrong == NULL, "all holds, with a delay of %d ms",
	    initial_delay_ms);
	printf("# %d steps of stable groups, %d assignments, %d lost\n",
	    stables, assigned, lost);
	tap(stables > 1000 && assigned > 1000 && lost > 100,
	    "and enough has happened");
	wind_down();
	for (size_t i = 0; i < wait_count; i++) {
		open += waits[i].open;
		once += waits[i].answers == !waits[i].cancelled;
	}
	tap_int(open, 0, "nobody waits");
	tap_int(once, wait_count, "each was answered once");
	client_end();
}

int
main(void)
{
	identities = calloc(STEPS + 1, sizeof(*identities));
	if (identities == NULL)
		abort();
	run(0);
	run(3000);
	free(identities);
	return tap_done();
}
