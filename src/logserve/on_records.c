/*
 * DeleteRecords: the log start rises.  Each partition's handle to append does
 * it, in the order of appends; the last that is done answers.  What is not done
 * in time is answered as timed out, and yet may be done later.
 */

#include "dispatch.h"

#include <sys/queue.h>

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

typedef struct delete_records_request_topics_partitions records_in;
typedef struct delete_records_response_topics_partitions records_out;

struct deletion {
	struct request *request;
	atomic_int left;	/* parts not done, and one for who hands out */
	struct served **topics;	/* references, one per topic of the request */
	bool has_deadline;
	struct deadline deadline;
	struct task expire;
	pthread_mutex_t lock;	/* of what parts have said, and of these */
	bool answered;		/* some as timed out */
	bool finished;		/* all is done */
	SLIST_HEAD(, deletion_part) parts;
};

struct deletion_part {
	struct log_append append;
	struct deletion *deletion;
	int64_t offset;
	bool done;		/* under the lock */
	records_out *out;
	SLIST_ENTRY(deletion_part) entry;
};

static void
answer(struct deletion *d)
{
	struct request *r = d->request;
	const struct delete_records_request *in = r->message;

	for (int32_t i = 0; i < in->topics_count; i++)
		catalog_release(r->server->catalog, d->topics[i]);
	pthread_mutex_destroy(&d->lock);
	if (d->answered)
		request_free(r);
	else
		request_answer(r);
}

/* If the time is just over, the later one of both answers. */
static void
finish_part(struct deletion *d)
{
	bool last;

	if (atomic_fetch_sub(&d->left, 1) > 1)
		return;
	if (!d->has_deadline ||
	    deadlines_remove(d->request->server->deadlines, &d->deadline)) {
		answer(d);
		return;
	}
	pthread_mutex_lock(&d->lock);
	d->finished = true;
	last = d->answered;
	pthread_mutex_unlock(&d->lock);
	if (last)
		answer(d);
}

/* The time is over: say so of what is not done. */
static void
expire(void *arg)
{
	struct deletion *d = arg;
	struct deletion_part *part;
	bool last;

	pthread_mutex_lock(&d->lock);
	SLIST_FOREACH(part, &d->parts, entry)
		if (!part->done)
			part->out->error_code = KAFKA_REQUEST_TIMED_OUT;
	request_send(d->request);
	d->answered = true;
	last = d->finished;
	pthread_mutex_unlock(&d->lock);
	if (last)
		answer(d);
}

static void
begin_deadline(struct deletion *d)
{
	struct request *r = d->request;
	const struct delete_records_request *in = r->message;

	if (in->timeout_ms <= 0)
		return;
	task_init(&d->expire, expire, d);
	d->deadline.task = &d->expire;
	d->deadline.until_ms = now_mono_ms() + in->timeout_ms;
	d->has_deadline = true;
	deadlines_add(r->server->deadlines, &d->deadline);
}

/* -1 is all that consumers can see, and beyond it nothing is deleted. */
static int
delete_before(struct partition *writer, struct log_append *a)
{
	const struct deletion_part *part = a->arg;
	struct partition_offsets o;
	struct fault f;
	int64_t offset = part->offset;
	int rc = partition_offsets(writer, &o, &f);

	if (rc == 0 && offset == -1)
		offset = o.high_watermark;
	if (rc == 0 && offset < 0)
		rc = STATUS_OFFSET;
	if (rc == 0)
		rc = partition_delete_before(writer, offset, &f);
	return codes_of_read(rc);
}

static void
on_deleted(struct log_append *a)
{
	struct deletion_part *part = a->arg;

	pthread_mutex_lock(&part->deletion->lock);
	part->done = true;
	part->out->error_code = (int16_t)a->code;
	if (a->code == KAFKA_NONE)
		part->out->low_watermark = a->log_start;
	pthread_mutex_unlock(&part->deletion->lock);
	finish_part(part->deletion);
}

