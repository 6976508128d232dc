#ifndef LOGREPLICATE_TUNNEL_H
#define LOGREPLICATE_TUNNEL_H

/*
 * The receiving end is a logserve: a child of ours carries the bytes of a pair
 * of pipes to it and back, in requests of Replicate and their answers, several
 * of which are on their way at a time.  It begins when both ends have proven
 * that they know the secret.
 *
 * What goes wrong it says on stderr, one line without the program's name.
 */

#include <stdint.h>

#include "client/place.h"
#include "client/settings.h"
#include "replicate/trust.h"

enum {
	/*
	 * Its exit status if the server, or something in its place, does not
	 * want us: there is no use in trying again.
	 */
	TUNNEL_REFUSED = 4,
};

struct tunnel {
	const struct place *place;
	const struct settings *settings;
	const struct trust_secret *secret;
	int64_t timeout_ms;
};

/* Carry until one side closes; the exit status. */
int tunnel_run(const struct tunnel *t, int in, int out);

#endif
