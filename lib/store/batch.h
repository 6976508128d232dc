#ifndef STORE_BATCH_H
#define STORE_BATCH_H

/*
 * A record batch, version 2: the unit that is written, stored, sent and
 * checked (Kafka protocol guide, "Record Batch"; KIP-98).  All integers are
 * big-endian.
 *
 *	pos size
 *	  0    8  base offset          of the first record when written
 *	  8    4  length               of what follows this field; >= 49
 *	 12    4  partition leader epoch
 *	 16    1  magic                2
 *	 17    4  CRC-32C              of all bytes from 21 on
 *	 21    2  attributes           BATCH_* below
 *	 23    4  last offset delta    last offset = base offset + this
 *	 27    8  base timestamp       ms; or the delete horizon
 *	 35    8  max timestamp        ms
 *	 43    8  producer id          -1 none
 *	 51    2  producer epoch       -1 none
 *	 53    4  base sequence        -1 none
 *	 57    4  record count         0 after compaction took them all
 *	 61       records, or their compressed form
 *
 * Bytes 0 to 16 are outside the CRC: offset and epoch are set by who appends,
 * without touching the rest.  Versions 0 and 1 have their magic at 16 too;
 * they are told apart (STATUS_UNSUPPORTED) and not read.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/codec.h"
#include "store/record.h"

enum batch_pos {
	BATCH_BASE_OFFSET = 0,
	BATCH_LENGTH = 8,
	BATCH_LEADER_EPOCH = 12,
	BATCH_MAGIC = 16,
	BATCH_CRC = 17,
	BATCH_ATTRIBUTES = 21,
	BATCH_LAST_OFFSET_DELTA = 23,
	BATCH_BASE_TIMESTAMP = 27,
	BATCH_MAX_TIMESTAMP = 35,
	BATCH_PRODUCER_ID = 43,
	BATCH_PRODUCER_EPOCH = 51,
	BATCH_BASE_SEQUENCE = 53,
	BATCH_RECORD_COUNT = 57,
	BATCH_RECORDS = 61,
	BATCH_HEADER_LEN = 61,
	BATCH_OVERHEAD = 12,	/* bytes not counted by the length field */
};

enum batch_attribute {
	BATCH_CODEC_MASK = 0x07,
	BATCH_LOG_APPEND_TIME = 0x08,
	BATCH_TRANSACTIONAL = 0x10,
	BATCH_CONTROL = 0x20,
	BATCH_DELETE_HORIZON = 0x40,
};

/* A batch's header, decoded. */
struct batch {
	int64_t base_offset;
	int64_t last_offset;	/* base offset + last offset delta */
	size_t size;		/* of the whole batch in bytes */
	int32_t leader_epoch;
	uint32_t crc;
	uint16_t attributes;
	int64_t base_timestamp;
	int64_t max_timestamp;
	int64_t producer_id;
	int16_t producer_epoch;
	int32_t base_sequence;
	int32_t record_count;
};

/* The largest batch a decode accepts is BATCH_BYTES_MAX (base/bounds.h). */

/*
 * Decode the header at p, of which len bytes are there; len need not hold the
 * whole batch.  STATUS_SHORT: under 61 bytes.  STATUS_UNSUPPORTED: magic 0 or
 * 1.  STATUS_CORRUPT: a length, count, delta, offset, codec or magic that no
 * batch has; *what (if not NULL) says which.
 */
int batch_decode(const uint8_t *p, size_t len, struct batch *out,
    const char **what);
/* Does the CRC of the whole batch at p match?  0 or STATUS_CORRUPT. */
int batch_verify(const uint8_t *p, const struct batch *b);
/*
 * Go on from the CRC-32C of what is before the batch at p to that behind it,
 * all its bytes counted.  Its own CRC must have been verified: it is made use
 * of, and its records are not read again.
 */
uint32_t batch_sum(uint32_t before, const uint8_t *p, const struct batch *b);

/* The codec of the records. */
enum codec batch_codec(const struct batch *b);

/*
 * Set what the appender assigns: base offset and leader epoch.  The CRC does
 * not cover them.
 */
void batch_assign(uint8_t *p, int64_t base_offset, int32_t leader_epoch);
/*
 * Make it a batch of log append time (KIP-32): max timestamp and attribute,
 * CRC computed anew; the records are not touched.
 */
void batch_set_append_time(uint8_t *p, size_t size, int64_t timestamp);
/* Put a wrong max timestamp right; CRC anew. */
void batch_set_max_timestamp(uint8_t *p, size_t size, int64_t timestamp);
/* Forget the producer and its transaction (for re-appending); CRC anew. */
void batch_clear_producer(uint8_t *p, size_t size);
/* Make it one of an idempotent producer; CRC anew. */
void batch_set_producer(uint8_t *p, size_t size, int64_t producer_id,
    int16_t producer_epoch, int32_t base_sequence);
/*
 * Make the batch at p, which was built of some of another's records at their
 * distances, stand for that one: offsets, epoch, producer, sequence and
 * attributes are from's (compaction keeps them all).  horizon is when its
 * tombstones may go (KIP-534) and must be the base timestamp it was built
 * with, -1: none.  CRC anew.
 */
