#include "replicate/receiver.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/now.h"
#include "base/plain.h"
#include "base/status.h"
#include "store/batch.h"
#include "store/groups.h"
#include "store/lineage.h"
#include "store/properties.h"
#include "store/topic.h"

enum {
	REASON_LEN = 700,
	/* Positions of one group that are kept together. */
	POSITIONS_MAX = PARTITIONS_MAX,
};

struct part {
	bool offered;
	bool refused;
	bool fresh;		/* there was nothing when it was offered */
	bool is_damaged;	/* at damaged, as CHECKED has told */
	int64_t damaged;
	int64_t from;		/* as of the last SYNCED */
	int64_t end;		/* where the copy ends, by what we know */
	int64_t bytes;
	int64_t source_end;	/* as last heard */
	int64_t at;		/* come over to here, about */
};

struct incoming {
	char name[TOPIC_NAME_MAX + 1];
	bool refused;
	struct part *parts;
	int32_t count;
	bool heard;		/* of ends that were not kept */
	int64_t kept_ms;	/* when they were; 0 never */
};

struct receiver {
	struct sink *sink;
	struct receiver_options o;
	struct incoming *topics;
	size_t count;
	int64_t parts;		/* topics and partitions */

	/* What was appended and not synced: of one partition at a time. */
	bool dirty;
	uint32_t dirty_topic;
	int32_t dirty_part;
	int64_t dirty_bytes;
	int64_t dirty_ms;

	/* Positions of one group of one topic. */
	struct sink_position *positions;
	size_t position_count;
	size_t position_cap;
	uint32_t group_topic;
	char group[GROUPS_NAME_MAX + 1];

	int64_t ticked_ms;
	struct receiver_totals totals;
};

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

static void
forget_positions(struct receiver *r)
{
	for (size_t i = 0; i < r->position_count; i++)
		free((void *)(uintptr_t)r->positions[i].metadata.data);
	r->position_count = 0;
}

void
receiver_free(struct receiver *r)
{
	if (r == NULL)
		return;
	forget_positions(r);
	free((void *)(uintptr_t)r->o.source);
	free(r->positions);
	for (size_t i = 0; i < r->count; i++)
		free(r->topics[i].parts);
	free(r->topics);
	free(r);
}

/* --- refusing ------------------------------------------------------------- */

static int
refuse_text(struct receiver *r, uint32_t topic, int32_t partition, int status,
    const char *text, struct buf *out)
{
	struct incoming *t = &r->topics[topic];
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

	if (partition < 0)
		t->refused = true;
	else
		t->parts[partition].refused = true;
	if (status > r->totals.status)
		r->totals.status = status;
	report_send(&r->o.reporter, &report);
	return frame_encode(&f, out);
}

static int
refuse(struct receiver *r, uint32_t topic, int32_t partition, int rc,
    const struct fault *f, struct buf *out)
{
	char text[REASON_LEN];

	report_reason_at(&r->o.place, rc, f, text, sizeof(text));
	return refuse_text(r, topic, partition, report_status(rc), text, out);
}

/* Errors after which nothing can be done for any partition. */
static bool
concerns_all(int rc)
{
	return rc == STATUS_MISMATCH || rc == STATUS_CLUSTER;
}

/* --- topics --------------------------------------------------------------- */

/* "name=value"; what a later version knows and we do not is left out. */
static int
parse_line(char *line, struct properties *out, struct lineage *lineage)
{
	char *value = strchr(line, '=');

	if (strncmp(line, LINEAGE_KEY, strlen(LINEAGE_KEY)) != 0) {
		(void)properties_set_pair(out, line, NULL);
		return 0;
	}
	if (value == NULL)
		return STATUS_CORRUPT;
	*value = '\0';
	return lineage_set(lineage, line + strlen(LINEAGE_KEY), value + 1) == 0
	    ? 0
	    : STATUS_CORRUPT;
}

