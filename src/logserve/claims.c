#include "claims.h"

#include <sys/queue.h>
#include <sys/tree.h>

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/status.h"
#include "catalog.h"
#include "store/member.h"
#include "store/topic.h"
#include "tell.h"

/* A topic that a group holds. */
struct claim {
	struct wire_uuid id;
	int fd;
	bool kept;		/* by the sweep */
	RB_ENTRY(claim) entry;
	size_t len;
	char topic[TOPIC_NAME_MAX + 1];
};

RB_HEAD(topics, claim);

/* A group that holds something, or that somebody is about to join. */
struct holder {
	char group[GROUPS_NAME_MAX + 1];
	struct topics topics;
	size_t count;
	size_t joining;
	bool marked;
	RB_ENTRY(holder) entry;
	TAILQ_ENTRY(holder) mark;
};

RB_HEAD(holders, holder);

struct claims {
	struct catalog *catalog;
	size_t max;
	pthread_mutex_t lock;	/* of the rest */
	struct holders holders;
	TAILQ_HEAD(, holder) marked;
	size_t count;
	struct holder *swept;	/* NULL: no sweep */
	size_t kept;		/* of what it holds */
};

static int
compare_topics(const struct claim *a, const struct claim *b)
{
	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	return memcmp(a->topic, b->topic, a->len);
}

static int
compare_holders(const struct holder *a, const struct holder *b)
{
	return strcmp(a->group, b->group);
}

RB_GENERATE_INTERNAL(topics, claim, entry, compare_topics,
    __attribute__((unused)) static)
RB_GENERATE_INTERNAL(holders, holder, entry, compare_holders,
    __attribute__((unused)) static)

int
claims_new(struct catalog *catalog, size_t max, struct claims **out)
{
	struct claims *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return ENOMEM;
	c->catalog = catalog;
	c->max = max;
	pthread_mutex_init(&c->lock, NULL);
	RB_INIT(&c->holders);
	TAILQ_INIT(&c->marked);
	*out = c;
	return 0;
}

/* --- under the lock ------------------------------------------------------- */

static struct holder *
find_holder(struct claims *c, const char *group)
{
	struct holder key;

	strlcpy(key.group, group, sizeof(key.group));
	return RB_FIND(holders, &c->holders, &key);
}

static struct claim *
find_claim(struct holder *h, struct bytes topic)
{
	struct claim key;

	if (topic.len <= 0 || topic.len > TOPIC_NAME_MAX)
		return NULL;
	key.len = (size_t)topic.len;
	memcpy(key.topic, topic.data, key.len);
	return RB_FIND(topics, &h->topics, &key);
}

static void
drop(struct claims *c, struct holder *h, struct claim *a)
{
	RB_REMOVE(topics, &h->topics, a);
	h->count--;
	c->count--;
	(void)io_close(&a->fd);
	free(a);
}

static void
unmark(struct claims *c, struct holder *h)
{
	if (h->marked)
		TAILQ_REMOVE(&c->marked, h, mark);
	h->marked = false;
}

static void
mark(struct claims *c, struct holder *h)
{
	if (!h->marked)
		TAILQ_INSERT_TAIL(&c->marked, h, mark);
	h->marked = true;
}

/* Nobody needs what it holds. */
static void
drop_all(struct claims *c, struct holder *h)
{
	struct claim *a;

	while ((a = RB_ROOT(&h->topics)) != NULL)
		drop(c, h, a);
	unmark(c, h);
	RB_REMOVE(holders, &c->holders, h);
	free(h);
}

static bool
is_of(const struct claim *a, const struct served *t)
{
	return a != NULL && memcmp(&a->id, &t->id, sizeof(a->id)) == 0;
}

static void
tell_refused(const char *group, const char *topic, int rc)
{
	struct tell t;

	tell_begin(&t, "group refused");
	tell_text(&t, "group", group);
	tell_text(&t, "topic", topic);
	tell_text(&t, "why",
	    rc == EBUSY ? "local programs read the topic with -g; end them, "
			  "or use another group"
		: rc == EAGAIN ? "another server has it, or logadmin(1) "
				 "changes it"
			       : status_text(rc));
	tell_error(&t);
}

/* Why somebody else has it: EBUSY, EAGAIN. */
static int
find_reason(const char *group, int dirfd)
{
	bool local = false;
	int rc = member_any(dirfd, group, &local);

	return rc != 0 ? rc : local ? EBUSY : EAGAIN;
}

/* The topic in whose directory of groups dirfd is; and none of its name. */
static int
hold(struct claims *c, struct holder *h, const struct served *t, int dirfd)
{
	struct claim *a = find_claim(h, bytes_of(t->name));
	int rc;

	if (is_of(a, t))
		return 0;
	if (a != NULL)
		drop(c, h, a);
	if (c->count >= c->max)
		return EMFILE;
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		return ENOMEM;
	rc = member_claim(dirfd, h->group, &a->fd);
	if (rc != 0) {
		free(a);
		return rc == EBUSY ? find_reason(h->group, dirfd) : rc;
	}
	a->id = t->id;
	a->len = strlcpy(a->topic, t->name, sizeof(a->topic));
	RB_INSERT(topics, &h->topics, a);
	h->count++;
	c->count++;
	return 0;
}

/* --- joining -------------------------------------------------------------- */

int
claims_begin(struct claims *c, const char *group)
{
	struct holder *h;

	pthread_mutex_lock(&c->lock);
	h = find_holder(c, group);
	if (h == NULL && (h = calloc(1, sizeof(*h))) != NULL) {
		strlcpy(h->group, group, sizeof(h->group));
		RB_INIT(&h->topics);
		RB_INSERT(holders, &c->holders, h);
	}
	if (h != NULL)
		h->joining++;
	pthread_mutex_unlock(&c->lock);
	return h == NULL ? ENOMEM : 0;
}

