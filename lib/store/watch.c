#include "store/watch.h"

#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/vfs.h>

#include <errno.h>
#include <stdint.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	LOOK_MS = 1000,		/* look again at least this often */
	POLL_MS = 50,		/* without inotify */
	EVENT_BYTES = 4096,
};

struct watch {
	int fd;			/* -1: polling */
	bool closed;		/* the last wait told of a file's close */
	int wake_fd;		/* -1: nobody asked for it */
	/* Of watch_take(): events that were read and not given yet. */
	char events[EVENT_BYTES]
	    __attribute__((aligned(__alignof__(struct inotify_event))));
	size_t at, len;
};

int
watch_open(struct watch **out)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return ENOMEM;
	w->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	w->wake_fd = -1;
	*out = w;
	return 0;
}

void
watch_close(struct watch *w)
{
	if (w == NULL)
		return;
	if (w->fd >= 0)
		close(w->fd);
	if (w->wake_fd >= 0)
		close(w->wake_fd);
	free(w);
}

/* File systems whose changes elsewhere inotify does not see. */
static bool
is_remote(const char *path)
{
	static const unsigned long types[] = {
	    0x6969,		/* nfs */
	    0xff534d42,		/* cifs */
	    0xfe534d42,		/* smb2 */
	    0x65735546,		/* fuse */
	    0x01021997,		/* 9p */
	    0x00c36400,		/* ceph */
	};
	struct statfs st;

	if (statfs(path, &st) != 0)
		return false;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if ((unsigned long)st.f_type == types[i])
			return true;
	return false;
}

static void
begin_polling(struct watch *w)
{
	if (w->fd >= 0)
		close(w->fd);
	w->fd = -1;
}

static int
add(struct watch *w, const char *path, uint32_t more, int *number)
{
	const uint32_t events = IN_MODIFY | IN_CREATE | IN_DELETE |
	    IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF | more;

	*number = -1;
	if (w->fd < 0)
		return 0;
	if (is_remote(path)) {
		begin_polling(w);
		return 0;
	}
	*number = inotify_add_watch(w->fd, path, events);
	if (*number >= 0)
		return 0;
	if (errno == ENOSPC || errno == ENOMEM || errno == EMFILE) {
		begin_polling(w);
		return 0;
	}
	return errno;
}

int
watch_add(struct watch *w, const char *path)
{
	int number;

	return add(w, path, 0, &number);
}

int
watch_add_numbered(struct watch *w, const char *path, int *number)
{
	return add(w, path, 0, number);
}

int
watch_add_closing(struct watch *w, const char *path)
{
	int number;

	return add(w, path, IN_CLOSE_WRITE, &number);
}

/* Take all events there are; but for a close, what they say does not matter. */
static bool
drain(struct watch *w)
{
	char events[16384]
	    __attribute__((aligned(__alignof__(struct inotify_event))));
	bool any = false;
	ssize_t len;

	while ((len = read(w->fd, events, sizeof(events))) > 0) {
		const struct inotify_event *e;

		any = true;
		for (const char *at = events; at < events + len;
		     at += sizeof(*e) + e->len) {
			e = (const struct inotify_event *)(const void *)at;
			if (e->mask & (IN_CLOSE_WRITE | IN_Q_OVERFLOW))
				w->closed = true;
		}
	}
	return any;
}

bool
watch_take(struct watch *w, int *number)
{
	const struct inotify_event *e;
	ssize_t len;

	if (w->fd < 0)
		return false;
	if (w->at == w->len) {
		len = read(w->fd, w->events, sizeof(w->events));
		w->at = 0;
		w->len = len > 0 ? (size_t)len : 0;
		if (len <= 0)
			return false;
	}
	e = (const struct inotify_event *)(const void *)(w->events + w->at);
	w->at += sizeof(*e) + e->len;
	*number = e->mask & IN_Q_OVERFLOW ? -1 : e->wd;
	return true;
}

static bool
drain_wake(struct watch *w)
{
	uint64_t count;

	return read(w->wake_fd, &count, sizeof(count)) > 0;
}

int
watch_wake_fd(struct watch *w)
{
	if (w->wake_fd < 0)
		w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return w->wake_fd;
}

int
watch_wait(struct watch *w, int timeout_ms, int fd, bool *changed)
{
	struct pollfd fds[3] = {
	    {w->fd, POLLIN, 0},
	    {fd, 0, 0},
	    {w->wake_fd, POLLIN, 0},
	};
	int most = w->fd < 0 ? POLL_MS : LOOK_MS;
	int n;

	if (timeout_ms < 0 || timeout_ms > most)
		timeout_ms = most;
	w->closed = false;
	n = poll(fds, 3, timeout_ms);
	if (n < 0)
		return errno;
	if (fds[1].revents != 0)
		return EPIPE;
	*changed = n == 0 || w->fd < 0;
	if (fds[0].revents != 0)
		*changed = drain(w) || *changed;
	if (fds[2].revents != 0)
		*changed = drain_wake(w) || *changed;
	return 0;
}

bool
watch_closed(const struct watch *w)
{
	return w->closed;
}

bool
watch_is_polling(const struct watch *w)
{
	return w->fd < 0;
}

int
watch_fd(const struct watch *w)
{
	return w->fd;
}
