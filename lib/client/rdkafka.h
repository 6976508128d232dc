#ifndef CLIENT_RDKAFKA_H
#define CLIENT_RDKAFKA_H

/*
 * librdkafka, loaded when the first place in a cluster is named: only its
 * header is needed to build, and a program that stays on directories never
 * loads it.
 *
 *	if (rdkafka_load() == 0)
 *		rk = rdkafka.new(...);
 *
 * Members are its functions without "rd_kafka_".
 */

#include <librdkafka/rdkafka.h>

/* The functions that are looked up, F(name) each. */
/* clang-format off */
#define RDKAFKA_FUNCTIONS(F)                                                   \
	F(version_str) F(err2str) F(err2name) F(last_error)                    \
	F(conf_new) F(conf_destroy) F(conf_set) F(conf_get)                    \
	F(conf_set_opaque) F(conf_set_error_cb) F(conf_set_log_cb)             \
	F(conf_set_dr_msg_cb) F(conf_set_rebalance_cb)                         \
	F(new) F(destroy) F(destroy_flags) F(poll) F(fatal_error)              \
	F(poll_set_consumer)                                                   \
	F(clusterid) F(mem_free) F(metadata) F(metadata_destroy)               \
	F(topic_new) F(topic_destroy)                                          \
	F(query_watermark_offsets) F(offsets_for_times)                        \
	F(queue_new) F(queue_destroy) F(queue_poll) F(queue_forward)           \
	F(queue_get_partition) F(queue_io_event_enable)                        \
	F(consume_start_queue) F(consume_stop) F(consume_batch_queue)          \
	F(consume_queue)                                                       \
	F(message_destroy) F(message_errstr) F(message_timestamp)              \
	F(message_headers) F(message_status)                                   \
	F(header_get_all) F(headers_new) F(header_add) F(headers_destroy)      \
	F(producev) F(flush) F(purge) F(outq_len)                              \
	F(topic_partition_list_new) F(topic_partition_list_destroy)            \
	F(topic_partition_list_add) F(topic_partition_list_find)               \
	F(seek_partitions) F(queue_get_consumer)                             \
	F(subscribe) F(consumer_poll) F(consumer_close) F(assign)              \
	F(assignment_lost) F(committed) F(commit)                              \
	F(event_destroy) F(event_error) F(event_error_string) F(event_type)    \
	F(AdminOptions_new) F(AdminOptions_destroy)                            \
	F(AdminOptions_set_request_timeout)                                    \
	F(AdminOptions_set_operation_timeout)                                  \
	F(AdminOptions_set_validate_only)                                      \
	F(NewTopic_new) F(NewTopic_destroy) F(NewTopic_set_config)             \
	F(CreateTopics) F(event_CreateTopics_result)                           \
	F(CreateTopics_result_topics)                                          \
	F(DeleteTopic_new) F(DeleteTopic_destroy) F(DeleteTopics)              \
	F(event_DeleteTopics_result) F(DeleteTopics_result_topics)             \
	F(topic_result_error) F(topic_result_error_string)                     \
	F(topic_result_name)                                                   \
	F(NewPartitions_new) F(NewPartitions_destroy) F(CreatePartitions)      \
	F(event_CreatePartitions_result) F(CreatePartitions_result_topics)     \
	F(ConfigResource_new) F(ConfigResource_destroy)                        \
	F(ConfigResource_set_config) F(ConfigResource_configs)                 \
	F(ConfigResource_error) F(ConfigResource_error_string)                 \
	F(ConfigResource_name) F(ConfigEntry_name) F(ConfigEntry_value)        \
	F(ConfigEntry_source) F(ConfigSource_name)                             \
	F(DescribeConfigs) F(event_DescribeConfigs_result)                     \
	F(DescribeConfigs_result_resources)                                    \
	F(AlterConfigs) F(event_AlterConfigs_result)                           \
	F(AlterConfigs_result_resources)                                       \
	F(DeleteRecords_new) F(DeleteRecords_destroy) F(DeleteRecords)         \
	F(event_DeleteRecords_result) F(DeleteRecords_result_offsets)          \
	F(ListConsumerGroups) F(event_ListConsumerGroups_result)               \
	F(ListConsumerGroups_result_valid) F(ListConsumerGroups_result_errors) \
	F(ConsumerGroupListing_group_id)                                       \
	F(DescribeConsumerGroups) F(event_DescribeConsumerGroups_result)       \
	F(DescribeConsumerGroups_result_groups)                                \
	F(ConsumerGroupDescription_error)                                      \
	F(ConsumerGroupDescription_state)                                      \
	F(ConsumerGroupDescription_member_count)                               \
	F(ListConsumerGroupOffsets_new) F(ListConsumerGroupOffsets_destroy)    \
	F(ListConsumerGroupOffsets)                                            \
	F(event_ListConsumerGroupOffsets_result)                               \
	F(ListConsumerGroupOffsets_result_groups)                              \
	F(AlterConsumerGroupOffsets_new) F(AlterConsumerGroupOffsets_destroy)  \
	F(AlterConsumerGroupOffsets)                                           \
	F(event_AlterConsumerGroupOffsets_result)                              \
	F(AlterConsumerGroupOffsets_result_groups)                             \
	F(DeleteConsumerGroupOffsets_new)                                      \
	F(DeleteConsumerGroupOffsets_destroy) F(DeleteConsumerGroupOffsets)    \
	F(event_DeleteConsumerGroupOffsets_result)                             \
	F(DeleteConsumerGroupOffsets_result_groups)                            \
	F(DeleteGroup_new) F(DeleteGroup_destroy) F(DeleteGroups)              \
	F(event_DeleteGroups_result) F(DeleteGroups_result_groups)             \
	F(group_result_error) F(group_result_partitions)                       \
	F(error_code) F(error_string) F(error_destroy)
/* clang-format on */

#define RDKAFKA_MEMBER(name) __typeof__(rd_kafka_##name) *name;
struct rdkafka {
	RDKAFKA_FUNCTIONS(RDKAFKA_MEMBER)
};
#undef RDKAFKA_MEMBER

extern struct rdkafka rdkafka;

/*
 * Load it, once.  STATUS_CLIENT: it is not installed, or too old;
 * rdkafka_why() says which.
 */
int rdkafka_load(void);
const char *rdkafka_why(void);

#endif
