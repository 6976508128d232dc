#ifndef STORE_PARTITION_IMPL_H
#define STORE_PARTITION_IMPL_H

/*
 * The inside of struct partition, shared by partition.c (open, sync, roles),
 * partition_append.c, partition_delete.c (what retention deletes), roll.c
 * (segments begun and ended), recover.c and recover_producers.c (finding the
 * end again), tail.c (how far a reader may go), replica.c (filled from
 * elsewhere), cleaned.c (segments replaced), lost.c (bytes put aside), check
 * and repair.  Nobody else includes it.
 */

#include <sys/types.h>

#include "store/ahead.h"
#include "store/batch.h"
#include "store/epoch.h"
#include "store/lock.h"
#include "store/partition.h"
#include "store/producer.h"
#include "store/segment.h"
#include "store/state.h"

enum { PARTITION_RANGE_ENDS = 8 };

struct partition {
	char *path;
	int dirfd;
	enum partition_mode mode;
	struct partition_settings settings;
	mode_t file_mode;	/* for new files, from the directory's */
	mode_t lock_mode;
	gid_t gid;
	uint8_t boot_id[16];
	uint64_t mount_id;

	struct lock lock;
	int state_fd;
	struct state st;	/* as last read or written */
	bool is_alive;	/* st was found right once: no crash has been since */

	/* Writers: files of the active segment, -1 while not needed. */
	int log_fd;
	int64_t log_base;	/* segment that log_fd is of */
	int index_fd;
	int timeindex_fd;
	struct producer_table *producers;	/* NULL until needed */
	uint64_t producers_cuts;	/* of the state that they go with */
	/*
	 * Where the log ended when producers were loaded or, later, at two
	 * times a day apart: those of the last day lie above the first.
	 */
	struct partition_heard {
		int64_t time_ms;
		int64_t end;
	} heard[2];
	int64_t own_end;	/* end of our last append; -1 none unsynced */
	uint64_t own_cuts;	/* of the state then, or it may be gone */
	struct ahead ahead;	/* of the file log_fd */
	int64_t started_pos;	/* partition_sync_start() asked up to here */
	struct partition_cut cut;
	char bad_file[SEGMENT_NAME_LEN]; /* could not be opened; "" none */

	/* Readers of a directory without usable state: tail.c. */
	int64_t tail_base;	/* segment last scanned, -1 none */
	int64_t tail_pos;
	int64_t tail_offset;
	int tail_reason;	/* why the scan ended there */
	int64_t tail_unstable;
	struct producer_table *tail_producers;
	struct segment_list segments;	/* as last listed */
	bool has_segments;

	/*
	 * lookup_range.c: where ranges ended, mostly later ones begin; a few,
	 * as some may read at different places.
	 */
	struct range_end {
		int64_t base;	/* of the segment */
		int64_t offset;
		int64_t pos;	/* 0: there was none */
		bool used;	/* a later range began there */
	} range_ends[PARTITION_RANGE_ENDS];
	unsigned range_turn;	/* the one that is replaced next */
};

enum {
	/* Producers are saved, and the state synced, at least this often. */
	PARTITION_CHECKPOINT_BYTES = 64 << 20,
	PARTITION_SCAN_BLOCK = 256 << 10,
	/* Kafka's producer.id.expiration.ms. */
	PARTITION_PRODUCER_EXPIRATION_MS = 24 * 3600 * 1000,
};

/*
 * partition.c: nothing that was written since s can be lost: neither the
 * kernel nor the file system has gone down.
 */
bool partition_is_same_life(const struct partition *p, const struct state *s);

/* partition.c: take the log lock and know where the log ends. */
int partition_begin(struct partition *p, struct fault *f);
/* The same with the right to sync as well. */
int partition_begin_sync(struct partition *p, struct fault *f);
/* Free what these have taken. */
void partition_end(struct partition *p);
/*
 * partition_append.c: write batches that fit the active segment at its end, and
 * take note of them.  On an error nothing of it is there.
 */
int partition_put(struct partition *p, uint8_t *data, size_t len);
/* partition.c: if a file could not be opened it is what f names. */
int partition_name_file(struct partition *p, int rc, struct fault *f);

/* With the log lock: all that is in the log is ours to sync. */
void partition_own(struct partition *p);
/*
 * With the log lock: STATUS_FAILED, once, if what we have appended since the
 * last sync may have been cut off.
 */
int partition_check_own(struct partition *p);
/*
 * Trim the leader epochs: trim() is one of epoch.h.  *latest (or NULL): the
 * latest of those left, -1 if there is none.
 */
int partition_trim_epochs(struct partition *p,
    bool (*trim)(struct epoch_list *list, int64_t offset), int64_t offset,
    int32_t *latest);

/*
 * partition_delete.c: with the clean and log locks held, remove the segments
 * that lie wholly below the log start.
 */
int partition_remove_below(struct partition *p);
/*
 * replica.c: with the log lock held, remove the empty segments that a killed
 * call has left before a log that is empty, or behind the active one.
 */
int replica_remove_left(struct partition *p);

/* recover.c: with the log lock held, make st and the files agree. */
int recover_check(struct partition *p, struct fault *f);
/*
 * The log is cut: the segment of that base is the active one from now on, with
 * what its file holds.
 */
int recover_reopen(struct partition *p, int64_t base, struct fault *f);

/* Who we are, into the state; the active segment is open. */
int recover_sign(struct partition *p);

/* recover_producers.c: load the producers up to the log end, if any occur. */
int recover_producers(struct partition *p, struct fault *f);
/* Forget, once they are known, those that send nothing again (producer.h). */
void recover_producers_expire(struct partition *p);

/* roll.c */
/* Note, if rc is an error, that it is that file's; returns rc. */
int roll_blame(struct partition *p, int rc, const char *name);
/* Open the active segment, made if the state says that it is to be. */
int roll_open_active(struct partition *p);
/* Must a new segment begin before len bytes with these bounds? */
bool roll_is_due(const struct partition *p, size_t len, int64_t last_offset,
    int64_t max_timestamp);
/* With sync and log locks: end the active segment, begin the next. */
int roll_segment(struct partition *p, struct fault *f);
/* Save the producers as of the log end, those that are not forgotten. */
int roll_snapshot(struct partition *p, struct fault *f);
/*
 * Take note of a batch at pos that is now the last: indexes, sums, times.  Its
 * CRC has been verified.
 */
int roll_note_batch(struct partition *p, const uint8_t *data,
    const struct batch *b, int64_t pos);
/*
 * Another died while it synced: ask the device whether it has these bytes.
 * 0 or STATUS_FAILED.
 */
int roll_verify(struct partition *p, int64_t from, int64_t to);
/* Close the files of the active segment. */
void roll_close_files(struct partition *p);
/* Write the state and sync it. */
int roll_checkpoint(struct partition *p);
/* The epoch in the state begins at its end offset: into the checkpoint. */
int roll_note_epoch(struct partition *p, int32_t epoch, int64_t start);

#endif
