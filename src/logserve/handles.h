#ifndef LOGSERVE_HANDLES_H
#define LOGSERVE_HANDLES_H

/*
 * What has files open, logs and positions of groups, of which there is a bound:
 * a root may have more partitions than the process may have descriptors, and
 * connections need theirs, too.  The one that came longest ago and was not used
 * since gives up its files, and opens them again when it is wanted: second
 * chance, the clock of operating systems.
 *
 * Locks: its own may be held when calling handles_add(), which tries, and does
 * not wait for, those of others.
 */

#include <sys/queue.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct handles;

/* A part of who has the files. */
struct handle {
	/* Close them, without a wait; false: they are in use. */
	bool (*shed)(void *arg);
	void *arg;
	atomic_bool used;	/* set by who uses them */
	/* The rest is handles.c's. */
	bool has_files;
	TAILQ_ENTRY(handle) entry;
};

/* No more than max, but for those that are in use this moment. */
struct handles *handles_new(size_t max);
/* Nothing is in it any more. */
void handles_free(struct handles *h);

void handles_init(struct handle *one, bool (*shed)(void *arg), void *arg);
/* It has opened a file.  Others may lose theirs. */
void handles_add(struct handles *h, struct handle *one);
/* It is about to go. */
void handles_remove(struct handles *h, struct handle *one);

#endif
