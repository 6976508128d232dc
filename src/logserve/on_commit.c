/* OffsetCommit, OffsetFetch, OffsetDelete: how far groups have come. */

#include "dispatch.h"

#include <errno.h>
#include <string.h>

#include "base/now.h"
#include "base/status.h"
#include "catalog.h"
#include "config.h"
#include "groups.h"
#include "kafka/error.h"
#include "request.h"
#include "server.h"

static int
code_of(int rc)
{
	if (rc == 0)
		return KAFKA_NONE;
	if (rc == EBUSY)
		return KAFKA_UNKNOWN_MEMBER_ID;
	if (rc == STATUS_TOO_BIG)
		return KAFKA_INVALID_COMMIT_OFFSET_SIZE;
	if (rc == EACCES || rc == EROFS)
		return KAFKA_GROUP_AUTHORIZATION_FAILED;
	if (rc == STATUS_NO_TOPIC || rc == STATUS_SYNTAX)
		return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
	return KAFKA_COORDINATOR_NOT_AVAILABLE;
}

/* --- committing ----------------------------------------------------------- */

typedef struct offset_commit_request_topics commit_topic;
typedef struct offset_commit_response_topics_partitions commit_out;

static int
judge(const struct offset_commit_request_topics_partitions *p, int32_t count)
{
	if (p->partition_index < 0 || p->partition_index >= count)
		return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
	if (p->committed_metadata.len > CONFIG_METADATA_BYTES)
		return KAFKA_OFFSET_METADATA_TOO_LARGE;
	return KAFKA_NONE;
}

/* All of a topic's that can be committed, as one batch. */
static int
commit_topic_positions(struct request *r, struct served *t, const char *group,
    const commit_topic *in, commit_out *out)
{
	struct groups_entry *entries =
	    request_alloc(r, (size_t)in->partitions_count, sizeof(*entries));
	int32_t count;
	size_t n = 0;

	if (entries == NULL)
		return ENOMEM;
	catalog_look(r->server->catalog, t, &count, NULL);
	for (int32_t i = 0; i < in->partitions_count; i++) {
		const struct offset_commit_request_topics_partitions *p =
		    &in->partitions[i];

		out[i].error_code = (int16_t)judge(p, count);
		if (out[i].error_code != KAFKA_NONE)
			continue;
		entries[n++] =
		    (struct groups_entry){.partition = p->partition_index,
			.offset =
			    p->committed_offset < 0 ? -1 : p->committed_offset,
		    .leader_epoch = p->committed_leader_epoch,
		    .metadata = p->committed_metadata};
	}
	return group_table_commit(r->server->groups, t, group, entries, n);
}

static void
commit_topic_of(struct request *r, const char *group, int code,
    const commit_topic *in, struct offset_commit_response_topics *out)
{
	struct served *t;
	int rc;

	out->name = in->name;
	out->partitions = request_alloc(r, (size_t)in->partitions_count,
	    sizeof(*out->partitions));
	if (out->partitions == NULL)
		return;
	out->partitions_count = in->partitions_count;
	if (code == KAFKA_NONE) {
		rc = catalog_find(r->server->catalog, in->name, &t);
		if (rc == 0) {
			rc = commit_topic_positions(r, t, group, in,
			    out->partitions);
			catalog_release(r->server->catalog, t);
		}
		code = code_of(rc);
	}
	for (int32_t i = 0; i < in->partitions_count; i++) {
		out->partitions[i].partition_index =
		    in->partitions[i].partition_index;
		if (code != KAFKA_NONE &&
		    out->partitions[i].error_code == KAFKA_NONE)
			out->partitions[i].error_code = (int16_t)code;
	}
}

static int
may_commit(struct request *r)
{
	const struct offset_commit_request *in = r->message;
	struct group_table *g = r->server->groups;
	int code;

	if (r->server->config->read_only)
		return KAFKA_GROUP_AUTHORIZATION_FAILED;
	code = coordinator_may_commit(group_table_get(g), in->group_id,
	    in->member_id, in->group_instance_id,
	    in->generation_id_or_member_epoch, now_mono_ms());
	group_table_put(g);
	return code;
}

