#include "check.h"

#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/cli.h"
#include "base/now.h"

static struct {
	struct check_limits limits;
	int64_t now_ms;
	enum check_status worst;
	struct buf lines; /* problems, a line each */
	struct buf first; /* the first of the worst ones */

	char topic[4096]; /* path; "": none yet */
	int64_t topic_newest;

	int64_t partitions;
	int64_t records, bytes; /* -1: not known */
	int64_t age_ms; /* the greatest of a topic; -1 none */
	int64_t lag; /* the greatest of a group; -1 none */
} check;

static const char *const words[] = {
    [CHECK_OK] = "OK",
    [CHECK_WARNING] = "WARNING",
    [CHECK_UNKNOWN] = "UNKNOWN",
    [CHECK_CRITICAL] = "CRITICAL",
};

static int
rank(enum check_status status)
{
	static const int ranks[] = {
	    [CHECK_OK] = 0,
	    [CHECK_WARNING] = 1,
	    [CHECK_UNKNOWN] = 2,
	    [CHECK_CRITICAL] = 3,
	};

	return ranks[status];
}

/* A bar would begin the figures, a newline the next problem. */
static void
add_line(struct buf *b, const char *text)
{
	char line[5000];

	strlcpy(line, text, sizeof(line));
	for (char *c = line; *c != '\0'; c++)
		if (*c == '|' || *c == '\n')
			*c = '_';
	if (buf_add_str(b, line) != 0 || buf_add_str(b, "\n") != 0)
		errx(CHECK_UNKNOWN, "out of memory");
}

