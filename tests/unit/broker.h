#ifndef BROKER_H
#define BROKER_H

/*
 * A broker for tests: a child, and one of its own for each connection, that
 * answers requests as a function says, also with what no broker would send.
 * What they are to remember is in memory that they share.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "kafka/api.h"
#include "kafka/messages.h"
#include "tap.h"

struct broker {
	pid_t pid;
	uint16_t port;
	char place[32];		/* HOST:PORT */
};

/*
 * One request: append what is to be sent, sizes of frames and all, to out;
 * false: close the connection behind it.
 */
typedef bool broker_answer(const struct wire_request *q, struct view body,
    struct buf *out, void *arg);

static inline bool
broker_read(int fd, void *data, size_t len)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = recv(fd, (char *)data + got, len - got, 0);

		if (n <= 0)
			return false;
		got += (size_t)n;
	}
	return true;
}

static inline bool
broker_write(int fd, const uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

static inline void
broker_serve(int fd, broker_answer *answer, void *arg)
{
	static uint8_t frame[1 << 20];
	struct wire_request q;
	struct buf out;
	bool more = true;
	uint8_t size[4];

	buf_init(&out, 256 << 20);
	while (more && broker_read(fd, size, 4)) {
		size_t len = buf_get_32(size);
		struct view v = {frame, len};

		if (len > sizeof(frame) || !broker_read(fd, frame, len) ||
		    wire_request_peek(v, &q) != 0)
			break;
		if (wire_request_decode(&v,
			api_is_flexible(api_find(q.key), q.version), &q) != 0)
			break;
		out.len = 0;
		more = answer(&q, v, &out, arg);
		if (!broker_write(fd, out.data, out.len))
			break;
	}
	buf_release(&out);
	(void)close(fd);
}

/* Listen, and be a child that serves until it is ended. */
static inline void
broker_start(struct broker *b, broker_answer *answer, void *arg)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t len = sizeof(sin);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(s, (struct sockaddr *)&sin, sizeof(sin)) != 0 ||
	    listen(s, 16) != 0 ||
	    getsockname(s, (struct sockaddr *)&sin, &len) != 0)
		abort();
	b->port = ntohs(sin.sin_port);
	snprintf(b->place, sizeof(b->place), "127.0.0.1:%u", b->port);
	b->pid = fork();
	if (b->pid != 0) {
		(void)close(s);
		return;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		int fd = accept(s, NULL, NULL);

		while (waitpid(-1, NULL, WNOHANG) > 0)
			continue;
		if (fd >= 0 && fork() == 0) {
			/* With the broker its connections end. */
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			(void)close(s);
			broker_serve(fd, answer, arg);
			_exit(0);
		}
		(void)close(fd);
	}
}

/* Zeroed memory that all of them see. */
static inline void *
broker_memory(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		abort();
	return p;
}

static inline void
broker_stop(struct broker *b)
{
	(void)kill(b->pid, SIGKILL);
	(void)waitpid(b->pid, NULL, 0);
}

/* A frame around an answer. */
static inline void
broker_frame(const struct wire_request *q, const void *response,
    struct buf *out)
{
	const struct api *a = api_find(q->key);
	size_t at = out->len;

	if (buf_add_32(out, 0) != 0 ||
	    wire_response_encode(out,
		q->key != API_VERSIONS && api_is_flexible(a, q->version),
		q->correlation) != 0 ||
	    wire_encode(a->response, q->version, response, out, NULL) != 0)
		abort();
	buf_put_32(out->data + at, (uint32_t)(out->len - at - 4));
}

/* The usual answer to ApiVersions: all that the schema knows. */
static inline void
broker_versions(const struct wire_request *q, struct buf *out)
{
	static struct api_versions_response_api_keys keys[API_KEY_MAX + 1];
	struct api_versions_response r;
	const struct api *a;

	wire_defaults(&messages_api_versions_response, &r);
	r.api_keys = keys;
	for (size_t i = 0; (a = api_at(i)) != NULL; i++)
		keys[r.api_keys_count++] =
		    (struct api_versions_response_api_keys){a->key,
			a->request->min, a->request->max};
	broker_frame(q, &r, out);
}

#endif
