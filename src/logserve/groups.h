#ifndef LOGSERVE_GROUPS_H
#define LOGSERVE_GROUPS_H

/*
 * Consumer groups as the server has them: their members, which are in memory
 * (broker/coordinator.h), and how far they have come, which is in each topic's
 * directory (store/groups.h) and is the same that local programs use with -g.
 *
 * A group is in use by members of the server or by local programs at a time:
 * while it has members here, the server holds the group of every topic that
 * they subscribe to (claims.h).  Who comes while the other side has it is
 * refused, and the reason is told on stderr.
 *
 * Who the members are outlasts the server (ledger.h): a group goes on where it
 * was, or at least with a later generation.
 *
 * All of it is done on threads of the pool, members under one lock, positions
 * under one a topic; only the coordinator's timer is on a loop.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "broker/coordinator.h"
#include "store/groups.h"

struct group_table;
struct positions_commit;
struct request;
struct served;
struct server;

int group_table_open(struct server *s, struct group_table **out);
/* Tell all who wait that the coordinator is going. */
void group_table_stop(struct group_table *g);
void group_table_close(struct group_table *g);

/*
 * The coordinator, locked; until group_table_put(), which arms its timer and
 * sends the answers that were given in between.  The request that is being
 * worked on may be among them: it is not touched behind put.
 */
struct coordinator *group_table_get(struct group_table *g);
void group_table_put(struct group_table *g);
/* Its response is ready: to be sent by group_table_put(). */
void group_table_answer(struct group_table *g, struct request *r);

/*
 * Somebody is about to join: if the group is not here, make it what it was
 * before; between get and put.
 */
void group_table_recall(struct group_table *g, const char *group);
/* Take in what is to outlast the server; so, too, and before the next. */
void group_table_refresh(struct group_table *g);
/* It is deleted: nothing of it is to be known later.  So, too. */
void group_table_forget(struct group_table *g, struct bytes group);

/* What the server holds for members: see claims.h; NULL: nothing is written. */
struct claims *group_table_claims(struct group_table *g);

/* A group's name as a string; false: none that a group can have. */
bool group_table_name(struct bytes id, char out[GROUPS_NAME_MAX + 1]);

/*
 * A topic's positions, locked and as of now; until group_table_leave().
 * STATUS_NO_TOPIC: nobody has committed anything.
 */
int group_table_enter(struct group_table *g, struct served *t,
    struct groups **out);
void group_table_leave(struct group_table *g, struct served *t);

/*
 * Commit to one topic: as positions_commit().  EBUSY: local programs are
 * members of the group.
 */
int group_table_commit(struct group_table *g, struct served *t,
    const char *group, const struct groups_entry *entries, size_t count);
/* The same of several groups; how each went is its rc. */
void group_table_commit_all(struct group_table *g, struct served *t,
    struct positions_commit *commits, size_t count);

#endif
