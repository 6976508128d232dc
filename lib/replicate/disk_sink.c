#include "replicate/disk_sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/io.h"
#include "base/now.h"
#include "base/status.h"
#include "replicate/digest.h"
#include "replicate/disk_source.h"
#include "replicate/inherit.h"
#include "replicate/opened.h"
#include "replicate/under.h"
#include "store/cluster_id.h"
#include "store/groups.h"
#include "store/lineage.h"
#include "store/origin.h"
#include "store/partition.h"
#include "store/properties.h"
#include "store/raw.h"
#include "store/replica.h"
#include "store/retain.h"
#include "store/root.h"
#include "store/topic.h"

/* Read at a time, to be compared. */
enum { RUN_BYTES = 512 << 10 };

_Static_assert((int)LINEAGE_ID_LEN == (int)FRAME_IDENTITY_LEN,
    "an identity is an identity");

struct disk_topic {
	char *path;		/* owned */
	bool missing;		/* in a dry run */
	int32_t count;
	int64_t *ends;		/* of each partition, as we left it; owned */
	struct properties settings;
	struct origin origin;
};

struct disk_sink {
	struct sink sink;
	struct disk_sink_options o;
	char *path;
	struct disk_topic *topics;
	size_t count;
	bool is_made;		/* a root: it was seen to */
	bool missing;		/* in a dry run */
	struct opened opened;
};

static const struct sink_ops ops;

static struct disk_sink *
self(struct sink *s)
{
	return (struct disk_sink *)s;
}

/* --- topics --------------------------------------------------------------- */

