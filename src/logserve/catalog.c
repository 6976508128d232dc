#include "catalog.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/siphash.h"
#include "base/status.h"
#include "handles.h"
#include "log.h"
#include "net/pool.h"
#include "omitted.h"
#include "store/groups.h"
#include "store/root.h"
#include "tell.h"

RB_HEAD(catalog_names, served);
RB_HEAD(catalog_ids, served);

struct catalog {
	char *root;
	int dirfd;
	bool read_only;
	struct pool *pool;
	struct waiting *waiting;
	struct handles *handles;
	pthread_mutex_t lock;	/* of the trees, and of what topics have */
	pthread_mutex_t making;	/* topics are made one at a time */
	pthread_mutex_t listing;	/* of listed */
	bool listed;		/* all topics that there were are known */
	struct catalog_names names;
	struct catalog_ids ids;
	struct omitted omitted;	/* under the lock */
};

/* What whoever runs the server is told, when the lock is let go of. */
struct news {
	enum { NEWS_NONE, NEWS_NOTE, NEWS_ERROR } kind;
	struct tell line;
};

static int
compare_names(const struct served *a, const struct served *b)
{
	return strcmp(a->name, b->name);
}

static int
compare_ids(const struct served *a, const struct served *b)
{
	return memcmp(&a->id, &b->id, sizeof(a->id));
}

RB_PROTOTYPE(catalog_names, served, by_name, compare_names);
RB_PROTOTYPE(catalog_ids, served, by_id, compare_ids);
RB_GENERATE(catalog_names, served, by_name, compare_names);
RB_GENERATE(catalog_ids, served, by_id, compare_ids);

bool
catalog_id_of_text(const char *text, struct wire_uuid *out)
{
	return topic_id_bytes(text, out->bytes);
}

void
catalog_path(const struct catalog *c, const char *name, char *out)
{
	snprintf(out, PATH_MAX, "%s/%s", c->root, name);
}

const char *
catalog_root(const struct catalog *c)
{
	return c->root;
}

int
catalog_open(const char *root, bool read_only, size_t open_logs,
    struct pool *pool, struct waiting *waiting, struct catalog **out)
{
	struct catalog *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL)
		return ENOMEM;
	c->dirfd = -1;
	c->read_only = read_only;
	c->pool = pool;
	c->waiting = waiting;
	RB_INIT(&c->names);
	RB_INIT(&c->ids);
	omitted_init(&c->omitted);
	pthread_mutex_init(&c->lock, NULL);
	pthread_mutex_init(&c->making, NULL);
	pthread_mutex_init(&c->listing, NULL);
	c->handles = handles_new(open_logs);
	rc = c->handles == NULL ? ENOMEM : 0;
	c->root = realpath(root, NULL);
	if (rc == 0 && c->root == NULL)
		rc = errno;
	if (rc == 0)
		rc = io_open(AT_FDCWD, c->root, O_RDONLY | O_DIRECTORY, 0,
		    &c->dirfd);
	if (rc != 0) {
		catalog_close(c);
		return rc;
	}
	*out = c;
	return 0;
}

/* --- a topic's life ------------------------------------------------------- */

static void
free_served(struct served *t)
{
	for (int32_t i = 0; i < t->log_count; i++)
		log_free(t->logs[i]);
	positions_release(&t->positions);
	free(t->logs);
	free(t);
}

struct served *
catalog_retain(struct served *t)
{
	atomic_fetch_add(&t->references, 1);
	return t;
}

void
catalog_release(struct catalog *c, struct served *t)
{
	(void)c;
	if (t != NULL && atomic_fetch_sub(&t->references, 1) == 1)
		free_served(t);
}

static void
free_aside(void *arg)
{
	free_served(arg);
}

void
catalog_release_aside(struct catalog *c, struct served *t)
{
	if (t == NULL || atomic_fetch_sub(&t->references, 1) != 1)
		return;
	task_init(&t->freeing, free_aside, t);
	pool_run(c->pool, &t->freeing);
}

