#include "ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/io.h"
#include "base/status.h"
#include "base/view.h"
#include "home.h"
#include "kafka/messages.h"
#include "store/groups.h"
#include "store/keyed.h"
#include "store/record.h"

enum {
	KEY_VERSION = 2,
	VALUE_VERSION = 3,
	/* No group has more, and a batch of the partition takes it. */
	VALUE_MAX = 8 << 20,
	DAY_MS = 86400000,
};

struct kept {
	char *group;		/* owned */
	uint8_t *value;		/* owned */
	size_t len;
};

struct ledger {
	struct keyed *records;
	void *root;		/* tsearch(3), of struct kept */
	size_t bytes;		/* of all values and names */
	struct kept **sorted;	/* NULL: stale */
	size_t count;		/* of sorted */
	size_t total;
};

static int
compare(const void *a, const void *b)
{
	const struct kept *x = a, *y = b;

	return strcmp(x->group, y->group);
}

static size_t
size_of(const struct kept *k)
{
	return sizeof(*k) + strlen(k->group) + k->len;
}

static void
free_kept(void *p)
{
	struct kept *k = p;

	free(k->group);
	free(k->value);
	free(k);
}

static struct kept *
find(const struct ledger *l, const char *group)
{
	struct kept key = {.group = (char *)(uintptr_t)group};
	struct kept **node = tfind(&key, &l->root, compare);

	return node == NULL ? NULL : *node;
}

static void
forget(struct ledger *l, const char *group)
{
	struct kept *k = find(l, group);

	if (k == NULL)
		return;
	(void)tdelete(k, &l->root, compare);
	l->bytes -= size_of(k);
	l->total--;
	free_kept(k);
	free(l->sorted);
	l->sorted = NULL;
}

/* Over the bound it is not known, and its group begins anew. */
static int
remember(struct ledger *l, const char *group, struct bytes value)
{
	struct kept *k;

	forget(l, group);
	k = calloc(1, sizeof(*k));
	if (k == NULL)
		return ENOMEM;
	k->group = strdup(group);
	k->len = (size_t)value.len;
	k->value = malloc(k->len + 1);
	if (k->group == NULL || k->value == NULL) {
		free_kept(k);
		return ENOMEM;
	}
	memcpy(k->value, value.data, k->len);
	if (size_of(k) > LEDGER_BYTES_MAX - l->bytes ||
	    tsearch(k, &l->root, compare) == NULL) {
		free_kept(k);
		return 0;
	}
	l->bytes += size_of(k);
	l->total++;
	return 0;
}

/* --- records -------------------------------------------------------------- */

/* The name in a key; false: it is of another kind. */
static bool
name_of(const struct record *rec, char group[GROUPS_NAME_MAX + 1])
{
	struct view v = {rec->key.data, (size_t)rec->key.len}, name;
	uint16_t version, len;

	if (rec->key.len <= 0 || view_get_16(&v, &version) != 0 ||
	    version != KEY_VERSION || view_get_16(&v, &len) != 0 ||
	    len > GROUPS_NAME_MAX || view_get(&v, len, &name) != 0)
		return false;
	memcpy(group, name.data, len);
	group[len] = '\0';
	return strlen(group) == len && groups_is_name(group);
}

static int
take_record(void *arg, const struct record *rec)
{
	char group[GROUPS_NAME_MAX + 1];
	struct ledger *l = arg;

	if (!name_of(rec, group))
		return 0;
	if (bytes_is_null(rec->value)) {
		forget(l, group);
		return 0;
	}
	return remember(l, group, rec->value);
}

static int
decode(const struct kept *k, struct arena *arena,
    struct group_metadata_record *out)
{
	struct view v = {k->value, k->len};
	uint16_t version;

	if (view_get_16(&v, &version) != 0 || version > VALUE_VERSION)
		return STATUS_SYNTAX;
	return wire_decode(&messages_group_metadata_record, version, &v, arena,
	    out);
}

int
ledger_find(struct ledger *l, const char *group, struct arena *arena,
    struct group_metadata_record *out)
{
	const struct kept *k = find(l, group);

	return k == NULL ? ENOENT : decode(k, arena, out);
}

static void
collect(const void *node, VISIT visit, void *arg)
{
	struct ledger *l = arg;

	if (visit == postorder || visit == leaf)
		l->sorted[l->count++] = *(struct kept *const *)node;
}

