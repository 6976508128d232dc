/*
 * Sessions by id, and by when they were last used.  Partitions of a session by
 * what they are, and in the order in which they are to be served.
 *
 * A fetch under way knows its session by a serial number that is never used
 * again and by its epoch; the handle of a partition is good while both are
 * those of the session, since partitions come and go with a new epoch alone.
 */

#include "broker/fetch_sessions.h"

#include <sys/queue.h>
#include <sys/random.h>
#include <sys/tree.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/error.h"

/* A partition that a session remembers. */
struct cached {
	RB_ENTRY(cached) by_key;
	TAILQ_ENTRY(cached) order;
	struct fetch_partition asked;
	int64_t high_watermark;		/* told last; -1: tell it */
	int64_t told_log_start;		/* so */
	char name[];			/* the topic's, unless by id */
};

RB_HEAD(keys, cached);
TAILQ_HEAD(cacheds, cached);

struct session {
	RB_ENTRY(session) by_id;
	TAILQ_ENTRY(session) use;
	int32_t id;
	int32_t epoch;		/* expected next */
	bool by_topic_id;
	uint64_t serial;
	uint64_t owner;
	int64_t used_ms;
	struct keys keys;
	struct cacheds order;
	size_t count;
};

RB_HEAD(sessions, session);
TAILQ_HEAD(uses, session);

struct fetch_sessions {
	struct fetch_sessions_settings settings;
	struct sessions sessions;
	struct uses uses;	/* the longest unused one first */
	size_t count;
	size_t partitions;
	uint64_t serial;
	int32_t (*random)(void *arg);
	void *random_arg;
};

const struct fetch_sessions_settings fetch_sessions_defaults = {
    .sessions_max = 1000,
    .partitions_max = 100000,
    .owner_max = 4,
    .idle_ms = 120000,
};

static int
compare_names(struct bytes a, struct bytes b)
{
	int32_t len = a.len < b.len ? a.len : b.len;
	int order = len > 0 ? memcmp(a.data, b.data, (size_t)len) : 0;

	return order != 0 ? order : a.len - b.len;
}

static int
compare_keys(const struct cached *a, const struct cached *b)
{
	const struct fetch_key *k = &a->asked.key, *l = &b->asked.key;
	int order;

	if (k->partition != l->partition)
		return k->partition < l->partition ? -1 : 1;
	if ((order = memcmp(k->id, l->id, sizeof(k->id))) != 0)
		return order;
	return compare_names(k->topic, l->topic);
}

static int
compare_sessions(const struct session *a, const struct session *b)
{
	return a->id < b->id ? -1 : a->id > b->id;
}

RB_GENERATE_INTERNAL(keys, cached, by_key, compare_keys,
    __attribute__((unused)) static)
RB_GENERATE_INTERNAL(sessions, session, by_id, compare_sessions,
    __attribute__((unused)) static)

static int32_t
random_id(void *arg)
{
	int32_t id = 0;

	(void)arg;
	return getrandom(&id, sizeof(id), 0) == sizeof(id) ? id & INT32_MAX : 0;
}

struct fetch_sessions *
fetch_sessions_new(const struct fetch_sessions_settings *settings)
{
	struct fetch_sessions *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->settings = *settings;
	f->random = random_id;
	RB_INIT(&f->sessions);
	TAILQ_INIT(&f->uses);
	return f;
}

void
fetch_sessions_set_random(struct fetch_sessions *f,
    int32_t (*random)(void *arg), void *arg)
{
	f->random = random != NULL ? random : random_id;
	f->random_arg = arg;
}

static void
remove_cached(struct fetch_sessions *f, struct session *s, struct cached *p)
{
	RB_REMOVE(keys, &s->keys, p);
	TAILQ_REMOVE(&s->order, p, order);
	s->count--;
	f->partitions--;
	free(p);
}

static void
remove_session(struct fetch_sessions *f, struct session *s)
{
	struct cached *p;

	while ((p = TAILQ_FIRST(&s->order)) != NULL)
		remove_cached(f, s, p);
	RB_REMOVE(sessions, &f->sessions, s);
	TAILQ_REMOVE(&f->uses, s, use);
	f->count--;
	free(s);
}

void
fetch_sessions_free(struct fetch_sessions *f)
{
	struct session *s;

	if (f == NULL)
		return;
	while ((s = TAILQ_FIRST(&f->uses)) != NULL)
		remove_session(f, s);
	assert(f->count == 0 && f->partitions == 0);
	free(f);
}

