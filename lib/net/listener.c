#include "net/listener.h"

#include <sys/stat.h>
#include <sys/un.h>

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/parse.h"
#include "net/loop.h"

enum {
	BACKLOG = 1024,
	ACCEPTS_A_TURN = 64,
	PORT_TRIES = 16,
	INHERITED_FIRST = 3,	/* SD_LISTEN_FDS_START */
};

struct listening {
	struct listener *listener;
	int fd;
	struct addr addr;
	struct event *event;	/* NULL: not started */
	dev_t dev;		/* of a unix socket that we made */
	ino_t ino;		/* 0: none */
};

/*
 * It belongs to who opened it and to each connection; the last one frees it.
 */
struct listener {
	struct listener_options o;
	struct listening sockets[LISTENER_SOCKETS_MAX];
	size_t count;
	/* On the first loop. */
	struct loop_timer *resume;
	int spare;		/* a descriptor to give up; -1: given up */
	size_t turn;		/* the loop that is next */
	atomic_size_t connections;
	atomic_size_t holders;
	atomic_bool is_closed;
	atomic_uint_fast64_t accepted;
	atomic_uint_fast64_t refused;
	atomic_uint_fast64_t starved;
	atomic_uint_fast64_t pauses;
};

/* A connection on its way to its loop. */
struct passage {
	struct task task;
	struct listener *listener;
	size_t at;
	int fd;
	struct addr peer;
};

static void
let_go(struct listener *l)
{
	if (atomic_fetch_sub(&l->holders, 1) == 1)
		free(l);
}

void
listener_left(struct listener *l)
{
	atomic_fetch_sub(&l->connections, 1);
	let_go(l);
}

/* --- accepting ------------------------------------------------------------ */

static void
arrive(void *arg)
{
	struct passage *p = arg;
	struct listener *l = p->listener;

	if (atomic_load(&l->is_closed)) {
		close(p->fd);
		listener_left(l);
	} else {
		l->o.accepted(l->o.arg, p->at, p->fd, &p->peer);
	}
	free(p);
}

static void
set_up(int fd, const struct addr *peer)
{
	const int on = 1;

	if (peer->sa.ss_family == AF_UNIX)
		return;
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

/* Pass it to the loop whose turn it is. */
static void
pass(struct listener *l, int fd, const struct addr *peer)
{
	struct passage *p;

	if (atomic_load(&l->connections) >= l->o.connections_max) {
		atomic_fetch_add(&l->refused, 1);
		close(fd);
		return;
	}
	p = calloc(1, sizeof(*p));
	if (p == NULL) {
		atomic_fetch_add(&l->starved, 1);
		close(fd);
		return;
	}
	set_up(fd, peer);
	p->listener = l;
	p->at = l->turn;
	p->fd = fd;
	p->peer = *peer;
	task_init(&p->task, arrive, p);
	l->turn = (l->turn + 1) % l->o.loop_count;
	atomic_fetch_add(&l->accepted, 1);
	atomic_fetch_add(&l->connections, 1);
	atomic_fetch_add(&l->holders, 1);
	loop_post(l->o.loops[p->at], &p->task);
}

static int
take_spare(struct listener *l)
{
	if (l->spare < 0)
		l->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return l->spare >= 0 ? 0 : errno;
}

/* Close those that wait, by means of the spare descriptor. */
static void
turn_away(struct listener *l, int from)
{
	int fd;

	for (int i = 0; i < ACCEPTS_A_TURN && l->spare >= 0; i++) {
		close(l->spare);
		l->spare = -1;
		fd = accept4(from, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			atomic_fetch_add(&l->starved, 1);
			close(fd);
		}
		if (take_spare(l) != 0 || fd < 0)
			break;
	}
}

static void
pause_all(struct listener *l)
{
	atomic_fetch_add(&l->pauses, 1);
	for (size_t i = 0; i < l->count; i++)
		(void)event_del(l->sockets[i].event);
	loop_timer_set(l->resume, LISTENER_PAUSE_MS);
}

static void
on_resume(void *arg)
{
	struct listener *l = arg;

	(void)take_spare(l);
	for (size_t i = 0; i < l->count; i++)
		(void)event_add(l->sockets[i].event, NULL);
}

/* Errors of one connection, which died before it was taken (accept(2)). */
static bool
is_passing(int error)
{
	return error == ECONNABORTED || error == EINTR || error == EPROTO ||
	    error == ENETDOWN || error == ENOPROTOOPT || error == EHOSTDOWN ||
	    error == ENONET || error == EHOSTUNREACH || error == EOPNOTSUPP ||
	    error == ENETUNREACH || error == EPERM;
}

static void
on_connection(evutil_socket_t from, short what, void *arg)
{
	struct listening *s = arg;
	struct listener *l = s->listener;
	struct addr peer;
	int fd;

	(void)what;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		memset(&peer, 0, sizeof(peer));
		peer.len = sizeof(peer.sa);
		fd = accept4(from, (struct sockaddr *)&peer.sa, &peer.len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			pass(l, fd, &peer);
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (is_passing(errno))
			continue;
		/* Descriptors or memory have run out. */
		if (errno == EMFILE || errno == ENFILE)
			turn_away(l, from);
		pause_all(l);
		return;
	}
}

/* --- listening ------------------------------------------------------------ */

/* Keep a listening socket; fd is closed if it cannot be. */
static int
keep(struct listener *l, int fd, struct listening **out)
{
	struct listening *s = &l->sockets[l->count];
	int rc = ENOSPC;

	if (l->count < LISTENER_SOCKETS_MAX) {
		*s = (struct listening){.listener = l, .fd = fd};
		rc = addr_of_socket(fd, &s->addr);
	}
	if (rc != 0) {
		close(fd);
		return rc;
	}
	l->count++;
	*out = s;
	return 0;
}

/* A unix socket that nobody listens on any more is removed. */
static void
remove_stale(const struct addr *a, const char *path)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)&a->sa, a->len) != 0 &&
	    errno == ECONNREFUSED)
		(void)io_unlink(AT_FDCWD, path);
	close(fd);
}

