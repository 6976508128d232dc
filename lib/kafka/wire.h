#ifndef KAFKA_WIRE_H
#define KAFKA_WIRE_H

/*
 * Kafka's messages, between bytes and structs, both ways.
 *
 * messages.schema tells each message once.  The structs that are made from it
 * (kafka/messages.h) have a member per field, whatever the version: a field
 * that a version does not have is left at its default when reading, and left
 * out when writing.  One codec walks the tables for all of them.
 *
 *	string, bytes	struct bytes; a view into the frame that was read
 *	records		struct wire_records
 *	array		NAME, NAME_count; a count of -1 is null
 *	uuid		struct wire_uuid; all zero is none
 *
 * Flexible versions (KIP-482): compact lengths, and a section of tagged fields
 * at the end of every struct.  Tags that are not known are passed over; a
 * tagged field that has its default is left out.
 *
 * Nothing here trusts a length: it is held against what is left of the frame,
 * and all memory comes from an arena with a bound.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/view.h"

/* No version. */
enum { WIRE_NEVER = 127 };

enum wire_type {
	WIRE_BOOL,
	WIRE_INT8,
	WIRE_INT16,
	WIRE_INT32,
	WIRE_INT64,
	WIRE_UUID,
	WIRE_STRING,
	WIRE_BYTES,
	WIRE_RECORDS,
	WIRE_STRUCT,
};

struct wire_uuid {
	uint8_t bytes[16];
};

/*
 * Record batches: bytes in memory, or, to be written, a part of a file that
 * the caller sends itself (see wire_cuts).
 */
struct wire_records {
	const uint8_t *data;	/* not owned; NULL and len > 0: in a file */
	int64_t len;		/* -1 is null */
	int fd;			/* the caller's */
	int64_t pos;
};

struct wire_struct;

struct wire_field {
	const char *name;
	enum wire_type type;
	bool array;
	int16_t from;		/* versions that have it */
	int16_t to;
	int16_t null_from;	/* null is legal from that version on */
	int16_t tag;		/* -1: not tagged */
	bool null;		/* the default is null */
	int64_t number;		/* the default of a number */
	const struct wire_struct *of;
	size_t at;		/* where it is in the struct */
	size_t count_at;	/* of an array: where its count is */
};

struct wire_struct {
	size_t size;
	const struct wire_field *fields;
	size_t count;
};

struct wire_message {
	const char *name;	/* "Fetch request" */
	int16_t min;		/* versions that are known */
	int16_t max;
	int16_t flexible;	/* from that version on; WIRE_NEVER */
	const struct wire_struct *body;
};

/* Bytes that follow in a file: they belong at position at of the output. */
struct wire_cut {
	size_t at;
	const struct wire_records *records;
};

enum { WIRE_CUTS_MAX = 65536 };

struct wire_cuts {
	struct wire_cut *cuts;	/* owned */
	size_t count;
	size_t cap;
};

/* Bytes of a field in its struct; of an array those of one element. */
size_t wire_size_of(const struct wire_field *f);

/* Every field at its default. */
void wire_defaults(const struct wire_message *m, void *out);
void wire_struct_defaults(const struct wire_struct *s, void *out);

/*
 * Read a message from the front of v, which is moved behind it.  out is the
 * message's struct; arrays are in the arena, strings and records in what v
 * shows.
 * STATUS_UNSUPPORTED: a version that is not known.  STATUS_CORRUPT,
 * STATUS_SHORT: malformed.  STATUS_TOO_BIG, ENOMEM: of the arena.
 */
int wire_decode(const struct wire_message *m, int version, struct view *v,
    struct arena *arena, void *out);

/*
 * Write a message behind what is in b.  Records in files are cut out: their
 * length is written and the cut noted, in ascending order; cuts may be NULL
 * where there are none.  Null where it is not legal is written as empty.
 * STATUS_UNSUPPORTED, STATUS_TOO_BIG (b, a string over 32767 bytes in a
 * version that is not flexible, cuts), ENOMEM.
 */
int wire_encode(const struct wire_message *m, int version, const void *in,
    struct buf *b, struct wire_cuts *cuts);
void wire_cuts_release(struct wire_cuts *c);
/* How many bytes of files belong between the bytes in b. */
int64_t wire_cuts_bytes(const struct wire_cuts *c);

bool wire_uuid_is_zero(const struct wire_uuid *u);

/*
 * The header of a request, versions 1 and 2: the first ten bytes are the same
 * in all.
 */
struct wire_request {
	int16_t key;
	int16_t version;
	int32_t correlation;
	struct bytes client_id;	/* may be null */
};

/* Key, version and correlation id alone: STATUS_SHORT. */
int wire_request_peek(struct view v, struct wire_request *out);
/* flexible: of the message that follows.  v is moved to its first byte. */
int wire_request_decode(struct view *v, bool flexible,
    struct wire_request *out);
int wire_request_encode(struct buf *b, bool flexible,
    const struct wire_request *in);
/*
 * The header of a response: the correlation id and, if it is flexible, an
 * empty tag section.  That of ApiVersions never is.
 */
int wire_response_encode(struct buf *b, bool flexible, int32_t correlation);
int wire_response_decode(struct view *v, bool flexible, int32_t *correlation);

#endif
