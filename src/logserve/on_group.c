/*
 * The classic group protocol: JoinGroup, SyncGroup, Heartbeat, LeaveGroup; and
 * what administrators ask: DescribeGroups, ListGroups.
 */

#include "dispatch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "base/now.h"
#include "base/status.h"
#include "broker/subscription.h"
#include "catalog.h"
#include "claims.h"
#include "groups.h"
#include "kafka/error.h"
#include "request.h"
#include "server.h"

/* --- joining -------------------------------------------------------------- */

static bool
keep_members(struct request *r, const struct group_joined *j)
{
	struct join_group_response *out = r->response;

	out->members = request_alloc(r, j->member_count, sizeof(*out->members));
	if (out->members == NULL)
		return false;
	out->members_count = (int32_t)j->member_count;
	for (size_t i = 0; i < j->member_count; i++) {
		out->members[i].member_id = request_keep(r, j->members[i].id);
		out->members[i].group_instance_id =
		    request_keep(r, j->members[i].instance_id);
		out->members[i].metadata =
		    request_keep(r, j->members[i].metadata);
	}
	return true;
}

void
answers_joined(void *arg, void *waiter, const struct group_joined *j)
{
	struct request *r = waiter;
	struct join_group_response *out = r->response;

	out->error_code = (int16_t)j->error;
	out->generation_id = j->generation;
	out->protocol_type = request_keep(r, j->protocol_type);
	out->protocol_name = request_keep(r, j->protocol);
	out->leader = request_keep(r, j->leader);
	out->member_id = request_keep(r, j->member_id);
	out->skip_assignment = j->skip_assignment;
	if (!keep_members(r, j))
		out->error_code = KAFKA_UNKNOWN_SERVER_ERROR;
	group_table_answer(arg, r);
}

static struct group_protocol *
protocols_of(struct request *r)
{
	const struct join_group_request *in = r->message;
	struct group_protocol *p =
	    request_alloc(r, (size_t)in->protocols_count, sizeof(*p));

	for (int32_t i = 0; p != NULL && i < in->protocols_count; i++)
		p[i] = (struct group_protocol){in->protocols[i].name,
		    in->protocols[i].metadata};
	return p;
}

static void
refuse_join(struct group_table *g, struct request *r, int code)
{
	const struct join_group_request *in = r->message;

	answers_joined(g, r,
	    &(struct group_joined){.error = code,
		.generation = -1,
		.protocol_type = BYTES_NULL,
		.protocol = BYTES_NULL,
		.leader = bytes_of(""),
		.member_id = in->member_id});
}

static int
compare_bytes(const void *a, const void *b)
{
	const struct bytes *x = a, *y = b;

	return x->len != y->len ? (x->len < y->len ? -1 : 1)
				: memcmp(x->data, y->data, (size_t)x->len);
}

/*
 * The names that may be topics in what a client offers, which has been checked
 * to be of a size that a group may have; with out NULL they are counted.
 */
static size_t
read_topics(const struct join_group_request *in, struct bytes *out)
{
	struct subscription s;
	struct bytes topic;
	size_t count = 0;

	for (int32_t i = 0; i < in->protocols_count; i++) {
		if (subscription_open(in->protocols[i].metadata, &s) != 0)
			continue;
		while (subscription_next(&s, &topic) == 0) {
			if (topic.len <= 0 || topic.len > TOPIC_NAME_MAX)
				continue;
			if (out != NULL)
				out[count] = topic;
			count++;
		}
	}
	return count;
}

/* Each once: the protocols of a client mostly ask for the same. */
static int
find_topics(struct request *r, struct bytes **out, size_t *out_count)
{
	const struct join_group_request *in = r->message;
	size_t count = read_topics(in, NULL), n = 0;
	struct bytes *topics = request_alloc(r, count, sizeof(*topics));

	if (topics == NULL)
		return ENOMEM;
	(void)read_topics(in, topics);
	if (count > 1)
		qsort(topics, count, sizeof(*topics), compare_bytes);
	for (size_t i = 0; i < count; i++)
		if (n == 0 || compare_bytes(&topics[n - 1], &topics[i]) != 0)
			topics[n++] = topics[i];
	*out = topics;
	*out_count = n;
	return 0;
}

