/*
 * Are all batches the same on both sides?  Ranges of offsets are compared by
 * their digests, several of them on their way at a time, so that both sides
 * read at once.  One that differs is halved until a single offset is left:
 * there the first batch begins that is not the same.
 */

#include <errno.h>
#include <stdlib.h>

#include "base/status.h"
#include "replicate/digest.h"
#include "replicate/sender_impl.h"

enum {
	/* Bytes of one range, about; read so many at a time. */
	RANGE_BYTES = 8 << 20,
	RUN_BYTES = 512 << 10,
	/* Ranges without an answer. */
	ASKED_MAX = 4,
};

struct stretch {
	struct digest digest;	/* ours */
	int64_t bytes;
};

struct checking {
	int64_t from, end;	/* of all */
	int64_t at;		/* read up to here */
	struct stretch now;	/* what is being read */
	struct stretch asked[ASKED_MAX];
	size_t first, count;
	bool differs;		/* between low and high */
	int64_t low, high;
	int64_t compared, skipped; /* bytes */
};

static bool
is_read(const struct checking *c)
{
	return c->at >= c->end;
}

/* Everything has been compared, and is the same. */
static int
finish(struct sender *s, struct sender_part *p, struct buf *out)
{
	struct checking c = *p->checking;

	free(p->checking);
	p->checking = NULL;
	p->from = c.from;
	p->next = c.end;
	p->bytes = c.compared;
	s->totals.skipped += c.skipped;
	sender_report(s, p, REPORT_COMPARED);
	return search_judge(s, p, out);
}

int
checking_begin(struct sender *s, struct sender_part *p,
    const struct frame *have, struct buf *out)
{
	struct checking *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return ENOMEM;
	c->from = c->at = p->halving.low;
	c->end = have->end < p->end ? have->end : p->end;
	digest_begin(&c->now.digest, c->at, c->end);
	p->checking = c;
	if (is_read(c))
		return finish(s, p, out);
	s->totals.wanted += c->end - c->from;
	sender_enter(s, p, SENDER_CHECKING);
	return 0;
}

static int
ask(const struct sender_part *p, int64_t start, int64_t end, struct buf *out)
{
	struct frame f = {.type = FRAME_CHECK,
	    .topic = (uint32_t)p->topic,
	    .partition = p->number,
	    .start = start,
	    .end = end};

	return frame_encode(&f, out);
}

/* A range is read: let the other side do the same. */
static int
end_range(struct sender *s, struct sender_part *p, struct buf *out)
{
	struct checking *c = p->checking;
	struct stretch *r = &c->asked[(c->first + c->count++) % ASKED_MAX];

	if (c->at > c->end)
		c->at = c->end;
	c->now.digest.end = c->at;
	s->totals.done += c->at - c->now.digest.start;
	*r = c->now;
	c->now = (struct stretch){.bytes = 0};
	digest_begin(&c->now.digest, c->at, c->end);
	if (c->count == ASKED_MAX || is_read(c))
		sender_enter(s, p, SENDER_AWAITING);
	return ask(p, r->digest.start, r->digest.end, out);
}

/* Retention was faster than we were: what is left begins later. */
static int
skip_deleted(struct sender *s, struct sender_part *p, struct fault *f)
{
	struct checking *c = p->checking;
	int64_t end;
	int rc = s->src->ops->bounds(s->src, p->topic, p->number, &p->start,
	    &end, f);

	if (rc != 0)
		return rc;
	c->at = p->start > c->at ? p->start : c->at + 1;
	c->now = (struct stretch){.bytes = 0};
	digest_begin(&c->now.digest, c->at, c->end);
	return 0;
}

/*
 * Does a range end with its segment?  What compaction has been at shall not
 * keep the next segment from being compared.
 */
static bool
is_range(const struct stretch *r)
{
	return r->bytes > 0 &&
	    (r->digest.cleaned || r->bytes >= RANGE_BYTES / 8);
}

