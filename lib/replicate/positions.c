#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/now.h"
#include "base/siphash.h"
#include "base/status.h"
#include "replicate/sender_impl.h"

/* Positions of a topic that its user is told of, and no more. */
enum { BEYOND_MAX = 1000 };

/* --- those that were sent ------------------------------------------------ */

enum { SLOTS_MIN = 64 };

void
positions_forget(struct sender_topic *t)
{
	free(t->positions);
	t->positions = NULL;
	t->position_slots = t->position_count = 0;
}

static uint64_t
key_of(const struct source_position *pos)
{
	uint64_t key[2] = {(uint64_t)pos->partition, 0};
	uint64_t hash = siphash_128(key, pos->group, strlen(pos->group)).low;

	return hash == 0 ? 1 : hash;
}

/* Where it stands, or would; there is room. */
static struct sender_position *
slot_of(const struct sender_topic *t, uint64_t key)
{
	size_t i = (size_t)key & (t->position_slots - 1);

	while (t->positions[i].key != 0 && t->positions[i].key != key)
		i = (i + 1) & (t->position_slots - 1);
	return &t->positions[i];
}

/* For one more: at least half of the slots are free. */
static int
make_room(struct sender_topic *t)
{
	struct sender_topic more = {.position_slots = t->position_slots == 0
		? SLOTS_MIN
		: 2 * t->position_slots};

	if (2 * (t->position_count + 1) <= t->position_slots)
		return 0;
	more.positions = calloc(more.position_slots, sizeof(*more.positions));
	if (more.positions == NULL)
		return ENOMEM;
	for (size_t i = 0; i < t->position_slots; i++)
		if (t->positions[i].key != 0)
			*slot_of(&more, t->positions[i].key) = t->positions[i];
	free(t->positions);
	t->positions = more.positions;
	t->position_slots = more.position_slots;
	return 0;
}

/* Is it over there?  If not it is from now on. */
static int
note_sent(struct sender_topic *t, const struct source_position *pos, bool *was)
{
	uint64_t key = key_of(pos);
	struct sender_position *p;
	int rc = make_room(t);

	if (rc != 0)
		return rc;
	p = slot_of(t, key);
	*was = p->key != 0 && p->offset == pos->offset &&
	    p->leader_epoch == pos->leader_epoch;
	if (p->key == 0)
		t->position_count++;
	*p = (struct sender_position){key, pos->offset, pos->leader_epoch};
	return 0;
}

/* --- those that cannot be ------------------------------------------------ */

/* Is it the first time?  Then it is noted.  ENOMEM. */
static int
note_beyond(struct sender_topic *t, const struct source_position *pos,
    bool *first)
{
	uint64_t hash = key_of(pos), *more;

	*first = false;
	for (size_t i = 0; i < t->beyond_count; i++)
		if (t->beyond[i] == hash)
			return 0;
	if (t->beyond_count == BEYOND_MAX)
		return 0;
	more = reallocarray(t->beyond, t->beyond_count + 1, sizeof(*more));
	if (more == NULL)
		return ENOMEM;
	t->beyond = more;
	more[t->beyond_count++] = hash;
	*first = true;
	return 0;
}

/* Is it behind the end, and not only behind what was sent? */
static int
warn_if_beyond(struct sender *s, size_t topic,
    const struct source_position *pos, struct buf *out)
{
	char text[SENDER_REASON_LEN];
	struct fault fault = {.file = ""};
	int64_t start, end;
	bool first = false;
	int rc = s->src->ops->bounds(s->src, topic, pos->partition, &start,
	    &end, &fault);

	/* Errors of partitions are found where they are looked at. */
	if (rc != 0 || pos->offset <= end)
		return 0;
	rc = note_beyond(&s->topics[topic], pos, &first);
	if (rc != 0 || !first)
		return rc;
	snprintf(text, sizeof(text),
	    "group %s: position %lld in partition %d is left out, for the log "
	    "ends at %lld",
	    pos->group, (long long)pos->offset, (int)pos->partition,
	    (long long)end);
	return sender_warn(s, topic, text, out);
}

/* --- sending ------------------------------------------------------------- */

/* Is all over there that is before the position? */
static bool
is_there(const struct sender_part *p, const struct source_position *pos)
{
	return p->state == SENDER_CURRENT && p->next >= pos->offset;
}

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

/* One that was read: it is sent if it can be. */
static int
take(struct sender *s, size_t topic, const struct source_position *pos,
    bool *any, struct buf *out)
{
	struct sender_topic *t = &s->topics[topic];
	struct sender_part *p =
	    pos->partition < t->count ? t->parts[pos->partition] : NULL;

	bool was = false;
	int rc = 0;

	if (p != NULL && is_there(p, pos)) {
		if (s->o.follow)
			rc = note_sent(t, pos, &was);
		if (rc != 0 || was)
			return rc;
		*any = true;
		return send_position(topic, pos, out);
	}
	t->groups_due = true;
	return p != NULL ? warn_if_beyond(s, topic, pos, out) : 0;
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
			if (rc == 0)
				rc = take(s, t, &pos, &any, out);
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
