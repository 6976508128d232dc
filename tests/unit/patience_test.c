#include "base/patience.h"

#include <poll.h>
#include <stdatomic.h>

#include "base/now.h"
#include "tap.h"

static atomic_int told;
static _Atomic(const char *) last;

static void
hook(const char *what)
{
	last = what;
	told++;
}

/* Until so many were told, ten seconds at most. */
static bool
wait_told(int count)
{
	int64_t end = now_mono_ms() + 10000;

	while (told < count && now_mono_ms() < end)
		(void)poll(NULL, 0, 1);
	return told == count;
}

/* Of waits that are told the one that began last is first. */
static void
test_one_wait(void)
{
	struct patience w, second;

	patience_begin(&w, "first");
	tap(wait_told(1), "a wait that lasts is told");
	tap_str(last, "first");
	patience_begin(&second, "second");
	tap(wait_told(2), "and another one, the first not again");
	tap_str(last, "second");
	patience_end(&w);
	patience_end(&second);
	patience_end(&second);
}

static void
test_short_waits(void)
{
	struct patience w;

	patience_ms = 100000;
	for (int i = 0; i < 1000; i++) {
		patience_begin(&w, "short");
		patience_end(&w);
	}
	patience_ms = 20;
	patience_begin(&w, "long");
	tap(wait_told(3), "short waits are not told, one behind them is");
	tap_str(last, "long");
	patience_end(&w);
}

int
main(void)
{
	struct patience w;

	patience_ms = 20;
	patience_begin(&w, "nobody asks");
	patience_end(&w);
	patience_hook = hook;
	patience_begin(&w, NULL);
	patience_end(&w);
	tap_int(told, 0, "nothing is told before");
	test_one_wait();
	test_short_waits();
	return tap_done();
}