int
listener_socket(const struct addr *a, int *out)
{
	const int on = 1;
	int fd = socket(a->sa.ss_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc;

	if (fd < 0)
		return errno;
	if (a->sa.ss_family != AF_UNIX)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (a->sa.ss_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
		    sizeof(on));
	if (bind(fd, (const struct sockaddr *)&a->sa, a->len) != 0 ||
	    listen(fd, BACKLOG) != 0) {
		rc = errno;
		close(fd);
		return rc;
	}
	*out = fd;
	return 0;
}

static int
add_path(struct listener *l, const struct addr *a, const char *path)
{
	struct listening *s;
	struct stat st;
	int fd, rc;

	rc = listener_socket(a, &fd);
	if (rc == EADDRINUSE) {
		remove_stale(a, path);
		rc = listener_socket(a, &fd);
	}
	if (rc == 0)
		rc = keep(l, fd, &s);
	if (rc == 0 && lstat(path, &st) == 0) {
		s->dev = st.st_dev;
		s->ino = st.st_ino;
	}
	return rc;
}

/* Give up the sockets from number count on. */
static void
give_up(struct listener *l, size_t count)
{
	struct stat st;
	char text[ADDR_TEXT_MAX];
	const char *path = text + strlen("unix:");

	while (l->count > count) {
		struct listening *s = &l->sockets[--l->count];

		if (s->event != NULL)
			event_free(s->event);
		close(s->fd);
		addr_text(&s->addr, text);
		if (s->ino != 0 && lstat(path, &st) == 0 &&
		    st.st_dev == s->dev && st.st_ino == s->ino)
			(void)io_unlink(AT_FDCWD, path);
	}
}

/*
 * Listen on all of list that work; the first error, if none does or if a port
 * is taken.
 */
static int
add_all(struct listener *l, struct addr *list, size_t count)
{
	size_t before = l->count;
	struct listening *s;
	int fd, rc, first = 0;
	int port = addr_port(&list[0]);

	for (size_t i = 0; i < count; i++) {
		addr_set_port(&list[i], (uint16_t)port);
		rc = listener_socket(&list[i], &fd);
		if (rc == 0)
			rc = keep(l, fd, &s);
		if (rc == 0 && port == 0)
			port = addr_port(&s->addr);
		if (rc == EADDRINUSE || rc == ENOSPC) {
			give_up(l, before);
			return rc;
		}
		if (rc != 0 && first == 0)
			first = rc;
	}
	return l->count > before ? 0 : first;
}

int
listener_add(struct listener *l, const struct addr_name *name,
    const char **what)
{
	struct addr list[ADDR_LIST_MAX], copy[ADDR_LIST_MAX];
	size_t count;
	int rc;

	*what = NULL;
	rc = addr_resolve(name, list, &count, what);
	if (rc != 0)
		return rc;
	if (name->is_unix)
		return add_path(l, &list[0], name->host);
	/* A port that is free at one address may be taken at the next. */
	for (int i = 0; i < PORT_TRIES; i++) {
		memcpy(copy, list, sizeof(copy));
		rc = add_all(l, copy, count);
		if (rc != EADDRINUSE || name->port != 0)
			break;
	}
	return rc;
}

static bool
is_listening(int fd)
{
	int type, accepts;
	socklen_t len = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 &&
	    type == SOCK_STREAM &&
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &len) == 0 &&
	    accepts != 0;
}

