#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/io.h"
#include "base/status.h"
#include "replicate/disk_source_impl.h"
#include "replicate/opened.h"
#include "store/groups.h"
#include "store/partition.h"
#include "store/stream.h"
#include "store/topic.h"

static void
path_of(const struct disk_topic *t, int32_t number, char out[PART_PATH_LEN])
{
	if (t->kind == TOPIC_PLACE_TOPIC)
		snprintf(out, PART_PATH_LEN, "%s/%d", t->path, (int)number);
	else
		strlcpy(out, t->path, PART_PATH_LEN);
}

/*
 * Is a partition of the topic that was told, and not of another one that has
 * its name by now?
 */
static int
check_topic(const struct disk_topic *t, struct partition *p, struct fault *f)
{
	uint8_t own[FRAME_IDENTITY_LEN];
	int fd = -1, rc;

	if (t->kind != TOPIC_PLACE_TOPIC || !t->is_told)
		return 0;
	rc = io_open(partition_dirfd(p), "..", O_RDONLY | O_DIRECTORY, 0, &fd);
	if (rc == 0) {
		disk_source_identity(fd, own);
		if (memcmp(own, t->told, sizeof(own)) != 0)
			rc = STATUS_REMOVED;
	}
	(void)io_close(&fd);
	return rc == 0 ? 0 : status_fault(f, rc, t->path, -1, -1, NULL);
}

int
disk_source_open_part(void *arg, struct opened_part *part, struct fault *f)
{
	struct disk_source *d = arg;
	const struct disk_topic *t = &d->topics[part->topic];
	struct partition_settings settings;
	char path[PART_PATH_LEN];
	int rc;

	path_of(t, part->number, path);
	partition_settings_of(&t->settings, &settings);
	rc = partition_open(path, PARTITION_READ, &settings, &part->p, f);
	if (rc == 0)
		rc = check_topic(t, part->p, f);
	return rc == 0 ? raw_open(part->p, &part->raw, f) : rc;
}

static int
find_part(struct source *s, size_t topic, int32_t partition,
    struct opened_part **out, struct fault *f)
{
	return opened_find(&disk_source_self(s)->opened, topic, partition, out,
	    f);
}

/* Of a root that is followed: is a topic removed, or just being so? */
bool
disk_source_is_gone(const struct disk_source *d, int rc)
{
	return d->is_root && d->o->follow &&
	    (rc == ENOENT || rc == STATUS_REMOVED || rc == STATUS_NO_TOPIC ||
		rc == STATUS_NOT_TOPIC);
}

/* Does its name still stand for what is open of it? */
static bool
is_named(const struct disk_topic *t, const struct opened_part *part)
{
	char path[PART_PATH_LEN];
	struct stat open, named;

	path_of(t, part->number, path);
	return fstat(partition_dirfd(part->p), &open) == 0 &&
	    stat(path, &named) == 0 && named.st_ino == open.st_ino &&
	    named.st_dev == open.st_dev;
}

/*
 * A topic's directory is another one, or none: nothing is kept of what it was.
 * STATUS_REMOVED: one of a root that is not there.
 */
static int
look_anew(struct disk_source *d, size_t topic, struct fault *f)
{
	struct disk_topic *t = &d->topics[topic];
	int rc;

	groups_close(t->groups);
	t->groups = NULL;
	rc = disk_source_look(t, f);
	if (rc == 0)
		disk_source_watch_topic(d, topic);
	else if (disk_source_is_gone(d, rc))
		rc = status_fault(f, STATUS_REMOVED, t->path, -1, -1, NULL);
	return rc;
}

/* Its directory may be another one by now, or be nowhere. */
static int
find_present(struct source *s, size_t topic, int32_t partition,
    struct opened_part **out, struct fault *f)
{
	struct disk_source *d = disk_source_self(s);
	int rc = find_part(s, topic, partition, out, f);

	if (!d->o->follow || (rc == 0 && is_named(&d->topics[topic], *out)))
		return rc;
	if (rc == 0)
		opened_forget(*out);
	rc = look_anew(d, topic, f);
	if (rc != 0)
		return rc;
	rc = find_part(s, topic, partition, out, f);
	if (rc != 0 && disk_source_is_gone(d, rc))
		rc = partition < d->topics[topic].count
		    ? status_fault(f, STATUS_REMOVED, d->topics[topic].path, -1,
			  -1, NULL)
		    : status_fault(f, STATUS_DIFFERS, d->topics[topic].path, -1,
			  -1, "it has fewer partitions than it had");
	return rc;
}

int
disk_source_bounds(struct source *s, size_t topic, int32_t partition,
    int64_t *start, int64_t *end, struct fault *f)
{
	struct opened_part *part;
	int rc = find_present(s, topic, partition, &part, f);

	if (rc == 0)
		rc = raw_refresh(part->raw, f);
	if (rc == 0) {
		*start = raw_start(part->raw);
		*end = raw_end(part->raw);
	}
	return rc;
}

int
disk_source_next(struct source *s, size_t topic, int32_t partition,
    int64_t offset, size_t max, struct raw_run *out, struct fault *f)
{
	struct opened_part *part;
	int rc = find_part(s, topic, partition, &part, f);

	if (rc != 0)
		return rc;
	if (offset < 0 || raw_offset(part->raw) != offset)
		raw_seek(part->raw, offset);
	return raw_next(part->raw, max, out, f);
}

int
disk_source_batch_at(struct source *s, size_t topic, int32_t partition,
    int64_t offset, struct frame_batch *out, bool *cleaned, struct fault *f)
{
	struct opened_part *part;
	struct batch b;
	int rc = find_part(s, topic, partition, &part, f);

	if (rc == 0)
		rc = raw_batch_at(part->raw, offset, &b, cleaned, f);
	if (rc == 0)
		*out = (struct frame_batch){b.base_offset, b.last_offset,
		    b.leader_epoch, b.crc};
	return rc;
}

int
disk_source_is_kept(struct source *s, size_t topic, int32_t partition,
    const struct frame_batch *was, bool *kept, struct fault *f)
{
	const struct batch b = {.base_offset = was->base_offset,
	    .last_offset = was->last_offset,
	    .leader_epoch = was->leader_epoch,
	    .crc = was->crc};
	struct opened_part *part;
	int rc = find_part(s, topic, partition, &part, f);

	return rc == 0 ? raw_is_kept(part->raw, &b, kept, f) : rc;
}

int
disk_source_find(struct source *s, size_t topic, int32_t partition,
    const struct position *pos, int64_t *offset, struct fault *f)
{
	struct opened_part *part;
	int rc = find_part(s, topic, partition, &part, f);

	if (rc == 0)
		rc = stream_resolve(part->p, READER_UNCOMMITTED, pos, 0, offset,
		    NULL, f);
	/* Not behind what may be sent. */
	if (rc == 0 && *offset > raw_end(part->raw))
		*offset = raw_end(part->raw);
	return rc;
}
