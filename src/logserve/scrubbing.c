#include "scrubbing.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/bytes.h"
#include "base/io.h"
#include "base/now.h"
#include "base/status.h"
#include "catalog.h"
#include "config.h"
#include "server.h"
#include "store/root.h"
#include "store/scrub.h"
#include "store/segment.h"
#include "tell.h"

enum { NS = 1000000000 };

struct scrubbing {
	struct server *server;
	pthread_t thread;
	pthread_mutex_t lock;	/* of the next two */
	pthread_cond_t wake;
	bool stopping;
	int64_t free_ns;	/* when all that was read may have been */
	atomic_uint_fast64_t bytes, segments, damaged, rounds;
};

/* --- its pace ------------------------------------------------------------- */

/* ECANCELED: it is to stop. */
static int
wait_until(struct scrubbing *b, int64_t mono_ns)
{
	const struct timespec at = {.tv_sec = mono_ns / NS,
	    .tv_nsec = mono_ns % NS};
	int rc = 0;

	pthread_mutex_lock(&b->lock);
	while (!b->stopping && rc != ETIMEDOUT)
		rc = pthread_cond_timedwait(&b->wake, &b->lock, &at);
	rc = b->stopping ? ECANCELED : 0;
	pthread_mutex_unlock(&b->lock);
	return rc;
}

/* What was not read in the past is not made up for. */
static int
pace(void *arg, size_t bytes)
{
	struct scrubbing *b = arg;
	int64_t now = now_mono_ns();

	if (b->free_ns < now)
		b->free_ns = now;
	b->free_ns +=
	    (int64_t)((double)bytes * NS / (double)b->server->config->scrub);
	atomic_fetch_add(&b->bytes, bytes);
	return wait_until(b, b->free_ns);
}

/* --- a round -------------------------------------------------------------- */

static void
tell_damaged(const struct fault *f)
{
	struct tell t;

	tell_begin(&t, "damaged");
	tell_text(&t, "path", f->file);
	tell_number(&t, "position", f->pos);
	if (f->offset >= 0)
		tell_number(&t, "offset", f->offset);
	tell_text(&t, "what", f->what);
	tell_error(&t);
}

static void
tell_failed(const char *path, int64_t base, int rc)
{
	struct tell t;

	tell_begin(&t, "scrub failed");
	tell_text(&t, "path", path);
	tell_number(&t, "base", base);
	tell_text(&t, "why", status_text(rc));
	tell_error(&t);
}

/* ECANCELED; all else is told, and it goes on. */
static int
do_segment(struct scrubbing *b, const struct scrub *s)
{
	struct fault f = {.file = ""};
	int rc = scrub_segment(s, &f);

	if (rc == ECANCELED)
		return rc;
	atomic_fetch_add(&b->segments, 1);
	if (rc == STATUS_CORRUPT) {
		atomic_fetch_add(&b->damaged, 1);
		tell_damaged(&f);
	} else if (rc != 0) {
		tell_failed(s->path, s->base, rc);
	}
	return 0;
}

/* The last segment is not sealed. */
static int
do_partition(struct scrubbing *b, const char *path)
{
	struct scrub s = {.dirfd = -1, .path = path, .pace = pace, .arg = b};
	struct segment_list l = {NULL, 0};
	int rc = io_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0, &s.dirfd);

	if (rc == 0)
		rc = segment_list_read(s.dirfd, ".log", &l);
	for (size_t i = 0; rc == 0 && i + 1 < l.count; i++) {
		s.base = l.bases[i];
		rc = do_segment(b, &s);
	}
	segment_list_release(&l);
	(void)io_close(&s.dirfd);
	return rc == ECANCELED ? rc : 0;
}

static int
do_topic(struct scrubbing *b, const char *name)
{
	struct catalog *catalog = b->server->catalog;
	char topic[PATH_MAX], path[PATH_MAX + 16];
	struct served *t;
	int32_t partitions;
	int rc = 0;

	if (catalog_find(catalog, bytes_of(name), &t) != 0)
		return 0;
	catalog_look(catalog, t, &partitions, NULL);
	catalog_release(catalog, t);
	catalog_path(catalog, name, topic);
	for (int32_t n = 0; rc == 0 && n < partitions; n++) {
		snprintf(path, sizeof(path), "%s/%d", topic, (int)n);
		rc = do_partition(b, path);
	}
	return rc;
}

/* A server that is started often does not begin with the same each time. */
static int
do_round(struct scrubbing *b)
{
	struct root_list l;
	size_t first;
	int rc = 0;

	if (root_read(catalog_root(b->server->catalog), &l) != 0)
		return 0;
	first = l.count == 0 ? 0 : (size_t)now_wall_ms() % l.count;
	for (size_t i = 0; rc == 0 && i < l.count; i++)
		rc = do_topic(b, l.names[(first + i) % l.count]);
	root_list_release(&l);
	if (rc == 0)
		atomic_fetch_add(&b->rounds, 1);
	return rc;
}

static void *
run(void *arg)
{
	struct scrubbing *b = arg;
	int64_t begun;

	do
		begun = now_mono_ns();
	while (do_round(b) == 0 &&
	    wait_until(b, begun + (int64_t)CONFIG_SCRUB_MS * 1000000) == 0);
	return NULL;
}

/* --- its life ------------------------------------------------------------- */

static int
start(struct scrubbing *b)
{
	sigset_t all, old;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	rc = pthread_create(&b->thread, NULL, run, b);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}

static void
release(struct scrubbing *b)
{
	pthread_cond_destroy(&b->wake);
	pthread_mutex_destroy(&b->lock);
	free(b);
}

int
scrubbing_open(struct server *s, struct scrubbing **out)
{
	struct scrubbing *b;
	pthread_condattr_t attr;
	int rc;

	*out = NULL;
	if (s->config->scrub == 0)
		return 0;
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return ENOMEM;
	b->server = s;
	pthread_mutex_init(&b->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&b->wake, &attr);
	pthread_condattr_destroy(&attr);
	rc = start(b);
	if (rc != 0) {
		release(b);
		return rc;
	}
	*out = b;
	return 0;
}

void
scrubbing_close(struct scrubbing *b)
{
	if (b == NULL)
		return;
	pthread_mutex_lock(&b->lock);
	b->stopping = true;
	pthread_cond_signal(&b->wake);
	pthread_mutex_unlock(&b->lock);
	pthread_join(b->thread, NULL);
	release(b);
}

void
scrubbing_counters(struct scrubbing *b, struct scrubbing_counters *out)
{
	*out = (struct scrubbing_counters){0};
	if (b != NULL)
		*out = (struct scrubbing_counters){.bytes = b->bytes,
		    .segments = b->segments,
		    .damaged = b->damaged,
		    .rounds = b->rounds};
}
