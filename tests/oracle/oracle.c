/*
 * The oracle: who appended what, what was acknowledged, and whether it is
 * still so after a fault.  It knows nothing of logkit's files: it runs
 * programs and reads what they print.
 *
 *	oracle write [OPTION]... JOURNAL COMMAND [ARG]...
 *
 * runs copies of COMMAND, which append the lines of their standard input and
 * print "TOPIC TAB PARTITION TAB OFFSET" for each one acknowledged, in order
 * (logappend --report).  Each copy is fed events of its own and killed with -9
 * at a random moment; another takes its place.  JOURNAL, which must lie where
 * the fault does not reach, has each attempt before it is made and each
 * acknowledgement after it was read.
 *
 *	-w N	copies at a time (1)
 *	-k N	end after so many kills (0: kill nobody)
 *	-m US	the longest life, in microseconds (20000)
 *	-n N	events per copy (no end), after which its input ends
 *	-b N	bytes of the largest event (300)
 *	-p US	the longest pause before the next events (1500)
 *	-c	every other copy gets its next events when all before them are
 *		acknowledged
 *	-f	a copy that fails is the end, and no error: the fault is here
 *	-e N	cut the power after so many acknowledgements at most (1000), at
 *		least one: nothing that is acknowledged from then on counts
 *	-z DIR	what to cut: the file system it is on (ext4, xfs) is shut down
 *		without a flush of its journal, and must be mounted again
 *	-r CMD	a reader, run by sh(1); stopped before the cut, killed after it
 *	-s SEED	of all random choices (0)
 *	-t TAG	names this journal's events; needed where there are several
 *
 * It ends by itself, or at TERM, when it kills all; exit status 1 if a copy
 * ended in error.
 *
 *	oracle judge [-d] [-a] JOURNAL... <LINES
 *
 * LINES are "PARTITION OFFSET VALUE" of every record there is, as logcat -F
 * '%p %o %s\n' prints them.  Told, with exit status 1:
 *
 *	lost	acknowledged, and not there, or elsewhere
 *	forged	there, and never attempted, or with other bytes
 *	twice	there twice, and never retried
 *	order	of one writer's events or of offsets
 *	gap	(-d) an offset is missing
 *	refused	there, though said to be definitely not written
 *	missing	(-a) attempted, and not there: for writers that ended well
 *
 * THE JOURNAL, by lines, for others who write one:
 *
 *	tag TAG			once, first
 *	a COPY FROM TO		events FROM to TO of a copy will be attempted
 *	k COPY SEQ PART OFFSET	event acknowledged
 *	d COPY SEQ		the writer was told: not written
 *	r COPY SEQ		the writer tried again: may be there twice
 *
 * An event is "TAG COPY SEQ FILL SUM": SUM is FNV-1a, hexadecimal, of what is
 * before it.  SEQ counts from 1.
 */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	TAG_MAX = 32,
	EVENT_MAX = 1 << 20,
	COPIES_MAX = 64,
	PIPE_BYTES = 4096,
	TOLD_MAX = 10,
	JOURNALS_MAX = 1024,
	/* FS_IOC_SHUTDOWN of ext4, XFS_IOC_GOINGDOWN of xfs. */
	SHUTDOWN_NO_FLUSH = 2,
};

#define SHUTDOWN _IOR('X', 125, uint32_t)

static uint32_t
sum_of(const char *s, size_t len)
{
	uint32_t sum = 2166136261u;

	for (size_t i = 0; i < len; i++)
		sum = (sum ^ (unsigned char)s[i]) * 16777619u;
	return sum;
}

/* --- writing --------------------------------------------------------------- */

struct options {
	int copies;
	long kills;
	long life_us;
	long pause_us;
	long events;
	int bytes;
	bool in_turn;
	bool fault;
	long cut_at;		/* acknowledgements */
	const char *cut_dir;	/* NULL: no cut */
	const char *reader;
	uint64_t seed;
	const char *tag;
};

