#ifndef TAP_H
#define TAP_H

/*
 * TAP for unit tests.  A test file is
 *
 *	int main(void) { tap(cond, "what holds"); ... return tap_done(); }
 *
 * Each tap() is a test, told on stdout; why one failed is told on stderr, which
 * prove(1) lets through.  tap_done() prints the plan and returns the exit
 * status.  Random tests take their numbers from tap_random(), whose seed is
 * printed; TAP_SEED=N in the environment repeats a run.  With TAP_FIRST=1 the
 * first test that fails is the last one.
 */

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int tap_count, tap_failed;

#define tap(cond, ...) tap_at(__FILE__, __LINE__, (cond), #cond, __VA_ARGS__)

/* A test that two strings are equal, which prints the one got if not. */
#define tap_str(got, want)                                                     \
	do {                                                                   \
		if (!tap(strcmp(got, want) == 0, "%s is right", #got))         \
			fprintf(stderr, "# got: %s\n", got);                   \
	} while (0)

/* A test that two integers are equal, which prints them if not. */
#define tap_int(got, want, ...)                                                \
	tap_int_at(__FILE__, __LINE__, (int64_t)(got), (int64_t)(want),        \
	    __VA_ARGS__)

static inline void tap_line(bool ok, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));
static inline bool tap_at(const char *file, int line, bool cond,
    const char *text, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
static inline bool tap_int_at(const char *file, int line, int64_t got,
    int64_t want, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static inline void
tap_line(bool ok, const char *fmt, va_list ap)
{
	tap_count++;
	tap_failed += !ok;
	printf("%sok %d - ", ok ? "" : "not ", tap_count);
	vprintf(fmt, ap);
	printf("\n");
	fflush(stdout);
	if (!ok && getenv("TAP_FIRST") != NULL)
		exit(1);
}

static inline bool
tap_at(const char *file, int line, bool cond, const char *text, const char *fmt,
    ...)
{
	va_list ap;

	va_start(ap, fmt);
	tap_line(cond, fmt, ap);
	va_end(ap);
	if (!cond)
		fprintf(stderr, "# %s:%d: %s\n", file, line, text);
	return cond;
}

static inline bool
tap_int_at(const char *file, int line, int64_t got, int64_t want,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tap_line(got == want, fmt, ap);
	va_end(ap);
	if (got != want)
		fprintf(stderr, "# %s:%d: got %" PRId64 ", want %" PRId64 "\n",
		    file, line, got, want);
	return got == want;
}

static inline int
tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed == 0 ? 0 : 1;
}

/* xorshift64*; the first call seeds it and prints the seed. */
static inline uint64_t
tap_random(void)
{
	static uint64_t state;

	if (state == 0) {
		const char *s = getenv("TAP_SEED");
		struct timespec ts;

		clock_gettime(CLOCK_REALTIME, &ts);
		state = s != NULL
		    ? strtoull(s, NULL, 10)
		    : (uint64_t)ts.tv_sec ^ (uint64_t)ts.tv_nsec << 20;
		state |= state == 0;
		printf("# TAP_SEED=%" PRIu64 "\n", state);
	}
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * UINT64_C(0x2545F4914F6CDD1D);
}

/*
 * A fresh directory, in TMPDIR if its name is short, removed at exit with all
 * that is in it.
 */
static char tap_dir_path[64];
static pid_t tap_dir_owner;

static inline void
tap_dir_remove(void)
{
	char command[sizeof(tap_dir_path) + 16];

	if (getpid() != tap_dir_owner)
		return;
	snprintf(command, sizeof(command), "rm -rf '%s'", tap_dir_path);
	if (system(command) != 0)
		printf("# cannot remove %s\n", tap_dir_path);
}

static inline const char *
tap_dir(void)
{
	const char *tmp = getenv("TMPDIR");

	if (tap_dir_owner == 0) {
		snprintf(tap_dir_path, sizeof(tap_dir_path), "%s/unit.XXXXXX",
		    tmp == NULL || strlen(tmp) > 40 ? "/tmp" : tmp);
		if (mkdtemp(tap_dir_path) == NULL)
			abort();
		tap_dir_owner = getpid();
		atexit(tap_dir_remove);
	}
	return tap_dir_path;
}

#endif
