#include "net/conn.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <assert.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/now.h"
#include "base/status.h"
#include "net/budget.h"
#include "net/loop.h"
#include "net/spare.h"

enum {
	READS_A_TURN = 16,
	WRITE_A_TURN = 1 << 20,	/* bytes; a range of a file may be more */
	HOLD_MIN = 4096,	/* bytes */
	LINGER_MS = 2000,
	HEADER_LEN = 4,
	/* What moves slower holds others up, when memory is short. */
	SLOW_BYTES_A_SECOND = 16384,
};

enum conn_state {
	CONN_OPEN,
	CONN_FINISHING,		/* writes what is queued, reads nothing */
	CONN_LINGERING,		/* our side is shut; input is thrown away */
	CONN_CLOSED,
};

/* How fast something moves: a frame in, output out. */
struct pace {
	int64_t since_ms;
	uint64_t from;		/* of the counter, then */
};

struct conn {
	struct loop *loop;
	int fd;
	enum conn_state state;
	struct conn_options o;
	struct event *readable;
	struct event *writable;
	struct loop_timer *timer;
	int64_t timer_due_ms;	/* INT64_MAX: not set */
	int64_t active_ms;	/* last frame or output taken */
	int64_t progress_ms;	/* queued output last moved */
	int64_t linger_end_ms;
	uint8_t header[HEADER_LEN];
	size_t header_len;	/* of it, there already */
	uint8_t *frame;		/* NULL: between frames */
	size_t frame_len;
	size_t frame_got;
	struct pace frame_pace;
	struct budget_wait wait;
	bool is_waiting;	/* for memory: for a frame, or behind one */
	bool is_granted;	/* it has come, and is not yet made use of */
	size_t taken;		/* of the budget: by frame, or granted */
	struct evbuffer *out;
	struct pace out_pace;
	int64_t look_ms;	/* when to look how fast things move */
	bool is_paused;
	bool is_busy;
	bool is_ended;		/* the other end sends no more */
	int failed;		/* on_writable closes it for this */
	const char *failed_what;
	unsigned depth;		/* callbacks that use it */
	struct conn_counters counters;
};

/* --- states --------------------------------------------------------------- */

static void
move(struct conn *c, enum conn_state to)
{
	assert(to > c->state);
	assert(to != CONN_LINGERING || c->state == CONN_FINISHING);
	c->state = to;
}

