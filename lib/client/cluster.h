#ifndef CLIENT_CLUSTER_H
#define CLIENT_CLUSTER_H

/*
 * A connection to a cluster, and how its errors become ours: what everything
 * else in this layer is built on.
 *
 * ERRORS.  Every call that talks to the cluster returns
 *	STATUS_NO_TOPIC		there is no such topic or partition
 *	STATUS_EXISTS		there is one
 *	STATUS_CLUSTER		anything else that it or the way to it refused;
 *				the fault's what says it, and is valid until the
 *				next such error of any cluster
 *	EINTR			*stop was set
 * Its fault names the place.
 *
 * TIME.  A call that gets no answer within timeout_ms gives up; so does, at
 * once, one that meets a refused login or certificate.
 */

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/place.h"
#include "client/rdkafka.h"
#include "client/settings.h"

struct fault;

enum { CLUSTER_TIMEOUT_MS = 30000, CLUSTER_WHY_MAX = 512 };

struct cluster_options {
	const struct settings *settings; /* not owned */
	int64_t timeout_ms;
	const volatile sig_atomic_t *stop; /* or NULL */
	bool verbose;		/* the library's log goes to stderr */
};

/* What a connection is for: callbacks are the user's of this layer. */
struct cluster_use {
	bool producer;
	bool uncommitted;	/* isolation level */
	bool follows;		/* waits for records that are to come */
	const char *group;	/* or NULL */
	void (*rebalance)(rd_kafka_t *rk, rd_kafka_resp_err_t err,
	    rd_kafka_topic_partition_list_t *list, void *opaque);
	void (*delivered)(rd_kafka_t *rk, const rd_kafka_message_t *m,
	    void *opaque);
	void *arg;		/* for them: cluster_of() and ->arg */
	/* More properties, which what the user said wins over; or NULL. */
	int (*configure)(const struct settings *said, rd_kafka_conf_t *conf,
	    void *arg);
};

struct cluster {
	rd_kafka_t *rk;			/* owned */
	char name[512];			/* kafka://... for messages */
	struct cluster_options o;
	void *arg;			/* of cluster_use */
	bool refused;			/* a login or certificate was */
	int64_t down_ms;		/* monotonic: no broker since; -1 */
	char why[CLUSTER_WHY_MAX];	/* last error; "": none */
};

/*
 * Does the library know these properties, and take their values?  STATUS_SYNTAX
 * if not: f has the name, and why.  STATUS_CLIENT.
 */
int cluster_check_settings(const struct settings *s, struct fault *f);
/*
 * Load the library and make a handle; nothing is sent yet.
 * STATUS_CLIENT, STATUS_CLUSTER (a property it does not know): f has more.
 */
int cluster_open(const struct place *place, const struct cluster_options *o,
    const struct cluster_use *use, struct cluster **out, struct fault *f);
void cluster_close(struct cluster *c);
/* The cluster of a callback's opaque pointer. */
struct cluster *cluster_of(void *opaque);

/* Let the library's callbacks run, and see what is wrong. */
void cluster_poll(struct cluster *c);
/* Was the stop asked for? */
bool cluster_is_stopped(const struct cluster *c);
/*
 * Has there been no broker for longer than the time given, or was a login
 * refused?  0, or the error.
 */
int cluster_check(struct cluster *c, struct fault *f);

/* Become an error: of the library, and with words of its own if it has any. */
/* text may be NULL. */
int cluster_fail(struct cluster *c, rd_kafka_resp_err_t err, const char *text,
    struct fault *f);
/* No answer came in time. */
int cluster_timed_out(struct cluster *c, struct fault *f);
/* Is it an error that another try may not meet? */
bool cluster_is_passing(rd_kafka_resp_err_t err);

/* Milliseconds that a wait may take now, of one that ends at deadline_ms. */
int cluster_slice_ms(int64_t deadline_ms);
int64_t cluster_deadline_ms(const struct cluster *c);

/*
 * How many partitions a topic has.  A topic that is not there is not made by
 * asking.
 */
int cluster_partitions(struct cluster *c, const char *topic, int32_t *count,
    struct fault *f);
/* Call fn for each topic, internal ones left out, until it returns not 0. */
int cluster_each_topic(struct cluster *c,
    int (*fn)(const char *topic, int32_t partitions, void *arg), void *arg,
    struct fault *f);
/* The offsets of the first record and after the last one that may be read. */
int cluster_offsets(struct cluster *c, const char *topic, int32_t partition,
    int64_t *start, int64_t *end, struct fault *f);
/* The first offset at or after a time; end if there is none. */
int cluster_offset_at(struct cluster *c, const char *topic, int32_t partition,
    int64_t time_ms, int64_t end, int64_t *offset, struct fault *f);

#endif
