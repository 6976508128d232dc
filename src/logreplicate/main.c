/*
 * logreplicate: the same log somewhere else.
 *
 * Two of these work together, one at each end: this one, and a child of it or,
 * on another host, one that ssh runs (serve.c).  One sends, one receives.
 */

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/now.h"
#include "base/parse.h"
#include "base/status.h"
#include "peer.h"
#include "replicate/disk_sink.h"
#include "replicate/disk_source.h"
#include "serve.h"
#include "session.h"
#include "store/root.h"
#include "store/topic.h"

/* A connection that lasts so long has worked. */
enum { WORKED_MS = 60000 };

enum {
	OPT_RSH = 256,
	OPT_REMOTE_PATH,
	OPT_ON_DIVERGE,
	OPT_CLEANUP,
	OPT_GROUPS,
	OPT_BWLIMIT,
	OPT_IO_TIMEOUT,
	OPT_STATS,
	OPT_INCLUDE,
	OPT_EXCLUDE,
	OPT_SERVER,
	OPT_ONLY,
	OPT_UNDER,
};

static const struct cli_option options[] = {
    {'f', "follow", NULL, "go on with what is appended, until stopped"},
    {'p', "partition", "LIST", "these partitions only: 0,2,5-7"},
    {'n', "dry-run", NULL, "change nothing, print what would be done"},
    {OPT_STATS, "stats", NULL, "print what was done"},
    {OPT_GROUPS, "groups", NULL, "copy the positions of groups, too"},
    {OPT_ON_DIVERGE, "on-diverge", "HOW",
	"fail or truncate: what DST has and SRC has not (fail)"},
    {OPT_CLEANUP, "cleanup", "HOW",
	"own settings of DST or mirror what SRC deletes (own)"},
    {OPT_INCLUDE, "include", "GLOB", "of a root, these topics"},
    {OPT_EXCLUDE, "exclude", "GLOB", "of a root, not these topics"},
    {OPT_BWLIMIT, "bwlimit", "SIZE", "bytes a second at most"},
    {OPT_IO_TIMEOUT, "io-timeout", "DUR",
	"give up a connection that was silent for so long (2m)"},
    {OPT_RSH, "rsh", "CMD", "remote shell and its options (ssh)"},
    {OPT_REMOTE_PATH, "remote-path", "PATH", "logreplicate on the other host"},
    {OPT_SERVER, "server", NULL, "serve another on stdin and stdout"},
    {OPT_ONLY, "only", "MODE", "with --server: only send or only receive"},
    {OPT_UNDER, "under", "DIR", "with --server: only what is below DIR"},
    {0, NULL, NULL, NULL},
};

static const struct cli_option *const tables[] = {options, NULL};

static const struct cli_program program = {
    "[OPTION]... SRC DST",
    "Make DST hold the same record batches as SRC, at the same offsets.\n"
    "A place is PATH, HOST:PATH or ssh://[USER@]HOST[:PORT]/PATH: a topic, or\n"
    "a directory of topics.",
    tables,
};

static struct {
	struct request request;
	const char *rsh;
	const char *remote_path;
	bool stats;
	bool server;
	struct serve_limits limits;
	struct peer_place src, dst;
	const char *name;	/* of the topic, where it has no other */
} opt = {.rsh = "ssh", .remote_path = "logreplicate"};

static struct peer *listening;	/* to, whenever there is time */

/* --- options -------------------------------------------------------------- */

static void
add_pattern(char sign, const char *glob)
{
	char pattern[TOPIC_NAME_MAX + 64];

	if (snprintf(pattern, sizeof(pattern), "%c%s", sign, glob) >=
		(int)sizeof(pattern) ||
	    request_add_pattern(&opt.request, pattern) != 0)
		cli_usage("%s: too long, or too many patterns", glob);
}

