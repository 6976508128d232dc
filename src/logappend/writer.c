#include "writer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/cli.h"
#include "base/io.h"
#include "base/now.h"
#include "client/remote_writer.h"
#include "queue.h"
#include "store/batch.h"
#include "store/partition.h"
#include "store/properties.h"
#include "store/retain.h"

enum {
	REPORTS_MAX = 100000,	/* records between two syncs with --report */
	TEE_BYTES_MAX = 4 << 20,
	START_SYNC_BYTES = 8 << 20,	/* device begins to write */
	DUE_MS = 1000,
};

/* One partition being written. */
struct outlet {
	struct partition *p;	/* NULL until a record goes there */
	struct batch_builder bb;
	size_t *reports;	/* whose offsets the batch will give */
	size_t report_count;
	size_t report_cap;
	int64_t unstarted;	/* bytes since partition_sync_start() */
	bool dirty;		/* appended, not synced */
	bool failed;		/* a sync has: nothing more is acknowledged */
};

struct report {
	int32_t partition;
	int64_t offset;		/* -1: its batch is not appended yet */
};

struct writer {
	const char *path;
	const struct topic *topic;	/* not owned */
	struct writer_options o;
	struct partition_settings settings;
	struct partitioner partitioner;
	struct outlet *outlets;	/* one per partition */
	struct queue *queue;	/* NULL until batches follow each other */
	struct remote_writer *remote;	/* NULL: a directory */
	bool failed;		/* an append has: nothing more is appended */
	bool deaf;		/* stdout has failed */
	bool warned;		/* that old segments could not be removed */
	size_t batch_bytes;
	int64_t synced_ms;	/* monotonic, of the last sync */
	bool pending;
	struct report *reports;
	size_t report_count;
	struct buf tee;
};

/* A cluster has appended a record. */
static void
on_acknowledged(void *arg, size_t tag, int64_t offset)
{
	struct writer *w = arg;

	if (w->o.report)
		w->reports[tag].offset = offset;
}

static int
open_remote(struct writer *w, struct fault *f)
{
	const struct remote_writer_options o = {
	    .acks = w->o.acks,
	    .codec = w->o.codec,
	    .level = w->o.level,
	    .batch_bytes = w->batch_bytes,
	    .message_bytes = (size_t)w->settings.message_bytes,
	    .acknowledged = on_acknowledged,
	    .arg = w,
	};

	return remote_writer_open(w->o.remote, w->o.cluster, &o, &w->remote, f);
}

int
writer_open(const char *path, const struct topic *t,
    const struct writer_options *o, struct writer **out, struct fault *f)
{
	struct writer *w = calloc(1, sizeof(*w));
	int rc = 0;

	if (w == NULL)
		return ENOMEM;
	w->path = path;
	w->topic = t;
	w->o = *o;
	buf_init(&w->tee, TEE_BYTES_MAX + (1 << 20));
	partition_settings_of(&t->settings, &w->settings);
	partitioner_init(&w->partitioner, o->partitioner, t->partitions);
	w->batch_bytes = o->batch_bytes;
	if ((int64_t)w->batch_bytes > w->settings.message_bytes)
		w->batch_bytes = (size_t)w->settings.message_bytes;
	if ((int64_t)w->batch_bytes > w->settings.segment_bytes)
		w->batch_bytes = (size_t)w->settings.segment_bytes;
	w->synced_ms = now_mono_ms();
	w->outlets = calloc((size_t)t->partitions, sizeof(*w->outlets));
	if (o->report)
		w->reports = calloc(REPORTS_MAX, sizeof(*w->reports));
	if (w->outlets == NULL || (o->report && w->reports == NULL))
		rc = ENOMEM;
	if (rc == 0 && o->remote != NULL)
		rc = open_remote(w, f);
	if (rc == 0)
		*out = w;
	else
		writer_close(w);
	return rc;
}

void
writer_close(struct writer *w)
{
	if (w == NULL)
		return;
	queue_close(w->queue);
	remote_writer_close(w->remote);
	for (int32_t i = 0; w->outlets != NULL && i < w->topic->partitions;
	     i++) {
		if (w->outlets[i].p == NULL)
			continue;
		partition_close(w->outlets[i].p);
		batch_builder_release(&w->outlets[i].bb);
		free(w->outlets[i].reports);
	}
	free(w->outlets);
	free(w->reports);
	buf_release(&w->tee);
	free(w);
}

