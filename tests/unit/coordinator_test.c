/*
 * The group coordinator, rule by rule: joining, static members, rebalances,
 * syncing, heartbeats, expiry, leaving, commits, administrators, bounds.
 */

#include "broker/coordinator.h"

#include <errno.h>

#include "clients.h"
/* Whoever serves requests has both; no name may be in both. */
#include "kafka/messages.h"

static struct client a, b, c;

/* New clients and a coordinator of their own. */
static void
begin(void)
{
	a = (struct client){.name = "a"};
	b = (struct client){.name = "b"};
	c = (struct client){.name = "c"};
	client_begin(&coordinator_defaults);
}

static void
sync_pair(struct client *leader, struct client *other)
{
	const struct client *all[] = {leader, other};

	client_sync(other, NULL, 0);
	client_sync(leader, all, 2);
}

/* a leads, b follows; stable. */
static void
begin_pair(void)
{
	client_join(&a);
	client_take(&a);
	client_sync(&a, NULL, 0);
	client_join(&b);
	client_join(&a);
	client_take(&a);
	client_take(&b);
	sync_pair(&a, &b);
	client_changes[0] = '\0';
}

static void
begin_stable(void)
{
	begin();
	begin_pair();
}

/* --- joining -------------------------------------------------------------- */

static int
join_with(struct group_join r, const char *group)
{
	struct answer w = {0};

	r.waiter = &w;
	coordinator_join(client_coordinator, bytes_of(group), &r, client_now);
	return w.count == 1 && w.generation == -1 && w.leader[0] == '\0' &&
		w.protocol[0] == '\0'
	    ? w.error
	    : -9;
}

static void
test_join_checks(void)
{
	struct group_protocol range = {bytes_of("range"), bytes_of("x")};
	struct group_protocol many[GROUP_PROTOCOLS_MAX + 1];
	char longer[COORDINATOR_ID_MAX + 2];
	struct group_join r = {.member_id = bytes_of(""),
	    .instance_id = BYTES_NULL,
	    .client_id = bytes_of("x"),
	    .protocol_type = bytes_of("consumer"),
	    .protocols = &range,
	    .protocol_count = 1,
	    .session_ms = 10000};
	struct group_join q;

	begin();
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	tap_int(join_with(r, ""), KAFKA_INVALID_GROUP_ID, "an empty group id");
	tap_int(join_with(r, longer), KAFKA_INVALID_GROUP_ID, "a long one");
	q = r;
	q.session_ms = 5999;
	tap_int(join_with(q, "g"), KAFKA_INVALID_SESSION_TIMEOUT, "too short");
	q.session_ms = 1800001;
	tap_int(join_with(q, "g"), KAFKA_INVALID_SESSION_TIMEOUT, "too long");
	q = r;
	q.protocol_type = bytes_of("");
	tap_int(join_with(q, "g"), KAFKA_INCONSISTENT_GROUP_PROTOCOL,
	    "no protocol type");
	q = r;
	q.protocol_count = 0;
	tap_int(join_with(q, "g"), KAFKA_INCONSISTENT_GROUP_PROTOCOL,
	    "no protocols");
	q = r;
	for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++)
		many[i] = range;
	q.protocols = many;
	q.protocol_count = GROUP_PROTOCOLS_MAX + 1;
	tap_int(join_with(q, "g"), KAFKA_INVALID_REQUEST, "too many protocols");
	many[0].name = bytes_of(longer);
	q.protocol_count = 1;
	tap_int(join_with(q, "g"), KAFKA_INVALID_REQUEST, "a protocol's name");
	q = r;
	q.member_id = bytes_of("x-1");
	tap_int(join_with(q, "g"), KAFKA_UNKNOWN_MEMBER_ID,
	    "an id, and no such group");
	tap_int(coordinator_groups(client_coordinator), 0,
	    "none of them made a group");
	client_end();
	begin_stable();
	tap_int(join_with(q, "g"), KAFKA_UNKNOWN_MEMBER_ID,
	    "an id, and no such member");
	q = r;
	q.protocol_type = bytes_of("connect");
	tap_int(join_with(q, "g"), KAFKA_INCONSISTENT_GROUP_PROTOCOL,
	    "another protocol type");
	q = r;
	range.name = bytes_of("sticky");
	tap_int(join_with(q, "g"), KAFKA_INCONSISTENT_GROUP_PROTOCOL,
	    "no protocol in common");
	tap_int(client_state(), GROUP_STABLE, "nothing has happened");
	client_end();
}

static void
test_first_join(void)
{
	begin();
	client_join(&a);
	tap_int(a.joined.error, 0, "the first member is answered at once");
	tap_int(a.joined.generation, 1, "in generation 1");
	tap_str(a.joined.protocol_type, "consumer");
	tap_str(a.joined.protocol, "range");
	tap_str(a.joined.leader, a.joined.member_id);
	tap_int(a.joined.member_count, 1, "it leads, and is given the members");
	tap_str(a.joined.member_id, "a-00000000-0000-4000-8000-000000000001");
	client_take(&a);
	tap_int(client_state(), GROUP_COMPLETING, "its sync is waited for");
	tap_str(client_changes,
	    "Empty>PreparingRebalance "
	    "PreparingRebalance>CompletingRebalance ");
	client_end();
}

static void
test_id_required(void)
{
	begin();
	a.version = 4;
	client_join(&a);
	tap_int(a.joined.error, KAFKA_MEMBER_ID_REQUIRED, "version 4: an id");
	tap(strncmp(a.joined.member_id, "a-", 2) == 0, "is given");
	tap_int(client_state(), GROUP_EMPTY, "it is not a member");
	client_take(&a);
	client_join(&a);
	tap_int(a.joined.error, 0, "it comes back with the id");
	tap_str(a.joined.member_id, a.id);
	client_end();

	begin();
	a.version = 4;
	client_join(&a);
	client_take(&a);
	client_tick(9999);
	client_join(&a);
	tap_int(a.joined.error, 0, "within the session timeout");
	client_end();

	begin();
	a.version = 4;
	client_join(&a);
	client_take(&a);
	tap_int(coordinator_next_ms(client_coordinator), client_now + 10000,
	    "that is waited for");
	client_tick(10000);
	client_join(&a);
	tap_int(a.joined.error, KAFKA_UNKNOWN_MEMBER_ID, "too late");
	a.instance = "one";
	a.id[0] = '\0';
	client_join(&a);
	tap_int(a.joined.error, 0, "a static member needs no id first");
	tap(strncmp(a.joined.member_id, "one-", 4) == 0,
	    "and is named by its instance");
	client_end();

	begin();
	a.version = 4;
	client_join(&a);
	client_take(&a);
	a.instance = "one";
	client_join(&a);
	tap_int(a.joined.error, KAFKA_UNKNOWN_MEMBER_ID,
	    "an id that was given to a dynamic member");
	client_end();
}

