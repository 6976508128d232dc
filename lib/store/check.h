#ifndef STORE_CHECK_H
#define STORE_CHECK_H

/*
 * Everything that can be wrong with a partition's files, found (check.c for
 * the partition, inspect.c for one segment).
 *
 * The segments are read from the first byte to the last: CRCs, the records
 * inside, offsets and epochs.  Against them, and against each other, are held
 * the indexes, the .sum files, the producer snapshots, the
 * leader-epoch-checkpoint and partition.state.
 *
 * What is found, and how:
 *
 *	a bit or a page changed in a batch	its CRC; its records
 *	the same in what no batch's CRC covers	offsets that do not follow each
 *		(base offset, leader epoch)	other, the checkpoint of epochs,
 *						the CRC of the whole segment
 *						in its .sum or in the state
 *	a file cut short, or with more behind	.sum; partition.state
 *	a segment lost				.sum of the one before;
 *						log start and end of the state
 *	a file beside it lost or of another	the batches; .sum
 *
 * Nothing is written and no lock is taken: writers, retention and compaction
 * may be at work.  What they change meanwhile is looked at again.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/epoch.h"
#include "store/lost.h"
#include "store/partition.h"

struct fault;

/* The file that a finding is about. */
enum check_part {
	CHECK_LOG,		/* BASE.log: bytes that are no valid batch */
	CHECK_MISSING,		/* a segment that is not there */
	CHECK_TAIL,		/* bytes behind the end of the log */
	CHECK_INDEX,
	CHECK_TIMEINDEX,
	CHECK_TXNINDEX,
	CHECK_SUM,
	CHECK_SNAPSHOT,		/* base is the offset in its name */
	CHECK_EPOCHS,
	CHECK_STATE,
};

struct check_finding {
	enum check_part part;
	int64_t base;		/* segment; -1: a file of the partition */
	int64_t pos;		/* in the file; -1 not known */
	int64_t len;		/* bytes concerned; -1 not known */
	int64_t offset;		/* records concerned, -1 none or not known */
	int64_t offset_end;
	const char *what;	/* a constant phrase */
	/* Set by repair.h: */
	bool repaired;
	char saved[LOST_NAME_LEN]; /* in lost+found/; "" nothing */
};

enum { CHECK_FINDINGS_MAX = 1000000 };

struct check {
	struct check_finding *findings; /* owned */
	size_t count;
	size_t cap;
	/* What repair.h needs to know. */
	struct epoch_list epochs;	/* as the batches have them */
	int64_t end;			/* after the last valid batch */
	int64_t max_timestamp;
	bool has_producers;
	/* Called now and then with the bytes read; may be NULL. */
	void (*progress)(int64_t bytes, void *arg);
	void *arg;
};

void check_init(struct check *c);
void check_release(struct check *c);
/* Add a finding.  ENOMEM, STATUS_TOO_BIG over CHECK_FINDINGS_MAX. */
int check_add(struct check *c, const struct check_finding *finding);
/* "00000000000000000042.index" of a finding. */
enum { CHECK_NAME_LEN = 64 };
void check_name(const struct check_finding *finding, char out[CHECK_NAME_LEN]);

/*
 * Check p; c is filled anew.  own: it is the partition of a topic, not the
 * directory of a Kafka broker, which has neither .sum nor state.
 * 0 whatever was found.  STATUS_NEWER, STATUS_CODEC, STATUS_UNSUPPORTED (a
 * message set of version 0 or 1), EACCES...: it could not be checked.
 */
int check_run(struct partition *p, bool own, struct check *c, struct fault *f);

#endif
