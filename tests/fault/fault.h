#ifndef FAULT_H
#define FAULT_H

/*
 * Programs run with one call made to fail (fault_preload.c), for each call
 * that they make, and what must hold then.
 *
 * A scenario is a command on a topic t.  For each case t is copied anew from
 * a template, the command is run with the fault, and judged:
 *
 *  - it fails with one clear message, or has done all that was asked;
 *  - what it acknowledged can be read, what was there before, too, and
 *    nothing that was never there;
 *  - nothing is acknowledged after a sync failed, and a log whose sync failed
 *    is marked, so that the next writer verifies it;
 *  - logfsck finds nothing;
 *  - the same command without a fault then does it all, an append goes on.
 *
 * The environment: FAULT_ALL=1 takes every call, not a random part of the
 * many ones; FAULT_ONLY='SCENARIO CLASS:N:HOW' is one case, FAULT_THEN=COMMAND
 * what sh(1) is given to do after each fault.
 */

#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>

#include "../unit/tap.h"
#include "base/io.h"
#include "store/state.h"

extern char **environ;

enum fault_judge {
	JUDGE_APPEND,	/* what was there, then what was fed */
	JUDGE_SHRINK,	/* between what was there and what a whole run leaves */
	JUDGE_GROUP,	/* a group's runs together print all */
	JUDGE_OTHER,	/* records stay as they are */
	JUDGE_CREATE,	/* no topic, or one */
	JUDGE_READ,	/* records stay as they are, no other is printed */
};

struct scenario {
	const char *name;
	const char *template;	/* sh(1): makes t */
	const char *settle;	/* sh(1): what each copy needs; NULL nothing */
	const char *command;	/* words apart by blanks */
	enum fault_judge judge;
	int feed;		/* JUDGE_APPEND: so many lines */
	int done;		/* exit status of a whole run */
	bool damaged;		/* what is there is damaged: -y repairs it */
};

enum { FAULT_WORDS = 24, FAULT_LINES = 4096, FAULT_TIMEOUT_MS = 20000 };

/* What a program printed, whole and as lines. */
struct text {
	char *data;
	size_t count;
	char *line[FAULT_LINES];
};

struct outcome {
	int status;		/* 128 + signal if killed */
	struct text out;
	struct text err;
	bool late;		/* acknowledged after a failed sync */
	bool stalled;
};

static char fault_preload[PATH_MAX], fault_bin[PATH_MAX];
static const char *fault_now;	/* the case, for messages */
static int fault_bad;		/* findings in this group of cases */

#define fault_expect(cond, ...)                                                \
	do {                                                                   \
		if (!(cond))                                                   \
			fault_blame(__VA_ARGS__);                              \
	} while (0)

__attribute__((format(printf, 1, 2))) static inline void
fault_blame(const char *fmt, ...)
{
	va_list ap;

	if (fault_bad++ >= 6)
		return;
	fprintf(stderr, "# FAULT_ONLY='%s': ", fault_now);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
}

static inline void
text_release(struct text *t)
{
	free(t->data);
	*t = (struct text){0};
}

/* The lines of data, which is taken over and ends with a NUL. */
static inline void
text_set(struct text *t, char *data)
{
	char *save = NULL, *line;

	t->data = data;
	t->count = 0;
	for (line = strtok_r(data, "\n", &save);
	     line != NULL && t->count < FAULT_LINES;
	     line = strtok_r(NULL, "\n", &save))
		t->line[t->count++] = line;
}

static inline void
text_read(struct text *t, int fd)
{
	struct stat st;
	char *data;
	size_t got = 0;

	if (fstat(fd, &st) != 0 ||
	    (data = calloc(1, (size_t)st.st_size + 1)) == NULL ||
	    io_pread(fd, data, (size_t)st.st_size, 0, &got) != 0)
		abort();
	text_set(t, data);
	close(fd);
}

/* Are the lines of a among those of b, in the same order? */
static inline bool
text_within(const struct text *a, const struct text *b)
{
	size_t i = 0;

	for (size_t k = 0; k < b->count && i < a->count; k++)
		i += strcmp(a->line[i], b->line[k]) == 0;
	return i == a->count;
}

