#include "cluster_sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/now.h"
#include "base/status.h"
#include "cluster_sink_impl.h"
#include "cluster_topic.h"
#include "direct/trouble.h"
#include "marks.h"
#include "nodes.h"
#include "provenance.h"
#include "replicate/hold.h"
#include "replicate/imprints.h"
#include "replicate/report.h"
#include "replicate/stamp.h"

enum {
	/* Of a batch before it is compressed; Kafka's default is 1 MiB. */
	LIMIT_BYTES = 900000,
	/* Of transactions that have not ended, and what waits behind them. */
	HOLD_BYTES = 256 << 20,
	/* A mark is kept after so many bytes, or so long. */
	KEEP_BYTES = 64 << 20,
	KEEP_MS = 30000,
};

static const struct sink_ops ops;

static struct cluster_sink *
self(struct sink *s)
{
	return (struct cluster_sink *)s;
}

/* What ends all is kept, to be told at the end. */
static int
note(struct cluster_sink *c, int rc, const struct fault *f)
{
	/* Where it is all about is told by who prints it. */
	if (rc == STATUS_CLUSTER && c->text[0] == '\0' &&
	    strcmp(f->file, c->o.place->brokers) == 0)
		strlcpy(c->text, f->what, sizeof(c->text));
	else if (rc == STATUS_CLUSTER && c->text[0] == '\0')
		report_reason(rc, f, c->text, sizeof(c->text));
	return rc;
}

const char *
cluster_sink_text(const struct sink *s)
{
	return ((const struct cluster_sink *)s)->text;
}

/* --- topics --------------------------------------------------------------- */

static int
sink_topic(struct sink *s, size_t topic, const struct sink_topic *from,
    struct fault *f)
{
	struct cluster_sink *c = self(s);
	struct cluster_topic *more;

	if (topic == c->count) {
		more = recallocarray(c->topics, c->count, c->count + 1,
		    sizeof(*more));
		if (more == NULL)
			return ENOMEM;
		c->topics = more;
		strlcpy(c->topics[c->count].name,
		    from->name[0] != '\0' ? from->name : c->o.place->topic,
		    sizeof(c->topics[0].name));
		c->count++;
	}
	return note(c,
	    cluster_topic_look(&c->topics[topic], c->nodes, c->o.dry_run, from,
		f),
	    f);
}

static int
sink_state(struct sink *s, size_t topic, int32_t partition, int64_t offset,
    struct sink_state *out, struct fault *f)
{
	struct cluster_sink *c = self(s);
	struct cluster_part *p = cluster_sink_part(c, topic, partition);
	int rc = 0;

	*out = (struct sink_state){.batch = {.base_offset = -1}};
	if (p == NULL)
		return c->o.dry_run ? 0 : STATUS_NO_TOPIC;
	if (!p->known)
		rc = marks_read(c->nodes, c->topics[topic].name, partition,
		    p->leader, &p->mark, f);
	if (rc == 0)
		rc = provenance_check_mark(&c->topics[topic].way, &p->mark, f);
	if (rc == 0 && p->hold == NULL)
		rc = hold_new(HOLD_BYTES, &p->hold);
	if (rc != 0)
		return note(c, rc, f);
	p->known = true;
	p->begun = p->mark.producer_id >= 0;
	p->kept_ms = now_mono_ms();
	out->end = p->mark.next;
	/* Of one record it is known what it was. */
	if (p->mark.last >= 0 && (offset < 0 || offset >= p->mark.last))
		out->batch = (struct frame_batch){p->mark.last, p->mark.last,
		    FRAME_EPOCH_ANY, 0};
	return 0;
}

static int
sink_records(struct sink *s, size_t topic, int32_t partition, int64_t offset,
    struct imprints *out, struct fault *f)
{
	const struct cluster_part *p =
	    cluster_sink_part(self(s), topic, partition);
	struct imprint last = {.offset = -1};

	(void)f;
	if (p != NULL && p->mark.last <= offset)
		last = (struct imprint){p->mark.last, p->mark.hash, -1};
	out->cleaned = true;
	return last.offset >= 0 ? imprints_add_one(out, &last) : 0;
}

static int
sink_cut(struct sink *s, size_t topic, int32_t partition, int64_t offset,
    struct buf *told, struct fault *f)
{
	(void)s;
	(void)topic;
	(void)partition;
	(void)offset;
	(void)told;
	return status_fault(f, STATUS_DIFFERS, "", -1, -1,
	    "what was sent cannot be cut");
}

/* --- sending -------------------------------------------------------------- */

/* Kept at once: the next run goes on there, also if nothing comes now. */
static int
sink_begin(struct sink *s, size_t topic, int32_t partition, int64_t start,
    struct fault *f)
{
	struct cluster_sink *c = self(s);
	struct cluster_part *p = cluster_sink_part(c, topic, partition);

	if (p->mark.next < start)
		p->mark.next = start;
	return note(c, cluster_sink_begin(c, topic, partition, p, f), f);
}

