#ifndef CLIENTS_H
#define CLIENTS_H

/*
 * Members of groups for tests of the coordinator: each keeps what it was told
 * last.  The clock is client_now.
 */

#include "base/bytes.h"
#include "broker/coordinator.h"
#include "kafka/error.h"
#include "tap.h"

enum {
	CLIENT_PROTOCOLS = 3,
	CLIENT_TEXT = 320,
};

/* What a waiter is given; its address is the waiter. */
struct answer {
	int count;		/* answers so far */
	bool waits;
	int error;
	int32_t generation;
	char protocol_type[CLIENT_TEXT];
	char protocol[CLIENT_TEXT];
	char leader[CLIENT_TEXT];
	char member_id[CLIENT_TEXT];
	bool skip_assignment;
	size_t member_count;
	char members[4 * CLIENT_TEXT];	/* "id=metadata " each */
	char assignment[CLIENT_TEXT];
};

struct client {
	const char *name;	/* client id */
	const char *instance;	/* NULL: dynamic */
	const char *type;	/* NULL: "consumer" */
	const char *protocols;	/* NULL: "range:x"; "name:metadata ..." */
	int32_t session_ms;	/* 0: 10000 */
	int32_t rebalance_ms;	/* 0: 60000 */
	int version;		/* of JoinGroup */
	char id[CLIENT_TEXT];
	int32_t generation;
	struct answer joined;
	struct answer synced;
};

static struct coordinator *client_coordinator;
static int64_t client_now = 1000000;
static uint64_t client_ids;
static char client_changes[2048];	/* "Empty>PreparingRebalance " each */

static inline void
client_text(char *to, struct bytes b)
{
	if (b.len >= CLIENT_TEXT)
		abort();
	memcpy(to, b.len > 0 ? b.data : (const uint8_t *)"",
	    b.len > 0 ? (size_t)b.len : 0);
	to[b.len > 0 ? b.len : 0] = '\0';
}

static inline void
client_joined(void *arg, void *waiter, const struct group_joined *a)
{
	struct answer *w = waiter;
	size_t len = 0;

	(void)arg;
	w->count++;
	w->waits = false;
	w->error = a->error;
	w->generation = a->generation;
	client_text(w->protocol_type, a->protocol_type);
	client_text(w->protocol, a->protocol);
	client_text(w->leader, a->leader);
	client_text(w->member_id, a->member_id);
	w->skip_assignment = a->skip_assignment;
	w->member_count = a->member_count;
	w->members[0] = '\0';
	for (size_t i = 0; i < a->member_count && len < 1000; i++)
		len += (size_t)snprintf(w->members + len,
		    sizeof(w->members) - len, "%.*s=%.*s ",
		    a->members[i].id.len, (const char *)a->members[i].id.data,
		    a->members[i].metadata.len,
		    (const char *)a->members[i].metadata.data);
}

static inline void
client_synced(void *arg, void *waiter, const struct group_synced *a)
{
	struct answer *w = waiter;

	(void)arg;
	w->count++;
	w->waits = false;
	w->error = a->error;
	client_text(w->protocol_type, a->protocol_type);
	client_text(w->protocol, a->protocol);
	client_text(w->assignment, a->assignment);
}

static inline void
client_changed(void *arg, struct bytes group, enum group_state from,
    enum group_state to)
{
	size_t len = strlen(client_changes);

	(void)arg;
	(void)group;
	snprintf(client_changes + len, sizeof(client_changes) - len, "%s>%s ",
	    group_state_text(from), group_state_text(to));
}

/* Ids that count up. */
static inline int
client_random(void *arg, void *out, size_t len)
{
	(void)arg;
	memset(out, 0, len);
	client_ids++;
	for (size_t i = 0; i < 6; i++)
		((uint8_t *)out)[len - 1 - i] =
		    (uint8_t)(client_ids >> (8 * i));
	return 0;
}

static inline void
client_begin(const struct coordinator_settings *settings)
{
	struct group_events events = {
	    .joined = client_joined,
	    .synced = client_synced,
	    .changed = client_changed,
	    .random = client_random,
	};

	client_changes[0] = '\0';
	client_ids = 0;
	client_coordinator = coordinator_new(settings, &events);
	if (client_coordinator == NULL)
		abort();
}

static inline void
client_end(void)
{
	coordinator_free(client_coordinator);
	client_coordinator = NULL;
}

static inline struct bytes
client_group(void)
{
	return bytes_of("g");
}

