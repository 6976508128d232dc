/*
 * A stream to stdout.
 */

#include "tool/printing.h"

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/cli.h"
#include "base/io.h"
#include "base/now.h"
#include "base/status.h"
#include "tool/exec.h"
#include "tool/message.h"
#include "tool/sharing.h"
#include "tool/sources.h"

enum {
	OUT_BYTES = 256 << 10,	/* written at once */
	PIPE_BYTES = 1 << 20,
	CURSOR_MS = 1000,
	STUCK_TICKS = 2,
};

struct printing {
	struct sources s;
	struct buf out;
	int64_t printed;	/* records */
	int64_t event_ms;	/* monotonic, of the last record */
	int64_t cursor_ms;	/* monotonic, cursor last written */
	bool cursor_dirty;
	int worst;		/* the exit status so far */
	bool failed;		/* no more can be read */
	struct sharing sharing;	/* -g */
	bool sigpipe_ignored;	/* not by us alone */
};

static volatile sig_atomic_t ticks;	/* seconds since a signal, about */

static void
on_signal(int sig)
{
	sources_stop = sig;
	alarm(1);
}

/* Whoever is stuck in a write looks up. */
static void
on_alarm(int sig)
{
	(void)sig;
	ticks++;
	alarm(1);
}

static void
catch_signals(void)
{
	struct sigaction sa = {.sa_handler = on_signal}, old;
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

	for (size_t i = 0; i < 3; i++) {
		sigaction(signals[i], NULL, &old);
		/* nohup and & of a shell ignore some: leave it so. */
		if (old.sa_handler != SIG_IGN)
			sigaction(signals[i], &sa, NULL);
	}
	sa.sa_handler = on_alarm;
	sigaction(SIGALRM, &sa, NULL);
}

static void
worsen(struct printing *p, int status)
{
	p->worst = message_worse(p->worst, status);
}

/* The same of what ends the reading. */
static void
take_status(struct printing *p, int status)
{
	worsen(p, status);
	p->failed = p->failed || status != CLI_DONE;
}

/*
 * All of it to stdout.  EINTR: a signal has come, and nobody has taken anything
 * for STUCK_TICKS.
 */
static int
write_out(const struct buf *out)
{
	size_t at = 0, done;
	int since = ticks;

	while (at < out->len) {
		int rc = io_write_part(STDOUT_FILENO, out->data + at,
		    out->len - at, &done);

		if (rc == 0) {
			at += done;
			since = ticks;
		} else if (rc != EINTR || ticks - since >= STUCK_TICKS) {
			return rc;
		}
	}
	return 0;
}

/*
 * The reader of our output has gone.  A member of a group has left it by now,
 * so that the others need not wait for it.
 */
static void
die_of_pipe(const struct printing *p)
{
	if (p->sigpipe_ignored)
		exit(CLI_FAIL);
	signal(SIGPIPE, SIG_DFL);
	raise(SIGPIPE);
}

/* Write what was printed.  A reader that has gone ends us quietly. */
static void
flush_out(struct printing *p)
{
	int rc = write_out(&p->out);

	p->out.len = 0;
	/* What was written before is done with. */
	if (rc != 0 && p->s.r->group != NULL)
		(void)sharing_close(&p->sharing);
	if (rc == EINTR) {
		signal(sources_stop, SIG_DFL);
		raise(sources_stop);
	}
	if (rc == EPIPE)
		die_of_pipe(p);
	if (rc != 0)
		errx(CLI_FAIL, "stdout: %s", status_text(rc));
}

