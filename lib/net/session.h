#ifndef NET_SESSION_H
#define NET_SESSION_H

/*
 * Requests and answers on one connection: a conn (conn.h) whose frames take
 * slots (slot.h).
 *
 *	socket > frame > on_request > any thread > slot_answer() > socket
 *
 * Several requests may be in work at once.  Reading pauses while there are as
 * many as the limits say, while their bytes reach request_bytes, or while
 * answers that are queued or wait for their turn reach output_bytes.  So one
 * session holds at most request_bytes + frame_max bytes of requests, and
 * output_bytes plus the answers to what is in work.
 *
 * A client that shuts its side down still gets its answers.
 *
 * All calls are made on the loop; callbacks come there, and may call
 * everything.
 */

#include <stddef.h>
#include <stdint.h>

#include "net/slot.h"

struct budget;
struct loop;
struct session;

struct session_limits {
	size_t frame_min;	/* as in conn.h, these four */
	size_t frame_max;
	int64_t idle_ms;
	int64_t stall_ms;
	size_t requests;	/* in work at once, >= 1 */
	size_t request_bytes;	/* of those, >= 1 */
	size_t output_bytes;	/* not taken by the other end, >= 1 */
	struct budget *budget;	/* of all sessions; NULL: none */
	int64_t patience_ms;	/* as in conn.h */
};

struct session_handler {
	/*
	 * A request: the frame is the callee's, to spare_free() before it
	 * answers the slot, here or later.
	 */
	void (*on_request)(void *arg, struct session *s, struct slot *slot,
	    uint8_t *frame, size_t len);
	/* As conn's on_close; the session is gone when it returns. */
	void (*on_close)(void *arg, int why, const char *what);
};

/*
 * Serve the connected, non-blocking socket fd.  limits and handler are the
 * caller's and stay until on_close.  ENOMEM; fd is then closed too.
 */
int session_open(struct loop *l, int fd, const struct session_limits *limits,
    const struct session_handler *handler, void *arg, struct session **out);
/* Close it now; slots in work stay valid. */
void session_close(struct session *s, int why, const char *what);
/*
 * Read no more requests; when those in work are answered and the answers are
 * written, close.  After deadline_ms close in any case (STATUS_TIMEOUT).
 */
void session_drain(struct session *s, int64_t deadline_ms);

struct conn_counters;
void session_counters(const struct session *s, struct conn_counters *out);

#endif
