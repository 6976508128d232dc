#ifndef STORE_ORIGIN_H
#define STORE_ORIGIN_H

/*
 * replica.properties, in the directory of a topic that is a copy: where its
 * records come from, how far that was when it was heard of last, and which
 * settings it had.  Who copies writes it, at most once a second; who asks how
 * far the copy is behind reads it.
 *
 *	logkit.version=1	of the format; a greater one is not read
 *	source=host:/srv/log/orders	in words
 *	seen.ms=1795414032471	when these ends were the source's
 *	end.0=1200		by partition: the offset of its next record
 *	begin.0=505		where the copy is to begin, but does not yet
 *	other.0=3	below this offset are records of what the source was
 *	setting.retention.ms=604800000	what the source has set
 *	origin.0=0a1b...	what the source is, and is a copy of (lineage.h)
 *
 * It is replaced as a whole.  After a crash it may be missing, or old: then
 * less is known, and nothing is wrong.
 */

#include <stdbool.h>
#include <stdint.h>

#include "store/lineage.h"
#include "store/properties.h"

struct fault;

#define ORIGIN_FILE "replica.properties"

enum { ORIGIN_VERSION = 1, ORIGIN_SOURCE_LEN = 1024 };

struct origin {
	char source[ORIGIN_SOURCE_LEN]; /* "" not known */
	int64_t seen_ms;	/* -1: never */
	int64_t *ends;		/* owned; -1: not known */
	int64_t *begins;	/* owned; -1: it does */
	/*
	 * Owned.  What stands below this is of another topic that was the
	 * source, and has not been found in this one; -1: nothing is.
	 */
	int64_t *others;
	int32_t count;		/* of each */
	struct properties settings;
	struct lineage lineage; /* of the source */
};

/* Nothing is known. */
void origin_init(struct origin *o);
void origin_release(struct origin *o);
/* Of count partitions; what was not told before is -1.  ENOMEM. */
int origin_grow(struct origin *o, int32_t count);

/*
 * Read that of a topic's directory into o, which is initialized.  ENOENT: there
 * is none.  STATUS_SYNTAX, STATUS_NEWER.
 */
int origin_read(int dirfd, struct origin *o);
/* durable: it is on the device when 0 is returned. */
int origin_write(int dirfd, const struct origin *o, bool durable);

#endif
