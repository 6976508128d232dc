#include "tool/exec.h"

#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/bounds.h"
#include "base/buf.h"
#include "base/cli.h"
#include "base/io.h"
#include "base/now.h"
#include "base/status.h"
#include "store/batch.h"
#include "store/partitioner.h"
#include "tool/message.h"
#include "tool/sharing.h"

enum {
	/* Events of a partition that are read ahead, for keys not at work. */
	AHEAD_MAX = 256,
	AHEAD_BYTES_MAX = 32 << 20,
	LOOK_MS = 1000,		/* at the topics, though no change was told */
	RETRY_MS = 1000,	/* doubled up to the next */
	RETRY_MS_MAX = 60000,
};

/* An event that is not done. */
struct work {
	TAILQ_ENTRY(work) link;
	struct record rec;	/* its bytes are in data */
	size_t size;		/* of them */
	int64_t tries;		/* that ended */
	int64_t due_ms;		/* monotonic: not before */
	pid_t pid;		/* 0: the shell does not run */
	int pidfd;
	int life;		/* hangs up when nothing of the job lives */
	int status;		/* of the shell, when orphaned */
	bool orphaned;		/* it was killed, what it started lives on */
	bool done;
	uint8_t data[];
};

/* Those of one partition, by offset. */
struct lane {
	TAILQ_HEAD(, work) works;
	size_t count;
	size_t bytes;
};

struct exec {
	struct sources *s;
	const struct exec_options *o;
	struct sharing sharing;
	struct lane **lanes;	/* per topic, one per partition */
	int32_t *lane_counts;
	int64_t running;
	int64_t taken;		/* events read, for -c */
	int64_t done;
	int64_t event_ms;
	int64_t look_ms;	/* monotonic, last look at the topics */
	int worst;
	bool broken;		/* read nothing more */
	bool failed;		/* start nothing more */
	bool removed;		/* a topic has gone: the same */
};

static void
worsen(struct exec *x, int status)
{
	x->worst = message_worse(x->worst, status);
}

/* Of what ends the work. */
static void
fail(struct exec *x, int status)
{
	worsen(x, status);
	x->failed = x->failed || status != CLI_DONE;
}

static bool
is_stopping(const struct exec *x)
{
	return x->failed || x->removed || sources_stop != 0;
}

static bool
is_running(const struct work *w)
{
	return w->pid != 0 || w->orphaned;
}

static struct share *
share_of(struct exec *x, size_t i, int32_t n)
{
	return &x->sharing.topics[i].shares[n];
}

/* --- one job ------------------------------------------------------------- */

static void
set_env(const char *name, int64_t n)
{
	char text[32];

	snprintf(text, sizeof(text), "%" PRId64, n);
	setenv(name, text, 1);
}

static void
set_key(const struct record *rec)
{
	struct buf b;

	unsetenv("LOGKIT_KEY");
	unsetenv("LOGKIT_KEY_BASE64");
	if (bytes_is_null(rec->key))
		return;
	buf_init(&b, RECORDS_BYTES_MAX);
	if (memchr(rec->key.data, 0, (size_t)rec->key.len) == NULL) {
		if (buf_add(&b, rec->key.data, (size_t)rec->key.len) == 0 &&
		    buf_add_8(&b, 0) == 0)
			setenv("LOGKIT_KEY", (const char *)b.data, 1);
	} else if (base64_encode(&b, rec->key.data, (size_t)rec->key.len) ==
		0 &&
	    buf_add_8(&b, 0) == 0) {
		setenv("LOGKIT_KEY_BASE64", (const char *)b.data, 1);
	}
}

/* In the child: never returns. */
static void
become_job(struct exec *x, size_t i, int32_t n, const struct work *w, int in,
    int life, pid_t parent)
{
	int lock = member_lock_of(x->sharing.topics[i].member, n);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(126);
	signal(SIGXFSZ, SIG_DFL);
	signal(SIGPIPE, SIG_DFL);
	cli_restore_limits();
	setenv("LOGKIT_TOPIC", x->s->places[i].name, 1);
	set_env("LOGKIT_PARTITION", n);
	set_env("LOGKIT_OFFSET", w->rec.offset);
	set_env("LOGKIT_TIMESTAMP", w->rec.timestamp);
	set_key(&w->rec);
	if (bytes_is_null(w->rec.value))
		setenv("LOGKIT_NULL", "1", 1);
	else
		unsetenv("LOGKIT_NULL");
	/* It holds the partition as long as it lives. */
	if (fcntl(lock, F_SETFD, 0) != 0 || fcntl(life, F_SETFD, 0) != 0 ||
	    dup2(in, STDIN_FILENO) < 0)
		_exit(126);
	execl("/bin/sh", "sh", "-c", x->o->command, (char *)NULL);
	warn("/bin/sh");
	_exit(127);
}

