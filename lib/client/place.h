#ifndef CLIENT_PLACE_H
#define CLIENT_PLACE_H

/*
 * A place in a cluster that speaks Kafka's protocol:
 *
 *	kafka://HOST[:PORT][,HOST[:PORT]]...[/TOPIC[/PARTITION]]
 *	kafka+tls://...			the same over TLS
 *
 * A HOST is a name, an IPv4 address, or an IPv6 address in brackets; the port
 * is 9092 unless it is said.  Without a TOPIC it is the cluster.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/bounds.h"

enum { PLACE_BROKERS_MAX = 4096 };

struct place {
	char brokers[PLACE_BROKERS_MAX];	/* as librdkafka wants them */
	bool tls;
	char topic[TOPIC_NAME_MAX + 1];		/* "": the cluster */
	int32_t partition;			/* -1: all of the topic */
};

/* Does it begin as such a place does? */
bool place_is_remote(const char *s);
/*
 * Take it apart.  STATUS_SYNTAX: it is none, and *why (or NULL) becomes a
 * constant phrase that says what is wrong.
 */
int place_parse(const char *s, struct place *out, const char **why);

#endif