struct copy {
	pid_t pid;
	long number;
	int in, out;		/* our ends; -1 closed */
	long attempted;
	long acked;
	int64_t dies;		/* monotonic, us */
	int64_t feeds;
	char *chunk;		/* being written */
	size_t chunk_len, chunk_done;
	char line[256];		/* of the report, not yet whole */
	size_t line_len;
};

static struct options opt = {.copies = 1,
    .life_us = 20000,
    .bytes = 300,
    .pause_us = 1500,
    .cut_at = 1000,
    .tag = "t"};
static struct copy copies[COPIES_MAX];
static char **command;
static FILE *journal;
static long started, killed, acknowledged;
static bool failed, is_cut;
static pid_t reader_pid;
static volatile sig_atomic_t stopped;

static void
stop(int sig)
{
	(void)sig;
	stopped = 1;
}

static uint64_t
next_random(void)
{
	uint64_t z = (opt.seed += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static long
below(long n)
{
	return (long)(next_random() % (uint64_t)n);
}

static int64_t
now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
start(struct copy *c)
{
	int in[2], out[2];

	if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
		err(2, "pipe");
	(void)fcntl(in[1], F_SETPIPE_SZ, PIPE_BYTES);
	free(c->chunk);
	*c = (struct copy){.number = ++started, .in = in[1], .out = out[0]};
	c->pid = fork();
	if (c->pid < 0)
		err(2, "fork");
	if (c->pid == 0) {
		(void)signal(SIGPIPE, SIG_DFL);
		if (dup2(in[0], 0) < 0 || dup2(out[1], 1) < 0)
			_exit(127);
		execvp(command[0], command);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	(void)fcntl(c->in, F_SETFL, O_NONBLOCK);
	(void)fcntl(c->out, F_SETFL, O_NONBLOCK);
	c->dies = INT64_MAX;
	if (opt.kills > 0)
		c->dies = now_us() + 200 + below(opt.life_us);
}

/* A few events more; their attempt is in the journal before they are sent. */
static void
make_chunk(struct copy *c)
{
	static char event[EVENT_MAX + 128];
	long count = 1 + below(40), from = c->attempted + 1;
	size_t cap = 0;
	FILE *f;

	if (opt.events > 0 && count > opt.events - c->attempted)
		count = opt.events - c->attempted;
	free(c->chunk);
	c->chunk = NULL;
	f = open_memstream(&c->chunk, &cap);
	if (f == NULL)
		err(2, NULL);
	for (long i = 0; i < count; i++) {
		int len =
		    sprintf(event, "%s %ld %ld ", opt.tag, c->number, from + i);
		int fill = (int)below(below(8) == 0 ? opt.bytes : 40) + 1;

		for (int k = 0; k < fill; k++)
			event[len++] = (char)('a' + (k * 7 + from + i) % 26);
		event[len++] = ' ';
		(void)fprintf(f, "%.*s%08" PRIx32 "\n", len, event,
		    sum_of(event, (size_t)len));
	}
	if (fclose(f) != 0)
		err(2, NULL);
	c->chunk_len = cap;
	c->chunk_done = 0;
	c->attempted += count;
	(void)fprintf(journal, "a %ld %ld %ld\n", c->number, from,
	    c->attempted);
	if (fflush(journal) != 0)
		err(2, "journal");
}

static void
close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
feed(struct copy *c)
{
	ssize_t n;

	if (c->chunk_done == c->chunk_len) {
		if (opt.events > 0 && c->attempted >= opt.events) {
			close_end(&c->in);
			return;
		}
		make_chunk(c);
	}
	n = write(c->in, c->chunk + c->chunk_done,
	    c->chunk_len - c->chunk_done);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		close_end(&c->in);
	if (n > 0)
		c->chunk_done += (size_t)n;
	if (c->chunk_done == c->chunk_len &&
	    (opt.pause_us > 1500 || below(3) == 0))
		c->feeds = now_us() + below(opt.pause_us);
}

static void
acknowledge(struct copy *c)
{
	long long partition, offset;

	c->line[c->line_len] = '\0';
	c->line_len = 0;
	if (sscanf(c->line, "%*[^\t]\t%lld\t%lld", &partition, &offset) != 2)
		errx(2, "not a line of a report: %s", c->line);
	if (is_cut)
		return;
	c->acked++;
	acknowledged++;
	(void)fprintf(journal, "k %ld %ld %lld %lld\n", c->number, c->acked,
	    partition, offset);
}

/* Read what is there of the report; false at its end. */
static bool
hear(struct copy *c)
{
	char buf[65536];
	ssize_t n = read(c->out, buf, sizeof(buf));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	for (ssize_t i = 0; i < n; i++) {
		if (buf[i] == '\n')
			acknowledge(c);
		else if (c->line_len < sizeof(c->line) - 1)
			c->line[c->line_len++] = buf[i];
	}
	/* Who is killed next may be this process. */
	if (n > 0 && fflush(journal) != 0)
		err(2, "journal");
	return n > 0;
}

/* The copy is at its end, killed or not: all it said is read. */
static void
finish(struct copy *c, bool was_killed)
{
	int status;

	(void)fcntl(c->out, F_SETFL, 0);
	while (hear(c))
		;
	close_end(&c->in);
	close_end(&c->out);
	if (waitpid(c->pid, &status, 0) != c->pid)
		err(2, "waitpid");
	c->pid = 0;
	if (was_killed && (WIFSIGNALED(status) || is_cut))
		return;
	if (status != 0) {
		failed = true;
		if (!opt.fault)
			warnx("copy %ld: %s %d", c->number,
			    WIFEXITED(status) ? "exit status" : "signal",
			    WIFEXITED(status) ? WEXITSTATUS(status)
					      : WTERMSIG(status));
	} else if (opt.kills == 0 && c->acked != c->attempted) {
		failed = true;
		warnx("copy %ld: %ld of %ld acknowledged, exit status 0",
		    c->number, c->acked, c->attempted);
	}
}

static void
start_reader(void)
{
	if (opt.reader == NULL)
		return;
	reader_pid = fork();
	if (reader_pid < 0)
		err(2, "fork");
	if (reader_pid == 0) {
		(void)signal(SIGPIPE, SIG_DFL);
		(void)signal(SIGTERM, SIG_DFL);
		execl("/bin/sh", "sh", "-c", opt.reader, (char *)NULL);
		_exit(127);
	}
}

/* For a moment the kernel lets syncs succeed in vain: nothing of it counts. */
static void
cut_power(void)
{
	const struct timespec a_while = {.tv_nsec = below(3000000)};
	uint32_t how = SHUTDOWN_NO_FLUSH;
	int fd = open(opt.cut_dir, O_RDONLY | O_CLOEXEC), status;

	(void)nanosleep(&a_while, NULL);
	if (reader_pid > 0) {
		(void)kill(reader_pid, SIGSTOP);
		if (waitpid(reader_pid, &status, WUNTRACED) != reader_pid ||
		    !WIFSTOPPED(status))
			errx(2, "the reader has ended");
	}
	if (fd < 0 || ioctl(fd, SHUTDOWN, &how) != 0)
		err(2, "%s", opt.cut_dir);
	close(fd);
	is_cut = true;
	if (reader_pid > 0) {
		(void)kill(reader_pid, SIGKILL);
		(void)waitpid(reader_pid, &status, 0);
	}
}

/* Has it anything to be sent now? */
static bool
is_fed(const struct copy *c, int64_t now)
{
	bool waits = opt.in_turn && c->number % 2 == 0 &&
	    c->chunk_done == c->chunk_len && c->acked < c->attempted;

	return c->pid > 0 && c->in >= 0 && c->feeds <= now && !waits;
}

static int
wait_ms(int64_t now)
{
	int64_t until = now + 50000;

	for (int i = 0; i < opt.copies; i++) {
		const struct copy *c = &copies[i];

		if (c->pid > 0 && c->dies < until)
			until = c->dies;
		if (c->pid > 0 && c->in >= 0 && c->feeds > now &&
		    c->feeds < until)
			until = c->feeds;
	}
	return until <= now ? 0 : (int)((until - now) / 1000);
}

static void
turn(void)
{
	struct pollfd polls[2 * COPIES_MAX];
	int64_t now = now_us();

	for (int i = 0; i < opt.copies; i++) {
		struct copy *c = &copies[i];

		polls[2 * i] =
		    (struct pollfd){is_fed(c, now) ? c->in : -1, POLLOUT, 0};
		polls[2 * i + 1] =
		    (struct pollfd){c->pid > 0 ? c->out : -1, POLLIN, 0};
	}
	(void)poll(polls, 2 * (nfds_t)opt.copies, wait_ms(now));
	now = now_us();
	for (int i = 0; i < opt.copies; i++) {
		struct copy *c = &copies[i];

		if (c->pid > 0 && now >= c->dies) {
			(void)kill(c->pid, SIGKILL);
			killed++;
			finish(c, true);
			continue;
		}
		if (polls[2 * i].revents != 0 && c->in >= 0)
			feed(c);
		if (polls[2 * i + 1].revents != 0 && !hear(c))
			finish(c, false);
	}
}

static void
write_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "+w:k:m:n:b:p:cfe:z:r:s:t:")) != -1)
		switch (c) {
		case 'w':
			opt.copies = atoi(optarg);
			break;
		case 'k':
			opt.kills = atol(optarg);
			break;
		case 'm':
			opt.life_us = atol(optarg);
			break;
		case 'n':
			opt.events = atol(optarg);
			break;
		case 'b':
			opt.bytes = atoi(optarg);
			break;
		case 'p':
			opt.pause_us = atol(optarg);
			break;
		case 'c':
			opt.in_turn = true;
			break;
		case 'f':
			opt.fault = true;
			break;
		case 'e':
			opt.cut_at = atol(optarg);
			break;
		case 'z':
			opt.cut_dir = optarg;
			break;
		case 'r':
			opt.reader = optarg;
			break;
		case 's':
			opt.seed = strtoull(optarg, NULL, 10);
			break;
		case 't':
			opt.tag = optarg;
			break;
		default:
			exit(2);
		}
	if (argc - optind < 2 || opt.copies < 1 || opt.copies > COPIES_MAX ||
	    opt.bytes < 1 || opt.bytes > EVENT_MAX || opt.cut_at < 1 ||
	    strlen(opt.tag) >= TAG_MAX || strchr(opt.tag, ' ') != NULL)
		errx(2, "usage: oracle write [OPTION]... JOURNAL COMMAND...");
}

