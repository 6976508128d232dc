#include "replicate/disk_source.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bounds.h"
#include "base/io.h"
#include "base/now.h"
#include "base/status.h"
#include "replicate/changes.h"
#include "replicate/opened.h"
#include "replicate/under.h"
#include "store/groups.h"
#include "store/partition.h"
#include "store/properties.h"
#include "store/root.h"
#include "store/state.h"
#include "store/stream.h"
#include "store/topic.h"

/* Following: each topic is looked at in so many seconds, told or not. */
enum { SWEEP_S = 60, PART_PATH_LEN = PATH_MAX + 16 };

static const struct source_changed root_changed = {SOURCE_TOPICS, SIZE_MAX, -1};

struct disk_topic {
	char *path;		/* owned */
	const char *name;	/* last part of path in a root, or "" */
	enum topic_place_kind kind;
	int32_t first;		/* partitions first to count - 1 are here */
	int32_t count;
	struct properties settings;
	uint8_t identity[FRAME_IDENTITY_LEN];
	struct lineage lineage;
	bool is_told;
	uint8_t told[FRAME_IDENTITY_LEN]; /* what it was then */
	struct groups *groups;	/* NULL until asked for */
	bool stale;		/* to be looked at by the next refresh */
};

struct disk_source {
	struct source source;
	const struct disk_source_options *o;
	char *path;
	bool is_root;
	struct disk_topic *topics;
	size_t count;
	size_t cap;
	struct opened opened;
	struct changes *changes; /* NULL: not to be followed */
	bool stale;		/* so is the root */
	/* What was missed is found in turn: topics left for this second. */
	int64_t swept_ms;
	size_t sweep_left;
	size_t sweep_topic;
	int32_t sweep_part;
};

static const struct source_ops ops;

static struct disk_source *
self(struct source *s)
{
	return (struct disk_source *)s;
}

void
disk_source_identity(int dirfd, uint8_t out[FRAME_IDENTITY_LEN])
{
	struct stat st = {.st_dev = 0};

	memset(out, 0, FRAME_IDENTITY_LEN);
	if (fstat(dirfd, &st) != 0 || state_boot_id(out) != 0)
		return;
	buf_put_64(out + 16, (uint64_t)st.st_dev);
	buf_put_64(out + 24, (uint64_t)st.st_ino);
}

bool
disk_source_takes(const struct disk_patterns *p, const char *name)
{
	bool has_include = false;

	for (size_t i = 0; i < p->count; i++) {
		if (fnmatch(p->items[i] + 1, name, 0) == 0)
			return p->items[i][0] == '+';
		has_include = has_include || p->items[i][0] == '+';
	}
	return !has_include;
}

/* What is there now, into t. */
static int
look(struct disk_topic *t, struct fault *f)
{
	struct topic_place place;
	int rc = topic_locate(t->path, &place, f);

	if (rc != 0)
		return rc;
	if (place.kind == TOPIC_PLACE_SEGMENT) {
		topic_place_close(&place);
		return STATUS_NOT_TOPIC;
	}
	t->kind = place.kind;
	t->first = place.first;
	t->count = place.first + place.count;
	properties_init(&t->settings);
	lineage_init(&t->lineage);
	if (place.has_topic) {
		t->settings = place.topic.settings;
		lineage_of(&place.topic, &t->lineage);
	} else {
		lineage_foreign_id(place.dirfd, place.name, t->lineage.ids[0]);
		t->lineage.count = 1;
	}
	disk_source_identity(place.has_topic ? place.topic.dirfd : place.dirfd,
	    t->identity);
	topic_place_close(&place);
	return 0;
}

/* Have changes of a topic, its groups and its partitions told. */
static void
watch_topic(struct disk_source *d, size_t topic)
{
	const struct disk_topic *t = &d->topics[topic];
	struct source_changed what = {SOURCE_TOPICS, topic, -1};
	char path[PATH_MAX + 16];

	if (d->changes == NULL)
		return;
	if (t->kind != TOPIC_PLACE_TOPIC) {
		what =
		    (struct source_changed){SOURCE_PARTITION, topic, t->first};
		(void)changes_add(d->changes, t->path, &what);
		return;
	}
	(void)changes_add(d->changes, t->path, &what);
	what.what = SOURCE_GROUPS;
	snprintf(path, sizeof(path), "%s/%s", t->path, GROUPS_DIR);
	(void)changes_add(d->changes, path, &what);
	what.what = SOURCE_PARTITION;
	for (int32_t n = t->first; n < t->count; n++) {
		snprintf(path, sizeof(path), "%s/%d", t->path, (int)n);
		what.partition = n;
		(void)changes_add(d->changes, path, &what);
	}
}

