#ifndef LOGSERVE_METRICS_H
#define LOGSERVE_METRICS_H

/*
 * Figures for a monitoring system: GET /metrics over HTTP, in the text format
 * of Prometheus (version 0.0.4).  All of them are counters that are there
 * anyway: to ask costs no disk and no lock that is held for long.
 */

#include "net/addr.h"

struct metrics;
struct server;

/*
 * Answer at that address (HOST:PORT) on the server's first loop.  *what, a
 * constant phrase or NULL, says more than the status: errors of addr_parse()
 * and addr_resolve(), ENOMEM, EADDRINUSE, EACCES.
 */
int metrics_open(struct server *s, const char *address, struct metrics **out,
    const char **what);
/* NULL is nothing. */
void metrics_close(struct metrics *m);
/* Where it listens. */
void metrics_address(const struct metrics *m, char text[ADDR_TEXT_MAX]);

#endif