static bool
is_over(void)
{
	bool running = false;

	if (stopped || is_cut || (failed && opt.fault) ||
	    (opt.kills > 0 && killed >= opt.kills))
		return true;
	for (int i = 0; i < opt.copies; i++)
		running = running || copies[i].pid > 0;
	return !running && opt.kills == 0;
}

static int
do_write(int argc, char **argv)
{
	write_options(argc, argv);
	journal = fopen(argv[optind], "ae");
	if (journal == NULL)
		err(2, "%s", argv[optind]);
	command = argv + optind + 1;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGTERM, stop);
	(void)fprintf(journal, "tag %s\n", opt.tag);
	opt.cut_at = 1 + below(opt.cut_at);
	start_reader();
	for (int i = 0; i < opt.copies; i++)
		start(&copies[i]);
	while (!is_over()) {
		turn();
		if (opt.cut_dir != NULL && acknowledged >= opt.cut_at)
			cut_power();
		for (int i = 0; i < opt.copies && opt.kills > 0; i++)
			if (copies[i].pid == 0 && !is_over())
				start(&copies[i]);
	}
	for (int i = 0; i < opt.copies; i++)
		if (copies[i].pid > 0) {
			(void)kill(copies[i].pid, SIGKILL);
			finish(&copies[i], true);
		}
	if (fclose(journal) != 0)
		err(2, "journal");
	printf("%ld copies, %ld killed, %ld events acknowledged\n", started,
	    killed, acknowledged);
	return failed && !opt.fault ? 1 : 0;
}

