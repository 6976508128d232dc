#include "options.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cli.h"
#include "base/now.h"
#include "base/parse.h"
#include "base/status.h"
#include "store/topic.h"
#include "tool/message.h"

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

struct options opt = {.rsh = "ssh", .remote_path = "logreplicate"};

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
	snprintf(opt.dst.host, sizeof(opt.dst.host), "%.300s",
	    opt.reproduce ? s : opt.to.brokers);
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
	opt.other = operand[opt.src.remote ? 0 : 1];
	opt.name = last_part(opt.src.path);
}

void
options_parse(int argc, char **argv)
{
	int id;

	request_init(&opt.request);
	places_init(&opt.places);
	while ((id = cli_next(&program, argc, argv)) != -1)
		set_option(id);
	if (!opt.server)
		take_operands(argc - cli_operand, argv + cli_operand);
}

void
options_release(void)
{
	request_release(&opt.request);
	login_free(opt.login);
	places_release(&opt.places);
}
