/*
 * produce [OPTION]... JOURNAL BROKER TOPIC: idempotent producers (librdkafka's)
 * that append to random partitions until TERM, over every fault of the server,
 * and note what they do as tests/oracle/oracle.c wants it.
 *
 *	-w N	producers (3), each with another codec
 *	-p N	partitions of the topic (4)
 *	-b N	bytes of the largest event (300)
 *	-s SEED	of all random choices (0)
 *	-t TAG	names this journal's events
 *
 * After TERM they wait until all is acknowledged.  Exit status 1: an event was
 * refused, or acknowledged without an offset, or could not be delivered.
 */

#include <err.h>
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	PRODUCERS_MAX = 16,
	EVENT_MAX = 1 << 16,
	QUEUED_MAX = 400,
	FLUSH_MS = 120000,
};

struct producer {
	rd_kafka_t *handle;
	long number;
	long attempted;
	long acked;
};

static struct producer producers[PRODUCERS_MAX];
static int count = 3, partitions = 4, bytes_max = 300;
static uint64_t seed;
static const char *tag = "p";
static FILE *journal;
static volatile sig_atomic_t stopped;

static void
stop(int sig)
{
	(void)sig;
	stopped = 1;
}

static int
below(int n)
{
	uint64_t z = (seed += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (int)((z ^ (z >> 31)) % (uint64_t)n);
}

/* The event's number travels with it. */
static void
on_delivery(rd_kafka_t *handle, const rd_kafka_message_t *m, void *arg)
{
	struct producer *p = arg;
	long seq = (long)(intptr_t)m->_private;

	(void)handle;
	if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		errx(1, "%s %ld %ld: %s", tag, p->number, seq,
		    rd_kafka_err2str(m->err));
	if (m->offset < 0)
		errx(1, "%s %ld %ld: acknowledged at no offset", tag, p->number,
		    seq);
	p->acked++;
	(void)fprintf(journal, "k %ld %ld %d %" PRId64 "\n", p->number, seq,
	    (int)m->partition, m->offset);
}

/* That the server is away is what this is for. */
static void
on_error(rd_kafka_t *handle, int code, const char *reason, void *arg)
{
	struct producer *p = arg;
	char text[512];

	(void)reason;
	if (code == RD_KAFKA_RESP_ERR__FATAL &&
	    rd_kafka_fatal_error(handle, text, sizeof(text)) != 0)
		errx(1, "%s %ld: %s", tag, p->number, text);
}

static void
set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char text[512];

	if (rd_kafka_conf_set(conf, name, value, text, sizeof(text)) !=
	    RD_KAFKA_CONF_OK)
		errx(2, "%s", text);
}

static void
start(struct producer *p, long number, const char *broker)
{
	static const char *const codecs[] = {"none", "lz4", "zstd", "snappy",
	    "gzip"};
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char text[512];

	set(conf, "bootstrap.servers", broker);
	set(conf, "enable.idempotence", "true");
	set(conf, "acks", "all");
	set(conf, "message.timeout.ms", "0");
	set(conf, "linger.ms", "1");
	set(conf, "batch.size", "32768");
	set(conf, "retry.backoff.ms", "10");
	set(conf, "reconnect.backoff.ms", "5");
	set(conf, "reconnect.backoff.max.ms", "100");
	set(conf, "log_level", "0");
	set(conf, "compression.codec", codecs[number % 5]);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	rd_kafka_conf_set_error_cb(conf, on_error);
	rd_kafka_conf_set_opaque(conf, p);
	p->number = number;
	p->handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
	if (p->handle == NULL)
		errx(2, "%s", text);
}

/* "TAG COPY SEQ FILL SUM", as oracle.c tells it. */
static size_t
make_event(const struct producer *p, long seq, char *event)
{
	int len = sprintf(event, "%s %ld %ld ", tag, p->number, seq);
	int fill = below(below(8) == 0 ? bytes_max : 40) + 1;
	uint32_t sum = 2166136261u;

	for (int k = 0; k < fill; k++)
		event[len++] = (char)('a' + (k * 7 + seq) % 26);
	event[len++] = ' ';
	for (int k = 0; k < len; k++)
		sum = (sum ^ (unsigned char)event[k]) * 16777619u;
	return (size_t)len + (size_t)sprintf(event + len, "%08" PRIx32, sum);
}

/* A few events more; their attempt is in the journal before they are sent. */
static void
feed(struct producer *p, const char *topic)
{
	static char event[EVENT_MAX + 128];
	long from = p->attempted + 1, to = p->attempted + 1 + below(30);
	rd_kafka_resp_err_t rc;
	size_t len;

	(void)fprintf(journal, "a %ld %ld %ld\n", p->number, from, to);
	for (long seq = from; seq <= to; seq++) {
		len = make_event(p, seq, event);
		rc = rd_kafka_producev(p->handle, RD_KAFKA_V_TOPIC(topic),
		    RD_KAFKA_V_PARTITION(below(partitions)),
		    RD_KAFKA_V_VALUE(event, len),
		    RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
		    RD_KAFKA_V_OPAQUE((void *)(intptr_t)seq), RD_KAFKA_V_END);
		if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
			errx(1, "%s", rd_kafka_err2str(rc));
	}
	p->attempted = to;
}

static void
run(const char *topic)
{
	for (int i = 0; !stopped; i = (i + 1) % count) {
		if (rd_kafka_outq_len(producers[i].handle) < QUEUED_MAX)
			feed(&producers[i], topic);
		(void)rd_kafka_poll(producers[i].handle, 1 + below(5));
		if (fflush(journal) != 0)
			err(2, "journal");
	}
}

static void
finish(void)
{
	long attempted = 0, acked = 0;

	for (int i = 0; i < count; i++) {
		struct producer *p = &producers[i];

		(void)rd_kafka_flush(p->handle, FLUSH_MS);
		attempted += p->attempted;
		acked += p->acked;
		rd_kafka_destroy(p->handle);
	}
	if (fclose(journal) != 0)
		err(2, "journal");
	printf("%d producers, %ld events acknowledged\n", count, acked);
	if (acked != attempted)
		errx(1, "%ld of %ld acknowledged", acked, attempted);
}

static void
read_options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "w:p:b:s:t:")) != -1)
		if (c == 'w')
			count = atoi(optarg);
		else if (c == 'p')
			partitions = atoi(optarg);
		else if (c == 'b')
			bytes_max = atoi(optarg);
		else if (c == 's')
			seed = strtoull(optarg, NULL, 10);
		else if (c == 't')
			tag = optarg;
		else
			exit(2);
	if (argc - optind != 3 || count < 1 || count > PRODUCERS_MAX ||
	    partitions < 1 || bytes_max < 1 || bytes_max > EVENT_MAX)
		errx(2, "usage: produce [OPTION]... JOURNAL BROKER TOPIC");
}

int
main(int argc, char **argv)
{
	read_options(argc, argv);
	journal = fopen(argv[optind], "ae");
	if (journal == NULL)
		err(2, "%s", argv[optind]);
	(void)signal(SIGTERM, stop);
	(void)fprintf(journal, "tag %s\n", tag);
	for (int i = 0; i < count; i++)
		start(&producers[i], i + 1, argv[optind + 1]);
	run(argv[optind + 2]);
	finish();
	return 0;
}
