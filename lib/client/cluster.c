#include "client/cluster.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/now.h"
#include "base/plain.h"
#include "base/status.h"

enum {
	/* How long one wait of the library's lasts: a signal is seen then. */
	SLICE_MS = 200,
	/* A request that is asked again after so long, then twice that. */
	FIRST_TRY_MS = 1000,
};

struct cluster *
cluster_of(void *opaque)
{
	return opaque;
}

/* --- what the library tells ---------------------------------------------- */

enum { LOG_LINE_MAX = 2048 };

static void
on_error(rd_kafka_t *rk, int err, const char *reason, void *opaque)
{
	struct cluster *c = cluster_of(opaque);
	char fatal[CLUSTER_WHY_MAX];

	switch (err) {
	case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
		if (c->down_ms < 0)
			c->down_ms = now_mono_ms();
		if (c->why[0] == '\0')
			strlcpy(c->why, reason, sizeof(c->why));
		return;
	case RD_KAFKA_RESP_ERR__FATAL:
		if (rdkafka.fatal_error(rk, fatal, sizeof(fatal)) != 0)
			strlcpy(c->why, fatal, sizeof(c->why));
		return;
	case RD_KAFKA_RESP_ERR__AUTHENTICATION:
	case RD_KAFKA_RESP_ERR__SSL:
		c->refused = true;
		break;
	}
	strlcpy(c->why, reason, sizeof(c->why));
}

static void
on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	char line[LOG_LINE_MAX];

	(void)rk;
	(void)level;
	plain_line(text, line, sizeof(line));
	fprintf(stderr, "librdkafka: %s: %s\n", facility, line);
}

static void
on_quiet_log(const rd_kafka_t *rk, int level, const char *facility,
    const char *text)
{
	(void)rk;
	(void)level;
	(void)facility;
	(void)text;
}

/* The words of the last error: they outlive what it happened to. */
static char told[CLUSTER_WHY_MAX];

static int
tell(const char *subject, const char *what, struct fault *f)
{
	plain_line(what, told, sizeof(told));
	return status_fault(f, STATUS_CLUSTER, subject, -1, -1, told);
}

/* --- opening -------------------------------------------------------------- */

struct row {
	const char *name;
	const char *value;
};

/* What the user may say otherwise. */
static const struct row usual[] = {
    {"client.id", "logkit"},
    {"allow.auto.create.topics", "false"},
    {"check.crcs", "true"},
    {"queued.max.messages.kbytes", "4096"},
    {"fetch.error.backoff.ms", "100"},
    /* Others take over from a member that was killed. */
    {"session.timeout.ms", "10000"},
    {"socket.keepalive.enable", "true"},
    {"api.version.request", "true"},
    {NULL, NULL},
};

/* And what not. */
static const struct row always[] = {
    {"enable.partition.eof", "true"},
    {"enable.auto.commit", "false"},
    {"enable.auto.offset.store", "false"},
    {"auto.offset.reset", "error"},
    {NULL, NULL},
};

static int
set(rd_kafka_conf_t *conf, const char *name, const char *value, struct fault *f)
{
	char why[CLUSTER_WHY_MAX];

	if (rdkafka.conf_set(conf, name, value, why, sizeof(why)) ==
	    RD_KAFKA_CONF_OK)
		return 0;
	return tell(name, why, f);
}

static int
set_rows(rd_kafka_conf_t *conf, const struct row *rows, struct fault *f)
{
	int rc = 0;

	for (; rc == 0 && rows->name != NULL; rows++)
		rc = set(conf, rows->name, rows->value, f);
	return rc;
}

/* kafka+tls:// with a login is not the same protocol as without. */
static const char *
protocol(const struct place *place, const struct settings *s)
{
	const char *said = settings_get(s, "security.protocol");

	if (!place->tls)
		return said;
	if (said != NULL && strncasecmp(said, "sasl", 4) == 0)
		return "sasl_ssl";
	return "ssl";
}

