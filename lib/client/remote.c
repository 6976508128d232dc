#include "client/remote.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/buf.h"
#include "base/now.h"
#include "base/siphash.h"
#include "base/status.h"

enum {
	TAKE_MAX = 512,		/* messages taken from the library at once */
	LOOK_MS = 5000,		/* between two looks for new partitions */
	/* How long a wait for records is without a look at what went wrong. */
	WAIT_MS = 100,
	NUDGE_MS = 2,
};

struct remote_topic {
	struct cluster *c;
	rd_kafka_topic_t *topic;
	char name[TOPIC_NAME_MAX + 1];
	int32_t count;
	int64_t look_ms;	/* monotonic: when count was asked for */
	int wake_fd;
	bool missed;		/* it was not there at the last look */
	bool removed;
};

struct remote_partition {
	struct cluster *c;	/* not owned */
	rd_kafka_topic_t *topic; /* not owned; NULL: a member's */
	bool *removed;		/* not owned */
	char name[TOPIC_NAME_MAX + 1];
	int32_t number;
	int64_t start;
	int64_t end;
	int64_t next;		/* after all that was given or passed over */
	rd_kafka_queue_t *queue; /* owned */
	bool running;		/* the library fetches it */
	rd_kafka_message_t *taken[TAKE_MAX];
	size_t count;
	size_t at;		/* of those, the next; the one before is out */
	struct buf headers;	/* of the record that was given */
};

/* --- topics --------------------------------------------------------------- */

int
remote_topic_open(const struct place *place, const struct cluster_options *o,
    bool uncommitted, int wake_fd, struct remote_topic **out, struct fault *f)
{
	const struct cluster_use use = {.uncommitted = uncommitted,
	    .follows = wake_fd >= 0};
	struct remote_topic *t = calloc(1, sizeof(*t));
	int rc = t == NULL ? ENOMEM : 0;

	if (rc == 0)
		rc = cluster_open(place, o, &use, &t->c, f);
	if (rc == 0)
		rc = cluster_partitions(t->c, place->topic, &t->count, f);
	if (rc == 0) {
		strlcpy(t->name, place->topic, sizeof(t->name));
		t->wake_fd = wake_fd;
		t->look_ms = now_mono_ms();
		t->topic = rdkafka.topic_new(t->c->rk, t->name, NULL);
		if (t->topic == NULL)
			rc = cluster_fail(t->c, rdkafka.last_error(), NULL, f);
	}
	if (rc == 0) {
		*out = t;
		return 0;
	}
	remote_topic_close(t);
	return rc;
}

void
remote_topic_close(struct remote_topic *t)
{
	if (t == NULL)
		return;
	if (t->topic != NULL)
		rdkafka.topic_destroy(t->topic);
	cluster_close(t->c);
	free(t);
}

const char *
remote_topic_name(const struct remote_topic *t)
{
	return t->name;
}

int32_t
remote_topic_count(const struct remote_topic *t)
{
	return t->count;
}

bool
remote_topic_is_removed(const struct remote_topic *t)
{
	return t->removed;
}

int32_t
remote_topic_look(struct remote_topic *t)
{
	struct fault f;
	int32_t count;

	if (now_mono_ms() - t->look_ms < LOOK_MS)
		return t->count;
	switch (cluster_partitions(t->c, t->name, &count, &f)) {
	case 0:
		t->missed = false;
		if (count > t->count)
			t->count = count;
		break;
	case STATUS_NO_TOPIC:
		/* One broker may not know it yet, or for a moment. */
		t->removed = t->missed;
		t->missed = true;
		break;
	}
	t->look_ms = now_mono_ms();
	return t->count;
}

void
remote_topic_id(const struct remote_topic *t, char id[TOPIC_ID_LEN + 1])
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz"
				      "0123456789-_";
	static const uint64_t key[2] = {0x6c6f676b69742f69, 0x6400000000000001};
	char text[1024];
	char *cluster = rdkafka.clusterid(t->c->rk, WAIT_MS);
	struct siphash h;

	snprintf(text, sizeof(text), "%s/%s",
	    cluster == NULL ? t->c->name : cluster, t->name);
	if (cluster != NULL)
		rdkafka.mem_free(t->c->rk, cluster);
	h = siphash_128(key, text, strlen(text));
	for (int i = 0; i < TOPIC_ID_LEN; i++) {
		uint64_t *half = i % 2 == 0 ? &h.low : &h.high;

		/* The first is never a minus. */
		id[i] = letters[*half & (i == 0 ? 31 : 63)];
		*half >>= 6;
	}
	id[TOPIC_ID_LEN] = '\0';
}

