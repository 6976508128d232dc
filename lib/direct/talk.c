#include "direct/talk.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/now.h"
#include "base/status.h"
#include "direct/dial.h"
#include "direct/login.h"
#include "direct/trouble.h"
#include "kafka/error.h"
#include "kafka/messages.h"
#include "net/addr.h"

enum {
	NAME_LEN = ADDR_HOST_MAX + 16,
	/* A frame's memory grows with what has come of it, by this at least. */
	FRAME_STEP = 64 << 10,
	KAFKA_PORT = 9092,
	VERSIONS_FIRST = 3,	/* of ApiVersions; what is tried first */
};

static const char closed[] = "the broker closed the connection";

struct pending {
	int16_t key;
	int16_t version;
	int32_t correlation;
};

struct talk {
	const struct talk_options *o;
	struct dial *dial;
	char name[NAME_LEN];
	int16_t min[API_COUNT_MAX];	/* of the broker, by api_number() */
	int16_t max[API_COUNT_MAX];	/* -1: it has it not */
	int32_t correlation;		/* of the last request */
	struct pending pending[TALK_PENDING_MAX]; /* a ring */
	size_t first;
	size_t count;
	struct buf request;
	uint8_t size[4];		/* of the frame that is coming */
	size_t size_len;
	size_t need;			/* its bytes, behind the size */
	struct buf frame;
	struct talk_options own;
};

const char *
talk_name(const struct talk *t)
{
	return t->name;
}

int
talk_fd(const struct talk *t)
{
	return dial_fd(t->dial);
}

size_t
talk_pending(const struct talk *t)
{
	return t->count;
}

int
talk_version(const struct talk *t, enum api_key key, int max)
{
	const struct api *a = api_find((int16_t)key);
	size_t n = api_number(a);
	int version = a->request->max;

	if (version > max)
		version = max;
	if (version > t->max[n])
		version = t->max[n];
	return version < a->request->min || version < t->min[n] ? -1 : version;
}

void
talk_answer_init(struct talk_answer *a)
{
	*a = (struct talk_answer){.key = -1};
	arena_init(&a->arena, TALK_ARENA_MAX);
}

void
talk_answer_release(struct talk_answer *a)
{
	arena_release(&a->arena);
	buf_release(&a->frame);
	a->key = -1;
}

/* --- requests ------------------------------------------------------------- */

static int
write_all(struct talk *t, const uint8_t *data, size_t len, struct fault *f)
{
	int64_t deadline_ms = now_mono_ms() + t->o->timeout_ms;
	size_t done;
	int rc = 0;

	while (rc == 0 && len > 0) {
		rc = dial_write(t->dial, data, len, &done, f);
		if (rc == EAGAIN) {
			rc = dial_wait(t->dial, deadline_ms);
			continue;
		}
		data += done;
		len -= done;
	}
	if (rc == 0 || rc == STATUS_CLUSTER)
		return rc;
	return trouble(f, STATUS_CLUSTER, t->name, "%s",
	    rc == STATUS_TIMEOUT                  ? "it takes no request"
		: rc == EPIPE || rc == ECONNRESET ? closed
						  : status_text(rc));
}

static int
encode(struct talk *t, const struct api *a, int version, const void *request)
{
	struct wire_request header = {.key = a->key,
	    .version = (int16_t)version,
	    .correlation = t->correlation,
	    .client_id = bytes_of(login_client_id(t->o->login))};
	struct buf *b = &t->request;
	int rc;

	b->len = 0;
	rc = buf_add_32(b, 0);
	if (rc == 0)
		rc = wire_request_encode(b,
		    api_is_flexible(a, (int16_t)version), &header);
	if (rc == 0)
		rc = wire_encode(a->request, version, request, b, NULL);
	if (rc == 0)
		buf_put_32(b->data, (uint32_t)(b->len - 4));
	return rc;
}

int
talk_send_in(struct talk *t, enum api_key key, int version, const void *request,
    struct fault *f)
{
	const struct api *a = api_find((int16_t)key);
	size_t last = (t->first + t->count) % TALK_PENDING_MAX;
	int rc;

	assert(t->count < TALK_PENDING_MAX);
	if (version < 0)
		return trouble(f, STATUS_CLUSTER, t->name,
		    "the broker has no version of %s that is known here",
		    a->name);
	/* Overflow wraps, and 0 is as good as any. */
	t->correlation = (int32_t)((uint32_t)t->correlation + 1) & INT32_MAX;
	rc = encode(t, a, version, request);
	if (rc == ENOMEM)
		return rc;
	if (rc != 0)
		return trouble(f, STATUS_CLUSTER, t->name,
		    "a request of %s cannot be made: %s", a->name,
		    status_text(rc));
	t->pending[last] =
	    (struct pending){a->key, (int16_t)version, t->correlation};
	t->count++;
	return write_all(t, t->request.data, t->request.len, f);
}

