#ifndef STORE_LOCK_H
#define STORE_LOCK_H

/*
 * partition.lock: who may write a partition now.
 *
 * The file is empty; its bytes are open file description locks (F_OFD_SETLK),
 * freed by the kernel when the holder dies.
 *
 *	byte 0	gate	held while waiting for the log, so that one who has
 *			just freed the log queues behind those who wait
 *	byte 1	log	held while bytes, indexes or state are written
 *	byte 2	sync	held from the note "syncing" in partition.state until
 *			its outcome is written there
 *	byte 3	clean	held while sealed segments are rewritten or removed
 *
 * Order: clean, sync, log.  Nobody waits for sync while holding log.  The file
 * can be opened only by those who may write the partition (access.h), so a
 * reader cannot hold up a writer.  It is never removed while the partition
 * exists.
 *
 * One struct lock per thread: locks belong to the open file description.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct lock {
	int fd;
	const char *path;	/* to tell that a wait lasts (patience.h) */
	int64_t until_ms;	/* monotonic: waits end; 0: they do not */
	bool log;		/* held by us */
	bool sync;
	bool clean;
};

#define LOCK_FILE "partition.lock"

void lock_init(struct lock *l);
/* Open the lock file in the partition directory, made if missing. */
int lock_open(struct lock *l, int dirfd, mode_t mode, gid_t gid);
void lock_close(struct lock *l);

/* Wait for the log: gate, log, free gate.  EAGAIN: until_ms has come. */
int lock_log(struct lock *l);
int lock_unlock_log(struct lock *l);
/* Wait for the right to sync, so; the log must not be held. */
int lock_sync(struct lock *l);
int lock_unlock_sync(struct lock *l);
/*
 * Is the log locked by somebody?  False also if the file cannot be opened,
 * which takes the permission to write.
 */
bool lock_is_held(int dirfd);
/* The right to clean; EAGAIN at once if another has it. */
int lock_clean(struct lock *l);
int lock_unlock_clean(struct lock *l);

#endif
