#include "net/session.h"

#include <assert.h>
#include <errno.h>
#include <event2/buffer.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/status.h"
#include "net/budget.h"
#include "net/conn.h"
#include "net/loop.h"
#include "net/spare.h"

struct session {
	struct loop *loop;
	struct conn *conn;
	struct slot_line *line;
	struct task answered;		/* the head of the line is done */
	struct evbuffer *out;		/* empty between calls */
	struct loop_timer *timer;	/* a drain's end; NULL: none */
	const struct session_limits *limits;
	const struct session_handler *handler;
	void *arg;
	bool is_ending;			/* no more requests */
	int why;			/* a failed slot's; 0: none */
	const char *what;
};

/* Are there as many requests and answers as there may be? */
static bool
is_full(const struct session *s, const struct slot_load *load)
{
	return load->requests >= s->limits->requests ||
	    load->request_bytes >= s->limits->request_bytes ||
	    conn_queued(s->conn) + load->answer_bytes >=
	    s->limits->output_bytes;
}

/* Requests or answers have become more or fewer. */
static void
update(struct session *s)
{
	struct slot_load load;

	slot_line_load(s->line, &load);
	conn_set_busy(s->conn, load.requests > 0);
	if (s->is_ending || is_full(s, &load))
		conn_pause(s->conn);
	else
		conn_resume(s->conn);
	if (s->is_ending && load.requests == 0)
		conn_finish(s->conn);
}

static void
on_frame(void *arg, uint8_t *frame, size_t len)
{
	struct session *s = arg;
	struct slot *slot = slot_begin(s->line, len);

	if (slot == NULL) {
		spare_free(frame);
		if (s->limits->budget != NULL)
			budget_give(s->limits->budget, len);
		conn_close(s->conn, ENOMEM, "no memory for a request");
		return;
	}
	update(s);
	s->handler->on_request(s->arg, s, slot, frame, len);
}

static void
on_end(void *arg)
{
	struct session *s = arg;

	s->is_ending = true;
	update(s);
}

static void
on_written(void *arg)
{
	update(arg);
}

static void
on_answered(void *arg)
{
	struct session *s = arg;
	const char *what;
	int why;

	if (slot_take(s->line, s->out, &why, &what) != 0) {
		conn_close(s->conn, ENOMEM, "no memory for an answer");
		return;
	}
	conn_send(s->conn, s->out);
	if (why != 0) {
		s->is_ending = true;
		s->why = why;
		s->what = what;
		conn_finish(s->conn);
	}
	update(s);
}

static void
release(struct session *s)
{
	loop_timer_close(s->timer);
	if (s->out != NULL)
		evbuffer_free(s->out);
	free(s);
}

static void
on_close(void *arg, int why, const char *what)
{
	struct session *s = arg;

	slot_line_close(s->line);
	loop_cancel(s->loop, &s->answered);
	if (why == 0 && s->why != 0) {
		why = s->why;
		what = s->what;
	}
	s->handler->on_close(s->arg, why, what);
	release(s);
}

static int
start(struct session *s, int fd)
{
	struct conn_options o = {.frame_min = s->limits->frame_min,
	    .frame_max = s->limits->frame_max,
	    .idle_ms = s->limits->idle_ms,
	    .stall_ms = s->limits->stall_ms,
	    .budget = s->limits->budget,
	    .patience_ms = s->limits->patience_ms,
	    .on_frame = on_frame,
	    .on_end = on_end,
	    .on_written = on_written,
	    .on_close = on_close,
	    .arg = s};
	int rc;

	s->out = conn_buffer();
	rc = s->out != NULL
	    ? slot_line_open(s->loop, &s->answered, s->limits->budget, &s->line)
	    : ENOMEM;
	if (rc != 0) {
		close(fd);
		return rc;
	}
	rc = conn_open(s->loop, fd, &o, &s->conn);
	if (rc != 0)
		slot_line_close(s->line);
	return rc;
}

int
session_open(struct loop *l, int fd, const struct session_limits *limits,
    const struct session_handler *handler, void *arg, struct session **out)
{
	struct session *s = calloc(1, sizeof(*s));
	int rc;

	assert(limits->requests >= 1 && limits->request_bytes >= 1 &&
	    limits->output_bytes >= 1);
	if (s == NULL) {
		close(fd);
		return ENOMEM;
	}
	s->loop = l;
	s->limits = limits;
	s->handler = handler;
	s->arg = arg;
	task_init(&s->answered, on_answered, s);
	rc = start(s, fd);
	if (rc != 0) {
		release(s);
		return rc;
	}
	*out = s;
	return 0;
}

void
session_close(struct session *s, int why, const char *what)
{
	conn_close(s->conn, why, what);
}

static void
on_deadline(void *arg)
{
	struct session *s = arg;

	conn_close(s->conn, STATUS_TIMEOUT, "still busy at the deadline");
}

void
session_drain(struct session *s, int64_t deadline_ms)
{
	if (s->timer == NULL &&
	    loop_timer_open(s->loop, on_deadline, s, &s->timer) != 0) {
		conn_close(s->conn, ENOMEM, "no memory for a timer");
		return;
	}
	loop_timer_set(s->timer, deadline_ms);
	s->is_ending = true;
	update(s);
}

void
session_counters(const struct session *s, struct conn_counters *out)
{
	conn_counters(s->conn, out);
}
