#include "store/lock.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <time.h>

#include "base/io.h"
#include "base/now.h"
#include "base/patience.h"

enum { ASK_MS = 2 };

enum lock_byte {
	BYTE_GATE = 0,
	BYTE_LOG = 1,
	BYTE_SYNC = 2,
	BYTE_CLEAN = 3,
};

void
lock_init(struct lock *l)
{
	*l = (struct lock){.fd = -1};
}

int
lock_open(struct lock *l, int dirfd, mode_t mode, gid_t gid)
{
	return io_open_made(dirfd, LOCK_FILE, 0, mode, gid, &l->fd);
}

void
lock_close(struct lock *l)
{
	(void)io_close(&l->fd);
	lock_init(l);
}

/* The kernel has no wait that ends: ask again and again. */
static int
ask(struct lock *l, enum lock_byte byte)
{
	const struct timespec pause = {.tv_nsec = ASK_MS * 1000000};
	int rc = EAGAIN;

	while (rc == EAGAIN && now_mono_ms() < l->until_ms) {
		(void)nanosleep(&pause, NULL);
		rc = io_lock(l->fd, byte, IO_LOCK_EXCLUSIVE, false);
	}
	return rc;
}

/* Take the lock on a byte.  If that blocks, a wait begins, or goes on. */
static int
take(struct lock *l, enum lock_byte byte, struct patience *wait)
{
	int rc = io_lock(l->fd, byte, IO_LOCK_EXCLUSIVE, false);

	if (rc != EAGAIN)
		return rc;
	if (wait->since_ms == 0)
		patience_begin(wait, l->path);
	return l->until_ms != 0 ? ask(l, byte)
				: io_lock(l->fd, byte, IO_LOCK_EXCLUSIVE, true);
}

int
lock_log(struct lock *l)
{
	struct patience wait = {0};
	int rc, gate_rc = 0;

	assert(!l->log);
	rc = take(l, BYTE_GATE, &wait);
	if (rc == 0) {
		rc = take(l, BYTE_LOG, &wait);
		l->log = rc == 0;
		gate_rc = io_lock(l->fd, BYTE_GATE, IO_UNLOCK, false);
	}
	patience_end(&wait);
	return rc != 0 ? rc : gate_rc;
}

int
lock_unlock_log(struct lock *l)
{
	assert(l->log);
	l->log = false;
	return io_lock(l->fd, BYTE_LOG, IO_UNLOCK, false);
}

bool
lock_is_held(int dirfd)
{
	bool held = false;
	int fd = -1;

	if (io_open(dirfd, LOCK_FILE, O_RDWR, 0, &fd) == 0)
		(void)io_locked(fd, BYTE_LOG, &held);
	(void)io_close(&fd);
	return held;
}

int
lock_sync(struct lock *l)
{
	struct patience wait = {0};
	int rc;

	assert(!l->sync);
	assert(!l->log);
	rc = take(l, BYTE_SYNC, &wait);
	patience_end(&wait);
	l->sync = rc == 0;
	return rc;
}

int
lock_unlock_sync(struct lock *l)
{
	assert(l->sync);
	l->sync = false;
	return io_lock(l->fd, BYTE_SYNC, IO_UNLOCK, false);
}

int
lock_clean(struct lock *l)
{
	int rc;

	assert(!l->clean);
	rc = io_lock(l->fd, BYTE_CLEAN, IO_LOCK_EXCLUSIVE, false);
	if (rc == 0)
		l->clean = true;
	return rc;
}

int
lock_unlock_clean(struct lock *l)
{
	assert(l->clean);
	l->clean = false;
	return io_lock(l->fd, BYTE_CLEAN, IO_UNLOCK, false);
}
