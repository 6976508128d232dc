#ifndef LOGSERVE_LIFE_H
#define LOGSERVE_LIFE_H

/*
 * The process and those around it: who started it, and whom it starts.
 */

#include <sys/types.h>

/* As notify_send() of base; what fails is told on stderr. */
void life_notify(const char *state);

/* A directory for a root that nobody keeps; exits if it cannot be made. */
char *life_temporary(void);
/* Remove it with all that is in it. */
void life_remove(char *path);

enum {
	LIFE_FAIL = 125,	/* as env(1): we failed */
	LIFE_CANNOT = 126,	/* the command cannot be run */
	LIFE_MISSING = 127,	/* there is none of that name */
};
/*
 * Run a command with LOGKIT_BROKER=address in its environment, and signals and
 * limits as they were before us.  0, or one of the above, told on stderr.
 */
int life_run(char **argv, const char *address, pid_t *pid);
/* The exit status that says how it ended: 128 + N by signal N. */
int life_status(int wait_status);

#endif
