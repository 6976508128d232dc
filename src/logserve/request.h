#ifndef LOGSERVE_REQUEST_H
#define LOGSERVE_REQUEST_H

/*
 * One request in work, from its frame to its answer.
 *
 *	begin --> act: on the loop, or on a thread of the pool
 *	act   --> request_answer(), request_silent() or request_fail(), once,
 *		  at once or later, from any thread
 *
 * What act needs is in the arena, which goes with the request; strings of the
 * message point into the frame.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "kafka/api.h"
#include "kafka/messages.h"
#include "net/task.h"

struct client;
struct server;
struct slot;

struct request {
	struct server *server;
	struct client *client;	/* holds a reference */
	struct slot *slot;
	uint8_t *frame;		/* owned */
	struct wire_request header;
	int64_t came_ms;	/* by the monotonic clock */
	const struct api *api;
	struct arena arena;
	size_t taken;		/* of the budget, beside the frame */
	const void *message;	/* struct NAME_request */
	void *response;		/* struct NAME_response, at its defaults */
	struct task task;
	void (*act)(struct request *r);
	struct request *next;	/* in a list of who has it now */
};

/*
 * Take a frame and read it.  NULL: the slot has been answered, or failed, and
 * the frame is gone.
 */
struct request *request_begin(struct server *s, struct client *c,
    struct slot *slot, uint8_t *frame, size_t len);

/* Memory of the request, zeroed; NULL: there is none. */
void *request_alloc(struct request *r, size_t count, size_t size);
/* A copy of a string in it. */
struct bytes request_copy(struct request *r, const char *s);
/* The same of bytes; null stays null. */
struct bytes request_keep(struct request *r, struct bytes b);
/*
 * Room in it for one more item behind count items of an array that has room
 * for *cap: the array, moved if it has to be.  NULL: there is none, and the
 * old one is as it was.
 */
void *request_grow(struct request *r, void *items, int32_t count, int32_t *cap,
    size_t size);

/*
 * Send the response and free the request.  Descriptors of records in files are
 * taken over; a response that cannot be made closes the connection.
 */
void request_answer(struct request *r);
/*
 * The same in two steps, for who still needs the request's memory behind the
 * answer.
 */
void request_send(struct request *r);
void request_free(struct request *r);
/* Free it; there is no answer. */
void request_silent(struct request *r);
/* Free it, and close the connection; what is a constant phrase. */
void request_fail(struct request *r, int why, const char *what);

/*
 * Is nobody there any more to be answered?  What takes long and changes nothing
 * looks now and then, and ends: a server could not end before it.
 */
bool request_is_vain(const struct request *r);

/* Run act on a thread of the pool. */
void request_defer(struct request *r, void (*act)(struct request *r));

#endif
