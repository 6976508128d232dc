/*
 * A link that fails: it carries bytes between its standard input and output and
 * a command, or a port, and when it has carried some something happens.
 *
 *	flaky DIR HOST COMMAND		as a remote shell; HOST is not looked at
 *	flaky DIR -t ADDRESS PORT	as a ProxyCommand of ssh
 *
 * What happens, one of the words of FLAKY_KINDS:
 *	cut	both directions are closed at once
 *	flip	a bit of the next bytes of one direction is another one
 *	stall	nothing is carried any more, and nothing is closed, by either end
 * Of every second link all bytes are late by some ms, too.  A link that is there
 * still, as ssh's is when the bit was of its padding, gets another one.
 *
 * DIR/log gets a line for each fault; after FLAKY_MAX of them there are no more.
 * FLAKY_FROM and FLAKY_TO: after 2^FROM to 2^TO bytes, each time.  FLAKY_HOLD_MS: a stalled
 * link is there so long.  The choices are those of SEED and the links before.
 */

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 64 << 10 };

static const char *dir;
static uint64_t state;

static uint64_t
random_below(uint64_t n)
{
	/* splitmix64 */
	uint64_t z = (state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return n == 0 ? 0 : (z ^ (z >> 31)) % n;
}

static long
setting(const char *name, long otherwise)
{
	const char *value = getenv(name);

	return value != NULL ? strtol(value, NULL, 10) : otherwise;
}

/* Lines of a file in DIR. */
static long
count_lines(const char *name)
{
	char path[4096];
	FILE *f;
	long n = 0;
	int c;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "r");
	while (f != NULL && (c = getc(f)) != EOF)
		n += c == '\n';
	if (f != NULL)
		fclose(f);
	return n;
}

static void
note(const char *name, const char *text)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		err(255, "%s", path);
	close(fd);
}

static void
sleep_ms(long ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	(void)nanosleep(&ts, NULL);
}

/* --- carrying ------------------------------------------------------------- */

static volatile sig_atomic_t flip;
/* Bytes of each direction; of all processes. */
static _Atomic long *carried;

static void
on_flip(int sig)
{
	(void)sig;
	flip = 1;
}

static bool
write_all(int fd, const uint8_t *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

/* One direction, until it ends. */
static void
carry(int from, int to, int which, long late_ms)
{
	static uint8_t block[BLOCK];
	ssize_t n;

	while ((n = read(from, block, sizeof(block))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		if (late_ms > 0)
			sleep_ms(late_ms);
		if (flip) {
			flip = 0;
			block[random_below((uint64_t)n)] ^=
			    (uint8_t)(1 << random_below(8));
		}
		if (!write_all(to, block, (size_t)n))
			break;
		carried[which] += n;
	}
}

static pid_t
begin_carry(int which, int from, int to, int other, int another, long late_ms)
{
	struct sigaction sa = {.sa_handler = on_flip};
	pid_t pid = fork();

	if (pid < 0)
		err(255, "fork");
	if (pid > 0)
		return pid;
	close(other);
	if (another != from && another != to)
		close(another);
	(void)sigaction(SIGUSR1, &sa, NULL);
	carry(from, to, which, late_ms);
	/* A socket's other direction may go on. */
	(void)shutdown(to, SHUT_WR);
	_exit(0);
}

/* --- where to ------------------------------------------------------------- */

static void
begin_command(const char *command, int *in, int *out)
{
	int to[2], from[2];
	pid_t pid;

	if (pipe(to) != 0 || pipe(from) != 0)
		err(255, "pipe");
	pid = fork();
	if (pid < 0)
		err(255, "fork");
	if (pid == 0) {
		(void)dup2(to[0], 0);
		(void)dup2(from[1], 1);
		close(to[0]);
		close(to[1]);
		close(from[0]);
		close(from[1]);
		execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(126);
	}
	close(to[0]);
	close(from[1]);
	*out = to[1];
	*in = from[0];
}

static void
begin_socket(const char *address, const char *port, int *in, int *out)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)strtol(port, NULL, 10))};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || inet_pton(AF_INET, address, &sin.sin_addr) != 1 ||
	    connect(fd, (struct sockaddr *)&sin, sizeof(sin)) != 0)
		err(255, "%s:%s", address, port);
	*in = *out = fd;
}

