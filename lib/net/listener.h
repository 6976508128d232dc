#ifndef NET_LISTENER_H
#define NET_LISTENER_H

/*
 * Listening sockets, and handing what they accept to loops in turn.
 *
 * Over the cap on connections a new one is accepted and closed, so that the
 * client learns of it at once.  When descriptors run out, a spare one is used
 * to do the same with those that wait; then accepting pauses for
 * LISTENER_PAUSE_MS, so that nothing spins.
 *
 * A connection is non-blocking, close-on-exec, with TCP_NODELAY and
 * SO_KEEPALIVE.
 */

#include <stddef.h>
#include <stdint.h>

#include "net/addr.h"

struct loop;
struct listener;

enum {
	LISTENER_PAUSE_MS = 100,
	LISTENER_SOCKETS_MAX = 64,
};

/*
 * A connection for loop number at; fd is the callee's.  Runs on that loop.
 * listener_left() is to be called once when the connection has ended.
 */
typedef void listener_accepted(void *arg, size_t at, int fd,
    const struct addr *peer);

struct listener_options {
	struct loop *const *loops;	/* the first one accepts */
	size_t loop_count;
	size_t connections_max;
	listener_accepted *accepted;
	void *arg;
};

/* One without sockets.  The loops must outlive its last connection. */
int listener_open(const struct listener_options *o, struct listener **out);
/*
 * Stop listening; the sockets are closed, and unix ones removed.  No call of
 * accepted begins after this has returned.  Connections stay, and
 * listener_left() is still to be called for each.
 * Not from one of the loops; NULL is nothing.
 */
void listener_close(struct listener *l);

/*
 * Listen on an address, or on all that a name stands for: at least one must
 * work, and of a name that is an address that one.  With port 0 all get the
 * same port.  *what (a constant phrase or NULL) says more.
 * EADDRINUSE, EACCES, EADDRNOTAVAIL; ENOSPC: over LISTENER_SOCKETS_MAX.
 * The stale socket of a dead process at a unix path is replaced.
 * Clients may connect from now on; they are accepted after listener_start().
 */
int listener_add(struct listener *l, const struct addr_name *name,
    const char **what);
/*
 * Listen on the sockets that the process was started with: LISTEN_PID and
 * LISTEN_FDS as in sd_listen_fds(3), which are removed from the environment.
 * *count: how many there were.  EINVAL: one is not a listening stream socket.
 */
int listener_inherit(struct listener *l, size_t *count);
/* Begin to accept. */
int listener_start(struct listener *l);

/*
 * A socket that listens at an address, for who accepts by other means; the
 * caller closes it.
 */
int listener_socket(const struct addr *a, int *fd);

/* The address of socket number i; false past the last one. */
bool listener_address(const struct listener *l, size_t i, struct addr *out);

/* A connection has ended; from any thread. */
void listener_left(struct listener *l);

struct listener_counters {
	uint64_t accepted;
	uint64_t refused;	/* over the cap */
	uint64_t starved;	/* closed for want of descriptors or memory */
	uint64_t pauses;
	size_t connections;	/* now */
};

/* From any thread, until listener_close(). */
void listener_counters(struct listener *l, struct listener_counters *out);

#endif
