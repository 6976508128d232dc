#ifndef LOGREPLICATE_NODES_H
#define LOGREPLICATE_NODES_H

/*
 * The brokers of a cluster to which is written: who leads a partition, who
 * keeps a group's positions, who makes topics; and a connection to each.
 *
 * Errors are STATUS_CLUSTER, with which the whole is to be begun anew, or what
 * is named; f says more.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/place.h"
#include "client/settings.h"
#include "direct/talk.h"
#include "store/lineage.h"

struct fault;
struct nodes;
struct properties;

enum { NODES_MAX = 10000 };

int nodes_open(const struct place *place, const struct settings *settings,
    int64_t timeout_ms, struct nodes **out, struct fault *f);
void nodes_close(struct nodes *n);

struct nodes_topic {
	int32_t count;		/* of partitions */
	int32_t *leaders;	/* node of each, -1: none now; to be freed */
	uint8_t identity[LINEAGE_ID_LEN];
};

/* What there is of a topic.  STATUS_NO_TOPIC. */
int nodes_look(struct nodes *n, const char *topic, struct nodes_topic *out,
    struct fault *f);
/*
 * Make a topic with what settings says of those that are kept, or have so many
 * partitions.  What the cluster says to it: STATUS_FAILED.
 */
int nodes_make(struct nodes *n, const char *topic, int32_t partitions,
    const struct properties *settings, struct fault *f);
int nodes_grow(struct nodes *n, const char *topic, int32_t partitions,
    struct fault *f);

/* To ask something of a node; nothing is pending on it. */
int nodes_ask(struct nodes *n, int32_t node, struct talk **out,
    struct fault *f);
/* To produce to it: what is pending is the caller's. */
int nodes_produce(struct nodes *n, int32_t node, struct talk **out,
    struct fault *f);
/* When what is asked now should have been answered (monotonic). */
int64_t nodes_until(const struct nodes *n);
/* Any of them. */
struct talk *nodes_any(struct nodes *n);
/* Where a group's positions are. */
int nodes_group(struct nodes *n, const char *group, struct talk **out,
    struct fault *f);

/*
 * Is that an error of a cluster, or a topic, that has just begun, and not the
 * last word?
 * Waits a moment before it says yes; no after until_ms (monotonic).
 */
bool nodes_again(int code, int64_t until_ms);
/* The same of what nodes_group() gave, which is then to be asked for anew. */
bool nodes_group_again(struct nodes *n, int code, int64_t until_ms);
/* Words for an error code of the answer to what; STATUS_CLUSTER. */
int nodes_refused(const char *what, int code, struct fault *f);

#endif