/* Note in the cursor file how far what was written goes. */
static void
commit(struct printing *p, bool now)
{
	const char *topic;
	int32_t number;
	int64_t offset;
	int rc = 0;

	if (p->s.r->cursor_file == NULL || !p->cursor_dirty ||
	    p->s.stream == NULL)
		return;
	if (!now && now_mono_ms() - p->cursor_ms < CURSOR_MS)
		return;
	for (size_t i = 0; rc == 0 && i < stream_count(p->s.stream); i++) {
		stream_position(p->s.stream, i, &topic, &number, &offset);
		rc = cursor_set(&p->s.cursor, topic,
		    sources_topic_id(&p->s, topic), number, offset);
	}
	if (rc == 0)
		rc = cursor_write(&p->s.cursor, p->s.r->cursor_file);
	if (rc != 0)
		errx(CLI_FAIL, "%s: %s", p->s.r->cursor_file, status_text(rc));
	p->cursor_ms = now_mono_ms();
	p->cursor_dirty = false;
}

/*
 * A record was taken from the stream and cannot be printed: what is before it
 * is, and it stays to be read.
 */
static void
refuse(struct printing *p, const struct stream_record *rec, size_t before,
    int rc)
{
	p->out.len = before;
	if (before > 0)
		flush_out(p);
	if (p->s.r->group != NULL)
		(void)sharing_close(&p->sharing);
	errx(CLI_FAIL, "%s/%d: offset %lld: %s", rec->topic,
	    (int)rec->partition, (long long)rec->rec.offset,
	    rc == STATUS_SYNTAX ? "its bytes cannot be printed in this form"
				: status_text(rc));
}

/* One record or batch into the output buffer; a status of the stream. */
static int
print_next(struct printing *p, struct fault *f)
{
	struct reading *r = p->s.r;
	struct stream_record rec;
	const uint8_t *data;
	size_t len;
	int64_t count = 1;
	int rc;

	if (r->batches) {
		rc = stream_batch(p->s.stream,
		    r->count < 0 ? INT64_MAX : r->count - p->printed, &data,
		    &len, &count, f);
		if (rc == 0 && buf_add(&p->out, data, len) != 0)
			errx(CLI_FAIL, "a batch of %zu bytes: %s", len,
			    status_text(ENOMEM));
	} else {
		size_t before = p->out.len;

		rc = stream_next(p->s.stream, &rec, f);
		if (rc != 0)
			return rc;
		rc = form_write(&r->form, rec.topic, rec.partition, &rec.rec,
		    &p->out);
		if (rc != 0)
			refuse(p, &rec, before, rc);
	}
	if (rc == 0)
		p->printed += count;
	return rc;
}

/* Print all there is.  True: more may come. */
static bool
print_all(struct printing *p)
{
	struct fault f = {.file = ""};
	int64_t before = p->printed;
	int rc = 0;

	while (sources_stop == 0 &&
	    (p->s.r->count < 0 || p->printed < p->s.r->count)) {
		rc = print_next(p, &f);
		if (rc == 0 && p->out.len < OUT_BYTES)
			continue;
		if (rc == STATUS_END)
			break;
		if (rc == STATUS_REMOVED && p->s.r->follow)
			break;
		if (p->out.len > 0)
			flush_out(p);
		p->failed = rc != 0 &&
		    !sources_get_over(&p->s, p->s.stream, rc, &f, &p->worst);
		if (p->failed)
			return false;
		p->cursor_dirty = true;
		commit(p, false);
		/* Other partitions want to be read, too. */
		if (p->s.r->group != NULL)
			break;
	}
	if (p->out.len > 0)
		flush_out(p);
	if (p->printed > before) {
		p->cursor_dirty = true;
		p->event_ms = now_mono_ms();
	}
	if (rc == STATUS_END && stream_is_over(p->s.stream))
		return false;
	return sources_stop == 0 && rc == STATUS_END &&
	    (p->s.r->count < 0 || p->printed < p->s.r->count);
}

