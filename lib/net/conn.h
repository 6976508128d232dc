#ifndef NET_CONN_H
#define NET_CONN_H

/*
 * One connection on one loop: whole frames in, bytes and ranges of files out.
 *
 *	frame:  int32 size, big-endian; size bytes
 *
 *	OPEN ------> FINISHING ------> LINGERING ------> CLOSED
 *	   conn_finish()    all written,     the other end
 *	                    our side shut    closed, or 2 s
 *
 * and from each state to CLOSED by an error, a time-out or conn_close().
 *
 * INVARIANTS
 *
 *  1. A frame's size is checked before memory is asked for.
 *  2. Bytes are read only if they belong to a frame that is begun, or to the
 *     next header: what a paused connection has not read waits in the socket,
 *     and holds up the other end.
 *  3. on_close is called once, last; the conn is gone when it returns.  It is
 *     called by the loop or within conn_close(), never within another call.
 *  4. A turn of the loop reads and writes a bounded amount of one connection.
 *
 * All calls are made on the loop; callbacks come there, and may call
 * everything.
 *
 * TLS belongs between the two functions receive() and transmit() and the
 * socket; nothing else here touches it for bytes.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct budget;
struct conn;
struct evbuffer;
struct loop;

struct conn_options {
	size_t frame_min;	/* bytes of the smallest frame, >= 1 */
	size_t frame_max;
	/*
	 * Closed (STATUS_TIMEOUT) if for so long no whole frame came and no
	 * output was taken, while nothing was queued and it was not busy.
	 */
	int64_t idle_ms;
	/* The same if output is queued and none of it taken. */
	int64_t stall_ms;
	/*
	 * Memory for frames is taken out of this (budget.h); NULL: it is free.
	 * When there is none, nothing is read until there is.  While others
	 * wait so, it is closed (STATUS_TIMEOUT) if it is within a frame, or
	 * has output queued, for patience_ms and at less than 16 KiB a second.
	 */
	struct budget *budget;
	int64_t patience_ms;
	/*
	 * A whole frame; the callee's, to spare_free(), and its len bytes of
	 * the budget to give back.
	 */
	void (*on_frame)(void *arg, uint8_t *frame, size_t len);
	/*
	 * The other end sends no more, while it is busy or output is queued:
	 * call conn_finish() when all is answered.
	 */
	void (*on_end)(void *arg);
	/* Some of the output was taken, not within conn_send(). */
	void (*on_written)(void *arg);
	/*
	 * It is closed.  why: 0 the other end has closed between two frames, or
	 * conn_finish() is done; STATUS_SHORT it closed within one;
	 * STATUS_SYNTAX, STATUS_TOO_BIG a frame's size; STATUS_TIMEOUT; errno;
	 * or what conn_close() was given.  what: a constant phrase.
	 */
	void (*on_close)(void *arg, int why, const char *what);
	void *arg;
};

/*
 * Take over the connected, non-blocking socket fd.  ENOMEM; fd is then closed
 * too.
 */
int conn_open(struct loop *l, int fd, const struct conn_options *o,
    struct conn **out);
/* Close it now; what is queued is lost. */
void conn_close(struct conn *c, int why, const char *what);
/* Read no more frames, write what is queued, then close. */
void conn_finish(struct conn *c);

/* Stop giving frames (also from on_frame: none follows), and go on. */
void conn_pause(struct conn *c);
void conn_resume(struct conn *c);
/* While it is busy (its requests are worked on) it is not idle. */
void conn_set_busy(struct conn *c, bool busy);

/*
 * Send what is in data, which is then empty.  Ranges of files go from file to
 * socket (sendfile(2)) if data came from conn_buffer().  Nothing is sent once
 * conn_finish() was called.
 */
void conn_send(struct conn *c, struct evbuffer *data);
/* Bytes queued. */
size_t conn_queued(const struct conn *c);

/*
 * An empty buffer for output, of which any one thread may make use; NULL
 * without memory.
 */
struct evbuffer *conn_buffer(void);
/*
 * Add a copy of len bytes.  Not evbuffer_add(), which behind a range of a file
 * asks for as much memory as the file has up to its end.
 */
int conn_buffer_add(struct evbuffer *b, const void *data, size_t len);
/*
 * Add len bytes from malloc(3), which are freed when they are sent or given up,
 * and until then are part of what the budget (or NULL) has.  If this fails,
 * data stays the caller's.
 */
int conn_buffer_add_memory(struct evbuffer *b, struct budget *budget,
    void *data, size_t len);
/*
 * Add len (> 0) bytes of a file from pos on; fd is closed when they are sent or
 * given up, and if this fails.  If the file is cut before they are sent, the
 * connection fails with EIO.  *files (or NULL) counts those not yet closed.
 */
int conn_buffer_add_file(struct evbuffer *b, int fd, int64_t pos, size_t len,
    atomic_size_t *files);

struct conn_counters {
	uint64_t frames;
	uint64_t bytes_in;
	uint64_t bytes_out;
};

void conn_counters(const struct conn *c, struct conn_counters *out);

#endif