/* --- judging --------------------------------------------------------------- */

enum { ATTEMPTED = 1, ACKED = 2, SEEN = 4, REFUSED = 8, RETRIED = 16 };

struct event {
	int64_t offset;		/* acknowledged */
	int32_t partition;
	uint32_t flags;
};

struct writer {
	struct event *events;	/* by seq - 1 */
	size_t count;
	int64_t last_offset;	/* seen, of its events */
	long last_seq;
	int32_t last_partition;
};

struct book {
	char tag[TAG_MAX];
	struct writer *writers;	/* by copy */
	size_t count;
};

static struct book books[JOURNALS_MAX];
static size_t books_count;
static long told;

static void __attribute__((format(printf, 1, 2))) tell(const char *format, ...)
{
	va_list args;

	if (told++ >= TOLD_MAX)
		return;
	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
}

static struct book *
find_book(const char *tag, size_t len)
{
	for (size_t i = 0; i < books_count; i++)
		if (strlen(books[i].tag) == len &&
		    memcmp(books[i].tag, tag, len) == 0)
			return &books[i];
	return NULL;
}

static struct event *
find_event(const struct book *b, long number, long seq)
{
	if (number < 0 || (size_t)number >= b->count || seq < 1 ||
	    (size_t)seq > b->writers[number].count)
		return NULL;
	return &b->writers[number].events[seq - 1];
}