/* One of two words. */
static bool
choose(const char *option, const char *no, const char *yes)
{
	if (strcmp(cli_arg, yes) == 0)
		return true;
	if (strcmp(cli_arg, no) != 0)
		cli_usage("--%s %s: not %s or %s", option, cli_arg, no, yes);
	return false;
}

static void
set_server_option(int id)
{
	switch (id) {
	case OPT_SERVER:
		opt.server = true;
		break;
	case OPT_ONLY:
		(void)choose("only", "send", "receive");
		opt.limits.only = cli_arg;
		break;
	case OPT_UNDER:
		opt.limits.under = cli_arg;
		break;
	default:
		break;
	}
}

static void
set_option(int id)
{
	struct request *r = &opt.request;

	switch (id) {
	case 'f':
		r->follow = true;
		break;
	case 'p':
		if (parse_partitions(cli_arg, &r->partitions) != 0)
			cli_usage("-p %s: not a list of partitions", cli_arg);
		r->partitions_text = cli_arg;
		break;
	case 'n':
		r->dry_run = true;
		break;
	case OPT_STATS:
		opt.stats = true;
		break;
	case OPT_GROUPS:
		r->groups = true;
		break;
	case OPT_ON_DIVERGE:
		r->cut = choose("on-diverge", "fail", "truncate");
		break;
	case OPT_CLEANUP:
		r->mirror = choose("cleanup", "own", "mirror");
		break;
	case OPT_INCLUDE:
		add_pattern('+', cli_arg);
		break;
	case OPT_EXCLUDE:
		add_pattern('-', cli_arg);
		break;
	case OPT_BWLIMIT:
		if (parse_size(cli_arg, &r->rate) != 0 || r->rate < 1)
			cli_usage("--bwlimit %s: not a size", cli_arg);
		break;
	case OPT_IO_TIMEOUT:
		if (parse_duration(cli_arg, &r->timeout_ms) != 0 ||
		    r->timeout_ms < REQUEST_TIMEOUT_MS_MIN ||
		    r->timeout_ms > REQUEST_TIMEOUT_MS_MAX)
			cli_usage("--io-timeout %s: not a duration from 1s to "
				  "1d",
			    cli_arg);
		break;
	case OPT_RSH:
		opt.rsh = cli_arg;
		break;
	case OPT_REMOTE_PATH:
		opt.remote_path = cli_arg;
		break;
	default:
		set_server_option(id);
		break;
	}
}

static void
parse_place(const char *s, struct peer_place *out)
{
	const char *why;

	if (strstr(s, "://") != NULL && strncmp(s, "ssh://", 6) != 0)
		cli_usage("%s: not a place that logreplicate knows", s);
	if (!peer_parse(s, out, &why))
		cli_usage("%s: %s", s, why);
}

/* The last part of a path, where it names anything. */
static const char *
last_part(const char *path)
{
	static char name[256];
	size_t len = strlen(path), start;

	while (len > 1 && path[len - 1] == '/')
		len--;
	for (start = len; start > 0 && path[start - 1] != '/'; start--)
		continue;
	snprintf(name, sizeof(name), "%.*s", (int)(len - start), path + start);
	return name;
}

static void
take_operands(int count, char **operand)
{
	if (count != 2)
		cli_usage("wanted: SRC and DST");
	parse_place(operand[0], &opt.src);
	parse_place(operand[1], &opt.dst);
	if (opt.src.remote && opt.dst.remote)
		cli_usage("only one of SRC and DST may be on another host");
	opt.name = last_part(opt.src.path);
}

/* --- what is told --------------------------------------------------------- */

static void
told(void *arg, const struct report *r)
{
	char what[320];
	const char *topic = r->topic[0] != '\0' ? r->topic : opt.name;

	(void)arg;
	if (r->partition >= 0)
		snprintf(what, sizeof(what), "%s/%d", topic, (int)r->partition);
	else
		snprintf(what, sizeof(what), "%s", topic);
	if (r->kind == REPORT_REFUSED) {
		warnx("%s: %s", what, r->text);
	} else if (r->kind == REPORT_CUT) {
		cli_warn("%s: cut from offset %lld on, kept in lost+found/",
		    what, (long long)r->from);
	} else if (r->from < r->to &&
	    (opt.request.dry_run || cli_verbose > 0)) {
		printf("%s: offsets %lld to %lld", what, (long long)r->from,
		    (long long)r->to - 1);
		if (!opt.request.dry_run)
			printf(", %lld bytes", (long long)r->bytes);
		printf("\n");
		(void)fflush(stdout);
	}
}

