#ifndef LOGSERVE_HANDLES_H
#define LOGSERVE_HANDLES_H

/*
 * The logs that have files open, of which there is a bound: a root may have
 * more partitions than the process may have descriptors, and connections need
 * theirs, too.  The log that came longest ago and was not used since gives up
 * its files, and opens them again when it is wanted: second chance, the clock
 * of operating systems.
 *
 * Locks: a log's own may be held when calling handles_add(), which tries, and
 * does not wait for, those of others.
 */

#include <stdbool.h>
#include <stddef.h>

struct handles;
struct log;

/* No more than max logs, but for those that are in use this moment. */
struct handles *handles_new(size_t max);
/* No log is in it any more. */
void handles_free(struct handles *h);

/* The log has opened a file.  Others may lose theirs. */
void handles_add(struct handles *h, struct log *l);
/* It is about to go. */
void handles_remove(struct handles *h, struct log *l);

#endif
