#ifndef LOGSERVE_HOME_H
#define LOGSERVE_HOME_H

/*
 * What the server keeps of its own in a root, beside the topics:
 *
 *	ROOT/.logserve/
 *	    cluster.properties	cluster.id=ID
 *	    groups/		a partition: the members of groups (ledger.h)
 *
 * Its name begins with a dot, so that it is none of a topic (store/root.h).
 */

#include <limits.h>
#include <stdbool.h>

#include "store/cluster_id.h"

struct home {
	char path[PATH_MAX];	/* "" if nothing can be kept */
	char cluster_id[CLUSTER_ID_LEN + 1];
};

/*
 * Find it in a root or, unless read_only, make it.  Where it is not and cannot
 * be made (EACCES, EROFS), or not, the id is one that the root has on this
 * machine.  STATUS_SYNTAX: a cluster.properties without an id (1 to 22 letters,
 * digits, - and _); or errno.
 */
int home_open(const char *root, bool read_only, struct home *out);

#endif
