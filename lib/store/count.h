#ifndef STORE_COUNT_H
#define STORE_COUNT_H

/*
 * How much is in a partition, counted exactly and mostly without reading it.
 *
 * What is counted:
 *
 *	records		what a read_committed reader gets from the log start
 *			to the last stable offset: not what compaction took,
 *			not the markers of transactions, not the records of
 *			aborted and of open ones
 *	bytes		of segment files, up to the end of the log: all that is
 *			stored there, markers, aborted and open transactions,
 *			and what is below the log start in its segment
 *	oldest, newest	smallest base timestamp and largest timestamp of the
 *			batches that are stored at or above the log start, as
 *			their headers tell, in ms; -1 none.  Markers and
 *			aborted batches count.  A record within a batch may be
 *			older than its first one.
 *
 * Where it is taken from:
 *
 *	sealed segment		its .sum, if that is as long as the file
 *	active segment		partition.state, if it belongs to the files
 *
 * else, and where a segment holds the log start, records of aborted
 * transactions (.txnindex) or what another one has as well (a compaction that
 * a crash ended), batch headers are walked over.  Record bytes are read only
 * of a batch that the log start divides.  CRCs of batches that are not decoded
 * are not checked.
 *
 * No lock is taken, nothing is written.  If segments go meanwhile, all is
 * counted anew.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/partition.h"

struct fault;

struct count {
	struct partition_offsets offsets; /* what is counted lies in them */
	int64_t records;
	int64_t bytes;
	int64_t oldest;
	int64_t newest;
	int64_t segments;	/* files, an empty active one included */
};

/* The same of one segment. */
struct count_segment {
	int64_t base;		/* in the names of its files */
	int64_t first;		/* counted from here on: base or log start */
	int64_t end;		/* the next one's first; the log end */
	int64_t records;
	int64_t bytes;
	int64_t oldest;
	int64_t newest;
};

struct count_segments {
	struct count_segment *items;	/* owned */
	size_t count;
	size_t cap;
};

/*
 * Count p.  segments, if not NULL, becomes the list of its segments (release
 * it in any case); *out is their sum.
 * STATUS_CORRUPT: headers do not add up, or a file is missing or cut (f).
 * STATUS_UNSUPPORTED: message sets of version 0 or 1.  Else errno.
 */
int count_partition(struct partition *p, struct count *out,
    struct count_segments *segments, struct fault *f);
void count_segments_release(struct count_segments *segments);

/* What somebody should look at. */
struct count_health {
	bool failed;	/* STATE_FAILED: a write or sync failed */
	int64_t lost;	/* files in lost+found/ */
};

/* Errors other than that there is no state and no lost+found/. */
int count_health(struct partition *p, struct count_health *out);

#endif