/* How many descriptors LISTEN_FDS promises to this process. */
static int64_t
promised(void)
{
	const char *pid = getenv("LISTEN_PID");
	const char *fds = getenv("LISTEN_FDS");
	int64_t for_pid, n = 0;

	if (pid == NULL || fds == NULL ||
	    parse_int(pid, 1, INT32_MAX, &for_pid) != 0 ||
	    for_pid != getpid() ||
	    parse_int(fds, 0, LISTENER_SOCKETS_MAX, &n) != 0)
		n = 0;
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	return n;
}

int
listener_inherit(struct listener *l, size_t *count)
{
	int64_t n = promised();
	struct listening *s;
	int rc;

	for (int fd = INHERITED_FIRST; fd < INHERITED_FIRST + n; fd++) {
		if (!is_listening(fd))
			return EINVAL;
		(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
		(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		rc = keep(l, fd, &s);
		if (rc != 0)
			return rc;
	}
	*count = (size_t)n;
	return 0;
}

bool
listener_address(const struct listener *l, size_t i, struct addr *out)
{
	if (i >= l->count)
		return false;
	*out = l->sockets[i].addr;
	return true;
}

/* --- from opening to closing ---------------------------------------------- */

int
listener_open(const struct listener_options *o, struct listener **out)
{
	struct listener *l = calloc(1, sizeof(*l));
	int rc;

	assert(o->loop_count > 0);
	if (l == NULL)
		return ENOMEM;
	l->o = *o;
	l->spare = -1;
	atomic_store(&l->holders, 1);
	rc = take_spare(l);
	if (rc != 0) {
		free(l);
		return rc;
	}
	*out = l;
	return 0;
}

/* What listener_start() asks of the first loop. */
struct start {
	struct listener *listener;
	int rc;
};

static void
start(void *arg)
{
	struct start *st = arg;
	struct listener *l = st->listener;
	struct event_base *base = loop_base(l->o.loops[0]);
	struct listening *s;

	st->rc = loop_timer_open(l->o.loops[0], on_resume, l, &l->resume);
	for (size_t i = 0; i < l->count && st->rc == 0; i++) {
		s = &l->sockets[i];
		s->event = event_new(base, s->fd, EV_READ | EV_PERSIST,
		    on_connection, s);
		if (s->event == NULL)
			st->rc = ENOMEM;
	}
	for (size_t i = 0; i < l->count && st->rc == 0; i++)
		if (event_add(l->sockets[i].event, NULL) != 0)
			st->rc = ENOMEM;
}

int
listener_start(struct listener *l)
{
	struct start st = {.listener = l};

	loop_call(l->o.loops[0], start, &st);
	return st.rc;
}

static void
stop(void *arg)
{
	struct listener *l = arg;

	loop_timer_close(l->resume);
	give_up(l, 0);
}

static void
nothing(void *arg)
{
	(void)arg;
}

void
listener_close(struct listener *l)
{
	if (l == NULL)
		return;
	loop_call(l->o.loops[0], stop, l);
	/* From here on nothing is passed; what is under way arrives first. */
	atomic_store(&l->is_closed, true);
	for (size_t i = 0; i < l->o.loop_count; i++)
		loop_call(l->o.loops[i], nothing, NULL);
	close(l->spare);
	let_go(l);
}

void
listener_counters(struct listener *l, struct listener_counters *out)
{
	*out = (struct listener_counters){
	    .accepted = atomic_load(&l->accepted),
	    .refused = atomic_load(&l->refused),
	    .starved = atomic_load(&l->starved),
	    .pauses = atomic_load(&l->pauses),
	    .connections = atomic_load(&l->connections),
	};
}