static void
free_conn(struct conn *c)
{
	if (c->readable != NULL)
		event_free(c->readable);
	if (c->writable != NULL)
		event_free(c->writable);
	loop_timer_close(c->timer);
	if (c->out != NULL)
		evbuffer_free(c->out);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

/* The frame is not read on, or what it waits for is not wanted. */
static void
drop_frame(struct conn *c)
{
	if (c->o.budget != NULL) {
		budget_cancel(c->o.budget, &c->wait);
		budget_give(c->o.budget, c->taken);
	}
	c->is_waiting = c->is_granted = false;
	c->taken = 0;
	spare_free(c->frame);
	c->frame = NULL;
}

/* Between these a close does not free c. */
static void
enter(struct conn *c)
{
	c->depth++;
}

static void
leave(struct conn *c)
{
	if (--c->depth == 0 && c->state == CONN_CLOSED)
		free_conn(c);
}

void
conn_close(struct conn *c, int why, const char *what)
{
	if (c->state == CONN_CLOSED)
		return;
	move(c, CONN_CLOSED);
	enter(c);
	(void)event_del(c->readable);
	(void)event_del(c->writable);
	loop_timer_clear(c->timer);
	drop_frame(c);
	close(c->fd);
	c->fd = -1;
	c->o.on_close(c->o.arg, why, what);
	leave(c);
}

/* --- time ----------------------------------------------------------------- */

static bool
is_whole(const struct conn *c)
{
	return c->frame != NULL && c->frame_got == c->frame_len;
}

/* Is it the other end's turn to send the rest of a frame? */
static bool
is_within_frame(const struct conn *c)
{
	return c->state == CONN_OPEN && c->frame != NULL && !is_whole(c) &&
	    !c->is_paused;
}

static void
begin_pace(struct conn *c, struct pace *p, uint64_t from)
{
	int64_t now = now_mono_ms();

	*p = (struct pace){now, from};
	if (c->look_ms < now)
		c->look_ms = now + c->o.patience_ms;
}

/* Was it, since it was judged last?  Not before patience_ms have passed. */
static bool
is_slow(struct conn *c, struct pace *p, uint64_t to)
{
	int64_t now = now_mono_ms(), ms = now - p->since_ms;
	uint64_t moved = to - p->from;

	if (ms < c->o.patience_ms)
		return false;
	*p = (struct pace){now, to};
	return moved < (uint64_t)ms * SLOW_BYTES_A_SECOND / 1000;
}

/* Does it keep memory that others wait for? */
static bool
is_in_the_way(struct conn *c)
{
	bool slow = false;

	if (is_within_frame(c))
		slow = is_slow(c, &c->frame_pace, c->frame_got);
	if (evbuffer_get_length(c->out) > 0 &&
	    is_slow(c, &c->out_pace, c->counters.bytes_out))
		slow = true;
	return slow && c->o.budget != NULL && budget_is_short(c->o.budget);
}

static int64_t
deadline_of_silence(const struct conn *c)
{
	if (c->state == CONN_LINGERING)
		return c->linger_end_ms;
	if (evbuffer_get_length(c->out) > 0)
		return c->progress_ms + c->o.stall_ms;
	return c->is_busy || c->is_waiting ? INT64_MAX
					   : c->active_ms + c->o.idle_ms;
}

static int64_t
deadline(const struct conn *c)
{
	int64_t due = deadline_of_silence(c);
	bool moves = is_within_frame(c) || evbuffer_get_length(c->out) > 0;

	if (c->o.budget != NULL && moves && c->look_ms < due)
		return c->look_ms;
	return due;
}

/* A timer that is set too early finds the deadline moved, and is set anew. */
static void
arm(struct conn *c)
{
	int64_t due = deadline(c);
	int64_t now;

	if (due >= c->timer_due_ms)
		return;
	now = now_mono_ms();
	c->timer_due_ms = due;
	loop_timer_set(c->timer, due > now ? due - now : 0);
}

static void
on_timer(void *arg)
{
	struct conn *c = arg;

	c->timer_due_ms = INT64_MAX;
	if (c->look_ms <= now_mono_ms())
		c->look_ms = now_mono_ms() + c->o.patience_ms;
	if (is_in_the_way(c))
		conn_close(c, STATUS_TIMEOUT, "too slow while memory is short");
	else if (deadline(c) > now_mono_ms())
		arm(c);
	else if (c->state == CONN_LINGERING)
		conn_close(c, 0, "finished");
	else if (evbuffer_get_length(c->out) > 0)
		conn_close(c, STATUS_TIMEOUT, "output is not read");
	else
		conn_close(c, STATUS_TIMEOUT, "idle");
}

/* --- input ---------------------------------------------------------------- */

static ssize_t
receive(struct conn *c, struct iovec *iov, int count)
{
	return readv(c->fd, iov, count);
}

/* Are there len bytes of memory for it?  If not yet, on_granted() goes on. */
static bool
has_memory(struct conn *c, size_t len)
{
	if (c->is_granted) {
		c->is_granted = false;
		return true;
	}
	if (c->o.budget == NULL)
		return true;
	c->is_waiting = !budget_take(c->o.budget, &c->wait, len);
	if (!c->is_waiting)
		c->taken += len;
	return !c->is_waiting;
}

static void
on_granted(void *arg)
{
	struct conn *c = arg;

	budget_wait_end(c->o.budget, &c->wait);
	c->taken += c->wait.len;
	c->is_waiting = false;
	c->is_granted = true;
	c->active_ms = now_mono_ms();
	/* All that is wanted may have been read already. */
	if (!c->is_paused) {
		(void)event_add(c->readable, NULL);
		event_active(c->readable, EV_READ, 0);
	}
}

/* The header is there: make room for what it announces. */
static bool
begin_frame(struct conn *c)
{
	int32_t size = (int32_t)buf_get_32(c->header);

	if (size < 0 || (size_t)size < c->o.frame_min)
		conn_close(c, STATUS_SYNTAX,
		    size < 0 ? "negative frame size" : "frame too small");
	else if ((size_t)size > c->o.frame_max)
		conn_close(c, STATUS_TOO_BIG, "frame too large");
	else if (!has_memory(c, (size_t)size))
		return false;
	else if ((c->frame = spare_new((size_t)size)) == NULL)
		conn_close(c, ENOMEM, "no memory for a frame");
	c->frame_len = (size_t)size;
	c->frame_got = 0;
	c->header_len = 0;
	begin_pace(c, &c->frame_pace, 0);
	return c->state == CONN_OPEN;
}

/* It is all there; but what comes of it takes memory, too. */
static bool
end_frame(struct conn *c)
{
	uint8_t *frame = c->frame;

	if (!has_memory(c, 0))
		return false;
	c->frame = NULL;
	c->taken = 0;
	c->active_ms = now_mono_ms();
	c->counters.frames++;
	c->o.on_frame(c->o.arg, frame, c->frame_len);
	return true;
}

/* What is wanted next: the rest of the frame, the next header. */
static size_t
want(struct conn *c, struct iovec iov[2], int *count)
{
	size_t rest = c->frame != NULL ? c->frame_len - c->frame_got : 0;
	int n = 0;

	if (rest > 0)
		iov[n++] = (struct iovec){c->frame + c->frame_got, rest};
	iov[n++] = (struct iovec){c->header + c->header_len,
	    HEADER_LEN - c->header_len};
	*count = n;
	return rest + HEADER_LEN - c->header_len;
}

/* n bytes have come where want() said. */
static void
take(struct conn *c, size_t n)
{
	size_t rest = c->frame != NULL ? c->frame_len - c->frame_got : 0;
	size_t part = n < rest ? n : rest;

	c->counters.bytes_in += n;
	c->frame_got += part;
	c->header_len += n - part;
	if (is_whole(c))
		(void)end_frame(c);
}

/* The other end will send no more; it may wait for answers. */
static void
ended(struct conn *c)
{
	bool is_within = c->frame != NULL || c->header_len > 0;

	if (is_within)
		conn_close(c, STATUS_SHORT, "closed within a frame");
	else if (!c->is_busy && evbuffer_get_length(c->out) == 0)
		conn_close(c, 0, "closed by the other end");
	else {
		c->is_ended = true;
		c->o.on_end(c->o.arg);
	}
}

/* Read once.  false: nothing more for now. */
static bool
read_some(struct conn *c)
{
	struct iovec iov[2];
	size_t wanted;
	ssize_t n;
	int count;

	if (is_whole(c))
		return end_frame(c);
	if (c->frame == NULL && c->header_len == HEADER_LEN && !begin_frame(c))
		return false;
	wanted = want(c, iov, &count);
	n = receive(c, iov, count);
	if (n > 0) {
		take(c, (size_t)n);
		return (size_t)n == wanted;
	}
	if (n == 0)
		ended(c);
	else if (errno == EINTR)
		return true;
	else if (errno != EAGAIN)
		conn_close(c, errno, "cannot read");
	return false;
}

static bool
throw_away(struct conn *c)
{
	char bytes[16384];
	struct iovec iov = {bytes, sizeof(bytes)};
	ssize_t n = receive(c, &iov, 1);

	if (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)))
		return n > 0;
	conn_close(c, 0, "finished");
	return false;
}

