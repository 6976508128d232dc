/*
 * Fetch: batches out of partitions, as they lie in the files.
 *
 * Each partition that is asked for gets a stretch of whole batches of one
 * segment file; the file itself goes to the socket (sendfile).  If that is
 * less than the client wants to be woken for, the request waits until a log
 * grows or its time is over, and then looks again at all.
 *
 * There are no fetch sessions: the session id is 0, which tells clients so
 * (KIP-227).
 */

#include "dispatch.h"

#include <errno.h>
#include <unistd.h>

#include "base/now.h"
#include "base/status.h"
#include "catalog.h"
#include "codes.h"
#include "config.h"
#include "kafka/error.h"
#include "log.h"
#include "request.h"
#include "server.h"
#include "store/lookup.h"
#include "store/txnindex.h"
#include "waiting.h"

struct fetch {
	struct request *request;
	struct fetch_part *parts;
	int32_t part_count;
	struct waiter waiter;
	size_t waits;		/* entries of waiter.on in use */
	int64_t deadline_ms;
	int64_t budget;		/* bytes that may still be sent */
	int64_t bytes;		/* found in this look */
};

struct fetch_part {
	const struct fetch_request_topics_partitions *in;
	struct fetch_response_responses_partitions *out;
	struct served *topic;	/* a reference, NULL: none */
	int topic_code;
};

/* --- one look ------------------------------------------------------------- */

static int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* What a consumer that reads what is committed has to leave out of it. */
static int
find_aborted(struct fetch *f, struct fetch_part *part, struct partition *p,
    int64_t upto)
{
	struct fetch_response_responses_partitions *out = part->out;
	struct aborted_list l;
	struct fault fault;
	int rc;

	txnindex_list_init(&l);
	rc = lookup_aborted(p, part->in->fetch_offset, upto, &l, &fault);
	if (rc == 0 && l.count > 0) {
		out->aborted_transactions = request_alloc(f->request, l.count,
		    sizeof(*out->aborted_transactions));
		if (out->aborted_transactions == NULL)
			rc = ENOMEM;
	}
	for (size_t i = 0; rc == 0 && i < l.count; i++) {
		out->aborted_transactions[i].producer_id =
		    l.items[i].producer_id;
		out->aborted_transactions[i].first_offset =
		    l.items[i].first_offset;
		out->aborted_transactions_count++;
	}
	txnindex_list_release(&l);
	return rc;
}

/* The stretch, if any; the log is held. */
static int
find_records(struct fetch *f, struct fetch_part *part, struct partition *p)
{
	const struct fetch_request *in = f->request->message;
	int64_t end = in->isolation_level == 1 ? part->out->last_stable_offset
					       : part->out->high_watermark;
	int64_t max = least(part->in->partition_max_bytes, f->budget);
	struct lookup_range range;
	struct fault fault;
	int rc;

	/* The first batch is sent even if it is larger than allowed. */
	if (in->isolation_level == 1)
		part->out->aborted_transactions_count = 0;
	if (max <= 0 && f->bytes > 0)
		return 0;
	rc = lookup_range(p, part->in->fetch_offset, end, max, &range, &fault);
	if (rc != 0)
		return rc == STATUS_END ? 0 : rc;
	if (range.len > max && f->bytes > 0) {
		close(range.fd);
		return 0;
	}
	part->out->records = (struct wire_records){
	    .len = range.len, .fd = range.fd, .pos = range.pos};
	f->bytes += range.len;
	f->budget -= range.len;
	return in->isolation_level == 1
	    ? find_aborted(f, part, p, range.next_offset)
	    : 0;
}

static int
look_at(struct fetch *f, struct fetch_part *part, struct partition *p)
{
	struct partition_offsets o;
	struct fault fault;
	int rc = partition_offsets(p, &o, &fault), code;

	if (rc != 0)
		return codes_of_read(rc);
	code = codes_of_epoch(part->in->current_leader_epoch, o.leader_epoch);
	if (code != KAFKA_NONE)
		return code;
	part->out->high_watermark = o.high_watermark;
	part->out->last_stable_offset = o.last_stable;
	part->out->log_start_offset = o.log_start;
	if (part->in->fetch_offset < o.log_start ||
	    part->in->fetch_offset > o.log_end)
		return KAFKA_OFFSET_OUT_OF_RANGE;
	return codes_of_read(find_records(f, part, p));
}

static void
look_at_part(struct fetch *f, struct fetch_part *part)
{
	struct server *s = f->request->server;
	struct partition *p;
	struct log *log;
	int rc;

	part->out->error_code = (int16_t)part->topic_code;
	if (part->topic_code != KAFKA_NONE)
		return;
	rc = catalog_log(s->catalog, part->topic, part->in->partition, &log);
	if (rc == 0) {
		f->waiter.on[f->waits].log = log;
		f->waiter.on[f->waits].changes = waiting_note(s->waiting, log);
		f->waits++;
		p = log_get(log, &rc);
	}
	if (rc != 0) {
		part->out->error_code = (int16_t)codes_of_read(rc);
		return;
	}
	part->out->error_code = (int16_t)look_at(f, part, p);
	/* Another directory may stand there by now. */
	if (part->out->error_code == KAFKA_STORAGE_ERROR ||
	    part->out->error_code == KAFKA_UNKNOWN_TOPIC_OR_PARTITION)
		log_forget(log);
	log_put(log);
}

static void
close_records(struct fetch_part *part)
{
	if (part->out->records.len > 0)
		close(part->out->records.fd);
	part->out->records = (struct wire_records){.len = 0};
}