static int
begin_part(struct deletion *d, struct served *t, const records_in *in,
    records_out *out)
{
	struct request *r = d->request;
	struct deletion_part *part = request_alloc(r, 1, sizeof(*part));
	struct log *log;
	int rc;

	if (part == NULL)
		return KAFKA_STORAGE_ERROR;
	rc = catalog_log(r->server->catalog, t, in->partition_index, &log);
	if (rc != 0)
		return codes_of_read(rc);
	part->deletion = d;
	part->offset = in->offset;
	part->out = out;
	part->append = (struct log_append){.act = delete_before,
	    .done = on_deleted,
	    .arg = part};
	SLIST_INSERT_HEAD(&d->parts, part, entry);
	atomic_fetch_add(&d->left, 1);
	log_append(log, &part->append);
	return KAFKA_NONE;
}

/* May records of it be deleted at all?  The latest of a key are kept. */
static int
check_topic(struct request *r, struct bytes name, struct served **t)
{
	struct catalog *c = r->server->catalog;
	struct properties settings;
	int rc;

	if (r->server->config->read_only)
		return KAFKA_TOPIC_AUTHORIZATION_FAILED;
	rc = catalog_find(c, name, t);
	if (rc != 0)
		return codes_of_read(rc);
	catalog_look(c, *t, NULL, &settings);
	return (properties_int(&settings, PROPERTIES_CLEANUP_POLICY) &
		   PROPERTIES_DELETE) != 0
	    ? KAFKA_NONE
	    : KAFKA_POLICY_VIOLATION;
}

static void
begin_topic(struct deletion *d, int32_t at)
{
	struct request *r = d->request;
	const struct delete_records_request *all = r->message;
	const struct delete_records_request_topics *in = &all->topics[at];
	struct delete_records_response *response = r->response;
	struct delete_records_response_topics *out = &response->topics[at];
	int topic_code = check_topic(r, in->name, &d->topics[at]), code;

	for (int32_t i = 0; i < in->partitions_count; i++) {
		records_out *o = &out->partitions[i];

		o->partition_index = in->partitions[i].partition_index;
		o->low_watermark = -1;
		code = topic_code != KAFKA_NONE
		    ? topic_code
		    : begin_part(d, d->topics[at], &in->partitions[i], o);
		/* One that is begun has its code from who does it. */
		if (code != KAFKA_NONE)
			o->error_code = (int16_t)code;
	}
}

static struct deletion *
prepare(struct request *r)
{
	const struct delete_records_request *in = r->message;
	struct delete_records_response *out = r->response;
	struct deletion *d = request_alloc(r, 1, sizeof(*d));
	size_t topics = (size_t)in->topics_count;

	out->topics = request_alloc(r, topics, sizeof(*out->topics));
	if (d == NULL || out->topics == NULL)
		return NULL;
	out->topics_count = in->topics_count;
	d->request = r;
	atomic_init(&d->left, 1);
	d->topics = request_alloc(r, topics, sizeof(struct served *));
	if (d->topics == NULL)
		return NULL;
	for (size_t i = 0; i < topics; i++) {
		int32_t count = in->topics[i].partitions_count;

		out->topics[i].name = in->topics[i].name;
		out->topics[i].partitions_count = count;
		out->topics[i].partitions = request_alloc(r, (size_t)count,
		    sizeof(*out->topics[i].partitions));
		if (out->topics[i].partitions == NULL)
			return NULL;
	}
	SLIST_INIT(&d->parts);
	pthread_mutex_init(&d->lock, NULL);
	return d;
}

void
on_delete_records(struct request *r)
{
	const struct delete_records_request *in = r->message;
	struct deletion *d = prepare(r);

	if (d == NULL) {
		request_fail(r, ENOMEM, "no memory");
		return;
	}
	for (int32_t i = 0; i < in->topics_count; i++)
		begin_topic(d, i);
	begin_deadline(d);
	finish_part(d);
}
