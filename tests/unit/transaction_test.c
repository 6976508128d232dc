/*
 * Transactions in a partition: what readers see, over rolls, and what they are
 * told when a transaction index is lost.
 */

#include <sys/stat.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/crc32c.h"
#include "base/status.h"
#include "store/batch.h"
#include "store/partition.h"
#include "store/reader.h"
#include "tap.h"

static char dir[256];
static int dir_count;
static int32_t sequence[10];

/* A batch of one record of producer id, with that attribute. */
static void
append_data(struct partition *p, int64_t id, uint16_t attributes)
{
	struct partition_append a = {.expect = -1};
	struct record r = {.timestamp = 1000, .key = BYTES_NULL};
	struct batch_builder bb;
	const uint8_t *data;
	uint8_t *b;

	batch_builder_init(&bb, CODEC_NONE, 0, BATCH_BYTES_MAX);
	r.value = bytes_of("a record of some length, so that segments fill");
	if (batch_builder_add(&bb, &r) != 0 ||
	    batch_builder_finish(&bb, &data, &a.len) != 0)
		abort();
	b = bb.raw.data;
	buf_put_64(b + BATCH_PRODUCER_ID, (uint64_t)id);
	buf_put_16(b + BATCH_PRODUCER_EPOCH, 0);
	buf_put_32(b + BATCH_BASE_SEQUENCE, (uint32_t)sequence[id]++);
	buf_put_16(b + BATCH_ATTRIBUTES, attributes);
	buf_put_32(b + BATCH_CRC,
	    crc32c(b + BATCH_ATTRIBUTES, a.len - BATCH_ATTRIBUTES));
	a.data = b;
	if (partition_append(p, &a, NULL) != 0)
		abort();
	batch_builder_release(&bb);
}

static void
append_marker(struct partition *p, int64_t id, enum batch_control type)
{
	uint8_t marker[BATCH_MARKER_LEN];
	struct partition_append a = {.data = marker,
	    .len = sizeof(marker),
	    .expect = -1};

	batch_encode_marker(marker, id, 0, type, 0, 1000);
	if (partition_append(p, &a, NULL) != 0)
		abort();
}

/*
 * A partition of 60 rounds: producer 1 commits a record, 2 aborts one, 3 has no transaction.
 * Segments hold a few batches.
 */
static void
make_log(void)
{
	struct partition_settings s = partition_defaults;
	struct partition *p = NULL;

	snprintf(dir, sizeof(dir), "%s/%d", tap_dir_path, dir_count++);
	if (mkdir(dir, 0777) != 0)
		abort();
	memset(sequence, 0, sizeof(sequence));
	s.segment_bytes = 2000;
	if (partition_open(dir, PARTITION_WRITE, &s, &p, NULL) != 0)
		abort();
	for (int i = 0; i < 60; i++) {
		append_data(p, 1, BATCH_TRANSACTIONAL);
		append_data(p, 2, BATCH_TRANSACTIONAL);
		append_data(p, 3, 0);
		append_marker(p, 2, BATCH_CONTROL_ABORT);
		append_marker(p, 1, BATCH_CONTROL_COMMIT);
	}
	if (partition_sync(p, NULL) != 0)
		abort();
	partition_close(p);
}

/* Data batches a reader sees from offset on, by producer; its last result. */
static int
count(int flags, int64_t offset, int seen[4], struct fault *f)
{
	struct partition *p = NULL;
	struct reader *r = NULL;
	struct batch b;
	const uint8_t *data;
	int rc =
	    partition_open(dir, PARTITION_READ, &partition_defaults, &p, f);

	memset(seen, 0, 4 * sizeof(*seen));
	if (rc != 0 || reader_open(p, flags, 0, &r, f) != 0 ||
	    reader_seek(r, offset, NULL, f) != 0)
		abort();
	while ((rc = reader_next(r, &b, &data, f)) == 0)
		seen[b.producer_id]++;
	reader_close(r);
	partition_close(p);
	return rc;
}

static void
test_whole(void)
{
	int seen[4];

	tap_int(count(0, 0, seen, NULL), STATUS_END, "read committed");
	tap(seen[1] == 60 && seen[2] == 0 && seen[3] == 60,
	    "what was committed, and what is in no transaction");
	tap_int(count(READER_UNCOMMITTED, 0, seen, NULL), STATUS_END,
	    "read uncommitted");
	tap(seen[1] == 60 && seen[2] == 60 && seen[3] == 60, "all of it");
	tap_int(count(0, 150, seen, NULL), STATUS_END, "from the middle");
	tap(seen[1] == 30 && seen[2] == 0 && seen[3] == 30, "half of it");
}

/* One reader that goes to the end, and then back to the start. */
static void
test_back(void)
{
	struct partition *p = NULL;
	struct reader *r = NULL;
	struct batch b;
	const uint8_t *data;
	int aborted = 0, rc;

	if (partition_open(dir, PARTITION_READ, &partition_defaults, &p,
		NULL) != 0 ||
	    reader_open(p, 0, 0, &r, NULL) != 0)
		abort();
	for (int64_t from = 290; from >= 0; from -= 290) {
		(void)reader_seek(r, from, NULL, NULL);
		while ((rc = reader_next(r, &b, &data, NULL)) == 0)
			aborted += b.producer_id == 2;
		tap_int(rc, STATUS_END, "read from %d", (int)from);
	}
	tap_int(aborted, 0, "nothing aborted is seen");
	reader_close(r);
	partition_close(p);
}

/* The transaction indexes, oldest first: number i (negative: from the end). */
static void
index_path(int i, char path[600])
{
	struct dirent **names;
	int n = scandir(dir, &names, NULL, alphasort), found = 0;
	char of[64][256];

	for (int k = 0; k < n; k++) {
		if (strstr(names[k]->d_name, ".txnindex") != NULL && found < 64)
			snprintf(of[found++], 256, "%s", names[k]->d_name);
		free(names[k]);
	}
	free(names);
	if (found < 3)
		abort();
	snprintf(path, 600, "%s/%s", dir, of[i < 0 ? found + i : i]);
}

static void
check_lost(int i, const char *what)
{
	char path[600], away[620];
	struct fault f = {.file = ""};
	int seen[4];

	make_log();
	index_path(i, path);
	snprintf(away, sizeof(away), "%s.away", path);
	if (rename(path, away) != 0)
		abort();
	tap_int(count(0, 0, seen, &f), STATUS_CORRUPT, "%s: told", what);
	tap_str(f.file, path);
	tap_int(seen[2], 0, "nothing aborted is seen");
	tap_int(count(READER_UNCOMMITTED, 0, seen, NULL), STATUS_END,
	    "it is of no concern to who reads all");
	if (rename(away, path) != 0)
		abort();
	if (truncate(path, 34) != 0)
		abort();
	(void)count(0, 0, seen, &f);
	tap_int(seen[2], 0, "nor if it was cut");
}

int
main(void)
{
	(void)tap_dir();
	make_log();
	test_whole();
	test_back();
	check_lost(1, "the index of a sealed segment");
	check_lost(-1, "that of the active one");
	return tap_done();
}
