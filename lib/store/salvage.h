#ifndef STORE_SALVAGE_H
#define STORE_SALVAGE_H

/*
 * What is whole in a damaged segment, and what is not.
 *
 * Batches are sought from the beginning of the file on.  Behind one that is
 * not valid the next valid one is found by its length, if that leads to the
 * batch that its offsets announce, else byte by byte.  A batch counts as valid
 * if its CRC holds, its records can be taken apart, and its offsets lie in the
 * segment's range.
 *
 * Offsets are outside the CRC, and whole pages may have changed places, so
 * valid batches may contradict each other.  If the CRC of the whole is known,
 * it proves which of these is so:
 *
 *	all that is valid is as it was, and something was put between;
 *	one bit has changed: in a header, which is mended, or in the one
 *	stretch that is not valid;
 *	all is there, in another order.
 *
 * Else a batch counts only where nothing speaks against its offset:
 *
 *	those are right that agree with most of the others: the heaviest
 *	ascending chain, where no other one is as good;
 *	those are right too that stand between bytes that are no batches, as
 *	in a page that was moved, and fit by their offsets into a gap;
 *	one whose header lies in two sectors, near damage, may have got its
 *	offset with another page: it is right only if what is behind goes on
 *	with the next offset;
 *	in a dense segment (one without gaps of compaction) batches that touch
 *	have offsets that follow each other.  One that fills exactly the gap
 *	between its neighbours, or up to the end of the range, is given its
 *	right base offset, if then the CRC of all is what it was.
 *
 * The rest is lost.  No batch is given another offset than it had, if no more
 * than pages and single bits have changed, and the offsets that are in no
 * piece are told, but for gaps of compaction.
 *
 * Nothing is written.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As much of a batch's header as its CRC does not cover, the length in it. */
enum { SALVAGE_HEADER_LEN = 16 };

/* Batches one after another in the file, and in offsets. */
struct salvage_piece {
	int64_t pos;
	int64_t len;
	int64_t base;		/* first offset, as it should be */
	int64_t last;
	bool mended;		/* one batch, whose header is to be set: */
	uint8_t header[SALVAGE_HEADER_LEN]; /* its first bytes */
};

/* What is wrong. */
struct salvage_flaw {
	int64_t pos;
	int64_t len;		/* 0: nothing is there, but should be */
	int64_t offset;		/* first one concerned: of the bytes, or */
	int64_t offset_end;	/* missing where they belong; after the last */
	const char *what;
	bool lost;		/* these bytes are in no piece */
};

struct salvage {
	struct salvage_piece *pieces; /* owned; in the order of offsets */
	size_t piece_count;
	struct salvage_flaw *flaws;	/* owned; in the order of positions */
	size_t flaw_count;
};

/* The segment, or the part of it, that is looked at. */
struct salvage_range {
	int64_t size;		/* of the file; what is behind is not read */
	int64_t full_size;	/* as it was; 0 not known */
	int64_t first;		/* offsets from here on */
	int64_t end;		/* to below this; INT64_MAX: not known */
	bool dense;		/* each offset of the range was there */
	bool has_crc;		/* of the whole, as it was */
	uint32_t crc;
};

/* ENOMEM, errno.  Release *out in any case. */
int salvage_segment(int fd, const struct salvage_range *range,
    struct salvage *out);
void salvage_release(struct salvage *s);

struct batch;
struct buf;
/*
 * Can the batch's records be taken apart, each of them?  0, STATUS_CORRUPT
 * (*what says why), STATUS_CODEC, ENOMEM.  scratch as batch_records_init().
 */
int salvage_check_records(const uint8_t *data, const struct batch *b,
    struct buf *scratch, const char **what);

#endif
