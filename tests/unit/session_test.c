#include "net/session.h"

#include <sys/resource.h>

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <fcntl.h>
#include <netinet/in.h>

#include "base/status.h"
#include "net.h"
#include "net/budget.h"
#include "net/conn.h"
#include "net/loop.h"
#include "net/pool.h"
#include "net/spare.h"
#include "tap.h"

/*
 * A request is a kind, a number, and filling; its answer is the number and the
 * filling, if the kind has one.
 */
enum kind {
	ECHO,			/* from the pool, some time */
	ECHO_NOW,		/* within on_request */
	ECHO_FILE,		/* from the pool, the filling out of a file */
	QUIET,			/* from the pool, no answer */
	FAIL,			/* from the pool, fails */
	HOLD,			/* kept until the test releases it */
	CLOSE,			/* the session is closed within on_request */
};

enum {
	HEAD = 5,		/* kind, number */
	FILLING_MAX = 20000,
	FRAME_MAX = HEAD + FILLING_MAX,
	HELD_MAX = 100,
};

struct request {
	struct task task;
	struct slot *slot;
	uint8_t *frame;
	size_t len;
	int turns;		/* through the pool before the answer */
};

/* One session under test. */
struct end {
	struct session_limits limits;
	struct session *session;
	int fd;
	int other;
	struct request *held[HELD_MAX];	/* on the loop */
	atomic_int held_count;
	atomic_int requests;
	atomic_bool is_closed;
	int why;
	const char *what;
};

static struct loop *loop;
static struct pool *pool;
static int filling_fd; /* byte i is i * 7 */
static atomic_long begun, answered;

/* --- the handler ---------------------------------------------------------- */

static struct evbuffer *
answer_of(const struct request *r)
{
	struct evbuffer *b = conn_buffer();
	size_t filling = r->len - HEAD;

	if (b == NULL)
		abort();
	if (r->frame[0] != ECHO_FILE || filling == 0) {
		evbuffer_add(b, r->frame + 1, r->len - 1);
		return b;
	}
	evbuffer_add(b, r->frame + 1, HEAD - 1);
	if (conn_buffer_add_file(b, dup(filling_fd), r->frame[4], filling,
		NULL) != 0)
		abort();
	return b;
}

static void
give(struct request *r)
{
	struct slot *slot = r->slot;
	struct evbuffer *b = answer_of(r);
	uint8_t kind = r->frame[0];

	spare_free(r->frame);
	free(r);
	answered++;
	if (kind == QUIET)
		slot_no_answer(slot);
	else if (kind == FAIL)
		slot_fail(slot, EPROTO, "asked to fail");
	else
		slot_answer(slot, b);
	if (kind == QUIET || kind == FAIL)
		evbuffer_free(b);
}

static void
work(void *arg)
{
	struct request *r = arg;

	if (r->turns-- > 0)
		pool_run(pool, &r->task);
	else
		give(r);
}

static void
on_request(void *arg, struct session *s, struct slot *slot, uint8_t *frame,
    size_t len)
{
	struct end *e = arg;
	struct request *r = calloc(1, sizeof(*r));

	if (r == NULL || s != e->session)
		abort();
	begun++;
	r->slot = slot;
	r->frame = frame;
	r->len = len;
	/* Not in the order of their coming: the number decides. */
	r->turns = (int)(buf_get_32(frame + 1) * 2654435761u >> 29);
	task_init(&r->task, work, r);
	switch (frame[0]) {
	case ECHO_NOW:
		give(r);
		break;
	case CLOSE:
		session_close(s, ECANCELED, "test");
		give(r);
		break;
	case HOLD:
		if (e->held_count == HELD_MAX)
			abort();
		/* Who sees the count takes what it counts. */
		e->held[e->held_count] = r;
		e->held_count++;
		break;
	default:
		pool_run(pool, &r->task);
		break;
	}
	e->requests++;
}

static void
on_close(void *arg, int why, const char *what)
{
	struct end *e = arg;

	e->session = NULL;
	e->why = why;
	e->what = what;
	e->is_closed = true;
}

static const struct session_handler handler = {on_request, on_close};

static void
open_session(void *arg)
{
	struct end *e = arg;

	if (session_open(loop, e->fd, &e->limits, &handler, e, &e->session) !=
	    0)
		abort();
}

