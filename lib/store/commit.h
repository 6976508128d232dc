#ifndef STORE_COMMIT_H
#define STORE_COMMIT_H

/*
 * A record of Kafka's __consumer_offsets that says how far a group has come in
 * a partition (OffsetCommitKey versions 0 and 1, OffsetCommitValue versions 0
 * to 3; KIP-211).  Big-endian; a string is an int16 length and UTF-8:
 *
 *	key	int16 1; string group; string topic; int32 partition
 *	value	int16 3; int64 offset; int32 leader epoch; string metadata;
 *		int64 commit timestamp; or null: forgotten
 *
 * Versions 0 to 2 of the value have no leader epoch; 1 has one more int64
 * behind, when the commit ends, which is passed over.  Versions 1 and 3 are
 * written.  What follows a value is passed over.
 */

#include <stdint.h>

#include "base/bytes.h"

struct buf;
struct record;

struct commit {
	struct bytes group;	/* not null; no NUL in it */
	struct bytes topic;	/* so */
	int32_t partition;
	int64_t offset;		/* of the next record to read; -1 forgotten */
	int32_t leader_epoch;	/* -1: not known */
	int64_t commit_ms;	/* when; wall clock */
	struct bytes metadata;	/* of the client's own; null is empty */
};

/*
 * Group, topic and metadata point into the record.  STATUS_SYNTAX: a record of
 * another kind, or none that makes sense.
 */
int commit_decode(const struct record *rec, struct commit *out);
/*
 * Append its key and, if the offset is not negative, its value.
 * STATUS_TOO_BIG: a string of over 32767 bytes, or as buf_add().
 */
int commit_encode(const struct commit *c, struct buf *key, struct buf *value);

#endif