/* Take it out of the trees; under the lock.  Its logs refuse from now on. */
static void
drop(struct catalog *c, struct served *t)
{
	RB_REMOVE(catalog_names, &c->names, t);
	RB_REMOVE(catalog_ids, &c->ids, t);
	for (int32_t i = 0; i < t->log_count; i++)
		if (t->logs[i] != NULL)
			log_remove(t->logs[i]);
	catalog_release(c, t);
}

void
catalog_close(struct catalog *c)
{
	struct served *t;

	if (c == NULL)
		return;
	while ((t = RB_MIN(catalog_names, &c->names)) != NULL)
		drop(c, t);
	omitted_release(&c->omitted);
	pthread_mutex_destroy(&c->lock);
	pthread_mutex_destroy(&c->making);
	pthread_mutex_destroy(&c->listing);
	handles_free(c->handles);
	(void)io_close(&c->dirfd);
	free(c->root);
	free(c);
}

static bool
is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	    a->st_size == b->st_size && a->st_mtime == b->st_mtime &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Under the lock: what the file says now. */
static int
take_in(struct served *t, const struct topic *topic, const struct stat *file)
{
	struct log **logs;

	if (topic->partitions > t->log_count) {
		logs = reallocarray(t->logs, (size_t)topic->partitions,
		    sizeof(struct log *));
		if (logs == NULL)
			return ENOMEM;
		for (int32_t i = t->log_count; i < topic->partitions; i++)
			logs[i] = NULL;
		t->logs = logs;
		t->log_count = topic->partitions;
	}
	t->partitions = topic->partitions;
	t->settings = topic->settings;
	atomic_store(&t->wants_replicas,
	    properties_int(&t->settings, PROPERTIES_MIN_INSYNC_REPLICAS) > 1);
	t->file = *file;
	for (int32_t i = 0; i < t->log_count; i++)
		if (t->logs[i] != NULL)
			log_set(t->logs[i], &t->settings);
	return 0;
}

static int
stat_file(const struct catalog *c, const char *name, struct stat *out)
{
	char file[TOPIC_NAME_MAX + sizeof("/" TOPIC_FILE)];

	snprintf(file, sizeof(file), "%s/%s", name, TOPIC_FILE);
	return fstatat(c->dirfd, file, out, 0);
}

/* --- what stands under a name --------------------------------------------- */

/* Under the lock, as all that follows: it is not served. */
static void
leave_out(struct catalog *c, const char *name, int rc, const struct fault *f,
    const char *same_as, struct news *news)
{
	if (rc == STATUS_NO_TOPIC || !omitted_add(&c->omitted, name, rc))
		return;
	news->kind = NEWS_ERROR;
	tell_begin(&news->line, "left out");
	tell_text(&news->line, "topic", name);
	tell_text(&news->line, "same_as", same_as);
	if (f->file[0] != '\0') {
		tell_text(&news->line, "file", f->file);
		tell_number(&news->line, "pos", f->pos);
		tell_text(&news->line, "what", f->what);
	}
	tell_text(&news->line, "why",
	    rc == STATUS_EXISTS ? "it has the id of that topic"
				: status_text(rc));
}

