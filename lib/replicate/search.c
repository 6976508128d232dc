#include "base/status.h"
#include "replicate/sender_impl.h"

static int
send_offset(const struct sender_part *p, enum frame_type type, int64_t offset,
    struct buf *out)
{
	struct frame f = {.type = type,
	    .topic = (uint32_t)p->topic,
	    .partition = p->number,
	    .offset = offset};

	return frame_encode(&f, out);
}

/* Is a batch of the receiver's ours, too? */
static int
compare(struct sender *s, struct sender_part *p,
    const struct frame_batch *theirs, bool *same, struct fault *f)
{
	struct frame_batch ours;
	bool cleaned = false;
	int rc = s->src->ops->batch_at(s->src, p->topic, p->number,
	    theirs->base_offset, &ours, &cleaned, f);

	if (rc == STATUS_END) {
		/* Nothing that old is left here: nothing speaks against it. */
		*same = theirs->base_offset < p->start;
		return 0;
	}
	if (rc != 0)
		return rc;
	*same = ours.base_offset == theirs->base_offset &&
	    ours.last_offset == theirs->last_offset &&
	    ours.leader_epoch == theirs->leader_epoch &&
	    ours.crc == theirs->crc;
	if (cleaned && ours.leader_epoch <= theirs->leader_epoch)
		*same = true;
	return 0;
}

void
search_go_on(struct sender *s, struct sender_part *p, int64_t next)
{
	p->next = p->from = next;
	p->bytes = 0;
	if (p->end > next)
		s->totals.wanted +=
		    p->end - (next > p->start ? next : p->start);
	sender_enter(s, p, SENDER_SENDING);
}

int
search_cut(struct sender *s, struct sender_part *p, int64_t offset,
    struct buf *out)
{
	p->common = offset > 0;
	p->low = offset;
	sender_enter(s, p, SENDER_CUTTING);
	return send_offset(p, FRAME_DIVERGED, offset, out);
}

/* Ask for the batch in the middle of what is not known, or it is found. */
static int
search(struct sender *s, struct sender_part *p, struct buf *out)
{
	sender_enter(s, p, SENDER_SEARCHING);
	if (p->low < p->high)
		return send_offset(p, FRAME_ASK,
		    p->low + (p->high - p->low) / 2, out);
	return search_cut(s, p, p->common ? p->low : 0, out);
}

int
search_begin(struct sender *s, struct sender_part *p, struct buf *out)
{
	p->common = false;
	return search(s, p, out);
}

/*
 * Of the source from begin on: the batch that holds it comes first, in a
 * segment that begins with it.
 */
static int
find_floor(struct sender *s, struct sender_part *p, struct fault *f)
{
	struct frame_batch b;
	bool cleaned;
	int rc = s->src->ops->batch_at(s->src, p->topic, p->number, p->begin,
	    &b, &cleaned, f);

	p->floor = p->begin;
	if (rc == 0 && b.base_offset < p->begin && b.last_offset >= p->begin)
		p->floor = b.base_offset;
	return rc == STATUS_END ? 0 : rc;
}

/* There is nothing over there yet. */
static int
begin_copy(struct sender *s, struct sender_part *p, struct buf *out)
{
	struct fault fault = {.file = ""};
	struct frame f = {.type = FRAME_DATA,
	    .topic = (uint32_t)p->topic,
	    .partition = p->number};
	int rc = STATUS_UNSUPPORTED;

	p->begin = p->start;
	if (s->o.from.kind == POSITION_START || p->late) {
		search_go_on(s, p, -1);
		return 0;
	}
	if (s->src->ops->find != NULL)
		rc = s->src->ops->find(s->src, p->topic, p->number, &s->o.from,
		    &p->begin, &fault);
	if (rc == 0 && p->begin > p->start)
		rc = find_floor(s, p, &fault);
	if (rc != 0)
		return sender_refuse(s, p, rc, &fault, out);
	search_go_on(s, p, p->begin > p->start ? p->floor : -1);
	/* The log begins there, even if nothing comes. */
	f.offset = p->floor;
	return p->next < 0 || s->o.dry_run ? 0 : frame_encode(&f, out);
}

int
search_take_offer(struct sender *s, struct sender_part *p,
    const struct frame *f, struct buf *out)
{
	struct fault fault = {.file = ""};
	bool same = true;
	int rc = 0;

	if (f->batch.base_offset >= 0)
		rc = compare(s, p, &f->batch, &same, &fault);
	if (rc != 0)
		return sender_refuse(s, p, rc, &fault, out);
	if (f->batch.base_offset < 0 && f->end > p->end)
		same = false;
	p->low = p->start > f->start ? p->start : f->start;
	p->high = f->batch.base_offset >= 0 ? f->batch.base_offset : 0;
	if (p->high > p->end)
		p->high = p->end;
	if (s->o.checksum && f->batch.base_offset >= 0)
		return checking_begin(s, p, f, same, out);
	if (!same)
		return search_begin(s, p, out);
	if (f->end == 0)
		return begin_copy(s, p, out);
	/* One that is empty goes on where it begins, whatever the segment. */
	if (f->batch.base_offset < 0)
		p->floor = f->end;
	search_go_on(s, p, f->end);
	return 0;
}

int
search_take_found(struct sender *s, struct sender_part *p,
    const struct frame *f, struct buf *out)
{
	struct fault fault = {.file = ""};
	int64_t middle = p->low + (p->high - p->low) / 2;
	bool same = false;
	int rc = 0;

	if (f->batch.base_offset >= 0)
		rc = compare(s, p, &f->batch, &same, &fault);
	if (rc != 0)
		return sender_refuse(s, p, rc, &fault, out);
	if (same) {
		p->common = true;
		p->low = f->batch.last_offset >= middle
		    ? f->batch.last_offset + 1
		    : middle + 1;
	} else {
		p->high = f->batch.base_offset >= p->low &&
			f->batch.base_offset < middle
		    ? f->batch.base_offset
		    : middle;
	}
	return search(s, p, out);
}

int
search_take_cut(struct sender *s, struct sender_part *p, const struct frame *f,
    struct buf *out)
{
	int64_t common = p->common ? p->low : 0;

	if (f->batch.base_offset >= 0 && f->end > common)
		return sender_refuse(s, p, STATUS_DIFFERS, NULL, out);
	p->from = common;
	sender_report(s, p, REPORT_CUT);
	s->totals.cut++;
	search_go_on(s, p, f->batch.base_offset < 0 ? -1 : f->end);
	return 0;
}
