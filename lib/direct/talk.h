#ifndef DIRECT_TALK_H
#define DIRECT_TALK_H

/*
 * One broker, spoken to in the messages of lib/kafka: requests go out, answers
 * come in the same order.
 *
 *	talk_open(&o, host, port, &t, &f);
 *	talk_send(t, API_METADATA, &request, &f);	as often as one likes
 *	talk_receive(t, &answer, &response, &f);	as often
 *	talk_close(t);
 *
 * Versions are agreed upon when it is opened (ApiVersions): a request is sent
 * in the highest that both sides know.  Everything that comes is checked, and
 * bounded: a broker cannot make this grow.
 *
 * Who reads the next answer says so with talk_answer: the frame, which strings
 * and records of the response point into, and its arrays.  It may be used again
 * and again; what an earlier response pointed to is gone then.
 *
 * After an error other than EAGAIN of talk_try() there is nothing left but to
 * close it.  Errors are STATUS_CLUSTER, and f says more; ENOMEM; when it is
 * opened EACCES, too: a login or a certificate was refused, and another try
 * would not help.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "kafka/api.h"

struct fault;
struct login;
struct talk;

enum {
	/* Memory of an answer's arrays. */
	TALK_ARENA_MAX = 64 << 20,
	/* An answer that is not said to be larger. */
	TALK_ANSWER_MAX = 16 << 20,
	TALK_REQUEST_MAX = 64 << 20,
	/* Requests without an answer yet. */
	TALK_PENDING_MAX = 64,
};

struct talk_options {
	const struct login *login;	/* not owned */
	/* Of opening it, and of each answer. */
	int64_t timeout_ms;
	/* Bytes of an answer; 0: TALK_ANSWER_MAX. */
	size_t answer_max;
};

struct talk_answer {
	int16_t key;		/* enum api_key */
	int16_t version;
	struct buf frame;
	struct arena arena;
};

/* Connect, agree upon versions, log in. */
int talk_open(const struct talk_options *o, const char *host, uint16_t port,
    struct talk **out, struct fault *f);
/* The first that can be had of HOST[:PORT],...; all share the time. */
int talk_open_any(const struct talk_options *o, const char *brokers,
    struct talk **out, struct fault *f);
void talk_close(struct talk *t);

/* HOST:PORT, for messages. */
const char *talk_name(const struct talk *t);
/* Poll it for POLLIN after talk_try() has said EAGAIN. */
int talk_fd(const struct talk *t);
/* The version that both know, at most max; -1: there is none. */
int talk_version(const struct talk *t, enum api_key key, int max);
/* Requests that were sent and not answered. */
size_t talk_pending(const struct talk *t);

/* Send a request: the struct of kafka/messages.h that goes with the key. */
int talk_send(struct talk *t, enum api_key key, const void *request,
    struct fault *f);
/* The same in a version of talk_version(). */
int talk_send_in(struct talk *t, enum api_key key, int version,
    const void *request, struct fault *f);

void talk_answer_init(struct talk_answer *a);
void talk_answer_release(struct talk_answer *a);
/*
 * The answer to the first request that has none yet; response is the struct
 * that goes with its key.  Waits for it no longer than the time-out.
 */
int talk_receive(struct talk *t, struct talk_answer *a, void *response,
    struct fault *f);
/* The same without waiting.  EAGAIN: it has not come in whole. */
int talk_try(struct talk *t, struct talk_answer *a, void *response,
    struct fault *f);
/* Send, and receive: nothing may be pending. */
int talk_call(struct talk *t, enum api_key key, const void *request,
    struct talk_answer *a, void *response, struct fault *f);

#endif