static struct session *
find(struct fetch_sessions *f, int32_t id)
{
	struct session key = {.id = id};

	return id > 0 ? RB_FIND(sessions, &f->sessions, &key) : NULL;
}

/* The longest unused session, but for one (may be NULL), if it is idle. */
static bool
evict(struct fetch_sessions *f, const struct session *but, int64_t now)
{
	struct session *s = TAILQ_FIRST(&f->uses);

	if (s != NULL && s == but)
		s = TAILQ_NEXT(s, use);
	if (s == NULL || now - s->used_ms < f->settings.idle_ms)
		return false;
	remove_session(f, s);
	return true;
}

/* --- partitions of a session ---------------------------------------------- */

static struct cached *
find_cached(struct session *s, const struct fetch_key *key)
{
	struct cached k = {.asked.key = *key};

	return RB_FIND(keys, &s->keys, &k);
}

static struct cached *
new_cached(const struct fetch_partition *asked)
{
	struct bytes topic = asked->key.topic;
	size_t len = topic.len > 0 ? (size_t)topic.len : 0;
	struct cached *p = malloc(sizeof(*p) + len);

	if (p == NULL)
		return NULL;
	p->asked = *asked;
	p->high_watermark = p->told_log_start = -1;
	if (len > 0)
		memcpy(p->name, topic.data, len);
	p->asked.key.topic.data = (const uint8_t *)p->name;
	return p;
}

/* Remember what is asked of a partition.  False: there is no room. */
static bool
put(struct fetch_sessions *f, struct session *s,
    const struct fetch_partition *asked, int64_t now)
{
	struct cached *p = find_cached(s, &asked->key);

	if (p != NULL) {
		struct bytes topic = p->asked.key.topic;

		p->asked = *asked;
		p->asked.key.topic = topic;
		return true;
	}
	if (asked->key.topic.len > FETCH_SESSIONS_NAME_MAX)
		return false;
	while (f->partitions >= f->settings.partitions_max)
		if (!evict(f, s, now))
			return false;
	if ((p = new_cached(asked)) == NULL)
		return false;
	RB_INSERT(keys, &s->keys, p);
	TAILQ_INSERT_TAIL(&s->order, p, order);
	s->count++;
	f->partitions++;
	return true;
}

static bool
put_all(struct fetch_sessions *f, struct session *s,
    const struct fetch_asked *r, int64_t now)
{
	for (size_t i = 0; i < r->count; i++)
		if (!put(f, s, &r->partitions[i], now))
			return false;
	return true;
}

static void
forget(struct fetch_sessions *f, struct session *s, const struct fetch_asked *r)
{
	for (size_t i = 0; i < r->forgotten_count; i++) {
		struct cached *p = find_cached(s, &r->forgotten[i]);

		if (p != NULL)
			remove_cached(f, s, p);
	}
}

/* --- a new session -------------------------------------------------------- */

/* An owner that has as many as it may loses its longest unused one. */
static void
limit_owner(struct fetch_sessions *f, uint64_t owner)
{
	struct session *s, *oldest = NULL;
	size_t count = 0;

	if (owner == 0)
		return;
	TAILQ_FOREACH(s, &f->uses, use) {
		if (s->owner != owner)
			continue;
		if (oldest == NULL)
			oldest = s;
		count++;
	}
	if (oldest != NULL && count >= f->settings.owner_max)
		remove_session(f, oldest);
}

/* An id that no session has; 0: none was found. */
static int32_t
new_id(struct fetch_sessions *f)
{
	for (int i = 0; i < 100; i++) {
		int32_t id = f->random(f->random_arg);

		if (id > 0 && find(f, id) == NULL)
			return id;
	}
	return 0;
}

static struct session *
add_session(struct fetch_sessions *f, const struct fetch_asked *r, int64_t now)
{
	struct session *s;
	int32_t id;

	limit_owner(f, r->owner);
	if (f->count >= f->settings.sessions_max && !evict(f, NULL, now))
		return NULL;
	if (f->count >= f->settings.sessions_max || (id = new_id(f)) == 0 ||
	    (s = calloc(1, sizeof(*s))) == NULL)
		return NULL;
	s->id = id;
	s->epoch = 1;
	s->by_topic_id = r->by_id;
	s->serial = ++f->serial;
	s->owner = r->owner;
	s->used_ms = now;
	RB_INIT(&s->keys);
	TAILQ_INIT(&s->order);
	RB_INSERT(sessions, &f->sessions, s);
	TAILQ_INSERT_TAIL(&f->uses, s, use);
	f->count++;
	return s;
}

