/*
 * CreateTopics, DeleteTopics, CreatePartitions.
 */

#include "dispatch.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/bounds.h"
#include "base/now.h"
#include "base/status.h"
#include "catalog.h"
#include "codes.h"
#include "config.h"
#include "kafka/error.h"
#include "making.h"
#include "repeated.h"
#include "request.h"
#include "server.h"
#include "settings.h"

/* What one item of a request comes to. */
struct verdict {
	int code;		/* enum error_code */
	struct bytes why;
};

static const struct verdict fine = {KAFKA_NONE, {NULL, -1}};

static struct verdict
refuse(int code, const char *why)
{
	return (struct verdict){code, bytes_of(why)};
}

/* An outcome of the library. */
static struct verdict
judge(struct request *r, int rc)
{
	return rc == 0 ? fine
		       : (struct verdict){codes_of_change(rc),
			     request_copy(r, status_text(rc))};
}

/*
 * What keeps one item from being begun.  As in Kafka, what its client no longer
 * waits for is not done, which is all with a time-out of 0.
 */
static struct verdict
may_begin(struct request *r, int32_t timeout_ms, bool repeated)
{
	if (r->server->config->read_only)
		return refuse(KAFKA_TOPIC_AUTHORIZATION_FAILED,
		    "the server only reads");
	if (repeated)
		return refuse(KAFKA_INVALID_REQUEST, "named more than once");
	if (now_mono_ms() - r->came_ms >= timeout_ms)
		return refuse(KAFKA_REQUEST_TIMED_OUT,
		    "not begun in the time that was given");
	return fine;
}

static bool *
mark_repeated(struct request *r, struct repeated *items, int32_t count)
{
	bool *marks = request_alloc(r, (size_t)count, sizeof(*marks));

	if (marks == NULL)
		return NULL;
	for (int32_t i = 0; i < count; i++)
		items[i].mark = &marks[i];
	repeated_mark(items, (size_t)count);
	return marks;
}

/* Replicas by hand: this node, once, is all there is. */
static bool
is_self(const int32_t *ids, int32_t count)
{
	return count == 1 && ids[0] == CONFIG_NODE_ID;
}

/* --- CreateTopics --------------------------------------------------------- */

typedef struct create_topics_request_topics create_in;
typedef struct create_topics_response_topics create_out;
typedef struct create_topics_response_topics_configs create_config;

/* Partition numbers given by hand are 0, 1, ... in any order. */
static struct verdict
check_assignments(struct request *r, const create_in *in)
{
	bool *seen =
	    request_alloc(r, (size_t)in->assignments_count, sizeof(*seen));
	int32_t number;

	if (in->num_partitions != -1 || in->replication_factor != -1)
		return refuse(KAFKA_INVALID_REQUEST,
		    "a number of partitions or replicas, and replicas by hand");
	if (seen == NULL)
		return judge(r, ENOMEM);
	for (int32_t i = 0; i < in->assignments_count; i++) {
		number = in->assignments[i].partition_index;
		if (number < 0 || number >= in->assignments_count ||
		    seen[number])
			return refuse(KAFKA_INVALID_REPLICA_ASSIGNMENT,
			    "partitions are not 0, 1, ...");
		seen[number] = true;
		if (!is_self(in->assignments[i].broker_ids,
			in->assignments[i].broker_ids_count))
			return refuse(KAFKA_INVALID_REPLICA_ASSIGNMENT,
			    "there is one node");
	}
	return fine;
}

static struct verdict
count_partitions(struct request *r, const create_in *in, int32_t *count)
{
	int32_t ours = r->server->config->auto_create;

	if (in->assignments_count > 0) {
		*count = in->assignments_count;
		return check_assignments(r, in);
	}
	*count = in->num_partitions != -1 ? in->num_partitions
	    : ours > 0                    ? ours
					  : 1;
	if (*count < 1 || *count > PARTITIONS_MAX)
		return refuse(KAFKA_INVALID_PARTITIONS,
		    "not a number of partitions");
	if (in->replication_factor != -1 && in->replication_factor != 1)
		return refuse(KAFKA_INVALID_REPLICATION_FACTOR,
		    "there is one node, for one replica");
	return fine;
}

static struct verdict
read_settings(struct request *r, const create_in *in, struct properties *p)
{
	const char *why;

	properties_init(p);
	for (int32_t i = 0; i < in->configs_count; i++) {
		struct bytes name = in->configs[i].name;

		if (settings_change(p, name, SETTINGS_SET, in->configs[i].value,
			&why) != KAFKA_NONE)
			return (struct verdict){KAFKA_INVALID_CONFIG,
			    settings_message(r, name, why)};
	}
	making_defaults(p);
	return fine;
}

static struct verdict
check_name(struct request *r, struct bytes name, char text[TOPIC_NAME_MAX + 1])
{
	char path[PATH_MAX];
	const char *why;

	if (!catalog_name(name, text))
		return refuse(KAFKA_INVALID_TOPIC_EXCEPTION,
		    "not a name for a topic");
	if (making_may_be_named(r->server, text, &why) != 0)
		return refuse(KAFKA_INVALID_TOPIC_EXCEPTION, why);
	catalog_path(r->server->catalog, text, path);
	return judge(r, topic_may_create(path));
}