/*
 * The topics that a member of a group of consumers asks for.  A client that is
 * only to be told its id holds nothing yet.
 */
static int
claim_topics(struct request *r, const char *group, const struct group_join *j)
{
	struct claims *claims = group_table_claims(r->server->groups);
	bool told_id = j->id_required && j->member_id.len == 0 &&
	    bytes_is_null(j->instance_id);
	struct bytes *topics;
	size_t count;
	int rc;

	if (!bytes_equal(j->protocol_type, bytes_of("consumer")))
		return 0;
	rc = find_topics(r, &topics, &count);
	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = request_is_vain(r) ? ECANCELED
		    : told_id           ? claims_look(claims, group, topics[i])
					: claims_take(claims, group, topics[i]);
	return rc;
}

/* There is no code for it; this one is final, and near. */
static int
code_of_claim(int rc)
{
	if (rc == 0)
		return KAFKA_NONE;
	return rc == EBUSY ? KAFKA_INCONSISTENT_GROUP_PROTOCOL
			   : KAFKA_COORDINATOR_NOT_AVAILABLE;
}

/* What can be refused is, before anything is done for it. */
static int
judge_join(struct request *r, const char *group, const struct group_join *j)
{
	const struct join_group_request *in = r->message;
	struct group_table *g = r->server->groups;
	struct coordinator *c = group_table_get(g);
	int code;

	group_table_recall(g, group);
	code = coordinator_may_join(c, in->group_id, j);
	group_table_put(g);
	return code;
}

/*
 * The topics are claimed while others use the groups; what of them is not
 * needed then, as the join is refused, is given up.
 */
static void
join_claiming(struct request *r, const char *group, const struct group_join *j)
{
	struct group_table *g = r->server->groups;
	struct claims *claims = group_table_claims(g);
	bool begun = claims != NULL && claims_begin(claims, group) == 0;
	int code = claims == NULL ? KAFKA_NONE
	    : begun               ? code_of_claim(claim_topics(r, group, j))
				  : KAFKA_COORDINATOR_NOT_AVAILABLE;
	struct coordinator *c = group_table_get(g);

	if (code == KAFKA_NONE) {
		group_table_recall(g, group);
		coordinator_join(c, bytes_of(group), j, now_mono_ms());
	} else {
		refuse_join(g, r, code);
	}
	if (begun)
		claims_end(claims, group,
		    coordinator_has_members(c, bytes_of(group)),
		    code != KAFKA_NONE);
	group_table_put(g);
}

void
on_join_group(struct request *r)
{
	const struct join_group_request *in = r->message;
	struct group_table *g = r->server->groups;
	char host[ADDR_TEXT_MAX];
	struct group_join j = {.member_id = in->member_id,
	    .instance_id = in->group_instance_id,
	    .client_id = r->header.client_id,
	    .protocol_type = in->protocol_type,
	    .protocols = protocols_of(r),
	    .protocol_count = (size_t)in->protocols_count,
	    .session_ms = in->session_timeout_ms,
	    .rebalance_ms = in->rebalance_timeout_ms,
	    .id_required = r->header.version >= 4,
	    .skip_assignment = r->header.version >= 9,
	    .waiter = r};
	char group[GROUPS_NAME_MAX + 1];
	int code = KAFKA_INVALID_GROUP_ID;

	client_host(r->client, host);
	j.client_host = bytes_of(host);
	if (group_table_name(in->group_id, group) && j.protocols != NULL)
		code = judge_join(r, group, &j);
	if (code == KAFKA_NONE) {
		join_claiming(r, group, &j);
		return;
	}
	(void)group_table_get(g);
	refuse_join(g, r, code);
	group_table_put(g);
}

/* --- syncing, staying, leaving -------------------------------------------- */

void
answers_synced(void *arg, void *waiter, const struct group_synced *s)
{
	struct request *r = waiter;
	struct sync_group_response *out = r->response;

	out->error_code = (int16_t)s->error;
	out->protocol_type = request_keep(r, s->protocol_type);
	out->protocol_name = request_keep(r, s->protocol);
	out->assignment = request_keep(r, s->assignment);
	group_table_answer(arg, r);
}

