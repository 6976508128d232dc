#include "replicate/receiver.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/now.h"
#include "base/plain.h"
#include "base/status.h"
#include "replicate/receiver_impl.h"
#include "store/lineage.h"
#include "store/properties.h"
#include "store/topic.h"

/* --- its life ------------------------------------------------------------ */

int
receiver_new(struct sink *sink, const struct receiver_options *o,
    struct receiver **out)
{
	struct receiver *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return ENOMEM;
	r->sink = sink;
	r->o = *o;
	if (o->source != NULL)
		r->o.source = strdup(o->source);
	if (o->source != NULL && r->o.source == NULL) {
		free(r);
		return ENOMEM;
	}
	*out = r;
	return 0;
}

void
receiver_free(struct receiver *r)
{
	if (r == NULL)
		return;
	receiver_forget_positions(r);
	free((void *)(uintptr_t)r->o.source);
	free(r->positions);
	for (size_t i = 0; i < r->count; i++)
		free(r->topics[i].parts);
	free(r->topics);
	free(r);
}

/* --- refusing ------------------------------------------------------------ */

int
receiver_refuse_text(struct receiver *r, uint32_t topic, int32_t partition,
    int status, const char *text, struct buf *out)
{
	struct receiver_topic *t = &r->topics[topic];
	struct frame f = {.type = FRAME_REFUSE,
	    .topic = topic,
	    .partition = partition,
	    .status = status,
	    .data = {(const uint8_t *)text, strlen(text)}};
	struct report report = {.kind = REPORT_REFUSED,
	    .topic = t->name,
	    .partition = partition,
	    .status = status,
	    .text = text};

	/* Of a whole topic each is offered anew before more of it comes. */
	t->refused = t->refused || partition < 0;
	for (int32_t n = 0; n < t->count; n++)
		if (partition < 0 || n == partition)
			t->parts[n].refused = true;
	if (status > r->totals.status)
		r->totals.status = status;
	report_send(&r->o.reporter, &report);
	return frame_encode(&f, out);
}

int
receiver_refuse(struct receiver *r, uint32_t topic, int32_t partition, int rc,
    const struct fault *f, struct buf *out)
{
	char text[RECEIVER_REASON_LEN];

	report_reason_at(&r->o.place, rc, f, text, sizeof(text));
	return receiver_refuse_text(r, topic, partition, report_status(rc),
	    text, out);
}

int
receiver_say_short(struct receiver *r, uint32_t topic, int32_t partition,
    int64_t end)
{
	const struct receiver_topic *t = &r->topics[topic];
	const struct receiver_part *p = &t->parts[partition];
	char came[64] = "none", what[160] = "was offered, and is not done";

	if (p->end > 0)
		snprintf(came, sizeof(came), "those up to %lld",
		    (long long)p->end - 1);
	if (end > p->end)
		snprintf(what, sizeof(what),
		    "is not whole: offsets up to %lld were offered, %s came",
		    (long long)end - 1, came);
	snprintf(r->why, sizeof(r->why), "%s%s%d %s", t->name,
	    t->name[0] != '\0' ? "/" : "partition ", (int)partition, what);
	return STATUS_CORRUPT;
}

bool
receiver_concerns_all(int rc)
{
	return rc == STATUS_MISMATCH || rc == STATUS_CLUSTER;
}

/* --- telling ------------------------------------------------------------- */

int
receiver_tell(struct receiver *r, uint32_t topic, enum report_kind kind,
    struct buf *lines, struct buf *out)
{
	char text[RECEIVER_REASON_LEN];
	const char *shown = kind == REPORT_WARNED ? text : text + 1;
	struct report report = {.kind = kind,
	    .topic = r->topics[topic].name,
	    .partition = -1,
	    .text = text + 1};
	size_t len, end = lines->len;
	int rc = end == 0 ? 0 : buf_add_8(lines, '\0');

	for (size_t at = 0; rc == 0 && at < end; at += len + 1) {
		const char *line = (const char *)lines->data + at;
		struct frame note = {.type = FRAME_NOTE, .topic = topic};

		len = strcspn(line, "\n");
		snprintf(text, sizeof(text), "%c%.*s", FRAME_NOTE_WARNS,
		    (int)len, line);
		note.data =
		    (struct view){(const uint8_t *)shown, strlen(shown)};
		report_send(&r->o.reporter, &report);
		rc = frame_encode(&note, out);
	}
	return rc;
}

/* --- frames -------------------------------------------------------------- */

