#include "telling.h"

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/now.h"
#include "base/notify.h"

enum {
	/* To the service manager at most so often; with -v, how far behind. */
	STATUS_MS = 1000,
	BEHIND_MS = 10000,
	/* Words of the other end, and where that is. */
	TEXT_LEN = SESSION_TEXT_LEN + PATH_MAX,
};

static struct {
	struct telling_options o;
	bool ready;
	char status[200];	/* as told last */
	int64_t status_ms;
	int64_t watchdog_ms;	/* when told last */
	int64_t behind_ms;
	bool behind;		/* so it was told last */
	int64_t base;		/* offsets done when all was current last */
} telling;

void
telling_begin(const struct telling_options *o)
{
	telling.o = *o;
	telling.behind_ms = now_mono_ms();
}

/* Nobody gets it: then there is nothing to go on for. */
static void
flush(void)
{
	if (fflush(stdout) == 0)
		return;
	if (errno != EPIPE)
		err(CLI_FAIL, "stdout");
	if (telling.o.ignores_pipe)
		_exit(CLI_FAIL);
	(void)signal(SIGPIPE, SIG_DFL);
	(void)raise(SIGPIPE);
}

/* A line of stdout does not go where the progress is. */
static void
print_what(const char *what, const char *text)
{
	if (cli_progress_wanted())
		cli_progress_end();
	printf("%s: %s\n", what, text);
	flush();
}

static void
print_copied(const char *what, const struct report *r)
{
	char text[160];

	if (telling.o.dry_run)
		snprintf(text, sizeof(text), "offsets %lld to %lld",
		    (long long)r->from, (long long)r->to - 1);
	else
		snprintf(text, sizeof(text), "offsets %lld to %lld, %lld bytes",
		    (long long)r->from, (long long)r->to - 1,
		    (long long)r->bytes);
	print_what(what, text);
}

static void
print_compared(const char *what, const struct report *r)
{
	char text[160];

	snprintf(text, sizeof(text),
	    "offsets %lld to %lld compared, %lld bytes", (long long)r->from,
	    (long long)r->to - 1, (long long)r->bytes);
	print_what(what, text);
}

/*
 * The other end's words, perhaps of a topic (else ""), with the host where they
 * begin with a path; false: they do not.
 */
static bool
place_words(const char *text, const char *topic, char *out, size_t size)
{
	const struct telling_place *at = &telling.o.other;
	const char *behind = report_behind(text, at->path);
	size_t len = strlen(at->called);

	while (len > 0 && at->called[len - 1] == '/')
		len--;
	if (behind != NULL)
		snprintf(out, size, "%.*s%s", (int)len, at->called, behind);
	else if (strcmp(at->path, "/") == 0 && topic[0] != '\0' &&
	    report_behind(text, topic) != NULL) /* a cluster has no paths */
		snprintf(out, size, "%.*s/%s", (int)len, at->called, text);
	else if (text[0] == '/' && at->host != NULL)
		snprintf(out, size, "%s:%s", at->host, text);
	else
		snprintf(out, size, "%s", text);
	return behind != NULL || text[0] == '/';
}

void
telling_error(const char *text)
{
	const struct telling_place *at = &telling.o.other;
	char words[TEXT_LEN];

	if (place_words(text, "", words, sizeof(words)))
		warnx("%s", words);
	else
		warnx("%s: %s", at->host != NULL ? at->host : at->called, text);
}

static void
warn_refused(const char *what, const struct report *r)
{
	char words[TEXT_LEN];

	if (r->theirs)
		(void)place_words(r->text, r->topic, words, sizeof(words));
	warnx("%s: %s", what, r->theirs ? words : r->text);
}

void
telling_report(void *arg, const struct report *r)
{
	char what[320];
	const char *topic = r->topic[0] != '\0' ? r->topic : telling.o.name;
	bool changes =
	    telling.o.dry_run || telling.o.itemize || cli_verbose > 0;

	(void)arg;
	if (r->partition >= 0)
		snprintf(what, sizeof(what), "%s/%d", topic, (int)r->partition);
	else
		snprintf(what, sizeof(what), "%s", topic);
	switch (r->kind) {
	case REPORT_REFUSED:
		warn_refused(what, r);
		break;
	case REPORT_CUT:
		cli_warn("%s: cut from offset %lld on, kept in lost+found/",
		    what, (long long)r->from);
		break;
	case REPORT_DONE:
		if (changes)
			print_what(what, r->text);
		break;
	case REPORT_WARNED:
		cli_warn("%s: %s", what, r->text);
		break;
	case REPORT_COMPARED:
		if (cli_verbose > 0 && r->from < r->to)
			print_compared(what, r);
		break;
	case REPORT_CURRENT:
		if (changes && r->from < r->to)
			print_copied(what, r);
		break;
	}
}