/* The value as a file that can be read from its start. */
static int
open_value(const struct work *w, int *fd)
{
	int rc = 0;

	*fd = memfd_create("value", MFD_CLOEXEC);
	if (*fd < 0)
		return errno;
	if (w->rec.value.len > 0)
		rc = io_pwrite_full(*fd, w->rec.value.data,
		    (size_t)w->rec.value.len, 0);
	if (rc != 0)
		(void)io_close(fd);
	return rc;
}

static void
start(struct exec *x, size_t i, int32_t n, struct work *w)
{
	pid_t parent = getpid(), pid;
	int in = -1, life[2] = {-1, -1}, rc = open_value(w, &in);

	if (rc == 0 && pipe2(life, O_CLOEXEC) != 0)
		rc = errno;
	if (rc == 0) {
		pid = fork();
		if (pid == 0)
			become_job(x, i, n, w, in, life[1], parent);
		if (pid < 0)
			rc = errno;
	}
	(void)io_close(&in);
	(void)io_close(&life[1]);
	if (rc == 0) {
		w->pid = pid;
		w->pidfd = pidfd_open(pid, 0);
		w->life = life[0];
		x->running++;
		share_of(x, i, n)->busy = true;
		return;
	}
	(void)io_close(&life[0]);
	/* No room for another process now: later. */
	if (x->running == 0)
		fail(x, message_warn(x->o->command, rc, NULL));
	w->due_ms = now_mono_ms() + RETRY_MS;
}

/* --- what has failed ----------------------------------------------------- */

static int
add_header(struct buf *b, const char *name, const char *value, int32_t *count)
{
	(*count)++;
	return record_headers_add(b, bytes_of(name), bytes_of(value));
}

/* The event's headers and why it is here. */
static int
add_reasons(struct exec *x, size_t i, int32_t n, const struct work *w,
    const char *reason, struct buf *b, int32_t *count)
{
	char number[32];
	int rc = buf_add(b, w->rec.headers, w->rec.headers_len);

	*count = w->rec.header_count;
	if (rc == 0)
		rc = add_header(b, "logkit.dead.topic", x->s->places[i].name,
		    count);
	snprintf(number, sizeof(number), "%" PRId32, n);
	if (rc == 0)
		rc = add_header(b, "logkit.dead.partition", number, count);
	snprintf(number, sizeof(number), "%" PRId64, w->rec.offset);
	if (rc == 0)
		rc = add_header(b, "logkit.dead.offset", number, count);
	if (rc == 0)
		rc =
		    add_header(b, "logkit.dead.group", x->sharing.group, count);
	if (rc == 0)
		rc = add_header(b, "logkit.dead.reason", reason, count);
	snprintf(number, sizeof(number), "%" PRId64, w->tries);
	if (rc == 0)
		rc = add_header(b, "logkit.dead.tries", number, count);
	return rc;
}

static int
append_dead(const struct topic *t, const struct record *rec, struct fault *f)
{
	struct partition_append a = {.expect = -1};
	struct partition_settings settings;
	struct partition *p = NULL;
	struct batch_builder bb;
	const uint8_t *data;
	char path[PATH_MAX];
	int32_t n = 0;
	int rc;

	if (!bytes_is_null(rec->key))
		n = partitioner_partition(PARTITIONER_MURMUR2, rec->key,
		    t->partitions);
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%" PRId32, t->dirfd, n);
	partition_settings_of(&t->settings, &settings);
	batch_builder_init(&bb, CODEC_NONE, INT32_MIN, BATCH_BYTES_MAX);
	rc = partition_open(path, PARTITION_WRITE, &settings, &p, f);
	if (rc == 0)
		rc = batch_builder_add(&bb, rec);
	if (rc == 0)
		rc = batch_builder_finish(&bb, &data, &a.len);
	if (rc == 0) {
		a.data = (uint8_t *)(uintptr_t)data;
		rc = partition_append(p, &a, f);
	}
	if (rc == 0)
		rc = partition_sync(p, f);
	partition_close(p);
	batch_builder_release(&bb);
	return rc;
}

