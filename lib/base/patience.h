#ifndef BASE_PATIENCE_H
#define BASE_PATIENCE_H

/*
 * Telling that a wait lasts: a lock's holder may be stopped, and whoever waits
 * for it should know for what.
 *
 * A wait that has to block is put on a list.  A thread, made at the first one,
 * looks at the list each second.  What need not wait costs nothing.
 */

#include <stdbool.h>
#include <stdint.h>

/* One wait: a variable of the function that waits. */
struct patience {
	const char *what;
	int64_t since_ms;
	bool told;
	struct patience *next;
};

/*
 * Called in that thread, once for each wait that has lasted patience_ms.
 * NULL, as long as no program sets it: nothing is told, no thread is made.
 */
extern void (*patience_hook)(const char *what);
extern int64_t patience_ms;	/* 5000 */

/* what must stay as it is until the end. */
void patience_begin(struct patience *w, const char *what);
void patience_end(struct patience *w);

#endif
