#ifndef REPLICATE_DISK_SINK_H
#define REPLICATE_DISK_SINK_H

/*
 * A sink that is a directory: a topic, or a root of them, which is made if it
 * is missing.
 */

#include <stdbool.h>
#include <stddef.h>

#include "replicate/sink.h"

struct fault;

struct disk_sink_options {
	bool dry_run;		/* make nothing, append nothing */
	bool cut;		/* what differs from the source is to be */
	size_t open_max;	/* partitions with files open; 0: 64 */
	/* Topics outside of it are refused (under.h).  NULL: none is; stays. */
	const char *under;
};

/* Nothing is looked at yet; path may be missing.  ENOMEM. */
int disk_sink_open(const char *path, const struct disk_sink_options *o,
    struct sink **out);

#endif