static void
reset_part(struct fetch_part *part)
{
	*part->out = (struct fetch_response_responses_partitions){
	    .partition_index = part->in->partition,
	    .high_watermark = -1,
	    .last_stable_offset = -1,
	    .log_start_offset = -1,
	    .diverging_epoch = {-1, -1},
	    .current_leader = {-1, -1},
	    .snapshot_id = {-1, -1},
	    .aborted_transactions_count = -1,
	    .preferred_read_replica = -1};
}

static void
find_topics(struct fetch *f)
{
	struct request *r = f->request;
	const struct fetch_request *in = r->message;
	struct fetch_part *part = f->parts;
	struct served *t;
	int rc, code;

	for (int32_t i = 0; i < in->topics_count; i++) {
		const struct fetch_request_topics *topic = &in->topics[i];
		bool by_id = r->header.version >= 13;

		rc = by_id ? catalog_find_id(r->server->catalog,
				 &topic->topic_id, &t)
			   : catalog_find(r->server->catalog, topic->topic, &t);
		code = by_id && rc != 0 ? KAFKA_UNKNOWN_TOPIC_ID
					: codes_of_read(rc);
		for (int32_t j = 0; j < topic->partitions_count; j++, part++) {
			part->topic_code = code;
			part->topic = rc == 0 ? catalog_retain(t) : NULL;
		}
		if (rc == 0)
			catalog_release(r->server->catalog, t);
	}
}

static void
release_topics(struct fetch *f)
{
	for (int32_t i = 0; i < f->part_count; i++) {
		catalog_release(f->request->server->catalog,
		    f->parts[i].topic);
		f->parts[i].topic = NULL;
	}
}

/* --- looking, waiting, answering ------------------------------------------ */

static void
answer(struct fetch *f)
{
	release_topics(f);
	request_answer(f->request);
}

static bool
is_enough(const struct fetch *f)
{
	const struct fetch_request *in = f->request->message;

	for (int32_t i = 0; i < f->part_count; i++)
		if (f->parts[i].out->error_code != KAFKA_NONE)
			return true;
	return f->part_count == 0 || f->bytes >= in->min_bytes ||
	    f->budget <= 0 || now_mono_ms() >= f->deadline_ms;
}

static void
look(struct request *r)
{
	const struct fetch_request *in = r->message;
	struct fetch *f = r->task.arg;

	release_topics(f);
	find_topics(f);
	f->waits = 0;
	f->bytes = 0;
	f->budget = least(in->max_bytes, CONFIG_FETCH_BYTES);
	for (int32_t i = 0; i < f->part_count; i++) {
		reset_part(&f->parts[i]);
		look_at_part(f, &f->parts[i]);
	}
	if (is_enough(f)) {
		answer(f);
		return;
	}
	for (int32_t i = 0; i < f->part_count; i++)
		close_records(&f->parts[i]);
	f->waiter.count = f->waits;
	f->waiter.until_ms =
	    least(f->deadline_ms, now_mono_ms() + WAITING_LOOK_MS);
	waiting_add(r->server->waiting, &f->waiter);
}

static void
look_again(void *arg)
{
	struct fetch *f = arg;

	look(f->request);
}

static int
prepare_topic(struct fetch *f, int32_t at, struct fetch_part *parts)
{
	struct request *r = f->request;
	const struct fetch_request *in = r->message;
	struct fetch_response *out = r->response;
	int32_t count = in->topics[at].partitions_count;

	out->responses[at].topic = in->topics[at].topic;
	out->responses[at].topic_id = in->topics[at].topic_id;
	out->responses[at].partitions = request_alloc(r, (size_t)count,
	    sizeof(*out->responses[at].partitions));
	if (out->responses[at].partitions == NULL)
		return ENOMEM;
	out->responses[at].partitions_count = count;
	for (int32_t i = 0; i < count; i++) {
		parts[i].in = &in->topics[at].partitions[i];
		parts[i].out = &out->responses[at].partitions[i];
	}
	return 0;
}

static struct fetch *
prepare(struct request *r)
{
	const struct fetch_request *in = r->message;
	struct fetch_response *out = r->response;
	struct fetch *f = request_alloc(r, 1, sizeof(*f));
	int32_t parts = 0;

	for (int32_t i = 0; i < in->topics_count; i++)
		parts += in->topics[i].partitions_count;
	out->responses = request_alloc(r, (size_t)in->topics_count,
	    sizeof(*out->responses));
	if (f == NULL || out->responses == NULL)
		return NULL;
	out->responses_count = in->topics_count;
	f->request = r;
	f->part_count = parts;
	f->parts = request_alloc(r, (size_t)parts, sizeof(*f->parts));
	f->waiter.on =
	    request_alloc(r, (size_t)parts, sizeof(*f->waiter.on));
	f->waiter.task = &r->task;
	if (f->parts == NULL || f->waiter.on == NULL)
		return NULL;
	for (int32_t i = 0, at = 0; i < in->topics_count; i++) {
		if (prepare_topic(f, i, f->parts + at) != 0)
			return NULL;
		at += in->topics[i].partitions_count;
	}
	return f;
}

void
on_fetch(struct request *r)
{
	const struct fetch_request *in = r->message;
	struct fetch *f = prepare(r);
	int64_t wait_ms = least(in->max_wait_ms, CONFIG_FETCH_WAIT_MS);

	if (f == NULL) {
		request_fail(r, ENOMEM, "no memory");
		return;
	}
	/* An incremental fetch is of a session that is not ours. */
	if (in->session_id != 0 && in->session_epoch > 0) {
		struct fetch_response *out = r->response;

		out->error_code = KAFKA_FETCH_SESSION_ID_NOT_FOUND;
		out->responses_count = 0;
		request_answer(r);
		return;
	}
	f->deadline_ms = now_mono_ms() + wait_ms;
	task_init(&r->task, look_again, f);
	look(r);
}