static void
attempt(struct book *b, long number, long from, long to)
{
	struct writer *w;

	if (number < 0 || from < 1 || to < from)
		errx(2, "journal of %s: bad attempt", b->tag);
	if ((size_t)number >= b->count) {
		size_t count = (size_t)number + 1 + b->count;

		b->writers =
		    reallocarray(b->writers, count, sizeof(*b->writers));
		if (b->writers == NULL)
			err(2, NULL);
		memset(b->writers + b->count, 0,
		    (count - b->count) * sizeof(*b->writers));
		b->count = count;
	}
	w = &b->writers[number];
	if ((size_t)to > w->count) {
		w->events =
		    reallocarray(w->events, (size_t)to, sizeof(*w->events));
		if (w->events == NULL)
			err(2, NULL);
		memset(w->events + w->count, 0,
		    ((size_t)to - w->count) * sizeof(*w->events));
		w->count = (size_t)to;
	}
	for (long i = from; i <= to; i++)
		w->events[i - 1].flags |= ATTEMPTED;
}

static void
note(const struct book *b, const char *line)
{
	long number, seq;
	long long partition = 0, offset = 0;
	struct event *e = NULL;
	int n = sscanf(line + 1, "%ld %ld %lld %lld", &number, &seq, &partition,
	    &offset);

	if (n == (*line == 'k' ? 4 : 2))
		e = find_event(b, number, seq);
	if (e == NULL) {
		/* The last line may have been cut short. */
		if (strchr(line, '\n') != NULL)
			errx(2, "journal of %s: %s", b->tag, line);
		return;
	}
	e->flags |= *line == 'k' ? ACKED : *line == 'd' ? REFUSED : RETRIED;
	e->partition = (int32_t)partition;
	e->offset = offset;
}

static void
read_journal(const char *path)
{
	FILE *f = fopen(path, "re");
	struct book *b = NULL;
	char line[256], tag[TAG_MAX];
	long number, from, to;

	if (f == NULL)
		err(2, "%s", path);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "tag %31s", tag) == 1) {
			b = find_book(tag, strlen(tag));
			if (b != NULL)
				errx(2, "%s: tag %s twice", path, tag);
			if (books_count == JOURNALS_MAX)
				errx(2, "too many journals");
			b = &books[books_count++];
			strcpy(b->tag, tag);
		} else if (b == NULL)
			errx(2, "%s: no tag", path);
		else if (sscanf(line, "a %ld %ld %ld", &number, &from, &to) ==
		    3)
			attempt(b, number, from, to);
		else
			note(b, line);
	}
	fclose(f);
}

