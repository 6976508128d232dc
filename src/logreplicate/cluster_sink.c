#include "cluster_sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/now.h"
#include "base/status.h"
#include "cluster_topic.h"
#include "direct/trouble.h"
#include "kafka/error.h"
#include "kafka/messages.h"
#include "marks.h"
#include "nodes.h"
#include "provenance.h"
#include "replicate/hold.h"
#include "replicate/imprints.h"
#include "replicate/report.h"
#include "replicate/stamp.h"

enum {
	/* Brokers remember five batches of a producer. */
	FLIGHTS_MAX = 5,
	PRODUCE_MAX = 9,	/* version: topics have names */
	INIT_PRODUCER_MAX = 4,
	/* Of a batch before it is compressed; Kafka's default is 1 MiB. */
	LIMIT_BYTES = 900000,
	/* Of transactions that have not ended, and what waits behind them. */
	HOLD_BYTES = 256 << 20,
	/* A mark is kept after so many bytes, or so long. */
	KEEP_BYTES = 64 << 20,
	KEEP_MS = 30000,
	TEXT_LEN = 700,
};

struct flight {
	struct talk *talk;
	size_t topic;
	int32_t partition;
	int32_t count;		/* records */
};

struct cluster_sink {
	struct sink sink;
	struct cluster_sink_options o;
	struct nodes *nodes;
	struct cluster_topic *topics;
	size_t count;
	struct flight flights[FLIGHTS_MAX];	/* a ring */
	size_t first, flying;
	struct stamp_builder builder;
	struct buf scratch;
	struct talk_answer answer;
	int64_t producer_id;	/* of this run; -1: none yet */
	int16_t producer_epoch;
	char text[TEXT_LEN];
};

static const struct sink_ops ops;

static struct cluster_sink *
self(struct sink *s)
{
	return (struct cluster_sink *)s;
}

/* What ends all is kept, to be told at the end. */
static int
note(struct cluster_sink *c, int rc, const struct fault *f)
{
	/* Where it is all about is told by who prints it. */
	if (rc == STATUS_CLUSTER && c->text[0] == '\0' &&
	    strcmp(f->file, c->o.place->brokers) == 0)
		strlcpy(c->text, f->what, sizeof(c->text));
	else if (rc == STATUS_CLUSTER && c->text[0] == '\0')
		report_reason(rc, f, c->text, sizeof(c->text));
	return rc;
}

const char *
cluster_sink_text(const struct sink *s)
{
	return ((const struct cluster_sink *)s)->text;
}

/* --- topics --------------------------------------------------------------- */

static int
sink_topic(struct sink *s, size_t topic, const struct sink_topic *from,
    struct fault *f)
{
	struct cluster_sink *c = self(s);
	struct cluster_topic *more;

	if (topic == c->count) {
		more = recallocarray(c->topics, c->count, c->count + 1,
		    sizeof(*more));
		if (more == NULL)
			return ENOMEM;
		c->topics = more;
		strlcpy(c->topics[c->count].name,
		    from->name[0] != '\0' ? from->name : c->o.place->topic,
		    sizeof(c->topics[0].name));
		c->count++;
	}
	return note(c,
	    cluster_topic_look(&c->topics[topic], c->nodes, c->o.dry_run, from,
		f),
	    f);
}

/* NULL: there is none of that number (yet). */
static struct cluster_part *
part_of(struct cluster_sink *c, size_t topic, int32_t partition)
{
	struct cluster_topic *t = &c->topics[topic];

	return partition < t->count ? &t->parts[partition] : NULL;
}

static int
sink_state(struct sink *s, size_t topic, int32_t partition, int64_t offset,
    struct sink_state *out, struct fault *f)
{
	struct cluster_sink *c = self(s);
	struct cluster_part *p = part_of(c, topic, partition);
	int rc = 0;

