#include "dispatch.h"

#include <assert.h>

#include "base/status.h"
#include "client.h"
#include "kafka/api.h"
#include "request.h"

enum place {
	HERE,		/* on the loop */
	IN_ORDER,	/* on the pool, one by one for each client */
	ASIDE,		/* on the pool */
};

static const struct row {
	void (*act)(struct request *r);
	enum place place;
} rows[API_KEY_MAX + 1] = {
    [API_PRODUCE] = {on_produce, IN_ORDER},
    [API_FETCH] = {on_fetch, ASIDE},
    [API_METADATA] = {on_metadata, ASIDE},
    [API_FIND_COORDINATOR] = {on_find_coordinator, HERE},
    [API_VERSIONS] = {on_versions, HERE},
    [API_INIT_PRODUCER_ID] = {on_init_producer, HERE},
    [API_DESCRIBE_CLUSTER] = {on_describe_cluster, HERE},
};

static void
act(void *arg)
{
	struct request *r = arg;

	r->act(r);
}

void
dispatch_run(struct request *r)
{
	const struct row *row = &rows[r->api->key];

	if (row->act == NULL) {
		request_fail(r, STATUS_UNSUPPORTED, "an API that is not offered");
		return;
	}
	if (row->place == HERE) {
		row->act(r);
	} else if (row->place == ASIDE) {
		request_defer(r, row->act);
	} else {
		r->act = row->act;
		task_init(&r->task, act, r);
		client_run(r->client, &r->task);
	}
}
