/*
 * Fetch sessions: what each session id and epoch does, what an incremental
 * answer has, and that memory is bounded.
 */

#include "broker/fetch_sessions.h"

#include "kafka/error.h"
/* Whoever serves requests has both; no name may be in both. */
#include "kafka/messages.h"
#include "tap.h"

enum {
	SEEN_MAX = 300,
};

static struct fetch_sessions *f;
static struct fetch_context context;
static struct fetch_partition partitions[SEEN_MAX];
static struct fetch_key forgotten[2];
static size_t forgotten_count;
static int64_t now_ms = 1000;
static uint64_t owner;
static bool by_id;
static int32_t next_id;

/* What each() has been told, as "t0@5 " of topic, partition, offset. */
static char seen[SEEN_MAX * 8];
static void *handles[SEEN_MAX];
static size_t seen_count;

static int32_t
count_ids(void *arg)
{
	(void)arg;
	return ++next_id;
}

static void
see(void *arg, const struct fetch_partition *p, void *handle)
{
	size_t len = strlen(seen);

	(void)arg;
	if (seen_count == SEEN_MAX)
		abort();
	handles[seen_count++] = handle;
	snprintf(seen + len, sizeof(seen) - len, "%.*s%d@%d ",
	    p->key.topic.len > 0 ? p->key.topic.len : 1,
	    p->key.topic.len > 0 ? (const char *)p->key.topic.data
				 : (const char *)p->key.id,
	    p->key.partition, (int)p->offset);
}

/* "t0@5 u1@7": into partitions; a topic's letter is its name or its id. */
static size_t
parse(const char *text)
{
	size_t count = 0;

	for (; *text != '\0'; text += strspn(text, " ")) {
		struct fetch_partition *p = &partitions[count++];
		char *end;

		*p = (struct fetch_partition){.log_start = -1,
		    .leader_epoch = -1,
		    .last_epoch = -1,
		    .bytes_max = 1 << 20};
		p->key.topic = BYTES_NULL;
		if (by_id)
			memset(p->key.id, *text, sizeof(p->key.id));
		else
			p->key.topic = (struct bytes){(const uint8_t *)text, 1};
		p->key.partition = (int32_t)strtol(text + 1, &end, 10);
		p->offset = strtol(end + 1, &end, 10);
		text = end;
	}
	return count;
}

/* A fetch; its session in context, its partitions in seen. */
static int
begin_count(int32_t session, int32_t epoch, size_t count)
{
	struct fetch_asked r = {.session_id = session,
	    .epoch = epoch,
	    .by_id = by_id,
	    .owner = owner,
	    .partitions = partitions,
	    .count = count,
	    .forgotten = forgotten,
	    .forgotten_count = forgotten_count};

	seen[0] = '\0';
	seen_count = forgotten_count = 0;
	return fetch_sessions_begin(f, &r, now_ms, &context, see, NULL);
}

static int
begin(int32_t session, int32_t epoch, const char *asked)
{
	return begin_count(session, epoch, parse(asked));
}

static void
forget(const char *text)
{
	size_t count = parse(text);

	for (size_t i = 0; i < count; i++)
		forgotten[i] = partitions[i].key;
	forgotten_count = count;
}

static bool
tell(size_t i, struct fetch_result r)
{
	return fetch_sessions_tell(f, &context, handles[i], &r);
}

/* Of all partitions seen: nothing new. */
static void
tell_all(void)
{
	for (size_t i = 0; i < seen_count; i++)
		tell(i, (struct fetch_result){.high_watermark = 10});
}

static void
open_sessions(const struct fetch_sessions_settings *settings)
{
	next_id = 100;
	owner = 0;
	by_id = false;
	f = fetch_sessions_new(settings);
	fetch_sessions_set_random(f, count_ids, NULL);
}

/* A session with t0 and t1, told to have high watermark 10; its id. */
static int32_t
open_pair(void)
{
	open_sessions(&fetch_sessions_defaults);
	(void)begin(0, 0, "t0@5 t1@6");
	tell_all();
	return context.session_id;
}

/* --- the table ------------------------------------------------------------ */

