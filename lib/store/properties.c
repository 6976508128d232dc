#include "store/properties.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/buf.h"
#include "base/pairs.h"
#include "base/parse.h"
#include "base/status.h"

enum {
	NAME_MAX_LEN = 64,
	VALUE_MAX_LEN = 64,
	RATIO_ONE = 1000000000, /* a ratio of 1, as a number */
};

#define FOREVER INT64_MAX

static const struct properties_info table[PROPERTIES_COUNT] = {
    [PROPERTIES_CLEANUP_POLICY] = {"cleanup.policy", PROPERTIES_LIST,
	PROPERTIES_DELETE, 0, 0, "delete compact",
	"what becomes of old events: delete, compact, or both"},
    [PROPERTIES_COMPRESSION_GZIP_LEVEL] = {"compression.gzip.level",
	PROPERTIES_INT, -1, -1, 9, NULL,
	"level if compression.type is gzip; -1 is the library's"},
    [PROPERTIES_COMPRESSION_LZ4_LEVEL] = {"compression.lz4.level",
	PROPERTIES_INT, 9, 1, 17, NULL, "level if compression.type is lz4"},
    [PROPERTIES_COMPRESSION_TYPE] = {"compression.type", PROPERTIES_ENUM,
	PROPERTIES_COMPRESSION_PRODUCER, 0, 0,
	"producer uncompressed gzip snappy lz4 zstd",
	"codec of stored batches; producer leaves it to who appends"},
    [PROPERTIES_COMPRESSION_ZSTD_LEVEL] = {"compression.zstd.level",
	PROPERTIES_INT, 3, -131072, 22, NULL,
	"level if compression.type is zstd"},
    [PROPERTIES_DELETE_RETENTION_MS] = {"delete.retention.ms",
	PROPERTIES_DURATION, 86400000, 0, FOREVER, NULL,
	"how long compaction keeps tombstones"},
    [PROPERTIES_FILE_DELETE_DELAY_MS] = {"file.delete.delay.ms",
	PROPERTIES_DURATION, 60000, 0, FOREVER, NULL,
	"time from a segment's deletion to its file's"},
    [PROPERTIES_FLUSH_MESSAGES] = {"flush.messages", PROPERTIES_INT, 1, 1,
	INT64_MAX, NULL,
	"events after which a sync is due; above 1 acks are not durable"},
    [PROPERTIES_FLUSH_MS] = {"flush.ms", PROPERTIES_DURATION, FOREVER, 0,
	FOREVER, NULL, "time after which a sync is due"},
    [PROPERTIES_INDEX_INTERVAL_BYTES] = {"index.interval.bytes",
	PROPERTIES_SIZE, 4096, 0, INT32_MAX, NULL,
	"bytes between entries of the offset index"},
    [PROPERTIES_MAX_COMPACTION_LAG_MS] = {"max.compaction.lag.ms",
	PROPERTIES_DURATION, FOREVER, 1, FOREVER, NULL,
	"longest time that an event stays uncompacted"},
    [PROPERTIES_MAX_MESSAGE_BYTES] = {"max.message.bytes", PROPERTIES_SIZE,
	MESSAGE_BYTES_DEFAULT, 0, BATCH_BYTES_MAX, NULL,
	"largest batch accepted"},
    [PROPERTIES_TIMESTAMP_AFTER_MAX_MS] = {"message.timestamp.after.max.ms",
	PROPERTIES_DURATION, FOREVER, 0, FOREVER, NULL,
	"how far in the future a timestamp may be"},
    [PROPERTIES_TIMESTAMP_BEFORE_MAX_MS] = {"message.timestamp.before.max.ms",
	PROPERTIES_DURATION, FOREVER, 0, FOREVER, NULL,
	"how far in the past a timestamp may be"},
    [PROPERTIES_TIMESTAMP_TYPE] = {"message.timestamp.type", PROPERTIES_ENUM,
	PROPERTIES_CREATE_TIME, 0, 0, "CreateTime LogAppendTime",
	"whose timestamps are kept: the writer's, or the time of append"},
    [PROPERTIES_MIN_CLEANABLE_DIRTY_RATIO] = {"min.cleanable.dirty.ratio",
	PROPERTIES_RATIO, RATIO_ONE / 2, 0, RATIO_ONE, NULL,
	"part of the log that is uncompacted before compaction begins"},
    [PROPERTIES_MIN_COMPACTION_LAG_MS] = {"min.compaction.lag.ms",
	PROPERTIES_DURATION, 0, 0, FOREVER, NULL,
	"time for which an event is not compacted"},
    [PROPERTIES_MIN_INSYNC_REPLICAS] = {"min.insync.replicas", PROPERTIES_INT,
	1, 1, INT16_MAX, NULL,
	"replicas that must have an event before acks=all is given"},
    [PROPERTIES_PREALLOCATE] = {"preallocate", PROPERTIES_BOOL, 0, 0, 1, NULL,
	"whether a new segment's space is taken at once"},
    [PROPERTIES_RETENTION_BYTES] = {"retention.bytes", PROPERTIES_SIZE, -1, -1,
	INT64_MAX, NULL, "size to which a partition is cut; -1 is no limit"},
    [PROPERTIES_RETENTION_MS] = {"retention.ms", PROPERTIES_DURATION, -1, -1,
	FOREVER, NULL, "age at which events go; -1 is never"},
    [PROPERTIES_SEGMENT_BYTES] = {"segment.bytes", PROPERTIES_SIZE, 1 << 30,
	SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX, NULL,
	"size at which a segment file is closed"},
    [PROPERTIES_SEGMENT_INDEX_BYTES] = {"segment.index.bytes", PROPERTIES_SIZE,
	10485760, 4, INT32_MAX, NULL,
	"size of an index at which its segment is closed"},
    [PROPERTIES_SEGMENT_JITTER_MS] = {"segment.jitter.ms", PROPERTIES_DURATION,
	0, 0, FOREVER, NULL, "largest random time taken off segment.ms"},
    [PROPERTIES_SEGMENT_MS] = {"segment.ms", PROPERTIES_DURATION, 604800000, 1,
	FOREVER, NULL, "age at which a segment file is closed"},
    [PROPERTIES_UNCLEAN_LEADER_ELECTION] = {"unclean.leader.election.enable",
	PROPERTIES_BOOL, 0, 0, 1, NULL,
	"whether a replica out of sync may become leader"},
};

