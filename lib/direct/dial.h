#ifndef DIRECT_DIAL_H
#define DIRECT_DIAL_H

/*
 * A stream of bytes to one broker, over TCP or TLS.  Reads and writes do what
 * goes now; dial_wait() waits for what the last of them could not do.
 *
 * A program that uses TLS has to ignore SIGPIPE.
 */

#include <stddef.h>
#include <stdint.h>

struct dial;
struct fault;
struct login;

/*
 * Connect to host, a name or an address; each address that it has gets its
 * share of the time until deadline_ms (of now_mono_ms()).  TLS, if the login
 * says so, is agreed upon.  STATUS_CLUSTER: f says why it could not be; EACCES:
 * its certificate is not trusted.
 */
int dial_open(const char *host, uint16_t port, const struct login *login,
    int64_t deadline_ms, struct dial **out, struct fault *f);
void dial_close(struct dial *d);
/* To be polled for more to read, once dial_read() has said EAGAIN. */
int dial_fd(const struct dial *d);

/*
 * Up to len bytes, *done of them.  EAGAIN: none now.  STATUS_END: the other end
 * has closed.  STATUS_CLUSTER: f says more.  Else an errno value.
 */
int dial_read(struct dial *d, void *data, size_t len, size_t *done,
    struct fault *f);
int dial_write(struct dial *d, const void *data, size_t len, size_t *done,
    struct fault *f);
/* STATUS_TIMEOUT: not by then. */
int dial_wait(struct dial *d, int64_t deadline_ms);

#endif
