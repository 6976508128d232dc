#ifndef REPLICATE_INLET_H
#define REPLICATE_INLET_H

/*
 * The receiving end of a replication as a server has it: bytes of the stream
 * of frames come in, in pieces of any length, and bytes of the answering stream
 * go out.  It never speaks unasked, so that its stream fits into answers.
 *
 *	GREETING -> ASKED	HELLO, which is answered
 *	ASKED -> RECEIVING	REQUEST to receive, below root: receiver.h
 *	RECEIVING -> OVER	END, which is answered
 *	any -> OVER		ERROR, from either side
 *
 * No descriptors of connections, no threads; it blocks on the disk alone.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/view.h"
#include "replicate/report.h"

struct inlet;

struct inlet_options {
	const char *root;	/* a directory of topics; stays */
	const char *version;	/* of the program; stays */
	size_t open_max;	/* partitions that have files open, >= 1 */
	int64_t parts_max;	/* topics and partitions that are told of */
	struct reporter reporter;
};

int inlet_new(const struct inlet_options *o, struct inlet **out);
/* Closes its files. */
void inlet_free(struct inlet *in);

/*
 * Take what has come; answers are added to out.  STATUS_END: it is over, and
 * what it ends with is in out.  ENOMEM, STATUS_TOO_BIG: of out.
 */
int inlet_take(struct inlet *in, struct view bytes, struct buf *out);

/* The path that was asked for, "" before that. */
const char *inlet_path(const struct inlet *in);
/* Bytes that were taken in, and why it is over if not by END, or "". */
int64_t inlet_bytes(const struct inlet *in);
const char *inlet_text(const struct inlet *in);
/* Memory that it has, about. */
size_t inlet_memory(const struct inlet *in);

#endif
