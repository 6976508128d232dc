/*
 * Fetch: batches out of partitions, as they lie in the files.
 *
 * Each partition that is asked for gets a stretch of whole batches of one
 * segment file; the file itself goes to the socket (sendfile).  If that is
 * less than the client wants to be woken for, the request waits until a log
 * grows or its time is over, and then looks again at all.
 *
 * Which partitions those are is known by the client's session (KIP-227,
 * broker/fetch_sessions.h), and so is which of them have to be in the answer.
 */

#include "dispatch.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/now.h"
#include "base/status.h"
#include "broker/fetch_sessions.h"
#include "catalog.h"
#include "codes.h"
#include "config.h"
#include "kafka/error.h"
#include "log.h"
#include "net/slot.h"
#include "request.h"
#include "server.h"
#include "store/lookup.h"
#include "store/txnindex.h"
#include "waiting.h"

struct fetch {
	struct request *request;
	struct fetch_context context;	/* of its session */
	struct part *parts;
	int32_t part_count;
	int32_t part_cap;
	bool failed;		/* no memory for all parts */
	struct waiter waiter;
	size_t waits;		/* entries of waiter.on in use */
	int64_t deadline_ms;
	int64_t budget;		/* bytes that may still be sent */
	int64_t bytes;		/* found in this look */
	int32_t files;		/* of these are in files, which are open */
	uint8_t *copies[CONFIG_FETCH_COPIES];	/* the others; NULL: not yet */
	int32_t copies_full;
	int64_t copied;				/* in the next one */
};