static void
progress(int64_t bytes)
{
	if (listening != NULL)
		peer_listen(listening);
	cli_progress(bytes, -1, "B");
}

/* --- one run -------------------------------------------------------------- */

static struct request asked;	/* of the other end */

static void
request_other_end(void)
{
	asked = opt.request;
	asked.send = opt.src.remote;
	strlcpy(asked.path, opt.src.remote ? opt.src.path : opt.dst.path,
	    sizeof(asked.path));
}

static int
serve_child(int in, int out)
{
	static const struct serve_limits any;

	return serve(in, out, &any);
}

static int
begin_peer(struct peer *p)
{
	const struct peer_place *place = opt.src.remote ? &opt.src : &opt.dst;

	if (place->remote)
		return peer_ssh(p, place, opt.rsh, opt.remote_path);
	return peer_fork(p, serve_child);
}

static int
fail_local(struct session *s, const char *path, int rc, const struct fault *f)
{
	char why[600];

	report_reason(rc, f, why, sizeof(why));
	snprintf(s->text, sizeof(s->text), "%s", why);
	if (f->file[0] == '\0')
		warnx("%s: %s", path, why);
	else
		warnx("%s", why);
	session_tell(s, report_status(rc), why);
	s->text[0] = '\0';
	return report_status(rc);
}

static int
push(struct session *s, struct source *src)
{
	struct sender_options o = {.follow = opt.request.follow,
	    .groups = opt.request.groups,
	    .dry_run = opt.request.dry_run,
	    .reporter = {told, NULL}};
	int status = session_ask(s, &asked);

	s->link.rate = opt.request.rate;
	return status == CLI_DONE ? session_send(s, src, &o) : status;
}

static int
push_from_disk(struct session *s)
{
	struct disk_source_options o = {.partitions =
					    opt.request.partitions.count > 0
		? &opt.request.partitions
		: NULL,
	    .patterns = opt.request.patterns,
	    .follow = opt.request.follow};
	struct source_topic first;
	struct fault f = {.file = ""};
	struct source *src;
	int status, rc = disk_source_open(opt.src.path, &o, &src, &f);

	if (rc == 0)
		rc = src->ops->topic(src, 0, &first, &f);
	if (rc != 0)
		return fail_local(s, opt.src.path, rc, &f);
	asked.named = first.name[0] != '\0';
	status = push(s, src);
	src->ops->close(src);
	return status;
}

/* Is it a directory that is no topic, and so one of topics? */
static bool
is_root(const char *path)
{
	struct topic_place place;
	struct root_list l;
	int rc = topic_locate(path, &place, NULL);

	if (rc == 0)
		topic_place_close(&place);
	if (rc != STATUS_NOT_TOPIC || root_read(path, &l) != 0)
		return false;
	root_list_release(&l);
	return true;
}

static int
pull_to_disk(struct session *s)
{
	struct disk_sink_options o = {.dry_run = opt.request.dry_run};
	struct receiver_options ro = {.cut = opt.request.cut,
	    .mirror = opt.request.mirror,
	    .dry_run = opt.request.dry_run,
	    .named = is_root(opt.dst.path),
	    .reporter = {told, NULL}};
	struct fault f = {.file = ""};
	struct sink *sink;
	int status, rc = disk_sink_open(opt.dst.path, &o, &sink);

	if (rc != 0)
		return fail_local(s, opt.dst.path, rc, &f);
	status = session_ask(s, &asked);
	if (status == CLI_DONE)
		status = session_receive(s, sink, &ro);
	sink->ops->close(sink);
	return status;
}