static int
parse_settings(struct view text, struct properties *out,
    struct lineage *lineage)
{
	char *copy, *rest, *line;
	int rc = 0;

	lineage->count = 0;
	properties_init(out);
	copy = rest =
	    strndup(text.len > 0 ? (const char *)text.data : "", text.len);
	if (copy == NULL)
		return ENOMEM;
	while (rc == 0 && (line = strsep(&rest, "\n")) != NULL)
		rc = parse_line(line, out, lineage);
	free(copy);
	return rc;
}

static int
grow_topic(struct receiver *r, struct incoming *t, int32_t count,
    const char **what)
{
	struct part *more;

	if (count <= t->count)
		return 0;
	*what = "more topics and partitions than are taken";
	if (r->o.parts_max > 0 && r->parts + count - t->count > r->o.parts_max)
		return STATUS_CORRUPT;
	r->parts += count - t->count;
	more = recallocarray(t->parts, (size_t)t->count, (size_t)count,
	    sizeof(*more));
	if (more == NULL)
		return ENOMEM;
	t->parts = more;
	t->count = count;
	return 0;
}

/* The topic that the frame is about, new or known; NULL: it cannot be. */
static struct incoming *
slot_of(struct receiver *r, const struct frame *f)
{
	struct incoming *more;

	if (f->topic < r->count)
		return &r->topics[f->topic];
	if (f->topic != r->count || r->count == RECEIVER_TOPICS_MAX ||
	    (r->o.parts_max > 0 && r->parts >= r->o.parts_max))
		return NULL;
	more = recallocarray(r->topics, r->count, r->count + 1, sizeof(*more));
	if (more == NULL)
		return NULL;
	r->topics = more;
	r->parts++;
	return &r->topics[r->count++];
}

/* What was done to a topic, line by line, for both sides' users. */
static int
tell_done(struct receiver *r, uint32_t topic, const struct buf *done,
    struct buf *out)
{
	struct frame note = {.type = FRAME_NOTE, .topic = topic};
	struct report report = {.kind = REPORT_DONE,
	    .topic = r->topics[topic].name,
	    .partition = -1};
	char text[REASON_LEN];
	size_t len;
	int rc = 0;

	for (size_t at = 0; rc == 0 && at < done->len; at += len + 1) {
		len = strcspn((const char *)done->data + at, "\n");
		note.data = (struct view){done->data + at, len};
		snprintf(text, sizeof(text), "%.*s", (int)len,
		    (const char *)done->data + at);
		report.text = text;
		report_send(&r->o.reporter, &report);
		rc = frame_encode(&note, out);
	}
	return rc;
}

static int
open_topic(struct receiver *r, uint32_t topic, struct sink_topic *st,
    struct buf *out)
{
	struct fault fault = {.file = ""};
	char source[PATH_MAX];
	struct buf done;
	int rc;

	buf_init(&done, FRAME_TEXT_MAX);
	st->done = &done;
	st->source = r->o.source;
	if (r->o.source != NULL && st->name[0] != '\0') {
		snprintf(source, sizeof(source), "%s/%s", r->o.source,
		    st->name);
		st->source = source;
	}
	rc = r->sink->ops->topic(r->sink, topic, st, &fault);
	if (rc == 0 && done.len > 0)
		rc = buf_add_8(&done, '\0');
	if (rc != 0 && !concerns_all(rc))
		rc = refuse(r, topic, -1, rc, &fault, out);
	else if (rc == 0 && done.len > 0) {
		done.len--;
		rc = tell_done(r, topic, &done, out);
	}
	buf_release(&done);
	return rc;
}

