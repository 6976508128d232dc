#include "deadlines.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/now.h"
#include "net/loop.h"
#include "net/pool.h"

struct deadlines {
	struct loop *loop;
	struct pool *pool;
	struct loop_timer *timer;	/* on the loop; NULL: stopped */
	struct task arm;		/* on it, too */
	pthread_mutex_t lock;
	/* Under it. */
	TAILQ_HEAD(, deadline) waiting;
	bool armed;
};

static void
arm(void *arg)
{
	struct deadlines *d = arg;

	if (d->timer != NULL)
		loop_timer_set(d->timer, DEADLINES_LOOK_MS);
}

static void
look(void *arg)
{
	int64_t now = now_mono_ms();
	struct deadlines *d = arg;
	struct deadline *e, *next;

	pthread_mutex_lock(&d->lock);
	TAILQ_FOREACH_SAFE(e, &d->waiting, entry, next) {
		if (e->until_ms > now)
			continue;
		TAILQ_REMOVE(&d->waiting, e, entry);
		e->waits = false;
		pool_run(d->pool, e->task);
	}
	d->armed = !TAILQ_EMPTY(&d->waiting);
	if (d->armed)
		arm(d);
	pthread_mutex_unlock(&d->lock);
}

void
deadlines_add(struct deadlines *d, struct deadline *e)
{
	bool was_armed;

	pthread_mutex_lock(&d->lock);
	e->waits = true;
	TAILQ_INSERT_TAIL(&d->waiting, e, entry);
	was_armed = d->armed;
	d->armed = true;
	pthread_mutex_unlock(&d->lock);
	if (!was_armed)
		loop_post(d->loop, &d->arm);
}

bool
deadlines_remove(struct deadlines *d, struct deadline *e)
{
	bool waited;

	pthread_mutex_lock(&d->lock);
	waited = e->waits;
	if (waited)
		TAILQ_REMOVE(&d->waiting, e, entry);
	e->waits = false;
	pthread_mutex_unlock(&d->lock);
	return waited;
}

static void
start(void *arg)
{
	struct deadlines *d = arg;

	(void)loop_timer_open(d->loop, look, d, &d->timer);
}

static void
stop(void *arg)
{
	struct deadlines *d = arg;

	loop_cancel(d->loop, &d->arm);
	if (d->timer != NULL)
		loop_timer_close(d->timer);
	d->timer = NULL;
}

int
deadlines_open(struct loop *l, struct pool *p, struct deadlines **out)
{
	struct deadlines *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return ENOMEM;
	d->loop = l;
	d->pool = p;
	TAILQ_INIT(&d->waiting);
	pthread_mutex_init(&d->lock, NULL);
	task_init(&d->arm, arm, d);
	loop_call(l, start, d);
	if (d->timer == NULL) {
		deadlines_close(d);
		return ENOMEM;
	}
	*out = d;
	return 0;
}

void
deadlines_stop(struct deadlines *d)
{
	if (d != NULL)
		loop_call(d->loop, stop, d);
}

void
deadlines_close(struct deadlines *d)
{
	if (d == NULL)
		return;
	loop_call(d->loop, stop, d);
	pthread_mutex_destroy(&d->lock);
	free(d);
}
