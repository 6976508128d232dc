/*
 * Loaded into a program (LD_PRELOAD) to make one of its calls fail.
 *
 *	FAULT=CLASS:N:HOW	what happens to the N-th call of a class
 *	FAULT_LOG=FILE		gets a line "CLASS CALL PATH" when it happens
 *	FAULT_COUNT=FILE	gets a line "CLASS CALLS" for each class at exit
 *	FAULT_STATE=FILE	becomes what partition.state is on the device:
 *				as of its last sync
 *	FAULT_BOOT=FILE		is read in place of the kernel's boot id
 *
 * CLASS: open read write sync truncate rename unlink mkdir mode mmap alloc;
 * rename is of links, too, and mode of owners; change is every call that
 * changes a file, file every call but mmap and alloc.  Only counted: drop,
 * cached pages given up.
 * HOW:	EIO ENOSPC ENOMEM EMFILE EINTR	it fails so
 *	half		it does half of what it was asked to
 *	half-ENOSPC...	the same, and the next call of the class fails so
 *	half-kill	the same, and the process is killed: a write cut short
 *	kill-before kill-after		the process is killed there
 *	stop				the process is stopped before it
 *	slow				it and all of the class from then on
 *					begin SLOW_US late
 * A plus sign behind an error: all calls of the class fail from then on.
 *
 * Calls are counted from main on.  Standard error is never touched.
 */

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#pragma GCC visibility push(default)

/* How late: as a disk that has to turn. */
#define SLOW_US 4000

enum class {
	C_OPEN,
	C_READ,
	C_WRITE,
	C_SYNC,
	C_TRUNCATE,
	C_RENAME,
	C_UNLINK,
	C_MKDIR,
	C_MODE,
	C_MMAP,
	C_ALLOC,
	C_DROP,
	C_COUNT,
};

static const char *const class_names[C_COUNT] = {"open", "read", "write",
    "sync", "truncate", "rename", "unlink", "mkdir", "mode", "mmap", "alloc",
    "drop"};

static const struct {
	const char *name;
	int number;
} errors[] = {
	{"EIO", EIO},
	{"ENOSPC", ENOSPC},
	{"ENOMEM", ENOMEM},
	{"EMFILE", EMFILE},
	{"EINTR", EINTR},
};

void *__libc_malloc(size_t len);
void *__libc_calloc(size_t count, size_t len);
void *__libc_realloc(void *old, size_t len);

static bool ready;
static int counts[C_COUNT], changes, files;

/* What FAULT says. */
static enum { ON_CLASS, ON_CHANGE, ON_FILE } fault_on;
static int fault_class;
static int fault_at;
static int fault_errno;
static bool fault_half, half_kill, fault_stays;
static bool kill_before, kill_after, stop, slow;
static const char *log_path, *count_path, *state_path, *boot_path;

/* What is to become of a call. */
enum fate { FATE_LIVE, FATE_FAIL, FATE_HALF, FATE_KILL_AFTER };

static void
parse_how(const char *how)
{
	size_t len = strlen(how);

	kill_before = strcmp(how, "kill-before") == 0;
	kill_after = strcmp(how, "kill-after") == 0;
	stop = strcmp(how, "stop") == 0;
	slow = strcmp(how, "slow") == 0;
	fault_half = strncmp(how, "half", 4) == 0;
	half_kill = strcmp(how, "half-kill") == 0;
	if (fault_half)
		how += how[4] == '-' ? 5 : 4;
	fault_stays = len > 0 && how[strlen(how) - 1] == '+';
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strncmp(how, errors[i].name, strlen(errors[i].name)) == 0)
			fault_errno = errors[i].number;
}

__attribute__((constructor)) static void
begin(void)
{
	const char *fault = getenv("FAULT"), *at, *how;

	log_path = getenv("FAULT_LOG");
	count_path = getenv("FAULT_COUNT");
	state_path = getenv("FAULT_STATE");
	boot_path = getenv("FAULT_BOOT");
	fault_class = -1;
	if (fault != NULL && (at = strchr(fault, ':')) != NULL &&
	    (how = strchr(at + 1, ':')) != NULL) {
		size_t len = (size_t)(at - fault);

		fault_at = atoi(at + 1);
		parse_how(how + 1);
		for (int c = 0; c < C_COUNT; c++)
			if (strlen(class_names[c]) == len &&
			    strncmp(fault, class_names[c], len) == 0)
				fault_class = c;
		if (strncmp(fault, "change:", 7) == 0)
			fault_on = ON_CHANGE;
		if (strncmp(fault, "file:", 5) == 0)
			fault_on = ON_FILE;
	}
	ready = true;
}

