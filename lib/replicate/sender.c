#include "replicate/sender.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/now.h"
#include "base/plain.h"
#include "base/siphash.h"
#include "base/status.h"
#include "replicate/sender_impl.h"
#include "store/batch.h"
#include "store/properties.h"

enum {
	/* Bytes of one DATA frame, but for a batch that is larger. */
	RUN_BYTES = 512 << 10,
	/* Partitions of which it is not known where to go on. */
	OFFERED_MAX = 64,
	/* A source that does not tell: which topics are there? */
	TOPICS_MS = 1000,
	/* Following: how far does the source go by now? */
	MEANWHILE_MS = 1000,
	/* Positions of groups are looked at so often, when following. */
	GROUPS_MS = 1000,
	/* What failed is tried again after so long, and twice that, to ... */
	AGAIN_MS = 1000,
	AGAIN_MS_MAX = 30000,
	/* The longest wait of sender_read(). */
	READ_MS = 1000,
};

/* --- states --------------------------------------------------------------- */

static bool
is_settled(enum sender_state state)
{
	return state == SENDER_CURRENT || state == SENDER_REFUSED;
}

/* Is it being found out where to go on?  Each of these is open. */
static bool
is_in_question(enum sender_state state)
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
	s->offered += (size_t)is_in_question(state);
	s->offered -= (size_t)is_in_question(p->state);
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

static int
tell_return(struct sender *s, size_t topic, struct buf *out)
{
	struct sender_topic *t = &s->topics[topic];

	if (!t->removed)
		return 0;
	t->removed = false;
	t->groups_due = true;
	return sender_warn(s, topic, "is at the source again", out);
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

/* --- topics --------------------------------------------------------------- */

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

/* Tell of a topic what was not told, or has changed. */
static int
announce(struct sender *s, size_t topic, const struct source_topic *t,
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

static int look_at_parts(struct sender *s, struct sender_topic *t,
    struct buf *out);

/* Topics and partitions that are new to us, told and put to the others. */
static int
look_at_topics(struct sender *s, struct buf *out, struct fault *f)
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
		rc = announce(s, i, &t, out);
		if (rc == 0 && t.partitions > s->topics[i].count)
			s->topics[i].groups_due = true;
		if (rc == 0 && t.partitions > s->topics[i].count)
			rc = add_parts(s, i, t.partitions);
		/* It may be another one by that name. */
		if (rc == 0 && i < known && s->src->ops->is_kept != NULL)
			rc = look_at_parts(s, &s->topics[i], out);
	}
	s->looked = true;
	s->topics_ms = now_mono_ms();
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
	}
	free(s->topics);
	free(s);
}

/* --- frames --------------------------------------------------------------- */

static int look_at_part(struct sender *s, struct sender_part *p,
    struct buf *out);

