#include "server.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/cli.h"
#include "base/now.h"
#include "base/status.h"
#include "broker/fetch_sessions.h"
#include "catalog.h"
#include "deadlines.h"
#include "dispatch.h"
#include "groups.h"
#include "metrics.h"
#include "net/budget.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/pool.h"
#include "net/session.h"
#include "replicate/trust.h"
#include "request.h"
#include "scrubbing.h"
#include "tell.h"
#include "upkeep.h"
#include "waiting.h"

static const struct session_limits default_limits = {
    .frame_min = 8,
    .frame_max = CONFIG_FRAME_BYTES,
    .idle_ms = CONFIG_IDLE_MS,
    .stall_ms = CONFIG_STALL_MS,
    .requests = CONFIG_REQUESTS,
    .request_bytes = CONFIG_REQUEST_BYTES,
    .output_bytes = CONFIG_OUTPUT_BYTES,
    .patience_ms = CONFIG_PATIENCE_MS,
};

/* --- connections, on their loops ----------------------------------------- */

static void
on_request(void *arg, struct session *session, struct slot *slot,
    uint8_t *frame, size_t len)
{
	struct client *c = arg;
	struct request *r = request_begin(c->server, c, slot, frame, len);

	(void)session;
	atomic_fetch_add(&c->server->request_bytes, len);
	if (r == NULL)
		return;
	atomic_fetch_add(&c->server->requests[api_number(r->api)], 1);
	dispatch_run(r);
}

/* What went wrong is told; that a client goes is not. */
static void
on_close(void *arg, int why, const char *what)
{
	struct client *c = arg;
	struct server *s = c->server;
	struct tell t;

	if (why != 0 && why != STATUS_SHORT && cli_verbose > 0) {
		tell_begin(&t, "closed");
		tell_text(&t, "client", c->peer);
		tell_text(&t, "why", status_text(why));
		tell_text(&t, "what", what);
		tell_end(&t);
	}
	TAILQ_REMOVE(&s->clients[c->loop], c, entry);
	c->session = NULL;
	client_release(c);
	listener_left(s->listener);
}

static const struct session_handler handler = {on_request, on_close};

static void
on_accepted(void *arg, size_t at, int fd, const struct addr *peer)
{
	struct server *s = arg;
	struct client *c = client_new(s);

	if (c == NULL) {
		close(fd);
		listener_left(s->listener);
		return;
	}
	c->loop = at;
	addr_text(peer, c->peer);
	(void)addr_of_socket(fd, &c->local);
	if (session_open(s->loops[at], fd, &s->limits, &handler, c,
		&c->session) != 0) {
		client_release(c);
		listener_left(s->listener);
		return;
	}
	TAILQ_INSERT_TAIL(&s->clients[at], c, entry);
}

/* --- what clients are told ------------------------------------------------ */

static bool
is_any(const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	addr_text(a, text);
	return strncmp(text, "0.0.0.0:", 8) == 0 ||
	    strncmp(text, "[::]:", 5) == 0;
}

static void
split(const char *text, char host[ADDR_HOST_MAX + 1], int32_t *port)
{
	struct addr_name name;
	const char *what;

	host[0] = '\0';
	*port = -1;
	if (addr_parse(text, CONFIG_PORT, &name, &what) != 0)
		return;
	strlcpy(host, name.is_unix ? "localhost" : name.host,
	    ADDR_HOST_MAX + 1);
	*port = name.is_unix ? CONFIG_PORT : name.port;
}

/* The end that a client came to is one that it can reach. */
void
server_advertised(const struct server *s, const struct client *c,
    char host[ADDR_HOST_MAX + 1], int32_t *port)
{
	char text[ADDR_TEXT_MAX];

	if (s->config->advertise != NULL) {
		split(s->config->advertise, host, port);
		return;
	}
	addr_text(&c->local, text);
	split(text, host, port);
}

void
server_address(const struct server *s, char text[ADDR_TEXT_MAX])
{
	struct addr a;
	int port;

	text[0] = '\0';
	if (!listener_address(s->listener, 0, &a))
		return;
	addr_text(&a, text);
	port = addr_port(&a);
	if (is_any(&a))
		snprintf(text, ADDR_TEXT_MAX, "localhost:%d", port);
}

bool
server_offers(const struct server *s, const struct api *a)
{
	return a->served && (a->key != API_REPLICATE || s->secret != NULL);
}

/* --- its life ------------------------------------------------------------- */

static int
fail(const char *what, int rc, const char *more)
{
	warnx("%s: %s", what, more != NULL ? more : status_text(rc));
	return CLI_FAIL;
}

