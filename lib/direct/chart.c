#include "direct/chart.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/now.h"
#include "base/status.h"
#include "client/place.h"
#include "direct/trouble.h"
#include "kafka/error.h"
#include "kafka/messages.h"
#include "net/addr.h"
#include "store/cluster_id.h"
#include "store/topic.h"

enum {
	BROKERS_MAX = 100000,
	TOPICS_MAX = 1 << 20,
	/* The first version that does not make what is asked for. */
	METADATA_MIN = 4,
	NAME_MAX_LEN = 512,
	/* One broker of several that are known may be waited for so long. */
	BROKER_MS = 10000,
};

struct broker {
	int32_t node;
	char host[ADDR_HOST_MAX + 1];
	uint16_t port;
	struct talk *talk;	/* for questions; NULL: not open */
};

struct chart {
	struct chart_options o;
	struct broker *brokers;
	size_t broker_count;
	struct talk *any;
	char cluster_id[CHART_CLUSTER_ID_MAX + 1];
	struct chart_topic **topics;
	size_t count;
	struct chart_topic **by_name; /* sorted, so many of them */
	struct chart_topic **by_id;
	size_t sorted;
	struct talk_answer answer;
	char name[NAME_MAX_LEN];
};

/* --- what is known -------------------------------------------------------- */

size_t
chart_count(const struct chart *c)
{
	return c->count;
}

const struct chart_topic *
chart_topic(const struct chart *c, size_t topic)
{
	return c->topics[topic];
}

struct chart_partition
chart_partition(const struct chart *c, size_t topic, int32_t partition)
{
	const struct chart_topic *t = c->topics[topic];

	if (partition >= t->count || t->missing)
		return (struct chart_partition){-1, -1};
	return t->partitions[partition];
}

size_t
chart_broker_count(const struct chart *c)
{
	return c->broker_count;
}

int32_t
chart_broker(const struct chart *c, size_t i)
{
	return c->brokers[i].node;
}

static const char *
place_name(const struct chart *c, const char *topic)
{
	const struct place *p = c->o.place;

	snprintf(((struct chart *)(uintptr_t)c)->name, NAME_MAX_LEN,
	    "kafka%s://%.240s%s%s", p->tls ? "+tls" : "", p->brokers,
	    topic[0] != '\0' ? "/" : "", topic);
	return c->name;
}

const char *
chart_name(const struct chart *c, size_t topic)
{
	return place_name(c, c->topics[topic]->name);
}

