#include "replicate/sender.h"

#include <sys/queue.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/now.h"
#include "base/status.h"
#include "replicate/imprints.h"
#include "replicate/search.h"
#include "store/properties.h"

enum {
	/* Bytes of one DATA frame, but for a batch that is larger. */
	RUN_BYTES = 512 << 10,
	/* Offers without an answer. */
	OFFERED_MAX = 64,
	/* Positions of groups are looked at so often, when following. */
	GROUPS_MS = 1000,
	/* What failed is tried again after so long, and twice that, to ... */
	AGAIN_MS = 1000,
	AGAIN_MS_MAX = 30000,
	REASON_LEN = 700,
};

enum part_state {
	NEW,
	OFFERED,
	SEARCHING,
	EXAMINING,
	CUTTING,
	SENDING,
	CLOSING,
	CURRENT,
	REFUSED,
};

struct part {
	TAILQ_ENTRY(part) link;	/* of the list of its state, if it has one */
	size_t topic;
	int32_t number;
	enum part_state state;
	int64_t start, end;	/* the source's, as last looked at */
	int64_t next;		/* what is sent next; -1 the first there is */
	int64_t from;		/* where sending began this time */
	int64_t bytes;
	int64_t their_end;	/* the receiver's, when it was offered */
	struct search search;	/* for where both part */
	int64_t asked;		/* what ASK or DIVERGED said */
	int64_t again_ms;	/* refused: it is tried again then; 0 never */
	int64_t pause_ms;	/* it was waited for that; 0 not */
	struct frame_batch theirs; /* what is compared */
	bool cleaned;		/* what is here in its place may have been */
};

TAILQ_HEAD(part_list, part);

struct topic {
	char name[TOPIC_NAME_MAX + 1];
	struct part **parts;	/* by number; NULL: not asked for */
	int32_t count;
	bool refused;
	int64_t again_ms;	/* as of a partition */
	int64_t pause_ms;
};

struct sender {
	struct source *src;
	struct sender_options o;
	struct topic *topics;
	size_t count;
	struct part_list fresh;	/* NEW */
	struct part_list ready;	/* SENDING */
	size_t unsettled;	/* neither CURRENT nor REFUSED */
	size_t offered;		/* OFFERED */
	size_t lost;		/* REFUSED for ever */
	int64_t credit;
	bool begun;
	bool end_sent;
	bool end_come;
	int64_t groups_ms;	/* when last sent; 0 never */
	struct sender_totals totals;
};

/* --- states --------------------------------------------------------------- */

static bool
is_settled(enum part_state state)
{
	return state == CURRENT || state == REFUSED;
}

static struct part_list *
list_of(struct sender *s, enum part_state state)
{
	return state == NEW ? &s->fresh : state == SENDING ? &s->ready : NULL;
}

/* The only place where a partition's state changes. */
static void
enter(struct sender *s, struct part *p, enum part_state state)
{
	struct part_list *was = list_of(s, p->state);
	struct part_list *is = list_of(s, state);

	if (was != NULL)
		TAILQ_REMOVE(was, p, link);
	if (is != NULL)
		TAILQ_INSERT_TAIL(is, p, link);
	s->unsettled += (size_t)(!is_settled(state));
	s->unsettled -= (size_t)(!is_settled(p->state));
	s->offered += (size_t)(state == OFFERED);
	s->offered -= (size_t)(p->state == OFFERED);
	p->state = state;
}

static void
report(struct sender *s, const struct part *p, enum report_kind kind)
{
	struct report r = {.kind = kind,
	    .topic = s->topics[p->topic].name,
	    .partition = p->number,
	    .from = p->from,
	    .to = p->next,
	    .bytes = p->bytes};

	report_send(&s->o.reporter, &r);
}

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
enter_refused(struct sender *s, struct part *p, bool again)
{
	p->again_ms = again ? when_again(&p->pause_ms) : 0;
	s->lost += (size_t)(!again);
	enter(s, p, REFUSED);
}

static bool
is_passing(const struct sender *s, int status)
{
	return s->o.follow && status == 1;
}

/* Something of a topic (p NULL), or a partition, is given up. */
static void
give_up(struct sender *s, size_t topic, struct part *p, int status,
    const char *text)
{
	struct report r = {.kind = REPORT_REFUSED,
	    .topic = s->topics[topic].name,
	    .partition = p != NULL ? p->number : -1,
	    .status = status,
	    .text = text};

	if (status > s->totals.status)
		s->totals.status = status;
	report_send(&s->o.reporter, &r);
	if (p != NULL && p->state != REFUSED)
		enter_refused(s, p, is_passing(s, status));
}

