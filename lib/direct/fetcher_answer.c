/* Answers: what they say of each partition, and what they bring. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/now.h"
#include "base/status.h"
#include "direct/fetcher_impl.h"
#include "direct/trouble.h"
#include "kafka/error.h"
#include "kafka/messages.h"

enum {
	/* An empty answer sooner than this is not one that has waited. */
	SOON_MS = FETCHER_WAIT_MS / 5,
};

static int
compare_parts(const void *a, const void *b)
{
	const struct shelf_part *const *x = a, *const *y = b;

	if ((*x)->topic != (*y)->topic)
		return (*x)->topic < (*y)->topic ? -1 : 1;
	return (*x)->number < (*y)->number ? -1 : (*x)->number > (*y)->number;
}

int
fetcher_fail_cut(const struct fetcher *x, const struct shelf_part *p,
    int64_t end, struct fault *f)
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
		fetcher_lose_part(x, p);
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
		return fetcher_fail_cut(x, p, r->diverging_epoch.end_offset, f);
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
find_asked(struct fetcher *x, struct fetcher_line *l, int64_t topic,
    int32_t number)
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
take_rows(struct fetcher *x, struct fetcher_line *l, struct shelf_answer *a,
    const struct fetch_response *r, int64_t *bytes, struct fault *f)
{
	int rc = 0;

	*bytes = 0;
	for (int32_t t = 0; rc == 0 && t < r->responses_count; t++) {
		const struct fetch_response_responses *topic = &r->responses[t];
		int64_t number = a->a.version > FETCHER_NAMES_MAX
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
take_nothing(struct fetcher_line *l)
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
take_answer(struct fetcher *x, struct fetcher_line *l, struct shelf_answer *a,
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
			fetcher_lose_part(x, l->asked[i]);
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
receive(struct fetcher *x, struct fetcher_line *l, struct fault *lost,
    struct fault *f)
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
		fetcher_lose_line(x, l, lost);
		rc = 0;
	} else if (rc == 0) {
		shelf_filled(&x->shelf, a);
		rc = take_answer(x, l, a, &r, f);
		fetcher_end_request(x, l);
	}
	shelf_drop_answer(&x->shelf, a);
	return rc;
}

int
fetcher_receive(struct fetcher *x, bool *changed, struct fault *f)
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