/*
 * Ids of producers are unique over restarts and over copies of directories:
 * they begin at a random place (2^47 of them, 2^16 each).
 */
static int
choose_ids(struct server *s)
{
	uint64_t base;

	if (getrandom(&base, sizeof(base), 0) != sizeof(base))
		return -1;
	s->producer_base = (int64_t)(base >> 1 & ~UINT64_C(0xffff));
	return 0;
}

static int
listen_on(struct server *s)
{
	size_t inherited = 0;
	struct addr_name name;
	const char *what = NULL;
	int rc = listener_inherit(s->listener, &inherited);

	if (rc != 0)
		return fail("inherited sockets", rc, NULL);
	if (inherited > 0)
		return CLI_DONE;
	for (size_t i = 0; i < s->config->listen_count; i++) {
		rc =
		    addr_parse(s->config->listen[i], CONFIG_PORT, &name, &what);
		if (rc == 0)
			rc = listener_add(s->listener, &name, &what);
		if (rc != 0)
			return fail(s->config->listen[i], rc, what);
	}
	return CLI_DONE;
}

/* So many descriptors are the most for one purpose. */
static size_t
quarter_of_files(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur > SIZE_MAX)
		return SIZE_MAX / 4;
	return (size_t)r.rlim_cur / 4;
}

/*
 * At most so many logs for a quarter of the descriptors: of those that have
 * files open, and besides of those that a thread is at work on.
 */
size_t
server_logs_max(size_t max)
{
	size_t logs = quarter_of_files() / CONFIG_LOG_FILES;

	return logs > max ? max : logs < 2 ? 2 : logs;
}

static int
open_metrics(struct server *s)
{
	char address[ADDR_TEXT_MAX];
	const char *what;
	struct tell t;
	int rc = metrics_open(s, s->config->metrics, &s->metrics, &what);

	if (rc != 0)
		return fail(s->config->metrics, rc, what);
	metrics_address(s->metrics, address);
	tell_begin(&t, "metrics");
	tell_text(&t, "address", address);
	tell_end(&t);
	return CLI_DONE;
}

static int
open_home(struct server *s)
{
	const char *root = s->config->root;
	int rc = home_open(root, s->config->read_only, &s->home);
	char path[PATH_MAX];

	if (rc != STATUS_SYNTAX)
		return rc == 0 ? CLI_DONE : fail(root, rc, NULL);
	snprintf(path, sizeof(path), "%s/%s", root, CLUSTER_ID_DIR);
	return fail(path, rc, "cluster.properties has no cluster.id");
}

/* What replicas have to know, too. */
static int
read_secret(struct server *s)
{
	const char *why;
	int rc;

	if (s->config->secret == NULL)
		return CLI_DONE;
	s->secret = calloc(1, sizeof(*s->secret));
	if (s->secret == NULL)
		return fail(s->config->secret, ENOMEM, NULL);
	rc = trust_read(s->config->secret, s->secret, &why);
	if (rc == 0)
		return CLI_DONE;
	free(s->secret);
	return fail(s->config->secret, rc, why);
}

static int
open_parts(struct server *s)
{
	const struct config *c = s->config;
	struct listener_options options = {.loops = s->loops,
	    .connections_max = CONFIG_CONNECTIONS,
	    .accepted = on_accepted,
	    .arg = s};
	int rc = budget_open(c->memory, &s->budget);

	if (rc == 0)
		rc = pool_open(server_logs_max(CONFIG_POOL_THREADS), 10000,
		    &s->pool);
	for (int i = 0; rc == 0 && i < c->threads; i++) {
		TAILQ_INIT(&s->clients[i]);
		rc = loop_open(&s->loops[i]);
		if (rc == 0)
			s->loop_count++;
	}
	if (rc == 0)
		rc = waiting_open(s->loops[0], s->pool, &s->waiting);
	if (rc == 0)
		rc = deadlines_open(s->loops[0], s->pool, &s->deadlines);
	if (rc != 0)
		return fail("threads", rc, NULL);
	s->limits = default_limits;
	s->limits.budget = s->budget;
	s->files_max = quarter_of_files();
	if (open_home(s) != CLI_DONE)
		return CLI_FAIL;
	rc = catalog_open(c->root, c->read_only,
	    server_logs_max(CONFIG_OPEN_LOGS), s->pool, s->waiting,
	    &s->catalog);
	if (rc != 0)
		return fail(c->root, rc, NULL);
	s->sessions = fetch_sessions_new(&fetch_sessions_defaults);
	if (s->sessions == NULL)
		return fail("fetch sessions", ENOMEM, NULL);
	rc = group_table_open(s, &s->groups);
	if (rc != 0)
		return fail("groups", rc, NULL);
	if (!c->read_only)
		rc = upkeep_open(s, &s->upkeep);
	if (rc != 0)
		return fail("upkeep", rc, NULL);
	rc = scrubbing_open(s, &s->scrubbing);
	if (rc != 0)
		return fail("scrubbing", rc, NULL);
	options.loop_count = s->loop_count;
	rc = listener_open(&options, &s->listener);
	return rc == 0 ? CLI_DONE : fail("sockets", rc, NULL);
}

