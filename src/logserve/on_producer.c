/* InitProducerId: a number of its own for each idempotent producer (KIP-98). */

#include "dispatch.h"

#include "kafka/error.h"
#include "request.h"
#include "server.h"

/*
 * With a transactional id it is the coordinator of transactions that is asked;
 * there is none, and the client is told so for good.
 */
void
on_init_producer(struct request *r)
{
	const struct init_producer_id_request *in = r->message;
	struct init_producer_id_response *out = r->response;
	struct server *s = r->server;

	out->producer_epoch = -1;
	if (!bytes_is_null(in->transactional_id)) {
		out->error_code = in->transactional_id.len == 0
		    ? KAFKA_INVALID_REQUEST
		    : KAFKA_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
		request_answer(r);
		return;
	}
	out->producer_id =
	    s->producer_base + (int64_t)atomic_fetch_add(&s->producers, 1);
	out->producer_epoch = 0;
	request_answer(r);
}