static int
open_outlet(struct writer *w, int32_t number, struct fault *f)
{
	struct outlet *out = &w->outlets[number];
	enum partition_mode mode = w->o.fsync == WRITER_FSYNC_NONE ||
		w->o.fsync == WRITER_FSYNC_INTERVAL
	    ? PARTITION_WRITE_RELAXED
	    : PARTITION_WRITE;
	char path[4096];

	if (out->p != NULL)
		return 0;
	if (snprintf(path, sizeof(path), "%s/%" PRId32, w->path, number) >=
	    (int)sizeof(path))
		return ENAMETOOLONG;
	batch_builder_init(&out->bb, w->o.codec, w->o.level,
	    (size_t)w->settings.message_bytes + (1 << 16));
	return partition_open(path, mode, &w->settings, &out->p, f);
}

/* The batch just appended begins at base: its records' offsets are known. */
static void
fill_reports(struct writer *w, struct outlet *out, int64_t base)
{
	for (size_t i = 0; i < out->report_count; i++)
		w->reports[out->reports[i]].offset = base + (int64_t)i;
	out->report_count = 0;
}

/*
 * A segment was closed: who does that removes what the topic keeps no longer.
 * The append does not depend on it.
 */
static void
retain(struct writer *w, struct outlet *out)
{
	const struct properties *settings = &w->topic->settings;
	struct fault f = {.file = ""};
	struct retain_options o;
	struct retain_stats stats;
	int rc;

	if ((properties_int(settings, PROPERTIES_CLEANUP_POLICY) &
		PROPERTIES_DELETE) == 0)
		return;
	retain_options_of(settings, now_wall_ms(), &o);
	o.sealed_only = true;
	if (o.retention_ms < 0 && o.retention_bytes < 0)
		return;
	rc = retain_run(out->p, &o, &stats, &f);
	if (rc != 0 && !w->warned) {
		cli_warn("%s: old segments stay: %s", partition_path(out->p),
		    status_text(rc));
		w->warned = true;
	}
}

/*
 * A sync that failed is not tried again: what it was to make durable may be
 * gone although the next one succeeds.
 */
static int
sync_outlet(struct outlet *out, struct fault *f)
{
	int rc = partition_sync(out->p, f);

	out->failed = rc != 0;
	return rc;
}

static int
append(struct writer *w, struct outlet *out, uint8_t *data, size_t len,
    struct fault *f)
{
	struct partition_append a = {.data = data,
	    .len = len,
	    .checked = true,
	    .expect = w->o.expect};
	int rc = partition_append(out->p, &a, f);

	if (rc != 0)
		return rc;
	if (a.rolled)
		retain(w, out);
	fill_reports(w, out, a.base_offset);
	out->dirty = true;
	out->unstarted += (int64_t)len;
	if (w->o.fsync == WRITER_FSYNC_ALWAYS)
		return sync_outlet(out, f);
	if (out->unstarted >= START_SYNC_BYTES) {
		partition_sync_start(out->p);
		out->unstarted = 0;
	}
	return 0;
}

/* Close the batch and append it; with a queue, in its thread. */
static int
append_batch(void *arg, void *target, struct batch_builder *bb, struct fault *f)
{
	const uint8_t *data;
	size_t len;
	int rc = batch_builder_finish(bb, &data, &len);

	if (rc != 0)
		return rc;
	return append(arg, target, (uint8_t *)(uintptr_t)data, len, f);
}

/* Wait for the queue, and note what became of it. */
static int
drain(struct writer *w, struct fault *f)
{
	int rc = w->queue == NULL ? 0 : queue_drain(w->queue, f);

	w->failed = w->failed || rc != 0;
	return rc;
}

static int
flush_outlet(struct writer *w, struct outlet *out, struct fault *f)
{
	int rc;

	if (out->p == NULL || out->bb.count == 0 || w->failed)
		return 0;
	rc = append_batch(w, out, &out->bb, f);
	w->failed = rc != 0;
	return rc;
}

/*
 * A batch is full, and more records come: append it while they are read,
 * unless something waits for its offset or its success.
 */
static int
flush_full(struct writer *w, struct outlet *out, struct fault *f)
{
	int rc;

	if (w->o.report || w->o.tee)
		return flush_outlet(w, out, f);
	if (w->queue == NULL && queue_open(append_batch, w, &w->queue) != 0)
		return flush_outlet(w, out, f);
	rc = queue_put(w->queue, out, &out->bb, f);
	w->failed = w->failed || rc != 0;
	return rc;
}