static int
compare_names(const void *a, const void *b)
{
	const struct chart_topic *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static int
compare_ids(const void *a, const void *b)
{
	const struct chart_topic *const *x = a, *const *y = b;

	return memcmp(&(*x)->id, &(*y)->id, sizeof((*x)->id));
}

static struct chart_topic *
find(struct chart_topic **sorted, size_t count, const struct chart_topic *key,
    int (*compare)(const void *, const void *))
{
	struct chart_topic **found;

	if (count == 0)
		return NULL;
	found = bsearch(&key, sorted, count, sizeof(*sorted), compare);
	return found == NULL ? NULL : *found;
}

static struct chart_topic *
find_name(const struct chart *c, struct bytes name)
{
	struct chart_topic key;

	if (name.len < 0 || name.len > TOPIC_NAME_MAX)
		return NULL;
	memcpy(key.name, name.data, (size_t)name.len);
	key.name[name.len] = '\0';
	return find(c->by_name, c->sorted, &key, compare_names);
}

static int64_t
number_of(const struct chart_topic *t)
{
	return t == NULL ? -1 : (int64_t)t->number;
}

int64_t
chart_find_name(const struct chart *c, struct bytes name)
{
	return number_of(find_name(c, name));
}

int64_t
chart_find_id(const struct chart *c, const struct wire_uuid *id)
{
	struct chart_topic key = {.id = *id};

	return number_of(find(c->by_id, c->sorted, &key, compare_ids));
}

static int
sort(struct chart *c)
{
	size_t size = c->count * sizeof(*c->topics);
	struct chart_topic **names, **ids;

	if (c->count == 0)
		return 0;
	names = realloc(c->by_name, size);
	if (names != NULL)
		c->by_name = names;
	ids = realloc(c->by_id, size);
	if (ids != NULL)
		c->by_id = ids;
	if (names == NULL || ids == NULL)
		return ENOMEM;
	memcpy(names, c->topics, size);
	memcpy(ids, c->topics, size);
	qsort(names, c->count, sizeof(*names), compare_names);
	qsort(ids, c->count, sizeof(*ids), compare_ids);
	c->sorted = c->count;
	return 0;
}

void
chart_identity(const struct chart *c, size_t topic,
    uint8_t out[CHART_IDENTITY_LEN])
{
	const struct chart_topic *t = c->topics[topic];

	cluster_id_topic(c->cluster_id, t->name, t->id.bytes, out);
}

/* --- connections ---------------------------------------------------------- */

static struct broker *
find_broker(const struct chart *c, int32_t node)
{
	for (size_t i = 0; i < c->broker_count; i++)
		if (c->brokers[i].node == node)
			return &c->brokers[i];
	return NULL;
}

int
chart_dial(const struct chart *c, int32_t node, size_t answer_max,
    struct talk **out, struct fault *f)
{
	struct talk_options o = {.login = c->o.login,
	    .timeout_ms =
		c->o.timeout_ms < BROKER_MS ? c->o.timeout_ms : BROKER_MS,
	    .answer_max = answer_max};
	const struct broker *b = find_broker(c, node);

	if (b == NULL)
		return trouble(f, STATUS_CLUSTER, place_name(c, ""),
		    "there is no broker %d", (int)node);
	return talk_open(&o, b->host, b->port, out, f);
}

/* Where the place says, or, if nobody answers there, where brokers were. */
static int
dial_any(struct chart *c, struct talk **out, struct fault *f)
{
	struct talk_options o = {.login = c->o.login,
	    .timeout_ms = c->o.timeout_ms};
	int rc = talk_open_any(&o, c->o.place->brokers, out, f);

	for (size_t i = 0; rc == STATUS_CLUSTER && i < c->broker_count; i++)
		rc = chart_dial(c, c->brokers[i].node, 0, out, f);
	return rc;
}

int
chart_talk(struct chart *c, int32_t node, struct talk **out, struct fault *f)
{
	struct broker *b = node < 0 ? NULL : find_broker(c, node);
	struct talk **kept = b != NULL ? &b->talk : &c->any;
	int rc = 0;

	if (node >= 0 && b == NULL)
		return chart_dial(c, node, 0, out, f);
	if (*kept == NULL)
		rc = b != NULL
		    ? chart_dial(c, node, BATCH_BYTES_MAX + 65536, kept, f)
		    : dial_any(c, kept, f);
	*out = *kept;
	return rc;
}

void
chart_hang_up(struct chart *c, int32_t node)
{
	struct broker *b = node < 0 ? NULL : find_broker(c, node);
	struct talk **kept = b != NULL ? &b->talk : &c->any;

	talk_close(*kept);
	*kept = NULL;
}

int
chart_call(struct chart *c, int32_t node, enum api_key key, const void *request,
    struct talk_answer *a, void *response, struct fault *f)
{
	struct talk *t;
	int rc = chart_talk(c, node, &t, f);

	if (rc != 0)
		return rc;
	rc = talk_call(t, key, request, a, response, f);
	if (rc != 0)
		chart_hang_up(c, node);
	return rc;
}

/* --- taking in what the metadata say -------------------------------------- */

static bool
is_internal(const char *name)
{
	return strcmp(name, "__consumer_offsets") == 0 ||
	    strcmp(name, "__transaction_state") == 0 ||
	    strcmp(name, "__share_group_state") == 0;
}

/* The brokers of now, with the connections that are still to one of them. */
static int
take_brokers(struct chart *c, const struct metadata_response *r)
{
	size_t count = (size_t)r->brokers_count, n = 0;
	struct broker *now;

	if (count > BROKERS_MAX)
		return STATUS_TOO_BIG;
	now = calloc(count + 1, sizeof(*now));
	if (now == NULL)
		return ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct metadata_response_brokers *from = &r->brokers[i];
		struct broker *b = &now[n], *was;

		if (from->host.len <= 0 || from->host.len > ADDR_HOST_MAX ||
		    from->port < 1 || from->port > UINT16_MAX ||
		    from->node_id < 0)
			continue;
		b->node = from->node_id;
		b->port = (uint16_t)from->port;
		memcpy(b->host, from->host.data, (size_t)from->host.len);
		was = find_broker(c, b->node);
		if (was != NULL && was->port == b->port &&
		    strcmp(was->host, b->host) == 0) {
			b->talk = was->talk;
			was->talk = NULL;
		}
		n++;
	}
	for (size_t i = 0; i < c->broker_count; i++)
		talk_close(c->brokers[i].talk);
	free(c->brokers);
	c->brokers = now;
	c->broker_count = n;
	return 0;
}

