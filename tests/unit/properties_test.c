#include "store/properties.h"

#include <errno.h>

#include "base/bounds.h"
#include "base/buf.h"
#include "base/pairs.h"
#include "base/status.h"
#include "tap.h"

static const char *
text_of(const struct properties *p, enum properties_id id)
{
	static char text[100];
	struct buf b;

	buf_init(&b, sizeof(text));
	if (properties_text(p, id, &b) != 0 || buf_add_8(&b, 0) != 0)
		abort();
	memcpy(text, b.data, b.len);
	buf_release(&b);
	return text;
}

static void
check_set(const char *pair, const char *want)
{
	struct properties p;
	enum properties_id id = PROPERTIES_COUNT;
	const char *why = NULL;
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(pair, "="), pair);
	properties_init(&p);
	tap(properties_set_pair(&p, pair, &why) == 0 &&
		properties_find(name, &id) == 0 && p.values[id].is_set,
	    "%s", pair);
	tap_str(text_of(&p, id), want);
}

static void
check_refused(const char *pair, int want)
{
	struct properties p, before;
	const char *why = NULL;

	properties_init(&p);
	properties_init(&before);
	tap_int(properties_set_pair(&p, pair, &why), want, "%s: %s", pair,
	    why != NULL ? why : "(no reason)");
	tap(why != NULL && properties_equal(&p, &before), "nothing was set");
}

static void
test_table(void)
{
	struct properties p, q;
	int wrong = 0;

	properties_init(&p);
	for (int i = 0; i < PROPERTIES_COUNT; i++) {
		enum properties_id id = (enum properties_id)i, found;
		const struct properties_info *info = properties_info(id);

		wrong += info->name == NULL || info->help == NULL;
		wrong += i > 0 &&
		    strcmp(properties_info(id - 1)->name, info->name) >= 0;
		wrong +=
		    properties_find(info->name, &found) != 0 || found != id;
		wrong += p.values[i].is_set;
		/* Each default can be said, and means the same. */
		q = p;
		wrong += properties_set(&q, id, text_of(&p, id), NULL) != 0;
		wrong += !properties_equal(&p, &q);
		wrong += !q.values[i].is_set;
	}
	tap_int(wrong, 0, "the table is sorted, its defaults within limits");
}

static void
test_defaults(void)
{
	struct properties p;

	properties_init(&p);
	tap_int(properties_int(&p, PROPERTIES_RETENTION_MS), -1,
	    "kept for ever");
	tap_int(properties_int(&p, PROPERTIES_FLUSH_MESSAGES), 1,
	    "every event durable");
	tap_int(properties_int(&p, PROPERTIES_SEGMENT_BYTES), 1 << 30,
	    "segment.bytes");
	tap_int(properties_int(&p, PROPERTIES_MAX_MESSAGE_BYTES), 1048588,
	    "max.message.bytes");
	tap_int(properties_int(&p, PROPERTIES_CLEANUP_POLICY),
	    PROPERTIES_DELETE, "cleanup.policy");
	tap(properties_ratio(&p, PROPERTIES_MIN_CLEANABLE_DIRTY_RATIO) == 0.5,
	    "min.cleanable.dirty.ratio");
	tap_str(text_of(&p, PROPERTIES_FLUSH_MS), "9223372036854775807");
}

