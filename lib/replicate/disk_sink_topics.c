#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/io.h"
#include "base/status.h"
#include "replicate/disk_sink_impl.h"
#include "replicate/disk_source.h"
#include "replicate/inherit.h"
#include "replicate/under.h"
#include "store/cluster_id.h"
#include "store/lineage.h"
#include "store/origin.h"
#include "store/partition.h"
#include "store/replica.h"
#include "store/root.h"
#include "store/topic.h"

_Static_assert((int)LINEAGE_ID_LEN == (int)FRAME_IDENTITY_LEN,
    "an identity is an identity");

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

/* It is not there. */
static int
make_topic(struct disk_sink *d, const struct sink_topic *from,
    const struct disk_topic *t, struct fault *f)
{
	int rc;

	if (from->partitions < 1)
		return status_fault(f, ERANGE, t->path, -1, -1,
		    "the source has no partitions");
	if (d->o.dry_run)
		rc = topic_may_create(t->path);
	else
		rc = topic_create(t->path, from->settings, from->partitions,
		    0777);
	if (rc == 0)
		rc = sink_tell_made(from, "made,");
	return rc == STATUS_EXISTS && !d->o.dry_run ? 0 : rc;
}

static int
grow_topic(struct disk_sink *d, const struct sink_topic *from,
    struct topic *topic, struct fault *f)
{
	int rc;

	if (topic->partitions >= from->partitions)
		return 0;
	rc = sink_tell_made(from, "grown to");
	return rc != 0 || d->o.dry_run ? rc
				       : topic_grow(topic, from->partitions, f);
}

/* One partition, for who would copy to its topic. */
int
disk_sink_check_stand(struct partition *p, enum replica_stand *stand,
    struct fault *f)
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
			rc = disk_sink_check_stand(p, &stand, f);
		*is_copy = *is_copy || (rc == 0 && stand == REPLICA_IS);
		if (rc != 0 && f->file[0] == '\0')
			status_fault(f, rc, path, -1, -1, NULL);
		partition_close(p);
	}
	return rc;
}

/* An error of the file is not one of the directory that it is in. */
int
disk_sink_origin_fault(const struct disk_topic *t, int rc, struct fault *f)
{
	char path[PATH_MAX + sizeof(ORIGIN_FILE) + 1];

	snprintf(path, sizeof(path), "%s/%s", t->path, ORIGIN_FILE);
	return rc == 0 ? 0 : status_fault(f, rc, path, -1, -1, NULL);
}

/* Where a partition's log ends. */
static int
find_end(const struct disk_topic *t, const struct properties *own, int32_t n,
    int64_t *end, struct fault *f)
{
	struct partition_settings settings;
	struct partition_offsets o;
	struct partition *p;
	char path[PATH_MAX + 16];
	int rc;

	snprintf(path, sizeof(path), "%s/%d", t->path, (int)n);
	partition_settings_of(own, &settings);
	rc = partition_open(path, PARTITION_READ, &settings, &p, f);
	if (rc == 0)
		rc = partition_offsets(p, &o, f);
	if (rc == 0)
		*end = o.log_end;
	partition_close(p);
	return rc;
}

/*
 * Is the source another topic than it was?  Then what is there stays as it is,
 * if it has had records, until it is clear whose they are; but where it may be
 * cut it is to become a copy of this one.
 */
static int
look_whose(struct disk_sink *d, const struct sink_topic *from,
    struct disk_topic *t, const struct topic *topic, struct fault *f)
{
	int64_t end = 0;
	int rc = 0;

	t->is_foreign = from->lineage != NULL &&
	    !lineage_related(&t->origin.lineage, from->lineage);
	if (!t->is_foreign)
		return 0;
	t->lineage = *from->lineage;
	for (int32_t n = 0; rc == 0 && end == 0 && n < topic->partitions; n++)
		rc = find_end(t, &topic->settings, n, &end, f);
	t->is_held = end > 0 && !d->o.cut;
	return rc;
}

/*
 * Where the source is, and what that comes from; has it changed?  What it was
 * stays known as long as it is not clear that the records are the same.
 */
