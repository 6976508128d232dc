#include "tool/exec.h"

#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/cli.h"
#include "base/io.h"
#include "base/now.h"
#include "base/status.h"
#include "tool/exec_impl.h"
#include "tool/message.h"

enum {
	/* Events of a partition that are read ahead, for keys not at work. */
	AHEAD_MAX = 256,
	AHEAD_BYTES_MAX = 32 << 20,
	LOOK_MS = 1000,		/* at the topics, though no change was told */
};

static void
worsen(struct exec *x, int status)
{
	x->worst = message_worse(x->worst, status);
}

/* Of what ends the work. */
void
exec_fail(struct exec *x, int status)
{
	worsen(x, status);
	x->failed = x->failed || status != CLI_DONE;
}

static bool
is_stopping(const struct exec *x)
{
	return x->failed || x->sharing.removed || sources_stop != 0;
}

static bool
is_running(const struct exec_work *w)
{
	return w->pid != 0 || w->orphaned;
}

struct share *
exec_share_of(struct exec *x, size_t i, int32_t n)
{
	return &x->sharing.topics[i].shares[n];
}

/* --- lanes --------------------------------------------------------------- */

/* Room for the partitions there are now. */
static int
grow_lanes(struct exec *x)
{
	for (size_t i = 0; i < x->sharing.count; i++) {
		int32_t count = x->sharing.topics[i].count;
		struct exec_lane *lanes =
		    reallocarray(NULL, (size_t)count + 1, sizeof(*lanes));

		if (lanes == NULL)
			return ENOMEM;
		if (count == x->lane_counts[i]) {
			free(lanes);
			continue;
		}
		for (int32_t n = 0; n < count; n++) {
			TAILQ_INIT(&lanes[n].works);
			lanes[n].count = lanes[n].bytes = 0;
			if (n >= x->lane_counts[i])
				continue;
			TAILQ_CONCAT(&lanes[n].works, &x->lanes[i][n].works,
			    link);
			lanes[n].count = x->lanes[i][n].count;
			lanes[n].bytes = x->lanes[i][n].bytes;
		}
		free(x->lanes[i]);
		x->lanes[i] = lanes;
		x->lane_counts[i] = count;
	}
	return 0;
}

static void
remove_work(struct exec_lane *lane, struct exec_work *w)
{
	TAILQ_REMOVE(&lane->works, w, link);
	lane->count--;
	lane->bytes -= w->size;
	free(w);
}

/* A copy of the record, which the stream will not keep. */
static struct exec_work *
make_work(const struct record *rec)
{
	size_t key = rec->key.len > 0 ? (size_t)rec->key.len : 0;
	size_t value = rec->value.len > 0 ? (size_t)rec->value.len : 0;
	size_t size = key + value + rec->headers_len;
	struct exec_work *w = malloc(sizeof(*w) + size);

	if (w == NULL)
		return NULL;
	*w = (struct exec_work){.rec = *rec,
	    .size = size,
	    .pidfd = -1,
	    .life = -1};
	if (key > 0)
		memcpy(w->data, rec->key.data, key);
	if (value > 0)
		memcpy(w->data + key, rec->value.data, value);
	if (rec->headers_len > 0)
		memcpy(w->data + key + value, rec->headers, rec->headers_len);
	w->rec.key.data = w->data;
	w->rec.value.data = w->data + key;
	w->rec.headers = w->data + key + value;
	return w;
}

static void
add_work(struct exec *x, struct exec_lane *lane, const struct record *rec)
{
	struct exec_work *w = make_work(rec);

	if (w == NULL)
		err(CLI_FAIL, NULL);
	TAILQ_INSERT_TAIL(&lane->works, w, link);
	lane->count++;
	lane->bytes += w->size;
	x->taken++;
}