struct part {
	struct fetch_partition in;
	void *handle;		/* of the session */
	struct fetch_response_responses_partitions out;
	bool told;		/* it is in the answer */
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
find_aborted(struct fetch *f, struct part *part, struct partition *p,
    int64_t upto)
{
	struct fetch_response_responses_partitions *out = &part->out;
	struct aborted_list l;
	struct fault fault;
	int rc;

	txnindex_list_init(&l);
	rc = lookup_aborted(p, part->in.offset, upto, &l, &fault);
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
find_records(struct fetch *f, struct part *part, struct partition *p)
{
	const struct fetch_request *in = f->request->message;
	int64_t end = in->isolation_level == 1 ? part->out.last_stable_offset
					       : part->out.high_watermark;
	int64_t max = least(part->in.bytes_max, f->budget);
	struct lookup_range range;
	struct fault fault;
	int rc;

	/* The first batch is sent even if it is larger than allowed. */
	if (in->isolation_level == 1)
		part->out.aborted_transactions_count = 0;
	if (max <= 0 && f->bytes > 0)
		return 0;
	rc = lookup_range(p, part->in.offset, end, max, &range, &fault);
	/* Without a descriptor there is nothing for now. */
	if (rc == STATUS_END || rc == EMFILE || rc == ENFILE)
		return 0;
	if (rc != 0)
		return rc;
	if (range.len > max && f->bytes > 0) {
		close(range.fd);
		return 0;
	}
	part->out.records = (struct wire_records){.len = range.len,
	    .fd = range.fd,
	    .pos = range.pos};
	f->bytes += range.len;
	f->budget -= range.len;
	return in->isolation_level == 1 && range.may_abort
	    ? find_aborted(f, part, p, range.next_offset)
	    : 0;
}

static int
look_at(struct fetch *f, struct part *part, struct partition *p)
{
	struct partition_offsets o;
	struct fault fault;
	int rc = partition_offsets(p, &o, &fault), code;

	if (rc != 0)
		return codes_of_read(rc);
	code = codes_of_epoch(part->in.leader_epoch, o.leader_epoch);
	if (code != KAFKA_NONE)
		return code;
	part->out.high_watermark = o.high_watermark;
	part->out.last_stable_offset = o.last_stable;
	part->out.log_start_offset = o.log_start;
	if (part->in.offset < o.log_start || part->in.offset > o.log_end)
		return KAFKA_OFFSET_OUT_OF_RANGE;
	return codes_of_read(find_records(f, part, p));
}

static void
close_records(struct part *part)
{
	if (part->out.records.len > 0 && part->out.records.data == NULL)
		close(part->out.records.fd);
	part->out.records = (struct wire_records){.len = 0};
}

/* What is to be sent is good; it may be less than what was found. */
static void
prove(struct fetch *f, struct part *part, struct log *log)
{
	struct wire_records *r = &part->out.records;
	int64_t found = r->len, len = found;
	int rc;

	if (found <= 0)
		return;
	rc = log_prove(log, r->fd, r->pos, &len);
	if (rc == 0) {
		r->len = len;
	} else {
		close_records(part);
		part->out.error_code = rc == STATUS_CORRUPT
		    ? KAFKA_CORRUPT_MESSAGE
		    : KAFKA_STORAGE_ERROR;
	}
	f->bytes -= found - r->len;
	f->budget += found - r->len;
}

/* Memory for a copy, which the next look uses again; NULL: not that much. */
static uint8_t *
room_for_copy(struct fetch *f, int64_t len)
{
	uint8_t **piece;

	if (len > CONFIG_FETCH_COPY_BYTES ||
	    f->copies_full == CONFIG_FETCH_COPIES)
		return NULL;
	if (f->copied + len > CONFIG_FETCH_COPY_BYTES) {
		f->copies_full++;
		f->copied = 0;
	}
	if (f->copies_full == CONFIG_FETCH_COPIES)
		return NULL;
	piece = &f->copies[f->copies_full];
	if (*piece == NULL)
		*piece = request_alloc(f->request, 1, CONFIG_FETCH_COPY_BYTES);
	return *piece == NULL ? NULL : *piece + f->copied;
}

/* A copy instead of the file, where it is short. */
static bool
copy(struct fetch *f, struct wire_records *r)
{
	uint8_t *to = room_for_copy(f, r->len);

	if (to == NULL || io_pread_full(r->fd, to, (size_t)r->len, r->pos) != 0)
		return false;
	close(r->fd);
	r->data = to;
	f->copied += r->len;
	return true;
}

/* One answer, and all of them, keep a bounded number of files open. */
static bool
may_keep_file(struct fetch *f)
{
	struct server *s = f->request->server;

	return f->files < CONFIG_FETCH_FILES &&
	    atomic_load(&s->files) + (size_t)f->files < s->files_max;
}

/* What is found is kept in this look; or left for the next fetch. */
static void
keep(struct fetch *f, struct part *part)
{
	struct wire_records *r = &part->out.records;

	if (r->len <= 0 || copy(f, r))
		return;
	if (may_keep_file(f)) {
		f->files++;
		return;
	}
	f->bytes -= r->len;
	f->budget = 0;
	close_records(part);
}

static void
look_at_part(struct fetch *f, struct part *part)
{
	struct server *s = f->request->server;
	struct partition *p;
	struct log *log;
	int rc;

	part->out.error_code = (int16_t)part->topic_code;
	if (part->topic_code != KAFKA_NONE)
		return;
	rc = catalog_log(s->catalog, part->topic, part->in.key.partition, &log);
	if (rc == 0) {
		f->waiter.on[f->waits].log = log;
		f->waiter.on[f->waits].changes = waiting_note(s->waiting, log);
		f->waits++;
		p = log_get(log, &rc);
	}
	if (rc != 0) {
		part->out.error_code = (int16_t)codes_of_read(rc);
		return;
	}
	part->out.error_code = (int16_t)look_at(f, part, p);
	if (part->out.error_code != KAFKA_NONE)
		close_records(part);
	/* Another directory may stand there by now. */
	if (part->out.error_code == KAFKA_STORAGE_ERROR ||
	    part->out.error_code == KAFKA_UNKNOWN_TOPIC_OR_PARTITION)
		log_forget(log);
	log_put(log);
	prove(f, part, log);
	keep(f, part);
}

static void
reset_part(struct part *part)
{
	part->out =
	    (struct fetch_response_responses_partitions){.partition_index =
							     part->in.key
								 .partition,
	    .high_watermark = -1,
	    .last_stable_offset = -1,
	    .log_start_offset = -1,
	    .diverging_epoch = {-1, -1},
	    .current_leader = {-1, -1},
	    .snapshot_id = {-1, -1},
	    .aborted_transactions_count = -1,
	    .preferred_read_replica = -1};
}

static bool
is_same_topic(const struct fetch_key *a, const struct fetch_key *b)
{
	return bytes_equal(a->topic, b->topic) &&
	    memcmp(a->id, b->id, sizeof(a->id)) == 0;
}

static void
find_topic(struct catalog *c, struct part *part)
{
	const struct fetch_key *key = &part->in.key;
	struct wire_uuid id;
	int rc;

	if (!bytes_is_null(key->topic)) {
		rc = catalog_find(c, key->topic, &part->topic);
		part->topic_code = codes_of_read(rc);
	} else {
		memcpy(id.bytes, key->id, sizeof(id.bytes));
		rc = catalog_find_id(c, &id, &part->topic);
		part->topic_code =
		    rc == 0 ? KAFKA_NONE : KAFKA_UNKNOWN_TOPIC_ID;
	}
	if (rc != 0)
		part->topic = NULL;
}

/* Partitions of one topic mostly come together. */
static void
find_topics(struct fetch *f)
{
	struct catalog *c = f->request->server->catalog;
	struct part *last = NULL;

	for (int32_t i = 0; i < f->part_count; i++) {
		struct part *part = &f->parts[i];

		if (last == NULL ||
		    !is_same_topic(&last->in.key, &part->in.key)) {
			find_topic(c, part);
		} else {
			part->topic_code = last->topic_code;
			part->topic = last->topic == NULL
			    ? NULL
			    : catalog_retain(last->topic);
		}
		last = part;
	}
}

static void
release_topics(struct fetch *f)
{
	for (int32_t i = 0; i < f->part_count; i++) {
		catalog_release(f->request->server->catalog, f->parts[i].topic);
		f->parts[i].topic = NULL;
	}
}

/* --- answering ------------------------------------------------------------ */

/* The session knows what its client was told before. */
static void
choose_told(struct fetch *f)
{
	struct server *s = f->request->server;

	pthread_mutex_lock(&s->sessions_lock);
	for (int32_t i = 0; i < f->part_count; i++) {
		struct part *part = &f->parts[i];
		struct fetch_result result = {.error = part->out.error_code,
		    .has_records = part->out.records.len > 0,
		    .high_watermark = part->out.high_watermark,
		    .log_start = part->out.log_start_offset};

		part->told = fetch_sessions_tell(s->sessions, &f->context,
		    part->handle, &result);
	}
	pthread_mutex_unlock(&s->sessions_lock);
}

/* From part i on: the next one that is told, or the end. */
static int32_t
next_told(const struct fetch *f, int32_t i)
{
	while (i < f->part_count && !f->parts[i].told)
		i++;
	return i;
}

/* One topic of the answer, which begins with part i; the next one's part. */
static int32_t
tell_topic(struct fetch *f, int32_t i, struct fetch_response_responses *out,
    struct fetch_response_responses_partitions *room)
{
	const struct fetch_key *key = &f->parts[i].in.key;

	out->topic = bytes_is_null(key->topic) ? bytes_of("") : key->topic;
	memcpy(out->topic_id.bytes, key->id, sizeof(key->id));
	out->partitions = room;
	out->partitions_count = 0;
	for (; i < f->part_count && is_same_topic(key, &f->parts[i].in.key);
	     i = next_told(f, i + 1))
		out->partitions[out->partitions_count++] = f->parts[i].out;
	return i;
}

static void
answer(struct fetch *f)
{
	struct request *r = f->request;
	struct fetch_response *out = r->response;
	struct fetch_response_responses_partitions *room;
	size_t count = (size_t)f->part_count, done = 0;
	int32_t i;

	release_topics(f);
	choose_told(f);
	out->session_id = f->context.session_id;
	out->responses = request_alloc(r, count, sizeof(*out->responses));
	room = request_alloc(r, count, sizeof(*room));
	if (out->responses == NULL || room == NULL) {
		for (i = 0; i < f->part_count; i++)
			close_records(&f->parts[i]);
		request_fail(r, ENOMEM, "no memory");
		return;
	}
	for (i = next_told(f, 0); i < f->part_count;) {
		struct fetch_response_responses *topic =
		    &out->responses[out->responses_count++];

		i = tell_topic(f, i, topic, room + done);
		done += (size_t)topic->partitions_count;
	}
	request_answer(r);
}

/* --- looking, waiting ----------------------------------------------------- */

static bool
is_enough(const struct fetch *f)
{
	const struct fetch_request *in = f->request->message;

	for (int32_t i = 0; i < f->part_count; i++)
		if (f->parts[i].out.error_code != KAFKA_NONE)
			return true;
	return f->part_count == 0 || f->bytes >= in->min_bytes ||
	    f->budget <= 0 || f->waiter.over || now_mono_ms() >= f->deadline_ms;
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
	f->files = 0;
	f->copies_full = 0;
	f->copied = 0;
	f->budget = least(in->max_bytes, CONFIG_FETCH_BYTES);
	for (int32_t i = 0; i < f->part_count; i++) {
		reset_part(&f->parts[i]);
		if (!request_is_vain(r))
			look_at_part(f, &f->parts[i]);
	}
	if (is_enough(f)) {
		answer(f);
		return;
	}
	for (int32_t i = 0; i < f->part_count; i++)
		close_records(&f->parts[i]);
	/* Looked at each second: nobody waits for long who has gone. */
	if (slot_is_dead(r->slot)) {
		release_topics(f);
		request_silent(r);
		return;
	}
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

/* --- what is asked for ---------------------------------------------------- */

static bool
room_for_part(struct fetch *f)
{
	struct part *parts = request_grow(f->request, f->parts, f->part_count,
	    &f->part_cap, sizeof(*parts));

	if (parts == NULL)
		return false;
	f->parts = parts;
	return true;
}

/* A name that the session has is valid during the call alone. */
static void
add_part(void *arg, const struct fetch_partition *p, void *handle)
{
	struct fetch *f = arg;
	struct part *part;
	uint8_t *name;

	if (f->failed || !room_for_part(f)) {
		f->failed = true;
		return;
	}
	part = &f->parts[f->part_count++];
	part->in = *p;
	part->handle = handle;
	if (f->part_count > 1 && is_same_topic(&part[-1].in.key, &p->key)) {
		part->in.key.topic = part[-1].in.key.topic;
	} else if (p->key.topic.len > 0) {
		name = request_alloc(f->request, (size_t)p->key.topic.len, 1);
		if (name == NULL) {
			f->failed = true;
			return;
		}
		memcpy(name, p->key.topic.data, (size_t)p->key.topic.len);
		part->in.key.topic.data = name;
	}
}

static struct fetch_key
key_of(bool by_id, struct bytes topic, const struct wire_uuid *id,
    int32_t partition)
{
	struct fetch_key key = {.topic = by_id ? BYTES_NULL : topic,
	    .partition = partition};

	if (by_id)
		memcpy(key.id, id->bytes, sizeof(key.id));
	return key;
}

static struct fetch_partition *
asked(struct request *r, bool by_id, size_t *count)
{
	const struct fetch_request *in = r->message;
	struct fetch_partition *list, *p;

	*count = 0;
	for (int32_t i = 0; i < in->topics_count; i++)
		*count += (size_t)in->topics[i].partitions_count;
	list = p = request_alloc(r, *count, sizeof(*list));
	for (int32_t i = 0; list != NULL && i < in->topics_count; i++)
		for (int32_t j = 0; j < in->topics[i].partitions_count; j++) {
			const struct fetch_request_topics_partitions *q =
			    &in->topics[i].partitions[j];

			*p++ = (struct fetch_partition){.key = key_of(by_id,
							    in->topics[i].topic,
							    &in->topics[i]
								 .topic_id,
							    q->partition),
			    .offset = q->fetch_offset,
			    .log_start = q->log_start_offset,
			    .leader_epoch = q->current_leader_epoch,
			    .last_epoch = q->last_fetched_epoch,
			    .bytes_max = q->partition_max_bytes};
		}
	return list;
}

static struct fetch_key *
forgotten(struct request *r, bool by_id, size_t *count)
{
	const struct fetch_request *in = r->message;
	struct fetch_key *list, *p;

	*count = 0;
	for (int32_t i = 0; i < in->forgotten_topics_data_count; i++)
		*count += (size_t)in->forgotten_topics_data[i].partitions_count;
	list = p = request_alloc(r, *count, sizeof(*list));
	for (int32_t i = 0; list != NULL && i < in->forgotten_topics_data_count;
	     i++) {
		const struct fetch_request_forgotten_topics_data *t =
		    &in->forgotten_topics_data[i];

		for (int32_t j = 0; j < t->partitions_count; j++)
			*p++ = key_of(by_id, t->topic, &t->topic_id,
			    t->partitions[j]);
	}
	return list;
}

/* KAFKA_NONE, or the error of the whole answer; -1 without memory. */
static int
begin(struct fetch *f)
{
	struct request *r = f->request;
	const struct fetch_request *in = r->message;
	struct server *s = r->server;
	bool by_id = r->header.version >= 13;
	struct fetch_asked ask = {.session_id = in->session_id,
	    .epoch = in->session_epoch,
	    .by_id = by_id,
	    .owner = (uint64_t)(uintptr_t)r->client};
	int code;

	ask.partitions = asked(r, by_id, &ask.count);
	ask.forgotten = forgotten(r, by_id, &ask.forgotten_count);
	if (ask.partitions == NULL || ask.forgotten == NULL)
		return -1;
	pthread_mutex_lock(&s->sessions_lock);
	code = fetch_sessions_begin(s->sessions, &ask, now_mono_ms(),
	    &f->context, add_part, f);
	pthread_mutex_unlock(&s->sessions_lock);
	f->waiter.on =
	    request_alloc(r, (size_t)f->part_count, sizeof(*f->waiter.on));
	return f->failed || f->waiter.on == NULL ? -1 : code;
}

void
on_fetch(struct request *r)
{
	const struct fetch_request *in = r->message;
	struct fetch_response *out = r->response;
	struct fetch *f = request_alloc(r, 1, sizeof(*f));
	int code;

	if (f != NULL)
		f->request = r;
	code = f == NULL ? -1 : begin(f);
	if (code == -1) {
		request_fail(r, ENOMEM, "no memory");
		return;
	}
	if (code != KAFKA_NONE) {
		out->error_code = (int16_t)code;
		request_answer(r);
		return;
	}
	f->waiter.task = &r->task;
	f->deadline_ms =
	    now_mono_ms() + least(in->max_wait_ms, CONFIG_FETCH_WAIT_MS);
	task_init(&r->task, look_again, f);
	look(r);
}