static bool
follow_source(const struct sink_topic *from, struct disk_topic *t)
{
	struct origin *o = &t->origin;
	bool changed = false;

	if (from->source != NULL && strcmp(o->source, from->source) != 0) {
		strlcpy(o->source, from->source, sizeof(o->source));
		changed = true;
	}
	if (!t->is_foreign && from->lineage != NULL &&
	    from->lineage->count > 0 &&
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
    struct disk_topic *t, struct topic *topic, bool known, bool is_new,
    struct fault *f)
{
	bool changed;
	int rc = 0;

	if (is_new && !known && from->done != NULL)
		rc = buf_add_str(from->done, "becomes a copy\n");
	if (rc == 0)
		rc = inherit_settings(topic, &t->origin, known, from->settings,
		    d->o.dry_run, from->done, &changed, f);
	if (rc != 0)
		return rc;
	changed = follow_source(from, t) || changed;
	/* What is known for the first time can be found out again. */
	return changed && !d->o.dry_run
	    ? disk_sink_origin_fault(t,
		  origin_write(topic->dirfd, &t->origin, known), f)
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
	bool is_copy, known, made = false;
	int rc;

	if (d->missing) {
		t->missing = true;
		t->count = from->partitions;
		return sink_tell_made(from, "made,");
	}
	rc = check_place(d, t, f);
	if (rc == 0)
		rc = topic_open(t->path, &topic, f);

	/* Not there: what becomes of that is what counts. */
	if (rc == STATUS_NO_TOPIC)
		f->file[0] = '\0';
	t->missing = t->is_held = false;
	if (rc == STATUS_NO_TOPIC) {
		rc = make_topic(d, from, t, f);
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
	known = rc == 0 && origin_read(topic.dirfd, &t->origin) == 0;
	if (rc == 0)
		rc = look_whose(d, from, t, &topic, f);
	if (rc == 0 && !t->is_held)
		rc = grow_topic(d, from, &topic, f);
	if (rc == 0 && !t->is_held)
		rc = follow_topic(d, from, t, &topic, known, !made && !is_copy,
		    f);
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

int
disk_sink_topic(struct sink *s, size_t topic, const struct sink_topic *from,
    struct fault *f)
{
	return disk_sink_locate(disk_sink_self(s), topic, -1,
	    take_topic(disk_sink_self(s), topic, from, f), f);
}

int
disk_sink_write_origin(const struct disk_topic *t)
{
	bool durable = false;
	int fd = -1;
	int rc = io_open(AT_FDCWD, t->path, O_RDONLY | O_DIRECTORY, 0, &fd);

	if (rc != 0)
		return rc;
	/* What is to be done must not be forgotten; all else may be. */
	for (int32_t n = 0; n < t->origin.count; n++)
		durable = durable || t->origin.begins[n] >= 0 ||
		    t->origin.others[n] >= 0;
	rc = origin_write(fd, &t->origin, durable);
	(void)io_close(&fd);
	return rc;
}

/* --- of another topic ---------------------------------------------------- */

bool
disk_sink_is_foreign(const struct disk_topic *t, int32_t partition)
{
	return t->is_foreign ||
	    (partition < t->origin.count && t->origin.others[partition] >= 0);
}

int
disk_sink_accept(struct disk_sink *d, size_t topic, int32_t partition,
    struct fault *f)
{
	struct disk_topic *t = &d->topics[topic];
	bool changed = t->is_foreign;
	int64_t end;
	int rc = t->is_foreign ? origin_grow(&t->origin, t->count) : 0;

	/* What each has is of what the source was. */
	for (int32_t n = 0; rc == 0 && t->is_foreign && n < t->count; n++) {
		rc = find_end(t, &t->settings, n, &end, f);
		if (rc == 0 && end > 0)
			t->origin.others[n] = end;
	}
	if (rc != 0)
		return rc;
	if (t->is_foreign)
		t->origin.lineage = t->lineage;
	t->is_foreign = false;
	if (partition >= 0 && disk_sink_is_foreign(t, partition)) {
		t->origin.others[partition] = -1;
		changed = true;
	}
	return changed ? disk_sink_origin_fault(t, disk_sink_write_origin(t), f)
		       : 0;
}

int
disk_sink_keep_ends(struct sink *s, size_t topic, const struct sink_ends *e,
    struct fault *f)
{
	struct disk_sink *d = disk_sink_self(s);
	struct disk_topic *t = &d->topics[topic];
	int rc;

	(void)f;
	/* What is told of another topic says nothing of this one. */
	if (d->o.dry_run || (t->is_held && t->is_foreign))
		return 0;
	rc = origin_grow(&t->origin, e->count);
	if (rc != 0)
		return rc;
	memcpy(t->origin.ends, e->ends, (size_t)e->count * sizeof(*e->ends));
	t->origin.seen_ms = e->seen_ms;
	return disk_sink_write_origin(t);
}
