#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/now.h"
#include "base/plain.h"
#include "base/status.h"
#include "replicate/receiver_impl.h"
#include "store/lineage.h"
#include "store/properties.h"
#include "store/topic.h"

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

	lineage_init(lineage);
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
grow_topic(struct receiver *r, struct receiver_topic *t, int32_t count,
    const char **what)
{
	struct receiver_part *more;

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
static struct receiver_topic *
slot_of(struct receiver *r, const struct frame *f)
{
	struct receiver_topic *more;

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
	if (rc != 0 && !receiver_concerns_all(rc))
		rc = receiver_refuse(r, topic, -1, rc, &fault, out);
	else if (rc == 0)
		rc = receiver_tell(r, topic, REPORT_DONE, &done, out);
	buf_release(&done);
	return rc;
}

int
receiver_take_topic(struct receiver *r, const struct frame *f, struct buf *out,
    const char **what)
{
	struct sink_topic st = {.partitions = f->count,
	    .identity = f->identity};
	struct properties settings;
	struct lineage lineage;
	struct view data = f->data;
	char name[TOPIC_NAME_MAX + 1];
	struct receiver_topic *t;
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

/* --- where the source is ------------------------------------------------- */

/* For who wants to know; no reason to stop if it cannot be kept. */
static void
keep_ends(struct receiver *r, size_t topic, int64_t now)
{
	struct receiver_topic *t = &r->topics[topic];
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

void
receiver_keep_all(struct receiver *r, int64_t idle_ms)
{
	int64_t now = now_mono_ms();

	if (r->sink->ops->keep_ends == NULL || r->o.dry_run)
		return;
	for (size_t i = 0; i < r->count; i++) {
		const struct receiver_topic *t = &r->topics[i];

		if (!t->refused &&
		    (t->heard ||
			(t->kept_ms > 0 && now - t->kept_ms >= idle_ms)))
			keep_ends(r, i, now);
	}
}