static void
print_stats(const struct session *s, int64_t began_ms)
{
	double seconds = (double)(now_mono_ms() - began_ms) / 1000;

	printf("%lld bytes in %.3f s", (long long)s->bytes, seconds);
	if (seconds > 0)
		printf(", %.1f MB/s", (double)s->bytes / seconds / 1e6);
	if (s->cut > 0)
		printf("; %lld partitions cut", (long long)s->cut);
	printf("\n");
}

/* Why there was no conversation, as far as ssh or the shell there say it. */
static void
explain(struct session *s, const struct peer *p, int peer_status)
{
	if (p->host == NULL)
		return;
	if (peer_status == 127)
		snprintf(s->text, sizeof(s->text),
		    "no %s there (--remote-path says where it is)",
		    opt.remote_path);
	else if (peer_status != 0 && p->line[0] != '\0')
		snprintf(s->text, sizeof(s->text), "%s", p->line);
}

/*
 * *lost: the connection was, which another one may make good.  *worked: until
 * then it did.
 */
static int
run_once(bool *lost, bool *worked)
{
	int64_t began_ms = now_mono_ms();
	bool silent;
	struct session s;
	struct peer p;
	int status, peer_status, rc = begin_peer(&p);

	if (rc == 0)
		rc = session_open(&s, p.in, p.out);
	if (rc != 0) {
		warnc(rc, "%s", opt.rsh);
		return CLI_FAIL;
	}
	if (asked.timeout_ms > 0)
		link_set_timeout(&s.link, asked.timeout_ms);
	s.progress = progress;
	listening = &p;
	status = session_greet(&s);
	p.relay = s.greeted;
	if (status == CLI_DONE)
		status = opt.src.remote ? pull_to_disk(&s) : push_from_disk(&s);
	silent = !s.greeted && s.link.input.len == 0;
	session_close(&s);
	cli_progress_end();
	listening = NULL;
	peer_status = peer_end(&p, s.dead ? 0 : s.link.dead_ms);
	if (silent)
		explain(&s, &p, peer_status);
	*lost = s.text[0] != '\0' && status == CLI_FAIL;
	*worked = s.bytes > 0 || now_mono_ms() - began_ms > WORKED_MS;
	if (s.text[0] != '\0')
		warnx("%s: %s", p.host != NULL ? p.host : opt.dst.path, s.text);
	if (opt.stats)
		print_stats(&s, began_ms);
	return status;
}

/* Half to all of a time that doubles up to half a minute. */
static void
pause_before_retry(int tries)
{
	int64_t ms = 500 << (tries < 6 ? tries : 6);
	struct timespec ts;

	if (ms > 30000)
		ms = 30000;
	ms = ms / 2 + (int64_t)arc4random_uniform((uint32_t)(ms / 2 + 1));
	ts = (struct timespec){ms / 1000, ms % 1000 * 1000000};
	cli_warn("once more in %.1f s", (double)ms / 1000);
	(void)nanosleep(&ts, NULL);
}

static int
run(void)
{
	bool lost, worked;
	int status;

	for (int tries = 0;; tries++) {
		lost = worked = false;
		status = run_once(&lost, &worked);
		if (!opt.request.follow || !lost)
			return status;
		if (worked)
			tries = 0;
		pause_before_retry(tries);
	}
}

int
main(int argc, char **argv)
{
	int id, status;

	cli_start(argv);
	request_init(&opt.request);
	while ((id = cli_next(&program, argc, argv)) != -1)
		set_option(id);
	if (opt.server)
		return serve(STDIN_FILENO, STDOUT_FILENO, &opt.limits);
	take_operands(argc - cli_operand, argv + cli_operand);
	(void)signal(SIGPIPE, SIG_IGN);
	request_other_end();
	status = run();
	request_release(&opt.request);
	cli_close_stdout();
	return status;
}
