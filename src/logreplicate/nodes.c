#include "nodes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bounds.h"
#include "base/now.h"
#include "base/status.h"
#include "direct/chart.h"
#include "direct/login.h"
#include "direct/trouble.h"
#include "kafka/error.h"
#include "kafka/messages.h"
#include "net/addr.h"
#include "store/cluster_id.h"
#include "store/properties.h"

enum {
	/* Versions in which topics have names, and answers one shape. */
	METADATA_MAX = 12,
	FIND_COORDINATOR_MAX = 3,
	LOOK_AGAIN_MS = 100,
	VALUE_LEN = 128,
};

struct node {
	int32_t id;
	char host[ADDR_HOST_MAX + 1];
	uint16_t port;
	struct talk *ask;	/* NULL: not connected */
	struct talk *produce;
};

struct nodes {
	struct login *login;
	struct talk_options options;
	struct talk *any;
	struct talk_answer answer;
	struct node *list;
	size_t count;
	int32_t controller;
	struct talk *group;	/* NULL: not asked for */
};

int
nodes_refused(const char *what, int code, struct fault *f)
{
	return trouble(f, STATUS_CLUSTER, what, "%s", error_text(code));
}

int
nodes_open(const struct place *place, const struct settings *settings,
    int64_t timeout_ms, struct nodes **out, struct fault *f)
{
	struct nodes *n = calloc(1, sizeof(*n));
	int rc;

	if (n == NULL)
		return ENOMEM;
	talk_answer_init(&n->answer);
	n->controller = -1;
	rc = login_new(settings, place, &n->login, f);
	/* A fetch of one large batch comes in whole. */
	n->options = (struct talk_options){.login = n->login,
	    .timeout_ms = timeout_ms,
	    .answer_max = BATCH_BYTES_MAX + TALK_ANSWER_MAX};
	if (rc == 0)
		rc = talk_open_any(&n->options, place->brokers, &n->any, f);
	if (rc != 0) {
		nodes_close(n);
		return rc;
	}
	*out = n;
	return 0;
}

void
nodes_close(struct nodes *n)
{
	if (n == NULL)
		return;
	for (size_t i = 0; i < n->count; i++) {
		talk_close(n->list[i].ask);
		talk_close(n->list[i].produce);
	}
	free(n->list);
	talk_close(n->group);
	talk_close(n->any);
	talk_answer_release(&n->answer);
	login_free(n->login);
	free(n);
}

struct talk *
nodes_any(struct nodes *n)
{
	return n->any;
}

/* --- who there is --------------------------------------------------------- */

static struct node *
find_node(struct nodes *n, int32_t id)
{
	for (size_t i = 0; i < n->count; i++)
		if (n->list[i].id == id)
			return &n->list[i];
	return NULL;
}

static int
add_node(struct nodes *n, int32_t id)
{
	struct node *more;

	if (n->count == NODES_MAX)
		return STATUS_TOO_BIG;
	more = reallocarray(n->list, n->count + 1, sizeof(*more));
	if (more == NULL)
		return ENOMEM;
	n->list = more;
	n->list[n->count++] = (struct node){.id = id};
	return 0;
}

/* Host and port of what is told; false: it is none. */
static bool
copy_address(struct bytes host, int32_t port, char out[ADDR_HOST_MAX + 1],
    uint16_t *out_port)
{
	if (host.len <= 0 || host.len > ADDR_HOST_MAX || port < 1 ||
	    port > UINT16_MAX)
		return false;
	memcpy(out, host.data, (size_t)host.len);
	out[host.len] = '\0';
	*out_port = (uint16_t)port;
	return true;
}

static int
note_brokers(struct nodes *n, const struct metadata_response *r)
{
	struct node *node;
	int rc = 0;

	n->controller = r->controller_id;
	for (int32_t i = 0; rc == 0 && i < r->brokers_count; i++) {
		node = find_node(n, r->brokers[i].node_id);
		if (node == NULL) {
			rc = add_node(n, r->brokers[i].node_id);
			node = &n->list[n->count - 1];
		}
		if (rc == 0)
			(void)copy_address(r->brokers[i].host,
			    r->brokers[i].port, node->host, &node->port);
	}
	return rc;
}

