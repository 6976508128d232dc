#include "base/cli.h"

#include <sys/resource.h>

#include <assert.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/now.h"
#include "base/patience.h"

enum {
	OPTIONS_MAX = 120,
	COLUMNS = 79,
	/* where the text of an option starts, and the widest name before it */
	HELP_COLUMN = 30,
	ID_UTC = 0x10000,
	ID_PROGRESS,
	PROGRESS_FIRST_MS = 500,
	PROGRESS_EACH_MS = 100,
};

bool cli_quiet;
int cli_verbose;
int cli_usage_status = CLI_USAGE;
int cli_fail_status = CLI_FAIL;
bool cli_utc;
bool cli_bare;
char *cli_arg;
int cli_operand;

const struct cli_option cli_common[] = {
    {'h', "help", NULL, "show this help and exit"},
    {'V', "version", NULL, "show the version and exit"},
    {'q', "quiet", NULL, "no warnings, no progress"},
    {'v', "verbose", NULL, "say more; may be repeated"},
    {ID_UTC, "utc", NULL, "times without a zone are UTC"},
    {ID_PROGRESS, "progress", "WHEN",
	"show progress: always, never, auto (on a terminal)"},
    {0, NULL, NULL, NULL},
};

/* Of open files, as we were given it. */
static struct rlimit files_limit;

/* Of stderr, until its line ends; a longer one is written in parts. */
static char message[4096];

/* What getopt_long(3) wants, made from the tables at the first call. */
static struct option long_options[OPTIONS_MAX + 1];
static char short_options[3 * OPTIONS_MAX + 2];

static enum {
	PROGRESS_AUTO,
	PROGRESS_ALWAYS,
	PROGRESS_NEVER,
} progress_when;

static void
tell_wait(const char *what)
{
	cli_warn("%s: waiting for another process's lock", what);
}

/* The soft limit is low for the sake of select(2), which is not used. */
static void
raise_limits(void)
{
	struct rlimit most;

	if (getrlimit(RLIMIT_NOFILE, &files_limit) != 0)
		return;
	most = files_limit;
	most.rlim_cur = most.rlim_max;
	if (files_limit.rlim_cur < files_limit.rlim_max)
		(void)setrlimit(RLIMIT_NOFILE, &most);
}

void
cli_start(char **argv)
{
	/*
	 * A file opened later must not become stdin, stdout or stderr.  Each
	 * is opened the wrong way round, so that using it fails.
	 */
	for (int fd = 0; fd <= 2; fd++) {
		int flags = fd == 0 ? O_WRONLY : O_RDONLY;

		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", flags) != fd)
			_exit(CLI_FAIL);
	}
	setprogname(argv[0] == NULL ? "logkit" : argv[0]);
	/* A limit on file sizes is an error of write(2), which is told. */
	signal(SIGXFSZ, SIG_IGN);
	/*
	 * A message is written at once: what others write does not come between
	 * its words, and who is killed leaves no part of one.
	 */
	(void)setvbuf(stderr, message, _IOLBF, sizeof(message));
	patience_hook = tell_wait;
	raise_limits();
}

void
cli_restore_limits(void)
{
	if (files_limit.rlim_max > 0)
		(void)setrlimit(RLIMIT_NOFILE, &files_limit);
}

static const struct cli_option bare[] = {
    {'h', "help", NULL, "show this help and exit"},
    {'V', "version", NULL, "show the version and exit"},
    {0, NULL, NULL, NULL},
};

/* Table number i, the common one last; NULL after it. */
static const struct cli_option *
table_at(const struct cli_program *prog, size_t i)
{
	size_t own = 0;

	while (prog->tables[own] != NULL)
		own++;
	if (i < own)
		return prog->tables[i];
	if (i > own)
		return NULL;
	return cli_bare ? bare : cli_common;
}

static int
arg_kind(const struct cli_option *o)
{
	if (o->arg == NULL)
		return no_argument;
	return o->arg[0] == '[' ? optional_argument : required_argument;
}

