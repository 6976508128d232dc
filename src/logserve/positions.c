#include "positions.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/now.h"
#include "base/status.h"
#include "config.h"
#include "store/groups.h"
#include "store/topic.h"
#include "tell.h"

/*
 * Of one batch, about: below what a batch takes, also with one more commit, as
 * a request is bounded.
 */
enum { TOGETHER_BYTES = 256 << 10, ENTRY_BYTES = 1024 };

/* Nobody looks at them, and nobody writes. */
static bool
shed(void *arg)
{
	struct positions *p = arg;
	bool idle = false;

	if (pthread_mutex_trylock(&p->lock) != 0)
		return false;
	if (pthread_mutex_trylock(&p->queue_lock) == 0) {
		idle = !p->busy;
		if (idle) {
			groups_close(p->groups);
			groups_close(p->writer);
			p->groups = p->writer = NULL;
		}
		pthread_mutex_unlock(&p->queue_lock);
	}
	pthread_mutex_unlock(&p->lock);
	return idle;
}

void
positions_init(struct positions *p, struct handles *handles)
{
	p->handles = handles;
	handles_init(&p->handle, shed, p);
	p->groups = p->writer = NULL;
	p->busy = p->stuck = false;
	pthread_mutex_init(&p->lock, NULL);
	pthread_mutex_init(&p->queue_lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	STAILQ_INIT(&p->queue);
}

void
positions_release(struct positions *p)
{
	handles_remove(p->handles, &p->handle);
	groups_close(p->groups);
	groups_close(p->writer);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->queue_lock);
	pthread_mutex_destroy(&p->lock);
}

/* --- one at a time -------------------------------------------------------- */

static int
open_groups(struct positions *p, const char *path)
{
	struct topic topic = {.dirfd = -1};
	struct fault f;
	int rc = topic_open(path, &topic, NULL);

	if (rc == 0 && faccessat(topic.dirfd, GROUPS_DIR, F_OK, 0) != 0)
		rc = STATUS_NO_TOPIC;
	if (rc == 0)
		rc = groups_open(path, &topic, false, &p->groups, &f);
	if (rc == 0)
		handles_add(p->handles, &p->handle);
	topic_close(&topic);
	return rc;
}

int
positions_enter(struct positions *p, const char *path, struct groups **out)
{
	struct fault f;
	int rc;

	pthread_mutex_lock(&p->lock);
	atomic_store(&p->handle.used, true);
	rc = p->groups == NULL ? open_groups(p, path)
			       : groups_refresh(p->groups, &f);
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

/* What each of them is told before it is written; 0: all may be asked. */
static int
judge_all(struct positions *p, const char *path, struct commits *all)
{
	struct positions_commit *c;
	struct groups *known;
	int rc = positions_enter(p, path, &known);

	if (rc != 0)
		return rc;
	STAILQ_FOREACH(c, all, entry)
	{
		c->rc = c->may(c->arg, known, c->group);
		if (c->rc == 0)
			c->rc = check_room(known, c);
	}
	positions_leave(p);
	return 0;
}

static int
open_writer(struct positions *p, const char *path)
{
	struct topic topic = {.dirfd = -1};
	struct fault f;
	int rc;

	if (p->writer != NULL)
		return 0;
	rc = topic_open(path, &topic, NULL);
	if (rc == 0)
		rc = groups_open_writer(path, &topic, &p->writer, &f);
	if (rc == 0)
		handles_add(p->handles, &p->handle);
	topic_close(&topic);
	return rc;
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
	if (rc == 0 && c->rc == 0)
		rc = groups_add(g, c->group, c->entries, c->count);
	if (rc == 0)
		return groups_write(g, &f);
	groups_drop(g);
	write_each(g, all);
	return 0;
}

/* What is said is how it was for those that might be written. */
static int
commit_all(struct positions *p, const char *path, struct commits *all)
{
	struct positions_commit *c;
	int rc = open_writer(p, path);

	STAILQ_FOREACH(c, all, entry)
	c->rc = 0;
	if (rc == 0)
		rc = judge_all(p, path, all);
	if (rc == 0) {
		groups_wait_until(p->writer, now_mono_ms() + CONFIG_COMMIT_MS);
		rc = write_all(p->writer, all);
	}
	if (rc != 0 && rc != EAGAIN) {
		/* The next one opens it anew. */
		groups_close(p->writer);
		p->writer = NULL;
	}
	STAILQ_FOREACH(c, all, entry)
	if (c->rc == 0)
		c->rc = rc;
	return rc;
}

/* They are done; under the lock. */
static void
end_all(struct commits *all)
{
	struct positions_commit *c;

	STAILQ_FOREACH(c, all, entry)
	c->done = true;
}

/* Who has come meanwhile would wait for as long, in vain: under the lock. */
static void
refuse_queue(struct positions *p)
{
	struct positions_commit *c;

	STAILQ_FOREACH(c, &p->queue, entry)
	{
		c->rc = EAGAIN;
		c->done = true;
	}
	STAILQ_INIT(&p->queue);
}

/* Whoever runs the server is told, once until it works again. */
static void
tell_stuck(const char *path)
{
	struct tell t;

	tell_begin(&t, "commit failed");
	tell_text(&t, "path", path);
	tell_text(&t, "why", "another process has its lock");
	tell_error(&t);
}

/* Write what there is, as nobody else does; under the lock. */
static void
write_round(struct positions *p, const char *path)
{
	struct commits all;
	int rc;

	p->busy = true;
	take(p, &all);
	pthread_mutex_unlock(&p->queue_lock);
	rc = commit_all(p, path, &all);
	pthread_mutex_lock(&p->queue_lock);
	end_all(&all);
	if (rc == EAGAIN && !p->stuck)
		tell_stuck(path);
	p->stuck = rc == EAGAIN;
	if (p->stuck)
		refuse_queue(p);
	p->busy = false;
	pthread_cond_broadcast(&p->changed);
}

/* They come one behind the other, so the last is done last. */
static void
add_all(struct positions *p, struct positions_commit *commits, size_t count)
{
	bool refused = p->busy && p->stuck;

	for (size_t i = 0; i < count; i++) {
		commits[i].done = refused;
		commits[i].rc = EAGAIN;
		if (!refused)
			STAILQ_INSERT_TAIL(&p->queue, &commits[i], entry);
	}
}

void
positions_commit(struct positions *p, const char *path,
    struct positions_commit *commits, size_t count)
{
	const struct positions_commit *last = commits + count - 1;

	if (count == 0)
		return;
	pthread_mutex_lock(&p->queue_lock);
	add_all(p, commits, count);
	while (p->busy && !last->done)
		pthread_cond_wait(&p->changed, &p->queue_lock);
	while (!last->done)
		write_round(p, path);
	pthread_mutex_unlock(&p->queue_lock);
}

bool
positions_is_busy(struct positions *p)
{
	bool busy;

	if (pthread_mutex_trylock(&p->queue_lock) != 0)
		return false;
	busy = p->busy;
	pthread_mutex_unlock(&p->queue_lock);
	return busy;
}