static void
begin_on(struct end *e, int fd, int other)
{
	if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		abort();
	net_limit(other);
	e->fd = fd;
	e->other = other;
	e->limits.frame_min = HEAD;
	e->limits.frame_max = FRAME_MAX;
	e->limits.stall_ms = 600000;
	if (e->limits.patience_ms == 0)
		e->limits.patience_ms = 600000;
	if (e->limits.idle_ms == 0)
		e->limits.idle_ms = 600000;
	loop_call(loop, open_session, e);
}

static void
set_limits(struct end *e, size_t requests, size_t request_bytes,
    size_t output_bytes)
{
	e->limits.requests = requests;
	e->limits.request_bytes = request_bytes;
	e->limits.output_bytes = output_bytes;
}

static void
begin(struct end *e)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
		abort();
	begin_on(e, fds[0], fds[1]);
}

/* Over TCP, which can be reset. */
static void
begin_tcp(struct end *e)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	socklen_t len = sizeof(in);
	int l = socket(AF_INET, SOCK_STREAM, 0);
	int other = socket(AF_INET, SOCK_STREAM, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(l, (struct sockaddr *)&in, sizeof(in)) != 0 ||
	    listen(l, 1) != 0 ||
	    getsockname(l, (struct sockaddr *)&in, &len) != 0 ||
	    connect(other, (struct sockaddr *)&in, sizeof(in)) != 0)
		abort();
	begin_on(e, accept(l, NULL, NULL), other);
	close(l);
}

static void
close_session(void *arg)
{
	struct end *e = arg;

	if (e->session != NULL)
		session_close(e->session, ECANCELED, "test");
}

static void
end(struct end *e)
{
	loop_call(loop, close_session, e);
	if (e->other >= 0)
		close(e->other);
	e->other = -1;
}

/* Give the answer to one of those held, from this thread. */
static void
release_held(struct end *e, int i)
{
	give(e->held[i]);
}

/* --- clients -------------------------------------------------------------- */

static bool
ask(int fd, enum kind kind, uint32_t number, size_t filling)
{
	uint8_t bytes[4 + FRAME_MAX];

	buf_put_32(bytes, (uint32_t)(HEAD + filling));
	bytes[4] = (uint8_t)kind;
	buf_put_32(bytes + 5, number);
	for (size_t i = 0; i < filling; i++)
		bytes[9 + i] = (uint8_t)((i + (uint8_t)number) * 7);
	return net_write(fd, bytes, 4 + HEAD + filling);
}

/* Is the next answer the one to that request? */
static bool
hear(int fd, uint32_t number, size_t filling)
{
	uint8_t bytes[4 + FRAME_MAX];
	size_t len = 4 + 4 + filling;

	if (net_read(fd, bytes, len) != len ||
	    buf_get_32(bytes) != 4 + filling || buf_get_32(bytes + 4) != number)
		return false;
	for (size_t i = 0; i < filling; i++)
		if (bytes[8 + i] != (uint8_t)((i + (uint8_t)number) * 7))
			return false;
	return true;
}

/* The kind and the filling of request number n of a stress. */
static enum kind
kind_of(uint32_t n)
{
	static const enum kind kinds[] = {ECHO, ECHO, ECHO_FILE, QUIET, ECHO,
	    ECHO_NOW, ECHO_FILE, ECHO};

	return kinds[(n * 2246822519u) >> 29];
}

static size_t
filling_of(uint32_t n)
{
	uint32_t x = n * 3266489917u;

	return x >> 30 == 0 ? (x >> 8) % FILLING_MAX : (x >> 8) % 100;
}

/* When this has been answered, the loop has looked at all sockets before. */
static void
look_around(void)
{
	struct end e = {.other = -1};

	set_limits(&e, 1, 1, 1);
	begin(&e);
	if (!ask(e.other, ECHO_NOW, 1, 0) || !hear(e.other, 1, 0))
		abort();
	end(&e);
}

/* --- in order ------------------------------------------------------------- */

enum { ENDS = 20, REQUESTS = 600 };

static void *
send_all(void *arg)
{
	struct end *e = arg;

	for (uint32_t n = 0; n < REQUESTS; n++)
		if (!ask(e->other, kind_of(n), n, filling_of(n)))
			abort();
	return NULL;
}

