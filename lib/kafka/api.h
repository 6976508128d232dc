#ifndef KAFKA_API_H
#define KAFKA_API_H

/*
 * The APIs of the protocol that messages.schema tells, by their keys.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kafka/wire.h"

enum api_key {
	API_PRODUCE = 0,
	API_FETCH = 1,
	API_LIST_OFFSETS = 2,
	API_METADATA = 3,
	API_OFFSET_COMMIT = 8,
	API_OFFSET_FETCH = 9,
	API_FIND_COORDINATOR = 10,
	API_JOIN_GROUP = 11,
	API_HEARTBEAT = 12,
	API_LEAVE_GROUP = 13,
	API_SYNC_GROUP = 14,
	API_DESCRIBE_GROUPS = 15,
	API_LIST_GROUPS = 16,
	API_SASL_HANDSHAKE = 17,
	API_VERSIONS = 18,
	API_CREATE_TOPICS = 19,
	API_DELETE_TOPICS = 20,
	API_DELETE_RECORDS = 21,
	API_INIT_PRODUCER_ID = 22,
	API_OFFSET_FOR_LEADER_EPOCH = 23,
	API_DESCRIBE_CONFIGS = 32,
	API_ALTER_CONFIGS = 33,
	API_DESCRIBE_LOG_DIRS = 35,
	API_SASL_AUTHENTICATE = 36,
	API_CREATE_PARTITIONS = 37,
	API_DELETE_GROUPS = 42,
	API_INCREMENTAL_ALTER_CONFIGS = 44,
	API_OFFSET_DELETE = 47,
	API_DESCRIBE_CLUSTER = 60,
	API_KEY_MAX = 60,	/* of Kafka */
	API_REPLICATE = 10000,	/* not of Kafka, which is far below */
};

enum { API_COUNT_MAX = 64 };

struct api {
	int16_t key;
	const char *name;	/* "Fetch" */
	int16_t min;		/* versions that a server of ours offers */
	int16_t max;
	bool served;		/* it offers any */
	const struct wire_message *request;
	const struct wire_message *response;
};

/* NULL: not known. */
const struct api *api_find(int16_t key);
/* All of them, in the order of their keys: i = 0, 1, ... until NULL. */
const struct api *api_at(size_t i);
/* Its place in that order, below API_COUNT_MAX. */
size_t api_number(const struct api *a);
/* Is that version of it offered, and known here? */
bool api_is_served(const struct api *a, int16_t version);
/* Is that version of it flexible? */
bool api_is_flexible(const struct api *a, int16_t version);

/*
 * The answer to ApiVersions of a version that we do not know: in version 0,
 * error 35, and key 18 alone, so that the client tries again with what we have
 * (KIP-511).
 */
int api_versions_refusal(struct buf *b, int32_t correlation);

#endif
