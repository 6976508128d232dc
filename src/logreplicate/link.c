#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/now.h"
#include "base/status.h"

enum {
	READ_BYTES = 1 << 20,
	PIPE_BYTES = 1 << 20,
};

static int
prepare(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return errno;
	/* No pipe, or more than the user may have: as it is. */
	(void)fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES);
	return 0;
}

int
link_init(struct link *l, int in, int out)
{
	int rc;

	*l = (struct link){.in = in,
	    .out = out,
	    .need = FRAME_HEADER_LEN,
	    .dead_ms = LINK_DEAD_MS,
	    .alive_ms = LINK_ALIVE_MS};
	buf_init(&l->input, FRAME_PAYLOAD_MAX + FRAME_HEADER_LEN + READ_BYTES);
	buf_init(&l->output,
	    FRAME_PAYLOAD_MAX + FRAME_HEADER_LEN + 8 * (size_t)LINK_OUT_BYTES);
	l->heard_ms = l->said_ms = l->allowed_ms = now_mono_ms();
	rc = prepare(in);
	return rc == 0 ? prepare(out) : rc;
}

void
link_release(struct link *l)
{
	if (l->out != l->in)
		(void)io_close(&l->out);
	(void)io_close(&l->in);
	buf_release(&l->input);
	buf_release(&l->output);
}

void
link_set_timeout(struct link *l, int64_t ms)
{
	l->dead_ms = ms;
	l->alive_ms = ms / LINK_ALIVE_TIMES;
	if (l->alive_ms > LINK_ALIVE_MS)
		l->alive_ms = LINK_ALIVE_MS;
}

int
link_next(struct link *l, struct frame *f)
{
	struct view v = {l->input.data + l->taken, l->input.len - l->taken};
	int rc =
	    v.len == 0 ? STATUS_SHORT : frame_decode(&v, f, &l->need, &l->what);

	if (rc == 0) {
		l->taken = l->input.len - v.len;
		l->need = FRAME_HEADER_LEN;
	}
	if (rc == STATUS_SHORT)
		return l->ended ? STATUS_END : EAGAIN;
	return rc;
}

bool
link_has_more(const struct link *l)
{
	return l->input.len - l->taken >= l->need;
}

void
link_garbage(const struct link *l, char *out, size_t size)
{
	size_t at = l->taken, len = 0;

	for (; at < l->input.len && len + 1 < size; at++) {
		uint8_t c = l->input.data[at];

		if (c == '\n' && len > 0)
			break;
		if (c >= ' ' && c < 127)
			out[len++] = (char)c;
	}
	out[len] = '\0';
}

size_t
link_pending(const struct link *l)
{
	return l->output.len - l->written;
}

/* How much may be written now, by the rate. */
static size_t
allowed(struct link *l, int64_t now)
{
	size_t pending = link_pending(l);

	if (l->rate == 0)
		return pending;
	l->allowance += (double)(now - l->allowed_ms) * (double)l->rate / 1000;
	l->allowed_ms = now;
	/* What was not used in a tenth of a second is gone. */
	if (l->allowance > (double)l->rate / 10 + 4096)
		l->allowance = (double)l->rate / 10 + 4096;
	/* What went before there was a rate is owed. */
	if (l->allowance < 1)
		return 0;
	return (double)pending <= l->allowance ? pending : (size_t)l->allowance;
}

static int
flush(struct link *l, int64_t now)
{
	size_t len = allowed(l, now), done;
	int rc;

	if (len == 0)
		return 0;
	rc = io_write_part(l->out, l->output.data + l->written, len, &done);
	if (rc == EAGAIN || rc == EINTR)
		return 0;
	if (rc == EPIPE || rc == ECONNRESET) {
		l->deaf = true;
		l->output.len = l->written = 0;
		return 0;
	}
	if (rc != 0)
		return rc;
	l->written += done;
	l->allowance -= (double)done;
	l->said_ms = now;
	/* Room at the front is used again, now and then. */
	if (l->written == l->output.len || l->written >= LINK_OUT_BYTES) {
		l->output.len -= l->written;
		memmove(l->output.data, l->output.data + l->written,
		    l->output.len);
		l->written = 0;
	}
	return 0;
}

/* Read what is there, up to a block, or the frame that is on its way. */
static int
fill(struct link *l)
{
	size_t have = l->input.len - l->taken, want = READ_BYTES;
	ssize_t got;
	int rc;

	if (have > 0)
		memmove(l->input.data, l->input.data + l->taken, have);
	l->input.len = have;
	l->taken = 0;
	if (l->need > have + want)
		want = l->need - have;
	rc = buf_reserve(&l->input, want);
	if (rc != 0)
		return rc;
	got = read(l->in, l->input.data + have, want);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : errno;
	if (got == 0)
		l->ended = true;
	l->input.len += (size_t)got;
	return 0;
}

static int
say_alive(struct link *l, int64_t now)
{
	static const struct frame alive = {.type = FRAME_ALIVE};

	if (l->deaf || now - l->said_ms < l->alive_ms || link_pending(l) > 0)
		return 0;
	return frame_encode(&alive, &l->output);
}

int
link_poll(struct link *l, bool wait, int fd, int timeout_ms, bool *ready)
{
	bool more = link_has_more(l);
	/* A wait is then for the rest. */
	struct pollfd fds[3] = {{more && wait ? -1 : l->in, POLLIN, 0},
	    {l->out, 0, 0}, {fd, POLLIN, 0}};
	int64_t now = now_mono_ms();
	int rc = say_alive(l, now);

	if (rc == 0)
		rc = flush(l, now);
	if (rc != 0)
		return rc;
	if (link_pending(l) > 0 && (l->rate == 0 || l->allowance >= 1))
		fds[1].events = POLLOUT;
	else if (link_pending(l) > 0 && timeout_ms > 10)
		timeout_ms = 10;
	if (timeout_ms > l->alive_ms)
		timeout_ms = (int)l->alive_ms;
	*ready = false;
	if (poll(fds, 3, wait ? timeout_ms : 0) < 0)
		return errno == EINTR ? 0 : errno;
	now = now_mono_ms();
	*ready = fds[2].revents != 0;
	if (fds[1].revents != 0)
		rc = flush(l, now);
	if (fds[0].revents != 0)
		l->heard_ms = now;
	if (rc == 0 && fds[0].revents != 0 && !more)
		rc = fill(l);
	if (rc == 0 && now - l->heard_ms > l->dead_ms)
		rc = STATUS_TIMEOUT;
	return rc;
}