static void problem(enum check_status status, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
problem(enum check_status status, const char *fmt, ...)
{
	char text[5000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (rank(status) <= rank(check.worst)) {
		add_line(&check.lines, text);
		return;
	}
	/* The worst one comes first; the one before it is one of many. */
	if (buf_add(&check.lines, check.first.data, check.first.len) != 0)
		errx(CHECK_UNKNOWN, "out of memory");
	check.first.len = 0;
	check.worst = status;
	add_line(&check.first, text);
}

/* In the largest unit that it has: 59s, 2h, 3d. */
static const char *
age_text(int64_t ms, char out[32])
{
	static const struct {
		int64_t ms;
		char unit;
	} units[] = {{86400000, 'd'}, {3600000, 'h'}, {60000, 'm'}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (ms >= units[i].ms) {
			snprintf(out, 32, "%jd%c", (intmax_t)(ms / units[i].ms),
			    units[i].unit);
			return out;
		}
	}
	if (ms < 1000)
		snprintf(out, 32, "%jdms", (intmax_t)ms);
	else
		snprintf(out, 32, "%jds", (intmax_t)(ms / 1000));
	return out;
}

static void
end_topic(void)
{
	int64_t age_ms = check.now_ms - check.topic_newest;
	char age[32], limit[32];

	if (check.topic[0] == '\0' || check.limits.age_ms < 0)
		return;
	if (check.topic_newest < 0) {
		problem(CHECK_WARNING, "%s: no events", check.topic);
		return;
	}
	if (age_ms < 0)
		age_ms = 0;
	if (age_ms > check.age_ms)
		check.age_ms = age_ms;
	if (age_ms > check.limits.age_ms)
		problem(CHECK_CRITICAL, "%s: newest event %s old (limit %s)",
		    check.topic, age_text(age_ms, age),
		    age_text(check.limits.age_ms, limit));
}

void
check_init(const struct check_limits *limits)
{
	check.limits = *limits;
	check.lag = -1;
	check.now_ms = now_wall_ms();
	check.age_ms = -1;
	buf_init(&check.lines, SIZE_MAX / 2);
	buf_init(&check.first, SIZE_MAX / 2);
}

void
check_topic(const char *path)
{
	end_topic();
	strlcpy(check.topic, path, sizeof(check.topic));
	check.topic_newest = -1;
}

/* What has a part that is not known is not known. */
static void
add(int64_t *sum, int64_t n)
{
	*sum = n < 0 || *sum < 0 ? -1 : *sum + n;
}

void
check_partition(const char *path, const struct count *c,
    const struct count_health *h)
{
	check.partitions++;
	add(&check.records, c->records);
	add(&check.bytes, c->bytes);
	if (c->newest > check.topic_newest)
		check.topic_newest = c->newest;
	if (h->failed)
		problem(CHECK_CRITICAL, "%s: a write or sync failed", path);
	if (h->lost > 0)
		problem(CHECK_CRITICAL, "%s/lost+found: %jd file%s", path,
		    (intmax_t)h->lost, h->lost == 1 ? "" : "s");
}

void
check_lag(const char *where, int64_t lag)
{
	if (lag > check.lag)
		check.lag = lag;
	if (check.limits.lag >= 0 && lag > check.limits.lag)
		problem(CHECK_CRITICAL, "%s: %jd behind (limit %jd)", where,
		    (intmax_t)lag, (intmax_t)check.limits.lag);
}

/* Nobody said how long that may be; but a lag of long ago is none. */
static void
check_known(const char *where, int64_t silence_ms, bool never)
{
	char age[32];

	if (never)
		problem(CHECK_UNKNOWN,
		    "%s: its source was never heard of, so its lag is not "
		    "known",
		    where);
	else if (silence_ms < -CHECK_SILENCE_MS)
		problem(CHECK_UNKNOWN,
		    "%s: its source was heard of in the future, so its lag is "
		    "not known",
		    where);
	else if (silence_ms > CHECK_SILENCE_MS)
		problem(CHECK_UNKNOWN,
		    "%s: its source heard of %s ago, so its lag is not known "
		    "(--max-silence)",
		    where, age_text(silence_ms, age));
}

void
check_copy(const char *where, int64_t lag, int64_t seen_ms)
{
	const struct check_limits *l = &check.limits;
	int64_t silence_ms = check.now_ms - seen_ms;
	int64_t limit_ms = l->silence_ms >= 0 ? l->silence_ms : l->age_ms;
	char age[32], limit[32];

	check_lag(where, lag);
	if (limit_ms < 0)
		check_known(where, silence_ms, seen_ms < 0);
	else if (seen_ms < 0)
		problem(CHECK_WARNING, "%s: its source was never heard of",
		    where);
	/* So far, as it may be written while this runs. */
	else if (silence_ms < -limit_ms)
		problem(CHECK_WARNING,
		    "%s: its source was heard of in the future", where);
	else if (silence_ms > limit_ms)
		problem(CHECK_CRITICAL,
		    "%s: its source heard of %s ago (limit %s)", where,
		    age_text(silence_ms, age), age_text(limit_ms, limit));
}

void
check_no_group(const char *group)
{
	problem(CHECK_UNKNOWN, "no group %s", group);
}

void
check_error(const char *path, int rc, const struct fault *f)
{
	bool has_file = f != NULL && f->file[0] != '\0';
	const char *what = status_text(rc);

	if ((rc == STATUS_CORRUPT || rc == STATUS_CLUSTER) && has_file &&
	    f->what != NULL)
		what = f->what;
	problem(rc == STATUS_CORRUPT ? CHECK_CRITICAL : CHECK_UNKNOWN, "%s: %s",
	    has_file ? f->file : path, what);
}

static void
print_all_well(void)
{
	printf(": %jd partition%s", (intmax_t)check.partitions,
	    check.partitions == 1 ? "" : "s");
	if (check.records >= 0)
		printf(", %jd records", (intmax_t)check.records);
}

/* U is how a plugin says that it does not know. */
static void
print_figure(const char *name, int64_t n, const char *unit)
{
	if (n >= 0)
		printf(" %s=%jd%s", name, (intmax_t)n, unit);
	else
		printf(" %s=U", name);
}

int
check_end(void)
{
	end_topic();
	if (check.partitions == 0 && check.worst == CHECK_OK)
		problem(CHECK_UNKNOWN, "no partition");
	printf("LOGSTAT %s", words[check.worst]);
	if (check.worst == CHECK_OK)
		print_all_well();
	else
		printf(": %.*s", (int)check.first.len - 1,
		    (const char *)check.first.data);
	printf(" | partitions=%jd", (intmax_t)check.partitions);
	print_figure("records", check.records, "");
	print_figure("bytes", check.bytes, "B");
	if (check.age_ms >= 0)
		printf(" age=%jd.%03ds;;%jd.%03d;0",
		    (intmax_t)(check.age_ms / 1000), (int)(check.age_ms % 1000),
		    (intmax_t)(check.limits.age_ms / 1000),
		    (int)(check.limits.age_ms % 1000));
	if (check.lag >= 0 && check.limits.lag >= 0)
		printf(" lag=%jd;;%jd;0", (intmax_t)check.lag,
		    (intmax_t)check.limits.lag);
	else if (check.lag >= 0)
		printf(" lag=%jd;;;0", (intmax_t)check.lag);
	printf("\n%.*s", (int)check.lines.len,
	    check.lines.len > 0 ? (const char *)check.lines.data : "");
	buf_release(&check.lines);
	buf_release(&check.first);
	/* One that nobody can read is no verdict. */
	if (fflush(stdout) != 0)
		err(CHECK_UNKNOWN, "stdout");
	return (int)check.worst;
}
