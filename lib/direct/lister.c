#include "direct/lister.h"

#include <errno.h>

#include "base/now.h"
#include "base/status.h"
#include "direct/trouble.h"
#include "kafka/error.h"
#include "kafka/messages.h"
#include "store/batch.h"

enum {
	/* Of one request. */
	PARTS_MAX = 10000,
	EARLIEST = -2,		/* times of ListOffsets */
	LATEST = -1,
	/* Epochs that are walked through to find that of an offset. */
	EPOCHS_WALKED_MAX = 1000,
};

/* Is it to be given up, which has lasted since then? */
static bool
is_over(const struct lister_patience *w, int64_t since_ms, int rc)
{
	int64_t lasted = now_mono_ms() - since_ms;

	return lasted >= w->timeout_ms ||
	    (rc != STATUS_CLUSTER && lasted >= w->leader_ms);
}

/* --- bounds --------------------------------------------------------------- */

/* A request of ListOffsets, filled partition by partition. */
struct list {
	struct list_offsets_request q;
	struct list_offsets_request_topics *topics;
	struct list_offsets_request_topics_partitions *parts;
	size_t count;
	struct arena arena;
};

static int
list_init(struct list *l)
{
	*l = (struct list){.count = 0};
	wire_defaults(&messages_list_offsets_request, &l->q);
	l->q.replica_id = -1;
	l->q.timeout_ms = 10000;
	arena_init(&l->arena, TALK_ARENA_MAX);
	l->topics = arena_alloc(&l->arena, PARTS_MAX, sizeof(*l->topics));
	l->parts = arena_alloc(&l->arena, PARTS_MAX, sizeof(*l->parts));
	l->q.topics = l->topics;
	return l->topics == NULL || l->parts == NULL ? ENOMEM : 0;
}

static void
list_add(struct list *l, const struct chart *c, const struct shelf_part *p)
{
	struct bytes name = bytes_of(chart_topic(c, p->topic)->name);
	struct list_offsets_request_topics *t =
	    &l->topics[l->q.topics_count - (l->q.topics_count > 0)];

	if (l->q.topics_count == 0 || !bytes_equal(t->name, name)) {
		t = &l->topics[l->q.topics_count++];
		*t = (struct list_offsets_request_topics){.name = name,
		    .partitions = &l->parts[l->count]};
	}
	l->parts[l->count++] =
	    (struct list_offsets_request_topics_partitions){.partition_index =
								p->number,
		.current_leader_epoch = -1};
	t->partitions_count++;
}

static void
set_time(struct list *l, int64_t time)
{
	for (size_t i = 0; i < l->count; i++)
		l->parts[i].timestamp = time;
}

/* What was said of one partition, of its start or its end. */
static void
take_offset(struct shelf_part *p,
    const struct list_offsets_response_topics_partitions *from, int64_t time)
{
	if (from->error_code != 0 && chart_is_passing(from->error_code))
		return;
	if (from->error_code != 0 || from->offset < 0) {
		p->rc = from->error_code == KAFKA_TOPIC_AUTHORIZATION_FAILED
		    ? EACCES
		    : STATUS_CORRUPT;
		p->what = from->error_code != 0 ? error_text(from->error_code)
						: "it has no offsets";
		p->look = false;
	} else if (time == EARLIEST) {
		p->start = from->offset;
	} else if (p->start >= 0) {
		p->end = from->offset;
		p->look = false;
		if (p->end < p->start) {
			p->rc = STATUS_CORRUPT;
			p->what = "it ends before it begins";
		}
	}
}

static void
take_offsets(const struct chart *c, struct shelf *s,
    const struct list_offsets_response *r, int64_t time)
{
	for (int32_t t = 0; t < r->topics_count; t++) {
		const struct list_offsets_response_topics *topic =
		    &r->topics[t];
		int64_t number = chart_find_name(c, topic->name);

		for (int32_t i = 0; number >= 0 && i < topic->partitions_count;
		     i++) {
			struct shelf_part *p = shelf_find(s, (size_t)number,
			    topic->partitions[i].partition_index);

			if (p != NULL && p->look)
				take_offset(p, &topic->partitions[i], time);
		}
	}
}

