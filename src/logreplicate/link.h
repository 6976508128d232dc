#ifndef LOGREPLICATE_LINK_H
#define LOGREPLICATE_LINK_H

/*
 * Frames over two descriptors, pipes or sockets, that do not block: what has
 * come, what is to go, and when something was heard last.
 *
 * Memory is one frame of each direction, and what sender_step() adds to it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "replicate/frame.h"

enum {
	/* With this much to be written nothing is added. */
	LINK_OUT_BYTES = 1 << 20,
	LINK_ALIVE_MS = 10000,	/* nothing said for so long: say ALIVE */
	LINK_DEAD_MS = 120000,	/* nothing heard for so long: give up */
	/* ALIVE is said so often in that time, at least. */
	LINK_ALIVE_TIMES = 4,
};

struct link {
	int in;			/* owned */
	int out;		/* owned; may be the same */
	struct buf input;
	size_t taken;		/* of input, by frames */
	size_t need;		/* bytes of input for the next frame */
	struct buf output;
	size_t written;		/* of output */
	bool ended;		/* the other side has closed */
	bool deaf;		/* it reads no more; what it has said counts */
	int64_t dead_ms;	/* LINK_DEAD_MS, unless it was set */
	int64_t alive_ms;	/* LINK_ALIVE_MS, or less with that */
	int64_t heard_ms;
	int64_t said_ms;
	int64_t rate;		/* bytes a second to be written; 0 any */
	double allowance;
	int64_t allowed_ms;	/* when it was counted last */
	const char *what;	/* why link_next() failed */
};

/* Both are made not to block, and their pipes large. */
int link_init(struct link *l, int in, int out);
void link_release(struct link *l);
/* Give up after so long, and let the other side know in time. */
void link_set_timeout(struct link *l, int64_t ms);

/*
 * The next frame that has come; its data is valid until link_poll().
 * EAGAIN: none yet.  STATUS_END: the other side has closed.  STATUS_CORRUPT:
 * what has come is no frame (what).
 */
int link_next(struct link *l, struct frame *f);
/* Has more come than was taken?  Then link_next() is called before a wait. */
bool link_has_more(const struct link *l);
/* A short text of what has come and is no frame: printable, one line. */
void link_garbage(const struct link *l, char *out, size_t size);
/* Bytes that wait to be written. */
size_t link_pending(const struct link *l);
/*
 * Write and read what goes now.  wait: first wait for that, or for fd (-1:
 * none) to become readable, up to timeout_ms.  *ready: fd is.  While there is a
 * frame that was not taken nothing is read.  To one that does
 * not read any more nothing is written, and link_next() tells the end, behind
 * what it has said.  STATUS_TIMEOUT: nothing was heard for too long.
 */
int link_poll(struct link *l, bool wait, int fd, int timeout_ms, bool *ready);

#endif
