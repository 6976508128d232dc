#ifndef STORE_TXNINDEX_H
#define STORE_TXNINDEX_H

/*
 * %020d.txnindex: the aborted transactions whose abort marker lies in the
 * segment of that base offset (KIP-98).  34 bytes per entry, ascending by
 * last offset; the file exists only if there is an entry.
 *
 *	pos size
 *	  0    2  version, 0
 *	  2    8  producer id
 *	 10    8  first offset of the transaction
 *	 18    8  last offset: the marker
 *	 26    8  last stable offset after the marker
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { TXNINDEX_ENTRY_LEN = 34 };

struct aborted {
	int64_t producer_id;
	int64_t first_offset;
	int64_t last_offset;
	int64_t last_stable;
};

/* A growing list of them; at most ABORTED_MAX. */
struct aborted_list {
	struct aborted *items;	/* owned */
	size_t count;
	size_t cap;
};

void txnindex_list_init(struct aborted_list *l);
void txnindex_list_release(struct aborted_list *l);
int txnindex_list_add(struct aborted_list *l, const struct aborted *a);
/* Order the list by producer, then first offset. */
void txnindex_list_sort(struct aborted_list *l);
/*
 * Is the record at offset of this producer part of an aborted transaction of
 * the list?  The list is sorted; one producer's transactions do not overlap.
 */
bool txnindex_list_has(const struct aborted_list *l, int64_t producer_id,
    int64_t offset);

void txnindex_encode(const struct aborted *a, uint8_t out[TXNINDEX_ENTRY_LEN]);
/* STATUS_CORRUPT: another version, or offsets that make no sense. */
int txnindex_decode(const uint8_t in[TXNINDEX_ENTRY_LEN], struct aborted *out);

/*
 * Append the entries of the segment's file that end at or after from to l.
 * A missing file is no entries.  A bad entry, or a length that is no
 * multiple, is STATUS_CORRUPT.  *count (may be NULL) is the number in the
 * file.
 */
int txnindex_read(int dirfd, int64_t base, int64_t from, struct aborted_list *l,
    int32_t *count);
/*
 * Write entry number count (from 0) of the segment's file, made if missing;
 * synced, since nothing but the whole log could tell that it is lost.
 */
int txnindex_append(int dirfd, int64_t base, int32_t count,
    const struct aborted *a, mode_t mode, gid_t gid);
/* Keep the first count entries (none: the file is removed); synced. */
int txnindex_truncate(int dirfd, int64_t base, int32_t count);

#endif
