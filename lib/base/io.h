#ifndef BASE_IO_H
#define BASE_IO_H

/*
 * The only file calls of the project: whatever changes a file goes through
 * here, so that a test can fail, shorten or record each of them.
 *
 * Interrupted calls (EINTR) are retried, short ones go on until done or
 * until the system says why not.  Descriptors are opened close-on-exec.
 * All return 0, errno, or a STATUS_* named at the function.
 */

#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/*
 * Open NAME in the directory dirfd (AT_FDCWD: the current one): a regular
 * file, or with O_DIRECTORY a directory.  STATUS_NOT_FILE: anything else; a
 * FIFO or a device put in a file's place is not waited for, and nothing is
 * written where a symbolic link leads.
 */
int io_open(int dirfd, const char *name, int flags, mode_t mode, int *fd);
/*
 * Open a file for reading and writing, and flags; where it is missing an empty
 * one is made, with mode and gid as io_set_access().  It is there with that
 * access or not at all, whenever we are killed, and is only ever one: of those
 * who make it at once all open the same.
 */
int io_open_made(int dirfd, const char *name, int flags, mode_t mode, gid_t gid,
    int *fd);
/*
 * Where files need a name to be made, this one is in use for a moment.  What a
 * killed process leaves of it is removed by who makes the next file.
 */
#define IO_MADE_FILE "made.tmp"
/* Close *fd, if it is one, and set it to -1.  The first error is told. */
int io_close(int *fd);

/*
 * Read up to len bytes from pos; fewer only at the end of the file.
 * *got is set in any case to what was read before an error.
 */
int io_pread(int fd, void *data, size_t len, int64_t pos, size_t *got);
/* Read exactly len bytes from pos.  STATUS_SHORT if the file ends before. */
int io_pread_full(int fd, void *data, size_t len, int64_t pos);
/*
 * The same as far as it is in memory: never waits for a device.  Short also
 * where that ends.  EAGAIN: nothing of it is.  EOPNOTSUPP: the file system
 * cannot tell.
 */
int io_pread_cached(int fd, void *data, size_t len, int64_t pos, size_t *got);
/* Is that byte in memory?  Where that cannot be told, as if it were. */
bool io_is_cached(int fd, int64_t pos);
/* Write all at pos. */
int io_pwrite_full(int fd, const void *data, size_t len, int64_t pos);
/*
 * Write all of iov[0..count) at pos, by one pwritev(2) where the system takes
 * it whole.  iov is used up.
 */
int io_pwritev_full(int fd, struct iovec *iov, int count, int64_t pos);
/* Write all to a stream (pipe, terminal, file at its position). */
int io_write_full(int fd, const void *data, size_t len);
/* Write some of it: *done bytes, of which a signal may make none (EINTR). */
int io_write_part(int fd, const void *data, size_t len, size_t *done);

/* fdatasync(2): the data and the size are on the device, or an error. */
int io_sync(int fd);
/* fsync(2) of a directory: its names are on the device. */
int io_sync_dir(int fd);
/* Ask the kernel to begin writing what is dirty in a range; a hint. */
void io_sync_start(int fd, int64_t pos, int64_t len);
/*
 * Allocate the blocks of a range, which may be beyond the end of the file; its
 * size stays.  EOPNOTSUPP, too, on file systems where nothing is gained by it.
 */
int io_allocate(int fd, int64_t pos, int64_t len);
/*
 * Forget the file's clean pages, so that a read asks the device.  Of a range
 * the kernel would keep those, or the folios, that are not wholly in it.
 */
void io_drop_cache(int fd);

int io_truncate(int fd, int64_t size);
int io_rename(int dirfd, const char *from, const char *to);
/* The same, but EEXIST if TO is there; EINVAL: not on this file system. */
int io_rename_new(int dirfd, const char *from, const char *to);
int io_unlink(int dirfd, const char *name);
int io_rmdir(int dirfd, const char *name);
int io_mkdir(int dirfd, const char *name, mode_t mode);

/*
 * Remove a directory with all that is in it; links are not followed.  What
 * others remove meanwhile is no error, and what they make is removed, too.
 * ENOTEMPTY: they do not stop.
 */
int io_remove_tree(int dirfd, const char *name);

/* Give fd these mode bits whatever the umask, and the group if it can. */
int io_set_access(int fd, mode_t mode, gid_t gid);

/*
 * Read the whole of a small file into b (after what is there).
 * STATUS_TOO_BIG if it is larger than max bytes.
 */
int io_read_file(int dirfd, const char *name, size_t max, struct buf *b);
/*
 * Open a temporary file to be written from its beginning, of mode 0600.  What
 * was left there may be any user's who may write the directory.
 */
int io_open_anew(int dirfd, const char *name, int *fd);
/*
 * Write a small file so that a crash at any moment leaves the old or the new
 * one: NAME.tmp, sync, rename, sync of dirfd.  mode and gid as
 * io_set_access().
 */
int io_replace_file(int dirfd, const char *name, const void *data, size_t len,
    mode_t mode, gid_t gid);

/* Kinds of lock; see io_lock(). */
enum io_lock {
	IO_UNLOCK,
	IO_LOCK_SHARED,
	IO_LOCK_EXCLUSIVE,
};
/*
 * Change the lock on one byte of fd: an open file description lock
 * (F_OFD_SETLK), which belongs to the open file and goes with its last
 * descriptor.  With wait, waits; without, EAGAIN if another holds it.
 */
int io_lock(int fd, int64_t byte, enum io_lock kind, bool wait);
/* Does another open description hold a lock on the byte? */
int io_locked(int fd, int64_t byte, bool *locked);
/* The same of any of len bytes. */
int io_locked_any(int fd, int64_t byte, int64_t len, bool *locked);

#endif