static void
make_tables(const struct cli_program *prog)
{
	const struct cli_option *o;
	char *letter = short_options;
	size_t count = 0;

	/* Tell a missing argument (':') from an unknown option ('?'). */
	*letter++ = ':';
	for (size_t i = 0; (o = table_at(prog, i)) != NULL; i++) {
		for (; o->id != 0; o++) {
			int kind = arg_kind(o);

			assert(count < OPTIONS_MAX);
			if (o->name != NULL)
				long_options[count++] =
				    (struct option){o->name, kind, NULL, o->id};
			if (o->id >= 256)
				continue;
			*letter++ = (char)o->id;
			for (int n = 0; n < kind; n++)
				*letter++ = ':';
		}
	}
	opterr = 0;
}

static const struct cli_option *
find_option(const struct cli_program *prog, int id)
{
	const struct cli_option *o;

	for (size_t i = 0; (o = table_at(prog, i)) != NULL; i++)
		for (; o->id != 0; o++)
			if (o->id == id)
				return o;
	return NULL;
}

const char *
cli_option_name(const struct cli_program *prog, int id)
{
	static char names[4][64];
	static unsigned turn;
	char *name = names[turn++ % 4];
	const struct cli_option *o = find_option(prog, id);

	assert(o != NULL);
	if (id < 256)
		snprintf(name, sizeof(names[0]), "-%c", id);
	else
		snprintf(name, sizeof(names[0]), "--%s", o->name);
	return name;
}

/* Refuse the word of argv that getopt_long(3) has just given up on. */
static void
refuse(const struct cli_program *prog, int got, char **argv)
{
	const char *word = argv[optind - 1];
	const struct cli_option *o =
	    optopt == 0 ? NULL : find_option(prog, optopt);
	bool is_long = strncmp(word, "--", 2) == 0;
	int len = (int)strcspn(word, "=");
	int like = 0;

	if (got == ':' && is_long)
		cli_usage("%.*s needs an argument: %s", len, word, o->arg);
	if (got == ':')
		cli_usage("-%c needs an argument: %s", optopt, o->arg);
	if (o != NULL)
		cli_usage("%.*s takes no argument", len, word);
	if (optopt != 0)
		cli_usage("unknown option -%c", optopt);
	for (size_t i = 0; long_options[i].name != NULL; i++)
		like += strncmp(long_options[i].name, word + 2,
			    (size_t)len - 2) == 0;
	if (like > 1)
		cli_usage("%.*s may be several options", len, word);
	cli_usage("unknown option %.*s", len, word);
}

static void
set_progress(const char *when)
{
	if (strcmp(when, "auto") == 0)
		progress_when = PROGRESS_AUTO;
	else if (strcmp(when, "always") == 0)
		progress_when = PROGRESS_ALWAYS;
	else if (strcmp(when, "never") == 0)
		progress_when = PROGRESS_NEVER;
	else
		cli_usage("--progress: not always, never or auto: %s", when);
}

/*
 * One line of the help: the names, then the text from HELP_COLUMN on, broken
 * at blanks.
 */
static void
print_option(const struct cli_option *o)
{
	const char *rest = o->help;
	int at = 0;

	if (o->name == NULL)
		at = printf("  -%c", o->id);
	else if (o->id < 256)
		at = printf("  -%c, --%s", o->id, o->name);
	else
		at = printf("      --%s", o->name);
	if (arg_kind(o) == optional_argument)
		at += printf("[=%s", o->arg + 1);
	else if (o->arg != NULL)
		at += printf(" %s", o->arg);
	if (at > HELP_COLUMN - 2) {
		putchar('\n');
		at = 0;
	}
	while (*rest != '\0') {
		size_t len = strlen(rest);

		if (len > COLUMNS - HELP_COLUMN) {
			len = COLUMNS - HELP_COLUMN;
			while (len > 1 && rest[len] != ' ')
				len--;
		}
		printf("%*s%.*s\n", HELP_COLUMN - at, "", (int)len, rest);
		rest += len;
		rest += *rest == ' ';
		at = 0;
	}
}

static void
print_help(const struct cli_program *prog)
{
	const struct cli_option *o;

	printf("usage: %s %s\n%s\n\n", getprogname(), prog->synopsis,
	    prog->purpose);
	for (size_t i = 0; (o = table_at(prog, i)) != NULL; i++)
		for (; o->id != 0; o++)
			print_option(o);
}

