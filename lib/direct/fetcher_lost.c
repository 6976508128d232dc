/*
 * What goes wrong: a broker that does not answer, a partition whose leader has
 * moved.  It is remembered why, for the time when it is given up.
 */

#include <string.h>

#include "base/now.h"
#include "base/status.h"
#include "direct/fetcher_impl.h"
#include "direct/trouble.h"

static void
note_why(struct fetcher *x, const struct fault *f)
{
	strlcpy(x->subject, f->file, sizeof(x->subject));
	strlcpy(x->why, f->what != NULL ? f->what : "", sizeof(x->why));
}

void
fetcher_lose_part(struct fetcher *x, struct shelf_part *p)
{
	if (p->lost_ms == 0)
		p->lost_ms = now_mono_ms();
	x->stale = true;
}

void
fetcher_lose_line(struct fetcher *x, struct fetcher_line *l,
    const struct fault *f)
{
	note_why(x, f);
	for (size_t i = 0; i < l->asked_count; i++)
		fetcher_lose_part(x, l->asked[i]);
	fetcher_end_request(x, l);
	talk_close(l->talk);
	l->talk = NULL;
	l->next_ms = now_mono_ms() + chart_pause_ms(l->tries++);
	x->stale = true;
}

int
fetcher_look_again(struct fetcher *x, struct fault *f)
{
	int rc;

	if (!x->stale || now_mono_ms() < x->refresh_ms)
		return 0;
	x->refresh_ms = now_mono_ms() + chart_pause_ms(x->tries++);
	rc = chart_refresh(x->chart, f);
	x->mute = rc != 0;
	if (rc == STATUS_CLUSTER) {
		note_why(x, f);
		return 0;
	}
	if (rc == 0)
		x->stale = false;
	return rc;
}

/* Following, it alone is given up, until it is asked for again. */
static bool
is_headless(struct fetcher *x, const struct shelf_part *p)
{
	return x->follow && !x->mute &&
	    chart_partition(x->chart, p->topic, p->number).leader < 0;
}

/* That cannot be waited for any longer. */
static bool
is_lost_too_long(const struct fetcher *x, const struct shelf_part *p)
{
	return p->lost_ms != 0 && now_mono_ms() - p->lost_ms >= x->timeout_ms;
}

/* It alone is given up. */
static bool
give_up(struct fetcher *x, struct shelf_part *p)
{
	const struct chart_topic *t = chart_topic(x->chart, p->topic);

	if (t->gone || (t->missing && is_lost_too_long(x, p))) {
		p->rc = STATUS_REMOVED;
		p->what = NULL;
		return true;
	}
	if (is_headless(x, p) && is_lost_too_long(x, p)) {
		p->rc = STATUS_TIMEOUT;
		p->what = "it has no leader";
		p->lost_ms = 0;
		return true;
	}
	return false;
}

int
fetcher_check_lost(struct fetcher *x, struct fault *f)
{
	for (size_t i = 0; i < x->shelf.count; i++) {
		struct shelf_part *p = x->shelf.all[i];

		if (!p->wanted || p->rc != 0 || give_up(x, p))
			continue;
		if (chart_partition(x->chart, p->topic, p->number).leader < 0)
			fetcher_lose_part(x, p);
		if (is_lost_too_long(x, p))
			return trouble(f, STATUS_CLUSTER,
			    x->subject[0] != '\0'
				? x->subject
				: chart_name(x->chart, p->topic),
			    "no answer within %lld ms%s%.300s",
			    (long long)x->timeout_ms,
			    x->why[0] != '\0' ? ": " : "", x->why);
	}
	return 0;
}