static void
test_full(void)
{
	int32_t s;

	open_sessions(&fetch_sessions_defaults);
	tap_int(begin(0, -1, "t0@5 t1@6"), 0, "0, -1: without a session");
	tap(context.session_id == 0 && !context.incremental, "in full");
	tap_str(seen, "t0@5 t1@6 ");
	tap_int(fetch_sessions_count(f), 0, "nothing is remembered");
	tap(tell(0, (struct fetch_result){.high_watermark = 10}) &&
		tell(1, (struct fetch_result){.high_watermark = 10}),
	    "each is in the answer");
	tap_int(begin(0, 0, "t0@5 t1@6"), 0, "0, 0: a session is asked for");
	s = context.session_id;
	tap(s > 0 && !context.incremental, "and made; the answer is full");
	tap_str(seen, "t0@5 t1@6 ");
	tap(tell(0,
		(struct fetch_result){.high_watermark = -1, .log_start = -1}),
	    "each is in the answer, whatever it is");
	tell_all();
	tap_int(fetch_sessions_count(f), 1, "a session");
	tap_int(fetch_sessions_partitions(f), 2, "of two partitions");
	tap_int(begin(s, 0, "t2@1"), 0, "S, 0: another session");
	tap(context.session_id > 0 && context.session_id != s, "has a new id");
	tap_int(fetch_sessions_partitions(f), 1, "the old one is closed");
	tap_int(begin(s, 1, ""), KAFKA_FETCH_SESSION_ID_NOT_FOUND,
	    "as it turns out");
	s = s + 1;
	tap_int(begin(s, -1, "t2@1"), 0, "S, -1: the end of it");
	tap(context.session_id == 0 && !context.incremental, "in full");
	tap_str(seen, "t2@1 ");
	tap_int(fetch_sessions_count(f), 0, "it is closed");
	tap_int(begin(77, 0, "t0@0"), 0, "a session that is not there, 0");
	tap(context.session_id > 0, "does as well");
	fetch_sessions_free(f);
}

static void
test_incremental(void)
{
	int32_t s = open_pair();

	tap_int(begin(s, 1, ""), 0, "S, 1: incremental");
	tap(context.session_id == s && context.incremental, "of the session");
	tap_str(seen, "t0@5 t1@6 ");
	tell_all();
	tap_int(begin(s, 2, "t0@7 u0@1"), 0, "S, 2");
	tap_str(seen, "t0@7 t1@6 u0@1 ");
	tell_all();
	forget("t1@0 x9@0");
	tap_int(begin(s, 3, ""), 0, "S, 3: with one forgotten");
	tap_str(seen, "t0@7 u0@1 ");
	tap_int(fetch_sessions_partitions(f), 2, "it is");
	tap_int(begin(s, 3, ""), KAFKA_INVALID_FETCH_SESSION_EPOCH, "S, 3");
	tap(context.session_id == 0 && seen_count == 0, "no partitions");
	tap_int(begin(s, 5, ""), KAFKA_INVALID_FETCH_SESSION_EPOCH, "S, 5");
	tap_int(begin(s, -2, ""), KAFKA_INVALID_FETCH_SESSION_EPOCH, "S, -2");
	tap_int(begin(s, 4, ""), 0, "S, 4: it goes on");
	tap_int(begin(s + 1, 1, ""), KAFKA_FETCH_SESSION_ID_NOT_FOUND,
	    "a session that is not there");
	tap_int(begin(0, 1, ""), KAFKA_FETCH_SESSION_ID_NOT_FOUND, "0, 1");
	tap_int(begin(-1, 1, ""), KAFKA_FETCH_SESSION_ID_NOT_FOUND, "-1, 1");
	forget("t0@0 u0@0");
	tap_int(begin(s, 5, ""), 0, "all forgotten");
	tap(context.session_id == 0 && seen_count == 0, "is the end of it");
	tap_int(fetch_sessions_count(f), 0, "it is closed");
	fetch_sessions_free(f);
}

static void
test_ids(void)
{
	int32_t s = open_pair();

	by_id = true;
	tap_int(begin(s, 1, ""), KAFKA_FETCH_SESSION_TOPIC_ID_ERROR,
	    "ids in a session of names");
	by_id = false;
	tap_int(begin(s, 1, ""), 0, "which goes on");
	by_id = true;
	(void)begin(0, 0, "t0@5 t1@6");
	tell_all();
	s = context.session_id;
	by_id = false;
	tap_int(begin(s, 1, ""), KAFKA_FETCH_SESSION_TOPIC_ID_ERROR,
	    "names in a session of ids");
	by_id = true;
	tap_int(begin(s, 1, ""), 0, "a session of ids");
	tap_str(seen, "t0@5 t1@6 ");
	tell(0,
	    (struct fetch_result){.error = KAFKA_UNKNOWN_TOPIC_ID,
	    .high_watermark = -1,
	    .log_start = -1});
	forget("t0@0");
	tap_int(begin(s, 2, "T0@0"), 0, "a topic that was made again");
	tap_str(seen, "t1@6 T0@0 ");
	tap(tell(1, (struct fetch_result){0}), "is told as a new one");
	fetch_sessions_free(f);
}

