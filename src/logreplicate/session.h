#ifndef LOGREPLICATE_SESSION_H
#define LOGREPLICATE_SESSION_H

/*
 * One connection between two logreplicate, from HELLO to END: the loop that
 * carries frames between a link and a sender or a receiver.
 */

#include <signal.h>

#include "link.h"
#include "replicate/receiver.h"
#include "replicate/request.h"
#include "replicate/sender.h"

enum { SESSION_TEXT_LEN = 800 };

struct session {
	struct link link;
	struct frame hello;	/* the other side's; its data is gone */
	char version[32];	/* of the other side's program */
	bool greeted;
	bool dead;		/* nothing was heard for too long */
	char text[SESSION_TEXT_LEN]; /* what ended it */
	enum {
		SESSION_LINK,	/* is about the connection */
		SESSION_TOLD,	/* begins with what it is about */
		SESSION_HERE,	/* is about what this side reads or writes */
		SESSION_THEIRS,	/* the other side's words (ERROR) */
	} about;
	int status;
	struct report_place place; /* where this side is, for the other one */
	const struct fault *fault; /* where a sender's source was lost */
	int64_t bytes;
	int64_t cut;
	int64_t compared, skipped; /* of what this side has sent */
	int64_t done, wanted;	/* offsets */
	int64_t partitions;
	int64_t behind;		/* offsets, looked at each second */
	size_t behind_in;	/* partitions */
	int64_t counted_ms;
	/* Called at least each second; may be NULL. */
	void (*progress)(const struct session *s);
	/*
	 * Not 0 some day: end, with what has come over durable; NULL: never.
	 */
	const volatile sig_atomic_t *stop;
	int64_t stop_ms;	/* when that was seen; 0 not yet */
};

/* Over these descriptors, which become its own. */
int session_open(struct session *s, int in, int out);
void session_close(struct session *s);

/*
 * All return an exit status; text says what ended it if that was before END,
 * and is empty otherwise.
 */

/* Say and hear HELLO. */
int session_greet(struct session *s);
/* Ask the other side. */
int session_ask(struct session *s, const struct request *r);
/* Be asked; *r is the caller's to release. */
int session_hear(struct session *s, struct request *r);
/* Send or receive until END. */
int session_send(struct session *s, struct source *src,
    const struct sender_options *o);
int session_receive(struct session *s, struct sink *sink,
    const struct receiver_options *o);
/* Tell the other side why it ends, if it can be told. */
void session_tell(struct session *s, int status, const char *text);

#endif