/* Append text to a file, by calls that are not counted. */
static void
put(const char *path, const char *text)
{
	long fd;

	if (path == NULL)
		return;
	fd = syscall(SYS_openat, AT_FDCWD, path,
	    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	(void)syscall(SYS_write, fd, text, strlen(text));
	(void)syscall(SYS_close, fd);
}

__attribute__((destructor)) static void
finish(void)
{
	char line[64];

	for (int c = 0; c < C_COUNT; c++) {
		snprintf(line, sizeof(line), "%s %d\n", class_names[c],
		    counts[c]);
		put(count_path, line);
	}
	snprintf(line, sizeof(line), "change %d\nfile %d\n", changes, files);
	put(count_path, line);
}

static void
die(void)
{
	(void)syscall(SYS_kill, getpid(), SIGKILL);
	for (;;)
		pause();
}

/* The path of a descriptor. */
static void
path_of(int fd, char *path, size_t max)
{
	char link[40];
	long len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = syscall(SYS_readlinkat, AT_FDCWD, link, path, max - 1);
	path[len > 0 ? len : 0] = '\0';
}

/* The state that was synced just now. */
static void
note_state(int fd)
{
	char path[400], page[4096];
	size_t len;
	long got, to;

	if (state_path == NULL)
		return;
	path_of(fd, path, sizeof(path));
	len = strlen(path);
	if (len < 16 || strcmp(path + len - 16, "/partition.state") != 0)
		return;
	got = syscall(SYS_pread64, fd, page, sizeof(page), 0);
	to = syscall(SYS_openat, AT_FDCWD, state_path,
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (got > 0 && to >= 0)
		(void)syscall(SYS_write, to, page, got);
	(void)syscall(SYS_close, to);
}

static void
tell(enum class c, const char *call, int fd, const char *name)
{
	char line[600], path[400];

	if (name == NULL && fd >= 0) {
		path_of(fd, path, sizeof(path));
		name = path;
	}
	snprintf(line, sizeof(line), "%s %s %s\n", class_names[c], call,
	    name == NULL ? "-" : name);
	put(log_path, line);
}

/* Count a call and say what is to become of it. */
static enum fate
meet(enum class c, bool change, const char *call, int fd, const char *name)
{
	bool concerned = fault_on == ON_CLASS && (int)c == fault_class;
	int n, kept = errno;

	if (!ready)
		return FATE_LIVE;
	n = __atomic_add_fetch(&counts[c], 1, __ATOMIC_SEQ_CST);
	if (change) {
		int k = __atomic_add_fetch(&changes, 1, __ATOMIC_SEQ_CST);

		if (fault_on == ON_CHANGE) {
			concerned = true;
			n = k;
		}
	}
	if (c != C_MMAP && c != C_ALLOC && c != C_DROP) {
		int k = __atomic_add_fetch(&files, 1, __ATOMIC_SEQ_CST);

		if (fault_on == ON_FILE) {
			concerned = true;
			n = k;
		}
	}
	if (!concerned || n < fault_at)
		return FATE_LIVE;
	if (n == fault_at)
		tell(c, call, fd, name);
	if (slow)
		usleep(SLOW_US);
	errno = kept;
	if (n == fault_at && kill_before)
		die();
	if (n == fault_at && stop)
		(void)syscall(SYS_kill, getpid(), SIGSTOP);
	if (n == fault_at && kill_after)
		return FATE_KILL_AFTER;
	if (n == fault_at && fault_half)
		return FATE_HALF;
	if (fault_errno == 0 ||
	    (n > fault_at + (fault_half ? 1 : 0) && !fault_stays))
		return FATE_LIVE;
	errno = fault_errno;
	return FATE_FAIL;
}

static long
over(enum fate fate, long rc)
{
	if (fate == FATE_KILL_AFTER || (fate == FATE_HALF && half_kill))
		die();
	return rc;
}

static int
open_at(int dirfd, const char *name, int flags, mode_t mode)
{
	enum fate fate =
	    meet(C_OPEN, (flags & (O_CREAT | O_TRUNC)) != 0, "open", -1, name);

	if (boot_path != NULL &&
	    strcmp(name, "/proc/sys/kernel/random/boot_id") == 0)
		name = boot_path;
	if (fate == FATE_FAIL)
		return -1;
	return (int)over(fate, syscall(SYS_openat, dirfd, name, flags, mode));
}

#define WITH_MODE(flags, mode)                                                 \
	do {                                                                   \
		va_list ap;                                                    \
		va_start(ap, flags);                                           \
		if (((flags) & (O_CREAT | O_TMPFILE)) != 0)                    \
			mode = va_arg(ap, mode_t);                             \
		va_end(ap);                                                    \
	} while (0)

int
open(const char *name, int flags, ...)
{
	mode_t mode = 0;

	WITH_MODE(flags, mode);
	return open_at(AT_FDCWD, name, flags, mode);
}

int
open64(const char *name, int flags, ...)
{
	mode_t mode = 0;

	WITH_MODE(flags, mode);
	return open_at(AT_FDCWD, name, flags, mode);
}

int
openat(int dirfd, const char *name, int flags, ...)
{
	mode_t mode = 0;

	WITH_MODE(flags, mode);
	return open_at(dirfd, name, flags, mode);
}

int
openat64(int dirfd, const char *name, int flags, ...)
{
	mode_t mode = 0;

	WITH_MODE(flags, mode);
	return open_at(dirfd, name, flags, mode);
}

static size_t
part(enum fate fate, size_t len)
{
	return fate == FATE_HALF && len > 1 ? len / 2 : len;
}

ssize_t
read(int fd, void *data, size_t len)
{
	enum fate fate = meet(C_READ, false, "read", fd, NULL);

	if (fate == FATE_FAIL)
		return -1;
	return over(fate, syscall(SYS_read, fd, data, part(fate, len)));
}

ssize_t
pread(int fd, void *data, size_t len, off_t pos)
{
	enum fate fate = meet(C_READ, false, "pread", fd, NULL);

	if (fate == FATE_FAIL)
		return -1;
	return over(fate, syscall(SYS_pread64, fd, data, part(fate, len), pos));
}

ssize_t
pread64(int fd, void *data, size_t len, off_t pos)
{
	return pread(fd, data, len, pos);
}

/* A directory that cannot be read on. */
struct dirent *
readdir(DIR *dir)
{
	static struct dirent *(*next)(DIR *);

	if (meet(C_READ, false, "readdir", dirfd(dir), NULL) == FATE_FAIL)
		return NULL;
	if (next == NULL)
		*(void **)&next = dlsym(RTLD_NEXT, "readdir");
	return next(dir);
}

ssize_t
write(int fd, const void *data, size_t len)
{
	enum fate fate = FATE_LIVE;

	if (fd != STDERR_FILENO)
		fate = meet(C_WRITE, true, "write", fd, NULL);
	if (fate == FATE_FAIL)
		return -1;
	return over(fate, syscall(SYS_write, fd, data, part(fate, len)));
}

ssize_t
pwrite(int fd, const void *data, size_t len, off_t pos)
{
	enum fate fate = meet(C_WRITE, true, "pwrite", fd, NULL);

	if (fate == FATE_FAIL)
		return -1;
	return over(fate,
	    syscall(SYS_pwrite64, fd, data, part(fate, len), pos));
}

ssize_t
pwrite64(int fd, const void *data, size_t len, off_t pos)
{
	return pwrite(fd, data, len, pos);
}

ssize_t
pwritev(int fd, const struct iovec *iov, int count, off_t pos)
{
	enum fate fate = meet(C_WRITE, true, "pwritev", fd, NULL);

	if (fate == FATE_FAIL)
		return -1;
	if (fate == FATE_HALF)
		return over(fate,
		    syscall(SYS_pwrite64, fd, iov[0].iov_base,
			part(fate, iov[0].iov_len), pos));
	return over(fate, syscall(SYS_pwritev, fd, iov, count, pos, 0));
}

ssize_t
pwritev64(int fd, const struct iovec *iov, int count, off_t pos)
{
	return pwritev(fd, iov, count, pos);
}

int
fsync(int fd)
{
	enum fate fate = meet(C_SYNC, true, "fsync", fd, NULL);

	if (fate == FATE_FAIL)
		return -1;
	return (int)over(fate, syscall(SYS_fsync, fd));
}

int
fdatasync(int fd)
{
	enum fate fate = meet(C_SYNC, true, "fdatasync", fd, NULL);

	if (fate == FATE_FAIL)
		return -1;
	if (syscall(SYS_fdatasync, fd) != 0)
		return -1;
	note_state(fd);
	return (int)over(fate, 0);
}

int
posix_fadvise(int fd, off_t pos, off_t len, int advice)
{
	if (advice == POSIX_FADV_DONTNEED)
		(void)meet(C_DROP, false, "posix_fadvise", fd, NULL);
	return syscall(SYS_fadvise64, fd, pos, len, advice) == 0 ? 0 : errno;
}

int
ftruncate(int fd, off_t size)
{
	enum fate fate = meet(C_TRUNCATE, true, "ftruncate", fd, NULL);

	if (fate == FATE_FAIL)
		return -1;
	return (int)over(fate, syscall(SYS_ftruncate, fd, size));
}

int
ftruncate64(int fd, off_t size)
{
	return ftruncate(fd, size);
}

static int
rename_at(int from_fd, const char *from, int to_fd, const char *to,
    unsigned flags)
{
	enum fate fate = meet(C_RENAME, true, "rename", -1, to);

	if (fate == FATE_FAIL)
		return -1;
	return (int)over(fate,
	    syscall(SYS_renameat2, from_fd, from, to_fd, to, flags));
}

int
rename(const char *from, const char *to)
{
	return rename_at(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int
renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	return rename_at(from_fd, from, to_fd, to, 0);
}

int
renameat2(int from_fd, const char *from, int to_fd, const char *to,
    unsigned flags)
{
	return rename_at(from_fd, from, to_fd, to, flags);
}

int
linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
	enum fate fate = meet(C_RENAME, true, "linkat", -1, to);

	if (fate == FATE_FAIL)
		return -1;
	return (int)over(fate,
	    syscall(SYS_linkat, from_fd, from, to_fd, to, flags));
}

int
fchmod(int fd, mode_t mode)
{
	enum fate fate = meet(C_MODE, true, "fchmod", fd, NULL);

	if (fate == FATE_FAIL)
		return -1;
	return (int)over(fate, syscall(SYS_fchmod, fd, mode));
}

int
fchown(int fd, uid_t owner, gid_t group)
{
	enum fate fate = meet(C_MODE, true, "fchown", fd, NULL);

	if (fate == FATE_FAIL)
		return -1;
	return (int)over(fate, syscall(SYS_fchown, fd, owner, group));
}

int
unlinkat(int dirfd, const char *name, int flags)
{
	enum fate fate = meet(C_UNLINK, true, "unlinkat", -1, name);

	if (fate == FATE_FAIL)
		return -1;
	return (int)over(fate, syscall(SYS_unlinkat, dirfd, name, flags));
}

int
unlink(const char *name)
{
	return unlinkat(AT_FDCWD, name, 0);
}

int
mkdirat(int dirfd, const char *name, mode_t mode)
{
	enum fate fate = meet(C_MKDIR, true, "mkdirat", -1, name);

	if (fate == FATE_FAIL)
		return -1;
	return (int)over(fate, syscall(SYS_mkdirat, dirfd, name, mode));
}

int
mkdir(const char *name, mode_t mode)
{
	return mkdirat(AT_FDCWD, name, mode);
}

void *
mmap(void *at, size_t len, int prot, int flags, int fd, off_t pos)
{
	if (meet(C_MMAP, false, "mmap", fd, NULL) == FATE_FAIL)
		return MAP_FAILED;
	return (void *)syscall(SYS_mmap, at, len, prot, flags, fd, pos);
}

void *
malloc(size_t len)
{
	if (meet(C_ALLOC, false, "malloc", -1, NULL) == FATE_FAIL)
		return NULL;
	return __libc_malloc(len);
}

void *
calloc(size_t count, size_t len)
{
	if (meet(C_ALLOC, false, "calloc", -1, NULL) == FATE_FAIL)
		return NULL;
	return __libc_calloc(count, len);
}

void *
realloc(void *old, size_t len)
{
	if (meet(C_ALLOC, false, "realloc", -1, NULL) == FATE_FAIL)
		return NULL;
	return __libc_realloc(old, len);
}
