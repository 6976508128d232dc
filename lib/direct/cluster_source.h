#ifndef DIRECT_CLUSTER_SOURCE_H
#define DIRECT_CLUSTER_SOURCE_H

/*
 * A source that is a cluster: a topic, one partition of one, or all topics that
 * patterns choose.
 *
 *  1. Batches come as they stand in the leaders' logs, up to the high
 *     watermark, and nothing is left out: a transaction's records before its
 *     end, those that were aborted, markers.  With them a copy tells consumers
 *     the same as the cluster does.
 *  2. A cluster does not show its segments: raw_run.segment is -1.
 *  3. Topics' settings are those that were set for the topic, not what its
 *     brokers have for all.
 *  4. The way to it that is lost for longer than the time-out, or a log that
 *     was cut below what was read, is STATUS_CLUSTER.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/parse.h"
#include "client/place.h"
#include "replicate/disk_source.h"
#include "replicate/source.h"

struct fault;
struct login;

struct cluster_source_options {
	const struct place *place;
	const struct login *login;
	int64_t timeout_ms;
	const struct partition_list *partitions; /* of each topic; NULL all */
	struct disk_patterns patterns;
	bool follow;
	/* Something of a topic that is not as in the cluster; may be NULL. */
	void (*warn)(const char *topic, const char *text);
};

/*
 * What o points to must stay.  Errors of chart.h; f says more.
 */
int cluster_source_open(const struct cluster_source_options *o,
    struct source **out, struct fault *f);

#endif
