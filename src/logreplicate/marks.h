#ifndef LOGREPLICATE_MARKS_H
#define LOGREPLICATE_MARKS_H

/*
 * How far a partition of a cluster has come (replicate/stamp.h), as the
 * cluster tells it.  Errors as those of nodes.h.
 */

#include <stdint.h>

#include "nodes.h"
#include "replicate/stamp.h"

/*
 * From the position that is kept, and what stands behind it in the log; without
 * one from the log's end backward.  out has no producer if there is nothing.
 */
int marks_read(struct nodes *n, const char *topic, int32_t partition,
    int32_t leader, struct stamp_mark *out, struct fault *f);
/* Keep it. */
int marks_write(struct nodes *n, const char *topic, int32_t partition,
    const struct stamp_mark *m, struct fault *f);

#endif
