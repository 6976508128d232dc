#ifndef STORE_SEGMENT_H
#define STORE_SEGMENT_H

/*
 * Segments: the files %020d.log that hold record batches one after another,
 * named after the lowest offset they may hold.  Offsets in a segment are at
 * or above its base and below the next segment's; gaps are legal.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "store/batch.h"

struct fault;

enum { SEGMENT_NAME_LEN = 40 };

/* "00000000000000000042.log" for base 42 and suffix ".log". */
void segment_name(char out[SEGMENT_NAME_LEN], int64_t base, const char *suffix);
/* Is name 20 digits and that suffix?  Then *base is set. */
bool segment_parse_name(const char *name, const char *suffix, int64_t *base);
/*
 * Remove the files of one segment, those that are there.  The log goes last, so
 * that a call that was killed can be made again.
 */
int segment_remove(int dirfd, int64_t base);

/*
 * Is that segment's .log another file now than fd, which was opened as it?
 * Compaction does that, and what stood in later segments may be in it, too.
 */
bool segment_is_replaced(int dirfd, int64_t base, int fd);

/* The base offsets of all files of one suffix in a directory, ascending. */
struct segment_list {
	int64_t *bases;		/* owned */
	size_t count;
};

/* STATUS_TOO_BIG over SEGMENTS_MAX. */
int segment_list_read(int dirfd, const char *suffix, struct segment_list *l);
void segment_list_release(struct segment_list *l);
/* Leave out those that lie wholly below an offset. */
void segment_list_skip(struct segment_list *l, int64_t offset);
/* Index of the greatest base <= offset; 0 if all are above.  count > 0. */
size_t segment_list_find(const struct segment_list *l, int64_t offset);

/*
 * Walking over the batches of a file from a position on.
 *
 * Reads blocks of block_bytes, larger only where one batch is; whole batches
 * come out, their CRC checked.  The file is never read at or past limit
 * (-1: no limit), so what others are writing there is not seen.
 */
struct segment_scan {
	int fd;			/* not owned */
	int64_t pos;		/* of the batch that comes next */
	int64_t limit;
	bool verify;		/* check CRCs (set by init) */
	size_t block_bytes;
	struct buf block;
	int64_t block_pos;	/* file position of block.data[0] */
	const char *what;	/* why the last next() failed */
};

void segment_scan_init(struct segment_scan *s, size_t block_bytes);
void segment_scan_release(struct segment_scan *s);
/* Begin at pos of another file, or again; what was read ahead is dropped. */
void segment_scan_start(struct segment_scan *s, int fd, int64_t pos,
    int64_t limit);
/*
 * The next batch: *b its header, *data its bytes (valid until the next
 * call), s->pos moved behind it.  On any other result pos stays.
 * STATUS_END: the file or the limit ends exactly here.  STATUS_SHORT: it ends
 * inside the batch.  STATUS_CORRUPT, STATUS_UNSUPPORTED: what is here is not
 * a valid batch; s->what says why.
 */
int segment_scan_next(struct segment_scan *s, struct batch *b,
    const uint8_t **data);
/*
 * After damage: move pos to the next place before the limit where a whole
 * valid batch with a base offset in [offset_min, offset_max) stands.
 * STATUS_END if there is none (pos is then the end).
 */
int segment_scan_resync(struct segment_scan *s, int64_t offset_min,
    int64_t offset_max);

/* Read one batch header.  Errors as batch_decode(); STATUS_END at the end. */
int segment_header_at(int fd, int64_t pos, struct batch *b);

#endif
