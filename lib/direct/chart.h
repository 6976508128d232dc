#ifndef DIRECT_CHART_H
#define DIRECT_CHART_H

/*
 * A cluster's brokers, topics and partitions, as its metadata tell them, and a
 * connection to each broker that is asked something.
 *
 * Topics are numbered from 0 on as they are found, and keep their numbers;
 * their partitions do not become fewer.
 *
 * Calls that talk to the cluster wait, each try no longer than the time-out.
 * Errors are those of talk.h, and
 *	EACCES		a login, a certificate or a right was refused: another
 *			try would not help
 *	STATUS_NO_TOPIC	there is no such topic
 *	STATUS_REMOVED	it was removed, or removed and made anew
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bounds.h"
#include "direct/talk.h"

struct chart;
struct fault;
struct login;
struct place;

enum { CHART_CLUSTER_ID_MAX = 255, CHART_IDENTITY_LEN = 32 };

struct chart_options {
	const struct place *place;	/* not owned; topic "": all of them */
	const struct login *login;	/* not owned */
	int64_t timeout_ms;
	/* Of all topics, is this one asked for?  NULL: yes. */
	bool (*takes)(const char *name, void *arg);
	void *arg;
};

struct chart_partition {
	int32_t leader;		/* -1: none now */
	int32_t leader_epoch;	/* -1: not known */
};

struct chart_topic {
	size_t number;
	char name[TOPIC_NAME_MAX + 1];
	struct wire_uuid id;	/* zero: the brokers have none */
	struct chart_partition *partitions; /* owned */
	int32_t count;
	bool missing;		/* from the last answer */
	bool gone;		/* another of that name stands there */
};

/*
 * Look at the cluster for the first time, as often as it takes until the
 * time-out.  The topic of the place must be there.
 */
int chart_open(const struct chart_options *o, struct chart **out,
    struct fault *f);
void chart_close(struct chart *c);
/* Look again, once. */
int chart_refresh(struct chart *c, struct fault *f);

size_t chart_count(const struct chart *c);
const struct chart_topic *chart_topic(const struct chart *c, size_t topic);
/* The number of a topic, by its id or its name; -1: it is none of ours. */
int64_t chart_find_id(const struct chart *c, const struct wire_uuid *id);
int64_t chart_find_name(const struct chart *c, struct bytes name);
/* The partition's row; a leader of -1 if it has none or is not known. */
struct chart_partition chart_partition(const struct chart *c, size_t topic,
    int32_t partition);
/* kafka://.../TOPIC, for messages; valid until the next call. */
const char *chart_name(const struct chart *c, size_t topic);

/* Nodes of all brokers that are known. */
size_t chart_broker_count(const struct chart *c);
int32_t chart_broker(const struct chart *c, size_t i);
/* A connection of the caller's own to a broker. */
int chart_dial(const struct chart *c, int32_t node, size_t answer_max,
    struct talk **out, struct fault *f);
/*
 * The connection to a broker that is kept for questions; -1: to any.  After an
 * error on it: chart_hang_up().
 */
int chart_talk(struct chart *c, int32_t node, struct talk **out,
    struct fault *f);
void chart_hang_up(struct chart *c, int32_t node);
/* Ask, and hang up on an error. */
int chart_call(struct chart *c, int32_t node, enum api_key key,
    const void *request, struct talk_answer *a, void *response,
    struct fault *f);

/* Which topic of which cluster it is: two are the same if these are. */
void chart_identity(const struct chart *c, size_t topic,
    uint8_t out[CHART_IDENTITY_LEN]);

/*
 * Between tries, of which there were so many: half to all of a time that
 * doubles, up to a second; but not past until_ms.
 */
int64_t chart_pause_ms(int tries);
void chart_pause(int tries, int64_t until_ms);
/*
 * Is an error of Kafka's one that passes once the metadata are looked at again,
 * or by itself?
 */
bool chart_is_passing(int error);
/* The error, of a topic, as ours, in words. */
int chart_fail(const struct chart *c, size_t topic, int error, struct fault *f);

#endif