static int
take_topic(struct receiver *r, const struct frame *f, struct buf *out,
    const char **what)
{
	struct sink_topic st = {.partitions = f->count,
	    .identity = f->identity};
	struct properties settings;
	struct lineage lineage;
	struct view data = f->data;
	char name[TOPIC_NAME_MAX + 1];
	struct incoming *t;
	bool known = f->topic < r->count;
	int rc = frame_string(&data, name, sizeof(name));

	if (r->o.either && rc == 0 && r->count == 0)
		r->o.named = name[0] != '\0';
	*what = r->o.named ? "is a directory of topics, the source one topic"
			   : "is no directory of topics, as the source is";
	if (rc == 0 && (name[0] != '\0') != r->o.named)
		return STATUS_NOT_TOPIC;
	*what = "a topic that cannot be";
	if (rc != 0 || f->count < 0 || f->count > PARTITIONS_MAX ||
	    (r->o.named && (!topic_is_name(name) || name[0] == '.')))
		return STATUS_CORRUPT;
	t = slot_of(r, f);
	if (t == NULL || (known && strcmp(t->name, name) != 0))
		return STATUS_CORRUPT;
	strlcpy(t->name, name, sizeof(t->name));
	t->refused = false;
	rc = parse_settings(data, &settings, &lineage);
	if (rc == 0)
		rc = grow_topic(r, t, f->count, what);
	if (rc != 0)
		return rc;
	st.name = name;
	st.settings = &settings;
	st.lineage = &lineage;
	return open_topic(r, f->topic, &st, out);
}

/* --- where the source is -------------------------------------------------- */

/* Numbers that the other side made up may be any. */
static void
add(int64_t *sum, int64_t n)
{
	if (__builtin_add_overflow(*sum, n, sum))
		*sum = INT64_MAX;
}

static void
hear_end(struct receiver *r, const struct frame *f)
{
	struct incoming *t = &r->topics[f->topic];
	struct part *p = &t->parts[f->partition];

	if (f->type == FRAME_EXTENT && f->end > p->source_end)
		add(&r->totals.wanted, f->end - p->source_end);
	p->source_end = f->end;
	t->heard = true;
}

/* For who wants to know; no reason to stop if it cannot be kept. */
static void
keep_ends(struct receiver *r, size_t topic, int64_t now)
{
	struct incoming *t = &r->topics[topic];
	struct fault fault = {.file = ""};
	struct sink_ends e = {.count = t->count, .seen_ms = now_wall_ms()};
	int64_t *ends = calloc((size_t)t->count + 1, sizeof(*ends));

	t->heard = false;
	t->kept_ms = now;
	if (ends == NULL)
		return;
	for (int32_t n = 0; n < t->count; n++)
		ends[n] = t->parts[n].offered ? t->parts[n].source_end : -1;
	e.ends = ends;
	(void)r->sink->ops->keep_ends(r->sink, topic, &e, &fault);
	free(ends);
}

/* What was heard; also what was not for so long. */
static void
keep_all(struct receiver *r, int64_t idle_ms)
{
	int64_t now = now_mono_ms();

	if (r->sink->ops->keep_ends == NULL || r->o.dry_run)
		return;
	for (size_t i = 0; i < r->count; i++) {
		const struct incoming *t = &r->topics[i];

		if (!t->refused &&
		    (t->heard ||
			(t->kept_ms > 0 && now - t->kept_ms >= idle_ms)))
			keep_ends(r, i, now);
	}
}

/* --- partitions ----------------------------------------------------------- */

static int
sync_dirty(struct receiver *r, struct buf *out)
{
	struct fault fault = {.file = ""};
	int rc;

	if (!r->dirty)
		return 0;
	r->dirty = false;
	rc = r->sink->ops->sync(r->sink, r->dirty_topic, r->dirty_part, &fault);
	if (concerns_all(rc))
		return rc;
	return rc == 0
	    ? 0
	    : refuse(r, r->dirty_topic, r->dirty_part, rc, &fault, out);
}

/* What is there, at offset (-1: the last batch). */
static int
answer_have(struct receiver *r, const struct frame *f, int64_t offset,
    struct part *p, struct buf *out)
{
	struct fault fault = {.file = ""};
	struct sink_state state;
	struct frame have = {.type = FRAME_HAVE,
	    .topic = f->topic,
	    .partition = f->partition};
	int rc = r->sink->ops->state(r->sink, f->topic, f->partition, offset,
	    &state, &fault);

