#ifndef LOGSERVE_ANSWERS_H
#define LOGSERVE_ANSWERS_H

/*
 * What the coordinator says to a request that waited: the waiter is the
 * struct request.
 */

struct group_joined;
struct group_synced;

void answers_joined(void *arg, void *waiter, const struct group_joined *j);
void answers_synced(void *arg, void *waiter, const struct group_synced *s);

#endif
