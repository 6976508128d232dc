#ifndef DIRECT_POSITIONS_H
#define DIRECT_POSITIONS_H

/*
 * How far the consumer groups of a cluster have come in the topics of a chart.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/view.h"
#include "direct/chart.h"

struct fault;

enum { POSITIONS_COUNT_MAX = 1000000 };

struct positions_entry {
	size_t topic;
	const char *group;
	int32_t partition;
	int64_t offset;
	int32_t leader_epoch;
	struct view metadata;
};

struct positions {
	struct positions_entry *entries; /* by topic, group, partition */
	size_t count;
	size_t cap;
	struct arena arena;	/* strings */
};

void positions_init(struct positions *p);
void positions_release(struct positions *p);
/*
 * Ask all brokers for their groups, and for each one's positions.  Groups that
 * we may not see, or whose broker is not ready, are left out.  Errors of
 * chart.h; STATUS_TOO_BIG.
 */
int positions_read(struct chart *c, struct positions *p, struct fault *f);
/* Those of a topic, from i = 0 on; NULL behind the last. */
const struct positions_entry *positions_at(const struct positions *p,
    size_t topic, size_t i);

#endif