	if (concerns_all(rc))
		return rc;
	if (rc != 0)
		return refuse(r, f->topic, f->partition, rc, &fault, out);
	have.start = state.start;
	have.end = state.end;
	have.batch = state.batch;
	if (offset < 0) {
		p->from = p->end = state.end;
		p->fresh = state.start == state.end;
	}
	return frame_encode(&have, out);
}

static int
take_offer(struct receiver *r, const struct frame *f, struct part *p,
    struct buf *out)
{
	if (!p->offered)
		r->totals.partitions++;
	p->offered = true;
	p->refused = false;
	hear_end(r, f);
	return answer_have(r, f, -1, p, out);
}

/*
 * Before anything has come: where the log is to begin.  Else it is only said
 * how far the source goes.
 */
static int
take_extent(struct receiver *r, const struct frame *f, struct part *p,
    struct buf *out)
{
	struct fault fault = {.file = ""};
	int rc = 0;

	hear_end(r, f);
	if (p->refused || !p->fresh || p->bytes > 0 || f->start <= p->end ||
	    r->o.dry_run || r->sink->ops->begin == NULL)
		return 0;
	rc = r->sink->ops->begin(r->sink, f->topic, f->partition, f->start,
	    &fault);
	return rc == 0 || concerns_all(rc)
	    ? rc
	    : refuse(r, f->topic, f->partition, rc, &fault, out);
}

/* The records of a batch, one by one. */
static int
take_examine(struct receiver *r, const struct frame *f, struct buf *out)
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
	rc = rc == 0 ? frame_encode(&records, out)
		     : refuse(r, f->topic, f->partition, rc, &fault, out);
	imprints_release(&l);
	buf_release(&data);
	return rc;
}

/* What has this side between two offsets? */
static int
take_check(struct receiver *r, const struct frame *f, struct part *p,
    struct buf *out)
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
		return refuse(r, f->topic, f->partition, rc, &fault, out);
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
refuse_diverged(struct receiver *r, const struct frame *f, const struct part *p,
    struct buf *out)
{
	bool damaged = p->is_damaged && p->damaged == f->offset;
	char text[REASON_LEN];

	snprintf(text, sizeof(text), "%s from offset %lld on%s%s",
	    damaged ? "the copy is damaged:" : "diverged:",
	    (long long)f->offset,
	    damaged ? "" : " it is not what the source has",
	    r->o.lasting   ? ""
		: r->o.cut ? " (would be cut)"
			   : " (--on-diverge truncate)");
	return refuse_text(r, f->topic, f->partition, damaged ? 3 : 4, text,
	    out);
}

static int
take_diverged(struct receiver *r, const struct frame *f, struct part *p,
    struct buf *out)
{
	struct fault fault = {.file = ""};
	struct report report = {.kind = REPORT_CUT,
	    .topic = r->topics[f->topic].name,
	    .partition = f->partition,
	    .from = f->offset};
	int rc;

	if (!r->o.cut || r->o.dry_run)
		return refuse_diverged(r, f, p, out);
	rc = r->sink->ops->cut(r->sink, f->topic, f->partition, f->offset,
	    &fault);
	if (rc != 0)
		return refuse(r, f->topic, f->partition, rc, &fault, out);
	r->totals.cut++;
	report_send(&r->o.reporter, &report);
	return answer_have(r, f, -1, p, out);
}

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
has_moved(struct receiver *r, const struct frame *f, const struct part *p)
{
	struct sink_state state;

	return r->sink->ops->state(r->sink, f->topic, f->partition, -1, &state,
		   NULL) == 0 &&
	    state.end != p->end;
}

static void
come_to(struct receiver *r, struct part *p, int64_t offset)
{
	if (offset > p->at)
		add(&r->totals.done, offset - p->at);
	p->at = offset;
}

