#include <stdlib.h>
#include <string.h>

#include "base/now.h"
#include "base/plain.h"
#include "base/status.h"
#include "replicate/sender_impl.h"

enum {
	/* What failed is tried again after so long, and twice that, to ... */
	AGAIN_MS = 1000,
	AGAIN_MS_MAX = 30000,
};

/* --- refusing ------------------------------------------------------------ */

/* When what has failed is tried again: each time twice as long. */
static int64_t
when_again(int64_t *pause_ms)
{
	*pause_ms = *pause_ms == 0 ? AGAIN_MS : *pause_ms * 2;
	if (*pause_ms > AGAIN_MS_MAX)
		*pause_ms = AGAIN_MS_MAX;
	return now_mono_ms() + *pause_ms;
}

/*
 * Nothing more is done with a partition.  again: for a while, when following
 * (a disk is full); else somebody has to do something first (it has diverged).
 */
static void
enter_refused(struct sender *s, struct sender_part *p, bool again)
{
	p->again_ms = again ? when_again(&p->pause_ms) : 0;
	s->lost += (size_t)(!again);
	s->failed = s->failed || again;
	free(p->checking);
	p->checking = NULL;
	sender_enter(s, p, SENDER_REFUSED);
}

static bool
is_passing(const struct sender *s, int status)
{
	return s->o.follow && status == 1;
}

/* Something of a topic (p NULL), or a partition, is given up. */
static void
give_up(struct sender *s, size_t topic, struct sender_part *p, int status,
    const char *text, bool theirs)
{
	struct report r = {.kind = REPORT_REFUSED,
	    .topic = s->topics[topic].name,
	    .partition = p != NULL ? p->number : -1,
	    .status = status,
	    .text = text,
	    .theirs = theirs};

	if (status > s->totals.status)
		s->totals.status = status;
	report_send(&s->o.reporter, &r);
	if (p != NULL && p->state != SENDER_REFUSED)
		enter_refused(s, p, is_passing(s, status));
}

/* It may come again; until then it is told once, not for each partition. */
static int
tell_removed(struct sender *s, struct sender_part *p, struct buf *out)
{
	struct sender_topic *t = &s->topics[p->topic];
	bool told = t->removed;

	t->removed = true;
	enter_refused(s, p, true);
	return told ? 0
		    : sender_warn(s, p->topic,
			  "was removed at the source; the copy stays", out);
}

int
sender_refuse(struct sender *s, struct sender_part *p, int rc,
    const struct fault *f, struct buf *out)
{
	char text[SENDER_REASON_LEN];
	struct frame frame = {.type = FRAME_REFUSE,
	    .topic = (uint32_t)p->topic,
	    .partition = p->number,
	    .status = report_status(rc)};

	if (rc == STATUS_CLUSTER) {
		if (f != NULL)
			s->fault = *f;
		return rc;
	}
	if (rc == STATUS_REMOVED && s->o.follow)
		return tell_removed(s, p, out);
	report_reason_at(&s->o.place, rc, f, text, sizeof(text));
	frame.data = (struct view){(const uint8_t *)text, strlen(text)};
	give_up(s, p->topic, p, frame.status, text, false);
	return frame_encode(&frame, out);
}

/* --- what the other side says -------------------------------------------- */

static int
take_synced(struct sender *s, struct sender_part *p, struct buf *out)
{
	if (p->renewed) {
		sender_begin_anew(s, p);
		return 0;
	}
	p->pause_ms = s->topics[p->topic].pause_ms = 0;
	sender_report(s, p, REPORT_CURRENT);
	sender_enter(s, p, SENDER_CURRENT);
	return p->stale && s->o.follow ? sender_look_at_part(s, p, out) : 0;
}

