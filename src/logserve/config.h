#ifndef LOGSERVE_CONFIG_H
#define LOGSERVE_CONFIG_H

/*
 * What the server was told, and the limits that it keeps.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/addr.h"

enum {
	CONFIG_LISTEN_MAX = 16,
	CONFIG_NODE_ID = 1,
	CONFIG_PORT = 9092,
	/* A topic that the server makes: 7 days, as Kafka has it. */
	CONFIG_RETENTION_MS = 604800000,
	/* The largest request: a batch of max.message.bytes fits often. */
	CONFIG_FRAME_BYTES = 16 << 20,
	/* Decoded, one request never takes more than this. */
	CONFIG_ARENA_BYTES = 32 << 20,
	/* An answer without its records. */
	CONFIG_ANSWER_BYTES = 64 << 20,
	/*
	 * Records that are unpacked to be looked at, of each partition that is
	 * appended to; of one at a time they may be more, RECORDS_BYTES_MAX.
	 */
	CONFIG_UNPACKED_BYTES = 8 << 20,
	/* Records of one answer to a fetch. */
	CONFIG_FETCH_BYTES = 64 << 20,
	/*
	 * In one answer: what is short is copied, into so many pieces of memory
	 * at most; of other records so many files stay open until it is sent.
	 */
	CONFIG_FETCH_COPY_BYTES = 16 << 10,
	CONFIG_FETCH_COPIES = 64,
	CONFIG_FETCH_FILES = 64,
	CONFIG_REQUESTS = 64,		/* of one connection in work */
	CONFIG_REQUEST_BYTES = 32 << 20,	/* of those */
	CONFIG_OUTPUT_BYTES = 64 << 20,	/* not taken by the client */
	/* Of all connections: requests and answers.  A large request fits. */
	CONFIG_MEMORY_BYTES = 256 << 20,
	CONFIG_MEMORY_MIN = 2 * CONFIG_FRAME_BYTES,
	CONFIG_PATIENCE_MS = 3000,	/* with slow ones, when it is short */
	CONFIG_CONNECTIONS = 20000,
	CONFIG_OPEN_LOGS = 100000,
	CONFIG_LOG_FILES = 10,	/* that a log has open, about */
	CONFIG_IDLE_MS = 600000,	/* connections.max.idle.ms */
	CONFIG_STALL_MS = 60000,
	CONFIG_DRAIN_MS = 10000,
	CONFIG_END_MS = 5000,		/* then all has to be over */
	CONFIG_POOL_THREADS = 64,
	CONFIG_THREADS_MAX = 64,
	CONFIG_FETCH_WAIT_MS = 60000,	/* no fetch waits for longer */
	/* Upkeep: log.initial.task.delay.ms, log.retention.check.interval.ms */
	CONFIG_UPKEEP_FIRST_MS = 30000,
	CONFIG_UPKEEP_MS = 300000,
	CONFIG_UPKEEP_RATE = 50000000,	/* bytes read in a second */
	CONFIG_SCRUB_MS = 86400000,	/* between beginnings of two rounds */
	CONFIG_SCRUB_RATE = 10 << 20,	/* bytes in a second */
	CONFIG_UPKEEP_KEYS_BYTES = 64 << 20,	/* keys of one pass */
	CONFIG_POSITIONS_BYTES = 64 << 20,	/* of a topic's groups */
	CONFIG_COMMIT_MS = 5000,	/* offsets.commit.timeout.ms */
	CONFIG_METADATA_BYTES = 4096,	/* offset.metadata.max.bytes */
	/* Replicas: clients at a time, topics and partitions of each. */
	CONFIG_REPLICAS = 16,
	CONFIG_REPLICA_PARTS = 200000,
};

struct config {
	const char *root;
	const char *listen[CONFIG_LISTEN_MAX];
	size_t listen_count;
	const char *advertise;		/* NULL: the address listened on */
	const char *metrics;		/* NULL: no metrics */
	const char *secret;		/* a file; NULL: no replicas */
	bool read_only;
	int32_t auto_create;		/* partitions; 0: topics are not */
	int threads;
	size_t memory;			/* of requests and answers */
	int64_t scrub;			/* bytes in a second; 0: not at all */
	int ready_fd;			/* -1: none */
	bool check_only;
	bool ephemeral;
	char **command;			/* NULL: none */
};

#endif
