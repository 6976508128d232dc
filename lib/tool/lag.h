#ifndef TOOL_LAG_H
#define TOOL_LAG_H

/*
 * How far groups are behind in a topic: rows of a listing, for logadmin and
 * logstat.
 *
 * Lag is the number of offsets from the group's position, or the log start if
 * that is behind it, to the last stable offset.  What compaction took counts
 * as if it were there.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/parse.h"
#include "client/cluster.h"
#include "store/topic.h"
#include "tool/listing.h"

struct fault;

extern const struct listing_column lag_columns[];

/* Of all that was added. */
struct lag_worst {
	int64_t lag;		/* -1: no group at all */
	char where[512];	/* "GROUP at TOPIC/N" */
};

/* Which groups and partitions. */
struct lag_wanted {
	const char *group;	/* NULL: all */
	const struct partition_list *partitions;	/* NULL: all */
};

/*
 * A cell: does anybody use a group?  known false: who asks may not know, which
 * is "-", or null.
 */
void lag_use(struct listing *l, bool known, bool in_use);
/*
 * Add a row for each partition that a wanted group has a position in.  l may be
 * NULL.  place is a whole topic.  *rows grows by their number.  Errors as
 * groups_open() and partition_offsets().
 */
int lag_add(struct listing *l, const char *path, struct topic_place *place,
    const struct lag_wanted *wanted, struct lag_worst *worst, size_t *rows,
    struct fault *f);
/*
 * The same of a topic of a cluster, NULL: of all.  Nobody tells there when a
 * position was committed.  Errors as cluster.h.
 */
int lag_add_remote(struct listing *l, struct cluster *c, const char *topic,
    const char *group, struct lag_worst *worst, size_t *rows, struct fault *f);

#endif
