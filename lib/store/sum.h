#ifndef STORE_SUM_H
#define STORE_SUM_H

/*
 * %020d.sum: what is in a sealed segment, written when it is sealed (at a
 * roll, by compaction).  It gives exact counts without a scan, and its CRC
 * covers the header bytes that the batches' own do not.  256 bytes:
 *
 *	pos size
 *	  0    4  magic "LKSM"
 *	  4    4  CRC-32C of bytes 8 to 255
 *	  8    2  format version, 1
 *	 10    2  flags: 1 batches with producer ids occur; 2 compacted
 *		  together with all that is before it; 4 the CRCs of the
 *		  indexes are there
 *	 12    4  CRC-32C of the whole segment file
 *	 16    8  size of the segment file
 *	 24    8  next offset: where the next segment begins
 *	 32    8  batches
 *	 40    8  records in data batches (control records not counted)
 *	 48    8  bytes of data batches
 *	 56    8  smallest batch base timestamp, -1 none
 *	 64    8  largest timestamp, -1 none
 *	 72    4  aborted transactions noted in the .txnindex
 *	 76    8  largest timestamp in this and all earlier segments, or more
 *	 84    8  earliest delete horizon of a batch, -1 none
 *	 92    4  CRC-32C of the .index file
 *	 96    4  CRC-32C of the .timeindex file
 *	100       0
 *
 * A missing or bad .sum says nothing; it can be made again from the segment.
 */

#include <stdint.h>
#include <sys/types.h>

enum {
	SUM_LEN = 256,
	SUM_VERSION = 1,
	SUM_PRODUCERS = 1,
	SUM_COMPACTED = 2,
	SUM_INDEXED = 4,
};

struct sum {
	uint16_t flags;
	uint32_t crc;
	int64_t size;
	int64_t next_offset;
	int64_t batches;
	int64_t records;
	int64_t data_bytes;
	int64_t min_timestamp;
	int64_t max_timestamp;
	int32_t aborted_count;
	int64_t prefix_timestamp;
	int64_t delete_horizon;
	uint32_t index_crc;
	uint32_t timeindex_crc;
};

void sum_encode(const struct sum *s, uint8_t out[SUM_LEN]);
int sum_decode(const uint8_t in[SUM_LEN], struct sum *out);
/* ENOENT, STATUS_CORRUPT, STATUS_NEWER. */
int sum_read(int dirfd, int64_t base, struct sum *out);
/* Durably, under a temporary name first. */
int sum_write(int dirfd, int64_t base, const struct sum *s, mode_t mode,
    gid_t gid);

#endif
