#include "store/groups.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bounds.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/now.h"
#include "base/status.h"
#include "store/access.h"
#include "store/batch.h"
#include "store/commit.h"
#include "store/compact.h"
#include "store/partition.h"
#include "store/properties.h"
#include "store/reader.h"
#include "store/topic.h"

enum {
	SEGMENT_BYTES = 1 << 20,
	BATCH_BYTES = 16 << 20,
	/* Compaction is thought of so often. */
	TIDY_RECORDS = 1024,
	/* Its share of memory for the keys. */
	KEYS_BYTES = 16 << 20,
};

struct groups {
	char path[PATH_MAX];
	char topic[TOPIC_NAME_MAX + 1];
	struct partition *p;	/* NULL: there is none, and we only read */
	struct reader *r;
	void *root;		/* tsearch(3), of struct groups_entry */
	size_t count;
	struct groups_entry **sorted;	/* for groups_at(); NULL: stale */
	size_t sorted_count;		/* of those not forgotten */
	struct buf scratch;
	struct batch_builder builder;
};

bool
groups_is_name(const char *s)
{
	size_t len = strlen(s);

	if (len == 0 || len > GROUPS_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return false;
	return true;
}

/* --- the table ----------------------------------------------------------- */

static int
compare(const void *a, const void *b)
{
	const struct groups_entry *x = a, *y = b;
	int order = strcmp(x->group, y->group);

	if (order != 0)
		return order;
	return (x->partition > y->partition) - (x->partition < y->partition);
}

const struct groups_entry *
groups_find(const struct groups *g, const char *group, int32_t partition)
{
	struct groups_entry key = {.group = group, .partition = partition};
	struct groups_entry **node = tfind(&key, &g->root, compare);

	return node == NULL || (*node)->offset < 0 ? NULL : *node;
}

static void
free_entry(void *p)
{
	struct groups_entry *e = p;

	free((char *)(uintptr_t)e->group);
	free((uint8_t *)(uintptr_t)e->metadata.data);
	free(e);
}

/* A copy of it; most clients have none. */
static int
set_metadata(struct groups_entry *e, struct bytes metadata)
{
	uint8_t *copy = NULL;

	if (metadata.len > 0) {
		copy = malloc((size_t)metadata.len);
		if (copy == NULL)
			return ENOMEM;
		memcpy(copy, metadata.data, (size_t)metadata.len);
	}
	free((uint8_t *)(uintptr_t)e->metadata.data);
	e->metadata = (struct bytes){copy, copy == NULL ? -1 : metadata.len};
	return 0;
}

/* Note what a record says; later ones win. */
static int
put_entry(struct groups *g, const struct groups_entry *said)
{
	struct groups_entry **node = tfind(said, &g->root, compare), *e;

	if (node == NULL) {
		if (g->count == GROUPS_ENTRIES_MAX)
			return STATUS_TOO_BIG;
		e = calloc(1, sizeof(*e));
		if (e == NULL)
			return ENOMEM;
		e->metadata = BYTES_NULL;
		e->group = strdup(said->group);
		e->partition = said->partition;
		if (e->group == NULL || tsearch(e, &g->root, compare) == NULL) {
			free_entry(e);
			return ENOMEM;
		}
		e->offset = -1;
		g->count++;
	} else {
		e = *node;
	}
	if ((e->offset < 0) != (said->offset < 0)) {
		free(g->sorted);
		g->sorted = NULL;
	}
	e->offset = said->offset;
	e->leader_epoch = said->leader_epoch;
	e->commit_ms = said->commit_ms;
	return set_metadata(e, said->metadata);
}

static void
collect(const void *node, VISIT visit, void *arg)
{
	struct groups *g = arg;
	struct groups_entry *e = *(struct groups_entry *const *)node;

	if ((visit == postorder || visit == leaf) && e->offset >= 0)
		g->sorted[g->sorted_count++] = e;
}

const struct groups_entry *
groups_at(struct groups *g, size_t i)
{
	if (g->sorted == NULL) {
		g->sorted = calloc(g->count + 1, sizeof(*g->sorted));
		if (g->sorted == NULL)
			return NULL;
		g->sorted_count = 0;
		twalk_r(g->root, collect, g);
	}
	return i < g->sorted_count ? g->sorted[i] : NULL;
}

/* --- records ------------------------------------------------------------- */

/* Other kinds of records, and what makes no sense, are passed over. */
static int
take_record(struct groups *g, const struct record *rec)
{
	char group[GROUPS_NAME_MAX + 1];
	struct groups_entry e = {.group = group};
	struct commit c;

	if (commit_decode(rec, &c) != 0 || c.group.len == 0 ||
	    c.group.len > GROUPS_NAME_MAX)
		return 0;
	memcpy(group, c.group.data, (size_t)c.group.len);
	group[c.group.len] = '\0';
	e.partition = c.partition;
	e.offset = c.offset;
	e.leader_epoch = c.leader_epoch;
	e.commit_ms = c.commit_ms;
	e.metadata = c.metadata;
	return put_entry(g, &e);
}

static int
read_on(struct groups *g, struct fault *f)
{
	struct batch_records it;
	const uint8_t *data;
	struct record rec;
	struct batch b;
	int rc;

	while ((rc = reader_next(g->r, &b, &data, f)) == 0 ||
	    rc == STATUS_OFFSET) {
		if (rc == STATUS_OFFSET)
			continue;
		rc = batch_records_init(&it, data, &b, &g->scratch);
		while (rc == 0 && (rc = batch_records_next(&it, &rec)) == 0)
			rc = take_record(g, &rec);
		if (rc == STATUS_CORRUPT)
			rc = reader_fault(g->r, &b, "records do not add up", f);
		if (rc != STATUS_END)
			return rc;
	}
	return rc == STATUS_END ? 0 : rc;
}

int
groups_refresh(struct groups *g, struct fault *f)
{
	int rc;

	if (g->r == NULL)
		return 0;
	rc = reader_refresh(g->r, f);
	return rc == 0 ? read_on(g, f) : rc;
}

/* --- opening ------------------------------------------------------------- */

/* The settings of the small partition that it is. */
static int
settings_of(struct properties *props)
{
	const char *why;
	int rc;

	properties_init(props);
	rc = properties_set(props, PROPERTIES_SEGMENT_BYTES, "1048576", &why);
	if (rc == 0)
		rc = properties_set(props, PROPERTIES_CLEANUP_POLICY, "compact",
		    &why);
	if (rc == 0)
		rc = properties_set(props, PROPERTIES_MAX_MESSAGE_BYTES,
		    "16777216", &why);
	return rc;
}

static int
make_directory(const struct topic *t)
{
	struct stat st;
	int fd = -1, rc;

	if (fstat(t->dirfd, &st) != 0)
		return errno;
	rc = io_mkdir(t->dirfd, GROUPS_DIR, access_dir_mode(st.st_mode));
	if (rc == EEXIST)
		return 0;
	if (rc == 0)
		rc = io_open(t->dirfd, GROUPS_DIR, O_RDONLY | O_DIRECTORY, 0,
		    &fd);
	if (rc == 0)
		rc = io_set_access(fd, access_dir_mode(st.st_mode), st.st_gid);
	if (rc == 0)
		rc = io_sync_dir(t->dirfd);
	(void)io_close(&fd);
	return rc;
}

int
groups_open(const char *path, const struct topic *t, bool write,
    struct groups **out, struct fault *f)
{
	struct groups *g = calloc(1, sizeof(*g));
	struct partition_settings settings;
	struct properties props;
	int rc;

	if (g == NULL)
		return ENOMEM;
	buf_init(&g->scratch, RECORDS_BYTES_MAX);
	batch_builder_init(&g->builder, CODEC_NONE, INT32_MIN, BATCH_BYTES);
	strlcpy(g->topic, t->name, sizeof(g->topic));
	snprintf(g->path, sizeof(g->path), "%s/%s", path, GROUPS_DIR);
	rc = settings_of(&props);
	if (rc == 0 && write)
		rc = make_directory(t);
	partition_settings_of(&props, &settings);
	if (rc == 0)
		rc = partition_open(g->path,
		    write ? PARTITION_WRITE : PARTITION_READ, &settings, &g->p,
		    f);
	if (rc == ENOENT && !write)
		rc = 0;
	if (rc == 0 && g->p != NULL)
		rc = reader_open(g->p, 0, 0, &g->r, f);
	if (rc == 0)
		rc = groups_refresh(g, f);
	if (rc != 0) {
		groups_close(g);
		return rc;
	}
	*out = g;
	return 0;
}

void
groups_close(struct groups *g)
{
	if (g == NULL)
		return;
	reader_close(g->r);
	partition_close(g->p);
	tdestroy(g->root, free_entry);
	free(g->sorted);
	buf_release(&g->scratch);
	batch_builder_release(&g->builder);
	free(g);
}

const char *
groups_path(const struct groups *g)
{
	return g->path;
}

int
groups_dirfd(const struct groups *g)
{
	return g->p == NULL ? -1 : partition_dirfd(g->p);
}

/* --- committing ---------------------------------------------------------- */

static int
add_entry(struct groups *g, const char *group, const struct groups_entry *e)
{
	struct commit c = {.group = bytes_of(group),
	    .topic = bytes_of(g->topic),
	    .partition = e->partition,
	    .offset = e->offset,
	    .leader_epoch = e->leader_epoch,
	    .commit_ms = e->commit_ms,
	    .metadata = e->metadata};
	struct record rec = {.timestamp = e->commit_ms, .value = BYTES_NULL};
	struct buf key, value;
	int rc;

	buf_init(&key, 1024);
	buf_init(&value, 64 + INT16_MAX);
	rc = commit_encode(&c, &key, &value);
	rec.key = (struct bytes){key.data, (int32_t)key.len};
	if (e->offset >= 0)
		rec.value = (struct bytes){value.data, (int32_t)value.len};
	if (rc == 0)
		rc = batch_builder_add(&g->builder, &rec);
	buf_release(&key);
	buf_release(&value);
	return rc;
}

/* Sealed segments are compacted now and then, by whoever commits. */
static void
tidy(struct groups *g)
{
	struct compact_options o;
	struct compact_stats stats;
	struct properties props;
	bool due = false;

	/* It is an extra: what fails here will be done by another. */
	if (settings_of(&props) != 0)
		return;
	compact_options_of(&props, now_wall_ms(), &o);
	o.memory = KEYS_BYTES;
	if (compact_is_due(g->p, &o, &due) == 0 && due)
		(void)compact_run(g->p, &o, &stats, NULL);
}

int
groups_commit(struct groups *g, const char *group,
    const struct groups_entry *entries, size_t count, struct fault *f)
{
	struct partition_append a = {.checked = true, .expect = -1};
	const uint8_t *data;
	size_t size;
	int rc = 0;

	if (count == 0)
		return 0;
	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct groups_entry e = entries[i];

		if (e.commit_ms <= 0)
			e.commit_ms = now_wall_ms();
		rc = add_entry(g, group, &e);
	}
	if (rc == 0)
		rc = batch_builder_finish(&g->builder, &data, &size);
	g->builder.count = 0;
	if (rc != 0)
		return rc;
	a.data = (uint8_t *)(uintptr_t)data;
	a.len = size;
	rc = partition_append(g->p, &a, f);
	if (rc == 0)
		rc = partition_sync(g->p, f);
	if (rc == 0 &&
	    a.base_offset / TIDY_RECORDS != a.end_offset / TIDY_RECORDS)
		tidy(g);
	return rc;
}
