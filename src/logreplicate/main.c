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
#include "client/place.h"
#include "direct/cluster_source.h"
#include "direct/login.h"
#include "peer.h"
#include "replicate/disk_sink.h"
#include "replicate/disk_source.h"
#include "reproduce.h"
#include "serve.h"
#include "session.h"
#include "telling.h"
#include "store/root.h"
#include "store/topic.h"
#include "tool/message.h"
#include "tool/places.h"
#include "tunnel.h"

/* A connection that lasts so long has worked. */
enum { WORKED_MS = 60000 };

enum {
	OPT_RSH = 256,
	OPT_REMOTE_PATH,
	OPT_CHECKSUM,
	OPT_ON_DIVERGE,
	OPT_CLEANUP,
	OPT_GROUPS,
	OPT_BWLIMIT,
	OPT_IO_TIMEOUT,
	OPT_STATS,
	OPT_ITEMIZE,
	OPT_INCLUDE,
	OPT_EXCLUDE,
	OPT_REPLICA_SECRET,
	OPT_REPRODUCE,
	OPT_SERVER,
	OPT_ONLY,
	OPT_UNDER,
};

static const struct cli_option options[] = {
    {'f', "follow", NULL, "go on with what is appended, until stopped"},
    {'p', "partition", "LIST", "these partitions only: 0,2,5-7"},
    {'o', "offset", "RANGE", "where a copy that is new begins: N, -N, @TIME"},
    {'S', "since", "TIME", "the same: the first record from that time on"},
    {'n', "dry-run", NULL, "change nothing, print what would be done"},
    {OPT_ITEMIZE, "itemize", NULL, "print each change, as -n would"},
    {OPT_STATS, "stats", NULL, "print what was done"},
    {OPT_GROUPS, "groups", NULL, "copy the positions of groups, too"},
    {OPT_CHECKSUM, "checksum", NULL,
	"compare every batch that DST has, not only the last"},
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
    {OPT_REPLICA_SECRET, "replica-secret", "FILE",
	"DST is a logserve that knows what is in FILE, too"},
    {OPT_REPRODUCE, "reproduce", NULL,
	"DST is another cluster: send the records to it again"},
    {OPT_SERVER, "server", NULL, "serve another on stdin and stdout"},
    {OPT_ONLY, "only", "MODE", "with --server: only send or only receive"},
    {OPT_UNDER, "under", "DIR", "with --server: only what is below DIR"},
    {0, NULL, NULL, NULL},
};

static const struct cli_option *const tables[] = {options, places_options_named,
    places_options_client, NULL};

static const struct cli_program program = {
    "[OPTION]... SRC DST",
    "Make DST hold the same record batches as SRC, at the same offsets.\n"
    "A place is PATH, HOST:PATH or ssh://[USER@]HOST[:PORT]/PATH: a topic, or\n"
    "a directory of topics, or kafka://HOST[:PORT][,HOST...]/[TOPIC].",
    tables,
};

static struct {
	struct request request;
	const char *rsh;
	const char *remote_path;
	bool stats;
	bool itemize;
	bool server;
	struct serve_limits limits;
	struct peer_place src, dst;
	struct place to;	/* DST, if it is a cluster */
	bool is_to_cluster;
	bool reproduce;
	struct place from;	/* SRC, if it is one */
	bool is_from_cluster;
	struct login *login;	/* to SRC */
	const char *secret_file;
	struct trust_secret secret;
	struct places places;
	const char *name;	/* of the topic, where it has no other */
} opt = {.rsh = "ssh", .remote_path = "logreplicate"};

static volatile sig_atomic_t stopped; /* the signal */
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

/* Where to begin; an end a copy has not. */
static void
set_offset(void)
{
	struct range range;

	if (parse_range(cli_arg, now_wall_ms(), cli_utc, &range) != 0)
		cli_usage("-o %s: not a range", cli_arg);
	if (range.has_to)
		cli_usage("-o %s: a copy goes on to the end", cli_arg);
	if (range.from.kind == POSITION_STORED)
		cli_usage("-o stored: nothing is stored here");
	opt.request.from = range.from;
}

