#include "request.h"

#include <event2/buffer.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/now.h"
#include "base/status.h"
#include "client.h"
#include "config.h"
#include "net/budget.h"
#include "net/conn.h"
#include "net/pool.h"
#include "net/slot.h"
#include "net/spare.h"
#include "server.h"

void
request_free(struct request *r)
{
	budget_give(r->server->budget, r->taken);
	client_release(r->client);
	arena_release(&r->arena);
	spare_free(r->frame);
	free(r);
}

/* What is left is its slot, to be answered. */
static struct slot *
request_end(struct request *r)
{
	struct slot *slot = r->slot;

	request_free(r);
	return slot;
}

void
request_fail(struct request *r, int why, const char *what)
{
	slot_fail(request_end(r), why, what);
}

void
request_silent(struct request *r)
{
	slot_no_answer(request_end(r));
}

void *
request_alloc(struct request *r, size_t count, size_t size)
{
	return arena_alloc(&r->arena, count, size);
}

struct bytes
request_copy(struct request *r, const char *s)
{
	size_t len = strlen(s);
	uint8_t *copy = request_alloc(r, len + 1, 1);

	if (copy == NULL)
		return bytes_of("");
	memcpy(copy, s, len);
	return (struct bytes){copy, (int32_t)len};
}

struct bytes
request_keep(struct request *r, struct bytes b)
{
	uint8_t *copy;

	if (b.len <= 0)
		return b;
	copy = request_alloc(r, (size_t)b.len, 1);
	if (copy == NULL)
		return bytes_of("");
	memcpy(copy, b.data, (size_t)b.len);
	return (struct bytes){copy, b.len};
}

void *
request_grow(struct request *r, void *items, int32_t count, int32_t *cap,
    size_t size)
{
	int32_t room = *cap == 0 ? 16 : *cap * 2;
	void *more;

	if (count < *cap)
		return items;
	more = request_alloc(r, (size_t)room, size);
	if (more == NULL)
		return NULL;
	if (count > 0)
		memcpy(more, items, (size_t)count * size);
	*cap = room;
	return more;
}

/* --- the answer ----------------------------------------------------------- */

/*
 * The encoded bytes, and where they were cut the parts of files.  All
 * descriptors are taken or closed, whatever comes of it.
 */
static int
assemble(struct server *s, struct evbuffer *out, const struct buf *b,
    const struct wire_cuts *cuts)
{
	size_t at = 0;
	int rc = 0;

	for (size_t i = 0; i < cuts->count; i++) {
		const struct wire_records *r = cuts->cuts[i].records;

		if (rc == 0)
			rc = conn_buffer_add(out, b->data + at,
			    cuts->cuts[i].at - at);
		at = cuts->cuts[i].at;
		if (rc == 0)
			rc = conn_buffer_add_file(out, r->fd, r->pos,
			    (size_t)r->len, &s->files);
		else
			close(r->fd);
	}
	return rc == 0 ? conn_buffer_add(out, b->data + at, b->len - at) : rc;
}

/* Without files the bytes are not copied again. */
static int
hand_over(struct request *r, struct evbuffer *out, struct buf *b)
{
	int rc =
	    conn_buffer_add_memory(out, r->server->budget, b->data, b->len);

	if (rc == 0)
		b->data = NULL;
	return rc;
}

static int
encode(struct request *r, struct buf *b, struct wire_cuts *cuts)
{
	bool flexible = r->api->key != API_VERSIONS &&
	    api_is_flexible(r->api, r->header.version);
	int rc = wire_response_encode(b, flexible, r->header.correlation);

	if (rc == 0)
		rc = wire_encode(r->api->response, r->header.version,
		    r->response, b, cuts);
	return rc;
}

