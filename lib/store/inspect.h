#ifndef STORE_INSPECT_H
#define STORE_INSPECT_H

/*
 * One segment looked at from its first byte to its last, with the files beside
 * it; see check.h.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "store/batch.h"
#include "store/check.h"
#include "store/sum.h"
#include "store/txnindex.h"

struct inspect {
	/* What is known before. */
	struct partition *p;
	struct check *out;
	int64_t base;
	int64_t end;		/* offsets are below this; INT64_MAX unknown */
	int64_t limit;		/* bytes that count; -1 to the file's end */
	int64_t floor;		/* bytes from here on may be no batches */
	bool sealed;
	bool own;
	bool dense;		/* no gaps between offsets */
	bool has_sum;
	struct sum sum;		/* with its CRC if has_crc */
	bool has_crc;
	int64_t told_size; /* end, dense and has_sum are true of a file of
				   so many bytes; -1 of any */
	int32_t index_count;	/* entries that count; -1 all */
	int32_t timeindex_count;
	/* Called for each valid batch in order, until one is not; not NULL. */
	int (*on_batch)(const uint8_t *data, const struct batch *b, void *arg);
	void *arg;
	/* What was found. */
	uint64_t identity;	/* of the log file; 0 there is none */
	bool damaged;		/* the log; it was not walked to its end */
	bool crc_good;		/* the file is what sum says */
	bool crc_bad;		/* it is not, though its length is */
	bool located;		/* and it was found out where */
	int64_t next;		/* after the last valid batch */
	int64_t size;		/* bytes of valid batches */
	struct sum seen;	/* crc, batches, records, data bytes, times */
	int64_t max_timestamp_offset;
};

/*
 * A number that differs if a segment's file was replaced by another; inodes
 * are soon used again.  A sealed one is not written to.
 */
uint64_t inspect_identity(const struct stat *st, bool sealed);
/* ENOENT: it has gone.  Errors as check_run(). */
int inspect_segment(struct inspect *in, struct fault *f);
/* All that is not a valid batch in its place becomes findings. */
int inspect_damage(struct inspect *in, int fd, int64_t size);
/*
 * Its .txnindex must hold these, if they are said to be all, and nothing that
 * cannot be.
 */
int inspect_txnindex(struct inspect *in, const struct aborted_list *derived,
    int32_t count, int64_t since);

#endif