static void
test_long_names(void)
{
	static char name[601];

	begin();
	for (size_t i = 0; i + 1 < sizeof(name); i += 2)
		memcpy(name + i, "\xc3\xa4", 2);
	a.name = name;
	client_join(&a);
	tap_int(strlen(a.joined.member_id), 254 + 37,
	    "a long name is cut between letters");
	tap_int(a.joined.member_id[254], '-', "the id's other part follows");
	client_take(&a);
	client_sync(&a, NULL, 0);
	tap_int(a.synced.error, 0, "and the id is good");
	a.name = NULL;
	a.id[0] = '\0';
	a.version = 4;
	client_join(&a);
	tap_int(a.joined.member_id[0], '-', "no name");
	client_end();
}

static int
no_random(void *arg, void *out, size_t len)
{
	(void)arg;
	(void)out;
	(void)len;
	return EIO;
}

static void
test_random(void)
{
	struct group_events events = {.joined = client_joined,
	    .synced = client_synced,
	    .random = no_random};

	begin();
	client_end();
	client_coordinator = coordinator_new(&coordinator_defaults, &events);
	client_join(&a);
	tap_int(a.joined.error, KAFKA_COORDINATOR_NOT_AVAILABLE,
	    "no random bytes, no id");
	client_end();
	events.random = NULL;
	client_coordinator = coordinator_new(&coordinator_defaults, &events);
	client_join(&a);
	client_join(&b);
	tap_int(strlen(a.joined.member_id), 2 + 36, "ids of getrandom");
	client_take(&a);
	client_join(&a);
	tap(strcmp(a.joined.member_id, b.joined.member_id) != 0 &&
		b.joined.member_id[16] == '4',
	    "are UUIDs, each another one");
	client_end();
}

static void
test_rebalance(void)
{
	begin();
	client_join(&a);
	client_take(&a);
	client_sync(&a, (const struct client *const[]){&a}, 1);
	tap_str(a.synced.assignment, "a");
	tap_int(client_state(), GROUP_STABLE, "one member, stable");
	client_join(&b);
	tap(b.joined.waits, "the second one waits");
	tap_int(client_state(), GROUP_PREPARING, "a rebalance begins");
	tap_int(client_heartbeat(&a), KAFKA_REBALANCE_IN_PROGRESS,
	    "the first is told by its heartbeat");
	client_sync(&a, NULL, 0);
	tap_int(a.synced.error, KAFKA_REBALANCE_IN_PROGRESS, "or its sync");
	client_join(&a);
	tap(a.joined.count == 1 && b.joined.count == 1, "all have joined");
	tap(a.joined.generation == 2 && b.joined.generation == 2,
	    "the next generation");
	tap_str(b.joined.leader, a.id);
	tap_int(b.joined.member_count, 0, "only the leader has the members");
	client_take(&a);
	client_take(&b);
	tap_int(a.joined.member_count, 2, "both of them");
	tap(strstr(a.joined.members, b.id) != NULL, "with their ids");
	sync_pair(&a, &b);
	tap_str(a.synced.assignment, "a");
	tap_str(b.synced.assignment, "b");
	tap_str(b.synced.protocol, "range");
	tap_str(b.synced.protocol_type, "consumer");
	tap_int(client_state(), GROUP_STABLE, "stable");
	client_end();
}

static void
test_rejoin_preparing(void)
{
	begin_stable();
	client_join(&c);
	b.protocols = "range:new";
	client_join(&b);
	tap(b.joined.waits && c.joined.waits, "while preparing, joins wait");
	b.protocols = "range:newer";
	client_join(&b);
	client_join(&a);
	tap(strstr(a.joined.members, "=newer ") != NULL,
	    "what was said last is what counts");
	tap_int(b.joined.count, 2,
	    "the join before was answered, and this one was");
	client_end();
}

static void
test_rejoin_completing(void)
{
	begin();
	client_join(&a);
	client_take(&a);
	client_join(&a);
	tap(a.joined.generation == 1 && a.joined.error == 0,
	    "completing, same metadata: the same generation");
	tap_int(a.joined.member_count, 1, "and the members, again");
	a.protocols = "range:new";
	client_join(&a);
	tap_int(a.joined.generation, 2, "other metadata: a new one");
	client_end();
}

static void
test_rejoin_stable(void)
{
	begin_stable();
	client_join(&b);
	tap(b.joined.count == 1 && b.joined.generation == 2,
	    "stable, a follower with the same metadata: nothing");
	tap_int(b.joined.member_count, 0, "no members");
	tap_str(b.joined.leader, a.id);
	tap_int(client_state(), GROUP_STABLE, "stable still");
	b.protocols = "range:new";
	client_join(&b);
	tap(b.joined.waits && client_state() == GROUP_PREPARING,
	    "other metadata: a rebalance");
	client_end();
	begin_stable();
	client_join(&a);
	tap(a.joined.waits && client_state() == GROUP_PREPARING,
	    "the leader with the same metadata: a rebalance");
	client_end();
}

static void
test_votes(void)
{
	begin();
	a.protocols = "range:1 sticky:2 mine:3";
	b.protocols = "sticky:4 range:5";
	c.protocols = "other:6 sticky:7 range:8";
	client_join(&a);
	tap_str(a.joined.protocol, "range");
	client_take(&a);
	client_join(&b);
	client_join(&a);
	tap_str(a.joined.protocol, "range");
	tap(strstr(a.joined.members, "=1 ") != NULL &&
		strstr(a.joined.members, "=5 ") != NULL,
	    "one vote each: as the first says, and its metadata");
	client_take(&b);
	client_join(&c);
	client_join(&b);
	client_join(&a);
	tap_str(a.joined.protocol, "sticky");
	tap(strstr(a.joined.members, "=7 ") != NULL,
	    "two votes to one, among what all have");
	client_take(&c);
	a.protocols = "mine:3";
	client_join(&a);
	tap_int(a.joined.error, KAFKA_INCONSISTENT_GROUP_PROTOCOL,
	    "a member may not leave the others without one");
	client_end();
	begin();
	client_join(&a);
	client_take(&a);
	a.protocols = "other:1";
	client_join(&a);
	tap_str(a.joined.protocol, "other");
	client_end();
}

static void
test_rebalance_timeout(void)
{
	begin_stable();
	b.rebalance_ms = 90000;
	b.session_ms = 100000;
	a.session_ms = 100000;
	client_join(&a);
	client_join(&b);
	client_take(&a);
	client_take(&b);
	sync_pair(&a, &b);
	client_join(&c);
	client_join(&b);
	client_tick(89999);
	tap(b.joined.waits && c.joined.waits,
	    "the longest rebalance timeout has not passed");
	client_tick(1);
	tap(b.joined.generation == 4 && c.joined.generation == 4,
	    "it has: who is there goes on");
	tap_str(c.joined.leader, b.id);
	tap_int(b.joined.member_count, 2, "the leader was lost: another");
	tap_int(client_heartbeat(&a), KAFKA_UNKNOWN_MEMBER_ID,
	    "who did not join is no member any more");
	client_end();
}

