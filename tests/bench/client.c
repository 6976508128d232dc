/*
 * One client of Kafka's protocol (librdkafka), which measures a server:
 *
 *	client produce ADDRESS TOPIC COUNT BYTES	events as fast as it can
 *	client fetch ADDRESS TOPIC COUNT		the same, from the beginning
 *	client latency ADDRESS TOPIC RATE SECONDS	so many events a second
 *	client cpu PID		seconds of processor time a process has used
 *
 * Acknowledgements are of all replicas (acks=all), in one partition, without
 * compression.  The first two print the seconds it took.  The third prints six
 * times in ms: median, 99th and 99.9th percentile from when an event was due
 * to its acknowledgement, and the same to when a consumer has it; an event is
 * due at its time even if the one before is late.  It begins when the consumer
 * has seen an event; the first tenth is not counted.
 */

#include <err.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include <librdkafka/rdkafka.h>

enum {
	LATENCY_BYTES = 100,	/* of an event */
	BATCH = 10000,		/* messages taken at a time */
	PATIENCE_MS = 60000,
	TEXT = 1 << 16,
};

static int64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static double
seconds_since(int64_t start)
{
	return (double)(now_ns() - start) / 1e9;
}

static int64_t
number(const char *text)
{
	char *end;
	long long n = strtoll(text, &end, 10);

	if (*text == '\0' || *end != '\0' || n <= 0)
		errx(2, "%s: not a number", text);
	return n;
}

/* --- librdkafka ----------------------------------------------------------- */

static void
set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
	char why[256];

	if (rd_kafka_conf_set(conf, key, value, why, sizeof(why)) !=
	    RD_KAFKA_CONF_OK)
		errx(1, "%s", why);
}

static rd_kafka_t *
open_client(rd_kafka_type_t type, rd_kafka_conf_t *conf, const char *address)
{
	char why[256];
	rd_kafka_t *rk;

	set(conf, "bootstrap.servers", address);
	rk = rd_kafka_new(type, conf, why, sizeof(why));
	if (rk == NULL)
		errx(1, "%s", why);
	return rk;
}

static rd_kafka_t *
open_producer(const char *address, const char *linger_ms,
    void (*acknowledged)(rd_kafka_t *, const rd_kafka_message_t *, void *))
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	set(conf, "acks", "all");
	set(conf, "linger.ms", linger_ms);
	set(conf, "queue.buffering.max.messages", "1000000");
	rd_kafka_conf_set_dr_msg_cb(conf, acknowledged);
	return open_client(RD_KAFKA_PRODUCER, conf, address);
}

/* A consumer of partition 0, from this offset. */
static rd_kafka_t *
open_consumer(const char *address, const char *topic, int64_t offset)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_t *rk;

	set(conf, "group.id", "bench");
	set(conf, "enable.auto.commit", "false");
	set(conf, "fetch.wait.max.ms", "100");
	rk = open_client(RD_KAFKA_CONSUMER, conf, address);
	rd_kafka_poll_set_consumer(rk);
	list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(list, topic, 0)->offset = offset;
	if (rd_kafka_assign(rk, list) != 0)
		errx(1, "assignment failed");
	rd_kafka_topic_partition_list_destroy(list);
	return rk;
}

