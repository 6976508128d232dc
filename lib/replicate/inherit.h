#ifndef REPLICATE_INHERIT_H
#define REPLICATE_INHERIT_H

/*
 * A copy's settings: what the source changes is changed in the copy, too; what
 * was set in the copy itself stays until then.  So the copy remembers what the
 * source had (store/origin.h).
 */

#include <stdbool.h>

struct buf;
struct fault;
struct origin;
struct properties;
struct topic;

/*
 * Change t's settings where from's are not those of o any more.  Of what was
 * changed a line each is appended to done (or NULL).  known: o has been read,
 * and not made just now.  dry_run: t stays as it is.  o is from's then, and
 * *changed tells whether it was not.  Errors as topic_change().
 */
int inherit_settings(struct topic *t, struct origin *o, bool known,
    const struct properties *from, bool dry_run, struct buf *done,
    bool *changed, struct fault *f);

#endif
