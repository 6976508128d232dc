/* A member's strings and protocols stand in one block of memory. */

#include "broker/roster.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/error.h"

void
roster_init(struct roster *r, struct group_common *common)
{
	*r = (struct roster){.common = common};
}

static size_t
length(struct bytes b)
{
	return b.len > 0 ? (size_t)b.len : 0;
}

/* Is there room for so many bytes in the place of others? */
static int
check_room(const struct roster *r, size_t old, size_t bytes)
{
	if (bytes > r->common->group_bytes_max ||
	    r->bytes - old > r->common->group_bytes_max - bytes)
		return KAFKA_GROUP_MAX_SIZE_REACHED;
	if (bytes > r->common->bytes_max ||
	    r->common->bytes - old > r->common->bytes_max - bytes)
		return KAFKA_COORDINATOR_NOT_AVAILABLE;
	return 0;
}

static void
count_bytes(struct roster *r, size_t old, size_t bytes)
{
	r->bytes += bytes - old;
	r->common->bytes += bytes - old;
}

static struct bytes
put(uint8_t **end, struct bytes b)
{
	struct bytes copy = {*end, b.len};

	if (b.len > 0)
		memcpy(*end, b.data, (size_t)b.len);
	*end += length(b);
	return copy;
}

static size_t
block_size(const struct group_join *join, struct bytes id)
{
	size_t size = join->protocol_count * sizeof(*join->protocols) +
	    length(id) + length(join->instance_id) + length(join->client_id) +
	    length(join->client_host);

	for (size_t i = 0; i < join->protocol_count; i++)
		size += length(join->protocols[i].name) +
		    length(join->protocols[i].metadata);
	return size;
}

/* Copy all that a join says; size is at least block_size(). */
static void
fill(struct roster_member *m, const struct group_join *join, struct bytes id,
    void *block, size_t size)
{
	uint8_t *end = block;

	m->protocols = block;
	m->protocol_count = join->protocol_count;
	end += join->protocol_count * sizeof(*join->protocols);
	for (size_t i = 0; i < join->protocol_count; i++) {
		m->protocols[i].name = put(&end, join->protocols[i].name);
		m->protocols[i].metadata =
		    put(&end, join->protocols[i].metadata);
	}
	m->id = put(&end, id);
	m->instance_id = put(&end, join->instance_id);
	m->client_id = put(&end, join->client_id);
	m->client_host = put(&end, join->client_host);
	m->session_ms = join->session_ms;
	m->rebalance_ms =
	    join->rebalance_ms >= 0 ? join->rebalance_ms : join->session_ms;
	if (m->rebalance_ms == 0)
		m->rebalance_ms = 1;
	m->block = block;
	m->bytes = size;
}

int
roster_check(const struct roster *r, const struct roster_member *m,
    const struct group_join *join, struct bytes id)
{
	return check_room(r, m == NULL ? 0 : m->bytes,
	    sizeof(*m) + block_size(join, id));
}

int
roster_update(struct roster *r, struct roster_member *m,
    const struct group_join *join, struct bytes id)
{
	size_t size = block_size(join, id), bytes = sizeof(*m) + size;
	void *block, *old = m->block;
	int error = roster_check(r, m, join, id);

	if (error != 0)
		return error;
	if ((block = malloc(size + 1)) == NULL)
		return KAFKA_COORDINATOR_NOT_AVAILABLE;
	count_bytes(r, m->bytes, bytes);
	fill(m, join, id, block, bytes);
	free(old);
	return 0;
}

static bool
grow(struct roster *r)
{
	size_t cap = r->cap == 0 ? 4 : 2 * r->cap;
	struct roster_member **members;
	struct group_member *listing;

	if (r->count < r->cap)
		return true;
	members = reallocarray(r->members, cap, sizeof(struct roster_member *));
	if (members == NULL)
		return false;
	r->members = members;
	listing = reallocarray(r->listing, cap, sizeof(*listing));
	if (listing == NULL)
		return false;
	r->listing = listing;
	r->cap = cap;
	return true;
}

