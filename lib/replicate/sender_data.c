#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/now.h"
#include "base/status.h"
#include "replicate/sender_impl.h"
#include "store/batch.h"

enum {
	/* Bytes of one DATA frame, but for a batch that is larger. */
	RUN_BYTES = 512 << 10,
	/* Following: how far does the source go by now? */
	MEANWHILE_MS = 1000,
	/* The longest wait of sender_read(). */
	READ_MS = 1000,
};

/* --- a partition --------------------------------------------------------- */

int
sender_offer(struct sender *s, struct sender_part *p, struct buf *out)
{
	struct fault fault = {.file = ""};
	struct frame f = {.type = FRAME_OFFER,
	    .topic = (uint32_t)p->topic,
	    .partition = p->number};
	int rc = sender_tell_anew(s, p->topic, out, &fault);

	if (rc == 0)
		rc = s->src->ops->bounds(s->src, p->topic, p->number, &p->start,
		    &p->end, &fault);
	if (rc == 0)
		rc = sender_tell_return(s, p->topic, out);
	if (rc != 0)
		return sender_refuse(s, p, rc, &fault, out);
	/* It may be cut over there, or have been refused. */
	positions_forget(&s->topics[p->topic]);
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
	report_add(&s->totals.wanted, p->end - end);
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

/* --- is the source what it was? ------------------------------------------ */

int
sender_look_back(struct sender *s, struct sender_part *p, bool *kept,
    struct fault *f)
{
	*kept = true;
	if (!s->o.follow || s->src->ops->is_kept == NULL ||
	    p->last.base_offset < 0)
		return 0;
	return s->src->ops->is_kept(s->src, p->topic, p->number, &p->last, kept,
	    f);
}

/* --- records ------------------------------------------------------------- */

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

int
sender_send(struct sender *s, struct sender_part *p, struct buf *out)
{
	struct fault fault = {.file = ""};
	struct frame f = {.type = FRAME_DATA,
	    .topic = (uint32_t)p->topic,
	    .partition = p->number};
	struct raw_run run;
	bool kept;
	int rc, back;

	if (p->renewed) {
		sender_begin_anew(s, p);
		return 0;
	}
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
	back = sender_look_back(s, p, &kept, &fault);
	if (back == 0 && !kept) {
		sender_begin_anew(s, p);
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
	report_add(&s->totals.done,
	    run.next_offset - (p->next > p->start ? p->next : p->start));
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
