#ifndef BROKER_FETCH_SESSIONS_H
#define BROKER_FETCH_SESSIONS_H

/*
 * Incremental fetch sessions (KIP-227): the broker remembers which partitions a
 * client reads, so that its next Fetch names only what is different, and the
 * answer has only partitions that have something to say.
 *
 *	session, epoch	means
 *	0, -1		all partitions are named; no session
 *	0, 0		so; a session is asked for
 *	S, 0		so; S is closed, another one asked for
 *	S, -1		so; S is closed
 *	S, n > 0	what is new or different, and what is forgotten
 *
 * An epoch is one more than the last, and 1 after 2147483647.  Who cannot get a
 * session is answered in full with session 0, and nothing is lost by it.
 *
 * Who may have a session: there is a bound on sessions, and on partitions in
 * all of them.  When it is reached, the sessions that nobody used for idle_ms
 * make room, the longest unused first; if there are none, there is no session
 * for the newcomer.  (Apache Kafka also gives up smaller sessions for larger
 * ones; this one does not.)  An owner, which is a connection, has a few
 * sessions at most: its oldest makes room for its next, so that a client that
 * asks for a new one in each request does not use up those of others.
 *
 * A topic is known by its name (before version 13) or by its id.  One that was
 * made again has another id and so is another one: the client forgets the old
 * id and names the new; until then its partitions are errors, which are always
 * told.
 *
 * No threads, no clock: calls are serialized by the caller, who says what time
 * it is.  Between fetch_sessions_begin() and fetch_sessions_tell() others may
 * be called: a session that has gone meanwhile does no harm.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"

struct fetch_sessions;

enum {
	FETCH_SESSIONS_ID_LEN = 16,
	FETCH_SESSIONS_NAME_MAX = 249,	/* of a topic that is remembered */
	FETCH_SESSIONS_FINAL = -1,	/* the epoch of who wants no more */
};

struct fetch_sessions_settings {
	size_t sessions_max;
	size_t partitions_max;		/* in all sessions */
	size_t owner_max;		/* sessions of one owner */
	int32_t idle_ms;
};

/* 1000 sessions and two minutes, as Kafka; 100000 partitions; 4. */
extern const struct fetch_sessions_settings fetch_sessions_defaults;

/* Which partition. */
struct fetch_key {
	struct bytes topic;		/* null: by id */
	uint8_t id[FETCH_SESSIONS_ID_LEN];
	int32_t partition;
};

/* What is asked of a partition: as it is in the request. */
struct fetch_partition {
	struct fetch_key key;
	int64_t offset;
	int64_t log_start;		/* of a follower; -1 */
	int32_t leader_epoch;		/* current; -1: not known */
	int32_t last_epoch;		/* last fetched; -1 */
	int32_t bytes_max;
};

/* What a request says. */
struct fetch_asked {
	int32_t session_id;
	int32_t epoch;
	bool by_id;			/* topics; version 13 and later */
	uint64_t owner;			/* 0: nobody in particular */
	const struct fetch_partition *partitions;
	size_t count;
	const struct fetch_key *forgotten;
	size_t forgotten_count;
};

/* A fetch under way.  The caller keeps it until it has answered. */
struct fetch_context {
	int32_t session_id;		/* to answer; 0: none */
	bool incremental;		/* the answer may leave things out */
	/* private */
	uint64_t serial;
	int32_t epoch;
};

/* What comes of a partition. */
struct fetch_result {
	int error;			/* KAFKA_... */
	bool has_records;
	bool diverging;			/* there is a diverging epoch to tell */
	int64_t high_watermark;
	int64_t log_start;
};

/* NULL without memory. */
struct fetch_sessions *fetch_sessions_new(
    const struct fetch_sessions_settings *settings);
void fetch_sessions_free(struct fetch_sessions *f);
/* Where session ids come from; NULL: getrandom(2). */
void fetch_sessions_set_random(struct fetch_sessions *f,
    int32_t (*random)(void *arg), void *arg);

/*
 * Begin to serve a fetch: take it in, and say by each() which partitions to
 * read, in this order.  The handle is for fetch_sessions_tell(); what p points
 * at is valid during the call.  each() may not call.
 * 0, or the error of the whole answer, whose session is 0 then and which has no
 * partitions: FETCH_SESSION_ID_NOT_FOUND (also if the session cannot take as
 * many partitions, and is given up); INVALID_FETCH_SESSION_EPOCH;
 * FETCH_SESSION_TOPIC_ID_ERROR: ids where there were names, or the reverse.
 */
int fetch_sessions_begin(struct fetch_sessions *f, const struct fetch_asked *r,
    int64_t now, struct fetch_context *out,
    void (*each)(void *arg, const struct fetch_partition *p, void *handle),
    void *arg);
/*
 * What comes of one of its partitions, once for each.  True: it has to be in
 * the answer, as are all of a full fetch.  Of an incremental one it is what
 * has records, an error, or another high watermark or log start than was told
 * last.  One that had records is served after the others next time.
 */
bool fetch_sessions_tell(struct fetch_sessions *f,
    const struct fetch_context *c, void *handle, const struct fetch_result *r);

/* The epoch that follows one: 1 after 2147483647. */
int32_t fetch_sessions_next_epoch(int32_t epoch);

/* What is in memory. */
size_t fetch_sessions_count(const struct fetch_sessions *f);
size_t fetch_sessions_partitions(const struct fetch_sessions *f);
/* Partitions of that session; 0: there is none of that id. */
size_t fetch_sessions_size(struct fetch_sessions *f, int32_t id);

#endif
