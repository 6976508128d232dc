#ifndef BROKER_SUBSCRIPTION_H
#define BROKER_SUBSCRIPTION_H

/*
 * What a member of a group of type "consumer" says that it wants to read: the
 * metadata of its protocols (ConsumerProtocolSubscription of Kafka's clients,
 * KIP-429).  Big-endian, not flexible:
 *
 *	int16	version		0 or more
 *	int32	topics		then so many of: int16 length, UTF-8
 *	...	user data, partitions owned, generation, rack
 *
 * Later versions add fields behind, so the topics can be read of any version;
 * what follows them is not looked at.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/view.h"

struct subscription {
	int16_t version;
	int32_t left;		/* topics not yet given */
	struct view rest;	/* from the next one on */
};

/*
 * Begin to read one.  STATUS_SHORT: it ends too early, as it does when it
 * cannot hold as many topics as it says.  STATUS_SYNTAX: a negative version or
 * number.
 */
int subscription_open(struct bytes metadata, struct subscription *out);
/*
 * The next topic, a view of the metadata.  STATUS_END after the last one;
 * STATUS_SHORT, STATUS_SYNTAX as above.
 */
int subscription_next(struct subscription *s, struct bytes *topic);
/*
 * Is that topic in it?  If it cannot be read, yes: who asks wants to take
 * away what a subscriber may need.
 */
bool subscription_has(struct bytes metadata, struct bytes topic);

#endif
