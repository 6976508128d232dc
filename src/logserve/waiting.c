#include "waiting.h"

#include <sys/inotify.h>

#include <event2/event.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/now.h"
#include "log.h"
#include "net/loop.h"
#include "net/pool.h"
#include "store/state.h"

struct waiting {
	struct loop *loop;
	struct pool *pool;
	struct loop_timer *timer;
	struct event *event;
	int notify;		/* inotify; -1: none */
	struct task rearm;	/* sets the timer, on the loop */
	pthread_mutex_t lock;	/* of all that follows, and of logs' lists */
	int64_t timer_ms;	/* monotonic: it looks then, or before */
	struct waiter **heap;	/* by their time, the first at 0 */
	size_t count;
	size_t cap;
	struct log **logs;	/* by watch descriptor */
	size_t log_cap;
	bool stopped;
};

/* --- a heap by time ------------------------------------------------------- */

static void
put(struct waiting *w, size_t place, struct waiter *a)
{
	w->heap[place] = a;
	a->place = place;
}

static void
sift_up(struct waiting *w, size_t i)
{
	struct waiter *a = w->heap[i];

	for (size_t up; i > 0; i = up) {
		up = (i - 1) / 2;
		if (w->heap[up]->until_ms <= a->until_ms)
			break;
		put(w, i, w->heap[up]);
	}
	put(w, i, a);
}

static void
sift_down(struct waiting *w, size_t i)
{
	struct waiter *a = w->heap[i];

	for (size_t down; (down = 2 * i + 1) < w->count; i = down) {
		if (down + 1 < w->count &&
		    w->heap[down + 1]->until_ms < w->heap[down]->until_ms)
			down++;
		if (a->until_ms <= w->heap[down]->until_ms)
			break;
		put(w, i, w->heap[down]);
	}
	put(w, i, a);
}

static bool
heap_add(struct waiting *w, struct waiter *a)
{
	size_t cap = w->cap == 0 ? 64 : w->cap * 2;
	void *heap;

	if (w->count >= WAITING_MAX)
		return false;
	if (w->count == w->cap) {
		heap = reallocarray(w->heap, cap, sizeof(*w->heap));
		if (heap == NULL)
			return false;
		w->heap = heap;
		w->cap = cap;
	}
	put(w, w->count++, a);
	sift_up(w, a->place);
	return true;
}

static void
heap_remove(struct waiting *w, struct waiter *a)
{
	size_t i = a->place;
	struct waiter *last = w->heap[--w->count];

	if (last == a)
		return;
	put(w, i, last);
	sift_up(w, i);
	sift_down(w, last->place);
}

/* --- waking; under the lock ---------------------------------------------- */

static void
run(struct waiting *w, struct waiter *a)
{
	/* At the end nothing may come to the pool late, by way of a loop. */
	if (a->loop != NULL && !a->over)
		loop_post(a->loop, a->task);
	else
		pool_run(w->pool, a->task);
}

static void
wake(struct waiting *w, struct waiter *a)
{
	for (size_t i = 0; i < a->count; i++)
		TAILQ_REMOVE(&a->on[i].log->waiters, &a->on[i], entry);
	heap_remove(w, a);
	a->waits = false;
	run(w, a);
}

static void
wake_all_of(struct waiting *w, struct log *l)
{
	struct waiting_on *on;

	atomic_fetch_add(&l->changes, 1);
	while ((on = TAILQ_FIRST(&l->waiters)) != NULL)
		wake(w, on->waiter);
}

void
waiting_wake(struct waiting *w, struct log *l)
{
	pthread_mutex_lock(&w->lock);
	wake_all_of(w, l);
	pthread_mutex_unlock(&w->lock);
}

static bool
has_changed(const struct waiter *a)
{
	for (size_t i = 0; i < a->count; i++)
		if (atomic_load(&a->on[i].log->changes) != a->on[i].changes)
			return true;
	return false;
}

static bool
begin_wait(struct waiting *w, struct waiter *a)
{
	if (!w->stopped && has_changed(a))
		return false;
	if (w->stopped || !heap_add(w, a)) {
		a->over = true;
		return false;
	}
	a->waits = true;
	for (size_t i = 0; i < a->count; i++) {
		a->on[i].waiter = a;
		TAILQ_INSERT_TAIL(&a->on[i].log->waiters, &a->on[i], entry);
	}
	return true;
}

