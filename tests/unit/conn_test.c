#include "net/conn.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/resource.h>

#include "base/status.h"
#include "net.h"
#include "net/loop.h"
#include "net/spare.h"
#include "tap.h"

enum { FRAME_MIN = 2, FRAME_MAX = 1 << 20 };

/* One end under test; the other is a blocking socket of the test's. */
struct end {
	struct conn *conn;
	struct conn_options o;
	int fd;			/* given to conn */
	int other;
	/* Set on the loop. */
	atomic_int frames;
	atomic_int wrong;	/* frames that are not those of net_frame() */
	atomic_size_t bytes;
	atomic_int written;	/* calls of on_written */
	atomic_bool is_closed;
	int why;
	const char *what;
	struct conn_counters counters;
	int pause_after;	/* frames; 0: never */
	int close_after;
	bool begins_busy;	/* before anybody can find it idle */
};

static struct loop *loop;
static atomic_size_t files_open;

static void
on_frame(void *arg, uint8_t *frame, size_t len)
{
	struct end *e = arg;
	int n = e->frames + 1;

	e->wrong += !net_frame_is(frame, len, (uint8_t)n);
	e->bytes += len;
	spare_free(frame);
	e->frames = n;
	if (n == e->pause_after)
		conn_pause(e->conn);
	if (n == e->close_after)
		conn_close(e->conn, ECANCELED, "test");
}

static void
on_written(void *arg)
{
	struct end *e = arg;

	e->written++;
}

static void
on_close(void *arg, int why, const char *what)
{
	struct end *e = arg;

	e->why = why;
	e->what = what;
	conn_counters(e->conn, &e->counters);
	e->conn = NULL;
	e->is_closed = true;
}

static void
open_end(void *arg)
{
	struct end *e = arg;

	if (conn_open(loop, e->fd, &e->o, &e->conn) != 0)
		abort();
	if (e->begins_busy)
		conn_set_busy(e->conn, true);
}

static void
begin_on(struct end *e, int fds[2])
{
	if (fcntl(fds[0], F_SETFL, O_NONBLOCK) != 0)
		abort();
	net_limit(fds[1]);
	e->fd = fds[0];
	e->other = fds[1];
	e->o.frame_min = FRAME_MIN;
	e->o.frame_max = FRAME_MAX;
	e->o.idle_ms = e->o.idle_ms != 0 ? e->o.idle_ms : 600000;
	e->o.stall_ms = e->o.stall_ms != 0 ? e->o.stall_ms : 600000;
	e->o.on_frame = on_frame;
	e->o.on_written = on_written;
	e->o.on_close = on_close;
	e->o.arg = e;
	loop_call(loop, open_end, e);
}

/* Fields that are set in *e already are kept. */
static void
begin(struct end *e)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
		abort();
	begin_on(e, fds);
}

/* The same over TCP. */
static void
begin_tcp(struct end *e)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	socklen_t len = sizeof(in);
	int l = socket(AF_INET, SOCK_STREAM, 0);
	int fds[2] = {-1, socket(AF_INET, SOCK_STREAM, 0)};

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(l, (struct sockaddr *)&in, sizeof(in)) != 0 ||
	    listen(l, 1) != 0 ||
	    getsockname(l, (struct sockaddr *)&in, &len) != 0 ||
	    connect(fds[1], (struct sockaddr *)&in, sizeof(in)) != 0)
		abort();
	fds[0] = accept(l, NULL, NULL);
	close(l);
	begin_on(e, fds);
}

static void
close_end(void *arg)
{
	struct end *e = arg;

	if (e->conn != NULL)
		conn_close(e->conn, ECANCELED, "test");
}

static void
end(struct end *e)
{
	loop_call(loop, close_end, e);
	if (e->other >= 0)
		close(e->other);
}

static void
pause_end(void *arg)
{
	struct end *e = arg;

	conn_pause(e->conn);
}

static void
resume_end(void *arg)
{
	struct end *e = arg;

	conn_resume(e->conn);
}

static void
finish_end(void *arg)
{
	struct end *e = arg;

	conn_finish(e->conn);
}

/* --- input ---------------------------------------------------------------- */