static void
test_set(void)
{
	check_set("retention.ms=7d", "604800000");
	check_set("retention.ms=604800000", "604800000");
	check_set("retention.ms=-1", "-1");
	check_set("segment.bytes=16M", "16777216");
	check_set("segment.bytes=14", "14");
	check_set("retention.bytes=-1", "-1");
	check_set("retention.bytes=1T", "1099511627776");
	check_set("flush.messages=9223372036854775807", "9223372036854775807");
	check_set("cleanup.policy=compact", "compact");
	check_set("cleanup.policy=compact,delete", "delete,compact");
	check_set("cleanup.policy=delete, compact", "delete,compact");
	check_set("compression.type=zstd", "zstd");
	check_set("compression.type=none", "uncompressed");
	check_set("message.timestamp.type=LogAppendTime", "LogAppendTime");
	check_set("preallocate=true", "true");
	check_set("compression.zstd.level=-5", "-5");
	check_set("min.cleanable.dirty.ratio=0.25", "0.25");
	check_set("min.cleanable.dirty.ratio=1", "1.0");
	check_set("min.cleanable.dirty.ratio=0", "0.0");
	check_set("min.cleanable.dirty.ratio=.05", "0.05");
	check_refused("retention.m=1", STATUS_SYNTAX);
	check_refused("retention.ms", STATUS_SYNTAX);
	check_refused("=1", STATUS_SYNTAX);
	check_refused("retention.ms=x", STATUS_SYNTAX);
	check_refused("retention.ms= 1", STATUS_SYNTAX);
	check_refused("retention.ms=1D", STATUS_SYNTAX);
	check_refused("retention.ms=-2", ERANGE);
	check_refused("retention.ms=7M", STATUS_SYNTAX);
	check_refused("segment.bytes=13", ERANGE);
	check_refused("segment.bytes=2G", ERANGE);
	check_refused("segment.bytes=7d", STATUS_SYNTAX);
	check_refused("flush.messages=0", ERANGE);
	check_refused("flush.messages=1K", STATUS_SYNTAX);
	check_refused("flush.messages=9223372036854775808", ERANGE);
	check_refused("cleanup.policy=,", STATUS_SYNTAX);
	check_refused("cleanup.policy=delete,", STATUS_SYNTAX);
	check_refused("cleanup.policy=del", STATUS_SYNTAX);
	check_refused("compression.type=lzma", STATUS_SYNTAX);
	check_refused("compression.type=gzip snappy", STATUS_SYNTAX);
	check_refused("preallocate=yes", STATUS_SYNTAX);
	check_refused("min.cleanable.dirty.ratio=1.000001", ERANGE);
	check_refused("min.cleanable.dirty.ratio=99999999999", ERANGE);
	check_refused("min.cleanable.dirty.ratio=-0.5", STATUS_SYNTAX);
	check_refused("min.cleanable.dirty.ratio=.", STATUS_SYNTAX);
	check_refused("min.cleanable.dirty.ratio=1e-3", STATUS_SYNTAX);
}

static void
test_reset(void)
{
	struct properties p, q;

	properties_init(&p);
	properties_init(&q);
	tap_int(properties_set_pair(&p, "retention.ms=1h", NULL), 0, "set");
	tap(!properties_equal(&p, &q), "differs from the default");
	tap_int(properties_set_pair(&p, "retention.ms=", NULL), 0, "reset");
	tap(properties_equal(&p, &q) &&
		!p.values[PROPERTIES_RETENTION_MS].is_set,
	    "back at the default");
}

static void
test_lists(void)
{
	const enum properties_id id = PROPERTIES_CLEANUP_POLICY;
	struct properties p;
	const char *why;

	properties_init(&p);
	tap_int(properties_add(&p, id, "compact", &why), 0, "added");
	tap_int(properties_int(&p, id), PROPERTIES_DELETE | PROPERTIES_COMPACT,
	    "to what is there by default");
	tap(p.values[id].is_set, "which is now said");
	tap_int(properties_remove(&p, id, "delete", &why), 0, "removed");
	tap_int(properties_int(&p, id), PROPERTIES_COMPACT, "the other stays");
	tap_int(properties_remove(&p, id, "compact,delete", &why), ERANGE,
	    "the last cannot be removed");
	tap_int(properties_int(&p, id), PROPERTIES_COMPACT, "and stays");
	tap_int(properties_add(&p, id, "shrink", &why), STATUS_SYNTAX,
	    "an unknown value");
	tap_int(properties_add(&p, PROPERTIES_RETENTION_MS, "1", NULL), EINVAL,
	    "no list");
	tap(!p.values[PROPERTIES_RETENTION_MS].is_set, "is left alone");
}

static void
test_write(void)
{
	struct properties p;
	struct buf b;

	properties_init(&p);
	buf_init(&b, 1000);
	tap(properties_write(&p, &b) == 0 && b.len == 0,
	    "defaults are not written");
	properties_set_pair(&p, "segment.ms=1h", NULL);
	properties_set_pair(&p, "cleanup.policy=compact,delete", NULL);
	properties_set_pair(&p, "retention.ms=-1", NULL);
	if (properties_write(&p, &b) != 0 || buf_add_8(&b, 0) != 0)
		abort();
	tap_str((const char *)b.data,
	    "cleanup.policy=delete,compact\nretention.ms=-1\n"
	    "segment.ms=3600000\n");
	buf_release(&b);
}

int
main(void)
{
	test_table();
	test_defaults();
	test_set();
	test_reset();
	test_lists();
	test_write();
	return tap_done();
}
