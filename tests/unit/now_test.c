#include "base/now.h"

#include "tap.h"

int
main(void)
{
	time_t before = time(NULL);
	int64_t wall = now_wall_ms(), mono = now_mono_ns(), last = mono;
	time_t after = time(NULL);
	struct timespec pause = {0, 3000000};
	bool back = false;

	/* That one changes some ms later. */
	tap(before <= wall / 1000 && wall / 1000 <= after + 1,
	    "the wall clock is time(2)'s, in ms");
	for (int i = 0; i < 1000; i++) {
		int64_t t = now_mono_ns();

		back |= t < last;
		last = t;
	}
	tap(!back, "the monotonic clock never goes back");
	nanosleep(&pause, NULL);
	tap(now_mono_ns() - mono >= 3000000, "and counts ns");
	tap(now_mono_ms() - now_mono_ns() / 1000000 <= 0, "or ms");
	now_set_wall_ms(1234567890123);
	tap_int(now_wall_ms(), 1234567890123, "the wall clock stands");
	tap(now_mono_ms() > 0 && now_mono_ms() != 1234567890123,
	    "the other does not");
	now_set_wall_ms(0);
	tap_int(now_wall_ms(), 0, "at 1970");
	now_set_wall_ms(-1);
	tap(now_wall_ms() >= wall, "and runs again");
	return tap_done();
}
