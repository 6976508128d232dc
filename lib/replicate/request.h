#ifndef REPLICATE_REQUEST_H
#define REPLICATE_REQUEST_H

/*
 * What the program that the user runs asks of the one at the other end, in the
 * frame REQUEST: NAME=VALUE strings.
 *
 *	mode=send|receive	be the sender, or the receiver
 *	path=PATH		of the topic or the root there
 *	named=1			receive: the sender's topics have names (a root)
 *	partitions=LIST		send: these partitions only
 *	pattern=+GLOB, -GLOB	send: which topics of a root, in order
 *	follow=1 groups=1	send
 *	checksum=1		both
 *	rate=N			send: bytes a second
 *	from=POS		send: where a copy that is new begins
 *	source=TEXT		receive: where the sender is, in words
 *	cut=1 mirror=1		receive: --on-diverge truncate, --cleanup mirror
 *	dry-run=1		both
 *	timeout=MS		both: nothing heard for so long ends it
 *
 * What is not known is an error: it was asked for, and would not be done.
 */

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/parse.h"
#include "base/view.h"
#include "replicate/disk_source.h"

enum {
	REQUEST_PATTERNS_MAX = 1000,
	REQUEST_TIMEOUT_MS_MIN = 1000,
	REQUEST_TIMEOUT_MS_MAX = 86400000,
};

struct request {
	bool send;		/* the other end sends */
	char path[PATH_MAX];
	char source[PATH_MAX];	/* "" not known */
	bool named;
	struct partition_list partitions; /* count 0: all */
	const char *partitions_text;	/* as given; NULL: all; encode only */
	struct disk_patterns patterns;	/* items and strings owned */
	bool follow;
	bool groups;
	bool cut;
	bool mirror;
	bool dry_run;
	bool checksum;
	struct position from;	/* never POSITION_STORED */
	int64_t rate;		/* 0: as fast as it goes */
	int64_t timeout_ms;	/* 0: as it is */
};

void request_init(struct request *r);
void request_release(struct request *r);
/* Add a pattern with its + or -.  ENOMEM, STATUS_TOO_BIG. */
int request_add_pattern(struct request *r, const char *pattern);

/* The data of the frame, appended.  Errors as buf_reserve(). */
int request_encode(const struct request *r, struct buf *out);
/*
 * STATUS_SYNTAX: a string that is not known, or a value that cannot be; *bad
 * (of size bytes) is it.
 */
int request_decode(struct view data, struct request *r, char *bad, size_t size);

#endif