static int
ask_metadata(struct nodes *n, const char *topic, struct metadata_response *r,
    struct fault *f)
{
	struct metadata_request_topics t = {.name = bytes_of(topic)};
	struct metadata_request q;
	struct talk *talk = n->any;
	int rc;

	wire_defaults(&messages_metadata_request, &q);
	q.topics = &t;
	q.topics_count = 1;
	q.allow_auto_topic_creation = false;
	rc = talk_send_in(talk, API_METADATA,
	    talk_version(talk, API_METADATA, METADATA_MAX), &q, f);
	if (rc == 0)
		rc = talk_receive(talk, &n->answer, r, f);
	return rc == 0 ? note_brokers(n, r) : rc;
}

static int
take_leaders(const struct metadata_response_topics *t, const char *topic,
    struct nodes_topic *out, struct fault *f)
{
	int32_t *list = calloc((size_t)t->partitions_count + 1, sizeof(*list));

	if (list == NULL)
		return ENOMEM;
	for (int32_t i = 0; i < t->partitions_count; i++)
		list[i] = -1;
	for (int32_t i = 0; i < t->partitions_count; i++) {
		int32_t at = t->partitions[i].partition_index;

		if (at < 0 || at >= t->partitions_count) {
			free(list);
			return trouble(f, STATUS_CLUSTER, topic,
			    "its partitions are not numbered");
		}
		list[at] = t->partitions[i].leader_id;
	}
	out->count = t->partitions_count;
	out->leaders = list;
	return 0;
}

static int
take_topic(const struct metadata_response *r, const char *topic,
    struct nodes_topic *out, struct fault *f)
{
	struct bytes id = r->cluster_id;
	char cluster[CHART_CLUSTER_ID_MAX + 1] = "";

	if (id.len > CHART_CLUSTER_ID_MAX)
		return trouble(f, STATUS_CLUSTER, topic,
		    "the cluster's id is too long");
	if (id.len > 0) {
		memcpy(cluster, id.data, (size_t)id.len);
		cluster[id.len] = '\0';
	}
	cluster_id_topic(cluster, topic, r->topics[0].topic_id.bytes,
	    out->identity);
	return take_leaders(&r->topics[0], topic, out, f);
}

static void
pause_before_look(void)
{
	const struct timespec ts = {0, LOOK_AGAIN_MS * 1000000L};

	(void)nanosleep(&ts, NULL);
}

bool
nodes_again(int code, int64_t until_ms)
{
	if (code != KAFKA_COORDINATOR_LOAD_IN_PROGRESS &&
	    code != KAFKA_COORDINATOR_NOT_AVAILABLE &&
	    code != KAFKA_UNKNOWN_TOPIC_OR_PARTITION &&
	    code != KAFKA_NOT_LEADER_OR_FOLLOWER &&
	    code != KAFKA_LEADER_NOT_AVAILABLE)
		return false;
	if (now_mono_ms() >= until_ms)
		return false;
	pause_before_look();
	return true;
}

static bool
has_leaders(const struct metadata_response_topics *t)
{
	for (int32_t i = 0; i < t->partitions_count; i++)
		if (t->partitions[i].leader_id < 0)
			return false;
	return true;
}

int
nodes_look(struct nodes *n, const char *topic, struct nodes_topic *out,
    struct fault *f)
{
	int64_t until_ms = nodes_until(n);
	struct metadata_response r;
	int code;

	for (;;) {
		int rc = ask_metadata(n, topic, &r, f);

		if (rc != 0)
			return rc;
		if (r.topics_count != 1)
			return trouble(f, STATUS_CLUSTER, topic,
			    "the cluster does not tell of it");
		code = r.topics[0].error_code;
		if (code == KAFKA_UNKNOWN_TOPIC_OR_PARTITION)
			return STATUS_NO_TOPIC;
		if (code == 0 && has_leaders(&r.topics[0]))
			return take_topic(&r, topic, out, f);
		if (code == 0)
			code = KAFKA_LEADER_NOT_AVAILABLE;
		if (!nodes_again(code, until_ms))
			return nodes_refused(topic, code, f);
	}
}