static int
take_note(struct sender *s, const struct frame *f)
{
	char text[SENDER_REASON_LEN];
	struct report done = {.kind = REPORT_DONE,
	    .topic = s->topics[f->topic].name,
	    .partition = -1,
	    .text = text};

	plain_copy(f->data.data, f->data.len, text, sizeof(text));
	if (text[0] == FRAME_NOTE_WARNS) {
		done.kind = REPORT_WARNED;
		done.text = text + 1;
	}
	if (f->status == 0)
		report_send(&s->o.reporter, &done);
	else
		give_up(s, f->topic, NULL, f->status, text, true);
	/* It may be about positions. */
	if (f->status != 0)
		positions_forget(&s->topics[f->topic]);
	return 0;
}

static int
take_refusal(struct sender *s, const struct frame *f)
{
	struct sender_topic *t = &s->topics[f->topic];
	char text[SENDER_REASON_LEN];

	if (f->status == 0)
		return STATUS_CORRUPT;
	plain_copy(f->data.data, f->data.len, text, sizeof(text));
	if (f->partition >= 0) {
		give_up(s, f->topic, t->parts[f->partition], f->status, text,
		    true);
		return 0;
	}
	if (t->refused)
		return 0;
	t->refused = true;
	if (is_passing(s, f->status))
		t->again_ms = when_again(&t->pause_ms);
	give_up(s, f->topic, NULL, f->status, text, true);
	for (int32_t n = 0; n < t->count; n++)
		if (t->parts[n] != NULL && t->parts[n]->state != SENDER_REFUSED)
			enter_refused(s, t->parts[n], is_passing(s, f->status));
	return 0;
}

/* The partition that a frame is about; NULL: none of ours. */
static struct sender_part *
part_of(struct sender *s, const struct frame *f)
{
	if (f->topic >= s->count || f->partition < 0 ||
	    f->partition >= s->topics[f->topic].count)
		return NULL;
	return s->topics[f->topic].parts[f->partition];
}

static int
take_part_frame(struct sender *s, struct sender_part *p, const struct frame *f,
    struct buf *out)
{
	if (p->state == SENDER_REFUSED)
		return 0; /* they did not know yet */
	if (f->type == FRAME_REFUSE)
		return take_refusal(s, f);
	if (f->type == FRAME_HAVE && p->state == SENDER_OFFERED)
		return search_take_offer(s, p, f, out);
	if (f->type == FRAME_HAVE && p->state == SENDER_SEARCHING)
		return search_take_found(s, p, f, out);
	if (f->type == FRAME_RECORDS && p->state == SENDER_EXAMINING)
		return search_take_records(s, p, f, out);
	if (f->type == FRAME_HAVE && p->state == SENDER_CUTTING)
		return search_take_cut(s, p, f, out);
	if (f->type == FRAME_CHECKED && sender_is_in_question(p->state) &&
	    p->checking != NULL)
		return checking_take(s, p, f, out);
	if (f->type == FRAME_SYNCED && p->state == SENDER_CLOSING)
		return take_synced(s, p, out);
	return STATUS_CORRUPT;
}

int
sender_frame(struct sender *s, const struct frame *f, struct buf *out,
    const char **what)
{
	struct sender_part *p;

	*what = "a frame that a receiver does not send now";
	switch (f->type) {
	case FRAME_CREDIT:
		s->credit += f->count;
		return s->credit > s->o.window ? STATUS_CORRUPT : 0;
	case FRAME_END:
		s->end_come = true;
		if (f->status > s->totals.status)
			s->totals.status = f->status;
		return s->end_sent ? 0 : STATUS_CORRUPT;
	case FRAME_NOTE:
		return f->topic < s->count ? take_note(s, f) : STATUS_CORRUPT;
	case FRAME_REFUSE:
		if (f->partition < 0 && f->topic < s->count)
			return take_refusal(s, f);
		/* FALLTHROUGH */
	case FRAME_HAVE:
	case FRAME_CHECKED:
	case FRAME_RECORDS:
	case FRAME_SYNCED:
		p = part_of(s, f);
		return p == NULL ? STATUS_CORRUPT
				 : take_part_frame(s, p, f, out);
	default:
		return STATUS_CORRUPT;
	}
}