	*out = (struct sink_state){.batch = {.base_offset = -1}};
	if (p == NULL)
		return c->o.dry_run ? 0 : STATUS_NO_TOPIC;
	if (!p->known)
		rc = marks_read(c->nodes, c->topics[topic].name, partition,
		    p->leader, &p->mark, f);
	if (rc == 0)
		rc = provenance_check_mark(&c->topics[topic].way, &p->mark, f);
	if (rc == 0 && p->hold == NULL)
		rc = hold_new(HOLD_BYTES, &p->hold);
	if (rc != 0)
		return note(c, rc, f);
	p->known = true;
	p->begun = p->mark.producer_id >= 0;
	p->kept_ms = now_mono_ms();
	out->end = p->mark.next;
	/* Of one record it is known what it was. */
	if (p->mark.last >= 0 && (offset < 0 || offset >= p->mark.last))
		out->batch = (struct frame_batch){p->mark.last, p->mark.last,
		    FRAME_EPOCH_ANY, 0};
	return 0;
}

static int
sink_records(struct sink *s, size_t topic, int32_t partition, int64_t offset,
    struct imprints *out, struct fault *f)
{
	const struct cluster_part *p = part_of(self(s), topic, partition);
	struct imprint last = {.offset = -1};

	(void)f;
	if (p != NULL && p->mark.last <= offset)
		last = (struct imprint){p->mark.last, p->mark.hash, -1};
	out->cleaned = true;
	return last.offset >= 0 ? imprints_add_one(out, &last) : 0;
}

static int
sink_cut(struct sink *s, size_t topic, int32_t partition, int64_t offset,
    struct fault *f)
{
	(void)s;
	(void)topic;
	(void)partition;
	(void)offset;
	return status_fault(f, STATUS_DIFFERS, "", -1, -1,
	    "what was sent cannot be cut");
}

/* --- answers -------------------------------------------------------------- */

/* Does that code concern the records, and not the moment? */
static bool
is_of_records(int code)
{
	switch (code) {
	case KAFKA_MESSAGE_TOO_LARGE:
	case KAFKA_RECORD_LIST_TOO_LARGE:
	case KAFKA_TOPIC_AUTHORIZATION_FAILED:
	case KAFKA_CLUSTER_AUTHORIZATION_FAILED:
	case KAFKA_INVALID_TIMESTAMP:
	case KAFKA_INVALID_RECORD:
	case KAFKA_POLICY_VIOLATION:
	case KAFKA_UNSUPPORTED_COMPRESSION_TYPE:
		return true;
	default:
		return false;
	}
}

static int
judge(struct cluster_sink *c, const struct flight *fl, struct cluster_part *p,
    const struct produce_response_responses_partition_responses *r,
    struct fault *f)
{
	const char *name = c->topics[fl->topic].name;

	if (p->broken)
		return 0;
	if (r->error_code == 0 ||
	    r->error_code == KAFKA_DUPLICATE_SEQUENCE_NUMBER) {
		if (r->base_offset >= 0)
			p->mark.end = r->base_offset + fl->count;
		return 0;
	}
	p->broken = true;
	if (is_of_records(r->error_code))
		return trouble(f, STATUS_FAILED, name, "%s",
		    error_text(r->error_code));
	if (r->error_code == KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER)
		return trouble(f, STATUS_CLUSTER, name,
		    "another run writes to partition %d at the same time",
		    (int)fl->partition);
	return nodes_refused(name, r->error_code, f);
}

/* The answer to the first that is on its way. */
static int
land_one(struct cluster_sink *c, struct fault *f)
{
	struct flight fl = c->flights[c->first];
	struct cluster_part *p = part_of(c, fl.topic, fl.partition);
	struct produce_response r;
	int rc = talk_receive(fl.talk, &c->answer, &r, f);

	c->first = (c->first + 1) % FLIGHTS_MAX;
	c->flying--;
	p->flights--;
	if (rc != 0)
		return rc;
	if (r.responses_count != 1 ||
	    r.responses[0].partition_responses_count != 1)
		return nodes_refused(c->topics[fl.topic].name, -1, f);
	return judge(c, &fl, p, &r.responses[0].partition_responses[0], f);
}

