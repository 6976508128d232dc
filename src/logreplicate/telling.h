#ifndef LOGREPLICATE_TELLING_H
#define LOGREPLICATE_TELLING_H

/*
 * What the user, and the service manager, are told of the work: on stdout what
 * was done, on stderr what was not, and how far it is.  Where stdout fails it
 * is over at once, by SIGPIPE if its reader has gone.
 */

#include <stdbool.h>
#include <stdint.h>

#include "replicate/report.h"
#include "session.h"

/* Where the other end is at work; what it says of paths there is of that. */
struct telling_place {
	const char *path;	/* as it was asked for it */
	const char *called;	/* as the user wrote it */
	const char *host;	/* NULL: this one */
};

struct telling_options {
	const char *name;	/* of the topic, where it has no other */
	struct telling_place other;
	bool dry_run;
	bool itemize;		/* each change */
	bool follow;
	bool ignores_pipe;	/* SIGPIPE was ignored when it began */
};

/* Once; what o points to stays. */
void telling_begin(const struct telling_options *o);
/* A reporter's function (report.h). */
void telling_report(void *arg, const struct report *r);
/* What the other end has said last: why it ends. */
void telling_error(const char *text);
/* The two ends talk. */
void telling_ready(void);
/* They do not, and will try again. */
void telling_lost(int64_t retry_ms);
/* It goes on; to be called at least each second. */
void telling_alive(void);
void telling_progress(const struct session *s);
/* The connection is over: nothing is going on. */
void telling_pause(void);
/* --stats: of a connection that began then. */
void telling_stats(const struct session *s, int64_t began_ms);
/* There was nothing that could have been copied. */
void telling_nothing(void);
/* A signal came. */
void telling_stop(void);

#endif