/* --- connections ---------------------------------------------------------- */

static int
connect_node(struct nodes *n, int32_t id, bool produce, struct talk **out,
    struct fault *f)
{
	struct node *node = find_node(n, id);
	struct talk **talk;
	int rc = 0;

	if (node == NULL || node->host[0] == '\0')
		return trouble(f, STATUS_CLUSTER, "cluster",
		    "node %d is not known", (int)id);
	talk = produce ? &node->produce : &node->ask;
	if (*talk == NULL)
		rc = talk_open(&n->options, node->host, node->port, talk, f);
	*out = *talk;
	return rc;
}

int64_t
nodes_until(const struct nodes *n)
{
	return now_mono_ms() + n->options.timeout_ms;
}

int
nodes_ask(struct nodes *n, int32_t node, struct talk **out, struct fault *f)
{
	return connect_node(n, node, false, out, f);
}

int
nodes_produce(struct nodes *n, int32_t node, struct talk **out, struct fault *f)
{
	return connect_node(n, node, true, out, f);
}

static int
ask_coordinator(struct nodes *n, const char *group,
    struct find_coordinator_response *r, struct fault *f)
{
	struct find_coordinator_request q;
	int rc;

	wire_defaults(&messages_find_coordinator_request, &q);
	q.key = bytes_of(group);
	rc = talk_send_in(n->any, API_FIND_COORDINATOR,
	    talk_version(n->any, API_FIND_COORDINATOR, FIND_COORDINATOR_MAX),
	    &q, f);
	return rc == 0 ? talk_receive(n->any, &n->answer, r, f) : rc;
}

int
nodes_group(struct nodes *n, const char *group, struct talk **out,
    struct fault *f)
{
	int64_t until_ms = nodes_until(n);
	struct find_coordinator_response r;
	char host[ADDR_HOST_MAX + 1];
	uint16_t port = 0;
	int rc = 0;

	if (n->group == NULL) {
		do {
			rc = ask_coordinator(n, group, &r, f);
		} while (rc == 0 && nodes_again(r.error_code, until_ms));
		if (rc == 0 && r.error_code != 0)
			rc = nodes_refused(group, r.error_code, f);
		else if (rc == 0 && !copy_address(r.host, r.port, host, &port))
			rc = nodes_refused(group, -1, f);
		if (rc == 0)
			rc = talk_open(&n->options, host, port, &n->group, f);
	}
	*out = n->group;
	return rc;
}

bool
nodes_group_again(struct nodes *n, int code, int64_t until_ms)
{
	/* It has moved, or is not one yet. */
	if (code == KAFKA_NOT_COORDINATOR) {
		talk_close(n->group);
		n->group = NULL;
		code = KAFKA_COORDINATOR_NOT_AVAILABLE;
	}
	return (code == KAFKA_COORDINATOR_NOT_AVAILABLE ||
		   code == KAFKA_COORDINATOR_LOAD_IN_PROGRESS) &&
	    nodes_again(code, until_ms);
}

/* --- topics --------------------------------------------------------------- */

/* Settings that say what is kept, in names that Kafka has, too. */
static const enum properties_id kept[] = {PROPERTIES_CLEANUP_POLICY,
    PROPERTIES_RETENTION_MS, PROPERTIES_RETENTION_BYTES,
    PROPERTIES_MAX_MESSAGE_BYTES};

enum { KEPT_COUNT = sizeof(kept) / sizeof(kept[0]) };

struct kept_values {
	struct create_topics_request_topics_configs configs[KEPT_COUNT];
	char text[KEPT_COUNT][VALUE_LEN];
	int32_t count;
};

