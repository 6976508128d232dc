/*
 * DescribeConfigs, AlterConfigs, IncrementalAlterConfigs: the settings of
 * topics, and some of the server's to look at.
 */

#include "dispatch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/bounds.h"
#include "base/status.h"
#include "catalog.h"
#include "codes.h"
#include "config.h"
#include "kafka/error.h"
#include "repeated.h"
#include "request.h"
#include "server.h"
#include "settings.h"

typedef struct describe_configs_request_resources describe_in;
typedef struct describe_configs_response_results describe_out;
typedef struct describe_configs_response_results_configs config_out;
typedef struct alter_configs_response_responses alter_out;
typedef struct incremental_alter_configs_response_responses incremental_out;

enum resource {
	RESOURCE_TOPIC = 2,
	RESOURCE_BROKER = 4,
};

/* --- DescribeConfigs ------------------------------------------------------ */

/* All, if none is named. */
static bool
is_wanted(const describe_in *in, const char *name)
{
	for (int32_t i = 0; i < in->configuration_keys_count; i++)
		if (bytes_equal(in->configuration_keys[i], bytes_of(name)))
			return true;
	return in->configuration_keys_count <= 0;
}

static bool
is_documented(const struct request *r)
{
	const struct describe_configs_request *in = r->message;

	return in->include_documentation;
}

/* Where else the value would be from: KIP-226. */
static void
add_synonyms(struct request *r, const struct properties *p,
    enum properties_id id, config_out *out)
{
	const struct describe_configs_request *in = r->message;
	struct properties defaults;

	if (!in->include_synonyms)
		return;
	out->synonyms = request_alloc(r, 2, sizeof(*out->synonyms));
	if (out->synonyms == NULL)
		return;
	properties_init(&defaults);
	for (int is_default = 0; is_default < 2; is_default++) {
		if (!is_default && !p->values[id].is_set)
			continue;
		out->synonyms[out->synonyms_count++] =
		    (struct describe_configs_response_results_configs_synonyms){
			.name = out->name,
			.value =
			    settings_value(r, is_default ? &defaults : p, id),
			.source =
			    is_default ? SETTINGS_DEFAULT : SETTINGS_OF_TOPIC};
	}
}

static int
describe_topic(struct request *r, const describe_in *in, describe_out *out)
{
	struct catalog *c = r->server->catalog;
	struct properties p;
	struct served *t;
	int rc = catalog_find(c, in->resource_name, &t);

	if (rc != 0)
		return codes_of_read(rc);
	catalog_look(c, t, NULL, &p);
	catalog_release(c, t);
	for (int i = 0; i < PROPERTIES_COUNT; i++) {
		enum properties_id id = (enum properties_id)i;
		const struct properties_info *info = properties_info(id);
		config_out *o;

		if (!is_wanted(in, info->name))
			continue;
		o = &out->configs[out->configs_count++];
		*o = (config_out){.name = bytes_of(info->name),
		    .value = settings_value(r, &p, id),
		    .config_source = (int8_t)settings_source(&p, id),
		    .config_type = (int8_t)settings_type(id),
		    .documentation =
			bytes_of(is_documented(r) ? info->help : NULL)};
		add_synonyms(r, &p, id, o);
	}
	return KAFKA_NONE;
}

struct lister {
	struct request *request;
	const describe_in *in;
	describe_out *out;
};

static void
list(const struct lister *l, const char *name, enum settings_type type,
    const char *value, const char *help)
{
	if (!is_wanted(l->in, name))
		return;
	l->out->configs[l->out->configs_count++] =
	    (config_out){.name = bytes_of(name),
		.value = request_copy(l->request, value),
		.read_only = true,
		.config_source = SETTINGS_OF_SERVER,
		.config_type = (int8_t)type,
		.documentation =
		    bytes_of(is_documented(l->request) ? help : NULL)};
}

