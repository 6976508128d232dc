#ifndef BROKER_GROUP_H
#define BROKER_GROUP_H

/*
 * One group of the classic group protocol: who is in it, which generation it
 * is in, and who waits for an answer.  Programs use coordinator.h, which has
 * many of them; the structs of requests and answers are here.
 *
 *	             a member joins                  a member joins,
 *	   EMPTY ----------------> PREPARING <-----  leaves, is lost
 *	     ^                      |   ^         |
 *	     | nobody is left       |   |         |
 *	     +----------------------+   |         |
 *	                            |   |         |
 *	             all have       v   |         |
 *	             joined      COMPLETING ---> STABLE
 *	                                leader has synced
 *
 * A rebalance: members are told by heartbeats to join again (PREPARING); when
 * all have, or the longest rebalance timeout among them has passed, joins are
 * answered with a new generation (COMPLETING); its leader, who alone is given
 * the members, assigns and syncs; then all syncs are answered (STABLE).
 *
 * Invariants:
 *  1. A waiter is answered exactly once, unless it was cancelled.
 *  2. Generations ascend; a member that did not join the last one is static.
 *  3. While there are members, one of them is the leader.
 *  4. All members have a protocol in common.
 *  5. Assignments are there in STABLE alone, and each member has one, which may
 *     be empty.
 *  6. A member that waits for nothing and was not heard of for its session
 *     timeout is removed by the next tick.
 *
 * KIP-345 static members, KIP-394 member id required, KIP-814 the leader of a
 * static restart, KIP-559 protocol in sync, KIP-800's reasons are not kept.
 * Different from Apache Kafka:
 *  - a member's own old protocols do not count when it comes with others, so
 *    that a lone member may change them all;
 *  - static members that did not join a generation are not removed because
 *    they did not sync in it: their session timeout alone decides;
 *  - a second join or sync of a member makes the first one be answered, with
 *    REBALANCE_IN_PROGRESS;
 *  - a waiter of a member that was removed is always answered.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct group;
struct group_metadata_record;

enum group_state {
	GROUP_EMPTY,
	GROUP_PREPARING,
	GROUP_COMPLETING,
	GROUP_STABLE,
	GROUP_DEAD,		/* of a group that is not there */
};

enum {
	/* Protocols that a member may offer; clients have up to three. */
	GROUP_PROTOCOLS_MAX = 32,
	/* A join of a new member is given up after this: nobody hears of one
	 * whose client has gone. */
	GROUP_NEW_MEMBER_MS = 300000,
	/* Bytes of a client's name that are taken into its member id. */
	GROUP_ID_NAME_MAX = 255,
};

#define GROUP_NEVER INT64_MAX	/* as a deadline */

/* A way to assign that a member offers: "range" and its subscription. */
struct group_protocol {
	struct bytes name;
	struct bytes metadata;
};

struct group_join {
	struct bytes member_id;		/* empty: new */
	struct bytes instance_id;	/* null: not static */
	struct bytes client_id;
	struct bytes client_host;
	struct bytes protocol_type;
	const struct group_protocol *protocols;	/* the preferred one first */
	size_t protocol_count;
	int32_t session_ms;
	int32_t rebalance_ms;		/* negative: as the session (v0) */
	bool id_required;		/* a new member joins twice (v4) */
	bool skip_assignment;		/* it knows that field (v9) */
	void *waiter;			/* not NULL */
};

/* A member as leaders and administrators see it. */
struct group_member {
	struct bytes id;
	struct bytes instance_id;	/* null: not static */
	struct bytes client_id;
	struct bytes client_host;
	struct bytes metadata;		/* of the protocol chosen */
	struct bytes assignment;
};

struct group_joined {
	int error;			/* KAFKA_... */
	int32_t generation;		/* -1 with an error */
	struct bytes protocol_type;	/* null with an error */
	struct bytes protocol;		/* so */
	struct bytes leader;		/* empty with an error */
	struct bytes member_id;
	bool skip_assignment;
	const struct group_member *members;	/* for the leader alone */
	size_t member_count;
};

struct group_assignment {
	struct bytes member_id;
	struct bytes assignment;
};

struct group_sync {
	struct bytes member_id;
	struct bytes instance_id;	/* null: not static */
	int32_t generation;
	struct bytes protocol_type;	/* null: not said (before v5) */
	struct bytes protocol;		/* so */
	const struct group_assignment *assignments;	/* of the leader */
	size_t assignment_count;
	void *waiter;			/* not NULL */
};

