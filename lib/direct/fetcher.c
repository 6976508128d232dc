#include "direct/fetcher.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/io.h"
#include "base/now.h"
#include "base/status.h"
#include "direct/lister.h"
#include "direct/trouble.h"
#include "kafka/error.h"
#include "kafka/messages.h"

enum {
	/* Partitions of one request. */
	PARTS_MAX = 20000,
	ANSWER_MAX = FETCHER_BYTES + BATCH_BYTES_MAX + (8 << 20),
	/* An empty answer sooner than this is not one that has waited. */
	SOON_MS = FETCHER_WAIT_MS / 5,
	WHY_LEN = 400,
	/* With no ids of topics. */
	FETCH_NAMES_MAX = 12,
};

/* One leader. */
struct line {
	int32_t node;
	struct talk *talk;	/* NULL: not open */
	struct shelf_part **asked; /* by the request that is on its way */
	size_t asked_count;
	size_t asked_cap;
	bool busy;
	int64_t sent_ms;
	int64_t next_ms;	/* nothing is sent before */
	int tries;		/* that failed in a row */
	size_t turn;		/* where in the shelf a request begins */
};

struct fetcher {
	struct chart *chart;
	int64_t timeout_ms;
	bool follow;
	struct shelf shelf;
	struct shelf_part *hungry; /* what was wanted last and is not here */
	struct line *lines;
	size_t line_count;
	int epoll_fd;
	int timer_fd;
	bool stale;		/* the metadata are not what they say */
	bool mute;		/* nobody answered when they were asked for */
	int64_t refresh_ms;	/* when to look at them */
	int64_t refreshed_ms;
	int tries;
	char why[WHY_LEN];	/* the last that went wrong */
	char subject[WHY_LEN];
};

/* --- opening -------------------------------------------------------------- */

static int
watch(struct fetcher *x, int fd, int op)
{
	struct epoll_event e = {.events = EPOLLIN};

	return epoll_ctl(x->epoll_fd, op, fd, &e) == 0 ? 0 : errno;
}

int
fetcher_new(struct chart *chart, int64_t timeout_ms, bool follow,
    struct fetcher **out, struct fault *f)
{
	struct fetcher *x = calloc(1, sizeof(*x));
	int rc = 0;

	if (x == NULL)
		return ENOMEM;
	x->chart = chart;
	x->timeout_ms = timeout_ms;
	x->follow = follow;
	x->refreshed_ms = now_mono_ms();
	shelf_init(&x->shelf);
	x->timer_fd =
	    timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	x->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (x->timer_fd < 0 || x->epoll_fd < 0)
		rc = errno;
	if (rc == 0)
		rc = watch(x, x->timer_fd, EPOLL_CTL_ADD);
	if (rc != 0) {
		fetcher_free(x);
		return status_fault(f, rc, "epoll", -1, -1, NULL);
	}
	*out = x;
	return 0;
}

void
fetcher_free(struct fetcher *x)
{
	if (x == NULL)
		return;
	for (size_t i = 0; i < x->line_count; i++) {
		talk_close(x->lines[i].talk);
		free(x->lines[i].asked);
	}
	free(x->lines);
	shelf_release(&x->shelf);
	(void)io_close(&x->timer_fd);
	(void)io_close(&x->epoll_fd);
	free(x);
}

int
fetcher_fd(const struct fetcher *x)
{
	return x->epoll_fd;
}

/* --- what others ask ------------------------------------------------------ */

int
fetcher_add(struct fetcher *x, size_t topic, int32_t partition)
{
	struct shelf_part *p;

	return shelf_find(&x->shelf, topic, partition) != NULL
	    ? 0
	    : shelf_add(&x->shelf, topic, partition, &p);
}

