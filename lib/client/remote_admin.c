#include "client/remote_admin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/now.h"
#include "base/status.h"

int
remote_admin_open(const struct place *place, const struct cluster_options *o,
    struct cluster **out, struct fault *f)
{
	return cluster_open(place, o, &(struct cluster_use){.group = NULL}, out,
	    f);
}

/* --- one request ---------------------------------------------------------- */

/* What a request needs, and what it gave. */
struct request {
	struct cluster *c;
	rd_kafka_queue_t *queue;
	rd_kafka_AdminOptions_t *options;
	rd_kafka_event_t *event;	/* the answer */
};

static void
begin(struct request *r, struct cluster *c, rd_kafka_admin_op_t op,
    bool validate_only)
{
	char why[CLUSTER_WHY_MAX];

	*r = (struct request){.c = c};
	r->queue = rdkafka.queue_new(c->rk);
	r->options = rdkafka.AdminOptions_new(c->rk, op);
	(void)rdkafka.AdminOptions_set_request_timeout(r->options,
	    (int)c->o.timeout_ms, why, sizeof(why));
	if (validate_only)
		(void)rdkafka.AdminOptions_set_validate_only(r->options, 1, why,
		    sizeof(why));
}

static void
end(struct request *r)
{
	if (r->event != NULL)
		rdkafka.event_destroy(r->event);
	rdkafka.AdminOptions_destroy(r->options);
	rdkafka.queue_destroy(r->queue);
}

/* Wait for the answer; its own error is told. */
static int
await(struct request *r, struct fault *f)
{
	int64_t deadline_ms = cluster_deadline_ms(r->c) + 1000;
	rd_kafka_resp_err_t err;
	int rc;

	while (r->event == NULL) {
		r->event =
		    rdkafka.queue_poll(r->queue, cluster_slice_ms(deadline_ms));
		rc = cluster_check(r->c, f);
		if (rc != 0 && r->event == NULL)
			return rc;
		if (r->event == NULL && cluster_is_stopped(r->c))
			return EINTR;
		if (r->event == NULL && now_mono_ms() >= deadline_ms)
			return cluster_timed_out(r->c, f);
	}
	err = rdkafka.event_error(r->event);
	if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
		return 0;
	return cluster_fail(r->c, err, rdkafka.event_error_string(r->event), f);
}

/* What became of the only topic of a request. */
static int
topic_outcome(struct request *r, const rd_kafka_topic_result_t **results,
    size_t count, struct fault *f)
{
	rd_kafka_resp_err_t err;

	if (count != 1)
		return cluster_fail(r->c, RD_KAFKA_RESP_ERR__BAD_MSG, NULL, f);
	err = rdkafka.topic_result_error(results[0]);
	if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
		return 0;
	return cluster_fail(r->c, err,
	    rdkafka.topic_result_error_string(results[0]), f);
}

/* --- topics --------------------------------------------------------------- */

/* The answer comes before every broker has heard of it. */
static int
await_topic(struct cluster *c, const char *topic, struct fault *f)
{
	int64_t deadline_ms = cluster_deadline_ms(c);
	int32_t count;
	int rc;

	do {
		rc = cluster_partitions(c, topic, &count, f);
		if (rc != STATUS_NO_TOPIC)
			return rc;
		rdkafka.poll(c->rk, cluster_slice_ms(deadline_ms) / 10);
	} while (now_mono_ms() < deadline_ms && !cluster_is_stopped(c));
	return rc;
}

