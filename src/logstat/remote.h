#ifndef LOGSTAT_REMOTE_H
#define LOGSTAT_REMOTE_H

/*
 * What can be told of a cluster's partitions.
 */

#include <stdint.h>

#include "base/parse.h"
#include "tool/places.h"

struct fault;

struct remote_partition_stat {
	const char *place;	/* kafka://HOST/TOPIC/N */
	const char *topic;
	int32_t number;
	int64_t start;
	int64_t end;		/* high watermark */
	int64_t last_stable;
	int64_t oldest;		/* timestamp of the first record; -1 none */
	int64_t newest;		/* of the last one */
};

struct remote_visitor {
	/* A topic begins; it has count partitions. */
	void (*topic)(const char *place, int32_t count);
	void (*partition)(const struct remote_partition_stat *s);
	const struct partition_list *chosen;
};

/* Go through a topic of a cluster, or all.  Errors as cluster.h. */
int remote_visit(const char *path, struct places *places,
    const struct remote_visitor *v, struct fault *f);

#endif
