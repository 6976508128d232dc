#include "replicate/disk_sink.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/now.h"
#include "base/status.h"
#include "replicate/digest.h"
#include "replicate/disk_sink_impl.h"
#include "replicate/opened.h"
#include "store/lineage.h"
#include "store/origin.h"
#include "store/partition.h"
#include "store/properties.h"
#include "store/raw.h"
#include "store/replica.h"
#include "store/retain.h"

/* Read at a time, to be compared. */
enum { RUN_BYTES = 512 << 10 };

static const struct sink_ops ops;

/* An error of a topic, or of a partition of it, that does not say where. */
int
disk_sink_locate(struct disk_sink *d, size_t topic, int32_t partition, int rc,
    struct fault *f)
{
	char path[PATH_MAX + 16];

	if (rc == 0 || f == NULL || f->file[0] != '\0')
		return rc;
	strlcpy(path, d->path, sizeof(path));
	if (topic < d->count && partition < 0)
		strlcpy(path, d->topics[topic].path, sizeof(path));
	else if (topic < d->count)
		snprintf(path, sizeof(path), "%s/%d", d->topics[topic].path,
		    (int)partition);
	return status_fault(f, rc, path, -1, -1, NULL);
}

/* --- partitions ---------------------------------------------------------- */

static int
open_part(void *arg, struct opened_part *part, struct fault *f)
{
	struct disk_sink *d = arg;
	const struct disk_topic *t = &d->topics[part->topic];
	struct partition_settings settings;
	char path[PATH_MAX + 16];
	int rc;

	snprintf(path, sizeof(path), "%s/%d", t->path, (int)part->number);
	partition_settings_of(&t->settings, &settings);
	rc = partition_open(path,
	    d->o.dry_run ? PARTITION_READ : PARTITION_WRITE, &settings,
	    &part->p, f);
	if (rc == 0 && !d->o.dry_run)
		rc = replica_adopt(part->p, f);
	return rc;
}

int
disk_sink_find(struct sink *s, size_t topic, int32_t partition,
    struct partition **out, struct fault *f)
{
	struct disk_sink *d = disk_sink_self(s);
	struct opened_part *part;
	int rc;

	if (partition < 0 || partition >= d->topics[topic].count)
		return STATUS_NO_TOPIC;
	rc = opened_find(&d->opened, topic, partition, &part, f);
	if (rc == 0)
		*out = part->p;
	return rc;
}

static int
find_batch(struct raw *raw, int64_t offset, struct frame_batch *out,
    bool *cleaned, struct fault *f)
{
	struct batch b;
	int rc = raw_batch_at(raw, offset, &b, cleaned, f);

	out->base_offset = -1;
	if (rc == 0)
		*out = (struct frame_batch){b.base_offset, b.last_offset,
		    b.leader_epoch, b.crc};
	return rc == STATUS_END ? 0 : rc;
}

/* Is it a copy still, or in a dry run could it be one? */
int
disk_sink_check_role(struct partition *p, struct fault *f)
{
	enum replica_stand stand;

	return disk_sink_check_stand(p, &stand, f);
}

static int
sink_begin(struct sink *s, size_t topic, int32_t partition, int64_t start,
    struct fault *f)
{
	struct disk_sink *d = disk_sink_self(s);
	struct disk_topic *t = &d->topics[topic];
	int rc = origin_grow(&t->origin, partition + 1);

	if (rc != 0 || d->o.dry_run)
		return rc;
	t->origin.begins[partition] = start;
	return disk_sink_origin_fault(t, disk_sink_write_origin(t), f);
}

/* Its log begins where it is to, if it has got that far. */
static int
take_up_begin(struct disk_sink *d, size_t topic, int32_t partition,
    struct partition *p, struct fault *f)
{
	struct origin *o = &d->topics[topic].origin;
	int rc;

	if (partition >= o->count || o->begins[partition] < 0 || d->o.dry_run)
		return 0;
	rc = disk_sink_check_role(p, f);
	if (rc == 0)
		rc = partition_delete_before(p, o->begins[partition], f);
	if (rc == 0)
		o->begins[partition] = -1;
	return rc == STATUS_OFFSET ? 0 : rc;
}

/* It would take the records of one topic into the copy of another. */
static int
refuse_held(struct disk_sink *d, size_t topic, int32_t partition,
    struct fault *f)
{
	char path[PATH_MAX + 16];

	snprintf(path, sizeof(path), "%s/%d", d->topics[topic].path,
	    (int)partition);
	return status_fault(f, STATUS_DIFFERS, path, -1, -1,
	    "diverged: the topic is a copy of another one "
	    "(--on-diverge truncate)");
}

