#include "upkeep.h"

#include <sys/queue.h>

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/bytes.h"
#include "base/cli.h"
#include "base/now.h"
#include "base/status.h"
#include "catalog.h"
#include "net/loop.h"
#include "net/pool.h"
#include "net/spare.h"
#include "server.h"
#include "store/compact.h"
#include "store/partition.h"
#include "store/retain.h"
#include "store/root.h"
#include "tell.h"

enum {
	RATE_STEP = 1 << 20,	/* bytes between looks at the clock */
};

/* What is read for upkeep is read from one device by one thread. */
struct device {
	struct upkeep *upkeep;
	dev_t number;
	struct task task;
	bool busy;		/* handed to the pool, or running */
	TAILQ_HEAD(, served) topics; /* that wait; with a reference */
	/* Of the task alone: */
	size_t read;		/* since the last look at the clock */
	int64_t free_ns;	/* when all that was read may have been */
	SLIST_ENTRY(device) entry;
};

struct upkeep {
	struct server *server;
	struct task look;
	struct task sweep;
	struct loop_timer *timer;	/* on the first loop */
	pthread_mutex_t lock;	/* of the rest */
	pthread_cond_t wake;	/* it is to stop */
	bool stopping;
	SLIST_HEAD(, device) devices;
};

static bool
is_stopping(struct upkeep *u)
{
	bool stopping;

	pthread_mutex_lock(&u->lock);
	stopping = u->stopping;
	pthread_mutex_unlock(&u->lock);
	return stopping;
}

/* --- its pace ------------------------------------------------------------- */

/* Wait until then, or until it is to stop: ECANCELED. */
static int
wait_until(struct upkeep *u, int64_t mono_ns)
{
	const struct timespec at = {.tv_sec = mono_ns / 1000000000,
	    .tv_nsec = mono_ns % 1000000000};
	int rc = 0;

	pthread_mutex_lock(&u->lock);
	while (!u->stopping && rc != ETIMEDOUT)
		rc = pthread_cond_timedwait(&u->wake, &u->lock, &at);
	rc = u->stopping ? ECANCELED : 0;
	pthread_mutex_unlock(&u->lock);
	return rc;
}

/* What was not read in the past is not made up for. */
static int
pace(void *arg, size_t bytes)
{
	struct device *d = arg;
	int64_t now;

	d->read += bytes;
	if (d->read < RATE_STEP)
		return is_stopping(d->upkeep) ? ECANCELED : 0;
	now = now_mono_ns();
	if (d->free_ns < now)
		d->free_ns = now;
	d->free_ns += (int64_t)d->read * 1000 / (CONFIG_UPKEEP_RATE / 1000000);
	d->read = 0;
	return wait_until(d->upkeep, d->free_ns);
}

/* --- a partition ---------------------------------------------------------- */

/* What is to be done with a partition; with a reference to its topic. */
struct chore {
	struct device *device;
	struct served *topic;
	int32_t number;
	struct properties settings;	/* of the topic, as of now */
	struct partition *p;
	struct fault f;
};

static int
retain(struct chore *c)
{
	struct retain_options o;
	struct retain_stats stats;
	struct tell t;
	int rc;

	retain_options_of(&c->settings, now_wall_ms(), &o);
	if (o.retention_ms < 0 && o.retention_bytes < 0)
		return 0;
	o.pace = pace;
	o.pace_arg = c->device;
	rc = retain_run(c->p, &o, &stats, &c->f);
	if (rc != 0 || stats.segments == 0 || cli_verbose == 0)
		return rc;
	tell_begin(&t, "retention");
	tell_partition(&t, c->topic->name, c->number);
	tell_number(&t, "segments", stats.segments);
	tell_number(&t, "bytes", stats.bytes);
	tell_number(&t, "log_start", stats.log_start);
	tell_end(&t);
	return 0;
}

static void
tell_compacted(const struct chore *c, const struct compact_stats *s,
    int64_t took_ms)
{
	struct tell t;

	tell_begin(&t, "compaction");
	tell_partition(&t, c->topic->name, c->number);
	tell_number(&t, "segments", s->segments);
	tell_number(&t, "segments_left", s->segments_left);
	tell_number(&t, "bytes", s->bytes);
	tell_number(&t, "bytes_left", s->bytes_left);
	tell_number(&t, "records", s->records);
	tell_number(&t, "records_left", s->records_left);
	tell_number(&t, "keys", s->keys);
	tell_number(&t, "passes", s->passes);
	tell_number(&t, "ms", took_ms);
	tell_end(&t);
}

static int
compact(struct chore *c)
{
	int64_t begun = now_mono_ms();
	struct compact_options o;
	struct compact_stats stats;
	bool due = false;
	int rc;

	compact_options_of(&c->settings, now_wall_ms(), &o);
	o.memory = CONFIG_UPKEEP_KEYS_BYTES;
	o.pace = pace;
	o.pace_arg = c->device;
	rc = compact_is_due(c->p, &o, &due);
	if (rc != 0 || !due)
		return rc;
	rc = compact_run(c->p, &o, &stats, &c->f);
	if (rc == 0 && cli_verbose > 0)
		tell_compacted(c, &stats, now_mono_ms() - begun);
	return rc;
}

