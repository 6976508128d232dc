#include "base/now.h"

#include <time.h>

static int64_t wall_fixed_ms = -1;

int64_t
now_wall_ms(void)
{
	struct timespec ts;

	if (wall_fixed_ms >= 0)
		return wall_fixed_ms;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t
now_mono_ms(void)
{
	return now_mono_ns() / 1000000;
}

int64_t
now_mono_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void
now_set_wall_ms(int64_t ms)
{
	wall_fixed_ms = ms;
}