static int parse_number(const struct properties_info *info, const char *s,
    int64_t *out, const char **why);

const struct properties_info *
properties_info(enum properties_id id)
{
	assert(id < PROPERTIES_COUNT);
	return &table[id];
}

int
properties_find(const char *name, enum properties_id *id)
{
	for (int i = 0; i < PROPERTIES_COUNT; i++) {
		if (strcmp(table[i].name, name) == 0) {
			*id = (enum properties_id)i;
			return 0;
		}
	}
	return STATUS_SYNTAX;
}

void
properties_init(struct properties *p)
{
	for (int i = 0; i < PROPERTIES_COUNT; i++)
		properties_reset(p, (enum properties_id)i);
}

void
properties_reset(struct properties *p, enum properties_id id)
{
	p->values[id].is_set = false;
	p->values[id].number = properties_info(id)->fallback;
}

int
properties_set(struct properties *p, enum properties_id id, const char *value,
    const char **why)
{
	const char *phrase;
	int rc = parse_number(properties_info(id), value, &p->values[id].number,
	    why == NULL ? &phrase : why);

	if (rc == 0)
		p->values[id].is_set = true;
	return rc;
}

static int
change_list(struct properties *p, enum properties_id id, const char *values,
    bool add, const char **why)
{
	const struct properties_info *info = properties_info(id);
	const char *phrase;
	int64_t bits, now = p->values[id].number;
	int rc;

	if (why == NULL)
		why = &phrase;
	*why = "not a list";
	if (info->type != PROPERTIES_LIST)
		return EINVAL;
	rc = parse_number(info, values, &bits, why);
	if (rc != 0)
		return rc;
	now = add ? now | bits : now & ~bits;
	*why = "nothing would be left of it";
	if (now == 0)
		return ERANGE;
	p->values[id].number = now;
	p->values[id].is_set = true;
	return 0;
}

int
properties_add(struct properties *p, enum properties_id id, const char *values,
    const char **why)
{
	return change_list(p, id, values, true, why);
}

