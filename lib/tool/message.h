#ifndef TOOL_MESSAGE_H
#define TOOL_MESSAGE_H

/*
 * How programs tell what went wrong: one line, what, where, why.
 */

#include "base/cli.h"
#include "base/status.h"

/*
 * Warn that rc happened to subject, with what f (may be NULL) knows.
 * Returns the exit status that goes with it.
 */
int message_warn(const char *subject, int rc, const struct fault *f);
/* The exit status so far and another one: damage tells more than a failure. */
int message_worse(int was, int now);
/* The exit status that goes with rc. */
int message_exit(int rc);

#endif