static void *
hear_all(void *arg)
{
	struct end *e = arg;
	intptr_t wrong = 0;

	for (uint32_t n = 0; n < REQUESTS && wrong == 0; n++)
		if (kind_of(n) != QUIET)
			wrong += !hear(e->other, n, filling_of(n));
	return (void *)wrong;
}

static void
test_order(void)
{
	static struct end ends[ENDS];
	pthread_t senders[ENDS], hearers[ENDS];
	struct budget *budget;
	intptr_t wrong = 0;
	void *got;

	if (budget_open(3 * FRAME_MAX, &budget) != 0)
		abort();
	for (int i = 0; i < ENDS; i++) {
		ends[i].limits.budget = i % 4 ? budget : NULL;
		set_limits(&ends[i], i % 2 ? 50 : 3, i % 3 ? 1000000 : 500,
		    i % 5 ? 1000000 : 100);
		begin(&ends[i]);
		if (pthread_create(&senders[i], NULL, send_all, &ends[i]) !=
			0 ||
		    pthread_create(&hearers[i], NULL, hear_all, &ends[i]) != 0)
			abort();
	}
	for (int i = 0; i < ENDS; i++) {
		pthread_join(senders[i], NULL);
		pthread_join(hearers[i], &got);
		wrong += (intptr_t)got;
	}
	tap_int(wrong, 0, "answers come in the order of the requests");
	for (int i = 0; i < ENDS; i++) {
		if (!net_await(ends[i].requests == REQUESTS))
			abort();
		end(&ends[i]);
	}
	tap(net_await(begun == answered), "all slots were answered");
	look_around();
	budget_close(budget);
}

/* --- limits --------------------------------------------------------------- */

static void
test_count(void)
{
	struct end e = {.other = -1};
	int right = 0;

	set_limits(&e, 5, 1000000, 1000000);
	begin(&e);
	for (uint32_t n = 0; n < 20; n++)
		if (!ask(e.other, HOLD, n, 0))
			abort();
	tap(net_await(e.requests == 5), "as many requests as may be");
	look_around();
	tap_int(e.requests, 5, "are in work");
	release_held(&e, 2);
	look_around();
	tap_int(e.requests, 5, "one that waits for its turn counts");
	release_held(&e, 0);
	tap(net_await(e.requests == 6), "one leaves, one comes");
	release_held(&e, 1);
	tap(net_await(e.requests == 8), "two leave");
	for (int i = 3; i < 20; i++) {
		if (!net_await(e.held_count > i))
			abort();
		release_held(&e, i);
	}
	for (uint32_t n = 0; n < 20; n++)
		right += hear(e.other, n, 0);
	tap_int(right, 20, "all are answered");
	end(&e);
}

static void
test_bytes(void)
{
	struct end e = {.other = -1};

	set_limits(&e, 50, 2500, 1000000);
	begin(&e);
	for (uint32_t n = 0; n < 6; n++)
		if (!ask(e.other, HOLD, n, 1000))
			abort();
	tap(net_await(e.requests == 3), "until their bytes reach the limit");
	look_around();
	tap_int(e.requests, 3, "and no more");
	for (int i = 0; i < 6; i++) {
		if (!net_await(e.held_count > i))
			abort();
		release_held(&e, i);
	}
	tap(net_await(e.requests == 6), "the others follow");
	end(&e);
}

enum { LARGE = 300 };

static void *
send_large(void *arg)
{
	struct end *e = arg;

	for (uint32_t n = 0; n < LARGE; n++)
		if (!ask(e->other, ECHO_NOW, n, FILLING_MAX))
			abort();
	return NULL;
}

static void
test_output(void)
{
	struct end e = {.other = -1};
	socklen_t len = sizeof(int);
	pthread_t sender;
	int right = 0, buffer, before;

	set_limits(&e, 3, 1000000, 100000);
	begin(&e);
	if (getsockopt(e.other, SOL_SOCKET, SO_RCVBUF, &buffer, &len) != 0 ||
	    pthread_create(&sender, NULL, send_large, &e) != 0)
		abort();
	/* Until it does not move any more. */
	do {
		before = e.requests;
		for (int i = 0; i < 20; i++)
			look_around();
	} while (e.requests > before || before == 0);
	tap(before * FILLING_MAX <= 2 * buffer + 100000 + FRAME_MAX,
	    "nothing is begun while answers are not read (%d begun)", before);
	for (uint32_t n = 0; n < LARGE; n++)
		right += hear(e.other, n, FILLING_MAX);
	tap_int(right, LARGE, "all comes once they are");
	pthread_join(sender, NULL);
	end(&e);
}

