#include "marks.h"

#include <stdbool.h>

#include "base/bounds.h"
#include "base/status.h"
#include "direct/trouble.h"
#include "kafka/error.h"
#include "kafka/messages.h"

enum {
	/* Versions in which topics have names, and answers one shape. */
	FETCH_MAX = 12,
	LIST_OFFSETS_MAX = 6,
	OFFSET_COMMIT_MAX = 7,
	OFFSET_FETCH_MAX = 7,
	EARLIEST = -2,		/* times of ListOffsets */
	LATEST = -1,
	FETCH_BYTES = 4 << 20,
	FETCH_WAIT_MS = 500,
	/* From the end backward, at first. */
	BACK_RECORDS = 1000,
	/* Of so many partitions the positions are asked for at once. */
	POSITIONS_EACH = 1000,
};

/* What is read of one partition. */
struct walk {
	struct talk *talk;
	const char *topic;
	int32_t partition;
	int64_t until_ms;	/* so long a leader may have to come to be */
	struct talk_answer answer;
	struct buf scratch;
	int64_t start;
	int64_t end;
	bool any;		/* any producer's stamps count, the last */
};

/* --- the log -------------------------------------------------------------- */

static int
ask_offset(struct walk *w, int64_t time, int64_t *out, struct fault *f)
{
	struct list_offsets_request_topics_partitions p = {.partition_index =
							       w->partition,
	    .current_leader_epoch = -1,
	    .timestamp = time};
	struct list_offsets_request_topics t = {.name = bytes_of(w->topic),
	    .partitions = &p,
	    .partitions_count = 1};
	struct list_offsets_request q = {.replica_id = -1,
	    .topics = &t,
	    .topics_count = 1};
	struct list_offsets_response r;
	int code, rc;

	do {
		rc = talk_send_in(w->talk, API_LIST_OFFSETS,
		    talk_version(w->talk, API_LIST_OFFSETS, LIST_OFFSETS_MAX),
		    &q, f);
		if (rc == 0)
			rc = talk_receive(w->talk, &w->answer, &r, f);
		if (rc != 0)
			return rc;
		if (r.topics_count != 1 || r.topics[0].partitions_count != 1)
			return nodes_refused(w->topic, -1, f);
		code = r.topics[0].partitions[0].error_code;
	} while (nodes_again(code, w->until_ms));
	*out = r.topics[0].partitions[0].offset;
	return code == 0 ? 0 : nodes_refused(w->topic, code, f);
}

static int
fetch(struct walk *w, int64_t offset, struct view *out, struct fault *f)
{
	struct fetch_request_topics_partitions p;
	struct fetch_request_topics t = {.topic = bytes_of(w->topic),
	    .partitions = &p,
	    .partitions_count = 1};
	const struct fetch_response_responses_partitions *got;
	struct fetch_request q;
	struct fetch_response r;
	int rc;

	p = (struct fetch_request_topics_partitions){.partition = w->partition,
	    .current_leader_epoch = -1,
	    .fetch_offset = offset,
	    .last_fetched_epoch = -1,
	    .log_start_offset = -1,
	    .partition_max_bytes = FETCH_BYTES};
	wire_defaults(&messages_fetch_request, &q);
	q.max_wait_ms = FETCH_WAIT_MS;
	q.min_bytes = 1;
	q.max_bytes = FETCH_BYTES;
	q.topics = &t;
	q.topics_count = 1;
	rc = talk_send_in(w->talk, API_FETCH,
	    talk_version(w->talk, API_FETCH, FETCH_MAX), &q, f);
	if (rc == 0)
		rc = talk_receive(w->talk, &w->answer, &r, f);
	if (rc == 0 && r.error_code != 0)
		rc = nodes_refused(w->topic, r.error_code, f);
	if (rc != 0)
		return rc;
	if (r.responses_count != 1 || r.responses[0].partitions_count != 1)
		return nodes_refused(w->topic, -1, f);
	got = &r.responses[0].partitions[0];
	if (got->error_code != 0)
		return nodes_refused(w->topic, got->error_code, f);
	*out = (struct view){got->records.data,
	    got->records.len > 0 ? (size_t)got->records.len : 0};
	return 0;
}