static int
configure(rd_kafka_conf_t *conf, const struct place *place,
    const struct cluster_use *use, struct cluster *c, struct fault *f)
{
	const struct settings *s = c->o.settings;
	const char *security = protocol(place, s);
	/*
	 * A broker holds a request back as long as it has nothing to give, and
	 * those for other partitions with it.
	 */
	const char *wait_ms = use->follows ? "100" : "10";
	int rc = set_rows(conf, usual, f);

	if (rc == 0 && !use->producer)
		rc = set(conf, "fetch.wait.max.ms", wait_ms, f);
	if (rc == 0 && use->configure != NULL)
		rc = use->configure(s, conf, use->arg);
	for (size_t i = 0; rc == 0 && i < s->count; i++)
		rc = set(conf, s->pairs[i].name, s->pairs[i].value, f);
	if (rc == 0)
		rc = set_rows(conf, always, f);
	if (rc == 0 && security != NULL)
		rc = set(conf, "security.protocol", security, f);
	if (rc == 0)
		rc = set(conf, "bootstrap.servers", place->brokers, f);
	if (rc == 0)
		rc = set(conf, "isolation.level",
		    use->uncommitted ? "read_uncommitted" : "read_committed",
		    f);
	if (rc == 0 && use->group != NULL)
		rc = set(conf, "group.id", use->group, f);
	rdkafka.conf_set_opaque(conf, c);
	rdkafka.conf_set_error_cb(conf, on_error);
	rdkafka.conf_set_log_cb(conf, c->o.verbose ? on_log : on_quiet_log);
	if (use->rebalance != NULL)
		rdkafka.conf_set_rebalance_cb(conf, use->rebalance);
	if (use->delivered != NULL)
		rdkafka.conf_set_dr_msg_cb(conf, use->delivered);
	return rc;
}

static int
open_handle(struct cluster *c, const struct place *place,
    const struct cluster_use *use, struct fault *f)
{
	rd_kafka_conf_t *conf = rdkafka.conf_new();
	int rc = configure(conf, place, use, c, f);

	if (rc == 0)
		c->rk = rdkafka.new(use->producer ? RD_KAFKA_PRODUCER
						  : RD_KAFKA_CONSUMER,
		    conf, c->why, sizeof(c->why));
	if (c->rk != NULL)
		return 0;
	/* Else it belongs to the handle. */
	rdkafka.conf_destroy(conf);
	return rc != 0 ? rc : tell(c->name, c->why, f);
}

int
cluster_check_settings(const struct settings *s, struct fault *f)
{
	rd_kafka_conf_t *conf;
	int rc = rdkafka_load();

	if (rc != 0)
		return status_fault(f, rc, "", -1, -1, rdkafka_why());
	conf = rdkafka.conf_new();
	for (size_t i = 0; rc == 0 && i < s->count; i++)
		rc = set(conf, s->pairs[i].name, s->pairs[i].value, f);
	rdkafka.conf_destroy(conf);
	return rc == 0 ? 0 : STATUS_SYNTAX;
}

int
cluster_open(const struct place *place, const struct cluster_options *o,
    const struct cluster_use *use, struct cluster **out, struct fault *f)
{
	struct cluster *c;
	int rc = rdkafka_load();

	if (rc != 0)
		return status_fault(f, rc, "", -1, -1, rdkafka_why());
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return ENOMEM;
	c->o = *o;
	c->arg = use->arg;
	c->down_ms = -1;
	snprintf(c->name, sizeof(c->name), "kafka%s://%.240s%s%s",
	    place->tls ? "+tls" : "", place->brokers,
	    place->topic[0] != '\0' ? "/" : "", place->topic);
	rc = open_handle(c, place, use, f);
	if (rc != 0) {
		free(c);
		return rc;
	}
	*out = c;
	return 0;
}

void
cluster_close(struct cluster *c)
{
	if (c == NULL)
		return;
	if (c->rk != NULL)
		rdkafka.destroy(c->rk);
	free(c);
}

/* --- errors --------------------------------------------------------------- */

void
cluster_poll(struct cluster *c)
{
	rdkafka.poll(c->rk, 0);
}

bool
cluster_is_stopped(const struct cluster *c)
{
	return c->o.stop != NULL && *c->o.stop != 0;
}