void
waiting_add(struct waiting *w, struct waiter *a)
{
	bool waits, sooner;

	pthread_mutex_lock(&w->lock);
	waits = begin_wait(w, a);
	/* Who waits and is woken again and again leaves the timer alone. */
	sooner = waits && a->until_ms < w->timer_ms;
	if (sooner)
		w->timer_ms = a->until_ms;
	/* What is posted to a loop is there before waiting_stop() is. */
	if (!waits)
		run(w, a);
	pthread_mutex_unlock(&w->lock);
	if (sooner)
		loop_post(w->loop, &w->rearm);
}

void
waiting_stop(struct waiting *w)
{
	pthread_mutex_lock(&w->lock);
	w->stopped = true;
	while (w->count > 0) {
		w->heap[0]->over = true;
		wake(w, w->heap[0]);
	}
	pthread_mutex_unlock(&w->lock);
}

/* --- on the loop ---------------------------------------------------------- */

/* The time of the first, but look again at least once a second. */
static void
rearm(void *arg)
{
	struct waiting *w = arg;
	int64_t now = now_mono_ms(), until = now + WAITING_LOOK_MS;

	pthread_mutex_lock(&w->lock);
	if (w->count > 0 && w->heap[0]->until_ms < until)
		until = w->heap[0]->until_ms;
	w->timer_ms = until;
	pthread_mutex_unlock(&w->lock);
	loop_timer_set(w->timer, until < now ? 0 : until - now);
}

static void
on_timer(void *arg)
{
	struct waiting *w = arg;
	int64_t now = now_mono_ms();

	pthread_mutex_lock(&w->lock);
	while (w->count > 0 && w->heap[0]->until_ms <= now)
		wake(w, w->heap[0]);
	pthread_mutex_unlock(&w->lock);
	rearm(w);
}

/* As it is now: just written, so it is in memory.  False: not to be had. */
static bool
look_at_state(const struct log *l, struct waiting_sight *out)
{
	struct state s;
	char path[PATH_MAX];
	int fd = -1, rc;

	snprintf(path, sizeof(path), "%s/" STATE_FILE, l->path);
	rc = io_open(AT_FDCWD, path, O_RDONLY, 0, &fd);
	if (rc == 0)
		rc = state_read(fd, &s);
	(void)io_close(&fd);
	if (rc == 0)
		*out = (struct waiting_sight){.known = true,
		    .failed = (s.flags & STATE_FAILED) != 0,
		    .role = (int32_t)s.role,
		    .epoch = s.leader_epoch,
		    .start = s.log_start,
		    .stable = state_last_stable(&s),
		    .visible = s.visible_offset};
	return rc == 0;
}

static bool
is_same_sight(const struct waiting_sight *a, const struct waiting_sight *b)
{
	return a->known && b->known && a->failed == b->failed &&
	    a->role == b->role && a->epoch == b->epoch &&
	    a->start == b->start && a->stable == b->stable &&
	    a->visible == b->visible;
}

/* Is there something for readers in it? */
static bool
is_news(struct log *l, const struct inotify_event *e)
{
	struct waiting_sight now = {.known = false};
	bool is_news;

	if ((e->mask & IN_MODIFY) == 0) {
		l->sight.known = false;
		return true;
	}
	/* Other files count where there is no state. */
	if (e->len == 0 || strcmp(e->name, STATE_FILE) != 0)
		return !l->sight.known;
	is_news = !look_at_state(l, &now) || !is_same_sight(&l->sight, &now);
	l->sight = now;
	return is_news;
}

static void
take_event(struct waiting *w, const struct inotify_event *e)
{
	if (e->mask & IN_Q_OVERFLOW) {
		for (size_t i = 0; i < w->log_cap; i++)
			if (w->logs[i] != NULL)
				wake_all_of(w, w->logs[i]);
		return;
	}
	if (e->wd < 0 || (size_t)e->wd >= w->log_cap || w->logs[e->wd] == NULL)
		return;
	if (is_news(w->logs[e->wd], e))
		wake_all_of(w, w->logs[e->wd]);
	if (e->mask & IN_IGNORED) {
		w->logs[e->wd]->watch = -1;
		w->logs[e->wd] = NULL;
	}
}