static bool
is_link(const struct catalog *c, const char *name)
{
	struct stat st;

	return fstatat(c->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISLNK(st.st_mode);
}

/*
 * Who has that id under another name: NULL, or it keeps it.  A link gives way
 * to what is none, and what is not there any more to all.
 */
static struct served *
owner(struct catalog *c, const char *name, const struct wire_uuid *id,
    struct news *news)
{
	static const struct fault none = {.file = ""};
	struct served key = {.id = *id};
	struct served *t = RB_FIND(catalog_ids, &c->ids, &key);
	struct stat st;

	if (t == NULL || strcmp(t->name, name) == 0)
		return NULL;
	if (stat_file(c, t->name, &st) == 0) {
		if (is_link(c, name) || !is_link(c, t->name))
			return t;
		leave_out(c, t->name, STATUS_EXISTS, &none, name, news);
	}
	drop(c, t);
	return NULL;
}

/* Is it a link to another topic of this root? */
static bool
is_alias(const struct catalog *c, const char *name, const struct topic *topic,
    const struct stat *file)
{
	struct stat st;

	return strcmp(name, topic->name) != 0 &&
	    stat_file(c, topic->name, &st) == 0 && st.st_dev == file->st_dev &&
	    st.st_ino == file->st_ino;
}

static int
add(struct catalog *c, const char *name, const struct topic *topic,
    const struct wire_uuid *id, const struct stat *file, struct served **out)
{
	struct served *t = calloc(1, sizeof(*t));
	int rc;

	if (t == NULL)
		return ENOMEM;
	strlcpy(t->name, name, sizeof(t->name));
	t->id = *id;
	positions_init(&t->positions, c->handles);
	atomic_init(&t->references, 1);
	rc = take_in(t, topic, file);
	if (rc != 0) {
		free_served(t);
		return rc;
	}
	RB_INSERT(catalog_ids, &c->ids, t);
	RB_INSERT(catalog_names, &c->names, t);
	*out = t;
	return 0;
}

/* Of a copy whose file keeps the id of its model: the same at each start. */
static void
derive_id(const struct topic *topic, struct wire_uuid *id)
{
	uint64_t key[2];
	struct siphash h;

	memcpy(key, id->bytes, sizeof(key));
	h = siphash_128(key, topic->name, strlen(topic->name));
	memcpy(id->bytes, &h, sizeof(id->bytes));
	/* Its text does not begin with -, as no id of Kafka's does. */
	id->bytes[0] &= 0x7f;
}

/* A copy gets an id of its own, unless nothing may be written here. */
static int
identify(struct catalog *c, struct topic *topic, struct wire_uuid *id,
    bool is_new, struct news *news)
{
	char model[TOPIC_NAME_MAX + 1];
	int rc = EROFS;

	if (strcmp(topic->made_as, topic->name) == 0)
		return catalog_id_of_text(topic->id, id) ? 0 : STATUS_CORRUPT;
	strlcpy(model, topic->made_as, sizeof(model));
	if (!c->read_only)
		rc = topic_adopt(topic, NULL);
	if (!catalog_id_of_text(topic->id, id))
		return STATUS_CORRUPT;
	if (rc != 0)
		derive_id(topic, id);
	if (rc == 0 || is_new) {
		news->kind = NEWS_NOTE;
		tell_begin(&news->line, "copy");
		tell_text(&news->line, "topic", topic->name);
		tell_text(&news->line, "made_as", model);
		if (rc != 0 && !c->read_only)
			tell_text(&news->line, "why", status_text(rc));
	}
	return 0;
}

/* STATUS_EXISTS: it is no topic of its own, but *same_as. */
static int
read_topic(struct catalog *c, const char *name, const struct stat *file,
    bool is_new, struct topic *topic, struct wire_uuid *id,
    const char **same_as, struct fault *fault, struct news *news)
{
	struct served *other;
	char path[PATH_MAX];
	int rc;

	catalog_path(c, name, path);
	rc = topic_open(path, topic, fault);
	if (rc == 0 && is_alias(c, name, topic, file)) {
		*same_as = topic->name;
		return STATUS_EXISTS;
	}
	if (rc == 0)
		rc = identify(c, topic, id, is_new, news);
	if (rc != 0)
		return rc;
	other = owner(c, name, id, news);
	*same_as = other != NULL ? other->name : NULL;
	return other != NULL ? STATUS_EXISTS : 0;
}

/* Look at what is there under that name now. */
static int
refresh(struct catalog *c, const char *name, struct served **t,
    const struct stat *file, struct news *news)
{
	struct topic topic = {.dirfd = -1};
	struct fault fault = {.file = ""};
	const char *same_as = NULL;
	struct stat now = *file;
	struct wire_uuid id;
	int rc = read_topic(c, name, file, *t == NULL, &topic, &id, &same_as,
	    &fault, news);

	if (rc == 0 && fstatat(topic.dirfd, TOPIC_FILE, &now, 0) != 0)
		rc = STATUS_NO_TOPIC;
	if (*t != NULL &&
	    (rc != 0 || memcmp(&(*t)->id, &id, sizeof(id)) != 0)) {
		drop(c, *t);
		*t = NULL;
	}
	if (rc == 0)
		rc = *t != NULL ? take_in(*t, &topic, &now)
				: add(c, name, &topic, &id, &now, t);
	if (rc == 0)
		omitted_remove(&c->omitted, name);
	else
		leave_out(c, name, rc, &fault, same_as, news);
	topic_close(&topic);
	if (rc == STATUS_EXISTS)
		return STATUS_NO_TOPIC;
	/* It is the file that is wrong, not the name. */
	return rc == STATUS_SYNTAX ? STATUS_CORRUPT : rc;
}

static int
find(struct catalog *c, const char *name, struct served **out)
{
	struct news news = {.kind = NEWS_NONE};
	struct served key, *t;
	struct stat st;
	int rc = 0;

	strlcpy(key.name, name, sizeof(key.name));
	pthread_mutex_lock(&c->lock);
	t = RB_FIND(catalog_names, &c->names, &key);
	if (stat_file(c, name, &st) != 0) {
		rc = STATUS_NO_TOPIC;
		if (t != NULL)
			drop(c, t);
		omitted_remove(&c->omitted, name);
	} else if (t == NULL || !is_same_file(&t->file, &st)) {
		rc = refresh(c, name, &t, &st, &news);
	}
	if (rc == 0)
		*out = catalog_retain(t);
	pthread_mutex_unlock(&c->lock);
	if (news.kind == NEWS_NOTE)
		tell_end(&news.line);
	else if (news.kind == NEWS_ERROR)
		tell_error(&news.line);
	return rc;
}

bool
catalog_name(struct bytes name, char out[TOPIC_NAME_MAX + 1])
{
	if (name.len <= 0 || name.len > TOPIC_NAME_MAX)
		return false;
	memcpy(out, name.data, (size_t)name.len);
	out[name.len] = '\0';
	return strlen(out) == (size_t)name.len && topic_is_name(out);
}

int
catalog_find(struct catalog *c, struct bytes name, struct served **out)
{
	char text[TOPIC_NAME_MAX + 1];

	if (!catalog_name(name, text))
		return STATUS_SYNTAX;
	return find(c, text, out);
}

/* The name that the id had when it was looked at last. */
static bool
name_of_id(struct catalog *c, const struct wire_uuid *id,
    char name[TOPIC_NAME_MAX + 1])
{
	struct served key = {.id = *id}, *t;

	pthread_mutex_lock(&c->lock);
	t = RB_FIND(catalog_ids, &c->ids, &key);
	if (t != NULL)
		strlcpy(name, t->name, TOPIC_NAME_MAX + 1);
	pthread_mutex_unlock(&c->lock);
	return t != NULL;
}

static int
nothing(struct served *t, void *arg)
{
	(void)t;
	(void)arg;
	return 0;
}

/*
 * Clients know ids from before we began, of topics that nobody has named since:
 * look at all of them, once.
 */
static void
list_once(struct catalog *c)
{
	pthread_mutex_lock(&c->listing);
	if (!c->listed && catalog_each(c, nothing, NULL) == 0)
		c->listed = true;
	pthread_mutex_unlock(&c->listing);
}

int
catalog_find_id(struct catalog *c, const struct wire_uuid *id,
    struct served **out)
{
	char name[TOPIC_NAME_MAX + 1];
	int rc;

	if (!name_of_id(c, id, name)) {
		list_once(c);
		if (!name_of_id(c, id, name))
			return STATUS_NO_TOPIC;
	}
	rc = find(c, name, out);
	if (rc == 0 && memcmp(&(*out)->id, id, sizeof(*id)) != 0) {
		catalog_release(c, *out);
		rc = STATUS_NO_TOPIC;
	}
	return rc;
}

/* Under the lock. */
static struct served *
known(struct catalog *c, struct bytes name, const struct wire_uuid *id)
{
	struct served key;

	if (bytes_is_null(name) && id != NULL) {
		key.id = *id;
		return RB_FIND(catalog_ids, &c->ids, &key);
	}
	return catalog_name(name, key.name)
	    ? RB_FIND(catalog_names, &c->names, &key)
	    : NULL;
}

int
catalog_known(struct catalog *c, struct bytes name, const struct wire_uuid *id,
    int32_t number, struct served **out, struct log **log)
{
	struct served *t;
	struct stat st;
	int rc = EAGAIN;

	/* Who has it may be reading what a topic's file says. */
	if (pthread_mutex_trylock(&c->lock) != 0)
		return EAGAIN;
	t = known(c, name, id);
	if (t != NULL && number >= 0 && number < t->partitions &&
	    t->logs[number] != NULL && stat_file(c, t->name, &st) == 0 &&
	    is_same_file(&t->file, &st)) {
		rc = 0;
		*out = catalog_retain(t);
		*log = t->logs[number];
	}
	pthread_mutex_unlock(&c->lock);
	return rc;
}

void
catalog_look(struct catalog *c, struct served *t, int32_t *partitions,
    struct properties *settings)
{
	pthread_mutex_lock(&c->lock);
	if (partitions != NULL)
		*partitions = t->partitions;
	if (settings != NULL)
		*settings = t->settings;
	pthread_mutex_unlock(&c->lock);
}

int
catalog_log(struct catalog *c, struct served *t, int32_t number,
    struct log **out)
{
	char path[PATH_MAX];
	int rc = 0;

	pthread_mutex_lock(&c->lock);
	if (number < 0 || number >= t->partitions) {
		rc = STATUS_NO_TOPIC;
	} else if (t->logs[number] == NULL) {
		catalog_path(c, t->name, path);
		t->logs[number] = log_new(path, number, &t->settings, c->pool,
		    c->handles, c->waiting);
		if (t->logs[number] == NULL)
			rc = ENOMEM;
	}
	if (rc == 0)
		*out = t->logs[number];
	pthread_mutex_unlock(&c->lock);
	return rc;
}

int
catalog_each(struct catalog *c, int (*fn)(struct served *t, void *arg),
    void *arg)
{
	struct root_list list;
	struct served *t;
	int rc = root_read(c->root, &list);

	if (rc != 0)
		return rc;
	for (size_t i = 0; rc == 0 && i < list.count; i++) {
		if (find(c, list.names[i], &t) != 0)
			continue;
		rc = fn(t, arg);
		catalog_release(c, t);
	}
	root_list_release(&list);
	return rc;
}

static void
each_busy_of(const struct catalog *c, struct served *t,
    void (*fn)(const char *path))
{
	char path[PATH_MAX];

	for (int32_t i = 0; i < t->log_count; i++)
		if (t->logs[i] != NULL && log_is_busy(t->logs[i]))
			fn(t->logs[i]->path);
	if (!positions_is_busy(&t->positions))
		return;
	snprintf(path, sizeof(path), "%s/%s/" GROUPS_DIR, c->root, t->name);
	fn(path);
}

void
catalog_each_busy(struct catalog *c, void (*fn)(const char *path))
{
	struct served *t;

	if (pthread_mutex_trylock(&c->lock) != 0)
		return;
	RB_FOREACH(t, catalog_names, &c->names)
	each_busy_of(c, t, fn);
	pthread_mutex_unlock(&c->lock);
}

/* --- changes -------------------------------------------------------------- */

int
catalog_create(struct catalog *c, const char *name,
    const struct properties *settings, int32_t partitions, struct served **out)
{
	char path[PATH_MAX];
	int rc;

	if (!topic_is_name(name))
		return STATUS_SYNTAX;
	catalog_path(c, name, path);
	pthread_mutex_lock(&c->making);
	rc = topic_create(path, settings, partitions, 0777);
	pthread_mutex_unlock(&c->making);
	return rc == 0 ? find(c, name, out) : rc;
}

int
catalog_remove(struct catalog *c, struct served *t)
{
	char path[PATH_MAX];
	struct served *again;
	int rc;

	catalog_path(c, t->name, path);
	rc = topic_remove(path);
	/* Sees that it is gone. */
	if (find(c, t->name, &again) == 0)
		catalog_release(c, again);
	return rc;
}
