#include "peer.h"

#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/io.h"
#include "base/now.h"
#include "base/parse.h"
#include "base/plain.h"

enum {
	WORDS_MAX = 64,
	END_MS = 2000,		/* from SIGTERM to SIGKILL */
};

static const char scheme[] = "ssh://";

/* [USER@]HOST; a dash in front would be an option of ssh's. */
static bool
is_host(const char *s)
{
	return s[0] != '\0' && s[0] != '-' && strstr(s, "@-") == NULL &&
	    strpbrk(s, " \t\n/") == NULL;
}

/* HOST or HOST:PORT, where an IPv6 address stands in brackets. */
static bool
split_port(struct peer_place *out)
{
	char *close = strchr(out->host, ']'), *open = strchr(out->host, '[');
	char *colon = strchr(close != NULL ? close : out->host, ':');
	int64_t port;

	if (colon != NULL) {
		if (parse_int(colon + 1, 1, 65535, &port) != 0)
			return false;
		strlcpy(out->port, colon + 1, sizeof(out->port));
		*colon = '\0';
	}
	if (open != NULL && close != NULL) {
		*close = '\0';
		memmove(open, open + 1, strlen(open));
	}
	return true;
}

static bool
parse_url(const char *s, struct peer_place *out, const char **why)
{
	size_t len = strcspn(s, "/");

	*why = "not ssh://[USER@]HOST[:PORT]/PATH";
	if (len == 0 || len >= sizeof(out->host) || s[len] == '\0' ||
	    s[len + 1] == '\0')
		return false;
	memcpy(out->host, s, len);
	out->host[len] = '\0';
	strlcpy(out->path, s + len, sizeof(out->path));
	return split_port(out) && is_host(out->host);
}

bool
peer_parse(const char *s, struct peer_place *out, const char **why)
{
	size_t len = strcspn(s, ":/");

	*out = (struct peer_place){.remote = false};
	*why = "empty";
	if (s[0] == '\0')
		return false;
	*why = "too long";
	if (strlen(s) >= sizeof(out->path))
		return false;
	*why = "not HOST:PATH";
	if (strncmp(s, scheme, strlen(scheme)) == 0) {
		out->remote = true;
		return parse_url(s + strlen(scheme), out, why);
	}
	/* An IPv6 address in brackets has colons of its own. */
	if (s[0] == '[' || strstr(s, "@[") != NULL) {
		const char *end = strstr(s, "]:");

		if (end != NULL)
			len = (size_t)(end + 1 - s);
	}
	if (s[len] != ':') {
		strlcpy(out->path, s, sizeof(out->path));
		return true;
	}
	out->remote = true;
	if (len >= sizeof(out->host) || s[len + 1] == '\0')
		return false;
	memcpy(out->host, s, len);
	out->host[len] = '\0';
	strlcpy(out->path, s + len + 1, sizeof(out->path));
	return split_port(out) && is_host(out->host);
}

/* Two pipes: ends for us and for the child, none of which survives an exec. */
struct pipes {
	int to[2];
	int from[2];
};

static void
close_pipes(struct pipes *p)
{
	for (int i = 0; i < 2; i++) {
		(void)io_close(&p->to[i]);
		(void)io_close(&p->from[i]);
	}
}

static int
make_pipes(struct pipes *p)
{
	int rc;

	*p = (struct pipes){{-1, -1}, {-1, -1}};
	if (pipe2(p->to, O_CLOEXEC) == 0 && pipe2(p->from, O_CLOEXEC) == 0)
		return 0;
	rc = errno;
	close_pipes(p);
	return rc;
}

/* Our ends. */
static void
keep_ours(struct peer *p, struct pipes *pipes)
{
	p->in = pipes->from[0];
	p->out = pipes->to[1];
	pipes->from[0] = pipes->to[1] = -1;
	close_pipes(pipes);
}

/* In the child: speak there, and end with its parent. */
static void
become_carrier(int err_fd, pid_t parent)
{
	if (dup2(err_fd, 2) < 0)
		_exit(126);
#ifdef __linux__
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
	if (getppid() != parent)
		_exit(126);
}

/* errs: of a pipe for its stderr; -1: it has ours. */
static int
fork_on(struct peer *p, struct pipes *pipes, int errs[2],
    int (*serve)(int in, int out))
{
	pid_t parent = getpid();

	p->pid = fork();
	if (p->pid < 0) {
		close_pipes(pipes);
		return errno;
	}
	if (p->pid == 0) {
		close(pipes->to[1]);
		close(pipes->from[0]);
		if (errs[1] >= 0)
			become_carrier(errs[1], parent);
		_exit(serve(pipes->to[0], pipes->from[1]));
	}
	keep_ours(p, pipes);
	return 0;
}

int
peer_fork(struct peer *p, int (*serve)(int in, int out))
{
	int errs[2] = {-1, -1};
	struct pipes pipes;
	int rc = make_pipes(&pipes);

	*p = (struct peer){.in = -1, .out = -1, .err = -1};
	return rc == 0 ? fork_on(p, &pipes, errs, serve) : rc;
}

