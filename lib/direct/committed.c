#include "direct/committed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "direct/trouble.h"
#include "kafka/messages.h"
#include "store/groups.h"

enum {
	STRINGS_MAX = 64 << 20,
	/* With groups of their own fields from 8 on. */
	OFFSET_FETCH_MAX = 7,
	OFFSET_FETCH_MIN = 2,	/* all topics at once */
};

void
committed_init(struct committed *p)
{
	*p = (struct committed){.count = 0};
	arena_init(&p->arena, STRINGS_MAX);
}

void
committed_release(struct committed *p)
{
	free(p->entries);
	arena_release(&p->arena);
	committed_init(p);
}

static int
compare(const void *a, const void *b)
{
	const struct committed_entry *x = a, *y = b;
	int order;

	if (x->topic != y->topic)
		return x->topic < y->topic ? -1 : 1;
	order = strcmp(x->group, y->group);
	if (order != 0)
		return order;
	return x->partition < y->partition ? -1 : x->partition > y->partition;
}

/* A copy with a NUL behind it. */
static char *
keep(struct committed *p, struct bytes b)
{
	char *s = arena_alloc(&p->arena, (size_t)b.len + 1, 1);

	if (s != NULL && b.len > 0)
		memcpy(s, b.data, (size_t)b.len);
	return s;
}

static int
add(struct committed *p, const struct committed_entry *e)
{
	size_t cap = p->cap == 0 ? 64 : p->cap * 2;
	struct committed_entry *more;

	if (p->count == COMMITTED_MAX)
		return STATUS_TOO_BIG;
	if (p->count == p->cap) {
		more = reallocarray(p->entries, cap, sizeof(*more));
		if (more == NULL)
			return ENOMEM;
		p->entries = more;
		p->cap = cap;
	}
	p->entries[p->count++] = *e;
	return 0;
}

static int
take(struct committed *p, size_t topic, const char *group,
    const struct offset_fetch_response_topics_partitions *from)
{
	struct committed_entry e = {.topic = topic,
	    .group = group,
	    .partition = from->partition_index,
	    .offset = from->committed_offset,
	    .leader_epoch = from->committed_leader_epoch};
	char *metadata;

	if (from->error_code != 0 || e.offset < 0 || e.partition < 0)
		return 0;
	if (from->metadata.len > 0) {
		metadata = keep(p, from->metadata);
		if (metadata == NULL)
			return STATUS_TOO_BIG;
		e.metadata = (struct view){(const uint8_t *)metadata,
		    (size_t)from->metadata.len};
	}
	return add(p, &e);
}

static int
read_group(struct chart *c, int32_t node, struct committed *p,
    const char *group, struct talk_answer *a, struct fault *f)
{
	struct offset_fetch_request q;
	struct offset_fetch_response r;
	struct talk *t;
	int version, rc = chart_talk(c, node, &t, f);

	if (rc != 0)
		return rc;
	wire_defaults(&messages_offset_fetch_request, &q);
	q.group_id = bytes_of(group);
	q.topics_count = -1;
	version = talk_version(t, API_OFFSET_FETCH, OFFSET_FETCH_MAX);
	rc = talk_send_in(t, API_OFFSET_FETCH,
	    version < OFFSET_FETCH_MIN ? -1 : version, &q, f);
	if (rc == 0)
		rc = talk_receive(t, a, &r, f);
	if (rc != 0) {
		chart_hang_up(c, node);
		return rc;
	}
	for (int32_t i = 0; rc == 0 && r.error_code == 0 && i < r.topics_count;
	     i++) {
		int64_t topic = chart_find_name(c, r.topics[i].name);

		for (int32_t k = 0;
		     rc == 0 && topic >= 0 && k < r.topics[i].partitions_count;
		     k++)
			rc = take(p, (size_t)topic, group,
			    &r.topics[i].partitions[k]);
	}
	return rc;
}

/* Of consumers, or of who commits without being a member. */
static bool
is_consumer(const struct list_groups_response_groups *g)
{
	return (g->protocol_type.len == 0 ||
		   bytes_equal(g->protocol_type, bytes_of("consumer"))) &&
	    g->group_id.len > 0 && g->group_id.len <= GROUPS_NAME_MAX &&
	    memchr(g->group_id.data, 0, (size_t)g->group_id.len) == NULL;
}

static int
read_broker(struct chart *c, int32_t node, struct committed *p, struct fault *f)
{
	struct list_groups_request q;
	struct list_groups_response r;
	struct talk_answer groups, a;
	int rc;

	wire_defaults(&messages_list_groups_request, &q);
	talk_answer_init(&groups);
	talk_answer_init(&a);
	rc = chart_call(c, node, API_LIST_GROUPS, &q, &groups, &r, f);
	for (int32_t i = 0; rc == 0 && i < r.groups_count; i++) {
		const char *group;

		if (!is_consumer(&r.groups[i]))
			continue;
		group = keep(p, r.groups[i].group_id);
		rc = group == NULL ? STATUS_TOO_BIG
				   : read_group(c, node, p, group, &a, f);
	}
	talk_answer_release(&groups);
	talk_answer_release(&a);
	return rc;
}

int
committed_read(struct chart *c, struct committed *p, struct fault *f)
{
	size_t brokers = chart_broker_count(c);
	int rc = 0;

	committed_release(p);
	for (size_t i = 0; rc == 0 && i < brokers; i++)
		rc = read_broker(c, chart_broker(c, i), p, f);
	if (rc == STATUS_TOO_BIG)
		return trouble(f, STATUS_CLUSTER, "groups",
		    "more positions than can be");
	if (rc == 0 && p->count > 0)
		qsort(p->entries, p->count, sizeof(*p->entries), compare);
	return rc;
}

const struct committed_entry *
committed_at(const struct committed *p, size_t topic, size_t i)
{
	size_t low = 0, high = p->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->entries[middle].topic < topic)
			low = middle + 1;
		else
			high = middle;
	}
	if (i >= p->count - low || p->entries[low + i].topic != topic)
		return NULL;
	return &p->entries[low + i];
}