/* --- memory that all share ------------------------------------------------ */

static struct budget *
begin_poor(struct end *ends, int count, size_t max)
{
	struct budget *budget;

	if (budget_open(max, &budget) != 0)
		abort();
	for (int i = 0; i < count; i++) {
		ends[i].other = -1;
		ends[i].limits.budget = budget;
		set_limits(&ends[i], 5, 1000000, 1000000);
		begin(&ends[i]);
	}
	return budget;
}

static void
test_memory(void)
{
	struct end e[4] = {0};
	struct budget *budget = begin_poor(e, 4, 2500);

	if (!ask(e[0].other, HOLD, 1, 1000) || !ask(e[0].other, HOLD, 2, 1000))
		abort();
	if (!net_await(e[0].held_count == 2))
		abort();
	for (int i = 1; i < 4; i++)
		if (!ask(e[i].other, HOLD, 3, 1000))
			abort();
	for (int i = 0; i < 5; i++)
		look_around();
	tap(budget_is_short(budget) && e[1].requests == 0 &&
		e[2].requests == 0 && e[3].requests == 0,
	    "without memory no request is begun");
	/* One of those that wait goes. */
	end(&e[1]);
	release_held(&e[0], 0);
	tap(hear(e[0].other, 1, 1000) &&
		net_await(e[2].requests + e[3].requests == 1),
	    "as soon as there is some, one is");
	release_held(&e[0], 1);
	tap(hear(e[0].other, 2, 1000) &&
		net_await(e[2].requests + e[3].requests == 2),
	    "and the next one");
	for (int i = 2; i < 4; i++)
		release_held(&e[i], 0);
	tap(hear(e[2].other, 3, 1000) && hear(e[3].other, 3, 1000),
	    "and all are answered");
	for (int i = 0; i < 4; i++)
		end(&e[i]);
	look_around();
	budget_close(budget);
}

static void
test_patience(void)
{
	struct end e[3] = {{.limits.patience_ms = 20},
	    {.limits.patience_ms = 600000}, {.limits.patience_ms = 600000}};
	struct end witness = {.other = -1, .limits.idle_ms = 100};
	struct budget *budget = begin_poor(e, 3, 2500);
	uint8_t part[104] = {0};

	buf_put_32(part, 2000);
	if (!net_write(e[0].other, part, sizeof(part)))
		abort();
	set_limits(&witness, 5, 1000, 1000);
	begin(&witness);
	tap(net_await(witness.is_closed) && !e[0].is_closed,
	    "half a request may take its time");
	end(&witness);
	if (!ask(e[1].other, HOLD, 1, 1000))
		abort();
	tap(net_await(e[0].is_closed) && e[0].why == STATUS_TIMEOUT,
	    "but not if others wait for its memory");
	tap(net_await(e[1].held_count == 1), "which they get");
	if (!ask(e[2].other, HOLD, 2, 1600))
		abort();
	for (int i = 0; i < 5; i++)
		look_around();
	tap(!e[1].is_closed && budget_is_short(budget),
	    "a request in work is not hurried");
	release_held(&e[1], 0);
	tap(hear(e[1].other, 1, 1000) && net_await(e[2].held_count == 1),
	    "and is waited for");
	release_held(&e[2], 0);
	for (int i = 0; i < 3; i++)
		end(&e[i]);
	look_around();
	budget_close(budget);
}

static void
test_idle(void)
{
	/* It has to ask before it is idle, on a machine at work, too. */
	struct end e = {.other = -1, .limits.idle_ms = 1500};
	struct end witness = {.other = -1, .limits.idle_ms = 1500};

	set_limits(&e, 5, 1000, 1000);
	set_limits(&witness, 5, 1000, 1000);
	begin(&e);
	if (!ask(e.other, HOLD, 1, 10) || !net_await(e.held_count == 1))
		abort();
	begin(&witness);
	tap(net_await(witness.is_closed) && !e.is_closed,
	    "a session with a request in work is not idle");
	end(&witness);
	release_held(&e, 0);
	tap(hear(e.other, 1, 10) && net_await(e.is_closed) &&
		e.why == STATUS_TIMEOUT,
	    "after it, it is");
	end(&e);
}

