/*
 * DeleteGroups: groups that have no members, and how far they had come.  There
 * may be many of them and many topics: each topic is looked at once, and what
 * goes of it is written together.
 */

#include "dispatch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "catalog.h"
#include "config.h"
#include "groups.h"
#include "kafka/error.h"
#include "request.h"
#include "server.h"

/* Of members so many are asked for before others have their turn. */
enum { TOGETHER = 256 };

typedef struct delete_groups_response_results result;

struct doomed {
	struct bytes name;	/* in the request */
	result *out;
	const char *text;	/* the name, once it is found; or NULL */
	int failed;		/* an error_code: its positions stay */
};

/* What goes of the topic that is looked at. */
struct removal {
	struct request *request;
	struct doomed *doomed;	/* by name, some twice */
	size_t count;
	struct positions_commit *commits;	/* owned, of doomed[i] in .. */
	struct doomed **whose;			/* .. whose[i] */
	size_t commit_count;
	size_t commit_cap;
	struct groups_entry *entries;	/* owned */
	size_t entry_count;
	size_t entry_cap;
};

static int
compare_doomed(const void *a, const void *b)
{
	struct bytes x = ((const struct doomed *)a)->name,
		     y = ((const struct doomed *)b)->name;

	if (x.len != y.len)
		return x.len < y.len ? -1 : 1;
	return memcmp(x.data, y.data, (size_t)x.len);
}

/* The first of that name; NULL: it stays, or cannot go. */
static struct doomed *
find_doomed(const struct removal *d, const char *name)
{
	struct doomed key = {.name = bytes_of(name)}, *w;

	w = bsearch(&key, d->doomed, d->count, sizeof(*w), compare_doomed);
	if (w == NULL)
		return NULL;
	while (w > d->doomed && compare_doomed(&w[-1], &key) == 0)
		w--;
	return w->failed != 0 ? NULL : w;
}

/* Room for one more behind count, as reallocarray(3). */
static bool
grow(void **items, size_t count, size_t *cap, size_t size)
{
	size_t more = *cap == 0 ? 64 : *cap * 2;
	void *moved;

	if (count < *cap)
		return true;
	moved = reallocarray(*items, more, size);
	if (moved == NULL)
		return false;
	*items = moved;
	*cap = more;
	return true;
}

static bool
add_commit(struct removal *d, struct doomed *w, const char *name)
{
	size_t cap = d->commit_cap;
	void *commits = d->commits, *whose = d->whose;
	bool grown =
	    grow(&whose, d->commit_count, &cap, sizeof(struct doomed *));

	d->whose = whose;
	cap = d->commit_cap;
	grown =
	    grown && grow(&commits, d->commit_count, &cap, sizeof(*d->commits));
	d->commits = commits;
	if (!grown)
		return false;
	d->commit_cap = cap;
	if (w->text == NULL)
		w->text = (const char *)request_copy(d->request, name).data;
	if (w->text == NULL)
		return false;
	d->whose[d->commit_count] = w;
	d->commits[d->commit_count++] =
	    (struct positions_commit){.group = w->text};
	return true;
}

static bool
add_entry(struct removal *d, int32_t partition)
{
	void *entries = d->entries;
	bool grown =
	    grow(&entries, d->entry_count, &d->entry_cap, sizeof(*d->entries));

	d->entries = entries;
	if (!grown)
		return false;
	d->entries[d->entry_count++] =
	    (struct groups_entry){.partition = partition,
	    .offset = -1,
	    .leader_epoch = -1,
	    .metadata = BYTES_NULL};
	d->commits[d->commit_count - 1].count++;
	return true;
}

/* All that the topic has of those groups. */
static int
gather(struct removal *d, struct groups *positions)
{
	const struct groups_entry *e, *last = NULL;
	struct doomed *w = NULL;

	d->commit_count = d->entry_count = 0;
	for (size_t i = 0; (e = groups_at(positions, i)) != NULL;
	     last = e, i++) {
		if (last == NULL || strcmp(last->group, e->group) != 0) {
			w = find_doomed(d, e->group);
			if (w != NULL && !add_commit(d, w, e->group))
				return ENOMEM;
		}
		if (w != NULL && !add_entry(d, e->partition))
			return ENOMEM;
	}
	return 0;
}

