#ifndef LOGSERVE_DISPATCH_H
#define LOGSERVE_DISPATCH_H

/*
 * From a request to what acts on it: one row per API that is served.
 */

struct request;

/* On the loop.  The request is answered by what it calls. */
void dispatch_run(struct request *r);

/* What acts: on the loop, so it waits for nothing ... */
void on_versions(struct request *r);
void on_find_coordinator(struct request *r);
void on_describe_cluster(struct request *r);
void on_init_producer(struct request *r);
/* ... on the pool, after what this client sent before ... */
void on_produce(struct request *r);
void on_metadata(struct request *r);
void on_join_group(struct request *r);
void on_sync_group(struct request *r);
void on_heartbeat(struct request *r);
void on_leave_group(struct request *r);
void on_describe_groups(struct request *r);
void on_list_groups(struct request *r);
void on_delete_groups(struct request *r);
void on_offset_commit(struct request *r);
void on_offset_fetch(struct request *r);
void on_offset_delete(struct request *r);
void on_create_topics(struct request *r);
void on_delete_topics(struct request *r);
void on_create_partitions(struct request *r);
void on_delete_records(struct request *r);
void on_describe_configs(struct request *r);
void on_alter_configs(struct request *r);
void on_incremental_alter_configs(struct request *r);
void on_replicate(struct request *r);
/* ... on the loop, as far as nothing is to be waited for, or the pool ... */
void on_fetch(struct request *r);
/* ... on the pool. */
void on_list_offsets(struct request *r);
void on_offset_for_leader_epoch(struct request *r);
void on_describe_log_dirs(struct request *r);

#endif
