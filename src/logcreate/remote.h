#ifndef LOGCREATE_REMOTE_H
#define LOGCREATE_REMOTE_H

/*
 * Topics of a cluster: made, grown, compared.  Tells what is wrong, and returns
 * an exit status.
 */

#include <stdbool.h>
#include <stdint.h>

#include "store/properties.h"
#include "tool/places.h"

struct remote_wish {
	struct places *places;
	const struct properties *settings;
	const bool *said;	/* which of them: the cluster has the others */
	int32_t partitions;
	bool partitions_given;
	int32_t replicas;	/* -1: the cluster's */
	bool if_not_exists;
	bool dry_run;
};

int remote_create(const char *path, const struct remote_wish *w);
int remote_grow(const char *path, int32_t partitions,
    const struct remote_wish *w);
/* How many partitions it has; below 0: nobody can tell. */
int32_t remote_count(const char *path, struct places *places);
/* What was set for it, where said does not say otherwise. */
int remote_like(const char *path, struct places *places,
    struct properties *settings, bool *said, int32_t *partitions);

#endif