static void
test_initial_delay(void)
{
	struct coordinator_settings s = coordinator_defaults;

	begin();
	client_end();
	s.initial_delay_ms = 3000;
	client_begin(&s);
	a.rebalance_ms = b.rebalance_ms = c.rebalance_ms = 7000;
	client_join(&a);
	client_tick(2999);
	tap(a.joined.waits, "the first join of a group waits");
	client_join(&b);
	client_tick(1);
	tap(a.joined.waits, "and longer if another comes");
	client_join(&c);
	client_tick(2999);
	tap(a.joined.waits, "by the delay");
	client_tick(1);
	tap(a.joined.waits, "again, but only up to the rebalance timeout");
	client_tick(1000);
	tap(a.joined.count == 1 && b.joined.count == 1 && c.joined.count == 1,
	    "then all are answered");
	tap_int(c.joined.generation, 1, "of one generation");
	client_end();
	begin();
	client_end();
	client_begin(&s);
	client_join(&a);
	client_tick(3000);
	tap_int(a.joined.count, 1, "nobody else comes: one delay");
	client_end();
}

/* --- static members ------------------------------------------------------- */

static void
begin_static(void)
{
	begin();
	a.instance = "one";
	b.instance = "two";
	begin_pair();
}

static void
test_static_follower(void)
{
	char old[CLIENT_TEXT];

	begin_static();
	memcpy(old, b.id, sizeof(old));
	b.id[0] = '\0';
	client_join(&b);
	tap(b.joined.error == 0 && b.joined.generation == 2,
	    "a static member comes back: the same generation");
	tap(strcmp(b.joined.member_id, old) != 0, "with a new id");
	tap_str(b.joined.leader, a.id);
	tap_int(client_state(), GROUP_STABLE, "no rebalance");
	client_take(&b);
	client_sync(&b, NULL, 0);
	tap_str(b.synced.assignment, "b");
	memcpy(b.id, old, sizeof(old));
	tap_int(client_heartbeat(&b), KAFKA_FENCED_INSTANCE_ID,
	    "the old id is fenced");
	client_join(&b);
	tap_int(b.joined.error, KAFKA_FENCED_INSTANCE_ID, "in joins");
	client_sync(&b, NULL, 0);
	tap_int(b.synced.error, KAFKA_FENCED_INSTANCE_ID, "in syncs");
	tap_int(client_may_commit(&b), KAFKA_FENCED_INSTANCE_ID, "in commits");
	tap_int(client_leave(&b), KAFKA_FENCED_INSTANCE_ID, "in leaving");
	b.instance = "three";
	tap_int(client_heartbeat(&b), KAFKA_UNKNOWN_MEMBER_ID,
	    "an instance that is not known");
	client_end();
}

static void
test_static_leader(void)
{
	char old[CLIENT_TEXT];

	begin_static();
	memcpy(old, a.id, sizeof(old));
	a.id[0] = '\0';
	a.version = 8;
	client_join(&a);
	tap_str(a.joined.leader, old);
	tap(a.joined.member_count == 0 && !a.joined.skip_assignment,
	    "version 8: the leader does not know that it is");
	a.id[0] = '\0';
	a.version = 9;
	client_join(&a);
	tap_str(a.joined.leader, a.joined.member_id);
	tap(a.joined.member_count == 2 && a.joined.skip_assignment,
	    "version 9: it is told, with the members, not to assign");
	tap_int(a.joined.generation, 2, "the same generation");
	client_take(&a);
	client_sync(&a, NULL, 0);
	tap_str(a.synced.assignment, "a");
	client_end();
}

static void
test_static_protocol(void)
{
	begin();
	a.instance = "one";
	b.instance = "two";
	a.protocols = b.protocols = "range:1 sticky:2";
	begin_pair();
	b.id[0] = '\0';
	b.protocols = "sticky:1 range:2";
	client_join(&b);
	tap(b.joined.error == 0 && client_state() == GROUP_STABLE,
	    "other wishes that change nothing");
	b.id[0] = '\0';
	b.protocols = "sticky:1";
	client_join(&b);
	tap(b.joined.waits && client_state() == GROUP_PREPARING,
	    "another protocol would be chosen: a rebalance");
	client_end();
}

static void
test_static_elsewhere(void)
{
	struct client b2;

	begin_static();
	client_join(&a);
	client_join(&b);
	client_take(&a);
	client_take(&b);
	client_sync(&b, NULL, 0);
	b2 = b;
	b2.id[0] = '\0';
	client_join(&b2);
	tap_int(b.synced.error, KAFKA_FENCED_INSTANCE_ID,
	    "completing: who waits with the old id is fenced");
	tap(b2.joined.waits && client_state() == GROUP_PREPARING,
	    "and there is a rebalance");
	client_take(&b2);
	b = b2;
	b.id[0] = '\0';
	client_join(&b);
	tap_int(b2.joined.error, KAFKA_FENCED_INSTANCE_ID,
	    "preparing: who waits with the old id is fenced");
	tap_int(b.joined.waits, true, "and the new one waits");
	client_join(&a);
	tap(b.joined.error == 0 && b.joined.generation == 4, "and goes on");
	client_end();
}

static void
test_static_absent(void)
{
	begin_static();
	b.session_ms = 200000;
	client_join(&a);
	client_join(&b);
	client_take(&a);
	client_take(&b);
	sync_pair(&a, &b);
	client_join(&a);
	client_tick(60000);
	tap_int(a.joined.member_count, 2,
	    "a static member that is away is kept");
	client_take(&a);
	client_sync(&a, (const struct client *const[]){&a, &b}, 2);
	tap_int(client_state(), GROUP_STABLE, "it is not waited for");
	for (int i = 0; i < 8; i++) {
		client_tick(9999);
		(void)client_heartbeat(&a);
	}
	tap_int(client_state(), GROUP_STABLE, "nor must it sync in time");
	b.id[0] = '\0';
	client_join(&b);
	client_take(&b);
	client_sync(&b, NULL, 0);
	tap_str(b.synced.assignment, "b");
	client_end();
}

static void
test_static_nobody(void)
{
	begin();
	a.instance = "one";
	a.session_ms = b.session_ms = 200000;
	client_join(&a);
	client_take(&a);
	client_sync(&a, NULL, 0);
	client_join(&b);
	coordinator_cancel(client_coordinator, client_group(), &b.joined,
	    client_now);
	client_tick(60000);
	tap_int(client_state(), GROUP_PREPARING,
	    "nobody joined in time: the rebalance goes on");
	client_tick(140000);
	tap_int(client_state(), GROUP_EMPTY, "until the session has ended");
	client_end();
}