/* An error of our own, which concerns this partition alone. */
static int
refuse(struct sender *s, struct part *p, int rc, const struct fault *f,
    struct buf *out)
{
	char text[REASON_LEN];
	struct frame frame = {.type = FRAME_REFUSE,
	    .topic = (uint32_t)p->topic,
	    .partition = p->number,
	    .status = report_status(rc)};

	report_reason(rc, f, text, sizeof(text));
	frame.data = (struct view){(const uint8_t *)text, strlen(text)};
	give_up(s, p->topic, p, frame.status, text);
	return frame_encode(&frame, out);
}

/* --- topics --------------------------------------------------------------- */

static int
add_parts(struct sender *s, size_t topic, int32_t count)
{
	struct topic *t = &s->topics[topic];
	struct part **more =
	    reallocarray(t->parts, (size_t)count, sizeof(*more));

	if (more == NULL)
		return ENOMEM;
	t->parts = more;
	for (; t->count < count; t->count++) {
		struct part *p = NULL;

		if (s->src->ops->has(s->src, topic, t->count)) {
			p = calloc(1, sizeof(*p));
			if (p == NULL)
				return ENOMEM;
			p->topic = topic;
			p->number = t->count;
			p->state = NEW;
			TAILQ_INSERT_TAIL(&s->fresh, p, link);
			s->unsettled++;
			s->totals.partitions++;
		}
		t->parts[t->count] = p;
	}
	return 0;
}

static int
announce(size_t topic, const struct source_topic *t, struct buf *out)
{
	struct frame f = {.type = FRAME_TOPIC,
	    .topic = (uint32_t)topic,
	    .count = t->partitions};
	struct buf data;
	int rc;

	buf_init(&data, FRAME_TEXT_MAX);
	memcpy(f.identity, t->identity, sizeof(f.identity));
	rc = buf_add(&data, t->name, strlen(t->name) + 1);
	if (rc == 0)
		rc = properties_write(t->settings, &data);
	f.data = (struct view){data.data, data.len};
	if (rc == 0)
		rc = frame_encode(&f, out);
	buf_release(&data);
	return rc;
}

/* Topics and partitions that are new to us, told and put to the others. */
static int
look_at_topics(struct sender *s, struct buf *out, struct fault *f)
{
	struct source_topic t;
	struct topic *more;
	size_t count;
	int rc = s->src->ops->refresh(s->src, &count, f);

	if (rc != 0 || count == 0)
		return rc;
	more = recallocarray(s->topics, s->count, count, sizeof(*more));
	if (more == NULL)
		return ENOMEM;
	s->topics = more;
	s->count = count;
	for (size_t i = 0; rc == 0 && i < count; i++) {
		rc = s->src->ops->topic(s->src, i, &t, f);
		if (rc != 0 || s->topics[i].refused ||
		    t.partitions <= s->topics[i].count)
			continue;
		strlcpy(s->topics[i].name, t.name, sizeof(s->topics[i].name));
		rc = announce(i, &t, out);
		if (rc == 0)
			rc = add_parts(s, i, t.partitions);
	}
	return rc;
}

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
	TAILQ_INIT(&s->ready);
	*out = s;
	return 0;
}

void
sender_free(struct sender *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->count; i++) {
		for (int32_t n = 0; n < s->topics[i].count; n++)
			free(s->topics[i].parts[n]);
		free(s->topics[i].parts);
	}
	free(s->topics);
	free(s);
}

/* --- finding where to go on ----------------------------------------------- */

static int
send_offset(const struct part *p, enum frame_type type, int64_t offset,
    struct buf *out)
{
	struct frame f = {.type = type,
	    .topic = (uint32_t)p->topic,
	    .partition = p->number,
	    .offset = offset};

	return frame_encode(&f, out);
}

static void
go_on_from(struct sender *s, struct part *p, int64_t next)
{
	p->next = p->from = next;
	p->bytes = 0;
	enter(s, p, SENDING);
}

