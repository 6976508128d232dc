#include "base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/status.h"
#include "tap.h"

enum { NOBODY = 65534 };

static int dir = -1;

/* Calls below that fail as on other file systems; the one to be killed at. */
static bool no_unnamed, no_links;
static int calls_left = -1;

static void
count_call(void)
{
	if (calls_left >= 0 && calls_left-- == 0)
		(void)kill(getpid(), SIGKILL);
}

int openat(int dirfd, const char *name, int flags, ...);
int fchmod(int fd, mode_t mode);
int linkat(int from, const char *old, int to, const char *new, int flags);
int unlinkat(int dirfd, const char *name, int flags);

int
openat(int dirfd, const char *name, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if ((flags & (O_CREAT | O_TMPFILE)) != 0)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	count_call();
	if (no_unnamed && (flags & O_TMPFILE) == O_TMPFILE) {
		errno = EOPNOTSUPP;
		return -1;
	}
	return (int)syscall(SYS_openat, dirfd, name, flags, mode);
}

int
fchmod(int fd, mode_t mode)
{
	count_call();
	return (int)syscall(SYS_fchmod, fd, mode);
}

int
linkat(int from, const char *old, int to, const char *new, int flags)
{
	count_call();
	if (no_links) {
		errno = EPERM;
		return -1;
	}
	return (int)syscall(SYS_linkat, from, old, to, new, flags);
}

int
unlinkat(int dirfd, const char *name, int flags)
{
	count_call();
	return (int)syscall(SYS_unlinkat, dirfd, name, flags);
}

/* Is the file just these bytes? */
static bool
holds(const char *name, const char *want)
{
	struct buf b;
	bool same;

	buf_init(&b, 1 << 20);
	same = io_read_file(dir, name, 1 << 19, &b) == 0 &&
	    b.len == strlen(want) &&
	    (b.len == 0 || memcmp(b.data, want, b.len) == 0);
	buf_release(&b);
	return same;
}

static void
test_open(void)
{
	int fd = 77;

	tap_int(io_open(dir, "none", O_RDONLY, 0, &fd), ENOENT, "no file");
	tap_int(fd, 77, "leaves the result");
	tap_int(io_open(dir, "a", O_RDWR | O_CREAT | O_EXCL, 0644, &fd), 0,
	    "a new file");
	tap_int(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC, "close-on-exec");
	tap_int(io_close(&fd), 0, "close");
	tap_int(fd, -1, "it is no more");
	tap_int(io_close(&fd), 0, "closing none is fine");
	fd = 1000000;
	tap_int(io_close(&fd), EBADF, "a wrong one is told");
}

static mode_t
mode_of(const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, 0) == 0 ? st.st_mode & 07777 : 0;
}

static int
open_made(const char *name, int *fd)
{
	return io_open_made(dir, name, 0, 0664, getegid(), fd);
}

/*
 * Killed at each of its calls: the file is there with its access, or not at
 * all, and the next one makes it.  How many calls there are.
 */
static int
kill_makers(int *bad)
{
	int status = 0, fd = -1, calls = 0;
	pid_t pid;

	do {
		pid = fork();
		if (pid < 0)
			abort();
		if (pid == 0) {
			calls_left = calls;
			_exit(open_made("m", &fd));
		}
		(void)waitpid(pid, &status, 0);
		*bad += mode_of("m") != 0 && mode_of("m") != 0664;
		*bad += open_made("m", &fd) != 0 || mode_of("m") != 0664;
		(void)io_close(&fd);
		*bad += open_made("n", &fd) != 0 || mode_of(IO_MADE_FILE) != 0;
		(void)io_close(&fd);
		(void)io_unlink(dir, "m");
		(void)io_unlink(dir, "n");
	} while (WIFSIGNALED(status) && calls++ < 100);
	*bad += !WIFEXITED(status) || WEXITSTATUS(status) != 0;
	return calls;
}