static void
choose(const struct properties *p, struct kept_values *out)
{
	struct buf b;

	out->count = 0;
	for (size_t i = 0; i < KEPT_COUNT; i++) {
		char *text = out->text[out->count];

		/* A cluster's own default would delete. */
		if (!p->values[kept[i]].is_set &&
		    kept[i] != PROPERTIES_RETENTION_MS)
			continue;
		buf_init(&b, VALUE_LEN - 1);
		if (properties_text(p, kept[i], &b) == 0 && b.len > 0) {
			memcpy(text, b.data, b.len);
			text[b.len] = '\0';
			out->configs[out->count++] =
			    (struct create_topics_request_topics_configs){
				bytes_of(properties_info(kept[i])->name),
				bytes_of(text)};
		}
		buf_release(&b);
	}
}

/* In the cluster's words, where it has some. */
static int
not_made(const char *topic, int code, struct bytes message, struct fault *f)
{
	if (message.len <= 0)
		return trouble(f, STATUS_FAILED, topic, "%s", error_text(code));
	return trouble(f, STATUS_FAILED, topic, "%s: %.*s", error_text(code),
	    message.len > 300 ? 300 : (int)message.len,
	    (const char *)message.data);
}

/* Until all brokers that are asked know of it. */
static int
await_topic(struct nodes *n, const char *topic, int32_t partitions,
    struct fault *f)
{
	int64_t until_ms = nodes_until(n);
	struct nodes_topic now;
	int rc;

	do {
		rc = nodes_look(n, topic, &now, f);
		if (rc == 0)
			free(now.leaders);
		if (rc == 0 && now.count >= partitions)
			return 0;
		pause_before_look();
	} while (
	    (rc == 0 || rc == STATUS_NO_TOPIC) && now_mono_ms() < until_ms);
	return rc != 0 && rc != STATUS_NO_TOPIC
	    ? rc
	    : trouble(f, STATUS_CLUSTER, topic, "it does not come to be");
}

int
nodes_make(struct nodes *n, const char *topic, int32_t partitions,
    const struct properties *settings, struct fault *f)
{
	struct kept_values values;
	struct create_topics_request_topics t = {.name = bytes_of(topic),
	    .num_partitions = partitions,
	    .replication_factor = -1,
	    .configs = values.configs};
	struct create_topics_request q;
	struct create_topics_response r;
	struct talk *talk;
	int rc = nodes_ask(n, n->controller, &talk, f);

	choose(settings, &values);
	t.configs_count = values.count;
	wire_defaults(&messages_create_topics_request, &q);
	q.topics = &t;
	q.topics_count = 1;
	q.timeout_ms = (int32_t)n->options.timeout_ms;
	if (rc == 0)
		rc = talk_call(talk, API_CREATE_TOPICS, &q, &n->answer, &r, f);
	if (rc == 0 && r.topics_count == 1 && r.topics[0].error_code != 0 &&
	    r.topics[0].error_code != KAFKA_TOPIC_ALREADY_EXISTS)
		rc = not_made(topic, r.topics[0].error_code,
		    r.topics[0].error_message, f);
	return rc == 0 ? await_topic(n, topic, partitions, f) : rc;
}

int
nodes_grow(struct nodes *n, const char *topic, int32_t partitions,
    struct fault *f)
{
	struct create_partitions_request_topics t = {.name = bytes_of(topic),
	    .count = partitions,
	    .assignments_count = -1};
	struct create_partitions_request q;
	struct create_partitions_response r;
	struct talk *talk;
	int rc = nodes_ask(n, n->controller, &talk, f);

	wire_defaults(&messages_create_partitions_request, &q);
	q.topics = &t;
	q.topics_count = 1;
	q.timeout_ms = (int32_t)n->options.timeout_ms;
	if (rc == 0)
		rc = talk_call(talk, API_CREATE_PARTITIONS, &q, &n->answer, &r,
		    f);
	if (rc == 0 && r.results_count == 1 && r.results[0].error_code != 0)
		rc = not_made(topic, r.results[0].error_code,
		    r.results[0].error_message, f);
	return rc == 0 ? await_topic(n, topic, partitions, f) : rc;
}
