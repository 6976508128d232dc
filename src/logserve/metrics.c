#include "metrics.h"

#include <sys/socket.h>

#include <errno.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "kafka/api.h"
#include "net/budget.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/pool.h"
#include "scrubbing.h"
#include "server.h"

enum {
	TIMEOUT_S = 10,
	HEADERS_MAX = 8192,
	BODY_MAX = 1024,
};

struct metrics {
	struct server *server;
	struct evhttp *http;	/* on the first loop */
	struct addr address;
	int fd;			/* http's, once that has it */
	int rc;
};

/* --- figures -------------------------------------------------------------- */

static void
add(struct evbuffer *b, const char *name, const char *type, const char *help,
    uint64_t value)
{
	(void)evbuffer_add_printf(b,
	    "# HELP logserve_%s %s\n# TYPE logserve_%s %s\n"
	    "logserve_%s %" PRIu64 "\n",
	    name, help, name, type, name, value);
}

static void
add_connections(struct evbuffer *b, struct server *s)
{
	struct listener_counters c;

	listener_counters(s->listener, &c);
	add(b, "connections", "gauge", "Connections that are open.",
	    c.connections);
	add(b, "connections_accepted_total", "counter",
	    "Connections that were taken.", c.accepted);
	add(b, "connections_refused_total", "counter",
	    "Connections that were closed, as there were too many.", c.refused);
	add(b, "connections_starved_total", "counter",
	    "Connections that were closed for want of descriptors or memory.",
	    c.starved);
}

static void
add_memory(struct evbuffer *b, struct server *s)
{
	struct budget_counters c;

	budget_counters(s->budget, &c);
	add(b, "memory_bytes", "gauge", "Requests and answers in memory.",
	    c.used);
	add(b, "memory_max_bytes", "gauge", "What --memory says.",
	    s->config->memory);
	add(b, "memory_waiting", "gauge",
	    "Connections that are not read from until there is memory.",
	    c.waiting);
	add(b, "memory_waits_total", "counter", "How often one had to wait.",
	    c.waits);
}

static void
add_requests(struct evbuffer *b, struct server *s)
{
	const char *name = "logserve_requests_total";
	const struct api *api;

	(void)evbuffer_add_printf(b,
	    "# HELP %s Requests that were taken, by API.\n# TYPE %s counter\n",
	    name, name);
	for (size_t i = 0; (api = api_at(i)) != NULL; i++)
		if (server_offers(s, api))
			(void)evbuffer_add_printf(b,
			    "%s{api=\"%s\"} %" PRIuFAST64 "\n", name, api->name,
			    atomic_load(&s->requests[api_number(api)]));
	add(b, "request_bytes_total", "counter", "Bytes of requests.",
	    atomic_load(&s->request_bytes));
	add(b, "answer_bytes_total", "counter", "Bytes of answers.",
	    atomic_load(&s->answer_bytes));
}

static void
add_scrubbing(struct evbuffer *b, struct server *s)
{
	struct scrubbing_counters c;

	scrubbing_counters(s->scrubbing, &c);
	add(b, "scrub_bytes_total", "counter", "Bytes that were checked.",
	    c.bytes);
	add(b, "scrub_segments_total", "counter", "Segments that were checked.",
	    c.segments);
	add(b, "scrub_damaged_total", "counter",
	    "Segments that were found damaged.", c.damaged);
	add(b, "scrub_rounds_total", "counter",
	    "How often all there is was checked.", c.rounds);
}

static void
on_asked(struct evhttp_request *request, void *arg)
{
	struct metrics *m = arg;
	struct server *s = m->server;
	struct evbuffer *b = evbuffer_new();

	if (b == NULL) {
		evhttp_send_error(request, 500, NULL);
		return;
	}
	add_connections(b, s);
	add_requests(b, s);
	add_memory(b, s);
	add_scrubbing(b, s);
	add(b, "threads", "gauge", "Threads that wait for the disk.",
	    pool_threads(s->pool));
	add(b, "threads_wanted", "gauge", "What waits for one of them.",
	    pool_waiting(s->pool));
	add(b, "start_time_seconds", "gauge", "When it began.",
	    (uint64_t)s->start_ms / 1000);
	(void)evhttp_add_header(evhttp_request_get_output_headers(request),
	    "Content-Type", "text/plain; version=0.0.4");
	evhttp_send_reply(request, 200, NULL, b);
	evbuffer_free(b);
}

static void
on_other(struct evhttp_request *request, void *arg)
{
	(void)arg;
	evhttp_send_error(request, HTTP_NOTFOUND, NULL);
}

/* --- its life ------------------------------------------------------------- */

/* The first of the name's addresses that can be had. */
static int
open_socket(struct metrics *m, const char *address, const char **what)
{
	struct addr list[ADDR_LIST_MAX];
	struct addr_name name;
	size_t count = 0;
	int rc = addr_parse(address, -1, &name, what);

	if (rc == 0)
		rc = addr_resolve(&name, list, &count, what);
	for (size_t i = 0; i < count; i++) {
		rc = listener_socket(&list[i], &m->fd);
		if (rc == 0)
			return addr_of_socket(m->fd, &m->address);
	}
	return rc;
}

static void
start(void *arg)
{
	struct metrics *m = arg;

	m->rc = ENOMEM;
	m->http = evhttp_new(loop_base(m->server->loops[0]));
	if (m->http == NULL)
		return;
	evhttp_set_allowed_methods(m->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_timeout(m->http, TIMEOUT_S);
	evhttp_set_max_headers_size(m->http, HEADERS_MAX);
	evhttp_set_max_body_size(m->http, BODY_MAX);
	evhttp_set_gencb(m->http, on_other, m);
	if (evhttp_set_cb(m->http, "/metrics", on_asked, m) != 0 ||
	    evhttp_accept_socket_with_handle(m->http, m->fd) == NULL)
		return;
	m->rc = 0;
	m->fd = -1;
}

static void
stop(void *arg)
{
	struct metrics *m = arg;

	if (m->http != NULL)
		evhttp_free(m->http);
}

int
metrics_open(struct server *s, const char *address, struct metrics **out,
    const char **what)
{
	struct metrics *m = calloc(1, sizeof(*m));
	int rc;

	*what = NULL;
	if (m == NULL)
		return ENOMEM;
	m->server = s;
	m->fd = -1;
	rc = open_socket(m, address, what);
	if (rc == 0) {
		loop_call(s->loops[0], start, m);
		rc = m->rc;
	}
	if (rc != 0) {
		metrics_close(m);
		return rc;
	}
	*out = m;
	return 0;
}

void
metrics_close(struct metrics *m)
{
	if (m == NULL)
		return;
	loop_call(m->server->loops[0], stop, m);
	if (m->fd >= 0)
		close(m->fd);
	free(m);
}

void
metrics_address(const struct metrics *m, char text[ADDR_TEXT_MAX])
{
	addr_text(&m->address, text);
}
