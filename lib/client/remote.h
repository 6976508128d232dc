#ifndef CLIENT_REMOTE_H
#define CLIENT_REMOTE_H

/*
 * Reading a topic of a cluster as a stream (store/stream.h): each partition is
 * a feed of it.
 *
 *	remote_topic_open
 *	remote_partition_open, _resolve, _feed for each partition
 *
 * BOUNDS.  An end is the last stable offset (with uncommitted: the high
 * watermark) when the partition was opened.  A feed is past it when a record at
 * or behind it came, or when the cluster says that nothing is left before such
 * an offset: what compaction took and what is hidden does not make it wait.
 *
 * WAITING.  A feed that has not reached that end waits for records, as long as
 * a cluster's timeout; from then on it gives what is there.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/parse.h"
#include "client/cluster.h"
#include "store/stream.h"
#include "store/topic.h"

struct remote_topic;
struct remote_partition;

/* To follow: wake_fd becomes readable when records have come.  Else -1. */
int remote_topic_open(const struct place *place,
    const struct cluster_options *o, bool uncommitted, int wake_fd,
    struct remote_topic **out, struct fault *f);
void remote_topic_close(struct remote_topic *t);

const char *remote_topic_name(const struct remote_topic *t);
int32_t remote_topic_count(const struct remote_topic *t);
/*
 * Tells topics of one name in different clusters apart; as long as a topic's
 * id.  One that is made anew keeps it.
 */
void remote_topic_id(const struct remote_topic *t, char id[TOPIC_ID_LEN + 1]);
/* Partitions may have been added: asks, but not more often than is good. */
int32_t remote_topic_look(struct remote_topic *t);
/* Has a partition been found to be gone? */
bool remote_topic_is_removed(const struct remote_topic *t);

/* Ask for its offsets, and make ready to read it. */
int remote_partition_open(struct remote_topic *t, int32_t number,
    struct remote_partition **out, struct fault *f);
/*
 * The same of a partition whose records a member of a group gets: c is the
 * member's connection, and queue, which becomes the partition's, gives what it
 * gets.  It never waits.
 */
int remote_partition_of_member(struct remote_topic *t, struct cluster *c,
    int32_t number, rd_kafka_queue_t *queue, struct remote_partition **out,
    struct fault *f);
/* Of one that was not made a feed. */
void remote_partition_close(struct remote_partition *p);
/* As stream_resolve(). */
int remote_partition_resolve(struct remote_partition *p,
    const struct position *pos, int64_t stored, int64_t *offset, int *clamped,
    struct fault *f);
/* For stream_add_feed(): the partition is the feed's arg. */
void remote_partition_feed(struct remote_partition *p, struct stream_feed *out);
/* First offset, and end as of when it was opened. */
void remote_partition_bounds(const struct remote_partition *p, int64_t *start,
    int64_t *end);

#endif
