#ifndef BROKER_ROSTER_H
#define BROKER_ROSTER_H

/*
 * The members of one group, in the order in which they came, and the ids that
 * were given to clients who are to come back as members (pending, KIP-394).
 * It knows what members are and what they offer, and keeps the count of the
 * bytes that they take; when they come and go is the group's matter (group.h).
 *
 * All bytes of a member are copies, owned by it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "broker/group.h"

struct roster_member {
	struct bytes id;
	struct bytes instance_id;
	struct bytes client_id;
	struct bytes client_host;
	struct group_protocol *protocols;
	size_t protocol_count;
	struct bytes assignment;	/* null: none */
	int32_t session_ms;
	int32_t rebalance_ms;
	size_t bytes;			/* of all but the assignment */
	void *block;			/* what all that points into */

	/* The group's. */
	int64_t deadline_ms;		/* when its session ends */
	void *join_waiter;		/* NULL: does not wait */
	void *sync_waiter;
	bool fresh;			/* was in no generation yet */
	bool id_told;			/* the client knows its id */
	bool must_sync;			/* has not yet, in this generation */
};

struct roster_pending {
	struct bytes id;		/* owned */
	int64_t deadline_ms;
};

struct roster {
	struct group_common *common;	/* not owned */
	struct roster_member **members;
	struct group_member *listing;	/* room for as many */
	size_t count;
	size_t cap;
	struct roster_pending *pending;
	size_t pending_count;
	size_t bytes;			/* counted in common, too */
};

void roster_init(struct roster *r, struct group_common *common);
void roster_release(struct roster *r);

/* NULL: there is none. */
struct roster_member *roster_find(const struct roster *r, struct bytes id);
struct roster_member *roster_find_instance(const struct roster *r,
    struct bytes instance_id);

/*
 * A new member, the last of them.  KAFKA_GROUP_MAX_SIZE_REACHED: too many bytes
 * for a group; KAFKA_COORDINATOR_NOT_AVAILABLE: for all of them, or no memory.
 */
int roster_add(struct roster *r, const struct group_join *join, struct bytes id,
    struct roster_member **out);
/*
 * Would a new one, or (not NULL) that one, have room?  0 or an error as of
 * roster_add().
 */
int roster_check(const struct roster *r, const struct roster_member *m,
    const struct group_join *join, struct bytes id);
/* Let it be what it says now, with that id.  Errors as roster_add(). */
int roster_update(struct roster *r, struct roster_member *m,
    const struct group_join *join, struct bytes id);
void roster_remove(struct roster *r, struct roster_member *m);
/* Errors as roster_add(). */
int roster_assign(struct roster *r, struct roster_member *m,
    struct bytes assignment);
/* Of all members; then they have null. */
void roster_clear_assignments(struct roster *r);

/* Errors as roster_add(). */
int roster_add_pending(struct roster *r, struct bytes id, int64_t deadline_ms);
/* False: there is none. */
bool roster_has_pending(const struct roster *r, struct bytes id);
bool roster_remove_pending(struct roster *r, struct bytes id);
/* Remove those that are due; has one been? */
bool roster_expire_pending(struct roster *r, int64_t now);

/* Does it offer the same as before, in the same order? */
bool roster_is_same(const struct roster_member *m,
    const struct group_join *join);
/* Would those that are there, but for one (may be NULL), share a protocol? */
bool roster_accepts(const struct roster *r, const struct roster_member *but,
    const struct group_join *join);
/*
 * Of the protocols that all have, the one that most members prefer; of equals
 * the one that the first member prefers.  There must be one.
 */
struct bytes roster_choose(const struct roster *r);
/*
 * All members as others see them.  Without a protocol (null) their metadata is
 * null.  Valid until something is added or removed.
 */
const struct group_member *roster_list(struct roster *r, struct bytes protocol);

#endif
