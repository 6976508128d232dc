#ifndef LOGAPPEND_INPUT_H
#define LOGAPPEND_INPUT_H

/*
 * The reading half of logappend: bytes of files and pipes become records, and
 * what is wrong with them is told.
 */

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/status.h"
#include "store/topic.h"
#include "writer.h"

struct input {
	const char *path;	/* of the topic, for messages */
	struct topic topic;
	struct writer *writer;
	int64_t timestamp;	/* --timestamp; INT64_MIN none */
	int64_t read_ms;	/* when the current block was read */
	const char *file;	/* being read, for messages */
	int64_t number;		/* of the record in it, from 1 */
	struct buf in;		/* read, not yet used up */
	struct buf headers;	/* of a record, with -H added */
	struct buf key;		/* unescaped, of --key-field */
	struct buf records;	/* unpacked, of a batch */
	bool over;		/* the rest of the file is not looked at */
	int status;		/* the exit status so far */
};

/* The signal that came, 0 none: reading stops at once. */
extern volatile sig_atomic_t input_signal;

/*
 * Take all records of a file, "-" being standard input.  False: stop; the
 * status says why, or a signal came.
 */
bool input_take_file(struct input *run, const char *path);
/* The append cannot go on because of rc: tell it, and set the status. */
void input_fail(struct input *run, int rc, const struct fault *f);

#endif
