#include "net/budget.h"

#include <event2/buffer.h>

#include "net.h"
#include "net/conn.h"
#include "net/loop.h"
#include "tap.h"

static struct loop *loop;
static struct budget *budget;

/* Who takes; the loop does all of it. */
struct taker {
	struct budget_wait wait;
	size_t len;
	bool taken;
	atomic_int granted;	/* the how manieth was it; 0: not yet */
};

static atomic_int grants;

static void
on_granted(void *arg)
{
	struct taker *t = arg;

	budget_wait_end(budget, &t->wait);
	t->granted = ++grants;
}

static void
take_on_loop(void *arg)
{
	struct taker *t = arg;

	budget_wait_init(&t->wait, loop, on_granted, t);
	t->taken = budget_take(budget, &t->wait, t->len);
}

static bool
take(struct taker *t, size_t len)
{
	*t = (struct taker){.len = len};
	loop_call(loop, take_on_loop, t);
	return t->taken;
}

static void
cancel_on_loop(void *arg)
{
	struct taker *t = arg;

	budget_cancel(budget, &t->wait);
}

/* What is granted on the loop with what is given there is not told yet. */
static void
give_and_cancel(void *arg)
{
	struct taker *t = arg;

	budget_give(budget, t->len);
	budget_cancel(budget, &t->wait);
}

static void
nothing(void *arg)
{
	(void)arg;
}

static size_t
used(void)
{
	struct budget_counters c;

	loop_call(loop, nothing, NULL);
	budget_counters(budget, &c);
	return c.used;
}

static void
test_order(void)
{
	struct taker a, b, c, d, e;

	tap(take(&a, 600) && take(&b, 400), "all of it is taken");
	tap(!take(&c, 300) && !take(&d, 100) && budget_is_short(budget),
	    "then one waits");
	budget_give(budget, 200);
	tap(!take(&e, 100) && used() == 800 && d.granted == 0,
	    "a smaller one does not overtake another");
	budget_give(budget, 300);
	tap(used() == 1000 && c.granted == 1 && d.granted == 2 &&
		e.granted == 3 && !budget_is_short(budget),
	    "the first comes first");
	budget_give(budget, 1000);
	tap_int(used(), 0, "nothing is left");
}

static void
test_over(void)
{
	struct taker a, b;

	budget_add(budget, 1500);
	tap(!take(&a, 0), "over it one waits, for nothing too");
	budget_give(budget, 400);
	tap(used() == 1100 && a.granted == 0, "until it is not");
	budget_give(budget, 100);
	tap(used() == 1000 && a.granted != 0, "over any more");
	budget_give(budget, 999);
	tap(!take(&b, 1000), "what does not fit waits");
	budget_give(budget, 1);
	tap(used() == 1000 && b.granted != 0, "for as long");
	budget_give(budget, 1000);
}

static void
test_cancel(void)
{
	struct taker a, b, c;

	if (!take(&a, 1000) || take(&b, 700) || take(&c, 300))
		abort();
	budget_give(budget, 300);
	loop_call(loop, cancel_on_loop, &b);
	tap(used() == 1000 && c.granted != 0 && b.granted == 0,
	    "who does not wait any more stands in nobody's way");
	if (take(&a, 300))
		abort();
	loop_call(loop, give_and_cancel, &a);
	tap(used() == 700 && a.granted == 0, "what was granted is given back");
	budget_give(budget, 700);
	tap_int(used(), 0, "nothing is left");
}

static void
test_large(void)
{
	enum { K = 1024, MAX = 400 * K };
	struct taker a, b, c, d, e;

	if (budget_open(MAX, &budget) != 0)
		abort();
	tap(take(&a, 200 * K) && take(&b, 100 * K), "three quarters");
	tap(!take(&c, 70 * K), "are for large ones");
	tap(take(&d, 60 * K) && take(&e, 40 * K), "the rest is for small ones");
	budget_give(budget, 100 * K);
	tap(used() == 300 * K && c.granted == 0,
	    "a large one waits for its part");
	budget_give(budget, 70 * K);
	tap(used() == 300 * K && c.granted != 0, "and gets it");
	budget_give(budget, 300 * K);
	tap(take(&a, 2 * MAX), "one that never fits has all for itself");
	tap(!take(&b, 1), "and nobody anything beside it");
	budget_give(budget, 2 * MAX);
	tap_int(used(), 1, "until it has gone");
	budget_give(budget, 1);
	budget_close(budget);
}

/* What is queued for a socket. */
static void
test_buffer(void)
{
	struct evbuffer *b = conn_buffer(), *other = conn_buffer();

	if (conn_buffer_add_memory(b, budget, calloc(1, 700), 700) != 0 ||
	    conn_buffer_add_memory(b, NULL, calloc(1, 10), 10) != 0)
		abort();
	tap_int(used(), 700, "an answer counts");
	if (evbuffer_add_buffer(other, b) != 0 || evbuffer_drain(other, 699))
		abort();
	tap_int(used(), 700, "until it is sent");
	evbuffer_drain(other, 1);
	tap_int(used(), 0, "to its end");
	if (conn_buffer_add_memory(b, budget, calloc(1, 700), 700) != 0)
		abort();
	evbuffer_free(b);
	tap_int(used(), 0, "or given up");
	evbuffer_free(other);
}

int
main(void)
{
	if (loop_open(&loop) != 0 || budget_open(1000, &budget) != 0)
		abort();
	test_order();
	test_over();
	test_cancel();
	test_buffer();
	budget_close(budget);
	test_large();
	loop_close(loop);
	return tap_done();
}