int
properties_remove(struct properties *p, enum properties_id id,
    const char *values, const char **why)
{
	return change_list(p, id, values, false, why);
}

int
properties_set_pair(struct properties *p, const char *pair, const char **why)
{
	const char *eq = strchr(pair, '=');
	const char *phrase;
	char name[NAME_MAX_LEN];
	enum properties_id id;

	if (why == NULL)
		why = &phrase;
	if (eq == NULL) {
		*why = "not NAME=VALUE";
		return STATUS_SYNTAX;
	}
	*why = "no such setting";
	if ((size_t)(eq - pair) >= sizeof(name))
		return STATUS_SYNTAX;
	memcpy(name, pair, (size_t)(eq - pair));
	name[eq - pair] = '\0';
	if (properties_find(name, &id) != 0)
		return STATUS_SYNTAX;
	if (eq[1] != '\0')
		return properties_set(p, id, eq + 1, why);
	properties_reset(p, id);
	return 0;
}

int64_t
properties_int(const struct properties *p, enum properties_id id)
{
	assert(properties_info(id)->type != PROPERTIES_RATIO);
	return p->values[id].number;
}

double
properties_ratio(const struct properties *p, enum properties_id id)
{
	assert(properties_info(id)->type == PROPERTIES_RATIO);
	return (double)p->values[id].number / RATIO_ONE;
}

/* The choice at place i; its length in *len.  NULL behind the last. */
static const char *
choice(const char *choices, int i, size_t *len)
{
	for (; i > 0; i--) {
		choices = strchr(choices, ' ');
		if (choices == NULL)
			return NULL;
		choices++;
	}
	*len = strcspn(choices, " ");
	return choices;
}

/* The place of s[0..len) in choices, -1 if it is none. */
static int
find_choice(const char *choices, const char *s, size_t len)
{
	const char *c;
	size_t choice_len;

	for (int i = 0; (c = choice(choices, i, &choice_len)) != NULL; i++)
		if (choice_len == len && memcmp(c, s, len) == 0)
			return i;
	return -1;
}

static int
parse_list(const char *choices, const char *s, int64_t *out)
{
	int64_t bits = 0;

	for (;;) {
		size_t len;
		int i;

		s += strspn(s, " ");
		len = strcspn(s, ",");
		i = find_choice(choices, s, len);
		if (i < 0)
			return STATUS_SYNTAX;
		bits |= INT64_C(1) << i;
		if (s[len] == '\0')
			break;
		s += len + 1;
	}
	*out = bits;
	return 0;
}

static int
parse_choice(const struct properties_info *info, const char *s, int64_t *out)
{
	int i;

	if (info->type == PROPERTIES_LIST)
		return parse_list(info->choices, s, out);
	/* What the codec is called everywhere else. */
	if (info == &table[PROPERTIES_COMPRESSION_TYPE] &&
	    strcmp(s, "none") == 0)
		s = "uncompressed";
	i = find_choice(info->choices, s, strlen(s));
	if (i < 0)
		return STATUS_SYNTAX;
	*out = i;
	return 0;
}

static int
parse_bool(const char *s, int64_t *out)
{
	if (strcmp(s, "true") == 0)
		*out = 1;
	else if (strcmp(s, "false") == 0)
		*out = 0;
	else
		return STATUS_SYNTAX;
	return 0;
}

/* A plain number, or one with the unit of its type. */
static int
parse_with_unit(const struct properties_info *info, const char *s, int64_t *out)
{
	int64_t n;
	int rc = parse_int(s, info->min, info->max, &n);

	if (rc == STATUS_SYNTAX && info->type == PROPERTIES_SIZE)
		rc = parse_size(s, &n);
	else if (rc == STATUS_SYNTAX && info->type == PROPERTIES_DURATION)
		rc = parse_duration(s, &n);
	if (rc == 0 && (n < info->min || n > info->max))
		rc = ERANGE;
	if (rc == 0)
		*out = n;
	return rc;
}

