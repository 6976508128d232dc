#include "replicate/sender.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/now.h"
#include "base/status.h"
#include "replicate/sender_impl.h"

enum {
	/* Partitions of which it is not known where to go on. */
	OFFERED_MAX = 64,
	/* Positions of groups are looked at so often, when following. */
	GROUPS_MS = 1000,
};

/* --- states -------------------------------------------------------------- */

static bool
is_settled(enum sender_state state)
{
	return state == SENDER_CURRENT || state == SENDER_REFUSED;
}

bool
sender_is_in_question(enum sender_state state)
{
	return state >= SENDER_OFFERED && state <= SENDER_CUTTING;
}

static struct sender_parts *
list_of(struct sender *s, enum sender_state state)
{
	switch (state) {
	case SENDER_NEW:
		return &s->fresh;
	case SENDER_CHECKING:
		return &s->checking;
	case SENDER_SENDING:
		return &s->ready;
	case SENDER_WAITING:
		return &s->waiting;
	default:
		return NULL;
	}
}

void
sender_enter(struct sender *s, struct sender_part *p, enum sender_state state)
{
	struct sender_parts *was = list_of(s, p->state);
	struct sender_parts *is = list_of(s, state);

	if (was != NULL)
		TAILQ_REMOVE(was, p, link);
	if (is != NULL)
		TAILQ_INSERT_TAIL(is, p, link);
	s->unsettled += (size_t)(!is_settled(state));
	s->unsettled -= (size_t)(!is_settled(p->state));
	s->offered += (size_t)sender_is_in_question(state);
	s->offered -= (size_t)sender_is_in_question(p->state);
	s->waits += (size_t)(state == SENDER_WAITING);
	s->waits -= (size_t)(p->state == SENDER_WAITING);
	p->state = state;
}

void
sender_report(struct sender *s, const struct sender_part *p,
    enum report_kind kind)
{
	struct report r = {.kind = kind,
	    .topic = s->topics[p->topic].name,
	    .partition = p->number,
	    .from = p->from,
	    .to = p->next,
	    .bytes = p->bytes};

	/* The batch that has where it begins came over whole. */
	if (s->o.records && kind == REPORT_CURRENT && r.from < p->begin)
		r.from = p->begin;
	report_send(&s->o.reporter, &r);
}

int
sender_warn(struct sender *s, size_t topic, const char *text, struct buf *out)
{
	struct report r = {.kind = REPORT_WARNED,
	    .topic = s->topics[topic].name,
	    .partition = -1,
	    .text = text};
	struct frame f = {.type = FRAME_NOTE,
	    .topic = (uint32_t)topic,
	    .data = {(const uint8_t *)text, strlen(text)}};

	report_send(&s->o.reporter, &r);
	return frame_encode(&f, out);
}

/* --- its life ------------------------------------------------------------ */

int
sender_new(struct source *src, const struct sender_options *o,
    struct sender **out)
{
	struct sender *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return ENOMEM;
	s->src = src;
	s->o = *o;
	s->credit = o->window;
	TAILQ_INIT(&s->fresh);
	TAILQ_INIT(&s->checking);
	TAILQ_INIT(&s->ready);
	TAILQ_INIT(&s->waiting);
	*out = s;
	return 0;
}

static void
free_part(struct sender_part *p)
{
	if (p != NULL)
		free(p->checking);
	free(p);
}

void
sender_free(struct sender *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->count; i++) {
		for (int32_t n = 0; n < s->topics[i].count; n++)
			free_part(s->topics[i].parts[n]);
		free(s->topics[i].parts);
		free(s->topics[i].beyond);
		positions_forget(&s->topics[i]);
	}
	free(s->topics);
	free(s);
}

/* --- what is to be done -------------------------------------------------- */

static int
send_end(struct sender *s, struct buf *out)
{
	struct frame end = {.type = FRAME_END,
	    .status = s->totals.status,
	    .count = (int32_t)s->totals.partitions,
	    .bytes = s->totals.bytes};

	if (s->end_sent)
		return EAGAIN;
	s->end_sent = true;
	return frame_encode(&end, out);
}

/* Nothing is left to be sent of any partition. */
static int
finish(struct sender *s, struct buf *out, struct fault *f)
{
	int rc = 0;

	if (s->o.groups && !s->o.dry_run && !s->end_sent &&
	    (s->groups_ms == 0 || now_mono_ms() - s->groups_ms >= GROUPS_MS))
		rc = positions_send(s, out, f);
	if (rc != 0)
		return rc;
	/* Nobody waits for what cannot come. */
	if (s->o.follow &&
	    (s->totals.partitions == 0 ||
		s->lost < (size_t)s->totals.partitions))
		return EAGAIN;
	return send_end(s, out);
}

int
sender_step(struct sender *s, struct buf *out, struct fault *f)
{
	if (!s->begun) {
		s->begun = true;
		return sender_look_at_topics(s, out, f);
	}
	if (s->end_come)
		return STATUS_END;
	if (s->stopping)
		return send_end(s, out);
	if (!TAILQ_EMPTY(&s->fresh) && s->offered < OFFERED_MAX)
		return sender_offer(s, TAILQ_FIRST(&s->fresh), out);
	if (!TAILQ_EMPTY(&s->checking))
		return checking_step(s, TAILQ_FIRST(&s->checking), out);
	if (!TAILQ_EMPTY(&s->ready) && s->credit > 0)
		return sender_send(s, TAILQ_FIRST(&s->ready), out);
	return s->unsettled > 0 ? EAGAIN : finish(s, out, f);
}

/* --- how far it is ------------------------------------------------------- */

int64_t
sender_behind(const struct sender *s, size_t *partitions)
{
	int64_t behind = 0;

	*partitions = 0;
	for (size_t i = 0; i < s->count; i++) {
		for (int32_t n = 0; n < s->topics[i].count; n++) {
			const struct sender_part *p = s->topics[i].parts[n];

			if (p == NULL || p->state < SENDER_SENDING ||
			    p->state == SENDER_REFUSED || p->end <= p->next)
				continue;
			report_add(&behind,
			    p->end - (p->next > p->start ? p->next : p->start));
			++*partitions;
		}
	}
	return behind;
}

void
sender_stop(struct sender *s)
{
	s->stopping = true;
}

bool
sender_is_current(const struct sender *s)
{
	return s->begun && s->unsettled == 0;
}

bool
sender_is_idle(const struct sender *s)
{
	return s->begun && s->unsettled == s->waits;
}

const struct sender_totals *
sender_totals(const struct sender *s)
{
	return &s->totals;
}

const struct fault *
sender_fault(const struct sender *s)
{
	return &s->fault;
}

void
sender_resume(struct sender *s)
{
	struct sender_part *p;

	while ((p = TAILQ_FIRST(&s->waiting)) != NULL)
		sender_enter(s, p, SENDER_SENDING);
}
