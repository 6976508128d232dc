#include "client/remote_writer.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/now.h"
#include "base/status.h"

enum {
	/* Waiting for an acknowledgement at most; see add() and sync(). */
	ROOM_KBYTES = 64 << 10,
	ROOM_MESSAGES = 500000,
	WAIT_MS = 200,
	/* Acknowledgements are taken in at least once per so many records. */
	POLL_EACH = 1024,
};

struct remote_writer {
	struct cluster *c;
	rd_kafka_topic_t *topic;
	struct remote_writer_options o;
	uint64_t added;
	rd_kafka_resp_err_t err; /* of the first that failed */
};

static void
on_delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
	struct remote_writer *w = cluster_of(opaque)->arg;

	(void)rk;
	if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
		/* Those that we gave up tell nothing. */
		if (w->err == RD_KAFKA_RESP_ERR_NO_ERROR)
			w->err = m->err;
		return;
	}
	if (w->o.acknowledged != NULL)
		w->o.acknowledged(w->o.arg, (size_t)m->_private, m->offset);
}

static int
set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char why[CLUSTER_WHY_MAX];

	return rdkafka.conf_set(conf, name, value, why, sizeof(why)) ==
		RD_KAFKA_CONF_OK
	    ? 0
	    : EINVAL;
}

static int
set_number(rd_kafka_conf_t *conf, const char *name, int64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)n);
	return set(conf, name, text);
}

/* What the user's -X may say otherwise. */
static int
configure(const struct settings *said, rd_kafka_conf_t *conf, void *arg)
{
	struct remote_writer *w = arg;
	const struct remote_writer_options *o = &w->o;
	bool all = strcmp(o->acks, "all") == 0;
	int64_t message_bytes = (int64_t)o->message_bytes;
	int rc = set(conf, "acks", o->acks);

	(void)said;
	if (rc == 0)
		rc = set(conf, "enable.idempotence", all ? "true" : "false");
	if (rc == 0)
		rc = set(conf, "compression.codec", codec_name(o->codec));
	if (rc == 0 && o->level != INT_MIN)
		rc = set_number(conf, "compression.level", o->level);
	if (message_bytes < 1000)
		message_bytes = 1000;
	if (rc == 0)
		rc = set_number(conf, "message.max.bytes", message_bytes);
	if (rc == 0)
		rc = set_number(conf, "batch.size", (int64_t)o->batch_bytes);
	if (rc == 0)
		rc = set_number(conf, "batch.num.messages", 100000);
	/* Who waits looks at the time; what makes progress may take longer. */
	if (rc == 0)
		rc = set_number(conf, "message.timeout.ms", 0);
	if (rc == 0)
		rc =
		    set_number(conf, "queue.buffering.max.kbytes", ROOM_KBYTES);
	if (rc == 0)
		rc = set_number(conf, "queue.buffering.max.messages",
		    ROOM_MESSAGES);
	return rc;
}

static int
open_topic(struct remote_writer *w, const char *topic, struct fault *f)
{
	w->topic = rdkafka.topic_new(w->c->rk, topic, NULL);
	return w->topic != NULL
	    ? 0
	    : cluster_fail(w->c, rdkafka.last_error(), NULL, f);
}

int
remote_writer_open(const struct place *place, const struct cluster_options *c,
    const struct remote_writer_options *o, struct remote_writer **out,
    struct fault *f)
{
	struct remote_writer *w = calloc(1, sizeof(*w));
	struct cluster_use use = {.producer = true,
	    .delivered = on_delivered,
	    .configure = configure,
	    .arg = w};
	int rc = w == NULL ? ENOMEM : 0;

	if (rc == 0) {
		w->o = *o;
		rc = cluster_open(place, c, &use, &w->c, f);
	}
	if (rc == 0)
		rc = open_topic(w, place->topic, f);
	if (rc == 0)
		*out = w;
	else
		remote_writer_close(w);
	return rc;
}