static bool
wants_input(const struct conn *c)
{
	return c->state == CONN_OPEN && !c->is_paused && !c->is_waiting &&
	    !c->is_ended;
}

static void
on_readable(evutil_socket_t fd, short events, void *arg)
{
	struct conn *c = arg;
	bool more = true;

	(void)fd;
	(void)events;
	enter(c);
	for (int i = 0; i < READS_A_TURN && more; i++) {
		if (wants_input(c))
			more = read_some(c);
		else if (c->state == CONN_LINGERING)
			more = throw_away(c);
		else
			more = false;
	}
	/* Pausing costs a system call only if something comes meanwhile. */
	if ((c->state == CONN_OPEN && !wants_input(c)) ||
	    c->state == CONN_FINISHING)
		(void)event_del(c->readable);
	if (c->state != CONN_CLOSED)
		arm(c);
	leave(c);
}

void
conn_pause(struct conn *c)
{
	c->is_paused = true;
}

void
conn_resume(struct conn *c)
{
	if (!c->is_paused)
		return;
	c->is_paused = false;
	c->active_ms = now_mono_ms();
	begin_pace(c, &c->frame_pace, c->frame_got);
	if (wants_input(c))
		(void)event_add(c->readable, NULL);
	/* What was granted meanwhile is not told by the socket. */
	if (wants_input(c) && c->is_granted)
		event_active(c->readable, EV_READ, 0);
}

void
conn_set_busy(struct conn *c, bool busy)
{
	if (c->is_busy && !busy && c->state != CONN_CLOSED) {
		c->is_busy = false;
		c->active_ms = now_mono_ms();
		arm(c);
	}
	c->is_busy = busy;
}