/* --- syncing -------------------------------------------------------------- */

static void
test_sync_checks(void)
{
	struct group_sync r = {.instance_id = BYTES_NULL,
	    .protocol_type = BYTES_NULL,
	    .protocol = BYTES_NULL};
	struct answer w = {0};

	begin();
	client_sync(&a, NULL, 0);
	tap_int(a.synced.error, KAFKA_UNKNOWN_MEMBER_ID, "no such group");
	begin_pair();
	client_sync(&c, NULL, 0);
	tap_int(c.synced.error, KAFKA_UNKNOWN_MEMBER_ID, "no such member");
	a.generation = 1;
	client_sync(&a, NULL, 0);
	tap_int(a.synced.error, KAFKA_ILLEGAL_GENERATION, "an old generation");
	r.member_id = bytes_of(a.id);
	r.generation = 2;
	r.waiter = &w;
	r.protocol_type = bytes_of("connect");
	coordinator_sync(client_coordinator, client_group(), &r, client_now);
	tap_int(w.error, KAFKA_INCONSISTENT_GROUP_PROTOCOL,
	    "another protocol type");
	r.protocol_type = bytes_of("consumer");
	r.protocol = bytes_of("sticky");
	coordinator_sync(client_coordinator, client_group(), &r, client_now);
	tap_int(w.error, KAFKA_INCONSISTENT_GROUP_PROTOCOL, "another protocol");
	r.protocol = bytes_of("range");
	coordinator_sync(client_coordinator, client_group(), &r, client_now);
	tap(w.error == 0 && strcmp(w.assignment, "a") == 0,
	    "the right ones: the assignment, at once");
	client_end();
}

static void
test_sync(void)
{
	begin();
	client_join(&a);
	client_take(&a);
	client_join(&b);
	client_join(&a);
	client_take(&a);
	client_take(&b);
	client_sync(&b, NULL, 0);
	tap(b.synced.waits, "followers wait for the leader's sync");
	client_sync(&a, (const struct client *const[]){&a, &c}, 2);
	tap(b.synced.error == 0 && b.synced.assignment[0] == '\0',
	    "who is not assigned to is given nothing");
	tap_str(a.synced.assignment, "a");
	tap_int(client_state(), GROUP_STABLE, "stable");
	client_end();

	begin_stable();
	client_join(&a);
	client_join(&b);
	client_take(&a);
	client_take(&b);
	client_sync(&b, NULL, 0);
	client_join(&c);
	tap_int(b.synced.error, KAFKA_REBALANCE_IN_PROGRESS,
	    "a member comes while syncs wait");
	client_end();
}

static void
test_sync_timeout(void)
{
	begin();
	a.session_ms = b.session_ms = 1800000;
	a.rebalance_ms = 1700000;
	b.rebalance_ms = 10000;
	begin_pair();
	b.protocols = "range:new";
	client_join(&b);
	client_tick(1);
	client_leave(&a);
	tap(b.joined.count == 1 &&
		coordinator_next_ms(client_coordinator) <= client_now + 10000,
	    "a sync is waited for no longer than the rebalance timeout");
	client_end();

	begin_stable();
	a.session_ms = b.session_ms = 100000;
	client_join(&a);
	client_join(&b);
	client_take(&a);
	client_take(&b);
	client_sync(&b, NULL, 0);
	client_tick(59999);
	tap(b.synced.waits, "the leader may sync until the rebalance timeout");
	client_tick(1);
	tap_int(b.synced.error, KAFKA_REBALANCE_IN_PROGRESS,
	    "then there is a rebalance");
	tap_int(client_heartbeat(&a), KAFKA_UNKNOWN_MEMBER_ID, "without it");
	client_join(&b);
	client_take(&b);
	tap_str(b.joined.leader, b.id);
	client_end();

	begin_stable();
	a.session_ms = b.session_ms = 100000;
	client_join(&a);
	client_join(&b);
	client_take(&a);
	client_take(&b);
	client_sync(&a, NULL, 0);
	tap_int(client_state(), GROUP_STABLE, "stable without a follower");
	client_tick(60000);
	tap_int(client_state(), GROUP_PREPARING, "it must sync, too");
	tap_int(client_heartbeat(&b), KAFKA_UNKNOWN_MEMBER_ID, "or is removed");
	client_end();
}

/* --- heartbeats, expiry, leaving ------------------------------------------ */

static void
test_heartbeat(void)
{
	begin();
	tap_int(client_heartbeat(&a), KAFKA_UNKNOWN_MEMBER_ID, "no group");
	client_join(&a);
	client_take(&a);
	tap_int(client_heartbeat(&a), 0, "completing");
	client_sync(&a, NULL, 0);
	tap_int(client_heartbeat(&a), 0, "stable");
	a.generation++;
	tap_int(client_heartbeat(&a), KAFKA_ILLEGAL_GENERATION, "generation");
	tap_int(client_heartbeat(&b), KAFKA_UNKNOWN_MEMBER_ID, "no member");
	a.generation--;
	client_leave(&a);
	tap_int(client_heartbeat(&a), KAFKA_UNKNOWN_MEMBER_ID, "empty");
	coordinator_stop(client_coordinator);
	tap_int(client_heartbeat(&a), KAFKA_COORDINATOR_NOT_AVAILABLE, "dead");
	client_end();
}

static void
test_expiry(void)
{
	begin_stable();
	client_tick(9999);
	tap_int(client_heartbeat(&a), 0, "within the session timeout");
	client_tick(1);
	tap_int(client_state(), GROUP_PREPARING, "one was not heard of");
	tap_int(client_heartbeat(&b), KAFKA_UNKNOWN_MEMBER_ID, "it is gone");
	tap_int(client_heartbeat(&a), KAFKA_REBALANCE_IN_PROGRESS,
	    "the other is to join");
	client_tick(9000);
	(void)client_heartbeat(&a);
	client_tick(9000);
	tap_int(client_heartbeat(&a), KAFKA_REBALANCE_IN_PROGRESS,
	    "heartbeats count while preparing");
	client_tick(10000);
	tap_int(client_state(), GROUP_EMPTY, "without them it is gone, too");
	client_end();

	begin_stable();
	a.session_ms = 50000;
	client_join(&a);
	client_join(&b);
	client_take(&a);
	client_take(&b);
	sync_pair(&a, &b);
	client_join(&b);
	b.protocols = "range:new";
	client_join(&b);
	client_tick(40000);
	tap(b.joined.waits, "a member does not expire while it waits to join");
	client_join(&a);
	client_take(&a);
	client_take(&b);
	tap_int(b.joined.error, 0, "and is in the next generation");
	client_sync(&b, NULL, 0);
	client_tick(40000);
	tap(b.synced.waits, "nor while it waits to sync");
	client_end();
}

