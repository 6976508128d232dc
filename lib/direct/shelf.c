#include "direct/shelf.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/bounds.h"
#include "base/status.h"
#include "store/batch.h"

/* A batch that is larger comes whole when more was asked for. */
enum { CUTS_MAX = 16 };

void
shelf_init(struct shelf *s)
{
	*s = (struct shelf){.count = 0};
}

static void
free_answer(struct shelf_answer *a)
{
	if (a == NULL)
		return;
	talk_answer_release(&a->a);
	free(a);
}

void
shelf_release(struct shelf *s)
{
	for (size_t i = 0; i < s->count; i++) {
		shelf_seek(s, s->all[i], 0);
		free(s->all[i]);
	}
	for (size_t i = 0; i < s->topic_count; i++)
		free(s->topics[i].parts);
	free(s->topics);
	free(s->all);
	free_answer(s->spare);
	shelf_init(s);
}

/* --- partitions ----------------------------------------------------------- */

static int
make_room(struct shelf *s, size_t topic, int32_t number)
{
	struct shelf_topic *topics, *t;
	struct shelf_part **more;
	size_t cap = s->cap == 0 ? 16 : s->cap * 2;

	if (topic >= s->topic_count) {
		topics = recallocarray(s->topics, s->topic_count, topic + 1,
		    sizeof(*topics));
		if (topics == NULL)
			return ENOMEM;
		s->topics = topics;
		s->topic_count = topic + 1;
	}
	t = &s->topics[topic];
	if (number >= t->count) {
		more = recallocarray(t->parts, (size_t)t->count,
		    (size_t)number + 1, sizeof(*more));
		if (more == NULL)
			return ENOMEM;
		t->parts = more;
		t->count = number + 1;
	}
	if (s->count < s->cap)
		return 0;
	more = reallocarray(s->all, cap, sizeof(*more));
	if (more == NULL)
		return ENOMEM;
	s->all = more;
	s->cap = cap;
	return 0;
}

int
shelf_add(struct shelf *s, size_t topic, int32_t number,
    struct shelf_part **out)
{
	struct shelf_part *p;
	int rc = make_room(s, topic, number);

	if (rc != 0)
		return rc;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return ENOMEM;
	p->topic = topic;
	p->number = number;
	p->start = p->end = p->until = -1;
	p->epoch = -1;
	p->gap = -1;
	p->look = true;
	s->all[s->count++] = p;
	s->topics[topic].parts[number] = p;
	*out = p;
	return 0;
}

struct shelf_part *
shelf_find(const struct shelf *s, size_t topic, int32_t number)
{
	if (topic >= s->topic_count || number < 0 ||
	    number >= s->topics[topic].count)
		return NULL;
	return s->topics[topic].parts[number];
}

/* --- answers -------------------------------------------------------------- */

struct shelf_answer *
shelf_answer(struct shelf *s)
{
	struct shelf_answer *a = s->spare;

	s->spare = NULL;
	if (a == NULL) {
		a = calloc(1, sizeof(*a));
		if (a == NULL)
			return NULL;
		talk_answer_init(&a->a);
	}
	a->uses = 1;
	return a;
}

void
shelf_filled(struct shelf *s, struct shelf_answer *a)
{
	s->held += a->a.frame.len;
}

void
shelf_drop_answer(struct shelf *s, struct shelf_answer *a)
{
	assert(a->uses > 0);
	if (--a->uses > 0)
		return;
	s->held -= a->a.frame.len;
	a->a.frame.len = 0;
	if (s->spare == NULL)
		s->spare = a;
	else
		free_answer(a);
}

static void
drop_piece(struct shelf *s, struct shelf_part *p)
{
	shelf_drop_answer(s, p->pieces[0].answer);
	p->count--;
	for (size_t i = 0; i < p->count; i++)
		p->pieces[i] = p->pieces[i + 1];
}

void
shelf_seek(struct shelf *s, struct shelf_part *p, int64_t offset)
{
	while (p->count > 0)
		drop_piece(s, p);
	p->at = p->ahead = offset;
	p->epoch = -1;
	p->bytes_min = 0;
	p->empty = p->cuts = 0;
	p->gap = -1;
	p->rc = 0;
}

