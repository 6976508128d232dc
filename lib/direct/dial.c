#include "direct/dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/now.h"
#include "base/status.h"
#include "direct/login.h"
#include "direct/tls.h"
#include "direct/trouble.h"
#include "net/addr.h"

struct dial {
	int fd;
	struct tls *tls;	/* NULL: none */
	short events;		/* what the last EAGAIN waits for */
	char host[ADDR_HOST_MAX + 1];
};

int
dial_fd(const struct dial *d)
{
	return d->fd;
}

void
dial_close(struct dial *d)
{
	if (d == NULL)
		return;
	tls_close(d->tls);
	(void)io_close(&d->fd);
	free(d);
}

static int
wait_for(int fd, short events, int64_t deadline_ms)
{
	struct pollfd p = {.fd = fd, .events = events};
	int64_t left;
	int n;

	do {
		left = deadline_ms - now_mono_ms();
		if (left <= 0)
			return STATUS_TIMEOUT;
		n = poll(&p, 1, left > INT32_MAX ? INT32_MAX : (int)left);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno;
	return n == 0 ? STATUS_TIMEOUT : 0;
}

int
dial_wait(struct dial *d, int64_t deadline_ms)
{
	return wait_for(d->fd, d->events, deadline_ms);
}

/* A socket that is connected to one address. */
static int
connect_to(const struct addr *a, int64_t deadline_ms, int *out)
{
	int one = 1, rc = 0, got = 0;
	socklen_t len = sizeof(got);
	int fd = socket(a->sa.ss_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return errno;
	if (connect(fd, (const struct sockaddr *)&a->sa, a->len) != 0)
		rc = errno;
	if (rc == EINPROGRESS) {
		rc = wait_for(fd, POLLOUT, deadline_ms);
		if (rc == 0 &&
		    getsockopt(fd, SOL_SOCKET, SO_ERROR, &got, &len) != 0)
			rc = errno;
		else if (rc == 0)
			rc = got;
	}
	if (rc != 0) {
		(void)io_close(&fd);
		return rc;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	*out = fd;
	return 0;
}

/* Any of the addresses of a name; *why says what is wrong with the name. */
static int
connect_any(const struct addr_name *name, int64_t deadline_ms, int *fd,
    const char **why)
{
	struct addr list[ADDR_LIST_MAX];
	size_t count = 0;
	int rc = addr_resolve(name, list, &count, why);

	for (size_t i = 0; i < count; i++) {
		int64_t now = now_mono_ms();
		int64_t left = deadline_ms > now ? deadline_ms - now : 0;

		rc =
		    connect_to(&list[i], now + left / (int64_t)(count - i), fd);
		if (rc == 0)
			break;
	}
	return rc;
}

static int
shake_hands(struct dial *d, int64_t deadline_ms, struct fault *f)
{
	int rc;

	while ((rc = tls_shake_hands(d->tls, &d->events, f)) == EAGAIN) {
		rc = dial_wait(d, deadline_ms);
		if (rc != 0)
			return trouble(f, STATUS_CLUSTER, d->host,
			    "no answer to the TLS handshake");
	}
	return rc;
}

int
dial_open(const char *host, uint16_t port, const struct login *login,
    int64_t deadline_ms, struct dial **out, struct fault *f)
{
	struct dial *d = calloc(1, sizeof(*d));
	struct addr_name name = {.port = port};
	const char *why = NULL;
	int rc;

	if (d == NULL)
		return ENOMEM;
	d->fd = -1;
	strlcpy(name.host, host, sizeof(name.host));
	strlcpy(d->host, host, sizeof(d->host));
	rc = connect_any(&name, deadline_ms, &d->fd, &why);
	if (rc != 0)
		rc = trouble(f, STATUS_CLUSTER, host, "%s",
		    why != NULL ? why : status_text(rc));
	if (rc == 0 && login_tls(login) != NULL) {
		rc = tls_open(login_tls(login), d->fd, host, &d->tls, f);
		if (rc == 0)
			rc = shake_hands(d, deadline_ms, f);
	}
	if (rc != 0) {
		dial_close(d);
		return rc;
	}
	*out = d;
	return 0;
}

static int
of_call(struct dial *d, ssize_t n, short events, size_t *done)
{
	*done = n > 0 ? (size_t)n : 0;
	if (n > 0)
		return 0;
	if (n == 0)
		return STATUS_END;
	d->events = events;
	if (errno == EINTR || errno == EWOULDBLOCK)
		return EAGAIN;
	return errno;
}

int
dial_read(struct dial *d, void *data, size_t len, size_t *done, struct fault *f)
{
	if (d->tls != NULL)
		return tls_read(d->tls, data, len, done, &d->events, f);
	return of_call(d, recv(d->fd, data, len, 0), POLLIN, done);
}

int
dial_write(struct dial *d, const void *data, size_t len, size_t *done,
    struct fault *f)
{
	if (d->tls != NULL)
		return tls_write(d->tls, data, len, done, &d->events, f);
	return of_call(d, send(d->fd, data, len, MSG_NOSIGNAL), POLLOUT, done);
}
