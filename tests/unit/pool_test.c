#include "net/pool.h"

#include "net.h"
#include "tap.h"

enum { MANY = 500, THREADS_MAX = 8 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static bool is_open;
static atomic_int inside, most, finished;

/* Stay until the gate is opened. */
static void
stay(void *arg)
{
	int now = atomic_fetch_add(&inside, 1) + 1;

	(void)arg;
	pthread_mutex_lock(&mutex);
	if (now > most)
		most = now;
	while (!is_open)
		pthread_cond_wait(&opened, &mutex);
	pthread_mutex_unlock(&mutex);
	inside--;
	finished++;
}

static void
open_gate(void)
{
	pthread_mutex_lock(&mutex);
	is_open = true;
	pthread_cond_broadcast(&opened);
	pthread_mutex_unlock(&mutex);
}

static void
test_bound(void)
{
	struct task tasks[MANY];
	struct pool *p;

	if (pool_open(THREADS_MAX, 10, &p) != 0)
		abort();
	tap_int(pool_threads(p), 1, "one thread at first");
	for (int i = 0; i < MANY; i++) {
		task_init(&tasks[i], stay, NULL);
		pool_run(p, &tasks[i]);
	}
	tap(net_await(inside == THREADS_MAX), "threads for tasks that block");
	tap_int(pool_threads(p), THREADS_MAX, "up to the bound");
	tap_int(pool_waiting(p), MANY - THREADS_MAX, "the others wait");
	open_gate();
	tap(net_await(finished == MANY), "all are done");
	tap_int(most, THREADS_MAX, "never more at once");
	tap(net_await(pool_threads(p) == 1), "idle threads end, but for one");
	finished = 0;
	pool_run(p, &tasks[0]);
	tap(net_await(finished == 1), "which goes on");
	pool_close(p);
	pool_close(NULL);
}

/* --- order ---------------------------------------------------------------- */

static int order[MANY], ordered;

static void
note(void *arg)
{
	order[ordered++] = *(int *)arg;
}

static void
test_order(void)
{
	struct task tasks[MANY];
	int numbers[MANY], wrong = 0;
	struct pool *p;

	if (pool_open(1, 10, &p) != 0)
		abort();
	for (int i = 0; i < MANY; i++) {
		numbers[i] = i;
		task_init(&tasks[i], note, &numbers[i]);
		pool_run(p, &tasks[i]);
	}
	pool_close(p);
	for (int i = 0; i < MANY; i++)
		wrong += order[i] != i;
	tap(ordered == MANY && wrong == 0, "one thread keeps the order");
}

/* --- closing -------------------------------------------------------------- */

struct chain {
	struct pool *pool;
	struct task task;
	int left;
	atomic_int *total;
};

/* Hands itself over until nothing is left. */
static void
go_on(void *arg)
{
	struct chain *c = arg;
	bool more = --c->left > 0;

	atomic_fetch_add(c->total, 1);
	if (more)
		pool_run(c->pool, &c->task);
}

static void
test_close(void)
{
	static struct chain chains[THREADS_MAX * 2];
	atomic_int total = 0;
	struct pool *p;

	for (int round = 0; round < 50; round++) {
		if (pool_open(THREADS_MAX, round % 2, &p) != 0)
			abort();
		for (int i = 0; i < THREADS_MAX * 2; i++) {
			chains[i].pool = p;
			chains[i].left = 20;
			chains[i].total = &total;
			task_init(&chains[i].task, go_on, &chains[i]);
			pool_run(p, &chains[i].task);
		}
		pool_close(p);
	}
	tap_int(total, 50 * THREADS_MAX * 2 * 20,
	    "closing waits for all, and what they hand over");
}

int
main(void)
{
	test_bound();
	test_order();
	test_close();
	return tap_done();
}