const char *
ledger_at(struct ledger *l, size_t i)
{
	if (l->sorted == NULL) {
		l->sorted = calloc(l->total + 1, sizeof(struct kept *));
		if (l->sorted == NULL)
			return NULL;
		l->count = 0;
		twalk_r(l->root, collect, l);
	}
	return i < l->count ? l->sorted[i]->group : NULL;
}

/* --- writing -------------------------------------------------------------- */

static int
encode(struct bytes group, const struct group_metadata_record *r,
    struct buf *key, struct buf *value)
{
	int rc = buf_add_16(key, KEY_VERSION);

	if (rc == 0)
		rc = buf_add_16(key, (uint16_t)group.len);
	if (rc == 0)
		rc = buf_add(key, group.data, (size_t)group.len);
	if (rc != 0 || r == NULL)
		return rc;
	rc = buf_add_16(value, VALUE_VERSION);
	if (rc == 0)
		rc = wire_encode(&messages_group_metadata_record, VALUE_VERSION,
		    r, value, NULL);
	return rc;
}

int
ledger_put(struct ledger *l, struct bytes group,
    const struct group_metadata_record *r)
{
	struct record rec = {.value = BYTES_NULL};
	struct buf key, value;
	int rc;

	buf_init(&key, 4 + GROUPS_NAME_MAX);
	buf_init(&value, VALUE_MAX);
	rc = encode(group, r, &key, &value);
	rec.key = (struct bytes){key.data, (int32_t)key.len};
	if (r != NULL) {
		rec.value = (struct bytes){value.data, (int32_t)value.len};
		rec.timestamp = r->current_state_timestamp;
	}
	if (rc == 0)
		rc = keyed_add(l->records, &rec);
	buf_release(&key);
	buf_release(&value);
	return rc;
}

int
ledger_write(struct ledger *l)
{
	struct fault f;

	return keyed_write(l->records, &f);
}

int
ledger_refresh(struct ledger *l)
{
	struct fault f;

	return keyed_refresh(l->records, &f);
}

/* --- its life ------------------------------------------------------------- */

static bool
is_expired(const struct kept *k, int64_t now_ms)
{
	struct group_metadata_record r;
	struct arena arena;
	bool expired;

	arena_init(&arena, VALUE_MAX);
	expired = decode(k, &arena, &r) != 0 ||
	    (r.members_count == 0 &&
		r.current_state_timestamp <
		    now_ms - (int64_t)LEDGER_EMPTY_DAYS * DAY_MS);
	arena_release(&arena);
	return expired;
}

int
ledger_expire(struct ledger *l, int64_t now_ms)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && ledger_at(l, i) != NULL; i++)
		if (is_expired(l->sorted[i], now_ms))
			rc = ledger_put(l, bytes_of(l->sorted[i]->group), NULL);
	if (rc == 0)
		rc = ledger_write(l);
	return rc == 0 ? ledger_refresh(l) : rc;
}

int
ledger_open(const struct home *home, int64_t now_ms, struct ledger **out)
{
	struct ledger *l = calloc(1, sizeof(*l));
	char path[PATH_MAX];
	struct fault f;
	int fd = -1, rc;

	if (l == NULL)
		return ENOMEM;
	rc = io_open(AT_FDCWD, home->path, O_RDONLY | O_DIRECTORY, 0, &fd);
	if (snprintf(path, sizeof(path), "%s/groups", home->path) >= PATH_MAX)
		rc = ENAMETOOLONG;
	if (rc == 0)
		rc = keyed_open(fd, path, PARTITION_WRITE_RELAXED, take_record,
		    l, &l->records, &f);
	(void)io_close(&fd);
	if (rc == 0)
		rc = ledger_expire(l, now_ms);
	if (rc != 0) {
		ledger_close(l);
		return rc;
	}
	*out = l;
	return 0;
}

void
ledger_close(struct ledger *l)
{
	struct fault f;

	if (l == NULL)
		return;
	if (l->records != NULL)
		(void)keyed_sync(l->records, &f);
	keyed_close(l->records);
	tdestroy(l->root, free_kept);
	free(l->sorted);
	free(l);
}

const char *
ledger_path(const struct ledger *l)
{
	return keyed_path(l->records);
}