int
talk_send(struct talk *t, enum api_key key, const void *request,
    struct fault *f)
{
	return talk_send_in(t, key, talk_version(t, key, INT16_MAX), request,
	    f);
}

/* --- answers -------------------------------------------------------------- */

static int
garbled(struct talk *t, const char *what, struct fault *f)
{
	const struct api *a = api_find(t->pending[t->first].key);

	return trouble(f, STATUS_CLUSTER, t->name,
	    "its answer to %s is not one: %s", a->name, what);
}

/* The length of what is to come. */
static int
take_size(struct talk *t, struct fault *f)
{
	uint32_t size = buf_get_32(t->size);

	/* An alert of TLS: 21, 3, ... */
	if (t->size[0] == 21 && t->size[1] == 3)
		return trouble(f, STATUS_CLUSTER, t->name,
		    "the broker speaks TLS (kafka+tls://)");
	if (size > t->frame.max)
		return trouble(f, STATUS_CLUSTER, t->name,
		    "an answer of %lld bytes, over the limit of %zu",
		    (long long)(int32_t)size, t->frame.max);
	t->need = size;
	t->frame.len = 0;
	return 0;
}

/* A piece of the frame.  EAGAIN; STATUS_END: nothing is missing. */
static int
read_piece(struct talk *t, struct fault *f)
{
	struct buf *b = &t->frame;
	size_t done, len;
	int rc;

	if (t->size_len < sizeof(t->size)) {
		rc = dial_read(t->dial, t->size + t->size_len,
		    sizeof(t->size) - t->size_len, &done, f);
		if (rc != 0)
			return rc == STATUS_END ? EPIPE : rc;
		t->size_len += done;
		return t->size_len == sizeof(t->size) ? take_size(t, f) : 0;
	}
	if (b->len == t->need)
		return STATUS_END;
	len = b->len < FRAME_STEP ? FRAME_STEP : b->len;
	if (len > t->need - b->len)
		len = t->need - b->len;
	rc = buf_reserve(b, len);
	if (rc != 0)
		return rc;
	rc = dial_read(t->dial, b->data + b->len, len, &done, f);
	b->len += done;
	return rc == STATUS_END ? EPIPE : rc;
}

static int
decode(struct talk *t, const struct pending *p, struct talk_answer *a,
    void *response, struct fault *f)
{
	const struct api *api = api_find(p->key);
	struct view v = {a->frame.data, a->frame.len};
	int version = p->version;
	bool flexible =
	    p->key != API_VERSIONS && api_is_flexible(api, p->version);
	int32_t correlation;
	int rc = wire_response_decode(&v, flexible, &correlation);

	if (rc == 0 && correlation != p->correlation)
		return garbled(t, "it is to another request", f);
	/* Of a version that it has not, it says so in version 0. */
	if (rc == 0 && p->key == API_VERSIONS && v.len >= 2 &&
	    buf_get_16(v.data) == KAFKA_UNSUPPORTED_VERSION)
		version = 0;
	if (rc == 0)
		rc = wire_decode(api->response, version, &v, &a->arena,
		    response);
	if (rc == 0 && v.len > 0)
		return garbled(t, "bytes are left over", f);
	if (rc == ENOMEM)
		return rc;
	return rc == 0 ? 0 : garbled(t, status_text(rc), f);
}

/* The frame is whole. */
static int
take_frame(struct talk *t, struct talk_answer *a, void *response,
    struct fault *f)
{
	struct pending p = t->pending[t->first];
	struct buf old = a->frame;
	int rc;

	arena_release(&a->arena);
	a->key = p.key;
	a->version = p.version;
	a->frame = t->frame;
	t->frame = old;
	t->frame.max = t->own.answer_max;
	t->frame.len = 0;
	t->size_len = 0;
	rc = decode(t, &p, a, response, f);
	t->first = (t->first + 1) % TALK_PENDING_MAX;
	t->count--;
	return rc;
}

int
talk_try(struct talk *t, struct talk_answer *a, void *response, struct fault *f)
{
	int rc;

	assert(t->count > 0);
	do {
		rc = read_piece(t, f);
	} while (rc == 0);
	if (rc == STATUS_END)
		return take_frame(t, a, response, f);
	if (rc == EAGAIN || rc == ENOMEM || rc == STATUS_CLUSTER)
		return rc;
	return trouble(f, STATUS_CLUSTER, t->name, "%s",
	    rc == EPIPE || rc == ECONNRESET ? closed : status_text(rc));
}

int
talk_receive(struct talk *t, struct talk_answer *a, void *response,
    struct fault *f)
{
	int64_t deadline_ms = now_mono_ms() + t->o->timeout_ms;
	int rc;

	while ((rc = talk_try(t, a, response, f)) == EAGAIN) {
		rc = dial_wait(t->dial, deadline_ms);
		if (rc == STATUS_TIMEOUT)
			return trouble(f, STATUS_CLUSTER, t->name,
			    "no answer within %lld ms",
			    (long long)t->o->timeout_ms);
		if (rc != 0)
			return trouble(f, STATUS_CLUSTER, t->name, "%s",
			    status_text(rc));
	}
	return rc;
}