static int
do_next(struct sender *s, struct part *p, enum search_next next, int64_t offset,
    struct buf *out)
{
	if (next == SEARCH_NOTHING) {
		go_on_from(s, p, p->their_end == 0 ? -1 : p->their_end);
		return 0;
	}
	enter(s, p, next == SEARCH_ASK ? SEARCHING : CUTTING);
	p->asked = offset;
	return send_offset(p, next == SEARCH_ASK ? FRAME_ASK : FRAME_DIVERGED,
	    offset, out);
}

/*
 * Nothing is known by the batch that was looked at: where is what we have
 * before it?
 */
static int
look_below(struct sender *s, struct part *p, struct buf *out,
    struct fault *fault)
{
	struct frame_batch ours = {.last_offset = -1};
	int64_t base = p->theirs.base_offset, below, offset = 0;
	enum search_next next;
	bool cleaned;
	int rc = base <= 0 ? STATUS_END
			   : s->src->ops->batch_at(s->src, p->topic, p->number,
				 base - 1, &ours, &cleaned, fault);

	if (rc != 0 && rc != STATUS_END)
		return refuse(s, p, rc, fault, out);
	below = ours.last_offset < base ? ours.last_offset : base - 1;
	next = search_silent(&p->search, below, &offset);
	return do_next(s, p, next, offset, out);
}

static int
take_verdict(struct sender *s, struct part *p, enum imprint_verdict verdict,
    struct buf *out, struct fault *fault)
{
	enum search_next next;
	int64_t offset = 0;

	if (verdict == IMPRINT_SILENT)
		return look_below(s, p, out, fault);
	next = verdict == IMPRINT_SAME
	    ? search_same(&p->search, p->theirs.last_offset, &offset)
	    : search_different(&p->search, p->theirs.base_offset, &offset);
	return do_next(s, p, next, offset, out);
}

static bool
is_same(const struct frame_batch *a, const struct frame_batch *b)
{
	return a->base_offset == b->base_offset &&
	    a->last_offset == b->last_offset &&
	    a->leader_epoch == b->leader_epoch && a->crc == b->crc;
}

/* The same batch.  If nothing is left in it that says nothing. */
static int
take_same(struct sender *s, struct part *p, struct buf *out,
    struct fault *fault)
{
	enum imprint_verdict verdict = IMPRINT_SAME;
	struct imprints ours;
	int rc = 0;

	imprints_init(&ours);
	if (p->cleaned && s->src->ops->records != NULL) {
		rc = s->src->ops->records(s->src, p->topic, p->number,
		    p->theirs.base_offset, p->theirs.last_offset, &ours, fault);
		if (ours.count == 0)
			verdict = IMPRINT_SILENT;
	}
	imprints_release(&ours);
	return rc == 0 ? take_verdict(s, p, verdict, out, fault)
		       : refuse(s, p, rc, fault, out);
}

/* A batch of the receiver's that is not one of ours: look at its records. */
static int
examine(struct sender *s, struct part *p, struct buf *out, struct fault *fault)
{
	if (!s->o.examines || s->src->ops->records == NULL)
		return take_verdict(s, p, IMPRINT_DIFFERENT, out, fault);
	enter(s, p, EXAMINING);
	return send_offset(p, FRAME_EXAMINE, p->theirs.base_offset, out);
}

/* Is a batch of the receiver's ours, too? */
static int
compare(struct sender *s, struct part *p, struct buf *out, struct fault *fault)
{
	struct frame_batch ours;
	int rc;

	if (p->theirs.last_offset >= p->end)
		return take_verdict(s, p, IMPRINT_DIFFERENT, out, fault);
	rc = s->src->ops->batch_at(s->src, p->topic, p->number,
	    p->theirs.base_offset, &ours, &p->cleaned, fault);
	if (rc != 0 && rc != STATUS_END)
		return refuse(s, p, rc, fault, out);
	if (rc == 0 && is_same(&ours, &p->theirs))
		return take_same(s, p, out, fault);
	if (rc == 0 && ours.leader_epoch > p->theirs.leader_epoch)
		return take_verdict(s, p, IMPRINT_DIFFERENT, out, fault);
	/* What was deleted here speaks for nothing. */
	if (p->theirs.last_offset < p->start)
		return take_verdict(s, p, IMPRINT_SILENT, out, fault);
	if (rc == STATUS_END || p->theirs.base_offset < p->start)
		p->cleaned = true;
	return examine(s, p, out, fault);
}