static inline bool
text_same(const struct text *a, const struct text *b)
{
	return a->count == b->count && text_within(a, b);
}

static inline void
outcome_release(struct outcome *o)
{
	text_release(&o->out);
	text_release(&o->err);
}

/* --- running ------------------------------------------------------------- */

static inline pid_t
fault_spawn(const char *command, int in, int out, int err)
{
	static char words[4096];
	char *argv[FAULT_WORDS], *save = NULL;
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t pipe;
	pid_t pid;
	int n = 0;

	snprintf(words, sizeof(words), "%s", command);
	for (char *w = strtok_r(words, " ", &save); w != NULL;
	     w = strtok_r(NULL, " ", &save))
		argv[n++] = w;
	argv[n] = NULL;
	posix_spawn_file_actions_init(&files);
	if (in >= 0)
		posix_spawn_file_actions_adddup2(&files, in, 0);
	else
		posix_spawn_file_actions_addopen(&files, 0, "/dev/null",
		    O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out, 1);
	posix_spawn_file_actions_adddup2(&files, err, 2);
	posix_spawnattr_init(&attr);
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	posix_spawnattr_setsigdefault(&attr, &pipe);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
	if (posix_spawnp(&pid, argv[0], &files, &attr, argv, environ) != 0)
		abort();
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return pid;
}

