#include "base/status.h"
#include "replicate/imprints.h"
#include "replicate/sender_impl.h"

/* Bytes that are read at a time to look at records. */
enum { RUN_BYTES = 512 << 10 };

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

void
search_go_on(struct sender *s, struct sender_part *p, int64_t next)
{
	p->next = p->from = next;
	p->bytes = 0;
	if (p->end > next)
		report_add(&s->totals.wanted,
		    p->end - (next > p->start ? next : p->start));
	sender_enter(s, p, SENDER_SENDING);
}

int
search_cut(struct sender *s, struct sender_part *p, int64_t offset,
    struct buf *out)
{
	p->asked = offset;
	sender_enter(s, p, SENDER_CUTTING);
	return send_offset(p, FRAME_DIVERGED, offset, out);
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
	if (s->o.from.kind == POSITION_START || p->late)
		rc = 0;
	else if (s->src->ops->find != NULL)
		rc = s->src->ops->find(s->src, p->topic, p->number, &s->o.from,
		    &p->begin, &fault);
	if (rc == 0 && p->begin > p->start)
		rc = find_floor(s, p, &fault);
	if (rc != 0)
		return sender_refuse(s, p, rc, &fault, out);
	search_go_on(s, p, p->begin > p->start ? p->floor : -1);
	/* DONE, which is all that comes, tells from where on it would be. */
	if (s->o.dry_run && !s->o.records && p->begin > p->start)
		p->begin = p->floor;
	if (s->o.dry_run)
		return 0;
	/* It is to be so, too, if this is the last that comes over. */
	if (p->begin > 0)
		rc = sender_tell_extent(p, p->begin, out);
	/* The log begins there, even if nothing comes. */
	f.offset = p->floor;
	return rc != 0 || p->next < 0 ? rc : frame_encode(&f, out);
}

/* Nothing speaks against what it has. */
static int
go_on(struct sender *s, struct sender_part *p, struct buf *out)
{
	if (p->their_end == 0)
		return begin_copy(s, p, out);
	/* One that is empty goes on where it begins, whatever the segment. */
	if (p->theirs.base_offset < 0)
		p->floor = p->their_end;
	else if (p->ours.base_offset >= 0 &&
	    p->ours.last_offset + 1 == p->their_end)
		p->last = p->ours;
	search_go_on(s, p, p->their_end);
	return 0;
}

static int
do_next(struct sender *s, struct sender_part *p, enum halving_next next,
    int64_t offset, struct buf *out)
{
	if (next == HALVING_NOTHING)
		return go_on(s, p, out);
	if (next == HALVING_CUT)
		return search_cut(s, p, offset, out);
	p->asked = offset;
	sender_enter(s, p, SENDER_SEARCHING);
	return send_offset(p, FRAME_ASK, offset, out);
}

/*
 * Nothing is known by the batch that was looked at: where is what we have
 * before it?
 */
static int
look_below(struct sender *s, struct sender_part *p, struct buf *out)
{
	struct fault fault = {.file = ""};
	struct frame_batch ours = {.last_offset = -1};
	int64_t base = p->theirs.base_offset, below, offset = 0;
	enum halving_next next;
	bool cleaned;
	int rc = base <= 0 ? STATUS_END
			   : s->src->ops->batch_at(s->src, p->topic, p->number,
				 base - 1, &ours, &cleaned, &fault);

	if (rc != 0 && rc != STATUS_END)
		return sender_refuse(s, p, rc, &fault, out);
	below = ours.last_offset < base ? ours.last_offset : base - 1;
	next = halving_silent(&p->halving, below, &offset);
	/* Of another topic's copy something has to be known. */
	if (next == HALVING_NOTHING && p->is_foreign && p->their_end > 0)
		next = HALVING_CUT;
	return do_next(s, p, next, offset, out);
}

static int
take_verdict(struct sender *s, struct sender_part *p,
    enum imprint_verdict verdict, struct buf *out)
{
	enum halving_next next;
	int64_t offset = 0;

	if (verdict == IMPRINT_SILENT)
		return look_below(s, p, out);
	next = verdict == IMPRINT_SAME
	    ? halving_same(&p->halving, p->theirs.last_offset, &offset)
	    : halving_different(&p->halving, p->theirs.base_offset, &offset);
	return do_next(s, p, next, offset, out);
}

/* Our records where their batch is. */
static int
read_records(struct sender *s, const struct sender_part *p, struct imprints *l,
    struct fault *f)
{
	int64_t at = p->theirs.base_offset, last = p->theirs.last_offset;
	struct raw_run run;
	int rc = 0;