/* --- what happens --------------------------------------------------------- */

/* One of the words of FLAKY_KINDS. */
static const char *
choose_kind(void)
{
	static char words[256];
	const char *kinds = getenv("FLAKY_KINDS");
	char *list[32], *rest = words, *word;
	size_t n = 0;

	snprintf(words, sizeof(words), "%s",
	    kinds != NULL ? kinds : "cut flip stall");
	while ((word = strsep(&rest, " ")) != NULL && n < 32)
		if (word[0] != '\0')
			list[n++] = word;
	return n > 0 ? list[random_below(n)] : "cut";
}

/* Nothing is closed for a while, even if we are ended. */
static void
stall(const pid_t pids[2])
{
	kill(pids[0], SIGSTOP);
	kill(pids[1], SIGSTOP);
	if (fork() != 0) {
		sleep_ms(setting("FLAKY_HOLD_MS", 3000));
		_exit(255);
	}
	(void)setsid();
	close(0);
	close(1);
	close(2);
	sleep_ms(setting("FLAKY_HOLD_MS", 3000));
	kill(pids[0], SIGKILL);
	kill(pids[1], SIGKILL);
	_exit(0);
}

static void
happen(const char *kind, const pid_t pids[2])
{
	int which = (int)random_below(2);
	char text[128];

	snprintf(text, sizeof(text), "%s %s after %ld up, %ld down\n", kind,
	    strcmp(kind, "flip") != 0 ? "both"
		: which == 0          ? "up"
				      : "down",
	    carried[0], carried[1]);
	note("log", text);
	if (strcmp(kind, "flip") == 0) {
		kill(pids[which], SIGUSR1);
	} else if (strcmp(kind, "stall") == 0) {
		stall(pids);
	} else {
		kill(pids[0], SIGKILL);
		kill(pids[1], SIGKILL);
		_exit(255);
	}
}

/* Does what comes back end before so many bytes? */
static bool
ends_before(pid_t pid, long bytes)
{
	while (carried[0] + carried[1] < bytes) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return true;
		sleep_ms(1);
	}
	return false;
}

/* Between these powers of two, all of which are as likely. */
static long
choose_bytes(void)
{
	long from = setting("FLAKY_FROM", 6), to = setting("FLAKY_TO", 17);
	long bytes = 1L << (from + (long)random_below((uint64_t)(to - from)));

	return bytes + (long)random_below((uint64_t)bytes);
}

int
main(int argc, char **argv)
{
	const char *kind;
	int in = -1, out = -1;
	long late_ms, bytes;
	bool sound;
	pid_t pids[2];

	if (argc != 4 && !(argc == 5 && strcmp(argv[2], "-t") == 0))
		errx(255,
		    "usage: flaky DIR HOST COMMAND | "
		    "flaky DIR -t ADDRESS PORT");
	(void)signal(SIGPIPE, SIG_IGN);
	dir = argv[1];
	sound = count_lines("log") >= setting("FLAKY_MAX", 20);
	state = (uint64_t)setting("SEED", 1) * 1000003 +
	    (uint64_t)count_lines("links");
	note("links", "link\n");
	kind = choose_kind();
	bytes = choose_bytes();
	late_ms = sound ? 0 : (long)random_below(2) * (long)random_below(20);
	if (argc == 4)
		begin_command(argv[3], &in, &out);
	else
		begin_socket(argv[3], argv[4], &in, &out);
	carried = mmap(NULL, 2 * sizeof(*carried), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (carried == MAP_FAILED)
		err(255, "mmap");
	pids[0] = begin_carry(0, 0, out, 1, in, late_ms);
	pids[1] = begin_carry(1, in, 1, 0, out, late_ms);
	close(0);
	close(1);
	close(in);
	if (out != in)
		close(out);
	while (!sound && !ends_before(pids[1], bytes)) {
		happen(kind, pids);
		kind = choose_kind();
		bytes = carried[0] + carried[1] + choose_bytes();
		sound = count_lines("log") >= setting("FLAKY_MAX", 20);
	}
	while (waitpid(pids[1], NULL, 0) < 0 && errno == EINTR)
		continue;
	kill(pids[0], SIGKILL);
	return 0;
}