int
remote_admin_create(struct cluster *c, const char *topic,
    const struct remote_admin_topic *t, bool dry_run, struct fault *f)
{
	char why[CLUSTER_WHY_MAX];
	const rd_kafka_topic_result_t **results;
	rd_kafka_NewTopic_t *new = rdkafka.NewTopic_new(topic, t->partitions,
	    t->replicas, why, sizeof(why));
	struct request r;
	size_t count;
	int rc;

	if (new == NULL)
		return cluster_fail(c, RD_KAFKA_RESP_ERR__INVALID_ARG, why, f);
	for (size_t i = 0; i < t->count; i++)
		(void)rdkafka.NewTopic_set_config(new, t->settings[i].name,
		    t->settings[i].value);
	begin(&r, c, RD_KAFKA_ADMIN_OP_CREATETOPICS, dry_run);
	rdkafka.CreateTopics(c->rk, &new, 1, r.options, r.queue);
	rc = await(&r, f);
	if (rc == 0) {
		results = rdkafka.CreateTopics_result_topics(
		    rdkafka.event_CreateTopics_result(r.event), &count);
		rc = topic_outcome(&r, results, count, f);
	}
	end(&r);
	rdkafka.NewTopic_destroy(new);
	return rc == 0 && !dry_run ? await_topic(c, topic, f) : rc;
}

int
remote_admin_grow(struct cluster *c, const char *topic, int32_t partitions,
    bool dry_run, struct fault *f)
{
	char why[CLUSTER_WHY_MAX];
	const rd_kafka_topic_result_t **results;
	rd_kafka_NewPartitions_t *new = rdkafka.NewPartitions_new(topic,
	    (size_t)partitions, why, sizeof(why));
	struct request r;
	size_t count;
	int rc;

	if (new == NULL)
		return cluster_fail(c, RD_KAFKA_RESP_ERR__INVALID_ARG, why, f);
	begin(&r, c, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, dry_run);
	rdkafka.CreatePartitions(c->rk, &new, 1, r.options, r.queue);
	rc = await(&r, f);
	if (rc == 0) {
		results = rdkafka.CreatePartitions_result_topics(
		    rdkafka.event_CreatePartitions_result(r.event), &count);
		rc = topic_outcome(&r, results, count, f);
	}
	end(&r);
	rdkafka.NewPartitions_destroy(new);
	return rc;
}

int
remote_admin_remove(struct cluster *c, const char *topic, struct fault *f)
{
	const rd_kafka_topic_result_t **results;
	rd_kafka_DeleteTopic_t *old = rdkafka.DeleteTopic_new(topic);
	struct request r;
	size_t count;
	int rc;

	begin(&r, c, RD_KAFKA_ADMIN_OP_DELETETOPICS, false);
	rdkafka.DeleteTopics(c->rk, &old, 1, r.options, r.queue);
	rc = await(&r, f);
	if (rc == 0) {
		results = rdkafka.DeleteTopics_result_topics(
		    rdkafka.event_DeleteTopics_result(r.event), &count);
		rc = topic_outcome(&r, results, count, f);
	}
	end(&r);
	rdkafka.DeleteTopic_destroy(old);
	return rc;
}

/* --- settings ------------------------------------------------------------- */

static int
compare_settings(const void *a, const void *b)
{
	const rd_kafka_ConfigEntry_t *const *l = a, *const *r = b;

	return strcmp(rdkafka.ConfigEntry_name(*l),
	    rdkafka.ConfigEntry_name(*r));
}

static int
each_setting(const char *topic, const rd_kafka_ConfigEntry_t **entries,
    size_t count, remote_admin_on_setting *fn, void *arg)
{
	const rd_kafka_ConfigEntry_t **sorted =
	    calloc(count + 1, sizeof(rd_kafka_ConfigEntry_t *));
	int rc = sorted == NULL ? ENOMEM : 0;

	if (rc == 0 && count > 0) {
		memcpy(sorted, entries, count * sizeof(*sorted));
		qsort(sorted, count, sizeof(*sorted), compare_settings);
	}
	for (size_t i = 0; rc == 0 && i < count; i++) {
		const char *value = rdkafka.ConfigEntry_value(sorted[i]);

		rc = fn(topic, rdkafka.ConfigEntry_name(sorted[i]),
		    value == NULL ? "" : value,
		    rdkafka.ConfigEntry_source(sorted[i]) ==
			RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG,
		    arg);
	}
	free(sorted);
	return rc;
}

