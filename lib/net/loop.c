#include "net/loop.h"

#include <sys/eventfd.h>

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct loop {
	struct event_base *base;
	struct event *posted;		/* on wake_fd */
	struct event *turned;		/* tasks of its own; at the next turn */
	int wake_fd;			/* readable: tasks may wait */
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t called;		/* a loop_call() is done */
	/* Under the mutex. */
	struct task_queue tasks;
	bool ended;
};

struct loop_timer {
	struct event *event;
	void (*call)(void *arg);
	void *arg;
};

void
loop_wake(struct loop *l)
{
	static const struct timeval at_once = {0, 0};

	/* Without memory for the timer, as from elsewhere: that cannot fail. */
	if (!loop_is_here(l) || event_add(l->turned, &at_once) != 0)
		(void)eventfd_write(l->wake_fd, 1);
}

bool
loop_queue(struct loop *l, struct task *t)
{
	bool is_first = false;

	pthread_mutex_lock(&l->mutex);
	if (!t->queued) {
		t->queued = true;
		is_first = TAILQ_EMPTY(&l->tasks);
		TAILQ_INSERT_TAIL(&l->tasks, t, entry);
	}
	pthread_mutex_unlock(&l->mutex);
	return is_first;
}

void
loop_post(struct loop *l, struct task *t)
{
	if (loop_queue(l, t))
		loop_wake(l);
}

/* Take t, or the first if it is NULL, out of the queue; NULL: not there. */
static struct task *
take(struct loop *l, struct task *t)
{
	pthread_mutex_lock(&l->mutex);
	if (t == NULL)
		t = TAILQ_FIRST(&l->tasks);
	if (t != NULL && t->queued) {
		t->queued = false;
		TAILQ_REMOVE(&l->tasks, t, entry);
	} else {
		t = NULL;
	}
	pthread_mutex_unlock(&l->mutex);
	return t;
}

void
loop_cancel(struct loop *l, struct task *t)
{
	(void)take(l, t);
}

/* Sockets get their turn after this many tasks. */
enum { TASKS_A_TURN = 64 };

static void
on_posted(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = arg;
	struct task *t;
	eventfd_t count;
	bool more, ended;

	if ((what & EV_READ) != 0)
		(void)eventfd_read(fd, &count);
	for (int i = 0; i < TASKS_A_TURN; i++) {
		t = take(l, NULL);
		if (t == NULL)
			break;
		t->call(t->arg);
	}
	pthread_mutex_lock(&l->mutex);
	more = !TAILQ_EMPTY(&l->tasks);
	ended = l->ended;
	pthread_mutex_unlock(&l->mutex);
	if (more)
		loop_wake(l);
	else if (ended)
		(void)event_base_loopbreak(l->base);
}

static void *
run(void *arg)
{
	struct loop *l = arg;
	int rc = event_base_dispatch(l->base);

	assert(rc == 0);
	return NULL;
}

static int
start_thread(struct loop *l)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	rc = pthread_create(&l->thread, NULL, run, l);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}

static struct event_base *
new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base;

	if (config == NULL)
		return NULL;
	(void)event_config_set_flag(config,
	    EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
	base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

static void
release(struct loop *l)
{
	if (l->posted != NULL)
		event_free(l->posted);
	if (l->turned != NULL)
		event_free(l->turned);
	if (l->base != NULL)
		event_base_free(l->base);
	if (l->wake_fd >= 0)
		close(l->wake_fd);
	pthread_cond_destroy(&l->called);
	pthread_mutex_destroy(&l->mutex);
	free(l);
}

int
loop_open(struct loop **out)
{
	struct loop *l = calloc(1, sizeof(*l));
	int rc;

	if (l == NULL)
		return ENOMEM;
	TAILQ_INIT(&l->tasks);
	pthread_mutex_init(&l->mutex, NULL);
	pthread_cond_init(&l->called, NULL);
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rc = l->wake_fd < 0 ? errno : 0;
	if (rc == 0) {
		/* Of its own it fails without saying why: no descriptor. */
		errno = 0;
		l->base = new_base();
		rc = l->base != NULL ? 0 : errno != 0 ? errno : ENOMEM;
	}
	if (rc == 0) {
		l->posted = event_new(l->base, l->wake_fd, EV_READ | EV_PERSIST,
		    on_posted, l);
		l->turned = evtimer_new(l->base, on_posted, l);
		rc = l->posted != NULL && l->turned != NULL &&
			event_add(l->posted, NULL) == 0
		    ? start_thread(l)
		    : ENOMEM;
	}
	if (rc != 0) {
		release(l);
		return rc;
	}
	*out = l;
	return 0;
}

void
loop_close(struct loop *l)
{
	if (l == NULL)
		return;
	assert(!loop_is_here(l));
	pthread_mutex_lock(&l->mutex);
	l->ended = true;
	loop_wake(l);
	pthread_mutex_unlock(&l->mutex);
	pthread_join(l->thread, NULL);
	release(l);
}

/* A call that somebody waits for. */
struct call {
	struct task task;
	struct loop *loop;
	void (*call)(void *arg);
	void *arg;
	bool done;			/* under the mutex */
};

static void
do_call(void *arg)
{
	struct call *c = arg;
	struct loop *l = c->loop;

	c->call(c->arg);
	pthread_mutex_lock(&l->mutex);
	c->done = true;
	pthread_cond_broadcast(&l->called);
	pthread_mutex_unlock(&l->mutex);
}

void
loop_call(struct loop *l, void (*call)(void *arg), void *arg)
{
	struct call c = {.loop = l, .call = call, .arg = arg};

	if (loop_is_here(l)) {
		call(arg);
		return;
	}
	task_init(&c.task, do_call, &c);
	loop_post(l, &c.task);
	pthread_mutex_lock(&l->mutex);
	while (!c.done)
		pthread_cond_wait(&l->called, &l->mutex);
	pthread_mutex_unlock(&l->mutex);
}

bool
loop_is_here(const struct loop *l)
{
	return pthread_equal(l->thread, pthread_self());
}

struct event_base *
loop_base(struct loop *l)
{
	return l->base;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *t = arg;

	(void)fd;
	(void)what;
	t->call(t->arg);
}

int
loop_timer_open(struct loop *l, void (*call)(void *arg), void *arg,
    struct loop_timer **out)
{
	struct loop_timer *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return ENOMEM;
	t->call = call;
	t->arg = arg;
	t->event = evtimer_new(l->base, on_timer, t);
	if (t->event == NULL) {
		free(t);
		return ENOMEM;
	}
	*out = t;
	return 0;
}

void
loop_timer_close(struct loop_timer *t)
{
	if (t == NULL)
		return;
	event_free(t->event);
	free(t);
}

void
loop_timer_set(struct loop_timer *t, int64_t ms)
{
	struct timeval tv = {.tv_sec = (time_t)(ms / 1000),
	    .tv_usec = (suseconds_t)(ms % 1000 * 1000)};

	(void)evtimer_add(t->event, &tv);
}

void
loop_timer_clear(struct loop_timer *t)
{
	(void)evtimer_del(t->event);
}