int
cluster_fail(struct cluster *c, rd_kafka_resp_err_t err, const char *text,
    struct fault *f)
{
	switch (err) {
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
		return status_fault(f, STATUS_NO_TOPIC, c->name, -1, -1, NULL);
	case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS:
		return status_fault(f, STATUS_EXISTS, c->name, -1, -1, NULL);
	case RD_KAFKA_RESP_ERR__TIMED_OUT:
	case RD_KAFKA_RESP_ERR__TRANSPORT:
	case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
	case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
		return cluster_timed_out(c, f);
	default:
		break;
	}
	if (text == NULL || *text == '\0')
		text = rdkafka.err2str(err);
	return tell(c->name, text, f);
}

int
cluster_timed_out(struct cluster *c, struct fault *f)
{
	char what[CLUSTER_WHY_MAX];

	snprintf(what, sizeof(what), "no answer within %lld ms%s%.400s",
	    (long long)c->o.timeout_ms, c->why[0] != '\0' ? ": " : "", c->why);
	return tell(c->name, what, f);
}

int
cluster_check(struct cluster *c, struct fault *f)
{
	cluster_poll(c);
	if (c->refused)
		return tell(c->name, c->why, f);
	if (c->down_ms >= 0 && now_mono_ms() - c->down_ms >= c->o.timeout_ms)
		return cluster_timed_out(c, f);
	return 0;
}

bool
cluster_is_passing(rd_kafka_resp_err_t err)
{
	switch (err) {
	case RD_KAFKA_RESP_ERR__TIMED_OUT:
	case RD_KAFKA_RESP_ERR__TRANSPORT:
	case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
	case RD_KAFKA_RESP_ERR__RESOLVE:
	case RD_KAFKA_RESP_ERR__WAIT_COORD:
	case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
	case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
	case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
	case RD_KAFKA_RESP_ERR_NETWORK_EXCEPTION:
	case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
	case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
	case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
	case RD_KAFKA_RESP_ERR_OFFSET_NOT_AVAILABLE:
		return true;
	default:
		return false;
	}
}

/* --- asking --------------------------------------------------------------- */

int64_t
cluster_deadline_ms(const struct cluster *c)
{
	return now_mono_ms() + c->o.timeout_ms;
}

int
cluster_slice_ms(int64_t deadline_ms)
{
	int64_t left_ms = deadline_ms - now_mono_ms();

	if (left_ms < 0)
		return 0;
	return left_ms < SLICE_MS ? (int)left_ms : SLICE_MS;
}

/* A question that is put again until it is answered or the time is over. */
struct question {
	rd_kafka_resp_err_t (*ask)(struct cluster *c, void *arg, int wait_ms);
	void *arg;
};

static int
ask(struct cluster *c, const struct question *q, struct fault *f)
{
	int64_t deadline_ms = cluster_deadline_ms(c);
	int64_t try_ms = FIRST_TRY_MS, left_ms;
	rd_kafka_resp_err_t err;
	int rc;

	for (;;) {
		left_ms = deadline_ms - now_mono_ms();
		if (left_ms < 1)
			return cluster_timed_out(c, f);
		err = q->ask(c, q->arg,
		    (int)(try_ms < left_ms ? try_ms : left_ms));
		rc = cluster_check(c, f);
		if (err == RD_KAFKA_RESP_ERR_NO_ERROR) {
			c->down_ms = -1;
			return 0;
		}
		if (rc != 0)
			return rc;
		if (cluster_is_stopped(c))
			return EINTR;
		if (!cluster_is_passing(err))
			return cluster_fail(c, err, NULL, f);
		if (err != RD_KAFKA_RESP_ERR__TIMED_OUT) {
			rdkafka.poll(c->rk, cluster_slice_ms(deadline_ms));
			continue;
		}
		try_ms *= 2;
	}
}

struct metadata_question {
	const struct rd_kafka_metadata *md;
	const char *topic;	/* whose partitions must have leaders; NULL */
};

/* Has every partition of it a leader that is known? */
static bool
is_complete(const struct rd_kafka_metadata_topic *t)
{
	return t->err != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
}

static const struct rd_kafka_metadata_topic *
find_topic(const struct rd_kafka_metadata *md, const char *topic)
{
	for (int i = 0; i < md->topic_cnt; i++)
		if (strcmp(md->topics[i].topic, topic) == 0)
			return &md->topics[i];
	return NULL;
}

