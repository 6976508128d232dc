#ifndef LOGSERVE_PROVEN_H
#define LOGSERVE_PROVEN_H

/*
 * What was found good of a partition's segments: a stretch that is sent as it
 * is on the device (sendfile) has the CRCs of its batches checked before the
 * first time, so that damage is an error here and not a wrong record there.
 * It is read for that, too, so that no loop waits for the device.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { PROVEN_STRETCHES = 8 };

struct proven {
	pthread_mutex_t lock;
	/*
	 * By file, which is its inode's number and when that was made:
	 * numbers are used again.  One that was not used is empty.
	 */
	struct proven_stretch {
		struct proven_file {
			uint64_t inode;
			int64_t made_ns;	/* 0: not known */
		} file;
		int64_t from, to;
	} stretches[PROVEN_STRETCHES];
	unsigned turn;		/* the one that is replaced next */
};

void proven_init(struct proven *p);
void proven_release(struct proven *p);

/*
 * Check whole batches of a segment, *len bytes from pos on, as far as they were
 * not checked before, and bring them into memory.  *len is cut to those before
 * the first that is damaged; STATUS_CORRUPT: that is the first one; *what says
 * why.  Other errors are of reading.  May wait for the device.
 */
int proven_check(struct proven *p, int fd, int64_t pos, int64_t *len,
    const char **what);
/* Was all of it checked before, and is it in memory still?  Never waits. */
bool proven_is_known(struct proven *p, int fd, int64_t pos, int64_t len);
/* Is this, as it was read from there, good?  Never waits. */
bool proven_is_good(struct proven *p, int fd, int64_t pos, const uint8_t *data,
    size_t len);

#endif
