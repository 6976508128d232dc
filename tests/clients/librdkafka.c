/*
 * The driver of librdkafka's C API; what its commands do and print is told in
 * tests/clients/README.md.  Exit 0, 1 on an error, 77 if the client cannot.
 */
#include <librdkafka/rdkafka.h>

#include <err.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 20000

enum { RECORDS_MAX = 100000, FIELDS = 5 };

static rd_kafka_conf_t *conf;
static volatile sig_atomic_t ended;
static int64_t offsets[RECORDS_MAX];
static rd_kafka_resp_err_t failure;

/* An error of the broker's, as its number. */
static void
fail(rd_kafka_resp_err_t code, const char *text)
{
	printf("error %d\n", (int)code);
	errx(1, "%s", text != NULL ? text : rd_kafka_err2str(code));
}

static void
set(const char *name, const char *value)
{
	char text[512];

	if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) !=
	    RD_KAFKA_CONF_OK)
		errx(1, "%s", text);
}

/* The value of option NAME=, or what is taken without it. */
static const char *
option(char **argv, const char *name, const char *otherwise)
{
	size_t len = strlen(name);

	for (; *argv != NULL; argv++) {
		if (strncmp(*argv, name, len) == 0 && (*argv)[len] == '=')
			return *argv + len + 1;
	}
	return otherwise;
}

static rd_kafka_t *
client(rd_kafka_type_t type)
{
	char text[512];
	rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof(text));

	if (rk == NULL)
		errx(1, "%s", text);
	return rk;
}

/* --- produce ----------------------------------------------------------- */

static void
delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
	(void)rk;
	(void)opaque;
	if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		failure = m->err;
	*(int64_t *)m->_private = m->offset;
}

/* "name=value,name=value"; a value of "~" is null. */
static rd_kafka_headers_t *
parse_headers(char *text)
{
	rd_kafka_headers_t *list = rd_kafka_headers_new(4);
	char *pair, *value;

	while ((pair = strsep(&text, ",")) != NULL && *pair != '\0') {
		value = strchr(pair, '=');
		if (value == NULL)
			errx(2, "header without =");
		*value++ = '\0';
		rd_kafka_header_add(list, pair, -1,
		    strcmp(value, "~") == 0 ? NULL : value, -1);
	}
	return list;
}

/* Send a line: PARTITION, TIME, KEY, VALUE, HEADERS.  Returns the partition. */
static int
send_line(rd_kafka_t *rk, const char *topic, char *line, int64_t *offset)
{
	char *field[FIELDS] = {NULL};
	const char *key, *value;
	size_t key_len, value_len;
	rd_kafka_resp_err_t rc;
	int32_t partition;

	line[strcspn(line, "\n")] = '\0';
	for (int i = 0; i < FIELDS; i++)
		field[i] = strsep(&line, "\t");
	if (field[FIELDS - 1] == NULL)
		errx(2, "a line of less than five fields");
	partition = (int32_t)atoi(field[0]);
	key = strcmp(field[2], "~") == 0 ? NULL : field[2];
	value = strcmp(field[3], "~") == 0 ? NULL : field[3];
	key_len = key == NULL ? 0 : strlen(key);
	value_len = value == NULL ? 0 : strlen(value);
	rc = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic),
	    RD_KAFKA_V_PARTITION(partition),
	    RD_KAFKA_V_TIMESTAMP(
		strcmp(field[1], "-") == 0 ? 0 : atoll(field[1])),
	    RD_KAFKA_V_KEY(key, key_len),
	    RD_KAFKA_V_VALUE((void *)(uintptr_t)value, value_len),
	    RD_KAFKA_V_HEADERS(parse_headers(field[4])),
	    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_OPAQUE(offset),
	    RD_KAFKA_V_END);
	if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
		fail(rc, NULL);
	return (int)partition;
}

static void
flush(rd_kafka_t *rk)
{
	rd_kafka_resp_err_t rc = rd_kafka_flush(rk, TIMEOUT_MS);

	if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
		fail(rc, NULL);
	if (failure != RD_KAFKA_RESP_ERR_NO_ERROR)
		fail(failure, NULL);
}