/* One record that is there. */
static void
see(char *line, size_t len, int64_t *last, int32_t *last_partition, bool dense)
{
	long long partition, offset;
	long number, seq;
	unsigned int sum;
	int at = -1, behind = -1;
	char *tag, *end;
	struct book *b;
	struct writer *w;
	struct event *e;

	if (sscanf(line, "%lld %lld %n", &partition, &offset, &at) != 2 ||
	    at < 0)
		errx(2, "not a record: %s", line);
	if (partition != *last_partition) {
		*last_partition = (int32_t)partition;
		*last = -1;
	}
	if (offset <= *last)
		tell("order: offset %lld behind %lld", offset,
		    (long long)*last);
	else if (dense && offset != *last + 1)
		tell("gap: offset %lld behind %lld", offset, (long long)*last);
	*last = offset;
	tag = line + at;
	end = strchr(tag, ' ');
	b = end == NULL ? NULL : find_book(tag, (size_t)(end - tag));
	if (b == NULL || len < (size_t)at + 9 ||
	    sscanf(end, " %ld %ld %n", &number, &seq, &behind) != 2 ||
	    sscanf(line + len - 8, "%8x", &sum) != 1 ||
	    sum_of(tag, len - 8 - (size_t)at) != sum) {
		tell("forged: offset %lld: %.60s", offset, tag);
		return;
	}
	e = find_event(b, number, seq);
	if (e == NULL || (e->flags & ATTEMPTED) == 0) {
		tell("forged: offset %lld: %s %ld %ld was not attempted",
		    offset, b->tag, number, seq);
		return;
	}
	w = &b->writers[number];
	if ((e->flags & SEEN) != 0 && (e->flags & RETRIED) == 0)
		tell("twice: %s %ld %ld at %lld", b->tag, number, seq, offset);
	if ((e->flags & REFUSED) != 0 && (e->flags & RETRIED) == 0)
		tell("refused: %s %ld %ld at %lld", b->tag, number, seq,
		    offset);
	if (w->last_seq >= seq && w->last_partition == partition &&
	    (e->flags & RETRIED) == 0)
		tell("order: %s %ld: %ld at %lld behind %ld at %lld", b->tag,
		    number, seq, offset, w->last_seq,
		    (long long)w->last_offset);
	w->last_seq = seq;
	w->last_offset = offset;
	w->last_partition = (int32_t)partition;
	if ((e->flags & ACKED) == 0 ||
	    (e->offset == offset && e->partition == partition) ||
	    (e->flags & RETRIED) != 0)
		e->flags |= SEEN;
}

static int
do_judge(int argc, char **argv)
{
	long acked = 0, attempted = 0, seen = 0;
	int32_t last_partition = -1;
	int64_t last = -1;
	bool dense = false, all = false;
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	int c;

	while ((c = getopt(argc, argv, "da")) != -1) {
		if (c != 'd' && c != 'a')
			exit(2);
		*(c == 'd' ? &dense : &all) = true;
	}
	if (optind == argc)
		errx(2, "usage: oracle judge [-d] [-a] JOURNAL... <LINES");
	for (int i = optind; i < argc; i++)
		read_journal(argv[i]);
	while ((len = getline(&line, &cap, stdin)) > 0) {
		if (line[len - 1] == '\n')
			line[--len] = '\0';
		see(line, (size_t)len, &last, &last_partition, dense);
	}
	free(line);
	for (size_t b = 0; b < books_count; b++)
		for (size_t w = 0; w < books[b].count; w++)
			for (size_t i = 0; i < books[b].writers[w].count; i++) {
				const struct event *e =
				    &books[b].writers[w].events[i];
				bool is_acked = (e->flags & ACKED) != 0;
				bool is_seen = (e->flags & SEEN) != 0;

				attempted++;
				acked += is_acked;
				seen += is_seen;
				if (is_acked && !is_seen)
					tell("lost: %s %zu %zu, acknowledged "
					     "as %d %lld",
					    books[b].tag, w, i + 1,
					    (int)e->partition,
					    (long long)e->offset);
				else if (all && !is_seen)
					tell("missing: %s %zu %zu",
					    books[b].tag, w, i + 1);
			}
	printf("%ld attempted, %ld acknowledged, %ld there, %ld wrong\n",
	    attempted, acked, seen, told);
	return told == 0 ? 0 : 1;
}

int
main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "write") == 0)
		return do_write(argc - 1, argv + 1);
	if (argc > 1 && strcmp(argv[1], "judge") == 0)
		return do_judge(argc - 1, argv + 1);
	errx(2, "usage: oracle write|judge ...");
}
