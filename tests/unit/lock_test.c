#include "store/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/io.h"
#include "base/now.h"
#include "tap.h"

/* The bytes of the file, as the header tells them. */
enum {
	GATE = 0,
	LOG = 1,
	SYNC = 2,
};

static int dirfd;
static volatile int *shared; /* by all processes */

static void
open_lock(struct lock *l)
{
	lock_init(l);
	if (lock_open(l, dirfd, 0600, getegid()) != 0)
		abort();
}

/* Does anybody but l hold that byte? */
static bool
is_held(const struct lock *l, int byte)
{
	bool held;

	if (io_locked(l->fd, byte, &held) != 0)
		abort();
	return held;
}

/* Wait until another holds the byte; false after ten seconds. */
static bool
await_held(const struct lock *l, int byte)
{
	for (int i = 0; i < 100000; i++) {
		if (is_held(l, byte))
			return true;
		usleep(100);
	}
	return false;
}

/* Run f in a process of its own. */
static pid_t
start(void (*f)(void))
{
	pid_t pid = fork();

	if (pid < 0)
		abort();
	if (pid == 0) {
		/* Nobody is left behind by a test that ends early. */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		f();
		_exit(0);
	}
	return pid;
}

static bool
succeeded(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	    WEXITSTATUS(status) == 0;
}

static void
test_file(void)
{
	struct lock l, other;
	struct stat st;

	lock_init(&l);
	tap_int(lock_open(&l, dirfd, 0640, getegid()), 0, "open makes it");
	tap(fstatat(dirfd, LOCK_FILE, &st, 0) == 0 &&
		(st.st_mode & 07777) == 0640 && st.st_size == 0,
	    "empty, with its mode");
	lock_init(&other);
	tap_int(lock_open(&other, dirfd, 0600, getegid()), 0, "open again");
	tap(fstat(other.fd, &st) == 0 && (st.st_mode & 07777) == 0640,
	    "the mode stays");
	lock_close(&other);
	lock_close(&l);
	tap_int(l.fd, -1, "closed");
}

/* Within one process, too: the lock belongs to the open file. */
static void
test_bytes(void)
{
	struct lock a, b;

	open_lock(&a);
	open_lock(&b);
	tap_int(lock_log(&a), 0, "lock the log");
	tap(is_held(&b, LOG) && !is_held(&b, GATE) && !is_held(&b, SYNC),
	    "the log alone is held");
	tap_int(io_lock(b.fd, LOG, IO_LOCK_EXCLUSIVE, false), EAGAIN,
	    "another description does not get it");
	tap_int(lock_sync(&b), 0, "another may have the sync");
	tap(is_held(&a, SYNC), "and holds it");
	tap_int(lock_unlock_log(&a), 0, "unlock the log");
	tap(!is_held(&b, LOG), "it is free");
	tap_int(lock_log(&b), 0, "sync before log is the order");
	tap_int(lock_unlock_log(&b), 0, "unlock the log");
	tap(is_held(&a, SYNC) && !is_held(&a, LOG), "sync is still held");
	tap_int(lock_unlock_sync(&b), 0, "unlock the sync");
	tap(!is_held(&a, SYNC), "it is free");
	if (lock_log(&a) != 0 || lock_sync(&b) != 0)
		abort();
	lock_close(&a);
	lock_close(&b);
	open_lock(&a);
	tap(!is_held(&a, LOG) && !is_held(&a, SYNC), "close frees all");
	lock_close(&a);
}

static void
log_then_sync(void)
{
	const struct rlimit none = {0, 0};
	struct lock l;

	if (setrlimit(RLIMIT_CORE, &none) != 0 ||
	    freopen("/dev/null", "w", stderr) == NULL)
		_exit(0);
	open_lock(&l);
	(void)lock_log(&l);
	(void)lock_sync(&l);
}

static void
test_order(void)
{
	pid_t pid = start(log_then_sync);
	int status = 0;

	tap(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
		WTERMSIG(status) == SIGABRT,
	    "waiting for sync with the log held is our own mistake");
}

enum {
	WORKERS = 4,
	ROUNDS = 300,
};

/* Only a lock makes these two steps one. */
static void
count_up(void)
{
	struct lock l;

	open_lock(&l);
	for (int i = 0; i < ROUNDS; i++) {
		if (lock_log(&l) != 0)
			_exit(1);
		int seen = shared[0];
		if (i % 8 == 0)
			sched_yield();
		shared[0] = seen + 1;
		if (lock_unlock_log(&l) != 0)
			_exit(1);
	}
	lock_close(&l);
}

