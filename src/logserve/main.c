/*
 * logserve: a directory of topics, in Kafka's protocol.
 */

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/cli.h"
#include "base/io.h"
#include "base/parse.h"
#include "config.h"
#include "server.h"

enum {
	OPTION_ADVERTISE = 256,
	OPTION_AUTO_CREATE,
	OPTION_READ_ONLY,
	OPTION_READY_FD,
	OPTION_THREADS,
};

static const struct cli_option options[] = {
    {'l', "listen", "HOST:PORT", "listen there (localhost:9092); repeatable"},
    {OPTION_ADVERTISE, "advertise", "HOST:PORT", "what clients are told"},
    {OPTION_AUTO_CREATE, "auto-create", "N|no",
	"make missing topics with N partitions (1)"},
    {OPTION_READ_ONLY, "read-only", NULL, "refuse everything that changes"},
    {OPTION_READY_FD, "ready-fd", "N",
	"write the address there when clients may connect"},
    {OPTION_THREADS, "threads", "N", "loops (one per processor)"},
    {0, NULL, NULL, NULL},
};

static const struct cli_option *const tables[] = {options, NULL};

static const struct cli_program program = {
    "[OPTION]... ROOT",
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
	case OPTION_READ_ONLY:
		c->read_only = true;
		break;
	case OPTION_READY_FD:
		c->ready_fd = (int)number(id, 0, 65535);
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
	    .threads = processors < 1			   ? 1
		: processors > CONFIG_THREADS_MAX ? CONFIG_THREADS_MAX
						  : (int)processors};
	while ((id = cli_next(&program, argc, argv)) != -1)
		set_option(c, id);
	if (argc - cli_operand != 1)
		cli_usage(argc == cli_operand ? "no root"
					      : "more than one root");
	c->root = argv[cli_operand];
	if (c->listen_count == 0)
		c->listen[c->listen_count++] = "localhost:9092";
}

static void
tell_ready(const struct config *c, const struct server *s)
{
	char text[ADDR_TEXT_MAX + 1];
	int rc;

	if (c->ready_fd < 0)
		return;
	server_address(s, text);
	strlcat(text, "\n", sizeof(text));
	rc = io_write_full(c->ready_fd, text, strlen(text));
	if (rc != 0)
		errc(CLI_FAIL, rc, "--ready-fd %d", c->ready_fd);
	close(c->ready_fd);
}

int
main(int argc, char **argv)
{
	struct config config;
	struct server server;
	sigset_t signals;
	int status, signal;

	cli_start(argv);
	read_options(&config, argc, argv);
	/* Before there are threads, so that none of them takes one. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigaddset(&signals, SIGPIPE);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	sigdelset(&signals, SIGPIPE);
	status = server_open(&server, &config);
	if (status != CLI_DONE)
		return status;
	tell_ready(&config, &server);
	do
		sigwait(&signals, &signal);
	while (signal == SIGHUP);
	server_close(&server);
	return CLI_DONE;
}