/* --- output --------------------------------------------------------------- */

/*
 * Write once.  0: progress or a full socket, *more: it may take more at once;
 * otherwise why it failed.  Of a file that is shorter than was said
 * sendfile(2) sends nothing, without an error.
 */
static int
transmit(struct conn *c, bool *more)
{
	size_t first = evbuffer_get_contiguous_space(c->out);
	int n;

	errno = 0;
	n = evbuffer_write_atmost(c->out, c->fd, WRITE_A_TURN);
	*more = n > 0 && (size_t)n >= first;
	if (n > 0) {
		c->counters.bytes_out += (uint64_t)n;
		c->progress_ms = c->active_ms = now_mono_ms();
		return 0;
	}
	if (errno == EAGAIN || errno == EINTR)
		return 0;
	return errno != 0 ? errno : EIO;
}

/* All is written: tell the other end, and hear it out. */
static void
linger(struct conn *c)
{
	move(c, CONN_LINGERING);
	c->linger_end_ms = now_mono_ms() + LINGER_MS;
	(void)shutdown(c->fd, SHUT_WR);
	(void)event_del(c->writable);
	(void)event_add(c->readable, NULL);
	arm(c);
}

/* To be closed by on_writable, as callers may be in the midst of things. */
static void
fail(struct conn *c, int why, const char *what)
{
	if (c->failed == 0) {
		c->failed = why;
		c->failed_what = what;
	}
	event_active(c->writable, EV_WRITE, 0);
}

/* Until the socket is full, or it has had its turn. */
static int
transmit_all(struct conn *c)
{
	uint64_t limit = c->counters.bytes_out + WRITE_A_TURN;
	bool more;
	int rc;

	do
		rc = transmit(c, &more);
	while (rc == 0 && more && evbuffer_get_length(c->out) > 0 &&
	    c->counters.bytes_out < limit);
	return rc;
}

/* While it is held, the other end is not woken by part of a segment. */
static void
hold(struct conn *c, int on)
{
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
}

/* Much of it, in pieces: a file has bytes of memory before and behind it. */
static bool
is_worth_holding(const struct conn *c)
{
	size_t len = evbuffer_get_length(c->out);

	return len >= HOLD_MIN && evbuffer_get_contiguous_space(c->out) < len;
}

static void
write_some(struct conn *c)
{
	bool held;
	int rc;

	if (c->failed != 0 || evbuffer_get_length(c->out) == 0)
		return;
	held = is_worth_holding(c);
	if (held)
		hold(c, 1);
	rc = transmit_all(c);
	if (held)
		hold(c, 0);
	if (rc != 0)
		fail(c, rc, "cannot write");
	else if (evbuffer_get_length(c->out) > 0)
		(void)event_add(c->writable, NULL);
	else
		(void)event_del(c->writable);
}

static void
on_writable(evutil_socket_t fd, short events, void *arg)
{
	struct conn *c = arg;
	uint64_t before = c->counters.bytes_out;

	(void)fd;
	(void)events;
	enter(c);
	write_some(c);
	if (c->failed != 0)
		conn_close(c, c->failed, c->failed_what);
	if (c->state != CONN_CLOSED && c->counters.bytes_out > before)
		c->o.on_written(c->o.arg);
	if (c->state == CONN_FINISHING && evbuffer_get_length(c->out) == 0)
		linger(c);
	if (c->state != CONN_CLOSED)
		arm(c);
	leave(c);
}

void
conn_finish(struct conn *c)
{
	if (c->state != CONN_OPEN)
		return;
	move(c, CONN_FINISHING);
	drop_frame(c);
	if (evbuffer_get_length(c->out) == 0)
		event_active(c->writable, EV_WRITE, 0);
}

void
conn_send(struct conn *c, struct evbuffer *data)
{
	bool was_empty = evbuffer_get_length(c->out) == 0;

	if (c->state != CONN_OPEN || c->failed != 0) {
		(void)evbuffer_drain(data, evbuffer_get_length(data));
		return;
	}
	if (evbuffer_add_buffer(c->out, data) != 0) {
		fail(c, ENOMEM, "no memory for output");
		return;
	}
	if (!was_empty)
		return;
	c->progress_ms = now_mono_ms();
	begin_pace(c, &c->out_pace, c->counters.bytes_out);
	write_some(c);
	arm(c);
}