static int
take_partitions(struct chart_topic *t,
    const struct metadata_response_topics *from)
{
	struct chart_partition *more;
	int32_t count = t->count;

	for (int32_t i = 0; i < from->partitions_count; i++)
		if (from->partitions[i].partition_index >= count &&
		    from->partitions[i].partition_index < PARTITIONS_MAX)
			count = from->partitions[i].partition_index + 1;
	more = reallocarray(t->partitions, (size_t)count + 1, sizeof(*more));
	if (more == NULL)
		return ENOMEM;
	t->partitions = more;
	t->count = count;
	for (int32_t i = 0; i < count; i++)
		t->partitions[i] = (struct chart_partition){-1, -1};
	for (int32_t i = 0; i < from->partitions_count; i++) {
		int32_t n = from->partitions[i].partition_index;

		if (n >= 0 && n < count)
			t->partitions[n] =
			    (struct chart_partition){from->partitions[i]
							 .leader_id,
				from->partitions[i].leader_epoch};
	}
	return 0;
}

static int
add_topic(struct chart *c, const char *name,
    const struct metadata_response_topics *from)
{
	struct chart_topic **more, *t;

	if (c->count == TOPICS_MAX)
		return STATUS_TOO_BIG;
	more = reallocarray(c->topics, c->count + 1, sizeof(*more));
	t = calloc(1, sizeof(*t));
	if (more != NULL)
		c->topics = more;
	if (more == NULL || t == NULL) {
		free(t);
		return ENOMEM;
	}
	strlcpy(t->name, name, sizeof(t->name));
	t->id = from->topic_id;
	t->number = c->count;
	c->topics[c->count++] = t;
	return take_partitions(t, from);
}

static bool
is_wanted(const struct chart *c, const char *name)
{
	if (c->o.place->topic[0] != '\0')
		return strcmp(name, c->o.place->topic) == 0;
	return topic_is_name(name) && !is_internal(name) && name[0] != '.' &&
	    (c->o.takes == NULL || c->o.takes(name, c->o.arg));
}

static int
take_topic(struct chart *c, const struct metadata_response_topics *from)
{
	struct chart_topic *t = find_name(c, from->name);
	char name[TOPIC_NAME_MAX + 1];

	if (from->error_code != 0 &&
	    from->error_code != KAFKA_LEADER_NOT_AVAILABLE)
		return 0;
	if (t != NULL) {
		t->missing = false;
		if (memcmp(&t->id, &from->topic_id, sizeof(t->id)) != 0)
			t->gone = true;
		return t->gone ? 0 : take_partitions(t, from);
	}
	if (from->name.len <= 0 || from->name.len > TOPIC_NAME_MAX)
		return 0;
	memcpy(name, from->name.data, (size_t)from->name.len);
	name[from->name.len] = '\0';
	return is_wanted(c, name) ? add_topic(c, name, from) : 0;
}

static int
take(struct chart *c, const struct metadata_response *r)
{
	int rc = take_brokers(c, r);
	int32_t len = r->cluster_id.len;

	if (len > CHART_CLUSTER_ID_MAX)
		len = CHART_CLUSTER_ID_MAX;
	if (len > 0)
		memcpy(c->cluster_id, r->cluster_id.data, (size_t)len);
	c->cluster_id[len > 0 ? len : 0] = '\0';
	for (size_t i = 0; rc == 0 && i < c->count; i++)
		c->topics[i]->missing = true;
	for (int32_t i = 0; rc == 0 && i < r->topics_count; i++)
		rc = take_topic(c, &r->topics[i]);
	if (rc == 0)
		rc = sort(c);
	for (size_t i = 1; rc == 0 && i < c->count; i++)
		if (strcmp(c->by_name[i]->name, c->by_name[i - 1]->name) == 0)
			rc = STATUS_EXISTS;
	return rc;
}

/* --- asking --------------------------------------------------------------- */

