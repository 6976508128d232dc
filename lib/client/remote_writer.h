#ifndef CLIENT_REMOTE_WRITER_H
#define CLIENT_REMOTE_WRITER_H

/*
 * Appending to a topic of a cluster.
 *
 *	remote_writer_open
 *	remote_writer_add, as often as there are records
 *	remote_writer_sync: all of them are acknowledged, or an error
 *
 * 1. Records of a partition keep their order, also when they are sent again:
 *    the producer is idempotent, unless acks or the user say otherwise.
 * 2. After an error nothing more is sent.
 * 3. What is not acknowledged is bounded; remote_writer_add() waits for room.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/cluster.h"
#include "store/codec.h"
#include "store/record.h"

struct remote_writer;

struct remote_writer_options {
	const char *acks;		/* "all", "1" or "0" */
	enum codec codec;
	int level;			/* INT_MIN: the codec's own */
	size_t batch_bytes;
	size_t message_bytes;		/* the largest batch the topic takes */
	/*
	 * Called for each acknowledged record, from within calls of this
	 * module; offset -1 where acks are 0.
	 */
	void (*acknowledged)(void *arg, size_t tag, int64_t offset);
	void *arg;
};

int remote_writer_open(const struct place *place,
    const struct cluster_options *c, const struct remote_writer_options *o,
    struct remote_writer **out, struct fault *f);
/* What was not acknowledged is given up. */
void remote_writer_close(struct remote_writer *w);

/*
 * Take a record to a partition; it is copied.  tag comes back with its
 * acknowledgement.  STATUS_TOO_BIG: the client refuses it; it was not taken.
 */
int remote_writer_add(struct remote_writer *w, const struct record *rec,
    int32_t partition, size_t tag, struct fault *f);
/* Send what was taken, and wait until it is acknowledged. */
int remote_writer_sync(struct remote_writer *w, struct fault *f);

#endif