static void
set_since(void)
{
	struct position *from = &opt.request.from;

	if (parse_time(cli_arg, now_wall_ms(), cli_utc, &from->n) != 0)
		cli_usage("-S %s: not a time", cli_arg);
	from->kind = POSITION_TIME;
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
set_timeout(struct request *r)
{
	if (parse_duration(cli_arg, &r->timeout_ms) != 0 ||
	    r->timeout_ms < REQUEST_TIMEOUT_MS_MIN ||
	    r->timeout_ms > REQUEST_TIMEOUT_MS_MAX)
		cli_usage("--io-timeout %s: not a duration from 1s to 1d",
		    cli_arg);
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
	case 'o':
		set_offset();
		break;
	case 'S':
		set_since();
		break;
	case 'n':
		r->dry_run = true;
		break;
	case OPT_STATS:
		opt.stats = true;
		break;
	case OPT_ITEMIZE:
		opt.itemize = true;
		break;
	case OPT_GROUPS:
		r->groups = true;
		break;
	case OPT_CHECKSUM:
		r->checksum = true;
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
		set_timeout(r);
		break;
	case OPT_RSH:
		opt.rsh = cli_arg;
		break;
	case OPT_REMOTE_PATH:
		opt.remote_path = cli_arg;
		break;
	case OPT_REPRODUCE:
		opt.reproduce = true;
		break;
	case OPT_REPLICA_SECRET:
		opt.secret_file = cli_arg;
		break;
	default:
		if (!places_set(&opt.places, id))
			set_server_option(id);
		break;
	}
}

/* What makes a copy, and no more than records, cannot be asked. */
static void
check_reproduce(void)
{
	if (opt.secret_file != NULL)
		cli_usage("--reproduce does not go with --replica-secret");
	if (opt.request.groups)
		cli_usage("--groups does not go with --reproduce: offsets are "
			  "others there");
	if (opt.request.cut)
		cli_usage("--on-diverge does not go with --reproduce: what was "
			  "sent cannot be cut");
	if (opt.request.checksum)
		cli_usage("--checksum does not go with --reproduce: batches "
			  "are others there");
	if (opt.request.mirror)
		cli_usage("--cleanup does not go with --reproduce: the cluster "
			  "cleans by its own settings");
}

static void
read_secret(const char *s)
{
	const char *why;
	int rc;

	if (opt.secret_file == NULL)
		cli_usage("%s: --replica-secret FILE if it is a logserve, "
			  "--reproduce if it is another cluster",
		    s);
	rc = trust_read(opt.secret_file, &opt.secret, &why);
	if (rc != 0)
		errx(CLI_FAIL, "%s: %s", opt.secret_file,
		    why != NULL ? why : status_text(rc));
}

/* The user's properties for kafka://, once. */
static void
load_settings(void)
{
	static bool loaded;
	struct fault f = {.file = ""};
	int rc = loaded
	    ? 0
	    : settings_load(&opt.places.settings, opt.places.config, &f);

	if (rc != 0)
		exit(message_warn("--config", rc, &f));
	loaded = true;
}

/* SRC is kafka://. */
static void
parse_source_cluster(const char *s)
{
	struct fault f = {.file = ""};
	int rc;

	places_parse(s, &opt.from);
	opt.is_from_cluster = true;
	load_settings();
	rc = login_new(&opt.places.settings, &opt.from, &opt.login, &f);
	if (rc != 0)
		exit(message_warn(s, rc, &f));
	strlcpy(opt.src.path,
	    opt.from.topic[0] != '\0' ? opt.from.topic : opt.from.brokers,
	    sizeof(opt.src.path));
}

/* DST is kafka://. */
static void
parse_cluster(const char *s)
{
	places_parse(s, &opt.to);
	opt.is_to_cluster = true;
	if (opt.to.partition >= 0)
		cli_usage("%s: a topic or a cluster; -p says which partitions",
		    s);
	if (opt.reproduce)
		check_reproduce();
	else
		read_secret(s);
	load_settings();
	snprintf(opt.dst.host, sizeof(opt.dst.host), "%.300s", opt.to.brokers);
	strlcpy(opt.dst.path, opt.to.topic[0] != '\0' ? opt.to.topic : "/",
	    sizeof(opt.dst.path));
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
	if (place_is_remote(operand[0]))
		parse_source_cluster(operand[0]);
	else
		parse_place(operand[0], &opt.src);
	if (place_is_remote(operand[1]))
		parse_cluster(operand[1]);
	else if (opt.reproduce || opt.secret_file != NULL)
		cli_usage("%s is for a DST of kafka://",
		    opt.reproduce ? "--reproduce" : "--replica-secret");
	else
		parse_place(operand[1], &opt.dst);
	if (opt.src.remote && (opt.dst.remote || opt.is_to_cluster))
		cli_usage("only one of SRC and DST may be on another host");
	opt.name = last_part(opt.src.path);
}