/* --- ends ----------------------------------------------------------------- */

static void
test_fail(void)
{
	struct end e = {.other = -1};

	set_limits(&e, 10, 10000, 10000);
	begin(&e);
	if (!ask(e.other, HOLD, 1, 10) || !ask(e.other, HOLD, 2, 10) ||
	    !ask(e.other, FAIL, 3, 10) || !ask(e.other, HOLD, 4, 10))
		abort();
	if (!net_await(e.held_count == 3))
		abort();
	release_held(&e, 2);
	release_held(&e, 1);
	look_around();
	tap(!e.is_closed, "a failure waits for its turn");
	release_held(&e, 0);
	tap(hear(e.other, 1, 10) && hear(e.other, 2, 10) && net_at_end(e.other),
	    "answers before it are sent, none after it");
	close(e.other);
	e.other = -1;
	tap(net_await(e.is_closed) && e.why == EPROTO &&
		strcmp(e.what, "asked to fail") == 0,
	    "the reason is told");
	end(&e);
}

/* The client sends no more, and waits. */
static void
test_half_close(void)
{
	struct end e = {.other = -1}, idle = {.other = -1};

	set_limits(&e, 10, 10000, 10000);
	set_limits(&idle, 10, 10000, 10000);
	begin(&e);
	begin(&idle);
	if (!ask(e.other, HOLD, 1, 10) || !ask(e.other, HOLD, 2, 5000) ||
	    shutdown(e.other, SHUT_WR) != 0 ||
	    shutdown(idle.other, SHUT_WR) != 0)
		abort();
	tap(net_await(idle.is_closed) && idle.why == 0 &&
		net_at_end(idle.other),
	    "who waits for nothing is let go");
	if (!net_await(e.held_count == 2))
		abort();
	for (int i = 0; i < 5; i++)
		look_around();
	tap(!e.is_closed, "who has shut its side is not");
	release_held(&e, 1);
	release_held(&e, 0);
	tap(hear(e.other, 1, 10) && hear(e.other, 2, 5000) &&
		net_at_end(e.other),
	    "and gets its answers");
	tap(net_await(e.is_closed) && e.why == 0, "and then is");
	end(&e);
	end(&idle);
}

static void
test_close_within(void)
{
	struct end e = {.other = -1};

	set_limits(&e, 10, 10000, 10000);
	begin(&e);
	if (!ask(e.other, HOLD, 1, 10) || !ask(e.other, CLOSE, 2, 10))
		abort();
	tap(net_await(e.is_closed) && e.why == ECANCELED,
	    "closed within on_request");
	tap(slot_is_dead(e.held[0]->slot), "a slot knows of it");
	release_held(&e, 0);
	end(&e);
}

static void
drain_long(void *arg)
{
	struct end *e = arg;

	session_drain(e->session, 600000);
}

static void
drain_short(void *arg)
{
	struct end *e = arg;

	session_drain(e->session, 20);
}

static void
test_drain(void)
{
	struct end e = {.other = -1};

	set_limits(&e, 10, 10000, 10000);
	begin(&e);
	if (!ask(e.other, HOLD, 1, 10) || !ask(e.other, HOLD, 2, 10))
		abort();
	if (!net_await(e.held_count == 2))
		abort();
	tap(!slot_is_dead(e.held[0]->slot), "a session with work");
	loop_call(loop, drain_long, &e);
	if (!ask(e.other, HOLD, 3, 10))
		abort();
	look_around();
	tap(e.requests == 2 && !e.is_closed,
	    "draining begins nothing and waits");
	release_held(&e, 1);
	release_held(&e, 0);
	tap(hear(e.other, 1, 10) && hear(e.other, 2, 10) && net_at_end(e.other),
	    "what was in work is answered");
	close(e.other);
	e.other = -1;
	tap(net_await(e.is_closed) && e.why == 0, "then it is over");
	end(&e);
}

