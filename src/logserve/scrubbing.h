#ifndef LOGSERVE_SCRUBBING_H
#define LOGSERVE_SCRUBBING_H

/*
 * What lies on the device and is not asked for is read again and again, to hear
 * of damage while there are copies of it elsewhere: the sealed segments of all
 * topics, one after another, at --scrub bytes a second, on a thread of its own.
 * Each round begins at another topic, and none within CONFIG_SCRUB_MS of the
 * one before.
 */

#include <stdint.h>

struct scrubbing;
struct server;

struct scrubbing_counters {
	uint64_t bytes;
	uint64_t segments;
	uint64_t damaged;	/* segments, each time that one is read */
	uint64_t rounds;	/* that have ended */
};

/* The catalog is there.  ENOMEM, EAGAIN; *out is NULL if it is not wanted. */
int scrubbing_open(struct server *s, struct scrubbing **out);
/* NULL is nothing. */
void scrubbing_close(struct scrubbing *b);
/* NULL has done nothing. */
void scrubbing_counters(struct scrubbing *b, struct scrubbing_counters *out);

#endif