static void
produce(char **argv)
{
	static int partitions[RECORDS_MAX];
	bool each = strcmp(option(argv, "each", "no"), "yes") == 0;
	char *line = NULL;
	size_t size = 0, n = 0;
	rd_kafka_t *rk;

	set("compression.codec", option(argv, "codec", "none"));
	set("enable.idempotence",
	    strcmp(option(argv, "idempotent", "no"), "yes") == 0 ? "true"
								 : "false");
	set("message.max.bytes", option(argv, "max", "1000000"));
	set("linger.ms", each ? "0" : "100");
	rd_kafka_conf_set_dr_msg_cb(conf, delivered);
	rk = client(RD_KAFKA_PRODUCER);
	while (n < RECORDS_MAX && getline(&line, &size, stdin) > 0) {
		partitions[n] = send_line(rk, argv[0], line, &offsets[n]);
		n++;
		if (each) {
			flush(rk);
			printf("%d %lld\n", partitions[n - 1],
			    (long long)offsets[n - 1]);
			fflush(stdout);
		}
	}
	flush(rk);
	for (size_t i = 0; !each && i < n; i++)
		printf("%d %lld\n", partitions[i], (long long)offsets[i]);
	free(line);
	rd_kafka_destroy(rk);
}

/* --- consume ----------------------------------------------------------- */

static void
print_text(const void *data, size_t len)
{
	if (data == NULL)
		putchar('~');
	else
		fwrite(data, 1, len, stdout);
}

static void
print_headers(const rd_kafka_message_t *m)
{
	rd_kafka_headers_t *list;
	const char *name;
	const void *value;
	size_t len;

	if (rd_kafka_message_headers(m, &list) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	for (size_t i = 0; rd_kafka_header_get_all(list, i, &name, &value,
			       &len) == RD_KAFKA_RESP_ERR_NO_ERROR;
	     i++) {
		printf("%s%s=", i > 0 ? "," : "", name);
		print_text(value, len);
	}
}

static void
print_record(const rd_kafka_message_t *m)
{
	printf("%lld\t%lld\t", (long long)m->offset,
	    (long long)rd_kafka_message_timestamp(m, NULL));
	print_text(m->key, m->key_len);
	putchar('\t');
	print_text(m->payload, m->len);
	putchar('\t');
	print_headers(m);
	putchar('\n');
	fflush(stdout);
}

static void
consume(char **argv)
{
	rd_kafka_topic_partition_list_t *list;
	int count = atoi(argv[3]);
	rd_kafka_message_t *m;
	rd_kafka_t *rk;

	set("group.id", "unused");
	set("enable.auto.commit", "false");
	set("auto.offset.reset", "error");
	set("fetch.wait.max.ms", option(argv, "wait", "500"));
	rk = client(RD_KAFKA_CONSUMER);
	rd_kafka_poll_set_consumer(rk);
	list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, argv[0], atoi(argv[1]))
	    ->offset = atoll(argv[2]);
	rd_kafka_assign(rk, list);
	while (count > 0) {
		m = rd_kafka_consumer_poll(rk, 1000);
		if (m == NULL)
			continue;
		if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
			print_record(m);
			count--;
		} else if (m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET)
			fail(RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, NULL);
		rd_kafka_message_destroy(m);
	}
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_consumer_close(rk);
	rd_kafka_destroy(rk);
}

static void
find_offset(char **argv)
{
	rd_kafka_t *rk = client(RD_KAFKA_CONSUMER);
	rd_kafka_topic_partition_list_t *list;
	int64_t low, high, found;
	rd_kafka_resp_err_t rc;

	rc = rd_kafka_query_watermark_offsets(rk, argv[0], atoi(argv[1]), &low,
	    &high, TIMEOUT_MS);
	if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
		fail(rc, NULL);
	found = strcmp(argv[2], "earliest") == 0 ? low : high;
	if (strcmp(argv[2], "earliest") != 0 &&
	    strcmp(argv[2], "latest") != 0) {
		list = rd_kafka_topic_partition_list_new(1);
		rd_kafka_topic_partition_list_add(list, argv[0], atoi(argv[1]))
		    ->offset = atoll(argv[2]);
		rc = rd_kafka_offsets_for_times(rk, list, TIMEOUT_MS);
		if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
			fail(rc, NULL);
		found = list->elems[0].offset;
		rd_kafka_topic_partition_list_destroy(list);
	}
	printf("%lld\n", (long long)found);
	rd_kafka_destroy(rk);
}

/* --- groups ------------------------------------------------------------ */

