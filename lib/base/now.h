#ifndef BASE_NOW_H
#define BASE_NOW_H

/* The two clocks.  No promise rests on the wall clock. */

#include <stdint.h>

/* Wall clock, ms since 1970-01-01 UTC (the unit of record timestamps). */
int64_t now_wall_ms(void);
/* Monotonic clock, for waits and rates. */
int64_t now_mono_ms(void);
int64_t now_mono_ns(void);
/*
 * Tests only: from now on the wall clock stands at ms, until set again.
 * A negative value lets it run.
 */
void now_set_wall_ms(int64_t ms);

#endif