static int
add_topic(struct disk_source *d, const char *path, bool named, struct fault *f)
{
	struct disk_topic t = {.path = strdup(path), .name = ""};
	struct disk_topic *more;
	int rc = t.path == NULL ? ENOMEM : look(&t, f);

	if (rc == 0 && d->count == d->cap) {
		d->cap = d->cap == 0 ? 16 : d->cap * 2;
		more = reallocarray(d->topics, d->cap, sizeof(*more));
		if (more == NULL)
			rc = ENOMEM;
		else
			d->topics = more;
	}
	if (rc != 0) {
		free(t.path);
		return rc;
	}
	if (named)
		t.name = strrchr(t.path, '/') + 1;
	d->topics[d->count++] = t;
	watch_topic(d, d->count - 1);
	return 0;
}

static bool
is_known(const struct disk_source *d, const char *name)
{
	for (size_t i = 0; i < d->count; i++)
		if (strcmp(d->topics[i].name, name) == 0)
			return true;
	return false;
}

static int
look_at_root(struct disk_source *d, struct fault *f)
{
	struct root_list l;
	int rc = root_read(d->path, &l);

	for (size_t i = 0; rc == 0 && i < l.count; i++) {
		char path[PATH_MAX], real[PATH_MAX];

		if (!disk_source_takes(&d->o->patterns, l.names[i]) ||
		    is_known(d, l.names[i]))
			continue;
		if (snprintf(path, sizeof(path), "%s/%s", d->path,
			l.names[i]) >= (int)sizeof(path))
			continue;
		if (d->o->under != NULL &&
		    under_resolve(d->o->under, path, real) != 0)
			continue;
		rc = add_topic(d, path, true, f);
		if (rc == STATUS_NOT_TOPIC || rc == STATUS_NO_TOPIC)
			rc = 0;
		else if (rc == 0 &&
		    d->topics[d->count - 1].kind != TOPIC_PLACE_TOPIC)
			free(d->topics[--d->count].path);
	}
	root_list_release(&l);
	return rc;
}

/* Is it to be looked at?  Without anybody to tell, all are. */
static bool
is_stale(const struct disk_source *d, bool *stale)
{
	bool is = *stale;

	*stale = false;
	return is || d->changes == NULL || changes_fd(d->changes) < 0;
}

/* An error that does not say where. */
static int
at_source(const struct disk_source *d, int rc, struct fault *f)
{
	return rc == 0 || f->file[0] != '\0'
	    ? rc
	    : status_fault(f, rc, d->path, -1, -1, NULL);
}

static int
source_refresh(struct source *s, size_t *count, struct fault *f)
{
	struct disk_source *d = self(s);
	int rc = 0;

	for (size_t i = 0; i < d->count; i++) {
		if (!is_stale(d, &d->topics[i].stale))
			continue;
		rc = look(&d->topics[i], f);
		if (rc == 0)
			watch_topic(d, i);
		/* One that was removed from a root is told when it is read. */
		if (rc != 0 && !d->is_root)
			return at_source(d, rc, f);
	}
	rc = 0;
	if (d->is_root && is_stale(d, &d->stale))
		rc = look_at_root(d, f);
	*count = d->count;
	return at_source(d, rc, f);
}

static int
source_topic(struct source *s, size_t topic, struct source_topic *out,
    struct fault *f)
{
	struct disk_topic *t = &self(s)->topics[topic];

	(void)f;
	*out = (struct source_topic){.name = t->name,
	    .partitions = t->count,
	    .settings = &t->settings,
	    .lineage = t->lineage};
	memcpy(out->identity, t->identity, sizeof(out->identity));
	memcpy(t->told, t->identity, sizeof(t->told));
	t->is_told = true;
	return 0;
}

static bool
source_has(struct source *s, size_t topic, int32_t partition)
{
	struct disk_source *d = self(s);
	const struct disk_topic *t = &d->topics[topic];

	return partition >= t->first && partition < t->count &&
	    (d->o->partitions == NULL ||
		parse_partitions_has(d->o->partitions, partition));
}

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

static int
open_part(void *arg, struct opened_part *part, struct fault *f)
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
	return opened_find(&self(s)->opened, topic, partition, out, f);
}

/* Of a root that is followed: is a topic removed, or just being so? */
static bool
is_gone(const struct disk_source *d, int rc)
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
	rc = look(t, f);
	if (rc == 0)
		watch_topic(d, topic);
	else if (is_gone(d, rc))
		rc = status_fault(f, STATUS_REMOVED, t->path, -1, -1, NULL);
	return rc;
}

