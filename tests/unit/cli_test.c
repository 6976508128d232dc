/*
 * Each case runs a small program of two options in a child, with its stdout
 * and stderr in pipes: the module prints and exits, and getopt has state.
 */
#include "base/cli.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/now.h"
#include "tap.h"

enum { OPT_FIELD = 256, OPT_FIELDS, OPT_COLOR };

static const struct cli_option options[] = {
    {'k', "key", "KEY", "only this key"},
    {'J', "json", NULL, "as JSON"},
    {OPT_FIELD, "key-field", "PATH",
	"the key is at PATH in the value, which is a long enough story to "
	"need a second line of help"},
    {OPT_FIELDS, "key-fields", NULL, "another that begins alike"},
    {OPT_COLOR, "color", "[WHEN]", "colours"},
    {0, NULL, NULL, NULL},
};
static const struct cli_option *const tables[] = {options, NULL};
static const struct cli_program prog = {"[OPTION]... TOPIC...", "Do nothing.",
    tables};

/* Print each option and operand as cli_next() tells them. */
static int
echo_main(int argc, char **argv)
{
	int id;

	cli_start(argv);
	while ((id = cli_next(&prog, argc, argv)) != -1)
		printf("%s=%s ", cli_option_name(&prog, id),
		    cli_arg == NULL ? "(none)" : cli_arg);
	for (int i = cli_operand; i < argc; i++)
		printf("%s ", argv[i]);
	printf("q%d v%d u%d", cli_quiet, cli_verbose, cli_utc);
	cli_warn("warned %d", 7);
	cli_close_stdout();
	return CLI_DONE;
}

static int
progress_main(int argc, char **argv)
{
	struct timespec pause = {0, 20000000};

	while (cli_next(&prog, argc, argv) != -1)
		;
	for (int i = 0; i < 35; i++) {
		cli_progress(i << 20, 35 << 20, "B");
		nanosleep(&pause, NULL);
	}
	cli_progress_end();
	return CLI_DONE;
}

static int
full_main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf("x");
	cli_close_stdout();
	return CLI_DONE;
}

static char out[8192], err[8192];

static void
slurp(int fd, char *text, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	close(fd);
}

/*
 * Run a program in a child; its output goes to out and err (stdout to
 * stdout_fd instead, if that is not -1).  Returns its exit status.
 */