/* All frames in one piece; sizes at both limits among them. */
static uint8_t *
make_frames(int count, size_t *len)
{
	uint8_t *p =
	    malloc((size_t)(FRAME_MAX + 4) * 2 + 1000u * (size_t)count);

	if (p == NULL)
		abort();
	*len = 0;
	for (int i = 1; i <= count; i++) {
		size_t n = FRAME_MIN + tap_random() % 900;

		if (i == 1)
			n = FRAME_MIN;
		if (i == 2 || i == count)
			n = FRAME_MAX;
		*len += net_frame(p + *len, n, (uint8_t)i);
	}
	return p;
}

static void
test_frames(void)
{
	struct end e = {.other = -1};
	size_t len;
	uint8_t *p = make_frames(3000, &len);

	begin(&e);
	tap(net_write(e.other, p, len), "3000 frames at once");
	tap(net_await(e.frames == 3000), "come");
	tap_int(e.wrong, 0, "with their bytes");
	tap_int(e.bytes, len - 3000 * 4, "all of them");
	close(e.other);
	e.other = -1;
	tap(net_await(e.is_closed) && e.why == 0, "then the end");
	tap(e.counters.frames == 3000 && e.counters.bytes_in == len, "counted");
	end(&e);
	free(p);
}

static void
test_pieces(void)
{
	struct end e = {.other = -1};
	size_t len, sent = 0;
	uint8_t *p = make_frames(200, &len);

	begin(&e);
	while (sent < len) {
		size_t n = 1 + tap_random() % 3000;

		/* The small frames byte by byte. */
		if (sent < 6 || (sent > FRAME_MAX + 10 && sent < len / 2))
			n = 1;
		n = n < len - sent ? n : len - sent;
		if (!net_write(e.other, p + sent, n))
			break;
		sent += n;
	}
	tap(net_await(e.frames == 200) && e.wrong == 0,
	    "frames in pieces of any size");
	end(&e);
	free(p);
}

/* A header alone, and why it is refused. */
static void
refused(int32_t size, int why, const char *what)
{
	struct end e = {.other = -1};
	uint8_t bytes[6 + 4];
	size_t len = net_frame(bytes, 2, 1);

	begin(&e);
	buf_put_32(bytes + len, (uint32_t)size);
	tap(net_write(e.other, bytes, len + 4), "a frame of %d bytes", size);
	tap(net_await(e.is_closed) && e.why == why && e.frames == 1,
	    "is refused");
	tap_str(e.what, what);
	tap(net_at_end(e.other), "and the connection closed");
	end(&e);
}

static void
test_sizes(void)
{
	refused(-1, STATUS_SYNTAX, "negative frame size");
	refused(INT32_MIN, STATUS_SYNTAX, "negative frame size");
	refused(0, STATUS_SYNTAX, "frame too small");
	refused(FRAME_MIN - 1, STATUS_SYNTAX, "frame too small");
	refused(FRAME_MAX + 1, STATUS_TOO_BIG, "frame too large");
	refused(INT32_MAX, STATUS_TOO_BIG, "frame too large");
}

static void
test_cut(void)
{
	uint8_t bytes[104];
	int wrong = 0;

	net_frame(bytes, 100, 1);
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		struct end e = {.other = -1};

		begin(&e);
		if (!net_write(e.other, bytes, n))
			abort();
		close(e.other);
		e.other = -1;
		if (!net_await(e.is_closed) ||
		    e.why != (n % 104 == 0 ? 0 : STATUS_SHORT))
			wrong++;
		end(&e);
	}
	tap_int(wrong, 0, "an end within a frame is told, at any byte");
}

static void
test_reset(void)
{
	struct end e = {.other = -1};
	uint8_t bytes[104];

	begin_tcp(&e);
	net_frame(bytes, 100, 1);
	if (!net_write(e.other, bytes, 50))
		abort();
	net_reset(e.other);
	e.other = -1;
	tap(net_await(e.is_closed) && e.why == ECONNRESET,
	    "a reset within a frame");
	end(&e);
}

