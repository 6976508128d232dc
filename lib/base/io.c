#include "base/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/status.h"

enum {
	REMOVE_TRIES = 100, /* to find a directory empty that others fill */
	MAKE_TRIES = 100, /* to make a file that others make, too */
};

int
io_open(int dirfd, const char *name, int flags, mode_t mode, int *fd)
{
	bool is_file = (flags & (O_DIRECTORY | O_PATH)) == 0;
	struct stat st;
	int got;

	if (is_file)
		flags |= O_NONBLOCK | O_NOCTTY;
	if (is_file && (flags & O_ACCMODE) != O_RDONLY)
		flags |= O_NOFOLLOW;
	do
		got = openat(dirfd, name, flags | O_CLOEXEC, mode);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return errno == ELOOP || errno == EISDIR ? STATUS_NOT_FILE
							 : errno;
	if (is_file && (fstat(got, &st) != 0 || !S_ISREG(st.st_mode))) {
		(void)io_close(&got);
		return STATUS_NOT_FILE;
	}
	*fd = got;
	return 0;
}

/* Give an open file a name.  EEXIST: there is one of that name. */
static int
give_name(int fd, int dirfd, const char *name)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, path, dirfd, name, AT_SYMLINK_FOLLOW) == 0
	    ? 0
	    : errno;
}

/*
 * By way of IO_MADE_FILE, which may be what somebody who was killed left, and
 * is removed.  That of another who is at it may be, too: then that one, having
 * none to give a name to (ENOENT), does it again.
 */
static int
make_by_name(int dirfd, const char *name, mode_t mode, gid_t gid)
{
	int fd = -1, rc = io_unlink(dirfd, IO_MADE_FILE);

	if (rc == 0 || rc == ENOENT)
		rc = io_open(dirfd, IO_MADE_FILE, O_RDWR | O_CREAT | O_EXCL,
		    0600, &fd);
	if (rc != 0)
		return rc;
	rc = io_set_access(fd, mode, gid);
	if (rc == 0)
		rc = give_name(fd, dirfd, name);
	/* Where a file has but one name, nor has it a mode of its own. */
	if (rc == EPERM || rc == EOPNOTSUPP)
		rc = io_rename_new(dirfd, IO_MADE_FILE, name);
	(void)io_unlink(dirfd, IO_MADE_FILE);
	(void)io_close(&fd);
	return rc;
}

/* An empty file that has its access before its name. */
static int
make_file(int dirfd, const char *name, mode_t mode, gid_t gid)
{
	int fd = -1, rc = io_open(dirfd, ".", O_RDWR | O_TMPFILE, mode, &fd);

	if (rc == 0)
		rc = io_set_access(fd, mode, gid);
	if (rc == 0)
		rc = give_name(fd, dirfd, name);
	(void)io_close(&fd);
	/* The file system, or the kernel, has none without a name. */
	if (rc == EOPNOTSUPP || rc == STATUS_NOT_FILE || rc == EPERM)
		rc = make_by_name(dirfd, name, mode, gid);
	return rc;
}

int
io_open_made(int dirfd, const char *name, int flags, mode_t mode, gid_t gid,
    int *fd)
{
	int rc = ENOENT;

	for (int tries = 0; tries < MAKE_TRIES; tries++) {
		rc = io_open(dirfd, name, O_RDWR | flags, 0, fd);
		if (rc != ENOENT)
			return rc;
		rc = make_file(dirfd, name, mode, gid);
		if (rc != 0 && rc != EEXIST && rc != ENOENT)
			return rc;
	}
	return rc;
}

int
io_close(int *fd)
{
	int rc = 0;

	/* Linux frees the descriptor whatever close(2) returns. */
	if (*fd >= 0 && close(*fd) != 0 && errno != EINTR)
		rc = errno;
	*fd = -1;
	return rc;
}

