#ifndef LOGSERVE_OMITTED_H
#define LOGSERVE_OMITTED_H

/*
 * What stands in the root and cannot be served as a topic: who runs the server
 * is told of it once, not with each request for it.  For one thread at a time.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/tree.h>

struct omitted_name;
RB_HEAD(omitted_names, omitted_name);

struct omitted {
	struct omitted_names names;
	size_t count;
};

void omitted_init(struct omitted *o);
void omitted_release(struct omitted *o);
/* It cannot be served, for rc; true: that is news. */
bool omitted_add(struct omitted *o, const char *name, int rc);
/* It is served, or is not there any more. */
void omitted_remove(struct omitted *o, const char *name);

#endif
