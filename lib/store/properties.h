#ifndef STORE_PROPERTIES_H
#define STORE_PROPERTIES_H

/*
 * The settings of a topic: Kafka's names and meanings, one table, from which
 * reading, writing, help and completion all follow.
 *
 * Values are numbers.  As text they are plain numbers, or on a
 * command line and in a file edited by hand also SIZE (16M) for bytes and DUR
 * (7d) for milliseconds; they are always written as plain numbers, so that
 * Kafka's tools understand them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

enum properties_id {
	PROPERTIES_CLEANUP_POLICY,
	PROPERTIES_COMPRESSION_GZIP_LEVEL,
	PROPERTIES_COMPRESSION_LZ4_LEVEL,
	PROPERTIES_COMPRESSION_TYPE,
	PROPERTIES_COMPRESSION_ZSTD_LEVEL,
	PROPERTIES_DELETE_RETENTION_MS,
	PROPERTIES_FILE_DELETE_DELAY_MS,
	PROPERTIES_FLUSH_MESSAGES,
	PROPERTIES_FLUSH_MS,
	PROPERTIES_INDEX_INTERVAL_BYTES,
	PROPERTIES_MAX_COMPACTION_LAG_MS,
	PROPERTIES_MAX_MESSAGE_BYTES,
	PROPERTIES_TIMESTAMP_AFTER_MAX_MS,
	PROPERTIES_TIMESTAMP_BEFORE_MAX_MS,
	PROPERTIES_TIMESTAMP_TYPE,
	PROPERTIES_MIN_CLEANABLE_DIRTY_RATIO,
	PROPERTIES_MIN_COMPACTION_LAG_MS,
	PROPERTIES_MIN_INSYNC_REPLICAS,
	PROPERTIES_PREALLOCATE,
	PROPERTIES_RETENTION_BYTES,
	PROPERTIES_RETENTION_MS,
	PROPERTIES_SEGMENT_BYTES,
	PROPERTIES_SEGMENT_INDEX_BYTES,
	PROPERTIES_SEGMENT_JITTER_MS,
	PROPERTIES_SEGMENT_MS,
	PROPERTIES_UNCLEAN_LEADER_ELECTION,
	PROPERTIES_COUNT,
};

enum properties_type {
	PROPERTIES_INT,
	PROPERTIES_SIZE, /* bytes */
	PROPERTIES_DURATION, /* ms */
	PROPERTIES_BOOL, /* 0 or 1; text true, false */
	PROPERTIES_RATIO, /* billionths */
	PROPERTIES_ENUM, /* place in choices, from 0 */
	PROPERTIES_LIST, /* bit for each place in choices, one at least */
};

/* Bits of cleanup.policy. */
enum properties_cleanup {
	PROPERTIES_DELETE = 1,
	PROPERTIES_COMPACT = 2,
};

/* compression.type: producer, or an enum codec plus 1. */
enum { PROPERTIES_COMPRESSION_PRODUCER = 0 };

enum properties_timestamp {
	PROPERTIES_CREATE_TIME,
	PROPERTIES_LOG_APPEND_TIME,
};

struct properties_info {
	const char *name;
	enum properties_type type;
	int64_t fallback; /* value while not set */
	int64_t min;
	int64_t max;
	const char *choices; /* blank between; of ENUM and LIST */
	const char *help; /* one line, lower case, no full stop */
};

/* A topic's settings.  Read with properties_int() and properties_ratio(). */
struct properties {
	struct {
		int64_t number;
		bool is_set; /* said explicitly, so written to the file */
	} values[PROPERTIES_COUNT];
};

/* The table's row; it is sorted by name. */
const struct properties_info *properties_info(enum properties_id id);
/* The id of a name; STATUS_SYNTAX if there is none. */
int properties_find(const char *name, enum properties_id *id);

/* All at their defaults. */
void properties_init(struct properties *p);
/*
 * Set from text.  *why (or NULL) becomes a constant phrase on an error:
 * STATUS_SYNTAX: not a value of that type; ERANGE: outside its limits.
 */
int properties_set(struct properties *p, enum properties_id id,
    const char *value, const char **why);
/*
 * Set from "NAME=VALUE"; "NAME=" goes back to the default.  STATUS_SYNTAX
 * also for an unknown name and for a missing =.
 */
int properties_set_pair(struct properties *p, const char *pair,
    const char **why);
void properties_reset(struct properties *p, enum properties_id id);
/*
 * Put the values of a list, "a,b", into a setting that is one, or take them
 * out.  EINVAL: it is no list.  ERANGE: nothing would be left.  Else as
 * properties_set().
 */
int properties_add(struct properties *p, enum properties_id id,
    const char *values, const char **why);
int properties_remove(struct properties *p, enum properties_id id,
    const char *values, const char **why);

/* The value: of all types but PROPERTIES_RATIO, and of that. */
int64_t properties_int(const struct properties *p, enum properties_id id);
double properties_ratio(const struct properties *p, enum properties_id id);

/* Append the value as text.  Errors as buf_reserve(). */
int properties_text(const struct properties *p, enum properties_id id,
    struct buf *out);
/* Append "name=value\n" for each that is set, by name. */
int properties_write(const struct properties *p, struct buf *out);
/* Do both mean the same, whether said or by default? */
bool properties_equal(const struct properties *a, const struct properties *b);

#endif
