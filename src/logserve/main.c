/*
 * logserve: a directory of topics, in Kafka's protocol.
 */

#include <sys/stat.h>
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/cli.h"
#include "base/io.h"
#include "base/parse.h"
#include "base/status.h"
#include "config.h"
#include "life.h"
#include "replicate/trust.h"
#include "server.h"
#include "store/root.h"
#include "store/topic.h"
#include "tell.h"

enum {
	OPTION_ADVERTISE = 256,
	OPTION_AUTO_CREATE,
	OPTION_CHECK_CONFIG,
	OPTION_EPHEMERAL,
	OPTION_MEMORY,
	OPTION_METRICS,
	OPTION_READ_ONLY,
	OPTION_READY_FD,
	OPTION_REPLICA_SECRET,
	OPTION_SCRUB,
	OPTION_THREADS,
};

static const struct cli_option options[] = {
    {'l', "listen", "HOST:PORT", "listen there (localhost:9092); repeatable"},
    {OPTION_ADVERTISE, "advertise", "HOST:PORT", "what clients are told"},
    {OPTION_AUTO_CREATE, "auto-create", "N|no",
	"make missing topics with N partitions (1)"},
    {OPTION_CHECK_CONFIG, "check-config", NULL,
	"say what is wrong with options and root, and exit"},
    {OPTION_EPHEMERAL, "ephemeral", NULL,
	"a root of its own, removed at the end, and a free port"},
    {OPTION_MEMORY, "memory", "SIZE",
	"at most so much for requests and answers (256M)"},
    {OPTION_METRICS, "metrics", "HOST:PORT",
	"figures for monitoring: http://HOST:PORT/metrics"},
    {OPTION_READ_ONLY, "read-only", NULL, "refuse everything that changes"},
    {OPTION_READY_FD, "ready-fd", "N",
	"write the address there when clients may connect"},
    {OPTION_REPLICA_SECRET, "replica-secret", "FILE",
	"take copies from logreplicate that knows what is in FILE"},
    {OPTION_SCRUB, "scrub", "SIZE",
	"check stored segments at so much a second (10M); 0: not"},
    {OPTION_THREADS, "threads", "N", "loops (one per processor)"},
    {0, NULL, NULL, NULL},
};

static const struct cli_option *const tables[] = {options, NULL};

static const struct cli_program program = {
    "[OPTION]... ROOT | --ephemeral [OPTION]... [-- COMMAND [ARG]...]",
    "Serve the topics in a directory to Kafka's clients.",
    tables,
};

static int64_t
number(int id, int64_t min, int64_t max)
{
	int64_t n;

	if (parse_int(cli_arg, min, max, &n) != 0)
		cli_usage("%s %s: not a number from %lld to %lld",
		    cli_option_name(&program, id), cli_arg, (long long)min,
		    (long long)max);
	return n;
}

static void
add_address(struct config *c)
{
	struct addr_name name;
	const char *what;

	if (addr_parse(cli_arg, CONFIG_PORT, &name, &what) != 0)
		cli_usage("%s: %s", cli_arg, what);
	if (c->listen_count == CONFIG_LISTEN_MAX)
		cli_usage("more than %d addresses", CONFIG_LISTEN_MAX);
	c->listen[c->listen_count++] = cli_arg;
}

static void
set_advertise(struct config *c)
{
	struct addr_name name;
	const char *what;

	if (addr_parse(cli_arg, CONFIG_PORT, &name, &what) != 0)
		cli_usage("%s: %s", cli_arg, what);
	if (name.is_unix || name.host[0] == '\0' || name.port == 0)
		cli_usage("%s: not an address to connect to", cli_arg);
	c->advertise = cli_arg;
}

static void
set_metrics(struct config *c)
{
	struct addr_name name;
	const char *what;

	if (addr_parse(cli_arg, -1, &name, &what) != 0)
		cli_usage("%s: %s", cli_arg, what);
	if (name.is_unix)
		cli_usage("%s: not HOST:PORT", cli_arg);
	c->metrics = cli_arg;
}