static void
test_new_member_timeout(void)
{
	begin_stable();
	a.session_ms = b.session_ms = 1800000;
	a.rebalance_ms = b.rebalance_ms = 1800000;
	client_join(&a);
	client_join(&b);
	client_take(&a);
	client_take(&b);
	sync_pair(&a, &b);
	client_join(&c);
	client_tick(GROUP_NEW_MEMBER_MS - 1);
	tap(c.joined.waits, "a new member waits for five minutes");
	client_tick(1);
	tap_int(c.joined.error, KAFKA_UNKNOWN_MEMBER_ID, "and no longer");
	client_end();
}

static void
test_leave(void)
{
	struct coordinator_leaving l[3];

	begin();
	tap_int(client_leave(&a), KAFKA_UNKNOWN_MEMBER_ID, "no group");
	begin_pair();
	tap_int(client_leave(&c), KAFKA_UNKNOWN_MEMBER_ID, "no member");
	tap_int(client_leave(&a), 0, "the leader leaves");
	tap_int(client_state(), GROUP_PREPARING, "a rebalance");
	client_join(&b);
	tap_str(b.joined.leader, b.id);
	tap_int(client_leave(&b), 0, "the last one leaves");
	tap_int(client_state(), GROUP_EMPTY, "empty");
	client_end();

	begin_static();
	l[0] = (struct coordinator_leaving){bytes_of(""), bytes_of("one"), -2};
	l[1] = (struct coordinator_leaving){bytes_of(""), bytes_of("no"), -2};
	l[2] = (struct coordinator_leaving){bytes_of(b.id), BYTES_NULL, -2};
	tap_int(coordinator_leave(client_coordinator, client_group(), l, 3,
		    client_now),
	    0, "several at once, by instance or id");
	tap(l[0].error == 0 && l[1].error == KAFKA_UNKNOWN_MEMBER_ID &&
		l[2].error == 0,
	    "each with an error of its own");
	tap_int(client_state(), GROUP_EMPTY, "nobody is left");
	client_end();

	begin_stable();
	c.version = 4;
	client_join(&c);
	client_take(&c);
	b.protocols = "range:new";
	client_join(&b);
	client_join(&a);
	tap(a.joined.waits, "a member that was given an id is waited for");
	tap_int(client_leave(&c), 0, "it leaves");
	tap_int(a.joined.count, 1, "and the others go on");
	client_take(&a);
	client_take(&b);
	client_sync(&b, NULL, 0);
	tap_int(client_leave(&b), 0, "one leaves that waits to sync");
	tap_int(b.synced.error, KAFKA_UNKNOWN_MEMBER_ID, "it is told");
	client_end();
}

static void
test_cancel(void)
{
	begin_stable();
	client_join(&c);
	tap(coordinator_cancel(client_coordinator, client_group(), &c.joined,
		client_now),
	    "a new member's connection is lost");
	client_join(&a);
	client_join(&b);
	tap(a.joined.count == 1 && a.joined.member_count == 2,
	    "nobody could know its id: it is forgotten");
	tap_int(c.joined.count, 0, "and not answered");
	tap(!coordinator_cancel(client_coordinator, client_group(), &c.joined,
		client_now),
	    "only once");
	client_take(&a);
	client_take(&b);
	client_sync(&b, NULL, 0);
	tap(coordinator_cancel(client_coordinator, client_group(), &b.synced,
		client_now),
	    "one that waits to sync");
	client_sync(&a, (const struct client *const[]){&a, &b}, 2);
	tap_int(b.synced.count, 0, "is not answered");
	client_sync(&b, NULL, 0);
	tap_str(b.synced.assignment, "b");
	client_end();

	begin_stable();
	client_join(&a);
	tap(coordinator_cancel(client_coordinator, client_group(), &a.joined,
		client_now),
	    "a known member's connection is lost while it joins");
	client_join(&b);
	tap(b.joined.waits, "it is waited for");
	client_join(&a);
	tap(a.joined.count == 1 && b.joined.count == 1, "and comes back");
	tap(!coordinator_cancel(client_coordinator, bytes_of("other"), &a,
		client_now),
	    "no such group");
	client_end();
}

/* --- commits -------------------------------------------------------------- */

static void
test_commit(void)
{
	begin();
	a.generation = -1;
	tap_int(client_may_commit(&a), 0, "no group, generation -1");
	a.generation = 1;
	tap_int(client_may_commit(&a), KAFKA_ILLEGAL_GENERATION,
	    "no group, some generation");
	client_join(&a);
	client_take(&a);
	tap_int(client_may_commit(&a), KAFKA_REBALANCE_IN_PROGRESS,
	    "completing");
	client_sync(&a, NULL, 0);
	tap_int(client_may_commit(&a), 0, "stable");
	b.generation = -1;
	tap_int(client_may_commit(&b), KAFKA_UNKNOWN_MEMBER_ID,
	    "generation -1 while there are members");
	b.generation = 1;
	tap_int(client_may_commit(&b), KAFKA_UNKNOWN_MEMBER_ID, "no member");
	a.generation = 0;
	tap_int(client_may_commit(&a), KAFKA_ILLEGAL_GENERATION, "generation");
	a.generation = -1;
	tap_int(client_may_commit(&a), KAFKA_ILLEGAL_GENERATION,
	    "a member with generation -1");
	a.generation = 1;
	client_tick(9000);
	client_join(&b);
	tap_int(client_may_commit(&a), 0, "preparing");
	client_tick(9000);
	tap_int(client_may_commit(&a), 0, "which counts as a heartbeat");
	client_leave(&a);
	client_tick(0);
	client_take(&b);
	client_leave(&b);
	a.generation = -1;
	tap_int(client_may_commit(&a), 0, "empty, generation -1");
	a.generation = 1;
	tap_int(client_may_commit(&a), KAFKA_UNKNOWN_MEMBER_ID,
	    "empty, some generation");
	coordinator_stop(client_coordinator);
	tap_int(client_may_commit(&a), KAFKA_COORDINATOR_NOT_AVAILABLE, "dead");
	client_end();
}

/* --- administrators ------------------------------------------------------- */

