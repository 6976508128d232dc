#include <string.h>

#include "base/now.h"
#include "base/status.h"
#include "replicate/sender_impl.h"

enum {
	/* A source that does not tell: which topics are there? */
	TOPICS_MS = 1000,
};

int
sender_look_at_part(struct sender *s, struct sender_part *p, struct buf *out)
{
	struct fault fault = {.file = ""};
	int64_t start = p->start;
	bool kept;
	int rc;

	p->stale = p->state != SENDER_CURRENT;
	if (p->stale)
		return 0; /* when it is */
	rc = s->src->ops->bounds(s->src, p->topic, p->number, &p->start,
	    &p->end, &fault);
	if (rc != 0)
		return sender_refuse(s, p, rc, &fault, out);
	rc = sender_look_back(s, p, &kept, &fault);
	if (rc != 0)
		return sender_refuse(s, p, rc, &fault, out);
	if (!kept || p->end < p->next) {
		sender_begin_anew(s, p);
		return 0;
	}
	if (p->end == p->next && p->start <= start)
		return 0;
	p->looked_ms = now_mono_ms();
	search_go_on(s, p, p->next);
	return sender_tell_extent(p, p->start, out);
}

/* What was refused for a while: is it time? */
static int
look_at_refused(struct sender *s, size_t topic, int64_t now, struct buf *out,
    struct fault *f)
{
	struct sender_topic *t = &s->topics[topic];
	struct source_topic st;
	int rc;

	if (t->refused && (t->again_ms == 0 || now < t->again_ms))
		return 0;
	if (t->refused) {
		t->refused = t->is_told = false;
		rc = s->src->ops->topic(s->src, topic, &st, f);
		if (rc == 0)
			rc = sender_announce(s, topic, &st, out);
		if (rc != 0)
			return rc;
	}
	for (int32_t n = 0; n < t->count; n++) {
		struct sender_part *p = t->parts[n];

		if (p != NULL && p->state == SENDER_REFUSED &&
		    p->again_ms > 0 && now >= p->again_ms)
			sender_enter(s, p, SENDER_NEW);
	}
	return 0;
}

/* What failed and waits for its time, of all topics. */
static int
look_again(struct sender *s, struct buf *out, struct fault *f)
{
	int64_t now = now_mono_ms();
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < s->count; i++)
		rc = look_at_refused(s, i, now, out, f);
	return rc;
}

int
sender_look_at_parts(struct sender *s, struct sender_topic *t, struct buf *out)
{
	int rc = 0;

	for (int32_t n = 0; rc == 0 && n < t->count; n++)
		if (t->parts[n] != NULL)
			rc = sender_look_at_part(s, t->parts[n], out);
	return rc;
}

static int
look_at_all(struct sender *s, struct buf *out)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < s->count; i++)
		rc = sender_look_at_parts(s, &s->topics[i], out);
	return rc;
}

/* What the source says of itself; *topics: of those, too. */
static int
look_at_changes(struct sender *s, bool *topics, struct buf *out)
{
	struct source_changed c;
	int rc = 0;

	while (rc == 0 && s->src->ops->changed(s->src, &c)) {
		struct sender_topic *t =
		    c.topic < s->count ? &s->topics[c.topic] : NULL;

		if (c.what == SOURCE_TOPICS)
			*topics = true;
		if (c.what == SOURCE_TOPICS && t != NULL)
			t->stale = true;
		/* The first group may come with the place where they are. */
		if (c.what != SOURCE_PARTITION && t != NULL)
			t->groups_due = true;
		else if (c.what == SOURCE_PARTITION && t != NULL &&
		    c.partition >= 0 && c.partition < t->count &&
		    t->parts[c.partition] != NULL)
			rc = sender_look_at_part(s, t->parts[c.partition], out);
	}
	return rc;
}

int
sender_look(struct sender *s, struct buf *out, struct fault *f)
{
	bool topics = false;
	int rc;

	if (!s->looked || s->end_sent)
		return 0;
	if (s->failed) {
		rc = look_again(s, out, f);
		if (rc != 0)
			return rc;
	}
	if (s->src->ops->changed == NULL && !sender_is_idle(s))
		return 0;
	if (s->src->ops->changed != NULL)
		rc = look_at_changes(s, &topics, out);
	else
		rc = look_at_all(s, out);
	if (s->src->ops->changed == NULL &&
	    now_mono_ms() - s->topics_ms >= TOPICS_MS)
		topics = true;
	return rc == 0 && topics ? sender_look_at_topics(s, out, f) : rc;
}