/* Read ahead. */
static void
fill_lane(struct exec *x, size_t i, int32_t n)
{
	struct exec_lane *lane = &x->lanes[i][n];
	struct share *share = exec_share_of(x, i, n);
	struct fault f = {.file = ""};
	struct stream_record rec;
	int rc = 0;

	while (!x->broken && lane->count < AHEAD_MAX &&
	    lane->bytes < AHEAD_BYTES_MAX &&
	    (x->s->r->count < 0 || x->taken < x->s->r->count)) {
		rc = stream_next(share->stream, &rec, &f);
		if (rc == STATUS_END || rc == STATUS_REMOVED)
			break;
		if (rc == 0)
			add_work(x, lane, &rec.rec);
		else /* What is before damage is still done. */
			x->broken = !sources_get_over(x->s, share->stream, rc,
			    &f, &x->worst);
	}
	share->over = rc == STATUS_END && stream_is_over(share->stream);
}

/* Is an earlier event of that key not done? */
static bool
is_blocked(const struct exec_lane *lane, const struct exec_work *w)
{
	const struct exec_work *e;

	if (bytes_is_null(w->rec.key))
		return false;
	TAILQ_FOREACH(e, &lane->works, link) {
		if (e == w)
			return false;
		if (!e->done && !bytes_is_null(e->rec.key) &&
		    bytes_equal(e->rec.key, w->rec.key))
			return true;
	}
	return false;
}

static void
start_some(struct exec *x, size_t i, int32_t n)
{
	struct exec_lane *lane = &x->lanes[i][n];
	int64_t now = now_mono_ms();
	struct exec_work *w;

	TAILQ_FOREACH(w, &lane->works, link) {
		if (x->running >= x->o->jobs || is_stopping(x))
			return;
		if (!is_running(w) && !w->done && w->due_ms <= now &&
		    !is_blocked(lane, w))
			exec_start(x, i, n, w);
	}
}

/* What is done at the front of a lane is the group's new position. */
static void
settle(struct exec *x, size_t i, int32_t n)
{
	struct exec_lane *lane = &x->lanes[i][n];
	struct share *share = exec_share_of(x, i, n);
	struct exec_work *w;
	bool busy = false;

	while ((w = TAILQ_FIRST(&lane->works)) != NULL && w->done)
		remove_work(lane, w);
	TAILQ_FOREACH(w, &lane->works, link)
		busy = busy || is_running(w);
	share->busy = busy;
	if (share->stream == NULL)
		return;
	w = TAILQ_FIRST(&lane->works);
	if (w != NULL)
		share->next = w->rec.offset;
	else
		sharing_note(share);
}

/* Does anything live of a job whose shell has ended? */
static bool
lives(const struct exec_work *w)
{
	struct pollfd fd = {w->life, 0, 0};

	return poll(&fd, 1, 0) == 0;
}

/* Has the job ended, and how? */
static bool
has_ended(struct exec *x, size_t i, int32_t n, struct exec_work *w)
{
	if (w->pid != 0) {
		if (waitpid(w->pid, &w->status, WNOHANG) != w->pid)
			return false;
		w->pid = 0;
		(void)io_close(&w->pidfd);
		w->orphaned = WIFSIGNALED(w->status) && lives(w);
		if (w->orphaned)
			cli_warn("%s/%d: offset %lld: the shell was killed, "
				 "waiting for what it has started",
			    x->s->places[i].name, (int)n,
			    (long long)w->rec.offset);
	} else if (!w->orphaned) {
		return false;
	}
	w->orphaned = w->orphaned && lives(w);
	return !w->orphaned;
}

/* Take the jobs of a lane that have ended. */
static void
reap(struct exec *x, size_t i, int32_t n)
{
	struct exec_lane *lane = &x->lanes[i][n];
	struct exec_work *w;

	TAILQ_FOREACH(w, &lane->works, link) {
		if (!has_ended(x, i, n, w))
			continue;
		x->running--;
		x->event_ms = now_mono_ms();
		(void)io_close(&w->life);
		if (WIFEXITED(w->status) && WEXITSTATUS(w->status) == 0)
			w->done = true;
		else
			exec_take_failure(x, i, n, w, w->status);
		x->done += w->done;
	}
}

