/* What others ask of a fetcher, and its turns. */
#include "direct/fetcher.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/io.h"
#include "base/now.h"
#include "base/status.h"
#include "direct/fetcher_impl.h"
#include "direct/lister.h"
#include "direct/trouble.h"

/* --- opening -------------------------------------------------------------- */

int
fetcher_watch(struct fetcher *x, int fd, int op)
{
	struct epoll_event e = {.events = EPOLLIN};

	return epoll_ctl(x->epoll_fd, op, fd, &e) == 0 ? 0 : errno;
}

int
fetcher_new(struct chart *chart, int64_t timeout_ms, bool follow,
    struct fetcher **out, struct fault *f)
{
	struct fetcher *x = calloc(1, sizeof(*x));
	int rc = 0;

	if (x == NULL)
		return ENOMEM;
	x->chart = chart;
	x->timeout_ms = timeout_ms;
	x->follow = follow;
	x->refreshed_ms = now_mono_ms();
	shelf_init(&x->shelf);
	x->timer_fd =
	    timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	x->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (x->timer_fd < 0 || x->epoll_fd < 0)
		rc = errno;
	if (rc == 0)
		rc = fetcher_watch(x, x->timer_fd, EPOLL_CTL_ADD);
	if (rc != 0) {
		fetcher_free(x);
		return status_fault(f, rc, "epoll", -1, -1, NULL);
	}
	*out = x;
	return 0;
}

void
fetcher_free(struct fetcher *x)
{
	if (x == NULL)
		return;
	for (size_t i = 0; i < x->line_count; i++) {
		talk_close(x->lines[i].talk);
		free(x->lines[i].asked);
	}
	free(x->lines);
	shelf_release(&x->shelf);
	(void)io_close(&x->timer_fd);
	(void)io_close(&x->epoll_fd);
	free(x);
}

int
fetcher_fd(const struct fetcher *x)
{
	return x->epoll_fd;
}

/* --- what others ask ------------------------------------------------------ */

int
fetcher_add(struct fetcher *x, size_t topic, int32_t partition)
{
	struct shelf_part *p;

	return shelf_find(&x->shelf, topic, partition) != NULL
	    ? 0
	    : shelf_add(&x->shelf, topic, partition, &p);
}

/* What p->rc says, in words. */
static int
fail_part(struct fetcher *x, const struct shelf_part *p, struct fault *f)
{
	const char *what = p->what != NULL ? p->what : status_text(p->rc);

	return trouble(f, p->rc, chart_name(x->chart, p->topic),
	    "partition %d, from offset %lld on: %s", (int)p->number,
	    (long long)(p->ahead < 0 ? 0 : p->ahead), what);
}

static int
look(struct fetcher *x, struct fault *f)
{
	struct lister_patience w = {.timeout_ms = x->timeout_ms,
	    .leader_ms = x->follow ? FETCHER_LEADER_MS : x->timeout_ms};

	return lister_look(x->chart, &x->shelf, &w, f);
}

int
fetcher_bounds(struct fetcher *x, size_t topic, int32_t partition,
    int64_t *start, int64_t *end, struct fault *f)
{
	struct shelf_part *p = shelf_find(&x->shelf, topic, partition);
	int rc = 0;

	/* It had no leader. */
	if (p->rc == STATUS_TIMEOUT && p->count == 0) {
		p->rc = 0;
		p->look = true;
	}
	if (p->look)
		rc = look(x, f);
	if (rc != 0)
		return rc;
	if (p->rc != 0 && p->count == 0)
		return fail_part(x, p, f);
	p->until = p->end;
	*start = p->start;
	*end = p->end;
	return 0;
}

void
fetcher_expect(struct fetcher *x, size_t topic, int32_t partition,
    int64_t offset)
{
	struct shelf_part *p = shelf_find(&x->shelf, topic, partition);

	if (p != NULL && p->rc == 0 && p->end < offset)
		p->look = true;
}

int
fetcher_next(struct fetcher *x, size_t topic, int32_t partition, int64_t offset,
    size_t max, struct raw_run *out, struct fault *f)
{
	struct shelf_part *p = shelf_find(&x->shelf, topic, partition);
	int64_t at = offset < 0 ? p->start : offset;
	int rc;

	if (!p->wanted || at != p->at)
		shelf_seek(&x->shelf, p, at);
	p->wanted = true;
	if (offset >= 0 && p->count == 0 && p->start > at)
		return STATUS_OFFSET;
	/* A log that begins late, with nothing in it yet. */
	if (offset < 0 && at > 0 && at >= p->until) {
		*out = (struct raw_run){.segment = at, .next_offset = at};
		return 0;
	}
	rc = shelf_next(&x->shelf, p, max, out);
	if (rc == STATUS_END && !x->follow)
		p->wanted = false;
	if (rc == EAGAIN)
		x->hungry = p;
	if (rc == 0 || rc == STATUS_END || rc == EAGAIN)
		return rc;
	return fail_part(x, p, f);
}

int
fetcher_refresh(struct fetcher *x, bool *looked, struct fault *f)
{
	int rc;

	*looked = false;
	if (now_mono_ms() - x->refreshed_ms < FETCHER_REFRESH_MS)
		return 0;
	x->refreshed_ms = now_mono_ms();
	rc = chart_refresh(x->chart, f);
	x->mute = rc != 0;
	if (rc == STATUS_CLUSTER) {
		/* It may pass; until then all is as it was. */
		x->stale = true;
		return 0;
	}
	*looked = rc == 0;
	return rc;
}

/* --- turns ---------------------------------------------------------------- */

/* What was out of range: did the start move, or was the end cut? */
static int
look_at_bounds(struct fetcher *x, bool *changed, struct fault *f)
{
	bool any = false;
	int rc;

	for (size_t i = 0; i < x->shelf.count; i++)
		any = any || (x->shelf.all[i]->look && x->shelf.all[i]->wanted);
	if (!any)
		return 0;
	rc = look(x, f);
	*changed = true;
	for (size_t i = 0; rc == 0 && i < x->shelf.count; i++) {
		const struct shelf_part *p = x->shelf.all[i];

		if (p->wanted && p->rc == 0 && p->end < p->ahead)
			rc = fetcher_fail_cut(x, p, p->end, f);
	}
	return rc;
}

/* When there is something to be done though nothing comes. */
static void
set_timer(struct fetcher *x)
{
	int64_t now = now_mono_ms(), next = INT64_MAX, ms;
	struct itimerspec t = {{0, 0}, {0, 0}};

	if (x->stale && x->refresh_ms < next)
		next = x->refresh_ms;
	for (size_t i = 0; i < x->line_count; i++) {
		const struct fetcher_line *l = &x->lines[i];

		if (!l->busy && l->next_ms > now && l->next_ms < next)
			next = l->next_ms;
	}
	if (next != INT64_MAX) {
		ms = next > now ? next - now : 1;
		t.it_value = (struct timespec){ms / 1000, ms % 1000 * 1000000};
	}
	/* Also what it has told is forgotten so. */
	(void)timerfd_settime(x->timer_fd, 0, &t, NULL);
}

int
fetcher_turn(struct fetcher *x, bool *changed, struct fault *f)
{
	int rc;

	*changed = false;
	rc = fetcher_receive(x, changed, f);
	if (rc == 0)
		rc = look_at_bounds(x, changed, f);
	if (rc == 0)
		rc = fetcher_look_again(x, f);
	if (rc == 0)
		rc = fetcher_check_lost(x, f);
	if (rc == 0)
		rc = fetcher_ask(x, f);
	if (rc == 0)
		set_timer(x);
	return rc;
}
