#ifndef LOGSERVE_MAKING_H
#define LOGSERVE_MAKING_H

/*
 * Making a topic for a client.  One that the server makes keeps what it has for
 * 7 days, as Kafka's do; it is written down in its settings.
 */

#include <stdint.h>

struct properties;
struct served;
struct server;

/*
 * settings may be NULL; retention.ms is added if it is not set.  If somebody
 * else makes it at the same time, it is found: *t is the caller's reference in
 * any case.  Errors as catalog_create().
 */
int making_topic(struct server *s, const char *name, int32_t partitions,
    const struct properties *settings, struct served **t);
/* Settings as such a topic gets them. */
void making_defaults(struct properties *settings);

#endif