int
roster_add(struct roster *r, const struct group_join *join, struct bytes id,
    struct roster_member **out)
{
	struct roster_member *m;
	int error;

	if (!grow(r) || (m = calloc(1, sizeof(*m))) == NULL)
		return KAFKA_COORDINATOR_NOT_AVAILABLE;
	m->assignment = BYTES_NULL;
	if ((error = roster_update(r, m, join, id)) != 0) {
		free(m);
		return error;
	}
	r->members[r->count++] = m;
	*out = m;
	return 0;
}

static void
forget_assignment(struct roster *r, struct roster_member *m)
{
	count_bytes(r, length(m->assignment), 0);
	free((void *)m->assignment.data);
	m->assignment = BYTES_NULL;
}

static void
free_member(struct roster *r, struct roster_member *m)
{
	forget_assignment(r, m);
	count_bytes(r, m->bytes, 0);
	free(m->block);
	free(m);
}

void
roster_remove(struct roster *r, struct roster_member *m)
{
	size_t i = 0;

	while (r->members[i] != m)
		i++;
	r->count--;
	memmove(&r->members[i], &r->members[i + 1],
	    (r->count - i) * sizeof(struct roster_member *));
	free_member(r, m);
}

void
roster_release(struct roster *r)
{
	for (size_t i = 0; i < r->count; i++)
		free_member(r, r->members[i]);
	while (r->pending_count > 0)
		roster_remove_pending(r, r->pending[0].id);
	free(r->members);
	free(r->listing);
	free(r->pending);
	assert(r->bytes == 0);
}

/* Ids that begin alike are many; they end in random digits. */
static bool
is_id(struct bytes a, struct bytes b)
{
	enum { END = 8 };

	return a.len == b.len &&
	    (a.len < END ||
		memcmp(a.data + a.len - END, b.data + b.len - END, END) == 0) &&
	    bytes_equal(a, b);
}

struct roster_member *
roster_find(const struct roster *r, struct bytes id)
{
	for (size_t i = 0; i < r->count; i++)
		if (is_id(r->members[i]->id, id))
			return r->members[i];
	return NULL;
}

struct roster_member *
roster_find_instance(const struct roster *r, struct bytes instance_id)
{
	if (bytes_is_null(instance_id))
		return NULL;
	for (size_t i = 0; i < r->count; i++)
		if (bytes_equal(r->members[i]->instance_id, instance_id))
			return r->members[i];
	return NULL;
}

int
roster_assign(struct roster *r, struct roster_member *m,
    struct bytes assignment)
{
	size_t old = length(m->assignment), bytes = length(assignment);
	int error = check_room(r, old, bytes);
	uint8_t *copy;

	if (error != 0)
		return error;
	if ((copy = malloc(bytes + 1)) == NULL)
		return KAFKA_COORDINATOR_NOT_AVAILABLE;
	if (bytes > 0)
		memcpy(copy, assignment.data, bytes);
	forget_assignment(r, m);
	count_bytes(r, 0, bytes);
	m->assignment = (struct bytes){copy, (int32_t)bytes};
	return 0;
}

void
roster_clear_assignments(struct roster *r)
{
	for (size_t i = 0; i < r->count; i++)
		forget_assignment(r, r->members[i]);
}

/* --- pending members ------------------------------------------------------ */

int
roster_add_pending(struct roster *r, struct bytes id, int64_t deadline_ms)
{
	size_t bytes = sizeof(struct roster_pending) + length(id);
	int error = check_room(r, 0, bytes);
	struct roster_pending *pending;
	uint8_t *copy;

	if (error != 0)
		return error;
	pending =
	    reallocarray(r->pending, r->pending_count + 1, sizeof(*r->pending));
	if (pending == NULL)
		return KAFKA_COORDINATOR_NOT_AVAILABLE;
	r->pending = pending;
	if ((copy = malloc(length(id) + 1)) == NULL)
		return KAFKA_COORDINATOR_NOT_AVAILABLE;
	pending[r->pending_count++] =
	    (struct roster_pending){put(&copy, id), deadline_ms};
	count_bytes(r, 0, bytes);
	return 0;
}

