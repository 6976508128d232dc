#ifndef LOGSERVE_CLAIMS_H
#define LOGSERVE_CLAIMS_H

/*
 * The groups of topics that the server holds for its members, so that no local
 * program reads the same (store/member.h): of each group the topics that its
 * members subscribe to, each a descriptor.
 *
 * A join claims its topics before it is judged, and what is left over by that
 * goes when it is: a group without members holds nothing, unless somebody is
 * about to join it.  What no member subscribes to any more goes with the next
 * generation (claims_mark() and the sweep).
 *
 * A claim is of one topic, known by its id: of another one of its name, made
 * later, nothing is held.
 *
 * Files are opened without a lock that others wait for.
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "store/groups.h"

struct catalog;
struct claims;
struct served;

/* At most max topics of groups. */
int claims_new(struct catalog *catalog, size_t max, struct claims **out);
/* NULL is nothing. */
void claims_free(struct claims *c);

/* Somebody is about to join the group, until claims_end(); may be nested. */
int claims_begin(struct claims *c, const char *group);
/*
 * In between: hold that topic; 0 also if it is there already, or there is no
 * such topic.  EBUSY: local programs have it; EAGAIN: another server has;
 * EMFILE: too many are held.  What is wrong is told on stderr.
 */
int claims_take(struct claims *c, const char *group, struct bytes topic);
/* The same, but nothing is held or made; another server is not seen. */
int claims_look(struct claims *c, const char *group, struct bytes topic);
/* used: the group has members.  failed: what was taken is not for them. */
void claims_end(struct claims *c, const char *group, bool used, bool failed);
/* The group has no members any more. */
void claims_drop(struct claims *c, const char *group);

/*
 * May the group's positions in that topic be written?  EBUSY: local programs
 * are members.  What was held of a topic of the same name is held of this one
 * from now on.
 */
int claims_check(struct claims *c, const char *group, const struct served *t,
    int groups_dirfd);

/* The members' subscriptions may have changed. */
void claims_mark(struct claims *c, const char *group);
/*
 * A group that is marked, and that nobody is about to join: hold what is kept
 * from now on until claims_sweep_end(), and nothing else; false: there is none.
 * Nobody else comes to the claims in between.
 */
bool claims_sweep_begin(struct claims *c, char group[GROUPS_NAME_MAX + 1]);
/* True: all that is held is kept. */
bool claims_sweep_keep(struct claims *c, struct bytes topic);
void claims_sweep_keep_all(struct claims *c);
void claims_sweep_end(struct claims *c);

#endif