int
io_pread(int fd, void *data, size_t len, int64_t pos, size_t *got)
{
	*got = 0;
	while (*got < len) {
		ssize_t n = pread(fd, (char *)data + *got, len - *got,
		    (off_t)(pos + (int64_t)*got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (n == 0)
			break;
		*got += (size_t)n;
	}
	return 0;
}

int
io_pread_full(int fd, void *data, size_t len, int64_t pos)
{
	size_t got;
	int rc = io_pread(fd, data, len, pos, &got);

	if (rc == 0 && got < len)
		rc = STATUS_SHORT;
	return rc;
}

int
io_pread_cached(int fd, void *data, size_t len, int64_t pos, size_t *got)
{
	struct iovec v = {data, len};
	ssize_t n;

	do
		n = preadv2(fd, &v, 1, (off_t)pos, RWF_NOWAIT);
	while (n < 0 && errno == EINTR);
	*got = n < 0 ? 0 : (size_t)n;
	return n < 0 ? errno : 0;
}

bool
io_is_cached(int fd, int64_t pos)
{
	uint8_t byte;
	size_t got;

	return io_pread_cached(fd, &byte, 1, pos, &got) != EAGAIN;
}

int
io_pwrite_full(int fd, const void *data, size_t len, int64_t pos)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, data, len, (off_t)pos);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		data = (const char *)data + n;
		len -= (size_t)n;
		pos += n;
	}
	return 0;
}

int
io_pwritev_full(int fd, struct iovec *iov, int count, int64_t pos)
{
	while (count > 0) {
		ssize_t n = pwritev(fd, iov, count, (off_t)pos);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		pos += n;
		while (count > 0 && (size_t)n >= iov->iov_len) {
			n -= (ssize_t)iov->iov_len;
			iov++;
			count--;
		}
		if (count > 0) {
			iov->iov_base = (char *)iov->iov_base + n;
			iov->iov_len -= (size_t)n;
		}
	}
	return 0;
}

int
io_write_part(int fd, const void *data, size_t len, size_t *done)
{
	ssize_t n = write(fd, data, len);

	if (n < 0)
		return errno;
	*done = (size_t)n;
	return 0;
}

int
io_write_full(int fd, const void *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		data = (const char *)data + n;
		len -= (size_t)n;
	}
	return 0;
}

/* Not retried on EINTR: after any failure the pages are not to be trusted. */
int
io_sync(int fd)
{
	return fdatasync(fd) == 0 ? 0 : errno;
}

int
io_sync_dir(int fd)
{
	return fsync(fd) == 0 ? 0 : errno;
}

void
io_sync_start(int fd, int64_t pos, int64_t len)
{
	(void)sync_file_range(fd, pos, len, SYNC_FILE_RANGE_WRITE);
}

int
io_allocate(int fd, int64_t pos, int64_t len)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) != 0)
		return errno;
	if (fs.f_type != EXT4_SUPER_MAGIC)
		return EOPNOTSUPP;
	return fallocate(fd, FALLOC_FL_KEEP_SIZE, pos, len) == 0 ? 0 : errno;
}

void
io_drop_cache(int fd)
{
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}

int
io_truncate(int fd, int64_t size)
{
	int rc;

	do
		rc = ftruncate(fd, size);
	while (rc != 0 && errno == EINTR);
	return rc == 0 ? 0 : errno;
}

int
io_rename(int dirfd, const char *from, const char *to)
{
	return renameat(dirfd, from, dirfd, to) == 0 ? 0 : errno;
}

int
io_rename_new(int dirfd, const char *from, const char *to)
{
	return renameat2(dirfd, from, dirfd, to, RENAME_NOREPLACE) == 0 ? 0
									: errno;
}

int
io_unlink(int dirfd, const char *name)
{
	return unlinkat(dirfd, name, 0) == 0 ? 0 : errno;
}

int
io_rmdir(int dirfd, const char *name)
{
	return unlinkat(dirfd, name, AT_REMOVEDIR) == 0 ? 0 : errno;
}

int
io_mkdir(int dirfd, const char *name, mode_t mode)
{
	return mkdirat(dirfd, name, mode) == 0 ? 0 : errno;
}

/* One entry of a directory that is being removed; another may be faster. */
static int
remove_entry(int dirfd, const char *name)
{
	int rc = io_unlink(dirfd, name);

	if (rc == EISDIR || rc == EPERM)
		rc = io_remove_tree(dirfd, name);
	return rc == ENOENT ? 0 : rc;
}