/*
 * Is the topic still what its name leads to?  Another one of that name has
 * settings of its own.
 */
static int
is_current(struct chore *c)
{
	struct catalog *catalog = c->device->upkeep->server->catalog;
	struct served *now;
	bool same;
	int rc = catalog_find(catalog, bytes_of(c->topic->name), &now);

	if (rc != 0)
		return rc;
	same = now == c->topic;
	catalog_release(catalog, now);
	return same ? 0 : STATUS_NO_TOPIC;
}

static int
open_partition(struct chore *c)
{
	struct partition_settings settings;
	enum state_role role;
	char topic[PATH_MAX], path[PATH_MAX + 16];
	int rc;

	catalog_path(c->device->upkeep->server->catalog, c->topic->name, topic);
	snprintf(path, sizeof(path), "%s/%d", topic, (int)c->number);
	partition_settings_of(&c->settings, &settings);
	rc = partition_open(path, PARTITION_WRITE, &settings, &c->p, &c->f);
	if (rc == 0)
		rc = partition_role(c->p, &role);
	if (rc == 0 && role != STATE_ROLE_OPEN)
		rc = STATUS_ROLE;
	/* What is open now is of this topic, whatever comes. */
	return rc == 0 ? is_current(c) : rc;
}

static int
do_partition(struct chore *c)
{
	struct catalog *catalog = c->device->upkeep->server->catalog;
	int64_t policy;
	int rc = is_current(c);

	if (rc != 0)
		return rc;
	catalog_look(catalog, c->topic, NULL, &c->settings);
	policy = properties_int(&c->settings, PROPERTIES_CLEANUP_POLICY);
	if ((policy & PROPERTIES_COMPACT) == 0 &&
	    properties_int(&c->settings, PROPERTIES_RETENTION_MS) < 0 &&
	    properties_int(&c->settings, PROPERTIES_RETENTION_BYTES) < 0)
		return 0;
	rc = open_partition(c);
	if (rc == 0 && (policy & PROPERTIES_DELETE) != 0)
		rc = retain(c);
	if (rc == 0 && (policy & PROPERTIES_COMPACT) != 0)
		rc = compact(c);
	partition_close(c->p);
	return rc;
}

/* What is not an error: it has gone, others have it, or it is to stop. */
static bool
is_expected(int rc)
{
	return rc == 0 || rc == ECANCELED || rc == EAGAIN || rc == ENOENT ||
	    rc == STATUS_NO_TOPIC || rc == STATUS_REMOVED || rc == STATUS_ROLE;
}

static void
tell_failed(const struct chore *c, int rc)
{
	struct tell t;

	tell_begin(&t, "upkeep failed");
	tell_partition(&t, c->topic->name, c->number);
	if (c->f.file[0] != '\0') {
		tell_text(&t, "file", c->f.file);
		tell_number(&t, "pos", c->f.pos);
		tell_number(&t, "offset", c->f.offset);
		tell_text(&t, "what", c->f.what);
	}
	tell_text(&t, "why", status_text(rc));
	tell_error(&t);
}

/* An error is told when it is new; the topic is tried again each time. */
static void
do_topic(struct device *d, struct served *t, int32_t first, int32_t last)
{
	struct upkeep *u = d->upkeep;
	int32_t partitions;
	int worst = 0;

	catalog_look(u->server->catalog, t, &partitions, NULL);
	for (int32_t n = first; n <= last && n < partitions; n++) {
		struct chore c = {.device = d, .topic = t, .number = n};
		int rc = is_stopping(u) ? ECANCELED : do_partition(&c);

		if (rc == ECANCELED)
			return;
		if (is_expected(rc))
			continue;
		if (rc != t->upkeep.failed || cli_verbose > 0)
			tell_failed(&c, rc);
		worst = rc;
	}
	if (worst != 0 || first == 0)
		t->upkeep.failed = worst;
}

/* --- the devices ---------------------------------------------------------- */

/* The next topic, which is not queued any more; NULL: none. */
static struct served *
take_topic(struct device *d, int32_t *first, int32_t *last)
{
	struct upkeep *u = d->upkeep;
	struct served *t;

	pthread_mutex_lock(&u->lock);
	t = TAILQ_FIRST(&d->topics);
	if (t != NULL) {
		TAILQ_REMOVE(&d->topics, t, upkeep.entry);
		t->upkeep.waits = false;
		*first = t->upkeep.first;
		*last = t->upkeep.last;
	} else {
		d->busy = false;
	}
	pthread_mutex_unlock(&u->lock);
	return t;
}

static void
work(void *arg)
{
	struct device *d = arg;
	struct served *t;
	int32_t first, last;

	while ((t = take_topic(d, &first, &last)) != NULL) {
		do_topic(d, t, first, last);
		catalog_release(d->upkeep->server->catalog, t);
	}
}

