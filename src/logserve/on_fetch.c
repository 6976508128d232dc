/*
 * Fetch: batches out of partitions, as they lie in the files.
 *
 * Each partition that is asked for gets a stretch of whole batches of one
 * segment file; the file itself goes to the socket (sendfile).  If that is
 * less than the client wants to be woken for, the request waits until a log
 * grows or its time is over, and then looks again at all.
 *
 * On the client's loop, where all of it is in memory; else, and from then on,
 * on the pool.
 *
 * Which partitions those are is known by the client's session (KIP-227,
 * broker/fetch_sessions.h), and so is which of them have to be in the answer.
 */

#include "dispatch.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/now.h"
#include "base/status.h"
#include "fetch.h"
#include "kafka/error.h"
#include "net/pool.h"
#include "net/slot.h"
#include "server.h"

/* --- answering ------------------------------------------------------------ */

/* The session knows what its client was told before. */
static void
choose_told(struct fetch *f)
{
	struct server *s = f->request->server;

	pthread_mutex_lock(&s->sessions_lock);
	for (int32_t i = 0; i < f->part_count; i++) {
		struct fetch_part *part = &f->parts[i];
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
	for (;
	     i < f->part_count && fetch_is_same_topic(key, &f->parts[i].in.key);
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

	fetch_release(f);
	choose_told(f);
	out->session_id = f->context.session_id;
	out->responses = request_alloc(r, count, sizeof(*out->responses));
	room = request_alloc(r, count, sizeof(*room));
	if (out->responses == NULL || room == NULL) {
		fetch_drop(f);
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

static void look_now(void *arg);
static void look_aside(void *arg);

/* There is too little: look again when there may be more. */
static void
wait_for_more(struct fetch *f)
{
	struct request *r = f->request;

	/* Looked at each second: nobody waits for long who has gone. */
	if (slot_is_dead(r->slot)) {
		fetch_release(f);
		request_silent(r);
		return;
	}
	task_init(&r->task, f->waiter.loop != NULL ? look_now : look_aside, f);
	f->waiter.task = &r->task;
	f->waiter.count = f->waits;
	f->waiter.until_ms = now_mono_ms() + WAITING_LOOK_MS;
	if (f->waiter.until_ms > f->deadline_ms)
		f->waiter.until_ms = f->deadline_ms;
	waiting_add(r->server->waiting, &f->waiter);
}

/* On the pool. */
static void
look_aside(void *arg)
{
	struct fetch *f = arg;

	fetch_look(f);
	if (fetch_is_enough(f)) {
		answer(f);
		return;
	}
	fetch_drop(f);
	wait_for_more(f);
}

/* On the client's loop. */
static void
look_now(void *arg)
{
	struct fetch *f = arg;
	struct request *r = f->request;
	enum fetch_now found = fetch_look_now(f);

	if (found == FETCH_ENOUGH) {
		answer(f);
	} else if (found == FETCH_NOTHING) {
		wait_for_more(f);
	} else {
		f->waiter.loop = NULL;
		task_init(&r->task, look_aside, f);
		pool_run(r->server->pool, &r->task);
	}
}

/* --- what is asked for ---------------------------------------------------- */

static bool
room_for_part(struct fetch *f)
{
	struct fetch_part *parts = request_grow(f->request, f->parts,
	    f->part_count, &f->part_cap, sizeof(*parts));

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
	struct fetch_part *part;
	uint8_t *name;

	if (f->failed || !room_for_part(f)) {
		f->failed = true;
		return;
	}
	part = &f->parts[f->part_count++];
	part->in = *p;
	part->handle = handle;
	if (f->part_count > 1 &&
	    fetch_is_same_topic(&part[-1].in.key, &p->key)) {
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

/* False: it has been answered. */
static bool
start(struct request *r, struct fetch **out)
{
	const struct fetch_request *in = r->message;
	struct fetch_response *response = r->response;
	struct fetch *f = request_alloc(r, 1, sizeof(*f));
	int code;

	if (f != NULL)
		f->request = r;
	code = f == NULL ? -1 : begin(f);
	if (code == -1) {
		request_fail(r, ENOMEM, "no memory");
		return false;
	}
	if (code != KAFKA_NONE) {
		response->error_code = (int16_t)code;
		request_answer(r);
		return false;
	}
	f->deadline_ms = now_mono_ms() +
	    (in->max_wait_ms < CONFIG_FETCH_WAIT_MS ? in->max_wait_ms
						    : CONFIG_FETCH_WAIT_MS);
	*out = f;
	return true;
}

static void
start_aside(struct request *r)
{
	struct fetch *f;

	if (request_is_vain(r))
		request_fail(r, STATUS_SHORT, "the client has gone");
	else if (start(r, &f))
		look_aside(f);
}

/* Few partitions, by what is known of its session. */
static bool
is_small(struct request *r)
{
	const struct fetch_request *in = r->message;
	struct server *s = r->server;
	size_t count;

	if (pthread_mutex_trylock(&s->sessions_lock) != 0)
		return false;
	count = fetch_sessions_size(s->sessions, in->session_id);
	pthread_mutex_unlock(&s->sessions_lock);
	for (int32_t i = 0; i < in->topics_count; i++)
		count += (size_t)in->topics[i].partitions_count;
	return count <= FETCH_NOW_PARTS;
}

void
on_fetch(struct request *r)
{
	struct fetch *f;

	if (!is_small(r)) {
		request_defer(r, start_aside);
		return;
	}
	if (!start(r, &f))
		return;
	f->waiter.loop = slot_loop(r->slot);
	look_now(f);
}
