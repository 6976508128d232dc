#include "direct/configs.h"

#include <string.h>

#include "base/status.h"
#include "kafka/messages.h"

enum {
	TOPICS_AT_ONCE = 100,
	RESOURCE_TOPIC = 2,
	SOURCE_TOPIC = 1,	/* DYNAMIC_TOPIC_CONFIG */
	VALUE_LEN = 300,
};

/* Name and value as strings; false: longer than any that is known. */
static bool
copy(struct bytes from, char out[VALUE_LEN])
{
	if (from.len < 0 || from.len >= VALUE_LEN)
		return false;
	memcpy(out, from.data, (size_t)from.len);
	out[from.len] = '\0';
	return true;
}

static void
take_setting(struct configs *c,
    const struct describe_configs_response_results_configs *from)
{
	char name[VALUE_LEN], value[VALUE_LEN];
	enum properties_id id;

	if (!copy(from->name, name) || !copy(from->value, value) ||
	    properties_find(name, &id) != 0)
		return;
	if (id == PROPERTIES_CLEANUP_POLICY)
		c->compacted = strstr(value, "compact") != NULL;
	/* One that has no such value here stays at its default. */
	if (from->config_source == SOURCE_TOPIC)
		(void)properties_set(&c->settings, id, value, NULL);
}

static void
take(const struct chart *c, size_t from, size_t to, struct configs *out,
    const struct describe_configs_response *r)
{
	for (int32_t i = 0; i < r->results_count; i++) {
		const struct describe_configs_response_results *result =
		    &r->results[i];
		int64_t n = chart_find_name(c, result->resource_name);
		struct configs *topic;

		if (n < (int64_t)from || n >= (int64_t)to)
			continue;
		topic = &out[(size_t)n - from];
		topic->error = result->error_code;
		for (int32_t k = 0; k < result->configs_count; k++)
			take_setting(topic, &result->configs[k]);
	}
}

static int
ask(struct chart *c, size_t from, size_t to, struct configs *out,
    struct talk_answer *a, struct fault *f)
{
	struct describe_configs_request_resources names[TOPICS_AT_ONCE];
	struct describe_configs_request q;
	struct describe_configs_response r;
	int rc;

	wire_defaults(&messages_describe_configs_request, &q);
	q.resources = names;
	for (size_t i = from; i < to; i++)
		names[q.resources_count++] = (struct
		    describe_configs_request_resources){.resource_type =
							    RESOURCE_TOPIC,
			.resource_name = bytes_of(chart_topic(c, i)->name),
			.configuration_keys_count = -1};
	rc = chart_call(c, -1, API_DESCRIBE_CONFIGS, &q, a, &r, f);
	if (rc == 0)
		take(c, from, to, out, &r);
	return rc;
}

int
configs_read(struct chart *c, size_t from, size_t to, struct configs *out,
    struct fault *f)
{
	struct talk_answer a;
	int rc = 0;

	talk_answer_init(&a);
	for (size_t i = from; i < to; i++) {
		properties_init(&out[i - from].settings);
		out[i - from].compacted = false;
		out[i - from].error = 0;
	}
	for (size_t i = from; rc == 0 && i < to; i += TOPICS_AT_ONCE) {
		size_t end = to - i > TOPICS_AT_ONCE ? i + TOPICS_AT_ONCE : to;

		rc = ask(c, i, end, out + (i - from), &a, f);
	}
	talk_answer_release(&a);
	return rc;
}