/* One batch, of ours or not. */
static int
read_batch(struct walk *w, struct stamp_mark *m, const uint8_t *data,
    const struct batch *b)
{
	struct stamp_mark one = *m;
	int rc = batch_verify(data, b);

	if (w->any)
		one.producer_id = -1;
	if (rc == 0)
		rc = stamp_read(&one, data, b, &w->scratch);
	if (rc == 0 && one.producer_id >= 0)
		*m = one;
	return rc;
}

/* All that has come whole; *at is then behind it. */
static int
read_batches(struct walk *w, struct stamp_mark *m, struct view v, int64_t *at,
    struct fault *f)
{
	struct batch b;
	int rc = 0;

	while (rc == 0 && v.len > 0) {
		rc = batch_decode(v.data, v.len, &b, NULL);
		if (rc == STATUS_SHORT || (rc == 0 && b.size > v.len))
			return 0;
		if (rc == 0 && b.last_offset >= *at)
			rc = read_batch(w, m, v.data, &b);
		if (rc != 0)
			break;
		if (b.last_offset >= *at)
			*at = b.last_offset + 1;
		v.data += b.size;
		v.len -= b.size;
	}
	return rc == 0 ? 0
		       : trouble(f, STATUS_CLUSTER, w->topic,
			     "what it has of partition %d cannot be read: %s",
			     (int)w->partition, status_text(rc));
}

/* From an offset to the end. */
static int
walk(struct walk *w, int64_t at, struct stamp_mark *m, struct fault *f)
{
	int64_t before;
	struct view v;
	int rc = 0;

	if (at < w->start)
		at = w->start;
	while (rc == 0 && at < w->end) {
		before = at;
		rc = fetch(w, at, &v, f);
		if (rc == 0)
			rc = read_batches(w, m, v, &at, f);
		/* A gap at the end, of which nothing is told. */
		if (at == before)
			break;
	}
	return rc;
}

/* Nothing is kept: the last that has a stamp, wherever it is. */
static int
walk_back(struct walk *w, struct stamp_mark *m, struct fault *f)
{
	int64_t step = BACK_RECORDS, from = w->end;
	int rc = 0;

	w->any = true;
	while (rc == 0 && m->producer_id < 0 && from > w->start) {
		from = w->end - w->start > step ? w->end - step : w->start;
		rc = walk(w, from, m, f);
		step = step < INT64_MAX / 16 ? step * 16 : INT64_MAX;
	}
	return rc;
}

/* --- the position --------------------------------------------------------- */

/* One request to the group's coordinator, in a version of at most max. */
static int
call_group(struct nodes *n, enum api_key key, int max, const void *request,
    struct talk_answer *a, void *response, struct fault *f)
{
	struct talk *talk;
	int rc = nodes_group(n, STAMP_GROUP, &talk, f);

	if (rc == 0)
		rc = talk_send_in(talk, key, talk_version(talk, key, max),
		    request, f);
	return rc == 0 ? talk_receive(talk, a, response, f) : rc;
}

/* A question for the group's positions in some partitions of a topic. */
static int
ask_group(struct nodes *n, struct offset_fetch_request_topics *t,
    struct talk_answer *a, struct offset_fetch_response *r, struct fault *f)
{
	struct offset_fetch_request q;
	int64_t until_ms = nodes_until(n);
	int rc;

	wire_defaults(&messages_offset_fetch_request, &q);
	q.group_id = bytes_of(STAMP_GROUP);
	q.topics = t;
	q.topics_count = 1;
	do {
		rc = call_group(n, API_OFFSET_FETCH, OFFSET_FETCH_MAX, &q, a, r,
		    f);
	} while (rc == 0 && nodes_group_again(n, r->error_code, until_ms));
	return rc == 0 && r->error_code != 0
	    ? nodes_refused(STAMP_GROUP, r->error_code, f)
	    : rc;
}

static int
take_position(const char *topic,
    const struct offset_fetch_response_topics_partitions *p,
    struct stamp_mark *m, struct fault *f)
{
	if (p->error_code != 0)
		return nodes_refused(STAMP_GROUP, p->error_code, f);
	if (p->committed_offset < 0)
		return 0;
	if (!stamp_parse(p->metadata, m))
		return trouble(f, STATUS_CLUSTER, STAMP_GROUP,
		    "its position in %s/%d is not one of logreplicate's", topic,
		    (int)p->partition_index);
	m->end = p->committed_offset;
	return 0;
}