/* What the receiver has of a partition that was offered. */
static int
take_offer(struct sender *s, struct part *p, const struct frame *f,
    struct buf *out, struct fault *fault)
{
	search_init(&p->search, p->start > f->start ? p->start : f->start,
	    p->end);
	p->their_end = f->end;
	p->theirs = f->batch;
	if (f->end > p->end)
		return take_verdict(s, p, IMPRINT_DIFFERENT, out, fault);
	return f->batch.base_offset >= 0
	    ? compare(s, p, out, fault)
	    : take_verdict(s, p, IMPRINT_SILENT, out, fault);
}

/* The batch that it was asked for. */
static int
take_found(struct sender *s, struct part *p, const struct frame *f,
    struct buf *out, struct fault *fault)
{
	if (f->batch.base_offset > p->asked)
		return STATUS_CORRUPT;
	p->theirs = f->batch;
	return f->batch.base_offset >= 0
	    ? compare(s, p, out, fault)
	    : take_verdict(s, p, IMPRINT_SILENT, out, fault);
}

static int
take_records(struct sender *s, struct part *p, const struct frame *f,
    struct buf *out, struct fault *fault)
{
	enum imprint_verdict verdict = IMPRINT_SILENT;
	struct imprints ours, theirs;
	int rc;

	imprints_init(&ours);
	imprints_init(&theirs);
	ours.cleaned = p->cleaned;
	theirs.cleaned = f->count != 0;
	rc = imprints_decode(f->data, &theirs);
	if (rc == 0) {
		rc = s->src->ops->records(s->src, p->topic, p->number,
		    p->theirs.base_offset, p->theirs.last_offset, &ours, fault);
		if (rc == 0)
			verdict = imprints_compare(&ours, &theirs,
			    p->theirs.leader_epoch);
		rc = rc == 0 ? take_verdict(s, p, verdict, out, fault)
			     : refuse(s, p, rc, fault, out);
	}
	imprints_release(&ours);
	imprints_release(&theirs);
	return rc;
}

/* It was cut; what is left is common. */
static int
take_cut(struct sender *s, struct part *p, const struct frame *f,
    struct buf *out)
{
	if (f->batch.base_offset >= 0 && f->end > p->asked)
		return refuse(s, p, STATUS_DIFFERS, NULL, out);
	p->from = p->asked;
	report(s, p, REPORT_CUT);
	s->totals.cut++;
	go_on_from(s, p, f->batch.base_offset < 0 ? -1 : f->end);
	return 0;
}

/* --- frames --------------------------------------------------------------- */

static int
take_synced(struct sender *s, struct part *p)
{
	p->pause_ms = s->topics[p->topic].pause_ms = 0;
	report(s, p, REPORT_CURRENT);
	enter(s, p, CURRENT);
	return 0;
}

static void
text_of(const struct frame *f, char out[REASON_LEN])
{
	size_t len =
	    f->data.len < REASON_LEN - 1 ? f->data.len : REASON_LEN - 1;

	memcpy(out, f->data.data, len);
	out[len] = '\0';
}

static int
take_note(struct sender *s, const struct frame *f)
{
	char text[REASON_LEN];

	text_of(f, text);
	give_up(s, f->topic, NULL, f->status, text);
	return 0;
}

static int
take_refusal(struct sender *s, const struct frame *f)
{
	struct topic *t = &s->topics[f->topic];
	char text[REASON_LEN];

	text_of(f, text);
	if (f->partition >= 0) {
		give_up(s, f->topic, t->parts[f->partition], f->status, text);
		return 0;
	}
	if (t->refused)
		return 0;
	t->refused = true;
	if (is_passing(s, f->status))
		t->again_ms = when_again(&t->pause_ms);
	give_up(s, f->topic, NULL, f->status, text);
	for (int32_t n = 0; n < t->count; n++)
		if (t->parts[n] != NULL && t->parts[n]->state != REFUSED)
			enter_refused(s, t->parts[n], is_passing(s, f->status));
	return 0;
}

/* The partition that a frame is about; NULL: none of ours. */
static struct part *
part_of(struct sender *s, const struct frame *f)
{
	if (f->topic >= s->count || f->partition < 0 ||
	    f->partition >= s->topics[f->topic].count)
		return NULL;
	return s->topics[f->topic].parts[f->partition];
}

static int
take_part_frame(struct sender *s, struct part *p, const struct frame *f,
    struct buf *out)
{
	struct fault fault = {.file = ""};

