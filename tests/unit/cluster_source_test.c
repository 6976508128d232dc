/*
 * A source that is a cluster, of which the broker is ours: what is taken of its
 * answers, and what becomes of those that no broker would send.
 */

#include "direct/cluster_source.h"

#include <errno.h>
#include <poll.h>

#include "base/crc32c.h"
#include "base/now.h"
#include "base/status.h"
#include "broker.h"
#include "client/place.h"
#include "client/settings.h"
#include "direct/fetcher.h"
#include "direct/login.h"
#include "kafka/error.h"
#include "store/batch.h"

enum { TIMEOUT_MS = 15000, SHORT_MS = 1500, END = 30, EACH = 10 };

/* What the fetch of a scenario does; each is of three batches of ten. */
enum kind {
	GOOD,
	BAD_CRC,	/* in the second batch */
	BACKWARD,	/* the second batch stands where the first does */
	CUT,		/* in the second batch; the next time not */
	ALWAYS_CUT,	/* in the first */
	OLD_FORMAT,
	LONG_BATCH,	/* its length is 2^31-1 */
	BEHIND_END,	/* more than the high watermark says */
	OTHERS,		/* rows that nobody asked for, and a row twice */
	MOVED,		/* not the leader, at first */
	EARLIER,	/* with a batch before what was asked for */
	GAP,		/* nothing behind the second batch */
	DELETED,	/* the start has moved to 20 */
	SHORTER,	/* the end has moved to 5 */
	DIVERGED,
	HANGS_UP,
	DENIED,
	REMADE,		/* another topic of that name is there */
	CORRUPT_THERE,
	KINDS,
	HEADLESS,	/* the partition has no leader */
};

struct memory {
	enum kind kind;
	uint16_t port;
	int fetches;
	int metadata;
	int64_t grown;		/* records more than END, by ListOffsets */
};

static struct memory *memory;
static int64_t batches;	/* that read_all() has seen */
static struct settings none;

/* --- the broker ----------------------------------------------------------- */

static const struct wire_uuid topic_id = {"0123456789abcde"};

static void
put_batch(struct buf *out, int64_t base)
{
	struct batch_builder bb;
	struct record r = {.timestamp = 1, .key = BYTES_NULL};
	const uint8_t *data;
	size_t size;

	r.value = bytes_of("some value of a record");
	batch_builder_init(&bb, CODEC_NONE, 0, 1 << 20);
	for (int i = 0; i < EACH; i++)
		(void)batch_builder_add(&bb, &r);
	(void)batch_builder_finish(&bb, &data, &size);
	batch_assign(bb.raw.data, base, 0);
	(void)buf_add(out, bb.raw.data, size);
	batch_builder_release(&bb);
}

/* Batches from offset on, as the kind has them. */
static void
put_records(struct buf *out, int64_t offset)
{
	size_t size, second;

	if (memory->kind == EARLIER)
		offset = offset >= EACH ? offset - EACH : 0;
	for (int64_t at = offset / EACH * EACH; at < END; at += EACH)
		if (memory->kind != GAP || at < END - EACH)
			put_batch(out, at);
	size = out->len / 3;
	second = offset == 0 ? size : 0;
	if (memory->kind == BAD_CRC)
		out->data[second + size - 1] ^= 1;
	if (memory->kind == BACKWARD && offset == 0)
		buf_put_64(out->data + second, 0);
	if (memory->kind == CUT && memory->fetches == 1)
		out->len = second + size / 2;
	if (memory->kind == ALWAYS_CUT)
		out->len = size - 1;
	if (memory->kind == OLD_FORMAT)
		out->data[BATCH_MAGIC] = 1;
	if (memory->kind == LONG_BATCH)
		buf_put_32(out->data + BATCH_LENGTH, INT32_MAX);
}