static void
close_client(rd_kafka_t *rk)
{
	rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

static void
check(const rd_kafka_message_t *m)
{
	if (m->err != 0)
		errx(1, "%s", rd_kafka_message_errstr(m));
}

/* --- as fast as it can ---------------------------------------------------- */

static void
on_ack(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
	(void)rk;
	(void)opaque;
	check(m);
}

static void
produce(const char *address, const char *topic, int64_t count, int64_t bytes)
{
	rd_kafka_t *rk = open_producer(address, "5", on_ack);
	rd_kafka_topic_t *t = rd_kafka_topic_new(rk, topic, NULL);
	static char text[2 * TEXT];
	int64_t start;

	if (bytes > TEXT)
		errx(2, "over %d bytes", TEXT);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('!' + random() % 90);
	/* What it asks first is not measured. */
	if (rd_kafka_produce(t, 0, RD_KAFKA_MSG_F_COPY, text, (size_t)bytes,
		NULL, 0, NULL) != 0 ||
	    rd_kafka_flush(rk, PATIENCE_MS) != 0)
		errx(1, "nothing is acknowledged");
	start = now_ns();
	for (int64_t i = 1; i < count;) {
		if (rd_kafka_produce(t, 0, RD_KAFKA_MSG_F_COPY,
			text + i * 61 % TEXT, (size_t)bytes, NULL, 0,
			NULL) == 0)
			i++;
		else if (rd_kafka_last_error() == RD_KAFKA_RESP_ERR__QUEUE_FULL)
			rd_kafka_poll(rk, 10);
		else
			errx(1, "an event is refused");
		if (i % 1000 == 0)
			rd_kafka_poll(rk, 0);
	}
	if (rd_kafka_flush(rk, PATIENCE_MS) != 0)
		errx(1, "not all is acknowledged");
	printf("%.3f\n", seconds_since(start));
	rd_kafka_topic_destroy(t);
	close_client(rk);
}

static void
fetch(const char *address, const char *topic, int64_t count)
{
	rd_kafka_t *rk =
	    open_consumer(address, topic, RD_KAFKA_OFFSET_BEGINNING);
	rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(rk);
	static rd_kafka_message_t *messages[BATCH];
	int64_t start = now_ns(), done = 0;
	ssize_t n;

	while (done < count) {
		n = rd_kafka_consume_batch_queue(queue, PATIENCE_MS, messages,
		    BATCH);
		if (n <= 0)
			errx(1, "%lld of %lld events came", (long long)done,
			    (long long)count);
		for (ssize_t i = 0; i < n; i++) {
			check(messages[i]);
			rd_kafka_message_destroy(messages[i]);
		}
		done += n;
	}
	printf("%.3f\n", seconds_since(start));
	rd_kafka_queue_destroy(queue);
	close_client(rk);
}

/* --- at a rate ------------------------------------------------------------ */

static struct {
	int64_t count, skip;
	double *acked, *seen;	/* ms, by number; 0 not yet */
	int64_t *due_ns;
	int64_t acked_count;
	rd_kafka_t *consumer;
} run;

static void
on_timed_ack(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
	int64_t i = (int64_t)(intptr_t)m->_private - 1;

	(void)rk;
	(void)opaque;
	check(m);
	/* One that asks whether the topic is ready. */
	if (i < 0)
		return;
	run.acked[i] = (double)(now_ns() - run.due_ns[i]) / 1e6;
	run.acked_count++;
}

/* The consumer has its place, and fetches. */
static void
wait_for_first(void)
{
	rd_kafka_message_t *m =
	    rd_kafka_consumer_poll(run.consumer, PATIENCE_MS);

	if (m == NULL)
		errx(1, "nothing is seen");
	check(m);
	rd_kafka_message_destroy(m);
}

static void *
consume(void *arg)
{
	int64_t end =
	    now_ns() + (int64_t)PATIENCE_MS * 1000000 + *(const int64_t *)arg;
	rd_kafka_message_t *m;
	int64_t seen = 0, i;

	while (seen < run.count && now_ns() < end) {
		m = rd_kafka_consumer_poll(run.consumer, 100);
		if (m == NULL)
			continue;
		check(m);
		if (m->len == LATENCY_BYTES &&
		    (i = strtoll(m->payload, NULL, 10)) >= 0 && i < run.count) {
			run.seen[i] = (double)(now_ns() - run.due_ns[i]) / 1e6;
			seen++;
		}
		rd_kafka_message_destroy(m);
	}
	return seen == run.count ? &run : NULL;
}

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void
print_percentiles(double *times)
{
	int64_t n = run.count - run.skip;

	times += run.skip;
	qsort(times, (size_t)n, sizeof(*times), compare);
	printf("%.2f %.2f %.2f ", times[n / 2], times[n * 99 / 100],
	    times[n * 999 / 1000]);
}

/* Take acknowledgements when they come, until all are there. */
static void *
take_acks(void *arg)
{
	rd_kafka_t *rk = arg;
	int64_t last = now_ns();

	while (run.acked_count < run.count) {
		if (rd_kafka_poll(rk, 100) > 0)
			last = now_ns();
		else if (seconds_since(last) * 1e3 > PATIENCE_MS)
			errx(1, "not all is acknowledged");
	}
	return NULL;
}

static void
wait_until(int64_t ns)
{
	struct timespec ts = {.tv_sec = ns / 1000000000,
	    .tv_nsec = ns % 1000000000};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) != 0)
		continue;
}

