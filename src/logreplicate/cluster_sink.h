#ifndef LOGREPLICATE_CLUSTER_SINK_H
#define LOGREPLICATE_CLUSTER_SINK_H

/*
 * A sink that is a cluster of any make: records are produced to it again, with
 * new offsets, each once (replicate/stamp.h).  A topic that is not there is
 * made, and one with fewer partitions gets more.
 *
 * Key, value, headers, timestamp, partition and order stay; what was aborted,
 * and the markers of transactions, are left out.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/place.h"
#include "client/settings.h"
#include "replicate/sink.h"

struct cluster_sink_options {
	const struct place *place;	/* its topic "": topics have names */
	const struct settings *settings;
	int64_t timeout_ms;
	bool dry_run;
};

/* Connects.  Errors as those of nodes.h. */
int cluster_sink_open(const struct cluster_sink_options *o, struct sink **out,
    struct fault *f);
/* What ended it (STATUS_CLUSTER), in words, or "". */
const char *cluster_sink_text(const struct sink *s);

#endif
