#ifndef LOGREPLICATE_OPTIONS_H
#define LOGREPLICATE_OPTIONS_H

/* What was said on logreplicate's command line. */

#include <stdbool.h>

#include "client/place.h"
#include "direct/login.h"
#include "peer.h"
#include "replicate/request.h"
#include "replicate/trust.h"
#include "serve.h"
#include "tool/places.h"

struct options {
	struct request request;		/* -f -p -o -n and what else is asked */
	const char *rsh;
	const char *remote_path;
	bool stats;
	bool itemize;
	bool server;			/* the rest is limits */
	struct serve_limits limits;
	bool reproduce;
	const char *secret_file;	/* --replica-secret */
	struct trust_secret secret;	/* what is in it */
	struct places places;		/* -X --config --timeout */

	struct peer_place src, dst;
	const char *other;		/* the other end's, as it was written */
	bool is_from_cluster;		/* SRC is from, by way of login */
	struct place from;
	struct login *login;
	bool is_to_cluster;		/* DST is to */
	struct place to;
	const char *name;		/* of a topic that has no other */
};

extern struct options opt;

/* Take all options, and but for --server SRC and DST.  Wrong: exits with 2. */
void options_parse(int argc, char **argv);
void options_release(void);

#endif
