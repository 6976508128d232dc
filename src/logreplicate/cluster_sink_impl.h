#ifndef LOGREPLICATE_CLUSTER_SINK_IMPL_H
#define LOGREPLICATE_CLUSTER_SINK_IMPL_H

/*
 * The inside of a cluster as a sink: cluster_sink.c has its topics, what is
 * sent again from a hold, and its life; cluster_sink_send.c sends batches, and
 * takes the answers.  Nobody else includes it.
 */

#include "cluster_sink.h"
#include "cluster_topic.h"
#include "nodes.h"
#include "replicate/stamp.h"

enum {
	/* Brokers remember five batches of a producer. */
	FLIGHTS_MAX = 5,
	TEXT_LEN = 700,
};

struct flight {
	struct talk *talk;
	size_t topic;
	int32_t partition;
	int32_t count;		/* records */
};

struct cluster_sink {
	struct sink sink;
	struct cluster_sink_options o;
	struct nodes *nodes;
	struct cluster_topic *topics;
	size_t count;
	struct flight flights[FLIGHTS_MAX];	/* a ring */
	size_t first, flying;
	struct stamp_builder builder;
	struct buf scratch;
	struct talk_answer answer;
	int64_t producer_id;	/* of this run; -1: none yet */
	int16_t producer_epoch;
	char text[TEXT_LEN];
};

/* NULL: there is none of that number (yet). */
static inline struct cluster_part *
cluster_sink_part(struct cluster_sink *c, size_t topic, int32_t partition)
{
	struct cluster_topic *t = &c->topics[topic];

	return partition < t->count ? &t->parts[partition] : NULL;
}

/* The mark is kept at the destination, and what it says counts. */
int cluster_sink_keep_mark(struct cluster_sink *c, size_t topic,
    int32_t partition, struct cluster_part *p, struct fault *f);
/* The producer is known to the next run before anything is sent. */
int cluster_sink_begin(struct cluster_sink *c, size_t topic, int32_t partition,
    struct cluster_part *p, struct fault *f);
/* Send what is in the builder. */
int cluster_sink_flush(struct cluster_sink *c, size_t topic, int32_t partition,
    struct fault *f);
/* The builder is for one partition at a time, and empty between calls. */
void cluster_sink_empty(struct cluster_sink *c);
/* Take the answers to all that is on its way. */
int cluster_sink_land_all(struct cluster_sink *c, struct cluster_part *p,
    struct fault *f);
/* A batch that may not be sent: those before it are, as ever. */
int cluster_sink_send_rest(struct cluster_sink *c, size_t topic,
    int32_t partition, struct fault *f);

#endif
