/*
 * A library to load into a program (LD_PRELOAD): each call that changes a
 * file, a name or a directory is added to $RECORD_TRACE (trace.h), and what
 * goes to standard output.  A call that fails changed nothing and is left out.
 */

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "trace.h"

#define EXPORT __attribute__((visibility("default")))

/* A call, and its name there where offsets are always 64 bits. */
#define REAL(type, name) ((type)(void *)dlsym(RTLD_NEXT, name))

static int trace_fd = -1;
static uint32_t writer;

static void
die(const char *what)
{
	(void)!syscall(1, 2, what, strlen(what));
	_exit(125);
}

/* What stdio writes does not pass through write() here: it is made to. */
static ssize_t
write_stdout(void *cookie, const char *data, size_t len)
{
	(void)cookie;
	return write(1, data, len);
}

__attribute__((constructor)) static void
begin(void)
{
	static const cookie_io_functions_t calls = {.write = write_stdout};
	const char *path = getenv("RECORD_TRACE"), *w = getenv("RECORD_WRITER");
	int fd;

	if (path == NULL)
		return;
	fd = REAL(int (*)(const char *, int, ...), "open")(path,
	    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	trace_fd = fcntl(fd, F_DUPFD_CLOEXEC, 900);
	if (trace_fd < 0)
		die("record: cannot open the trace\n");
	close(fd);
	stdout = fopencookie(NULL, "w", calls);
	if (stdout == NULL)
		die("record: no memory\n");
	writer = w == NULL ? 0 : (uint32_t)strtoul(w, NULL, 10);
}

static void
put(struct trace_entry *e, const char *name, const void *data, size_t len)
{
	struct iovec iov[3];
	int saved = errno;

	if (trace_fd < 0)
		return;
	e->writer = writer;
	e->name_len = name == NULL ? 0 : (uint32_t)strlen(name);
	e->data_len = (uint32_t)len;
	iov[0] = (struct iovec){e, sizeof(*e)};
	iov[1] = (struct iovec){(void *)(uintptr_t)name, e->name_len};
	iov[2] = (struct iovec){(void *)(uintptr_t)data, len};
	if (writev(trace_fd, iov, 3) !=
	    (ssize_t)(sizeof(*e) + e->name_len + len))
		die("record: cannot write the trace\n");
	errno = saved;
}

static uint64_t
inode_of(int fd, mode_t *mode)
{
	int saved = errno;
	struct stat st;

	if (fstat(fd, &st) != 0)
		st.st_ino = 0, st.st_mode = 0;
	if (mode != NULL)
		*mode = st.st_mode & S_IFMT;
	errno = saved;
	return st.st_ino;
}

/* The directory's inode. */
static uint64_t
dir_of(int dirfd, const char *path)
{
	struct stat st;

	if (strchr(path, '/') != NULL)
		die("record: a name with a directory\n");
	if (dirfd == AT_FDCWD)
		return stat(".", &st) == 0 ? st.st_ino : 0;
	return inode_of(dirfd, NULL);
}

/* Names with directories in them: of a directory opened for it. */
static int
dir_fd(int dirfd, const char *path, const char **name)
{
	char dir[4096];
	const char *slash = strrchr(path, '/');

	*name = path;
	if (slash == NULL || slash[1] == '\0' ||
	    (size_t)(slash - path) >= sizeof(dir))
		return -1;
	memcpy(dir, path, (size_t)(slash - path));
	dir[slash - path] = '\0';
	*name = slash + 1;
	return REAL(int (*)(int, const char *, int, ...), "openat")(dirfd,
	    dir[0] == '\0' ? "/" : dir, O_PATH | O_CLOEXEC);
}

static void
put_name(enum trace_kind kind, int dirfd, const char *path, uint64_t inode)
{
	struct trace_entry e = {.kind = kind, .inode = inode};
	const char *name;
	int fd = dir_fd(dirfd, path, &name);

	e.dir = dir_of(fd >= 0 ? fd : dirfd, name);
	put(&e, name, NULL, 0);
	if (fd >= 0)
		close(fd);
}

static int
open_recorded(int dirfd, const char *path, int flags, mode_t mode)
{
	int (*real)(int, const char *, int, ...) =
	    REAL(int (*)(int, const char *, int, ...), "openat");
	int fd;

	if ((flags & O_CREAT) == 0) {
		fd = real(dirfd, path, flags, mode);
		if (fd >= 0 && (flags & O_TRUNC) != 0) {
			struct trace_entry e = {.kind = TRACE_TRUNCATE,
			    .inode = inode_of(fd, NULL)};

			put(&e, NULL, NULL, 0);
		}
		return fd;
	}
	/* Made here, if nobody else is faster. */
	fd = real(dirfd, path, flags | O_EXCL, mode);
	if (fd >= 0) {
		put_name(TRACE_CREATE, dirfd, path, inode_of(fd, NULL));
		return fd;
	}
	if (errno != EEXIST || (flags & O_EXCL) != 0)
		return fd;
	return open_recorded(dirfd, path, flags & ~O_CREAT, mode);
}

#define MODE(flags)                                                            \
	mode_t mode = 0;                                                       \
	if (((flags) & (O_CREAT | O_TMPFILE)) != 0) {                          \
		va_list args;                                                  \
		va_start(args, flags);                                         \
		mode = va_arg(args, mode_t);                                   \
		va_end(args);                                                  \
	}

EXPORT int
open(const char *path, int flags, ...)
{
	MODE(flags)
	return open_recorded(AT_FDCWD, path, flags, mode);
}

EXPORT int
openat(int dirfd, const char *path, int flags, ...)
{
	MODE(flags)
	return open_recorded(dirfd, path, flags, mode);
}

static void
put_write(int fd, const void *data, ssize_t len, off_t pos)
{
	struct trace_entry e = {.kind = TRACE_WRITE, .pos = pos};
	mode_t kind;

	if (len <= 0)
		return;
	e.inode = inode_of(fd, &kind);
	if (kind == S_IFREG)
		put(&e, NULL, data, (size_t)len);
}

EXPORT ssize_t
pwrite(int fd, const void *data, size_t len, off_t pos)
{
	ssize_t n = REAL(ssize_t(*)(int, const void *, size_t, off_t),
	    "pwrite")(fd, data, len, pos);

	put_write(fd, data, n, pos);
	return n;
}

EXPORT ssize_t
pwritev(int fd, const struct iovec *iov, int count, off_t pos)
{
	ssize_t n = REAL(ssize_t(*)(int, const struct iovec *, int, off_t),
	    "pwritev")(fd, iov, count, pos);
	ssize_t left = n;

	for (int i = 0; i < count && left > 0; i++) {
		ssize_t part = (ssize_t)iov[i].iov_len;

		if (part > left)
			part = left;
		put_write(fd, iov[i].iov_base, part, pos);
		left -= part;
		pos += part;
	}
	return n;
}

EXPORT ssize_t
write(int fd, const void *data, size_t len)
{
	struct trace_entry e = {.kind = TRACE_OUTPUT};
	ssize_t n =
	    REAL(ssize_t(*)(int, const void *, size_t), "write")(fd, data, len);

	if (n > 0 && fd == 1)
		put(&e, NULL, data, (size_t)n);
	else if (n > 0 && trace_fd >= 0 && fd != trace_fd && fd != 2)
		put_write(fd, data, n, lseek(fd, 0, SEEK_CUR) - n);
	return n;
}

static int
sync_recorded(int fd, const char *call)
{
	struct trace_entry e = {.kind = TRACE_SYNC_BEGIN,
	    .inode = inode_of(fd, NULL)};
	int rc;

	put(&e, NULL, NULL, 0);
	rc = REAL(int (*)(int), call)(fd);
	e.kind = TRACE_SYNC_END;
	if (rc == 0)
		put(&e, NULL, NULL, 0);
	return rc;
}

EXPORT int
fsync(int fd)
{
	return sync_recorded(fd, "fsync");
}

EXPORT int
fdatasync(int fd)
{
	return sync_recorded(fd, "fdatasync");
}

EXPORT int
ftruncate(int fd, off_t size)
{
	struct trace_entry e = {.kind = TRACE_TRUNCATE, .pos = size};
	int rc = REAL(int (*)(int, off_t), "ftruncate")(fd, size);

	e.inode = inode_of(fd, NULL);
	if (rc == 0)
		put(&e, NULL, NULL, 0);
	return rc;
}

static int
rename_recorded(int from, const char *old, int to, const char *new,
    unsigned int flags)
{
	struct trace_entry e = {.kind = TRACE_RENAME};
	const char *old_name, *new_name;
	int old_fd = dir_fd(from, old, &old_name);
	int new_fd = dir_fd(to, new, &new_name);
	struct stat st = {.st_ino = 0};
	int rc;

	(void)fstatat(from, old, &st, AT_SYMLINK_NOFOLLOW);
	e.inode = st.st_ino;
	e.dir = dir_of(old_fd >= 0 ? old_fd : from, old_name);
	e.dir2 = dir_of(new_fd >= 0 ? new_fd : to, new_name);
	rc = REAL(int (*)(int, const char *, int, const char *, unsigned int),
	    "renameat2")(from, old, to, new, flags);
	if (rc == 0)
		put(&e, old_name, new_name, strlen(new_name));
	if (old_fd >= 0)
		close(old_fd);
	if (new_fd >= 0)
		close(new_fd);
	return rc;
}

EXPORT int
renameat(int from, const char *old, int to, const char *new)
{
	return rename_recorded(from, old, to, new, 0);
}

EXPORT int
renameat2(int from, const char *old, int to, const char *new,
    unsigned int flags)
{
	return rename_recorded(from, old, to, new, flags);
}

EXPORT int
rename(const char *old, const char *new)
{
	return rename_recorded(AT_FDCWD, old, AT_FDCWD, new, 0);
}

/* A file that had no name has one. */
EXPORT int
linkat(int from, const char *old, int to, const char *new, int flags)
{
	int rc = REAL(int (*)(int, const char *, int, const char *, int),
	    "linkat")(from, old, to, new, flags);
	struct stat st;

	if (rc == 0 && fstatat(to, new, &st, AT_SYMLINK_NOFOLLOW) == 0)
		put_name(TRACE_CREATE, to, new, st.st_ino);
	return rc;
}

EXPORT int
unlinkat(int dirfd, const char *path, int flags)
{
	int rc = REAL(int (*)(int, const char *, int), "unlinkat")(dirfd, path,
	    flags);

	if (rc == 0)
		put_name(TRACE_UNLINK, dirfd, path, 0);
	return rc;
}

EXPORT int
unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

EXPORT int
mkdirat(int dirfd, const char *path, mode_t mode)
{
	int rc = REAL(int (*)(int, const char *, mode_t), "mkdirat")(dirfd,
	    path, mode);
	struct stat st;

	if (rc == 0 && fstatat(dirfd, path, &st, 0) == 0)
		put_name(TRACE_MKDIR, dirfd, path, st.st_ino);
	return rc;
}

EXPORT int
mkdir(const char *path, mode_t mode)
{
	return mkdirat(AT_FDCWD, path, mode);
}
