#include "positions.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/status.h"
#include "config.h"
#include "store/groups.h"
#include "store/topic.h"

/*
 * Of one batch, about: below what a batch takes, also with one more commit, as
 * a request is bounded.
 */
enum { TOGETHER_BYTES = 256 << 10, ENTRY_BYTES = 1024 };

void
positions_init(struct positions *p)
{
	p->groups = NULL;
	p->writes = p->busy = false;
	pthread_mutex_init(&p->lock, NULL);
	pthread_mutex_init(&p->queue_lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	STAILQ_INIT(&p->queue);
}

void
positions_release(struct positions *p)
{
	groups_close(p->groups);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->queue_lock);
	pthread_mutex_destroy(&p->lock);
}

/* --- one at a time -------------------------------------------------------- */

static int
open_groups(struct positions *p, const char *path, bool writes)
{
	struct topic topic = {.dirfd = -1};
	struct fault f;
	int rc = topic_open(path, &topic, NULL);

	if (rc == 0 && !writes &&
	    faccessat(topic.dirfd, GROUPS_DIR, F_OK, 0) != 0)
		rc = STATUS_NO_TOPIC;
	if (rc == 0)
		rc = groups_open(path, &topic, writes, &p->groups, &f);
	p->writes = writes;
	topic_close(&topic);
	return rc;
}

int
positions_enter(struct positions *p, const char *path, bool writes,
    struct groups **out)
{
	struct fault f;
	int rc = 0;

	pthread_mutex_lock(&p->lock);
	if (p->groups != NULL && writes && !p->writes) {
		groups_close(p->groups);
		p->groups = NULL;
	}
	if (p->groups == NULL)
		rc = open_groups(p, path, writes);
	else
		rc = groups_refresh(p->groups, &f);
	if (rc == 0) {
		*out = p->groups;
		return 0;
	}
	groups_close(p->groups);
	p->groups = NULL;
	pthread_mutex_unlock(&p->lock);
	return rc;
}

void
positions_leave(struct positions *p)
{
	pthread_mutex_unlock(&p->lock);
}

/* --- many together -------------------------------------------------------- */

STAILQ_HEAD(commits, positions_commit);

static size_t
size_of(const struct positions_commit *c)
{
	size_t bytes = 0;

	for (size_t i = 0; i < c->count; i++)
		bytes += ENTRY_BYTES +
		    (size_t)(c->entries[i].metadata.len > 0
			    ? c->entries[i].metadata.len
			    : 0);
	return bytes;
}

/* The first of the queue, as many as go together; under its lock. */
static void
take(struct positions *p, struct commits *out)
{
	struct positions_commit *c;
	size_t bytes = 0;

	STAILQ_INIT(out);
	while ((c = STAILQ_FIRST(&p->queue)) != NULL) {
		bytes += size_of(c);
		if (!STAILQ_EMPTY(out) && bytes > TOGETHER_BYTES)
			break;
		STAILQ_REMOVE_HEAD(&p->queue, entry);
		STAILQ_INSERT_TAIL(out, c, entry);
	}
}

/* Memory does not grow without end by what clients make up. */
static int
check_room(const struct groups *g, const struct positions_commit *c)
{
	if (groups_bytes(g) < CONFIG_POSITIONS_BYTES)
		return 0;
	for (size_t i = 0; i < c->count; i++) {
		const struct groups_entry *e = &c->entries[i], *old;

		old = groups_find(g, c->group, e->partition);
		if (e->offset >= 0 &&
		    (old == NULL || e->metadata.len > old->metadata.len))
			return STATUS_TOO_BIG;
	}
	return 0;
}

static void
write_each(struct groups *g, struct commits *all)
{
	struct positions_commit *c;
	struct fault f;

	STAILQ_FOREACH(c, all, entry)
	if (c->rc == 0)
		c->rc = groups_commit(g, c->group, c->entries, c->count, &f);
}

/* What is wrong with one of them is not wrong with the others. */
static int
write_all(struct groups *g, struct commits *all)
{
	struct positions_commit *c;
	struct fault f;
	int rc = 0;

	STAILQ_FOREACH(c, all, entry)
	{
		c->rc = c->may(c->arg, g, c->group);
		if (c->rc == 0)
			c->rc = check_room(g, c);
		if (rc == 0 && c->rc == 0)
			rc = groups_add(g, c->group, c->entries, c->count);
	}
	if (rc == 0)
		return groups_write(g, &f);
	groups_drop(g);
	write_each(g, all);
	return 0;
}

static void
commit_all(struct positions *p, const char *path, struct commits *all)
{
	struct positions_commit *c;
	struct groups *g;
	int rc = positions_enter(p, path, true, &g);

	STAILQ_FOREACH(c, all, entry)
	c->rc = 0;
	if (rc == 0) {
		rc = write_all(g, all);
		positions_leave(p);
	}
	STAILQ_FOREACH(c, all, entry)
	if (c->rc == 0)
		c->rc = rc;
}

int
positions_commit(struct positions *p, const char *path,
    struct positions_commit *c)
{
	struct positions_commit *each;
	struct commits all;

	c->done = false;
	pthread_mutex_lock(&p->queue_lock);
	STAILQ_INSERT_TAIL(&p->queue, c, entry);
	while (p->busy && !c->done)
		pthread_cond_wait(&p->changed, &p->queue_lock);
	/* Nobody writes, and this one waits: it writes what there is. */
	while (!c->done) {
		p->busy = true;
		take(p, &all);
		pthread_mutex_unlock(&p->queue_lock);
		commit_all(p, path, &all);
		pthread_mutex_lock(&p->queue_lock);
		STAILQ_FOREACH(each, &all, entry)
		each->done = true;
		p->busy = false;
		pthread_cond_broadcast(&p->changed);
	}
	pthread_mutex_unlock(&p->queue_lock);
	return c->rc;
}