/* The answer's bytes, or why there are none. */
static int
make_answer(struct request *r, struct evbuffer **answer)
{
	struct evbuffer *out = conn_buffer();
	struct wire_cuts cuts = {NULL, 0, 0};
	struct buf b;
	int rc = out == NULL ? ENOMEM : 0;

	buf_init(&b, CONFIG_ANSWER_BYTES);
	if (rc == 0)
		rc = encode(r, &b, &cuts);
	if (rc == 0)
		rc = cuts.count == 0 ? hand_over(r, out, &b)
				     : assemble(r->server, out, &b, &cuts);
	else
		for (size_t i = 0; i < cuts.count; i++)
			close(cuts.cuts[i].records->fd);
	wire_cuts_release(&cuts);
	buf_release(&b);
	if (rc == 0) {
		atomic_fetch_add(&r->server->answer_bytes,
		    evbuffer_get_length(out));
		*answer = out;
	} else if (out != NULL) {
		evbuffer_free(out);
	}
	return rc;
}

static void
answer_slot(struct slot *slot, int rc, struct evbuffer *answer)
{
	if (rc == 0)
		slot_answer(slot, answer);
	else
		slot_fail(slot, rc, "the answer cannot be made");
}

void
request_send(struct request *r)
{
	struct evbuffer *answer = NULL;
	int rc = make_answer(r, &answer);

	answer_slot(r->slot, rc, answer);
	r->slot = NULL;
}

void
request_answer(struct request *r)
{
	struct evbuffer *answer = NULL;
	int rc = make_answer(r, &answer);

	answer_slot(request_end(r), rc, answer);
}

/* --- the beginning -------------------------------------------------------- */

/* ApiVersions of a version to come: say which we have (KIP-511). */
static void
refuse_version(struct request *r)
{
	struct evbuffer *out = conn_buffer();
	struct buf b;

	buf_init(&b, 64);
	if (out == NULL ||
	    api_versions_refusal(&b, r->header.correlation) != 0 ||
	    evbuffer_add(out, b.data, b.len) != 0) {
		buf_release(&b);
		if (out != NULL)
			evbuffer_free(out);
		request_fail(r, ENOMEM, "no memory");
		return;
	}
	buf_release(&b);
	slot_answer(request_end(r), out);
}

static int
read_message(struct request *r, struct view *v)
{
	void *message = request_alloc(r, 1, r->api->request->body->size);
	bool flexible = api_is_flexible(r->api, r->header.version);
	int rc;

	r->response = request_alloc(r, 1, r->api->response->body->size);
	if (message == NULL || r->response == NULL)
		return ENOMEM;
	rc = wire_request_decode(v, flexible, &r->header);
	if (rc == 0)
		rc = wire_decode(r->api->request, r->header.version, v,
		    &r->arena, message);
	r->message = message;
	wire_defaults(r->api->response, r->response);
	return rc;
}

struct request *
request_begin(struct server *s, struct client *c, struct slot *slot,
    uint8_t *frame, size_t len)
{
	struct request *r = calloc(1, sizeof(*r));
	struct view v = {frame, len};
	int rc;

	if (r == NULL) {
		spare_free(frame);
		slot_fail(slot, ENOMEM, "no memory");
		return NULL;
	}
	r->server = s;
	r->client = client_retain(c);
	r->slot = slot;
	r->frame = frame;
	r->came_ms = now_mono_ms();
	arena_init(&r->arena, CONFIG_ARENA_BYTES);
	rc = wire_request_peek(v, &r->header);
	if (rc == 0)
		r->api = api_find(r->header.key);
	if (r->api != NULL && !server_offers(s, r->api))
		r->api = NULL;
	if (rc == 0 && r->api != NULL && r->api->key == API_VERSIONS &&
	    !api_is_served(r->api, r->header.version)) {
		refuse_version(r);
		return NULL;
	}
	if (rc == 0 &&
	    (r->api == NULL || !api_is_served(r->api, r->header.version))) {
		request_fail(r, STATUS_UNSUPPORTED,
		    "an API or a version that is not offered");
		return NULL;
	}
	if (rc == 0)
		rc = read_message(r, &v);
	r->taken = r->arena.total;
	budget_add(s->budget, r->taken);
	if (rc != 0) {
		request_fail(r, rc, "a malformed request");
		return NULL;
	}
	return r;
}

bool
request_is_vain(const struct request *r)
{
	return slot_is_dead(r->slot);
}

static void
run(void *arg)
{
	struct request *r = arg;

	r->act(r);
}

void
request_defer(struct request *r, void (*act)(struct request *r))
{
	r->act = act;
	task_init(&r->task, run, r);
	pool_run(r->server->pool, &r->task);
}