int
talk_call(struct talk *t, enum api_key key, const void *request,
    struct talk_answer *a, void *response, struct fault *f)
{
	int rc;

	assert(t->count == 0);
	rc = talk_send(t, key, request, f);
	return rc == 0 ? talk_receive(t, a, response, f) : rc;
}

/* --- opening -------------------------------------------------------------- */

static int
ask_versions(struct talk *t, int version, struct talk_answer *a,
    struct api_versions_response *r, struct fault *f)
{
	struct api_versions_request q;
	int rc;

	wire_defaults(&messages_api_versions_request, &q);
	q.client_software_name = bytes_of("logkit");
	q.client_software_version = bytes_of("1");
	rc = talk_send_in(t, API_VERSIONS, version, &q, f);
	return rc == 0 ? talk_receive(t, a, r, f) : rc;
}

static void
note_versions(struct talk *t, const struct api_versions_response *r)
{
	for (int32_t i = 0; i < r->api_keys_count; i++) {
		const struct api *a = api_find(r->api_keys[i].api_key);

		if (a == NULL)
			continue;
		t->min[api_number(a)] = r->api_keys[i].min_version;
		t->max[api_number(a)] = r->api_keys[i].max_version;
	}
}

static int
agree(struct talk *t, struct talk_answer *a, struct fault *f)
{
	struct api_versions_response r;
	int rc = ask_versions(t, VERSIONS_FIRST, a, &r, f);

	if (rc == 0 && r.error_code == KAFKA_UNSUPPORTED_VERSION) {
		/* KIP-511: it says what it has. */
		note_versions(t, &r);
		rc = ask_versions(t,
		    t->max[api_number(api_find(API_VERSIONS))] < 0
			? 0
			: talk_version(t, API_VERSIONS, VERSIONS_FIRST),
		    a, &r, f);
	}
	if (rc == 0 && r.error_code != 0)
		return trouble(f, STATUS_CLUSTER, t->name, "%s",
		    error_text(r.error_code));
	if (rc == 0)
		note_versions(t, &r);
	return rc;
}

static int
begin(struct talk *t, struct fault *f)
{
	struct talk_answer a;
	int rc;

	talk_answer_init(&a);
	rc = agree(t, &a, f);
	talk_answer_release(&a);
	return rc == 0 ? login_run(t->o->login, t, f) : rc;
}

int
talk_open(const struct talk_options *o, const char *host, uint16_t port,
    struct talk **out, struct fault *f)
{
	struct talk *t = calloc(1, sizeof(*t));
	int rc;

	if (t == NULL)
		return ENOMEM;
	t->own = *o;
	t->o = &t->own;
	if (t->own.answer_max == 0)
		t->own.answer_max = TALK_ANSWER_MAX;
	snprintf(t->name, sizeof(t->name),
	    strchr(host, ':') != NULL ? "[%s]:%u" : "%s:%u", host, port);
	buf_init(&t->request, TALK_REQUEST_MAX);
	buf_init(&t->frame, t->own.answer_max);
	memset(t->max, -1, sizeof(t->max));
	rc = dial_open(host, port, o->login, now_mono_ms() + o->timeout_ms,
	    &t->dial, f);
	if ((rc == STATUS_CLUSTER || rc == EACCES) && f != NULL)
		strlcpy(f->file, t->name, sizeof(f->file));
	if (rc == 0)
		rc = begin(t, f);
	if (rc != 0) {
		talk_close(t);
		return rc;
	}
	*out = t;
	return 0;
}

int
talk_open_any(const struct talk_options *o, const char *brokers,
    struct talk **out, struct fault *f)
{
	struct talk_options part = *o;
	char *copy = strdup(brokers), *rest = copy, *broker;
	int64_t until_ms = now_mono_ms() + o->timeout_ms;
	struct addr_name name;
	const char *what;
	int rc = ENOMEM, left = 1;

	for (const char *c = brokers; *c != '\0'; c++)
		left += *c == ',';
	while (
	    rc != 0 && rc != EACCES && (broker = strsep(&rest, ",")) != NULL) {
		part.timeout_ms = (until_ms - now_mono_ms()) / left--;
		if (part.timeout_ms < 1)
			part.timeout_ms = 1;
		rc = addr_parse(broker, KAFKA_PORT, &name, &what);
		if (rc != 0)
			rc = trouble(f, STATUS_CLUSTER, broker, "%s", what);
		else
			rc = talk_open(&part, name.host, name.port, out, f);
	}
	if (rc == 0)
		(*out)->own.timeout_ms = o->timeout_ms;
	free(copy);
	return rc;
}

void
talk_close(struct talk *t)
{
	if (t == NULL)
		return;
	dial_close(t->dial);
	buf_release(&t->request);
	buf_release(&t->frame);
	free(t);
}