void
on_offset_commit(struct request *r)
{
	const struct offset_commit_request *in = r->message;
	struct offset_commit_response *out = r->response;
	char group[GROUPS_NAME_MAX + 1];
	int code = group_table_name(in->group_id, group)
	    ? may_commit(r)
	    : KAFKA_INVALID_GROUP_ID;

	out->topics =
	    request_alloc(r, (size_t)in->topics_count, sizeof(*out->topics));
	if (out->topics == NULL) {
		request_fail(r, ENOMEM, "no memory");
		return;
	}
	out->topics_count = in->topics_count;
	for (int32_t i = 0; i < in->topics_count; i++)
		commit_topic_of(r, group, code, &in->topics[i],
		    &out->topics[i]);
	request_answer(r);
}

/* --- fetching ------------------------------------------------------------- */

/*
 * Up to version 7 one group, and its topics at the top; from 8 on several
 * (KIP-709).  What they say of a partition is the same, so the later form is
 * filled in, and moved where it has to be.
 */
typedef struct offset_fetch_response_groups fetch_group;
typedef struct offset_fetch_response_groups_topics fetch_topic;
typedef struct offset_fetch_response_groups_topics_partitions fetch_part;

static void
fill_part(struct request *r, const struct groups_entry *e, int32_t partition,
    fetch_part *out)
{
	*out = (fetch_part){.partition_index = partition,
	    .committed_offset = -1,
	    .committed_leader_epoch = -1,
	    .metadata = bytes_of("")};
	if (e == NULL)
		return;
	out->committed_offset = e->offset;
	out->committed_leader_epoch = e->leader_epoch;
	if (!bytes_is_null(e->metadata))
		out->metadata = request_keep(r, e->metadata);
}

/* The positions of partitions that were named. */
static int
fetch_named(struct request *r, const char *group, struct bytes name,
    const int32_t *partitions, int32_t count, fetch_topic *out)
{
	struct groups *positions = NULL;
	struct served *t = NULL;
	int rc;

	out->name = name;
	out->partitions =
	    request_alloc(r, (size_t)count, sizeof(*out->partitions));
	if (out->partitions == NULL)
		return ENOMEM;
	out->partitions_count = count;
	rc = catalog_find(r->server->catalog, name, &t);
	if (rc == 0)
		rc = group_table_enter(r->server->groups, t, &positions);
	for (int32_t i = 0; i < count; i++)
		fill_part(r,
		    rc == 0 ? groups_find(positions, group, partitions[i])
			    : NULL,
		    partitions[i], &out->partitions[i]);
	if (rc == 0)
		group_table_leave(r->server->groups, t);
	catalog_release(r->server->catalog, t);
	return rc == STATUS_NO_TOPIC || rc == STATUS_SYNTAX ? 0 : rc;
}

struct fetching {
	struct request *request;
	const char *group;
	fetch_group *out;
	int32_t cap;
};

static fetch_topic *
another_topic(struct fetching *f)
{
	fetch_topic *more = request_grow(f->request, f->out->topics,
	    f->out->topics_count, &f->cap, sizeof(*more));

	if (more == NULL)
		return NULL;
	f->out->topics = more;
	return &more[f->out->topics_count++];
}

/* Whatever the group has in one topic. */
static int
fetch_all_of(struct served *t, void *arg)
{
	struct fetching *f = arg;
	struct request *r = f->request;
	const struct groups_entry *e;
	struct groups *positions;
	fetch_topic *out;
	int32_t count = 0;
	size_t first;

	if (request_is_vain(r))
		return ECANCELED;
	if (group_table_enter(r->server->groups, t, &positions) != 0)
		return 0;
	first = groups_first(positions, f->group);
	while ((e = groups_at(positions, first + (size_t)count)) != NULL &&
	    strcmp(e->group, f->group) == 0)
		count++;
	out = count == 0 ? NULL : another_topic(f);
	if (out != NULL) {
		out->name = request_copy(r, t->name);
		out->partitions =
		    request_alloc(r, (size_t)count, sizeof(*out->partitions));
		for (int32_t i = 0; out->partitions != NULL && i < count; i++) {
			e = groups_at(positions, first + (size_t)i);
			fill_part(r, e, e->partition,
			    &out->partitions[out->partitions_count++]);
		}
	}
	group_table_leave(r->server->groups, t);
	return 0;
}