/* An error of a topic, or of a partition of it, that does not say where. */
static int
locate(struct disk_sink *d, size_t topic, int32_t partition, int rc,
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

/*
 * Is it what a logserve over the directory around it would show?  A topic that
 * was copied to elsewhere has the same id, and is another one.
 */
static bool
is_served(const struct topic *t, const uint8_t *identity)
{
	uint8_t own[FRAME_IDENTITY_LEN];
	char id[CLUSTER_ID_LEN + 1];
	int fd = -1, rc;

	if (!topic_id_bytes(t->id, own) || memcmp(own, identity, 16) != 0 ||
	    strcmp(t->name, t->made_as) != 0)
		return false;
	rc = io_open(t->dirfd, "..", O_RDONLY | O_DIRECTORY, 0, &fd);
	if (rc == 0)
		rc = cluster_id_of(fd, id);
	(void)io_close(&fd);
	if (rc == 0)
		cluster_id_hash(id, own + 16);
	return rc == 0 && memcmp(own, identity, sizeof(own)) == 0;
}

/* What stands there must not be what is read, nor where that comes from. */
static int
check_identity(const struct disk_topic *dt, const struct topic *t,
    const struct sink_topic *from, struct fault *f)
{
	uint8_t own[FRAME_IDENTITY_LEN], lasting[LINEAGE_ID_LEN];

	disk_source_identity(t->dirfd, own);
	if (memcmp(own, from->identity, sizeof(own)) == 0 ||
	    is_served(t, from->identity))
		return ELOOP;
	lineage_id(t, lasting);
	for (int32_t i = 1; from->lineage != NULL && i < from->lineage->count;
	     i++) {
		const uint8_t *id = from->lineage->ids[i];

		if (memcmp(lasting, id, sizeof(lasting)) == 0 ||
		    is_served(t, id))
			return status_fault(f, ELOOP, dt->path, -1, -1,
			    "the source is a copy of it");
	}
	return 0;
}

static int
grow_ends(struct disk_topic *t, int32_t count)
{
	int64_t *more;

	if (t->ends != NULL && count <= t->count)
		return 0;
	more = recallocarray(t->ends, t->ends != NULL ? (size_t)t->count : 0,
	    (size_t)count + 1, sizeof(*more));
	if (more == NULL)
		return ENOMEM;
	t->ends = more;
	t->count = count;
	return 0;
}

static int
note(const struct sink_topic *from, const char *what, int32_t partitions)
{
	return from->done == NULL
	    ? 0
	    : buf_addf(from->done, "%s %d partition%s\n", what, (int)partitions,
		  partitions == 1 ? "" : "s");
}

/* It is not there. */
static int
make_topic(struct disk_sink *d, const struct sink_topic *from,
    const struct disk_topic *t)
{
	int rc;

	if (d->o.dry_run)
		rc = topic_may_create(t->path);
	else
		rc = topic_create(t->path, from->settings, from->partitions,
		    0777);
	if (rc == 0)
		rc = note(from, "made,", from->partitions);
	return rc == STATUS_EXISTS && !d->o.dry_run ? 0 : rc;
}

static int
grow_topic(struct disk_sink *d, const struct sink_topic *from,
    struct topic *topic, struct fault *f)
{
	int rc;

	if (topic->partitions >= from->partitions)
		return 0;
	rc = note(from, "grown to", from->partitions);
	return rc != 0 || d->o.dry_run ? rc
				       : topic_grow(topic, from->partitions, f);
}

/* One partition, for who would copy to its topic. */
static int
check_stand(struct partition *p, enum replica_stand *stand, struct fault *f)
{
	int rc = replica_look(p, stand, f);

	if (rc != 0 || *stand == REPLICA_IS || *stand == REPLICA_CAN_BE)
		return rc;
	if (*stand == REPLICA_OTHER)
		return STATUS_ROLE;
	return status_fault(f, STATUS_ROLE, partition_path(p), -1, -1,
	    "it was promoted, and is no copy any more (logadmin topic demote)");
}

/*
 * Before anything is changed: is all of it a copy, or fit to be one?  A topic
 * in part its writers' own is theirs, so a promotion that a crash has broken
 * off counts.  *is_copy: one partition is one.
 */
static int
check_stands(const struct disk_topic *t, const struct topic *topic,
    bool *is_copy, struct fault *f)
{
	struct partition_settings settings;
	enum replica_stand stand;
	struct partition *p;
	char path[PATH_MAX + 16];
	int rc = 0;

	*is_copy = false;
	partition_settings_of(&topic->settings, &settings);
	for (int32_t n = 0; rc == 0 && n < topic->partitions; n++) {
		snprintf(path, sizeof(path), "%s/%d", t->path, (int)n);
		rc = partition_open(path, PARTITION_READ, &settings, &p, f);
		if (rc == 0)
			rc = check_stand(p, &stand, f);
		*is_copy = *is_copy || (rc == 0 && stand == REPLICA_IS);
		if (rc != 0 && f->file[0] == '\0')
			status_fault(f, rc, path, -1, -1, NULL);
		partition_close(p);
	}
	return rc;
}

/* An error of the file is not one of the directory that it is in. */
static int
origin_fault(const struct disk_topic *t, int rc, struct fault *f)
{
	char path[PATH_MAX + sizeof(ORIGIN_FILE) + 1];

	snprintf(path, sizeof(path), "%s/%s", t->path, ORIGIN_FILE);
	return rc == 0 ? 0 : status_fault(f, rc, path, -1, -1, NULL);
}

/* Where the source is, and what that comes from; has it changed? */
static bool
follow_source(const struct sink_topic *from, struct origin *o)
{
	bool changed = false;

	if (from->source != NULL && strcmp(o->source, from->source) != 0) {
		strlcpy(o->source, from->source, sizeof(o->source));
		changed = true;
	}
	if (from->lineage != NULL &&
	    !lineage_equal(&o->lineage, from->lineage)) {
		o->lineage = *from->lineage;
		changed = true;
	}
	return changed;
}

/*
 * Settings that the source has changed, and what it is called.  is_new: it is
 * no copy yet, and was not made to be one.
 */
static int
follow_topic(struct disk_sink *d, const struct sink_topic *from,
    struct disk_topic *t, struct topic *topic, bool is_new, struct fault *f)
{
	bool changed, known = origin_read(topic->dirfd, &t->origin) == 0;
	int rc = 0;

	if (is_new && !known && from->done != NULL)
		rc = buf_add_str(from->done, "becomes a copy\n");
	if (rc == 0)
		rc = inherit_settings(topic, &t->origin, known, from->settings,
		    d->o.dry_run, from->done, &changed, f);
	if (rc != 0)
		return rc;
	changed = follow_source(from, &t->origin) || changed;
	/* What is known for the first time can be found out again. */
	return changed && !d->o.dry_run
	    ? origin_fault(t, origin_write(topic->dirfd, &t->origin, known), f)
	    : 0;
}

/* May it be there?  Links are followed only as far as that goes. */
static int
check_place(const struct disk_sink *d, const struct disk_topic *t,
    struct fault *f)
{
	char real[PATH_MAX];
	int rc = strlen(t->path) < PATH_MAX ? 0 : ENAMETOOLONG;

	if (rc == 0 && d->o.under != NULL)
		rc = under_resolve(d->o.under, t->path, real);
	return rc != EXDEV ? rc
			   : status_fault(f, EACCES, t->path, -1, -1,
				 "outside of what this key may reach");
}

static int
look_at_topic(struct disk_sink *d, const struct sink_topic *from,
    struct disk_topic *t, struct fault *f)
{
	struct topic topic;
	bool is_copy, made = false;
	int rc;

	if (d->missing) {
		t->missing = true;
		t->count = from->partitions;
		return note(from, "made,", from->partitions);
	}
	rc = check_place(d, t, f);
	if (rc == 0)
		rc = topic_open(t->path, &topic, f);

	/* Not there: what becomes of that is what counts. */
	if (rc == STATUS_NO_TOPIC)
		f->file[0] = '\0';
	t->missing = false;
	if (rc == STATUS_NO_TOPIC) {
		rc = make_topic(d, from, t);
		if (rc == STATUS_SYNTAX)
			status_fault(f, rc, t->path, -1, -1,
			    "not a name of a topic");
		t->missing = d->o.dry_run;
		t->count = from->partitions;
		if (rc != 0 || d->o.dry_run)
			return rc;
		made = true;
		rc = topic_open(t->path, &topic, f);
	}
	if (rc != 0)
		return rc;
	rc = check_identity(t, &topic, from, f);
	if (rc == 0)
		rc = check_stands(t, &topic, &is_copy, f);
	if (rc == 0)
		rc = grow_topic(d, from, &topic, f);
	if (rc == 0)
		rc = follow_topic(d, from, t, &topic, !made && !is_copy, f);
	if (rc == 0)
		rc = grow_ends(t, topic.partitions);
	t->settings = topic.settings;
	topic_close(&topic);
	return rc;
}

/* The root that topics are to be in: it is made with the first one. */
static int
make_root(struct disk_sink *d, struct fault *f)
{
	enum root_stand stand;
	int rc = root_look(d->path, &stand);

	if (rc == 0 && stand == ROOT_MISSING && d->o.dry_run)
		d->missing = true;
	else if (rc == 0 && stand == ROOT_MISSING)
		rc = root_make(d->path);
	d->is_made = rc == 0;
	return rc == 0 ? 0 : status_fault(f, rc, d->path, -1, -1, NULL);
}

/* Whatever its path is: it has its number from now on. */
static int
add_topic(struct disk_sink *d, const struct sink_topic *from)
{
	struct disk_topic *more;
	char *path;

	if (asprintf(&path, "%s%s%s", d->path, from->name[0] != '\0' ? "/" : "",
		from->name) < 0)
		return ENOMEM;
	more = reallocarray(d->topics, d->count + 1, sizeof(*more));
	if (more == NULL) {
		free(path);
		return ENOMEM;
	}
	d->topics = more;
	more[d->count] = (struct disk_topic){.path = path};
	origin_init(&more[d->count].origin);
	d->count++;
	return 0;
}

static int
take_topic(struct disk_sink *d, size_t topic, const struct sink_topic *from,
    struct fault *f)
{
	int rc = 0;

	/* One that could not be added has taken no number. */
	if (topic > d->count)
		return ENOMEM;
	if (topic == d->count)
		rc = add_topic(d, from);
	if (rc == 0 && from->name[0] != '\0' && !d->is_made)
		rc = make_root(d, f);
	return rc == 0 ? look_at_topic(d, from, &d->topics[topic], f) : rc;
}

static int
sink_topic(struct sink *s, size_t topic, const struct sink_topic *from,
    struct fault *f)
{
	return locate(self(s), topic, -1, take_topic(self(s), topic, from, f),
	    f);
}

/* --- partitions ----------------------------------------------------------- */

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

static int
find_part(struct sink *s, size_t topic, int32_t partition,
    struct partition **out, struct fault *f)
{
	struct disk_sink *d = self(s);
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
static int
check_role(struct partition *p, struct fault *f)
{
	enum replica_stand stand;

	return check_stand(p, &stand, f);
}

static int
write_origin(const struct disk_topic *t)
{
	bool durable = false;
	int fd = -1;
	int rc = io_open(AT_FDCWD, t->path, O_RDONLY | O_DIRECTORY, 0, &fd);

	if (rc != 0)
		return rc;
	/* What is to be done must not be forgotten; all else may be. */
	for (int32_t n = 0; n < t->origin.count; n++)
		durable = durable || t->origin.begins[n] >= 0;
	rc = origin_write(fd, &t->origin, durable);
	(void)io_close(&fd);
	return rc;
}

static int
sink_begin(struct sink *s, size_t topic, int32_t partition, int64_t start,
    struct fault *f)
{
	struct disk_sink *d = self(s);
	struct disk_topic *t = &d->topics[topic];
	int rc = origin_grow(&t->origin, partition + 1);

	if (rc != 0 || d->o.dry_run)
		return rc;
	t->origin.begins[partition] = start;
	return origin_fault(t, write_origin(t), f);
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
	rc = check_role(p, f);
	if (rc == 0)
		rc = partition_delete_before(p, o->begins[partition], f);
	if (rc == 0)
		o->begins[partition] = -1;
	return rc == STATUS_OFFSET ? 0 : rc;
}

static int
sink_state(struct sink *s, size_t topic, int32_t partition, int64_t offset,
    struct sink_state *out, struct fault *f)
{
	struct disk_sink *d = self(s);
	struct partition_offsets o;
	struct raw *raw = NULL;
	struct partition *p;
	bool cleaned;
	int rc;

	*out = (struct sink_state){.batch = {.base_offset = -1}};
	if (d->topics[topic].missing ||
	    (d->o.dry_run && partition >= d->topics[topic].count))
		return 0;
	rc = find_part(s, topic, partition, &p, f);
	if (rc == 0)
		rc = check_role(p, f);
	if (rc == 0)
		rc = partition_sync(p, f);
	if (rc == 0)
		rc = take_up_begin(d, topic, partition, p, f);
	if (rc == 0)
		rc = partition_offsets(p, &o, f);
	if (rc != 0)
		return locate(d, topic, partition, rc, f);
	out->start = o.log_start;
	out->end = d->topics[topic].ends[partition] = o.log_end;
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
    struct fault *f)
{
	struct opened_part *part;
	int rc = opened_find(&self(s)->opened, topic, partition, &part, f);

	if (rc != 0)
		return rc;
	raw_close(part->raw);
	part->raw = NULL;
	rc = replica_truncate(part->p, offset, f);
	return locate(self(s), topic, partition, rc, f);
}

/* To read from, as of now. */
static int
find_raw(struct sink *s, size_t topic, int32_t partition, struct raw **out,
    struct fault *f)
{
	struct opened_part *part;
	int rc = opened_find(&self(s)->opened, topic, partition, &part, f);

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
	int rc = find_part(s, topic, partition, &p, f);

	if (rc == 0)
		rc = replica_append_at(p,
		    &self(s)->topics[topic].ends[partition], segment, data, len,
		    f);
	if (rc == 0)
		partition_sync_start(p);
	return locate(self(s), topic, partition, rc, f);
}

static int
sink_sync(struct sink *s, size_t topic, int32_t partition, struct fault *f)
{
	struct partition *p;
	int rc = find_part(s, topic, partition, &p, f);

	if (rc == 0)
		rc = partition_sync(p, f);
	if (rc == 0)
		rc = take_up_begin(self(s), topic, partition, p, f);
	return locate(self(s), topic, partition, rc, f);
}

static int
sink_clean(struct sink *s, size_t topic, int32_t partition, int64_t start,
    struct fault *f)
{
	struct disk_sink *d = self(s);
	struct retain_options o;
	struct retain_stats stats;
	struct partition *p;
	int rc = find_part(s, topic, partition, &p, f);

	if (rc == 0)
		rc = check_role(p, f);
	if (rc != 0)
		return locate(d, topic, partition, rc, f);
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

/* --- groups --------------------------------------------------------------- */

/* Those that are not there already, as they are. */
static size_t
choose(struct groups *g, const struct sink_position *from, size_t count,
    struct groups_entry *out)
{
	size_t chosen = 0;

	for (size_t i = 0; i < count; i++) {
		const struct groups_entry *e =
		    groups_find(g, from[i].group, from[i].partition);

		if (e != NULL && e->offset == from[i].offset &&
		    e->leader_epoch == from[i].leader_epoch)
			continue;
		out[chosen++] = (struct groups_entry){.group = from[i].group,
		    .partition = from[i].partition,
		    .offset = from[i].offset,
		    .leader_epoch = from[i].leader_epoch,
		    .commit_ms = from[i].commit_ms,
		    .metadata = {from[i].metadata.data,
			(int32_t)from[i].metadata.len}};
	}
	return chosen;
}

/* Promoted meanwhile?  Then its groups go their own way. */
static int
check_positions(struct sink *s, size_t topic,
    const struct sink_position *positions, size_t count, struct fault *f)
{
	struct partition *p;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < count; i++) {
		rc = find_part(s, topic, positions[i].partition, &p, f);
		if (rc == 0)
			rc = check_role(p, f);
		rc = locate(self(s), topic, positions[i].partition, rc, f);
	}
	return rc;
}

static int
sink_commit(struct sink *s, size_t topic, const struct sink_position *positions,
    size_t count, struct fault *f)
{
	const struct disk_topic *t = &self(s)->topics[topic];
	struct groups_entry *entries;
	struct groups *g = NULL;
	struct topic opened;
	size_t chosen;
	int rc;

	if (self(s)->o.dry_run || count == 0)
		return 0;
	entries = calloc(count, sizeof(*entries));
	if (entries == NULL)
		return ENOMEM;
	rc = topic_open(t->path, &opened, f);
	if (rc == 0) {
		rc = groups_open(t->path, &opened, true, &g, f);
		topic_close(&opened);
	}
	if (rc == 0)
		rc = groups_refresh(g, f);
	if (rc == 0)
		rc = check_positions(s, topic, positions, count, f);
	if (rc == 0) {
		chosen = choose(g, positions, count, entries);
		if (chosen > 0)
			rc = groups_commit(g, positions[0].group, entries,
			    chosen, f);
	}
	groups_close(g);
	free(entries);
	return rc;
}

static int
sink_keep_ends(struct sink *s, size_t topic, const struct sink_ends *e,
    struct fault *f)
{
	struct disk_sink *d = self(s);
	struct disk_topic *t = &d->topics[topic];
	int rc;

	(void)f;
	if (d->o.dry_run)
		return 0;
	rc = origin_grow(&t->origin, e->count);
	if (rc != 0)
		return rc;
	memcpy(t->origin.ends, e->ends, (size_t)e->count * sizeof(*e->ends));
	t->origin.seen_ms = e->seen_ms;
	return write_origin(t);
}

static void
sink_close(struct sink *s)
{
	struct disk_sink *d = self(s);

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
    .topic = sink_topic,
    .state = sink_state,
    .records = sink_records,
    .begin = sink_begin,
    .cut = sink_cut,
    .append = sink_append,
    .sync = sink_sync,
    .clean = sink_clean,
    .commit = sink_commit,
    .digest = sink_digest,
    .keep_ends = sink_keep_ends,
    .close = sink_close,
};
