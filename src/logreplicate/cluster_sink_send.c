#include <errno.h>
#include <string.h>

#include "base/bounds.h"
#include "base/now.h"
#include "base/status.h"
#include "cluster_sink_impl.h"
#include "direct/trouble.h"
#include "kafka/error.h"
#include "kafka/messages.h"
#include "marks.h"
#include "nodes.h"
#include "provenance.h"
#include "replicate/stamp.h"

enum {
	PRODUCE_MAX = 9,	/* version: topics have names */
	INIT_PRODUCER_MAX = 4,
};

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
	struct cluster_part *p = cluster_sink_part(c, fl.topic, fl.partition);
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

int
cluster_sink_keep_mark(struct cluster_sink *c, size_t topic, int32_t partition,
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

int
cluster_sink_begin(struct cluster_sink *c, size_t topic, int32_t partition,
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
	rc = cluster_sink_keep_mark(c, topic, partition, p, f);
	p->begun = rc == 0;
	return rc;
}

static int
send_batch(struct cluster_sink *c, size_t topic, int32_t partition,
    const uint8_t *data, size_t size, int32_t count, struct fault *f)
{
	struct cluster_part *p = cluster_sink_part(c, topic, partition);
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
int
cluster_sink_flush(struct cluster_sink *c, size_t topic, int32_t partition,
    struct fault *f)
{
	struct cluster_part *p = cluster_sink_part(c, topic, partition);
	int32_t count = c->builder.builder.count;
	const uint8_t *data;
	size_t size;
	int rc;

	if (!c->builder.begun)
		return 0;
	rc = cluster_sink_begin(c, topic, partition, p, f);
	if (rc == 0 && c->flying == FLIGHTS_MAX)
		rc = land_one(c, f);
	if (rc == 0)
		rc = stamp_builder_finish(&c->builder, &p->mark, &data, &size);
	return rc == 0 ? send_batch(c, topic, partition, data, size, count, f)
		       : rc;
}

void
cluster_sink_empty(struct cluster_sink *c)
{
	stamp_builder_release(&c->builder);
	stamp_builder_init(&c->builder);
}

int
cluster_sink_land_all(struct cluster_sink *c, struct cluster_part *p,
    struct fault *f)
{
	int rc = 0;

	while (rc == 0 && p->flights > 0)
		rc = land_one(c, f);
	return rc;
}

int
cluster_sink_send_rest(struct cluster_sink *c, size_t topic, int32_t partition,
    struct fault *f)
{
	struct fault other = {.file = ""};
	int rc = cluster_sink_flush(c, topic, partition, &other);

	if (rc == 0)
		rc = cluster_sink_land_all(c,
		    cluster_sink_part(c, topic, partition), &other);
	if (rc == 0)
		return ELOOP;
	*f = other;
	return rc;
}