/* --- what is told --------------------------------------------------------- */

static void
progress(const struct session *s)
{
	if (listening != NULL)
		peer_listen(listening);
	telling_progress(s);
}

/* --- one run -------------------------------------------------------------- */

static struct request asked;	/* of the other end */

/* What SRC is called where the copy is. */
static void
name_source(void)
{
	char host[256] = "", path[PATH_MAX];
	bool away = opt.dst.remote || opt.is_to_cluster;

	if (opt.is_from_cluster) {
		snprintf(asked.source, sizeof(asked.source),
		    "kafka%s://%.2000s/%s", opt.from.tls ? "+tls" : "",
		    opt.from.brokers, opt.from.topic);
		return;
	}
	if (opt.src.remote) {
		snprintf(asked.source, sizeof(asked.source), "%.320s:%.3000s",
		    opt.src.host, opt.src.path);
		return;
	}
	if (realpath(opt.src.path, path) == NULL)
		return;
	if (away && gethostname(host, sizeof(host) - 1) != 0)
		away = false;
	snprintf(asked.source, sizeof(asked.source), "%s%s%.3000s", host,
	    away ? ":" : "", path);
}

static void
request_other_end(void)
{
	asked = opt.request;
	asked.send = opt.src.remote;
	strlcpy(asked.path, opt.src.remote ? opt.src.path : opt.dst.path,
	    sizeof(asked.path));
	name_source();
}

/* A child ends when we do, with what has come over durable. */
static void
ignore_signals(void)
{
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGHUP, SIG_IGN);
}

static int
serve_child(int in, int out)
{
	static const struct serve_limits any;

	ignore_signals();
	return serve(in, out, &any);
}

/* The child by way of which a logserve is reached. */
static int
carry_to_cluster(int in, int out)
{
	const struct tunnel t = {.place = &opt.to,
	    .settings = &opt.places.settings,
	    .secret = &opt.secret,
	    .timeout_ms = opt.places.timeout_ms};

	ignore_signals();
	return tunnel_run(&t, in, out);
}

/* The child that sends to a cluster of any make. */
static int
reproduce_to_cluster(int in, int out)
{
	const struct cluster_sink_options o = {.place = &opt.to,
	    .settings = &opt.places.settings,
	    .timeout_ms = opt.places.timeout_ms,
	    .dry_run = opt.request.dry_run};

	return reproduce(&o, in, out);
}

static int
begin_peer(struct peer *p)
{
	const struct peer_place *place = opt.src.remote ? &opt.src : &opt.dst;

	if (opt.is_to_cluster)
		return peer_fork_host(p, place->host,
		    opt.reproduce ? reproduce_to_cluster : carry_to_cluster);
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
	    .checksum = opt.request.checksum,
	    .from = opt.request.from,
	    .reporter = {telling_report, NULL}};
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

static void
warn_of_settings(const char *topic, const char *text)
{
	cli_warn("%s: its settings are not told: %s", topic, text);
}

/* Another try may find a cluster that this one has not. */
static bool cluster_lost;

static int
push_from_cluster(struct session *s)
{
	struct cluster_source_options o = {.place = &opt.from,
	    .login = opt.login,
	    .timeout_ms = opt.places.timeout_ms,
	    .partitions = opt.request.partitions.count > 0
		? &opt.request.partitions
		: NULL,
	    .patterns = opt.request.patterns,
	    .follow = opt.request.follow,
	    .warn = warn_of_settings};
	struct fault f = {.file = ""};
	struct source *src;
	int status, rc = cluster_source_open(&o, &src, &f);

	cluster_lost = rc == STATUS_CLUSTER;
	if (rc != 0)
		return fail_local(s, opt.src.path, rc, &f);
	asked.named = opt.from.topic[0] == '\0';
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
	    .source = asked.source,
	    .reporter = {telling_report, NULL}};
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

