#ifndef CLIENT_REMOTE_ADMIN_H
#define CLIENT_REMOTE_ADMIN_H

/*
 * Topics and groups of a cluster, listed and changed.  Errors as cluster.h
 * says; a call may be made with the connection of any place in the cluster.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/cluster.h"

/* Connect, to ask and to change. */
int remote_admin_open(const struct place *place,
    const struct cluster_options *o, struct cluster **out, struct fault *f);

struct remote_admin_setting {
	const char *name;
	const char *value;	/* NULL: back to the default */
};

struct remote_admin_topic {
	int32_t partitions;
	int32_t replicas;	/* -1: as the cluster does */
	const struct remote_admin_setting *settings;
	size_t count;
};

/*
 * Make a topic, and wait until the cluster says that it is there; or only ask
 * whether it could be made.  STATUS_EXISTS.
 */
int remote_admin_create(struct cluster *c, const char *topic,
    const struct remote_admin_topic *t, bool dry_run, struct fault *f);
/* Have so many partitions in all. */
int remote_admin_grow(struct cluster *c, const char *topic, int32_t partitions,
    bool dry_run, struct fault *f);
int remote_admin_remove(struct cluster *c, const char *topic, struct fault *f);

/* One setting of a topic.  is_set: said for it, not the cluster's default. */
typedef int remote_admin_on_setting(const char *topic, const char *name,
    const char *value, bool is_set, void *arg);
/*
 * All settings of topics, each topic's by name; stops where fn does not return
 * 0, with that.
 */
int remote_admin_settings(struct cluster *c, const char *const *topics,
    size_t count, remote_admin_on_setting *fn, void *arg, struct fault *f);
/* The others stay, unless somebody else changes them at that moment. */
int remote_admin_change(struct cluster *c, const char *topic,
    const struct remote_admin_setting *settings, size_t count, bool dry_run,
    struct fault *f);

/* Delete the records before an offset; *start is the first one left. */
int remote_admin_delete_before(struct cluster *c, const char *topic,
    int32_t partition, int64_t offset, int64_t *start, struct fault *f);

/* Call fn for each consumer group, by name, until it returns not 0. */
int remote_admin_groups(struct cluster *c,
    int (*fn)(const char *group, void *arg), void *arg, struct fault *f);
/* How many members it has; 0, too, if it is not there. */
int remote_admin_members(struct cluster *c, const char *group, int *members,
    struct fault *f);
/* Its positions, by topic and partition, sorted; until fn returns not 0. */
int remote_admin_positions(struct cluster *c, const char *group,
    int (*fn)(const char *topic, int32_t partition, int64_t offset, void *arg),
    void *arg, struct fault *f);

struct remote_admin_position {
	int32_t partition;
	int64_t offset;		/* -1: forget it */
};
/*
 * Set or forget positions of a group without members; all entries do the same.
 * EBUSY: it has members.
 */
int remote_admin_seek(struct cluster *c, const char *group, const char *topic,
    const struct remote_admin_position *positions, size_t count,
    struct fault *f);

/* Forget it with all its positions.  EBUSY: it has members. */
int remote_admin_forget(struct cluster *c, const char *group, struct fault *f);

#endif
