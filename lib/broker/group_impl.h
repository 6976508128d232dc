#ifndef BROKER_GROUP_IMPL_H
#define BROKER_GROUP_IMPL_H

/*
 * The inside of struct group, shared by group.c (its life, time), group_join.c,
 * group_sync.c and group_rebalance.c (what they set going), group_waiter.c
 * (requests that wait, and their answers) and group_restore.c (what outlasts
 * the broker).  Nobody else includes it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "broker/group.h"
#include "broker/roster.h"

enum {
	UUID_TEXT_LEN = 36,
	/* Bytes of a group's or a protocol type's name. */
	NAME_MAX_LEN = 249,
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

/* A copy, since the member that it was taken from may change. */
void group_set_protocol(struct group *g, struct bytes name);
/* *to, which it frees, becomes a copy.  ENOMEM. */
int group_copy_bytes(struct bytes *to, struct bytes from);
void group_set_state(struct group *g, enum group_state to);
/* group_tick() has to be called then. */
void group_wake_at(struct group *g, int64_t when);
/* A member's session begins anew. */
void group_heard(struct group *g, struct roster_member *m, int64_t now);
/* The longest rebalance timeout. */
int64_t group_patience_ms(const struct group *g);
/* The member of that id; with an instance id it must be that one's. */
int group_find_member(const struct group *g, struct bytes member_id,
    struct bytes instance_id, struct roster_member **out);

/* Begin a rebalance, or go on with the one that is. */
void group_rebalance(struct group *g, int64_t now);
/* Go on with a rebalance, if there is one and it can. */
void group_rebalance_advance(struct group *g, int64_t now);
/* A member is gone; what that means for the others comes after. */
void group_rebalance_remove(struct group *g, struct roster_member *m);

/* Tell of the group what is to be kept. */
void group_restore_keep(struct group *g);

/* The waiter of m's join, which is none from now on; NULL: it has none. */
void *group_waiter_take_join(struct group *g, struct roster_member *m);
void *group_waiter_take_sync(struct roster_member *m);
/* Let m wait; an older request of its is given up. */
void group_waiter_park_join(struct group *g, struct roster_member *m,
    void *waiter, int64_t now);
void group_waiter_park_sync(struct group *g, struct roster_member *m,
    void *waiter);
void group_waiter_refuse_join(struct group *g, void *waiter, int error,
    struct bytes member_id);
void group_waiter_refuse_sync(struct group *g, void *waiter, int error);
/* Refuse whatever m waits for. */
void group_waiter_refuse_both(struct group *g, struct roster_member *m,
    int error, struct bytes member_id);
/* Tell m of the current generation; members and skip are for the leader. */
void group_waiter_answer_join(struct group *g, struct roster_member *m,
    void *waiter, struct bytes leader, bool list, bool skip);
void group_waiter_answer_sync(struct group *g, struct roster_member *m,
    void *waiter);

#endif