size_t
conn_queued(const struct conn *c)
{
	return evbuffer_get_length(c->out);
}

struct evbuffer *
conn_buffer(void)
{
	struct evbuffer *b = evbuffer_new();

	if (b != NULL)
		(void)evbuffer_set_flags(b, EVBUFFER_FLAG_DRAINS_TO_FD);
	return b;
}

int
conn_buffer_add(struct evbuffer *b, const void *data, size_t len)
{
	struct evbuffer *part;
	int rc;

	if (len == 0)
		return 0;
	if (evbuffer_get_length(b) == 0)
		return evbuffer_add(b, data, len) == 0 ? 0 : ENOMEM;
	part = evbuffer_new();
	if (part == NULL)
		return ENOMEM;
	rc = evbuffer_add(part, data, len);
	if (rc == 0)
		rc = evbuffer_add_buffer(b, part);
	evbuffer_free(part);
	return rc == 0 ? 0 : ENOMEM;
}

/* Memory in a buffer: freed when it has been sent. */
struct lent {
	struct budget *budget;
	void *data;
	size_t len;
};

static void
take_back(const void *data, size_t len, void *arg)
{
	struct lent *lent = arg;

	(void)data;
	(void)len;
	if (lent->budget != NULL)
		budget_give(lent->budget, lent->len);
	free(lent->data);
	free(lent);
}

int
conn_buffer_add_memory(struct evbuffer *b, struct budget *budget, void *data,
    size_t len)
{
	struct lent *lent = malloc(sizeof(*lent));

	if (lent == NULL)
		return ENOMEM;
	*lent = (struct lent){budget, data, len};
	if (evbuffer_add_reference(b, data, len, take_back, lent) != 0) {
		free(lent);
		return ENOMEM;
	}
	if (budget != NULL)
		budget_add(budget, len);
	return 0;
}

static void
on_file_closed(const struct evbuffer_file_segment *s, int flags, void *files)
{
	(void)s;
	(void)flags;
	atomic_fetch_sub((atomic_size_t *)files, 1);
}

int
conn_buffer_add_file(struct evbuffer *b, int fd, int64_t pos, size_t len,
    atomic_size_t *files)
{
	struct evbuffer_file_segment *s;
	int rc;

	s = evbuffer_file_segment_new(fd, pos, (ev_off_t)len,
	    EVBUF_FS_CLOSE_ON_FREE | EVBUF_FS_DISABLE_LOCKING);
	if (s == NULL) {
		close(fd);
		return ENOMEM;
	}
	if (files != NULL) {
		atomic_fetch_add(files, 1);
		evbuffer_file_segment_add_cleanup_cb(s, on_file_closed, files);
	}
	rc = evbuffer_add_file_segment(b, s, 0, (ev_off_t)len);
	/* From here on it is the buffer's, if it took it. */
	evbuffer_file_segment_free(s);
	return rc == 0 ? 0 : ENOMEM;
}

/* --- the rest ------------------------------------------------------------- */

static int
prepare(struct conn *c)
{
	struct event_base *base = loop_base(c->loop);

	c->out = conn_buffer();
	c->readable =
	    event_new(base, c->fd, EV_READ | EV_PERSIST, on_readable, c);
	c->writable =
	    event_new(base, c->fd, EV_WRITE | EV_PERSIST, on_writable, c);
	if (c->out == NULL || c->readable == NULL || c->writable == NULL)
		return ENOMEM;
	if (loop_timer_open(c->loop, on_timer, c, &c->timer) != 0)
		return ENOMEM;
	return event_add(c->readable, NULL) == 0 ? 0 : ENOMEM;
}

int
conn_open(struct loop *l, int fd, const struct conn_options *o,
    struct conn **out)
{
	struct conn *c = calloc(1, sizeof(*c));
	int rc;

	assert(o->frame_min >= 1);
	if (c == NULL) {
		close(fd);
		return ENOMEM;
	}
	c->loop = l;
	c->fd = fd;
	c->o = *o;
	budget_wait_init(&c->wait, l, on_granted, c);
	c->timer_due_ms = INT64_MAX;
	c->active_ms = now_mono_ms();
	rc = prepare(c);
	if (rc != 0) {
		free_conn(c);
		return rc;
	}
	arm(c);
	*out = c;
	return 0;
}

void
conn_counters(const struct conn *c, struct conn_counters *out)
{
	*out = c->counters;
}
