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
 * May a topic have that name?  Not one of Kafka's own topics, nor one that
 * differs from a topic's only by . and _, which metrics cannot tell apart.
 * STATUS_SYNTAX; *why is then a constant phrase.
 */
int making_may_be_named(struct server *s, const char *name, const char **why);

/*
 * settings may be NULL; retention.ms is added if it is not set.  If somebody
 * else makes it at the same time, it is found: *t is the caller's reference in
 * any case.  Errors as catalog_create()
 * and making_may_be_named().
 */
int making_topic(struct server *s, const char *name, int32_t partitions,
    const struct properties *settings, struct served **t);
/* Settings as such a topic gets them. */
void making_defaults(struct properties *settings);

#endif
