#ifndef STORE_SCRUB_H
#define STORE_SCRUB_H

/*
 * One sealed segment read from its first byte to its last, to find out in time
 * what the device has lost: the CRC of each batch, and that of the whole file
 * where its .sum has it.  It may be compacted or deleted meanwhile, and what
 * was not in memory before is not kept there.
 */

#include <stddef.h>
#include <stdint.h>

struct fault;

struct scrub {
	int dirfd;		/* of the partition */
	const char *path;	/* of it, for messages */
	int64_t base;
	/* Called behind so many bytes; not 0: it ends with that. */
	int (*pace)(void *arg, size_t bytes);
	void *arg;
};

/*
 * 0: it is good, or has gone, or is of an old format.  STATUS_CORRUPT: f tells
 * where.  Errors of reading.
 */
int scrub_segment(const struct scrub *s, struct fault *f);

#endif