/* Why there was no conversation, as far as ssh or the shell there say it. */
static void
explain(struct session *s, const struct peer *p, int peer_status)
{
	if (p->host == NULL)
		return;
	if (peer_status == 127 && !opt.is_to_cluster)
		snprintf(s->text, sizeof(s->text),
		    "no %s there (--remote-path says where it is)",
		    opt.remote_path);
	else if (peer_status != 0 && p->line[0] != '\0')
		snprintf(s->text, sizeof(s->text), "%s", p->line);
}

static int
replicate(struct session *s)
{
	if (opt.src.remote)
		return pull_to_disk(s);
	return opt.is_from_cluster ? push_from_cluster(s) : push_from_disk(s);
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
	s.stop = &stopped;
	listening = &p;
	status = session_greet(&s);
	if (status == CLI_DONE)
		telling_ready();
	p.relay = s.greeted && !opt.is_to_cluster;
	if (status == CLI_DONE)
		status = replicate(&s);
	silent = !s.greeted && s.link.input.len == 0;
	session_close(&s);
	telling_pause();
	listening = NULL;
	peer_status = peer_end(&p, s.dead ? 0 : s.link.dead_ms);
	/* What carries to a logserve knows best why it has ended. */
	if (silent || (opt.is_to_cluster && s.text[0] != '\0'))
		explain(&s, &p, peer_status);
	*lost = s.text[0] != '\0' && status == CLI_FAIL &&
	    !(opt.is_to_cluster && peer_status == TUNNEL_REFUSED);
	*lost = *lost || cluster_lost;
	*worked = s.bytes > 0 || now_mono_ms() - began_ms > WORKED_MS;
	if (stopped != 0)
		*lost = false;
	else if (s.text[0] != '\0' && s.told)
		warnx("%s", s.text);
	else if (s.text[0] != '\0')
		warnx("%s: %s", p.host != NULL ? p.host : opt.dst.path, s.text);
	if (opt.stats)
		telling_stats(&s, began_ms);
	return status;
}

/* Half to all of a time that doubles up to half a minute. */
static void
pause_before_retry(int tries)
{
	int64_t ms = 500 << (tries < 6 ? tries : 6);
	int64_t until;

	if (ms > 30000)
		ms = 30000;
	ms = ms / 2 + (int64_t)arc4random_uniform((uint32_t)(ms / 2 + 1));
	telling_lost(ms);
	until = now_mono_ms() + ms;
	while (stopped == 0 && (ms = until - now_mono_ms()) > 0) {
		struct timespec ts = {0, 0};

		telling_alive();
		ts.tv_nsec = (ms < 500 ? ms : 500) * 1000000;
		(void)nanosleep(&ts, NULL);
	}
}

static int
run(void)
{
	bool lost, worked;
	int status;

	for (int tries = 0;; tries++) {
		lost = worked = false;
		status = run_once(&lost, &worked);
		if (!opt.request.follow || !lost || stopped != 0)
			return status;
		if (worked)
			tries = 0;
		pause_before_retry(tries);
	}
}

/* End cleanly; a second one does not wait for that. */
static void
on_signal(int signo)
{
	stopped = signo;
}

static void
catch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction act = {.sa_handler = on_signal}, was;

	act.sa_flags = (int)SA_RESETHAND;
	sigemptyset(&act.sa_mask);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		(void)sigaction(signals[i], NULL, &was);
		if (was.sa_handler != SIG_IGN)
			(void)sigaction(signals[i], &act, NULL);
	}
}

/* As if there had been nobody to catch it. */
static void
die_by_signal(void)
{
	telling_stop();
	cli_close_stdout();
	(void)signal(stopped, SIG_DFL);
	(void)raise(stopped);
}

int
main(int argc, char **argv)
{
	int id, status;

	cli_start(argv);
	request_init(&opt.request);
	places_init(&opt.places);
	while ((id = cli_next(&program, argc, argv)) != -1)
		set_option(id);
	if (opt.server)
		return serve(STDIN_FILENO, STDOUT_FILENO, &opt.limits);
	take_operands(argc - cli_operand, argv + cli_operand);
	(void)signal(SIGPIPE, SIG_IGN);
	request_other_end();
	telling_begin(&(struct telling_options){.name = opt.name,
	    .dry_run = opt.request.dry_run,
	    .itemize = opt.itemize,
	    .follow = opt.request.follow});
	catch_signals();
	status = run();
	request_release(&opt.request);
	login_free(opt.login);
	places_release(&opt.places);
	if (stopped != 0)
		die_by_signal();
	cli_close_stdout();
	return status;
}
