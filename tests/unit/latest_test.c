/*
 * Which records are the last of their key, against a naive list: asked upward,
 * downward and anywhere, in memory for all keys and for few.
 */

#include "store/latest.h"

#include <sys/stat.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bounds.h"
#include "base/status.h"
#include "store/batch.h"
#include "store/keymap.h"
#include "store/reader.h"
#include "tap.h"

enum { RECORDS = 24000, KEYS = 9000, NO_KEY = -1 };

static struct {
	int key;
	int64_t timestamp;
} model[RECORDS];
static bool is_last[RECORDS];
static char dir[300];
static struct partition_settings settings;

static int64_t
pick(int64_t n)
{
	return (int64_t)(tap_random() % (uint64_t)n);
}

static void
make_log(void)
{
	struct partition *p = NULL;
	int64_t at = 0;

	snprintf(dir, sizeof(dir), "%s/p", tap_dir());
	settings = partition_defaults;
	settings.segment_bytes = 100000;
	if (mkdir(dir, 0777) != 0 ||
	    partition_open(dir, PARTITION_WRITE_RELAXED, &settings, &p, NULL) !=
		0)
		abort();
	while (at < RECORDS) {
		struct partition_append a = {.expect = -1};
		struct batch_builder bb;
		const uint8_t *data;
		int64_t end = at + pick(300) + 1;
		bool keyless = pick(4) == 0;

		batch_builder_init(&bb, (enum codec)pick(2), INT32_MIN,
		    BATCH_BYTES_MAX);
		for (; at < end && at < RECORDS; at++) {
			char key[16];
			struct record r = {.timestamp = 1000 + pick(9000)};

			model[at].key =
			    keyless || pick(20) == 0 ? NO_KEY : (int)pick(KEYS);
			model[at].timestamp = r.timestamp;
			snprintf(key, sizeof(key), "k%d", model[at].key);
			r.key = model[at].key == NO_KEY ? BYTES_NULL
							: bytes_of(key);
			r.value = pick(5) == 0 ? BYTES_NULL : bytes_of("v");
			if (batch_builder_add(&bb, &r) != 0)
				abort();
		}
		if (batch_builder_finish(&bb, &data, &a.len) != 0)
			abort();
		a.data = (uint8_t *)(uintptr_t)data;
		if (partition_append(p, &a, NULL) != 0)
			abort();
		batch_builder_release(&bb);
	}
	if (partition_sync(p, NULL) != 0)
		abort();
	partition_close(p);
}

static void
fill_model(const struct latest_range *range)
{
	static bool seen[KEYS];

	for (int k = 0; k < KEYS; k++)
		seen[k] = false;
	for (int64_t i = RECORDS - 1; i >= 0; i--) {
		is_last[i] = model[i].key != NO_KEY && i >= range->from &&
		    i < range->to && model[i].timestamp >= range->since &&
		    model[i].timestamp <= range->newest && !seen[model[i].key];
		if (is_last[i])
			seen[model[i].key] = true;
	}
}

/* Asked at offset, after it was covered one way or the other. */
static bool
is_right(struct latest *l, int64_t offset, bool back)
{
	struct fault f = {.file = ""};
	int rc = back ? latest_cover_back(l, offset, &f)
		      : latest_cover(l, offset, &f);

	return rc == 0 && latest_is_covered(l, offset, offset) &&
	    (latest_next(l, offset) == offset) == is_last[offset];
}

static void
check(struct partition *p, const struct latest_range *range, size_t memory)
{
	struct latest *l = NULL;
	bool up = true, down = true, anywhere = true;

	fill_model(range);
	if (latest_new(p, 0, range, memory, &l) != 0)
		abort();
	for (int64_t i = range->from; up && i < range->to; i++)
		up = is_right(l, i, false);
	for (int64_t i = range->to - 1; down && i >= range->from; i--)
		down = is_right(l, i, true);
	latest_rest(l);
	for (int i = 0; anywhere && i < 20; i++)
		anywhere = is_right(l,
		    range->from + pick(range->to - range->from), pick(2) == 0);
	tap(up && down && anywhere, "%zu KiB: up %d, down %d, anywhere %d",
	    memory >> 10, up, down, anywhere);
	latest_free(l);
}

/* What is in a stretch of damage is told once, and goes for nothing. */
static void
test_damage(struct partition *p)
{
	const struct latest_range range = {0, RECORDS, INT64_MIN, INT64_MAX};
	struct fault f = {.file = ""};
	struct latest *l = NULL;
	int64_t from = -1, to = -1;
	char command[400];
	bool skipped;

	snprintf(command, sizeof(command),
	    "printf damage | dd of=%s/%020d.log bs=1 seek=20000 conv=notrunc "
	    "status=none",
	    dir, 0);
	if (system(command) != 0 ||
	    latest_new(p, 0, &range, KEYMAP_BYTES_MIN, &l) != 0)
		abort();
	tap_int(latest_cover(l, 0, &f), STATUS_CORRUPT, "damage is told");
	skipped = latest_skip(l, &from, &to);
	tap(skipped && from >= 0 && to > from, "offsets %lld to %lld",
	    (long long)from, (long long)to);
	tap(!latest_skip(l, &from, &to), "once");
	tap(latest_is_told(l, from) && !latest_is_told(l, to), "those");
	for (int64_t i = from; i < to; i++)
		model[i].key = NO_KEY;
	fill_model(&range);
	tap(is_right(l, 0, false) && is_right(l, RECORDS - 1, true) &&
		is_right(l, 0, false),
	    "not again");
	for (int64_t i = 0; i < RECORDS; i++)
		if (!is_right(l, i, false)) {
			tap(false, "offset %lld", (long long)i);
			break;
		}
	latest_free(l);
}

int
main(void)
{
	struct latest_range range = {0, RECORDS, INT64_MIN, INT64_MAX};
	struct partition *p = NULL;
	struct latest *l = NULL;

	make_log();
	if (partition_open(dir, PARTITION_READ, &settings, &p, NULL) != 0)
		abort();
	check(p, &range, 1 << 20);
	check(p, &range, KEYMAP_BYTES_MIN);
	range =
	    (struct latest_range){pick(5000), RECORDS - pick(5000), 1500, 9500};
	check(p, &range, 1 << 20);
	check(p, &range, KEYMAP_BYTES_MIN);
	tap(latest_new(p, 0, &range, KEYMAP_BYTES_MIN - 1, &l) == EINVAL,
	    "too little memory");
	test_damage(p);
	partition_close(p);
	return tap_done();
}