/* Makers of one file at once open the same: how many have not. */
static int
make_together(void)
{
	int bad = 0, status, fd = -1, ready[2];
	struct stat own, st;
	pid_t pids[8];
	char byte;

	if (pipe(ready) != 0)
		abort();
	for (int i = 0; i < 8; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			abort();
		if (pids[i] > 0)
			continue;
		close(ready[1]);
		(void)!read(ready[0], &byte, 1);
		if (open_made("m", &fd) != 0 || fstat(fd, &own) != 0 ||
		    fstatat(dir, "m", &st, 0) != 0)
			_exit(1);
		_exit(own.st_ino != st.st_ino);
	}
	close(ready[0]);
	close(ready[1]);
	for (int i = 0; i < 8; i++) {
		(void)waitpid(pids[i], &status, 0);
		bad += status != 0;
	}
	(void)io_unlink(dir, "m");
	return bad;
}

static void
test_open_made(void)
{
	static const char *const kinds[] = {"a file without a name",
	    "a name for a moment", "files of one name only"};
	mode_t umask_was = umask(077);
	int fd = 77, bad;

	for (int i = 0; i < 3; i++) {
		bad = 0;
		no_unnamed = i > 0;
		no_links = i > 1;
		tap(kill_makers(&bad) >= 4, "%s: killed", kinds[i]);
		tap_int(bad, 0, "it has its access");
		for (int n = 0; !no_links && n < 100; n++)
			bad += make_together();
		tap_int(bad, 0, "all open the same");
		tap(mode_of(IO_MADE_FILE) == 0, "nothing is left");
	}
	no_unnamed = no_links = false;
	fd = 77;
	tap_int(open_made("no/m", &fd), ENOENT, "no directory");
	tap_int(fd, 77, "leaves the result");
	umask(umask_was);
}

static void
test_positions(void)
{
	struct iovec iov[3] = {{(void *)(uintptr_t) "one", 3}, {NULL, 0},
	    {(void *)(uintptr_t) "two", 3}};
	char p[32] = "";
	size_t got = 99;
	int fd = -1;

	if (io_open(dir, "b", O_RDWR | O_CREAT | O_TRUNC, 0644, &fd) != 0)
		abort();
	tap_int(io_pwrite_full(fd, "0123456789", 10, 5), 0, "write at 5");
	tap_int(io_pwritev_full(fd, iov, 3, 0), 0, "write parts at 0");
	tap_int(io_pread(fd, p, sizeof(p), 0, &got), 0, "read more than is");
	tap_int(got, 15, "gets what is");
	tap(memcmp(p, "onetwo123456789", 15) == 0, "in its place");
	tap_int(io_pread_full(fd, p, 5, 10), 0, "the last five");
	tap_int(io_pread_full(fd, p, 6, 10), STATUS_SHORT, "one more");
	tap_int(io_pread(fd, p, 1, 15, &got), 0, "at the end");
	tap_int(got, 0, "is nothing");
	tap_int(io_truncate(fd, 3), 0, "cut");
	tap(holds("b", "one"), "the rest is gone");
	tap_int(io_sync(fd), 0, "sync");
	tap_int(io_sync_dir(dir), 0, "sync the directory");
	io_close(&fd);
	io_open(dir, "b", O_RDONLY, 0, &fd);
	tap_int(io_pwrite_full(fd, "x", 1, 0), EBADF, "not for writing");
	tap_int(io_truncate(fd, 0), EINVAL, "nor cutting");
	io_close(&fd);
	tap_int(io_pread(fd, p, 1, 0, &got), EBADF, "closed");
	tap_int(got, 0, "reads nothing");
}

static void
on_alarm(int sig)
{
	(void)sig;
}

/*
 * A pipe that takes little at a time, and signals that break into the calls:
 * what arrives must be all, once, in order.
 */
static void
test_stream(void)
{
	static uint8_t data[1 << 20];
	struct sigaction act = {.sa_handler = on_alarm};
	struct itimerval often = {{0, 5000}, {0, 5000}},
			 never = {{0, 0}, {0, 0}};
	int fds[2], status = 0, rc;
	pid_t pid;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / 251);
	if (pipe(fds) != 0 || (pid = fork()) < 0)
		abort();
	if (pid == 0) {
		uint8_t part[1009];
		size_t at = 0;
		ssize_t n;

		close(fds[1]);
		while ((n = read(fds[0], part, sizeof(part))) > 0) {
			if (at + (size_t)n > sizeof(data) ||
			    memcmp(part, data + at, (size_t)n) != 0)
				_exit(1);
			at += (size_t)n;
			usleep(at % 8 == 0 ? 1000 : 0);
		}
		_exit(at == sizeof(data) ? 0 : 2);
	}
	close(fds[0]);
	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	rc = io_write_full(fds[1], data, sizeof(data));
	setitimer(ITIMER_REAL, &never, NULL);
	tap_int(rc, 0, "interrupted writes go on");
	close(fds[1]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	tap_int(status, 0, "all arrives, once, in order");
	signal(SIGPIPE, SIG_IGN);
	if (pipe(fds) != 0)
		abort();
	close(fds[0]);
	tap_int(io_write_full(fds[1], data, 1), EPIPE, "a closed pipe");
	close(fds[1]);
}