/* --- sending -------------------------------------------------------------- */

/* One producer for all partitions of this run that have none. */
static int
get_producer(struct cluster_sink *c, struct fault *f)
{
	struct init_producer_id_request q;
	struct init_producer_id_response r;
	struct talk *talk = nodes_any(c->nodes);
	int64_t until_ms = nodes_until(c->nodes);
	int rc;

	wire_defaults(&messages_init_producer_id_request, &q);
	q.transactional_id = BYTES_NULL;
	q.transaction_timeout_ms = INT32_MAX;
	do {
		rc = talk_send_in(talk, API_INIT_PRODUCER_ID,
		    talk_version(talk, API_INIT_PRODUCER_ID, INIT_PRODUCER_MAX),
		    &q, f);
		if (rc == 0)
			rc = talk_receive(talk, &c->answer, &r, f);
	} while (rc == 0 && nodes_again(r.error_code, until_ms));
	if (rc == 0 && r.error_code != 0)
		rc = nodes_refused("a producer's id", r.error_code, f);
	if (rc == 0) {
		c->producer_id = r.producer_id;
		c->producer_epoch = r.producer_epoch;
	}
	return rc;
}

static int
keep_mark(struct cluster_sink *c, size_t topic, int32_t partition,
    struct cluster_part *p, struct fault *f)
{
	int rc = marks_write(c->nodes, c->topics[topic].name, partition,
	    &p->mark, f);

	if (rc != 0)
		return rc;
	p->unkept_bytes = 0;
	p->kept_ms = now_mono_ms();
	return 0;
}

/* The producer is known to the next run before anything is sent. */
static int
begin(struct cluster_sink *c, size_t topic, int32_t partition,
    struct cluster_part *p, struct fault *f)
{
	int rc = 0;

	if (p->begun)
		return 0;
	if (c->producer_id < 0)
		rc = get_producer(c, f);
	if (rc != 0)
		return rc;
	memcpy(p->mark.source, provenance_source(&c->topics[topic].way),
	    sizeof(p->mark.source));
	p->mark.producer_id = c->producer_id;
	p->mark.producer_epoch = c->producer_epoch;
	rc = keep_mark(c, topic, partition, p, f);
	p->begun = rc == 0;
	return rc;
}

/* Kept at once: the next run goes on there, also if nothing comes now. */
static int
sink_begin(struct sink *s, size_t topic, int32_t partition, int64_t start,
    struct fault *f)
{
	struct cluster_sink *c = self(s);
	struct cluster_part *p = part_of(c, topic, partition);

	if (p->mark.next < start)
		p->mark.next = start;
	return note(c, begin(c, topic, partition, p, f), f);
}

static int
send_batch(struct cluster_sink *c, size_t topic, int32_t partition,
    const uint8_t *data, size_t size, int32_t count, struct fault *f)
{
	struct cluster_part *p = part_of(c, topic, partition);
	struct produce_request_topic_data_partition_data d = {.index =
								  partition,
	    .records = {.data = data, .len = (int64_t)size}};
	struct produce_request_topic_data t = {.name = bytes_of(
						   c->topics[topic].name),
	    .partition_data = &d,
	    .partition_data_count = 1};
	struct produce_request q = {.transactional_id = BYTES_NULL,
	    .acks = -1,
	    .timeout_ms = (int32_t)c->o.timeout_ms,
	    .topic_data = &t,
	    .topic_data_count = 1};
	struct talk *talk;
	int rc = nodes_produce(c->nodes, p->leader, &talk, f);

	if (rc == 0)
		rc = talk_send_in(talk, API_PRODUCE,
		    talk_version(talk, API_PRODUCE, PRODUCE_MAX), &q, f);
	if (rc != 0)
		return rc;
	c->flights[(c->first + c->flying) % FLIGHTS_MAX] =
	    (struct flight){talk, topic, partition, count};
	c->flying++;
	p->flights++;
	p->unkept_bytes += (int64_t)size;
	return 0;
}

