#include "queue.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

enum { SLOTS = 4 };

struct slot {
	void *target;
	struct batch_builder bb;
};

struct queue {
	queue_append *append;
	void *arg;
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	/* All below under the mutex, but for a slot's batch while it waits. */
	struct slot slots[SLOTS];	/* a ring */
	unsigned first;
	unsigned count;			/* the one being appended included */
	bool ended;
	bool failed;			/* nothing is appended any more */
	int rc;				/* not told yet */
	struct fault fault;
};

/* The thread. */
static void *
run(void *arg)
{
	struct queue *q = arg;
	struct fault f = {.file = ""};
	struct slot *slot;
	int rc;

	pthread_mutex_lock(&q->mutex);
	for (;;) {
		while (q->count == 0 && !q->ended)
			pthread_cond_wait(&q->changed, &q->mutex);
		if (q->ended)
			break;
		slot = &q->slots[q->first];
		if (!q->failed) {
			pthread_mutex_unlock(&q->mutex);
			rc = q->append(q->arg, slot->target, &slot->bb, &f);
			pthread_mutex_lock(&q->mutex);
			if (rc != 0) {
				q->failed = true;
				q->rc = rc;
				q->fault = f;
			}
		}
		q->first = (q->first + 1) % SLOTS;
		q->count--;
		pthread_cond_broadcast(&q->changed);
	}
	pthread_mutex_unlock(&q->mutex);
	return NULL;
}

int
queue_open(queue_append *append, void *arg, struct queue **out)
{
	struct queue *q = calloc(1, sizeof(*q));
	sigset_t all, old;
	int rc;

	if (q == NULL)
		return ENOMEM;
	q->append = append;
	q->arg = arg;
	pthread_mutex_init(&q->mutex, NULL);
	pthread_cond_init(&q->changed, NULL);
	/* Signals are for the thread that reads. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	rc = pthread_create(&q->thread, NULL, run, q);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0) {
		free(q);
		return rc;
	}
	*out = q;
	return 0;
}

void
queue_close(struct queue *q)
{
	if (q == NULL)
		return;
	pthread_mutex_lock(&q->mutex);
	q->ended = true;
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->mutex);
	pthread_join(q->thread, NULL);
	for (unsigned i = 0; i < SLOTS; i++)
		batch_builder_release(&q->slots[i].bb);
	pthread_cond_destroy(&q->changed);
	pthread_mutex_destroy(&q->mutex);
	free(q);
}

/* The error not told yet, under the mutex. */
static int
take_error(struct queue *q, struct fault *f)
{
	int rc = q->rc;

	if (rc != 0 && f != NULL)
		*f = q->fault;
	q->rc = 0;
	return rc;
}

/* The records of *from go to *to, whose memory *from has then. */
static void
exchange(struct batch_builder *from, struct batch_builder *to)
{
	struct batch_builder empty = *to;

	*to = *from;
	empty.raw.max = from->raw.max;
	empty.packed.max = from->packed.max;
	empty.raw.len = empty.packed.len = 0;
	empty.codec = from->codec;
	empty.level = from->level;
	empty.count = empty.next_delta = 0;
	*from = empty;
}

int
queue_put(struct queue *q, void *target, struct batch_builder *bb,
    struct fault *f)
{
	struct slot *slot;
	int rc;

	pthread_mutex_lock(&q->mutex);
	while (q->count == SLOTS)
		pthread_cond_wait(&q->changed, &q->mutex);
	slot = &q->slots[(q->first + q->count) % SLOTS];
	exchange(bb, &slot->bb);
	slot->target = target;
	q->count++;
	rc = take_error(q, f);
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->mutex);
	return rc;
}

int
queue_drain(struct queue *q, struct fault *f)
{
	int rc;

	pthread_mutex_lock(&q->mutex);
	while (q->count > 0)
		pthread_cond_wait(&q->changed, &q->mutex);
	rc = take_error(q, f);
	pthread_mutex_unlock(&q->mutex);
	return rc;
}