static void
drop_pending(struct roster *r, size_t i)
{
	struct bytes id = r->pending[i].id;

	count_bytes(r, sizeof(struct roster_pending) + length(id), 0);
	free((void *)id.data);
	r->pending[i] = r->pending[--r->pending_count];
}

static size_t
find_pending(const struct roster *r, struct bytes id)
{
	size_t i = 0;

	while (i < r->pending_count && !bytes_equal(r->pending[i].id, id))
		i++;
	return i;
}

bool
roster_has_pending(const struct roster *r, struct bytes id)
{
	return find_pending(r, id) < r->pending_count;
}

bool
roster_remove_pending(struct roster *r, struct bytes id)
{
	size_t i = find_pending(r, id);

	if (i == r->pending_count)
		return false;
	drop_pending(r, i);
	return true;
}

bool
roster_expire_pending(struct roster *r, int64_t now)
{
	size_t before = r->pending_count;

	for (size_t i = r->pending_count; i-- > 0;)
		if (r->pending[i].deadline_ms <= now)
			drop_pending(r, i);
	return r->pending_count < before;
}

/* --- protocols ------------------------------------------------------------ */

static const struct group_protocol *
find_protocol(const struct roster_member *m, struct bytes name)
{
	for (size_t i = 0; i < m->protocol_count; i++)
		if (bytes_equal(m->protocols[i].name, name))
			return &m->protocols[i];
	return NULL;
}

static bool
all_have(const struct roster *r, const struct roster_member *but,
    struct bytes name)
{
	for (size_t i = 0; i < r->count; i++)
		if (r->members[i] != but &&
		    find_protocol(r->members[i], name) == NULL)
			return false;
	return true;
}

bool
roster_is_same(const struct roster_member *m, const struct group_join *join)
{
	if (m->protocol_count != join->protocol_count)
		return false;
	for (size_t i = 0; i < m->protocol_count; i++) {
		const struct group_protocol *a = &m->protocols[i];
		const struct group_protocol *b = &join->protocols[i];

		if (!bytes_equal(a->name, b->name) ||
		    !bytes_equal(a->metadata, b->metadata))
			return false;
	}
	return true;
}

bool
roster_accepts(const struct roster *r, const struct roster_member *but,
    const struct group_join *join)
{
	for (size_t i = 0; i < join->protocol_count; i++)
		if (all_have(r, but, join->protocols[i].name))
			return true;
	return false;
}

/* Which of the first member's protocols, if all have it, m prefers. */
static size_t
vote(const struct roster_member *first, const bool *common,
    const struct roster_member *m)
{
	const struct group_protocol *p = NULL;

	for (size_t i = 0; p == NULL; i++) {
		assert(i < m->protocol_count);
		p = find_protocol(first, m->protocols[i].name);
		if (p != NULL && !common[p - first->protocols])
			p = NULL;
	}
	return (size_t)(p - first->protocols);
}

struct bytes
roster_choose(const struct roster *r)
{
	size_t votes[GROUP_PROTOCOLS_MAX] = {0}, best = 0;
	bool common[GROUP_PROTOCOLS_MAX];
	const struct roster_member *first = r->members[0];

	for (size_t i = 0; i < first->protocol_count; i++)
		common[i] = all_have(r, first, first->protocols[i].name);
	for (size_t i = 0; i < r->count; i++)
		votes[vote(first, common, r->members[i])]++;
	for (size_t i = 1; i < first->protocol_count; i++)
		if (votes[i] > votes[best])
			best = i;
	return first->protocols[best].name;
}

const struct group_member *
roster_list(struct roster *r, struct bytes protocol)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct roster_member *m = r->members[i];
		const struct group_protocol *p =
		    bytes_is_null(protocol) ? NULL : find_protocol(m, protocol);

		r->listing[i] = (struct group_member){
		    .id = m->id,
		    .instance_id = m->instance_id,
		    .client_id = m->client_id,
		    .client_host = m->client_host,
		    .metadata = p != NULL ? p->metadata : BYTES_NULL,
		    .assignment = m->assignment,
		};
	}
	return r->listing;
}