static void
test_pause(void)
{
	struct end e = {.other = -1, .pause_after = 2};
	struct end witness = {.other = -1};
	uint8_t bytes[5 * 14];
	size_t len = 0;

	for (uint8_t i = 1; i <= 5; i++)
		len += net_frame(bytes + len, 10, i);
	begin(&e);
	begin(&witness);
	if (!net_write(e.other, bytes, len))
		abort();
	tap(net_await(e.frames == 2), "paused at the second frame");
	/* Once these have come the loop has looked at both sockets. */
	if (!net_write(witness.other, bytes, len))
		abort();
	tap(net_await(witness.frames == 5) && e.frames == 2,
	    "no more come meanwhile");
	loop_call(loop, resume_end, &e);
	tap(net_await(e.frames == 5) && e.wrong == 0, "then the others do");
	loop_call(loop, pause_end, &e);
	loop_call(loop, resume_end, &e);
	net_frame(bytes, 10, 6);
	tap(net_write(e.other, bytes, 14) && net_await(e.frames == 6),
	    "paused and resumed, it reads on");
	end(&witness);
	end(&e);
}

static void
test_close_in_frame(void)
{
	struct end e = {.other = -1, .close_after = 2};
	uint8_t bytes[3 * 14];
	size_t len = 0;

	for (uint8_t i = 1; i <= 3; i++)
		len += net_frame(bytes + len, 10, i);
	begin(&e);
	if (!net_write(e.other, bytes, len))
		abort();
	tap(net_await(e.is_closed) && e.why == ECANCELED && e.frames == 2,
	    "closed within on_frame");
	end(&e);
}

/* --- output --------------------------------------------------------------- */

/* What to send: bytes of memory, a range of a file, bytes of memory. */
struct output {
	struct end *end;
	size_t before;
	int fd;			/* -1: none */
	int64_t pos;
	size_t len;
	size_t after;
	size_t queued;		/* out */
};

static void
send_output(void *arg)
{
	struct output *o = arg;
	struct evbuffer *b = conn_buffer();
	char *zeros = calloc(1, o->before + o->after + 1);

	if (b == NULL || zeros == NULL)
		abort();
	evbuffer_add(b, zeros, o->before);
	if (o->fd >= 0 &&
	    conn_buffer_add_file(b, o->fd, o->pos, o->len, &files_open) != 0)
		abort();
	if (conn_buffer_add(b, zeros, o->after) != 0)
		abort();
	conn_send(o->end->conn, b);
	if (evbuffer_get_length(b) != 0)
		abort();
	o->queued = conn_queued(o->end->conn);
	evbuffer_free(b);
	free(zeros);
}

/* A file of len bytes, byte i is i * 13 + 1. */
static int
make_file(size_t len)
{
	char path[300];
	uint8_t *p = malloc(len);
	int fd;

	snprintf(path, sizeof(path), "%s/file", tap_dir());
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (p == NULL || fd < 0)
		abort();
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)(i * 13 + 1);
	if (write(fd, p, len) != (ssize_t)len)
		abort();
	free(p);
	return fd;
}

static void
test_files(void)
{
	const size_t len = 5 << 20, pos = 12345;
	struct end e = {.other = -1};
	int fd = make_file(pos + len + 99);
	struct output o = {&e, 1000, fd, (int64_t)pos, len, 500, 0};
	size_t total = 1000 + len + 500, wrong = 0;
	uint8_t *got = malloc(total);

	begin(&e);
	loop_call(loop, send_output, &o);
	tap(o.queued > 0 && o.queued < total, "a part is sent at once");
	tap_int(net_read(e.other, got, total), total, "all comes");
	for (size_t i = 0; i < total; i++) {
		uint8_t want = i < 1000 || i >= 1000 + len
		    ? 0
		    : (uint8_t)((pos + i - 1000) * 13 + 1);

		wrong += got[i] != want;
	}
	tap_int(wrong, 0, "memory, the range of the file, memory");
	tap(net_await(fcntl(fd, F_GETFD) == -1), "the file is closed");
	/* A moment after that. */
	tap(net_await(files_open == 0), "and is not counted any more");
	tap(net_await(e.written > 0), "progress is told");
	loop_call(loop, close_end, &e);
	tap_int(e.counters.bytes_out, total, "bytes are counted");
	end(&e);
	free(got);
}