static int
take_settings(struct request *r, remote_admin_on_setting *fn, void *arg,
    struct fault *f)
{
	const rd_kafka_ConfigResource_t **topics;
	const rd_kafka_ConfigEntry_t **entries;
	rd_kafka_resp_err_t err;
	size_t count, n;
	int rc = 0;

	topics = rdkafka.DescribeConfigs_result_resources(
	    rdkafka.event_DescribeConfigs_result(r->event), &count);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		err = rdkafka.ConfigResource_error(topics[i]);
		if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
			return cluster_fail(r->c, err,
			    rdkafka.ConfigResource_error_string(topics[i]), f);
		entries = rdkafka.ConfigResource_configs(topics[i], &n);
		rc = each_setting(rdkafka.ConfigResource_name(topics[i]),
		    entries, n, fn, arg);
	}
	return rc;
}

int
remote_admin_settings(struct cluster *c, const char *const *topics,
    size_t count, remote_admin_on_setting *fn, void *arg, struct fault *f)
{
	rd_kafka_ConfigResource_t **wanted;
	struct request r;
	int rc;

	if (count == 0)
		return 0;
	wanted = calloc(count, sizeof(rd_kafka_ConfigResource_t *));
	if (wanted == NULL)
		return ENOMEM;
	for (size_t i = 0; i < count; i++)
		wanted[i] = rdkafka.ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC,
		    topics[i]);
	begin(&r, c, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, false);
	rdkafka.DescribeConfigs(c->rk, wanted, count, r.options, r.queue);
	rc = await(&r, f);
	if (rc == 0)
		rc = take_settings(&r, fn, arg, f);
	end(&r);
	for (size_t i = 0; i < count; i++)
		rdkafka.ConfigResource_destroy(wanted[i]);
	free(wanted);
	return rc;
}

/* The settings of a topic as they shall be: those that stay, and the new. */
struct change {
	rd_kafka_ConfigResource_t *topic;
	const struct remote_admin_setting *settings;
	size_t count;
};

static int
keep_setting(const char *topic, const char *name, const char *value,
    bool is_set, void *arg)
{
	struct change *change = arg;

	(void)topic;
	for (size_t i = 0; i < change->count; i++)
		if (strcmp(change->settings[i].name, name) == 0)
			return 0;
	if (is_set)
		(void)rdkafka.ConfigResource_set_config(change->topic, name,
		    value);
	return 0;
}

/* The request replaces all that is set. */
int
remote_admin_change(struct cluster *c, const char *topic,
    const struct remote_admin_setting *settings, size_t count, bool dry_run,
    struct fault *f)
{
	struct change change = {.settings = settings, .count = count};
	const rd_kafka_ConfigResource_t **results;
	rd_kafka_resp_err_t err;
	struct request r;
	size_t n;
	int rc;

	change.topic =
	    rdkafka.ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
	rc = remote_admin_settings(c, &topic, 1, keep_setting, &change, f);
	for (size_t i = 0; i < count; i++)
		if (settings[i].value != NULL)
			(void)rdkafka.ConfigResource_set_config(change.topic,
			    settings[i].name, settings[i].value);
	begin(&r, c, RD_KAFKA_ADMIN_OP_ALTERCONFIGS, dry_run);
	if (rc == 0) {
		rdkafka.AlterConfigs(c->rk, &change.topic, 1, r.options,
		    r.queue);
		rc = await(&r, f);
	}
	if (rc == 0) {
		results = rdkafka.AlterConfigs_result_resources(
		    rdkafka.event_AlterConfigs_result(r.event), &n);
		err = n == 1 ? rdkafka.ConfigResource_error(results[0])
			     : RD_KAFKA_RESP_ERR__BAD_MSG;
		if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
			rc = cluster_fail(c, err,
			    n == 1 ? rdkafka.ConfigResource_error_string(
					 results[0])
				   : NULL,
			    f);
	}
	end(&r);
	rdkafka.ConfigResource_destroy(change.topic);
	return rc;
}

