#ifndef LOGSERVE_UPKEEP_H
#define LOGSERVE_UPKEEP_H

/*
 * Upkeep: retention and compaction of the topics, by their settings, while
 * they are served.
 *
 * All topics are looked at each CONFIG_UPKEEP_MS, and when that is asked for;
 * a topic whose segment was closed by an append, soon after that.  It is done
 * on a thread of the pool, one per device, a partition at a time, with handles
 * of its own, so that no append waits for it; what has to be read for it is
 * read at CONFIG_UPKEEP_RATE.
 *
 * When it begins it removes, too, what is left of topics whose removal was
 * interrupted.
 *
 *	timer, HUP -> look -> the devices' queues of topics <- appends
 *	a device's task: topic -> its partitions -> retain.h, compact.h
 */

#include <stdint.h>

struct served;
struct server;
struct upkeep;

/* The server's catalog, pool and loops are there.  ENOMEM. */
int upkeep_open(struct server *s, struct upkeep **out);
/*
 * Begin nothing more, and end what is in work at the next batch; the pool is
 * still there.  NULL is nothing, here and below.
 */
void upkeep_stop(struct upkeep *u);
/* The pool has ended. */
void upkeep_close(struct upkeep *u);

/* Look at all topics now. */
void upkeep_look(struct upkeep *u);
/* Look at a topic's partition soon; from a thread of the pool. */
void upkeep_partition(struct upkeep *u, struct served *t, int32_t number);

#endif