/* Digits and a point only: no sign, no exponent, whatever the locale. */
static int
parse_ratio(const struct properties_info *info, const char *s, int64_t *out)
{
	int64_t n = 0, unit = RATIO_ONE;
	size_t digits = strspn(s, "0123456789"), i;

	if (digits > 9)
		return ERANGE;
	for (i = 0; i < digits; i++)
		n = n * 10 + RATIO_ONE * (int64_t)(s[i] - '0');
	if (s[i] == '.') {
		for (i++; s[i] >= '0' && s[i] <= '9'; i++, digits++) {
			unit /= 10;
			n += unit * (s[i] - '0');
		}
	}
	if (digits == 0 || s[i] != '\0')
		return STATUS_SYNTAX;
	if (n < info->min || n > info->max)
		return ERANGE;
	*out = n;
	return 0;
}

static int
parse_number(const struct properties_info *info, const char *s, int64_t *out,
    const char **why)
{
	static const char *const phrases[] = {
	    [PROPERTIES_INT] = "not a number",
	    [PROPERTIES_SIZE] = "not a size in bytes (16M)",
	    [PROPERTIES_DURATION] = "not milliseconds or a duration (7d)",
	    [PROPERTIES_BOOL] = "not true or false",
	    [PROPERTIES_RATIO] = "not a decimal fraction",
	    [PROPERTIES_ENUM] = "not one of its values",
	    [PROPERTIES_LIST] = "not a list of its values",
	};
	int rc;

	if (info->choices != NULL)
		rc = parse_choice(info, s, out);
	else if (info->type == PROPERTIES_BOOL)
		rc = parse_bool(s, out);
	else if (info->type == PROPERTIES_RATIO)
		rc = parse_ratio(info, s, out);
	else
		rc = parse_with_unit(info, s, out);
	if (rc != 0)
		*why =
		    rc == ERANGE ? "outside its limits" : phrases[info->type];
	return rc;
}

static int
list_text(const char *choices, int64_t bits, struct buf *out)
{
	const char *c;
	size_t len;
	bool first = true;
	int rc = 0;

	for (int i = 0; (c = choice(choices, i, &len)) != NULL; i++) {
		if ((bits >> i & 1) == 0)
			continue;
		if (!first)
			rc = buf_add_8(out, ',');
		if (rc == 0)
			rc = buf_add(out, c, len);
		if (rc != 0)
			return rc;
		first = false;
	}
	return 0;
}

/* A ratio in [0, 1] without the locale's decimal point. */
static int
ratio_text(int64_t n, struct buf *out)
{
	char digits[24];
	size_t len;

	snprintf(digits, sizeof(digits), "%09lld", (long long)(n % RATIO_ONE));
	len = strlen(digits);
	while (len > 1 && digits[len - 1] == '0')
		len--;
	return buf_addf(out, "%lld.%.*s", (long long)(n / RATIO_ONE), (int)len,
	    digits);
}

int
properties_text(const struct properties *p, enum properties_id id,
    struct buf *out)
{
	const struct properties_info *info = properties_info(id);
	int64_t n = p->values[id].number;
	const char *c;
	size_t len;

	switch (info->type) {
	case PROPERTIES_RATIO:
		return ratio_text(n, out);
	case PROPERTIES_BOOL:
		return buf_add_str(out, n != 0 ? "true" : "false");
	case PROPERTIES_LIST:
		return list_text(info->choices, n, out);
	case PROPERTIES_ENUM:
		c = choice(info->choices, (int)n, &len);
		assert(c != NULL);
		return buf_add(out, c, len);
	case PROPERTIES_INT:
	case PROPERTIES_SIZE:
	case PROPERTIES_DURATION:
		break;
	}
	return buf_addf(out, "%lld", (long long)n);
}

int
properties_write(const struct properties *p, struct buf *out)
{
	struct buf value;
	int rc = 0;

	buf_init(&value, 2 * VALUE_MAX_LEN);
	for (int i = 0; rc == 0 && i < PROPERTIES_COUNT; i++) {
		if (!p->values[i].is_set)
			continue;
		value.len = 0;
		rc = properties_text(p, (enum properties_id)i, &value);
		if (rc == 0)
			rc = buf_add_8(&value, 0);
		if (rc == 0)
			rc = pairs_add(out, table[i].name,
			    (const char *)value.data);
	}
	buf_release(&value);
	return rc;
}

bool
properties_equal(const struct properties *a, const struct properties *b)
{
	for (int i = 0; i < PROPERTIES_COUNT; i++)
		if (a->values[i].number != b->values[i].number)
			return false;
	return true;
}
