#include "net/loop.h"

#include <signal.h>

#include "net.h"
#include "tap.h"

/* --- tasks ---------------------------------------------------------------- */

enum { THREADS = 4, TASKS = 2000 };

struct numbered {
	struct task task;
	int thread;
	int number;
};

static struct numbered many[THREADS][TASKS];
static int last_of[THREADS], out_of_order;
static struct loop *loop;

static void
count(void *arg)
{
	struct numbered *n = arg;

	out_of_order += n->number != last_of[n->thread] + 1;
	last_of[n->thread] = n->number;
}

static void *
post_all(void *arg)
{
	struct numbered *n = arg;

	for (int i = 0; i < TASKS; i++)
		loop_post(loop, &n[i].task);
	return NULL;
}

static void
test_threads(void)
{
	pthread_t threads[THREADS];
	int total = 0;

	if (loop_open(&loop) != 0)
		abort();
	for (int t = 0; t < THREADS; t++)
		for (int i = 0; i < TASKS; i++) {
			many[t][i].thread = t;
			many[t][i].number = i + 1;
			task_init(&many[t][i].task, count, &many[t][i]);
		}
	for (int t = 0; t < THREADS; t++)
		if (pthread_create(&threads[t], NULL, post_all, many[t]) != 0)
			abort();
	for (int t = 0; t < THREADS; t++)
		pthread_join(threads[t], NULL);
	loop_close(loop);
	for (int t = 0; t < THREADS; t++)
		total += last_of[t];
	tap_int(total, THREADS * TASKS, "all tasks of all threads ran");
	tap_int(out_of_order, 0, "those of one thread in their order");
}

static int runs;

static void
run_once(void *arg)
{
	(void)arg;
	runs++;
}

/* Runs on the loop, so that nothing is taken from the queue meanwhile. */
static void
post_twice(void *arg)
{
	loop_post(loop, arg);
	loop_post(loop, arg);
}

static void
post_and_cancel(void *arg)
{
	loop_post(loop, arg);
	loop_cancel(loop, arg);
	loop_cancel(loop, arg);
}

static void
is_here(void *arg)
{
	*(bool *)arg = loop_is_here(loop);
}

static void
call_here(void *arg)
{
	loop_call(loop, is_here, arg);
}

static void
nothing(void *arg)
{
	(void)arg;
}

static void
raise_sigpipe(void *arg)
{
	(void)arg;
	raise(SIGPIPE);
}

/* Each run hands over the next one; so many do not fit in one turn. */
static void
run_again(void *arg)
{
	if (++runs < 1000)
		loop_post(loop, arg);
}

static void
test_tasks(void)
{
	struct task t;
	bool here = false;

	if (loop_open(&loop) != 0)
		abort();
	task_init(&t, run_once, NULL);
	loop_call(loop, post_twice, &t);
	loop_call(loop, nothing, NULL);
	tap_int(runs, 1, "posted twice, a task runs once");
	loop_call(loop, post_and_cancel, &t);
	loop_call(loop, nothing, NULL);
	tap_int(runs, 1, "cancelled it does not run");
	tap(!loop_is_here(loop), "this is not the loop's thread");
	loop_call(loop, call_here, &here);
	tap(here, "that was, and it can call itself");
	loop_call(loop, raise_sigpipe, NULL);
	tap(true, "SIGPIPE is blocked there");
	runs = 0;
	task_init(&t, run_again, &t);
	loop_post(loop, &t);
	loop_close(loop);
	tap_int(runs, 1000, "closing runs what tasks hand over");
}

/* --- timers --------------------------------------------------------------- */

static char fired[16];
static struct loop_timer *timers[4];
static _Atomic int done;

static void
fire(void *arg)
{
	strncat(fired, arg, sizeof(fired) - strlen(fired) - 1);
	if (strcmp(arg, "a") == 0)
		loop_timer_clear(timers[1]);
	if (strcmp(arg, "c") == 0) {
		loop_timer_close(timers[2]);
		timers[2] = NULL;
		done = 1;
	}
}

static void
set_timers(void *arg)
{
	static char names[3][2] = {"a", "b", "c"};

	(void)arg;
	for (int i = 0; i < 3; i++)
		if (loop_timer_open(loop, fire, names[i], &timers[i]) != 0)
			abort();
	loop_timer_set(timers[2], 90);
	loop_timer_set(timers[1], 60);
	loop_timer_set(timers[0], 600000);
	loop_timer_set(timers[0], 5);
}

static void
close_timers(void *arg)
{
	(void)arg;
	for (int i = 0; i < 4; i++)
		loop_timer_close(timers[i]);
}

static void
test_timers(void)
{
	int64_t began = now_mono_ms();

	if (loop_open(&loop) != 0)
		abort();
	loop_call(loop, set_timers, NULL);
	tap(net_await(done == 1), "timers run out");
	tap(now_mono_ms() - began >= 80, "not too early");
	loop_call(loop, close_timers, NULL);
	tap_str(fired, "ac");
	loop_close(loop);
}

int
main(void)
{
	test_threads();
	test_tasks();
	test_timers();
	loop_close(NULL);
	return tap_done();
}
