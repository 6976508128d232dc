#ifndef LOGREPLICATE_CONVERSATION_H
#define LOGREPLICATE_CONVERSATION_H

/*
 * One conversation with the other end, from the first word to the last: as the
 * options (options.h) want it, who is there is begun, spoken with, and waited
 * for.
 */

#include <signal.h>
#include <stdbool.h>

struct conversation {
	bool lost;	/* the connection was, which another may make good */
	bool worked;	/* until then it did */
};

/*
 * The exit status; what was wrong is told.  *stop, a signal, ends it in good
 * order.
 */
int conversation_hold(const volatile sig_atomic_t *stop,
    struct conversation *out);

#endif