void
on_sync_group(struct request *r)
{
	const struct sync_group_request *in = r->message;
	struct group_table *g = r->server->groups;
	struct group_assignment *a =
	    request_alloc(r, (size_t)in->assignments_count, sizeof(*a));

	if (a == NULL) {
		request_fail(r, ENOMEM, "no memory");
		return;
	}
	for (int32_t i = 0; i < in->assignments_count; i++)
		a[i] = (struct group_assignment){in->assignments[i].member_id,
		    in->assignments[i].assignment};
	coordinator_sync(group_table_get(g), in->group_id,
	    &(struct group_sync){.member_id = in->member_id,
		.instance_id = in->group_instance_id,
		.generation = in->generation_id,
		.protocol_type = in->protocol_type,
		.protocol = in->protocol_name,
		.assignments = a,
		.assignment_count = (size_t)in->assignments_count,
		.waiter = r},
	    now_mono_ms());
	group_table_put(g);
}

void
on_heartbeat(struct request *r)
{
	const struct heartbeat_request *in = r->message;
	struct heartbeat_response *out = r->response;
	struct group_table *g = r->server->groups;

	out->error_code = (int16_t)coordinator_heartbeat(group_table_get(g),
	    in->group_id, in->member_id, in->group_instance_id,
	    in->generation_id, now_mono_ms());
	group_table_put(g);
	request_answer(r);
}

/* Before version 3 there is one, and its error is the request's. */
static void
tell_left(struct request *r, int error,
    const struct coordinator_leaving *leaving, size_t count)
{
	struct leave_group_response *out = r->response;

	if (error == 0 && r->header.version < 3)
		error = leaving[0].error;
	out->error_code = (int16_t)error;
	out->members = request_alloc(r, count, sizeof(*out->members));
	if (out->members == NULL || error != 0)
		return;
	out->members_count = (int32_t)count;
	for (size_t i = 0; i < count; i++) {
		out->members[i].member_id = leaving[i].member_id;
		out->members[i].group_instance_id = leaving[i].instance_id;
		out->members[i].error_code = (int16_t)leaving[i].error;
	}
}

void
on_leave_group(struct request *r)
{
	const struct leave_group_request *in = r->message;
	struct group_table *g = r->server->groups;
	bool one = r->header.version < 3;
	size_t count = one ? 1 : (size_t)in->members_count;
	struct coordinator_leaving *l = request_alloc(r, count, sizeof(*l));
	int error;

	if (l == NULL) {
		request_fail(r, ENOMEM, "no memory");
		return;
	}
	for (size_t i = 0; i < count; i++)
		l[i] =
		    (struct coordinator_leaving){one ? in->member_id
						     : in->members[i].member_id,
			one ? BYTES_NULL : in->members[i].group_instance_id, 0};
	error = coordinator_leave(group_table_get(g), in->group_id, l, count,
	    now_mono_ms());
	group_table_put(g);
	tell_left(r, error, l, count);
	request_answer(r);
}

/* --- groups that are only positions --------------------------------------- */

/*
 * The groups that have positions are gone through once for all that are asked
 * for: there may be many of both.
 */
struct wanted {
	struct bytes name;
	struct describe_groups_response_groups *out;
	bool found;
};

struct search {
	struct request *request;
	struct wanted *wanted;	/* by name */
	size_t count;
};

static int
compare_wanted(const void *a, const void *b)
{
	struct bytes x = ((const struct wanted *)a)->name,
		     y = ((const struct wanted *)b)->name;

	if (x.len != y.len)
		return x.len < y.len ? -1 : 1;
	return x.len <= 0 ? 0 : memcmp(x.data, y.data, (size_t)x.len);
}

/* One that is asked for twice is there twice. */
static void
mark_wanted(struct search *s, const char *name)
{
	struct wanted key = {.name = bytes_of(name)};
	struct wanted *w, *end = s->wanted + s->count;

	w = bsearch(&key, s->wanted, s->count, sizeof(*w), compare_wanted);
	if (w == NULL || w->found)
		return;
	while (w > s->wanted && compare_wanted(&w[-1], &key) == 0)
		w--;
	for (; w < end && compare_wanted(w, &key) == 0; w++)
		w->found = true;
}