static int
ask_positions(struct nodes *n, const char *topic, int32_t first, int32_t count,
    struct stamp_mark *out, struct fault *f)
{
	int32_t numbers[POSITIONS_EACH];
	struct offset_fetch_request_topics t = {.name = bytes_of(topic),
	    .partition_indexes = numbers,
	    .partition_indexes_count = count};
	struct offset_fetch_response r;
	struct talk_answer a;
	int rc;

	for (int32_t i = 0; i < count; i++) {
		numbers[i] = first + i;
		stamp_init(&out[i]);
	}
	talk_answer_init(&a);
	rc = ask_group(n, &t, &a, &r, f);
	for (int32_t i = 0;
	     rc == 0 && r.topics_count == 1 && i < r.topics[0].partitions_count;
	     i++) {
		const struct offset_fetch_response_topics_partitions *p =
		    &r.topics[0].partitions[i];

		if (p->partition_index >= first &&
		    p->partition_index < first + count)
			rc = take_position(topic, p,
			    &out[p->partition_index - first], f);
	}
	talk_answer_release(&a);
	return rc;
}

int
marks_kept(struct nodes *n, const char *topic, int32_t first, int32_t count,
    struct stamp_mark *out, struct fault *f)
{
	int rc = 0;

	for (int32_t at = 0; rc == 0 && at < count; at += POSITIONS_EACH)
		rc = ask_positions(n, topic, first + at,
		    count - at < POSITIONS_EACH ? count - at : POSITIONS_EACH,
		    out + at, f);
	return rc;
}

int
marks_read(struct nodes *n, const char *topic, int32_t partition,
    int32_t leader, struct stamp_mark *m, struct fault *f)
{
	struct walk w = {.topic = topic,
	    .partition = partition,
	    .until_ms = nodes_until(n)};
	int rc = nodes_ask(n, leader, &w.talk, f);

	talk_answer_init(&w.answer);
	buf_init(&w.scratch, RECORDS_BYTES_MAX);
	if (rc == 0)
		rc = ask_offset(&w, EARLIEST, &w.start, f);
	if (rc == 0)
		rc = ask_offset(&w, LATEST, &w.end, f);
	if (rc == 0 && m->producer_id >= 0)
		rc = walk(&w, m->end, m, f);
	else if (rc == 0)
		rc = walk_back(&w, m, f);
	m->end = w.end;
	talk_answer_release(&w.answer);
	buf_release(&w.scratch);
	return rc;
}

/* What was said of the one partition; -1: nothing that is understood. */
static int
code_of(const struct offset_commit_response *r)
{
	return r->topics_count == 1 && r->topics[0].partitions_count == 1
	    ? r->topics[0].partitions[0].error_code
	    : -1;
}

int
marks_write(struct nodes *n, const char *topic, int32_t partition,
    const struct stamp_mark *m, struct fault *f)
{
	char text[STAMP_TEXT_LEN];
	struct offset_commit_request_topics_partitions p = {.partition_index =
								partition,
	    .committed_offset = m->end,
	    .committed_leader_epoch = -1};
	struct offset_commit_request_topics t = {.name = bytes_of(topic),
	    .partitions = &p,
	    .partitions_count = 1};
	struct offset_commit_request q;
	struct offset_commit_response r;
	struct talk_answer a;
	int64_t until_ms = nodes_until(n);
	int code = -1, rc;

	stamp_print(m, text);
	p.committed_metadata = bytes_of(text);
	wire_defaults(&messages_offset_commit_request, &q);
	q.group_id = bytes_of(STAMP_GROUP);
	q.member_id = bytes_of("");
	q.topics = &t;
	q.topics_count = 1;
	talk_answer_init(&a);
	do {
		rc = call_group(n, API_OFFSET_COMMIT, OFFSET_COMMIT_MAX, &q, &a,
		    &r, f);
		if (rc == 0)
			code = code_of(&r);
	} while (rc == 0 && nodes_group_again(n, code, until_ms));
	talk_answer_release(&a);
	return rc == 0 && code != 0 ? nodes_refused(STAMP_GROUP, code, f) : rc;
}
