/*
 * What a real broker answered about its partitions, and what the library says
 * of the same files: offsets, times, epochs.  And appending behind them.
 *
 * Run from the top of the tree; the files are only read.
 */

#include <sys/stat.h>

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/status.h"
#include "store/batch.h"
#include "store/lookup.h"
#include "store/partition.h"
#include "store/reader.h"
#include "tap.h"

#define GOLDEN "tests/golden"

static struct partition *
open_at(const char *top, const char *name, enum partition_mode mode)
{
	struct partition *p = NULL;
	char path[600];

	snprintf(path, sizeof(path), "%s/%s/%s-0", top, name, name);
	if (partition_open(path, mode, &partition_defaults, &p, NULL) != 0)
		abort();
	return p;
}

static struct partition *
open_case(const char *name)
{
	return open_at(GOLDEN, name, PARTITION_READ);
}

/* A copy of the case, to write to. */
static struct partition *
open_copy(const char *name)
{
	char command[1200];

	snprintf(command, sizeof(command),
	    "cd " GOLDEN " && rm -rf %s/%s && cp -rL %s %s && "
	    "chmod -R u+w %s/%s",
	    tap_dir_path, name, name, tap_dir_path, tap_dir_path, name);
	if (system(command) != 0)
		abort();
	return open_at(tap_dir_path, name, PARTITION_WRITE);
}

static FILE *
open_answers(const char *name, const char *what)
{
	char path[600];

	snprintf(path, sizeof(path), GOLDEN "/%s/expected.%s", name, what);
	return fopen(path, "r");
}

static void
check_offsets(const char *name)
{
	struct partition *p = open_case(name);
	struct partition_offsets o = {.log_start = -1};
	FILE *f = open_answers(name, "offsets");
	long long start, high, stable, end;

	if (f == NULL ||
	    fscanf(f, "%lld %lld %lld %lld", &start, &high, &stable, &end) != 4)
		abort();
	fclose(f);
	tap_int(partition_offsets(p, &o, NULL), 0, "%s: offsets", name);
	tap_int(o.log_start, start, "%s: log start", name);
	tap_int(o.high_watermark, high, "%s: high watermark", name);
	tap_int(o.last_stable, stable, "%s: last stable offset", name);
	tap_int(o.log_end, end, "%s: log end", name);
	partition_close(p);
}

/*
 * Lines "timestamp offset"; offset -1 if no record is that late.  The broker
 * counts transaction markers.
 */
static void
check_times(const char *name)
{
	struct partition *p = open_case(name);
	struct reader *r = NULL;
	FILE *f = open_answers(name, "times");
	long long time, want;
	int64_t got, found;
	int asked = 0, wrong = 0;

	if (f == NULL ||
	    reader_open(p, READER_UNCOMMITTED | READER_CONTROL, 0, &r, NULL) !=
		0)
		abort();
	while (fscanf(f, "%lld %lld", &time, &want) == 2) {
		int rc = lookup_time(p, r, time, &got, &found, NULL);

		if (rc == STATUS_END)
			got = -1;
		else if (rc != 0 || found < time)
			got = -2;
		if (got != want) {
			printf("# %s: %lld is %lld, not %lld\n", name, time,
			    (long long)got, want);
			wrong++;
		}
		asked++;
	}
	tap(asked > 5, "%s: %d times", name, asked);
	tap_int(wrong, 0, "%s: the broker's answers", name);
	fclose(f);
	reader_close(r);
	partition_close(p);
}

/*
 * Lines "epoch answered_epoch end_offset".  The broker that answered had begun
 * an epoch of its own, the last one it answers with.
 */
static void
check_epochs(const char *name)
{
	FILE *f = open_answers(name, "epochs");
	struct partition *p;
	struct {
		int epoch, found;
		long long end;
	} want[64];
	int count = 0, last = -1;
	int32_t found;
	int64_t end;

	if (f == NULL)
		return;
	while (count < 64 &&
	    fscanf(f, "%d %d %lld", &want[count].epoch, &want[count].found,
		&want[count].end) == 3) {
		if (want[count].found > last)
			last = want[count].found;
		count++;
	}
	fclose(f);
	p = open_copy(name);
	tap_int(partition_new_epoch(p, last, &found, NULL), 0,
	    "%s: a new epoch", name);
	tap_int(found, last, "%s: that of the broker which answered", name);
	for (int i = 0; i < count; i++) {
		found = -1;
		end = -1;
		(void)lookup_epoch(p, want[i].epoch, &found, &end, NULL);
		tap(found == want[i].found && end == want[i].end,
		    "%s: epoch %d is %d, its end %lld (%d, %lld)", name,
		    want[i].epoch, (int)found, (long long)end, want[i].found,
		    want[i].end);
	}
	tap(count > 5, "%s: %d epochs", name, count);
	partition_close(p);
}