/* What p->rc says, in words. */
static int
fail_part(struct fetcher *x, const struct shelf_part *p, struct fault *f)
{
	const char *what = p->what != NULL ? p->what : status_text(p->rc);

	return trouble(f, p->rc, chart_name(x->chart, p->topic),
	    "partition %d, from offset %lld on: %s", (int)p->number,
	    (long long)(p->ahead < 0 ? 0 : p->ahead), what);
}

static int
look(struct fetcher *x, struct fault *f)
{
	struct lister_patience w = {.timeout_ms = x->timeout_ms,
	    .leader_ms = x->follow ? FETCHER_LEADER_MS : x->timeout_ms};

	return lister_look(x->chart, &x->shelf, &w, f);
}

int
fetcher_bounds(struct fetcher *x, size_t topic, int32_t partition,
    int64_t *start, int64_t *end, struct fault *f)
{
	struct shelf_part *p = shelf_find(&x->shelf, topic, partition);
	int rc = 0;

	/* It had no leader. */
	if (p->rc == STATUS_TIMEOUT && p->count == 0) {
		p->rc = 0;
		p->look = true;
	}
	if (p->look)
		rc = look(x, f);
	if (rc != 0)
		return rc;
	if (p->rc != 0 && p->count == 0)
		return fail_part(x, p, f);
	p->until = p->end;
	*start = p->start;
	*end = p->end;
	return 0;
}

void
fetcher_expect(struct fetcher *x, size_t topic, int32_t partition,
    int64_t offset)
{
	struct shelf_part *p = shelf_find(&x->shelf, topic, partition);

	if (p != NULL && p->rc == 0 && p->end < offset)
		p->look = true;
}

int
fetcher_next(struct fetcher *x, size_t topic, int32_t partition, int64_t offset,
    size_t max, struct raw_run *out, struct fault *f)
{
	struct shelf_part *p = shelf_find(&x->shelf, topic, partition);
	int64_t at = offset < 0 ? p->start : offset;
	int rc;

	if (!p->wanted || at != p->at)
		shelf_seek(&x->shelf, p, at);
	p->wanted = true;
	if (offset >= 0 && p->count == 0 && p->start > at)
		return STATUS_OFFSET;
	/* A log that begins late, with nothing in it yet. */
	if (offset < 0 && at > 0 && at >= p->until) {
		*out = (struct raw_run){.segment = at, .next_offset = at};
		return 0;
	}
	rc = shelf_next(&x->shelf, p, max, out);
	if (rc == STATUS_END && !x->follow)
		p->wanted = false;
	if (rc == EAGAIN)
		x->hungry = p;
	if (rc == 0 || rc == STATUS_END || rc == EAGAIN)
		return rc;
	return fail_part(x, p, f);
}

int
fetcher_refresh(struct fetcher *x, bool *looked, struct fault *f)
{
	int rc;

	*looked = false;
	if (now_mono_ms() - x->refreshed_ms < FETCHER_REFRESH_MS)
		return 0;
	x->refreshed_ms = now_mono_ms();
	rc = chart_refresh(x->chart, f);
	x->mute = rc != 0;
	if (rc == STATUS_CLUSTER) {
		/* It may pass; until then all is as it was. */
		x->stale = true;
		return 0;
	}
	*looked = rc == 0;
	return rc;
}

/* --- what goes wrong ------------------------------------------------------ */

static void
note_why(struct fetcher *x, const struct fault *f)
{
	strlcpy(x->subject, f->file, sizeof(x->subject));
	strlcpy(x->why, f->what != NULL ? f->what : "", sizeof(x->why));
}

/* Its leader is to be looked for. */
static void
lose_part(struct fetcher *x, struct shelf_part *p)
{
	if (p->lost_ms == 0)
		p->lost_ms = now_mono_ms();
	x->stale = true;
}

static void
end_request(struct fetcher *x, struct line *l)
{
	for (size_t i = 0; i < l->asked_count; i++)
		l->asked[i]->asked = false;
	l->asked_count = 0;
	if (l->busy)
		(void)watch(x, talk_fd(l->talk), EPOLL_CTL_DEL);
	l->busy = false;
}

