/*
 * mock TOPIC:PARTITIONS...: librdkafka's own cluster for tests, with these
 * topics.  Prints its brokers, and is there until it is killed.
 */

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	char why[256];
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(),
	    why, sizeof(why));
	rd_kafka_mock_cluster_t *cluster =
	    rk == NULL ? NULL : rd_kafka_mock_cluster_new(rk, 3);

	if (cluster == NULL)
		return 1;
	for (int i = 1; i < argc; i++) {
		char *colon = strchr(argv[i], ':');

		if (colon == NULL)
			return 2;
		*colon = '\0';
		if (rd_kafka_mock_topic_create(cluster, argv[i],
			(int)strtol(colon + 1, NULL, 10),
			1) != RD_KAFKA_RESP_ERR_NO_ERROR)
			return 1;
	}
	puts(rd_kafka_mock_cluster_bootstraps(cluster));
	fflush(stdout);
	for (;;)
		pause();
}
