/*
 * Metadata: topics, their partitions, and who serves them, which is this node
 * for all.
 */

#include "dispatch.h"

#include <errno.h>
#include <string.h>

#include "catalog.h"
#include "codes.h"
#include "config.h"
#include "base/status.h"
#include "kafka/error.h"
#include "log.h"
#include "making.h"
#include "request.h"
#include "server.h"

typedef struct metadata_response_topics topic_out;

static const int32_t self[] = {CONFIG_NODE_ID};

/* Of the last append; what cannot be read is told by who fetches. */
static int32_t
epoch_of(struct server *s, struct served *t, int32_t partition)
{
	struct log *log;

	return catalog_log(s->catalog, t, partition, &log) == 0 ? log_epoch(log)
								: 0;
}

static int
fill_topic(struct request *r, struct served *t, topic_out *out)
{
	int32_t count;

	catalog_look(r->server->catalog, t, &count, NULL);
	out->error_code = KAFKA_NONE;
	out->name = request_copy(r, t->name);
	out->topic_id = t->id;
	out->partitions =
	    request_alloc(r, (size_t)count, sizeof(*out->partitions));
	if (out->partitions == NULL)
		return ENOMEM;
	out->partitions_count = count;
	for (int32_t i = 0; i < count; i++)
		out->partitions[i] = (struct
		    metadata_response_topics_partitions){.partition_index = i,
		    .leader_id = CONFIG_NODE_ID,
		    .leader_epoch = epoch_of(r->server, t, i),
		    .replica_nodes = (int32_t *)(uintptr_t)self,
		    .replica_nodes_count = 1,
		    .isr_nodes = (int32_t *)(uintptr_t)self,
		    .isr_nodes_count = 1};
	return 0;
}

static bool
may_create(const struct request *r)
{
	const struct metadata_request *in = r->message;

	return r->server->config->auto_create > 0 &&
	    !r->server->config->read_only &&
	    (r->header.version < 4 || in->allow_auto_topic_creation);
}

static int
find(struct request *r, const struct metadata_request_topics *in,
    struct served **t)
{
	char name[TOPIC_NAME_MAX + 1];
	int rc;

	if (bytes_is_null(in->name) || !wire_uuid_is_zero(&in->topic_id))
		return catalog_find_id(r->server->catalog, &in->topic_id, t);
	rc = catalog_find(r->server->catalog, in->name, t);
	if (rc != STATUS_NO_TOPIC || !may_create(r))
		return rc;
	memcpy(name, in->name.data, (size_t)in->name.len);
	name[in->name.len] = '\0';
	return making_topic(r->server, name, r->server->config->auto_create,
	    NULL, t);
}

static int
add_asked(struct request *r, const struct metadata_request_topics *in,
    topic_out *out)
{
	struct served *t;
	int rc = find(r, in, &t);

	*out = (topic_out){.name = in->name,
	    .topic_id = in->topic_id,
	    .topic_authorized_operations = INT32_MIN};
	if (rc != 0) {
		out->error_code = (int16_t)(wire_uuid_is_zero(&in->topic_id)
			? codes_of_read(rc)
			: KAFKA_UNKNOWN_TOPIC_ID);
		return 0;
	}
	rc = fill_topic(r, t, out);
	catalog_release(r->server->catalog, t);
	return rc;
}

static int
add_all_asked(struct request *r)
{
	const struct metadata_request *in = r->message;
	struct metadata_response *out = r->response;
	int rc = 0;

	out->topics =
	    request_alloc(r, (size_t)in->topics_count, sizeof(*out->topics));
	if (out->topics == NULL)
		return ENOMEM;
	out->topics_count = in->topics_count;
	for (int32_t i = 0; rc == 0 && i < in->topics_count; i++)
		rc = add_asked(r, &in->topics[i], &out->topics[i]);
	return rc;
}

struct all {
	struct request *request;
	int32_t cap;
};

static int
add_one_of_all(struct served *t, void *arg)
{
	struct all *all = arg;
	struct metadata_response *out = all->request->response;
	topic_out *more;

	if (request_is_vain(all->request))
		return ECANCELED;
	more = request_grow(all->request, out->topics, out->topics_count,
	    &all->cap, sizeof(*more));
	if (more == NULL)
		return ENOMEM;
	out->topics = more;
	more = &out->topics[out->topics_count++];
	*more = (topic_out){.topic_authorized_operations = INT32_MIN};
	return fill_topic(all->request, t, more);
}

static int
add_topics(struct request *r)
{
	const struct metadata_request *in = r->message;
	struct all all = {r, 0};

	/* All of them: null, or in version 0 none. */
	if (in->topics_count < 0 ||
	    (in->topics_count == 0 && r->header.version == 0))
		return catalog_each(r->server->catalog, add_one_of_all, &all);
	return add_all_asked(r);
}

void
on_metadata(struct request *r)
{
	struct metadata_response *out = r->response;
	char host[ADDR_HOST_MAX + 1];
	int rc;

	out->brokers = request_alloc(r, 1, sizeof(*out->brokers));
	rc = out->brokers == NULL ? ENOMEM : add_topics(r);
	if (rc != 0) {
		request_fail(r, rc, "the topics cannot be listed");
		return;
	}
	server_advertised(r->server, r->client, host, &out->brokers->port);
	out->brokers->node_id = CONFIG_NODE_ID;
	out->brokers->host = request_copy(r, host);
	out->brokers->rack = BYTES_NULL;
	out->brokers_count = 1;
	out->cluster_id = bytes_of(r->server->home.cluster_id);
	out->controller_id = CONFIG_NODE_ID;
	request_answer(r);
}
