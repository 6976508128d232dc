#include <string.h>

#include "base/now.h"
#include "base/plain.h"
#include "base/status.h"
#include "replicate/receiver_impl.h"
#include "store/batch.h"

static void
hear_end(struct receiver *r, const struct frame *f)
{
	struct receiver_topic *t = &r->topics[f->topic];
	struct receiver_part *p = &t->parts[f->partition];

	if (f->type == FRAME_EXTENT && f->end > p->source_end)
		report_add(&r->totals.wanted, f->end - p->source_end);
	p->source_end = f->end;
	t->heard = true;
}

int
receiver_sync_dirty(struct receiver *r, struct buf *out)
{
	struct fault fault = {.file = ""};
	int rc;

	if (!r->dirty)
		return 0;
	r->dirty = false;
	rc = r->sink->ops->sync(r->sink, r->dirty_topic, r->dirty_part, &fault);
	if (receiver_concerns_all(rc))
		return rc;
	return rc == 0 ? 0
		       : receiver_refuse(r, r->dirty_topic, r->dirty_part, rc,
			     &fault, out);
}

int
receiver_answer_have(struct receiver *r, const struct frame *f, int64_t offset,
    struct receiver_part *p, struct buf *out)
{
	struct fault fault = {.file = ""};
	struct sink_state state;
	struct frame have = {.type = FRAME_HAVE,
	    .topic = f->topic,
	    .partition = f->partition};
	int rc = r->sink->ops->state(r->sink, f->topic, f->partition, offset,
	    &state, &fault);

	if (receiver_concerns_all(rc))
		return rc;
	if (rc != 0)
		return receiver_refuse(r, f->topic, f->partition, rc, &fault,
		    out);
	have.count = state.is_foreign ? 1 : 0;
	have.start = state.start;
	have.end = state.end;
	have.batch = state.batch;
	if (offset < 0) {
		p->from = p->end = p->came = state.end;
		p->fresh = state.start == state.end;
	}
	return frame_encode(&have, out);
}

static int
take_offer(struct receiver *r, const struct frame *f, struct receiver_part *p,
    struct buf *out)
{
	if (!p->offered)
		r->totals.partitions++;
	p->offered = p->open = true;
	p->refused = false;
	hear_end(r, f);
	return receiver_answer_have(r, f, -1, p, out);
}

/*
 * Before anything has come: where the log is to begin.  Else it is only said
 * how far the source goes.
 */
static int
take_extent(struct receiver *r, const struct frame *f, struct receiver_part *p,
    struct buf *out)
{
	struct fault fault = {.file = ""};
	int rc = 0;

	hear_end(r, f);
	p->open = true;
	if (p->refused || !p->fresh || p->bytes > 0 || f->start <= p->end ||
	    r->o.dry_run || r->sink->ops->begin == NULL)
		return 0;
	rc = r->sink->ops->begin(r->sink, f->topic, f->partition, f->start,
	    &fault);
	return rc == 0 || receiver_concerns_all(rc)
	    ? rc
	    : receiver_refuse(r, f->topic, f->partition, rc, &fault, out);
}

/* --- records ------------------------------------------------------------- */

/* The offset behind the last of the batches, which were appended. */
static int64_t
end_of(struct view data, int64_t end)
{
	struct batch b;

	for (size_t at = 0; at < data.len; at += b.size) {
		if (batch_decode(data.data + at, data.len - at, &b, NULL) != 0)
			break;
		end = b.last_offset + 1;
	}
	return end;
}

/* Does the copy end elsewhere than we have left it? */
static bool
has_moved(struct receiver *r, const struct frame *f,
    const struct receiver_part *p)
{
	struct sink_state state;

	return r->sink->ops->state(r->sink, f->topic, f->partition, -1, &state,
		   NULL) == 0 &&
	    state.end != p->end;
}

static void
come_to(struct receiver *r, struct receiver_part *p, int64_t offset)
{
	if (offset > p->at)
		report_add(&r->totals.done, offset - p->at);
	p->at = offset;
}

static int
append(struct receiver *r, const struct frame *f, struct receiver_part *p,
    struct buf *out)
{
	struct fault fault = {.file = ""};
	struct batch b;
	int rc = r->sink->ops->append(r->sink, f->topic, f->partition,
	    f->offset, (uint8_t *)(uintptr_t)f->data.data, f->data.len, &fault);

	if ((rc == STATUS_CORRUPT || rc == STATUS_DIFFERS) &&
	    has_moved(r, f, p))
		return STATUS_MISMATCH;
	if (receiver_concerns_all(rc))
		return rc;
	if (rc != 0)
		return receiver_refuse(r, f->topic, f->partition, rc, &fault,
		    out);
	p->end = end_of(f->data, p->end);
	if (p->end > p->came || f->offset > p->came)
		p->came = p->end > f->offset ? p->end : f->offset;
	if (f->data.len > 0 &&
	    batch_decode(f->data.data, f->data.len, &b, NULL) == 0) {
		come_to(r, p, b.base_offset);
		if (p->bytes == 0)
			p->from = b.base_offset;
	}
	p->bytes += (int64_t)f->data.len;
	r->totals.bytes += (int64_t)f->data.len;
	if (!r->dirty) {
		r->dirty = true;
		r->dirty_topic = f->topic;
		r->dirty_part = f->partition;
		r->dirty_bytes = 0;
		r->dirty_ms = now_mono_ms();
	}
	r->dirty_bytes += (int64_t)f->data.len;
	return 0;
}