static void
set_memory(struct config *c)
{
	int64_t bytes;

	if (parse_size(cli_arg, &bytes) != 0 || bytes < CONFIG_MEMORY_MIN)
		cli_usage("--memory %s: not a size of at least %dM", cli_arg,
		    CONFIG_MEMORY_MIN >> 20);
	c->memory = (size_t)bytes;
}

static void
set_scrub(struct config *c)
{
	if (parse_size(cli_arg, &c->scrub) != 0)
		cli_usage("--scrub %s: not a size", cli_arg);
}

static void
set_option(struct config *c, int id)
{
	switch (id) {
	case 'l':
		add_address(c);
		break;
	case OPTION_ADVERTISE:
		set_advertise(c);
		break;
	case OPTION_AUTO_CREATE:
		c->auto_create = strcmp(cli_arg, "no") == 0
		    ? 0
		    : (int32_t)number(id, 1, PARTITIONS_MAX);
		break;
	case OPTION_CHECK_CONFIG:
		c->check_only = true;
		break;
	case OPTION_EPHEMERAL:
		c->ephemeral = true;
		break;
	case OPTION_MEMORY:
		set_memory(c);
		break;
	case OPTION_METRICS:
		set_metrics(c);
		break;
	case OPTION_READ_ONLY:
		c->read_only = true;
		break;
	case OPTION_READY_FD:
		c->ready_fd = (int)number(id, 0, 65535);
		break;
	case OPTION_REPLICA_SECRET:
		c->secret = cli_arg;
		break;
	case OPTION_SCRUB:
		set_scrub(c);
		break;
	case OPTION_THREADS:
		c->threads = (int)number(id, 1, CONFIG_THREADS_MAX);
		break;
	}
}

static void
read_options(struct config *c, int argc, char **argv)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	int id;

	*c = (struct config){.auto_create = 1,
	    .ready_fd = -1,
	    .memory = CONFIG_MEMORY_BYTES,
	    .scrub = CONFIG_SCRUB_RATE,
	    .threads = processors < 1             ? 1
		: processors > CONFIG_THREADS_MAX ? CONFIG_THREADS_MAX
						  : (int)processors};
	while ((id = cli_next(&program, argc, argv)) != -1)
		set_option(c, id);
	if (c->ephemeral)
		c->command = argc > cli_operand ? argv + cli_operand : NULL;
	else if (argc - cli_operand != 1)
		cli_usage(
		    argc == cli_operand ? "no root" : "more than one root");
	else
		c->root = argv[cli_operand];
	if (c->listen_count == 0)
		c->listen[c->listen_count++] =
		    c->ephemeral ? "localhost:0" : "localhost:9092";
}

/* What can be told without serving. */
static int
check_config(const struct config *c)
{
	struct trust_secret secret;
	char path[PATH_MAX];
	struct stat st;
	const char *why;
	int rc;

	if (c->secret != NULL) {
		rc = trust_read(c->secret, &secret, &why);
		if (rc != 0)
			errx(CLI_FAIL, "%s: %s", c->secret,
			    why != NULL ? why : status_text(rc));
	}
	if (c->root == NULL)
		return CLI_DONE;
	if (stat(c->root, &st) != 0)
		err(CLI_FAIL, "%s", c->root);
	if (!S_ISDIR(st.st_mode))
		errc(CLI_FAIL, ENOTDIR, "%s", c->root);
	if (access(c->root, c->read_only ? R_OK | X_OK : R_OK | W_OK | X_OK) !=
	    0)
		err(CLI_FAIL, "%s", c->root);
	snprintf(path, sizeof(path), "%s/%s", c->root, TOPIC_FILE);
	if (access(path, F_OK) == 0)
		errx(CLI_FAIL, "%s: a topic, not a directory of topics",
		    c->root);
	return CLI_DONE;
}

static size_t
count_topics(const char *root)
{
	char path[PATH_MAX];
	struct root_list list;
	size_t count = 0;

	if (root_read(root, &list) != 0)
		return 0;
	for (size_t i = 0; i < list.count; i++) {
		snprintf(path, sizeof(path), "%s/%s/%s", root, list.names[i],
		    TOPIC_FILE);
		count += access(path, F_OK) == 0;
	}
	root_list_release(&list);
	return count;
}

/* With a command, its own messages are what one wants to see. */
static bool
is_silent(const struct config *c)
{
	return c->command != NULL && cli_verbose == 0;
}

