#ifndef REPLICATE_OPENED_H
#define REPLICATE_OPENED_H

/*
 * The partitions that a source or a sink has open: a bounded number of them, in
 * the place of the one that was not used for longest.
 */

#include <stddef.h>
#include <stdint.h>

struct fault;
struct partition;
struct raw;

/* Each has a block or two of memory. */
enum { OPENED_MAX = 64 };

struct opened_part {
	size_t topic;
	int32_t number;
	struct partition *p;	/* NULL: not in use */
	struct raw *raw;	/* NULL: there is none */
	uint64_t used;
};

struct opened {
	struct opened_part parts[OPENED_MAX];
	size_t max;		/* at a time; 0: OPENED_MAX */
	uint64_t uses;
	/*
	 * Open a partition: p, and raw if it is read.  On an error what was
	 * opened stands there, too, and is closed.
	 */
	int (*open)(void *arg, struct opened_part *part, struct fault *f);
	/* Called before one is closed for another; may be NULL. */
	int (*leave)(struct partition *p, struct fault *f);
	void *arg;
};

/* A partition, opened if it is not. */
int opened_find(struct opened *o, size_t topic, int32_t partition,
    struct opened_part **out, struct fault *f);
/* Close one, which is not what it was. */
void opened_forget(struct opened_part *part);
/* Close all. */
void opened_close(struct opened *o);

#endif