/* Wait for its end, but not for ever. */
static inline void
fault_wait(pid_t pid, struct outcome *o)
{
	struct pollfd p = {.fd = pidfd_open(pid, 0), .events = POLLIN};
	int status;

	if (poll(&p, 1, FAULT_TIMEOUT_MS) == 0) {
		o->stalled = true;
		kill(pid, SIGKILL);
	}
	close(p.fd);
	if (waitpid(pid, &status, 0) != pid)
		abort();
	o->status =
	    WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Has a sync failed by now? */
static inline bool
fault_sync_failed(void)
{
	char line[8] = "";
	int fd = open("fault.log", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return false;
	if (read(fd, line, sizeof(line) - 1) < 0)
		line[0] = '\0';
	close(fd);
	return strncmp(line, "sync ", 5) == 0;
}

/*
 * Feed lines n-1, n-2... and wait each time until one is acknowledged, or the
 * program closes its output.
 */
static inline void
fault_feed(struct outcome *o, int feed, int in, int out)
{
	struct pollfd p = {.fd = out, .events = POLLIN};
	char *acks = calloc(1, 65536);
	size_t len = 0;

	for (int i = 1; i <= feed && acks != NULL; i++) {
		ssize_t got;

		if (dprintf(in, "n-%d\n", i) < 0)
			break;
		do {
			if (poll(&p, 1, FAULT_TIMEOUT_MS) == 0) {
				o->stalled = true;
				break;
			}
			got = read(out, acks + len, 65535 - len);
			len += got > 0 ? (size_t)got : 0;
		} while (got > 0 && acks[len - 1] != '\n');
		if (o->stalled || got <= 0)
			break;
		o->late = o->late || fault_sync_failed();
	}
	close(in);
	for (ssize_t got = 1; got > 0; len += got > 0 ? (size_t)got : 0)
		got = read(out, acks + len, 65535 - len);
	close(out);
	text_set(&o->out, acks);
}

static inline void
fault_run(const char *command, int feed, struct outcome *o)
{
	int in[2] = {-1, -1}, out[2];
	int err = memfd_create("err", MFD_CLOEXEC);
	pid_t pid;

	*o = (struct outcome){0};
	if (feed > 0) {
		if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
			abort();
	} else {
		out[1] = memfd_create("out", MFD_CLOEXEC);
	}
	pid = fault_spawn(command, in[0], out[1], err);
	if (feed > 0) {
		close(in[0]);
		close(out[1]);
		fault_feed(o, feed, in[1], out[0]);
	}
	fault_wait(pid, o);
	if (feed == 0)
		text_read(&o->out, out[1]);
	text_read(&o->err, err);
}

static inline void
fault_shell(const char *script)
{
	if (script != NULL && system(script) != 0) {
		fprintf(stderr, "# failed: %s\n", script);
		exit(1);
	}
}

/* --- files --------------------------------------------------------------- */

static inline void
fault_copy_file(int from_dir, int to_dir, const char *name)
{
	char block[16384];
	int from = openat(from_dir, name, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t got;
	int to;

	if (from < 0 || fstat(from, &st) != 0)
		abort();
	to = openat(to_dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
	    st.st_mode & 0777);
	while ((got = read(from, block, sizeof(block))) > 0)
		if (write(to, block, (size_t)got) != got)
			abort();
	close(from);
	close(to);
}

static inline void
fault_copy_tree(const char *from, const char *to)
{
	DIR *dir = opendir(from);
	struct dirent *e;
	int to_dir;

	if (dir == NULL || mkdir(to, 0777) != 0)
		abort();
	to_dir = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while ((e = readdir(dir)) != NULL) {
		char a[PATH_MAX], b[PATH_MAX];

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (e->d_type != DT_DIR) {
			fault_copy_file(dirfd(dir), to_dir, e->d_name);
			continue;
		}
		snprintf(a, sizeof(a), "%s/%s", from, e->d_name);
		snprintf(b, sizeof(b), "%s/%s", to, e->d_name);
		fault_copy_tree(a, b);
	}
	closedir(dir);
	close(to_dir);
}

static inline void
fault_remove(const char *path)
{
	int rc = io_remove_tree(AT_FDCWD, path);

	if (rc != 0 && rc != ENOENT)
		abort();
}

/* t as the scenario wants it, each time the same. */
static inline void
fault_prepare(const struct scenario *s)
{
	fault_remove("t");
	if (access("template/t", F_OK) == 0)
		fault_copy_tree("template/t", "t");
	fault_shell(s->settle);
}

/* --- judging ------------------------------------------------------------- */

/* All records of t; the exit status. */
static inline int
fault_records(struct text *t)
{
	struct outcome o;

	fault_run("logcat --skip-corrupt -F %p\\x20%o\\x20%k=%v\\n t", 0, &o);
	*t = o.out;
	if (o.err.count > 0 && o.status != 3)
		fault_blame("logcat says: %s", o.err.line[0]);
	text_release(&o.err);
	return o.status;
}

/* What a run without faults makes of t. */
struct whole {
	struct text before;
	struct text after;
	struct text out;
};

/*
 * Until the next writer comes there may be bytes that no writer stands for any
 * more, and a state that was not written whole, and until the next compaction
 * a segment without its sum: nothing is damaged by that.
 */
static inline bool
fault_is_unfinished(const char *line)
{
	return strstr(line, "bytes behind the end of the log") != NULL ||
	    strstr(line, "partition.state: ") != NULL ||
	    strstr(line, ".sum: missing") != NULL;
}

static inline void
fault_check_fsck(const char *when, bool unfinished_ok)
{
	struct outcome o;

	fault_run("logfsck t", 0, &o);
	for (size_t i = 0; i < o.out.count; i++) {
		if (unfinished_ok && fault_is_unfinished(o.out.line[i]))
			continue;
		fault_blame("logfsck %s: %s", when, o.out.line[i]);
	}
	fault_expect(o.status == 0 || (o.status == 4 && unfinished_ok),
	    "logfsck %s: exit status %d", when, o.status);
	outcome_release(&o);
}

/* Does each message begin with the program's name, and is one there? */
static inline void
fault_check_messages(const struct scenario *s, const struct outcome *o)
{
	size_t len = strcspn(s->command, " ");

	/* logfsck says on standard output what is left. */
	fault_expect(o->err.count > 0 ||
		(strncmp(s->command, "logfsck", 7) == 0 && o->out.count > 0),
	    "exit status %d without a message", o->status);
	fault_expect(o->err.count <= 2, "%zu lines of messages: %s, %s",
	    o->err.count, o->err.line[0], o->err.line[1]);
	for (size_t i = 0; i < o->err.count; i++)
		fault_expect(strncmp(o->err.line[i], s->command, len) == 0 &&
			o->err.line[i][len] == ':' &&
			strlen(o->err.line[i]) > len + 4,
		    "no good message: %s", o->err.line[i]);
}

/* All that was there, in front; then lines that were fed, in order. */
static inline void
fault_check_appended(const struct whole *w, const struct text *now,
    const struct outcome *o, int feed)
{
	size_t count = w->before.count;
	char want[80];

	fault_expect(now->count >= count && text_within(&w->before, now),
	    "records that were there are gone");
	for (size_t i = count; i < now->count; i++) {
		snprintf(want, sizeof(want), "0 %zu =n-%zu", i, i - count + 1);
		fault_expect(strcmp(now->line[i], want) == 0,
		    "record %s, not %s", now->line[i], want);
	}
	for (size_t i = 0; i < o->out.count; i++) {
		snprintf(want, sizeof(want), "t\t0\t%zu", count + i);
		fault_expect(strcmp(o->out.line[i], want) == 0,
		    "acknowledged %s, not %s", o->out.line[i], want);
	}
	fault_expect(now->count >= count + o->out.count,
	    "lost: %zu were acknowledged, %zu are there", o->out.count,
	    now->count - count);
	fault_expect(o->status != 0 || o->out.count == (size_t)feed,
	    "exit status 0 with %zu acknowledged", o->out.count);
}

/*
 * Is it the sync of a segment that has failed?  Then path is its partition's
 * state.
 */
static inline bool
fault_log_sync_failed(char path[600])
{
	int fd = open("fault.log", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? 0 : read(fd, path, 599);
	char *slash;

	close(fd);
	path[got > 0 ? got : 0] = '\0';
	if (strncmp(path, "sync fdatasync ", 15) != 0 ||
	    strstr(path, ".log\n") == NULL)
		return false;
	memmove(path, path + 15, (size_t)got - 15 + 1);
	slash = strrchr(path, '/');
	snprintf(slash + 1, 20, "%s", STATE_FILE);
	return true;
}

/* Then it is marked, unless what is there must be looked at anyway. */
static inline void
fault_check_marked(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct state s;
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && state_read(fd, &s) == 0 &&
	    (int64_t)st.st_ino == s.state_inode)
		fault_expect((s.flags & (STATE_FAILED | STATE_SYNCING)) != 0,
		    "a sync of the log failed and nothing says so");
	close(fd);
}

static inline void
fault_check_records(const struct scenario *s, const struct whole *w,
    const struct outcome *o, const char *when)
{
	struct text now;
	int status = fault_records(&now);

	fault_expect(status == 0 || (s->damaged && status == 3),
	    "logcat %s: exit status %d", when, status);
	switch (s->judge) {
	case JUDGE_APPEND:
		fault_check_appended(w, &now, o, s->feed);
		break;
	case JUDGE_SHRINK:
		fault_expect(text_within(&w->after, &now),
		    "%s: records are gone that should stay", when);
		fault_expect(text_within(&now, &w->before) || s->damaged,
		    "%s: records that were never there", when);
		fault_expect(o->status != s->done || text_same(&now, &w->after),
		    "exit status %d, and not all is done", o->status);
		break;
	default:
		fault_expect(text_same(&now, &w->before),
		    "%s: records have changed", when);
		break;
	}
	text_release(&now);
}

/* What both runs of the group printed: everything, and no gap between. */
static inline void
fault_check_group(const struct whole *w, const struct outcome *first,
    const struct outcome *second)
{
	size_t from = w->out.count - second->out.count;

	fault_expect(second->out.count <= w->out.count &&
		text_within(&second->out, &w->out),
	    "the second run printed something else");
	fault_expect(from <= first->out.count,
	    "%zu printed, then committed %zu", first->out.count, from);
	fault_expect(first->status != 0 || second->out.count == 0,
	    "exit status 0 and not committed");
}

/*
 * All, if it says so; else a part in the same order, of which the last line may
 * be cut short.
 */
static inline void
fault_check_read(const struct scenario *s, const struct whole *w,
    const struct outcome *o)
{
	struct text part = o->out;

	if (o->status == s->done) {
		fault_expect(text_same(&o->out, &w->out),
		    "exit status %d, and not all is printed", o->status);
		return;
	}
	if (part.count > 0)
		part.count--;
	fault_expect(strncmp(s->command, "logfsck", 7) == 0 ||
		text_within(&part, &w->out),
	    "something else is printed");
}

/* How many calls of a class did a run make? */
static inline int
fault_calls(const char *path, const char *class)
{
	char name[32];
	FILE *f = fopen(path, "r");
	int n, found = 0;

	while (f != NULL && fscanf(f, "%31s %d", name, &n) == 2)
		if (strcmp(name, class) == 0)
			found = n;
	if (f != NULL)
		fclose(f);
	return found;
}

/* The next run does it all, and appends go on. */
static inline void
fault_check_next(const struct scenario *s, const struct whole *w,
    const struct outcome *first)
{
	struct outcome o;
	struct text now;
	char path[600];

	unlink("fault.count");
	setenv("FAULT_COUNT", "fault.count", 1);
	setenv("LD_PRELOAD", fault_preload, 1);
	fault_run(s->command, s->feed, &o);
	unsetenv("LD_PRELOAD");
	unsetenv("FAULT_COUNT");
	fault_expect(s->judge != JUDGE_APPEND || !fault_log_sync_failed(path) ||
		fault_calls("fault.count", "drop") > 0,
	    "next run: the device is not asked after a failed sync");
	if (s->judge == JUDGE_CREATE)
		fault_expect(o.status == 0, "next run: exit status %d: %s",
		    o.status, o.err.count > 0 ? o.err.line[0] : "");
	else
		fault_expect(o.status == 0 || o.status == s->done,
		    "next run: exit status %d: %s", o.status,
		    o.err.count > 0 ? o.err.line[0] : "");
	fault_expect(o.status != 0 || (int)o.out.count >= s->feed,
	    "next run: %zu acknowledged", o.out.count);
	if (s->judge == JUDGE_GROUP)
		fault_check_group(w, first, &o);
	outcome_release(&o);
	if (s->judge == JUDGE_SHRINK) {
		(void)fault_records(&now);
		fault_expect(text_same(&now, &w->after),
		    "next run: another result than without a fault");
		text_release(&now);
	}
	if (s->judge != JUDGE_APPEND) {
		fault_run("logappend --report t", 1, &o);
		fault_expect(o.status == 0 && o.out.count == 1,
		    "append afterwards: exit status %d", o.status);
		outcome_release(&o);
	}
	fault_check_fsck("afterwards", false);
}

/* dlopen(), of a codec, ends the process if it has no memory for paths. */
static inline bool
fault_is_linker(const struct outcome *o)
{
	return o->status == 127 && o->err.count == 1 &&
	    strcmp(o->err.line[0], "out of memory") == 0;
}

/* One case: FAULT=class:n:how.  False: the call was never made. */
static inline bool
fault_case(const struct scenario *s, const struct whole *w, const char *class,
    int n, const char *how)
{
	bool kills = strstr(how, "kill") != NULL, fired;
	const char *then = getenv("FAULT_THEN");
	char fault[80], name[200], path[600];
	struct outcome o;

	snprintf(fault, sizeof(fault), "%s:%d:%s", class, n, how);
	snprintf(name, sizeof(name), "%s %s", s->name, fault);
	fault_now = name;
	fault_prepare(s);
	unlink("fault.log");
	setenv("FAULT", fault, 1);
	setenv("FAULT_LOG", "fault.log", 1);
	setenv("LD_PRELOAD", fault_preload, 1);
	fault_run(s->command, s->feed, &o);
	unsetenv("LD_PRELOAD");
	unsetenv("FAULT");
	unsetenv("FAULT_LOG");
	fired = access("fault.log", F_OK) == 0;
	if (then != NULL && access("t", F_OK) == 0)
		fault_shell(then);
	fault_expect(!o.stalled, "it hangs");
	fault_expect(!o.late, "acknowledged after a failed sync");
	fault_expect(o.status < 99 || (kills && o.status == 128 + SIGKILL) ||
		fault_is_linker(&o),
	    "exit status %d", o.status);
	if (o.status != s->done && o.status < 99)
		fault_check_messages(s, &o);
	if (s->judge != JUDGE_CREATE) {
		if (!kills && fault_log_sync_failed(path))
			fault_check_marked(path);
		fault_check_records(s, w, &o, "after the fault");
		if (s->judge == JUDGE_READ)
			fault_check_read(s, w, &o);
		if (!s->damaged)
			fault_check_fsck("after the fault", true);
	} else {
		fault_expect(o.status != 0 || access("t/0", F_OK) == 0,
		    "exit status 0 and no topic");
	}
	fault_check_next(s, w, &o);
	outcome_release(&o);
	fault_now = NULL;
	return fired;
}

/* A run without faults: what there was, what there is, what it calls. */
static inline void
fault_learn(const struct scenario *s, struct whole *w)
{
	struct outcome o;

	fault_now = s->name;
	*w = (struct whole){0};
	fault_remove("template");
	fault_remove("t");
	fault_shell(s->template);
	if (mkdir("template", 0777) != 0)
		abort();
	if (access("t", F_OK) == 0 && rename("t", "template/t") != 0)
		abort();
	fault_prepare(s);
	if (s->judge != JUDGE_CREATE)
		(void)fault_records(&w->before);
	unlink("whole.count");
	setenv("FAULT_COUNT", "whole.count", 1);
	setenv("LD_PRELOAD", fault_preload, 1);
	fault_run(s->command, s->feed, &o);
	unsetenv("LD_PRELOAD");
	unsetenv("FAULT_COUNT");
	fault_expect(o.status == s->done, "without a fault: exit status %d: %s",
	    o.status, o.err.count > 0 ? o.err.line[0] : "");
	w->out = o.out;
	text_release(&o.err);
	(void)fault_records(&w->after);
	tap(fault_bad == 0, "%s: without a fault", s->name);
}

/* A class and a way to fail, at every call or at some of very many. */
static inline void
fault_sweep(const struct scenario *s, const struct whole *w, const char *class,
    const char *how)
{
	bool all = getenv("FAULT_ALL") != NULL;
	int calls = fault_calls("whole.count", class), cases = 0;

	fault_bad = 0;
	for (int n = 1; n <= calls; n++) {
		if (!all && calls > 30 && n > 6 &&
		    tap_random() % (uint64_t)calls >= 24)
			continue;
		(void)fault_case(s, w, class, n, how);
		cases++;
	}
	tap(fault_bad == 0, "%s: %s %s: %d cases, %d findings", s->name, class,
	    how, cases, fault_bad);
}

/* The case that FAULT_ONLY names, if it is of this scenario. */
static inline bool
fault_only(const struct scenario *s, const struct whole *w, const char *only)
{
	char class[32], how[32], name[64];
	int n;

	if (sscanf(only, "%63s %31[^:]:%d:%31s", name, class, &n, how) != 4 ||
	    strcmp(name, s->name) != 0)
		return false;
	fault_bad = 0;
	tap(fault_case(s, w, class, n, how), "the call is made");
	tap(fault_bad == 0, "%s", only);
	return true;
}

/* Begin: a directory of our own, the programs on PATH. */
static inline void
fault_begin(char **argv)
{
	const char *bin = getenv("LOGKIT_BIN"), *path = getenv("PATH");
	char so[PATH_MAX], *slash, list[2 * PATH_MAX];

	snprintf(so, sizeof(so), "%s", argv[0]);
	slash = strrchr(so, '/');
	snprintf(slash == NULL ? so : slash + 1, 40, "fault_preload.so");
	if (realpath(so, fault_preload) == NULL ||
	    realpath(bin != NULL ? bin : "bin", fault_bin) == NULL) {
		printf("1..0 # SKIP programs or %s not built\n", so);
		exit(0);
	}
	snprintf(list, sizeof(list), "%s:%s", fault_bin, path);
	setenv("PATH", list, 1);
	setenv("TZ", "UTC0", 1);
	signal(SIGPIPE, SIG_IGN);
	if (chdir(tap_dir()) != 0)
		abort();
}

/* All ways to fail of a list that ends with NULLs, for one scenario. */
static inline void
fault_scenario(const struct scenario *s, const char *const (*ways)[2])
{
	const char *only = getenv("FAULT_ONLY");
	struct whole w;

	if (only != NULL && strncmp(only, s->name, strlen(s->name)) != 0)
		return;
	fault_bad = 0;
	fault_learn(s, &w);
	if (only != NULL)
		(void)fault_only(s, &w, only);
	for (; only == NULL && (*ways)[0] != NULL; ways++)
		fault_sweep(s, &w, (*ways)[0], (*ways)[1]);
	text_release(&w.before);
	text_release(&w.after);
	text_release(&w.out);
}

#endif
