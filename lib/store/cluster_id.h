#ifndef STORE_CLUSTER_ID_H
#define STORE_CLUSTER_ID_H

/*
 * The id of the cluster that a root is, if logserve(8) serves it.  It is kept
 * in
 *	ROOT/.logserve/cluster.properties	cluster.id=ID
 *
 * or, where it cannot be, is one that the directory has on this machine.
 */

#include <stdint.h>

#include "base/base64.h"

#define CLUSTER_ID_DIR ".logserve"
#define CLUSTER_ID_FILE "cluster.properties"
#define CLUSTER_ID_KEY "cluster.id"

enum { CLUSTER_ID_LEN = BASE64_ID_LEN, CLUSTER_ID_HASH_LEN = 16 };

/*
 * That which is kept in CLUSTER_ID_DIR, of which this is a descriptor.
 * STATUS_SYNTAX: a file without an id (1 to 22 characters); or errno.
 */
int cluster_id_read(int dirfd, char id[CLUSTER_ID_LEN + 1]);
/* That of the directory itself, which is the same until it is copied. */
int cluster_id_derive(int rootfd, char id[CLUSTER_ID_LEN + 1]);
/* The one or the other. */
int cluster_id_of(int rootfd, char id[CLUSTER_ID_LEN + 1]);
/* What stands for an id, of whatever length, in the identity of a topic. */
void cluster_id_hash(const char *id, uint8_t out[CLUSTER_ID_HASH_LEN]);
/*
 * The identity of a cluster's topic: its id, or, if that is zero, what stands
 * for the cluster and its name; and what stands for the cluster.
 */
void cluster_id_topic(const char *cluster, const char *name,
    const uint8_t id[16], uint8_t out[16 + CLUSTER_ID_HASH_LEN]);

#endif