/* All that is in a directory now. */
static int
remove_entries(DIR *dir)
{
	struct dirent *e;
	int rc = 0;

	rewinddir(dir);
	while (errno = 0, rc == 0 && (e = readdir(dir)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			rc = remove_entry(dirfd(dir), e->d_name);
	return rc == 0 ? errno : rc;
}

int
io_remove_tree(int dirfd, const char *name)
{
	DIR *dir;
	int rc = 0,
	    fd = openat(dirfd, name,
		O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL) {
		rc = errno;
		(void)io_close(&fd);
		return rc;
	}
	for (int tries = 0; tries < REMOVE_TRIES; tries++) {
		rc = remove_entries(dir);
		if (rc != 0)
			break;
		rc = io_rmdir(dirfd, name);
		if (rc != ENOTEMPTY)
			break;
	}
	closedir(dir);
	return rc;
}

int
io_set_access(int fd, mode_t mode, gid_t gid)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return errno;
	/* A group we are not in is left as it is: setgid covers that. */
	if (st.st_gid != gid && fchown(fd, (uid_t)-1, gid) != 0 &&
	    errno != EPERM)
		return errno;
	if ((st.st_mode & 07777) != mode && fchmod(fd, mode) != 0)
		return errno;
	return 0;
}

int
io_read_file(int dirfd, const char *name, size_t max, struct buf *b)
{
	int fd = -1;
	size_t start = b->len, got;
	struct stat st;
	int rc;

	rc = io_open(dirfd, name, O_RDONLY, 0, &fd);
	if (rc != 0)
		return rc;
	if (fstat(fd, &st) != 0)
		rc = errno;
	else if ((uint64_t)st.st_size > max)
		rc = STATUS_TOO_BIG;
	/* One byte more tells a file that has grown since. */
	if (rc == 0)
		rc = buf_reserve(b, (size_t)st.st_size + 1);
	if (rc == 0)
		rc = io_pread(fd, b->data + start, (size_t)st.st_size + 1, 0,
		    &got);
	if (rc == 0)
		b->len = start + got;
	(void)io_close(&fd);
	return rc;
}

int
io_open_anew(int dirfd, const char *name, int *fd)
{
	const int flags = O_WRONLY | O_CREAT | O_TRUNC;
	int rc = io_open(dirfd, name, flags, 0600, fd);

	/* One that another user made, and was killed. */
	if (rc == EACCES && io_unlink(dirfd, name) == 0)
		rc = io_open(dirfd, name, flags, 0600, fd);
	return rc;
}

int
io_replace_file(int dirfd, const char *name, const void *data, size_t len,
    mode_t mode, gid_t gid)
{
	char tmp[300];
	int fd = -1, rc, close_rc;

	if (snprintf(tmp, sizeof(tmp), "%s.tmp", name) >= (int)sizeof(tmp))
		return ENAMETOOLONG;
	rc = io_open_anew(dirfd, tmp, &fd);
	if (rc != 0)
		return rc;
	rc = io_set_access(fd, mode, gid);
	if (rc == 0)
		rc = io_write_full(fd, data, len);
	if (rc == 0)
		rc = io_sync(fd);
	close_rc = io_close(&fd);
	if (rc == 0)
		rc = close_rc;
	if (rc == 0)
		rc = io_rename(dirfd, tmp, name);
	if (rc != 0) {
		(void)io_unlink(dirfd, tmp);
		return rc;
	}
	return io_sync_dir(dirfd);
}

static struct flock
lock_request(int64_t byte, enum io_lock kind)
{
	struct flock fl = {.l_whence = SEEK_SET, .l_len = 1};

	fl.l_start = (off_t)byte;
	fl.l_type = F_UNLCK;
	if (kind == IO_LOCK_SHARED)
		fl.l_type = F_RDLCK;
	else if (kind == IO_LOCK_EXCLUSIVE)
		fl.l_type = F_WRLCK;
	return fl;
}

int
io_lock(int fd, int64_t byte, enum io_lock kind, bool wait)
{
	struct flock fl = lock_request(byte, kind);
	int rc;

	do
		rc = fcntl(fd, wait ? F_OFD_SETLKW : F_OFD_SETLK, &fl);
	while (rc != 0 && errno == EINTR);
	if (rc == 0)
		return 0;
	return errno == EACCES ? EAGAIN : errno;
}

int
io_locked(int fd, int64_t byte, bool *locked)
{
	return io_locked_any(fd, byte, 1, locked);
}

int
io_locked_any(int fd, int64_t byte, int64_t len, bool *locked)
{
	struct flock fl = lock_request(byte, IO_LOCK_EXCLUSIVE);

	fl.l_len = (off_t)len;
	if (fcntl(fd, F_OFD_GETLK, &fl) != 0)
		return errno;
	*locked = fl.l_type != F_UNLCK;
	return 0;
}
