#include "dispatch.h"

#include <assert.h>

#include "base/status.h"
#include "client.h"
#include "kafka/api.h"
#include "net/slot.h"
#include "request.h"

enum place {
	HERE,		/* on the loop */
	/*
	 * On the pool, one by one for each client: a commit is not overtaken by
	 * the next one, or by leaving the group.
	 */
	IN_ORDER,
	/* The same; it changes nothing, and is not done for who has gone. */
	READ_IN_ORDER,
	READ_ASIDE,	/* on the pool; as that, but it may take long */
};

static const struct row {
	int16_t key;
	void (*act)(struct request *r);
	enum place place;
} rows[] = {
    {API_PRODUCE, on_produce, HERE},
    {API_FETCH, on_fetch, HERE},
    {API_LIST_OFFSETS, on_list_offsets, READ_ASIDE},
    {API_METADATA, on_metadata, READ_IN_ORDER},
    {API_OFFSET_COMMIT, on_offset_commit, IN_ORDER},
    {API_OFFSET_FETCH, on_offset_fetch, READ_IN_ORDER},
    {API_FIND_COORDINATOR, on_find_coordinator, HERE},
    {API_JOIN_GROUP, on_join_group, IN_ORDER},
    {API_HEARTBEAT, on_heartbeat, IN_ORDER},
    {API_LEAVE_GROUP, on_leave_group, IN_ORDER},
    {API_SYNC_GROUP, on_sync_group, IN_ORDER},
    {API_DESCRIBE_GROUPS, on_describe_groups, READ_IN_ORDER},
    {API_LIST_GROUPS, on_list_groups, READ_IN_ORDER},
    {API_VERSIONS, on_versions, HERE},
    {API_CREATE_TOPICS, on_create_topics, IN_ORDER},
    {API_DELETE_TOPICS, on_delete_topics, IN_ORDER},
    {API_DELETE_RECORDS, on_delete_records, IN_ORDER},
    {API_INIT_PRODUCER_ID, on_init_producer, HERE},
    {API_DELETE_GROUPS, on_delete_groups, IN_ORDER},
    {API_OFFSET_DELETE, on_offset_delete, IN_ORDER},
    {API_OFFSET_FOR_LEADER_EPOCH, on_offset_for_leader_epoch, READ_ASIDE},
    {API_DESCRIBE_CONFIGS, on_describe_configs, READ_IN_ORDER},
    {API_ALTER_CONFIGS, on_alter_configs, IN_ORDER},
    {API_DESCRIBE_LOG_DIRS, on_describe_log_dirs, READ_ASIDE},
    {API_CREATE_PARTITIONS, on_create_partitions, IN_ORDER},
    {API_INCREMENTAL_ALTER_CONFIGS, on_incremental_alter_configs, IN_ORDER},
    {API_DESCRIBE_CLUSTER, on_describe_cluster, HERE},
    {API_REPLICATE, on_replicate, IN_ORDER},
};

static const struct row *
row_of(const struct api *a)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].key == a->key)
			return &rows[i];
	return NULL;
}

/*
 * What is asked for and not waited for must not keep the pool busy, least of
 * all when the server is to end.
 */
static void
act(struct request *r)
{
	const struct row *row = row_of(r->api);

	if (row->place != IN_ORDER && request_is_vain(r))
		request_fail(r, STATUS_SHORT, "the client has gone");
	else
		row->act(r);
}

static void
act_in_order(void *arg)
{
	act(arg);
}

void
dispatch_run(struct request *r)
{
	const struct row *row = row_of(r->api);

	if (row == NULL) {
		request_fail(r, STATUS_UNSUPPORTED,
		    "an API that is not offered");
		return;
	}
	if (row->place == HERE) {
		row->act(r);
	} else if (row->place == READ_ASIDE) {
		request_defer(r, act);
	} else {
		task_init(&r->task, act_in_order, r);
		client_run(r->client, &r->task);
	}
}