static void
set_error(struct fetch_response_responses_partitions *p)
{
	switch (memory->kind) {
	case HEADLESS:
		p->error_code = KAFKA_NOT_LEADER_OR_FOLLOWER;
		break;
	case MOVED:
		if (memory->fetches < 3)
			p->error_code = KAFKA_NOT_LEADER_OR_FOLLOWER;
		break;
	case DELETED:
	case SHORTER:
		p->error_code = KAFKA_OFFSET_OUT_OF_RANGE;
		break;
	case DENIED:
		p->error_code = KAFKA_TOPIC_AUTHORIZATION_FAILED;
		break;
	case CORRUPT_THERE:
		p->error_code = KAFKA_CORRUPT_MESSAGE;
		break;
	case DIVERGED:
		p->diverging_epoch.epoch = 0;
		p->diverging_epoch.end_offset = 5;
		break;
	default:
		break;
	}
}

static void
answer_fetch(const struct wire_request *q, const struct fetch_request *in,
    struct buf *out)
{
	struct fetch_response_responses_partitions rows[4];
	struct fetch_response_responses topics[2];
	struct fetch_response r;
	int64_t offset = in->topics[0].partitions[0].fetch_offset;
	struct buf records;

	memory->fetches++;
	buf_init(&records, 1 << 20);
	put_records(&records, offset);
	wire_defaults(&messages_fetch_response, &r);
	for (int i = 0; i < 4; i++) {
		memset(&rows[i], 0, sizeof(rows[i]));
		rows[i].high_watermark = memory->kind == BEHIND_END ? 20 : END;
		rows[i].diverging_epoch.end_offset = -1;
		rows[i].aborted_transactions_count = -1;
		rows[i].preferred_read_replica = -1;
		rows[i].current_leader.leader_id = -1;
		rows[i].snapshot_id.end_offset = -1;
		rows[i].records = (struct wire_records){.data = records.data,
		    .len = (int64_t)records.len};
	}
	set_error(&rows[0]);
	if (rows[0].error_code != 0 || rows[0].diverging_epoch.epoch != 0 ||
	    memory->kind == DIVERGED || offset >= END)
		rows[0].records.len = 0;
	rows[1].partition_index = 7;
	rows[2].partition_index = -3;
	topics[0] = (struct fetch_response_responses){.topic_id = topic_id,
	    .partitions = rows,
	    .partitions_count = memory->kind == OTHERS ? 4 : 1};
	topics[1] = topics[0];
	topics[1].topic_id.bytes[0] = 'x';
	r.responses = topics;
	r.responses_count = memory->kind == OTHERS ? 2 : 1;
	broker_frame(q, &r, out);
	buf_release(&records);
}

static void
answer_metadata(const struct wire_request *q, struct buf *out)
{
	struct metadata_response_brokers broker = {.node_id = 1,
	    .host = bytes_of("127.0.0.1"),
	    .port = memory->port};
	struct metadata_response_topics_partitions part = {.leader_id = 1};
	struct metadata_response_topics t = {.name = bytes_of("t"),
	    .topic_id = topic_id,
	    .partitions = &part,
	    .partitions_count = 1};
	struct metadata_response r;

	wire_defaults(&messages_metadata_response, &r);
	if (memory->kind == REMADE && memory->metadata > 0)
		t.topic_id.bytes[0] = 'y';
	memory->metadata++;
	if (memory->kind == HEADLESS)
		part.leader_id = -1;
	r.brokers = &broker;
	r.brokers_count = 1;
	r.cluster_id = bytes_of("cluster");
	r.topics = &t;
	r.topics_count = 1;
	broker_frame(q, &r, out);
}

static void
answer_offsets(const struct wire_request *q,
    const struct list_offsets_request *in, struct buf *out)
{
	bool later = memory->fetches > 0;
	struct list_offsets_response_topics_partitions part = {
	    .leader_epoch = -1};
	struct list_offsets_response_topics t = {.name = bytes_of("t"),
	    .partitions = &part,
	    .partitions_count = 1};
	struct list_offsets_response r;

	wire_defaults(&messages_list_offsets_response, &r);
	if (in->topics[0].partitions[0].timestamp == -2)
		part.offset = later && memory->kind == DELETED ? 20 : 0;
	else
		part.offset = later && memory->kind == SHORTER ? 5
		    : memory->kind == BEHIND_END               ? 20
						 : END + memory->grown;
	r.topics = &t;
	r.topics_count = 1;
	broker_frame(q, &r, out);
}

