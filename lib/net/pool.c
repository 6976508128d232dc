#include "net/pool.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

struct pool {
	size_t threads_max;
	int64_t idle_ms;
	pthread_mutex_t mutex;
	pthread_cond_t work;		/* a task, or the end */
	pthread_cond_t ended;		/* a thread has ended */
	/* Under the mutex. */
	struct task_queue tasks;
	size_t waiting;			/* tasks in the queue */
	size_t threads;
	size_t idle;			/* of those, waiting for work */
	bool is_closing;
	/* Who ends joins the one that ended before it. */
	pthread_t last;
	bool has_last;
};

/* When a thread that waits from now on has waited long enough. */
static struct timespec
patience(const struct pool *p)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += (time_t)(p->idle_ms / 1000);
	ts.tv_nsec += (long)(p->idle_ms % 1000) * 1000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	return ts;
}

/*
 * The next task; NULL: this thread is to end.  While the pool is closing a
 * task in work may still hand over others, to whoever runs it.
 */
static struct task *
next(struct pool *p)
{
	struct timespec until = patience(p);
	struct task *t;
	int rc = 0;

	p->idle++;
	while (TAILQ_EMPTY(&p->tasks) && !p->is_closing &&
	    (rc != ETIMEDOUT || p->threads == 1))
		rc = p->threads == 1
		    ? pthread_cond_wait(&p->work, &p->mutex)
		    : pthread_cond_timedwait(&p->work, &p->mutex, &until);
	p->idle--;
	t = TAILQ_FIRST(&p->tasks);
	if (t != NULL) {
		TAILQ_REMOVE(&p->tasks, t, entry);
		t->queued = false;
		p->waiting--;
	}
	return t;
}

static void *
run(void *arg)
{
	struct pool *p = arg;
	struct task *t;
	pthread_t before;
	bool has_before;

	pthread_mutex_lock(&p->mutex);
	while ((t = next(p)) != NULL) {
		pthread_mutex_unlock(&p->mutex);
		t->call(t->arg);
		pthread_mutex_lock(&p->mutex);
	}
	p->threads--;
	before = p->last;
	has_before = p->has_last;
	p->last = pthread_self();
	p->has_last = true;
	pthread_cond_signal(&p->ended);
	pthread_mutex_unlock(&p->mutex);
	if (has_before)
		pthread_join(before, NULL);
	return NULL;
}

/* Under the mutex. */
static int
start_thread(struct pool *p)
{
	sigset_t all, old;
	pthread_t thread;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	rc = pthread_create(&thread, NULL, run, p);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc == 0)
		p->threads++;
	return rc;
}

static void
release(struct pool *p)
{
	pthread_cond_destroy(&p->ended);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->mutex);
	free(p);
}

int
pool_open(size_t threads_max, int64_t idle_ms, struct pool **out)
{
	struct pool *p = calloc(1, sizeof(*p));
	pthread_condattr_t attr;
	int rc;

	if (p == NULL)
		return ENOMEM;
	p->threads_max = threads_max;
	p->idle_ms = idle_ms;
	TAILQ_INIT(&p->tasks);
	pthread_mutex_init(&p->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->work, &attr);
	pthread_condattr_destroy(&attr);
	pthread_cond_init(&p->ended, NULL);
	pthread_mutex_lock(&p->mutex);
	rc = start_thread(p);
	pthread_mutex_unlock(&p->mutex);
	if (rc != 0) {
		release(p);
		return rc;
	}
	*out = p;
	return 0;
}

void
pool_close(struct pool *p)
{
	if (p == NULL)
		return;
	pthread_mutex_lock(&p->mutex);
	p->is_closing = true;
	pthread_cond_broadcast(&p->work);
	while (p->threads > 0)
		pthread_cond_wait(&p->ended, &p->mutex);
	pthread_mutex_unlock(&p->mutex);
	pthread_join(p->last, NULL);
	release(p);
}

void
pool_run(struct pool *p, struct task *t)
{
	pthread_mutex_lock(&p->mutex);
	assert(p->threads > 0);
	if (!t->queued) {
		t->queued = true;
		TAILQ_INSERT_TAIL(&p->tasks, t, entry);
		p->waiting++;
		/* Without another thread it waits for one of those there. */
		if (p->waiting > p->idle && p->threads < p->threads_max)
			(void)start_thread(p);
	}
	pthread_mutex_unlock(&p->mutex);
	/* Not before: who is woken would have to wait again. */
	pthread_cond_signal(&p->work);
}

size_t
pool_threads(struct pool *p)
{
	size_t n;

	pthread_mutex_lock(&p->mutex);
	n = p->threads;
	pthread_mutex_unlock(&p->mutex);
	return n;
}

size_t
pool_waiting(struct pool *p)
{
	size_t n;

	pthread_mutex_lock(&p->mutex);
	n = p->waiting;
	pthread_mutex_unlock(&p->mutex);
	return n;
}