static void
on_notify(evutil_socket_t fd, short what, void *arg)
{
	char events[16384]
	    __attribute__((aligned(__alignof__(struct inotify_event))));
	struct waiting *w = arg;
	ssize_t n = read(fd, events, sizeof(events));

	(void)what;
	pthread_mutex_lock(&w->lock);
	for (ssize_t at = 0; at < n;) {
		const struct inotify_event *e = (const void *)(events + at);

		take_event(w, e);
		at += (ssize_t)sizeof(*e) + (ssize_t)e->len;
	}
	pthread_mutex_unlock(&w->lock);
}

/* --- watching; under the lock -------------------------------------------- */

static bool
room_for(struct waiting *w, size_t wd)
{
	size_t cap = w->log_cap == 0 ? 64 : w->log_cap;
	struct log **logs;

	while (cap <= wd)
		cap *= 2;
	if (cap == w->log_cap)
		return true;
	logs = reallocarray(w->logs, cap, sizeof(struct log *));
	if (logs == NULL)
		return false;
	for (size_t i = w->log_cap; i < cap; i++)
		logs[i] = NULL;
	w->logs = logs;
	w->log_cap = cap;
	return true;
}

static void
watch(struct waiting *w, struct log *l)
{
	int wd;

	if (w->notify < 0 || l->watch >= 0)
		return;
	wd = inotify_add_watch(w->notify, l->path,
	    IN_MODIFY | IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_DELETE_SELF |
		IN_MOVE_SELF);
	if (wd < 0)
		return;
	if (!room_for(w, (size_t)wd)) {
		inotify_rm_watch(w->notify, wd);
		return;
	}
	w->logs[wd] = l;
	l->watch = wd;
	l->sight.known = false;
}

uint64_t
waiting_note(struct waiting *w, struct log *l)
{
	uint64_t changes;

	pthread_mutex_lock(&w->lock);
	watch(w, l);
	changes = atomic_load(&l->changes);
	pthread_mutex_unlock(&w->lock);
	return changes;
}

bool
waiting_note_now(struct waiting *w, struct log *l, uint64_t *changes)
{
	bool noted;

	if (pthread_mutex_trylock(&w->lock) != 0)
		return false;
	noted = l->watch >= 0;
	*changes = atomic_load(&l->changes);
	pthread_mutex_unlock(&w->lock);
	return noted;
}

void
waiting_forget(struct waiting *w, struct log *l)
{
	pthread_mutex_lock(&w->lock);
	if (l->watch >= 0) {
		inotify_rm_watch(w->notify, l->watch);
		w->logs[l->watch] = NULL;
		l->watch = -1;
	}
	pthread_mutex_unlock(&w->lock);
}

/* --- its life ------------------------------------------------------------- */

static void
start(void *arg)
{
	struct waiting *w = arg;

	if (loop_timer_open(w->loop, on_timer, w, &w->timer) != 0)
		return;
	rearm(w);
	if (w->notify < 0)
		return;
	w->event = event_new(loop_base(w->loop), w->notify,
	    EV_READ | EV_PERSIST, on_notify, w);
	if (w->event != NULL)
		event_add(w->event, NULL);
}

static void
end(void *arg)
{
	struct waiting *w = arg;

	loop_cancel(w->loop, &w->rearm);
	if (w->timer != NULL)
		loop_timer_close(w->timer);
	if (w->event != NULL)
		event_free(w->event);
}

int
waiting_open(struct loop *l, struct pool *p, struct waiting **out)
{
	struct waiting *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return ENOMEM;
	w->loop = l;
	w->pool = p;
	w->notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	task_init(&w->rearm, rearm, w);
	pthread_mutex_init(&w->lock, NULL);
	loop_call(l, start, w);
	if (w->timer == NULL) {
		waiting_close(w);
		return ENOMEM;
	}
	*out = w;
	return 0;
}

void
waiting_close(struct waiting *w)
{
	if (w == NULL)
		return;
	loop_call(w->loop, end, w);
	if (w->notify >= 0)
		close(w->notify);
	pthread_mutex_destroy(&w->lock);
	free(w->heap);
	free(w->logs);
	free(w);
}
