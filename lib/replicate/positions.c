#include <string.h>

#include "base/now.h"
#include "base/status.h"
#include "replicate/sender_impl.h"

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
	return frame_encode_with(&f, rc, &data, out);
}

int
positions_send(struct sender *s, struct buf *out, struct fault *f)
{
	struct source_position pos;
	bool any = false;
	int rc = 0;

	for (size_t t = 0; rc == 0 && t < s->count; t++) {
		struct sender_topic *topic = &s->topics[t];

		if (topic->refused ||
		    (s->src->ops->changed != NULL && !topic->groups_due))
			continue;
		topic->groups_due = false;
		for (size_t i = 0; rc == 0; i++) {
			rc = s->src->ops->position(s->src, t, i, &pos, f);
			if (rc != 0)
				break;
			if (pos.partition >= topic->count ||
			    topic->parts[pos.partition] == NULL ||
			    topic->parts[pos.partition]->state !=
				SENDER_CURRENT ||
			    topic->parts[pos.partition]->next < pos.offset) {
				topic->groups_due = true;
				continue;
			}
			rc = send_position(t, &pos, out);
			any = true;
		}
		rc = rc == STATUS_END ? 0 : rc;
	}
	/* That is all: they are to be kept now, whatever comes next. */
	if (rc == 0 && any)
		rc = send_position(0, &(struct source_position){.group = ""},
		    out);
	s->groups_ms = now_mono_ms();
	return rc;
}