/* --- partitions ----------------------------------------------------------- */

static int
new_partition(struct cluster *c, const char *topic, int32_t number,
    struct remote_partition **out, struct fault *f)
{
	struct remote_partition *p = calloc(1, sizeof(*p));
	int rc;

	if (p == NULL)
		return ENOMEM;
	p->c = c;
	p->number = number;
	strlcpy(p->name, topic, sizeof(p->name));
	buf_init(&p->headers, RECORDS_BYTES_MAX);
	rc = cluster_offsets(c, topic, number, &p->start, &p->end, f);
	p->next = p->start;
	if (rc == 0)
		*out = p;
	else
		free(p);
	return rc;
}

/* Tell fd that records have come; the number is what eventfd(2) adds. */
static void
wake_by(rd_kafka_queue_t *queue, int fd)
{
	static const uint64_t one = 1;

	if (fd >= 0)
		rdkafka.queue_io_event_enable(queue, fd, &one, sizeof(one));
}

int
remote_partition_open(struct remote_topic *t, int32_t number,
    struct remote_partition **out, struct fault *f)
{
	int rc = new_partition(t->c, t->name, number, out, f);

	if (rc != 0)
		return rc;
	(*out)->topic = t->topic;
	(*out)->removed = &t->removed;
	(*out)->queue = rdkafka.queue_new(t->c->rk);
	wake_by((*out)->queue, t->wake_fd);
	return 0;
}

int
remote_partition_of_member(struct remote_topic *t, struct cluster *c,
    int32_t number, rd_kafka_queue_t *queue, struct remote_partition **out,
    struct fault *f)
{
	int rc = new_partition(c, t->name, number, out, f);

	if (rc != 0) {
		rdkafka.queue_destroy(queue);
		return rc;
	}
	(*out)->removed = &t->removed;
	(*out)->queue = queue;
	wake_by(queue, t->wake_fd);
	return 0;
}

static void
drop_taken(struct remote_partition *p)
{
	/* The one that is out may be among them. */
	for (size_t i = p->at > 0 ? p->at - 1 : 0; i < p->count; i++)
		rdkafka.message_destroy(p->taken[i]);
	p->count = p->at = 0;
}

static void
stop(struct remote_partition *p)
{
	if (p->running && p->topic != NULL)
		rdkafka.consume_stop(p->topic, p->number);
	p->running = false;
}

void
remote_partition_close(struct remote_partition *p)
{
	if (p == NULL)
		return;
	stop(p);
	drop_taken(p);
	rdkafka.queue_destroy(p->queue);
	buf_release(&p->headers);
	free(p);
}

void
remote_partition_bounds(const struct remote_partition *p, int64_t *start,
    int64_t *end)
{
	*start = p->start;
	*end = p->end;
}

static int64_t
clamp(const struct remote_partition *p, int64_t offset, int *clamped)
{
	if (clamped != NULL)
		*clamped = offset < p->start ? -1 : offset > p->end ? 1 : 0;
	if (offset < p->start)
		return p->start;
	return offset > p->end ? p->end : offset;
}

int
remote_partition_resolve(struct remote_partition *p, const struct position *pos,
    int64_t stored, int64_t *offset, int *clamped, struct fault *f)
{
	int rc = 0;

	if (clamped != NULL)
		*clamped = 0;
	switch (pos->kind) {
	case POSITION_START:
		*offset = p->start;
		break;
	case POSITION_END:
		*offset = p->end;
		break;
	case POSITION_TIME:
		rc = cluster_offset_at(p->c, p->name, p->number, pos->n, p->end,
		    offset, f);
		break;
	case POSITION_BACK:
		*offset = clamp(p, p->end - pos->n, NULL);
		break;
	case POSITION_OFFSET:
		*offset = clamp(p, pos->n, clamped);
		break;
	case POSITION_STORED:
		*offset = clamp(p, stored, clamped);
		break;
	}
	return rc;
}

