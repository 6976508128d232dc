#include "store/groups.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/now.h"
#include "base/status.h"
#include "store/commit.h"
#include "store/keyed.h"
#include "store/record.h"
#include "store/topic.h"

enum { ENTRY_OVERHEAD = 100 };	/* of the tree, and of malloc(3) */

struct groups {
	char topic[TOPIC_NAME_MAX + 1];
	struct keyed *records;
	void *root;		/* tsearch(3), of struct groups_entry */
	size_t count;
	size_t bytes;		/* of names and metadata */
	struct groups_entry **sorted;	/* for groups_at(); NULL: stale */
	size_t sorted_count;		/* of those not forgotten */
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
set_metadata(struct groups *g, struct groups_entry *e, struct bytes metadata)
{
	uint8_t *copy = NULL;

	if (metadata.len > 0) {
		copy = malloc((size_t)metadata.len);
		if (copy == NULL)
			return ENOMEM;
		memcpy(copy, metadata.data, (size_t)metadata.len);
	}
	if (e->metadata.len > 0)
		g->bytes -= (size_t)e->metadata.len;
	if (copy != NULL)
		g->bytes += (size_t)metadata.len;
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
		g->bytes += strlen(e->group) + 1;
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
	return set_metadata(g, e, said->metadata);
}

size_t
groups_bytes(const struct groups *g)
{
	return g->bytes +
	    g->count * (sizeof(struct groups_entry) + ENTRY_OVERHEAD);
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

size_t
groups_first(struct groups *g, const char *group)
{
	size_t low = 0, high = groups_at(g, 0) == NULL ? 0 : g->sorted_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (strcmp(g->sorted[mid]->group, group) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* --- records ------------------------------------------------------------- */

/* Other kinds of records, and what makes no sense, are passed over. */
static int
take_record(void *arg, const struct record *rec)
{
	struct groups *g = arg;
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

int
groups_refresh(struct groups *g, struct fault *f)
{
	return keyed_refresh(g->records, f);
}

/* --- opening ------------------------------------------------------------- */

static int
open_with(const char *path, const struct topic *t, enum partition_mode mode,
    keyed_take *take, struct groups **out, struct fault *f)
{
	struct groups *g = calloc(1, sizeof(*g));
	char directory[PATH_MAX];
	int rc;

	if (g == NULL)
		return ENOMEM;
	strlcpy(g->topic, t->name, sizeof(g->topic));
	snprintf(directory, sizeof(directory), "%s/%s", path, GROUPS_DIR);
	rc = keyed_open(t->dirfd, directory, mode, take, g, &g->records, f);
	if (rc != 0) {
		groups_close(g);
		return rc;
	}
	*out = g;
	return 0;
}

int
groups_open(const char *path, const struct topic *t, bool write,
    struct groups **out, struct fault *f)
{
	return open_with(path, t, write ? PARTITION_WRITE : PARTITION_READ,
	    take_record, out, f);
}

int
groups_open_writer(const char *path, const struct topic *t, struct groups **out,
    struct fault *f)
{
	return open_with(path, t, PARTITION_WRITE, NULL, out, f);
}

void
groups_wait_until(struct groups *g, int64_t until_ms)
{
	keyed_wait_until(g->records, until_ms);
}

void
groups_close(struct groups *g)
{
	if (g == NULL)
		return;
	keyed_close(g->records);
	tdestroy(g->root, free_entry);
	free(g->sorted);
	free(g);
}

const char *
groups_path(const struct groups *g)
{
	return keyed_path(g->records);
}

int
groups_dirfd(const struct groups *g)
{
	return keyed_dirfd(g->records);
}

int
groups_open_dir(const char *path, bool make, int *fd)
{
	int topicfd = -1;
	int rc = io_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &topicfd);

	*fd = -1;
	if (rc == 0)
		rc =
		    io_open(topicfd, GROUPS_DIR, O_RDONLY | O_DIRECTORY, 0, fd);
	if (rc == ENOENT && make && topicfd >= 0) {
		rc = keyed_make_directory(topicfd, GROUPS_DIR);
		if (rc == 0)
			rc = io_open(topicfd, GROUPS_DIR,
			    O_RDONLY | O_DIRECTORY, 0, fd);
	}
	(void)io_close(&topicfd);
	return rc;
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
		rc = keyed_add(g->records, &rec);
	buf_release(&key);
	buf_release(&value);
	return rc;
}

int
groups_add(struct groups *g, const char *group,
    const struct groups_entry *entries, size_t count)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < count; i++) {
		struct groups_entry e = entries[i];

		if (e.commit_ms <= 0)
			e.commit_ms = now_wall_ms();
		rc = add_entry(g, group, &e);
	}
	return rc;
}

int
groups_write(struct groups *g, struct fault *f)
{
	return keyed_write(g->records, f);
}

void
groups_drop(struct groups *g)
{
	keyed_drop(g->records);
}

int
groups_commit(struct groups *g, const char *group,
    const struct groups_entry *entries, size_t count, struct fault *f)
{
	int rc = groups_add(g, group, entries, count);

	if (rc == 0)
		return groups_write(g, f);
	groups_drop(g);
	return rc;
}