/* Wait for a change.  False: it is over. */
static bool
wait_for_more(struct printing *p)
{
	struct fault f = {.file = ""};
	int64_t wait_ms = -1;
	bool changed = false;
	int rc;

	if (p->s.r->idle_ms >= 0) {
		wait_ms = p->event_ms + p->s.r->idle_ms - now_mono_ms();
		if (wait_ms <= 0)
			return false;
	}
	commit(p, false);
	if (p->cursor_dirty && (wait_ms < 0 || wait_ms > CURSOR_MS))
		wait_ms = CURSOR_MS;
	rc = watch_wait(p->s.watch, wait_ms > INT_MAX ? INT_MAX : (int)wait_ms,
	    STDOUT_FILENO, &changed);
	if (rc == EPIPE) {
		signal(SIGPIPE, SIG_DFL);
		raise(SIGPIPE);
	}
	if (rc != 0 || !changed)
		return sources_stop == 0;
	rc = stream_refresh(p->s.stream, &f);
	if (rc != 0) {
		worsen(p, message_warn(f.file, rc, &f));
		return false;
	}
	return true;
}

/* A followed topic has gone.  True: another has come (--retry). */
static bool
survive_removal(struct printing *p, size_t i)
{
	if (!p->s.r->retry) {
		warnx("%s: removed", p->s.paths[i]);
		worsen(p, CLI_FAIL);
		return false;
	}
	cli_warn("%s: removed; waiting for it to come back", p->s.paths[i]);
	commit(p, true);
	sources_close(&p->s);
	p->s.range.from.kind = POSITION_START;
	p->s.r->last = -1;
	worsen(p, sources_open(&p->s));
	return p->worst == CLI_DONE && sources_stop == 0 && !p->s.gave_up;
}

static void
follow(struct printing *p)
{
	bool more = true;

	p->event_ms = now_mono_ms();
	while (more && print_all(p)) {
		more = wait_for_more(p);
		for (size_t i = 0; more && i < p->s.count; i++)
			if (sources_is_removed(&p->s, i))
				more = print_all(p) && survive_removal(p, i);
		if (more && sources_take_new(&p->s) != CLI_DONE) {
			worsen(p, CLI_FAIL);
			more = false;
		}
	}
}

/* One round over the partitions that are ours.  True: something was read. */
static bool
print_shares(struct printing *p)
{
	struct sharing *sh = &p->sharing;
	struct fault f = {.file = ""};
	int64_t before = p->printed;
	bool any = false;

	for (size_t i = 0; i < sh->count; i++)
		for (int32_t n = 0; n < sh->topics[i].count; n++) {
			struct share *share = &sh->topics[i].shares[n];
			int64_t next = share->next;

			if (share->stream == NULL || share->over)
				continue;
			/* What comes from a cluster comes at any time. */
			if (sh->remote != NULL)
				(void)stream_refresh(share->stream, &f);
			p->s.stream = share->stream;
			(void)print_all(p);
			p->s.stream = NULL;
			sharing_note(share);
			share->over = stream_is_over(share->stream);
			any = any || share->next != next;
			if (p->failed || sources_stop != 0 ||
			    p->printed == p->s.r->count)
				return false;
		}
	return any || p->printed > before;
}

/* Look at the ends of all that is ours. */
static void
refresh_shares(struct printing *p)
{
	struct sharing *sh = &p->sharing;
	struct fault f = {.file = ""};

	for (size_t i = 0; i < sh->count; i++)
		for (int32_t n = 0; n < sh->topics[i].count; n++) {
			struct stream *s = sh->topics[i].shares[n].stream;
			int rc = s == NULL ? 0 : stream_refresh(s, &f);

			if (rc != 0)
				take_status(p, message_warn(f.file, rc, &f));
		}
}