static int
send_to_dead(struct exec *x, size_t i, int32_t n, const struct work *w,
    const char *reason)
{
	struct record rec = w->rec;
	struct fault f = {.file = ""};
	struct topic t;
	struct buf headers;
	int rc = topic_open(x->o->dead_letter, &t, &f);

	if (rc != 0)
		return message_warn(x->o->dead_letter, rc, &f);
	buf_init(&headers, RECORDS_BYTES_MAX);
	rc = add_reasons(x, i, n, w, reason, &headers, &rec.header_count);
	rec.headers = headers.data;
	rec.headers_len = headers.len;
	if (rc == 0)
		rc = append_dead(&t, &rec, &f);
	buf_release(&headers);
	topic_close(&t);
	return rc == 0 ? CLI_DONE : message_warn(x->o->dead_letter, rc, NULL);
}

static int64_t
retry_ms(int64_t tries)
{
	int64_t ms = RETRY_MS;

	for (; tries > 1 && ms < RETRY_MS_MAX; tries--)
		ms *= 2;
	return ms < RETRY_MS_MAX ? ms : RETRY_MS_MAX;
}

/* A job has ended otherwise than with 0. */
static void
handle_failure(struct exec *x, size_t i, int32_t n, struct work *w, int status)
{
	char reason[64];

	if (WIFSIGNALED(status))
		snprintf(reason, sizeof(reason), "killed by signal %d",
		    WTERMSIG(status));
	else
		snprintf(reason, sizeof(reason), "exit status %d",
		    WEXITSTATUS(status));
	/* The signal that ends us has perhaps ended it: it is not done. */
	if (sources_stop != 0 || x->failed)
		return;
	w->tries++;
	if (w->tries <= x->o->retries) {
		w->due_ms = now_mono_ms() + retry_ms(w->tries);
		cli_warn("%s/%d: offset %lld: %s; again in %lld s",
		    x->s->places[i].name, (int)n, (long long)w->rec.offset,
		    reason, (long long)retry_ms(w->tries) / 1000);
		return;
	}
	if (x->o->dead_letter != NULL) {
		int rc = send_to_dead(x, i, n, w, reason);

		cli_warn("%s/%d: offset %lld: %s; %s %s", x->s->places[i].name,
		    (int)n, (long long)w->rec.offset, reason,
		    rc == CLI_DONE ? "put into" : "not put into",
		    x->o->dead_letter);
		w->done = rc == CLI_DONE;
		fail(x, rc);
		return;
	}
	warnx("%s/%d: offset %lld: %s", x->s->places[i].name, (int)n,
	    (long long)w->rec.offset, reason);
	fail(x, CLI_FAIL);
}

/* --- lanes --------------------------------------------------------------- */

