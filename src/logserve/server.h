#ifndef LOGSERVE_SERVER_H
#define LOGSERVE_SERVER_H

/*
 * The server as a whole: loops with connections on them, a pool of threads for
 * whatever touches a file, and what they share.
 *
 *	loop:	frame -> request -> dispatch -> (act here, or on the pool)
 *	pool:	act -> answer -> the loop writes it
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "client.h"
#include "config.h"
#include "home.h"
#include "kafka/api.h"
#include "net/addr.h"
#include "net/session.h"

struct budget;
struct catalog;
struct deadlines;
struct fetch_sessions;
struct group_table;
struct listener;
struct loop;
struct metrics;
struct pool;
struct scrubbing;
struct trust_secret;
struct upkeep;
struct waiting;

struct server {
	const struct config *config;
	struct loop *loops[CONFIG_THREADS_MAX];
	struct client_list clients[CONFIG_THREADS_MAX]; /* each its loop's */
	size_t loop_count;
	struct budget *budget;	/* of requests and answers */
	struct session_limits limits;
	struct listener *listener;
	struct pool *pool;
	struct waiting *waiting;
	struct deadlines *deadlines;
	struct catalog *catalog;
	struct group_table *groups;
	struct upkeep *upkeep;	/* NULL: nothing may be written */
	struct scrubbing *scrubbing;	/* NULL: none */
	pthread_mutex_t sessions_lock;
	struct fetch_sessions *sessions;	/* under it */
	struct home home;
	int64_t producer_base;	/* ids of producers are this plus a count */
	atomic_int_fast64_t producers;
	atomic_size_t clients_count;
	atomic_size_t files;		/* open in answers */
	size_t files_max;
	struct metrics *metrics;	/* NULL: none */
	struct trust_secret *secret;	/* of replicas; NULL: there are none */
	atomic_int replicas;		/* of clients */
	int64_t start_ms;		/* wall clock */
	atomic_bool over;		/* nothing is in work any more */
	atomic_uint_fast64_t requests[API_COUNT_MAX];
	atomic_uint_fast64_t request_bytes;
	atomic_uint_fast64_t answer_bytes;
};

/*
 * Start serving: when this returns, clients may connect.  Says on stderr what
 * is wrong, and returns an exit status.
 */
int server_open(struct server *s, const struct config *config);
/*
 * At most so many logs for a quarter of the descriptors: of those that have
 * files open, besides of those that a thread is at work on, and of those that
 * replicas write.
 */
size_t server_logs_max(size_t max);
/* Is that API one for clients of this server? */
bool server_offers(const struct server *s, const struct api *a);
/*
 * Finish what is in work, and end.  False: something waits for others, who may
 * never go on; it is told on stderr, and the process has to end without it, by
 * _exit(2), as threads use all that there is.  What was acknowledged is stored.
 */
bool server_close(struct server *s);
/* Look at what all topics are to keep, now. */
void server_look(struct server *s);
/* The address that clients of the first socket are told, HOST:PORT. */
void server_address(const struct server *s, char text[ADDR_TEXT_MAX]);

/* Where the client is to connect to: as it came, or as was advertised. */
void server_advertised(const struct server *s, const struct client *c,
    char host[ADDR_HOST_MAX + 1], int32_t *port);

#endif