static bool
answer(const struct wire_request *q, struct view body, struct buf *out,
    void *arg)
{
	union {
		struct fetch_request fetch;
		struct list_offsets_request offsets;
		struct describe_configs_response configs;
	} m;
	struct arena arena;
	bool more = true;

	(void)arg;
	arena_init(&arena, 1 << 20);
	switch (q->key) {
	case API_VERSIONS:
		broker_versions(q, out);
		break;
	case API_METADATA:
		answer_metadata(q, out);
		break;
	case API_LIST_OFFSETS:
		if (wire_decode(&messages_list_offsets_request, q->version,
			&body, &arena, &m.offsets) == 0)
			answer_offsets(q, &m.offsets, out);
		break;
	case API_FETCH:
		more = memory->kind != HANGS_UP &&
		    (memory->kind != REMADE || memory->metadata > 1);
		if (wire_decode(&messages_fetch_request, q->version, &body,
			&arena, &m.fetch) == 0 &&
		    more)
			answer_fetch(q, &m.fetch, out);
		break;
	default:
		wire_defaults(&messages_describe_configs_response, &m.configs);
		broker_frame(q, &m.configs, out);
		break;
	}
	arena_release(&arena);
	return more;
}

/* --- reading it ----------------------------------------------------------- */

/* Until the end or an error: what was read ascends, and is what was written. */
static int
read_all(struct source *s, int64_t offset, int64_t *next, struct fault *f)
{
	struct pollfd fd = {.fd = s->ops->wait_fd(s), .events = POLLIN};
	struct raw_run run;
	bool changed;
	int rc = 0;

	*next = offset < 0 ? 0 : offset;
	batches = 0;
	while (rc == 0 || rc == EAGAIN) {
		rc = s->ops->next(s, 0, 0, offset, 1 << 20, &run, f);
		if (rc == EAGAIN) {
			rc = s->ops->turn(s, &changed, f);
			if (rc == 0 && !changed)
				(void)poll(&fd, 1, 100);
			continue;
		}
		if (rc != 0)
			break;
		if (run.len > 0 &&
		    (run.segment != -1 || run.base_offset < *next ||
			run.next_offset - run.base_offset !=
			    run.batches * EACH))
			return STATUS_MISMATCH;
		batches += run.batches;
		offset = *next = run.next_offset;
	}
	return rc;
}

static const struct {
	const char *name;
	int rc;
	int64_t next;		/* what was read */
	const char *why;	/* in the message */
} wants[KINDS] = {
    [GOOD] = {"all is well", STATUS_END, END, NULL},
    [BAD_CRC] = {"a CRC that is wrong", STATUS_CORRUPT, EACH,
	"from offset 10 on: crc does not match"},
    [BACKWARD] = {"offsets that go back", STATUS_CORRUPT, EACH,
	"offset is out of order"},
    [CUT] = {"a batch that is cut", STATUS_END, END, NULL},
    [ALWAYS_CUT] = {"a batch that never comes whole", STATUS_CORRUPT, 0,
	"a batch is cut"},
    [OLD_FORMAT] = {"message format 1", STATUS_UNSUPPORTED, 0, "offset 0"},
    [LONG_BATCH] = {"a batch of two gigabytes", STATUS_CORRUPT, 0, "offset 0"},
    [BEHIND_END] = {"what is behind the high watermark", STATUS_END, 20, NULL},
    [OTHERS] = {"what was not asked for", STATUS_END, END, NULL},
    [MOVED] = {"a leader that has moved", STATUS_END, END, NULL},
    [EARLIER] = {"a batch from before", STATUS_END, END, NULL},
    [GAP] = {"a gap at the end", STATUS_END, END, NULL},
    [DELETED] = {"a start that has moved", STATUS_OFFSET, 10, NULL},
    [SHORTER] = {"an end that has moved", STATUS_CLUSTER, 10, "was cut at "},
    [DIVERGED] = {"another history", STATUS_CLUSTER, 10, "was cut at "},
    [HANGS_UP] = {"one that hangs up", STATUS_CLUSTER, 0,
	"no answer within 1500 ms: the broker closed the connection"},
    [DENIED] = {"no right to read", EACCES, 0, "not permitted"},
    [REMADE] = {"another topic of that name", STATUS_REMOVED, 0, NULL},
    [CORRUPT_THERE] = {"one that is damaged itself", STATUS_CORRUPT, 0, NULL},
};

