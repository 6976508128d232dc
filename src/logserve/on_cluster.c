/* Who serves: this one node, for all things. */

#include "dispatch.h"

#include <errno.h>

#include "kafka/error.h"
#include "request.h"
#include "server.h"

/* KIP-919: whom the client wants to be told of. */
enum { ENDPOINT_BROKERS = 1, ENDPOINT_CONTROLLERS = 2 };

void
on_describe_cluster(struct request *r)
{
	const struct describe_cluster_request *in = r->message;
	struct describe_cluster_response *out = r->response;
	char host[ADDR_HOST_MAX + 1];

	if (in->endpoint_type != ENDPOINT_BROKERS) {
		out->error_code = in->endpoint_type == ENDPOINT_CONTROLLERS
		    ? KAFKA_MISMATCHED_ENDPOINT_TYPE
		    : KAFKA_UNSUPPORTED_ENDPOINT_TYPE;
		request_answer(r);
		return;
	}
	out->brokers = request_alloc(r, 1, sizeof(*out->brokers));
	if (out->brokers == NULL) {
		request_fail(r, ENOMEM, "no memory");
		return;
	}
	out->brokers_count = 1;
	out->brokers->broker_id = CONFIG_NODE_ID;
	out->brokers->rack = BYTES_NULL;
	server_advertised(r->server, r->client, host, &out->brokers->port);
	out->brokers->host = request_copy(r, host);
	out->cluster_id = bytes_of(r->server->home.cluster_id);
	out->controller_id = CONFIG_NODE_ID;
	request_answer(r);
}

/* KIP-699 from version 4 on: many keys at once, each as the one was. */
static void
name_coordinators(struct request *r)
{
	const struct find_coordinator_request *in = r->message;
	struct find_coordinator_response *out = r->response;

	out->coordinators = request_alloc(r, (size_t)in->coordinator_keys_count,
	    sizeof(*out->coordinators));
	if (out->coordinators == NULL)
		return;
	out->coordinators_count = in->coordinator_keys_count;
	for (int32_t i = 0; i < in->coordinator_keys_count; i++)
		out->coordinators[i] =
		    (struct find_coordinator_response_coordinators){
			.key = in->coordinator_keys[i],
			.node_id = out->node_id,
			.host = out->host,
			.port = out->port,
			.error_code = out->error_code,
			.error_message = out->error_message};
}

void
on_find_coordinator(struct request *r)
{
	const struct find_coordinator_request *in = r->message;
	struct find_coordinator_response *out = r->response;
	char name[ADDR_HOST_MAX + 1];

	out->error_message = BYTES_NULL;
	/* 0 groups, 1 transactions, which are not served. */
	if (in->key_type == 0 || in->key_type == 1) {
		server_advertised(r->server, r->client, name, &out->port);
		out->node_id = CONFIG_NODE_ID;
		out->host = request_copy(r, name);
	} else {
		out->error_code = KAFKA_INVALID_REQUEST;
		out->node_id = out->port = -1;
	}
	name_coordinators(r);
	request_answer(r);
}
