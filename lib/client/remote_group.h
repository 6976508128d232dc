#ifndef CLIENT_REMOTE_GROUP_H
#define CLIENT_REMOTE_GROUP_H

/*
 * A member of a consumer group of a cluster.
 *
 *	remote_group_open
 *	again and again: remote_group_poll, in which partitions are taken and
 *	given up; remote_group_commit what was done
 *	remote_group_close, in which all are given up
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/cluster.h"

struct remote_group;

/* What happens to partitions, within the calls above. */
struct remote_group_events {
	/*
	 * It is ours, from *offset on: stored, where the group was, or -1, may
	 * be moved.  queue gives its records, and is the callee's.  Not 0:
	 * that failed, and is told; no partition is ours.
	 */
	int (*taken)(void *arg, const char *topic, int32_t partition,
	    int64_t stored, rd_kafka_queue_t *queue, int64_t *offset);
	/* All that we have are about to go: commit what is done. */
	void (*leaving)(void *arg);
	void (*given)(void *arg, const char *topic, int32_t partition);
	void *arg;
};

struct remote_group_position {
	const char *topic;
	int32_t partition;
	int64_t offset;
};

/* wake_fd (or -1) becomes readable when something has happened. */
int remote_group_open(const struct place *place,
    const struct cluster_options *o, bool uncommitted, const char *group,
    const char *const *topics, size_t count, int wake_fd,
    const struct remote_group_events *events, struct remote_group **out,
    struct fault *f);
void remote_group_close(struct remote_group *g);
struct cluster *remote_group_cluster(struct remote_group *g);

/* Let things happen, for up to wait_ms if nothing does. */
int remote_group_poll(struct remote_group *g, int wait_ms, struct fault *f);
/* Have we been told which partitions are ours? */
bool remote_group_is_settled(const struct remote_group *g);
/* EAGAIN: they are others' by now. */
int remote_group_commit(struct remote_group *g,
    const struct remote_group_position *positions, size_t count,
    struct fault *f);

#endif