static void
list_number(const struct lister *l, const char *name, enum settings_type type,
    int64_t value, const char *help)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	list(l, name, type, text, help);
}

/* What the server was told, and does, by Kafka's names; 26 at most. */
static void
list_server(const struct lister *l)
{
	const struct server *s = l->request->server;
	const struct config *c = s->config;
	char address[ADDR_TEXT_MAX], listener[ADDR_TEXT_MAX + 16];
	bool creates = c->auto_create > 0 && !c->read_only;

	server_address(s, address);
	snprintf(listener, sizeof(listener), "PLAINTEXT://%s", address);
	list(l, "auto.create.topics.enable", SETTINGS_BOOLEAN,
	    creates ? "true" : "false", "whether missing topics are made");
	list_number(l, "broker.id", SETTINGS_INT, CONFIG_NODE_ID,
	    "the id of this node");
	list_number(l, "connections.max.idle.ms", SETTINGS_LONG, CONFIG_IDLE_MS,
	    "time after which an idle connection is closed");
	list_number(l, "default.replication.factor", SETTINGS_INT, 1,
	    "replicas of a topic");
	list(l, "listeners", SETTINGS_STRING, listener,
	    "where clients connect to");
	list(l, "log.dirs", SETTINGS_STRING, catalog_root(s->catalog),
	    "the directory of topics");
	list_number(l, "log.retention.ms", SETTINGS_LONG, CONFIG_RETENTION_MS,
	    "retention.ms of topics that the server makes");
	list_number(l, "message.max.bytes", SETTINGS_INT, MESSAGE_BYTES_DEFAULT,
	    "max.message.bytes of topics without it");
	list_number(l, "num.partitions", SETTINGS_INT,
	    c->auto_create > 0 ? c->auto_create : 1,
	    "partitions of a topic that is made without a number");
	list_number(l, "offset.metadata.max.bytes", SETTINGS_INT,
	    CONFIG_METADATA_BYTES, "longest text of a commit");
	list_number(l, "socket.request.max.bytes", SETTINGS_INT,
	    CONFIG_FRAME_BYTES, "the largest request");
}

/* "" is what holds for all nodes, of which there is one. */
static bool
is_our_node(struct bytes name)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", CONFIG_NODE_ID);
	return name.len == 0 || bytes_equal(name, bytes_of(text));
}

static int
describe(struct request *r, const describe_in *in, describe_out *out)
{
	const struct lister l = {r, in, out};

	*out = (describe_out){.error_message = BYTES_NULL,
	    .resource_type = in->resource_type,
	    .resource_name = in->resource_name};
	out->configs =
	    request_alloc(r, PROPERTIES_COUNT, sizeof(*out->configs));
	if (out->configs == NULL)
		return ENOMEM;
	if (in->resource_type == RESOURCE_TOPIC) {
		out->error_code = (int16_t)describe_topic(r, in, out);
	} else if (in->resource_type == RESOURCE_BROKER &&
	    is_our_node(in->resource_name)) {
		list_server(&l);
	} else {
		out->error_code = KAFKA_INVALID_REQUEST;
		out->error_message = bytes_of("no such resource");
	}
	if (out->error_code != KAFKA_NONE && bytes_is_null(out->error_message))
		out->error_message = bytes_of(error_text(out->error_code));
	return 0;
}

void
on_describe_configs(struct request *r)
{
	const struct describe_configs_request *in = r->message;
	struct describe_configs_response *out = r->response;
	int rc = 0;

	out->results = request_alloc(r, (size_t)in->resources_count,
	    sizeof(*out->results));
	if (out->results == NULL)
		rc = ENOMEM;
	out->results_count = in->resources_count;
	for (int32_t i = 0; rc == 0 && i < in->resources_count; i++)
		rc = describe(r, &in->resources[i], &out->results[i]);
	if (rc != 0)
		request_fail(r, rc, "no memory");
	else
		request_answer(r);
}

/* --- changing, both ways -------------------------------------------------- */

