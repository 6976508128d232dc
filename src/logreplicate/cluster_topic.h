#ifndef LOGREPLICATE_CLUSTER_TOPIC_H
#define LOGREPLICATE_CLUSTER_TOPIC_H

/*
 * A topic to which records are sent again: whether they may be, where its
 * partitions are, and how far each has come.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bounds.h"
#include "provenance.h"
#include "replicate/hold.h"
#include "replicate/sink.h"
#include "replicate/stamp.h"

struct nodes;

struct cluster_part {
	bool known;		/* the mark is, and not only what was kept */
	bool begun;		/* the mark was kept, of this producer */
	bool broken;		/* refused; answers that come do not count */
	int32_t leader;
	struct stamp_mark mark;	/* behind what was sent */
	struct hold *hold;
	size_t flights;
	int64_t unkept_bytes;
	int64_t kept_ms;
};

struct cluster_topic {
	char name[TOPIC_NAME_MAX + 1];
	struct provenance way;
	struct cluster_part *parts;
	int32_t count;
};

/*
 * See what there is of it, for records of that source; one that is missing is
 * made, and one with fewer partitions gets more, but for a dry run.  Nothing is
 * changed before it is known that records may go there.
 * Errors as those of nodes.h and provenance.h.
 */
int cluster_topic_look(struct cluster_topic *t, struct nodes *n, bool dry_run,
    const struct sink_topic *from, struct fault *f);
void cluster_topic_release(struct cluster_topic *t);

#endif