void
claims_end(struct claims *c, const char *group, bool used, bool failed)
{
	struct holder *h;

	pthread_mutex_lock(&c->lock);
	h = find_holder(c, group);
	h->joining--;
	if (used && failed)
		mark(c, h);
	if (!used && h->joining == 0)
		drop_all(c, h);
	pthread_mutex_unlock(&c->lock);
}

void
claims_drop(struct claims *c, const char *group)
{
	struct holder *h;

	pthread_mutex_lock(&c->lock);
	h = find_holder(c, group);
	if (h != NULL && h->joining == 0)
		drop_all(c, h);
	pthread_mutex_unlock(&c->lock);
}

void
claims_free(struct claims *c)
{
	struct holder *h;

	if (c == NULL)
		return;
	while ((h = RB_ROOT(&c->holders)) != NULL)
		drop_all(c, h);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static bool
is_held(struct claims *c, const char *group, const struct served *t)
{
	struct holder *h;
	bool held;

	pthread_mutex_lock(&c->lock);
	h = find_holder(c, group);
	held = h != NULL && is_of(find_claim(h, bytes_of(t->name)), t);
	pthread_mutex_unlock(&c->lock);
	return held;
}

static int
take(struct claims *c, const char *group, const struct served *t)
{
	char path[PATH_MAX];
	int fd = -1, rc;

	catalog_path(c->catalog, t->name, path);
	rc = groups_open_dir(path, true, &fd);
	if (rc == 0) {
		pthread_mutex_lock(&c->lock);
		rc = hold(c, find_holder(c, group), t, fd);
		pthread_mutex_unlock(&c->lock);
	}
	(void)io_close(&fd);
	return rc;
}

static int
look(struct claims *c, const char *group, const struct served *t)
{
	char path[PATH_MAX];
	bool local = false;
	int fd = -1, rc;

	catalog_path(c->catalog, t->name, path);
	rc = groups_open_dir(path, false, &fd);
	if (rc == 0)
		rc = member_any(fd, group, &local);
	(void)io_close(&fd);
	if (rc == 0 && local)
		return EBUSY;
	return rc == ENOENT ? 0 : rc;
}

static int
with_topic(struct claims *c, const char *group, struct bytes topic,
    int (*fn)(struct claims *c, const char *group, const struct served *t))
{
	struct served *t;
	int rc = 0;

	if (catalog_find(c->catalog, topic, &t) != 0)
		return 0;
	if (!is_held(c, group, t))
		rc = fn(c, group, t);
	/* Where nothing can be written, no local program commits either. */
	if (rc == EACCES || rc == EROFS)
		rc = 0;
	if (rc != 0)
		tell_refused(group, t->name, rc);
	catalog_release(c->catalog, t);
	return rc;
}

int
claims_take(struct claims *c, const char *group, struct bytes topic)
{
	return with_topic(c, group, topic, take);
}

int
claims_look(struct claims *c, const char *group, struct bytes topic)
{
	return with_topic(c, group, topic, look);
}

/* --- committing ----------------------------------------------------------- */

int
claims_check(struct claims *c, const char *group, const struct served *t,
    int groups_dirfd)
{
	struct holder *h;
	bool any = false, named;
	int rc = 0;

	pthread_mutex_lock(&c->lock);
	h = find_holder(c, group);
	named = h != NULL && find_claim(h, bytes_of(t->name)) != NULL;
	if (named)
		rc = hold(c, h, t, groups_dirfd);
	pthread_mutex_unlock(&c->lock);
	if (!named)
		rc = member_any(groups_dirfd, group, &any);
	return rc == 0 && any ? EBUSY : rc;
}

/* --- the sweep ------------------------------------------------------------ */

void
claims_mark(struct claims *c, const char *group)
{
	struct holder *h;

	pthread_mutex_lock(&c->lock);
	h = find_holder(c, group);
	if (h != NULL)
		mark(c, h);
	pthread_mutex_unlock(&c->lock);
}

bool
claims_sweep_begin(struct claims *c, char group[GROUPS_NAME_MAX + 1])
{
	struct holder *h;
	struct claim *a;

	pthread_mutex_lock(&c->lock);
	TAILQ_FOREACH(h, &c->marked, mark)
		if (h->joining == 0)
			break;
	if (h == NULL) {
		pthread_mutex_unlock(&c->lock);
		return false;
	}
	unmark(c, h);
	c->swept = h;
	c->kept = 0;
	RB_FOREACH(a, topics, &h->topics)
	a->kept = false;
	strlcpy(group, h->group, GROUPS_NAME_MAX + 1);
	return true;
}

bool
claims_sweep_keep(struct claims *c, struct bytes topic)
{
	struct claim *a = find_claim(c->swept, topic);

	if (a != NULL && !a->kept) {
		a->kept = true;
		c->kept++;
	}
	return c->kept == c->swept->count;
}

void
claims_sweep_keep_all(struct claims *c)
{
	c->kept = c->swept->count;
}

void
claims_sweep_end(struct claims *c)
{
	struct holder *h = c->swept;
	struct claim *a, *next;

	if (c->kept < h->count)
		RB_FOREACH_SAFE(a, topics, &h->topics, next)
	if (!a->kept)
		drop(c, h, a);
	c->swept = NULL;
	pthread_mutex_unlock(&c->lock);
}