/* The records of one batch that are not there yet. */
static int
resend(struct cluster_sink *c, size_t topic, int32_t partition,
    const uint8_t *data, const struct batch *b, struct fault *f)
{
	struct cluster_part *p = cluster_sink_part(c, topic, partition);
	struct provenance *way = &c->topics[topic].way;
	struct batch_records it;
	struct record r;
	int rc = provenance_check_batch(way, data, b, &c->scratch, f);

	memcpy(c->builder.source, provenance_source(way),
	    sizeof(c->builder.source));
	if (rc == 0)
		rc = batch_records_init(&it, data, b, &c->scratch);
	while (rc == 0 && (rc = batch_records_next(&it, &r)) == 0) {
		if (r.offset < p->mark.next)
			continue;
		rc = stamp_builder_add(&c->builder, batch_codec(b), &r,
		    LIMIT_BYTES);
		if (rc == STATUS_TOO_BIG && c->builder.begun) {
			rc = cluster_sink_flush(c, topic, partition, f);
			if (rc == 0)
				rc = stamp_builder_add(&c->builder,
				    batch_codec(b), &r, LIMIT_BYTES);
		}
	}
	return rc == STATUS_END ? 0 : rc;
}

/* All that is known to be committed. */
static int
resend_committed(struct cluster_sink *c, size_t topic, int32_t partition,
    struct fault *f)
{
	struct cluster_part *p = cluster_sink_part(c, topic, partition);
	const uint8_t *data;
	struct batch b;
	int rc;

	while ((rc = hold_next(p->hold, &data, &b)) == 0) {
		rc = resend(c, topic, partition, data, &b, f);
		if (rc != 0)
			return rc;
	}
	return rc == STATUS_END ? cluster_sink_flush(c, topic, partition, f)
				: rc;
}

static int
sink_append(struct sink *s, size_t topic, int32_t partition, int64_t segment,
    uint8_t *data, size_t len, struct fault *f)
{
	struct cluster_sink *c = self(s);
	struct cluster_part *p = cluster_sink_part(c, topic, partition);
	struct batch b;
	int rc = 0;

	(void)segment;
	for (size_t at = 0; rc == 0 && at < len; at += b.size) {
		const char *what = NULL;

		rc = batch_decode(data + at, len - at, &b, &what);
		if (rc == 0 && b.size > len - at)
			rc = STATUS_CORRUPT;
		if (rc == 0)
			rc = batch_verify(data + at, &b);
		if (rc == 0)
			rc = hold_add(p->hold, data + at, &b);
		if (rc == STATUS_TOO_BIG)
			(void)trouble(f, rc, c->topics[topic].name,
			    "a transaction is open over more than %d MiB",
			    HOLD_BYTES >> 20);
	}
	if (rc == 0)
		rc = resend_committed(c, topic, partition, f);
	if (rc == ELOOP)
		rc = cluster_sink_send_rest(c, topic, partition, f);
	if (rc != 0)
		cluster_sink_empty(c);
	return note(c, rc, f);
}

static int
sink_sync(struct sink *s, size_t topic, int32_t partition, struct fault *f)
{
	struct cluster_sink *c = self(s);
	struct cluster_part *p = cluster_sink_part(c, topic, partition);
	int rc = cluster_sink_land_all(c, p, f);

	if (rc == 0 && p->unkept_bytes > 0 &&
	    (p->unkept_bytes >= KEEP_BYTES ||
		now_mono_ms() - p->kept_ms >= KEEP_MS))
		rc = cluster_sink_keep_mark(c, topic, partition, p, f);
	return note(c, rc, f);
}

static int
sink_clean(struct sink *s, size_t topic, int32_t partition, int64_t start,
    struct fault *f)
{
	(void)s;
	(void)topic;
	(void)partition;
	(void)start;
	(void)f;
	return 0; /* the cluster does, by its own settings */
}

static int
sink_commit(struct sink *s, size_t topic, const struct sink_position *positions,
    size_t count, struct fault *f)
{
	(void)s;
	(void)topic;
	(void)positions;
	(void)count;
	return status_fault(f, STATUS_UNSUPPORTED, "", -1, -1,
	    "positions are of other offsets");
}

/* --- its life ------------------------------------------------------------- */

/* What has come to an end well is kept. */
static void
close_topic(struct cluster_sink *c, size_t topic)
{
	struct cluster_topic *t = &c->topics[topic];
	struct fault f;

	for (int32_t i = 0; i < t->count; i++) {
		struct cluster_part *p = &t->parts[i];

		if (p->unkept_bytes > 0 && p->flights == 0 && !p->broken &&
		    c->text[0] == '\0')
			(void)note(c,
			    cluster_sink_keep_mark(c, topic, i, p, &f), &f);
	}
	cluster_topic_release(t);
}

static void
sink_close(struct sink *s)
{
	struct cluster_sink *c = self(s);

	for (size_t i = 0; i < c->count; i++)
		close_topic(c, i);
	free(c->topics);
	nodes_close(c->nodes);
	stamp_builder_release(&c->builder);
	buf_release(&c->scratch);
	talk_answer_release(&c->answer);
	free(c);
}

int
cluster_sink_open(const struct cluster_sink_options *o, struct sink **out,
    struct fault *f)
{
	struct cluster_sink *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL)
		return ENOMEM;
	c->sink.ops = &ops;
	c->o = *o;
	c->producer_id = -1;
	stamp_builder_init(&c->builder);
	buf_init(&c->scratch, RECORDS_BYTES_MAX);
	talk_answer_init(&c->answer);
	rc = nodes_open(o->place, o->settings, o->timeout_ms, &c->nodes, f);
	if (rc != 0) {
		sink_close(&c->sink);
		return rc;
	}
	*out = &c->sink;
	return 0;
}

static const struct sink_ops ops = {
    .topic = sink_topic,
    .state = sink_state,
    .records = sink_records,
    .begin = sink_begin,
    .cut = sink_cut,
    .append = sink_append,
    .sync = sink_sync,
    .clean = sink_clean,
    .commit = sink_commit,
    .close = sink_close,
};