/* First the start: it does not pass the end that is told behind it. */
static int
look_at_leader(struct chart *c, struct shelf *s, int32_t leader,
    struct fault *f)
{
	static const int64_t times[] = {EARLIEST, LATEST};
	struct list_offsets_response r;
	struct talk_answer a;
	struct list l;
	int rc = list_init(&l);

	talk_answer_init(&a);
	for (size_t i = 0; i < s->count && l.count < PARTS_MAX; i++) {
		struct shelf_part *p = s->all[i];

		if (rc != 0 || !p->look ||
		    chart_partition(c, p->topic, p->number).leader != leader)
			continue;
		p->start = -1;
		list_add(&l, c, p);
	}
	for (size_t i = 0; rc == 0 && i < 2; i++) {
		set_time(&l, times[i]);
		rc = chart_call(c, leader, API_LIST_OFFSETS, &l.q, &a, &r, f);
		if (rc == 0)
			take_offsets(c, s, &r, times[i]);
	}
	talk_answer_release(&a);
	arena_release(&l.arena);
	return rc;
}

/* The first that is still to be looked at; NULL: none. */
static struct shelf_part *
next_to_look(const struct chart *c, const struct shelf *s, size_t *from)
{
	for (; *from < s->count; ++*from) {
		struct shelf_part *p = s->all[*from];
		const struct chart_topic *t = chart_topic(c, p->topic);

		if (p->look && t->gone) {
			p->look = false;
			p->rc = STATUS_REMOVED;
			p->what = NULL;
		}
		if (p->look)
			return p;
	}
	return NULL;
}

/* One round of all leaders. */
static int
look_round(struct chart *c, struct shelf *s, struct fault *f)
{
	size_t from = 0;
	struct shelf_part *p;
	int rc = 0;

	while ((rc == 0 || rc == STATUS_CLUSTER) &&
	    (p = next_to_look(c, s, &from)) != NULL) {
		int32_t leader = chart_partition(c, p->topic, p->number).leader;

		if (leader < 0)
			(void)trouble(f, STATUS_CLUSTER,
			    chart_name(c, p->topic),
			    "partition %d has no leader", (int)p->number);
		else
			rc = look_at_leader(c, s, leader, f);
		from++;
	}
	return rc;
}

/* Brokers answer, but none leads these. */
static int
give_up(const struct chart *c, struct shelf *s)
{
	struct shelf_part *p;
	size_t from = 0;

	while ((p = next_to_look(c, s, &from)) != NULL) {
		p->look = false;
		p->rc = STATUS_TIMEOUT;
		p->what = "it has no leader";
	}
	return 0;
}

int
lister_look(struct chart *c, struct shelf *s, const struct lister_patience *w,
    struct fault *f)
{
	int64_t since_ms = now_mono_ms(), until_ms = since_ms + w->timeout_ms;
	size_t from;
	int rc;

	for (int tries = 0;; tries++) {
		rc = look_round(c, s, f);
		from = 0;
		if (rc != 0 && rc != STATUS_CLUSTER)
			return rc;
		if (next_to_look(c, s, &from) == NULL)
			return 0;
		if (is_over(w, since_ms, rc))
			return rc == 0 ? give_up(c, s) : rc;
		chart_pause(tries, until_ms);
		rc = chart_refresh(c, f);
		if (rc != 0 && rc != STATUS_CLUSTER)
			return rc;
	}
}

static int
lost(const struct chart *c, size_t topic, int32_t partition, struct fault *f)
{
	return trouble(f, STATUS_TIMEOUT, chart_name(c, topic),
	    "partition %d: its leader is not to be found", (int)partition);
}