/* All that a reader gets: the number of records, the sum of their offsets. */
static void
walk(struct partition *p, int64_t end, int64_t *count, int64_t *sum)
{
	struct reader *r = NULL;
	struct batch_records it;
	struct record rec;
	struct batch b;
	struct buf scratch;
	const uint8_t *data;
	int rc;

	*count = *sum = 0;
	buf_init(&scratch, RECORDS_BYTES_MAX);
	if (reader_open(p, READER_UNCOMMITTED, 0, &r, NULL) != 0)
		abort();
	while ((rc = reader_next(r, &b, &data, NULL)) == 0) {
		if (batch_records_init(&it, data, &b, &scratch) != 0)
			abort();
		while ((rc = batch_records_next(&it, &rec)) == 0) {
			if (rec.offset >= end)
				continue;
			(*count)++;
			*sum += rec.offset * 31 + rec.value.len;
		}
		if (rc != STATUS_END)
			abort();
	}
	if (rc != STATUS_END)
		*count = -1;
	buf_release(&scratch);
	reader_close(r);
}

static int
append_one(struct partition *p, int64_t *offset)
{
	struct partition_append a = {.expect = -1};
	struct record rec = {.timestamp = 1, .value = bytes_of("behind it")};
	struct batch_builder bb;
	const uint8_t *data;
	int rc;

	batch_builder_init(&bb, CODEC_NONE, 0, BATCH_BYTES_MAX);
	if (batch_builder_add(&bb, &rec) != 0 ||
	    batch_builder_finish(&bb, &data, &a.len) != 0)
		abort();
	a.data = bb.raw.data;
	rc = partition_append(p, &a, NULL);
	*offset = a.base_offset;
	if (rc == 0)
		rc = partition_sync(p, NULL);
	batch_builder_release(&bb);
	return rc;
}

/* A copy takes records behind those of the broker, which stay as they are. */
static void
check_append(const char *name)
{
	struct partition *p = open_case(name);
	struct partition_offsets o, now;
	int64_t count, sum, count_now, sum_now, offset = -1;

	if (partition_offsets(p, &o, NULL) != 0)
		abort();
	walk(p, o.log_end, &count, &sum);
	partition_close(p);
	p = open_copy(name);
	tap_int(append_one(p, &offset), 0, "%s: append", name);
	tap_int(offset, o.log_end, "%s: where the broker's log ended", name);
	partition_close(p);
	p = open_at(tap_dir_path, name, PARTITION_WRITE);
	if (partition_offsets(p, &now, NULL) != 0)
		abort();
	tap_int(now.log_end, o.log_end + 1, "%s: one more", name);
	walk(p, o.log_end, &count_now, &sum_now);
	tap(count > 0 && count_now == count && sum_now == sum,
	    "%s: the %lld records before it are the same", name,
	    (long long)count);
	partition_close(p);
}

int
main(void)
{
	glob_t cases;
	int done = 0;

	(void)tap_dir();
	if (glob(GOLDEN "/*/expected.offsets", 0, NULL, &cases) != 0) {
		tap(false, "run from the top of the tree");
		return tap_done();
	}
	for (size_t i = 0; i < cases.gl_pathc; i++) {
		char *name = cases.gl_pathv[i] + strlen(GOLDEN "/");

		*strchr(name, '/') = '\0';
		/* Message sets of versions 0 and 1 are not read. */
		if (strncmp(name, "old-", 4) == 0)
			continue;
		check_offsets(name);
		check_times(name);
		check_epochs(name);
		check_append(name);
		done++;
	}
	tap(done >= 13, "%d partitions", done);
	globfree(&cases);
	return tap_done();
}
