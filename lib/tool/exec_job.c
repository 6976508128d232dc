/* One event, and the command that is run for it. */

#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/bounds.h"
#include "base/buf.h"
#include "base/cli.h"
#include "base/io.h"
#include "base/now.h"
#include "tool/exec_impl.h"
#include "tool/message.h"

static void
set_env(const char *name, int64_t n)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRId64, n);
	setenv(name, text, 1);
}

static void
set_key(const struct record *rec)
{
	struct buf b;

	unsetenv("LOGKIT_KEY");
	unsetenv("LOGKIT_KEY_BASE64");
	if (bytes_is_null(rec->key))
		return;
	buf_init(&b, RECORDS_BYTES_MAX);
	if (memchr(rec->key.data, 0, (size_t)rec->key.len) == NULL) {
		if (buf_add(&b, rec->key.data, (size_t)rec->key.len) == 0 &&
		    buf_add_8(&b, 0) == 0)
			setenv("LOGKIT_KEY", (const char *)b.data, 1);
	} else if (base64_encode(&b, rec->key.data, (size_t)rec->key.len) ==
		0 &&
	    buf_add_8(&b, 0) == 0) {
		setenv("LOGKIT_KEY_BASE64", (const char *)b.data, 1);
	}
}

/* In the child: never returns. */
static void
become_job(struct exec *x, size_t i, int32_t n, const struct exec_work *w,
    int in, int life, pid_t parent)
{
	int lock = member_lock_of(x->sharing.topics[i].member, n);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	signal(SIGXFSZ, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	cli_restore_limits();
	setenv("LOGKIT_TOPIC", x->s->places[i].name, 1);
	set_env("LOGKIT_PARTITION", n);
	set_env("LOGKIT_OFFSET", w->rec.offset);
	set_env("LOGKIT_TIMESTAMP", w->rec.timestamp);
	set_key(&w->rec);
	if (bytes_is_null(w->rec.value))
		setenv("LOGKIT_NULL", "1", 1);
	else
		unsetenv("LOGKIT_NULL");
	/* It holds the partition as long as it lives. */
	if (fcntl(lock, F_SETFD, 0) != 0 || fcntl(life, F_SETFD, 0) != 0 ||
	    dup2(in, STDIN_FILENO) < 0)
		_exit(126);
	execl("/bin/sh", "sh", "-c", x->o->command, (char *)NULL);
	warn("/bin/sh");
	_exit(127);
}

/* The value as a file that can be read from its start. */
static int
open_value(const struct exec_work *w, int *fd)
{
	int rc = 0;

	*fd = memfd_create("value", MFD_CLOEXEC);
	if (*fd < 0)
		return errno;
	if (w->rec.value.len > 0)
		rc = io_pwrite_full(*fd, w->rec.value.data,
		    (size_t)w->rec.value.len, 0);
	if (rc != 0)
		(void)io_close(fd);
	return rc;
}

void
exec_start(struct exec *x, size_t i, int32_t n, struct exec_work *w)
{
	pid_t parent = getpid(), pid;
	int in = -1, life[2] = {-1, -1}, rc = open_value(w, &in);

	if (rc == 0 && pipe2(life, O_CLOEXEC) != 0)
		rc = errno;
	if (rc == 0) {
		pid = fork();
		if (pid == 0)
			become_job(x, i, n, w, in, life[1], parent);
		if (pid < 0)
			rc = errno;
	}
	(void)io_close(&in);
	(void)io_close(&life[1]);
	if (rc == 0) {
		w->pid = pid;
		w->pidfd = pidfd_open(pid, 0);
		w->life = life[0];
		x->running++;
		exec_share_of(x, i, n)->busy = true;
		return;
	}
	(void)io_close(&life[0]);
	/* No room for another process now: later. */
	if (x->running == 0)
		exec_fail(x, message_warn(x->o->command, rc, NULL));
	w->due_ms = now_mono_ms() + EXEC_RETRY_MS;
}