static void
test_describe(void)
{
	struct group_summary s;

	begin();
	coordinator_describe(client_coordinator, client_group(), &s);
	tap(s.state == GROUP_DEAD && s.member_count == 0, "no group: dead");
	b.instance = "two";
	begin_pair();
	coordinator_describe(client_coordinator, client_group(), &s);
	tap(s.state == GROUP_STABLE && s.generation == 2 && s.member_count == 2,
	    "a stable group");
	tap(bytes_equal(s.protocol, bytes_of("range")) &&
		bytes_equal(s.protocol_type, bytes_of("consumer")),
	    "its protocol");
	tap(bytes_equal(s.members[1].id, bytes_of(b.id)) &&
		bytes_equal(s.members[1].instance_id, bytes_of("two")) &&
		bytes_equal(s.members[1].client_id, bytes_of("b")) &&
		bytes_equal(s.members[1].client_host, bytes_of("/127.0.0.1")) &&
		bytes_equal(s.members[1].metadata, bytes_of("x")) &&
		bytes_equal(s.members[1].assignment, bytes_of("b")),
	    "a member");
	tap(bytes_is_null(s.members[0].instance_id), "that is not static");
	client_join(&a);
	coordinator_describe(client_coordinator, client_group(), &s);
	tap(s.state == GROUP_PREPARING && s.protocol.len == 0 &&
		bytes_is_null(s.members[1].metadata) &&
		bytes_is_null(s.members[1].assignment),
	    "without metadata and assignment while not stable");
	client_end();
}

static char listed[256];

static void
list_one(void *arg, struct bytes group, struct bytes type,
    enum group_state state)
{
	size_t len = strlen(listed);

	(void)arg;
	snprintf(listed + len, sizeof(listed) - len, "%.*s:%.*s:%s ", group.len,
	    (const char *)group.data, type.len, (const char *)type.data,
	    group_state_text(state));
}

static void
list(const char *state, const char *type)
{
	struct bytes s = bytes_of(state), t = bytes_of(type);
	struct coordinator_filter f = {&s, state != NULL, &t, type != NULL};

	listed[0] = '\0';
	coordinator_list(client_coordinator, &f, list_one, NULL);
}

static void
test_list(void)
{
	begin_stable();
	c.type = "connect";
	client_join_group(&c, bytes_of("f"));
	list(NULL, NULL);
	tap_str(listed, "f:connect:CompletingRebalance g:consumer:Stable ");
	list("sTABLE", NULL);
	tap_str(listed, "g:consumer:Stable ");
	list("Stabl", NULL);
	tap_str(listed, "");
	list("stable", "Classic");
	tap_str(listed, "g:consumer:Stable ");
	list(NULL, "consumer");
	tap_str(listed, "");
	client_leave(&a);
	client_leave(&b);
	list("empty", NULL);
	tap_str(listed, "g:consumer:Empty ");
	client_end();
}

static void
test_delete(void)
{
	begin();
	tap_int(coordinator_delete(client_coordinator, client_group()),
	    KAFKA_GROUP_ID_NOT_FOUND, "no group");
	tap_int(coordinator_delete(client_coordinator, bytes_of("")),
	    KAFKA_INVALID_GROUP_ID, "no name");
	begin_pair();
	tap_int(coordinator_delete(client_coordinator, client_group()),
	    KAFKA_NON_EMPTY_GROUP, "members");
	client_leave(&a);
	client_leave(&b);
	tap_int(coordinator_delete(client_coordinator, client_group()), 0,
	    "none left");
	tap_int(client_state(), GROUP_DEAD, "it is gone");
	client_end();
}

static void
test_forget(void)
{
	static const char blob[] = "\0\1\0\0\0\1\0\2t1\xff\xff\xff\xff";
	struct group_protocol range = {bytes_of("range"),
	    {(const uint8_t *)blob, 14}};
	struct answer w = {0};
	struct group_join r = {.member_id = bytes_of(""),
	    .instance_id = BYTES_NULL,
	    .client_id = bytes_of("x"),
	    .protocol_type = bytes_of("consumer"),
	    .protocols = &range,
	    .protocol_count = 1,
	    .session_ms = 10000,
	    .rebalance_ms = -1,
	    .waiter = &w};
	struct bytes t1 = bytes_of("t1"), t2 = bytes_of("t2");

	begin();
	tap_int(coordinator_may_forget(client_coordinator, client_group(), t1),
	    0, "no group");
	coordinator_join(client_coordinator, client_group(), &r, client_now);
	tap_int(coordinator_may_forget(client_coordinator, client_group(), t1),
	    KAFKA_GROUP_SUBSCRIBED_TO_TOPIC, "a topic that a member reads");
	tap_int(coordinator_may_forget(client_coordinator, client_group(), t2),
	    0, "another one");
	r.protocol_type = bytes_of("connect");
	coordinator_join(client_coordinator, bytes_of("h"), &r, client_now);
	tap_int(coordinator_may_forget(client_coordinator, bytes_of("h"), t2),
	    KAFKA_NON_EMPTY_GROUP, "a group that does not consume");
	client_join_group(&a, bytes_of("i"));
	tap_int(coordinator_may_forget(client_coordinator, bytes_of("i"), t2),
	    KAFKA_GROUP_SUBSCRIBED_TO_TOPIC, "what cannot be read");
	client_end();
}

static void
test_stop(void)
{
	begin_stable();
	client_join(&c);
	coordinator_stop(client_coordinator);
	tap_int(c.joined.error, KAFKA_COORDINATOR_NOT_AVAILABLE,
	    "who waits is told when it stops");
	client_join(&a);
	tap_int(a.joined.error, KAFKA_COORDINATOR_NOT_AVAILABLE, "joins");
	client_sync(&a, NULL, 0);
	tap_int(a.synced.error, KAFKA_COORDINATOR_NOT_AVAILABLE, "syncs");
	tap_int(client_leave(&a), KAFKA_COORDINATOR_NOT_AVAILABLE, "leaving");
	tap_int(coordinator_next_ms(client_coordinator), GROUP_NEVER,
	    "nothing is due any more");
	client_tick(1000000);
	client_end();
}

/* --- bounds --------------------------------------------------------------- */

static void
test_bounds(void)
{
	struct coordinator_settings s = coordinator_defaults;

	begin();
	client_end();
	s.members_max = 2;
	client_begin(&s);
	begin_pair();
	client_join(&c);
	tap_int(c.joined.error, KAFKA_GROUP_MAX_SIZE_REACHED, "members");
	client_leave(&b);
	c.version = 4;
	client_join(&c);
	tap_int(c.joined.error, KAFKA_MEMBER_ID_REQUIRED, "there is room");
	b.id[0] = '\0';
	client_join(&b);
	tap_int(b.joined.error, KAFKA_GROUP_MAX_SIZE_REACHED,
	    "who is to come back counts");
	client_take(&c);
	client_join(&c);
	tap(c.joined.waits, "and can");
	client_join_group(&b, bytes_of("h"));
	tap_int(b.joined.error, 0, "another group has members of its own");
	client_end();
}