static int
sink_state(struct sink *s, size_t topic, int32_t partition, int64_t offset,
    struct sink_state *out, struct fault *f)
{
	struct disk_sink *d = disk_sink_self(s);
	struct partition_offsets o;
	struct raw *raw = NULL;
	struct partition *p;
	bool cleaned;
	int rc;

	*out = (struct sink_state){.batch = {.base_offset = -1}};
	if (d->topics[topic].is_held && partition >= d->topics[topic].count)
		return refuse_held(d, topic, partition, f);
	if (d->topics[topic].missing ||
	    (d->o.dry_run && partition >= d->topics[topic].count))
		return 0;
	rc = disk_sink_find(s, topic, partition, &p, f);
	if (rc == 0)
		rc = disk_sink_check_role(p, f);
	if (rc == 0)
		rc = partition_sync(p, f);
	if (rc == 0)
		rc = take_up_begin(d, topic, partition, p, f);
	if (rc == 0)
		rc = partition_offsets(p, &o, f);
	if (rc != 0)
		return disk_sink_locate(d, topic, partition, rc, f);
	out->start = o.log_start;
	out->end = d->topics[topic].ends[partition] = o.log_end;
	out->is_foreign = disk_sink_is_foreign(&d->topics[topic], partition);
	if (o.log_end == 0 && d->topics[topic].is_held)
		return refuse_held(d, topic, partition, f);
	if (o.log_end == 0) {
		/* Nothing of it has come: it is told anew. */
		if (partition < d->topics[topic].origin.count)
			d->topics[topic].origin.begins[partition] = -1;
		return 0;
	}
	rc = raw_open(p, &raw, f);
	if (rc == 0)
		rc = find_batch(raw, offset < 0 ? o.log_end - 1 : offset,
		    &out->batch, &cleaned, f);
	raw_close(raw);
	return rc;
}

static int
sink_cut(struct sink *s, size_t topic, int32_t partition, int64_t offset,
    struct buf *told, struct fault *f)
{
	struct disk_sink *d = disk_sink_self(s);
	struct partition_offsets o;
	struct opened_part *part;
	int rc = opened_find(&d->opened, topic, partition, &part, f);

	if (rc != 0)
		return rc;
	raw_close(part->raw);
	part->raw = NULL;
	/* Until it is cut it is of what the source was. */
	rc = disk_sink_accept(d, topic, -1, f);
	/* Before it is: who is killed in between has told nobody to go on. */
	if (rc == 0)
		rc =
		    disk_sink_pull_groups(d, topic, partition, offset, told, f);
	if (rc == 0)
		rc = replica_truncate(part->p, offset, f);
	if (rc == 0)
		rc = partition_offsets(part->p, &o, f);
	if (rc == 0 && o.log_end < offset)
		rc = disk_sink_pull_groups(d, topic, partition, o.log_end, told,
		    f);
	if (rc == 0)
		rc = disk_sink_accept(d, topic, partition, f);
	return disk_sink_locate(d, topic, partition, rc, f);
}

/* To read from, as of now. */
static int
find_raw(struct sink *s, size_t topic, int32_t partition, struct raw **out,
    struct fault *f)
{
	struct opened_part *part;
	int rc =
	    opened_find(&disk_sink_self(s)->opened, topic, partition, &part, f);

	if (rc != 0)
		return rc;
	if (part->raw == NULL)
		rc = raw_open(part->p, &part->raw, f);
	else
		rc = raw_refresh(part->raw, f);
	*out = part->raw;
	return rc;
}

static int
sink_records(struct sink *s, size_t topic, int32_t partition, int64_t offset,
    struct imprints *out, struct fault *f)
{
	struct frame_batch b = {.base_offset = -1};
	struct raw_run run = {.len = 0};
	struct raw *raw;
	bool cleaned;
	int rc = find_raw(s, topic, partition, &raw, f);

	if (rc == 0)
		rc = find_batch(raw, offset, &b, &cleaned, f);
	if (rc != 0 || b.base_offset < 0)
		return rc;
	if (b.base_offset < raw_start(raw))
		out->cleaned = true;
	raw_seek(raw, b.base_offset);
	/* A run without bytes comes first. */
	while (rc == 0 && run.len == 0)
		rc = raw_next(raw, 1, &run, f);
	if (rc == 0)
		rc = imprints_add(out, (struct view){run.data, run.len},
		    b.base_offset, b.last_offset);
	return rc == STATUS_END ? 0 : rc;
}