static int
search_topic(struct served *t, void *arg)
{
	struct search *s = arg;
	struct group_table *g = s->request->server->groups;
	const struct groups_entry *e, *last = NULL;
	struct groups *positions;

	if (request_is_vain(s->request))
		return ECANCELED;
	if (group_table_enter(g, t, &positions) != 0)
		return 0;
	for (size_t i = 0; (e = groups_at(positions, i)) != NULL; last = e, i++)
		if (last == NULL || strcmp(last->group, e->group) != 0)
			mark_wanted(s, e->group);
	group_table_leave(g, t);
	return 0;
}

/* --- describing ----------------------------------------------------------- */

typedef struct describe_groups_response_groups described;

static bool
describe_members(struct request *r, const struct group_summary *s,
    described *out)
{
	out->members = request_alloc(r, s->member_count, sizeof(*out->members));
	if (out->members == NULL)
		return false;
	out->members_count = (int32_t)s->member_count;
	for (size_t i = 0; i < s->member_count; i++) {
		const struct group_member *m = &s->members[i];

		out->members[i].member_id = request_keep(r, m->id);
		out->members[i].group_instance_id =
		    request_keep(r, m->instance_id);
		out->members[i].client_id = request_keep(r, m->client_id);
		out->members[i].client_host = request_keep(r, m->client_host);
		out->members[i].member_metadata = request_keep(r, m->metadata);
		out->members[i].member_assignment =
		    request_keep(r, m->assignment);
	}
	return true;
}

/* false: it has no members, and may have positions. */
static bool
describe(struct request *r, struct bytes id, described *out)
{
	struct group_table *g = r->server->groups;
	struct group_summary s;

	*out = (described){.group_id = id,
	    .error_message = BYTES_NULL,
	    .authorized_operations = INT32_MIN};
	coordinator_describe(group_table_get(g), id, &s);
	out->group_state = bytes_of(group_state_text(s.state));
	out->protocol_type = request_keep(r, s.protocol_type);
	out->protocol_data = request_keep(r, s.protocol);
	if (!describe_members(r, &s, out))
		out->error_code = KAFKA_UNKNOWN_SERVER_ERROR;
	group_table_put(g);
	return s.state != GROUP_DEAD;
}

static void
describe_without(struct request *r, const struct wanted *w)
{
	if (w->found) {
		w->out->group_state = bytes_of(group_state_text(GROUP_EMPTY));
		w->out->protocol_type = bytes_of("consumer");
	} else if (r->header.version >= 6) {
		w->out->error_code = KAFKA_GROUP_ID_NOT_FOUND;
		w->out->error_message = bytes_of("no such group");
	}
}

static void
describe_all(struct request *r, struct search *s)
{
	const struct describe_groups_request *in = r->message;
	struct describe_groups_response *out = r->response;
	struct wanted *w = s->wanted;

	for (int32_t i = 0; i < in->groups_count; i++) {
		if (describe(r, in->groups[i], &out->groups[i]))
			continue;
		*w++ = (struct wanted){in->groups[i], &out->groups[i], false};
	}
	s->count = (size_t)(w - s->wanted);
	if (s->count > 0) {
		qsort(s->wanted, s->count, sizeof(*w), compare_wanted);
		(void)catalog_each(r->server->catalog, search_topic, s);
	}
	for (size_t i = 0; i < s->count; i++)
		describe_without(r, &s->wanted[i]);
}

void
on_describe_groups(struct request *r)
{
	const struct describe_groups_request *in = r->message;
	struct describe_groups_response *out = r->response;
	struct search s = {.request = r};

	out->groups =
	    request_alloc(r, (size_t)in->groups_count, sizeof(*out->groups));
	s.wanted =
	    request_alloc(r, (size_t)in->groups_count, sizeof(*s.wanted));
	if (out->groups == NULL || s.wanted == NULL) {
		request_fail(r, ENOMEM, "no memory");
		return;
	}
	out->groups_count = in->groups_count;
	describe_all(r, &s);
	request_answer(r);
}