/* EAGAIN: look again, elsewhere. */
static int
ask_offset_at(struct chart *c, size_t topic, int32_t partition, int64_t time_ms,
    struct talk_answer *a, int64_t *offset, struct fault *f)
{
	struct list_offsets_request_topics_partitions part = {.partition_index =
								  partition,
	    .current_leader_epoch = -1,
	    .timestamp = time_ms};
	struct list_offsets_request_topics t =
	    {.name = bytes_of(chart_topic(c, topic)->name),
	    .partitions = &part,
	    .partitions_count = 1};
	struct list_offsets_request q = {.replica_id = -1,
	    .topics = &t,
	    .topics_count = 1};
	struct list_offsets_response r;
	int32_t leader = chart_partition(c, topic, partition).leader;
	int rc, error;

	if (leader < 0)
		return EAGAIN;
	rc = chart_call(c, leader, API_LIST_OFFSETS, &q, a, &r, f);
	if (rc != 0)
		return rc;
	if (r.topics_count != 1 || r.topics[0].partitions_count != 1)
		return EAGAIN;
	error = r.topics[0].partitions[0].error_code;
	if (error != 0)
		return chart_is_passing(error) ? EAGAIN
					       : chart_fail(c, topic, error, f);
	*offset = r.topics[0].partitions[0].offset;
	return 0;
}

int
lister_offset_at(struct chart *c, size_t topic, int32_t partition,
    int64_t time_ms, const struct lister_patience *w, int64_t *offset,
    struct fault *f)
{
	int64_t since_ms = now_mono_ms(), until_ms = since_ms + w->timeout_ms;
	struct talk_answer a;
	int rc;

	talk_answer_init(&a);
	for (int tries = 0;; tries++) {
		rc = ask_offset_at(c, topic, partition, time_ms, &a, offset, f);
		if ((rc != EAGAIN && rc != STATUS_CLUSTER) ||
		    is_over(w, since_ms, rc))
			break;
		chart_pause(tries, until_ms);
		(void)chart_refresh(c, f);
	}
	talk_answer_release(&a);
	return rc == EAGAIN ? lost(c, topic, partition, f) : rc;
}

/* --- one batch ------------------------------------------------------------ */

/* Of an offset in a gap: who led then? */
static int
epoch_at(struct chart *c, size_t topic, int32_t partition, int64_t offset,
    int32_t above, int32_t *out, struct fault *f)
{
	struct offset_for_leader_epoch_request_topics_partitions part =
	    {.partition = partition, .current_leader_epoch = -1};
	struct offset_for_leader_epoch_request_topics t =
	    {.topic = bytes_of(chart_topic(c, topic)->name),
	    .partitions = &part,
	    .partitions_count = 1};
	struct offset_for_leader_epoch_request q = {.replica_id = -1,
	    .topics = &t,
	    .topics_count = 1};
	struct offset_for_leader_epoch_response r;
	struct talk_answer a;
	int rc = 0;

	talk_answer_init(&a);
	*out = above;
	for (int i = 0; rc == 0 && *out > 0 && i < EPOCHS_WALKED_MAX; i++) {
		part.leader_epoch = *out - 1;
		rc = chart_call(c, chart_partition(c, topic, partition).leader,
		    API_OFFSET_FOR_LEADER_EPOCH, &q, &a, &r, f);
		if (rc != 0 || r.topics_count != 1 ||
		    r.topics[0].partitions_count != 1)
			break;
		/* Where the epochs up to that one end. */
		if (r.topics[0].partitions[0].error_code != 0 ||
		    r.topics[0].partitions[0].end_offset <= offset ||
		    r.topics[0].partitions[0].leader_epoch >= *out)
			break;
		*out = r.topics[0].partitions[0].leader_epoch;
	}
	talk_answer_release(&a);
	return rc;
}

/* Of what came: the batch with offset in it, or that behind the gap. */
static int
find_batch(const struct wire_records *records, int64_t offset, struct batch *b)
{
	const uint8_t *at = records->data;
	size_t left = records->len > 0 ? (size_t)records->len : 0;
	int rc;

	while ((rc = batch_decode(at, left, b, NULL)) == 0 &&
	    b->last_offset < offset && b->size <= left) {
		at += b->size;
		left -= b->size;
	}
	return rc == 0 && b->last_offset < offset ? STATUS_SHORT : rc;
}