/* A session with all that is asked; NULL: there is no room for it. */
static struct session *
make_session(struct fetch_sessions *f, const struct fetch_asked *r, int64_t now)
{
	struct session *s;

	if (r->count > f->settings.partitions_max)
		return NULL;
	s = add_session(f, r, now);
	if (s != NULL && !put_all(f, s, r, now)) {
		remove_session(f, s);
		s = NULL;
	}
	return s;
}

/* --- a fetch -------------------------------------------------------------- */

int32_t
fetch_sessions_next_epoch(int32_t epoch)
{
	return epoch == INT32_MAX ? 1 : epoch + 1;
}

/* Take an incremental fetch in. */
static int
resume(struct fetch_sessions *f, const struct fetch_asked *r, int64_t now,
    struct session **out)
{
	struct session *s = find(f, r->session_id);

	if (s == NULL)
		return KAFKA_FETCH_SESSION_ID_NOT_FOUND;
	if (s->epoch != r->epoch)
		return KAFKA_INVALID_FETCH_SESSION_EPOCH;
	if (s->by_topic_id != r->by_id)
		return KAFKA_FETCH_SESSION_TOPIC_ID_ERROR;
	forget(f, s, r);
	if (!put_all(f, s, r, now)) {
		remove_session(f, s);
		return KAFKA_FETCH_SESSION_ID_NOT_FOUND;
	}
	s->epoch = fetch_sessions_next_epoch(s->epoch);
	s->used_ms = now;
	TAILQ_REMOVE(&f->uses, s, use);
	TAILQ_INSERT_TAIL(&f->uses, s, use);
	*out = s;
	return 0;
}

int
fetch_sessions_begin(struct fetch_sessions *f, const struct fetch_asked *r,
    int64_t now, struct fetch_context *out,
    void (*each)(void *arg, const struct fetch_partition *p, void *handle),
    void *arg)
{
	bool full = r->epoch == 0 || r->epoch == FETCH_SESSIONS_FINAL;
	struct session *s = find(f, r->session_id);
	struct cached *p;
	int error = 0;

	*out = (struct fetch_context){.incremental = !full};
	if (!full) {
		error = resume(f, r, now, &s);
	} else {
		if (s != NULL)
			remove_session(f, s);
		s = r->epoch == 0 ? make_session(f, r, now) : NULL;
	}
	if (error != 0)
		return error;
	if (s == NULL) {
		for (size_t i = 0; i < r->count; i++)
			each(arg, &r->partitions[i], NULL);
		return 0;
	}
	out->session_id = s->id;
	out->serial = s->serial;
	out->epoch = s->epoch;
	TAILQ_FOREACH(p, &s->order, order)
		each(arg, &p->asked, p);
	if (s->count == 0 && !full) {
		out->session_id = 0;
		remove_session(f, s);
	}
	return 0;
}

bool
fetch_sessions_tell(struct fetch_sessions *f, const struct fetch_context *c,
    void *handle, const struct fetch_result *r)
{
	struct session *s = find(f, c->session_id);
	struct cached *p = handle;
	bool says =
	    !c->incremental || r->has_records || r->diverging || r->error != 0;

	if (s == NULL || s->serial != c->serial || s->epoch != c->epoch)
		return true;
	says |= p->high_watermark != r->high_watermark ||
	    p->told_log_start != r->log_start;
	p->high_watermark =
	    r->error != 0 || r->diverging ? -1 : r->high_watermark;
	p->told_log_start = r->log_start;
	if (r->has_records) {
		TAILQ_REMOVE(&s->order, p, order);
		TAILQ_INSERT_TAIL(&s->order, p, order);
	}
	return says;
}

size_t
fetch_sessions_count(const struct fetch_sessions *f)
{
	return f->count;
}

size_t
fetch_sessions_partitions(const struct fetch_sessions *f)
{
	return f->partitions;
}

size_t
fetch_sessions_size(struct fetch_sessions *f, int32_t id)
{
	const struct session *s = find(f, id);

	return s == NULL ? 0 : s->count;
}