void
remote_writer_close(struct remote_writer *w)
{
	if (w == NULL)
		return;
	if (w->topic != NULL) {
		if (rdkafka.outq_len(w->c->rk) > 0)
			rdkafka.purge(w->c->rk,
			    RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
		w->o.acknowledged = NULL;
		rdkafka.topic_destroy(w->topic);
	}
	cluster_close(w->c);
	free(w);
}

/* Has one failed?  Then nothing more is sent. */
static int
check(struct remote_writer *w, struct fault *f)
{
	int rc = cluster_check(w->c, f);

	if (w->err == RD_KAFKA_RESP_ERR_NO_ERROR)
		return rc;
	return cluster_fail(w->c, w->err,
	    w->err == RD_KAFKA_RESP_ERR__FATAL ? w->c->why : NULL, f);
}

/* How many were acknowledged or failed since the last call counts as news. */
struct progress {
	int left;
	int64_t since_ms;
};

static int
await_progress(struct remote_writer *w, struct progress *p, struct fault *f)
{
	int left = rdkafka.outq_len(w->c->rk), rc = check(w, f);

	if (rc != 0)
		return rc;
	if (left != p->left) {
		*p = (struct progress){left, now_mono_ms()};
		w->c->down_ms = -1;
	}
	if (now_mono_ms() - p->since_ms >= w->c->o.timeout_ms)
		return cluster_timed_out(w->c, f);
	return 0;
}

/* NULL: it has none.  ENOMEM. */
static int
make_headers(const struct record *rec, rd_kafka_headers_t **out)
{
	struct record_headers it;
	struct record_header h;
	rd_kafka_headers_t *list;

	*out = NULL;
	if (rec->header_count == 0)
		return 0;
	list = rdkafka.headers_new((size_t)rec->header_count);
	record_headers_init(&it, rec);
	while (record_headers_next(&it, &h) == 0) {
		const void *value = bytes_is_null(h.value) ? NULL
		    : h.value.len == 0                     ? ""
				       : (const void *)h.value.data;

		if (rdkafka.header_add(list,
			h.name.len == 0 ? "" : (const char *)h.name.data,
			h.name.len, value, value == NULL ? 0 : h.value.len) !=
		    RD_KAFKA_RESP_ERR_NO_ERROR) {
			rdkafka.headers_destroy(list);
			return ENOMEM;
		}
	}
	*out = list;
	return 0;
}

/* What the library takes for null or empty. */
static void *
data_of(struct bytes b)
{
	if (bytes_is_null(b))
		return NULL;
	return b.len == 0 ? (void *)(uintptr_t) "" : (void *)(uintptr_t)b.data;
}

static size_t
len_of(struct bytes b)
{
	return b.len > 0 ? (size_t)b.len : 0;
}

static rd_kafka_resp_err_t
produce(struct remote_writer *w, const struct record *rec, int32_t partition,
    size_t tag, rd_kafka_headers_t *headers)
{
	void *key = data_of(rec->key), *value = data_of(rec->value);
	void *opaque = (void *)tag;

	if (headers != NULL)
		return rdkafka.producev(w->c->rk, RD_KAFKA_V_RKT(w->topic),
		    RD_KAFKA_V_PARTITION(partition),
		    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
		    RD_KAFKA_V_KEY(key, len_of(rec->key)),
		    RD_KAFKA_V_VALUE(value, len_of(rec->value)),
		    RD_KAFKA_V_TIMESTAMP(rec->timestamp),
		    RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(opaque),
		    RD_KAFKA_V_END);
	return rdkafka.producev(w->c->rk, RD_KAFKA_V_RKT(w->topic),
	    RD_KAFKA_V_PARTITION(partition),
	    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
	    RD_KAFKA_V_KEY(key, len_of(rec->key)),
	    RD_KAFKA_V_VALUE(value, len_of(rec->value)),
	    RD_KAFKA_V_TIMESTAMP(rec->timestamp), RD_KAFKA_V_OPAQUE(opaque),
	    RD_KAFKA_V_END);
}

int
remote_writer_add(struct remote_writer *w, const struct record *rec,
    int32_t partition, size_t tag, struct fault *f)
{
	struct progress progress = {-1, 0};
	rd_kafka_headers_t *headers;
	rd_kafka_resp_err_t err;
	int rc = make_headers(rec, &headers);

	if (rc == 0 && ++w->added % POLL_EACH == 0)
		rc = check(w, f);
	while (rc == 0) {
		err = produce(w, rec, partition, tag, headers);
		if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
			return 0;
		if (err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
			rc = STATUS_TOO_BIG;
		} else if (err == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
			rc = await_progress(w, &progress, f);
			if (rc == 0)
				rdkafka.poll(w->c->rk, WAIT_MS);
		} else {
			rc = check(w, f);
			if (rc == 0)
				rc = cluster_fail(w->c, err, NULL, f);
		}
	}
	if (headers != NULL)
		rdkafka.headers_destroy(headers);
	return rc;
}

int
remote_writer_sync(struct remote_writer *w, struct fault *f)
{
	struct progress progress = {-1, 0};
	int rc;

	while (rdkafka.outq_len(w->c->rk) > 0) {
		rc = await_progress(w, &progress, f);
		if (rc != 0)
			return rc;
		/* This sends at once what waits for more to come. */
		(void)rdkafka.flush(w->c->rk, WAIT_MS);
	}
	return check(w, f);
}