	if (p->state == REFUSED)
		return 0; /* they did not know yet */
	if (f->type == FRAME_REFUSE)
		return take_refusal(s, f);
	if (f->type == FRAME_HAVE && p->state == OFFERED)
		return take_offer(s, p, f, out, &fault);
	if (f->type == FRAME_HAVE && p->state == SEARCHING)
		return take_found(s, p, f, out, &fault);
	if (f->type == FRAME_RECORDS && p->state == EXAMINING)
		return take_records(s, p, f, out, &fault);
	if (f->type == FRAME_HAVE && p->state == CUTTING)
		return take_cut(s, p, f, out);
	if (f->type == FRAME_SYNCED && p->state == CLOSING)
		return take_synced(s, p);
	return STATUS_CORRUPT;
}

int
sender_frame(struct sender *s, const struct frame *f, struct buf *out,
    const char **what)
{
	struct part *p;

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
	case FRAME_RECORDS:
	case FRAME_SYNCED:
		p = part_of(s, f);
		return p == NULL ? STATUS_CORRUPT
				 : take_part_frame(s, p, f, out);
	default:
		return STATUS_CORRUPT;
	}
}

/* --- what is to be done --------------------------------------------------- */

static int
offer(struct sender *s, struct part *p, struct buf *out)
{
	struct fault fault = {.file = ""};
	struct frame f = {.type = FRAME_OFFER,
	    .topic = (uint32_t)p->topic,
	    .partition = p->number};
	int rc = s->src->ops->bounds(s->src, p->topic, p->number, &p->start,
	    &p->end, &fault);

	if (rc != 0)
		return refuse(s, p, rc, &fault, out);
	f.start = p->start;
	f.end = p->end;
	enter(s, p, OFFERED);
	return frame_encode(&f, out);
}

/* All is sent: let it be made durable. */
static int
close_part(struct sender *s, struct part *p, struct buf *out)
{
	struct frame f = {.type = FRAME_DONE,
	    .topic = (uint32_t)p->topic,
	    .partition = p->number,
	    .start = p->start,
	    .end = p->next < 0 ? p->start : p->next};

	p->next = f.end;
	if (p->from < 0)
		p->from = p->start < p->next ? p->start : p->next;
	enter(s, p, CLOSING);
	return frame_encode(&f, out);
}

static int
send_data(struct sender *s, struct part *p, struct buf *out)
{
	struct fault fault = {.file = ""};
	struct frame f = {.type = FRAME_DATA,
	    .topic = (uint32_t)p->topic,
	    .partition = p->number};
	struct raw_run run;
	int rc;

	if (s->o.dry_run) {
		p->next = p->end;
		return close_part(s, p, out);
	}
	rc = s->src->ops->next(s->src, p->topic, p->number, p->next, RUN_BYTES,
	    &run, &fault);
	if (rc == STATUS_END)
		return close_part(s, p, out);
	if (rc == STATUS_OFFSET && p->next >= 0) {
		/* Retention was faster: what is there now. */
		p->next = -1;
		return 0;
	}
	if (rc != 0)
		return refuse(s, p, rc, &fault, out);
	f.offset = run.segment;
	f.data = (struct view){run.data, run.len};
	if (p->from < 0 && run.len > 0)
		p->from = run.base_offset;
	p->next = run.next_offset;
	p->bytes += (int64_t)run.len;
	s->totals.bytes += (int64_t)run.len;
	s->totals.batches += run.batches;
	s->credit -= (int64_t)run.len;
	return frame_encode(&f, out);
}

static int
send_position(size_t topic, const struct source_position *pos, struct buf *out)
{
	struct frame f = {.type = FRAME_GROUP,
	    .topic = (uint32_t)topic,
	    .partition = pos->partition,
	    .offset = pos->offset,
	    .epoch = pos->leader_epoch,
	    .time = pos->commit_ms};
	struct buf data;
	int rc;

	buf_init(&data, FRAME_TEXT_MAX);
	rc = buf_add(&data, pos->group, strlen(pos->group) + 1);
	if (rc == 0 && pos->metadata.len > 0)
		rc = buf_add(&data, pos->metadata.data, pos->metadata.len);
	f.data = (struct view){data.data, data.len};
	if (rc == 0)
		rc = frame_encode(&f, out);
	buf_release(&data);
	return rc;
}

