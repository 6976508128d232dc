#include "client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/pool.h"
#include "replica.h"
#include "server.h"

struct client *
client_retain(struct client *c)
{
	atomic_fetch_add(&c->references, 1);
	return c;
}

/* What it has open is closed where that may take long. */
static void
free_client(void *arg)
{
	struct client *c = arg;

	replica_free(c);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

void
client_release(struct client *c)
{
	if (atomic_fetch_sub(&c->references, 1) != 1)
		return;
	if (c->replica == NULL) {
		free_client(c);
		return;
	}
	task_init(&c->task, free_client, c);
	pool_run(c->server->pool, &c->task);
}

static struct task *
next_task(struct client *c)
{
	struct task *t;

	pthread_mutex_lock(&c->lock);
	t = TAILQ_FIRST(&c->ordered);
	if (t != NULL) {
		TAILQ_REMOVE(&c->ordered, t, entry);
		t->queued = false;
	} else {
		c->running = false;
	}
	pthread_mutex_unlock(&c->lock);
	return t;
}

static void
run_ordered(void *arg)
{
	struct client *c = arg;
	struct task *t;

	while ((t = next_task(c)) != NULL)
		t->call(t->arg);
	client_release(c);
}

struct client *
client_new(struct server *s)
{
	struct client *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->server = s;
	atomic_init(&c->references, 1);
	pthread_mutex_init(&c->lock, NULL);
	TAILQ_INIT(&c->ordered);
	task_init(&c->task, run_ordered, c);
	return c;
}

void
client_host(const struct client *c, char out[ADDR_TEXT_MAX])
{
	const char *from = c->peer, *end = strrchr(from, ':');
	int len = end == NULL ? 0 : (int)(end - from);

	if (from[0] == '[') {
		from++;
		len -= 2;
	}
	snprintf(out, ADDR_TEXT_MAX, "/%.*s", len, from);
}

void
client_run(struct client *c, struct task *t)
{
	bool start;

	pthread_mutex_lock(&c->lock);
	t->queued = true;
	TAILQ_INSERT_TAIL(&c->ordered, t, entry);
	start = !c->running;
	c->running = true;
	pthread_mutex_unlock(&c->lock);
	if (!start)
		return;
	client_retain(c);
	pool_run(c->server->pool, &c->task);
}

bool
client_is_idle(struct client *c)
{
	bool idle;

	pthread_mutex_lock(&c->lock);
	idle = !c->running;
	pthread_mutex_unlock(&c->lock);
	return idle;
}