static int
sink_digest(struct sink *s, size_t topic, int32_t partition, int64_t start,
    int64_t end, struct sink_digest *out, struct fault *f)
{
	struct digest d;
	struct raw_run run;
	struct raw *raw;
	int rc = find_raw(s, topic, partition, &raw, f);

	*out = (struct sink_digest){.start = start, .damaged = -1};
	if (rc != 0)
		return rc;
	if (raw_start(raw) > start)
		out->start = raw_start(raw);
	digest_begin(&d, out->start, end);
	if (raw_offset(raw) != out->start)
		raw_seek(raw, out->start);
	while (rc == 0 && raw_offset(raw) < end) {
		rc = raw_next(raw, RUN_BYTES, &run, f);
		if (rc == 0)
			rc = digest_add(&d, (struct view){run.data, run.len});
	}
	if (rc == STATUS_CORRUPT)
		out->damaged = f->offset > start ? f->offset : start;
	out->value = d.value;
	out->batches = d.batches;
	return rc == STATUS_CORRUPT || rc == STATUS_END ? 0 : rc;
}

static int
sink_append(struct sink *s, size_t topic, int32_t partition, int64_t segment,
    uint8_t *data, size_t len, struct fault *f)
{
	struct partition *p;
	int rc = disk_sink_find(s, topic, partition, &p, f);

	if (rc == 0)
		rc = disk_sink_accept(disk_sink_self(s), topic, partition, f);
	if (rc == 0)
		rc = replica_append_at(p,
		    &disk_sink_self(s)->topics[topic].ends[partition], segment,
		    data, len, f);
	if (rc == 0)
		partition_sync_start(p);
	return disk_sink_locate(disk_sink_self(s), topic, partition, rc, f);
}

static int
sink_sync(struct sink *s, size_t topic, int32_t partition, struct fault *f)
{
	struct partition *p;
	int rc = disk_sink_find(s, topic, partition, &p, f);

	if (rc == 0)
		rc = partition_sync(p, f);
	if (rc == 0)
		rc = take_up_begin(disk_sink_self(s), topic, partition, p, f);
	return disk_sink_locate(disk_sink_self(s), topic, partition, rc, f);
}

static int
sink_clean(struct sink *s, size_t topic, int32_t partition, int64_t start,
    struct fault *f)
{
	struct disk_sink *d = disk_sink_self(s);
	struct retain_options o;
	struct retain_stats stats;
	struct partition *p;
	int rc = disk_sink_find(s, topic, partition, &p, f);

	if (rc == 0)
		rc = disk_sink_check_role(p, f);
	/* All that it has is in the source, which was asked. */
	if (rc == 0 && d->topics[topic].ends[partition] > 0)
		rc = disk_sink_accept(d, topic, partition, f);
	if (rc != 0)
		return disk_sink_locate(d, topic, partition, rc, f);
	if (start >= 0)
		return partition_delete_before(p, start, f);
	retain_options_of(&d->topics[topic].settings, now_wall_ms(), &o);
	if ((properties_int(&d->topics[topic].settings,
		 PROPERTIES_CLEANUP_POLICY) &
		PROPERTIES_DELETE) == 0 ||
	    (o.retention_ms < 0 && o.retention_bytes < 0))
		return 0;
	o.sealed_only = true;
	return retain_run(p, &o, &stats, f);
}

/* --- its life ------------------------------------------------------------ */

static void
sink_close(struct sink *s)
{
	struct disk_sink *d = disk_sink_self(s);

	opened_close(&d->opened);
	for (size_t i = 0; i < d->count; i++) {
		origin_release(&d->topics[i].origin);
		free(d->topics[i].path);
		free(d->topics[i].ends);
	}
	free(d->topics);
	free(d->path);
	free(d);
}

int
disk_sink_open(const char *path, const struct disk_sink_options *o,
    struct sink **out)
{
	struct disk_sink *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return ENOMEM;
	d->sink.ops = &ops;
	/* What was appended to one that is left is synced first. */
	d->opened.open = open_part;
	d->opened.leave = partition_sync;
	d->opened.max = o->open_max;
	d->opened.arg = d;
	d->o = *o;
	d->path = strdup(path);
	if (d->path == NULL) {
		free(d);
		return ENOMEM;
	}
	*out = &d->sink;
	return 0;
}

static const struct sink_ops ops = {
    .topic = disk_sink_topic,
    .state = sink_state,
    .records = sink_records,
    .begin = sink_begin,
    .cut = sink_cut,
    .append = sink_append,
    .sync = sink_sync,
    .clean = sink_clean,
    .commit = disk_sink_commit,
    .digest = sink_digest,
    .keep_ends = disk_sink_keep_ends,
    .close = sink_close,
};