void batch_assume(uint8_t *p, size_t size, const struct batch *from,
    int64_t horizon);
/* A batch without records in the place of another; BATCH_HEADER_LEN bytes. */
void batch_encode_empty(uint8_t p[BATCH_HEADER_LEN], const struct batch *from);
/* When the tombstones or the marker in it may go; -1: not said. */
int64_t batch_delete_horizon(const struct batch *b);

/*
 * Control records (Kafka protocol guide, "Control Batches"; KIP-98).
 */
enum batch_control {
	BATCH_CONTROL_ABORT = 0,
	BATCH_CONTROL_COMMIT = 1,
	BATCH_CONTROL_OTHER,	/* a type that readers ignore */
};
/*
 * What the control batch b at p says.  *coordinator_epoch is set for abort
 * and commit.  STATUS_CORRUPT if it cannot be told.
 */
int batch_control_type(const uint8_t *p, const struct batch *b,
    enum batch_control *type, int32_t *coordinator_epoch);
/* Write a transaction marker, 78 bytes, offset and epoch unassigned. */
enum { BATCH_MARKER_LEN = 78 };
void batch_encode_marker(uint8_t p[BATCH_MARKER_LEN], int64_t producer_id,
    int16_t producer_epoch, enum batch_control type, int32_t coordinator_epoch,
    int64_t timestamp);

/*
 * Walking over the records of one batch.
 *
 * batch_records_init() takes the whole batch (its CRC is the caller's
 * affair) and a scratch buffer of the caller's, into which compressed records
 * are unpacked; it is emptied first, and its maximum bounds the unpacking.
 * Records point into the batch or the scratch buffer.
 */
struct batch_records {
	const uint8_t *pos;
	const uint8_t *end;
	int64_t base_offset;
	int64_t base_timestamp;
	int64_t last_offset;
	int64_t append_time;	/* overrides record timestamps; -1 none */
	int32_t left;
	int64_t offset_min;	/* offsets must ascend; the next is >= this */
};

int batch_records_init(struct batch_records *it, const uint8_t *p,
    const struct batch *b, struct buf *scratch);
/*
 * The next record: 0; STATUS_END after the last; STATUS_CORRUPT if a record
 * does not fit, offsets leave the batch or do not ascend, or bytes are left
 * over behind the last one.
 */
int batch_records_next(struct batch_records *it, struct record *out);
/*
 * Walk over all the records that are left, and say what is among them: in about
 * half the time, for who wants to know no more.  0, or STATUS_CORRUPT as above.
 */
struct batch_survey {
	int64_t min_ms;		/* smallest timestamp >= 0; INT64_MAX none */
	int64_t max_ms;		/* largest; -1 none */
	bool has_null_key;
};
int batch_records_survey(struct batch_records *it, struct batch_survey *out);

/*
 * Building batches.
 *
 * A builder collects records, encoded as they come; batch_builder_finish()
 * closes the batch (compresses, fills in the header, computes the CRC), and
 * the builder is then empty again with its memory kept.  Offsets run from
 * 0; records given an offset by the caller keep their distance with
 * batch_builder_add_at().
 */
struct batch_builder {
	struct buf raw;		/* 61 bytes of header, then records */
	struct buf packed;	/* the same with records compressed */
	enum codec codec;
	int level;
	int64_t base_timestamp;	/* of the first record */
	int64_t max_timestamp;
	int32_t count;
	int32_t next_delta;
	bool has_base;		/* base_timestamp was given */
};

/* bytes_max bounds the batch before compression. */
void batch_builder_init(struct batch_builder *bb, enum codec codec, int level,
    size_t bytes_max);
void batch_builder_release(struct batch_builder *bb);
/* Bytes of the batch so far, header included, before compression. */
size_t batch_builder_size(const struct batch_builder *bb);
/*
 * Would it still be within limit bytes with r added?  No, too, if its timestamp
 * is too far from the first record's.
 */
bool batch_builder_fits(const struct batch_builder *bb, const struct record *r,
    size_t limit);
/*
 * Add a record; its offset is not looked at.
 * STATUS_TOO_BIG if it would pass bytes_max; ENOMEM; ERANGE if its timestamp
 * or place is too far from the first record's for one batch.
 */
int batch_builder_add(struct batch_builder *bb, const struct record *r);
/* The same at a distance from the base offset that is not below the last's. */
int batch_builder_add_at(struct batch_builder *bb, const struct record *r,
    int32_t offset_delta);
/* The next batch's base timestamp is not its first record's, but this. */
void batch_builder_set_base(struct batch_builder *bb, int64_t base_timestamp);
/*
 * Close the batch.  *data points into the builder until the next add; base
 * offset 0, leader epoch -1, no producer.  With no records: STATUS_END.
 * Errors of codec_compress().
 */
int batch_builder_finish(struct batch_builder *bb, const uint8_t **data,
    size_t *size);

#endif