/* A broker and a source that is its only topic. */
struct scene {
	struct place place;
	struct cluster_source_options o;
	struct login *login;
	struct broker b;
	struct source *s;
};

/* Up to its topics. */
static int
begin_scene(struct scene *c, enum kind kind, int64_t timeout_ms, bool follow,
    struct fault *f)
{
	size_t count;
	int rc;

	*c = (struct scene){.place = {.partition = -1, .topic = "t"}};
	c->o.place = &c->place;
	c->o.timeout_ms = timeout_ms;
	c->o.follow = follow;
	memset(memory, 0, sizeof(*memory));
	memory->kind = kind;
	broker_start(&c->b, answer, NULL);
	memory->port = c->b.port;
	strlcpy(c->place.brokers, c->b.place, sizeof(c->place.brokers));
	if (login_new(&none, &c->place, &c->login, f) != 0)
		abort();
	c->o.login = c->login;
	rc = cluster_source_open(&c->o, &c->s, f);
	return rc == 0 ? c->s->ops->refresh(c->s, &count, f) : rc;
}

static int
open_scene(struct scene *c, enum kind kind, struct fault *f)
{
	int64_t start, end;
	int rc = begin_scene(c, kind, kind == HANGS_UP ? SHORT_MS : TIMEOUT_MS,
	    false, f);

	if (rc == 0)
		rc = c->s->ops->bounds(c->s, 0, 0, &start, &end, f);
	if (rc != 0)
		fprintf(stderr, "# %s: %s\n", f->file, f->what);
	return rc;
}

static void
close_scene(struct scene *c)
{
	c->s->ops->close(c->s);
	login_free(c->login);
	broker_stop(&c->b);
}

/* Who goes back is not given what was on its way. */
static void
test_back(void)
{
	struct fault f = {.file = ""};
	struct raw_run run;
	struct scene c;
	bool changed;
	int64_t next;

	if (open_scene(&c, GOOD, &f) != 0)
		abort();
	tap_int(c.s->ops->next(c.s, 0, 0, 20, 1 << 20, &run, &f), EAGAIN,
	    "the last batch is wanted");
	tap_int(c.s->ops->turn(c.s, &changed, &f), 0, "and asked for");
	tap_int(read_all(c.s, 0, &next, &f), STATUS_END, "then the first one");
	tap_int(batches, 3, "and all of them come");
	tap_int(c.s->ops->next(c.s, 0, 0, 20, 1 << 20, &run, &f), EAGAIN,
	    "the last one again");
	tap_int(read_all(c.s, -1, &next, &f), STATUS_END,
	    "then from the start");
	tap_int(batches, 3, "which is the first there is");
	close_scene(&c);
}

/*
 * Following, a partition without a leader fails alone, and is there once it has
 * one; at the beginning it is not waited for as long as for brokers.
 */
