#ifndef STORE_OFFINDEX_H
#define STORE_OFFINDEX_H

/*
 * %020d.index: from offset to position in the segment of that base offset.
 * 8 bytes per entry, both fields strictly ascending:
 *
 *	pos size
 *	  0    4  last offset of a batch minus the base offset
 *	  4    4  position where that batch (or the write it came in) begins
 *
 * So an entry never points past its offset.  It is sparse: about one per
 * index.interval.bytes.  A writer that dies may leave a bad tail, and other
 * writers leave zeroes behind it; entries from the first on that does not
 * ascend are void.  An index is only ever a hint: whoever uses it checks
 * what stands at the position.
 */

#include <stdint.h>
#include <sys/types.h>

enum { OFFINDEX_ENTRY_LEN = 8 };

struct offindex_entry {
	int64_t offset;
	int64_t pos;
};

/*
 * The greatest entry of fd with an offset <= offset.  STATUS_END if there is
 * none.  The file is of the segment with that base.
 */
int offindex_find(int fd, int64_t base, int64_t offset,
    struct offindex_entry *out);
/* The same with a position <= pos. */
int offindex_find_pos(int fd, int64_t base, int64_t pos,
    struct offindex_entry *out);
/* Write entry number count.  ERANGE if it does not fit 32 bits. */
int offindex_append(int fd, int64_t base, int32_t count, int64_t offset,
    int64_t pos);
/* Entry number i; STATUS_END past the last. */
int offindex_get(int fd, int64_t base, int32_t i, struct offindex_entry *out);

#endif
