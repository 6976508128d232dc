#ifndef BROKER_COORDINATOR_H
#define BROKER_COORDINATOR_H

/*
 * All consumer groups of a broker that have members: Kafka's classic group
 * protocol (APIs 11 to 16, 42; what a group does is told in group.h).  How far
 * groups have come is kept elsewhere; a group without members need not be here.
 *
 * No threads, no clock: calls are serialized by the caller, who says what time
 * it is (any ms that never go back), and calls coordinator_tick() when
 * coordinator_next_ms() has come.
 *
 * Joins and syncs are answered by the events joined() and synced(), perhaps
 * during the call, perhaps much later: each waiter once, in any order, unless
 * coordinator_cancel() makes it be forgotten.  Nobody has to do that for a
 * connection that is lost: like in Apache Kafka such a waiter may be answered,
 * and its member goes when its session ends (GROUP_NEW_MEMBER_MS for one that
 * never had a generation).
 *
 * Bounds, and what is over them:
 *	groups with members			COORDINATOR_NOT_AVAILABLE
 *	members of one				GROUP_MAX_SIZE_REACHED
 *	bytes of what a group's members sent	GROUP_MAX_SIZE_REACHED
 *	bytes of all				COORDINATOR_NOT_AVAILABLE
 * Who was given an id and is to come back with it counts as a member, but a
 * group of such alone makes room for another.  Unlike in Apache Kafka a member
 * that has gone counts until its session ends.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "broker/group.h"

struct coordinator;

enum {
	COORDINATOR_ID_MAX = 249,	/* bytes of a group's id */
};

struct coordinator_settings {
	int32_t session_ms_min;		/* group.min.session.timeout.ms; > 0 */
	int32_t session_ms_max;		/* group.max.session.timeout.ms */
	int32_t initial_delay_ms;	/* group.initial.rebalance.delay.ms */
	int32_t empty_ms;		/* how long one without members stays */
	size_t groups_max;
	size_t members_max;		/* group.max.size */
	size_t group_bytes_max;
	size_t bytes_max;
};

/* Kafka's where it has them, but no delay; 32 MiB in all. */
extern const struct coordinator_settings coordinator_defaults;

struct coordinator_leaving {
	struct bytes member_id;		/* empty: whoever has the instance */
	struct bytes instance_id;	/* null: not static */
	int error;			/* out: KAFKA_... */
};

struct coordinator_filter {
	const struct bytes *states;	/* none: all; in any case of letters */
	size_t state_count;
	const struct bytes *types;	/* so; all groups here are "classic" */
	size_t type_count;
};

/* NULL without memory.  Settings and events are copied. */
struct coordinator *coordinator_new(const struct coordinator_settings *settings,
    const struct group_events *events);
/*
 * The coordinator is going away: all who wait, and whoever asks later, are told
 * COORDINATOR_NOT_AVAILABLE.
 */
void coordinator_stop(struct coordinator *c);
/* Nobody may be waiting. */
void coordinator_free(struct coordinator *c);

/*
 * JoinGroup 0 to 9 (KIP-394, KIP-345, KIP-814).  Answered by joined().
 * INVALID_GROUP_ID, INVALID_SESSION_TIMEOUT, INCONSISTENT_GROUP_PROTOCOL: as in
 * Kafka; INVALID_REQUEST: over GROUP_PROTOCOLS_MAX, or names over 249 bytes;
 * MEMBER_ID_REQUIRED: with the id to come back with; UNKNOWN_MEMBER_ID,
 * FENCED_INSTANCE_ID: not a member, or not any more.
 */
void coordinator_join(struct coordinator *c, struct bytes group,
    const struct group_join *r, int64_t now);
/*
 * Would it be refused, as things are?  0, or the error; the waiter is not
 * looked at.  For who has to do something before a join.
 */
int coordinator_may_join(const struct coordinator *c, struct bytes group,
    const struct group_join *r);
/* SyncGroup 0 to 5.  Answered by synced(). */
void coordinator_sync(struct coordinator *c, struct bytes group,
    const struct group_sync *r, int64_t now);
/* Heartbeat 0 to 4: 0 or KAFKA_... */
int coordinator_heartbeat(struct coordinator *c, struct bytes group,
    struct bytes member_id, struct bytes instance_id, int32_t generation,
    int64_t now);
/*
 * LeaveGroup 0 to 5: the error of the whole request; those of members are in
 * leaving, if that is 0.
 */
int coordinator_leave(struct coordinator *c, struct bytes group,
    struct coordinator_leaving *leaving, size_t count, int64_t now);
/*
 * May that member commit offsets (OffsetCommit 2 to 9)?  0 or KAFKA_...  It
 * counts as a heartbeat.  Generation -1 without a member: who does not take
 * part in the group, which must have no members then.
 */
int coordinator_may_commit(struct coordinator *c, struct bytes group,
    struct bytes member_id, struct bytes instance_id, int32_t generation,
    int64_t now);

/*
 * Forget a waiter, whose client is not to come back.  True: it was waiting, and
 * will not be answered.
 */
bool coordinator_cancel(struct coordinator *c, struct bytes group,
    const void *waiter, int64_t now);

/*
 * DescribeGroups 0 to 5.  Of a group that is not here the state is GROUP_DEAD,
 * and there are no members: its offsets may be elsewhere.  What out points at
 * is valid until the next call.
 */
void coordinator_describe(struct coordinator *c, struct bytes group,
    struct group_summary *out);
/* ListGroups 0 to 5: the groups that are here, by id.  each() may not call. */
void coordinator_list(struct coordinator *c,
    const struct coordinator_filter *filter,
    void (*each)(void *arg, struct bytes group, struct bytes protocol_type,
	enum group_state state),
    void *arg);
/* So for a group that is not here but has offsets. */
bool coordinator_matches(const struct coordinator_filter *filter,
    enum group_state state);
/*
 * DeleteGroups 0 to 2: forget a group without members.  GROUP_ID_NOT_FOUND: it
 * is not here; NON_EMPTY_GROUP.
 */
int coordinator_delete(struct coordinator *c, struct bytes group);
/*
 * May the offsets of that topic be deleted (OffsetDelete 0, KIP-496)?  0 also
 * if the group is not here; GROUP_SUBSCRIBED_TO_TOPIC; NON_EMPTY_GROUP: members
 * of another type than "consumer".
 */
int coordinator_may_forget(struct coordinator *c, struct bytes group,
    struct bytes topic);

/* When to tick next; GROUP_NEVER.  May be too early, never too late. */
int64_t coordinator_next_ms(const struct coordinator *c);
/* Do all that is due. */
void coordinator_tick(struct coordinator *c, int64_t now);

/* Is the group here, and with members?  Those to come back are none. */
bool coordinator_has_members(const struct coordinator *c, struct bytes group);
/* As group_each_offer(); nothing of a group that is not here. */
void coordinator_each_offer(const struct coordinator *c, struct bytes group,
    bool (*each)(void *arg, struct bytes metadata), void *arg);
/* Is the group not here, or without members, and those to come back? */
bool coordinator_is_vacant(const struct coordinator *c, struct bytes group);
/*
 * A group that is vacant goes on where it was, in an earlier life of the
 * broker: what the event kept() told last.  Errors as group_restore(), or
 * COORDINATOR_NOT_AVAILABLE.
 */
int coordinator_restore(struct coordinator *c, struct bytes group,
    const struct group_metadata_record *record, int64_t now);

/* What is in memory: groups, and bytes that their members sent. */
size_t coordinator_groups(const struct coordinator *c);
size_t coordinator_bytes(const struct coordinator *c);

#endif