/* Positions behind what is over there are told the next time. */
static int
send_groups(struct sender *s, struct buf *out, struct fault *f)
{
	struct source_position pos;
	int rc = 0;

	for (size_t t = 0; rc == 0 && t < s->count; t++) {
		struct topic *topic = &s->topics[t];

		for (size_t i = 0; rc == 0 && !topic->refused; i++) {
			rc = s->src->ops->position(s->src, t, i, &pos, f);
			if (rc != 0)
				break;
			if (pos.partition < topic->count &&
			    topic->parts[pos.partition] != NULL &&
			    topic->parts[pos.partition]->state == CURRENT &&
			    topic->parts[pos.partition]->next >= pos.offset)
				rc = send_position(t, &pos, out);
		}
		rc = rc == STATUS_END ? 0 : rc;
	}
	s->groups_ms = now_mono_ms();
	return rc;
}

/* Nothing is left to be sent of any partition. */
static int
finish(struct sender *s, struct buf *out, struct fault *f)
{
	struct frame end = {.type = FRAME_END,
	    .status = s->totals.status,
	    .count = (int32_t)s->totals.partitions,
	    .bytes = s->totals.bytes};
	int rc = 0;

	if (s->o.groups && !s->o.dry_run && !s->end_sent &&
	    (s->groups_ms == 0 || now_mono_ms() - s->groups_ms >= GROUPS_MS))
		rc = send_groups(s, out, f);
	if (rc != 0)
		return rc;
	/* Nobody waits for what cannot come. */
	if ((s->o.follow && s->lost < (size_t)s->totals.partitions) ||
	    (s->o.follow && s->totals.partitions == 0) || s->end_sent)
		return EAGAIN;
	s->end_sent = true;
	return frame_encode(&end, out);
}

int
sender_step(struct sender *s, struct buf *out, struct fault *f)
{
	if (!s->begun) {
		s->begun = true;
		return look_at_topics(s, out, f);
	}
	if (s->end_come)
		return STATUS_END;
	if (!TAILQ_EMPTY(&s->fresh) && s->offered < OFFERED_MAX)
		return offer(s, TAILQ_FIRST(&s->fresh), out);
	if (!TAILQ_EMPTY(&s->ready) && s->credit > 0)
		return send_data(s, TAILQ_FIRST(&s->ready), out);
	return s->unsettled > 0 ? EAGAIN : finish(s, out, f);
}

/* Has a partition grown? */
static int
look_at_part(struct sender *s, struct part *p, struct buf *out)
{
	struct fault fault = {.file = ""};
	int64_t start = p->start;
	int rc = s->src->ops->bounds(s->src, p->topic, p->number, &p->start,
	    &p->end, &fault);

	if (rc != 0)
		return refuse(s, p, rc, &fault, out);
	if (p->end > p->next || p->start > start)
		go_on_from(s, p, p->next);
	return 0;
}

/* What was refused for a while: is it time? */
static int
look_at_refused(struct sender *s, size_t topic, int64_t now, struct buf *out,
    struct fault *f)
{
	struct topic *t = &s->topics[topic];
	struct source_topic st;
	int rc;

	if (t->refused && (t->again_ms == 0 || now < t->again_ms))
		return 0;
	if (t->refused) {
		t->refused = false;
		rc = s->src->ops->topic(s->src, topic, &st, f);
		if (rc == 0)
			rc = announce(topic, &st, out);
		if (rc != 0)
			return rc;
	}
	for (int32_t n = 0; n < t->count; n++) {
		struct part *p = t->parts[n];

		if (p != NULL && p->state == REFUSED && p->again_ms > 0 &&
		    now >= p->again_ms)
			enter(s, p, NEW);
	}
	return 0;
}

int
sender_look(struct sender *s, bool topics, struct buf *out, struct fault *f)
{
	int64_t now = now_mono_ms();
	int rc = topics ? look_at_topics(s, out, f) : 0;

	for (size_t i = 0; rc == 0 && i < s->count; i++) {
		struct topic *t = &s->topics[i];

		for (int32_t n = 0; rc == 0 && n < t->count; n++)
			if (t->parts[n] != NULL &&
			    t->parts[n]->state == CURRENT)
				rc = look_at_part(s, t->parts[n], out);
		if (rc == 0)
			rc = look_at_refused(s, i, now, out, f);
	}
	return rc;
}

bool
sender_is_current(const struct sender *s)
{
	return s->begun && s->unsettled == 0;
}

const struct sender_totals *
sender_totals(const struct sender *s)
{
	return &s->totals;
}