static void
fetch_group_of(struct request *r, const struct offset_fetch_request_groups *in,
    fetch_group *out)
{
	char group[GROUPS_NAME_MAX + 1];
	struct fetching all = {r, group, out, 0};
	int rc = 0;

	*out = (fetch_group){.group_id = in->group_id};
	if (!group_table_name(in->group_id, group)) {
		out->error_code = KAFKA_INVALID_GROUP_ID;
		return;
	}
	if (in->topics_count < 0) {
		rc = catalog_each(r->server->catalog, fetch_all_of, &all);
	} else {
		out->topics = request_alloc(r, (size_t)in->topics_count,
		    sizeof(*out->topics));
		out->topics_count = out->topics == NULL ? 0 : in->topics_count;
	}
	for (int32_t i = 0; rc == 0 && i < in->topics_count; i++)
		rc = fetch_named(r, group, in->topics[i].name,
		    in->topics[i].partition_indexes,
		    in->topics[i].partition_indexes_count, &out->topics[i]);
	out->error_code = (int16_t)code_of(rc);
}

/* The partitions of a topic in the older form. */
static int
copy_topic(struct request *r, const fetch_topic *from, int16_t error,
    struct offset_fetch_response_topics *to)
{
	to->name = from->name;
	to->partitions = request_alloc(r, (size_t)from->partitions_count,
	    sizeof(*to->partitions));
	if (to->partitions == NULL)
		return ENOMEM;
	to->partitions_count = from->partitions_count;
	for (int32_t i = 0; i < from->partitions_count; i++) {
		const fetch_part *p = &from->partitions[i];

		to->partitions[i] =
		    (struct offset_fetch_response_topics_partitions){
			.partition_index = p->partition_index,
			.committed_offset = p->committed_offset,
			.committed_leader_epoch = p->committed_leader_epoch,
			.metadata = p->metadata,
			/* Version 1 has no other place for it. */
			.error_code = r->header.version == 1 ? error : 0};
	}
	return 0;
}

/* The older request as the newer one, and its answer the other way. */
static int
fetch_old(struct request *r)
{
	const struct offset_fetch_request *in = r->message;
	struct offset_fetch_response *out = r->response;
	struct offset_fetch_request_groups group = {.group_id = in->group_id,
	    .topics_count = in->topics_count};
	size_t count = in->topics_count < 0 ? 0 : (size_t)in->topics_count;
	fetch_group got;
	int rc = 0;

	group.topics = request_alloc(r, count, sizeof(*group.topics));
	if (group.topics == NULL)
		return ENOMEM;
	for (size_t i = 0; i < count; i++)
		group.topics[i] =
		    (struct offset_fetch_request_groups_topics){.name =
								    in
									->topics
									    [i]
									.name,
		    .partition_indexes = in->topics[i].partition_indexes,
		    .partition_indexes_count =
			    in->topics[i].partition_indexes_count};
	fetch_group_of(r, &group, &got);
	out->error_code = got.error_code;
	out->topics =
	    request_alloc(r, (size_t)got.topics_count, sizeof(*out->topics));
	if (out->topics == NULL)
		return ENOMEM;
	out->topics_count = got.topics_count;
	for (int32_t i = 0; rc == 0 && i < got.topics_count; i++)
		rc = copy_topic(r, &got.topics[i], got.error_code,
		    &out->topics[i]);
	return rc;
}

void
on_offset_fetch(struct request *r)
{
	const struct offset_fetch_request *in = r->message;
	struct offset_fetch_response *out = r->response;

	if (r->header.version < 8) {
		if (fetch_old(r) != 0)
			request_fail(r, ENOMEM, "no memory");
		else
			request_answer(r);
		return;
	}
	out->groups =
	    request_alloc(r, (size_t)in->groups_count, sizeof(*out->groups));
	if (out->groups == NULL) {
		request_fail(r, ENOMEM, "no memory");
		return;
	}
	out->groups_count = in->groups_count;
	for (int32_t i = 0; i < in->groups_count; i++)
		fetch_group_of(r, &in->groups[i], &out->groups[i]);
	request_answer(r);
}

/* --- deleting ------------------------------------------------------------- */

typedef struct offset_delete_response_topics_partitions delete_out;

struct seeking {
	struct group_table *groups;
	const char *group;
};

