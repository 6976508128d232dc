/*
 * Produce: batches into partitions.  Each goes to its partition's queue; the
 * last that is done answers.  What is not done in time is answered as timed
 * out, and yet may be done later: the request's memory stays until it is.
 */

#include "dispatch.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/now.h"
#include "base/status.h"
#include "catalog.h"
#include "codes.h"
#include "config.h"
#include "deadlines.h"
#include "kafka/error.h"
#include "log.h"
#include "request.h"
#include "server.h"
#include "upkeep.h"

struct produce {
	struct request *request;
	atomic_int left;	/* parts not done, and one for who hands out */
	bool has_deadline;
	struct deadline deadline;
	struct task expire;
	pthread_mutex_t lock;	/* of what parts have said, and of these */
	bool answered;		/* some as timed out */
	bool finished;		/* all is done */
	bool failed;		/* any of them; once left is 0 */
	struct served **topics;	/* references, one per topic of the request */
	int32_t topic_count;
	struct produce_part *parts;
	int32_t part_count;
};

struct produce_part {
	struct log_append append;
	struct produce *produce;
	struct served *topic;
	bool done;		/* under the lock */
	struct produce_response_responses_partition_responses *out;
};

static void
answer(struct produce *p)
{
	struct request *r = p->request;
	const struct produce_request *in = r->message;

	for (int32_t i = 0; i < p->part_count; i++)
		p->failed = p->failed || p->parts[i].out->error_code != 0;
	for (int32_t i = 0; i < p->topic_count; i++)
		catalog_release(r->server->catalog, p->topics[i]);
	pthread_mutex_destroy(&p->lock);
	if (p->answered)
		request_free(r);
	else if (in->acks != 0)
		request_answer(r);
	else if (p->failed)
		/* So that the client learns that something is wrong. */
		request_fail(r, STATUS_FAILED, "produce without acks failed");
	else
		request_silent(r);
}

/* All is done; if its time is just over, the later one of both answers. */
static void
finish_all(struct produce *p)
{
	bool last;

	if (!p->has_deadline ||
	    deadlines_remove(p->request->server->deadlines, &p->deadline)) {
		answer(p);
		return;
	}
	pthread_mutex_lock(&p->lock);
	p->finished = true;
	last = p->answered;
	pthread_mutex_unlock(&p->lock);
	if (last)
		answer(p);
}

static void
finish_part(struct produce *p)
{
	if (atomic_fetch_sub(&p->left, 1) == 1)
		finish_all(p);
}

/* The time is over: say so of what is not done. */
static void
expire(void *arg)
{
	struct produce *p = arg;
	bool last;

	pthread_mutex_lock(&p->lock);
	for (int32_t i = 0; i < p->part_count; i++)
		if (!p->parts[i].done) {
			p->parts[i].out->error_code = KAFKA_REQUEST_TIMED_OUT;
			p->parts[i].out->base_offset = -1;
		}
	request_send(p->request);
	p->answered = true;
	last = p->finished;
	pthread_mutex_unlock(&p->lock);
	if (last)
		answer(p);
}

static void
on_appended(struct log_append *a)
{
	struct produce_part *part = a->arg;

	pthread_mutex_lock(&part->produce->lock);
	part->done = true;
	part->out->error_code = (int16_t)a->code;
	part->out->base_offset = a->base_offset;
	part->out->log_append_time_ms = a->append_time;
	part->out->log_start_offset = a->log_start;
	part->out->error_message = bytes_of(a->why);
	pthread_mutex_unlock(&part->produce->lock);
	if (a->rolled)
		upkeep_partition(part->produce->request->server->upkeep,
		    part->topic, part->out->index);
	finish_part(part->produce);
}

/* Of a cluster of one node no other can have it, too. */
static bool
needs_replicas(struct request *r, struct served *t)
{
	const struct produce_request *in = r->message;
	struct properties settings;

	if (in->acks != -1)
		return false;
	catalog_look(r->server->catalog, t, NULL, &settings);
	return properties_int(&settings, PROPERTIES_MIN_INSYNC_REPLICAS) > 1;
}

/* Refused before it came to a log. */
static void
refuse_part(struct produce_part *part, int code, const char *why)
{
	pthread_mutex_lock(&part->produce->lock);
	part->done = true;
	part->out->error_code = (int16_t)code;
	part->out->base_offset = -1;
	part->out->error_message = bytes_of(why);
	pthread_mutex_unlock(&part->produce->lock);
	finish_part(part->produce);
}