static void
assigned(rd_kafka_t *rk, rd_kafka_resp_err_t code,
    rd_kafka_topic_partition_list_t *list, void *opaque)
{
	(void)opaque;
	if (code != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
		rd_kafka_assign(rk, NULL);
		return;
	}
	rd_kafka_topic_partition_list_sort(list, NULL, NULL);
	printf("assigned");
	for (int i = 0; i < list->cnt; i++)
		printf(" %d", list->elems[i].partition);
	printf("\n");
	fflush(stdout);
	rd_kafka_assign(rk, list);
}

static void
on_signal(int number)
{
	(void)number;
	ended = 1;
}

static void
member(char **argv)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_message_t *m;
	rd_kafka_t *rk;

	set("group.id", argv[0]);
	set("enable.auto.commit", "false");
	set("auto.offset.reset", "earliest");
	set("session.timeout.ms", option(argv, "session", "6000"));
	set("heartbeat.interval.ms", "500");
	if (option(argv, "instance", NULL) != NULL)
		set("group.instance.id", option(argv, "instance", NULL));
	rd_kafka_conf_set_rebalance_cb(conf, assigned);
	signal(SIGTERM, on_signal);
	rk = client(RD_KAFKA_CONSUMER);
	rd_kafka_poll_set_consumer(rk);
	list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, argv[1], -1);
	rd_kafka_subscribe(rk, list);
	while (!ended) {
		m = rd_kafka_consumer_poll(rk, 100);
		if (m == NULL)
			continue;
		if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
			printf("%d\t%lld\t", m->partition,
			    (long long)m->offset);
			print_text(m->payload, m->len);
			printf("\n");
			fflush(stdout);
			rd_kafka_commit_message(rk, m, 0);
		}
		rd_kafka_message_destroy(m);
	}
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_consumer_close(rk);
	rd_kafka_destroy(rk);
}

/* --- admin ------------------------------------------------------------- */

/* Wait for the answer of an admin call. */
static rd_kafka_event_t *
answer(rd_kafka_queue_t *queue)
{
	rd_kafka_event_t *e = rd_kafka_queue_poll(queue, TIMEOUT_MS);

	if (e == NULL)
		errx(1, "no answer");
	if (rd_kafka_event_error(e) != RD_KAFKA_RESP_ERR_NO_ERROR)
		fail(rd_kafka_event_error(e), rd_kafka_event_error_string(e));
	return e;
}

static void
check_topics(const rd_kafka_topic_result_t *const *results, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		rd_kafka_resp_err_t rc =
		    rd_kafka_topic_result_error(results[i]);
		if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
			fail(rc,
			    rd_kafka_topic_result_error_string(results[i]));
	}
}

static void
check_groups(const rd_kafka_group_result_t *const *results, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const rd_kafka_error_t *e =
		    rd_kafka_group_result_error(results[i]);
		if (e != NULL)
			fail(rd_kafka_error_code(e), rd_kafka_error_string(e));
	}
}

static const rd_kafka_ConfigResource_t *
check_config(const rd_kafka_ConfigResource_t **results)
{
	rd_kafka_resp_err_t rc = rd_kafka_ConfigResource_error(results[0]);

	if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
		fail(rc, rd_kafka_ConfigResource_error_string(results[0]));
	return results[0];
}

static void
create(rd_kafka_t *rk, rd_kafka_queue_t *queue, char **argv)
{
	rd_kafka_NewTopic_t *topic;
	const rd_kafka_topic_result_t **results;
	char text[512], *value;
	size_t n;

	topic = rd_kafka_NewTopic_new(argv[0], atoi(argv[1]), 1, text,
	    sizeof(text));
	if (topic == NULL)
		errx(1, "%s", text);
	for (char **arg = argv + 2; *arg != NULL; arg++) {
		value = strchr(*arg, '=');
		*value++ = '\0';
		rd_kafka_NewTopic_set_config(topic, *arg, value);
	}
	rd_kafka_CreateTopics(rk, &topic, 1, NULL, queue);
	results = rd_kafka_CreateTopics_result_topics(
	    rd_kafka_event_CreateTopics_result(answer(queue)), &n);
	check_topics(results, n);
}

static void delete (rd_kafka_t *rk, rd_kafka_queue_t *queue, char **argv)
{
	rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(argv[0]);
	const rd_kafka_topic_result_t **results;
	size_t n;

	rd_kafka_DeleteTopics(rk, &topic, 1, NULL, queue);
	results = rd_kafka_DeleteTopics_result_topics(
	    rd_kafka_event_DeleteTopics_result(answer(queue)), &n);
	check_topics(results, n);
}