int
peer_fork_host(struct peer *p, const char *host, int (*serve)(int in, int out))
{
	struct pipes pipes;
	int errs[2], rc = make_pipes(&pipes);

	*p = (struct peer){.in = -1, .out = -1, .err = -1, .host = host};
	if (rc != 0)
		return rc;
	if (pipe2(errs, O_CLOEXEC) != 0) {
		rc = errno;
		close_pipes(&pipes);
		return rc;
	}
	rc = fork_on(p, &pipes, errs, serve);
	(void)io_close(&errs[1]);
	p->err = errs[0];
	(void)fcntl(p->err, F_SETFL, O_NONBLOCK);
	return rc;
}

/* The words of rsh, then what ssh is to do. */
static void
make_command(const struct peer_place *place, char *rsh, char *remote,
    const char *words[WORDS_MAX])
{
	size_t n = 0;
	char *word;

	while ((word = strsep(&rsh, " \t")) != NULL && n < WORDS_MAX - 6)
		if (word[0] != '\0')
			words[n++] = word;
	if (place->port[0] != '\0') {
		words[n++] = "-p";
		words[n++] = place->port;
	}
	words[n++] = place->host;
	words[n++] = remote;
	words[n] = NULL;
}

static void run(const struct peer_place *place, const char *rsh,
    const char *program, struct pipes *pipes, int err_fd)
    __attribute__((noreturn));

/* In the child. */
static void
run(const struct peer_place *place, const char *rsh, const char *program,
    struct pipes *pipes, int err_fd)
{
	const char *words[WORDS_MAX];
	char copy[1024], remote[PATH_MAX + 16];

	strlcpy(copy, rsh, sizeof(copy));
	snprintf(remote, sizeof(remote), "%s --server", program);
	make_command(place, copy, remote, words);
	if (dup2(pipes->to[0], 0) < 0 || dup2(pipes->from[1], 1) < 0 ||
	    dup2(err_fd, 2) < 0)
		_exit(126);
	cli_restore_limits();
	execvp(words[0], (char *const *)(uintptr_t)words);
	dprintf(2, "%s: %s\n", words[0], strerror(errno));
	_exit(126);
}

int
peer_ssh(struct peer *p, const struct peer_place *place, const char *rsh,
    const char *program)
{
	struct pipes pipes;
	int errs[2], rc = make_pipes(&pipes);

	*p = (struct peer){.in = -1, .out = -1, .err = -1};
	p->host = place->host;
	if (rc != 0)
		return rc;
	if (pipe2(errs, O_CLOEXEC) != 0) {
		rc = errno;
		close_pipes(&pipes);
		return rc;
	}
	p->pid = fork();
	if (p->pid == 0)
		run(place, rsh, program, &pipes, errs[1]);
	rc = p->pid < 0 ? errno : 0;
	(void)io_close(&errs[1]);
	p->err = errs[0];
	(void)fcntl(p->err, F_SETFL, O_NONBLOCK);
	if (rc != 0)
		close_pipes(&pipes);
	else
		keep_ours(p, &pipes);
	return rc;
}

/* A whole line that it has said. */
static void
take_line(struct peer *p)
{
	size_t len = p->part_len;

	while (len > 0 && (p->part[len - 1] == '\r' || p->part[len - 1] == '.'))
		len--;
	p->part_len = 0;
	if (len == 0)
		return;
	plain_copy(p->part, len, p->line, sizeof(p->line));
	if (p->relay)
		warnx("%s: %s", p->host, p->line);
}

void
peer_listen(struct peer *p)
{
	char block[4096];
	ssize_t got;

	while (p->err >= 0 && (got = read(p->err, block, sizeof(block))) > 0) {
		for (ssize_t i = 0; i < got; i++) {
			if (block[i] == '\n')
				take_line(p);
			else if (p->part_len + 1 < sizeof(p->part))
				p->part[p->part_len++] = block[i];
		}
	}
}

/* Has it ended, or does it until then? */
static bool
has_ended(struct peer *p, int64_t until_ms, int *status)
{
	static const struct timespec pause = {0, 2000000};
	pid_t pid;

	while ((pid = waitpid(p->pid, status, WNOHANG)) == 0 &&
	    now_mono_ms() < until_ms) {
		peer_listen(p);
		(void)nanosleep(&pause, NULL);
	}
	return pid != 0;
}

int
peer_end(struct peer *p, int64_t patience_ms)
{
	int status = 0;

	if (!has_ended(p, now_mono_ms() + patience_ms, &status)) {
		(void)kill(p->pid, SIGTERM);
		if (!has_ended(p, now_mono_ms() + END_MS, &status)) {
			(void)kill(p->pid, SIGKILL);
			(void)waitpid(p->pid, &status, 0);
		}
	}
	peer_listen(p);
	take_line(p);
	(void)io_close(&p->err);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
