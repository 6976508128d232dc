#include "net/budget.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "net/loop.h"

/* Who waits for nothing but that there is not too much stands behind nobody. */
enum queue { ROOM, SMALL, LARGE, QUEUES };

struct budget {
	size_t max[QUEUES];	/* how much may be taken after a take */
	pthread_mutex_t mutex;	/* what follows is under it */
	TAILQ_HEAD(, budget_wait) queues[QUEUES];
	struct budget_counters counters;
};

int
budget_open(size_t max, struct budget **out)
{
	struct budget *b = calloc(1, sizeof(*b));

	if (b == NULL)
		return ENOMEM;
	b->max[ROOM] = b->max[SMALL] = max;
	b->max[LARGE] = max - max / 4;
	for (int i = 0; i < QUEUES; i++)
		TAILQ_INIT(&b->queues[i]);
	pthread_mutex_init(&b->mutex, NULL);
	*out = b;
	return 0;
}

void
budget_close(struct budget *b)
{
	if (b == NULL)
		return;
	assert(b->counters.used == 0 && b->counters.waiting == 0);
	pthread_mutex_destroy(&b->mutex);
	free(b);
}

static enum queue
queue_of(size_t len)
{
	return len == 0 ? ROOM : len <= BUDGET_SMALL ? SMALL : LARGE;
}

static bool
fits(const struct budget *b, size_t len)
{
	size_t max = b->max[queue_of(len)], used = b->counters.used;

	return used == 0 || (used <= max && len <= max - used);
}

void
budget_wait_init(struct budget_wait *w, struct loop *l,
    void (*granted)(void *arg), void *arg)
{
	*w = (struct budget_wait){.loop = l};
	task_init(&w->task, granted, arg);
}

bool
budget_take(struct budget *b, struct budget_wait *w, size_t len)
{
	enum queue q = queue_of(len);
	bool taken;

	pthread_mutex_lock(&b->mutex);
	assert(!w->is_queued && !w->is_granted);
	taken = TAILQ_EMPTY(&b->queues[q]) && fits(b, len);
	w->len = len;
	if (taken) {
		b->counters.used += len;
	} else {
		TAILQ_INSERT_TAIL(&b->queues[q], w, entry);
		w->is_queued = true;
		b->counters.waiting++;
		b->counters.waits++;
	}
	pthread_mutex_unlock(&b->mutex);
	return taken;
}

static void
leave_queue(struct budget *b, struct budget_wait *w)
{
	TAILQ_REMOVE(&b->queues[queue_of(w->len)], w, entry);
	w->is_queued = false;
	b->counters.waiting--;
}

/* Serve who waits, as far as it goes. */
static void
serve(struct budget *b)
{
	struct budget_wait *w;

	for (int q = 0; q < QUEUES; q++)
		while ((w = TAILQ_FIRST(&b->queues[q])) != NULL &&
		    fits(b, w->len)) {
			leave_queue(b, w);
			b->counters.used += w->len;
			w->is_granted = true;
			loop_post(w->loop, &w->task);
		}
}

void
budget_wait_end(struct budget *b, struct budget_wait *w)
{
	pthread_mutex_lock(&b->mutex);
	assert(w->is_granted);
	w->is_granted = false;
	pthread_mutex_unlock(&b->mutex);
}

void
budget_cancel(struct budget *b, struct budget_wait *w)
{
	pthread_mutex_lock(&b->mutex);
	if (w->is_granted)
		b->counters.used -= w->len;
	if (w->is_queued)
		leave_queue(b, w);
	w->is_granted = false;
	/* Who was behind it may be served now. */
	serve(b);
	pthread_mutex_unlock(&b->mutex);
	loop_cancel(w->loop, &w->task);
}

void
budget_add(struct budget *b, size_t len)
{
	pthread_mutex_lock(&b->mutex);
	b->counters.used += len;
	pthread_mutex_unlock(&b->mutex);
}

void
budget_give(struct budget *b, size_t len)
{
	pthread_mutex_lock(&b->mutex);
	assert(len <= b->counters.used);
	b->counters.used -= len;
	serve(b);
	pthread_mutex_unlock(&b->mutex);
}

bool
budget_is_short(struct budget *b)
{
	struct budget_counters c;

	budget_counters(b, &c);
	return c.waiting > 0;
}

void
budget_counters(struct budget *b, struct budget_counters *out)
{
	pthread_mutex_lock(&b->mutex);
	*out = b->counters;
	pthread_mutex_unlock(&b->mutex);
}
