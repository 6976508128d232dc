#include "net/listener.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include "net.h"
#include "net/loop.h"
#include "tap.h"

enum { LOOPS = 3, MANY = 3000 };

static struct loop *loops[LOOPS];
static struct listener *listener;

/* Those that were accepted, in no order. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int accepted[MANY], accepted_at[LOOPS];
static atomic_int accepted_count, wrong_thread;

static void
on_accepted(void *arg, size_t at, int fd, const struct addr *peer)
{
	(void)arg;
	(void)peer;
	wrong_thread += !loop_is_here(loops[at]);
	pthread_mutex_lock(&mutex);
	accepted[accepted_count] = fd;
	accepted_at[at]++;
	accepted_count++;
	pthread_mutex_unlock(&mutex);
}

static void
open_listener(size_t connections_max)
{
	struct listener_options o = {.loops = loops,
	    .loop_count = LOOPS,
	    .connections_max = connections_max,
	    .accepted = on_accepted};

	accepted_count = 0;
	memset(accepted_at, 0, sizeof(accepted_at));
	if (listener_open(&o, &listener) != 0)
		abort();
}

/* Number i of those accepted has ended. */
static void
leave(int i)
{
	close(accepted[i]);
	accepted[i] = -1;
	listener_left(listener);
}

static void
close_all(void)
{
	for (int i = 0; i < accepted_count; i++)
		if (accepted[i] >= 0)
			leave(i);
	listener_close(listener);
}

static int
add(const char *text)
{
	struct addr_name name;
	const char *what;

	if (addr_parse(text, -1, &name, &what) != 0)
		abort();
	return listener_add(listener, &name, &what);
}