static void
test_groups_bound(void)
{
	struct coordinator_settings s = coordinator_defaults;

	begin();
	client_end();
	s.groups_max = 2;
	client_begin(&s);
	client_join_group(&a, bytes_of("f"));
	client_join_group(&b, bytes_of("g"));
	client_take(&b);
	client_join_group(&c, bytes_of("h"));
	tap_int(c.joined.error, KAFKA_COORDINATOR_NOT_AVAILABLE, "groups");
	client_leave(&b);
	client_join_group(&c, bytes_of("h"));
	tap_int(c.joined.error, 0, "one without members makes room");
	tap_int(coordinator_groups(client_coordinator), 2, "there are two");
	client_take(&c);
	client_end();
}

/* Groups of those alone who were told an id, and may never come back. */
static void
test_hollow_groups(void)
{
	struct coordinator_settings s = coordinator_defaults;

	begin();
	client_end();
	s.groups_max = 2;
	client_begin(&s);
	a.version = b.version = c.version = 4;
	client_join_group(&a, bytes_of("f"));
	client_take(&a);
	client_join_group(&b, bytes_of("g"));
	client_take(&b);
	client_join_group(&c, bytes_of("h"));
	tap_int(c.joined.error, KAFKA_MEMBER_ID_REQUIRED,
	    "one without members makes room");
	tap_int(coordinator_groups(client_coordinator), 2, "there are two");
	client_join_group(&a, bytes_of("f"));
	tap_int(a.joined.error, KAFKA_UNKNOWN_MEMBER_ID, "it was the oldest");
	client_join(&b);
	tap_int(b.joined.error, 0, "who comes back has a group");
	client_take(&c);
	client_join_group(&c, bytes_of("h"));
	a.id[0] = '\0';
	client_join_group(&a, bytes_of("f"));
	tap_int(a.joined.error, KAFKA_COORDINATOR_NOT_AVAILABLE,
	    "which makes no room");
	client_end();
}

/* Room for two members, and the assignment of one of them. */
static void
test_assignments_bound(size_t bytes)
{
	struct coordinator_settings s = coordinator_defaults;
	struct group_summary sum;

	begin();
	client_end();
	s.group_bytes_max = bytes;
	client_begin(&s);
	client_join(&a);
	client_take(&a);
	client_join(&b);
	client_join(&a);
	client_take(&a);
	client_take(&b);
	sync_pair(&a, &b);
	tap(a.synced.error == KAFKA_GROUP_MAX_SIZE_REACHED && b.synced.waits,
	    "assignments that are too much: only the leader is told");
	coordinator_describe(client_coordinator, client_group(), &sum);
	tap(bytes_is_null(sum.members[0].assignment) &&
		bytes_is_null(sum.members[1].assignment),
	    "and none of them is kept");
	client_end();
}

static void
test_bytes_bound(void)
{
	struct coordinator_settings s = coordinator_defaults;
	static char big[CLIENT_TEXT];
	size_t before;

	begin();
	client_join(&a);
	before = coordinator_bytes(client_coordinator);
	client_end();
	snprintf(big, sizeof(big), "range:%0300d", 0);

	s.group_bytes_max = before;
	client_begin(&s);
	a.id[0] = '\0';
	a.protocols = big;
	client_join(&a);
	tap_int(a.joined.error, KAFKA_GROUP_MAX_SIZE_REACHED,
	    "bytes of a group");
	a.protocols = NULL;
	client_join(&a);
	tap_int(a.joined.error, 0, "just as many");
	client_take(&a);
	client_sync(&a, (const struct client *const[]){&a}, 1);
	tap_int(a.synced.error, KAFKA_GROUP_MAX_SIZE_REACHED,
	    "an assignment that is too much");
	client_sync(&a, NULL, 0);
	tap_int(a.synced.error, 0, "is refused, and the next one taken");
	a.protocols = big;
	client_join(&a);
	tap_int(a.joined.error, KAFKA_GROUP_MAX_SIZE_REACHED,
	    "what a member says later");
	tap_int(client_heartbeat(&a), 0, "it stays what it was");
	client_end();

	s = coordinator_defaults;
	s.bytes_max = before - 1;
	client_begin(&s);
	a.id[0] = '\0';
	a.protocols = NULL;
	client_join(&a);
	tap_int(a.joined.error, KAFKA_COORDINATOR_NOT_AVAILABLE,
	    "one member that is too much for all");
	client_end();
	test_assignments_bound(2 * before + 1);
	begin();
	client_end();

	s = coordinator_defaults;
	s.bytes_max = before;
	client_begin(&s);
	a.id[0] = '\0';
	a.protocols = NULL;
	client_join_group(&a, bytes_of("f"));
	tap_int(a.joined.error, 0, "bytes of all");
	client_join_group(&b, bytes_of("g"));
	tap_int(b.joined.error, KAFKA_COORDINATOR_NOT_AVAILABLE, "are used up");
	b.version = 4;
	client_join_group(&b, bytes_of("g"));
	tap_int(b.joined.error, KAFKA_COORDINATOR_NOT_AVAILABLE,
	    "by who is to come back, too");
	client_end();
}

static void
test_memory(void)
{
	begin_stable();
	client_leave(&a);
	client_leave(&b);
	tap_int(coordinator_bytes(client_coordinator), 0,
	    "members that left take no memory");
	tap_int(coordinator_groups(client_coordinator), 1,
	    "a group is remembered for a while");
	tap_int(coordinator_next_ms(client_coordinator), client_now + 600000,
	    "for so long");
	client_tick(599999);
	tap_int(client_state(), GROUP_EMPTY, "it is");
	client_tick(1);
	tap_int(coordinator_groups(client_coordinator), 0, "then it is not");
	tap_int(coordinator_next_ms(client_coordinator), GROUP_NEVER,
	    "and nothing is due");
	client_end();
}

/* Counts what there is, and stops at the third. */
static bool
count_offer(void *arg, struct bytes metadata)
{
	size_t *bytes = arg;

	*bytes += (size_t)metadata.len;
	return *bytes < 3;
}

static void
test_offers(void)
{
	size_t bytes = 0;

	begin();
	tap(!coordinator_has_members(client_coordinator, bytes_of("g")),
	    "a group that is not there has no members");
	coordinator_each_offer(client_coordinator, bytes_of("g"), count_offer,
	    &bytes);
	tap_int((int64_t)bytes, 0, "and they offer nothing");
	a.version = 4;
	client_join(&a);
	tap(!coordinator_has_members(client_coordinator, bytes_of("g")) &&
		!coordinator_is_vacant(client_coordinator, bytes_of("g")),
	    "who is to come back is no member");
	client_take(&a);
	a.protocols = "range:x roundrobin:y";
	client_join(&a);
	tap(coordinator_has_members(client_coordinator, bytes_of("g")),
	    "then it is one");
	b.protocols = "range:x sticky:y";
	client_join(&b);
	coordinator_each_offer(client_coordinator, bytes_of("g"), count_offer,
	    &bytes);
	tap_int((int64_t)bytes, 3, "all that they offer, until it is enough");
	client_end();
}