/* Under the lock. */
static struct device *
find_device(struct upkeep *u, dev_t number)
{
	struct device *d;

	SLIST_FOREACH(d, &u->devices, entry)
		if (d->number == number)
			return d;
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		return NULL;
	d->upkeep = u;
	d->number = number;
	TAILQ_INIT(&d->topics);
	task_init(&d->task, work, d);
	SLIST_INSERT_HEAD(&u->devices, d, entry);
	return d;
}

/* Under the lock. */
static void
queue(struct upkeep *u, struct served *t, dev_t number, int32_t first,
    int32_t last)
{
	struct device *d;

	if (t->upkeep.waits) {
		if (first < t->upkeep.first)
			t->upkeep.first = first;
		if (last > t->upkeep.last)
			t->upkeep.last = last;
		return;
	}
	d = find_device(u, number);
	/* Without memory the next look does it. */
	if (d == NULL)
		return;
	t->upkeep.waits = true;
	t->upkeep.first = first;
	t->upkeep.last = last;
	(void)catalog_retain(t);
	TAILQ_INSERT_TAIL(&d->topics, t, upkeep.entry);
	if (!d->busy)
		pool_run(u->server->pool, &d->task);
	d->busy = true;
}

static int
add_topic(struct upkeep *u, struct served *t, int32_t first, int32_t last)
{
	char path[PATH_MAX];
	struct stat st;
	int rc = 0;

	catalog_path(u->server->catalog, t->name, path);
	if (stat(path, &st) != 0)
		return 0;
	pthread_mutex_lock(&u->lock);
	if (u->stopping)
		rc = ECANCELED;
	else
		queue(u, t, st.st_dev, first, last);
	pthread_mutex_unlock(&u->lock);
	return rc;
}

void
upkeep_partition(struct upkeep *u, struct served *t, int32_t number)
{
	if (u != NULL)
		(void)add_topic(u, t, number, number);
}

/* --- all topics ----------------------------------------------------------- */

static int
add_whole(struct served *t, void *arg)
{
	return add_topic(arg, t, 0, INT32_MAX);
}

static void
look(void *arg)
{
	struct upkeep *u = arg;
	struct tell t;
	int rc;

	spare_trim();
	rc = catalog_each(u->server->catalog, add_whole, u);
	if (rc == 0 || rc == ECANCELED)
		return;
	tell_begin(&t, "upkeep failed");
	tell_text(&t, "root", catalog_root(u->server->catalog));
	tell_text(&t, "why", status_text(rc));
	tell_error(&t);
}

/* What removals that were interrupted have left; once. */
static void
sweep(void *arg)
{
	struct upkeep *u = arg;

	root_sweep(catalog_root(u->server->catalog));
}

void
upkeep_look(struct upkeep *u)
{
	if (u != NULL)
		pool_run(u->server->pool, &u->look);
}

/* On the loop. */
static void
on_timer(void *arg)
{
	struct upkeep *u = arg;

	upkeep_look(u);
	loop_timer_set(u->timer, CONFIG_UPKEEP_MS);
}

/* --- its life ------------------------------------------------------------- */

static void
start_timer(void *arg)
{
	struct upkeep *u = arg;

	if (loop_timer_open(u->server->loops[0], on_timer, u, &u->timer) == 0)
		loop_timer_set(u->timer, CONFIG_UPKEEP_FIRST_MS);
}

static void
stop_timer(void *arg)
{
	struct upkeep *u = arg;

	if (u->timer != NULL)
		loop_timer_close(u->timer);
	u->timer = NULL;
}

int
upkeep_open(struct server *s, struct upkeep **out)
{
	struct upkeep *u = calloc(1, sizeof(*u));
	pthread_condattr_t attr;

	if (u == NULL)
		return ENOMEM;
	u->server = s;
	SLIST_INIT(&u->devices);
	task_init(&u->look, look, u);
	task_init(&u->sweep, sweep, u);
	pthread_mutex_init(&u->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&u->wake, &attr);
	pthread_condattr_destroy(&attr);
	loop_call(s->loops[0], start_timer, u);
	if (u->timer == NULL) {
		upkeep_close(u);
		return ENOMEM;
	}
	pool_run(s->pool, &u->sweep);
	*out = u;
	return 0;
}

void
upkeep_stop(struct upkeep *u)
{
	if (u == NULL)
		return;
	loop_call(u->server->loops[0], stop_timer, u);
	pthread_mutex_lock(&u->lock);
	u->stopping = true;
	pthread_cond_broadcast(&u->wake);
	pthread_mutex_unlock(&u->lock);
}

void
upkeep_close(struct upkeep *u)
{
	struct device *d;

	if (u == NULL)
		return;
	while ((d = SLIST_FIRST(&u->devices)) != NULL) {
		SLIST_REMOVE_HEAD(&u->devices, entry);
		free(d);
	}
	pthread_cond_destroy(&u->wake);
	pthread_mutex_destroy(&u->lock);
	free(u);
}