static void
test_headless(void)
{
	struct fault f = {.file = ""};
	struct frame_batch batch;
	struct scene c;
	int64_t start, end = 0, next;
	bool cleaned;

	if (begin_scene(&c, HEADLESS, 1000 * 3600, true, &f) != 0)
		abort();
	tap_int(c.s->ops->bounds(c.s, 0, 0, &start, &end, &f), STATUS_TIMEOUT,
	    "no leader");
	tap(strstr(f.what, "it has no leader") != NULL, "it is told");
	tap_int(c.s->ops->batch_at(c.s, 0, 0, 1, &batch, &cleaned, &f),
	    STATUS_TIMEOUT, "nor for a batch");
	memory->kind = GOOD;
	tap_int(c.s->ops->bounds(c.s, 0, 0, &start, &end, &f), 0, "now one");
	tap_int(end, END, "who knows the end");
	tap_int(read_all(c.s, 0, &next, &f), STATUS_END, "and has it all");
	close_scene(&c);
	if (begin_scene(&c, GOOD, SHORT_MS, true, &f) != 0 ||
	    c.s->ops->bounds(c.s, 0, 0, &start, &end, &f) != 0)
		abort();
	memory->kind = HEADLESS;
	tap_int(read_all(c.s, 0, &next, &f), STATUS_TIMEOUT,
	    "one that was lost");
	memory->kind = GOOD;
	tap_int(c.s->ops->bounds(c.s, 0, 0, &start, &end, &f), 0, "is found");
	tap_int(read_all(c.s, 0, &next, &f), STATUS_END, "and goes on");
	tap_int(next, END, "to the end");
	close_scene(&c);
}

static bool
takes_all(const char *name, void *arg)
{
	(void)name;
	(void)arg;
	return true;
}

/* The end is asked for again by who knows of somebody that has come further. */
static void
test_expected(void)
{
	struct fault f = {.file = ""};
	struct fetcher *x;
	struct chart *chart;
	struct scene c;
	int64_t start, end;

	if (begin_scene(&c, GOOD, TIMEOUT_MS, true, &f) != 0)
		abort();
	struct chart_options o = {.place = &c.place,
	    .login = c.login,
	    .timeout_ms = TIMEOUT_MS,
	    .takes = takes_all};
	if (chart_open(&o, &chart, &f) != 0 ||
	    fetcher_new(chart, TIMEOUT_MS, true, &x, &f) != 0 ||
	    fetcher_add(x, 0, 0) != 0 ||
	    fetcher_bounds(x, 0, 0, &start, &end, &f) != 0)
		abort();
	tap_int(end, END, "the end");
	memory->grown = 5;
	fetcher_expect(x, 0, 0, END);
	(void)fetcher_bounds(x, 0, 0, &start, &end, &f);
	tap_int(end, END, "it will do for who has come so far");
	fetcher_expect(x, 0, 0, END + 1);
	(void)fetcher_bounds(x, 0, 0, &start, &end, &f);
	tap_int(end, END + 5, "and not for who has come further");
	fetcher_free(x);
	chart_close(chart);
	close_scene(&c);
}

static void
test_kind(enum kind kind)
{
	struct fault f = {.file = ""};
	struct scene c;
	int64_t next = 0;
	int rc = open_scene(&c, kind, &f);

	if (rc == 0)
		rc = read_all(c.s,
		    wants[kind].next == 10 && kind >= DELETED ? 10 : -1, &next,
		    &f);
	tap_int(rc, wants[kind].rc, "%s", wants[kind].name);
	tap_int(next, wants[kind].next, "%s: so much is read",
	    wants[kind].name);
	if (wants[kind].why != NULL &&
	    !tap(f.what != NULL && strstr(f.what, wants[kind].why) != NULL,
		"%s: it is told", wants[kind].name))
		fprintf(stderr, "# %s\n", f.what == NULL ? "" : f.what);
	close_scene(&c);
}

int
main(void)
{
	settings_init(&none);
	memory = broker_memory(sizeof(*memory));
	for (int i = 0; i < KINDS; i++)
		test_kind((enum kind)i);
	test_back();
	test_headless();
	test_expected();
	return tap_done();
}
