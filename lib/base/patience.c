#include "base/patience.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

#include "base/now.h"

enum { LOOK_MS = 1000 };

void (*patience_hook)(const char *what);
int64_t patience_ms = 5000;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond;
static struct patience *waits;
static bool running;		/* the thread is there */
static bool asleep;		/* until it is woken */

/* Tell of each wait that has lasted long enough. */
static void
look(void)
{
	int64_t now = now_mono_ms();

	for (struct patience *w = waits; w != NULL; w = w->next)
		if (!w->told && now - w->since_ms >= patience_ms) {
			w->told = true;
			patience_hook(w->what);
		}
}

static void
sleep_a_while(void)
{
	int64_t ms = patience_ms < LOOK_MS ? patience_ms : LOOK_MS;
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += (time_t)(ms / 1000);
	ts.tv_nsec += (long)(ms % 1000) * 1000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	(void)pthread_cond_timedwait(&cond, &mutex, &ts);
}

static void *
watch(void *arg)
{
	(void)pthread_mutex_lock(&mutex);
	for (;;) {
		while (waits == NULL) {
			asleep = true;
			(void)pthread_cond_wait(&cond, &mutex);
		}
		asleep = false;
		sleep_a_while();
		look();
	}
	return arg;
}

/* The thread, which signals pass by.  Without it nothing is told. */
static void
start(void)
{
	pthread_condattr_t clock;
	pthread_attr_t attr;
	sigset_t all, old;
	pthread_t thread;

	(void)pthread_condattr_init(&clock);
	(void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&cond, &clock);
	(void)pthread_condattr_destroy(&clock);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	running = pthread_create(&thread, &attr, watch, NULL) == 0;
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attr);
}

void
patience_begin(struct patience *w, const char *what)
{
	*w = (struct patience){.what = what};
	if (patience_hook == NULL || what == NULL)
		return;
	w->since_ms = now_mono_ms();
	(void)pthread_mutex_lock(&mutex);
	w->next = waits;
	waits = w;
	if (!running)
		start();
	if (asleep) {
		asleep = false;
		(void)pthread_cond_signal(&cond);
	}
	(void)pthread_mutex_unlock(&mutex);
}

void
patience_end(struct patience *w)
{
	struct patience **at = &waits;

	if (w->since_ms == 0)
		return;
	(void)pthread_mutex_lock(&mutex);
	while (*at != NULL && *at != w)
		at = &(*at)->next;
	if (*at == w)
		*at = w->next;
	(void)pthread_mutex_unlock(&mutex);
	w->since_ms = 0;
}