static int
fail(const char *subject, int error, struct fault *f)
{
	switch (error) {
	case KAFKA_UNKNOWN_TOPIC_OR_PARTITION:
	case KAFKA_UNKNOWN_TOPIC_ID:
	case KAFKA_INVALID_TOPIC_EXCEPTION:
		return status_fault(f, STATUS_NO_TOPIC, subject, -1, -1, NULL);
	case KAFKA_TOPIC_AUTHORIZATION_FAILED:
	case KAFKA_GROUP_AUTHORIZATION_FAILED:
	case KAFKA_CLUSTER_AUTHORIZATION_FAILED:
		return trouble(f, EACCES, subject, "%s", error_text(error));
	case KAFKA_UNSUPPORTED_FOR_MESSAGE_FORMAT:
		return trouble(f, STATUS_UNSUPPORTED, subject, "%s",
		    error_text(error));
	default:
		return trouble(f, STATUS_CLUSTER, subject, "%s",
		    error_text(error));
	}
}

int
chart_fail(const struct chart *c, size_t topic, int error, struct fault *f)
{
	return fail(chart_name(c, topic), error, f);
}

/* Errors that are told of all, and of the one topic. */
static int
check(const struct chart *c, const struct metadata_response *r, struct fault *f)
{
	const char *topic = c->o.place->topic;

	if (r->error_code != 0)
		return fail(place_name(c, topic), r->error_code, f);
	if (topic[0] == '\0' || c->count > 0)
		return 0;
	for (int32_t i = 0; i < r->topics_count; i++)
		if (r->topics[i].error_code != 0 &&
		    r->topics[i].error_code != KAFKA_LEADER_NOT_AVAILABLE)
			return fail(place_name(c, topic),
			    r->topics[i].error_code, f);
	return 0;
}

int
chart_refresh(struct chart *c, struct fault *f)
{
	const char *topic = c->o.place->topic;
	struct metadata_request_topics name = {.name = bytes_of(topic)};
	struct metadata_request q;
	struct metadata_response r;
	struct talk *t;
	int rc = chart_talk(c, -1, &t, f), version;

	if (rc != 0)
		return rc;
	wire_defaults(&messages_metadata_request, &q);
	q.allow_auto_topic_creation = false;
	q.topics = &name;
	q.topics_count = topic[0] == '\0' ? -1 : 1;
	version = talk_version(t, API_METADATA, INT16_MAX);
	rc = talk_send_in(t, API_METADATA,
	    version < METADATA_MIN ? -1 : version, &q, f);
	if (rc == 0)
		rc = talk_receive(t, &c->answer, &r, f);
	if (rc != 0) {
		chart_hang_up(c, -1);
		return rc;
	}
	rc = check(c, &r, f);
	if (rc == 0)
		rc = take(c, &r);
	if (rc == STATUS_TOO_BIG || rc == STATUS_EXISTS)
		return trouble(f, STATUS_CLUSTER, place_name(c, ""),
		    rc == STATUS_EXISTS ? "a topic that is there twice"
					: "more brokers or topics than can be");
	return rc;
}

/* --- opening -------------------------------------------------------------- */

static int
look_first(struct chart *c, struct fault *f)
{
	int64_t until_ms = now_mono_ms() + c->o.timeout_ms;
	int rc;

	for (int tries = 0;; tries++) {
		rc = chart_refresh(c, f);
		if (rc == 0 && c->o.place->topic[0] != '\0' && c->count == 0)
			rc = fail(place_name(c, c->o.place->topic),
			    KAFKA_UNKNOWN_TOPIC_OR_PARTITION, f);
		if (rc != STATUS_CLUSTER || now_mono_ms() >= until_ms)
			return rc;
		chart_pause(tries, until_ms);
	}
}

int
chart_open(const struct chart_options *o, struct chart **out, struct fault *f)
{
	struct chart *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL)
		return ENOMEM;
	c->o = *o;
	talk_answer_init(&c->answer);
	rc = look_first(c, f);
	if (rc != 0) {
		chart_close(c);
		return rc;
	}
	*out = c;
	return 0;
}

void
chart_close(struct chart *c)
{
	if (c == NULL)
		return;
	talk_close(c->any);
	for (size_t i = 0; i < c->broker_count; i++)
		talk_close(c->brokers[i].talk);
	for (size_t i = 0; i < c->count; i++) {
		free(c->topics[i]->partitions);
		free(c->topics[i]);
	}
	free(c->brokers);
	free(c->topics);
	free(c->by_name);
	free(c->by_id);
	talk_answer_release(&c->answer);
	free(c);
}