struct change {
	struct bytes name;
	int operation;		/* enum settings_operation */
	struct bytes value;
};

/* What is asked for of one resource, and what comes of it. */
struct alteration {
	struct request *request;
	bool replace;		/* what is not named goes to its default */
	bool validate_only;
	bool repeated;		/* the resource is named more than once */
	int8_t type;
	struct bytes name;
	struct change *changes;
	int32_t count;
	int16_t code;		/* enum error_code */
	struct bytes why;
};

static int
refuse(struct alteration *a, int code, struct bytes why)
{
	a->code = (int16_t)code;
	a->why = why;
	return STATUS_SYNTAX;
}

/* For topic_change(): all of them or none. */
static int
apply(struct properties *p, void *arg)
{
	struct alteration *a = arg;
	const char *why;
	int code;

	if (a->replace)
		properties_init(p);
	for (int32_t i = 0; i < a->count; i++) {
		const struct change *c = &a->changes[i];

		code =
		    settings_change(p, c->name, c->operation, c->value, &why);
		if (code != KAFKA_NONE)
			return refuse(a, code,
			    settings_message(a->request, c->name, why));
	}
	return 0;
}

/* A setting that is changed twice in one request could become either. */
static int
check_names(struct alteration *a)
{
	struct request *r = a->request;
	struct repeated *items =
	    request_alloc(r, (size_t)a->count, sizeof(*items));
	bool repeated = false;

	if (items == NULL)
		return ENOMEM;
	for (int32_t i = 0; i < a->count; i++) {
		items[i].text = a->changes[i].name;
		items[i].mark = &repeated;
	}
	repeated_mark(items, (size_t)a->count);
	return repeated ? refuse(a, KAFKA_INVALID_REQUEST,
			      bytes_of("a setting is named more than once"))
			: 0;
}

static int
alter_topic(struct alteration *a)
{
	struct catalog *c = a->request->server->catalog;
	struct topic topic = {.dirfd = -1};
	char path[PATH_MAX];
	struct served *t;
	int rc = catalog_find(c, a->name, &t);

	if (rc != 0)
		return rc;
	catalog_path(c, t->name, path);
	rc = topic_open(path, &topic, NULL);
	if (rc == 0)
		rc = check_names(a);
	if (rc == 0)
		rc = a->validate_only ? apply(&topic.settings, a)
				      : topic_change(&topic, apply, a, NULL);
	topic_close(&topic);
	catalog_release(c, t);
	/* So that its logs have them when the client is told. */
	if (rc == 0 && catalog_find(c, a->name, &t) == 0)
		catalog_release(c, t);
	return rc;
}

static void
alter(struct alteration *a)
{
	int rc;

	a->code = KAFKA_NONE;
	a->why = BYTES_NULL;
	if (a->request->server->config->read_only)
		rc = refuse(a, KAFKA_TOPIC_AUTHORIZATION_FAILED,
		    bytes_of("the server only reads"));
	else if (a->repeated)
		rc = refuse(a, KAFKA_INVALID_REQUEST,
		    bytes_of("named more than once"));
	else if (a->type == RESOURCE_BROKER && is_our_node(a->name))
		rc = refuse(a, KAFKA_INVALID_REQUEST,
		    bytes_of("the server's settings are its options"));
	else if (a->type != RESOURCE_TOPIC)
		rc = refuse(a, KAFKA_INVALID_REQUEST,
		    bytes_of("no such resource"));
	else
		rc = alter_topic(a);
	if (rc == 0 || a->code != KAFKA_NONE)
		return;
	a->code = (int16_t)codes_of_change(rc);
	a->why = request_copy(a->request, status_text(rc));
}

static void
mark_repeated(struct alteration *list, struct repeated *items, int32_t count)
{
	for (int32_t i = 0; i < count; i++)
		items[i] = (struct repeated){list[i].name, list[i].type,
		    &list[i].repeated};
	repeated_mark(items, (size_t)count);
}