static int
fetch_one(struct chart *c, size_t topic, int32_t partition, int64_t offset,
    struct talk_answer *a, struct fetch_response *r, struct fault *f)
{
	const struct chart_topic *t = chart_topic(c, topic);
	struct fetch_request_topics_partitions part;
	struct fetch_request_topics name = {.topic = bytes_of(t->name),
	    .topic_id = t->id,
	    .partitions = &part,
	    .partitions_count = 1};
	struct fetch_request q;
	struct talk *talk;
	int32_t leader = chart_partition(c, topic, partition).leader;
	int rc = leader < 0 ? EAGAIN : chart_talk(c, leader, &talk, f);

	if (rc != 0)
		return rc;
	wire_defaults(&messages_fetch_request, &q);
	q.topics = &name;
	q.topics_count = 1;
	/* One batch comes whole, however large. */
	q.max_bytes = 1;
	part = (struct fetch_request_topics_partitions){.partition = partition,
	    .current_leader_epoch = -1,
	    .fetch_offset = offset,
	    .last_fetched_epoch = -1,
	    .log_start_offset = -1,
	    .partition_max_bytes = 1,
	    .high_watermark = INT64_MAX};
	rc = talk_send_in(talk, API_FETCH,
	    talk_version(talk, API_FETCH,
		wire_uuid_is_zero(&t->id) ? 12 : INT16_MAX),
	    &q, f);
	if (rc == 0)
		rc = talk_receive(talk, a, r, f);
	if (rc != 0)
		chart_hang_up(c, leader);
	return rc;
}

/* What an answer says of the offset.  EAGAIN: look again, elsewhere. */
static int
take_batch(struct chart *c, size_t topic, int32_t partition, int64_t offset,
    const struct fetch_response *r, struct frame_batch *out, struct fault *f)
{
	const struct fetch_response_responses_partitions *p;
	struct batch b;
	int rc;

	if (r->error_code != 0)
		return chart_is_passing(r->error_code)
		    ? EAGAIN
		    : chart_fail(c, topic, r->error_code, f);
	if (r->responses_count != 1 || r->responses[0].partitions_count != 1)
		return EAGAIN;
	p = &r->responses[0].partitions[0];
	*out = (struct frame_batch){-1, -1, INT32_MAX, 0};
	if (p->error_code == KAFKA_OFFSET_OUT_OF_RANGE)
		return offset < p->log_start_offset || p->log_start_offset < 0
		    ? STATUS_END
		    : 0;
	if (p->error_code != 0)
		return chart_is_passing(p->error_code)
		    ? EAGAIN
		    : chart_fail(c, topic, p->error_code, f);
	rc = find_batch(&p->records, offset, &b);
	if (rc == STATUS_SHORT)
		return 0;
	if (rc != 0)
		return trouble(f, rc, chart_name(c, topic),
		    "partition %d: no batch at offset %lld: %s", (int)partition,
		    (long long)offset, status_text(rc));
	if (b.base_offset > offset)
		return epoch_at(c, topic, partition, offset, b.leader_epoch,
		    &out->leader_epoch, f);
	*out = (struct frame_batch){b.base_offset, b.last_offset,
	    b.leader_epoch, b.crc};
	return 0;
}

int
lister_batch_at(struct chart *c, size_t topic, int32_t partition,
    int64_t offset, const struct lister_patience *w, struct frame_batch *out,
    struct fault *f)
{
	int64_t since_ms = now_mono_ms(), until_ms = since_ms + w->timeout_ms;
	struct fetch_response r;
	struct talk_answer a;
	int rc;

	talk_answer_init(&a);
	for (int tries = 0;; tries++) {
		rc = fetch_one(c, topic, partition, offset, &a, &r, f);
		if (rc == 0)
			rc =
			    take_batch(c, topic, partition, offset, &r, out, f);
		if ((rc != EAGAIN && rc != STATUS_CLUSTER) ||
		    is_over(w, since_ms, rc))
			break;
		chart_pause(tries, until_ms);
		(void)chart_refresh(c, f);
	}
	talk_answer_release(&a);
	return rc == EAGAIN ? lost(c, topic, partition, f) : rc;
}
