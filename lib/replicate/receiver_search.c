#include <stdio.h>

#include "base/status.h"
#include "replicate/receiver_impl.h"

/* The records of a batch, one by one. */
int
receiver_take_examine(struct receiver *r, const struct frame *f,
    struct buf *out)
{
	struct fault fault = {.file = ""};
	struct frame records = {.type = FRAME_RECORDS,
	    .topic = f->topic,
	    .partition = f->partition};
	struct imprints l;
	struct buf data;
	int rc = STATUS_UNSUPPORTED;

	imprints_init(&l);
	buf_init(&data, FRAME_RECORDS_MAX);
	if (r->sink->ops->records != NULL)
		rc = r->sink->ops->records(r->sink, f->topic, f->partition,
		    f->offset, &l, &fault);
	if (rc == 0)
		rc = imprints_encode(&l, &data);
	records.count = l.cleaned ? 1 : 0;
	records.data = (struct view){data.data, data.len};
	rc = rc == 0
	    ? frame_encode(&records, out)
	    : receiver_refuse(r, f->topic, f->partition, rc, &fault, out);
	imprints_release(&l);
	buf_release(&data);
	return rc;
}

/* What has this side between two offsets? */
int
receiver_take_check(struct receiver *r, const struct frame *f,
    struct receiver_part *p, struct buf *out)
{
	struct fault fault = {.file = ""};
	struct sink_digest d = {.damaged = -1};
	struct frame checked = {.type = FRAME_CHECKED,
	    .topic = f->topic,
	    .partition = f->partition,
	    .end = f->end};
	int rc = STATUS_UNSUPPORTED;

	if (f->start < 0 || f->end < f->start)
		return STATUS_CORRUPT;
	if (r->sink->ops->digest != NULL)
		rc = r->sink->ops->digest(r->sink, f->topic, f->partition,
		    f->start, f->end, &d, &fault);
	if (rc != 0)
		return receiver_refuse(r, f->topic, f->partition, rc, &fault,
		    out);
	checked.start = d.start;
	checked.digest = d.value;
	checked.count = d.batches;
	checked.offset = d.damaged;
	if (d.damaged >= 0) {
		p->is_damaged = true;
		p->damaged = d.damaged;
	}
	return frame_encode(&checked, out);
}

/* Why nothing more is done with one that differs from its source. */
static int
refuse_diverged(struct receiver *r, const struct frame *f,
    const struct receiver_part *p, struct buf *out)
{
	bool damaged = p->is_damaged && p->damaged == f->offset;
	char text[RECEIVER_REASON_LEN];

	if (r->o.lasting)
		return receiver_refuse_text(r, f->topic, f->partition, 4,
		    "diverged: what was sent is not what the source has, which "
		    "needs another destination topic",
		    out);
	snprintf(text, sizeof(text), "%s from offset %lld on%s%s",
	    damaged ? "the copy is damaged:" : "diverged:",
	    (long long)f->offset,
	    damaged ? "" : " it is not what the source has",
	    r->o.cut ? " (would be cut)" : " (--on-diverge truncate)");
	return receiver_refuse_text(r, f->topic, f->partition, damaged ? 3 : 4,
	    text, out);
}

int
receiver_take_diverged(struct receiver *r, const struct frame *f,
    struct receiver_part *p, struct buf *out)
{
	struct fault fault = {.file = ""};
	struct report report = {.kind = REPORT_CUT,
	    .topic = r->topics[f->topic].name,
	    .partition = f->partition,
	    .from = f->offset};
	struct buf told;
	int rc;

	if (!r->o.cut || r->o.dry_run)
		return refuse_diverged(r, f, p, out);
	buf_init(&told, FRAME_TEXT_MAX);
	rc = r->sink->ops->cut(r->sink, f->topic, f->partition, f->offset,
	    &told, &fault);
	if (rc == 0) {
		r->totals.cut++;
		report_send(&r->o.reporter, &report);
		rc = receiver_answer_have(r, f, -1, p, out);
	} else {
		rc =
		    receiver_refuse(r, f->topic, f->partition, rc, &fault, out);
	}
	if (rc == 0)
		rc = receiver_tell(r, f->topic, REPORT_WARNED, &told, out);
	buf_release(&told);
	return rc;
}