/* --- records -------------------------------------------------------------- */

static void
break_off(struct shelf_part *p, int rc, const char *what)
{
	p->rc = rc;
	p->what = what;
}

/* Is the batch at v one to be taken?  False: p->rc, if it is wrong. */
static bool
is_good(struct shelf_part *p, struct view v, int64_t end, struct batch *b)
{
	const char *what = NULL;
	int rc = batch_decode(v.data, v.len, b, &what);

	if (rc == STATUS_SHORT)
		return false;
	if (rc != 0) {
		break_off(p, rc, what);
		return false;
	}
	if (b->size > v.len) {
		p->bytes_min = (int32_t)b->size;
		return false;
	}
	if (batch_verify(v.data, b) != 0)
		break_off(p, STATUS_CORRUPT, "crc does not match");
	return p->rc == 0 && b->last_offset < end;
}

void
shelf_put(struct shelf *s, struct shelf_part *p, struct shelf_answer *a,
    const uint8_t *data, size_t len, int64_t end)
{
	struct view v = {data, len}, taken = {data, 0};
	bool first = true;
	struct batch b;

	(void)s;
	p->bytes_min = 0;
	while (v.len > 0 && is_good(p, v, end, &b)) {
		/* It may begin with what was not asked for. */
		if (b.last_offset < p->ahead && first) {
			taken.data += b.size;
		} else if (b.base_offset < p->ahead && !first) {
			break_off(p, STATUS_CORRUPT, "offset is out of order");
			break;
		} else {
			first = false;
			taken.len += b.size;
			p->ahead = b.last_offset + 1;
			p->epoch = b.leader_epoch;
		}
		v.data += b.size;
		v.len -= b.size;
	}
	if (taken.len == 0 && p->bytes_min > 0 && ++p->cuts > CUTS_MAX)
		break_off(p, STATUS_CORRUPT, "a batch is cut");
	if (taken.len == 0)
		return;
	p->empty = p->cuts = 0;
	assert(p->count < SHELF_PIECES);
	p->pieces[p->count++] = (struct shelf_piece){a, taken};
	a->uses++;
}

void
shelf_put_nothing(struct shelf_part *p, int64_t end)
{
	if (p->ahead >= end || ++p->empty < 2)
		return;
	p->gap = p->ahead = end;
	p->empty = 0;
}

/* So many batches as are below until, and within max bytes; one at least. */
static void
cut_run(const struct shelf_part *p, struct view v, size_t max,
    struct raw_run *out)
{
	struct batch b;

	*out = (struct raw_run){.segment = -1, .data = v.data};
	while (v.len > 0) {
		(void)batch_decode(v.data, v.len, &b, NULL);
		if (b.base_offset >= p->until ||
		    (out->len > 0 && out->len + b.size > max))
			break;
		if (out->len == 0)
			out->base_offset = b.base_offset;
		out->len += b.size;
		out->next_offset = b.last_offset + 1;
		out->batches++;
		v.data += b.size;
		v.len -= b.size;
	}
}

int
shelf_next(struct shelf *s, struct shelf_part *p, size_t max,
    struct raw_run *out)
{
	struct view *v = &p->pieces[0].data;

	/* What the last run was made of. */
	if (p->count > 0 && v->len == 0)
		drop_piece(s, p);
	if (p->at >= p->until)
		return STATUS_END;
	if (p->count == 0 && p->rc == 0 && p->gap > p->at) {
		p->at = p->gap < p->until ? p->gap : p->until;
		*out = (struct raw_run){.segment = -1, .next_offset = p->at};
		return 0;
	}
	if (p->count == 0)
		return p->rc != 0 ? p->rc : EAGAIN;
	cut_run(p, *v, max, out);
	if (out->len == 0)
		return STATUS_END;
	v->data += out->len;
	v->len -= out->len;
	p->at = out->next_offset;
	return 0;
}