/* --- records -------------------------------------------------------------- */

int
remote_admin_delete_before(struct cluster *c, const char *topic,
    int32_t partition, int64_t offset, int64_t *start, struct fault *f)
{
	rd_kafka_topic_partition_list_t *list =
	    rdkafka.topic_partition_list_new(1);
	const rd_kafka_topic_partition_list_t *left;
	rd_kafka_DeleteRecords_t *wanted;
	struct request r;
	int rc;

	rdkafka.topic_partition_list_add(list, topic, partition)->offset =
	    offset;
	wanted = rdkafka.DeleteRecords_new(list);
	begin(&r, c, RD_KAFKA_ADMIN_OP_DELETERECORDS, false);
	rdkafka.DeleteRecords(c->rk, &wanted, 1, r.options, r.queue);
	rc = await(&r, f);
	if (rc == 0) {
		left = rdkafka.DeleteRecords_result_offsets(
		    rdkafka.event_DeleteRecords_result(r.event));
		if (left->cnt != 1)
			rc = cluster_fail(c, RD_KAFKA_RESP_ERR__BAD_MSG, NULL,
			    f);
		else if (left->elems[0].err != RD_KAFKA_RESP_ERR_NO_ERROR)
			rc = cluster_fail(c, left->elems[0].err, NULL, f);
		else
			*start = left->elems[0].offset;
	}
	end(&r);
	rdkafka.DeleteRecords_destroy(wanted);
	rdkafka.topic_partition_list_destroy(list);
	return rc;
}

/* --- groups --------------------------------------------------------------- */

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int
each_name(const rd_kafka_ConsumerGroupListing_t **groups, size_t count,
    int (*fn)(const char *group, void *arg), void *arg)
{
	const char **names = calloc(count + 1, sizeof(char *));
	int rc = names == NULL ? ENOMEM : 0;

	for (size_t i = 0; rc == 0 && i < count; i++)
		names[i] = rdkafka.ConsumerGroupListing_group_id(groups[i]);
	if (rc == 0)
		qsort(names, count, sizeof(char *), compare_names);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = fn(names[i], arg);
	free(names);
	return rc;
}

int
remote_admin_groups(struct cluster *c, int (*fn)(const char *group, void *arg),
    void *arg, struct fault *f)
{
	const rd_kafka_ListConsumerGroups_result_t *result;
	const rd_kafka_ConsumerGroupListing_t **groups;
	const rd_kafka_error_t **errors;
	struct request r;
	size_t count;
	int rc;

	begin(&r, c, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPS, false);
	rdkafka.ListConsumerGroups(c->rk, r.options, r.queue);
	rc = await(&r, f);
	if (rc == 0) {
		result = rdkafka.event_ListConsumerGroups_result(r.event);
		errors =
		    rdkafka.ListConsumerGroups_result_errors(result, &count);
		if (count > 0)
			rc = cluster_fail(c, rdkafka.error_code(errors[0]),
			    rdkafka.error_string(errors[0]), f);
	}
	if (rc == 0) {
		groups =
		    rdkafka.ListConsumerGroups_result_valid(result, &count);
		rc = each_name(groups, count, fn, arg);
	}
	end(&r);
	return rc;
}

int
remote_admin_members(struct cluster *c, const char *group, int *members,
    struct fault *f)
{
	const rd_kafka_ConsumerGroupDescription_t **groups;
	const rd_kafka_error_t *error = NULL;
	struct request r;
	size_t count = 0;
	int rc;

	*members = 0;
	begin(&r, c, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, false);
	rdkafka.DescribeConsumerGroups(c->rk, &group, 1, r.options, r.queue);
	rc = await(&r, f);
	if (rc == 0) {
		groups = rdkafka.DescribeConsumerGroups_result_groups(
		    rdkafka.event_DescribeConsumerGroups_result(r.event),
		    &count);
		if (count == 1)
			error =
			    rdkafka.ConsumerGroupDescription_error(groups[0]);
	}
	if (error != NULL &&
	    rdkafka.error_code(error) != RD_KAFKA_RESP_ERR_NO_ERROR)
		rc = cluster_fail(c, rdkafka.error_code(error),
		    rdkafka.error_string(error), f);
	else if (rc == 0 && count == 1)
		*members = (int)rdkafka.ConsumerGroupDescription_member_count(
		    groups[0]);
	end(&r);
	return rc;
}

