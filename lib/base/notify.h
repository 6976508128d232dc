#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

/*
 * Telling the service manager, if there is one, how a program is doing
 * (sd_notify(3): a datagram to the socket that NOTIFY_SOCKET names).
 */

#include <stdint.h>

/*
 * Say it: "READY=1", "STOPPING=1", "STATUS=...", "WATCHDOG=1", or some of them
 * with a newline in between.  0 also if nobody listens.
 */
int notify_send(const char *state);
/* How often WATCHDOG=1 is to be said, in ms: half the time; 0: never. */
int64_t notify_watchdog_ms(void);

#endif