/* To the service manager, if that is news; it may have gone. */
static void
tell_status(const char *status)
{
	char state[256];
	int64_t now = now_mono_ms();

	if (strcmp(status, telling.status) == 0 ||
	    (telling.status_ms > 0 && now - telling.status_ms < STATUS_MS))
		return;
	strlcpy(telling.status, status, sizeof(telling.status));
	telling.status_ms = now;
	snprintf(state, sizeof(state), "%sSTATUS=%s",
	    telling.ready ? "READY=1\n" : "", status);
	(void)notify_send(state);
}

void
telling_ready(void)
{
	if (!telling.o.follow)
		return;
	telling.ready = true;
	telling.status_ms = 0;
	tell_status("connected");
}

void
telling_lost(int64_t retry_ms)
{
	char text[100];

	cli_warn("once more in %.1f s", (double)retry_ms / 1000);
	snprintf(text, sizeof(text), "not connected, once more in %.1f s",
	    (double)retry_ms / 1000);
	telling.status_ms = 0;
	tell_status(text);
}

void
telling_alive(void)
{
	int64_t each = notify_watchdog_ms(), now = now_mono_ms();

	if (each == 0 || !telling.o.follow ||
	    (telling.watchdog_ms > 0 && now - telling.watchdog_ms < each))
		return;
	telling.watchdog_ms = now;
	(void)notify_send("WATCHDOG=1");
}

/* Following: is it behind, and by how much? */
static void
tell_behind(const struct session *s)
{
	int64_t now = now_mono_ms();
	char text[128];

	if (s->behind > 0)
		snprintf(text, sizeof(text),
		    "%lld records behind in %zu partition%s",
		    (long long)s->behind, s->behind_in,
		    s->behind_in == 1 ? "" : "s");
	else
		snprintf(text, sizeof(text), "%s",
		    s->counted_ms > 0 && s->partitions == 0 ? "no topics yet"
							    : "current");
	tell_status(text);
	if (cli_verbose == 0 || (s->behind == 0 && !telling.behind) ||
	    (s->behind > 0 && now - telling.behind_ms < BEHIND_MS))
		return;
	telling.behind = s->behind > 0;
	telling.behind_ms = now;
	print_what(telling.o.name, text);
}

void
telling_progress(const struct session *s)
{
	telling_alive();
	if (telling.o.follow && s->greeted)
		tell_behind(s);
	if (s->done < s->wanted) {
		cli_progress(s->done - telling.base, s->wanted - telling.base,
		    "records");
		return;
	}
	/* What comes is measured from here on. */
	cli_progress_end();
	telling.base = s->done;
}

void
telling_pause(void)
{
	cli_progress_end();
	telling.base = 0;
}

void
telling_stats(const struct session *s, int64_t began_ms)
{
	double seconds = (double)(now_mono_ms() - began_ms) / 1000;

	printf("%lld bytes in %.3f s", (long long)s->bytes, seconds);
	if (seconds > 0)
		printf(", %.1f MB/s", (double)s->bytes / seconds / 1e6);
	if (s->compared > 0)
		printf("; %lld bytes compared", (long long)s->compared);
	if (s->skipped > 0)
		printf(", but %lld of them compacted", (long long)s->skipped);
	if (s->cut > 0)
		printf("; %lld partitions cut", (long long)s->cut);
	if (s->behind > 0)
		printf("; %lld records behind in %zu partition%s",
		    (long long)s->behind, s->behind_in,
		    s->behind_in == 1 ? "" : "s");
	printf("\n");
	flush();
}

void
telling_nothing(void)
{
	if (cli_verbose > 0)
		print_what(telling.o.name, "no topics to copy");
}

void
telling_stop(void)
{
	if (telling.o.follow)
		(void)notify_send("STOPPING=1");
}
