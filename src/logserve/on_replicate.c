/*
 * Replicate: a logreplicate that shares a secret with this server makes the
 * topics of its root replicas of others.
 */

#include "dispatch.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/cli.h"
#include "base/status.h"
#include "catalog.h"
#include "client.h"
#include "kafka/error.h"
#include "net/budget.h"
#include "replica.h"
#include "replicate/frame.h"
#include "replicate/inlet.h"
#include "replicate/report.h"
#include "replicate/trust.h"
#include "request.h"
#include "server.h"
#include "tell.h"

enum replica_state {
	NEW,
	GREETED,
	PROVEN,
	REFUSED,
};

enum {
	STEP_NONCE,
	STEP_PROOF,
	STEP_FRAMES,
	/* Answers to the frames of one request. */
	OUTPUT_BYTES = CONFIG_FRAME_BYTES,
};

struct replica {
	enum replica_state state;
	struct client *client;
	struct trust trust;
	struct inlet *inlet;	/* NULL until it is proven */
	bool is_counted;	/* among the server's */
	bool is_told;		/* what it is to copy */
	size_t taken;		/* of the budget */
};

void
replica_free(struct client *c)
{
	struct replica *rep = c->replica;

	if (rep == NULL)
		return;
	inlet_free(rep->inlet);
	budget_give(c->server->budget, rep->taken);
	if (rep->is_counted)
		atomic_fetch_sub(&c->server->replicas, 1);
	explicit_bzero(&rep->trust, sizeof(rep->trust));
	free(rep);
	c->replica = NULL;
}

/* --- what is told --------------------------------------------------------- */

static void
tell_refused(const struct client *c, const char *why)
{
	struct tell t;

	tell_begin(&t, "replica refused");
	tell_text(&t, "client", c->peer);
	tell_text(&t, "why", why);
	tell_error(&t);
}

/* What went wrong, as the other side is told, too. */
static void
told(void *arg, const struct report *r)
{
	const struct replica *rep = arg;
	const char *topic =
	    r->topic[0] != '\0' ? r->topic : inlet_path(rep->inlet);
	struct tell t;

	if (r->kind != REPORT_CUT && r->kind != REPORT_REFUSED)
		return;
	tell_begin(&t,
	    r->kind == REPORT_CUT ? "replica cut" : "replica failed");
	if (r->partition < 0)
		tell_text(&t, "topic", topic);
	else
		tell_partition(&t, topic, r->partition);
	if (r->kind == REPORT_CUT)
		tell_number(&t, "offset", r->from);
	tell_text(&t, "why", r->kind == REPORT_CUT ? NULL : r->text);
	tell_error(&t);
}

static void
tell_begun(struct replica *rep)
{
	struct tell t;

	if (rep->is_told || inlet_path(rep->inlet)[0] == '\0')
		return;
	rep->is_told = true;
	tell_begin(&t, "replica");
	tell_text(&t, "client", rep->client->peer);
	tell_text(&t, "path", inlet_path(rep->inlet));
	tell_end(&t);
}

static void
tell_ended(struct replica *rep)
{
	struct tell t;

	tell_begin(&t, "replica ended");
	tell_text(&t, "client", rep->client->peer);
	tell_text(&t, "path", inlet_path(rep->inlet));
	tell_number(&t, "bytes", inlet_bytes(rep->inlet));
	if (inlet_text(rep->inlet)[0] != '\0')
		tell_text(&t, "why", inlet_text(rep->inlet));
	tell_end(&t);
}

/* --- steps ---------------------------------------------------------------- */

static void
refuse(struct request *r, struct replica *rep, int code, const char *why)
{
	struct replicate_response *out = r->response;

	rep->state = REFUSED;
	out->error_code = (int16_t)code;
	out->error_message = bytes_of(why);
	tell_refused(r->client, why);
	request_answer(r);
}

static struct view
view_of(struct bytes b)
{
	return (struct view){b.data, b.len > 0 ? (size_t)b.len : 0};
}

static struct replica *
new_replica(struct client *c)
{
	struct replica *rep = calloc(1, sizeof(*rep));

	if (rep != NULL)
		rep->client = c;
	c->replica = rep;
	return rep;
}

static void
take_nonce(struct request *r, struct replica *rep)
{
	const struct replicate_request *in = r->message;
	struct replicate_response *out = r->response;
	struct view nonce;

	if (trust_init(&rep->trust, true) != 0 ||
	    trust_take_nonce(&rep->trust, view_of(in->data)) != 0) {
		refuse(r, rep, KAFKA_INVALID_REQUEST, "not a nonce");
		return;
	}
	rep->state = GREETED;
	nonce = trust_nonce(&rep->trust);
	out->data = (struct bytes){nonce.data, (int32_t)nonce.len};
	request_answer(r);
}