/* Send what was built, if anything was. */
static int
flush(struct cluster_sink *c, size_t topic, int32_t partition, struct fault *f)
{
	struct cluster_part *p = part_of(c, topic, partition);
	int32_t count = c->builder.builder.count;
	const uint8_t *data;
	size_t size;
	int rc;

	if (!c->builder.begun)
		return 0;
	rc = begin(c, topic, partition, p, f);
	if (rc == 0 && c->flying == FLIGHTS_MAX)
		rc = land_one(c, f);
	if (rc == 0)
		rc = stamp_builder_finish(&c->builder, &p->mark, &data, &size);
	return rc == 0 ? send_batch(c, topic, partition, data, size, count, f)
		       : rc;
}

/* The records of one batch that are not there yet. */
static int
resend(struct cluster_sink *c, size_t topic, int32_t partition,
    const uint8_t *data, const struct batch *b, struct fault *f)
{
	struct cluster_part *p = part_of(c, topic, partition);
	struct provenance *way = &c->topics[topic].way;
	struct batch_records it;
	struct record r;
	int rc = provenance_check_batch(way, data, b, &c->scratch, f);

	memcpy(c->builder.source, provenance_source(way),
	    sizeof(c->builder.source));
	if (rc == 0)
		rc = batch_records_init(&it, data, b, &c->scratch);
	while (rc == 0 && (rc = batch_records_next(&it, &r)) == 0) {
		if (r.offset < p->mark.next)
			continue;
		rc = stamp_builder_add(&c->builder, batch_codec(b), &r,
		    LIMIT_BYTES);
		if (rc == STATUS_TOO_BIG && c->builder.begun) {
			rc = flush(c, topic, partition, f);
			if (rc == 0)
				rc = stamp_builder_add(&c->builder,
				    batch_codec(b), &r, LIMIT_BYTES);
		}
	}
	return rc == STATUS_END ? 0 : rc;
}

/* All that is known to be committed. */
static int
resend_committed(struct cluster_sink *c, size_t topic, int32_t partition,
    struct fault *f)
{
	struct cluster_part *p = part_of(c, topic, partition);
	const uint8_t *data;
	struct batch b;
	int rc;

	while ((rc = hold_next(p->hold, &data, &b)) == 0) {
		rc = resend(c, topic, partition, data, &b, f);
		if (rc != 0)
			return rc;
	}
	return rc == STATUS_END ? flush(c, topic, partition, f) : rc;
}

/* The builder is for one partition at a time, and empty between calls. */
static void
empty_builder(struct cluster_sink *c)
{
	stamp_builder_release(&c->builder);
	stamp_builder_init(&c->builder);
}

/* All of a partition that is on its way. */
static int
land_all(struct cluster_sink *c, struct cluster_part *p, struct fault *f)
{
	int rc = 0;

	while (rc == 0 && p->flights > 0)
		rc = land_one(c, f);
	return rc;
}

/* A batch that may not be sent: those before it are, as ever. */
static int
send_rest(struct cluster_sink *c, size_t topic, int32_t partition,
    struct fault *f)
{
	struct fault other = {.file = ""};
	int rc = flush(c, topic, partition, &other);

	if (rc == 0)
		rc = land_all(c, part_of(c, topic, partition), &other);
	if (rc == 0)
		return ELOOP;
	*f = other;
	return rc;
}

