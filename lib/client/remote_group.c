#include "client/remote_group.h"

#include <errno.h>
#include <stdlib.h>

#include "base/now.h"
#include "base/status.h"

struct remote_group {
	struct cluster *c;
	struct remote_group_events events;
	rd_kafka_queue_t *queue;	/* rebalances come through it */
	bool settled;
	int64_t deadline_ms;		/* monotonic: to be settled; 0: none */
	int rc;				/* of the last rebalance */
	struct fault fault;
};

/* A queue of its own for a partition, before records come. */
static rd_kafka_queue_t *
queue_of(rd_kafka_t *rk, const rd_kafka_topic_partition_t *p)
{
	rd_kafka_queue_t *queue =
	    rdkafka.queue_get_partition(rk, p->topic, p->partition);

	if (queue != NULL)
		rdkafka.queue_forward(queue, NULL);
	return queue;
}

static int
take(struct remote_group *g, rd_kafka_topic_partition_t *p)
{
	rd_kafka_queue_t *queue = queue_of(g->c->rk, p);

	if (queue == NULL)
		return cluster_fail(g->c, RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION,
		    NULL, &g->fault);
	return g->events.taken(g->events.arg, p->topic, p->partition,
	    p->offset < 0 ? -1 : p->offset, queue, &p->offset);
}

static int
take_all(struct remote_group *g, rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_resp_err_t err =
	    rdkafka.committed(g->c->rk, list, (int)g->c->o.timeout_ms);
	int rc = 0;

	for (int i = 0; err == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; i++)
		err = list->elems[i].err;
	if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
		return cluster_fail(g->c, err, NULL, &g->fault);
	for (int i = 0; rc == 0 && i < list->cnt; i++)
		rc = take(g, &list->elems[i]);
	return rc;
}

static void
give_all(struct remote_group *g, const rd_kafka_topic_partition_list_t *list)
{
	g->events.leaving(g->events.arg);
	for (int i = 0; i < list->cnt; i++)
		g->events.given(g->events.arg, list->elems[i].topic,
		    list->elems[i].partition);
}

static void
on_rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err,
    rd_kafka_topic_partition_list_t *list, void *opaque)
{
	struct remote_group *g = cluster_of(opaque)->arg;

	if (err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && g->rc == 0) {
		g->rc = take_all(g, list);
		g->settled = true;
		g->deadline_ms = 0;
		if (g->rc == 0) {
			rdkafka.assign(rk, list);
			return;
		}
	}
	if (err == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
		give_all(g, list);
		g->settled = false;
	}
	rdkafka.assign(rk, NULL);
}

static int
subscribe(struct remote_group *g, const char *const *topics, size_t count,
    struct fault *f)
{
	rd_kafka_topic_partition_list_t *list =
	    rdkafka.topic_partition_list_new((int)count);
	rd_kafka_resp_err_t err;

	for (size_t i = 0; i < count; i++)
		rdkafka.topic_partition_list_add(list, topics[i],
		    RD_KAFKA_PARTITION_UA);
	err = rdkafka.subscribe(g->c->rk, list);
	rdkafka.topic_partition_list_destroy(list);
	return err == RD_KAFKA_RESP_ERR_NO_ERROR
	    ? 0
	    : cluster_fail(g->c, err, NULL, f);
}

int
remote_group_open(const struct place *place, const struct cluster_options *o,
    bool uncommitted, const char *group, const char *const *topics,
    size_t count, int wake_fd, const struct remote_group_events *events,
    struct remote_group **out, struct fault *f)
{
	static const uint64_t one = 1;
	struct remote_group *g = calloc(1, sizeof(*g));
	const struct cluster_use use = {.uncommitted = uncommitted,
	    .follows = true,
	    .group = group,
	    .rebalance = on_rebalance,
	    .arg = g};
	int rc = g == NULL ? ENOMEM : 0;

	if (rc == 0) {
		g->events = *events;
		rc = cluster_open(place, o, &use, &g->c, f);
	}
	if (rc != 0) {
		free(g);
		return rc;
	}
	/* Who follows can wait for members that are busy. */
	if (wake_fd < 0)
		g->deadline_ms = cluster_deadline_ms(g->c);
	g->queue = rdkafka.queue_get_consumer(g->c->rk);
	if (wake_fd >= 0)
		rdkafka.queue_io_event_enable(g->queue, wake_fd, &one,
		    sizeof(one));
	*out = g;
	rc = subscribe(g, topics, count, f);
	if (rc != 0)
		remote_group_close(g);
	return rc;
}

void
remote_group_close(struct remote_group *g)
{
	if (g == NULL)
		return;
	rdkafka.queue_destroy(g->queue);
	rdkafka.consumer_close(g->c->rk);
	cluster_close(g->c);
	free(g);
}

struct cluster *
remote_group_cluster(struct remote_group *g)
{
	return g->c;
}

bool
remote_group_is_settled(const struct remote_group *g)
{
	return g->settled;
}

/* What came through the member's own queue: never a record. */
static int
take_event(struct remote_group *g, const rd_kafka_message_t *m, struct fault *f)
{
	if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR ||
	    m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF ||
	    cluster_is_passing(m->err))
		return 0;
	return cluster_fail(g->c, m->err, rdkafka.message_errstr(m), f);
}

int
remote_group_poll(struct remote_group *g, int wait_ms, struct fault *f)
{
	rd_kafka_message_t *m = rdkafka.consumer_poll(g->c->rk, wait_ms);
	int rc = 0;

	if (m != NULL) {
		rc = take_event(g, m, f);
		rdkafka.message_destroy(m);
	}
	if (rc == 0 && g->rc != 0) {
		*f = g->fault;
		return g->rc;
	}
	if (rc == 0)
		rc = cluster_check(g->c, f);
	if (g->settled)
		g->c->down_ms = -1;
	else if (rc == 0 && g->deadline_ms != 0 &&
	    now_mono_ms() >= g->deadline_ms)
		rc = cluster_timed_out(g->c, f);
	return rc;
}

int
remote_group_commit(struct remote_group *g,
    const struct remote_group_position *positions, size_t count,
    struct fault *f)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_resp_err_t err;

	if (count == 0)
		return 0;
	list = rdkafka.topic_partition_list_new((int)count);
	for (size_t i = 0; i < count; i++)
		rdkafka
		    .topic_partition_list_add(list, positions[i].topic,
			positions[i].partition)
		    ->offset = positions[i].offset;
	err = rdkafka.commit(g->c->rk, list, 0);
	for (int i = 0; err == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; i++)
		err = list->elems[i].err;
	rdkafka.topic_partition_list_destroy(list);
	switch (err) {
	case RD_KAFKA_RESP_ERR_NO_ERROR:
	case RD_KAFKA_RESP_ERR__NO_OFFSET:
		return 0;
	case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
	case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
	case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
	case RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST:
		return EAGAIN;
	default:
		return cluster_fail(g->c, err, NULL, f);
	}
}
