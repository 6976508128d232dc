#ifndef BASE_STATUS_H
#define BASE_STATUS_H

/*
 * One number space for the outcome of every library call: 0 is done, a
 * positive number is an errno value, a negative one is listed here.
 * status_text() has words for all of them.
 */

#include <stdint.h>

enum status {
	STATUS_END = -1000,	/* no more to read */
	STATUS_CORRUPT,		/* bytes that fail a check; see struct fault */
	STATUS_SHORT,		/* input ended inside an item */
	STATUS_TOO_BIG,		/* over a limit of bounds.h or of a setting */
	STATUS_UNSUPPORTED,	/* a format that is known and not read */
	STATUS_NEWER,		/* a format version above ours */
	STATUS_SYNTAX,		/* text that does not follow its grammar */
	STATUS_NO_TOPIC,	/* no topic, partition or segment there */
	STATUS_NOT_TOPIC,	/* something else stands there */
	STATUS_EXISTS,		/* a topic of that name is there already */
	STATUS_DIFFERS,		/* it is there, with other settings */
	STATUS_ROLE,		/* the partition's role forbids appends */
	STATUS_OWNED,		/* a live Kafka broker holds the directory */
	STATUS_MISMATCH,	/* the log does not end where expected */
	STATUS_FAILED,		/* an earlier write or sync failed */
	STATUS_OFFSET,		/* offset outside the log */
	STATUS_DUPLICATE,	/* an idempotent producer's batch is there */
	STATUS_SEQUENCE,	/* a gap in a producer's sequence numbers */
	STATUS_FENCED,		/* a producer epoch below the current one */
	STATUS_CODEC,		/* a codec's library could not be loaded */
	STATUS_TIMEOUT,		/* the time given has passed */
	STATUS_REMOVED,		/* the topic was removed while in use */
	STATUS_NOT_FILE,	/* a directory, device or FIFO, not a file */
	STATUS_REMOTE,		/* a place that is not local */
	STATUS_INSIDE,		/* the place of a new topic is in a topic */
	STATUS_CLIENT,		/* librdkafka could not be loaded */
	STATUS_CLUSTER,		/* a cluster refused; fault.what says it */
	STATUS_REFUSED,		/* a request that we refuse */
};

/*
 * What was damaged and where.  Filled by the call that found it, printed by
 * programs.  Unknown numbers are -1.
 */
struct fault {
	char file[512];		/* path as opened; cut if longer */
	int64_t pos;		/* byte position in file */
	int64_t offset;		/* first record offset concerned */
	int64_t offset_end;	/* offset after the last one concerned */
	/*
	 * A constant phrase: "crc does not match".  Of STATUS_CLUSTER its own
	 * words, valid until the cluster's next error.
	 */
	const char *what;
};

/*
 * Words for rc, lower case, no full stop.  For errno values those of
 * strerror(3).  The result is valid until the thread's next call.
 */
const char *status_text(int rc);

/* Fill f (which may be NULL) and return rc. */
int status_fault(struct fault *f, int rc, const char *file, int64_t pos,
    int64_t offset, const char *what);

#endif