	/* What was deleted was not compacted, but is not there either. */
	l->cleaned = at < p->start;
	while (rc == 0 && at <= last) {
		rc = sender_read(s, p, at, RUN_BYTES, &run, f);
		if (rc == 0 && run.len > 0) {
			rc = imprints_add(l, (struct view){run.data, run.len},
			    p->theirs.base_offset, last);
			at = run.next_offset;
		} else if (rc == 0 && run.base_offset > last) {
			break;
		}
	}
	l->cleaned = l->cleaned || l->next <= last;
	/* At the end, or deleted meanwhile. */
	return rc == STATUS_END || rc == STATUS_OFFSET ? 0 : rc;
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
take_same(struct sender *s, struct sender_part *p, bool cleaned,
    struct buf *out)
{
	enum imprint_verdict verdict = IMPRINT_SAME;
	struct fault fault = {.file = ""};
	struct imprints ours;
	int rc = 0;

	imprints_init(&ours);
	if (cleaned) {
		rc = read_records(s, p, &ours, &fault);
		if (ours.count == 0)
			verdict = IMPRINT_SILENT;
	}
	imprints_release(&ours);
	return rc == 0 ? take_verdict(s, p, verdict, out)
		       : sender_refuse(s, p, rc, &fault, out);
}

/* A batch of the receiver's that is not one of ours: look at its records. */
static int
examine(struct sender *s, struct sender_part *p, struct buf *out)
{
	if (!s->o.examines)
		return take_verdict(s, p, IMPRINT_DIFFERENT, out);
	sender_enter(s, p, SENDER_EXAMINING);
	return send_offset(p, FRAME_EXAMINE, p->theirs.base_offset, out);
}

int
search_judge(struct sender *s, struct sender_part *p, struct buf *out)
{
	struct fault fault = {.file = ""};
	struct frame_batch ours;
	bool cleaned;
	int rc;

	p->ours.base_offset = -1;
	if (p->their_end > p->end && !p->halving.diverged)
		return take_verdict(s, p, IMPRINT_DIFFERENT, out);
	if (p->theirs.base_offset < 0)
		return take_verdict(s, p, IMPRINT_SILENT, out);
	if (p->theirs.last_offset >= p->end)
		return take_verdict(s, p, IMPRINT_DIFFERENT, out);
	rc = s->src->ops->batch_at(s->src, p->topic, p->number,
	    p->theirs.base_offset, &ours, &cleaned, &fault);
	if (rc != 0 && rc != STATUS_END)
		return sender_refuse(s, p, rc, &fault, out);
	if (rc == 0)
		p->ours = ours;
	if (rc == 0 && is_same(&ours, &p->theirs))
		return take_same(s, p, cleaned, out);
	if (rc == 0 && ours.leader_epoch > p->theirs.leader_epoch)
		return take_verdict(s, p, IMPRINT_DIFFERENT, out);
	/* What was deleted here speaks for nothing. */
	if (p->theirs.last_offset < p->start)
		return take_verdict(s, p, IMPRINT_SILENT, out);
	return examine(s, p, out);
}

int
search_take_offer(struct sender *s, struct sender_part *p,
    const struct frame *f, struct buf *out)
{
	halving_init(&p->halving, p->start > f->start ? p->start : f->start,
	    p->end);
	p->their_end = f->end;
	p->is_foreign = f->count != 0;
	p->theirs = f->batch;
	if (s->o.checksum && f->batch.base_offset >= 0)
		return checking_begin(s, p, f, out);
	return search_judge(s, p, out);
}

int
search_take_found(struct sender *s, struct sender_part *p,
    const struct frame *f, struct buf *out)
{
	if (f->batch.base_offset > p->asked)
		return STATUS_CORRUPT;
	p->theirs = f->batch;
	return search_judge(s, p, out);
}

int
search_take_records(struct sender *s, struct sender_part *p,
    const struct frame *f, struct buf *out)
{
	enum imprint_verdict verdict = IMPRINT_SILENT;
	struct fault fault = {.file = ""};
	struct imprints ours, theirs;
	int rc;

	imprints_init(&ours);
	imprints_init(&theirs);
	theirs.cleaned = f->count != 0;
	rc = imprints_decode(f->data, &theirs);
	if (rc == 0) {
		rc = read_records(s, p, &ours, &fault);
		if (rc == 0)
			verdict = imprints_compare(&ours, &theirs,
			    p->theirs.leader_epoch);
		rc = rc == 0 ? take_verdict(s, p, verdict, out)
			     : sender_refuse(s, p, rc, &fault, out);
	}
	imprints_release(&ours);
	imprints_release(&theirs);
	return rc;
}

int
search_take_cut(struct sender *s, struct sender_part *p, const struct frame *f,
    struct buf *out)
{
	if (f->batch.base_offset >= 0 && f->end > p->asked)
		return sender_refuse(s, p, STATUS_DIFFERS, NULL, out);
	p->from = p->asked;
	sender_report(s, p, REPORT_CUT);
	s->totals.cut++;
	search_go_on(s, p, f->batch.base_offset < 0 ? -1 : f->end);
	return 0;
}
