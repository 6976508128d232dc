#ifndef LOGSERVE_CODES_H
#define LOGSERVE_CODES_H

/*
 * From an outcome of the library to an error code of the protocol.
 */

#include <stdbool.h>
#include <stdint.h>

/* Of an append; in_log: the fault is in the log, not in what was sent. */
int codes_of_append(int rc, bool in_log);
/* Of finding a topic, or making it if it is missing, and of reading it. */
int codes_of_read(int rc);
/* Of making, changing and removing a topic. */
int codes_of_change(int rc);
/* Of the leader epoch that a client has; either may be -1, not known. */
int codes_of_epoch(int32_t clients, int32_t ours);

#endif
