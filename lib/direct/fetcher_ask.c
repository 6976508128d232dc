/* Requests: which partitions are due, and of whom they are asked for. */

#include <sys/epoll.h>

#include <errno.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/bounds.h"
#include "base/now.h"
#include "base/status.h"
#include "direct/fetcher_impl.h"
#include "kafka/messages.h"

enum {
	/* Partitions of one request. */
	PARTS_MAX = 20000,
	ANSWER_MAX = FETCHER_BYTES + BATCH_BYTES_MAX + (8 << 20),
};

static struct fetcher_line *
find_line(struct fetcher *x, int32_t node)
{
	struct fetcher_line *more;

	for (size_t i = 0; i < x->line_count; i++)
		if (x->lines[i].node == node)
			return &x->lines[i];
	more = recallocarray(x->lines, x->line_count, x->line_count + 1,
	    sizeof(*more));
	if (more == NULL)
		return NULL;
	x->lines = more;
	more[x->line_count].node = node;
	return &more[x->line_count++];
}

/*
 * Is more of it to be fetched now?  Who reads the partition that is wanted may
 * give nothing else away before it comes, so that one always is.
 */
static bool
is_due(const struct fetcher *x, const struct shelf_part *p)
{
	if (x->shelf.held >= FETCHER_HELD_BYTES &&
	    (p != x->hungry || p->count > 0))
		return false;
	return p->wanted && !p->asked && !p->look && p->rc == 0 &&
	    p->count < SHELF_PIECES && (x->follow || p->ahead < p->until);
}

static int
ask_for(struct fetcher_line *l, struct shelf_part *p)
{
	struct shelf_part **more;
	size_t cap = l->asked_cap == 0 ? 16 : l->asked_cap * 2;

	if (l->asked_count == l->asked_cap) {
		more = reallocarray(l->asked, cap, sizeof(*more));
		if (more == NULL)
			return ENOMEM;
		l->asked = more;
		l->asked_cap = cap;
	}
	l->asked[l->asked_count++] = p;
	p->asked = true;
	p->asked_at = p->ahead;
	return 0;
}

/* All that is due of one leader, from where the last answer ended. */
static int
choose(struct fetcher *x, struct fetcher_line *l)
{
	size_t count = x->shelf.count;
	int rc = 0;

	l->asked_count = 0;
	for (size_t i = 0; rc == 0 && i < count && l->asked_count < PARTS_MAX;
	     i++) {
		struct shelf_part *p = x->shelf.all[(l->turn + i) % count];

		if (is_due(x, p) &&
		    chart_partition(x->chart, p->topic, p->number).leader ==
			l->node)
			rc = ask_for(l, p);
	}
	return rc;
}

static void
fill_partition(const struct fetcher *x, const struct shelf_part *p,
    int32_t bytes, struct fetch_request_topics_partitions *out)
{
	struct chart_partition row =
	    chart_partition(x->chart, p->topic, p->number);

	*out = (struct fetch_request_topics_partitions){.partition = p->number,
	    .current_leader_epoch = row.leader_epoch,
	    .fetch_offset = p->ahead,
	    .last_fetched_epoch = p->epoch,
	    .log_start_offset = -1,
	    .partition_max_bytes = p->bytes_min > bytes ? p->bytes_min : bytes,
	    .high_watermark = INT64_MAX};
}

/*
 * The partitions that were chosen, in rows of topics: those of one topic that
 * follow one another come together.  *ids: each topic has one.
 */
static int
fill_topics(const struct fetcher *x, const struct fetcher_line *l,
    struct arena *arena, struct fetch_request *q, bool *ids)
{
	struct fetch_request_topics *topics, *t = NULL;
	struct fetch_request_topics_partitions *parts;

	topics = arena_alloc(arena, l->asked_count, sizeof(*topics));
	parts = arena_alloc(arena, l->asked_count, sizeof(*parts));
	if (topics == NULL || parts == NULL)
		return ENOMEM;
	*ids = true;
	q->topics = topics;
	for (size_t i = 0; i < l->asked_count; i++) {
		const struct shelf_part *p = l->asked[i];
		const struct chart_topic *known =
		    chart_topic(x->chart, p->topic);

		if (i == 0 || p->topic != l->asked[i - 1]->topic) {
			t = &topics[q->topics_count++];
			*t = (struct fetch_request_topics){.topic = bytes_of(
							       known->name),
			    .topic_id = known->id,
			    .partitions = &parts[i]};
			*ids = *ids && !wire_uuid_is_zero(&known->id);
		}
		fill_partition(x, p, q->max_bytes, &parts[i]);
		t->partitions_count++;
	}
	return 0;
}

static int
send_request(struct fetcher *x, struct fetcher_line *l, struct fault *f)
{
	struct fetch_request q;
	struct arena arena;
	bool ids;
	int rc;

	arena_init(&arena, TALK_ARENA_MAX);
	wire_defaults(&messages_fetch_request, &q);
	q.max_wait_ms = FETCHER_WAIT_MS;
	q.min_bytes = 1;
	q.max_bytes =
	    FETCHER_BYTES / (int32_t)(x->line_count < 16 ? x->line_count : 16);
	rc = fill_topics(x, l, &arena, &q, &ids);
	if (rc == 0)
		rc = talk_send_in(l->talk, API_FETCH,
		    talk_version(l->talk, API_FETCH,
			ids ? INT16_MAX : FETCHER_NAMES_MAX),
		    &q, f);
	arena_release(&arena);
	return rc;
}

void
fetcher_end_request(struct fetcher *x, struct fetcher_line *l)
{
	for (size_t i = 0; i < l->asked_count; i++)
		l->asked[i]->asked = false;
	l->asked_count = 0;
	if (l->busy)
		(void)fetcher_watch(x, talk_fd(l->talk), EPOLL_CTL_DEL);
	l->busy = false;
}

/* One request, if anything is due.  STATUS_CLUSTER: the way is lost. */
static int
ask(struct fetcher *x, struct fetcher_line *l, struct fault *f)
{
	int rc = choose(x, l);

	if (rc != 0 || l->asked_count == 0) {
		fetcher_end_request(x, l);
		return rc;
	}
	if (l->talk == NULL)
		rc = chart_dial(x->chart, l->node, ANSWER_MAX, &l->talk, f);
	if (rc == 0)
		rc = send_request(x, l, f);
	if (rc == 0)
		rc = fetcher_watch(x, talk_fd(l->talk), EPOLL_CTL_ADD);
	if (rc != 0)
		return rc;
	l->busy = true;
	l->sent_ms = now_mono_ms();
	return 0;
}

/* Have a line for each leader of something that is due. */
static int
make_lines(struct fetcher *x)
{
	for (size_t i = 0; i < x->shelf.count; i++) {
		const struct shelf_part *p = x->shelf.all[i];
		int32_t leader =
		    chart_partition(x->chart, p->topic, p->number).leader;

		if (leader >= 0 && is_due(x, p) && find_line(x, leader) == NULL)
			return ENOMEM;
	}
	return 0;
}

int
fetcher_ask(struct fetcher *x, struct fault *fault)
{
	int rc = make_lines(x);

	for (size_t i = 0; rc == 0 && i < x->line_count; i++) {
		struct fetcher_line *l = &x->lines[i];
		struct fault f = {.file = ""};

		if (l->busy || now_mono_ms() < l->next_ms)
			continue;
		rc = ask(x, l, &f);
		if (rc == STATUS_CLUSTER) {
			fetcher_lose_line(x, l, &f);
			rc = 0;
		} else if (rc != 0) {
			*fault = f;
		}
	}
	return rc;
}