static int
append(struct receiver *r, const struct frame *f, struct part *p,
    struct buf *out)
{
	struct fault fault = {.file = ""};
	struct batch b;
	int rc = r->sink->ops->append(r->sink, f->topic, f->partition,
	    f->offset, (uint8_t *)(uintptr_t)f->data.data, f->data.len, &fault);

	if ((rc == STATUS_CORRUPT || rc == STATUS_DIFFERS) &&
	    has_moved(r, f, p))
		return STATUS_MISMATCH;
	if (concerns_all(rc))
		return rc;
	if (rc != 0)
		return refuse(r, f->topic, f->partition, rc, &fault, out);
	p->end = end_of(f->data, p->end);
	if (f->data.len > 0 &&
	    batch_decode(f->data.data, f->data.len, &b, NULL) == 0)
		come_to(r, p, b.base_offset);
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
take_data(struct receiver *r, const struct frame *f, struct part *p,
    struct buf *out)
{
	int rc = 0;

	if (r->dirty &&
	    (r->dirty_topic != f->topic || r->dirty_part != f->partition ||
		r->dirty_bytes >= RECEIVER_SYNC_BYTES ||
		now_mono_ms() - r->dirty_ms >= RECEIVER_SYNC_MS))
		rc = sync_dirty(r, out);
	if (rc == 0 && !p->refused)
		rc = append(r, f, p, out);
	return rc == 0 ? give_credit(f, out) : rc;
}

static int
take_done(struct receiver *r, const struct frame *f, struct part *p,
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
	int rc = sync_dirty(r, out);

	if (rc != 0 || p->refused)
		return rc;
	/* A copy begins where the source does, within a segment. */
	if (!r->o.dry_run)
		rc = r->sink->ops->clean(r->sink, f->topic, f->partition,
		    r->o.mirror || p->fresh ? f->start : -1, &fault);
	if (rc != 0)
		return refuse(r, f->topic, f->partition, rc, &fault, out);
	report_send(&r->o.reporter, &report);
	if (f->end > p->source_end)
		hear_end(r, f);
	come_to(r, p, f->end);
	p->from = f->end;
	p->bytes = 0;
	p->fresh = false;
	return frame_encode(&synced, out);
}

/* --- groups --------------------------------------------------------------- */

static int
commit_positions(struct receiver *r, struct buf *out)
{
	struct fault fault = {.file = ""};
	char text[REASON_LEN];
	struct frame note = {.type = FRAME_NOTE, .topic = r->group_topic};
	struct report report = {.kind = REPORT_REFUSED, .text = text};
	int rc;

	if (r->position_count == 0)
		return 0;
	rc = r->sink->ops->commit(r->sink, r->group_topic, r->positions,
	    r->position_count, &fault);
	forget_positions(r);
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

static int
keep_position(struct receiver *r, const struct frame *f, struct view metadata)
{
	struct sink_position *more, *pos;

	if (r->position_count == POSITIONS_MAX)
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
	*pos = (struct sink_position){.group = r->group,
	    .partition = f->partition,
	    .offset = f->offset,
	    .leader_epoch = f->epoch,
	    .commit_ms = f->time};
	if (metadata.len > 0) {
		uint8_t *copy = malloc(metadata.len);

		if (copy == NULL)
			return ENOMEM;
		memcpy(copy, metadata.data, metadata.len);
		pos->metadata = (struct view){copy, metadata.len};
	}
	r->position_count++;
	return 0;
}

static int
take_group(struct receiver *r, const struct frame *f, struct buf *out)
{
	struct view data = f->data;
	char group[GROUPS_NAME_MAX + 1];
	struct incoming *t;
	struct part *p;
	int rc = frame_string(&data, group, sizeof(group));

	if (rc == 0 && group[0] == '\0')
		return commit_positions(r, out);
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
	if (r->position_count > 0 &&
	    (f->topic != r->group_topic || strcmp(group, r->group) != 0))
		rc = commit_positions(r, out);
	if (rc != 0)
		return rc;
	r->group_topic = f->topic;
	strlcpy(r->group, group, sizeof(r->group));
	return keep_position(r, f, data);
}

/* --- frames --------------------------------------------------------------- */

static int
take_end(struct receiver *r, const struct frame *f, struct buf *out)
{
	struct frame end = {.type = FRAME_END};
	int rc = sync_dirty(r, out);

	keep_all(r, INT64_MAX);
	if (f->status > r->totals.status)
		r->totals.status = f->status;
	end.status = r->totals.status;
	end.count = (int32_t)r->totals.partitions;
	end.bytes = r->totals.bytes;
	if (rc == 0)
		rc = frame_encode(&end, out);
	return rc == 0 ? STATUS_END : rc;
}

/* The sender gives a partition up. */
static int
take_refusal(struct receiver *r, const struct frame *f, struct part *p)
{
	char text[REASON_LEN];
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

static int
take_note(struct receiver *r, const struct frame *f)
{
	char text[REASON_LEN];
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
take_part_frame(struct receiver *r, const struct frame *f, struct buf *out)
{
	struct incoming *t;
	struct part *p;

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
		return answer_have(r, f, f->offset, p, out);
	if (f->type == FRAME_EXAMINE)
		return take_examine(r, f, out);
	if (f->type == FRAME_CHECK)
		return take_check(r, f, p, out);
	return f->type == FRAME_DIVERGED ? take_diverged(r, f, p, out)
					 : take_done(r, f, p, out);
}

int
receiver_frame(struct receiver *r, const struct frame *f, struct buf *out,
    const char **what)
{
	int rc;

	*what = "a frame that a sender does not send now";
	if (f->type == FRAME_GROUP)
		return take_group(r, f, out);
	rc = commit_positions(r, out);
	if (rc != 0)
		return rc;
	switch (f->type) {
	case FRAME_TOPIC:
		return take_topic(r, f, out, what);
	case FRAME_OFFER:
	case FRAME_ASK:
	case FRAME_EXAMINE:
	case FRAME_CHECK:
	case FRAME_DIVERGED:
	case FRAME_DATA:
	case FRAME_DONE:
	case FRAME_EXTENT:
	case FRAME_REFUSE:
		return take_part_frame(r, f, out);
	case FRAME_NOTE:
		return take_note(r, f);
	case FRAME_END:
		return take_end(r, f, out);
	default:
		return STATUS_CORRUPT;
	}
}

int
receiver_tick(struct receiver *r, bool alive, struct buf *out)
{
	int64_t now = now_mono_ms();

	if (now - r->ticked_ms >= RECEIVER_KEEP_MS) {
		r->ticked_ms = now;
		keep_all(r, alive ? RECEIVER_KEEP_IDLE_MS : INT64_MAX);
	}
	/* While nothing comes nobody else would take care of them. */
	return commit_positions(r, out);
}

int
receiver_stop(struct receiver *r, struct buf *out)
{
	int rc = commit_positions(r, out);

	if (rc == 0)
		rc = sync_dirty(r, out);
	keep_all(r, INT64_MAX);
	return rc;
}

int64_t
receiver_behind(const struct receiver *r, size_t *partitions)
{
	int64_t behind = 0;

	*partitions = 0;
	for (size_t i = 0; i < r->count; i++) {
		for (int32_t n = 0; n < r->topics[i].count; n++) {
			const struct part *p = &r->topics[i].parts[n];

			if (!p->offered || p->refused ||
			    p->source_end <= p->from)
				continue;
			add(&behind, p->source_end - p->from);
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
	size_t size = sizeof(*r) + r->count * sizeof(struct incoming) +
	    r->position_cap * sizeof(struct sink_position);

	return size + (size_t)r->parts * sizeof(struct part);
}
