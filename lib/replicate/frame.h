#ifndef REPLICATE_FRAME_H
#define REPLICATE_FRAME_H

/*
 * The replication protocol: frames between two logreplicate, one of which
 * reads partitions (the sender) and one of which writes their copies (the
 * receiver), over any two-way stream of bytes: a pair of pipes to ssh, a
 * socket.
 * logkit-replication(7) tells when each is sent; here is what is in them.
 *
 *	pos size
 *	  0    4  length of what follows the header, at most FRAME_PAYLOAD_MAX
 *	  4    1  type (enum frame_type)
 *	  5    3  the lower three bytes of the CRC-32C of bytes 0 to 4, so that
 *	          nobody waits for what a wrong length says
 *	  8    4  CRC-32C of bytes 0 to 7 and of what follows the header
 *	 12       fields, in the order of the table below, big-endian
 *
 *	HELLO     magic versions capabilities window data: program's version
 *	REQUEST   data: NAME=VALUE strings, each ended by NUL
 *	TOPIC     topic count identity data: name, NUL, settings, lineage
 *	OFFER     topic partition start end
 *	HAVE      topic partition count start end batch; count is 1 if it is a
 *	          copy of another topic, by what is known, else 0
 *	ASK       topic partition offset
 *	DIVERGED  topic partition offset
 *	DATA      topic partition offset data: whole record batches
 *	DONE      topic partition start end
 *	SYNCED    topic partition end
 *	GROUP     topic partition offset epoch time data: group, NUL, metadata
 *	CREDIT    count
 *	ALIVE
 *	END       status count bytes
 *	REFUSE    topic partition status data: why
 *	ERROR     status data: why
 *	NOTE      topic status data: what was not done, or (0) was done, or (0,
 *	          FRAME_NOTE_WARNS first) is to be known; from the sender: that
 *	CHECK     topic partition start end
 *	CHECKED   topic partition start end digest count offset
 *	EXTENT    topic partition start end
 *	EXAMINE   topic partition offset
 *	RECORDS   topic partition count data: imprints (imprints.h); count is 1
 *	          if compaction may have taken some, else 0
 *
 * 1. HELLO is the first frame in both directions and the only one that will
 *    never change: each side goes on with the smaller of both maximums, or
 *    ends if that is below a minimum.
 * 2. Every length is checked before anything is allocated, every field before
 *    it is used.  A frame too long, of unknown type, with a wrong CRC or with
 *    bytes left over ends the connection (STATUS_CORRUPT).
 * 3. start and end are never below 0, other numbers never below -1, and a batch
 *    does not end before it begins.
 * 4. DATA is bounded by credit: at most HELLO's window of it may be on its way,
 *    and CREDIT gives back what was taken in.  No other frame waits for credit.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bounds.h"
#include "base/buf.h"
#include "base/view.h"

enum {
	FRAME_HEADER_LEN = 12,
	FRAME_MAGIC = 0x4c4b5250, /* LKRP */
	FRAME_VERSION = 1,	/* spoken, and the least one */
	/* One record batch, and the fields before it. */
	FRAME_PAYLOAD_MAX = BATCH_BYTES_MAX + 4096,
	/* Of RECORDS: IMPRINTS_MAX of them. */
	FRAME_RECORDS_MAX = (16 << 20) + 4096,
	/* Of all other frames. */
	FRAME_TEXT_MAX = TEXT_FILE_BYTES_MAX,
	FRAME_IDENTITY_LEN = 32,
	/* The greatest exit status of a program. */
	FRAME_STATUS_MAX = 4,
	FRAME_WINDOW = 16 << 20,
	/* A window is at least this. */
	FRAME_WINDOW_MIN = 64 << 10,
	/* Capabilities of HELLO: EXAMINE is answered. */
	FRAME_EXAMINES = 1,
	/*
	 * Of a batch that HAVE tells: its leader epoch is not known, nor its
	 * CRC; only its records count.
	 */
	FRAME_EPOCH_ANY = INT32_MAX,
	/* Of a receiver's NOTE: the first byte of what users should know. */
	FRAME_NOTE_WARNS = '!',
};

enum frame_type {
	FRAME_HELLO = 1,
	FRAME_REQUEST,
	FRAME_TOPIC,
	FRAME_OFFER,
	FRAME_HAVE,
	FRAME_ASK,
	FRAME_DIVERGED,
	FRAME_DATA,
	FRAME_DONE,
	FRAME_SYNCED,
	FRAME_GROUP,
	FRAME_CREDIT,
	FRAME_ALIVE,
	FRAME_END,
	FRAME_REFUSE,
	FRAME_ERROR,
	FRAME_NOTE,
	FRAME_CHECK,
	FRAME_CHECKED,
	FRAME_EXTENT,
	FRAME_EXAMINE,
	FRAME_RECORDS,
	FRAME_TYPES,
};

/* A batch by what tells it from another at the same place. */
struct frame_batch {
	int64_t base_offset;	/* -1: there is none */
	int64_t last_offset;
	int32_t leader_epoch;
	uint32_t crc;		/* that of its header */
};

/* Any frame; which fields count is told by the type (the table above). */
struct frame {
	enum frame_type type;
	uint32_t magic;
	uint16_t version_min;
	uint16_t version_max;
	uint64_t capabilities;	/* FRAME_EXAMINES; others are ignored */
	uint32_t window;	/* bytes of DATA that may be on their way */
	uint32_t topic;		/* number that the sender gave it */
	int32_t partition;	/* -1: the whole topic */
	int32_t count;		/* of TOPIC: partitions; else see there */
	uint8_t identity[FRAME_IDENTITY_LEN]; /* of the topic's directory */
	int64_t start;		/* the log start */
	int64_t end;		/* of the next record */
	/*
	 * Of DATA: its segment's base, or -1: not known; of CHECKED: what is
	 * damaged, or -1.
	 */
	int64_t offset;
	struct frame_batch batch;
	int32_t epoch;
	int64_t time;		/* ms */
	int32_t status;		/* exit status (enum cli_exit) */
	int64_t bytes;
	uint64_t digest;	/* see digest.h */
	struct view data;	/* what is left; into the input */
};

/*
 * Append a frame to out.  EINVAL: its data is over the limit of its type.  Else
 * as buf_reserve().
 */
int frame_encode(const struct frame *f, struct buf *out);
/*
 * The same with what stands in data, which is released.  rc is how that went:
 * an error is returned, and nothing appended.
 */
int frame_encode_with(struct frame *f, int rc, struct buf *data,
    struct buf *out);

/* Set bytes 5 to 7 of a header as bytes 0 to 4 want them. */
void frame_seal_length(uint8_t *header);

/*
 * Take the first frame of in, which then stands behind it.
 * STATUS_SHORT: not all of it is there; *need (or NULL) is how many bytes there
 * have to be to come further.  STATUS_CORRUPT: it is none; *what says why.
 */
int frame_decode(struct view *in, struct frame *out, size_t *need,
    const char **what);

/* Copy the next string of data, which ends with NUL.  STATUS_SHORT: none. */
int frame_string(struct view *data, char *out, size_t size);
/* The name of a type, for messages. */
const char *frame_name(enum frame_type type);

#endif