/* Was it one of the common options, now dealt with? */
static bool
take_common(const struct cli_program *prog, int id)
{
	switch (id) {
	case 'h':
		print_help(prog);
		cli_close_stdout();
		exit(CLI_DONE);
	case 'V':
		printf("%s (logkit) %s\n", getprogname(), CLI_VERSION);
		cli_close_stdout();
		exit(CLI_DONE);
	case 'q':
		cli_quiet = true;
		return true;
	case 'v':
		cli_verbose++;
		return true;
	case ID_UTC:
		cli_utc = true;
		return true;
	case ID_PROGRESS:
		set_progress(optarg);
		return true;
	default:
		return false;
	}
}

int
cli_next(const struct cli_program *prog, int argc, char **argv)
{
	int id;

	if (short_options[0] == '\0')
		make_tables(prog);
	do {
		id = getopt_long(argc, argv, short_options, long_options, NULL);
		if (id == ':' || id == '?')
			refuse(prog, id, argv);
	} while (id != -1 && take_common(prog, id));
	cli_arg = optarg;
	cli_operand = optind;
	return id;
}

void
cli_usage(const char *fmt, ...)
{
	va_list ap;

	fprintf(stderr, "%s: ", getprogname());
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, " (try %s --help)\n", getprogname());
	exit(cli_usage_status);
}

void
cli_warn(const char *fmt, ...)
{
	va_list ap;

	if (cli_quiet)
		return;
	va_start(ap, fmt);
	vwarnx(fmt, ap);
	va_end(ap);
}

bool
cli_progress_wanted(void)
{
	if (progress_when != PROGRESS_AUTO)
		return progress_when == PROGRESS_ALWAYS;
	return !cli_quiet && isatty(STDERR_FILENO);
}

static struct {
	int64_t start_ms;	/* 0: nothing is going on */
	int64_t shown_ms;	/* 0: nothing is on the line */
	int64_t start_done;
	int width;		/* of what is on the line */
} progress;

/* A count in few letters: 950, 12.3K, 4.0G; powers of 1024 for bytes. */
static void
short_count(int64_t n, const char *unit, char out[32])
{
	static const char letters[] = " KMGTPE";
	double base = strcmp(unit, "B") == 0 ? 1024 : 1000, v = (double)n;
	size_t i = 0;

	while (v >= base && i < sizeof(letters) - 2) {
		v /= base;
		i++;
	}
	if (i == 0)
		snprintf(out, 32, "%jd", (intmax_t)n);
	else
		snprintf(out, 32, "%.1f%c", v, letters[i]);
}

static void
progress_line(int64_t done, int64_t total, const char *unit, int64_t now_ms)
{
	char have[32], all[32], rate[32], line[128];
	int64_t spent_ms = now_ms - progress.start_ms;
	int width;

	short_count(done, unit, have);
	short_count(total, unit, all);
	short_count((int64_t)((double)(done - progress.start_done) * 1000 /
			(double)spent_ms),
	    unit, rate);
	if (total > 0)
		width = snprintf(line, sizeof(line), "%s of %s %s, %d%%, %s/s",
		    have, all, unit, (int)((double)done * 100 / (double)total),
		    rate);
	else
		width = snprintf(line, sizeof(line), "%s %s, %s/s", have, unit,
		    rate);
	fprintf(stderr, "\r%-*s", progress.width, line);
	(void)fflush(stderr);
	progress.width = width;
}

void
cli_progress(int64_t done, int64_t total, const char *unit)
{
	int64_t now_ms;

	if (!cli_progress_wanted())
		return;
	now_ms = now_mono_ms();
	if (progress.start_ms == 0) {
		progress.start_ms = now_ms;
		progress.start_done = done;
	}
	if (now_ms < progress.start_ms + PROGRESS_FIRST_MS ||
	    now_ms < progress.shown_ms + PROGRESS_EACH_MS)
		return;
	progress_line(done, total, unit, now_ms);
	progress.shown_ms = now_ms;
}

void
cli_progress_end(void)
{
	if (progress.shown_ms != 0) {
		fprintf(stderr, "\r%*s\r", progress.width, "");
		(void)fflush(stderr);
	}
	progress.start_ms = 0;
	progress.shown_ms = 0;
	progress.width = 0;
}

void
cli_close_stdout(void)
{
	static bool closed;
	bool failed;

	if (closed)
		return;
	closed = true;
	failed = ferror(stdout);
	errno = 0;
	if (fclose(stdout) != 0 || failed) {
		if (errno == 0)
			errno = EIO;
		if (errno != EPIPE)
			warn("stdout");
		_exit(cli_fail_status);
	}
}
