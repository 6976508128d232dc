/*
 * ListOffsets and OffsetForLeaderEpoch: where in a partition is a time, and
 * where did an epoch end.
 */

#include "dispatch.h"

#include <errno.h>

#include "base/status.h"
#include "catalog.h"
#include "codes.h"
#include "kafka/error.h"
#include "log.h"
#include "repeated.h"
#include "request.h"
#include "server.h"
#include "store/lookup.h"

typedef struct list_offsets_request_topics_partitions offset_in;
typedef struct list_offsets_response_topics_partitions offset_out;
typedef struct offset_for_leader_epoch_request_topics_partitions epoch_in;
typedef struct offset_for_leader_epoch_response_topics_partitions epoch_out;

/* What stands for no time, and since which version (KIP-734, 405, 1005). */
enum {
	LATEST = -1,
	EARLIEST = -2,
	MAX_TIMESTAMP = -3,
	EARLIEST_LOCAL = -4,
	LATEST_TIERED = -5,
};

/* A partition held, for fn; what it returns is an error code. */
struct question {
	struct request *request;
	struct log *log;
	struct partition *partition;
	struct partition_offsets offsets;
	const void *in;
	void *out;
	int (*fn)(struct question *q);
};

static int
ask(struct question *q, struct served *t, int32_t number)
{
	struct fault f;
	int rc, code;

	rc = catalog_log(q->request->server->catalog, t, number, &q->log);
	q->partition = rc == 0 ? log_get(q->log, &rc) : NULL;
	if (q->partition == NULL)
		return codes_of_read(rc);
	rc = partition_offsets(q->partition, &q->offsets, &f);
	code = rc == 0 ? q->fn(q) : codes_of_read(rc);
	/* Another directory may stand there by now. */
	if (code == KAFKA_STORAGE_ERROR ||
	    code == KAFKA_UNKNOWN_TOPIC_OR_PARTITION)
		log_forget(q->log);
	log_put(q->log);
	return code;
}

/* --- ListOffsets ---------------------------------------------------------- */

static bool
is_legal(int64_t timestamp, int16_t version)
{
	return timestamp >= EARLIEST ||
	    (timestamp == MAX_TIMESTAMP && version >= 7) ||
	    (timestamp == EARLIEST_LOCAL && version >= 8) ||
	    (timestamp == LATEST_TIERED && version >= 9);
}

static bool
is_committed(const struct question *q)
{
	const struct list_offsets_request *in = q->request->message;

	return in->isolation_level == 1;
}

/* The epoch of what is at out->offset; clients can do without. */
static void
add_epoch(struct question *q)
{
	offset_out *out = q->out;
	struct fault f;
	int32_t epoch;

	if (q->request->header.version >= 4 &&
	    lookup_epoch_at(q->partition, out->offset, &epoch, &f) == 0)
		out->leader_epoch = epoch;
}

/* By a record's time: none is no error. */
static int
find_time(struct question *q)
{
	const offset_in *in = q->in;
	offset_out *out = q->out;
	struct reader *walker;
	int64_t offset, found;
	struct fault f;
	int rc = log_walker(q->log, &walker);

	if (rc == 0 && in->timestamp == MAX_TIMESTAMP)
		rc = lookup_max_timestamp(q->partition, walker, &offset, &found,
		    &f);
	else if (rc == 0)
		rc = lookup_time(q->partition, walker, in->timestamp, &offset,
		    &found, &f);
	if (rc == STATUS_END)
		return KAFKA_NONE;
	if (rc != 0)
		return codes_of_read(rc);
	if (is_committed(q) && offset >= reader_offsets(walker)->last_stable)
		return KAFKA_NONE;
	out->offset = offset;
	out->timestamp = found;
	add_epoch(q);
	return KAFKA_NONE;
}

static int
find_offset(struct question *q)
{
	const struct partition_offsets *o = &q->offsets;
	const offset_in *in = q->in;
	offset_out *out = q->out;
	int code = codes_of_epoch(in->current_leader_epoch, o->leader_epoch);

	if (code != KAFKA_NONE)
		return code;
	switch (in->timestamp) {
	case LATEST:
		out->offset =
		    is_committed(q) ? o->last_stable : o->high_watermark;
		out->leader_epoch = o->leader_epoch > 0 ? o->leader_epoch : 0;
		return KAFKA_NONE;
	case EARLIEST:
	case EARLIEST_LOCAL:
		out->offset = o->log_start;
		add_epoch(q);
		return KAFKA_NONE;
	case LATEST_TIERED:
		return KAFKA_NONE;
	default:
		return find_time(q);
	}
}

/* One mark per partition of the request. */
static int
mark_repeated(struct request *r, bool **marks)
{
	const struct list_offsets_request *in = r->message;
	struct repeated *items;
	size_t count = 0, at = 0;

	for (int32_t i = 0; i < in->topics_count; i++)
		count += (size_t)in->topics[i].partitions_count;
	items = request_alloc(r, count, sizeof(*items));
	*marks = request_alloc(r, count, sizeof(**marks));
	if (items == NULL || *marks == NULL)
		return ENOMEM;
	for (int32_t i = 0; i < in->topics_count; i++)
		for (int32_t j = 0; j < in->topics[i].partitions_count; j++) {
			items[at].text = in->topics[i].name;
			items[at].number =
			    in->topics[i].partitions[j].partition_index;
			items[at].mark = &(*marks)[at];
			at++;
		}
	repeated_mark(items, count);
	return 0;
}