static void
test_wrap(void)
{
	int32_t s, epoch;

	tap_int(fetch_sessions_next_epoch(1), 2, "epochs ascend");
	tap_int(fetch_sessions_next_epoch(INT32_MAX), 1, "and begin again");
	open_sessions(&fetch_sessions_defaults);
	(void)begin(0, 0, "t0@5");
	s = context.session_id;
	tap_int(begin(s, 1, ""), 0, "epoch 1");
	tap_int(begin(s, INT32_MAX, ""), KAFKA_INVALID_FETCH_SESSION_EPOCH,
	    "not the last one yet");
	for (epoch = 2; epoch < 1000; epoch++)
		if (begin(s, epoch, "") != 0)
			break;
	tap_int(epoch, 1000, "and so on");
	fetch_sessions_free(f);
}

/* --- what is told --------------------------------------------------------- */

static void
test_tell(void)
{
	int32_t s = open_pair();
	struct fetch_result same = {.high_watermark = 10}, r = same;

	(void)begin(s, 1, "");
	tap(!tell(0, same), "nothing new: left out");
	r.has_records = true;
	tap(tell(1, r), "records");
	(void)begin(s, 2, "");
	tap(!tell(0, same), "nothing again");
	r = same;
	r.high_watermark = 11;
	tap(tell(1, r), "another high watermark");
	(void)begin(s, 3, "");
	tap(!tell(1, r), "is told once");
	r.log_start = 3;
	tap(tell(1, r), "another log start");
	tap(!tell(1, r), "so");
	same = r;
	r.error = KAFKA_STORAGE_ERROR;
	tap(tell(1, r), "an error");
	tap(tell(1, r), "is told again");
	tap(tell(1, same), "and that it is over");
	tap(!tell(1, same), "once");
	r = same;
	r.diverging = true;
	tap(tell(1, r), "a diverging epoch");
	tap(tell(1, same), "and that it is over");
	fetch_sessions_free(f);
}

static void
test_order(void)
{
	int32_t s = open_pair();

	(void)begin(s, 1, "u0@0");
	tap_str(seen, "t0@5 t1@6 u0@0 ");
	tell(0, (struct fetch_result){.has_records = true});
	(void)begin(s, 2, "t0@9");
	tap_str(seen, "t1@6 u0@0 t0@9 ");
	fetch_sessions_free(f);
}

/* Somebody else was faster: a fetch whose session is not the same now. */
static void
test_overtaken(void)
{
	int32_t s = open_pair();
	struct fetch_context before;
	struct fetch_result same = {.high_watermark = 10};
	void *handle;

	(void)begin(s, 1, "");
	before = context;
	handle = handles[0];
	(void)begin(s, 2, "");
	tap(fetch_sessions_tell(f, &before, handle, &same),
	    "the session went on meanwhile: told in full");
	tap(!tell(0, same), "the newer fetch is as ever");
	(void)begin(s, -1, "");
	tap(fetch_sessions_tell(f, &before, handle, &same),
	    "it was closed meanwhile: told in full");
	next_id = s - 1;
	(void)begin(0, 0, "t0@5");
	tell_all();
	tap_int(context.session_id, s, "another has got its id");
	(void)begin(s, 1, "");
	tap(fetch_sessions_tell(f, &before, handle, &same),
	    "and is not taken for it");
	fetch_sessions_free(f);
}

/* --- bounds --------------------------------------------------------------- */