/* Remember that the next report is for a record of this partition. */
static int
note_report(struct writer *w, struct outlet *out, int32_t number)
{
	if (out->report_count == out->report_cap) {
		size_t cap = out->report_cap == 0 ? 256 : out->report_cap * 2;
		size_t *reports =
		    reallocarray(out->reports, cap, sizeof(*reports));

		if (reports == NULL)
			return ENOMEM;
		out->reports = reports;
		out->report_cap = cap;
	}
	out->reports[out->report_count++] = w->report_count;
	w->reports[w->report_count++] = (struct report){number, -1};
	return 0;
}

static int
choose_partition(struct writer *w, const struct record *rec, int32_t *partition)
{
	size_t len = (rec->key.len > 0 ? (size_t)rec->key.len : 0) +
	    (rec->value.len > 0 ? (size_t)rec->value.len : 0);

	if (w->o.partition >= 0)
		*partition = w->o.partition;
	if (*partition >= 0)
		return *partition < w->topic->partitions ? 0 : ERANGE;
	if (w->topic->partitions == 1) {
		*partition = 0;
		return 0;
	}
	return partitioner_next(&w->partitioner, rec->key, len, partition);
}

/* A record that no batch may be large enough for. */
static bool
is_too_big(const struct writer *w, const struct record *rec)
{
	int64_t size = (int64_t)record_size_max(rec) + BATCH_HEADER_LEN;

	if (size <= w->settings.message_bytes)
		return false;
	size = (int64_t)record_size(rec, 0, 0) + BATCH_HEADER_LEN;
	return size > w->settings.message_bytes;
}

static int
add_remote(struct writer *w, const struct record *rec, int32_t partition,
    struct fault *f)
{
	size_t tag = w->report_count;
	int rc;

	w->pending = true;
	if (w->o.report)
		w->reports[w->report_count++] = (struct report){partition, -1};
	rc = remote_writer_add(w->remote, rec, partition, tag, f);
	if (rc != 0)
		w->report_count = tag;
	w->failed = w->failed || (rc != 0 && rc != STATUS_TOO_BIG);
	if (rc == 0 && w->o.report && w->report_count == REPORTS_MAX)
		rc = writer_sync(w, f);
	return rc;
}

int
writer_add(struct writer *w, const struct record *rec, int32_t partition,
    struct fault *f)
{
	struct outlet *out;
	int rc = choose_partition(w, rec, &partition);

	if (rc == 0 && is_too_big(w, rec))
		rc = STATUS_TOO_BIG;
	if (rc == 0 && w->remote != NULL)
		return add_remote(w, rec, partition, f);
	if (rc == 0)
		rc = open_outlet(w, partition, f);
	if (rc != 0)
		return rc;
	out = &w->outlets[partition];
	if (out->bb.count > 0 &&
	    !batch_builder_fits(&out->bb, rec, w->batch_bytes)) {
		rc = w->o.expect >= 0 ? EMSGSIZE : flush_full(w, out, f);
		if (rc != 0)
			return rc;
	}
	rc = batch_builder_add(&out->bb, rec);
	if (rc == ERANGE) {
		/* Too far in time from the batch's first record. */
		rc = w->o.expect >= 0 ? EMSGSIZE : flush_full(w, out, f);
		if (rc == 0)
			rc = batch_builder_add(&out->bb, rec);
	}
	if (rc == 0 && w->o.report)
		rc = note_report(w, out, partition);
	w->pending = true;
	if (rc == 0 && w->o.report && w->report_count == REPORTS_MAX)
		rc = w->o.expect >= 0 ? EMSGSIZE : writer_sync(w, f);
	return rc;
}

int
writer_add_batch(struct writer *w, uint8_t *data, size_t len, int32_t partition,
    struct fault *f)
{
	struct outlet *out;
	struct batch b;
	int rc = open_outlet(w, partition, f);

	if (rc == 0)
		rc = batch_decode(data, len, &b, NULL);
	if (rc != 0)
		return rc;
	out = &w->outlets[partition];
	rc = drain(w, f);
	if (rc == 0)
		rc = flush_outlet(w, out, f);
	for (int32_t i = 0; rc == 0 && w->o.report && i < b.record_count; i++) {
		/* The reports of a batch go out together. */
		if (w->report_count == REPORTS_MAX)
			return EMSGSIZE;
		rc = note_report(w, out, partition);
	}
	if (rc == 0 && !w->failed)
		rc = append(w, out, data, len, f);
	w->failed = w->failed || rc != 0;
	w->pending = true;
	return rc;
}

