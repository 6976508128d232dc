#ifndef BASE_CLI_H
#define BASE_CLI_H

/*
 * What every program does alike on its command line: options from a table,
 * help and version, exit status, stdout checked at the end, progress.
 *
 * Unlike the rest of the library this module prints and exits; only programs
 * (src/) may call it.  Messages go through err(3) and warn(3).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLI_VERSION "0.1.0"

/* Exit status (cli contract of all programs). */
enum cli_exit {
	CLI_DONE = 0,		/* all that was asked */
	CLI_FAIL = 1,		/* failed, or failed in part */
	CLI_USAGE = 2,		/* nothing done */
	CLI_DAMAGE = 3,		/* damaged data met */
	CLI_CONDITION = 4,	/* a condition did not hold */
};

/*
 * One option.  id is its letter, or a number from 256 on if it has only a
 * long name; name is NULL if it has only a letter.  arg names the argument
 * (NULL: takes none; "[WHEN]": optional).
 * A table ends with an id of 0.
 */
struct cli_option {
	int id;
	const char *name;
	const char *arg;
	const char *help;
};

/* A program's command line; static in each program. */
struct cli_program {
	const char *synopsis;	/* after the name: "[OPTION]... TOPIC..." */
	const char *purpose;	/* one line */
	/* its options: a list that ends with NULL; cli_common is not in it */
	const struct cli_option *const *tables;
};

/* Set by the options that all programs have; see cli_common. */
extern bool cli_quiet;		/* -q: no warnings, no progress */
extern int cli_verbose;		/* -v, counted */
extern bool cli_utc;		/* --utc */

/* The options of all programs: -h -V -q -v --utc --progress. */
extern const struct cli_option cli_common[];

/*
 * Next option of argv, as getopt_long(3) would give it: its id, or -1 at the
 * end, when operands start at argv[cli_operand].  The argument is cli_arg.
 * Options may follow operands; "--" ends them.  Deals with the common ones
 * itself: -h and -V print to stdout and exit 0.  An option unknown, without
 * its argument, or given one it does not take: a line on stderr, exit 2.
 */
int cli_next(const struct cli_program *prog, int argc, char **argv);
extern char *cli_arg;
extern int cli_operand;

/* One line: "PROGRAM: what (try PROGRAM --help)"; exit cli_usage_status. */
void cli_usage(const char *fmt, ...)
    __attribute__((noreturn, format(printf, 1, 2)));
/* CLI_USAGE; set first by a program for which another convention holds. */
extern int cli_usage_status;
/* Of the common options only -h and -V are there; set first, too. */
extern bool cli_bare;
/* CLI_FAIL; the same, when stdout cannot be written. */
extern int cli_fail_status;

/* warnx(3) unless -q. */
void cli_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * The id's name as the user would type it: "-k" or "--key-field".  Valid for
 * the next three calls.
 */
const char *cli_option_name(const struct cli_program *prog, int id);

/*
 * At the start of main: the name for messages (also when run as
 * "logkit NAME"), and stdin, stdout, stderr made sure to be open: one that is
 * closed is opened so that every use of it fails.  SIGXFSZ is ignored.  A wait
 * for a lock that lasts is told (patience.h).
 * The limit on open files is raised as far as it may be: a topic has many.
 */
void cli_start(char **argv);
/* In a child, before another program takes its place: that limit as it was. */
void cli_restore_limits(void);

/*
 * Is progress to be shown?  --progress always|never|auto; auto means that
 * stderr is a terminal and -q was not given.
 */
bool cli_progress_wanted(void);
/*
 * Show how far the work is: at most ten times a second, after the first half
 * second, on one line of stderr that is erased at the end.  total < 0 is
 * unknown; unit is "B" or "records".  Does nothing unless wanted.
 */
void cli_progress(int64_t done, int64_t total, const char *unit);
void cli_progress_end(void);

/*
 * Flush and close stdout.  A failure: exit 1, told unless it is EPIPE.  Only
 * the first call does anything, so it may be registered with atexit(3).
 */
void cli_close_stdout(void);

#endif