static void
test_slots(void)
{
	struct fetch_sessions_settings settings = {3, 100, 2, 120000};
	int32_t first, second;

	open_sessions(&settings);
	(void)begin(0, 0, "t0@0");
	first = context.session_id;
	now_ms += 1000;
	(void)begin(0, 0, "t0@0");
	second = context.session_id;
	now_ms += 1000;
	(void)begin(0, 0, "t0@0");
	(void)begin(0, 0, "t0@0");
	tap(context.session_id == 0 && seen_count == 1,
	    "no slot, nobody idle: served without a session");
	now_ms += 117999;
	(void)begin(0, 0, "t0@0");
	tap_int(context.session_id, 0, "a moment before the first is idle");
	(void)begin(first, 1, "");
	now_ms += 1001;
	(void)begin(0, 0, "t0@0");
	tap(context.session_id > 0, "the longest unused one makes room");
	tap_int(begin(second, 1, ""), KAFKA_FETCH_SESSION_ID_NOT_FOUND,
	    "that is the second");
	tap_int(begin(first, 2, ""), 0, "not the first, which was used");
	tap_int(fetch_sessions_count(f), 3, "three, as ever");
	fetch_sessions_free(f);
}

static void
test_owner(void)
{
	struct fetch_sessions_settings settings = {10, 100, 2, 120000};
	int32_t other;
	int made = 0;

	open_sessions(&settings);
	owner = 7;
	(void)begin(0, 0, "t0@0");
	other = context.session_id;
	owner = 8;
	for (int i = 0; i < 1000; i++) {
		(void)begin(0, 0, "t0@0");
		made += context.session_id > 0;
	}
	tap_int(made, 1000, "a new session on every poll");
	tap_int(fetch_sessions_count(f), 3, "leaves two of them");
	tap_int(begin(other, 1, ""), 0, "and those of others");
	fetch_sessions_free(f);
}

static void
test_partitions_bound(void)
{
	struct fetch_sessions_settings settings = {10, 5, 2, 120000};
	int32_t s;

	open_sessions(&settings);
	(void)begin(0, 0, "t0@0 t1@0 t2@0");
	s = context.session_id;
	(void)begin(0, 0, "t0@0 t1@0 t2@0");
	tap(context.session_id == 0 && seen_count == 3,
	    "too many partitions: served without a session");
	tap_int(fetch_sessions_partitions(f), 3, "none of them is remembered");
	tap_int(begin(s, 1, "t3@0 t4@0"), 0, "just as many");
	tap_int(begin(s, 2, "t5@0"), KAFKA_FETCH_SESSION_ID_NOT_FOUND,
	    "one more: the session is given up");
	tap_int(fetch_sessions_partitions(f), 0, "with all that it had");
	(void)begin(0, 0, "t0@0 t1@0 t2@0 t3@0");
	now_ms += 120000;
	(void)begin(0, 0, "t0@0 t1@0 t2@0 t3@0 t4@0 t5@0");
	tap(context.session_id == 0 && fetch_sessions_count(f) == 1,
	    "more than there can be: nobody has to make room");
	(void)begin(0, 0, "t0@0 t1@0");
	tap(context.session_id > 0 && fetch_sessions_partitions(f) == 2,
	    "an idle one makes room");
	fetch_sessions_free(f);
}

static void
test_names(void)
{
	static char name[FETCH_SESSIONS_NAME_MAX + 1];

	open_sessions(&fetch_sessions_defaults);
	memset(name, 'x', sizeof(name));
	partitions[0] = (struct fetch_partition){
	    .key.topic = {(const uint8_t *)name, sizeof(name)}};
	tap_int(begin_count(0, 0, 1), 0, "a name that no topic has");
	tap(context.session_id == 0 && fetch_sessions_count(f) == 0 &&
		fetch_sessions_partitions(f) == 0,
	    "is not remembered");
	partitions[0].key.topic.len--;
	(void)begin_count(0, 0, 1);
	tap(context.session_id > 0, "the longest name is");
	(void)begin(0, 0, "t0@1 t0@2");
	tap_str(seen, "t0@2 ");
	fetch_sessions_free(f);
}

static int32_t
bad_ids(void *arg)
{
	return *(const int32_t *)arg;
}

static void
test_ids_taken(void)
{
	int32_t id = 5;

	open_sessions(&fetch_sessions_defaults);
	fetch_sessions_set_random(f, bad_ids, &id);
	(void)begin(0, 0, "t0@0");
	tap_int(context.session_id, 5, "an id");
	(void)begin(0, 0, "t0@0");
	tap_int(context.session_id, 0, "that is taken");
	id = -3;
	(void)begin(0, 0, "t0@0");
	tap_int(context.session_id, 0, "that is negative");
	fetch_sessions_set_random(f, NULL, NULL);
	(void)begin(0, 0, "t0@0");
	tap(context.session_id > 0, "ids of getrandom");
	fetch_sessions_free(f);
}

/* --- at random ------------------------------------------------------------ */

