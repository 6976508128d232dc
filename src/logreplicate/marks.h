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
 * Those that are kept as positions, of partitions first to first + count - 1
 * into out[0] and so on; without a producer where nothing is.
 */
int marks_kept(struct nodes *n, const char *topic, int32_t first, int32_t count,
    struct stamp_mark *out, struct fault *f);
/*
 * From what is kept, in *m, and what stands behind it in the log; without one
 * from the log's end backward.  m has no producer if there is nothing.
 */
int marks_read(struct nodes *n, const char *topic, int32_t partition,
    int32_t leader, struct stamp_mark *m, struct fault *f);
/* Keep it. */
int marks_write(struct nodes *n, const char *topic, int32_t partition,
    const struct stamp_mark *m, struct fault *f);

#endif