/* What has come of it, from version 5 on (KIP-525). */
static void
describe(struct request *r, const struct properties *p, int32_t partitions,
    create_out *out)
{
	out->num_partitions = partitions;
	out->replication_factor = 1;
	out->configs =
	    request_alloc(r, PROPERTIES_COUNT, sizeof(*out->configs));
	/* The topic is there, all the same. */
	out->configs_count = out->configs == NULL ? -1 : PROPERTIES_COUNT;
	for (int32_t i = 0; i < out->configs_count; i++) {
		enum properties_id id = (enum properties_id)i;

		out->configs[i] =
		    (create_config){.name = bytes_of(properties_info(id)->name),
			.value = settings_value(r, p, id),
			.config_source = (int8_t)settings_source(p, id)};
	}
}

static struct verdict
create(struct request *r, const create_in *in, create_out *out)
{
	const struct create_topics_request *all = r->message;
	char name[TOPIC_NAME_MAX + 1];
	struct properties settings;
	struct verdict v = check_name(r, in->name, name);
	struct served *t;
	int32_t count;

	if (v.code == KAFKA_NONE)
		v = count_partitions(r, in, &count);
	if (v.code == KAFKA_NONE)
		v = read_settings(r, in, &settings);
	if (v.code == KAFKA_NONE && !all->validate_only) {
		v = judge(r,
		    making_topic(r->server, name, count, &settings, &t));
		if (v.code == KAFKA_NONE) {
			out->topic_id = t->id;
			catalog_release(r->server->catalog, t);
		}
	}
	if (v.code == KAFKA_NONE && r->header.version >= 5)
		describe(r, &settings, count, out);
	return v;
}

static bool *
repeated_creations(struct request *r)
{
	const struct create_topics_request *in = r->message;
	struct repeated *items =
	    request_alloc(r, (size_t)in->topics_count, sizeof(*items));

	if (items == NULL)
		return NULL;
	for (int32_t i = 0; i < in->topics_count; i++)
		items[i].text = in->topics[i].name;
	return mark_repeated(r, items, in->topics_count);
}

void
on_create_topics(struct request *r)
{
	const struct create_topics_request *in = r->message;
	struct create_topics_response *out = r->response;
	bool *repeated = repeated_creations(r);
	struct verdict v;

	out->topics =
	    request_alloc(r, (size_t)in->topics_count, sizeof(*out->topics));
	if (repeated == NULL || out->topics == NULL) {
		request_fail(r, ENOMEM, "no memory");
		return;
	}
	out->topics_count = in->topics_count;
	for (int32_t i = 0; i < in->topics_count; i++) {
		create_out *o = &out->topics[i];

		*o = (create_out){.name = in->topics[i].name,
		    .num_partitions = -1,
		    .replication_factor = -1};
		v = may_begin(r, in->timeout_ms, repeated[i]);
		if (v.code == KAFKA_NONE)
			v = create(r, &in->topics[i], o);
		o->error_code = (int16_t)v.code;
		o->error_message = v.why;
	}
	request_answer(r);
}

/* --- DeleteTopics --------------------------------------------------------- */

typedef struct delete_topics_request_topics delete_in;
typedef struct delete_topics_response_responses delete_out;

static int
look_at(struct served *t, void *arg)
{
	(void)t;
	(void)arg;
	return 0;
}

/* By an id that nobody has asked for since the start, too. */
static int
find_id(struct request *r, const struct wire_uuid *id, struct served **t)
{
	struct catalog *c = r->server->catalog;
	int rc = catalog_find_id(c, id, t);

	if (rc == STATUS_NO_TOPIC && catalog_each(c, look_at, NULL) == 0)
		rc = catalog_find_id(c, id, t);
	return rc;
}

static struct verdict
delete_topic(struct request *r, const delete_in *in, delete_out *out)
{
	bool by_id = !wire_uuid_is_zero(&in->topic_id);
	struct served *t;
	int rc;

	if (by_id == !bytes_is_null(in->name))
		return refuse(KAFKA_INVALID_REQUEST, "not one of name and id");
	rc = by_id ? find_id(r, &in->topic_id, &t)
		   : catalog_find(r->server->catalog, in->name, &t);
	if (rc == STATUS_NO_TOPIC && by_id)
		return refuse(KAFKA_UNKNOWN_TOPIC_ID, "no topic has that id");
	/* No topic has a name that is none. */
	if (rc == STATUS_SYNTAX)
		rc = STATUS_NO_TOPIC;
	if (rc != 0)
		return judge(r, rc);
	out->name = request_copy(r, t->name);
	out->topic_id = t->id;
	rc = catalog_remove(r->server->catalog, t);
	catalog_release(r->server->catalog, t);
	if (rc == STATUS_NOT_TOPIC)
		return refuse(KAFKA_INVALID_REQUEST, "a link to a topic");
	return judge(r, rc);
}