struct group_synced {
	int error;			/* KAFKA_... */
	struct bytes protocol_type;	/* null with an error */
	struct bytes protocol;		/* so */
	struct bytes assignment;	/* empty with an error */
};

/*
 * Where answers go.  What they point at is valid during the call alone.  None
 * may call the coordinator.
 */
struct group_events {
	void *arg;
	void (*joined)(void *arg, void *waiter, const struct group_joined *);
	void (*synced)(void *arg, void *waiter, const struct group_synced *);
	/* A group's state has changed.  May be NULL. */
	void (*changed)(void *arg, struct bytes group, enum group_state from,
	    enum group_state to);
	/*
	 * What is to outlast the broker (group_restore()) has changed, and will
	 * be told to members: a new generation, its assignments, the id of a
	 * static member; nobody is left.  Without a leader: the members have
	 * not been assigned anything.  May be NULL.
	 */
	void (*kept)(void *arg, struct bytes group,
	    const struct group_metadata_record *record);
	/* Fill with random bytes; 0 or errno.  NULL: getrandom(2). */
	int (*random)(void *arg, void *out, size_t len);
};

/* What all groups share. */
struct group_common {
	struct group_events events;
	int32_t initial_delay_ms;
	size_t members_max;
	size_t group_bytes_max;
	size_t bytes_max;	/* of all groups together */
	size_t bytes;		/* in use by their members */
};

/* What a description of a group has. */
struct group_summary {
	enum group_state state;
	struct bytes protocol_type;	/* empty: never had one */
	struct bytes protocol;		/* empty unless stable */
	int32_t generation;
	/* Metadata and assignments are null unless it is stable. */
	const struct group_member *members;
	size_t member_count;
};

/* "Stable" and so on, as Kafka calls them. */
const char *group_state_text(enum group_state state);

/* NULL without memory.  The id is copied. */
struct group *group_new(struct group_common *common, struct bytes id);
/* Nobody may be waiting: group_refuse() first. */
void group_free(struct group *g);
/*
 * A new group goes on where another one was (events.kept): assigned members
 * have a session timeout to be heard of, others have to join again.
 * STATUS_SYNTAX, or KAFKA_... as when members join: it has no members, and its
 * generations go on.
 */
int group_restore(struct group *g, const struct group_metadata_record *record,
    int64_t now);
/* Answer everyone with that error; the group may only be freed then. */
void group_refuse(struct group *g, int error);

/* Can a group without members take that join?  As a group made for it would. */
int group_join_check(const struct group_join *r);
/*
 * What would the group refuse it with, as it is now?  0: perhaps nothing.  Also
 * of one that is told an id first the size is looked at.
 */
int group_may_join(const struct group *g, const struct group_join *r);
/* Answer at once, or keep the waiter. */
void group_join(struct group *g, const struct group_join *r, int64_t now);
void group_sync(struct group *g, const struct group_sync *r, int64_t now);
/* 0 or KAFKA_... */
int group_heartbeat(struct group *g, struct bytes member_id,
    struct bytes instance_id, int32_t generation, int64_t now);
int group_leave(struct group *g, struct bytes member_id,
    struct bytes instance_id, int64_t now);
int group_may_commit(struct group *g, struct bytes member_id,
    struct bytes instance_id, int32_t generation, int64_t now);
/* The waiter's client has gone; false if it does not wait here. */
bool group_cancel(struct group *g, const void *waiter, int64_t now);
/* Do what is due. */
void group_tick(struct group *g, int64_t now);

struct bytes group_id(const struct group *g);
enum group_state group_state(const struct group *g);
struct bytes group_protocol_type(const struct group *g);
/* When to tick: may be too early, never too late. */
int64_t group_wake_ms(const struct group *g);
bool group_has_members(const struct group *g);
/*
 * What members offer, until each() says false: the metadata of each protocol.
 */
void group_each_offer(const struct group *g,
    bool (*each)(void *arg, struct bytes metadata), void *arg);
/* Neither members nor some that were told to join again. */
bool group_is_idle(const struct group *g);
/* Valid until the group's next call. */
void group_describe(struct group *g, struct group_summary *out);
/* Does a member subscribe to the topic?  See subscription_has(). */
bool group_is_subscribed(const struct group *g, struct bytes topic);

#endif