static void
test_names(void)
{
	struct stat st;

	tap_int(io_mkdir(dir, "d", 0755), 0, "a directory");
	tap_int(io_mkdir(dir, "d", 0755), EEXIST, "twice");
	tap_int(io_rename(dir, "b", "c"), 0, "rename");
	tap(fstatat(dir, "b", &st, 0) != 0 && holds("c", "one"), "moved");
	tap_int(io_rename(dir, "b", "e"), ENOENT, "what is not there");
	tap_int(io_rename_new(dir, "a", "c"), EEXIST, "not over another");
	tap(holds("c", "one") && holds("a", ""), "both stay");
	tap_int(io_rename_new(dir, "c", "b"), 0, "to a free name");
	tap_int(io_rename_new(dir, "b", "c"), 0, "and back");
	tap_int(io_unlink(dir, "c"), 0, "unlink");
	tap_int(io_unlink(dir, "c"), ENOENT, "again");
	tap_int(io_unlink(dir, "d"), EISDIR, "a directory is no file");
	tap_int(io_mkdir(dir, "d/e", 0755), 0, "one in it");
	tap_int(io_rmdir(dir, "d"), ENOTEMPTY, "it is not empty");
	tap_int(io_rmdir(dir, "d/e"), 0, "that one is");
	tap_int(io_rmdir(dir, "d/e"), ENOENT, "and gone");
}

/* Files in tree/e. */
static void
make_files(int from, int to)
{
	char name[32];
	int fd = -1;

	for (int i = from; i < to; i++) {
		snprintf(name, sizeof(name), "tree/e/%d", i);
		(void)io_open(dir, name, O_WRONLY | O_CREAT, 0644, &fd);
		(void)io_close(&fd);
	}
}

/* Give them other names. */
static void
move_files(int from, int to)
{
	char old[32], new[32];

	for (int i = from; i < to; i++) {
		snprintf(old, sizeof(old), "tree/e/%d", i);
		snprintf(new, sizeof(new), "tree/e/%d.moved", i);
		(void)io_rename(dir, old, new);
	}
}

/* Another process makes and moves files in what is removed, and ends. */
static void
test_remove_filled(void)
{
	int status = 0, rc;
	pid_t pid;

	(void)io_mkdir(dir, "tree", 0755);
	(void)io_mkdir(dir, "tree/e", 0755);
	make_files(0, 2000);
	pid = fork();
	if (pid < 0)
		abort();
	if (pid == 0) {
		move_files(0, 2000);
		make_files(2000, 2020);
		_exit(0);
	}
	rc = io_remove_tree(dir, "tree");
	waitpid(pid, &status, 0);
	tap_int(rc, 0, "a tree that another moves about in");
	tap(faccessat(dir, "tree", F_OK, 0) != 0, "is gone");
	(void)io_remove_tree(dir, "tree");
}

static void
test_read_file(void)
{
	struct buf b;
	int fd = -1;

	buf_init(&b, 100);
	io_open(dir, "f", O_WRONLY | O_CREAT, 0644, &fd);
	io_write_full(fd, "0123456789", 10);
	io_close(&fd);
	buf_add_str(&b, "ab");
	tap_int(io_read_file(dir, "f", 10, &b), 0, "a file of the maximum");
	tap(b.len == 12 && memcmp(b.data, "ab0123456789", 12) == 0,
	    "comes after what is there");
	tap_int(io_read_file(dir, "f", 9, &b), STATUS_TOO_BIG, "one over it");
	tap_int(io_read_file(dir, "g", 9, &b), ENOENT, "none");
	tap_int(io_read_file(dir, "d", 9, &b), STATUS_NOT_FILE, "a directory");
	tap_int(b.len, 12, "and the buffer is as it was");
	buf_release(&b);
	tap(!holds("f", "012345678") && holds("f", "0123456789"), "holds");
}