static void
test_drain_ends(void)
{
	struct end idle = {.other = -1}, slow = {.other = -1};

	set_limits(&idle, 10, 10000, 10000);
	begin(&idle);
	loop_call(loop, drain_long, &idle);
	tap(net_at_end(idle.other), "without work a drain ends at once");
	end(&idle);
	set_limits(&slow, 10, 10000, 10000);
	begin(&slow);
	if (!ask(slow.other, HOLD, 1, 10) || !net_await(slow.held_count == 1))
		abort();
	loop_call(loop, drain_short, &slow);
	tap(net_await(slow.is_closed) && slow.why == STATUS_TIMEOUT,
	    "it has an end in any case");
	release_held(&slow, 0);
	end(&slow);
}

/* --- trouble -------------------------------------------------------------- */

/* Send some requests, hear some answers, then go, one way or another. */
static void *
misbehave(void *arg)
{
	struct end *e = arg;
	uint32_t x = (uint32_t)(uintptr_t)e->held[0] * 2654435761u;
	uint32_t asked = 1 + (x >> 8) % 40;
	char some[5000];

	for (uint32_t n = 0; n < asked; n++)
		if (!ask(e->other, kind_of(n + x), n + x, filling_of(n + x)))
			break;
	if (x >> 30 != 0)
		(void)recv(e->other, some, sizeof(some), MSG_DONTWAIT);
	if (x >> 31 != 0)
		(void)net_write(e->other, "\0\0\0\100half", (x >> 3) % 9);
	if ((x >> 29 & 1) != 0)
		net_reset(e->other);
	else
		close(e->other);
	e->other = -1;
	return NULL;
}

static void
test_trouble(void)
{
	static struct end ends[ENDS];
	pthread_t threads[ENDS];
	int closed = 0;

	for (int round = 0; round < 30; round++) {
		for (int i = 0; i < ENDS; i++) {
			ends[i] = (struct end){.other = -1};
			set_limits(&ends[i], i % 2 ? 50 : 3, 100000, 100000);
			begin_tcp(&ends[i]);
			/* Its random number. */
			ends[i].held[0] = (void *)(uintptr_t)tap_random();
			if (pthread_create(&threads[i], NULL, misbehave,
				&ends[i]) != 0)
				abort();
		}
		for (int i = 0; i < ENDS; i++) {
			pthread_join(threads[i], NULL);
			closed += net_await(ends[i].is_closed);
			end(&ends[i]);
		}
	}
	tap_int(closed, 30 * ENDS, "clients that go in the midst of things");
	tap(net_await(begun == answered), "all that was begun was ended");
}

/* --- many ----------------------------------------------------------------- */

enum { MANY = 3000 };

static void
test_many(void)
{
	struct end *ends = calloc(MANY, sizeof(*ends));
	struct rlimit r;
	int right = 0;

	if (ends == NULL || getrlimit(RLIMIT_NOFILE, &r) != 0)
		abort();
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) != 0)
		abort();
	if (r.rlim_max < 2 * MANY + 100) {
		tap(true, "too few descriptors # SKIP");
		free(ends);
		return;
	}
	for (int i = 0; i < MANY; i++) {
		set_limits(&ends[i], 5, 10000, 10000);
		begin(&ends[i]);
	}
	for (int i = 0; i < MANY; i++)
		if (!ask(ends[i].other, ECHO, (uint32_t)i, 100))
			abort();
	for (int i = 0; i < MANY; i++)
		right += hear(ends[i].other, (uint32_t)i, 100);
	tap_int(right, MANY, "%d sessions", MANY);
	for (int i = 0; i < MANY; i++)
		end(&ends[i]);
	free(ends);
}

static void
make_filling(void)
{
	uint8_t bytes[FILLING_MAX + 256];
	char path[300];

	snprintf(path, sizeof(path), "%s/filling", tap_dir());
	filling_fd = open(path, O_RDWR | O_CREAT, 0600);
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	if (write(filling_fd, bytes, sizeof(bytes)) != sizeof(bytes))
		abort();
}

int
main(void)
{
	make_filling();
	if (loop_open(&loop) != 0 || pool_open(8, 50, &pool) != 0)
		abort();
	test_order();
	test_count();
	test_bytes();
	test_output();
	test_memory();
	test_patience();
	test_idle();
	test_fail();
	test_half_close();
	test_close_within();
	test_drain();
	test_drain_ends();
	test_trouble();
	test_many();
	pool_close(pool);
	loop_close(loop);
	tap_int(begun, answered, "no request is left");
	return tap_done();
}
