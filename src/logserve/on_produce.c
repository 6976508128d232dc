/*
 * Produce: batches into partitions.  Each goes to its partition's queue; the
 * last that is done answers.  What is not done in time is answered as timed
 * out, and yet may be done later: the request's memory stays until it is.
 *
 * Where they go is found on the client's loop, if it is known and nothing that
 * the client asked for before is still in work; else on the pool.
 */

#include "dispatch.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/now.h"
#include "base/status.h"
#include "catalog.h"
#include "client.h"
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
	int failed;		/* any of them, a status; once left is 0 */
	struct produce_part *parts;
	int32_t part_count;
};

struct produce_part {
	struct log_append append;
	struct produce *produce;
	struct bytes name;		/* of its topic */
	struct wire_records records;
	struct served *topic;	/* a reference; NULL: it is not there */
	struct log *log;
	int found;		/* 0, or why there is no log */
	bool done;		/* under the lock */
	struct produce_response_responses_partition_responses *out;
};

/* More of them than that are not looked for on a loop, with a stat for each. */
enum { PARTS_NOW_MAX = 16 };

/* What is wrong with what was sent does not make the disk one that fails. */
static void
note_failure(struct produce *p, int code)
{
	if (code == KAFKA_STORAGE_ERROR)
		p->failed = STATUS_FAILED;
	else if (code != KAFKA_NONE && p->failed == 0)
		p->failed = STATUS_REFUSED;
}

static void
answer(struct produce *p)
{
	struct request *r = p->request;
	const struct produce_request *in = r->message;

	for (int32_t i = 0; i < p->part_count; i++)
		note_failure(p, p->parts[i].out->error_code);
	for (int32_t i = 0; i < p->part_count; i++)
		catalog_release_aside(r->server->catalog, p->parts[i].topic);
	pthread_mutex_destroy(&p->lock);
	if (p->answered)
		request_free(r);
	else if (in->acks != 0)
		request_answer(r);
	else if (p->failed != 0)
		/* So that the client learns that something is wrong. */
		request_fail(r, p->failed, "produce without acks failed");
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
begin_part(struct produce_part *part)
{
	struct request *r = part->produce->request;
	const struct produce_request *in = r->message;

	atomic_fetch_add(&part->produce->left, 1);
	if (part->found != 0) {
		refuse_part(part, codes_of_read(part->found), NULL);
		return;
	}
	/* Of a cluster of one node no other can have it, too. */
	if (in->acks == -1 && atomic_load(&part->topic->wants_replicas)) {
		refuse_part(part, KAFKA_NOT_ENOUGH_REPLICAS, NULL);
		return;
	}
	if (part->records.len <= 0) {
		refuse_part(part, KAFKA_INVALID_RECORD, "no records");
		return;
	}
	part->append =
	    (struct log_append){/* It points into the request's own frame. */
	    .data = r->frame + (part->records.data - r->frame),
	    .len = part->records.len,
	    .done = on_appended,
	    .arg = part};
	log_append(part->log, &part->append);
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

/* One topic's parts, from that number on. */
static void
set_parts(struct produce *p, int32_t first,
    const struct produce_request_topic_data *in,
    struct produce_response_responses *out)
{
	for (int32_t i = 0; i < in->partition_data_count; i++) {
		struct produce_part *part = &p->parts[first + i];

		part->produce = p;
		part->name = in->name;
		part->records = in->partition_data[i].records;
		part->out = &out->partition_responses[i];
		*part->out =
		    (struct produce_response_responses_partition_responses){
			.index = in->partition_data[i].index,
			.log_append_time_ms = -1,
			.log_start_offset = -1,
			.error_message = BYTES_NULL,
			.current_leader = {-1, -1}};
	}
}

static struct produce *
new_produce(struct request *r)
{
	const struct produce_request *in = r->message;
	struct produce *p = request_alloc(r, 1, sizeof(*p));
	struct produce_response *out = r->response;
	size_t parts = 0;

	for (int32_t i = 0; i < in->topic_data_count; i++)
		parts += (size_t)in->topic_data[i].partition_data_count;
	if (p == NULL || !prepare_answer(r))
		return NULL;
	p->request = r;
	p->parts = request_alloc(r, parts, sizeof(*p->parts));
	if (p->parts == NULL)
		return NULL;
	for (int32_t i = 0; i < in->topic_data_count; i++) {
		set_parts(p, p->part_count, &in->topic_data[i],
		    &out->responses[i]);
		p->part_count += in->topic_data[i].partition_data_count;
	}
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

/* Each part's topic and log, on a loop; false: that may take a while. */
static bool
find_now(struct produce *p)
{
	struct catalog *c = p->request->server->catalog;
	int32_t found = 0;

	if (p->part_count > PARTS_NOW_MAX ||
	    !client_is_idle(p->request->client))
		return false;
	while (found < p->part_count) {
		struct produce_part *part = &p->parts[found];

		if (catalog_known(c, part->name, NULL, part->out->index,
			&part->topic, &part->log) != 0)
			break;
		found++;
	}
	if (found == p->part_count)
		return true;
	while (found-- > 0) {
		catalog_release_aside(c, p->parts[found].topic);
		p->parts[found].topic = NULL;
	}
	return false;
}

/*
 * The topic of part i, on the pool; 0, or why there is none.  Each is looked up
 * once: rc is how it was for the part before.
 */
static int
find_topic(struct produce *p, int32_t i, int rc)
{
	struct catalog *c = p->request->server->catalog;
	struct produce_part *part = &p->parts[i];

	if (i == 0 || part[-1].name.data != part->name.data)
		return catalog_find(c, part->name, &part->topic);
	if (rc == 0)
		part->topic = catalog_retain(part[-1].topic);
	return rc;
}

static void
begin(struct produce *p)
{
	for (int32_t i = 0; i < p->part_count; i++)
		begin_part(&p->parts[i]);
	begin_deadline(p);
	finish_part(p);
}

static void
begin_aside(void *arg)
{
	struct produce *p = arg;
	int rc = 0;

	for (int32_t i = 0; i < p->part_count; i++) {
		struct produce_part *part = &p->parts[i];

		rc = find_topic(p, i, rc);
		part->found = rc != 0
		    ? rc
		    : catalog_log(p->request->server->catalog, part->topic,
			  part->out->index, &part->log);
	}
	begin(p);
}

static void
refuse_all(struct produce *p, int code)
{
	atomic_fetch_add(&p->left, p->part_count);
	for (int32_t i = 0; i < p->part_count; i++)
		refuse_part(&p->parts[i], code, NULL);
	finish_part(p);
}

void
on_produce(struct request *r)
{
	struct produce *p = new_produce(r);
	int code = judge(r);

	if (p == NULL) {
		request_fail(r, ENOMEM, "no memory");
	} else if (code != KAFKA_NONE) {
		refuse_all(p, code);
	} else if (find_now(p)) {
		begin(p);
	} else {
		task_init(&r->task, begin_aside, p);
		client_run(r->client, &r->task);
	}
}