/* The way to a broker is lost. */
static void
lose_line(struct fetcher *x, struct line *l, const struct fault *f)
{
	note_why(x, f);
	for (size_t i = 0; i < l->asked_count; i++)
		lose_part(x, l->asked[i]);
	end_request(x, l);
	talk_close(l->talk);
	l->talk = NULL;
	l->next_ms = now_mono_ms() + chart_pause_ms(l->tries++);
	x->stale = true;
}

static int
look_again(struct fetcher *x, struct fault *f)
{
	int rc;

	if (!x->stale || now_mono_ms() < x->refresh_ms)
		return 0;
	x->refresh_ms = now_mono_ms() + chart_pause_ms(x->tries++);
	rc = chart_refresh(x->chart, f);
	x->mute = rc != 0;
	if (rc == STATUS_CLUSTER) {
		note_why(x, f);
		return 0;
	}
	if (rc == 0)
		x->stale = false;
	return rc;
}

/* Following, it alone is given up, until it is asked for again. */
static bool
is_headless(struct fetcher *x, const struct shelf_part *p)
{
	return x->follow && !x->mute &&
	    chart_partition(x->chart, p->topic, p->number).leader < 0;
}

/*
 * Partitions that nobody leads are looked for again; what is lost for too long
 * is given up.
 */
static int
check_lost(struct fetcher *x, struct fault *f)
{
	int64_t now = now_mono_ms();

	for (size_t i = 0; i < x->shelf.count; i++) {
		struct shelf_part *p = x->shelf.all[i];
		const struct chart_topic *t = chart_topic(x->chart, p->topic);

		if (!p->wanted || p->rc != 0)
			continue;
		if (t->gone ||
		    (t->missing && p->lost_ms != 0 &&
			now - p->lost_ms >= x->timeout_ms)) {
			p->rc = STATUS_REMOVED;
			p->what = NULL;
			continue;
		}
		if (is_headless(x, p) && p->lost_ms != 0 &&
		    now - p->lost_ms >= x->timeout_ms) {
			p->rc = STATUS_TIMEOUT;
			p->what = "it has no leader";
			p->lost_ms = 0;
			continue;
		}
		if (chart_partition(x->chart, p->topic, p->number).leader < 0)
			lose_part(x, p);
		if (p->lost_ms != 0 && now - p->lost_ms >= x->timeout_ms)
			return trouble(f, STATUS_CLUSTER,
			    x->subject[0] != '\0'
				? x->subject
				: chart_name(x->chart, p->topic),
			    "no answer within %lld ms%s%.300s",
			    (long long)x->timeout_ms,
			    x->why[0] != '\0' ? ": " : "", x->why);
	}
	return 0;
}

/* --- asking --------------------------------------------------------------- */