/* Wait for records, or for members that come and go.  False: it is over. */
static bool
wait_in_group(struct printing *p)
{
	struct watch *watch = sharing_watch(&p->sharing);
	int64_t wait_ms = -1;
	bool changed = false;
	int rc;

	/* A cluster's group was waited for. */
	if (watch == NULL)
		return true;
	if (p->s.r->idle_ms >= 0) {
		wait_ms = p->event_ms + p->s.r->idle_ms - now_mono_ms();
		if (wait_ms <= 0)
			return false;
	}
	wait_ms = sharing_wait_ms(&p->sharing, wait_ms);
	rc = watch_wait(watch, (int)wait_ms, STDOUT_FILENO, &changed);
	if (rc == EPIPE) {
		(void)sharing_close(&p->sharing);
		die_of_pipe(p);
	}
	sharing_look(&p->sharing);
	refresh_shares(p);
	return sources_stop == 0 && !p->failed;
}

/* Join the group; with --retry in topics that are still to come. */
static void
join(struct printing *p)
{
	take_status(p, sources_locate(&p->s));
	if (!p->failed && !p->s.gave_up)
		take_status(p, sharing_open(&p->s, p->s.r->group, &p->sharing));
}

/* A topic has gone.  True: another one has come (--retry). */
static bool
rejoin(struct printing *p)
{
	if (!p->s.r->retry) {
		take_status(p, CLI_FAIL);
		return false;
	}
	take_status(p, sharing_close(&p->sharing));
	sources_close(&p->s);
	p->s.range.from.kind = POSITION_START;
	if (!p->failed)
		join(p);
	return !p->failed && !p->s.gave_up;
}

/* Read as a member of a group. */
static void
run_group(struct printing *p)
{
	struct sharing *sh = &p->sharing;
	bool any;

	p->sigpipe_ignored = signal(SIGPIPE, SIG_IGN) == SIG_IGN;
	join(p);
	p->event_ms = now_mono_ms();
	while (!p->failed && !p->s.gave_up && sources_stop == 0 &&
	    p->printed != p->s.r->count) {
		take_status(p, sharing_balance(sh));
		any = !p->failed && print_shares(p);
		take_status(p, sharing_commit_round(sh, !any));
		sh->idle = !any;
		if (any || p->failed || p->printed == p->s.r->count)
			continue;
		/* A follower without an end waits for what may become its. */
		if ((!p->s.r->follow || p->s.range.has_to) &&
		    sharing_is_over(sh))
			break;
		if (!wait_in_group(p))
			break;
		if (sharing_is_removed(sh) && !rejoin(p))
			break;
	}
	worsen(p, sharing_close(sh));
}

static void
run_stream(struct printing *p)
{
	if (p->s.r->follow) {
		if (watch_open(&p->s.watch) != 0)
			err(CLI_FAIL, "inotify");
	}
	if (p->s.r->exec != NULL) {
		const struct exec_options o = {p->s.r->exec,
		    p->s.r->dead_letter, p->s.r->jobs, p->s.r->retries};

		worsen(p, exec_run(&p->s, &o, &p->printed));
		return;
	}
	if (p->s.r->group != NULL) {
		run_group(p);
		return;
	}
	worsen(p, sources_open(&p->s));
	if (p->worst != CLI_DONE || p->s.gave_up)
		return;
	(void)fcntl(STDOUT_FILENO, F_SETPIPE_SZ, PIPE_BYTES);
	if (p->s.r->follow)
		follow(p);
	else
		(void)print_all(p);
	/* Control batches behind the last record count, too. */
	p->cursor_dirty = true;
	commit(p, true);
}

int
printing_run(struct reading *r, int operands, char **operand)
{
	/* Where it is not ignored, nothing is left to be told of it. */
	struct printing p = {.worst = CLI_DONE, .sigpipe_ignored = true};

	sources_init(&p.s, r, operands, operand);
	buf_init(&p.out, RECORDS_BYTES_MAX);
	catch_signals();
	run_stream(&p);
	sources_release(&p.s);
	buf_release(&p.out);
	form_release(&r->form);
	if (sources_stop != 0) {
		signal(sources_stop, SIG_DFL);
		raise(sources_stop);
	}
	if (p.worst == CLI_DONE && r->fail_empty && p.printed == 0)
		return CLI_CONDITION;
	return p.worst;
}