/* Its directory may be another one by now, or be nowhere. */
static int
find_present(struct source *s, size_t topic, int32_t partition,
    struct opened_part **out, struct fault *f)
{
	struct disk_source *d = self(s);
	int rc = find_part(s, topic, partition, out, f);

	if (!d->o->follow || (rc == 0 && is_named(&d->topics[topic], *out)))
		return rc;
	if (rc == 0)
		opened_forget(*out);
	rc = look_anew(d, topic, f);
	if (rc != 0)
		return rc;
	rc = find_part(s, topic, partition, out, f);
	if (rc != 0 && is_gone(d, rc))
		rc = partition < d->topics[topic].count
		    ? status_fault(f, STATUS_REMOVED, d->topics[topic].path, -1,
			  -1, NULL)
		    : status_fault(f, STATUS_DIFFERS, d->topics[topic].path, -1,
			  -1, "it has fewer partitions than it had");
	return rc;
}

static int
source_bounds(struct source *s, size_t topic, int32_t partition, int64_t *start,
    int64_t *end, struct fault *f)
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

static int
source_next(struct source *s, size_t topic, int32_t partition, int64_t offset,
    size_t max, struct raw_run *out, struct fault *f)
{
	struct opened_part *part;
	int rc = find_part(s, topic, partition, &part, f);

	if (rc != 0)
		return rc;
	if (offset < 0 || raw_offset(part->raw) != offset)
		raw_seek(part->raw, offset);
	return raw_next(part->raw, max, out, f);
}