static int
give_credit(const struct frame *f, struct buf *out)
{
	struct frame credit = {.type = FRAME_CREDIT,
	    .count = (int32_t)f->data.len};

	return f->data.len > 0 ? frame_encode(&credit, out) : 0;
}

static int
take_data(struct receiver *r, const struct frame *f, struct receiver_part *p,
    struct buf *out)
{
	int rc = 0;

	if (r->dirty &&
	    (r->dirty_topic != f->topic || r->dirty_part != f->partition ||
		r->dirty_bytes >= RECEIVER_SYNC_BYTES ||
		now_mono_ms() - r->dirty_ms >= RECEIVER_SYNC_MS))
		rc = receiver_sync_dirty(r, out);
	if (rc == 0 && !p->refused)
		rc = append(r, f, p, out);
	return rc == 0 ? give_credit(f, out) : rc;
}

/*
 * Has something been skipped?  What a sender of ours speaks of it has sent, but
 * for a log that has nothing, wherever that begins.
 */
static bool
is_short(const struct receiver *r, const struct frame *f,
    const struct receiver_part *p)
{
	return r->o.pulls && !r->o.dry_run && f->end > f->start &&
	    f->end > p->came;
}

static int
take_done(struct receiver *r, const struct frame *f, struct receiver_part *p,
    struct buf *out)
{
	struct fault fault = {.file = ""};
	struct frame synced = {.type = FRAME_SYNCED,
	    .topic = f->topic,
	    .partition = f->partition,
	    .end = f->end};
	struct report report = {.kind = REPORT_CURRENT,
	    .topic = r->topics[f->topic].name,
	    .partition = f->partition,
	    .from = p->from,
	    .to = f->end,
	    .bytes = p->bytes};
	int rc = receiver_sync_dirty(r, out);

	if (rc != 0 || p->refused)
		return rc;
	/* Of a log that begins late nothing has come before that. */
	if (p->fresh && p->bytes == 0 && f->start > p->from)
		report.from = f->start;
	if (is_short(r, f, p))
		return receiver_say_short(r, f->topic, f->partition, f->end);
	/* A copy begins where the source does, within a segment. */
	if (!r->o.dry_run)
		rc = r->sink->ops->clean(r->sink, f->topic, f->partition,
		    r->o.mirror || p->fresh ? f->start : -1, &fault);
	if (rc != 0)
		return receiver_refuse(r, f->topic, f->partition, rc, &fault,
		    out);
	report_send(&r->o.reporter, &report);
	if (f->end > p->source_end)
		hear_end(r, f);
	come_to(r, p, f->end);
	p->from = f->end;
	p->bytes = 0;
	p->fresh = p->open = false;
	return frame_encode(&synced, out);
}

/* --- all of it ----------------------------------------------------------- */

/* The sender gives a partition up. */
static int
take_refusal(struct receiver *r, const struct frame *f, struct receiver_part *p)
{
	char text[RECEIVER_REASON_LEN];
	struct report report = {.kind = REPORT_REFUSED,
	    .topic = r->topics[f->topic].name,
	    .partition = f->partition,
	    .status = f->status,
	    .text = text,
	    .theirs = true};

	if (f->status == 0)
		return STATUS_CORRUPT;
	plain_copy(f->data.data, f->data.len, text, sizeof(text));
	p->refused = true;
	if (f->status > r->totals.status)
		r->totals.status = f->status;
	report_send(&r->o.reporter, &report);
	return 0;
}

int
receiver_take_part_frame(struct receiver *r, const struct frame *f,
    struct buf *out)
{
	struct receiver_topic *t;
	struct receiver_part *p;

	if (f->topic >= r->count)
		return STATUS_CORRUPT;
	t = &r->topics[f->topic];
	if (f->partition < 0 || f->partition >= t->count)
		return STATUS_CORRUPT;
	p = &t->parts[f->partition];
	if (t->refused) /* they did not know yet */
		return f->type == FRAME_DATA ? give_credit(f, out) : 0;
	if (f->type == FRAME_REFUSE)
		return take_refusal(r, f, p);
	if (f->type == FRAME_OFFER)
		return take_offer(r, f, p, out);
	if (!p->offered)
		return STATUS_CORRUPT;
	if (f->type == FRAME_DATA)
		return take_data(r, f, p, out);
	if (f->type == FRAME_EXTENT)
		return take_extent(r, f, p, out);
	if (p->refused)
		return 0;
	if (f->offset < 0)
		return STATUS_CORRUPT;
	if (f->type == FRAME_ASK)
		return receiver_answer_have(r, f, f->offset, p, out);
	if (f->type == FRAME_EXAMINE)
		return receiver_take_examine(r, f, out);
	if (f->type == FRAME_CHECK)
		return receiver_take_check(r, f, p, out);
	return f->type == FRAME_DIVERGED ? receiver_take_diverged(r, f, p, out)
					 : take_done(r, f, p, out);
}
