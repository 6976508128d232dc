#include "codes.h"

#include <errno.h>

#include "base/status.h"
#include "kafka/error.h"

int
codes_of_append(int rc, bool in_log)
{
	switch (rc) {
	case 0:
	case STATUS_DUPLICATE:
		return KAFKA_NONE;
	case STATUS_CORRUPT:
		return in_log ? KAFKA_STORAGE_ERROR : KAFKA_CORRUPT_MESSAGE;
	case STATUS_TOO_BIG:
		return KAFKA_MESSAGE_TOO_LARGE;
	case STATUS_SEQUENCE:
		return KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER;
	case STATUS_FENCED:
		return KAFKA_INVALID_PRODUCER_EPOCH;
	case STATUS_ROLE:
	case STATUS_OWNED:
	case EACCES:
	case EROFS:
		return KAFKA_TOPIC_AUTHORIZATION_FAILED;
	case STATUS_NO_TOPIC:
	case STATUS_REMOVED:
	case ENOENT:
		return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
	default:
		return KAFKA_STORAGE_ERROR;
	}
}

int
codes_of_read(int rc)
{
	switch (rc) {
	case 0:
		return KAFKA_NONE;
	case STATUS_SYNTAX:
		return KAFKA_INVALID_TOPIC_EXCEPTION;
	case STATUS_OFFSET:
		return KAFKA_OFFSET_OUT_OF_RANGE;
	case STATUS_NO_TOPIC:
	case STATUS_NOT_TOPIC:
	case STATUS_REMOVED:
	case ENOENT:
	case ENOTDIR:
		return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
	case EACCES:
	case EPERM:
	case EROFS:
		return KAFKA_TOPIC_AUTHORIZATION_FAILED;
	default:
		return KAFKA_STORAGE_ERROR;
	}
}

int
codes_of_change(int rc)
{
	switch (rc) {
	case STATUS_EXISTS:
	case STATUS_NOT_TOPIC:
		return KAFKA_TOPIC_ALREADY_EXISTS;
	case STATUS_ROLE:
	case STATUS_OWNED:
		return KAFKA_TOPIC_AUTHORIZATION_FAILED;
	case ERANGE:
		return KAFKA_INVALID_PARTITIONS;
	default:
		return codes_of_read(rc);
	}
}

int
codes_of_epoch(int32_t clients, int32_t ours)
{
	if (clients < 0 || ours < 0 || clients == ours)
		return KAFKA_NONE;
	return clients < ours ? KAFKA_FENCED_LEADER_EPOCH
			      : KAFKA_UNKNOWN_LEADER_EPOCH;
}