/* Those of a request, to be filled; NULL: no memory. */
static struct alteration *
alterations(struct request *r, int32_t count, struct repeated **items)
{
	*items = request_alloc(r, (size_t)count, sizeof(**items));
	return *items == NULL
	    ? NULL
	    : request_alloc(r, (size_t)count, sizeof(struct alteration));
}

/* --- AlterConfigs --------------------------------------------------------- */

static int
read_alteration(struct alteration *a,
    const struct alter_configs_request_resources *in)
{
	a->replace = true;
	a->type = in->resource_type;
	a->name = in->resource_name;
	a->count = in->configs_count;
	a->changes =
	    request_alloc(a->request, (size_t)a->count, sizeof(*a->changes));
	if (a->changes == NULL)
		return ENOMEM;
	for (int32_t i = 0; i < a->count; i++)
		a->changes[i] = (struct change){in->configs[i].name,
		    SETTINGS_SET, in->configs[i].value};
	return 0;
}

void
on_alter_configs(struct request *r)
{
	const struct alter_configs_request *in = r->message;
	struct alter_configs_response *out = r->response;
	int32_t count = in->resources_count;
	struct repeated *items;
	struct alteration *list = alterations(r, count, &items);
	int rc = list == NULL ? ENOMEM : 0;

	out->responses =
	    request_alloc(r, (size_t)count, sizeof(*out->responses));
	for (int32_t i = 0; rc == 0 && i < count; i++) {
		list[i].request = r;
		list[i].validate_only = in->validate_only;
		rc = read_alteration(&list[i], &in->resources[i]);
	}
	if (rc != 0 || out->responses == NULL) {
		request_fail(r, ENOMEM, "no memory");
		return;
	}
	mark_repeated(list, items, count);
	out->responses_count = count;
	for (int32_t i = 0; i < count; i++) {
		alter(&list[i]);
		out->responses[i] = (alter_out){.error_code = list[i].code,
		    .error_message = list[i].why,
		    .resource_type = list[i].type,
		    .resource_name = list[i].name};
	}
	request_answer(r);
}

/* --- IncrementalAlterConfigs ---------------------------------------------- */

static int
read_incremental(struct alteration *a,
    const struct incremental_alter_configs_request_resources *in)
{
	a->type = in->resource_type;
	a->name = in->resource_name;
	a->count = in->configs_count;
	a->changes =
	    request_alloc(a->request, (size_t)a->count, sizeof(*a->changes));
	if (a->changes == NULL)
		return ENOMEM;
	for (int32_t i = 0; i < a->count; i++)
		a->changes[i] = (struct change){in->configs[i].name,
		    in->configs[i].config_operation, in->configs[i].value};
	return 0;
}

void
on_incremental_alter_configs(struct request *r)
{
	const struct incremental_alter_configs_request *in = r->message;
	struct incremental_alter_configs_response *out = r->response;
	int32_t count = in->resources_count;
	struct repeated *items;
	struct alteration *list = alterations(r, count, &items);
	int rc = list == NULL ? ENOMEM : 0;

	out->responses =
	    request_alloc(r, (size_t)count, sizeof(*out->responses));
	for (int32_t i = 0; rc == 0 && i < count; i++) {
		list[i].request = r;
		list[i].validate_only = in->validate_only;
		rc = read_incremental(&list[i], &in->resources[i]);
	}
	if (rc != 0 || out->responses == NULL) {
		request_fail(r, ENOMEM, "no memory");
		return;
	}
	mark_repeated(list, items, count);
	out->responses_count = count;
	for (int32_t i = 0; i < count; i++) {
		alter(&list[i]);
		out->responses[i] =
		    (incremental_out){.error_code = list[i].code,
			.error_message = list[i].why,
			.resource_type = list[i].type,
			.resource_name = list[i].name};
	}
	request_answer(r);
}