/* A partition that was given up: its events are others' now. */
static void
clear_lane(struct exec *x, struct exec_lane *lane)
{
	struct exec_work *w;

	while ((w = TAILQ_FIRST(&lane->works)) != NULL) {
		x->taken -= !w->done;
		remove_work(lane, w);
	}
}

/* --- the loop ------------------------------------------------------------ */

/* One round over all partitions.  True: something is left. */
static bool
round_of_lanes(struct exec *x)
{
	bool left = false;

	for (size_t i = 0; i < x->sharing.count; i++)
		for (int32_t n = 0; n < x->sharing.topics[i].count; n++) {
			struct share *share = exec_share_of(x, i, n);
			struct exec_lane *lane = &x->lanes[i][n];

			if (share->stream == NULL) {
				clear_lane(x, lane);
				continue;
			}
			reap(x, i, n);
			settle(x, i, n);
			if (!is_stopping(x) && !x->broken && !share->over &&
			    !share->draining)
				fill_lane(x, i, n);
			if (!share->draining)
				start_some(x, i, n);
			left = left || lane->count > 0;
		}
	return left;
}

/* Milliseconds until a retry is due, -1: none waits. */
static int64_t
next_due(struct exec *x)
{
	int64_t now = now_mono_ms(), due = -1;
	struct exec_work *w;

	for (size_t i = 0; i < x->sharing.count; i++)
		for (int32_t n = 0; n < x->sharing.topics[i].count; n++)
			TAILQ_FOREACH(w, &x->lanes[i][n].works, link) {
				int64_t ms = w->due_ms - now;

				if (is_running(w) || w->done || w->due_ms == 0)
					continue;
				if (ms > 0 && (due < 0 || ms < due))
					due = ms;
			}
	return due;
}

/* The jobs' ends, to be waited for with the directory's changes. */
static nfds_t
collect_fds(struct exec *x, struct pollfd *fds)
{
	struct watch *watch = sharing_watch(&x->sharing);
	nfds_t count = 0;
	struct exec_work *w;

	if (watch != NULL)
		fds[count++] = (struct pollfd){watch_fd(watch), POLLIN, 0};
	for (size_t i = 0; i < x->sharing.count; i++)
		for (int32_t n = 0; n < x->sharing.topics[i].count; n++)
			TAILQ_FOREACH(w, &x->lanes[i][n].works, link)
				if (is_running(w))
					fds[count++] =
					    (struct pollfd){w->orphaned
						    ? w->life
						    : w->pidfd,
						POLLIN, 0};
	return count;
}

static void
refresh(struct exec *x)
{
	struct fault f = {.file = ""};

	for (size_t i = 0; i < x->sharing.count; i++)
		for (int32_t n = 0; n < x->sharing.topics[i].count; n++) {
			struct stream *s = exec_share_of(x, i, n)->stream;
			int rc = s == NULL ? 0 : stream_refresh(s, &f);

			if (rc != 0)
				exec_fail(x, message_warn(f.file, rc, &f));
		}
}

/* Whoever has noticed it. */
static void
end_if_removed(struct exec *x)
{
	if (x->sharing.removed && !x->s->r->retry)
		exec_fail(x, CLI_FAIL);
}

static void
wait_for_change(struct exec *x)
{
	static struct pollfd fds[READING_JOBS_MAX + 1];
	struct watch *watch = sharing_watch(&x->sharing);
	nfds_t count = collect_fds(x, fds);
	int64_t due = next_due(x), wait_ms = sharing_wait_ms(&x->sharing, due);
	bool changed = false;

	(void)poll(fds, count, wait_ms > INT_MAX ? INT_MAX : (int)wait_ms);
	/* The end of a job alone is no reason to look at the topics. */
	if (watch == NULL ||
	    (fds[0].revents == 0 && now_mono_ms() - x->look_ms < LOOK_MS))
		return;
	x->look_ms = now_mono_ms();
	if (watch_wait(watch, 0, -1, &changed) == 0 && changed) {
		sharing_look(&x->sharing);
		refresh(x);
	}
	(void)sharing_is_removed(&x->sharing);
	end_if_removed(x);
}