static int
sink_append(struct sink *s, size_t topic, int32_t partition, int64_t segment,
    uint8_t *data, size_t len, struct fault *f)
{
	struct cluster_sink *c = self(s);
	struct cluster_part *p = part_of(c, topic, partition);
	struct batch b;
	int rc = 0;

	(void)segment;
	for (size_t at = 0; rc == 0 && at < len; at += b.size) {
		const char *what = NULL;

		rc = batch_decode(data + at, len - at, &b, &what);
		if (rc == 0 && b.size > len - at)
			rc = STATUS_CORRUPT;
		if (rc == 0)
			rc = batch_verify(data + at, &b);
		if (rc == 0)
			rc = hold_add(p->hold, data + at, &b);
		if (rc == STATUS_TOO_BIG)
			(void)trouble(f, rc, c->topics[topic].name,
			    "a transaction is open over more than %d MiB",
			    HOLD_BYTES >> 20);
	}
	if (rc == 0)
		rc = resend_committed(c, topic, partition, f);
	if (rc == ELOOP)
		rc = send_rest(c, topic, partition, f);
	if (rc != 0)
		empty_builder(c);
	return note(c, rc, f);
}

static int
sink_sync(struct sink *s, size_t topic, int32_t partition, struct fault *f)
{
	struct cluster_sink *c = self(s);
	struct cluster_part *p = part_of(c, topic, partition);
	int rc = land_all(c, p, f);

	if (rc == 0 && p->unkept_bytes > 0 &&
	    (p->unkept_bytes >= KEEP_BYTES ||
		now_mono_ms() - p->kept_ms >= KEEP_MS))
		rc = keep_mark(c, topic, partition, p, f);
	return note(c, rc, f);
}

static int
sink_clean(struct sink *s, size_t topic, int32_t partition, int64_t start,
    struct fault *f)
{
	(void)s;
	(void)topic;
	(void)partition;
	(void)start;
	(void)f;
	return 0; /* the cluster does, by its own settings */
}

static int
sink_commit(struct sink *s, size_t topic, const struct sink_position *positions,
    size_t count, struct fault *f)
{
	(void)s;
	(void)topic;
	(void)positions;
	(void)count;
	return status_fault(f, STATUS_UNSUPPORTED, "", -1, -1,
	    "positions are of other offsets");
}

/* --- its life ------------------------------------------------------------- */

/* What has come to an end well is kept. */
static void
close_topic(struct cluster_sink *c, size_t topic)
{
	struct cluster_topic *t = &c->topics[topic];
	struct fault f;

	for (int32_t i = 0; i < t->count; i++) {
		struct cluster_part *p = &t->parts[i];

		if (p->unkept_bytes > 0 && p->flights == 0 && !p->broken &&
		    c->text[0] == '\0')
			(void)note(c, keep_mark(c, topic, i, p, &f), &f);
	}
	cluster_topic_release(t);
}

static void
sink_close(struct sink *s)
{
	struct cluster_sink *c = self(s);

	for (size_t i = 0; i < c->count; i++)
		close_topic(c, i);
	free(c->topics);
	nodes_close(c->nodes);
	stamp_builder_release(&c->builder);
	buf_release(&c->scratch);
	talk_answer_release(&c->answer);
	free(c);
}

int
cluster_sink_open(const struct cluster_sink_options *o, struct sink **out,
    struct fault *f)
{
	struct cluster_sink *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL)
		return ENOMEM;
	c->sink.ops = &ops;
	c->o = *o;
	c->producer_id = -1;
	stamp_builder_init(&c->builder);
	buf_init(&c->scratch, RECORDS_BYTES_MAX);
	talk_answer_init(&c->answer);
	rc = nodes_open(o->place, o->settings, o->timeout_ms, &c->nodes, f);
	if (rc != 0) {
		sink_close(&c->sink);
		return rc;
	}
	*out = &c->sink;
	return 0;
}

static const struct sink_ops ops = {
    .topic = sink_topic,
    .state = sink_state,
    .records = sink_records,
    .begin = sink_begin,
    .cut = sink_cut,
    .append = sink_append,
    .sync = sink_sync,
    .clean = sink_clean,
    .commit = sink_commit,
    .close = sink_close,
};