/* As version 6 has them, whatever the version. */
static int
list_deletions(struct request *r, delete_in **list, int32_t *count)
{
	const struct delete_topics_request *in = r->message;

	*list = in->topics;
	*count = in->topics_count;
	if (r->header.version >= 6)
		return 0;
	*count = in->topic_names_count;
	*list = request_alloc(r, (size_t)*count, sizeof(**list));
	if (*list == NULL)
		return ENOMEM;
	for (int32_t i = 0; i < *count; i++)
		(*list)[i].name = in->topic_names[i];
	return 0;
}

static bool *
repeated_deletions(struct request *r, const delete_in *list, int32_t count)
{
	struct repeated *items =
	    request_alloc(r, (size_t)count, sizeof(*items));

	if (items == NULL)
		return NULL;
	for (int32_t i = 0; i < count; i++) {
		items[i].text = list[i].name;
		if (!bytes_is_null(list[i].name))
			continue;
		items[i].number = 1;
		items[i].text = (struct bytes){list[i].topic_id.bytes,
		    sizeof(list[i].topic_id.bytes)};
	}
	return mark_repeated(r, items, count);
}

void
on_delete_topics(struct request *r)
{
	const struct delete_topics_request *in = r->message;
	struct delete_topics_response *out = r->response;
	delete_in *list;
	bool *repeated = NULL;
	struct verdict v;
	int32_t count;

	if (list_deletions(r, &list, &count) == 0)
		repeated = repeated_deletions(r, list, count);
	out->responses =
	    request_alloc(r, (size_t)count, sizeof(*out->responses));
	if (repeated == NULL || out->responses == NULL) {
		request_fail(r, ENOMEM, "no memory");
		return;
	}
	out->responses_count = count;
	for (int32_t i = 0; i < count; i++) {
		delete_out *o = &out->responses[i];

		*o = (delete_out){.name = list[i].name,
		    .topic_id = list[i].topic_id};
		v = may_begin(r, in->timeout_ms, repeated[i]);
		if (v.code == KAFKA_NONE)
			v = delete_topic(r, &list[i], o);
		o->error_code = (int16_t)v.code;
		o->error_message = v.why;
	}
	request_answer(r);
}

/* --- CreatePartitions ----------------------------------------------------- */

typedef struct create_partitions_request_topics grow_in;
typedef struct create_partitions_response_results grow_out;

static struct verdict
check_growth(const grow_in *in, int32_t now)
{
	if (in->count <= now || in->count > PARTITIONS_MAX)
		return refuse(KAFKA_INVALID_PARTITIONS,
		    in->count <= now ? "it has as many partitions already"
				     : "too many partitions");
	if (in->assignments_count < 0)
		return fine;
	if (in->assignments_count != in->count - now)
		return refuse(KAFKA_INVALID_REPLICA_ASSIGNMENT,
		    "not one assignment for each new partition");
	for (int32_t i = 0; i < in->assignments_count; i++)
		if (!is_self(in->assignments[i].broker_ids,
			in->assignments[i].broker_ids_count))
			return refuse(KAFKA_INVALID_REPLICA_ASSIGNMENT,
			    "there is one node");
	return fine;
}

static struct verdict
grow(struct request *r, const grow_in *in)
{
	const struct create_partitions_request *all = r->message;
	struct topic topic = {.dirfd = -1};
	struct served *t;
	struct verdict v;
	char path[PATH_MAX];
	int rc = catalog_find(r->server->catalog, in->name, &t);

	if (rc != 0)
		return judge(r, rc == STATUS_SYNTAX ? STATUS_NO_TOPIC : rc);
	catalog_path(r->server->catalog, t->name, path);
	catalog_release(r->server->catalog, t);
	rc = topic_open(path, &topic, NULL);
	if (rc != 0)
		return judge(r, rc);
	v = check_growth(in, topic.partitions);
	if (v.code == KAFKA_NONE && !all->validate_only)
		v = judge(r, topic_grow(&topic, in->count, NULL));
	topic_close(&topic);
	return v;
}

static bool *
repeated_growths(struct request *r)
{
	const struct create_partitions_request *in = r->message;
	struct repeated *items =
	    request_alloc(r, (size_t)in->topics_count, sizeof(*items));

	if (items == NULL)
		return NULL;
	for (int32_t i = 0; i < in->topics_count; i++)
		items[i].text = in->topics[i].name;
	return mark_repeated(r, items, in->topics_count);
}

void
on_create_partitions(struct request *r)
{
	const struct create_partitions_request *in = r->message;
	struct create_partitions_response *out = r->response;
	bool *repeated = repeated_growths(r);
	struct verdict v;

	out->results =
	    request_alloc(r, (size_t)in->topics_count, sizeof(*out->results));
	if (repeated == NULL || out->results == NULL) {
		request_fail(r, ENOMEM, "no memory");
		return;
	}
	out->results_count = in->topics_count;
	for (int32_t i = 0; i < in->topics_count; i++) {
		v = may_begin(r, in->timeout_ms, repeated[i]);
		if (v.code == KAFKA_NONE)
			v = grow(r, &in->topics[i]);
		out->results[i] = (grow_out){.name = in->topics[i].name,
		    .error_code = (int16_t)v.code,
		    .error_message = v.why};
	}
	request_answer(r);
}