/* Is all done that was offered?  If not, why names the first that is not. */
static bool
is_all_done(struct receiver *r)
{
	char more[64];
	int64_t owed = 0;

	for (size_t i = 0; i < r->count; i++) {
		const struct receiver_topic *t = &r->topics[i];

		for (int32_t n = 0; !t->refused && n < t->count; n++)
			if (t->parts[n].open && !t->parts[n].refused &&
			    owed++ == 0)
				(void)receiver_say_short(r, (uint32_t)i, n,
				    t->parts[n].source_end);
	}
	snprintf(more, sizeof(more), "; nor %s %lld other%s",
	    owed == 2 ? "is" : "are", (long long)owed - 1,
	    owed == 2 ? "" : "s");
	if (owed > 1)
		strlcat(r->why, more, sizeof(r->why));
	return owed == 0;
}

static int
take_end(struct receiver *r, const struct frame *f, struct buf *out)
{
	struct frame end = {.type = FRAME_END};
	int rc = receiver_sync_dirty(r, out);

	receiver_keep_all(r, INT64_MAX);
	if (rc == 0 && r->o.pulls && !is_all_done(r))
		return STATUS_CORRUPT;
	if (f->status > r->totals.status)
		r->totals.status = f->status;
	end.status = r->totals.status;
	end.count = (int32_t)r->totals.partitions;
	end.bytes = r->totals.bytes;
	if (rc == 0)
		rc = frame_encode(&end, out);
	return rc == 0 ? STATUS_END : rc;
}

static int
take_note(struct receiver *r, const struct frame *f)
{
	char text[RECEIVER_REASON_LEN];
	struct report report = {.kind = REPORT_WARNED,
	    .partition = -1,
	    .text = text};

	if (f->topic >= r->count || f->status != 0)
		return STATUS_CORRUPT;
	plain_copy(f->data.data, f->data.len, text, sizeof(text));
	report.topic = r->topics[f->topic].name;
	report_send(&r->o.reporter, &report);
	return 0;
}

static int
take_frame(struct receiver *r, const struct frame *f, struct buf *out,
    const char **what)
{
	int rc;

	if (f->type == FRAME_GROUP)
		return receiver_take_group(r, f, out);
	rc = receiver_commit_positions(r, out);
	if (rc != 0)
		return rc;
	switch (f->type) {
	case FRAME_TOPIC:
		return receiver_take_topic(r, f, out, what);
	case FRAME_OFFER:
	case FRAME_ASK:
	case FRAME_EXAMINE:
	case FRAME_CHECK:
	case FRAME_DIVERGED:
	case FRAME_DATA:
	case FRAME_DONE:
	case FRAME_EXTENT:
	case FRAME_REFUSE:
		return receiver_take_part_frame(r, f, out);
	case FRAME_NOTE:
		return take_note(r, f);
	case FRAME_END:
		return take_end(r, f, out);
	default:
		return STATUS_CORRUPT;
	}
}

int
receiver_frame(struct receiver *r, const struct frame *f, struct buf *out,
    const char **what)
{
	int rc;

	*what = "a frame that a sender does not send now";
	r->why[0] = '\0';
	rc = take_frame(r, f, out, what);
	if (rc == STATUS_CORRUPT && r->why[0] != '\0')
		*what = r->why;
	return rc;
}

int
receiver_tick(struct receiver *r, bool alive, struct buf *out)
{
	int64_t now = now_mono_ms();

	if (now - r->ticked_ms >= RECEIVER_KEEP_MS) {
		r->ticked_ms = now;
		receiver_keep_all(r, alive ? RECEIVER_KEEP_IDLE_MS : INT64_MAX);
	}
	/* While nothing comes nobody else would take care of them. */
	return receiver_waits_for_positions(r)
	    ? 0
	    : receiver_commit_positions(r, out);
}

int
receiver_stop(struct receiver *r, struct buf *out)
{
	int rc = receiver_commit_positions(r, out);

	if (rc == 0)
		rc = receiver_sync_dirty(r, out);
	receiver_keep_all(r, INT64_MAX);
	return rc;
}

/* --- how far it is ------------------------------------------------------- */

int64_t
receiver_behind(const struct receiver *r, size_t *partitions)
{
	int64_t behind = 0;

	*partitions = 0;
	for (size_t i = 0; i < r->count; i++) {
		for (int32_t n = 0; n < r->topics[i].count; n++) {
			const struct receiver_part *p = &r->topics[i].parts[n];

			if (!p->offered || p->refused ||
			    p->source_end <= p->from)
				continue;
			report_add(&behind, p->source_end - p->from);
			++*partitions;
		}
	}
	return behind;
}

const struct receiver_totals *
receiver_totals(const struct receiver *r)
{
	return &r->totals;
}

size_t
receiver_memory(const struct receiver *r)
{
	size_t size = sizeof(*r) + r->count * sizeof(struct receiver_topic) +
	    r->position_cap * sizeof(struct sink_position);

	size += r->position_bytes;
	return size + (size_t)r->parts * sizeof(struct receiver_part);
}