/* --- the feed ------------------------------------------------------------- */

static int
start(struct remote_partition *p, struct fault *f)
{
	if (p->running || p->topic == NULL)
		return 0;
	if (rdkafka.consume_start_queue(p->topic, p->number, p->next,
		p->queue) != 0)
		return cluster_fail(p->c, rdkafka.last_error(), NULL, f);
	p->running = true;
	return 0;
}

/* A place of this partition, for messages. */
static int
tell(const struct remote_partition *p, int rc, int64_t offset, const char *what,
    struct fault *f)
{
	char name[sizeof(f->file)];

	snprintf(name, sizeof(name), "%.400s/%d", p->c->name, (int)p->number);
	return status_fault(f, rc, name, -1, offset, what);
}

/* A member's partition is fetched all the time: from elsewhere now. */
static int
move_member(struct remote_partition *p, struct fault *f)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_error_t *error;
	int rc = 0;

	if (p->topic != NULL)
		return 0;
	list = rdkafka.topic_partition_list_new(1);
	rdkafka.topic_partition_list_add(list, p->name, p->number)->offset =
	    p->next;
	error =
	    rdkafka.seek_partitions(p->c->rk, list, (int)p->c->o.timeout_ms);
	if (error != NULL) {
		rc = cluster_fail(p->c, rdkafka.error_code(error),
		    rdkafka.error_string(error), f);
		rdkafka.error_destroy(error);
	}
	rdkafka.topic_partition_list_destroy(list);
	return rc;
}

/* Retention has overtaken us: go on at the first record left. */
static int
catch_up(struct remote_partition *p, struct fault *f)
{
	int64_t end, was = p->next;
	int rc;

	stop(p);
	drop_taken(p);
	rc = cluster_offsets(p->c, p->name, p->number, &p->start, &end, f);
	if (rc != 0)
		return rc;
	/* Beyond the end is where a log was cut short, or made anew. */
	p->next = was > end ? end : p->start;
	if (was > end || end > p->end)
		p->end = end;
	rc = move_member(p, f);
	if (rc != 0)
		return rc;
	if (was > end)
		return tell(p, STATUS_CORRUPT, was,
		    "the log ends before what was read", f);
	return tell(p, STATUS_OFFSET, p->next, "records are gone", f);
}

/* What came in place of a record.  0: nothing that matters. */
static int
take_event(struct remote_partition *p, const rd_kafka_message_t *m,
    struct fault *f)
{
	switch (m->err) {
	case RD_KAFKA_RESP_ERR__PARTITION_EOF:
		/* What is hidden before it counts as passed over. */
		if (m->offset > p->next)
			p->next = m->offset;
		return 0;
	case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
	case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
		return catch_up(p, f);
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
		*p->removed = true;
		return tell(p, STATUS_REMOVED, p->next, "removed", f);
	case RD_KAFKA_RESP_ERR__BAD_MSG:
	case RD_KAFKA_RESP_ERR__BAD_COMPRESSION:
		return tell(p, STATUS_CORRUPT, m->offset,
		    "crc does not match, or it cannot be unpacked", f);
	default:
		if (cluster_is_passing(m->err))
			return 0;
		return cluster_fail(p->c, m->err, rdkafka.message_errstr(m), f);
	}
}

static struct bytes
bytes_from(const void *data, size_t len)
{
	if (data == NULL)
		return BYTES_NULL;
	return (struct bytes){data, (int32_t)len};
}

/* Headers as they stand in a batch. */
static int
take_headers(struct remote_partition *p, const rd_kafka_message_t *m,
    struct record *out)
{
	rd_kafka_headers_t *list;
	const char *name;
	const void *value;
	size_t len;
	int rc = 0;

