#include "kafka/api.h"

#include "kafka/error.h"
#include "kafka/messages.h"

/* Of messages.awk; in the order of the schema, which is that of the keys. */
extern const struct api messages_apis[];
extern const size_t messages_api_count;

const struct api *
api_at(size_t i)
{
	return i < messages_api_count ? &messages_apis[i] : NULL;
}

size_t
api_number(const struct api *a)
{
	return (size_t)(a - messages_apis);
}

const struct api *
api_find(int16_t key)
{
	const struct api *a;

	for (size_t i = 0; (a = api_at(i)) != NULL; i++)
		if (a->key == key)
			return a;
	return NULL;
}

bool
api_is_served(const struct api *a, int16_t version)
{
	return a->served && version >= a->min && version <= a->max &&
	    version >= a->request->min && version <= a->request->max;
}

bool
api_is_flexible(const struct api *a, int16_t version)
{
	return version >= a->request->flexible;
}

int
api_versions_refusal(struct buf *b, int32_t correlation)
{
	const struct api *a = api_find(API_VERSIONS);
	struct api_versions_response_api_keys key = {.api_key = API_VERSIONS,
	    .min_version = a->min,
	    .max_version = a->max};
	struct api_versions_response r;
	int rc;

	wire_defaults(&messages_api_versions_response, &r);
	r.error_code = KAFKA_UNSUPPORTED_VERSION;
	r.api_keys = &key;
	r.api_keys_count = 1;
	rc = wire_response_encode(b, false, correlation);
	if (rc == 0)
		rc = wire_encode(&messages_api_versions_response, 0, &r, b,
		    NULL);
	return rc;
}
