#ifndef TOOL_SHARING_IMPL_H
#define TOOL_SHARING_IMPL_H

/*
 * The inside of sharing.h, shared by sharing.c and sharing_others.c (what the
 * other members still have to do).  Nobody else includes it.
 */

#include "tool/sharing.h"

struct fault;

int sharing_fail(const struct sharing_topic *t, int rc, const struct fault *f);
/* Commit what was noted of a topic.  now: a failure cannot be told later. */
int sharing_commit_topic(struct sharing *sh, size_t topic, bool now);

/* Has all been done that was read from it, to its end? */
bool sharing_is_finished(const struct share *share);
/*
 * Behind the balance of a topic, in a directory, of which so much is our share.
 * *again: balance once more.
 */
int sharing_mind_others(struct sharing *sh, size_t topic, int32_t share,
    bool *again);

#endif