	p->headers.len = 0;
	if (rdkafka.message_headers(m, &list) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return 0;
	for (size_t i = 0; rc == 0 &&
	     rdkafka.header_get_all(list, i, &name, &value, &len) ==
		 RD_KAFKA_RESP_ERR_NO_ERROR;
	     i++) {
		rc = record_headers_add(&p->headers, bytes_of(name),
		    bytes_from(value, len));
		out->header_count++;
	}
	out->headers = p->headers.data;
	out->headers_len = p->headers.len;
	return rc;
}

static int
take_record(struct remote_partition *p, const rd_kafka_message_t *m,
    struct record *out)
{
	rd_kafka_timestamp_type_t type;

	*out = (struct record){.offset = m->offset,
	    .timestamp = rdkafka.message_timestamp(m, &type),
	    .key = bytes_from(m->key, m->key_len),
	    .value = bytes_from(m->payload, m->len)};
	p->next = m->offset + 1;
	return take_headers(p, m, out);
}

/*
 * The library's thread that had fetched enough sleeps for up to a second,
 * however fast that was taken.  A request wakes it; its answer does not matter.
 */
static void
nudge(struct remote_partition *p)
{
	int64_t start, end;

	(void)rdkafka.query_watermark_offsets(p->c->rk, p->name, p->number,
	    &start, &end, 0);
}

/* Into the place of the first; how many came. */
static ssize_t
wait_for_one(struct remote_partition *p)
{
	p->taken[0] = rdkafka.consume_queue(p->queue, NUDGE_MS);
	if (p->taken[0] == NULL) {
		nudge(p);
		p->taken[0] = rdkafka.consume_queue(p->queue, WAIT_MS);
	}
	return p->taken[0] != NULL;
}

/*
 * Take what the library has; wait for it where that is ours to do.
 * STATUS_END: there is nothing.
 */
static int
fill(struct remote_partition *p, struct fault *f)
{
	int64_t deadline_ms = cluster_deadline_ms(p->c);
	bool waits = p->topic != NULL && p->next < p->end;
	ssize_t n;
	int rc;

	drop_taken(p);
	for (;;) {
		/* A batch that is waited for would be waited for until full. */
		n = rdkafka.consume_batch_queue(p->queue, 0, p->taken,
		    TAKE_MAX);
		if (n <= 0 && waits)
			n = wait_for_one(p);
		if (n > 0) {
			p->count = (size_t)n;
			p->c->down_ms = -1;
			return 0;
		}
		rc = cluster_check(p->c, f);
		if (rc != 0)
			return rc;
		if (!waits || cluster_is_stopped(p->c))
			return STATUS_END;
		if (now_mono_ms() >= deadline_ms)
			return cluster_timed_out(p->c, f);
	}
}

static int
feed_next(void *arg, int64_t to, struct record *out, struct fault *f)
{
	struct remote_partition *p = arg;
	const rd_kafka_message_t *m;
	int rc;

	for (;;) {
		if (p->next >= to) {
			stop(p);
			drop_taken(p);
			return STATUS_END;
		}
		rc = start(p, f);
		if (rc == 0 && p->at == p->count)
			rc = fill(p, f);
		if (rc != 0)
			return rc;
		if (p->at > 0)
			rdkafka.message_destroy(p->taken[p->at - 1]);
		m = p->taken[p->at++];
		if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
			rc = take_event(p, m, f);
			if (rc != 0)
				return rc;
			continue;
		}
		if (m->offset < p->next)
			continue;
		if (m->offset >= to) {
			p->next = to;
			continue;
		}
		return take_record(p, m, out);
	}
}

static int
feed_seek(void *arg, int64_t offset, struct fault *f)
{
	struct remote_partition *p = arg;

	(void)f;
	if (offset == p->next)
		return 0;
	stop(p);
	drop_taken(p);
	p->next = offset;
	return 0;
}

static int64_t
feed_offset(void *arg)
{
	const struct remote_partition *p = arg;

	return p->next;
}

static int64_t
feed_end(void *arg)
{
	const struct remote_partition *p = arg;

	return p->end;
}

static void
feed_close(void *arg)
{
	remote_partition_close(arg);
}

void
remote_partition_feed(struct remote_partition *p, struct stream_feed *out)
{
	*out = (struct stream_feed){
	    .arg = p,
	    .next = feed_next,
	    .seek = feed_seek,
	    .offset = feed_offset,
	    .end = feed_end,
	    .close = feed_close,
	};
}
