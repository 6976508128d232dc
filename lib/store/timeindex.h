#ifndef STORE_TIMEINDEX_H
#define STORE_TIMEINDEX_H

/*
 * %020d.timeindex: from timestamp to offset (KIP-33).  12 bytes per entry,
 * both fields ascending:
 *
 *	pos size
 *	  0    8  largest timestamp in the segment so far, ms
 *	  8    4  last offset of the batch that has it, minus the base offset
 *
 * Every record with a greater timestamp stands behind that offset.  A last
 * entry is always added when the segment is closed.  Like the offset index
 * it is a hint.
 */

#include <stdint.h>

enum { TIMEINDEX_ENTRY_LEN = 12 };

struct timeindex_entry {
	int64_t timestamp;
	int64_t offset;
};

/*
 * The greatest entry with a timestamp below timestamp.  STATUS_END if there
 * is none: begin at the segment's start.
 */
int timeindex_find(int fd, int64_t base, int64_t timestamp,
    struct timeindex_entry *out);
int timeindex_append(int fd, int64_t base, int32_t count, int64_t timestamp,
    int64_t offset);
int timeindex_get(int fd, int64_t base, int32_t i, struct timeindex_entry *out);

#endif