static void
test_replace(void)
{
	struct stat st;
	mode_t umask_was = umask(077);
	gid_t gid = getegid();

	tap_int(io_replace_file(dir, "r", "old", 3, 0644, gid), 0, "a new one");
	tap(holds("r", "old"), "is there");
	fstatat(dir, "r", &st, 0);
	tap_int(st.st_mode & 07777, 0644, "with its mode, whatever the umask");
	tap_int(io_replace_file(dir, "r", "", 0, 0640, gid), 0, "by an empty");
	tap(holds("r", ""), "is empty");
	fstatat(dir, "r", &st, 0);
	tap_int(st.st_mode & 07777, 0640, "with another mode");
	tap(fstatat(dir, "r.tmp", &st, 0) != 0, "no rest is left");
	tap_int(io_replace_file(dir, "d", "x", 1, 0644, gid), EISDIR,
	    "what cannot be replaced");
	tap(fstatat(dir, "d.tmp", &st, 0) != 0, "leaves no rest either");
	tap_int(io_replace_file(dir, "no/r", "x", 1, 0644, gid), ENOENT,
	    "no directory");
	umask(umask_was);
}

/* One user was killed while it replaced a file; another one replaces it. */
static void
test_replace_of_others(void)
{
	int fd = -1;

	if (geteuid() != 0) {
		tap(true, "what another user left # SKIP not root");
		return;
	}
	if (mkdirat(dir, "shared", 0777) != 0 ||
	    fchmodat(dir, "shared", 0777, 0) != 0 ||
	    io_open(dir, "shared/r.tmp", O_WRONLY | O_CREAT, 0600, &fd) != 0 ||
	    chmod(tap_dir(), 0755) != 0)
		abort();
	(void)io_close(&fd);
	if (seteuid(NOBODY) != 0)
		abort();
	tap_int(io_replace_file(dir, "shared/r", "new", 3, 0644, getegid()), 0,
	    "what another user left is in nobody's way");
	if (seteuid(0) != 0)
		abort();
	tap(holds("shared/r", "new"), "is replaced");
}