/* In how many segments they come: memory, a range of a file, memory. */
static int
segments_of_pieces(void)
{
	struct end e = {.other = -1};
	struct output o = {&e, 100, make_file(8000), 0, 8000, 100, 0};
	struct tcp_info info = {0};
	socklen_t len = sizeof(info);
	char got[8200];

	begin_tcp(&e);
	loop_call(loop, send_output, &o);
	tap_int(net_read(e.other, got, sizeof(got)), sizeof(got),
	    "memory, a file, memory");
	if (getsockopt(e.other, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		abort();
	end(&e);
	return (int)info.tcpi_data_segs_in;
}

/*
 * The other end is not woken for the first bytes, and again for the rest.  What
 * is held back for more is sent after 0.2 s, which may pass on a machine that
 * stands still.
 */
static void
test_pieces_together(void)
{
	int segments = 0;

	for (int i = 0; i < 3 && segments != 1; i++)
		segments = segments_of_pieces();
	tap_int(segments, 1, "come as one segment");
}

/* Of the process, in bytes: what RLIMIT_DATA is about. */
static rlim_t
data_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long long pages;

	if (f == NULL || fscanf(f, "%*u %*u %*u %*u %*u %llu", &pages) != 1)
		abort();
	fclose(f);
	return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

/* What is behind a range takes its own bytes, wherever the range is. */
static void
test_memory_behind_file(void)
{
	struct evbuffer *b = conn_buffer();
	struct rlimit old, small;
	int fd = make_file(1);

	if (b == NULL || ftruncate(fd, (off_t)1 << 30) != 0 ||
	    getrlimit(RLIMIT_DATA, &old) != 0)
		abort();
	if (conn_buffer_add_file(b, fd, 900 << 20, 100, NULL) != 0)
		abort();
	small = old;
	small.rlim_cur = data_bytes() + (512 << 20);
	(void)setrlimit(RLIMIT_DATA, &small);
	tap_int(conn_buffer_add(b, "x", 1), 0, "a byte behind a range");
	(void)setrlimit(RLIMIT_DATA, &old);
	evbuffer_free(b);
}

static void
test_file_given_up(void)
{
	struct end e = {.other = -1};
	int fd = make_file(8 << 20);
	struct output o = {&e, 0, fd, 0, 8 << 20, 0, 0};

	begin(&e);
	loop_call(loop, send_output, &o);
	tap(fcntl(fd, F_GETFD) != -1, "a file that is being sent");
	tap_int(files_open, 1, "is counted");
	end(&e);
	tap(fcntl(fd, F_GETFD) == -1, "is closed with the connection");
	tap_int(files_open, 0, "and is not counted any more");
}

static void
test_file_cut(void)
{
	struct end e = {.other = -1};
	int fd = make_file(8 << 20);
	int keep = dup(fd);
	struct output o = {&e, 0, fd, 0, 8 << 20, 0, 0};
	char *got = malloc(8 << 20);

	begin(&e);
	loop_call(loop, send_output, &o);
	if (ftruncate(keep, 4 << 20) != 0)
		abort();
	tap_int(net_read(e.other, got, 8 << 20), 4 << 20,
	    "of a file that is cut the rest is sent");
	tap(net_await(e.is_closed) && e.why == EIO, "then it fails");
	close(keep);
	end(&e);
	free(got);
}

static void
test_peer_gone(void)
{
	struct end e = {.other = -1}, r = {.other = -1};
	struct output o = {&e, 8 << 20, -1, 0, 0, 0, 0};
	char some[1000];

	begin(&e);
	loop_call(loop, send_output, &o);
	if (net_read(e.other, some, sizeof(some)) != sizeof(some))
		abort();
	close(e.other);
	e.other = -1;
	tap(net_await(e.is_closed) && e.why != STATUS_TIMEOUT,
	    "closed within an answer");
	end(&e);
	begin_tcp(&r);
	o.end = &r;
	loop_call(loop, send_output, &o);
	net_reset(r.other);
	r.other = -1;
	tap(net_await(r.is_closed) && r.why == ECONNRESET,
	    "reset within an answer");
	end(&r);
}

/* A paused connection is not read, so only writing can tell. */
static void
test_write_fails(void)
{
	struct end e = {.other = -1, .pause_after = 1};
	struct output o = {&e, 10, -1, 0, 0, 0, 0};
	uint8_t bytes[14];

	begin(&e);
	net_frame(bytes, 10, 1);
	if (!net_write(e.other, bytes, sizeof(bytes)))
		abort();
	if (!net_await(e.frames == 1))
		abort();
	close(e.other);
	e.other = -1;
	loop_call(loop, send_output, &o);
	tap(net_await(e.is_closed) && e.why == EPIPE,
	    "an answer to one that has gone");
	end(&e);
}

/* --- time ----------------------------------------------------------------- */

static void
test_slow_reader(void)
{
	struct end e = {.other = -1};
	struct output o = {&e, 8 << 20, -1, 0, 0, 0, 0};

	e.o.stall_ms = 50;
	begin(&e);
	loop_call(loop, send_output, &o);
	tap(net_await(e.is_closed) && e.why == STATUS_TIMEOUT,
	    "one that does not read is given up");
	tap_str(e.what, "output is not read");
	end(&e);
}

static void
set_free(void *arg)
{
	struct end *e = arg;

	conn_set_busy(e->conn, false);
}

static void
test_idle(void)
{
	struct end busy = {.other = -1, .begins_busy = true}, e = {.other = -1};
	int64_t give_up = now_mono_ms() + 60000;
	uint8_t byte = 0;

	busy.o.idle_ms = 40;
	/* The first bytes have to come before that, however slow we are. */
	e.o.idle_ms = 1000;
	begin(&busy);
	begin(&e);
	/* Bytes of a frame that does not become whole do not count. */
	if (!net_write(e.other, "\0\017\0", 4))
		abort();
	while (net_write(e.other, &byte, 1) && now_mono_ms() < give_up)
		usleep(1000);
	tap(now_mono_ms() < give_up, "bytes of a frame do not keep it open");
	tap(net_await(e.is_closed) && e.why == STATUS_TIMEOUT && e.frames == 0,
	    "one that is idle is closed");
	tap_str(e.what, "idle");
	end(&e);
	tap(!busy.is_closed, "one that is busy is not");
	loop_call(loop, set_free, &busy);
	tap(net_await(busy.is_closed), "until it is not busy any more");
	end(&busy);
}

/* --- finishing ------------------------------------------------------------ */

static void
test_finish(void)
{
	struct end e = {.other = -1};
	struct output o = {&e, 8 << 20, -1, 0, 0, 0, 0};
	uint8_t bytes[14];
	char *got = malloc(8 << 20);

	begin_tcp(&e);
	loop_call(loop, send_output, &o);
	loop_call(loop, finish_end, &e);
	net_frame(bytes, 10, 1);
	tap(net_write(e.other, bytes, sizeof(bytes)), "a frame too late");
	tap_int(net_read(e.other, got, 8 << 20), 8 << 20,
	    "does not cost the answers");
	tap(net_at_end(e.other), "an end without an error follows");
	tap(!e.is_closed, "the other end is waited for");
	close(e.other);
	e.other = -1;
	tap(net_await(e.is_closed) && e.why == 0 && e.frames == 0,
	    "then all is over");
	end(&e);
	free(got);
}

static void
test_linger(void)
{
	struct end e = {.other = -1};
	int64_t began = now_mono_ms();

	begin(&e);
	loop_call(loop, finish_end, &e);
	tap(net_at_end(e.other) && net_await(e.is_closed) && e.why == 0,
	    "one that does not close is not waited for too long");
	tap(now_mono_ms() - began >= 1900, "but for two seconds");
	end(&e);
}

int
main(void)
{
	if (loop_open(&loop) != 0)
		abort();
	test_frames();
	test_pieces();
	test_sizes();
	test_cut();
	test_reset();
	test_pause();
	test_close_in_frame();
	test_files();
	test_pieces_together();
	test_memory_behind_file();
	test_file_given_up();
	test_file_cut();
	test_peer_gone();
	test_write_fails();
	test_slow_reader();
	test_idle();
	test_finish();
	test_linger();
	loop_close(loop);
	return tap_done();
}