static int
dial(const struct addr *a)
{
	int fd = socket(a->sa.ss_family, SOCK_STREAM, 0);

	if (fd < 0)
		abort();
	net_limit(fd);
	if (connect(fd, (const struct sockaddr *)&a->sa, a->len) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int
dial_number(size_t i)
{
	struct addr a;

	if (!listener_address(listener, i, &a))
		abort();
	return dial(&a);
}

/* --- addresses ------------------------------------------------------------ */

static void
test_addresses(void)
{
	struct addr a, b;
	struct stat st;
	char text[ADDR_TEXT_MAX], path[100], unix_name[110];
	int fds[3];

	snprintf(path, sizeof(path), "%s/socket", tap_dir());
	snprintf(unix_name, sizeof(unix_name), "unix:%s", path);
	open_listener(100);
	tap(add("127.0.0.1:0") == 0, "port 0");
	tap(listener_address(listener, 0, &a) && addr_port(&a) > 0,
	    "is one that is free");
	addr_text(&a, text);
	tap_int(add(text), EADDRINUSE, "a port that is taken");
	tap_int(add("192.0.2.1:0"), EADDRNOTAVAIL, "a foreign address");
	tap_int(add("127.0.0.2:0"), 0, "another address");
	tap_int(add(unix_name), 0, "a path");
	tap_int(add(unix_name), EADDRINUSE, "which is taken then");
	tap(listener_address(listener, 2, &b), "the third");
	addr_text(&b, text);
	tap_str(text, unix_name);
	tap(!listener_address(listener, 3, &b), "there is no fourth");
	tap_int(listener_start(listener), 0, "started");
	for (size_t i = 0; i < 3; i++)
		fds[i] = dial_number(i);
	/* The fourth asked whether somebody listens at the path. */
	tap(net_await(accepted_count == 4), "one connection on each");
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	close_all();
	tap(dial(&a) < 0 && errno == ECONNREFUSED, "closed");
	tap(stat(path, &st) != 0, "the path is removed");
}

static void
test_every(void)
{
	struct addr a, b;

	open_listener(100);
	tap_int(add("*:0"), 0, "every address");
	if (listener_address(listener, 0, &a) &&
	    listener_address(listener, 1, &b))
		tap_int(addr_port(&b), addr_port(&a), "has one port");
	listener_close(listener);
}

/* A socket file whose owner was killed, and other files. */
static void
test_stale(void)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	char name[120];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s/stale", tap_dir());
	snprintf(name, sizeof(name), "unix:%s", un.sun_path);
	if (bind(fd, (struct sockaddr *)&un, sizeof(un)) != 0)
		abort();
	close(fd);
	open_listener(1);
	tap_int(add(name), 0, "a stale socket is replaced");
	/* Somebody else's by now. */
	if (unlink(un.sun_path) != 0)
		abort();
	fd = open(un.sun_path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	listener_close(listener);
	tap(access(un.sun_path, F_OK) == 0, "what is not ours stays");
	open_listener(1);
	tap_int(add(name), EADDRINUSE, "a file is not replaced");
	listener_close(listener);
}

/* --- connections ---------------------------------------------------------- */

static void
check_options(void)
{
	int on = 0, flags = fcntl(accepted[0], F_GETFL);
	socklen_t len = sizeof(on);

	tap((flags & O_NONBLOCK) != 0, "accepted sockets do not block");
	tap((fcntl(accepted[0], F_GETFD) & FD_CLOEXEC) != 0,
	    "and are closed on exec");
	tap(getsockopt(accepted[0], IPPROTO_TCP, TCP_NODELAY, &on, &len) == 0 &&
		on != 0,
	    "and send at once");
}

static void
test_many(void)
{
	static int fds[MANY];
	struct listener_counters c;
	int most = 0;

	open_listener(MANY);
	if (add("127.0.0.1:0") != 0 || listener_start(listener) != 0)
		abort();
	for (int i = 0; i < MANY; i++)
		fds[i] = dial_number(0);
	tap(net_await(accepted_count == MANY), "%d connections", MANY);
	tap_int(wrong_thread, 0, "each on its loop");
	for (int i = 0; i < LOOPS; i++)
		most = accepted_at[i] > most ? accepted_at[i] : most;
	tap_int(most, MANY / LOOPS, "as many on each");
	listener_counters(listener, &c);
	tap(c.connections == MANY && c.accepted == MANY && c.refused == 0,
	    "counted");
	check_options();
	for (int i = 0; i < MANY; i++)
		close(fds[i]);
	close_all();
}

static void
test_cap(void)
{
	struct listener_counters c;
	int fds[12];

	open_listener(10);
	if (add("127.0.0.1:0") != 0 || listener_start(listener) != 0)
		abort();
	for (int i = 0; i < 12; i++)
		fds[i] = dial_number(0);
	tap(net_at_end(fds[10]) && net_at_end(fds[11]),
	    "over the cap connections are closed");
	tap(net_await(accepted_count == 10), "those under it are served");
	listener_counters(listener, &c);
	tap(c.connections == 10 && c.refused == 2, "both are counted");
	leave(0);
	close(fds[0]);
	fds[0] = dial_number(0);
	tap(net_await(accepted_count == 11),
	    "when one leaves another may come");
	for (int i = 0; i < 12; i++)
		close(fds[i]);
	close_all();
}

/* --- descriptors ---------------------------------------------------------- */

/* Let this process open only so many descriptors more. */
static void
limit_descriptors(int extra, struct rlimit *old)
{
	struct rlimit r;
	int end = 0;

	for (int left = extra; left > 0; end++)
		left -= fcntl(end, F_GETFD) == -1;
	if (getrlimit(RLIMIT_NOFILE, old) != 0)
		abort();
	r = *old;
	r.rlim_cur = (rlim_t)end;
	if (setrlimit(RLIMIT_NOFILE, &r) != 0)
		abort();
}

static void
test_starved(void)
{
	struct listener_counters n;
	struct rlimit old;
	int fds[20], ended = 0, served = 0;
	char c;
	int64_t began = now_mono_ms(), ran;

	open_listener(1000);
	if (add("127.0.0.1:0") != 0)
		abort();
	/* They wait in the backlog until the listener is started. */
	for (int i = 0; i < 20; i++)
		fds[i] = dial_number(0);
	limit_descriptors(5, &old);
	if (listener_start(listener) != 0)
		abort();
	for (int i = 5; i < 20; i++)
		ended += net_at_end(fds[i]);
	tap_int(ended, 15, "connections without a descriptor are closed");
	tap(net_await(accepted_count == 5), "the others are served");
	for (int i = 0; i < 5; i++)
		if (!net_write(accepted[i], "x", 1))
			abort();
	for (int i = 0; i < 5; i++)
		served += net_read(fds[i], &c, 1) == 1;
	tap_int(served, 5, "as before");
	listener_counters(listener, &n);
	ran = now_mono_ms() - began;
	/* valgrind takes one more than may be open, and closes it itself. */
	tap(n.starved == 15 || n.starved == 14, "counted");
	tap(n.pauses >= 1 && n.pauses <= 1 + (uint64_t)ran / LISTENER_PAUSE_MS,
	    "accepting pauses, it does not spin");
	leave(0);
	leave(1);
	close(fds[10]);
	fds[10] = dial_number(0);
	tap(net_await(accepted_count == 6), "with descriptors it goes on");
	if (setrlimit(RLIMIT_NOFILE, &old) != 0)
		abort();
	for (int i = 0; i < 20; i++)
		close(fds[i]);
	close_all();
}

/* --- inherited sockets ---------------------------------------------------- */

/* In a process of its own, as descriptors 3 and 4 are needed. */
static void
inherit(void (*body)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		body();
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid)
		abort();
	tap(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	    "in a process that inherits");
}

#define must(cond)                                                             \
	do {                                                                   \
		if (!(cond)) {                                                 \
			fprintf(stderr, "# %d: %s\n", __LINE__, #cond);        \
			_exit(1);                                              \
		}                                                              \
	} while (0)

static void
set_number(const char *name, int n)
{
	char text[20];

	snprintf(text, sizeof(text), "%d", n);
	must(setenv(name, text, 1) == 0);
}

/* A listening socket at descriptor fd; 0 or its port. */
static void
place(int fd, bool listens)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	int s = socket(AF_INET, SOCK_STREAM, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(bind(s, (struct sockaddr *)&in, sizeof(in)) == 0);
	must(!listens || listen(s, 5) == 0);
	if (s != fd) {
		must(dup2(s, fd) == fd);
		close(s);
	}
}

static void
inherit_two(void)
{
	size_t count = 9;
	struct addr a;

	open_listener(1);
	place(3, true);
	place(4, true);
	set_number("LISTEN_PID", getpid() + 1);
	set_number("LISTEN_FDS", 2);
	must(listener_inherit(listener, &count) == 0 && count == 0);
	must(getenv("LISTEN_PID") == NULL && getenv("LISTEN_FDS") == NULL);
	set_number("LISTEN_PID", getpid());
	set_number("LISTEN_FDS", 2);
	must(listener_inherit(listener, &count) == 0 && count == 2);
	must(getenv("LISTEN_PID") == NULL && getenv("LISTEN_FDS") == NULL);
	must(listener_address(listener, 1, &a) && addr_port(&a) > 0);
	must((fcntl(3, F_GETFD) & FD_CLOEXEC) != 0);
	must((fcntl(4, F_GETFL) & O_NONBLOCK) != 0);
	must(listener_inherit(listener, &count) == 0 && count == 0);
}

static void
inherit_wrong(void)
{
	size_t count;

	open_listener(1);
	place(3, true);
	place(4, false);
	set_number("LISTEN_PID", getpid());
	set_number("LISTEN_FDS", 2);
	must(listener_inherit(listener, &count) == EINVAL);
	set_number("LISTEN_PID", getpid());
	set_number("LISTEN_FDS", 3);
	must(dup2(0, 5) == 5);
	must(listener_inherit(listener, &count) == EINVAL);
}

int
main(void)
{
	struct rlimit r;

	/* Before there are threads. */
	inherit(inherit_two);
	inherit(inherit_wrong);
	if (getrlimit(RLIMIT_NOFILE, &r) != 0)
		abort();
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) != 0)
		abort();
	for (int i = 0; i < LOOPS; i++)
		if (loop_open(&loops[i]) != 0)
			abort();
	test_addresses();
	test_every();
	test_stale();
	test_cap();
	test_starved();
	if (r.rlim_max >= 2 * MANY + 100)
		test_many();
	else
		tap(true, "too few descriptors # SKIP");
	for (int i = 0; i < LOOPS; i++)
		loop_close(loops[i]);
	return tap_done();
}