static struct line *
find_line(struct fetcher *x, int32_t node)
{
	struct line *more;

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
ask_for(struct line *l, struct shelf_part *p)
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
choose(struct fetcher *x, struct line *l)
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

/* Partitions of one topic that follow one another come together. */
static int
send_request(struct fetcher *x, struct line *l, struct fault *f)
{
	struct fetch_request_topics *topics, *t = NULL;
	struct fetch_request_topics_partitions *parts;
	struct fetch_request q;
	struct arena arena;
	bool ids = true;
	int32_t bytes =
	    FETCHER_BYTES / (int32_t)(x->line_count < 16 ? x->line_count : 16);
	int rc;

	arena_init(&arena, TALK_ARENA_MAX);
	topics = arena_alloc(&arena, l->asked_count, sizeof(*topics));
	parts = arena_alloc(&arena, l->asked_count, sizeof(*parts));
	if (topics == NULL || parts == NULL) {
		arena_release(&arena);
		return ENOMEM;
	}
	wire_defaults(&messages_fetch_request, &q);
	q.max_wait_ms = FETCHER_WAIT_MS;
	q.min_bytes = 1;
	q.max_bytes = bytes;
	q.topics = topics;
	for (size_t i = 0; i < l->asked_count; i++) {
		const struct shelf_part *p = l->asked[i];
		const struct chart_topic *known =
		    chart_topic(x->chart, p->topic);

		if (i == 0 || p->topic != l->asked[i - 1]->topic) {
			t = &topics[q.topics_count++];
			*t = (struct fetch_request_topics){.topic = bytes_of(
							       known->name),
			    .topic_id = known->id,
			    .partitions = &parts[i]};
			ids = ids && !wire_uuid_is_zero(&known->id);
		}
		fill_partition(x, p, bytes, &parts[i]);
		t->partitions_count++;
	}
	rc = talk_send_in(l->talk, API_FETCH,
	    talk_version(l->talk, API_FETCH, ids ? INT16_MAX : FETCH_NAMES_MAX),
	    &q, f);
	arena_release(&arena);
	return rc;
}

/* One request, if anything is due.  STATUS_CLUSTER: the way is lost. */
static int
ask(struct fetcher *x, struct line *l, struct fault *f)
{
	int rc = choose(x, l);

	if (rc != 0 || l->asked_count == 0) {
		end_request(x, l);
		return rc;
	}
	if (l->talk == NULL)
		rc = chart_dial(x->chart, l->node, ANSWER_MAX, &l->talk, f);
	if (rc == 0)
		rc = send_request(x, l, f);
	if (rc == 0)
		rc = watch(x, talk_fd(l->talk), EPOLL_CTL_ADD);
	if (rc != 0)
		return rc;
	l->busy = true;
	l->sent_ms = now_mono_ms();
	return 0;
}

/* --- answers -------------------------------------------------------------- */

static int
compare_parts(const void *a, const void *b)
{
	const struct shelf_part *const *x = a, *const *y = b;

	if ((*x)->topic != (*y)->topic)
		return (*x)->topic < (*y)->topic ? -1 : 1;
	return (*x)->number < (*y)->number ? -1 : (*x)->number > (*y)->number;
}

/*
 * The log was cut below what was read of it, or another history stands there:
 * what was copied has to be compared anew.
 */
static int
fail_cut(const struct fetcher *x, const struct shelf_part *p, int64_t end,
    struct fault *f)
{
	return trouble(f, STATUS_CLUSTER, chart_name(x->chart, p->topic),
	    "partition %d was cut at offset %lld, and was read up to %lld",
	    (int)p->number, (long long)end, (long long)p->ahead);
}

static void
take_error(struct fetcher *x, struct shelf_part *p, int error)
{
	if (error == KAFKA_OFFSET_OUT_OF_RANGE) {
		p->look = true;
		/* It is said of an epoch that is not known, too. */
		p->epoch = -1;
	} else if (chart_is_passing(error)) {
		snprintf(x->why, sizeof(x->why), "%s", error_text(error));
		strlcpy(x->subject, chart_name(x->chart, p->topic),
		    sizeof(x->subject));
		lose_part(x, p);
	} else {
		p->rc = chart_fail(x->chart, p->topic, error, NULL);
		/* It is the partition's alone. */
		if (p->rc == STATUS_CLUSTER)
			p->rc = STATUS_CORRUPT;
		p->what = error_text(error);
	}
}

static int
take_part(struct fetcher *x, struct shelf_part *p, struct shelf_answer *a,
    const struct fetch_response_responses_partitions *r, struct fault *f)
{
	/* Another place is wanted since: what lies between must not be lost. */
	if (p->asked_at != p->ahead)
		return 0;
	if (r->error_code != 0) {
		take_error(x, p, r->error_code);
		return 0;
	}
	if (r->diverging_epoch.end_offset >= 0 &&
	    r->diverging_epoch.end_offset < p->ahead)
		return fail_cut(x, p, r->diverging_epoch.end_offset, f);
	p->lost_ms = 0;
	if (r->high_watermark >= 0)
		p->end = r->high_watermark;
	if (r->log_start_offset >= 0)
		p->start = r->log_start_offset;
	if (r->records.len > 0)
		shelf_put(&x->shelf, p, a, r->records.data,
		    (size_t)r->records.len, p->end);
	return 0;
}

/* The part that a row of an answer is about; NULL: it was not asked for. */
static struct shelf_part *
find_asked(struct fetcher *x, struct line *l, int64_t topic, int32_t number)
{
	struct shelf_part *p =
	    topic < 0 ? NULL : shelf_find(&x->shelf, (size_t)topic, number);

	if (p == NULL || !p->asked ||
	    bsearch(&p, l->asked, l->asked_count, sizeof(struct shelf_part *),
		compare_parts) == NULL)
		return NULL;
	return p;
}

/* All partitions of an answer; *bytes: of records that it had. */
static int
take_rows(struct fetcher *x, struct line *l, struct shelf_answer *a,
    const struct fetch_response *r, int64_t *bytes, struct fault *f)
{
	int rc = 0;

	*bytes = 0;
	for (int32_t t = 0; rc == 0 && t < r->responses_count; t++) {
		const struct fetch_response_responses *topic = &r->responses[t];
		int64_t number = a->a.version > FETCH_NAMES_MAX
		    ? chart_find_id(x->chart, &topic->topic_id)
		    : chart_find_name(x->chart, topic->topic);

		for (int32_t i = 0; rc == 0 && i < topic->partitions_count;
		     i++) {
			struct shelf_part *p = find_asked(x, l, number,
			    topic->partitions[i].partition_index);

			if (p == NULL)
				continue;
			p->asked = false;
			if (topic->partitions[i].records.len > 0)
				*bytes += topic->partitions[i].records.len;
			rc = take_part(x, p, a, &topic->partitions[i], f);
		}
	}
	return rc;
}

/* Nothing came though there is something, or it came too soon. */
static void
take_nothing(struct line *l)
{
	for (size_t i = 0; i < l->asked_count; i++)
		if (!l->asked[i]->asked && l->asked[i]->lost_ms == 0 &&
		    l->asked[i]->asked_at == l->asked[i]->ahead &&
		    l->asked[i]->rc == 0 && !l->asked[i]->look)
			shelf_put_nothing(l->asked[i], l->asked[i]->end);
	if (now_mono_ms() - l->sent_ms < SOON_MS)
		l->next_ms = now_mono_ms() + SOON_MS;
}

static int
take_answer(struct fetcher *x, struct line *l, struct shelf_answer *a,
    const struct fetch_response *r, struct fault *f)
{
	int64_t bytes;
	int rc;

	l->tries = x->tries = 0;
	if (r->error_code != 0) {
		snprintf(x->why, sizeof(x->why), "%s",
		    error_text(r->error_code));
		strlcpy(x->subject, talk_name(l->talk), sizeof(x->subject));
		for (size_t i = 0; i < l->asked_count; i++)
			lose_part(x, l->asked[i]);
		l->next_ms = now_mono_ms() + chart_pause_ms(l->tries++);
		return 0;
	}
	/* The next request begins behind what this one began with. */
	l->turn++;
	qsort(l->asked, l->asked_count, sizeof(*l->asked), compare_parts);
	rc = take_rows(x, l, a, r, &bytes, f);
	if (rc == 0 && bytes == 0)
		take_nothing(l);
	return rc;
}

/* EAGAIN: nothing has come.  STATUS_CLUSTER: the way is lost. */
static int
receive(struct fetcher *x, struct line *l, struct fault *lost, struct fault *f)
{
	struct shelf_answer *a = shelf_answer(&x->shelf);
	struct fetch_response r;
	int rc;

	if (a == NULL)
		return ENOMEM;
	rc = talk_try(l->talk, &a->a, &r, lost);
	if (rc == EAGAIN &&
	    now_mono_ms() - l->sent_ms > FETCHER_WAIT_MS + x->timeout_ms)
		rc = trouble(lost, STATUS_CLUSTER, talk_name(l->talk),
		    "no answer within %lld ms", (long long)x->timeout_ms);
	if (rc == STATUS_CLUSTER) {
		a->a.frame.len = 0;
		lose_line(x, l, lost);
		rc = 0;
	} else if (rc == 0) {
		shelf_filled(&x->shelf, a);
		rc = take_answer(x, l, a, &r, f);
		end_request(x, l);
	}
	shelf_drop_answer(&x->shelf, a);
	return rc;
}

/* --- turns ---------------------------------------------------------------- */

static int
receive_all(struct fetcher *x, bool *changed, struct fault *f)
{
	struct fault lost = {.file = ""};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < x->line_count; i++) {
		if (!x->lines[i].busy)
			continue;
		rc = receive(x, &x->lines[i], &lost, f);
		*changed = *changed || rc != EAGAIN;
		if (rc == EAGAIN)
			rc = 0;
	}
	return rc;
}