int
checking_step(struct sender *s, struct sender_part *p, struct buf *out)
{
	struct fault fault = {.file = ""};
	struct checking *c = p->checking;
	struct raw_run run = {.len = 0};
	int rc = sender_read(s, p, c->at, RUN_BYTES, &run, &fault);

	if (rc == STATUS_END || (rc == 0 && run.base_offset >= c->end)) {
		c->at = c->end;
		return end_range(s, p, out);
	}
	if (rc == 0 && run.len == 0 && is_range(&c->now)) {
		c->at = run.segment > c->at ? run.segment : c->at;
		return end_range(s, p, out);
	}
	if (rc == STATUS_OFFSET)
		rc = skip_deleted(s, p, &fault);
	else if (rc == 0 && run.len > 0)
		rc = digest_add(&c->now.digest,
		    (struct view){run.data, run.len});
	if (rc != 0)
		return sender_refuse(s, p, rc, &fault, out);
	if (run.len > 0)
		c->at = run.next_offset;
	c->now.bytes += (int64_t)run.len;
	s->totals.compared += (int64_t)run.len;
	return is_read(c) || c->now.bytes >= RANGE_BYTES ? end_range(s, p, out)
							 : 0;
}

/* Our digest of a range that differs. */
static int
read_range(struct sender *s, const struct sender_part *p, struct digest *d,
    struct fault *f)
{
	int64_t at = d->start;
	struct raw_run run;
	int rc = 0;

	while (rc == 0 && at < d->end) {
		rc = sender_read(s, p, at, RUN_BYTES, &run, f);
		if (rc == 0 && run.base_offset >= d->end)
			break;
		if (rc == 0 && run.len > 0) {
			rc = digest_add(d, (struct view){run.data, run.len});
			at = run.next_offset;
		}
	}
	return rc == STATUS_END ? 0 : rc;
}

/* Ask for the first half of what differs, or it is found. */
static int
narrow(struct sender *s, struct sender_part *p, struct buf *out)
{
	struct fault fault = {.file = ""};
	struct checking *c = p->checking;
	struct digest *d = &c->now.digest;
	int64_t found = c->low;
	int rc;

	if (c->high - c->low <= 1) {
		free(c);
		p->checking = NULL;
		return search_cut(s, p, found, out);
	}
	sender_enter(s, p, SENDER_NARROWING);
	digest_begin(d, c->low, c->low + (c->high - c->low) / 2);
	rc = read_range(s, p, d, &fault);
	return rc == 0 ? ask(p, d->start, d->end, out)
		       : sender_refuse(s, p, rc, &fault, out);
}

static bool
is_same(const struct digest *d, const struct frame *f)
{
	return d->value == f->digest && d->batches == f->count && f->offset < 0;
}

static int
take_half(struct sender *s, struct sender_part *p, const struct frame *f,
    struct buf *out)
{
	struct checking *c = p->checking;
	const struct digest *d = &c->now.digest;

	if (f->end != d->end)
		return STATUS_CORRUPT;
	if (is_same(d, f))
		c->low = d->end;
	else
		c->high = d->end;
	return narrow(s, p, out);
}

/* What a range's answer means. */
static void
judge(struct checking *c, const struct stretch *r, const struct frame *f)
{
	const struct digest *d = &r->digest;

	if (is_same(d, f)) {
		c->compared += r->bytes;
	} else if (!d->cleaned && f->start <= d->start) {
		c->differs = true;
		c->low = d->start;
		c->high = d->end;
	} else if (f->offset >= d->start && f->offset < d->end) {
		/* What was cleaned is not alike, but damage is damage. */
		c->differs = true;
		c->low = c->high = f->offset;
	} else {
		c->skipped += r->bytes;
	}
}

int
checking_take(struct sender *s, struct sender_part *p, const struct frame *f,
    struct buf *out)
{
	struct checking *c = p->checking;
	const struct stretch *r;

	if (p->state == SENDER_NARROWING)
		return take_half(s, p, f, out);
	if (c->count == 0)
		return STATUS_CORRUPT;
	r = &c->asked[c->first];
	if (f->end != r->digest.end)
		return STATUS_CORRUPT;
	c->first = (c->first + 1) % ASKED_MAX;
	c->count--;
	if (!c->differs)
		judge(c, r, f);
	if (c->differs && p->state == SENDER_CHECKING)
		sender_enter(s, p, SENDER_AWAITING);
	if (c->count == 0 && c->differs)
		return narrow(s, p, out);
	if (c->count == 0 && is_read(c))
		return finish(s, p, out);
	if (p->state == SENDER_AWAITING && !c->differs && !is_read(c))
		sender_enter(s, p, SENDER_CHECKING);
	return 0;
}
