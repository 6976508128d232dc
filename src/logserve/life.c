#include "life.h"

#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/io.h"
#include "base/notify.h"

void
life_notify(const char *state)
{
	int rc = notify_send(state);

	if (rc != 0)
		warnc(rc, "%s", getenv("NOTIFY_SOCKET"));
}

char *
life_temporary(void)
{
	const char *tmp = getenv("TMPDIR");
	char *path;

	if (tmp == NULL || tmp[0] == '\0')
		tmp = "/tmp";
	if (asprintf(&path, "%s/logserve.XXXXXX", tmp) < 0)
		err(LIFE_FAIL, NULL);
	if (mkdtemp(path) == NULL)
		err(LIFE_FAIL, "%s", path);
	return path;
}

void
life_remove(char *path)
{
	int rc = io_remove_tree(AT_FDCWD, path);

	if (rc != 0)
		warnc(rc, "%s", path);
	free(path);
}

/* In the child: never returns.  Why it cannot be is told by report. */
static void
become(char **argv, int report)
{
	sigset_t none;
	int rc;

	for (int i = 1; i < NSIG; i++)
		(void)signal(i, SIG_DFL);
	cli_restore_limits();
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(argv[0], argv);
	rc = errno;
	(void)io_write_full(report, &rc, sizeof(rc));
	_exit(LIFE_CANNOT);
}

int
life_run(char **argv, const char *address, pid_t *pid)
{
	int report[2], rc = 0;

	if (setenv("LOGKIT_BROKER", address, 1) != 0 ||
	    pipe2(report, O_CLOEXEC) != 0 || (*pid = fork()) < 0)
		err(LIFE_FAIL, NULL);
	if (*pid == 0)
		become(argv, report[1]);
	close(report[1]);
	/* Nothing comes if it has become the command. */
	if (read(report[0], &rc, sizeof(rc)) != sizeof(rc))
		rc = 0;
	close(report[0]);
	if (rc == 0)
		return 0;
	warnc(rc, "%s", argv[0]);
	return rc == ENOENT ? LIFE_MISSING : LIFE_CANNOT;
}

int
life_status(int wait_status)
{
	return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status)
					: WEXITSTATUS(wait_status);
}