static int
compare(const void *a, const void *b)
{
	const rd_kafka_topic_partition_t *l =
	    *(rd_kafka_topic_partition_t *const *)a;
	const rd_kafka_topic_partition_t *r =
	    *(rd_kafka_topic_partition_t *const *)b;
	int topics = strcmp(l->topic, r->topic);

	if (topics != 0)
		return topics;
	return l->partition < r->partition ? -1 : l->partition > r->partition;
}

static int
take_positions(struct cluster *c, const rd_kafka_group_result_t *group,
    int (*fn)(const char *topic, int32_t partition, int64_t offset, void *arg),
    void *arg, struct fault *f)
{
	const rd_kafka_error_t *error = rdkafka.group_result_error(group);
	const rd_kafka_topic_partition_list_t *list;
	const rd_kafka_topic_partition_t **sorted;
	size_t count;
	int rc = 0;

	if (error != NULL &&
	    rdkafka.error_code(error) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return cluster_fail(c, rdkafka.error_code(error),
		    rdkafka.error_string(error), f);
	list = rdkafka.group_result_partitions(group);
	count = list == NULL ? 0 : (size_t)list->cnt;
	sorted = calloc(count + 1, sizeof(rd_kafka_topic_partition_t *));
	if (sorted == NULL)
		return ENOMEM;
	for (size_t i = 0; i < count; i++)
		sorted[i] = &list->elems[i];
	qsort(sorted, count, sizeof(rd_kafka_topic_partition_t *), compare);
	for (size_t i = 0; rc == 0 && i < count; i++)
		if (sorted[i]->offset >= 0)
			rc = fn(sorted[i]->topic, sorted[i]->partition,
			    sorted[i]->offset, arg);
	free(sorted);
	return rc;
}

int
remote_admin_positions(struct cluster *c, const char *group,
    int (*fn)(const char *topic, int32_t partition, int64_t offset, void *arg),
    void *arg, struct fault *f)
{
	rd_kafka_ListConsumerGroupOffsets_t *wanted =
	    rdkafka.ListConsumerGroupOffsets_new(group, NULL);
	const rd_kafka_group_result_t **groups;
	struct request r;
	size_t count;
	int rc;

	begin(&r, c, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS, false);
	rdkafka.ListConsumerGroupOffsets(c->rk, &wanted, 1, r.options, r.queue);
	rc = await(&r, f);
	if (rc == 0) {
		groups = rdkafka.ListConsumerGroupOffsets_result_groups(
		    rdkafka.event_ListConsumerGroupOffsets_result(r.event),
		    &count);
		if (count == 1)
			rc = take_positions(c, groups[0], fn, arg, f);
	}
	end(&r);
	rdkafka.ListConsumerGroupOffsets_destroy(wanted);
	return rc;
}

/* What became of positions that were set or forgotten. */
static int
seek_outcome(struct cluster *c, const rd_kafka_group_result_t *group,
    struct fault *f)
{
	const rd_kafka_error_t *error = rdkafka.group_result_error(group);
	const rd_kafka_topic_partition_list_t *list =
	    rdkafka.group_result_partitions(group);
	rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;

	if (error != NULL)
		err = rdkafka.error_code(error);
	for (int i = 0;
	     err == RD_KAFKA_RESP_ERR_NO_ERROR && list != NULL && i < list->cnt;
	     i++)
		err = list->elems[i].err;
	if (err == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID ||
	    err == RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP ||
	    err == RD_KAFKA_RESP_ERR_GROUP_SUBSCRIBED_TO_TOPIC)
		return EBUSY;
	return err == RD_KAFKA_RESP_ERR_NO_ERROR
	    ? 0
	    : cluster_fail(c, err,
		  error != NULL ? rdkafka.error_string(error) : NULL, f);
}

static int
set_positions(struct cluster *c, const char *group,
    const rd_kafka_topic_partition_list_t *list, struct fault *f)
{
	rd_kafka_AlterConsumerGroupOffsets_t *wanted =
	    rdkafka.AlterConsumerGroupOffsets_new(group, list);
	const rd_kafka_group_result_t **groups;
	struct request r;
	size_t count;
	int rc;

	begin(&r, c, RD_KAFKA_ADMIN_OP_ALTERCONSUMERGROUPOFFSETS, false);
	rdkafka.AlterConsumerGroupOffsets(c->rk, &wanted, 1, r.options,
	    r.queue);
	rc = await(&r, f);
	if (rc == 0) {
		groups = rdkafka.AlterConsumerGroupOffsets_result_groups(
		    rdkafka.event_AlterConsumerGroupOffsets_result(r.event),
		    &count);
		if (count == 1)
			rc = seek_outcome(c, groups[0], f);
	}
	end(&r);
	rdkafka.AlterConsumerGroupOffsets_destroy(wanted);
	return rc;
}

static int
forget_positions(struct cluster *c, const char *group,
    const rd_kafka_topic_partition_list_t *list, struct fault *f)
{
	rd_kafka_DeleteConsumerGroupOffsets_t *wanted =
	    rdkafka.DeleteConsumerGroupOffsets_new(group, list);
	const rd_kafka_group_result_t **groups;
	struct request r;
	size_t count;
	int rc;

	begin(&r, c, RD_KAFKA_ADMIN_OP_DELETECONSUMERGROUPOFFSETS, false);
	rdkafka.DeleteConsumerGroupOffsets(c->rk, &wanted, 1, r.options,
	    r.queue);
	rc = await(&r, f);
	if (rc == 0) {
		groups = rdkafka.DeleteConsumerGroupOffsets_result_groups(
		    rdkafka.event_DeleteConsumerGroupOffsets_result(r.event),
		    &count);
		if (count == 1)
			rc = seek_outcome(c, groups[0], f);
	}
	end(&r);
	rdkafka.DeleteConsumerGroupOffsets_destroy(wanted);
	return rc;
}

int
remote_admin_seek(struct cluster *c, const char *group, const char *topic,
    const struct remote_admin_position *positions, size_t count,
    struct fault *f)
{
	rd_kafka_topic_partition_list_t *list;
	bool forget = count > 0 && positions[0].offset < 0;
	int rc;

	if (count == 0)
		return 0;
	list = rdkafka.topic_partition_list_new((int)count);
	for (size_t i = 0; i < count; i++)
		rdkafka
		    .topic_partition_list_add(list, topic,
			positions[i].partition)
		    ->offset = positions[i].offset;
	rc = forget ? forget_positions(c, group, list, f)
		    : set_positions(c, group, list, f);
	rdkafka.topic_partition_list_destroy(list);
	return rc;
}

int
remote_admin_forget(struct cluster *c, const char *group, struct fault *f)
{
	rd_kafka_DeleteGroup_t *wanted = rdkafka.DeleteGroup_new(group);
	const rd_kafka_group_result_t **groups;
	struct request r;
	size_t count;
	int rc;

	begin(&r, c, RD_KAFKA_ADMIN_OP_DELETEGROUPS, false);
	rdkafka.DeleteGroups(c->rk, &wanted, 1, r.options, r.queue);
	rc = await(&r, f);
	if (rc == 0) {
		groups = rdkafka.DeleteGroups_result_groups(
		    rdkafka.event_DeleteGroups_result(r.event), &count);
		if (count == 1)
			rc = seek_outcome(c, groups[0], f);
	}
	end(&r);
	rdkafka.DeleteGroup_destroy(wanted);
	return rc;
}
