#ifndef REPLICATE_REPORT_H
#define REPLICATE_REPORT_H

/*
 * What a sender or a receiver tells the program that runs it, in words for the
 * user: of a partition what became of it.
 */

#include <stdbool.h>
#include <stdint.h>

struct fault;

/*
 * What is at path was asked for by another name: who asked, perhaps on another
 * host, is told of it, and of what is in it, by that.
 */
struct report_place {
	const char *path;	/* NULL: paths are told as they are */
	const char *called;
};

enum report_kind {
	REPORT_CURRENT,		/* it has all there is; or would have */
	REPORT_COMPARED,	/* from to to it is the same, where it can be */
	REPORT_DONE,		/* something was done to the topic: text */
	REPORT_WARNED,		/* what its user should know: text */
	REPORT_CUT,		/* what differed was cut, from from on */
	REPORT_REFUSED,		/* nothing more is done with it */
};

struct report {
	enum report_kind kind;
	const char *topic;
	int32_t partition;	/* -1: the whole topic */
	int64_t from;		/* offsets that came over, to excluded */
	int64_t to;
	int64_t bytes;
	int32_t status;		/* of refused: exit status */
	const char *text;	/* why */
	bool theirs;		/* the other end's words */
};

struct reporter {
	void (*fn)(void *arg, const struct report *r);
	void *arg;
};

/* Count on; numbers that the other side made up may be any. */
void report_add(int64_t *sum, int64_t n);
/* The exit status that goes with a library's error (as tool/message.h). */
int report_status(int rc);
/* What went wrong, and where: at most size bytes. */
void report_reason(int rc, const struct fault *f, char *out, int size);
void report_reason_at(const struct report_place *p, int rc,
    const struct fault *f, char *out, int size);
/*
 * Does text begin with path, or with what is in it?  Then what is behind path,
 * without a slash at its end; else NULL.
 */
const char *report_behind(const char *text, const char *path);
void report_send(const struct reporter *r, const struct report *what);

#endif
