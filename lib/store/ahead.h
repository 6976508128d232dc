#ifndef STORE_AHEAD_H
#define STORE_AHEAD_H

/*
 * Blocks that are allocated ahead of the end of the active segment, for who
 * appends much to it: ext4 otherwise reserves them one by one with each write,
 * which takes a quarter of its time.  The file's size stays, so that nobody
 * sees it but in the space that is used: at most an eighth of the segment, and
 * 16 MiB.  What is left over is given back at the roll.
 */

#include <stdbool.h>
#include <stdint.h>

enum {
	AHEAD_AFTER_BYTES = 8 << 20,	/* appended to one segment */
	AHEAD_BYTES_MAX = 16 << 20,
};

/* Of one open segment; zeroed at first. */
struct ahead {
	int64_t written;	/* since it was opened */
	int64_t end;		/* allocated up to here */
	bool is_off;		/* it does not work here */
};

/* len bytes will be written at pos, in a file that ends at size_max at most. */
void ahead_prepare(struct ahead *a, int fd, int64_t pos, int64_t len,
    int64_t size_max);
/* The file ends at size for good; under the log lock. */
void ahead_give_back(int fd, int64_t size);

#endif