static rd_kafka_resp_err_t
ask_metadata(struct cluster *c, void *arg, int wait_ms)
{
	struct metadata_question *q = arg;
	const struct rd_kafka_metadata_topic *t;
	rd_kafka_resp_err_t err =
	    rdkafka.metadata(c->rk, 1, NULL, &q->md, wait_ms);

	if (err != RD_KAFKA_RESP_ERR_NO_ERROR || q->topic == NULL)
		return err;
	t = find_topic(q->md, q->topic);
	if (t == NULL || t->err == RD_KAFKA_RESP_ERR_NO_ERROR)
		return RD_KAFKA_RESP_ERR_NO_ERROR;
	err = is_complete(t) ? t->err : RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
	rdkafka.metadata_destroy(q->md);
	return err;
}

int
cluster_partitions(struct cluster *c, const char *topic, int32_t *count,
    struct fault *f)
{
	struct metadata_question q = {NULL, topic};
	const struct rd_kafka_metadata_topic *t;
	int rc = ask(c, &(struct question){ask_metadata, &q}, f);

	if (rc != 0)
		return rc;
	t = find_topic(q.md, topic);
	if (t == NULL || t->partition_cnt == 0)
		rc = cluster_fail(c, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
		    NULL, f);
	else
		*count = t->partition_cnt;
	rdkafka.metadata_destroy(q.md);
	return rc;
}

static bool
is_internal(const char *topic)
{
	return strcmp(topic, "__consumer_offsets") == 0 ||
	    strcmp(topic, "__transaction_state") == 0 ||
	    strcmp(topic, "__share_group_state") == 0;
}

int
cluster_each_topic(struct cluster *c,
    int (*fn)(const char *topic, int32_t partitions, void *arg), void *arg,
    struct fault *f)
{
	struct metadata_question q = {NULL, NULL};
	int rc = ask(c, &(struct question){ask_metadata, &q}, f);

	if (rc != 0)
		return rc;
	for (int i = 0; rc == 0 && i < q.md->topic_cnt; i++)
		if (!is_internal(q.md->topics[i].topic))
			rc = fn(q.md->topics[i].topic,
			    q.md->topics[i].partition_cnt, arg);
	rdkafka.metadata_destroy(q.md);
	return rc;
}

struct offsets_question {
	const char *topic;
	int32_t partition;
	int64_t start;
	int64_t end;
	int64_t time_ms;
	int64_t offset;
};

static rd_kafka_resp_err_t
ask_offsets(struct cluster *c, void *arg, int wait_ms)
{
	struct offsets_question *q = arg;

	return rdkafka.query_watermark_offsets(c->rk, q->topic, q->partition,
	    &q->start, &q->end, wait_ms);
}

int
cluster_offsets(struct cluster *c, const char *topic, int32_t partition,
    int64_t *start, int64_t *end, struct fault *f)
{
	struct offsets_question q = {.topic = topic, .partition = partition};
	int rc = ask(c, &(struct question){ask_offsets, &q}, f);

	if (rc != 0)
		return rc;
	*start = q.start;
	*end = q.end;
	return 0;
}

static rd_kafka_resp_err_t
ask_offset_at(struct cluster *c, void *arg, int wait_ms)
{
	struct offsets_question *q = arg;
	rd_kafka_topic_partition_list_t *list =
	    rdkafka.topic_partition_list_new(1);
	rd_kafka_topic_partition_t *p =
	    rdkafka.topic_partition_list_add(list, q->topic, q->partition);
	rd_kafka_resp_err_t err;

	p->offset = q->time_ms;
	err = rdkafka.offsets_for_times(c->rk, list, wait_ms);
	if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
		err = p->err;
	q->offset = p->offset;
	rdkafka.topic_partition_list_destroy(list);
	return err;
}

int
cluster_offset_at(struct cluster *c, const char *topic, int32_t partition,
    int64_t time_ms, int64_t end, int64_t *offset, struct fault *f)
{
	struct offsets_question q = {.topic = topic,
	    .partition = partition,
	    /* Below 0 are other questions. */
	    .time_ms = time_ms < 0 ? 0 : time_ms};
	int rc = ask(c, &(struct question){ask_offset_at, &q}, f);

	if (rc != 0)
		return rc;
	*offset = q.offset < 0 || q.offset > end ? end : q.offset;
	return 0;
}