static void
test_exclusion(void)
{
	pid_t pids[WORKERS];
	int good = 0;

	shared[0] = 0;
	for (int i = 0; i < WORKERS; i++)
		pids[i] = start(count_up);
	for (int i = 0; i < WORKERS; i++)
		good += succeeded(pids[i]);
	tap_int(good, WORKERS, "%d processes count under the log lock",
	    (int)WORKERS);
	tap_int(shared[0], WORKERS * ROUNDS, "no step is lost");
}

static void
hold_all(void)
{
	struct lock l;

	open_lock(&l);
	if (lock_sync(&l) != 0 || lock_log(&l) != 0)
		_exit(1);
	for (;;)
		pause();
}

static void
test_kill(void)
{
	struct lock l;
	pid_t pid;
	int status;

	open_lock(&l);
	pid = start(hold_all);
	tap(await_held(&l, LOG) && is_held(&l, SYNC), "a process holds both");
	if (kill(pid, SIGKILL) != 0 || waitpid(pid, &status, 0) != pid)
		abort();
	tap(!is_held(&l, LOG) && !is_held(&l, SYNC), "killed: both are free");
	tap(lock_sync(&l) == 0 && lock_log(&l) == 0, "and can be had");
	lock_close(&l);
}

/* A waiter that dies in the queue leaves the gate to the next. */
static void
want_log(void)
{
	struct lock l;

	open_lock(&l);
	(void)lock_log(&l);
	_exit(1);
}

static void
test_kill_waiter(void)
{
	struct lock l;
	pid_t pid;
	int status;

	open_lock(&l);
	if (lock_log(&l) != 0)
		abort();
	pid = start(want_log);
	tap(await_held(&l, GATE), "a process waits at the gate");
	if (kill(pid, SIGKILL) != 0 || waitpid(pid, &status, 0) != pid)
		abort();
	tap(!is_held(&l, GATE), "killed: the gate is free");
	if (lock_unlock_log(&l) != 0)
		abort();
	tap_int(lock_log(&l), 0, "the log can be had");
	lock_close(&l);
}

enum { TURNS = 200 };

/* Once per turn: wait for the log, say so. */
static void
take_turns(void)
{
	struct lock l;

	open_lock(&l);
	for (int turn = 1; turn <= TURNS; turn++) {
		while (shared[0] < turn)
			usleep(10);
		if (lock_log(&l) != 0)
			_exit(1);
		shared[1] = turn;
		if (lock_unlock_log(&l) != 0)
			_exit(1);
	}
	lock_close(&l);
}

/* One who frees the log and wants it at once queues behind those who wait. */
static void
test_fairness(void)
{
	struct lock l;
	int overtaken = 0, bad = 0;
	pid_t pid;

	open_lock(&l);
	shared[0] = shared[1] = 0;
	if (lock_log(&l) != 0)
		abort();
	pid = start(take_turns);
	for (int turn = 1; turn <= TURNS && bad == 0; turn++) {
		shared[0] = turn;
		bad += !await_held(&l, GATE);
		bad += lock_unlock_log(&l) != 0;
		bad += lock_log(&l) != 0;
		overtaken += shared[1] != turn;
	}
	if (bad != 0)
		(void)kill(pid, SIGKILL);
	tap(lock_unlock_log(&l) == 0 && bad == 0, "%d turns were taken",
	    (int)TURNS);
	tap_int(overtaken, 0, "who waits is never overtaken");
	tap(succeeded(pid), "the other got all its turns");
	lock_close(&l);
}

/* Waits that end, of each kind; the lock is as it was before. */
static void
test_until(void)
{
	struct lock a, b;

	open_lock(&a);
	open_lock(&b);
	if (lock_log(&a) != 0)
		abort();
	b.until_ms = now_mono_ms() + 20;
	tap_int(lock_log(&b), EAGAIN, "a wait for the log ends");
	tap(now_mono_ms() >= b.until_ms, "in time");
	tap(!b.log && !is_held(&a, GATE), "and nothing is held");
	tap_int(lock_log(&b), EAGAIN, "the time has come");
	lock_unlock_log(&a);
	tap_int(lock_log(&b), 0, "what is free needs no time");
	lock_unlock_log(&b);
	if (lock_sync(&a) != 0)
		abort();
	b.until_ms = now_mono_ms() + 20;
	tap_int(lock_sync(&b), EAGAIN, "a wait for the sync ends");
	tap(!b.sync, "and it is not ours");
	lock_close(&a);
	b.until_ms = now_mono_ms() + 10000;
	tap_int(lock_sync(&b), 0, "then it is");
	lock_close(&b);
}

int
main(void)
{
	if (io_open(AT_FDCWD, tap_dir(), O_RDONLY | O_DIRECTORY, 0, &dirfd) !=
	    0)
		abort();
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		abort();
	test_file();
	test_bytes();
	test_order();
	test_exclusion();
	test_kill();
	test_kill_waiter();
	test_fairness();
	test_until();
	io_close(&dirfd);
	return tap_done();
}