/* --- listing -------------------------------------------------------------- */

struct list {
	struct request *request;
	struct coordinator_filter filter;
	int32_t cap;
	bool failed;
	/* Those that have positions: one name behind the other. */
	char **names;		/* owned, and each of them */
	size_t names_count;
	size_t names_cap;
};

static void
list_one(struct list *l, struct bytes id, struct bytes type,
    enum group_state state)
{
	struct list_groups_response *out = l->request->response;
	struct list_groups_response_groups *more;

	more = request_grow(l->request, out->groups, out->groups_count, &l->cap,
	    sizeof(*more));
	if (more == NULL) {
		l->failed = true;
		return;
	}
	out->groups = more;
	out->groups[out->groups_count++] =
	    (struct list_groups_response_groups){.group_id =
						     request_keep(l->request,
							 id),
	    .protocol_type = request_keep(l->request, type),
	    .group_state = bytes_of(group_state_text(state)),
	    .group_type = bytes_of("classic")};
}

static void
list_each(void *arg, struct bytes group, struct bytes type,
    enum group_state state)
{
	list_one(arg, group, type, state);
}

static int
add_name(struct list *l, const char *group)
{
	size_t cap = l->names_cap == 0 ? 64 : l->names_cap * 2;
	char **names;

	if (l->names_count == l->names_cap) {
		names = reallocarray(l->names, cap, sizeof(*names));
		if (names == NULL)
			return ENOMEM;
		l->names = names;
		l->names_cap = cap;
	}
	l->names[l->names_count] = strdup(group);
	return l->names[l->names_count++] == NULL ? ENOMEM : 0;
}

static int
add_names(struct served *t, void *arg)
{
	struct list *l = arg;
	struct group_table *g = l->request->server->groups;
	const struct groups_entry *e, *last = NULL;
	struct groups *positions;
	int rc = 0;

	if (request_is_vain(l->request))
		return ECANCELED;
	if (group_table_enter(g, t, &positions) != 0)
		return 0;
	for (size_t i = 0; rc == 0 && (e = groups_at(positions, i)) != NULL;
	     last = e, i++)
		if (last == NULL || strcmp(last->group, e->group) != 0)
			rc = add_name(l, e->group);
	group_table_leave(g, t);
	return rc;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* With members it was asked for its state already. */
static void
list_positions(struct list *l, struct coordinator *c)
{
	struct group_summary s;

	for (size_t i = 0; i < l->names_count && !l->failed; i++) {
		if (i > 0 && strcmp(l->names[i - 1], l->names[i]) == 0)
			continue;
		coordinator_describe(c, bytes_of(l->names[i]), &s);
		if (s.state == GROUP_DEAD)
			list_one(l, bytes_of(l->names[i]), bytes_of("consumer"),
			    GROUP_EMPTY);
	}
}

static void
release_names(struct list *l)
{
	for (size_t i = 0; i < l->names_count; i++)
		free(l->names[i]);
	free(l->names);
}

void
on_list_groups(struct request *r)
{
	const struct list_groups_request *in = r->message;
	struct list_groups_response *out = r->response;
	struct coordinator *c;
	struct list l = {.request = r,
	    .filter = {in->states_filter, (size_t)in->states_filter_count,
		in->types_filter, (size_t)in->types_filter_count}};

	/* Nobody waits for the groups' lock meanwhile. */
	if (coordinator_matches(&l.filter, GROUP_EMPTY) &&
	    catalog_each(r->server->catalog, add_names, &l) != 0)
		l.failed = true;
	if (l.names_count > 1 && !l.failed)
		qsort(l.names, l.names_count, sizeof(*l.names), compare_names);
	c = group_table_get(r->server->groups);
	coordinator_list(c, &l.filter, list_each, &l);
	list_positions(&l, c);
	group_table_put(r->server->groups);
	release_names(&l);
	if (l.failed)
		out->error_code = KAFKA_UNKNOWN_SERVER_ERROR;
	request_answer(r);
}