static void
begin_part(struct produce_part *part, struct served *t, int code,
    const struct produce_request_topic_data_partition_data *in)
{
	struct server *s = part->produce->request->server;
	struct log *log;
	int rc;

	if (code != KAFKA_NONE) {
		refuse_part(part, code, NULL);
		return;
	}
	if (in->records.len <= 0) {
		refuse_part(part, KAFKA_INVALID_RECORD, "no records");
		return;
	}
	rc = catalog_log(s->catalog, t, in->index, &log);
	if (rc != 0) {
		refuse_part(part, codes_of_read(rc), NULL);
		return;
	}
	part->topic = t;
	part->append =
	    (struct log_append){/* It points into the request's own frame. */
	    .data = part->produce->request->frame +
		    (in->records.data - part->produce->request->frame),
	    .len = in->records.len,
	    .done = on_appended,
	    .arg = part};
	log_append(log, &part->append);
}

/* What holds for the whole request. */
static int
judge(const struct request *r)
{
	const struct produce_request *in = r->message;

	if (in->acks < -1 || in->acks > 1)
		return KAFKA_INVALID_REQUIRED_ACKS;
	if (!bytes_is_null(in->transactional_id))
		return KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
	if (r->server->config->read_only)
		return KAFKA_TOPIC_AUTHORIZATION_FAILED;
	return KAFKA_NONE;
}

static void
begin_topic(struct produce *p, int32_t at, int code, int32_t part)
{
	struct request *r = p->request;
	const struct produce_request *in = r->message;
	const struct produce_request_topic_data *t = &in->topic_data[at];
	struct produce_response *out = r->response;
	struct produce_response_responses *o = &out->responses[at];

	if (code == KAFKA_NONE)
		code = codes_of_read(
		    catalog_find(r->server->catalog, t->name, &p->topics[at]));
	if (code == KAFKA_NONE && needs_replicas(r, p->topics[at]))
		code = KAFKA_NOT_ENOUGH_REPLICAS;
	for (int32_t i = 0; i < t->partition_data_count; i++, part++) {
		o->partition_responses[i] =
		    (struct produce_response_responses_partition_responses){
			.index = t->partition_data[i].index,
			.log_append_time_ms = -1,
			.log_start_offset = -1,
			.error_message = BYTES_NULL,
			.current_leader = {-1, -1}};
		p->parts[part].produce = p;
		p->parts[part].out = &o->partition_responses[i];
		atomic_fetch_add(&p->left, 1);
		begin_part(&p->parts[part], p->topics[at], code,
		    &t->partition_data[i]);
	}
}

/* Room for the answer, before anything is done. */
static bool
prepare_answer(struct request *r)
{
	const struct produce_request *in = r->message;
	struct produce_response *out = r->response;
	struct produce_response_responses *o;

	out->responses = request_alloc(r, (size_t)in->topic_data_count,
	    sizeof(*out->responses));
	if (out->responses == NULL)
		return false;
	out->responses_count = in->topic_data_count;
	for (int32_t i = 0; i < in->topic_data_count; i++) {
		int32_t count = in->topic_data[i].partition_data_count;

		o = &out->responses[i];
		o->name = in->topic_data[i].name;
		o->topic_id = in->topic_data[i].topic_id;
		o->partition_responses = request_alloc(r, (size_t)count,
		    sizeof(*o->partition_responses));
		if (o->partition_responses == NULL)
			return false;
		o->partition_responses_count = count;
	}
	return true;
}

static struct produce *
new_produce(struct request *r)
{
	const struct produce_request *in = r->message;
	struct produce *p = request_alloc(r, 1, sizeof(*p));
	size_t topics = (size_t)in->topic_data_count, parts = 0;

	for (size_t i = 0; i < topics; i++)
		parts += (size_t)in->topic_data[i].partition_data_count;
	if (p == NULL || !prepare_answer(r))
		return NULL;
	p->request = r;
	p->topics = request_alloc(r, topics, sizeof(struct served *));
	p->parts = request_alloc(r, parts, sizeof(*p->parts));
	if (p->topics == NULL || p->parts == NULL)
		return NULL;
	p->topic_count = in->topic_data_count;
	p->part_count = (int32_t)parts;
	atomic_init(&p->left, 1);
	pthread_mutex_init(&p->lock, NULL);
	return p;
}

/* Who wants an answer may want it in time. */
static void
begin_deadline(struct produce *p)
{
	struct request *r = p->request;
	const struct produce_request *in = r->message;

	if (in->acks == 0 || in->timeout_ms <= 0)
		return;
	task_init(&p->expire, expire, p);
	p->deadline.task = &p->expire;
	p->deadline.until_ms = now_mono_ms() + in->timeout_ms;
	p->has_deadline = true;
	deadlines_add(r->server->deadlines, &p->deadline);
}

void
on_produce(struct request *r)
{
	const struct produce_request *in = r->message;
	struct produce *p = new_produce(r);
	int code = judge(r);
	int32_t part = 0;

	if (p == NULL) {
		request_fail(r, ENOMEM, "no memory");
		return;
	}
	for (int32_t i = 0; i < in->topic_data_count; i++) {
		begin_topic(p, i, code, part);
		part += in->topic_data[i].partition_data_count;
	}
	begin_deadline(p);
	finish_part(p);
}