static int
has_positions(struct served *t, void *arg)
{
	const struct seeking *s = arg;
	const struct groups_entry *e;
	struct groups *positions;
	bool yes;

	if (group_table_enter(s->groups, t, &positions) != 0)
		return 0;
	e = groups_at(positions, groups_first(positions, s->group));
	yes = e != NULL && strcmp(e->group, s->group) == 0;
	group_table_leave(s->groups, t);
	return yes ? EEXIST : 0;
}

/* It has members, or positions; or it cannot be told. */
static bool
is_there(struct request *r, const char *group)
{
	struct group_table *g = r->server->groups;
	struct seeking s = {g, group};
	struct group_summary summary;

	coordinator_describe(group_table_get(g), bytes_of(group), &summary);
	group_table_put(g);
	return summary.state != GROUP_DEAD ||
	    catalog_each(r->server->catalog, has_positions, &s) != 0;
}

/* Partitions that there are not are told in out. */
static int
forget_positions(struct request *r, struct served *t, const char *group,
    const struct offset_delete_request_topics *in, delete_out *out)
{
	struct groups_entry *entries =
	    request_alloc(r, (size_t)in->partitions_count, sizeof(*entries));
	int32_t count, number;
	size_t n = 0;

	if (entries == NULL)
		return ENOMEM;
	catalog_look(r->server->catalog, t, &count, NULL);
	for (int32_t i = 0; i < in->partitions_count; i++) {
		number = in->partitions[i].partition_index;
		if (number < 0 || number >= count)
			out[i].error_code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
		else
			entries[n++] =
			    (struct groups_entry){.partition = number,
				.offset = -1,
				.leader_epoch = -1,
				.metadata = BYTES_NULL};
	}
	return n == 0
	    ? 0
	    : group_table_commit(r->server->groups, t, group, entries, n);
}

static int
forget(struct request *r, const char *group,
    const struct offset_delete_request_topics *in, delete_out *out)
{
	struct served *t;
	int rc, code;

	code = coordinator_may_forget(group_table_get(r->server->groups),
	    bytes_of(group), in->name);
	group_table_put(r->server->groups);
	if (code != 0)
		return code;
	rc = catalog_find(r->server->catalog, in->name, &t);
	if (rc != 0)
		return code_of(rc);
	rc = forget_positions(r, t, group, in, out);
	catalog_release(r->server->catalog, t);
	return rc == EBUSY ? KAFKA_GROUP_SUBSCRIBED_TO_TOPIC : code_of(rc);
}

static void
forget_topic(struct request *r, const char *group,
    const struct offset_delete_request_topics *in,
    struct offset_delete_response_topics *out)
{
	int code;

	out->name = in->name;
	out->partitions = request_alloc(r, (size_t)in->partitions_count,
	    sizeof(*out->partitions));
	if (out->partitions == NULL)
		return;
	out->partitions_count = in->partitions_count;
	code = r->server->config->read_only
	    ? KAFKA_GROUP_AUTHORIZATION_FAILED
	    : forget(r, group, in, out->partitions);
	for (int32_t i = 0; i < in->partitions_count; i++) {
		out->partitions[i].partition_index =
		    in->partitions[i].partition_index;
		if (code != KAFKA_NONE)
			out->partitions[i].error_code = (int16_t)code;
	}
}

void
on_offset_delete(struct request *r)
{
	const struct offset_delete_request *in = r->message;
	struct offset_delete_response *out = r->response;
	char group[GROUPS_NAME_MAX + 1];

	if (!group_table_name(in->group_id, group)) {
		out->error_code = KAFKA_INVALID_GROUP_ID;
		request_answer(r);
		return;
	}
	if (!r->server->config->read_only && !is_there(r, group)) {
		out->error_code = KAFKA_GROUP_ID_NOT_FOUND;
		request_answer(r);
		return;
	}
	out->topics =
	    request_alloc(r, (size_t)in->topics_count, sizeof(*out->topics));
	if (out->topics == NULL) {
		request_fail(r, ENOMEM, "no memory");
		return;
	}
	out->topics_count = in->topics_count;
	for (int32_t i = 0; i < in->topics_count; i++)
		forget_topic(r, group, &in->topics[i], &out->topics[i]);
	request_answer(r);
}
