#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/now.h"
#include "base/siphash.h"
#include "base/status.h"
#include "replicate/sender_impl.h"
#include "store/properties.h"

static int
add_parts(struct sender *s, size_t topic, int32_t count)
{
	struct sender_topic *t = &s->topics[topic];
	struct sender_part **more =
	    reallocarray(t->parts, (size_t)count, sizeof(*more));

	if (more == NULL)
		return ENOMEM;
	t->parts = more;
	for (; t->count < count; t->count++) {
		struct sender_part *p = NULL;

		if (s->src->ops->has(s->src, topic, t->count)) {
			p = calloc(1, sizeof(*p));
			if (p == NULL)
				return ENOMEM;
			p->topic = topic;
			p->number = t->count;
			p->state = SENDER_NEW;
			p->last.base_offset = p->missed = -1;
			p->late = s->looked;
			TAILQ_INSERT_TAIL(&s->fresh, p, link);
			s->unsettled++;
			s->totals.partitions++;
		}
		t->parts[t->count] = p;
	}
	return 0;
}

void
sender_begin_anew(struct sender *s, struct sender_part *p)
{
	p->last.base_offset = -1;
	p->stale = p->renewed = false;
	sender_enter(s, p, SENDER_NEW);
}

/*
 * It is another one by that name: nothing of what was sent needs to be in it,
 * even if it begins behind that.
 */
static void
renew_parts(struct sender *s, struct sender_topic *t)
{
	for (int32_t n = 0; n < t->count; n++) {
		struct sender_part *p = t->parts[n];

		if (p != NULL && p->state == SENDER_CURRENT)
			sender_begin_anew(s, p);
		else if (p != NULL)
			p->renewed = p->state != SENDER_NEW &&
			    p->state != SENDER_REFUSED;
	}
}

int
sender_announce(struct sender *s, size_t topic, const struct source_topic *t,
    struct buf *out)
{
	static const uint64_t key[2] = {0, 0};
	struct frame f = {.type = FRAME_TOPIC,
	    .topic = (uint32_t)topic,
	    .count = t->partitions};
	struct sender_topic *own = &s->topics[topic];
	struct buf data;
	uint64_t hash;
	int rc;

	if (own->is_told &&
	    memcmp(own->identity, t->identity, sizeof(own->identity)) != 0)
		renew_parts(s, own);
	memcpy(own->identity, t->identity, sizeof(own->identity));
	buf_init(&data, FRAME_TEXT_MAX);
	memcpy(f.identity, t->identity, sizeof(f.identity));
	rc = buf_add(&data, t->name, strlen(t->name) + 1);
	if (rc == 0)
		rc = properties_write(t->settings, &data);
	if (rc == 0)
		rc = lineage_add(&t->lineage, &data);
	hash = siphash_128(key, data.data, data.len).low;
	if (rc == 0 && own->is_told && hash == own->told &&
	    t->partitions <= own->count) {
		buf_release(&data);
		return 0;
	}
	own->is_told = true;
	own->told = hash;
	return frame_encode_with(&f, rc, &data, out);
}

/* May anything of it have changed? */
static bool
is_stale(struct sender *s, size_t topic)
{
	bool is = s->topics[topic].stale;

	s->topics[topic].stale = false;
	return is || s->src->ops->changed == NULL;
}

int
sender_look_at_topics(struct sender *s, struct buf *out, struct fault *f)
{
	struct source_topic t;
	struct sender_topic *more;
	size_t count, known = s->count;
	int rc = s->src->ops->refresh(s->src, &count, f);

	/* Where there are none yet some may come. */
	if (rc == 0 && count == 0) {
		s->looked = true;
		s->topics_ms = now_mono_ms();
	}
	if (rc != 0 || count == 0)
		return rc;
	more = recallocarray(s->topics, s->count, count, sizeof(*more));
	if (more == NULL)
		return ENOMEM;
	s->topics = more;
	s->count = count;
	for (size_t i = 0; rc == 0 && i < count; i++) {
		if (s->topics[i].refused || (i < known && !is_stale(s, i)))
			continue;
		rc = s->src->ops->topic(s->src, i, &t, f);
		if (rc != 0)
			continue;
		strlcpy(s->topics[i].name, t.name, sizeof(s->topics[i].name));
		rc = sender_announce(s, i, &t, out);
		if (rc == 0 && t.partitions > s->topics[i].count)
			s->topics[i].groups_due = true;
		if (rc == 0 && t.partitions > s->topics[i].count)
			rc = add_parts(s, i, t.partitions);
		/* It may be another one by that name. */
		if (rc == 0 && i < known && s->src->ops->is_kept != NULL)
			rc = sender_look_at_parts(s, &s->topics[i], out);
	}
	s->looked = true;
	s->topics_ms = now_mono_ms();
	return rc;
}

int
sender_tell_anew(struct sender *s, size_t topic, struct buf *out,
    struct fault *f)
{
	struct source_topic t;
	size_t count;
	int rc;

	if (!s->topics[topic].removed)
		return 0;
	rc = s->src->ops->refresh(s->src, &count, f);
	if (rc == 0)
		rc = s->src->ops->topic(s->src, topic, &t, f);
	return rc == 0 ? sender_announce(s, topic, &t, out) : rc;
}

int
sender_tell_return(struct sender *s, size_t topic, struct buf *out)
{
	struct sender_topic *t = &s->topics[topic];

	if (!t->removed)
		return 0;
	t->removed = false;
	t->groups_due = true;
	return sender_warn(s, topic, "is at the source again", out);
}
