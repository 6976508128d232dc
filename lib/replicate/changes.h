#ifndef REPLICATE_CHANGES_H
#define REPLICATE_CHANGES_H

/*
 * What changes in the directories of a source: each is told once, however often
 * it has changed, so that to follow many topics costs what happens in them.
 */

#include <stdbool.h>

#include "replicate/source.h"

struct changes;

int changes_open(struct changes **out);
void changes_close(struct changes *c);
/* What a change in that directory means.  Twice is the same as once. */
int changes_add(struct changes *c, const char *path,
    const struct source_changed *what);
/* To be polled; -1: nothing is told, and the caller looks everywhere. */
int changes_fd(const struct changes *c);
/*
 * Take what has been told since; *any: something waits for changes_next();
 * *lost: some was not told, anything may have changed.
 */
void changes_take(struct changes *c, bool *any, bool *lost);
/* The next of them; false: there is none. */
bool changes_next(struct changes *c, struct source_changed *out);

#endif