static void
grow(rd_kafka_t *rk, rd_kafka_queue_t *queue, char **argv)
{
	rd_kafka_NewPartitions_t *more;
	const rd_kafka_topic_result_t **results;
	char text[512];
	size_t n;

	more = rd_kafka_NewPartitions_new(argv[0], (size_t)atoi(argv[1]), text,
	    sizeof(text));
	if (more == NULL)
		errx(1, "%s", text);
	rd_kafka_CreatePartitions(rk, &more, 1, NULL, queue);
	results = rd_kafka_CreatePartitions_result_topics(
	    rd_kafka_event_CreatePartitions_result(answer(queue)), &n);
	check_topics(results, n);
}

static void
config(rd_kafka_t *rk, rd_kafka_queue_t *queue, char **argv)
{
	rd_kafka_ConfigResource_t *topic =
	    rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, argv[0]);
	const rd_kafka_ConfigEntry_t **entries;
	size_t n;

	rd_kafka_DescribeConfigs(rk, &topic, 1, NULL, queue);
	entries = rd_kafka_ConfigResource_configs(
	    check_config(rd_kafka_DescribeConfigs_result_resources(
		rd_kafka_event_DescribeConfigs_result(answer(queue)), &n)),
	    &n);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(rd_kafka_ConfigEntry_name(entries[i]), argv[1]) == 0)
			printf("%s\n", rd_kafka_ConfigEntry_value(entries[i]));
	}
}

static void
alter(rd_kafka_t *rk, rd_kafka_queue_t *queue, char **argv)
{
	rd_kafka_ConfigResource_t *topic =
	    rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, argv[0]);
	size_t n;

	rd_kafka_ConfigResource_set_config(topic, argv[1], argv[2]);
	rd_kafka_AlterConfigs(rk, &topic, 1, NULL, queue);
	check_config(rd_kafka_AlterConfigs_result_resources(
	    rd_kafka_event_AlterConfigs_result(answer(queue)), &n));
}

static void
trim(rd_kafka_t *rk, rd_kafka_queue_t *queue, char **argv)
{
	rd_kafka_topic_partition_list_t *list;
	const rd_kafka_topic_partition_list_t *low;
	rd_kafka_DeleteRecords_t *request;

	list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, argv[0], atoi(argv[1]))
	    ->offset = atoll(argv[2]);
	request = rd_kafka_DeleteRecords_new(list);
	rd_kafka_DeleteRecords(rk, &request, 1, NULL, queue);
	low = rd_kafka_DeleteRecords_result_offsets(
	    rd_kafka_event_DeleteRecords_result(answer(queue)));
	if (low->elems[0].err != RD_KAFKA_RESP_ERR_NO_ERROR)
		fail(low->elems[0].err, NULL);
	printf("%lld\n", (long long)low->elems[0].offset);
}

static void
groups(rd_kafka_t *rk, rd_kafka_queue_t *queue, char **argv)
{
	const rd_kafka_ConsumerGroupListing_t **list;
	size_t n;

	(void)argv;
	rd_kafka_ListConsumerGroups(rk, NULL, queue);
	list = rd_kafka_ListConsumerGroups_result_valid(
	    rd_kafka_event_ListConsumerGroups_result(answer(queue)), &n);
	for (size_t i = 0; i < n; i++)
		printf("%s\n", rd_kafka_ConsumerGroupListing_group_id(list[i]));
}

static void
group(rd_kafka_t *rk, rd_kafka_queue_t *queue, char **argv)
{
	const rd_kafka_ConsumerGroupDescription_t **list;
	const rd_kafka_error_t *e;
	size_t n;

	rd_kafka_DescribeConsumerGroups(rk, (const char **)argv, 1, NULL,
	    queue);
	list = rd_kafka_DescribeConsumerGroups_result_groups(
	    rd_kafka_event_DescribeConsumerGroups_result(answer(queue)), &n);
	e = rd_kafka_ConsumerGroupDescription_error(list[0]);
	if (e != NULL)
		fail(rd_kafka_error_code(e), rd_kafka_error_string(e));
	printf("%s %zu\n",
	    rd_kafka_consumer_group_state_name(
		rd_kafka_ConsumerGroupDescription_state(list[0])),
	    rd_kafka_ConsumerGroupDescription_member_count(list[0]));
}