void
server_look(struct server *s)
{
	upkeep_look(s->upkeep);
}

struct drain {
	struct server *server;
	size_t loop;
	int64_t deadline_ms;
	bool empty;
};

static void
drain_loop(void *arg)
{
	struct drain *d = arg;
	struct client *c, *next;

	TAILQ_FOREACH_SAFE(c, &d->server->clients[d->loop], entry, next)
		session_drain(c->session, d->deadline_ms);
}

static void
look_at_loop(void *arg)
{
	struct drain *d = arg;

	d->empty = TAILQ_EMPTY(&d->server->clients[d->loop]);
}

/* Those that are left after the deadline are closed by their sessions. */
static void
drain_clients(struct server *s)
{
	struct drain d = {.server = s, .deadline_ms = CONFIG_DRAIN_MS};

	for (d.loop = 0; d.loop < s->loop_count; d.loop++)
		loop_call(s->loops[d.loop], drain_loop, &d);
	for (d.loop = 0; d.loop < s->loop_count; d.loop++)
		for (d.empty = false; !d.empty;) {
			loop_call(s->loops[d.loop], look_at_loop, &d);
			if (!d.empty)
				usleep(1000);
		}
}

static void
end(struct server *s)
{
	upkeep_stop(s->upkeep);
	if (s->waiting != NULL)
		waiting_stop(s->waiting);
	if (s->groups != NULL)
		group_table_stop(s->groups);
	/* Who comes from now on would not be told to go. */
	metrics_close(s->metrics);
	listener_close(s->listener);
	drain_clients(s);
	scrubbing_close(s->scrubbing);
	deadlines_stop(s->deadlines);
	pool_close(s->pool);
	atomic_store(&s->over, true);
	upkeep_close(s->upkeep);
	group_table_close(s->groups);
	fetch_sessions_free(s->sessions);
	pthread_mutex_destroy(&s->sessions_lock);
	catalog_close(s->catalog);
	deadlines_close(s->deadlines);
	waiting_close(s->waiting);
	for (size_t i = 0; i < s->loop_count; i++)
		loop_close(s->loops[i]);
	budget_close(s->budget);
	if (s->secret != NULL)
		explicit_bzero(s->secret, sizeof(*s->secret));
	free(s->secret);
}

int
server_open(struct server *s, const struct config *config)
{
	int status, rc;

	memset(s, 0, sizeof(*s));
	s->config = config;
	s->start_ms = now_wall_ms();
	pthread_mutex_init(&s->sessions_lock, NULL);
	if (choose_ids(s) != 0)
		return fail("random numbers", STATUS_FAILED, NULL);
	if (read_secret(s) != CLI_DONE)
		return CLI_FAIL;
	status = open_parts(s);
	if (status == CLI_DONE)
		status = listen_on(s);
	if (status == CLI_DONE && config->metrics != NULL)
		status = open_metrics(s);
	if (status == CLI_DONE) {
		rc = listener_start(s->listener);
		if (rc != 0)
			status = fail("sockets", rc, NULL);
	}
	if (status != CLI_DONE)
		end(s);
	return status;
}

static void *
end_aside(void *arg)
{
	end(arg);
	return NULL;
}

static void
tell_busy(const char *path)
{
	struct tell t;

	tell_begin(&t, "given up");
	tell_text(&t, "path", path);
	tell_error(&t);
}

bool
server_close(struct server *s)
{
	const int64_t ms = CONFIG_DRAIN_MS + CONFIG_END_MS;
	struct timespec until;
	pthread_t thread;

	if (pthread_create(&thread, NULL, end_aside, s) != 0) {
		end(s);
		return true;
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) == 0)
		return true;
	/* Once it is over the topics go. */
	if (atomic_load(&s->over))
		tell_busy(s->config->root);
	else
		catalog_each_busy(s->catalog, tell_busy);
	return false;
}
