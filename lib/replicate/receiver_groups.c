#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/now.h"
#include "base/plain.h"
#include "base/status.h"
#include "replicate/receiver_impl.h"
#include "store/groups.h"
#include "store/lineage.h"
#include "store/properties.h"
#include "store/topic.h"

enum {
	/* Of one group that are kept together. */
	POSITIONS_MAX = PARTITIONS_MAX,
	/*
	 * Of several: each commit reads all that the topic's groups have, so
	 * that there are to be few.
	 */
	GATHERED_MAX = 4096,
	GATHERED_BYTES = 1 << 20,
	/* Longer than that they do not wait for more. */
	GATHERED_MS = 1000,
};

void
receiver_forget_positions(struct receiver *r)
{
	for (size_t i = 0; i < r->position_count; i++) {
		free((void *)(uintptr_t)r->positions[i].metadata.data);
		free((void *)(uintptr_t)r->positions[i].group);
	}
	r->position_count = r->position_bytes = 0;
}

int
receiver_commit_positions(struct receiver *r, struct buf *out)
{
	struct fault fault = {.file = ""};
	char text[RECEIVER_REASON_LEN];
	struct frame note = {.type = FRAME_NOTE, .topic = r->group_topic};
	struct report report = {.kind = REPORT_REFUSED, .text = text};
	int rc;

	if (r->position_count == 0)
		return 0;
	rc = r->sink->ops->commit(r->sink, r->group_topic, r->positions,
	    r->position_count, &fault);
	receiver_forget_positions(r);
	if (rc == 0)
		return 0;
	report_reason_at(&r->o.place, rc, &fault, text, sizeof(text));
	report.topic = r->topics[r->group_topic].name;
	report.partition = -1;
	report.status = report_status(rc);
	if (report.status > r->totals.status)
		r->totals.status = report.status;
	report_send(&r->o.reporter, &report);
	note.status = report.status;
	note.data = (struct view){(const uint8_t *)text, strlen(text)};
	return frame_encode(&note, out);
}

bool
receiver_waits_for_positions(const struct receiver *r)
{
	return r->position_count > 0 &&
	    now_mono_ms() - r->gathered_ms < GATHERED_MS;
}

static int
keep_position(struct receiver *r, const struct frame *f, const char *group,
    struct view metadata)
{
	struct sink_position *more, *pos;

	if (r->position_count >= GATHERED_MAX + POSITIONS_MAX)
		return STATUS_CORRUPT;
	if (r->position_count == r->position_cap) {
		r->position_cap =
		    r->position_cap == 0 ? 16 : r->position_cap * 2;
		more =
		    reallocarray(r->positions, r->position_cap, sizeof(*more));
		if (more == NULL)
			return ENOMEM;
		r->positions = more;
	}
	pos = &r->positions[r->position_count];
	*pos = (struct sink_position){.group = strdup(group),
	    .partition = f->partition,
	    .offset = f->offset,
	    .leader_epoch = f->epoch,
	    .commit_ms = f->time};
	if (pos->group == NULL)
		return ENOMEM;
	if (metadata.len > 0) {
		uint8_t *copy = malloc(metadata.len);

		if (copy == NULL) {
			free((void *)(uintptr_t)pos->group);
			return ENOMEM;
		}
		memcpy(copy, metadata.data, metadata.len);
		pos->metadata = (struct view){copy, metadata.len};
	}
	if (r->position_count++ == 0)
		r->gathered_ms = now_mono_ms();
	r->position_bytes += strlen(group) + metadata.len;
	return 0;
}

/* Is there to be a commit before another group's, or another topic's? */
static bool
is_enough(const struct receiver *r, uint32_t topic, const char *group)
{
	if (r->position_count == 0)
		return false;
	if (topic != r->group_topic)
		return true;
	return (r->position_count >= GATHERED_MAX ||
		   r->position_bytes >= GATHERED_BYTES) &&
	    strcmp(r->positions[r->position_count - 1].group, group) != 0;
}

int
receiver_take_group(struct receiver *r, const struct frame *f, struct buf *out)
{
	struct view data = f->data;
	char group[GROUPS_NAME_MAX + 1];
	struct receiver_topic *t;
	struct receiver_part *p;
	int rc = frame_string(&data, group, sizeof(group));

	if (rc == 0 && group[0] == '\0')
		return receiver_commit_positions(r, out);
	if (rc != 0 || !groups_is_name(group) || f->topic >= r->count ||
	    f->partition < 0 || f->partition >= r->topics[f->topic].count ||
	    f->offset < 0)
		return STATUS_CORRUPT;
	t = &r->topics[f->topic];
	p = &t->parts[f->partition];
	if (t->refused || p->refused)
		return 0;
	/* Only where the records are that are before it. */
	if (!p->offered || (f->offset > p->end && f->offset > p->from))
		return STATUS_CORRUPT;
	if (is_enough(r, f->topic, group))
		rc = receiver_commit_positions(r, out);
	if (rc != 0)
		return rc;
	r->group_topic = f->topic;
	return keep_position(r, f, group, data);
}