static void
send_all(rd_kafka_topic_t *t, int64_t rate)
{
	char event[LATENCY_BYTES];
	int64_t start = now_ns();

	/* No 50 us of its own: prctl(2). */
	prctl(PR_SET_TIMERSLACK, 1);
	memset(event, ' ', sizeof(event));
	for (int64_t i = 0; i < run.count; i++) {
		run.due_ns[i] = start + i * (1000000000 / rate);
		wait_until(run.due_ns[i]);
		/* Spaces follow, and no 0. */
		event[snprintf(event, 24, "%lld", (long long)i)] = ' ';
		if (rd_kafka_produce(t, 0, RD_KAFKA_MSG_F_COPY, event,
			sizeof(event), NULL, 0, (void *)(intptr_t)(i + 1)) != 0)
			errx(1, "an event is refused");
	}
}

static void
latency(const char *address, const char *topic, int64_t rate, int64_t seconds)
{
	rd_kafka_t *rk = open_producer(address, "0", on_timed_ack);
	rd_kafka_topic_t *t = rd_kafka_topic_new(rk, topic, NULL);
	int64_t limit = seconds * 1000000000;
	pthread_t consumer, acks;
	void *all;

	run.count = rate * seconds;
	run.skip = run.count / 10;
	run.acked = calloc((size_t)run.count, sizeof(*run.acked));
	run.seen = calloc((size_t)run.count, sizeof(*run.seen));
	run.due_ns = calloc((size_t)run.count, sizeof(*run.due_ns));
	if (run.acked == NULL || run.seen == NULL || run.due_ns == NULL)
		err(1, NULL);
	if (rd_kafka_produce(t, 0, RD_KAFKA_MSG_F_COPY, "-", 1, NULL, 0,
		NULL) != 0 ||
	    rd_kafka_flush(rk, PATIENCE_MS) != 0)
		errx(1, "nothing is acknowledged");
	run.consumer = open_consumer(address, topic, RD_KAFKA_OFFSET_BEGINNING);
	wait_for_first();
	if (pthread_create(&consumer, NULL, consume, &limit) != 0 ||
	    pthread_create(&acks, NULL, take_acks, rk) != 0)
		errx(1, "no thread");
	send_all(t, rate);
	pthread_join(acks, NULL);
	pthread_join(consumer, &all);
	if (all == NULL)
		errx(1, "not all was seen");
	print_percentiles(run.acked);
	print_percentiles(run.seen);
	putchar('\n');
	rd_kafka_topic_destroy(t);
	close_client(run.consumer);
	close_client(rk);
}

/* To the nanosecond, of all threads, those that have ended too. */
static void
cpu(int64_t pid)
{
	struct timespec ts;
	clockid_t its;

	if (clock_getcpuclockid((pid_t)pid, &its) != 0 ||
	    clock_gettime(its, &ts) != 0)
		errx(1, "%lld: no such process", (long long)pid);
	printf("%.6f\n", (double)ts.tv_sec + (double)ts.tv_nsec / 1e9);
}

int
main(int argc, char **argv)
{
	if (argc == 6 && strcmp(argv[1], "produce") == 0)
		produce(argv[2], argv[3], number(argv[4]), number(argv[5]));
	else if (argc == 5 && strcmp(argv[1], "fetch") == 0)
		fetch(argv[2], argv[3], number(argv[4]));
	else if (argc == 6 && strcmp(argv[1], "latency") == 0)
		latency(argv[2], argv[3], number(argv[4]), number(argv[5]));
	else if (argc == 3 && strcmp(argv[1], "cpu") == 0)
		cpu(number(argv[2]));
	else
		errx(2, "usage: client produce|fetch|latency|cpu ...");
	return 0;
}