static int
code_of_commit(int rc)
{
	if (rc == 0)
		return KAFKA_NONE;
	return rc == EBUSY ? KAFKA_NON_EMPTY_GROUP
			   : KAFKA_COORDINATOR_NOT_AVAILABLE;
}

static int
remove_from(struct served *t, void *arg)
{
	struct removal *d = arg;
	struct group_table *g = d->request->server->groups;
	struct groups *positions;
	size_t at = 0;
	int rc;

	if (request_is_vain(d->request))
		return ECANCELED;
	if (group_table_enter(g, t, &positions) != 0)
		return 0;
	rc = gather(d, positions);
	group_table_leave(g, t);
	if (rc != 0 || d->commit_count == 0)
		return rc;
	for (size_t i = 0; i < d->commit_count; i++) {
		d->commits[i].entries = &d->entries[at];
		at += d->commits[i].count;
	}
	group_table_commit_all(g, t, d->commits, d->commit_count);
	for (size_t i = 0; i < d->commit_count; i++)
		d->whose[i]->failed = code_of_commit(d->commits[i].rc);
	return 0;
}

/* Its members; if it had none it is among the doomed. */
static void
delete_one(struct removal *d, struct coordinator *c, struct bytes id,
    result *out)
{
	char name[GROUPS_NAME_MAX + 1];
	int code = KAFKA_INVALID_GROUP_ID;

	if (group_table_name(id, name))
		code = coordinator_delete(c, id);
	out->error_code = (int16_t)code;
	if (code != KAFKA_NONE && code != KAFKA_GROUP_ID_NOT_FOUND)
		return;
	group_table_forget(d->request->server->groups, id);
	d->doomed[d->count++] = (struct doomed){.name = id, .out = out};
}

/* False: nobody wants to know any more. */
static bool
delete_members(struct removal *d)
{
	const struct delete_groups_request *in = d->request->message;
	struct delete_groups_response *out = d->request->response;
	struct group_table *g = d->request->server->groups;
	struct coordinator *c;

	for (int32_t i = 0; i < in->groups_names_count;) {
		if (request_is_vain(d->request))
			return false;
		c = group_table_get(g);
		group_table_refresh(g);
		for (int32_t end = i + TOGETHER;
		     i < end && i < in->groups_names_count; i++)
			delete_one(d, c, in->groups_names[i], &out->results[i]);
		group_table_put(g);
	}
	return true;
}

/* rc: how it was to look at all topics. */
static void
conclude(struct removal *d, int rc)
{
	struct doomed *w;

	for (size_t i = 0; i < d->count; i++) {
		w = &d->doomed[i];
		if (i > 0 && compare_doomed(&w[-1], w) == 0) {
			w->text = w[-1].text;
			w->failed = w[-1].failed;
		}
		if (rc != 0)
			w->out->error_code = KAFKA_COORDINATOR_NOT_AVAILABLE;
		else if (w->failed != 0 || w->text != NULL)
			w->out->error_code = (int16_t)w->failed;
	}
}

static void
refuse_all(struct delete_groups_response *out, int code)
{
	for (int32_t i = 0; i < out->results_count; i++)
		out->results[i].error_code = (int16_t)code;
}

void
on_delete_groups(struct request *r)
{
	const struct delete_groups_request *in = r->message;
	struct delete_groups_response *out = r->response;
	size_t count = (size_t)in->groups_names_count;
	struct removal d = {.request = r};

	out->results = request_alloc(r, count, sizeof(*out->results));
	d.doomed = request_alloc(r, count, sizeof(*d.doomed));
	if (out->results == NULL || d.doomed == NULL) {
		request_fail(r, ENOMEM, "no memory");
		return;
	}
	out->results_count = in->groups_names_count;
	for (size_t i = 0; i < count; i++)
		out->results[i].group_id = in->groups_names[i];
	if (r->server->config->read_only) {
		refuse_all(out, KAFKA_GROUP_AUTHORIZATION_FAILED);
	} else if (delete_members(&d)) {
		qsort(d.doomed, d.count, sizeof(*d.doomed), compare_doomed);
		conclude(&d, catalog_each(r->server->catalog, remove_from, &d));
	}
	free(d.commits);
	free(d.whose);
	free(d.entries);
	request_answer(r);
}
