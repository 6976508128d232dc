/*
 * transact BROKERS TOPIC PARTITION [WORD]...: a transactional producer, by
 * librdkafka.  A WORD is appended as a record; "commit" and "abort" end the
 * transaction, another one begins with the next record; "open" leaves it open
 * and waits to be killed.  When it ends, the markers are in the logs.
 */

#include <librdkafka/rdkafka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WAIT_MS = 30000 };

/* The broker ends what is open for longer. */
#define OPEN_MS "600000"

static void
check(const char *what, rd_kafka_error_t *error)
{
	if (error == NULL)
		return;
	fprintf(stderr, "transact: %s: %s\n", what,
	    rd_kafka_error_string(error));
	exit(1);
}

static void
set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char why[256];

	if (rd_kafka_conf_set(conf, name, value, why, sizeof(why)) !=
	    RD_KAFKA_CONF_OK) {
		fprintf(stderr, "transact: %s\n", why);
		exit(1);
	}
}

static rd_kafka_t *
connect_to(const char *brokers)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char id[64], why[256];
	rd_kafka_t *rk;

	snprintf(id, sizeof(id), "transact-%d", (int)getpid());
	set(conf, "bootstrap.servers", brokers);
	set(conf, "transactional.id", id);
	set(conf, "transaction.timeout.ms", OPEN_MS);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why));
	if (rk == NULL) {
		fprintf(stderr, "transact: %s\n", why);
		exit(1);
	}
	check("init", rd_kafka_init_transactions(rk, WAIT_MS));
	return rk;
}

int
main(int argc, char **argv)
{
	rd_kafka_t *rk;
	int begun = 0;

	if (argc < 4)
		return 2;
	rk = connect_to(argv[1]);
	for (int i = 4; i < argc; i++) {
		const char *word = argv[i];

		if (strcmp(word, "commit") == 0 || strcmp(word, "abort") == 0) {
			(void)rd_kafka_flush(rk, WAIT_MS);
			check(word,
			    *word == 'c'
				? rd_kafka_commit_transaction(rk, WAIT_MS)
				: rd_kafka_abort_transaction(rk, WAIT_MS));
			begun = 0;
			continue;
		}
		if (strcmp(word, "open") == 0) {
			(void)rd_kafka_flush(rk, WAIT_MS);
			puts("open");
			fflush(stdout);
			pause();
		}
		if (!begun)
			check("begin", rd_kafka_begin_transaction(rk));
		begun = 1;
		if (rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(argv[2]),
			RD_KAFKA_V_PARTITION(atol(argv[3])),
			RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
			RD_KAFKA_V_VALUE((void *)word, strlen(word)),
			RD_KAFKA_V_END) != RD_KAFKA_RESP_ERR_NO_ERROR)
			return 1;
	}
	rd_kafka_destroy(rk);
	/* Who comes with the same id waits until what was before is over. */
	rd_kafka_destroy(connect_to(argv[1]));
	return 0;
}
