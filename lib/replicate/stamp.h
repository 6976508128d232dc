#ifndef REPLICATE_STAMP_H
#define REPLICATE_STAMP_H

/*
 * Records that are sent again to a cluster that is no copy, so that each of
 * them arrives once, whatever is killed when.
 *
 * Every record carries where it was, in two headers behind those it had:
 *
 *	logkit.offset	its offset at the source, in decimal
 *	logkit.source	the id of the topic that it was sent from, as Kafka
 *			writes it: 22 letters of base 64
 *
 * Where it is sent on from there it gets two more, so that it tells all the
 * topics that it has come through; it is never sent to one of them.
 *
 * Batches are those of one idempotent producer for each partition, which
 * goes on where the last run has ended.  The broker takes a batch only if its
 * sequence number is the next one, and there is one sequence number for each
 * record: so a batch is taken only if all before it is there, and nothing else.
 * A batch of a run that was killed, which arrives when the next run has looked
 * already, makes that one's next batch fail, and is not followed by the same
 * records once more.
 *
 * A mark is how far a partition has come, and from which topic.  What stands at
 * the destination tells it: the last batch of the producer, and the headers of
 * its last record.  So that not all has to be read for it, and for the time
 * when retention has taken what there was, it is also kept as a position of a
 * consumer group, STAMP_GROUP, before the first batch is sent and now and then:
 * what is committed is the end of the destination's log then, and its metadata
 * is
 *
 *	2 SOURCE PRODUCER-ID PRODUCER-EPOCH NEXT-SEQUENCE NEXT LAST HASH
 *
 * NEXT and LAST are offsets of the source: what is to be sent next, and a
 * record that was sent, whose hash (imprints.h) tells whether the source has it
 * still; LAST is -1 if that is not known.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "store/batch.h"

#define STAMP_OFFSET "logkit.offset"
#define STAMP_SOURCE "logkit.source"
#define STAMP_GROUP "logkit.reproduce"

enum { STAMP_TEXT_LEN = 160, STAMP_SOURCE_LEN = 16 };

struct stamp_mark {
	int64_t next;		/* source offset that is to be sent next */
	int64_t producer_id;	/* -1: there is none yet */
	int16_t producer_epoch;
	int32_t sequence;	/* the next one */
	int64_t end;		/* the destination's offset, up to where */
	uint8_t source[STAMP_SOURCE_LEN]; /* if there is a producer */
	int64_t last;		/* source offset of a record; -1: not known */
	uint64_t hash;		/* its */
};

void stamp_init(struct stamp_mark *m);
void stamp_print(const struct stamp_mark *m, char out[STAMP_TEXT_LEN]);
/* False: it is none; m is then as it was. */
bool stamp_parse(struct bytes text, struct stamp_mark *m);
/*
 * A whole batch of the destination, in its order.  If it is of the mark's
 * producer (or m has none, and it has stamps), m goes on behind it.
 * STATUS_CORRUPT: it cannot be read.
 */
int stamp_read(struct stamp_mark *m, const uint8_t *data, const struct batch *b,
    struct buf *scratch);
/* Has a record come through that topic? */
bool stamp_is_from(const struct record *r,
    const uint8_t source[STAMP_SOURCE_LEN]);

/*
 * Making batches.
 */
struct stamp_builder {
	struct batch_builder builder;
	struct buf headers;
	uint8_t source[STAMP_SOURCE_LEN]; /* of what is added; the caller's */
	size_t last_pos;	/* of the last record */
	bool begun;
	int64_t next;		/* source offset behind what is in it */
};

void stamp_builder_init(struct stamp_builder *s);
void stamp_builder_release(struct stamp_builder *s);
/* STATUS_TOO_BIG: not in this batch, which then is to be finished. */
int stamp_builder_add(struct stamp_builder *s, enum codec codec,
    const struct record *r, size_t limit);
/*
 * Finish the batch; m is then behind it.  STATUS_END: nothing is in it.
 */
int stamp_builder_finish(struct stamp_builder *s, struct stamp_mark *m,
    const uint8_t **data, size_t *size);

#endif