/* What was out of range: did the start move, or was the end cut? */
static int
look_at_bounds(struct fetcher *x, bool *changed, struct fault *f)
{
	bool any = false;
	int rc;

	for (size_t i = 0; i < x->shelf.count; i++)
		any = any || (x->shelf.all[i]->look && x->shelf.all[i]->wanted);
	if (!any)
		return 0;
	rc = look(x, f);
	*changed = true;
	for (size_t i = 0; rc == 0 && i < x->shelf.count; i++) {
		const struct shelf_part *p = x->shelf.all[i];

		if (p->wanted && p->rc == 0 && p->end < p->ahead)
			rc = fail_cut(x, p, p->end, f);
	}
	return rc;
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

static int
ask_all(struct fetcher *x, struct fault *fault)
{
	int rc = make_lines(x);

	for (size_t i = 0; rc == 0 && i < x->line_count; i++) {
		struct line *l = &x->lines[i];
		struct fault f = {.file = ""};

		if (l->busy || now_mono_ms() < l->next_ms)
			continue;
		rc = ask(x, l, &f);
		if (rc == STATUS_CLUSTER) {
			lose_line(x, l, &f);
			rc = 0;
		} else if (rc != 0) {
			*fault = f;
		}
	}
	return rc;
}

/* When there is something to be done though nothing comes. */
static void
set_timer(struct fetcher *x)
{
	int64_t now = now_mono_ms(), next = INT64_MAX, ms;
	struct itimerspec t = {{0, 0}, {0, 0}};

	if (x->stale && x->refresh_ms < next)
		next = x->refresh_ms;
	for (size_t i = 0; i < x->line_count; i++) {
		const struct line *l = &x->lines[i];

		if (!l->busy && l->next_ms > now && l->next_ms < next)
			next = l->next_ms;
	}
	if (next != INT64_MAX) {
		ms = next > now ? next - now : 1;
		t.it_value = (struct timespec){ms / 1000, ms % 1000 * 1000000};
	}
	/* Also what it has told is forgotten so. */
	(void)timerfd_settime(x->timer_fd, 0, &t, NULL);
}

int
fetcher_turn(struct fetcher *x, bool *changed, struct fault *f)
{
	int rc;

	*changed = false;
	rc = receive_all(x, changed, f);
	if (rc == 0)
		rc = look_at_bounds(x, changed, f);
	if (rc == 0)
		rc = look_again(x, f);
	if (rc == 0)
		rc = check_lost(x, f);
	if (rc == 0)
		rc = ask_all(x, f);
	if (rc == 0)
		set_timer(x);
	return rc;
}