static void
drop(rd_kafka_t *rk, rd_kafka_queue_t *queue, char **argv)
{
	rd_kafka_DeleteGroup_t *request = rd_kafka_DeleteGroup_new(argv[0]);
	const rd_kafka_group_result_t **results;
	size_t n;

	rd_kafka_DeleteGroups(rk, &request, 1, NULL, queue);
	results = rd_kafka_DeleteGroups_result_groups(
	    rd_kafka_event_DeleteGroups_result(answer(queue)), &n);
	check_groups(results, n);
}

static void
committed(rd_kafka_t *rk, rd_kafka_queue_t *queue, char **argv)
{
	rd_kafka_ListConsumerGroupOffsets_t *request;
	const rd_kafka_topic_partition_list_t *list;
	const rd_kafka_group_result_t **results;
	size_t n;

	request = rd_kafka_ListConsumerGroupOffsets_new(argv[0], NULL);
	rd_kafka_ListConsumerGroupOffsets(rk, &request, 1, NULL, queue);
	results = rd_kafka_ListConsumerGroupOffsets_result_groups(
	    rd_kafka_event_ListConsumerGroupOffsets_result(answer(queue)), &n);
	check_groups(results, n);
	list = rd_kafka_group_result_partitions(results[0]);
	for (int i = 0; i < list->cnt; i++)
		printf("%d %lld\n", list->elems[i].partition,
		    (long long)list->elems[i].offset);
}

static const struct rd_kafka_metadata *
metadata(rd_kafka_t *rk)
{
	const struct rd_kafka_metadata *md;
	rd_kafka_resp_err_t rc =
	    rd_kafka_metadata(rk, 1, NULL, &md, TIMEOUT_MS);

	if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
		fail(rc, NULL);
	return md;
}

static void
topics(rd_kafka_t *rk, rd_kafka_queue_t *queue, char **argv)
{
	const struct rd_kafka_metadata *md = metadata(rk);

	(void)queue;
	(void)argv;
	for (int i = 0; i < md->topic_cnt; i++)
		printf("%s\n", md->topics[i].topic);
}

static void
count(rd_kafka_t *rk, rd_kafka_queue_t *queue, char **argv)
{
	const struct rd_kafka_metadata *md = metadata(rk);

	(void)queue;
	for (int i = 0; i < md->topic_cnt; i++) {
		if (strcmp(md->topics[i].topic, argv[0]) == 0)
			printf("%d\n", md->topics[i].partition_cnt);
	}
}

static void
cluster(rd_kafka_t *rk, rd_kafka_queue_t *queue, char **argv)
{
	const struct rd_kafka_metadata *md = metadata(rk);

	(void)queue;
	(void)argv;
	for (int i = 0; i < md->broker_cnt; i++)
		printf("node %d %s:%d\n", md->brokers[i].id,
		    md->brokers[i].host, md->brokers[i].port);
	printf("controller %d\n", rd_kafka_controllerid(rk, TIMEOUT_MS));
}

static const struct {
	const char *name;
	void (*run)(rd_kafka_t *rk, rd_kafka_queue_t *queue, char **argv);
} admin[] = {
    {"create", create},
    {"delete", delete},
    {"topics", topics},
    {"grow", grow},
    {"count", count},
    {"config", config},
    {"alter", alter},
    {"trim", trim},
    {"groups", groups},
    {"group", group},
    {"drop", drop},
    {"committed", committed},
    {"cluster", cluster},
};

static int
run_admin(char **argv)
{
	rd_kafka_t *rk = client(RD_KAFKA_PRODUCER);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);

	for (size_t i = 0; i < sizeof(admin) / sizeof(admin[0]); i++) {
		if (strcmp(admin[i].name, argv[0]) == 0) {
			admin[i].run(rk, queue, argv + 1);
			return 0;
		}
	}
	return 77;
}

int
main(int argc, char **argv)
{
	const char *broker = getenv("BROKER_ADDRESS");

	if (argc < 2 || broker == NULL)
		errx(2, "usage: BROKER_ADDRESS=HOST:PORT librdkafka command");
	conf = rd_kafka_conf_new();
	set("bootstrap.servers", broker);
	if (strcmp(argv[1], "produce") == 0)
		produce(argv + 2);
	else if (strcmp(argv[1], "consume") == 0)
		consume(argv + 2);
	else if (strcmp(argv[1], "offset") == 0)
		find_offset(argv + 2);
	else if (strcmp(argv[1], "member") == 0)
		member(argv + 2);
	else
		return run_admin(argv + 1);
	return 0;
}