enum {
	CLIENTS = 6,
	KEYS = 12,
};

/* What a client knows of its session, as Kafka's clients keep it. */
static struct model {
	int32_t session;
	int32_t epoch;
	bool asked[KEYS];		/* in the session */
	int64_t told[KEYS];		/* high watermark; -1: never */
} models[CLIENTS];

static int64_t watermarks[KEYS];

static void
model_reset(struct model *m)
{
	m->session = 0;
	m->epoch = 0;
	for (int k = 0; k < KEYS; k++) {
		m->asked[k] = false;
		m->told[k] = -1;
	}
}

/* Fill partitions and forgotten with a random change; the number of both. */
static size_t
model_change(struct model *m, bool full)
{
	size_t count = 0;

	forgotten_count = 0;
	for (int k = 0; k < KEYS; k++) {
		bool flip = tap_random() % 4 == 0;

		if (full) {
			m->asked[k] = flip;
			m->told[k] = -1;
		}
		if (!full && flip && m->asked[k] && forgotten_count < 2) {
			m->asked[k] = false;
			m->told[k] = -1;
			forgotten[forgotten_count++] =
			    (struct fetch_key){.topic = bytes_of("t"),
			    .partition = k};
			continue;
		}
		if (!full && !flip)
			continue;
		m->asked[k] = m->asked[k] || !full;
		if (m->asked[k])
			partitions[count++] =
			    (struct fetch_partition){.key = {.topic =
								 bytes_of("t"),
							 .partition = k},
			    .offset = k};
	}
	return count;
}

static int model_seen[KEYS];
static void *model_handles[KEYS];

static void
model_see(void *arg, const struct fetch_partition *p, void *handle)
{
	(void)arg;
	model_seen[p->key.partition]++;
	model_handles[p->key.partition] = handle;
}

/* One fetch of a client; what is wrong with it, or NULL. */
static const char *
model_fetch(struct model *m)
{
	bool full = m->session == 0 || tap_random() % 20 == 0;
	struct fetch_asked r = {.session_id = m->session,
	    .owner = (uint64_t)(m - models) + 1,
	    .partitions = partitions,
	    .forgotten = forgotten};
	int error;

	r.count = model_change(m, full);
	r.forgotten_count = forgotten_count;
	r.epoch = full ? 0 : m->epoch;
	memset(model_seen, 0, sizeof(model_seen));
	error = fetch_sessions_begin(f, &r, now_ms, &context, model_see, NULL);
	if (error != 0) {
		model_reset(m);
		return full ? "a full fetch is never refused" : NULL;
	}
	for (int k = 0; k < KEYS; k++) {
		struct fetch_result res = {.high_watermark = watermarks[k]};
		bool in;

		if (model_seen[k] != m->asked[k])
			return "not what was asked";
		if (!m->asked[k])
			continue;
		in = fetch_sessions_tell(f, &context, model_handles[k], &res);
		if (!in && (full || m->told[k] != watermarks[k]))
			return "something new was left out";
		if (in && !full && m->told[k] == watermarks[k])
			return "something old was told";
		m->told[k] = watermarks[k];
	}
	m->session = context.session_id;
	m->epoch = 1 + (full ? 0 : m->epoch);
	if (m->session == 0)
		model_reset(m);
	return NULL;
}

static void
test_model(void)
{
	struct fetch_sessions_settings settings = {4, 40, 1, 1000};
	const char *wrong = NULL;

	open_sessions(&settings);
	for (int i = 0; i < CLIENTS; i++)
		model_reset(&models[i]);
	for (int i = 0; i < 50000 && wrong == NULL; i++) {
		now_ms += (int64_t)(tap_random() % 300);
		watermarks[tap_random() % KEYS]++;
		wrong = model_fetch(&models[tap_random() % CLIENTS]);
		if (fetch_sessions_count(f) > 4 ||
		    fetch_sessions_partitions(f) > 40)
			wrong = "more than there may be";
	}
	if (wrong != NULL)
		fprintf(stderr, "# %s\n", wrong);
	tap(wrong == NULL, "clients at random are told what is new, once");
	fetch_sessions_free(f);
}

int
main(void)
{
	test_full();
	test_incremental();
	test_ids();
	test_wrap();
	test_tell();
	test_order();
	test_overtaken();
	test_slots();
	test_owner();
	test_partitions_bound();
	test_names();
	test_ids_taken();
	test_model();
	return tap_done();
}