/* What may not even begin, by its size; nothing of it is kept. */
static void
test_may_join(void)
{
	static uint8_t large[2000];
	struct coordinator_settings s = coordinator_defaults;
	struct group_protocol p = {bytes_of("range"),
	    {large, (int32_t)sizeof(large)}};
	struct group_join r = {.member_id = bytes_of(""),
	    .instance_id = BYTES_NULL,
	    .client_id = bytes_of("a"),
	    .client_host = bytes_of("h"),
	    .protocol_type = bytes_of("consumer"),
	    .protocols = &p,
	    .protocol_count = 1,
	    .session_ms = 10000,
	    .id_required = true};
	struct bytes g = bytes_of("g");

	begin();
	client_end();
	s.group_bytes_max = 1000;
	client_begin(&s);
	tap_int(coordinator_may_join(client_coordinator, g, &r),
	    KAFKA_GROUP_MAX_SIZE_REACHED, "too large for a group");
	p.metadata.len = 10;
	tap_int(coordinator_may_join(client_coordinator, g, &r), 0,
	    "not too large");
	r.member_id = bytes_of("nobody");
	tap_int(coordinator_may_join(client_coordinator, g, &r),
	    KAFKA_UNKNOWN_MEMBER_ID, "of no group");
	r.session_ms = 1;
	tap_int(coordinator_may_join(client_coordinator, g, &r),
	    KAFKA_INVALID_SESSION_TIMEOUT, "a session too short");
	tap_int(coordinator_groups(client_coordinator), 0, "nothing is kept");
	client_end();
}

/* --- another life --------------------------------------------------------- */

static struct group_metadata_record_members kept_members[2];
static struct group_metadata_record kept;

static void
begin_kept(void)
{
	for (int i = 0; i < 2; i++)
		kept_members[i] =
		    (struct group_metadata_record_members){.member_id =
							       bytes_of(i == 0
								       ? "x-1"
								       : "y-2"),
		    .group_instance_id = BYTES_NULL,
		    .client_id = bytes_of("x"),
		    .client_host = bytes_of("h"),
		    .rebalance_timeout = 20000,
		    .session_timeout = 10000,
		    .subscription = bytes_of("s"),
		    .assignment = bytes_of(i == 0 ? "one" : "two")};
	kept = (struct group_metadata_record){.protocol_type =
						  bytes_of("consumer"),
	    .generation = 7,
	    .protocol = bytes_of("range"),
	    .leader = bytes_of("x-1"),
	    .members = kept_members,
	    .members_count = 2};
	begin();
}

static int
restore(void)
{
	return coordinator_restore(client_coordinator, bytes_of("g"), &kept,
	    client_now);
}

static int
beat(const char *id, int32_t generation)
{
	return coordinator_heartbeat(client_coordinator, bytes_of("g"),
	    bytes_of(id), BYTES_NULL, generation, client_now);
}

static void
test_restore(void)
{
	struct group_summary s;

	begin_kept();
	tap_int(restore(), 0, "a stable group");
	coordinator_describe(client_coordinator, bytes_of("g"), &s);
	tap(s.state == GROUP_STABLE && s.generation == 7 &&
		s.member_count == 2 &&
		bytes_equal(s.members[1].assignment, bytes_of("two")),
	    "is what it was");
	tap(beat("x-1", 7) == 0 && beat("y-2", 7) == 0 &&
		beat("x-1", 8) == KAFKA_ILLEGAL_GENERATION,
	    "its members go on");
	tap_int(restore(), 0, "one that is in use");
	client_now += 9999;
	coordinator_tick(client_coordinator, client_now);
	tap_int(beat("x-1", 7), 0, "stays as it is");
	client_now += 2;
	coordinator_tick(client_coordinator, client_now);
	tap(beat("x-1", 7) == KAFKA_REBALANCE_IN_PROGRESS &&
		beat("y-2", 7) == KAFKA_UNKNOWN_MEMBER_ID,
	    "who is not heard of is missed");
	client_end();
	begin_kept();
	kept.leader = BYTES_NULL;
	tap(restore() == 0 && beat("y-2", 7) == KAFKA_REBALANCE_IN_PROGRESS,
	    "without assignments they have to join again");
	client_end();
	begin_kept();
	kept.members_count = 0;
	tap(restore() == 0 &&
		coordinator_is_vacant(client_coordinator, bytes_of("g")),
	    "nobody was left");
	client_join(&a);
	client_take(&a);
	tap_int(a.generation, 8, "generations go on");
	client_end();
}

/* What a file may say, and no coordinator would. */
static void
test_restore_unsound(void)
{
	static char text[400];
	const struct bytes longer = {(uint8_t *)text, sizeof(text)};

	for (int i = 0; i < 8; i++) {
		begin_kept();
		switch (i) {
		case 0:
			kept_members[1].member_id = bytes_of("");
			break;
		case 1:
			kept_members[1].member_id = bytes_of("x-1");
			break;
		case 2:
			kept_members[1].member_id = longer;
			break;
		case 3:
			kept_members[1].session_timeout = 0;
			break;
		case 4:
			kept.protocol = BYTES_NULL;
			break;
		case 5:
			kept.protocol = longer;
			break;
		case 6:
			kept.protocol_type = longer;
			break;
		case 7:
			kept_members[0].group_instance_id = bytes_of("i");
			kept_members[1].group_instance_id = bytes_of("i");
			break;
		}
		tap(restore() != 0 &&
			coordinator_is_vacant(client_coordinator,
			    bytes_of("g")) &&
			coordinator_bytes(client_coordinator) == 0,
		    "an unsound record, %d: no members", i);
		client_end();
	}
}

int
main(void)
{
	test_join_checks();
	test_first_join();
	test_id_required();
	test_long_names();
	test_random();
	test_rebalance();
	test_rejoin_preparing();
	test_rejoin_completing();
	test_rejoin_stable();
	test_votes();
	test_rebalance_timeout();
	test_initial_delay();
	test_static_follower();
	test_static_leader();
	test_static_protocol();
	test_static_elsewhere();
	test_static_absent();
	test_static_nobody();
	test_sync_checks();
	test_sync();
	test_sync_timeout();
	test_heartbeat();
	test_expiry();
	test_new_member_timeout();
	test_leave();
	test_cancel();
	test_commit();
	test_describe();
	test_list();
	test_delete();
	test_forget();
	test_stop();
	test_bounds();
	test_groups_bound();
	test_hollow_groups();
	test_bytes_bound();
	test_memory();
	test_offers();
	test_may_join();
	test_restore();
	test_restore_unsound();
	return tap_done();
}
