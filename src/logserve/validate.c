#include "validate.h"

#include <pthread.h>

#include "base/bounds.h"
#include "base/buf.h"
#include "base/now.h"
#include "base/status.h"
#include "kafka/error.h"
#include "store/properties.h"

static int
refuse(int code, const char *phrase, const char **why)
{
	*why = phrase;
	return code;
}

/*
 * Of a header that no batch has: the sum tells whether it came to harm on the
 * way, and is worth sending again, or was made so.
 */
static int
code_of_corrupt(const uint8_t *data, int64_t len)
{
	struct batch b = {.size = (size_t)len};

	if (len < BATCH_HEADER_LEN || data[BATCH_MAGIC] != 2 ||
	    (int64_t)buf_get_32(data + BATCH_LENGTH) + BATCH_OVERHEAD != len)
		return KAFKA_CORRUPT_MESSAGE;
	b.crc = buf_get_32(data + BATCH_CRC);
	return batch_verify(data, &b) == 0 ? KAFKA_INVALID_RECORD
					   : KAFKA_CORRUPT_MESSAGE;
}

static int
check_header(const uint8_t *data, int64_t len,
    const struct properties *settings, struct batch *b, const char **why)
{
	int rc = batch_decode(data, (size_t)len, b, why);

	if (rc == STATUS_UNSUPPORTED)
		return refuse(KAFKA_UNSUPPORTED_FOR_MESSAGE_FORMAT,
		    "message format version 0 or 1", why);
	if (rc == STATUS_SHORT || (rc == 0 && (int64_t)b->size > len))
		return refuse(KAFKA_INVALID_RECORD, "a batch cut short", why);
	if (rc != 0)
		return refuse(code_of_corrupt(data, len), *why, why);
	if ((int64_t)b->size < len)
		return refuse(KAFKA_INVALID_RECORD,
		    "more than one batch for a partition", why);
	if (len > properties_int(settings, PROPERTIES_MAX_MESSAGE_BYTES))
		return refuse(KAFKA_MESSAGE_TOO_LARGE,
		    "over the topic's max.message.bytes", why);
	if (len > properties_int(settings, PROPERTIES_SEGMENT_BYTES))
		return refuse(KAFKA_RECORD_LIST_TOO_LARGE,
		    "over the topic's segment.bytes", why);
	return KAFKA_NONE;
}

/* What a client may not say. */
static int
check_claims(const struct batch *b, const char **why)
{
	if (b->attributes & BATCH_CONTROL)
		return refuse(KAFKA_INVALID_RECORD,
		    "a control batch from a client", why);
	if (b->attributes & BATCH_TRANSACTIONAL)
		return refuse(KAFKA_INVALID_TXN_STATE,
		    "transactions are not offered", why);
	if (b->attributes & BATCH_LOG_APPEND_TIME)
		return refuse(KAFKA_INVALID_TIMESTAMP,
		    "log append time from a client", why);
	/* As those ascend there are then no gaps between them. */
	if (b->record_count <= 0 ||
	    b->last_offset - b->base_offset != b->record_count - 1)
		return refuse(KAFKA_INVALID_RECORD,
		    "offsets of the batch are not those of its records", why);
	if (b->producer_id >= 0 &&
	    (b->producer_epoch < 0 || b->base_sequence < 0))
		return refuse(KAFKA_INVALID_RECORD,
		    "a producer id without epoch or sequence", why);
	return KAFKA_NONE;
}

struct limits {
	int64_t first_ms;
	int64_t last_ms;
	bool needs_key;
	bool has_times;		/* they are looked at */
};

static void
set_limits(struct limits *l, const struct properties *settings)
{
	int64_t before = properties_int(settings,
		    PROPERTIES_TIMESTAMP_BEFORE_MAX_MS),
		after =
		    properties_int(settings, PROPERTIES_TIMESTAMP_AFTER_MAX_MS),
		now = now_wall_ms();

	l->first_ms = before > now ? INT64_MIN : now - before;
	l->last_ms = after > INT64_MAX - now ? INT64_MAX : now + after;
	l->has_times = properties_int(settings, PROPERTIES_TIMESTAMP_TYPE) ==
	    PROPERTIES_CREATE_TIME;
	l->needs_key = (properties_int(settings, PROPERTIES_CLEANUP_POLICY) &
			   PROPERTIES_COMPACT) != 0;
}

/* rc is that of unpacking; *max_ms is the largest time, -1 without any. */
static int
check_each(struct batch_records *it, int rc, const struct limits *l,
    int64_t *max_ms, const char **why)
{
	struct batch_survey found;

	if (rc == 0)
		rc = batch_records_survey(it, &found);
	if (rc == STATUS_TOO_BIG)
		return refuse(KAFKA_MESSAGE_TOO_LARGE,
		    "records too large when unpacked", why);
	if (rc == STATUS_CORRUPT)
		return refuse(KAFKA_INVALID_RECORD,
		    "records that do not add up", why);
	if (rc != 0)
		return refuse(KAFKA_UNKNOWN_SERVER_ERROR,
		    "records cannot be unpacked", why);
	if (l->needs_key && found.has_null_key)
		return refuse(KAFKA_INVALID_RECORD,
		    "a record without key in a compacted topic", why);
	if (l->has_times &&
	    (found.min_ms < l->first_ms || found.max_ms > l->last_ms))
		return refuse(KAFKA_INVALID_TIMESTAMP,
		    "a timestamp that the topic does not allow", why);
	*max_ms = found.max_ms;
	return KAFKA_NONE;
}

/*
 * What does not fit into scratch is unpacked into memory that one thread has
 * at a time: many clients at once with little that unpacks to much would use
 * up all there is.
 */
static int
check_records(const uint8_t *data, const struct batch *b,
    const struct limits *l, struct buf *scratch, int64_t *max_ms,
    const char **why)
{
	static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
	struct batch_records it;
	struct buf large;
	int code, rc = batch_records_init(&it, data, b, scratch);

	if (rc != STATUS_TOO_BIG)
		return check_each(&it, rc, l, max_ms, why);
	buf_init(&large, RECORDS_BYTES_MAX);
	pthread_mutex_lock(&one_at_a_time);
	rc = batch_records_init(&it, data, b, &large);
	code = check_each(&it, rc, l, max_ms, why);
	buf_release(&large);
	pthread_mutex_unlock(&one_at_a_time);
	return code;
}

int
validate_batch(uint8_t *data, int64_t len, const struct properties *settings,
    struct buf *scratch, struct batch *b, const char **why)
{
	struct limits limits;
	int64_t max_ms;
	int code = check_header(data, len, settings, b, why);

	if (code == KAFKA_NONE && batch_verify(data, b) != 0)
		code = refuse(KAFKA_CORRUPT_MESSAGE, "crc does not match", why);
	if (code == KAFKA_NONE)
		code = check_claims(b, why);
	if (code != KAFKA_NONE)
		return code;
	set_limits(&limits, settings);
	code = check_records(data, b, &limits, scratch, &max_ms, why);
	if (code == KAFKA_NONE && b->max_timestamp != max_ms) {
		batch_set_max_timestamp(data, b->size, max_ms);
		b->max_timestamp = max_ms;
	}
	return code;
}