static inline size_t
client_protocols(const char *text, struct group_protocol *out)
{
	size_t count = 0;

	while (*text != '\0' && count < CLIENT_PROTOCOLS) {
		size_t name = strcspn(text, ":"), all = strcspn(text, " ");

		out[count].name =
		    (struct bytes){(const uint8_t *)text, (int32_t)name};
		out[count++].metadata =
		    (struct bytes){(const uint8_t *)text + name + 1,
			(int32_t)(all - name - 1)};
		text += all + strspn(text + all, " ");
	}
	return count;
}

/*
 * What coordinator_may_join() said is what came of it; but of one that is told
 * its id first it looks at the size, too.
 */
static inline void
client_check_may(int said, const struct client *c)
{
	bool alike = said == 0 || c->joined.error == said ||
	    (c->joined.error == KAFKA_MEMBER_ID_REQUIRED &&
		(said == KAFKA_GROUP_MAX_SIZE_REACHED ||
		    said == KAFKA_COORDINATOR_NOT_AVAILABLE));

	if (alike && (said == 0 || !c->joined.waits))
		return;
	printf("# may_join %d, joined %d\n", said, c->joined.error);
	abort();
}

/* Join with the id that it has; what comes of it is in c->joined. */
static inline void
client_join_group(struct client *c, struct bytes group)
{
	struct group_protocol protocols[CLIENT_PROTOCOLS];
	struct group_join r = {
	    .member_id = bytes_of(c->id),
	    .instance_id = bytes_of(c->instance),
	    .client_id = bytes_of(c->name),
	    .client_host = bytes_of("/127.0.0.1"),
	    .protocol_type = bytes_of(c->type != NULL ? c->type : "consumer"),
	    .protocols = protocols,
	    .protocol_count =
		client_protocols(c->protocols != NULL ? c->protocols
						      : "range:x",
		    protocols),
	    .session_ms = c->session_ms != 0 ? c->session_ms : 10000,
	    .rebalance_ms = c->rebalance_ms != 0 ? c->rebalance_ms : 60000,
	    .id_required = c->version >= 4,
	    .skip_assignment = c->version >= 9,
	    .waiter = &c->joined,
	};

	int said = coordinator_may_join(client_coordinator, group, &r);

	c->joined = (struct answer){.waits = true};
	coordinator_join(client_coordinator, group, &r, client_now);
	client_check_may(said, c);
}

static inline void
client_join(struct client *c)
{
	client_join_group(c, client_group());
}

/* Take over what the last join's answer says. */
static inline void
client_take(struct client *c)
{
	if (c->joined.member_id[0] != '\0')
		memcpy(c->id, c->joined.member_id, sizeof(c->id));
	if (c->joined.error == 0)
		c->generation = c->joined.generation;
}

/* Sync; if it leads, with "a" for the first of so many clients, "b" ... */
static inline void
client_sync(struct client *c, const struct client *const *all, size_t count)
{
	static const char *const letters = "abcdefghijklmnopqrstuvwxyz";
	struct group_assignment assignments[26];
	struct group_sync r = {
	    .member_id = bytes_of(c->id),
	    .instance_id = bytes_of(c->instance),
	    .generation = c->generation,
	    .protocol_type = BYTES_NULL,
	    .protocol = BYTES_NULL,
	    .assignments = assignments,
	    .assignment_count = count,
	    .waiter = &c->synced,
	};

	for (size_t i = 0; i < count; i++)
		assignments[i] = (struct group_assignment){bytes_of(all[i]->id),
		    {(const uint8_t *)letters + i, 1}};
	c->synced = (struct answer){.waits = true};
	coordinator_sync(client_coordinator, client_group(), &r, client_now);
}

static inline int
client_heartbeat(struct client *c)
{
	return coordinator_heartbeat(client_coordinator, client_group(),
	    bytes_of(c->id), bytes_of(c->instance), c->generation, client_now);
}

static inline int
client_leave(struct client *c)
{
	struct coordinator_leaving l = {bytes_of(c->id), bytes_of(c->instance),
	    -2};
	int error = coordinator_leave(client_coordinator, client_group(), &l, 1,
	    client_now);

	return error != 0 ? error : l.error;
}

static inline int
client_may_commit(struct client *c)
{
	return coordinator_may_commit(client_coordinator, client_group(),
	    bytes_of(c->id), bytes_of(c->instance), c->generation, client_now);
}

static inline void
client_tick(int64_t ms)
{
	client_now += ms;
	coordinator_tick(client_coordinator, client_now);
}

static inline enum group_state
client_state(void)
{
	struct group_summary s;

	coordinator_describe(client_coordinator, client_group(), &s);
	return s.state;
}

#endif