static int
take_synced(struct sender *s, struct sender_part *p, struct buf *out)
{
	p->pause_ms = s->topics[p->topic].pause_ms = 0;
	sender_report(s, p, REPORT_CURRENT);
	sender_enter(s, p, SENDER_CURRENT);
	return p->stale && s->o.follow ? look_at_part(s, p, out) : 0;
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
	if (f->status == 0)
		report_send(&s->o.reporter, &done);
	else
		give_up(s, f->topic, NULL, f->status, text, true);
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
	if (f->type == FRAME_CHECKED && is_in_question(p->state) &&
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

/* --- what is to be done --------------------------------------------------- */

static int
offer(struct sender *s, struct sender_part *p, struct buf *out)
{
	struct fault fault = {.file = ""};
	struct frame f = {.type = FRAME_OFFER,
	    .topic = (uint32_t)p->topic,
	    .partition = p->number};
	int rc = s->src->ops->bounds(s->src, p->topic, p->number, &p->start,
	    &p->end, &fault);

	if (rc != 0)
		return sender_refuse(s, p, rc, &fault, out);
	rc = tell_return(s, p->topic, out);
	if (rc != 0)
		return rc;
	f.start = p->start;
	f.end = p->end;
	p->looked_ms = now_mono_ms();
	sender_enter(s, p, SENDER_OFFERED);
	return frame_encode(&f, out);
}

int
sender_tell_extent(const struct sender_part *p, int64_t start, struct buf *out)
{
	struct frame f = {.type = FRAME_EXTENT,
	    .topic = (uint32_t)p->topic,
	    .partition = p->number,
	    .start = start,
	    .end = p->end};

	return frame_encode(&f, out);
}

/*
 * Following, what is sent may have grown meanwhile; the others that wait get
 * their turn then.
 */
static int
look_meanwhile(struct sender *s, struct sender_part *p, struct buf *out,
    struct fault *fault)
{
	int64_t now = now_mono_ms(), end = p->end;
	int rc;

	if (!s->o.follow || now - p->looked_ms < MEANWHILE_MS)
		return 0;
	p->looked_ms = now;
	TAILQ_REMOVE(&s->ready, p, link);
	TAILQ_INSERT_TAIL(&s->ready, p, link);
	rc = s->src->ops->bounds(s->src, p->topic, p->number, &p->start,
	    &p->end, fault);
	if (rc != 0)
		return sender_refuse(s, p, rc, fault, out);
	s->totals.wanted += p->end - end;
	return p->end != end ? sender_tell_extent(p, p->start, out) : 0;
}

/* All is sent: let it be made durable. */
static int
close_part(struct sender *s, struct sender_part *p, struct buf *out)
{
	struct frame f = {.type = FRAME_DONE,
	    .topic = (uint32_t)p->topic,
	    .partition = p->number,
	    .start = p->begin > p->start ? p->begin : p->start,
	    .end = p->next < 0 ? p->start : p->next};

	p->next = f.end;
	if (p->from < 0)
		p->from = p->start < p->next ? p->start : p->next;
	sender_enter(s, p, SENDER_CLOSING);
	return frame_encode(&f, out);
}

/* --- is the source what it was? ------------------------------------------- */

/*
 * What both have last must stand there still: else the source was cut, or is
 * another one, and what stands behind does not belong behind what was sent.
 */
static int
look_back(struct sender *s, struct sender_part *p, bool *kept, struct fault *f)
{
	*kept = true;
	if (!s->o.follow || s->src->ops->is_kept == NULL ||
	    p->last.base_offset < 0)
		return 0;
	return s->src->ops->is_kept(s->src, p->topic, p->number, &p->last, kept,
	    f);
}

/* It is found out again where to go on. */
static void
begin_anew(struct sender *s, struct sender_part *p)
{
	p->last.base_offset = -1;
	p->stale = false;
	sender_enter(s, p, SENDER_NEW);
}

/* What comes next is not what was to come: retention was faster. */
static int
tell_missed(struct sender *s, struct sender_part *p, int64_t next,
    struct buf *out)
{
	char text[160];
	int64_t from = p->missed;

	p->missed = -1;
	if (from < 0 || next <= from)
		return 0;
	snprintf(text, sizeof(text),
	    "partition %d lacks offsets %lld to %lld, deleted at the source "
	    "before they came over",
	    (int)p->number, (long long)from, (long long)next - 1);
	return sender_warn(s, p->topic, text, out);
}

static void
note_last(struct sender *s, struct sender_part *p, const struct raw_run *run)
{
	struct batch b;

	if (!s->o.follow || s->src->ops->is_kept == NULL)
		return;
	for (size_t at = 0; at < run->len; at += b.size) {
		if (batch_decode(run->data + at, run->len - at, &b, NULL) != 0)
			return;
		if (at + b.size == run->len)
			p->last = (struct frame_batch){b.base_offset,
			    b.last_offset, b.leader_epoch, b.crc};
	}
}

static int
send_data(struct sender *s, struct sender_part *p, struct buf *out)
{
	struct fault fault = {.file = ""};
	struct frame f = {.type = FRAME_DATA,
	    .topic = (uint32_t)p->topic,
	    .partition = p->number};
	struct raw_run run;
	bool kept;
	int rc, back;

	if (s->o.dry_run) {
		p->next = p->end;
		return close_part(s, p, out);
	}
	rc = s->src->ops->next(s->src, p->topic, p->number, p->next, RUN_BYTES,
	    &run, &fault);
	if (rc == STATUS_END)
		return close_part(s, p, out);
	if (rc == EAGAIN) {
		sender_enter(s, p, SENDER_WAITING);
		return 0;
	}
	/* After it was read: so nothing was cut between the two. */
	back = look_back(s, p, &kept, &fault);
	if (back == 0 && !kept) {
		begin_anew(s, p);
		return 0;
	}
	if (rc == 0)
		rc = back;
	if (rc == STATUS_OFFSET && p->next >= 0) {
		/* Retention was faster: what is there now. */
		p->missed = p->next;
		p->next = -1;
		p->floor = 0;
		return 0;
	}
	if (rc != 0)
		return sender_refuse(s, p, rc, &fault, out);
	f.offset =
	    run.segment < 0 || run.segment > p->floor ? run.segment : p->floor;
	f.data = (struct view){run.data, run.len};
	if (p->from < 0 && run.len > 0)
		p->from = run.base_offset;
	s->totals.done +=
	    run.next_offset - (p->next > p->start ? p->next : p->start);
	p->next = run.next_offset;
	p->bytes += (int64_t)run.len;
	s->totals.bytes += (int64_t)run.len;
	s->totals.batches += run.batches;
	s->credit -= (int64_t)run.len;
	note_last(s, p, &run);
	rc = frame_encode(&f, out);
	if (rc == 0 && run.len > 0)
		rc = tell_missed(s, p, run.base_offset, out);
	return rc == 0 ? look_meanwhile(s, p, out, &fault) : rc;
}

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
		return look_at_topics(s, out, f);
	}
	if (s->end_come)
		return STATUS_END;
	if (s->stopping)
		return send_end(s, out);
	if (!TAILQ_EMPTY(&s->fresh) && s->offered < OFFERED_MAX)
		return offer(s, TAILQ_FIRST(&s->fresh), out);
	if (!TAILQ_EMPTY(&s->checking))
		return checking_step(s, TAILQ_FIRST(&s->checking), out);
	if (!TAILQ_EMPTY(&s->ready) && s->credit > 0)
		return send_data(s, TAILQ_FIRST(&s->ready), out);
	return s->unsettled > 0 ? EAGAIN : finish(s, out, f);
}

