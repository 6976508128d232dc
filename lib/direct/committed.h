#ifndef DIRECT_COMMITTED_H
#define DIRECT_COMMITTED_H

/*
 * How far the consumer groups of a cluster have come in the topics of a chart.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/view.h"
#include "direct/chart.h"

struct fault;

enum { COMMITTED_MAX = 1000000 };

struct committed_entry {
	size_t topic;
	const char *group;
	int32_t partition;
	int64_t offset;
	int32_t leader_epoch;
	struct view metadata;
};

struct committed {
	struct committed_entry *entries; /* by topic, group, partition */
	size_t count;
	size_t cap;
	struct arena arena;	/* strings */
};

void committed_init(struct committed *p);
void committed_release(struct committed *p);
/*
 * Ask all brokers for their groups, and for each one's positions.  Groups that
 * we may not see, or whose broker is not ready, are left out.  Errors of
 * chart.h; STATUS_TOO_BIG.
 */
int committed_read(struct chart *c, struct committed *p, struct fault *f);
/* Those of a topic, from i = 0 on; NULL behind the last. */
const struct committed_entry *committed_at(const struct committed *p,
    size_t topic, size_t i);

#endif