static void
list_partition(struct request *r, struct served *t, int code, bool repeated,
    const offset_in *in, offset_out *out)
{
	struct question q = {.request = r,
	    .in = in,
	    .out = out,
	    .fn = find_offset};

	*out = (offset_out){.partition_index = in->partition_index,
	    .timestamp = -1,
	    .offset = -1,
	    .leader_epoch = -1};
	if (repeated)
		code = KAFKA_INVALID_REQUEST;
	else if (code == KAFKA_NONE)
		code = is_legal(in->timestamp, r->header.version)
		    ? ask(&q, t, in->partition_index)
		    : KAFKA_UNSUPPORTED_VERSION;
	out->error_code = (int16_t)code;
}

static int
list_topic(struct request *r, const bool *repeated,
    const struct list_offsets_request_topics *in,
    struct list_offsets_response_topics *out)
{
	struct catalog *catalog = r->server->catalog;
	struct served *t = NULL;
	int code;

	out->name = in->name;
	out->partitions = request_alloc(r, (size_t)in->partitions_count,
	    sizeof(*out->partitions));
	if (out->partitions == NULL)
		return ENOMEM;
	out->partitions_count = in->partitions_count;
	code = codes_of_read(catalog_find(catalog, in->name, &t));
	for (int32_t i = 0; i < in->partitions_count && !request_is_vain(r);
	     i++)
		list_partition(r, t, code, repeated[i], &in->partitions[i],
		    &out->partitions[i]);
	catalog_release(catalog, t);
	return 0;
}

void
on_list_offsets(struct request *r)
{
	const struct list_offsets_request *in = r->message;
	struct list_offsets_response *out = r->response;
	bool *repeated;
	int rc = mark_repeated(r, &repeated);

	out->topics =
	    request_alloc(r, (size_t)in->topics_count, sizeof(*out->topics));
	if (out->topics == NULL)
		rc = ENOMEM;
	out->topics_count = in->topics_count;
	for (int32_t i = 0; rc == 0 && i < in->topics_count; i++) {
		rc = list_topic(r, repeated, &in->topics[i], &out->topics[i]);
		repeated += in->topics[i].partitions_count;
	}
	if (rc != 0)
		request_fail(r, rc, "no memory");
	else
		request_answer(r);
}

/* --- OffsetForLeaderEpoch ------------------------------------------------- */

static int
find_epoch(struct question *q)
{
	const epoch_in *in = q->in;
	epoch_out *out = q->out;
	struct fault f;
	int code =
	    codes_of_epoch(in->current_leader_epoch, q->offsets.leader_epoch);
	int rc;

	if (code != KAFKA_NONE)
		return code;
	rc = lookup_epoch(q->partition, in->leader_epoch, &out->leader_epoch,
	    &out->end_offset, &f);
	/* Clients are told of epoch 0 before there is anything of it. */
	if (rc == 0 && out->leader_epoch < 0 && in->leader_epoch == 0 &&
	    q->offsets.leader_epoch < 0) {
		out->leader_epoch = 0;
		out->end_offset = q->offsets.log_end;
	}
	return codes_of_read(rc);
}

static int
epochs_of_topic(struct request *r,
    const struct offset_for_leader_epoch_request_topics *in,
    struct offset_for_leader_epoch_response_topics *out)
{
	struct catalog *catalog = r->server->catalog;
	struct question q = {.request = r, .fn = find_epoch};
	struct served *t = NULL;
	int code;

	out->topic = in->topic;
	out->partitions = request_alloc(r, (size_t)in->partitions_count,
	    sizeof(*out->partitions));
	if (out->partitions == NULL)
		return ENOMEM;
	out->partitions_count = in->partitions_count;
	code = codes_of_read(catalog_find(catalog, in->topic, &t));
	for (int32_t i = 0; i < in->partitions_count && !request_is_vain(r);
	     i++) {
		epoch_out *o = &out->partitions[i];

		*o = (epoch_out){.partition = in->partitions[i].partition,
		    .leader_epoch = -1,
		    .end_offset = -1};
		q.in = &in->partitions[i];
		q.out = o;
		o->error_code =
		    (int16_t)(code != KAFKA_NONE ? code
						 : ask(&q, t, o->partition));
	}
	catalog_release(catalog, t);
	return 0;
}

void
on_offset_for_leader_epoch(struct request *r)
{
	const struct offset_for_leader_epoch_request *in = r->message;
	struct offset_for_leader_epoch_response *out = r->response;
	int rc = 0;

	out->topics =
	    request_alloc(r, (size_t)in->topics_count, sizeof(*out->topics));
	if (out->topics == NULL)
		rc = ENOMEM;
	out->topics_count = in->topics_count;
	for (int32_t i = 0; rc == 0 && i < in->topics_count; i++)
		rc = epochs_of_topic(r, &in->topics[i], &out->topics[i]);
	if (rc != 0)
		request_fail(r, rc, "no memory");
	else
		request_answer(r);
}
