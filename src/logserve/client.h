#ifndef LOGSERVE_CLIENT_H
#define LOGSERVE_CLIENT_H

/*
 * Who is at the other end of a connection, for as long as the connection or a
 * request of it lives.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "net/addr.h"
#include "net/task.h"

struct replica;
struct server;
struct session;

struct client {
	struct server *server;
	struct addr local;		/* the end that it came to */
	char peer[ADDR_TEXT_MAX];	/* where it is */
	/* On its loop only. */
	struct session *session;	/* NULL: gone */
	size_t loop;
	TAILQ_ENTRY(client) entry;
	struct replica *replica;	/* of on_replicate.c; NULL: is none */
	/* The rest is client.c's. */
	atomic_int references;
	pthread_mutex_t lock;
	struct task_queue ordered;
	struct task task;
	bool running;
};

TAILQ_HEAD(client_list, client);

/* With one reference. */
struct client *client_new(struct server *s);
struct client *client_retain(struct client *c);
void client_release(struct client *c);

/* Its address without the port, as Java writes it: /127.0.0.1. */
void client_host(const struct client *c, char out[ADDR_TEXT_MAX]);

/*
 * Run the task on a thread of the pool, after those of this client that were
 * given before it: what one client asks for keeps its order.
 */
void client_run(struct client *c, struct task *t);
/* Are all that were given done?  On the client's loop, which gives them. */
bool client_is_idle(struct client *c);

#endif