/* Room for the partitions there are now. */
static int
grow_lanes(struct exec *x)
{
	for (size_t i = 0; i < x->sharing.count; i++) {
		int32_t count = x->sharing.topics[i].count;
		struct lane *lanes =
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
remove_work(struct lane *lane, struct work *w)
{
	TAILQ_REMOVE(&lane->works, w, link);
	lane->count--;
	lane->bytes -= w->size;
	free(w);
}

/* A copy of the record, which the stream will not keep. */
static struct work *
make_work(const struct record *rec)
{
	size_t key = rec->key.len > 0 ? (size_t)rec->key.len : 0;
	size_t value = rec->value.len > 0 ? (size_t)rec->value.len : 0;
	size_t size = key + value + rec->headers_len;
	struct work *w = malloc(sizeof(*w) + size);

	if (w == NULL)
		return NULL;
	*w = (struct work){.rec = *rec, .size = size, .pidfd = -1, .life = -1};
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
add_work(struct exec *x, struct lane *lane, const struct record *rec)
{
	struct work *w = make_work(rec);

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
	struct lane *lane = &x->lanes[i][n];
	struct share *share = share_of(x, i, n);
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
is_blocked(const struct lane *lane, const struct work *w)
{
	const struct work *e;

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
	struct lane *lane = &x->lanes[i][n];
	int64_t now = now_mono_ms();
	struct work *w;

	TAILQ_FOREACH(w, &lane->works, link) {
		if (x->running >= x->o->jobs || is_stopping(x))
			return;
		if (!is_running(w) && !w->done && w->due_ms <= now &&
		    !is_blocked(lane, w))
			start(x, i, n, w);
	}
}

/* What is done at the front of a lane is the group's new position. */
static void
settle(struct exec *x, size_t i, int32_t n)
{
	struct lane *lane = &x->lanes[i][n];
	struct share *share = share_of(x, i, n);
	struct work *w;
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
lives(const struct work *w)
{
	struct pollfd fd = {w->life, 0, 0};

	return poll(&fd, 1, 0) == 0;
}

/* Has the job ended, and how? */
static bool
has_ended(struct exec *x, size_t i, int32_t n, struct work *w)
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
	struct lane *lane = &x->lanes[i][n];
	struct work *w;

	TAILQ_FOREACH(w, &lane->works, link) {
		if (!has_ended(x, i, n, w))
			continue;
		x->running--;
		x->event_ms = now_mono_ms();
		(void)io_close(&w->life);
		if (WIFEXITED(w->status) && WEXITSTATUS(w->status) == 0)
			w->done = true;
		else
			handle_failure(x, i, n, w, w->status);
		x->done += w->done;
	}
}

/* A partition that was given up: its events are others' now. */
static void
clear_lane(struct exec *x, struct lane *lane)
{
	struct work *w;

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
			struct share *share = share_of(x, i, n);
			struct lane *lane = &x->lanes[i][n];

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
	struct work *w;

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
	nfds_t count = 0;
	struct work *w;

	if (x->s->watch != NULL)
		fds[count++] =
		    (struct pollfd){watch_fd(x->s->watch), POLLIN, 0};
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
			struct stream *s = share_of(x, i, n)->stream;
			int rc = s == NULL ? 0 : stream_refresh(s, &f);

			if (rc != 0)
				fail(x, message_warn(f.file, rc, &f));
		}
}

static void
wait_for_change(struct exec *x)
{
	static struct pollfd fds[READING_JOBS_MAX + 1];
	nfds_t count = collect_fds(x, fds);
	int64_t due = next_due(x), wait_ms = sharing_wait_ms(&x->sharing, due);
	bool changed = false;

	(void)poll(fds, count, wait_ms > INT_MAX ? INT_MAX : (int)wait_ms);
	/* The end of a job alone is no reason to look at the topics. */
	if (x->s->watch == NULL ||
	    (fds[0].revents == 0 && now_mono_ms() - x->look_ms < LOOK_MS))
		return;
	x->look_ms = now_mono_ms();
	if (watch_wait(x->s->watch, 0, -1, &changed) == 0 && changed) {
		sharing_look(&x->sharing);
		refresh(x);
	}
	x->removed = sharing_is_removed(&x->sharing);
	if (x->removed && !x->s->r->retry)
		fail(x, CLI_FAIL);
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
			fail(x, sharing_balance(&x->sharing));
		if (grow_lanes(x) != 0)
			err(CLI_FAIL, NULL);
		left = round_of_lanes(x);
		fail(x, sharing_commit(&x->sharing, false));
		if (is_stopping(x) ? x->running == 0 : is_over(x, left))
			return;
		wait_for_change(x);
	}
}

/* As a member of the group; again if topics were removed (--retry). */
static void
work_as_member(struct exec *x)
{
	do {
		x->removed = false;
		fail(x, sources_locate(x->s));
		if (x->failed || x->s->gave_up)
			return;
		fail(x, sharing_open(x->s, x->s->r->group, &x->sharing));
		if (!x->failed)
			work(x);
		fail(x, sharing_close(&x->sharing));
		for (size_t i = 0; i < x->s->count; i++)
			for (int32_t n = 0; n < x->lane_counts[i]; n++)
				clear_lane(x, &x->lanes[i][n]);
		sources_close(x->s);
		x->s->range.from.kind = POSITION_START;
	} while (x->removed && !x->failed && sources_stop == 0);
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
	fail(&x, check(&x));
	if (!x.failed)
		work_as_member(&x);
	for (size_t i = 0; i < s->count; i++)
		free(x.lanes[i]);
	free(x.lanes);
	free(x.lane_counts);
	*done = x.done;
	return x.worst;
}