int
writer_tee(struct writer *w, const uint8_t *data, size_t len, struct fault *f)
{
	int rc = 0;

	if (w->tee.len > 0 && w->tee.len + len > TEE_BYTES_MAX)
		rc = w->o.expect >= 0 ? EMSGSIZE : writer_sync(w, f);
	if (rc == 0)
		rc = buf_add(&w->tee, data, len);
	w->pending = true;
	return rc;
}

/* No record has come: the partition has to end at expect all the same. */
static int
check_end(struct writer *w, struct fault *f)
{
	struct outlet *out = &w->outlets[w->o.partition];
	struct partition_append a = {.expect = w->o.expect};
	int rc;

	if (out->p != NULL && out->bb.count > 0)
		return 0;
	rc = open_outlet(w, w->o.partition, f);
	return rc == 0 ? partition_append(out->p, &a, f) : rc;
}

int
writer_flush(struct writer *w, struct fault *f)
{
	int rc = drain(w, f);

	/* Once it has failed nothing more is sent. */
	if (w->remote != NULL) {
		rc = w->failed ? 0 : remote_writer_sync(w->remote, f);
		w->failed = w->failed || rc != 0;
		return rc;
	}

	if (rc == 0 && w->o.expect >= 0 && !w->failed)
		rc = check_end(w, f);
	for (int32_t i = 0; rc == 0 && i < w->topic->partitions; i++)
		rc = flush_outlet(w, &w->outlets[i], f);
	return rc;
}

/*
 * Everything reported is as durable as was asked for: say so.  After a failure
 * that is known only of what has an offset, in a partition whose syncs did not
 * fail; input is not passed on.
 */
static int
let_go(struct writer *w, struct fault *f)
{
	int rc = 0;

	if (w->deaf)
		return 0;
	for (size_t i = 0; i < w->report_count; i++)
		if (w->reports[i].offset >= 0 &&
		    !w->outlets[w->reports[i].partition].failed)
			printf("%s\t%" PRId32 "\t%" PRId64 "\n", w->topic->name,
			    w->reports[i].partition, w->reports[i].offset);
	w->report_count = 0;
	if (w->o.report && fflush(stdout) != 0)
		rc = errno;
	if (w->tee.len > 0 && !w->failed)
		rc = io_write_full(STDOUT_FILENO, w->tee.data, w->tee.len);
	w->tee.len = 0;
	w->deaf = rc != 0;
	return rc == 0 ? 0 : status_fault(f, rc, "stdout", -1, -1, NULL);
}

int
writer_sync(struct writer *w, struct fault *f)
{
	int rc = writer_flush(w, f);

	for (int32_t i = 0; rc == 0 && i < w->topic->partitions; i++) {
		struct outlet *out = &w->outlets[i];

		if (!out->dirty || out->failed)
			continue;
		if (w->o.fsync != WRITER_FSYNC_NONE)
			rc = sync_outlet(out, f);
		out->dirty = rc != 0;
		out->unstarted = 0;
	}
	w->failed = w->failed || rc != 0;
	w->synced_ms = now_mono_ms();
	if (rc == 0)
		rc = let_go(w, f);
	if (rc == 0)
		w->pending = false;
	return rc;
}

int64_t
writer_due_ms(const struct writer *w)
{
	int64_t due_ms =
	    w->o.fsync == WRITER_FSYNC_INTERVAL ? w->o.fsync_ms : DUE_MS;
	int64_t left_ms = w->synced_ms + due_ms - now_mono_ms();

	return left_ms > 0 ? left_ms : 0;
}

int
writer_sync_if_due(struct writer *w, struct fault *f)
{
	if (!w->pending || w->o.expect >= 0 || writer_due_ms(w) > 0)
		return 0;
	return writer_sync(w, f);
}

bool
writer_is_pending(const struct writer *w)
{
	return w->pending;
}

bool
writer_is_remote(const struct writer *w)
{
	return w->remote != NULL;
}

void
writer_warn_cuts(struct writer *w)
{
	struct partition_cut cut;

	for (int32_t i = 0; i < w->topic->partitions; i++) {
		if (w->outlets[i].p == NULL)
			continue;
		partition_take_cut(w->outlets[i].p, &cut);
		if (cut.len > 0)
			cli_warn("%s/%d: %lld bytes behind offset %lld were "
				 "no whole batch: moved to %s/%d/lost+found/%s",
			    w->path, (int)i, (long long)cut.len,
			    (long long)cut.offset, w->path, (int)i, cut.saved);
	}
}
