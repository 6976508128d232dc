/*
 * Positions of groups as records: written, read, and what is none.
 */

#include "store/commit.h"

#include "base/buf.h"
#include "base/status.h"
#include "store/record.h"
#include "tap.h"

static struct buf key, value;

static int
decode(struct commit *c)
{
	struct record rec = {
	    .key = {key.data, (int32_t)key.len},
	    .value = {value.data, value.len == 0 ? -1 : (int32_t)value.len},
	};

	return commit_decode(&rec, c);
}

/* A value of that version, by hand: metadata of so many bytes 'm'. */
static void
make_value(uint16_t version, uint16_t metadata)
{
	value.len = 0;
	(void)buf_add_16(&value, version);
	(void)buf_add_64(&value, 42);
	if (version >= 3)
		(void)buf_add_32(&value, 7);
	(void)buf_add_16(&value, metadata);
	for (int i = 0; i < metadata; i++)
		(void)buf_add_8(&value, 'm');
	(void)buf_add_64(&value, 1700000000000);
	if (version == 1)
		(void)buf_add_64(&value, 1800000000000);
}

static void
test_round_trip(void)
{
	struct commit in = {.group = bytes_of("readers"),
	    .topic = bytes_of("t"),
	    .partition = 3,
	    .offset = INT64_MAX,
	    .leader_epoch = 5,
	    .commit_ms = 1700000000000};
	struct commit out;

	tap_int(commit_encode(&in, &key, &value), 0, "written");
	tap_int(decode(&out), 0, "and read");
	tap(bytes_equal(in.group, out.group) &&
		bytes_equal(in.topic, out.topic) && out.partition == 3,
	    "the same group, topic and partition");
	tap(out.offset == INT64_MAX && out.leader_epoch == 5 &&
		out.commit_ms == 1700000000000,
	    "the same offset, epoch and time");
	value.len = 0;
	in.offset = -1;
	key.len = 0;
	tap_int(commit_encode(&in, &key, &value), 0, "forgotten: written");
	tap(value.len == 0 && decode(&out) == 0 && out.offset == -1,
	    "and read");
}

static void
test_versions(void)
{
	struct commit c;

	for (uint16_t version = 0; version <= 3; version++) {
		make_value(version, 10);
		tap(decode(&c) == 0 && c.offset == 42 &&
			c.leader_epoch == (version == 3 ? 7 : -1) &&
			c.commit_ms == 1700000000000,
		    "a value of version %d", version);
	}
	make_value(4, 0);
	tap_int(decode(&c), STATUS_SYNTAX, "none of version 4");
	make_value(3, 32767);
	tap(decode(&c) == 0 && c.offset == 42, "the longest metadata");
	make_value(3, 32768);
	tap_int(decode(&c), STATUS_SYNTAX, "no string has a negative length");
	make_value(3, 10);
	value.data[2] = 0x80;
	tap_int(decode(&c), STATUS_SYNTAX, "no negative offset");
}

static void
test_cut(void)
{
	int wrong = 0;
	struct commit c;
	size_t len;

	make_value(3, 10);
	len = value.len;
	for (value.len = 1; value.len < len; value.len++)
		wrong += decode(&c) == 0;
	tap_int(wrong, 0, "a value cut anywhere is none");
	len = key.len;
	for (key.len = 0; key.len < len; key.len++)
		wrong += decode(&c) == 0;
	tap_int(wrong, 0, "a key cut anywhere is none");
	key.data[6] = '\0';
	tap_int(decode(&c), STATUS_SYNTAX, "nor is a group with a NUL");
}

int
main(void)
{
	buf_init(&key, 1 << 20);
	buf_init(&value, 1 << 20);
	test_round_trip();
	test_versions();
	test_cut();
	buf_release(&key);
	buf_release(&value);
	return tap_done();
}