/* Has a partition grown? */
static int
look_at_part(struct sender *s, struct sender_part *p, struct buf *out)
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
	rc = look_back(s, p, &kept, &fault);
	if (rc != 0)
		return sender_refuse(s, p, rc, &fault, out);
	if (!kept || p->end < p->next) {
		begin_anew(s, p);
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
			rc = announce(s, topic, &st, out);
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

static int
look_at_parts(struct sender *s, struct sender_topic *t, struct buf *out)
{
	int rc = 0;

	for (int32_t n = 0; rc == 0 && n < t->count; n++)
		if (t->parts[n] != NULL)
			rc = look_at_part(s, t->parts[n], out);
	return rc;
}

static int
look_at_all(struct sender *s, struct buf *out)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < s->count; i++)
		rc = look_at_parts(s, &s->topics[i], out);
	return rc;
}

void
sender_resume(struct sender *s)
{
	struct sender_part *p;

	while ((p = TAILQ_FIRST(&s->waiting)) != NULL)
		sender_enter(s, p, SENDER_SENDING);
}

int
sender_read(struct sender *s, const struct sender_part *p, int64_t offset,
    size_t max, struct raw_run *out, struct fault *f)
{
	struct pollfd fd = {.fd = s->src->ops->wait_fd(s->src),
	    .events = POLLIN};
	bool woken;
	int rc;

	while ((rc = s->src->ops->next(s->src, p->topic, p->number, offset, max,
		    out, f)) == EAGAIN) {
		rc = s->src->ops->turn(s->src, &woken, f);
		if (rc == 0 && !woken && poll(&fd, 1, READ_MS) < 0 &&
		    errno != EINTR)
			rc = errno;
		if (rc != 0)
			return rc;
	}
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
			rc = look_at_part(s, t->parts[c.partition], out);
	}
	return rc;
}

const struct fault *
sender_fault(const struct sender *s)
{
	return &s->fault;
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
	return rc == 0 && topics ? look_at_topics(s, out, f) : rc;
}

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
			behind +=
			    p->end - (p->next > p->start ? p->next : p->start);
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
