#ifndef STORE_STATE_H
#define STORE_STATE_H

/*
 * partition.state: how far the log goes, for those who write it and those who
 * read it.
 *
 * One page of 4096 bytes with two slots, at 0 and at 2048.  A write goes to
 * the slot that is not the current one, so one is whole at any moment; the
 * slot with a right CRC and the greater sequence number is the current one.
 * Written only under the log lock, by pwrite(2), which inotify(7) reports.
 *
 *	pos size  field
 *	  0    4  magic "LKPS"
 *	  4    4  CRC-32C of bytes 8 to 511
 *	  8    2  format version, 1; a greater one is refused
 *	 10    1  role (enum state_role)
 *	 11    1  reserved, 0
 *	 12    4  flags (STATE_*)
 *	 16    8  sequence number of this write
 *	 24   16  boot id of the kernel that ran the writer
 *	 40    8  mount id of the partition directory
 *	 48    8  inode of the active segment; 0 while it is being made
 *	 56    8  active segment's base offset
 *	 64    8  end offset: of the next record
 *	 72    8  end position: bytes of the active segment
 *	 80    8  synced offset: all below is on the device
 *	 88    8  synced position in the active segment
 *	 96    8  visible offset: readers stop here
 *	104    8  first offset of the oldest open transaction, -1 none
 *	112    8  log start offset: records below are deleted
 *	120    4  leader epoch of the last batch; -1 none yet
 *	124    4  aborted transactions noted in the active .txnindex
 *	128    8  snapshot offset: producers known up to here; -1 none
 *	136    8  bytes appended since that snapshot
 *	144    8  timestamp of the active segment's first batch, -1 none
 *	152    8  largest timestamp in the active segment, -1 none
 *	160    8  offset of the record that has it (its batch's last)
 *	168    8  wall clock at the active segment's creation, ms
 *	176    8  position up to which the offset index has been filled
 *	184    4  entries in the offset index
 *	188    4  entries in the time index
 *	192    8  timestamp of the last time index entry, -1 none
 *	200    8  synced position when this file was last synced, and indexes
 *	208    8  batches in the active segment
 *	216    8  records in its data batches
 *	224    8  bytes of its data batches
 *	232    4  CRC-32C of the active segment up to the end position
 *	236    8  smallest base timestamp in the active segment, -1 none
 *	244    8  inode of this file
 *	252    8  largest timestamp in all earlier segments, or more, -1 none
 *	260    8  another, greater number whenever the end offset falls
 *	268       reserved, 0
 *
 * The last stable offset is the smaller of visible and the open transaction's
 * first offset.  What each number may be trusted for, and when, is told in
 * partition.h.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STATE_FILE "partition.state"

enum {
	STATE_VERSION = 1,
	STATE_PAGE_LEN = 4096,
	STATE_SLOT_LEN = 512,
	STATE_SLOT_B = 2048,
};

enum state_role {
	STATE_ROLE_OPEN = 0,	/* local programs append */
	STATE_ROLE_REPLICA,	/* filled by a replication */
	STATE_ROLE_LEADER,	/* a server of a cluster leads it */
	STATE_ROLE_FOLLOWER,	/* a server of a cluster follows */
};

enum state_flag {
	STATE_FAILED = 1,	/* a write or sync failed: verify first */
	STATE_SYNCING = 2,	/* a sync was begun; see lock.h byte 2 */
	STATE_RELAXED = 4,	/* visible may have been past synced */
	STATE_SUMS = 8,		/* batches, records, bytes, CRC are right */
	STATE_PRODUCERS = 16,	/* batches with producer ids occur */
	STATE_PROMOTED = 32,	/* was a replica; its writers' own now */
};

struct state {
	enum state_role role;
	uint32_t flags;
	uint64_t sequence;
	uint8_t boot_id[16];
	uint64_t mount_id;
	uint64_t inode;
	int64_t active_base;
	int64_t end_offset;
	int64_t end_pos;
	int64_t synced_offset;
	int64_t synced_pos;
	int64_t visible_offset;
	int64_t unstable_offset;
	int64_t log_start;
	int32_t leader_epoch;
	int32_t aborted_count;
	int64_t snapshot_offset;
	int64_t snapshot_bytes;
	int64_t first_timestamp;
	int64_t max_timestamp;
	int64_t max_timestamp_offset;
	int64_t created_ms;
	int64_t index_pos;
	int32_t index_count;
	int32_t timeindex_count;
	int64_t timeindex_last;
	int64_t persisted_pos;
	int64_t batches;
	int64_t records;
	int64_t data_bytes;
	uint32_t segment_crc;
	int64_t min_timestamp;
	int64_t state_inode;
	int64_t earlier_timestamp;
	uint64_t cuts;
};

/* A state of a partition without any segment; log start and base are 0. */
void state_init(struct state *s);
/* Forget what concerns one segment and begin a new one at base. */
void state_begin_segment(struct state *s, int64_t base, int64_t now_ms);
/* The end falls: cuts becomes a number that it was never before. */
void state_cut(struct state *s, int64_t now_ms);
/* The last stable offset. */
int64_t state_last_stable(const struct state *s);

void state_encode(const struct state *s, uint8_t slot[STATE_SLOT_LEN]);
/* STATUS_CORRUPT: not a slot, or torn.  STATUS_NEWER: a later version. */
int state_decode(const uint8_t slot[STATE_SLOT_LEN], struct state *out);

/*
 * Read the current slot.  STATUS_CORRUPT if neither is whole (after a few
 * more looks, since a writer may be at work), STATUS_NEWER, errno.
 */
int state_read(int fd, struct state *out);
/*
 * The same, and whether it may not be the last that was written, since the
 * other slot is damaged (*doubt).  Positions in it are then old news.
 */
int state_look(int fd, struct state *out, bool *doubt);
/* Raise the sequence number and write the slot that is not current. */
int state_write(int fd, struct state *s);
/*
 * Open the file; to write, it is made if missing (empty: see state_fill).
 * ENOENT to read.
 */
int state_open(int dirfd, bool write, mode_t mode, gid_t gid, int *fd);
/*
 * Under the log lock: give the file its whole page, with void slots, so that
 * a full disk cannot refuse a state later.
 */
int state_fill(int fd);

/* Where we run: the kernel's boot id, the mount of dirfd. */
int state_boot_id(uint8_t out[16]);
uint64_t state_mount_id(int dirfd);

#endif
