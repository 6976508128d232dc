#ifndef NET_H
#define NET_H

/* What the tests of lib/net share: the other end of a connection. */

#include <sys/socket.h>
#include <sys/time.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/now.h"

/* Does cond hold, at last?  false after a minute. */
#define net_await(cond)                                                        \
	({                                                                     \
		int64_t await_end = now_mono_ms() + 60000;                     \
		bool await_holds;                                              \
		while (!(await_holds = (cond)) && now_mono_ms() < await_end)   \
			usleep(500);                                           \
		await_holds;                                                   \
	})

/* Nothing hangs: calls on fd fail after a minute. */
static inline void
net_limit(int fd)
{
	struct timeval tv = {.tv_sec = 60};

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) != 0)
		abort();
}

static inline bool
net_write(int fd, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0) {
		ssize_t n = send(fd, p, len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

/* Read len bytes; how many came before the end or an error. */
static inline size_t
net_read(int fd, void *data, size_t len)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = recv(fd, (char *)data + got, len - got, 0);

		if (n <= 0)
			break;
		got += (size_t)n;
	}
	return got;
}

/* Has the other end closed, without an error and without more bytes? */
static inline bool
net_at_end(int fd)
{
	char c;

	return recv(fd, &c, 1, 0) == 0;
}

/* Closing it resets the connection. */
static inline void
net_reset(int fd)
{
	struct linger linger = {.l_onoff = 1};

	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)) != 0)
		abort();
	close(fd);
}

/* A frame of len bytes, which depend on seed; len + 4 bytes at p. */
static inline size_t
net_frame(uint8_t *p, size_t len, uint8_t seed)
{
	buf_put_32(p, (uint32_t)len);
	for (size_t i = 0; i < len; i++)
		p[4 + i] = (uint8_t)(seed + i * 7);
	return len + 4;
}

static inline bool
net_frame_is(const uint8_t *frame, size_t len, uint8_t seed)
{
	for (size_t i = 0; i < len; i++)
		if (frame[i] != (uint8_t)(seed + i * 7))
			return false;
	return true;
}

#endif
