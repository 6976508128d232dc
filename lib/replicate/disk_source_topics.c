#include <errno.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bounds.h"
#include "base/now.h"
#include "base/status.h"
#include "replicate/changes.h"
#include "replicate/disk_source_impl.h"
#include "replicate/under.h"
#include "store/groups.h"
#include "store/properties.h"
#include "store/root.h"
#include "store/state.h"
#include "store/topic.h"

/* Following: each topic is looked at in so many seconds, told or not. */
enum { SWEEP_S = 60 };

static const struct source_changed root_changed = {SOURCE_TOPICS, SIZE_MAX, -1};

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
int
disk_source_look(struct disk_topic *t, struct fault *f)
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
void
disk_source_watch_topic(struct disk_source *d, size_t topic)
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

int
disk_source_add_topic(struct disk_source *d, const char *path, bool named,
    struct fault *f)
{
	struct disk_topic t = {.path = strdup(path), .name = ""};
	struct disk_topic *more;
	int rc = t.path == NULL ? ENOMEM : disk_source_look(&t, f);

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
	disk_source_watch_topic(d, d->count - 1);
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
		rc = disk_source_add_topic(d, path, true, f);
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

int
disk_source_refresh(struct source *s, size_t *count, struct fault *f)
{
	struct disk_source *d = disk_source_self(s);
	int rc = 0;

	for (size_t i = 0; i < d->count; i++) {
		if (!is_stale(d, &d->topics[i].stale))
			continue;
		rc = disk_source_look(&d->topics[i], f);
		if (rc == 0)
			disk_source_watch_topic(d, i);
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

int
disk_source_topic(struct source *s, size_t topic, struct source_topic *out,
    struct fault *f)
{
	struct disk_topic *t = &disk_source_self(s)->topics[topic];

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
int
disk_source_open_root(struct disk_source *d, struct fault *f)
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

/* --- what changes -------------------------------------------------------- */

int
disk_source_wait_fd(struct source *s)
{
	struct disk_source *d = disk_source_self(s);

	return d->changes == NULL ? -1 : changes_fd(d->changes);
}

int
disk_source_turn(struct source *s, bool *changed, struct fault *f)
{
	struct disk_source *d = disk_source_self(s);
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

bool
disk_source_changed(struct source *s, struct source_changed *out)
{
	struct disk_source *d = disk_source_self(s);

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