/* Replace the file, of one letter, until the process is killed. */
static void
replace_for_ever(void)
{
	char text[5000];

	/* Nobody is left behind by a test that ends early. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0;; i++) {
		memset(text, 'a' + i % 26, sizeof(text));
		if (io_replace_file(dir, "r", text, sizeof(text), 0644,
			getegid()) != 0)
			_exit(1);
	}
}

/*
 * Readers of a file that is replaced again and again see the old one or the
 * new one: whole, of one letter.
 */
static void
test_replace_atomic(void)
{
	const size_t len = 5000;
	int bad = 0, changes = 0, status = 0;
	char last = '-';
	struct buf b;
	pid_t pid;

	io_replace_file(dir, "r", "", 0, 0644, getegid());
	pid = fork();
	if (pid < 0)
		abort();
	if (pid == 0)
		replace_for_ever();
	buf_init(&b, 10000);
	while (
	    bad == 0 && changes < 100 && waitpid(pid, &status, WNOHANG) == 0) {
		b.len = 0;
		if (io_read_file(dir, "r", 9000, &b) == 0 && b.len == 0)
			continue;
		bad += b.len != len || memcmp(b.data, b.data + 1, len - 1) != 0;
		changes += bad == 0 && b.data[0] != last;
		last = (char)b.data[0];
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	buf_release(&b);
	tap_int(changes, 100, "a hundred replacements");
	tap_int(bad, 0, "readers saw whole files only");
}

static void
test_lock(void)
{
	int a = -1, b = -1, copy;
	bool locked = true;

	io_open(dir, "lock", O_RDWR | O_CREAT, 0644, &a);
	io_open(dir, "lock", O_RDWR, 0, &b);
	tap_int(io_lock(a, 0, IO_LOCK_EXCLUSIVE, false), 0, "lock");
	tap_int(io_lock(b, 0, IO_LOCK_EXCLUSIVE, false), EAGAIN, "held");
	tap_int(io_lock(b, 0, IO_LOCK_SHARED, false), EAGAIN, "from all");
	tap_int(io_lock(b, 1, IO_LOCK_EXCLUSIVE, false), 0, "another byte");
	tap(io_locked(b, 0, &locked) == 0 && locked, "others see it");
	tap(io_locked(a, 0, &locked) == 0 && !locked, "not its holder");
	tap(io_locked(a, 1, &locked) == 0 && locked, "each sees the other's");
	tap_int(io_lock(a, 0, IO_LOCK_SHARED, false), 0, "to shared");
	tap_int(io_lock(b, 0, IO_LOCK_SHARED, false), 0, "now both");
	tap_int(io_lock(a, 0, IO_LOCK_EXCLUSIVE, false), EAGAIN, "not alone");
	tap_int(io_lock(b, 0, IO_UNLOCK, false), 0, "unlock");
	tap_int(io_lock(a, 0, IO_LOCK_EXCLUSIVE, false), 0, "alone");
	/* It belongs to the open file, not to the process or descriptor. */
	copy = dup(a);
	io_close(&a);
	tap_int(io_lock(b, 0, IO_LOCK_SHARED, false), EAGAIN,
	    "goes with the last descriptor");
	io_close(&copy);
	tap_int(io_lock(b, 0, IO_LOCK_SHARED, false), 0, "not before");
	io_close(&b);
}

/* A waiter gets the lock when its holder dies, however it dies. */
static void
test_lock_wait(void)
{
	int fd = -1, ready[2], seen[2];
	char byte;
	pid_t pid;

	if (pipe(ready) != 0 || pipe(seen) != 0 || (pid = fork()) < 0)
		abort();
	if (pid == 0) {
		io_open(dir, "lock", O_RDWR, 0, &fd);
		io_lock(fd, 5, IO_LOCK_EXCLUSIVE, true);
		if (write(ready[1], "x", 1) != 1 ||
		    read(seen[0], &byte, 1) != 1)
			_exit(1);
		/* Most of the time it is waited for by then. */
		usleep(50000);
		kill(getpid(), SIGKILL);
	}
	if (read(ready[0], &byte, 1) != 1)
		abort();
	io_open(dir, "lock", O_RDWR, 0, &fd);
	tap_int(io_lock(fd, 5, IO_LOCK_SHARED, false), EAGAIN, "held");
	if (write(seen[1], "x", 1) != 1)
		abort();
	tap_int(io_lock(fd, 5, IO_LOCK_SHARED, true), 0, "its holder died");
	waitpid(pid, NULL, 0);
	io_close(&fd);
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(seen[i]);
	}
}

/* Of a file that ends within a page, and begins in one that is still used. */
static void
test_drop(void)
{
	static const char data[3 * 4096 + 100];
	struct statfs fs;
	char byte;
	size_t got;
	int fd;

	if (fstatfs(dir, &fs) != 0 ||
	    io_open(dir, "drop", O_RDWR | O_CREAT, 0600, &fd) != 0)
		abort();
	if (io_pwrite_full(fd, data, sizeof(data), 0) != 0 || io_sync(fd) != 0)
		abort();
	io_drop_cache(fd);
	if (fs.f_type == TMPFS_MAGIC) {
		printf("# in memory there is no device to ask\n");
	} else {
		tap(!io_is_cached(fd, 0), "the first page is dropped");
		/* To ask made the kernel read ahead. */
		io_drop_cache(fd);
		tap(!io_is_cached(fd, sizeof(data) - 1), "so is the last one");
	}
	tap_int(io_pread(fd, &byte, 1, sizeof(data) - 1, &got), 0,
	    "and can be read");
	io_close(&fd);
}

int
main(void)
{
	if (io_open(AT_FDCWD, tap_dir(), O_RDONLY | O_DIRECTORY, 0, &dir) != 0)
		return 1;
	test_open();
	test_open_made();
	test_positions();
	test_stream();
	test_names();
	test_remove_filled();
	test_read_file();
	test_replace();
	test_replace_of_others();
	test_replace_atomic();
	test_lock();
	test_lock_wait();
	test_drop();
	io_close(&dir);
	return tap_done();
}