/* Has it all been done, so that waiting is for nothing? */
static bool
is_over(struct exec *x, bool left)
{
	if (left)
		return false;
	if (is_stopping(x) || x->broken)
		return true;
	if (x->s->r->count >= 0 && x->taken >= x->s->r->count)
		return true;
	if (x->s->r->idle_ms >= 0 &&
	    now_mono_ms() - x->event_ms >= x->s->r->idle_ms)
		return true;
	return (!x->s->r->follow || x->s->range.has_to) &&
	    sharing_is_over(&x->sharing);
}

static void
work(struct exec *x)
{
	for (;;) {
		bool left;

		if (!is_stopping(x))
			exec_fail(x, sharing_balance(&x->sharing));
		end_if_removed(x);
		if (grow_lanes(x) != 0)
			err(CLI_FAIL, NULL);
		left = round_of_lanes(x);
		exec_fail(x, sharing_commit_round(&x->sharing, !left));
		if (is_stopping(x) ? x->running == 0 : is_over(x, left))
			return;
		wait_for_change(x);
	}
}

/* As a member of the group; again if topics were removed (--retry). */
static void
work_as_member(struct exec *x)
{
	bool removed;

	do {
		exec_fail(x, sources_locate(x->s));
		if (x->failed || x->s->gave_up)
			return;
		exec_fail(x, sharing_open(x->s, x->s->r->group, &x->sharing));
		if (!x->failed)
			work(x);
		removed = x->sharing.removed;
		exec_fail(x, sharing_close(&x->sharing));
		for (size_t i = 0; i < x->s->count; i++)
			for (int32_t n = 0; n < x->lane_counts[i]; n++)
				clear_lane(x, &x->lanes[i][n]);
		sources_close(x->s);
		x->s->range.from.kind = POSITION_START;
	} while (removed && !x->failed && sources_stop == 0);
}

/* Dead letters in the queue itself would be run, and fail, for ever. */
static void
refuse_itself(struct exec *x, const struct topic *dead)
{
	struct stat a, b;

	for (size_t i = 0; i < x->s->count; i++)
		if (fstat(dead->dirfd, &a) == 0 &&
		    stat(x->s->paths[i], &b) == 0 && a.st_dev == b.st_dev &&
		    a.st_ino == b.st_ino)
			cli_usage("--dead-letter %s: that is the queue itself",
			    x->o->dead_letter);
}

static int
check(struct exec *x)
{
	struct fault f = {.file = ""};
	struct topic t;
	int rc;

	if (x->o->dead_letter == NULL)
		return CLI_DONE;
	rc = topic_open(x->o->dead_letter, &t, &f);
	if (rc != 0)
		return message_warn(x->o->dead_letter, rc, &f);
	refuse_itself(x, &t);
	topic_close(&t);
	return CLI_DONE;
}

int
exec_run(struct sources *s, const struct exec_options *o, int64_t *done)
{
	struct exec x = {.s = s, .o = o, .event_ms = now_mono_ms()};

	/* Whoever started us may have ignored it: then no job's end is told. */
	signal(SIGCHLD, SIG_DFL);
	x.lanes = calloc(s->count, sizeof(*x.lanes));
	x.lane_counts = calloc(s->count, sizeof(*x.lane_counts));
	if (x.lanes == NULL || x.lane_counts == NULL)
		err(CLI_FAIL, NULL);
	exec_fail(&x, check(&x));
	if (!x.failed)
		work_as_member(&x);
	for (size_t i = 0; i < s->count; i++)
		free(x.lanes[i]);
	free(x.lanes);
	free(x.lane_counts);
	*done = x.done;
	return x.worst;
}