static int
run(int (*program)(int, char **), int stdout_fd, int argc, char **argv)
{
	int o[2], e[2], status;
	pid_t pid;

	fflush(stdout);
	if (pipe(o) != 0 || pipe(e) != 0 || (pid = fork()) < 0)
		abort();
	if (pid == 0) {
		dup2(stdout_fd < 0 ? o[1] : stdout_fd, 1);
		dup2(e[1], 2);
		close(o[0]);
		close(o[1]);
		close(e[0]);
		close(e[1]);
		exit(program(argc, argv));
	}
	close(o[1]);
	close(e[1]);
	slurp(o[0], out, sizeof(out));
	slurp(e[0], err, sizeof(err));
	if (waitpid(pid, &status, 0) != pid)
		abort();
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Run echo_main on the words of the arguments; the list ends with NULL. */
static int
echo(char *first, ...)
{
	char *argv[16] = {(char *)(uintptr_t) "/opt/bin/logdo", first};
	int argc = 1;
	va_list ap;

	va_start(ap, first);
	while (argv[argc] != NULL && argc < 14)
		argv[++argc] = va_arg(ap, char *);
	va_end(ap);
	return run(echo_main, -1, argc, argv);
}

/* Was that a usage error with this message, in one line? */
static bool
refused(int status, const char *message)
{
	char want[256];

	snprintf(want, sizeof(want), "logdo: %s (try logdo --help)\n", message);
	if (status == CLI_USAGE && strcmp(err, want) == 0)
		return true;
	printf("# status %d, err: %s", status, err);
	return false;
}

#define A(s) ((char *)(uintptr_t)(s))

static void
test_options(void)
{
	tap_int(echo(A("-k"), A("a"), A("t"), A("-Jvv"), A("--utc"), NULL), 0,
	    "options may follow operands");
	tap_str(out, "-k=a -J=(none) t q0 v2 u1");
	tap_str(err, "logdo: warned 7\n");
	tap_int(echo(A("-kJ"), A("--key-field=.a=b"), A("--"), A("-J"), NULL),
	    0, "arguments in the same word, -- ends the options");
	tap_str(out, "-k=J --key-field=.a=b -J q0 v0 u0");
	tap_int(echo(A("-q"), A("--color"), A("--color=no"), NULL), 0,
	    "an optional argument");
	tap_str(out, "--color=(none) --color=no q1 v0 u0");
	tap(err[0] == '\0', "-q: no warning");
	tap_int(echo(A("-k"), A(""), A(""), A("-"), NULL), 0, "empty words");
	tap_str(out, "-k=  - q0 v0 u0");
}

static void
test_refused(void)
{
	tap(refused(echo(A("-x"), NULL), "unknown option -x"), "unknown -x");
	tap(refused(echo(A("-Jx"), NULL), "unknown option -x"), "unknown -Jx");
	tap(refused(echo(A("--nope=1"), NULL), "unknown option --nope"),
	    "unknown --nope=1");
	tap(refused(echo(A("--key-f"), NULL), "--key-f may be several options"),
	    "ambiguous");
	tap(refused(echo(A("-k"), NULL), "-k needs an argument: KEY"),
	    "-k without");
	tap(refused(echo(A("--key"), NULL), "--key needs an argument: KEY"),
	    "--key without");
	tap(refused(echo(A("--key-field"), NULL),
		"--key-field needs an argument: PATH"),
	    "--key-field without");
	tap(refused(echo(A("--json=1"), NULL), "--json takes no argument"),
	    "--json=1");
	tap(refused(echo(A("--key-fields=1"), NULL),
		"--key-fields takes no argument"),
	    "--key-fields=1");
	tap(refused(echo(A("--progress"), A("now"), NULL),
		"--progress: not always, never or auto: now"),
	    "--progress now");
}

static void
test_help(void)
{
	static const char first[] =
	    "-J=(none) usage: logdo [OPTION]... TOPIC...\nDo nothing.\n\n";
	bool wide = false;
	size_t len;

	tap_int(echo(A("-x"), A("-h"), NULL), CLI_USAGE, "first error first");
	tap_int(echo(A("-J"), A("--help"), NULL), 0, "--help");
	tap(strncmp(out, first, strlen(first)) == 0, "the synopsis first");
	tap(strstr(out, "\n  -k, --key KEY               only this key\n") !=
		NULL,
	    "a letter and its name");
	tap(strstr(out, "\n      --color[=WHEN]          colours\n") != NULL,
	    "an optional argument");
	tap(strstr(out, "\n  -V, --version  ") != NULL, "the common ones");
	tap(strstr(out, "\n                              ") != NULL,
	    "long help is broken");
	for (const char *s = out; *s != '\0'; s += len + 1) {
		len = strcspn(s, "\n");
		wide |= len > 79;
	}
	tap(!wide, "no line over 79 columns");
	tap_int(echo(A("-V"), NULL), 0, "--version");
	tap_str(out, "logdo (logkit) " CLI_VERSION "\n");
}

static void
test_stdout(void)
{
	char *argv[] = {A("logdo"), A("-h"), NULL};
	int full = open("/dev/full", O_WRONLY), pipes[2];

	tap_int(run(full_main, full, 1, argv), CLI_FAIL, "stdout is full");
	tap(strstr(err, "stdout: No space") != NULL, "and that is told");
	tap_int(run(echo_main, full, 2, argv), CLI_FAIL, "--help to it too");
	signal(SIGPIPE, SIG_IGN);
	if (pipe(pipes) != 0)
		abort();
	close(pipes[0]);
	tap_int(run(full_main, pipes[1], 1, argv), CLI_FAIL, "a closed pipe");
	tap(err[0] == '\0', "nothing is said of it");
	signal(SIGPIPE, SIG_DFL);
	tap_int(run(full_main, pipes[1], 1, argv), -SIGPIPE,
	    "SIGPIPE kills as it should");
	close(pipes[1]);
	close(full);
}

static int
closed_main(int argc, char **argv)
{
	(void)argc;
	close(0);
	close(1);
	cli_start(argv);
	if (read(0, out, 1) >= 0 || open("/dev/null", O_RDONLY) <= 2)
		return 99;
	return full_main(argc, argv);
}

static void
test_closed(void)
{
	char *argv[] = {A("logdo"), NULL};

	tap_int(run(closed_main, -1, 1, argv), CLI_FAIL,
	    "closed descriptors stay unusable");
	tap(strstr(err, "stdout: Bad file descriptor") != NULL, "told");
}

static void
test_progress(void)
{
	char *always[] = {A("logdo"), A("--progress"), A("always"), NULL};
	char *unset[] = {A("logdo"), NULL};
	int64_t took_ms = now_mono_ms();
	int shown = 0;

	tap_int(run(progress_main, -1, 3, always), 0, "--progress always");
	took_ms = now_mono_ms() - took_ms;
	tap(strstr(err, "M of 35.0M B, ") != NULL, "shows done and total");
	for (const char *s = err; *s != '\0'; s++)
		shown += *s == '%';
	tap(shown >= 1 && shown <= 2 + took_ms / 100,
	    "no more than ten a second");
	tap(err[strlen(err) - 1] == '\r', "erased at the end");
	tap_int(run(progress_main, -1, 1, unset), 0, "no terminal");
	tap(err[0] == '\0', "then nothing is shown");
}

/* What is written in parts comes in as many, where each write is one. */
static void
test_message(void)
{
	char name[] = "prog", *argv[] = {name, NULL}, got[100] = "";
	int ends[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0 ||
	    (pid = fork()) < 0)
		abort();
	if (pid == 0) {
		if (dup2(ends[1], 2) != 2)
			abort();
		cli_start(argv);
		cli_warn("said %d", 7);
		_exit(0);
	}
	(void)waitpid(pid, NULL, 0);
	(void)recv(ends[0], got, sizeof(got) - 1, MSG_DONTWAIT);
	tap_str(got, "prog: said 7\n");
	tap(recv(ends[0], got, sizeof(got), MSG_DONTWAIT) < 0, "one write");
	(void)close(ends[0]);
	(void)close(ends[1]);
}

int
main(void)
{
	test_options();
	test_refused();
	test_help();
	test_stdout();
	test_closed();
	test_progress();
	test_message();
	return tap_done();
}
