#ifndef LOGAPPEND_QUEUE_H
#define LOGAPPEND_QUEUE_H

/*
 * A thread that closes and appends full batches, one after the other, while
 * the next ones are read and encoded.  A few batches may wait; who is faster
 * than the disk waits for room.
 *
 * One thread calls these.  The function given runs in the queue's thread; what
 * it uses is the caller's again after queue_drain().
 */

#include "base/status.h"
#include "store/batch.h"

struct queue;

/* Close and append bb, which is a batch for target. */
typedef int queue_append(void *arg, void *target, struct batch_builder *bb,
    struct fault *f);

/* Starts the thread.  ENOMEM, EAGAIN. */
int queue_open(queue_append *append, void *arg, struct queue **out);
/* Give up what still waits, end the thread, free all.  NULL is nothing. */
void queue_close(struct queue *q);

/*
 * Hand over the records of *bb, which is then empty and as it was set up.
 * The first error of an append before comes back (f) once, here or from
 * queue_drain(); from then on nothing is appended.
 */
int queue_put(struct queue *q, void *target, struct batch_builder *bb,
    struct fault *f);
/* Wait until all is appended. */
int queue_drain(struct queue *q, struct fault *f);

#endif