static int
source_batch_at(struct source *s, size_t topic, int32_t partition,
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

static int
source_is_kept(struct source *s, size_t topic, int32_t partition,
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

static int
source_find(struct source *s, size_t topic, int32_t partition,
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

static int
open_groups(struct disk_topic *t, struct fault *f)
{
	struct topic topic;
	int rc = topic_open(t->path, &topic, f);

	if (rc != 0)
		return rc;
	rc = groups_open(t->path, &topic, false, &t->groups, f);
	topic_close(&topic);
	return rc;
}

static int
source_position(struct source *s, size_t topic, size_t i,
    struct source_position *out, struct fault *f)
{
	struct disk_source *d = self(s);
	struct disk_topic *t = &d->topics[topic];
	const struct groups_entry *e;
	int rc = 0;

	if (t->kind != TOPIC_PLACE_TOPIC)
		return STATUS_END;
	if (t->groups == NULL)
		rc = open_groups(t, f);
	if (rc == 0 && i == 0)
		rc = groups_refresh(t->groups, f);
	/* That it is removed is told of its partitions. */
	if (rc != 0 && is_gone(d, rc)) {
		groups_close(t->groups);
		t->groups = NULL;
		return STATUS_END;
	}
	if (rc != 0)
		return rc;
	e = groups_at(t->groups, i);
	if (e == NULL)
		return STATUS_END;
	*out = (struct source_position){.group = e->group,
	    .partition = e->partition,
	    .offset = e->offset,
	    .leader_epoch = e->leader_epoch,
	    .commit_ms = e->commit_ms};
	if (e->metadata.len > 0)
		out->metadata =
		    (struct view){e->metadata.data, (size_t)e->metadata.len};
	return 0;
}

static int
source_wait_fd(struct source *s)
{
	struct disk_source *d = self(s);

	return d->changes == NULL ? -1 : changes_fd(d->changes);
}

static int
source_turn(struct source *s, bool *changed, struct fault *f)
{
	struct disk_source *d = self(s);
	bool lost;

	(void)f;
	*changed = false;
	if (d->changes == NULL)
		return 0;
	changes_take(d->changes, changed, &lost);
	if (lost)
		d->sweep_left = d->count;
	*changed = *changed || lost;
	return 0;
}

/* A part of all topics each second, so that each has its turn in a minute. */
static void
begin_sweep(struct disk_source *d)
{
	size_t all = d->count, part = (all + SWEEP_S - 1) / SWEEP_S;
	int64_t now = now_mono_ms();

	if (now - d->swept_ms < 1000)
		return;
	d->swept_ms = now;
	/* Also of a root that has none yet. */
	if (all == 0)
		d->sweep_left = 1;
	else if (d->sweep_left == 0)
		d->sweep_left = changes_fd(d->changes) < 0 ? all : part;
}

/*
 * The next of the sweep: the partitions of a topic, its groups, and last what
 * it is itself.
 */
static bool
sweep(struct disk_source *d, struct source_changed *out)
{
	struct disk_topic *t;

	if (d->sweep_left == 0)
		return false;
	if (d->count == 0) {
		d->sweep_left = 0;
		*out = root_changed;
		return true;
	}
	if (d->sweep_topic >= d->count) {
		d->sweep_topic = 0;
		d->stale = true;
	}
	t = &d->topics[d->sweep_topic];
	*out = (struct source_changed){SOURCE_PARTITION, d->sweep_topic,
	    t->first + d->sweep_part};
	if (out->partition < t->count) {
		d->sweep_part++;
		return true;
	}
	out->what = SOURCE_GROUPS;
	if (out->partition++ == t->count) {
		d->sweep_part++;
		return true;
	}
	out->what = SOURCE_TOPICS;
	d->sweep_part = 0;
	d->sweep_topic++;
	d->sweep_left--;
	return true;
}

static bool
source_changed(struct source *s, struct source_changed *out)
{
	struct disk_source *d = self(s);

	if (d->changes == NULL)
		return false;
	begin_sweep(d);
	if (!changes_next(d->changes, out) && !sweep(d, out))
		return false;
	if (out->what == SOURCE_TOPICS && out->topic < d->count)
		d->topics[out->topic].stale = true;
	else if (out->what == SOURCE_TOPICS)
		d->stale = true;
	return true;
}

static void
source_close(struct source *s)
{
	struct disk_source *d = self(s);

	changes_close(d->changes);
	opened_close(&d->opened);
	for (size_t i = 0; i < d->count; i++) {
		groups_close(d->topics[i].groups);
		free(d->topics[i].path);
	}
	free(d->topics);
	free(d->path);
	free(d);
}

/* Is each partition there that was named? */
static int
check_partitions(const struct disk_source *d, struct fault *f)
{
	const struct partition_list *l = d->o->partitions;

	for (size_t i = 0; l != NULL && i < l->count; i++)
		if (l->spans[i].last >= d->topics[0].count)
			return status_fault(f, STATUS_NO_TOPIC, d->path, -1, -1,
			    "it lacks a partition that -p names");
	return 0;
}

/* Is there a topic that is not asked for? */
static bool
has_others(const struct disk_source *d)
{
	struct topic_place place;
	char path[PATH_MAX + NAME_MAX + 2];
	struct root_list l;
	bool has = false;

	if (d->o->patterns.count == 0 || root_read(d->path, &l) != 0)
		return false;
	for (size_t i = 0; i < l.count && !has; i++) {
		snprintf(path, sizeof(path), "%s/%s", d->path, l.names[i]);
		has = !disk_source_takes(&d->o->patterns, l.names[i]) &&
		    topic_locate(path, &place, NULL) == 0;
		if (!has)
			continue;
		has = place.kind == TOPIC_PLACE_TOPIC;
		topic_place_close(&place);
	}
	root_list_release(&l);
	return has;
}

/* It is no topic: is it a directory of topics, if perhaps of none yet? */
static int
open_root(struct disk_source *d, struct fault *f)
{
	enum root_stand stand;
	int rc;

	d->is_root = true;
	if (d->changes != NULL)
		(void)changes_add(d->changes, d->path, &root_changed);
	rc = look_at_root(d, f);
	if (rc == ENOTDIR)
		return STATUS_NOT_TOPIC;
	if (rc != 0 || d->count > 0 || has_others(d))
		return rc;
	rc = root_look(d->path, &stand);
	return rc == 0 && stand != ROOT_EMPTY ? STATUS_NOT_TOPIC : rc;
}

bool
disk_source_is_root(const struct source *s)
{
	return ((const struct disk_source *)s)->is_root;
}

int
disk_source_open(const char *path, const struct disk_source_options *o,
    struct source **out, struct fault *f)
{
	struct disk_source *d = calloc(1, sizeof(*d));
	int rc;

	if (d == NULL)
		return ENOMEM;
	d->source.ops = &ops;
	d->opened.open = open_part;
	d->opened.arg = d;
	d->o = o;
	d->path = strdup(path);
	rc = d->path == NULL ? ENOMEM : 0;
	if (rc == 0 && o->follow)
		rc = changes_open(&d->changes);
	if (rc == 0)
		rc = add_topic(d, path, false, f);
	if (rc == 0)
		rc = check_partitions(d, f);
	if (rc == STATUS_NOT_TOPIC)
		rc = open_root(d, f);
	if (rc != 0) {
		source_close(&d->source);
		return rc;
	}
	*out = &d->source;
	return 0;
}

static const struct source_ops ops = {
    .refresh = source_refresh,
    .topic = source_topic,
    .has = source_has,
    .bounds = source_bounds,
    .next = source_next,
    .batch_at = source_batch_at,
    .is_kept = source_is_kept,
    .position = source_position,
    .changed = source_changed,
    .find = source_find,
    .wait_fd = source_wait_fd,
    .turn = source_turn,
    .close = source_close,
};