/* Partitions that each replica has open. */
static size_t
open_max(void)
{
	size_t max = server_logs_max(64 * CONFIG_REPLICAS) / CONFIG_REPLICAS;

	return max < 2 ? 2 : max;
}

/* NULL, or why it cannot be a replica though it has proven who it is. */
static const char *
admit(struct server *s, struct replica *rep)
{
	struct inlet_options o = {.root = catalog_root(s->catalog),
	    .version = CLI_VERSION,
	    .open_max = open_max(),
	    .parts_max = CONFIG_REPLICA_PARTS,
	    .reporter = {told, rep}};

	if (s->config->read_only)
		return "the server is read-only";
	rep->is_counted = true;
	if (atomic_fetch_add(&s->replicas, 1) >= CONFIG_REPLICAS)
		return "too many replicas at a time";
	return inlet_new(&o, &rep->inlet) == 0 ? NULL : "no memory";
}

static void
take_proof(struct request *r, struct replica *rep)
{
	const struct replicate_request *in = r->message;
	struct replicate_response *out = r->response;
	struct server *s = r->server;
	uint8_t *proof = request_alloc(r, 1, TRUST_PROOF_LEN);
	const char *why;

	if (!trust_check(&rep->trust, s->secret, view_of(in->data))) {
		refuse(r, rep, KAFKA_SASL_AUTHENTICATION_FAILED,
		    "another secret");
		return;
	}
	why = proof == NULL ? "no memory" : admit(s, rep);
	if (why != NULL) {
		refuse(r, rep, KAFKA_CLUSTER_AUTHORIZATION_FAILED, why);
		return;
	}
	trust_prove(&rep->trust, s->secret, proof);
	rep->state = PROVEN;
	out->data = (struct bytes){proof, TRUST_PROOF_LEN};
	request_answer(r);
}

/* The budget has what the replica has, as it grows and shrinks. */
static void
account(struct server *s, struct replica *rep)
{
	size_t now = inlet_memory(rep->inlet);

	if (now > rep->taken)
		budget_add(s->budget, now - rep->taken);
	else
		budget_give(s->budget, rep->taken - now);
	rep->taken = now;
}

static int
answer_frames(struct request *r, struct replica *rep, struct buf *b)
{
	struct replicate_response *out = r->response;
	uint8_t *tag = request_alloc(r, 1, TRUST_TAG_LEN);

	if (tag == NULL)
		return ENOMEM;
	trust_seal(&rep->trust, b->data, b->len, tag);
	out->data = (struct bytes){b->data, (int32_t)b->len};
	out->tag = (struct bytes){tag, TRUST_TAG_LEN};
	request_send(r);
	return 0;
}

static void
take_frames(struct request *r, struct replica *rep)
{
	const struct replicate_request *in = r->message;
	struct view data = view_of(in->data);
	static const uint8_t count[TRUST_COUNT_LEN];
	struct buf b;
	int rc = trust_open(&rep->trust, &data, view_of(in->tag));

	if (rc != 0) {
		refuse(r, rep, KAFKA_SASL_AUTHENTICATION_FAILED,
		    "not what the replica has sent");
		return;
	}
	buf_init(&b, OUTPUT_BYTES);
	rc = buf_add(&b, count, sizeof(count));
	if (rc == 0)
		rc = inlet_take(rep->inlet, data, &b);
	account(r->server, rep);
	tell_begun(rep);
	if (rc == STATUS_END) {
		tell_ended(rep);
		rep->state = REFUSED;
		rc = 0;
	}
	if (rc == 0)
		rc = answer_frames(r, rep, &b);
	buf_release(&b);
	if (rc == 0)
		request_free(r);
	else
		request_fail(r, rc, "no room for the answer");
}

void
on_replicate(struct request *r)
{
	static void (*const steps[])(struct request * r,
	    struct replica * rep) = {
	    [STEP_NONCE] = take_nonce,
	    [STEP_PROOF] = take_proof,
	    [STEP_FRAMES] = take_frames,
	};
	const struct replicate_request *in = r->message;
	struct replica *rep = r->client->replica;

	if (rep == NULL)
		rep = new_replica(r->client);
	if (rep == NULL)
		request_fail(r, ENOMEM, "no memory");
	else if (rep->state == REFUSED)
		request_fail(r, STATUS_UNSUPPORTED, "a replica was refused");
	else if (in->step < 0 || (int)in->step != (int)rep->state)
		refuse(r, rep, KAFKA_ILLEGAL_SASL_STATE, "out of turn");
	else
		steps[in->step](r, rep);
}