static void
tell_start(const struct config *c)
{
	struct tell t;

	if (is_silent(c))
		return;
	tell_begin(&t, "start");
	tell_text(&t, "root", c->root);
	tell_number(&t, "topics", (int64_t)count_topics(c->root));
	tell_number(&t, "threads", c->threads);
	tell_end(&t);
}

/* The line of one key and one value. */
static void
tell_one(const struct config *c, const char *what, const char *key,
    const char *value)
{
	struct tell t;

	if (is_silent(c))
		return;
	tell_begin(&t, what);
	tell_text(&t, key, value);
	tell_end(&t);
}

/*
 * Taken before anything is opened: a descriptor that is not there now would
 * soon be one of ours.
 */
static void
check_ready_fd(const struct config *c)
{
	if (c->ready_fd >= 0 && fcntl(c->ready_fd, F_SETFD, FD_CLOEXEC) != 0)
		err(CLI_FAIL, "--ready-fd %d", c->ready_fd);
}

static void
tell_ready(const struct config *c, const char *address)
{
	char line[ADDR_TEXT_MAX + 1];
	int rc;

	life_notify("READY=1");
	tell_one(c, "ready", "address", address);
	if (c->ready_fd < 0)
		return;
	snprintf(line, sizeof(line), "%s\n", address);
	rc = io_write_full(c->ready_fd, line, strlen(line));
	if (rc != 0)
		warnc(rc, "--ready-fd %d", c->ready_fd);
	close(c->ready_fd);
}

/* Before there are threads, so that none of them takes one. */
static void
block_signals(sigset_t *waited)
{
	sigemptyset(waited);
	sigaddset(waited, SIGTERM);
	sigaddset(waited, SIGINT);
	sigaddset(waited, SIGHUP);
	sigaddset(waited, SIGCHLD);
	sigaddset(waited, SIGPIPE);
	sigprocmask(SIG_BLOCK, waited, NULL);
	/* Ignored, as it may have been inherited, it would never come. */
	signal(SIGCHLD, SIG_DFL);
	sigdelset(waited, SIGPIPE);
}

/*
 * Until a signal says to end, or the command has.  Topics and their settings
 * are looked at with each request, so all that HUP asks for is upkeep.
 */
static int
wait_for_end(struct server *s, const sigset_t *waited, pid_t pid)
{
	int signal, status;

	for (;;) {
		sigwait(waited, &signal);
		if (signal == SIGCHLD && pid > 0 &&
		    waitpid(pid, &status, WNOHANG) == pid)
			return life_status(status);
		if (signal == SIGHUP)
			server_look(s);
		if (signal != SIGTERM && signal != SIGINT)
			continue;
		if (pid <= 0) {
			tell_one(s->config, "stop", "signal",
			    signal == SIGTERM ? "TERM" : "INT");
			return CLI_DONE;
		}
		kill(pid, signal);
	}
}

/* *clean: no thread is left. */
static int
serve(const struct config *c, bool *clean)
{
	/* What is left outlasts this call. */
	static struct server server;
	char address[ADDR_TEXT_MAX];
	sigset_t waited;
	pid_t pid = -1;
	int status;

	block_signals(&waited);
	tell_start(c);
	status = server_open(&server, c);
	if (status != CLI_DONE)
		return c->command != NULL ? LIFE_FAIL : status;
	server_address(&server, address);
	tell_ready(c, address);
	if (c->command != NULL)
		status = life_run(c->command, address, &pid);
	if (status == CLI_DONE)
		status = wait_for_end(&server, &waited, pid);
	life_notify("STOPPING=1");
	*clean = server_close(&server);
	return status;
}

int
main(int argc, char **argv)
{
	struct config config;
	char *temporary = NULL;
	bool clean = true;
	int status;

	cli_start(argv);
	read_options(&config, argc, argv);
	check_ready_fd(&config);
	if (config.check_only)
		return check_config(&config);
	if (config.ephemeral)
		config.root = temporary = life_temporary();
	status = serve(&config, &clean);
	if (temporary != NULL)
		life_remove(temporary);
	if (!clean)
		_exit(status);
	return status;
}
